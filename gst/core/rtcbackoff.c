/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcbackoff.h"

void
rtc_backoff_init (RtcBackoff *backoff, guint min_ms, guint max_ms)
{
  backoff->min_ms = MAX (min_ms, 1);
  backoff->max_ms = MAX (max_ms, backoff->min_ms);
  backoff->attempts = 0;
}

void
rtc_backoff_reset (RtcBackoff *backoff)
{
  backoff->attempts = 0;
}

guint
rtc_backoff_next (RtcBackoff *backoff, gdouble random)
{
  guint64 wait = backoff->min_ms;
  guint i;

  for (i = 0; i < backoff->attempts && wait < backoff->max_ms; i++)
    wait *= 2;
  wait = MIN (wait, backoff->max_ms);
  backoff->attempts++;
  return MAX (1, wait - (guint64)(wait * CLAMP (random, 0.0, 1.0) / 2));
}
