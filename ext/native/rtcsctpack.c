/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

/* What the peer acknowledges: which chunks are gone (RFC 9260, 6.2.1 and 7.2.4), how fast to go on (7.2), how long the
 * way is (6.3), and what it need not wait for any more (RFC 3758). */

/* Packets that may come late, where they keep their order. */
#define MAX_OVERTAKEN 3
/* What a peer may wait before it acknowledges. */
#define PEER_DELAY (20 * RTC_SCTP_MS)
#define MIN_VARIATION (1 * RTC_SCTP_MS)
#define LONGEST_WAY (4000 * RTC_SCTP_MS)
#define MAX_PATIENCE 8
#define PATIENT_PACKETS 1000

/* What one SACK brings about. */
typedef struct
{
  gsize acked; /* bytes, new */
  gboolean any, any_newest;
  guint32 newest; /* packet that was sent last, of those that are acknowledged now; when any_newest */
  gint64 round_trip; /* of that one; -1: none to be had */
  gint64 earlier; /* of one that need not have been sent again; -1: there was none */
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
      rtc_sctp_landed (self, tsn);
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
rtc_sctp_mark_lost (RtcSctp *self, guint32 tsn, gint64 now)
{
  RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

  if (rtc_sctp_abandon_if_due (self, chunk, now))
    return;
  rtc_sctp_landed (self, tsn);
  if (self->n_lost++ == 0 || rtc_sctp_before (tsn, self->lost_tsn))
    self->lost_tsn = tsn;
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

/* Whether an acknowledgement of one that was sent again comes too early to be for that time (RFC 8985, section 6.2,
 * step 2). Else a way that has become slow would never be measured: all that is sent on it is sent again too early, and
 * that makes it slower. */
static gboolean
came_before (RtcSctp *self, const RtcSctpChunk *chunk, gint64 now)
{
  return chunk->n_sent > 1 && self->pace.base > 0 && now - chunk->sent_at < self->pace.base;
}

static void
acked (RtcSctp *self, guint32 tsn, Result *result, gint64 now)
{
  RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);

  if (chunk->state == RTC_SCTP_FLYING)
    rtc_sctp_landed (self, tsn);
  else if (chunk->state == RTC_SCTP_LOST)
    self->n_lost--;
  else
    return;
  self->pace.n_acked++;
  result->acked += chunk->size;
  if (came_before (self, chunk, now)) {
    result->earlier = MAX (result->earlier, now - chunk->first_sent_at);
  } else if (!result->any_newest || rtc_sctp_before (result->newest, chunk->packet)) {
    result->any_newest = TRUE;
    result->newest = chunk->packet;
    /* Of one that was sent twice nobody knows which time it was. */
    result->round_trip = chunk->n_sent == 1 ? now - chunk->sent_at : -1;
  }
  result->any = TRUE;
  chunk->state = RTC_SCTP_ACKED;
}

static void
take_cumulative (RtcSctp *self, guint32 tsn, Result *result, gint64 now)
{
  for (; !rtc_sctp_before (tsn, self->first_tsn); self->first_tsn++) {
    RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, self->first_tsn);
    RtcSctpOutStream *stream = self->out[chunk->message->stream];

    acked (self, self->first_tsn, result, now);
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
      acked (self, tsn, result, now);
    if (rtc_sctp_before (self->highest_acked, last))
      self->highest_acked = last;
  }
}

/* What was sent again had come: packets overtake each other here, so wait longer for those that are late. */
static void
take_repeated (RtcSctp *self, guint n)
{
  if (n > 0 && self->patience < MAX_PATIENCE && !rtc_sctp_before (self->newest_acked, self->patient_until)) {
    self->patience++;
    self->patient_until = self->packet + 1;
  } else if (n == 0 && self->patience > 1
      && !rtc_sctp_before (self->newest_acked, self->patient_until + PATIENT_PACKETS)) {
    self->patience--;
    self->patient_until = self->packet + 1;
  }
}

