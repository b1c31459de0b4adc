/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativesdp.h"
#include "gstrtcnativeformats.h"
#include "gstrtcnativesdppriv.h"
#include "rtcdata.h"

#include <stdlib.h>
#include <string.h>

#define PROTO "UDP/TLS/RTP/SAVPF"
#define DATA_PROTO "UDP/DTLS/SCTP"
#define MAX_LAYERS 8
#define MAX_RID 16

/* Ids of our own offers; the one-byte form of RFC 8285 has 1 to 14. */
enum
{
  EXT_ID_MID = 1,
  EXT_ID_TWCC = 2,
  EXT_ID_AUDIO_LEVEL = 3,
};

static const struct
{
  const gchar *value;
  gboolean in_audio; /* what an audio section may have, too */
  gboolean in_audio_offer;
} feedback[] = {
    {"nack", TRUE, FALSE},
    {"nack pli", FALSE, FALSE},
    {"ccm fir", FALSE, FALSE},
    {"transport-cc", TRUE, TRUE},
};

static void add_attribute (GstSDPMedia *media, const gchar *key, const gchar *format, ...) G_GNUC_PRINTF (3, 4);

static void
add_attribute (GstSDPMedia *media, const gchar *key, const gchar *format, ...)
{
  va_list args;
  gchar *value;

  va_start (args, format);
  value = g_strdup_vprintf (format, args);
  va_end (args);
  gst_sdp_media_add_attribute (media, key, value);
  g_free (value);
}

/* Sections. */

static GstSDPMessage *
message_new (const GstRtcNativeLocal *local)
{
  GstSDPMessage *sdp;
  guint64 id = 14695981039346656037u; /* FNV-1a: the same for all descriptions of a session, and another one in each */
  gchar session[24], version[12];

  for (const gchar *c = local->fingerprint; *c; c++)
    id = (id ^ (guint8)*c) * 1099511628211u;
  for (const gchar *c = local->cname; *c; c++)
    id = (id ^ (guint8)*c) * 1099511628211u;
  g_snprintf (session, sizeof (session), "%" G_GUINT64_FORMAT, id >> 2); /* 62 bits: RFC 8829, section 5.2.1 */
  g_snprintf (version, sizeof (version), "%u", local->version);
  gst_sdp_message_new (&sdp);
  gst_sdp_message_set_version (sdp, "0");
  gst_sdp_message_set_origin (sdp, "-", session, version, "IN", "IP4", "127.0.0.1");
  gst_sdp_message_set_session_name (sdp, "-");
  gst_sdp_message_add_time (sdp, "0", "0", NULL);
  if (local->lite)
    gst_sdp_message_add_attribute (sdp, "ice-lite", "");
  gst_sdp_message_add_attribute (sdp, "ice-options", "trickle");
  return sdp;
}

static GstSDPMedia *
section_new (const GstRtcLine *line, const gchar *proto, const GstRtcNativeLocal *local, const gchar *setup)
{
  GstSDPMedia *media;

  gst_sdp_media_new (&media);
  gst_sdp_media_set_media (media, gst_rtc_line_get_media (line));
  gst_sdp_media_set_port_info (media, 9, 1);
  gst_sdp_media_set_proto (media, proto);
  gst_sdp_media_add_connection (media, "IN", "IP4", "0.0.0.0", 0, 0);
  gst_sdp_media_add_attribute (media, "mid", line->mid);
  gst_sdp_media_add_attribute (media, "ice-ufrag", local->ufrag);
  gst_sdp_media_add_attribute (media, "ice-pwd", local->password);
  gst_sdp_media_add_attribute (media, "fingerprint", local->fingerprint);
  gst_sdp_media_add_attribute (media, "setup", setup);
  return media;
}

static void
add_direction (GstSDPMedia *media, const GstRtcLine *line)
{
  gst_sdp_media_add_attribute (media,
      line->send && line->receive ? "sendrecv"
          : line->send            ? "sendonly"
                                  : "recvonly",
      "");
}

static void
add_candidates (GstSDPMedia *media, const GstRtcNativeLocal *local)
{
  if (!local->candidates)
    return;
  for (guint i = 0; local->candidates[i]; i++)
    gst_sdp_media_add_attribute (media, "candidate", local->candidates[i] + strlen ("candidate:"));
  gst_sdp_media_add_attribute (media, "end-of-candidates", ""); /* RFC 8840, section 4.1 */
}

