/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcfeedback.h"

#define MS 1000
#define SECOND (1000 * MS)
#define L -1

/* "7:10>20 8:11>lost", times in milliseconds; what arrived is relative to the first packet behind the last "=". */
static void
check (const RtcFeedbackReport *report, const gchar *expected)
{
  static gint64 zero;
  gboolean begins = *expected == '=';
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < report->n; i++) {
    const RtcFeedbackPacket *packet = &report->packets[i];

    g_string_append_printf (
        text, "%s%u:%" G_GINT64_FORMAT ">", i ? " " : "", (guint16)packet->number, packet->sent / MS);
    if (packet->arrived == RTC_FEEDBACK_LOST) {
      g_string_append (text, "lost");
      continue;
    }
    if (begins)
      zero = packet->arrived;
    begins = FALSE;
    g_string_append_printf (text, "%" G_GINT64_FORMAT, (packet->arrived - zero) / MS);
  }
  g_assert_cmpstr (text->str, ==, expected + (*expected == '='));
  g_string_free (text, TRUE);
}

/* ARRIVALS in milliseconds of the viewer's clock. */
static const RtcFeedbackReport *
take (RtcFeedback *feedback, gint64 now, guint16 base, const gint64 *arrivals, guint n)
{
  static RtcRtcpTwcc twcc;

  twcc.base = base;
  twcc.n = n;
  for (guint i = 0; i < n; i++)
    twcc.arrival[i] = arrivals[i] < 0 ? -1 : arrivals[i] * MS;
  return rtc_feedback_take (feedback, &twcc, now);
}

#define TAKE(feedback, now, base, ...) \
  take (feedback, now, base, (gint64[]){__VA_ARGS__}, G_N_ELEMENTS (((gint64[]){__VA_ARGS__})))

static void
packets_are_told_once (void)
{
  RtcFeedback *feedback = rtc_feedback_new (65533);
  const RtcFeedbackReport *report;

  for (guint i = 0; i < 6; i++)
    rtc_feedback_sent (feedback, i, 1000 + i, 10 * MS + i * MS);
  report = TAKE (feedback, 50 * MS, 65533, 500, L, 503);
  g_assert_cmpint (report->now, ==, 50 * MS);
  check (report, "=65533:10>0 65534:11>lost 65535:12>3");
  g_assert_cmpuint (report->packets[0].size, ==, 1000);
  g_assert_cmpuint (report->packets[2].size, ==, 1002);
  g_assert_cmpuint (report->packets[2].mline, ==, 2);
  /* The number wraps; one that was lost came after all, and is told with all behind it once more. */
  report = TAKE (feedback, 60 * MS, 65534, 504, 503, L, 505);
  check (report, "65534:11>4 0:13>lost 1:14>5");
  g_assert_cmpuint (report->packets[2].number, ==, report->packets[0].number + 3);
  check (TAKE (feedback, 70 * MS, 65533, 500, 504, 503, L, 505), "");
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_arrived, ==, 4);
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_lost, ==, 1);
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->bytes_arrived, ==, 1000 + 1001 + 1002 + 1004);
  rtc_feedback_free (feedback);
}

static void
nothing_is_told_of_what_was_not_sent (void)
{
  RtcFeedback *feedback = rtc_feedback_new (0);

  check (TAKE (feedback, MS, 0, 1, 2, 3), "");
  check (TAKE (feedback, MS, 65535, 1, 2, 3), "");
  rtc_feedback_sent (feedback, 0, 100, 10 * MS);
  check (TAKE (feedback, 20 * MS, 65534, 1, L, 7, 8, 9), "=0:10>0");
  check (TAKE (feedback, 20 * MS, 1, 1, 2, 3), "");
  check (TAKE (feedback, 20 * MS, 30000, 1, 2, 3), "");
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_arrived, ==, 1);
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_lost, ==, 0);
  rtc_feedback_free (feedback);
}

