/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "datawire.h"
#include "native/rtcsctppriv.h"

#include <string.h>

/* What came, in its order. */
static GPtrArray *came; /* of GBytes */
static GString *kinds; /* t or b for each */
static GString *states; /* of end 1's channels: O C X */

static void
on_message (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  g_ptr_array_add (came, g_bytes_ref (message));
  g_string_append_c (kinds, is_text ? 't' : 'b');
}

static void
on_state (End *end, RtcDataChannel *channel, RtcDataState state, const GError *error)
{
  g_string_append_c (states, "-OCX"[state]);
}

static Wire *
begin (guint seed, gboolean interleaving)
{
  Wire *wire = wire_new (seed, interleaving);

  came = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  kinds = g_string_new (NULL);
  states = g_string_new (NULL);
  wire->ends[1].on_message = on_message;
  wire->ends[1].on_state = on_state;
  wire->delay = 5 * MS;
  return wire;
}

static void
end (Wire *wire)
{
  wire_free (wire);
  g_ptr_array_unref (came);
  g_string_free (kinds, TRUE);
  g_string_free (states, TRUE);
}

static gboolean
so_many_came (Wire *wire, gpointer n)
{
  return came->len >= GPOINTER_TO_UINT (n);
}

static void
sizes_of_all_kinds_arrive (gconstpointer interleaving)
{
  static const gsize sizes[] = {0, 1, 1151, 1152, 1153, 1156, 1157, 65535, 65536, 262144, 3000001, 16 * 1024 * 1024};
  Wire *wire = begin (1, GPOINTER_TO_INT (interleaving));
  RtcDataChannel *channel;

  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GBytes) message = wire_message (i, sizes[i]);

    wire_send (channel, FALSE, message, wire->now);
    wire_run_until (wire, so_many_came, GUINT_TO_POINTER (i + 1), 60 * SECOND);
    g_assert_true (g_bytes_equal (came->pdata[i], message));
    g_assert_cmpuint (rtc_data_channel_get_buffered (channel), ==, 0);
  }
  end (wire);
}

static void
text_is_text (void)
{
  static const gchar with_nul[] = "a\0b";
  Wire *wire = begin (2, TRUE);
  g_autoptr (GBytes) good = g_bytes_new_static (with_nul, 3), empty = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) bad = g_bytes_new_static ("\xc3\x28", 2);
  g_autoptr (GError) error = NULL;
  RtcDataChannel *channel;

  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  wire_send (channel, TRUE, good, wire->now);
  wire_send (channel, TRUE, empty, wire->now);
  wire_send (channel, FALSE, bad, wire->now);
  g_assert_false (rtc_data_channel_send (channel, TRUE, bad, wire->now, &error));
  g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_TEXT);
  wire_run (wire, SECOND);
  g_assert_cmpstr (kinds->str, ==, "ttb");
  g_assert_true (g_bytes_equal (came->pdata[0], good));
  g_assert_cmpuint (g_bytes_get_size (came->pdata[1]), ==, 0);
  end (wire);
}

static void
what_was_sent_before_there_is_a_link_waits (void)
{
  Wire *wire = begin (3, TRUE);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  g_autoptr (GBytes) message = wire_message (3, 5000);
  RtcDataChannel *channel;

  init.label = "früh";
  init.protocol = "p";
  channel = rtc_data_open (wire->ends[0].data, &init, wire->now, NULL);
  wire_send (channel, FALSE, message, wire->now);
  rtc_data_channel_close (channel, wire->now);
  g_assert_cmpint (rtc_data_channel_get_state (channel), ==, RTC_DATA_CLOSING);
  wire_connect (wire);
  wire_run (wire, SECOND);
  g_assert_cmpuint (came->len, ==, 1);
  g_assert_true (g_bytes_equal (came->pdata[0], message));
  g_assert_cmpstr (states->str, ==, "CX");
  end (wire);
}

static void
an_id_is_used_again (void)
{
  Wire *wire = begin (4, TRUE);
  g_autoptr (GBytes) message = wire_message (4, 100);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;

  wire->loss = 0.05;
  wire_connect (wire);
  init.negotiated = TRUE;
  init.id = 7;
  for (guint i = 0; i < 20; i++) {
    RtcDataChannel *one = rtc_data_open (wire->ends[0].data, &init, wire->now, NULL);
    RtcDataChannel *other = rtc_data_open (wire->ends[1].data, &init, wire->now, NULL);
    g_autoptr (GError) error = NULL;

    g_assert_nonnull (one);
    g_assert_nonnull (other);
    g_assert_null (rtc_data_open (wire->ends[0].data, &init, wire->now, &error));
    g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_ID);
    wire_send (one, FALSE, message, wire->now);
    rtc_data_channel_close (one, wire->now);
    wire_run (wire, 10 * SECOND);
    g_assert_cmpuint (came->len, ==, i + 1);
    g_assert_cmpuint (states->len, ==, 3 * (i + 1));
  }
  end (wire);
}

