/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbindatapriv.h"

#include <stdio.h>
#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* A channel of a connection says by its protocol which one goes on with it: "rtclink.1 NUMBER PROTOCOL". On rtclink's
 * own channel: "have WHOSE NUMBER DELIVERED" ("m": the one that says so opened it, "y": the other one), "over NUMBER",
 * of one that it opened, and "from NUMBER": those that it opened before are over. */
#define PREFIX "rtclink.1 "
#define MAX_PROTOCOL 65000
#define MAX_LASTING 4096 /* that one peer opens */
#define MAX_ENDED 256 /* that are remembered */
#define MAX_TEXT 128
#define RETRY_US 50000

static gboolean
belongs_to (GstRtcLasting *lasting, const gchar *peer_id)
{
  return g_str_equal (((GstRtcChannel *)lasting)->peer_id, peer_id);
}

/* Those of a peer; NULL: of all. (transfer full) */
static GPtrArray *
copy_lasting (GstRtcBinData *self, const gchar *peer_id)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->lasting->len; i++) {
    GstRtcLasting *lasting = g_ptr_array_index (self->lasting, i);

    if (!peer_id || belongs_to (lasting, peer_id))
      g_ptr_array_add (copy, gst_rtc_channel_ref ((GstRtcChannel *)lasting));
  }
  g_mutex_unlock (&self->lock);
  return copy;
}

/* Under the lock. (transfer none) */
static GstRtcLasting *
find (GstRtcBinData *self, const gchar *peer_id, gboolean is_remote, guint64 number)
{
  for (guint i = 0; i < self->lasting->len; i++) {
    GstRtcLasting *lasting = g_ptr_array_index (self->lasting, i);

    if (!((GstRtcChannel *)lasting)->is_remote == !is_remote && gst_rtc_lasting_get_number (lasting) == number
        && belongs_to (lasting, peer_id))
      return lasting;
  }
  return NULL;
}

/* A channel that a peer opened and that was closed here. When that was while its connection broke, the peer does not
 * know, and opens it again on the next one. */
typedef struct
{
  gchar *peer_id;
  guint64 number;
} Ended;

static void
ended_free (gpointer data)
{
  g_free (((Ended *)data)->peer_id);
  g_free (data);
}

void
gst_rtc_bin_data_forget_ended (GstRtcBinData *self, const gchar *peer_id)
{
  for (GList *at = self->ended.head, *next; at; at = next) {
    Ended *ended = at->data;

    next = at->next;
    if (!peer_id || g_str_equal (ended->peer_id, peer_id)) {
      ended_free (ended);
      g_queue_delete_link (&self->ended, at);
    }
  }
}

static void
remember_ended (GstRtcBinData *self, GstRtcLasting *lasting)
{
  Ended *ended = g_new (Ended, 1);

  *ended = (Ended){g_strdup (((GstRtcChannel *)lasting)->peer_id), gst_rtc_lasting_get_number (lasting)};
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->ended, ended);
  if (self->ended.length > MAX_ENDED)
    ended_free (g_queue_pop_head (&self->ended));
  g_mutex_unlock (&self->lock);
}

static gboolean
has_ended (GstRtcBinData *self, const gchar *peer_id, guint64 number)
{
  gboolean found = FALSE;

  g_mutex_lock (&self->lock);
  for (GList *at = self->ended.head; at && !found; at = at->next) {
    Ended *ended = at->data;

    found = ended->number == number && g_str_equal (ended->peer_id, peer_id);
  }
  g_mutex_unlock (&self->lock);
  return found;
}

/* Acknowledgements. */

/* Returns when to try again, microseconds of the monotonic clock; -1: when something happens. */
static gint64
tell_one (GstRtcBinData *self, GstRtcLasting *lasting, gint64 now)
{
  GstRtcChannel *channel = (GstRtcChannel *)lasting;
  guint64 delivered;
  gchar text[MAX_TEXT];
  guint serial;
  gboolean must;
  gint64 deadline = gst_rtc_lasting_get_deadline (lasting, &serial, &must);

  if (deadline < 0 || deadline > now)
    return deadline;
  if (!gst_rtc_bin_data_link_send (self, channel->peer_id, serial, NULL, must))
    return must ? -1 : now + RETRY_US;
  if (!gst_rtc_lasting_tell (lasting, serial, &delivered))
    return -1;
  g_snprintf (text, sizeof text, "have %c %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, channel->is_remote ? 'y' : 'm',
      gst_rtc_lasting_get_number (lasting), delivered);
  gst_rtc_bin_data_link_send (self, channel->peer_id, serial, text, TRUE);
  return -1;
}

