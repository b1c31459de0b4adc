/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsender.h"
#include "rtcbytes.h"
#include "core/rtcprefetch.h"

#include <string.h>

#define CACHE_LINE 64
#define RTP_HEADER 12
#define OSN 2 /* bytes, RFC 4588, section 4 */
/* What is copied for a header, whatever its size: a constant size is a few moves. There is room for more in OUT. */
#define TEMPLATE 48
/* 12 and 4, MID of 1 + 16, TWCC of 1 + 2, audio level of 1 + 1, padding of at most 3, OSN. */
G_STATIC_ASSERT (RTP_HEADER + 4 + 17 + 3 + 2 + 3 <= TEMPLATE);
G_STATIC_ASSERT (TEMPLATE + OSN + RTC_SRTP_OVERHEAD <= RTC_SENDER_OVERHEAD);

/* The receiver finds the rollover counter as long as a gap is below 2^15; behind one of this size it has given up on
 * all that it waited for anyway. */
#define MAX_GAP 1024

/* Packets that are remembered; powers of 2. */
#define N_WRITTEN 1024
#define N_RESENT 1024

/* The last second, in slices, and one more: what was sent again is counted for a second at least, what it is a fifth of
 * for a second at most. */
#define N_SLICES 9
#define SLICE (G_USEC_PER_SEC / (N_SLICES - 1))
#define RESEND_INTERVAL 100000 /* microseconds, while the round trip is not known */

#define MAX_ROUND_TRIP (10 << 16) /* 1/65536 s; more is a report with a mistake in it */
#define CLOCK_ERROR 66 /* the same, a millisecond: clocks run and are read unequally, by so much it may be below 0 */

#define VIDEO_CLOCK_RATE 90000
#define VIDEO_REPORT_INTERVAL G_USEC_PER_SEC
#define AUDIO_REPORT_INTERVAL (5 * G_USEC_PER_SEC)
#define SR_SIZE 28
#define RTCP_SR 200
#define RTCP_SDES 202
#define SDES_CNAME 1
G_STATIC_ASSERT (SR_SIZE + 8 + 2 + RTC_SENDER_MAX_CNAME + 4 <= RTC_RTCP_MAX_REPORT);

/* A packet up to its payload, with zeros where each has its own. */
typedef struct
{
  guint8 bytes[TEMPLATE];
  guint8 size;
  guint8 twcc_at, level_at; /* 0: there is none */
} Template;

/* What went to the viewer with this number, so that it can go again, the same to the last bit, and nothing else can:
 * ADDED tells a packet from that of another history. */
typedef struct
{
  guint32 seq, added; /* low bits; microseconds */
  guint16 twcc;
} Written;

typedef struct
{
  guint32 seq, when; /* low bits; microseconds */
} Resent;

typedef struct
{
  guint64 bytes; /* with RTC_SENDER_OVERHEAD each: what they are on the wire, nearly */
  guint64 resent_bytes;
  guint resent_packets;
} Slice;

struct _RtcSender
{
  /* Numbers are extended: rollover counter and sequence number. That of a packet is its index and an offset. */
  guint64 next_index;
  guint64 offset;
  guint64 first, highest; /* number of the first packet with this offset, and of the last */
  guint64 next_rtx;
  guint32 timestamp_offset;

  /* of the last packet */
  guint32 timestamp; /* as the viewer has it */
  gint64 pts, added;

  guint slice;
  gint64 slice_end;
  Slice slices[N_SLICES];
  RtcSenderStats stats;
  Template media[2], rtx[2]; /* without and with audio level */

  Written *written; /* NULL: there is RTX */
  Resent *resent; /* NULL: nothing was */
  guint8 *space; /* for a packet that is sent again */
  gsize space_size;

  guint64 rtx_packets, rtx_bytes; /* of those in the stats, with the RTX SSRC */
  gint64 round_trip; /* microseconds; 0: not known */
  gint64 report_at; /* -1: nothing was sent yet */
  gint fir_number; /* of the viewer's last one; -1: there was none */
  RtcSenderConfig config;
  gchar *cname;
};

/* Not GStreamer's, which store to unaligned addresses as if they were aligned. */
static inline void
put_u16 (guint8 *at, guint value)
{
  at[0] = (guint8)(value >> 8);
  at[1] = (guint8)value;
}