/* What is sent on the line: its name and its SSRCs. */
static void
add_stream (GstSDPMedia *media, const GstRtcLine *line, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local)
{
  guint32 ssrcs[2] = {local->ssrcs[line->mline], line->rtx_payload >= 0 ? local->rtx_ssrcs[line->mline] : 0};
  const gchar *track = tracks[line->track].name;

  add_attribute (media, "msid", "%s %s", local->cname, track);
  if (ssrcs[1])
    add_attribute (media, "ssrc-group", "FID %u %u", ssrcs[0], ssrcs[1]);
  for (guint i = 0; i < 2 && ssrcs[i]; i++) {
    add_attribute (media, "ssrc", "%u cname:%s", ssrcs[i], local->cname);
    add_attribute (media, "ssrc", "%u msid:%s %s", ssrcs[i], local->cname, track);
  }
}

/* The names as their RFCs write them; GStreamer's are upper case. */
static void
add_format (GstSDPMedia *media, const GstRtcCodec *codec, gint payload, const gchar *fmtp)
{
  gboolean opus = strcmp (codec->encoding_name, "OPUS") == 0;
  gchar format[12];

  g_snprintf (format, sizeof (format), "%d", payload);
  gst_sdp_media_add_format (media, format);
  add_attribute (media, "rtpmap", "%d %s/%d%s", payload, opus ? "opus" : codec->encoding_name, codec->clock_rate,
      opus ? "/2" : "");
  if (*fmtp)
    add_attribute (media, "fmtp", "%d %s", payload, fmtp);
}

static void
add_rtx (GstSDPMedia *media, const GstRtcCodec *codec, gint payload, gint rtx)
{
  gchar format[12];

  if (rtx < 0)
    return;
  g_snprintf (format, sizeof (format), "%d", rtx);
  gst_sdp_media_add_format (media, format);
  add_attribute (media, "rtpmap", "%d rtx/%d", rtx, codec->clock_rate);
  add_attribute (media, "fmtp", "%d apt=%d", rtx, payload);
}

static void
add_data (GstSDPMedia *media, gboolean is_old)
{
  if (is_old) {
    add_attribute (media, "sctpmap", "%u webrtc-datachannel %u", GST_RTC_NATIVE_SCTP_PORT, RTC_SCTP_STREAMS);
    gst_sdp_media_add_format (media, G_STRINGIFY (GST_RTC_NATIVE_SCTP_PORT));
  } else {
    add_attribute (media, "sctp-port", "%u", GST_RTC_NATIVE_SCTP_PORT);
    gst_sdp_media_add_format (media, "webrtc-datachannel");
  }
  add_attribute (media, "max-message-size", "%u", RTC_DATA_MAX_MESSAGE_SIZE);
}

/* Answers. */

static gchar *
answer_fmtp (const GstSDPMedia *offered, const GstRtcLine *line, const GstRtcSdpTrack *tracks)
{
  const GstRtcSdpTrack *track = line->track >= 0 ? &tracks[line->track] : NULL;
  GstStructure *theirs = gst_structure_copy (gst_caps_get_structure (line->caps, 0));
  gchar *fmtp, *id;

  if (strcmp (line->codec->encoding_name, "H264") == 0) {
    id = gst_rtc_sdp_answer_profile_level_id (offered, line->payload, track);
    gst_structure_set (theirs, "level-asymmetry-allowed", G_TYPE_STRING, "1", NULL);
    if (id)
      gst_structure_set (theirs, "profile-level-id", G_TYPE_STRING, id, NULL);
    g_free (id);
  }
  fmtp = gst_rtc_native_fmtp (line->codec, theirs, track ? gst_caps_get_structure (track->caps, 0) : NULL);
  gst_structure_free (theirs);
  return fmtp;
}

static gboolean
is_offered (const GstSDPMedia *offered, const GstRtcLine *line, const gchar *wanted)
{
  const gchar *value;

  /* Janus offers it without the extension that it needs. */
  if (strcmp (wanted, "transport-cc") == 0 && !line->ext_twcc)
    return FALSE;
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (offered, "rtcp-fb", i)); i++) {
    const gchar *space = strchr (value, ' ');

    if (space && (value[0] == '*' || atoi (value) == line->payload) && g_str_has_prefix (space + 1, wanted)
        && space[1 + strlen (wanted)] == '\0')
      return TRUE;
  }
  return FALSE;
}

