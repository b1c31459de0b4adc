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

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  ours = rtc_dtls_identity_new (NULL);
  theirs = rtc_dtls_identity_new (NULL);
  g_test_add_func ("/dtls/two_connect", two_connect);
  g_test_add_func ("/dtls/every_seed_connects", every_seed_connects);
  result = g_test_run ();
  rtc_dtls_identity_unref (ours);
  rtc_dtls_identity_unref (theirs);
  return result;
}