static void
what_is_too_old_is_forgotten (void)
{
  RtcFeedback *feedback = rtc_feedback_new (100);

  for (guint i = 0; i <= RTC_FEEDBACK_WINDOW; i++)
    rtc_feedback_sent (feedback, 0, 100, i * MS);
  check (TAKE (feedback, 5 * SECOND, 99, 1, 2, 3, L), "=101:1>0 102:2>lost");
  rtc_feedback_free (feedback);
}

/* 16 bits of a number and 24 of a reference time, many times around. */
static void
clocks_and_numbers_wrap (void)
{
  RtcFeedback *feedback = rtc_feedback_new (0);
  RtcRtcpTwcc twcc = {.n = 1};
  gint64 first = 0, now = 0;

  for (guint64 i = 0; i < 300; i++, now += RTC_RTCP_TWCC_PERIOD / 3) {
    const RtcFeedbackReport *report;

    for (guint j = 0; j < 1000; j++)
      rtc_feedback_sent (feedback, 0, 100, now);
    twcc.base = (guint16)(i * 1000);
    twcc.arrival[0] = now % RTC_RTCP_TWCC_PERIOD;
    report = rtc_feedback_take (feedback, &twcc, now + 10 * MS);
    g_assert_cmpuint (report->n, ==, 1);
    if (i == 0)
      first = report->packets[0].number;
    g_assert_cmpuint (report->packets[0].number - first, ==, i * 1000);
    g_assert_cmpint (report->packets[0].arrived, ==, now + RTC_RTCP_TWCC_PERIOD);
    g_assert_cmpint (report->packets[0].sent, ==, now);
  }
  rtc_feedback_free (feedback);
}

/* 1250 bytes each 10 ms are 1 Mbit/s. Returns: the bitrate that is told at the end. */
static guint64
run (RtcFeedback *feedback, guint n, gint64 begin, gint64 viewer_begin, gint64 step)
{
  static guint16 number;
  guint64 bitrate = 0;

  if (begin == 0)
    number = 0;
  for (guint i = 0; i < n; i++, number++) {
    gint64 came = viewer_begin + i * step;

    rtc_feedback_sent (feedback, 0, 1250, begin + i * 10 * MS);
    bitrate = TAKE (feedback, begin + i * 10 * MS + 20 * MS, number, came)->acknowledged_bitrate;
  }
  return bitrate;
}

static void
bitrate_is_that_of_the_viewers_clock (void)
{
  RtcFeedback *feedback = rtc_feedback_new (0);

  g_assert_cmpuint (rtc_feedback_get_bitrate (feedback, 0), ==, 0);
  g_assert_cmpuint (run (feedback, 1, 0, 1000, 10), ==, 0);
  rtc_feedback_free (feedback);

  feedback = rtc_feedback_new (0);
  /* Known before the window is full. */
  g_assert_cmpuint (run (feedback, 21, 0, 1000, 10), ==, 1000000);
  g_assert_cmpuint (run (feedback, 200, SECOND, 1210, 10), ==, 1000000);
  g_assert_cmpuint (rtc_feedback_get_bitrate (feedback, 3 * SECOND), ==, 1000000);
  g_assert_cmpuint (rtc_feedback_get_bitrate (feedback, 3 * SECOND + 11 * SECOND / 10), ==, 0);
  /* The same, and the path is half as fast. */
  g_assert_cmpuint (run (feedback, 200, 3 * SECOND, 3210, 20), ==, 500000);
  /* A pause is not counted, nor a clock that begins anew. */
  g_assert_cmpuint (run (feedback, 200, 100 * SECOND, 100000, 10), ==, 1000000);
  g_assert_cmpuint (run (feedback, 200, 110 * SECOND, 1000, 10), ==, 1000000);
  rtc_feedback_free (feedback);
}

