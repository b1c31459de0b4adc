/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcsctp.h"

G_BEGIN_DECLS

/* What the files rtcsctp*.c share. */

#define RTC_SCTP_MS 1000
#define RTC_SCTP_HEADER 12
#define RTC_SCTP_CHUNK_HEADER 4

/* RFC 9260, section 3.2; RFC 6525, 3758 and 8260. */
enum
{
  RTC_SCTP_DATA = 0,
  RTC_SCTP_INIT = 1,
  RTC_SCTP_INIT_ACK = 2,
  RTC_SCTP_SACK = 3,
  RTC_SCTP_HEARTBEAT = 4,
  RTC_SCTP_HEARTBEAT_ACK = 5,
  RTC_SCTP_ABORT = 6,
  RTC_SCTP_SHUTDOWN = 7,
  RTC_SCTP_SHUTDOWN_ACK = 8,
  RTC_SCTP_ERROR = 9,
  RTC_SCTP_COOKIE_ECHO = 10,
  RTC_SCTP_COOKIE_ACK = 11,
  RTC_SCTP_SHUTDOWN_COMPLETE = 14,
  RTC_SCTP_I_DATA = 64,
  RTC_SCTP_RE_CONFIG = 130,
  RTC_SCTP_FORWARD_TSN = 192,
  RTC_SCTP_I_FORWARD_TSN = 194,
};

/* Flags of data. */
#define RTC_SCTP_END 1
#define RTC_SCTP_BEGIN 2
#define RTC_SCTP_UNORDERED 4
#define RTC_SCTP_IMMEDIATELY 8 /* RFC 7053 */

/* Serial numbers (RFC 1982): whether A comes before B. */
static inline gboolean
rtc_sctp_before (guint32 a, guint32 b)
{
  return (gint32)(a - b) < 0;
}

typedef enum
{
  RTC_SCTP_CLOSED,
  RTC_SCTP_COOKIE_WAIT,
  RTC_SCTP_COOKIE_ECHOED,
  RTC_SCTP_ESTABLISHED,
  RTC_SCTP_OVER,
} RtcSctpState;

/* Sending. */

/* A message of which parts are on their way; shared by its chunks, and by its stream until it is complete. */
typedef struct
{
  guint n_refs;
  guint16 stream;
  gboolean unordered, is_abandoned;
  guint32 number; /* MID, or SSN in its low bits */
  guint32 ppid, next_fragment;
  guint32 first_tsn, last_tsn;
  gint max_retransmits;
  gint64 expires;
} RtcSctpOutgoing;

typedef enum
{
  RTC_SCTP_WAITING, /* not sent yet */
  RTC_SCTP_FLYING,
  RTC_SCTP_LOST, /* to be sent again */
  RTC_SCTP_ACKED, /* but what was before it is not */
  RTC_SCTP_ABANDONED,
} RtcSctpChunkState;

typedef struct
{
  RtcSctpOutgoing *message;
  GBytes *bytes;
  gsize offset;
  guint16 size, n_sent;
  guint8 flags, state;
  guint32 fragment; /* FSN */
  guint32 packet; /* number of the packet that had it the last time */
  gint64 sent_at, first_sent_at; /* the last time, and the first */
  guint32 before, after; /* TSNs: its neighbours among those that are flying, in the order in which they were sent */
} RtcSctpChunk;

/* How much may be on its way, and how fast: rtcsctppace.c. */
typedef struct
{
  gsize window, goal; /* bytes; while the goal is less, two packets have to arrive for each that goes */
  gboolean is_starting; /* it doubles each round trip */
  gboolean is_full; /* more would have been sent in this round if the window were wider */

  /* a round: until something is acknowledged that was sent after it began */
  guint32 round_end; /* packet: the last one that was sent before */
  gint64 round_at; /* when it began: it lasts a millisecond at least */
  gint64 least; /* round trip of this round; -1: none */

  /* the way without a queue: the least round trip of this and of the last period */
  gint64 base, next_base; /* -1: not known */
  gint64 period_end;
  gint64 base_seen; /* when the least was seen, or nearly */
  gsize kept; /* window, while a narrow one lets the queue run dry; 0: it is not */
  guint kept_rounds;
  guint held_rounds; /* what is known of the queue is of a narrower window: it does not grow */

  gsize floor; /* the least window on a near way */
  gint64 tried; /* round trip before a wider one was tried; 0: none is being tried */
  guint tried_rounds; /* that are still to come */
  gint64 try_at; /* not before */

  /* chunks, until there are enough to say how many are lost */
  guint n_acked, n_lost, n_rounds;
  guint usual_loss; /* of a thousand: what is lost however little is sent */
  gint64 usual_until;
  guint tested_loss; /* of a thousand: with the window that it had before; 0: that is not being tried */
  gsize tested_window;
  gboolean tested_start; /* it was starting */
  gsize ceiling; /* a window that was too wide; 0: none is known */
  guint skipped; /* rounds until what is lost is of the narrow window */

  /* bytes that may go at once */
  gint64 budget, budget_at;
  gint64 at; /* when there will be more; -1: nothing waits for that */
} RtcSctpPace;

