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
  RtcFileSend *send; /* NULL: it was not told yet */
  gboolean is_over; /* as was told */
  gboolean was_told; /* that it began */
  gint64 lost_at; /* when the connection broke (monotonic); -1: it did not */
  gint64 told_at; /* when progress was posted last */

  /* streaming thread */
  guint turn; /* of the last seek that was for it; 0: none was */
} GstRtcSinkReceiver;

struct _GstRtcSinkFile
{
  /* under the sink's lock */
  GPtrArray *receivers; /* in the order in which they came */
  gboolean seek_failed;
  guint changes; /* what was seen without the lock may hold no more when it is another */
  gchar *name; /* NULL: not asked yet */
  gint64 size; /* -1: not known */

  /* streaming thread */
  gchar *mime; /* NULL: not known */
  gint64 sought; /* where the last seek went, if nothing was sent since; -1: none */
  GQueue window; /* of GstBuffer: what came last, without a gap; those that are nearly as fast are given it, too */
  gsize window_bytes;
  gint64 position; /* behind the window: of what comes next from upstream */
  gint64 turn_at; /* when upstream was asked to seek last (monotonic) */
  guint turns; /* how often */
  gboolean is_seekable; /* as upstream says */
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

/* Whether RECEIVER is over; tells so. DEADLINE: when to look again; -1: no need to. With the lock, which it gives up
 * meanwhile. */
gboolean gst_rtc_sink_receiver_check (GstRtcSinkReceiver *receiver, gint64 *deadline);

G_END_DECLS
