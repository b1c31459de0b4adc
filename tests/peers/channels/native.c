/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: channels-native offer|answer
 *
 * One connection of the native transport that has data channels and nothing else; channels.py says what it does. */

#include "native/gstrtcnative.h"
#include "rtc/gstrtcsdp.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#define N_TEXTS 2
static const gchar *const texts[N_TEXTS] = {"früh ☂", ""};
static const gsize sizes[] = {0, 1, 1200, 16384, 65536, 262144};

typedef struct
{
  GstRtcLoop *control;
  gpointer shared;
  GstRtcTransport *transport;
  gboolean offers;
  GArray *lines; /* control loop */
  gboolean remote_known;
  GPtrArray *wanted; /* of GBytes: to be echoed; events */
  guint n_echoed, n_texts;
  gboolean is_sent;
} Peer;

static GMutex output;

static void
say (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree gchar *text = json_to_string (root, FALSE);

  g_mutex_lock (&output);
  puts (text);
  fflush (stdout);
  g_mutex_unlock (&output);
}

static void
say_one (const gchar *key, const gchar *value)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, key);
  json_builder_add_string_value (builder, value);
  json_builder_end_object (builder);
  say (builder);
}

static GBytes *
make_message (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = size + i * 7;
  return g_bytes_new_take (data, size);
}

/* What is sent on the channel that is opened here, all of which has to come back. */
static void
send_all (Peer *self, GstRtcChannel *channel)
{
  self->is_sent = TRUE;
  for (guint i = 0; i < N_TEXTS + G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GBytes) message =
        i < N_TEXTS ? g_bytes_new (texts[i], strlen (texts[i])) : make_message (sizes[i - N_TEXTS]);
    g_autoptr (GError) error = NULL;

    g_ptr_array_add (self->wanted, g_bytes_ref (message));
    if (gst_rtc_channel_send (channel, i < N_TEXTS, message, &error))
      continue;
    g_ptr_array_remove_index (self->wanted, self->wanted->len - 1);
    say_one (error->code == GST_RTC_CHANNEL_ERROR_TOO_LARGE ? "too-large" : "wrong", error->message);
  }
}

static void
on_channel_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Peer *self = user_data;

  if (state == GST_RTC_CHANNEL_OPEN && !channel->is_remote && !self->is_sent)
    send_all (self, channel);
  if (state == GST_RTC_CHANNEL_CLOSED && error)
    say_one ("failed", error->message);
  else if (state == GST_RTC_CHANNEL_CLOSED)
    say_one ("closed", channel->init.label);
}

static void
on_channel_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  Peer *self = user_data;

  if (channel->is_remote) {
    gst_rtc_channel_send (channel, is_text, message, NULL);
    return;
  }
  if (self->n_echoed >= self->wanted->len || is_text != (self->n_echoed < N_TEXTS)
      || !g_bytes_equal (message, g_ptr_array_index (self->wanted, self->n_echoed))) {
    g_autofree gchar *text = g_strdup_printf ("message %u came back as another one, of %" G_GSIZE_FORMAT " bytes",
        self->n_echoed, g_bytes_get_size (message));

    say_one ("wrong", text);
  }
  if (++self->n_echoed == self->wanted->len)
    say_one ("echoed", channel->init.label);
}

static const GstRtcChannelEvents channel_events = {.state = on_channel_state, .message = on_channel_message};

/* The transport. */

static void
on_description (GstRtcTransport *transport, GstSDPMessage *sdp, gpointer user_data)
{
  Peer *self = user_data;
  g_autofree gchar *text = gst_sdp_message_as_text (sdp);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  for (guint i = 0; self->offers && i < self->lines->len; i++)
    g_array_index (self->lines, GstRtcLine, i).mid =
        g_strdup (gst_sdp_media_get_attribute_val (gst_sdp_message_get_media (sdp, i), "mid"));
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "type");
  json_builder_add_string_value (builder, self->offers ? "offer" : "answer");
  json_builder_set_member_name (builder, "sdp");
  json_builder_add_string_value (builder, text);
  json_builder_end_object (builder);
  say (builder);
  gst_sdp_message_free (sdp);
}

static void
on_candidate (GstRtcTransport *transport, guint mline, const gchar *mid, const gchar *candidate, gpointer user_data)
{
  if (candidate)
    say_one ("wrong", "a candidate that is not in the description");
}

static void
on_state (GstRtcTransport *transport, GstRtcTransportState state, gpointer user_data)
{
  say_one ("state", gst_rtc_transport_state_to_string (state));
}

static void
on_failed (GstRtcTransport *transport, GError *error, gpointer user_data)
{
  say_one ("failed", error->message);
  g_error_free (error);
}

static void
on_restart_wanted (GstRtcTransport *transport, gpointer user_data)
{
}

