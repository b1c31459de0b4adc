/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* datachannelsrc with directory: the test is the peer that sends. */

#include "srcfixture.h"

#include "core/rtcjsonfile.h"

#include <glib/gstdio.h>
#include <string.h>

#define DEADLINE (10 * GST_SECOND)
#define ID "0123456789abcdef0123456789abcdef"

static gchar *directory;

static void
make_directory (void)
{
  directory = g_dir_make_tmp ("datachannelsrcfiles-XXXXXX", NULL);
}

static void
remove_directory (void)
{
  GDir *dir = g_dir_open (directory, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);

    g_remove (path);
  }
  g_dir_close (dir);
  g_rmdir (directory);
  g_clear_pointer (&directory, g_free);
}

static void
tell (FakeChannel *channel, RtcFileMessage message, const gchar *id)
{
  g_autofree gchar *text = NULL;

  g_strlcpy (message.id, id, sizeof message.id);
  text = rtc_file_message_write (&message);
  fake_channel_send_text (channel, text);
}

static void
begin (FakeChannel *channel, const gchar *name, gint64 size)
{
  tell (channel, (RtcFileMessage){.type = RTC_FILE_BEGIN, .name = (gchar *)name, .size = size}, ID);
}

static void
end (FakeChannel *channel, const gchar *contents)
{
  RtcFileMessage message = {.type = RTC_FILE_END, .size = strlen (contents)};
  g_autofree gchar *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, contents, -1);

  g_strlcpy (message.sha256, digest, sizeof message.sha256);
  tell (channel, message, ID);
}

/* What was answered. (transfer full) */
static RtcFileMessage *
take (FakeChannel *channel)
{
  FakeMessage *sent = fake_channel_take (channel);
  RtcFileMessage *message;
  gsize size;
  const gchar *text = g_bytes_get_data (sent->bytes, &size);

  fail_unless (sent->is_text);
  message = rtc_file_message_parse (text, size, NULL);
  fail_unless (message, "%.*s", (gint)size, text);
  fake_message_free (sent);
  return message;
}

static void
expect_ready (FakeChannel *channel, gint64 offset)
{
  RtcFileMessage *message = take (channel);

  fail_unless_equals_int (message->type, RTC_FILE_READY);
  fail_unless_equals_int64 (message->offset, offset);
  rtc_file_message_free (message);
}

static void
expect_answer (FakeChannel *channel, RtcFileType type, RtcFileCode code)
{
  RtcFileMessage *message = take (channel);

  fail_unless_equals_int (message->type, type);
  fail_unless_equals_int (message->code, code);
  rtc_file_message_free (message);
}

/* The next element message, which must be NAME; FIELD of it must be WANTED. */
static void
expect_message (Fixture *f, const gchar *name, const gchar *field, const gchar *wanted)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_ELEMENT);
  const GstStructure *s;

  fail_unless (message, "no %s came", name);
  s = gst_message_get_structure (message);
  fail_unless_equals_string (gst_structure_get_name (s), name);
  fail_unless_equals_string (gst_structure_get_string (s, "peer-id"), "a");
  if (field)
    fail_unless_equals_string (gst_structure_get_string (s, field), wanted);
}

static void
assert_file (const gchar *name, const gchar *wanted)
{
  g_autofree gchar *path = g_build_filename (directory, name, NULL);
  g_autofree gchar *contents = NULL;

  if (!wanted) {
    fail_if (g_file_test (path, G_FILE_TEST_EXISTS), "%s is there", name);
    return;
  }
  fail_unless (g_file_get_contents (path, &contents, NULL, NULL), "%s is not there", name);
  fail_unless_equals_string (contents, wanted);
}

static void
expect_path (Fixture *f, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (directory, name, NULL);
  GstBuffer *buffer = pull (f);

  fail_unless_equals_int (gst_buffer_get_size (buffer), strlen (path));
  fail_unless (gst_buffer_memcmp (buffer, 0, path, strlen (path)) == 0);
  fail_unless_equals_string (gst_structure_get_string (meta_of (buffer), "peer-id"), "a");
  gst_buffer_unref (buffer);
}

