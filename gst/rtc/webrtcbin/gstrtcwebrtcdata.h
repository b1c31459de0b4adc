/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcwebrtcpriv.h"

G_BEGIN_DECLS

/* Data channels of a connection over webrtcbin. Nothing is sent or told before the peer's certificate was checked. All
 * on the control loop, but for what says otherwise. */

/* With the webrtcbin that was made, and the last thing. WITH_DATA: there may be channels. */
void gst_rtc_webrtc_data_init (GstRtcWebrtc *t, const gchar *peer_id, gboolean with_data);
void gst_rtc_webrtc_data_free (GstRtcWebrtcData *data);

/* Before the offer is made: webrtcbin offers channels only when it has one. */
void gst_rtc_webrtc_data_offer (GstRtcWebrtc *t);

/* The descriptions are known, t->lines say what was agreed. Without channels, SCTP is kept from starting. */
void gst_rtc_webrtc_data_agreed (GstRtcWebrtc *t);

/* The peer's certificate is the right one. */
void gst_rtc_webrtc_data_connected (GstRtcWebrtc *t);

/* All channels are CLOSED. */
void gst_rtc_webrtc_data_close (GstRtcWebrtc *t);

/* Function of the table. */
GstRtcChannel *gst_rtc_webrtc_open_channel (GstRtcTransport *base, const GstRtcChannelInit *init, GError **error);

G_END_DECLS
