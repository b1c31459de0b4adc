/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Data channels between two rtcbins, as an application has them. Cases run once for each transport. */

#include "appfixture.h"

#include <gst/check/gstcheck.h>
#include <string.h>

GST_START_TEST (both_ways)
{
  Fixture f;
  App *a, *b;
  gboolean is_limited;

  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  app_say (a, "hello");
  app_expect (b, "t:hello");
  app_say (b, "");
  app_expect (a, "t:");
  app_send (a, 0);
  is_limited = strcmp (transport, "webrtcbin") == 0;
  app_send (a, is_limited ? 65536 : 1 << 20);
  app_expect (b, "b:0");
  app_expect (b, is_limited ? "b:65536" : "b:1048576");
  /* The other side of a close. */
  g_signal_emit_by_name (a->channel, "close");
  app_expect (b, "close");
  part (&f, a, b);
}
GST_END_TEST;

/* Who did not open it may close it, too, and the opener hears of it at once: not only when nobody took it for 10 s. */
GST_START_TEST (closed_by_the_other)
{
  Fixture f;
  App *a, *b;
  gint64 begin;

  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  app_say (b, "last");
  begin = g_get_monotonic_time ();
  g_signal_emit_by_name (b->channel, "close");
  app_expect (a, "t:last");
  app_expect (a, "close");
  fail_unless (g_get_monotonic_time () - begin < 9 * G_TIME_SPAN_SECOND);
  part (&f, a, b);
}
GST_END_TEST;

/* What is said before there is a connection to wait for is said first. */
GST_START_TEST (both_open)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  a = app_new (f.a, "x", NULL);
  b = app_new (f.b, "x", NULL);
  join (&f);
  for (guint i = 0; i < 2; i++) {
    app_expect (a, "open");
    app_expect (b, "open");
  }
  app_say (a, "1");
  app_say (b, "2");
  app_expect (b, "t:1");
  app_expect (a, "t:2");
  part (&f, a, b);
}
GST_END_TEST;

GST_START_TEST (who_comes_later)
{
  Fixture f;
  App *first, *a, *b;
  GstMessage *message;
  gboolean taken = TRUE;

  setup (&f);
  first = app_new (f.a, "first", NULL);
  join (&f);
  app_expect (first, "open");
  gst_message_unref (test_peer_wait_message (f.b, "rtc-data-channel"));
  /* On a connection that is there. */
  a = app_new (f.a, "x", NULL);
  app_expect (a, "open");
  app_say (a, "1");
  app_say (a, "2");
  message = test_peer_wait_message (f.b, "rtc-data-channel");
  fail_unless_equals_string (gst_structure_get_string (gst_message_get_structure (message), "label"), "x");
  fail_unless (gst_structure_get_boolean (gst_message_get_structure (message), "taken", &taken) && !taken);
  gst_message_unref (message);
  b = app_new (f.b, "x", LISTENS);
  app_expect (b, "open");
  app_say (a, "3");
  app_expect (b, "t:1");
  app_expect (b, "t:2");
  app_expect (b, "t:3");
  test_room_free (f.room);
  app_free (first);
  app_free (a);
  app_free (b);
}
GST_END_TEST;

GST_START_TEST (a_peer_leaves)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  test_room_leave (f.room, f.b);
  app_expect (a, "lost");
  part (&f, a, b);
}
GST_END_TEST;

static gint is_slow; /* atomic */

/* A busy machine; plugins get it in place of GLib's. */
__attribute__ ((visibility ("default"))) void
g_object_notify (GObject *object, const gchar *name)
{
  if (g_atomic_int_get (&is_slow) && strcmp (name, "buffered-amount") == 0)
    g_usleep (100000);
  fail_unless (G_IS_OBJECT (object), "it was freed");
  g_object_notify_by_pspec (object, g_object_class_find_property (G_OBJECT_GET_CLASS (object), name));
}

static gint is_throwing_the_same; /* atomic */

/* Dice that fall alike where webrtcbin throws for the number of an association. */
__attribute__ ((visibility ("default"))) gint32
g_random_int_range (gint32 begin, gint32 end)
{
  if (g_atomic_int_get (&is_throwing_the_same) && begin == 0 && end == G_MAXUINT16)
    return 4711;
  return begin + (gint32)(g_random_int () % (guint32)(end - begin));
}

