/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcsdp.h"
#include "core/rtcmessage.h"

#include <gst/rtp/gstrtppayloads.h>
#include <string.h>

#define bad_sdp(...) g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP, __VA_ARGS__)

void
gst_rtc_line_clear (GstRtcLine *line)
{
  g_clear_pointer (&line->mid, g_free);
  g_clear_pointer (&line->stream_name, g_free);
  gst_clear_caps (&line->caps);
}

static GArray *
lines_new (void)
{
  GArray *lines = g_array_new (FALSE, TRUE, sizeof (GstRtcLine));

  g_array_set_clear_func (lines, (GDestroyNotify)gst_rtc_line_clear);
  return lines;
}

const gchar *
gst_rtc_sdp_get_attribute (const GstSDPMessage *sdp, const GstSDPMedia *media, const gchar *name)
{
  const gchar *value = gst_sdp_media_get_attribute_val (media, name);

  return value ? value : gst_sdp_message_get_attribute_val (sdp, name);
}

gboolean
gst_rtc_sdp_media_is_rejected (const GstSDPMedia *media)
{
  if (gst_sdp_media_get_port (media) != 0)
    return FALSE;
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    if (strcmp (gst_sdp_media_get_attribute (media, i)->key, "bundle-only") == 0)
      return FALSE;
  }
  return TRUE;
}

gchar *
gst_rtc_sdp_get_profile_level_id (const GstSDPMedia *media, gint payload)
{
  const gchar *value;

  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "fmtp", i)); i++) {
    const gchar *id = atoi (value) == payload ? strstr (value, "profile-level-id=") : NULL;

    if (id && strlen (id) >= strlen ("profile-level-id=42e01f"))
      return g_ascii_strdown (id + strlen ("profile-level-id="), 6);
  }
  return NULL;
}

/* Each name of a field is kept by GLib as long as the process lives, so names that a peer made up must not become any:
 * it would fill the memory, description by description. These are the parameters that RTP payload formats have. */
static const gchar *const parameter_names[] = {"apt", "cbr", "config-uri", "depth", "emphasis", "interop-constraints",
    "level-asymmetry-allowed", "level-id", "level-idx", "max-br", "max-cpb", "max-dpb", "max-fps", "max-fr", "max-fs",
    "max-mbps", "max-smbps", "maxaveragebitrate", "maxplaybackrate", "maxptime", "minptime", "mode", "octet-align",
    "packetization-mode", "profile", "profile-id", "profile-level-id", "profile-space", "ptime", "rtx-time",
    "sprop-interleaving-depth", "sprop-maxcapturerate", "sprop-parameter-sets", "sprop-pps", "sprop-sps",
    "sprop-stereo", "sprop-vps", "stereo", "tier", "tier-flag", "tx-mode", "usedtx", "useinbandfec", NULL};
static const gchar *const feedback_names[] = {
    "nack", "nack pli", "nack rpsi", "nack sli", "ccm fir", "ccm tmmbr", "goog-remb", "transport-cc", NULL};

gchar *
gst_rtc_sdp_known_parameters (const gchar *fmtp)
{
  gsize format = strcspn (fmtp, " ");
  GString *known = g_string_new_len (fmtp, format);
  gchar **parameters = g_strsplit (fmtp + format, ";", -1);

  for (guint i = 0, n = 0; parameters[i]; i++) {
    gchar *parameter = g_strstrip (parameters[i]), *name = g_strndup (parameter, strcspn (parameter, "="));

    if (g_strv_contains (parameter_names, g_strchomp (name)))
      g_string_append_printf (known, "%s%s", n++ ? ";" : " ", parameter);
    g_free (name);
  }
  g_strfreev (parameters);
  return g_string_free (known, FALSE);
}

gboolean
gst_rtc_sdp_is_known_feedback (const gchar *value)
{
  const gchar *name = strchr (value, ' ');

  return name && g_strv_contains (feedback_names, name + 1);
}

/* What the section says of one format, in words that are known. (transfer full) */
static GstSDPMedia *
without_strange_names (const GstSDPMedia *media, gint payload)
{
  GstSDPMedia *known;

  gst_sdp_media_new (&known);
  gst_sdp_media_set_media (known, gst_sdp_media_get_media (media));
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);
    const gchar *value = attribute->value;

    if (!value || (atoi (value) != payload && *value != '*'))
      continue;
    if (strcmp (attribute->key, "fmtp") == 0) {
      gchar *fmtp = gst_rtc_sdp_known_parameters (value);

      gst_sdp_media_add_attribute (known, "fmtp", fmtp);
      g_free (fmtp);
    } else if (strcmp (attribute->key, "rtpmap") == 0
        || (strcmp (attribute->key, "rtcp-fb") == 0 && gst_rtc_sdp_is_known_feedback (value))) {
      gst_sdp_media_add_attribute (known, attribute->key, value);
    }
  }
  return known;
}

