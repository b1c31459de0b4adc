/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcconnection.h"
#include "base/gstrtcdatahub.h"

G_BEGIN_DECLS

/* The data channels of an rtcbin: the hub that elements and applications attach to, and the channels of each peer's
 * connection. It may outlive its rtcbin (docs/design/data-channels.md). */
typedef struct _GstRtcBinData GstRtcBinData;

/* How long a channel that a peer opened waits for somebody who takes it. */
#define GST_RTC_BIN_DATA_TAKE_TIMEOUT_MS 10000

/* BIN is borrowed, and used on the loop of start() only. Free with gst_rtc_data_hub_unref(). */
GstRtcBinData *gst_rtc_bin_data_new (GstElement *bin);

GstRtcDataHub *gst_rtc_bin_data_get_hub (GstRtcBinData *self);

/* There are peers from now on, and no more. WANTED_CHANGED is called on LOOP when is_wanted() may be another. stop() is
 * called before LOOP is freed, without its thread waiting for the caller. */
void gst_rtc_bin_data_start (GstRtcBinData *self, GstRtcLoop *loop, GstRtcLoopFunc wanted_changed, gpointer user_data);
void gst_rtc_bin_data_stop (GstRtcBinData *self);

/* Whether somebody is attached: then there is something to connect for even without a stream. Any thread. */
gboolean gst_rtc_bin_data_is_wanted (GstRtcBinData *self);

/* Runs FUNC on the control loop, where applications may be called; not at all when it is stopped, then only NOTIFY. Any
 * thread. */
void gst_rtc_bin_data_post_full (GstRtcBinData *self, GstRtcLoopFunc func, gpointer user_data, GDestroyNotify notify);

/* A connection to a peer was opened. What users want is opened on it at once, so that what they send is in the first
 * packet that may carry it. Control loop. */
void gst_rtc_bin_data_add_connection (
    GstRtcBinData *self, GstRtcConnection *connection, const gchar *peer_id, gboolean we_offer);

/* It is the current one: users are told of its channels. Control loop. */
void gst_rtc_bin_data_promote (GstRtcBinData *self, GstRtcConnection *connection);

/* It was closed; CONNECTION is only a name any more. Control loop. */
void gst_rtc_bin_data_remove_connection (GstRtcBinData *self, gconstpointer connection);

/* There will be no other connection to the peer for now: channels that would go on with it close. Control loop. */
void gst_rtc_bin_data_remove_peer (GstRtcBinData *self, const gchar *peer_id);

/* The peer opened CHANNEL on a connection. The transport's thread. */
void gst_rtc_bin_data_take_channel (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel);

/* Adds the array "data-channels" of those on a connection to a peer, and its clock. Any thread. */
void
gst_rtc_bin_data_add_stats (GstRtcBinData *self, gconstpointer connection, const gchar *peer_id, GstStructure *stats);

G_END_DECLS
