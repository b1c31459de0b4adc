/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* STUN as it comes off the socket of ICE-lite.
 *
 * An input whose first byte is 0 to 3 is a datagram. It is read as it is, and once more with a name and a
 * MESSAGE-INTEGRITY that are right, so that what its attributes say has its effect. Any other is a story of 4 bytes a
 * step: what happens, to which of two peers and addresses, after how long, and how. */

#include <string.h>

#include "native/rtcicelite.h"
#include "native/rtcstun.h"

#define RFC_5769_PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"
#define PEERS 2
#define ADDRESSES 32
#define MAX_STEPS 256

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* What a peer knows: the credentials of now and of some time before. */
typedef struct
{
  RtcIceLitePeer *peer;
  gchar *username[2];
  GHmac *key[2];
} Known;

static void
forget (Known *known, guint i)
{
  g_clear_pointer (&known->username[i], g_free);
  g_clear_pointer (&known->key[i], g_hmac_unref);
}

static void
learn (Known *known, guint i)
{
  forget (known, i);
  known->username[i] = g_strdup_printf ("%s:abcd", rtc_ice_lite_peer_get_ufrag (known->peer));
  known->key[i] = rtc_stun_key_new (rtc_ice_lite_peer_get_password (known->peer));
}

static RtcAddress
address_of (guint n)
{
  RtcAddress address = {.ip = {192, 0, 2, 1}, .port = 1000 + n % ADDRESSES, .family = 4};

  if (n % 2) {
    address.family = 6;
    address.ip[15] = 1;
  }
  return address;
}

/* Returns whether it was answered; an answer is as it has to be. */
static gboolean
take (RtcIceLite *lite, const RtcAddress *from, const guint8 *data, gsize size, gint64 now, GHmac *key)
{
  guint8 answer[RTC_ICE_LITE_MAX_ANSWER];
  RtcIceLitePeer *peer;
  RtcStunMessage message;
  gsize answer_size;
  guint changes;

  if (rtc_ice_lite_take (lite, from, data, size, now, &peer, &changes, answer, &answer_size) == RTC_ICE_LITE_IGNORED) {
    if (peer || changes || answer_size)
      g_error ("ignored, but not without a trace");
    return FALSE;
  }
  if (!key || !peer)
    g_error ("answered to who knows no password");
  if (answer_size > size || !rtc_stun_parse (&message, answer, answer_size) || !rtc_stun_check_fingerprint (&message)
      || !rtc_stun_check_integrity (&message, key) || memcmp (message.id, data + 8, RTC_STUN_ID_SIZE) != 0)
    g_error ("an answer of %" G_GSIZE_FORMAT " bytes to %" G_GSIZE_FORMAT " that is not right", answer_size, size);
  if (message.klass == RTC_STUN_SUCCESS
          ? !rtc_address_equal (&message.mapped, from) || rtc_ice_lite_find (lite, from) != peer
          : changes != 0 || (message.error != 420 && message.error != 487))
    g_error ("an answer that does not fit what was done");
  return TRUE;
}

static void
take_datagram (const guint8 *data, gsize size)
{
  GHmac *rfc_key = rtc_stun_key_new (RFC_5769_PASSWORD);
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress from = address_of (size);
  RtcStunMessage message;
  Known known = {0};

  known.peer = rtc_ice_lite_add (lite, NULL);
  learn (&known, 0);
  if (rtc_stun_parse (&message, data, size)) {
    gsize end = message.integrity ? message.integrity : message.fingerprint ? message.fingerprint : size;
    gsize name_size = strlen (known.username[0]); /* 13 */
    guint8 *authentic = g_malloc0 (size + 20 + RTC_STUN_SEAL_SIZE);
    gsize authentic_size;

    rtc_stun_check_fingerprint (&message);
    rtc_stun_check_integrity (&message, rfc_key);
    g_free (g_memdup2 (message.username, message.username_size)); /* it can be read */

    memcpy (authentic, data, RTC_STUN_MIN_SIZE);
    authentic[21] = 0x06;
    authentic[23] = name_size;
    memcpy (authentic + 24, known.username[0], name_size);
    memcpy (authentic + 40, data + RTC_STUN_MIN_SIZE, end - RTC_STUN_MIN_SIZE);
    authentic_size = rtc_stun_seal (authentic, end + 20, known.key[0]);
    if (authentic_size <= G_MAXUINT16) {
      gboolean answered = take (lite, &from, authentic, authentic_size, 1000, known.key[0]);

      if (answered != (message.klass == RTC_STUN_REQUEST && message.method == RTC_STUN_BINDING && message.has_priority))
        g_error ("%s", answered ? "answered though it is no check" : "not answered though it is a check");
    }
    g_free (authentic);
  }
  take (lite, &from, data, size, 2000, NULL);
  forget (&known, 0);
  g_hmac_unref (rfc_key);
  rtc_ice_lite_free (lite);
}

