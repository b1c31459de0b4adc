/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sinkfixture.h"

GST_START_TEST (test_one_buffer_is_one_message)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) a = NULL, b = NULL;
  FakeMessage *message;

  fake_hub_add_peer (f->hub, "a");
  fake_hub_add_peer (f->hub, "b");
  push (f, "one");
  push (f, "");
  push_size (f, 300000);
  a = fake_hub_get_channel (f->hub, "a");
  b = fake_hub_get_channel (f->hub, "b");
  fail_unless_equals_string (a->parent.init.label, "x");
  fake_channel_expect (a, "one");
  fake_channel_expect (a, "");
  message = fake_channel_take (b);
  fail_if (message->is_text);
  fake_message_free (message);
  fake_channel_expect (b, "");
  message = fake_channel_take (b);
  fail_unless_equals_int (g_bytes_get_size (message->bytes), 300000);
  fake_message_free (message);
  fail_unless_equals_uint64 (stat_of (f, "messages-sent"), 6);
  fail_unless_equals_uint64 (stat_of (f, "bytes-sent"), 600006);
  fail_unless_equals_uint64 (stat_of (f, "buffers"), 3);
  fixture_free (f);
}
GST_END_TEST;

static gboolean
sends_text (const gchar *kind, const gchar *caps)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  FakeMessage *message;
  gboolean is_text;

  gst_element_set_state (f->sink, GST_STATE_NULL);
  gst_util_set_object_arg (G_OBJECT (f->sink), "kind", kind);
  gst_element_set_state (f->sink, GST_STATE_PLAYING);
  fake_hub_add_peer (f->hub, "a");
  gst_harness_set_src_caps_str (f->harness, caps);
  push (f, "gr\303\274n");
  channel = fake_hub_get_channel (f->hub, "a");
  message = fake_channel_take (channel);
  is_text = message->is_text;
  fake_message_free (message);
  fixture_free (f);
  return is_text;
}

GST_START_TEST (test_kind)
{
  fail_unless (sends_text ("auto", "text/x-raw,format=utf8"));
  fail_unless (sends_text ("auto", "application/x-data-channel,kind=text"));
  fail_if (sends_text ("auto", "application/x-data-channel,kind=binary"));
  fail_if (sends_text ("auto", "application/json"));
  fail_unless (sends_text ("text", "application/json"));
  fail_if (sends_text ("binary", "text/x-raw,format=utf8"));
}
GST_END_TEST;

GST_START_TEST (test_text_that_is_none)
{
  Fixture *f = fixture_new ("kind", 1, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autofree gchar *said = NULL;

  fake_hub_add_peer (f->hub, "a");
  push (f, "\377\376");
  said = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (said, "kind=binary");
  push (f, "good");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_expect (channel, "good");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 1);
  fixture_free (f);
}
GST_END_TEST;

