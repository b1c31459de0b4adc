/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* How datachannelsink gets a message into the queues of its peers, and waits for them. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsink.h"
#include "core/rtcdeadline.h"

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

/* Waiting for what nobody tells (a transport's buffer that runs empty) looks as often. */
#define POLL_US (50 * G_TIME_SPAN_MILLISECOND)

/* Whether there is a clock behind what comes in, which does not wait. */
static gboolean
upstream_is_live (GstDataChannelSink *self)
{
  if (self->upstream_is_live < 0) {
    GstQuery *query = gst_query_new_latency ();
    gboolean is_live = FALSE;

    if (gst_pad_peer_query (GST_BASE_SINK_PAD (self), query))
      gst_query_parse_latency (query, &is_live, NULL, NULL);
    gst_query_unref (query);
    self->upstream_is_live = is_live;
  }
  return self->upstream_is_live;
}

static gboolean
waits_for_peer (GstDataChannelSink *self)
{
  if (self->wait_for_peer == GST_DATA_CHANNEL_WAIT_AUTO)
    return !upstream_is_live (self);
  return self->wait_for_peer == GST_DATA_CHANNEL_WAIT_YES;
}

static GstFlowReturn
wait_preroll (GstDataChannelSink *self)
{
  GstFlowReturn flow;

  g_mutex_unlock (&self->lock);
  flow = gst_base_sink_wait_preroll (GST_BASE_SINK (self));
  g_mutex_lock (&self->lock);
  return flow;
}

/* The step to PLAYING waits for the preroll lock, which this thread has: the base class may have let it render before
 * the one that sets the state came that far, and calls nobody to unlock it then. For that step this is a buffer that is
 * prerolled. */
static GstFlowReturn
let_start (GstDataChannelSink *self)
{
  GstBaseSink *sink = GST_BASE_SINK (self);

  sink->have_preroll = TRUE;
  GST_BASE_SINK_PREROLL_UNLOCK (sink);
  while (self->is_starting)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
  GST_BASE_SINK_PREROLL_LOCK (sink);
  g_mutex_lock (&self->lock);
  sink->have_preroll = FALSE;
  if (sink->flushing)
    return GST_FLOW_FLUSHING;
  return sink->need_preroll ? wait_preroll (self) : GST_FLOW_OK;
}

GstFlowReturn
gst_data_channel_sink_wait (GstDataChannelSink *self, gint64 deadline)
{
  deadline = rtc_earlier (deadline, gst_rtc_sink_peer_get_deadline (self));
  if (!self->is_unlocked && !self->is_starting) {
    self->is_waiting = TRUE;
    if (deadline < 0)
      g_cond_wait (&self->changed, &self->lock);
    else
      g_cond_wait_until (&self->changed, &self->lock, deadline);
    self->is_waiting = FALSE;
  }
  if (self->is_unlocked)
    return wait_preroll (self);
  return self->is_starting ? let_start (self) : GST_FLOW_OK;
}

/* Whom the next message is for. (transfer full) With the lock. */
static GPtrArray *
list_receivers (GstDataChannelSink *self, const gchar *to)
{
  GPtrArray *receivers = g_ptr_array_new_with_free_func (gst_rtc_sink_peer_unref);

  for (guint i = 0; i < self->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (self->peers, i);

    if (!to || g_strcmp0 (to, peer->id) == 0)
      g_ptr_array_add (receivers, gst_rtc_sink_peer_ref (peer));
  }
  return receivers;
}

void
gst_data_channel_sink_count_dropped (GstDataChannelSink *self, gsize size)
{
  self->dropped.messages++;
  self->dropped.bytes += size;
}

/* One message on its way into the queues. */
typedef struct
{
  GstRtcSinkMessage *message;
  GPtrArray *receivers; /* those that have no room yet; NULL: not known */
  GPtrArray *pump, *stalled; /* see pump_and_warn() */
  gboolean is_dealt_with; /* some queue has taken or dropped it */
} Delivery;

/* Puts the message into the queues that have room; the others follow. Returns when to look again, at the latest. With
 * the lock. */
static gint64
push_to_queues (GstDataChannelSink *self, Delivery *delivery)
{
  GstRtcSinkMessage *message = delivery->message;
  gsize size = g_bytes_get_size (message->bytes);
  gint64 now = g_get_monotonic_time ();
  gint64 deadline = -1;

  for (guint i = delivery->receivers->len; i-- > 0;) {
    GstRtcSinkPeer *peer = g_ptr_array_index (delivery->receivers, i);
    gint64 again = -1;
    RtcDataPush result;

    if (peer->is_gone) {
      g_ptr_array_remove_index (delivery->receivers, i);
      continue;
    }
    result = rtc_data_queue_push (peer->queue, message, size, now, message->time, &again);
    if (result == RTC_DATA_PUSH_WAIT) {
      deadline = rtc_earlier (deadline, again);
      continue;
    }
    delivery->is_dealt_with = TRUE;
    if (result == RTC_DATA_PUSH_TAKEN) {
      gst_rtc_sink_message_ref (message);
      if (gst_rtc_sink_peer_wants_pump (peer, now))
        g_ptr_array_add (delivery->pump, gst_rtc_sink_peer_ref (peer));
    } else if (rtc_data_queue_is_stalled (peer->queue) && !peer->told_stalled) {
      peer->told_stalled = TRUE;
      g_ptr_array_add (delivery->stalled, gst_rtc_sink_peer_ref (peer));
    }
    g_ptr_array_remove_index (delivery->receivers, i);
  }
  return deadline;
}