static void tell_all (gpointer data);

static void
on_timer (gpointer data)
{
  GstRtcBinData *self = data;

  self->lasting_timer = NULL;
  tell_all (self);
}

static void
tell_all (gpointer data)
{
  GstRtcBinData *self = data;
  GPtrArray *all = copy_lasting (self, NULL);
  gint64 now = g_get_monotonic_time (), next = G_MAXINT64;

  for (guint i = 0; i < all->len; i++) {
    gint64 at = tell_one (self, g_ptr_array_index (all, i), now);

    if (at >= 0)
      next = MIN (next, at);
  }
  g_ptr_array_unref (all);
  if (self->lasting_timer)
    g_source_destroy (self->lasting_timer);
  self->lasting_timer = NULL;
  if (next < G_MAXINT64)
    self->lasting_timer = gst_rtc_loop_add_timeout (self->control, MAX (next - now, 0) / 1000 + 1, on_timer, self);
}

static void
on_due (GstRtcLasting *lasting, gboolean now, gpointer user_data)
{
  GstRtcBinData *self = user_data;

  if (!now || tell_one (self, lasting, g_get_monotonic_time ()) >= 0)
    gst_rtc_bin_data_post (self, tell_all);
}

typedef struct
{
  GstRtcBinData *data;
  gchar *peer_id;
} Again;

/* Users that have none with the peer any more get another one, when it is still there. */
static void
open_again (gpointer user_data)
{
  Again *again = user_data;
  GstRtcBinData *self = again->data;

  for (guint i = 0; i < self->connections->len; i++) {
    GstRtcDataConnection *on = g_ptr_array_index (self->connections, i);

    if (g_str_equal (on->peer_id, again->peer_id))
      g_hash_table_remove_all (on->served);
  }
  gst_rtc_bin_data_open_missing (self);
}

static void
again_free (gpointer data)
{
  Again *again = data;

  gst_rtc_data_hub_unref (&again->data->parent);
  g_free (again->peer_id);
  g_free (again);
}

static void
on_over (GstRtcLasting *lasting, const GError *error, gpointer user_data)
{
  GstRtcBinData *self = user_data;
  GstRtcChannel *channel = (GstRtcChannel *)lasting;
  gchar text[MAX_TEXT];
  Again *again;

  if (error && !channel->is_remote) {
    g_snprintf (text, sizeof text, "over %" G_GUINT64_FORMAT, gst_rtc_lasting_get_number (lasting));
    gst_rtc_bin_data_link_send (self, channel->peer_id, 0, text, TRUE);
  }
  if (channel->is_remote)
    remember_ended (self, lasting);
  if (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK)) {
    again = g_new (Again, 1);
    *again = (Again){(GstRtcBinData *)gst_rtc_data_hub_ref (&self->parent), g_strdup (channel->peer_id)};
    gst_rtc_bin_data_post_full (self, open_again, again, again_free);
  }
  g_mutex_lock (&self->lock);
  gst_rtc_channel_ref (channel);
  g_ptr_array_remove (self->lasting, lasting);
  g_mutex_unlock (&self->lock);
  gst_rtc_channel_unref (channel);
}

static const GstRtcLastingEvents lasting_events = {on_due, on_over};

/* Opening. */

gboolean
gst_rtc_bin_data_can_last (const GstRtcChannelInit *init)
{
  return init->ordered && init->max_retransmits < 0 && init->max_packet_lifetime < 0 && !init->negotiated
      && (!init->protocol || strlen (init->protocol) < MAX_PROTOCOL);
}

static void
unref_hub (gpointer hub)
{
  gst_rtc_data_hub_unref (hub);
}

static GstRtcLasting *
lasting_new (
    GstRtcBinData *self, const gchar *peer_id, gboolean is_remote, guint64 number, const GstRtcChannelInit *init)
{
  return gst_rtc_lasting_new (
      peer_id, is_remote, number, init, &lasting_events, gst_rtc_data_hub_ref (&self->parent), unref_hub);
}

static GstRtcChannel *
open_part (GstRtcLasting *lasting, GstRtcDataConnection *on, GError **error)
{
  GstRtcTransport *transport = on->connection->transport;
  GstRtcChannelInit init = ((GstRtcChannel *)lasting)->init;
  GstRtcChannel *part;

  init.protocol =
      g_strdup_printf (PREFIX "%" G_GUINT64_FORMAT " %s", gst_rtc_lasting_get_number (lasting), init.protocol);
  part = transport->klass->open_channel (transport, &init, error);
  g_free (init.protocol);
  return part;
}

