/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "wsfixture.h"

#include <string.h>

#define BUS_TIMEOUT (20 * GST_SECOND)

Peer *
peer_new (const gchar *first_property, ...)
{
  Peer *self = g_new0 (Peer, 1);
  va_list args;

  self->element = gst_element_factory_make ("wssignalsrc", NULL);
  fail_unless (self->element != NULL, "no wssignalsrc: is GST_PLUGIN_PATH set?");
  va_start (args, first_property);
  g_object_set_valist (G_OBJECT (self->element), first_property, args);
  va_end (args);
  self->bus = gst_bus_new ();
  gst_element_set_bus (self->element, self->bus);
  self->harness = gst_harness_new_with_element (self->element, NULL, "src");
  return self;
}

void
peer_free (Peer *self)
{
  gst_element_set_state (self->element, GST_STATE_NULL);
  gst_element_set_bus (self->element, NULL);
  gst_harness_teardown (self->harness);
  gst_object_unref (self->element);
  gst_bus_set_flushing (self->bus, TRUE);
  gst_object_unref (self->bus);
  g_free (self);
}

void
peer_play (Peer *self)
{
  gst_harness_play (self->harness);
}

static gboolean
has_id (Peer *self)
{
  g_autofree gchar *id = peer_id (self);

  return id != NULL;
}

Peer *
listener_new (void)
{
  Peer *self = peer_new ("mode", 1, "port", 0, NULL);

  peer_play (self);
  run_until (has_id (self));
  return self;
}

guint
peer_port (Peer *self)
{
  guint port;

  g_object_get (self->element, "port", &port, NULL);
  return port;
}

gchar *
peer_id (Peer *self)
{
  gchar *id;

  g_object_get (self->element, "peer-id", &id, NULL);
  return id;
}

static RtcMessage *
parse (const gchar *text, gssize length)
{
  g_autoptr (GError) error = NULL;
  RtcMessage *message = rtc_message_from_json (text, length, &error);

  fail_unless (message != NULL, "%s: %s", error ? error->message : "", text);
  return message;
}

RtcMessage *
peer_expect (Peer *self, RtcMessageType type)
{
  for (;;) {
    GstBuffer *buffer = gst_harness_pull (self->harness);
    RtcMessage *message;
    GstMapInfo map;

    fail_unless (buffer != NULL, "no message of type %s came", rtc_message_type_to_string (type));
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    message = parse ((const gchar *)map.data, map.size);
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
    if (message->type == type)
      return message;
    rtc_message_free (message);
  }
}

void
peer_send (Peer *self, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fail_unless (gst_harness_push_upstream_event (self->harness, gst_rtc_signal_event_new (text)));
}

gchar *
peer_expect_bus (Peer *self, GstMessageType type, GQuark domain, gint code)
{
  GstMessage *message = gst_bus_timed_pop_filtered (self->bus, BUS_TIMEOUT, type);
  g_autoptr (GError) error = NULL;
  gchar *text;

  fail_unless (message != NULL, "no %s came", gst_message_type_get_name (type));
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, domain, code), "%s (%s %d)", error->message, g_quark_to_string (error->domain),
      error->code);
  text = g_strdup (error->message);
  gst_message_unref (message);
  return text;
}

void
peer_no_more_errors (Peer *self)
{
  GstMessage *message = gst_bus_pop_filtered (self->bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (message) {
    gst_message_parse_error (message, &error, NULL);
    fail ("one more error: %s", error->message);
  }
}

guint64
peer_stat (Peer *self, const gchar *name)
{
  GstStructure *stats;
  guint64 value = 0;
  guint small;

  g_object_get (self->element, "stats", &stats, NULL);
  if (gst_structure_get_uint (stats, name, &small))
    value = small;
  else
    fail_unless (gst_structure_get_uint64 (stats, name, &value), "no %s in stats", name);
  gst_structure_free (stats);
  return value;
}

gboolean
wake_up (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
on_raw_message (SoupWebsocketConnection *ws, gint type, GBytes *bytes, Raw *self)
{
  gsize length;
  const gchar *data = g_bytes_get_data (bytes, &length);

  g_queue_push_tail (&self->texts, g_strndup (data, length));
}

static void
on_raw_closed (SoupWebsocketConnection *ws, Raw *self)
{
  self->closed = TRUE;
  self->close_code = soup_websocket_connection_get_close_code (ws);
}

typedef struct
{
  SoupWebsocketConnection *ws;
  gboolean done;
} Connect;

static void
on_raw_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Connect *connect = user_data;

  connect->ws = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, NULL);
  connect->done = TRUE;
}

