/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdatachannel.h"
#include "gstrtcdataoptions.h"

#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* What waits to be sent to one peer, before more is refused. */
#define MAX_BUFFERED (16 * 1024 * 1024)
/* W3C's default is 0: then a channel runs dry before anybody is told. */
#define LOW_THRESHOLD (64 * 1024)

enum
{
  SIGNAL_ON_OPEN,
  SIGNAL_ON_CLOSE,
  SIGNAL_ON_ERROR,
  SIGNAL_ON_MESSAGE_DATA,
  SIGNAL_ON_MESSAGE_STRING,
  SIGNAL_ON_BUFFERED_AMOUNT_LOW,
  SIGNAL_SEND_DATA,
  SIGNAL_SEND_STRING,
  SIGNAL_GET_BUFFERED_AMOUNT,
  SIGNAL_OPEN,
  SIGNAL_CLOSE,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* What the hub and the channels know: it outlives the object until no call is on its way. */
typedef struct
{
  gint ref_count; /* atomic */
  GWeakRef object;
  GstRtcBinData *data;
  GstRtcChannelInit init;
  gboolean opens;
  gchar *peer_id;

  GMutex lock;
  /* under lock */
  gboolean opened; /* or closed: once */
  GPtrArray *channels; /* of GstRtcChannel, CONNECTING or OPEN */
  GHashTable *told; /* of them, for which on-open is on its way */
} Inner;

struct _GstRtcDataChannel
{
  GObject parent;

  /* set at construction */
  Inner *inner;

