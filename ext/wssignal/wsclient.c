/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "wsclient.h"

#include <string.h>

#include "core/rtcroom.h"
#include "wsconnection.h"

#define GST_CAT_DEFAULT gst_ws_signal_debug

#define STOP_MS 100
#define MAX_CLOSING 4

struct _WsClient
{
  /* set at construction */
  GstRtcLoop *loop;
  const WsEvents *events;
  gpointer user_data;
  gchar *uri;
  gboolean tls_verify;
  guint user_timeout;

  /* loop thread */
  SoupSession *session;
  RtcClient *client;
  GCancellable *connecting; /* while a connection is being opened */
  GPtrArray *attempts; /* of Attempt: those that have not called back yet */
  GSocket *socket; /* of the attempt */
  WsConnection *connection; /* or NULL */
  GPtrArray *closing; /* of WsConnection: given up by us, not closed yet */
  GSource *timer;
  gboolean pumping;
  GstRtcLoopFunc stop_done;
  gpointer stop_data;
  GSource *stop_timer;
};

/* One attempt: what its callbacks need when the client may be gone, or be in the next one. */
typedef struct
{
  WsClient *client; /* NULL once it is gone */
  GCancellable *cancellable;
  SoupMessage *message;
} Attempt;

static void pump (WsClient *self);

static gint64
now_ms (void)
{
  return g_get_monotonic_time () / 1000;
}

static gdouble
random_part (gpointer user_data)
{
  return g_random_double ();
}

gboolean
ws_client_check_uri (const gchar *uri, GError **error)
{
  GError *uri_error = NULL;
  const gchar *scheme;
  gboolean good;
  GUri *parsed;

  if (!uri) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "no uri to call. Set uri=ws://host:port/room or wss://..., or mode=listener to be the server");
    return FALSE;
  }
  parsed = g_uri_parse (uri, SOUP_HTTP_URI_FLAGS, &uri_error);
  scheme = parsed ? g_uri_get_scheme (parsed) : "";
  good = parsed && (strcmp (scheme, "ws") == 0 || strcmp (scheme, "wss") == 0) && g_uri_get_host (parsed)
      && *g_uri_get_host (parsed);
  if (!good)
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "uri=%s cannot be called%s%s. It must be ws://host:port/room or wss://host:port/room", uri,
        uri_error ? ": " : "", uri_error ? uri_error->message : "");
  g_clear_error (&uri_error);
  if (parsed)
    g_uri_unref (parsed);
  return good;
}

