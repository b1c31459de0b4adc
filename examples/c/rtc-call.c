/* rtclink: a call between two applications that have signaling of their own
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* rtcbin without wssignalsrc. Here the signaling is a TCP connection with one JSON object a line; in your application
 * it is whatever connects your users already. All that rtcbin wants of it is this:
 *
 *  - Messages from its signal "on-message" go to the peer whose name is in "to". They come from rtcbin's own thread.
 *  - Messages of a peer go to its action signal "handle-message", with the name of that peer in "from".
 *  - It is told who it is ("welcome"), who is there and which of the two makes the offers ("joined"), and who left
 *    ("left"). There is no server here, so the application says it.
 *
 * docs/design/signaling-protocol.md describes the messages. The first line on the connection, a "hello", is this
 * program's own: the one that makes the offers has to know how many streams the other one sends.
 *
 *   rtc-call --listen 127.0.0.1:5000
 *   rtc-call --connect 127.0.0.1:5000
 *
 * Whoever can reach the port can call: the connection is neither encrypted nor asks for a password. */

#include <gio/gio.h>
#include <glib-unix.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINE 65536

typedef struct
{
  /* main loop */
  GMainLoop *loop;
  GstElement *pipeline, *rtcbin;
  GHashTable *links; /* the peer's name -> Link */
  gboolean listens;
  guint n_callers;
  int status;

  gint frames; /* atomic: shown so far */
} Call;

/* A connection to one peer. A line is being read from it all the time; it is freed when that ends. */
typedef struct
{
  Call *call;
  gchar *peer; /* the name that our rtcbin knows it by */
  GSocketConnection *connection;
  GDataInputStream *in;
  GCancellable *ended;
  gboolean greeted; /* its hello came */
} Link;

static gchar *opt_listen, *opt_connect, *opt_name, *opt_video_source, *opt_audio_source, *opt_video_sink,
    *opt_audio_sink;
static gint opt_frames;

#define VIDEO_SOURCE "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360"
#define AUDIO_SOURCE "audiotestsrc is-live=true wave=ticks"

static const GOptionEntry options[] = {
    {"listen", 'l', 0, G_OPTION_ARG_STRING, &opt_listen, "Wait for callers here", "HOST:PORT"},
    {"connect", 'c', 0, G_OPTION_ARG_STRING, &opt_connect, "Call the one that waits there", "HOST:PORT"},
    {"name", 'n', 0, G_OPTION_ARG_STRING, &opt_name, "Your name, for the other side", "NAME"},
    {"video-source", 0, 0, G_OPTION_ARG_STRING, &opt_video_source, "Raw video to send, as for gst-launch-1.0", "LINE"},
    {"audio-source", 0, 0, G_OPTION_ARG_STRING, &opt_audio_source, "Raw audio to send, as for gst-launch-1.0", "LINE"},
    {"video-sink", 0, 0, G_OPTION_ARG_STRING, &opt_video_sink, "Where video goes (autovideosink)", "ELEMENT"},
    {"audio-sink", 0, 0, G_OPTION_ARG_STRING, &opt_audio_sink, "Where audio goes (autoaudiosink)", "ELEMENT"},
    {"frames", 0, 0, G_OPTION_ARG_INT, &opt_frames, "End after this many frames were shown", "N"},
    {NULL},
};

/* Messages. */

/* NODE is freed. */
static gchar *
to_text (JsonNode *node)
{
  gchar *text = json_to_string (node, FALSE);

  json_node_unref (node);
  return text;
}

static void
handle_message (Call *call, JsonNode *node)
{
  g_autofree gchar *text = to_text (node);

  g_signal_emit_by_name (call->rtcbin, "handle-message", text);
}

static void
add_tracks (JsonBuilder *builder, gint64 video, gint64 audio)
{
  json_builder_set_member_name (builder, "tracks");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "video");
  json_builder_add_int_value (builder, video);
  json_builder_set_member_name (builder, "audio");
  json_builder_add_int_value (builder, audio);
  json_builder_end_object (builder);
}

static void
add_string (JsonBuilder *builder, const gchar *name, const gchar *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static const gchar *
own_id (Call *call)
{
  return call->listens ? "listener" : "caller";
}

static void
tell_welcome (Call *call)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "type", "welcome");
  json_builder_set_member_name (builder, "version");
  json_builder_add_int_value (builder, 1);
  add_string (builder, "peerId", own_id (call));
  json_builder_end_object (builder);
  handle_message (call, json_builder_get_root (builder));
}

