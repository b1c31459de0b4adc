/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtclastingpriv.h"

/* Parts. */

GstRtcLastingPart *
gst_rtc_lasting_part_ref (GstRtcLastingPart *part)
{
  g_atomic_int_inc (&part->ref_count);
  return part;
}

void
gst_rtc_lasting_part_unref (gpointer data)
{
  GstRtcLastingPart *part = data;

  if (!g_atomic_int_dec_and_test (&part->ref_count))
    return;
  gst_rtc_channel_unref (part->channel);
  gst_rtc_channel_unref (part->lasting);
  g_free (part);
}

/* Under the lock. */
GstRtcLastingPart *
gst_rtc_lasting_find_part (GstRtcLasting *self, guint serial)
{
  for (guint i = 0; i < self->parts->len; i++) {
    GstRtcLastingPart *part = g_ptr_array_index (self->parts, i);

    if (part->serial == serial)
      return part;
  }
  return NULL;
}

/* What comes. */

static void
incoming_free (gpointer data)
{
  GstRtcLastingIncoming *item = data;

  g_clear_pointer (&item->message, g_bytes_unref);
  g_clear_error (&item->error);
  g_free (item);
}

/* The last thing that users hear. */
static void
tell_end (GstRtcLasting *self, const GError *error)
{
  gst_rtc_channel_set_state (&self->parent, GST_RTC_CHANNEL_CLOSED, error);
  self->events->over (self, error, self->user_data);
}

/* One thread delivers at a time, so that what came on two parts stays in order. It has set DELIVERING. Under the lock,
 * which is released in between. */
static void
deliver_queued (GstRtcLasting *self)
{
  GstRtcLastingIncoming *item;

  while ((item = g_queue_pop_head (&self->incoming))) {
    g_mutex_unlock (&self->lock);
    if (item->message)
      gst_rtc_channel_deliver (&self->parent, item->is_text, item->message, item->arrival);
    else
      tell_end (self, item->error);
    incoming_free (item);
    g_mutex_lock (&self->lock);
  }
  self->delivering = FALSE;
}

static void
deliver (GstRtcLasting *self)
{
  g_mutex_lock (&self->lock);
  if (!self->delivering) {
    self->delivering = TRUE;
    deliver_queued (self);
  }
  g_mutex_unlock (&self->lock);
}

/* Now, or behind what others deliver. Under the lock, which is released in between. */
static void
deliver_message (GstRtcLasting *self, gboolean is_text, GBytes *message, gint64 arrival)
{
  GstRtcLastingIncoming *item;

  if (!self->delivering && g_queue_is_empty (&self->incoming)) {
    self->delivering = TRUE;
    g_mutex_unlock (&self->lock);
    gst_rtc_channel_deliver (&self->parent, is_text, message, arrival);
    g_mutex_lock (&self->lock);
    deliver_queued (self);
    return;
  }
  item = g_new (GstRtcLastingIncoming, 1);
  *item = (GstRtcLastingIncoming){g_bytes_ref (message), is_text, arrival, NULL};
  g_queue_push_tail (&self->incoming, item);
  if (!self->delivering) {
    self->delivering = TRUE;
    deliver_queued (self);
  }
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  GstRtcLastingPart *part = user_data;
  GstRtcLasting *self = part->lasting;
  gsize size = g_bytes_get_size (message);
  gint64 before, after;

  g_mutex_lock (&self->lock);
  before = rtc_data_tally_get_deadline (&self->tally);
  if (self->over || !part->taken_as || !rtc_data_tally_take (&self->tally, part->taken_as, size, arrival)) {
    g_mutex_unlock (&self->lock);
    return;
  }
  after = rtc_data_tally_get_deadline (&self->tally);
  self->bytes_received += size;
  deliver_message (self, is_text, message, arrival);
  g_mutex_unlock (&self->lock);
  if (before < 0 || after == 0)
    self->events->due (self, after == 0, self->user_data);
}