  guint attached; /* atomic; the hub's id, 0: closed */
};

G_DEFINE_TYPE (GstRtcDataChannel, gst_rtc_data_channel, G_TYPE_OBJECT)

static Inner *
inner_ref (Inner *inner)
{
  g_atomic_int_inc (&inner->ref_count);
  return inner;
}

static void
inner_unref (gpointer data)
{
  Inner *inner = data;

  if (!g_atomic_int_dec_and_test (&inner->ref_count))
    return;
  g_ptr_array_unref (inner->channels);
  g_hash_table_unref (inner->told);
  gst_rtc_channel_init_clear (&inner->init);
  g_free (inner->peer_id);
  gst_rtc_data_hub_unref (gst_rtc_bin_data_get_hub (inner->data));
  g_weak_ref_clear (&inner->object);
  g_mutex_clear (&inner->lock);
  g_free (inner);
}

/* Events: from the transport's thread to the control loop, where an application's handler delays no media. */

typedef struct
{
  Inner *inner;
  guint signal;
  gchar *peer_id;
  GstRtcChannel *channel; /* whose message it is; or NULL */
  GBytes *message;
  gchar *text; /* reason of an end */
} Event;

static void
event_free (gpointer data)
{
  Event *event = data;

  if (event->channel) {
    gst_rtc_channel_add_unread (event->channel, -(gssize)g_bytes_get_size (event->message));
    gst_rtc_channel_unref (event->channel);
  }
  g_clear_pointer (&event->message, g_bytes_unref);
  g_free (event->text);
  g_free (event->peer_id);
  inner_unref (event->inner);
  g_free (event);
}

static void
emit (gpointer data)
{
  Event *event = data;
  GObject *object = g_weak_ref_get (&event->inner->object);
  guint id = signals[event->signal];
  gchar *text;
  gsize size;

  if (!object)
    return;
  switch (event->signal) {
    case SIGNAL_ON_MESSAGE_DATA:
      g_signal_emit (object, id, 0, event->peer_id, event->message);
      break;
    case SIGNAL_ON_MESSAGE_STRING:
      text = (gchar *)g_bytes_get_data (event->message, &size);
      text = g_strndup (text ? text : "", size);
      g_signal_emit (object, id, 0, event->peer_id, text);
      g_free (text);
      break;
    case SIGNAL_ON_CLOSE:
    case SIGNAL_ON_ERROR:
      g_signal_emit (object, id, 0, event->peer_id, event->text);
      break;
    default:
      g_signal_emit (object, id, 0, event->peer_id);
  }
  g_object_unref (object);
}

static void
post (Inner *inner, guint signal, const gchar *peer_id, const gchar *text)
{
  Event *event = g_new0 (Event, 1);

  event->inner = inner_ref (inner);
  event->signal = signal;
  event->peer_id = g_strdup (peer_id);
  event->text = g_strdup (text);
  gst_rtc_bin_data_post_full (inner->data, emit, event, event_free);
}

/* Before what comes on it, whichever thread sees first that it is open. */
static void
tell_open (Inner *inner, GstRtcChannel *channel)
{
  g_mutex_lock (&inner->lock);
  if (g_hash_table_add (inner->told, channel))
    post (inner, SIGNAL_ON_OPEN, channel->peer_id, NULL);
  g_mutex_unlock (&inner->lock);
}

static void
forget_channel (Inner *inner, GstRtcChannel *channel)
{
  g_mutex_lock (&inner->lock);
  g_hash_table_remove (inner->told, channel);
  g_ptr_array_remove (inner->channels, channel);
  g_mutex_unlock (&inner->lock);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Inner *inner = user_data;

  if (state == GST_RTC_CHANNEL_OPEN)
    tell_open (inner, channel);
  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  forget_channel (inner, channel);
  post (inner, SIGNAL_ON_CLOSE, channel->peer_id, error ? error->message : NULL);
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  Inner *inner = user_data;
  Event *event = g_new0 (Event, 1);

  tell_open (inner, channel);
  event->inner = inner_ref (inner);
  event->signal = is_text ? SIGNAL_ON_MESSAGE_STRING : SIGNAL_ON_MESSAGE_DATA;
  event->peer_id = g_strdup (channel->peer_id);
  event->channel = gst_rtc_channel_ref (channel);
  event->message = g_bytes_ref (message);
  gst_rtc_channel_add_unread (channel, g_bytes_get_size (message));
  gst_rtc_bin_data_post_full (inner->data, emit, event, event_free);
}

static void
on_low (GstRtcChannel *channel, gpointer user_data)
{
  post (user_data, SIGNAL_ON_BUFFERED_AMOUNT_LOW, channel->peer_id, NULL);
}

static const GstRtcChannelEvents channel_events = {.state = on_state, .message = on_message, .low = on_low};

static void
on_channel (GstRtcChannel *channel, gpointer user_data)
{
  Inner *inner = user_data;
  GstRtcChannelState state;

  g_mutex_lock (&inner->lock);
  g_ptr_array_add (inner->channels, gst_rtc_channel_ref (channel));
  g_mutex_unlock (&inner->lock);
  gst_rtc_channel_set_low_threshold (channel, LOW_THRESHOLD);
  state = gst_rtc_channel_add_listener (channel, &channel_events, inner_ref (inner), inner_unref);
  if (state == GST_RTC_CHANNEL_OPEN)
    tell_open (inner, channel);
  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  gst_rtc_channel_remove_listener (channel, inner);
  forget_channel (inner, channel);
}

static void
on_refused (const gchar *peer_id, const GError *error, gpointer user_data)
{
  post (user_data, SIGNAL_ON_ERROR, peer_id, error->message);
}

/* Actions. */

/* Which of two to the same peer is sent on. */
static gboolean
is_better (Inner *inner, GstRtcChannel *a, GstRtcChannel *b)
{
  gboolean a_fits = gst_rtc_channel_init_equal (&a->init, &inner->init);
  gboolean b_fits = gst_rtc_channel_init_equal (&b->init, &inner->init);

  return a_fits != b_fits ? a_fits : b->is_remote && !a->is_remote;
}

/* One for each peer. (transfer full) */
static GHashTable *
choose_channels (Inner *inner, const gchar *peer_id)
{
  GHashTable *chosen = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, gst_rtc_channel_unref);

  g_mutex_lock (&inner->lock);
  for (guint i = 0; i < inner->channels->len; i++) {
    GstRtcChannel *channel = g_ptr_array_index (inner->channels, i);
    GstRtcChannel *best = g_hash_table_lookup (chosen, channel->peer_id);

    if ((!peer_id || g_str_equal (peer_id, channel->peer_id))
        && gst_rtc_channel_get_state (channel) < GST_RTC_CHANNEL_CLOSING && (!best || is_better (inner, channel, best)))
      g_hash_table_replace (chosen, channel->peer_id, gst_rtc_channel_ref (channel));
  }
  g_mutex_unlock (&inner->lock);
  return chosen;
}

static guint
send_message (GstRtcDataChannel *self, const gchar *peer_id, gboolean is_text, GBytes *message)
{
  GHashTable *chosen = choose_channels (self->inner, peer_id);
  GHashTableIter iter;
  gpointer channel;
  guint n = 0;

  g_hash_table_iter_init (&iter, chosen);
  while (g_hash_table_iter_next (&iter, NULL, &channel)) {
    GError *error = NULL;

    if (gst_rtc_channel_get_buffered (channel) >= MAX_BUFFERED)
      GST_WARNING ("a message of \"%s\" is left out: %u bytes wait already; wait for on-buffered-amount-low",
          self->inner->init.label, MAX_BUFFERED);
    else if (gst_rtc_channel_send (channel, is_text, message, &error))
      n++;
    else
      post (self->inner, SIGNAL_ON_ERROR, ((GstRtcChannel *)channel)->peer_id, error->message);
    g_clear_error (&error);
  }
  g_hash_table_unref (chosen);
  return n;
}

