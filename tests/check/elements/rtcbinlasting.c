/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A channel of an application, while the connection is rebuilt under it. */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>

#define ALONE "pipeline.( " TEST_RTCBIN ")"
#define WAIT (20 * G_TIME_SPAN_SECOND)
#define ROUNDS 4
#define UNDER_WAY 400
#define CLOSES 20
#define CLOSE_STEP_US 2000

typedef struct
{
  GObject *channel;
  guint said;
  GMutex lock;
  GCond cond;
  /* under lock */
  guint heard, opened, closed;
} App;

static void
count (App *app, guint *what)
{
  g_mutex_lock (&app->lock);
  (*what)++;
  g_cond_broadcast (&app->cond);
  g_mutex_unlock (&app->lock);
}

static void
on_open (GObject *channel, const gchar *peer, gpointer app)
{
  count (app, &((App *)app)->opened);
}

static void
on_close (GObject *channel, const gchar *peer, const gchar *reason, gpointer app)
{
  count (app, &((App *)app)->closed);
}

static void
on_string (GObject *channel, const gchar *peer, const gchar *text, gpointer app)
{
  fail_unless_equals_uint64 (g_ascii_strtoull (text, NULL, 10), ((App *)app)->heard);
  count (app, &((App *)app)->heard);
}

static void
app_init (App *app, TestPeer *peer, const gchar *options)
{
  GstStructure *s = options ? gst_structure_from_string (options, NULL) : NULL;

  g_mutex_init (&app->lock);
  g_cond_init (&app->cond);
  g_signal_emit_by_name (test_peer_get_rtcbin (peer), "create-data-channel", "x", s, &app->channel);
  g_object_connect (app->channel, "signal::on-open", on_open, app, "signal::on-close", on_close, app,
      "signal::on-message-string", on_string, app, NULL);
  g_signal_emit_by_name (app->channel, "open");
  g_clear_pointer (&s, gst_structure_free);
}

static void
app_clear (App *app)
{
  g_object_unref (app->channel);
  g_mutex_clear (&app->lock);
  g_cond_clear (&app->cond);
}

static void
app_wait (App *app, const guint *what, guint n)
{
  gint64 end = g_get_monotonic_time () + WAIT;

  g_mutex_lock (&app->lock);
  while (*what < n)
    fail_unless (g_cond_wait_until (&app->cond, &app->lock, end), "%u came in 20 s, not %u", *what, n);
  g_mutex_unlock (&app->lock);
}

static void
app_say (App *app)
{
  gchar *text = g_strdup_printf ("%u", app->said++);
  guint n = 0;

  g_signal_emit_by_name (app->channel, "send-string", NULL, text, &n);
  fail_unless_equals_int (n, 1);
  g_free (text);
}

/* How often it was connected to its peer. */
static guint
get_connects (TestPeer *peer)
{
  GstStructure *stats = NULL;
  const GValue *peers;
  guint connects = 0;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  gst_structure_get_uint (gst_value_get_structure (gst_value_array_get_value (peers, 0)), "connects", &connects);
  gst_structure_free (stats);
  return connects;
}

static void
rebuild (TestRoom *room, TestPeer *peer)
{
  RtcMessage *offer = test_room_wait_sent (room, peer, RTC_MESSAGE_OFFER);
  gchar *json = g_strdup_printf (
      "{\"type\":\"offer-request\",\"from\":\"b\",\"session\":\"%s\",\"restart\":false}", offer->session);

  test_peer_tell (peer, json);
  g_free (json);
}

/* The first one opens the channel, the second one takes it. */
static void
meet (TestRoom *room, TestPeer *peers[2], App apps[2])
{
  app_init (&apps[0], peers[0], NULL);
  app_init (&apps[1], peers[1], "o,opens=false");
  test_room_join (room, peers[0], peers[1]);
  app_wait (&apps[0], &apps[0].opened, 1);
  app_wait (&apps[1], &apps[1].opened, 1);
  gst_message_unref (test_peer_wait_message (peers[0], "rtc-peer-connected"));
}

