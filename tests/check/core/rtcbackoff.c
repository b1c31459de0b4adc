/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcbackoff.h"

static void
test_doubles_to_cap (void)
{
  static const guint expected[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
  RtcBackoff backoff;
  guint i;

  rtc_backoff_init (&backoff, 500, 30000);
  for (i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpuint (rtc_backoff_next (&backoff, 0.0), ==, expected[i]);
  rtc_backoff_reset (&backoff);
  g_assert_cmpuint (rtc_backoff_next (&backoff, 0.0), ==, 500);
}

static void
test_jitter_shortens_by_half_at_most (void)
{
  RtcBackoff backoff;
  guint i;

  for (i = 0; i < 100; i++) {
    guint wait;

    rtc_backoff_init (&backoff, 1000, 1000);
    wait = rtc_backoff_next (&backoff, i / 100.0);
    g_assert_cmpuint (wait, ==, 1000 - i * 5);
  }
}

static void
test_extremes (void)
{
  RtcBackoff backoff;
  guint i;

  rtc_backoff_init (&backoff, 0, 0);
  g_assert_cmpuint (rtc_backoff_next (&backoff, 0.999), ==, 1);
  rtc_backoff_init (&backoff, 4000, 1000);
  g_assert_cmpuint (rtc_backoff_next (&backoff, 0.0), ==, 4000);
  rtc_backoff_init (&backoff, 1, G_MAXUINT);
  for (i = 0; i < 100; i++)
    rtc_backoff_next (&backoff, 0.0);
  g_assert_cmpuint (rtc_backoff_next (&backoff, 0.0), ==, G_MAXUINT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backoff/doubles-to-cap", test_doubles_to_cap);
  g_test_add_func ("/backoff/jitter", test_jitter_shortens_by_half_at_most);
  g_test_add_func ("/backoff/extremes", test_extremes);
  return g_test_run ();
}
