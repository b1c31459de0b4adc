/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Sections of data channels: what is taken of them, and what is written. */

#include "sdpfixture.h"
#include "core/rtcmessage.h"

#include <string.h>

#define SESSION \
  "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n" \
  "a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\r\n"
#define NEW_PORT(port, mid) \
  "m=application " port " UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n"
#define NEW NEW_PORT ("9", "d")
#define OLD(port) "m=application 9 DTLS/SCTP " port "\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
#define PCMU(port) "m=audio " port " UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=rtpmap:0 PCMU/8000\r\n"

static const struct
{
  const gchar *section;
  guint port; /* 0: not taken */
  guint64 size;
  const gchar *why;
} sections[] = {
    {NEW "a=sctp-port:5000\r\n", 5000, 65536, NULL},
    {NEW "a=sctp-port:1\r\na=max-message-size:0\r\n", 1, 0, NULL},
    {NEW "a=sctp-port:65535\r\na=max-message-size:18446744073709551615\r\n", 65535, G_MAXUINT64, NULL},
    {NEW "a=sctp-port:5000\r\na=max-message-size:18446744073709551616\r\n", 0, 0, "a number of bytes, or 0"},
    {NEW "a=sctp-port:5000\r\na=max-message-size:-1\r\n", 0, 0, "a=max-message-size:-1"},
    {NEW "a=sctp-port:5000\r\na=max-message-size:\r\n", 0, 0, "a number of bytes, or 0"},
    {NEW, 0, 0, "a=sctp-port: (none)"},
    {NEW "a=sctp-port:0\r\n", 0, 0, "a port from 1 to 65535"},
    {NEW "a=sctp-port:65536\r\n", 0, 0, "a=sctp-port:65536"},
    {NEW "a=sctp-port:5000x\r\n", 0, 0, "a port from 1 to 65535"},
    {OLD ("5000") "a=sctpmap:5000 webrtc-datachannel 256\r\n", 5000, 65536, NULL},
    {OLD ("5001") "a=sctpmap:5001 webrtc-datachannel\r\na=max-message-size:1000\r\n", 5001, 1000, NULL},
    {OLD ("5000"), 5000, 65536, NULL},
    {OLD ("5000") "a=sctpmap:5001 webrtc-datachannel 256\r\n", 0, 0, "is expected (RFC 8841)"},
    {OLD ("5000") "a=sctpmap:5000 webrtc-datachannels 256\r\n", 0, 0, "is expected (RFC 8841)"},
    {OLD ("webrtc-datachannel"), 0, 0, "a=sctp-port:webrtc-datachannel"},
    {"m=application 9 UDP/DTLS/SCTP bfcp\r\na=mid:d\r\na=sctp-port:5000\r\n", 0, 0, "is UDP/DTLS/SCTP with bfcp"},
    {"m=application 9 UDP/DTLS/QUIC webrtc-datachannel\r\na=mid:d\r\n", 0, 0, "is UDP/DTLS/QUIC with"},
    {NEW_PORT ("9", "x") "a=sctp-port:0\r\n" NEW "a=sctp-port:7\r\n", 7, 65536, NULL},
};

static void
sections_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (sections); i++) {
    g_autofree gchar *text = g_strconcat (SESSION, sections[i].section, NULL), *problems = NULL;
    GstSDPMessage *offer = parse (text, FALSE);
    GError *error = NULL;
    GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, TRUE, &problems, &error);

    g_test_message ("%s", sections[i].section);
    if (lines) {
      const GstRtcLine *line = &g_array_index (lines, GstRtcLine, lines->len - 1);

      g_assert_null (problems);
      g_assert_true (line->accepted && line->is_data && !line->send && !line->receive && !line->codec);
      g_assert_cmpuint (line->sctp_port, ==, sections[i].port);
      g_assert_cmpuint (line->max_message_size, ==, sections[i].size);
      g_assert_true (lines->len == 1 || !g_array_index (lines, GstRtcLine, 0).accepted);
      g_array_unref (lines);
    } else {
      g_assert_cmpuint (sections[i].port, ==, 0);
      g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
      g_assert_nonnull (strstr (error->message, sections[i].why));
      g_assert_cmpuint (strlen (error->message), <=, RTC_MAX_REASON);
      g_clear_error (&error);
    }
    /* A transport that has none. */
    g_assert_null (gst_rtc_sdp_plan_answer (offer, NULL, 0, FALSE, &problems, &error));
    g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
    g_clear_error (&error);
    gst_sdp_message_free (offer);
  }
}

static void
one_section_is_enough (void)
{
  GstSDPMessage *offer = parse (SESSION NEW "a=sctp-port:5\r\n" NEW_PORT ("9", "e") "a=sctp-port:7\r\n", FALSE);
  g_autofree gchar *problems = NULL;
  GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, TRUE, &problems, NULL);

  g_assert_true (g_array_index (lines, GstRtcLine, 0).accepted);
  g_assert_false (g_array_index (lines, GstRtcLine, 1).accepted);
  g_array_unref (lines);
  gst_sdp_message_free (offer);
}

/* A section that makes no sense costs the data channels, not the picture. */
static void
a_bad_section_is_rejected_alone (void)
{
  GstSDPMessage *offer = parse (SESSION PCMU ("9") NEW "a=sctp-port:0\r\n", FALSE);
  g_autofree gchar *problems = NULL;
  GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, TRUE, &problems, NULL);

  g_assert_true (g_array_index (lines, GstRtcLine, 0).accepted);
  g_assert_false (g_array_index (lines, GstRtcLine, 1).accepted);
  g_assert_true (g_str_has_prefix (problems, "There are no data channels: section 1, m=application has a=sctp-port:0"));
  g_array_unref (lines);
  gst_sdp_message_free (offer);
}