GstCaps *
gst_rtc_sdp_format_caps (const GstSDPMedia *media, gint payload)
{
  GstSDPMedia *known = without_strange_names (media, payload);
  GstCaps *caps = gst_sdp_media_get_caps_from_media (known, payload);
  gchar *id;
  GstStructure *s;

  gst_sdp_media_free (known);
  if (!caps)
    return NULL;
  s = gst_caps_get_structure (caps, 0);
  gst_structure_set_name (s, "application/x-rtp");
  if (!gst_structure_has_field (s, "encoding-name")) {
    const GstRTPPayloadInfo *info = gst_rtp_payload_info_for_pt (payload);

    if (info)
      gst_structure_set (s, "encoding-name", G_TYPE_STRING, info->encoding_name, NULL);
  }
  /* GstSDP turns it into a profile, which says less, when the levels may differ. */
  id = gst_rtc_sdp_get_profile_level_id (media, payload);
  if (id) {
    gst_structure_set (s, "profile-level-id", G_TYPE_STRING, id, NULL);
    gst_structure_remove_field (s, "profile");
    g_free (id);
  }
  return caps;
}

gchar *
gst_rtc_sdp_answer_profile_level_id (const GstSDPMedia *offered, gint payload, const GstRtcSdpTrack *track)
{
  gchar *id = gst_rtc_sdp_get_profile_level_id (offered, payload);
  const gchar *actual =
      track ? gst_structure_get_string (gst_caps_get_structure (track->caps, 0), "profile-level-id") : NULL;

  if (id && actual && strlen (actual) == 6 && g_ascii_strncasecmp (id, actual, 2) == 0)
    memcpy (id + 4, actual + 4, 2);
  return id;
}

GstSDPMedia *
gst_rtc_sdp_reject_section (const GstSDPMedia *offered, const gchar *mid)
{
  const gchar *format = gst_sdp_media_get_format (offered, 0), *value;
  GstSDPMedia *media;

  gst_sdp_media_new (&media);
  gst_sdp_media_set_media (media, gst_sdp_media_get_media (offered));
  gst_sdp_media_set_port_info (media, 0, 1);
  gst_sdp_media_set_proto (media, gst_sdp_media_get_proto (offered));
  gst_sdp_media_add_connection (media, "IN", "IP4", "0.0.0.0", 0, 0);
  gst_sdp_media_add_format (media, format);
  /* pion looks for what the format is even here, and refuses the whole answer when it is not told. */
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (offered, "rtpmap", i)); i++) {
    if (atoi (value) == atoi (format))
      gst_sdp_media_add_attribute (media, "rtpmap", value);
  }
  gst_sdp_media_add_attribute (media, "mid", mid);
  gst_sdp_media_add_attribute (media, "inactive", "");
  return media;
}

/* Planning. */

static gint
find_rtx_payload (const GstSDPMedia *media, gint payload)
{
  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    gint rtx = atoi (gst_sdp_media_get_format (media, i));
    GstCaps *caps = gst_rtc_sdp_format_caps (media, rtx);
    gboolean found = FALSE;

    if (caps) {
      const GstStructure *s = gst_caps_get_structure (caps, 0);
      const gchar *apt = gst_structure_get_string (s, "apt");

      found = g_strcmp0 (gst_structure_get_string (s, "encoding-name"), "RTX") == 0 && apt && atoi (apt) == payload;
      gst_caps_unref (caps);
    }
    if (found)
      return rtx;
  }
  return -1;
}

static guint
find_extension (const GstSDPMedia *media, const gchar *uri)
{
  const gchar *value;

  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "extmap", i)); i++) {
    const gchar *space = strchr (value, ' ');
    guint id = atoi (value);

    /* 15 and above need the two-byte form, which no one of ours writes. */
    if (space && id >= 1 && id <= 14 && g_str_has_prefix (space + 1, uri)
        && (space[1 + strlen (uri)] == '\0' || space[1 + strlen (uri)] == ' '))
      return id;
  }
  return 0;
}

