/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativechannel.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_native_debug);
#define GST_CAT_DEFAULT gst_rtc_native_debug

/* So many packets are acknowledged at the latest, in the midst of a batch that came in. */
#define MAX_TAKEN 16

/* What the engine tells. Everything on the loop. */

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  GstRtcNativeData *self = user_data;
  GstRtcNative *t = self->t;

  /* What is lost here is sent again. */
  if (t && t->ice && !t->lapsed && !t->hung_up)
    rtc_endpoint_send_data (t->endpoint, data, size);
}

static void
on_link (gboolean is_up, const GError *error, gpointer user_data)
{
  GstRtcNativeData *self = user_data;

  if (self->t)
    GST_INFO_OBJECT (self->t->base.bin, "data channels %s%s%s", is_up ? "can be used" : "are over", error ? ": " : "",
        error ? error->message : "");
  self->is_over |= !is_up;
  if (is_up) {
    g_mutex_lock (&self->lock);
    self->max_message_size = MIN (self->max_message_size, rtc_data_get_peer_max_message_size (self->engine));
    g_mutex_unlock (&self->lock);
  }
  if (error && !self->end)
    self->end = gst_rtc_native_channel_error_new (error);
}

static void
on_channel (RtcDataChannel *channel, gpointer user_data)
{
  GstRtcNativeData *self = user_data;
  GstRtcNative *t = self->t;
  const RtcDataChannelInit *wanted = rtc_data_channel_get_init (channel);
  GstRtcChannelInit init = {.label = (gchar *)wanted->label,
      .protocol = (gchar *)wanted->protocol,
      .ordered = wanted->ordered,
      .max_retransmits = wanted->max_retransmits,
      .max_packet_lifetime = wanted->max_packet_lifetime,
      .id = wanted->id,
      .priority = wanted->priority};
  GstRtcNativeChannel *mine = gst_rtc_native_channel_new (self, TRUE, &init, GST_RTC_CHANNEL_OPEN);

  mine->channel = channel;
  rtc_data_channel_set_user_data (channel, mine);
  rtc_data_channel_set_max_buffered (channel, G_MAXSIZE);
  g_ptr_array_add (self->channels, mine);
  self->n_opened++;
  if (t && !t->closed && t->base.events->channel)
    t->base.events->channel (&t->base, &mine->base, t->base.user_data);
  else
    rtc_data_channel_close (channel, self->now);
}

static void
on_state (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data)
{
  GstRtcNativeChannel *mine = rtc_data_channel_get_user_data (channel);

  if (!mine)
    return;
  gst_rtc_channel_ref (&mine->base);
  gst_rtc_native_channel_set_state (mine, state, error);
  gst_rtc_channel_unref (&mine->base);
}

static void
on_message (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data)
{
  GstRtcNativeData *self = user_data;
  GstRtcNativeChannel *mine = rtc_data_channel_get_user_data (channel);

  gst_rtc_native_channel_touch (mine);
  gst_rtc_channel_deliver (&mine->base, is_text, message, self->now);
}

static const RtcDataEvents engine_events = {
    .transmit = on_transmit,
    .link = on_link,
    .channel = on_channel,
    .state = on_state,
    .message = on_message,
};

/* Beginning and end. */

GstRtcNativeData *
gst_rtc_native_data_new (GstRtcNative *t)
{
  GstRtcNativeData *self = g_new0 (GstRtcNativeData, 1);
  RtcDataConfig config = {.max_message_size = RTC_DATA_MAX_MESSAGE_SIZE};

  self->ref_count = 1;
  self->loop = gst_rtc_loop_ref (t->shared->loop);
  self->peer_id = g_strdup (t->config.peer_id);
  g_mutex_init (&self->lock);
  self->ready = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  self->max_message_size = G_MAXUINT64;
  self->t = t;
  self->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  self->busy = g_ptr_array_new ();
  self->engine = rtc_data_new (&config, &engine_events, self);
  return self;
}

