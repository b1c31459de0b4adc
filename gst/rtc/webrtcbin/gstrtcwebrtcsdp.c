/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcsdp.h"

#include <stdlib.h>
#include <string.h>

/* webrtcbin makes fields of caps of each; a stream and its retransmissions have four lines each at most. */
#define MAX_SSRC_LINES 32

#define MAX_MESSAGE_SIZE 65536

#define SETUP_ATTRIBUTES "fingerprint", "ice-ufrag", "ice-pwd", "setup"

/* Ids of our own offers; the one-byte form of RFC 8285 has 1 to 14. */
enum
{
  EXT_ID_MID = 1,
  EXT_ID_TWCC = 2,
  EXT_ID_AUDIO_LEVEL = 3,
};

static gboolean
format_is_wanted (const GstRtcLine *line, const gchar *text)
{
  gint payload = atoi (text);

  return payload == line->payload || (line->rtx_payload >= 0 && payload == line->rtx_payload);
}

/* Attributes of the section that webrtcbin is to see. Feedback kinds are those that webrtcbin has an answer to;
 * goog-remb is not among them. */
static gboolean
attribute_is_wanted (const GstRtcLine *line, const GstSDPAttribute *attribute)
{
  static const gchar *const plain[] = {"mid", "rtcp-mux", "rtcp-rsize", "msid", "ssrc", "ssrc-group", "candidate",
      "end-of-candidates", SETUP_ATTRIBUTES, NULL};
  const gchar *value = attribute->value ? attribute->value : "";

  if (g_strv_contains (plain, attribute->key))
    return TRUE;
  if (strcmp (attribute->key, "rtpmap") == 0 || strcmp (attribute->key, "fmtp") == 0)
    return format_is_wanted (line, value);
  if (strcmp (attribute->key, "rtcp-fb") == 0)
    return (value[0] == '*' || format_is_wanted (line, value)) && !strstr (value, "goog-remb")
        && gst_rtc_sdp_is_known_feedback (value);
  if (strcmp (attribute->key, "extmap") == 0) {
    guint id = atoi (value);

    return id && (id == line->ext_mid || id == line->ext_twcc || id == line->ext_audio_level);
  }
  return FALSE;
}

static void
add_session_setup (const GstSDPMessage *sdp, GstSDPMedia *media)
{
  static const gchar *const names[] = {SETUP_ATTRIBUTES};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    const gchar *value = gst_sdp_message_get_attribute_val (sdp, names[i]);

    if (value && !gst_sdp_media_get_attribute_val (media, names[i]))
      gst_sdp_media_add_attribute (media, names[i], value);
  }
}

/* A number of bytes that is not told is 64 KiB, and webrtcbin takes no more. */
static GstSDPMedia *
narrow_data (const GstSDPMessage *sdp, const GstRtcLine *line)
{
  static const gchar *const names[] = {"mid", "candidate", "end-of-candidates", SETUP_ATTRIBUTES, NULL};
  const GstSDPMedia *from = gst_sdp_message_get_media (sdp, line->mline);
  gchar *number = g_strdup_printf ("%u", line->sctp_port);
  GstSDPMedia *to;

  gst_sdp_media_new (&to);
  gst_sdp_media_set_media (to, "application");
  gst_sdp_media_set_port_info (to, 9, 0);
  gst_sdp_media_set_proto (to, "UDP/DTLS/SCTP");
  gst_sdp_media_add_connection (to, "IN", "IP4", "0.0.0.0", 0, 0);
  gst_sdp_media_add_format (to, "webrtc-datachannel");
  for (guint i = 0; i < gst_sdp_media_attributes_len (from); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (from, i);

    if (g_strv_contains (names, attribute->key))
      gst_sdp_media_add_attribute (to, attribute->key, attribute->value);
  }
  gst_sdp_media_add_attribute (to, "sctp-port", number);
  g_free (number);
  if (line->max_message_size > 0 && line->max_message_size < MAX_MESSAGE_SIZE) {
    number = g_strdup_printf ("%" G_GUINT64_FORMAT, line->max_message_size);
    gst_sdp_media_add_attribute (to, "max-message-size", number);
    g_free (number);
  }
  add_session_setup (sdp, to);
  return to;
}

