/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>
#include <gst/sdp/sdp.h>

#include "gstrtccodec.h"

G_BEGIN_DECLS

/* What is decided about descriptions, without a socket or a transport near: pure functions over GstSDPMessage. */

#define GST_RTC_EXT_MID "urn:ietf:params:rtp-hdrext:sdes:mid"
#define GST_RTC_EXT_TWCC "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define GST_RTC_EXT_AUDIO_LEVEL "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define GST_RTC_EXT_RID "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
#define GST_RTC_EXT_REPAIRED_RID "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"

/* What a session is to have of data channels. */
typedef enum
{
  GST_RTC_SDP_NO_DATA, /* their section is rejected, and not offered */
  GST_RTC_SDP_DATA, /* but they are not worth a session in which no track of either side finds a codec */
  GST_RTC_SDP_DATA_WANTED, /* somebody here uses them, so they are */
} GstRtcSdpData;

/* A track of ours, as far as negotiation needs it. */
typedef struct
{
  const gchar *name; /* of the pad, for messages */
  GstRtcKind kind;
  const GstRtcCodec *codec;
  GstCaps *caps; /* RTP caps as the payloader made them */
} GstRtcSdpTrack;

/* One m-line after negotiation. Direction is ours: send is from here to the peer. */
typedef struct
{
  guint mline; /* its place in the peer's or our description, rejected ones counted */
  gchar *mid;
  GstRtcKind kind; /* of audio and video */
  gboolean is_data; /* data channels instead: there is one such line at most, and it has no direction and no codec */
  gboolean is_wanted; /* GST_RTC_SDP_DATA_WANTED */
  gboolean accepted;
  gboolean send, receive;
  gint track; /* which of our tracks is sent; -1: none */
  const GstRtcCodec *codec; /* NULL when not accepted */
  gint payload, rtx_payload; /* -1: none */
  guint ext_mid, ext_twcc, ext_audio_level; /* RFC 8285 ids, one-byte form; 0: not negotiated */
  guint ext_rid, ext_repaired_rid; /* the same (RFC 8852), of what is received */
  gchar *stream_name; /* first part of the peer's a=msid; NULL: none */
  GstCaps *caps; /* RTP caps of the format, as the description has them */
  guint16 sctp_port; /* of the peer, for data; 0: not told yet */
  guint64 max_message_size; /* that the peer takes, bytes; 0: any (RFC 8841, section 6) */
} GstRtcLine;

void gst_rtc_line_clear (GstRtcLine *line);

/* As in m=: "audio", "video", "application". */
const gchar *gst_rtc_line_get_media (const GstRtcLine *line);

/* Reads and validates a description from the network: size, counts, a=mid, a=fingerprint, ICE credentials, the kinds of
 * lines. Everything that makes webrtcbin abort or misbehave, and that a peer can cause, is refused here.
 * Returns: (transfer full): NULL with ERROR in the domain RTC_ERROR, code RTC_ERROR_BAD_SDP. */
GstSDPMessage *gst_rtc_sdp_parse (const gchar *text, gboolean is_answer, GError **error);

/* Decides what to answer to OFFER with N_TRACKS tracks of ours. A second section of data
 * channels is always rejected.
 * PROBLEMS: (out) (transfer full) (nullable): what is not sent and why, as sentences; NULL when all is well.
 * Returns: (transfer full) (element-type GstRtcLine): one for each m-line; NULL with ERROR (RTC_ERROR_NO_COMMON_CODEC
 *   or _BAD_SDP) when nothing at all could pass. */
GArray *gst_rtc_sdp_plan_answer (const GstSDPMessage *offer, const GstRtcSdpTrack *tracks, guint n_tracks,
    GstRtcSdpData data, gchar **problems, GError **error);

/* Lays out an offer: a sendonly line for each track, then N_VIDEO and N_AUDIO recvonly ones, and one for data. */
GArray *
gst_rtc_sdp_plan_offer (const GstRtcSdpTrack *tracks, guint n_tracks, guint n_video, guint n_audio, GstRtcSdpData data);

/* Fills LINES, our own offer's, with what ANSWER says: accepted or not, payload types, extension ids.
 * FALSE with ERROR (RTC_ERROR_BAD_SDP, RTC_ERROR_NO_COMMON_CODEC) when it does not fit the offer. */
gboolean gst_rtc_sdp_apply_answer (const GstSDPMessage *answer, GArray *lines, gchar **problems, GError **error);

/* Takes over what a section of data channels says, in the form of RFC 8841 or in the one that came before it (DTLS/SCTP
 * 5000). FALSE with PROBLEM (a sentence; what it had is freed) when it is of something else, or makes no sense. */
gboolean gst_rtc_line_accept_data (GstRtcLine *line, const GstSDPMedia *media, gchar **problem);

/* Whether it has the form that came before RFC 8841. */
gboolean gst_rtc_sdp_is_old_data (const GstSDPMedia *media);

/* All certificates that the description vouches for, as "sha-256 AB:CD:..", lower-case hash name, upper-case digits.
 * (transfer full) */
gchar **gst_rtc_sdp_get_fingerprints (const GstSDPMessage *sdp);

/* The same, of one section, or of the session when that has none. (transfer full) */
gchar **gst_rtc_sdp_get_section_fingerprints (const GstSDPMessage *sdp, const GstSDPMedia *media);

/* An attribute of the media section, or else of the session. */
const gchar *gst_rtc_sdp_get_attribute (const GstSDPMessage *sdp, const GstSDPMedia *media, const gchar *name);

/* Whether the peer rejected this section: port 0 without a=bundle-only (RFC 8843, section 6). */
gboolean gst_rtc_sdp_media_is_rejected (const GstSDPMedia *media);

/* H.264's profile-level-id in a=fmtp of PAYLOAD, lower case; NULL: none. (transfer full) */
gchar *gst_rtc_sdp_get_profile_level_id (const GstSDPMedia *media, gint payload);

/* What an answer says instead of it: the profile that was offered for PAYLOAD, with the level that TRACK really has
 * (RFC 6184, section 8.2.2). TRACK: (nullable): what is sent. NULL: the offer has none. (transfer full) */
gchar *gst_rtc_sdp_answer_profile_level_id (const GstSDPMedia *offered, gint payload, const GstRtcSdpTrack *track);

/* The section of an answer that rejects OFFERED (RFC 3264, section 6; RFC 8843, section 7.3.3: out of the group).
 * (transfer full) */
GstSDPMedia *gst_rtc_sdp_reject_section (const GstSDPMedia *offered, const gchar *mid);

/* An a=fmtp, "96 apt=97;foo=bar", without the parameters that no payload format has: GLib keeps the name of each field
 * of caps as long as the process lives, so what a peer makes up must not become one. (transfer full) */
gchar *gst_rtc_sdp_known_parameters (const gchar *fmtp);

/* Whether an a=rtcp-fb, "96 nack pli", is of a kind that is known, for the same reason. */
gboolean gst_rtc_sdp_is_known_feedback (const gchar *rtcp_fb);

/* RTP caps of one format of a section, of what is known of it, with its static name when it has no a=rtpmap. NULL when
 * it makes no sense. (transfer full) */
GstCaps *gst_rtc_sdp_format_caps (const GstSDPMedia *media, gint payload);

G_END_DECLS
