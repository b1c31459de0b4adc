/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbindatapriv.h"
#include "core/rtcclockoffset.h"

#include <stdio.h>
#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* The channel that two rtclink peers have for themselves. Its messages are texts: "ask NUMBER", and the answer
 * "tell NUMBER IN OUT", when it came and when the answer left, in microseconds since 1970; and those of
 * gstrtcbindatalast.c. Others are ignored. */
#define LABEL "rtclink"
#define PROTOCOL "rtclink.1"
#define MAX_TEXT 128
/* A peer that asks and does not read gets no answers. */
#define MAX_BUFFERED 16384

typedef struct
{
  /* set at construction */
  GstRtcBinData *data;
  GstRtcChannel *channel;
  guint serial; /* of its connection */

  gint ref_count; /* atomic; the table's, the listener's */

  /* under GstRtcBinData.lock */
  RtcClockOffset clock; /* ours is the monotonic clock, theirs that of the day */
} Link;

static Link *
link_ref (Link *link)
{
  g_atomic_int_inc (&link->ref_count);
  return link;
}

void
gst_rtc_data_link_unref (gpointer data)
{
  Link *link = data;

  if (!g_atomic_int_dec_and_test (&link->ref_count))
    return;
  gst_rtc_channel_unref (link->channel);
  gst_rtc_data_hub_unref (&link->data->parent);
  g_free (link);
}

static gboolean
send_text (Link *link, const gchar *text, gboolean must)
{
  GBytes *message;
  gboolean sent;

  if (!must && gst_rtc_channel_get_buffered (link->channel) > MAX_BUFFERED)
    return FALSE;
  message = g_bytes_new (text, strlen (text));
  sent = gst_rtc_channel_send (link->channel, TRUE, message, NULL);
  g_bytes_unref (message);
  return sent;
}

gboolean
gst_rtc_bin_data_link_send (GstRtcBinData *self, const gchar *peer_id, guint serial, const gchar *text, gboolean must)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (gst_rtc_data_link_unref);
  gboolean sent = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->links->len; i++) {
    Link *link = g_ptr_array_index (self->links, i);

    if ((serial == 0 || link->serial == serial) && g_str_equal (link->channel->peer_id, peer_id))
      g_ptr_array_add (found, link_ref (link));
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < found->len; i++) {
    Link *link = g_ptr_array_index (found, i);

    sent |= text ? send_text (link, text, must) : must || gst_rtc_channel_get_buffered (link->channel) <= MAX_BUFFERED;
  }
  g_ptr_array_unref (found);
  return sent;
}

static void
on_timer (gpointer data)
{
  GstRtcBinData *self = data;

  self->link_timer = NULL;
  gst_rtc_bin_data_ask_peers (self);
}