/* Who came for a picture is not served with an empty session, unless somebody here has data for him. */
static void
data_alone_is_for_who_wants_it (void)
{
  GstSDPMessage *offer =
      parse (SESSION "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtcp-mux\r\n"
                     "a=rtpmap:96 X-NOTHING/90000\r\n" NEW "a=sctp-port:5000\r\n",
          FALSE);
  g_autofree gchar *problems = NULL;
  g_autoptr (GError) error = NULL;
  GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, GST_RTC_SDP_DATA, &problems, &error);

  g_assert_null (lines);
  g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
  g_clear_error (&error);
  lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, GST_RTC_SDP_DATA_WANTED, &problems, &error);
  g_assert_no_error (error);
  g_assert_true (g_array_index (lines, GstRtcLine, 1).accepted);
  g_array_unref (lines);
  gst_sdp_message_free (offer);
}

static const struct
{
  const gchar *answer;
  guint port; /* 0: rejected */
  const gchar *problem;
} answers[] = {
    {PCMU ("0") NEW "a=sctp-port:6000\r\na=max-message-size:262144\r\n", 6000, NULL},
    {PCMU ("9") NEW_PORT ("0", "d"), 0, NULL},
    {PCMU ("9") NEW, 0, "There are no data channels: section 1, m=application has a=sctp-port: (none)"},
};

static void
answers_to_our_offer_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++) {
    g_autofree gchar *text = g_strconcat (SESSION, answers[i].answer, NULL), *problems = NULL;
    GstSDPMessage *answer = parse (text, TRUE), *offer;
    GArray *lines = gst_rtc_sdp_plan_offer (NULL, 0, 0, 1, TRUE);
    GError *error = NULL;
    const GstRtcLine *line;

    g_test_message ("%s", answers[i].answer);
    g_assert_cmpuint (lines->len, ==, 2);
    line = &g_array_index (lines, GstRtcLine, 1);
    g_assert_cmpstr (gst_rtc_line_get_media (line), ==, "application");
    g_array_index (lines, GstRtcLine, 0).mid = g_strdup ("a");
    g_array_index (lines, GstRtcLine, 1).mid = g_strdup ("d");
    gst_rtc_sdp_apply_answer (answer, lines, &problems, &error);
    g_assert_no_error (error);
    g_assert_cmpint (line->accepted, ==, answers[i].port > 0);
    g_assert_cmpuint (line->sctp_port, ==, answers[i].port);
    if (answers[i].problem)
      g_assert_true (g_str_has_prefix (problems, answers[i].problem));
    else
      g_assert_null (problems);
    /* A second offer has it where it was. */
    offer = gst_rtc_native_sdp_offer (lines, NULL, &us);
    g_assert_cmpint (gst_sdp_media_get_port (gst_sdp_message_get_media (offer, 1)) != 0, ==, answers[i].port > 0);
    g_assert_cmpstr (gst_sdp_media_get_media (gst_sdp_message_get_media (offer, 1)), ==, "application");
    gst_sdp_message_free (offer);
    g_array_unref (lines);
    gst_sdp_message_free (answer);
  }
}

/* Alone, without RTP: no rtcp-mux is asked for. */
static void
data_alone_is_a_session (void)
{
  static const gchar *const forms[] = {
      NEW "a=sctp-port:5000\r\n", OLD ("5000") "a=sctpmap:5000 webrtc-datachannel 256\r\n"};

  for (guint i = 0; i < G_N_ELEMENTS (forms); i++) {
    g_autofree gchar *text = g_strconcat (SESSION "a=group:BUNDLE d\r\n", forms[i], NULL), *problems = NULL;
    GstSDPMessage *offer = parse (text, FALSE), *answer;
    GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, TRUE, &problems, NULL);
    GstRtcNativeRemote remote;
    GError *error = NULL;

    g_assert_true (gst_rtc_native_sdp_read (offer, lines, FALSE, FALSE, &remote, &error));
    g_assert_no_error (error);
    g_assert_cmpuint (remote.mline, ==, 0);
    answer = gst_rtc_native_sdp_answer (offer, lines, NULL, &us);
    check_answer (offer, answer);
    g_assert_cmpstr (gst_sdp_message_get_attribute_val (answer, "group"), ==, "BUNDLE d");
    gst_sdp_message_free (answer);
    gst_rtc_native_remote_clear (&remote);
    g_array_unref (lines);
    gst_sdp_message_free (offer);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fixture_init ();
  g_test_add_func ("/native-sdp-data/alone", data_alone_is_for_who_wants_it);
  g_test_add_func ("/native-sdp-data/sections_are_understood", sections_are_understood);
  g_test_add_func ("/native-sdp-data/one_section_is_enough", one_section_is_enough);
  g_test_add_func ("/native-sdp-data/a_bad_section_is_rejected_alone", a_bad_section_is_rejected_alone);
  g_test_add_func ("/native-sdp-data/answers_to_our_offer_are_understood", answers_to_our_offer_are_understood);
  g_test_add_func ("/native-sdp-data/data_alone_is_a_session", data_alone_is_a_session);
  return g_test_run ();
}