static inline void
put_u32 (guint8 *at, guint32 value)
{
  put_u16 (at, value >> 16);
  put_u16 (at + 2, value & 0xffff);
}

static guint8 *
put_extension (guint8 *at, guint id, const gchar *data, gsize size)
{
  *at++ = (guint8)(id << 4 | (size - 1));
  if (data)
    memcpy (at, data, size);
  return at + size;
}

static void
init_template (Template *template, const RtcSenderConfig *config, guint32 ssrc, gint payload, gboolean with_audio_level)
{
  guint8 *at = template->bytes + RTP_HEADER + 4;
  gsize words;

  template->bytes[0] = 2 << 6;
  template->bytes[1] = (guint8)payload;
  put_u32 (template->bytes + 8, ssrc);
  if (config->ext_mid && config->mid[0])
    at = put_extension (at, config->ext_mid, config->mid, strlen (config->mid));
  if (config->ext_twcc) {
    template->twcc_at = (guint8)(at + 1 - template->bytes);
    at = put_extension (at, config->ext_twcc, NULL, 2);
  }
  if (config->ext_audio_level && with_audio_level) {
    template->level_at = (guint8)(at + 1 - template->bytes);
    at = put_extension (at, config->ext_audio_level, NULL, 1);
  }
  words = (at - template->bytes - RTP_HEADER - 4 + 3) / 4;
  template->size = RTP_HEADER;
  if (words > 0) {
    template->bytes[0] |= 1 << 4;
    put_u16 (template->bytes + RTP_HEADER, 0xbede);
    put_u16 (template->bytes + RTP_HEADER + 2, (guint16)words);
    template->size += 4 + 4 * words;
  }
}

RtcSender *
rtc_sender_new (const RtcSenderConfig *config)
{
  RtcSender *self;

  g_return_val_if_fail (config->payload >= 0 && config->payload <= 127, NULL);
  g_return_val_if_fail (config->rtx_payload >= -1 && config->rtx_payload <= 127, NULL);
  g_return_val_if_fail (config->ext_mid <= 14 && config->ext_twcc <= 14 && config->ext_audio_level <= 14, NULL);

  self = g_new0 (RtcSender, 1);
  self->config = *config;
  self->config.mid[sizeof (self->config.mid) - 1] = '\0';
  self->config.cname = self->cname = g_strndup (config->cname ? config->cname : "", RTC_SENDER_MAX_CNAME);
  self->first = g_random_int_range (0, 1 << 15);
  self->fir_number = -1;
  self->next_rtx = g_random_int_range (0, 1 << 15);
  self->timestamp_offset = g_random_int ();
  self->report_at = -1;
  for (guint level = 0; level < 2; level++) {
    init_template (&self->media[level], &self->config, config->ssrc, config->payload, level);
    if (config->rtx_payload >= 0)
      init_template (&self->rtx[level], &self->config, config->rtx_ssrc, config->rtx_payload, level);
  }
  if (config->rtx_payload < 0)
    self->written = g_new0 (Written, N_WRITTEN);
  return self;
}

void
rtc_sender_free (RtcSender *self)
{
  g_free (self->written);
  g_free (self->resent);
  g_free (self->space);
  g_free (self->cname);
  g_free (self);
}

const RtcSenderConfig *
rtc_sender_get_config (const RtcSender *self)
{
  return &self->config;
}

/* Packets. */

/* The first one; one that does not follow the one before. A gap that the viewer shall see stays one. No number is used
 * for a second time, even if the indexes begin anew: with the same number two packets have the same key stream. */
static void
jump_to (RtcSender *self, guint64 index)
{
  if (self->stats.packets_sent == 0) {
    self->offset = self->first - index;
    return;
  }
  if (index > self->next_index && index - self->next_index <= MAX_GAP)
    return;
  self->first = self->highest + 1 + (index > self->next_index ? MAX_GAP : 0);
  self->offset = self->first - index;
}

static void
turn_slices (RtcSender *self, gint64 now)
{
  if (now - self->slice_end >= (N_SLICES - 1) * SLICE) {
    memset (self->slices, 0, sizeof (self->slices));
    self->slice_end = now + SLICE;
    return;
  }
  while (now >= self->slice_end) {
    self->slice = (self->slice + 1) % N_SLICES;
    self->slices[self->slice] = (Slice){0};
    self->slice_end += SLICE;
  }
}

