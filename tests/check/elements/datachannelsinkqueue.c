/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What waits, for how long, and what becomes of it. */

#include "sinkfixture.h"

#define DEADLINE (10 * GST_SECOND)

/* Another thread that pushes, and ends with what pushing returned. */
typedef struct
{
  Fixture *fixture;
  const gchar *text;
  guint count;
  gint pushed; /* atomic */
  gint room; /* of the thread that looks */
  GstFlowReturn flow;
  GThread *thread;
} Pusher;

static gpointer
run_pusher (gpointer data)
{
  Pusher *self = data;

  self->flow = GST_FLOW_OK;
  for (guint i = 0; i < self->count && self->flow == GST_FLOW_OK; i++) {
    self->flow = gst_harness_push (self->fixture->harness, text_buffer (self->text));
    g_atomic_int_inc (&self->pushed);
  }
  return NULL;
}

static void
pusher_start (Pusher *self, Fixture *fixture, const gchar *text, guint count)
{
  *self = (Pusher){fixture, text, count};
  self->thread = g_thread_new ("pusher", run_pusher, self);
}

static gboolean
has_pushed_all_there_is_room_for (gpointer data)
{
  Pusher *self = data;

  return g_atomic_int_get (&self->pushed) >= self->room;
}

/* It pushes ROOM messages, and no more. */
static void
expect_blocked (Pusher *self, gint room)
{
  self->room = room;
  fake_wait (has_pushed_all_there_is_room_for, self, "what there is room for is taken");
  /* Too short a time to see one too many is no failure, so a busy machine makes none. */
  g_usleep (50000);
  fail_unless_equals_int (g_atomic_int_get (&self->pushed), room);
}

GST_START_TEST (test_waits_for_a_peer)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)10, NULL);
  g_autoptr (FakeChannel) a = NULL, b = NULL;
  Pusher pusher;

  pusher_start (&pusher, f, "1234", 5);
  expect_blocked (&pusher, 2);
  fail_unless_equals_uint64 (stat_of (f, "bytes-waiting"), 8);
  fake_hub_add_peer (f->hub, "a");
  g_thread_join (pusher.thread);
  fail_unless_equals_int (pusher.flow, GST_FLOW_OK);
  a = fake_hub_get_channel (f->hub, "a");
  for (guint i = 0; i < 5; i++)
    fake_channel_expect (a, "1234");
  /* The next one begins where it comes. */
  fake_hub_add_peer (f->hub, "b");
  push (f, "new");
  b = fake_hub_get_channel (f->hub, "b");
  fake_channel_expect (b, "new");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_live_waits_for_nobody)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)10, NULL);
  g_autoptr (FakeChannel) channel = NULL;

  gst_harness_set_live (f->harness, TRUE);
  for (guint i = 0; i < 5; i++)
    push (f, "1234");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 5);
  fake_hub_add_peer (f->hub, "a");
  push (f, "now");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_expect (channel, "now");
  fixture_free (f);

  f = fixture_new ("wait-for-peer", 2, NULL);
  push (f, "gone");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 1);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_latest_is_kept_for_who_comes)
{
  Fixture *f = fixture_new ("overflow", 3, NULL);
  g_autoptr (FakeChannel) channel = NULL;

  push (f, "1");
  push (f, "2");
  push (f, "3");
  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_expect (channel, "3");
  fail_unless_equals_int (fake_channel_count (channel), 0);
  fixture_free (f);
}
GST_END_TEST;

static void
drop_sent (FakeChannel *channel)
{
  while (fake_channel_count (channel) > 0)
    fake_message_free (fake_channel_take (channel));
}

GST_START_TEST (test_block)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)8, "max-time", 50, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  Pusher pusher;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_set_stalled (channel, TRUE);
  fill_channel (f);
  /* The only peer is waited for, longer than max-time. */
  pusher_start (&pusher, f, "1234", 3);
  expect_blocked (&pusher, 2);
  expect_blocked (&pusher, 2);
  drop_sent (channel);
  fake_channel_set_stalled (channel, FALSE);
  g_thread_join (pusher.thread);
  for (guint i = 0; i < 3; i++)
    fake_channel_expect (channel, "1234");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 0);
  fixture_free (f);
}
GST_END_TEST;

