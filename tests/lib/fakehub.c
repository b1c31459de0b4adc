/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "fakehub.h"

#define DEADLINE (10 * G_TIME_SPAN_SECOND)

typedef struct
{
  guint id;
  GstRtcDataUser user;
  GstRtcChannelInit init;
  gchar *peer_id;
} User;

struct _FakeHub
{
  GstRtcDataHub parent;
  GMutex lock;
  GPtrArray *users; /* of User */
  GPtrArray *peers; /* names */
  GPtrArray *channels; /* of FakeChannel */
  guint last_id;
  gint last_channel_id;
  gboolean refuses, is_slow, has_offset;
  gint64 offset, error_bound;
};

void
fake_message_free (FakeMessage *message)
{
  g_bytes_unref (message->bytes);
  g_free (message);
}

void
fake_channel_unref (FakeChannel *channel)
{
  gst_rtc_channel_unref (channel);
}

static gboolean
channel_send (GstRtcChannel *channel, gboolean is_text, GBytes *bytes, GError **error)
{
  FakeChannel *self = (FakeChannel *)channel;
  FakeMessage *message;

  g_mutex_lock (&self->lock);
  if (self->max_message_size > 0 && g_bytes_get_size (bytes) > self->max_message_size) {
    g_mutex_unlock (&self->lock);
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE, "more than the peer takes");
    return FALSE;
  }
  message = g_new (FakeMessage, 1);
  *message = (FakeMessage){g_bytes_ref (bytes), is_text};
  g_queue_push_tail (&self->sent, message);
  self->n_sent++;
  if (self->is_stalled)
    self->buffered += g_bytes_get_size (bytes);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static gsize
channel_get_buffered (GstRtcChannel *channel)
{
  FakeChannel *self = (FakeChannel *)channel;
  gsize buffered;

  g_mutex_lock (&self->lock);
  buffered = self->buffered;
  g_mutex_unlock (&self->lock);
  return buffered;
}

static void
channel_set_low_threshold (GstRtcChannel *channel, gsize bytes)
{
  FakeChannel *self = (FakeChannel *)channel;

  g_mutex_lock (&self->lock);
  self->low_threshold = bytes;
  g_mutex_unlock (&self->lock);
}

static void
channel_unread_changed (GstRtcChannel *channel, gsize bytes)
{
  FakeChannel *self = (FakeChannel *)channel;

  g_mutex_lock (&self->lock);
  self->unread = bytes;
  g_mutex_unlock (&self->lock);
}

static gint
channel_get_id (GstRtcChannel *channel)
{
  return ((FakeChannel *)channel)->id;
}

static void
channel_close (GstRtcChannel *channel)
{
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  if (!((FakeChannel *)channel)->keeps_closing)
    gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
}

static void
channel_add_stats (GstRtcChannel *channel, GstStructure *stats)
{
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, (guint64)((FakeChannel *)channel)->n_sent, NULL);
}

static void
channel_free (GstRtcChannel *channel)
{
  FakeChannel *self = (FakeChannel *)channel;

  g_queue_clear_full (&self->sent, (GDestroyNotify)fake_message_free);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static const GstRtcChannelClass channel_class = {channel_send, channel_get_buffered, channel_set_low_threshold,
    channel_unread_changed, channel_get_id, channel_close, channel_add_stats, channel_free};

static FakeChannel *
channel_new (FakeHub *hub, const gchar *peer_id, gboolean is_remote, const GstRtcChannelInit *init)
{
  FakeChannel *self = g_new0 (FakeChannel, 1);

  g_mutex_init (&self->lock);
  self->hub = hub;
  self->id = init->id >= 0 ? init->id : hub->last_channel_id++;
  gst_rtc_channel_construct (&self->parent, &channel_class, peer_id, is_remote, init,
      hub->is_slow && !is_remote ? GST_RTC_CHANNEL_CONNECTING : GST_RTC_CHANNEL_OPEN);
  g_mutex_lock (&hub->lock);
  g_ptr_array_add (hub->channels, gst_rtc_channel_ref (&self->parent));
  g_mutex_unlock (&hub->lock);
  return self;
}

static void
user_free (gpointer data)
{
  User *user = data;

  user->user.notify (user->user.user_data);
  gst_rtc_channel_init_clear (&user->init);
  g_free (user->peer_id);
  g_free (user);
}

static void
serve_user (FakeHub *hub, User *user, const gchar *peer_id)
{
  GError *error;
  FakeChannel *channel;

  if (!user->user.opens || (user->peer_id && g_strcmp0 (user->peer_id, peer_id) != 0))
    return;
  if (hub->refuses) {
    error = g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER, "it has no data channels");
    user->user.refused (peer_id, error, user->user.user_data);
    g_error_free (error);
    return;
  }
  channel = channel_new (hub, peer_id, FALSE, &user->init);
  user->user.channel (&channel->parent, user->user.user_data);
  gst_rtc_channel_unref (channel);
}