static void
line_set_format (GstRtcLine *line, const GstSDPMedia *media, const GstRtcCodec *codec, gint payload, GstCaps *caps)
{
  line->accepted = TRUE;
  line->codec = codec;
  line->payload = payload;
  line->rtx_payload = find_rtx_payload (media, payload);
  line->ext_mid = find_extension (media, GST_RTC_EXT_MID);
  line->ext_twcc = find_extension (media, GST_RTC_EXT_TWCC);
  line->ext_audio_level = line->kind == GST_RTC_KIND_AUDIO ? find_extension (media, GST_RTC_EXT_AUDIO_LEVEL) : 0;
  line->ext_rid = line->receive ? find_extension (media, GST_RTC_EXT_RID) : 0;
  line->ext_repaired_rid = line->receive ? find_extension (media, GST_RTC_EXT_REPAIRED_RID) : 0;
  gst_caps_take (&line->caps, caps);
}

static gboolean
line_match_track (GstRtcLine *line, const GstSDPMedia *media, const GstRtcSdpTrack *track)
{
  GstCaps *best_caps = NULL;
  gint best_payload = -1;
  guint best = 0;

  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    gint payload = atoi (gst_sdp_media_get_format (media, i));
    GstCaps *caps = gst_rtc_sdp_format_caps (media, payload);
    guint match = caps ? gst_rtc_codec_match (track->codec, track->caps, caps) : 0;

    if (match > best) {
      best = match;
      best_payload = payload;
      gst_caps_replace (&best_caps, caps);
    }
    gst_clear_caps (&caps);
  }
  if (!best)
    return FALSE;
  line_set_format (line, media, track->codec, best_payload, best_caps);
  return TRUE;
}

static gboolean
line_match_receive (GstRtcLine *line, const GstSDPMedia *media)
{
  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    gint payload = atoi (gst_sdp_media_get_format (media, i));
    GstCaps *caps = gst_rtc_sdp_format_caps (media, payload);
    const GstRtcCodec *codec = NULL;

    if (caps) {
      codec = gst_rtc_codec_by_encoding_name (
          line->kind, gst_structure_get_string (gst_caps_get_structure (caps, 0), "encoding-name"));
      /* A depayloader takes every profile, a decoder here takes the plain ones. */
      if (codec && gst_rtc_codec_match (codec, caps, caps)) {
        line_set_format (line, media, codec, payload, caps);
        return TRUE;
      }
      gst_caps_unref (caps);
    }
  }
  return FALSE;
}

static void
add_problem (GString **problems, const gchar *format, ...)
{
  va_list args;

  if (!*problems)
    *problems = g_string_new (NULL);
  else
    g_string_append_c (*problems, ' ');
  va_start (args, format);
  g_string_append_vprintf (*problems, format, args);
  va_end (args);
}

/* For people: "VP8, VP9 (profile 0), AV1". */
static gchar *
describe_formats (const GstSDPMedia *media)
{
  /* What goes along with a codec. */
  static const gchar *const others[] = {"RTX", "RED", "ULPFEC", "FLEXFEC-03", "CN", "TELEPHONE-EVENT", NULL};
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);
  gchar *joined;

  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    GstCaps *caps = gst_rtc_sdp_format_caps (media, atoi (gst_sdp_media_get_format (media, i)));
    const gchar *name = caps ? gst_structure_get_string (gst_caps_get_structure (caps, 0), "encoding-name") : NULL;
    gchar *text = name && !g_strv_contains (others, name) ? gst_rtc_codec_describe (caps) : NULL;

    if (text && !g_ptr_array_find_with_equal_func (texts, text, g_str_equal, NULL))
      g_ptr_array_add (texts, g_steal_pointer (&text));
    g_free (text);
    gst_clear_caps (&caps);
  }
  g_ptr_array_add (texts, NULL);
  joined = g_strjoinv (", ", (gchar **)texts->pdata);
  g_ptr_array_unref (texts);
  return joined;
}

static gint
direction_from_key (const gchar *key, gint otherwise)
{
  static const gchar *const names[] = {"sendrecv", "sendonly", "recvonly", "inactive"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    if (g_strcmp0 (key, names[i]) == 0)
      return i;
  }
  return otherwise;
}

static void
section_directions (const GstSDPMessage *sdp, const GstSDPMedia *media, gboolean *sends, gboolean *receives)
{
  gint direction = 0;

  for (guint i = 0; i < gst_sdp_message_attributes_len (sdp); i++)
    direction = direction_from_key (gst_sdp_message_get_attribute (sdp, i)->key, direction);
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++)
    direction = direction_from_key (gst_sdp_media_get_attribute (media, i)->key, direction);
  *sends = direction <= 1;
  *receives = direction == 0 || direction == 2;
}

