/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

/* What the peer acknowledges: which chunks are gone (RFC 9260, 6.2.1 and 7.2.4), how fast to go on (7.2), how long the
 * way is (6.3), and what it need not wait for any more (RFC 3758). */

#define MISSING_REPORTS 3
#define MIN_TIMEOUT (120 * RTC_SCTP_MS)
#define MAX_TIMEOUT (2000 * RTC_SCTP_MS)
#define MIN_WINDOW (4 * RTC_SCTP_MTU)

/* What one SACK brings about. */
typedef struct
{
  gsize acked; /* bytes, new */
  guint32 newest; /* order of the chunk that was sent last, of those that are acknowledged now */
  gboolean any, lost;
  gint64 round_trip; /* -1: none to be had */
} Result;

/* Giving up. */

static void
release (RtcSctp *self, RtcSctpChunk *chunk)
{
  g_clear_pointer (&chunk->bytes, g_bytes_unref);
}

static void
abandon (RtcSctp *self, RtcSctpOutgoing *message)
{
  message->is_abandoned = TRUE;
  self->stats.messages_abandoned++;
  for (guint32 tsn = message->first_tsn; !rtc_sctp_before (message->last_tsn, tsn); tsn++) {
    RtcSctpChunk *chunk;

    if (rtc_sctp_before (tsn, self->first_tsn))
      continue;
    chunk = rtc_sctp_get_chunk (self, tsn);
    if (chunk->message != message || chunk->state == RTC_SCTP_ACKED)
      continue;
    if (chunk->state == RTC_SCTP_FLYING)
      self->flight -= chunk->size;
    else if (chunk->state == RTC_SCTP_LOST)
      self->n_lost--;
    else if (chunk->state == RTC_SCTP_WAITING)
      self->waiting -= chunk->size;
    chunk->state = RTC_SCTP_ABANDONED;
    release (self, chunk);
  }
}

gboolean
rtc_sctp_abandon_if_due (RtcSctp *self, RtcSctpChunk *chunk, gint64 now)
{
  RtcSctpOutgoing *message = chunk->message;
  gboolean due = message->expires >= 0 && now > message->expires;

  due |= message->max_retransmits >= 0 && chunk->n_sent > message->max_retransmits;
  if (due)
    abandon (self, message);
  return due;
}

void
rtc_sctp_mark_lost (RtcSctp *self, RtcSctpChunk *chunk, gint64 now)
{
  if (rtc_sctp_abandon_if_due (self, chunk, now))
    return;
  self->flight -= chunk->size;
  self->n_lost++;
  chunk->state = RTC_SCTP_LOST;
}

/* The peer may go on up to here: all before was given up, or has come. */
void
rtc_sctp_update_forward (RtcSctp *self)
{
  guint32 tsn = self->first_tsn, forward = self->first_tsn - 1;

  for (; tsn != self->next_tsn; tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state == RTC_SCTP_ABANDONED)
      forward = tsn;
    else if (chunk->state != RTC_SCTP_ACKED)
      break;
  }
  /* Of a number that was never on the wire the peer hears by this only. */
  if (rtc_sctp_before (self->unsent_tsn, forward + 1))
    self->unsent_tsn = forward + 1;
  if (forward == self->first_tsn - 1) {
    self->forward_wanted = FALSE;
    self->forward_tsn = forward;
  } else if (rtc_sctp_before (self->forward_tsn, forward)) {
    self->forward_tsn = forward;
    self->forward_wanted = TRUE;
  }
}

typedef struct
{
  guint16 stream;
  gboolean unordered;
  guint32 number;
} Skipped;

static void
add_skipped (GArray *list, const RtcSctpOutgoing *message, gboolean interleaving)
{
  Skipped skipped = {message->stream, message->unordered, message->number};

  if (message->unordered && !interleaving)
    return;
  for (guint i = 0; i < list->len; i++) {
    Skipped *other = &g_array_index (list, Skipped, i);

    if (other->stream != skipped.stream || other->unordered != skipped.unordered)
      continue;
    if (!skipped.unordered) {
      other->number = skipped.number;
      return;
    }
    if (other->number == skipped.number)
      return;
  }
  g_array_append_val (list, skipped);
}

