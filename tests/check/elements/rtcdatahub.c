/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The hub of an rtcbin: who is told of which channel, over a transport that does what the test says. */

#include "lib/faketransport.h"

#include <gst/check/gstcheck.h>

typedef struct
{
  GMutex lock;
  /* under lock */
  GPtrArray *channels; /* of GstRtcChannel, as they were told */
  GString *said; /* what came, "1 2 " */
  GString *ends; /* "link " for each that closed, by its error */
  GString *refusals; /* "peer: message;" */
  gint notified; /* atomic */
  guint id;
} User;

static void
user_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer data)
{
  User *user = data;

  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  g_mutex_lock (&user->lock);
  g_string_append (user->ends,
      !error                                                                           ? "closed "
          : g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK) ? "link "
                                                                                       : "? ");
  g_mutex_unlock (&user->lock);
}

static void
user_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer data)
{
  User *user = data;

  g_mutex_lock (&user->lock);
  g_string_append_printf (
      user->said, "%.*s ", (gint)g_bytes_get_size (message), (const gchar *)g_bytes_get_data (message, NULL));
  g_mutex_unlock (&user->lock);
}

static const GstRtcChannelEvents user_events = {.state = user_state, .message = user_message};

static void
user_channel (GstRtcChannel *channel, gpointer data)
{
  User *user = data;

  g_mutex_lock (&user->lock);
  g_ptr_array_add (user->channels, gst_rtc_channel_ref (channel));
  g_mutex_unlock (&user->lock);
  gst_rtc_channel_add_listener (channel, &user_events, user, NULL);
}

static void
user_refused (const gchar *peer_id, const GError *error, gpointer data)
{
  User *user = data;

  g_mutex_lock (&user->lock);
  g_string_append_printf (user->refusals, "%s: %s;", peer_id, error->message);
  g_mutex_unlock (&user->lock);
}

static void
user_notify (gpointer data)
{
  g_atomic_int_inc (&((User *)data)->notified);
}

static void
user_attach (User *user, FakeLink *link, const gchar *label, gboolean opens, const gchar *peer_id)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;

  if (!user->channels) {
    g_mutex_init (&user->lock);
    user->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
    user->said = g_string_new (NULL);
    user->ends = g_string_new (NULL);
    user->refusals = g_string_new (NULL);
  }
  init.label = (gchar *)label;
  user->id = link->hub->klass->attach (
      link->hub, &(GstRtcDataUser){&init, opens, peer_id, user_channel, user_refused, user, user_notify});
  fail_unless (user->id != 0);
  fake_link_settle (link);
}

static void
user_detach (User *user, FakeLink *link)
{
  link->hub->klass->detach (link->hub, user->id);
  fake_link_settle (link);
}

static void
user_clear (User *user)
{
  for (guint i = 0; i < user->channels->len; i++)
    gst_rtc_channel_remove_listener (g_ptr_array_index (user->channels, i), user);
  g_ptr_array_unref (user->channels);
  g_string_free (user->said, TRUE);
  g_string_free (user->ends, TRUE);
  g_string_free (user->refusals, TRUE);
  g_mutex_clear (&user->lock);
}

/* The Nth channel that it was told of. */
static FakeChannel *
told (User *user, guint n)
{
  fail_unless (user->channels->len > n, "%u channels were told, not %u", user->channels->len, n + 1);
  return g_ptr_array_index (user->channels, n);
}

#define expect(string, text) \
  G_STMT_START \
  { \
    fail_unless_equals_string ((string)->str, text); \
    g_string_truncate (string, 0); \
  } \
  G_STMT_END