static void
ids_out_of_range_are_refused (void)
{
  static const gint ids[] = {-1, RTC_DATA_MAX_ID + 1, 65535, G_MAXINT};
  Wire *wire = begin (5, TRUE);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;

  init.negotiated = TRUE;
  for (guint round = 0; round < 2; round++) {
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
      g_autoptr (GError) error = NULL;

      init.id = ids[i];
      g_assert_null (rtc_data_open (wire->ends[0].data, &init, wire->now, &error));
      g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_ID);
    }
    if (round == 0)
      wire_connect (wire);
  }
  init.id = RTC_DATA_MAX_ID;
  g_assert_nonnull (rtc_data_open (wire->ends[0].data, &init, wire->now, NULL));
  end (wire);
}

static void
a_hundred_at_once (void)
{
  Wire *wire = begin (6, TRUE);
  g_autoptr (GBytes) message = wire_message (6, 20000);
  RtcDataChannel *channels[100];

  wire->loss = 0.02;
  wire_connect (wire);
  for (guint i = 0; i < G_N_ELEMENTS (channels); i++) {
    RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;

    channels[i] = rtc_data_open (wire->ends[i % 2].data, &init, wire->now, NULL);
    g_assert_cmpint (rtc_data_channel_get_id (channels[i]) % 2, ==, i % 2);
    wire_send (channels[i], FALSE, message, wire->now);
  }
  wire_run_until (wire, so_many_came, GUINT_TO_POINTER (50), 60 * SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (channels); i++)
    rtc_data_channel_close (channels[i], wire->now);
  wire_run (wire, 10 * SECOND);
  for (guint i = 0; i < 50; i++) {
    g_assert_null (wire->ends[0].opened->pdata[i]);
    g_assert_null (wire->ends[1].opened->pdata[i]);
  }
  end (wire);
}

/* How many of 1000 messages of one packet arrive, which the wire loses with LOSS. */
static guint
share (gint max_retransmits, gint max_packet_lifetime, gdouble loss)
{
  Wire *wire = begin (7, TRUE);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  g_autoptr (GBytes) message = wire_message (7, 500);
  RtcDataChannel *channel;
  guint n;

  init.ordered = FALSE;
  init.max_retransmits = max_retransmits;
  init.max_packet_lifetime = max_packet_lifetime;
  wire_connect (wire);
  channel = wire_open (wire, 0, &init, NULL);
  wire->loss = loss;
  for (guint i = 0; i < 1000; i++) {
    wire_send (channel, FALSE, message, wire->now);
    wire_run (wire, 10 * MS);
  }
  wire_run (wire, 5 * SECOND);
  n = came->len;
  end (wire);
  return n;
}

/* A message that is sent N + 1 times is lost with the power of that; three standard deviations are allowed. */
static void
reliability_is_what_was_asked_for (void)
{
  g_assert_cmpuint (share (-1, -1, 0.1), ==, 1000);
  g_assert_cmpuint (share (0, -1, 0.01), <=, 998);
  g_assert_cmpuint (share (0, -1, 0.01), >=, 980);
  g_assert_cmpuint (share (0, -1, 0.1), <=, 930);
  g_assert_cmpuint (share (0, -1, 0.1), >=, 870);
  g_assert_cmpuint (share (1, -1, 0.1), <=, 999);
  g_assert_cmpuint (share (1, -1, 0.1), >=, 980);
  g_assert_cmpuint (share (3, -1, 0.1), >=, 998);
  /* 50 ms are enough for one more try after three reports, at 10 ms each, and not for more. */
  g_assert_cmpuint (share (-1, 50, 0.1), >=, 960);
  g_assert_cmpuint (share (-1, 50, 0.1), <=, 999);
  g_assert_cmpuint (share (-1, 0, 0.1), <=, 930);
}

