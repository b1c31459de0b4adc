/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbindatapriv.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* Users. */

GstRtcDataUserEntry *
gst_rtc_data_user_ref (GstRtcDataUserEntry *user)
{
  g_atomic_int_inc (&user->ref_count);
  return user;
}

void
gst_rtc_data_user_unref (gpointer data)
{
  GstRtcDataUserEntry *user = data;

  if (!g_atomic_int_dec_and_test (&user->ref_count))
    return;
  if (user->notify)
    user->notify (user->user_data);
  gst_rtc_channel_init_clear (&user->init);
  g_free (user->peer_id);
  g_free (user);
}

gboolean
gst_rtc_data_user_matches (GstRtcDataUserEntry *user, const gchar *peer_id, const GstRtcChannelInit *init)
{
  return (!user->peer_id || g_str_equal (user->peer_id, peer_id)) && g_str_equal (user->init.label, init->label)
      && (!user->init.negotiated || (init->negotiated && user->init.id == init->id));
}

static void
tell_user (GstRtcDataUserEntry *user, GstRtcDataEntry *entry)
{
  if (!g_atomic_int_get (&user->gone) && user->channel)
    user->channel (entry->channel, user->user_data);
}

/* Entries. */

GstRtcDataEntry *
gst_rtc_data_entry_ref (GstRtcDataEntry *entry)
{
  g_atomic_int_inc (&entry->ref_count);
  return entry;
}

void
gst_rtc_data_entry_unref (gpointer data)
{
  GstRtcDataEntry *entry = data;

  if (!g_atomic_int_dec_and_test (&entry->ref_count))
    return;
  gst_rtc_channel_unref (entry->channel);
  gst_rtc_data_hub_unref (&entry->data->parent);
  g_free (entry);
}

/* Those of USERS who have to do with it. (transfer full) Under the lock. */
static GPtrArray *
find_users (GstRtcBinData *self, GstRtcDataEntry *entry)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (gst_rtc_data_user_unref);

  for (guint i = 0; i < self->users->len; i++) {
    GstRtcDataUserEntry *user = g_ptr_array_index (self->users, i);

    if (gst_rtc_data_user_matches (user, entry->channel->peer_id, &entry->channel->init))
      g_ptr_array_add (found, gst_rtc_data_user_ref (user));
  }
  return found;
}

/* Under the lock, so that whoever attaches and whoever leaves agree whether messages wait. */
static void
set_taken (GstRtcDataEntry *entry, gboolean taken)
{
  gboolean waits = !taken && entry->channel->is_remote;

  entry->taken = taken;
  entry->deadline = waits ? g_get_monotonic_time () + GST_RTC_BIN_DATA_TAKE_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND : 0;
  if (waits)
    gst_rtc_channel_hold (entry->channel);
}

/* Its users were told: they get what waited. */
static void
release_entry (GstRtcBinData *self, GstRtcDataEntry *entry)
{
  gst_rtc_channel_release (entry->channel);
  g_mutex_lock (&self->lock);
  if (!entry->taken && entry->channel->is_remote)
    gst_rtc_channel_hold (entry->channel); /* they left meanwhile */
  g_mutex_unlock (&self->lock);
}

/* Nobody is attached to it (any more). */
static void
leave_entry (GstRtcBinData *self, GstRtcDataEntry *entry, gboolean is_unwanted)
{
  if (entry->channel->is_remote && !is_unwanted)
    gst_rtc_bin_data_post (self, gst_rtc_bin_data_check_deadlines);
  else
    gst_rtc_channel_close (entry->channel);
}

/* From now on users are told of it: those that are there in the end of this, the others in attach(). Under the lock,
 * which is released in between. */
static void
show_entry (GstRtcBinData *self, GstRtcDataEntry *entry)
{
  GPtrArray *users = find_users (self, entry);

  entry->visible = TRUE;
  set_taken (entry, users->len > 0);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < users->len; i++)
    tell_user (g_ptr_array_index (users, i), entry);
  if (users->len > 0)
    release_entry (self, entry);
  else
    leave_entry (self, entry, FALSE);
  g_ptr_array_unref (users);
  g_mutex_lock (&self->lock);
}

static void
closed (GstRtcDataEntry *entry, const GError *error)
{
  GstRtcBinData *self = entry->data;
  guint64 lost, bytes;

  gst_rtc_data_entry_ref (entry);
  lost = gst_rtc_channel_drop_held (entry->channel, &bytes);
  g_mutex_lock (&self->lock);
  entry->lost += lost;
  entry->lost_bytes += bytes;
  g_ptr_array_remove (self->entries, entry);
  g_mutex_unlock (&self->lock);
  gst_rtc_data_entry_report_closed (entry, error);
  gst_rtc_data_entry_unref (entry);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  if (state == GST_RTC_CHANNEL_OPEN)
    gst_rtc_data_entry_report_open (user_data);
  else if (state == GST_RTC_CHANNEL_CLOSED)
    closed (user_data, error);
}

static const GstRtcChannelEvents entry_events = {.state = on_state};