Raw *
raw_new (guint port, const gchar *path, const gchar *origin)
{
  Raw *self = g_new0 (Raw, 1);
  g_autofree gchar *uri = g_strdup_printf ("ws://127.0.0.1:%u%s", port, path);
  g_autoptr (SoupMessage) message = soup_message_new ("GET", uri);
  Connect connect = {0};

  self->session = soup_session_new ();
  soup_session_websocket_connect_async (
      self->session, message, origin, NULL, G_PRIORITY_DEFAULT, NULL, on_raw_connected, &connect);
  run_until (connect.done);
  self->status = soup_message_get_status (message);
  self->ws = connect.ws;
  if (self->ws) {
    g_signal_connect (self->ws, "message", G_CALLBACK (on_raw_message), self);
    g_signal_connect (self->ws, "closed", G_CALLBACK (on_raw_closed), self);
  }
  return self;
}

void
raw_free (Raw *self)
{
  if (self->ws)
    g_signal_handlers_disconnect_by_data (self->ws, self);
  g_clear_object (&self->ws);
  soup_session_abort (self->session);
  g_object_unref (self->session);
  g_queue_clear_full (&self->texts, g_free);
  g_free (self);
}

void
raw_send (Raw *self, const gchar *text)
{
  soup_websocket_connection_send_text (self->ws, text);
}

RtcMessage *
raw_expect (Raw *self, RtcMessageType type)
{
  g_autofree gchar *text = NULL;
  RtcMessage *message;

  run_until (self->texts.length > 0);
  text = g_queue_pop_head (&self->texts);
  message = parse (text, -1);
  fail_unless (message->type == type, "%s, expected %s", text, rtc_message_type_to_string (type));
  return message;
}

void
raw_expect_error (Raw *self, RtcErrorCode code)
{
  g_autoptr (RtcMessage) error = raw_expect (self, RTC_MESSAGE_ERROR);

  fail_unless_equals_string (error->code_name, rtc_error_code_to_string (code));
}

void
raw_expect_closed (Raw *self, guint code)
{
  run_until (self->closed);
  fail_unless_equals_int (self->close_code, code);
}

struct _Proxy
{
  /* set at construction */
  GSocket *listener;
  guint to_port;
  gchar *answer;
  GThread *thread;

  GMutex lock;
  GCond cond;
  /* under lock */
  GPtrArray *sockets; /* of GSocket: both ends of everything */
  GPtrArray *threads;
  gboolean silent, stopping;
};

typedef struct
{
  Proxy *proxy;
  GSocket *from, *to;
} Direction;

static gpointer
run_direction (gpointer data)
{
  Direction *d = data;
  gchar bytes[16384];
  gssize n, sent, k;

  while ((n = g_socket_receive (d->from, bytes, sizeof bytes, NULL, NULL)) > 0) {
    g_mutex_lock (&d->proxy->lock);
    while (d->proxy->silent && !d->proxy->stopping)
      g_cond_wait (&d->proxy->cond, &d->proxy->lock);
    g_mutex_unlock (&d->proxy->lock);
    for (sent = 0; sent < n; sent += k) {
      k = g_socket_send (d->to, bytes + sent, n - sent, NULL, NULL);
      if (k <= 0)
        break;
    }
  }
  g_socket_shutdown (d->to, FALSE, TRUE, NULL);
  g_object_unref (d->from);
  g_object_unref (d->to);
  g_free (d);
  return NULL;
}

