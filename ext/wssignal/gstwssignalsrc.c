/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-wssignalsrc
 * @title: wssignalsrc
 * @see_also: rtcbin
 *
 * Finds peers over a WebSocket, and swaps with them what WebRTC needs to connect. What it produces are the messages of
 * the signaling protocol; link it to the `signal` pad of rtcbin, which answers upstream.
 *
 * As a caller (the default) it connects to the server at #GstWsSignalSrc:uri, and comes back by itself as the same peer
 * when the connection breaks. As a listener it is the server, and serves a page for browsers on the same port.
 *
 * ## Example launch line
 *
 * A camera for any number of browsers and pipelines; open http://127.0.0.1:8080/ to see it:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc.
 * ]|
 * Watch it from another pipeline:
 * |[
 * gst-launch-1.0 wssignalsrc uri=ws://127.0.0.1:8080 ! rtcbin name=rtc \
 *     rtc.video_src_0 ! decodebin ! videoconvert ! autovideosink
 * ]|
 * The same for other machines, over TLS (a page may use a camera only then), for those who know the token:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener address=0.0.0.0 port=8443 tls-certificate=cert.pem tls-private-key=key.pem \
 *     token=secret ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc.
 * ]|
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstwssignalsrc.h"

#include <string.h>

#include "base/gstrtcsignal.h"

GST_DEBUG_CATEGORY (gst_ws_signal_debug);
#define GST_CAT_DEFAULT gst_ws_signal_debug

/* What closing grants the goodbye, on top of what server and client grant it themselves. */
#define STOP_US (150 * 1000)

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_RTC_SIGNAL_CAPS));

G_DEFINE_FINAL_TYPE (GstWsSignalSrc, gst_ws_signal_src, GST_TYPE_PUSH_SRC);
GST_ELEMENT_REGISTER_DEFINE (wssignalsrc, "wssignalsrc", GST_RANK_NONE, GST_TYPE_WS_SIGNAL_SRC);

typedef struct
{
  GstWsSignalSrc *self;
  gchar *text; /* send */
  RtcMessage *join; /* join */
  GPtrArray *ice_servers; /* join; or NULL */
  GError *error; /* open */
} Task;

static void
task_free (gpointer data)
{
  Task *task = data;

  g_free (task->text);
  rtc_message_free (task->join);
  g_clear_pointer (&task->ice_servers, g_ptr_array_unref);
  g_free (task);
}

static void
post_error (GstWsSignalSrc *self, GstMessageType type, const GError *error)
{
  g_mutex_lock (&self->lock);
  g_free (self->last_error);
  self->last_error = g_strdup (error->message);
  g_mutex_unlock (&self->lock);
  gst_element_message_full (GST_ELEMENT (self), type, error->domain, error->code, g_strdup (error->message), NULL,
      __FILE__, GST_FUNCTION, __LINE__);
}

/* The events of server and client: all on the loop's thread. */

static void
on_deliver (const gchar *text, gpointer user_data)
{
  GstWsSignalSrc *self = user_data;
  GError *error;

  GST_LOG_OBJECT (self, "to downstream: %s", text);
  if (ws_queue_push (self->queue, gst_rtc_signal_buffer_new (g_strdup (text))))
    return;
  error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
      "Downstream takes no messages, and %d or more wait. Link wssignalsrc to rtcbin's signal pad, and do not leave "
      "it in PAUSED while peers come and go.",
      RTC_MAX_WAITING_MESSAGES);
  GST_ERROR_OBJECT (self, "%s", error->message);
  post_error (self, GST_MESSAGE_ERROR, error);
  g_error_free (error);
}

static void
on_joined (const gchar *peer_id, gpointer user_data)
{
  GstWsSignalSrc *self = user_data;
  gboolean changed;

  g_mutex_lock (&self->lock);
  changed = g_strcmp0 (self->peer_id, peer_id) != 0;
  if (changed) {
    g_free (self->peer_id);
    self->peer_id = g_strdup (peer_id);
  }
  g_mutex_unlock (&self->lock);
  if (changed)
    g_object_notify (G_OBJECT (self), "peer-id");
}

