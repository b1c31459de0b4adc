/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Files from datachannelsink to datachannelsrc over real rtcbins: whole, cancelled, to one that comes late, and when
 * the link breaks in the middle. */

#include "lib/testroom.h"

#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#define DEADLINE (20 * GST_SECOND)
#define SIZE (20 * 1024 * 1024 + 1)
#define MIDDLE (4 * 1024 * 1024)

typedef struct
{
  TestRoom *room;
  TestPeer *a, *b; /* a sends to b */
  gchar *directory, *path, *contents;

  GMutex lock;
  GCond changed;
  /* under lock */
  gint64 until; /* the file is read up to here, and held there */
  gboolean is_held;
} Fixture;

/* Upstream stands still at a place of the test's choice: what is in the middle stays there. */
static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Fixture *f = user_data;
  GstBuffer *buffer = gst_pad_probe_info_get_buffer (info);

  g_mutex_lock (&f->lock);
  while ((gint64)GST_BUFFER_OFFSET (buffer) >= f->until) {
    f->is_held = TRUE;
    g_cond_broadcast (&f->changed);
    g_cond_wait (&f->changed, &f->lock);
  }
  f->is_held = FALSE;
  g_mutex_unlock (&f->lock);
  return GST_PAD_PROBE_OK;
}

static void
read_until (Fixture *f, gint64 until)
{
  g_mutex_lock (&f->lock);
  f->until = until;
  f->is_held = FALSE;
  g_cond_broadcast (&f->changed);
  g_mutex_unlock (&f->lock);
}

static void
wait_held (Fixture *f)
{
  gint64 end = g_get_monotonic_time () + GST_TIME_AS_USECONDS (DEADLINE);

  g_mutex_lock (&f->lock);
  while (!f->is_held)
    fail_unless (g_cond_wait_until (&f->changed, &f->lock, end), "the middle is not reached within 20 s");
  g_mutex_unlock (&f->lock);
}

static void
setup (Fixture *f, const gchar *transport, const gchar *media, const gchar *watch, gint64 until)
{
  g_autofree gchar *line_a = NULL;
  g_autofree gchar *line_b = NULL;
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstPad) pad = NULL;

  memset (f, 0, sizeof *f);
  g_mutex_init (&f->lock);
  g_cond_init (&f->changed);
  f->until = until;

  f->directory = g_dir_make_tmp ("datachannelfiles-XXXXXX", NULL);
  f->path = g_build_filename (f->directory, "sent", NULL);
  f->contents = g_malloc (SIZE);
  for (guint i = 0; i < SIZE; i++)
    f->contents[i] = i * 7 + i / 251;
  fail_unless (g_file_set_contents (f->path, f->contents, SIZE, NULL));
  line_a = g_strdup_printf (TEST_RTCBIN "%s filesrc location=%s blocksize=100000 ! datachannelsink name=sink "
                                        "label=x delivery=file file-name=arrived max-time=20000",
      media, f->path);
  line_b = g_strdup_printf (TEST_RTCBIN
      "%s datachannelsrc label=x name=src directory=%s ! appsink name=out sync=false async=false",
      watch, f->directory);
  f->room = test_room_new ();
  f->a = test_room_add (f->room, "a", transport, line_a);
  sink = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (f->a)), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, f, NULL);
  f->b = test_room_add_viewer (f->room, f->a, "b", line_b);
}

static void
teardown (Fixture *f)
{
  GDir *dir = g_dir_open (f->directory, 0, NULL);
  const gchar *name;

  read_until (f, G_MAXINT64);
  test_room_free (f->room);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (f->directory, name, NULL);

    g_remove (path);
  }
  g_dir_close (dir);
  g_rmdir (f->directory);
  g_free (f->directory);
  g_free (f->path);
  g_free (f->contents);
  g_cond_clear (&f->changed);
  g_mutex_clear (&f->lock);
}

static GstSample *
pull (TestPeer *peer)
{
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (peer)), "out");

  return gst_app_sink_try_pull_sample (GST_APP_SINK (out), DEADLINE);
}

