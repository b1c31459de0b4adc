/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativechannel.h"

#define OUTBOX 16 /* messages that there is room for at first */
/* The peer's window is RTC_SCTP_BUFFER: what is unread need not be known more exactly than this. */
#define UNREAD_STEP (64 * 1024)

static void
clear_message (gpointer data)
{
  g_bytes_unref (((GstRtcNativeMessage *)data)->bytes);
}

static void
run (gpointer user_data)
{
  GstRtcNativeData *data = user_data;

  gst_rtc_native_data_begin (data);
  gst_rtc_native_data_end (data);
}

/* Under the lock, from any thread: the loop looks at it soon. */
static void
wake (GstRtcNativeChannel *self)
{
  GstRtcNativeData *data = self->data;

  if (data->is_gone)
    return;
  if (!self->is_ready)
    g_ptr_array_add (data->ready, gst_rtc_channel_ref (&self->base));
  self->is_ready = TRUE;
  if (data->is_woken)
    return;
  data->is_woken = TRUE;
  gst_rtc_loop_post (data->loop, run, gst_rtc_native_data_ref (data), gst_rtc_native_data_unref);
}

/* What is asked of it. */

static gboolean
channel_send (GstRtcChannel *base, gboolean is_text, GBytes *message, GError **error)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;
  GstRtcNativeMessage entry = {message, is_text};
  gsize size = g_bytes_get_size (message);
  guint64 limit;
  gboolean closing;

  g_mutex_lock (&self->data->lock);
  limit = self->data->max_message_size;
  closing = self->close_wanted;
  if (!closing && size <= limit) {
    if (!self->outbox)
      self->outbox = g_steal_pointer (&self->spare);
    if (!self->outbox) {
      self->outbox = g_array_sized_new (FALSE, FALSE, sizeof (GstRtcNativeMessage), OUTBOX);
      g_array_set_clear_func (self->outbox, clear_message);
    }
    g_bytes_ref (message);
    g_array_append_val (self->outbox, entry);
    self->outbox_bytes += size;
    self->was_high |= self->outbox_bytes + self->queued > self->low;
    wake (self);
  }
  g_mutex_unlock (&self->data->lock);
  if (closing)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE,
        "The data channel \"%s\" to peer %s is being closed, so nothing more can be sent on it", base->init.label,
        base->peer_id);
  else if (size > limit)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE,
        "A message of %" G_GSIZE_FORMAT " bytes is more than the %" G_GUINT64_FORMAT
        " that peer %s takes (its max-message-size); send it in parts",
        size, limit, base->peer_id);
  return !closing && size <= limit;
}

static gsize
channel_get_buffered (GstRtcChannel *base)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;
  gsize bytes;

  g_mutex_lock (&self->data->lock);
  bytes = self->outbox_bytes + self->queued;
  g_mutex_unlock (&self->data->lock);
  return bytes;
}

static void
channel_set_low_threshold (GstRtcChannel *base, gsize bytes)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;

  g_mutex_lock (&self->data->lock);
  self->low = bytes;
  self->was_high = self->outbox_bytes + self->queued > bytes;
  g_mutex_unlock (&self->data->lock);
}

static void
channel_unread_changed (GstRtcChannel *base, gsize bytes)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;

  g_mutex_lock (&self->data->lock);
  self->unread = bytes;
  if (MAX (bytes, self->seen_unread) - MIN (bytes, self->seen_unread) >= UNREAD_STEP)
    wake (self);
  g_mutex_unlock (&self->data->lock);
}

static gint
channel_get_id (GstRtcChannel *base)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;
  gint id;

  g_mutex_lock (&self->data->lock);
  id = self->id;
  g_mutex_unlock (&self->data->lock);
  return id;
}

static gsize
channel_get_max_message_size (GstRtcChannel *base)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;
  guint64 limit;

  g_mutex_lock (&self->data->lock);
  limit = self->data->max_message_size;
  g_mutex_unlock (&self->data->lock);
  return MIN (limit, G_MAXSIZE);
}

static void
channel_close (GstRtcChannel *base)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;

  g_mutex_lock (&self->data->lock);
  self->close_wanted = TRUE;
  wake (self);
  g_mutex_unlock (&self->data->lock);
}

static void
channel_add_stats (GstRtcChannel *base, GstStructure *stats)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;
  RtcDataChannelStats counts;

  g_mutex_lock (&self->data->lock);
  counts = self->stats;
  g_mutex_unlock (&self->data->lock);
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, counts.messages_sent, "bytes-sent", G_TYPE_UINT64,
      counts.bytes_sent, "messages-received", G_TYPE_UINT64, counts.messages_received, "bytes-received", G_TYPE_UINT64,
      counts.bytes_received, "messages-expired", G_TYPE_UINT64, counts.messages_expired, "messages-dropped",
      G_TYPE_UINT64, counts.messages_dropped, NULL);
}