static void
on_progress (GstProgressType type, const gchar *text, gpointer user_data)
{
  GstWsSignalSrc *self = user_data;

  gst_element_post_message (GST_ELEMENT (self), gst_message_new_progress (GST_OBJECT (self), type, "connect", text));
}

static void
on_warn (const GError *error, gpointer user_data)
{
  post_error (user_data, GST_MESSAGE_WARNING, error);
}

static void
on_fail (const GError *error, gpointer user_data)
{
  /* create() goes on waiting: media between the peers needs no signaling, and whoever gets the error decides. */
  post_error (user_data, GST_MESSAGE_ERROR, error);
}

static void
on_stats (const WsStats *stats, gpointer user_data)
{
  GstWsSignalSrc *self = user_data;

  g_mutex_lock (&self->lock);
  self->stats = *stats;
  g_mutex_unlock (&self->lock);
}

static const WsEvents events = {on_deliver, on_joined, on_progress, on_warn, on_fail, on_stats};

static void
open_server (GstWsSignalSrc *self, GError **error)
{
  RtcRoomsConfig rooms = RTC_ROOMS_CONFIG_DEFAULT;
  WsServerSettings settings = {
      .address = self->address,
      .port = self->port,
      .tls_certificate = self->tls_certificate,
      .tls_private_key = self->tls_private_key,
      .allowed_origins = self->allowed_origins,
  };

  rooms.token = self->token;
  rooms.ping_interval = self->ping_interval;
  rooms.ping_timeout = self->ping_timeout;
  rooms.resume_timeout = self->resume_timeout;
  settings.rooms = rooms;
  self->server = ws_server_new (self->loop, &settings, &events, self, error);
}

static void
open_client (GstWsSignalSrc *self, GError **error)
{
  WsClientSettings settings = {
      .uri = self->uri,
      .tls_ca_file = self->tls_ca_file,
      .tls_verify = self->tls_verify,
      .user_timeout = self->ping_timeout,
      .client =
          {
              .reconnect = self->reconnect,
              .delay_min = self->delay_min,
              .delay_max = self->delay_max,
              .connect_timeout = self->connect_timeout,
              .ping_interval = self->ping_interval,
              .ping_timeout = self->ping_timeout,
          },
  };

  self->client = ws_client_new (self->loop, &settings, &events, self, error);
}

/* Opening waits for it, and properties stay as they are from before the loop is there: no lock is needed. */
static void
open_on_loop (gpointer data)
{
  Task *task = data;

  if (task->self->mode == GST_WS_SIGNAL_MODE_LISTENER)
    open_server (task->self, &task->error);
  else
    open_client (task->self, &task->error);
}

static void
join_on_loop (gpointer data)
{
  Task *task = data;

  if (task->self->server)
    ws_server_join (task->self->server, task->join, task->ice_servers);
  else if (task->self->client)
    ws_client_join (task->self->client, g_steal_pointer (&task->join));
}

static void
send_on_loop (gpointer data)
{
  Task *task = data;

  if (task->self->server)
    ws_server_send (task->self->server, task->text);
  else if (task->self->client)
    ws_client_send (task->self->client, task->text);
}

