/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "srcfixture.h"

#define DEADLINE (10 * GST_SECOND)

static void
expect_deadman (Fixture *self, const gchar *state, const gchar *reason)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (self->bus, DEADLINE, GST_MESSAGE_ELEMENT);
  const GstStructure *s;
  gint64 age;

  fail_unless (message, "no element message came");
  s = gst_message_get_structure (message);
  fail_unless (gst_structure_has_name (s, "rtc-data-deadman"));
  fail_unless_equals_string (gst_structure_get_string (s, "state"), state);
  if (reason)
    fail_unless_equals_string (gst_structure_get_string (s, "reason"), reason);
  fail_unless (gst_structure_get_int64 (s, "age", &age));
}

GST_START_TEST (test_deadman)
{
  Fixture *f = fixture_new ("deadman-timeout", 200, "deadman-data", "stop", NULL);
  g_autoptr (FakeChannel) channel = NULL;
  g_autoptr (GstStructure) stats = NULL;
  GstBuffer *buffer;
  gboolean is_deadman;

  /* Nobody is there. */
  buffer = pull (f);
  fail_unless (gst_structure_get_boolean (meta_of (buffer), "deadman", &is_deadman) && is_deadman);
  fail_unless (gst_buffer_memcmp (buffer, 0, "stop", 4) == 0);
  gst_buffer_unref (buffer);
  expect_deadman (f, "lost", "silence");
  stats = stats_of (f);
  fail_unless_equals_string (gst_structure_get_string (stats, "deadman"), "lost");
  /* Somebody comes, and falls silent. */
  channel = fake_hub_open (f->hub, "a", "x", "");
  fake_channel_send_bytes (channel, "go", 2);
  expect (f, "go");
  expect_deadman (f, "back", NULL);
  expect (f, "stop");
  expect_deadman (f, "lost", "silence");
  /* As what came before. */
  assert_caps (f, "application/x-data-channel,kind=binary,label=x,protocol=(string)\"\"");
  fail_if (gst_bus_timed_pop_filtered (f->bus, 400 * GST_MSECOND, GST_MESSAGE_ELEMENT));
  fail_unless_equals_int (gst_harness_buffers_in_queue (f->harness), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_deadman_link)
{
  Fixture *f = fixture_new ("deadman-timeout", 60000, "deadman-data", "stop", "eos-on-close", TRUE, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");

  fake_channel_send_text (channel, "go");
  expect (f, "go");
  fake_hub_break_peer (f->hub, "a");
  expect (f, "stop");
  expect_deadman (f, "lost", "link");
  fake_wait (has_eos, f, "EOS");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_deadman_repeats)
{
  GstBuffer *buffer = gst_buffer_new_memdup ("\0\1", 2);
  Fixture *f = fixture_new ("deadman-timeout", 20, "deadman-repeat", 20, "deadman-buffer", buffer, NULL);

  gst_buffer_unref (buffer);
  for (guint i = 0; i < 3; i++) {
    buffer = pull (f);
    fail_unless_equals_int (gst_buffer_get_size (buffer), 2);
    fail_unless (gst_buffer_memcmp (buffer, 0, "\0\1", 2) == 0);
    gst_buffer_unref (buffer);
  }
  expect_deadman (f, "lost", "silence");
  fail_if (gst_bus_pop_filtered (f->bus, GST_MESSAGE_ELEMENT));
  fixture_free (f);
}
GST_END_TEST;

/* The message alone. */
GST_START_TEST (test_deadman_without_data)
{
  Fixture *f = fixture_new ("deadman-timeout", 20, NULL);

  expect_deadman (f, "lost", "silence");
  fail_unless_equals_int (gst_harness_buffers_in_queue (f->harness), 0);
  fixture_free (f);
}
GST_END_TEST;

static Suite *
datachannelsrcdeadman_suite (void)
{
  Suite *suite = suite_create ("datachannelsrcdeadman");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_deadman);
  tcase_add_test (tests, test_deadman_link);
  tcase_add_test (tests, test_deadman_repeats);
  tcase_add_test (tests, test_deadman_without_data);
  return suite;
}

GST_CHECK_MAIN (datachannelsrcdeadman);
