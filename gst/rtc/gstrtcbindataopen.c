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

static GstRtcDataConnection *
find (GstRtcBinData *self, gconstpointer connection)
{
  for (guint i = 0; i < self->connections->len; i++) {
    GstRtcDataConnection *at = g_ptr_array_index (self->connections, i);

    if (at->connection == connection)
      return at;
  }
  return NULL;
}

static GstRtcDataConnection *
find_current (GstRtcBinData *self, const gchar *peer_id)
{
  for (guint i = 0; i < self->connections->len; i++) {
    GstRtcDataConnection *at = g_ptr_array_index (self->connections, i);

    if (at->current && g_str_equal (at->peer_id, peer_id))
      return at;
  }
  return NULL;
}

/* While the current connection works, channels of the next one are nobody's: it may never come up. */
gboolean
gst_rtc_bin_data_is_visible (GstRtcBinData *self, GstRtcDataConnection *on)
{
  return on->current || !find_current (self, on->peer_id);
}

static gboolean
has_channel (GstRtcBinData *self, GstRtcDataConnection *on, GstRtcDataUserEntry *user)
{
  gboolean found = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->entries->len && !found; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);

    found =
        (entry->connection ? entry->connection == on->connection : g_str_equal (entry->channel->peer_id, on->peer_id))
        && gst_rtc_channel_get_state (entry->channel) < GST_RTC_CHANNEL_CLOSING
        && gst_rtc_channel_init_equal (&entry->channel->init, &user->init);
  }
  g_mutex_unlock (&self->lock);
  return found;
}

static void
open_for (GstRtcBinData *self, GstRtcDataConnection *on, GstRtcDataUserEntry *user)
{
  GstRtcTransport *transport = on->connection->transport;
  GstRtcChannel *channel = NULL;
  GError *error = NULL;

  gboolean visible = gst_rtc_bin_data_is_visible (self, on), lasts = FALSE;

  if (transport->klass->channels_last && on->connection->peer_is_rtclink && gst_rtc_bin_data_can_last (&user->init)) {
    lasts = TRUE;
    channel = gst_rtc_bin_data_open_lasting (self, on, &user->init, visible, &error);
  } else if (transport->klass->open_channel)
    channel = transport->klass->open_channel (transport, &user->init, &error);
  else
    error = g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "The transport %s has no data channels; use rtcbin's property transport=native", transport->klass->name);
  if (channel) {
    gst_rtc_bin_data_add_channel (self, lasts ? NULL : on->connection, channel, visible);
    return;
  }
  GST_WARNING_OBJECT (self->bin, "peer %s: no data channel \"%s\": %s", on->peer_id, user->init.label, error->message);
  if (user->refused && !g_atomic_int_get (&user->gone))
    user->refused (on->peer_id, error, user->user_data);
  g_error_free (error);
}

static void
open_on (GstRtcBinData *self, GstRtcDataConnection *on)
{
  GPtrArray *users = g_ptr_array_new_with_free_func (gst_rtc_data_user_unref);

  if (on->connection->peer_is_rtclink)
    gst_rtc_bin_data_reopen_lasting (self, on);
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->users->len; i++) {
    GstRtcDataUserEntry *user = g_ptr_array_index (self->users, i);

    if (user->opens && gst_rtc_data_user_matches (user, on->peer_id, &user->init)
        && g_hash_table_add (on->served, GUINT_TO_POINTER (user->id)))
      g_ptr_array_add (users, gst_rtc_data_user_ref (user));
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < users->len; i++) {
    if (!has_channel (self, on, g_ptr_array_index (users, i)))
      open_for (self, on, g_ptr_array_index (users, i));
  }
  g_ptr_array_unref (users);
}

void
gst_rtc_bin_data_open_missing (gpointer data)
{
  GstRtcBinData *self = data;

  for (guint i = 0; i < self->connections->len; i++)
    open_on (self, g_ptr_array_index (self->connections, i));
  gst_rtc_bin_data_begin_lasting (self);
}

void
gst_rtc_bin_data_add_connection (
    GstRtcBinData *self, GstRtcConnection *connection, const gchar *peer_id, gboolean we_offer)
{
  GstRtcDataConnection *on = g_new0 (GstRtcDataConnection, 1);

  on->connection = connection;
  on->peer_id = g_strdup (peer_id);
  on->served = g_hash_table_new (NULL, NULL);
  g_ptr_array_add (self->connections, on);
  connection->data_serial = ++self->serial;
  if (we_offer && connection->peer_is_rtclink && connection->with_data)
    gst_rtc_bin_data_open_link (self, connection);
  open_on (self, on);
  gst_rtc_bin_data_begin_lasting (self);
}

void
gst_rtc_bin_data_promote (GstRtcBinData *self, GstRtcConnection *connection)
{
  GstRtcDataConnection *on = find (self, connection);

  on->current = TRUE;
  gst_rtc_bin_data_show (self, connection, on->peer_id);
  gst_rtc_bin_data_begin_lasting (self);
}

void
gst_rtc_bin_data_remove_connection (GstRtcBinData *self, gconstpointer connection)
{
  GstRtcDataConnection *on = find (self, connection);
  gchar *peer_id;

  if (!on)
    return;
  peer_id = g_strdup (on->peer_id);
  g_ptr_array_remove (self->connections, on);
  /* The one that is made is all there is now. */
  for (guint i = 0; i < self->connections->len; i++) {
    on = g_ptr_array_index (self->connections, i);
    if (g_str_equal (on->peer_id, peer_id) && gst_rtc_bin_data_is_visible (self, on))
      gst_rtc_bin_data_show (self, on->connection, peer_id);
  }
  gst_rtc_bin_data_begin_lasting (self);
  g_free (peer_id);
}

static void
on_timer (gpointer data)
{
  GstRtcBinData *self = data;

  self->timer = NULL;
  gst_rtc_bin_data_check_deadlines (self);
}

void
gst_rtc_bin_data_check_deadlines (gpointer data)
{
  GstRtcBinData *self = data;
  GPtrArray *late = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);
  gint64 now = g_get_monotonic_time (), next = G_MAXINT64;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->entries->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);

    if (entry->deadline > now) {
      next = MIN (next, entry->deadline);
    } else if (entry->deadline > 0) {
      entry->deadline = 0;
      entry->late = TRUE;
      g_ptr_array_add (late, gst_rtc_data_entry_ref (entry));
    }
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < late->len; i++)
    gst_rtc_channel_close (((GstRtcDataEntry *)g_ptr_array_index (late, i))->channel);
  g_ptr_array_unref (late);
  if (self->timer)
    g_source_destroy (self->timer);
  self->timer = NULL;
  if (next < G_MAXINT64)
    self->timer = gst_rtc_loop_add_timeout (self->control, (next - now) / 1000 + 1, on_timer, self);
}
