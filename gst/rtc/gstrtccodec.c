/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtccodec.h"

#include <string.h>

/* H.264: the constrained baseline stands alone in front because an encoder that may choose takes from the first, and it
 * is the one profile that every browser must decode (RFC 7742, section 6.2). Left to itself x264enc makes 4:4:4 of a
 * test picture. */
#define H264_CAPS \
  "video/x-h264, profile = (string) constrained-baseline; " \
  "video/x-h264, profile = (string) { baseline, main, constrained-high, progressive-high, high }"

static const GstRtcCodec codecs[] = {
    {GST_RTC_KIND_VIDEO, "VP8", 90000, 96, "video/x-vp8", NULL, "rtpvp8pay", "picture-id-mode=15-bit", "rtpvp8depay",
        NULL},
    {GST_RTC_KIND_VIDEO, "H264", 90000, 102, H264_CAPS, "h264parse", "rtph264pay",
        "aggregate-mode=zero-latency config-interval=-1", "rtph264depay",
        "packetization-mode=(string)1, profile-level-id=(string)42e01f, level-asymmetry-allowed=(string)1|"
        "packetization-mode=(string)1, profile-level-id=(string)640034, level-asymmetry-allowed=(string)1"},
    {GST_RTC_KIND_VIDEO, "VP9", 90000, 98, "video/x-vp9", NULL, "rtpvp9pay", "picture-id-mode=15-bit", "rtpvp9depay",
        "profile-id=(string)0"},
    {GST_RTC_KIND_VIDEO, "H265", 90000, 104, "video/x-h265, profile = (string) main", "h265parse", "rtph265pay",
        "aggregate-mode=zero-latency config-interval=-1", "rtph265depay", NULL},
    {GST_RTC_KIND_VIDEO, "AV1", 90000, 106, "video/x-av1", "av1parse", "rtpav1pay", "", "rtpav1depay", NULL},
    {GST_RTC_KIND_AUDIO, "OPUS", 48000, 111, "audio/x-opus, channel-mapping-family = (int) 0", "opusparse",
        "rtpopuspay", "", "rtpopusdepay", "encoding-params=(string)2, useinbandfec=(string)1, minptime=(string)10"},
    {GST_RTC_KIND_AUDIO, "G722", 8000, 9, "audio/G722, rate = (int) 16000, channels = (int) 1", NULL, "rtpg722pay",
        "max-ptime=20000000", "rtpg722depay", NULL},
    {GST_RTC_KIND_AUDIO, "PCMU", 8000, 0, "audio/x-mulaw, rate = (int) 8000, channels = (int) 1", NULL, "rtppcmupay",
        "max-ptime=20000000", "rtppcmudepay", NULL},
    {GST_RTC_KIND_AUDIO, "PCMA", 8000, 8, "audio/x-alaw, rate = (int) 8000, channels = (int) 1", NULL, "rtppcmapay",
        "max-ptime=20000000", "rtppcmadepay", NULL},
};

const gchar *
gst_rtc_kind_to_string (GstRtcKind kind)
{
  return kind == GST_RTC_KIND_VIDEO ? "video" : "audio";
}

static gboolean
have_element (const gchar *name)
{
  GstElementFactory *factory = name ? gst_element_factory_find (name) : NULL;

  if (name && !factory)
    return FALSE;
  gst_clear_object (&factory);
  return TRUE;
}

static gboolean
codec_is_available (const GstRtcCodec *codec)
{
  return have_element (codec->payloader) && have_element (codec->depayloader) && have_element (codec->parser);
}

GPtrArray *
gst_rtc_codecs_available (GstRtcKind kind)
{
  GPtrArray *found = g_ptr_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++) {
    if (codecs[i].kind == kind && codec_is_available (&codecs[i]))
      g_ptr_array_add (found, (gpointer)&codecs[i]);
  }
  return found;
}