typedef enum
{
  RTC_SCTP_STREAM_OPEN,
  RTC_SCTP_STREAM_RESET_WANTED,
  RTC_SCTP_STREAM_RESET_SENT,
} RtcSctpStreamState;

typedef struct
{
  guint32 next_ordered, next_unordered; /* numbers of messages */
  guint n_chunks; /* not acknowledged */
  RtcSctpOutgoing *open; /* of which more is to come; NULL: none */
  RtcSctpStreamState state;
} RtcSctpOutStream;

/* Receiving. */

typedef struct
{
  guint32 fragment; /* FSN; TSN without interleaving */
  guint8 flags;
  GBytes *bytes;
} RtcSctpFragment;

/* A message of which parts came. */
typedef struct
{
  guint32 number; /* MID or SSN */
  guint32 ppid;
  gboolean is_begun, is_complete, is_too_large;
  guint32 next_fragment; /* that ASSEMBLED wants; when begun */
  GByteArray *assembled; /* NULL while it has but one fragment, and when it is too large */
  GBytes *only; /* that one */
  GArray *later; /* of RtcSctpFragment, in their order; NULL: none */
} RtcSctpIncoming;

typedef struct
{
  guint32 next_ordered;
  GPtrArray *ordered; /* of RtcSctpIncoming, in their order */
  GPtrArray *unordered; /* with I-DATA in no order; without, those that are begun */
  GArray *strays; /* of RtcSctpFragment: unordered DATA whose beginning is missing, in their order */
} RtcSctpInStream;

/* TSNs beyond the cumulative one that can come: as many as 4 MiB have, even if they are small. */
#define RTC_SCTP_TSN_WINDOW 16384
#define RTC_SCTP_MAX_REPEATED 16

struct _RtcSctp
{
  RtcSctpConfig config;
  const RtcSctpEvents *events;
  gpointer user_data;
  RtcSctpState state;
  RtcSctpStats stats;
  guint32 tag, peer_tag; /* verification tags: of packets to us, and to the peer */
  gboolean knows_peer; /* what its INIT or INIT ACK says was taken over */
  gboolean can_abandon, can_reset, interleaving; /* both sides can */
  guint n_out, n_in; /* streams */
  GByteArray *control; /* chunks that go out with the next packet */
  gboolean abort_wanted;

  /* T1: the handshake */
  GBytes *cookie; /* the peer's */
  gint64 t1_at, t1_delay;
  guint t1_count;

  /* what is sent: ring[tsn & ring_mask] for first_tsn <= tsn < next_tsn */
  RtcSctpChunk *ring;
  guint32 ring_mask;
  guint32 initial_tsn, first_tsn, unsent_tsn, next_tsn;
  guint32 forward_tsn; /* the peer need not wait for anything up to here */
  gboolean forward_wanted;
  RtcSctpOutStream **out; /* [n_out]; NULL: not used yet */
  guint32 packet; /* number of the last packet with data */
  guint n_lost;
  guint32 lost_tsn; /* none before it is lost */
  guint n_flying;
  guint32 flying_first, flying_last; /* TSNs */
  gsize flight, waiting; /* bytes */
  gsize peer_window, peer_buffer; /* the second: what it was at the beginning */
  gboolean peer_is_full; /* it said that it takes nothing; what is sent asks whether it does again */

  /* what was lost, and when to send it again (RFC 8985 and 9002 in the terms of RFC 9260) */
  gboolean any_acked;
  guint32 newest_acked; /* packet */
  guint32 highest_acked; /* TSN; the peer keeps room for what is missing before it */
  guint patience; /* eighths of a round trip that a packet may be late; 1 where they keep their order */
  guint32 patient_until; /* packet from which on one eighth less will do */
  gint64 loss_at; /* the oldest that is flying counts as lost; -1: never */
  gint64 round_trip, variation, timeout; /* the first two: 0: not known */
  gint64 t3_at;
  gboolean backed_off; /* the timeout was doubled, and no way was measured since then (Karn's algorithm) */
  guint n_timeouts; /* in a row, with nothing acknowledged */
  guint n_silent; /* in a row, with nothing heard */

  RtcSctpPace pace;

  /* what comes */
  guint32 seen_tsn; /* all up to here came, or need not */
  guint32 highest_tsn;
  guint64 *seen; /* bits of RTC_SCTP_TSN_WINDOW, at tsn modulo that */
  guint32 repeated[RTC_SCTP_MAX_REPEATED];
  guint n_repeated;
  RtcSctpInStream **in; /* [n_in] */
  gsize held; /* bytes that cannot be delivered, but for the beginnings of messages */
  gsize assembled; /* and those */
  gsize unread; /* that were delivered, and are kept */
  gsize told_window; /* what the peer knows */
  guint n_refused; /* chunks that asked for the window since there is none */
  guint n_unacked; /* packets with data since the last SACK */
  gboolean sack_now;
  gint64 sack_at;

  /* streams begun anew */
  guint32 request_number, next_peer_request;
  GArray *requested; /* guint16: streams of the request that is on its way; NULL: none */
  guint32 request_tsn;
  gint64 request_at, request_delay;
  gboolean request_wanted, resets_wanted;
  guint last_result; /* of the peer's last request */
  GBytes *deferred; /* the peer's request, until what was sent before it came */
};