/* Both sides say the same of who offers: the caller does. */
static void
tell_joined (Link *link, const gchar *name, gint64 video, gint64 audio)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "type", "joined");
  json_builder_set_member_name (builder, "peer");
  json_builder_begin_object (builder);
  add_string (builder, "peerId", link->peer);
  add_string (builder, "displayName", name);
  add_string (builder, "role", "both");
  add_tracks (builder, video, audio);
  add_string (builder, "offerer", link->call->listens ? link->peer : own_id (link->call));
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  handle_message (link->call, json_builder_get_root (builder));
}

static void
tell_left (Link *link)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "type", "left");
  add_string (builder, "peerId", link->peer);
  add_string (builder, "reason", "closed");
  json_builder_end_object (builder);
  handle_message (link->call, json_builder_get_root (builder));
}

/* Links. */

static void
link_free (Link *link)
{
  g_clear_object (&link->in);
  g_clear_object (&link->connection);
  g_clear_object (&link->ended);
  g_free (link->peer);
  g_free (link);
}

static void
link_end (Link *link, const gchar *reason)
{
  if (g_cancellable_is_cancelled (link->ended))
    return;
  g_print ("%s: %s\n", link->peer, reason);
  if (link->greeted)
    tell_left (link);
  g_hash_table_remove (link->call->links, link->peer);
  g_cancellable_cancel (link->ended);
  if (!link->call->listens)
    g_main_loop_quit (link->call->loop);
}

/* A few kilobytes at a time, which the system takes at once; a peer that takes nothing for 5 s is gone. */
static void
link_send (Link *link, JsonNode *node)
{
  g_autofree gchar *text = to_text (node), *line = g_strconcat (text, "\n", NULL);
  GOutputStream *out = g_io_stream_get_output_stream (G_IO_STREAM (link->connection));
  g_autoptr (GError) error = NULL;

  if (!g_output_stream_write_all (out, line, strlen (line), NULL, link->ended, &error))
    link_end (link, error->message);
}

static void
greet (Link *link)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  add_string (builder, "type", "hello");
  add_string (builder, "name", opt_name ? opt_name : g_get_host_name ());
  add_tracks (builder, 1, 1);
  json_builder_end_object (builder);
  link_send (link, json_builder_get_root (builder));
}

static void
on_hello (Link *link, JsonObject *hello)
{
  JsonObject *tracks =
      json_object_has_member (hello, "tracks") ? json_object_get_object_member (hello, "tracks") : NULL;

  if (link->greeted || !tracks) {
    link_end (link, "sent a hello that is none");
    return;
  }
  link->greeted = TRUE;
  tell_joined (link, json_object_get_string_member_with_default (hello, "name", ""),
      json_object_get_int_member_with_default (tracks, "video", 0),
      json_object_get_int_member_with_default (tracks, "audio", 0));
}

static void
on_text (Link *link, const gchar *text)
{
  g_autoptr (GError) error = NULL;
  JsonNode *node = json_from_string (text, &error);
  JsonObject *message = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  if (!message) {
    link_end (link, error ? error->message : "sent a line that is no JSON object");
  } else if (g_strcmp0 (json_object_get_string_member_with_default (message, "type", ""), "hello") == 0) {
    on_hello (link, message);
  } else if (link->greeted) {
    /* Whoever it says it is: it came over this link. */
    json_object_set_string_member (message, "from", link->peer);
    handle_message (link->call, json_node_ref (node));
  }
  g_clear_pointer (&node, json_node_unref);
}

static void read_line (Link *link);

static void
on_line (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  Link *link = user_data;
  g_autoptr (GError) error = NULL;
  gsize length = 0;
  g_autofree gchar *line = g_data_input_stream_read_line_finish_utf8 (link->in, result, &length, &error);

  if (!line)
    link_end (link, error ? error->message : "hung up");
  else if (length > MAX_LINE)
    link_end (link, "sent a line that is too long");
  else
    on_text (link, line);
  if (g_cancellable_is_cancelled (link->ended))
    link_free (link);
  else
    read_line (link);
}

static void
read_line (Link *link)
{
  g_data_input_stream_read_line_async (link->in, G_PRIORITY_DEFAULT, link->ended, on_line, link);
}