GstRtcChannel *
gst_rtc_bin_data_open_lasting (
    GstRtcBinData *self, GstRtcDataConnection *on, const GstRtcChannelInit *init, gboolean visible, GError **error)
{
  GstRtcLasting *lasting;
  GstRtcChannel *part;
  guint64 number;

  g_mutex_lock (&self->lock);
  number = self->next_number++;
  g_mutex_unlock (&self->lock);
  lasting = lasting_new (self, on->peer_id, FALSE, number, init);
  part = open_part (lasting, on, error);
  if (!part) {
    gst_rtc_channel_unref (lasting);
    return NULL;
  }
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->lasting, gst_rtc_channel_ref ((GstRtcChannel *)lasting));
  g_mutex_unlock (&self->lock);
  gst_rtc_lasting_add_part (lasting, part, on->connection->data_serial, visible);
  return (GstRtcChannel *)lasting;
}

void
gst_rtc_bin_data_reopen_lasting (GstRtcBinData *self, GstRtcDataConnection *on)
{
  GPtrArray *all = copy_lasting (self, on->peer_id);

  for (guint i = 0; i < all->len && on->connection->transport->klass->open_channel; i++) {
    GstRtcLasting *lasting = g_ptr_array_index (all, i);
    GError *error = NULL;
    GstRtcChannel *part;

    if (((GstRtcChannel *)lasting)->is_remote
        || gst_rtc_channel_get_state ((GstRtcChannel *)lasting) == GST_RTC_CHANNEL_CLOSED
        || !gst_rtc_lasting_may_have_part (lasting, on->connection->data_serial))
      continue;
    part = open_part (lasting, on, &error);
    if (part)
      gst_rtc_lasting_add_part (lasting, part, on->connection->data_serial, FALSE);
    else
      gst_rtc_lasting_end (lasting, error);
    g_clear_error (&error);
  }
  g_ptr_array_unref (all);
}

/* The peer's channel NUMBER, made when there is none. NULL: it must not be. (transfer full) */
static GstRtcLasting *
find_or_add (GstRtcBinData *self, GstRtcChannel *part, guint64 number, const gchar *protocol, gboolean *is_new)
{
  GstRtcChannelInit init = part->init;
  GstRtcLasting *lasting, *made;
  guint n = 0;

  init.protocol = (gchar *)protocol;
  init.id = -1;
  made = lasting_new (self, part->peer_id, TRUE, number, &init);
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->lasting->len; i++)
    n += belongs_to (g_ptr_array_index (self->lasting, i), part->peer_id);
  lasting = find (self, part->peer_id, TRUE, number);
  *is_new = !lasting;
  if (lasting && gst_rtc_channel_init_equal (&((GstRtcChannel *)lasting)->init, &init)) {
    gst_rtc_channel_ref ((GstRtcChannel *)lasting);
  } else if (!lasting && n < MAX_LASTING) {
    lasting = g_steal_pointer (&made);
    g_ptr_array_add (self->lasting, gst_rtc_channel_ref ((GstRtcChannel *)lasting));
  } else {
    lasting = NULL;
  }
  g_mutex_unlock (&self->lock);
  if (made)
    gst_rtc_channel_unref (made);
  return lasting;
}

gboolean
gst_rtc_bin_data_take_lasting (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel)
{
  const gchar *rest = channel->init.protocol;
  GstRtcLasting *lasting;
  gboolean is_new;
  guint64 number;
  gchar *end;

  if (!g_str_has_prefix (rest, PREFIX) || !gst_rtc_bin_data_can_last (&channel->init))
    return FALSE;
  number = g_ascii_strtoull (rest + strlen (PREFIX), &end, 10);
  if (end == rest + strlen (PREFIX) || *end != ' ')
    return FALSE;
  if (has_ended (self, channel->peer_id, number)) {
    GST_DEBUG ("peer %s goes on with the data channel \"%s\", which was closed meanwhile", channel->peer_id,
        channel->init.label);
    gst_rtc_channel_close (channel);
    return TRUE;
  }
  lasting = find_or_add (self, channel, number, end + 1, &is_new);
  if (!lasting) {
    GST_WARNING ("peer %s goes on with a data channel \"%s\" that is another one here, or has too many",
        channel->peer_id, channel->init.label);
    gst_rtc_channel_close (channel);
    return TRUE;
  }
  GST_DEBUG (
      "peer %s %s the data channel \"%s\"", channel->peer_id, is_new ? "opened" : "goes on with", channel->init.label);
  gst_rtc_lasting_add_part (lasting, gst_rtc_channel_ref (channel), connection->data_serial, FALSE);
  if (is_new)
    gst_rtc_bin_data_add_channel (self, NULL, gst_rtc_channel_ref ((GstRtcChannel *)lasting), TRUE);
  gst_rtc_channel_unref (lasting);
  gst_rtc_bin_data_post (self, gst_rtc_bin_data_begin_lasting);
  return TRUE;
}

