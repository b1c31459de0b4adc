/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What viewers get, decrypted, and read by GStreamer's RTP library. rtcsendernack.c has what they get again,
 * rtcsenderreport.c the reports. */

#include "viewerfixture.h"

#include <stdlib.h>
#include <string.h>

#define SECOND G_USEC_PER_SEC
#define SSRC 0x8badf00d

static const RtcSrtpProfile profiles[] = {RTC_SRTP_AEAD_AES_128_GCM, RTC_SRTP_AES128_CM_SHA1_80};

typedef struct
{
  const gchar *mid;
  guint ext_mid, ext_twcc, ext_audio_level;
  gsize header, with_audio_level;
} Extensions;

static const Extensions extensions[] = {
    {"0", 4, 3, 1, 12 + 4 + 8, 12 + 4 + 8},
    {"v1", 1, 2, 14, 12 + 4 + 8, 12 + 4 + 8},
    {"abc", 14, 13, 1, 12 + 4 + 8, 12 + 4 + 12},
    {"0123456789abcdef", 5, 6, 7, 12 + 4 + 20, 12 + 4 + 24},
    {"audio", 9, 0, 0, 12 + 4 + 8, 12 + 4 + 8},
    {"audio", 0, 9, 0, 12 + 4 + 4, 12 + 4 + 4},
    {"audio", 0, 0, 9, 12, 12 + 4 + 4},
    {"audio", 0, 0, 0, 12, 12},
    {"", 4, 0, 0, 12, 12},
};

/* One stream and its packets, and viewers who all agreed on something else. */
static void
every_field_is_the_viewers (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  Viewer *viewers[G_N_ELEMENTS (extensions)];
  ViewerPacket first[G_N_ELEMENTS (extensions)];

  for (guint v = 0; v < G_N_ELEMENTS (extensions); v++) {
    const Extensions *e = &extensions[v];
    RtcSenderConfig config = {.ssrc = SSRC + v,
        .payload = 96 + v,
        .rtx_payload = -1,
        .clock_rate = 90000,
        .ext_mid = e->ext_mid,
        .ext_twcc = e->ext_twcc,
        .ext_audio_level = e->ext_audio_level};

    strcpy (config.mid, e->mid);
    viewers[v] = viewer_new (&config, profiles[v % 2]);
  }
  for (guint i = 0; i < 20; i++) {
    const RtcPacket *packet = viewer_add (history, i * 50, i % 2 ? (gint)(i * 13) % 256 : -1);

    for (guint v = 0; v < G_N_ELEMENTS (extensions); v++) {
      const Extensions *e = &extensions[v];
      ViewerPacket seen;

      viewer_show (viewers[v], packet, &seen);
      if (i == 0)
        first[v] = seen;
      g_assert_cmphex (seen.ssrc, ==, SSRC + v);
      g_assert_cmpuint (seen.payload_type, ==, 96 + v);
      g_assert_cmpuint (seen.seq, ==, first[v].seq + i);
      g_assert_cmpuint (seen.timestamp, ==, first[v].timestamp + 90 * i);
      g_assert_cmpint (seen.marker, ==, i % 3 == 2);
      g_assert_cmpuint (seen.header_size, ==, i % 2 ? e->with_audio_level : e->header);
      g_assert_cmpstr (seen.mid, ==, e->ext_mid ? e->mid : "");
      g_assert_cmpint (seen.twcc, ==, e->ext_twcc ? (guint16)(65534 + i) : -1);
      g_assert_cmpint (seen.audio_level, ==, e->ext_audio_level ? packet->audio_level : -1);
      g_assert_cmpmem (seen.payload, seen.size, packet->payload, packet->size);
    }
  }
  for (guint v = 0; v < G_N_ELEMENTS (extensions); v++) {
    const RtcSenderStats *stats = rtc_sender_get_stats (viewers[v]->sender);

    g_assert_cmpuint (viewers[v]->twcc, ==, extensions[v].ext_twcc ? (guint16)(65534 + 20) : 65534);
    g_assert_cmpuint (stats->packets_sent, ==, 20);
    g_assert_cmpuint (stats->bytes_sent, ==, 50 * 19 * 20 / 2);
    g_assert_cmpuint (stats->header_bytes_sent, ==, 10 * (extensions[v].header + extensions[v].with_audio_level));
    viewer_free (viewers[v]);
  }
  rtc_history_free (history);
}

static const RtcSenderConfig plain = {
    .ssrc = SSRC, .payload = 96, .rtx_payload = -1, .clock_rate = 90000, .mid = "0", .ext_mid = 4, .ext_twcc = 3};

/* TWCC counts what the viewer gets, of whatever track. */
static void
tracks_share_the_transport_wide_number (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  RtcSenderConfig config = plain;
  Viewer *viewer = viewer_new (&plain, RTC_SRTP_AEAD_AES_128_GCM);
  RtcSender *video = viewer->sender, *audio;

  config.ssrc = SSRC + 1;
  audio = rtc_sender_new (&config);
  for (guint i = 0; i < 10; i++) {
    const RtcPacket *packet = viewer_add (history, 10, -1);
    ViewerPacket seen;

    viewer->sender = i % 3 ? video : audio;
    viewer_show (viewer, packet, &seen);
    g_assert_cmpuint (seen.twcc, ==, (guint16)(65534 + i));
  }
  viewer->sender = video;
  rtc_sender_free (audio);
  viewer_free (viewer);
  rtc_history_free (history);
}

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
  return *(const guint16 *)a - *(const guint16 *)b;
}