/* What follows from push_to_queues(). With the lock, which it gives up meanwhile. */
static void
pump_and_warn (GstDataChannelSink *self, Delivery *delivery)
{
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < delivery->pump->len; i++)
    gst_rtc_sink_peer_pump (g_ptr_array_index (delivery->pump, i));
  for (guint i = 0; i < delivery->stalled->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (delivery->stalled, i);

    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("Peer %s has taken nothing for max-time=%u ms while others wait. It is left behind, and misses messages, "
         "until "
         "it does again.",
            peer->id, self->max_time),
        (NULL));
  }
  g_ptr_array_set_size (delivery->pump, 0);
  g_ptr_array_set_size (delivery->stalled, 0);
  g_mutex_lock (&self->lock);
}

/* Nobody is there. TRUE: that was all; else DEADLINE is set. With the lock. */
static gboolean
hold_message (GstDataChannelSink *self, GstRtcSinkMessage *message, gint64 *deadline)
{
  gsize size = g_bytes_get_size (message->bytes);
  gboolean waits;

  g_mutex_unlock (&self->lock);
  waits = waits_for_peer (self);
  g_mutex_lock (&self->lock);
  if (self->peers->len > 0) {
    *deadline = 0;
    return FALSE;
  }
  if (!waits) {
    gst_data_channel_sink_count_dropped (self, size);
    return TRUE;
  }
  switch (rtc_data_queue_push (self->hold, message, size, g_get_monotonic_time (), message->time, deadline)) {
    case RTC_DATA_PUSH_TAKEN:
      gst_rtc_sink_message_ref (message);
      return TRUE;
    case RTC_DATA_PUSH_DROPPED:
      return TRUE;
    default:
      return FALSE;
  }
}

/* Does what can be done now. TRUE: that was all; else DEADLINE says when to look again. With the lock. */
static gboolean
deliver (GstDataChannelSink *self, Delivery *delivery, const gchar *to, gint64 *deadline)
{
  *deadline = -1;
  gst_rtc_sink_peer_remove_lost (self, g_get_monotonic_time ());
  if (!delivery->receivers && self->peers->len == 0 && !to)
    return hold_message (self, delivery->message, deadline);
  if (!delivery->receivers)
    delivery->receivers = list_receivers (self, to);
  *deadline = push_to_queues (self, delivery);
  if (delivery->receivers->len > 0)
    return FALSE;
  if (delivery->is_dealt_with)
    return TRUE;
  if (to) {
    gst_data_channel_sink_count_dropped (self, g_bytes_get_size (delivery->message->bytes));
    return TRUE;
  }
  /* All went away while it waited: whoever is there now gets it. */
  g_clear_pointer (&delivery->receivers, g_ptr_array_unref);
  *deadline = 0;
  return FALSE;
}

/* As most of the time: one peer, whose queue has room. TRUE: that was all. With the lock, which it gives up meanwhile.
 */
static gboolean
send_to_the_one (GstDataChannelSink *self, GstRtcSinkMessage *message)
{
  GstRtcSinkPeer *peer = g_ptr_array_index (self->peers, 0);
  gsize size = g_bytes_get_size (message->bytes);
  gint64 deadline;
  RtcDataPush result;

  if (peer->lost_at >= 0)
    return FALSE;
  result = rtc_data_queue_push (peer->queue, message, size, message->time, message->time, &deadline);
  if (result == RTC_DATA_PUSH_WAIT)
    return FALSE;
  if (result == RTC_DATA_PUSH_DROPPED)
    return TRUE;
  gst_rtc_sink_message_ref (message);
  if (!gst_rtc_sink_peer_wants_pump (peer, message->time))
    return TRUE;
  gst_rtc_sink_peer_ref (peer);
  g_mutex_unlock (&self->lock);
  gst_rtc_sink_peer_pump (peer);
  gst_rtc_sink_peer_unref (peer);
  g_mutex_lock (&self->lock);
  return TRUE;
}

