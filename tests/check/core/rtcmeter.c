/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcmeter.h"

#define SECOND ((guint64)G_USEC_PER_SEC)

static void
test_counts (void)
{
  RtcMeter meter = {0};

  g_assert_cmpuint (rtc_meter_get_bitrate (&meter, 5 * SECOND), ==, 0);
  rtc_meter_add (&meter, 3, 300, 5 * SECOND);
  rtc_meter_add (&meter, 1, 50, 5 * SECOND + 10);
  g_assert_cmpuint (meter.packets, ==, 4);
  g_assert_cmpuint (meter.bytes, ==, 350);
}

static void
test_steady_rate (void)
{
  RtcMeter meter = {0};

  /* 100 packets of 1,250 bytes a second are a million bits. */
  for (guint i = 0; i < 300; i++)
    rtc_meter_add (&meter, 1, 1250, 7 * SECOND + i * SECOND / 100);
  g_assert_cmpuint (rtc_meter_get_bitrate (&meter, 10 * SECOND), ==, 1000000);
}

static void
test_silence_is_no_rate (void)
{
  RtcMeter meter = {0};

  for (guint i = 0; i < 300; i++)
    rtc_meter_add (&meter, 1, 1250, i * SECOND / 100);
  g_assert_cmpuint (rtc_meter_get_bitrate (&meter, 3 * SECOND), >, 0);
  g_assert_cmpuint (rtc_meter_get_bitrate (&meter, 5 * SECOND), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcmeter/counts", test_counts);
  g_test_add_func ("/rtcmeter/steady-rate", test_steady_rate);
  g_test_add_func ("/rtcmeter/silence-is-no-rate", test_silence_is_no_rate);
  return g_test_run ();
}