void
gst_rtc_bin_data_add_channel (GstRtcBinData *self, gconstpointer connection, GstRtcChannel *channel, gboolean visible)
{
  GstRtcDataEntry *entry = g_new0 (GstRtcDataEntry, 1);
  GstRtcChannelState state;

  entry->data = (GstRtcBinData *)gst_rtc_data_hub_ref (&self->parent);
  entry->channel = channel;
  entry->connection = connection;
  entry->ref_count = 1;
  /* What comes while users are told, or before there are any. */
  gst_rtc_channel_hold (channel);
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->entries, gst_rtc_data_entry_ref (entry));
  g_mutex_unlock (&self->lock);
  state =
      gst_rtc_channel_add_listener (channel, &entry_events, gst_rtc_data_entry_ref (entry), gst_rtc_data_entry_unref);
  if (visible) {
    g_mutex_lock (&self->lock);
    show_entry (self, entry);
    g_mutex_unlock (&self->lock);
  }
  if (state == GST_RTC_CHANNEL_OPEN) {
    gst_rtc_data_entry_report_open (entry);
  } else if (state == GST_RTC_CHANNEL_CLOSED) {
    /* Told to others before we listened. */
    GError *error = gst_rtc_channel_copy_error (channel);

    gst_rtc_channel_remove_listener (channel, entry);
    closed (entry, error);
    g_clear_error (&error);
  }
  gst_rtc_data_entry_unref (entry);
}

void
gst_rtc_bin_data_take_channel (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel)
{
  if (connection->peer_is_rtclink && gst_rtc_bin_data_take_link (self, connection, channel))
    return;
  if (connection->peer_is_rtclink && gst_rtc_bin_data_take_lasting (self, connection, channel))
    return;
  GST_DEBUG ("peer %s opened the data channel \"%s\"", channel->peer_id, channel->init.label);
  gst_rtc_bin_data_add_channel (self, connection, gst_rtc_channel_ref (channel), TRUE);
}

void
gst_rtc_bin_data_show (GstRtcBinData *self, gconstpointer connection, const gchar *peer_id)
{
  GPtrArray *hidden = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->entries->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);

    if (!entry->visible
        && (entry->connection ? entry->connection == connection : g_str_equal (entry->channel->peer_id, peer_id)))
      g_ptr_array_add (hidden, gst_rtc_data_entry_ref (entry));
  }
  for (guint i = 0; i < hidden->len; i++)
    show_entry (self, g_ptr_array_index (hidden, i));
  g_mutex_unlock (&self->lock);
  g_ptr_array_unref (hidden);
}

/* The hub. */

static void
tell_wanted (gpointer data)
{
  GstRtcBinData *self = data;

  if (self->wanted_changed)
    self->wanted_changed (self->wanted_data);
}

static guint
attach (GstRtcDataHub *hub, const GstRtcDataUser *from)
{
  GstRtcBinData *self = (GstRtcBinData *)hub;
  GstRtcDataUserEntry *user = g_new0 (GstRtcDataUserEntry, 1);
  GPtrArray *there = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);
  gboolean first;
  guint id;

  user->init = gst_rtc_channel_init_copy (from->init);
  user->opens = from->opens;
  user->peer_id = g_strdup (from->peer_id);
  user->channel = from->channel;
  user->refused = from->refused;
  user->user_data = from->user_data;
  user->notify = from->notify;
  user->ref_count = 2;
  g_mutex_lock (&self->lock);
  id = user->id = ++self->next_id;
  first = self->users->len == 0;
  g_ptr_array_add (self->users, user);
  for (guint i = 0; i < self->entries->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);

    if (!entry->visible || !gst_rtc_data_user_matches (user, entry->channel->peer_id, &entry->channel->init))
      continue;
    set_taken (entry, TRUE);
    g_ptr_array_add (there, gst_rtc_data_entry_ref (entry));
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < there->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (there, i);

    tell_user (user, entry);
    release_entry (self, entry);
  }
  if (first)
    gst_rtc_bin_data_post (self, tell_wanted);
  if (from->opens)
    gst_rtc_bin_data_post (self, gst_rtc_bin_data_open_missing);
  g_ptr_array_unref (there);
  gst_rtc_data_user_unref (user);
  return id;
}

/* UNWANTED: channels that nobody else has are closed, even if the peer opened them. */
static void
remove_user (GstRtcDataHub *hub, guint id, gboolean unwanted)
{
  GstRtcBinData *self = (GstRtcBinData *)hub;
  GPtrArray *left = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);
  GstRtcDataUserEntry *user = NULL;
  gboolean last;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->users->len && !user; i++) {
    if (((GstRtcDataUserEntry *)g_ptr_array_index (self->users, i))->id == id)
      user = g_ptr_array_steal_index (self->users, i);
  }
  for (guint i = 0; user && i < self->entries->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);
    GPtrArray *others;

    if (!gst_rtc_data_user_matches (user, entry->channel->peer_id, &entry->channel->init))
      continue;
    others = find_users (self, entry);
    if (others->len == 0) {
      set_taken (entry, FALSE);
      if (unwanted)
        entry->deadline = 0;
      g_ptr_array_add (left, gst_rtc_data_entry_ref (entry));
    }
    g_ptr_array_unref (others);
  }
  last = user && self->users->len == 0;
  g_mutex_unlock (&self->lock);
  if (user) {
    g_atomic_int_set (&user->gone, TRUE);
    gst_rtc_data_user_unref (user);
  }
  for (guint i = 0; i < left->len; i++)
    leave_entry (self, g_ptr_array_index (left, i), unwanted);
  if (last)
    gst_rtc_bin_data_post (self, tell_wanted);
  g_ptr_array_unref (left);
}

