/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcchannel.h"

#include <gst/webrtc/webrtc.h>

/* How often it is looked whether sctpenc has taken what was sent, while a channel closes. */
#define DRAIN_CHECK_MS 5

typedef struct
{
  GBytes *bytes;
  gboolean is_text;
} Message;

/* What webrtcbin told. */
typedef struct
{
  gboolean is_message;
  Message message;
  gint64 arrival;
  GstRtcChannelState state;
} Event;

struct _GstRtcWebrtcChannel
{
  GstRtcChannel base;

  /* set at construction */
  GstWebRTCDataChannel *object;
  GstRtcLoop *loop;
  gboolean is_mended;

  GMutex lock; /* never held while webrtcbin is called */
  /* under lock */
  GQueue came; /* of Event */
  GQueue outbox; /* of Message */
  gsize outbox_bytes;
  gsize low; /* threshold */
  gboolean was_high; /* there was more than that since it was told last */
  gboolean is_woken; /* work() is posted */
  gboolean close_wanted;
  GError *error; /* webrtcbin's, or ours; NULL: none */
  guint64 messages_sent, bytes_sent, messages_received, bytes_received;

  /* loop */
  gboolean is_started, is_open, is_closing, is_over;
  GstElement *encoder; /* NULL: not known */
  GSource *drain; /* NULL: none */
};

static void work (gpointer user_data);
static void drained (gpointer user_data);

static void
message_free (gpointer data)
{
  Message *message = data;

  g_bytes_unref (message->bytes);
  g_free (message);
}

static void
event_free (gpointer data)
{
  Event *event = data;

  g_clear_pointer (&event->message.bytes, g_bytes_unref);
  g_free (event);
}

/* Under the lock. */
static void
wake (GstRtcWebrtcChannel *self)
{
  if (self->is_woken)
    return;
  self->is_woken = TRUE;
  gst_rtc_loop_post (self->loop, work, gst_rtc_channel_ref (&self->base), gst_rtc_channel_unref);
}

static guint64
get_object_amount (GstRtcWebrtcChannel *self)
{
  guint64 amount = 0;

  g_object_get (self->object, "buffered-amount", &amount, NULL);
  return amount;
}

/* Handlers: any thread, with webrtcbin's locks held. */

static void
note_event (GstRtcWebrtcChannel *self, Event event)
{
  g_mutex_lock (&self->lock);
  if (event.is_message) {
    self->messages_received++;
    self->bytes_received += g_bytes_get_size (event.message.bytes);
  }
  g_queue_push_tail (&self->came, g_memdup2 (&event, sizeof event));
  wake (self);
  g_mutex_unlock (&self->lock);
}

static void
on_message (GstRtcWebrtcChannel *self, gboolean is_text, GBytes *bytes)
{
  note_event (self, (Event){TRUE, {bytes, is_text}, g_get_monotonic_time ()});
}

/* NULL: an empty one of a webrtcbin that is not mended, which takes text for data (GStreamer to 1.29.2 at least). */
static void
on_message_string (GObject *object, const gchar *text, GstRtcWebrtcChannel *self)
{
  on_message (self, text != NULL, text ? g_bytes_new (text, strlen (text)) : g_bytes_new (NULL, 0));
}

static void
on_message_data (GObject *object, GBytes *data, GstRtcWebrtcChannel *self)
{
  on_message (self, data == NULL, data ? g_bytes_ref (data) : g_bytes_new (NULL, 0));
}

static void
on_ready_state (GObject *object, GParamSpec *pspec, GstRtcWebrtcChannel *self)
{
  GstWebRTCDataChannelState state;

  g_object_get (object, "ready-state", &state, NULL);
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
    note_event (self, (Event){.state = GST_RTC_CHANNEL_OPEN});
  else if (state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING)
    note_event (self, (Event){.state = GST_RTC_CHANNEL_CLOSING});
  else if (state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED)
    note_event (self, (Event){.state = GST_RTC_CHANNEL_CLOSED});
}

static void
on_error (GObject *object, const GError *error, GstRtcWebrtcChannel *self)
{
  g_mutex_lock (&self->lock);
  if (!self->error)
    self->error =
        g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER, "webrtcbin ended the data channel \"%s\": %s",
            self->base.init.label, error ? error->message : "no reason given");
  g_mutex_unlock (&self->lock);
}

static void
on_buffered_amount (GObject *object, GParamSpec *pspec, GstRtcWebrtcChannel *self)
{
  guint64 amount = get_object_amount (self);

  g_mutex_lock (&self->lock);
  if (self->was_high && self->outbox_bytes + amount <= self->low)
    wake (self);
  g_mutex_unlock (&self->lock);
}

/* On the loop. */

