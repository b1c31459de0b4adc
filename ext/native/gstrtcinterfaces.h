/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The IP addresses of this machine that peers may be told: those of interfaces that are up, IPv4 first, without
 * link-local ones; loopback only where there is nothing else. (transfer full) (element-type utf8). Any thread. */
GPtrArray *gst_rtc_interfaces_list (void);

G_END_DECLS
