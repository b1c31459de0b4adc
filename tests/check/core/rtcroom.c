/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcroomfixture.h"

static void
test_join (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, peers = NULL, joined = NULL;
  RtcPeerInfo *info;

  fixture_init (&f, NULL);
  a = join (&f, 1, ",\"displayName\":\"A\",\"meta\":{\"x\":1},\"tracks\":{\"video\":1,\"audio\":2}");
  g_assert_cmpuint (a->version, ==, 1);
  g_assert_cmpstr (a->room, ==, "");
  g_assert_false (a->resumed);
  g_assert_true (rtc_id_is_valid (a->peer_id) && rtc_id_is_valid (a->resume));
  g_assert_cmpuint (a->resume_timeout, ==, 10000);
  g_assert_cmpuint (a->ping_interval, ==, 5000);
  g_assert_cmpuint (a->ping_timeout, ==, 10000);

  open_connection (&f, 2);
  say (&f, 2,
      "{\"type\":\"join\",\"version\":1,\"role\":\"receive\",\"offers\":\"prefer\",\"restart\":true,"
      "\"features\":[\"rtclink.1\",\"x\"]}");
  b = expect (&f, 2, RTC_MESSAGE_WELCOME);
  g_assert_cmpstr (b->peer_id, !=, a->peer_id);
  peers = expect (&f, 2, RTC_MESSAGE_PEERS);
  g_assert_cmpuint (peers->peers->len, ==, 1);
  info = g_ptr_array_index (peers->peers, 0);
  g_assert_cmpstr (info->id, ==, a->peer_id);
  g_assert_cmpstr (info->display_name, ==, "A");
  g_assert_cmpstr (info->meta, ==, "{\"x\":1}");
  g_assert_cmpint (info->role, ==, RTC_ROLE_BOTH);
  g_assert_false (info->restart);
  g_assert_null (info->features);
  g_assert_cmpuint (info->n_video, ==, 1);
  g_assert_cmpuint (info->n_audio, ==, 2);
  g_assert_cmpstr (info->offerer, ==, b->peer_id);

  joined = expect (&f, 1, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (joined->peers, 0);
  g_assert_cmpstr (info->id, ==, b->peer_id);
  g_assert_cmpint (info->role, ==, RTC_ROLE_RECEIVE);
  g_assert_true (info->restart);
  g_assert_cmpstr (info->features[1], ==, "x");
  g_assert_cmpstr (info->offerer, ==, b->peer_id);
  expect_nothing (&f, 1);
  expect_nothing (&f, 2);
}

/* The rules of the protocol's section "Who offers", as a table. */
static void
test_offerer (void)
{
  enum
  {
    NOBODY,
    A,
    B
  };
  static const struct
  {
    RtcRole role_a;
    RtcOffers offers_a;
    RtcRole role_b;
    RtcOffers offers_b;
    gint expected; /* B joined later */
  } cases[] = {
      {RTC_ROLE_SEND, RTC_OFFERS_PREFER, RTC_ROLE_SEND, RTC_OFFERS_ACCEPT, NOBODY},
      {RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, NOBODY},
      {RTC_ROLE_SEND, RTC_OFFERS_ACCEPT, RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, A},
      {RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, RTC_ROLE_SEND, RTC_OFFERS_ACCEPT, B},
      {RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, RTC_ROLE_BOTH, RTC_OFFERS_ACCEPT, B},
      {RTC_ROLE_BOTH, RTC_OFFERS_ACCEPT, RTC_ROLE_BOTH, RTC_OFFERS_ACCEPT, B},
      {RTC_ROLE_SEND, RTC_OFFERS_ACCEPT, RTC_ROLE_BOTH, RTC_OFFERS_ACCEPT, B},
      {RTC_ROLE_SEND, RTC_OFFERS_ACCEPT, RTC_ROLE_RECEIVE, RTC_OFFERS_PREFER, B},
      {RTC_ROLE_SEND, RTC_OFFERS_AVOID, RTC_ROLE_RECEIVE, RTC_OFFERS_ACCEPT, B},
      {RTC_ROLE_BOTH, RTC_OFFERS_PREFER, RTC_ROLE_BOTH, RTC_OFFERS_ACCEPT, A},
      {RTC_ROLE_BOTH, RTC_OFFERS_PREFER, RTC_ROLE_BOTH, RTC_OFFERS_PREFER, B},
      {RTC_ROLE_BOTH, RTC_OFFERS_AVOID, RTC_ROLE_RECEIVE, RTC_OFFERS_AVOID, A},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    gboolean b_offers = FALSE, mirrored = FALSE;
    gboolean talk = rtc_rooms_choose_offerer (
        cases[i].role_a, cases[i].offers_a, cases[i].role_b, cases[i].offers_b, TRUE, &b_offers);

    g_test_message ("case %u", i);
    g_assert_cmpint (talk ? (b_offers ? B : A) : NOBODY, ==, cases[i].expected);
    /* Both sides are told the same. */
    g_assert_cmpint (rtc_rooms_choose_offerer (
                         cases[i].role_b, cases[i].offers_b, cases[i].role_a, cases[i].offers_a, FALSE, &mirrored),
        ==, talk);
    if (talk)
      g_assert_cmpint (mirrored, ==, !b_offers);
  }
}

static void
test_routing (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, offer = NULL, error = NULL, bye = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  b = join (&f, 2, "");
  forget (&f, 1);

  say (&f, 2, "{\"type\":\"offer\",\"to\":\"%s\",\"from\":\"p-forged\",\"session\":\"s\",\"sdp\":\"v=0\"}", a->peer_id);
  offer = expect (&f, 1, RTC_MESSAGE_OFFER);
  g_assert_cmpstr (offer->from, ==, b->peer_id);
  g_assert_null (offer->to);
  g_assert_cmpstr (offer->session, ==, "s");
  g_assert_cmpstr (offer->sdp, ==, "v=0");
  expect_nothing (&f, 2);

  say (&f, 1, "{\"type\":\"offer\",\"to\":\"%s\",\"session\":\"s\",\"sdp\":\"v=0\"}", b->peer_id);
  expect_error (&f, 1, RTC_ERROR_NOT_OFFERER, "offer");
  expect_nothing (&f, 2);

  say (&f, 1, "{\"type\":\"candidate\",\"to\":\"p-nobody\",\"session\":\"s\",\"candidate\":\"\"}");
  error = expect (&f, 1, RTC_MESSAGE_ERROR);
  g_assert_cmpint (error->code, ==, RTC_ERROR_UNKNOWN_PEER);
  g_assert_cmpstr (error->session, ==, "s");
  say (&f, 1, "{\"type\":\"candidate\",\"to\":\"%s\",\"session\":\"s\",\"candidate\":\"\"}", a->peer_id);
  expect_error (&f, 1, RTC_ERROR_UNKNOWN_PEER, "candidate");
  say (&f, 1, "{\"type\":\"answer\",\"session\":\"s\",\"sdp\":\"\"}");
  expect_error (&f, 1, RTC_ERROR_BAD_MESSAGE, "answer");
  say (&f, 1, "{\"type\":\"welcome\",\"peerId\":\"x\"}");
  expect_error (&f, 1, RTC_ERROR_BAD_MESSAGE, "welcome");

  say (&f, 1, "{\"type\":\"bye\",\"to\":\"%s\",\"session\":\"s\"}", b->peer_id);
  bye = expect (&f, 2, RTC_MESSAGE_BYE);
  g_assert_cmpstr (bye->from, ==, a->peer_id);
  g_assert_cmpuint (rtc_rooms_count_peers (f.rooms), ==, 2);
  say (&f, 1, "{\"type\":\"ping\"}");
  rtc_message_free (expect (&f, 1, RTC_MESSAGE_PONG));
}

/* Nothing of one room reaches another, not even with the right id. */
static void
test_rooms_isolate (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, ",\"room\":\"x\"");
  b = join (&f, 2, ",\"room\":\"y\"");
  g_assert_cmpuint (rtc_rooms_count_rooms (f.rooms), ==, 2);
  expect_nothing (&f, 1);
  say (&f, 2, "{\"type\":\"offer\",\"to\":\"%s\",\"session\":\"s\",\"sdp\":\"v=0\"}", a->peer_id);
  expect_error (&f, 2, RTC_ERROR_UNKNOWN_PEER, "offer");
  say (&f, 2, "{\"type\":\"bye\"}");
  expect_close (&f, 2, RTC_CLOSE_NORMAL, "bye");
  expect_nothing (&f, 1);
  g_assert_cmpuint (rtc_rooms_count_rooms (f.rooms), ==, 1);
}

