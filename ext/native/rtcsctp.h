/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One SCTP association (RFC 9260) as data channels have it inside of DTLS (RFC 8261, 8831): one path, of which DTLS and
 * ICE take care, streams that can be reset (RFC 6525), messages that need not arrive (RFC 3758, 7496), and messages
 * that do not wait for each other where the peer can do that too (RFC 8260). Packets and the time (microseconds,
 * monotonic) go in, packets, events and the next deadline come out. One thread.
 *
 * It never shuts down in order (data channels are not closed that way, RFC 8831, section 6.2), probes no path, sends no
 * heartbeats and knows one address; it answers a peer that does so. Nothing is sent but from inside of
 * rtc_sctp_flush(). */
typedef struct _RtcSctp RtcSctp;

/* A packet is no longer than this: 1280 bytes, which every path of IPv6 carries, less IP, UDP and DTLS. */
#define RTC_SCTP_MTU 1184

/* Streams that we ask for; a peer may have less. */
#define RTC_SCTP_STREAMS 1024

/* What is kept at most of what came and cannot be delivered yet, in bytes, and what may be on its way. */
#define RTC_SCTP_BUFFER (4 * 1024 * 1024)

/* One message on its way to the peer. */
typedef struct
{
  guint16 stream;
  guint32 ppid;
  gboolean unordered;
  gint max_retransmits; /* of each of its packets; -1: as many as it takes */
  gint64 expires; /* when it is not sent again any more; -1: never */
} RtcSctpMessage;

/* From inside of take() and tick(), and transmit() of flush(). They may call any function but free(). */
typedef struct
{
  /* One packet is to be sent. */
  void (*transmit) (const guint8 *data, gsize size, gpointer user_data);

  /* The peer is there. STREAMS can be used in both directions. */
  void (*up) (guint streams, gboolean interleaving, gpointer user_data);

  /* It is over; told once, and nothing after it. ERROR: (nullable) NULL when the peer shut it down in order. */
  void (*down) (const GError *error, gpointer user_data);

  /* A whole message. (transfer none) */
  void (*message) (guint16 stream, guint32 ppid, GBytes *message, gpointer user_data);

  /* A message of this stream is longer than max_message_size. It is thrown away. */
  void (*too_large) (guint16 stream, gpointer user_data);

  /* The peer has begun this stream anew (INCOMING), or it knows that we did. FAILED: it refuses to know that. */
  void (*reset) (guint16 stream, gboolean incoming, gboolean failed, gpointer user_data);
} RtcSctpEvents;

typedef struct
{
  guint16 local_port, remote_port; /* of a=sctp-port */
  gsize max_message_size; /* of what comes */
  gboolean no_interleaving; /* do not offer it */
} RtcSctpConfig;

typedef struct
{
  guint64 packets_sent, packets_received; /* with the good checksum of our own tag */
  guint64 chunks_sent, chunks_resent, chunks_received, chunks_repeated; /* of data */
  guint64 messages_abandoned; /* that were begun, and need not arrive */
  guint round_trip; /* smoothed, microseconds; 0: not known */
  guint window; /* congestion window, bytes */
  guint flight; /* bytes on their way */
} RtcSctpStats;

/* EVENTS is not copied. */
RtcSctp *rtc_sctp_new (const RtcSctpConfig *config, const RtcSctpEvents *events, gpointer user_data);
void rtc_sctp_free (RtcSctp *sctp); /* without a word to the peer; see close() */

/* There is a path. Both sides do this. */
void rtc_sctp_connect (RtcSctp *sctp, gint64 now);

/* One packet came. Its checksum is not looked at: DTLS is better at that. */
void rtc_sctp_take (RtcSctp *sctp, const guint8 *data, gsize size, gint64 now);

/* To be called at the deadline (-1: none). */
gint64 rtc_sctp_get_deadline (RtcSctp *sctp);

/* Its two parts: fine is the pace, and when what was overtaken counts as lost; coarse are all others. */
gint64 rtc_sctp_get_fine_deadline (RtcSctp *sctp);
gint64 rtc_sctp_get_coarse_deadline (RtcSctp *sctp);
void rtc_sctp_tick (RtcSctp *sctp, gint64 now);

/* There is a path again: no timer that became slow meanwhile is waited for. */
void rtc_sctp_hurry (RtcSctp *sctp, gint64 now);

/* Sends what is to be sent: after any of these functions, once. */
void rtc_sctp_flush (RtcSctp *sctp, gint64 now);

/* How many bytes may be handed over so that they leave at once, or nearly. What waits, waits above SCTP, where
 * something more urgent can overtake it. */
gsize rtc_sctp_get_room (RtcSctp *sctp, gint64 now);

/* What the peer keeps at most of what it cannot deliver yet, as it said at the beginning. 0: not up yet. */
gsize rtc_sctp_get_peer_buffer (RtcSctp *sctp);

/* Bytes of a message that one packet has: parts of a message should be multiples of it. */
gsize rtc_sctp_get_fragment_size (RtcSctp *sctp);

/* Hands over a message (which has bytes), or a part of one: SIZE bytes of BYTES, which is referenced, from OFFSET on.
 * IS_LAST: it ends with this. Returns how many were taken: less than SIZE if that is no multiple of the fragment size;
 * the rest is to be handed over again with more. 0: the stream is being reset. -1: there is no such stream, or no peer.
 * Without interleaving, a message must be complete before one of another stream is begun. */
gssize
rtc_sctp_send (RtcSctp *sctp, const RtcSctpMessage *message, GBytes *bytes, gsize offset, gsize size, gboolean is_last);

/* BYTES of what was delivered are still kept by who got it: the peer is told to send so much less, down to nothing.
 * flush() tells it when there is room again. */
void rtc_sctp_set_unread (RtcSctp *sctp, gsize bytes);

/* Begins our side of a stream anew, when all that was handed over for it has arrived or was given up. FALSE: the peer
 * does not know how to do that, or there is no such stream. */
gboolean rtc_sctp_reset (RtcSctp *sctp, guint16 stream);

/* Says good-bye (ABORT; flush() sends it). No event follows. */
void rtc_sctp_close (RtcSctp *sctp);

void rtc_sctp_get_stats (RtcSctp *sctp, RtcSctpStats *stats);

G_END_DECLS
