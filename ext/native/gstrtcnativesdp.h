/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* The descriptions of the native transport: pure functions over GstSDPMessage (RFC 8829, 8839, 8843, 8866). What is
 * decided about codecs and directions is decided before, for all transports alike (rtc/gstrtcsdp.h). */

/* Of our side of the data channels, in offers and in answers. */
#define GST_RTC_NATIVE_SCTP_PORT 5000

/* What one side of the transport is described with. Everything is borrowed. */
typedef struct
{
  const gchar *ufrag, *password;
  gboolean lite;
  const gchar *fingerprint; /* "sha-256 AB:..", upper case: Firefox takes no other */
  const gchar *cname; /* also the name of the one stream that all tracks are part of */
  const guint32 *ssrcs, *rtx_ssrcs; /* by m-line; of what we send */
  const gchar *const *candidates; /* "candidate:..", all there will be; NULL: they come one by one, later */
  guint version; /* of o=: one more with each description that is not the first (RFC 8829, section 5.2.2) */
} GstRtcNativeLocal;

/* What a peer's description says. */
typedef struct
{
  gchar *ufrag, *password;
  gboolean lite;
  gchar **fingerprints; /* as gst_rtc_sdp_get_fingerprints() returns them */
  gboolean is_dtls_server; /* WE are: a=setup of the peer is active, or actpass in its offer */
  guint mline; /* the section that speaks for the bundle (RFC 8843: the tagged one) */
  GPtrArray *candidates; /* of gchar: "candidate:..", what stood in the description for that section */
} GstRtcNativeRemote;

void gst_rtc_native_remote_clear (GstRtcNativeRemote *remote);

/* An offer with one section a line, bundled, setup actpass. Mids "0", "1".. and payload types are filled into LINES
 * where there are none yet, so that a second offer keeps those of the first; a line that is not accepted (any more) has
 * port 0. Data channels are told with RTC_DATA_MAX_MESSAGE_SIZE. A line that only receives is offered with every codec
 * that is installed until an answer has chosen one (its CAPS are set), and its payload is that of the first one.
 * (transfer full) */
GstSDPMessage *gst_rtc_native_sdp_offer (GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local);

/* The answer to OFFER: a section for each of its sections, rejected ones with port 0 and out of the group; payload
 * types, extension ids and order are the offer's; setup passive where the offer leaves the choice. Only after
 * gst_rtc_native_sdp_read() took the offer. (transfer full) */
GstSDPMessage *gst_rtc_native_sdp_answer (
    const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local);

/* BEFORE, which this side sent last, with what a restart of ICE changes (RFC 8839, section 4.4.3.1.1, RFC 8842, section
 * 5.5): credentials, candidates (in section MLINE) and version of LOCAL. Offers leave the choice of DTLS roles open as
 * ever; in an answer it is the role that there is. (transfer full) */
GstSDPMessage *gst_rtc_native_sdp_restart (const GstSDPMessage *before, gboolean is_offer, gboolean is_dtls_server,
    guint mline, const GstRtcNativeLocal *local);

/* Reads the transport of a description that gst_rtc_sdp_parse() let pass. LINES: as gst_rtc_sdp_plan_answer() or
 * gst_rtc_sdp_apply_answer() left them. FALSE with ERROR (RTC_ERROR_BAD_SDP), and nothing in REMOTE, when it cannot be
 * used: no credentials, an a=setup that makes no sense there, sections that are not bundled while more than one is
 * accepted, no a=rtcp-mux, two lite sides. */
gboolean gst_rtc_native_sdp_read (const GstSDPMessage *sdp, const GArray *lines, gboolean is_answer,
    gboolean we_are_lite, GstRtcNativeRemote *remote, GError **error);

G_END_DECLS
