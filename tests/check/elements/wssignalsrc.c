/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* wssignalsrc as it should work: real sockets on 127.0.0.1, ports that the system picks. */

#include <glib/gstdio.h>
#include <string.h>

#include "wsfixture.h"

static Peer *
caller_new (guint port, const gchar *path)
{
  g_autofree gchar *uri = g_strdup_printf ("ws://127.0.0.1:%u%s", port, path);

  return peer_new ("uri", uri, "ping-interval", 200, "ping-timeout", 600, "reconnect-delay-min", 50,
      "reconnect-delay-max", 200, NULL);
}

GST_START_TEST (test_listener_and_caller)
{
  Peer *listener = listener_new ();
  Peer *caller = caller_new (peer_port (listener), "/");
  g_autoptr (RtcMessage) own = peer_expect (listener, RTC_MESSAGE_WELCOME);
  g_autoptr (RtcMessage) welcome = NULL, peers = NULL, joined = NULL, offer = NULL, answer = NULL, left = NULL;
  g_autofree gchar *id = NULL;
  RtcPeerInfo *info;

  peer_play (caller);
  welcome = peer_expect (caller, RTC_MESSAGE_WELCOME);
  fail_if (welcome->resumed);
  id = peer_id (caller);
  fail_unless_equals_string (id, welcome->peer_id);
  peers = peer_expect (caller, RTC_MESSAGE_PEERS);
  fail_unless_equals_int (peers->peers->len, 1);
  info = g_ptr_array_index (peers->peers, 0);
  fail_unless_equals_string (info->id, own->peer_id);
  fail_unless_equals_string (info->display_name, g_get_host_name ());
  fail_unless_equals_string (info->offerer, welcome->peer_id);
  joined = peer_expect (listener, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (joined->peers, 0);
  fail_unless_equals_string (info->id, welcome->peer_id);

  peer_send (caller, "{\"type\":\"offer\",\"to\":\"%s\",\"session\":\"s1\",\"sdp\":\"v=0\\r\\n\"}", own->peer_id);
  offer = peer_expect (listener, RTC_MESSAGE_OFFER);
  fail_unless_equals_string (offer->from, welcome->peer_id);
  fail_unless_equals_string (offer->sdp, "v=0\r\n");
  peer_send (listener, "{\"type\":\"answer\",\"to\":\"%s\",\"session\":\"s1\",\"sdp\":\"v=0\"}", welcome->peer_id);
  answer = peer_expect (caller, RTC_MESSAGE_ANSWER);
  fail_unless_equals_string (answer->from, own->peer_id);
  fail_unless_equals_int (peer_stat (listener, "clients"), 1);
  fail_unless_equals_int (peer_stat (listener, "peers"), 2);
  fail_unless (peer_stat (caller, "messages-out") >= 2);

  /* A clean stop says so. */
  gst_element_set_state (caller->element, GST_STATE_NULL);
  left = peer_expect (listener, RTC_MESSAGE_LEFT);
  fail_unless_equals_string (left->reason, "bye");
  peer_no_more_errors (caller);
  peer_no_more_errors (listener);
  peer_free (caller);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_second_run)
{
  Peer *listener = listener_new ();
  g_autoptr (RtcMessage) first = peer_expect (listener, RTC_MESSAGE_WELCOME);
  guint port = peer_port (listener);
  Peer *caller = caller_new (port, "/studio");
  guint i;

  fail_unless (port > 0);
  for (i = 0; i < 3; i++) {
    g_autoptr (RtcMessage) welcome = NULL;

    peer_play (caller);
    welcome = peer_expect (caller, RTC_MESSAGE_WELCOME);
    fail_unless_equals_string (welcome->room, "studio");
    gst_element_set_state (caller->element, GST_STATE_NULL);
  }
  gst_element_set_state (listener->element, GST_STATE_NULL);
  fail_unless_equals_int (peer_port (listener), 0);
  g_object_set (listener->element, "port", port, NULL);
  peer_play (listener);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  fail_unless_equals_int (peer_port (listener), port);
  peer_play (caller);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_WELCOME));
  peer_free (caller);
  peer_free (listener);
}
GST_END_TEST;