static void
test_path_room (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, c = NULL;

  fixture_init (&f, NULL);
  rtc_rooms_connect (f.rooms, 1, "studio", FALSE, 0);
  say (&f, 1, "{\"type\":\"join\",\"version\":1}");
  a = expect (&f, 1, RTC_MESSAGE_WELCOME);
  g_assert_cmpstr (a->room, ==, "studio");
  rtc_rooms_connect (f.rooms, 2, "studio", FALSE, 0);
  say (&f, 2, "{\"type\":\"join\",\"version\":1,\"room\":\"\"}");
  b = expect (&f, 2, RTC_MESSAGE_WELCOME);
  g_assert_cmpstr (b->room, ==, "");
  rtc_rooms_connect (f.rooms, 3, "\xff\xfe", FALSE, 0);
  say (&f, 3, "{\"type\":\"join\",\"version\":1}");
  c = expect (&f, 3, RTC_MESSAGE_WELCOME);
  g_assert_cmpstr (c->room, ==, "");
}

static void
test_refusals (void)
{
  RtcRoomsConfig config = RTC_ROOMS_CONFIG_DEFAULT;
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) ok = NULL, local = NULL;
  guint i;

  config.token = "s3cret";
  fixture_init (&f, &config);
  open_connection (&f, 1);
  say (&f, 1, "{\"type\":\"join\",\"version\":1}");
  expect_error (&f, 1, RTC_ERROR_UNAUTHORIZED, "join");
  expect_close (&f, 1, RTC_CLOSE_ERROR, "unauthorized");
  say (&f, 1, "{\"type\":\"join\",\"version\":1,\"token\":\"s3cret\"}");
  expect_nothing (&f, 1);

  open_connection (&f, 2);
  say (&f, 2, "{\"type\":\"resume\",\"version\":1,\"peerId\":\"p\",\"resume\":\"r\",\"token\":\"s3cre\"}");
  expect_error (&f, 2, RTC_ERROR_UNAUTHORIZED, "resume");
  expect_close (&f, 2, RTC_CLOSE_ERROR, "unauthorized");

  open_connection (&f, 3);
  say (&f, 3, "{\"type\":\"join\",\"version\":2,\"token\":\"s3cret\"}");
  expect_error (&f, 3, RTC_ERROR_UNSUPPORTED_VERSION, "join");
  expect_close (&f, 3, RTC_CLOSE_ERROR, "unsupported-version");
  open_connection (&f, 4);
  say (&f, 4, "{\"type\":\"join\",\"token\":\"s3cret\"}");
  expect_error (&f, 4, RTC_ERROR_UNSUPPORTED_VERSION, "join");

  open_connection (&f, 5);
  say (&f, 5, "{\"type\":\"offer\",\"to\":\"p\",\"session\":\"s\",\"sdp\":\"\"}");
  expect_error (&f, 5, RTC_ERROR_NOT_JOINED, "offer");
  say (&f, 5, "{\"type\":\"x-later\"}");
  expect_error (&f, 5, RTC_ERROR_UNKNOWN_TYPE, "x-later");
  say (&f, 5, "{\"type\":\"join\",\"version\":1,\"token\":\"s3cret\"}");
  ok = expect (&f, 5, RTC_MESSAGE_WELCOME);
  forget (&f, 5);
  say (&f, 5, "{\"type\":\"join\",\"version\":1,\"token\":\"s3cret\"}");
  expect_error (&f, 5, RTC_ERROR_ALREADY_JOINED, "join");

  /* Sixteen in a row, not sixteen in all. */
  for (i = 0; i < 15; i++) {
    say (&f, 5, "garbage");
    expect_error (&f, 5, RTC_ERROR_BAD_MESSAGE, NULL);
  }
  say (&f, 5, "{\"type\":\"ping\"}");
  forget (&f, 5);
  for (i = 0; i < 16; i++) {
    rtc_rooms_refuse (f.rooms, 5, "a binary frame", f.now);
    collect (&f);
    expect_error (&f, 5, RTC_ERROR_BAD_MESSAGE, NULL);
  }
  expect_close (&f, 5, RTC_CLOSE_ERROR, "bad-message");

  rtc_rooms_connect (f.rooms, 6, "", TRUE, f.now);
  say (&f, 6, "{\"type\":\"join\",\"version\":1}");
  local = expect (&f, 6, RTC_MESSAGE_WELCOME);
}

