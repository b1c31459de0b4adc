/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "wsconnection.h"

#include <string.h>
#ifdef __linux__
#include <netinet/in.h>
#include <linux/tcp.h>
#endif

#include "core/rtcroom.h"
#include "wsevents.h"

#define GST_CAT_DEFAULT gst_ws_signal_debug

/* What libsoup is given before the socket is looked at again. */
#define MAX_HANDED (64 * 1024)

/* libsoup answers a frame beyond its limit with a close that the reset behind it may overtake. Up to here we answer. */
#define MAX_PAYLOAD (4 * RTC_MAX_FRAME)

/* Bytes that may arrive without a message in them: one that is on its way, and control frames. */
#define MAX_UNSEEN (2 * MAX_PAYLOAD)

/* How long a peer may take to answer our close. */
#define MAX_CLOSING_US (5 * G_USEC_PER_SEC)

struct _WsConnection
{
  /* set at construction */
  SoupWebsocketConnection *ws;
  GSocket *socket; /* or NULL */
  const WsConnectionEvents *events;
  gpointer user_data;

  /* loop thread */
  GQueue waiting; /* of text */
  gsize waiting_bytes;
  gsize handed; /* bytes since the socket was seen writable */
  GSource *writable; /* while something waits */
  gboolean closing; /* only `closed` is told any more */
  gint64 closing_since; /* microseconds */
  guint64 seen; /* bytes that had arrived at the last message */
};

/* No more than were seen, when the socket does not tell: one that has just been closed, whose `closed` is on its way.
 */