/* The offer's id; its direction, if it has one, seen from here (RFC 8285, section 6). */
static void
answer_extension (GstSDPMedia *media, const GstSDPMedia *offered, guint id, const gchar *uri)
{
  const gchar *value, *direction = "";

  if (!id)
    return;
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (offered, "extmap", i)); i++) {
    const gchar *slash = value + strspn (value, G_CSET_DIGITS);

    if ((guint)atoi (value) != id || *slash != '/')
      continue;
    if (g_str_has_prefix (slash, "/sendonly "))
      direction = "/recvonly";
    else if (g_str_has_prefix (slash, "/recvonly "))
      direction = "/sendonly";
    else if (g_str_has_prefix (slash, "/inactive "))
      direction = "/inactive";
  }
  add_attribute (media, "extmap", "%u%s %s", id, direction, uri);
}

/* Whether PAYLOAD is in "96,97;max-width=1280". */
static gboolean
is_in_list (const gchar *list, gint payload)
{
  while (g_ascii_isdigit (*list)) {
    if (atoi (list) == payload)
      return TRUE;
    list += strspn (list, G_CSET_DIGITS);
    list += *list == ',';
  }
  return FALSE;
}

/* Whether a=rid:RID is a layer that the peer sends, in the format that was chosen (RFC 8851). */
static gboolean
layer_is_wanted (const GstSDPMedia *offered, const gchar *rid, const GstRtcLine *line)
{
  gsize length = strlen (rid);
  const gchar *value;

  if (length == 0 || length > MAX_RID || strspn (rid, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_") != length)
    return FALSE;
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (offered, "rid", i)); i++) {
    const gchar *formats;

    if (strncmp (value, rid, length) != 0 || !g_str_has_prefix (value + length, " send"))
      continue;
    formats = strstr (value + length, " pt=");
    formats = formats ? formats : strstr (value + length, ";pt=");
    return !formats || is_in_list (formats + strlen (" pt="), line->payload);
  }
  return FALSE;
}

/* Simulcast (RFC 8853): takes all layers that the peer would send. Without it only one of them comes. */
static void
answer_layers (GstSDPMedia *media, const GstSDPMedia *offered, const GstRtcLine *line)
{
  const gchar *value = gst_sdp_media_get_attribute_val (offered, "simulcast");
  const gchar *sent = value && line->ext_rid && line->ext_mid ? strstr (value, "send ") : NULL;
  GString *taken = g_string_new (NULL);
  gchar *list, **layers;

  sent = sent ? sent + strlen ("send ") : "";
  list = g_strndup (sent, strcspn (sent, " "));
  layers = g_strsplit (list, ";", MAX_LAYERS + 1);
  for (guint i = 0; layers[i] && i < MAX_LAYERS; i++) {
    gchar *rid = layers[i] + (layers[i][0] == '~'); /* paused, to begin with */

    rid[strcspn (rid, ",")] = '\0'; /* of alternatives the first */
    if (layer_is_wanted (offered, rid, line)) {
      add_attribute (media, "rid", "%s recv", rid);
      g_string_append_printf (taken, "%s%s", taken->len ? ";" : "", rid);
    }
  }
  if (taken->len)
    add_attribute (media, "simulcast", "recv %s", taken->str);
  g_string_free (taken, TRUE);
  g_strfreev (layers);
  g_free (list);
}

