/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A data channel as elements see it, over a transport that does nothing but count. */

#include "base/gstrtcchannel.h"

#include <gst/check/gstcheck.h>

typedef struct
{
  GstRtcChannel parent;
  gint *freed; /* atomic */
  guint sent;
  gsize unread; /* atomic; what the transport was told last */
} FakeChannel;

static gboolean
fake_send (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error)
{
  ((FakeChannel *)channel)->sent++;
  return TRUE;
}

static gsize
fake_get_buffered (GstRtcChannel *channel)
{
  return 7;
}

static void
fake_set_low_threshold (GstRtcChannel *channel, gsize bytes)
{
}

static void
fake_unread_changed (GstRtcChannel *channel, gsize bytes)
{
  g_atomic_pointer_set (&((FakeChannel *)channel)->unread, bytes);
}

static gint
fake_get_id (GstRtcChannel *channel)
{
  return 4;
}

static void
fake_close (GstRtcChannel *channel)
{
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
}

static void
fake_add_stats (GstRtcChannel *channel, GstStructure *stats)
{
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, (guint64)((FakeChannel *)channel)->sent, NULL);
}

static void
fake_free (GstRtcChannel *channel)
{
  g_atomic_int_inc (((FakeChannel *)channel)->freed);
  g_free (channel);
}

static const GstRtcChannelClass fake_class = {
    .send = fake_send,
    .get_buffered = fake_get_buffered,
    .set_low_threshold = fake_set_low_threshold,
    .unread_changed = fake_unread_changed,
    .get_id = fake_get_id,
    .close = fake_close,
    .add_stats = fake_add_stats,
    .free = fake_free,
};

static GstRtcChannel *
make_channel (gint *freed, GstRtcChannelState state)
{
  FakeChannel *fake = g_new0 (FakeChannel, 1);
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;

  fake->freed = freed;
  init.label = (gchar *)"l";
  init.max_retransmits = 3;
  gst_rtc_channel_construct (&fake->parent, &fake_class, "peer", FALSE, &init, state);
  return &fake->parent;
}

/* What a listener was told: "open", "t:abc", "b:abc", "low", "closed!" (with an error). */
typedef struct
{
  GString *log;
  GstRtcChannel *channel;
  gpointer other; /* a listener to remove, or NULL */
  gboolean closes, notified;
} Log;

static void
log_add (Log *log, const gchar *text)
{
  if (log->log->len)
    g_string_append_c (log->log, ' ');
  g_string_append (log->log, text);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  gchar *text = g_strconcat (gst_rtc_channel_state_to_string (state), error ? "!" : NULL, NULL);

  log_add (user_data, text);
  g_free (text);
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  Log *log = user_data;
  gchar *text = g_strdup_printf ("%c:%.*s", is_text ? 't' : 'b', (gint)g_bytes_get_size (message),
      (const gchar *)g_bytes_get_data (message, NULL));

  log_add (log, text);
  g_free (text);
  if (log->other)
    gst_rtc_channel_remove_listener (channel, log->other);
  if (log->closes)
    gst_rtc_channel_close (channel);
}

static void
on_low (GstRtcChannel *channel, gpointer user_data)
{
  log_add (user_data, "low");
}

static void
on_notify (gpointer user_data)
{
  ((Log *)user_data)->notified = TRUE;
}

static const GstRtcChannelEvents log_events = {.state = on_state, .message = on_message, .low = on_low};

static Log
log_new (void)
{
  return (Log){.log = g_string_new (NULL)};
}

#define expect(l, text) \
  G_STMT_START \
  { \
    fail_unless_equals_string ((l)->log->str, text); \
    g_string_truncate ((l)->log, 0); \
  } \
  G_STMT_END

static void
say (GstRtcChannel *channel, const gchar *text)
{
  GBytes *bytes = g_bytes_new (text, strlen (text));

  gst_rtc_channel_deliver (channel, TRUE, bytes, 1);
  g_bytes_unref (bytes);
}