const GstRtcCodec *
gst_rtc_codec_by_encoding_name (GstRtcKind kind, const gchar *name)
{
  for (guint i = 0; name && i < G_N_ELEMENTS (codecs); i++) {
    if (codecs[i].kind == kind && g_ascii_strcasecmp (codecs[i].encoding_name, name) == 0)
      return codec_is_available (&codecs[i]) ? &codecs[i] : NULL;
  }
  return NULL;
}

const GstRtcCodec *
gst_rtc_codec_by_caps (const GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  if (gst_structure_has_name (s, "application/x-rtp")) {
    const gchar *media = gst_structure_get_string (s, "media");
    const gchar *name = gst_structure_get_string (s, "encoding-name");

    return gst_rtc_codec_by_encoding_name (
        g_strcmp0 (media, "video") == 0 ? GST_RTC_KIND_VIDEO : GST_RTC_KIND_AUDIO, name);
  }
  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++) {
    const gchar *end = strchr (codecs[i].caps, ',');
    gsize length = end ? (gsize)(end - codecs[i].caps) : strlen (codecs[i].caps);

    if (strlen (gst_structure_get_name (s)) == length
        && strncmp (gst_structure_get_name (s), codecs[i].caps, length) == 0)
      return codec_is_available (&codecs[i]) ? &codecs[i] : NULL;
  }
  return NULL;
}

GstCaps *
gst_rtc_codecs_sink_caps (GstRtcKind kind, gboolean only_available)
{
  GstCaps *caps = gst_caps_new_empty (), *rtp = gst_caps_new_empty ();

  for (guint i = 0; i < G_N_ELEMENTS (codecs); i++) {
    if (codecs[i].kind != kind || (only_available && !codec_is_available (&codecs[i])))
      continue;
    gst_caps_append (caps, gst_caps_from_string (codecs[i].caps));
    gst_caps_append (rtp,
        gst_caps_new_simple ("application/x-rtp", "media", G_TYPE_STRING, gst_rtc_kind_to_string (kind),
            "encoding-name", G_TYPE_STRING, codecs[i].encoding_name, "clock-rate", G_TYPE_INT, codecs[i].clock_rate,
            NULL));
  }
  gst_caps_append (caps, rtp);
  return caps;
}

GstCaps *
gst_rtc_codec_receive_caps (const GstRtcCodec *codec)
{
  gchar **variants = g_strsplit (codec->fmtp ? codec->fmtp : "payload=(int)0", "|", 0);
  GstCaps *caps = gst_caps_new_empty ();

  for (guint i = 0; variants[i]; i++) {
    gchar *text = g_strconcat ("application/x-rtp, ", variants[i], NULL);
    GstCaps *variant = gst_caps_from_string (text);

    gst_caps_set_simple (variant, "media", G_TYPE_STRING, gst_rtc_kind_to_string (codec->kind), "encoding-name",
        G_TYPE_STRING, codec->encoding_name, "clock-rate", G_TYPE_INT, codec->clock_rate, "payload", G_TYPE_INT,
        codec->payload + i, NULL);
    gst_caps_append (caps, variant);
    g_free (text);
  }
  g_strfreev (variants);
  return caps;
}

/* RFC 6184, table 5, as a set: the bits of the profiles that a decoder for this profile-level-id decodes. */
enum
{
  H264_CONSTRAINED_BASELINE = 1 << 0,
  H264_BASELINE = 1 << 1,
  H264_MAIN = 1 << 2,
  H264_CONSTRAINED_HIGH = 1 << 3,
  H264_HIGH = 1 << 4,
  H264_OTHER = 1 << 5,
};

