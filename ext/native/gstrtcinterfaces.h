/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcaddress.h"
#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* The IP addresses of this machine that peers may reach: those of interfaces that are up and that WANTED leaves (names
 * play no other part: veth and docker are interfaces like any other), IPv4 first, without link-local ones. Loopback
 * only where there is nothing else, or where it is asked for by name. Any thread.
 *
 * Returns: (transfer full) (element-type utf8): at least one; NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED),
 * which names the interfaces that there are. */
GPtrArray *gst_rtc_interfaces_list (const GstRtcTransportAddresses *wanted, GError **error);

/* What peers are told in place of IP, which is one of this machine's addresses: IP itself, the address of its family in
 * WANTED->advertise, or NULL: nothing, when only the other family has one there. (transfer full) Any thread. */
gchar *gst_rtc_interfaces_advertise (const GstRtcTransportAddresses *wanted, const gchar *ip);

/* Whether ADDRESS, its port aside, is one of these. */
gboolean gst_rtc_interfaces_has (const GstRtcTransportAddresses *wanted, const RtcAddress *address);

G_END_DECLS