GstRtcNativeData *
gst_rtc_native_data_ref (GstRtcNativeData *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
gst_rtc_native_data_unref (gpointer data)
{
  GstRtcNativeData *self = data;

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;
  g_clear_pointer (&self->ready, g_ptr_array_unref);
  g_ptr_array_unref (self->channels);
  g_ptr_array_unref (self->busy);
  g_clear_error (&self->end);
  g_mutex_clear (&self->lock);
  gst_rtc_loop_unref (self->loop);
  g_free (self->peer_id);
  g_free (self);
}

/* ERROR is taken; NULL: there is one already. */
static void
end_channels (GstRtcNativeData *self, GError *error)
{
  if (self->end && error)
    g_error_free (error);
  else if (error)
    self->end = error;
  self->is_over = TRUE;
  while (self->channels->len > 0) {
    GstRtcNativeChannel *channel = g_ptr_array_index (self->channels, 0);

    gst_rtc_channel_ref (&channel->base);
    if (channel->channel)
      rtc_data_channel_set_user_data (channel->channel, NULL);
    gst_rtc_native_channel_set_state (channel, RTC_DATA_CLOSED, NULL);
    gst_rtc_channel_unref (&channel->base);
  }
}

void
gst_rtc_native_data_close (GstRtcNative *t, GError *error)
{
  GstRtcNativeData *self = t->data;

  if (!self->engine || !self->t) {
    g_error_free (error);
    return;
  }
  gst_rtc_native_data_begin (self);
  end_channels (self, error);
  rtc_data_close (self->engine, self->now);
  gst_rtc_native_data_end (self);
}

void
gst_rtc_native_data_free (GstRtcNative *t)
{
  GstRtcNativeData *self = t->data;

  GPtrArray *ready;

  gst_rtc_native_pacer_remove (t->shared->pacer, self);
  self->t = NULL;
  g_clear_pointer (&self->engine, rtc_data_free);
  /* Channels may be kept by others for long, but nothing is done for them any more. */
  g_mutex_lock (&self->lock);
  self->is_gone = TRUE;
  ready = g_steal_pointer (&self->ready);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (ready);
  gst_rtc_native_data_unref (self);
}

static const GstRtcLine *
find_line (GstRtcNative *t)
{
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);

    if (line->is_data && line->accepted)
      return line;
  }
  return NULL;
}

static void
look_at_all (GstRtcNativeData *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->channels->len; i++) {
    GstRtcNativeChannel *channel = g_ptr_array_index (self->channels, i);

    if (!channel->is_ready)
      g_ptr_array_add (self->ready, gst_rtc_channel_ref (&channel->base));
    channel->is_ready = TRUE;
  }
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_native_data_described (GstRtcNative *t)
{
  GstRtcNativeData *self = t->data;
  const GstRtcLine *line = find_line (t);

  if (!line) {
    gst_rtc_native_data_close (t,
        g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER,
            "Peer %s takes no data channels: its description has no m=application section, or rejects ours",
            self->peer_id));
    return;
  }
  g_mutex_lock (&self->lock);
  self->max_message_size = line->max_message_size ? line->max_message_size : G_MAXUINT64;
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_native_data_start (GstRtcNative *t)
{
  GstRtcNativeData *self = t->data;
  const GstRtcLine *line = find_line (t);

  if (!line || self->is_over)
    return;
  gst_rtc_native_data_begin (self);
  rtc_data_start (self->engine, !t->remote.is_dtls_server, GST_RTC_NATIVE_SCTP_PORT, line->sctp_port,
      line->max_message_size, self->now);
  self->is_started = TRUE;
  look_at_all (self);
  gst_rtc_native_data_end (self);
}

/* Work. */

