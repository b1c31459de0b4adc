/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* rtcbin to rtcbin, and rtcbin against what a peer or a pipeline can do wrong. Every case runs once for each transport.
 */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>
#include <gst/video/video.h>

#define transport test_transports[__i__]

GST_START_TEST (one_sends_one_watches)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8 TEST_OPUS);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8 TEST_WATCH_OPUS);

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
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8 TEST_OPUS);
  TestPeer *viewer = test_room_add (room, "viewer", transport, TEST_RTCBIN TEST_WATCH_VP8 TEST_WATCH_OPUS);

  test_room_join (room, viewer, camera);
  test_peer_wait_buffers (viewer, "video", 30);
  test_peer_wait_buffers (viewer, "audio", 30);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (both_send_and_both_watch)
{
  TestRoom *room = test_room_new ();
  TestPeer *left =
      test_room_add (room, "left", transport, TEST_RTCBIN TEST_VP8 TEST_OPUS TEST_WATCH_VP8 TEST_WATCH_OPUS);
  TestPeer *right =
      test_room_add (room, "right", transport, TEST_RTCBIN TEST_VP8 TEST_OPUS TEST_WATCH_VP8 TEST_WATCH_OPUS);

  test_room_join (room, left, right);
  test_peer_wait_buffers (left, "video", 30);
  test_peer_wait_buffers (left, "audio", 30);
  test_peer_wait_buffers (right, "video", 30);
  test_peer_wait_buffers (right, "audio", 30);
  test_room_free (room);
}
GST_END_TEST;

static const gchar *const streams[][2] = {
    {TEST_VIDEO "x264enc tune=zerolatency ! rtc. ",
        "rtc.video_src_0 ! avdec_h264 ! fakesink name=media sync=false async=false"},
    {TEST_VIDEO "vp9enc deadline=1 cpu-used=8 ! rtc. ",
        "rtc.video_src_0 ! vp9dec ! fakesink name=media sync=false async=false"},
    {TEST_VIDEO "x265enc tune=zerolatency speed-preset=ultrafast ! rtc. ",
        "rtc.video_src_0 ! avdec_h265 ! fakesink name=media sync=false async=false"},
    {TEST_VIDEO "vp8enc deadline=1 ! rtpvp8pay ! rtc. ",
        "rtc.video_src_0 ! vp8dec ! fakesink name=media sync=false async=false"},
    {TEST_VIDEO "x264enc tune=zerolatency ! rtph264pay config-interval=-1 ! rtc. ",
        "rtc.video_src_0 ! avdec_h264 ! fakesink name=media sync=false async=false"},
    {"audiotestsrc is-live=true ! audioconvert ! audioresample ! mulawenc ! rtc. ",
        "rtc.audio_src_0 ! mulawdec ! fakesink name=media sync=false async=false"},
    {"audiotestsrc is-live=true ! audioconvert ! audioresample ! alawenc ! rtc. ",
        "rtc.audio_src_0 ! alawdec ! fakesink name=media sync=false async=false"},
    {"audiotestsrc is-live=true ! audioconvert ! audioresample ! audio/x-raw,rate=16000,channels=1 ! avenc_g722 ! "
     "rtc. ",
        "rtc.audio_src_0 ! avdec_g722 ! fakesink name=media sync=false async=false"},
    {"audiotestsrc is-live=true ! opusenc ! rtpopuspay ! rtc. ",
        "rtc.audio_src_0 ! opusdec ! fakesink name=media sync=false async=false"},
    {"audiotestsrc is-live=true ! level audio-level-meta=true ! opusenc ! rtc. ",
        "rtc.audio_src_0 ! opusdec ! fakesink name=media sync=false async=false"},
};

/* Every codec, in both roles: the loop index is the stream's, times two, times the transports. */
GST_START_TEST (every_codec)
{
  guint stream = __i__ / 2 % G_N_ELEMENTS (streams);
  const gchar *name = test_transports[__i__ / (2 * G_N_ELEMENTS (streams))];
  gchar *send = g_strconcat (TEST_RTCBIN, streams[stream][0], NULL);
  gchar *watch = g_strconcat (TEST_RTCBIN, streams[stream][1], NULL);
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", name, send);
  TestPeer *viewer = test_room_add (room, "viewer", name, watch);

  if (__i__ % 2)
    test_room_join (room, camera, viewer);
  else
    test_room_join (room, viewer, camera);
  test_peer_wait_buffers (viewer, "media", 10);
  test_room_free (room);
  g_free (send);
  g_free (watch);
}
GST_END_TEST;

