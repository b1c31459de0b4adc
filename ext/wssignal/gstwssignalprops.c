/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The properties of wssignalsrc. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "core/rtcjson.h"
#include "gstwssignalsrc.h"

#define GST_CAT_DEFAULT gst_ws_signal_debug

enum
{
  PROP_0,
  PROP_URI,
  PROP_MODE,
  PROP_ADDRESS,
  PROP_PORT,
  PROP_ROOM,
  PROP_PEER_ID,
  PROP_DISPLAY_NAME,
  PROP_META,
  PROP_ROLE,
  PROP_CONNECT_TIMEOUT,
  PROP_PING_INTERVAL,
  PROP_PING_TIMEOUT,
  PROP_RESUME_TIMEOUT,
  PROP_RECONNECT,
  PROP_RECONNECT_DELAY_MIN,
  PROP_RECONNECT_DELAY_MAX,
  PROP_TLS_CERTIFICATE,
  PROP_TLS_PRIVATE_KEY,
  PROP_TLS_CA_FILE,
  PROP_TLS_VERIFY,
  PROP_TOKEN,
  PROP_ALLOWED_ORIGINS,
  PROP_STATS,
};

#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_PORT 8080
#define DEFAULT_CONNECT_TIMEOUT 10000
#define DEFAULT_PING_INTERVAL 5000
#define DEFAULT_PING_TIMEOUT 10000
#define DEFAULT_RESUME_TIMEOUT 10000
#define DEFAULT_DELAY_MIN 500
#define DEFAULT_DELAY_MAX 30000
#define MAX_MS G_MAXINT32

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define READ_ONLY (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static GType
gst_ws_signal_mode_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_WS_SIGNAL_MODE_CALLER, "Connect to the server at uri", "caller"},
      {GST_WS_SIGNAL_MODE_LISTENER, "Be the server, and serve the page", "listener"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstWsSignalMode", values));
  return type;
}

static GType
gst_ws_signal_role_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_WS_SIGNAL_ROLE_AUTO, "What downstream can do: both with sink pads, else receive", "auto"},
      {GST_WS_SIGNAL_ROLE_SEND, "Send only", "send"},
      {GST_WS_SIGNAL_ROLE_RECEIVE, "Receive only", "receive"},
      {GST_WS_SIGNAL_ROLE_BOTH, "Send and receive", "both"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstWsSignalRole", values));
  return type;
}

void
gst_ws_signal_src_init_properties (GstWsSignalSrc *self)
{
  self->address = g_strdup (DEFAULT_ADDRESS);
  self->port = DEFAULT_PORT;
  self->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
  self->ping_interval = DEFAULT_PING_INTERVAL;
  self->ping_timeout = DEFAULT_PING_TIMEOUT;
  self->resume_timeout = DEFAULT_RESUME_TIMEOUT;
  self->reconnect = TRUE;
  self->delay_min = DEFAULT_DELAY_MIN;
  self->delay_max = DEFAULT_DELAY_MAX;
  self->tls_verify = TRUE;
}

void
gst_ws_signal_src_clear_properties (GstWsSignalSrc *self)
{
  g_free (self->uri);
  g_free (self->address);
  g_free (self->room);
  g_free (self->display_name);
  g_free (self->meta);
  g_free (self->token);
  g_free (self->allowed_origins);
  g_free (self->tls_certificate);
  g_free (self->tls_private_key);
  g_free (self->tls_ca_file);
}

static gchar **
string_field (GstWsSignalSrc *self, guint id)
{
  switch (id) {
    case PROP_URI:
      return &self->uri;
    case PROP_ADDRESS:
      return &self->address;
    case PROP_ROOM:
      return &self->room;
    case PROP_DISPLAY_NAME:
      return &self->display_name;
    case PROP_META:
      return &self->meta;
    case PROP_TOKEN:
      return &self->token;
    case PROP_ALLOWED_ORIGINS:
      return &self->allowed_origins;
    case PROP_TLS_CERTIFICATE:
      return &self->tls_certificate;
    case PROP_TLS_PRIVATE_KEY:
      return &self->tls_private_key;
    case PROP_TLS_CA_FILE:
      return &self->tls_ca_file;
    case PROP_PEER_ID:
      return &self->peer_id;
    default:
      return NULL;
  }
}

