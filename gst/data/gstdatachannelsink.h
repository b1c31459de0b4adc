/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/base/gstbasesink.h>

#include "core/rtcdataqueue.h"
#include "gstrtcdataconfig.h"

G_BEGIN_DECLS

#define GST_TYPE_DATA_CHANNEL_SINK (gst_data_channel_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstDataChannelSink, gst_data_channel_sink, GST, DATA_CHANNEL_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE (datachannelsink);
extern GstDebugCategory *gst_data_channel_sink_debug;

typedef enum
{
  GST_DATA_CHANNEL_KIND_AUTO,
  GST_DATA_CHANNEL_KIND_TEXT,
  GST_DATA_CHANNEL_KIND_BINARY,
} GstDataChannelKind;

typedef enum
{
  GST_DATA_CHANNEL_DELIVERY_MESSAGE,
  GST_DATA_CHANNEL_DELIVERY_FILE,
} GstDataChannelDelivery;

typedef struct _GstRtcSinkFile GstRtcSinkFile;

typedef enum
{
  GST_DATA_CHANNEL_WAIT_AUTO,
  GST_DATA_CHANNEL_WAIT_YES,
  GST_DATA_CHANNEL_WAIT_NO,
} GstDataChannelWait;

struct _GstDataChannelSink
{
  GstBaseSink parent;

  GMutex lock;
  GCond changed; /* with lock: a queue has room, a peer came or went, unlock() */

  /* under lock; nothing of it changes while there is a hub */
  GstRtcDataConfig config;
  GstDataChannelKind kind;
  GstDataChannelWait wait_for_peer;
  GstDataChannelDelivery delivery;
  gchar *file_name; /* NULL: what upstream calls it */
  RtcDataOverflow overflow;
  guint64 max_bytes;
  guint max_time, drain_timeout; /* ms */
  gboolean timestamps, reply, close_on_eos;
  GstRtcDataHub *hub; /* from READY to PAUSED and back */

  /* under lock */
  GPtrArray *peers; /* of GstRtcSinkPeer */
  GstRtcSinkFile *file; /* with delivery=file, while there is a hub */
  RtcDataQueue *hold; /* of GstRtcSinkMessage, while there is no peer; NULL: stopped */
  RtcDataCount sent, dropped; /* of peers that left; dropped has what nobody was there for, too */
  guint64 buffers, bytes; /* rendered */
  gboolean is_unlocked;
  gboolean is_waiting; /* the streaming thread, for CHANGED */
  gboolean is_starting; /* the step to PLAYING is being made */
  GstRtcChannelInit init; /* of the channels that are wanted; stays as it is while attached */

  /* streaming thread and state changes */
  guint attached; /* 0: not */
  gboolean is_text; /* what the caps say */
  gint upstream_is_live; /* -1: not asked yet */
  gboolean is_closed; /* at EOS */
};

/* One message, shared by the queues of all peers. */
typedef struct
{
  GBytes *bytes;
  gboolean is_text;
  gint64 time; /* g_get_monotonic_time() when it came */
} GstRtcSinkMessage;

GstRtcSinkMessage *gst_rtc_sink_message_ref (GstRtcSinkMessage *message);
void gst_rtc_sink_message_unref (gpointer message);

/* A peer and its channels, in gstdatachannelsinkpeer.c. The table of them is the sink's. */
typedef struct
{
  gint ref_count; /* atomic */
  GstDataChannelSink *sink; /* (owned) */
  gchar *id;

  /* under the sink's lock */
  GPtrArray *links; /* its channels that are not closed */
  gpointer current; /* the one of them that is used; NULL: none */
  RtcDataQueue *queue; /* of GstRtcSinkMessage */
  gboolean is_pumping, pump_again; /* a thread sends; it is to look again */
  gint64 full_until; /* its channel had enough, and tells when it has room; asked again after this (monotonic) */
  gboolean is_gone; /* not in the table any more */
  gint64 lost_at; /* all its channels went with the connection (monotonic); -1: they did not */
  RtcDataCount sent;
  gboolean told_stalled, told_refused; /* warnings come once */
} GstRtcSinkPeer;