/* On a slow link, a short message beside a long one. Returns after how long it came. */
static gint64
short_beside_long (gboolean interleaving, gsize long_size)
{
  Wire *wire = begin (8, interleaving);
  g_autoptr (GBytes) one = wire_message (8, 100), many = wire_message (9, long_size);
  RtcDataChannel *bulk, *chat;
  gint64 sent_at, took;

  wire->rate = 1000000;
  wire_connect (wire);
  bulk = wire_open (wire, 0, NULL, NULL);
  chat = wire_open (wire, 0, NULL, NULL);
  for (guint i = 0; i < 4; i++)
    wire_send (bulk, FALSE, many, wire->now);
  wire_run (wire, 20 * MS);
  sent_at = wire->now;
  wire_send (chat, TRUE, g_bytes_new_static ("x", 1), wire->now);
  while (!strchr (kinds->str, 't'))
    wire_run (wire, MS);
  took = wire->now - sent_at;
  end (wire);
  return took;
}

static void
a_short_message_does_not_wait_for_long_ones (void)
{
  /* A long one takes a second. */
  g_assert_cmpint (short_beside_long (TRUE, 1000000), <, 150 * MS);
  /* Without interleaving the one that was begun has to end, but no other goes before. */
  g_assert_cmpint (short_beside_long (FALSE, 1000000), <, 1300 * MS);
  g_assert_cmpint (short_beside_long (FALSE, 100000), <, 250 * MS);
}

static void
the_queue_is_bounded_and_says_when_it_is_low (void)
{
  Wire *wire = begin (10, TRUE);
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  g_autoptr (GBytes) message = wire_message (1, 1000);
  g_autoptr (GError) error = NULL;
  RtcDataChannel *channel;
  guint n = 0;

  init.max_buffered = 100000;
  channel = rtc_data_open (wire->ends[0].data, &init, wire->now, NULL);
  while (rtc_data_channel_send (channel, FALSE, message, wire->now, &error))
    n++;
  g_assert_cmpuint (n, ==, 100);
  g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_FULL);
  g_assert_cmpuint (rtc_data_channel_get_buffered (channel), ==, 100000);
  g_assert_cmpint (rtc_data_channel_drop_oldest (channel), ==, 1000);
  g_assert_cmpuint (rtc_data_channel_get_n_waiting (channel), ==, 99);
  wire_connect (wire);
  wire_run (wire, 5 * SECOND);
  g_assert_cmpuint (came->len, ==, 99);
  g_assert_cmpuint (rtc_data_channel_get_stats (channel)->messages_dropped, ==, 1);
  end (wire);
}

static void
the_peers_limit_is_kept (void)
{
  Wire *wire = begin (11, TRUE);
  g_autoptr (GBytes) message = wire_message (1, RTC_DATA_MAX_MESSAGE_SIZE + 1);
  g_autoptr (GError) error = NULL;
  RtcDataChannel *channel;

  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  g_assert_false (rtc_data_channel_send (channel, FALSE, message, wire->now, &error));
  g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_TOO_LARGE);
  end (wire);
}

/* Who says that it takes anything takes what it can hold; what was sent before that was known closes its channel. */
static void
a_peer_without_a_limit_has_one (void)
{
  const gsize limit = RTC_SCTP_BUFFER / 4 * 3;
  Wire *wire = begin (8, TRUE);
  g_autoptr (GBytes) message = wire_message (1, limit + 1);
  g_autoptr (GBytes) largest = wire_message (2, limit);
  RtcDataChannel *channel;
  g_autoptr (GError) error = NULL;

  rtc_data_start (wire->ends[0].data, TRUE, 5000, 5000, 0, wire->now);
  channel = rtc_data_open (wire->ends[0].data, &(RtcDataChannelInit)RTC_DATA_CHANNEL_INIT, wire->now, &error);
  g_assert_no_error (error);
  wire_send (channel, FALSE, message, wire->now);
  wire_connect (wire);
  wire_run (wire, SECOND);
  g_assert_cmpuint (came->len, ==, 0);
  g_assert_cmpuint (rtc_data_get_peer_max_message_size (wire->ends[0].data), ==, limit);
  channel = wire_open (wire, 0, NULL, NULL);
  g_assert_false (rtc_data_channel_send (channel, FALSE, message, wire->now, &error));
  g_assert_error (error, RTC_DATA_ERROR, RTC_DATA_ERROR_TOO_LARGE);
  wire_send (channel, FALSE, largest, wire->now);
  wire_run_until (wire, so_many_came, GUINT_TO_POINTER (1), 10 * SECOND);
  g_assert_true (g_bytes_equal (came->pdata[0], largest));
  end (wire);
}