static guint *
uint_field (GstWsSignalSrc *self, guint id)
{
  switch (id) {
    case PROP_PORT:
      return &self->port;
    case PROP_CONNECT_TIMEOUT:
      return &self->connect_timeout;
    case PROP_PING_INTERVAL:
      return &self->ping_interval;
    case PROP_PING_TIMEOUT:
      return &self->ping_timeout;
    case PROP_RESUME_TIMEOUT:
      return &self->resume_timeout;
    case PROP_RECONNECT_DELAY_MIN:
      return &self->delay_min;
    case PROP_RECONNECT_DELAY_MAX:
      return &self->delay_max;
    default:
      return NULL;
  }
}

/* JSON is FIELD's new value. */
static void
tell_update (GstWsSignalSrc *self, const gchar *field, const gchar *json)
{
  gchar *text = g_strdup_printf ("{\"type\":\"update\",\"%s\":%s}", field, json);

  gst_ws_signal_src_post (self, text);
  g_free (text);
}

/* TRUE when VALUE may be what the property ID is set to; then CHECKED (free it) is what to keep. */
static gboolean
check_string (GstWsSignalSrc *self, GParamSpec *pspec, const gchar *value, gchar **checked)
{
  GError *error = NULL;

  *checked = NULL;
  if (value && !g_utf8_validate (value, -1, NULL)) {
    g_warning ("%s: %s is no UTF-8 text and stays as it was", GST_OBJECT_NAME (self), pspec->name);
    return FALSE;
  }
  if (pspec->param_id != PROP_META || !value || !*value) {
    *checked = value && *value ? g_strdup (value) : NULL;
    return TRUE;
  }
  *checked = rtc_json_normalize_meta (value, &error);
  if (*checked)
    return TRUE;
  g_warning ("%s: meta must be a JSON object like {\"site\":\"north\"} and stays as it was: %s", GST_OBJECT_NAME (self),
      error->message);
  g_error_free (error);
  return FALSE;
}

/* Called with the lock. */
static gboolean
may_set (GstWsSignalSrc *self, GParamSpec *pspec)
{
  if (!self->loop || (pspec->flags & GST_PARAM_MUTABLE_PLAYING))
    return TRUE;
  g_warning (
      "%s: %s can be set in the states NULL and READY only, and stays as it was", GST_OBJECT_NAME (self), pspec->name);
  return FALSE;
}

static void
set_string (GstWsSignalSrc *self, GParamSpec *pspec, const gchar *value)
{
  gchar **field = string_field (self, pspec->param_id);
  gboolean running;
  GString *json;
  gchar *checked;

  if (!check_string (self, pspec, value, &checked))
    return;
  if (pspec->param_id == PROP_ADDRESS && !checked)
    checked = g_strdup (DEFAULT_ADDRESS);

  g_mutex_lock (&self->lock);
  if (!may_set (self, pspec)) {
    g_mutex_unlock (&self->lock);
    g_free (checked);
    return;
  }
  g_free (*field);
  *field = checked;
  running = self->loop != NULL;
  json = g_string_new (NULL);
  if (pspec->param_id == PROP_DISPLAY_NAME)
    rtc_json_append_string (json, checked ? checked : g_get_host_name ());
  else if (pspec->param_id == PROP_META)
    g_string_assign (json, checked ? checked : "{}");
  g_mutex_unlock (&self->lock);

  if (running)
    tell_update (self, pspec->param_id == PROP_META ? "meta" : "displayName", json->str);
  g_string_free (json, TRUE);
}