static GstSDPMedia *
answer_section (
    const GstSDPMessage *offer, const GstRtcLine *line, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local)
{
  const GstSDPMedia *offered = gst_sdp_message_get_media (offer, line->mline);
  const gchar *setup = gst_rtc_sdp_get_attribute (offer, offered, "setup");
  GstSDPMedia *media = section_new (
      line, gst_sdp_media_get_proto (offered), local, g_strcmp0 (setup, "passive") == 0 ? "active" : "passive");
  gchar *fmtp;

  if (line->is_data) {
    add_data (media, gst_rtc_sdp_is_old_data (offered));
    return media;
  }
  fmtp = answer_fmtp (offered, line, tracks);
  add_direction (media, line);
  gst_sdp_media_add_attribute (media, "rtcp-mux", "");
  if (gst_rtc_native_sdp_has_attribute (offered, "rtcp-rsize"))
    gst_sdp_media_add_attribute (media, "rtcp-rsize", "");
  add_format (media, line->codec, line->payload, fmtp);
  for (guint i = 0; i < G_N_ELEMENTS (feedback); i++) {
    if ((line->kind == GST_RTC_KIND_VIDEO || feedback[i].in_audio) && is_offered (offered, line, feedback[i].value))
      add_attribute (media, "rtcp-fb", "%d %s", line->payload, feedback[i].value);
  }
  add_rtx (media, line->codec, line->payload, line->rtx_payload);
  answer_extension (media, offered, line->ext_mid, GST_RTC_EXT_MID);
  answer_extension (media, offered, line->ext_twcc, GST_RTC_EXT_TWCC);
  answer_extension (media, offered, line->ext_audio_level, GST_RTC_EXT_AUDIO_LEVEL);
  answer_extension (media, offered, line->ext_rid, GST_RTC_EXT_RID);
  answer_extension (media, offered, line->ext_repaired_rid, GST_RTC_EXT_REPAIRED_RID);
  answer_layers (media, offered, line);
  if (line->send)
    add_stream (media, line, tracks, local);
  g_free (fmtp);
  return media;
}

GstSDPMessage *
gst_rtc_native_sdp_answer (
    const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local)
{
  GstSDPMessage *answer = message_new (local);
  gchar **bundled = NULL;
  guint tagged = 0;

  if (gst_rtc_native_sdp_find_bundle (offer, lines, FALSE, &tagged, &bundled, NULL) && bundled) {
    gchar *mids = g_strjoinv (" ", bundled);
    gchar *group = g_strconcat ("BUNDLE ", mids, NULL);

    gst_sdp_message_add_attribute (answer, "group", group);
    g_free (group);
    g_free (mids);
  }
  g_strfreev (bundled);
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    GstSDPMedia *media = line->accepted ? answer_section (offer, line, tracks, local)
                                        : gst_rtc_sdp_reject_section (gst_sdp_message_get_media (offer, i), line->mid);

    if (i == tagged)
      add_candidates (media, local);
    gst_sdp_message_add_media (answer, media);
    gst_sdp_media_free (media);
  }
  return answer;
}

/* Offers. */

/* Fills the line with what it is offered as; without a format it cannot be. */
static void
line_fill (GstRtcLine *line, const GArray *formats)
{
  if (!line->mid)
    line->mid = g_strdup_printf ("%u", line->mline);
  if (formats->len == 0 && !line->is_data)
    line->accepted = line->send = line->receive = FALSE;
  if (!line->accepted || line->is_data)
    return;
  line->payload = g_array_index (formats, GstRtcNativeFormat, 0).payload;
  line->rtx_payload = g_array_index (formats, GstRtcNativeFormat, 0).rtx_payload;
  line->ext_mid = EXT_ID_MID;
  line->ext_twcc = EXT_ID_TWCC;
  line->ext_audio_level = line->kind == GST_RTC_KIND_AUDIO ? EXT_ID_AUDIO_LEVEL : 0;
}

static GstSDPMedia *
offer_section (
    const GstRtcLine *line, const GArray *formats, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local)
{
  GstSDPMedia *media = section_new (line, line->is_data ? DATA_PROTO : PROTO, local, "actpass");

  if (line->is_data) {
    add_data (media, FALSE);
    return media;
  }
  add_direction (media, line);
  gst_sdp_media_add_attribute (media, "rtcp-mux", "");
  gst_sdp_media_add_attribute (media, "rtcp-rsize", "");
  for (guint i = 0; i < formats->len; i++) {
    const GstRtcNativeFormat *format = &g_array_index (formats, GstRtcNativeFormat, i);

    add_format (media, format->codec, format->payload, format->fmtp);
    for (guint f = 0; f < G_N_ELEMENTS (feedback); f++) {
      if (line->kind == GST_RTC_KIND_VIDEO || feedback[f].in_audio_offer)
        add_attribute (media, "rtcp-fb", "%d %s", format->payload, feedback[f].value);
    }
    add_rtx (media, format->codec, format->payload, format->rtx_payload);
  }
  add_attribute (media, "extmap", "%u %s", line->ext_mid, GST_RTC_EXT_MID);
  add_attribute (media, "extmap", "%u %s", line->ext_twcc, GST_RTC_EXT_TWCC);
  if (line->ext_audio_level)
    add_attribute (media, "extmap", "%u %s", line->ext_audio_level, GST_RTC_EXT_AUDIO_LEVEL);
  if (line->send)
    add_stream (media, line, tracks, local);
  return media;
}

