/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "wssignal/wsconnection.h"
#include "wssignal/wsevents.h"

#include <gst/check/gstcheck.h>

GST_DEBUG_CATEGORY (gst_ws_signal_debug);

static guint messages, close_code;

static void
on_text (WsConnection *connection, const gchar *text, gsize length, gpointer user_data)
{
  messages++;
}

static void
on_closed (WsConnection *connection, guint code, gpointer user_data)
{
  close_code = code;
}

static const WsConnectionEvents events = {.text = on_text, .closed = on_closed};

/* A page that is left is not taken for one that floods: libsoup closes the socket first, and tells of it later. */
GST_START_TEST (sane_to_the_end)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) effective = NULL;
  g_autoptr (GUri) uri = g_uri_parse ("ws://127.0.0.1/", G_URI_FLAGS_NONE, NULL);
  g_autoptr (GSocketConnection) theirs = NULL, ours = NULL;
  g_autoptr (SoupWebsocketConnection) page = NULL, ws = NULL;
  WsConnection *connection;

  fail_unless (g_socket_listener_add_address (
      listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &effective, NULL));
  theirs = g_socket_client_connect (client, G_SOCKET_CONNECTABLE (effective), NULL, NULL);
  ours = g_socket_listener_accept (listener, NULL, NULL, NULL);
  page = soup_websocket_connection_new (G_IO_STREAM (theirs), uri, SOUP_WEBSOCKET_CONNECTION_CLIENT, NULL, NULL, NULL);
  ws = soup_websocket_connection_new (G_IO_STREAM (ours), uri, SOUP_WEBSOCKET_CONNECTION_SERVER, NULL, NULL, NULL);
  connection = ws_connection_new (ws, g_socket_connection_get_socket (ours), 0, &events, NULL);

  soup_websocket_connection_send_text (page, "hello");
  while (messages == 0)
    g_main_context_iteration (NULL, TRUE);
  soup_websocket_connection_close (page, SOUP_WEBSOCKET_CLOSE_GOING_AWAY, NULL);
  while (close_code == 0) {
    fail_unless (ws_connection_is_sane (connection));
    g_main_context_iteration (NULL, TRUE);
  }
  fail_unless_equals_int (close_code, SOUP_WEBSOCKET_CLOSE_GOING_AWAY);
  ws_connection_free (connection);
}
GST_END_TEST;

static Suite *
wsconnection_suite (void)
{
  Suite *s = suite_create ("wsconnection");
  TCase *tcase = tcase_create ("general");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, sane_to_the_end);
  return s;
}

GST_CHECK_MAIN (wsconnection);
