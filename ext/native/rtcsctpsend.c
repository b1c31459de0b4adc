/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

#define DATA_HEADER 16
#define I_DATA_HEADER 20
/* What may wait here besides what may go: a packet of small messages should be full. All else waits above, where
 * something more urgent can overtake it. */
#define SLACK (2 * RTC_SCTP_MTU)
/* What a chunk of a tiny message costs us and the peer's buffer, whatever it has. */
#define MIN_COST 64
#define MIN_RING 64
#define MAX_RING RTC_SCTP_TSN_WINDOW
/* Timers in a row after which all that is on its way counts as lost, and so much may be sent as at the beginning; and
 * after which what the peer said it has counts as lost, too. */
#define COLLAPSE_AFTER 3
#define RENEGED_AFTER 5
#define MAX_TIMEOUT (1000 * RTC_SCTP_MS)
#define MAX_TIMEOUT_FULL (2000 * RTC_SCTP_MS)
#define MAX_TIMEOUT_HEARD (8000 * RTC_SCTP_MS)
#define MAX_SILENT 400

RtcSctpChunk *
rtc_sctp_get_chunk (RtcSctp *self, guint32 tsn)
{
  return &self->ring[tsn & self->ring_mask];
}

void
rtc_sctp_outgoing_unref (RtcSctpOutgoing *message)
{
  if (--message->n_refs == 0)
    g_free (message);
}

gsize
rtc_sctp_get_fragment_size (RtcSctp *self)
{
  return RTC_SCTP_MTU - RTC_SCTP_HEADER - (self->interleaving ? I_DATA_HEADER : DATA_HEADER);
}

gsize
rtc_sctp_get_room (RtcSctp *self, gint64 now)
{
  gsize limit;
  guint n = self->next_tsn - self->first_tsn;

  if (self->state != RTC_SCTP_ESTABLISHED || n >= MAX_RING - 1)
    return 0;
  limit = MIN (rtc_sctp_pace_get_room (self, now), self->peer_window) + SLACK;
  limit = limit > self->waiting ? limit - self->waiting : 0;
  return MIN (limit, (MAX_RING - 1 - n) * MIN_COST);
}

/* Handing over. */

static void
make_room (RtcSctp *self)
{
  guint32 n = self->next_tsn - self->first_tsn, old = self->ring_mask;
  RtcSctpChunk *ring;
  guint size = self->ring ? 2 * (old + 1) : MIN_RING;

  if (self->ring && n <= old)
    return;
  ring = g_new0 (RtcSctpChunk, size);
  for (guint32 tsn = self->first_tsn; tsn != self->next_tsn; tsn++)
    ring[tsn & (size - 1)] = self->ring[tsn & old];
  g_free (self->ring);
  self->ring = ring;
  self->ring_mask = size - 1;
}

static RtcSctpOutgoing *
begin_message (RtcSctp *self, RtcSctpOutStream *stream, const RtcSctpMessage *message)
{
  RtcSctpOutgoing *outgoing = g_new0 (RtcSctpOutgoing, 1);

  outgoing->n_refs = 1;
  outgoing->stream = message->stream;
  outgoing->unordered = message->unordered;
  outgoing->ppid = message->ppid;
  outgoing->max_retransmits = self->can_abandon ? message->max_retransmits : -1;
  outgoing->expires = self->can_abandon ? message->expires : -1;
  outgoing->number = message->unordered ? stream->next_unordered++ : stream->next_ordered++;
  outgoing->first_tsn = self->next_tsn;
  return outgoing;
}

static void
add_chunk (RtcSctp *self, RtcSctpOutgoing *message, GBytes *bytes, gsize offset, gsize size, guint8 flags)
{
  RtcSctpChunk *chunk;

  make_room (self);
  chunk = rtc_sctp_get_chunk (self, self->next_tsn);
  memset (chunk, 0, sizeof (*chunk));
  message->n_refs++;
  message->last_tsn = self->next_tsn;
  chunk->message = message;
  chunk->bytes = g_bytes_ref (bytes);
  chunk->offset = offset;
  chunk->size = size;
  chunk->flags = flags | (message->unordered ? RTC_SCTP_UNORDERED : 0);
  chunk->fragment = message->next_fragment++;
  chunk->state = RTC_SCTP_WAITING;
  self->waiting += size;
  self->out[message->stream]->n_chunks++;
  self->next_tsn++;
}