GST_START_TEST (a_newcomer_gets_a_key_frame)
{
  /* No key frame comes by itself for half a minute. */
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  TestPeer *first = test_room_add_viewer (room, camera, "first", TEST_RTCBIN TEST_WATCH_VP8);
  TestPeer *second;

  test_peer_wait_buffers (first, "video", 30);
  second = test_room_add_viewer (room, camera, "second", TEST_RTCBIN TEST_WATCH_VP8);
  test_peer_wait_buffers (second, "video", 10);
  test_peer_wait_buffers (first, "video", 10);
  test_room_free (room);
}
GST_END_TEST;

/* Of the track with that number. */
static guint64
nth_track_stat (TestPeer *peer, guint number, const gchar *field)
{
  GstStructure *stats = NULL;
  const GValue *tracks;
  const GstStructure *track;
  guint64 value = 0;
  guint small;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  tracks = gst_structure_get_value (stats, "tracks");
  fail_unless (gst_value_array_get_size (tracks) > number);
  track = gst_value_get_structure (gst_value_array_get_value (tracks, number));
  if (!gst_structure_get_uint64 (track, field, &value)) {
    fail_unless (gst_structure_get_uint (track, field, &small), "no field %s", field);
    value = small;
  }
  gst_structure_free (stats);
  return value;
}

static guint64
track_stat (TestPeer *peer, const gchar *field)
{
  return nth_track_stat (peer, 0, field);
}

GST_START_TEST (newcomers_share_a_key_frame)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, "rtcbin name=rtc keyframe-min-interval=4000 " TEST_VP8);
  TestPeer *first = test_room_add_viewer (room, camera, "first", TEST_RTCBIN TEST_WATCH_VP8), *viewers[4];

  /* Its request begins the four seconds in which the others come. */
  test_peer_wait_buffers (first, "video", 1);
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++) {
    gchar *id = g_strdup_printf ("viewer%u", i);

    viewers[i] = test_room_add_viewer (room, camera, id, TEST_RTCBIN TEST_WATCH_VP8);
    g_free (id);
  }
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    test_peer_wait_buffers (viewers[i], "video", 1);
  /* One for the first and one for all others; a machine under load may need a third. */
  fail_unless (track_stat (camera, "key-frame-requests") <= 3);
  test_room_free (room);
}
GST_END_TEST;

/* What a decoder does that lost its picture. */
static void
ask_for_key_frame (TestPeer *viewer, const gchar *sink_name)
{
  GstElement *sink = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (viewer)), sink_name);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");

  gst_pad_push_event (pad, gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE, 0));
  gst_object_unref (pad);
  gst_object_unref (sink);
}

/* Which of the camera's two encoders is asked alone when a key frame of SINK's picture is missing; -1: none is. On a
 * machine under load frames are lost by themselves, so one round says nothing. */
static gint
find_asked (TestPeer *camera, TestPeer *viewer, const gchar *sink)
{
  for (guint round = 0; round < 40; round++) {
    guint64 before[2] = {
        nth_track_stat (camera, 0, "key-frame-requests"), nth_track_stat (camera, 1, "key-frame-requests")};
    gboolean second;

    ask_for_key_frame (viewer, sink);
    test_peer_wait_buffers (viewer, sink, 10);
    second = nth_track_stat (camera, 1, "key-frame-requests") > before[1];
    if (second != (nth_track_stat (camera, 0, "key-frame-requests") > before[0]))
      return second;
  }
  return -1;
}

