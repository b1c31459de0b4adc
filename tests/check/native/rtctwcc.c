/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcrtcp.h"
#include "native/rtctwcc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define OURS 7
#define MEDIA 0x1001
#define MS 1000
#define SEEDS 5000

/* What a report has to be, byte by byte, by hand from section 3.1 of the draft. */

static void
check_report (RtcTwcc *twcc, gint64 now, const gchar *expected)
{
  guint8 out[RTC_TWCC_MAX_SIZE];
  gsize size = rtc_twcc_write (twcc, now, out);
  g_autoptr (GString) hex = g_string_new (NULL);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (hex, "%s%02x", i && i % 4 == 0 ? " " : "", out[i]);
  g_assert_cmpstr (hex->str, ==, expected);
}

static void
a_report_is_as_the_draft_says (void)
{
  RtcTwcc *twcc = rtc_twcc_new (OURS);

  g_assert_cmpint (rtc_twcc_get_deadline (twcc), ==, -1);
  check_report (twcc, G_MAXINT64, "");

  rtc_twcc_take (twcc, MEDIA, 10, 65 * MS);
  rtc_twcc_take (twcc, MEDIA, 11, 66 * MS + 249);
  g_assert_cmpint (rtc_twcc_get_deadline (twcc), ==, 165 * MS);
  check_report (twcc, 165 * MS - 1, "");
  check_report (twcc, 165 * MS, "8fcd0005 00000007 00001001 000a0002 00000100 20020404");
  check_report (twcc, 165 * MS, "");
  g_assert_cmpint (rtc_twcc_get_deadline (twcc), ==, -1);

  /* 13 overtakes 12: small, small, large; two bytes of padding. */
  rtc_twcc_take (twcc, MEDIA, 12, 193 * MS);
  rtc_twcc_take (twcc, MEDIA, 14, 194 * MS);
  rtc_twcc_take (twcc, MEDIA, 13, 194 * MS + 500);
  check_report (twcc, 300 * MS, "afcd0006 00000007 00001001 000c0003 00000301 d6000406 fffe0002");

  /* 15 to 34 lost, then 1 lost between two: a run and one-bit symbols. */
  rtc_twcc_take (twcc, MEDIA, 35, 320 * MS);
  rtc_twcc_take (twcc, MEDIA, 37, 321 * MS);
  check_report (twcc, 450 * MS, "afcd0006 00000007 00001001 000f0017 00000502 0014a800 00040002");
  rtc_twcc_free (twcc);
}

static void
numbers_wrap (void)
{
  RtcTwcc *twcc = rtc_twcc_new (OURS);
  const gint64 wrap = RTC_RTCP_TWCC_PERIOD;

  rtc_twcc_take (twcc, MEDIA, 65535, wrap - MS);
  rtc_twcc_take (twcc, MEDIA, 0, wrap + MS);
  check_report (twcc, wrap + 100 * MS, "8fcd0005 00000007 00001001 ffff0002 ffffff00 2002fc08");
  rtc_twcc_take (twcc, MEDIA, 1, wrap + 101 * MS);
  check_report (twcc, wrap + 201 * MS, "afcd0005 00000007 00001001 00010001 00000101 20019401");
  rtc_twcc_free (twcc);
}

/* It was told as lost; now the next report says that it came, and once more what came behind it. */
static void
a_late_packet_is_in_the_next_report (void)
{
  RtcTwcc *twcc = rtc_twcc_new (OURS);

  rtc_twcc_take (twcc, MEDIA, 10, 65 * MS);
  rtc_twcc_take (twcc, MEDIA, 12, 66 * MS);
  check_report (twcc, 165 * MS, "8fcd0005 00000007 00001001 000a0003 00000100 a8000404");
  rtc_twcc_take (twcc, MEDIA, 11, 168 * MS);
  /* small (40 ms of 128), large (-102 ms), padded */
  check_report (twcc, 268 * MS, "afcd0006 00000007 00001001 000b0002 00000201 d800a0fe 68000003");
  rtc_twcc_free (twcc);
}

static void
many_packets_are_told_sooner (void)
{
  RtcTwcc *twcc = rtc_twcc_new (OURS);

  for (guint i = 0; i < 19; i++)
    rtc_twcc_take (twcc, MEDIA, i, 1000 * MS + i);
  g_assert_cmpint (rtc_twcc_get_deadline (twcc), ==, 1100 * MS);
  rtc_twcc_take (twcc, MEDIA, 19, 1001 * MS);
  g_assert_cmpint (rtc_twcc_get_deadline (twcc), ==, 1050 * MS);
  rtc_twcc_free (twcc);
}

