/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "datawire.h"

#include <string.h>

static void
a_message_arrives (void)
{
  Wire *wire = wire_new (1, 0);
  RtcDataChannel *channel, *peer;
  g_autoptr (GBytes) message = wire_message (1, 1000);

  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, &peer);
  wire_send (channel, FALSE, message, wire->now);
  wire_run (wire, SECOND);
  g_assert_cmpuint (rtc_data_channel_get_stats (peer)->messages_received, ==, 1);
  wire_free (wire);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/data/a_message_arrives", a_message_arrives);
  return g_test_run ();
}
