/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The receiver's half of transport-wide congestion control: which packets came, and when, as feedback for their sender
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1). One for each connection: the numbers run over all
 * its streams. Pure; one thread; its memory does not grow. */
typedef struct _RtcTwcc RtcTwcc;

/* Numbers that are remembered behind the highest. Of a longer gap only so many are told as lost. */
#define RTC_TWCC_WINDOW 2048

/* A packet that comes later than this behind the highest number, when that was told already, is not told any more: its
 * sender took it for lost long ago. */
#define RTC_TWCC_MAX_LATE 512

/* Most that rtc_twcc_write() writes: one datagram, with room for SRTCP. */
#define RTC_TWCC_MAX_SIZE 1160

/* SENDER_SSRC: under which we send RTCP. */
RtcTwcc *rtc_twcc_new (guint32 sender_ssrc);
void rtc_twcc_free (RtcTwcc *twcc);

/* A packet came: SSRC of the media, SEQ its transport-wide number, NOW when it came, in microseconds of a monotonic
 * clock. One that comes twice counts as it came first. Two in a row far outside the window begin a new numbering, and
 * what was not told of the old one is forgotten. */
void rtc_twcc_take (RtcTwcc *twcc, guint32 ssrc, guint16 seq, gint64 now);

/* When rtc_twcc_write() is to be called, on the clock of rtc_twcc_take(): 100 ms after the first packet that was not
 * told; 50 ms when there are so many that feedback costs little beside them. -1: no packet came since the last time. */
gint64 rtc_twcc_get_deadline (const RtcTwcc *twcc);

/* Writes one feedback packet to OUT (RTC_TWCC_MAX_SIZE bytes), plain, of reduced size (RFC 5506). Returns: its size; 0
 * before the deadline. To be called until it returns 0, since one packet does not always have room for all, nor deltas
 * for pauses beyond 8 s. A packet that was late is told with all that came behind it, once more. */
gsize rtc_twcc_write (RtcTwcc *twcc, gint64 now, guint8 *out);

G_END_DECLS