/* A number of another circle is a stray once; then it is a sender that began anew. */
static void
two_in_a_row_begin_a_new_numbering (void)
{
  RtcTwcc *twcc = rtc_twcc_new (OURS);

  rtc_twcc_take (twcc, MEDIA, 40000, 65 * MS);
  rtc_twcc_take (twcc, MEDIA, 30000, 66 * MS);
  rtc_twcc_take (twcc, MEDIA, 40001, 67 * MS);
  rtc_twcc_take (twcc, MEDIA, 30001, 68 * MS);
  check_report (twcc, 165 * MS, "8fcd0005 00000007 00001001 9c400002 00000100 20020408");
  rtc_twcc_take (twcc, MEDIA, 30002, 193 * MS);
  rtc_twcc_take (twcc, MEDIA, 30003, 194 * MS);
  check_report (twcc, 294 * MS, "8fcd0005 00000007 00001001 75320002 00000301 20020404");
  rtc_twcc_free (twcc);
}

static void
count_lost (const RtcRtcpTwcc *twcc, gpointer n)
{
  for (guint i = 0; i < twcc->n; i++)
    *(guint *)n += twcc->arrival[i] < 0;
}

static void
a_long_gap_is_told_as_far_as_the_window_goes (void)
{
  static const RtcRtcpFuncs funcs = {.twcc = count_lost};
  RtcTwcc *twcc = rtc_twcc_new (OURS);
  guint8 out[RTC_TWCC_MAX_SIZE];
  gsize size;
  guint n = 0;

  rtc_twcc_take (twcc, MEDIA, 0, 65 * MS);
  g_assert_cmpuint (rtc_twcc_write (twcc, 165 * MS, out), >, 0);
  rtc_twcc_take (twcc, MEDIA, 30000, 200 * MS);
  size = rtc_twcc_write (twcc, 300 * MS, out);
  g_assert_cmpuint (size, ==, 28);
  g_assert_true (rtc_rtcp_read (out, size, &funcs, &n));
  g_assert_cmpuint (n, ==, RTC_TWCC_WINDOW - 1);
  g_assert_cmpuint (rtc_twcc_write (twcc, 300 * MS, out), ==, 0);
  rtc_twcc_free (twcc);
}

/* A path with loss, reordering, duplicates and pauses, and a sender that reads each report. Numbers are unwrapped. */
typedef struct
{
  gint64 number, time;
} Arrival;

typedef struct
{
  RtcTwcc *twcc;
  gint64 now;
  gint64 first, highest, begin; /* BEGIN: all before it was told of, if only as lost */
  gint64 *came; /* of each number from FIRST on: when it was taken; -1: it was not */
  gboolean *told;
  guint untold; /* packets that were taken */
  gint64 oldest; /* when the first came since the last report; -1: none did */
  guint n_reports, n_times, n_lost, n_again;
} Path;

static void
on_twcc (const RtcRtcpTwcc *twcc, gpointer user_data)
{
  Path *path = user_data;
  gint64 number = path->highest + (gint16)(twcc->base - (guint16)path->highest);

  g_assert_cmpuint (twcc->ssrc, ==, MEDIA);
  g_assert_cmpuint (twcc->count, ==, (guint8)path->n_reports++);
  g_assert_cmpuint (twcc->n, <=, RTC_TWCC_WINDOW);
  g_assert_cmpint (number, >=, path->first);
  g_assert_cmpint (number + twcc->n - 1, <=, path->highest);
  g_assert_cmpint (twcc->arrival[twcc->n - 1], >=, 0);
  for (guint i = 0; i < twcc->n; i++, number++) {
    gint64 came = path->came[number - path->first];

    if (came < 0) {
      g_assert_cmpint (twcc->arrival[i], ==, -1);
      path->n_lost++;
      continue;
    }
    g_assert_cmpint (twcc->arrival[i], ==, came / 250 * 250 % RTC_RTCP_TWCC_PERIOD);
    path->n_times++;
    if (path->told[number - path->first])
      path->n_again++;
    else
      path->untold--;
    path->told[number - path->first] = TRUE;
  }
}

