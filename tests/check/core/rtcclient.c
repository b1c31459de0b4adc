/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <string.h>

#include "core/rtcclient.h"
#include "core/rtcroom.h"

typedef struct
{
  RtcClient *client;
  gint64 now;
} Fixture;

static gdouble
no_jitter (gpointer user_data)
{
  return 0.0;
}

static const RtcClientConfig defaults = {
    .reconnect = TRUE,
    .delay_min = 500,
    .delay_max = 30000,
    .connect_timeout = 10000,
    .random = no_jitter,
};

static void
fixture_init (Fixture *f, const RtcClientConfig *config)
{
  f->client = rtc_client_new (config ? config : &defaults);
  f->now = 1000;
}

static void
fixture_clear (Fixture *f)
{
  rtc_client_free (f->client);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static RtcClientAction *
expect (Fixture *f, RtcClientActionType type)
{
  RtcClientAction *action = rtc_client_pop (f->client);

  if (!action)
    g_error ("nothing was done, expected action %d", type);
  if (action->type != type)
    g_error ("action %d (%s), expected %d", action->type, action->text, type);
  return action;
}

static void
expect_done (Fixture *f, RtcClientActionType type)
{
  rtc_client_action_free (expect (f, type));
}

static void
expect_nothing (Fixture *f)
{
  RtcClientAction *action = rtc_client_pop (f->client);

  if (action)
    g_error ("action %d (%s), expected nothing", action->type, action->text);
}

static RtcMessage *
expect_message (Fixture *f, RtcClientActionType type, RtcMessageType message_type)
{
  RtcClientAction *action = expect (f, type);
  g_autoptr (GError) error = NULL;
  RtcMessage *message = rtc_message_from_json (action->text, -1, &error);

  g_assert_no_error (error);
  if (message->type != message_type)
    g_error ("%s, expected %s", action->text, rtc_message_type_to_string (message_type));
  rtc_client_action_free (action);
  return message;
}

static void
expect_state (Fixture *f, RtcClientState state)
{
  RtcClientStats stats;

  rtc_client_get_stats (f->client, &stats);
  g_assert_cmpstr (rtc_client_state_to_string (stats.state), ==, rtc_client_state_to_string (state));
}

static void
receive (Fixture *f, const gchar *text)
{
  rtc_client_receive (f->client, text, -1, f->now);
}

static void
tick (Fixture *f, gint64 ms)
{
  f->now += ms;
  rtc_client_tick (f->client, f->now);
}

#define WELCOME(id, resumed) \
  "{\"type\":\"welcome\",\"version\":1,\"peerId\":\"" id "\",\"room\":\"\",\"resume\":\"r-" id "\"," \
  "\"resumeTimeout\":10000,\"resumed\":" resumed ",\"pingInterval\":5000,\"pingTimeout\":10000,\"iceServers\":[]}"

static void
start (Fixture *f)
{
  RtcMessage *join = rtc_message_new (RTC_MESSAGE_JOIN);

  join->room = g_strdup ("studio");
  join->token = g_strdup ("s3cret");
  rtc_client_start (f->client, join, f->now);
  expect_done (f, RTC_CLIENT_CONNECT);
}

static void
start_joined (Fixture *f)
{
  g_autoptr (RtcMessage) join = NULL, welcome = NULL;

  start (f);
  rtc_client_opened (f->client, f->now);
  join = expect_message (f, RTC_CLIENT_SEND, RTC_MESSAGE_JOIN);
  g_assert_cmpuint (join->version, ==, 1);
  g_assert_cmpstr (join->room, ==, "studio");
  g_assert_cmpstr (join->token, ==, "s3cret");
  receive (f, WELCOME ("p-1", "false"));
  expect_done (f, RTC_CLIENT_JOIN_DONE);
  welcome = expect_message (f, RTC_CLIENT_DELIVER, RTC_MESSAGE_WELCOME);
  expect_state (f, RTC_CLIENT_JOINED);
  g_assert_cmpstr (rtc_client_get_peer_id (f->client), ==, "p-1");
}

/* Loses the connection and has the next one open, with `resume` on it. */
static void
reopen (Fixture *f)
{
  g_autoptr (RtcMessage) resume = NULL;

  rtc_client_lost (f->client, RTC_LOSS_CLOSED, 1006, "cut", f->now);
  expect_done (f, RTC_CLIENT_WARN);
  tick (f, 500);
  expect_done (f, RTC_CLIENT_CONNECT);
  rtc_client_opened (f->client, f->now);
  resume = expect_message (f, RTC_CLIENT_SEND, RTC_MESSAGE_RESUME);
  g_assert_cmpstr (resume->peer_id, ==, "p-1");
  g_assert_cmpstr (resume->resume, ==, "r-p-1");
  g_assert_cmpstr (resume->token, ==, "s3cret");
}

static void
test_join (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) peers = NULL;

  fixture_init (&f, NULL);
  start_joined (&f);
  receive (&f, "{\"type\":\"peers\",\"peers\":[]}");
  peers = expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_PEERS);
  /* What is nobody's business, and what is no message, stays inside. */
  receive (&f, "{\"type\":\"pong\"}");
  receive (&f, "{\"type\":\"x-later\"}");
  receive (&f, "garbage");
  expect_nothing (&f);
  expect_state (&f, RTC_CLIENT_JOINED);
}

