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

static const gchar *const texts[] = {"früh ☂", ""};

/* A message that is to come back. */
typedef struct
{
  gboolean is_text;
  GBytes *bytes;
} Message;

/* A channel that is opened here: our own, or the other's that both open. */
typedef struct
{
  GstRtcChannel *channel;
  gboolean is_own;
  gsize largest; /* 0: none */
  GArray *sizes; /* of gsize: binary messages */

  GMutex lock;
  GArray *wanted; /* under lock; of Message */
} Channel;

typedef struct
{
  GstRtcLoop *control;
  gpointer shared;
  GstRtcTransport *transport;
  gboolean offers;
  GArray *lines; /* control loop */
  GPtrArray *channels; /* of Channel; main thread */
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

static void
say_number (const gchar *key, gint64 value)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, value);
  json_builder_end_object (builder);
  say (builder);
}

/* Messages. */

static GBytes *
make_message (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = size + i * 7;
  return g_bytes_new_take (data, size);
}

static void
message_clear (gpointer data)
{
  g_bytes_unref (((Message *)data)->bytes);
}

static void
want (Channel *self, gboolean is_text, GBytes *bytes)
{
  Message message = {is_text, bytes};

  g_array_append_val (self->wanted, message);
}

static void
send_all (Channel *self, gsize largest)
{
  g_autoptr (GArray) messages = NULL;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    want (self, TRUE, g_bytes_new_static (texts[i], strlen (texts[i])));
  for (guint i = 0; i < self->sizes->len; i++)
    want (self, FALSE, make_message (g_array_index (self->sizes, gsize, i)));
  if (self->largest > 0)
    want (self, FALSE, make_message (MIN (self->largest, largest)));
  messages = g_array_copy (self->wanted);
  g_array_set_clear_func (messages, message_clear);
  for (guint i = 0; i < messages->len; i++)
    g_bytes_ref (g_array_index (messages, Message, i).bytes);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < messages->len; i++) {
    const Message *message = &g_array_index (messages, Message, i);
    g_autoptr (GError) error = NULL;

    if (!gst_rtc_channel_send (self->channel, message->is_text, message->bytes, &error))
      say_one ("wrong", error->message);
  }
}

static void
try_too_large (Channel *self, gsize size)
{
  g_autoptr (GBytes) message = make_message (size);
  g_autoptr (GError) error = NULL;

  if (gst_rtc_channel_send (self->channel, FALSE, message, &error))
    say_one ("wrong", "a message was taken that is larger than the peer takes");
  else if (!g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE))
    say_one ("wrong", error->message);
  else
    say_number ("refused", size);
}

/* One came back. Where they keep their order it is the next. */
static void
take_back (Channel *self, gboolean is_text, GBytes *bytes)
{
  guint n, at;

  g_mutex_lock (&self->lock);
  n = self->channel->init.ordered ? MIN (1, self->wanted->len) : self->wanted->len;
  for (at = 0; at < n; at++) {
    const Message *message = &g_array_index (self->wanted, Message, at);

    if (message->is_text == is_text && g_bytes_equal (message->bytes, bytes))
      break;
  }
  if (at < n) {
    g_array_remove_index (self->wanted, at);
    if (self->wanted->len == 0)
      say_one ("echoed", self->channel->init.label);
  } else {
    say_one ("wrong", "a message came back that was not sent, or not then");
  }
  g_mutex_unlock (&self->lock);
}

/* Channels. */

static void
on_channel_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  if (state == GST_RTC_CHANNEL_OPEN && !channel->is_remote) {
    say_one ("open", channel->init.label);
    say_number ("limit", MIN (channel->klass->get_max_message_size (channel), G_MAXINT64));
  }
  if (state == GST_RTC_CHANNEL_CLOSED && error)
    say_one ("failed", error->message);
  else if (state == GST_RTC_CHANNEL_CLOSED)
    say_one ("closed", channel->init.label);
}

static void
on_own_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  take_back (user_data, is_text, message);
}

static void
on_other_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  gst_rtc_channel_send (channel, is_text, message, NULL);
}

static const GstRtcChannelEvents own_events = {.state = on_channel_state, .message = on_own_message};
static const GstRtcChannelEvents other_events = {.state = on_channel_state, .message = on_other_message};

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
add_setting (JsonBuilder *builder, const gchar *key, gint value)
{
  json_builder_set_member_name (builder, key);
  if (value < 0)
    json_builder_add_null_value (builder);
  else
    json_builder_add_int_value (builder, value);
}

static void
on_channel (GstRtcTransport *transport, GstRtcChannel *channel, gpointer user_data)
{
  const GstRtcChannelInit *init = &channel->init;
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "opened");
  json_builder_add_string_value (builder, init->label);
  json_builder_set_member_name (builder, "settings");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "protocol");
  json_builder_add_string_value (builder, init->protocol);
  json_builder_set_member_name (builder, "ordered");
  json_builder_add_boolean_value (builder, init->ordered);
  add_setting (builder, "maxRetransmits", init->max_retransmits);
  add_setting (builder, "maxPacketLifeTime", init->max_packet_lifetime);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  say (builder);
  gst_rtc_channel_add_listener (channel, &other_events, user_data, NULL);
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
  const gchar *sdp;
  GError *error;
} Call;

static void
begin (gpointer data)
{
  Call *call = data;
  Peer *self = call->peer;
  GstRtcTransportConfig config = {
      .shared = self->shared, .loop = self->control, .peer_id = "peer", .max_rtp_port = 65535};

  self->transport = gst_rtc_native_transport.open (&config, &transport_events, self, &call->error);
}