static void
expect_closed (FakeLink *link, const gchar *label, const gchar *code, guint64 lost)
{
  GstMessage *message = fake_link_wait (link, "rtc-data-channel-closed", 20);
  const GstStructure *s = gst_message_get_structure (message);
  guint64 n;

  fail_unless_equals_string (gst_structure_get_string (s, "label"), label);
  fail_unless_equals_string (gst_structure_get_string (s, "code"), code);
  fail_unless (gst_structure_get_string (s, "reason") != NULL);
  fail_unless (gst_structure_get_uint64 (s, "lost-messages", &n));
  fail_unless_equals_uint64 (n, lost);
  fail_unless (gst_structure_has_field_typed (s, "stats", GST_TYPE_STRUCTURE));
  gst_message_unref (message);
}

static void
expect_opened (FakeLink *link, const gchar *label, gboolean remote, gboolean taken)
{
  GstMessage *message = fake_link_wait (link, "rtc-data-channel", 20);
  const GstStructure *s = gst_message_get_structure (message);
  gboolean is_remote, is_taken;

  fail_unless_equals_string (gst_structure_get_string (s, "label"), label);
  fail_unless (gst_structure_get (s, "remote", G_TYPE_BOOLEAN, &is_remote, "taken", G_TYPE_BOOLEAN, &is_taken, NULL));
  fail_unless_equals_int (is_remote, remote);
  fail_unless_equals_int (is_taken, taken);
  gst_message_unref (message);
}

/* Before the connection, on it before it is up, and after; two that want the same share it. */
GST_START_TEST (a_channel_with_each_peer)
{
  FakeLink link;
  User sink = {0}, source = {0}, second = {0}, other = {0};
  FakeTransport *a, *b;

  fake_link_init (&link);
  user_attach (&sink, &link, "x", TRUE, NULL);
  user_attach (&source, &link, "x", FALSE, NULL);
  user_attach (&other, &link, "y", FALSE, NULL);
  a = fake_link_offer (&link, "a", "1");
  fail_unless_equals_int (a->channels->len, 1);
  fail_unless (&told (&sink, 0)->parent == &told (&source, 0)->parent);
  fail_unless_equals_int (gst_rtc_channel_get_state (&told (&sink, 0)->parent), GST_RTC_CHANNEL_CONNECTING);
  fake_link_expect_none (&link, "rtc-data-channel");
  fake_transport_connect (&link, a);
  gst_rtc_channel_set_state (&told (&sink, 0)->parent, GST_RTC_CHANNEL_OPEN, NULL);
  expect_opened (&link, "x", FALSE, TRUE);
  fake_channel_say (told (&sink, 0), "1");
  expect (source.said, "1 ");

  b = fake_link_offer (&link, "b", "2");
  fail_unless_equals_int (b->channels->len, 1);
  fail_unless_equals_string (told (&sink, 1)->parent.peer_id, "b");
  user_attach (&second, &link, "x", TRUE, "b");
  fail_unless_equals_int (second.channels->len, 1);
  fail_unless_equals_int (b->channels->len, 1);
  fail_unless_equals_int (sink.channels->len, 2);
  fail_unless_equals_int (other.channels->len, 0);

  /* The sink goes: the source is still there; then nobody is but the second one, at b. */
  user_detach (&sink, &link);
  fail_unless_equals_int (sink.notified, 1);
  expect (source.ends, "");
  user_detach (&source, &link);
  expect (source.ends, "closed ");
  expect (second.ends, "");
  expect_closed (&link, "x", "closed", 0);
  fake_link_leave (&link, "b");
  expect (second.ends, "link ");
  expect_closed (&link, "x", "link", 0);
  user_detach (&second, &link);
  user_detach (&other, &link);
  user_detach (&other, &link);
  user_clear (&sink);
  user_clear (&source);
  user_clear (&second);
  user_clear (&other);
  fake_link_clear (&link);
}
GST_END_TEST;