static void
loss_is_that_of_the_last_second (void)
{
  RtcFeedback *feedback = rtc_feedback_new (0);
  gint64 now = 0;
  guint16 number = 0;

  for (guint second = 0; second < 4; second++) {
    for (guint i = 0; i < 10; i++, number += 4, now += 100 * MS) {
      for (guint j = 0; j < 4; j++)
        rtc_feedback_sent (feedback, 0, 1000, now);
      TAKE (feedback, now, number, now / MS, second == 1 ? L : now / MS, now / MS, second == 1 ? L : now / MS);
      if (second == 1 || (second == 2 && i == 0))
        g_assert_cmpfloat (rtc_feedback_get_stats (feedback)->fraction_lost, ==, second == 1 ? 0 : 0.5);
    }
  }
  g_assert_cmpfloat (rtc_feedback_get_stats (feedback)->fraction_lost, ==, 0);
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_lost, ==, 20);
  rtc_feedback_free (feedback);
}

/* Whatever a peer says: each packet is told at most once as lost and once as arrived, and only ones that are sent. */
static void
lies_change_nothing_else (void)
{
  GRand *rand = g_rand_new_with_seed (7);
  RtcFeedback *feedback = rtc_feedback_new (g_rand_int (rand));
  guint8 *fates = g_malloc0 (1 << 20);
  static RtcRtcpTwcc twcc;
  guint64 first = 0, n_sent = 0;

  for (guint round = 0; round < 5000; round++) {
    const RtcFeedbackReport *report;

    for (gint i = g_rand_int_range (rand, 0, 200); i > 0; i--, n_sent++)
      rtc_feedback_sent (feedback, g_rand_int (rand), g_rand_int (rand), round * MS);
    twcc.base = g_rand_int (rand);
    twcc.n = g_rand_int_range (rand, 1, RTC_RTCP_MAX_TWCC + 1);
    for (guint i = 0; i < twcc.n; i++)
      twcc.arrival[i] = g_rand_int_range (rand, 0, 3) ? g_rand_double_range (rand, 0, RTC_RTCP_TWCC_PERIOD) : -1;
    report = rtc_feedback_take (feedback, &twcc, round * MS);
    for (guint i = 0; i < report->n; i++) {
      const RtcFeedbackPacket *packet = &report->packets[i];
      guint8 fate = packet->arrived == RTC_FEEDBACK_LOST ? 1 : 2;

      if (first == 0)
        first = packet->number - (1 << 17);
      g_assert_cmpuint (packet->number - first, <, 1 << 20);
      g_assert_cmpuint (fates[packet->number - first], <, fate);
      g_assert_true (packet->arrived >= 0 || fate == 1);
      fates[packet->number - first] = fate;
    }
  }
  g_assert_cmpuint (n_sent, >, 0);
  g_assert_cmpuint (rtc_feedback_get_stats (feedback)->packets_arrived, >, 1000);
  g_free (fates);
  rtc_feedback_free (feedback);
  g_rand_free (rand);
}

/* For the record, and so that nobody makes it a hundred times slower. */
static void
a_packet_costs_nanoseconds (void)
{
  RtcFeedback *feedback = rtc_feedback_new (0);
  gint64 begin = g_get_monotonic_time ();
  const guint n = 10000000;
  gdouble cost;

  for (guint i = 0; i < n; i++)
    rtc_feedback_sent (feedback, 1, 1200, i);
  cost = (g_get_monotonic_time () - begin) * 1000.0 / n;
  g_test_message ("%.1f ns a packet", cost);
  g_assert_cmpfloat (cost, <, 300);
  rtc_feedback_free (feedback);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/feedback/packets_are_told_once", packets_are_told_once);
  g_test_add_func ("/feedback/nothing_is_told_of_what_was_not_sent", nothing_is_told_of_what_was_not_sent);
  g_test_add_func ("/feedback/what_is_too_old_is_forgotten", what_is_too_old_is_forgotten);
  g_test_add_func ("/feedback/clocks_and_numbers_wrap", clocks_and_numbers_wrap);
  g_test_add_func ("/feedback/bitrate_is_that_of_the_viewers_clock", bitrate_is_that_of_the_viewers_clock);
  g_test_add_func ("/feedback/loss_is_that_of_the_last_second", loss_is_that_of_the_last_second);
  g_test_add_func ("/feedback/lies_change_nothing_else", lies_change_nothing_else);
  g_test_add_func ("/feedback/a_packet_costs_nanoseconds", a_packet_costs_nanoseconds);
  return g_test_run ();
}
