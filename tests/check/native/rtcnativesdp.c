/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What the native transport reads in descriptions, and answers to what real implementations offer (tests/data/sdp, and
 * native-answers). RTC_TEST_RECORD=1 writes the files that the answers are compared with. */

#include "sdpfixture.h"
#include "core/rtcmessage.h"

#include <string.h>

/* Answers. */

static gchar *
make_answer (const gchar *text, const gchar *ours, const GstRtcNativeLocal *local)
{
  g_autofree gchar *problems = NULL;
  GstSDPMessage *offer = parse (text, FALSE), *answer, *again;
  GError *error = NULL;
  GstRtcNativeRemote remote;
  GArray *lines;
  Tracks tracks;
  gchar *made;

  tracks_init (&tracks, ours);
  lines = gst_rtc_sdp_plan_answer (offer, tracks.tracks, tracks.n, TRUE, &problems, &error);
  if (!lines) {
    g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
    g_clear_error (&error);
    gst_sdp_message_free (offer);
    tracks_clear (&tracks);
    return NULL;
  }
  g_assert_true (gst_rtc_native_sdp_read (offer, lines, FALSE, local->lite, &remote, &error));
  g_assert_no_error (error);
  g_assert_nonnull (remote.fingerprints[0]);
  answer = gst_rtc_native_sdp_answer (offer, lines, tracks.tracks, local);
  made = gst_sdp_message_as_text (answer);
  again = parse (made, TRUE);
  check_answer (offer, again);
  g_assert_true (has_value (
      gst_sdp_message_get_media (again, remote.mline), "setup", remote.is_dtls_server ? "passive" : "active"));
  gst_rtc_native_remote_clear (&remote);
  gst_sdp_message_free (again);
  gst_sdp_message_free (answer);
  gst_sdp_message_free (offer);
  g_array_unref (lines);
  tracks_clear (&tracks);
  return made;
}

static const struct
{
  const gchar *offer, *tracks, *answer;
} golden[] = {
    {"chromium-watches.sdp", "VP8 OPUS", "chromium-watches-vp8-opus.sdp"},
    {"chromium-watches.sdp", "H264-constrained-baseline", "chromium-watches-h264.sdp"},
    {"chromium-calls.sdp", "VP9 OPUS", "chromium-calls-vp9-opus.sdp"},
    {"chromium-calls.sdp", "-", "chromium-calls-nothing.sdp"},
    {"firefox-watches.sdp", "VP8 OPUS", "firefox-watches-vp8-opus.sdp"},
    {"firefox-watches.sdp", "VP8", "firefox-watches-vp8.sdp"},
    {"firefox-calls.sdp", "VP8 PCMU", "firefox-calls-vp8-pcmu.sdp"},
    {"aiortc-calls.sdp", "H264-constrained-baseline OPUS", "aiortc-calls-h264-opus.sdp"},
    {"pion-watches.sdp", "H265 OPUS", "pion-watches-h265-opus.sdp"},
    {"pion-watches.sdp", "H264-high", "pion-watches-h264-high.sdp"},
    {"safari-data-first.sdp", "H264-constrained-baseline OPUS", "safari-data-first-h264-opus.sdp"},
    {"firefox-data-first.sdp", "VP8 OPUS", "firefox-data-first-vp8-opus.sdp"},
    {"chromium-simulcast.sdp", "-", "chromium-simulcast-nothing.sdp"},
    {"firefox-simulcast.sdp", "-", "firefox-simulcast-nothing.sdp"},
    {"libdatachannel-calls.sdp", "VP8 OPUS", "libdatachannel-calls-vp8-opus.sdp"},
    {"libdatachannel-watches.sdp", "VP8", "libdatachannel-watches-vp8.sdp"},
    {"janus-streams.sdp", "-", "janus-streams-nothing.sdp"},
    {"aiortc-data.sdp", "-", "aiortc-data-nothing.sdp"},
    {"pion-data.sdp", "VP8", "pion-data-vp8.sdp"},
};