static void
clear_source (GSource **source)
{
  if (*source)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
finish_stop (gpointer data)
{
  WsClient *self = data;
  GstRtcLoopFunc done = self->stop_done;

  clear_source (&self->stop_timer);
  self->stop_done = NULL;
  if (done)
    done (self->stop_data);
}

static void
finish_stop_if_quiet (WsClient *self)
{
  if (self->stop_done && self->closing->len == 0 && self->attempts->len == 0)
    finish_stop (self);
}

/* A dead server does not answer a close: only the last few are waited for. */
static void
add_closing (WsClient *self, WsConnection *connection)
{
  if (self->closing->len >= MAX_CLOSING)
    g_ptr_array_remove_index (self->closing, 0);
  g_ptr_array_add (self->closing, connection);
}

static void
close_connection (WsClient *self, guint code)
{
  WsConnection *connection = g_steal_pointer (&self->connection);

  if (self->connecting) {
    g_cancellable_cancel (self->connecting);
    g_clear_object (&self->connecting);
  }
  if (!connection)
    return;
  add_closing (self, connection);
  ws_connection_close (connection, code, NULL);
}

static void
on_text (WsConnection *connection, const gchar *text, gsize length, gpointer user_data)
{
  WsClient *self = user_data;

  GST_TRACE ("from server: %.*s", (int)length, text);
  rtc_client_receive (self->client, text, length, now_ms ());
  pump (self);
}

static void
on_binary (WsConnection *connection, gpointer user_data)
{
  GST_WARNING ("the server sent a binary frame, which is no message of this protocol");
}

static void
on_pong (WsConnection *connection, gpointer user_data)
{
  rtc_client_alive (((WsClient *)user_data)->client, now_ms ());
}

static void
on_overflow (WsConnection *connection, gpointer user_data)
{
  WsClient *self = user_data;

  close_connection (self, RTC_CLOSE_ERROR);
  rtc_client_lost (self->client, RTC_LOSS_CLOSED, 0, "the server does not read what is sent to it", now_ms ());
  pump (self);
}

static void
on_closed (WsConnection *connection, guint close_code, gpointer user_data)
{
  WsClient *self = user_data;

  if (g_ptr_array_remove_fast (self->closing, connection)) {
    finish_stop_if_quiet (self);
    return;
  }
  g_clear_pointer (&self->connection, ws_connection_free);
  rtc_client_lost (self->client, RTC_LOSS_CLOSED, close_code, "the server ended the connection", now_ms ());
  pump (self);
}

static const WsConnectionEvents connection_events = {on_text, on_binary, on_pong, on_overflow, on_closed};

/* What GIO's and libsoup's errors mean for a person. */
static RtcLoss
explain (WsClient *self, SoupMessage *message, const GError *error, gchar **reason)
{
  guint status = soup_message_get_status (message);

  if (g_error_matches (error, G_TLS_ERROR, G_TLS_ERROR_BAD_CERTIFICATE)) {
    *reason = g_strdup_printf ("the certificate of %s is not trusted: %s. Set tls-ca-file to the certificate, or to "
                               "that of its authority; tls-verify=false trusts anybody",
        self->uri, error->message);
    return RTC_LOSS_UNTRUSTED;
  }
  if (error->domain == SOUP_WEBSOCKET_ERROR || (status && status != SOUP_STATUS_SWITCHING_PROTOCOLS)) {
    *reason = g_strdup_printf ("%s answered with HTTP status %u (%s), not with a WebSocket. Check the uri: a signaling "
                               "server is expected there%s",
        self->uri, status, soup_message_get_reason_phrase (message),
        status == SOUP_STATUS_FORBIDDEN || status == SOUP_STATUS_UNAUTHORIZED ? ", and to let this client in" : "");
    return RTC_LOSS_NO_UPGRADE;
  }
  *reason = g_strdup_printf ("cannot reach %s: %s", self->uri, error->message);
  return RTC_LOSS_UNREACHABLE;
}

static void
attempt_free (Attempt *attempt)
{
  g_object_unref (attempt->cancellable);
  g_object_unref (attempt->message);
  g_free (attempt);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Attempt *attempt = user_data;
  WsClient *self = attempt->client;
  GError *error = NULL;
  SoupWebsocketConnection *ws = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);

  if (self)
    g_ptr_array_remove_fast (self->attempts, attempt);
  if (g_cancellable_is_cancelled (attempt->cancellable)) {
    g_clear_error (&error);
    g_clear_object (&ws);
    attempt_free (attempt);
    if (self)
      finish_stop_if_quiet (self);
    return;
  }
  g_clear_object (&self->connecting);
  if (ws) {
    self->connection = ws_connection_new (ws, self->socket, 0, &connection_events, self);
    rtc_client_opened (self->client, now_ms ());
    g_object_unref (ws);
  } else {
    gchar *reason;
    RtcLoss loss = explain (self, attempt->message, error, &reason);

    rtc_client_lost (self->client, loss, 0, reason, now_ms ());
    g_free (reason);
    g_error_free (error);
  }
  attempt_free (attempt);
  pump (self);
}

static gboolean
on_accept_certificate (
    SoupMessage *message, GTlsCertificate *certificate, GTlsCertificateFlags errors, Attempt *attempt)
{
  return attempt->client && !attempt->client->tls_verify;
}

static void
on_network_event (SoupMessage *message, GSocketClientEvent event, GIOStream *stream, Attempt *attempt)
{
  WsClient *self = attempt->client;

  if (event != G_SOCKET_CLIENT_CONNECTED || g_cancellable_is_cancelled (attempt->cancellable)
      || !G_IS_SOCKET_CONNECTION (stream))
    return;
  g_clear_object (&self->socket);
  self->socket = g_object_ref (g_socket_connection_get_socket (G_SOCKET_CONNECTION (stream)));
  if (self->user_timeout)
    ws_socket_set_user_timeout (self->socket, self->user_timeout);
}