/* As gst_data_channel_sink_send(), in all other cases. With the lock. */
static GstFlowReturn
send_to_all (GstDataChannelSink *self, GstRtcSinkMessage *message, const gchar *to)
{
  Delivery delivery = {
      .message = message,
      .pump = g_ptr_array_new_with_free_func (gst_rtc_sink_peer_unref),
      .stalled = g_ptr_array_new_with_free_func (gst_rtc_sink_peer_unref),
  };
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean is_done = FALSE;

  while (!is_done && flow == GST_FLOW_OK) {
    gint64 deadline;

    is_done = deliver (self, &delivery, to, &deadline);
    if (delivery.pump->len > 0 || delivery.stalled->len > 0)
      pump_and_warn (self, &delivery); /* and look again: others may have got room meanwhile */
    else if (!is_done && deadline != 0)
      flow = gst_data_channel_sink_wait (self, deadline);
  }
  g_clear_pointer (&delivery.receivers, g_ptr_array_unref);
  g_ptr_array_unref (delivery.pump);
  g_ptr_array_unref (delivery.stalled);
  return flow;
}

GstFlowReturn
gst_data_channel_sink_send (GstDataChannelSink *self, GstRtcSinkMessage *message, const gchar *to)
{
  GstFlowReturn flow = GST_FLOW_OK;

  g_mutex_lock (&self->lock);
  self->buffers++;
  self->bytes += g_bytes_get_size (message->bytes);
  if (to || self->peers->len != 1 || !send_to_the_one (self, message))
    flow = send_to_all (self, message, to);
  g_mutex_unlock (&self->lock);
  return flow;
}

/* All channels that are there, and how many messages wait before them. (transfer full) With the lock. */
static GPtrArray *
list_channels (GstDataChannelSink *self, RtcDataCount *waiting)
{
  GPtrArray *channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);

  *waiting = rtc_data_queue_get_waiting (self->hold);
  for (guint i = 0; i < self->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (self->peers, i);
    RtcDataCount count = rtc_data_queue_get_waiting (peer->queue);

    /* One that is just being handed over is neither here nor there. */
    waiting->messages += count.messages + (peer->is_pumping ? 1 : 0);
    waiting->bytes += count.bytes;
    g_ptr_array_extend_and_steal (channels, gst_rtc_sink_peer_list_channels (peer));
  }
  return channels;
}

/* Closes those that were opened here, which makes sure that the peers get everything. Returns how many are to go. */
static guint
close_channels (GstDataChannelSink *self, GPtrArray *channels)
{
  guint left = 0;

  gst_data_channel_sink_detach (self);
  self->is_closed = TRUE;
  for (guint i = 0; i < channels->len; i++) {
    GstRtcChannel *channel = g_ptr_array_index (channels, i);

    if (channel->is_remote)
      continue;
    gst_rtc_channel_close (channel);
    left++;
  }
  return left;
}

/* Bytes that wait in the channels, or, once they are closing, how many of them are not closed yet. */
static gsize
look_at_channels (GstDataChannelSink *self, GPtrArray *channels)
{
  gsize left = 0;

  for (guint i = 0; i < channels->len; i++) {
    GstRtcChannel *channel = g_ptr_array_index (channels, i);

    gst_rtc_channel_set_low_threshold (channel, 0);
    left += gst_rtc_channel_get_buffered (channel);
  }
  if (left == 0 && self->close_on_eos)
    left = close_channels (self, channels);
  return left;
}

GstFlowReturn
gst_data_channel_sink_drain (GstDataChannelSink *self)
{
  GstFlowReturn flow = GST_FLOW_OK;
  RtcDataCount waiting = {0};
  gint64 end = -1;
  gsize left = 0;

  g_mutex_lock (&self->lock);
  while (flow == GST_FLOW_OK) {
    gint64 now = g_get_monotonic_time ();
    GPtrArray *channels;

    gst_rtc_sink_peer_remove_lost (self, now);
    channels = list_channels (self, &waiting);
    if (self->peers->len > 0 && end < 0)
      end = now + self->drain_timeout * G_TIME_SPAN_MILLISECOND;
    if (waiting.messages == 0) {
      g_mutex_unlock (&self->lock);
      left = look_at_channels (self, channels);
      g_mutex_lock (&self->lock);
    }
    g_ptr_array_unref (channels);
    if ((waiting.messages == 0 && left == 0) || (end >= 0 && now >= end))
      break;
    flow = gst_data_channel_sink_wait (self, end < 0 ? -1 : MIN (end, now + POLL_US));
  }
  g_mutex_unlock (&self->lock);
  if (flow == GST_FLOW_OK && (waiting.messages > 0 || left > 0))
    GST_ELEMENT_WARNING (self, RESOURCE, WRITE,
        ("The stream ended, and drain-timeout=%u ms later %" G_GUINT64_FORMAT " messages (%" G_GUINT64_FORMAT
         " bytes) were not sent%s. Raise drain-timeout if the peers are slow.",
            self->drain_timeout, waiting.messages, waiting.bytes,
            left > 0 ? ", and what was sent before had not arrived" : ""),
        (NULL));
  return flow;
}