static void
answers_are_as_recorded (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (golden); i++) {
    g_autofree gchar *offer = read_data ("sdp", golden[i].offer);
    g_autofree gchar *answer = NULL;

    g_test_message ("%s with %s", golden[i].offer, golden[i].tracks);
    answer = make_answer (offer, golden[i].tracks, &us);
    g_assert_nonnull (answer);
    compare ("native-answers", golden[i].answer, answer);
  }
}

/* Every offer there is with every kind of track, and several: the rules hold (make_answer() looks). */
static void
answers_obey_the_rules (void)
{
  static const gchar *const more[] = {"-", "VP8 OPUS", "VP8 VP8", "H264-constrained-baseline H264-high OPUS PCMU"};
  g_autofree gchar *folder = data_path ("sdp", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *offer = g_str_has_suffix (name, ".sdp") ? read_data ("sdp", name) : NULL;

    for (guint i = 0, k = 0; offer && k < G_N_ELEMENTS (more); i++) {
      const gchar *ours = tracks_name (i) ? tracks_name (i) : more[k++];
      g_autofree gchar *answer = NULL;

      g_test_message ("%s with %s", name, ours);
      answer = make_answer (offer, ours, &us);
      n += answer != NULL;
    }
  }
  g_assert_cmpuint (n, >, 50);
}

/* Offers as short as they can be. */

#define SESSION "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define FINGERPRINT \
  "a=fingerprint:sha-256 " \
  "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:" \
  "ff\r\n"
#define ICE(name) "a=ice-ufrag:" name name "\r\na=ice-pwd:" name "234567890123456789012345\r\n"
#define SECTION(kind, port, payload, mid, name) \
  "m=" kind " " port " UDP/TLS/RTP/SAVPF " payload "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n" ICE (name) FINGERPRINT
#define VP8(port, mid, name) SECTION ("video", port, "96", mid, name) "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"
#define OPUS(port, mid, name) SECTION ("audio", port, "111", mid, name) "a=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\n"
#define DATA(port, mid, name) \
  "m=application " port " UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n" ICE (name) \
      FINGERPRINT "a=sctp-port:5000\r\n"

typedef struct
{
  GstSDPMessage *sdp;
  GArray *lines;
  Tracks tracks;
} Offer;

static void
offer_init (Offer *offer, const gchar *text, const gchar *ours)
{
  g_autofree gchar *problems = NULL;
  GError *error = NULL;

  offer->sdp = parse (text, FALSE);
  tracks_init (&offer->tracks, ours);
  offer->lines = gst_rtc_sdp_plan_answer (offer->sdp, offer->tracks.tracks, offer->tracks.n, FALSE, &problems, &error);
  g_assert_no_error (error);
}

static void
offer_clear (Offer *offer)
{
  gst_sdp_message_free (offer->sdp);
  g_array_unref (offer->lines);
  tracks_clear (&offer->tracks);
}

