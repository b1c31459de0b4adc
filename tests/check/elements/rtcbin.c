/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* rtcbin to rtcbin, and rtcbin against what a peer or a pipeline can do wrong. Every case runs once for each transport.
 */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>

#define VIDEO "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! "
#define VP8 VIDEO "vp8enc deadline=1 keyframe-max-dist=1000 ! rtc. "
#define OPUS "audiotestsrc is-live=true ! opusenc ! rtc. "
#define WATCH_VP8 "rtc.video_src_0 ! vp8dec ! fakesink name=video sync=false async=false "
#define WATCH_OPUS "rtc.audio_src_0 ! opusdec ! fakesink name=audio sync=false async=false "

#define transport test_transports[__i__]

GST_START_TEST (one_sends_one_watches)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, "rtcbin name=rtc " VP8 OPUS);
  TestPeer *viewer = test_room_add (room, "viewer", transport, "rtcbin name=rtc " WATCH_VP8 WATCH_OPUS);

  test_room_join (room, camera, viewer);
  gst_message_unref (test_peer_wait_message (camera, "rtc-peer-joined"));
  gst_message_unref (test_peer_wait_message (camera, "rtc-peer-connected"));
  gst_message_unref (test_peer_wait_message (viewer, "rtc-peer-connected"));
  test_peer_wait_buffers (viewer, "video", 30);
  test_peer_wait_buffers (viewer, "audio", 30);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (the_viewer_offers)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, "rtcbin name=rtc " VP8 OPUS);
  TestPeer *viewer = test_room_add (room, "viewer", transport, "rtcbin name=rtc " WATCH_VP8 WATCH_OPUS);

  test_room_join (room, viewer, camera);
  test_peer_wait_buffers (viewer, "video", 30);
  test_peer_wait_buffers (viewer, "audio", 30);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (both_send_and_both_watch)
{
  TestRoom *room = test_room_new ();
  TestPeer *left = test_room_add (room, "left", transport, "rtcbin name=rtc " VP8 OPUS WATCH_VP8 WATCH_OPUS);
  TestPeer *right = test_room_add (room, "right", transport, "rtcbin name=rtc " VP8 OPUS WATCH_VP8 WATCH_OPUS);

  test_room_join (room, left, right);
  test_peer_wait_buffers (left, "video", 30);
  test_peer_wait_buffers (left, "audio", 30);
  test_peer_wait_buffers (right, "video", 30);
  test_peer_wait_buffers (right, "audio", 30);
  test_room_free (room);
}
GST_END_TEST;

static Suite *
rtcbin_suite (void)
{
  Suite *s = suite_create ("rtcbin");
  TCase *streams = tcase_create ("streams");
  guint n = test_transports_load ();

  suite_add_tcase (s, streams);
  tcase_add_loop_test (streams, one_sends_one_watches, 0, n);
  tcase_add_loop_test (streams, the_viewer_offers, 0, n);
  tcase_add_loop_test (streams, both_send_and_both_watch, 0, n);
  return s;
}

GST_CHECK_MAIN (rtcbin);