static void
on_channel (GstRtcTransport *transport, GstRtcChannel *channel, gpointer user_data)
{
  g_autofree gchar *text = g_strdup_printf ("%s protocol=%s ordered=%d retransmits=%d lifetime=%d", channel->init.label,
      channel->init.protocol, channel->init.ordered, channel->init.max_retransmits, channel->init.max_packet_lifetime);

  gst_rtc_channel_add_listener (channel, &channel_events, user_data, NULL);
  say_one ("opened", text);
}

static const GstRtcTransportEvents transport_events = {
    .description = on_description,
    .candidate = on_candidate,
    .state = on_state,
    .failed = on_failed,
    .restart_wanted = on_restart_wanted,
    .channel = on_channel,
};

/* What is said to it; control loop. */

typedef struct
{
  Peer *peer;
  const gchar *sdp; /* NULL: begin */
  GstRtcChannel *channel;
  GError *error;
} Call;

static void
begin (gpointer data)
{
  Call *call = data;
  Peer *self = call->peer;
  GstRtcTransportConfig config = {
      .shared = self->shared, .loop = self->control, .peer_id = "peer", .max_rtp_port = 65535};
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;

  self->transport = gst_rtc_native_transport.open (&config, &transport_events, self, &call->error);
  init.label = (gchar *)(self->offers ? "from-offerer" : "from-answerer");
  init.protocol = (gchar *)"native";
  call->channel = gst_rtc_native_transport.open_channel (self->transport, &init, &call->error);
  gst_rtc_channel_add_listener (call->channel, &channel_events, self, NULL);
  if (!self->offers)
    return;
  self->lines = gst_rtc_sdp_plan_offer (NULL, 0, 0, 0, TRUE);
  gst_rtc_native_transport.make_offer (self->transport, self->lines, NULL);
}

static void
take_description (gpointer data)
{
  Call *call = data;
  Peer *self = call->peer;
  GstSDPMessage *sdp = gst_rtc_sdp_parse (call->sdp, self->offers, &call->error);
  g_autofree gchar *problems = NULL;

  if (sdp && !self->offers)
    self->lines = gst_rtc_sdp_plan_answer (sdp, NULL, 0, TRUE, &problems, &call->error);
  else if (sdp)
    gst_rtc_sdp_apply_answer (sdp, self->lines, &problems, &call->error);
  if (problems)
    say_one ("wrong", problems);
  if (call->error)
    say_one ("failed", call->error->message);
  else if (self->offers)
    gst_rtc_native_transport.take_answer (self->transport, sdp, self->lines);
  else
    gst_rtc_native_transport.take_offer (self->transport, sdp, self->lines, NULL);
  g_clear_error (&call->error);
  g_clear_pointer (&sdp, gst_sdp_message_free);
}

static void
end (gpointer data)
{
  gst_rtc_native_transport.close (((Peer *)data)->transport);
}

static void
take_line (Peer *self, GstRtcChannel *channel, const gchar *line)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object;
  Call call = {.peer = self};

  if (!json_parser_load_from_data (parser, line, -1, NULL))
    g_error ("no JSON: %s", line);
  object = json_node_get_object (json_parser_get_root (parser));
  if (json_object_has_member (object, "sdp")) {
    call.sdp = json_object_get_string_member (object, "sdp");
    gst_rtc_loop_call (self->control, take_description, &call);
  } else if (json_object_has_member (object, "close")) {
    gst_rtc_channel_close (channel);
  }
}

int
main (int argc, char **argv)
{
  GstRtcTransportSetup setup = {0};
  Peer peer = {.offers = argc > 1 && strcmp (argv[1], "offer") == 0};
  Call call = {.peer = &peer};
  gchar *line = NULL;
  size_t room = 0;

  gst_init (&argc, &argv);
  peer.control = gst_rtc_loop_new ("control");
  peer.wanted = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  peer.shared = gst_rtc_native_transport.start (&setup, &call.error);
  g_assert_no_error (call.error);
  gst_rtc_loop_call (peer.control, begin, &call);
  g_assert_no_error (call.error);
  while (getline (&line, &room, stdin) > 0)
    take_line (&peer, call.channel, line);
  free (line);
  gst_rtc_loop_call (peer.control, end, &peer);
  gst_rtc_native_transport.settle (peer.transport);
  gst_element_set_state (peer.transport->bin, GST_STATE_NULL);
  gst_rtc_native_transport.free (peer.transport);
  gst_rtc_native_transport.stop (peer.shared);
  gst_rtc_loop_free (peer.control);
  gst_rtc_channel_unref (call.channel);
  g_clear_pointer (&peer.lines, g_array_unref);
  g_ptr_array_unref (peer.wanted);
  return 0;
}
