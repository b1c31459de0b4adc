/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcaddress.h"

#include <netinet/in.h>

static void
round_trip (const gchar *ip, guint port, gboolean mapped, const gchar *expected)
{
  struct sockaddr_storage storage;
  RtcAddress there, back;
  gchar *text;
  gsize size;

  g_assert_true (rtc_address_parse (&there, ip, port));
  size = rtc_address_to_sockaddr (&there, &storage, mapped);
  g_assert_true (rtc_address_from_sockaddr (&back, (struct sockaddr *)&storage, size));
  g_assert_true (rtc_address_equal (&there, &back));
  g_assert_cmpuint (rtc_address_hash (&there), ==, rtc_address_hash (&back));
  text = rtc_address_to_string (&back);
  g_assert_cmpstr (text, ==, expected);
  g_free (text);
}

static void
addresses_survive_a_socket (void)
{
  round_trip ("192.0.2.1", 5000, FALSE, "192.0.2.1:5000");
  round_trip ("192.0.2.1", 5000, TRUE, "192.0.2.1:5000");
  round_trip ("2001:db8::1", 9, FALSE, "[2001:db8::1]:9");
}

static void
a_mapped_address_is_ipv4 (void)
{
  struct sockaddr_storage storage;
  RtcAddress address;

  g_assert_true (rtc_address_parse (&address, "192.0.2.7", 1));
  g_assert_cmpuint (rtc_address_to_sockaddr (&address, &storage, TRUE), ==, sizeof (struct sockaddr_in6));
  g_assert_true (rtc_address_from_sockaddr (&address, (struct sockaddr *)&storage, sizeof (struct sockaddr_in6)));
  g_assert_cmpuint (address.family, ==, 4);
}

static void
what_is_no_address_is_refused (void)
{
  struct sockaddr_storage storage = {.ss_family = AF_UNIX};
  RtcAddress address;

  g_assert_false (rtc_address_parse (&address, "localhost", 1));
  g_assert_false (rtc_address_parse (&address, "192.0.2.1", 65536));
  g_assert_false (rtc_address_parse (&address, "", 1));
  g_assert_false (rtc_address_from_sockaddr (&address, (struct sockaddr *)&storage, sizeof (storage)));
  storage.ss_family = AF_INET6;
  g_assert_false (rtc_address_from_sockaddr (&address, (struct sockaddr *)&storage, sizeof (struct sockaddr_in)));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address/addresses_survive_a_socket", addresses_survive_a_socket);
  g_test_add_func ("/address/a_mapped_address_is_ipv4", a_mapped_address_is_ipv4);
  g_test_add_func ("/address/what_is_no_address_is_refused", what_is_no_address_is_refused);
  return g_test_run ();
}
