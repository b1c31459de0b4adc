/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Data channels of the native transport: two connections in one process, from the description to the message. */

#include "lib/transportpair.h"

#include <gst/check/gstcheck.h>
#include <string.h>

#define UDP_PORT 5998
#define BIG (16 * 1024 * 1024)

static GBytes *
make_message (guint number, gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = number * 31 + i * 7 + (i >> 8);
  return g_bytes_new_take (data, size);
}

static void
send_it (TestChannel *channel, gboolean is_text, GBytes *message)
{
  GError *error = NULL;

  fail_unless (gst_rtc_channel_send (channel->channel, is_text, message, &error), "%s", error ? error->message : "");
}

static void
fail_unless_last (TestChannel *channel, GBytes *message)
{
  g_mutex_lock (&channel->lock);
  fail_unless (channel->last != NULL && g_bytes_equal (channel->last, message));
  g_mutex_unlock (&channel->lock);
}

/* __i__: 0: full agents, and 1: the answerer is a lite one. */
GST_START_TEST (messages_of_all_sizes)
{
  static const gsize sizes[] = {0, 1, 100, 1151, 1200, 16384, 65536, 262144, 1048576, BIG};
  TransportPair *pair = transport_pair_new (__i__ ? UDP_PORT : 0);
  TestChannel *ends[2];
  g_autoptr (GBytes) early = g_bytes_new_static ("früh", 5), too_large = make_message (1, BIG + 1);
  GError *error = NULL;
  GstStructure *stats;
  guint64 bytes;
  guint opened;

  /* Before there is anything: it waits. */
  ends[0] = transport_pair_open (pair, 0, "größe", NULL);
  send_it (ends[0], TRUE, early);
  fail_unless_equals_int (gst_rtc_channel_get_buffered (ends[0]->channel), 5);
  fail_unless_equals_int (gst_rtc_channel_get_id (ends[0]->channel), -1);
  transport_pair_connect (pair);
  ends[1] = transport_pair_get_opened (pair, 1, "größe");
  transport_wait (test_channel_get_n_messages (ends[1]) == 1, 10);
  fail_unless_last (ends[1], early);
  fail_unless_equals_int (ends[1]->n_texts, 1);
  fail_unless (gst_rtc_channel_get_id (ends[0]->channel) >= 0);
  fail_unless_equals_int (gst_rtc_channel_get_id (ends[0]->channel), gst_rtc_channel_get_id (ends[1]->channel));
  for (guint from = 0; from < 2; from++) {
    TestChannel *to = ends[!from];

    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
      g_autoptr (GBytes) message = make_message (i, sizes[i]);
      guint before = test_channel_get_n_messages (to);

      send_it (ends[from], FALSE, message);
      transport_wait (test_channel_get_n_messages (to) == before + 1, 30);
      fail_unless_last (to, message);
      fail_unless (ABS (g_get_monotonic_time () - to->last_arrival) < 30 * G_USEC_PER_SEC);
    }
  }
  fail_if (gst_rtc_channel_send (ends[0]->channel, FALSE, too_large, &error));
  fail_unless (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE));
  g_clear_error (&error);
  fail_unless_equals_int (gst_rtc_channel_get_buffered (ends[0]->channel), 0);
  stats = transport_pair_get_stats (pair, 0);
  fail_unless (gst_structure_get (
      stats, "data-channels-opened", G_TYPE_UINT, &opened, "data-bytes-sent", G_TYPE_UINT64, &bytes, NULL));
  fail_unless_equals_int (opened, 1);
  fail_unless (bytes > BIG);
  fail_unless (gst_structure_has_field (stats, "sctp-smoothed-round-trip-time"));
  gst_structure_free (stats);
  gst_rtc_channel_close (ends[1]->channel);
  transport_wait (
      test_channel_is (ends[0], GST_RTC_CHANNEL_CLOSED) && test_channel_is (ends[1], GST_RTC_CHANNEL_CLOSED), 10);
  fail_unless (ends[0]->error == NULL && ends[1]->error == NULL);
  fail_unless_equals_string (ends[0]->states->str, "OCX");
  fail_if (gst_rtc_channel_send (ends[0]->channel, FALSE, early, &error));
  fail_unless (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE));
  g_clear_error (&error);
  transport_pair_free (pair);
}
GST_END_TEST;

GST_START_TEST (a_hundred_at_once)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *mine[100], *theirs[100];
  g_autoptr (GBytes) message = make_message (3, 5000);

  for (guint i = 0; i < 100; i++) {
    g_autofree gchar *label = g_strdup_printf ("%u", i);

    if (i == 50)
      transport_pair_connect (pair);
    mine[i] = transport_pair_open (pair, i % 2, label, NULL);
    for (guint k = 0; k < 10; k++)
      send_it (mine[i], FALSE, message);
  }
  for (guint i = 0; i < 100; i++) {
    g_autofree gchar *label = g_strdup_printf ("%u", i);

    theirs[i] = transport_pair_get_opened (pair, !(i % 2), label);
    transport_wait (test_channel_get_n_messages (theirs[i]) == 10, 20);
    for (guint k = 0; k < 10; k++)
      send_it (theirs[i], FALSE, message);
    gst_rtc_channel_close (i % 3 ? theirs[i]->channel : mine[i]->channel);
  }
  for (guint i = 0; i < 100; i++) {
    transport_wait (
        test_channel_is (mine[i], GST_RTC_CHANNEL_CLOSED) && test_channel_is (theirs[i], GST_RTC_CHANNEL_CLOSED), 20);
    fail_unless (mine[i]->error == NULL && theirs[i]->error == NULL);
    /* What was sent before close() comes. */
    fail_unless_equals_int (test_channel_get_n_messages (mine[i]), 10);
  }
  transport_pair_free (pair);
}
GST_END_TEST;

