/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

/* Which numbers came, and what the peer is told of that (RFC 9260, 6.2); what it gives up (RFC 3758, 8260). */

#define MAX_GAPS 200
/* A window below this is as good as none. */
#define SMALL_WINDOW (4 * RTC_SCTP_MTU)
/* Beginnings of messages, in sum: their ends may be late. */
#define MAX_ASSEMBLED_SIZES 4
/* What of those counts in the window: not all, since a message may be longer than the buffer. */
#define MAX_COUNTED_ASSEMBLED (RTC_SCTP_BUFFER / 4)
/* Of chunks that ask for the window one in so many is taken: other implementations give a peer up that never takes
 * any, and they ask more and more rarely. */
#define TAKE_REFUSED 8

static gboolean
was_seen (RtcSctp *self, guint32 tsn)
{
  guint32 bit = tsn % RTC_SCTP_TSN_WINDOW;

  return (self->seen[bit / 64] >> bit % 64) & 1;
}

static void
set_seen (RtcSctp *self, guint32 tsn, gboolean seen)
{
  guint32 bit = tsn % RTC_SCTP_TSN_WINDOW;
  guint64 mask = G_GUINT64_CONSTANT (1) << bit % 64;

  if (seen)
    self->seen[bit / 64] |= mask;
  else
    self->seen[bit / 64] &= ~mask;
}

/* Goes on to the next that is missing. */
static void
advance (RtcSctp *self)
{
  while (rtc_sctp_before (self->seen_tsn, self->highest_tsn) && was_seen (self, self->seen_tsn + 1))
    set_seen (self, ++self->seen_tsn, FALSE);
}

/* Whether there is no room for it: it is lost for now. What fills a gap always has some, since it lets go of what waits
 * for it. */
static gboolean
must_refuse (RtcSctp *self, guint32 tsn, gint32 ahead)
{
  if (self->held + self->unread < RTC_SCTP_BUFFER)
    return FALSE;
  if (ahead > 1)
    return self->held >= RTC_SCTP_BUFFER || rtc_sctp_before (self->highest_tsn, tsn);
  return self->unread >= RTC_SCTP_BUFFER && rtc_sctp_before (self->highest_tsn, tsn)
      && ++self->n_refused % TAKE_REFUSED != 0;
}

/* FALSE: it came before, or is out of all bounds. */
static gboolean
note (RtcSctp *self, guint32 tsn)
{
  gint32 ahead = tsn - self->seen_tsn;

  if (ahead <= 0 || (ahead < RTC_SCTP_TSN_WINDOW && was_seen (self, tsn))) {
    self->stats.chunks_repeated++;
    if (self->n_repeated < RTC_SCTP_MAX_REPEATED)
      self->repeated[self->n_repeated++] = tsn;
    self->sack_now = TRUE;
    return FALSE;
  }
  if (ahead >= RTC_SCTP_TSN_WINDOW)
    return FALSE;
  if (must_refuse (self, tsn, ahead)) {
    self->sack_now = TRUE;
    return FALSE;
  }
  set_seen (self, tsn, TRUE);
  if (rtc_sctp_before (self->highest_tsn, tsn))
    self->highest_tsn = tsn;
  /* A gap, or the end of one. */
  if (ahead > 1 || self->seen_tsn + 1 != self->highest_tsn)
    self->sack_now = TRUE;
  advance (self);
  return TRUE;
}

void
rtc_sctp_take_data (RtcSctp *self, guint type, guint flags, const guint8 *chunk, gsize size)
{
  gboolean interleaved = type == RTC_SCTP_I_DATA;
  gsize header = interleaved ? 16 : 12;
  gboolean unordered = (flags & RTC_SCTP_UNORDERED) != 0;
  RtcSctpFragment fragment = {.flags = flags};
  guint16 stream;
  guint32 tsn, number, ppid;

  if (!self->knows_peer || self->state < RTC_SCTP_COOKIE_ECHOED)
    return;
  if (interleaved != self->interleaving || size <= header) {
    rtc_sctp_fail (self, "the peer sent data in a form that was not agreed on, or without any bytes");
    return;
  }
  tsn = rtc_get_u32 (chunk);
  stream = rtc_get_u16 (chunk + 4);
  self->sack_now |= (flags & RTC_SCTP_IMMEDIATELY) != 0;
  self->stats.chunks_received++;
  if (!note (self, tsn) || stream >= self->n_in)
    return;
  if (interleaved) {
    number = rtc_get_u32 (chunk + 8);
    ppid = flags & RTC_SCTP_BEGIN ? rtc_get_u32 (chunk + 12) : 0;
    fragment.fragment = flags & RTC_SCTP_BEGIN ? 0 : rtc_get_u32 (chunk + 12);
  } else {
    number = rtc_get_u16 (chunk + 6);
    ppid = rtc_get_u32 (chunk + 8);
    fragment.fragment = tsn;
  }
  fragment.bytes = g_bytes_new (chunk + header, size - header);
  rtc_sctp_assemble (self, stream, unordered, number, ppid, &fragment);
  g_bytes_unref (fragment.bytes);
  if (self->state != RTC_SCTP_OVER && self->assembled > MAX_ASSEMBLED_SIZES * self->config.max_message_size)
    rtc_sctp_fail (self, "the peer began many long messages, and ended none");
}