static guint
send_data_action (GstRtcDataChannel *self, const gchar *peer_id, GBytes *data)
{
  GBytes *message = data ? g_bytes_ref (data) : g_bytes_new (NULL, 0);
  guint n = send_message (self, peer_id, FALSE, message);

  g_bytes_unref (message);
  return n;
}

static guint
send_string_action (GstRtcDataChannel *self, const gchar *peer_id, const gchar *text)
{
  GBytes *message = g_bytes_new (text, text ? strlen (text) : 0);
  guint n = send_message (self, peer_id, TRUE, message);

  g_bytes_unref (message);
  return n;
}

static guint64
get_buffered_amount_action (GstRtcDataChannel *self, const gchar *peer_id)
{
  GHashTable *chosen = choose_channels (self->inner, peer_id);
  GHashTableIter iter;
  gpointer channel;
  guint64 most = 0;

  g_hash_table_iter_init (&iter, chosen);
  while (g_hash_table_iter_next (&iter, NULL, &channel))
    most = MAX (most, gst_rtc_channel_get_buffered (channel));
  g_hash_table_unref (chosen);
  return most;
}

static void
open_action (GstRtcDataChannel *self)
{
  GstRtcDataHub *hub = gst_rtc_bin_data_get_hub (self->inner->data);
  Inner *inner = self->inner;
  gboolean opened;

  g_mutex_lock (&inner->lock);
  opened = inner->opened;
  inner->opened = TRUE;
  g_mutex_unlock (&inner->lock);
  if (!opened)
    g_atomic_int_set (&self->attached,
        hub->klass->attach (hub,
            &(GstRtcDataUser){
                &inner->init, inner->opens, inner->peer_id, on_channel, on_refused, inner_ref (inner), inner_unref}));
}

static void
close_action (GstRtcDataChannel *self)
{
  GstRtcDataHub *hub = gst_rtc_bin_data_get_hub (self->inner->data);
  guint id = g_atomic_int_get (&self->attached);
  GPtrArray *channels;

  g_mutex_lock (&self->inner->lock);
  self->inner->opened = TRUE;
  g_mutex_unlock (&self->inner->lock);
  if (!id || !g_atomic_int_compare_and_exchange (&self->attached, id, 0))
    return;
  hub->klass->close (hub, id);
  g_mutex_lock (&self->inner->lock);
  channels = self->inner->channels;
  self->inner->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  g_mutex_unlock (&self->inner->lock);
  for (guint i = 0; i < channels->len; i++)
    gst_rtc_channel_remove_listener (g_ptr_array_index (channels, i), self->inner);
  g_ptr_array_unref (channels);
}

/* Object. */

static void
gst_rtc_data_channel_dispose (GObject *object)
{
  close_action (GST_RTC_DATA_CHANNEL (object));
  G_OBJECT_CLASS (gst_rtc_data_channel_parent_class)->dispose (object);
}

static void
gst_rtc_data_channel_finalize (GObject *object)
{
  inner_unref (GST_RTC_DATA_CHANNEL (object)->inner);
  G_OBJECT_CLASS (gst_rtc_data_channel_parent_class)->finalize (object);
}

static void
gst_rtc_data_channel_init (GstRtcDataChannel *self)
{
}