GST_START_TEST (settings_are_carried)
{
  TransportPair *pair = transport_pair_new (0);
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT, bad = GST_RTC_CHANNEL_INIT;
  TestChannel *negotiated[2], *theirs;
  g_autoptr (GBytes) message = make_message (1, 1000);

  init.ordered = FALSE;
  init.max_retransmits = 3;
  init.protocol = (gchar *)"what.ever";
  init.priority = 1024;
  transport_pair_open (pair, 1, "loose", &init);
  init = (GstRtcChannelInit)GST_RTC_CHANNEL_INIT;
  init.negotiated = TRUE;
  init.id = 1000;
  for (guint i = 0; i < 2; i++)
    negotiated[i] = transport_pair_open (pair, i, "agreed", &init);
  transport_pair_connect (pair);
  theirs = transport_pair_get_opened (pair, 0, "loose");
  fail_unless (!theirs->channel->init.ordered && theirs->channel->init.max_retransmits == 3);
  fail_unless (theirs->channel->init.max_packet_lifetime == -1 && theirs->channel->init.priority == 1024);
  fail_unless_equals_string (theirs->channel->init.protocol, "what.ever");
  fail_unless_equals_string (theirs->channel->peer_id, "answerer");
  send_it (negotiated[0], FALSE, message);
  transport_wait (test_channel_get_n_messages (negotiated[1]) == 1, 10);
  fail_unless_equals_int (gst_rtc_channel_get_id (negotiated[1]->channel), 1000);
  /* What makes no sense is said at once. */
  for (guint i = 0; i < 4; i++) {
    GError *error = NULL;

    bad = (GstRtcChannelInit)GST_RTC_CHANNEL_INIT;
    bad.max_retransmits = i == 0 ? 1 : -1;
    bad.max_packet_lifetime = i == 0 ? 1 : i == 1 ? 70000 : -1;
    bad.negotiated = i >= 2;
    bad.id = i == 2 ? 1000 : 1024;
    fail_unless (pair->sides[0].transport->klass->open_channel (pair->sides[0].transport, &bad, &error) == NULL);
    fail_unless (error->domain == GST_RTC_CHANNEL_ERROR, "%s", error->message);
    fail_unless_equals_int (error->code, i < 2 ? GST_RTC_CHANNEL_ERROR_CONFIG : GST_RTC_CHANNEL_ERROR_ID);
    g_error_free (error);
  }
  transport_pair_free (pair);
}
GST_END_TEST;

GST_START_TEST (a_restart_of_ice_keeps_them)
{
  TransportPair *pair = transport_pair_new (__i__ ? UDP_PORT : 0);
  TestChannel *mine = transport_pair_open (pair, 0, "a", NULL), *theirs;
  g_autoptr (GBytes) message = make_message (9, 200000);
  guint sent = 0;

  transport_pair_connect (pair);
  theirs = transport_pair_get_opened (pair, 1, "a");
  for (guint k = 0; k < 3; k++) {
    for (guint i = 0; i < 100; i++, sent++)
      send_it (k % 2 ? theirs : mine, FALSE, message);
    transport_pair_restart (pair);
  }
  transport_wait (test_channel_get_n_messages (mine) + test_channel_get_n_messages (theirs) == sent, 30);
  fail_unless_equals_string (mine->states->str, "O");
  fail_unless_equals_string (theirs->states->str, "");
  transport_pair_free (pair);
}
GST_END_TEST;

/* The peer waits for a reader that does not read, and neither side keeps more than a window of it. */
GST_START_TEST (a_reader_that_stops)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *mine = transport_pair_open (pair, 0, "a", NULL), *theirs;
  g_autoptr (GBytes) message = make_message (9, 65536);
  const guint n = 256;
  guint64 came;

  pair->keeps = TRUE;
  gst_rtc_channel_set_low_threshold (mine->channel, 1000000);
  transport_pair_connect (pair);
  theirs = transport_pair_get_opened (pair, 1, "a");
  for (guint i = 0; i < n; i++)
    send_it (mine, FALSE, message);
  transport_wait (test_channel_get_n_bytes (theirs) > 3900000, 20);
  g_usleep (300000);
  came = test_channel_get_n_bytes (theirs);
  fail_unless (came < 5000000, "%" G_GUINT64_FORMAT " bytes came", came);
  fail_unless (gst_rtc_channel_get_buffered (mine->channel) > 10000000);
  fail_unless_equals_int (mine->n_low, 0);
  theirs->keeps = FALSE;
  gst_rtc_channel_add_unread (theirs->channel, -(gssize)came);
  transport_wait (test_channel_get_n_messages (theirs) == n, 20);
  transport_wait (gst_rtc_channel_get_buffered (mine->channel) == 0, 5);
  fail_unless_equals_int (mine->n_low, 1);
  transport_pair_free (pair);
}
GST_END_TEST;

