/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcdatahub.h"

G_BEGIN_DECLS

/* What an element is told as the peer, and in stats. */
#define GST_RTC_DATA_ONE_PEER "webrtcbin"

/* A hub with one channel, OBJECT: a GstWebRTCDataChannel of a webrtcbin without an rtcbin. It is the application's to
 * open and to close; whoever attaches is told of it at once, and hears what comes from then on. One user at a time.
 * (transfer full) */
GstRtcDataHub *gst_rtc_data_one_new (gpointer object);

G_END_DECLS