/* It arrives, and is the same. */
static void
expect_file_at (Fixture *f, const gchar *arrived)
{
  g_autofree gchar *contents = NULL;
  GstSample *sample = pull (f->b);
  gsize length;

  fail_unless (sample, "no file came");
  fail_unless (gst_buffer_memcmp (gst_sample_get_buffer (sample), 0, arrived, strlen (arrived)) == 0);
  fail_unless (g_file_get_contents (arrived, &contents, &length, NULL));
  fail_unless_equals_uint64 (length, SIZE);
  fail_unless (memcmp (contents, f->contents, SIZE) == 0);
  gst_sample_unref (sample);
}

static void
expect_file (Fixture *f)
{
  g_autofree gchar *arrived = g_build_filename (f->directory, "arrived", NULL);

  expect_file_at (f, arrived);
}

/* The field of the next message NAME of PEER. */
static gint64
wait_bytes (TestPeer *peer, const gchar *name)
{
  g_autoptr (GstMessage) message = test_peer_wait_message (peer, name);
  gint64 bytes = -1;

  fail_unless (gst_structure_get_int64 (gst_message_get_structure (message), "bytes", &bytes));
  return bytes;
}

static gchar *
wait_string (TestPeer *peer, const gchar *name, const gchar *field)
{
  g_autoptr (GstMessage) message = test_peer_wait_message (peer, name);

  return g_strdup (gst_structure_get_string (gst_message_get_structure (message), field));
}

GST_START_TEST (test_sent)
{
  Fixture f;

  setup (&f, test_transports[__i__], TEST_VP8, TEST_WATCH_VP8, G_MAXINT64);
  expect_file (&f);
  teardown (&f);
}
GST_END_TEST;

/* How often PEER was connected to the other one. */
static guint
get_connects (TestPeer *peer)
{
  g_autoptr (GstStructure) stats = NULL;
  const GValue *peers;
  guint connects = 0;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  if (gst_value_array_get_size (peers) > 0)
    gst_structure_get_uint (gst_value_get_structure (gst_value_array_get_value (peers, 0)), "connects", &connects);
  return connects;
}

static void
rebuild (Fixture *f)
{
  RtcMessage *offer = test_room_wait_sent (f->room, f->a, RTC_MESSAGE_OFFER);
  g_autofree gchar *json = g_strdup_printf (
      "{\"type\":\"offer-request\",\"from\":\"b\",\"session\":\"%s\",\"restart\":false}", offer->session);

  test_peer_tell (f->a, json);
}

/* The connection is rebuilt while it is sent: between two of ours the channel lasts, and so does the transfer. */
GST_START_TEST (test_rebuilt)
{
  gint64 end = g_get_monotonic_time () + GST_TIME_AS_USECONDS (DEADLINE);
  Fixture f;

  setup (&f, "native", "", "", MIDDLE);
  wait_held (&f);
  rebuild (&f);
  read_until (&f, 4 * MIDDLE);
  while (get_connects (f.a) < 2 || get_connects (f.b) < 2) {
    fail_unless (g_get_monotonic_time () < end, "it is not rebuilt within 20 s");
    g_usleep (2000);
  }
  wait_held (&f);
  read_until (&f, G_MAXINT64);
  expect_file (&f);
  fail_unless_equals_int64 (wait_bytes (f.b, "rtc-file-begin"), 0);
  fail_unless_equals_int64 (wait_bytes (f.b, "rtc-file-done"), SIZE);
  teardown (&f);
}
GST_END_TEST;

/* The peer is away for a while: its channel is gone, and what it has of the file stays. */
GST_START_TEST (test_away)
{
  g_autofree gchar *first = NULL;
  g_autofree gchar *second = NULL;
  Fixture f;

  setup (&f, test_transports[__i__], "", "", MIDDLE);
  first = wait_string (f.b, "rtc-file-begin", "id");
  wait_held (&f);
  test_peer_tell (f.b, "{\"type\":\"left\",\"peerId\":\"a\",\"reason\":\"closed\"}");
  test_peer_tell (f.a, "{\"type\":\"left\",\"peerId\":\"b\",\"reason\":\"closed\"}");
  g_free (wait_string (f.b, "rtc-file-failed", "reason"));
  test_room_join (f.room, f.a, f.b);
  read_until (&f, G_MAXINT64);
  expect_file (&f);
  fail_unless (wait_bytes (f.b, "rtc-file-begin") > 0, "it began again");
  second = wait_string (f.b, "rtc-file-done", "id");
  fail_unless_equals_string (second, first);
  teardown (&f);
}
GST_END_TEST;

