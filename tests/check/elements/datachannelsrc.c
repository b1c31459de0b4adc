/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "srcfixture.h"

#define DEADLINE (10 * GST_SECOND)
#define HOUR (3600 * (gint64)G_USEC_PER_SEC)

GST_START_TEST (test_one_message_is_one_buffer)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (FakeChannel) other = fake_hub_open (f->hub, "a", "y", "");

  fake_channel_send_text (other, "not for us");
  fake_channel_send_text (channel, "one");
  fake_channel_send_text (channel, "");
  fake_channel_send_bytes (channel, "two", 3);
  expect (f, "one");
  expect (f, "");
  expect (f, "two");
  fail_unless_equals_uint64 (stat_of (f, "messages-received"), 3);
  fail_unless_equals_uint64 (stat_of (f, "bytes-received"), 6);
  fail_unless_equals_uint64 (stat_of (f, "buffers"), 3);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_caps)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "chat");
  g_autoptr (GstCaps) klv = gst_caps_from_string ("meta/x-klv,parsed=true");

  fake_channel_send_text (channel, "one");
  expect (f, "one");
  assert_caps (f, "text/x-raw,format=utf8,label=x,protocol=chat");
  fake_channel_send_bytes (channel, "two", 3);
  expect (f, "two");
  assert_caps (f, "application/x-data-channel,kind=binary,label=x,protocol=chat");
  fixture_free (f);

  f = fixture_new ("caps", klv, NULL);
  fake_channel_unref (channel);
  channel = fake_hub_open (f->hub, "a", "x", NULL);
  fake_channel_send_bytes (channel, "k", 1);
  expect (f, "k");
  assert_caps (f, "meta/x-klv,parsed=true,label=x,protocol=(string)\"\"");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_who_sent_it_and_when)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) a = fake_hub_open (f->hub, "a", "x", "p");
  g_autoptr (FakeChannel) b = fake_hub_open (f->hub, "b", "x", "p");
  GstClock *clock = gst_element_get_clock (f->src);
  GstClockTime before = gst_clock_get_time (clock) - gst_element_get_base_time (f->src);
  GstClockTime after;
  GstBuffer *buffer;

  fake_channel_send_text (a, "1");
  fake_channel_send_text (b, "2");
  buffer = pull (f);
  after = gst_clock_get_time (clock) - gst_element_get_base_time (f->src);
  fail_unless_equals_string (gst_structure_get_string (meta_of (buffer), "peer-id"), "a");
  fail_unless_equals_string (gst_structure_get_string (meta_of (buffer), "label"), "x");
  fail_unless_equals_string (gst_structure_get_string (meta_of (buffer), "protocol"), "p");
  /* The arrival is known to the microsecond. */
  fail_unless (GST_BUFFER_PTS (buffer) + GST_USECOND >= before && GST_BUFFER_PTS (buffer) <= after, "%" GST_TIME_FORMAT,
      GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
  gst_buffer_unref (buffer);
  buffer = pull (f);
  fail_unless_equals_string (gst_structure_get_string (meta_of (buffer), "peer-id"), "b");
  gst_buffer_unref (buffer);
  gst_object_unref (clock);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_one_peer)
{
  Fixture *f = fixture_new ("peer-id", "b", NULL);
  g_autoptr (FakeChannel) a = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (FakeChannel) b = fake_hub_open (f->hub, "b", "x", "");

  fake_channel_send_text (a, "from a");
  fake_channel_send_text (b, "from b");
  expect (f, "from b");
  fixture_free (f);
}
GST_END_TEST;