void
rtc_sctp_add_forward (RtcSctp *self)
{
  gsize each = self->interleaving ? 8 : 4;
  guint limit = (RTC_SCTP_MTU - RTC_SCTP_HEADER - RTC_SCTP_CHUNK_HEADER - 4) / each / 2;
  GArray *list = g_array_new (FALSE, FALSE, sizeof (Skipped));
  guint32 tsn, last = self->first_tsn - 1;
  guint8 *chunk;

  for (tsn = self->first_tsn; !rtc_sctp_before (self->forward_tsn, tsn) && list->len < limit; tsn++) {
    const RtcSctpChunk *given_up = rtc_sctp_get_chunk (self, tsn);

    if (given_up->state == RTC_SCTP_ABANDONED)
      add_skipped (list, given_up->message, self->interleaving);
    last = tsn;
  }
  chunk = rtc_sctp_add_chunk (
      self->control, self->interleaving ? RTC_SCTP_I_FORWARD_TSN : RTC_SCTP_FORWARD_TSN, 0, 4 + each * list->len);
  rtc_put_u32 (chunk, last);
  for (guint i = 0; i < list->len; i++) {
    const Skipped *skipped = &g_array_index (list, Skipped, i);
    guint8 *to = chunk + 4 + each * i;

    rtc_put_u16 (to, skipped->stream);
    if (self->interleaving) {
      rtc_put_u16 (to + 2, skipped->unordered);
      rtc_put_u32 (to + 4, skipped->number);
    } else {
      rtc_put_u16 (to + 2, skipped->number);
    }
  }
  g_array_unref (list);
  self->forward_wanted = FALSE;
}

/* Acknowledgements. */

static void
acked (RtcSctp *self, RtcSctpChunk *chunk, Result *result, gint64 now)
{
  if (chunk->state == RTC_SCTP_FLYING)
    self->flight -= chunk->size;
  else if (chunk->state == RTC_SCTP_LOST)
    self->n_lost--;
  else
    return;
  result->any = TRUE;
  result->acked += chunk->size;
  if (result->newest == 0 || rtc_sctp_before (result->newest, chunk->order)) {
    result->newest = chunk->order;
    /* Of one that was sent twice nobody knows which time it was. */
    result->round_trip = chunk->n_sent == 1 ? now - chunk->sent_at : -1;
  }
  chunk->state = RTC_SCTP_ACKED;
}

static void
take_cumulative (RtcSctp *self, guint32 tsn, Result *result, gint64 now)
{
  for (; !rtc_sctp_before (tsn, self->first_tsn); self->first_tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, self->first_tsn);
    RtcSctpOutStream *stream = self->out[chunk->message->stream];

    acked (self, chunk, result, now);
    release (self, chunk);
    rtc_sctp_outgoing_unref (chunk->message);
    chunk->message = NULL;
    if (--stream->n_chunks == 0 && stream->state == RTC_SCTP_STREAM_RESET_WANTED)
      self->resets_wanted = TRUE;
  }
}

static void
take_gaps (RtcSctp *self, guint32 from, const guint8 *gaps, guint n, Result *result, gint64 now)
{
  for (guint i = 0; i < n; i++) {
    guint32 first = from + rtc_get_u16 (gaps + 4 * i), last = from + rtc_get_u16 (gaps + 4 * i + 2);

    if (rtc_sctp_before (first, self->first_tsn))
      first = self->first_tsn;
    for (guint32 tsn = first; !rtc_sctp_before (last, tsn) && rtc_sctp_before (tsn, self->unsent_tsn); tsn++)
      acked (self, rtc_sctp_get_chunk (self, tsn), result, now);
  }
}

/* What was sent before something that has come is missing. Three such reports are one too many. */
static void
find_missing (RtcSctp *self, Result *result, gint64 now)
{
  for (guint32 tsn = self->first_tsn; tsn != self->unsent_tsn; tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state != RTC_SCTP_FLYING || !rtc_sctp_before (chunk->order, result->newest))
      continue;
    if (++chunk->n_missing < MISSING_REPORTS)
      continue;
    rtc_sctp_mark_lost (self, chunk, now);
    result->lost = TRUE;
  }
}

