/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* An IP address with a port, small enough to be kept by the thousand. Compared and hashed as a whole, so unused bytes
 * are zero. An IPv4 address that came mapped into IPv6 is IPv4 here. Pure: nothing is looked up. */
typedef struct
{
  guint8 ip[16]; /* network order; IPv4 uses the first 4 */
  guint16 port; /* host order */
  guint8 family; /* 4 or 6; 0: none */
  guint8 unused;
} RtcAddress;

/* FALSE for anything but AF_INET and AF_INET6. */
gboolean rtc_address_from_sockaddr (RtcAddress *address, const struct sockaddr *from, gsize size);

/* Returns the length of what was written. MAPPED: an IPv4 address for a socket of AF_INET6. */
gsize rtc_address_to_sockaddr (const RtcAddress *address, struct sockaddr_storage *to, gboolean mapped);

/* "192.0.2.1" and "2001:db8::1" only, no names. */
gboolean rtc_address_parse (RtcAddress *address, const gchar *ip, guint port);

guint rtc_address_hash (gconstpointer address);
gboolean rtc_address_equal (gconstpointer a, gconstpointer b);

/* "192.0.2.1:5000", "[2001:db8::1]:5000". (transfer full) */
gchar *rtc_address_to_string (const RtcAddress *address);

/* The address alone, as candidates have it. (transfer full) */
gchar *rtc_address_ip_to_string (const RtcAddress *address);

G_END_DECLS
