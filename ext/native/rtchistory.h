/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The packets of one track as they are for all viewers: made once, kept once, in a ring that every viewer's
 * retransmissions are taken from. Pure. One thread. */
typedef struct _RtcHistory RtcHistory;

typedef struct
{
  guint64 index; /* counts up by one a packet, from 0 */
  gint64 added; /* microseconds, monotonic */
  gint64 pts; /* microseconds of running time, when it was captured; -1: not known */
  guint32 timestamp; /* RTP's, of the track */
  gboolean marker;
  gint audio_level; /* the byte of RFC 6464; -1: none */
  const guint8 *payload;
  gsize size; /* of the payload */
} RtcPacket;

/* Keeps packets for KEEP microseconds, and N_PACKETS (at least 1) and N_BYTES (of payload) of them at most. Memory is
 * taken as it is needed, used again, and given back when the stream becomes slower. */
RtcHistory *rtc_history_new (gint64 keep, guint n_packets, gsize n_bytes);
void rtc_history_free (RtcHistory *history);

/* Copies PACKET with its payload in, and gives it its index. ADDED never goes back. What is too old or too much goes
 * out. Returns: (transfer none): valid until the next call of this function; NULL when the payload alone is more than
 * N_BYTES: nothing has changed then. */
const RtcPacket *rtc_history_add (RtcHistory *history, const RtcPacket *packet);

/* NULL when it is not there any more, or not yet. Valid until the next rtc_history_add(). */
const RtcPacket *rtc_history_get (RtcHistory *history, guint64 index);

/* The index that the next packet gets. */
guint64 rtc_history_get_next (RtcHistory *history);

/* Of the payloads that are there. */
gsize rtc_history_get_bytes (RtcHistory *history);

G_END_DECLS
