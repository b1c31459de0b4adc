/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* The elements that webrtcbin has for its data channels, mended: sctpenc, sctpdec, and the appsrc and appsink of each
 * channel. Any thread, but for what says otherwise. */
typedef struct _GstRtcWebrtcSctp GstRtcWebrtcSctp;

/* WEBRTC has no elements yet. */
GstRtcWebrtcSctp *gst_rtc_webrtc_sctp_new (GstElement *webrtc);

/* WEBRTC is in NULL. */
void gst_rtc_webrtc_sctp_free (GstRtcWebrtcSctp *self);

/* ELEMENT was added to BIN, which is webrtcbin or in it. */
void gst_rtc_webrtc_sctp_tune_element (GstRtcWebrtcSctp *self, GstBin *bin, GstElement *element);

/* Nothing is sent before that: the peer's certificate is the right one. */
void gst_rtc_webrtc_sctp_allow (GstRtcWebrtcSctp *self);

/* SCTP never starts. Before the descriptions are set. */
void gst_rtc_webrtc_sctp_keep_from_starting (GstRtcWebrtcSctp *self);

/* NULL: not made yet. (transfer full) */
GstElement *gst_rtc_webrtc_sctp_get_encoder (GstRtcWebrtcSctp *self);

/* Nothing comes in any more, and webrtcbin is about to go to NULL: nothing waits for room in SCTP any more. */
void gst_rtc_webrtc_sctp_settle (GstRtcWebrtcSctp *self);

G_END_DECLS
