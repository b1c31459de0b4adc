/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a viewer gets again when he asks for it, and how much of it. */

#include "viewerfixture.h"

#include <string.h>

#define MS 1000
#define SECOND (1000 * MS)
#define SSRC 0x8badf00d
#define RTX_SSRC 0x0ddba11

typedef struct
{
  RtcHistory *history;
  Viewer *viewer;
  GPtrArray *written; /* of GBytes, by index */
  GPtrArray *again; /* of GBytes */
  guint first; /* sequence number of the packet with index 0 */
  guint again_bytes;
} Stream;

static const RtcSenderConfig with_rtx = {.ssrc = SSRC,
    .rtx_ssrc = RTX_SSRC,
    .payload = 96,
    .rtx_payload = 97,
    .clock_rate = 90000,
    .mid = "v1",
    .ext_mid = 4,
    .ext_twcc = 3,
    .ext_audio_level = 2};

static Stream *
stream_new (gint rtx_payload)
{
  RtcSenderConfig config = with_rtx;
  Stream *stream = g_new0 (Stream, 1);

  config.rtx_payload = rtx_payload;
  stream->history = rtc_history_new (10 * SECOND, 4096, 10000000);
  stream->viewer = viewer_new (&config, RTC_SRTP_AEAD_AES_128_GCM);
  stream->written = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  stream->again = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  return stream;
}

static void
stream_free (Stream *stream)
{
  viewer_free (stream->viewer);
  rtc_history_free (stream->history);
  g_ptr_array_unref (stream->written);
  g_ptr_array_unref (stream->again);
  g_free (stream);
}

static void
write_packet (Stream *stream, const RtcPacket *packet)
{
  Viewer *viewer = stream->viewer;
  guint8 out[VIEWER_ROOM];
  gsize size = rtc_sender_write (viewer->sender, packet, viewer->out, &viewer->twcc, out);

  if (stream->written->len == 0)
    stream->first = (guint16)(viewer_u16 (out + 2) - packet->index);
  g_ptr_array_add (stream->written, g_bytes_new (out, size));
}

static void
go_on (Stream *stream, guint n_packets, gsize size)
{
  for (guint i = 0; i < n_packets; i++)
    write_packet (stream, viewer_add (stream->history, size, i % 2 ? 55 : -1));
}

static void
on_again (const guint8 *data, gsize size, gpointer user_data)
{
  Stream *stream = user_data;

  stream->again_bytes += size;
  g_ptr_array_add (stream->again, g_bytes_new (data, size));
}

/* N from the packet with this index on, at NOW. Returns: how many came. */
static guint
ask (Stream *stream, gint index, guint n, gint64 now)
{
  Viewer *viewer = stream->viewer;
  RtcRtcpNack nack = {.ssrc = SSRC, .n = n};
  guint n_sent;

  for (guint i = 0; i < n; i++)
    nack.seq[i] = (guint16)(stream->first + index + i);
  g_ptr_array_set_size (stream->again, 0);
  n_sent =
      rtc_sender_take_nack (viewer->sender, &nack, stream->history, viewer->out, &viewer->twcc, now, on_again, stream);
  g_assert_cmpuint (n_sent, ==, stream->again->len);
  return n_sent;
}

static void
read_again (Stream *stream, guint i, ViewerPacket *seen)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (g_ptr_array_index (stream->again, i), &size);
  g_autofree guint8 *copy = g_memdup2 (data, size);

  g_assert_cmpint (rtc_srtp_receiver_unprotect (stream->viewer->in, copy, &size), ==, RTC_SRTP_OK);
  viewer_read (copy, size, rtc_sender_get_config (stream->viewer->sender), seen);
}