static void
test_limits (void)
{
  RtcRoomsConfig config = RTC_ROOMS_CONFIG_DEFAULT;
  g_auto (Fixture) f;
  guint i;

  config.max_room_peers = 2;
  config.max_rooms = 2;
  config.max_connections = 6;
  fixture_init (&f, &config);
  for (i = 1; i <= 2; i++)
    rtc_message_free (join (&f, i, ",\"room\":\"x\""));
  open_connection (&f, 3);
  say (&f, 3, "{\"type\":\"join\",\"version\":1,\"room\":\"x\"}");
  expect_error (&f, 3, RTC_ERROR_ROOM_FULL, "join");
  expect_close (&f, 3, RTC_CLOSE_ERROR, "room-full");
  rtc_message_free (join (&f, 4, ",\"room\":\"y\""));
  open_connection (&f, 5);
  say (&f, 5, "{\"type\":\"join\",\"version\":1,\"room\":\"z\"}");
  expect_error (&f, 5, RTC_ERROR_ROOM_FULL, "join");
  expect_close (&f, 5, RTC_CLOSE_ERROR, "room-full");
  for (i = 6; i <= 8; i++)
    open_connection (&f, i);
  collect (&f);
  expect_nothing (&f, 8);
  open_connection (&f, 9);
  collect (&f);
  expect_error (&f, 9, RTC_ERROR_ROOM_FULL, NULL);
  expect_close (&f, 9, RTC_CLOSE_ERROR, "room-full");
}

