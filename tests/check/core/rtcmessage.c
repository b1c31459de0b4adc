/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <string.h>

#include "core/rtcjson.h"
#include "core/rtcmessage.h"

static gchar *
read_golden (const gchar *name)
{
  g_autofree gchar *file = g_strdup_printf ("%s.json", name);
  g_autofree gchar *path = g_build_filename (g_getenv ("RTC_TEST_DATA"), "messages", file, NULL);
  g_autoptr (GError) error = NULL;
  gchar *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return g_strchomp (text);
}

static RtcMessage *
parse (const gchar *text)
{
  g_autoptr (GError) error = NULL;
  RtcMessage *message = rtc_message_from_json (text, -1, &error);

  g_assert_no_error (error);
  g_assert_nonnull (message);
  return message;
}

/* Every file of the folder reads and is written again byte for byte; no type is without a file. */
static void
test_golden (void)
{
  g_autofree gchar *folder = g_build_filename (g_getenv ("RTC_TEST_DATA"), "messages", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  gboolean seen[RTC_MESSAGE_PONG + 1] = {FALSE};
  const gchar *name;
  guint i;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *stem = g_strndup (name, strlen (name) - strlen (".json"));
    g_autofree gchar *text = read_golden (stem);
    g_autoptr (RtcMessage) message = parse (text);
    g_autofree gchar *again = rtc_message_to_json (message);

    g_assert_cmpstr (again, ==, text);
    seen[message->type] = TRUE;
  }
  for (i = 0; i <= RTC_MESSAGE_PONG; i++) {
    if (!seen[i])
      g_error ("no golden file for the type %s", rtc_message_type_to_string (i));
  }
}

static void
test_fields (void)
{
  g_autofree gchar *join_text = read_golden ("join");
  g_autoptr (RtcMessage) join = parse (join_text);
  g_autofree gchar *welcome_text = read_golden ("welcome");
  g_autoptr (RtcMessage) welcome = parse (welcome_text);
  g_autofree gchar *peers_text = read_golden ("peers");
  g_autoptr (RtcMessage) peers = parse (peers_text);
  g_autofree gchar *candidate_text = read_golden ("candidate");
  g_autoptr (RtcMessage) candidate = parse (candidate_text);
  g_autofree gchar *error_text = read_golden ("error-other");
  g_autoptr (RtcMessage) error = parse (error_text);
  RtcIceServer *server;
  RtcPeerInfo *peer;

  g_assert_cmpint (join->type, ==, RTC_MESSAGE_JOIN);
  g_assert_cmpuint (join->version, ==, 1);
  g_assert_cmpstr (join->room, ==, "studio");
  g_assert_cmpstr (join->display_name, ==, "Gate camera");
  g_assert_cmpstr (join->meta, ==, "{\"site\":\"north\",\"floors\":[1,2.5,-3],\"on\":true,\"none\":null}");
  g_assert_cmpint (join->role, ==, RTC_ROLE_BOTH);
  g_assert_cmpint (join->offers, ==, RTC_OFFERS_PREFER);
  g_assert_true (join->has_tracks);
  g_assert_cmpuint (join->n_video, ==, 1);
  g_assert_cmpuint (join->n_audio, ==, 1);
  g_assert_true (join->restart);
  g_assert_cmpstr (join->features[0], ==, "rtclink.1");
  g_assert_cmpstr (join->features[1], ==, "other-thing");
  g_assert_null (join->features[2]);
  g_assert_cmpstr (join->token, ==, "s3cret");

  g_assert_cmpstr (welcome->peer_id, ==, "p-6f1c");
  g_assert_cmpstr (welcome->resume, ==, "r-93ab");
  g_assert_cmpuint (welcome->resume_timeout, ==, 10000);
  g_assert_cmpuint (welcome->ping_interval, ==, 5000);
  g_assert_cmpuint (welcome->ping_timeout, ==, 10000);
  g_assert_false (welcome->resumed);
  g_assert_cmpuint (welcome->ice_servers->len, ==, 2);
  server = g_ptr_array_index (welcome->ice_servers, 1);
  g_assert_cmpstr (server->urls[1], ==, "turns:192.0.2.2:5349");
  g_assert_null (server->urls[2]);
  g_assert_cmpstr (server->username, ==, "u");
  g_assert_cmpstr (server->credential, ==, "c");

  g_assert_cmpuint (peers->peers->len, ==, 2);
  peer = g_ptr_array_index (peers->peers, 0);
  g_assert_cmpstr (peer->id, ==, "p-02d4");
  g_assert_cmpstr (peer->offerer, ==, "p-02d4");
  g_assert_cmpstr (peer->meta, ==, "{}");
  peer = g_ptr_array_index (peers->peers, 1);
  g_assert_cmpint (peer->role, ==, RTC_ROLE_SEND);
  g_assert_cmpuint (peer->n_video, ==, 32);
  g_assert_null (peer->offerer);

  g_assert_cmpint (candidate->sdp_mline_index, ==, 0);
  g_assert_cmpstr (candidate->sdp_mid, ==, "video0");
  g_assert_cmpint (error->code, ==, RTC_ERROR_OTHER);
  g_assert_cmpstr (error->code_name, ==, "tea-pot");
}