static void
stop_drain (GstRtcWebrtcChannel *self)
{
  if (self->drain)
    g_source_destroy (self->drain);
  self->drain = NULL;
}

void
gst_rtc_webrtc_channel_shutdown (GstRtcWebrtcChannel *self, const GError *error)
{
  if (self->is_over)
    return;
  self->is_over = TRUE;
  stop_drain (self);
  gst_clear_object (&self->encoder);
  g_mutex_lock (&self->lock);
  g_queue_clear_full (&self->outbox, message_free);
  self->outbox_bytes = 0;
  g_mutex_unlock (&self->lock);
  gst_rtc_channel_ref (&self->base);
  g_signal_handlers_disconnect_by_data (self->object, self);
  gst_rtc_channel_set_state (&self->base, GST_RTC_CHANNEL_CLOSED, error);
  gst_rtc_channel_unref (&self->base);
}

/* ERROR: taken; what it ends with. */
static void
fail (GstRtcWebrtcChannel *self, GError *error)
{
  GError *old;

  g_mutex_lock (&self->lock);
  old = self->error;
  self->error = error;
  self->close_wanted = TRUE;
  g_queue_clear_full (&self->outbox, message_free);
  self->outbox_bytes = 0;
  g_mutex_unlock (&self->lock);
  g_clear_error (&old);
}

static void
take_message (GstRtcWebrtcChannel *self, const Event *event)
{
  gsize size;
  const gchar *text = g_bytes_get_data (event->message.bytes, &size);

  if (event->message.is_text && size > 0 && !g_utf8_validate_len (text, size, NULL))
    fail (self,
        g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER,
            "Peer %s sent a text on the data channel \"%s\" that is not UTF-8", self->base.peer_id,
            self->base.init.label));
  else
    gst_rtc_channel_deliver (&self->base, event->message.is_text, event->message.bytes, event->arrival);
}

static void
take_state (GstRtcWebrtcChannel *self, GstRtcChannelState state)
{
  GError *error;

  if (state == GST_RTC_CHANNEL_OPEN)
    self->is_open = TRUE;
  if (state == GST_RTC_CHANNEL_CLOSING) {
    self->is_open = FALSE;
    stop_drain (self);
  }
  if (state != GST_RTC_CHANNEL_CLOSED) {
    gst_rtc_channel_set_state (&self->base, state, NULL);
    return;
  }
  g_mutex_lock (&self->lock);
  error = g_steal_pointer (&self->error);
  g_mutex_unlock (&self->lock);
  gst_rtc_webrtc_channel_shutdown (self, error);
  g_clear_error (&error);
}

/* One that is empty goes in with no length, and sctpenc's pad gives it its identifier: what webrtcbin makes of NULL is
 * the other one's. */
static gboolean
send_message (GstRtcWebrtcChannel *self, const Message *message, GError **error)
{
  gsize size;
  const gchar *data = g_bytes_get_data (message->bytes, &size);
  gpointer copy = message->is_text ? (gpointer)g_strndup (size ? data : "", size)
      : size                       ? g_bytes_ref (message->bytes)
                                   : g_bytes_new_static ("", 0);
  gboolean done = message->is_text ? gst_webrtc_data_channel_send_string_full (self->object, copy, error)
                                   : gst_webrtc_data_channel_send_data_full (self->object, copy, error);

  (message->is_text ? g_free : (GDestroyNotify)g_bytes_unref) (copy);
  return done;
}

static void
send_next (GstRtcWebrtcChannel *self, Message *message)
{
  gsize size = g_bytes_get_size (message->bytes);
  GError *error = NULL;

  if (send_message (self, message, &error)) {
    g_mutex_lock (&self->lock);
    self->outbox_bytes -= size;
    self->messages_sent++;
    self->bytes_sent += size;
    g_mutex_unlock (&self->lock);
  } else {
    gboolean is_size = g_error_matches (error, GST_WEBRTC_ERROR, GST_WEBRTC_ERROR_TYPE_ERROR);

    /* It was taken: reliable means that the channel cannot go on without it. */
    fail (self,
        g_error_new (GST_RTC_CHANNEL_ERROR, is_size ? GST_RTC_CHANNEL_ERROR_TOO_LARGE : GST_RTC_CHANNEL_ERROR_PEER,
            "A message of %" G_GSIZE_FORMAT " bytes for peer %s could not be sent on the data channel \"%s\": %s", size,
            self->base.peer_id, self->base.init.label, error ? error->message : "no reason given"));
    g_clear_error (&error);
  }
  message_free (message);
}