static void
start_attempt (WsClient *self)
{
  Attempt *attempt = g_new0 (Attempt, 1);

  attempt->client = self;
  attempt->message = soup_message_new (SOUP_METHOD_GET, self->uri);
  self->connecting = g_cancellable_new ();
  attempt->cancellable = g_object_ref (self->connecting);
  g_ptr_array_add (self->attempts, attempt);
  g_clear_object (&self->socket);
  g_signal_connect (attempt->message, "accept-certificate", G_CALLBACK (on_accept_certificate), attempt);
  g_signal_connect (attempt->message, "network-event", G_CALLBACK (on_network_event), attempt);
  soup_session_websocket_connect_async (
      self->session, attempt->message, NULL, NULL, G_PRIORITY_DEFAULT, self->connecting, on_connected, attempt);
}

static void
warn (WsClient *self, const RtcClientAction *action)
{
  GError *error = g_error_new (GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE,
      "No signaling: %s. The next attempt is in %.1f s.", action->text, action->delay / 1000.0);

  self->events->warn (error, self->user_data);
  self->events->progress (GST_PROGRESS_TYPE_CONTINUE, error->message, self->user_data);
  g_error_free (error);
}

static void
fail (WsClient *self, const RtcClientAction *action)
{
  gint code = GST_RESOURCE_ERROR_OPEN_READ_WRITE;
  const gchar *advice = "";
  GError *error;

  if (action->loss == RTC_LOSS_UNTRUSTED || action->code == RTC_ERROR_UNAUTHORIZED)
    code = GST_RESOURCE_ERROR_NOT_AUTHORIZED;
  if (action->code == RTC_ERROR_UNAUTHORIZED)
    advice = " Set token to the server's.";
  else if (action->code == RTC_ERROR_REPLACED)
    advice = " Another connection has taken this peer over.";
  else if (action->loss == RTC_LOSS_UNREACHABLE || action->loss == RTC_LOSS_CLOSED)
    advice = " reconnect=true tries again by itself.";
  error = g_error_new (GST_RESOURCE_ERROR, code, "No signaling: %s.%s", action->text, advice);
  self->events->progress (GST_PROGRESS_TYPE_ERROR, error->message, self->user_data);
  self->events->fail (error, self->user_data);
  g_error_free (error);
}

static void
handle_action (WsClient *self, const RtcClientAction *action)
{
  gchar *text;

  switch (action->type) {
    case RTC_CLIENT_CONNECT:
      start_attempt (self);
      break;
    case RTC_CLIENT_SEND:
      GST_TRACE ("to server: %s", action->text);
      if (self->connection)
        ws_connection_send (self->connection, action->text);
      break;
    case RTC_CLIENT_CLOSE:
      close_connection (self, action->close_code);
      break;
    case RTC_CLIENT_DELIVER:
      self->events->deliver (action->text, self->user_data);
      break;
    case RTC_CLIENT_JOIN_DONE:
      text = g_strdup_printf ("Joined as %s", rtc_client_get_peer_id (self->client));
      self->events->joined (rtc_client_get_peer_id (self->client), self->user_data);
      self->events->progress (GST_PROGRESS_TYPE_COMPLETE, text, self->user_data);
      g_free (text);
      break;
    case RTC_CLIENT_WARN:
      /* A connection whose end was noticed from what it said. */
      close_connection (self, RTC_CLOSE_ERROR);
      warn (self, action);
      break;
    case RTC_CLIENT_FAIL:
      close_connection (self, RTC_CLOSE_ERROR);
      fail (self, action);
      break;
  }
}

static void
on_timer (gpointer data)
{
  WsClient *self = data;

  clear_source (&self->timer);
  rtc_client_tick (self->client, now_ms ());
  pump (self);
}

/* Does what the client says. What that causes in turn is done by the outer call. */
static void
pump (WsClient *self)
{
  RtcClientAction *action;
  RtcClientStats client;
  WsStats stats = {0};
  gint64 due;

  if (self->pumping)
    return;
  self->pumping = TRUE;
  while ((action = rtc_client_pop (self->client))) {
    handle_action (self, action);
    rtc_client_action_free (action);
  }
  self->pumping = FALSE;

  clear_source (&self->timer);
  due = rtc_client_get_deadline (self->client);
  if (due != G_MAXINT64)
    self->timer =
        g_source_ref (gst_rtc_loop_add_timeout (self->loop, CLAMP (due - now_ms (), 0, G_MAXINT32), on_timer, self));

  rtc_client_get_stats (self->client, &client);
  stats.state = rtc_client_state_to_string (client.state);
  stats.messages_in = client.messages_in;
  stats.messages_out = client.messages_out;
  stats.bytes_in = client.bytes_in;
  stats.bytes_out = client.bytes_out;
  stats.attempts = client.attempts;
  stats.reconnects = client.reconnects;
  stats.rtt = client.rtt;
  self->events->stats (&stats, self->user_data);
}

