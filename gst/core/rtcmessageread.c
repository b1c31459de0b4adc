/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcmessage.h"

#include <string.h>

#include "rtcjson.h"

#define MAX_TYPE 64
#define MAX_MID 64
#define MAX_TOKEN 512
#define MAX_URL 512
#define MAX_URLS 16
#define MAX_TIME G_MAXINT32

/* Reads the fields of one object. The first fault is kept, and every later read does nothing: so the readers below need
 * no check after each field. */
typedef struct
{
  JsonObject *object;
  const gchar *where; /* "" or the name of the object inside the message, with a dot */
  GError **error;
  gboolean failed;
} Reader;

static void fail (Reader *r, const gchar *name, const gchar *format, ...) G_GNUC_PRINTF (3, 4);

static void
fail (Reader *r, const gchar *name, const gchar *format, ...)
{
  va_list args;
  gchar *what;

  if (r->failed)
    return;
  r->failed = TRUE;
  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (r->error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE, "field \"%s%s\" %s", r->where, name, what);
  g_free (what);
}

static const gchar *
describe (JsonNode *node)
{
  switch (JSON_NODE_TYPE (node)) {
    case JSON_NODE_OBJECT:
      return "an object";
    case JSON_NODE_ARRAY:
      return "an array";
    case JSON_NODE_NULL:
      return "null";
    default:
      break;
  }
  switch (json_node_get_value_type (node)) {
    case G_TYPE_STRING:
      return "a string";
    case G_TYPE_BOOLEAN:
      return "a boolean";
    case G_TYPE_DOUBLE:
      return "a number with a fraction";
    default:
      return "an integer";
  }
}

/* NULL when the field is absent; null counts as that, since a page writes it for what it does not have. */
static JsonNode *
get (Reader *r, const gchar *name)
{
  JsonNode *node = r->failed ? NULL : json_object_get_member (r->object, name);

  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static gboolean
holds (JsonNode *node, GType type)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type;
}

/* (transfer full) (nullable) */
static gchar *
read_text (Reader *r, const gchar *name, gsize max)
{
  JsonNode *node = get (r, name);
  const gchar *value;

  if (!node)
    return NULL;
  if (!holds (node, G_TYPE_STRING)) {
    fail (r, name, "is %s, expected a string", describe (node));
    return NULL;
  }
  value = json_node_get_string (node);
  if (strlen (value) > max) {
    fail (r, name, "is %" G_GSIZE_FORMAT " bytes long, at most %" G_GSIZE_FORMAT " are allowed", strlen (value), max);
    return NULL;
  }
  return g_strdup (value);
}

static gchar *
read_name (Reader *r, const gchar *name, gsize max)
{
  gchar *value = read_text (r, name, max);
  const gchar *p;

  for (p = value; p && *p; p = g_utf8_next_char (p)) {
    if (g_unichar_iscntrl (g_utf8_get_char (p))) {
      fail (r, name, "has the control character U+%04X, expected none", g_utf8_get_char (p));
      g_free (value);
      return NULL;
    }
  }
  return value;
}

static gchar *
read_id (Reader *r, const gchar *name)
{
  gchar *value = read_text (r, name, RTC_MAX_FRAME);

  if (value && !rtc_id_is_valid (value)) {
    fail (r, name, "is no identifier (%" G_GSIZE_FORMAT " bytes), expected 1 to %d characters of A-Z a-z 0-9 . _ -",
        strlen (value), RTC_MAX_ID);
    g_clear_pointer (&value, g_free);
  }
  return value;
}

/* Returns FALLBACK when the field is absent. */
static gint
read_int (Reader *r, const gchar *name, gint min, gint max, gint fallback)
{
  JsonNode *node = get (r, name);
  gint64 value;

  if (!node)
    return fallback;
  if (!holds (node, G_TYPE_INT64)) {
    fail (r, name, "is %s, expected an integer from %d to %d", describe (node), min, max);
    return fallback;
  }
  value = json_node_get_int (node);
  if (value < min || value > max) {
    fail (r, name, "is %" G_GINT64_FORMAT ", expected an integer from %d to %d", value, min, max);
    return fallback;
  }
  return value;
}

static gboolean
read_boolean (Reader *r, const gchar *name)
{
  JsonNode *node = get (r, name);

  if (!node)
    return FALSE;
  if (!holds (node, G_TYPE_BOOLEAN)) {
    fail (r, name, "is %s, expected true or false", describe (node));
    return FALSE;
  }
  return json_node_get_boolean (node);
}

