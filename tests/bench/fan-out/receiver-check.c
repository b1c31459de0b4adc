/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a viewer makes of a packet: whether it is whole, whether one is missing, when a picture was complete; and what
 * it says about that in RTCP. */

#include "receiver.h"
#include "native/rtcbytes.h"

#include <string.h>

#define WINDOW (64 * 64)
#define REPORT_INTERVAL G_USEC_PER_SEC
#define PLI_INTERVAL 300000 /* until there is a picture */
#define RTP_HEADER 12
#define RR_SIZE 32
/* Round trip that reports amount to, microseconds: loopback has none, and for whom it measures 0 ms Janus keeps nothing
 * to send again. */
#define PATH_RTT 5000

static gboolean
is_seen (FanStream *stream, guint32 n)
{
  return stream->seen[n / 64 % 64] >> (n % 64) & 1;
}

/* Whether N is new. */
static gboolean
note_number (FanStream *stream, guint32 n)
{
  if (!stream->any) {
    stream->any = TRUE;
    stream->first = n;
    stream->highest = n - 1;
    memset (stream->seen, 0xff, sizeof (stream->seen));
  }
  while ((gint32)(n - stream->highest) > 0) {
    stream->highest++;
    stream->seen[stream->highest / 64 % 64] &= ~((guint64)1 << (stream->highest % 64));
  }
  if ((gint32)(n - stream->first) < 0 || stream->highest - n >= WINDOW || is_seen (stream, n)) {
    stream->repeated++;
    return FALSE;
  }
  stream->seen[n / 64 % 64] |= (guint64)1 << (n % 64);
  stream->received++;
  return TRUE;
}

static void
note_latency (FanReceiver *receiver, const FanPacket *packet, gint64 latency)
{
  FanLatency *entry;

  if (receiver->latencies->len == 0)
    receiver->first_frame = packet->frame;
  if ((gint32)(packet->frame - receiver->first_frame) < 0 || packet->frame - receiver->first_frame > 100000)
    return;
  if (packet->frame - receiver->first_frame >= receiver->latencies->len)
    g_array_set_size (receiver->latencies, packet->frame - receiver->first_frame + 1);
  entry = &g_array_index (receiver->latencies, FanLatency, packet->frame - receiver->first_frame);
  entry->longest = MAX (entry->longest, latency);
  entry->n++;
}

static void
note_frame (FanViewer *self, FanStream *stream, const FanPacket *packet, gint64 now, gint64 stamp)
{
  if (packet->frame != stream->frame) {
    /* A packet that was lost and comes again may belong to a frame before. */
    if ((gint32)(packet->frame - stream->frame) < 0 && stream->frames > 0)
      return;
    stream->frame = packet->frame;
    stream->in_frame = 0;
  }
  if (++stream->in_frame < packet->count)
    return;
  if (packet->video && packet->key && !self->first_picture) {
    self->first_picture = now;
    fan_say ("first %s %.1f", self->name, (now - self->began) / 1000.0);
  }
  if (stream->last_frame)
    stream->longest_gap = MAX (stream->longest_gap, stamp - stream->last_frame);
  stream->last_frame = stamp;
  stream->frames++;
  if (packet->video && self->receiver->measuring)
    note_latency (self->receiver, packet, stamp - packet->stamp);
}

/* Where the payload is; NULL: malformed. */
static const guint8 *
find_payload (const guint8 *data, gsize *size)
{
  gsize header = RTP_HEADER + (data[0] & 15) * 4;

  if (*size < header)
    return NULL;
  if (data[0] & 0x10) {
    if (*size < header + 4)
      return NULL;
    header += 4 + 4 * rtc_get_u16 (data + header + 2);
  }
  if (*size < header)
    return NULL;
  *size -= header;
  return data + header;
}

static gboolean
drop (FanViewer *self, guint16 seq)
{
  FanReceiver *receiver = self->receiver;

  if (receiver->drop <= 0 || !self->first_picture || g_rand_double (receiver->rand) >= receiver->drop)
    return FALSE;
  self->counts.dropped++;
  if (self->n_lost < G_N_ELEMENTS (self->lost))
    self->lost[self->n_lost++] = seq;
  return TRUE;
}

