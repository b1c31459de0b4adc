/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "wsserver.h"

#include <string.h>

#include "wsconnection.h"
#include "wspage.h"

#define GST_CAT_DEFAULT gst_ws_signal_debug

#define LOCAL 1 /* the connection of the own peer */
#define BACKLOG 4096 /* libsoup's own is 10: fifty at once would take a second */
#define SWEEP_MS 1000
#define STOP_MS 100

struct _WsServer
{
  /* set at construction */
  GstRtcLoop *loop;
  const WsEvents *events;
  gpointer user_data;
  gchar *allowed_origins;
  gboolean loopback;
  RtcRoomsConfig config;
  guint port;

  /* loop thread */
  SoupServer *soup;
  RtcRooms *rooms;
  GHashTable *connections; /* id to Client */
  guint last_id;
  GSource *timer; /* for the rooms' deadline; or NULL */
  gint64 timer_due; /* milliseconds */
  GSource *sweep; /* or NULL */
  gboolean pumping;
  gboolean joined, failed;
  WsStats stats;
  GstRtcLoopFunc stop_done;
  gpointer stop_data;
  GSource *stop_timer;
};

typedef struct
{
  WsServer *server;
  guint id;
  WsConnection *connection;
} Client;

static void pump (WsServer *self);

static gint64
now_ms (void)
{
  return g_get_monotonic_time () / 1000;
}

static void
client_free (gpointer data)
{
  Client *client = data;

  ws_connection_free (client->connection);
  g_free (client);
}