WsClient *
ws_client_new (
    GstRtcLoop *loop, const WsClientSettings *settings, const WsEvents *events, gpointer user_data, GError **error)
{
  RtcClientConfig config = settings->client;
  GTlsDatabase *database = NULL;
  GError *tls_error = NULL;
  WsClient *self;

  gst_rtc_loop_assert (loop);
  if (!ws_client_check_uri (settings->uri, error))
    return NULL;
  if (settings->tls_ca_file) {
    /* A relative path is taken, and never trusted, as it is. */
    gchar *path = g_canonicalize_filename (settings->tls_ca_file, NULL);

    database = g_tls_file_database_new (path, &tls_error);
    g_free (path);
    if (!database) {
      g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
          "cannot use tls-ca-file=%s: %s. It must be a PEM file of certificates that this user may read",
          settings->tls_ca_file, tls_error->message);
      g_error_free (tls_error);
      return NULL;
    }
  }
  self = g_new0 (WsClient, 1);
  self->loop = loop;
  self->events = events;
  self->user_data = user_data;
  self->uri = g_strdup (settings->uri);
  self->tls_verify = settings->tls_verify;
  self->user_timeout = settings->user_timeout;
  config.random = random_part;
  self->client = rtc_client_new (&config);
  self->attempts = g_ptr_array_new ();
  self->closing = g_ptr_array_new_with_free_func ((GDestroyNotify)ws_connection_free);
  self->session = soup_session_new_with_options ("user-agent", "rtclink ", NULL);
  if (database)
    soup_session_set_tls_database (self->session, database);
  g_clear_object (&database);
  return self;
}

void
ws_client_free (WsClient *self)
{
  guint i;

  for (i = 0; i < self->attempts->len; i++)
    ((Attempt *)g_ptr_array_index (self->attempts, i))->client = NULL;
  clear_source (&self->timer);
  clear_source (&self->stop_timer);
  if (self->connecting)
    g_cancellable_cancel (self->connecting);
  g_clear_object (&self->connecting);
  g_clear_pointer (&self->connection, ws_connection_free);
  g_ptr_array_unref (self->closing);
  g_ptr_array_unref (self->attempts);
  soup_session_abort (self->session);
  g_object_unref (self->session);
  g_clear_object (&self->socket);
  rtc_client_free (self->client);
  g_free (self->uri);
  g_free (self);
}

void
ws_client_join (WsClient *self, RtcMessage *join)
{
  gchar *text = g_strdup_printf ("Connecting to %s", self->uri);

  self->events->progress (GST_PROGRESS_TYPE_START, text, self->user_data);
  rtc_client_start (self->client, join, now_ms ());
  pump (self);
  g_free (text);
}

void
ws_client_send (WsClient *self, const gchar *text)
{
  GError *error = NULL;

  if (!rtc_client_send (self->client, text, now_ms (), &error)) {
    GST_WARNING ("a message from downstream is not sent: %s", error->message);
    g_error_free (error);
  }
  pump (self);
}

void
ws_client_stop (WsClient *self, GstRtcLoopFunc done, gpointer user_data)
{
  RtcClientStats stats;

  rtc_client_get_stats (self->client, &stats);
  if (stats.state == RTC_CLIENT_CONNECTING || stats.state == RTC_CLIENT_JOINING || stats.state == RTC_CLIENT_WAITING)
    self->events->progress (GST_PROGRESS_TYPE_CANCELED, "Connecting was given up", self->user_data);
  self->stop_done = done;
  self->stop_data = user_data;
  rtc_client_stop (self->client, now_ms ());
  pump (self);
  finish_stop_if_quiet (self);
  if (self->stop_done)
    self->stop_timer = g_source_ref (gst_rtc_loop_add_timeout (self->loop, STOP_MS, finish_stop, self));
}
