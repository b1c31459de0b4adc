/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcjsonfile.h"

#include <string.h>

#include "core/rtcmessage.h"

#define ID "0123456789abcdef0123456789abcdef"
#define DIGEST ID ID

static RtcFileMessage *
parse (const gchar *text)
{
  GError *error = NULL;
  RtcFileMessage *message = rtc_file_message_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return message;
}

/* What is written is read as it was. */
static void
check_both_ways (const gchar *text)
{
  RtcFileMessage *message = parse (text);
  gchar *written = rtc_file_message_write (message);

  g_assert_cmpstr (written, ==, text);
  g_free (written);
  rtc_file_message_free (message);
}

static void
test_both_ways (void)
{
  check_both_ways (
      "{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"a \\\"b\\\".txt\",\"size\":0,\"mime\":\"text/plain\","
      "\"sha256\":\"" DIGEST "\"}");
  check_both_ways ("{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"\"}");
  check_both_ways ("{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":9007199254740992}");
  check_both_ways ("{\"type\":\"end\",\"id\":\"" ID "\",\"size\":17,\"sha256\":\"" DIGEST "\"}");
  check_both_ways ("{\"type\":\"done\",\"id\":\"" ID "\",\"sha256\":\"" DIGEST "\"}");
  check_both_ways ("{\"type\":\"cancel\",\"id\":\"" ID "\",\"code\":\"disk-full\",\"reason\":\"no room\"}");
}

static void
test_fields (void)
{
  RtcFileMessage *message = parse ("{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"x\",\"new\":[1]}");

  g_assert_cmpint (message->type, ==, RTC_FILE_BEGIN);
  g_assert_cmpstr (message->id, ==, ID);
  g_assert_cmpint (message->size, ==, -1);
  g_assert_cmpstr (message->sha256, ==, "");
  g_assert_null (message->mime);
  rtc_file_message_free (message);
  message = parse ("{\"type\":\"cancel\",\"id\":\"" ID "\",\"code\":\"of the future\"}");
  g_assert_cmpint (message->code, ==, RTC_FILE_CANCELLED);
  rtc_file_message_free (message);
}

static void
test_refused (void)
{
  static const struct
  {
    const gchar *text, *says;
  } cases[] = {
      {"[]", ""},
      {"{\"type\":\"file\"", ""},
      {"{\"type\":\"nonsense\",\"id\":\"" ID "\"}", "type"},
      {"{\"type\":7,\"id\":\"" ID "\"}", "type"},
      {"{\"type\":\"ready\",\"offset\":0}", "id"},
      {"{\"type\":\"ready\",\"id\":\"../../etc\",\"offset\":0}", "id"},
      {"{\"type\":\"ready\",\"id\":\"0123456789ABCDEF0123456789abcdef\",\"offset\":0}", "id"},
      {"{\"type\":\"ready\",\"id\":\"" ID "\"}", "offset"},
      {"{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":-1}", "offset"},
      {"{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":1.5}", "offset"},
      {"{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":\"1\"}", "offset"},
      {"{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":9007199254740993}", "offset"},
      {"{\"type\":\"file\",\"id\":\"" ID "\"}", "name"},
      {"{\"type\":\"file\",\"id\":\"" ID "\",\"name\":{}}", "name"},
      {"{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"x\",\"size\":true}", "size"},
      {"{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"x\",\"sha256\":\"00\"}", "sha256"},
      {"{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"x\",\"sha256\":null}", "sha256"},
      {"{\"type\":\"end\",\"id\":\"" ID "\",\"size\":1}", "sha256"},
      {"{\"type\":\"end\",\"id\":\"" ID "\",\"sha256\":\"" DIGEST "\"}", "size"},
      {"{\"type\":\"done\",\"id\":\"" ID "\"}", "sha256"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GError *error = NULL;

    g_assert_null (rtc_file_message_parse (cases[i].text, strlen (cases[i].text), &error));
    g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
    if (!strstr (error->message, cases[i].says))
      g_error ("%s: \"%s\" does not say %s", cases[i].text, error->message, cases[i].says);
    g_clear_error (&error);
  }
}

static void
test_too_long (void)
{
  gchar *name = g_strnfill (RTC_FILE_MAX_TEXT + 1, 'x');
  gchar *text = g_strdup_printf ("{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"%s\"}", name);
  gchar *padding = g_strnfill (RTC_FILE_MAX_CONTROL, ' ');
  gchar *padded = g_strconcat ("{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":0}", padding, NULL);
  GError *error = NULL;

  g_assert_null (rtc_file_message_parse (text, strlen (text), NULL));
  g_assert_null (rtc_file_message_parse (padded, strlen (padded), &error));
  g_assert_nonnull (strstr (error->message, "16384"));
  g_error_free (error);
  g_free (padded);
  g_free (padding);
  g_free (text);
  g_free (name);
}

static void
check_name (const gchar *name, const gchar *expected)
{
  GError *error = NULL;
  gchar *safe = rtc_file_make_safe_name (name, &error);

  g_assert_cmpstr (safe, ==, expected);
  if (expected)
    g_assert_no_error (error);
  else
    g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
  g_clear_error (&error);
  g_free (safe);
}

static void
test_names (void)
{
  gchar *longest = g_strnfill (RTC_FILE_MAX_NAME, 'x');
  gchar *longer = g_strnfill (RTC_FILE_MAX_NAME + 1, 'x');

  check_name ("map.pcd", "map.pcd");
  check_name ("/etc/passwd", "passwd");
  check_name ("..\\..\\boot.ini", "boot.ini");
  check_name ("a/../b\\c", "c");
  check_name ("C:auto?.txt", "C_auto_.txt");
  check_name ("gr\303\274n \360\237\223\267.png", "gr\303\274n \360\237\223\267.png");
  /* shown as photo-exe.pdf where U+202E turns what follows */
  check_name ("photo-\342\200\256fdp.exe", "photo-_fdp.exe");
  check_name ("\330\234\342\201\246\342\200\217x", "___x");
  check_name ("", NULL);
  check_name ("dir/", NULL);
  check_name ("..", NULL);
  check_name ("a/..", NULL);
  check_name (".bashrc", NULL);
  check_name ("a\nb", NULL);
  check_name ("a\302\205b", NULL); /* a control character of two bytes */
  check_name ("a\377", NULL);
  check_name (longest, longest);
  check_name (longer, NULL);
  g_free (longest);
  g_free (longer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcjsonfile/both-ways", test_both_ways);
  g_test_add_func ("/rtcjsonfile/fields", test_fields);
  g_test_add_func ("/rtcjsonfile/refused", test_refused);
  g_test_add_func ("/rtcjsonfile/too-long", test_too_long);
  g_test_add_func ("/rtcjsonfile/names", test_names);
  return g_test_run ();
}
