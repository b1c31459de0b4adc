/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The messages of docs/design/signaling-protocol.md, and their JSON. Pure: no thread, no clock, no I/O. */

#define RTC_PROTOCOL_VERSION 1

#define RTC_MAX_FRAME 65536
#define RTC_MAX_DEPTH 8
#define RTC_MAX_ID 64
#define RTC_MAX_ROOM 128
#define RTC_MAX_DISPLAY_NAME 256
#define RTC_MAX_META 4096
#define RTC_MAX_SDP 60000
#define RTC_MAX_CANDIDATE 512
#define RTC_MAX_REASON 512
#define RTC_MAX_PEERS 1024
#define RTC_MAX_TRACKS 32
#define RTC_MAX_ICE_SERVERS 16
#define RTC_MAX_FEATURES 16

/* A feature: it has a channel of its own to those that have it, too (docs/design/data-channels.md). */
#define RTC_FEATURE_CHANNEL "rtclink.1"

typedef enum
{
  RTC_MESSAGE_UNKNOWN,
  RTC_MESSAGE_JOIN,
  RTC_MESSAGE_RESUME,
  RTC_MESSAGE_WELCOME,
  RTC_MESSAGE_PEERS,
  RTC_MESSAGE_UPDATE,
  RTC_MESSAGE_JOINED,
  RTC_MESSAGE_LEFT,
  RTC_MESSAGE_OFFER_REQUEST,
  RTC_MESSAGE_OFFER,
  RTC_MESSAGE_ANSWER,
  RTC_MESSAGE_CANDIDATE,
  RTC_MESSAGE_END_OF_CANDIDATES,
  RTC_MESSAGE_BYE,
  RTC_MESSAGE_ERROR,
  RTC_MESSAGE_PING,
  RTC_MESSAGE_PONG,
} RtcMessageType;

typedef enum
{
  RTC_ROLE_UNSET,
  RTC_ROLE_SEND,
  RTC_ROLE_RECEIVE,
  RTC_ROLE_BOTH,
} RtcRole;

/* Ordered: the stronger wish is the larger number. */
typedef enum
{
  RTC_OFFERS_AVOID,
  RTC_OFFERS_ACCEPT,
  RTC_OFFERS_PREFER,
} RtcOffers;

/* Ordered as in the table of the protocol. RTC_ERROR_OTHER stands for a code that this version does not know. */
typedef enum
{
  RTC_ERROR_BAD_MESSAGE,
  RTC_ERROR_UNKNOWN_TYPE,
  RTC_ERROR_UNSUPPORTED_VERSION,
  RTC_ERROR_UNAUTHORIZED,
  RTC_ERROR_NOT_JOINED,
  RTC_ERROR_ALREADY_JOINED,
  RTC_ERROR_ROOM_FULL,
  RTC_ERROR_UNKNOWN_PEER,
  RTC_ERROR_NOT_OFFERER,
  RTC_ERROR_RESUME_FAILED,
  RTC_ERROR_TIMEOUT,
  RTC_ERROR_OVERFLOW,
  RTC_ERROR_REPLACED,
  RTC_ERROR_BAD_SDP,
  RTC_ERROR_BAD_CANDIDATE,
  RTC_ERROR_NO_COMMON_CODEC,
  RTC_ERROR_FINGERPRINT_MISMATCH,
  RTC_ERROR_SETUP_FAILED,
  RTC_ERROR_TOO_MANY_PEERS,
  RTC_ERROR_OTHER,
} RtcErrorCode;

#define RTC_ERROR (rtc_error_quark ())
GQuark rtc_error_quark (void);

typedef struct
{
  gchar *id;
  gchar *display_name; /* never NULL */
  gchar *meta; /* a JSON object as text, or NULL */
  RtcRole role;
  guint n_video, n_audio; /* streams it sends */
  gboolean restart; /* it takes an offer that restarts ICE on the connection as it stands */
  gchar **features; /* identifiers of what it can do; or NULL */
  gchar *offerer; /* peer id, or NULL when the pair has nothing to say */
} RtcPeerInfo;

typedef struct
{
  gchar **urls;
  gchar *username;
  gchar *credential;
} RtcIceServer;

