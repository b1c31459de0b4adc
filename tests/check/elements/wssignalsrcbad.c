/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What wssignalsrc must bear: each fault has one clear message, and nothing else is harmed. */

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/rtcroom.h"
#include "wsfixture.h"

#define JOIN "{\"type\":\"join\",\"version\":1}"

/* PEER fails with one error of that code whose text has all of WORDS in it. (transfer full) */
static void
expect_failure (Peer *peer, gint code, const gchar *const *words)
{
  g_autofree gchar *text = NULL;
  guint i;

  gst_element_set_state (peer->element, GST_STATE_PLAYING);
  text = peer_expect_bus (peer, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, code);
  for (i = 0; words[i]; i++)
    fail_unless (strstr (text, words[i]) != NULL, "\"%s\" has no \"%s\"", text, words[i]);
  gst_element_set_state (peer->element, GST_STATE_NULL);
  peer_no_more_errors (peer);
  peer_free (peer);
}

#define WORDS(...) ((const gchar *const[]){__VA_ARGS__, NULL})

static gchar *
local_uri (const gchar *scheme, guint port)
{
  return g_strdup_printf ("%s://127.0.0.1:%u/", scheme, port);
}

/* A port that nobody listens on. */
static guint
free_port (void)
{
  Peer *listener = listener_new ();
  guint port = peer_port (listener);

  peer_free (listener);
  return port;
}

/* The listener still does its work. */
static void
assert_works (Peer *listener)
{
  Raw *raw = raw_new (peer_port (listener), "/", NULL);

  raw_send (raw, JOIN);
  rtc_message_free (raw_expect (raw, RTC_MESSAGE_WELCOME));
  raw_free (raw);
  peer_no_more_errors (listener);
}

