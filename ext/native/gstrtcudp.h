/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcaddress.h"

G_BEGIN_DECLS

/* A UDP socket that sends and receives many datagrams with one system call where the kernel can (UDP GSO, recvmmsg).
 * One thread. */
typedef struct _GstRtcUdp GstRtcUdp;

/* PORT 0: any. Bound to all addresses, IPv6 and IPv4; IPv4 alone where there is no IPv6. NULL with ERROR (RTC_ERROR,
 * RTC_ERROR_SETUP_FAILED) that says what to do when the port is taken. */
GstRtcUdp *gst_rtc_udp_new (guint port, GError **error);
void gst_rtc_udp_free (GstRtcUdp *udp);

int gst_rtc_udp_get_fd (GstRtcUdp *udp);
guint gst_rtc_udp_get_port (GstRtcUdp *udp);

/* Sends N datagrams, which stand one behind the other in DATA, to one address. FROM: the address of this machine that
 * they come from, of the family of TO (its port plays no part); NULL: the system's choice. Returns how many the system
 * took; the rest is lost. */
guint gst_rtc_udp_send (
    GstRtcUdp *udp, const RtcAddress *from, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n);

/* The same for a socket that somebody else made and bound to an address. GSO: (inout): TRUE at first; becomes FALSE
 * when the system turned out not to have it. */
guint gst_rtc_udp_send_on (
    int fd, gboolean mapped, gboolean *gso, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n);

/* Lets the socket FD keep as many datagrams as the system allows, both ways: a peer's window comes in one burst. */
void gst_rtc_udp_widen (int fd);

/* Whether errno ERROR of a send says that there is no way to the address from here (any more). */
gboolean gst_rtc_udp_is_unreachable (int error);

/* TO: the address of this machine that it was sent to, without a port. */
typedef void (*GstRtcUdpFunc) (
    const RtcAddress *from, const RtcAddress *to, guint8 *data, gsize size, gpointer user_data);

/* Reads what is there: at most a few hundred datagrams, and fewer when they cost more than a millisecond. Others want
 * to be served too; the rest waits in the socket. */
void gst_rtc_udp_receive (GstRtcUdp *udp, GstRtcUdpFunc func, gpointer user_data);

G_END_DECLS
