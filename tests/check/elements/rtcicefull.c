/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Agents of libnice without anything around them: what comes in, what it costs, how they end. */

#include "lib/icepair.h"

#include <gst/check/gstcheck.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS "192.0.2.1"
/* In the network, but nobody's. */
#define NOBODY "192.0.2.99"
#define MANY 500
#define PAIRS 20
#define FLOOD 50000
/* Later than libnice gives up that has tried all there is: two seconds of checks, five of patience. */
#define LATE (9 * G_USEC_PER_SEC)

static const gchar *const strange[] = {
    "",
    "candidate:",
    "candidate: ",
    "candidate:1 1 UDP",
    "candidate:1 1 TCP 1015021823 192.0.2.1 9 typ host",
    "candidate:1 1 tcp 1015021823 192.0.2.1 9 typ host tcptype",
    "candidate:1 1 tcp 1015021823 192.0.2.1 9 typ host tcptype sideways",
    "candidate:1 1 tcp 1015021823 192.0.2.1 9 typ host tcptype active",
    "candidate:1 1 ssltcp 1015021823 192.0.2.1 443 typ host",
    "candidate:1 1 UDP 0 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 99999999999999999999 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP -1 192.0.2.1 5000 typ host",
    "candidate:1 0 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 2 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 256 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 0 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 65536 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ nonsense",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ srflx",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ srflx raddr",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ srflx raddr x rport y",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ relay raddr ::1 rport 0",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ prflx raddr 0.0.0.0 rport 0",
    "candidate:1 1 UDP 1 peer.example.com 5000 typ host",
    "candidate:1 1 UDP 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5000 typ host",
    "candidate:1 1 UDP 1 .local 5000 typ host",
    "candidate:1 1 UDP 1 0.0.0.0 5000 typ host",
    "candidate:1 1 UDP 1 255.255.255.255 5000 typ host",
    "candidate:1 1 UDP 1 224.0.0.251 5353 typ host",
    "candidate:1 1 UDP 1 127.0.0.1 1 typ host",
    "candidate:1 1 UDP 1 :: 5000 typ host",
    "candidate:1 1 UDP 1 ff02::1 5000 typ host",
    "candidate:1 1 UDP 1 fe80::1 5000 typ host",
    "candidate:1 1 UDP 1 fe80::1%rtc0 5000 typ host",
    "candidate:1 1 UDP 1 fe80::1%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%% 5000 typ host",
    "candidate:1 1 UDP 1 ::ffff:192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 [fd00:192:0:2::1] 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2 5000 typ host",
    "candidate:1 1 UDP 1 0300.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1. 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host generation 0 ufrag other network-cost 999",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host generation",
    "candidate:1 1 UDP 1 192.0.2.1 5000  typ host",
    "candidate:1  1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host ",
    "candidate:1\t1\tUDP\t1\t192.0.2.1\t5000\ttyp\thost",
    "candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\na=candidate:2 1 TCP 1 192.0.2.1 9 typ host",
    "candidate:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:%s%n%x 1 UDP 1 192.0.2.1 5000 typ host",
    "candidate:\xff\xfe 1 UDP 1 192.0.2.1 5000 typ host",
    "a=candidate:1 1 UDP 1 192.0.2.1 5001 typ host",
    "a=a=candidate:1 1 UDP 1 192.0.2.1 5001 typ host",
};

static void
tell_strange_ones (IceSide *side)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (strange); i++) {
    ice_side_add_candidate (side, strange[i]);
    /* And every beginning of it. */
    for (guint n = 0; n < strlen (strange[i]); n++) {
      g_string_truncate (g_string_assign (text, strange[i]), n);
      ice_side_add_candidate (side, text->str);
    }
  }
  g_string_free (text, TRUE);
}

static void
check_media (IceSide *sides)
{
  gint before = g_atomic_int_get (&sides[1].n_received);

  ice_side_send (&sides[0], "\x80 a datagram");
  ice_wait (g_atomic_int_get (&sides[1].n_received) > before, 5);
}