/* Whose transport is taken, by the ufrag, and the group that is answered. NULL: refused, because of GROUP. */
static const struct
{
  const gchar *what, *offer, *tracks, *ufrag, *group;
} bundles[] = {
    {"all accepted", SESSION "a=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", "aaaa",
        "BUNDLE 0 1"},
    {"the group has another order", SESSION "a=group:BUNDLE 1 0\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-",
        "bbbb", "BUNDLE 1 0"},
    {"the first is a data channel",
        SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa") VP8 ("9", "0", "bb") OPUS ("9", "1", "cc"), "-",
        "bbbb", "BUNDLE 0 1"},
    {"the first is a data channel, the next cannot speak for the others",
        SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa")
            VP8 ("0", "0", "bb") "a=bundle-only\r\n" OPUS ("9", "1", "cc"),
        "-", "cccc", "BUNDLE 1 0"},
    {"the first is a data channel, and all others are bundle-only",
        SESSION "a=group:BUNDLE d 0\r\n" DATA ("9", "d", "aa") VP8 ("0", "0", "aa") "a=bundle-only\r\n", "-", "aaaa",
        "BUNDLE 0"},
    {"the first is not wanted",
        SESSION "a=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa") "a=recvonly\r\n" OPUS ("9", "1", "bb"), "-", "bbbb",
        "BUNDLE 1"},
    {"the first was rejected long ago", SESSION "a=group:BUNDLE 1\r\n" VP8 ("0", "0", "aa") OPUS ("9", "1", "bb"), "-",
        "bbbb", "BUNDLE 1"},
    {"one alone needs no group", SESSION VP8 ("9", "0", "aa"), "-", "aaaa", NULL},
    {"one is wanted", SESSION VP8 ("9", "0", "aa") "a=recvonly\r\n" OPUS ("9", "1", "bb"), "-", "bbbb", NULL},
    {"other groups are not ours",
        SESSION "a=group:LS 0 1\r\na=group:BUNDLE x\r\na=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa")
            OPUS ("9", "1", "bb"),
        "-", "aaaa", "BUNDLE 0 1"},
    {"no group", SESSION VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", NULL, "does not bundle its sections 0 "},
    {"two groups", SESSION "a=group:BUNDLE 0\r\na=group:BUNDLE 1\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-",
        NULL, "does not bundle its sections 0 (a=mid:0) and 1 (a=mid:1)"},
    {"an empty group", SESSION "a=group:\r\na=group:BUNDLE\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", NULL,
        "does not bundle its sections"},
};

static void
bundles_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (bundles); i++) {
    GstRtcNativeRemote remote;
    GError *error = NULL;
    GstSDPMessage *answer;
    Offer offer;

    g_test_message ("%s", bundles[i].what);
    offer_init (&offer, bundles[i].offer, bundles[i].tracks);
    if (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error)) {
      g_assert_cmpstr (remote.ufrag, ==, bundles[i].ufrag);
      answer = gst_rtc_native_sdp_answer (offer.sdp, offer.lines, offer.tracks.tracks, &us);
      g_assert_cmpstr (gst_sdp_message_get_attribute_val (answer, "group"), ==, bundles[i].group);
      check_answer (offer.sdp, answer);
      gst_sdp_message_free (answer);
      gst_rtc_native_remote_clear (&remote);
    } else {
      g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
      g_assert_null (bundles[i].ufrag);
      g_assert_nonnull (strstr (error->message, bundles[i].group));
      g_assert_cmpuint (strlen (error->message), <=, RTC_MAX_REASON);
      g_assert_null (remote.ufrag);
      g_clear_error (&error);
    }
    offer_clear (&offer);
  }
}

static const struct
{
  const gchar *line;
  gboolean is_answer, we_are_lite;
  gint server; /* -1: refused */
  const gchar *why;
} setups[] = {
    {"a=setup:actpass\r\n", FALSE, FALSE, 1, NULL},
    {"a=setup:active\r\n", FALSE, FALSE, 1, NULL},
    {"a=setup:passive\r\n", FALSE, FALSE, 0, NULL},
    {"", FALSE, FALSE, 1, NULL},
    {"a=setup:active\r\n", TRUE, FALSE, 1, NULL},
    {"a=setup:passive\r\n", TRUE, FALSE, 0, NULL},
    {"", TRUE, FALSE, 0, NULL},
    {"a=setup:actpass\r\n", TRUE, FALSE, -1, "The answer has a=setup:actpass; active or passive is expected"},
    {"a=setup:holdconn\r\n", FALSE, FALSE, -1, "The offer has a=setup:holdconn"},
    {"a=setup:\r\n", FALSE, FALSE, -1, "The offer has a=setup:;"},
    {"a=setup:ACTIVE\r\n", TRUE, FALSE, -1, "The answer has a=setup:ACTIVE"},
    {"a=ice-lite\r\na=setup:active\r\n", FALSE, FALSE, 1, NULL},
    {"a=ice-lite\r\na=setup:active\r\n", FALSE, TRUE, -1, "neither would look for the other"},
    {"a=setup:active\r\n", FALSE, TRUE, 1, NULL},
};

