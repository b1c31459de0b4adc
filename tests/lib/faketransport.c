/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "faketransport.h"

#include <gst/check/gstcheck.h>

gboolean fake_has_channels, fake_fails;

static GMutex lock;
static GCond cond;
/* under lock */
static GPtrArray *transports; /* of FakeTransport, for as long as the link */

/* Channels. */

static gboolean
channel_send (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error)
{
  g_mutex_lock (&lock);
  g_ptr_array_add (((FakeChannel *)channel)->sent,
      g_strdup_printf ("%c:%.*s", is_text ? 't' : 'b', (gint)g_bytes_get_size (message),
          (const gchar *)g_bytes_get_data (message, NULL)));
  g_mutex_unlock (&lock);
  return TRUE;
}

static gsize
channel_get_buffered (GstRtcChannel *channel)
{
  return 0;
}

static void
channel_set_low_threshold (GstRtcChannel *channel, gsize bytes)
{
}

static void
channel_unread_changed (GstRtcChannel *channel, gsize bytes)
{
  g_atomic_pointer_set (&((FakeChannel *)channel)->unread, bytes);
}

static gint
channel_get_id (GstRtcChannel *channel)
{
  return channel->init.id;
}

static void
channel_close (GstRtcChannel *channel)
{
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
}

static void
channel_add_stats (GstRtcChannel *channel, GstStructure *stats)
{
}

static void
channel_free (GstRtcChannel *channel)
{
  g_ptr_array_unref (((FakeChannel *)channel)->sent);
  g_free (channel);
}

static const GstRtcChannelClass channel_class = {
    .send = channel_send,
    .get_buffered = channel_get_buffered,
    .set_low_threshold = channel_set_low_threshold,
    .unread_changed = channel_unread_changed,
    .get_id = channel_get_id,
    .close = channel_close,
    .add_stats = channel_add_stats,
    .free = channel_free,
};

static FakeChannel *
add_channel (FakeTransport *transport, gboolean is_remote, const GstRtcChannelInit *init, GstRtcChannelState state)
{
  FakeChannel *channel = g_new0 (FakeChannel, 1);

  channel->sent = g_ptr_array_new_with_free_func (g_free);
  gst_rtc_channel_construct (&channel->parent, &channel_class, transport->peer_id, is_remote, init, state);
  g_mutex_lock (&lock);
  g_ptr_array_add (transport->channels, channel);
  g_mutex_unlock (&lock);
  return channel;
}

FakeChannel *
fake_transport_open_remote (FakeTransport *transport, const gchar *label)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  FakeChannel *channel;

  init.label = (gchar *)label;
  init.id = 1;
  channel = add_channel (transport, TRUE, &init, GST_RTC_CHANNEL_OPEN);
  transport->parent.events->channel (&transport->parent, &channel->parent, transport->parent.user_data);
  return channel;
}

void
fake_channel_say (FakeChannel *channel, const gchar *text)
{
  GBytes *bytes = g_bytes_new (text, strlen (text));

  gst_rtc_channel_deliver (&channel->parent, TRUE, bytes, g_get_monotonic_time ());
  g_bytes_unref (bytes);
}

/* The transport. */

static gboolean
transport_check (GError **error)
{
  return TRUE;
}

static GstRtcTransport *transport_open (
    const GstRtcTransportConfig *config, const GstRtcTransportEvents *events, gpointer user_data, GError **error);

static void
transport_take_offer (
    GstRtcTransport *transport, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  GstSDPMessage *answer = NULL;

  gst_sdp_message_new (&answer);
  transport->events->description (transport, answer, transport->user_data);
}

static void
transport_add_candidate (GstRtcTransport *transport, guint mline, const gchar *candidate)
{
}

static GstRtcChannel *
transport_open_channel (GstRtcTransport *transport, const GstRtcChannelInit *init, GError **error)
{
  if (fake_fails) {
    g_set_error_literal (
        error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_ID, "There is no such channel in this test");
    return NULL;
  }
  return gst_rtc_channel_ref (
      &add_channel ((FakeTransport *)transport, FALSE, init, GST_RTC_CHANNEL_CONNECTING)->parent);
}

static void
transport_add_stats (GstRtcTransport *transport, GstStructure *stats)
{
}

