/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* RTCP as an authenticated peer may send it: what is told keeps its bounds, and is the same whoever listens. The
 * arrivals of TWCC are taken by our own writer, whose reports have to be read again, and to say the same. */

#include <string.h>

#include "native/rtcrtcp.h"
#include "native/rtctwcc.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

typedef struct
{
  guint numbers;
  RtcTwcc *writer;
  guint16 taken[65536]; /* the numbers that it took */
  guint n_taken;
  gboolean written;
} Peer;

/* When each number came that the writer took; -1: none did. Not a part of the peer: to clear it takes longer than all
 * the rest. */
static gint64 arrivals[65536];

static void
on_report (const RtcRtcpReport *report, gpointer user_data)
{
  if (report->packets_lost < -0x800000 || report->packets_lost > 0x7fffff)
    g_error ("%d packets lost do not fit 24 bits", report->packets_lost);
}

static void
count (Peer *peer, guint n, guint most)
{
  peer->numbers += n;
  if (n == 0 || n > most || peer->numbers > RTC_RTCP_MAX_NUMBERS)
    g_error ("%u numbers at once, %u in all", n, peer->numbers);
}

static void
on_nack (const RtcRtcpNack *nack, gpointer user_data)
{
  count (user_data, nack->n, RTC_RTCP_MAX_NACK);
}

static void
on_written (const RtcRtcpTwcc *twcc, gpointer user_data)
{
  Peer *peer = user_data;

  for (guint i = 0; i < twcc->n; i++) {
    gint64 taken = arrivals[(guint16)(twcc->base + i)];

    if (twcc->arrival[i] >= 0 && twcc->arrival[i] != taken / 250 * 250 % RTC_RTCP_TWCC_PERIOD)
      g_error ("%u came at %" G_GINT64_FORMAT ", and was told at %" G_GINT64_FORMAT, (guint16)(twcc->base + i), taken,
          twcc->arrival[i]);
  }
  peer->written = TRUE;
}

static void
write_reports (Peer *peer)
{
  static const RtcRtcpFuncs funcs = {.twcc = on_written};
  guint8 out[RTC_TWCC_MAX_SIZE];
  gsize size;

  while ((size = rtc_twcc_write (peer->writer, G_MAXINT64, out)) > 0) {
    guint8 *exact = g_memdup2 (out, size);

    peer->written = FALSE;
    if (size > sizeof (out) || !rtc_rtcp_read (exact, size, &funcs, peer) || !peer->written)
      g_error ("a report of %" G_GSIZE_FORMAT " bytes cannot be read", size);
    g_free (exact);
  }
}

static void
on_twcc (const RtcRtcpTwcc *twcc, gpointer user_data)
{
  Peer *peer = user_data;

  count (peer, twcc->n, RTC_RTCP_MAX_TWCC);
  for (guint i = 0; i < twcc->n; i++) {
    guint16 seq = twcc->base + i;

    if (twcc->arrival[i] < -1 || twcc->arrival[i] >= RTC_RTCP_TWCC_PERIOD)
      g_error ("an arrival at %" G_GINT64_FORMAT, twcc->arrival[i]);
    /* Once each: the writer keeps the first time. */
    if (twcc->arrival[i] < 0 || arrivals[seq] >= 0)
      continue;
    arrivals[seq] = twcc->arrival[i];
    peer->taken[peer->n_taken++] = seq;
    rtc_twcc_take (peer->writer, twcc->ssrc, seq, twcc->arrival[i]);
  }
  write_reports (peer);
}

static void
on_fir (guint32 ssrc, guint8 number, gpointer user_data)
{
}

static void
on_ssrc (guint32 ssrc, gpointer user_data)
{
}

static void
on_remb (guint64 bitrate, gpointer user_data)
{
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const RtcRtcpFuncs nobody = {.bye = NULL};
  static const RtcRtcpFuncs funcs = {.report = on_report,
      .nack = on_nack,
      .twcc = on_twcc,
      .pli = on_ssrc,
      .fir = on_fir,
      .remb = on_remb,
      .bye = on_ssrc};
  static gsize once = 0;
  static Peer the_peer;
  Peer *peer = &the_peer;

  if (g_once_init_enter (&once)) {
    memset (arrivals, 0xff, sizeof (arrivals));
    g_once_init_leave (&once, 1);
  }
  peer->numbers = peer->n_taken = 0;
  peer->writer = rtc_twcc_new (1);
  if (rtc_rtcp_read (data, size, &funcs, peer) != rtc_rtcp_read (data, size, &nobody, NULL))
    g_error ("whether it is malformed depends on who listens");
  if (rtc_datagram_kind (data, size) == RTC_DATAGRAM_STUN && rtc_rtcp_read (data, size, &nobody, NULL))
    g_error ("STUN is read as RTCP");
  rtc_twcc_free (peer->writer);
  for (guint i = 0; i < peer->n_taken; i++)
    arrivals[peer->taken[i]] = -1;
  return 0;
}
