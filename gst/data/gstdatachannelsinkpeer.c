/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What datachannelsink does about one peer: its queue, and which of its channels is used. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsink.h"
#include "core/rtcdeadline.h"
#include "core/rtcprefetch.h"

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

/* What a channel is given ahead, so that it never runs dry: enough for a round trip of 10 ms at 200 Mbit/s. */
#define HIGH_BYTES (256 * 1024)
#define LOW_BYTES (64 * 1024)
/* One that has so much tells when it has room again; it is asked before that when so long has passed. */
#define FULL_TIME (10 * G_TIME_SPAN_MILLISECOND)

#define BATCH 64

/* One channel. The listener has a reference. */
typedef struct
{
  gint ref_count; /* atomic */
  GstRtcSinkPeer *peer; /* (owned) */
  GstRtcChannel *channel; /* (owned) */

  /* under the sink's lock */
  GstRtcChannelState state; /* as far as it was told; it never goes back */
} Link;

GstRtcSinkMessage *
gst_rtc_sink_message_ref (GstRtcSinkMessage *message)
{
  return g_atomic_rc_box_acquire (message);
}

static void
message_clear (gpointer data)
{
  GstRtcSinkMessage *message = data;

  g_bytes_unref (message->bytes);
}

void
gst_rtc_sink_message_unref (gpointer message)
{
  g_atomic_rc_box_release_full (message, message_clear);
}

GstRtcSinkPeer *
gst_rtc_sink_peer_ref (GstRtcSinkPeer *peer)
{
  g_atomic_int_inc (&peer->ref_count);
  return peer;
}

void
gst_rtc_sink_peer_unref (gpointer data)
{
  GstRtcSinkPeer *peer = data;

  if (!g_atomic_int_dec_and_test (&peer->ref_count))
    return;
  g_ptr_array_unref (peer->links);
  rtc_data_queue_free (peer->queue);
  gst_object_unref (peer->sink);
  g_free (peer->id);
  g_free (peer);
}

static void
link_unref (gpointer data)
{
  Link *link = data;

  if (!g_atomic_int_dec_and_test (&link->ref_count))
    return;
  gst_rtc_channel_unref (link->channel);
  gst_rtc_sink_peer_unref (link->peer);
  g_free (link);
}

/* With the lock. */
static GstRtcSinkPeer *
find_peer (GstDataChannelSink *sink, const gchar *id)
{
  for (guint i = 0; i < sink->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (sink->peers, i);

    if (g_strcmp0 (peer->id, id) == 0)
      return peer;
  }
  return NULL;
}

/* Blocking one peer's producer blocks those of the others: the queues have to know. With the lock. */
static void
tell_queues_who_is_there (GstDataChannelSink *sink)
{
  for (guint i = 0; i < sink->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (sink->peers, i);

    rtc_data_queue_set_shared (peer->queue, sink->peers->len > 1);
  }
  g_cond_broadcast (&sink->changed);
}

/* With the lock. The first peer gets what waited for one. */
static GstRtcSinkPeer *
add_peer (GstDataChannelSink *sink, const gchar *id)
{
  GstRtcSinkPeer *peer = g_new0 (GstRtcSinkPeer, 1);

  peer->ref_count = 1;
  peer->sink = gst_object_ref (sink);
  peer->id = g_strdup (id);
  peer->links = g_ptr_array_new_with_free_func (link_unref);
  peer->lost_at = -1;
  peer->queue = gst_data_channel_sink_new_queue (sink);
  if (sink->peers->len == 0) {
    RtcDataQueue *empty = peer->queue;

    peer->queue = sink->hold;
    sink->hold = empty;
  }
  g_ptr_array_add (sink->peers, peer);
  tell_queues_who_is_there (sink);
  GST_DEBUG_OBJECT (sink, "peer %s is there", id);
  return peer;
}

void
gst_rtc_sink_peer_remove (GstRtcSinkPeer *peer)
{
  GstDataChannelSink *sink = peer->sink;
  RtcDataCount dropped;

  if (peer->is_gone)
    return;
  peer->is_gone = TRUE;
  rtc_data_queue_clear (peer->queue);
  dropped = rtc_data_queue_get_dropped (peer->queue);
  sink->dropped.messages += dropped.messages;
  sink->dropped.bytes += dropped.bytes;
  sink->sent.messages += peer->sent.messages;
  sink->sent.bytes += peer->sent.bytes;
  GST_DEBUG_OBJECT (
      sink, "peer %s is gone; %" G_GUINT64_FORMAT " messages were dropped in all", peer->id, dropped.messages);
  g_ptr_array_remove (sink->peers, peer);
  tell_queues_who_is_there (sink);
}

