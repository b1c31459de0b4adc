/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcwebrtcagent.h"
#include "gstrtcwebrtcbin.h"
#include "gstrtcwebrtcsctp.h"

#include <gst/webrtc/webrtc.h>

G_BEGIN_DECLS

/* Shared by the files of this folder only. */

typedef struct _GstRtcWebrtcData GstRtcWebrtcData; /* gstrtcwebrtcdata.c's */

typedef struct
{
  GstRtcTransport base;

  /* set at construction */
  gint ref_count; /* atomic: promises and posts hold one each */
  GstRtcLoop *loop;
  GstElement *webrtc; /* in base.bin */
  GstRtcWebrtcActivity activity;
  GstRtcWebrtcReports reports;
  GstRtcWebrtcSctp *sctp; /* owned */
  GstRtcWebrtcData *data; /* owned */

  /* loop */
  gboolean is_offerer;
  GArray *lines; /* of GstRtcLine, as the peer sees them; set once, then read by any thread */
  GstSDPMessage *offer; /* the peer's, when it offered */
  gchar **fingerprints; /* of the peer's description */
  GArray *tracks; /* of GstRtcSdpTrack, caps owned */
  GstRtcTransportState state;
  GSource *silence;

  /* set on the loop before state becomes CONNECTED; then by the streaming thread of the line */
  GstPad **feeds; /* by mline; what is sent begins there */

  gint connected; /* atomic */
  GstRtcWebrtcGate gate; /* atomic, written on the loop only, which reads it as it is */

  GMutex lock;
  GCond answered;
  /* under lock */
  guint open_questions; /* promises that webrtcbin has yet to answer */
} GstRtcWebrtc;

/* A call from a handler or a promise of webrtcbin, on its way to the loop. */
typedef struct
{
  GstRtcWebrtc *t;
  GstWebRTCSessionDescription *description;
  GError *error;
} GstRtcWebrtcCall;

GstRtcWebrtc *gst_rtc_webrtc_ref (GstRtcWebrtc *t);
void gst_rtc_webrtc_unref (gpointer t);

/* A call that holds a reference; frees it and what it carries. Any thread. */
GstRtcWebrtcCall *gst_rtc_webrtc_call_new (GstRtcWebrtc *t);
void gst_rtc_webrtc_call_free (gpointer call);

/* Loop only; nothing is reported once the transport is closed. ERROR is taken. */
void gst_rtc_webrtc_fail (GstRtcWebrtc *t, GError *error);
void gst_rtc_webrtc_set_state (GstRtcWebrtc *t, GstRtcTransportState state);

/* gstrtcwebrtcnegotiate.c: functions of the table. */
void gst_rtc_webrtc_make_offer (GstRtcTransport *base, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_webrtc_take_offer (
    GstRtcTransport *base, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks);
void gst_rtc_webrtc_take_answer (GstRtcTransport *base, const GstSDPMessage *answer, const GArray *lines);
void gst_rtc_webrtc_settle (GstRtcTransport *base);

/* gstrtcwebrtcsend.c: a queue in front of a new sink pad of webrtcbin, and the function of the table. */
void gst_rtc_webrtc_add_sender (GstRtcWebrtc *t, const GstRtcLine *line, GstCaps *preferences);
void gst_rtc_webrtc_send (
    gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list);

G_END_DECLS