static void
test_resumed (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) peers = NULL, kept = NULL, update = NULL;
  RtcClientStats stats;

  fixture_init (&f, NULL);
  start_joined (&f);
  rtc_client_lost (f.client, RTC_LOSS_CLOSED, 0, "cut", f.now);
  expect_done (&f, RTC_CLIENT_WARN);
  g_assert_true (rtc_client_send (
      f.client, "{\"type\":\"candidate\",\"to\":\"p\",\"session\":\"s\",\"candidate\":\"c\"}", f.now, NULL));
  g_assert_true (rtc_client_send (f.client, "{\"type\":\"update\",\"role\":\"send\"}", f.now, NULL));
  expect_nothing (&f);
  tick (&f, 500);
  expect_done (&f, RTC_CLIENT_CONNECT);
  rtc_client_opened (f.client, f.now);
  rtc_message_free (expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_RESUME));
  receive (&f, WELCOME ("p-1", "true"));
  /* Downstream sees nothing of it, then what was kept on our side goes. */
  expect_done (&f, RTC_CLIENT_JOIN_DONE);
  kept = expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_CANDIDATE);
  update = expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_UPDATE);
  receive (&f, "{\"type\":\"peers\",\"peers\":[]}");
  peers = expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_PEERS);
  expect_nothing (&f);
  rtc_client_get_stats (f.client, &stats);
  g_assert_cmpuint (stats.reconnects, ==, 1);
}

static void
test_resume_failed (void)
{
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) join = NULL, welcome = NULL;

  fixture_init (&f, NULL);
  start_joined (&f);
  g_assert_true (rtc_client_send (f.client, "{\"type\":\"update\",\"tracks\":{\"video\":3}}", f.now, NULL));
  rtc_message_free (expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_UPDATE));
  reopen (&f);
  g_assert_true (rtc_client_send (f.client, "{\"type\":\"bye\",\"to\":\"p\",\"session\":\"s\"}", f.now, NULL));
  receive (&f, "{\"type\":\"error\",\"code\":\"resume-failed\",\"reason\":\"gone\",\"answers\":\"resume\"}");
  join = expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_JOIN);
  g_assert_cmpuint (join->n_video, ==, 3);
  receive (&f, WELCOME ("p-2", "false"));
  expect_done (&f, RTC_CLIENT_JOIN_DONE);
  welcome = expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_WELCOME);
  g_assert_false (welcome->resumed);
  expect_nothing (&f);
}