GST_START_TEST (strange_candidates)
{
  IceWorld *world = ice_world_new ();
  IceSide sides[2];

  ice_pair_new (world, NULL, sides);
  /* Before the password is known, while a path is looked for, and when there is one. */
  tell_strange_ones (&sides[0]);
  ice_pair_start (sides);
  tell_strange_ones (&sides[0]);
  tell_strange_ones (&sides[1]);
  ice_wait (ice_is_connected (&sides[0]) && ice_is_connected (&sides[1]), 10);
  tell_strange_ones (&sides[1]);
  check_media (sides);
  fail_if (g_atomic_int_get (&sides[0].failed) || g_atomic_int_get (&sides[1].failed));
  ice_pair_free (sides);
  ice_world_free (world);
}
GST_END_TEST;

GST_START_TEST (many_candidates)
{
  IceWorld *world = ice_world_new ();
  IceSide sides[2];
  gint64 began = g_get_monotonic_time ();

  ice_pair_new (world, NULL, sides);
  ice_pair_start (sides);
  for (guint i = 0; i < MANY; i++) {
    gchar *text = g_strdup_printf ("candidate:%u 1 UDP %u " NOBODY " %u typ host", i, 2130706431 - i, 10000 + i);

    ice_side_add_candidate (&sides[0], text);
    ice_side_add_candidate (&sides[1], text);
    g_free (text);
  }
  ice_wait (ice_is_connected (&sides[0]) && ice_is_connected (&sides[1]), 10);
  check_media (sides);
  ice_pair_free (sides);
  ice_world_free (world);
  fail_unless (g_get_monotonic_time () - began < 12 * G_USEC_PER_SEC);
}
GST_END_TEST;

GST_START_TEST (only_names)
{
  IceWorld *world = ice_world_new ();
  IceSide sides[2];
  gint64 until;

  /* The one side knows names only, and that there are no more; the other side takes its time. */
  ice_pair_new (world, NULL, sides);
  sides[0].deaf = TRUE;
  ice_side_start (&sides[0]);
  ice_side_add_candidate (&sides[0], "candidate:1 1 UDP 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5000 typ host");
  ice_side_add_candidate (&sides[0], "candidate:2 1 UDP 1 " NOBODY " 5000 typ srflx raddr 0.0.0.0 rport 0");
  ice_side_add_candidate (&sides[0], NULL);
  until = g_get_monotonic_time () + LATE;
  ice_wait (g_atomic_int_get (&sides[0].failed) || g_get_monotonic_time () > until, 15);
  fail_if (g_atomic_int_get (&sides[0].failed), "%s", sides[0].error);
  ice_side_start (&sides[1]);
  ice_wait (ice_is_connected (&sides[0]) && ice_is_connected (&sides[1]), 10);
  check_media (sides);
  ice_pair_free (sides);
  ice_world_free (world);
}
GST_END_TEST;

/* At most two descriptors an agent and address, no thread, and nothing is left of it. */
GST_START_TEST (nothing_is_left)
{
  static IceSide sides[PAIRS][2];
  IceWorld *world = ice_world_new ();
  GstRtcTransportConfig config = {.max_rtp_port = 65535, .addresses = {.interfaces = "rtc0"}};
  guint fds = ice_count ("fd"), threads, begun, connected;

  /* In each state that there is: begun, looking for a path, connected. */
  for (guint i = 0; i < PAIRS; i++)
    ice_pair_new (world, &config, sides[i]);
  /* What GLib starts once for itself is there now. */
  threads = ice_count ("task");
  begun = ice_count ("fd");
  for (guint i = 0; i < PAIRS; i++)
    ice_pair_start (sides[i]);
  for (guint i = 0; i < PAIRS / 2; i++)
    ice_wait (ice_is_connected (&sides[i][0]) && ice_is_connected (&sides[i][1]), 20);
  connected = ice_count ("fd");
  fail_unless_equals_int (ice_count ("task"), threads);
  /* An eventfd each; then a socket for each address, of which rtc0 has one a family. */
  fail_unless (begun - fds <= 2 * PAIRS, "%u descriptors for %u agents", begun - fds, 2 * PAIRS);
  fail_unless (connected - fds <= 3 * 2 * PAIRS, "%u descriptors for %u agents", connected - fds, 2 * PAIRS);
  for (guint i = 0; i < PAIRS; i++)
    ice_pair_free (sides[i]);
  fail_unless (ice_world_free (world) < 3 * G_USEC_PER_SEC);
  /* The world's own are gone as well: its loop's and its epoll. */
  fail_unless (ice_count ("fd") < fds, "%u descriptors are left of %u", ice_count ("fd"), fds);
}
GST_END_TEST;