/* Each track has an encoder of its own, and time of its own to wait. */
GST_START_TEST (a_loss_on_one_track_is_no_other_tracks)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera =
      test_room_add (room, "camera", transport, "rtcbin name=rtc keyframe-min-interval=500 " TEST_VP8 TEST_VP8);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer",
      TEST_RTCBIN TEST_WATCH_VP8 "rtc.video_src_1 ! vp8dec ! fakesink name=other sync=false async=false ");
  gint asked, other = -1;

  test_peer_wait_buffers (viewer, "video", 30);
  test_peer_wait_buffers (viewer, "other", 30);
  for (guint round = 0; round < 5; round++) {
    asked = find_asked (camera, viewer, "video");
    other = find_asked (camera, viewer, "other");
    fail_unless (asked >= 0 && other >= 0, "both encoders are asked, or none: %d, %d", asked, other);
    if (asked != other)
      break;
  }
  fail_unless (asked != other, "the same encoder is asked whichever picture is missing");
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (two_of_each_kind)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8 TEST_VP8 TEST_OPUS TEST_OPUS);
  TestPeer *viewer = test_room_add (room, "viewer", transport,
      TEST_RTCBIN TEST_WATCH_VP8 TEST_WATCH_OPUS
      "rtc.video_src_1 ! vp8dec ! fakesink name=video1 sync=false async=false "
      "rtc.audio_src_1 ! opusdec ! fakesink name=audio1 sync=false async=false ");

  test_room_join (room, viewer, camera);
  test_peer_wait_buffers (viewer, "video", 15);
  test_peer_wait_buffers (viewer, "video1", 15);
  test_peer_wait_buffers (viewer, "audio", 15);
  test_peer_wait_buffers (viewer, "audio1", 15);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (a_pad_waits_for_the_next_peer)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  TestPeer *viewer = test_room_add (room, "viewer", transport, TEST_RTCBIN TEST_WATCH_VP8);
  GstPad *pad;
  gchar *id = NULL;

  test_room_join (room, camera, viewer);
  test_peer_wait_buffers (viewer, "video", 10);
  test_room_leave (room, camera);
  gst_message_unref (test_peer_wait_message (viewer, "rtc-peer-left"));

  camera = test_room_add (room, "camera-again", transport, TEST_RTCBIN TEST_VP8);
  test_room_join (room, camera, viewer);
  test_peer_wait_buffers (viewer, "video", 20);
  pad = gst_element_get_static_pad (test_peer_get_rtcbin (viewer), "video_src_0");
  g_object_get (pad, "peer-id", &id, NULL);
  fail_unless_equals_string (id, "camera-again");
  g_free (id);
  gst_object_unref (pad);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (a_pad_goes_with_its_peer)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  TestPeer *viewer =
      test_room_add (room, "viewer", transport, "rtcbin name=rtc reuse-source-pads=false " TEST_WATCH_VP8);
  GAsyncQueue *gone = g_async_queue_new ();

  g_signal_connect_swapped (test_peer_get_rtcbin (viewer), "pad-removed", G_CALLBACK (g_async_queue_push), gone);
  test_room_join (room, camera, viewer);
  test_peer_wait_buffers (viewer, "video", 10);
  test_room_leave (room, camera);
  /* Its only sink got EOS, and then the pad goes. */
  gst_message_unref (
      gst_bus_timed_pop_filtered (GST_ELEMENT_BUS (test_peer_get_pipeline (viewer)), 20 * GST_SECOND, GST_MESSAGE_EOS));
  fail_unless (g_async_queue_timeout_pop (gone, 20 * G_USEC_PER_SEC) != NULL);
  fail_unless (gst_element_get_static_pad (test_peer_get_rtcbin (viewer), "video_src_0") == NULL);
  test_room_free (room);
  g_async_queue_unref (gone);
}
GST_END_TEST;

static GstPadProbeReturn
see_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);

  if (gst_event_has_name (event, "GstRTPPacketLost"))
    *(gboolean *)user_data = gst_event_is_writable (event);
  return GST_PAD_PROBE_OK;
}

/* Depayloaders write on it. */
GST_START_TEST (what_is_told_of_a_lost_packet_is_the_depayloaders)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8);
  GstEvent *event = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
      gst_structure_new ("GstRTPPacketLost", "seqnum", G_TYPE_UINT, 1, "timestamp", G_TYPE_UINT64,
          G_GUINT64_CONSTANT (0), "duration", G_TYPE_UINT64, G_GUINT64_CONSTANT (0), NULL));
  GValue depayloader = G_VALUE_INIT;
  gboolean is_writable = FALSE;
  GstIterator *all;
  GstPad *pad;

  test_peer_wait_buffers (viewer, "video", 10);
  all = gst_bin_iterate_all_by_element_factory_name (GST_BIN (test_peer_get_rtcbin (viewer)), "rtpvp8depay");
  fail_unless_equals_int (gst_iterator_next (all, &depayloader), GST_ITERATOR_OK);
  pad = gst_element_get_static_pad (g_value_get_object (&depayloader), "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, see_event, &is_writable, NULL);
  fail_unless (gst_pad_send_event (pad, gst_event_ref (event)));
  fail_unless (is_writable);
  test_room_free (room);
  gst_event_unref (event);
  gst_object_unref (pad);
  g_value_unset (&depayloader);
  gst_iterator_free (all);
}
GST_END_TEST;

