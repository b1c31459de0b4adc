/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcicelite.h"
#include "gstrtcnative.h"
#include "gstrtcnativereceiver.h"
#include "gstrtcnativesdp.h"
#include "rtcendpoint.h"

G_BEGIN_DECLS

/* Shared by the files of the transport only (gstrtcnative*.c). */

/* What the connections of one rtcbin share. */
typedef struct
{
  /* set at construction */
  GstRtcLoop *loop; /* owns the sockets and all that the connections do */
  RtcDtlsIdentity *identity;
  gint64 real_offset; /* microseconds from the monotonic clock to the wall clock, as it was at the start */

  /* loop */
  GstRtcPoll *poll;
  GstRtcLite *lite; /* NULL: each peer has a port of its own */
  GPtrArray *transports; /* of GstRtcNative */
  GHashTable *histories; /* track to RtcHistory */
  gchar *cname;
  GSource *timer;
  gint64 timer_at; /* microseconds, monotonic; -1: not set */
  gint64 zero; /* wall clock, microseconds, at running time 0; G_MININT64: not known */
  guint8 *space; /* for a batch of datagrams */
  gsize *sizes;
} GstRtcNativeShared;

typedef struct
{
  GstRtcTransport base;

  /* set at construction */
  GstRtcNativeShared *shared;
  GstRtcTransportConfig config; /* strings owned */

  /* shared->loop */
  gboolean closed; /* no event any more */
  gboolean is_offerer;
  RtcEndpoint *endpoint;
  GstRtcIce *ice;
  GArray *lines; /* of GstRtcLine */
  guint32 *ssrcs, *rtx_ssrcs; /* by m-line */
  GstRtcNativeRemote remote;
  GPtrArray *early; /* of gchar: local candidates that go into the description; NULL: they are told one by one */
  gboolean gathered; /* there are no more */
  gboolean remote_known, has_path, started, hung_up;
  GstRtcTransportState state;

  /* written on shared->loop while the control loop waits; then read by both */
  GstRtcNativeReceiver *receiver; /* NULL: not negotiated yet */
} GstRtcNative;

/* gstrtcnativeshared.c */
gpointer gst_rtc_native_shared_start (const GstRtcTransportSetup *setup, GError **error);
void gst_rtc_native_shared_stop (gpointer shared);
void gst_rtc_native_shared_send (
    gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list);
void gst_rtc_native_shared_forget_track (gpointer shared, gconstpointer track);

/* Loop. T's deadline may have become an earlier one. */
void gst_rtc_native_shared_schedule (GstRtcNativeShared *shared, GstRtcNative *t);

/* NTP's 64 bits for a time of the monotonic clock. */
guint64 gst_rtc_native_shared_ntp (GstRtcNativeShared *shared, gint64 now);

/* gstrtcnativenegotiate.c: functions of the table. */
void gst_rtc_native_make_offer (GstRtcTransport *base, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_native_take_offer (
    GstRtcTransport *base, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_native_take_answer (GstRtcTransport *base, const GstSDPMessage *answer, const GArray *lines);
void gst_rtc_native_add_candidate (GstRtcTransport *base, guint mline, const gchar *candidate);

/* gstrtcnative.c. Loop; nothing is reported once the transport is closed. ERROR is taken. */
void gst_rtc_native_fail (GstRtcNative *t, GError *error);
void gst_rtc_native_set_state (GstRtcNative *t, GstRtcTransportState state);
void gst_rtc_native_path_changed (GstRtcNative *t);
extern const GstRtcIceEvents gst_rtc_native_ice_events;
extern const GstRtcNativeReceiverEvents gst_rtc_native_receiver_events;

G_END_DECLS