/* RFC 4588: a stream of its own, with the number that the packet had. */
static void
rtx_tells_the_number_that_was_lost (void)
{
  Stream *stream = stream_new (97);
  const RtcSenderStats *stats = rtc_sender_get_stats (stream->viewer->sender);
  const guint8 *written;
  guint16 twcc, first = 0;
  guint32 timestamp;
  ViewerPacket seen;

  go_on (stream, 1000, 500);
  twcc = stream->viewer->twcc;
  written = g_bytes_get_data (stream->written->pdata[0], NULL);
  timestamp = viewer_u16 (written + 4) << 16 | viewer_u16 (written + 6);
  g_assert_cmpuint (ask (stream, 990, 10, SECOND), ==, 10);
  for (guint i = 0; i < 10; i++) {
    const RtcPacket *packet = rtc_history_get (stream->history, 990 + i);

    read_again (stream, i, &seen);
    if (i == 0)
      first = seen.seq;
    g_assert_cmphex (seen.ssrc, ==, RTX_SSRC);
    g_assert_cmpuint (seen.payload_type, ==, 97);
    g_assert_cmpuint (seen.seq, ==, first + i);
    g_assert_cmpuint (seen.timestamp, ==, timestamp + 90 * (990 + i));
    g_assert_cmpint (seen.marker, ==, packet->marker);
    g_assert_cmpstr (seen.mid, ==, "v1");
    g_assert_cmpint (seen.twcc, ==, (guint16)(twcc + i));
    g_assert_cmpint (seen.audio_level, ==, packet->audio_level);
    g_assert_cmpuint (viewer_u16 (seen.payload), ==, (guint16)(stream->first + 990 + i));
    g_assert_cmpmem (seen.payload + 2, seen.size - 2, packet->payload, packet->size);
  }
  g_assert_cmpuint (first, <, 1 << 15);
  g_assert_cmpuint (stream->viewer->twcc, ==, (guint16)(twcc + 10));
  g_assert_cmpuint (stats->packets_sent, ==, 1010);
  g_assert_cmpuint (stats->bytes_sent, ==, 1010 * 500);
  g_assert_cmpuint (stats->header_bytes_sent, ==, 1010 * 24 + 10 * 2);
  g_assert_cmpuint (stats->retransmitted_packets_sent, ==, 10);
  g_assert_cmpuint (stats->retransmitted_bytes_sent, ==, 10 * 500);
  g_assert_cmpuint (stats->nack_count, ==, 1);
  stream_free (stream);
}

static void
without_rtx_it_is_the_same_to_the_last_bit (void)
{
  Stream *stream = stream_new (-1);
  guint16 twcc;
  ViewerPacket seen;

  go_on (stream, 3000, 500);
  g_assert_cmpuint (ask (stream, 3000 - 1024 - 26, 100, 3 * SECOND), ==, 74); /* 26 are forgotten */
  for (guint i = 0; i < 74; i++)
    g_assert_true (g_bytes_equal (stream->again->pdata[i], stream->written->pdata[3000 - 1024 + i]));
  stream_free (stream);

  stream = stream_new (-1);
  go_on (stream, 200, 500);
  twcc = stream->viewer->twcc;
  g_assert_cmpuint (ask (stream, 100, 10, 200 * MS), ==, 10);
  for (guint i = 0; i < 10; i++) {
    g_assert_true (g_bytes_equal (stream->again->pdata[i], stream->written->pdata[100 + i]));
    read_again (stream, i, &seen);
    g_assert_cmphex (seen.ssrc, ==, SSRC);
    g_assert_cmpuint (seen.seq, ==, (guint16)(stream->first + 100 + i));
  }
  g_assert_cmpuint (stream->viewer->twcc, ==, twcc);
  stream_free (stream);
}

/* Two packets under one number would give the key away: there must be none, even where the caller mixes up what he
 * keeps. */
static void
without_rtx_nothing_else_takes_its_number (void)
{
  Stream *stream = stream_new (-1);
  RtcHistory *own = stream->history;

  go_on (stream, 100, 500);
  stream->history = rtc_history_new (10 * SECOND, 4096, 10000000);
  for (guint i = 0; i < 100; i++) {
    RtcPacket packet = *rtc_history_get (own, i);

    packet.added += 1;
    rtc_history_add (stream->history, &packet);
  }
  g_assert_cmpuint (ask (stream, 0, 100, 100 * MS), ==, 0);
  rtc_history_free (stream->history);
  stream->history = own;
  g_assert_cmpuint (ask (stream, 90, 10, 100 * MS), ==, 10);
  stream_free (stream);
}

/* Those that came at once are not told apart by when they came. */
static void
without_rtx_a_forgotten_number_is_not_taken_for_another (void)
{
  Stream *stream = stream_new (-1);
  guint8 byte = 0;
  RtcPacket packet = {.added = 1, .audio_level = -1, .payload = &byte, .size = 1};

  for (guint i = 0; i < 1500; i++)
    write_packet (stream, rtc_history_add (stream->history, &packet));
  g_assert_cmpuint (ask (stream, 0, 476, 1), ==, 0);
  g_assert_cmpuint (ask (stream, 475, 2, 1), ==, 1);
  g_assert_true (g_bytes_equal (stream->again->pdata[0], stream->written->pdata[476]));
  stream_free (stream);
}

