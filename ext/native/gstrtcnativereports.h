/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* SSRC sent a report. REPORT (transfer full): its sender information and CNAME, nothing else. */
typedef void (*GstRtcNativeReportFunc) (guint32 ssrc, GstBuffer *report, gpointer user_data);

/* Takes a compound RTCP packet of a peer apart (RFC 3550, section 6.1) and tells one plain compound for each sender
 * report in it. The rest is not for the RTP session that receives: report blocks and feedback are about what we send,
 * each item of SDES or BYE could be about an SSRC that nobody knows, and a peer that says good-bye for a stream may go
 * on with it. Pure. */
void gst_rtc_native_reports_split (const guint8 *data, gsize size, GstRtcNativeReportFunc func, gpointer user_data);

/* A compound packet (RFC 4585, section 3.1) with one PLI for each of N SSRCs. OUT: of GST_RTC_NATIVE_PLIS_SIZE (N)
 * bytes. Returns: the size. Pure. */
#define GST_RTC_NATIVE_PLIS_SIZE(n) (8 + 12 * (n))
gsize gst_rtc_native_write_plis (guint8 *out, const guint32 *ssrcs, guint n);

G_END_DECLS