void
rtc_sctp_find_lost (RtcSctp *self, gint64 now)
{
  gint64 late = self->round_trip + MAX (self->patience * self->round_trip / 8, MIN_VARIATION);

  self->loss_at = -1;
  while (self->any_acked && self->n_flying > 0) {
    guint32 tsn = self->flying_first;
    const RtcSctpChunk *chunk = rtc_sctp_get_chunk (self, tsn);
    gboolean overtaken = self->patience == 1 && self->newest_acked - chunk->packet >= MAX_OVERTAKEN;

    if (!rtc_sctp_before (chunk->packet, self->newest_acked))
      break;
    if (!overtaken && now < chunk->sent_at + late) {
      self->loss_at = chunk->sent_at + late;
      break;
    }
    self->pace.n_lost++;
    rtc_sctp_mark_lost (self, tsn, now);
  }
}

/* RFC 6298, but for the bounds. */
static void
measure (RtcSctp *self, gint64 round_trip, gint64 now)
{
  if (round_trip < 0)
    return;
  self->backed_off = FALSE;
  if (self->round_trip == 0) {
    self->round_trip = MAX (round_trip, 1);
    self->variation = round_trip / 2;
  } else {
    self->variation += (ABS (self->round_trip - round_trip) - self->variation) / 4;
    self->round_trip = MAX (self->round_trip + (round_trip - self->round_trip) / 8, 1);
  }
  rtc_sctp_pace_measure (self, round_trip, now);
}

static void
set_timer (RtcSctp *self, gboolean progress, gint64 now)
{
  if (progress || self->peer_is_full)
    self->n_timeouts = 0;
  /* One that takes nothing is asked more and more rarely. */
  if (progress && self->round_trip > 0 && !self->peer_is_full && !self->backed_off)
    self->timeout = MIN (self->round_trip + MAX (4 * self->variation, MIN_VARIATION) + PEER_DELAY, LONGEST_WAY);
  if (self->flight == 0 && self->n_lost == 0 && !self->forward_wanted)
    self->t3_at = -1;
  else if (progress || self->t3_at < 0)
    self->t3_at = now + self->timeout;
}

/* What was sent while the peer took nothing was thrown away there, if it has had the time to say something else. */
static void
take_window (RtcSctp *self, gsize window, gint64 now)
{
  gboolean was_full = self->peer_is_full;
  gsize used;

  self->peer_is_full = window == 0;
  while (was_full && window > 0 && self->n_flying > 0
      && rtc_sctp_get_chunk (self, self->flying_first)->sent_at + self->round_trip < now)
    rtc_sctp_mark_lost (self, self->flying_first, now);
  /* What is to be sent again needs room there, too. */
  used = self->flight + self->n_lost * rtc_sctp_get_fragment_size (self);
  self->peer_window = window > used ? window - used : 0;
}

void
rtc_sctp_take_sack (RtcSctp *self, const guint8 *chunk, gsize size, gint64 now)
{
  Result result = {.round_trip = -1, .earlier = -1};
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
  self->n_silent = 0;
  if (rtc_sctp_before (self->highest_acked, tsn))
    self->highest_acked = tsn;
  take_cumulative (self, tsn, &result, now);
  take_gaps (self, tsn, chunk + 12, n_gaps, &result, now);
  if (result.any_newest && (!self->any_acked || rtc_sctp_before (self->newest_acked, result.newest))) {
    self->newest_acked = result.newest;
    self->any_acked = TRUE;
  }
  take_repeated (self, rtc_get_u16 (chunk + 10));
  measure (self, result.round_trip >= 0 ? result.round_trip : result.earlier, now);
  rtc_sctp_find_lost (self, now);
  rtc_sctp_pace_acked (self, result.acked, now);
  take_window (self, window, now);
  rtc_sctp_update_forward (self);
  self->forward_wanted |= rtc_sctp_before (self->first_tsn - 1, self->forward_tsn);
  set_timer (self, advanced || result.any, now);
}