gint64
gst_rtc_sink_peer_get_deadline (GstDataChannelSink *sink)
{
  gint64 deadline = -1;

  for (guint i = 0; i < sink->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (sink->peers, i);

    if (peer->lost_at >= 0)
      deadline = rtc_earlier (deadline, peer->lost_at + sink->max_time * G_TIME_SPAN_MILLISECOND);
  }
  return deadline;
}

void
gst_rtc_sink_peer_remove_lost (GstDataChannelSink *sink, gint64 now)
{
  for (guint i = sink->peers->len; i-- > 0;) {
    GstRtcSinkPeer *peer = g_ptr_array_index (sink->peers, i);

    if (peer->lost_at >= 0 && now - peer->lost_at >= sink->max_time * G_TIME_SPAN_MILLISECOND)
      gst_rtc_sink_peer_remove (peer);
  }
}

GPtrArray *
gst_rtc_sink_peer_list_channels (GstRtcSinkPeer *peer)
{
  GPtrArray *channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);

  for (guint i = 0; i < peer->links->len; i++) {
    Link *link = g_ptr_array_index (peer->links, i);

    g_ptr_array_add (channels, gst_rtc_channel_ref (link->channel));
  }
  return channels;
}

void
gst_rtc_sink_peer_remove_all (GstDataChannelSink *sink)
{
  GPtrArray *links = g_ptr_array_new_with_free_func (link_unref);

  while (sink->peers->len > 0) {
    GstRtcSinkPeer *peer = gst_rtc_sink_peer_ref (g_ptr_array_index (sink->peers, 0));

    peer->current = NULL;
    while (peer->links->len > 0)
      g_ptr_array_add (links, g_ptr_array_steal_index (peer->links, peer->links->len - 1));
    gst_rtc_sink_peer_remove (peer);
    gst_rtc_sink_peer_unref (peer);
  }
  g_mutex_unlock (&sink->lock);
  for (guint i = 0; i < links->len; i++) {
    Link *link = g_ptr_array_index (links, i);

    gst_rtc_channel_remove_listener (link->channel, link);
  }
  g_ptr_array_unref (links);
  g_mutex_lock (&sink->lock);
}

/* Which channel is used: the one that is, as long as it is open; else one that is, our own first. With the lock. */
static void
choose_link (GstRtcSinkPeer *peer)
{
  Link *best = peer->current;

  if (best && best->state >= GST_RTC_CHANNEL_CLOSING)
    best = NULL;
  for (guint i = 0; i < peer->links->len; i++) {
    Link *link = g_ptr_array_index (peer->links, i);

    if (link->state >= GST_RTC_CHANNEL_CLOSING)
      continue;
    if (!best || (best->state == GST_RTC_CHANNEL_CONNECTING && link->state == GST_RTC_CHANNEL_OPEN))
      best = link;
    else if (best != peer->current && link->state == best->state && !link->channel->is_remote)
      best = link;
  }
  peer->current = best;
}

/* A message could not be sent for what it is. Once for each peer: a warning for each message would be a flood. */
static void
warn_refused (GstRtcSinkPeer *peer, const GError *error)
{
  GstDataChannelSink *sink = peer->sink;

  GST_ELEMENT_WARNING (sink, RESOURCE, WRITE,
      ("A message for peer %s was dropped: %s. Others like it are dropped without a word.", peer->id, error->message),
      (NULL));
}

/* Messages that are handed over at once. */
typedef struct
{
  GstRtcSinkMessage *messages[BATCH];
  guint n;
} Batch;

/* Once, however often there is room until it looks. With the lock. */
static void
wake_producer (GstDataChannelSink *sink)
{
  if (sink->is_waiting)
    g_cond_signal (&sink->changed);
  sink->is_waiting = FALSE;
}

/* As many as there is room for. With the lock. */
static void
pop_batch (GstRtcSinkPeer *peer, gsize room, Batch *batch)
{
  gint64 now = g_get_monotonic_time ();
  gsize waiting = rtc_data_queue_get_waiting (peer->queue).bytes;

  batch->n = 0;
  while (batch->n < BATCH && waiting - rtc_data_queue_get_waiting (peer->queue).bytes < room) {
    GstRtcSinkMessage *message = rtc_data_queue_pop (peer->queue, now);

    if (!message)
      break;
    batch->messages[batch->n++] = message;
  }
  if (rtc_data_queue_has_room (peer->queue))
    wake_producer (peer->sink);
}