/* Another peer comes when much was read already: one reading is for both. */
GST_START_TEST (test_late)
{
  g_autofree gchar *line = NULL;
  g_autofree gchar *directory = NULL;
  g_autofree gchar *arrived = NULL;
  TestPeer *first, *late;
  Fixture f;

  setup (&f, test_transports[__i__], "", "", 3 * MIDDLE);
  wait_held (&f);
  directory = g_build_filename (f.directory, "late", NULL);
  fail_unless (g_mkdir (directory, 0777) == 0);
  line = g_strdup_printf (
      TEST_RTCBIN "datachannelsrc label=x directory=%s ! appsink name=out sync=false async=false", directory);
  late = test_room_add_viewer (f.room, f.a, "late", line);
  gst_message_unref (test_peer_wait_message (late, "rtc-data-channel"));
  read_until (&f, G_MAXINT64);
  expect_file (&f);
  first = f.b;
  f.b = late;
  arrived = g_build_filename (directory, "arrived", NULL);
  expect_file_at (&f, arrived);
  f.b = first;
  g_remove (arrived);
  teardown (&f);
}
GST_END_TEST;

/* By the element NAME of one of them: both say so, and nothing is left of it. */
GST_START_TEST (test_cancelled)
{
  const gchar *names[] = {"sink", "src"};
  g_autoptr (GstElement) element = NULL;
  g_autofree gchar *id = NULL;
  gboolean is_found = FALSE;
  const gchar *left;
  GDir *dir;
  Fixture f;

  setup (&f, test_transports[__i__ / 2], "", "", MIDDLE);
  element = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (__i__ % 2 ? f.b : f.a)), names[__i__ % 2]);
  id = wait_string (f.b, "rtc-file-begin", "id");
  wait_held (&f);
  g_signal_emit_by_name (element, "cancel", id, &is_found);
  fail_unless (is_found);
  for (guint i = 0; i < 2; i++) {
    g_autofree gchar *code = NULL;

    /* The sender's element says it from its streaming thread. */
    read_until (&f, G_MAXINT64);
    code = wait_string (i ? f.b : f.a, "rtc-file-failed", "code");
    fail_unless_equals_string (code, "cancelled");
  }
  dir = g_dir_open (f.directory, 0, NULL);
  while ((left = g_dir_read_name (dir)))
    fail_unless_equals_string (left, "sent");
  g_dir_close (dir);
  teardown (&f);
}
GST_END_TEST;

/* While nobody has come, the sink has a buffer to wait with, perhaps before it is in PLAYING: neither that step, nor a
 * pause, waits for it. */
GST_START_TEST (test_starts)
{
  const GstState states[] = {GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_PLAYING};

  for (guint i = 0; i < 80; i++) {
    g_autoptr (GstElement) pipeline = gst_parse_launch (
        TEST_RTCBIN "fakesrc sizetype=fixed sizemax=1000 ! datachannelsink label=x delivery=file", NULL);

    for (guint step = 0; step < G_N_ELEMENTS (states); step++) {
      GstStateChangeReturn result;

      gst_element_set_state (pipeline, states[step]);
      result = gst_element_get_state (pipeline, NULL, NULL, DEADLINE);
      /* An rtcbin is live. */
      fail_unless_equals_int (
          result, states[step] == GST_STATE_PLAYING ? GST_STATE_CHANGE_SUCCESS : GST_STATE_CHANGE_NO_PREROLL);
    }
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }
}
GST_END_TEST;

static Suite *
datachannelfiles_suite (void)
{
  Suite *suite = suite_create ("datachannelfiles");
  TCase *tests = tcase_create ("general");
  guint n = test_transports_load ();

  suite_add_tcase (suite, tests);
  tcase_set_timeout (tests, 60);
  tcase_add_loop_test (tests, test_sent, 0, n);
  tcase_add_test (tests, test_starts);
  tcase_add_test (tests, test_rebuilt);
  tcase_add_loop_test (tests, test_away, 0, n);
  tcase_add_loop_test (tests, test_late, 0, n);
  tcase_add_loop_test (tests, test_cancelled, 0, 2 * n);
  return suite;
}

GST_CHECK_MAIN (datachannelfiles);