/* More than a peer could hold if all of them were begun; a short one goes between, all the same. */
static void
many_long_messages_arrive (void)
{
  const guint n = 6;
  Wire *wire = begin (9, TRUE);
  g_autoptr (GBytes) message = wire_message (1, 12 * 1024 * 1024);
  g_autoptr (GBytes) small = wire_message (2, 65536);
  RtcDataChannel *channel = NULL;

  wire_connect (wire);
  wire->rate = 100 * 1000 * 1000;
  for (guint i = 0; i < n; i++)
    wire_send (wire_open (wire, 0, NULL, NULL), FALSE, message, wire->now);
  channel = wire_open (wire, 0, NULL, NULL);
  wire_send (channel, FALSE, small, wire->now);
  wire_run_until (wire, so_many_came, GUINT_TO_POINTER (n + 1), 60 * SECOND);
  g_assert_cmpuint (g_bytes_get_size (came->pdata[0]), ==, 65536);
  for (guint i = 1; i <= n; i++)
    g_assert_true (g_bytes_equal (came->pdata[i], message));
  end (wire);
}

static void
a_peer_leaves_in_mid_message (void)
{
  Wire *wire = begin (12, TRUE);
  g_autoptr (GBytes) message = wire_message (1, 4000000);
  RtcDataChannel *channel;

  wire->rate = 1000000;
  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  wire_send (channel, FALSE, message, wire->now);
  wire_run (wire, SECOND);
  rtc_data_close (wire->ends[0].data, wire->now);
  wire_run (wire, SECOND);
  g_assert_cmpuint (came->len, ==, 0);
  g_assert_false (wire->ends[1].is_up);
  g_assert_error (wire->ends[1].error, RTC_DATA_ERROR, RTC_DATA_ERROR_LINK);
  g_assert_cmpstr (states->str, ==, "X");
  g_assert_cmpint (rtc_data_get_deadline (wire->ends[1].data), ==, -1);
  end (wire);
}

/* An ICE restart takes its time. */
static void
an_outage_is_survived (void)
{
  Wire *wire = begin (13, TRUE);
  g_autoptr (GBytes) message = wire_message (1, 100000);
  RtcDataChannel *channel;

  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  wire->cut = TRUE;
  wire_send (channel, FALSE, message, wire->now);
  wire_run (wire, 60 * SECOND);
  wire->cut = FALSE;
  wire_run (wire, 4 * SECOND);
  g_assert_cmpuint (came->len, ==, 1);
  g_assert_true (g_bytes_equal (came->pdata[0], message));
  end (wire);
}

/* RFC 3720, B.4; and whatever the CPU has for it says the same. */
static void
the_checksum_is_right (void)
{
  guint8 data[1200] = {0};

  g_assert_cmphex (rtc_sctp_crc32c_by_table (data, 32), ==, 0x8a9136aa);
  for (guint i = 0; i < 32; i++)
    data[i] = i;
  g_assert_cmphex (rtc_sctp_crc32c_by_table (data, 32), ==, 0x46dd794e);
  g_assert_cmphex (rtc_sctp_crc32c_by_table ((const guint8 *)"123456789", 9), ==, 0xe3069283);
  for (guint i = 0; i < sizeof (data); i++) {
    data[i] = g_test_rand_int ();
    g_assert_cmphex (rtc_sctp_crc32c (data, i), ==, rtc_sctp_crc32c_by_table (data, i));
  }
}

/* Fast as on one machine, and then far away. */
static void
a_way_becomes_long (void)
{
  Wire *wire = begin (16, TRUE);
  g_autoptr (GBytes) message = wire_message (1, 200000);
  RtcDataChannel *channel;

  wire->delay = 100;
  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  for (guint i = 1; i <= 110; i++) {
    if (i == 101)
      wire->delay = 15 * MS;
    wire_send (channel, FALSE, message, wire->now);
    wire_run_until (wire, so_many_came, GUINT_TO_POINTER (i), SECOND);
  }
  end (wire);
}

static void
idle_costs_nothing (void)
{
  Wire *wire = begin (14, TRUE);

  wire_connect (wire);
  wire_open (wire, 0, NULL, NULL);
  wire_run (wire, SECOND);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (rtc_data_get_deadline (wire->ends[i].data), ==, -1);
  end (wire);
}

static gsize n_unread;

