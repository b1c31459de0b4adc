/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* The transport "native": ICE, DTLS and SRTP of rtclink's own, one thread for all peers of an rtcbin. */
extern const GstRtcTransportClass gst_rtc_native_transport;

/* Once a process, before any connection of either transport: OpenSSL does not clean up when the process exits. */
void gst_rtc_native_init (void);

G_END_DECLS