/* Two connections of a process, here both sides of one. */
GST_START_TEST (the_same_association)
{
  Fixture f;
  App *a, *b;

  g_atomic_int_set (&is_throwing_the_same, TRUE);
  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  app_say (a, "hello");
  app_expect (b, "t:hello");
  part (&f, a, b);
}
GST_END_TEST;

/* In webrtcbin, a thread that sends uses its channel without a reference. */
GST_START_TEST (a_peer_leaves_while_its_channel_sends)
{
  Fixture f;
  App *a, *b;

  g_atomic_int_set (&is_slow, TRUE);
  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  test_room_leave (f.room, f.b);
  app_expect (a, "lost");
  part (&f, a, b);
}
GST_END_TEST;

/* As long as a busy machine may take between two lines. */
static void
on_slow_pad (GstElement *element, GstPad *pad, gpointer is_adding)
{
  g_atomic_int_set ((gint *)is_adding, TRUE);
  g_usleep (300000);
}

static void
on_element (GstBin *rtcbin, GstBin *bin, GstElement *element, gpointer is_adding)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  if (factory && strcmp (GST_OBJECT_NAME (factory), "sctpdec") == 0)
    g_signal_connect (element, "pad-added", G_CALLBACK (on_slow_pad), is_adding);
}

/* In webrtcbin, the peer's first message makes a pad. It is not taken away while that is under way. */
GST_START_TEST (a_peer_leaves_while_its_channel_comes)
{
  gint is_adding = FALSE; /* atomic */
  gint64 end;
  Fixture f;
  App *a, *b;

  setup (&f);
  g_signal_connect (test_peer_get_rtcbin (f.b), "deep-element-added", G_CALLBACK (on_element), &is_adding);
  a = app_new (f.a, "x", NULL);
  b = app_new (f.b, "x", LISTENS);
  join (&f);
  if (!is_webrtcbin (transport))
    app_expect (a, "open");
  end = g_get_monotonic_time () + WAIT;
  while (is_webrtcbin (transport) && !g_atomic_int_get (&is_adding)) {
    fail_unless (g_get_monotonic_time () < end, "no channel came");
    g_usleep (1000);
  }
  test_room_leave (f.room, f.a);
  gst_message_unref (test_peer_wait_message (f.b, "rtc-peer-left"));
  part (&f, a, b);
}
GST_END_TEST;

static void
request (Fixture *f, gboolean restart)
{
  RtcMessage *offer = test_room_wait_sent (f->room, f->a, RTC_MESSAGE_OFFER);
  gchar *json = g_strdup_printf ("{\"type\":\"offer-request\",\"from\":\"b\",\"session\":\"%s\",\"restart\":%s}",
      offer->session, restart ? "true" : "false");

  test_peer_tell (f->a, json);
  g_free (json);
}

GST_START_TEST (a_rebuilt_connection)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  meet (&f, &a, "o,ordered=false", &b, "o,ordered=false,opens=false");
  gst_message_unref (test_peer_wait_message (f.a, "rtc-peer-connected"));
  gst_message_unref (test_peer_wait_message (f.b, "rtc-peer-connected"));
  request (&f, FALSE);
  app_expect (a, "lost");
  app_expect (a, "open");
  app_say (a, "again");
  /* The new one may be told before the old one's end. */
  app_expect_all (b, 3, "lost open t:again ");
  part (&f, a, b);
}
GST_END_TEST;

GST_START_TEST (a_restart)
{
  Fixture f;
  App *a, *b;
  GstStructure *stats = NULL;
  guint restarts = 0;

  /* webrtcbin cannot restart. */
  if (strcmp (transport, "native") != 0)
    return;
  setup (&f);
  meet (&f, &a, NULL, &b, LISTENS);
  gst_message_unref (test_peer_wait_message (f.a, "rtc-peer-connected"));
  request (&f, TRUE);
  for (guint i = 0; i < 200; i++) {
    const GValue *peers;

    app_say (a, "x");
    app_expect (b, "t:x");
    g_object_get (test_peer_get_rtcbin (f.a), "stats", &stats, NULL);
    peers = gst_structure_get_value (stats, "peers");
    gst_structure_get_uint (gst_value_get_structure (gst_value_array_get_value (peers, 0)), "ice-restarts", &restarts);
    gst_structure_free (stats);
  }
  fail_unless (restarts > 0);
  app_say (a, "after");
  app_expect (b, "t:after");
  part (&f, a, b);
}
GST_END_TEST;