static void
gst_ws_signal_src_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstWsSignalSrc *self = GST_WS_SIGNAL_SRC (object);

  if (G_IS_PARAM_SPEC_STRING (pspec) && string_field (self, id)) {
    set_string (self, pspec, g_value_get_string (value));
    return;
  }

  g_mutex_lock (&self->lock);
  if (!may_set (self, pspec)) {
    g_mutex_unlock (&self->lock);
    return;
  }
  switch (id) {
    case PROP_MODE:
      self->mode = g_value_get_enum (value);
      break;
    case PROP_ROLE:
      self->role = g_value_get_enum (value);
      break;
    case PROP_RECONNECT:
      self->reconnect = g_value_get_boolean (value);
      break;
    case PROP_TLS_VERIFY:
      self->tls_verify = g_value_get_boolean (value);
      break;
    default:
      if (uint_field (self, id))
        *uint_field (self, id) = g_value_get_uint (value);
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

/* Called with the lock. */
static GstStructure *
make_stats (GstWsSignalSrc *self)
{
  const WsStats *stats = &self->stats;

  return gst_structure_new ("application/x-wssignalsrc-stats", "mode", G_TYPE_STRING,
      self->mode == GST_WS_SIGNAL_MODE_LISTENER ? "listener" : "caller", "state", G_TYPE_STRING,
      stats->state ? stats->state : "stopped", "peer-id", G_TYPE_STRING, self->peer_id, "messages-in", G_TYPE_UINT64,
      stats->messages_in, "messages-out", G_TYPE_UINT64, stats->messages_out, "bytes-in", G_TYPE_UINT64,
      stats->bytes_in, "bytes-out", G_TYPE_UINT64, stats->bytes_out, "attempts", G_TYPE_UINT, stats->attempts,
      "reconnects", G_TYPE_UINT, stats->reconnects, "ping-rtt", G_TYPE_INT64, stats->rtt, "clients", G_TYPE_UINT,
      stats->clients, "peers", G_TYPE_UINT, stats->peers, "rooms", G_TYPE_UINT, stats->rooms, "last-error",
      G_TYPE_STRING, self->last_error, NULL);
}

static void
gst_ws_signal_src_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstWsSignalSrc *self = GST_WS_SIGNAL_SRC (object);

  g_mutex_lock (&self->lock);
  switch (id) {
    case PROP_MODE:
      g_value_set_enum (value, self->mode);
      break;
    case PROP_ROLE:
      g_value_set_enum (value, self->role);
      break;
    case PROP_RECONNECT:
      g_value_set_boolean (value, self->reconnect);
      break;
    case PROP_TLS_VERIFY:
      g_value_set_boolean (value, self->tls_verify);
      break;
    case PROP_STATS:
      g_value_take_boxed (value, make_stats (self));
      break;
    case PROP_PORT:
      g_value_set_uint (value, self->bound_port ? self->bound_port : self->port);
      break;
    default:
      if (string_field (self, id))
        g_value_set_string (value, *string_field (self, id));
      else if (uint_field (self, id))
        g_value_set_uint (value, *uint_field (self, id));
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

static void
install_string (GObjectClass *klass, guint id, const gchar *name, const gchar *nick, const gchar *blurb,
    const gchar *value, GParamFlags flags)
{
  g_object_class_install_property (klass, id, g_param_spec_string (name, nick, blurb, value, flags));
}

static void
install_ms (
    GObjectClass *klass, guint id, const gchar *name, const gchar *nick, const gchar *blurb, guint min, guint value)
{
  g_object_class_install_property (klass, id, g_param_spec_uint (name, nick, blurb, min, MAX_MS, value, READY));
}

static void
install_place_and_identity (GObjectClass *klass)
{
  install_string (klass, PROP_URI, "uri", "URI",
      "Caller: the server to connect to, ws://host:port/room or wss://host:port/room", NULL, READY);
  g_object_class_install_property (klass, PROP_MODE,
      g_param_spec_enum ("mode", "Mode", "Whether to call a server or to be the server", gst_ws_signal_mode_get_type (),
          GST_WS_SIGNAL_MODE_CALLER, READY));
  install_string (klass, PROP_ADDRESS, "address", "Address",
      "Listener: IP address to listen on; 127.0.0.1 for this machine only, 0.0.0.0 or :: for all its networks",
      DEFAULT_ADDRESS, READY);
  g_object_class_install_property (klass, PROP_PORT,
      g_param_spec_uint ("port", "Port",
          "Listener: TCP port of WebSocket and page; 0 picks a free one, and from PAUSED on the property tells which",
          0, G_MAXUINT16, DEFAULT_PORT, READY));
  install_string (klass, PROP_ROOM, "room", "Room",
      "Room that the own peer joins, at most 128 bytes; unset: the path of the uri (caller), the room without a name "
      "(listener)",
      NULL, READY);
  install_string (klass, PROP_PEER_ID, "peer-id", "Peer id",
      "The own peer's name, given by the server; unset until it has joined", NULL, READ_ONLY);
  install_string (klass, PROP_DISPLAY_NAME, "display-name", "Display name",
      "What people are shown as the own peer's name, at most 256 bytes; unset: the name of the host", NULL, PLAYING);
  install_string (klass, PROP_META, "meta", "Meta",
      "A JSON object that all peers of the room are told about the own one, at most 4096 bytes", NULL, PLAYING);
  g_object_class_install_property (klass, PROP_ROLE,
      g_param_spec_enum ("role", "Role", "What the own peer does in the room", gst_ws_signal_role_get_type (),
          GST_WS_SIGNAL_ROLE_AUTO, READY));
}

static void
install_times (GObjectClass *klass)
{
  install_ms (klass, PROP_CONNECT_TIMEOUT, "connect-timeout", "Connect timeout",
      "Caller: milliseconds from the attempt to connect until the server's welcome", 1, DEFAULT_CONNECT_TIMEOUT);
  install_ms (klass, PROP_PING_INTERVAL, "ping-interval", "Ping interval",
      "Milliseconds of silence after which a sign of life is asked for; 0 (listener): never, and nobody is taken for "
      "dead; 0 (caller): as the server says",
      0, DEFAULT_PING_INTERVAL);
  install_ms (klass, PROP_PING_TIMEOUT, "ping-timeout", "Ping timeout",
      "Milliseconds of silence after which the other side is taken for dead; 0 (caller): as the server says", 0,
      DEFAULT_PING_TIMEOUT);
  install_ms (klass, PROP_RESUME_TIMEOUT, "resume-timeout", "Resume timeout",
      "Listener: milliseconds that the place of a peer whose connection broke is kept for it", 0,
      DEFAULT_RESUME_TIMEOUT);
  g_object_class_install_property (klass, PROP_RECONNECT,
      g_param_spec_boolean ("reconnect", "Reconnect",
          "Caller: try again when the server cannot be reached or the connection breaks; FALSE: an error", TRUE,
          READY));
  install_ms (klass, PROP_RECONNECT_DELAY_MIN, "reconnect-delay-min", "Shortest reconnect delay",
      "Caller: milliseconds before the second attempt; doubled for each one after it, each shortened by a random part "
      "of up to half",
      1, DEFAULT_DELAY_MIN);
  install_ms (klass, PROP_RECONNECT_DELAY_MAX, "reconnect-delay-max", "Longest reconnect delay",
      "Caller: milliseconds that no wait between two attempts goes beyond", 1, DEFAULT_DELAY_MAX);
}

static void
install_security (GObjectClass *klass)
{
  install_string (klass, PROP_TLS_CERTIFICATE, "tls-certificate", "TLS certificate",
      "Listener: PEM file of the certificate, and of those between it and its authority; serves https and wss", NULL,
      READY);
  install_string (klass, PROP_TLS_PRIVATE_KEY, "tls-private-key", "TLS private key",
      "Listener: PEM file of the certificate's key; unset: in the file of tls-certificate", NULL, READY);
  install_string (klass, PROP_TLS_CA_FILE, "tls-ca-file", "TLS CA file",
      "Caller: PEM file of the authorities, or of the server's own certificate, to trust; unset: the system's", NULL,
      READY);
  g_object_class_install_property (klass, PROP_TLS_VERIFY,
      g_param_spec_boolean ("tls-verify", "TLS verification",
          "Caller: whether the server's certificate must be trusted; FALSE lets anybody in between read and change "
          "everything",
          TRUE, READY));
  install_string (klass, PROP_TOKEN, "token", "Token",
      "Listener: what clients must know to be let in; caller: what the server wants to hear. At most 512 bytes; cannot "
      "be read back",
      NULL, G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
  install_string (klass, PROP_ALLOWED_ORIGINS, "allowed-origins", "Allowed origins",
      "Listener: origins, like https://example.org, whose pages may connect besides the own ones; apart by commas, * "
      "for all",
      NULL, READY);
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "State, messages and bytes in and out, attempts, reconnects, ping-rtt (milliseconds, -1: none yet), clients, "
          "peers and rooms (listener), last-error",
          GST_TYPE_STRUCTURE, READ_ONLY));
}

void
gst_ws_signal_src_install_properties (GObjectClass *klass)
{
  klass->set_property = gst_ws_signal_src_set_property;
  klass->get_property = gst_ws_signal_src_get_property;
  install_place_and_identity (klass);
  install_times (klass);
  install_security (klass);
  gst_type_mark_as_plugin_api (gst_ws_signal_mode_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_ws_signal_role_get_type (), 0);
}
