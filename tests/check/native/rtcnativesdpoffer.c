/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Offers of the native transport, and what real implementations answered to them (tests/data/native-offers).
 * RTC_TEST_RECORD=1 writes the offers anew. */

#include "sdpfixture.h"
#include "core/rtcmessage.h"

#include <string.h>

#define SESSION "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define FINGERPRINT \
  "a=fingerprint:sha-256 " \
  "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:" \
  "ff\r\n"
#define ICE(name) "a=ice-ufrag:" name name "\r\na=ice-pwd:" name "234567890123456789012345\r\n"
#define SECTION(kind, port, payload, mid, name) \
  "m=" kind " " port " UDP/TLS/RTP/SAVPF " payload "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n" ICE (name) FINGERPRINT

static const struct
{
  const gchar *tracks;
  guint n_video, n_audio;
  gboolean with_data;
  const gchar *name;
} offers[] = {
    {"VP8 OPUS", 1, 1, FALSE, "calls-vp8-opus"},
    {"H264-constrained-baseline", 0, 0, FALSE, "sends-h264"},
    {"H264-constrained-baseline H264-high VP8 OPUS PCMU", 2, 1, FALSE, "sends-many"},
    {"-", 1, 1, FALSE, "watches"},
    {"-", 0, 0, TRUE, "data"},
    {"VP8 OPUS", 0, 0, TRUE, "sends-vp8-opus-data"},
};

static GArray *
plan_offer (guint which, Tracks *tracks)
{
  tracks_init (tracks, offers[which].tracks);
  return gst_rtc_sdp_plan_offer (
      tracks->tracks, tracks->n, offers[which].n_video, offers[which].n_audio, offers[which].with_data);
}

static void
offers_are_as_recorded (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (offers); i++) {
    g_autofree gchar *text = NULL, *name = g_strconcat (offers[i].name, ".sdp", NULL), *again = NULL;
    GstSDPMessage *offer, *parsed;
    Tracks tracks;
    GArray *lines = plan_offer (i, &tracks);

    g_test_message ("%s", offers[i].name);
    offer = gst_rtc_native_sdp_offer (lines, tracks.tracks, &us);
    text = gst_sdp_message_as_text (offer);
    parsed = parse (text, FALSE);
    check_rules (parsed);
    for (guint k = 0; k < lines->len; k++) {
      const GstRtcLine *line = &g_array_index (lines, GstRtcLine, k);
      const GstSDPMedia *media = gst_sdp_message_get_media (parsed, k);

      g_assert_cmpstr (line->mid, ==, gst_sdp_media_get_attribute_val (media, "mid"));
      g_assert_true (is_bundled (parsed, line->mid));
      g_assert_true (has_value (media, "setup", "actpass"));
      if (line->is_data)
        continue;
      g_assert_cmpint (line->payload, ==, atoi (gst_sdp_media_get_format (media, 0)));
      g_assert_true (has_value (media, line->send ? "sendonly" : "recvonly", NULL));
    }
    compare ("native-offers", name, text);
    gst_sdp_message_free (offer);
    gst_sdp_message_free (parsed);
    /* The same again: nothing changes but what has to. */
    offer = gst_rtc_native_sdp_offer (lines, tracks.tracks, &us);
    again = gst_sdp_message_as_text (offer);
    g_assert_cmpstr (again, ==, text);
    gst_sdp_message_free (offer);
    g_array_unref (lines);
    tracks_clear (&tracks);
  }
}

