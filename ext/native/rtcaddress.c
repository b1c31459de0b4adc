/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcaddress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

gboolean
rtc_address_from_sockaddr (RtcAddress *address, const struct sockaddr *from, gsize size)
{
  memset (address, 0, sizeof (*address));
  if (from->sa_family == AF_INET && size >= sizeof (struct sockaddr_in)) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)from;

    address->family = 4;
    address->port = ntohs (in->sin_port);
    memcpy (address->ip, &in->sin_addr, 4);
    return TRUE;
  }
  if (from->sa_family == AF_INET6 && size >= sizeof (struct sockaddr_in6)) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;

    address->port = ntohs (in->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED (&in->sin6_addr)) {
      address->family = 4;
      memcpy (address->ip, (const guint8 *)&in->sin6_addr + 12, 4);
    } else {
      address->family = 6;
      memcpy (address->ip, &in->sin6_addr, 16);
    }
    return TRUE;
  }
  return FALSE;
}

gsize
rtc_address_to_sockaddr (const RtcAddress *address, struct sockaddr_storage *to, gboolean mapped)
{
  struct sockaddr_in *in = (struct sockaddr_in *)to;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

  memset (to, 0, sizeof (struct sockaddr_in6));
  if (address->family == 4 && !mapped) {
    in->sin_family = AF_INET;
    in->sin_port = htons (address->port);
    memcpy (&in->sin_addr, address->ip, 4);
    return sizeof (*in);
  }
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons (address->port);
  if (address->family == 4) {
    ((guint8 *)&in6->sin6_addr)[10] = ((guint8 *)&in6->sin6_addr)[11] = 0xff;
    memcpy ((guint8 *)&in6->sin6_addr + 12, address->ip, 4);
  } else {
    memcpy (&in6->sin6_addr, address->ip, 16);
  }
  return sizeof (*in6);
}

gboolean
rtc_address_parse (RtcAddress *address, const gchar *ip, guint port)
{
  memset (address, 0, sizeof (*address));
  if (port > G_MAXUINT16)
    return FALSE;
  address->port = port;
  if (inet_pton (AF_INET, ip, address->ip) == 1)
    address->family = 4;
  else if (inet_pton (AF_INET6, ip, address->ip) == 1)
    address->family = 6;
  return address->family != 0;
}

guint
rtc_address_hash (gconstpointer data)
{
  const RtcAddress *address = data;
  guint32 words[5], hash = 2166136261u;

  memcpy (words, address, sizeof (words));
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    hash = (hash ^ words[i]) * 2654435761u;
  return hash ^ (hash >> 15);
}

gboolean
rtc_address_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (RtcAddress)) == 0;
}

gchar *
rtc_address_ip_to_string (const RtcAddress *address)
{
  gchar text[INET6_ADDRSTRLEN] = "";

  inet_ntop (address->family == 4 ? AF_INET : AF_INET6, address->ip, text, sizeof (text));
  return g_strdup (text);
}

gchar *
rtc_address_to_string (const RtcAddress *address)
{
  gchar *ip = rtc_address_ip_to_string (address);
  gchar *text = g_strdup_printf (address->family == 4 ? "%s:%u" : "[%s]:%u", ip, address->port);

  g_free (ip);
  return text;
}
