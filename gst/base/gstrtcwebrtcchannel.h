/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcchannel.h"
#include "gstrtcloop.h"

G_BEGIN_DECLS

/* webrtcbin's GstWebRTCDataChannel as a GstRtcChannel. webrtcbin calls its handlers with its locks held: they write
 * down what came, and all else happens on a loop. What webrtcbin 1.22 (and later ones) cannot do:
 *
 * - It cuts messages of more than 64 KiB that come, so none is sent: GST_RTC_CHANNEL_ERROR_TOO_LARGE.
 * - It cannot make a peer wait.
 * - What it has handed to SCTP is sent, for it: up to 1 MiB of that, and one message, are not in get_buffered().
 * - A channel that it closes loses a message that is on its way to SCTP, and one without a byte ends all channels,
 *   unless its sctpenc is mended: see gst_rtc_webrtc_channel_set_encoder(). */
typedef struct _GstRtcWebrtcChannel GstRtcWebrtcChannel;

#define GST_RTC_WEBRTC_MAX_MESSAGE 65536 /* bytes */
#define GST_RTC_WEBRTC_MAX_ID 1023 /* webrtcbin's SCTP has that many streams, less one */

/* Data of a sink pad of sctpenc: how many buffers went through (GUINT_TO_POINTER). */
#define GST_RTC_WEBRTC_ENTERED "rtclink-entered"

/* GstWebRTCDataChannel's type. */
GType gst_rtc_webrtc_channel_get_object_type (void);

/* The settings of OBJECT, a GstWebRTCDataChannel. (transfer full) */
GstRtcChannelInit gst_rtc_webrtc_channel_get_init (gpointer object);

/* For webrtcbin's signal create-data-channel. (transfer full) */
GstStructure *gst_rtc_webrtc_channel_make_options (const GstRtcChannelInit *init);

typedef enum
{
  GST_RTC_WEBRTC_CHANNEL_REMOTE = 1 << 0, /* the peer opened it */
  GST_RTC_WEBRTC_CHANNEL_OPEN = 1 << 1, /* it is known to be, and is so from the start */
  GST_RTC_WEBRTC_CHANNEL_MENDED = 1 << 2, /* its sctpenc is: see set_encoder() */
} GstRtcWebrtcChannelFlags;

/* OBJECT, a GstWebRTCDataChannel, is referenced, LOOP too. Nothing of what comes from now on is missed, nothing is told
 * or sent before start(). The caller has a reference, and what is
 * not closed goes on until shutdown(). Any thread, handlers of webrtcbin too. (transfer full) */
GstRtcWebrtcChannel *
gst_rtc_webrtc_channel_new (gpointer object, GstRtcLoop *loop, const gchar *peer_id, GstRtcWebrtcChannelFlags flags);

GstRtcChannel *gst_rtc_webrtc_channel_get_base (GstRtcWebrtcChannel *self);

/* Tells what came and sends what waits, from the loop. Any thread. */
void gst_rtc_webrtc_channel_start (GstRtcWebrtcChannel *self);

/* SCTPENC is webrtcbin's, has GST_RTC_WEBRTC_ENTERED on its pads and takes empty messages. Loop. */
void gst_rtc_webrtc_channel_set_encoder (GstRtcWebrtcChannel *self, GstElement *sctpenc);

/* It is CLOSED, with ERROR (nullable), whatever webrtcbin does. Loop. */
void gst_rtc_webrtc_channel_shutdown (GstRtcWebrtcChannel *self, const GError *error);

G_END_DECLS
