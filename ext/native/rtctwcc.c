/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtctwcc.h"
#include "rtcbytes.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <string.h>

#define INTERVAL (100 * G_TIME_SPAN_MILLISECOND)
#define SHORT_INTERVAL (50 * G_TIME_SPAN_MILLISECOND)
#define MANY_PACKETS 20 /* from so many on SHORT_INTERVAL counts: what is told is small beside them */

#define HEADER_SIZE 20
#define TICK 250 /* microseconds, of a delta */
#define REFERENCE_TICKS 256 /* 64 ms, of a reference time */
#define MAX_RUN 8191
#define BITS_1 14 /* symbols in a vector */
#define BITS_2 7

#define LOST -1

/* Numbers are unwrapped: 64 bits that follow the 16 of the packets. */
struct _RtcTwcc
{
  guint32 sender_ssrc;
  guint32 media_ssrc; /* of the last packet */
  gboolean has_highest;
  gint64 highest;
  gint64 begin; /* of the next report: all before was told. HIGHEST + 1: all was */
  gint64 ticks[RTC_TWCC_WINDOW]; /* when each came, by its number modulo the window; LOST */
  gint64 first_time; /* microseconds, of the first packet that was not told; -1: there is none */
  guint n_pending; /* packets since */
  guint8 count; /* of feedback packets */
  gint stray; /* the number that would confirm a new numbering; -1: none */
};

RtcTwcc *
rtc_twcc_new (guint32 sender_ssrc)
{
  RtcTwcc *self = g_new0 (RtcTwcc, 1);

  self->sender_ssrc = sender_ssrc;
  self->first_time = -1;
  self->stray = -1;
  return self;
}

void
rtc_twcc_free (RtcTwcc *self)
{
  g_free (self);
}

static gint64 *
slot (RtcTwcc *self, gint64 number)
{
  return &self->ticks[number & (RTC_TWCC_WINDOW - 1)];
}

static void
restart (RtcTwcc *self, guint16 seq)
{
  for (guint i = 0; i < RTC_TWCC_WINDOW; i++)
    self->ticks[i] = LOST;
  self->has_highest = TRUE;
  /* Off zero, so that numbers before the first one are positive too. */
  self->highest = self->begin = G_MAXUINT16 + 1 + (gint64)seq;
  self->first_time = -1;
  self->n_pending = 0;
}

static void
advance (RtcTwcc *self, gint64 number)
{
  for (gint64 gap = MAX (self->highest + 1, number - RTC_TWCC_WINDOW + 1); gap <= number; gap++)
    *slot (self, gap) = LOST;
  self->highest = number;
  self->begin = MAX (self->begin, number - RTC_TWCC_WINDOW + 1);
}

void
rtc_twcc_take (RtcTwcc *self, guint32 ssrc, guint16 seq, gint64 now)
{
  gint64 number;

  if (!self->has_highest)
    restart (self, seq);
  number = self->highest + (gint16)(seq - (guint16)self->highest);
  if (number <= self->highest - RTC_TWCC_WINDOW) {
    if (self->stray != seq) {
      self->stray = (guint16)(seq + 1);
      return;
    }
    restart (self, seq);
    number = self->highest;
  }
  self->stray = -1;
  if (number > self->highest)
    advance (self, number);
  else if (*slot (self, number) != LOST)
    return;
  else if (number < self->begin && number <= self->highest - RTC_TWCC_MAX_LATE)
    return;

  *slot (self, number) = now / TICK;
  self->begin = MIN (self->begin, number);
  self->media_ssrc = ssrc;
  if (self->first_time < 0)
    self->first_time = now;
  self->n_pending++;
}

gint64
rtc_twcc_get_deadline (const RtcTwcc *self)
{
  if (self->first_time < 0)
    return -1;
  return self->first_time + (self->n_pending >= MANY_PACKETS ? SHORT_INTERVAL : INTERVAL);
}

/* What a report says of each number. */
typedef struct
{
  guint n;
  guint8 symbols[RTC_TWCC_WINDOW]; /* bytes of the delta: 0 (lost), 1, 2 */
  gint16 deltas[RTC_TWCC_WINDOW];
  gint64 reference; /* in units of 64 ms */
} Report;

