/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <string.h>

#include "core/rtccandidate.h"
#include "core/rtcmessage.h"

#define HOST "candidate:1 1 UDP 2015363327 192.0.2.1 5000 typ host"

typedef struct
{
  const gchar *text;
  const gchar *wrong; /* what the reason must contain; NULL: it is good */
} Case;

static const Case cases[] = {
    /* as webrtcbin, Chromium, Firefox, aiortc and pion write them */
    {HOST, NULL},
    {"a=" HOST, NULL},
    {"candidate:2 1 TCP 1015021823 192.0.2.1 9 typ host tcptype active", NULL},
    {"candidate:842163049 1 udp 1677729535 203.0.113.5 61000 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
     "ufrag bP9W network-cost 999",
        NULL},
    {"candidate:0 1 UDP 2122252543 0f2d1a3c-77aa-4c5e-a3a7-1d6a2bb1b9a1.local 52133 typ host", NULL},
    {"candidate:foundation+/ 256 udp 4294967295 fd00:192:0:2::1 65535 typ relay raddr 192.0.2.1 rport 4000", NULL},
    {"candidate:1 1 udp 1 192.0.2.1 0 typ host", NULL},
    {"candidate:1 1 ssltcp 1 192.0.2.1 443 typ host", "neither udp nor tcp"},

    {"", "no ICE candidate"},
    {"a=", "no ICE candidate"},
    {"candidate", "no ICE candidate"},
    {"candidate:", "too few fields"},
    {"CANDIDATE:1 1 UDP 1 192.0.2.1 5000 typ host", "no ICE candidate"},
    {"b=" HOST, "no ICE candidate"},
    {HOST "\r\n", "no ICE candidate"},
    {HOST "\r\na=fingerprint:sha-256 00", "no ICE candidate"},
    {"candidate:1 1 UDP 1 192.0.2.\xc3\xa4 5000 typ host", "no ICE candidate"},
    {"candidate:1 1 UDP 1 192.0.2.1 5000", "too few fields"},
    {"candidate:1 1 UDP 1 192.0.2.1 5000 typ", "too few fields"},
    {"candidate:1 1 UDP 1 192.0.2.1 5000 type host", "no typ"},
    {"candidate: 1 UDP 1 192.0.2.1 5000 typ host", "foundation"},
    {"candidate:123456789012345678901234567890123 1 UDP 1 192.0.2.1 5000 typ host", "foundation"},
    {"candidate:1 0 UDP 1 192.0.2.1 5000 typ host", "component"},
    {"candidate:1 257 UDP 1 192.0.2.1 5000 typ host", "component"},
    {"candidate:1 -1 UDP 1 192.0.2.1 5000 typ host", "component"},
    {"candidate:1 one UDP 1 192.0.2.1 5000 typ host", "component"},
    {"candidate:1 1 SCTP 1 192.0.2.1 5000 typ host", "neither udp nor tcp"},
    {"candidate:1 1 UDP 0 192.0.2.1 5000 typ host", "priority"},
    {"candidate:1 1 UDP 4294967296 192.0.2.1 5000 typ host", "priority"},
    {"candidate:1 1 UDP 99999999999999999999999 192.0.2.1 5000 typ host", "priority"},
    {"candidate:1 1 UDP 1 192.0.2.1 65536 typ host", "port"},
    {"candidate:1 1 UDP 1 192.0.2.1 -5 typ host", "port"},
    {"candidate:1 1 UDP 1 192.0.2.1 5000x typ host", "port"},
    {"candidate:1 1 UDP 1 192.0.2.1  5000 typ host", "no typ"},
    {"candidate:1 1 TCP 1 192.0.2.1 9 typ host", "tcptype"},
    {"candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype", "tcptype"},
    {"candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype ", "tcptype"},
    {"candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype idle", "tcptype"},
    {"candidate:1 1 tcp 1 192.0.2.1 9 typ srflx raddr tcptype rport 9", "tcptype"},
    {"candidate:1 1 tcp 1 192.0.2.1 9 typ srflx raddr 192.0.2.7 rport 9 tcptype so", NULL},
};

static void
test_table (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    gboolean good = rtc_candidate_check (cases[i].text, &error);

    if (!cases[i].wrong) {
      if (!good)
        g_error ("\"%s\" was refused: %s", cases[i].text, error->message);
    } else {
      if (good || !error || !strstr (error->message, cases[i].wrong))
        g_error ("\"%s\": %s", cases[i].text, error ? error->message : "was taken");
      g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_CANDIDATE);
      g_assert_true (g_utf8_validate (error->message, -1, NULL) || !g_str_is_ascii (cases[i].text));
    }
  }
}

/* Without a place for the error, too. */
static void
test_no_error_wanted (void)
{
  g_assert_true (rtc_candidate_check (HOST, NULL));
  g_assert_false (rtc_candidate_check ("candidate:", NULL));
}

static void
test_length (void)
{
  g_autoptr (GString) text = g_string_new (HOST " x ");
  g_autoptr (GError) error = NULL;

  while (text->len < RTC_MAX_CANDIDATE)
    g_string_append_c (text, 'y');
  g_assert_true (rtc_candidate_check (text->str, &error));
  g_assert_no_error (error);
  g_string_append_c (text, 'y');
  g_assert_false (rtc_candidate_check (text->str, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_CANDIDATE);
  /* The reason does not grow with what was sent. */
  g_assert_cmpuint (strlen (error->message), <, 256);
}

/* Nothing that is cut off anywhere, or has one character changed, may do more than be refused. */
static void
test_damaged (void)
{
  static const gchar whole[] = "candidate:2 1 TCP 1015021823 192.0.2.1 9 typ host tcptype active";

  for (gsize cut = 0; cut < sizeof (whole) - 1; cut++) {
    g_autofree gchar *text = g_strndup (whole, cut);

    g_assert_false (rtc_candidate_check (text, NULL));
  }
  for (gsize at = 0; at < sizeof (whole) - 1; at++) {
    for (gint c = 1; c < 256; c++) {
      g_autofree gchar *text = g_strdup (whole);
      g_autoptr (GError) error = NULL;

      text[at] = (gchar)c;
      if (!rtc_candidate_check (text, &error))
        g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_CANDIDATE);
    }
  }
}

static void
test_mdns (void)
{
  g_assert_true (rtc_candidate_is_mdns ("candidate:0 1 UDP 2122252543 0f2d1a3c.local 52133 typ host"));
  g_assert_false (rtc_candidate_is_mdns (HOST));
  g_assert_false (rtc_candidate_is_mdns ("candidate:0 1 UDP 2122252543 example.localhost 52133 typ host"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/candidate/table", test_table);
  g_test_add_func ("/candidate/no-error-wanted", test_no_error_wanted);
  g_test_add_func ("/candidate/length", test_length);
  g_test_add_func ("/candidate/damaged", test_damaged);
  g_test_add_func ("/candidate/mdns", test_mdns);
  return g_test_run ();
}
