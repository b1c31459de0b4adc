/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcnativereceiver.h"

G_BEGIN_DECLS

/* Shared by gstrtcnativereceiver*.c only. */

typedef enum
{
  GST_RTC_STREAM_LIVE,
  GST_RTC_STREAM_ENDING, /* another one took its place; its elements are still there */
  GST_RTC_STREAM_ENDED, /* and they are gone: remembered, because it may come back */
} GstRtcStreamState;

/* One SSRC of media. Lives as long as the receiver, or until it has ended and somebody else needs its place. */
typedef struct
{
  /* set at construction */
  GstRtcNativeReceiver *receiver;
  guint32 ssrc;
  const GstRtcLine *line;
  gchar rid[17]; /* simulcast layer; "" when there is none */

  /* transport's loop */
  gint64 last; /* microseconds, monotonic: its last packet */
  gint64 rtx_last; /* and its last retransmission */

  /* GstRtcNativeReceiver.lock */
  GstRtcStreamState state;
  guint32 rtx_ssrc; /* 0: none was seen or announced */
  GstPad *pad; /* of rtpbin; NULL: nothing came out yet */
  gulong hold; /* the probe that blocks the pad; 0: none */
  GstElement *jitterbuffer;
  guint waiting; /* packets that went in since the last that came out */
  gboolean behind; /* downstream does not keep up, and the jitterbuffer drops what is oldest */
  gboolean is_patient; /* there is such, but after a gap */
  guint patience; /* milliseconds beyond the latency that the jitterbuffer waits for what was lost */

  gint idle; /* atomic: nobody is downstream of the pad, and nobody gets there any more */
} GstRtcStream;

struct _GstRtcNativeReceiver
{
  /* set at construction */
  GstElement *bin; /* the transport's, borrowed */
  GArray *lines; /* of GstRtcLine */
  GHashTable *formats; /* payload type to GstCaps */
  GstStructure *rtx_payloads; /* rtprtxreceive's payload-type-map; NULL: there is no RTX */
  guint latency; /* milliseconds */
  const GstRtcNativeReceiverEvents *events;
  gpointer user_data;

  /* transport's loop */
  RtcBundle *bundle;
  gboolean flooded; /* it was told that there are too many streams */
  gboolean broken; /* the elements could not be made */

  /* set on the transport's loop with the first packet, under lock; then read by any thread */
  GstElement *source, *rtpbin, *rtx;
  GObject *session; /* rtpbin's RTPSession */
  GstPad *rtp_sink, *rtcp_sink, *rtcp_src; /* of rtpbin */

  /* lock; nobody who holds it calls rtpbin, which calls here with its own locks held */
  GMutex lock;
  GPtrArray *streams; /* of GstRtcStream */

  /* both locks to write, one of them to read; events_lock comes first, and is held while an event is told */
  GMutex events_lock;
  gboolean closed;

  /* the source's streaming thread */
  gboolean rtcp_began;
};

/* gstrtcnativereceiverelements.c */

/* Transport's loop: makes the elements and brings them to the state of the bin. FALSE when something is not installed;
 * the bin's error message says what. */
gboolean gst_rtc_native_receiver_build (GstRtcNativeReceiver *self);

/* Transport's loop: a plain RTP or RTCP packet for rtpbin. NOW: when it came. (transfer full) */
void gst_rtc_native_receiver_push (GstRtcNativeReceiver *self, GstBuffer *buffer, gint64 now);

/* A packet of STREAM is about to be pushed. Lock held. */
void gst_rtc_native_receiver_count_waiting (GstRtcNativeReceiver *self, GstRtcStream *stream);

/* Tells rtprtxreceive which SSRC repeats which. Without lock. */
void gst_rtc_native_receiver_map_rtx (GstRtcNativeReceiver *self);

/* Nothing comes out of STREAM's pad any more, and who is blocked in it goes on. Lock held. */
void gst_rtc_native_receiver_shut (GstRtcStream *stream);

/* gstrtcnativereceiver.c; lock held. By the SSRC of media or RTX; NULL: nobody's. */
GstRtcStream *gst_rtc_native_receiver_find (GstRtcNativeReceiver *self, guint32 ssrc);

G_END_DECLS
