/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdeadman.h"

void
rtc_deadman_start (RtcDeadman *self, gint64 timeout, gint64 repeat, gint64 now)
{
  *self = (RtcDeadman){.timeout = timeout, .repeat = repeat, .last = -1, .since = now};
}

static RtcDeadmanVerdict
lose (RtcDeadman *self, gint64 now)
{
  self->is_lost = TRUE;
  self->told = now;
  return RTC_DEADMAN_LOST;
}

RtcDeadmanVerdict
rtc_deadman_take_message (RtcDeadman *self, gint64 time, gint64 now)
{
  self->last = MAX (self->last, time);
  if (self->timeout <= 0 || now - time >= self->timeout)
    return RTC_DEADMAN_NOTHING;
  self->since = MAX (self->since, time);
  if (!self->is_lost)
    return RTC_DEADMAN_NOTHING;
  self->is_lost = self->link_was_lost = FALSE;
  return RTC_DEADMAN_BACK;
}

RtcDeadmanVerdict
rtc_deadman_lose_link (RtcDeadman *self, gint64 now)
{
  if (self->timeout <= 0 || self->is_lost)
    return RTC_DEADMAN_NOTHING;
  self->link_was_lost = TRUE;
  return lose (self, now);
}

RtcDeadmanVerdict
rtc_deadman_check (RtcDeadman *self, gint64 now)
{
  gint64 deadline = rtc_deadman_get_deadline (self);

  if (deadline < 0 || now < deadline)
    return RTC_DEADMAN_NOTHING;
  if (!self->is_lost)
    return lose (self, now);
  self->told = now;
  return RTC_DEADMAN_AGAIN;
}

gint64
rtc_deadman_get_deadline (const RtcDeadman *self)
{
  if (self->timeout <= 0)
    return -1;
  if (!self->is_lost)
    return self->since + self->timeout;
  return self->repeat > 0 ? self->told + self->repeat : -1;
}

gint64
rtc_deadman_get_age (const RtcDeadman *self, gint64 now)
{
  return self->last < 0 ? -1 : MAX (now - self->last, 0);
}