/* Back and forth in quick order, with a server and with one that says nothing. No step may take long. */
GST_START_TEST (test_quick_state_changes)
{
  Peer *listener = listener_new ();
  Proxy *proxy = proxy_new (peer_port (listener));
  Peer *peers[] = {caller_new (peer_port (listener), "/"), caller_new (proxy_port (proxy), "/"),
      peer_new ("mode", 1, "port", 0, NULL)};
  g_autoptr (GRand) random = g_rand_new_with_seed (17);
  guint i, k;

  proxy_set_silent (proxy, TRUE);
  for (k = 0; k < G_N_ELEMENTS (peers); k++) {
    for (i = 0; i < 60; i++) {
      GstState state = g_rand_int_range (random, GST_STATE_NULL, GST_STATE_PLAYING + 1);
      gint64 start = g_get_monotonic_time ();

      fail_if (gst_element_set_state (peers[k]->element, state) == GST_STATE_CHANGE_FAILURE);
      fail_unless (g_get_monotonic_time () - start < G_USEC_PER_SEC);
    }
    gst_element_set_state (peers[k]->element, GST_STATE_NULL);
    peer_no_more_errors (peers[k]);
  }
  peer_play (peers[0]);
  run_until (peer_stat (listener, "clients") == 1);
  for (k = 0; k < G_N_ELEMENTS (peers); k++)
    peer_free (peers[k]);
  proxy_free (proxy);
  peer_free (listener);
}
GST_END_TEST;

/* Cuts, and waits until the peer is there again under its own name, without anybody noticing. */
GST_START_TEST (test_resume_after_cut)
{
  Peer *listener = listener_new ();
  Proxy *proxy = proxy_new (peer_port (listener));
  Peer *caller = caller_new (proxy_port (proxy), "/");
  g_autoptr (RtcMessage) own = peer_expect (listener, RTC_MESSAGE_WELCOME);
  g_autoptr (RtcMessage) welcome = NULL;
  guint i;

  peer_play (caller);
  welcome = peer_expect (caller, RTC_MESSAGE_WELCOME);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_JOINED));
  for (i = 1; i <= 3; i++) {
    g_autoptr (RtcMessage) down = NULL, up = NULL;
    g_autofree gchar *id = NULL, *text = NULL;
    g_autofree gchar *session = g_strdup_printf ("s%u", i);

    /* New connections are taken and hang, until both sides have noticed. */
    proxy_set_silent (proxy, TRUE);
    proxy_cut (proxy);
    run_until (peer_stat (listener, "clients") == 0);
    text = peer_expect_bus (caller, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
    fail_unless (strstr (text, "next attempt") != NULL);
    /* What is said meanwhile, by either, arrives. */
    peer_send (caller, "{\"type\":\"end-of-candidates\",\"to\":\"%s\",\"session\":\"%s\"}", own->peer_id, session);
    peer_send (
        listener, "{\"type\":\"end-of-candidates\",\"to\":\"%s\",\"session\":\"%s\"}", welcome->peer_id, session);
    proxy_set_silent (proxy, FALSE);
    up = peer_expect (listener, RTC_MESSAGE_END_OF_CANDIDATES);
    fail_unless_equals_string (up->session, session);
    down = peer_expect (caller, RTC_MESSAGE_END_OF_CANDIDATES);
    fail_unless_equals_string (down->session, session);
    id = peer_id (caller);
    fail_unless_equals_string (id, welcome->peer_id);
    fail_unless_equals_int (peer_stat (caller, "reconnects"), i);
  }
  fail_unless_equals_int (gst_harness_buffers_in_queue (listener->harness), 0);
  fail_unless_equals_int (peer_stat (listener, "peers"), 2);
  peer_no_more_errors (caller);
  peer_free (caller);
  proxy_free (proxy);
  peer_free (listener);
}
GST_END_TEST;

/* Nothing is ended, nothing arrives: only time tells. */
GST_START_TEST (test_dead_server)
{
  Peer *listener = listener_new ();
  Proxy *proxy = proxy_new (peer_port (listener));
  Peer *caller = caller_new (proxy_port (proxy), "/");
  g_autofree gchar *text = NULL, *id = NULL;
  g_autoptr (RtcMessage) welcome = NULL;
  gint64 start, took;

  peer_play (caller);
  welcome = peer_expect (caller, RTC_MESSAGE_WELCOME);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_PEERS));
  start = g_get_monotonic_time ();
  proxy_set_silent (proxy, TRUE);
  text = peer_expect_bus (caller, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
  took = (g_get_monotonic_time () - start) / 1000;
  fail_unless (strstr (text, "ping-timeout") != NULL, "%s", text);
  /* 600 ms after the last pong, which may have been 200 ms before; the rest is for a loaded machine. */
  fail_unless (took >= 300 && took < 1500, "noticed after %d ms", (gint)took);
  proxy_cut (proxy);
  proxy_set_silent (proxy, FALSE);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_PEERS));
  id = peer_id (caller);
  fail_unless_equals_string (id, welcome->peer_id);
  peer_free (caller);
  proxy_free (proxy);
  peer_free (listener);
}
GST_END_TEST;

