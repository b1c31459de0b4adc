/* rtclink: what a packet costs on its way to many viewers, without the sockets
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcsender.h"

#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAYLOAD 1160
#define FRAME 9 /* packets: each viewer gets them in one go, as with UDP GSO */
#define HEADER 24
#define SLOT (PAYLOAD + RTC_SENDER_OVERHEAD)

static const guint n_viewers[] = {1, 5, 20, 50, 200};

enum
{
  WRITE,
  CIPHER,
  COPY,
  N_WAYS,
};

static const gchar *const way_names[N_WAYS] = {"rtc_sender_write()", "the cipher alone", "header and memcpy"};

typedef struct
{
  RtcSender *sender;
  RtcSrtpSender *srtp;
  guint16 twcc;
  guint64 index; /* for the cipher alone */
} Viewer;

typedef struct
{
  RtcHistory *history;
  gint64 now;
  guint8 payload[PAYLOAD];
  Viewer *viewers;
  guint8 *out; /* a frame for a viewer */
} Bench;

static gint rounds = 31, packets = 3000;

static const GOptionEntry options[] = {
    {"rounds", 'n', 0, G_OPTION_ARG_INT, &rounds, "How often each is measured (31)", "N"},
    {"packets", 'p', 0, G_OPTION_ARG_INT, &packets, "How many packets, of all viewers together, a time (3000)", "N"},
    {NULL},
};

/* Of this thread: what else the machine does is not counted. */
static gdouble
cpu_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *)a, y = *(const gdouble *)b;

  return x < y ? -1 : x > y;
}