/* It opens a channel only when it is told to. */
GST_START_TEST (test_open)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) none = NULL, opened = NULL, negotiated = NULL;

  fake_hub_add_peer (f->hub, "a");
  none = fake_hub_get_channel (f->hub, "a");
  fail_if (none);
  fixture_free (f);

  f = fixture_new ("open", TRUE, "ordered", FALSE, "max-retransmits", 0, NULL);
  fake_hub_add_peer (f->hub, "a");
  opened = fake_hub_get_channel (f->hub, "a");
  fail_if (opened->parent.init.ordered);
  fail_unless_equals_int (opened->parent.init.max_retransmits, 0);
  fake_channel_send_text (opened, "1");
  expect (f, "1");
  fixture_free (f);

  f = fixture_new ("negotiated", TRUE, "id", 7, NULL);
  fake_hub_add_peer (f->hub, "a");
  negotiated = fake_hub_get_channel (f->hub, "a");
  fail_unless_equals_int (gst_rtc_channel_get_id (&negotiated->parent), 7);
  fixture_free (f);
}
GST_END_TEST;

static gboolean
everything_was_read (gpointer data)
{
  return fake_channel_get_unread (data) == 0;
}

/* A pipeline that is paused reads nothing: the peer waits, and goes on when it is read again. */
GST_START_TEST (test_full)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)1000, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  guint8 data[600] = {0};

  gst_element_set_state (f->src, GST_STATE_PAUSED);
  fake_channel_send_bytes (channel, data, 600);
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 600);
  fake_channel_send_bytes (channel, data, 600);
  fail_unless (fake_channel_get_unread (channel) > 32 * 1024 * 1024);
  /* What was on its way is kept. */
  fake_channel_send_bytes (channel, data, 600);
  fail_unless_equals_uint64 (stat_of (f, "messages-waiting"), 3);
  gst_element_set_state (f->src, GST_STATE_PLAYING);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (pull (f));
  fake_wait (everything_was_read, channel, "the peer may go on");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 0);
  fixture_free (f);
}
GST_END_TEST;

/* A peer that does not wait is not kept for ever. */
GST_START_TEST (test_flood)
{
  Fixture *f = fixture_new ("max-bytes", (guint64)1000, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  g_autofree guint8 *data = g_malloc0 (1024 * 1024);
  g_autoptr (GstMessage) warning = NULL;

  gst_element_set_state (f->src, GST_STATE_PAUSED);
  for (guint i = 0; i < 100; i++)
    fake_channel_send_bytes (channel, data, 1024 * 1024);
  fail_unless (stat_of (f, "bytes-waiting") < 32 * 1024 * 1024);
  fail_unless_equals_uint64 (stat_of (f, "messages-waiting") + stat_of (f, "messages-dropped"), 100);
  warning = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_WARNING);
  fail_unless (warning);
  fail_if (gst_bus_pop_filtered (f->bus, GST_MESSAGE_WARNING));
  fixture_free (f);
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 0);
}
GST_END_TEST;

#define MANY 1000

typedef struct
{
  gint n, last; /* atomic: buffers that came to the pad; the one that is held there */
} Gate;

static GstPadProbeReturn
at_gate (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Gate *gate = user_data;

  return g_atomic_int_add (&gate->n, 1) + 1 < gate->last ? GST_PAD_PROBE_PASS : GST_PAD_PROBE_OK;
}

static gboolean
gate_is_shut (gpointer data)
{
  Gate *gate = data;

  return g_atomic_int_get (&gate->n) >= gate->last;
}

static gulong
add_gate (Fixture *self, GstPad *pad, Gate *gate)
{
  return gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, at_gate, gate, NULL);
}

/* Those that wait are taken several at once: they stay in order, in a pause and beyond it, and each is accounted for.
 */
