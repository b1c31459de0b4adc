/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "../gstrtctransport.h"

G_BEGIN_DECLS

/* A packet as LINE's peer negotiated it: payload type, MID, space for the TWCC number (the RTP session writes it),
 * audio level. The payload is shared with PLAIN, only the header is new. Returns: (transfer full): NULL when PLAIN is
 * no RTP packet. */
GstBuffer *gst_rtc_webrtc_packet (GstBuffer *plain, const GstRtcLine *line);

G_END_DECLS
