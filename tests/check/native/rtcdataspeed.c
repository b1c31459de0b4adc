/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How much gets through, and how long a short message takes beside it. The clock is the test's, so the figures are the
 * same on every machine.
 */

#include "datawire.h"

#include <string.h>

#define MEGA 1000000.0
#define MESSAGE (64 * 1024)
#define SHORT 64

typedef struct
{
  Wire *wire;
  RtcDataChannel *bulk, *ping;
  GBytes *message;
  guint64 came; /* bytes of bulk */
  GArray *took; /* of gint64: each short message, there */
} Test;

static void
on_message (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  Test *test = end->user_data;
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);
  gint64 then;

  if (size != SHORT) {
    test->came += size;
    return;
  }
  memcpy (&then, data, sizeof (then));
  then = test->wire->now - then;
  g_array_append_val (test->took, then);
}

static void
fill (Test *test)
{
  while (rtc_data_channel_get_buffered (test->bulk) < 1024 * 1024)
    wire_send (test->bulk, FALSE, test->message, test->wire->now);
}

static void
on_low (End *end, RtcDataChannel *channel)
{
  Test *test = end->user_data;

  if (channel == test->bulk)
    fill (test);
}

static Test *
begin (gint64 round_trip, gdouble loss, gint64 rate, gint64 queue)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  Test *test = g_new0 (Test, 1);

  test->wire = wire_new (7, TRUE);
  test->wire->delay = round_trip / 2;
  test->wire->rate = rate;
  test->wire->queue = queue;
  test->message = wire_message (1, MESSAGE);
  test->took = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < 2; i++) {
    test->wire->ends[i].user_data = test;
    test->wire->ends[i].on_message = on_message;
  }
  wire_connect (test->wire);
  init.low_threshold = 512 * 1024;
  test->bulk = wire_open (test->wire, 0, &init, NULL);
  test->ping = wire_open (test->wire, 0, NULL, NULL);
  test->wire->ends[0].on_low = on_low;
  test->wire->loss = loss;
  return test;
}

static void
end (Test *test)
{
  wire_free (test->wire);
  g_bytes_unref (test->message);
  g_array_unref (test->took);
  g_free (test);
}

/* MB/s in so much time. */
static gdouble
run (Test *test, gint64 duration)
{
  guint64 before = test->came;

  fill (test);
  wire_run (test->wire, duration);
  return (test->came - before) * SECOND / (gdouble)duration / MEGA;
}

static gint
compare_times (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

  return x < y ? -1 : x > y;
}

/* A short message each 10 ms; how long they took, in the median and the 99th part of a hundred. */
static void
ping (Test *test, gint64 duration, gint64 *p50, gint64 *p99)
{
  g_array_set_size (test->took, 0);
  for (gint64 end = test->wire->now + duration; test->wire->now < end;) {
    guint8 data[SHORT] = {0};
    g_autoptr (GBytes) message = NULL;

    memcpy (data, &test->wire->now, sizeof (gint64));
    message = g_bytes_new (data, sizeof (data));
    wire_send (test->ping, FALSE, message, test->wire->now);
    wire_run (test->wire, 10 * MS);
  }
  g_array_sort (test->took, compare_times);
  *p50 = g_array_index (test->took, gint64, test->took->len / 2);
  *p99 = g_array_index (test->took, gint64, test->took->len * 99 / 100);
}

#define ROUND_TRIP (40 * MS)

/* Where others have a thirtieth of it: what is lost by chance does not make it slow. */
static void
a_long_way_that_loses_is_filled (gconstpointer percent)
{
  const gdouble line = 20, loss = GPOINTER_TO_INT (percent) / 100.0;
  Test *test = begin (ROUND_TRIP, loss, line * MEGA, 0);
  gdouble first = run (test, SECOND), then = run (test, 3 * SECOND);
  RtcSctpStats stats;
  gboolean interleaving;

  g_assert_true (rtc_data_get_path (test->wire->ends[0].data, &stats, &interleaving));
  g_test_message ("%.1f, then %.1f of %.0f MB/s; %.3f sent again", first, then, line,
      stats.chunks_resent / (gdouble)stats.chunks_sent);
  g_assert_cmpfloat (first, >, line / (loss > 0.05 ? 10 : 3));
  g_assert_cmpfloat (then, >, loss > 0.02 ? line * 0.6 : line * 0.9);
  /* And hardly anything goes twice that was not lost. */
  g_assert_cmpfloat (stats.chunks_resent / (gdouble)stats.chunks_sent, <, loss * 1.5 + 0.01);
  end (test);
}

