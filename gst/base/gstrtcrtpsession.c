/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcrtpsession.h"

/* In bit/s. RTCP gets a twentieth of it, shared by all that report (RFC 3550, section 6.2). The less that is, the
 * longer NACK and PLI are held back after the last, and a regular report that falls due meanwhile is left out: with the
 * 64 kbit/s that 1.22 believes in at first, all of them are, when there are several tracks. */
#define SESSION_BANDWIDTH 20000000.0

void
gst_rtc_rtp_session_tune (GObject *session, GstClockTime report_interval)
{
  /* No stream has to prove itself with two packets in a row, which RTX never has. Until it had, a report said that the
   * first was lost, and when the second was, both were. */
  g_object_set (
      session, "bandwidth", SESSION_BANDWIDTH, "rtcp-min-interval", (guint64)report_interval, "probation", 0, NULL);
}