static guint64
bytes_received (WsConnection *self)
{
#ifdef __linux__
  struct tcp_info info = {0};
  socklen_t size = sizeof info;

  if (self->socket && !g_socket_is_closed (self->socket)
      && getsockopt (g_socket_get_fd (self->socket), IPPROTO_TCP, TCP_INFO, &info, &size) == 0
      && size >= G_STRUCT_OFFSET (struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
    return info.tcpi_bytes_received;
#endif
  return self->seen;
}

void
ws_socket_set_user_timeout (GSocket *socket, guint timeout)
{
#ifdef __linux__
  g_socket_set_keepalive (socket, TRUE);
  if (!g_socket_set_option (socket, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout, NULL))
    GST_DEBUG ("no TCP_USER_TIMEOUT on this socket");
#endif
}

static void
on_message (SoupWebsocketConnection *ws, gint type, GBytes *bytes, gpointer user_data)
{
  WsConnection *self = user_data;
  gsize length;
  const gchar *text = g_bytes_get_data (bytes, &length);

  if (self->closing)
    return;
  self->seen = bytes_received (self);
  if (length > RTC_MAX_FRAME)
    ws_connection_close (self, SOUP_WEBSOCKET_CLOSE_TOO_BIG, "a frame is at most 65536 bytes long");
  else if (type == SOUP_WEBSOCKET_DATA_TEXT)
    self->events->text (self, text ? text : "", length, self->user_data);
  else
    self->events->binary (self, self->user_data);
}

static void
on_pong (SoupWebsocketConnection *ws, GBytes *bytes, gpointer user_data)
{
  WsConnection *self = user_data;

  if (!self->closing)
    self->events->pong (self, self->user_data);
}

static void
on_error (SoupWebsocketConnection *ws, GError *error, gpointer user_data)
{
  GST_DEBUG ("WebSocket %p: %s", ws, error->message);
}

static void
drop_waiting (WsConnection *self)
{
  g_queue_clear_full (&self->waiting, g_free);
  self->waiting_bytes = 0;
  if (self->writable)
    g_source_destroy (self->writable);
  g_clear_pointer (&self->writable, g_source_unref);
}

static void
on_closed (SoupWebsocketConnection *ws, gpointer user_data)
{
  WsConnection *self = user_data;

  drop_waiting (self);
  self->closing = TRUE;
  self->events->closed (self, soup_websocket_connection_get_close_code (ws), self->user_data);
}

WsConnection *
ws_connection_new (
    SoupWebsocketConnection *ws, GSocket *socket, guint keepalive, const WsConnectionEvents *events, gpointer user_data)
{
  WsConnection *self = g_new0 (WsConnection, 1);

  self->ws = g_object_ref (ws);
  self->socket = socket ? g_object_ref (socket) : NULL;
  self->events = events;
  self->user_data = user_data;
  g_queue_init (&self->waiting);
  self->seen = bytes_received (self);
  soup_websocket_connection_set_max_incoming_payload_size (ws, MAX_PAYLOAD);
  soup_websocket_connection_set_keepalive_interval (ws, keepalive);
  g_signal_connect (ws, "message", G_CALLBACK (on_message), self);
  g_signal_connect (ws, "pong", G_CALLBACK (on_pong), self);
  g_signal_connect (ws, "error", G_CALLBACK (on_error), self);
  g_signal_connect (ws, "closed", G_CALLBACK (on_closed), self);
  return self;
}

void
ws_connection_free (WsConnection *self)
{
  g_signal_handlers_disconnect_by_data (self->ws, self);
  drop_waiting (self);
  /* Closing the stream would wait for a peer that does not read; this never waits. */
  if (self->socket)
    g_socket_shutdown (self->socket, TRUE, TRUE, NULL);
  g_object_unref (self->ws);
  g_clear_object (&self->socket);
  g_free (self);
}

static gboolean
is_writable (WsConnection *self)
{
  return !self->socket || g_socket_is_closed (self->socket)
      || (self->handed < MAX_HANDED && g_socket_condition_check (self->socket, G_IO_OUT));
}

static void
hand_over (WsConnection *self, const gchar *text)
{
  if (soup_websocket_connection_get_state (self->ws) != SOUP_WEBSOCKET_STATE_OPEN)
    return;
  self->handed += strlen (text);
  soup_websocket_connection_send_text (self->ws, text);
}

static gboolean
on_writable (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  WsConnection *self = user_data;

  self->handed = 0;
  while (self->waiting.length > 0 && is_writable (self)) {
    gchar *text = g_queue_pop_head (&self->waiting);

    self->waiting_bytes -= strlen (text);
    hand_over (self, text);
    g_free (text);
  }
  if (self->waiting.length > 0)
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&self->writable, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
wait_until_writable (WsConnection *self)
{
  if (self->writable)
    return;
  self->writable = g_socket_create_source (self->socket, G_IO_OUT, NULL);
  /* After libsoup, which writes at the default priority. */
  g_source_set_priority (self->writable, G_PRIORITY_DEFAULT + 10);
  g_source_set_callback (self->writable, G_SOURCE_FUNC (on_writable), self, NULL);
  g_source_attach (self->writable, g_main_context_get_thread_default ());
}

void
ws_connection_send (WsConnection *self, const gchar *text)
{
  gsize length = strlen (text);

  if (self->closing)
    return;
  if (self->waiting.length == 0 && is_writable (self)) {
    hand_over (self, text);
    return;
  }
  if (self->waiting.length >= RTC_MAX_WAITING_MESSAGES || self->waiting_bytes + length > RTC_MAX_WAITING_BYTES) {
    drop_waiting (self);
    self->events->overflow (self, self->user_data);
    return;
  }
  g_queue_push_tail (&self->waiting, g_strdup (text));
  self->waiting_bytes += length;
  wait_until_writable (self);
}

void
ws_connection_close (WsConnection *self, guint code, const gchar *reason)
{
  gchar *text;

  if (self->closing)
    return;
  while ((text = g_queue_pop_head (&self->waiting))) {
    hand_over (self, text);
    g_free (text);
  }
  drop_waiting (self);
  self->closing = TRUE;
  self->closing_since = g_get_monotonic_time ();
  if (soup_websocket_connection_get_state (self->ws) == SOUP_WEBSOCKET_STATE_OPEN)
    soup_websocket_connection_close (self->ws, code, reason);
}

gboolean
ws_connection_is_sane (WsConnection *self)
{
  if (self->closing)
    return g_get_monotonic_time () - self->closing_since < MAX_CLOSING_US;
  return bytes_received (self) - self->seen <= MAX_UNSEEN;
}
