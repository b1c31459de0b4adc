/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcchannel.h"

typedef struct
{
  gint ref_count; /* atomic; the list that it is in, and each event on its way */
  const GstRtcChannelEvents *events;
  gpointer user_data;
  GDestroyNotify notify;
} Listener;

G_DEFINE_QUARK (gst - rtc - channel - error - quark, gst_rtc_channel_error)

static void
listener_unref (gpointer data)
{
  Listener *listener = data;

  if (!g_atomic_int_dec_and_test (&listener->ref_count))
    return;
  if (listener->notify)
    listener->notify (listener->user_data);
  g_free (listener);
}

const gchar *
gst_rtc_channel_state_to_string (GstRtcChannelState state)
{
  static const gchar *const names[] = {"connecting", "open", "closing", "closed"};

  return names[state];
}

GstRtcChannelInit
gst_rtc_channel_init_copy (const GstRtcChannelInit *init)
{
  GstRtcChannelInit copy = *init;

  copy.label = g_strdup (init->label ? init->label : "");
  copy.protocol = g_strdup (init->protocol ? init->protocol : "");
  return copy;
}

void
gst_rtc_channel_init_clear (GstRtcChannelInit *init)
{
  g_clear_pointer (&init->label, g_free);
  g_clear_pointer (&init->protocol, g_free);
}

void
gst_rtc_channel_construct (GstRtcChannel *self, const GstRtcChannelClass *klass, const gchar *peer_id,
    gboolean is_remote, const GstRtcChannelInit *init, GstRtcChannelState state)
{
  self->klass = klass;
  self->peer_id = g_strdup (peer_id);
  self->is_remote = is_remote;
  self->init = gst_rtc_channel_init_copy (init);
  self->ref_count = 1;
  self->state = state;
  self->listeners = g_ptr_array_new_with_free_func (listener_unref);
  g_mutex_init (&self->lock);
}

GstRtcChannel *
gst_rtc_channel_ref (GstRtcChannel *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
gst_rtc_channel_unref (gpointer data)
{
  GstRtcChannel *self = data;

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;
  g_ptr_array_unref (self->listeners);
  g_clear_error (&self->error);
  gst_rtc_channel_init_clear (&self->init);
  g_free (self->peer_id);
  g_mutex_clear (&self->lock);
  self->klass->free (self);
}

/* The list without the one of OMIT. Under the lock. */
static GPtrArray *
copy_listeners (GstRtcChannel *self, gpointer omit)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func (listener_unref);

  for (guint i = 0; i < self->listeners->len; i++) {
    Listener *listener = g_ptr_array_index (self->listeners, i);

    if (omit && listener->user_data == omit)
      continue;
    g_atomic_int_inc (&listener->ref_count);
    g_ptr_array_add (copy, listener);
  }
  return copy;
}

GstRtcChannelState
gst_rtc_channel_add_listener (
    GstRtcChannel *self, const GstRtcChannelEvents *events, gpointer user_data, GDestroyNotify notify)
{
  Listener *listener = g_new (Listener, 1);
  GPtrArray *before, *after;
  GstRtcChannelState state;

  *listener = (Listener){1, events, user_data, notify};
  g_mutex_lock (&self->lock);
  before = self->listeners;
  after = copy_listeners (self, NULL);
  g_ptr_array_add (after, listener);
  self->listeners = after;
  state = self->state;
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (before);
  return state;
}

void
gst_rtc_channel_remove_listener (GstRtcChannel *self, gpointer user_data)
{
  GPtrArray *before;

  g_mutex_lock (&self->lock);
  before = self->listeners;
  self->listeners = copy_listeners (self, user_data);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (before);
}

/* (transfer full): they stay as they are. */
static GPtrArray *
get_listeners (GstRtcChannel *self)
{
  GPtrArray *listeners;

  g_mutex_lock (&self->lock);
  listeners = g_ptr_array_ref (self->listeners);
  g_mutex_unlock (&self->lock);
  return listeners;
}