/* What is absent stays apart from what is empty, unknown fields and null are ignored, order does not matter. */
static void
test_lenient (void)
{
  g_autoptr (RtcMessage) join = parse ("{ \"later\": {\"x\":[]}, \"room\":null, \"version\":1 ,\"type\":\"join\" }\n");
  g_autoptr (RtcMessage) empty = parse ("{\"type\":\"join\",\"room\":\"\",\"tracks\":{}}");
  g_autoptr (RtcMessage) unknown = parse ("{\"type\":\"x-later\",\"peers\":17}");
  g_autoptr (RtcMessage) url = parse ("{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[{\"urls\":\"stun:a\"}]}");
  RtcIceServer *server = g_ptr_array_index (url->ice_servers, 0);

  g_assert_null (join->room);
  g_assert_false (join->has_tracks);
  g_assert_cmpint (join->role, ==, RTC_ROLE_UNSET);
  g_assert_cmpint (join->offers, ==, RTC_OFFERS_ACCEPT);
  g_assert_cmpstr (empty->room, ==, "");
  g_assert_true (empty->has_tracks);
  g_assert_cmpint (unknown->type, ==, RTC_MESSAGE_UNKNOWN);
  g_assert_cmpstr (unknown->type_name, ==, "x-later");
  g_assert_cmpstr (server->urls[0], ==, "stun:a");
}

