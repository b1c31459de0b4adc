/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcpoll.h"
#include "rtcaddress.h"

G_BEGIN_DECLS

/* Tells when links, addresses or routes of this machine change (rtnetlink), without asking again and again. Routes
 * follow their addresses, so without them one would look too early. Loop thread. */
typedef struct _GstRtcNetlink GstRtcNetlink;
typedef void (*GstRtcNetlinkFunc) (gpointer user_data);

/* NULL: the system has no such; nothing is told then. */
GstRtcNetlink *gst_rtc_netlink_new (GstRtcPoll *poll, GstRtcNetlinkFunc func, gpointer user_data);
void gst_rtc_netlink_free (GstRtcNetlink *netlink);

/* The address, without a port, that this machine sends from to REMOTE. Nothing is sent. FALSE: there is no way. Any
 * thread. */
gboolean gst_rtc_netlink_get_source (const RtcAddress *remote, RtcAddress *source);

G_END_DECLS