static void
clear_timer (GSource **source)
{
  if (*source)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
on_timer (gpointer data)
{
  WsServer *self = data;

  clear_timer (&self->timer);
  rtc_rooms_tick (self->rooms, now_ms ());
  pump (self);
}

static void
arm_timer (WsServer *self)
{
  gint64 due = rtc_rooms_get_deadline (self->rooms);

  if (due == G_MAXINT64 || (self->timer && self->timer_due <= due))
    return;
  clear_timer (&self->timer);
  self->timer_due = due;
  self->timer =
      g_source_ref (gst_rtc_loop_add_timeout (self->loop, CLAMP (due - now_ms (), 0, G_MAXINT32), on_timer, self));
}

static void
fail (WsServer *self, gint code, const gchar *text)
{
  GError *error;

  if (self->failed)
    return;
  self->failed = TRUE;
  error = g_error_new_literal (GST_RESOURCE_ERROR, code, text);
  self->events->fail (error, self->user_data);
  g_error_free (error);
}

static void
handle_local (WsServer *self, const RtcRoomAction *action)
{
  RtcMessage *message;

  if (action->type == RTC_ROOM_CLOSE) {
    gchar *text = g_strdup_printf ("the own peer was put out of its room: %s", action->text);

    fail (self, GST_RESOURCE_ERROR_FAILED, text);
    g_free (text);
    return;
  }
  message = rtc_message_from_json (action->text, -1, NULL);
  if (message && message->type == RTC_MESSAGE_WELCOME && !self->joined) {
    self->joined = TRUE;
    self->events->joined (message->peer_id, self->user_data);
  }
  self->events->deliver (action->text, self->user_data);
  rtc_message_free (message);
}

static void
handle_action (WsServer *self, const RtcRoomAction *action)
{
  Client *client;

  if (action->connection == LOCAL) {
    handle_local (self, action);
    return;
  }
  client = g_hash_table_lookup (self->connections, GUINT_TO_POINTER (action->connection));
  if (!client)
    return;
  if (action->type == RTC_ROOM_CLOSE) {
    GST_DEBUG ("connection %u is closed: %s", client->id, action->text);
    ws_connection_close (client->connection, action->close_code, action->text);
  } else {
    GST_TRACE ("to %u: %s", client->id, action->text);
    self->stats.messages_out++;
    self->stats.bytes_out += strlen (action->text);
    ws_connection_send (client->connection, action->text);
  }
}

/* Does what the rooms say. What that causes in turn is done by the outer call. */
static void
pump (WsServer *self)
{
  RtcRoomAction *action;

  if (self->pumping)
    return;
  self->pumping = TRUE;
  while ((action = rtc_rooms_pop (self->rooms))) {
    handle_action (self, action);
    rtc_room_action_free (action);
  }
  self->pumping = FALSE;

  arm_timer (self);
  self->stats.state = self->failed ? "failed" : self->joined ? "joined" : "listening";
  self->stats.clients = g_hash_table_size (self->connections);
  self->stats.peers = rtc_rooms_count_peers (self->rooms);
  self->stats.rooms = rtc_rooms_count_rooms (self->rooms);
  self->events->stats (&self->stats, self->user_data);
}

static void
on_text (WsConnection *connection, const gchar *text, gsize length, gpointer user_data)
{
  Client *client = user_data;
  WsServer *self = client->server;

  GST_TRACE ("from %u: %.*s", client->id, (int)length, text);
  self->stats.messages_in++;
  self->stats.bytes_in += length;
  rtc_rooms_receive (self->rooms, client->id, text, length, now_ms ());
  pump (self);
}

static void
on_binary (WsConnection *connection, gpointer user_data)
{
  Client *client = user_data;
  WsServer *self = client->server;

  rtc_rooms_refuse (self->rooms, client->id, "a binary frame, expected a text frame with a JSON object", now_ms ());
  pump (self);
}

static void
on_pong (WsConnection *connection, gpointer user_data)
{
  Client *client = user_data;

  rtc_rooms_alive (client->server->rooms, client->id, now_ms ());
}

static void
on_overflow (WsConnection *connection, gpointer user_data)
{
  Client *client = user_data;

  rtc_rooms_overflow (client->server->rooms, client->id, now_ms ());
  pump (client->server);
}

static void
finish_stop (gpointer data)
{
  WsServer *self = data;
  GstRtcLoopFunc done = self->stop_done;

  clear_timer (&self->stop_timer);
  self->stop_done = NULL;
  if (done)
    done (self->stop_data);
}

static void
on_closed (WsConnection *connection, guint close_code, gpointer user_data)
{
  Client *client = user_data;
  WsServer *self = client->server;
  guint id = client->id;

  GST_DEBUG ("connection %u ended, close code %u", id, close_code);
  g_hash_table_remove (self->connections, GUINT_TO_POINTER (id));
  rtc_rooms_disconnect (self->rooms, id, close_code, now_ms ());
  pump (self);
  if (self->stop_done && g_hash_table_size (self->connections) == 0)
    finish_stop (self);
}

static const WsConnectionEvents connection_events = {on_text, on_binary, on_pong, on_overflow, on_closed};

static void
on_sweep (gpointer data)
{
  WsServer *self = data;
  GHashTableIter iter;
  Client *client;

  clear_timer (&self->sweep);
  g_hash_table_iter_init (&iter, self->connections);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *)&client)) {
    if (!ws_connection_is_sane (client->connection)) {
      GST_WARNING ("connection %u sends without end, or does not answer our close, and is cut off", client->id);
      rtc_rooms_disconnect (self->rooms, client->id, 0, now_ms ());
      g_hash_table_iter_remove (&iter);
    }
  }
  if (g_hash_table_size (self->connections) > 0)
    self->sweep = g_source_ref (gst_rtc_loop_add_timeout (self->loop, SWEEP_MS, on_sweep, self));
  pump (self);
}

/* (transfer full) (nullable) */
static gchar *
room_of_path (const gchar *path)
{
  return g_uri_unescape_string (path[0] == '/' ? path + 1 : path, NULL);
}

static void
on_websocket (
    SoupServer *server, SoupServerMessage *message, const char *path, SoupWebsocketConnection *ws, gpointer user_data)
{
  WsServer *self = user_data;
  Client *client = g_new0 (Client, 1);
  gchar *room = room_of_path (path);
  /* libsoup counts in seconds. */
  guint keepalive = self->config.ping_interval ? MAX (self->config.ping_interval / 1000, 1) : 0;

  client->server = self;
  client->id = ++self->last_id;
  client->connection =
      ws_connection_new (ws, soup_server_message_get_socket (message), keepalive, &connection_events, client);
  g_hash_table_insert (self->connections, GUINT_TO_POINTER (client->id), client);
  GST_DEBUG ("connection %u, path %s", client->id, path);
  rtc_rooms_connect (self->rooms, client->id, room, FALSE, now_ms ());
  if (!self->sweep)
    self->sweep = g_source_ref (gst_rtc_loop_add_timeout (self->loop, SWEEP_MS, on_sweep, self));
  pump (self);
  g_free (room);
}