/* With several, one that takes nothing holds the others up for max-time, once. */
GST_START_TEST (test_block_leaves_the_stalled_behind)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)8, "max-time", 100, NULL);
  g_autoptr (FakeChannel) slow = NULL, fast = NULL;
  g_autofree gchar *said = NULL;

  fake_hub_add_peer (f->hub, "slow");
  fake_hub_add_peer (f->hub, "fast");
  slow = fake_hub_get_channel (f->hub, "slow");
  fast = fake_hub_get_channel (f->hub, "fast");
  fake_channel_set_stalled (slow, TRUE);
  fill_channel (f);
  drop_sent (fast);
  for (guint i = 0; i < 20; i++)
    push (f, "1234");
  for (guint i = 0; i < 20; i++)
    fake_channel_expect (fast, "1234");
  said = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (said, "Peer slow");
  fail_if (gst_bus_pop_filtered (f->bus, GST_MESSAGE_WARNING));
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 18);
  /* It moves again, and gets what comes then. */
  drop_sent (slow);
  fake_channel_set_stalled (slow, FALSE);
  fake_channel_expect (slow, "1234");
  fake_channel_expect (slow, "1234");
  push (f, "next");
  fake_channel_expect (slow, "next");
  fixture_free (f);
}
GST_END_TEST;

static void
check_dropping (gint overflow, const gchar *const *expected)
{
  Fixture *f = fixture_new ("overflow", overflow, "max-bytes", (guint64)3, NULL);
  g_autoptr (FakeChannel) slow = NULL, fast = NULL;

  fake_hub_add_peer (f->hub, "slow");
  fake_hub_add_peer (f->hub, "fast");
  slow = fake_hub_get_channel (f->hub, "slow");
  fast = fake_hub_get_channel (f->hub, "fast");
  fake_channel_set_stalled (slow, TRUE);
  fill_channel (f);
  drop_sent (fast);
  drop_sent (slow);
  for (gchar text[] = "1"; text[0] <= '9'; text[0]++) {
    push (f, text);
    fake_channel_expect (fast, text);
  }
  fail_unless_equals_int (fake_channel_count (slow), 0);
  fake_channel_set_stalled (slow, FALSE);
  for (guint i = 0; expected[i]; i++)
    fake_channel_expect (slow, expected[i]);
  fail_unless_equals_int (fake_channel_count (slow), 0);
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 9 - g_strv_length ((gchar **)expected));
  fixture_free (f);
}

GST_START_TEST (test_drop)
{
  check_dropping (1, (const gchar *const[]){"7", "8", "9", NULL});
  check_dropping (2, (const gchar *const[]){"1", "2", "3", NULL});
  check_dropping (3, (const gchar *const[]){"9", NULL});
}
GST_END_TEST;

GST_START_TEST (test_unlock)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)4, NULL);
  Pusher pusher;

  pusher_start (&pusher, f, "1234", 2);
  expect_blocked (&pusher, 1);
  /* PAUSED does not lose it. */
  fail_unless_equals_int (gst_element_set_state (f->sink, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  fail_unless_equals_int (gst_element_set_state (f->sink, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
  expect_blocked (&pusher, 1);
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 0);
  fail_unless (gst_harness_push_event (f->harness, gst_event_new_flush_start ()));
  g_thread_join (pusher.thread);
  fail_unless_equals_int (pusher.flow, GST_FLOW_FLUSHING);
  fail_unless (gst_harness_push_event (f->harness, gst_event_new_flush_stop (TRUE)));
  fail_unless_equals_uint64 (stat_of (f, "messages-waiting"), 0);
  fixture_free (f);
}
GST_END_TEST;

static gpointer
push_eos (gpointer data)
{
  Fixture *f = data;

  return GINT_TO_POINTER (gst_harness_push_event (f->harness, gst_event_new_eos ()));
}

GST_START_TEST (test_eos_waits)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autoptr (GstMessage) eos = NULL;
  GThread *thread;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  channel->keeps_closing = TRUE;
  fake_channel_set_stalled (channel, TRUE);
  fill_channel (f);
  push (f, "last");
  thread = g_thread_new ("eos", push_eos, f);
  fail_if (gst_bus_timed_pop_filtered (f->bus, 100 * GST_MSECOND, GST_MESSAGE_EOS));
  fake_channel_set_stalled (channel, FALSE);
  /* All is sent, but not all has arrived. */
  fail_if (gst_bus_timed_pop_filtered (f->bus, 100 * GST_MSECOND, GST_MESSAGE_EOS));
  fail_unless_equals_int (gst_rtc_channel_get_state (&channel->parent), GST_RTC_CHANNEL_CLOSING);
  fake_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
  eos = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_EOS | GST_MESSAGE_WARNING);
  fail_unless_equals_int (GST_MESSAGE_TYPE (eos), GST_MESSAGE_EOS);
  g_thread_join (thread);
  fake_message_free (fake_channel_take (channel));
  fake_channel_expect (channel, "last");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_eos_gives_up)
{
  Fixture *f = fixture_new ("drain-timeout", 50, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autofree gchar *said = NULL;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_set_stalled (channel, TRUE);
  fill_channel (f);
  push (f, "12345");
  push (f, "67890");
  fail_unless (gst_harness_push_event (f->harness, gst_event_new_eos ()));
  said = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (said, "2 messages (10 bytes)");
  assert_contains (said, "drain-timeout");
  fixture_free (f);
}
GST_END_TEST;

/* A short file is all in the queue when its EOS comes: it waits for somebody, however long that takes. */
GST_START_TEST (test_eos_waits_for_a_peer)
{
  Fixture *f = fixture_new ("drain-timeout", 10, "close-on-eos", FALSE, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autoptr (GstMessage) eos = NULL;
  GThread *thread;

  push (f, "all of it");
  thread = g_thread_new ("eos", push_eos, f);
  fail_if (gst_bus_timed_pop_filtered (f->bus, 100 * GST_MSECOND, GST_MESSAGE_EOS));
  fake_hub_add_peer (f->hub, "a");
  eos = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_EOS);
  fail_unless (eos);
  g_thread_join (thread);
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_expect (channel, "all of it");
  fail_unless_equals_int (gst_rtc_channel_get_state (&channel->parent), GST_RTC_CHANNEL_OPEN);
  fixture_free (f);
}
GST_END_TEST;

/* What waits for a peer whose connection breaks goes out on the next one. */
GST_START_TEST (test_link_comes_back)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) before = NULL, after = NULL;

  fake_hub_add_peer (f->hub, "a");
  before = fake_hub_get_channel (f->hub, "a");
  fake_channel_set_stalled (before, TRUE);
  fill_channel (f);
  push (f, "1");
  fake_hub_break_peer (f->hub, "a");
  push (f, "2");
  fake_hub_add_peer (f->hub, "a");
  after = fake_hub_get_channel (f->hub, "a");
  fail_if (before == after);
  push (f, "3");
  fake_channel_expect (after, "1");
  fake_channel_expect (after, "2");
  fake_channel_expect (after, "3");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_link_does_not_come_back)
{
  Fixture *f = fixture_new ("max-time", 30, "max-bytes", (guint64)4, "wait-for-peer", 2, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  Pusher pusher;

  fake_hub_add_peer (f->hub, "a");
  fake_hub_break_peer (f->hub, "a");
  pusher_start (&pusher, f, "1234", 3);
  g_thread_join (pusher.thread);
  fail_unless_equals_int (pusher.flow, GST_FLOW_OK);
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 3);
  fixture_free (f);
}
GST_END_TEST;