/* Both are the same machine. */
GST_START_TEST (clocks)
{
  Fixture f;
  gint64 offset = G_MAXINT64, bound = G_MAXINT64, end = g_get_monotonic_time () + WAIT;

  App *a;

  setup (&f);
  a = app_new (f.a, "x", NULL);
  join (&f);
  for (guint i = 0; i < 2; i++) {
    TestPeer *peer = i ? f.b : f.a;
    gboolean known = FALSE;

    gst_message_unref (test_peer_wait_message (peer, "rtc-peer-connected"));
    while (!known) {
      GstStructure *stats = NULL;
      const GValue *peers;

      fail_unless (g_get_monotonic_time () < end, "the peer's clock is not known within 20 s");
      g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
      peers = gst_structure_get_value (stats, "peers");
      known = gst_structure_get (gst_value_get_structure (gst_value_array_get_value (peers, 0)), "clock-offset",
          G_TYPE_INT64, &offset, "clock-offset-error", G_TYPE_INT64, &bound, NULL);
      gst_structure_free (stats);
      g_thread_yield ();
    }
    fail_unless (ABS (offset) <= bound + 10, "%" G_GINT64_FORMAT " +- %" G_GINT64_FORMAT, offset, bound);
  }
  test_room_free (f.room);
  app_free (a);
}
GST_END_TEST;

GST_START_TEST (too_large)
{
  Fixture f;
  App *a;
  GBytes *data = g_bytes_new_take (g_malloc0 (65537), 65537);
  guint n = 1;

  setup (&f);
  a = app_new (f.a, "x", NULL);
  join (&f);
  app_expect (a, "open");
  g_signal_emit_by_name (a->channel, "send-data", NULL, data, &n);
  fail_unless_equals_int (n, !is_webrtcbin (transport));
  g_bytes_unref (data);
  test_room_free (f.room);
  app_free (a);
}
GST_END_TEST;

GST_START_TEST (negotiated)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  a = app_new (f.a, "x", "o,negotiated=true,id=7,ordered=false");
  b = app_new (f.b, "y", "o,negotiated=true,id=7,ordered=false");
  join (&f);
  app_expect (a, "open");
  app_expect (b, "open");
  app_say (a, "1");
  app_say (b, "2");
  app_expect (b, "t:1");
  app_expect (a, "t:2");
  part (&f, a, b);
}
GST_END_TEST;

/* What is sent before a close arrives before it, whatever is still on its way when the channel is told to close. */
GST_START_TEST (much_and_close)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  a = app_new (f.a, "x", LISTENS);
  b = app_new (f.b, "x", NULL);
  join (&f);
  app_expect (b, "open");
  for (guint i = 0; i < 100; i++)
    app_send (b, 65536);
  g_signal_emit_by_name (b->channel, "close");
  app_expect (a, "open");
  for (guint i = 0; i < 100; i++)
    app_expect (a, "b:65536");
  app_expect (a, "close");
  part (&f, a, b);
}
GST_END_TEST;

static Suite *
rtcbindata_suite (void)
{
  Suite *s = suite_create ("rtcbindata");
  TCase *tcase = tcase_create ("channels");
  guint n = test_transports_load ();

  suite_add_tcase (s, tcase);
  tcase_add_loop_test (tcase, both_ways, 0, n);
  tcase_add_loop_test (tcase, closed_by_the_other, 0, n);
  tcase_add_loop_test (tcase, both_open, 0, n);
  tcase_add_loop_test (tcase, who_comes_later, 0, n);
  tcase_add_loop_test (tcase, a_peer_leaves, 0, n);
  tcase_add_loop_test (tcase, a_peer_leaves_while_its_channel_sends, 0, n);
  tcase_add_loop_test (tcase, a_peer_leaves_while_its_channel_comes, 0, n);
  tcase_add_loop_test (tcase, the_same_association, 0, n);
  tcase_add_loop_test (tcase, a_rebuilt_connection, 0, n);
  tcase_add_loop_test (tcase, a_restart, 0, n);
  tcase_add_loop_test (tcase, clocks, 0, n);
  tcase_add_loop_test (tcase, too_large, 0, n);
  tcase_add_loop_test (tcase, negotiated, 0, n);
  tcase_add_loop_test (tcase, much_and_close, 0, n);
  return s;
}

GST_CHECK_MAIN (rtcbindata);
