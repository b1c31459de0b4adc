/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* By how much a peer's clock differs from ours, from exchanges as in NTP (RFC 5905, section 8): a question goes out,
 * the peer says when it came in and when the answer went out. However unequal the two ways are, the truth is no further
 * off than half the round trip without the time at the peer; so the exchange that took least says most. All times are
 * microseconds; ours and the peer's may be of different clocks, which must run at about the same speed. Pure: no clock,
 * no thread. */

#define RTC_CLOCK_OFFSET_SAMPLES 16
/* What one clock runs faster than the other, at most: then old exchanges say less. */
#define RTC_CLOCK_OFFSET_PPM 100

typedef struct
{
  gint64 offset, bound; /* of the time AT */
  gint64 at; /* ours */
} RtcClockSample;

/* Zeroed at first. */
typedef struct
{
  RtcClockSample samples[RTC_CLOCK_OFFSET_SAMPLES];
  guint n, next;
  guint asked; /* how many questions */
  gint64 ask_sent; /* when the last one went out */
  gboolean waiting; /* for its answer */
  guint restarts; /* how often the peer's clock was set */
} RtcClockOffset;

/* When the next question is due, our time: soon ones at first, then one in a few seconds; 0: at once. */
gint64 rtc_clock_offset_get_deadline (const RtcClockOffset *self);

/* A question goes out. Returns the number that its answer has to have. */
guint rtc_clock_offset_ask (RtcClockOffset *self, gint64 now);

/* The answer to question NUMBER: it came to the peer at THEIRS_IN and left it at THEIRS_OUT, and came here at NOW.
 * FALSE when it is not the one that is waited for, or makes no sense: then nothing is changed. */
gboolean rtc_clock_offset_take (RtcClockOffset *self, guint number, gint64 theirs_in, gint64 theirs_out, gint64 now);

/* The peer's clock minus ours, and by how much that may be wrong at most. FALSE while nothing is known. */
gboolean rtc_clock_offset_get (const RtcClockOffset *self, gint64 now, gint64 *offset, gint64 *bound);

G_END_DECLS
