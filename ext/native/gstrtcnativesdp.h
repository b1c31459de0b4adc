/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* The descriptions of the native transport: pure functions over GstSDPMessage (RFC 8829, 8839, 8843, 8866). */

/* What one side of the transport is described with. Strings are borrowed. */
typedef struct
{
  const gchar *ufrag, *password;
  gboolean lite;
  const gchar *fingerprint; /* "sha-256 AB:.." */
  const gchar *cname;
  guint32 *ssrcs, *rtx_ssrcs; /* by m-line; of what we send */
} GstRtcNativeLocal;

/* What a peer's description says. */
typedef struct
{
  gchar *ufrag, *password;
  gboolean lite;
  gboolean ice_restart_capable; /* trickle or not does not matter: candidates that come are taken */
  gchar **fingerprints;
  gboolean is_dtls_server; /* WE are: a=setup of the peer is active, or actpass in its offer */
  GPtrArray
      *candidates; /* of gchar: what stood in the description, with the bundled line's number in front: "0 cand.." */
} GstRtcNativeRemote;

void gst_rtc_native_remote_clear (GstRtcNativeRemote *remote);

/* An offer with one section a line, bundled, setup actpass; mids "0", "1".. are filled into LINES, and payload types
 * where they are -1. (transfer full) */
GstSDPMessage *gst_rtc_native_sdp_offer (GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local);

/* The answer to OFFER: a section for each of its sections, rejected ones with port 0 and out of the group; payload
 * types, extension ids and order are the offer's; setup passive where the offer leaves the choice. (transfer full) */
GstSDPMessage *gst_rtc_native_sdp_answer (
    const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks, const GstRtcNativeLocal *local);

/* Reads the transport of a description that gst_rtc_sdp_parse() let pass. FALSE with ERROR (RTC_ERROR_BAD_SDP) when it
 * cannot be used: no credentials, an unknown a=setup, sections that are not bundled while more than one is accepted,
 * two lite sides. */
gboolean gst_rtc_native_sdp_read (
    const GstSDPMessage *sdp, gboolean is_answer, gboolean we_are_lite, GstRtcNativeRemote *remote, GError **error);

G_END_DECLS
