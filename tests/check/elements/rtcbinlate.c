/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A process that has no time: the thread that sends stands still while frames go on coming. */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>

#define CAMERA \
  TEST_VIDEO "vp8enc deadline=1 keyframe-max-dist=1000 ! tee name=t ! queue ! rtc. " \
             "t. ! queue ! fakesink name=made sync=false async=false "
#define STILL 20 /* frames, of 30 a second: twice what is too late */

static const gchar *const cameras[] = {TEST_RTCBIN CAMERA, TEST_RTCBIN "udp-port=50000 " CAMERA};

/* Holds up the thread that logs for the connections of an rtcbin. */
typedef struct
{
  GMutex lock;
  GCond cond;
  /* under lock */
  GstElement *rtcbin;
  gboolean wanted, held;
} Brake;

static void
on_log (GstDebugCategory *category, GstDebugLevel level, const gchar *file, const gchar *function, gint line,
    GObject *object, GstDebugMessage *message, gpointer user_data)
{
  Brake *brake = user_data;

  if (!g_str_equal (gst_debug_category_get_name (category), "rtcnative") || !GST_IS_OBJECT (object))
    return;
  g_mutex_lock (&brake->lock);
  if (gst_object_has_as_ancestor (GST_OBJECT (object), GST_OBJECT (brake->rtcbin))) {
    brake->held = brake->wanted;
    g_cond_broadcast (&brake->cond);
    while (brake->wanted)
      g_cond_wait (&brake->cond, &brake->lock);
  }
  g_mutex_unlock (&brake->lock);
}

static void
set_wanted (Brake *brake, gboolean wanted)
{
  g_mutex_lock (&brake->lock);
  brake->wanted = wanted;
  g_cond_broadcast (&brake->cond);
  g_mutex_unlock (&brake->lock);
}

static void
wait_held (Brake *brake)
{
  gint64 deadline = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;

  g_mutex_lock (&brake->lock);
  while (!brake->held)
    fail_unless (g_cond_wait_until (&brake->cond, &brake->lock, deadline), "the loop logs nothing");
  g_mutex_unlock (&brake->lock);
}

/* Of FIELD of the first in the array ARRAY. */
static guint64
get_count (TestPeer *peer, const gchar *array, const gchar *field)
{
  GstStructure *stats = NULL;
  guint64 count = 0;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (
                   gst_value_get_structure (gst_value_array_get_value (gst_structure_get_value (stats, array), 0)),
                   field, &count),
      "no %s in the stats", field);
  gst_structure_free (stats);
  return count;
}

/* What is too late is left out, for all who watch; then they go on. */
GST_START_TEST (what_is_late_is_left_out)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", "native", cameras[__i__]);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8), *other;
  Brake brake = {0};
  guint64 dropped, key_frames;

  g_mutex_init (&brake.lock);
  g_cond_init (&brake.cond);
  g_mutex_lock (&brake.lock);
  brake.rtcbin = test_peer_get_rtcbin (camera);
  g_mutex_unlock (&brake.lock);
  gst_debug_set_threshold_for_name ("rtcnative", GST_LEVEL_DEBUG);
  gst_debug_add_log_function (on_log, &brake, NULL);
  test_peer_wait_buffers (viewer, "video", 10);
  dropped = get_count (camera, "peers", "packets-dropped-late");
  key_frames = get_count (camera, "tracks", "key-frames");

  /* The loop tells of the new connection, and stands still. */
  set_wanted (&brake, TRUE);
  other = test_room_add_viewer (room, camera, "other", TEST_RTCBIN TEST_WATCH_VP8);
  wait_held (&brake);
  test_peer_wait_buffers (camera, "made", STILL);
  set_wanted (&brake, FALSE);

  test_peer_wait_buffers (viewer, "video", 30);
  test_peer_wait_buffers (other, "video", 30);
  fail_unless (get_count (camera, "peers", "packets-dropped-late") >= dropped + STILL / 4);
  fail_unless (get_count (camera, "tracks", "key-frames") > key_frames);
  gst_debug_remove_log_function (on_log);
  test_room_free (room);
  g_cond_clear (&brake.cond);
  g_mutex_clear (&brake.lock);
}
GST_END_TEST;

static Suite *
rtcbinlate_suite (void)
{
  Suite *s = suite_create ("rtcbinlate");
  TCase *tc = tcase_create ("late");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 60);
  tcase_add_loop_test (tc, what_is_late_is_left_out, 0, G_N_ELEMENTS (cameras));
  return s;
}

GST_CHECK_MAIN (rtcbinlate);
