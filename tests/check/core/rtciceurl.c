/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <string.h>

#include "core/rtciceurl.h"
#include "core/rtcmessage.h"

typedef struct
{
  const gchar *text;
  const gchar *told; /* what rtc_ice_url_to_string() makes of it; NULL: it is refused */
  const gchar *user, *password;
} Case;

static const Case cases[] = {
    {"stun://stun.example.com", "stun:stun.example.com:3478 over UDP", "", ""},
    {"stun://192.0.2.1:19302", "stun:192.0.2.1:19302 over UDP", "", ""},
    {"stun://[2001:db8::1]:3479", "stun:[2001:db8::1]:3479 over UDP", "", ""},
    {"turn://192.0.2.1", "turn:192.0.2.1:3478 over UDP", "", ""},
    {"turn://anna:secret@192.0.2.1:80", "turn:192.0.2.1:80 over UDP", "anna", "secret"},
    {"turn://anna:secret@192.0.2.1?transport=udp", "turn:192.0.2.1:3478 over UDP", "anna", "secret"},
    {"turn://anna:secret@192.0.2.1?transport=tcp", "turn:192.0.2.1:3478 over TCP", "anna", "secret"},
    {"turn://1700000000%3Aanna:p%40ss%3aw%2Ford%25@[2001:db8::1]:443?transport=tcp", "turn:[2001:db8::1]:443 over TCP",
        "1700000000:anna", "p@ss:w/ord%"},
    {"turns://anna:secret@turn.example.com", "turns:turn.example.com:5349 over TLS", "anna", "secret"},
    {"turns://anna:secret@turn.example.com:443?transport=tcp", "turns:turn.example.com:443 over TLS", "anna", "secret"},
    {"stuns://stun.example.com", "stuns:stun.example.com:5349 over TLS", "", ""},

    {"", NULL, NULL, NULL},
    {"turn", NULL, NULL, NULL},
    {"turn:192.0.2.1:3478", NULL, NULL, NULL},
    {"turn://", NULL, NULL, NULL},
    {"turn:///", NULL, NULL, NULL},
    {"turn://anna:secret@", NULL, NULL, NULL},
    {"turn://anna:secret@192.0.2.1:0", NULL, NULL, NULL},
    {"turn://anna:secret@192.0.2.1:65536", NULL, NULL, NULL},
    {"turn://anna:secret@192.0.2.1:x", NULL, NULL, NULL},
    {"turn://anna:100%@192.0.2.1", NULL, NULL, NULL},
    {"turn://anna:secret%00@192.0.2.1", NULL, NULL, NULL},
    {"turn://anna:secret@192.0.2.1?transport=sctp", NULL, NULL, NULL},
    {"turns://anna:secret@192.0.2.1?transport=udp", NULL, NULL, NULL},
    {"stun://192.0.2.1?transport=tcp", NULL, NULL, NULL},
    {"http://192.0.2.1", NULL, NULL, NULL},
    {"stunt://192.0.2.1", NULL, NULL, NULL},
};

static void
test_parse (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  RtcIceUrl *url = rtc_ice_url_parse (c->text, &error);
  g_autofree gchar *told = url ? rtc_ice_url_to_string (url) : NULL;

  g_assert_cmpstr (told, ==, c->told);
  if (!url) {
    g_assert_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
    g_assert_nonnull (strstr (error->message, "turn://user:password@host:port"));
    g_assert_null (strstr (error->message, "secret"));
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpstr (url->user, ==, c->user);
  g_assert_cmpstr (url->password, ==, c->password);
  g_assert_cmpint (url->relays, ==, g_str_has_prefix (c->text, "turn"));
  g_assert_null (strstr (told, "secret"));
  rtc_ice_url_free (url);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path = g_strdup_printf ("/ice-url/%u", i);

    g_test_add_data_func (path, &cases[i], test_parse);
  }
  return g_test_run ();
}
