/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The channels of a datachannelsrc, and the queue that all of them fill. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsrc.h"
#include "core/rtcprefetch.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_data_channel_src_debug

/* What a channel is told to be unread while the queue is full, so that its peer waits at once. */
#define HOLD_UP_BYTES (64 * 1024 * 1024)

/* What may still come from a peer that was made to wait: its window, and one message of the largest size. */
#define SLACK_BYTES (24 * 1024 * 1024)

/* The queue takes RTC_DATA_QUEUE_MAX_MESSAGES, and short ones come in thousands until the peer waits. */
#define MANY (RTC_DATA_QUEUE_MAX_MESSAGES / 4)

#define TIME_SIZE 8
#define HAND_BYTES (16 * 1024)

/* A channel is told what became of its messages in steps of so much, or of a part of max-bytes, and when all were read:
 * each time wakes the transport. */
#define SETTLE_BYTES (64 * 1024)
#define SETTLE_SHARE 16

static GstRtcSrcLink *
link_ref (GstRtcSrcLink *link)
{
  g_atomic_int_inc (&link->ref_count);
  return link;
}

static void
link_unref (gpointer data)
{
  GstRtcSrcLink *link = data;

  if (!g_atomic_int_dec_and_test (&link->ref_count))
    return;
  gst_rtc_channel_unref (link->channel);
  gst_object_unref (link->src);
  g_free (link);
}

/* Of a message that is read, or dropped, at any time without the lock. */
static void
add_unread (GstRtcSrcLink *link, gssize bytes)
{
  g_atomic_pointer_add (&link->unread, bytes);
}

void
gst_rtc_src_message_free (GstRtcSrcMessage *message)
{
  g_bytes_unref (message->bytes);
  link_unref (message->link);
  g_free (message);
}

static void
message_drop (gpointer data)
{
  GstRtcSrcMessage *message = data;

  add_unread (message->link, -(gssize)g_bytes_get_size (message->bytes));
  gst_rtc_src_message_free (message);
}

RtcDataQueue *
gst_data_channel_src_new_queue (GstDataChannelSrc *self)
{
  RtcDataLimits limits = {self->overflow, self->max_bytes, self->max_time * G_TIME_SPAN_MILLISECOND};

  if (self->overflow == RTC_DATA_OVERFLOW_BLOCK)
    limits.max_bytes += SLACK_BYTES;
  return rtc_data_queue_new (&limits, message_drop);
}

/* With block, the peers wait from max-bytes (or many messages) on, until half of it is read. With the lock. */
static void
hold_up_peers (GstDataChannelSrc *self)
{
  RtcDataCount waiting = rtc_data_queue_get_waiting (self->queue);
  guint share = self->is_full ? 2 : 1;

  if (self->overflow == RTC_DATA_OVERFLOW_BLOCK)
    self->is_full = waiting.bytes >= self->max_bytes / share + (share - 1) || waiting.messages >= MANY / share;
  for (guint i = 0; i < self->links->len; i++) {
    GstRtcSrcLink *link = g_ptr_array_index (self->links, i);

    if (link->is_held_up == self->is_full)
      continue;
    link->is_held_up = self->is_full;
    add_unread (link, self->is_full ? HOLD_UP_BYTES : -HOLD_UP_BYTES);
  }
}

/* The next link whose channel is to be told something, the CHANGE. (transfer full) With the lock. */
static GstRtcSrcLink *
next_to_settle (GstDataChannelSrc *self, gssize *change)
{
  gboolean all = !self->queue || rtc_data_queue_is_empty (self->queue);
  gssize step = all ? 1 : (gssize)MIN (self->max_bytes / SETTLE_SHARE, SETTLE_BYTES);

  for (guint i = 0; i < self->links->len; i++) {
    GstRtcSrcLink *link = g_ptr_array_index (self->links, i);

    *change = (gssize)g_atomic_pointer_get (&link->unread);
    if (*change == 0 || ABS (*change) < step)
      continue;
    add_unread (link, -*change);
    return link_ref (link);
  }
  return NULL;
}

void
gst_rtc_src_settle_locked (GstDataChannelSrc *self)
{
  GstRtcSrcLink *link;
  gssize change;

  if (self->queue)
    hold_up_peers (self);
  while ((link = next_to_settle (self, &change))) {
    g_mutex_unlock (&self->lock);
    gst_rtc_channel_add_unread (link->channel, change);
    link_unref (link);
    g_mutex_lock (&self->lock);
  }
}

gsize
gst_rtc_src_get_header_size (const GstRtcSrcMessage *message)
{
  gboolean has_time = !message->is_text && g_bytes_get_size (message->bytes) >= TIME_SIZE
      && g_strcmp0 (message->link->channel->init.protocol, GST_RTC_DATA_TIME_PROTOCOL) == 0;

  return has_time ? TIME_SIZE : 0;
}

void
gst_rtc_src_add_latency (GstRtcSrcLatency *latency, gint64 value)
{
  latency->last = value;
  latency->max = latency->count == 0 ? value : MAX (latency->max, value);
  latency->sum += value;
  latency->count++;
}