static gboolean
is_upgrade (SoupServerMessage *message)
{
  return soup_message_headers_header_contains (
      soup_server_message_get_request_headers (message), "Upgrade", "websocket");
}

/* Before the body is read and before an upgrade. */
static void
on_headers (SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  WsServer *self = user_data;
  gchar *why;

  soup_message_body_set_accumulate (soup_server_message_get_request_body (message), FALSE);
  if (!is_upgrade (message))
    return;
  why = ws_page_check_origin (message, self->allowed_origins, self->loopback);
  if (why) {
    GST_WARNING ("%s", why);
    ws_page_refuse (message, SOUP_STATUS_FORBIDDEN, why);
  }
  g_free (why);
}

static void
on_request (SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user_data)
{
  /* libsoup looks at the upgrade after this, when nothing has answered yet. */
  if (!is_upgrade (message))
    ws_page_serve (message, path);
}

static GSocket *
listen_socket (const WsServerSettings *settings, gboolean *loopback, GError **error)
{
  const gchar *text = strcmp (settings->address, "localhost") == 0 ? "127.0.0.1" : settings->address;
  GInetAddress *inet = g_inet_address_new_from_string (text);
  GSocketAddress *address;
  GError *io_error = NULL;
  GSocket *socket;

  if (!inet) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "address=%s is no IP address. Set address to one of this machine's, 127.0.0.1 for this machine only, 0.0.0.0 "
        "or :: for all networks",
        settings->address);
    return NULL;
  }
  *loopback = g_inet_address_get_is_loopback (inet);
  address = g_inet_socket_address_new (inet, settings->port);
  socket = g_socket_new (g_inet_address_get_family (inet), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &io_error);
  if (socket) {
    g_socket_set_listen_backlog (socket, BACKLOG);
    /* Connections inherit it. */
    if (settings->rooms.ping_timeout)
      ws_socket_set_user_timeout (socket, settings->rooms.ping_timeout);
    if (!g_socket_bind (socket, address, TRUE, &io_error) || !g_socket_listen (socket, &io_error))
      g_clear_object (&socket);
  }
  if (io_error) {
    gboolean busy = g_error_matches (io_error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);

    g_set_error (error, GST_RESOURCE_ERROR, busy ? GST_RESOURCE_ERROR_BUSY : GST_RESOURCE_ERROR_OPEN_READ_WRITE,
        "cannot listen on %s port %u: %s. %s", text, settings->port, io_error->message,
        busy ? "Another program has this port: set port to another, or to 0 for any that is free"
             : "Set address to one of this machine's and port to one that this user may open");
    g_error_free (io_error);
  }
  g_object_unref (address);
  g_object_unref (inet);
  return socket;
}

static gboolean
load_certificate (const WsServerSettings *settings, GTlsCertificate **certificate, GError **error)
{
  GError *tls_error = NULL;
  const gchar *key = settings->tls_private_key ? settings->tls_private_key : settings->tls_certificate;

  *certificate = NULL;
  if (!settings->tls_certificate && !settings->tls_private_key)
    return TRUE;
  if (!settings->tls_certificate) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "tls-private-key is set without tls-certificate: set both, to PEM files");
    return FALSE;
  }
  *certificate = g_tls_certificate_new_from_files (settings->tls_certificate, key, &tls_error);
  if (*certificate)
    return TRUE;
  g_set_error (error, GST_RESOURCE_ERROR,
      g_error_matches (tls_error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? GST_RESOURCE_ERROR_NOT_FOUND
                                                                    : GST_RESOURCE_ERROR_OPEN_READ,
      "cannot use tls-certificate=%s with tls-private-key=%s: %s. Both must be PEM files that this user may read",
      settings->tls_certificate, key, tls_error->message);
  g_error_free (tls_error);
  return FALSE;
}

