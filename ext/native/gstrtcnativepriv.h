/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcicelite.h"
#include "gstrtcnative.h"
#include "gstrtcnativereceiver.h"
#include "gstrtcnativesdp.h"
#include "gstrtcnetlink.h"
#include "rtcendpoint.h"
#include "rtcpath.h"

G_BEGIN_DECLS

/* Shared by the files of the transport only (gstrtcnative*.c). */

typedef struct _GstRtcNative GstRtcNative;
typedef struct _GstRtcNativeData GstRtcNativeData;
typedef struct _GstRtcNativePacer GstRtcNativePacer;

/* What the connections of one rtcbin share. */
typedef struct
{
  /* set at construction */
  GstRtcLoop *loop; /* owns the sockets and all that the connections do */
  RtcDtlsIdentity *identity;
  gint64 real_offset; /* microseconds from the monotonic clock to the wall clock, as it was at the start */

  /* loop */
  GstRtcPoll *poll;
  GstRtcNetlink *netlink; /* NULL: the system does not tell when interfaces change */
  GstRtcLite *lite; /* NULL: each peer has a port of its own */
  GPtrArray *transports; /* of GstRtcNative */
  GArray *deadlines; /* of gint64, in the order of the transports: side by side, since each timer looks at all */
  GHashTable *histories; /* track to RtcHistory */
  gchar *cname;
  GstRtcNativePacer *pacer; /* of data channels */
  GSource *timer;
  gint64 timer_at; /* microseconds, monotonic; -1: not set */
  gint64 zero; /* wall clock, microseconds, at running time 0; G_MININT64: not known */
  gint64 served; /* microseconds, monotonic: when sockets were last read between two lists of packets */
  gboolean late; /* packets are left out until the loop is up to date */
  guint8 *space; /* for a batch of datagrams */
  gsize *sizes;
  GPtrArray *begun; /* of GstRtcNativeData: channels with something to send, once all that came in was served */
  GstRtcNative *gathering; /* whose datagrams are gathered in SPACE; NULL: nobody's */
  GstRtcIceBatch gathered;
  gsize gathered_bytes;
} GstRtcNativeShared;

/* An ICE agent of a connection. Loop. */
typedef struct
{
  GstRtcNative *t;
  GstRtcIce *ice;
} GstRtcNativeLeg;

struct _GstRtcNative
{
  GstRtcTransport base;

  /* set at construction */
  GstRtcNativeShared *shared;
  GstRtcTransportConfig config; /* strings owned */
  GstRtcNativeData *data;

  /* shared->loop */
  guint place; /* in shared->transports; G_MAXUINT: it is not there */
  gboolean closed; /* no event any more */
  gboolean is_offerer;
  RtcEndpoint *endpoint;
  GstRtcIce *ice; /* of leg, which is sent on; NULL: not yet, or closed */
  GstRtcNativeLeg *leg;
  GstRtcNativeLeg *next; /* of a restart, until it has a path; NULL: none, or the agent restarts in place */
  GstRtcNativeLeg *old; /* that the peer may still send to for a while; or NULL */
  GSource *old_timer;
  RtcPath *path;
  gboolean impatient; /* what is lost is not waited for */
  GSource *patience_timer;
  RtcAddress source; /* ours towards the peer; family 0: not known */
  guint64 late_packets; /* that were left out because the process had no time for them */
  gboolean lapsed; /* nothing is sent: the peer does not consent any more */
  GstSDPMessage *description; /* what was sent last */
  guint version; /* of the next one */
  guint restarts; /* of ICE, from either side */
  gboolean restarting; /* the last of them has no path yet */
  GArray *lines; /* of GstRtcLine */
  guint32 *ssrcs, *rtx_ssrcs; /* by m-line */
  GstRtcNativeRemote remote;
  GPtrArray *early; /* of gchar: local candidates that go into the description; NULL: they are told one by one */
  gboolean gathered; /* there are no more */
  gboolean remote_known, has_path, started, hung_up;
  GstRtcTransportState state;

  /* written on shared->loop while the control loop waits; then read by both */
  GstRtcNativeReceiver *receiver; /* NULL: not negotiated yet */
};

/* gstrtcnativeshared.c */
gpointer gst_rtc_native_shared_start (const GstRtcTransportSetup *setup, GError **error);
void gst_rtc_native_shared_stop (gpointer shared);
void gst_rtc_native_shared_send (
    gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list);
void gst_rtc_native_shared_forget_track (gpointer shared, gconstpointer track);

/* Loop. From the first on T has a timer, to the second. */
void gst_rtc_native_shared_enter (GstRtcNativeShared *shared, GstRtcNative *t);
void gst_rtc_native_shared_leave (GstRtcNativeShared *shared, GstRtcNative *t);

/* Loop. T's deadline may have become an earlier one; not to be told when it became a later one. */
void gst_rtc_native_shared_schedule (GstRtcNativeShared *shared, GstRtcNative *t);

/* Loop. What T sends in between goes out in one batch. */
void gst_rtc_native_shared_gather (GstRtcNative *t);
void gst_rtc_native_shared_release (GstRtcNative *t);

