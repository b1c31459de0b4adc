/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcaddress.h"

G_BEGIN_DECLS

/* ICE-lite (RFC 8445, section 2.5) for all peers of one UDP socket: answers checks, tells peers apart, and says where
 * each peer is to be sent to. Pure: datagrams and the time (microseconds, monotonic) go in, an answer comes out.
 * One thread.
 *
 * Nothing is answered to who does not know a peer's password, and no answer is longer than its question, so that the
 * socket is no oracle and amplifies nothing. */
typedef struct _RtcIceLite RtcIceLite;
typedef struct _RtcIceLitePeer RtcIceLitePeer;

#define RTC_ICE_LITE_MAX_ADDRESSES 8 /* a peer; the oldest that is not in use goes first */
#define RTC_ICE_LITE_MAX_ANSWER 512

typedef enum
{
  RTC_ICE_LITE_IGNORED, /* not STUN, not for us, not authentic, or without a use */
  RTC_ICE_LITE_ANSWERED, /* ANSWER is to be sent back to where the question came from */
} RtcIceLiteResult;

/* What a datagram changed. */
typedef enum
{
  RTC_ICE_LITE_FIRST = 1 << 0, /* the peer's first authentic check: there is a path */
  RTC_ICE_LITE_MOVED = 1 << 1, /* the address to send to is another one now */
  RTC_ICE_LITE_RESTARTED = 1 << 2, /* the first check with the credentials of a restart */
} RtcIceLiteChange;

RtcIceLite *rtc_ice_lite_new (void);
void rtc_ice_lite_free (RtcIceLite *lite); /* its peers too */

/* Credentials are made by the machine: ufrag of 8 and password of 24 ice-chars, 48 and 144 bits of randomness
 * (RFC 8445, section 5.3). USER_DATA comes back with each datagram. (transfer none) */
RtcIceLitePeer *rtc_ice_lite_add (RtcIceLite *lite, gpointer user_data);
void rtc_ice_lite_remove (RtcIceLite *lite, RtcIceLitePeer *peer);

const gchar *rtc_ice_lite_peer_get_ufrag (const RtcIceLitePeer *peer);
const gchar *rtc_ice_lite_peer_get_password (const RtcIceLitePeer *peer);

/* The peer's ufrag, for the second half of USERNAME. Until it is known any is taken (checks may overtake the
 * answer that names it). */
void rtc_ice_lite_peer_set_remote_ufrag (RtcIceLitePeer *peer, const gchar *ufrag);

/* New credentials (RFC 8445, section 9). The old ones hold until the first authentic check with new ones. */
void rtc_ice_lite_peer_restart (RtcIceLite *lite, RtcIceLitePeer *peer);

/* Takes a datagram whose first byte is 0 to 3. PEER, CHANGES: (out): whose it is and what it changed, 0 when IGNORED.
 * ANSWER: of RTC_ICE_LITE_MAX_ANSWER bytes at least. */
RtcIceLiteResult rtc_ice_lite_take (RtcIceLite *lite, const RtcAddress *from, const guint8 *data, gsize size,
    gint64 now, RtcIceLitePeer **peer, guint *changes, guint8 *answer, gsize *answer_size);

/* Whose address that is, validated by a check before; NULL: nobody's. For all that is not STUN. */
RtcIceLitePeer *rtc_ice_lite_find (RtcIceLite *lite, const RtcAddress *from);

/* FROM carried something else that was authentic (SRTP): with a peer that nominates every pair (Firefox) this, and not
 * the last nomination, says which one it uses. Returns whether the address to send to changed. */
gboolean rtc_ice_lite_peer_heard (RtcIceLitePeer *peer, const RtcAddress *from, gint64 now);

/* Where to send to; NULL: no path yet. */
const RtcAddress *rtc_ice_lite_peer_get_address (const RtcIceLitePeer *peer);

/* When the last authentic check came, which is the peer's consent (RFC 7675); 0: never. */
gint64 rtc_ice_lite_peer_get_last_check (const RtcIceLitePeer *peer);

gpointer rtc_ice_lite_peer_get_user_data (const RtcIceLitePeer *peer);

G_END_DECLS