static void
stopped_on_loop (gpointer data)
{
  GstWsSignalSrc *self = data;

  g_mutex_lock (&self->lock);
  self->stopped = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void
stop_on_loop (gpointer data)
{
  GstWsSignalSrc *self = data;

  if (self->server)
    ws_server_stop (self->server, stopped_on_loop, self);
  else if (self->client)
    ws_client_stop (self->client, stopped_on_loop, self);
  else
    stopped_on_loop (self);
}

static void
close_on_loop (gpointer data)
{
  GstWsSignalSrc *self = data;

  g_clear_pointer (&self->server, ws_server_free);
  g_clear_pointer (&self->client, ws_client_free);
}

void
gst_ws_signal_src_post (GstWsSignalSrc *self, const gchar *text)
{
  Task *task = g_new0 (Task, 1);

  task->self = self;
  task->text = g_strdup (text);
  g_mutex_lock (&self->lock);
  if (self->loop)
    gst_rtc_loop_post (self->loop, send_on_loop, task, task_free);
  else
    task_free (task);
  g_mutex_unlock (&self->lock);
}

/* What the own peer joins with. (transfer full) */
static RtcMessage *
make_join (GstWsSignalSrc *self, gboolean answered, const GstRtcSignalInfo *info)
{
  static const RtcRole roles[] = {RTC_ROLE_UNSET, RTC_ROLE_SEND, RTC_ROLE_RECEIVE, RTC_ROLE_BOTH};
  RtcMessage *join = rtc_message_new (RTC_MESSAGE_JOIN);
  gboolean listener;

  g_mutex_lock (&self->lock);
  listener = self->mode == GST_WS_SIGNAL_MODE_LISTENER;
  join->version = RTC_PROTOCOL_VERSION;
  join->room = g_strdup (self->room ? self->room : listener ? "" : NULL);
  join->display_name = g_strdup (self->display_name ? self->display_name : g_get_host_name ());
  join->meta = g_strdup (self->meta);
  join->token = listener ? NULL : g_strdup (self->token);
  join->role = roles[self->role];
  g_mutex_unlock (&self->lock);
  if (join->role == RTC_ROLE_UNSET)
    join->role = answered && !info->sends ? RTC_ROLE_RECEIVE : RTC_ROLE_BOTH;
  if (answered) {
    join->has_tracks = TRUE;
    join->n_video = MIN (info->n_video, RTC_MAX_TRACKS);
    join->n_audio = MIN (info->n_audio, RTC_MAX_TRACKS);
    join->restart = info->restart;
    join->features = g_strdupv (info->features);
  }
  return join;
}

/* webrtcbin's form of a server, turn://user:password@host:port?transport=tcp, as the W3C's. (nullable) */
static RtcIceServer *
parse_ice_server (const gchar *text)
{
  GUri *uri = g_uri_parse (text, G_URI_FLAGS_HAS_PASSWORD, NULL);
  RtcIceServer *server = NULL;

  if (uri && g_uri_get_host (uri)) {
    gboolean ipv6 = strchr (g_uri_get_host (uri), ':') != NULL;
    GString *url = g_string_new (NULL);

    g_string_append_printf (
        url, "%s:%s%s%s", g_uri_get_scheme (uri), ipv6 ? "[" : "", g_uri_get_host (uri), ipv6 ? "]" : "");
    if (g_uri_get_port (uri) > 0)
      g_string_append_printf (url, ":%d", g_uri_get_port (uri));
    if (g_uri_get_query (uri))
      g_string_append_printf (url, "?%s", g_uri_get_query (uri));
    server = rtc_ice_server_new (url->str, g_uri_get_user (uri), g_uri_get_password (uri));
    g_string_free (url, TRUE);
  }
  if (uri)
    g_uri_unref (uri);
  return server;
}

static GPtrArray *
parse_ice_servers (GstWsSignalSrc *self, gchar **texts)
{
  GPtrArray *servers = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_ice_server_free);
  guint i;

  for (i = 0; texts && texts[i]; i++) {
    RtcIceServer *server = parse_ice_server (texts[i]);

    if (server)
      g_ptr_array_add (servers, server);
    else
      GST_WARNING_OBJECT (self, "ICE server %s is no stun://host:port or turn://user:password@host:port", texts[i]);
  }
  return servers;
}

