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
 * socket is no oracle and amplifies nothing.
 *
 * Which of its addresses a peer is sent to, as browsers differ in what they nominate (Chromium the one it uses, Firefox
 * each that works):
 *  1. The first that a check came from, at once: DTLS may begin before a nomination (USE-CANDIDATE).
 *  2. Another one that is nominated, unless the one in use carried media in the last 500 ms, or for one that appeared
 *     since then was heard in the last 150 ms.
 *  3. Another one that carries media, once the one in use has carried none for 200 ms; at once if its nomination is the
 *     newer one and came after the choice.
 *  4. Another one that is checked, without a nomination: after 500 ms without a check or media from the one in use if
 * it appeared in this time (the peer moved, or its NAT did), after 7 s if it is older, and whatever the media if the
 *     one in use was not checked for 20 s, as consent is an address's.
 * An address is one peer's: the last authentic check says whose, and the peer that had it goes on with another one that
 * it has, or without any. */
typedef struct _RtcIceLite RtcIceLite;
typedef struct _RtcIceLitePeer RtcIceLitePeer;

#define RTC_ICE_LITE_MAX_ADDRESSES 8 /* a peer; that not in use which was silent for longest goes first */
#define RTC_ICE_LITE_MAX_ANSWER 512

typedef enum
{
  RTC_ICE_LITE_IGNORED, /* not STUN, not for us, not authentic, or without a use */
  RTC_ICE_LITE_ANSWERED, /* ANSWER is to be sent back to where the question came from; it may be a refusal (487 to who
                            is controlled as we are, RFC 8445, 7.3.1.1; 420, RFC 8489, 6.3.1), which changes nothing */
} RtcIceLiteResult;

/* What a datagram changed. */
typedef enum
{
  RTC_ICE_LITE_FIRST = 1 << 0, /* the peer's first authentic check: there is a path */
  RTC_ICE_LITE_MOVED = 1 << 1, /* the address to send to is another one now; not with FIRST */
  RTC_ICE_LITE_RESTARTED = 1 << 2, /* the first check with the credentials of a restart */
} RtcIceLiteChange;

RtcIceLite *rtc_ice_lite_new (void);
void rtc_ice_lite_free (RtcIceLite *lite); /* its peers too */

/* Credentials are made by the machine: ufrag of 8 and password of 24 ice-chars, 48 and 144 bits of randomness
 * (RFC 8445, section 5.3); without random numbers the process ends. USER_DATA comes back with each datagram.
 * (transfer none): until rtc_ice_lite_remove(). */
RtcIceLitePeer *rtc_ice_lite_add (RtcIceLite *lite, gpointer user_data);
void rtc_ice_lite_remove (RtcIceLite *lite, RtcIceLitePeer *peer);

/* The newest. (transfer none): until the next restart. */
const gchar *rtc_ice_lite_peer_get_ufrag (const RtcIceLitePeer *peer);
const gchar *rtc_ice_lite_peer_get_password (const RtcIceLitePeer *peer);

/* The peer's ufrag, for the second half of USERNAME. Until it is known any is taken (checks may overtake the
 * answer that names it). It belongs to the newest credentials: after a restart it is unknown again, and that of before
 * stays with the old ones, so a restart comes before the ufrag that answers it. */
void rtc_ice_lite_peer_set_remote_ufrag (RtcIceLitePeer *peer, const gchar *ufrag);

/* New credentials (RFC 8445, section 9). The old ones hold until the first authentic check with newer ones, and so do
 * those of a restart that was not answered when the next one came (two such at most). Addresses stay. */
void rtc_ice_lite_peer_restart (RtcIceLite *lite, RtcIceLitePeer *peer);

/* Takes a datagram whose first byte is 0 to 3. NOW: microseconds, never less than before. PEER, CHANGES: (out): whose
 * it is and what it changed (RtcIceLiteChange); NULL and 0 when IGNORED. ANSWER: of RTC_ICE_LITE_MAX_ANSWER bytes at
 * least; ANSWER_SIZE: (out): at most SIZE; 0 when IGNORED. */
RtcIceLiteResult rtc_ice_lite_take (RtcIceLite *lite, const RtcAddress *from, const guint8 *data, gsize size,
    gint64 now, RtcIceLitePeer **peer, guint *changes, guint8 *answer, gsize *answer_size);

/* Whose address that is, validated by a check before; NULL: nobody's. For all that is not STUN. */
RtcIceLitePeer *rtc_ice_lite_find (RtcIceLite *lite, const RtcAddress *from);

/* FROM carried something else that was authentic (SRTP): with a peer that nominates every pair (Firefox) this, and not
 * the last nomination, says which one it uses. Returns whether the address to send to changed. */
gboolean rtc_ice_lite_peer_heard (RtcIceLitePeer *peer, const RtcAddress *from, gint64 now);

/* Where to send to; NULL: no path yet, or it became another peer's. (transfer none): until the next call that takes
 * LITE, or PEER for other than to ask. */
const RtcAddress *rtc_ice_lite_peer_get_address (const RtcIceLitePeer *peer);

/* When the last authentic check came, from any address, which is the peer's consent (RFC 7675); 0: never. */
gint64 rtc_ice_lite_peer_get_last_check (const RtcIceLitePeer *peer);

gpointer rtc_ice_lite_peer_get_user_data (const RtcIceLitePeer *peer);

G_END_DECLS
