/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcaddress.h"

G_BEGIN_DECLS

/* STUN (RFC 8489) as far as ICE (RFC 8445) uses it: messages are read and written. Pure functions of bytes.
 *
 * A KEY is what MESSAGE-INTEGRITY is made with: rtc_stun_key_new() of a password of ICE. No function here changes one,
 * so that it is computed once a password. */

#define RTC_STUN_BINDING 0x001 /* the only method of ICE */
#define RTC_STUN_ID_SIZE 12
#define RTC_STUN_MIN_SIZE 20 /* the header */
#define RTC_STUN_MAX_USERNAME 508 /* RFC 8489, section 14.3 */
#define RTC_STUN_MAX_UNKNOWN 8 /* of those that have to be named in an answer */
#define RTC_STUN_SEAL_SIZE 32 /* MESSAGE-INTEGRITY and FINGERPRINT */
#define RTC_STUN_MAX_ANSWER 128 /* the longest that rtc_stun_write_success() and _error() write */

#define RTC_STUN_UNKNOWN_ATTRIBUTE 420 /* RFC 8489, section 14.8 */
#define RTC_STUN_ROLE_CONFLICT 487 /* RFC 8445, section 7.3.1.1 */

typedef enum
{
  RTC_STUN_REQUEST,
  RTC_STUN_INDICATION,
  RTC_STUN_SUCCESS,
  RTC_STUN_ERROR,
} RtcStunClass;

/* A message that was read; it borrows the datagram. Of an attribute that is there twice the first counts, and what
 * follows MESSAGE-INTEGRITY, other than FINGERPRINT, is not looked at (RFC 8489, sections 14 and 14.5). */
typedef struct
{
  const guint8 *data;
  gsize size;
  RtcStunClass klass;
  guint16 method;
  const guint8 *id; /* RTC_STUN_ID_SIZE bytes */
  const guint8 *username; /* NULL: none; no NUL behind it */
  gsize username_size; /* bytes */
  gsize integrity; /* where MESSAGE-INTEGRITY begins; 0: none */
  gsize fingerprint; /* where FINGERPRINT begins; 0: none */
  gboolean has_priority;
  guint32 priority;
  gboolean use_candidate;
  gboolean controlling, controlled; /* the attribute is there */
  guint64 tie_breaker; /* of either */
  guint error; /* code; 0: none */
  RtcAddress mapped; /* XOR-MAPPED-ADDRESS; family 0: none */
  guint16 unknown[RTC_STUN_MAX_UNKNOWN]; /* that have to be understood, but are not */
  guint n_unknown; /* of all, so it may be more than are in the array */
} RtcStunMessage;

/* (transfer full): free with g_hmac_unref(). */
GHmac *rtc_stun_key_new (const gchar *password);

/* FALSE: not STUN, or not well-formed: sizes that do not add up, an attribute of a wrong size, a FINGERPRINT that is
 * not the last. Nothing is said about who sent it. MESSAGE is anything then. */
gboolean rtc_stun_parse (RtcStunMessage *message, const guint8 *data, gsize size);

/* Whether there is a FINGERPRINT and it is right (RFC 8489, section 14.7). */
gboolean rtc_stun_check_fingerprint (const RtcStunMessage *message);

/* Whether there is a MESSAGE-INTEGRITY (SHA-1) and KEY made it (RFC 8489, section 14.5). In constant time. */
gboolean rtc_stun_check_integrity (const RtcStunMessage *message, GHmac *key);

/* Answers to the request with ID, both with MESSAGE-INTEGRITY and FINGERPRINT. OUT: of RTC_STUN_MAX_ANSWER bytes at
 * least. Returns: the bytes written: 64 for an IPv4 address, 76 for IPv6; 60 for an error and 4 or more with UNKNOWN,
 * the attributes that RTC_STUN_UNKNOWN_ATTRIBUTE is about (at most RTC_STUN_MAX_UNKNOWN; NULL with any other code). */
gsize rtc_stun_write_success (guint8 *out, const guint8 *id, const RtcAddress *mapped, GHmac *key);
gsize
rtc_stun_write_error (guint8 *out, const guint8 *id, guint code, const guint16 *unknown, guint n_unknown, GHmac *key);

/* What a check (RFC 8445, section 7.2.2) says. */
typedef struct
{
  const guint8 *id; /* RTC_STUN_ID_SIZE bytes, that nobody can guess */
  const gchar *username; /* "theirs:ours"; at most RTC_STUN_MAX_USERNAME bytes */
  guint32 priority; /* of the candidate that the peer would learn by this */
  gboolean use_candidate;
  gboolean controlling; /* otherwise controlled */
  guint64 tie_breaker;
} RtcStunCheck;

/* A binding request with KEY, which is made of the peer's password. OUT: of 80 bytes and the username, rounded up to 4.
 * Returns: the bytes written. */
gsize rtc_stun_write_check (guint8 *out, const RtcStunCheck *check, GHmac *key);

/* Ends a message that was put together otherwise: sets its length and adds MESSAGE-INTEGRITY and FINGERPRINT. MESSAGE
 * has SIZE bytes, a multiple of 4 that is RTC_STUN_MIN_SIZE at least, and room for RTC_STUN_SEAL_SIZE more. Returns:
 * the size of the whole. */
gsize rtc_stun_seal (guint8 *message, gsize size, GHmac *key);

G_END_DECLS
