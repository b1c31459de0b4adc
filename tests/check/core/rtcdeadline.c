/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcdeadline.h"

static void
test_earlier (void)
{
  g_assert_cmpint (rtc_earlier (3, 5), ==, 3);
  g_assert_cmpint (rtc_earlier (5, 3), ==, 3);
  g_assert_cmpint (rtc_earlier (0, 3), ==, 0);
  g_assert_cmpint (rtc_earlier (G_MAXINT64, G_MAXINT64 - 1), ==, G_MAXINT64 - 1);
}

static void
test_never_comes_last (void)
{
  g_assert_cmpint (rtc_earlier (-1, 3), ==, 3);
  g_assert_cmpint (rtc_earlier (3, -1), ==, 3);
  g_assert_cmpint (rtc_earlier (-1, -1), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcdeadline/earlier", test_earlier);
  g_test_add_func ("/rtcdeadline/never-comes-last", test_never_comes_last);
  return g_test_run ();
}