/* Downstream is asked when it runs: its pads are there then. */
static void
join (GstWsSignalSrc *self)
{
  GstQuery *query = gst_rtc_signal_query_new ();
  GstRtcSignalInfo info = {0};
  gboolean answered = gst_pad_peer_query (GST_BASE_SRC_PAD (self), query) && gst_rtc_signal_query_get (query, &info);
  Task *task = g_new0 (Task, 1);

  GST_DEBUG_OBJECT (self, "downstream %s: %ssends, %u video, %u audio", answered ? "answered" : "did not answer",
      info.sends ? "" : "does not ", info.n_video, info.n_audio);
  task->self = self;
  task->join = make_join (self, answered, &info);
  task->ice_servers = parse_ice_servers (self, info.ice_servers);
  gst_rtc_signal_info_clear (&info);
  gst_query_unref (query);

  g_mutex_lock (&self->lock);
  if (self->loop)
    gst_rtc_loop_post (self->loop, join_on_loop, task, task_free);
  else
    task_free (task);
  g_mutex_unlock (&self->lock);
}

static GstFlowReturn
gst_ws_signal_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  GstWsSignalSrc *self = GST_WS_SIGNAL_SRC (src);

  if (!self->asked) {
    self->asked = TRUE;
    join (self);
  }
  *buffer = ws_queue_pop (self->queue);
  return *buffer ? GST_FLOW_OK : GST_FLOW_FLUSHING;
}

static gboolean
gst_ws_signal_src_unlock (GstBaseSrc *src)
{
  ws_queue_set_flushing (GST_WS_SIGNAL_SRC (src)->queue, TRUE);
  return TRUE;
}

static gboolean
gst_ws_signal_src_unlock_stop (GstBaseSrc *src)
{
  ws_queue_set_flushing (GST_WS_SIGNAL_SRC (src)->queue, FALSE);
  return TRUE;
}

static gboolean
gst_ws_signal_src_event (GstBaseSrc *src, GstEvent *event)
{
  const gchar *text = gst_rtc_signal_event_get_text (event);

  if (!text)
    return GST_BASE_SRC_CLASS (gst_ws_signal_src_parent_class)->event (src, event);
  gst_ws_signal_src_post (GST_WS_SIGNAL_SRC (src), text);
  return TRUE;
}

/* Whether the properties make a join that a server takes. */
static gboolean
check_join (GstWsSignalSrc *self, GError **error)
{
  GstRtcSignalInfo info = {0};
  RtcMessage *join = make_join (self, FALSE, &info);
  gchar *text = rtc_message_to_json (join);
  GError *read_error = NULL;
  RtcMessage *read = rtc_message_from_json (text, -1, &read_error);

  if (!read) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
        "room, display-name, meta or token cannot be used: %s", read_error->message);
    g_error_free (read_error);
  }
  rtc_message_free (join);
  rtc_message_free (read);
  g_free (text);
  return read != NULL;
}

static void
tell_address (GstWsSignalSrc *self)
{
  const gchar *host =
      strcmp (self->address, "0.0.0.0") == 0 || strcmp (self->address, "::") == 0 ? g_get_host_name () : self->address;
  gboolean ipv6 = strchr (host, ':') != NULL;
  gchar *text = g_strdup_printf ("Listening at %s://%s%s%s:%u/", self->tls_certificate ? "https" : "http",
      ipv6 ? "[" : "", host, ipv6 ? "]" : "", self->bound_port);

  GST_INFO_OBJECT (self, "%s", text);
  on_progress (GST_PROGRESS_TYPE_START, "Opening the port", self);
  on_progress (GST_PROGRESS_TYPE_COMPLETE, text, self);
  g_object_notify (G_OBJECT (self), "port");
  g_free (text);
}