static void
link_begin (Call *call, GSocketConnection *connection, gchar *peer)
{
  Link *link = g_new0 (Link, 1);

  link->call = call;
  link->peer = peer;
  link->connection = g_object_ref (connection);
  link->in = g_data_input_stream_new (g_io_stream_get_input_stream (G_IO_STREAM (connection)));
  link->ended = g_cancellable_new ();
  g_socket_set_timeout (g_socket_connection_get_socket (connection), 0);
  g_hash_table_insert (call->links, link->peer, link);
  g_print ("%s: connected\n", link->peer);
  greet (link);
  read_line (link);
}

static gboolean
on_caller (GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user_data)
{
  Call *call = user_data;

  link_begin (call, connection, g_strdup_printf ("caller-%u", ++call->n_callers));
  return TRUE;
}

/* What rtcbin says. */

typedef struct
{
  Call *call;
  gchar *text;
} Outgoing;

static gboolean
send_outgoing (gpointer user_data)
{
  Outgoing *out = user_data;
  JsonNode *node = json_from_string (out->text, NULL);
  JsonObject *message = json_node_get_object (node);
  const gchar *to = json_object_get_string_member_with_default (message, "to", NULL);
  /* What names nobody is for a server. */
  Link *link = to ? g_hash_table_lookup (out->call->links, to) : NULL;

  if (link) {
    /* Our name for the peer means nothing to it. */
    json_object_remove_member (message, "to");
    link_send (link, json_node_ref (node));
  }
  json_node_unref (node);
  g_free (out->text);
  g_free (out);
  return G_SOURCE_REMOVE;
}

/* rtcbin's thread. */
static void
on_message (GstElement *rtcbin, const gchar *text, gpointer user_data)
{
  Outgoing *out = g_new (Outgoing, 1);

  *out = (Outgoing){user_data, g_strdup (text)};
  g_idle_add_full (G_PRIORITY_DEFAULT, send_outgoing, out, NULL);
}

static gboolean
quit (gpointer user_data)
{
  g_main_loop_quit (((Call *)user_data)->loop);
  return G_SOURCE_REMOVE;
}

/* A streaming thread. */
static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Call *call = user_data;

  if (g_atomic_int_add (&call->frames, 1) + 1 == opt_frames)
    g_idle_add (quit, call);
  return GST_PAD_PROBE_OK;
}

/* A stream of a peer: it is decoded and shown. Called in rtcbin's thread. */
static void
on_pad_added (GstElement *rtcbin, GstPad *pad, gpointer user_data)
{
  Call *call = user_data;
  gboolean is_video = g_str_has_prefix (GST_PAD_NAME (pad), "video");
  g_autofree gchar *line = is_video
      ? g_strdup_printf (
          "queue name=in ! decodebin ! videoconvert name=out ! %s", opt_video_sink ? opt_video_sink : "autovideosink")
      : g_strdup_printf ("queue name=in ! decodebin ! audioconvert name=out ! audioresample ! %s",
          opt_audio_sink ? opt_audio_sink : "autoaudiosink");
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) in = NULL, out = NULL;
  g_autoptr (GstPad) frames = NULL, sink = NULL;
  g_autofree gchar *peer = NULL;
  GstElement *view;
  GstPad *entry;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SRC)
    return;
  view = gst_parse_bin_from_description (line, FALSE, &error);
  if (!view) {
    g_printerr ("cannot show %s: %s\n", GST_PAD_NAME (pad), error->message);
    return;
  }
  g_object_get (pad, "peer-id", &peer, NULL);
  g_print ("%s: shows %s\n", peer, GST_PAD_NAME (pad));
  gst_bin_add (GST_BIN (call->pipeline), view);
  if (is_video) {
    out = gst_bin_get_by_name (GST_BIN (view), "out");
    frames = gst_element_get_static_pad (out, "src");
    gst_pad_add_probe (frames, GST_PAD_PROBE_TYPE_BUFFER, on_frame, call, NULL);
  }
  in = gst_bin_get_by_name (GST_BIN (view), "in");
  sink = gst_element_get_static_pad (in, "sink");
  entry = gst_ghost_pad_new ("sink", sink);
  gst_element_add_pad (view, entry);
  gst_element_sync_state_with_parent (view);
  if (gst_pad_link (pad, entry) != GST_PAD_LINK_OK)
    g_printerr ("%s could not be linked\n", GST_PAD_NAME (pad));
}

