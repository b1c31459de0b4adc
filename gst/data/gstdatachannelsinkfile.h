/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "core/rtcfilesend.h"
#include "gstdatachannelsink.h"

G_BEGIN_DECLS

/* What datachannelsink has with delivery=file: its receivers are in gstdatachannelsinkreceiver.c, what goes to them is
 * in gstdatachannelsinkfile.c. */

/* A peer that is to have the file. */
typedef struct
{
  gint ref_count; /* atomic */
  GstDataChannelSink *sink; /* (owned) */
  gchar *peer_id;

  /* under the sink's lock */
  GstRtcChannel *channel; /* NULL: it went */
  GstRtcChannel *next; /* NULL, or another that came meanwhile: the one of a connection that replaces the old one */
  RtcFileSend *send; /* NULL: its turn has not come */
  gboolean is_over; /* as was told */
  gboolean was_told; /* that it began */
  gint64 lost_at; /* when the connection broke (monotonic); -1: it did not */
  gint64 told_at; /* when progress was posted last */
} GstRtcSinkReceiver;

struct _GstRtcSinkFile
{
  /* under the sink's lock */
  GPtrArray *receivers; /* in the order in which they came */
  GstRtcSinkReceiver *current; /* whose turn it is; one of them, or NULL */
  gboolean seek_failed;
  guint changes; /* what was seen without the lock may hold no more when it is another */
  gchar *name; /* NULL: not asked yet */
  gint64 size; /* -1: not known */

  /* streaming thread */
  gchar *mime; /* NULL: not known */
  gint64 sought; /* where the last seek went, if nothing was sent since; -1: none */
  gint64 position; /* of what comes next from upstream */
  gboolean is_in_bytes; /* what comes from upstream is counted so: it may know sizes and seek */
};

GstRtcSinkReceiver *gst_rtc_sink_receiver_ref (GstRtcSinkReceiver *receiver);
void gst_rtc_sink_receiver_unref (gpointer receiver);

/* Something changed that the streaming thread may wait for. With the lock. */
void gst_rtc_sink_file_tell (GstDataChannelSink *sink);

/* Sends TEXT (transfer full, nullable) to RECEIVER. With the lock, which it gives up meanwhile. */
void gst_rtc_sink_receiver_send_text (GstRtcSinkReceiver *receiver, gchar *text);

/* Posts the element message NAME, with what belongs to the state of the transfer. With the lock, which it gives up
 * meanwhile. */
void gst_rtc_sink_receiver_post (GstRtcSinkReceiver *receiver, const gchar *name);

/* Whose turn it is: whoever had it keeps it while it has a channel. NULL: one that is away may come back, or, with
 * IS_DONE, there is nobody to wait for. DEADLINE: when to look again. With the lock, which it gives up meanwhile. */
GstRtcSinkReceiver *gst_rtc_sink_receiver_choose (GstDataChannelSink *sink, gint64 *deadline, gboolean *is_done);

G_END_DECLS