GST_START_TEST (listeners_are_told_in_order)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_CONNECTING);
  GError *error = g_error_new_literal (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "gone");
  GError *copy;
  Log a = log_new (), b = log_new ();

  fail_unless_equals_int (
      gst_rtc_channel_add_listener (channel, &log_events, &a, on_notify), GST_RTC_CHANNEL_CONNECTING);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_OPEN, NULL);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_OPEN, NULL);
  say (channel, "1");
  fail_unless_equals_int (gst_rtc_channel_add_listener (channel, &log_events, &b, NULL), GST_RTC_CHANNEL_OPEN);
  say (channel, "2");
  gst_rtc_channel_tell_low (channel);
  /* States only go forward. */
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, error);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_OPEN, NULL);
  say (channel, "3");
  gst_rtc_channel_tell_low (channel);
  expect (&a, "open t:1 t:2 low closed!");
  expect (&b, "t:2 low closed!");
  fail_unless (a.notified);
  copy = gst_rtc_channel_copy_error (channel);
  fail_unless (g_error_matches (copy, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK));
  g_error_free (copy);
  g_error_free (error);
  gst_rtc_channel_unref (channel);
  fail_unless_equals_int (freed, 1);
  g_string_free (a.log, TRUE);
  g_string_free (b.log, TRUE);
}
GST_END_TEST;

/* Who was removed hears nothing, not even of the event that is told; who is added hears of the next one. What happens
 * within an event is told after it. */
GST_START_TEST (listeners_change_within_events)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_OPEN);
  Log a = log_new (), b = log_new (), c = log_new ();

  gst_rtc_channel_add_listener (channel, &log_events, &a, NULL);
  gst_rtc_channel_add_listener (channel, &log_events, &b, on_notify);
  a.other = &b;
  say (channel, "1");
  expect (&a, "t:1");
  expect (&b, "");
  fail_unless (b.notified);
  /* Itself. */
  a.other = &a;
  gst_rtc_channel_add_listener (channel, &log_events, &c, NULL);
  say (channel, "2");
  say (channel, "3");
  expect (&a, "t:2");
  expect (&c, "t:2 t:3");
  /* The other one is told that the message came, then that the channel closed. */
  c.closes = TRUE;
  gst_rtc_channel_add_listener (channel, &log_events, &b, NULL);
  say (channel, "4");
  expect (&c, "t:4 closing closed");
  expect (&b, "t:4 closing closed");
  gst_rtc_channel_unref (channel);
  fail_unless_equals_int (freed, 1);
  g_string_free (a.log, TRUE);
  g_string_free (b.log, TRUE);
  g_string_free (c.log, TRUE);
}
GST_END_TEST;

/* A listener that holds the channel does not keep it for ever. */
GST_START_TEST (a_closed_channel_lets_go)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_OPEN);

  gst_rtc_channel_add_listener (channel, &log_events, gst_rtc_channel_ref (channel), gst_rtc_channel_unref);
  gst_rtc_channel_unref (channel);
  fail_unless_equals_int (freed, 0);
  gst_rtc_channel_ref (channel);
  gst_rtc_channel_remove_listener (channel, channel);
  fail_unless_equals_int (freed, 0);
  {
    Log log = log_new ();

    gst_rtc_channel_add_listener (channel, &log_events, &log, on_notify);
    gst_rtc_channel_close (channel);
    gst_rtc_channel_close (channel);
    expect (&log, "closing closed");
    fail_unless (log.notified);
    g_string_free (log.log, TRUE);
  }
  gst_rtc_channel_unref (channel);
  fail_unless_equals_int (freed, 1);
}
GST_END_TEST;

GST_START_TEST (what_is_sent_is_checked)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_CONNECTING);
  GBytes *bad = g_bytes_new_static ("\xff", 1), *empty = g_bytes_new_static ("", 0);
  GError *error = NULL;

  fail_unless (gst_rtc_channel_send (channel, TRUE, empty, &error));
  fail_unless (gst_rtc_channel_send (channel, FALSE, bad, &error));
  fail_if (gst_rtc_channel_send (channel, TRUE, bad, &error));
  fail_unless (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TEXT));
  fail_unless (strstr (error->message, "\"l\"") && strstr (error->message, "binary"), "%s", error->message);
  g_clear_error (&error);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSING, NULL);
  fail_if (gst_rtc_channel_send (channel, FALSE, bad, &error));
  fail_unless (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE));
  fail_unless (strstr (error->message, "peer is closing"), "%s", error->message);
  g_clear_error (&error);
  fail_unless_equals_int (((FakeChannel *)channel)->sent, 2);
  g_bytes_unref (bad);
  g_bytes_unref (empty);
  gst_rtc_channel_unref (channel);
}
GST_END_TEST;