/* One that wants to send takes the peer's; when both opened one at once, both stay. */
GST_START_TEST (the_peers_channel_will_do)
{
  FakeLink link;
  User late = {0}, early = {0};
  FakeTransport *a;
  FakeChannel *theirs;

  fake_link_init (&link);
  user_attach (&early, &link, "both", TRUE, NULL);
  a = fake_link_offer (&link, "a", "1");
  fake_transport_connect (&link, a);
  theirs = fake_transport_open_remote (a, "both");
  fail_unless (told (&early, 1) == theirs);
  fail_unless (!told (&early, 0)->parent.is_remote && theirs->parent.is_remote);
  expect_opened (&link, "both", TRUE, TRUE);
  fake_channel_say (told (&early, 0), "1");
  fake_channel_say (told (&early, 1), "2");
  expect (early.said, "1 2 ");

  theirs = fake_transport_open_remote (a, "theirs");
  expect_opened (&link, "theirs", TRUE, FALSE);
  user_attach (&late, &link, "theirs", TRUE, NULL);
  fail_unless (told (&late, 0) == theirs);
  fail_unless_equals_int (late.channels->len, 1);
  fail_unless_equals_int (a->channels->len, 3);
  user_detach (&late, &link);
  user_detach (&early, &link);
  user_clear (&late);
  user_clear (&early);
  fake_link_clear (&link);
}
GST_END_TEST;

GST_START_TEST (messages_wait_for_a_taker)
{
  FakeLink link;
  User user = {0};
  FakeTransport *a;
  FakeChannel *theirs;

  fake_link_init (&link);
  a = fake_link_offer (&link, "a", "1");
  fake_transport_connect (&link, a);
  theirs = fake_transport_open_remote (a, "x");
  fake_channel_say (theirs, "1");
  fake_channel_say (theirs, "2");
  fail_unless_equals_uint64 (theirs->unread, 2);
  user_attach (&user, &link, "x", FALSE, NULL);
  expect (user.said, "1 2 ");
  fail_unless_equals_uint64 (theirs->unread, 0);
  fake_channel_say (theirs, "3");
  expect (user.said, "3 ");
  /* Somebody else takes it over. */
  user_detach (&user, &link);
  gst_rtc_channel_remove_listener (&theirs->parent, &user);
  fake_channel_say (theirs, "4");
  user_attach (&user, &link, "x", FALSE, NULL);
  expect (user.said, "4 ");
  /* Nobody does. */
  user_detach (&user, &link);
  fake_channel_say (theirs, "5");
  fake_channel_say (theirs, "6");
  expect_closed (&link, "x", "not-taken", 2);
  fail_unless_equals_uint64 (theirs->unread, 0);
  expect (user.ends, "closed ");
  user_clear (&user);
  fake_link_clear (&link);
}
GST_END_TEST;

/* Who closes instead of detaching waits for nobody else, unless somebody is there. */
GST_START_TEST (the_peers_channel_is_closed)
{
  FakeLink link;
  User user = {0}, other = {0};
  FakeTransport *a;
  FakeChannel *theirs;
  gint64 begin;

  fake_link_init (&link);
  a = fake_link_offer (&link, "a", "1");
  fake_transport_connect (&link, a);
  theirs = fake_transport_open_remote (a, "x");
  user_attach (&user, &link, "x", FALSE, NULL);
  user_attach (&other, &link, "x", FALSE, NULL);
  begin = g_get_monotonic_time ();
  link.hub->klass->close (link.hub, user.id);
  fake_link_settle (&link);
  fail_unless_equals_int (gst_rtc_channel_get_state (&theirs->parent), GST_RTC_CHANNEL_OPEN);
  fake_channel_say (theirs, "1");
  expect (other.said, "1 ");
  link.hub->klass->close (link.hub, other.id);
  expect_closed (&link, "x", "closed", 0);
  fail_unless (g_get_monotonic_time () - begin < GST_RTC_BIN_DATA_TAKE_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND);
  expect (other.ends, "closed ");
  user_clear (&user);
  user_clear (&other);
  fake_link_clear (&link);
}
GST_END_TEST;

