/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcprefetch.h"

static void
test_any_address (void)
{
  guint8 byte = 7;

  rtc_prefetch (NULL);
  rtc_prefetch (GSIZE_TO_POINTER (G_MAXSIZE));
  rtc_prefetch (&byte);
  g_assert_cmpuint (byte, ==, 7);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcprefetch/any-address", test_any_address);
  return g_test_run ();
}
