/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "dtlspair.h"
#include "core/rtcmessage.h"
#include "native/rtcdtlsidentity.h"

#include <string.h>

#define SECOND ((gint64)G_USEC_PER_SEC)
#define N_SEEDS 300

static RtcDtlsIdentity *ours, *theirs;

static void
two_connect (void)
{
  Pair *pair = pair_new (1, NULL, NULL);

  pair_start_both (pair);
  pair_run (pair, SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  g_assert_cmpstr (rtc_dtls_get_cipher (pair->sides[0].dtls), ==, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  pair_free (pair);
}

static gint64
connect_with_seed (guint32 seed)
{
  Pair *pair = pair_new (seed, ours, theirs);
  gint64 took;

  pair->loss = (seed % 5) * 0.08;
  pair->duplication = (seed % 3) * 0.2;
  pair->delay = seed % 7 * 15000;
  pair->sides[0].data_on_connected = pair->sides[1].data_on_connected = (gchar *)"early";
  pair_start (pair, seed % 2, NULL);
  pair_run (pair, g_rand_int_range (pair->random, 0, 300000));
  pair_start (pair, 1 - seed % 2, NULL);
  took = pair->now;
  while (!(rtc_dtls_get_state (pair->sides[0].dtls) == rtc_dtls_get_state (pair->sides[1].dtls)
      && rtc_dtls_get_state (pair->sides[0].dtls) >= RTC_DTLS_CONNECTED))
    pair_run (pair, 1000);
  took = pair->now - took;
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
  return took;
}

/* RTC_SEED=n runs that one only. */
static void
every_seed_connects (void)
{
  const gchar *only = g_getenv ("RTC_SEED");
  gint64 worst = 0, sum = 0;

  for (guint32 seed = only ? atoi (only) : 0; seed < (only ? (guint32)atoi (only) + 1 : N_SEEDS); seed++) {
    gint64 took;

    g_test_message ("RTC_SEED=%u", seed);
    took = connect_with_seed (seed);
    worst = MAX (worst, took);
    sum += took;
  }
  g_test_message (
      "on average %" G_GINT64_FORMAT " ms, at worst %" G_GINT64_FORMAT " ms", sum / N_SEEDS / 1000, worst / 1000);
}

static gboolean
lose_some (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  const guint64 *which = user_data;
  guint n = from->pair->n_sent - 1;

  return n > 63 || !(*which & G_GUINT64_CONSTANT (1) << n);
}

/* N: how many datagrams were sent. */
static gint64
connect_without (guint64 which, guint *n)
{
  Pair *pair = pair_new (1, ours, theirs);
  gint64 took;

  pair->filter = lose_some;
  pair->user_data = &which;
  pair->delay = 2000;
  pair_start_both (pair);
  took = pair->now;
  while (!(g_str_has_suffix (pair->sides[0].states->str, "C") && g_str_has_suffix (pair->sides[1].states->str, "C"))) {
    g_assert_cmpint (pair->now - took, <, 30 * SECOND);
    pair_run (pair, 1000);
  }
  took = pair->now - took;
  *n = pair->n_sent;
  pair->filter = NULL;
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
  return took;
}

static void
each_datagram_may_be_lost (void)
{
  guint n, used;

  connect_without (0, &n);
  g_assert_cmpuint (n, >=, 4);
  for (guint i = 0; i < n; i++) {
    gint64 took = connect_without (G_GUINT64_CONSTANT (1) << i, &used);

    g_test_message ("without datagram %u of %u: %" G_GINT64_FORMAT " ms", i, n, took / 1000);
    g_assert_cmpint (took, <, 200 * 1000);
    for (guint j = i + 1; j < n + 4; j++)
      g_assert_cmpint (connect_without (G_GUINT64_CONSTANT (1) << i | G_GUINT64_CONSTANT (1) << j, &used), <, SECOND);
  }
  /* And all of the first ones: the seventh try of a hello is 3.2 s after the sixth. */
  g_assert_cmpint (connect_without (0x3f, &used), <, 4 * SECOND);
  g_assert_cmpint (connect_without (0x7ff, &used), <, 27 * SECOND);
}

static gboolean
lose_all (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  return FALSE;
}

static void
it_gives_up_after_30_s (void)
{
  Pair *pair = pair_new (1, ours, theirs);

  pair->filter = lose_all;
  pair_start_both (pair);
  pair_run (pair, 30 * SECOND - 1000);
  g_assert_cmpstr (pair->sides[0].states->str, ==, "H");
  g_assert_cmpstr (pair->sides[1].states->str, ==, "H");
  g_assert_cmpuint (pair->sides[0].n_sent, ==, 13);
  pair_run (pair, 1000);
  for (guint i = 0; i < 2; i++) {
    g_assert_cmpstr (pair->sides[i].states->str, ==, "HF");
    g_assert_error (pair->sides[i].error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
    g_assert_nonnull (strstr (pair->sides[i].error->message, "30 s"));
    g_assert_cmpint (rtc_dtls_get_deadline (pair->sides[i].dtls), ==, -1);
  }
  pair_run (pair, 60 * SECOND);
  g_assert_cmpuint (pair->n_sent, ==, 13);
  pair_free (pair);
}

/* The path of a peer that was slow to be found does not have to be perfect at once. */
static void
a_late_hello_has_its_own_30_s (void)
{
  Pair *pair = pair_new (1, ours, theirs);

  pair_start (pair, 1, NULL);
  pair_run (pair, 25 * SECOND);
  pair_start (pair, 0, NULL);
  pair->filter = lose_all;
  pair_run (pair, 1000); /* the hello is on its way */
  g_assert_cmpuint (pair->sides[1].n_sent, ==, 1);
  pair_run (pair, 15 * SECOND);
  pair->filter = NULL;
  pair_run (pair, 5 * SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
}

static gboolean
lose_the_end (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  gint *n = user_data;

  /* Its last flight is made before it is connected, so look at the change of cipher, and at the Finished behind. */
  return from->index == 0 || data[0] != 20 || (*n)-- <= 0;
}

/* The server is connected and has no timer any more: what the client sends again has to make it answer again. */
static void
a_lost_last_flight_is_answered_again (void)
{
  Pair *pair = pair_new (1, ours, theirs);
  gint n = 3;

  pair->filter = lose_the_end;
  pair->user_data = &n;
  pair_start_both (pair);
  pair_run (pair, 300 * 1000);
  g_assert_cmpstr (pair->sides[0].states->str, ==, "H");
  g_assert_cmpstr (pair->sides[1].states->str, ==, "HC");
  g_assert_cmpint (rtc_dtls_get_deadline (pair->sides[1].dtls), ==, -1);
  pair_run (pair, SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
}

/* An OpenSSL that does not let us reach its timer. Nothing is slept through: time passes here. */
static void
the_wall_clock_does_too (void)
{
  RtcDtlsIdentity *client = rtc_dtls_identity_new (NULL);
  guint64 which = 1 | 4 | 16;
  gint64 end = g_get_monotonic_time () + 20 * SECOND;
  Pair *pair;

  /* So it is known when this ceases to be true. */
  g_assert_true (client->has_timer == (OpenSSL_version_num () < 0x30200000L));
  client->has_timer = FALSE;
  pair = pair_new (1, client, theirs);
  pair->sides[1].identity->has_timer = FALSE;
  pair->filter = lose_some;
  pair->user_data = &which;
  pair->now = g_get_monotonic_time ();
  pair_start_both (pair);
  while (rtc_dtls_get_state (pair->sides[0].dtls) != RTC_DTLS_CONNECTED) {
    gint64 now = g_get_monotonic_time ();

    g_assert_cmpint (now, <, end);
    pair_run (pair, MAX (now - pair->now, 0));
  }
  pair->sides[1].identity->has_timer = ours->has_timer;
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
  rtc_dtls_identity_unref (client);
}

static const guint8 padding[1300];

static int
add_padding (SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *size, X509 *x, size_t chain,
    int *alert, void *user_data)
{
  *out = padding;
  *size = sizeof (padding);
  return 1;
}

/* As browsers do, which have a key share of ML-KEM in it. */
static void
a_hello_of_two_datagrams_waits_for_start (void)
{
  RtcDtlsIdentity *client = rtc_dtls_identity_new (NULL);
  Pair *pair;
  guint sent;

  g_assert_true (
      SSL_CTX_add_custom_ext (client->context, 0xffaa, SSL_EXT_CLIENT_HELLO, add_padding, NULL, NULL, NULL, NULL));
  for (guint wait = 0; wait < 20; wait++) {
    pair = pair_new (wait, client, theirs);
    pair_start (pair, 0, NULL);
    g_assert_cmpuint (pair->sides[0].n_sent, ==, 2);
    pair_run (pair, wait * 100 * 1000);
    g_assert_cmpuint (pair->sides[1].n_sent, ==, 0);
    g_assert_cmpstr (pair->sides[1].states->str, ==, "");
    sent = pair->sides[0].n_sent;
    pair_start (pair, 1, NULL);
    pair_run (pair, 1);
    pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    g_assert_cmpuint (pair->sides[0].n_sent, <=, sent + 5); /* no hello among them */
    pair_free (pair);
  }
  rtc_dtls_identity_unref (client);
}

static void
offer_profiles (const gchar *profiles, gboolean by_client, gint expected)
{
  RtcDtlsIdentity *other = rtc_dtls_identity_new (NULL);
  Pair *pair = by_client ? pair_new (1, other, theirs) : pair_new (1, ours, other);
  RtcSrtpKeys keys[2];

  g_assert_cmpint (SSL_CTX_set_tlsext_use_srtp (other->context, profiles), ==, 0);
  pair_start_both (pair);
  pair_run (pair, SECOND);
  if (expected >= 0) {
    pair_check (pair, expected);
  } else {
    g_assert_cmpstr (pair->sides[0].states->str, ==, "HC");
    g_assert_false (rtc_dtls_get_srtp_keys (pair->sides[0].dtls, &keys[0], &keys[1]));
    g_assert_false (rtc_dtls_get_srtp_keys (pair->sides[1].dtls, &keys[0], &keys[1]));
  }
  pair_free (pair);
  rtc_dtls_identity_unref (other);
}

static void
gcm_is_chosen (void)
{
  offer_profiles (
      "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM", TRUE, RTC_SRTP_AEAD_AES_128_GCM);
  offer_profiles ("SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80", TRUE, RTC_SRTP_AES128_CM_SHA1_80);
  offer_profiles ("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", FALSE, RTC_SRTP_AES128_CM_SHA1_80);
  offer_profiles ("SRTP_AES128_CM_SHA1_80", FALSE, RTC_SRTP_AES128_CM_SHA1_80);
  offer_profiles ("SRTP_AES128_CM_SHA1_32", TRUE, -1);
}

static void
either_side_closes (void)
{
  for (guint i = 0; i < 2; i++) {
    Pair *pair = pair_new (i, ours, theirs);
    Side *one = &pair->sides[i], *other = &pair->sides[1 - i];
    RtcSrtpKeys keys[2];
    guint sent;

    pair_start_both (pair);
    pair_run (pair, SECOND);
    pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    sent = one->n_sent;
    rtc_dtls_close (one->dtls);
    rtc_dtls_close (one->dtls);
    g_assert_cmpuint (one->n_sent, ==, sent + 1);
    g_assert_cmpint (rtc_dtls_get_state (one->dtls), ==, RTC_DTLS_CLOSED);
    pair_run (pair, SECOND);
    g_assert_cmpstr (one->states->str, ==, "HC");
    g_assert_cmpstr (other->states->str, ==, "HCX");
    g_assert_false (rtc_dtls_send (other->dtls, (const guint8 *)"x", 1));
    g_assert_false (rtc_dtls_send (one->dtls, (const guint8 *)"x", 1));
    g_assert_false (rtc_dtls_get_srtp_keys (other->dtls, &keys[0], &keys[1]));
    g_assert_null (rtc_dtls_get_version (other->dtls));
    sent = other->n_sent;
    rtc_dtls_close (other->dtls);
    rtc_dtls_close (other->dtls);
    g_assert_cmpuint (other->n_sent, ==, sent + 1);
    pair_run (pair, SECOND);
    g_assert_cmpstr (one->states->str, ==, "HC");
    pair_free (pair);
  }
}

static void
closing_before_there_is_anything (void)
{
  Pair *pair = pair_new (1, ours, theirs);

  pair_start (pair, 0, NULL);
  rtc_dtls_close (pair->sides[0].dtls);
  rtc_dtls_close (pair->sides[1].dtls);
  pair_start (pair, 1, NULL);
  pair_run (pair, 60 * SECOND);
  g_assert_cmpuint (pair->n_sent, ==, 1);
  g_assert_cmpstr (pair->sides[0].states->str, ==, "H");
  g_assert_cmpstr (pair->sides[1].states->str, ==, "");
  pair_free (pair);
}

static gchar close_at;

static void
close_inside (Side *side, gchar event)
{
  g_assert_false (event == 'T' && rtc_dtls_send (side->dtls, (const guint8 *)"in", 2));
  rtc_dtls_take (side->dtls, (const guint8 *)"\x16in vain", 8, side->pair->now);
  rtc_dtls_tick (side->dtls, side->pair->now);
  if (event == close_at)
    rtc_dtls_close (side->dtls);
}

/* Whatever a machine's owner does from inside of an event. */
static void
events_may_call_back (void)
{
  for (const gchar *at = "HTCD-"; *at; at++) {
    Pair *pair = pair_new (1, ours, theirs);

    close_at = *at;
    pair->hook = close_inside;
    pair->sides[0].data_on_connected = pair->sides[1].data_on_connected = (gchar *)"early";
    pair_start_both (pair);
    pair_run (pair, SECOND);
    if (*at == '-')
      pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    for (guint i = 0; *at != '-' && i < 2; i++)
      g_assert_cmpint (rtc_dtls_get_state (pair->sides[i].dtls), !=, RTC_DTLS_CONNECTED);
    pair_free (pair);
  }
}

static gboolean
pass_at_once (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  pair_inject (from->pair, 1 - from->index, data, size);
  return FALSE;
}

/* Two machines in one call stack, with nothing between them that waits. */
static void
a_wire_may_be_a_function_call (void)
{
  Pair *pair = pair_new (1, ours, theirs);

  pair->filter = pass_at_once;
  pair_start_both (pair);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
}

static void
data_has_a_largest_size (void)
{
  Pair *pair = pair_new (1, ours, theirs);
  guint8 data[RTC_DTLS_MAX_DATA + 1];

  memset (data, 'x', sizeof (data));
  g_assert_false (rtc_dtls_send (pair->sides[0].dtls, data, 1));
  pair_start_both (pair);
  g_assert_false (rtc_dtls_send (pair->sides[0].dtls, data, 1));
  pair_run (pair, SECOND);
  g_assert_false (rtc_dtls_send (pair->sides[0].dtls, data, 0));
  g_assert_false (rtc_dtls_send (pair->sides[0].dtls, data, sizeof (data)));
  g_assert_true (rtc_dtls_send (pair->sides[0].dtls, data, RTC_DTLS_MAX_DATA));
  pair_run (pair, SECOND);
  g_assert_cmpuint (pair->sides[1].data->len, ==, 1);
  g_assert_cmpuint (strlen (pair->sides[1].data->pdata[0]), ==, RTC_DTLS_MAX_DATA);
  pair_free (pair);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  ours = rtc_dtls_identity_new (NULL);
  theirs = rtc_dtls_identity_new (NULL);
  g_test_add_func ("/dtls/two_connect", two_connect);
  g_test_add_func ("/dtls/every_seed_connects", every_seed_connects);
  g_test_add_func ("/dtls/each_datagram_may_be_lost", each_datagram_may_be_lost);
  g_test_add_func ("/dtls/it_gives_up_after_30_s", it_gives_up_after_30_s);
  g_test_add_func ("/dtls/a_late_hello_has_its_own_30_s", a_late_hello_has_its_own_30_s);
  g_test_add_func ("/dtls/a_lost_last_flight_is_answered_again", a_lost_last_flight_is_answered_again);
  g_test_add_func ("/dtls/the_wall_clock_does_too", the_wall_clock_does_too);
  g_test_add_func ("/dtls/a_hello_of_two_datagrams_waits_for_start", a_hello_of_two_datagrams_waits_for_start);
  g_test_add_func ("/dtls/gcm_is_chosen", gcm_is_chosen);
  g_test_add_func ("/dtls/either_side_closes", either_side_closes);
  g_test_add_func ("/dtls/closing_before_there_is_anything", closing_before_there_is_anything);
  g_test_add_func ("/dtls/events_may_call_back", events_may_call_back);
  g_test_add_func ("/dtls/a_wire_may_be_a_function_call", a_wire_may_be_a_function_call);
  g_test_add_func ("/dtls/data_has_a_largest_size", data_has_a_largest_size);
  result = g_test_run ();
  rtc_dtls_identity_unref (ours);
  rtc_dtls_identity_unref (theirs);
  return result;
}