gssize
rtc_sctp_send (RtcSctp *self, const RtcSctpMessage *message, GBytes *bytes, gsize offset, gsize size, gboolean is_last)
{
  gsize fragment = rtc_sctp_get_fragment_size (self), end = offset + size;
  RtcSctpOutStream *stream;
  RtcSctpOutgoing *outgoing;

  if (self->state != RTC_SCTP_ESTABLISHED || message->stream >= self->n_out)
    return -1;
  if (!self->out[message->stream])
    self->out[message->stream] = g_new0 (RtcSctpOutStream, 1);
  stream = self->out[message->stream];
  if (stream->state != RTC_SCTP_STREAM_OPEN && !stream->open)
    return 0;
  if (!is_last)
    size -= size % fragment;
  end = offset + size;
  if (size == 0)
    return 0;
  if (!stream->open)
    stream->open = begin_message (self, stream, message);
  outgoing = stream->open;
  while (offset < end && !outgoing->is_abandoned) {
    gsize n = MIN (fragment, end - offset);
    guint8 flags = (outgoing->next_fragment == 0 ? RTC_SCTP_BEGIN : 0);

    if (is_last && offset + n == end)
      flags |= RTC_SCTP_END;
    add_chunk (self, outgoing, bytes, offset, n, flags);
    offset += n;
  }
  if (is_last) {
    stream->open = NULL;
    rtc_sctp_outgoing_unref (outgoing);
  }
  return size;
}

/* Going out. */

static gsize
write_chunk (RtcSctp *self, RtcSctpChunk *chunk, guint32 tsn, guint8 *to)
{
  const RtcSctpOutgoing *message = chunk->message;
  gsize header = self->interleaving ? I_DATA_HEADER : DATA_HEADER, size = header + chunk->size;

  to[0] = self->interleaving ? RTC_SCTP_I_DATA : RTC_SCTP_DATA;
  to[1] = chunk->flags;
  rtc_put_u16 (to + 2, size);
  rtc_put_u32 (to + 4, tsn);
  rtc_put_u16 (to + 8, message->stream);
  if (self->interleaving) {
    rtc_put_u16 (to + 10, 0);
    rtc_put_u32 (to + 12, message->number);
    rtc_put_u32 (to + 16, chunk->flags & RTC_SCTP_BEGIN ? message->ppid : chunk->fragment);
  } else {
    rtc_put_u16 (to + 10, message->unordered ? 0 : message->number);
    rtc_put_u32 (to + 12, message->ppid);
  }
  memcpy (to + header, (const guint8 *)g_bytes_get_data (chunk->bytes, NULL) + chunk->offset, chunk->size);
  while (size & 3)
    to[size++] = 0;
  return size;
}

/* Whether the peer has room for SIZE more bytes. One packet always may go: it asks for the window (RFC 9260, 6.1). */
static gboolean
may_send (RtcSctp *self, guint32 tsn, gsize size, gint64 now)
{
  gboolean is_missing = rtc_sctp_before (tsn, self->highest_acked);

  return (self->flight == 0 || is_missing || size <= self->peer_window) && rtc_sctp_pace_may_send (self, now);
}

static void
took_off (RtcSctp *self, RtcSctpChunk *chunk, guint32 tsn)
{
  self->flight += chunk->size;
  chunk->state = RTC_SCTP_FLYING;
  chunk->before = self->flying_last;
  if (self->n_flying++ > 0)
    rtc_sctp_get_chunk (self, self->flying_last)->after = tsn;
  else
    self->flying_first = tsn;
  self->flying_last = tsn;
}

void
rtc_sctp_landed (RtcSctp *self, guint32 tsn)
{
  RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

  self->flight -= chunk->size;
  self->n_flying--;
  if (tsn == self->flying_first)
    self->flying_first = chunk->after;
  else
    rtc_sctp_get_chunk (self, chunk->before)->after = chunk->after;
  if (tsn == self->flying_last)
    self->flying_last = chunk->before;
  else
    rtc_sctp_get_chunk (self, chunk->after)->before = chunk->before;
}

static void
sent (RtcSctp *self, guint32 tsn, gint64 now)
{
  RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

  took_off (self, chunk, tsn);
  rtc_sctp_pace_sent (self, chunk->size, now);
  self->peer_window -= MIN (self->peer_window, chunk->size);
  self->stats.chunks_sent++;
  self->stats.chunks_resent += chunk->n_sent > 0;
  if (chunk->n_sent++ == 0)
    chunk->first_sent_at = now;
  chunk->sent_at = now;
  chunk->packet = self->packet;
  if (self->t3_at < 0)
    self->t3_at = now + self->timeout;
}

static gsize
room_for (RtcSctp *self, const RtcSctpChunk *chunk)
{
  return ((self->interleaving ? I_DATA_HEADER : DATA_HEADER) + chunk->size + 3) & ~(gsize)3;
}