static guint
hub_attach (GstRtcDataHub *parent, const GstRtcDataUser *user)
{
  FakeHub *hub = (FakeHub *)parent;
  User *copy = g_new0 (User, 1);

  copy->user = *user;
  copy->init = gst_rtc_channel_init_copy (user->init);
  copy->peer_id = g_strdup (user->peer_id);
  copy->id = ++hub->last_id;
  g_mutex_lock (&hub->lock);
  g_ptr_array_add (hub->users, copy);
  g_mutex_unlock (&hub->lock);
  for (guint i = 0; i < hub->peers->len; i++)
    serve_user (hub, copy, g_ptr_array_index (hub->peers, i));
  return copy->id;
}

static void
hub_detach (GstRtcDataHub *parent, guint id)
{
  FakeHub *hub = (FakeHub *)parent;
  User *user = NULL;

  g_mutex_lock (&hub->lock);
  for (guint i = 0; i < hub->users->len && !user; i++) {
    user = g_ptr_array_index (hub->users, i);
    if (user->id == id)
      g_ptr_array_steal_index (hub->users, i);
    else
      user = NULL;
  }
  g_mutex_unlock (&hub->lock);
  g_assert_nonnull (user);
  user_free (user);
}

static gboolean
hub_get_clock_offset (GstRtcDataHub *parent, const gchar *peer_id, gint64 *offset, gint64 *error_bound)
{
  FakeHub *hub = (FakeHub *)parent;

  *offset = hub->offset;
  *error_bound = hub->error_bound;
  return hub->has_offset;
}

static void
hub_free (GstRtcDataHub *parent)
{
  FakeHub *hub = (FakeHub *)parent;

  g_ptr_array_unref (hub->users);
  g_ptr_array_unref (hub->peers);
  g_ptr_array_unref (hub->channels);
  g_mutex_clear (&hub->lock);
  g_free (hub);
}

static const GstRtcDataHubClass hub_class = {hub_attach, hub_detach, hub_detach, hub_get_clock_offset, hub_free};

void
fake_hub_add_peer (FakeHub *hub, const gchar *peer_id)
{
  g_ptr_array_add (hub->peers, g_strdup (peer_id));
  for (guint i = 0; i < hub->users->len; i++)
    serve_user (hub, g_ptr_array_index (hub->users, i), peer_id);
}

void
fake_hub_break_peer (FakeHub *hub, const gchar *peer_id)
{
  GError *error = g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "the connection is gone");

  for (guint i = hub->peers->len; i-- > 0;) {
    if (g_strcmp0 (g_ptr_array_index (hub->peers, i), peer_id) == 0)
      g_ptr_array_remove_index (hub->peers, i);
  }
  for (guint i = 0; i < hub->channels->len; i++) {
    FakeChannel *channel = g_ptr_array_index (hub->channels, i);

    if (g_strcmp0 (channel->parent.peer_id, peer_id) == 0)
      gst_rtc_channel_set_state (&channel->parent, GST_RTC_CHANNEL_CLOSED, error);
  }
  g_error_free (error);
}

void
fake_hub_refuse (FakeHub *hub, gboolean refuses)
{
  hub->refuses = refuses;
}

void
fake_hub_set_slow (FakeHub *hub, gboolean is_slow)
{
  hub->is_slow = is_slow;
}

void
fake_hub_set_clock_offset (FakeHub *hub, gint64 offset, gint64 error_bound)
{
  hub->has_offset = TRUE;
  hub->offset = offset;
  hub->error_bound = error_bound;
}

FakeChannel *
fake_hub_open (FakeHub *hub, const gchar *peer_id, const gchar *label, const gchar *protocol)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  FakeChannel *channel;

  init.label = (gchar *)label;
  init.protocol = (gchar *)protocol;
  channel = channel_new (hub, peer_id, TRUE, &init);
  for (guint i = 0; i < hub->users->len; i++) {
    User *user = g_ptr_array_index (hub->users, i);

    if (g_strcmp0 (user->init.label, label) == 0 && (!user->peer_id || g_strcmp0 (user->peer_id, peer_id) == 0))
      user->user.channel (&channel->parent, user->user.user_data);
  }
  return channel;
}

FakeChannel *
fake_hub_get_channel (FakeHub *hub, const gchar *peer_id)
{
  FakeChannel *found = NULL;

  g_mutex_lock (&hub->lock);
  for (guint i = hub->channels->len; i-- > 0 && !found;) {
    FakeChannel *channel = g_ptr_array_index (hub->channels, i);

    if (g_strcmp0 (channel->parent.peer_id, peer_id) == 0)
      found = (FakeChannel *)gst_rtc_channel_ref (&channel->parent);
  }
  g_mutex_unlock (&hub->lock);
  return found;
}

guint
fake_hub_count_users (FakeHub *hub)
{
  guint count;

  g_mutex_lock (&hub->lock);
  count = hub->users->len;
  g_mutex_unlock (&hub->lock);
  return count;
}