static void
unread_changed (GstRtcChannel *channel, gsize bytes)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  gssize more;
  GstRtcLastingPart *in;

  g_mutex_lock (&self->lock);
  more = (gssize)bytes - (gssize)self->unread;
  self->unread = bytes;
  in = self->in ? gst_rtc_lasting_part_ref (self->in) : NULL;
  g_mutex_unlock (&self->lock);
  if (in) {
    gst_rtc_channel_add_unread (in->channel, more);
    gst_rtc_lasting_part_unref (in);
  }
}

void
gst_rtc_lasting_begin (GstRtcLasting *self, guint serial)
{
  GstRtcLastingPart *part, *before;
  gsize unread;

  g_mutex_lock (&self->lock);
  part = self->over || serial <= self->in_serial ? NULL : gst_rtc_lasting_find_part (self, serial);
  if (!part) {
    g_mutex_unlock (&self->lock);
    return;
  }
  before = self->in;
  self->in = gst_rtc_lasting_part_ref (part);
  gst_rtc_lasting_part_ref (part);
  self->in_serial = serial;
  part->taken_as = rtc_data_tally_begin (&self->tally);
  self->begun_untold = TRUE;
  unread = self->unread;
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&before, gst_rtc_lasting_part_unref);
  /* What is not used yet of what came before counts here, too. */
  if (unread > 0)
    gst_rtc_channel_add_unread (part->channel, unread);
  gst_rtc_channel_release (part->channel);
  gst_rtc_lasting_part_unref (part);
  self->events->due (self, TRUE, self->user_data);
}

gint64
gst_rtc_lasting_get_deadline (GstRtcLasting *self, guint *serial, gboolean *must)
{
  gint64 deadline = -1;

  g_mutex_lock (&self->lock);
  *serial = self->in_serial;
  *must = self->begun_untold;
  if (!self->over && self->in)
    deadline = self->begun_untold ? 0 : rtc_data_tally_get_deadline (&self->tally);
  g_mutex_unlock (&self->lock);
  return deadline;
}

gboolean
gst_rtc_lasting_tell (GstRtcLasting *self, guint serial, guint64 *delivered)
{
  gboolean current;

  g_mutex_lock (&self->lock);
  current = !self->over && self->in && self->in_serial == serial;
  if (current) {
    *delivered = self->tally.delivered;
    rtc_data_tally_told (&self->tally);
    self->begun_untold = FALSE;
  }
  g_mutex_unlock (&self->lock);
  return current;
}

/* Its parts. */

/* The connection is gone: it goes on with the next one. */
static void
lose_part (GstRtcLasting *self, GstRtcLastingPart *part)
{
  g_mutex_lock (&self->lock);
  if (part == self->out) {
    rtc_data_log_cut (self->log);
    g_clear_pointer (&self->out, gst_rtc_lasting_part_unref);
  }
  if (part == self->in)
    g_clear_pointer (&self->in, gst_rtc_lasting_part_unref);
  g_ptr_array_remove (self->parts, part);
  g_mutex_unlock (&self->lock);
  gst_rtc_lasting_check_high (self);
}

/* Whether PART's end is not that of the channel: its connection is gone, or a later one has a part, which the peer
 * closes, too, when it means that. */
static gboolean
goes_on (GstRtcLasting *self, GstRtcLastingPart *part, const GError *error)
{
  gboolean is_old;

  g_mutex_lock (&self->lock);
  is_old = part->serial < self->last_serial;
  g_mutex_unlock (&self->lock);
  return g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK) || (is_old && !error);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  GstRtcLastingPart *part = user_data;
  GstRtcLasting *self = part->lasting;

  gst_rtc_lasting_part_ref (part);
  if (state == GST_RTC_CHANNEL_OPEN)
    gst_rtc_channel_set_state (&self->parent, GST_RTC_CHANNEL_OPEN, NULL);
  else if (state == GST_RTC_CHANNEL_CLOSED && goes_on (self, part, error))
    lose_part (self, part);
  else if (state == GST_RTC_CHANNEL_CLOSED)
    gst_rtc_lasting_end (self, error);
  gst_rtc_lasting_part_unref (part);
}