void
gst_rtc_native_data_begin (GstRtcNativeData *self)
{
  self->now = g_get_monotonic_time ();
  if (self->is_begun || !self->engine)
    return;
  self->is_begun = TRUE;
  self->n_taken = 0;
  /* What listeners ask for meanwhile is done at the end. */
  g_mutex_lock (&self->lock);
  self->is_woken = TRUE;
  g_mutex_unlock (&self->lock);
  rtc_data_begin (self->engine, self->now);
  if (self->t) {
    rtc_dtls_hold (rtc_endpoint_get_dtls (self->t->endpoint));
    g_ptr_array_add (self->t->shared->begun, self);
  }
}

/* What is wanted of channels since the loop looked last. */
static void
work (GstRtcNativeData *self)
{
  GPtrArray *ready, *empty = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);

  g_mutex_lock (&self->lock);
  ready = self->ready;
  self->ready = empty;
  self->is_woken = FALSE;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < ready->len; i++)
    gst_rtc_native_channel_work (g_ptr_array_index (ready, i));
  g_ptr_array_unref (ready);
}

void
gst_rtc_native_data_end (GstRtcNativeData *self)
{
  GstRtcNative *t = self->t;

  if (!self->is_begun)
    return;
  work (self);
  rtc_data_set_unread (self->engine, self->unread, self->now);
  if (t)
    gst_rtc_native_shared_gather (t);
  rtc_data_end (self->engine);
  if (t) {
    gst_rtc_native_shared_release (t);
    rtc_dtls_release (rtc_endpoint_get_dtls (t->endpoint));
  }
  self->is_begun = FALSE;
  for (guint i = self->busy->len; i-- > 0;) {
    if (i < self->busy->len)
      gst_rtc_native_channel_look (g_ptr_array_index (self->busy, i));
  }
  if (t) {
    g_ptr_array_remove_fast (t->shared->begun, self);
    gst_rtc_native_pacer_look (t->shared->pacer, self);
    gst_rtc_native_shared_schedule (t->shared, t);
  }
}

void
gst_rtc_native_data_take (GstRtcNative *t, const guint8 *packet, gsize size)
{
  GstRtcNativeData *self = t->data;

  gst_rtc_native_data_begin (self);
  rtc_data_take (self->engine, packet, size, self->now);
  /* What comes in with it is answered with it. */
  if (!gst_rtc_poll_is_serving (t->shared->poll) || ++self->n_taken >= MAX_TAKEN)
    gst_rtc_native_data_end (self);
}

void
gst_rtc_native_data_end_all (gpointer shared)
{
  GPtrArray *begun = ((GstRtcNativeShared *)shared)->begun;

  while (begun->len > 0)
    gst_rtc_native_data_end (g_ptr_array_index (begun, begun->len - 1));
}

gint64
gst_rtc_native_data_get_deadline (GstRtcNative *t)
{
  return rtc_data_get_coarse_deadline (t->data->engine);
}

void
gst_rtc_native_data_tick (GstRtcNative *t)
{
  gint64 deadline = rtc_data_get_deadline (t->data->engine);

  if (deadline < 0 || deadline > g_get_monotonic_time ())
    return;
  gst_rtc_native_data_begin (t->data);
  rtc_data_tick (t->data->engine, t->data->now);
  gst_rtc_native_data_end (t->data);
}

void
gst_rtc_native_data_path_is_back (GstRtcNative *t)
{
  gst_rtc_native_data_begin (t->data);
  rtc_data_hurry (t->data->engine, t->data->now);
  gst_rtc_native_data_end (t->data);
}

/* Opening from here. */

typedef struct
{
  GstRtcNative *t;
  const GstRtcChannelInit *init;
  GstRtcNativeChannel *channel; /* that was made */
  GError *error;
} Open;

static void
make_channel (gpointer user_data)
{
  Open *open = user_data;
  GstRtcNativeData *self = open->t->data;
  const GstRtcChannelInit *init = open->init;
  RtcDataChannelInit wanted = {.label = init->label,
      .protocol = init->protocol,
      .max_retransmits = init->max_retransmits,
      .max_packet_lifetime = init->max_packet_lifetime,
      .negotiated = init->negotiated,
      .id = init->id,
      .priority = init->priority};

  if (self->end)
    open->error = g_error_copy (self->end);
  if (open->error || !rtc_data_check (self->engine, &wanted, &open->error))
    return;
  open->channel = gst_rtc_native_channel_new (self, FALSE, init, GST_RTC_CHANNEL_CONNECTING);
  g_ptr_array_add (self->channels, gst_rtc_channel_ref (&open->channel->base));
}