/* The old one carries until the new one does. */
GST_START_TEST (a_rebuilt_connection)
{
  FakeLink link;
  User user = {0};
  FakeTransport *first, *second, *third;

  fake_link_init (&link);
  user_attach (&user, &link, "x", TRUE, NULL);
  first = fake_link_offer (&link, "a", "1");
  fake_transport_connect (&link, first);
  second = fake_link_offer (&link, "a", "2");
  fail_unless_equals_int (second->channels->len, 1);
  fail_unless_equals_int (user.channels->len, 1);
  /* It comes to nothing. */
  fake_transport_fail (&link, second);
  expect (user.ends, "");
  fail_unless_equals_int (user.channels->len, 1);
  third = fake_link_offer (&link, "a", "3");
  fake_channel_say (g_ptr_array_index (third->channels, 0), "early");
  expect (user.said, "");
  fake_transport_connect (&link, third);
  expect (user.ends, "link ");
  fail_unless (told (&user, 1) == g_ptr_array_index (third->channels, 0));
  expect (user.said, "early ");
  /* It breaks; the next one is all there is. */
  fake_transport_fail (&link, third);
  expect (user.ends, "link ");
  fake_link_offer (&link, "a", "4");
  fail_unless_equals_int (user.channels->len, 3);
  user_detach (&user, &link);
  expect (user.ends, "closed ");
  user_clear (&user);
  fake_link_clear (&link);
}
GST_END_TEST;

GST_START_TEST (a_peer_that_cannot)
{
  FakeLink link;
  User user = {0}, passive = {0};
  FakeTransport *a;

  fake_link_init (&link);
  fake_fails = TRUE;
  user_attach (&user, &link, "x", TRUE, NULL);
  user_attach (&passive, &link, "x", FALSE, NULL);
  a = fake_link_offer (&link, "a", "1");
  expect (user.refusals, "a: There is no such channel in this test;");
  expect (passive.refusals, "");
  /* It is not tried again and again. */
  fake_fails = FALSE;
  user_attach (&passive, &link, "y", FALSE, NULL);
  expect (user.refusals, "");
  fail_unless_equals_int (a->channels->len, 0);
  user_detach (&user, &link);
  user_clear (&user);
  user_clear (&passive);
  fake_link_clear (&link);
}
GST_END_TEST;

GST_START_TEST (a_transport_that_cannot)
{
  FakeLink link;
  User user = {0};

  fake_has_channels = FALSE;
  fake_link_init (&link);
  user_attach (&user, &link, "x", TRUE, NULL);
  fake_link_offer (&link, "a", "1");
  expect (user.refusals, "a: The transport plain has no data channels; use rtcbin's property transport=native;");
  user_detach (&user, &link);
  user_clear (&user);
  fake_link_clear (&link);
}
GST_END_TEST;

