/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "../gstrtcsdp.h"

G_BEGIN_DECLS

/* The only one that webrtcbin has. */
#define GST_RTC_WEBRTC_SCTP_PORT 5000

/* What webrtcbin is shown, and what the peer is shown instead. webrtcbin 1.22 picks codecs and transceivers by itself,
 * aborts on some offers, and cannot reject a section without breaking the others. So it only ever sees sections
 * that are wanted, each with the one codec and the one direction that were decided, and the peer sees a description
 * with all of its sections. */

/* OFFER cut down to the accepted LINES. (transfer full) */
GstSDPMessage *gst_rtc_webrtc_narrow (const GstSDPMessage *sdp, const GArray *lines);

/* ANSWER, webrtcbin's to the narrowed OFFER, with the rejected sections put back. (transfer full) */
GstSDPMessage *gst_rtc_webrtc_widen_answer (
    const GstSDPMessage *answer, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks);

/* The peer's answer to webrtcbin's own offer, with sections that were rejected made inactive. (transfer full) */
GstSDPMessage *gst_rtc_webrtc_mend_answer (const GstSDPMessage *answer, const GArray *lines);

/* Caps of an accepted line for a transceiver's codec-preferences: as the description has them, with rtcp-fb and extmap.
 * (transfer full) */
GstCaps *gst_rtc_webrtc_preferences (const GstSDPMedia *media, const GstRtcLine *line);

/* The same for a line of our own offer. (transfer full) */
GstCaps *gst_rtc_webrtc_offer_preferences (const GstRtcLine *line, const GstRtcSdpTrack *tracks);

G_END_DECLS