static void
detach (GstRtcDataHub *hub, guint id)
{
  remove_user (hub, id, FALSE);
}

static void
hub_close (GstRtcDataHub *hub, guint id)
{
  remove_user (hub, id, TRUE);
}

static gboolean
get_clock_offset (GstRtcDataHub *hub, const gchar *peer_id, gint64 *offset, gint64 *error_bound)
{
  return gst_rtc_bin_data_get_clock_offset ((GstRtcBinData *)hub, peer_id, offset, error_bound);
}

static void
hub_free (GstRtcDataHub *hub)
{
  GstRtcBinData *self = (GstRtcBinData *)hub;

  g_ptr_array_unref (self->users);
  g_ptr_array_unref (self->entries);
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->lasting);
  gst_rtc_bin_data_forget_ended (self, NULL);
  g_ptr_array_unref (self->connections);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static const GstRtcDataHubClass hub_class = {
    .attach = attach,
    .detach = detach,
    .close = hub_close,
    .get_clock_offset = get_clock_offset,
    .free = hub_free,
};

static void
connection_free (gpointer data)
{
  GstRtcDataConnection *connection = data;

  g_hash_table_unref (connection->served);
  g_free (connection->peer_id);
  g_free (connection);
}

GstRtcBinData *
gst_rtc_bin_data_new (GstElement *bin)
{
  GstRtcBinData *self = g_new0 (GstRtcBinData, 1);

  self->parent.klass = &hub_class;
  self->parent.ref_count = 1;
  g_mutex_init (&self->lock);
  self->bin = bin;
  self->users = g_ptr_array_new_with_free_func (gst_rtc_data_user_unref);
  self->entries = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);
  self->links = g_ptr_array_new_with_free_func (gst_rtc_data_link_unref);
  self->lasting = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  g_queue_init (&self->ended);
  /* No number of an rtcbin that was here before. */
  self->next_number = g_get_real_time ();
  self->connections = g_ptr_array_new_with_free_func (connection_free);
  return self;
}

GstRtcDataHub *
gst_rtc_bin_data_get_hub (GstRtcBinData *self)
{
  return &self->parent;
}

void
gst_rtc_bin_data_start (GstRtcBinData *self, GstRtcLoop *loop, GstRtcLoopFunc wanted_changed, gpointer user_data)
{
  self->wanted_changed = wanted_changed;
  self->wanted_data = user_data;
  self->control = loop;
  g_mutex_lock (&self->lock);
  self->loop = gst_rtc_loop_ref (loop);
  g_mutex_unlock (&self->lock);
}

static void
stop_on_loop (gpointer data)
{
  GstRtcBinData *self = data;

  if (self->timer)
    g_source_destroy (self->timer);
  if (self->link_timer)
    g_source_destroy (self->link_timer);
  if (self->lasting_timer)
    g_source_destroy (self->lasting_timer);
  self->timer = self->link_timer = self->lasting_timer = NULL;
  self->wanted_changed = NULL;
}

void
gst_rtc_bin_data_stop (GstRtcBinData *self)
{
  GstRtcLoop *loop;

  g_mutex_lock (&self->lock);
  loop = g_steal_pointer (&self->loop);
  g_mutex_unlock (&self->lock);
  /* What was posted before runs before. */
  gst_rtc_loop_call (loop, stop_on_loop, self);
  gst_rtc_loop_unref (loop);
}

static void
unref_hub (gpointer data)
{
  gst_rtc_data_hub_unref (data);
}

void
gst_rtc_bin_data_post_full (GstRtcBinData *self, GstRtcLoopFunc func, gpointer user_data, GDestroyNotify notify)
{
  GstRtcLoop *loop;

  g_mutex_lock (&self->lock);
  loop = self->loop ? gst_rtc_loop_ref (self->loop) : NULL;
  g_mutex_unlock (&self->lock);
  if (!loop) {
    notify (user_data);
    return;
  }
  gst_rtc_loop_post (loop, func, user_data, notify);
  gst_rtc_loop_unref (loop);
}

void
gst_rtc_bin_data_post (GstRtcBinData *self, GstRtcLoopFunc func)
{
  gst_rtc_bin_data_post_full (self, func, gst_rtc_data_hub_ref (&self->parent), unref_hub);
}

gboolean
gst_rtc_bin_data_is_wanted (GstRtcBinData *self)
{
  gboolean wanted;

  g_mutex_lock (&self->lock);
  wanted = self->users->len > 0;
  g_mutex_unlock (&self->lock);
  return wanted;
}