static void
roles_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (setups); i++) {
    for (guint at_session = 0; at_session < 2; at_session++) {
      g_autofree gchar *text = g_strconcat (
          SESSION, at_session ? setups[i].line : "", VP8 ("9", "0", "aa"), at_session ? "" : setups[i].line, NULL);
      GstRtcNativeRemote remote;
      GError *error = NULL;
      Offer offer;

      g_test_message ("%s", text);
      offer_init (&offer, text, "-");
      if (gst_rtc_native_sdp_read (
              offer.sdp, offer.lines, setups[i].is_answer, setups[i].we_are_lite, &remote, &error)) {
        g_assert_cmpint (remote.is_dtls_server, ==, setups[i].server);
        g_assert_cmpint (remote.lite, ==, strstr (text, "ice-lite") != NULL);
        gst_rtc_native_remote_clear (&remote);
      } else {
        g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
        g_assert_cmpint (setups[i].server, ==, -1);
        g_assert_nonnull (strstr (error->message, setups[i].why));
        g_clear_error (&error);
      }
      offer_clear (&offer);
    }
  }
}

static void
rtcp_has_no_port_of_its_own (void)
{
  GError *error = NULL;
  GstRtcNativeRemote remote;
  Offer offer;

  offer_init (&offer, SESSION SECTION ("video", "9", "96", "0", "aa") "a=rtpmap:96 VP8/90000\r\n", "-");
  g_assert_false (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
  g_assert_nonnull (strstr (error->message, "a=rtcp-mux"));
  g_clear_error (&error);
  offer_clear (&offer);
}

static void
candidates_stand_with_the_bundle (void)
{
  static const gchar text[] = SESSION "a=group:BUNDLE 0 1\r\n" VP8 (
      "9", "0", "aa") "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\n"
                      "a=candidate:1 2 udp 2130706430 192.0.2.1 5001 typ host\r\n"
                      "a=candidate:2 1 tcp 2105524479 192.0.2.1 9 typ host\r\n"
                      "a=candidate:nonsense\r\na=candidate:\r\na=candidate\r\n"
                      "a=candidate:3 1 udp 1677729535 198.51.100.7 6000 typ srflx raddr 192.0.2.1 rport "
                      "5000\r\na=end-of-candidates\r\n" OPUS (
                          "9", "1", "bb") "a=candidate:9 1 udp 2130706431 192.0.2.9 9000 typ host\r\n";
  GstRtcNativeRemote remote;
  GError *error = NULL;
  Offer offer;

  offer_init (&offer, text, "-");
  g_assert_true (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error));
  g_assert_cmpuint (remote.mline, ==, 0);
  g_assert_cmpuint (remote.candidates->len, ==, 2);
  g_assert_cmpstr (
      g_ptr_array_index (remote.candidates, 0), ==, "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host");
  g_assert_true (g_str_has_prefix (g_ptr_array_index (remote.candidates, 1), "candidate:3 1 udp "));
  g_assert_cmpuint (g_strv_length (remote.fingerprints), ==, 1);
  g_assert_true (g_str_has_prefix (remote.fingerprints[0], "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB"));
  gst_rtc_native_remote_clear (&remote);
  offer_clear (&offer);
}