GST_START_TEST (stats_and_settings)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_OPEN);
  GstStructure *stats;
  const gchar *label, *protocol, *state, *peer;
  gint id, retransmits;
  guint64 buffered, unread, sent;
  gboolean remote, ordered;
  GstRtcChannelInit other = gst_rtc_channel_init_copy (&channel->init);

  gst_rtc_channel_add_unread (channel, 11);
  stats = gst_rtc_channel_make_stats (channel);
  fail_unless (gst_structure_get (stats, "id", G_TYPE_INT, &id, "max-retransmits", G_TYPE_INT, &retransmits,
      "buffered-amount", G_TYPE_UINT64, &buffered, "unread-amount", G_TYPE_UINT64, &unread, "messages-sent",
      G_TYPE_UINT64, &sent, "remote", G_TYPE_BOOLEAN, &remote, "ordered", G_TYPE_BOOLEAN, &ordered, NULL));
  label = gst_structure_get_string (stats, "label");
  protocol = gst_structure_get_string (stats, "protocol");
  state = gst_structure_get_string (stats, "state");
  peer = gst_structure_get_string (stats, "peer-id");
  fail_unless_equals_string (label, "l");
  fail_unless_equals_string (protocol, "");
  fail_unless_equals_string (state, "open");
  fail_unless_equals_string (peer, "peer");
  fail_unless (id == 4 && retransmits == 3 && buffered == 7 && unread == 11 && sent == 0 && !remote && ordered);
  fail_if (gst_structure_has_field (stats, "max-packet-lifetime"));
  gst_structure_free (stats);

  fail_unless (gst_rtc_channel_init_equal (&channel->init, &other));
  other.priority = 1024;
  other.id = 9;
  fail_unless (gst_rtc_channel_init_equal (&channel->init, &other));
  other.negotiated = TRUE;
  fail_if (gst_rtc_channel_init_equal (&channel->init, &other));
  other.negotiated = FALSE;
  other.ordered = FALSE;
  fail_if (gst_rtc_channel_init_equal (&channel->init, &other));
  gst_rtc_channel_init_clear (&other);
  gst_rtc_channel_unref (channel);
}
GST_END_TEST;

GST_START_TEST (messages_are_held)
{
  gint freed = 0;
  GstRtcChannel *channel = make_channel (&freed, GST_RTC_CHANNEL_OPEN);
  FakeChannel *fake = (FakeChannel *)channel;
  Log log = log_new ();
  GBytes *large = g_bytes_new_take (g_malloc0 (GST_RTC_CHANNEL_MAX_HELD), GST_RTC_CHANNEL_MAX_HELD);
  guint64 bytes;

  gst_rtc_channel_hold (channel);
  say (channel, "12");
  say (channel, "345");
  fail_unless_equals_uint64 (fake->unread, 5);
  gst_rtc_channel_add_listener (channel, &log_events, &log, NULL);
  say (channel, "6");
  expect (&log, "");
  gst_rtc_channel_release (channel);
  expect (&log, "t:12 t:345 t:6");
  fail_unless_equals_uint64 (fake->unread, 0);
  say (channel, "7");
  expect (&log, "t:7");

  gst_rtc_channel_hold (channel);
  say (channel, "8");
  gst_rtc_channel_deliver (channel, FALSE, large, 1);
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
  expect (&log, "closed");
  gst_rtc_channel_release (channel);
  fail_unless_equals_uint64 (gst_rtc_channel_drop_held (channel, &bytes), 2);
  fail_unless_equals_uint64 (bytes, GST_RTC_CHANNEL_MAX_HELD + 1);
  fail_unless_equals_uint64 (fake->unread, 0);
  expect (&log, "");
  g_bytes_unref (large);
  gst_rtc_channel_unref (channel);
  fail_unless_equals_int (freed, 1);
  g_string_free (log.log, TRUE);
}
GST_END_TEST;

