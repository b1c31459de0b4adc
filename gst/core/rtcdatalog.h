/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One direction of a reliable, ordered channel that goes on over connections: the sender keeps what the receiver did
 * not say it has delivered, and sends on the next connection exactly what was not. Each message has the number of those
 * before it, from the beginning of the channel; a connection delivers what is sent on it in order, up to where it is
 * cut. Pure: no clock, no thread. */

/* The sender's. */
typedef struct _RtcDataLog RtcDataLog;

/* At most MAX_BYTES of messages are kept (each counts 64 bytes more than it is long). */
RtcDataLog *rtc_data_log_new (gsize max_bytes);
void rtc_data_log_free (RtcDataLog *self);

/* Keeps a message, which is referenced. FALSE when too much is kept already: then the sender waits until
 * acknowledged() returned TRUE. One of any size is kept when there is no other. */
gboolean rtc_data_log_add (RtcDataLog *self, gboolean is_text, GBytes *message);

/* The next message to send on the connection, in order. (transfer none): valid until it is acknowledged; NULL: there is
 * none, or the connection was cut. */
GBytes *rtc_data_log_next (RtcDataLog *self, gboolean *is_text);

/* The receiver has delivered the first DELIVERED messages, all in all. FALSE when that cannot be: it told of more
 * before, or it was never sent so many. */
gboolean rtc_data_log_acknowledged (RtcDataLog *self, guint64 delivered);

/* The connection is gone: nothing is sent until there is another one, and the receiver told what it has. That may be as
 * much as was ever sent; FALSE as above. */
void rtc_data_log_cut (RtcDataLog *self);
gboolean rtc_data_log_resume (RtcDataLog *self, guint64 delivered);

/* Bytes of messages that were not sent on this connection (cut: of all that are kept), and of the first of them (0:
 * there is none). */
gsize rtc_data_log_get_unsent (const RtcDataLog *self);
gsize rtc_data_log_get_next_size (const RtcDataLog *self);

/* What is kept, and how many messages were added. */
gsize rtc_data_log_get_bytes (const RtcDataLog *self);
guint64 rtc_data_log_get_added (const RtcDataLog *self);

/* The receiver's. Zeroed at first, then begin(). */
typedef struct
{
  guint64 delivered; /* all in all */
  guint connection; /* the one that counts */
  guint64 told; /* of them the sender knows */
  gsize untold_bytes;
  gint64 untold_since; /* microseconds */
} RtcDataTally;

/* There is a new connection. Returns its number; delivered is to be told on it, and nothing of the ones before is taken
 * any more. */
guint rtc_data_tally_begin (RtcDataTally *self);

/* A message came on CONNECTION. FALSE when it is not to be delivered: it comes again, or came already, on the new one.
 */
gboolean rtc_data_tally_take (RtcDataTally *self, guint connection, gsize size, gint64 now);

/* When the sender is to be told how many were delivered: at once after 64 KiB or 64 messages, else in 50 ms; -1: it
 * knows. told() notes that it was. */
gint64 rtc_data_tally_get_deadline (const RtcDataTally *self);
void rtc_data_tally_told (RtcDataTally *self);

G_END_DECLS
