/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcclockoffset.h"

#define SOON 100000
#define N_SOON 8
#define LATER 5000000
/* An answer that takes longer says nothing worth having. */
#define MAX_ROUND_TRIP 10000000
/* Times beyond this are no times: the year 36812. Sums of them do not overflow. */
#define MAX_TIME (G_GINT64_CONSTANT (1) << 60)

gint64
rtc_clock_offset_get_deadline (const RtcClockOffset *self)
{
  if (self->asked == 0)
    return 0;
  return self->ask_sent + (self->asked < N_SOON ? SOON : LATER);
}

guint
rtc_clock_offset_ask (RtcClockOffset *self, gint64 now)
{
  self->ask_sent = now;
  self->waiting = TRUE;
  return ++self->asked;
}

/* How wrong it may be by now. */
static gint64
get_bound (const RtcClockSample *sample, gint64 now)
{
  return sample->bound + MAX (now - sample->at, 0) * RTC_CLOCK_OFFSET_PPM / 1000000;
}

/* Two exchanges that cannot both be right: the peer's clock was set in between. */
static gboolean
contradict (const RtcClockSample *old, const RtcClockSample *new)
{
  return ABS (old->offset - new->offset) > get_bound (old, new->at) + new->bound;
}

gboolean
rtc_clock_offset_take (RtcClockOffset *self, guint number, gint64 theirs_in, gint64 theirs_out, gint64 now)
{
  RtcClockSample sample;
  gint64 round_trip;

  if (!self->waiting || number != self->asked || theirs_in < 0 || theirs_out < theirs_in || theirs_out > MAX_TIME)
    return FALSE;
  round_trip = (now - self->ask_sent) - (theirs_out - theirs_in);
  if (round_trip < 0 || round_trip > MAX_ROUND_TRIP)
    return FALSE;
  self->waiting = FALSE;
  /* Rounded up: the half that is lost below may be the truth. */
  sample.bound = (round_trip + 1) / 2 + 1;
  sample.offset = ((theirs_in - self->ask_sent) + (theirs_out - now)) / 2;
  sample.at = now;
  for (guint i = 0; i < self->n; i++) {
    if (contradict (&self->samples[i], &sample)) {
      self->n = self->next = 0;
      self->restarts++;
    }
  }
  self->samples[self->next] = sample;
  self->next = (self->next + 1) % RTC_CLOCK_OFFSET_SAMPLES;
  self->n = MIN (self->n + 1, RTC_CLOCK_OFFSET_SAMPLES);
  return TRUE;
}

gboolean
rtc_clock_offset_get (const RtcClockOffset *self, gint64 now, gint64 *offset, gint64 *bound)
{
  const RtcClockSample *best = NULL;

  for (guint i = 0; i < self->n; i++) {
    if (!best || get_bound (&self->samples[i], now) < get_bound (best, now))
      best = &self->samples[i];
  }
  if (!best)
    return FALSE;
  *offset = best->offset;
  *bound = get_bound (best, now);
  return TRUE;
}
