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
  gint ref_count; /* atomic; the lists that it is in */
  gint removed; /* atomic */
  const GstRtcChannelEvents *events;
  gpointer user_data;
  GDestroyNotify notify;

  /* whoever tells events */
  GstRtcChannelState known; /* the last state that it was told */
} Listener;

/* One that has to wait for its turn. */
typedef enum
{
  TELL_STATE,
  TELL_MESSAGE,
  TELL_LOW,
} TellType;

typedef struct
{
  TellType type;
  GstRtcChannelState state;
  GError *error;
  gboolean is_text;
  GBytes *message;
  gint64 arrival;
  gboolean was_held; /* and is counted as unread */
} Tell;

GQuark
gst_rtc_channel_error_quark (void)
{
  return g_quark_from_static_string ("gst-rtc-channel-error-quark");
}

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

static Tell *
tell_copy (const Tell *tell)
{
  Tell *copy = g_new (Tell, 1);

  *copy = *tell;
  if (tell->error)
    copy->error = g_error_copy (tell->error);
  if (tell->message)
    g_bytes_ref (tell->message);
  return copy;
}

static void
tell_free (gpointer data)
{
  Tell *tell = data;

  g_clear_error (&tell->error);
  g_clear_pointer (&tell->message, g_bytes_unref);
  g_free (tell);
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

gboolean
gst_rtc_channel_init_equal (const GstRtcChannelInit *a, const GstRtcChannelInit *b)
{
  return g_strcmp0 (a->label ? a->label : "", b->label ? b->label : "") == 0
      && g_strcmp0 (a->protocol ? a->protocol : "", b->protocol ? b->protocol : "") == 0 && !a->ordered == !b->ordered
      && a->max_retransmits == b->max_retransmits && a->max_packet_lifetime == b->max_packet_lifetime
      && !a->negotiated == !b->negotiated && (!a->negotiated || a->id == b->id);
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
  g_queue_init (&self->waiting);
  g_queue_init (&self->held);
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
  g_queue_clear_full (&self->waiting, tell_free);
  g_queue_clear_full (&self->held, tell_free);
  g_clear_error (&self->error);
  gst_rtc_channel_init_clear (&self->init);
  g_free (self->peer_id);
  g_mutex_clear (&self->lock);
  self->klass->free (self);
}

/* The list without those of OMIT. Under the lock. */
static GPtrArray *
copy_listeners (GstRtcChannel *self, gpointer omit)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func (listener_unref);

  for (guint i = 0; i < self->listeners->len; i++) {
    Listener *listener = g_ptr_array_index (self->listeners, i);

    if (omit && listener->user_data == omit) {
      g_atomic_int_set (&listener->removed, TRUE);
      continue;
    }
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

  g_mutex_lock (&self->lock);
  state = self->state;
  *listener = (Listener){1, FALSE, events, user_data, notify, state};
  before = self->listeners;
  after = copy_listeners (self, NULL);
  g_ptr_array_add (after, listener);
  self->listeners = after;
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

static void
tell_one (GstRtcChannel *self, Listener *listener, const Tell *tell)
{
  const GstRtcChannelEvents *events = listener->events;

  if (g_atomic_int_get (&listener->removed))
    return;
  switch (tell->type) {
    case TELL_STATE:
      /* One that came in between learned it from add_listener(). */
      if (tell->state <= listener->known)
        return;
      listener->known = tell->state;
      if (events->state)
        events->state (self, tell->state, tell->error, listener->user_data);
      break;
    case TELL_MESSAGE:
      if (events->message)
        events->message (self, tell->is_text, tell->message, tell->arrival, listener->user_data);
      break;
    case TELL_LOW:
      if (events->low)
        events->low (self, listener->user_data);
      break;
  }
}

/* Takes LISTENERS. */
static void
tell_all (GstRtcChannel *self, GPtrArray *listeners, const Tell *tell)
{
  for (guint i = 0; i < listeners->len; i++)
    tell_one (self, g_ptr_array_index (listeners, i), tell);
  g_ptr_array_unref (listeners);
  if (tell->was_held)
    gst_rtc_channel_add_unread (self, -(gssize)g_bytes_get_size (tell->message));
}

/* Tells what waits, with SELF->telling set by the caller, until nothing does. Returns after CLOSED without listeners:
 * so that those who hold a reference to the channel let it go. Under the lock, which is released in between. */
static void
tell_waiting (GstRtcChannel *self)
{
  GPtrArray *last;
  Tell *tell;

  while ((tell = g_queue_pop_head (&self->waiting))) {
    GPtrArray *listeners = g_ptr_array_ref (self->listeners);

    g_mutex_unlock (&self->lock);
    tell_all (self, listeners, tell);
    g_mutex_lock (&self->lock);
    self->told_closed |= tell->type == TELL_STATE && tell->state == GST_RTC_CHANNEL_CLOSED;
    tell_free (tell);
  }
  self->telling = FALSE;
  if (!self->told_closed || self->listeners->len == 0)
    return;
  last = self->listeners;
  self->listeners = g_ptr_array_new_with_free_func (listener_unref);
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (last);
  g_mutex_lock (&self->lock);
}

/* Tells it now, or has whoever is telling do it next. Under the lock, which is released in between. */
static void
tell_in_turn (GstRtcChannel *self, const Tell *tell)
{
  GPtrArray *listeners;

  if (self->telling) {
    g_queue_push_tail (&self->waiting, tell_copy (tell));
    return;
  }
  self->telling = TRUE;
  self->told_closed = tell->type == TELL_STATE && tell->state == GST_RTC_CHANNEL_CLOSED;
  listeners = g_ptr_array_ref (self->listeners);
  g_mutex_unlock (&self->lock);
  tell_all (self, listeners, tell);
  g_mutex_lock (&self->lock);
  tell_waiting (self);
}

void
gst_rtc_channel_set_state (GstRtcChannel *self, GstRtcChannelState state, const GError *error)
{
  g_mutex_lock (&self->lock);
  if (state > self->state) {
    g_atomic_int_set ((gint *)&self->state, state);
    if (error && !self->error)
      self->error = g_error_copy (error);
    tell_in_turn (self, &(Tell){.type = TELL_STATE, .state = state, .error = (GError *)error});
  }
  g_mutex_unlock (&self->lock);
}

/* Under the lock, which is released in between. */
static void
hold_message (GstRtcChannel *self, const Tell *tell)
{
  gsize size = g_bytes_get_size (tell->message);
  Tell *copy;

  if (self->held_bytes + size > GST_RTC_CHANNEL_MAX_HELD) {
    self->lost++;
    self->lost_bytes += size;
    return;
  }
  copy = tell_copy (tell);
  copy->was_held = TRUE;
  self->held_bytes += size;
  g_queue_push_tail (&self->held, copy);
  g_mutex_unlock (&self->lock);
  gst_rtc_channel_add_unread (self, size);
  g_mutex_lock (&self->lock);
}

void
gst_rtc_channel_deliver (GstRtcChannel *self, gboolean is_text, GBytes *message, gint64 arrival)
{
  Tell tell = {.type = TELL_MESSAGE, .is_text = is_text, .message = message, .arrival = arrival};

  g_mutex_lock (&self->lock);
  if (self->state == GST_RTC_CHANNEL_CLOSED)
    GST_DEBUG ("%s: a message after the end", self->init.label);
  else if (self->holding)
    hold_message (self, &tell);
  else
    tell_in_turn (self, &tell);
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_channel_tell_low (GstRtcChannel *self)
{
  g_mutex_lock (&self->lock);
  if (self->state != GST_RTC_CHANNEL_CLOSED)
    tell_in_turn (self, &(Tell){.type = TELL_LOW});
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_channel_hold (GstRtcChannel *self)
{
  g_mutex_lock (&self->lock);
  self->holding = TRUE;
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_channel_release (GstRtcChannel *self)
{
  Tell *tell;

  g_mutex_lock (&self->lock);
  /* Nothing comes after CLOSED: it is left for drop_held(). */
  if (self->state != GST_RTC_CHANNEL_CLOSED) {
    self->holding = FALSE;
    self->held_bytes = 0;
    while ((tell = g_queue_pop_head (&self->held)))
      g_queue_push_tail (&self->waiting, tell);
  }
  if (!self->telling) {
    self->telling = TRUE;
    self->told_closed = FALSE;
    tell_waiting (self);
  }
  g_mutex_unlock (&self->lock);
}

guint64
gst_rtc_channel_drop_held (GstRtcChannel *self, guint64 *bytes)
{
  GQueue dropped = G_QUEUE_INIT;
  gsize unread;
  guint64 n;

  g_mutex_lock (&self->lock);
  dropped = self->held;
  g_queue_init (&self->held);
  unread = self->held_bytes;
  self->held_bytes = 0;
  self->holding = FALSE;
  n = self->lost + dropped.length;
  *bytes = self->lost_bytes + unread;
  self->lost = self->lost_bytes = 0;
  g_mutex_unlock (&self->lock);
  g_queue_clear_full (&dropped, tell_free);
  if (unread)
    gst_rtc_channel_add_unread (self, -(gssize)unread);
  return n;
}

GstRtcChannelState
gst_rtc_channel_get_state (GstRtcChannel *self)
{
  return g_atomic_int_get ((gint *)&self->state);
}

GError *
gst_rtc_channel_copy_error (GstRtcChannel *self)
{
  GError *error;

  g_mutex_lock (&self->lock);
  error = self->error ? g_error_copy (self->error) : NULL;
  g_mutex_unlock (&self->lock);
  return error;
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
  gssize now;

  g_atomic_pointer_add (&self->unread, bytes);
  if (!self->klass->unread_changed)
    return;
  /* Whoever tells it last tells what is true: two threads may overtake each other in here. */
  do {
    now = (gssize)g_atomic_pointer_get (&self->unread);
    self->klass->unread_changed (self, MAX (now, 0));
  } while (now != (gssize)g_atomic_pointer_get (&self->unread));
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
  const GstRtcChannelInit *init = &self->init;
  GstStructure *stats = gst_structure_new ("application/x-rtc-channel-stats", "peer-id", G_TYPE_STRING, self->peer_id,
      "label", G_TYPE_STRING, init->label, "protocol", G_TYPE_STRING, init->protocol, "remote", G_TYPE_BOOLEAN,
      self->is_remote, "ordered", G_TYPE_BOOLEAN, init->ordered, "state", G_TYPE_STRING,
      gst_rtc_channel_state_to_string (gst_rtc_channel_get_state (self)), "id", G_TYPE_INT,
      gst_rtc_channel_get_id (self), "buffered-amount", G_TYPE_UINT64, (guint64)gst_rtc_channel_get_buffered (self),
      "unread-amount", G_TYPE_UINT64, (guint64)MAX ((gssize)g_atomic_pointer_get (&self->unread), 0), NULL);

  if (init->max_retransmits >= 0)
    gst_structure_set (stats, "max-retransmits", G_TYPE_INT, init->max_retransmits, NULL);
  if (init->max_packet_lifetime >= 0)
    gst_structure_set (stats, "max-packet-lifetime", G_TYPE_INT, init->max_packet_lifetime, NULL);
  self->klass->add_stats (self, stats);
  return stats;
}