static inline void
write_header (
    const RtcSender *self, const Template *template, const RtcPacket *packet, guint64 seq, guint16 twcc, guint8 *out)
{
  memcpy (out, template->bytes, TEMPLATE);
  out[1] |= packet->marker ? 0x80 : 0;
  put_u16 (out + 2, (guint16)seq);
  put_u32 (out + 4, packet->timestamp + self->timestamp_offset);
  if (template->twcc_at)
    put_u16 (out + template->twcc_at, twcc);
  if (template->level_at)
    out[template->level_at] = (guint8)packet->audio_level;
}

void
rtc_sender_prefetch (const RtcSender *self)
{
  for (gsize at = 0; at < sizeof (RtcSender); at += CACHE_LINE)
    rtc_prefetch ((const guint8 *)self + at);
}

gsize
rtc_sender_write (RtcSender *self, const RtcPacket *packet, RtcSrtpSender *srtp, guint16 *twcc, guint8 *out)
{
  const Template *template = &self->media[packet->audio_level >= 0];
  guint64 seq;

  if (G_UNLIKELY (packet->index != self->next_index || self->stats.packets_sent == 0))
    jump_to (self, packet->index);
  if (G_UNLIKELY (packet->added >= self->slice_end))
    turn_slices (self, packet->added);
  seq = packet->index + self->offset;
  write_header (self, template, packet, seq, *twcc, out);
  if (self->written)
    self->written[seq % N_WRITTEN] = (Written){(guint32)seq, (guint32)packet->added, *twcc};
  *twcc += template->twcc_at != 0;

  self->next_index = packet->index + 1;
  self->highest = seq;
  self->timestamp = packet->timestamp + self->timestamp_offset;
  self->pts = packet->pts;
  self->added = packet->added;
  self->slices[self->slice].bytes += packet->size + RTC_SENDER_OVERHEAD;
  self->stats.packets_sent++;
  self->stats.bytes_sent += packet->size;
  self->stats.header_bytes_sent += template->size;
  if (G_UNLIKELY (self->report_at < 0))
    self->report_at = packet->added;
  return rtc_srtp_sender_protect (srtp, out, template->size, packet->payload, packet->size, seq);
}

/* Packets that are sent again. */

/* Whether that packet had that number, and its TWCC number is known. */
static gboolean
is_as_written (const RtcSender *self, const RtcPacket *packet, guint64 seq)
{
  const Written *written = &self->written[seq % N_WRITTEN];

  return written->seq == (guint32)seq && written->added == (guint32)packet->added;
}

/* Whether nothing was ever sent with that number, of those after the first: it was skipped. */
static gboolean
was_left_out (const RtcSender *self, guint64 seq)
{
  return (gint32)(self->written[seq % N_WRITTEN].seq - (guint32)seq) < 0;
}

/* NULL: it is not there any more, was there before the viewer came, is not there yet, or cannot be sent again. */
static const RtcPacket *
find_lost (const RtcSender *self, RtcHistory *history, guint16 low, guint64 *seq)
{
  guint64 behind = (guint16)((guint16)self->highest - low);
  const RtcPacket *packet;

  if (behind > self->highest - self->first)
    return NULL;
  *seq = self->highest - behind;
  packet = rtc_history_get (history, *seq - self->offset);
  if (packet && self->written && !is_as_written (self, packet, *seq) && !was_left_out (self, *seq))
    return NULL;
  return packet;
}

/* Whether that is longer ago than a round trip, and then it is now. */
static gboolean
may_go_again (RtcSender *self, guint64 seq, gint64 now)
{
  guint32 interval = self->round_trip ? self->round_trip : RESEND_INTERVAL;
  Resent *resent;

  if (!self->resent) {
    self->resent = g_new (Resent, N_RESENT);
    memset (self->resent, 0xff, N_RESENT * sizeof (Resent));
  }
  resent = &self->resent[seq % N_RESENT];
  if (resent->seq == (guint32)seq && (guint32)now - resent->when < interval)
    return FALSE;
  *resent = (Resent){(guint32)seq, (guint32)now};
  return TRUE;
}