/* Not in GstBaseSrcClass::start: when that fails, the base class posts an error besides ours. */
static gboolean
gst_ws_signal_src_open (GstWsSignalSrc *self)
{
  Task task = {.self = self};

  self->asked = FALSE;
  if (check_join (self, &task.error)) {
    GstRtcLoop *loop = gst_rtc_loop_new ("wssignal");

    ws_queue_clear (self->queue);
    g_mutex_lock (&self->lock);
    self->loop = loop;
    self->stopped = FALSE;
    self->stats = (WsStats){.state = "stopped", .rtt = -1};
    g_clear_pointer (&self->peer_id, g_free);
    g_clear_pointer (&self->last_error, g_free);
    g_mutex_unlock (&self->lock);
    gst_rtc_loop_call (loop, open_on_loop, &task);
    if (task.error) {
      g_mutex_lock (&self->lock);
      self->loop = NULL;
      g_mutex_unlock (&self->lock);
      gst_rtc_loop_free (loop);
    }
  }
  if (task.error) {
    post_error (self, GST_MESSAGE_ERROR, task.error);
    g_error_free (task.error);
    return FALSE;
  }
  if (self->server) {
    g_mutex_lock (&self->lock);
    self->bound_port = ws_server_get_port (self->server);
    g_mutex_unlock (&self->lock);
    tell_address (self);
  }
  return TRUE;
}

static void
gst_ws_signal_src_close (GstWsSignalSrc *self)
{
  gint64 deadline = g_get_monotonic_time () + STOP_US;
  GstRtcLoop *loop;

  g_mutex_lock (&self->lock);
  loop = self->loop;
  self->loop = NULL;
  if (loop) {
    gst_rtc_loop_post (loop, stop_on_loop, self, NULL);
    while (!self->stopped && g_cond_wait_until (&self->cond, &self->lock, deadline))
      ;
  }
  self->bound_port = 0;
  self->stats.state = "stopped";
  g_mutex_unlock (&self->lock);
  if (loop) {
    gst_rtc_loop_call (loop, close_on_loop, self);
    gst_rtc_loop_free (loop);
  }
}

static GstStateChangeReturn
gst_ws_signal_src_change_state (GstElement *element, GstStateChange transition)
{
  GstWsSignalSrc *self = GST_WS_SIGNAL_SRC (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !gst_ws_signal_src_open (self))
    return GST_STATE_CHANGE_FAILURE;
  ret = GST_ELEMENT_CLASS (gst_ws_signal_src_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret == GST_STATE_CHANGE_FAILURE))
    gst_ws_signal_src_close (self);
  return ret;
}

static gboolean
gst_ws_signal_src_is_seekable (GstBaseSrc *src)
{
  return FALSE;
}

static void
gst_ws_signal_src_finalize (GObject *object)
{
  GstWsSignalSrc *self = GST_WS_SIGNAL_SRC (object);

  gst_ws_signal_src_clear_properties (self);
  ws_queue_free (self->queue);
  g_free (self->peer_id);
  g_free (self->last_error);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (gst_ws_signal_src_parent_class)->finalize (object);
}

static void
gst_ws_signal_src_init (GstWsSignalSrc *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->queue = ws_queue_new ();
  self->stats.rtt = -1;
  gst_ws_signal_src_init_properties (self);
  gst_base_src_set_live (GST_BASE_SRC (self), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
  gst_base_src_set_do_timestamp (GST_BASE_SRC (self), TRUE);
}

static void
gst_ws_signal_src_class_init (GstWsSignalSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);
  GstPushSrcClass *push_class = GST_PUSH_SRC_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_ws_signal_debug, "wssignalsrc", 0, "WebRTC signaling over WebSocket");

  object_class->finalize = gst_ws_signal_src_finalize;
  gst_ws_signal_src_install_properties (object_class);

  element_class->change_state = GST_DEBUG_FUNCPTR (gst_ws_signal_src_change_state);
  base_class->unlock = GST_DEBUG_FUNCPTR (gst_ws_signal_src_unlock);
  base_class->unlock_stop = GST_DEBUG_FUNCPTR (gst_ws_signal_src_unlock_stop);
  base_class->event = GST_DEBUG_FUNCPTR (gst_ws_signal_src_event);
  base_class->is_seekable = GST_DEBUG_FUNCPTR (gst_ws_signal_src_is_seekable);
  push_class->create = GST_DEBUG_FUNCPTR (gst_ws_signal_src_create);

  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "WebSocket signaling", "Source/Network",
      "Finds WebRTC peers over a WebSocket, as a client or with a server and a page of its own", "The rtclink authors");
}
