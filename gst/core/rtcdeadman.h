/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether somebody is still at the controls: messages come in time, over a link that is up. Plain memory; whoever owns
 * it locks it. Times are microseconds of any steady clock. */
typedef struct
{
  gint64 timeout; /* 0: off */
  gint64 repeat; /* while lost, LOST is told again after as long; 0: once */
  gint64 last; /* when the last message came; -1: none did */
  gint64 since; /* what the timeout counts from */
  gint64 told; /* when LOST was told last */
  gboolean is_lost;
  gboolean link_was_lost; /* it is lost because the link went, not by silence */
} RtcDeadman;

typedef enum
{
  RTC_DEADMAN_NOTHING,
  RTC_DEADMAN_LOST, /* now do what is safe */
  RTC_DEADMAN_AGAIN, /* still lost, and it is time to say so again */
  RTC_DEADMAN_BACK,
} RtcDeadmanVerdict;

/* Nobody being there from the start counts as silence. */
void rtc_deadman_start (RtcDeadman *self, gint64 timeout, gint64 repeat, gint64 now);

/* A message that came at TIME, which may be a while ago. BACK, or NOTHING. One that is as old as the timeout brings
 * nobody back. */
RtcDeadmanVerdict rtc_deadman_take_message (RtcDeadman *self, gint64 time, gint64 now);

/* The last way on which a message could come is gone. LOST, or NOTHING. */
RtcDeadmanVerdict rtc_deadman_lose_link (RtcDeadman *self, gint64 now);

/* At the deadline, or at any other time. LOST, AGAIN or NOTHING. */
RtcDeadmanVerdict rtc_deadman_check (RtcDeadman *self, gint64 now);

/* When to check; -1: there is nothing to wait for. */
gint64 rtc_deadman_get_deadline (const RtcDeadman *self);

/* How long ago the last message came; -1: none did. */
gint64 rtc_deadman_get_age (const RtcDeadman *self, gint64 now);

G_END_DECLS