/* Both sides talk while it is rebuilt, again and again: the channels stay, and nothing is lost, doubled or reordered.
 */
GST_START_TEST (a_channel_goes_on)
{
  TestRoom *room = test_room_new ();
  TestPeer *peers[] = {test_room_add (room, "a", "native", ALONE), test_room_add (room, "b", "native", ALONE)};
  App apps[2] = {{NULL}};

  meet (room, peers, apps);
  gst_message_unref (test_peer_wait_message (peers[1], "rtc-peer-connected"));
  for (guint round = 0; round < ROUNDS; round++) {
    gint64 end = g_get_monotonic_time () + WAIT;

    rebuild (room, peers[0]);
    while (get_connects (peers[0]) < round + 2 || get_connects (peers[1]) < round + 2) {
      fail_unless (g_get_monotonic_time () < end, "it is not rebuilt within 20 s");
      for (guint i = 0; i < 40; i++)
        app_say (&apps[i % 2]);
      /* Some are always under way. */
      for (guint i = 0; i < 2; i++) {
        if (apps[!i].said > UNDER_WAY)
          app_wait (&apps[i], &apps[i].heard, apps[!i].said - UNDER_WAY);
      }
    }
    app_wait (&apps[0], &apps[0].heard, apps[1].said);
    app_wait (&apps[1], &apps[1].heard, apps[0].said);
  }
  fail_unless (apps[0].closed == 0 && apps[1].closed == 0 && apps[0].opened == 1 && apps[1].opened == 1);
  app_say (&apps[1]);
  g_signal_emit_by_name (apps[1].channel, "close");
  app_wait (&apps[0], &apps[0].closed, 1);
  fail_unless_equals_int (apps[0].heard, apps[1].said);
  test_room_free (room);
  app_clear (&apps[0]);
  app_clear (&apps[1]);
}
GST_END_TEST;

/* How many channels PEER was told of since the last message that was waited for. */
static guint
count_channels (TestPeer *peer)
{
  GstBus *bus = gst_element_get_bus (test_peer_get_pipeline (peer));
  GstMessage *message;
  guint n = 0;

  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT))) {
    n += gst_message_has_name (message, "rtc-data-channel");
    gst_message_unref (message);
  }
  gst_object_unref (bus);
  return n;
}

/* Who did not open it closes it while the connection is rebuilt, at any moment of that: it is closed on both sides.
 * What comes after that is another one, for whoever opens one on each connection. */
GST_START_TEST (closed_meanwhile)
{
  TestRoom *room = test_room_new ();
  TestPeer *peers[] = {test_room_add (room, "a", "native", ALONE), test_room_add (room, "b", "native", ALONE)};
  App apps[2] = {{NULL}};
  gint64 end;

  meet (room, peers, apps);
  gst_message_unref (test_peer_wait_message (peers[1], "rtc-data-channel"));
  rebuild (room, peers[0]);
  g_usleep (__i__ * CLOSE_STEP_US);
  g_signal_emit_by_name (apps[1].channel, "close");
  app_wait (&apps[0], &apps[0].closed, 1);
  end = g_get_monotonic_time () + WAIT;
  while (get_connects (peers[0]) < 2 || get_connects (peers[1]) < 2) {
    fail_unless (g_get_monotonic_time () < end, "it is not rebuilt within 20 s");
    g_usleep (1000);
  }
  app_wait (&apps[0], &apps[0].opened, 1 + count_channels (peers[1]));
  fail_unless_equals_int (apps[1].opened, 1);
  test_room_free (room);
  app_clear (&apps[0]);
  app_clear (&apps[1]);
}
GST_END_TEST;

static Suite *
rtcbinlasting_suite (void)
{
  Suite *s = suite_create ("rtcbinlasting");
  TCase *tcase = tcase_create ("channels");

  test_transports_load ();
  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, a_channel_goes_on);
  tcase_add_loop_test (tcase, closed_meanwhile, 0, CLOSES);
  return s;
}

GST_CHECK_MAIN (rtcbinlasting);
