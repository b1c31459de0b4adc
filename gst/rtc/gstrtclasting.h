/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcchannel.h"

G_BEGIN_DECLS

/* A reliable, ordered channel between two rtclink peers that goes on over their connections, without loss or
 * duplicates (docs/design/data-channels.md, "Channels that go on"). Over it are users, under it one channel of each
 * connection, a part. Parts have serials: the later the connection, the higher. Any thread. */
typedef struct _GstRtcLasting GstRtcLasting;

/* Called from any thread, without a lock. */
typedef struct
{
  /* The peer is to be told soon how much was delivered; NOW: at once. */
  void (*due) (GstRtcLasting *self, gboolean now, gpointer user_data);

  /* It is over, once. ERROR: (nullable). */
  void (*over) (GstRtcLasting *self, const GError *error, gpointer user_data);
} GstRtcLastingEvents;

/* What is kept of what was not acknowledged, before senders are told to wait. */
#define GST_RTC_LASTING_MAX_KEPT (4 * 1024 * 1024)

/* NUMBER is the opener's name for it. NOTIFY frees USER_DATA with it. */
GstRtcLasting *gst_rtc_lasting_new (const gchar *peer_id, gboolean is_remote, guint64 number,
    const GstRtcChannelInit *init, const GstRtcLastingEvents *events, gpointer user_data, GDestroyNotify notify);

guint64 gst_rtc_lasting_get_number (GstRtcLasting *self);

/* Whether it needs one of the connection SERIAL: there is none, and there was none. */
gboolean gst_rtc_lasting_may_have_part (GstRtcLasting *self, guint serial);

/* CHANNEL (transfer full) is the part of a connection. What comes on it waits until begin(). When it is the FIRST of a
 * channel that was opened here, what is sent goes out on it at once: the peer cannot have anything yet. */
void gst_rtc_lasting_add_part (GstRtcLasting *self, GstRtcChannel *channel, guint serial, gboolean first);

/* From now on what comes on the part SERIAL counts, and nothing that comes on the ones before. Does nothing when there
 * is none, or it or a later one has begun. */
void gst_rtc_lasting_begin (GstRtcLasting *self, guint serial);

/* On which connection the peer is to be told how much was delivered, and when: 0: at once, else microseconds of the
 * monotonic clock. -1: it knows. MUST: it waits for it. */
gint64 gst_rtc_lasting_get_deadline (GstRtcLasting *self, guint *serial, gboolean *must);

/* How many messages were delivered; the caller tells it on SERIAL. FALSE when that is not the one any more. */
gboolean gst_rtc_lasting_tell (GstRtcLasting *self, guint serial, guint64 *delivered);

/* The peer told on SERIAL that it has delivered so many, and takes what comes on that one. */
void gst_rtc_lasting_told (GstRtcLasting *self, guint serial, guint64 delivered);

/* It cannot go on. */
void gst_rtc_lasting_end (GstRtcLasting *self, const GError *error);

G_END_DECLS