/* A relay that does not answer, at each moment: what is asked of it is waited for, but not for long. */
GST_START_TEST (a_relay_that_is_silent)
{
  static const guint moments[] = {0, 50, 700};
  static const gchar *const urls[] = {"turn://anna:secret@" NOBODY, "turn://anna:secret@" NOBODY "?transport=tcp"};
  gchar *servers[] = {(gchar *)urls[__i__ % 2], NULL};
  GstRtcTransportConfig config = {.max_rtp_port = 65535, .turn_servers = servers, .stun_server = "stun://" NOBODY};
  IceWorld *world = ice_world_new ();
  gint64 until = g_get_monotonic_time () + moments[__i__ / 2] * 1000;
  IceSide sides[2];

  ice_pair_new (world, &config, sides);
  ice_pair_start (sides);
  ice_wait (g_get_monotonic_time () >= until, 5);
  ice_pair_free (sides);
  fail_unless (ice_world_free (world) < 2 * G_USEC_PER_SEC);
}
GST_END_TEST;

/* Somebody who sends to one agent as fast as he can is no hindrance to the others. */

typedef struct
{
  gint stop; /* atomic */
  gint sent; /* atomic */
  guint port;
} Flood;

static gpointer
flood_thread (gpointer data)
{
  Flood *flood = data;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons (flood->port)};
  guint8 junk[1200] = {0x80};
  int fd = socket (AF_INET, SOCK_DGRAM, 0);

  inet_pton (AF_INET, ADDRESS, &to.sin_addr);
  while (!g_atomic_int_get (&flood->stop))
    g_atomic_int_add (&flood->sent, sendto (fd, junk, sizeof (junk), 0, (struct sockaddr *)&to, sizeof (to)) > 0);
  close (fd);
  return NULL;
}

GST_START_TEST (a_flood)
{
  GstRtcTransportConfig one = {.min_rtp_port = 20000, .max_rtp_port = 20001};
  IceWorld *world = ice_world_new ();
  Flood flood = {.port = 20000};
  IceSide flooded[2], others[2];
  GThread *thread;
  gint64 worst = 0;

  ice_pair_new (world, &one, flooded);
  ice_pair_new (world, NULL, others);
  others[1].echoes = TRUE;
  ice_pair_start (flooded);
  ice_pair_start (others);
  ice_wait (ice_is_connected (&flooded[0]) && ice_is_connected (&others[0]) && ice_is_connected (&others[1]), 10);
  thread = g_thread_new ("flood", flood_thread, &flood);
  for (gint i = 1; i <= 200 || g_atomic_int_get (&flood.sent) < FLOOD; i++) {
    gint64 began = g_get_monotonic_time ();

    ice_side_send (&others[0], "\x80 there and back");
    ice_wait (g_atomic_int_get (&others[0].n_received) >= i, 5);
    worst = MAX (worst, g_get_monotonic_time () - began);
  }
  g_atomic_int_set (&flood.stop, TRUE);
  g_thread_join (thread);
  GST_INFO ("%d datagrams of junk, longest way there and back %" G_GINT64_FORMAT " us", flood.sent, worst);
  fail_unless (worst < G_USEC_PER_SEC, "%" G_GINT64_FORMAT " us there and back", worst);
  fail_unless_equals_int (g_atomic_int_get (&flooded[0].n_received), 0);
  ice_pair_free (flooded);
  ice_pair_free (others);
  ice_world_free (world);
}
GST_END_TEST;

static Suite *
rtcicefull_suite (void)
{
  Suite *s = suite_create ("rtcicefull");
  TCase *tc = tcase_create ("agents");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, strange_candidates);
  tcase_add_test (tc, many_candidates);
  tcase_add_test (tc, only_names);
  tcase_add_test (tc, nothing_is_left);
  tcase_add_loop_test (tc, a_relay_that_is_silent, 0, 6);
  tcase_add_test (tc, a_flood);
  return s;
}

GST_CHECK_MAIN (rtcicefull);