GST_START_TEST (stats_tell_of_channels)
{
  FakeLink link;
  User user = {0};
  GstStructure *stats = NULL;
  const GstStructure *peer;
  const GValue *peers, *channels;

  fake_link_init (&link);
  user_attach (&user, &link, "x", TRUE, NULL);
  fake_transport_connect (&link, fake_link_offer (&link, "a", "1"));
  g_object_get (link.rtcbin, "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  peer = gst_value_get_structure (gst_value_array_get_value (peers, 0));
  channels = gst_structure_get_value (peer, "data-channels");
  fail_unless_equals_int (gst_value_array_get_size (channels), 1);
  fail_unless_equals_string (
      gst_structure_get_string (gst_value_get_structure (gst_value_array_get_value (channels, 0)), "label"), "x");
  gst_structure_free (stats);
  user_detach (&user, &link);
  user_clear (&user);
  fake_link_clear (&link);
}
GST_END_TEST;

/* Who is attached stays so over the rtcbin's states, and may be longer than it. */
GST_START_TEST (the_hub_outlives_rtcbin)
{
  FakeLink link;
  User user = {0};
  GstRtcDataHub *hub;

  fake_link_init (&link);
  gst_element_set_state (link.rtcbin, GST_STATE_NULL);
  user.id = 0;
  {
    GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
    guint id;

    init.label = (gchar *)"x";
    id = link.hub->klass->attach (
        link.hub, &(GstRtcDataUser){.init = &init, .opens = TRUE, .user_data = &user, .notify = user_notify});
    gst_element_set_state (link.rtcbin, GST_STATE_PLAYING);
    fail_unless_equals_int (fake_link_offer (&link, "a", "1")->channels->len, 1);
    hub = g_steal_pointer (&link.hub);
    fake_link_clear (&link);
    hub->klass->detach (hub, id);
    fail_unless_equals_int (user.notified, 1);
    id = hub->klass->attach (
        hub, &(GstRtcDataUser){.init = &init, .opens = TRUE, .user_data = &user, .notify = user_notify});
    gst_rtc_data_hub_unref (hub);
    fail_unless_equals_int (user.notified, 2);
  }
}
GST_END_TEST;

/* Threads that attach and detach, while peers come and go. */

typedef struct
{
  FakeLink *link;
  gint over; /* atomic */
  gint told; /* atomic */
} Crowd;

static void
crowd_channel (GstRtcChannel *channel, gpointer data)
{
  g_atomic_int_inc (&((Crowd *)data)->told);
}

static gpointer
come_and_go (gpointer data)
{
  Crowd *crowd = data;
  GstRtcDataHub *hub = gst_rtc_data_hub_find (crowd->link->rtcbin);
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  guint n = 0;

  init.label = (gchar *)"x";
  while (!g_atomic_int_get (&crowd->over)) {
    guint id = hub->klass->attach (
        hub, &(GstRtcDataUser){.init = &init, .opens = n++ % 2, .channel = crowd_channel, .user_data = crowd});

    g_thread_yield ();
    hub->klass->detach (hub, id);
  }
  gst_rtc_data_hub_unref (hub);
  return NULL;
}

GST_START_TEST (threads)
{
  FakeLink link;
  Crowd crowd = {&link};
  GThread *threads[3];

  fake_link_init (&link);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new (NULL, come_and_go, &crowd);
  for (guint i = 0; i < 40; i++) {
    gchar *session = g_strdup_printf ("s%u", i);
    FakeTransport *transport = fake_link_offer (&link, i % 2 ? "a" : "b", session);
    FakeChannel *theirs;

    fake_transport_connect (&link, transport);
    theirs = fake_transport_open_remote (transport, "x");
    fake_channel_say (theirs, "1");
    gst_rtc_channel_close (&theirs->parent);
    if (i % 5 == 4)
      fake_link_leave (&link, "a");
    g_free (session);
  }
  g_atomic_int_set (&crowd.over, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  fail_unless (crowd.told > 0);
  fake_link_clear (&link);
}
GST_END_TEST;

static void
with_channels (void)
{
  fake_has_channels = TRUE;
}

static Suite *
rtcdatahub_suite (void)
{
  Suite *s = suite_create ("rtcdatahub");
  TCase *tcase = tcase_create ("hub");

  suite_add_tcase (s, tcase);
  tcase_add_checked_fixture (tcase, with_channels, NULL);
  tcase_add_test (tcase, a_channel_with_each_peer);
  tcase_add_test (tcase, the_peers_channel_will_do);
  tcase_add_test (tcase, messages_wait_for_a_taker);
  tcase_add_test (tcase, the_peers_channel_is_closed);
  tcase_add_test (tcase, a_rebuilt_connection);
  tcase_add_test (tcase, a_peer_that_cannot);
  tcase_add_test (tcase, a_transport_that_cannot);
  tcase_add_test (tcase, stats_tell_of_channels);
  tcase_add_test (tcase, the_hub_outlives_rtcbin);
  tcase_add_test (tcase, threads);
  return s;
}

GST_CHECK_MAIN (rtcdatahub);