static void
what_was_left_out_can_be_had (gconstpointer rtx_payload)
{
  gint rtx = GPOINTER_TO_INT (rtx_payload);
  guint skip = rtx < 0 ? 0 : 2; /* the number that RTX has in front */
  Stream *stream = stream_new (rtx);
  ViewerPacket seen;

  go_on (stream, 100, 500);
  viewer_add (stream->history, 900, -1);
  go_on (stream, 1, 500);
  g_assert_cmpuint (ask (stream, 99, 3, 200 * MS), ==, 3);
  for (guint i = 0; i < 3; i++) {
    const RtcPacket *packet = rtc_history_get (stream->history, 99 + i);

    read_again (stream, i, &seen);
    g_assert_cmpmem (seen.payload + skip, seen.size - skip, packet->payload, packet->size);
  }
  if (rtx < 0) {
    /* From now on it is a packet like others: the same to the last bit. */
    g_autoptr (GBytes) before = g_bytes_ref (stream->again->pdata[1]);

    g_assert_cmpuint (ask (stream, 100, 1, 400 * MS), ==, 1);
    g_assert_true (g_bytes_equal (before, stream->again->pdata[0]));
  }
  stream_free (stream);
}

static void
what_is_unknown_too_old_or_too_new_is_passed_over (gconstpointer rtx_payload)
{
  Stream *stream = stream_new (GPOINTER_TO_INT (rtx_payload));
  guint64 first;

  g_assert_cmpuint (ask (stream, 0, 10, 0), ==, 0);
  /* What was there before the viewer came. */
  for (guint i = 0; i < 50; i++)
    viewer_add (stream->history, 100, -1);
  go_on (stream, 10, 100);
  g_assert_cmpuint (ask (stream, 0, 50, 0), ==, 0);
  g_assert_cmpuint (ask (stream, 49, 2, 0), ==, 1);
  g_assert_cmpuint (ask (stream, 60, 100, 0), ==, 0); /* not sent yet */
  g_assert_cmpuint (ask (stream, -1000, 1000, 0), ==, 0);
  g_assert_cmpuint (ask (stream, 60 + 32768, 1000, 0), ==, 0);

  /* What is not kept any more. */
  go_on (stream, 6000, 100);
  first = rtc_history_get_next (stream->history) - 4096;
  g_assert_cmpuint (ask (stream, first - 100, 100, 6 * SECOND), ==, 0);
  g_assert_cmpuint (ask (stream, first - 100, 101, 6 * SECOND), ==, GPOINTER_TO_INT (rtx_payload) > 0);

  /* Numbers that have gone round: those before the wrap are the nearest below. */
  go_on (stream, 70000, 100);
  g_assert_cmpuint (ask (stream, rtc_history_get_next (stream->history) - 10, 20, 76 * SECOND), ==, 10);
  g_assert_cmpuint (rtc_sender_get_stats (stream->viewer->sender)->nack_count, ==, 9);
  stream_free (stream);
}

/* Across each place where the sequence numbers begin anew. */
static void
numbers_before_the_wrap_are_found (void)
{
  Stream *stream = stream_new (97);
  guint to_wrap;
  ViewerPacket seen;

  go_on (stream, 1, 100);
  to_wrap = 65536 - stream->first;
  go_on (stream, to_wrap + 4, 100);
  for (guint wrap = 0; wrap < 2; wrap++) {
    guint64 end = rtc_history_get_next (stream->history);

    g_assert_cmpuint (ask (stream, end - 10, 10, end * MS), ==, 10);
    for (guint i = 0; i < 10; i++) {
      const RtcPacket *packet = rtc_history_get (stream->history, end - 10 + i);

      read_again (stream, i, &seen);
      g_assert_cmpuint (viewer_u16 (seen.payload), ==, (guint16)(65536 - 5 + i));
      g_assert_cmpmem (seen.payload + 2, seen.size - 2, packet->payload, packet->size);
    }
    go_on (stream, 65536, 100);
  }
  stream_free (stream);
}

static void
each_comes_once_a_round_trip (void)
{
  Stream *stream = stream_new (97);
  RtcRtcpReport report = {.ssrc = SSRC, .last_sr = 0x10000, .delay = 0x8000};

  go_on (stream, 1000, 1000);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND), ==, 3);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND), ==, 0);
  g_assert_cmpuint (ask (stream, 900, 4, SECOND + 99999), ==, 1);
  g_assert_cmpuint (ask (stream, 900, 4, SECOND + 100 * MS), ==, 3);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 199 * MS), ==, 0);

  /* A quarter of a second. */
  rtc_sender_take_report (stream->viewer->sender, &report, (guint64)0x1c000 << 16);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 349999), ==, 0);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 350 * MS), ==, 3);

  /* One of two seconds is a peer that was busy: an eighth of the difference is believed. */
  rtc_sender_take_report (stream->viewer->sender, &report, (guint64)0x38000 << 16);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 350 * MS + 468 * MS), ==, 0);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 350 * MS + 469 * MS), ==, 3);
  /* A short one is, at once. */
  rtc_sender_take_report (stream->viewer->sender, &report, (guint64)0x1a000 << 16);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 819 * MS + 124 * MS), ==, 0);
  g_assert_cmpuint (ask (stream, 900, 3, SECOND + 819 * MS + 125 * MS), ==, 3);
  stream_free (stream);
}