/* A server that forgot everything: the caller is somebody new, and says so downstream. */
GST_START_TEST (test_server_restart)
{
  Peer *listener = listener_new ();
  guint port = peer_port (listener);
  Peer *caller = caller_new (port, "/");
  g_autoptr (RtcMessage) first = NULL, second = NULL;

  peer_play (caller);
  first = peer_expect (caller, RTC_MESSAGE_WELCOME);
  gst_element_set_state (listener->element, GST_STATE_NULL);
  g_object_set (listener->element, "port", port, NULL);
  peer_play (listener);
  second = peer_expect (caller, RTC_MESSAGE_WELCOME);
  fail_if (second->resumed);
  fail_if (g_str_equal (first->peer_id, second->peer_id));
  peer_free (caller);
  peer_free (listener);
}
GST_END_TEST;

static GstPadProbeReturn
answer_query (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (!gst_rtc_signal_query_is (query))
    return GST_PAD_PROBE_OK;
  gst_rtc_signal_query_set (query, user_data);
  return GST_PAD_PROBE_HANDLED;
}

static void
add_info (Peer *peer, GstRtcSignalInfo *info)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (peer->element, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, answer_query, info, NULL);
}

/* What downstream answers becomes role and tracks, and the ICE servers of everybody. */
GST_START_TEST (test_query)
{
  const gchar *servers[] = {"stun://192.0.2.1:3478", "turn://us%40er:pa%3Ass@192.0.2.2:3478?transport=tcp", NULL};
  GstRtcSignalInfo sends = {.sends = TRUE, .n_video = 2, .n_audio = 1, .ice_servers = (gchar **)servers};
  GstRtcSignalInfo receives = {.sends = FALSE};
  Peer *listener = peer_new ("mode", 1, "port", 0, "meta", "{ \"site\" : \"north\" }", NULL);
  g_autoptr (RtcMessage) welcome = NULL, peers = NULL, joined = NULL;
  RtcIceServer *turn;
  RtcPeerInfo *info;
  Peer *caller;

  add_info (listener, &sends);
  peer_play (listener);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  caller = caller_new (peer_port (listener), "/");
  add_info (caller, &receives);
  peer_play (caller);
  welcome = peer_expect (caller, RTC_MESSAGE_WELCOME);
  fail_unless_equals_int (welcome->ice_servers->len, 2);
  turn = g_ptr_array_index (welcome->ice_servers, 0);
  fail_unless_equals_string (turn->urls[0], "stun:192.0.2.1:3478");
  turn = g_ptr_array_index (welcome->ice_servers, 1);
  fail_unless_equals_string (turn->urls[0], "turn:192.0.2.2:3478?transport=tcp");
  fail_unless_equals_string (turn->username, "us@er");
  fail_unless_equals_string (turn->credential, "pa:ss");
  peers = peer_expect (caller, RTC_MESSAGE_PEERS);
  info = g_ptr_array_index (peers->peers, 0);
  fail_unless_equals_int (info->role, RTC_ROLE_BOTH);
  fail_unless_equals_int (info->n_video, 2);
  fail_unless_equals_int (info->n_audio, 1);
  fail_unless_equals_string (info->meta, "{\"site\":\"north\"}");
  fail_if (g_str_equal (info->offerer, welcome->peer_id));
  joined = peer_expect (listener, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (joined->peers, 0);
  fail_unless_equals_int (info->role, RTC_ROLE_RECEIVE);
  peer_free (caller);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_tls)
{
  g_autofree gchar *dir = g_dir_make_tmp ("rtclink-XXXXXX", NULL);
  g_autofree gchar *certificate = NULL, *key = NULL, *uri = NULL;
  Peer *listener, *caller;

  make_certificate (dir, &certificate, &key);
  listener =
      peer_new ("mode", 1, "port", 0, "tls-certificate", certificate, "tls-private-key", key, "token", "s3cret", NULL);
  peer_play (listener);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  uri = g_strdup_printf ("wss://127.0.0.1:%u/", peer_port (listener));
  caller = peer_new ("uri", uri, "tls-ca-file", certificate, "token", "s3cret", NULL);
  peer_play (caller);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_WELCOME));
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_JOINED));
  peer_free (caller);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_LEFT));
  caller = peer_new ("uri", uri, "tls-verify", FALSE, "token", "s3cret", NULL);
  peer_play (caller);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_WELCOME));
  peer_free (caller);
  peer_free (listener);
  g_remove (certificate);
  g_remove (key);
  g_rmdir (dir);
}
GST_END_TEST;

