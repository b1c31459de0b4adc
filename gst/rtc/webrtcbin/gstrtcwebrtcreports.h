/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* What the RTCP reports of a session say (RFC 3550, section 6.4): the peer's about what we send, ours about what it
 * sends. webrtcbin's get-stats has the same, but only of the report block that came last, in a thread that may be
 * busy, and with names in it that GStreamer keeps for ever. */
typedef struct
{
  GMutex lock;
  /* under lock */
  GHashTable *reports; /* SSRC that it is about to GstRtcWebrtcReport */
} GstRtcWebrtcReports;

typedef struct
{
  gdouble fraction_lost; /* since the report before: 0 to 1 */
  gint packets_lost; /* since the beginning; negative when duplicates came */
  guint jitter; /* in units of the stream's clock */
  gdouble round_trip_time; /* seconds; negative: not known */
} GstRtcWebrtcReport;

void gst_rtc_webrtc_reports_init (GstRtcWebrtcReports *self);
void gst_rtc_webrtc_reports_clear (GstRtcWebrtcReports *self);

/* Takes the reports that SESSION, an RTPSession, sends and receives from now on. SELF must outlive it. */
void gst_rtc_webrtc_reports_watch (GstRtcWebrtcReports *self, GObject *session);

/* Takes the reports in PACKET, a compound RTCP packet. RECEIVED_AT: microseconds since 1970, the clock by which our
 * sender reports were stamped; negative for a packet of ours. Any thread. */
void gst_rtc_webrtc_reports_take (GstRtcWebrtcReports *self, GstBuffer *packet, gint64 received_at);

/* The last one about SSRC; FALSE when there was none. Any thread. */
gboolean gst_rtc_webrtc_reports_get (GstRtcWebrtcReports *self, guint ssrc, GstRtcWebrtcReport *report);

G_END_DECLS
