/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcjson.h"

#include <string.h>

static const struct
{
  const gchar *text;
  gboolean good;
} texts[] = {
    {"{}", TRUE},
    {"{\"a\":[1,2,{\"b\":null}]}", TRUE},
    {"{\"a\":\"[[[[[[[[[[[[\"}", TRUE},
    {"{\"a\":\"\\\"[[[[[[[[[[[[\"}", TRUE},
    {"[[[[[[[[]]]]]]]]", TRUE},
    {"[[[[[[[[[]]]]]]]]]", FALSE},
    {"{\"a\":\"\xff\"}", FALSE},
    {"{\"a\":\"\\\\u0041 \\u0041\\ud83d\\uDE00\"}", TRUE},
    {"{\"a\":\"\\u0000\"}", FALSE},
    {"{\"a\":\"\\u00g0\"}", FALSE},
    {"{\"a\":\"\\u004\"}", FALSE},
    {"{\"a\":\"\\x41\"}", FALSE},
    {"{\"a\":\"\\ud83d\"}", FALSE},
    {"{\"a\":\"\\ud83dxy\"}", FALSE},
    {"{\"a\":\"\\ud83d\\u0041\"}", FALSE},
    {"{\"a\":\"\\ude00\\ud83d\"}", FALSE},
    {"{\"a\":\"\\", FALSE},
    {"{\"a\":\"\\u12", FALSE},
};

static void
test_check (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("text %u", i);
    g_assert_true (rtc_json_check (texts[i].text, strlen (texts[i].text), &error) == texts[i].good);
    g_assert_true ((error == NULL) == texts[i].good);
  }
}

static void
test_deep_text_is_not_parsed (void)
{
  g_autofree gchar *deep = g_strnfill (RTC_MAX_FRAME, '[');
  g_autoptr (GError) error = NULL;

  g_assert_null (rtc_json_parse_object (deep, -1, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
}

static void
test_only_objects (void)
{
  g_autoptr (GError) error = NULL;
  JsonNode *node = rtc_json_parse_object ("{\"a\":1}", -1, &error);

  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (node));
  json_node_unref (node);
  g_assert_null (rtc_json_parse_object ("[1]", -1, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
}

static void
test_strings_are_escaped (void)
{
  GString *out = g_string_new (NULL);

  rtc_json_append_string (out, "a\"b\\c\n\001d\303\244");
  g_assert_cmpstr (out->str, ==, "\"a\\\"b\\\\c\\n\\u0001d\303\244\"");
  g_string_free (out, TRUE);
}

static void
test_meta (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *written = rtc_json_normalize_meta (" { \"a\" : [ 1 , true ] } ", &error);
  gchar *refused;

  g_assert_no_error (error);
  g_assert_cmpstr (written, ==, "{\"a\":[1,true]}");
  refused = rtc_json_normalize_meta ("{\"a\":[[[[[1]]]]]}", &error);
  g_assert_null (refused);
  g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcjson/check", test_check);
  g_test_add_func ("/rtcjson/deep-text-is-not-parsed", test_deep_text_is_not_parsed);
  g_test_add_func ("/rtcjson/only-objects", test_only_objects);
  g_test_add_func ("/rtcjson/strings-are-escaped", test_strings_are_escaped);
  g_test_add_func ("/rtcjson/meta", test_meta);
  return g_test_run ();
}