static void
channel_free (GstRtcChannel *base)
{
  GstRtcNativeChannel *self = (GstRtcNativeChannel *)base;

  g_clear_pointer (&self->outbox, g_array_unref);
  g_clear_pointer (&self->spare, g_array_unref);
  gst_rtc_native_data_unref (self->data);
  g_free (self);
}

static const GstRtcChannelClass channel_class = {
    .send = channel_send,
    .get_buffered = channel_get_buffered,
    .set_low_threshold = channel_set_low_threshold,
    .unread_changed = channel_unread_changed,
    .get_id = channel_get_id,
    .get_max_message_size = channel_get_max_message_size,
    .close = channel_close,
    .add_stats = channel_add_stats,
    .free = channel_free,
};

GstRtcNativeChannel *
gst_rtc_native_channel_new (
    GstRtcNativeData *data, gboolean is_remote, const GstRtcChannelInit *init, GstRtcChannelState state)
{
  GstRtcNativeChannel *self = g_new0 (GstRtcNativeChannel, 1);

  self->data = gst_rtc_native_data_ref (data);
  self->id = init->id;
  gst_rtc_channel_construct (&self->base, &channel_class, data->peer_id, is_remote, init, state);
  return self;
}

/* On the loop. */

GError *
gst_rtc_native_channel_error_new (const GError *error)
{
  static const GstRtcChannelError codes[] = {
      [RTC_DATA_ERROR_CONFIG] = GST_RTC_CHANNEL_ERROR_CONFIG,
      [RTC_DATA_ERROR_ID] = GST_RTC_CHANNEL_ERROR_ID,
      [RTC_DATA_ERROR_STATE] = GST_RTC_CHANNEL_ERROR_STATE,
      [RTC_DATA_ERROR_TOO_LARGE] = GST_RTC_CHANNEL_ERROR_TOO_LARGE,
      [RTC_DATA_ERROR_FULL] = GST_RTC_CHANNEL_ERROR_STATE,
      [RTC_DATA_ERROR_TEXT] = GST_RTC_CHANNEL_ERROR_TEXT,
      [RTC_DATA_ERROR_PEER] = GST_RTC_CHANNEL_ERROR_PEER,
      [RTC_DATA_ERROR_LINK] = GST_RTC_CHANNEL_ERROR_LINK,
  };

  if (error->domain != RTC_DATA_ERROR)
    return g_error_copy (error);
  return g_error_new_literal (GST_RTC_CHANNEL_ERROR, codes[error->code], error->message);
}

void
gst_rtc_native_channel_touch (GstRtcNativeChannel *self)
{
  if (!self->is_busy)
    g_ptr_array_add (self->data->busy, self);
  self->is_busy = TRUE;
}

void
gst_rtc_native_channel_look (GstRtcNativeChannel *self)
{
  gsize queued = self->channel ? rtc_data_channel_get_buffered (self->channel) : 0;
  gboolean is_low;

  g_mutex_lock (&self->data->lock);
  self->queued = queued;
  if (self->channel) {
    self->id = rtc_data_channel_get_id (self->channel);
    self->stats = *rtc_data_channel_get_stats (self->channel);
  }
  is_low = self->was_high && self->outbox_bytes + queued <= self->low;
  self->was_high &= !is_low;
  g_mutex_unlock (&self->data->lock);
  if (queued == 0) {
    self->is_busy = FALSE;
    g_ptr_array_remove_fast (self->data->busy, self);
  }
  if (is_low)
    gst_rtc_channel_tell_low (&self->base);
}

static void
count_unread (GstRtcNativeChannel *self, gsize unread)
{
  self->data->unread += unread - self->counted_unread;
  self->counted_unread = unread;
}

/* It is over: what was not sent is dropped, and counted. */
static void
forget (GstRtcNativeChannel *self)
{
  GstRtcNativeData *data = self->data;
  GArray *left;

  count_unread (self, 0);
  gst_rtc_native_channel_touch (self);
  gst_rtc_native_channel_look (self);
  g_mutex_lock (&data->lock);
  left = g_steal_pointer (&self->outbox);
  if (left) {
    self->stats.messages_dropped += left->len;
    self->stats.bytes_dropped += self->outbox_bytes;
  }
  self->outbox_bytes = self->queued = 0;
  data->past.messages_sent += self->stats.messages_sent;
  data->past.bytes_sent += self->stats.bytes_sent;
  data->past.messages_received += self->stats.messages_received;
  data->past.bytes_received += self->stats.bytes_received;
  g_mutex_unlock (&data->lock);
  g_clear_pointer (&left, g_array_unref);
  if (self->is_busy)
    g_ptr_array_remove_fast (data->busy, self);
  self->is_busy = self->is_open_due = FALSE;
  self->channel = NULL;
}

/* Under the lock. What is to be sent now; NULL: nothing. */
static GArray *
take_outbox (GstRtcNativeChannel *self)
{
  self->queued += self->outbox_bytes;
  self->outbox_bytes = 0;
  return g_steal_pointer (&self->outbox);
}

