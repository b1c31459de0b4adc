/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcdatalog.h"

#include <string.h>

#define N_SEEDS 1000
#define N_MESSAGES 400
#define MAX_BYTES 20000

/* A sender and a receiver, with a connection that is cut now and then; what is on its way then is lost. */
typedef struct
{
  GRand *rand;
  RtcDataLog *log;
  RtcDataTally tally;
  GQueue data; /* of GBytes, on their way */
  GQueue counts; /* of guint64, on their way back */
  guint connection; /* what the receiver calls it */
  gboolean began; /* the first count is the answer to the connection */
  guint32 made, delivered;
  gint64 now;
  guint cuts, waits;
} Wire;

static void
push_count (Wire *wire)
{
  guint64 *count = g_new (guint64, 1);

  *count = wire->tally.delivered;
  g_queue_push_tail (&wire->counts, count);
  rtc_data_tally_told (&wire->tally);
}

static void
produce (Wire *wire)
{
  gsize size = sizeof wire->made + g_rand_int_range (wire->rand, 0, g_rand_boolean (wire->rand) ? 8 : 5000);
  guint8 *bytes = g_malloc0 (size);
  GBytes *message;

  memcpy (bytes, &wire->made, sizeof wire->made);
  message = g_bytes_new_take (bytes, size);
  if (rtc_data_log_add (wire->log, wire->made % 2, message))
    wire->made++;
  else
    wire->waits++;
  g_assert_cmpuint (rtc_data_log_get_bytes (wire->log), <=, MAX_BYTES);
  g_bytes_unref (message);
}

static void
transmit (Wire *wire)
{
  gboolean is_text;
  GBytes *message = rtc_data_log_next (wire->log, &is_text);
  guint32 number;

  if (!message)
    return;
  memcpy (&number, g_bytes_get_data (message, NULL), sizeof number);
  g_assert_cmpint (is_text, ==, number % 2);
  g_queue_push_tail (&wire->data, g_bytes_ref (message));
}

static void
deliver (Wire *wire)
{
  GBytes *message = g_queue_pop_head (&wire->data);
  guint32 number;

  if (!message)
    return;
  memcpy (&number, g_bytes_get_data (message, NULL), sizeof number);
  g_assert_true (rtc_data_tally_take (&wire->tally, wire->connection, g_bytes_get_size (message), wire->now));
  /* Each once, in order. */
  g_assert_cmpuint (number, ==, wire->delivered);
  wire->delivered++;
  g_bytes_unref (message);
}

static void
acknowledge (Wire *wire)
{
  guint64 *count = g_queue_pop_head (&wire->counts);

  if (!count)
    return;
  if (wire->began)
    g_assert_true (rtc_data_log_acknowledged (wire->log, *count));
  else
    g_assert_true (rtc_data_log_resume (wire->log, *count));
  wire->began = TRUE;
  g_free (count);
}

static void
cut (Wire *wire)
{
  guint before = wire->connection;

  rtc_data_log_cut (wire->log);
  g_queue_clear_full (&wire->data, (GDestroyNotify)g_bytes_unref);
  g_queue_clear_full (&wire->counts, g_free);
  wire->connection = rtc_data_tally_begin (&wire->tally);
  /* What the old one still brings is not taken: it comes again. */
  g_assert_false (rtc_data_tally_take (&wire->tally, before, 1, wire->now));
  wire->began = FALSE;
  push_count (wire);
  wire->cuts++;
}

static void
test_cuts (void)
{
  guint cuts = 0, waits = 0;

  for (guint seed = 0; seed < N_SEEDS; seed++) {
    Wire wire = {.rand = g_rand_new_with_seed (seed), .log = rtc_data_log_new (MAX_BYTES), .began = TRUE};
    guint often = g_rand_int_range (wire.rand, 5, 300), steps = 0;

    g_queue_init (&wire.data);
    g_queue_init (&wire.counts);
    wire.connection = rtc_data_tally_begin (&wire.tally);
    while (wire.delivered < N_MESSAGES || rtc_data_log_get_bytes (wire.log) > 0) {
      gint64 deadline = rtc_data_tally_get_deadline (&wire.tally);

      wire.now += g_rand_int_range (wire.rand, 0, 5000);
      if (deadline >= 0 && deadline <= wire.now)
        push_count (&wire);
      switch (g_rand_int_range (wire.rand, 0, 5)) {
        case 0:
          if (wire.made < N_MESSAGES)
            produce (&wire);
          break;
        case 1:
          transmit (&wire);
          break;
        case 2:
          deliver (&wire);
          break;
        case 3:
          acknowledge (&wire);
          break;
        default:
          if (g_rand_int_range (wire.rand, 0, often) == 0)
            cut (&wire);
      }
      g_assert_cmpuint (++steps, <, 200000);
    }
    g_assert_cmpuint (wire.delivered, ==, N_MESSAGES);
    g_assert_cmpuint (rtc_data_log_get_added (wire.log), ==, N_MESSAGES);
    cuts += wire.cuts;
    waits += wire.waits;
    rtc_data_log_free (wire.log);
    g_queue_clear_full (&wire.data, (GDestroyNotify)g_bytes_unref);
    g_queue_clear_full (&wire.counts, g_free);
    g_rand_free (wire.rand);
  }
  g_assert_cmpuint (cuts, >, N_SEEDS);
  g_assert_cmpuint (waits, >, N_SEEDS);
}

static void
test_bound_and_nonsense (void)
{
  RtcDataLog *log = rtc_data_log_new (1000);
  GBytes *large = g_bytes_new_take (g_malloc0 (5000), 5000), *small = g_bytes_new_static ("x", 1);
  gboolean is_text;

  /* One is never too large by itself. */
  g_assert_true (rtc_data_log_add (log, FALSE, large));
  g_assert_false (rtc_data_log_add (log, FALSE, small));
  g_assert_false (rtc_data_log_acknowledged (log, 1));
  g_assert_true (rtc_data_log_next (log, &is_text) == large);
  g_assert_null (rtc_data_log_next (log, &is_text));
  g_assert_false (rtc_data_log_acknowledged (log, 2));
  g_assert_false (rtc_data_log_resume (log, 0));
  rtc_data_log_cut (log);
  g_assert_null (rtc_data_log_next (log, &is_text));
  g_assert_false (rtc_data_log_acknowledged (log, 1));
  g_assert_false (rtc_data_log_resume (log, 2));
  g_assert_true (rtc_data_log_resume (log, 0));
  g_assert_true (rtc_data_log_next (log, &is_text) == large);
  g_assert_true (rtc_data_log_acknowledged (log, 1));
  g_assert_cmpuint (rtc_data_log_get_bytes (log), ==, 0);
  g_assert_true (rtc_data_log_add (log, TRUE, small));
  g_assert_false (rtc_data_log_acknowledged (log, 0));
  /* It was delivered, and the word of it was lost. */
  g_assert_true (rtc_data_log_next (log, &is_text) == small && is_text);
  rtc_data_log_cut (log);
  g_assert_true (rtc_data_log_resume (log, 2));
  g_assert_null (rtc_data_log_next (log, &is_text));
  rtc_data_log_free (log);
  g_bytes_unref (large);
  g_bytes_unref (small);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/data-log/cuts", test_cuts);
  g_test_add_func ("/data-log/bound-and-nonsense", test_bound_and_nonsense);
  return g_test_run ();
}
