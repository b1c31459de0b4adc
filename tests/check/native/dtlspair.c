/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "dtlspair.h"
#include "core/rtcmessage.h"
#include "native/rtcdtlsidentity.h"
#include "native/rtcdtlswire.h"

#include <string.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

typedef struct
{
  gint64 at;
  guint to;
  GBytes *bytes;
} Datagram;

static void
datagram_free (gpointer data)
{
  Datagram *datagram = data;

  g_bytes_unref (datagram->bytes);
  g_free (datagram);
}

static gint
compare_times (gconstpointer a, gconstpointer b)
{
  const Datagram *first = a, *second = b;

  return first->at < second->at ? -1 : first->at > second->at;
}

static void
send_off (Pair *pair, guint to, GBytes *bytes)
{
  Datagram *datagram = g_new0 (Datagram, 1);

  datagram->at = pair->now + (pair->delay ? g_rand_int_range (pair->random, 1, pair->delay) : 0);
  datagram->to = to;
  datagram->bytes = g_bytes_ref (bytes);
  pair->flying = g_list_insert_sorted (pair->flying, datagram, compare_times);
}

static void
on_transmit (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;
  Pair *pair = side->pair;
  guint8 copy[RTC_DTLS_MAX_DATA + 100];
  GBytes *bytes;

  g_assert_cmpuint (size, >, 0);
  g_assert_cmpuint (size, <=, rtc_dtls_get_state (dtls) == RTC_DTLS_CONNECTED ? sizeof (copy) : RTC_DTLS_WIRE_MTU);
  memcpy (copy, data, size);
  if (pair->hook)
    pair->hook (side, 'T');
  pair->n_sent++;
  side->n_sent++;
  if (pair->filter && !pair->filter (side, copy, size, pair->user_data))
    return;
  bytes = g_bytes_new (copy, size);
  if (g_rand_double (pair->random) >= pair->loss)
    send_off (pair, 1 - side->index, bytes);
  if (g_rand_double (pair->random) < pair->duplication)
    send_off (pair, 1 - side->index, bytes);
  g_bytes_unref (bytes);
}

static void
on_state (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  g_assert_cmpint (rtc_dtls_get_state (dtls), ==, state);
  g_assert_true ((state == RTC_DTLS_FAILED) == (error != NULL));
  g_assert_true (!error || (error->domain == RTC_ERROR && *error->message));
  g_string_append_c (side->states, "NHCXF"[state]);
  if (error) {
    g_assert_null (side->error);
    side->error = g_error_copy (error);
  }
  if (state == RTC_DTLS_CONNECTED && side->data_on_connected)
    g_assert_true (rtc_dtls_send (dtls, (const guint8 *)side->data_on_connected, strlen (side->data_on_connected)));
  if (side->pair->hook)
    side->pair->hook (side, "NHCXF"[state]);
}

static void
on_data (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;

  g_assert_cmpint (rtc_dtls_get_state (dtls), ==, RTC_DTLS_CONNECTED);
  g_ptr_array_add (side->data, g_strndup ((const gchar *)data, size));
  if (side->pair->hook)
    side->pair->hook (side, 'D');
}

static const RtcDtlsEvents events = {on_transmit, on_state, on_data};

Pair *
pair_new (guint32 seed, RtcDtlsIdentity *client, RtcDtlsIdentity *server)
{
  Pair *pair = g_new0 (Pair, 1);

  pair->random = g_rand_new_with_seed (seed);
  pair->now = 1000;
  for (guint i = 0; i < 2; i++) {
    Side *side = &pair->sides[i];
    RtcDtlsIdentity *given = i == 0 ? client : server;
    GError *error = NULL;

    side->pair = pair;
    side->index = i;
    side->identity = given ? rtc_dtls_identity_ref (given) : rtc_dtls_identity_new (&error);
    g_assert_no_error (error);
    side->states = g_string_new (NULL);
    side->data = g_ptr_array_new_with_free_func (g_free);
    side->dtls = rtc_dtls_new (side->identity, &events, side);
  }
  return pair;
}

