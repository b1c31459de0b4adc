/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcdeadman.h"

#define START 1000000
#define TIMEOUT 200

static RtcDeadman
start (gint64 repeat)
{
  RtcDeadman deadman;

  rtc_deadman_start (&deadman, TIMEOUT, repeat, START);
  return deadman;
}

static void
test_off (void)
{
  RtcDeadman deadman;

  rtc_deadman_start (&deadman, 0, 10, START);
  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, -1);
  g_assert_cmpint (rtc_deadman_check (&deadman, G_MAXINT64), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_lose_link (&deadman, START), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_get_age (&deadman, START), ==, -1);
  g_assert_cmpint (rtc_deadman_take_message (&deadman, START + 5, START + 7), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_get_age (&deadman, START + 25), ==, 20);
}

static void
test_nobody_from_the_start (void)
{
  RtcDeadman deadman = start (0);

  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, START + TIMEOUT);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + TIMEOUT - 1), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + TIMEOUT), ==, RTC_DEADMAN_LOST);
  g_assert_false (deadman.link_was_lost);
  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, -1);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + 100 * TIMEOUT), ==, RTC_DEADMAN_NOTHING);
}

static void
test_messages_keep_it_alive (void)
{
  RtcDeadman deadman = start (0);
  gint64 now = START;

  for (guint i = 0; i < 100; i++) {
    now += TIMEOUT - 1;
    g_assert_cmpint (rtc_deadman_check (&deadman, now), ==, RTC_DEADMAN_NOTHING);
    g_assert_cmpint (rtc_deadman_take_message (&deadman, now, now), ==, RTC_DEADMAN_NOTHING);
  }
  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, now + TIMEOUT);
  g_assert_cmpint (rtc_deadman_check (&deadman, now + TIMEOUT), ==, RTC_DEADMAN_LOST);
  g_assert_cmpint (rtc_deadman_take_message (&deadman, now + 300, now + 301), ==, RTC_DEADMAN_BACK);
  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, now + 300 + TIMEOUT);
  g_assert_cmpint (rtc_deadman_check (&deadman, now + 300 + TIMEOUT), ==, RTC_DEADMAN_LOST);
}

static void
test_link (void)
{
  RtcDeadman deadman = start (0);

  rtc_deadman_take_message (&deadman, START + 10, START + 10);
  g_assert_cmpint (rtc_deadman_lose_link (&deadman, START + 20), ==, RTC_DEADMAN_LOST);
  g_assert_true (deadman.link_was_lost);
  g_assert_cmpint (rtc_deadman_lose_link (&deadman, START + 30), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + 9 * TIMEOUT), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_take_message (&deadman, START + 2000, START + 2000), ==, RTC_DEADMAN_BACK);
  g_assert_false (deadman.link_was_lost);
}

static void
test_repeats (void)
{
  RtcDeadman deadman = start (50);

  g_assert_cmpint (rtc_deadman_check (&deadman, START + 210), ==, RTC_DEADMAN_LOST);
  g_assert_cmpint (rtc_deadman_get_deadline (&deadman), ==, START + 260);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + 259), ==, RTC_DEADMAN_NOTHING);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + 260), ==, RTC_DEADMAN_AGAIN);
  g_assert_cmpint (rtc_deadman_check (&deadman, START + 310), ==, RTC_DEADMAN_AGAIN);
  g_assert_cmpint (rtc_deadman_take_message (&deadman, START + 311, START + 311), ==, RTC_DEADMAN_BACK);
}

/* What waited behind something slow says nothing about who is there now. */
static void
test_stale_message (void)
{
  RtcDeadman deadman = start (0);

  rtc_deadman_check (&deadman, START + TIMEOUT);
  g_assert_cmpint (rtc_deadman_take_message (&deadman, START + 10, START + 10 + TIMEOUT), ==, RTC_DEADMAN_NOTHING);
  g_assert_true (deadman.is_lost);
  g_assert_cmpint (rtc_deadman_get_age (&deadman, START + 10 + TIMEOUT), ==, TIMEOUT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcdeadman/off", test_off);
  g_test_add_func ("/rtcdeadman/nobody-from-the-start", test_nobody_from_the_start);
  g_test_add_func ("/rtcdeadman/messages-keep-it-alive", test_messages_keep_it_alive);
  g_test_add_func ("/rtcdeadman/link", test_link);
  g_test_add_func ("/rtcdeadman/repeats", test_repeats);
  g_test_add_func ("/rtcdeadman/stale-message", test_stale_message);
  return g_test_run ();
}