GST_START_TEST (test_received)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);

  begin (channel, "../../dir/a:b.txt", 11);
  expect_ready (channel, 0);
  fake_channel_send_bytes (channel, "hello ", 6);
  fake_channel_send_bytes (channel, "world", 5);
  end (channel, "hello world");
  expect_answer (channel, RTC_FILE_DONE, 0);
  assert_file ("a_b.txt", "hello world");
  expect_path (f, "a_b.txt");
  expect_message (f, "rtc-file-begin", "id", ID);
  expect_message (f, "rtc-file-done", "name", "a_b.txt");
  /* The same channel takes the next one, which is empty. */
  begin (channel, "b", 0);
  expect_ready (channel, 0);
  end (channel, "");
  expect_answer (channel, RTC_FILE_DONE, 0);
  expect_path (f, "b");
  fail_unless_equals_uint64 (fake_channel_get_unread (channel), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_goes_on)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  g_autoptr (FakeChannel) first = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  g_autoptr (FakeChannel) second = NULL;
  g_autoptr (FakeChannel) third = NULL;

  begin (first, "a", 11);
  expect_ready (first, 0);
  fake_channel_send_bytes (first, "hello ", 6);
  expect_message (f, "rtc-file-begin", NULL, NULL);
  fake_channel_set_state (first, GST_RTC_CHANNEL_CLOSED, NULL);
  expect_message (f, "rtc-file-failed", "code", "cancelled");
  assert_file ("a", NULL);
  second = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  begin (second, "a", 11);
  expect_ready (second, 6);
  /* Once more, while the last channel is still there. */
  third = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  begin (third, "a", 11);
  expect_ready (third, 6);
  fake_channel_send_bytes (third, "world", 5);
  end (third, "hello world");
  expect_answer (third, RTC_FILE_DONE, 0);
  assert_file ("a", "hello world");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_cancelled_here)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  gboolean is_found;

  begin (channel, "a", 11);
  expect_ready (channel, 0);
  expect_message (f, "rtc-file-begin", NULL, NULL);
  g_signal_emit_by_name (f->src, "cancel", "ffffffffffffffffffffffffffffffff", &is_found);
  fail_if (is_found);
  g_signal_emit_by_name (f->src, "cancel", ID, &is_found);
  fail_unless (is_found);
  expect_answer (channel, RTC_FILE_CANCEL, RTC_FILE_CANCELLED);
  expect_message (f, "rtc-file-failed", "code", "cancelled");
  assert_file ("a." ID ".part", NULL);
  fake_channel_send_bytes (channel, "late", 4);
  begin (channel, "a", 11);
  expect_ready (channel, 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_cancelled_there)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);

  begin (channel, "a", 11);
  expect_ready (channel, 0);
  expect_message (f, "rtc-file-begin", NULL, NULL);
  tell (channel, (RtcFileMessage){.type = RTC_FILE_CANCEL, .code = RTC_FILE_CHANGED, .reason = (gchar *)"it grew"}, ID);
  expect_message (f, "rtc-file-failed", "reason", "it grew");
  assert_file ("a." ID ".part", NULL);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_refused)
{
  Fixture *f = fixture_new ("directory", directory, "max-file-size", G_GUINT64_CONSTANT (1000), NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  g_autofree gchar *path = g_build_filename (directory, "there", NULL);

  begin (channel, "a", 1001);
  expect_answer (channel, RTC_FILE_CANCEL, RTC_FILE_TOO_LARGE);
  expect_message (f, "rtc-file-failed", "code", "too-large");
  begin (channel, "..", 1);
  expect_answer (channel, RTC_FILE_CANCEL, RTC_FILE_REFUSED);
  fail_unless (g_file_set_contents (path, "old", -1, NULL));
  begin (channel, "there", 1);
  expect_answer (channel, RTC_FILE_CANCEL, RTC_FILE_EXISTS);
  begin (channel, "a", 5);
  expect_ready (channel, 0);
  fake_channel_send_bytes (channel, "hellO", 5);
  end (channel, "hello");
  expect_answer (channel, RTC_FILE_CANCEL, RTC_FILE_DIGEST);
  assert_file ("a", NULL);
  assert_file ("a." ID ".part", NULL);
  assert_file ("there", "old");
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_too_many)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  FakeChannel *channels[9];

  for (guint i = 0; i < 9; i++) {
    g_autofree gchar *id = g_strdup_printf ("%032x", i);

    channels[i] = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
    tell (channels[i], (RtcFileMessage){.type = RTC_FILE_BEGIN, .name = (gchar *)"a", .size = -1}, id);
    if (i < 8)
      expect_ready (channels[i], 0);
    else
      expect_answer (channels[i], RTC_FILE_CANCEL, RTC_FILE_REFUSED);
  }
  for (guint i = 0; i < 9; i++)
    fake_channel_unref (channels[i]);
  fixture_free (f);
}
GST_END_TEST;

/* What is no channel of files is said, and not taken for one. */
GST_START_TEST (test_messages)
{
  Fixture *f = fixture_new ("directory", directory, NULL);
  g_autoptr (FakeChannel) channel = fake_hub_open (f->hub, "a", "x", "");
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_WARNING);

  fail_unless (message);
  begin (channel, "a", 1);
  fail_unless_equals_int (fake_channel_count (channel), 0);
  fixture_free (f);
}
GST_END_TEST;

static void
fail_to_start (const gchar *property, const gchar *value, const gchar *said)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new (NULL);
  GstElement *src = gst_element_factory_make ("datachannelsrc", NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  gst_bin_add_many (GST_BIN (pipeline), gst_element_factory_make ("rtcbin", NULL), src, NULL);
  g_object_set (src, "label", "x", "directory", "/", NULL);
  gst_util_set_object_arg (G_OBJECT (src), property, value);
  fail_unless_equals_int (gst_element_set_state (pipeline, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  message = gst_bus_timed_pop_filtered (bus, DEADLINE, GST_MESSAGE_ERROR);
  fail_unless (message);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (strstr (error->message, said), "\"%s\" does not say \"%s\"", error->message, said);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

GST_START_TEST (test_settings)
{
  fail_to_start ("directory", "/missing", "/missing");
  fail_to_start ("protocol", "p", "leave out protocol");
  fail_to_start ("ordered", "false", "ordered");
  fail_to_start ("max-retransmits", "1", "max-retransmits");
  fail_to_start ("deadman-timeout", "100", "deadman-timeout");
}
GST_END_TEST;

static Suite *
datachannelsrcfiles_suite (void)
{
  Suite *suite = suite_create ("datachannelsrcfiles");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_checked_fixture (tests, make_directory, remove_directory);
  tcase_add_test (tests, test_received);
  tcase_add_test (tests, test_goes_on);
  tcase_add_test (tests, test_cancelled_here);
  tcase_add_test (tests, test_cancelled_there);
  tcase_add_test (tests, test_refused);
  tcase_add_test (tests, test_too_many);
  tcase_add_test (tests, test_messages);
  tcase_add_test (tests, test_settings);
  return suite;
}

GST_CHECK_MAIN (datachannelsrcfiles);