static GstSDPMedia *
narrow_section (const GstSDPMessage *sdp, const GstRtcLine *line)
{
  const GstSDPMedia *from = gst_sdp_message_get_media (sdp, line->mline);
  guint n_ssrcs = 0;
  GstSDPMedia *to;

  gst_sdp_media_new (&to);
  gst_sdp_media_set_media (to, gst_sdp_media_get_media (from));
  gst_sdp_media_set_port_info (to, 9, 1);
  gst_sdp_media_set_proto (to, "UDP/TLS/RTP/SAVPF");
  gst_sdp_media_add_connection (to, "IN", "IP4", "0.0.0.0", 0, 0);
  for (guint i = 0; i < gst_sdp_media_formats_len (from); i++) {
    if (format_is_wanted (line, gst_sdp_media_get_format (from, i)))
      gst_sdp_media_add_format (to, gst_sdp_media_get_format (from, i));
  }
  for (guint i = 0; i < gst_sdp_media_attributes_len (from); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (from, i);

    /* "extmap:6/recvonly uri": GstSDP reads the direction into the caps, where no intersection survives it. */
    if (attribute_is_wanted (line, attribute)) {
      if (strcmp (attribute->key, "extmap") == 0 && strchr (attribute->value, ' ')) {
        gchar *plain = g_strdup_printf ("%d%s", atoi (attribute->value), strchr (attribute->value, ' '));

        gst_sdp_media_add_attribute (to, "extmap", plain);
        g_free (plain);
      } else if (strcmp (attribute->key, "fmtp") == 0 && attribute->value) {
        gchar *known = gst_rtc_sdp_known_parameters (attribute->value);

        gst_sdp_media_add_attribute (to, "fmtp", known);
        g_free (known);
      } else if (strcmp (attribute->key, "ssrc") != 0 || n_ssrcs++ < MAX_SSRC_LINES) {
        gst_sdp_media_add_attribute (to, attribute->key, attribute->value);
      }
    }
  }
  if (!gst_sdp_media_get_attribute_val (to, "rtpmap")) {
    gchar *rtpmap = g_strdup_printf ("%d %s/%d", line->payload, line->codec->encoding_name, line->codec->clock_rate);

    gst_sdp_media_add_attribute (to, "rtpmap", rtpmap);
    g_free (rtpmap);
  }
  add_session_setup (sdp, to);
  gst_sdp_media_add_attribute (to, line->send && line->receive ? "sendrecv" : line->send ? "recvonly" : "sendonly", "");
  return to;
}

static void
add_bundle (GstSDPMessage *sdp)
{
  GString *group = g_string_new ("BUNDLE");

  for (guint i = 0; i < gst_sdp_message_medias_len (sdp); i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, i);

    if (gst_sdp_media_get_port (media) != 0)
      g_string_append_printf (group, " %s", gst_sdp_media_get_attribute_val (media, "mid"));
  }
  gst_sdp_message_add_attribute (sdp, "group", group->str);
  g_string_free (group, TRUE);
}

static GstSDPMessage *
message_like (const GstSDPMessage *sdp)
{
  const GstSDPOrigin *origin = gst_sdp_message_get_origin (sdp);
  GstSDPMessage *message;

  gst_sdp_message_new (&message);
  gst_sdp_message_set_version (message, "0");
  gst_sdp_message_set_origin (message, "-", origin->sess_id ? origin->sess_id : "1",
      origin->sess_version ? origin->sess_version : "1", "IN", "IP4", "0.0.0.0");
  gst_sdp_message_set_session_name (message, "-");
  gst_sdp_message_add_time (message, "0", "0", NULL);
  gst_sdp_message_add_attribute (message, "ice-options", "trickle");
  return message;
}

