/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <libsoup/soup.h>

G_BEGIN_DECLS

/* One open WebSocket, of a server or a client. Everything happens on the thread whose default context was current when
 * it was made. libsoup queues without a bound and does not say how much; here what the peer does not read waits in a
 * queue of our own, bounded by RTC_MAX_WAITING_MESSAGES and RTC_MAX_WAITING_BYTES. */
typedef struct _WsConnection WsConnection;

typedef struct
{
  /* LENGTH bytes of UTF-8, not NUL-terminated. */
  void (*text) (WsConnection *connection, const gchar *text, gsize length, gpointer user_data);
  void (*binary) (WsConnection *connection, gpointer user_data);
  void (*pong) (WsConnection *connection, gpointer user_data);
  /* Too much waits. Called once; what waited is dropped. */
  void (*overflow) (WsConnection *connection, gpointer user_data);
  /* The last call; CLOSE_CODE: the peer's, 0 for none. May free the connection. */
  void (*closed) (WsConnection *connection, guint close_code, gpointer user_data);
} WsConnectionEvents;

/* SOCKET is the one below WS, or NULL when that is not known. KEEPALIVE: seconds between WebSocket pings, 0 for none.
 */
WsConnection *ws_connection_new (SoupWebsocketConnection *ws, GSocket *socket, guint keepalive,
    const WsConnectionEvents *events, gpointer user_data);

/* Ends it without a word. */
void ws_connection_free (WsConnection *self);

void ws_connection_send (WsConnection *self, const gchar *text);

/* Sends what waits, then closes. No event but closed follows. */
void ws_connection_close (WsConnection *self, guint code, const gchar *reason);

/* FALSE when the peer does not answer our close, or has sent far more than the frames that arrived: endless fragments
 * of one message, or a flood of pings, which libsoup 3.2 collects and answers without a bound. To be asked every second
 * or so. */
gboolean ws_connection_is_sane (WsConnection *self);

/* Lets the kernel give up on a peer that acknowledges nothing for TIMEOUT milliseconds. */
void ws_socket_set_user_timeout (GSocket *socket, guint timeout);

G_END_DECLS