/* The queue on the way stays short, however much there is room for, and the line is used. */
static void
a_short_message_beside_bulk_takes_not_twice_as_long (gconstpointer rate)
{
  gint64 p50, p99;
  Test *test = begin (ROUND_TRIP, 0, GPOINTER_TO_INT (rate), 500 * MS);
  gdouble speed;

  run (test, 5 * SECOND);
  speed = run (test, 10 * SECOND) * MEGA;
  ping (test, 5 * SECOND, &p50, &p99);
  g_test_message ("%.2f of the line, there in %.1f ms, p99 %.1f, idle %.1f", speed / GPOINTER_TO_INT (rate),
      p50 / 1000.0, p99 / 1000.0, ROUND_TRIP / 2000.0);
  g_assert_cmpfloat (speed, >, 0.93 * GPOINTER_TO_INT (rate));
  /* There it takes longer, and back as long as ever. */
  g_assert_cmpint (p50 + ROUND_TRIP / 2, <, 2 * ROUND_TRIP);
  g_assert_cmpint (p99 + ROUND_TRIP / 2, <, 2 * ROUND_TRIP);
  g_assert_cmpuint (test->wire->n_dropped[0], ==, 0);
  end (test);
}

/* Where a queue cannot be seen, because it overflows before, losses say that it is too much. */
static void
a_short_queue_is_not_flooded (void)
{
  Test *test = begin (ROUND_TRIP, 0, 5 * MEGA, 15 * MS);
  gdouble speed, dropped;

  run (test, SECOND);
  speed = run (test, 20 * SECOND);
  dropped = test->wire->n_dropped[0] / (gdouble)test->wire->n_sent[0];
  g_test_message ("%.2f of 5 MB/s, %.3f dropped", speed, dropped);
  g_assert_cmpfloat (speed, >, 4.3);
  g_assert_cmpfloat (dropped, <, 0.05);
  end (test);
}

/* Nothing follows that would show that it is missing. */
static void
the_last_packet_is_sent_again_soon (void)
{
  Test *test = begin (ROUND_TRIP, 0.05, 0, 0);
  gint64 p50, p99;

  ping (test, SECOND, &p50, &p99);
  ping (test, 60 * SECOND, &p50, &p99);
  g_test_message ("there in %.1f ms, p99 %.1f", p50 / 1000.0, p99 / 1000.0);
  g_assert_cmpint (p50, <=, ROUND_TRIP / 2 + MS);
  /* Lost, missed, and sent again. */
  g_assert_cmpint (p99, <, ROUND_TRIP / 2 + 2 * ROUND_TRIP);
  end (test);
}

/* One that comes later gets its share of the line. */
static void
two_on_a_line_share_it (void)
{
  const gdouble line = 5;
  Test *first = begin (ROUND_TRIP, 0, line * MEGA, 200 * MS), *second;
  gdouble a, b;
  guint64 before[2];

  run (first, 5 * SECOND);
  second = begin (ROUND_TRIP, 0, 0, 0);
  second->wire->now = first->wire->now = MAX (first->wire->now, second->wire->now);
  second->wire->beside = first->wire;
  fill (second);
  wire_run_both (first->wire, second->wire, 30 * SECOND);
  before[0] = first->came;
  before[1] = second->came;
  wire_run_both (first->wire, second->wire, 10 * SECOND);
  a = (first->came - before[0]) / MEGA / 10;
  b = (second->came - before[1]) / MEGA / 10;
  g_test_message ("%.2f and %.2f of %.0f MB/s", a, b, line);
  g_assert_cmpfloat (a + b, >, line * 0.9);
  g_assert_cmpfloat (MIN (a, b), >, line / 5);
  end (first);
  end (second);
}

/* What fills it for seconds makes every answer late, though nothing is lost: it must not be filled with the same again
 * and again. */
static void
a_line_that_is_very_slow_carries_something_new (gconstpointer rate)
{
  const gsize size = 30000;
  const guint n = 8;
  gint bytes = GPOINTER_TO_INT (rate);
  Test *test = begin (ROUND_TRIP, 0, 0, 0);
  g_autoptr (GBytes) message = wire_message (1, size);
  gint64 begun = test->wire->now, least = n * size * SECOND / bytes;

  test->wire->rate = bytes;
  for (guint i = 0; i < n; i++)
    wire_send (test->bulk, FALSE, message, begun);
  while (test->came < n * size && test->wire->now < begun + 3 * least)
    wire_run (test->wire, SECOND);
  g_test_message ("%.0f s, at least %.0f s", (test->wire->now - begun) / 1e6, least / 1e6);
  g_assert_cmpuint (test->came, ==, n * size);
  end (test);
}

/* A stream of one packet each millisecond, none of which may be sent later than 50 ms: a packet is lost when both of
 * the tries that fit are, however much is lost by chance, and nothing waits for a window. */
static void
what_has_a_lifetime_goes_in_time (gconstpointer percent)
{
  const gdouble loss = GPOINTER_TO_INT (percent) / 100.0, missing = loss * loss;
  const guint n = 30000, size = 1000;
  Test *test = begin (26 * MS, loss, 10 * MEGA, 0);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  g_autoptr (GBytes) message = wire_message (1, size);
  RtcDataChannel *channel;
  gdouble lost, off;

  init.ordered = FALSE;
  init.max_packet_lifetime = 50;
  channel = wire_open (test->wire, 0, &init, NULL);
  for (guint i = 0; i < n; i++) {
    wire_send (channel, FALSE, message, test->wire->now);
    wire_run (test->wire, MS);
  }
  wire_run (test->wire, SECOND);
  lost = 1 - test->came / size / (gdouble)n;
  g_test_message ("%.3f %% lost, %.3f expected, %" G_GUINT64_FORMAT " expired before they were sent", 100 * lost,
      100 * missing, rtc_data_channel_get_stats (channel)->messages_expired);
  /* Five deviations, and some that waited. */
  off = MAX (ABS (lost - missing) - 0.0005, 0);
  g_assert_cmpfloat (off * off, <, 25 * missing / n);
  end (test);
}