/* The wait is doubled, and short again after success. */
static void
test_backoff (void)
{
  static const guint waits[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
  g_auto (Fixture) f;
  RtcClientAction *action;
  guint i;

  fixture_init (&f, NULL);
  start (&f);
  for (i = 0; i < G_N_ELEMENTS (waits); i++) {
    rtc_client_lost (f.client, RTC_LOSS_UNREACHABLE, 0, "connection refused", f.now);
    action = expect (&f, RTC_CLIENT_WARN);
    g_assert_cmpuint (action->delay, ==, waits[i]);
    g_assert_cmpstr (action->text, ==, "connection refused");
    rtc_client_action_free (action);
    expect_state (&f, RTC_CLIENT_WAITING);
    g_assert_cmpint (rtc_client_get_deadline (f.client), ==, f.now + waits[i]);
    tick (&f, waits[i] - 1);
    expect_nothing (&f);
    tick (&f, 1);
    expect_done (&f, RTC_CLIENT_CONNECT);
  }
  rtc_client_opened (f.client, f.now);
  receive (&f, WELCOME ("p-1", "false"));
  while ((action = rtc_client_pop (f.client)))
    rtc_client_action_free (action);
  rtc_client_lost (f.client, RTC_LOSS_CLOSED, 1001, "going away", f.now);
  action = expect (&f, RTC_CLIENT_WARN);
  g_assert_cmpuint (action->delay, ==, 500);
  rtc_client_action_free (action);
}

static void
test_timeouts (void)
{
  g_auto (Fixture) f;

  fixture_init (&f, NULL);
  start (&f);
  g_assert_cmpint (rtc_client_get_deadline (f.client), ==, f.now + 10000);
  tick (&f, 10000);
  expect_done (&f, RTC_CLIENT_CLOSE);
  expect_done (&f, RTC_CLIENT_WARN);
  tick (&f, 500);
  expect_done (&f, RTC_CLIENT_CONNECT);
  rtc_client_opened (f.client, f.now);
  expect_done (&f, RTC_CLIENT_SEND);
  tick (&f, 10000);
  expect_done (&f, RTC_CLIENT_CLOSE);
  expect_done (&f, RTC_CLIENT_WARN);
  expect_state (&f, RTC_CLIENT_WAITING);
}

static void
test_pings (void)
{
  g_auto (Fixture) f;
  RtcClientStats stats;
  guint i;

  fixture_init (&f, NULL);
  start_joined (&f);
  g_assert_cmpint (rtc_client_get_deadline (f.client), ==, f.now + 5000);
  tick (&f, 4999);
  expect_nothing (&f);
  tick (&f, 1);
  rtc_message_free (expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_PING));
  f.now += 30;
  receive (&f, "{\"type\":\"pong\"}");
  rtc_client_get_stats (f.client, &stats);
  g_assert_cmpint (stats.rtt, ==, 30);

  /* Who talks all the time hears nothing back for it, and asks all the same. */
  for (i = 0; i < 4; i++) {
    tick (&f, 1000);
    g_assert_true (rtc_client_send (
        f.client, "{\"type\":\"candidate\",\"to\":\"p\",\"session\":\"s\",\"candidate\":\"c\"}", f.now, NULL));
    expect_done (&f, RTC_CLIENT_SEND);
  }
  tick (&f, 1000);
  rtc_message_free (expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_PING));
  tick (&f, 4999);
  expect_nothing (&f);
  tick (&f, 1);
  expect_done (&f, RTC_CLIENT_CLOSE);
  expect_done (&f, RTC_CLIENT_WARN);
  expect_state (&f, RTC_CLIENT_WAITING);
}

static void
test_server_wants_no_pings (void)
{
  g_auto (Fixture) f;

  fixture_init (&f, NULL);
  start (&f);
  rtc_client_opened (f.client, f.now);
  receive (&f, "{\"type\":\"welcome\",\"version\":1,\"peerId\":\"p\",\"pingInterval\":0,\"pingTimeout\":0}");
  g_assert_cmpint (rtc_client_get_deadline (f.client), ==, G_MAXINT64);
}