GstSDPMessage *
gst_rtc_webrtc_narrow (const GstSDPMessage *sdp, const GArray *lines)
{
  GstSDPMessage *narrow = message_like (sdp);

  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    if (line->accepted) {
      GstSDPMedia *media = line->is_data ? narrow_data (sdp, line) : narrow_section (sdp, line);

      gst_sdp_message_add_media (narrow, media);
      gst_sdp_media_free (media);
    }
  }
  add_bundle (narrow);
  return narrow;
}

/* webrtcbin's answer has lost H.264's profile-level-id. It gets it back. */
static void
restore_h264_fmtp (GstSDPMedia *media, const GstSDPMedia *offered, const GstRtcLine *line, const GstRtcSdpTrack *tracks)
{
  gchar *id =
      gst_rtc_sdp_answer_profile_level_id (offered, line->payload, line->track >= 0 ? &tracks[line->track] : NULL);
  gchar *fmtp;

  if (!id)
    return;
  for (guint i = gst_sdp_media_attributes_len (media); i-- > 0;) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);

    if (strcmp (attribute->key, "fmtp") == 0 && atoi (attribute->value) == line->payload)
      gst_sdp_media_remove_attribute (media, i);
  }
  fmtp = g_strdup_printf ("%d level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=%s", line->payload, id);
  gst_sdp_media_add_attribute (media, "fmtp", fmtp);
  g_free (fmtp);
  g_free (id);
}

/* In the form that came before RFC 8841, as it was asked. */
static void
make_old_data (GstSDPMedia *media)
{
  for (guint i = gst_sdp_media_attributes_len (media); i-- > 0;) {
    if (strcmp (gst_sdp_media_get_attribute (media, i)->key, "sctp-port") == 0)
      gst_sdp_media_remove_attribute (media, i);
  }
  gst_sdp_media_set_proto (media, "DTLS/SCTP");
  gst_sdp_media_replace_format (media, 0, G_STRINGIFY (GST_RTC_WEBRTC_SCTP_PORT));
  gst_sdp_media_add_attribute (media, "sctpmap", G_STRINGIFY (GST_RTC_WEBRTC_SCTP_PORT) " webrtc-datachannel 1024");
}

GstSDPMessage *
gst_rtc_webrtc_widen_answer (
    const GstSDPMessage *answer, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  GstSDPMessage *wide = message_like (answer);
  guint next = 0;

  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    GstSDPMedia *media;

    if (line->accepted && next < gst_sdp_message_medias_len (answer))
      gst_sdp_media_copy (gst_sdp_message_get_media (answer, next++), &media);
    else
      media = gst_rtc_sdp_reject_section (gst_sdp_message_get_media (offer, i), line->mid);
    if (line->is_data && line->accepted && gst_rtc_sdp_is_old_data (gst_sdp_message_get_media (offer, i)))
      make_old_data (media);
    if (line->accepted && line->codec && strcmp (line->codec->encoding_name, "H264") == 0)
      restore_h264_fmtp (media, gst_sdp_message_get_media (offer, i), line, tracks);
    gst_sdp_message_add_media (wide, media);
    gst_sdp_media_free (media);
  }
  add_bundle (wide);
  return wide;
}

GstSDPMessage *
gst_rtc_webrtc_mend_answer (const GstSDPMessage *answer, const GArray *lines)
{
  GstSDPMessage *mended = message_like (answer);
  const GstSDPMedia *first = NULL;

  for (guint i = 0; !first && i < lines->len; i++) {
    if (g_array_index (lines, GstRtcLine, i).accepted)
      first = gst_sdp_message_get_media (answer, i);
  }
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    GstSDPMedia *media;

    if (line->accepted) {
      media = line->is_data ? narrow_data (answer, line) : narrow_section (answer, line);
    } else {
      static const gchar *const names[] = {SETUP_ATTRIBUTES};

      /* webrtcbin wants credentials in every section, a rejected one too, and none of port 0. */
      media = gst_rtc_sdp_reject_section (gst_sdp_message_get_media (answer, i), line->mid);
      gst_sdp_media_set_port_info (media, 9, 1);
      gst_sdp_media_add_attribute (media, "rtcp-mux", "");
      for (guint n = 0; n < G_N_ELEMENTS (names); n++) {
        const gchar *value = gst_rtc_sdp_get_attribute (answer, first, names[n]);

        if (value)
          gst_sdp_media_add_attribute (media, names[n], value);
      }
    }
    gst_sdp_message_add_media (mended, media);
    gst_sdp_media_free (media);
  }
  add_bundle (mended);
  return mended;
}

