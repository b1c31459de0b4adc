/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* How long to wait between attempts: doubled each time up to a cap, each time shortened by a random part of up to half,
 * so that the clients of a server that restarts do not all come back at once. Pure. */
typedef struct
{
  guint min_ms, max_ms;
  guint attempts; /* since the last reset */
} RtcBackoff;

/* MIN_MS and MAX_MS: milliseconds, at least 1; a MAX_MS below MIN_MS counts as MIN_MS. */
void rtc_backoff_init (RtcBackoff *backoff, guint min_ms, guint max_ms);

/* After success: the next wait is the shortest again. */
void rtc_backoff_reset (RtcBackoff *backoff);

/* The milliseconds to wait before the next attempt. RANDOM: from 0 up to, not including, 1. */
guint rtc_backoff_next (RtcBackoff *backoff, gdouble random);

G_END_DECLS