GST_START_TEST (test_many_short_ones)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (f->src, "src");
  Gate gate = {.last = 10}, second = {.last = MANY / 2};
  gulong probe;

  gst_element_set_state (f->src, GST_STATE_PAUSED);
  for (guint i = 0; i < MANY; i++) {
    g_autofree gchar *text = g_strdup_printf ("%u", i);

    fake_channel_send_text (channel, text);
  }
  probe = add_gate (f, pad, &gate);
  gst_element_set_state (f->src, GST_STATE_PLAYING);
  fake_wait (gate_is_shut, &gate, "the first buffers");
  gst_element_set_state (f->src, GST_STATE_PAUSED);
  add_gate (f, pad, &second);
  gst_pad_remove_probe (pad, probe);
  gst_element_set_state (f->src, GST_STATE_PLAYING);
  for (guint i = 0; i < 10 + MANY / 2 - 2; i++) {
    g_autofree gchar *text = g_strdup_printf ("%u", i);

    expect (f, text);
  }
  fake_wait (gate_is_shut, &second, "half of them");
  gst_element_set_state (f->src, GST_STATE_READY);
  fail_unless_equals_uint64 (stat_of (f, "buffers"), 10 + MANY / 2 - 1);
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), MANY - stat_of (f, "buffers"));
  fixture_free (f);
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 0);
}
GST_END_TEST;

GST_START_TEST (test_latest)
{
  Fixture *f = fixture_new ("overflow", 3, "max-bytes", (guint64)16, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");

  gst_element_set_state (f->src, GST_STATE_PAUSED);
  fake_channel_send_text (channel, "1");
  fake_channel_send_text (channel, "2");
  fake_channel_send_text (channel, "3");
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 1);
  gst_element_set_state (f->src, GST_STATE_PLAYING);
  expect (f, "3");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 2);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_second_life)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (FakeChannel) other = NULL;

  fake_channel_send_text (channel, "1");
  expect (f, "1");
  gst_element_set_state (f->src, GST_STATE_NULL);
  fake_channel_send_text (channel, "lost");
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 0);
  gst_element_set_state (f->src, GST_STATE_PLAYING);
  other = fake_hub_open (f->hub, "b", "x", "");
  fake_channel_send_text (other, "2");
  expect (f, "2");
  fail_unless_equals_uint64 (stat_of (f, "messages-received"), 1);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_eos_on_close)
{
  Fixture *f = fixture_new ("eos-on-close", TRUE, NULL);
  g_autoptr (FakeChannel) a = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (FakeChannel) b = fake_hub_open (f->hub, "b", "x", "");

  fake_channel_set_state (a, GST_RTC_CHANNEL_CLOSED, NULL);
  fake_channel_send_text (b, "last");
  fake_channel_set_state (b, GST_RTC_CHANNEL_CLOSED, NULL);
  expect (f, "last");
  fake_wait (has_eos, f, "EOS");
  fixture_free (f);

  f = fixture_new (NULL, NULL);
  fake_channel_unref (a);
  fake_channel_unref (b);
  a = fake_hub_open (f->hub, "a", "x", "");
  fake_channel_set_state (a, GST_RTC_CHANNEL_CLOSED, NULL);
  b = fake_hub_open (f->hub, "b", "x", "");
  fake_channel_send_text (b, "more");
  expect (f, "more");
  fail_if (has_eos (f) && has_eos (f));
  fixture_free (f);
}
GST_END_TEST;

/* TEXT as datachannelsink sends it with timestamps=true. */
static void
send_timed (FakeChannel *channel, guint64 word, const gchar *text)
{
  gsize size = 8 + strlen (text);
  g_autofree guint8 *data = g_malloc (size);

  GST_WRITE_UINT64_BE (data, word);
  memcpy (data + 8, text, size - 8);
  fake_channel_send_bytes (channel, data, size);
}

static GstClockTime
reference_of (GstBuffer *buffer)
{
  GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta (buffer, NULL);

  fail_unless (meta, "a buffer has no time of its sender");
  fail_unless (gst_structure_has_name (gst_caps_get_structure (meta->reference, 0), "timestamp/x-unix"));
  return meta->timestamp;
}