/* That 500 draws miss the lowest or the highest quarter does not happen by chance, once in 10^62 runs. */
static void
numbers_begin_at_random_below_the_middle (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  const RtcPacket *packet = viewer_add (history, 10, -1);
  g_autoptr (GHashTable) timestamps = g_hash_table_new (NULL, NULL);
  guint16 seqs[500];

  for (guint i = 0; i < G_N_ELEMENTS (seqs); i++) {
    Viewer *viewer = viewer_new (&plain, RTC_SRTP_AEAD_AES_128_GCM);
    ViewerPacket seen;

    viewer_show (viewer, packet, &seen);
    seqs[i] = seen.seq;
    g_hash_table_add (timestamps, GUINT_TO_POINTER (seen.timestamp));
    viewer_free (viewer);
  }
  qsort (seqs, G_N_ELEMENTS (seqs), sizeof (seqs[0]), compare_numbers);
  g_assert_cmpuint (seqs[0], <, 1 << 13);
  g_assert_cmpuint (seqs[499], >=, 3 << 13);
  g_assert_cmpuint (seqs[499], <, 1 << 15);
  g_assert_cmpuint (g_hash_table_size (timestamps), >, 490);
  rtc_history_free (history);
}

/* Sequence numbers begin again three times; some packets are lost, and all around those places. */
static void
numbers_wrap (gconstpointer profile)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  Viewer *viewer = viewer_new (&plain, *(const RtcSrtpProfile *)profile);
  guint first = 0, n_wraps = 0;

  for (guint i = 0; i < 3 << 16; i++) {
    const RtcPacket *packet = viewer_add (history, 20, -1);
    guint8 out[VIEWER_ROOM];
    ViewerPacket seen;

    if (i > 0 && (i % 50 == 0 || (guint16)(first + i + 20) < 25)) {
      rtc_sender_write (viewer->sender, packet, viewer->out, &viewer->twcc, out);
      n_wraps += (guint16)(first + i) == 0;
      continue;
    }
    viewer_show (viewer, packet, &seen);
    if (i == 0)
      first = seen.seq;
    g_assert_cmpuint (seen.seq, ==, (guint16)(first + i));
    g_assert_cmpmem (seen.payload, seen.size, packet->payload, packet->size);
  }
  g_assert_cmpuint (n_wraps, ==, 3);
  viewer_free (viewer);
  rtc_history_free (history);
}

/* A viewer who comes in the middle begins like all others, with packets from there. */
static void
late_viewers_begin_with_what_is_new (void)
{
  RtcHistory *history = rtc_history_new (1000 * SECOND, 100, 100000);
  Viewer *viewer;
  ViewerPacket seen;
  guint first;

  for (guint i = 0; i < 100000; i++)
    viewer_add (history, 1, -1);
  viewer = viewer_new (&plain, RTC_SRTP_AEAD_AES_128_GCM);
  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  first = seen.seq;
  g_assert_cmpuint (first, <, 1 << 15);
  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  g_assert_cmpuint (seen.seq, ==, first + 1);
  viewer_free (viewer);
  rtc_history_free (history);
}

/* Each has its own number, whatever the indexes do. */
static void
left_out_packets_show_as_a_gap (void)
{
  RtcHistory *history = rtc_history_new (1000 * SECOND, 100, 100000);
  RtcHistory *other = rtc_history_new (1000 * SECOND, 100, 100000);
  Viewer *viewer = viewer_new (&plain, RTC_SRTP_AEAD_AES_128_GCM);
  guint seq;
  ViewerPacket seen;

  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  seq = seen.seq;
  for (guint i = 0; i < 10; i++)
    viewer_add (history, 1, -1);
  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  g_assert_cmpuint (seen.seq, ==, seq += 11);

  /* So many that the receiver would miscount the wraps, as if there were none. */
  for (guint i = 0; i < 40000; i++)
    viewer_add (history, 1, -1);
  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  g_assert_cmpuint (seen.seq, ==, seq += 1025);

  /* Another history, and the same packet twice. */
  viewer_show (viewer, viewer_add (other, 100, -1), &seen);
  g_assert_cmpuint (seen.seq, ==, seq += 1);
  viewer_show (viewer, rtc_history_get (other, 0), &seen);
  g_assert_cmpuint (seen.seq, ==, seq += 1);
  viewer_show (viewer, viewer_add (other, 100, -1), &seen);
  g_assert_cmpuint (seen.seq, ==, seq += 1);
  viewer_free (viewer);
  rtc_history_free (history);
  rtc_history_free (other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (NULL, NULL);
  g_test_add_func ("/sender/every-field-is-the-viewers", every_field_is_the_viewers);
  g_test_add_func ("/sender/tracks-share-the-transport-wide-number", tracks_share_the_transport_wide_number);
  g_test_add_func ("/sender/numbers-begin-at-random-below-the-middle", numbers_begin_at_random_below_the_middle);
  g_test_add_data_func ("/sender/numbers-wrap/gcm", &profiles[0], numbers_wrap);
  g_test_add_data_func ("/sender/numbers-wrap/cm", &profiles[1], numbers_wrap);
  g_test_add_func ("/sender/late-viewers-begin-with-what-is-new", late_viewers_begin_with_what_is_new);
  g_test_add_func ("/sender/left-out-packets-show-as-a-gap", left_out_packets_show_as_a_gap);
  return g_test_run ();
}