static void
offer (gpointer data)
{
  Peer *self = data;

  if (!self->offers)
    return;
  self->lines = gst_rtc_sdp_plan_offer (NULL, 0, 0, 0, TRUE);
  gst_rtc_native_transport.make_offer (self->transport, self->lines, NULL);
}

typedef struct
{
  Peer *peer;
  const GstRtcChannelInit *init;
  Channel *channel;
} Opening;

static void
open_channel (gpointer data)
{
  Opening *opening = data;
  g_autoptr (GError) error = NULL;
  Channel *channel = opening->channel;

  channel->channel = gst_rtc_native_transport.open_channel (opening->peer->transport, opening->init, &error);
  if (error)
    g_error ("channels-native: %s", error->message);
  gst_rtc_channel_add_listener (channel->channel, channel->is_own ? &own_events : &other_events, channel, NULL);
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

/* What is said to it; main thread. */

static gint
get_int (JsonObject *object, const gchar *key, gint otherwise)
{
  return json_object_has_member (object, key) ? (gint)json_object_get_int_member (object, key) : otherwise;
}

static void
add_channel (Peer *self, JsonObject *object, gboolean is_own)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  Channel *channel = g_new0 (Channel, 1);
  JsonArray *sizes = json_object_get_array_member (object, "sizes");
  Opening opening = {self, &init, channel};

  channel->is_own = is_own;
  channel->largest = get_int (object, "largest", 0);
  channel->sizes = g_array_new (FALSE, FALSE, sizeof (gsize));
  channel->wanted = g_array_new (FALSE, FALSE, sizeof (Message));
  g_array_set_clear_func (channel->wanted, message_clear);
  g_mutex_init (&channel->lock);
  for (guint i = 0; i < json_array_get_length (sizes); i++) {
    gsize size = json_array_get_int_element (sizes, i);

    g_array_append_val (channel->sizes, size);
  }
  init.label = (gchar *)json_object_get_string_member (object, "label");
  init.protocol = json_object_has_member (object, "protocol")
      ? (gchar *)json_object_get_string_member (object, "protocol")
      : (gchar *)"";
  init.ordered = !json_object_has_member (object, "ordered") || json_object_get_boolean_member (object, "ordered");
  init.max_retransmits = get_int (object, "maxRetransmits", -1);
  init.max_packet_lifetime = get_int (object, "maxPacketLifeTime", -1);
  init.negotiated = json_object_has_member (object, "negotiated");
  init.id = get_int (object, "id", -1);
  g_ptr_array_add (self->channels, channel);
  gst_rtc_loop_call (self->control, open_channel, &opening);
}

static void
channel_free (gpointer data)
{
  Channel *channel = data;

  gst_rtc_channel_unref (channel->channel);
  g_array_unref (channel->sizes);
  g_array_unref (channel->wanted);
  g_mutex_clear (&channel->lock);
  g_free (channel);
}

static void
add_channels (Peer *self, JsonObject *object)
{
  static const gchar *const keys[] = {"negotiated", "own"};

  for (guint k = 0; k < G_N_ELEMENTS (keys); k++) {
    JsonArray *inits = json_object_get_array_member (object, keys[k]);

    for (guint i = 0; i < json_array_get_length (inits); i++)
      add_channel (self, json_array_get_object_element (inits, i), k == 1);
  }
  gst_rtc_loop_call (self->control, offer, self);
}

static void
take_line (Peer *self, const gchar *line)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object;
  Call call = {.peer = self};

  if (!json_parser_load_from_data (parser, line, -1, NULL))
    g_error ("no JSON: %s", line);
  object = json_node_get_object (json_parser_get_root (parser));
  if (json_object_has_member (object, "own")) {
    add_channels (self, object);
  } else if (json_object_has_member (object, "sdp")) {
    call.sdp = json_object_get_string_member (object, "sdp");
    gst_rtc_loop_call (self->control, take_description, &call);
  }
  for (guint i = 0; i < self->channels->len; i++) {
    Channel *channel = g_ptr_array_index (self->channels, i);

    if (!channel->is_own)
      continue;
    if (json_object_has_member (object, "send"))
      send_all (channel, json_object_get_int_member (object, "send"));
    else if (json_object_has_member (object, "refuse"))
      try_too_large (channel, json_object_get_int_member (object, "refuse"));
    else if (json_object_has_member (object, "close"))
      gst_rtc_channel_close (channel->channel);
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
  peer.channels = g_ptr_array_new_with_free_func (channel_free);
  peer.shared = gst_rtc_native_transport.start (&setup, &call.error);
  g_assert_no_error (call.error);
  gst_rtc_loop_call (peer.control, begin, &call);
  g_assert_no_error (call.error);
  while (getline (&line, &room, stdin) > 0)
    take_line (&peer, line);
  free (line);
  gst_rtc_loop_call (peer.control, end, &peer);
  gst_rtc_native_transport.settle (peer.transport);
  gst_element_set_state (peer.transport->bin, GST_STATE_NULL);
  gst_rtc_native_transport.free (peer.transport);
  gst_rtc_native_transport.stop (peer.shared);
  gst_rtc_loop_free (peer.control);
  g_ptr_array_unref (peer.channels);
  g_clear_pointer (&peer.lines, g_array_unref);
  return 0;
}
