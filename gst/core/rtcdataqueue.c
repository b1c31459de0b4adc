/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdataqueue.h"

typedef struct
{
  gpointer message;
  gsize size;
  gint64 time;
} Item;

struct _RtcDataQueue
{
  RtcDataLimits limits;
  GDestroyNotify free;
  GArray *items; /* of Item, from head on; a ring would save the rare move */
  guint head;
  gsize bytes;
  RtcDataCount dropped;
  gboolean is_shared, is_stalled;
  gint64 full_since; /* -1: it was not full when last asked */
};

RtcDataQueue *
rtc_data_queue_new (const RtcDataLimits *limits, GDestroyNotify free)
{
  RtcDataQueue *self = g_new0 (RtcDataQueue, 1);

  self->limits = *limits;
  self->free = free;
  self->items = g_array_new (FALSE, FALSE, sizeof (Item));
  self->full_since = -1;
  return self;
}

static guint
count (RtcDataQueue *self)
{
  return self->items->len - self->head;
}

static Item *
peek (RtcDataQueue *self)
{
  return count (self) > 0 ? &g_array_index (self->items, Item, self->head) : NULL;
}

static Item
take_first (RtcDataQueue *self)
{
  Item item = *peek (self);

  self->head++;
  self->bytes -= item.size;
  if (self->head == self->items->len) {
    g_array_set_size (self->items, 0);
    self->head = 0;
  } else if (self->head >= 64 && self->head * 2 >= self->items->len) {
    g_array_remove_range (self->items, 0, self->head);
    self->head = 0;
  }
  return item;
}

void
rtc_data_queue_count_dropped (RtcDataQueue *self, gsize size)
{
  self->dropped.messages++;
  self->dropped.bytes += size;
}

static void
drop_first (RtcDataQueue *self)
{
  Item item = take_first (self);

  rtc_data_queue_count_dropped (self, item.size);
  self->free (item.message);
}

void
rtc_data_queue_clear (RtcDataQueue *self)
{
  while (count (self) > 0)
    drop_first (self);
  self->full_since = -1;
  self->is_stalled = FALSE;
}

void
rtc_data_queue_free (RtcDataQueue *self)
{
  rtc_data_queue_clear (self);
  g_array_unref (self->items);
  g_free (self);
}

void
rtc_data_queue_set_limits (RtcDataQueue *self, const RtcDataLimits *limits)
{
  self->limits = *limits;
}

void
rtc_data_queue_set_shared (RtcDataQueue *self, gboolean is_shared)
{
  self->is_shared = is_shared;
  if (!is_shared)
    self->is_stalled = FALSE;
}

static gboolean
is_too_old (RtcDataQueue *self, gint64 now)
{
  Item *first = peek (self);

  return first && self->limits.max_time > 0 && now - first->time >= self->limits.max_time;
}

static gboolean
fits (RtcDataQueue *self, gsize size)
{
  if (count (self) == 0)
    return TRUE;
  return count (self) < RTC_DATA_QUEUE_MAX_MESSAGES && self->bytes <= self->limits.max_bytes
      && size <= self->limits.max_bytes - self->bytes;
}

static void
expire (RtcDataQueue *self, gint64 now)
{
  if (self->limits.overflow != RTC_DATA_OVERFLOW_DROP_OLDEST && self->limits.overflow != RTC_DATA_OVERFLOW_LATEST)
    return;
  while (is_too_old (self, now))
    drop_first (self);
}

static RtcDataPush
push_to_full (RtcDataQueue *self, gsize size, gint64 now, gint64 *deadline)
{
  if (self->limits.overflow == RTC_DATA_OVERFLOW_BLOCK && !self->is_stalled) {
    if (self->full_since < 0)
      self->full_since = now;
    if (!self->is_shared || self->limits.max_time <= 0) {
      *deadline = -1;
      return RTC_DATA_PUSH_WAIT;
    }
    *deadline = self->full_since + self->limits.max_time;
    if (now < *deadline)
      return RTC_DATA_PUSH_WAIT;
    self->is_stalled = TRUE;
  }
  rtc_data_queue_count_dropped (self, size);
  return RTC_DATA_PUSH_DROPPED;
}

RtcDataPush
rtc_data_queue_push (RtcDataQueue *self, gpointer message, gsize size, gint64 now, gint64 time, gint64 *deadline)
{
  Item item = {message, size, time};

  expire (self, now);
  switch (self->limits.overflow) {
    case RTC_DATA_OVERFLOW_LATEST:
      while (count (self) > 0)
        drop_first (self);
      break;
    case RTC_DATA_OVERFLOW_DROP_OLDEST:
      while (!fits (self, size))
        drop_first (self);
      break;
    case RTC_DATA_OVERFLOW_DROP_NEWEST:
      if (!fits (self, size) || is_too_old (self, now))
        return push_to_full (self, size, now, deadline);
      break;
    case RTC_DATA_OVERFLOW_BLOCK:
      if (!fits (self, size))
        return push_to_full (self, size, now, deadline);
      break;
  }
  g_array_append_val (self->items, item);
  self->bytes += size;
  return RTC_DATA_PUSH_TAKEN;
}

gpointer
rtc_data_queue_pop (RtcDataQueue *self, gint64 now)
{
  expire (self, now);
  if (count (self) == 0)
    return NULL;
  self->full_since = -1;
  self->is_stalled = FALSE;
  return take_first (self).message;
}

void
rtc_data_queue_put_back (RtcDataQueue *self, gpointer message, gsize size, gint64 time)
{
  Item item = {message, size, time};

  if (self->head > 0)
    g_array_index (self->items, Item, --self->head) = item;
  else
    g_array_prepend_val (self->items, item);
  self->bytes += size;
}

gboolean
rtc_data_queue_is_empty (RtcDataQueue *self)
{
  return count (self) == 0;
}

gboolean
rtc_data_queue_has_room (RtcDataQueue *self)
{
  return count (self) == 0
      || (self->bytes <= self->limits.max_bytes - self->limits.max_bytes / 16
          && count (self) <= RTC_DATA_QUEUE_MAX_MESSAGES - RTC_DATA_QUEUE_MAX_MESSAGES / 16);
}

gboolean
rtc_data_queue_is_stalled (RtcDataQueue *self)
{
  return self->is_stalled;
}

RtcDataCount
rtc_data_queue_get_waiting (RtcDataQueue *self)
{
  return (RtcDataCount){count (self), self->bytes};
}

RtcDataCount
rtc_data_queue_get_dropped (RtcDataQueue *self)
{
  return self->dropped;
}

gint64
rtc_data_queue_get_oldest (RtcDataQueue *self)
{
  Item *first = peek (self);

  return first ? first->time : -1;
}
