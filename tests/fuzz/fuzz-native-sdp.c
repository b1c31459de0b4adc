/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Whatever comes as an offer: what the native transport reads out of it can be used, and what it answers is a
 * description that would be taken from a peer. And as an answer to an offer of ours, and as what a second offer is made
 * from. */

#include <string.h>

#include "core/rtcmessage.h"
#include "native/gstrtcnativesdp.h"

#define N_TRACKS 4
#define MAX_LINES 96

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static GstRtcSdpTrack tracks[N_TRACKS];
static guint32 ssrcs[MAX_LINES], rtx_ssrcs[MAX_LINES];
static const gchar *const candidates[] = {"candidate:1 1 udp 2130706431 192.0.2.2 8080 typ host", NULL};

static const GstRtcNativeLocal us = {
    .ufrag = "ours",
    .password = "aPasswordOfOurOwn12345",
    .fingerprint = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
                   "DD:EE:FF",
    .cname = "us",
    .ssrcs = ssrcs,
    .rtx_ssrcs = rtx_ssrcs,
    .candidates = candidates,
};

static void
set_up (void)
{
  static const gchar *const caps[N_TRACKS] = {
      "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96",
      ("application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=102,packetization-mode=(string)1,"
       "profile-level-id=(string)42c01f"),
      "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111,sprop-stereo=(string)1",
      "application/x-rtp,media=audio,encoding-name=PCMU,clock-rate=8000,payload=0",
  };

  gst_init (NULL, NULL);
  for (guint i = 0; i < N_TRACKS; i++) {
    tracks[i].name = "track";
    tracks[i].caps = gst_caps_from_string (caps[i]);
    tracks[i].codec = gst_rtc_codec_by_caps (tracks[i].caps);
    if (!tracks[i].codec)
      g_error ("no payloader for %s is installed", caps[i]);
    tracks[i].kind = tracks[i].codec->kind;
  }
  for (guint i = 0; i < MAX_LINES; i++) {
    ssrcs[i] = 1000 + i;
    rtx_ssrcs[i] = 2000 + i;
  }
}

static void
check_error (GError *error)
{
  if (!error || error->domain != RTC_ERROR || !*error->message || !g_utf8_validate (error->message, -1, NULL))
    g_error ("refused without a reason, or with one that is no text: %s", error ? error->message : "none");
  g_error_free (error);
}

static void
check_readable (GstSDPMessage *sdp, gboolean is_answer)
{
  gchar *text = gst_sdp_message_as_text (sdp);
  GError *error = NULL;
  GstSDPMessage *again = strlen (text) <= RTC_MAX_SDP ? gst_rtc_sdp_parse (text, is_answer, &error) : NULL;

  if (error)
    g_error ("what was made cannot be read: %s: %s", error->message, text);
  if (again && gst_sdp_message_medias_len (again) != gst_sdp_message_medias_len (sdp))
    g_error ("what was made has other sections when it is read: %s", text);
  g_clear_pointer (&again, gst_sdp_message_free);
  g_free (text);
  gst_sdp_message_free (sdp);
}

/* Whether it can be used. */
static gboolean
read_it (const GstSDPMessage *sdp, const GArray *lines, gboolean is_answer)
{
  GstRtcNativeRemote remote;
  GError *error = NULL;

  if (!gst_rtc_native_sdp_read (sdp, lines, is_answer, FALSE, &remote, &error)) {
    if (error && strlen (error->message) > RTC_MAX_REASON)
      g_error ("a reason that is too long: %s", error->message);
    check_error (error);
    return FALSE;
  }
  if (strlen (remote.ufrag) < 4 || strlen (remote.password) < 22 || !remote.fingerprints[0]
      || remote.mline >= lines->len || remote.candidates->len > 512)
    g_error ("it was taken, and lacks something");
  gst_rtc_native_remote_clear (&remote);
  return TRUE;
}

static void
answer_it (const GstSDPMessage *offer, guint n_tracks)
{
  GError *error = NULL;
  gchar *problems = NULL;
  GArray *lines = gst_rtc_sdp_plan_answer (offer, tracks, n_tracks, TRUE, &problems, &error);

  if (!lines) {
    check_error (error);
    return;
  }
  if (read_it (offer, lines, FALSE))
    check_readable (gst_rtc_native_sdp_answer (offer, lines, tracks, &us), TRUE);
  g_array_unref (lines);
  g_free (problems);
}

static void
take_it_as_answer (const GstSDPMessage *answer)
{
  GError *error = NULL;
  gchar *problems = NULL;
  guint n = gst_sdp_message_medias_len (answer);
  GArray *lines = gst_rtc_sdp_plan_offer (tracks, N_TRACKS, n > N_TRACKS ? n - N_TRACKS : 0, 0, FALSE);

  if (n < N_TRACKS)
    g_array_set_size (lines, n);
  for (guint i = 0; i < n; i++) {
    GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    const GstSDPMedia *media = gst_sdp_message_get_media (answer, i);

    line->mid = g_strdup (gst_sdp_media_get_attribute_val (media, "mid"));
    line->is_data = !line->send && g_strcmp0 (gst_sdp_media_get_media (media), "application") == 0;
    line->receive &= !line->is_data;
    if (!line->send)
      line->kind = g_strcmp0 (gst_sdp_media_get_media (media), "audio") == 0 ? GST_RTC_KIND_AUDIO : GST_RTC_KIND_VIDEO;
  }
  check_readable (gst_rtc_native_sdp_offer (lines, tracks, &us), FALSE);
  if (!gst_rtc_sdp_apply_answer (answer, lines, &problems, &error)) {
    check_error (error);
  } else if (read_it (answer, lines, TRUE)) {
    check_readable (gst_rtc_native_sdp_offer (lines, tracks, &us), FALSE);
  }
  g_array_unref (lines);
  g_free (problems);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static gsize once = 0;
  gchar *text = g_strndup ((const gchar *)data, size);
  GError *error = NULL;
  GstSDPMessage *sdp;

  if (g_once_init_enter (&once)) {
    set_up ();
    g_once_init_leave (&once, 1);
  }
  sdp = gst_rtc_sdp_parse (text, FALSE, &error);
  if (sdp) {
    answer_it (sdp, N_TRACKS);
    answer_it (sdp, 0);
    take_it_as_answer (sdp);
    gst_sdp_message_free (sdp);
  } else {
    check_error (error);
  }
  g_free (text);
  return 0;
}