static const struct
{
  const gchar *text;
  const gchar *reason; /* a part of the error's message */
} broken[] = {
    {"", "no JSON object"},
    {"hello", "not JSON"},
    {"null", "no JSON object"},
    {"[]", "no JSON object"},
    {"\"type\"", "no JSON object"},
    {"{", "not JSON"},
    {"}", "without its beginning"},
    {"{\"type\":\"ping\"}}", "without its beginning"},
    {"{\"type\":\"ping\",}", "not JSON"},
    {"{\"type\":\"ping\"", "not JSON"},
    {"{\"type\":\"ping", "has no end"},
    {"{'type':'ping'}", "unexpected character"},
    {"{\"type\":\"ping\"/**/}", "unexpected character"},
    {"var x = {\"type\":\"ping\"}", "unexpected character"},
    {"{\"type\":\"pi\nng\"}", "control character 0x0a"},
    {"{\"type\":\"pi\\xng\"}", "unknown escape"},
    {"{\"type\":\"pi\\u0000ng\"}", "without NUL"},
    {"{\"type\":\"join\",\"meta\":{\"a\":1234567890123456789}}", "more than 18 digits"},
    {"{}", "\"type\" is missing"},
    {"{\"type\":\"join\",\"version\":1,\"features\":\"x\"}", "\"features\" is a string, expected an array"},
    {"{\"type\":\"join\",\"version\":1,\"features\":[\"a b\"]}", "expected identifiers"},
    {"{\"type\":\"join\",\"version\":1,\"features\":[1]}", "has an integer among its entries"},
    {"{\"type\":\"join\",\"version\":1,\"features\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", "at most 16"},
    {"{\"type\":null}", "\"type\" is missing"},
    {"{\"type\":1}", "\"type\" is an integer, expected a string"},
    {"{\"type\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}", "\"type\" is 65 bytes"},
    {"{\"type\":\"join\",\"version\":\"1\"}", "\"version\" is a string, expected an integer"},
    {"{\"type\":\"join\",\"version\":-1}", "\"version\" is -1"},
    {"{\"type\":\"join\",\"version\":1.5}", "\"version\" is a number with a fraction"},
    {"{\"type\":\"join\",\"room\":{}}", "\"room\" is an object"},
    {"{\"type\":\"join\",\"room\":\"a\\u0007b\"}", "control character U+0007"},
    {"{\"type\":\"join\",\"room\":\"a\\u0085b\"}", "control character U+0085"},
    {"{\"type\":\"join\",\"meta\":[]}", "\"meta\" is an array, expected an object"},
    {"{\"type\":\"join\",\"meta\":{\"a\":1e999}}", "not finite"},
    {"{\"type\":\"join\",\"meta\":{\"a\":[[[[[1]]]]]}}", "nested more than 5"},
    {"{\"type\":\"join\",\"role\":\"boss\"}", "expected send, receive or both"},
    {"{\"type\":\"join\",\"role\":true}", "\"role\" is a boolean"},
    {"{\"type\":\"join\",\"offers\":\"never\"}", "expected prefer, accept or avoid"},
    {"{\"type\":\"join\",\"tracks\":2}", "\"tracks\" is an integer"},
    {"{\"type\":\"join\",\"tracks\":{\"video\":33}}", "\"tracks.video\" is 33, expected an integer from 0 to 32"},
    {"{\"type\":\"join\",\"tracks\":{\"audio\":\"1\"}}", "\"tracks.audio\" is a string"},
    {"{\"type\":\"join\",\"token\":17}", "\"token\" is an integer"},
    {"{\"type\":\"update\",\"meta\":\"x\"}", "\"meta\" is a string"},
    {"{\"type\":\"resume\",\"version\":1,\"resume\":\"r\"}", "\"peerId\" is missing"},
    {"{\"type\":\"resume\",\"version\":1,\"peerId\":\"p\"}", "\"resume\" is missing"},
    {"{\"type\":\"resume\",\"peerId\":\"p q\",\"resume\":\"r\"}", "\"peerId\" is no identifier"},
    {"{\"type\":\"welcome\"}", "\"peerId\" is missing"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"resumed\":1}", "\"resumed\" is an integer, expected true or false"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"pingTimeout\":-1}", "\"pingTimeout\" is -1"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":{}}", "\"iceServers\" is an object, expected an array"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[3]}", "\"iceServers\" has an integer among its entries"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[{}]}", "\"iceServers.urls\" is missing"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[{\"urls\":[1]}]}", "has an integer among"},
    {"{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[{\"urls\":[],\"username\":[]}]}",
        "username\" is an array"},
    {"{\"type\":\"peers\"}", "\"peers\" is missing"},
    {"{\"type\":\"peers\",\"peers\":{}}", "\"peers\" is an object"},
    {"{\"type\":\"peers\",\"peers\":[{}]}", "\"peers.peerId\" is missing"},
    {"{\"type\":\"peers\",\"peers\":[{\"peerId\":\"p\",\"offerer\":\"\"}]}", "\"peers.offerer\" is no identifier"},
    {"{\"type\":\"joined\"}", "\"peer\" is missing"},
    {"{\"type\":\"joined\",\"peer\":\"p\"}", "\"peer\" is a string"},
    {"{\"type\":\"joined\",\"peer\":{\"peerId\":\"p\",\"tracks\":{\"video\":99}}}", "\"tracks.video\" is 99"},
    {"{\"type\":\"left\"}", "\"peerId\" is missing"},
    {"{\"type\":\"offer\",\"to\":\"p\",\"sdp\":\"\"}", "\"session\" is missing"},
    {"{\"type\":\"offer\",\"to\":\"p\",\"session\":\"s\"}", "\"sdp\" is missing"},
    {"{\"type\":\"offer\",\"to\":\"p\",\"session\":\"s\",\"sdp\":[]}", "\"sdp\" is an array"},
    {"{\"type\":\"offer\",\"to\":7,\"session\":\"s\",\"sdp\":\"\"}", "\"to\" is an integer"},
    {"{\"type\":\"answer\",\"from\":\"\",\"session\":\"s\",\"sdp\":\"\"}", "\"from\" is no identifier"},
    {"{\"type\":\"candidate\",\"session\":\"s\"}", "\"candidate\" is missing"},
    {"{\"type\":\"candidate\",\"session\":\"s\",\"candidate\":\"\",\"sdpMLineIndex\":65536}",
        "\"sdpMLineIndex\" is 65536"},
    {"{\"type\":\"candidate\",\"session\":\"s\",\"candidate\":\"\",\"sdpMid\":0}", "\"sdpMid\" is an integer"},
    {"{\"type\":\"end-of-candidates\"}", "\"session\" is missing"},
    {"{\"type\":\"error\",\"reason\":\"x\"}", "\"code\" is missing"},
    {"{\"type\":\"bye\",\"session\":\"a b\"}", "\"session\" is no identifier"},
    {"{\"type\":\"bye\",\"reason\":\"\\ud800\"}", "surrogate pair"},
};

static void
assert_refused (const gchar *text, gssize length, const gchar *reason)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RtcMessage) message = rtc_message_from_json (text, length, &error);

  if (message)
    g_error ("not refused: %s", text);
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
  if (!strstr (error->message, reason))
    g_error ("%s: the reason is \"%s\", expected \"%s\" in it", text, error->message, reason);
}

