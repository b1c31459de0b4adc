/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcinterfaces.h"
#include "rtcaddress.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

static gboolean
is_wanted (const struct ifaddrs *at, gboolean loopback, guint family, RtcAddress *address)
{
  gsize size;

  if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || !(at->ifa_flags & IFF_LOOPBACK) != !loopback)
    return FALSE;
  size = at->ifa_addr->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
  if (!rtc_address_from_sockaddr (address, at->ifa_addr, size) || address->family != family)
    return FALSE;
  /* Link-local ones need a zone, which candidates do not have. */
  return family == 4 || address->ip[0] != 0xfe || (address->ip[1] & 0xc0) != 0x80;
}

GPtrArray *
gst_rtc_interfaces_list (void)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  struct ifaddrs *all = NULL;

  if (getifaddrs (&all) != 0)
    return found;
  for (guint loopback = 0; loopback < 2 && found->len == 0; loopback++) {
    for (guint family = 4; family <= 6; family += 2) {
      for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        RtcAddress address;

        if (is_wanted (at, loopback, family, &address))
          g_ptr_array_add (found, rtc_address_ip_to_string (&address));
      }
    }
  }
  freeifaddrs (all);
  return found;
}