void
fan_check_take (FanViewer *self, const guint8 *data, gsize size, gint64 now, gint64 stamp)
{
  gint kind = self->payloads[data[1] & 127];
  guint16 seq = rtc_get_u16 (data + 2);
  const guint8 *payload = find_payload (data, &size);
  gboolean rtx = kind == FAN_RTX;
  FanStream *stream;
  FanPacket packet;

  if (rtx && payload && size == 0)
    return; /* padding only: a probe */
  if (rtx && payload && size > 2) {
    payload += 2;
    size -= 2;
    kind = FAN_VIDEO;
  }
  if (!payload || kind == FAN_NO_PAYLOAD || !fan_packet_read (&packet, payload, size)
      || packet.video != (kind == FAN_VIDEO)) {
    self->counts.corrupt++;
    return;
  }
  stream = &self->streams[packet.video];
  if (!rtx) {
    if (!stream->ssrc) {
      stream->ssrc = rtc_get_u32 (data + 8);
      stream->highest_seq = seq;
    }
    stream->highest_seq += (guint16)(seq - stream->highest_seq) < 0x8000 ? (guint16)(seq - stream->highest_seq) : 0;
    if (packet.video && drop (self, seq))
      return;
  }
  /* The account does not begin with what was lost before it began: what is behind that came already. */
  if ((stream->any || !rtx) && note_number (stream, packet.n)) {
    self->counts.recovered += rtx;
    note_frame (self, stream, &packet, now, stamp);
  }
}

/* RTCP. */

void
fan_check_take_rtcp (FanViewer *self, const guint8 *data, gsize size, gint64 now)
{
  for (gsize at = 0; at + 20 <= size; at += 4 + 4 * rtc_get_u16 (data + at + 2)) {
    for (guint i = 0; i < 2 && data[at + 1] == 200; i++) {
      if (self->streams[i].ssrc == rtc_get_u32 (data + at + 4)) {
        self->streams[i].last_sr = rtc_get_u32 (data + at + 10);
        self->streams[i].sr_came = now;
      }
    }
  }
}

static gsize
write_report (FanViewer *self, guint8 *out, gint64 now)
{
  guint n = 0;
  guint8 *at = out + 8;

  /* Video first: Janus takes all of a compound packet for the track of its first block, and sound has no NACK there. */
  for (guint i = 0; i < 2; i++) {
    const FanStream *stream = &self->streams[1 - i];

    if (!stream->ssrc)
      continue;
    memset (at, 0, 24);
    rtc_put_u32 (at, stream->ssrc);
    rtc_put_u32 (at + 8, stream->highest_seq);
    rtc_put_u32 (at + 16, stream->last_sr);
    rtc_put_u32 (at + 20, stream->last_sr ? MAX (now - stream->sr_came - PATH_RTT, 0) * 65536 / G_USEC_PER_SEC : 0);
    at += 24;
    n++;
  }
  out[0] = 2 << 6 | n;
  out[1] = 201;
  rtc_put_u16 (out + 2, (at - out) / 4 - 1);
  rtc_put_u32 (out + 4, self->receiver->ssrc);
  return at - out;
}

static gsize
write_nack (FanViewer *self, guint8 *out)
{
  guint8 *at = out + 12;

  for (guint i = 0; i < self->n_lost;) {
    guint16 first = self->lost[i++], mask = 0;

    for (; i < self->n_lost && (guint16)(self->lost[i] - first - 1) < 16; i++)
      mask |= 1 << (guint16)(self->lost[i] - first - 1);
    rtc_put_u16 (at, first);
    rtc_put_u16 (at + 2, mask);
    at += 4;
  }
  self->counts.asked_for += self->n_lost;
  self->n_lost = 0;
  out[0] = 2 << 6 | 1;
  out[1] = 205;
  rtc_put_u16 (out + 2, (at - out) / 4 - 1);
  rtc_put_u32 (out + 4, self->receiver->ssrc);
  rtc_put_u32 (out + 8, self->streams[1].ssrc);
  return at - out;
}

static gsize
write_pli (FanViewer *self, guint8 *out)
{
  out[0] = 2 << 6 | 1;
  out[1] = 206;
  rtc_put_u16 (out + 2, 2);
  rtc_put_u32 (out + 4, self->receiver->ssrc);
  rtc_put_u32 (out + 8, self->streams[1].ssrc);
  return 12;
}