static gchar *
get_stream_name (const GstSDPMedia *media)
{
  const gchar *msid = gst_sdp_media_get_attribute_val (media, "msid");
  gchar *name = msid ? g_strndup (msid, MIN (strcspn (msid, " "), 128)) : NULL;

  if (name && (strcmp (name, "-") == 0 || !*name))
    g_clear_pointer (&name, g_free);
  return name;
}

/* Gives the line the first of our tracks that is still free and that the peer takes there. */
static void
plan_send (GstRtcLine *line, const GstSDPMedia *media, const GstRtcSdpTrack *tracks, guint n_tracks, gboolean *used,
    GString **mismatches)
{
  for (guint t = 0; t < n_tracks; t++) {
    if (used[t] || tracks[t].kind != line->kind)
      continue;
    if (line_match_track (line, media, &tracks[t])) {
      used[t] = TRUE;
      line->track = t;
      line->send = TRUE;
      return;
    }
    gchar *ours = gst_rtc_codec_describe (tracks[t].caps), *theirs = describe_formats (media);

    add_problem (mismatches, "%s is %s, but the peer takes only %s.", tracks[t].name, ours, theirs);
    g_free (ours);
    g_free (theirs);
  }
}

/* Whether there is nothing that the peer would send and cannot be received. */
static gboolean
plan_line (GstRtcLine *line, const GstSDPMessage *offer, const GstSDPMedia *media, const GstRtcSdpTrack *tracks,
    guint n_tracks, gboolean *used, GString **mismatches)
{
  const gchar *kind = gst_sdp_media_get_media (media);
  gboolean they_send, they_receive;

  line->mid = g_strdup (gst_sdp_media_get_attribute_val (media, "mid"));
  line->track = line->payload = line->rtx_payload = -1;
  line->kind = g_strcmp0 (kind, "audio") == 0 ? GST_RTC_KIND_AUDIO : GST_RTC_KIND_VIDEO;
  line->is_data = g_strcmp0 (kind, "application") == 0;
  if (gst_rtc_sdp_media_is_rejected (media) || (strcmp (kind, "audio") && strcmp (kind, "video")))
    return TRUE;
  section_directions (offer, media, &they_send, &they_receive);
  line->stream_name = get_stream_name (media);
  line->receive = they_send;
  if (they_receive)
    plan_send (line, media, tracks, n_tracks, used, mismatches);
  if (they_send && !line->accepted)
    line->receive = line_match_receive (line, media);
  return line->receive == they_send;
}

/* The first that makes sense. Whether there is one. */
static gboolean
plan_data (GArray *lines, const GstSDPMessage *offer, GString **problems)
{
  gchar *problem = NULL;
  gboolean found = FALSE;

  for (guint i = 0; i < lines->len && !found; i++) {
    GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    const GstSDPMedia *media = gst_sdp_message_get_media (offer, i);

    found = line->is_data && !gst_rtc_sdp_media_is_rejected (media) && gst_rtc_line_accept_data (line, media, &problem);
  }
  if (problem && !found)
    add_problem (problems, "%s", problem);
  g_free (problem);
  return found;
}

GArray *
gst_rtc_sdp_plan_answer (const GstSDPMessage *offer, const GstRtcSdpTrack *tracks, guint n_tracks, GstRtcSdpData data,
    gchar **problems, GError **error)
{
  GArray *lines = lines_new ();
  gboolean *used = g_new0 (gboolean, n_tracks + 1);
  gboolean any = FALSE, all_media = TRUE;
  GString *trouble = NULL;

  *problems = NULL;
  g_array_set_size (lines, gst_sdp_message_medias_len (offer));
  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    line->mline = i;
    all_media &= plan_line (line, offer, gst_sdp_message_get_media (offer, i), tracks, n_tracks, used, &trouble);
    any |= line->accepted;
  }
  /* Who has no other section than that for data came for nothing else. */
  all_media &= !trouble;
  for (guint t = 0; t < n_tracks; t++) {
    if (!used[t] && !trouble)
      add_problem (&trouble, "The peer's offer has no %s section for %s.", gst_rtc_kind_to_string (tracks[t].kind),
          tracks[t].name);
  }
  /* What did not fit one line may have found another. */
  if (trouble) {
    gboolean all = TRUE;

    for (guint t = 0; t < n_tracks; t++)
      all &= used[t];
    if (all) {
      g_string_free (trouble, TRUE);
      trouble = NULL;
    }
  }
  if (data && plan_data (lines, offer, &trouble))
    any |= data == GST_RTC_SDP_DATA_WANTED || all_media;
  g_free (used);
  if (!any) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC, "Nothing in the offer can be sent or received here. %s",
        trouble ? trouble->str : "It has no audio or video section with a codec that is installed.");
    g_clear_pointer (&lines, g_array_unref);
  } else if (trouble) {
    *problems = g_strdup (trouble->str);
  }
  if (trouble)
    g_string_free (trouble, TRUE);
  return lines;
}

