/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcroomfixture.h"

static RtcMessage *
resume (Fixture *f, guint connection, RtcMessage *welcome)
{
  open_connection (f, connection);
  say (f, connection, "{\"type\":\"resume\",\"version\":1,\"peerId\":\"%s\",\"resume\":\"%s\"}", welcome->peer_id,
      welcome->resume);
  return expect (f, connection, RTC_MESSAGE_WELCOME);
}

static void
test_resume (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, again = NULL, peers = NULL, candidate = NULL;
  guint i;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  b = join (&f, 2, "");
  forget (&f, 1);
  rtc_rooms_disconnect (f.rooms, 1, 1006, f.now);
  collect (&f);
  expect_nothing (&f, 2);
  for (i = 0; i < 3; i++)
    say (&f, 2, "{\"type\":\"candidate\",\"to\":\"%s\",\"session\":\"s\",\"candidate\":\"c%u\"}", a->peer_id, i);
  expect_nothing (&f, 2);
  tick (&f, 9999);
  say (&f, 2, "{\"type\":\"ping\"}");
  forget (&f, 2);

  again = resume (&f, 3, a);
  g_assert_true (again->resumed);
  g_assert_cmpstr (again->peer_id, ==, a->peer_id);
  g_assert_cmpstr (again->resume, !=, a->resume);
  peers = expect (&f, 3, RTC_MESSAGE_PEERS);
  g_assert_cmpuint (peers->peers->len, ==, 1);
  for (i = 0; i < 3; i++) {
    g_autofree gchar *expected = g_strdup_printf ("c%u", i);

    candidate = expect (&f, 3, RTC_MESSAGE_CANDIDATE);
    g_assert_cmpstr (candidate->candidate, ==, expected);
    g_clear_pointer (&candidate, rtc_message_free);
  }
  expect_nothing (&f, 2);
  tick (&f, 1);
  expect_nothing (&f, 2);
}

static void
test_resume_too_late (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, left = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  b = join (&f, 2, "");
  rtc_rooms_disconnect (f.rooms, 1, 0, f.now);
  tick (&f, 9000);
  say (&f, 2, "{\"type\":\"ping\"}");
  forget (&f, 2);
  tick (&f, 1000);
  left = expect (&f, 2, RTC_MESSAGE_LEFT);
  g_assert_cmpstr (left->peer_id, ==, a->peer_id);
  g_assert_cmpstr (left->reason, ==, "timeout");

  open_connection (&f, 3);
  say (&f, 3, "{\"type\":\"resume\",\"version\":1,\"peerId\":\"%s\",\"resume\":\"%s\"}", a->peer_id, a->resume);
  expect_error (&f, 3, RTC_ERROR_RESUME_FAILED, "resume");
  say (&f, 3, "{\"type\":\"join\",\"version\":1}");
  rtc_message_free (expect (&f, 3, RTC_MESSAGE_WELCOME));
}

/* A half-open connection: the client is back before the server notices that it was gone. */
static void
test_resume_replaces (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, second = NULL, third = NULL;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  second = resume (&f, 2, a);
  expect_error (&f, 1, RTC_ERROR_REPLACED, NULL);
  expect_close (&f, 1, RTC_CLOSE_ERROR, "replaced");
  rtc_rooms_disconnect (f.rooms, 1, 4000, f.now);
  g_assert_cmpuint (rtc_rooms_count_peers (f.rooms), ==, 1);

  /* The second welcome was lost: the first token is still good, until the new connection was heard. */
  third = resume (&f, 3, a);
  say (&f, 3, "{\"type\":\"ping\"}");
  open_connection (&f, 4);
  say (&f, 4, "{\"type\":\"resume\",\"version\":1,\"peerId\":\"%s\",\"resume\":\"%s\"}", a->peer_id, a->resume);
  expect_error (&f, 4, RTC_ERROR_RESUME_FAILED, "resume");
  /* Another's id with one's own token is no way in. */
  say (&f, 4, "{\"type\":\"resume\",\"version\":1,\"peerId\":\"%s\",\"resume\":\"r-00\"}", a->peer_id);
  expect_error (&f, 4, RTC_ERROR_RESUME_FAILED, "resume");
}

static void
test_kept_is_bounded (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) a = NULL, b = NULL, left = NULL;
  guint i;

  fixture_init (&f, NULL);
  a = join (&f, 1, "");
  b = join (&f, 2, "");
  rtc_rooms_disconnect (f.rooms, 1, 0, f.now);
  for (i = 0; i < RTC_MAX_WAITING_MESSAGES; i++)
    say (&f, 2, "{\"type\":\"candidate\",\"to\":\"%s\",\"session\":\"s\",\"candidate\":\"c\"}", a->peer_id);
  expect_nothing (&f, 2);
  say (&f, 2, "{\"type\":\"candidate\",\"to\":\"%s\",\"session\":\"s\",\"candidate\":\"c\"}", a->peer_id);
  left = expect (&f, 2, RTC_MESSAGE_LEFT);
  g_assert_cmpstr (left->reason, ==, "removed");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/room/resume", test_resume);
  g_test_add_func ("/room/resume-too-late", test_resume_too_late);
  g_test_add_func ("/room/resume-replaces", test_resume_replaces);
  g_test_add_func ("/room/kept-is-bounded", test_kept_is_bounded);
  return g_test_run ();
}