GST_START_TEST (test_settings)
{
  static const gchar *const uris[] = {"", "nonsense", "http://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/", "ws:/x"};
  g_autofree gchar *long_room = g_strnfill (RTC_MAX_ROOM + 1, 'x');
  Peer *listener = listener_new ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (uris); i++)
    expect_failure (peer_new ("uri", uris[i], NULL), GST_RESOURCE_ERROR_SETTINGS, WORDS ("uri", "ws://"));
  expect_failure (peer_new ("mode", 1, "address", "nowhere", NULL), GST_RESOURCE_ERROR_SETTINGS,
      WORDS ("address=nowhere", "127.0.0.1"));
  expect_failure (
      peer_new ("mode", 1, "room", long_room, NULL), GST_RESOURCE_ERROR_SETTINGS, WORDS ("room", "129 bytes", "128"));
  expect_failure (peer_new ("mode", 1, "port", peer_port (listener), NULL), GST_RESOURCE_ERROR_BUSY,
      WORDS ("127.0.0.1 port", "Another program", "port"));
  expect_failure (peer_new ("mode", 1, "port", 0, "tls-certificate", "/nonexistent/cert.pem", NULL),
      GST_RESOURCE_ERROR_NOT_FOUND, WORDS ("tls-certificate=/nonexistent/cert.pem"));
  expect_failure (peer_new ("mode", 1, "port", 0, "tls-private-key", "/nonexistent/key.pem", NULL),
      GST_RESOURCE_ERROR_SETTINGS, WORDS ("without tls-certificate"));
  expect_failure (peer_new ("uri", "wss://127.0.0.1/", "tls-ca-file", "/nonexistent/ca.pem", NULL),
      GST_RESOURCE_ERROR_NOT_FOUND, WORDS ("tls-ca-file=/nonexistent/ca.pem"));
  assert_works (listener);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_unreachable)
{
  guint port = free_port ();
  g_autofree gchar *uri = local_uri ("ws", port);
  g_autofree gchar *text = NULL, *again = NULL;
  Proxy *silent;
  g_autofree gchar *silent_uri = NULL;
  Peer *caller, *listener;

  expect_failure (peer_new ("uri", uri, "reconnect", FALSE, NULL), GST_RESOURCE_ERROR_OPEN_READ_WRITE,
      WORDS (uri, "refused", "reconnect=true"));

  /* Later somebody listens there. */
  caller = peer_new ("uri", uri, "reconnect-delay-min", 20, "reconnect-delay-max", 100, NULL);
  peer_play (caller);
  text = peer_expect_bus (caller, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
  again = peer_expect_bus (caller, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE);
  fail_unless (strstr (text, uri) && strstr (text, "next attempt"), "%s", text);
  listener = peer_new ("mode", 1, "port", port, NULL);
  peer_play (listener);
  rtc_message_free (peer_expect (caller, RTC_MESSAGE_WELCOME));
  peer_no_more_errors (caller);
  peer_free (caller);

  /* One that takes the connection and then says nothing. */
  silent = proxy_new (port);
  proxy_set_silent (silent, TRUE);
  silent_uri = local_uri ("ws", proxy_port (silent));
  expect_failure (peer_new ("uri", silent_uri, "reconnect", FALSE, "connect-timeout", 300, NULL),
      GST_RESOURCE_ERROR_OPEN_READ_WRITE, WORDS ("connect-timeout"));
  proxy_free (silent);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_no_upgrade)
{
  static const struct
  {
    const gchar *answer, *word;
  } cases[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "404"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", "200"},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "let this client in"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    Proxy *server = canned_new (cases[i].answer);
    g_autofree gchar *uri = local_uri ("ws", proxy_port (server));

    expect_failure (
        peer_new ("uri", uri, NULL), GST_RESOURCE_ERROR_OPEN_READ_WRITE, WORDS (cases[i].word, "WebSocket", uri));
    proxy_free (server);
  }
}
GST_END_TEST;

/* A server that speaks anything but HTTP: not worth an end, but a warning. */
GST_START_TEST (test_garbage_server)
{
  Proxy *server = canned_new ("\x01\x02\x03 220 smtp.example\r\n\r\n");
  g_autofree gchar *uri = local_uri ("ws", proxy_port (server));

  expect_failure (peer_new ("uri", uri, "reconnect", FALSE, NULL), GST_RESOURCE_ERROR_OPEN_READ_WRITE, WORDS (uri));
  proxy_free (server);
}
GST_END_TEST;

GST_START_TEST (test_untrusted)
{
  g_autofree gchar *dir = g_dir_make_tmp ("rtclink-XXXXXX", NULL);
  g_autofree gchar *certificate = NULL, *key = NULL, *uri = NULL, *plain = NULL;
  Peer *listener;

  make_certificate (dir, &certificate, &key);
  listener = peer_new ("mode", 1, "port", 0, "tls-certificate", certificate, "tls-private-key", key, NULL);
  peer_play (listener);
  uri = local_uri ("wss", peer_port (listener));
  plain = local_uri ("ws", peer_port (listener));
  /* Nothing gets better by itself, so also with reconnect. */
  expect_failure (
      peer_new ("uri", uri, NULL), GST_RESOURCE_ERROR_NOT_AUTHORIZED, WORDS (uri, "not trusted", "tls-ca-file"));
  expect_failure (peer_new ("uri", plain, "reconnect", FALSE, NULL), GST_RESOURCE_ERROR_OPEN_READ_WRITE, WORDS (plain));
  peer_no_more_errors (listener);
  peer_free (listener);
  g_remove (certificate);
  g_remove (key);
  g_rmdir (dir);
}
GST_END_TEST;

GST_START_TEST (test_token)
{
  Peer *listener = peer_new ("mode", 1, "port", 0, "token", "s3cret", NULL);
  g_autofree gchar *uri = NULL;
  Raw *raw;

  peer_play (listener);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  uri = local_uri ("ws", peer_port (listener));
  expect_failure (peer_new ("uri", uri, NULL), GST_RESOURCE_ERROR_NOT_AUTHORIZED, WORDS ("unauthorized", "token"));
  expect_failure (peer_new ("uri", uri, "token", "wrong", NULL), GST_RESOURCE_ERROR_NOT_AUTHORIZED,
      WORDS ("unauthorized", "token"));
  raw = raw_new (peer_port (listener), "/", NULL);
  raw_send (raw, JOIN);
  raw_expect_error (raw, RTC_ERROR_UNAUTHORIZED);
  raw_expect_closed (raw, RTC_CLOSE_ERROR);
  raw_free (raw);
  fail_unless_equals_int (gst_harness_buffers_in_queue (listener->harness), 1);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_origin)
{
  Peer *strict = listener_new ();
  Peer *open = peer_new ("mode", 1, "port", 0, "allowed-origins", "https://a.example, https://b.example:8443", NULL);
  Peer *any = peer_new ("mode", 1, "port", 0, "allowed-origins", "*", NULL);
  g_autofree gchar *own = g_strdup_printf ("http://127.0.0.1:%u", peer_port (strict));
  g_autofree gchar *tls = g_strdup_printf ("https://127.0.0.1:%u", peer_port (strict));
  guint i;

  peer_play (open);
  peer_play (any);
  const struct
  {
    Peer *listener;
    const gchar *origin;
    guint status;
  } cases[] = {
      {strict, NULL, 101},
      {strict, own, 101},
      {strict, tls, 403},
      {strict, "http://127.0.0.1:1", 403},
      {strict, "http://evil.example", 403},
      {strict, "null", 403},
      {strict, "nonsense", 403},
      {open, "https://a.example", 101},
      {open, "https://b.example:8443", 101},
      {open, "https://b.example", 403},
      {open, "https://a.example.evil.example", 403},
      {any, "https://anybody.example", 101},
      {any, "null", 101},
  };
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    Raw *raw = raw_new (peer_port (cases[i].listener), "/", cases[i].origin);

    fail_unless (
        raw->status == cases[i].status, "%s: status %u, expected %u", cases[i].origin, raw->status, cases[i].status);
    raw_free (raw);
  }
  assert_works (strict);
  peer_free (strict);
  peer_free (open);
  peer_free (any);
}
GST_END_TEST;