GArray *
gst_rtc_sdp_plan_offer (const GstRtcSdpTrack *tracks, guint n_tracks, guint n_video, guint n_audio, GstRtcSdpData data)
{
  GArray *lines = lines_new ();
  guint n_media = n_tracks + n_video + n_audio;

  for (guint i = 0; i < n_media + (data ? 1 : 0); i++) {
    GstRtcLine line = {.mline = i, .accepted = TRUE, .track = -1, .payload = -1, .rtx_payload = -1};

    if (i < n_tracks) {
      line.kind = tracks[i].kind;
      line.codec = tracks[i].codec;
      line.send = TRUE;
      line.track = i;
    } else if (i == n_media) {
      line.is_data = TRUE;
      line.is_wanted = data == GST_RTC_SDP_DATA_WANTED;
    } else {
      line.kind = i < n_tracks + n_video ? GST_RTC_KIND_VIDEO : GST_RTC_KIND_AUDIO;
      line.receive = TRUE;
    }
    g_array_append_val (lines, line);
  }
  return lines;
}

static gboolean
apply_section (GstRtcLine *line, const GstSDPMessage *answer, const GstSDPMedia *media, GString **trouble)
{
  gboolean they_send, they_receive;
  gint payload;
  GstCaps *caps;
  const GstRtcCodec *codec;

  line->accepted = FALSE;
  if (gst_rtc_sdp_media_is_rejected (media)) {
    line->send = line->receive = FALSE;
    return TRUE;
  }
  if (line->is_data) {
    gchar *problem = NULL;

    if (!gst_rtc_line_accept_data (line, media, &problem))
      add_problem (trouble, "%s", problem);
    g_free (problem);
    return TRUE;
  }
  section_directions (answer, media, &they_send, &they_receive);
  line->send &= they_receive;
  line->receive &= they_send;
  if (!line->send && !line->receive)
    return TRUE;
  payload = atoi (gst_sdp_media_get_format (media, 0));
  caps = gst_rtc_sdp_format_caps (media, payload);
  codec = caps ? gst_rtc_codec_by_encoding_name (
              line->kind, gst_structure_get_string (gst_caps_get_structure (caps, 0), "encoding-name"))
               : NULL;
  if (!codec || (line->send && codec != line->codec)) {
    add_problem (trouble, "The peer's answer names a codec in section %u that was not offered there.", line->mline);
    gst_clear_caps (&caps);
    return FALSE;
  }
  g_free (line->stream_name);
  line->stream_name = get_stream_name (media);
  line_set_format (line, media, codec, payload, caps);
  return TRUE;
}

gboolean
gst_rtc_sdp_apply_answer (const GstSDPMessage *answer, GArray *lines, gchar **problems, GError **error)
{
  GString *trouble = NULL;
  gboolean any = FALSE;

  *problems = NULL;
  if (gst_sdp_message_medias_len (answer) != lines->len) {
    bad_sdp ("The answer has %u sections, the offer had %u", gst_sdp_message_medias_len (answer), lines->len);
    return FALSE;
  }
  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    const GstSDPMedia *media = gst_sdp_message_get_media (answer, i);
    const gchar *mid = gst_sdp_media_get_attribute_val (media, "mid");
    gboolean wanted = line->send;

    if (g_strcmp0 (gst_sdp_media_get_media (media), gst_rtc_line_get_media (line))
        || (mid && g_strcmp0 (mid, line->mid))) {
      bad_sdp ("Section %u of the answer is m=%s with a=mid:%s, the offer's was m=%s with a=mid:%s", i,
          gst_sdp_media_get_media (media), mid, gst_rtc_line_get_media (line), line->mid);
      break;
    }
    if (!apply_section (line, answer, media, &trouble)) {
      bad_sdp ("%s", trouble->str);
      break;
    }
    if (wanted && !line->send)
      add_problem (&trouble, "The peer does not take our %s in section %u (%s).", gst_rtc_kind_to_string (line->kind),
          i, line->codec ? line->codec->encoding_name : "any codec");
    any |= line->accepted && (!line->is_data || line->is_wanted || !trouble);
  }
  if (!any && !*error)
    g_set_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC,
        "The peer rejected every section of audio and video in our offer. %s", trouble ? trouble->str : "");
  if (trouble && !*error)
    *problems = g_strdup (trouble->str);
  if (trouble)
    g_string_free (trouble, TRUE);
  return *error == NULL;
}