/* As many numbers as one packet has room for when all chunks are vectors of two bits, the last one of a packet that
 * came. There always is one: the highest, and the whole window of lost ones has room before it. */
static void
collect (RtcTwcc *self, Report *report)
{
  gsize deltas = 0;
  gint64 last = 0;
  guint n = 0;

  report->n = 0;
  report->reference = 0;
  for (gint64 number = self->begin; number <= self->highest; number++, n++) {
    gint64 ticks = *slot (self, number);

    report->symbols[n] = 0;
    if (ticks == LOST)
      continue;
    if (report->n == 0) {
      report->reference = ticks / REFERENCE_TICKS;
      last = report->reference * REFERENCE_TICKS;
    }
    if (ticks - last < G_MININT16 || ticks - last > G_MAXINT16)
      break;
    report->symbols[n] = ticks >= last && ticks - last <= G_MAXUINT8 ? 1 : 2;
    deltas += report->symbols[n];
    if (HEADER_SIZE + (n / BITS_2 + 1) * 2 + deltas > RTC_TWCC_MAX_SIZE)
      break;
    report->deltas[n] = ticks - last;
    last = ticks;
    report->n = n + 1;
  }
}

/* The chunk that says most about the symbols from the first on. Returns: about how many, 7 at least when there are as
 * many. */
static guint
make_chunk (const guint8 *symbols, guint n, guint16 *chunk)
{
  guint run = 1, small = 0, vector = MIN (n, BITS_2);

  while (run < MIN (n, MAX_RUN) && symbols[run] == symbols[0])
    run++;
  while (small < MIN (n, BITS_1) && symbols[small] < 2)
    small++;
  if (small < MIN (n, BITS_1))
    small = 0; /* a vector of one bit has to be full */
  if (run >= MAX (small, vector)) {
    *chunk = symbols[0] << 13 | run;
    return run;
  }
  if (small) {
    *chunk = 0x8000;
    for (guint i = 0; i < small; i++)
      *chunk |= symbols[i] << (BITS_1 - 1 - i);
    return small;
  }
  *chunk = 0xc000;
  for (guint i = 0; i < vector; i++)
    *chunk |= symbols[i] << (2 * (BITS_2 - 1 - i));
  return vector;
}

/* Returns: the size. */
static gsize
write_report (RtcTwcc *self, const Report *report, guint8 *out)
{
  gsize size = HEADER_SIZE, padding;

  for (guint i = 0; i < report->n; size += 2) {
    guint16 chunk;

    i += make_chunk (report->symbols + i, report->n - i, &chunk);
    rtc_put_u16 (out + size, chunk);
  }
  for (guint i = 0; i < report->n; size += report->symbols[i++]) {
    if (report->symbols[i] == 1)
      out[size] = report->deltas[i];
    else if (report->symbols[i] == 2)
      rtc_put_u16 (out + size, report->deltas[i]);
  }
  padding = -size & 3;
  memset (out + size, 0, padding);
  size += padding;
  if (padding)
    out[size - 1] = padding;

  out[0] = GST_RTCP_VERSION << 6 | (padding ? 0x20 : 0) | GST_RTCP_RTPFB_TYPE_TWCC;
  out[1] = GST_RTCP_TYPE_RTPFB;
  rtc_put_u16 (out + 2, size / 4 - 1);
  rtc_put_u32 (out + 4, self->sender_ssrc);
  rtc_put_u32 (out + 8, self->media_ssrc);
  rtc_put_u16 (out + 12, self->begin);
  rtc_put_u16 (out + 14, report->n);
  rtc_put_u24 (out + 16, report->reference);
  out[19] = self->count++;
  return size;
}

gsize
rtc_twcc_write (RtcTwcc *self, gint64 now, guint8 *out)
{
  Report report;
  gsize size;

  if (self->first_time < 0 || now < rtc_twcc_get_deadline (self))
    return 0;
  collect (self, &report);
  size = write_report (self, &report, out);
  self->begin += report.n;
  if (self->begin > self->highest) {
    self->first_time = -1;
    self->n_pending = 0;
  }
  return size;
}
