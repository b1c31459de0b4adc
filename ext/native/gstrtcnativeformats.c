/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativeformats.h"

#include <string.h>

#define MAX_VALUE 64 /* of a peer's that is repeated */

/* What a=fmtp says of a format. sprop-: of what is sent; else of what may be received, or of both. */
static const struct
{
  const gchar *encoding_name;
  const gchar *fields[7];
} parameters[] = {
    {"H264", {"level-asymmetry-allowed", "packetization-mode", "profile-level-id"}}, /* RFC 6184, section 8.1 */
    {"VP9", {"profile-id"}}, /* RFC 9628, section 6.1 */
    {"H265", {"level-id", "profile-id", "tier-flag", "tx-mode"}}, /* RFC 7798, section 7.1 */
    {"AV1", {"level-idx", "profile", "tier"}},
    {"OPUS", {"maxplaybackrate", "minptime", "stereo", "useinbandfec", "sprop-maxcapturerate", "sprop-stereo"}},
};

/* A token of a peer's that may be written again. */
static gboolean
is_plain (const gchar *value)
{
  gsize length = strlen (value);

  return length > 0 && length <= MAX_VALUE && strspn (value, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "+-./_") == length;
}

gchar *
gst_rtc_native_fmtp (const GstRtcCodec *codec, const GstStructure *theirs, const GstStructure *sent)
{
  GString *fmtp = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (parameters); i++) {
    if (strcmp (parameters[i].encoding_name, codec->encoding_name) != 0)
      continue;
    for (guint f = 0; parameters[i].fields[f]; f++) {
      const gchar *field = parameters[i].fields[f];
      const GstStructure *from = g_str_has_prefix (field, "sprop-") ? sent : theirs;
      const gchar *value = from ? gst_structure_get_string (from, field) : NULL;

      if (value && is_plain (value))
        g_string_append_printf (fmtp, "%s%s=%s", fmtp->len ? ";" : "", field, value);
    }
  }
  return g_string_free (fmtp, FALSE);
}

/* One meaning of a payload type. */
typedef struct
{
  const GstRtcCodec *codec;
  gchar *profile; /* what tells formats of one codec apart */
  gint payload, rtx_payload;
} Meaning;

typedef struct
{
  GArray *meanings;
  gboolean used[128];
} Payloads;

static void
meaning_clear (gpointer data)
{
  g_free (((Meaning *)data)->profile);
}

static void
format_clear (gpointer data)
{
  g_free (((GstRtcNativeFormat *)data)->fmtp);
}

/* PREFERRED, or else one that is dynamic and does not look like RTCP (RFC 5761, section 4); -1: there is none left. */
static gint
take_payload (Payloads *payloads, gint preferred)
{
  static const struct
  {
    gint first, last;
  } ranges[] = {{112, 127}, {35, 63}, {96, 111}};

  if (preferred >= 0 && preferred < 128 && !payloads->used[preferred]) {
    payloads->used[preferred] = TRUE;
    return preferred;
  }
  for (guint r = 0; r < G_N_ELEMENTS (ranges); r++) {
    for (gint payload = ranges[r].first; payload <= ranges[r].last; payload++) {
      if (!payloads->used[payload]) {
        payloads->used[payload] = TRUE;
        return payload;
      }
    }
  }
  return -1;
}

/* What codecs of sound say in a=fmtp is a wish, and may differ between sections. */
static Meaning *
get_meaning (Payloads *payloads, const GstRtcCodec *codec, const gchar *fmtp, gint preferred)
{
  const gchar *profile = codec->kind == GST_RTC_KIND_VIDEO ? fmtp : "";
  Meaning meaning = {.codec = codec, .rtx_payload = -1};

  for (guint i = 0; i < payloads->meanings->len; i++) {
    Meaning *known = &g_array_index (payloads->meanings, Meaning, i);

    if (known->codec == codec && strcmp (known->profile, profile) == 0)
      return known;
  }
  meaning.payload = take_payload (payloads, preferred);
  if (meaning.payload < 0)
    return NULL;
  meaning.profile = g_strdup (profile);
  g_array_append_val (payloads->meanings, meaning);
  return &g_array_index (payloads->meanings, Meaning, payloads->meanings->len - 1);
}

