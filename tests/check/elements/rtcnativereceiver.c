/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What real payloaders made, through the native transport's receiver into real decoders; and what it says back. */

#include "receiverfixture.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <gst/video/video.h>

GST_START_TEST (nothing_is_made_before_the_first_packet)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 1);
  guint threads = count_threads (), fds = count_fds ();
  /* A sender report about a stream that will come. */
  static const guint8 report[28] = {0x80, 200, 0, 6, 0x10, 0, 0, 1};
  /* Of a payload type that is nobody's. */
  static const guint8 stray[20] = {0x80, 50, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4};
  GPtrArray *video = make_video (2, VIDEO_SSRC);

  threads = count_threads ();
  gst_rtc_native_receiver_take_rtcp (f->receiver, report, sizeof (report), g_get_monotonic_time ());
  gst_rtc_native_receiver_take_rtp (f->receiver, stray, sizeof (stray), g_get_monotonic_time ());
  fail_unless_equals_int (GST_BIN_NUMCHILDREN (f->bin), 0);
  fail_unless (count_threads () <= threads);
  fail_unless_equals_int (count_fds (), fds);
  send_all (f, video, g_get_monotonic_time ());
  step_until (f, frames_of (f, 0) >= 2);
  fail_unless_equals_int (GST_BIN_NUMCHILDREN (f->bin), 5);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

static void
run_video (Fixture *f, GPtrArray *video, gdouble loss)
{
  f->loss = loss;
  f->reorder = loss > 0;
  send_all (f, video, g_get_monotonic_time ());
  step_to_the_end (f);
  GST_INFO ("about %u of %u packets lost: %d frames, %u NACKs, %u RTX, %u PLIs, %u RTCP packets, gap %d ms",
      (guint)(loss * video->len), video->len, frames_of (f, 0), f->n_nacks, f->n_rtx, f->n_plis, f->n_rtcp,
      (gint)(f->longest_report / 1000));
}

static const struct
{
  gdouble loss;
  const gchar *sdp;
} lossy[] = {
    {0.00, HEAD VIDEO},
    {0.01, HEAD VIDEO FID},
    {0.05, HEAD VIDEO FID},
    {0.05, HEAD VIDEO},
    {0.10, HEAD VIDEO FID},
};