void
pair_free (Pair *pair)
{
  for (guint i = 0; i < 2; i++) {
    Side *side = &pair->sides[i];

    rtc_dtls_free (side->dtls);
    rtc_dtls_identity_unref (side->identity);
    g_string_free (side->states, TRUE);
    g_ptr_array_unref (side->data);
    g_clear_error (&side->error);
  }
  g_list_free_full (pair->flying, datagram_free);
  g_rand_free (pair->random);
  g_free (pair);
}

void
pair_start (Pair *pair, guint index, gchar **fingerprints)
{
  gchar *right[] = {(gchar *)rtc_dtls_identity_get_fingerprint (pair->sides[1 - index].identity), NULL};

  rtc_dtls_start (pair->sides[index].dtls, index == 1, fingerprints ? fingerprints : right, pair->now);
}

void
pair_start_both (Pair *pair)
{
  pair_start (pair, 1, NULL);
  pair_start (pair, 0, NULL);
}

void
pair_run (Pair *pair, gint64 duration)
{
  gint64 end = pair->now + duration;

  for (;;) {
    Datagram *first = pair->flying ? pair->flying->data : NULL;
    gint64 next = first ? first->at : -1;
    gint who = -1;

    for (gint i = 0; i < 2; i++) {
      gint64 deadline = rtc_dtls_get_deadline (pair->sides[i].dtls);

      if (deadline != -1 && (next == -1 || deadline < next)) {
        next = deadline;
        who = i;
      }
    }
    if (next == -1 || next > end)
      break;
    pair->now = MAX (pair->now, next);
    if (who >= 0) {
      rtc_dtls_tick (pair->sides[who].dtls, pair->now);
      /* Else a machine would keep its owner busy. */
      g_assert_true (rtc_dtls_get_deadline (pair->sides[who].dtls) == -1
          || rtc_dtls_get_deadline (pair->sides[who].dtls) > pair->now);
    } else {
      pair->flying = g_list_remove (pair->flying, first);
      pair_inject (pair, first->to, g_bytes_get_data (first->bytes, NULL), g_bytes_get_size (first->bytes));
      datagram_free (first);
    }
  }
  pair->now = end;
}

void
pair_inject (Pair *pair, guint to, const guint8 *data, gsize size)
{
  rtc_dtls_take (pair->sides[to].dtls, data, size, pair->now);
}

void
pair_check (Pair *pair, RtcSrtpProfile profile)
{
  RtcSrtpKeys ours[2], theirs[2];

  pair->loss = 0;
  pair_run (pair, SECOND);
  for (guint i = 0; i < 2; i++) {
    Side *side = &pair->sides[i];

    g_assert_no_error (side->error);
    g_assert_cmpstr (side->states->str, ==, "HC");
    g_assert_true (rtc_dtls_get_srtp_keys (side->dtls, &ours[i], &theirs[i]));
    g_assert_cmpint (ours[i].profile, ==, profile);
    g_assert_cmpstr (rtc_dtls_get_version (side->dtls), ==, "DTLS 1.2");
    g_assert_nonnull (rtc_dtls_get_cipher (side->dtls));
    g_assert_cmpint (rtc_dtls_get_deadline (side->dtls), ==, -1);
    g_assert_true (rtc_dtls_send (side->dtls, (const guint8 *)"ping", 4));
  }
  g_assert_cmpmem (&ours[0], sizeof (ours[0]), &theirs[1], sizeof (theirs[1]));
  g_assert_cmpmem (&ours[1], sizeof (ours[1]), &theirs[0], sizeof (theirs[0]));
  g_assert_cmpint (memcmp (ours[0].key, ours[1].key, 16), !=, 0);
  g_assert_cmpint (memcmp (ours[0].salt, ours[1].salt, 12), !=, 0);
  pair_run (pair, SECOND);
  for (guint i = 0; i < 2; i++) {
    Side *side = &pair->sides[i];

    g_assert_cmpuint (side->data->len, >, 0);
    g_assert_cmpstr (g_ptr_array_index (side->data, side->data->len - 1), ==, "ping");
    g_assert_cmpstr (side->states->str, ==, "HC");
  }
}