/* Another core has written them, and each lock taken between two of them waits for what was asked for before. */
static void
prefetch (const Batch *batch)
{
  for (guint i = 0; i < batch->n; i++)
    rtc_prefetch (batch->messages[i]);
  for (guint i = 0; i < batch->n; i++)
    rtc_prefetch (batch->messages[i]->bytes);
  for (guint i = 0; i < batch->n; i++)
    rtc_prefetch (g_bytes_get_data (batch->messages[i]->bytes, NULL));
}

/* What was not taken from the message FIRST on, for ERROR, which it frees. With the lock, which it gives up meanwhile.
 * FALSE: that is all for now. */
static gboolean
take_back (GstRtcSinkPeer *peer, Batch *batch, guint first, GError *error)
{
  GstDataChannelSink *sink = peer->sink;
  /* It is closing, and the event is on its way. Whatever comes after it has the messages. */
  gboolean is_closing = !peer->is_gone && g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE);
  gboolean is_refused = !is_closing && !peer->is_gone && !peer->told_refused;

  GST_DEBUG_OBJECT (sink, "peer %s: %s", peer->id, error->message);
  for (guint i = batch->n; i-- > first;) {
    GstRtcSinkMessage *message = batch->messages[i];
    gsize size = g_bytes_get_size (message->bytes);

    if (is_closing || (i > first && !peer->is_gone)) {
      rtc_data_queue_put_back (peer->queue, message, size, message->time);
      continue;
    }
    if (peer->is_gone)
      gst_data_channel_sink_count_dropped (sink, size);
    else
      rtc_data_queue_count_dropped (peer->queue, size);
    gst_rtc_sink_message_unref (message);
  }
  peer->told_refused |= is_refused;
  if (is_refused) {
    g_mutex_unlock (&sink->lock);
    warn_refused (peer, error);
    g_mutex_lock (&sink->lock);
  }
  g_error_free (error);
  return !is_closing;
}

/* FALSE: that is all for now. With the lock, which it gives up while it calls the channel. */
static gboolean
send_some (GstRtcSinkPeer *peer)
{
  GstDataChannelSink *sink = peer->sink;
  gsize high = sink->overflow == RTC_DATA_OVERFLOW_LATEST ? 1 : HIGH_BYTES;
  Link *link = peer->current;
  Batch batch = {.n = 0};
  GError *error = NULL;
  gsize buffered, bytes = 0;
  RtcDataCount *count;
  guint sent = 0;

  if (peer->is_gone || !link || link->state != GST_RTC_CHANNEL_OPEN || rtc_data_queue_is_empty (peer->queue))
    return FALSE;
  g_atomic_int_inc (&link->ref_count);
  g_mutex_unlock (&sink->lock);
  buffered = gst_rtc_channel_get_buffered (link->channel);
  g_mutex_lock (&sink->lock);
  if (buffered >= high)
    peer->full_until = g_get_monotonic_time () + FULL_TIME;
  else if (!peer->is_gone)
    pop_batch (peer, high - buffered, &batch);
  if (batch.n == 0) {
    link_unref (link);
    return FALSE;
  }
  g_mutex_unlock (&sink->lock);
  prefetch (&batch);
  for (guint i = 0; i < batch.n && !error; i++) {
    GstRtcSinkMessage *message = batch.messages[i];

    if (!gst_rtc_channel_send (link->channel, message->is_text, message->bytes, &error))
      break;
    bytes += g_bytes_get_size (message->bytes);
    gst_rtc_sink_message_unref (message);
    sent++;
  }
  g_mutex_lock (&sink->lock);
  link_unref (link);
  count = peer->is_gone ? &sink->sent : &peer->sent;
  count->messages += sent;
  count->bytes += bytes;
  return error ? take_back (peer, &batch, sent, error) : TRUE;
}

gboolean
gst_rtc_sink_peer_wants_pump (const GstRtcSinkPeer *peer, gint64 now)
{
  return now >= peer->full_until;
}

void
gst_rtc_sink_peer_pump (GstRtcSinkPeer *peer)
{
  GstDataChannelSink *sink = peer->sink;

  g_mutex_lock (&sink->lock);
  peer->pump_again = TRUE;
  if (peer->is_pumping) {
    g_mutex_unlock (&sink->lock);
    return;
  }
  peer->is_pumping = TRUE;
  while (peer->pump_again) {
    peer->pump_again = FALSE;
    peer->full_until = 0;
    while (send_some (peer))
      ;
  }
  peer->is_pumping = FALSE;
  wake_producer (sink);
  g_mutex_unlock (&sink->lock);
}