static gboolean
start_listening (WsServer *self, const WsServerSettings *settings, GError **error)
{
  GTlsCertificate *certificate;
  GSocketAddress *bound;
  GError *soup_error = NULL;
  GSocket *socket;

  if (!load_certificate (settings, &certificate, error))
    return FALSE;
  if (certificate) {
    soup_server_set_tls_certificate (self->soup, certificate);
    g_object_unref (certificate);
  }
  socket = listen_socket (settings, &self->loopback, error);
  if (!socket)
    return FALSE;
  if (!soup_server_listen_socket (self->soup, socket, certificate ? SOUP_SERVER_LISTEN_HTTPS : 0, &soup_error)) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE, "cannot serve on port %u: %s",
        settings->port, soup_error->message);
    g_error_free (soup_error);
    g_object_unref (socket);
    return FALSE;
  }
  bound = g_socket_get_local_address (socket, NULL);
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  g_object_unref (bound);
  g_object_unref (socket);
  return TRUE;
}

WsServer *
ws_server_new (
    GstRtcLoop *loop, const WsServerSettings *settings, const WsEvents *events, gpointer user_data, GError **error)
{
  WsServer *self = g_new0 (WsServer, 1);

  gst_rtc_loop_assert (loop);
  self->loop = loop;
  self->events = events;
  self->user_data = user_data;
  self->allowed_origins = g_strdup (settings->allowed_origins);
  self->config = settings->rooms;
  self->rooms = rtc_rooms_new (&settings->rooms);
  self->connections = g_hash_table_new_full (NULL, NULL, NULL, client_free);
  self->last_id = LOCAL;
  self->stats.rtt = -1;
  self->soup = soup_server_new ("server-header", "rtclink ", NULL);
  /* The limit of a frame is checked on what arrives, and that is before it is inflated. */
  soup_server_remove_websocket_extension (self->soup, SOUP_TYPE_WEBSOCKET_EXTENSION_DEFLATE);
  soup_server_add_early_handler (self->soup, NULL, on_headers, self, NULL);
  soup_server_add_handler (self->soup, NULL, on_request, self, NULL);
  soup_server_add_websocket_handler (self->soup, NULL, NULL, NULL, on_websocket, self, NULL);
  if (!start_listening (self, settings, error)) {
    ws_server_free (self);
    return NULL;
  }
  pump (self);
  return self;
}

void
ws_server_free (WsServer *self)
{
  clear_timer (&self->timer);
  clear_timer (&self->sweep);
  clear_timer (&self->stop_timer);
  soup_server_disconnect (self->soup);
  g_hash_table_unref (self->connections);
  g_object_unref (self->soup);
  rtc_rooms_free (self->rooms);
  g_free (self->allowed_origins);
  g_free (self);
}

guint
ws_server_get_port (WsServer *self)
{
  return self->port;
}

void
ws_server_join (WsServer *self, const RtcMessage *join, GPtrArray *ice_servers)
{
  gchar *text = rtc_message_to_json (join);

  rtc_rooms_set_ice_servers (self->rooms, ice_servers);
  rtc_rooms_connect (self->rooms, LOCAL, "", TRUE, now_ms ());
  rtc_rooms_receive (self->rooms, LOCAL, text, -1, now_ms ());
  pump (self);
  g_free (text);
}

void
ws_server_send (WsServer *self, const gchar *text)
{
  rtc_rooms_receive (self->rooms, LOCAL, text, -1, now_ms ());
  pump (self);
}

void
ws_server_stop (WsServer *self, GstRtcLoopFunc done, gpointer user_data)
{
  GList *clients, *l;

  clear_timer (&self->timer);
  clients = g_hash_table_get_values (self->connections);
  for (l = clients; l; l = l->next)
    ws_connection_close (((Client *)l->data)->connection, RTC_CLOSE_GOING_AWAY, "the server stops");
  g_list_free (clients);
  self->stop_done = done;
  self->stop_data = user_data;
  if (g_hash_table_size (self->connections) == 0)
    finish_stop (self);
  else
    self->stop_timer = g_source_ref (gst_rtc_loop_add_timeout (self->loop, STOP_MS, finish_stop, self));
}
