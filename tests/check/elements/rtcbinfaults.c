/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a peer, a server or the own pipeline can do wrong to rtcbin: a clear message, and nothing else is harmed. Every
 * case runs once for each transport. */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>

#define transport test_transports[__i__]

#define STEADY_BEGIN \
  TestRoom *room = test_room_new (); \
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8); \
  TestPeer *steady = test_room_add_viewer (room, camera, "steady", TEST_RTCBIN TEST_WATCH_VP8); \
  test_peer_wait_buffers (steady, "video", 5)

/* Whoever watches goes on watching. */
#define STEADY_END \
  test_peer_wait_buffers (steady, "video", 15); \
  test_room_free (room)

static void
check_failed (TestPeer *peer, const gchar *code, const gchar *text)
{
  GstMessage *message = test_peer_wait_message (peer, "rtc-peer-failed");
  const GstStructure *s = gst_message_get_structure (message);

  fail_unless_equals_string (gst_structure_get_string (s, "code"), code);
  fail_unless (strstr (gst_structure_get_string (s, "reason"), text) != NULL, "the reason is \"%s\", not about \"%s\"",
      gst_structure_get_string (s, "reason"), text);
  gst_message_unref (message);
}

static void
tell_of_stranger (TestPeer *peer, const gchar *offerer)
{
  gchar *json = g_strdup_printf ("{\"type\":\"joined\",\"peer\":{\"peerId\":\"stranger\",\"displayName\":\"Stranger\","
                                 "\"role\":\"both\",\"tracks\":{\"video\":1,\"audio\":0},\"offerer\":\"%s\"}}",
      offerer);

  test_peer_tell (peer, json);
  g_free (json);
}

static void
tell_offer (TestPeer *peer, const gchar *sdp)
{
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_OFFER);
  gchar *json;

  message->from = g_strdup ("stranger");
  message->session = g_strdup ("abc");
  message->sdp = g_strdup (sdp);
  json = rtc_message_to_json (message);
  test_peer_tell (peer, json);
  g_free (json);
  rtc_message_free (message);
}

#define SDP_HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
#define SDP_FINGERPRINT \
  "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:" \
  "EE:FF\r\n"
#define SDP_ICE "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
#define SDP_M(fmt) "m=video 9 UDP/TLS/RTP/SAVPF " fmt "\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=rtcp-mux\r\n"

static const struct
{
  const gchar *sdp, *code, *reason;
} bad_offers[] = {
    {"this is not a description", "bad-sdp", "v=0"},
    {"v=0\r\n", "bad-sdp", "0 sections"},
    {SDP_HEAD SDP_M ("96") "a=rtpmap:96 VP8/90000\r\na=recvonly\r\n" SDP_ICE SDP_FINGERPRINT, "bad-sdp", "no a=mid"},
    {SDP_HEAD SDP_M ("96") "a=mid:0\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n" SDP_ICE, "bad-sdp", "no a=fingerprint"},
    {SDP_HEAD SDP_M ("96") "a=mid:0\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n" SDP_FINGERPRINT, "bad-sdp",
        "ice-ufrag"},
    {SDP_HEAD
        "m=video 9 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n" SDP_ICE SDP_FINGERPRINT,
        "bad-sdp", "only secured"},
    {SDP_HEAD SDP_M ("96") "a=mid:0\r\na=rtpmap:96 VP8/90000\r\n" SDP_ICE SDP_FINGERPRINT SDP_M (
         "96") "a=mid:0\r\na=rtpmap:96 VP8/90000\r\n" SDP_ICE SDP_FINGERPRINT,
        "bad-sdp", "used twice"},
    {SDP_HEAD SDP_M ("96") "a=mid:0\r\na=rtpmap:96 THEORA/90000\r\na=recvonly\r\n" SDP_ICE SDP_FINGERPRINT,
        "no-common-codec", "video_0 is VP8, but the peer takes only THEORA"},
    {SDP_HEAD SDP_M (
         "96") "a=mid:0\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=0\r\na=recvonly\r\n" SDP_ICE
            SDP_FINGERPRINT,
        "no-common-codec", "video_0 is VP8"},
};