static gpointer
send_many (gpointer data)
{
  g_autoptr (GBytes) message = make_message (9, 100);

  for (guint i = 0; i < 5000; i++) {
    while (gst_rtc_channel_get_buffered (((TestChannel *)data)->channel) > 1000000)
      g_usleep (100);
    send_it (data, FALSE, message);
  }
  return NULL;
}

/* Threads that send, and an end that sends from inside of its events. */
GST_START_TEST (any_thread_may_send)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *channels[4];
  GThread *threads[4];

  pair->echoes = TRUE;
  for (guint i = 0; i < 4; i++)
    channels[i] = i % 2 ? channels[i - 1] : transport_pair_open (pair, 0, "a", NULL);
  transport_pair_connect (pair);
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("sender", send_many, channels[i]);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 4; i += 2)
    transport_wait (test_channel_get_n_messages (channels[i]) == 10000, 30);
  transport_pair_free (pair);
}
GST_END_TEST;

/* It is told after the state has changed, by another thread. */
static gboolean
was_told_of_the_link (TestChannel *channel)
{
  gboolean told;

  g_mutex_lock (&channel->lock);
  told = g_error_matches (channel->error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK);
  g_mutex_unlock (&channel->lock);
  return told;
}

/* Who is left is told why, also of what had not begun. */
GST_START_TEST (the_end_is_told)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *mine = transport_pair_open (pair, 0, "a", NULL), *theirs, *late;
  g_autoptr (GBytes) message = make_message (9, BIG);

  transport_pair_connect (pair);
  theirs = transport_pair_get_opened (pair, 1, "a");
  for (guint i = 0; i < 4; i++)
    send_it (mine, FALSE, message);
  late = transport_pair_open (pair, 1, "b", NULL);
  transport_pair_close (pair, 0);
  fail_unless (test_channel_is (mine, GST_RTC_CHANNEL_CLOSED));
  transport_wait (was_told_of_the_link (mine) && was_told_of_the_link (theirs) && was_told_of_the_link (late), 10);
  fail_unless (test_channel_is (theirs, GST_RTC_CHANNEL_CLOSED) && test_channel_is (late, GST_RTC_CHANNEL_CLOSED));
  transport_pair_free (pair);
}
GST_END_TEST;

/* Before it began. */
GST_START_TEST (one_that_never_was)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *mine = transport_pair_open (pair, 0, "a", NULL);
  g_autoptr (GBytes) message = make_message (9, 1000);

  send_it (mine, FALSE, message);
  if (__i__)
    transport_pair_start (pair);
  transport_pair_close (pair, 0);
  fail_unless (test_channel_is (mine, GST_RTC_CHANNEL_CLOSED));
  fail_unless (g_error_matches (mine->error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK));
  transport_pair_free (pair);
}
GST_END_TEST;

GST_START_TEST (a_peer_without_data_channels)
{
  TransportPair *pair = transport_pair_new (0);
  TestChannel *mine;
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  GError *error = NULL;
  guint has = __i__;

  pair->with_data[!has] = FALSE;
  mine = transport_pair_open (pair, has, "a", NULL);
  transport_pair_connect (pair);
  transport_wait (test_channel_is (mine, GST_RTC_CHANNEL_CLOSED), 10);
  fail_unless (g_error_matches (mine->error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER));
  fail_unless (pair->sides[has].transport->klass->open_channel (pair->sides[has].transport, &init, &error) == NULL);
  fail_unless (g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER));
  g_error_free (error);
  transport_pair_free (pair);
}
GST_END_TEST;

static Suite *
rtcnativechannels_suite (void)
{
  Suite *s = suite_create ("rtcnativechannels");
  TCase *channels = tcase_create ("channels"), *ends = tcase_create ("ends");

  tcase_set_timeout (channels, 120);
  suite_add_tcase (s, channels);
  tcase_add_loop_test (channels, messages_of_all_sizes, 0, 2);
  tcase_add_test (channels, a_hundred_at_once);
  tcase_add_test (channels, settings_are_carried);
  tcase_add_loop_test (channels, a_restart_of_ice_keeps_them, 0, 2);
  tcase_add_test (channels, a_reader_that_stops);
  tcase_add_test (channels, any_thread_may_send);
  suite_add_tcase (s, ends);
  tcase_add_test (ends, the_end_is_told);
  tcase_add_loop_test (ends, one_that_never_was, 0, 2);
  tcase_add_loop_test (ends, a_peer_without_data_channels, 0, 2);
  return s;
}

GST_CHECK_MAIN (rtcnativechannels);