static gdouble
median (gdouble *values, guint n)
{
  qsort (values, n, sizeof (gdouble), compare);
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static void
viewer_init (Viewer *viewer, guint number)
{
  RtcSrtpKeys keys = {.profile = RTC_SRTP_AEAD_AES_128_GCM};
  RtcSenderConfig config = {.ssrc = 1000 + number,
      .rtx_ssrc = 2000 + number,
      .payload = 96,
      .rtx_payload = 97,
      .clock_rate = 90000,
      .mid = "0",
      .ext_mid = 4,
      .ext_twcc = 3,
      .cname = "bench"};

  for (guint i = 0; i < sizeof (keys.key); i++)
    keys.key[i] = g_random_int ();
  viewer->sender = rtc_sender_new (&config);
  viewer->srtp = rtc_srtp_sender_new (&keys);
}

static void
viewer_clear (Viewer *viewer)
{
  rtc_sender_free (viewer->sender);
  rtc_srtp_sender_free (viewer->srtp);
}

static void
add_frame (Bench *bench, const RtcPacket *frame[FRAME])
{
  guint64 first = rtc_history_get_next (bench->history);

  bench->now += G_USEC_PER_SEC / 30;
  for (guint i = 0; i < FRAME; i++) {
    RtcPacket packet = {.added = bench->now,
        .pts = bench->now,
        .timestamp = bench->now * 9 / 100,
        .marker = i == FRAME - 1,
        .audio_level = -1,
        .payload = bench->payload,
        .size = PAYLOAD};

    rtc_history_add (bench->history, &packet);
  }
  for (guint i = 0; i < FRAME; i++)
    frame[i] = rtc_history_get (bench->history, first + i);
}

static inline void
copy_packet (const RtcPacket *packet, guint16 seq, guint8 *out)
{
  memset (out, 0, HEADER);
  GST_WRITE_UINT16_BE (out + 2, seq);
  GST_WRITE_UINT32_BE (out + 4, packet->timestamp);
  memcpy (out + HEADER, packet->payload, packet->size);
}

static void
send_frame (Bench *bench, guint way, Viewer *viewer, const RtcPacket *frame[FRAME])
{
  for (guint i = 0; i < FRAME; i++) {
    guint8 *out = bench->out + i * SLOT;

    if (way == WRITE)
      rtc_sender_write (viewer->sender, frame[i], viewer->srtp, &viewer->twcc, out);
    else if (way == CIPHER)
      rtc_srtp_sender_protect (viewer->srtp, out, HEADER, frame[i]->payload, PAYLOAD, viewer->index++);
    else
      copy_packet (frame[i], (guint16)viewer->index++, out);
  }
}

/* Nanoseconds a packet and viewer. */
static gdouble
measure (Bench *bench, guint way, guint n)
{
  guint n_frames = MAX (1, packets / (FRAME * n));
  const RtcPacket *frame[FRAME];
  gdouble took = 0;

  for (guint f = 0; f < n_frames; f++) {
    gdouble from;

    add_frame (bench, frame);
    from = cpu_time ();
    for (guint v = 0; v < n; v++)
      send_frame (bench, way, &bench->viewers[v], frame);
    took += cpu_time () - from;
  }
  return took / n_frames / n / FRAME;
}

static gdouble
measure_history (Bench *bench)
{
  const RtcPacket *frame[FRAME];
  guint n_frames = MAX (1, packets / FRAME);
  gdouble from = cpu_time ();

  for (guint f = 0; f < n_frames; f++)
    add_frame (bench, frame);
  return (cpu_time () - from) / n_frames / FRAME;
}

/* Keeps what it gets, or the compiler would drop the copies. */
static void
on_again (const guint8 *data, gsize size, gpointer user_data)
{
  *(guint8 *)user_data ^= data[size - 1];
}

/* Of ten frames a few packets are asked for at once. Nanoseconds a packet that is sent again. */
static gdouble
measure_nack (Bench *bench)
{
  Viewer *viewer = &bench->viewers[0];
  const RtcPacket *frame[FRAME];
  RtcRtcpNack nack = {.n = FRAME};
  guint n_sent = 0;
  gdouble took = 0;

  for (guint n = 0; n < MAX (20, (guint)packets / FRAME / 10); n++) {
    gdouble from;

    for (guint f = 0; f < 10; f++) {
      add_frame (bench, frame);
      send_frame (bench, WRITE, viewer, frame);
      if (f < FRAME)
        nack.seq[f] = GST_READ_UINT16_BE (bench->out + f * SLOT + 2);
    }
    from = cpu_time ();
    n_sent += rtc_sender_take_nack (
        viewer->sender, &nack, bench->history, viewer->srtp, &viewer->twcc, bench->now, on_again, bench->out);
    took += cpu_time () - from;
  }
  return took / n_sent;
}

static void
report (Bench *bench)
{
  gdouble *took[N_WAYS], *more = g_new (gdouble, rounds), *ratio = g_new (gdouble, rounds);

  for (guint way = 0; way < N_WAYS; way++)
    took[way] = g_new (gdouble, rounds);
  g_print ("%-9s %20s %20s %20s %20s %14s\n", "viewers", way_names[WRITE], way_names[CIPHER], way_names[COPY],
      "beside the cipher", "times a copy");
  for (guint i = 0; i < G_N_ELEMENTS (n_viewers); i++) {
    for (gint r = -1; r < rounds; r++) {
      for (guint turn = 0; turn < N_WAYS; turn++) {
        guint way = (turn + r + 1) % N_WAYS;
        gdouble ns = measure (bench, way, n_viewers[i]);

        if (r >= 0) /* the first only warms up */
          took[way][r] = ns;
      }
      if (r >= 0) {
        more[r] = took[WRITE][r] - took[CIPHER][r];
        ratio[r] = took[WRITE][r] / took[COPY][r];
      }
    }
    g_print ("%-9u %17.0f ns %17.0f ns %17.0f ns %17.0f ns %14.2f\n", n_viewers[i], median (took[WRITE], rounds),
        median (took[CIPHER], rounds), median (took[COPY], rounds), median (more, rounds), median (ratio, rounds));
  }
  for (guint way = 0; way < N_WAYS; way++)
    g_free (took[way]);
  for (gint r = 0; r < rounds; r++) {
    more[r] = measure_history (bench);
    ratio[r] = measure_nack (bench);
  }
  g_print ("rtc_history_add(), once for all viewers: %.0f ns; sent again with RTX: %.0f ns\n", median (more, rounds),
      median (ratio, rounds));
  g_free (more);
  g_free (ratio);
}

int
main (int argc, char **argv)
{
  guint most = n_viewers[G_N_ELEMENTS (n_viewers) - 1];
  GOptionContext *context = g_option_context_new ("- what a packet of 1160 bytes costs a viewer");
  Bench bench = {.history = rtc_history_new (2 * G_USEC_PER_SEC, 4096, 16 * 1024 * 1024)};
  GError *error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || rounds < 1 || packets < 1) {
    g_printerr ("%s\n", error ? error->message : "--rounds and --packets are at least 1");
    return 2;
  }
  bench.viewers = g_new0 (Viewer, most);
  bench.out = g_malloc0 (FRAME * SLOT);
  for (guint i = 0; i < PAYLOAD; i++)
    bench.payload[i] = i * 31;
  for (guint i = 0; i < most; i++)
    viewer_init (&bench.viewers[i], i);
  report (&bench);
  for (guint i = 0; i < most; i++)
    viewer_clear (&bench.viewers[i]);
  g_free (bench.viewers);
  g_free (bench.out);
  rtc_history_free (bench.history);
  g_option_context_free (context);
  return 0;
}