void
rtc_sctp_take_forward (RtcSctp *self, guint type, const guint8 *chunk, gsize size)
{
  gboolean interleaved = type == RTC_SCTP_I_FORWARD_TSN;
  gsize each = interleaved ? 8 : 4;
  guint32 tsn;

  if (size < 4 || !self->knows_peer || self->state < RTC_SCTP_COOKIE_ECHOED || interleaved != self->interleaving)
    return;
  tsn = rtc_get_u32 (chunk);
  self->sack_now = TRUE;
  if (!rtc_sctp_before (self->seen_tsn, tsn) || tsn - self->seen_tsn >= RTC_SCTP_TSN_WINDOW)
    return;
  while (self->seen_tsn != tsn)
    set_seen (self, ++self->seen_tsn, FALSE);
  if (rtc_sctp_before (self->highest_tsn, tsn))
    self->highest_tsn = tsn;
  advance (self);
  if (!interleaved)
    rtc_sctp_skip_strays (self, tsn);
  for (gsize at = 4; size - at >= each && self->state != RTC_SCTP_OVER; at += each) {
    guint16 stream = rtc_get_u16 (chunk + at);

    if (stream >= self->n_in)
      continue;
    if (interleaved)
      rtc_sctp_skip (self, stream, chunk[at + 3] & 1, rtc_get_u32 (chunk + at + 4));
    else
      rtc_sctp_skip (self, stream, FALSE, rtc_get_u16 (chunk + at + 2));
  }
}

/* Below the lowest bit that is set; there is one. */
static guint
count_zeros (guint64 word)
{
#ifdef __GNUC__
  return __builtin_ctzll (word);
#else
  guint n = 0;

  for (; !(word & 1); word >>= 1)
    n++;
  return n;
#endif
}

/* The first from TSN on that was SEEN (or was not); the one after the highest if there is none. 64 at a time: a way
 * that is long and loses has thousands in between. */
static guint32
find_next (RtcSctp *self, guint32 tsn, gboolean seen)
{
  while (!rtc_sctp_before (self->highest_tsn, tsn)) {
    guint32 bit = tsn % RTC_SCTP_TSN_WINDOW;
    guint64 word = (seen ? self->seen[bit / 64] : ~self->seen[bit / 64]) >> bit % 64;

    if (word != 0) {
      tsn += count_zeros (word);
      break;
    }
    tsn += 64 - bit % 64;
  }
  return rtc_sctp_before (self->highest_tsn, tsn) ? self->highest_tsn + 1 : tsn;
}

/* Runs of numbers that came beyond the first that is missing. */
static guint
find_gaps (RtcSctp *self, guint16 gaps[][2])
{
  guint32 tsn = self->seen_tsn + 1;
  guint n = 0;

  while (n < MAX_GAPS) {
    guint32 first = find_next (self, tsn, TRUE);

    if (rtc_sctp_before (self->highest_tsn, first))
      break;
    tsn = find_next (self, first, FALSE);
    gaps[n][0] = first - self->seen_tsn;
    gaps[n][1] = tsn - 1 - self->seen_tsn;
    n++;
  }
  return n;
}

static gsize
get_window (RtcSctp *self)
{
  gsize used = self->held + self->unread + MIN (self->assembled, MAX_COUNTED_ASSEMBLED);
  gsize window = RTC_SCTP_BUFFER - MIN (used, RTC_SCTP_BUFFER);

  return window < SMALL_WINDOW ? 0 : window;
}

void
rtc_sctp_set_unread (RtcSctp *self, gsize bytes)
{
  self->unread = bytes;
  if (bytes < RTC_SCTP_BUFFER)
    self->n_refused = 0;
  /* Not for each message, but before the peer has used up what it knows of. */
  if (self->state == RTC_SCTP_ESTABLISHED && self->told_window < RTC_SCTP_BUFFER / 2
      && get_window (self) >= self->told_window + RTC_SCTP_BUFFER / 4)
    self->sack_now = TRUE;
}

void
rtc_sctp_add_sack (RtcSctp *self)
{
  guint16 gaps[MAX_GAPS][2];
  guint n = self->highest_tsn == self->seen_tsn ? 0 : find_gaps (self, gaps);
  guint8 *chunk = rtc_sctp_add_chunk (self->control, RTC_SCTP_SACK, 0, 12 + 4 * (n + self->n_repeated));

  self->told_window = get_window (self);
  rtc_put_u32 (chunk, self->seen_tsn);
  rtc_put_u32 (chunk + 4, self->told_window);
  rtc_put_u16 (chunk + 8, n);
  rtc_put_u16 (chunk + 10, self->n_repeated);
  for (guint i = 0; i < n; i++) {
    rtc_put_u16 (chunk + 12 + 4 * i, gaps[i][0]);
    rtc_put_u16 (chunk + 14 + 4 * i, gaps[i][1]);
  }
  for (guint i = 0; i < self->n_repeated; i++)
    rtc_put_u32 (chunk + 12 + 4 * (n + i), self->repeated[i]);
  self->n_repeated = self->n_unacked = 0;
  self->sack_now = FALSE;
  self->sack_at = -1;
}

void
rtc_sctp_free_receiving (RtcSctp *self)
{
  for (guint i = 0; self->in && i < self->n_in; i++) {
    if (self->in[i])
      rtc_sctp_in_stream_free (self, self->in[i]);
  }
  g_clear_pointer (&self->in, g_free);
  g_clear_pointer (&self->seen, g_free);
}