/* A thousand numbers every 10 ms, ten seconds long: in no second comes more than a fifth of what is sent in one, but
 * most of that does. */
static void
a_storm_costs_a_fifth (gconstpointer rtx_payload)
{
  Stream *stream = stream_new (GPOINTER_TO_INT (rtx_payload));
  const guint fifth = 1000 * VIEWER_ROOM / 5;
  guint total = 0, window[100] = {0}, in_window = 0;

  for (guint i = 0; i < 1000; i++) {
    gint64 now = (gint64)i * 10 * MS;

    go_on (stream, 10, VIEWER_PAYLOAD);
    stream->again_bytes = 0;
    ask (stream, (gint)stream->written->len - 1000, 1000, now);
    in_window += stream->again_bytes - window[i % 100];
    window[i % 100] = stream->again_bytes;
    total += stream->again_bytes;
    g_assert_cmpuint (in_window, <=, fifth);
  }
  g_assert_cmpuint (total, >, 8 * fifth);
  stream_free (stream);
}

/* Sound of 50 packets a second has hardly a budget, and after a second of silence there is none at all. */
static void
a_few_always_come (void)
{
  Stream *stream = stream_new (97);

  go_on (stream, 50, 10);
  g_assert_cmpuint (ask (stream, 0, 50, 5 * SECOND), ==, RTC_SENDER_MIN_RESENT);
  g_assert_cmpuint (ask (stream, 16, 34, 5 * SECOND + 999 * MS), ==, 0);
  g_assert_cmpuint (ask (stream, 16, 34, 6 * SECOND + 125 * MS), ==, RTC_SENDER_MIN_RESENT);
  stream_free (stream);

  for (guint i = 0; i < 2; i++) {
    stream = stream_new (97);
    go_on (stream, 1000, 1000);
    g_assert_cmpuint (ask (stream, 900, 100, i ? 5 * SECOND : 2 * SECOND - 1), ==, RTC_SENDER_MIN_RESENT);
    stream_free (stream);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (NULL, NULL);
  g_test_add_func ("/nack/rtx-tells-the-number-that-was-lost", rtx_tells_the_number_that_was_lost);
  g_test_add_func ("/nack/without-rtx-it-is-the-same-to-the-last-bit", without_rtx_it_is_the_same_to_the_last_bit);
  g_test_add_func ("/nack/without-rtx-nothing-else-takes-its-number", without_rtx_nothing_else_takes_its_number);
  g_test_add_func ("/nack/without-rtx-a-forgotten-number-is-not-taken-for-another",
      without_rtx_a_forgotten_number_is_not_taken_for_another);
  g_test_add_data_func ("/nack/what-was-left-out-can-be-had", GINT_TO_POINTER (97), what_was_left_out_can_be_had);
  g_test_add_data_func (
      "/nack/what-was-left-out-can-be-had-without-rtx", GINT_TO_POINTER (-1), what_was_left_out_can_be_had);
  g_test_add_data_func (
      "/nack/passed-over/rtx", GINT_TO_POINTER (97), what_is_unknown_too_old_or_too_new_is_passed_over);
  g_test_add_data_func (
      "/nack/passed-over/no-rtx", GINT_TO_POINTER (-1), what_is_unknown_too_old_or_too_new_is_passed_over);
  g_test_add_func ("/nack/numbers-before-the-wrap-are-found", numbers_before_the_wrap_are_found);
  g_test_add_func ("/nack/each-comes-once-a-round-trip", each_comes_once_a_round_trip);
  g_test_add_data_func ("/nack/a-storm-costs-a-fifth/rtx", GINT_TO_POINTER (97), a_storm_costs_a_fifth);
  g_test_add_data_func ("/nack/a-storm-costs-a-fifth/no-rtx", GINT_TO_POINTER (-1), a_storm_costs_a_fifth);
  g_test_add_func ("/nack/a-few-always-come", a_few_always_come);
  return g_test_run ();
}