void
fan_check_tick (FanViewer *self, gint64 now)
{
  guint8 packet[RTC_ENDPOINT_MAX_RTCP];
  gboolean pli = !self->first_picture && self->streams[1].ssrc && now >= self->next_pli;
  gsize size = 0;

  if (!self->endpoint || self->state != RTC_DTLS_CONNECTED)
    return;
  /* Compound, as RFC 3550 asks for: a report is first. */
  if (self->n_lost || pli || now >= self->next_report) {
    size = write_report (self, packet, now);
    if (now >= self->next_report)
      self->next_report = now + REPORT_INTERVAL;
  }
  if (self->n_lost)
    size += write_nack (self, packet + size);
  if (pli) {
    size += write_pli (self, packet + size);
    self->next_pli = now + PLI_INTERVAL;
  }
  if (size)
    rtc_endpoint_send_rtcp (self->endpoint, packet, size);
}

/* The account. */

static guint64
count_refused (const FanViewer *viewer)
{
  return viewer->counts.not_authentic + rtc_endpoint_get_stats (viewer->endpoint)->packets_discarded;
}

void
fan_check_begin (FanReceiver *receiver)
{
  receiver->measuring = TRUE;
  g_array_set_size (receiver->latencies, 0);
  for (guint i = 0; i < receiver->viewers->len; i++) {
    FanViewer *viewer = g_ptr_array_index (receiver->viewers, i);

    viewer->counts = (FanCounts){0};
    viewer->refused_before = count_refused (viewer); /* before there were keys */
    for (guint k = 0; k < 2; k++) {
      FanStream *stream = &viewer->streams[k];

      stream->any = FALSE;
      stream->received = stream->repeated = stream->frames = 0;
      stream->longest_gap = 0;
    }
  }
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  const FanLatency *x = a, *y = b;

  return (x->longest > y->longest) - (x->longest < y->longest);
}

static void
report_latency (FanReceiver *receiver)
{
  g_autoptr (GArray) whole = g_array_new (FALSE, FALSE, sizeof (FanLatency));

  for (guint i = 0; i < receiver->latencies->len; i++) {
    FanLatency entry = g_array_index (receiver->latencies, FanLatency, i);

    if (entry.n == receiver->viewers->len)
      g_array_append_val (whole, entry);
  }
  g_array_sort (whole, compare);
  if (whole->len)
    fan_say ("latency %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, whole->len,
        g_array_index (whole, FanLatency, whole->len / 2).longest,
        g_array_index (whole, FanLatency, whole->len * 99 / 100).longest,
        g_array_index (whole, FanLatency, whole->len - 1).longest);
}

/* What is not there yet of the last frames is no loss: the caller waits between the sender's end and this. */
void
fan_check_report (FanReceiver *receiver)
{
  guint64 received = 0, missing = 0, repeated = 0;
  gint64 gap = 0, first_gap = 0;
  FanCounts counts = {0};
  guint silent = 0;

  receiver->measuring = FALSE;
  for (guint i = 0; i < receiver->viewers->len; i++) {
    FanViewer *viewer = g_ptr_array_index (receiver->viewers, i);

    for (guint k = 0; k < 2; k++) {
      FanStream *stream = &viewer->streams[k];

      silent += !stream->any;
      received += stream->received;
      repeated += stream->repeated;
      missing += stream->any ? stream->highest - stream->first + 1 - stream->received : 0;
    }
    gap = MAX (gap, viewer->streams[1].longest_gap);
    if (i == 0)
      first_gap = gap;
    counts.corrupt += viewer->counts.corrupt;
    counts.not_authentic += count_refused (viewer) - viewer->refused_before;
    counts.dropped += viewer->counts.dropped;
    counts.asked_for += viewer->counts.asked_for;
    counts.recovered += viewer->counts.recovered;
  }
  report_latency (receiver);
  fan_say ("report viewers=%u silent=%u received=%" G_GUINT64_FORMAT " missing=%" G_GUINT64_FORMAT
           " repeated=%" G_GUINT64_FORMAT " corrupt=%" G_GUINT64_FORMAT " refused=%" G_GUINT64_FORMAT
           " dropped=%" G_GUINT64_FORMAT " nacked=%" G_GUINT64_FORMAT " recovered=%" G_GUINT64_FORMAT
           " gap=%" G_GINT64_FORMAT " first_gap=%" G_GINT64_FORMAT,
      receiver->viewers->len, silent, received, missing, repeated, counts.corrupt, counts.not_authentic, counts.dropped,
      counts.asked_for, counts.recovered, gap, first_gap);
}
