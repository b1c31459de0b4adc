/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* GstRTCPBuffer reads RTCP too, but not what strangers send: it asks for padding by fours where libwebrtc pads its
 * TWCC by one to three, takes report blocks out of the packet behind when the count is larger than the packet, counts
 * padding as feedback, and wants a GstBuffer around each datagram. The tests hold this reader against it where both
 * must agree. */

#include "rtcrtcp.h"
#include "rtcbytes.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <string.h>

#define HEADER_SIZE 4
#define REPORT_SIZE 24
#define SENDER_INFO_SIZE 20
#define FEEDBACK_SIZE 8 /* sender and media source, RFC 4585, section 6.1 */
#define NACK_ITEM_NUMBERS 17 /* at most: one, and 16 behind it */
#define TWCC_HEADER_SIZE 8
#define TWCC_TICK 250 /* microseconds */
#define TWCC_REFERENCE_UNIT 64000 /* microseconds */

typedef struct
{
  const RtcRtcpFuncs *funcs;
  gpointer user_data;
  guint budget; /* of sequence numbers that the rest of the datagram may name */
} Reader;

/* One packet of the compound: what is behind the header, without the padding. */
typedef struct
{
  guint count;
  const guint8 *body;
  gsize size;
} Packet;

/* Reports. */

static gboolean
read_reports (Reader *self, const Packet *packet, gsize offset)
{
  RtcRtcpReport report;

  if (packet->size < offset || (packet->size - offset) / REPORT_SIZE < packet->count)
    return FALSE;
  report.sender_ssrc = rtc_get_u32 (packet->body);
  for (guint i = 0; self->funcs->report && i < packet->count; i++) {
    const guint8 *block = packet->body + offset + i * REPORT_SIZE;
    guint32 lost = rtc_get_u24 (block + 5);

    report.ssrc = rtc_get_u32 (block);
    report.fraction_lost = block[4];
    report.packets_lost = lost & 0x800000 ? (gint32)lost - 0x1000000 : (gint32)lost;
    report.highest_seq = rtc_get_u32 (block + 8);
    report.jitter = rtc_get_u32 (block + 12);
    report.last_sr = rtc_get_u32 (block + 16);
    report.delay = rtc_get_u32 (block + 20);
    self->funcs->report (&report, self->user_data);
  }
  return TRUE;
}

static gboolean
read_sender_report (Reader *self, const Packet *packet)
{
  const gsize offset = 4 + SENDER_INFO_SIZE;

  if (packet->size < offset || (packet->size - offset) / REPORT_SIZE < packet->count)
    return FALSE;
  if (self->funcs->sender_info) {
    const RtcRtcpSenderInfo info = {
        .ssrc = rtc_get_u32 (packet->body),
        .ntp = rtc_get_u64 (packet->body + 4),
        .rtp = rtc_get_u32 (packet->body + 12),
        .packets = rtc_get_u32 (packet->body + 16),
        .octets = rtc_get_u32 (packet->body + 20),
    };

    self->funcs->sender_info (&info, self->user_data);
  }
  return read_reports (self, packet, offset);
}

static gboolean
read_bye (Reader *self, const Packet *packet)
{
  if (packet->size / 4 < packet->count)
    return FALSE;
  for (guint i = 0; self->funcs->bye && i < packet->count; i++)
    self->funcs->bye (rtc_get_u32 (packet->body + 4 * i), self->user_data);
  return TRUE;
}

/* NACK. */

static void
flush_nack (Reader *self, RtcRtcpNack *nack)
{
  if (nack->n)
    self->funcs->nack (nack, self->user_data);
  nack->n = 0;
}

static gboolean
read_nack (Reader *self, guint32 ssrc, const guint8 *fci, gsize size)
{
  RtcRtcpNack nack;
  gsize most = size / 4 * NACK_ITEM_NUMBERS;

  if (size == 0 || size % 4 != 0 || most > self->budget)
    return FALSE;
  self->budget -= most;
  if (!self->funcs->nack)
    return TRUE;

  nack.ssrc = ssrc;
  nack.n = 0;
  for (; size > 0; fci += 4, size -= 4) {
    guint16 first = rtc_get_u16 (fci);
    guint16 following = rtc_get_u16 (fci + 2);

    if (nack.n + NACK_ITEM_NUMBERS > RTC_RTCP_MAX_NACK)
      flush_nack (self, &nack);
    nack.seq[nack.n++] = first;
    for (guint i = 0; i < 16; i++) {
      if (following & (1 << i))
        nack.seq[nack.n++] = first + i + 1;
    }
  }
  flush_nack (self, &nack);
  return TRUE;
}

