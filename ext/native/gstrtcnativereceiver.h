/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcbundle.h"
#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* What a peer sends, from plain RTP packets to one blocked pad (application/x-rtp) a stream, with GStreamer's RTP
 * session and jitterbuffer: appsrc -> rtpbin (savpf, RTX, NACK, PLI). It is made with the first packet that comes,
 * since most viewers send nothing and threads must not grow with them. */
typedef struct _GstRtcNativeReceiver GstRtcNativeReceiver;

typedef struct
{
  /* A stream began: PAD is blocked, and belongs to an element in the bin. RID: its simulcast layer, "" for none. Any
   * thread. */
  void (*stream) (guint mline, const gchar *rid, GstPad *pad, gpointer user_data);

  /* RTCP to be sent to the peer: receiver reports, NACK, PLI, FIR. A compound packet, plain. Streaming threads of the
   * RTP session. DATA is borrowed. */
  void (*rtcp) (const guint8 *data, gsize size, gpointer user_data);

  /* A packet with a transport-wide number came, also one that is dropped then: the path brought it. The transport's
   * loop, inside of gst_rtc_native_receiver_take_rtp(). May be NULL. */
  void (*twcc) (guint32 ssrc, guint16 number, gint64 now, gpointer user_data);
} GstRtcNativeReceiverEvents;

/* BIN: the transport's; elements are added to it. LINES is copied; SDP is the description that says what the peer
 * sends: payload types with their caps, a=ssrc, extension ids. LATENCY: milliseconds. */
GstRtcNativeReceiver *gst_rtc_native_receiver_new (GstElement *bin, const GArray *lines, const GstSDPMessage *sdp,
    guint latency, const GstRtcNativeReceiverEvents *events, gpointer user_data);

/* Nothing comes out any more when this returns. Before the bin goes to NULL. Does not wait for streaming threads that
 * are downstream. */
void gst_rtc_native_receiver_close (GstRtcNativeReceiver *self);

/* After the bin is in NULL. */
void gst_rtc_native_receiver_free (GstRtcNativeReceiver *self);

/* Plain packets off the wire, already authenticated. One thread (the transport's loop); never blocks: when the elements
 * do not keep up the oldest are dropped. NOW: microseconds, monotonic, when it came. */
void gst_rtc_native_receiver_take_rtp (GstRtcNativeReceiver *self, const guint8 *data, gsize size, gint64 now);
void gst_rtc_native_receiver_take_rtcp (GstRtcNativeReceiver *self, const guint8 *data, gsize size, gint64 now);

/* Asks the peer for a key frame of each video that comes (PLI), at once and whatever was asked for before. The
 * transport's loop. */
void gst_rtc_native_receiver_request_key_frames (GstRtcNativeReceiver *self);

/* Whether lost packets of video are waited for beyond the latency, as they are at first. Not after a gap in which all
 * was lost: what is sent next is worth more then. The transport's loop. */
void gst_rtc_native_receiver_set_patient (GstRtcNativeReceiver *self, gboolean patient);

/* Lets a blocked stream's data pass. Control loop. */
void gst_rtc_native_receiver_unblock (GstRtcNativeReceiver *self, GstPad *pad);

/* Adds to STATS what the session and the jitterbuffers know (packets lost, jitter, round trip). Control loop. */
void gst_rtc_native_receiver_add_stats (GstRtcNativeReceiver *self, GstStructure *stats);

/* Adds what our last receiver report said of the line's first stream, as rtcbin's property stats has it: packets-lost,
 * fraction-lost, jitter. Control loop. */
void gst_rtc_native_receiver_add_line_stats (GstRtcNativeReceiver *self, guint mline, GstStructure *stats);

G_END_DECLS
