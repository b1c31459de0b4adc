/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcwebrtcreports.h"
#include "../gstrtctransport.h"

G_BEGIN_DECLS

/* When something other than ICE last came in. */
typedef struct
{
  gint last; /* atomic: seconds of the monotonic clock */
} GstRtcWebrtcActivity;

void gst_rtc_webrtc_activity_touch (GstRtcWebrtcActivity *activity);
GstClockTime gst_rtc_webrtc_activity_silent_for (GstRtcWebrtcActivity *activity);

/* Sets up webrtcbin and the ICE agent inside it before its first state change: servers, ports, no UPnP (it multicasts
 * on every interface), no ICE-TCP (its sender is not thread-safe in libnice 0.1.21). */
void gst_rtc_webrtc_configure (GstElement *webrtc, const GstRtcTransportConfig *config);

/* What passes; both are read atomically. */
typedef struct
{
  gint is_checked; /* the peer's certificate is the one that was told: no RTCP leaves before */
  gint is_closed; /* nothing is taken any more */
} GstRtcWebrtcGate;

/* Called with each element that webrtcbin makes inside itself. Any thread. What is given must outlive the element. */
void gst_rtc_webrtc_tune_element (
    GstElement *element, GstRtcWebrtcActivity *activity, GstRtcWebrtcReports *reports, const GstRtcWebrtcGate *gate);

G_END_DECLS