static void
take_check (RtcIceLite *lite, Known *known, guint old, guint from, guint flags, gint64 now)
{
  const RtcStunCheck check = {.id = (const guint8 *)"123456789012",
      .username = known->username[old],
      .priority = 1,
      .use_candidate = flags & 1,
      .controlling = !(flags & 2)};
  RtcAddress address = address_of (from);
  guint8 question[128];
  gsize size = rtc_stun_write_check (question, &check, known->key[old]);
  gboolean taken;

  if (flags & 4)
    question[flags % size] ^= 1;
  taken = take (lite, &address, question, size, now, known->key[old]);
  if (taken && (flags & 4))
    g_error ("a check with a flipped bit is taken");
  if (!taken && !(flags & 4) && !old)
    g_error ("a check with the newest credentials is not taken");
}

static void
look_at (RtcIceLite *lite, const Known *known)
{
  const RtcAddress *to = rtc_ice_lite_peer_get_address (known->peer);
  guint n = 0;

  for (guint i = 0; i < ADDRESSES; i++) {
    RtcAddress address = address_of (i);

    n += rtc_ice_lite_find (lite, &address) == known->peer;
  }
  if (n > RTC_ICE_LITE_MAX_ADDRESSES || !to != !n || (to && rtc_ice_lite_find (lite, to) != known->peer))
    g_error ("%u addresses, and %s", n, to ? "one that is sent to" : "none that is sent to");
}

static void
live (const guint8 *data, gsize size)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Known peers[PEERS] = {0};
  gint64 now = 0;

  for (guint i = 0; i < PEERS; i++) {
    peers[i].peer = rtc_ice_lite_add (lite, NULL);
    learn (&peers[i], 0);
    learn (&peers[i], 1);
  }
  for (gsize at = 0; at + 4 <= size && at / 4 < MAX_STEPS; at += 4) {
    Known *known = &peers[data[at] % PEERS];
    RtcAddress address = address_of (data[at + 1]);

    now += data[at + 2] * data[at + 2] * G_TIME_SPAN_MILLISECOND; /* up to a minute */
    switch ((data[at] / PEERS) % 8) {
      case 0:
        rtc_ice_lite_peer_restart (lite, known->peer);
        learn (known, 0);
        break;
      case 1:
        learn (known, 1);
        break;
      case 2:
        rtc_ice_lite_remove (lite, known->peer);
        known->peer = rtc_ice_lite_add (lite, NULL);
        learn (known, 0);
        break;
      case 3:
        rtc_ice_lite_peer_set_remote_ufrag (known->peer, "abcd");
        break;
      case 4:
        take_check (lite, known, 1, data[at + 1], data[at + 3], now);
        break;
      case 5:
      case 6:
        take_check (lite, known, 0, data[at + 1], data[at + 3], now);
        break;
      default:
        if (rtc_ice_lite_peer_heard (known->peer, &address, now)
            && !rtc_address_equal (rtc_ice_lite_peer_get_address (known->peer), &address))
          g_error ("media moves to where it did not come from");
        break;
    }
    for (guint i = 0; i < PEERS; i++)
      look_at (lite, &peers[i]);
  }
  for (guint i = 0; i < PEERS; i++) {
    forget (&peers[i], 0);
    forget (&peers[i], 1);
  }
  rtc_ice_lite_free (lite);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > 0 && data[0] <= 3)
    take_datagram (data, size);
  else
    live (data, size);
  return 0;
}