/* Whether all that was sent is in SCTP's hands: what is on its way there would be lost. */
static gboolean
is_drained (GstRtcWebrtcChannel *self)
{
  guint expected = self->messages_sent + (self->base.init.negotiated ? 0 : 1);
  gboolean is_free = TRUE;
  GstPad *pad;
  gchar *name;
  gint id;

  if (get_object_amount (self) > 0)
    return FALSE;
  if (!self->encoder)
    return TRUE;
  g_object_get (self->object, "id", &id, NULL);
  name = g_strdup_printf ("sink_%d", id);
  pad = gst_element_get_static_pad (self->encoder, name);
  g_free (name);
  if (!pad)
    return TRUE;
  if (GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (pad), GST_RTC_WEBRTC_ENTERED)) < expected)
    is_free = FALSE;
  else if (g_rec_mutex_trylock (GST_PAD_GET_STREAM_LOCK (pad)))
    g_rec_mutex_unlock (GST_PAD_GET_STREAM_LOCK (pad));
  else
    is_free = FALSE;
  gst_object_unref (pad);
  return is_free;
}

/* webrtcbin closes only what is open. */
static void
go_on_closing (GstRtcWebrtcChannel *self)
{
  if (!self->is_closing) {
    self->is_closing = TRUE;
    gst_rtc_channel_set_state (&self->base, GST_RTC_CHANNEL_CLOSING, NULL);
  }
  if (!self->is_open || self->is_over)
    return;
  if (is_drained (self)) {
    self->is_open = FALSE;
    gst_webrtc_data_channel_close (self->object);
  } else if (!self->drain) {
    self->drain = gst_rtc_loop_add_timeout (self->loop, DRAIN_CHECK_MS, drained, self);
  }
}

static void
drained (gpointer user_data)
{
  GstRtcWebrtcChannel *self = user_data;

  self->drain = NULL;
  go_on_closing (self);
}

static void
take_events (GstRtcWebrtcChannel *self)
{
  Event *event = NULL;

  do {
    g_clear_pointer (&event, event_free);
    g_mutex_lock (&self->lock);
    event = g_queue_pop_head (&self->came);
    g_mutex_unlock (&self->lock);
    if (event && !self->is_over) {
      if (event->is_message)
        take_message (self, event);
      else
        take_state (self, event->state);
    }
  } while (event);
}

static void
send_outbox (GstRtcWebrtcChannel *self)
{
  Message *message;

  while (self->is_open) {
    g_mutex_lock (&self->lock);
    message = g_queue_pop_head (&self->outbox);
    g_mutex_unlock (&self->lock);
    if (!message)
      break;
    send_next (self, message);
  }
}

static void
work (gpointer user_data)
{
  GstRtcWebrtcChannel *self = user_data;
  gboolean is_low, close_wanted;
  guint64 amount;

  g_mutex_lock (&self->lock);
  self->is_woken = FALSE;
  g_mutex_unlock (&self->lock);
  if (!self->is_started)
    return;
  take_events (self);
  if (self->is_over)
    return;
  send_outbox (self);
  amount = get_object_amount (self);
  g_mutex_lock (&self->lock);
  is_low = self->was_high && self->outbox_bytes + amount <= self->low;
  self->was_high &= !is_low;
  close_wanted = self->close_wanted && self->outbox_bytes == 0;
  g_mutex_unlock (&self->lock);
  if (is_low)
    gst_rtc_channel_tell_low (&self->base);
  if (close_wanted)
    go_on_closing (self);
}

static void
start (gpointer user_data)
{
  GstRtcWebrtcChannel *self = user_data;

  self->is_started = TRUE;
  work (self);
}

void
gst_rtc_webrtc_channel_start (GstRtcWebrtcChannel *self)
{
  gst_rtc_loop_post (self->loop, start, gst_rtc_channel_ref (&self->base), gst_rtc_channel_unref);
}

void
gst_rtc_webrtc_channel_set_encoder (GstRtcWebrtcChannel *self, GstElement *sctpenc)
{
  if (!self->is_over)
    gst_object_replace ((GstObject **)&self->encoder, GST_OBJECT (sctpenc));
}

/* What is asked of it. */

static gboolean
channel_send (GstRtcChannel *base, gboolean is_text, GBytes *bytes, GError **error)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;
  gsize size = g_bytes_get_size (bytes);
  Message *message;
  guint64 amount;

  if (size > GST_RTC_WEBRTC_MAX_MESSAGE) {
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE,
        "A message of %" G_GSIZE_FORMAT " bytes is more than the %d that webrtcbin takes; send it in parts, or use "
        "rtcbin's property transport=native",
        size, GST_RTC_WEBRTC_MAX_MESSAGE);
    return FALSE;
  }
  if (size == 0 && !self->is_mended) {
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "webrtcbin fails when it is to send a message without a byte; rtcbin sends it with either transport");
    return FALSE;
  }
  amount = get_object_amount (self);
  g_mutex_lock (&self->lock);
  if (self->close_wanted) {
    g_mutex_unlock (&self->lock);
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE,
        "The data channel \"%s\" to peer %s is being closed, so nothing more can be sent on it", base->init.label,
        base->peer_id);
    return FALSE;
  }
  message = g_new (Message, 1);
  *message = (Message){g_bytes_ref (bytes), is_text};
  g_queue_push_tail (&self->outbox, message);
  self->outbox_bytes += size;
  self->was_high |= self->outbox_bytes + amount > self->low;
  wake (self);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static gsize