static void
on_message_kept (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  on_message (end, channel, is_text, message);
  n_unread += g_bytes_get_size (message);
  rtc_data_set_unread (end->data, n_unread, end->wire->now);
}

/* It stops the sender, with all that this may cost, for as long as it likes, and then all comes. */
static void
a_reader_that_stops_is_waited_for (gconstpointer loss)
{
  Wire *wire = begin (15, TRUE);
  const gsize size = 50000, n = 400;
  gsize most = RTC_SCTP_BUFFER + 3 * size;
  RtcDataChannel *channel;

  n_unread = 0;
  wire->loss = GPOINTER_TO_INT (loss) / 100.0;
  wire->ends[1].on_message = on_message_kept;
  wire_connect (wire);
  channel = wire_open (wire, 0, NULL, NULL);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GBytes) message = wire_message (i, size);

    wire_send (channel, FALSE, message, wire->now);
  }
  wire_run (wire, 60 * SECOND);
  g_assert_cmpuint (n_unread, >, RTC_SCTP_BUFFER - 3 * size);
  g_assert_cmpuint (n_unread, <, most);
  /* Some of what asks is taken, but that is no hole. */
  wire_run (wire, (gint64)3600 * SECOND);
  g_assert_cmpuint (n_unread, <, most + 1024 * 1024);
  g_assert_true (wire->ends[0].is_up);
  g_assert_cmpuint (rtc_data_channel_get_buffered (channel), >, n * size - n_unread - 3 * size);
  /* A little is read. */
  n_unread -= 2 * 1024 * 1024;
  rtc_data_set_unread (wire->ends[1].data, n_unread, wire->now);
  wire_run (wire, 60 * SECOND);
  g_assert_cmpuint (n_unread, >, RTC_SCTP_BUFFER - 3 * size);
  g_assert_cmpuint (n_unread, <, most);
  /* And then all of it. */
  wire->ends[1].on_message = on_message;
  rtc_data_set_unread (wire->ends[1].data, 0, wire->now);
  wire_run_until (wire, so_many_came, GUINT_TO_POINTER (n), (wire->loss > 0 ? 200 : 3) * SECOND);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GBytes) message = wire_message (i, size);

    g_assert_true (g_bytes_equal (came->pdata[i], message));
  }
  end (wire);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/data/sizes/interleaved", GINT_TO_POINTER (TRUE), sizes_of_all_kinds_arrive);
  g_test_add_data_func ("/data/sizes/plain", GINT_TO_POINTER (FALSE), sizes_of_all_kinds_arrive);
  g_test_add_func ("/data/text_is_text", text_is_text);
  g_test_add_func ("/data/what_was_sent_before_there_is_a_link_waits", what_was_sent_before_there_is_a_link_waits);
  g_test_add_func ("/data/an_id_is_used_again", an_id_is_used_again);
  g_test_add_func ("/data/ids_out_of_range_are_refused", ids_out_of_range_are_refused);
  g_test_add_func ("/data/a_hundred_at_once", a_hundred_at_once);
  g_test_add_func ("/data/a_peer_without_a_limit_has_one", a_peer_without_a_limit_has_one);
  g_test_add_func ("/data/many_long_messages_arrive", many_long_messages_arrive);
  g_test_add_func ("/data/reliability_is_what_was_asked_for", reliability_is_what_was_asked_for);
  g_test_add_func ("/data/a_short_message_does_not_wait_for_long_ones", a_short_message_does_not_wait_for_long_ones);
  g_test_add_func ("/data/the_queue_is_bounded_and_says_when_it_is_low", the_queue_is_bounded_and_says_when_it_is_low);
  g_test_add_func ("/data/the_peers_limit_is_kept", the_peers_limit_is_kept);
  g_test_add_func ("/data/a_peer_leaves_in_mid_message", a_peer_leaves_in_mid_message);
  g_test_add_func ("/data/an_outage_is_survived", an_outage_is_survived);
  g_test_add_data_func ("/data/stopped_reader", GINT_TO_POINTER (0), a_reader_that_stops_is_waited_for);
  g_test_add_data_func ("/data/stopped_reader/loss", GINT_TO_POINTER (3), a_reader_that_stops_is_waited_for);
  g_test_add_func ("/data/the_checksum_is_right", the_checksum_is_right);
  g_test_add_func ("/data/a_way_becomes_long", a_way_becomes_long);
  g_test_add_func ("/data/idle_costs_nothing", idle_costs_nothing);
  return g_test_run ();
}