static GSocket *
tcp_socket (void)
{
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

  fail_unless (socket != NULL);
  return socket;
}

static void
start_direction (Proxy *self, GSocket *from, GSocket *to)
{
  Direction *d = g_new0 (Direction, 1);

  *d = (Direction){self, g_object_ref (from), g_object_ref (to)};
  g_ptr_array_add (self->threads, g_thread_new ("direction", run_direction, d));
}

static void
answer_canned (Proxy *self, GSocket *client)
{
  gchar request[8192];

  g_socket_receive (client, request, sizeof request, NULL, NULL);
  g_socket_send (client, self->answer, strlen (self->answer), NULL, NULL);
  g_socket_shutdown (client, TRUE, TRUE, NULL);
}

static gpointer
run_proxy (gpointer data)
{
  Proxy *self = data;
  GSocket *client;

  while ((client = g_socket_accept (self->listener, NULL, NULL))) {
    g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", self->to_port);
    GSocket *server;

    if (self->answer) {
      answer_canned (self, client);
      g_object_unref (client);
      continue;
    }
    server = tcp_socket ();
    if (!g_socket_connect (server, address, NULL, NULL)) {
      g_object_unref (client);
      g_object_unref (server);
      continue;
    }
    g_mutex_lock (&self->lock);
    g_ptr_array_add (self->sockets, client);
    g_ptr_array_add (self->sockets, server);
    start_direction (self, client, server);
    start_direction (self, server, client);
    g_mutex_unlock (&self->lock);
  }
  return NULL;
}

static Proxy *
proxy_start (guint to_port, const gchar *answer)
{
  Proxy *self = g_new0 (Proxy, 1);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new_from_string ("127.0.0.1", 0);

  self->to_port = to_port;
  self->answer = g_strdup (answer);
  self->listener = tcp_socket ();
  fail_unless (g_socket_bind (self->listener, any, TRUE, NULL) && g_socket_listen (self->listener, NULL));
  self->sockets = g_ptr_array_new_with_free_func (g_object_unref);
  self->threads = g_ptr_array_new ();
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->thread = g_thread_new ("proxy", run_proxy, self);
  return self;
}

Proxy *
proxy_new (guint to_port)
{
  return proxy_start (to_port, NULL);
}

Proxy *
canned_new (const gchar *answer)
{
  return proxy_start (0, answer);
}

guint
proxy_port (Proxy *self)
{
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (self->listener, NULL);

  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));
}

void
proxy_cut (Proxy *self)
{
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < self->sockets->len; i++)
    g_socket_shutdown (g_ptr_array_index (self->sockets, i), TRUE, TRUE, NULL);
  g_ptr_array_set_size (self->sockets, 0);
  g_mutex_unlock (&self->lock);
}

void
proxy_set_silent (Proxy *self, gboolean silent)
{
  g_mutex_lock (&self->lock);
  self->silent = silent;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
proxy_free (Proxy *self)
{
  guint i;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  g_socket_shutdown (self->listener, TRUE, TRUE, NULL);
  g_thread_join (self->thread);
  proxy_cut (self);
  for (i = 0; i < self->threads->len; i++)
    g_thread_join (g_ptr_array_index (self->threads, i));
  g_ptr_array_unref (self->threads);
  g_ptr_array_unref (self->sockets);
  g_object_unref (self->listener);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self->answer);
  g_free (self);
}

void
make_certificate (const gchar *dir, gchar **certificate, gchar **key)
{
  g_autoptr (GError) error = NULL;
  gint status;

  *certificate = g_build_filename (dir, "cert.pem", NULL);
  *key = g_build_filename (dir, "key.pem", NULL);
  const gchar *argv[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-keyout", *key, "-out", *certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
      "-days", "2", NULL};
  fail_unless (g_spawn_sync (NULL, (gchar **)argv, NULL,
                   G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL,
                   NULL, &status, &error),
      "openssl: %s", error ? error->message : "");
  fail_unless (g_spawn_check_wait_status (status, NULL), "openssl failed");
}