GstRtcSinkPeer *gst_rtc_sink_peer_ref (GstRtcSinkPeer *peer);
void gst_rtc_sink_peer_unref (gpointer peer);

/* Of GstRtcDataUser. */
void gst_rtc_sink_peer_on_channel (GstRtcChannel *channel, gpointer sink);

/* Sends what can be sent. Without the lock. */
void gst_rtc_sink_peer_pump (GstRtcSinkPeer *peer);

/* Whether pump() may find room NOW (monotonic). With the lock. */
gboolean gst_rtc_sink_peer_wants_pump (const GstRtcSinkPeer *peer, gint64 now);

/* The channels that PEER has. (transfer full) With the lock. */
GPtrArray *gst_rtc_sink_peer_list_channels (GstRtcSinkPeer *peer);

/* Takes PEER, or those whose connection did not come back, or all, out of the table; what waits for them is dropped.
 * With the lock, which remove_all() gives up meanwhile. */
void gst_rtc_sink_peer_remove (GstRtcSinkPeer *peer);
void gst_rtc_sink_peer_remove_lost (GstDataChannelSink *sink, gint64 now);
void gst_rtc_sink_peer_remove_all (GstDataChannelSink *sink);

/* When remove_lost() has something to do; -1: never. With the lock. */
gint64 gst_rtc_sink_peer_get_deadline (GstDataChannelSink *sink);

/* From and to the hub. Streaming thread and state changes. */
void gst_data_channel_sink_attach (GstDataChannelSink *sink);
void gst_data_channel_sink_detach (GstDataChannelSink *sink);

/* Puts MESSAGE into the queues, as soon as the policies want it. TO: (nullable) the only peer that gets it. Streaming
 * thread; what is not OK is to be returned. */
GstFlowReturn gst_data_channel_sink_send (GstDataChannelSink *sink, GstRtcSinkMessage *message, const gchar *to);

/* Returns when everything was sent, or drain-timeout has passed since there is a peer. Streaming thread. */
GstFlowReturn gst_data_channel_sink_drain (GstDataChannelSink *sink);

/* Waits for a change, until DEADLINE (-1: none) at most. Streaming thread; what is not OK is to be returned. With the
 * lock. */
GstFlowReturn gst_data_channel_sink_wait (GstDataChannelSink *sink, gint64 deadline);

/* With delivery=file, in gstdatachannelsinkfile.c. */
void gst_rtc_sink_file_start (GstDataChannelSink *sink);
void gst_rtc_sink_file_stop (GstDataChannelSink *sink);

/* Of GstRtcDataUser. */
void gst_rtc_sink_file_on_channel (GstRtcChannel *channel, gpointer sink);

/* From upstream. Streaming thread; render() and drain() return when the bytes, or the end, have reached whoever is to
 * have them now; what is not OK is to be returned. */
void gst_rtc_sink_file_set_caps (GstDataChannelSink *sink, GstCaps *caps);
void gst_rtc_sink_file_set_segment (GstDataChannelSink *sink, const GstSegment *segment);
GstFlowReturn gst_rtc_sink_file_render (GstDataChannelSink *sink, GstBuffer *buffer);
GstFlowReturn gst_rtc_sink_file_drain (GstDataChannelSink *sink);

/* Cancels the transfer ID. FALSE: there is none. Any thread. */
gboolean gst_rtc_sink_file_cancel (GstDataChannelSink *sink, const gchar *id);

/* With the lock. */
void gst_data_channel_sink_count_dropped (GstDataChannelSink *sink, gsize size);

RtcDataQueue *gst_data_channel_sink_new_queue (GstDataChannelSink *sink);
void gst_data_channel_sink_install_properties (GObjectClass *klass);
void gst_data_channel_sink_init_properties (GstDataChannelSink *sink);

G_END_DECLS