GST_START_TEST (an_offer_that_is_none)
{
  const guint n = G_N_ELEMENTS (bad_offers), which = __i__ % n;
  const gchar *name = test_transports[__i__ / n];
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", name, TEST_RTCBIN TEST_VP8);
  RtcMessage *error;

  tell_of_stranger (camera, "stranger");
  tell_offer (camera, bad_offers[which].sdp);
  check_failed (camera, bad_offers[which].code, bad_offers[which].reason);
  error = test_room_wait_sent (room, camera, RTC_MESSAGE_ERROR);
  fail_unless_equals_string (rtc_error_code_to_string (error->code), bad_offers[which].code);
  fail_unless_equals_string (error->to, "stranger");
  fail_unless_equals_string (error->session, "abc");
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (bad_offers_disturb_nobody)
{
  STEADY_BEGIN;

  tell_of_stranger (camera, "stranger");
  for (guint i = 0; i < G_N_ELEMENTS (bad_offers); i++)
    tell_offer (camera, bad_offers[i].sdp);
  check_failed (camera, "bad-sdp", "v=0");
  STEADY_END;
}
GST_END_TEST;

GST_START_TEST (messages_that_are_none)
{
  static const gchar *const texts[] = {"", "{", "[]", "null", "{\"type\":5}", "{\"type\":\"offer\"}",
      "{\"type\":\"candidate\",\"from\":\"steady\",\"session\":\"x\",\"candidate\":7}",
      "{\"type\":\"dance\",\"from\":\"steady\"}", "{\"type\":\"joined\"}", "{\"type\":\"left\",\"peerId\":\"nobody\"}",
      "{\"type\":\"answer\",\"from\":\"steady\",\"session\":\"stale\",\"sdp\":\"v=0\"}"};
  STEADY_BEGIN;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    test_peer_tell (camera, texts[i]);
  STEADY_END;
}
GST_END_TEST;

GST_START_TEST (candidates_that_are_none)
{
  static const gchar *const candidates[] = {"candidate:", "candidate:1 1 UDP x 1.2.3.4 5 typ host", "nonsense",
      "candidate:1 1 TCP 5 1.2.3.4 9 typ host", "candidate:1 1 UDP 0 1.2.3.4 9 typ host"};
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);

  tell_of_stranger (camera, "camera");
  for (guint i = 0; i < G_N_ELEMENTS (candidates); i++) {
    const gchar *session = test_room_wait_sent (room, camera, RTC_MESSAGE_OFFER)->session;
    gchar *json = g_strdup_printf (
        "{\"type\":\"candidate\",\"from\":\"stranger\",\"session\":\"%s\",\"candidate\":\"%s\",\"sdpMLineIndex\":0}",
        session, candidates[i]);
    RtcMessage *error;

    test_peer_tell (camera, json);
    error = test_room_wait_sent (room, camera, RTC_MESSAGE_ERROR);
    fail_unless_equals_int (error->code, RTC_ERROR_BAD_CANDIDATE);
    g_free (json);
  }
  test_room_free (room);
}
GST_END_TEST;

/* The attacker: who carries the messages puts another certificate's fingerprint in the description. */
static gboolean
swap_fingerprint (TestRoom *room, RtcMessage *message, gpointer user_data)
{
  const gchar *from = user_data;
  gchar *at;

  if (!message->sdp || g_strcmp0 (message->from, from))
    return TRUE;
  for (at = strstr (message->sdp, "a=fingerprint:sha-256 "); at; at = strstr (at + 1, "a=fingerprint:sha-256 "))
    memcpy (at + strlen ("a=fingerprint:sha-256 "), "00:11:22:33", 11);
  return TRUE;
}

