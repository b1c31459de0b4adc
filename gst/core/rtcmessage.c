/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcmessage.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "rtcjson.h"

GQuark
rtc_error_quark (void)
{
  return g_quark_from_static_string ("rtc-error-quark");
}

static const gchar *const type_names[] = {
    [RTC_MESSAGE_UNKNOWN] = "unknown",
    [RTC_MESSAGE_JOIN] = "join",
    [RTC_MESSAGE_RESUME] = "resume",
    [RTC_MESSAGE_WELCOME] = "welcome",
    [RTC_MESSAGE_PEERS] = "peers",
    [RTC_MESSAGE_UPDATE] = "update",
    [RTC_MESSAGE_JOINED] = "joined",
    [RTC_MESSAGE_LEFT] = "left",
    [RTC_MESSAGE_OFFER_REQUEST] = "offer-request",
    [RTC_MESSAGE_OFFER] = "offer",
    [RTC_MESSAGE_ANSWER] = "answer",
    [RTC_MESSAGE_CANDIDATE] = "candidate",
    [RTC_MESSAGE_END_OF_CANDIDATES] = "end-of-candidates",
    [RTC_MESSAGE_BYE] = "bye",
    [RTC_MESSAGE_ERROR] = "error",
    [RTC_MESSAGE_PING] = "ping",
    [RTC_MESSAGE_PONG] = "pong",
};

static const gchar *const code_names[] = {
    [RTC_ERROR_BAD_MESSAGE] = "bad-message",
    [RTC_ERROR_UNKNOWN_TYPE] = "unknown-type",
    [RTC_ERROR_UNSUPPORTED_VERSION] = "unsupported-version",
    [RTC_ERROR_UNAUTHORIZED] = "unauthorized",
    [RTC_ERROR_NOT_JOINED] = "not-joined",
    [RTC_ERROR_ALREADY_JOINED] = "already-joined",
    [RTC_ERROR_ROOM_FULL] = "room-full",
    [RTC_ERROR_UNKNOWN_PEER] = "unknown-peer",
    [RTC_ERROR_NOT_OFFERER] = "not-offerer",
    [RTC_ERROR_RESUME_FAILED] = "resume-failed",
    [RTC_ERROR_TIMEOUT] = "timeout",
    [RTC_ERROR_OVERFLOW] = "overflow",
    [RTC_ERROR_REPLACED] = "replaced",
    [RTC_ERROR_BAD_SDP] = "bad-sdp",
    [RTC_ERROR_BAD_CANDIDATE] = "bad-candidate",
    [RTC_ERROR_NO_COMMON_CODEC] = "no-common-codec",
    [RTC_ERROR_FINGERPRINT_MISMATCH] = "fingerprint-mismatch",
    [RTC_ERROR_SETUP_FAILED] = "setup-failed",
    [RTC_ERROR_TOO_MANY_PEERS] = "too-many-peers",
    [RTC_ERROR_OTHER] = "other",
};

static const gchar *const role_names[] = {
    [RTC_ROLE_UNSET] = NULL,
    [RTC_ROLE_SEND] = "send",
    [RTC_ROLE_RECEIVE] = "receive",
    [RTC_ROLE_BOTH] = "both",
};

static const gchar *const offers_names[] = {
    [RTC_OFFERS_AVOID] = "avoid",
    [RTC_OFFERS_ACCEPT] = "accept",
    [RTC_OFFERS_PREFER] = "prefer",
};

const gchar *
rtc_message_type_to_string (RtcMessageType type)
{
  return (guint)type < G_N_ELEMENTS (type_names) ? type_names[type] : "unknown";
}

RtcMessageType
rtc_message_type_from_string (const gchar *name)
{
  guint i;

  for (i = RTC_MESSAGE_UNKNOWN + 1; name && i < G_N_ELEMENTS (type_names); i++) {
    if (strcmp (name, type_names[i]) == 0)
      return i;
  }
  return RTC_MESSAGE_UNKNOWN;
}