static gchar *
read_meta (Reader *r, const gchar *name)
{
  JsonNode *node = get (r, name);
  gchar *fault = NULL;
  gchar *meta;

  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    fail (r, name, "is %s, expected an object", describe (node));
    return NULL;
  }
  meta = rtc_json_write_meta (node, &fault);
  if (!meta)
    fail (r, name, "%s", fault);
  g_free (fault);
  return meta;
}

static RtcRole
read_role (Reader *r, RtcRole fallback)
{
  gchar *value = read_text (r, "role", RTC_MAX_FRAME);
  RtcRole role = value ? rtc_role_from_string (value) : fallback;

  if (value && role == RTC_ROLE_UNSET)
    fail (r, "role", "is \"%.32s\", expected send, receive or both", g_str_is_ascii (value) ? value : "?");
  g_free (value);
  return role;
}

static RtcOffers
read_offers (Reader *r)
{
  gchar *value = read_text (r, "offers", RTC_MAX_FRAME);
  RtcOffers offers = RTC_OFFERS_ACCEPT;

  if (g_strcmp0 (value, "prefer") == 0)
    offers = RTC_OFFERS_PREFER;
  else if (g_strcmp0 (value, "avoid") == 0)
    offers = RTC_OFFERS_AVOID;
  else if (value && strcmp (value, "accept") != 0)
    fail (r, "offers", "is \"%.32s\", expected prefer, accept or avoid", g_str_is_ascii (value) ? value : "?");
  g_free (value);
  return offers;
}

/* Returns whether the field is there. */
static gboolean
read_tracks (Reader *r, guint *n_video, guint *n_audio)
{
  JsonNode *node = get (r, "tracks");
  Reader sub = {.where = "tracks.", .error = r->error};

  if (!node)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    fail (r, "tracks", "is %s, expected an object", describe (node));
    return FALSE;
  }
  sub.object = json_node_get_object (node);
  *n_video = read_int (&sub, "video", 0, RTC_MAX_TRACKS, 0);
  *n_audio = read_int (&sub, "audio", 0, RTC_MAX_TRACKS, 0);
  r->failed = sub.failed;
  return TRUE;
}

/* (nullable) */
static gchar **
read_features (Reader *r)
{
  JsonNode *node = get (r, "features");
  GPtrArray *features;
  JsonArray *array;

  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    fail (r, "features", "is %s, expected an array", describe (node));
    return NULL;
  }
  array = json_node_get_array (node);
  if (json_array_get_length (array) > RTC_MAX_FEATURES) {
    fail (r, "features", "has %u entries, at most %u are allowed", json_array_get_length (array), RTC_MAX_FEATURES);
    return NULL;
  }
  features = g_ptr_array_new ();
  for (guint i = 0; i < json_array_get_length (array) && !r->failed; i++) {
    JsonNode *entry = json_array_get_element (array, i);

    if (!holds (entry, G_TYPE_STRING) || !rtc_id_is_valid (json_node_get_string (entry)))
      fail (r, "features", "has %s among its entries, expected identifiers", describe (entry));
    else
      g_ptr_array_add (features, g_strdup (json_node_get_string (entry)));
  }
  g_ptr_array_add (features, NULL);
  return (gchar **)g_ptr_array_free (features, FALSE);
}

static RtcPeerInfo *
read_peer (Reader *r)
{
  RtcPeerInfo *peer = g_new0 (RtcPeerInfo, 1);

  peer->id = read_id (r, "peerId");
  if (!peer->id)
    fail (r, "peerId", "is missing, expected an identifier");
  peer->display_name = read_name (r, "displayName", RTC_MAX_DISPLAY_NAME);
  if (!peer->display_name)
    peer->display_name = g_strdup ("");
  peer->meta = read_meta (r, "meta");
  peer->role = read_role (r, RTC_ROLE_BOTH);
  read_tracks (r, &peer->n_video, &peer->n_audio);
  peer->restart = read_boolean (r, "restart");
  peer->features = read_features (r);
  peer->offerer = read_id (r, "offerer");
  return peer;
}

