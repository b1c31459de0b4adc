/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Files from datachannelsink to datachannelsrc over two real rtcbins. */

#include "lib/testroom.h"

#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#define DEADLINE (20 * GST_SECOND)
#define SIZE (20 * 1024 * 1024 + 1)

typedef struct
{
  TestRoom *room;
  TestPeer *a, *b; /* a sends to b */
  gchar *directory, *path, *contents;
} Fixture;

static void
setup (Fixture *f, const gchar *sink)
{
  g_autofree gchar *line_a = NULL;
  g_autofree gchar *line_b = NULL;

  f->directory = g_dir_make_tmp ("datachannelfiles-XXXXXX", NULL);
  f->path = g_build_filename (f->directory, "sent", NULL);
  f->contents = g_malloc (SIZE);
  for (guint i = 0; i < SIZE; i++)
    f->contents[i] = i * 7 + i / 251;
  fail_unless (g_file_set_contents (f->path, f->contents, SIZE, NULL));
  line_a = g_strdup_printf (TEST_RTCBIN TEST_VP8 "filesrc location=%s blocksize=100000 ! datachannelsink name=sink "
                                                 "label=x delivery=file file-name=arrived %s",
      f->path, sink);
  line_b = g_strdup_printf (TEST_RTCBIN TEST_WATCH_VP8
      "datachannelsrc label=x name=src directory=%s ! appsink name=out sync=false async=false",
      f->directory);
  f->room = test_room_new ();
  f->a = test_room_add (f->room, "a", "native", line_a);
  f->b = test_room_add_viewer (f->room, f->a, "b", line_b);
}

static void
teardown (Fixture *f)
{
  GDir *dir = g_dir_open (f->directory, 0, NULL);
  const gchar *name;

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
}

static GstSample *
pull (TestPeer *peer)
{
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (peer)), "out");

  return gst_app_sink_try_pull_sample (GST_APP_SINK (out), DEADLINE);
}

GST_START_TEST (test_sent)
{
  g_autofree gchar *arrived = NULL;
  g_autofree gchar *contents = NULL;
  GstSample *sample;
  gsize length;
  Fixture f;

  setup (&f, "");
  sample = pull (f.b);
  fail_unless (sample, "no file came");
  arrived = g_build_filename (f.directory, "arrived", NULL);
  fail_unless (gst_buffer_memcmp (gst_sample_get_buffer (sample), 0, arrived, strlen (arrived)) == 0);
  fail_unless (g_file_get_contents (arrived, &contents, &length, NULL));
  fail_unless_equals_uint64 (length, SIZE);
  fail_unless (memcmp (contents, f.contents, SIZE) == 0);
  gst_sample_unref (sample);
  teardown (&f);
}
GST_END_TEST;

static Suite *
datachannelfiles_suite (void)
{
  Suite *suite = suite_create ("datachannelfiles");
  TCase *tests = tcase_create ("general");

  suite_add_tcase (suite, tests);
  tcase_set_timeout (tests, 60);
  tcase_add_test (tests, test_sent);
  return suite;
}

GST_CHECK_MAIN (datachannelfiles);