const gchar *
rtc_error_code_to_string (RtcErrorCode code)
{
  return (guint)code < G_N_ELEMENTS (code_names) ? code_names[code] : "other";
}

RtcErrorCode
rtc_error_code_from_string (const gchar *name)
{
  guint i;

  for (i = 0; name && i < RTC_ERROR_OTHER; i++) {
    if (strcmp (name, code_names[i]) == 0)
      return i;
  }
  return RTC_ERROR_OTHER;
}

const gchar *
rtc_role_to_string (RtcRole role)
{
  return (guint)role < G_N_ELEMENTS (role_names) ? role_names[role] : NULL;
}

RtcRole
rtc_role_from_string (const gchar *name)
{
  guint i;

  for (i = RTC_ROLE_SEND; name && i < G_N_ELEMENTS (role_names); i++) {
    if (strcmp (name, role_names[i]) == 0)
      return i;
  }
  return RTC_ROLE_UNSET;
}

const gchar *
rtc_offers_to_string (RtcOffers offers)
{
  return (guint)offers < G_N_ELEMENTS (offers_names) ? offers_names[offers] : "accept";
}

gboolean
rtc_message_type_is_routed (RtcMessageType type)
{
  switch (type) {
    case RTC_MESSAGE_OFFER_REQUEST:
    case RTC_MESSAGE_OFFER:
    case RTC_MESSAGE_ANSWER:
    case RTC_MESSAGE_CANDIDATE:
    case RTC_MESSAGE_END_OF_CANDIDATES:
    case RTC_MESSAGE_BYE:
    case RTC_MESSAGE_ERROR:
      return TRUE;
    default:
      return FALSE;
  }
}

gboolean
rtc_id_is_valid (const gchar *id)
{
  gsize i;

  if (!id)
    return FALSE;
  for (i = 0; id[i]; i++) {
    if (i >= RTC_MAX_ID || !(g_ascii_isalnum (id[i]) || strchr ("._-", id[i])))
      return FALSE;
  }
  return i > 0;
}

gchar *
rtc_id_new (const gchar *prefix)
{
  guint8 bytes[16];
  gsize have = 0, i;
  GString *id = g_string_new (prefix);

  while (have < sizeof bytes) {
    gssize n = getrandom (bytes + have, sizeof bytes - have, 0);

    if (n > 0)
      have += n;
    else if (n < 0 && errno != EINTR)
      g_error ("the operating system gives no random bytes (getrandom: %s)", g_strerror (errno));
  }
  for (i = 0; i < sizeof bytes; i++)
    g_string_append_printf (id, "%02x", bytes[i]);
  return g_string_free (id, FALSE);
}

RtcPeerInfo *
rtc_peer_info_new (const gchar *id)
{
  RtcPeerInfo *info = g_new0 (RtcPeerInfo, 1);

  info->id = g_strdup (id);
  info->display_name = g_strdup ("");
  info->role = RTC_ROLE_BOTH;
  return info;
}

RtcPeerInfo *
rtc_peer_info_copy (const RtcPeerInfo *info)
{
  RtcPeerInfo *copy = g_new (RtcPeerInfo, 1);

  *copy = *info;
  copy->id = g_strdup (info->id);
  copy->display_name = g_strdup (info->display_name);
  copy->features = g_strdupv (info->features);
  copy->meta = g_strdup (info->meta);
  copy->offerer = g_strdup (info->offerer);
  return copy;
}

void
rtc_peer_info_free (RtcPeerInfo *info)
{
  if (!info)
    return;
  g_free (info->id);
  g_free (info->display_name);
  g_strfreev (info->features);
  g_free (info->meta);
  g_free (info->offerer);
  g_free (info);
}

RtcIceServer *
rtc_ice_server_new (const gchar *url, const gchar *username, const gchar *credential)
{
  RtcIceServer *server = g_new0 (RtcIceServer, 1);

  server->urls = g_new0 (gchar *, 2);
  server->urls[0] = g_strdup (url);
  server->username = g_strdup (username);
  server->credential = g_strdup (credential);
  return server;
}