GST_START_TEST (one_encoder_serves_all)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  TestPeer *viewers[3];
  guint64 packets, frames;

  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++) {
    gchar *id = g_strdup_printf ("viewer%u", i);

    viewers[i] = test_room_add (room, id, transport, TEST_RTCBIN TEST_WATCH_VP8);
    test_room_join (room, viewers[i], camera);
    g_free (id);
  }
  for (guint i = 0; i < G_N_ELEMENTS (viewers); i++)
    test_peer_wait_buffers (viewers[i], "video", 20);
  fail_unless_equals_int (track_stat (camera, "peers"), G_N_ELEMENTS (viewers));
  packets = track_stat (camera, "packets");
  frames = track_stat (camera, "frames");
  /* A small picture is a packet a frame, and each is made once, not once a viewer. */
  fail_unless (packets <= frames * 2, "%" G_GUINT64_FORMAT " packets of %" G_GUINT64_FORMAT " frames", packets, frames);
  test_room_free (room);
}
GST_END_TEST;

/* What PEER knows of its first line to its only peer; NULL before there is one. (transfer full) */
static GstStructure *
get_line_stats (TestPeer *peer)
{
  GstStructure *stats = NULL, *line = NULL;
  const GstStructure *other;
  const GValue *array;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  array = gst_structure_get_value (stats, "peers");
  fail_unless_equals_int (gst_value_array_get_size (array), 1);
  other = gst_value_get_structure (gst_value_array_get_value (array, 0));
  array = gst_structure_get_value (other, "lines");
  if (array && gst_value_array_get_size (array) > 0)
    line = gst_structure_copy (gst_value_get_structure (gst_value_array_get_value (array, 0)));
  /* The peer's is a line's. */
  fail_unless (!line || !gst_structure_has_field (line, "round-trip-time")
      || gst_structure_has_field_typed (other, "round-trip-time", G_TYPE_DOUBLE));
  gst_structure_free (stats);
  return line;
}

/* Looks every other frame that VIEWER gets, until there is FIELD. */
static GstStructure *
wait_line_stats (TestPeer *peer, const gchar *field, TestPeer *viewer)
{
  GstStructure *line = NULL;

  for (guint i = 0; i < 300; i++) {
    g_clear_pointer (&line, gst_structure_free);
    test_peer_wait_buffers (viewer, "video", 2);
    line = get_line_stats (peer);
    if (line && gst_structure_has_field (line, field))
      return line;
  }
  fail ("no %s within 600 frames: %s", field, line ? gst_structure_to_string (line) : "no line");
  return NULL;
}

GST_START_TEST (both_ends_know_what_was_lost)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8 TEST_VP8 TEST_OPUS TEST_OPUS);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8);
  GstStructure *line = wait_line_stats (camera, "round-trip-time", viewer);
  gdouble round_trip_time, fraction_lost, jitter;
  gint64 lost;

  fail_unless (gst_structure_get (line, "round-trip-time", G_TYPE_DOUBLE, &round_trip_time, "remote-fraction-lost",
      G_TYPE_DOUBLE, &fraction_lost, "remote-packets-lost", G_TYPE_INT64, &lost, "remote-jitter", G_TYPE_DOUBLE,
      &jitter, NULL));
  /* On a way that goes nowhere and loses nothing. (RFC 3550, A.3: a packet that counts twice makes it negative.) */
  fail_unless (round_trip_time >= 0 && round_trip_time < 1, "the round trip takes %f s", round_trip_time);
  fail_unless_equals_float (fraction_lost, 0);
  fail_unless (lost <= 0, "%" G_GINT64_FORMAT " packets are lost", lost);
  fail_unless (jitter >= 0 && jitter < 1, "the jitter is %f s", jitter);
  gst_structure_free (line);

  line = wait_line_stats (viewer, "packets-lost", viewer);
  fail_unless (gst_structure_get (line, "fraction-lost", G_TYPE_DOUBLE, &fraction_lost, "packets-lost", G_TYPE_INT64,
      &lost, "jitter", G_TYPE_DOUBLE, &jitter, NULL));
  fail_unless_equals_float (fraction_lost, 0);
  fail_unless (lost <= 0, "%" G_GINT64_FORMAT " packets are lost", lost);
  fail_unless (jitter >= 0 && jitter < 1, "the jitter is %f s", jitter);
  gst_structure_free (line);
  test_room_free (room);
}
GST_END_TEST;

typedef struct
{
  GstObject *asker;
  gint n; /* atomic */
} Questions;

static gboolean
count_questions (GSignalInvocationHint *hint, guint n_values, const GValue *values, gpointer user_data)
{
  Questions *questions = user_data;

  if (gst_object_has_as_ancestor (g_value_get_object (&values[0]), questions->asker))
    g_atomic_int_inc (&questions->n);
  return TRUE;
}

/* rtpsession asks webrtcbin for the clock rate of a sender that it was not told of, on the way to a report, which is
 * when it must not: see name_the_senders(). */
