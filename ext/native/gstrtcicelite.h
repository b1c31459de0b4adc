/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcice.h"

G_BEGIN_DECLS

/* The one socket for all peers of an rtcbin, with ICE-lite. Everything on its loop. */
typedef struct _GstRtcLite GstRtcLite;

/* PORT 0: any. ADDRESSES: which of them peers are told; they are looked up for each peer. NULL with ERROR. */
GstRtcLite *gst_rtc_lite_new (
    GstRtcLoop *loop, GstRtcPoll *poll, guint port, const GstRtcTransportAddresses *addresses, GError **error);
void gst_rtc_lite_free (GstRtcLite *lite); /* the agents are gone before */

/* One peer's agent on it. (transfer full) */
GstRtcIce *gst_rtc_ice_lite_new (GstRtcLite *lite, const GstRtcIceEvents *events, gpointer user_data);

G_END_DECLS
