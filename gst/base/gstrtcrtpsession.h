/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Sets up an RTPSession of rtpmanager, before it has any source, for what every transport has: packets that are
 * authentic, and early reports (TWCC, NACK, PLI) all the time. Regular ones come after 0.5 to 1.5 of REPORT_INTERVAL
 * (RFC 4585, section 3.5.3). Any thread. */
void gst_rtc_rtp_session_tune (GObject *session, GstClockTime report_interval);

G_END_DECLS