static void
open_on_loop (gpointer user_data)
{
  GstRtcNativeChannel *channel = user_data;
  GstRtcNativeData *self = channel->data;

  if (!self->t || gst_rtc_channel_get_state (&channel->base) == GST_RTC_CHANNEL_CLOSED)
    return;
  gst_rtc_native_data_begin (self);
  channel->is_open_due = TRUE;
  gst_rtc_native_channel_work (channel);
  gst_rtc_native_data_end (self);
}

/* The caller has returned, and may have added its listeners. */
static void
open_later (gpointer user_data)
{
  GstRtcNativeChannel *channel = user_data;

  gst_rtc_loop_post (channel->data->loop, open_on_loop, gst_rtc_channel_ref (&channel->base), gst_rtc_channel_unref);
}

GstRtcChannel *
gst_rtc_native_open_channel (GstRtcTransport *base, const GstRtcChannelInit *init, GError **error)
{
  Open open = {(GstRtcNative *)base, init};

  gst_rtc_loop_call (open.t->shared->loop, make_channel, &open);
  if (!open.channel) {
    g_propagate_error (error, gst_rtc_native_channel_error_new (open.error));
    g_error_free (open.error);
    return NULL;
  }
  gst_rtc_loop_post (open.t->config.loop, open_later, gst_rtc_channel_ref (&open.channel->base), gst_rtc_channel_unref);
  return &open.channel->base;
}

/* Stats. */

static void
add (RtcDataChannelStats *sum, const RtcDataChannelStats *counts)
{
  sum->messages_sent += counts->messages_sent;
  sum->bytes_sent += counts->bytes_sent;
  sum->messages_received += counts->messages_received;
  sum->bytes_received += counts->bytes_received;
}

void
gst_rtc_native_data_add_stats (GstRtcNative *t, GstStructure *stats)
{
  GstRtcNativeData *self = t->data;
  RtcDataChannelStats sum = self->past;
  RtcSctpStats sctp;
  gboolean interleaving;

  for (guint i = 0; i < self->channels->len; i++) {
    GstRtcNativeChannel *channel = g_ptr_array_index (self->channels, i);

    if (channel->channel)
      add (&sum, rtc_data_channel_get_stats (channel->channel));
  }
  gst_structure_set (stats, "data-channels-opened", G_TYPE_UINT, self->n_opened, "data-channels-closed", G_TYPE_UINT,
      self->n_closed, "data-messages-sent", G_TYPE_UINT64, sum.messages_sent, "data-bytes-sent", G_TYPE_UINT64,
      sum.bytes_sent, "data-messages-received", G_TYPE_UINT64, sum.messages_received, "data-bytes-received",
      G_TYPE_UINT64, sum.bytes_received, NULL);
  if (!rtc_data_get_path (self->engine, &sctp, &interleaving))
    return;
  gst_structure_set (stats, "sctp-smoothed-round-trip-time", G_TYPE_DOUBLE, sctp.round_trip / (gdouble)G_USEC_PER_SEC,
      "sctp-congestion-window", G_TYPE_UINT, sctp.window, "sctp-bytes-in-flight", G_TYPE_UINT, sctp.flight,
      "sctp-chunks-sent", G_TYPE_UINT64, sctp.chunks_sent, "sctp-chunks-retransmitted", G_TYPE_UINT64,
      sctp.chunks_resent, "sctp-messages-abandoned", G_TYPE_UINT64, sctp.messages_abandoned, "sctp-interleaving",
      G_TYPE_BOOLEAN, interleaving, NULL);
}