static void
test_broken (void)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (broken); i++)
    assert_refused (broken[i].text, -1, broken[i].reason);
  assert_refused ("{\"type\":\"join\",\"room\":\"\xff\xfe\"}", -1, "not UTF-8");
  assert_refused ("{\"type\":\"pi\0ng\"}", 16, "not UTF-8");
}

/* One byte more than the bound is refused, the bound itself is not. */
static void
test_bounds (void)
{
  static const struct
  {
    const gchar *before, *field;
    gsize max;
  } bounds[] = {
      {"\"type\":\"join\"", "room", RTC_MAX_ROOM},
      {"\"type\":\"join\"", "displayName", RTC_MAX_DISPLAY_NAME},
      {"\"type\":\"offer\",\"session\":\"s\"", "sdp", RTC_MAX_SDP},
      {"\"type\":\"candidate\",\"session\":\"s\"", "candidate", RTC_MAX_CANDIDATE},
      {"\"type\":\"bye\"", "reason", RTC_MAX_REASON},
      {"\"type\":\"bye\"", "session", RTC_MAX_ID},
      {"\"type\":\"bye\"", "to", RTC_MAX_ID},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (bounds); i++) {
    g_autofree gchar *filling = g_strnfill (bounds[i].max + 1, 'x');
    g_autofree gchar *more = g_strdup_printf ("{%s,\"%s\":\"%s\"}", bounds[i].before, bounds[i].field, filling);
    g_autofree gchar *just = g_strdup_printf ("{%s,\"%s\":\"%s\"}", bounds[i].before, bounds[i].field, filling + 1);
    g_autoptr (RtcMessage) message = parse (just);

    assert_refused (more, -1, bounds[i].field);
  }
}

static gchar *
nest (guint depth)
{
  GString *text = g_string_new ("{\"type\":\"ping\",\"x\":");
  guint i;

  for (i = 1; i < depth; i++)
    g_string_append_c (text, '[');
  for (i = 1; i < depth; i++)
    g_string_append_c (text, ']');
  g_string_append_c (text, '}');
  return g_string_free (text, FALSE);
}

static void
test_frame (void)
{
  g_autofree gchar *spaces = g_strnfill (RTC_MAX_FRAME - strlen ("{\"type\":\"ping\"}"), ' ');
  g_autofree gchar *just = g_strconcat ("{\"type\":\"ping\"}", spaces, NULL);
  g_autofree gchar *more = g_strconcat (just, " ", NULL);
  g_autofree gchar *brackets = g_strnfill (RTC_MAX_FRAME, '[');
  g_autofree gchar *deep = nest (RTC_MAX_DEPTH);
  g_autofree gchar *deeper = nest (RTC_MAX_DEPTH + 1);
  g_autofree gchar *unterminated = g_memdup2 ("{\"type\":\"ping\"}", 15);
  g_autoptr (RtcMessage) a = parse (just);
  g_autoptr (RtcMessage) b = parse (deep);
  g_autoptr (RtcMessage) c = rtc_message_from_json (unterminated, 15, NULL);

  g_assert_nonnull (c);
  assert_refused (more, -1, "65537 bytes long, at most 65536");
  assert_refused (deeper, -1, "nested more than 8");
  assert_refused (brackets, -1, "nested more than 8");
}

static void
test_lists (void)
{
  g_autoptr (GString) peers = g_string_new ("{\"type\":\"peers\",\"peers\":[{\"peerId\":\"p\"}");
  g_autoptr (GString) servers =
      g_string_new ("{\"type\":\"welcome\",\"peerId\":\"p\",\"iceServers\":[{\"urls\":[\"stun:a\"]}");
  guint i;

  for (i = 1; i < RTC_MAX_PEERS; i++)
    g_string_append (peers, ",{\"peerId\":\"p\"}");
  for (i = 1; i < RTC_MAX_ICE_SERVERS; i++)
    g_string_append (servers, ",{\"urls\":[\"stun:a\"]}");
  for (i = 0; i < 2; i++) {
    g_autofree gchar *p = g_strconcat (peers->str, i ? ",{\"peerId\":\"p\"}" : "", "]}", NULL);
    g_autofree gchar *s = g_strconcat (servers->str, i ? ",{\"urls\":[\"stun:a\"]}" : "", "]}", NULL);

    if (i) {
      assert_refused (p, -1, "at most 1024");
      assert_refused (s, -1, "at most 16");
    } else {
      g_autoptr (RtcMessage) a = parse (p);
      g_autoptr (RtcMessage) b = parse (s);

      g_assert_cmpuint (a->peers->len, ==, RTC_MAX_PEERS);
      g_assert_cmpuint (b->ice_servers->len, ==, RTC_MAX_ICE_SERVERS);
    }
  }
}