static void
test_leaving (void)
{
  static const struct
  {
    guint code;
    const gchar *reason;
  } cases[] = {{1000, "closed"}, {1001, "closed"}};
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) watcher = NULL;
  guint i;

  fixture_init (&f, NULL);
  watcher = join (&f, 1, "");
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (RtcMessage) a = join (&f, 2 + i, "");
    g_autoptr (RtcMessage) left = NULL;

    forget (&f, 1);
    rtc_rooms_disconnect (f.rooms, 2 + i, cases[i].code, f.now);
    collect (&f);
    left = expect (&f, 1, RTC_MESSAGE_LEFT);
    g_assert_cmpstr (left->peer_id, ==, a->peer_id);
    g_assert_cmpstr (left->reason, ==, cases[i].reason);
  }
  g_assert_cmpuint (rtc_rooms_count_peers (f.rooms), ==, 1);
}

static void
test_timeouts (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, left = NULL, watcher = NULL;

  fixture_init (&f, NULL);
  g_assert_cmpint (rtc_rooms_get_deadline (f.rooms), ==, G_MAXINT64);
  rtc_rooms_connect (f.rooms, 9, "", TRUE, f.now);
  say (&f, 9, "{\"type\":\"join\",\"version\":1}");
  watcher = expect (&f, 9, RTC_MESSAGE_WELCOME);
  g_assert_cmpint (rtc_rooms_get_deadline (f.rooms), ==, G_MAXINT64);

  open_connection (&f, 1);
  g_assert_cmpint (rtc_rooms_get_deadline (f.rooms), ==, 10000);
  tick (&f, 9999);
  expect_nothing (&f, 1);
  tick (&f, 1);
  expect_error (&f, 1, RTC_ERROR_TIMEOUT, NULL);
  expect_close (&f, 1, RTC_CLOSE_ERROR, "timeout");

  a = join (&f, 2, "");
  forget (&f, 9);
  tick (&f, 9999);
  rtc_rooms_alive (f.rooms, 2, f.now);
  tick (&f, 9999);
  expect_nothing (&f, 2);
  tick (&f, 1);
  expect_error (&f, 2, RTC_ERROR_TIMEOUT, NULL);
  expect_close (&f, 2, RTC_CLOSE_ERROR, "timeout");
  /* Silence is not the end of the peer. */
  expect_nothing (&f, 9);
  tick (&f, 9999);
  expect_nothing (&f, 9);
  tick (&f, 1);
  left = expect (&f, 9, RTC_MESSAGE_LEFT);
  g_assert_cmpint (rtc_rooms_get_deadline (f.rooms), ==, G_MAXINT64);
}