static RtcIceServer *
read_ice_server (Reader *r)
{
  RtcIceServer *server = g_new0 (RtcIceServer, 1);
  GPtrArray *urls = g_ptr_array_new ();
  JsonNode *node = get (r, "urls");
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint i;

  if (!node)
    fail (r, "urls", "is missing, expected an array of strings");
  else if (!array) /* The W3C's form has a single string, too. */
    g_ptr_array_add (urls, read_text (r, "urls", MAX_URL));
  else if (json_array_get_length (array) > MAX_URLS)
    fail (r, "urls", "has %u entries, at most %d are allowed", json_array_get_length (array), MAX_URLS);

  for (i = 0; array && !r->failed && i < json_array_get_length (array); i++) {
    JsonNode *url = json_array_get_element (array, i);

    if (!holds (url, G_TYPE_STRING))
      fail (r, "urls", "has %s among its entries, expected strings", describe (url));
    else if (strlen (json_node_get_string (url)) > MAX_URL || !g_utf8_validate (json_node_get_string (url), -1, NULL))
      fail (r, "urls", "has an entry that is no text of at most %d bytes", MAX_URL);
    else
      g_ptr_array_add (urls, g_strdup (json_node_get_string (url)));
  }
  g_ptr_array_add (urls, NULL);
  server->urls = (gchar **)g_ptr_array_free (urls, FALSE);
  server->username = read_text (r, "username", MAX_URL);
  server->credential = read_text (r, "credential", MAX_URL);
  return server;
}

static gpointer
read_peer_entry (Reader *r)
{
  return read_peer (r);
}

static gpointer
read_ice_server_entry (Reader *r)
{
  return read_ice_server (r);
}

/* An array of objects: each is read by READ_ENTRY. Returns NULL when the field is absent. */
static GPtrArray *
read_array (Reader *r, const gchar *name, const gchar *where, guint max, gpointer (*read_entry) (Reader *),
    GDestroyNotify free_entry)
{
  JsonNode *node = get (r, name);
  GPtrArray *entries;
  JsonArray *array;
  guint i;

  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    fail (r, name, "is %s, expected an array", describe (node));
    return NULL;
  }
  array = json_node_get_array (node);
  if (json_array_get_length (array) > max) {
    fail (r, name, "has %u entries, at most %u are allowed", json_array_get_length (array), max);
    return NULL;
  }
  entries = g_ptr_array_new_with_free_func (free_entry);
  for (i = 0; !r->failed && i < json_array_get_length (array); i++) {
    JsonNode *entry = json_array_get_element (array, i);
    Reader sub = {.where = where, .error = r->error};

    if (!JSON_NODE_HOLDS_OBJECT (entry)) {
      fail (r, name, "has %s among its entries, expected objects", describe (entry));
      break;
    }
    sub.object = json_node_get_object (entry);
    g_ptr_array_add (entries, read_entry (&sub));
    r->failed = sub.failed;
  }
  return entries;
}

static void
read_joined (Reader *r, RtcMessage *message)
{
  JsonNode *node = get (r, "peer");
  Reader sub = {.where = "peer.", .error = r->error};

  if (!node || !JSON_NODE_HOLDS_OBJECT (node)) {
    fail (r, "peer", "is %s, expected an object", node ? describe (node) : "missing");
    return;
  }
  sub.object = json_node_get_object (node);
  message->peers = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_peer_info_free);
  g_ptr_array_add (message->peers, read_peer (&sub));
  r->failed = sub.failed;
}

static void
require (Reader *r, gconstpointer value, const gchar *name, const gchar *expected)
{
  if (!value)
    fail (r, name, "is missing, expected %s", expected);
}

static void
read_client (Reader *r, RtcMessage *message)
{
  if (message->type != RTC_MESSAGE_UPDATE) {
    message->version = read_int (r, "version", 0, G_MAXINT32, 0);
    message->room = read_name (r, "room", RTC_MAX_ROOM);
    message->token = read_text (r, "token", MAX_TOKEN);
    message->offers = read_offers (r);
    message->restart = read_boolean (r, "restart");
    message->features = read_features (r);
  }
  message->display_name = read_name (r, "displayName", RTC_MAX_DISPLAY_NAME);
  message->meta = read_meta (r, "meta");
  message->role = read_role (r, RTC_ROLE_UNSET);
  message->has_tracks = read_tracks (r, &message->n_video, &message->n_audio);
}