/* rtcsctp.c */
void rtc_sctp_fail (RtcSctp *self, const gchar *reason);

/* rtcsctpwrite.c: chunks, with their padding */
guint8 *rtc_sctp_add_chunk (GByteArray *to, guint type, guint flags, gsize size);
/* One packet, whose checksum is written. SIZE has room for it in front of DATA's chunks. */
void rtc_sctp_transmit (RtcSctp *self, guint8 *packet, gsize size, guint32 tag);
guint32 rtc_sctp_crc32c (const guint8 *data, gsize size);
guint32 rtc_sctp_crc32c_by_table (const guint8 *data, gsize size); /* where the CPU has no instruction for it */

/* rtcsctphandshake.c */
void rtc_sctp_send_init (RtcSctp *self, gint64 now);
void rtc_sctp_take_init (RtcSctp *self, const guint8 *chunk, gsize size);
void rtc_sctp_take_init_ack (RtcSctp *self, const guint8 *chunk, gsize size, gint64 now);
void rtc_sctp_take_cookie_echo (RtcSctp *self, const guint8 *chunk, gsize size);
void rtc_sctp_take_cookie_ack (RtcSctp *self);
void rtc_sctp_tick_handshake (RtcSctp *self, gint64 now);

/* rtcsctpsend.c */
RtcSctpChunk *rtc_sctp_get_chunk (RtcSctp *self, guint32 tsn);
/* Writes data that may go now, from AT on. Returns where it ends. */
gsize rtc_sctp_write_data (RtcSctp *self, guint8 *packet, gsize at, gint64 now);
void rtc_sctp_tick_data (RtcSctp *self, gint64 now);
/* It is not on its way any more. */
void rtc_sctp_landed (RtcSctp *self, guint32 tsn);
void rtc_sctp_free_sending (RtcSctp *self);

/* rtcsctppace.c */
void rtc_sctp_pace_init (RtcSctp *self);
/* Of a chunk that was sent once and is acknowledged now. */
void rtc_sctp_pace_measure (RtcSctp *self, gint64 round_trip, gint64 now);
/* A SACK was taken, that acknowledges so many new BYTES. */
void rtc_sctp_pace_acked (RtcSctp *self, gsize bytes, gint64 now);
/* Nothing has come through for long. */
void rtc_sctp_pace_collapse (RtcSctp *self);
/* Bytes that may go now, besides those that are on their way. */
gsize rtc_sctp_pace_get_room (RtcSctp *self, gint64 now);
/* Whether a chunk may; else it will be told when. */
gboolean rtc_sctp_pace_may_send (RtcSctp *self, gint64 now);
void rtc_sctp_pace_sent (RtcSctp *self, gsize size, gint64 now);

/* rtcsctpack.c */
void rtc_sctp_take_sack (RtcSctp *self, const guint8 *chunk, gsize size, gint64 now);
/* It was flying. */
void rtc_sctp_mark_lost (RtcSctp *self, guint32 tsn, gint64 now);
/* Those that something overtook that was sent later. */
void rtc_sctp_find_lost (RtcSctp *self, gint64 now);
gboolean rtc_sctp_abandon_if_due (RtcSctp *self, RtcSctpChunk *chunk, gint64 now);
void rtc_sctp_update_forward (RtcSctp *self);
void rtc_sctp_add_forward (RtcSctp *self);
void rtc_sctp_outgoing_unref (RtcSctpOutgoing *message);

/* rtcsctpreceive.c */
void rtc_sctp_take_data (RtcSctp *self, guint type, guint flags, const guint8 *chunk, gsize size);
void rtc_sctp_take_forward (RtcSctp *self, guint type, const guint8 *chunk, gsize size);
void rtc_sctp_add_sack (RtcSctp *self);
void rtc_sctp_free_receiving (RtcSctp *self);

/* rtcsctpassemble.c */
RtcSctpInStream *rtc_sctp_in_stream (RtcSctp *self, guint16 stream);
void rtc_sctp_in_stream_free (RtcSctp *self, RtcSctpInStream *stream);
void rtc_sctp_assemble (
    RtcSctp *self, guint16 id, gboolean unordered, guint32 number, guint32 ppid, const RtcSctpFragment *fragment);
/* What was given up: ordered messages up to NUMBER, or an unordered one. */
void rtc_sctp_skip (RtcSctp *self, guint16 id, gboolean unordered, guint32 number);
/* Unordered DATA up to TSN. */
void rtc_sctp_skip_strays (RtcSctp *self, guint32 tsn);

/* rtcsctpreset.c */
void rtc_sctp_take_reconfig (RtcSctp *self, const guint8 *chunk, gsize size);
/* What came lets a deferred request of the peer come into force. */
void rtc_sctp_take_deferred (RtcSctp *self);
void rtc_sctp_add_requests (RtcSctp *self, gint64 now);
void rtc_sctp_tick_reset (RtcSctp *self, gint64 now);

G_END_DECLS