/* With the lock. */
static void
take_state (Link *link, GstRtcChannelState state)
{
  GstRtcSinkPeer *peer = link->peer;

  link->state = MAX (link->state, state);
  choose_link (peer);
  if (link->state == GST_RTC_CHANNEL_CLOSED)
    g_ptr_array_remove (peer->links, link);
  g_cond_broadcast (&peer->sink->changed);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Link *link = user_data;
  GstRtcSinkPeer *peer = link->peer;
  GstDataChannelSink *sink = peer->sink;
  gboolean is_link_lost = g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK);
  RtcDataCount waiting = {0};

  GST_DEBUG_OBJECT (sink, "peer %s: %s%s%s", peer->id, gst_rtc_channel_state_to_string (state), error ? ": " : "",
      error ? error->message : "");
  g_atomic_int_inc (&link->ref_count);
  g_mutex_lock (&sink->lock);
  take_state (link, state);
  /* Peers may come and go while nothing is sent. */
  gst_rtc_sink_peer_remove_lost (sink, g_get_monotonic_time ());
  if (!peer->is_gone && peer->links->len == 0) {
    if (is_link_lost && sink->max_time > 0) {
      peer->lost_at = g_get_monotonic_time ();
    } else {
      waiting = rtc_data_queue_get_waiting (peer->queue);
      gst_rtc_sink_peer_remove (peer);
    }
  }
  g_mutex_unlock (&sink->lock);
  if (state == GST_RTC_CHANNEL_CLOSED && (waiting.messages > 0 || (error && !is_link_lost)))
    GST_ELEMENT_WARNING (sink, RESOURCE, WRITE,
        ("The data channel \"%s\" to peer %s was closed (%s), and %" G_GUINT64_FORMAT " messages (%" G_GUINT64_FORMAT
         " bytes) had not been sent",
            channel->init.label, channel->peer_id, error ? error->message : "by the peer", waiting.messages,
            waiting.bytes),
        (NULL));
  if (state == GST_RTC_CHANNEL_CLOSED)
    gst_rtc_channel_remove_listener (channel, link);
  gst_rtc_sink_peer_pump (peer);
  link_unref (link);
}

static void
on_low (GstRtcChannel *channel, gpointer user_data)
{
  Link *link = user_data;

  gst_rtc_sink_peer_pump (link->peer);
}

static const GstRtcChannelEvents channel_events = {on_state, NULL, on_low};

void
gst_rtc_sink_peer_on_channel (GstRtcChannel *channel, gpointer user_data)
{
  GstDataChannelSink *sink = user_data;
  GstRtcChannelState state;
  GstRtcSinkPeer *peer;
  Link *link;

  g_mutex_lock (&sink->lock);
  if (!sink->hold) {
    g_mutex_unlock (&sink->lock);
    return;
  }
  /* One that the peer opened, with settings that were not asked for. */
  if (!gst_rtc_channel_init_equal (&channel->init, &sink->init)) {
    g_mutex_unlock (&sink->lock);
    GST_DEBUG_OBJECT (
        sink, "peer %s opened \"%s\" with other settings; it is not used", channel->peer_id, channel->init.label);
    return;
  }
  peer = find_peer (sink, channel->peer_id);
  if (!peer)
    peer = add_peer (sink, channel->peer_id);
  peer->lost_at = -1;
  gst_rtc_sink_peer_ref (peer);
  link = g_new (Link, 1);
  *link = (Link){2, gst_rtc_sink_peer_ref (peer), gst_rtc_channel_ref (channel), GST_RTC_CHANNEL_CONNECTING};
  g_ptr_array_add (peer->links, link);
  g_mutex_unlock (&sink->lock);

  gst_rtc_channel_set_low_threshold (channel, sink->overflow == RTC_DATA_OVERFLOW_LATEST ? 0 : LOW_BYTES);
  state = gst_rtc_channel_add_listener (channel, &channel_events, link, link_unref);
  if (state == GST_RTC_CHANNEL_CLOSED) {
    on_state (channel, state, NULL, link);
  } else {
    g_mutex_lock (&sink->lock);
    take_state (link, state);
    g_mutex_unlock (&sink->lock);
    gst_rtc_sink_peer_pump (peer);
  }
  gst_rtc_sink_peer_unref (peer);
}
