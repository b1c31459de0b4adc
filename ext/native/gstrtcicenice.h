/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcpoll.h"
#include "rtcaddress.h"
#include "rtc/gstrtctransport.h"

#include <nice/agent.h>

G_BEGIN_DECLS

/* What the full agent (gstrtcicefull.c) does with libnice that needs nothing of its own. */

#define GST_RTC_ICE_COMPONENT 1

/* FALSE for neither IPv4 nor IPv6. */
gboolean gst_rtc_ice_address (const NiceAddress *address, RtcAddress *out);

/* What peers are told of CANDIDATE, "candidate:..": a host's address replaced as ADDRESSES say. HIDE: without the
 * address that a relayed or reflexive one stands for (RFC 8839, section 5.1 allows 0.0.0.0). (transfer full): NULL:
 * nothing. */
gchar *gst_rtc_ice_write_candidate (
    NiceAgent *agent, NiceCandidate *candidate, const GstRtcTransportAddresses *addresses, gboolean hide);

/* A candidate of the peer that can be tried: UDP, of the first component, with an address and a port. Others are left
 * out before libnice sees them: 0.1.21 crashes on TCP without a tcptype. Names (.local ones, too) are never looked up,
 * which would block, and tell the network: the check that comes from there makes the pair anyway. (transfer full):
 * NULL: none of this kind. */
NiceCandidate *gst_rtc_ice_read_candidate (NiceAgent *agent, guint stream, const gchar *text);

/* Ends AGENT (taken), which is nobody's any more. A relay is told that it is not needed any more, and waited for at
 * most a second; SOCKETS (the agent's descriptors) are read meanwhile. POLL is held until the last of AGENT is gone. */
void gst_rtc_ice_close (
    GstRtcPoll *poll, GstRtcLoop *loop, NiceAgent *agent, guint stream, const int *sockets, guint n_sockets);

G_END_DECLS
