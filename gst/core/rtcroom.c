/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcroom.h"

#include <string.h>

#include "rtcroompeer.h"

#define MAX_BAD_IN_A_ROW 16

static void
connection_free (gpointer data)
{
  RtcRoomConnection *connection = data;

  g_free (connection->path_room);
  g_free (connection);
}

RtcRooms *
rtc_rooms_new (const RtcRoomsConfig *config)
{
  RtcRooms *self = g_new0 (RtcRooms, 1);

  self->config = *config;
  self->config.token = self->token = g_strdup (config->token);
  self->connections = g_hash_table_new_full (NULL, NULL, NULL, connection_free);
  self->rooms = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, rtc_room_free);
  self->peers = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, rtc_room_peer_free);
  self->ice_servers = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_ice_server_free);
  self->deadline = G_MAXINT64;
  g_queue_init (&self->actions);
  return self;
}

void
rtc_rooms_free (RtcRooms *self)
{
  if (!self)
    return;
  g_hash_table_unref (self->connections);
  g_hash_table_unref (self->rooms);
  g_hash_table_unref (self->peers);
  g_ptr_array_unref (self->ice_servers);
  g_queue_clear_full (&self->actions, (GDestroyNotify)rtc_room_action_free);
  g_free (self->token);
  g_free (self);
}

void
rtc_room_action_free (RtcRoomAction *action)
{
  if (!action)
    return;
  g_free (action->text);
  g_free (action);
}

RtcRoomAction *
rtc_rooms_pop (RtcRooms *self)
{
  return g_queue_pop_head (&self->actions);
}

static RtcRoomConnection *
find_connection (RtcRooms *self, guint id)
{
  return g_hash_table_lookup (self->connections, GUINT_TO_POINTER (id));
}

/* CONNECTION is gone afterwards; its peer is not touched. */
static void
close_connection (RtcRooms *self, RtcRoomConnection *connection, guint code, const gchar *reason)
{
  RtcRoomAction *action = g_new (RtcRoomAction, 1);

  *action = (RtcRoomAction){RTC_ROOM_CLOSE, connection->id, g_strdup (reason), code};
  g_queue_push_tail (&self->actions, action);
  if (connection->peer)
    connection->peer->connection = NULL;
  g_hash_table_remove (self->connections, GUINT_TO_POINTER (connection->id));
}

static void
send_error (
    RtcRooms *self, RtcRoomConnection *connection, RtcErrorCode code, const gchar *reason, const RtcMessage *answered)
{
  RtcMessage *error = rtc_message_new_error (code, reason, NULL, answered ? answered->session : NULL);

  error->answers = answered ? g_strdup (answered->type_name) : NULL;
  rtc_rooms_send (self, connection, error);
  rtc_message_free (error);
}

/* As send_error(), and closes. */
static void
end_with_error (
    RtcRooms *self, RtcRoomConnection *connection, RtcErrorCode code, const gchar *reason, const RtcMessage *answered)
{
  send_error (self, connection, code, reason, answered);
  close_connection (self, connection, RTC_CLOSE_ERROR, rtc_error_code_to_string (code));
}

static void
send_welcome (RtcRooms *self, RtcRoomPeer *peer, gboolean resumed)
{
  RtcMessage *welcome = rtc_message_new (RTC_MESSAGE_WELCOME);

  welcome->version = RTC_PROTOCOL_VERSION;
  welcome->peer_id = g_strdup (peer->info->id);
  welcome->room = g_strdup (peer->room->name);
  welcome->resume = g_strdup (peer->resume);
  welcome->resume_timeout = self->config.resume_timeout;
  welcome->resumed = resumed;
  welcome->ping_interval = self->config.ping_interval;
  welcome->ping_timeout = self->config.ping_timeout;
  welcome->ice_servers = g_ptr_array_ref (self->ice_servers);
  rtc_rooms_send (self, peer->connection, welcome);
  rtc_message_free (welcome);
}

gboolean
rtc_secret_equal (const gchar *secret, const gchar *given)
{
  gsize secret_length = strlen (secret), given_length = strlen (given), i;
  volatile guchar differs = secret_length != given_length;

  /* The NUL stands in for what SECRET does not have. */
  for (i = 0; i < given_length; i++)
    differs |= (guchar)given[i] ^ (guchar)secret[i % (secret_length + 1)];
  return !differs;
}

