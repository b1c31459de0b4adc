/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "core/rtcclient.h"
#include "wsevents.h"

G_BEGIN_DECLS

/* The caller: a WebSocket to somebody's server, opened again when it breaks. Loop thread. */
typedef struct _WsClient WsClient;

typedef struct
{
  const gchar *uri;
  const gchar *tls_ca_file; /* NULL: the system's */
  gboolean tls_verify;
  guint user_timeout; /* milliseconds that the kernel waits for an acknowledgement; 0: its own */
  RtcClientConfig client; /* without random */
} WsClientSettings;

/* Whether URI is one that can be called.
 * Returns: FALSE with ERROR set (GST_RESOURCE_ERROR). Any thread. */
gboolean ws_client_check_uri (const gchar *uri, GError **error);

/* Does nothing until ws_client_join(). SETTINGS are copied; EVENTS and USER_DATA outlive the client.
 * Returns: (nullable): NULL with ERROR set, its domain and code are GStreamer's. */
WsClient *ws_client_new (
    GstRtcLoop *loop, const WsClientSettings *settings, const WsEvents *events, gpointer user_data, GError **error);

/* Ends the connection without a word. */
void ws_client_free (WsClient *self);

/* Connects, and joins with JOIN. (transfer full) */
void ws_client_join (WsClient *self, RtcMessage *join);

/* A message to a peer, or `update`. */
void ws_client_send (WsClient *self, const gchar *text);

/* Says bye where that is possible; DONE is called when the connection is closed, or after 100 ms. */
void ws_client_stop (WsClient *self, GstRtcLoopFunc done, gpointer user_data);

G_END_DECLS