static void
test_update (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, joined = NULL, peers = NULL;
  RtcPeerInfo *info;

  fixture_init (&f, NULL);
  a = join (&f, 1, ",\"displayName\":\"A\",\"role\":\"receive\"");
  b = join (&f, 2, ",\"role\":\"receive\"");
  forget (&f, 1);
  say (&f, 1, "{\"type\":\"update\",\"role\":\"send\",\"tracks\":{\"video\":2}}");
  joined = expect (&f, 2, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (joined->peers, 0);
  g_assert_cmpstr (info->id, ==, a->peer_id);
  g_assert_cmpstr (info->display_name, ==, "A");
  g_assert_cmpint (info->role, ==, RTC_ROLE_SEND);
  g_assert_cmpuint (info->n_video, ==, 2);
  g_assert_cmpstr (info->offerer, ==, a->peer_id);
  peers = expect (&f, 1, RTC_MESSAGE_PEERS);
  info = g_ptr_array_index (peers->peers, 0);
  g_assert_cmpstr (info->offerer, ==, a->peer_id);
}

static void
test_overflow (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, left = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  b = join (&f, 2, "");
  forget (&f, 1);
  rtc_rooms_overflow (f.rooms, 1, f.now);
  collect (&f);
  expect_error (&f, 1, RTC_ERROR_OVERFLOW, NULL);
  expect_close (&f, 1, RTC_CLOSE_ERROR, "overflow");
  left = expect (&f, 2, RTC_MESSAGE_LEFT);
  g_assert_cmpstr (left->reason, ==, "removed");
}

static void
test_ice_servers (void)
{
  g_auto (Fixture) f;
  g_autoptr (GPtrArray) servers = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_ice_server_free);
  g_autoptr (RtcMessage) a = NULL, later = NULL, b = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  g_assert_cmpuint (a->ice_servers->len, ==, 0);
  g_ptr_array_add (servers, rtc_ice_server_new ("stun:192.0.2.1:3478", NULL, NULL));
  rtc_rooms_set_ice_servers (f.rooms, servers);
  collect (&f);
  later = expect (&f, 1, RTC_MESSAGE_WELCOME);
  g_assert_cmpuint (later->ice_servers->len, ==, 1);
  g_assert_cmpstr (later->peer_id, ==, a->peer_id);
  g_assert_cmpstr (later->resume, ==, a->resume);
  b = join (&f, 2, "");
  g_assert_cmpuint (b->ice_servers->len, ==, 1);
}

/* A crowd whose descriptions do not fit into one frame is told all the same; those with a session come first. */
static void
test_large_room (void)
{
  g_auto (Fixture) f;
  g_autofree gchar *filling = g_strnfill (RTC_MAX_META - 8, 'x');
  g_autofree gchar *fields = g_strdup_printf (",\"role\":\"receive\",\"meta\":{\"a\":\"%s\"}", filling);
  g_autoptr (RtcMessage) peers = NULL, sender = NULL;
  RtcPeerInfo *info;
  guint i, n;

  fixture_init (&f, NULL);
  for (i = 1; i <= 40; i++) {
    open_connection (&f, i);
    say (&f, i, "{\"type\":\"join\",\"version\":1%s}", fields);
  }
  sender = join (&f, 41, ",\"role\":\"send\"");
  for (n = 1; n <= 41; n++)
    forget (&f, n);
  open_connection (&f, 42);
  say (&f, 42, "{\"type\":\"join\",\"version\":1,\"role\":\"receive\"}");
  rtc_message_free (expect (&f, 42, RTC_MESSAGE_WELCOME));
  peers = expect (&f, 42, RTC_MESSAGE_PEERS);
  info = g_ptr_array_index (peers->peers, 0);
  g_assert_cmpstr (info->id, ==, sender->peer_id);
  for (n = peers->peers->len; n < 41; n++)
    rtc_message_free (expect (&f, 42, RTC_MESSAGE_JOINED));
  expect_nothing (&f, 42);
}

static void
test_secret (void)
{
  g_assert_true (rtc_secret_equal ("abc", "abc"));
  g_assert_false (rtc_secret_equal ("abc", "abd"));
  g_assert_false (rtc_secret_equal ("abc", "ab"));
  g_assert_false (rtc_secret_equal ("abc", "abcabc"));
  g_assert_false (rtc_secret_equal ("abc", ""));
  g_assert_false (rtc_secret_equal ("", "a"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/room/join", test_join);
  g_test_add_func ("/room/offerer", test_offerer);
  g_test_add_func ("/room/routing", test_routing);
  g_test_add_func ("/room/rooms-isolate", test_rooms_isolate);
  g_test_add_func ("/room/path-room", test_path_room);
  g_test_add_func ("/room/refusals", test_refusals);
  g_test_add_func ("/room/limits", test_limits);
  g_test_add_func ("/room/leaving", test_leaving);
  g_test_add_func ("/room/timeouts", test_timeouts);
  g_test_add_func ("/room/update", test_update);
  g_test_add_func ("/room/overflow", test_overflow);
  g_test_add_func ("/room/ice-servers", test_ice_servers);
  g_test_add_func ("/room/large-room", test_large_room);
  g_test_add_func ("/room/secret", test_secret);
  return g_test_run ();
}