void
gst_rtc_channel_set_state (GstRtcChannel *self, GstRtcChannelState state, const GError *error)
{
  GPtrArray *listeners;

  g_mutex_lock (&self->lock);
  if (self->state == state) {
    g_mutex_unlock (&self->lock);
    return;
  }
  self->state = state;
  if (error && !self->error)
    self->error = g_error_copy (error);
  listeners = g_ptr_array_ref (self->listeners);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < listeners->len; i++) {
    Listener *listener = g_ptr_array_index (listeners, i);

    if (listener->events->state)
      listener->events->state (self, state, error, listener->user_data);
  }
  g_ptr_array_unref (listeners);
}

void
gst_rtc_channel_deliver (GstRtcChannel *self, gboolean is_text, GBytes *message, gint64 arrival)
{
  GPtrArray *listeners = get_listeners (self);

  for (guint i = 0; i < listeners->len; i++) {
    Listener *listener = g_ptr_array_index (listeners, i);

    if (listener->events->message)
      listener->events->message (self, is_text, message, arrival, listener->user_data);
  }
  g_ptr_array_unref (listeners);
}

void
gst_rtc_channel_tell_low (GstRtcChannel *self)
{
  GPtrArray *listeners = get_listeners (self);

  for (guint i = 0; i < listeners->len; i++) {
    Listener *listener = g_ptr_array_index (listeners, i);

    if (listener->events->low)
      listener->events->low (self, listener->user_data);
  }
  g_ptr_array_unref (listeners);
}

GstRtcChannelState
gst_rtc_channel_get_state (GstRtcChannel *self)
{
  GstRtcChannelState state;

  g_mutex_lock (&self->lock);
  state = self->state;
  g_mutex_unlock (&self->lock);
  return state;
}

gint
gst_rtc_channel_get_id (GstRtcChannel *self)
{
  return self->klass->get_id (self);
}

static gboolean
check_message (GstRtcChannel *self, gboolean is_text, GBytes *message, GError **error)
{
  GstRtcChannelState state = gst_rtc_channel_get_state (self);
  gsize size;
  const gchar *text = g_bytes_get_data (message, &size);

  if (state >= GST_RTC_CHANNEL_CLOSING) {
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE,
        "The data channel \"%s\" to peer %s is %s, so nothing more can be sent on it", self->init.label, self->peer_id,
        gst_rtc_channel_state_to_string (state));
    return FALSE;
  }
  if (is_text && size > 0 && !g_utf8_validate_len (text, size, NULL)) {
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TEXT,
        "A text message for the data channel \"%s\" is not UTF-8; send it as binary", self->init.label);
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_rtc_channel_send (GstRtcChannel *self, gboolean is_text, GBytes *message, GError **error)
{
  return check_message (self, is_text, message, error) && self->klass->send (self, is_text, message, error);
}

gsize
gst_rtc_channel_get_buffered (GstRtcChannel *self)
{
  return self->klass->get_buffered (self);
}

void
gst_rtc_channel_set_low_threshold (GstRtcChannel *self, gsize bytes)
{
  self->klass->set_low_threshold (self, bytes);
}

void
gst_rtc_channel_add_unread (GstRtcChannel *self, gssize bytes)
{
  gssize before = g_atomic_pointer_add (&self->unread, bytes);

  if (self->klass->unread_changed)
    self->klass->unread_changed (self, MAX (before + bytes, 0));
}

void
gst_rtc_channel_close (GstRtcChannel *self)
{
  if (gst_rtc_channel_get_state (self) < GST_RTC_CHANNEL_CLOSING)
    self->klass->close (self);
}

GstStructure *
gst_rtc_channel_make_stats (GstRtcChannel *self)
{
  GstStructure *stats = gst_structure_new ("application/x-rtc-channel-stats", "peer-id", G_TYPE_STRING, self->peer_id,
      "label", G_TYPE_STRING, self->init.label, "protocol", G_TYPE_STRING, self->init.protocol, "state", G_TYPE_STRING,
      gst_rtc_channel_state_to_string (gst_rtc_channel_get_state (self)), "id", G_TYPE_INT,
      gst_rtc_channel_get_id (self), "buffered-amount", G_TYPE_UINT64, (guint64)gst_rtc_channel_get_buffered (self),
      NULL);

  self->klass->add_stats (self, stats);
  return stats;
}