RtcIceServer *
rtc_ice_server_copy (const RtcIceServer *server)
{
  RtcIceServer *copy = g_new0 (RtcIceServer, 1);

  copy->urls = g_strdupv (server->urls);
  copy->username = g_strdup (server->username);
  copy->credential = g_strdup (server->credential);
  return copy;
}

void
rtc_ice_server_free (RtcIceServer *server)
{
  if (!server)
    return;
  g_strfreev (server->urls);
  g_free (server->username);
  g_free (server->credential);
  g_free (server);
}

RtcMessage *
rtc_message_new (RtcMessageType type)
{
  RtcMessage *message = g_new0 (RtcMessage, 1);

  message->type = type;
  message->offers = RTC_OFFERS_ACCEPT;
  message->sdp_mline_index = -1;
  message->code = RTC_ERROR_OTHER;
  return message;
}

RtcMessage *
rtc_message_new_error (RtcErrorCode code, const gchar *reason, const gchar *to, const gchar *session)
{
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_ERROR);
  const gchar *end = reason + strlen (reason);

  if (end - reason > RTC_MAX_REASON)
    end = g_utf8_find_prev_char (reason, reason + RTC_MAX_REASON + 1);
  message->code = code;
  message->code_name = g_strdup (rtc_error_code_to_string (code));
  message->reason = g_strndup (reason, end - reason);
  message->to = g_strdup (to);
  message->session = g_strdup (session);
  return message;
}

void
rtc_message_free (RtcMessage *message)
{
  if (!message)
    return;
  g_free (message->type_name);
  g_free (message->from);
  g_free (message->to);
  g_free (message->session);
  g_free (message->peer_id);
  g_free (message->room);
  g_free (message->display_name);
  g_strfreev (message->features);
  g_free (message->meta);
  g_free (message->token);
  g_free (message->resume);
  g_clear_pointer (&message->ice_servers, g_ptr_array_unref);
  g_clear_pointer (&message->peers, g_ptr_array_unref);
  g_free (message->sdp);
  g_free (message->candidate);
  g_free (message->sdp_mid);
  g_free (message->code_name);
  g_free (message->reason);
  g_free (message->answers);
  g_free (message);
}

static void
add_name (GString *out, const gchar *name)
{
  if (out->str[out->len - 1] != '{')
    g_string_append_c (out, ',');
  g_string_append_printf (out, "\"%s\":", name);
}

static void
add_string (GString *out, const gchar *name, const gchar *value)
{
  if (!value)
    return;
  add_name (out, name);
  rtc_json_append_string (out, value);
}

static void
add_uint (GString *out, const gchar *name, guint value)
{
  add_name (out, name);
  g_string_append_printf (out, "%u", value);
}

static void
add_raw (GString *out, const gchar *name, const gchar *json)
{
  if (!json)
    return;
  add_name (out, name);
  g_string_append (out, json);
}

static void
add_tracks (GString *out, guint n_video, guint n_audio)
{
  add_name (out, "tracks");
  g_string_append_printf (out, "{\"video\":%u,\"audio\":%u}", n_video, n_audio);
}

/* Identifiers need no escaping. */
static void
add_features (GString *out, gchar **features)
{
  gchar *list;

  if (!features || !features[0])
    return;
  list = g_strjoinv ("\",\"", features);
  add_name (out, "features");
  g_string_append_printf (out, "[\"%s\"]", list);
  g_free (list);
}

static void
append_peer (GString *out, const RtcPeerInfo *peer)
{
  g_string_append_c (out, '{');
  add_string (out, "peerId", peer->id);
  add_string (out, "displayName", peer->display_name);
  add_raw (out, "meta", peer->meta);
  add_string (out, "role", rtc_role_to_string (peer->role));
  add_tracks (out, peer->n_video, peer->n_audio);
  if (peer->restart)
    add_raw (out, "restart", "true");
  add_features (out, peer->features);
  add_string (out, "offerer", peer->offerer);
  g_string_append_c (out, '}');
}