static void
collect_reports (Path *path)
{
  static const RtcRtcpFuncs funcs = {.twcc = on_twcc};
  guint8 out[RTC_TWCC_MAX_SIZE];
  gsize size;

  while ((size = rtc_twcc_write (path->twcc, path->now, out)) > 0) {
    g_autofree guint8 *exact = g_memdup2 (out, size);

    g_assert_cmpuint (size, <=, RTC_TWCC_MAX_SIZE);
    g_assert_true (rtc_rtcp_read (exact, size, &funcs, path));
  }
  g_assert_cmpuint (path->untold, ==, 0);
  g_assert_cmpint (rtc_twcc_get_deadline (path->twcc), ==, -1);
  path->begin = path->highest + 1;
  path->oldest = -1;
}

static void
wait_until (Path *path, gint64 time)
{
  gint64 deadline = rtc_twcc_get_deadline (path->twcc);

  g_assert_true ((deadline < 0) == (path->untold == 0));
  if (deadline >= 0) {
    g_assert_cmpint (deadline, >=, path->oldest + 50 * MS);
    g_assert_cmpint (deadline, <=, path->oldest + 100 * MS);
  }
  if (deadline >= 0 && deadline <= time) {
    path->now = MAX (deadline, path->now);
    collect_reports (path);
  }
  path->now = time;
}

static void
take (Path *path, gint64 number)
{
  gboolean is_new = path->came[number - path->first] < 0;

  if (number > path->highest) {
    /* What waited to be told and is behind the window now is lost. */
    for (gint64 old = path->begin; old <= MIN (path->highest, number - RTC_TWCC_WINDOW); old++) {
      path->untold -= path->came[old - path->first] >= 0 && !path->told[old - path->first];
      path->came[old - path->first] = -1;
    }
    path->highest = number;
  } else if (number < path->begin && number <= path->highest - RTC_TWCC_MAX_LATE) {
    is_new = FALSE;
  }
  if (is_new) {
    path->came[number - path->first] = path->now;
    path->begin = MIN (path->begin, number);
    path->untold++;
    if (path->oldest < 0)
      path->oldest = path->now;
  }
  rtc_twcc_take (path->twcc, MEDIA, (guint16)number, path->now);
}

static gint
compare_arrivals (gconstpointer a, gconstpointer b)
{
  gint64 difference = ((const Arrival *)a)->time - ((const Arrival *)b)->time;

  return difference < 0 ? -1 : difference > 0;
}

static gint64
pick (GRand *random, const gint64 *of, guint n)
{
  return of[g_rand_int_range (random, 0, n)];
}

/* What a sender sends, in the order in which it comes. */
static GArray *
make_arrivals (GRand *random)
{
  static const gint64 intervals[] = {20, 200, 2 * MS, 20 * MS, 60 * MS}, losses[] = {0, 1, 10, 50},
                      spreads[] = {1, MS, 30 * MS, 300 * MS};
  GArray *arrivals = g_array_new (FALSE, FALSE, sizeof (Arrival));
  gint64 interval = pick (random, intervals, G_N_ELEMENTS (intervals));
  gint64 loss = pick (random, losses, G_N_ELEMENTS (losses));
  gint64 spread = pick (random, spreads, G_N_ELEMENTS (spreads));
  gint64 number = 0x10000 + (g_rand_boolean (random) ? 0xff00 : g_rand_int_range (random, 0, 0x10000));
  gint64 time = g_rand_boolean (random) ? RTC_RTCP_TWCC_PERIOD - MS * 1000 : g_rand_int_range (random, 0, 1 << 30);

  for (gint i = g_rand_int_range (random, 1, 600); i > 0; i--, number++) {
    Arrival arrival = {number, time + g_rand_int_range (random, 0, spread)};

    if (g_rand_int_range (random, 0, 200) == 0)
      arrival.time += g_rand_int_range (random, 0, 12000 * MS);
    if (g_rand_int_range (random, 0, 100) >= loss)
      g_array_append_val (arrivals, arrival);
    if (g_rand_int_range (random, 0, 50) == 0) {
      arrival.time += g_rand_int_range (random, 0, 200 * MS);
      g_array_append_val (arrivals, arrival);
    }
    if (g_rand_int_range (random, 0, 300) == 0)
      number += g_rand_int_range (random, 0, 3000);
    if (g_rand_int_range (random, 0, 300) == 0)
      time += g_rand_int_range (random, 0, 12000 * MS);
    time += g_rand_int_range (random, 0, 2 * interval);
  }
  g_array_sort (arrivals, compare_arrivals);
  return arrivals;
}