static void
read_welcome (Reader *r, RtcMessage *message)
{
  message->version = read_int (r, "version", 0, G_MAXINT32, 0);
  message->peer_id = read_id (r, "peerId");
  require (r, message->peer_id, "peerId", "an identifier");
  message->room = read_name (r, "room", RTC_MAX_ROOM);
  message->resume = read_id (r, "resume");
  message->resume_timeout = read_int (r, "resumeTimeout", 0, MAX_TIME, 0);
  message->resumed = read_boolean (r, "resumed");
  message->ping_interval = read_int (r, "pingInterval", 0, MAX_TIME, 0);
  message->ping_timeout = read_int (r, "pingTimeout", 0, MAX_TIME, 0);
  message->ice_servers = read_array (
      r, "iceServers", "iceServers.", RTC_MAX_ICE_SERVERS, read_ice_server_entry, (GDestroyNotify)rtc_ice_server_free);
}

static void
read_session (Reader *r, RtcMessage *message)
{
  require (r, message->session, "session", "an identifier");
  if (message->type == RTC_MESSAGE_CANDIDATE) {
    message->candidate = read_text (r, "candidate", RTC_MAX_CANDIDATE);
    require (r, message->candidate, "candidate", "a string");
    message->sdp_mid = read_text (r, "sdpMid", MAX_MID);
    message->sdp_mline_index = read_int (r, "sdpMLineIndex", 0, G_MAXUINT16, -1);
  } else if (message->type != RTC_MESSAGE_END_OF_CANDIDATES) {
    message->sdp = read_text (r, "sdp", RTC_MAX_SDP);
    require (r, message->sdp, "sdp", "a string");
  }
}

static void
read_body (Reader *r, RtcMessage *message)
{
  switch (message->type) {
    case RTC_MESSAGE_JOIN:
    case RTC_MESSAGE_UPDATE:
      read_client (r, message);
      break;
    case RTC_MESSAGE_RESUME:
      message->version = read_int (r, "version", 0, G_MAXINT32, 0);
      message->peer_id = read_id (r, "peerId");
      require (r, message->peer_id, "peerId", "an identifier");
      message->resume = read_id (r, "resume");
      require (r, message->resume, "resume", "an identifier");
      message->token = read_text (r, "token", MAX_TOKEN);
      break;
    case RTC_MESSAGE_WELCOME:
      read_welcome (r, message);
      break;
    case RTC_MESSAGE_PEERS:
      message->peers =
          read_array (r, "peers", "peers.", RTC_MAX_PEERS, read_peer_entry, (GDestroyNotify)rtc_peer_info_free);
      require (r, message->peers, "peers", "an array");
      break;
    case RTC_MESSAGE_JOINED:
      read_joined (r, message);
      break;
    case RTC_MESSAGE_LEFT:
      message->peer_id = read_id (r, "peerId");
      require (r, message->peer_id, "peerId", "an identifier");
      message->reason = read_text (r, "reason", RTC_MAX_REASON);
      break;
    case RTC_MESSAGE_OFFER:
    case RTC_MESSAGE_ANSWER:
    case RTC_MESSAGE_CANDIDATE:
    case RTC_MESSAGE_END_OF_CANDIDATES:
      read_session (r, message);
      break;
    case RTC_MESSAGE_OFFER_REQUEST:
      message->restart = read_boolean (r, "restart");
      message->reason = read_text (r, "reason", RTC_MAX_REASON);
      break;
    case RTC_MESSAGE_BYE:
      message->reason = read_text (r, "reason", RTC_MAX_REASON);
      break;
    case RTC_MESSAGE_ERROR:
      message->code_name = read_text (r, "code", MAX_TYPE);
      require (r, message->code_name, "code", "a string");
      message->code = rtc_error_code_from_string (message->code_name);
      message->reason = read_text (r, "reason", RTC_MAX_REASON);
      message->answers = read_text (r, "answers", MAX_TYPE);
      break;
    default:
      break;
  }
}

RtcMessage *
rtc_message_from_json (const gchar *text, gssize length, GError **error)
{
  JsonNode *root = rtc_json_parse_object (text, length, error);
  Reader r = {.where = "", .error = error};
  RtcMessage *message;

  if (!root)
    return NULL;

  r.object = json_node_get_object (root);
  message = rtc_message_new (RTC_MESSAGE_UNKNOWN);
  message->type_name = read_text (&r, "type", MAX_TYPE);
  require (&r, message->type_name, "type", "a string");
  message->type = rtc_message_type_from_string (message->type_name);
  message->from = read_id (&r, "from");
  message->to = read_id (&r, "to");
  if (rtc_message_type_is_routed (message->type))
    message->session = read_id (&r, "session");
  read_body (&r, message);

  json_node_unref (root);
  if (r.failed)
    g_clear_pointer (&message, rtc_message_free);
  return message;
}