/* MESSAGE is given out NOW. */
static void
count (const GstRtcSrcMessage *message, gint64 now, GstRtcSrcGiven *given)
{
  gsize size = g_bytes_get_size (message->bytes);

  add_unread (message->link, -(gssize)size);
  given->count.messages++;
  given->count.bytes += size - gst_rtc_src_get_header_size (message);
  gst_rtc_src_add_latency (&given->waited, MAX (now - message->arrival, 0));
}

/* Messages are taken several at once when they are short and many: the transport's thread and this one would wait for
 * each other at the lock with each one. Not where one that waits may still be dropped, or is a sign of life. Only
 * the last is looked at here, since they are in the other thread's cache. With the lock. */
static void
fill_hand (GstDataChannelSrc *self, gint64 now)
{
  RtcDataCount waiting = rtc_data_queue_get_waiting (self->queue);
  guint n = MIN (waiting.messages / 2, GST_RTC_SRC_HAND);

  if (self->overflow != RTC_DATA_OVERFLOW_BLOCK || self->deadman_timeout > 0)
    return;
  while (self->n_hand < n && waiting.bytes - rtc_data_queue_get_waiting (self->queue).bytes < HAND_BYTES)
    self->hand[self->n_hand++] = rtc_data_queue_pop (self->queue, now);
  if (self->n_hand > 0)
    rtc_deadman_take_message (&self->deadman, self->hand[self->n_hand - 1]->arrival, now);
}

GstRtcSrcMessage *
gst_rtc_src_pop_from_hand (GstDataChannelSrc *self, gint64 now)
{
  GstRtcSrcMessage *message;

  if (self->hand_at == self->n_hand)
    return NULL;
  message = self->hand[self->hand_at++];
  if (self->hand_at < self->n_hand)
    rtc_prefetch (self->hand[self->hand_at]);
  count (message, now, &self->from_hand);
  return message;
}

/* With the lock. */
static void
count_hand (GstDataChannelSrc *self)
{
  const GstRtcSrcGiven *more = &self->from_hand;
  GstRtcSrcGiven *given = &self->given;

  if (more->count.messages == 0)
    return;
  given->count.messages += more->count.messages;
  given->count.bytes += more->count.bytes;
  given->waited.count += more->waited.count;
  given->waited.sum += more->waited.sum;
  given->waited.last = more->waited.last;
  given->waited.max = MAX (given->waited.max, more->waited.max);
  self->from_hand = (GstRtcSrcGiven){0};
}

void
gst_rtc_src_empty_hand (GstDataChannelSrc *self)
{
  if (self->hand_at < self->n_hand || self->n_hand == 0)
    return;
  self->hand_at = self->n_hand = 0;
  count_hand (self);
  gst_rtc_src_settle_locked (self);
}

GstRtcSrcMessage *
gst_rtc_src_pop (GstDataChannelSrc *self, gint64 now)
{
  GstRtcSrcMessage *message = gst_rtc_src_pop_from_hand (self, now);

  if (message)
    return message;
  message = rtc_data_queue_pop (self->queue, now);
  if (!message)
    return NULL;
  count (message, now, &self->given);
  fill_hand (self, now);
  return message;
}

void
gst_rtc_src_put_back (GstDataChannelSrc *self)
{
  while (self->n_hand > self->hand_at) {
    GstRtcSrcMessage *message = self->hand[--self->n_hand];

    rtc_data_queue_put_back (self->queue, message, g_bytes_get_size (message->bytes), message->arrival);
  }
  self->hand_at = self->n_hand = 0;
  count_hand (self);
}

static void
warn_full (GstDataChannelSrc *self, GstRtcChannel *channel)
{
  GST_ELEMENT_WARNING (self, RESOURCE, READ,
      ("Messages of peer %s on the data channel \"%s\" are dropped: %" G_GUINT64_FORMAT
       " bytes wait, and the peer cannot be made to wait. Read faster, raise max-bytes, or set overflow.",
          channel->peer_id, channel->init.label, self->max_bytes),
      (NULL));
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *bytes, gint64 arrival, gpointer user_data)
{
  GstRtcSrcLink *link = user_data;
  GstDataChannelSrc *self = link->src;
  gsize size = g_bytes_get_size (bytes);
  RtcDataPush result = RTC_DATA_PUSH_DROPPED;
  gboolean is_warned = FALSE, is_awaited;
  GstRtcSrcMessage *message = g_new (GstRtcSrcMessage, 1);
  gint64 deadline;

  *message = (GstRtcSrcMessage){link_ref (link), g_bytes_ref (bytes), is_text, arrival};
  if (link->id < 0)
    link->id = gst_rtc_channel_get_id (channel);
  g_mutex_lock (&self->lock);
  if (!self->queue || link->is_closed || self->inbox) {
    g_mutex_unlock (&self->lock);
    gst_rtc_src_message_free (message);
    return;
  }
  self->received.messages++;
  self->received.bytes += size;
  add_unread (link, size);
  result = rtc_data_queue_push (self->queue, message, size, arrival, arrival, &deadline);
  if (result == RTC_DATA_PUSH_WAIT) {
    rtc_data_queue_count_dropped (self->queue, size);
    is_warned = !self->told_full;
    self->told_full = TRUE;
  }
  if (result != RTC_DATA_PUSH_TAKEN)
    message_drop (message);
  /* It is woken once, however many messages come until it is. */
  is_awaited = self->is_waiting;
  self->is_waiting = FALSE;
  gst_rtc_src_settle_locked (self);
  g_mutex_unlock (&self->lock);
  /* Not under the lock, which it would want at once. */
  if (is_awaited)
    g_cond_signal (&self->changed);
  if (is_warned)
    warn_full (self, channel);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  GstRtcSrcLink *link = user_data;
  GstDataChannelSrc *self = link->src;

  GST_DEBUG_OBJECT (self, "peer %s: %s%s%s", channel->peer_id, gst_rtc_channel_state_to_string (state),
      error ? ": " : "", error ? error->message : "");
  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  link_ref (link);
  g_mutex_lock (&self->lock);
  if (!link->is_closed) {
    link->is_closed = TRUE;
    g_ptr_array_remove (self->links, link);
    self->link_went = self->links->len == 0;
  }
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  gst_rtc_channel_remove_listener (channel, link);
  link_unref (link);
}