/* Those that were lost go first. */
static gsize
write_lost (RtcSctp *self, guint8 *packet, gsize at, gint64 now)
{
  if (rtc_sctp_before (self->lost_tsn, self->first_tsn))
    self->lost_tsn = self->first_tsn;
  for (; self->n_lost > 0 && self->lost_tsn != self->unsent_tsn; self->lost_tsn++) {
    guint32 tsn = self->lost_tsn;
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state != RTC_SCTP_LOST || rtc_sctp_abandon_if_due (self, chunk, now))
      continue;
    if (at + room_for (self, chunk) > RTC_SCTP_MTU || !may_send (self, tsn, chunk->size, now))
      break;
    self->n_lost--;
    chunk->flags |= RTC_SCTP_IMMEDIATELY;
    at += write_chunk (self, chunk, tsn, packet + at);
    sent (self, tsn, now);
  }
  return at;
}

gsize
rtc_sctp_write_data (RtcSctp *self, guint8 *packet, gsize at, gint64 now)
{
  if (self->state != RTC_SCTP_ESTABLISHED)
    return at;
  self->packet++;
  at = write_lost (self, packet, at, now);
  if (self->n_lost > 0)
    return at;
  while (self->unsent_tsn != self->next_tsn) {
    guint32 tsn = self->unsent_tsn;
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state == RTC_SCTP_WAITING && !rtc_sctp_abandon_if_due (self, chunk, now)) {
      if (at + room_for (self, chunk) > RTC_SCTP_MTU || !may_send (self, tsn, chunk->size, now))
        break;
      self->waiting -= chunk->size;
      /* The last for now: its acknowledgement makes room, and tells how long the way is. */
      if (tsn + 1 == self->next_tsn)
        chunk->flags |= RTC_SCTP_IMMEDIATELY;
      at += write_chunk (self, chunk, tsn, packet + at);
      sent (self, tsn, now);
    }
    self->unsent_tsn++;
  }
  return at;
}

/* Nothing comes through: begin from anew. */
static void
collapse (RtcSctp *self, gint64 now)
{
  /* Nothing is known of the path if the peer refused what came. */
  if (!self->peer_is_full)
    rtc_sctp_pace_collapse (self);
  while (self->n_flying > 0)
    rtc_sctp_mark_lost (self, self->flying_first, now);
  if (self->n_timeouts < RENEGED_AFTER)
    return;
  for (guint32 tsn = self->first_tsn; tsn != self->unsent_tsn; tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state != RTC_SCTP_ACKED || !chunk->bytes)
      continue;
    chunk->state = RTC_SCTP_LOST;
    self->n_lost++;
  }
  self->lost_tsn = self->first_tsn;
}

/* T3: nothing was acknowledged for too long. RFC 9260 (6.3.3) takes all for lost then; most often it is the last packet
 * of a burst, or its acknowledgement. So one goes out again, and what comes back says what else is missing (the probes
 * of RFC 8985, section 7, and RFC 9002, 6.2). */
static void
tick_timeout (RtcSctp *self, gint64 now)
{
  gint64 longest;

  if (self->t3_at < 0 || now < self->t3_at)
    return;
  self->t3_at = -1;
  self->n_timeouts++;
  if (++self->n_silent > MAX_SILENT) {
    rtc_sctp_fail (self, "the peer acknowledges nothing any more");
    return;
  }
  /* While the peer is heard it is the way that is slow, and what is sent again makes it slower. */
  if (self->peer_is_full)
    longest = MAX_TIMEOUT_FULL;
  else
    longest = self->n_silent > 1 ? MAX_TIMEOUT : MAX_TIMEOUT_HEARD;
  self->timeout = MAX (self->timeout, MIN (2 * self->timeout, longest));
  self->backed_off = TRUE;
  if (self->n_timeouts >= COLLAPSE_AFTER || self->peer_is_full)
    collapse (self, now);
  else if (self->n_flying > 0)
    rtc_sctp_mark_lost (self, self->flying_first, now);
  self->forward_wanted = rtc_sctp_before (self->first_tsn - 1, self->forward_tsn);
  /* What waits for a pace must not stay without a timer. */
  self->t3_at = now + self->timeout;
}

void
rtc_sctp_tick_data (RtcSctp *self, gint64 now)
{
  if (self->loss_at >= 0 && now >= self->loss_at)
    rtc_sctp_find_lost (self, now);
  tick_timeout (self, now);
}

void
rtc_sctp_free_sending (RtcSctp *self)
{
  for (guint32 tsn = self->first_tsn; self->ring && tsn != self->next_tsn; tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    g_clear_pointer (&chunk->bytes, g_bytes_unref);
    rtc_sctp_outgoing_unref (chunk->message);
  }
  g_clear_pointer (&self->ring, g_free);
  for (guint i = 0; self->out && i < self->n_out; i++) {
    if (self->out[i] && self->out[i]->open)
      rtc_sctp_outgoing_unref (self->out[i]->open);
    g_free (self->out[i]);
  }
  g_clear_pointer (&self->out, g_free);
}