static void
run_path (guint seed, Path *path)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  g_autoptr (GArray) arrivals = make_arrivals (random);
  gint64 last = 0;
  gsize n;

  path->first = G_MAXINT64;
  for (guint i = 0; i < arrivals->len; i++) {
    path->first = MIN (path->first, g_array_index (arrivals, Arrival, i).number);
    last = MAX (last, g_array_index (arrivals, Arrival, i).number);
  }
  n = arrivals->len ? last - path->first + 1 : 1;
  path->came = g_new (gint64, n);
  memset (path->came, 0xff, n * sizeof (gint64));
  path->told = g_new0 (gboolean, n);
  path->twcc = rtc_twcc_new (OURS);
  for (guint i = 0; i < arrivals->len; i++) {
    const Arrival *arrival = &g_array_index (arrivals, Arrival, i);

    if (i == 0)
      path->highest = path->begin = arrival->number;
    wait_until (path, arrival->time);
    /* What is so old looks like a new numbering, which has a test of its own. */
    if (arrival->number > path->highest - RTC_TWCC_WINDOW)
      take (path, arrival->number);
  }
  wait_until (path, path->now + 100 * MS);
  g_assert_cmpuint (path->untold, ==, 0);
  rtc_twcc_free (path->twcc);
  g_free (path->came);
  g_free (path->told);
}

static guint seed;

static void
tell_seed (int number)
{
  g_printerr ("seed %u failed; RTC_TEST_SEED=%u runs it alone\n", seed, seed);
}

static void
what_is_written_is_read (void)
{
  const gchar *only = g_getenv ("RTC_TEST_SEED");
  guint n_reports = 0, n_times = 0, n_lost = 0, n_again = 0;

  signal (SIGABRT, tell_seed);
  for (seed = only ? atoi (only) : 0; seed < SEEDS; seed++) {
    Path path = {.oldest = -1};

    run_path (seed, &path);
    if (only)
      return;
    n_reports += path.n_reports;
    n_times += path.n_times;
    n_lost += path.n_lost;
    n_again += path.n_again;
  }
  g_test_message ("%u reports, %u arrivals of which %u told again, %u lost", n_reports, n_times, n_again, n_lost);
  signal (SIGABRT, SIG_DFL);
  g_assert_cmpuint (n_reports, >, 10 * SEEDS);
  g_assert_cmpuint (n_lost, >, 10 * SEEDS);
  g_assert_cmpuint (n_again, >, SEEDS);
}

/* Beyond what a connection carries: each report is full, and all of it is told. */
static void
a_flood_is_told_in_several_reports (void)
{
  Path path = {.twcc = rtc_twcc_new (OURS), .first = 0x10000, .highest = 0x10000, .begin = 0x10000, .oldest = -1};

  path.came = g_new (gint64, RTC_TWCC_WINDOW);
  memset (path.came, 0xff, RTC_TWCC_WINDOW * sizeof (gint64));
  path.told = g_new0 (gboolean, RTC_TWCC_WINDOW);
  for (guint i = 0; i < RTC_TWCC_WINDOW; i++) {
    path.now = 50 * MS + (i * 7919 % 1000) * 80; /* large deltas both ways */
    take (&path, path.first + i);
  }
  path.now = 1000 * MS;
  collect_reports (&path);
  g_assert_cmpuint (path.n_reports, >, 2);
  g_assert_cmpuint (path.n_times, ==, RTC_TWCC_WINDOW);
  rtc_twcc_free (path.twcc);
  g_free (path.came);
  g_free (path.told);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/twcc/a_report_is_as_the_draft_says", a_report_is_as_the_draft_says);
  g_test_add_func ("/twcc/numbers_wrap", numbers_wrap);
  g_test_add_func ("/twcc/a_late_packet_is_in_the_next_report", a_late_packet_is_in_the_next_report);
  g_test_add_func ("/twcc/many_packets_are_told_sooner", many_packets_are_told_sooner);
  g_test_add_func ("/twcc/two_in_a_row_begin_a_new_numbering", two_in_a_row_begin_a_new_numbering);
  g_test_add_func ("/twcc/a_long_gap_is_told_as_far_as_the_window_goes", a_long_gap_is_told_as_far_as_the_window_goes);
  g_test_add_func ("/twcc/what_is_written_is_read", what_is_written_is_read);
  g_test_add_func ("/twcc/a_flood_is_told_in_several_reports", a_flood_is_told_in_several_reports);
  return g_test_run ();
}