/* What `join` and `resume` have in common. FALSE: the connection is closed. */
static gboolean
admit (RtcRooms *self, RtcRoomConnection *connection, const RtcMessage *message)
{
  if (message->version != RTC_PROTOCOL_VERSION) {
    gchar *reason = g_strdup_printf (
        "version %u is not spoken here; the version that is: %d", message->version, RTC_PROTOCOL_VERSION);

    end_with_error (self, connection, RTC_ERROR_UNSUPPORTED_VERSION, reason, message);
    g_free (reason);
    return FALSE;
  }
  if (self->token && !connection->local && !(message->token && rtc_secret_equal (self->token, message->token))) {
    end_with_error (self, connection, RTC_ERROR_UNAUTHORIZED,
        message->token ? "the token is not this server's" : "this server wants a token", message);
    return FALSE;
  }
  return TRUE;
}

static void
handle_join (RtcRooms *self, RtcRoomConnection *connection, const RtcMessage *message)
{
  const gchar *name = message->room ? message->room : connection->path_room;
  RtcRoom *room;
  RtcRoomPeer *peer;

  if (!admit (self, connection, message))
    return;
  room = g_hash_table_lookup (self->rooms, name);
  if (room ? room->peers->len >= self->config.max_room_peers
           : g_hash_table_size (self->rooms) >= self->config.max_rooms) {
    end_with_error (self, connection, RTC_ERROR_ROOM_FULL,
        room ? "as many peers as a room may have are in this one" : "as many rooms as may be are open", message);
    return;
  }
  if (g_hash_table_size (self->peers) >= self->config.max_connections) {
    end_with_error (self, connection, RTC_ERROR_ROOM_FULL, "the server has no place for more peers", message);
    return;
  }

  peer = rtc_rooms_add_peer (self, name);
  peer->connection = connection;
  connection->peer = peer;
  peer->offers = message->offers;
  peer->info->restart = message->restart;
  peer->info->features = g_strdupv (message->features);
  rtc_room_peer_update (peer, message);
  send_welcome (self, peer, FALSE);
  rtc_rooms_send_peers (self, peer);
  rtc_rooms_tell_joined (self, peer);
}

static void
handle_resume (RtcRooms *self, RtcRoomConnection *connection, const RtcMessage *message)
{
  RtcRoomPeer *peer;
  gchar *text;

  if (!admit (self, connection, message))
    return;
  peer = g_hash_table_lookup (self->peers, message->peer_id);
  if (!peer
      || !(rtc_secret_equal (peer->resume, message->resume)
          || (peer->last_resume && rtc_secret_equal (peer->last_resume, message->resume)))) {
    send_error (self, connection, RTC_ERROR_RESUME_FAILED, "no place is kept for this token, join instead", message);
    return;
  }
  if (peer->connection)
    end_with_error (self, peer->connection, RTC_ERROR_REPLACED, "this peer was resumed on another connection", NULL);

  /* The token before stays good until the client is heard again: this answer may be lost with its connection. */
  g_free (peer->last_resume);
  peer->last_resume = peer->resume;
  peer->resume = rtc_id_new ("r-");
  peer->connection = connection;
  connection->peer = peer;
  send_welcome (self, peer, TRUE);
  rtc_rooms_send_peers (self, peer);
  while ((text = rtc_room_peer_take_kept (self, peer)))
    rtc_rooms_send_text (self, connection, text);
}

static void
handle_routed (RtcRooms *self, RtcRoomPeer *peer, RtcMessage *message)
{
  RtcRoomConnection *connection = peer->connection;
  RtcRoomPeer *to;
  gboolean to_offers;

  if (!message->to) {
    if (message->type == RTC_MESSAGE_BYE) {
      close_connection (self, connection, RTC_CLOSE_NORMAL, "bye");
      rtc_rooms_remove_peer (self, peer, "bye");
    } else if (message->type != RTC_MESSAGE_ERROR) {
      send_error (self, connection, RTC_ERROR_BAD_MESSAGE, "field \"to\" is missing, expected a peer's id", message);
    }
    return;
  }

  to = g_hash_table_lookup (self->peers, message->to);
  if (!to || to->room != peer->room || to == peer) {
    gchar *reason = g_strdup_printf ("%s is nobody in this room", message->to);

    send_error (self, connection, RTC_ERROR_UNKNOWN_PEER, reason, message);
    g_free (reason);
    return;
  }
  if (message->type == RTC_MESSAGE_OFFER && !(rtc_room_peers_talk (peer, to, &to_offers) && !to_offers)) {
    send_error (self, connection, RTC_ERROR_NOT_OFFERER, "the other one makes the offers of this pair", message);
    return;
  }

  g_free (message->from);
  message->from = g_strdup (peer->info->id);
  g_clear_pointer (&message->to, g_free);
  rtc_rooms_deliver (self, to, message);
}