static gboolean
is_too_much (RtcSender *self, gsize size)
{
  guint64 bytes = 0, resent_bytes = size;
  guint resent_packets = 0;

  for (guint i = 0; i < N_SLICES; i++) {
    if (i != (self->slice + 1) % N_SLICES) /* the oldest */
      bytes += self->slices[i].bytes;
    resent_bytes += self->slices[i].resent_bytes;
    resent_packets += self->slices[i].resent_packets;
  }
  return resent_packets >= RTC_SENDER_MIN_RESENT && resent_bytes > bytes / 5;
}

/* RFC 4588, section 4: a packet of a stream of its own, in front of whose payload the number stands that it had. */
static gsize
write_rtx (RtcSender *self, const RtcPacket *packet, guint64 seq, RtcSrtpSender *srtp, guint16 *twcc)
{
  const Template *template = &self->rtx[packet->audio_level >= 0];
  guint8 *payload = self->space + template->size;
  guint64 rtx_seq = self->next_rtx++;

  write_header (self, template, packet, rtx_seq, *twcc, self->space);
  *twcc += template->twcc_at != 0;
  put_u16 (payload, (guint16)seq);
  if (packet->size > 0)
    memcpy (payload + OSN, packet->payload, packet->size);
  self->rtx_packets++;
  self->rtx_bytes += packet->size;
  self->stats.header_bytes_sent += template->size + OSN;
  return rtc_srtp_sender_protect (srtp, self->space, template->size, payload, OSN + packet->size, rtx_seq);
}

static gsize
write_again (RtcSender *self, const RtcPacket *packet, guint64 seq, RtcSrtpSender *srtp, guint16 *twcc)
{
  const Template *template = &self->media[packet->audio_level >= 0];
  Written *written = &self->written[seq % N_WRITTEN];

  if (was_left_out (self, seq)) {
    *written = (Written){(guint32)seq, (guint32)packet->added, *twcc};
    *twcc += template->twcc_at != 0;
  }
  write_header (self, template, packet, seq, written->twcc, self->space);
  self->stats.header_bytes_sent += template->size;
  return rtc_srtp_sender_protect (srtp, self->space, template->size, packet->payload, packet->size, seq);
}

static gsize
resend (RtcSender *self, const RtcPacket *packet, guint64 seq, RtcSrtpSender *srtp, guint16 *twcc)
{
  gsize size = packet->size + RTC_SENDER_OVERHEAD;

  if (self->space_size < size) {
    g_free (self->space);
    self->space = g_malloc (size);
    self->space_size = size;
  }
  self->slices[self->slice].resent_bytes += size;
  self->slices[self->slice].resent_packets++;
  self->stats.packets_sent++;
  self->stats.bytes_sent += packet->size;
  self->stats.retransmitted_packets_sent++;
  self->stats.retransmitted_bytes_sent += packet->size;
  if (self->config.rtx_payload >= 0)
    return write_rtx (self, packet, seq, srtp, twcc);
  return write_again (self, packet, seq, srtp, twcc);
}

guint
rtc_sender_take_nack (RtcSender *self, const RtcRtcpNack *nack, RtcHistory *history, RtcSrtpSender *srtp, guint16 *twcc,
    gint64 now, RtcSenderTransmit transmit, gpointer user_data)
{
  guint n_sent = 0;

  self->stats.nack_count++;
  if (self->stats.packets_sent == 0)
    return 0;
  if (now >= self->slice_end)
    turn_slices (self, now);
  for (guint i = 0; i < nack->n; i++) {
    guint64 seq;
    const RtcPacket *packet = find_lost (self, history, nack->seq[i], &seq);
    gsize size;

    if (!packet)
      continue;
    if (is_too_much (self, packet->size + RTC_SENDER_OVERHEAD))
      break;
    if (!may_go_again (self, seq, now))
      continue;
    size = resend (self, packet, seq, srtp, twcc);
    transmit (self->space, size, user_data);
    n_sent++;
  }
  return n_sent;
}

/* Reports. */

/* A machine that was busy makes a round trip look long, never short: what is longer counts little. */
static void
note_round_trip (RtcSender *self, gint64 trip)
{
  if (self->round_trip == 0 || trip < self->round_trip)
    self->round_trip = trip;
  else
    self->round_trip += (trip - self->round_trip) / 8;
}