static void
measure (RtcSctp *self, gint64 round_trip)
{
  if (round_trip < 0)
    return;
  if (self->least_round_trip < 0 || round_trip < self->least_round_trip)
    self->least_round_trip = round_trip;
  if (self->round_trip < 0) {
    self->round_trip = round_trip;
    self->variation = round_trip / 2;
  } else {
    self->variation += (ABS (self->round_trip - round_trip) - self->variation) / 4;
    self->round_trip += (round_trip - self->round_trip) / 8;
  }
  self->timeout = CLAMP (self->round_trip + 4 * self->variation, MIN_TIMEOUT, MAX_TIMEOUT);
}

static void
adapt_window (RtcSctp *self, const Result *result, gboolean advanced)
{
  if (self->is_recovering && !rtc_sctp_before (self->first_tsn - 1, self->recovery_tsn))
    self->is_recovering = FALSE;
  if (result->lost && !self->is_recovering) {
    self->threshold = MAX (self->window / 2, MIN_WINDOW);
    self->window = self->threshold;
    self->partly_acked = 0;
    self->is_recovering = TRUE;
    self->recovery_tsn = self->unsent_tsn - 1;
  }
  if (self->is_recovering || !advanced || !self->is_window_full)
    return;
  if (self->window <= self->threshold) {
    self->window += MIN (result->acked, 2 * RTC_SCTP_MTU);
  } else {
    self->partly_acked += result->acked;
    if (self->partly_acked >= self->window) {
      self->partly_acked -= self->window;
      self->window += RTC_SCTP_MTU;
    }
  }
  self->window = MIN (self->window, RTC_SCTP_BUFFER);
  self->is_window_full = FALSE;
}

/* What was sent while the peer took nothing was thrown away there, if it has had the time to say something else. */
static void
take_window (RtcSctp *self, gsize window, gint64 now)
{
  gboolean was_full = self->peer_is_full;

  self->peer_is_full = window == 0;
  for (guint32 tsn = self->first_tsn; was_full && window > 0 && tsn != self->unsent_tsn; tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

    if (chunk->state == RTC_SCTP_FLYING && chunk->sent_at + self->round_trip < now)
      rtc_sctp_mark_lost (self, chunk, now);
  }
  self->peer_window = window > self->flight ? window - self->flight : 0;
}

void
rtc_sctp_take_sack (RtcSctp *self, const guint8 *chunk, gsize size, gint64 now)
{
  Result result = {.round_trip = -1};
  guint32 tsn;
  guint n_gaps;
  gsize window;
  gboolean advanced;

  if (size < 12 || !self->knows_peer)
    return;
  tsn = rtc_get_u32 (chunk);
  window = rtc_get_u32 (chunk + 4);
  n_gaps = MIN (rtc_get_u16 (chunk + 8), (size - 12) / 4);
  /* Overtaken by a newer one; or of what was never sent. */
  if (rtc_sctp_before (tsn, self->first_tsn - 1) || !rtc_sctp_before (tsn, self->unsent_tsn))
    return;
  advanced = tsn != self->first_tsn - 1;
  take_cumulative (self, tsn, &result, now);
  take_gaps (self, tsn, chunk + 12, n_gaps, &result, now);
  if (result.any)
    find_missing (self, &result, now);
  measure (self, result.round_trip);
  adapt_window (self, &result, advanced);
  take_window (self, window, now);
  rtc_sctp_update_forward (self);
  self->forward_wanted |= rtc_sctp_before (self->first_tsn - 1, self->forward_tsn);
  if (advanced || result.any || self->peer_is_full)
    self->n_timeouts = 0;
  if (self->flight == 0 && self->n_lost == 0 && !self->forward_wanted)
    self->t3_at = -1;
  else if (advanced || result.any)
    self->t3_at = now + self->timeout;
}