/* On a machine that has others to serve each end waits for its turn, sometimes long and sometimes not. That is no
 * queue: to send less makes it no shorter. So more is on its way than the 16 packets that are the least otherwise. */
static void
a_machine_that_takes_its_time_gets_more (gconstpointer turn)
{
  Test *test = begin (0, 0, 300 * MEGA, 0);
  gint64 idle, p50, p99, there_and_back = GPOINTER_TO_INT (turn);
  gdouble speed, least = 16 * 1200 / (gdouble)there_and_back;

  test->wire->turn = GPOINTER_TO_INT (turn);
  ping (test, SECOND, &idle, &p99);
  run (test, SECOND);
  speed = run (test, 4 * SECOND);
  ping (test, SECOND, &p50, &p99);
  g_test_message ("%.1f times the least window, there in %.2f ms, p99 %.2f, idle %.2f", speed / least, p50 / 1000.0,
      p99 / 1000.0, idle / 1000.0);
  g_assert_cmpfloat (speed, >, 3 * least);
  g_assert_cmpint (p50, <, idle + 2 * test->wire->turn);
  end (test);
}

/* A cable to the next machine. 16 packets are the least that is on its way. */
static void
a_near_line_has_a_short_queue (gconstpointer rate)
{
  const gint64 bytes = GPOINTER_TO_INT (rate), least = G_GINT64_CONSTANT (16) * 1200 * SECOND / bytes;
  Test *test = begin (100, 0, bytes, 500 * MS);
  gint64 p50, p99;
  gdouble speed;

  run (test, SECOND);
  speed = run (test, 3 * SECOND) * MEGA;
  ping (test, 6 * SECOND, &p50, &p99);
  g_test_message ("%.2f of the line, there in %.2f ms, p99 %.2f, 16 packets in %.2f", speed / bytes, p50 / 1000.0,
      p99 / 1000.0, least / 1000.0);
  g_assert_cmpfloat (speed, >, 0.93 * bytes);
  g_assert_cmpint (p50, <, 500 + 3 * least / 2);
  g_assert_cmpint (p99, <, 1000 + 6 * least);
  end (test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/data/speed/far", GINT_TO_POINTER (0), a_long_way_that_loses_is_filled);
  g_test_add_data_func ("/data/speed/far-loss-1", GINT_TO_POINTER (1), a_long_way_that_loses_is_filled);
  g_test_add_data_func ("/data/speed/far-loss-5", GINT_TO_POINTER (5), a_long_way_that_loses_is_filled);
  g_test_add_data_func ("/data/speed/far-loss-10", GINT_TO_POINTER (10), a_long_way_that_loses_is_filled);
  g_test_add_data_func (
      "/data/speed/beside-bulk-slow", GINT_TO_POINTER (500000), a_short_message_beside_bulk_takes_not_twice_as_long);
  g_test_add_data_func (
      "/data/speed/beside-bulk", GINT_TO_POINTER (5000000), a_short_message_beside_bulk_takes_not_twice_as_long);
  g_test_add_func ("/data/speed/short-queue", a_short_queue_is_not_flooded);
  g_test_add_func ("/data/speed/last-packet", the_last_packet_is_sent_again_soon);
  g_test_add_func ("/data/speed/two-on-a-line", two_on_a_line_share_it);
  g_test_add_data_func (
      "/data/speed/slow/16-kbit", GINT_TO_POINTER (2000), a_line_that_is_very_slow_carries_something_new);
  g_test_add_data_func (
      "/data/speed/slow/64-kbit", GINT_TO_POINTER (8000), a_line_that_is_very_slow_carries_something_new);
  g_test_add_data_func ("/data/speed/lifetime-1", GINT_TO_POINTER (1), what_has_a_lifetime_goes_in_time);
  g_test_add_data_func ("/data/speed/lifetime-5", GINT_TO_POINTER (5), what_has_a_lifetime_goes_in_time);
  g_test_add_data_func ("/data/speed/lifetime-10", GINT_TO_POINTER (10), what_has_a_lifetime_goes_in_time);
  g_test_add_data_func ("/data/speed/turns", GINT_TO_POINTER (2000), a_machine_that_takes_its_time_gets_more);
  g_test_add_data_func ("/data/speed/turns-long", GINT_TO_POINTER (4000), a_machine_that_takes_its_time_gets_more);
  g_test_add_data_func ("/data/speed/cable-10", GINT_TO_POINTER (1250000), a_near_line_has_a_short_queue);
  g_test_add_data_func ("/data/speed/cable-100", GINT_TO_POINTER (12500000), a_near_line_has_a_short_queue);
  g_test_add_data_func ("/data/speed/cable-1000", GINT_TO_POINTER (125000000), a_near_line_has_a_short_queue);
  return g_test_run ();
}