static void
on_low (GstRtcChannel *channel, gpointer user_data)
{
  gst_rtc_lasting_check_low (((GstRtcLastingPart *)user_data)->lasting);
}

static const GstRtcChannelEvents part_events = {on_state, on_message, on_low};

gboolean
gst_rtc_lasting_may_have_part (GstRtcLasting *self, guint serial)
{
  gboolean may;

  g_mutex_lock (&self->lock);
  may = !self->over && serial > self->last_serial;
  g_mutex_unlock (&self->lock);
  return may;
}

void
gst_rtc_lasting_add_part (GstRtcLasting *self, GstRtcChannel *channel, guint serial, gboolean first)
{
  GstRtcLastingPart *part = g_new0 (GstRtcLastingPart, 1);
  gboolean over, fits = TRUE;
  GstRtcChannelState state;
  gsize low;

  *part = (GstRtcLastingPart){(GstRtcLasting *)gst_rtc_channel_ref (&self->parent), channel, serial, 1};
  gst_rtc_channel_hold (channel);
  g_mutex_lock (&self->lock);
  over = self->over || gst_rtc_lasting_find_part (self, serial);
  low = self->low;
  if (!over)
    g_ptr_array_add (self->parts, gst_rtc_lasting_part_ref (part));
  self->last_serial = MAX (self->last_serial, serial);
  g_mutex_unlock (&self->lock);
  if (over) {
    gst_rtc_channel_close (channel);
    gst_rtc_lasting_part_unref (part);
    return;
  }
  gst_rtc_channel_set_low_threshold (channel, low);
  state =
      gst_rtc_channel_add_listener (channel, &part_events, gst_rtc_lasting_part_ref (part), gst_rtc_lasting_part_unref);
  g_mutex_lock (&self->lock);
  if (first && !self->out && self->out_serial == 0) {
    self->out = gst_rtc_lasting_part_ref (part);
    self->out_serial = serial;
    rtc_data_log_resume (self->log, 0);
  } else if (self->told_serial == serial && serial > self->out_serial) {
    fits = gst_rtc_lasting_resume (self, gst_rtc_lasting_part_ref (part), self->told_delivered);
  }
  g_mutex_unlock (&self->lock);
  if (state == GST_RTC_CHANNEL_OPEN || state == GST_RTC_CHANNEL_CLOSED) {
    /* Told to others before we listened. */
    GError *error = gst_rtc_channel_copy_error (channel);

    on_state (channel, state, error, part);
    if (state == GST_RTC_CHANNEL_CLOSED)
      gst_rtc_channel_remove_listener (channel, part);
    g_clear_error (&error);
  }
  if (fits)
    gst_rtc_lasting_after_told (self);
  else
    gst_rtc_lasting_end_unknown (self);
  gst_rtc_lasting_part_unref (part);
}

void
gst_rtc_lasting_end (GstRtcLasting *self, const GError *error)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func (gst_rtc_lasting_part_unref);
  GstRtcLastingPart *out = NULL, *in = NULL;
  GstRtcLastingIncoming *item;

  g_mutex_lock (&self->lock);
  if (!self->over) {
    self->over = TRUE;
    for (guint i = 0; i < self->parts->len; i++)
      g_ptr_array_add (parts, gst_rtc_lasting_part_ref (g_ptr_array_index (self->parts, i)));
    g_ptr_array_set_size (self->parts, 0);
    out = g_steal_pointer (&self->out);
    in = g_steal_pointer (&self->in);
    item = g_new0 (GstRtcLastingIncoming, 1);
    item->error = error ? g_error_copy (error) : NULL;
    g_queue_push_tail (&self->incoming, item);
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < parts->len; i++) {
    GstRtcLastingPart *part = g_ptr_array_index (parts, i);
    guint64 bytes;

    gst_rtc_channel_remove_listener (part->channel, part);
    gst_rtc_channel_drop_held (part->channel, &bytes);
    gst_rtc_channel_close (part->channel);
  }
  g_ptr_array_unref (parts);
  g_clear_pointer (&out, gst_rtc_lasting_part_unref);
  g_clear_pointer (&in, gst_rtc_lasting_part_unref);
  deliver (self);
}

