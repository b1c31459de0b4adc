/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcchannel.h"

G_BEGIN_DECLS

/* A custom meta (gst_buffer_get_custom_meta()), which goes with the buffer of a message. Its structure has
 *   peer-id, label, protocol (string), channel-id (int)   whom it came from, and on which channel
 *   clock-error (int64, microseconds)   by how much the sender's time may be wrong, when that is known
 *   deadman (boolean)   TRUE: nobody sent it, see datachannelsrc's deadman-timeout
 *   to (string)   the only peer that datachannelsink sends it to */
#define GST_RTC_PEER_META_NAME "GstRtcPeerMeta"

/* Any thread, any number of times. */
void gst_rtc_peer_meta_register (void);

/* BUFFER's, which is added when it has none; BUFFER is writable. (transfer none) */
GstStructure *gst_rtc_peer_meta_add (GstBuffer *buffer);

/* The fields of a message on a channel of INIT, to BUFFER that has no such meta yet. */
void gst_rtc_peer_meta_write (GstBuffer *buffer, const gchar *peer_id, const GstRtcChannelInit *init, gint channel_id);

/* A string of BUFFER's; NULL: there is none. (transfer none) */
const gchar *gst_rtc_peer_meta_get (GstBuffer *buffer, const gchar *field);

G_END_DECLS