/* Threads. */

#define N_MESSAGES 20000
#define N_LISTENERS 2

typedef struct
{
  GstRtcChannel *channel;
  gint over; /* atomic */
  gint inside, alive; /* atomic */

  /* whoever tells */
  guint next;
  gboolean closed;
} Race;

static void
race_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  Race *race = user_data;
  guint n;

  fail_unless_equals_int (g_atomic_int_add (&race->inside, 1), 0);
  memcpy (&n, g_bytes_get_data (message, NULL), sizeof n);
  fail_unless_equals_int (n, race->next);
  fail_if (race->closed);
  race->next++;
  g_atomic_int_add (&race->inside, -1);
}

static void
race_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Race *race = user_data;

  fail_unless_equals_int (g_atomic_int_add (&race->inside, 1), 0);
  race->closed = state == GST_RTC_CHANNEL_CLOSED;
  g_atomic_int_add (&race->inside, -1);
}

static const GstRtcChannelEvents race_events = {.state = race_state, .message = race_message};

static void
drop_alive (gpointer user_data)
{
  g_atomic_int_add (&((Race *)user_data)->alive, -1);
}

static void
come_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  fail_unless (g_atomic_int_get (&((Race *)user_data)->alive) > 0);
}

static const GstRtcChannelEvents come_events = {.message = come_message};

/* Listeners that come and go, each with an address of its own. */
static gpointer
come_and_go (gpointer data)
{
  Race *race = data, mine = {NULL};

  while (!g_atomic_int_get (&race->over)) {
    g_atomic_int_inc (&mine.alive);
    gst_rtc_channel_add_listener (race->channel, &come_events, &mine, drop_alive);
    gst_rtc_channel_remove_listener (race->channel, &mine);
    /* One event may be on its way. */
    while (g_atomic_int_get (&mine.alive))
      g_thread_yield ();
  }
  return NULL;
}

static gpointer
hold_and_release (gpointer data)
{
  Race *race = data;

  while (!g_atomic_int_get (&race->over)) {
    gst_rtc_channel_hold (race->channel);
    gst_rtc_channel_add_unread (race->channel, 3);
    gst_rtc_channel_release (race->channel);
    gst_rtc_channel_add_unread (race->channel, -3);
  }
  return NULL;
}

/* Each message once, in order, one at a time, whoever tells it; the transport knows in the end what is unread. */
GST_START_TEST (threads)
{
  gint freed = 0;
  Race race = {make_channel (&freed, GST_RTC_CHANNEL_OPEN)};
  GThread *threads[N_LISTENERS + 2];

  gst_rtc_channel_add_listener (race.channel, &race_events, &race, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new (NULL, i < N_LISTENERS ? come_and_go : hold_and_release, &race);
  for (guint i = 0; i < N_MESSAGES; i++) {
    GBytes *bytes = g_bytes_new (&i, sizeof i);

    gst_rtc_channel_deliver (race.channel, FALSE, bytes, 1);
    g_bytes_unref (bytes);
  }
  g_atomic_int_set (&race.over, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  gst_rtc_channel_release (race.channel);
  fail_unless_equals_int (race.next, N_MESSAGES);
  fail_unless_equals_uint64 (g_atomic_pointer_get (&((FakeChannel *)race.channel)->unread), 0);
  gst_rtc_channel_set_state (race.channel, GST_RTC_CHANNEL_CLOSED, NULL);
  fail_unless (race.closed);
  gst_rtc_channel_unref (race.channel);
  fail_unless_equals_int (freed, 1);
}
GST_END_TEST;

static Suite *
rtcchannel_suite (void)
{
  Suite *s = suite_create ("rtcchannel");
  TCase *tcase = tcase_create ("channel");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, listeners_are_told_in_order);
  tcase_add_test (tcase, listeners_change_within_events);
  tcase_add_test (tcase, a_closed_channel_lets_go);
  tcase_add_test (tcase, what_is_sent_is_checked);
  tcase_add_test (tcase, stats_and_settings);
  tcase_add_test (tcase, messages_are_held);
  tcase_add_test (tcase, threads);
  return s;
}

GST_CHECK_MAIN (rtcchannel);
