/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcrtcp.h"

G_BEGIN_DECLS

/* The sender's half of transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01): what was
 * sent to one viewer and when, and what became of it by what he reports. One for each connection: the numbers run over
 * all its streams. Pure; one thread; its memory does not grow. */
typedef struct _RtcFeedback RtcFeedback;

/* Packets that are remembered behind the last: 2 s of 20 Mbit/s. What is told of older ones is not heard. */
#define RTC_FEEDBACK_WINDOW 4096

/* Lines above are told as this one. */
#define RTC_FEEDBACK_MAX_MLINE 16383

#define RTC_FEEDBACK_LOST -1

typedef struct
{
  guint64 number; /* transport-wide, extended; goes up by one with each packet */
  gint64 sent; /* microseconds, on the clock of rtc_feedback_sent() */
  gint64 arrived; /* microseconds of the viewer's clock in steps of 250, unwrapped, whose zero is unknown;
                     RTC_FEEDBACK_LOST */
  guint16 size; /* bytes of the datagram */
  guint16 mline;
} RtcFeedbackPacket;

/* What one report says that was not known before, in the order of the numbers. */
typedef struct
{
  gint64 now; /* when it came, on the clock of rtc_feedback_sent() */
  const RtcFeedbackPacket *packets; /* a packet that was told as lost is told once more when it came after all */
  guint n; /* may be 0 */
  guint64 acknowledged_bitrate; /* bits a second; see rtc_feedback_get_bitrate() */
} RtcFeedbackReport;

typedef struct
{
  guint64 packets_arrived, bytes_arrived;
  guint64 packets_lost; /* without those that came after all */
  gdouble fraction_lost; /* 0 to 1, of what was told in the last full second with reports */
  guint64 n_reports;
} RtcFeedbackStats;

/* FIRST: the number of the first packet. */
RtcFeedback *rtc_feedback_new (guint16 first);
void rtc_feedback_free (RtcFeedback *feedback);

/* A datagram of SIZE bytes goes out with the next number. NOW: microseconds, monotonic. Costs some nanoseconds. */
void rtc_feedback_sent (RtcFeedback *feedback, guint mline, gsize size, gint64 now);

/* The viewer reports; NOW as above. Numbers that were never sent are passed over. Returns: (transfer none): what is new
 * in it, to be read before the next call; what it says of when a packet was sent is right for 71 minutes. */
const RtcFeedbackReport *rtc_feedback_take (RtcFeedback *feedback, const RtcRtcpTwcc *twcc, gint64 now);

/* What arrived at the viewer in the last half second, of datagrams without UDP's and IP's headers, by his clock, so
 * that it does not matter when reports come. Bits a second; 0 while it is not known, and when no report came for a
 * second. */
guint64 rtc_feedback_get_bitrate (const RtcFeedback *feedback, gint64 now);

const RtcFeedbackStats *rtc_feedback_get_stats (const RtcFeedback *feedback);

G_END_DECLS