static void
append_ice_server (GString *out, const RtcIceServer *server)
{
  guint i;

  g_string_append (out, "{\"urls\":[");
  for (i = 0; server->urls && server->urls[i]; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    rtc_json_append_string (out, server->urls[i]);
  }
  g_string_append_c (out, ']');
  add_string (out, "username", server->username);
  add_string (out, "credential", server->credential);
  g_string_append_c (out, '}');
}

static void
add_ice_servers (GString *out, GPtrArray *servers)
{
  guint i;

  add_name (out, "iceServers");
  g_string_append_c (out, '[');
  for (i = 0; servers && i < servers->len; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    append_ice_server (out, g_ptr_array_index (servers, i));
  }
  g_string_append_c (out, ']');
}

static void
add_peers (GString *out, const RtcMessage *message)
{
  guint i;

  if (message->type == RTC_MESSAGE_JOINED) {
    if (message->peers && message->peers->len > 0) {
      add_name (out, "peer");
      append_peer (out, g_ptr_array_index (message->peers, 0));
    }
    return;
  }
  add_name (out, "peers");
  g_string_append_c (out, '[');
  for (i = 0; message->peers && i < message->peers->len; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    append_peer (out, g_ptr_array_index (message->peers, i));
  }
  g_string_append_c (out, ']');
}

gchar *
rtc_message_to_json (const RtcMessage *message)
{
  GString *out = g_string_sized_new (128 + (message->sdp ? strlen (message->sdp) * 17 / 16 : 0));
  const gchar *type = rtc_message_type_to_string (message->type);
  gboolean welcome = message->type == RTC_MESSAGE_WELCOME;

  if (message->type == RTC_MESSAGE_UNKNOWN && message->type_name)
    type = message->type_name;

  g_string_append_c (out, '{');
  add_string (out, "type", type);
  add_string (out, "from", message->from);
  add_string (out, "to", message->to);
  add_string (out, "session", message->session);
  if (message->version)
    add_uint (out, "version", message->version);
  add_string (out, "peerId", message->peer_id);
  add_string (out, "room", message->room);
  add_string (out, "displayName", message->display_name);
  add_raw (out, "meta", message->meta);
  add_string (out, "role", rtc_role_to_string (message->role));
  if (message->offers != RTC_OFFERS_ACCEPT)
    add_string (out, "offers", rtc_offers_to_string (message->offers));
  if (message->has_tracks)
    add_tracks (out, message->n_video, message->n_audio);
  if (message->restart)
    add_raw (out, "restart", "true");
  add_features (out, message->features);
  add_string (out, "token", message->token);
  add_string (out, "resume", message->resume);
  if (welcome) {
    add_uint (out, "resumeTimeout", message->resume_timeout);
    add_raw (out, "resumed", message->resumed ? "true" : "false");
    add_uint (out, "pingInterval", message->ping_interval);
    add_uint (out, "pingTimeout", message->ping_timeout);
  }
  if (welcome || message->ice_servers)
    add_ice_servers (out, message->ice_servers);
  if (message->peers || message->type == RTC_MESSAGE_PEERS)
    add_peers (out, message);
  add_string (out, "sdp", message->sdp);
  add_string (out, "candidate", message->candidate);
  add_string (out, "sdpMid", message->sdp_mid);
  if (message->sdp_mline_index >= 0)
    add_uint (out, "sdpMLineIndex", message->sdp_mline_index);
  if (message->type == RTC_MESSAGE_ERROR)
    add_string (out, "code", message->code_name ? message->code_name : rtc_error_code_to_string (message->code));
  add_string (out, "reason", message->reason);
  add_string (out, "answers", message->answers);
  g_string_append_c (out, '}');
  return g_string_free (out, FALSE);
}
