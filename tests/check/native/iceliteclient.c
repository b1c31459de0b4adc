/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "iceliteclient.h"

#include "native/rtcstun.h"

void
client_learn (Client *client)
{
  g_free (client->ufrag);
  g_free (client->password);
  g_clear_pointer (&client->key, g_hmac_unref);
  client->ufrag = g_strdup (rtc_ice_lite_peer_get_ufrag (client->peer));
  client->password = g_strdup (rtc_ice_lite_peer_get_password (client->peer));
  client->key = rtc_stun_key_new (client->password);
}

void
client_init (Client *client, RtcIceLite *lite)
{
  *client = (Client){.lite = lite, .own_ufrag = "abcd"};
  client->peer = rtc_ice_lite_add (lite, client);
  client_learn (client);
}

void
client_clear (Client *client)
{
  g_free (client->ufrag);
  g_free (client->password);
  g_hmac_unref (client->key);
}

RtcAddress
address_of (guint n)
{
  gchar *ip = g_strdup_printf ("198.51.100.%u", n);
  RtcAddress address;

  g_assert_true (rtc_address_parse (&address, ip, 1000 + n));
  g_free (ip);
  return address;
}

gsize
write_check (Client *client, guint flags, guint8 *out)
{
  static guint32 number;
  guint32 id[3] = {number++, 2, 3};
  gchar *username = g_strdup_printf ("%s:%s", client->ufrag, client->own_ufrag);
  const RtcStunCheck check = {.id = (const guint8 *)id,
      .username = username,
      .priority = 0x6e0001ff,
      .use_candidate = flags & NOMINATED,
      .controlling = !(flags & CONTROLLED),
      .tie_breaker = 1};
  gsize size = rtc_stun_write_check (out, &check, client->key);

  g_free (username);
  return size;
}

guint
answered (Client *client, const RtcAddress *from, const guint8 *question, gsize size, gint64 now, guint *changes)
{
  guint8 answer[RTC_ICE_LITE_MAX_ANSWER];
  RtcIceLitePeer *peer;
  RtcStunMessage message;
  gsize answer_size;

  g_assert_cmpint (rtc_ice_lite_take (client->lite, from, question, size, now, &peer, changes, answer, &answer_size),
      ==, RTC_ICE_LITE_ANSWERED);
  g_assert_true (peer == client->peer);
  g_assert_cmpuint (answer_size, <=, size);
  g_assert_true (rtc_stun_parse (&message, answer, answer_size));
  g_assert_true (rtc_stun_check_fingerprint (&message));
  g_assert_true (rtc_stun_check_integrity (&message, client->key));
  g_assert_cmpmem (message.id, RTC_STUN_ID_SIZE, question + 8, RTC_STUN_ID_SIZE);
  g_assert_cmpint (message.klass, ==, message.error ? RTC_STUN_ERROR : RTC_STUN_SUCCESS);
  if (!message.error)
    g_assert_true (rtc_address_equal (&message.mapped, from));
  return message.error;
}

void
ignored (RtcIceLite *lite, const RtcAddress *from, const guint8 *question, gsize size, gint64 now)
{
  RtcIceLitePeer *before = rtc_ice_lite_find (lite, from);
  guint8 answer[RTC_ICE_LITE_MAX_ANSWER];
  RtcIceLitePeer *peer;
  gsize answer_size;
  guint changes;

  g_assert_cmpint (rtc_ice_lite_take (lite, from, question, size, now, &peer, &changes, answer, &answer_size), ==,
      RTC_ICE_LITE_IGNORED);
  g_assert_null (peer);
  g_assert_cmpuint (changes, ==, 0);
  g_assert_cmpuint (answer_size, ==, 0);
  g_assert_true (rtc_ice_lite_find (lite, from) == before);
}

guint
check (Client *client, guint from, gint64 now, guint flags)
{
  RtcAddress address = address_of (from);
  guint8 question[256];
  gsize size = write_check (client, flags, question);
  guint changes;

  g_assert_cmpuint (answered (client, &address, question, size, now, &changes), ==, 0);
  g_assert_true (rtc_ice_lite_find (client->lite, &address) == client->peer);
  g_assert_cmpint (rtc_ice_lite_peer_get_last_check (client->peer), ==, now);
  return changes;
}

void
check_ignored (Client *client, guint from, gint64 now)
{
  RtcAddress address = address_of (from);
  guint8 question[256];
  gsize size = write_check (client, NOMINATED, question);

  ignored (client->lite, &address, question, size, now);
}

Client
client_copy (const Client *client)
{
  Client copy = *client;

  copy.ufrag = g_strdup (client->ufrag);
  copy.password = g_strdup (client->password);
  copy.key = g_hmac_ref (client->key);
  return copy;
}

gboolean
heard (Client *client, guint from, gint64 now)
{
  RtcAddress address = address_of (from);

  return rtc_ice_lite_peer_heard (client->peer, &address, now);
}

gboolean
goes_to (Client *client, guint n)
{
  const RtcAddress *address = rtc_ice_lite_peer_get_address (client->peer);
  RtcAddress expected;

  if (n == 0)
    return !address;
  expected = address_of (n);
  return address && rtc_address_equal (address, &expected);
}
