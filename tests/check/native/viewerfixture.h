/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#pragma once

#include "native/rtcsender.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* A viewer who decrypts what rtc_sender_write() makes for him. */

#define VIEWER_PAYLOAD 1000
#define VIEWER_ROOM (VIEWER_PAYLOAD + RTC_SENDER_OVERHEAD)

typedef struct
{
  RtcSender *sender;
  RtcSrtpSender *out;
  RtcSrtpReceiver *in;
  guint16 twcc;
} Viewer;

/* One packet as it arrived, read by GStreamer's RTP library. */
typedef struct
{
  guint seq, payload_type;
  guint32 timestamp, ssrc;
  gboolean marker;
  gchar mid[17];
  gint twcc, audio_level; /* -1: none */
  gsize header_size;
  guint8 payload[VIEWER_PAYLOAD];
  gsize size;
} ViewerPacket;

Viewer *viewer_new (const RtcSenderConfig *config, RtcSrtpProfile profile);
void viewer_free (Viewer *viewer);

/* Reads a plain packet; CONFIG has the ids of its extensions. */
void viewer_read (guint8 *data, gsize size, const RtcSenderConfig *config, ViewerPacket *seen);

/* Writes PACKET, sees that nothing was written beyond what there is room for, and that it is authentic, and reads it.
 */
void viewer_show (Viewer *viewer, const RtcPacket *packet, ViewerPacket *seen);

/* 16 bits of a packet, wherever they stand. */
guint viewer_u16 (const guint8 *at);

/* Adds the next packet, one a millisecond, whose payload tells its index. Every third one has a marker. */
const RtcPacket *viewer_add (RtcHistory *history, gsize size, gint audio_level);

G_END_DECLS