static gboolean
on_bus (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (GError) error = NULL;
  const GstStructure *s = gst_message_get_structure (message);

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, NULL);
      g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
      call->status = 1;
      g_main_loop_quit (call->loop);
      break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning (message, &error, NULL);
      g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
      break;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (call->pipeline));
      break;
    case GST_MESSAGE_ELEMENT:
      /* rtc-peer-joined, -connected, -disconnected, -failed, -left */
      if (g_str_has_prefix (gst_structure_get_name (s), "rtc-peer-"))
        g_print (
            "%s: %s\n", gst_structure_get_string (s, "peer-id"), gst_structure_get_name (s) + strlen ("rtc-peer-"));
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
start_pipeline (Call *call, GError **error)
{
  g_autofree gchar *line = g_strdup_printf (
      "rtcbin name=rtc  %s ! videoconvert ! queue ! vp8enc deadline=1 ! rtc.  %s ! audioconvert ! audioresample ! "
      "queue ! opusenc ! rtc.",
      opt_video_source ? opt_video_source : VIDEO_SOURCE, opt_audio_source ? opt_audio_source : AUDIO_SOURCE);
  g_autoptr (GstBus) bus = NULL;

  call->pipeline = gst_parse_launch (line, error);
  if (!call->pipeline)
    return FALSE;
  call->rtcbin = gst_bin_get_by_name (GST_BIN (call->pipeline), "rtc");
  g_signal_connect (call->rtcbin, "on-message", G_CALLBACK (on_message), call);
  g_signal_connect (call->rtcbin, "pad-added", G_CALLBACK (on_pad_added), call);
  bus = gst_element_get_bus (call->pipeline);
  gst_bus_add_watch (bus, on_bus, call);
  gst_element_set_state (call->pipeline, GST_STATE_PLAYING);
  tell_welcome (call);
  return TRUE;
}

static gboolean
start_listening (Call *call, GSocketService *service, GError **error)
{
  g_autoptr (GSocketConnectable) where = g_network_address_parse (opt_listen, 0, error);
  g_autoptr (GSocketAddressEnumerator) addresses = where ? g_socket_connectable_enumerate (where) : NULL;
  g_autoptr (GSocketAddress) address = addresses ? g_socket_address_enumerator_next (addresses, NULL, error) : NULL;
  g_autoptr (GSocketAddress) bound = NULL;

  if (!address
      || !g_socket_listener_add_address (
          G_SOCKET_LISTENER (service), address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &bound, error))
    return FALSE;
  g_signal_connect (service, "incoming", G_CALLBACK (on_caller), call);
  g_print ("waiting for callers on port %u\n", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound)));
  return TRUE;
}

static gboolean
start_calling (Call *call, GError **error)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnection) connection = g_socket_client_connect_to_host (client, opt_connect, 0, NULL, error);

  if (connection)
    link_begin (call, connection, g_strdup ("listener"));
  return connection != NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("- a call with signaling of its own");
  g_autoptr (GSocketService) service = g_socket_service_new ();
  g_autoptr (GError) error = NULL;
  Call call = {NULL};

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || !opt_listen == !opt_connect) {
    g_printerr (
        "%s\n", error ? error->message : "either --listen HOST:PORT or --connect HOST:PORT (--help tells more)");
    return 2;
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  call.loop = g_main_loop_new (NULL, FALSE);
  call.links = g_hash_table_new (g_str_hash, g_str_equal);
  call.listens = opt_listen != NULL;
  if (!start_pipeline (&call, &error)
      || !(opt_listen ? start_listening (&call, service, &error) : start_calling (&call, &error))) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  g_unix_signal_add (SIGINT, quit, &call);
  g_unix_signal_add (SIGTERM, quit, &call);
  g_main_loop_run (call.loop);

  g_print ("%d frames shown\n", g_atomic_int_get (&call.frames));
  g_socket_service_stop (service);
  /* Nothing comes from rtcbin after this. */
  gst_element_set_state (call.pipeline, GST_STATE_NULL);
  gst_object_unref (call.rtcbin);
  gst_object_unref (call.pipeline);
  g_hash_table_unref (call.links);
  g_main_loop_unref (call.loop);
  return call.status;
}
