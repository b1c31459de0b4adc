/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcmeter.h"

#define WINDOW G_USEC_PER_SEC

void
rtc_meter_add (RtcMeter *meter, guint packets, guint64 bytes, guint64 now)
{
  if (meter->packets == 0)
    meter->window_began = now;
  if (now - meter->window_began >= WINDOW) {
    meter->bitrate = meter->window_bytes * 8 * G_USEC_PER_SEC / (now - meter->window_began);
    meter->window_began = now;
    meter->window_bytes = 0;
  }
  meter->packets += packets;
  meter->bytes += bytes;
  meter->window_bytes += bytes;
}

guint64
rtc_meter_get_bitrate (const RtcMeter *meter, guint64 now)
{
  return now - meter->window_began < 2 * WINDOW ? meter->bitrate : 0;
}