static const GstRtcChannelEvents channel_events = {on_state, on_message, NULL};

void
gst_rtc_src_on_channel (GstRtcChannel *channel, gpointer user_data)
{
  GstDataChannelSrc *self = user_data;
  GstRtcFileInbox *inbox = NULL;
  GstRtcSrcLink *link;

  if (self->directory && g_strcmp0 (channel->init.protocol, RTC_FILE_PROTOCOL) != 0) {
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("What peer %s sends on the data channel \"%s\" is dropped: it sends messages (protocol \"%s\"), and with "
         "directory only files are received. Take another label for one of the two.",
            channel->peer_id, channel->init.label, channel->init.protocol),
        (NULL));
    return;
  }
  g_mutex_lock (&self->lock);
  if (!self->queue) {
    g_mutex_unlock (&self->lock);
    return;
  }
  if (self->inbox)
    inbox = gst_rtc_file_inbox_ref (self->inbox);
  link = g_new0 (GstRtcSrcLink, 1);
  link->ref_count = 3;
  link->src = gst_object_ref (self);
  link->channel = gst_rtc_channel_ref (channel);
  link->id = -1;
  g_ptr_array_add (self->links, link);
  self->had_link = TRUE;
  self->link_went = FALSE;
  g_mutex_unlock (&self->lock);
  if (gst_rtc_channel_add_listener (channel, &channel_events, link, link_unref) == GST_RTC_CHANNEL_CLOSED) {
    on_state (channel, GST_RTC_CHANNEL_CLOSED, NULL, link);
  } else {
    g_mutex_lock (&self->lock);
    gst_rtc_src_settle_locked (self);
    g_mutex_unlock (&self->lock);
  }
  link_unref (link);
  if (inbox) {
    gst_rtc_file_inbox_add (inbox, channel);
    gst_rtc_file_inbox_unref (inbox);
  }
}

/* The path goes out as a text message would that came on CHANNEL. */
void
gst_rtc_src_on_file (GstElement *element, GstRtcChannel *channel, const gchar *path)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (element);
  gint64 now = g_get_monotonic_time ();
  gsize size = strlen (path);
  GstRtcSrcLink *link = g_new0 (GstRtcSrcLink, 1);
  GstRtcSrcMessage *message = g_new (GstRtcSrcMessage, 1);
  gint64 deadline;

  /* One of its own: the peer is not made to wait for what it did not send. */
  link->ref_count = 1;
  link->src = gst_object_ref (self);
  link->channel = gst_rtc_channel_ref (channel);
  link->id = gst_rtc_channel_get_id (channel);
  *message = (GstRtcSrcMessage){link, g_bytes_new (path, size), TRUE, now};
  g_mutex_lock (&self->lock);
  self->received.messages++;
  self->received.bytes += size;
  if (!self->queue || rtc_data_queue_push (self->queue, message, size, now, now, &deadline) != RTC_DATA_PUSH_TAKEN)
    message_drop (message);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

GPtrArray *
gst_rtc_src_new_links (void)
{
  return g_ptr_array_new_with_free_func (link_unref);
}

void
gst_rtc_src_forget_channels (GstDataChannelSrc *self)
{
  GPtrArray *links;

  g_mutex_lock (&self->lock);
  links = self->links;
  self->links = gst_rtc_src_new_links ();
  for (guint i = 0; i < links->len; i++) {
    GstRtcSrcLink *link = g_ptr_array_index (links, i);

    link->is_closed = TRUE;
    if (link->is_held_up)
      add_unread (link, -HOLD_UP_BYTES);
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < links->len; i++) {
    GstRtcSrcLink *link = g_ptr_array_index (links, i);

    gst_rtc_channel_remove_listener (link->channel, link);
    gst_rtc_channel_add_unread (link->channel, (gssize)g_atomic_pointer_get (&link->unread));
  }
  g_ptr_array_unref (links);
}