static void
check_attack (const gchar *name, const gchar *victim_of, gboolean camera_offers)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera, *viewer, *fooled;

  test_room_set_filter (room, swap_fingerprint, (gpointer)victim_of);
  camera = test_room_add (room, "camera", name, TEST_RTCBIN TEST_VP8 TEST_OPUS);
  viewer = test_room_add (room, "viewer", name, TEST_RTCBIN TEST_WATCH_VP8);
  /* Whose description was changed is seen with the wrong certificate by the other. */
  fooled = g_str_equal (victim_of, "camera") ? viewer : camera;
  if (camera_offers)
    test_room_join (room, camera, viewer);
  else
    test_room_join (room, viewer, camera);
  check_failed (fooled, "fingerprint-mismatch", "certificate is not the one");
  fail_unless_equals_int (test_room_wait_sent (room, fooled, RTC_MESSAGE_ERROR)->code, RTC_ERROR_FINGERPRINT_MISMATCH);
  fail_unless_equals_int (test_peer_count_buffers (viewer, "video"), 0);
  test_room_free (room);
}

GST_START_TEST (a_certificate_of_somebody_else)
{
  const gchar *name = test_transports[__i__ / 4];

  check_attack (name, __i__ & 1 ? "camera" : "viewer", (__i__ & 2) != 0);
}
GST_END_TEST;

