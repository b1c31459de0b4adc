/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Counts packets and says how much passed lately. Plain memory, zero is empty; whoever owns it locks it. Times are
 * microseconds of any steady clock. */
typedef struct
{
  guint64 packets, bytes;
  guint64 window_began, window_bytes; /* of the window that is being filled */
  guint64 bitrate; /* of the last full one, bits a second */
} RtcMeter;

void rtc_meter_add (RtcMeter *meter, guint packets, guint64 bytes, guint64 now);

/* Bits a second in the last second or so; 0 when nothing came for two. */
guint64 rtc_meter_get_bitrate (const RtcMeter *meter, guint64 now);

G_END_DECLS