/* What real implementations answered to these offers. */
static const struct
{
  guint offer;
  const gchar *answer, *plan; /* NULL: nothing passes */
  const gchar *problem; /* part of it */
} recorded[] = {
    {0, "calls-vp8-opus.aiortc.sdp",
        "0 send VP8/96+97 1 0, 1 send OPUS/111 1 0, 2 receive VP8/96+97 1 0, 3 receive OPUS/111 1 0", NULL},
    {0, "calls-vp8-opus.chromium.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 1 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 1 2", NULL},
    {0, "calls-vp8-opus.firefox.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 1 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 1 2", NULL},
    {0, "calls-vp8-opus.pion.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 0 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 0 2", NULL},
    {0, "calls-vp8-opus.janus.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 1 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 1 2", NULL},
    {1, "sends-h264.aiortc.sdp", "0 send H264/102+103 1 0", NULL},
    {1, "sends-h264.chromium.sdp", "0 send H264/102+103 1 2", NULL},
    {1, "sends-h264.firefox.sdp", NULL, "The peer does not take our video in section 0 (H264)."},
    {1, "sends-h264.janus.sdp", "0 send H264/102+103 1 2", NULL},
    {1, "sends-h264.pion.sdp", "0 send H264/102+103 1 2", NULL},
    {2, "sends-many.chromium.sdp",
        "0 send H264/102+114 1 2, 1 -, 2 send VP8/96+97 1 2, 3 send OPUS/111 1 2, 4 send PCMU/0 1 2, 5 receive "
        "VP8/96+97 1 2, 6 receive VP8/96+97 1 2, 7 receive OPUS/111 1 2",
        "The peer does not take our video in section 1 (H264)."},
    {2, "sends-many.firefox.sdp",
        "0 -, 1 -, 2 send VP8/96+97 1 2, 3 send OPUS/111 1 2, 4 send PCMU/0 1 2, 5 receive VP8/96+97 1 2, 6 receive "
        "VP8/96+97 1 2, 7 receive OPUS/111 1 2",
        "The peer does not take our video in section 0 (H264)."},
    {2, "sends-many.janus.sdp",
        "0 send H264/102+114 1 2, 1 send H264/112+115 1 2, 2 send VP8/96+97 1 2, 3 send OPUS/111 1 2, 4 send PCMU/0 1 "
        "2, 5 receive VP8/96+97 1 2, 6 receive VP8/96+97 1 2, 7 receive OPUS/111 1 2",
        NULL},
    {2, "sends-many.pion.sdp",
        "0 send H264/102+114 1 2, 1 send H264/112+115 1 2, 2 send VP8/96+97 1 2, 3 send OPUS/111 0 2, 4 send PCMU/0 0 "
        "2, 5 receive VP8/96+97 1 2, 6 receive VP8/96+97 1 2, 7 receive OPUS/111 0 2",
        NULL},
    {3, "watches.aiortc.sdp", "0 receive VP8/96+97 1 0, 1 receive OPUS/111 1 0", NULL},
    {3, "watches.chromium.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 1 2", NULL},
    {3, "watches.firefox.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 1 2", NULL},
    {3, "watches.pion.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 0 2", NULL},
    {4, "data.aiortc.sdp", "0 data 5000 262144", NULL},
    {4, "data.chromium.sdp", "0 data 5000 262144", NULL},
    {4, "data.firefox.sdp", "0 data 5000 1073741823", NULL},
    {4, "data.pion.sdp", "0 data 5000 1073741823", NULL},
};

/* "0 send VP8/96+97 1 2", with the ids of MID and TWCC, one for each line; a rejected one is "0 -". */
static gchar *
describe (const GArray *lines)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    g_string_append_printf (text, "%s%s ", i ? ", " : "", line->mid);
    if (!line->accepted) {
      g_string_append_c (text, '-');
      continue;
    }
    if (line->is_data) {
      g_string_append_printf (text, "data %u %" G_GUINT64_FORMAT, line->sctp_port, line->max_message_size);
      continue;
    }
    g_string_append_printf (text, "%s%s%s/%d", line->send ? "send " : "", line->receive ? "receive " : "",
        line->codec->encoding_name, line->payload);
    if (line->rtx_payload >= 0)
      g_string_append_printf (text, "+%d", line->rtx_payload);
    g_string_append_printf (text, " %u %u", line->ext_mid, line->ext_twcc);
  }
  return g_string_free (text, FALSE);
}

static void
check_recorded_remote (const GstSDPMessage *answer, const GArray *lines)
{
  GstRtcNativeRemote remote;
  GError *error = NULL;

  g_assert_true (gst_rtc_native_sdp_read (answer, lines, TRUE, TRUE, &remote, &error));
  g_assert_no_error (error);
  g_assert_true (remote.is_dtls_server);
  g_assert_cmpuint (strlen (remote.ufrag), >=, 4);
  g_assert_cmpuint (strlen (remote.password), >=, 22);
  g_assert_cmpuint (g_strv_length (remote.fingerprints), >=, 1);
  gst_rtc_native_remote_clear (&remote);
}

static void
recorded_answers_fit_our_offers (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (recorded); i++) {
    g_autofree gchar *text = read_data ("native-offers", recorded[i].answer), *problems = NULL, *plan = NULL;
    GstSDPMessage *answer = parse (text, TRUE);
    GError *error = NULL;
    Tracks tracks;
    GArray *lines = plan_offer (recorded[i].offer, &tracks);

    g_test_message ("%s", recorded[i].answer);
    gst_sdp_message_free (gst_rtc_native_sdp_offer (lines, tracks.tracks, &us));
    if (gst_rtc_sdp_apply_answer (answer, lines, &problems, &error)) {
      plan = describe (lines);
      g_assert_cmpstr (plan, ==, recorded[i].plan);
      check_recorded_remote (answer, lines);
    } else {
      g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
      g_assert_null (recorded[i].plan);
      problems = g_strdup (error->message);
      g_clear_error (&error);
    }
    if (recorded[i].problem)
      g_assert_nonnull (strstr (problems, recorded[i].problem));
    else
      g_assert_null (problems);
    gst_sdp_message_free (answer);
    g_array_unref (lines);
    tracks_clear (&tracks);
  }
}