GST_START_TEST (lost_packets_come_again)
{
  Fixture *f = fixture_new (lossy[__i__].sdp, 4711 + __i__);
  GPtrArray *video = make_video (90, VIDEO_SSRC);

  run_video (f, video, lossy[__i__].loss);
  fail_unless (frames_of (f, 0) == 90, "%d of 90 frames at %g loss", frames_of (f, 0), lossy[__i__].loss);
  fail_unless_equals_int (f->n_streams, 1);
  fail_unless_equals_int (f->reported_ssrc == VIDEO_SSRC || f->reported_ssrc == RTX_SSRC, TRUE);
  if (lossy[__i__].loss > 0)
    fail_unless (f->n_rtx > 0);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* What the test above would count if nothing were sent again. */
GST_START_TEST (without_rtx_frames_are_missing)
{
  Fixture *f = fixture_new (HEAD VIDEO FID, 4713);
  GPtrArray *video = make_video (90, VIDEO_SSRC);

  f->no_rtx = TRUE;
  run_video (f, video, 0.05);
  fail_unless (frames_of (f, 0) < 60, "%d of 90 frames", frames_of (f, 0));
  fail_unless (f->n_plis > 0);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (two_lines_and_one_that_does_not_receive)
{
  Fixture *f = fixture_new (HEAD VIDEO MID AUDIO MID "m=video 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:n\r\n"
                                                     "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:98 VP8/90000\r\n" MID,
      7);
  GPtrArray *video = make_video (60, VIDEO_SSRC), *audio = make_audio (100, AUDIO_SSRC);
  GPtrArray *stray = make_video (10, 0x20000001);
  gint64 now = g_get_monotonic_time ();
  GstStructure *stats = gst_structure_new_empty ("stats");
  const GValue *received;

  /* The first packets say which line they are of, as browsers do. */
  add_extensions (stray, "n", NULL);
  send_all (f, stray, now);
  send_all (f, video, now);
  send_all (f, audio, now);
  step_until (f, frames_of (f, 0) > 10 && frames_of (f, 1) > 10);
  gst_rtc_native_receiver_add_stats (f->receiver, stats);
  received = gst_structure_get_value (stats, "received");
  fail_unless_equals_int (gst_value_array_get_size (received), 2);
  for (guint i = 0; i < 2; i++) {
    const GstStructure *s = gst_value_get_structure (gst_value_array_get_value (received, i));
    guint64 packets;
    gint64 lost;

    GST_INFO ("%" GST_PTR_FORMAT, s);
    fail_unless (
        gst_structure_get (s, "packets-received", G_TYPE_UINT64, &packets, "packets-lost", G_TYPE_INT64, &lost, NULL));
    fail_unless (packets > 10 && lost == 0);
  }
  gst_structure_free (stats);
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless_equals_int (frames_of (f, 0), 60);
  fail_unless (frames_of (f, 1) >= 99, "%d", frames_of (f, 1));
  fail_unless_equals_int (frames_of (f, 2), 0);
  fail_unless (f->n_reports >= 2);
  fail_unless (f->longest_report < SECONDS (1.5), "%d ms between two reports", (gint)(f->longest_report / 1000));
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  g_ptr_array_unref (stray);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (another_ssrc_takes_the_place)
{
  Fixture *f = fixture_new (HEAD VIDEO, 9);
  static const guint32 order[] = {1000, 2000, 3000, 1000};
  guint settled = 0;

  for (guint i = 0; i < G_N_ELEMENTS (order); i++) {
    GPtrArray *video = send_video (f, 20, order[i]);
    gint before = frames_of (f, 0);

    /* All but the first find somebody in their place; the last had been there before. */
    step_to_the_end (f);
    fail_unless_equals_int (f->n_streams, i + 1);
    fail_unless_equals_int (f->mlines[i], 0);
    fail_unless (frames_of (f, 0) - before >= 19, "%d frames of stream %u", frames_of (f, 0) - before, i);
    if (i > 0)
      fail_if (gst_pad_is_linked (f->pads[i - 1]), "pad %u is still there", i - 1);
    if (i == 1)
      settled = count_threads ();
    if (i > 1)
      step_until (f, count_threads () <= settled);
    g_ptr_array_unref (video);
  }
  fail_unless_equals_int (g_atomic_int_get (&f->eos), 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (a_late_packet_of_the_old_ssrc_changes_nothing)
{
  Fixture *f = fixture_new (HEAD VIDEO, 9);
  GPtrArray *old = make_video (60, 1000), *new = make_video (40, 2000);
  gint64 now = g_get_monotonic_time ();

  send_all (f, old, now);
  send_all (f, new, now + SECONDS (1.3));
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless (frames_of (f, 0) >= 40);
  g_ptr_array_unref (old);
  g_ptr_array_unref (new);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (simulcast_layers_are_streams)
{
  Fixture *f = fixture_new (HEAD VIDEO MID RID "a=rid:lo send\r\na=rid:hi send\r\na=simulcast:send lo;hi\r\n", 3);
  GPtrArray *layers[2] = {make_video (30, 1000), make_video (30, 2000)};
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < 2; i++) {
    add_extensions (layers[i], "v", i ? "hi" : "lo");
    send_all (f, layers[i], now);
    g_ptr_array_unref (layers[i]);
  }
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless_equals_int (frames_of (f, 0), 60);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (a_key_frame_is_asked_for_at_once)
{
  Fixture *f = fixture_new (HEAD VIDEO, 3);
  GPtrArray *video = send_video (f, 90, VIDEO_SSRC);
  gint64 asked;

  step_until (f, frames_of (f, 0) > 10);
  for (guint i = 0; i < 3; i++) {
    guint before = f->n_plis;
    GstPad *entry = gst_pad_get_peer (f->pads[0]);

    asked = g_get_monotonic_time ();
    fail_unless (
        gst_pad_push_event (entry, gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, FALSE, 0)));
    gst_object_unref (entry);
    step_until (f, f->n_plis > before);
    fail_unless (g_get_monotonic_time () - asked < SECONDS (0.3), "it took %d ms",
        (gint)((g_get_monotonic_time () - asked) / 1000));
  }
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* Browsers say good-bye for a stream that they go on with later. */
GST_START_TEST (a_good_bye_ends_nothing)
{
  Fixture *f = fixture_new (HEAD VIDEO, 3);
  GPtrArray *video = send_video (f, 60, VIDEO_SSRC);
  GstBuffer *buffer = gst_rtcp_buffer_new (1000);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;
  GstMapInfo map;

  gst_rtcp_buffer_map (buffer, GST_MAP_READWRITE, &rtcp);
  gst_rtcp_buffer_add_packet (&rtcp, GST_RTCP_TYPE_SR, &packet);
  gst_rtcp_packet_sr_set_sender_info (&packet, VIDEO_SSRC, G_GUINT64_CONSTANT (0x1111222233334444), 1, 2, 3);
  gst_rtcp_buffer_add_packet (&rtcp, GST_RTCP_TYPE_SDES, &packet);
  gst_rtcp_packet_sdes_add_item (&packet, VIDEO_SSRC);
  gst_rtcp_packet_sdes_add_entry (&packet, GST_RTCP_SDES_CNAME, 4, (const guint8 *)"name");
  gst_rtcp_buffer_add_packet (&rtcp, GST_RTCP_TYPE_BYE, &packet);
  gst_rtcp_packet_bye_add_ssrc (&packet, VIDEO_SSRC);
  gst_rtcp_buffer_unmap (&rtcp);
  step_until (f, frames_of (f, 0) > 10);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  gst_rtc_native_receiver_take_rtcp (f->receiver, map.data, map.size, g_get_monotonic_time ());
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
  /* The report beside it was read. */
  step_until (f, f->last_sr == 0x22223333);
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 1);
  fail_unless_equals_int (frames_of (f, 0), 60);
  fail_unless_equals_int (g_atomic_int_get (&f->eos), 0);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

static Suite *
rtcnativereceiver_suite (void)
{
  Suite *suite = suite_create ("rtcnativereceiver");
  TCase *tcase = tcase_create ("receiver");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, nothing_is_made_before_the_first_packet);
  tcase_add_loop_test (tcase, lost_packets_come_again, 0, G_N_ELEMENTS (lossy));
  tcase_add_test (tcase, without_rtx_frames_are_missing);
  tcase_add_test (tcase, two_lines_and_one_that_does_not_receive);
  tcase_add_test (tcase, another_ssrc_takes_the_place);
  tcase_add_test (tcase, a_late_packet_of_the_old_ssrc_changes_nothing);
  tcase_add_test (tcase, simulcast_layers_are_streams);
  tcase_add_test (tcase, a_key_frame_is_asked_for_at_once);
  tcase_add_test (tcase, a_good_bye_ends_nothing);
  return suite;
}

GST_CHECK_MAIN (rtcnativereceiver);