static void
test_meta (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *filling = g_strnfill (RTC_MAX_META, 'x');
  g_autofree gchar *just = g_strdup_printf ("{\"a\":\"%s\"}", filling + 8);
  g_autofree gchar *more = g_strdup_printf ("{\"a\":\"%s\"}", filling + 7);
  g_autofree gchar *a = rtc_json_normalize_meta (" { \"a\" : 0.1 , \"b\" : [ 1e30 , -0.0 , -0 ] } ", &error);
  g_autofree gchar *b = rtc_json_normalize_meta (just, &error);
  g_autofree gchar *c = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (a, ==, "{\"a\":0.10000000000000001,\"b\":[1e+30,-0.0,0]}");
  g_assert_cmpstr (b, ==, just);
  c = rtc_json_normalize_meta (more, &error);
  g_assert_null (c);
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
}

static void
test_names (void)
{
  guint i;

  for (i = RTC_MESSAGE_JOIN; i <= RTC_MESSAGE_PONG; i++)
    g_assert_cmpint (rtc_message_type_from_string (rtc_message_type_to_string (i)), ==, i);
  g_assert_cmpint (rtc_message_type_from_string ("unknown"), ==, RTC_MESSAGE_UNKNOWN);
  g_assert_cmpint (rtc_message_type_from_string ("Join"), ==, RTC_MESSAGE_UNKNOWN);
  for (i = 0; i < RTC_ERROR_OTHER; i++)
    g_assert_cmpint (rtc_error_code_from_string (rtc_error_code_to_string (i)), ==, i);
  g_assert_cmpint (rtc_error_code_from_string ("other"), ==, RTC_ERROR_OTHER);
  for (i = RTC_ROLE_SEND; i <= RTC_ROLE_BOTH; i++)
    g_assert_cmpint (rtc_role_from_string (rtc_role_to_string (i)), ==, i);
  g_assert_cmpint (rtc_role_from_string (NULL), ==, RTC_ROLE_UNSET);
}

static void
test_ids (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree gchar *longest = g_strnfill (RTC_MAX_ID, 'a');
  g_autofree gchar *longer = g_strnfill (RTC_MAX_ID + 1, 'a');
  guint i;

  for (i = 0; i < 1000; i++) {
    gchar *id = rtc_id_new ("p-");

    g_assert_true (rtc_id_is_valid (id));
    g_assert_true (g_str_has_prefix (id, "p-"));
    g_assert_cmpuint (strlen (id), ==, 2 + 32);
    g_assert_true (g_hash_table_add (seen, id));
  }
  g_assert_true (rtc_id_is_valid ("aZ09._-"));
  g_assert_true (rtc_id_is_valid (longest));
  g_assert_false (rtc_id_is_valid (longer));
  g_assert_false (rtc_id_is_valid (""));
  g_assert_false (rtc_id_is_valid (NULL));
  g_assert_false (rtc_id_is_valid ("a b"));
  g_assert_false (rtc_id_is_valid ("ä"));
}

/* A reason that is too long is cut between characters. */
static void
test_error (void)
{
  g_autoptr (GString) reason = g_string_new ("x");
  g_autoptr (RtcMessage) error = NULL;
  g_autoptr (RtcMessage) again = NULL;
  g_autofree gchar *text = NULL;

  while (reason->len < 2 * RTC_MAX_REASON)
    g_string_append (reason, "ä");
  error = rtc_message_new_error (RTC_ERROR_OVERFLOW, reason->str, "p", NULL);
  g_assert_cmpuint (strlen (error->reason), ==, RTC_MAX_REASON - 1);
  text = rtc_message_to_json (error);
  again = parse (text);
  g_assert_cmpint (again->code, ==, RTC_ERROR_OVERFLOW);
  g_assert_cmpstr (again->reason, ==, error->reason);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/message/golden", test_golden);
  g_test_add_func ("/message/fields", test_fields);
  g_test_add_func ("/message/lenient", test_lenient);
  g_test_add_func ("/message/broken", test_broken);
  g_test_add_func ("/message/bounds", test_bounds);
  g_test_add_func ("/message/frame", test_frame);
  g_test_add_func ("/message/lists", test_lists);
  g_test_add_func ("/message/meta", test_meta);
  g_test_add_func ("/message/names", test_names);
  g_test_add_func ("/message/ids", test_ids);
  g_test_add_func ("/message/error", test_error);
  return g_test_run ();
}
