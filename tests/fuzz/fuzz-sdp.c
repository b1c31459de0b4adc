/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Whatever comes as an offer or an answer: it is refused with a reason, or what is decided about it makes sense, and
 * what webrtcbin would be shown of it can be read again. */

#include <string.h>

#include "core/rtcmessage.h"
#include "rtc/gstrtcsdp.h"
#include "rtc/webrtcbin/gstrtcwebrtcsdp.h"

#define N_TRACKS 3

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static GstRtcSdpTrack tracks[N_TRACKS];

static void
set_up (void)
{
  static const gchar *const caps[N_TRACKS] = {
      "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=96,ssrc=(uint)1",
      ("application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=102,packetization-mode=(string)1,"
       "profile-level-id=(string)42c01f"),
      "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=111",
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
}

static void
check_error (GError *error)
{
  if (!error || error->domain != RTC_ERROR || !*error->message || !g_utf8_validate (error->message, -1, NULL))
    g_error ("refused without a reason, or with one that is no text: %s", error ? error->message : "none");
  g_error_free (error);
}

static void
check_line (const GstSDPMessage *sdp, const GstRtcLine *line, guint index)
{
  const GstSDPMedia *media = gst_sdp_message_get_media (sdp, index);
  gboolean offered = FALSE;

  if (line->mline != index || !line->mid)
    g_error ("line %u is %u, mid %s", index, line->mline, line->mid);
  if (!line->accepted) {
    if (line->send || line->receive)
      g_error ("line %u is rejected, and used", index);
    return;
  }
  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++)
    offered |= atoi (gst_sdp_media_get_format (media, i)) == line->payload;
  if (!line->codec || !line->caps || !offered || !(line->send || line->receive))
    g_error ("line %u is accepted, without all that this takes", index);
  if (line->send != (line->track >= 0) || line->track >= N_TRACKS)
    g_error ("line %u sends track %d", index, line->track);
  if (line->ext_mid > 14 || line->ext_twcc > 14 || line->ext_audio_level > 14)
    g_error ("line %u has an extension that cannot be written", index);
}

/* What webrtcbin is shown of it has to be a description that would be taken from a peer. */
static void
check_readable (GstSDPMessage *sdp)
{
  gchar *text = gst_sdp_message_as_text (sdp);
  GError *error = NULL;
  GstSDPMessage *again = strlen (text) <= RTC_MAX_SDP ? gst_rtc_sdp_parse (text, FALSE, &error) : NULL;

  if (error)
    g_error ("what was made cannot be read: %s: %s", error->message, text);
  g_clear_pointer (&again, gst_sdp_message_free);
  g_free (text);
  gst_sdp_message_free (sdp);
}

static void
answer_it (const GstSDPMessage *offer)
{
  GError *error = NULL;
  gchar *problems = NULL;
  GArray *lines = gst_rtc_sdp_plan_answer (offer, tracks, N_TRACKS, FALSE, &problems, &error);
  GstSDPMessage *narrow;

  if (!lines) {
    check_error (error);
    return;
  }
  if (lines->len != gst_sdp_message_medias_len (offer))
    g_error ("%u lines of %u sections", lines->len, gst_sdp_message_medias_len (offer));
  for (guint i = 0; i < lines->len; i++)
    check_line (offer, &g_array_index (lines, GstRtcLine, i), i);
  narrow = gst_rtc_webrtc_narrow (offer, lines);
  for (guint i = 0, n = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    if (line->accepted)
      gst_caps_unref (gst_rtc_webrtc_preferences (gst_sdp_message_get_media (narrow, n++), line));
  }
  gst_sdp_message_free (gst_rtc_webrtc_widen_answer (narrow, offer, lines, tracks));
  check_readable (narrow);
  g_array_unref (lines);
  g_free (problems);
}

/* The same text as the answer to an offer of ours that has as many sections, of the same mids. */
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
    if (!line->send)
      line->kind = g_strcmp0 (gst_sdp_media_get_media (media), "audio") == 0 ? GST_RTC_KIND_AUDIO : GST_RTC_KIND_VIDEO;
  }
  if (gst_rtc_sdp_apply_answer (answer, lines, &problems, &error))
    gst_sdp_message_free (gst_rtc_webrtc_mend_answer (answer, lines));
  else
    check_error (error);
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
  gchar **fingerprints;

  if (g_once_init_enter (&once)) {
    set_up ();
    g_once_init_leave (&once, 1);
  }
  sdp = gst_rtc_sdp_parse (text, FALSE, &error);
  if (sdp) {
    fingerprints = gst_rtc_sdp_get_fingerprints (sdp);
    g_strfreev (fingerprints);
    answer_it (sdp);
    take_it_as_answer (sdp);
    gst_sdp_message_free (sdp);
  } else {
    check_error (error);
  }
  g_free (text);
  return 0;
}