static void
check_page (SoupSession *session, guint port, const gchar *method, const gchar *path, guint status, const gchar *type)
{
  g_autofree gchar *uri = g_strdup_printf ("http://127.0.0.1:%u%s", port, path);
  g_autoptr (SoupMessage) message = soup_message_new (method, uri);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = soup_session_send_and_read (session, message, NULL, &error);
  SoupMessageHeaders *headers = soup_message_get_response_headers (message);

  fail_unless (body != NULL, "%s: %s", path, error ? error->message : "");
  fail_unless_equals_int (soup_message_get_status (message), status);
  fail_unless_equals_string (soup_message_headers_get_content_type (headers, NULL), type);
  fail_unless_equals_string (soup_message_headers_get_one (headers, "X-Content-Type-Options"), "nosniff");
  fail_unless_equals_string (soup_message_headers_get_one (headers, "Cache-Control"), "no-cache");
  fail_unless (
      g_str_has_prefix (soup_message_headers_get_one (headers, "Content-Security-Policy"), "default-src 'self';"));
  fail_unless (
      strstr (soup_message_headers_get_one (headers, "Content-Security-Policy"), "frame-ancestors 'none'") != NULL);
  fail_unless_equals_string (soup_message_headers_get_one (headers, "Access-Control-Allow-Origin"),
      g_str_has_prefix (path, "/rtc") ? "*" : NULL);
  if (strcmp (method, "HEAD") != 0)
    fail_unless (g_bytes_get_size (body) > 0);
}

GST_START_TEST (test_page)
{
  static const struct
  {
    const gchar *method, *path;
    guint status;
    const gchar *type;
  } cases[] = {
      {"GET", "/", 200, "text/html"},
      {"GET", "/index.html", 200, "text/html"},
      {"GET", "/studio", 200, "text/html"},
      {"GET", "/a%20room/inside", 200, "text/html"},
      {"HEAD", "/", 200, "text/html"},
      {"GET", "/app.js", 200, "text/javascript"},
      {"GET", "/control.js", 200, "text/javascript"},
      {"GET", "/data.js", 200, "text/javascript"},
      {"GET", "/files.js", 200, "text/javascript"},
      {"GET", "/rtcfiles.js", 200, "text/javascript"},
      {"GET", "/dom.js", 200, "text/javascript"},
      {"GET", "/rtclink.js", 200, "text/javascript"},
      {"GET", "/style.css", 200, "text/css"},
      {"GET", "/favicon.svg", 200, "image/svg+xml"},
      {"GET", "/nothing.js", 404, "text/plain"},
      {"GET", "/etc/passwd.txt", 404, "text/plain"},
      {"PUT", "/", 405, "text/plain"},
      {"DELETE", "/app.js", 405, "text/plain"},
  };
  Peer *listener = listener_new ();
  g_autoptr (SoupSession) session = soup_session_new ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    check_page (session, peer_port (listener), cases[i].method, cases[i].path, cases[i].status, cases[i].type);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_properties)
{
  Peer *listener = listener_new ();
  Peer *caller = caller_new (peer_port (listener), "/");
  g_autoptr (RtcMessage) joined = NULL, changed = NULL;
  g_autofree gchar *uri = NULL, *meta = NULL;
  RtcPeerInfo *info;

  g_object_set (caller->element, "meta", "{\"a\":1}", NULL);
  ASSERT_WARNING (g_object_set (caller->element, "meta", "[1]", NULL));
  ASSERT_WARNING (g_object_set (caller->element, "meta", "{", NULL));
  g_object_get (caller->element, "meta", &meta, NULL);
  fail_unless_equals_string (meta, "{\"a\":1}");
  peer_play (caller);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_WELCOME));
  ASSERT_WARNING (g_object_set (caller->element, "uri", "ws://elsewhere/", NULL));
  ASSERT_WARNING (g_object_set (caller->element, "ping-timeout", 1, NULL));
  g_object_get (caller->element, "uri", &uri, NULL);
  fail_unless (g_str_has_prefix (uri, "ws://127.0.0.1:"));

  joined = peer_expect (listener, RTC_MESSAGE_JOINED);
  g_object_set (caller->element, "display-name", "Gate \"north\"", NULL);
  changed = peer_expect (listener, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (changed->peers, 0);
  fail_unless_equals_string (info->display_name, "Gate \"north\"");
  fail_unless_equals_string (info->meta, "{\"a\":1}");
  peer_free (caller);
  peer_free (listener);
}
GST_END_TEST;

static Suite *
wssignalsrc_suite (void)
{
  Suite *suite = suite_create ("wssignalsrc");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_listener_and_caller);
  tcase_add_test (tc, test_second_run);
  tcase_add_test (tc, test_quick_state_changes);
  tcase_add_test (tc, test_resume_after_cut);
  tcase_add_test (tc, test_dead_server);
  tcase_add_test (tc, test_server_restart);
  tcase_add_test (tc, test_query);
  tcase_add_test (tc, test_tls);
  tcase_add_test (tc, test_page);
  tcase_add_test (tc, test_properties);
  return suite;
}

GST_CHECK_MAIN (wssignalsrc);