channel_get_buffered (GstRtcChannel *base)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;
  gsize bytes;

  g_mutex_lock (&self->lock);
  bytes = self->outbox_bytes;
  g_mutex_unlock (&self->lock);
  return bytes + get_object_amount (self);
}

static void
channel_set_low_threshold (GstRtcChannel *base, gsize bytes)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;
  guint64 amount = get_object_amount (self);

  g_mutex_lock (&self->lock);
  self->low = bytes;
  self->was_high = self->outbox_bytes + amount > bytes;
  g_mutex_unlock (&self->lock);
}

static gint
channel_get_id (GstRtcChannel *base)
{
  gint id = -1;

  g_object_get (((GstRtcWebrtcChannel *)base)->object, "id", &id, NULL);
  return id;
}

static void
channel_close (GstRtcChannel *base)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;

  g_mutex_lock (&self->lock);
  self->close_wanted = TRUE;
  wake (self);
  g_mutex_unlock (&self->lock);
}

static void
channel_add_stats (GstRtcChannel *base, GstStructure *stats)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;

  g_mutex_lock (&self->lock);
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, self->messages_sent, "bytes-sent", G_TYPE_UINT64,
      self->bytes_sent, "messages-received", G_TYPE_UINT64, self->messages_received, "bytes-received", G_TYPE_UINT64,
      self->bytes_received, NULL);
  g_mutex_unlock (&self->lock);
}

static void
channel_free (GstRtcChannel *base)
{
  GstRtcWebrtcChannel *self = (GstRtcWebrtcChannel *)base;

  g_queue_clear_full (&self->came, event_free);
  g_queue_clear_full (&self->outbox, message_free);
  g_clear_error (&self->error);
  gst_clear_object (&self->encoder);
  g_object_unref (self->object);
  gst_rtc_loop_unref (self->loop);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static const GstRtcChannelClass channel_class = {
    .send = channel_send,
    .get_buffered = channel_get_buffered,
    .set_low_threshold = channel_set_low_threshold,
    .get_id = channel_get_id,
    .close = channel_close,
    .add_stats = channel_add_stats,
    .free = channel_free,
};

GstRtcChannel *
gst_rtc_webrtc_channel_get_base (GstRtcWebrtcChannel *self)
{
  return &self->base;
}

static void
unref_with_closure (gpointer data, GClosure *closure)
{
  gst_rtc_channel_unref (data);
}

GstRtcWebrtcChannel *
gst_rtc_webrtc_channel_new (gpointer object, GstRtcLoop *loop, const gchar *peer_id, GstRtcWebrtcChannelFlags flags)
{
  static const struct
  {
    const gchar *name;
    GCallback handler;
  } signals[] = {
      {"on-message-string", G_CALLBACK (on_message_string)},
      {"on-message-data", G_CALLBACK (on_message_data)},
      {"on-error", G_CALLBACK (on_error)},
      {"notify::ready-state", G_CALLBACK (on_ready_state)},
      {"notify::buffered-amount", G_CALLBACK (on_buffered_amount)},
  };
  GstRtcWebrtcChannel *self = g_new0 (GstRtcWebrtcChannel, 1);
  GstRtcChannelInit init = gst_rtc_webrtc_channel_get_init (object);

  gst_rtc_channel_construct (&self->base, &channel_class, peer_id, (flags & GST_RTC_WEBRTC_CHANNEL_REMOTE) != 0, &init,
      flags & GST_RTC_WEBRTC_CHANNEL_OPEN ? GST_RTC_CHANNEL_OPEN : GST_RTC_CHANNEL_CONNECTING);
  gst_rtc_channel_init_clear (&init);
  g_mutex_init (&self->lock);
  g_queue_init (&self->came);
  g_queue_init (&self->outbox);
  self->object = g_object_ref (object);
  self->loop = gst_rtc_loop_ref (loop);
  self->is_mended = (flags & GST_RTC_WEBRTC_CHANNEL_MENDED) != 0;
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_data (
        object, signals[i].name, signals[i].handler, gst_rtc_channel_ref (&self->base), unref_with_closure, 0);
  on_ready_state (object, NULL, self);
  return self;
}
