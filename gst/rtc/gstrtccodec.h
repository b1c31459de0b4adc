/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum
{
  GST_RTC_KIND_VIDEO,
  GST_RTC_KIND_AUDIO,
} GstRtcKind;

const gchar *gst_rtc_kind_to_string (GstRtcKind kind);

/* What rtcbin knows of one codec: how it is called in SDP, and which elements turn a stream into RTP and back. */
typedef struct
{
  GstRtcKind kind;
  const gchar *encoding_name; /* as in a=rtpmap (RFC 8866), upper case */
  gint clock_rate; /* Hz */
  gint payload; /* the payload type that our own offers give it */
  const gchar *caps; /* what a sink pad takes, most portable first */
  const gchar *parser; /* before the payloader and behind the depayloader; NULL: none needed */
  const gchar *payloader;
  const gchar *payloader_props; /* in gst_parse_launch()'s syntax */
  const gchar *depayloader;
  const gchar *fmtp; /* what our offers to receive say, as caps fields; a "|" parts formats of payload, payload + 1.. */
} GstRtcCodec;

/* All codecs of KIND that the installed GStreamer can payload and depayload, in the order of preference for
 * receiving. (transfer container) */
GPtrArray *gst_rtc_codecs_available (GstRtcKind kind);

/* By the name in SDP, in any case; NULL when rtcbin does not know it or its elements are missing. */
const GstRtcCodec *gst_rtc_codec_by_encoding_name (GstRtcKind kind, const gchar *name);

/* By fixed caps of a stream, encoded or application/x-rtp. */
const GstRtcCodec *gst_rtc_codec_by_caps (const GstCaps *caps);

/* What a sink pad for KIND takes: every codec and its RTP. A pad template lists all of them, since it is made and
 * cached where other plugins may not be loaded; a pad only those that are AVAILABLE. (transfer full) */
GstCaps *gst_rtc_codecs_sink_caps (GstRtcKind kind, gboolean only_available);

/* RTP caps for an offer to receive this codec. (transfer full) */
GstCaps *gst_rtc_codec_receive_caps (const GstRtcCodec *codec);

/* Whether a stream of OURS (RTP caps from the payloader) can be sent as THEIRS (RTP caps of one format of the peer's
 * description). 0: no; a larger number is a better match. For H.264 the profile (RFC 6184, section 8.1) of theirs must
 * include that of ours, in packetization mode 1. */
guint gst_rtc_codec_match (const GstRtcCodec *codec, const GstCaps *ours, const GstCaps *theirs);

/* For people: "VP8", "VP9 (profile 0)", "H264 (profile-level-id 42c01f)". RTP_CAPS have an encoding-name.
 * (transfer full) */
gchar *gst_rtc_codec_describe (const GstCaps *rtp_caps);

G_END_DECLS