/* The channel that users have. */

static gint
get_id (GstRtcChannel *channel)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  GstRtcLastingPart *part = NULL;
  gint id = -1;

  g_mutex_lock (&self->lock);
  if (self->out)
    part = gst_rtc_lasting_part_ref (self->out);
  else if (self->parts->len > 0)
    part = gst_rtc_lasting_part_ref (g_ptr_array_index (self->parts, self->parts->len - 1));
  g_mutex_unlock (&self->lock);
  if (part) {
    id = gst_rtc_channel_get_id (part->channel);
    gst_rtc_lasting_part_unref (part);
  }
  return id;
}

static void
close_channel (GstRtcChannel *channel)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;

  g_mutex_lock (&self->lock);
  self->closing = TRUE;
  g_mutex_unlock (&self->lock);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  gst_rtc_lasting_check_close (self);
}

static void
add_stats (GstRtcChannel *channel, GstStructure *stats)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;

  g_mutex_lock (&self->lock);
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, self->messages_sent, "bytes-sent", G_TYPE_UINT64,
      self->bytes_sent, "messages-received", G_TYPE_UINT64, self->tally.delivered, "bytes-received", G_TYPE_UINT64,
      self->bytes_received, NULL);
  g_mutex_unlock (&self->lock);
}

static void
free_channel (GstRtcChannel *channel)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;

  g_ptr_array_unref (self->parts);
  g_clear_pointer (&self->out, gst_rtc_lasting_part_unref);
  g_clear_pointer (&self->in, gst_rtc_lasting_part_unref);
  g_queue_clear_full (&self->incoming, incoming_free);
  rtc_data_log_free (self->log);
  g_mutex_clear (&self->lock);
  if (self->notify)
    self->notify (self->user_data);
  g_free (self);
}

static const GstRtcChannelClass lasting_class = {
    .send = gst_rtc_lasting_send,
    .get_buffered = gst_rtc_lasting_get_buffered,
    .set_low_threshold = gst_rtc_lasting_set_low_threshold,
    .unread_changed = unread_changed,
    .get_id = get_id,
    .get_max_message_size = gst_rtc_lasting_get_max_message_size,
    .close = close_channel,
    .add_stats = add_stats,
    .free = free_channel,
};

guint64
gst_rtc_lasting_get_number (GstRtcLasting *self)
{
  return self->number;
}

GstRtcLasting *
gst_rtc_lasting_new (const gchar *peer_id, gboolean is_remote, guint64 number, const GstRtcChannelInit *init,
    const GstRtcLastingEvents *events, gpointer user_data, GDestroyNotify notify)
{
  GstRtcLasting *self = g_new0 (GstRtcLasting, 1);

  self->number = number;
  self->events = events;
  self->user_data = user_data;
  self->notify = notify;
  g_mutex_init (&self->lock);
  self->parts = g_ptr_array_new_with_free_func (gst_rtc_lasting_part_unref);
  self->log = rtc_data_log_new (G_MAXSIZE);
  /* Until there is a part that the peer takes from. */
  rtc_data_log_cut (self->log);
  self->max_message_size = G_MAXSIZE;
  g_queue_init (&self->incoming);
  gst_rtc_channel_construct (&self->parent, &lasting_class, peer_id, is_remote, init, GST_RTC_CHANNEL_CONNECTING);
  return self;
}
