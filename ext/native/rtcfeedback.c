/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcfeedback.h"

#define N_SLICES 10
#define SLICE (50 * G_TIME_SPAN_MILLISECOND)
#define SILENCE G_USEC_PER_SEC /* a bitrate that is older says nothing */
#define PERIOD G_USEC_PER_SEC /* of the fraction that was lost */

typedef enum
{
  FATE_UNKNOWN,
  FATE_LOST,
  FATE_ARRIVED,
} Fate;

/* Eight bytes, since there are thousands for each viewer and one is written for each packet. */
typedef struct
{
  guint32 sent; /* low bits; microseconds */
  guint16 size;
  guint16 fate : 2;
  guint16 mline : 14;
} Sent;
G_STATIC_ASSERT (sizeof (Sent) == 8);

struct _RtcFeedback
{
  guint64 first, next; /* numbers, extended; those of the ring are below NEXT */
  Sent *ring; /* by number modulo the window; NULL: nothing was sent yet */
  GArray *packets; /* of RtcFeedbackPacket, what the last report said */
  RtcFeedbackReport report;
  RtcFeedbackStats stats;

  /* the viewer's clock */
  gboolean has_arrival;
  gint64 wire, unwrapped; /* the last arrival as it was reported, and unwrapped */
  gint64 first_slice, slice; /* numbers of slices of that clock */
  guint64 bytes[N_SLICES + 1]; /* by number modulo their count; the last one is not full yet */

  gint64 last_report; /* our clock */
  gint64 period_start;
  guint period_arrived, period_lost;
};

RtcFeedback *
rtc_feedback_new (guint16 first)
{
  RtcFeedback *self = g_new0 (RtcFeedback, 1);

  /* Off zero, so that what is behind the first one is not negative. */
  self->first = self->next = 2 * (G_MAXUINT16 + 1) + (guint64)first;
  self->packets = g_array_new (FALSE, FALSE, sizeof (RtcFeedbackPacket));
  return self;
}

void
rtc_feedback_free (RtcFeedback *self)
{
  g_free (self->ring);
  g_array_unref (self->packets);
  g_free (self);
}

void
rtc_feedback_sent (RtcFeedback *self, guint mline, gsize size, gint64 now)
{
  if (G_UNLIKELY (!self->ring))
    self->ring = g_new0 (Sent, RTC_FEEDBACK_WINDOW);
  self->ring[self->next++ % RTC_FEEDBACK_WINDOW] = (Sent){.sent = (guint32)now,
      .size = (guint16)MIN (size, G_MAXUINT16),
      .fate = FATE_UNKNOWN,
      .mline = (guint16)MIN (mline, RTC_FEEDBACK_MAX_MLINE)};
}

static gint64
unwrap (RtcFeedback *self, gint64 arrival)
{
  /* Off zero too: what came before the first one is no loss. */
  if (!self->has_arrival)
    self->unwrapped = RTC_RTCP_TWCC_PERIOD + arrival;
  else
    self->unwrapped += rtc_rtcp_twcc_elapsed (self->wire, arrival);
  self->wire = arrival;
  if (self->unwrapped < 0) /* only a clock that runs backwards for weeks gets there */
    self->unwrapped = RTC_RTCP_TWCC_PERIOD + arrival;
  return self->unwrapped;
}

/* Bytes by when they arrived. */
static void
count_bytes (RtcFeedback *self, gint64 arrived, guint size)
{
  gint64 slice = arrived / SLICE;

  if (!self->has_arrival || ABS (slice - self->slice) > 2 * N_SLICES) {
    /* After a pause it begins anew: a mean over the pause would say that the path is slow. So it does when the clock
     * jumps. */
    self->first_slice = self->slice = slice;
    for (guint i = 0; i <= N_SLICES; i++)
      self->bytes[i] = 0;
  }
  while (self->slice < slice)
    self->bytes[++self->slice % (N_SLICES + 1)] = 0;
  if (slice >= self->slice - N_SLICES)
    self->bytes[slice % (N_SLICES + 1)] += size;
}

static guint64
bitrate (const RtcFeedback *self)
{
  gint64 begin = MAX (self->first_slice + 1, self->slice - N_SLICES); /* the first one is not a full one either */
  guint64 bytes = 0;

  if (!self->has_arrival || begin >= self->slice)
    return 0;
  for (gint64 i = begin; i < self->slice; i++)
    bytes += self->bytes[i % (N_SLICES + 1)];
  return bytes * 8 * G_USEC_PER_SEC / ((self->slice - begin) * SLICE);
}

static void
turn_period (RtcFeedback *self, gint64 now)
{
  guint n = self->period_arrived + self->period_lost;

  if (self->stats.n_reports > 0 && now - self->period_start < PERIOD)
    return;
  if (n > 0)
    self->stats.fraction_lost = (gdouble)self->period_lost / n;
  self->period_arrived = self->period_lost = 0;
  self->period_start = now;
}

static void
arrived (RtcFeedback *self, Sent *sent, gint64 when)
{
  if (sent->fate == FATE_LOST) {
    self->stats.packets_lost--;
    self->period_lost -= self->period_lost > 0;
  }
  sent->fate = FATE_ARRIVED;
  self->stats.packets_arrived++;
  self->stats.bytes_arrived += sent->size;
  self->period_arrived++;
  count_bytes (self, when, sent->size);
  self->has_arrival = TRUE;
}

static void
lost (RtcFeedback *self, Sent *sent)
{
  sent->fate = FATE_LOST;
  self->stats.packets_lost++;
  self->period_lost++;
}

/* ARRIVAL: as it was reported. */
static void
take_one (RtcFeedback *self, guint64 number, gint64 arrival, gint64 now)
{
  Sent *sent = &self->ring[number % RTC_FEEDBACK_WINDOW];
  RtcFeedbackPacket packet = {.number = number,
      .sent = now - (guint32)((guint32)now - sent->sent),
      .arrived = RTC_FEEDBACK_LOST,
      .size = sent->size,
      .mline = sent->mline};

  if (arrival >= 0 && sent->fate != FATE_ARRIVED) {
    packet.arrived = unwrap (self, arrival);
    arrived (self, sent, packet.arrived);
  } else if (arrival < 0 && sent->fate == FATE_UNKNOWN) {
    lost (self, sent);
  } else {
    return;
  }
  g_array_append_val (self->packets, packet);
}

const RtcFeedbackReport *
rtc_feedback_take (RtcFeedback *self, const RtcRtcpTwcc *twcc, gint64 now)
{
  guint64 last = self->next - 1;
  guint64 base = last - (guint16)((guint16)last - twcc->base);

  turn_period (self, now);
  g_array_set_size (self->packets, 0);
  for (guint i = 0; i < twcc->n; i++) {
    guint64 number = base + i;

    if (number >= self->first && number < self->next && self->next - number <= RTC_FEEDBACK_WINDOW)
      take_one (self, number, twcc->arrival[i], now);
  }
  self->stats.n_reports++;
  self->last_report = now;
  self->report = (RtcFeedbackReport){
      now, (const RtcFeedbackPacket *)(gpointer)self->packets->data, self->packets->len, bitrate (self)};
  return &self->report;
}

guint64
rtc_feedback_get_bitrate (const RtcFeedback *self, gint64 now)
{
  if (self->stats.n_reports == 0 || now - self->last_report > SILENCE)
    return 0;
  return bitrate (self);
}

const RtcFeedbackStats *
rtc_feedback_get_stats (const RtcFeedback *self)
{
  return &self->stats;
}