static gboolean
nothing_waits (gpointer data)
{
  return stat_of (data, "messages-waiting") == 0;
}

/* What waited for it is freed, also when nothing is sent any more. */
GST_START_TEST (test_lost_while_nothing_is_sent)
{
  Fixture *f = fixture_new ("max-time", 50, NULL);
  g_autoptr (FakeChannel) channel = NULL;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_set_stalled (channel, TRUE);
  fill_channel (f);
  push (f, "1");
  fake_hub_break_peer (f->hub, "a");
  fake_wait (nothing_waits, f, "that what waits for a peer is freed, which does not come back");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 1);
  fixture_free (f);
}
GST_END_TEST;

/* Ended with EOS, flushed, and used on. */
GST_START_TEST (test_after_eos)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) before = NULL, after = NULL;
  GstSegment segment;

  fake_hub_add_peer (f->hub, "a");
  before = fake_hub_get_channel (f->hub, "a");
  push (f, "1");
  gst_harness_push_event (f->harness, gst_event_new_eos ());
  fail_unless_equals_int (gst_rtc_channel_get_state (&before->parent), GST_RTC_CHANNEL_CLOSED);
  gst_harness_push_event (f->harness, gst_event_new_flush_start ());
  gst_harness_push_event (f->harness, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_harness_push_event (f->harness, gst_event_new_segment (&segment));
  push (f, "2");
  after = fake_hub_get_channel (f->hub, "a");
  fail_if (before == after);
  fake_channel_expect (after, "2");
  fixture_free (f);
}
GST_END_TEST;

static Suite *
datachannelsinkqueue_suite (void)
{
  Suite *suite = suite_create ("datachannelsinkqueue");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_waits_for_a_peer);
  tcase_add_test (tests, test_live_waits_for_nobody);
  tcase_add_test (tests, test_latest_is_kept_for_who_comes);
  tcase_add_test (tests, test_block);
  tcase_add_test (tests, test_block_leaves_the_stalled_behind);
  tcase_add_test (tests, test_drop);
  tcase_add_test (tests, test_unlock);
  tcase_add_test (tests, test_eos_waits);
  tcase_add_test (tests, test_eos_gives_up);
  tcase_add_test (tests, test_eos_waits_for_a_peer);
  tcase_add_test (tests, test_link_comes_back);
  tcase_add_test (tests, test_link_does_not_come_back);
  tcase_add_test (tests, test_lost_while_nothing_is_sent);
  tcase_add_test (tests, test_after_eos);
  return suite;
}

GST_CHECK_MAIN (datachannelsinkqueue);
