/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Who is answered, and with what. */

#include "iceliteclient.h"
#include "native/rtcstun.h"

#include <string.h>
#include <time.h>

static void
the_first_check_makes_a_path (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress one = address_of (1);
  Client client;

  client_init (&client, lite);
  g_assert_true (goes_to (&client, 0));
  g_assert_null (rtc_ice_lite_find (lite, &one));
  g_assert_cmpint (rtc_ice_lite_peer_get_last_check (client.peer), ==, 0);
  g_assert_false (heard (&client, 1, START));
  g_assert_true (goes_to (&client, 0));

  g_assert_cmpuint (check (&client, 1, START, 0), ==, RTC_ICE_LITE_FIRST);
  g_assert_true (goes_to (&client, 1));
  g_assert_cmpuint (check (&client, 1, START + MS (50), NOMINATED), ==, 0);
  g_assert_true (rtc_ice_lite_peer_get_user_data (rtc_ice_lite_find (lite, &one)) == &client);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
credentials_are_random (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  GHashTable *seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < 1000; i++) {
    RtcIceLitePeer *peer = rtc_ice_lite_add (lite, NULL);
    const gchar *both[] = {rtc_ice_lite_peer_get_ufrag (peer), rtc_ice_lite_peer_get_password (peer)};

    g_assert_cmpuint (strlen (both[0]), ==, 8);
    g_assert_cmpuint (strlen (both[1]), ==, 24);
    for (guint k = 0; k < 2; k++) {
      for (const gchar *c = both[k]; *c; c++)
        g_assert_true (g_ascii_isalnum (*c) || *c == '+' || *c == '/');
      g_assert_true (g_hash_table_add (seen, g_strdup (both[k])));
    }
  }
  g_hash_table_unref (seen);
  rtc_ice_lite_free (lite);
}