/* Parts of a second offer: what the answer chose stays, what it rejected is closed. */
static void
a_second_offer_keeps_what_was_agreed (void)
{
  static const gchar answer[] = SESSION "a=group:BUNDLE 0 2\r\n" SECTION ("video", "9", "96 97", "0",
      "aa") "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=recvonly\r\n"
            "a=setup:active\r\n"
            "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n" SECTION (
                "video", "9", "98 99", "2", "aa") "a=rtpmap:98 VP9/90000\r\n"
                                                  "a=fmtp:98 profile-id=0\r\n"
                                                  "a=rtpmap:99 rtx/90000\r\n"
                                                  "a=fmtp:99 apt=98\r\na=sendonly\r\n";
  GstRtcNativeLocal later = us;
  g_autofree gchar *problems = NULL, *text = NULL;
  GstRtcNativeRemote remote;
  GError *error = NULL;
  Tracks tracks;
  GArray *lines;
  GstSDPMessage *sdp;
  const GstSDPMedia *media;

  tracks_init (&tracks, "VP8 OPUS");
  lines = gst_rtc_sdp_plan_offer (tracks.tracks, tracks.n, 1, 0, FALSE);
  gst_sdp_message_free (gst_rtc_native_sdp_offer (lines, tracks.tracks, &us));
  sdp = parse (answer, TRUE);
  g_assert_true (gst_rtc_sdp_apply_answer (sdp, lines, &problems, &error));
  g_assert_true (gst_rtc_native_sdp_read (sdp, lines, TRUE, FALSE, &remote, &error));
  g_assert_true (remote.is_dtls_server);
  gst_rtc_native_remote_clear (&remote);
  gst_sdp_message_free (sdp);

  later.version = 1;
  later.ufrag = "next";
  sdp = gst_rtc_native_sdp_offer (lines, tracks.tracks, &later);
  text = gst_sdp_message_as_text (sdp);
  g_assert_nonnull (strstr (text, " 1 IN IP4 127.0.0.1\r\n"));
  g_assert_nonnull (strstr (text, "a=ice-ufrag:next\r\n"));
  g_assert_cmpstr (gst_sdp_message_get_attribute_val (sdp, "group"), ==, "BUNDLE 0 2");
  media = gst_sdp_message_get_media (sdp, 1);
  g_assert_cmpuint (gst_sdp_media_get_port (media), ==, 0);
  g_assert_true (has_value (media, "mid", "1"));
  media = gst_sdp_message_get_media (sdp, 2);
  g_assert_cmpuint (gst_sdp_media_formats_len (media), ==, 2);
  g_assert_true (has_value (media, "rtpmap", "98 VP9/90000"));
  g_assert_true (has_value (media, "fmtp", "99 apt=98"));
  gst_sdp_message_free (sdp);
  sdp = parse (text, FALSE);
  gst_sdp_message_free (sdp);
  g_array_unref (lines);
  tracks_clear (&tracks);
}

/* More sections than there are payload types: what cannot be named is not offered. */
static void
payload_types_run_out (void)
{
  GstRtcSdpTrack tracks[MAX_LINES];
  GArray *lines;
  GstSDPMessage *offer, *parsed;
  g_autofree gchar *text = NULL;
  guint accepted = 0;

  for (guint i = 0; i < G_N_ELEMENTS (tracks); i++) {
    g_autofree gchar *caps =
        g_strdup_printf (VIDEO_CAPS "H264,packetization-mode=(string)1,profile-level-id=(string)42c0%02x", i);

    tracks[i] = (GstRtcSdpTrack){.name = "video", .kind = GST_RTC_KIND_VIDEO, .caps = gst_caps_from_string (caps)};
    tracks[i].codec = gst_rtc_codec_by_caps (tracks[i].caps);
  }
  lines = gst_rtc_sdp_plan_offer (tracks, G_N_ELEMENTS (tracks), 0, 0, FALSE);
  offer = gst_rtc_native_sdp_offer (lines, tracks, &us);
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    const GstSDPMedia *media = gst_sdp_message_get_media (offer, i);

    g_assert_cmpint (line->accepted, ==, gst_sdp_media_get_port (media) != 0);
    accepted += line->accepted;
  }
  g_assert_cmpuint (accepted, ==, 32 + 29);
  text = gst_sdp_message_as_text (offer);
  g_assert_cmpuint (strlen (text), <, RTC_MAX_SDP);
  parsed = parse (text, FALSE);
  gst_sdp_message_free (parsed);
  gst_sdp_message_free (offer);
  g_array_unref (lines);
  for (guint i = 0; i < G_N_ELEMENTS (tracks); i++)
    gst_caps_unref (tracks[i].caps);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fixture_init ();
  g_test_add_func ("/native-sdp-offer/offers_are_as_recorded", offers_are_as_recorded);
  g_test_add_func ("/native-sdp-offer/recorded_answers_fit_our_offers", recorded_answers_fit_our_offers);
  g_test_add_func ("/native-sdp-offer/a_second_offer_keeps_what_was_agreed", a_second_offer_keeps_what_was_agreed);
  g_test_add_func ("/native-sdp-offer/payload_types_run_out", payload_types_run_out);
  return g_test_run ();
}