/* TWCC. */

typedef struct
{
  const guint8 *at, *end; /* of the chunks that were not begun */
  guint chunk;
  guint left; /* symbols in it */
} Symbols;

/* 0: lost, 1 and 2: the bytes of the delta, 3: reserved; -1: there is no more. */
static gint
next_symbol (Symbols *self)
{
  while (self->left == 0) {
    if (self->end - self->at < 2)
      return -1;
    self->chunk = rtc_get_u16 (self->at);
    self->at += 2;
    if (!(self->chunk & 0x8000))
      self->left = self->chunk & 0x1fff;
    else
      self->left = self->chunk & 0x4000 ? 7 : 14;
  }
  self->left--;
  if (!(self->chunk & 0x8000))
    return (self->chunk >> 13) & 3;
  if (self->chunk & 0x4000)
    return (self->chunk >> (2 * self->left)) & 3;
  return (self->chunk >> self->left) & 1;
}

/* Where the deltas begin; NULL when they and the chunks do not fit the packet. */
static const guint8 *
find_deltas (Symbols symbols, guint n)
{
  const guint8 *end = symbols.end;
  gsize size = 0;

  for (guint i = 0; i < n; i++) {
    gint symbol = next_symbol (&symbols);

    if (symbol < 0 || symbol == 3)
      return NULL;
    size += symbol;
  }
  return size <= (gsize)(end - symbols.at) ? symbols.at : NULL;
}

static gint64
wrap_arrival (gint64 arrival)
{
  if (arrival < 0)
    return arrival + RTC_RTCP_TWCC_PERIOD;
  return arrival < RTC_RTCP_TWCC_PERIOD ? arrival : arrival - RTC_RTCP_TWCC_PERIOD;
}

static gboolean
read_twcc (Reader *self, guint32 ssrc, const guint8 *fci, gsize size)
{
  Symbols symbols = {.end = fci + size};
  const guint8 *deltas;
  RtcRtcpTwcc twcc;
  gint64 time;
  guint n;

  if (size < TWCC_HEADER_SIZE)
    return FALSE;
  n = rtc_get_u16 (fci + 2);
  if (n == 0 || n > self->budget)
    return FALSE;
  self->budget -= n;
  symbols.at = fci + TWCC_HEADER_SIZE;
  deltas = find_deltas (symbols, n);
  if (!deltas)
    return FALSE;
  if (!self->funcs->twcc)
    return TRUE;

  twcc.ssrc = ssrc;
  twcc.base = rtc_get_u16 (fci);
  time = (gint64)rtc_get_u24 (fci + 4) * TWCC_REFERENCE_UNIT;
  twcc.count = fci[7];
  twcc.n = 0;
  for (guint i = 0; i < n; i++) {
    gint symbol = next_symbol (&symbols);

    if (symbol == 1)
      time = wrap_arrival (time + *deltas * TWCC_TICK);
    else if (symbol == 2)
      time = wrap_arrival (time + (gint16)rtc_get_u16 (deltas) * TWCC_TICK);
    deltas += symbol;
    twcc.arrival[twcc.n++] = symbol ? time : -1;
    if (twcc.n == RTC_RTCP_MAX_TWCC || i + 1 == n) {
      self->funcs->twcc (&twcc, self->user_data);
      twcc.base += twcc.n;
      twcc.n = 0;
    }
  }
  return TRUE;
}

gint64
rtc_rtcp_twcc_elapsed (gint64 from, gint64 to)
{
  gint64 elapsed = to - from;

  if (elapsed >= RTC_RTCP_TWCC_PERIOD / 2)
    return elapsed - RTC_RTCP_TWCC_PERIOD;
  return elapsed < -RTC_RTCP_TWCC_PERIOD / 2 ? elapsed + RTC_RTCP_TWCC_PERIOD : elapsed;
}

static gboolean
read_transport_feedback (Reader *self, const Packet *packet)
{
  guint32 ssrc;

  if (packet->size < FEEDBACK_SIZE)
    return FALSE;
  ssrc = rtc_get_u32 (packet->body + 4);
  if (packet->count == GST_RTCP_RTPFB_TYPE_NACK)
    return read_nack (self, ssrc, packet->body + FEEDBACK_SIZE, packet->size - FEEDBACK_SIZE);
  if (packet->count == GST_RTCP_RTPFB_TYPE_TWCC)
    return read_twcc (self, ssrc, packet->body + FEEDBACK_SIZE, packet->size - FEEDBACK_SIZE);
  return TRUE;
}