static void
add_format (GArray *formats, Payloads *payloads, const GstRtcCodec *codec, const GstStructure *caps, gint preferred)
{
  GstRtcNativeFormat format = {.codec = codec, .fmtp = gst_rtc_native_fmtp (codec, caps, caps), .rtx_payload = -1};
  const Meaning *meaning = get_meaning (payloads, codec, format.fmtp, preferred);

  if (!meaning) {
    g_free (format.fmtp);
    return;
  }
  format.payload = meaning->payload;
  g_array_append_val (formats, format);
}

static void
add_formats (GArray *formats, Payloads *payloads, const GstRtcLine *line, const GstRtcSdpTrack *tracks)
{
  GPtrArray *codecs;

  if (line->send) {
    GstStructure *caps = gst_structure_copy (gst_caps_get_structure (tracks[line->track].caps, 0));

    if (strcmp (line->codec->encoding_name, "H264") == 0)
      gst_structure_set (caps, "level-asymmetry-allowed", G_TYPE_STRING, "1", NULL);
    add_format (formats, payloads, line->codec, caps, line->payload >= 0 ? line->payload : line->codec->payload);
    gst_structure_free (caps);
    return;
  }
  if (line->caps) {
    add_format (formats, payloads, line->codec, gst_caps_get_structure (line->caps, 0), line->payload);
    return;
  }
  codecs = gst_rtc_codecs_available (line->kind);
  for (guint i = 0; i < codecs->len; i++) {
    const GstRtcCodec *codec = g_ptr_array_index (codecs, i);
    GstCaps *variants = gst_rtc_codec_receive_caps (codec);

    for (guint v = 0; v < gst_caps_get_size (variants); v++)
      add_format (formats, payloads, codec, gst_caps_get_structure (variants, v), codec->payload + v);
    gst_caps_unref (variants);
  }
  g_ptr_array_unref (codecs);
}

static void
give_rtx (GPtrArray *all, Payloads *payloads)
{
  for (guint i = 0; i < payloads->meanings->len; i++) {
    Meaning *meaning = &g_array_index (payloads->meanings, Meaning, i);

    if (meaning->codec->kind == GST_RTC_KIND_VIDEO && meaning->rtx_payload < 0)
      meaning->rtx_payload = take_payload (payloads, meaning->payload + 1);
  }
  for (guint i = 0; i < all->len; i++) {
    GArray *formats = g_ptr_array_index (all, i);

    for (guint f = 0; f < formats->len; f++) {
      GstRtcNativeFormat *format = &g_array_index (formats, GstRtcNativeFormat, f);

      for (guint m = 0; m < payloads->meanings->len; m++) {
        const Meaning *meaning = &g_array_index (payloads->meanings, Meaning, m);

        if (meaning->payload == format->payload)
          format->rtx_payload = meaning->rtx_payload;
      }
    }
  }
}

GPtrArray *
gst_rtc_native_formats_new (const GArray *lines, const GstRtcSdpTrack *tracks)
{
  GPtrArray *all = g_ptr_array_new_full (lines->len, (GDestroyNotify)g_array_unref);
  Payloads payloads = {.meanings = g_array_new (FALSE, FALSE, sizeof (Meaning))};

  g_array_set_clear_func (payloads.meanings, meaning_clear);
  for (guint i = 0; i < lines->len; i++) {
    GArray *formats = g_array_new (FALSE, FALSE, sizeof (GstRtcNativeFormat));

    g_array_set_clear_func (formats, format_clear);
    g_ptr_array_add (all, formats);
  }
  /* What the peer knows already first, so that nothing else gets it. */
  for (guint pass = 0; pass < 2; pass++) {
    for (guint i = 0; i < lines->len; i++) {
      const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

      if (!line->accepted || line->is_data || (line->payload >= 0) != (pass == 0))
        continue;
      add_formats (g_ptr_array_index (all, i), &payloads, line, tracks);
      if (pass == 0 && line->rtx_payload >= 0) {
        Meaning *meaning = &g_array_index (payloads.meanings, Meaning, payloads.meanings->len - 1);

        if (meaning->payload == line->payload && meaning->rtx_payload < 0)
          meaning->rtx_payload = take_payload (&payloads, line->rtx_payload);
      }
    }
  }
  give_rtx (all, &payloads);
  g_array_unref (payloads.meanings);
  return all;
}