void
fake_channel_set_state (FakeChannel *channel, GstRtcChannelState state, const GError *error)
{
  gst_rtc_channel_set_state (&channel->parent, state, error);
}

void
fake_channel_set_stalled (FakeChannel *channel, gboolean is_stalled)
{
  gboolean becomes_low;

  g_mutex_lock (&channel->lock);
  channel->is_stalled = is_stalled;
  becomes_low = !is_stalled && channel->buffered > 0;
  if (!is_stalled)
    channel->buffered = 0;
  g_mutex_unlock (&channel->lock);
  if (becomes_low)
    gst_rtc_channel_tell_low (&channel->parent);
}

static void
deliver (FakeChannel *channel, gboolean is_text, gconstpointer data, gsize size)
{
  GBytes *bytes = g_bytes_new (data, size);

  gst_rtc_channel_deliver (&channel->parent, is_text, bytes, g_get_monotonic_time ());
  g_bytes_unref (bytes);
}

void
fake_channel_send_text (FakeChannel *channel, const gchar *text)
{
  deliver (channel, TRUE, text, strlen (text));
}

void
fake_channel_send_bytes (FakeChannel *channel, gconstpointer data, gsize size)
{
  deliver (channel, FALSE, data, size);
}

guint
fake_channel_count (FakeChannel *channel)
{
  guint count;

  g_mutex_lock (&channel->lock);
  count = channel->sent.length;
  g_mutex_unlock (&channel->lock);
  return count;
}

gsize
fake_channel_get_unread (FakeChannel *channel)
{
  gsize unread;

  g_mutex_lock (&channel->lock);
  unread = channel->unread;
  g_mutex_unlock (&channel->lock);
  return unread;
}

void
fake_wait (gboolean (*condition) (gpointer data), gpointer data, const gchar *what)
{
  gint64 deadline = g_get_monotonic_time () + DEADLINE;

  while (!condition (data)) {
    if (g_get_monotonic_time () > deadline)
      fail ("%s did not happen", what);
    g_usleep (2000);
  }
}

static gboolean
has_message (gpointer channel)
{
  return fake_channel_count (channel) > 0;
}

FakeMessage *
fake_channel_take (FakeChannel *channel)
{
  FakeMessage *message;

  fake_wait (has_message, channel, "a message is sent");
  g_mutex_lock (&channel->lock);
  message = g_queue_pop_head (&channel->sent);
  g_mutex_unlock (&channel->lock);
  return message;
}

void
fake_channel_expect (FakeChannel *channel, const gchar *text)
{
  FakeMessage *message = fake_channel_take (channel);
  gsize size;
  const gchar *data = g_bytes_get_data (message->bytes, &size);

  if (size != strlen (text) || memcmp (data, text, size) != 0)
    fail ("\"%s\" was expected, and \"%.*s\" was sent", text, (int)size, data);
  fake_message_free (message);
}

/* The element. */

typedef struct
{
  GstElement parent;
  FakeHub *hub;
} FakeRtcBin;

typedef GstElementClass FakeRtcBinClass;

static GType fake_rtc_bin_get_type (void);
G_DEFINE_TYPE (FakeRtcBin, fake_rtc_bin, GST_TYPE_ELEMENT)

FakeHub *
fake_hub_of (GstElement *rtcbin)
{
  return ((FakeRtcBin *)rtcbin)->hub;
}

static gboolean
fake_rtc_bin_query (GstElement *element, GstQuery *query)
{
  return gst_rtc_data_hub_answer (query, &((FakeRtcBin *)element)->hub->parent);
}

static void
fake_rtc_bin_finalize (GObject *object)
{
  gst_rtc_data_hub_unref (&((FakeRtcBin *)object)->hub->parent);
  G_OBJECT_CLASS (fake_rtc_bin_parent_class)->finalize (object);
}

static void
fake_rtc_bin_init (FakeRtcBin *self)
{
  FakeHub *hub = g_new0 (FakeHub, 1);

  g_mutex_init (&hub->lock);
  hub->parent = (GstRtcDataHub){&hub_class, 1};
  hub->users = g_ptr_array_new_with_free_func (user_free);
  hub->peers = g_ptr_array_new_with_free_func (g_free);
  hub->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  self->hub = hub;
}

static void
fake_rtc_bin_class_init (FakeRtcBinClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fake_rtc_bin_finalize;
  klass->query = fake_rtc_bin_query;
  gst_element_class_set_static_metadata (klass, "rtcbin", "Test", "An rtcbin without a network", "rtclink");
}

void
fake_rtcbin_register (void)
{
  /* Outside of a test, where fail() does not work. */
  if (!gst_element_register (NULL, "rtcbin", GST_RANK_NONE, fake_rtc_bin_get_type ()))
    g_error ("rtcbin could not be registered");
}