static void
test_final_refusals (void)
{
  static const struct
  {
    const gchar *code;
    gboolean final;
  } cases[] = {
      {"unsupported-version", TRUE},
      {"unauthorized", TRUE},
      {"replaced", TRUE},
      {"bad-message", TRUE},
      {"room-full", FALSE},
      {"timeout", FALSE},
      {"overflow", FALSE},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *text = g_strdup_printf (
        "{\"type\":\"error\",\"code\":\"%s\",\"reason\":\"because\",\"answers\":\"join\"}", cases[i].code);
    g_auto (Fixture) f;
    RtcClientAction *action;

    fixture_init (&f, NULL);
    start (&f);
    rtc_client_opened (f.client, f.now);
    expect_done (&f, RTC_CLIENT_SEND);
    receive (&f, text);
    expect_done (&f, RTC_CLIENT_CLOSE);
    action = expect (&f, cases[i].final ? RTC_CLIENT_FAIL : RTC_CLIENT_WARN);
    g_assert_nonnull (strstr (action->text, "because"));
    g_assert_cmpint (action->loss, ==, RTC_LOSS_REFUSED);
    if (cases[i].final)
      g_assert_cmpstr (rtc_error_code_to_string (action->code), ==, cases[i].code);
    rtc_client_action_free (action);
    rtc_client_lost (f.client, RTC_LOSS_CLOSED, 4000, cases[i].code, f.now);
    expect_nothing (&f);
  }
}

static void
test_final_losses (void)
{
  RtcClientConfig once = defaults;
  g_auto (Fixture) untrusted, no_upgrade, no_reconnect, proxy;

  fixture_init (&untrusted, NULL);
  start (&untrusted);
  rtc_client_lost (untrusted.client, RTC_LOSS_UNTRUSTED, 0, "not trusted", untrusted.now);
  expect_done (&untrusted, RTC_CLIENT_FAIL);
  g_assert_cmpint (rtc_client_get_deadline (untrusted.client), ==, G_MAXINT64);

  fixture_init (&no_upgrade, NULL);
  start (&no_upgrade);
  rtc_client_lost (no_upgrade.client, RTC_LOSS_NO_UPGRADE, 0, "404", no_upgrade.now);
  expect_done (&no_upgrade, RTC_CLIENT_FAIL);

  /* A proxy's answer while the server behind it restarts. */
  fixture_init (&proxy, NULL);
  start_joined (&proxy);
  rtc_client_lost (proxy.client, RTC_LOSS_CLOSED, 1001, "restart", proxy.now);
  expect_done (&proxy, RTC_CLIENT_WARN);
  tick (&proxy, 500);
  expect_done (&proxy, RTC_CLIENT_CONNECT);
  rtc_client_lost (proxy.client, RTC_LOSS_NO_UPGRADE, 0, "502", proxy.now);
  expect_done (&proxy, RTC_CLIENT_WARN);

  once.reconnect = FALSE;
  fixture_init (&no_reconnect, &once);
  start (&no_reconnect);
  rtc_client_lost (no_reconnect.client, RTC_LOSS_UNREACHABLE, 0, "refused", no_reconnect.now);
  expect_done (&no_reconnect, RTC_CLIENT_FAIL);
  expect_nothing (&no_reconnect);
}

static void
test_errors_from_peers (void)
{
  g_auto (Fixture) f;

  fixture_init (&f, NULL);
  start_joined (&f);
  receive (&f, "{\"type\":\"error\",\"from\":\"p\",\"session\":\"s\",\"code\":\"timeout\",\"reason\":\"x\"}");
  rtc_message_free (expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_ERROR));
  receive (&f, "{\"type\":\"error\",\"code\":\"unknown-peer\",\"reason\":\"x\",\"answers\":\"offer\"}");
  rtc_message_free (expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_ERROR));
  expect_nothing (&f);
  expect_state (&f, RTC_CLIENT_JOINED);
}