/* One datagram of T is added to what is gathered. FALSE: nothing is. */
gboolean gst_rtc_native_shared_add (GstRtcNative *t, const guint8 *data, gsize size);

/* NTP's 64 bits for a time of the monotonic clock. */
guint64 gst_rtc_native_shared_ntp (GstRtcNativeShared *shared, gint64 now);

/* gstrtcnativenegotiate.c: functions of the table. */
void gst_rtc_native_make_offer (GstRtcTransport *base, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_native_take_offer (
    GstRtcTransport *base, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_native_take_answer (GstRtcTransport *base, const GstSDPMessage *answer, const GArray *lines);
void gst_rtc_native_add_candidate (GstRtcTransport *base, guint mline, const gchar *candidate);

/* Loop. Gathers ICE's candidates and tells the description that FUNC makes (transfer full). Those that are known at
 * once stand in it, the others are told later. */
typedef GstSDPMessage *(*GstRtcNativeDescribe) (GstRtcNative *t, const GstRtcNativeLocal *local, gpointer user_data);
void gst_rtc_native_describe (GstRtcNative *t, GstRtcIce *ice, GstRtcNativeDescribe func, gpointer user_data);

/* The section whose candidates are those of all (RFC 8843, section 10). */
guint gst_rtc_native_get_mline (GstRtcNative *t);

/* gstrtcnativerestart.c. Loop, but for the functions of the table. */
void gst_rtc_native_make_restart (GstRtcTransport *base);
gboolean gst_rtc_native_take_restart (GstRtcTransport *base, const GstSDPMessage *offer, GError **error);
gboolean gst_rtc_native_take_restart_answer (GstRtcTransport *base, const GstSDPMessage *answer, GError **error);

/* A new agent; NULL with ERROR. */
GstRtcNativeLeg *gst_rtc_native_leg_new (GstRtcNative *t, GError **error);
void gst_rtc_native_free_legs (GstRtcNative *t);

/* The one that was made last. */
GstRtcNativeLeg *gst_rtc_native_get_newest (GstRtcNative *t);

/* LEG has a path: what it is the next of is sent on it. */
void gst_rtc_native_leg_connected (GstRtcNative *t, GstRtcNativeLeg *leg);

/* gstrtcnativepath.c. Loop. What is agreed with the peer for the agent in use is another thing now. */
void gst_rtc_native_path_renewed (GstRtcNative *t);

/* Carries out what the machine wants (RtcPathActions). */
void gst_rtc_native_path_act (GstRtcNative *t, guint actions);
void gst_rtc_native_path_heard (GstRtcNative *t, gint64 now);
void gst_rtc_native_path_unreachable (GstRtcNative *t);
void gst_rtc_native_path_tick (GstRtcNative *t, gint64 now);
void gst_rtc_native_path_interfaces_changed (GstRtcNative *t);
void gst_rtc_native_path_add_stats (GstRtcNative *t, GstStructure *stats);

/* The earlier of the deadlines of the endpoint and the path; -1: none. */
gint64 gst_rtc_native_get_deadline (GstRtcNative *t);

/* gstrtcnativedata.c. Loop, but for open_channel(), new() and the references. */
GstRtcNativeData *gst_rtc_native_data_new (GstRtcNative *t);
GstRtcNativeData *gst_rtc_native_data_ref (GstRtcNativeData *data);
void gst_rtc_native_data_unref (gpointer data);
void gst_rtc_native_data_free (GstRtcNative *t);
GstRtcChannel *gst_rtc_native_open_channel (GstRtcTransport *base, const GstRtcChannelInit *init, GError **error);

/* The peer's description is known: whether there are to be channels at all. DTLS is up: they begin. */
void gst_rtc_native_data_described (GstRtcNative *t);
void gst_rtc_native_data_start (GstRtcNative *t);

/* All channels are closed; ERROR (taken) says why. */
void gst_rtc_native_data_close (GstRtcNative *t, GError *error);

void gst_rtc_native_data_take (GstRtcNative *t, const guint8 *packet, gsize size);
gint64 gst_rtc_native_data_get_deadline (GstRtcNative *t);
void gst_rtc_native_data_tick (GstRtcNative *t);
void gst_rtc_native_data_path_is_back (GstRtcNative *t);
void gst_rtc_native_data_add_stats (GstRtcNative *t, GstStructure *stats);

/* Sends what those that were begun have to send. SHARED: GstRtcNativeShared. */
void gst_rtc_native_data_end_all (gpointer shared);

/* gstrtcnative.c. Loop; nothing is reported once the transport is closed. ERROR is taken. */
void gst_rtc_native_fail (GstRtcNative *t, GError *error);
void gst_rtc_native_set_state (GstRtcNative *t, GstRtcTransportState state);
void gst_rtc_native_path_changed (GstRtcNative *t);
extern const GstRtcIceEvents gst_rtc_native_ice_events; /* their user data is a GstRtcNativeLeg */
extern const GstRtcNativeReceiverEvents gst_rtc_native_receiver_events;

G_END_DECLS