/* Ours: lite, with its candidates, for peers that wait for all of them. */
static void
candidates_of_ours_are_told (void)
{
  static const gchar *const candidates[] = {"candidate:1 1 udp 2130706431 192.0.2.2 8080 typ host",
      "candidate:2 1 udp 2130706175 2001:db8::2 8080 typ host", NULL};
  GstRtcNativeLocal lite = us;
  g_autofree gchar *answer = NULL;

  lite.lite = TRUE;
  lite.candidates = candidates;
  lite.version = 3;
  answer = make_answer (
      SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa") VP8 ("9", "0", "aa") OPUS ("9", "1", "aa"), "-", &lite);
  g_assert_nonnull (strstr (answer, "\r\na=ice-lite\r\n"));
  g_assert_nonnull (strstr (answer, " 3 IN IP4 127.0.0.1\r\n"));
  compare ("native-answers", "small-lite.sdp", answer);
}

/* Layers of simulcast are asked for, and told apart by their names. */
static const struct
{
  const gchar *rids, *simulcast, *taken; /* NULL: none */
} layers[] = {
    {"a=rid:hi send\r\na=rid:lo send\r\n", "send hi;lo", "recv hi;lo"},
    {"a=rid:hi send pt=96,97;max-width=1280\r\na=rid:lo send max-width=320;pt=98\r\n", "send ~hi;lo", "recv hi"},
    {"a=rid:a send\r\na=rid:b send\r\na=rid:c recv\r\n", "recv c send a,b", "recv a"},
    {"a=rid:a send\r\n", "send a;b;;,;~", "recv a"},
    {"a=rid:a recv\r\n", "recv a", NULL},
    {"a=rid:a send\r\n", "send ", NULL},
    {"a=rid:a send\r\n", "", NULL},
    {"a=rid:12345678901234567 send\r\n", "send 12345678901234567", NULL},
    {"", "send a", NULL},
};

static void
layers_are_taken (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree gchar *text =
        g_strconcat (SESSION, VP8 ("9", "0", "aa"), "a=extmap:1 " GST_RTC_EXT_MID "\r\na=extmap:2 ",
            GST_RTC_EXT_RID "\r\na=extmap:3/sendonly " GST_RTC_EXT_REPAIRED_RID "\r\n", layers[i].rids,
            "a=simulcast:", layers[i].simulcast, "\r\n", NULL);
    g_autofree gchar *answer = make_answer (text, "-", &us);
    g_autofree gchar *sending = NULL;
    GstSDPMessage *sdp = parse (answer, TRUE);
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, 0);

    g_test_message ("%s", text);
    g_assert_cmpstr (gst_sdp_media_get_attribute_val (media, "simulcast"), ==, layers[i].taken);
    g_assert_true (has_value (media, "extmap", "2 " GST_RTC_EXT_RID));
    g_assert_true (has_value (media, "extmap", "3/recvonly " GST_RTC_EXT_REPAIRED_RID));
    g_assert_cmpint (has_value (media, "rid", "a recv"), ==, layers[i].taken && strstr (layers[i].taken, " a") != NULL);
    gst_sdp_message_free (sdp);
    /* Not when nothing is received. */
    sending = g_strconcat (text, "a=recvonly\r\n", NULL);
    g_free (answer);
    answer = make_answer (sending, "VP8", &us);
    g_assert_null (strstr (answer, "simulcast"));
    g_assert_null (strstr (answer, "rtp-stream-id"));
  }
}

/* What a peer writes into its parameters does not get into our description. */
static void
parameters_are_tokens (void)
{
  static const gchar text[] = SESSION OPUS ("9", "0",
      "aa") "a=fmtp:111 stereo=1;useinbandfec=\x7f;minptime=10 10;maxplaybackrate=\"48000\";cbr=1;sprop-stereo=1\r\n";
  g_autofree gchar *answer = make_answer (text, "-", &us);

  g_assert_nonnull (strstr (answer, "\r\na=fmtp:111 stereo=1\r\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fixture_init ();
  g_test_add_func ("/native-sdp/answers_are_as_recorded", answers_are_as_recorded);
  g_test_add_func ("/native-sdp/answers_obey_the_rules", answers_obey_the_rules);
  g_test_add_func ("/native-sdp/bundles_are_understood", bundles_are_understood);
  g_test_add_func ("/native-sdp/roles_are_understood", roles_are_understood);
  g_test_add_func ("/native-sdp/rtcp_has_no_port_of_its_own", rtcp_has_no_port_of_its_own);
  g_test_add_func ("/native-sdp/candidates_stand_with_the_bundle", candidates_stand_with_the_bundle);
  g_test_add_func ("/native-sdp/candidates_of_ours_are_told", candidates_of_ours_are_told);
  g_test_add_func ("/native-sdp/layers_are_taken", layers_are_taken);
  g_test_add_func ("/native-sdp/parameters_are_tokens", parameters_are_tokens);
  return g_test_run ();
}
