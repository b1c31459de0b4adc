/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcinterfaces.h"
#include "rtcaddress.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

/* PATTERNS: names and globs, separated by commas. NULL: none matches. */
static gboolean
is_listed (const gchar *patterns, const gchar *name)
{
  gchar **list = g_strsplit (patterns ? patterns : "", ",", 0);
  gboolean found = FALSE;

  for (guint i = 0; list[i] && !found; i++)
    found = *g_strstrip (list[i]) && g_pattern_match_simple (list[i], name);
  g_strfreev (list);
  return found;
}

static gboolean
has_address (const struct ifaddrs *at, RtcAddress *address)
{
  gsize size;

  if (!at->ifa_addr || !(at->ifa_flags & IFF_UP))
    return FALSE;
  size = at->ifa_addr->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
  if (!rtc_address_from_sockaddr (address, at->ifa_addr, size))
    return FALSE;
  /* Link-local ones need a zone, which candidates do not have. */
  return address->family == 4 || address->ip[0] != 0xfe || (address->ip[1] & 0xc0) != 0x80;
}

static gboolean
is_loopback (const struct ifaddrs *at)
{
  return (at->ifa_flags & IFF_LOOPBACK) != 0;
}

static gboolean
is_wanted (const struct ifaddrs *at, const GstRtcTransportAddresses *wanted, gboolean alone)
{
  if (is_listed (wanted->exclude, at->ifa_name))
    return FALSE;
  if (wanted->interfaces)
    return is_listed (wanted->interfaces, at->ifa_name);
  return alone || !is_loopback (at);
}

static void
fail (const struct ifaddrs *all, const GstRtcTransportAddresses *wanted, GError **error)
{
  GPtrArray *names = g_ptr_array_new ();
  gchar *list;

  for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
    RtcAddress address;

    if (has_address (at, &address) && !g_ptr_array_find_with_equal_func (names, at->ifa_name, g_str_equal, NULL))
      g_ptr_array_add (names, at->ifa_name);
  }
  g_ptr_array_add (names, NULL);
  list = g_strjoinv (", ", (gchar **)names->pdata);
  if (wanted->interfaces || wanted->exclude)
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "No interface with an address is left by interfaces=%s and exclude-interfaces=%s: there are %s",
        wanted->interfaces ? wanted->interfaces : "(all)", wanted->exclude ? wanted->exclude : "(none)",
        *list ? list : "none");
  else
    g_set_error_literal (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "No interface of this machine is up and has an IP address: is the network down?");
  g_free (list);
  g_ptr_array_unref (names);
}

GPtrArray *
gst_rtc_interfaces_list (const GstRtcTransportAddresses *wanted, GError **error)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (g_free);
  struct ifaddrs *all = NULL;
  gboolean alone = TRUE;
  RtcAddress address;

  if (getifaddrs (&all) != 0) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The system does not list its network interfaces: %s",
        g_strerror (errno));
    g_ptr_array_unref (found);
    return NULL;
  }
  for (struct ifaddrs *at = all; at; at = at->ifa_next)
    alone &= !has_address (at, &address) || is_loopback (at);
  for (guint family = 4; family <= 6; family += 2) {
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
      if (has_address (at, &address) && address.family == family && is_wanted (at, wanted, alone))
        g_ptr_array_add (found, rtc_address_ip_to_string (&address));
    }
  }
  if (found->len == 0) {
    fail (all, wanted, error);
    g_clear_pointer (&found, g_ptr_array_unref);
  }
  freeifaddrs (all);
  return found;
}

gchar *
gst_rtc_interfaces_advertise (const GstRtcTransportAddresses *wanted, const gchar *ip)
{
  gchar **list = g_strsplit (wanted->advertise ? wanted->advertise : ip, ",", 0), *found = NULL;
  gboolean is_6 = strchr (ip, ':') != NULL;

  for (guint i = 0; list[i] && !found; i++) {
    if (*g_strstrip (list[i]) && (strchr (list[i], ':') != NULL) == is_6)
      found = g_strdup (list[i]);
  }
  g_strfreev (list);
  return found;
}

gboolean
gst_rtc_interfaces_has (const GstRtcTransportAddresses *wanted, const RtcAddress *address)
{
  GPtrArray *list = gst_rtc_interfaces_list (wanted, NULL);
  gchar *text = rtc_address_ip_to_string (address);
  gboolean found = FALSE;

  for (guint i = 0; list && i < list->len; i++)
    found |= g_strcmp0 (g_ptr_array_index (list, i), text) == 0;
  g_clear_pointer (&list, g_ptr_array_unref);
  g_free (text);
  return found;
}