static guint
h264_profile (const GstCaps *caps, gchar text[7])
{
  const gchar *id = gst_structure_get_string (gst_caps_get_structure (caps, 0), "profile-level-id");
  guint64 value;
  guint idc, constraints;

  /* RFC 6184, section 8.1: absent means the baseline at level 1. */
  if (!id || strlen (id) != 6 || !g_ascii_string_to_unsigned (id, 16, 0, 0xffffff, &value, NULL)) {
    id = "42000a";
    value = 0x42000a;
  }
  g_strlcpy (text, id, 7);
  idc = value >> 16;
  constraints = (value >> 8) & 0xff;
  switch (idc) {
    case 0x42:
      return (constraints & 0x40) ? H264_CONSTRAINED_BASELINE : H264_BASELINE;
    case 0x4d:
      return (constraints & 0x80) ? H264_CONSTRAINED_BASELINE : H264_MAIN;
    case 0x58:
      return (constraints & 0xc0) == 0xc0 ? H264_CONSTRAINED_BASELINE : H264_OTHER;
    case 0x64:
      return (constraints & 0x0c) == 0x0c ? H264_CONSTRAINED_HIGH : H264_HIGH;
    default:
      return H264_OTHER;
  }
}

static guint
h264_match (const GstCaps *ours, const GstCaps *theirs)
{
  const gchar *mode = gst_structure_get_string (gst_caps_get_structure (theirs, 0), "packetization-mode");
  gchar our_id[7], their_id[7];
  guint our_profile = h264_profile (ours, our_id), their_profile = h264_profile (theirs, their_id);
  guint decodes = their_profile;

  /* Our payloader fragments, which mode 0 does not have. */
  if (g_strcmp0 (mode, "1") != 0)
    return 0;
  if (our_profile == H264_OTHER || their_profile == H264_OTHER)
    return our_profile == their_profile && strncmp (our_id, their_id, 2) == 0 ? 3 : 0;
  if (our_profile == their_profile)
    return 3;
  if (their_profile & (H264_BASELINE | H264_MAIN | H264_CONSTRAINED_HIGH | H264_HIGH))
    decodes |= H264_CONSTRAINED_BASELINE;
  if (their_profile == H264_HIGH)
    decodes |= H264_MAIN | H264_CONSTRAINED_HIGH;
  /* A baseline stream that uses none of what the constrained one lacks is what encoders really make. */
  if (our_profile == H264_BASELINE && their_profile == H264_CONSTRAINED_BASELINE)
    return 1;
  return (decodes & our_profile) ? 2 : 0;
}

guint
gst_rtc_codec_match (const GstRtcCodec *codec, const GstCaps *ours, const GstCaps *theirs)
{
  const GstStructure *their = gst_caps_get_structure (theirs, 0);
  const gchar *name = gst_structure_get_string (their, "encoding-name");
  const gchar *profile;
  gint clock_rate;

  if (!name || g_ascii_strcasecmp (name, codec->encoding_name) != 0)
    return 0;
  if (!gst_structure_get_int (their, "clock-rate", &clock_rate) || clock_rate != codec->clock_rate)
    return 0;
  if (strcmp (codec->encoding_name, "H264") == 0)
    return h264_match (ours, theirs);
  if (strcmp (codec->encoding_name, "VP9") == 0) {
    const gchar *our = gst_structure_get_string (gst_caps_get_structure (ours, 0), "profile-id");

    profile = gst_structure_get_string (their, "profile-id");
    return g_strcmp0 (profile ? profile : "0", our ? our : "0") == 0 ? 3 : 0;
  }
  return 3;
}

gchar *
gst_rtc_codec_describe (const GstCaps *rtp_caps)
{
  const GstStructure *s = gst_caps_get_structure (rtp_caps, 0);
  const gchar *name = gst_structure_get_string (s, "encoding-name");
  const gchar *profile = gst_structure_get_string (s, "profile-id");
  const gchar *mode = gst_structure_get_string (s, "packetization-mode");
  gchar id[7];

  if (g_strcmp0 (name, "H264") == 0) {
    h264_profile (rtp_caps, id);
    return g_strdup_printf (
        "H264 (profile-level-id %s%s)", id, g_strcmp0 (mode, "1") == 0 ? "" : ", packetization-mode 0");
  }
  if (g_strcmp0 (name, "VP9") == 0)
    return g_strdup_printf ("VP9 (profile %s)", profile ? profile : "0");
  return g_strdup (name);
}