/* Feedback about the payload. */

/* RFC 5104, section 4.3.1.1. */
static gboolean
read_fir (Reader *self, const guint8 *fci, gsize size)
{
  if (size == 0 || size % 8 != 0)
    return FALSE;
  for (gsize at = 0; self->funcs->fir && at < size; at += 8)
    self->funcs->fir (rtc_get_u32 (fci + at), fci[at + 4], self->user_data);
  return TRUE;
}

/* draft-alvestrand-rmcat-remb-03, section 2.2; other feedback of applications is skipped. */
static gboolean
read_application_feedback (Reader *self, const guint8 *fci, gsize size)
{
  guint exponent;
  guint64 mantissa;

  if (size < 4 || memcmp (fci, "REMB", 4) != 0)
    return TRUE;
  if (size < 8 || (size - 8) / 4 < fci[4])
    return FALSE;
  exponent = fci[5] >> 2;
  mantissa = rtc_get_u24 (fci + 5) & 0x3ffff;
  if (mantissa > G_MAXUINT64 >> exponent)
    mantissa = G_MAXUINT64;
  else
    mantissa <<= exponent;
  if (self->funcs->remb)
    self->funcs->remb (mantissa, self->user_data);
  return TRUE;
}

static gboolean
read_payload_feedback (Reader *self, const Packet *packet)
{
  const guint8 *fci;
  gsize size;

  if (packet->size < FEEDBACK_SIZE)
    return FALSE;
  fci = packet->body + FEEDBACK_SIZE;
  size = packet->size - FEEDBACK_SIZE;
  switch (packet->count) {
    case GST_RTCP_PSFB_TYPE_PLI:
      if (self->funcs->pli)
        self->funcs->pli (rtc_get_u32 (packet->body + 4), self->user_data);
      return TRUE;
    case GST_RTCP_PSFB_TYPE_FIR:
      return read_fir (self, fci, size);
    case GST_RTCP_PSFB_TYPE_AFB:
      return read_application_feedback (self, fci, size);
    default:
      return TRUE;
  }
}

/* The compound. */

static gboolean
read_packet (Reader *self, guint type, const Packet *packet)
{
  switch (type) {
    case GST_RTCP_TYPE_SR:
      return read_sender_report (self, packet);
    case GST_RTCP_TYPE_RR:
      return read_reports (self, packet, 4);
    case GST_RTCP_TYPE_BYE:
      return read_bye (self, packet);
    case GST_RTCP_TYPE_RTPFB:
      return read_transport_feedback (self, packet);
    case GST_RTCP_TYPE_PSFB:
      return read_payload_feedback (self, packet);
    default:
      return TRUE;
  }
}

gboolean
rtc_rtcp_read (const guint8 *data, gsize size, const RtcRtcpFuncs *funcs, gpointer user_data)
{
  Reader self = {funcs, user_data, RTC_RTCP_MAX_NUMBERS};

  if (size == 0)
    return FALSE;
  while (size > 0) {
    Packet packet;
    gsize length;

    if (size < HEADER_SIZE || data[0] >> 6 != GST_RTCP_VERSION)
      return FALSE;
    length = HEADER_SIZE + 4 * rtc_get_u16 (data + 2);
    if (length > size)
      return FALSE;
    packet.count = data[0] & 0x1f;
    packet.body = data + HEADER_SIZE;
    packet.size = length - HEADER_SIZE;
    /* RFC 3550 has it on the last packet only; wherever it is, it says how much of this one to leave out. */
    if (data[0] & 0x20) {
      guint padding = packet.size ? data[length - 1] : 0;

      if (padding == 0 || padding > packet.size)
        return FALSE;
      packet.size -= padding;
    }
    if (!read_packet (&self, data[1], &packet))
      return FALSE;
    data += length;
    size -= length;
  }
  return TRUE;
}

RtcDatagram
rtc_datagram_kind (const guint8 *data, gsize size)
{
  if (size < 2)
    return RTC_DATAGRAM_UNKNOWN;
  if (data[0] < 4)
    return RTC_DATAGRAM_STUN;
  if (data[0] >= 20 && data[0] < 64)
    return RTC_DATAGRAM_DTLS;
  if (data[0] >= 64 && data[0] < 80)
    return RTC_DATAGRAM_TURN;
  if (data[0] >= 128 && data[0] < 192)
    return data[1] >= 192 && data[1] < 224 ? RTC_DATAGRAM_RTCP : RTC_DATAGRAM_RTP;
  return RTC_DATAGRAM_UNKNOWN;
}