static void
assert_refused (const gchar *expected, const gchar *first_property, ...)
{
  GstElement *rtcbin = gst_object_ref_sink (gst_element_factory_make ("rtcbin", NULL));
  GstElement *sink = gst_object_ref_sink (gst_element_factory_make ("datachannelsink", NULL));
  GstBus *bus = gst_bus_new ();
  g_autofree gchar *said = NULL;
  va_list arguments;

  gst_element_set_bus (sink, bus);
  g_object_set (sink, "rtc-element", rtcbin, NULL);
  va_start (arguments, first_property);
  g_object_set_valist (G_OBJECT (sink), first_property, arguments);
  va_end (arguments);
  fail_unless_equals_int (gst_element_set_state (sink, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  said = expect_message (bus, GST_MESSAGE_ERROR);
  assert_contains (said, expected);
  gst_element_set_state (sink, GST_STATE_NULL);
  gst_element_set_bus (sink, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
  gst_object_unref (rtcbin);
}

GST_START_TEST (test_contradictions)
{
  g_autofree gchar *long_label = g_strnfill (65536, 'x');

  assert_refused ("only one of the two", "max-retransmits", 0, "max-packet-lifetime", 50, NULL);
  assert_refused ("set id", "negotiated", TRUE, NULL);
  assert_refused ("negotiated=true", "id", 5, NULL);
  assert_refused ("65535", "label", long_label, NULL);
  assert_refused ("leave out one of the two", "timestamps", TRUE, "protocol", "mine", NULL);
}
GST_END_TEST;

/* What the error says when this is played; NULL: none came. */
static gchar *
launch_error (const gchar *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  g_autoptr (GstBus) bus = NULL;
  gchar *said = NULL;

  g_assert_no_error (error);
  bus = gst_element_get_bus (pipeline);
  if (gst_element_set_state (pipeline, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    said = expect_message (bus, GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return said;
}

GST_START_TEST (test_finds_its_rtcbin)
{
  g_autofree gchar *none = launch_error ("fakesrc ! datachannelsink");
  g_autofree gchar *two = launch_error ("fakesrc ! datachannelsink rtcbin name=r0 rtcbin name=r1");
  g_autofree gchar *other = launch_error ("fakesrc ! datachannelsink rtc=r2 rtcbin name=r0");
  g_autofree gchar *wrong = launch_error ("fakesrc ! datachannelsink rtc=i identity name=i");

  assert_contains (none, "rtcbin name=rtc");
  assert_contains (two, "r0, r1");
  assert_contains (two, "rtc=NAME");
  assert_contains (other, "r2");
  assert_contains (other, "r0");
  assert_contains (wrong, "must be an rtcbin");
  fail_if (launch_error ("fakesrc ! datachannelsink rtcbin name=r0"));
  fail_if (launch_error ("rtcbin name=r0 fakesrc ! datachannelsink"));
  fail_if (launch_error ("fakesrc ! datachannelsink rtc=r1 rtcbin name=r0 rtcbin name=r1"));
  fail_if (launch_error ("rtcbin name=r0 bin.( rtcbin name=r1 ) fakesrc ! datachannelsink rtc=r1"));
}
GST_END_TEST;

GST_START_TEST (test_sent_before_open)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = NULL;

  fake_hub_set_slow (f->hub, TRUE);
  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  push (f, "early");
  fail_unless_equals_int (fake_channel_count (channel), 0);
  fake_channel_set_state (channel, GST_RTC_CHANNEL_OPEN, NULL);
  fake_channel_expect (channel, "early");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_peer_closes)
{
  Fixture *f = fixture_new ("wait-for-peer", 2, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autofree gchar *said = NULL;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fake_channel_set_stalled (channel, TRUE);
  fill_channel (f);
  push (f, "1");
  fake_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  fake_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
  said = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (said, "1 messages (1 bytes) had not been sent");
  push (f, "2");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 2);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_peer_refuses)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autofree gchar *none = NULL, *large = NULL;

  fake_hub_refuse (f->hub, TRUE);
  fake_hub_add_peer (f->hub, "old");
  none = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (none, "Peer old");
  assert_contains (none, "no data channels");
  fake_hub_refuse (f->hub, FALSE);
  fake_hub_add_peer (f->hub, "small");
  channel = fake_hub_get_channel (f->hub, "small");
  channel->max_message_size = 10;
  push (f, "more than ten bytes");
  large = expect_message (f->bus, GST_MESSAGE_WARNING);
  assert_contains (large, "more than the peer takes");
  push (f, "more than ten bytes");
  push (f, "less");
  fake_channel_expect (channel, "less");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 2);
  fail_if (gst_bus_pop_filtered (f->bus, GST_MESSAGE_WARNING));
  fixture_free (f);
}
GST_END_TEST;

static GstBuffer *
buffer_with_meta (const gchar *text, const gchar *field, const gchar *value)
{
  GstBuffer *buffer = text_buffer (text);
  GstCustomMeta *meta = gst_buffer_add_custom_meta (buffer, "GstRtcPeerMeta");

  gst_structure_set (gst_custom_meta_get_structure (meta), field, G_TYPE_STRING, value, NULL);
  return buffer;
}

GST_START_TEST (test_addressed)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) a = NULL, b = NULL;

  fake_hub_add_peer (f->hub, "a");
  fake_hub_add_peer (f->hub, "b");
  a = fake_hub_get_channel (f->hub, "a");
  b = fake_hub_get_channel (f->hub, "b");
  gst_harness_push (f->harness, buffer_with_meta ("for b", "to", "b"));
  gst_harness_push (f->harness, buffer_with_meta ("for nobody", "to", "c"));
  gst_harness_push (f->harness, buffer_with_meta ("from b", "peer-id", "b"));
  fake_channel_expect (a, "from b");
  fake_channel_expect (b, "for b");
  fake_channel_expect (b, "from b");
  fail_unless_equals_uint64 (stat_of (f, "messages-dropped"), 1);
  fixture_free (f);

  f = fixture_new ("reply", TRUE, NULL);
  fake_hub_add_peer (f->hub, "a");
  fake_hub_add_peer (f->hub, "b");
  fake_channel_unref (a);
  fake_channel_unref (b);
  a = fake_hub_get_channel (f->hub, "a");
  b = fake_hub_get_channel (f->hub, "b");
  gst_harness_push (f->harness, buffer_with_meta ("reply", "peer-id", "b"));
  push (f, "all");
  fake_channel_expect (a, "all");
  fake_channel_expect (b, "reply");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_one_peer)
{
  Fixture *f = fixture_new ("peer-id", "b", NULL);
  g_autoptr (FakeChannel) a = NULL, b = NULL;

  fake_hub_add_peer (f->hub, "a");
  fake_hub_add_peer (f->hub, "b");
  a = fake_hub_get_channel (f->hub, "a");
  b = fake_hub_get_channel (f->hub, "b");
  push (f, "for b");
  fail_if (a);
  fake_channel_expect (b, "for b");
  fixture_free (f);
}
GST_END_TEST;

/* Two channels to the same peer: messages go out once, and never on one with other settings. */
GST_START_TEST (test_both_opened_one)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) own = NULL, theirs = NULL, other = NULL;

  fake_hub_set_slow (f->hub, TRUE);
  fake_hub_add_peer (f->hub, "a");
  own = fake_hub_get_channel (f->hub, "a");
  other = fake_hub_open (f->hub, "a", "x", "another protocol");
  push (f, "1");
  fake_channel_set_state (own, GST_RTC_CHANNEL_OPEN, NULL);
  fake_channel_expect (own, "1");
  theirs = fake_hub_open (f->hub, "a", "x", "");
  push (f, "2");
  fake_channel_expect (own, "2");
  fake_channel_set_state (own, GST_RTC_CHANNEL_CLOSED, NULL);
  push (f, "3");
  fake_channel_expect (theirs, "3");
  fail_unless_equals_int (fake_channel_count (theirs), 0);
  fail_unless_equals_int (fake_channel_count (other), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_timestamps)
{
  Fixture *f = fixture_new ("timestamps", TRUE, NULL);
  g_autoptr (FakeChannel) channel = NULL;
  gint64 before = g_get_real_time ();
  const guint8 *data;
  FakeMessage *message;
  guint64 word;
  gsize size;

  fake_hub_add_peer (f->hub, "a");
  channel = fake_hub_get_channel (f->hub, "a");
  fail_unless_equals_string (channel->parent.init.protocol, "rtclink.time.1");
  gst_harness_set_src_caps_str (f->harness, "text/x-raw,format=utf8");
  push (f, "hello");
  message = fake_channel_take (channel);
  fail_if (message->is_text);
  data = g_bytes_get_data (message->bytes, &size);
  fail_unless_equals_int (size, 8 + 5);
  fail_unless (memcmp (data + 8, "hello", 5) == 0);
  word = GST_READ_UINT64_BE (data);
  fail_unless (word >> 63 == 1);
  word &= G_MAXINT64;
  fail_unless (word >= (guint64)before && word <= (guint64)g_get_real_time ());
  fake_message_free (message);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_second_life)
{
  Fixture *f = fixture_new (NULL, NULL);
  g_autoptr (FakeChannel) channel = NULL;

  fake_hub_add_peer (f->hub, "a");
  push (f, "1");
  gst_element_set_state (f->sink, GST_STATE_NULL);
  fail_unless_equals_int (fake_hub_count_users (f->hub), 0);
  g_object_set (f->sink, "label", "y", NULL);
  gst_element_set_state (f->sink, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (f->harness, "application/octet-stream");
  push (f, "2");
  channel = fake_hub_get_channel (f->hub, "a");
  fail_unless_equals_string (channel->parent.init.label, "y");
  fake_channel_expect (channel, "2");
  fail_unless_equals_uint64 (stat_of (f, "messages-sent"), 1);
  fixture_free (f);
}
GST_END_TEST;

static Suite *
datachannelsink_suite (void)
{
  Suite *suite = suite_create ("datachannelsink");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_one_buffer_is_one_message);
  tcase_add_test (tests, test_kind);
  tcase_add_test (tests, test_text_that_is_none);
  tcase_add_test (tests, test_contradictions);
  tcase_add_test (tests, test_finds_its_rtcbin);
  tcase_add_test (tests, test_sent_before_open);
  tcase_add_test (tests, test_peer_closes);
  tcase_add_test (tests, test_peer_refuses);
  tcase_add_test (tests, test_addressed);
  tcase_add_test (tests, test_one_peer);
  tcase_add_test (tests, test_both_opened_one);
  tcase_add_test (tests, test_timestamps);
  tcase_add_test (tests, test_second_life);
  return suite;
}

GST_CHECK_MAIN (datachannelsink);
