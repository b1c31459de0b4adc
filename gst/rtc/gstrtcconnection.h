/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtctransport.h"

G_BEGIN_DECLS

/* One session of the signaling protocol with one peer: its transport, its lines, the candidates of both sides. Lives on
 * the control loop; what its transport tells from other threads comes to the loop through it. */
typedef struct _GstRtcConnection GstRtcConnection;

typedef enum
{
  GST_RTC_CONNECTION_DESCRIPTION, /* sdp */
  GST_RTC_CONNECTION_CANDIDATE, /* mline, mid, candidate (NULL: no more) */
  GST_RTC_CONNECTION_STATE, /* state */
  GST_RTC_CONNECTION_FAILED, /* error */
  GST_RTC_CONNECTION_STREAM, /* mline, rid, pad */
  GST_RTC_CONNECTION_KEY_FRAME_WANTED, /* mline */
  GST_RTC_CONNECTION_RESTART_WANTED,
} GstRtcConnectionEventType;

/* Borrowed for the call. */
typedef struct
{
  GstRtcConnectionEventType type;
  GstSDPMessage *sdp;
  guint mline;
  gchar *mid, *candidate, *rid;
  GstRtcTransportState state;
  GError *error;
  GstPad *pad;
} GstRtcConnectionEvent;

/* The peer opened CHANNEL. The transport's thread; never after gst_rtc_connection_close(). */
typedef void (*GstRtcConnectionChannelFunc) (
    GstRtcConnection *connection, GstRtcChannel *channel, gpointer channel_data);

/* Control loop; never after gst_rtc_connection_close(). */
typedef void (*GstRtcConnectionFunc) (
    GstRtcConnection *connection, const GstRtcConnectionEvent *event, gpointer user_data);

struct _GstRtcConnection
{
  /* set at construction */
  gchar *session; /* its name in the protocol */
  GstRtcTransport *transport;
  GstBin *parent; /* rtcbin; borrowed */
  GstRtcLoop *loop; /* borrowed */
  GstRtcConnectionFunc func;
  gpointer user_data;
  GstRtcConnectionChannelFunc channel_func;
  gpointer channel_data; /* borrowed */
  gboolean peer_is_rtclink; /* and so has a channel of its own with us */
  gboolean with_data; /* data channels are offered, or taken when the peer offers them */
  guint data_serial; /* the later it was opened, the higher; the one of GstRtcBinData */

  gint ref_count; /* atomic */

  GMutex meters_lock;
  /* under meters_lock */
  GHashTable *meters; /* mline to RtcMeter of what came in */

  /* control loop */
  gboolean closed;
  GArray *lines; /* of GstRtcLine */
  gboolean remote_known; /* candidates may be passed on */
  gboolean restarting; /* our offer to restart ICE waits for its answer */
  gboolean restart_again; /* and another one is to follow */
  guint64 restarted; /* milliseconds of the monotonic clock; when ICE was restarted last, 0: never */
  GPtrArray *waiting; /* candidates of the peer that came before that, of GstRtcConnectionEvent */
  GPtrArray *entries; /* pads where what was received enters the elements behind the transport; then the reaper's */
  GPtrArray *local, *remote; /* candidates as text, for the diagnosis */
  GstRtcTransportState state;
  guint64 began; /* milliseconds of the monotonic clock */
};

/* Opens a transport, adds its bin to PARENT and starts it. NULL with ERROR. */
GstRtcConnection *
gst_rtc_connection_new (GstBin *parent, const GstRtcTransportClass *klass, const GstRtcTransportConfig *config,
    const gchar *session, GstRtcConnectionFunc func, gpointer user_data, GError **error);

/* Who is told of data channels that the peer opens. Before the session begins, as peer_is_rtclink. */
void
gst_rtc_connection_set_channel_func (GstRtcConnection *self, GstRtcConnectionChannelFunc func, gpointer channel_data);

GstRtcConnection *gst_rtc_connection_ref (GstRtcConnection *self);
void gst_rtc_connection_unref (gpointer self);

/* Passes on a candidate of the peer (NULL: no more), or keeps it until the peer's description was given. FALSE when
 * too many wait. */
gboolean gst_rtc_connection_add_candidate (GstRtcConnection *self, guint mline, const gchar *candidate);

/* The peer's description SDP was given to the transport: passes on what waited. */
void gst_rtc_connection_remote_known (GstRtcConnection *self, const GstSDPMessage *sdp);

/* Whether MESSAGE comes from an element of this connection. */
gboolean gst_rtc_connection_owns (GstRtcConnection *self, GstObject *object);

/* What comes in at ENTRY, a pad in the transport's bin, goes out of rtcbin. */
void gst_rtc_connection_add_stream (GstRtcConnection *self, GstPad *entry);

/* Whether OBJECT is, or is inside of, the bin of any connection in PARENT. Any thread. */
gboolean gst_rtc_connection_is_inside (GstObject *parent, GstObject *object);

/* Ends it: no event comes any more. Elements stop in a thread of REAPER, since that may take a while; the
 * caller's reference is taken. */
void gst_rtc_connection_close (GstRtcConnection *self, GThreadPool *reaper);

/* The function of the pool for the above: data is a connection. */
void gst_rtc_connection_reap (gpointer connection, gpointer user_data);

/* Counts what came in on a line. Streaming threads. */
void gst_rtc_connection_count_received (GstRtcConnection *self, guint mline, guint packets, guint64 bytes);

/* Adds "packets-received", "bytes-received", "bitrate-received" (bits a second). Any thread. */
void gst_rtc_connection_add_received_stats (GstRtcConnection *self, guint mline, GstStructure *stats);

/* Which stage it is in or failed in, for people: "finding a path to the peer (ICE)". */
const gchar *gst_rtc_connection_stage (GstRtcConnection *self);

/* For people: "ours: 192.0.2.1:5000/udp host; theirs: none". (transfer full) */
gchar *gst_rtc_connection_describe_candidates (GstRtcConnection *self);

G_END_DECLS