/* RFC 3550, section 6.4.1: when it came, less when we sent ours, less how long it lay there. */
static void
measure_round_trip (RtcSender *self, const RtcRtcpReport *report, guint64 ntp_now)
{
  gint32 trip = (gint32)((guint32)(ntp_now >> 16) - report->last_sr - report->delay);

  if (report->last_sr == 0 || trip < -CLOCK_ERROR || trip > MAX_ROUND_TRIP)
    return;
  trip = MAX (trip, 1);
  note_round_trip (self, MAX (1, ((gint64)trip * G_USEC_PER_SEC) >> 16));
  self->stats.round_trip_time = trip / 65536.0;
  self->stats.total_round_trip_time += self->stats.round_trip_time;
  self->stats.round_trip_time_measurements++;
}

void
rtc_sender_take_report (RtcSender *self, const RtcRtcpReport *report, guint64 ntp_now)
{
  self->stats.has_report = TRUE;
  self->stats.packets_lost = report->packets_lost;
  self->stats.fraction_lost = report->fraction_lost / 256.0;
  self->stats.jitter = self->config.clock_rate ? (gdouble)report->jitter / self->config.clock_rate : 0;
  measure_round_trip (self, report, ntp_now);
}

void
rtc_sender_count_pli (RtcSender *self)
{
  self->stats.pli_count++;
}

gboolean
rtc_sender_take_fir (RtcSender *self, guint8 number)
{
  if (self->fir_number == number)
    return FALSE;
  self->fir_number = number;
  self->stats.fir_count++;
  return TRUE;
}

/* Of a time that is not longer than NTP can tell; both products fit. */
static guint32
to_ticks (gint64 microseconds, guint clock_rate)
{
  gint64 seconds = microseconds / G_USEC_PER_SEC, rest = microseconds % G_USEC_PER_SEC;

  return (guint32)(seconds * clock_rate + rest * clock_rate / G_USEC_PER_SEC);
}

static gint64
ntp_to_microseconds (gint64 ntp)
{
  return (ntp >> 32) * G_USEC_PER_SEC + (((ntp & 0xffffffff) * G_USEC_PER_SEC) >> 32);
}

static gsize
write_sdes (const RtcSender *self, guint8 *out)
{
  gsize length = strlen (self->cname);
  gsize size = 4 + (4 + 2 + length + 1 + 3) / 4 * 4; /* one byte of zero at least ends the list */

  memset (out, 0, size);
  out[0] = 2 << 6 | 1;
  out[1] = RTCP_SDES;
  put_u16 (out + 2, (guint16)(size / 4 - 1));
  put_u32 (out + 4, self->config.ssrc);
  out[8] = SDES_CNAME;
  out[9] = (guint8)length;
  memcpy (out + 10, self->cname, length);
  return size;
}

gsize
rtc_sender_write_report (RtcSender *self, guint64 ntp_at_0, guint64 ntp_now, gint64 now, guint8 *out)
{
  gint64 age; /* of what was captured last */

  if (self->stats.packets_sent == 0)
    return 0;
  if (self->pts >= 0)
    age = ntp_to_microseconds ((gint64)(ntp_now - ntp_at_0)) - self->pts;
  else
    age = now - self->added;
  out[0] = 2 << 6;
  out[1] = RTCP_SR;
  put_u16 (out + 2, SR_SIZE / 4 - 1);
  put_u32 (out + 4, self->config.ssrc);
  put_u32 (out + 8, (guint32)(ntp_now >> 32));
  put_u32 (out + 12, (guint32)ntp_now);
  put_u32 (out + 16, self->timestamp + to_ticks (age, self->config.clock_rate));
  put_u32 (out + 20, (guint32)(self->stats.packets_sent - self->rtx_packets));
  put_u32 (out + 24, (guint32)(self->stats.bytes_sent - self->rtx_bytes));
  return SR_SIZE + write_sdes (self, out + SR_SIZE);
}

gint64
rtc_sender_get_report_deadline (const RtcSender *self)
{
  return self->report_at;
}

void
rtc_sender_reported (RtcSender *self, gint64 now)
{
  self->report_at = now + (self->config.clock_rate == VIDEO_CLOCK_RATE ? VIDEO_REPORT_INTERVAL : AUDIO_REPORT_INTERVAL);
}

const RtcSenderStats *
rtc_sender_get_stats (const RtcSender *self)
{
  return &self->stats;
}
