/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "../gstrtctransport.h"

G_BEGIN_DECLS

/* The transport "webrtcbin": GStreamer's own, with the workarounds that its versions need. */
extern const GstRtcTransportClass gst_rtc_webrtcbin_transport;

G_END_DECLS