GST_START_TEST (test_bad_messages)
{
  static const struct
  {
    const gchar *text;
    RtcErrorCode code;
    gboolean closes;
  } cases[] = {
      {"garbage", RTC_ERROR_BAD_MESSAGE, FALSE},
      {"", RTC_ERROR_BAD_MESSAGE, FALSE},
      {"{\"type\":\"join\",\"x\":[[[[[[[[[[1]]]]]]]]]]}", RTC_ERROR_BAD_MESSAGE, FALSE},
      {"{\"type\":\"x-later\"}", RTC_ERROR_UNKNOWN_TYPE, FALSE},
      {"{\"type\":\"offer\",\"to\":\"p\",\"session\":\"s\",\"sdp\":\"\"}", RTC_ERROR_NOT_JOINED, FALSE},
      {"{\"type\":\"join\",\"version\":7}", RTC_ERROR_UNSUPPORTED_VERSION, TRUE},
      {"{\"type\":\"resume\",\"version\":1,\"peerId\":\"p\",\"resume\":\"r\"}", RTC_ERROR_RESUME_FAILED, FALSE},
  };
  Peer *listener = listener_new ();
  guint i;

  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_PEERS));
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    Raw *raw = raw_new (peer_port (listener), "/", NULL);

    raw_send (raw, cases[i].text);
    raw_expect_error (raw, cases[i].code);
    if (cases[i].closes) {
      raw_expect_closed (raw, RTC_CLOSE_ERROR);
    } else {
      raw_send (raw, JOIN);
      rtc_message_free (raw_expect (raw, RTC_MESSAGE_WELCOME));
    }
    raw_free (raw);
  }
  peer_no_more_errors (listener);
  peer_free (listener);
}
GST_END_TEST;

GST_START_TEST (test_bad_frames)
{
  Peer *listener = listener_new ();
  g_autofree gchar *just = g_strnfill (RTC_MAX_FRAME - 1, ' ');
  g_autofree gchar *more = g_strnfill (RTC_MAX_FRAME + 1, ' ');
  Raw *raw = raw_new (peer_port (listener), "/", NULL);

  soup_websocket_connection_send_binary (raw->ws, "x", 1);
  raw_expect_error (raw, RTC_ERROR_BAD_MESSAGE);
  raw_send (raw, just);
  raw_expect_error (raw, RTC_ERROR_BAD_MESSAGE);
  raw_send (raw, more);
  raw_expect_closed (raw, SOUP_WEBSOCKET_CLOSE_TOO_BIG);
  raw_free (raw);
  assert_works (listener);
  peer_free (listener);
}
GST_END_TEST;