/* Events, in the order of the enum. */
static void
install_events (GType type)
{
  /**
   * GstRtcDataChannel::on-open:
   * @object: the channel
   * @peer_id: whose
   *
   * There is a channel with this peer, and it is open. All signals are emitted in rtcbin's own thread without a lock:
   * the handler may send, and must not wait.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_OPEN] =
      g_signal_new ("on-open", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::on-close:
   * @object: the channel
   * @peer_id: whose
   * @reason: (nullable): a sentence; NULL when one of the two sides wanted it
   *
   * The channel with this peer is closed. When the connection is replaced, one with the same peer follows.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_CLOSE] = g_signal_new (
      "on-close", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::on-error:
   * @object: the channel
   * @peer_id: whose
   * @reason: a sentence
   *
   * This peer cannot have such a channel, or a message could not be sent to it (too large, say).
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_ERROR] = g_signal_new (
      "on-error", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::on-message-data:
   * @object: the channel
   * @peer_id: who sent it
   * @data: a #GBytes
   *
   * A binary message came. A peer that sends faster than handlers return is made to wait.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_MESSAGE_DATA] = g_signal_new (
      "on-message-data", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_BYTES);
  /**
   * GstRtcDataChannel::on-message-string:
   * @object: the channel
   * @peer_id: who sent it
   * @text: UTF-8
   *
   * A text message came.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_MESSAGE_STRING] = g_signal_new (
      "on-message-string", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::on-buffered-amount-low:
   * @object: the channel
   * @peer_id: whose
   *
   * At most 64 KiB wait to be sent to this peer, after it was more: time for the next ones.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_BUFFERED_AMOUNT_LOW] = g_signal_new (
      "on-buffered-amount-low", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

#define ACTION(name, handler, result, ...) \
  g_signal_new_class_handler ( \
      name, type, G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION, G_CALLBACK (handler), NULL, NULL, NULL, result, __VA_ARGS__)

static void
install_actions (GType type)
{
  /**
   * GstRtcDataChannel::send-data:
   * @object: the channel
   * @peer_id: (nullable): whom; NULL: all
   * @data: (nullable): a #GBytes, which is not copied
   *
   * Sends a binary message. What is sent before the channel is open waits until it is. Of what waits the application
   * takes care: more than 16 MiB for a peer is refused.
   *
   * Returns: to how many peers it goes
   *
   * Since: 0.1
   */
  signals[SIGNAL_SEND_DATA] = ACTION ("send-data", send_data_action, G_TYPE_UINT, 2, G_TYPE_STRING, G_TYPE_BYTES);
  /**
   * GstRtcDataChannel::send-string:
   * @object: the channel
   * @peer_id: (nullable): whom; NULL: all
   * @text: (nullable): UTF-8
   *
   * Sends a text message.
   *
   * Returns: to how many peers it goes
   *
   * Since: 0.1
   */
  signals[SIGNAL_SEND_STRING] =
      ACTION ("send-string", send_string_action, G_TYPE_UINT, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::get-buffered-amount:
   * @object: the channel
   * @peer_id: (nullable): whose; NULL: the peer's for whom it is the most
   *
   * Returns: how many bytes wait to be sent
   *
   * Since: 0.1
   */
  signals[SIGNAL_GET_BUFFERED_AMOUNT] =
      ACTION ("get-buffered-amount", get_buffered_amount_action, G_TYPE_UINT64, 1, G_TYPE_STRING);
  /**
   * GstRtcDataChannel::open:
   * @object: the channel
   *
   * The handlers are connected: from now on there is a channel with each peer, and what comes is told. Once; what was
   * closed is not opened again.
   *
   * Since: 0.1
   */
  signals[SIGNAL_OPEN] = ACTION ("open", open_action, G_TYPE_NONE, 0);
  /**
   * GstRtcDataChannel::close:
   * @object: the channel
   *
   * Nothing more is told, and the channels, also those that peers opened, are closed once what waits has been sent,
   * unless somebody else here uses them. The same happens with the last reference.
   *
   * Since: 0.1
   */
  signals[SIGNAL_CLOSE] = ACTION ("close", close_action, G_TYPE_NONE, 0);
}

static void
gst_rtc_data_channel_class_init (GstRtcDataChannelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = gst_rtc_data_channel_dispose;
  object_class->finalize = gst_rtc_data_channel_finalize;
  install_events (G_TYPE_FROM_CLASS (klass));
  install_actions (G_TYPE_FROM_CLASS (klass));
  gst_type_mark_as_plugin_api (GST_TYPE_RTC_DATA_CHANNEL, 0);
}

GstRtcDataChannel *
gst_rtc_data_channel_new (GstRtcBinData *data, const gchar *label, const GstStructure *options, GError **error)
{
  GstRtcDataOptions read;
  GstRtcDataChannel *self;
  Inner *inner;

  if (!gst_rtc_data_options_read (&read, label, options, error))
    return NULL;
  self = g_object_new (GST_TYPE_RTC_DATA_CHANNEL, NULL);
  inner = self->inner = g_new0 (Inner, 1);
  inner->ref_count = 1;
  g_weak_ref_init (&inner->object, self);
  inner->data = (GstRtcBinData *)gst_rtc_data_hub_ref (gst_rtc_bin_data_get_hub (data));
  inner->init = gst_rtc_channel_init_copy (&read.init);
  inner->opens = read.opens;
  inner->peer_id = g_strdup (read.peer_id);
  g_mutex_init (&inner->lock);
  inner->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  inner->told = g_hash_table_new (NULL, NULL);
  return self;
}