GstCaps *
gst_rtc_webrtc_preferences (const GstSDPMedia *media, const GstRtcLine *line)
{
  GstCaps *caps = gst_sdp_media_get_caps_from_media (media, line->payload);

  gst_sdp_media_attributes_to_caps (media, caps);
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstStructure *s = gst_caps_get_structure (caps, i);
    gint n = gst_structure_n_fields (s);

    gst_structure_set_name (s, "application/x-rtp");
    /* Only what describes the format: what describes the section (mid, ssrc, ICE) differs between the two sides. */
    while (n-- > 0) {
      const gchar *field = gst_structure_nth_field_name (s, n);

      if (g_str_has_prefix (field, "a-") || g_str_has_prefix (field, "ssrc-") || g_str_has_prefix (field, "rid-"))
        gst_structure_remove_field (s, field);
    }
  }
  return caps;
}

static void
set_extmap (GstStructure *s, guint id, const gchar *uri)
{
  gchar *field = g_strdup_printf ("extmap-%u", id);

  gst_structure_set (s, field, G_TYPE_STRING, uri, NULL);
  g_free (field);
}

static void
set_offer_attributes (GstStructure *s, GstRtcKind kind)
{
  set_extmap (s, EXT_ID_MID, GST_RTC_EXT_MID);
  set_extmap (s, EXT_ID_TWCC, GST_RTC_EXT_TWCC);
  gst_structure_set (s, "rtcp-fb-transport-cc", G_TYPE_BOOLEAN, TRUE, NULL);
  if (kind == GST_RTC_KIND_AUDIO)
    set_extmap (s, EXT_ID_AUDIO_LEVEL, GST_RTC_EXT_AUDIO_LEVEL);
  else
    gst_structure_set (s, "rtcp-fb-nack", G_TYPE_BOOLEAN, TRUE, "rtcp-fb-nack-pli", G_TYPE_BOOLEAN, TRUE,
        "rtcp-fb-ccm-fir", G_TYPE_BOOLEAN, TRUE, NULL);
}

GstCaps *
gst_rtc_webrtc_offer_preferences (const GstRtcLine *line, const GstRtcSdpTrack *tracks)
{
  static const gchar *const kept[] = {"media", "encoding-name", "clock-rate", "encoding-params", "profile-level-id",
      "packetization-mode", "profile-id", "tier-flag", "level-id", NULL};
  GstCaps *caps;

  if (line->send) {
    GstStructure *s = gst_structure_copy (gst_caps_get_structure (tracks[line->track].caps, 0));
    gint n = gst_structure_n_fields (s);

    while (n-- > 0) {
      const gchar *field = gst_structure_nth_field_name (s, n);

      if (!g_strv_contains (kept, field))
        gst_structure_remove_field (s, field);
    }
    gst_structure_set (s, "payload", G_TYPE_INT, line->codec->payload, NULL);
    if (strcmp (line->codec->encoding_name, "OPUS") == 0)
      gst_structure_set (s, "encoding-params", G_TYPE_STRING, "2", NULL);
    if (strcmp (line->codec->encoding_name, "H264") == 0)
      gst_structure_set (s, "level-asymmetry-allowed", G_TYPE_STRING, "1", NULL);
    caps = gst_caps_new_full (s, NULL);
  } else {
    GPtrArray *codecs = gst_rtc_codecs_available (line->kind);

    caps = gst_caps_new_empty ();
    for (guint i = 0; i < codecs->len; i++)
      gst_caps_append (caps, gst_rtc_codec_receive_caps (g_ptr_array_index (codecs, i)));
    g_ptr_array_unref (codecs);
  }
  for (guint i = 0; i < gst_caps_get_size (caps); i++)
    set_offer_attributes (gst_caps_get_structure (caps, i), line->kind);
  return caps;
}