/* A section that an earlier answer rejected keeps its place (RFC 8829, section 5.2.2). */
static GstSDPMedia *
closed_section (const GstRtcLine *line)
{
  GstSDPMedia *media;

  gst_sdp_media_new (&media);
  gst_sdp_media_set_media (media, gst_rtc_line_get_media (line));
  gst_sdp_media_set_port_info (media, 0, 1);
  gst_sdp_media_set_proto (media, line->is_data ? DATA_PROTO : PROTO);
  gst_sdp_media_add_connection (media, "IN", "IP4", "0.0.0.0", 0, 0);
  gst_sdp_media_add_format (media, line->is_data ? "webrtc-datachannel" : "0");
  gst_sdp_media_add_attribute (media, "mid", line->mid);
  gst_sdp_media_add_attribute (media, "inactive", "");
  return media;
}

GstSDPMessage *
gst_rtc_native_sdp_offer (GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local)
{
  GstSDPMessage *offer = message_new (local);
  GPtrArray *formats = gst_rtc_native_formats_new (lines, tracks);
  GString *group = g_string_new ("BUNDLE");
  gboolean have_candidates = FALSE;

  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    GstSDPMedia *media;

    line_fill (line, g_ptr_array_index (formats, i));
    if (line->accepted) {
      media = offer_section (line, g_ptr_array_index (formats, i), tracks, local);
      g_string_append_printf (group, " %s", line->mid);
      if (!have_candidates)
        add_candidates (media, local);
      have_candidates = TRUE;
    } else {
      media = closed_section (line);
    }
    gst_sdp_message_add_media (offer, media);
    gst_sdp_media_free (media);
  }
  gst_sdp_message_add_attribute (offer, "group", group->str);
  g_string_free (group, TRUE);
  g_ptr_array_unref (formats);
  return offer;
}

/* Restarts. */

static void
remove_attributes (GstSDPMedia *media, const gchar *key)
{
  for (guint i = gst_sdp_media_attributes_len (media); i-- > 0;) {
    if (strcmp (gst_sdp_media_get_attribute (media, i)->key, key) == 0)
      gst_sdp_media_remove_attribute (media, i);
  }
}

static void
replace_attribute (GstSDPMedia *media, const gchar *key, const gchar *value)
{
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    GstSDPAttribute attribute;

    if (strcmp (gst_sdp_media_get_attribute (media, i)->key, key) != 0)
      continue;
    gst_sdp_attribute_set (&attribute, key, value);
    gst_sdp_media_replace_attribute (media, i, &attribute);
  }
}

GstSDPMessage *
gst_rtc_native_sdp_restart (const GstSDPMessage *before, gboolean is_offer, gboolean is_dtls_server, guint mline,
    const GstRtcNativeLocal *local)
{
  GstSDPMessage *sdp;
  gchar version[12];

  gst_sdp_message_copy (before, &sdp);
  g_snprintf (version, sizeof (version), "%u", local->version);
  gst_sdp_message_set_origin (
      sdp, "-", gst_sdp_message_get_origin (before)->sess_id, version, "IN", "IP4", "127.0.0.1");
  for (guint i = 0; i < gst_sdp_message_medias_len (sdp); i++) {
    GstSDPMedia *media = (GstSDPMedia *)gst_sdp_message_get_media (sdp, i);

    replace_attribute (media, "ice-ufrag", local->ufrag);
    replace_attribute (media, "ice-pwd", local->password);
    replace_attribute (media, "setup", is_offer ? "actpass" : is_dtls_server ? "passive" : "active");
    remove_attributes (media, "candidate");
    remove_attributes (media, "end-of-candidates");
    if (i == mline)
      add_candidates (media, local);
  }
  return sdp;
}