GST_START_TEST (b_frames_are_refused)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport,
      "rtcbin name=rtc videotestsrc pattern=smpte is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! "
      "x264enc bframes=3 b-adapt=false rc-lookahead=3 sync-lookahead=0 ! video/x-h264,profile=main ! rtc. ");

  test_peer_wait_error (camera, "has B-frames");
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (a_codec_that_is_not_known)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
  GstElement *encoder = gst_parse_bin_from_description ("videotestsrc ! theoraenc", TRUE, NULL);
  GstPad *src, *sink;

  gst_bin_add (GST_BIN (test_peer_get_pipeline (camera)), encoder);
  src = gst_element_get_static_pad (encoder, "src");
  sink = gst_element_request_pad_simple (test_peer_get_rtcbin (camera), "video_%u");
  fail_if (gst_pad_link (src, sink) == GST_PAD_LINK_OK);
  gst_element_release_request_pad (test_peer_get_rtcbin (camera), sink);
  gst_object_unref (sink);
  gst_object_unref (src);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (caps_that_never_come)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera =
      test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8 "appsrc is-live=true ! rtc.audio_0 ");
  TestPeer *viewer = test_room_add_viewer (room, camera, "viewer", TEST_RTCBIN TEST_WATCH_VP8);

  /* The picture is served all the same, without the sound. */
  test_peer_wait_buffers (viewer, "video", 10);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (a_pad_is_released_while_it_streams)
{
  GstPad *pad, *peer;
  gulong block;
  STEADY_BEGIN;

  pad = gst_element_request_pad_simple (test_peer_get_rtcbin (camera), "audio_%u");
  fail_unless (pad != NULL);
  gst_element_release_request_pad (test_peer_get_rtcbin (camera), pad);
  gst_object_unref (pad);
  test_peer_wait_buffers (steady, "video", 10);

  pad = gst_element_get_static_pad (test_peer_get_rtcbin (camera), "video_0");
  peer = gst_pad_get_peer (pad);
  /* A picture that finds no link at all would end the source, as anywhere in GStreamer. */
  block = gst_pad_add_probe (peer, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, NULL, NULL, NULL);
  gst_pad_unlink (peer, pad);
  gst_element_release_request_pad (test_peer_get_rtcbin (camera), pad);
  gst_object_unref (pad);
  pad = gst_element_request_pad_simple (test_peer_get_rtcbin (camera), "video_%u");
  fail_unless_equals_int (gst_pad_link (peer, pad), GST_PAD_LINK_OK);
  gst_pad_remove_probe (peer, block);
  gst_object_unref (pad);
  gst_object_unref (peer);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (states_back_and_forth)
{
  static const GstState states[] = {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PLAYING,
      GST_STATE_NULL, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_NULL, GST_STATE_PAUSED, GST_STATE_PLAYING};
  TestPeer *again;
  STEADY_BEGIN;

  for (guint i = 0; i < 30; i++)
    gst_element_set_state (test_peer_get_pipeline (steady), states[i % G_N_ELEMENTS (states)]);
  again = test_room_add_viewer (room, camera, "again", TEST_RTCBIN TEST_WATCH_VP8);
  test_peer_wait_buffers (again, "video", 10);
  test_room_free (room);
}
GST_END_TEST;

GST_START_TEST (more_peers_than_allowed)
{
  TestRoom *room = test_room_new ();
  TestPeer *camera = test_room_add (room, "camera", transport, "rtcbin name=rtc max-peers=1 " TEST_VP8);
  TestPeer *steady = test_room_add_viewer (room, camera, "steady", TEST_RTCBIN TEST_WATCH_VP8);

  test_peer_wait_buffers (steady, "video", 5);
  tell_of_stranger (camera, "camera");
  fail_unless_equals_int (test_room_wait_sent (room, camera, RTC_MESSAGE_ERROR)->code, RTC_ERROR_TOO_MANY_PEERS);
  STEADY_END;
}
GST_END_TEST;

GST_START_TEST (a_peer_that_never_answers)
{
  STEADY_BEGIN;

  tell_of_stranger (camera, "camera");
  check_failed (camera, "setup-failed", "not up after 15 s");
  STEADY_END;
}
GST_END_TEST;

/* The streaming thread waits in a sink that is paused, the connection that it belongs to is being ended, and the
 * pipeline stops: nobody may wait for the other. */
GST_START_TEST (stopping_while_a_peer_leaves)
{
  for (guint i = 0; i < 5; i++) {
    TestRoom *room = test_room_new ();
    TestPeer *camera = test_room_add (room, "camera", transport, TEST_RTCBIN TEST_VP8);
    TestPeer *viewer = test_room_add_viewer (
        room, camera, "viewer", "rtcbin name=rtc rtc.video_src_0 ! vp8dec ! fakesink name=video sync=true");

    test_peer_wait_buffers (viewer, "video", 3);
    test_peer_tell (viewer, "{\"type\":\"left\",\"peerId\":\"camera\",\"reason\":\"closed\"}");
    gst_element_set_state (test_peer_get_pipeline (viewer), GST_STATE_PAUSED);
    test_room_free (room);
  }
}
GST_END_TEST;

static Suite *
rtcbinfaults_suite (void)
{
  Suite *s = suite_create ("rtcbinfaults");
  TCase *tcase = tcase_create ("faults");
  guint n = test_transports_load ();

  suite_add_tcase (s, tcase);
  tcase_add_loop_test (tcase, an_offer_that_is_none, 0, n * G_N_ELEMENTS (bad_offers));
  tcase_add_loop_test (tcase, bad_offers_disturb_nobody, 0, n);
  tcase_add_loop_test (tcase, messages_that_are_none, 0, n);
  tcase_add_loop_test (tcase, candidates_that_are_none, 0, n);
  tcase_add_loop_test (tcase, a_certificate_of_somebody_else, 0, 4 * n);
  tcase_add_loop_test (tcase, b_frames_are_refused, 0, n);
  tcase_add_loop_test (tcase, a_codec_that_is_not_known, 0, n);
  tcase_add_loop_test (tcase, caps_that_never_come, 0, n);
  tcase_add_loop_test (tcase, a_pad_is_released_while_it_streams, 0, n);
  tcase_add_loop_test (tcase, states_back_and_forth, 0, n);
  tcase_add_loop_test (tcase, stopping_while_a_peer_leaves, 0, n);
  tcase_add_loop_test (tcase, more_peers_than_allowed, 0, n);
  tcase_add_loop_test (tcase, a_peer_that_never_answers, 0, n);
  return s;
}

GST_CHECK_MAIN (rtcbinfaults);