static void
test_send (void)
{
  static const gchar *const refused[] = {
      "garbage",
      "{\"type\":\"ping\"}",
      "{\"type\":\"join\",\"version\":1}",
      "{\"type\":\"x-later\",\"to\":\"p\"}",
      "{\"type\":\"offer\",\"to\":\"p\"}",
  };
  g_auto (Fixture) f;
  guint i;

  fixture_init (&f, NULL);
  start_joined (&f);
  for (i = 0; i < G_N_ELEMENTS (refused); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (rtc_client_send (f.client, refused[i], f.now, &error));
    g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE);
  }
  expect_nothing (&f);
}

static void
test_kept_is_bounded (void)
{
  const gchar *text = "{\"type\":\"candidate\",\"to\":\"p\",\"session\":\"s\",\"candidate\":\"c\"}";
  g_auto (Fixture) f;
  g_autoptr (GError) error = NULL;
  guint i;

  fixture_init (&f, NULL);
  start_joined (&f);
  rtc_client_lost (f.client, RTC_LOSS_CLOSED, 0, "cut", f.now);
  for (i = 0; i < RTC_MAX_WAITING_MESSAGES; i++)
    g_assert_true (rtc_client_send (f.client, text, f.now, NULL));
  g_assert_false (rtc_client_send (f.client, text, f.now, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_OVERFLOW);
}

static void
test_stop (void)
{
  g_auto (Fixture) f;
  RtcClientAction *action;

  fixture_init (&f, NULL);
  start_joined (&f);
  rtc_client_stop (f.client, f.now);
  rtc_message_free (expect_message (&f, RTC_CLIENT_SEND, RTC_MESSAGE_BYE));
  action = expect (&f, RTC_CLIENT_CLOSE);
  g_assert_cmpuint (action->close_code, ==, RTC_CLOSE_NORMAL);
  rtc_client_action_free (action);
  tick (&f, 100000);
  receive (&f, WELCOME ("p-1", "false"));
  rtc_client_lost (f.client, RTC_LOSS_CLOSED, 1000, "", f.now);
  expect_nothing (&f);
}

/* New ICE servers on the same connection are passed on; the same ones again, after a resume, are not. */
static void
test_ice_servers (void)
{
  const gchar *news = "{\"type\":\"welcome\",\"version\":1,\"peerId\":\"p-1\",\"resume\":\"r-p-1\",\"resumed\":true,"
                      "\"pingInterval\":5000,\"pingTimeout\":10000,\"iceServers\":[{\"urls\":[\"stun:a\"]}]}";
  g_auto (Fixture) f;
  g_autoptr (RtcMessage) welcome = NULL;

  fixture_init (&f, NULL);
  start_joined (&f);
  receive (&f, news);
  welcome = expect_message (&f, RTC_CLIENT_DELIVER, RTC_MESSAGE_WELCOME);
  g_assert_cmpuint (welcome->ice_servers->len, ==, 1);
  expect_nothing (&f);
  reopen (&f);
  receive (&f, news);
  expect_done (&f, RTC_CLIENT_JOIN_DONE);
  expect_nothing (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/client/join", test_join);
  g_test_add_func ("/client/resumed", test_resumed);
  g_test_add_func ("/client/resume-failed", test_resume_failed);
  g_test_add_func ("/client/backoff", test_backoff);
  g_test_add_func ("/client/timeouts", test_timeouts);
  g_test_add_func ("/client/pings", test_pings);
  g_test_add_func ("/client/server-wants-no-pings", test_server_wants_no_pings);
  g_test_add_func ("/client/final-refusals", test_final_refusals);
  g_test_add_func ("/client/final-losses", test_final_losses);
  g_test_add_func ("/client/errors-from-peers", test_errors_from_peers);
  g_test_add_func ("/client/send", test_send);
  g_test_add_func ("/client/kept-is-bounded", test_kept_is_bounded);
  g_test_add_func ("/client/stop", test_stop);
  g_test_add_func ("/client/ice-servers", test_ice_servers);
  return g_test_run ();
}