/* MESSAGES: taken; NULL: none. */
static void
send_messages (GstRtcNativeChannel *self, GArray *messages)
{
  GError *error = NULL;

  if (!messages)
    return;

  for (guint i = 0; i < messages->len && self->channel && !error; i++) {
    const GstRtcNativeMessage *message = &g_array_index (messages, GstRtcNativeMessage, i);

    rtc_data_channel_send (self->channel, message->is_text, message->bytes, self->data->now, &error);
  }
  gst_rtc_native_channel_touch (self);
  /* It was taken when nobody knew better: reliable means that the channel cannot go on without it. */
  if (error && error->code == RTC_DATA_ERROR_TOO_LARGE && self->channel)
    rtc_data_channel_fail (self->channel, error, self->data->now);
  g_clear_error (&error);
  g_array_set_size (messages, 0);
  g_mutex_lock (&self->data->lock);
  if (!self->spare)
    self->spare = g_steal_pointer (&messages);
  g_mutex_unlock (&self->data->lock);
  g_clear_pointer (&messages, g_array_unref);
}

/* The peer closes it. What was sent before anybody could know that goes out first. */
static void
begin_to_close (GstRtcNativeChannel *self)
{
  GArray *messages;

  g_mutex_lock (&self->data->lock);
  self->close_wanted = TRUE;
  messages = take_outbox (self);
  g_mutex_unlock (&self->data->lock);
  send_messages (self, messages);
}

void
gst_rtc_native_channel_set_state (GstRtcNativeChannel *self, RtcDataState state, const GError *error)
{
  static const GstRtcChannelState states[] = {
      [RTC_DATA_CONNECTING] = GST_RTC_CHANNEL_CONNECTING,
      [RTC_DATA_OPEN] = GST_RTC_CHANNEL_OPEN,
      [RTC_DATA_CLOSING] = GST_RTC_CHANNEL_CLOSING,
      [RTC_DATA_CLOSED] = GST_RTC_CHANNEL_CLOSED,
  };
  GstRtcNativeData *data = self->data;
  GError *why = NULL;

  if (state == RTC_DATA_CLOSED) {
    if (error || data->end)
      why = gst_rtc_native_channel_error_new (error ? error : data->end);
    data->n_closed += gst_rtc_channel_get_state (&self->base) != GST_RTC_CHANNEL_CONNECTING;
    forget (self);
  } else {
    if (state == RTC_DATA_CLOSING)
      begin_to_close (self);
    gst_rtc_native_channel_touch (self);
    gst_rtc_native_channel_look (self);
    data->n_opened += state == RTC_DATA_OPEN;
  }
  gst_rtc_channel_set_state (&self->base, states[state], why);
  g_clear_error (&why);
  if (state == RTC_DATA_CLOSED)
    g_ptr_array_remove (data->channels, self);
}

static void
open_channel (GstRtcNativeChannel *self)
{
  const GstRtcChannelInit *init = &self->base.init;
  RtcDataChannelInit wanted = {.label = init->label,
      .protocol = init->protocol,
      .ordered = init->ordered,
      .max_retransmits = init->max_retransmits,
      .max_packet_lifetime = init->max_packet_lifetime,
      .negotiated = init->negotiated,
      .id = init->id,
      .priority = init->priority,
      .max_buffered = G_MAXSIZE};
  GError *error = NULL;

  self->is_open_due = FALSE;
  self->channel = rtc_data_open (self->data->engine, &wanted, self->data->now, &error);
  if (!self->channel) {
    gst_rtc_native_channel_set_state (self, RTC_DATA_CLOSED, error);
    g_error_free (error);
    return;
  }
  rtc_data_channel_set_user_data (self->channel, self);
  gst_rtc_native_channel_touch (self);
  if (rtc_data_channel_get_state (self->channel) != RTC_DATA_CONNECTING)
    gst_rtc_native_channel_set_state (self, rtc_data_channel_get_state (self->channel), NULL);
}

void
gst_rtc_native_channel_work (GstRtcNativeChannel *self)
{
  GstRtcNativeData *data = self->data;
  GArray *messages = NULL;
  gboolean close_wanted;
  gsize unread;

  if (self->is_open_due)
    open_channel (self);
  g_mutex_lock (&data->lock);
  self->is_ready = FALSE;
  unread = self->seen_unread = self->unread;
  if (self->channel && data->is_started)
    messages = take_outbox (self);
  close_wanted = self->close_wanted && !self->outbox;
  g_mutex_unlock (&data->lock);
  if (gst_rtc_channel_get_state (&self->base) != GST_RTC_CHANNEL_CLOSED)
    count_unread (self, unread);
  send_messages (self, messages);
  if (close_wanted && self->channel)
    rtc_data_channel_close (self->channel, data->now);
}
