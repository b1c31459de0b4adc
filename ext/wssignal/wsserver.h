/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "core/rtcroom.h"
#include "wsevents.h"

G_BEGIN_DECLS

/* The embedded server: WebSocket and page on one port, the rooms, and the one peer of its own process. Loop thread. */
typedef struct _WsServer WsServer;

typedef struct
{
  const gchar *address; /* numeric, or "localhost" */
  guint port; /* 0 picks one */
  const gchar *tls_certificate, *tls_private_key; /* PEM files; NULL: no TLS */
  const gchar *allowed_origins; /* or NULL */
  RtcRoomsConfig rooms;
} WsServerSettings;

/* Listens at once. SETTINGS are copied; EVENTS and USER_DATA outlive the server.
 * Returns: (nullable): NULL with ERROR set, its domain and code are GStreamer's. */
WsServer *ws_server_new (
    GstRtcLoop *loop, const WsServerSettings *settings, const WsEvents *events, gpointer user_data, GError **error);

/* Ends all connections without a word. */
void ws_server_free (WsServer *self);

/* The port that it listens on. */
guint ws_server_get_port (WsServer *self);

/* The own peer joins. JOIN: a message of type join. ICE_SERVERS: of RtcIceServer, told to everybody; or NULL. */
void ws_server_join (WsServer *self, const RtcMessage *join, GPtrArray *ice_servers);

/* A message of the own peer. */
void ws_server_send (WsServer *self, const gchar *text);

/* Takes no more connections and closes those that are there; DONE is called when they are closed, or after 100 ms. */
void ws_server_stop (WsServer *self, GstRtcLoopFunc done, gpointer user_data);

G_END_DECLS
