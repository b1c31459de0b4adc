/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcclockoffset.h"

#define N_SEEDS 300
#define SECOND 1000000

/* A wire and a peer's clock. */
typedef struct
{
  RtcClockOffset machine;
  GRand *rand;
  gint64 now; /* our clock */
  gint64 truth; /* the peer's minus ours, at 0 */
  gint ppm; /* by which the peer's is faster */
} Wire;

static gint64
theirs (Wire *wire, gint64 at)
{
  return at + wire->truth + at / 1000000 * wire->ppm;
}

/* One exchange, with a way there of THERE, then a way back of BACK. */
static gboolean
exchange (Wire *wire, gint64 there, gint64 at_peer, gint64 back)
{
  guint number = rtc_clock_offset_ask (&wire->machine, wire->now);
  gint64 in = wire->now + there, out = in + at_peer;

  wire->now = out + back;
  return rtc_clock_offset_take (&wire->machine, number, theirs (wire, in), theirs (wire, out), wire->now);
}

static void
check (Wire *wire, gint64 most)
{
  gint64 offset, bound, truth = theirs (wire, wire->now) - wire->now;

  g_assert_true (rtc_clock_offset_get (&wire->machine, wire->now, &offset, &bound));
  g_assert_cmpint (ABS (offset - truth), <=, bound);
  g_assert_cmpint (bound, <=, most);
}

static void
test_unequal_ways (void)
{
  Wire wire = {.now = 1000 * SECOND, .truth = -77 * (gint64)SECOND};
  gint64 offset, bound;

  g_assert_false (rtc_clock_offset_get (&wire.machine, wire.now, &offset, &bound));
  g_assert_cmpint (rtc_clock_offset_get_deadline (&wire.machine), ==, 0);
  g_assert_true (exchange (&wire, 90000, 5, 10000));
  check (&wire, 50010);
  /* One that took less says more, and stays when worse ones follow. */
  g_assert_true (exchange (&wire, 3000, 100000, 2000));
  check (&wire, 2510);
  for (guint i = 0; i < 5; i++)
    g_assert_true (exchange (&wire, 300000, 0, 1000));
  check (&wire, 2800);
}

/* Whatever the ways, the truth is within the bound; and the bound comes close to half the shortest round trip. */
static void
test_jitter (void)
{
  for (guint seed = 0; seed < N_SEEDS; seed++) {
    Wire wire = {.rand = g_rand_new_with_seed (seed), .now = 5 * SECOND};
    gint64 least = G_MAXINT64;

    wire.truth = g_rand_int_range (wire.rand, -1000, 1000) * (gint64)SECOND + G_GINT64_CONSTANT (1700000000000000);
    wire.ppm = g_rand_int_range (wire.rand, -RTC_CLOCK_OFFSET_PPM + 1, RTC_CLOCK_OFFSET_PPM);
    for (guint i = 0; i < 60; i++) {
      gint64 there = g_rand_int_range (wire.rand, 500, 100000), back = g_rand_int_range (wire.rand, 500, 100000);

      wire.now = MAX (wire.now, rtc_clock_offset_get_deadline (&wire.machine));
      g_assert_true (exchange (&wire, there, g_rand_int_range (wire.rand, 0, 50), back));
      least = i < RTC_CLOCK_OFFSET_SAMPLES ? MIN (least, there + back) : G_MAXINT64;
      check (&wire, least == G_MAXINT64 ? 100010 : least / 2 + 60 * 100 + 2);
    }
    g_assert_cmpuint (wire.machine.restarts, ==, 0);
    g_rand_free (wire.rand);
  }
}

static void
test_a_clock_is_set (void)
{
  Wire wire = {.now = 5 * SECOND, .truth = 100};

  for (guint i = 0; i < 20; i++)
    g_assert_true (exchange (&wire, 1000, 0, 1000));
  wire.truth += 3 * SECOND;
  g_assert_true (exchange (&wire, 40000, 0, 1000));
  check (&wire, 21000);
  g_assert_cmpuint (wire.machine.restarts, ==, 1);
}

static void
test_nonsense (void)
{
  RtcClockOffset machine = {0};
  gint64 offset, bound;
  guint number = rtc_clock_offset_ask (&machine, 1000);

  g_assert_false (rtc_clock_offset_take (&machine, number + 1, 5, 6, 2000));
  g_assert_false (rtc_clock_offset_take (&machine, number, 6, 5, 2000));
  g_assert_false (rtc_clock_offset_take (&machine, number, -6, -5, 2000));
  g_assert_false (rtc_clock_offset_take (&machine, number, 5, G_MAXINT64, 2000));
  /* Longer at the peer than it was away. */
  g_assert_false (rtc_clock_offset_take (&machine, number, 5, 1006, 2000));
  g_assert_false (rtc_clock_offset_take (&machine, number, 5, 6, 20 * SECOND));
  g_assert_false (rtc_clock_offset_get (&machine, 2000, &offset, &bound));
  g_assert_true (rtc_clock_offset_take (&machine, number, 5, 6, 2000));
  /* Once. */
  g_assert_false (rtc_clock_offset_take (&machine, number, 5, 6, 2000));
  g_assert_cmpuint (machine.n, ==, 1);
}

/* Soon ones first, then a few a minute. */
static void
test_deadlines (void)
{
  RtcClockOffset machine = {0};
  gint64 now = SECOND;
  guint n = 0;

  while (now < 61 * SECOND) {
    if (now >= rtc_clock_offset_get_deadline (&machine)) {
      rtc_clock_offset_ask (&machine, now);
      n++;
    }
    now += 10000;
  }
  g_assert_cmpuint (n, >=, 15);
  g_assert_cmpuint (n, <=, 25);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/clock-offset/unequal-ways", test_unequal_ways);
  g_test_add_func ("/clock-offset/jitter", test_jitter);
  g_test_add_func ("/clock-offset/a-clock-is-set", test_a_clock_is_set);
  g_test_add_func ("/clock-offset/nonsense", test_nonsense);
  g_test_add_func ("/clock-offset/deadlines", test_deadlines);
  return g_test_run ();
}