/* A socket with a WebSocket opened on it by hand. */
static GSocket *
raw_socket (guint port)
{
  static const gchar request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
  gchar answer[4096];

  /* Else the kernel takes up to 32 MiB for a client that does not read. */
  fail_unless (g_socket_set_option (socket, SOL_SOCKET, SO_RCVBUF, 32768, NULL));
  fail_unless (g_socket_connect (socket, address, NULL, NULL));
  g_socket_set_timeout (socket, 20);
  fail_unless (g_socket_send (socket, request, strlen (request), NULL, NULL) > 0);
  fail_unless (g_socket_receive (socket, answer, sizeof answer, NULL, NULL) > 0);
  fail_unless (strncmp (answer, "HTTP/1.1 101", 12) == 0);
  return socket;
}

/* Whether all of it went out: FALSE when the other side has ended the connection. */
static gboolean
send_all (GSocket *socket, const guint8 *data, gsize length)
{
  while (length > 0) {
    gssize n = g_socket_send (socket, (const gchar *)data, length, NULL, NULL);

    if (n <= 0)
      return FALSE;
    data += n;
    length -= n;
  }
  return TRUE;
}

static void
raw_join (GSocket *socket)
{
  guint8 frame[6 + sizeof JOIN - 1] = {0x81, 0x80 | (sizeof JOIN - 1)};

  memcpy (frame + 6, JOIN, sizeof JOIN - 1);
  fail_unless (send_all (socket, frame, sizeof frame));
}

/* Fragments of one message without an end: the server must not collect them for ever. */
GST_START_TEST (test_endless_fragments)
{
  /* Without pings, and from one who has joined: nothing else would end the connection. */
  Peer *listener = peer_new ("mode", 1, "port", 0, "ping-interval", 0, NULL);
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) error = NULL;
  /* Masked with 0, 32 KiB of payload; the first is text, all others continue it. */
  guint8 frame[8 + 32768] = {0x01, 0xfe, 0x80, 0x00};
  gchar answer[4096];
  guint64 sent = 0;

  peer_play (listener);
  rtc_message_free (peer_expect (listener, RTC_MESSAGE_WELCOME));
  socket = raw_socket (peer_port (listener));
  raw_join (socket);
  memset (frame + 8, ' ', sizeof frame - 8);
  /* More than any message may be; the last fragment never comes. */
  while (sent < 16 * RTC_MAX_FRAME && send_all (socket, frame, sizeof frame)) {
    frame[0] = 0x00;
    sent += sizeof frame;
  }
  while (g_socket_receive (socket, answer, sizeof answer, NULL, &error) > 0)
    ;
  fail_if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT),
      "the server keeps %" G_GUINT64_FORMAT " bytes of one message for 20 s", sent);
  assert_works (listener);
  peer_free (listener);
}
GST_END_TEST;

/* A client that joins and never reads, while another sends to it: it goes, and only it. */
GST_START_TEST (test_client_does_not_read)
{
  Peer *listener = listener_new ();
  g_autoptr (GSocket) socket = raw_socket (peer_port (listener));
  g_autoptr (RtcMessage) joined = NULL, left = NULL;
  g_autofree gchar *sdp = g_strnfill (50000, 'x');
  RtcPeerInfo *info;
  guint i;

  raw_join (socket);
  joined = peer_expect (listener, RTC_MESSAGE_JOINED);
  info = g_ptr_array_index (joined->peers, 0);
  for (i = 0; i < 400; i++)
    peer_send (listener, "{\"type\":\"answer\",\"to\":\"%s\",\"session\":\"s\",\"sdp\":\"%s\"}", info->id, sdp);
  left = peer_expect (listener, RTC_MESSAGE_LEFT);
  fail_unless_equals_string (left->reason, "removed");
  assert_works (listener);
  peer_free (listener);
}
GST_END_TEST;

static Suite *
wssignalsrcbad_suite (void)
{
  Suite *suite = suite_create ("wssignalsrcbad");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_settings);
  tcase_add_test (tc, test_unreachable);
  tcase_add_test (tc, test_no_upgrade);
  tcase_add_test (tc, test_garbage_server);
  tcase_add_test (tc, test_untrusted);
  tcase_add_test (tc, test_token);
  tcase_add_test (tc, test_origin);
  tcase_add_test (tc, test_bad_messages);
  tcase_add_test (tc, test_bad_frames);
  tcase_add_test (tc, test_endless_fragments);
  tcase_add_test (tc, test_client_does_not_read);
  return suite;
}

GST_CHECK_MAIN (wssignalsrcbad);