static void
handle_joined (RtcRooms *self, RtcRoomPeer *peer, RtcMessage *message)
{
  switch (message->type) {
    case RTC_MESSAGE_JOIN:
    case RTC_MESSAGE_RESUME:
      send_error (self, peer->connection, RTC_ERROR_ALREADY_JOINED, "this connection has joined already", message);
      break;
    case RTC_MESSAGE_UPDATE:
      rtc_room_peer_update (peer, message);
      rtc_rooms_tell_joined (self, peer);
      rtc_rooms_send_peers (self, peer);
      break;
    default:
      if (rtc_message_type_is_routed (message->type))
        handle_routed (self, peer, message);
      else
        send_error (
            self, peer->connection, RTC_ERROR_BAD_MESSAGE, "only a server sends messages of this type", message);
      break;
  }
}

static void
handle_message (RtcRooms *self, RtcRoomConnection *connection, RtcMessage *message)
{
  RtcMessage *pong;

  if (message->type == RTC_MESSAGE_UNKNOWN) {
    send_error (self, connection, RTC_ERROR_UNKNOWN_TYPE, "a message of this type is not known here", message);
  } else if (message->type == RTC_MESSAGE_PING) {
    pong = rtc_message_new (RTC_MESSAGE_PONG);
    rtc_rooms_send (self, connection, pong);
    rtc_message_free (pong);
  } else if (connection->peer) {
    handle_joined (self, connection->peer, message);
  } else if (message->type == RTC_MESSAGE_JOIN) {
    handle_join (self, connection, message);
  } else if (message->type == RTC_MESSAGE_RESUME) {
    handle_resume (self, connection, message);
  } else if (message->type != RTC_MESSAGE_BYE) {
    send_error (self, connection, RTC_ERROR_NOT_JOINED, "the first message is join or resume", message);
  } else {
    close_connection (self, connection, RTC_CLOSE_NORMAL, "bye");
  }
}

static void
refuse (RtcRooms *self, RtcRoomConnection *connection, const gchar *reason)
{
  if (++connection->bad_in_a_row >= MAX_BAD_IN_A_ROW)
    end_with_error (self, connection, RTC_ERROR_BAD_MESSAGE, reason, NULL);
  else
    send_error (self, connection, RTC_ERROR_BAD_MESSAGE, reason, NULL);
}

/* When something has to be done about CONNECTION if nothing more is heard. */
static gint64
connection_deadline (RtcRooms *self, RtcRoomConnection *connection)
{
  if (connection->local)
    return G_MAXINT64;
  if (!connection->peer)
    return connection->opened + self->config.join_timeout;
  if (self->config.ping_interval == 0 || self->config.ping_timeout == 0)
    return G_MAXINT64;
  return connection->heard + self->config.ping_timeout;
}