void
gst_rtc_bin_data_ask_peers (gpointer data)
{
  GstRtcBinData *self = data;
  GPtrArray *due = g_ptr_array_new_with_free_func (gst_rtc_data_link_unref);
  gint64 now = g_get_monotonic_time (), next = G_MAXINT64;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->links->len; i++) {
    Link *link = g_ptr_array_index (self->links, i);

    if (gst_rtc_channel_get_state (link->channel) != GST_RTC_CHANNEL_OPEN)
      continue;
    if (rtc_clock_offset_get_deadline (&link->clock) <= now)
      g_ptr_array_add (due, link_ref (link));
    else
      next = MIN (next, rtc_clock_offset_get_deadline (&link->clock));
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < due->len; i++) {
    Link *link = g_ptr_array_index (due, i);
    gchar text[MAX_TEXT];

    g_mutex_lock (&self->lock);
    g_snprintf (text, sizeof text, "ask %u", rtc_clock_offset_ask (&link->clock, g_get_monotonic_time ()));
    next = MIN (next, rtc_clock_offset_get_deadline (&link->clock));
    g_mutex_unlock (&self->lock);
    send_text (link, text, FALSE);
  }
  g_ptr_array_unref (due);
  if (self->link_timer)
    g_source_destroy (self->link_timer);
  self->link_timer = NULL;
  if (next < G_MAXINT64)
    self->link_timer = gst_rtc_loop_add_timeout (self->control, MAX (next - now, 0) / 1000 + 1, on_timer, self);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Link *link = user_data;
  GstRtcBinData *self = link->data;

  if (state == GST_RTC_CHANNEL_OPEN) {
    gst_rtc_bin_data_post (self, gst_rtc_bin_data_ask_peers);
  } else if (state == GST_RTC_CHANNEL_CLOSED) {
    g_mutex_lock (&self->lock);
    g_ptr_array_remove (self->links, link);
    g_mutex_unlock (&self->lock);
  }
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  Link *link = user_data;
  GstRtcBinData *self = link->data;
  gsize size;
  const gchar *data = g_bytes_get_data (message, &size);
  gchar text[MAX_TEXT], answer[MAX_TEXT];
  gint64 in, out;
  guint number;

  if (!is_text || size >= MAX_TEXT)
    return;
  memcpy (text, data, size);
  text[size] = '\0';
  if (sscanf (text, "ask %9u", &number) == 1) {
    gint64 of_day = g_get_real_time ();

    in = of_day - (g_get_monotonic_time () - arrival);
    g_snprintf (answer, sizeof answer, "tell %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, number, in, MAX (of_day, in));
    send_text (link, answer, FALSE);
  } else if (gst_rtc_bin_data_lasting_message (self, channel->peer_id, link->serial, text)) {
    GST_LOG ("peer %s: %s", channel->peer_id, text);
  } else if (sscanf (text, "tell %9u %18" G_GINT64_FORMAT " %18" G_GINT64_FORMAT, &number, &in, &out) == 3) {
    g_mutex_lock (&self->lock);
    if (!rtc_clock_offset_take (&link->clock, number, in, out, arrival))
      GST_DEBUG ("peer %s: \"%s\" is no use", channel->peer_id, text);
    g_mutex_unlock (&self->lock);
  }
}

static const GstRtcChannelEvents events = {.state = on_state, .message = on_message};

static void
add_link (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel)
{
  Link *link = g_new0 (Link, 1);

  link->data = (GstRtcBinData *)gst_rtc_data_hub_ref (&self->parent);
  link->channel = channel;
  link->serial = connection->data_serial;
  link->ref_count = 1;
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->links, link_ref (link));
  g_mutex_unlock (&self->lock);
  on_state (
      channel, gst_rtc_channel_add_listener (channel, &events, link_ref (link), gst_rtc_data_link_unref), NULL, link);
  gst_rtc_bin_data_lasting_linked (self, channel->peer_id, link->serial);
  gst_rtc_data_link_unref (link);
}

void
gst_rtc_bin_data_open_link (GstRtcBinData *self, GstRtcConnection *connection)
{
  GstRtcTransport *transport = connection->transport;
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  GstRtcChannel *channel;

  init.label = (gchar *)LABEL;
  init.protocol = (gchar *)PROTOCOL;
  init.priority = 1024;
  channel = transport->klass->open_channel ? transport->klass->open_channel (transport, &init, NULL) : NULL;
  if (channel)
    add_link (self, connection, channel);
}

gboolean
gst_rtc_bin_data_take_link (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel)
{
  if (!g_str_equal (channel->init.label, LABEL) || !g_str_equal (channel->init.protocol, PROTOCOL))
    return FALSE;
  add_link (self, connection, gst_rtc_channel_ref (channel));
  return TRUE;
}

gboolean
gst_rtc_bin_data_get_clock_offset (GstRtcBinData *self, const gchar *peer_id, gint64 *offset, gint64 *bound)
{
  gint64 now = g_get_monotonic_time (), of_day = g_get_real_time ();
  gboolean found = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->links->len; i++) {
    Link *link = g_ptr_array_index (self->links, i);
    gint64 this_offset, this_bound;

    if (g_str_equal (link->channel->peer_id, peer_id)
        && rtc_clock_offset_get (&link->clock, now, &this_offset, &this_bound) && (!found || this_bound < *bound)) {
      *offset = this_offset + now - of_day;
      *bound = this_bound;
      found = TRUE;
    }
  }
  g_mutex_unlock (&self->lock);
  return found;
}
