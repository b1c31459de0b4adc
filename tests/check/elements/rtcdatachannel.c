/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What applications have: the object that create-data-channel returns. */

#include "lib/faketransport.h"

#include <gst/check/gstcheck.h>

typedef struct
{
  GString *said; /* on the control loop, which the test waits for */
} User;

#define expect(string, text) \
  G_STMT_START \
  { \
    fail_unless_equals_string ((string)->str, text); \
    g_string_truncate (string, 0); \
  } \
  G_STMT_END

static void
app_log (GObject *channel, const gchar *peer, const gchar *text, gpointer data)
{
  User *user = data;

  g_string_append_printf (user->said, "%s:%s ", peer, text ? text : "-");
}

static void
app_open (GObject *channel, const gchar *peer, gpointer data)
{
  app_log (channel, peer, "open", data);
}

static void
app_data (GObject *channel, const gchar *peer, GBytes *bytes, gpointer data)
{
  gchar *text = g_strdup_printf ("%u bytes", (guint)g_bytes_get_size (bytes));

  app_log (channel, peer, text, data);
  g_free (text);
}

GST_START_TEST (an_application)
{
  FakeLink link;
  User user = {0};
  FakeTransport *a, *b;
  FakeChannel *to_a;
  GObject *channel = NULL;
  GBytes *bytes = g_bytes_new_static ("xyz", 3);
  guint n = 0;
  guint64 waiting = 1;
  GstStructure *options = gst_structure_new (
      "o", "ordered", G_TYPE_BOOLEAN, FALSE, "max-retransmits", G_TYPE_INT, 2, "priority", G_TYPE_INT, 1024, NULL);

  fake_link_init (&link);
  user.said = g_string_new (NULL);
  g_signal_emit_by_name (link.rtcbin, "create-data-channel", "x", options, &channel);
  fail_unless (channel != NULL);
  g_signal_connect (channel, "on-open", G_CALLBACK (app_open), &user);
  g_signal_connect (channel, "on-close", G_CALLBACK (app_log), &user);
  g_signal_connect (channel, "on-error", G_CALLBACK (app_log), &user);
  g_signal_connect (channel, "on-message-string", G_CALLBACK (app_log), &user);
  g_signal_connect (channel, "on-message-data", G_CALLBACK (app_data), &user);
  fake_link_offer (&link, "early", "0");
  fake_link_settle (&link);
  expect (user.said, "");
  fake_link_leave (&link, "early");
  g_signal_emit_by_name (channel, "open");
  g_signal_emit_by_name (channel, "send-string", NULL, "nobody", &n);
  fail_unless_equals_int (n, 0);
  a = fake_link_offer (&link, "a", "1");
  b = fake_link_offer (&link, "b", "2");
  to_a = g_ptr_array_index (a->channels, 0);
  fail_unless (!to_a->parent.init.ordered && to_a->parent.init.max_retransmits == 2);
  fail_unless_equals_int (to_a->parent.init.priority, 1024);
  gst_rtc_channel_set_state (&to_a->parent, GST_RTC_CHANNEL_OPEN, NULL);
  fake_link_settle (&link);
  expect (user.said, "a:open ");
  g_signal_emit_by_name (channel, "send-string", NULL, "all", &n);
  fail_unless_equals_int (n, 2);
  g_signal_emit_by_name (channel, "send-data", "a", bytes, &n);
  fail_unless_equals_int (n, 1);
  fail_unless_equals_int (to_a->sent->len, 2);
  fail_unless_equals_string (g_ptr_array_index (to_a->sent, 0), "t:all");
  fail_unless_equals_string (g_ptr_array_index (to_a->sent, 1), "b:xyz");
  g_signal_emit_by_name (channel, "get-buffered-amount", NULL, &waiting);
  fail_unless_equals_uint64 (waiting, 0);
  fake_channel_say (to_a, "hello");
  gst_rtc_channel_deliver (&to_a->parent, FALSE, bytes, 1);
  fake_link_settle (&link);
  expect (user.said, "a:hello a:3 bytes ");
  fail_unless_equals_uint64 (to_a->unread, 0);
  fake_link_leave (&link, "a");
  expect (user.said, "a:The connection to the peer is gone ");
  fail_unless (b->channels->len == 1);
  g_object_unref (channel);
  fake_link_settle (&link);
  fail_unless_equals_int (gst_rtc_channel_get_state (g_ptr_array_index (b->channels, 0)), GST_RTC_CHANNEL_CLOSED);
  expect (user.said, "");
  gst_structure_free (options);

  /* One that was opened already, from any state. */
  fake_transport_open_remote (b, "y");
  options = gst_structure_new ("o", "opens", G_TYPE_BOOLEAN, FALSE, "peer-id", G_TYPE_STRING, "b", NULL);
  g_signal_emit_by_name (link.rtcbin, "create-data-channel", "y", options, &channel);
  g_signal_emit_by_name (channel, "open");
  g_signal_emit_by_name (channel, "send-string", NULL, "1", &n);
  fail_unless_equals_int (n, 1);
  g_signal_emit_by_name (channel, "close");
  g_signal_emit_by_name (channel, "send-string", NULL, "1", &n);
  fail_unless_equals_int (n, 0);
  g_object_unref (channel);
  gst_structure_free (options);
  g_string_free (user.said, TRUE);
  g_bytes_unref (bytes);
  fake_link_clear (&link);
}
GST_END_TEST;

GST_START_TEST (bad_options)
{
  static const gchar *const bad[] = {"o,ordered=3", "o,max-retransmits=70000",
      "o,max-retransmits=1,max-packet-lifetime=1", "o,negotiated=true", "o,id=1024", "o,priority=7", "o,prio=128",
      "o,protocol=1"};
  FakeLink link;

  fake_link_init (&link);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    GstStructure *options = gst_structure_from_string (bad[i], NULL);
    GObject *channel = NULL;

    fail_unless (options != NULL, "%s", bad[i]);
    ASSERT_WARNING (g_signal_emit_by_name (link.rtcbin, "create-data-channel", "x", options, &channel));
    fail_unless (channel == NULL, "%s", bad[i]);
    gst_structure_free (options);
  }
  fake_link_clear (&link);
}
GST_END_TEST;

static Suite *
rtcdatachannel_suite (void)
{
  Suite *s = suite_create ("rtcdatachannel");
  TCase *tcase = tcase_create ("object");

  fake_has_channels = TRUE;
  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, an_application);
  tcase_add_test (tcase, bad_options);
  return s;
}

GST_CHECK_MAIN (rtcdatachannel);