static void
transport_close (GstRtcTransport *transport)
{
  FakeTransport *self = (FakeTransport *)transport;
  GError *error =
      g_error_new_literal (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to the peer is gone");

  g_atomic_int_set (&self->closed, TRUE);
  for (guint i = 0; i < self->channels->len; i++)
    gst_rtc_channel_set_state (g_ptr_array_index (self->channels, i), GST_RTC_CHANNEL_CLOSED, error);
  g_error_free (error);
}

static void
transport_nothing (GstRtcTransport *transport)
{
}

/* The link frees it. */
static void
transport_free (GstRtcTransport *transport)
{
}

static const GstRtcTransportClass fake_class = {
    .name = "fake",
    .check = transport_check,
    .open = transport_open,
    .take_offer = transport_take_offer,
    .add_candidate = transport_add_candidate,
    .open_channel = transport_open_channel,
    .add_stats = transport_add_stats,
    .close = transport_close,
    .settle = transport_nothing,
    .free = transport_free,
};

static const GstRtcTransportClass plain_class = {
    .name = "plain",
    .check = transport_check,
    .open = transport_open,
    .take_offer = transport_take_offer,
    .add_candidate = transport_add_candidate,
    .add_stats = transport_add_stats,
    .close = transport_close,
    .settle = transport_nothing,
    .free = transport_free,
};

static GstRtcTransport *
transport_open (
    const GstRtcTransportConfig *config, const GstRtcTransportEvents *events, gpointer user_data, GError **error)
{
  FakeTransport *self = g_new0 (FakeTransport, 1);

  self->parent = (GstRtcTransport){
      fake_has_channels ? &fake_class : &plain_class, events, user_data, config->shared, gst_bin_new (NULL)};
  self->peer_id = g_strdup (config->peer_id);
  self->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  g_mutex_lock (&lock);
  g_ptr_array_add (transports, self);
  g_cond_broadcast (&cond);
  g_mutex_unlock (&lock);
  return &self->parent;
}

/* The link. */

static void
fake_transport_destroy (gpointer data)
{
  FakeTransport *self = data;

  g_ptr_array_unref (self->channels);
  g_free (self->peer_id);
  g_free (self);
}

void
fake_link_init (FakeLink *link)
{
  if (!gst_rtc_transport_find ("fake")) {
    gst_rtc_transport_register (&fake_class);
    gst_rtc_transport_register (&plain_class);
  }
  fake_fails = FALSE;
  transports = g_ptr_array_new_with_free_func (fake_transport_destroy);
  *link = (FakeLink){gst_object_ref_sink (g_object_new (GST_TYPE_RTC_BIN, NULL)), gst_bus_new ()};
  gst_element_set_bus (link->rtcbin, link->bus);
  g_object_set (link->rtcbin, "transport", fake_has_channels ? "fake" : "plain", NULL);
  link->hub = gst_rtc_data_hub_find (link->rtcbin);
  fail_unless (link->hub != NULL);
  fail_unless (gst_element_set_state (link->rtcbin, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
}

void
fake_link_clear (FakeLink *link)
{
  gst_element_set_bus (link->rtcbin, NULL);
  fail_unless_equals_int (gst_element_set_state (link->rtcbin, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  gst_bus_set_flushing (link->bus, TRUE);
  ASSERT_OBJECT_REFCOUNT (link->rtcbin, "rtcbin", 1);
  gst_object_unref (link->rtcbin);
  gst_object_unref (link->bus);
  if (link->hub) {
    fail_unless_equals_int (g_atomic_int_get (&link->hub->ref_count), 1);
    gst_rtc_data_hub_unref (link->hub);
  }
  g_clear_pointer (&transports, g_ptr_array_unref);
}

FakeTransport *
fake_link_offer (FakeLink *link, const gchar *peer, const gchar *session)
{
  gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;
  gchar *path = g_build_filename (g_getenv ("RTC_TEST_DATA"), "sdp", "chromium-calls.sdp", NULL);
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_OFFER);
  FakeTransport *transport;
  gchar *json;

  fail_unless (g_file_get_contents (path, &message->sdp, NULL, NULL), "no %s", path);
  message->from = g_strdup (peer);
  message->session = g_strdup (session);
  json = rtc_message_to_json (message);
  g_signal_emit_by_name (link->rtcbin, "handle-message", json);
  g_mutex_lock (&lock);
  while (transports->len <= link->n_transports)
    fail_unless (g_cond_wait_until (&cond, &lock, end), "no transport was opened for %s within 20 s", session);
  transport = g_ptr_array_index (transports, link->n_transports++);
  g_mutex_unlock (&lock);
  g_free (json);
  rtc_message_free (message);
  g_free (path);
  fake_link_settle (link);
  return transport;
}

static void
nothing (gpointer data)
{
}

void
fake_link_settle (FakeLink *link)
{
  /* What is posted by what was posted, too. */
  for (guint i = 0; i < 3; i++)
    gst_rtc_loop_call (GST_RTC_BIN (link->rtcbin)->loop, nothing, NULL);
}

void
fake_transport_connect (FakeLink *link, FakeTransport *transport)
{
  transport->parent.events->state (&transport->parent, GST_RTC_TRANSPORT_CONNECTED, transport->parent.user_data);
  fake_link_settle (link);
}

void
fake_transport_fail (FakeLink *link, FakeTransport *transport)
{
  transport->parent.events->failed (&transport->parent,
      g_error_new_literal (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "It broke"), transport->parent.user_data);
  fake_link_settle (link);
}

void
fake_link_leave (FakeLink *link, const gchar *peer)
{
  gchar *json = g_strdup_printf ("{\"type\":\"left\",\"peerId\":\"%s\",\"reason\":\"closed\"}", peer);

  g_signal_emit_by_name (link->rtcbin, "handle-message", json);
  g_free (json);
  fake_link_settle (link);
}

GstMessage *
fake_link_wait (FakeLink *link, const gchar *name, guint seconds)
{
  gint64 end = g_get_monotonic_time () + seconds * G_TIME_SPAN_SECOND;

  for (;;) {
    gint64 left = MAX (end - g_get_monotonic_time (), 0);
    GstMessage *message = gst_bus_timed_pop_filtered (link->bus, left * GST_USECOND, GST_MESSAGE_ELEMENT);

    fail_unless (message != NULL, "no message %s within %u s", name, seconds);
    if (gst_message_has_name (message, name))
      return message;
    gst_message_unref (message);
  }
}

void
fake_link_expect_none (FakeLink *link, const gchar *name)
{
  GstMessage *message;

  fake_link_settle (link);
  while ((message = gst_bus_pop_filtered (link->bus, GST_MESSAGE_ELEMENT))) {
    fail_if (gst_message_has_name (message, name), "%" GST_PTR_FORMAT, message);
    gst_message_unref (message);
  }
}