GST_START_TEST (no_report_asks_for_a_clock_rate)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", "webrtcbin", TEST_RTCBIN TEST_VP8 TEST_OPUS);
  GstElement *session = gst_element_factory_make ("rtpsession", NULL);
  guint asks = g_signal_lookup ("request-pt-map", G_OBJECT_TYPE (session));
  Questions questions = {.asker = GST_OBJECT (test_peer_get_pipeline (camera))};
  gulong hook = g_signal_add_emission_hook (asks, 0, count_questions, &questions, NULL);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8 TEST_WATCH_OPUS);

  /* A viewer that tells how long the way is has had a report. */
  gst_structure_free (wait_line_stats (camera, "round-trip-time", viewer));
  g_signal_remove_emission_hook (asks, hook);
  fail_unless_equals_int (g_atomic_int_get (&questions.n), 0);
  gst_object_unref (session);
  test_room_free (room);
}
GST_END_TEST;

/* What PEER knows of its only peer; NULL before there is one. (transfer full) */
static GstStructure *
get_peer_stats (TestPeer *peer)
{
  GstStructure *stats = NULL, *other = NULL;
  const GValue *peers;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  if (gst_value_array_get_size (peers) > 0)
    other = gst_structure_copy (gst_value_get_structure (gst_value_array_get_value (peers, 0)));
  gst_structure_free (stats);
  return other;
}

/* Packet by packet, and about all lines (transport-wide congestion control). */
GST_START_TEST (viewers_tell_what_came)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", "native", TEST_RTCBIN TEST_VP8 TEST_OPUS);
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8 TEST_WATCH_OPUS);
  GstStructure *other = NULL;
  guint64 bitrate = 0, arrived = 0, lost = 0, sent = 0;
  gdouble fraction;

  for (guint i = 0; i < 100 && (bitrate == 0 || arrived < 100); i++) {
    g_clear_pointer (&other, gst_structure_free);
    test_peer_wait_buffers (viewer, "video", 3);
    other = get_peer_stats (camera);
    gst_structure_get (other, "acknowledged-bitrate", G_TYPE_UINT64, &bitrate, "acknowledged-packets", G_TYPE_UINT64,
        &arrived, "lost-packets", G_TYPE_UINT64, &lost, "packets-sent", G_TYPE_UINT64, &sent, "lost-fraction",
        G_TYPE_DOUBLE, &fraction, NULL);
  }
  fail_unless (
      arrived >= 100 && arrived <= sent, "of %" G_GUINT64_FORMAT " packets %" G_GUINT64_FORMAT " came", sent, arrived);
  fail_unless_equals_uint64 (lost, 0);
  fail_unless_equals_float (fraction, 0);
  /* A small test picture and a tone. */
  fail_unless (bitrate > 20000 && bitrate < 5000000, "%" G_GUINT64_FORMAT " bit/s came", bitrate);
  gst_structure_free (other);
  test_room_free (room);
}
GST_END_TEST;

static Suite *
rtcbin_suite (void)
{
  Suite *s = suite_create ("rtcbin");
  TCase *tcase = tcase_create ("streams");
  guint n = test_transports_load ();

  suite_add_tcase (s, tcase);
  tcase_add_loop_test (tcase, one_sends_one_watches, 0, n);
  tcase_add_loop_test (tcase, the_viewer_offers, 0, n);
  tcase_add_loop_test (tcase, both_send_and_both_watch, 0, n);
  tcase_add_loop_test (tcase, every_codec, 0, n * 2 * G_N_ELEMENTS (streams));
  tcase_add_loop_test (tcase, a_newcomer_gets_a_key_frame, 0, n);
  tcase_add_loop_test (tcase, newcomers_share_a_key_frame, 0, n);
  tcase_add_loop_test (tcase, a_loss_on_one_track_is_no_other_tracks, 0, n);
  tcase_add_loop_test (tcase, two_of_each_kind, 0, n);
  tcase_add_loop_test (tcase, a_pad_waits_for_the_next_peer, 0, n);
  tcase_add_loop_test (tcase, a_pad_goes_with_its_peer, 0, n);
  tcase_add_loop_test (tcase, what_is_told_of_a_lost_packet_is_the_depayloaders, 0, n);
  tcase_add_loop_test (tcase, one_encoder_serves_all, 0, n);
  tcase_add_loop_test (tcase, both_ends_know_what_was_lost, 0, n);
  if (g_strv_contains ((const gchar *const *)test_transports, "webrtcbin"))
    tcase_add_test (tcase, no_report_asks_for_a_clock_rate);
  if (g_strv_contains ((const gchar *const *)test_transports, "native"))
    tcase_add_test (tcase, viewers_tell_what_came);
  return s;
}

GST_CHECK_MAIN (rtcbin);