/* One struct for every message: the fields that a type does not have are NULL, 0 or unset. Strings are owned. */
typedef struct
{
  RtcMessageType type;
  gchar *type_name; /* as it was read: for RTC_MESSAGE_UNKNOWN */

  gchar *from, *to, *session;

  /* join, resume, update, welcome, left */
  guint version; /* 0: absent */
  gchar *peer_id;
  gchar *room; /* NULL: absent, which is not the same as "" */
  gchar *display_name;
  gchar *meta; /* a JSON object as text */
  gchar *token;
  gchar *resume;
  RtcRole role;
  RtcOffers offers; /* RTC_OFFERS_ACCEPT when absent */
  gboolean has_tracks;
  guint n_video, n_audio;
  gboolean restart; /* join: see RtcPeerInfo; offer-request: that is what is asked for */
  gchar **features; /* join: see RtcPeerInfo */

  /* welcome; times in milliseconds */
  gboolean resumed;
  guint resume_timeout, ping_interval, ping_timeout;
  GPtrArray *ice_servers; /* of RtcIceServer, or NULL */

  /* peers: all; joined: one */
  GPtrArray *peers; /* of RtcPeerInfo, or NULL */

  /* offer, answer */
  gchar *sdp;

  /* candidate */
  gchar *candidate;
  gchar *sdp_mid;
  gint sdp_mline_index; /* -1: absent */

  /* error, bye, left, offer-request */
  RtcErrorCode code;
  gchar *code_name; /* as it was read */
  gchar *reason;
  gchar *answers;
} RtcMessage;

/* A message of type TYPE with nothing set. Free with rtc_message_free(). */
RtcMessage *rtc_message_new (RtcMessageType type);
void rtc_message_free (RtcMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RtcMessage, rtc_message_free)

/* An error message; REASON is a sentence for people. TO may be NULL (to the server, or from it). */
RtcMessage *rtc_message_new_error (RtcErrorCode code, const gchar *reason, const gchar *to, const gchar *session);

RtcPeerInfo *rtc_peer_info_new (const gchar *id);
RtcPeerInfo *rtc_peer_info_copy (const RtcPeerInfo *info);
void rtc_peer_info_free (RtcPeerInfo *info);
RtcIceServer *rtc_ice_server_new (const gchar *url, const gchar *username, const gchar *credential);
RtcIceServer *rtc_ice_server_copy (const RtcIceServer *server);
void rtc_ice_server_free (RtcIceServer *server);

/* Reads one frame. TEXT need not be NUL-terminated; LENGTH is in bytes (-1: up to the NUL). Checks every bound and
 * every field's kind. A type that is not known yields RTC_MESSAGE_UNKNOWN with @type_name, which is no error.
 * Returns: (transfer full) (nullable): NULL with ERROR set (domain RTC_ERROR, code RTC_ERROR_BAD_MESSAGE); the
 *   error's message says which field, what was found and what was expected. */
RtcMessage *rtc_message_from_json (const gchar *text, gssize length, GError **error);

/* Writes one frame, type first, without line breaks.
 * Returns: (transfer full): NUL-terminated text. */
gchar *rtc_message_to_json (const RtcMessage *message);

/* Names as they are on the wire, and back. _from_string() of an unknown name: _UNKNOWN, _UNSET or _OTHER. */
const gchar *rtc_message_type_to_string (RtcMessageType type);
RtcMessageType rtc_message_type_from_string (const gchar *name);
const gchar *rtc_error_code_to_string (RtcErrorCode code);
RtcErrorCode rtc_error_code_from_string (const gchar *name);
const gchar *rtc_role_to_string (RtcRole role);
RtcRole rtc_role_from_string (const gchar *name);
const gchar *rtc_offers_to_string (RtcOffers offers);

/* Whether ID is 1 to RTC_MAX_ID characters of A-Z a-z 0-9 . _ - */
gboolean rtc_id_is_valid (const gchar *id);

/* PREFIX and 128 random bits as hexadecimal digits, from the operating system's generator.
 * Returns: (transfer full) */
gchar *rtc_id_new (const gchar *prefix);

/* Whether the message goes from client to client (the server only routes it). */
gboolean rtc_message_type_is_routed (RtcMessageType type);

G_END_DECLS