static void
who_does_not_know_the_password_gets_no_answer (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress one = address_of (1);
  guint8 question[256];
  Client client;
  gsize size;

  client_init (&client, lite);
  g_hmac_unref (client.key);
  client.key = rtc_stun_key_new ("VOkJxbRl1RmTxUk/WvJxBt");
  check_ignored (&client, 1, START);
  client_learn (&client);

  /* A password that is right, with a name that is not. */
  client.ufrag[0]++;
  check_ignored (&client, 1, START);
  client_learn (&client);

  /* Each bit. */
  size = write_check (&client, NOMINATED, question);
  for (gsize bit = 0; bit < 8 * size; bit++) {
    question[bit / 8] ^= 1 << bit % 8;
    ignored (lite, &one, question, size, START);
    question[bit / 8] ^= 1 << bit % 8;
  }
  for (gsize less = 0; less < size; less++)
    ignored (lite, &one, question, less, START);
  g_assert_true (goes_to (&client, 0));
  g_assert_cmpuint (check (&client, 1, START, 0), ==, RTC_ICE_LITE_FIRST);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
the_peer_s_name_counts_once_it_is_known (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client client;

  client_init (&client, lite);
  check (&client, 1, START, 0);
  rtc_ice_lite_peer_set_remote_ufrag (client.peer, "abcd");
  check (&client, 1, START, 0);
  client.own_ufrag = "abce";
  check_ignored (&client, 1, START);
  client.own_ufrag = "abcde";
  check_ignored (&client, 1, START);
  client.own_ufrag = "abc";
  check_ignored (&client, 1, START);
  client.own_ufrag = "";
  check_ignored (&client, 1, START);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* A message of attributes, each with the name, the length and the value. Its ends: sealed with the client's key. */
typedef struct
{
  guint8 data[512];
  gsize size;
} Message;

static void
message_init (Message *message, guint16 type)
{
  *message = (Message){.data = {type >> 8, type, 0, 0, 0x21, 0x12, 0xa4, 0x42, 9, 8, 7}, .size = RTC_STUN_MIN_SIZE};
}

static void
message_add (Message *message, guint16 type, const void *value, gsize size)
{
  guint8 *at = message->data + message->size;

  g_assert_cmpuint (message->size + size + 8 + RTC_STUN_SEAL_SIZE, <=, sizeof (message->data));
  at[0] = type >> 8;
  at[1] = type;
  at[2] = size >> 8;
  at[3] = size;
  if (size)
    memcpy (at + 4, value, size);
  message->size += 4 + ((size + 3) & ~(gsize)3);
}

static void
message_add_username (Message *message, Client *client)
{
  gchar *username = g_strdup_printf ("%s:%s", client->ufrag, client->own_ufrag);

  message_add (message, 0x0006, username, strlen (username));
  g_free (username);
}

static void
what_a_check_needs_has_to_be_there (void)
{
  enum
  {
    NO_USERNAME = 1,
    NO_COLON,
    NO_PRIORITY,
    NO_FINGERPRINT,
    NO_SEAL,
    INDICATION,
    SUCCESS,
    ERROR,
    ALLOCATE,
    N_CASES,
  };
  static const guint16 types[N_CASES] = {
      [INDICATION] = 0x0011, [SUCCESS] = 0x0101, [ERROR] = 0x0111, [ALLOCATE] = 0x0003};
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress one = address_of (1);
  Message message;
  Client client;
  guint changes;

  client_init (&client, lite);
  for (guint i = 1; i < N_CASES; i++) {
    message_init (&message, types[i] ? types[i] : 0x0001);
    if (i != NO_USERNAME)
      message_add_username (&message, &client);
    if (i == NO_COLON)
      message.data[RTC_STUN_MIN_SIZE + 4 + 8] = ';';
    if (i != NO_PRIORITY)
      message_add (&message, 0x0024, "\x6e\0\1\xff", 4);
    if (i == NO_SEAL)
      message.data[3] = message.size - RTC_STUN_MIN_SIZE;
    else
      message.size = rtc_stun_seal (message.data, message.size, client.key);
    if (i == NO_FINGERPRINT) {
      message.size -= 8;
      message.data[3] -= 8;
    }
    ignored (lite, &one, message.data, message.size, START);
  }
  /* The least that is one. */
  message_init (&message, 0x0001);
  message_add_username (&message, &client);
  message_add (&message, 0x0024, "\x6e\0\1\xff", 4);
  message.size = rtc_stun_seal (message.data, message.size, client.key);
  g_assert_cmpuint (answered (&client, &one, message.data, message.size, START, &changes), ==, 0);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
no_answer_is_longer_than_its_question (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress six;
  Message message;
  Client client;
  guint changes;

  g_assert_true (rtc_address_parse (&six, "2001:db8::1", 5000));
  client_init (&client, lite);
  client.own_ufrag = "x"; /* shorter than any that RFC 8445 allows */
  for (guint unknown = 0; unknown < 30; unknown++) {
    for (guint controlled = 0; controlled < 2; controlled++) {
      guint expected = unknown ? 420 : controlled ? 487 : 0;

      message_init (&message, 0x0001);
      message_add_username (&message, &client);
      message_add (&message, 0x0024, "\x6e\0\1\xff", 4);
      if (controlled)
        message_add (&message, 0x8029, "12345678", 8);
      for (guint i = 0; i < unknown; i++)
        message_add (&message, 0x7f00 + i, NULL, 0);
      message.size = rtc_stun_seal (message.data, message.size, client.key);
      /* It looks at the sizes. A refusal changes nothing, and is no consent. */
      g_assert_cmpuint (answered (&client, &six, message.data, message.size, START + unknown, &changes), ==, expected);
      g_assert_cmpuint (changes, ==, expected ? 0 : RTC_ICE_LITE_FIRST);
      g_assert_cmpint (rtc_ice_lite_peer_get_last_check (client.peer), ==, START);
    }
  }
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
who_is_controlled_is_told_and_changes_nothing (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress one = address_of (1);
  guint8 question[256];
  Client client;
  guint changes;
  gsize size;

  client_init (&client, lite);
  size = write_check (&client, CONTROLLED | NOMINATED, question);
  g_assert_cmpuint (answered (&client, &one, question, size, START, &changes), ==, 487);
  g_assert_cmpuint (changes, ==, 0);
  g_assert_true (goes_to (&client, 0));
  g_assert_null (rtc_ice_lite_find (lite, &one));
  g_assert_cmpint (rtc_ice_lite_peer_get_last_check (client.peer), ==, 0);

  /* Not for who does not know the password. */
  question[size - 9] ^= 1;
  ignored (lite, &one, question, size, START);

  g_assert_cmpuint (check (&client, 1, START, NOMINATED), ==, RTC_ICE_LITE_FIRST);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
two_peers_are_told_apart (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress one = address_of (1), two = address_of (2);
  Client a, b;

  client_init (&a, lite);
  client_init (&b, lite);
  check (&a, 1, START, NOMINATED);
  check (&b, 2, START, NOMINATED);
  g_assert_true (goes_to (&a, 1) && goes_to (&b, 2));

  /* The name of one with the password of the other. */
  client_learn (&b);
  g_free (a.ufrag);
  a.ufrag = g_strdup (b.ufrag);
  check_ignored (&a, 3, START);

  rtc_ice_lite_remove (lite, a.peer);
  g_assert_null (rtc_ice_lite_find (lite, &one));
  g_assert_true (rtc_ice_lite_find (lite, &two) == b.peer);
  client_clear (&a);
  client_clear (&b);
  rtc_ice_lite_free (lite);
}

static void
a_restart_keeps_what_was_until_it_is_used (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client before, after;
  gint64 now = START;

  client_init (&after, lite);
  rtc_ice_lite_peer_set_remote_ufrag (after.peer, "abcd");
  check (&after, 1, now, NOMINATED);
  before = client_copy (&after);
  rtc_ice_lite_peer_restart (lite, after.peer);
  client_learn (&after);
  g_assert_cmpstr (after.ufrag, !=, before.ufrag);
  g_assert_cmpstr (after.password, !=, before.password);
  g_assert_true (goes_to (&after, 1));

  /* The old ones hold, with the peer's old name only. */
  g_assert_cmpuint (check (&before, 1, now += MS (100), NOMINATED), ==, 0);
  before.own_ufrag = "efgh";
  check_ignored (&before, 1, now);
  before.own_ufrag = "abcd";
  check (&before, 1, now, NOMINATED);

  /* A check with the new ones overtakes the answer that has the peer's new name, and ends the old ones. */
  after.own_ufrag = "efgh";
  g_assert_cmpuint (check (&after, 2, now += MS (600), NOMINATED), ==, RTC_ICE_LITE_RESTARTED | RTC_ICE_LITE_MOVED);
  rtc_ice_lite_peer_set_remote_ufrag (after.peer, "efgh");
  g_assert_true (goes_to (&after, 2));
  check_ignored (&before, 1, now);
  g_assert_cmpuint (check (&after, 2, now += MS (100), NOMINATED), ==, 0);

  /* One that changes only the credentials. */
  rtc_ice_lite_peer_restart (lite, after.peer);
  client_learn (&after);
  g_assert_cmpuint (check (&after, 2, now += MS (100), 0), ==, RTC_ICE_LITE_RESTARTED);
  client_clear (&before);
  client_clear (&after);
  rtc_ice_lite_free (lite);
}

static void
restarts_that_are_not_answered_are_kept_in_bounds (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client clients[6];
  gint64 now = START;

  client_init (&clients[0], lite);
  g_assert_cmpuint (check (&clients[0], 1, now, 0), ==, RTC_ICE_LITE_FIRST);
  for (guint i = 1; i < G_N_ELEMENTS (clients); i++) {
    rtc_ice_lite_peer_restart (lite, clients[0].peer);
    clients[i] = client_copy (&clients[0]);
    client_learn (&clients[i]);
  }
  /* Those in use, the last and the last but one hold. */
  for (guint i = 1; i <= 3; i++)
    check_ignored (&clients[i], 1, now);
  g_assert_cmpuint (check (&clients[0], 1, now, 0), ==, 0);
  g_assert_cmpuint (check (&clients[4], 1, now, 0), ==, RTC_ICE_LITE_RESTARTED);
  check_ignored (&clients[0], 1, now);
  g_assert_cmpuint (check (&clients[4], 1, now, 0), ==, 0);
  g_assert_cmpuint (check (&clients[5], 1, now, 0), ==, RTC_ICE_LITE_RESTARTED);
  check_ignored (&clients[4], 1, now);
  for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
    client_clear (&clients[i]);
  rtc_ice_lite_free (lite);
}

static void
a_restart_before_the_first_check_is_both (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client client;

  client_init (&client, lite);
  rtc_ice_lite_peer_restart (lite, client.peer);
  client_learn (&client);
  g_assert_cmpuint (check (&client, 1, START, 0), ==, RTC_ICE_LITE_FIRST | RTC_ICE_LITE_RESTARTED);
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* Nanoseconds of CPU that each of N questions of SIZE bytes takes, from the datagram to its answer. */
static gdouble
measure (RtcIceLite *lite, guint8 (*questions)[128], guint n, gsize size, RtcIceLiteResult expected)
{
  const guint rounds = 300;
  guint8 answer[RTC_ICE_LITE_MAX_ANSWER];
  RtcAddress from = address_of (1);
  RtcIceLitePeer *peer;
  gsize answer_size;
  guint changes;
  clock_t begin;

  begin = clock ();
  for (guint i = 0; i < rounds * n; i++) {
    from.port = i % n + 1;
    g_assert_cmpint (
        rtc_ice_lite_take (lite, &from, questions[i % n], size, START, &peer, &changes, answer, &answer_size), ==,
        expected);
  }
  return (clock () - begin) * (1e9 / CLOCKS_PER_SEC) / (rounds * n);
}

/* With -m perf, among a thousand peers. */
static void
a_check_costs_little (void)
{
  enum
  {
    PEERS = 1000,
  };
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client *clients = g_new0 (Client, PEERS);
  guint8 (*questions)[128] = g_malloc (PEERS * sizeof (*questions));
  GHmac *wrong = rtc_stun_key_new ("another one");
  gsize size = 0;
  gdouble cost;

  for (guint i = 0; i < PEERS; i++) {
    client_init (&clients[i], lite);
    size = write_check (&clients[i], NOMINATED, questions[i]);
  }
  cost = measure (lite, questions, PEERS, size, RTC_ICE_LITE_ANSWERED);
  g_test_minimized_result (cost, "%.0f ns a check", cost);

  /* Of somebody who has seen the name only. */
  for (guint i = 0; i < PEERS; i++)
    rtc_stun_seal (questions[i], size - RTC_STUN_SEAL_SIZE, wrong);
  cost = measure (lite, questions, PEERS, size, RTC_ICE_LITE_IGNORED);
  g_test_minimized_result (cost, "%.0f ns a forged check", cost);

  /* Of somebody who has not. */
  for (guint i = 0; i < PEERS; i++)
    questions[i][RTC_STUN_MIN_SIZE + 5] ^= 1;
  cost = measure (lite, questions, PEERS, size, RTC_ICE_LITE_IGNORED);
  g_test_minimized_result (cost, "%.0f ns a stranger's", cost);

  for (guint i = 0; i < PEERS; i++)
    client_clear (&clients[i]);
  g_hmac_unref (wrong);
  g_free (clients);
  g_free (questions);
  rtc_ice_lite_free (lite);
}

#define TEST(name) g_test_add_func ("/icelite/" #name, name)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST (the_first_check_makes_a_path);
  TEST (credentials_are_random);
  TEST (who_does_not_know_the_password_gets_no_answer);
  TEST (the_peer_s_name_counts_once_it_is_known);
  TEST (what_a_check_needs_has_to_be_there);
  TEST (no_answer_is_longer_than_its_question);
  TEST (who_is_controlled_is_told_and_changes_nothing);
  TEST (two_peers_are_told_apart);
  TEST (a_restart_keeps_what_was_until_it_is_used);
  TEST (restarts_that_are_not_answered_are_kept_in_bounds);
  TEST (a_restart_before_the_first_check_is_both);
  if (g_test_perf ())
    TEST (a_check_costs_little);
  return g_test_run ();
}