static gboolean
is_room_name (const gchar *name)
{
  const gchar *p;

  if (!name || strlen (name) > RTC_MAX_ROOM || !g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (p = name; *p; p = g_utf8_next_char (p)) {
    if (g_unichar_iscntrl (g_utf8_get_char (p)))
      return FALSE;
  }
  return TRUE;
}

void
rtc_rooms_connect (RtcRooms *self, guint id, const gchar *path_room, gboolean local, gint64 now)
{
  RtcRoomConnection *connection = g_new0 (RtcRoomConnection, 1);

  connection->id = id;
  connection->local = local;
  connection->opened = connection->heard = now;
  /* What the codec would not take as a name is nobody's room. */
  connection->path_room = g_strdup (is_room_name (path_room) ? path_room : "");
  g_hash_table_insert (self->connections, GUINT_TO_POINTER (id), connection);
  if (!local && g_hash_table_size (self->connections) > self->config.max_connections) {
    end_with_error (self, connection, RTC_ERROR_ROOM_FULL, "the server has no place for more connections", NULL);
    return;
  }
  self->deadline = MIN (self->deadline, connection_deadline (self, connection));
}

void
rtc_rooms_alive (RtcRooms *self, guint id, gint64 now)
{
  RtcRoomConnection *connection = find_connection (self, id);

  if (connection)
    connection->heard = now;
}

void
rtc_rooms_receive (RtcRooms *self, guint id, const gchar *text, gssize length, gint64 now)
{
  RtcRoomConnection *connection = find_connection (self, id);
  RtcMessage *message;
  GError *error = NULL;

  if (!connection)
    return;
  connection->heard = now;
  if (connection->peer)
    g_clear_pointer (&connection->peer->last_resume, g_free);

  message = rtc_message_from_json (text, length, &error);
  if (!message) {
    refuse (self, connection, error->message);
    g_error_free (error);
    return;
  }
  connection->bad_in_a_row = 0;
  handle_message (self, connection, message);
  rtc_message_free (message);

  connection = find_connection (self, id);
  if (connection)
    self->deadline = MIN (self->deadline, connection_deadline (self, connection));
}

void
rtc_rooms_refuse (RtcRooms *self, guint id, const gchar *reason, gint64 now)
{
  RtcRoomConnection *connection = find_connection (self, id);

  if (!connection)
    return;
  connection->heard = now;
  refuse (self, connection, reason);
}

/* PEER has no connection any more. */
static void
keep_place (RtcRooms *self, RtcRoomPeer *peer, gint64 now)
{
  peer->connection = NULL;
  peer->absent_until = now + self->config.resume_timeout;
  self->deadline = MIN (self->deadline, peer->absent_until);
}

void
rtc_rooms_overflow (RtcRooms *self, guint id, gint64 now)
{
  RtcRoomConnection *connection = find_connection (self, id);
  RtcRoomPeer *peer;

  if (!connection)
    return;
  peer = connection->peer;
  end_with_error (self, connection, RTC_ERROR_OVERFLOW, "too much waits to be read by this client", NULL);
  /* What was lost cannot be made up for, so there is nothing to resume. */
  if (peer)
    rtc_rooms_remove_peer (self, peer, "removed");
}

void
rtc_rooms_disconnect (RtcRooms *self, guint id, guint close_code, gint64 now)
{
  RtcRoomConnection *connection = find_connection (self, id);
  RtcRoomPeer *peer;

  if (!connection)
    return;
  peer = connection->peer;
  g_hash_table_remove (self->connections, GUINT_TO_POINTER (id));
  if (!peer)
    return;
  peer->connection = NULL;
  if (close_code == RTC_CLOSE_NORMAL || close_code == RTC_CLOSE_GOING_AWAY || self->config.resume_timeout == 0)
    rtc_rooms_remove_peer (self, peer, "closed");
  else
    keep_place (self, peer, now);
}

void
rtc_rooms_set_ice_servers (RtcRooms *self, GPtrArray *servers)
{
  GHashTableIter iter;
  RtcRoomPeer *peer;
  guint i;

  g_ptr_array_set_size (self->ice_servers, 0);
  for (i = 0; servers && i < MIN (servers->len, RTC_MAX_ICE_SERVERS); i++)
    g_ptr_array_add (self->ice_servers, rtc_ice_server_copy (g_ptr_array_index (servers, i)));
  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *)&peer)) {
    if (peer->connection)
      send_welcome (self, peer, TRUE);
  }
}

static void
time_out_connection (RtcRooms *self, RtcRoomConnection *connection, gint64 now)
{
  RtcRoomPeer *peer = connection->peer;

  end_with_error (self, connection, RTC_ERROR_TIMEOUT,
      peer ? "nothing was heard for the ping timeout" : "neither join nor resume came in time", NULL);
  if (peer)
    keep_place (self, peer, now);
}

void
rtc_rooms_tick (RtcRooms *self, gint64 now)
{
  GList *connections, *peers, *l;

  if (now < self->deadline)
    return;

  self->deadline = G_MAXINT64;
  connections = g_hash_table_get_values (self->connections);
  for (l = connections; l; l = l->next) {
    gint64 deadline = connection_deadline (self, l->data);

    if (deadline <= now)
      time_out_connection (self, l->data, now);
    else
      self->deadline = MIN (self->deadline, deadline);
  }
  g_list_free (connections);

  peers = g_hash_table_get_values (self->peers);
  for (l = peers; l; l = l->next) {
    RtcRoomPeer *peer = l->data;

    if (peer->connection)
      continue;
    if (peer->absent_until <= now)
      rtc_rooms_remove_peer (self, peer, "timeout");
    else
      self->deadline = MIN (self->deadline, peer->absent_until);
  }
  g_list_free (peers);
}

gint64
rtc_rooms_get_deadline (RtcRooms *self)
{
  return self->deadline;
}

guint
rtc_rooms_count_connections (RtcRooms *self)
{
  return g_hash_table_size (self->connections);
}

guint
rtc_rooms_count_peers (RtcRooms *self)
{
  return g_hash_table_size (self->peers);
}

guint
rtc_rooms_count_rooms (RtcRooms *self)
{
  return g_hash_table_size (self->rooms);
}