void
gst_rtc_bin_data_begin_lasting (gpointer data)
{
  GstRtcBinData *self = data;

  for (guint i = 0; i < self->connections->len; i++) {
    GstRtcDataConnection *on = g_ptr_array_index (self->connections, i);
    GPtrArray *all;

    if (!gst_rtc_bin_data_is_visible (self, on))
      continue;
    all = copy_lasting (self, on->peer_id);
    for (guint j = 0; j < all->len; j++)
      gst_rtc_lasting_begin (g_ptr_array_index (all, j), on->connection->data_serial);
    g_ptr_array_unref (all);
  }
}

/* The peer's end. */

static void
end (GstRtcBinData *self, GstRtcLasting *lasting, const gchar *why)
{
  GstRtcChannel *channel = (GstRtcChannel *)lasting;
  GError *error = g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK,
      "The data channel \"%s\" to peer %s cannot go on: %s", channel->init.label, channel->peer_id, why);

  gst_rtc_lasting_end (lasting, error);
  g_error_free (error);
}

void
gst_rtc_bin_data_remove_peer (GstRtcBinData *self, const gchar *peer_id)
{
  GPtrArray *all = copy_lasting (self, peer_id);

  for (guint i = 0; i < all->len; i++)
    end (self, g_ptr_array_index (all, i), "there is no connection to it any more");
  g_ptr_array_unref (all);
  g_mutex_lock (&self->lock);
  gst_rtc_bin_data_forget_ended (self, peer_id);
  g_mutex_unlock (&self->lock);
}

/* All of the peer's before NUMBER, or that one only. */
static void
end_remote (GstRtcBinData *self, const gchar *peer_id, guint64 number, gboolean before)
{
  GPtrArray *all = copy_lasting (self, peer_id);

  for (guint i = 0; i < all->len; i++) {
    GstRtcLasting *lasting = g_ptr_array_index (all, i);
    guint64 its = gst_rtc_lasting_get_number (lasting);

    if (((GstRtcChannel *)lasting)->is_remote && (before ? its < number : its == number))
      end (self, lasting, "the peer gave it up");
  }
  g_ptr_array_unref (all);
}

void
gst_rtc_bin_data_lasting_linked (GstRtcBinData *self, const gchar *peer_id, guint serial)
{
  gchar text[MAX_TEXT];
  guint64 first;

  g_mutex_lock (&self->lock);
  first = self->next_number;
  for (guint i = 0; i < self->lasting->len; i++) {
    GstRtcLasting *lasting = g_ptr_array_index (self->lasting, i);

    if (!((GstRtcChannel *)lasting)->is_remote && belongs_to (lasting, peer_id))
      first = MIN (first, gst_rtc_lasting_get_number (lasting));
  }
  g_mutex_unlock (&self->lock);
  g_snprintf (text, sizeof text, "from %" G_GUINT64_FORMAT, first);
  gst_rtc_bin_data_link_send (self, peer_id, serial, text, TRUE);
  gst_rtc_bin_data_post (self, tell_all);
}

gboolean
gst_rtc_bin_data_lasting_message (GstRtcBinData *self, const gchar *peer_id, guint serial, const gchar *text)
{
  GstRtcLasting *lasting;
  guint64 number, delivered;
  gchar whose;

  if (sscanf (text, "have %c %19" G_GUINT64_FORMAT " %19" G_GUINT64_FORMAT, &whose, &number, &delivered) == 3
      && (whose == 'm' || whose == 'y')) {
    g_mutex_lock (&self->lock);
    lasting = find (self, peer_id, whose == 'm', number);
    if (lasting)
      gst_rtc_channel_ref ((GstRtcChannel *)lasting);
    g_mutex_unlock (&self->lock);
    if (lasting) {
      gst_rtc_lasting_told (lasting, serial, delivered);
      gst_rtc_channel_unref (lasting);
    }
    return TRUE;
  }
  if (sscanf (text, "from %19" G_GUINT64_FORMAT, &number) == 1) {
    end_remote (self, peer_id, number, TRUE);
    return TRUE;
  }
  if (sscanf (text, "over %19" G_GUINT64_FORMAT, &number) == 1) {
    end_remote (self, peer_id, number, FALSE);
    return TRUE;
  }
  return FALSE;
}
