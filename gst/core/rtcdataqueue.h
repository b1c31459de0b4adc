/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Messages that wait for one receiver, bounded in bytes and in time, and what becomes of them when it is too slow. It
 * knows a message by its size and a pointer. Times are microseconds of any steady clock. Whoever owns it locks it. */
typedef struct _RtcDataQueue RtcDataQueue;

/* Whatever their size, no more than these wait. */
#define RTC_DATA_QUEUE_MAX_MESSAGES 65536

typedef enum
{
  RTC_DATA_OVERFLOW_BLOCK, /* the producer waits */
  RTC_DATA_OVERFLOW_DROP_OLDEST, /* what has waited longest makes room, and what is older than max_time goes */
  RTC_DATA_OVERFLOW_DROP_NEWEST, /* what does not fit is not taken, nor anything while the oldest is past max_time */
  RTC_DATA_OVERFLOW_LATEST, /* only the newest waits, for max_time at most */
} RtcDataOverflow;

typedef struct
{
  RtcDataOverflow overflow;
  gsize max_bytes; /* of messages that wait; a larger one is taken when nothing waits */
  gint64 max_time; /* microseconds; 0: no bound */
} RtcDataLimits;

typedef enum
{
  RTC_DATA_PUSH_TAKEN,
  RTC_DATA_PUSH_DROPPED, /* counted, and the caller's again */
  RTC_DATA_PUSH_WAIT, /* nothing was changed: again when something was popped, or at the deadline */
} RtcDataPush;

/* Messages and bytes. */
typedef struct
{
  guint64 messages, bytes;
} RtcDataCount;

/* FREE is for messages that are dropped. */
RtcDataQueue *rtc_data_queue_new (const RtcDataLimits *limits, GDestroyNotify free);
void rtc_data_queue_free (RtcDataQueue *self);

/* New LIMITS hold for what is pushed from now on. */
void rtc_data_queue_set_limits (RtcDataQueue *self, const RtcDataLimits *limits);

/* Others are fed by the same producer (with BLOCK): a receiver that took nothing for max_time is left behind then, and
 * what it cannot take is dropped, until it takes something again. */
void rtc_data_queue_set_shared (RtcDataQueue *self, gboolean is_shared);

/* Takes MESSAGE (transfer full when TAKEN), which came at TIME. With WAIT, DEADLINE is when to try again though nothing
 * was popped; -1: never. */
RtcDataPush
rtc_data_queue_push (RtcDataQueue *self, gpointer message, gsize size, gint64 now, gint64 time, gint64 *deadline);

/* The message that is next; NULL: none. (transfer full) */
gpointer rtc_data_queue_pop (RtcDataQueue *self, gint64 now);

/* Puts MESSAGE (transfer full), which was popped and could not be used, where it was. */
void rtc_data_queue_put_back (RtcDataQueue *self, gpointer message, gsize size, gint64 time);

/* Gives up on one that was taken, or on all that wait: counted as dropped. */
void rtc_data_queue_count_dropped (RtcDataQueue *self, gsize size);
void rtc_data_queue_clear (RtcDataQueue *self);

gboolean rtc_data_queue_is_empty (RtcDataQueue *self);

/* Whether it pays to wake who waits to push: it is empty, or a sixteenth of it is free. */
gboolean rtc_data_queue_has_room (RtcDataQueue *self);

/* Whether it was left behind, see set_shared(). */
gboolean rtc_data_queue_is_stalled (RtcDataQueue *self);

RtcDataCount rtc_data_queue_get_waiting (RtcDataQueue *self);
RtcDataCount rtc_data_queue_get_dropped (RtcDataQueue *self);

/* When the oldest came that waits; -1: none does. */
gint64 rtc_data_queue_get_oldest (RtcDataQueue *self);

G_END_DECLS