GST_START_TEST (test_sender_time)
{
  Fixture *f = fixture_new ("timestamp-mode", 1, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "rtclink.time.1");
  guint64 captured = g_get_real_time () - 50000;
  g_autoptr (GstStructure) stats = NULL;
  gint64 latency, error_bound;
  GstClockTime arrived;
  GstBuffer *buffer;

  /* The offset is not known: its clock is taken for ours, and the buffer's time is its arrival. */
  send_timed (channel, captured | G_GUINT64_CONSTANT (1) << 63, "hi");
  buffer = pull (f);
  fail_unless_equals_uint64 (reference_of (buffer), captured * 1000);
  fail_unless_equals_int (gst_buffer_get_size (buffer), 2);
  fail_if (gst_structure_has_field (meta_of (buffer), "clock-error"));
  arrived = GST_BUFFER_PTS (buffer);
  gst_buffer_unref (buffer);
  assert_caps (f, "text/x-raw,format=utf8,label=x,protocol=rtclink.time.1");

  /* Its clock is an hour ahead. */
  fake_hub_set_clock_offset (f->hub, HOUR, 250);
  g_usleep (100000);
  captured = g_get_real_time () - 50000;
  send_timed (channel, captured + HOUR, "binary");
  buffer = pull (f);
  fail_unless_equals_uint64 (reference_of (buffer), captured * 1000);
  fail_unless (gst_structure_get_int64 (meta_of (buffer), "clock-error", &error_bound));
  fail_unless_equals_int64 (error_bound, 250);
  /* Sent 100 ms after the first one arrived, 50 ms ago. */
  fail_unless (GST_BUFFER_PTS (buffer) >= arrived + 40 * GST_MSECOND, "%" GST_TIME_FORMAT " after %" GST_TIME_FORMAT,
      GST_TIME_ARGS (GST_BUFFER_PTS (buffer)), GST_TIME_ARGS (arrived));
  gst_buffer_unref (buffer);
  assert_caps (f, "application/x-data-channel,kind=binary,label=x,protocol=rtclink.time.1");
  stats = stats_of (f);
  fail_unless (gst_structure_get_int64 (stats, "latency-last", &latency));
  fail_unless (latency >= 49000 && latency < 5 * G_USEC_PER_SEC, "%" G_GINT64_FORMAT, latency);
  fixture_free (f);
}
GST_END_TEST;

/* What claims to have a time and is too short, or has a wrong one, is a message all the same. */
GST_START_TEST (test_sender_time_that_is_none)
{
  Fixture *f = fixture_new ("timestamp-mode", 1, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "rtclink.time.1");

  fake_hub_set_clock_offset (f->hub, -G_MAXINT64 / 2, 0);
  fake_channel_send_bytes (channel, "short", 5);
  expect (f, "short");
  fake_channel_send_text (channel, "text of a length");
  expect (f, "text of a length");
  send_timed (channel, G_MAXUINT64, "\377 no text");
  expect (f, "\377 no text");
  send_timed (channel, 0, "");
  expect (f, "");
  send_timed (channel, G_MAXINT64, "far");
  expect (f, "far");
  fixture_free (f);
}
GST_END_TEST;

/* The next deadman message. */
static Suite *
datachannelsrc_suite (void)
{
  Suite *suite = suite_create ("datachannelsrc");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_one_message_is_one_buffer);
  tcase_add_test (tests, test_caps);
  tcase_add_test (tests, test_who_sent_it_and_when);
  tcase_add_test (tests, test_one_peer);
  tcase_add_test (tests, test_open);
  tcase_add_test (tests, test_full);
  tcase_add_test (tests, test_flood);
  tcase_add_test (tests, test_many_short_ones);
  tcase_add_test (tests, test_latest);
  tcase_add_test (tests, test_second_life);
  tcase_add_test (tests, test_eos_on_close);
  tcase_add_test (tests, test_sender_time);
  tcase_add_test (tests, test_sender_time_that_is_none);
  return suite;
}

GST_CHECK_MAIN (datachannelsrc);
