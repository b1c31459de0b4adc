/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsrtp.h"

#include <openssl/crypto.h>
#include <string.h>

#include "rtcsrtpcipher.h"

#define WINDOW 1024 /* packets */
#define LAST_RTCP_INDEX 0x7fffffffu

/* What came of one SSRC. Bit I % WINDOW belongs to index I; that of an index that is not yet in the window is anything.
 */
typedef struct
{
  guint64 highest; /* index */
  guint64 heard; /* the table's counter when a packet last came */
  guint64 seen[WINDOW / 64];
} Stream;

/* Found by SSRC, in a handful of cache lines; streams are few or one as a rule, and then it is the one before. */
typedef struct
{
  guint32 ssrcs[RTC_SRTP_MAX_SSRCS];
  guint n, room, last; /* last: where the one before was */
  guint64 clock; /* packets taken */
  Stream *streams; /* n of them, in an array for room */
} Table;

struct _RtcSrtpSender
{
  RtcSrtpCipher rtp, rtcp;
  guint32 rtcp_index;
};

struct _RtcSrtpReceiver
{
  RtcSrtpCipher rtp, rtcp;
  Table rtp_streams, rtcp_streams;
};

const gchar *
rtc_srtp_profile_to_string (RtcSrtpProfile profile)
{
  return profile == RTC_SRTP_AEAD_AES_128_GCM ? "SRTP_AEAD_AES_128_GCM" : "SRTP_AES128_CM_SHA1_80";
}

static void
init_ciphers (RtcSrtpCipher *rtp, RtcSrtpCipher *rtcp, const RtcSrtpKeys *keys, gboolean encrypt)
{
  RtcSrtpSessionKeys session;

  rtc_srtp_derive (keys, FALSE, &session);
  rtc_srtp_cipher_init (rtp, keys->profile, &session, encrypt);
  rtc_srtp_derive (keys, TRUE, &session);
  rtc_srtp_cipher_init (rtcp, keys->profile, &session, encrypt);
  OPENSSL_cleanse (&session, sizeof (session));
}

RtcSrtpSender *
rtc_srtp_sender_new (const RtcSrtpKeys *keys)
{
  RtcSrtpSender *sender = g_new0 (RtcSrtpSender, 1);

  init_ciphers (&sender->rtp, &sender->rtcp, keys, TRUE);
  return sender;
}

void
rtc_srtp_sender_free (RtcSrtpSender *sender)
{
  rtc_srtp_cipher_clear (&sender->rtp);
  rtc_srtp_cipher_clear (&sender->rtcp);
  g_free (sender);
}

gsize
rtc_srtp_sender_protect (
    RtcSrtpSender *sender, guint8 *packet, gsize header_size, const guint8 *payload, gsize payload_size, guint64 index)
{
  return rtc_srtp_cipher_seal_rtp (&sender->rtp, packet, header_size, payload, payload_size, index);
}

gsize
rtc_srtp_sender_protect_rtcp (RtcSrtpSender *sender, guint8 *packet, gsize size)
{
  g_return_val_if_fail (size >= RTC_SRTCP_MIN_HEADER, 0);

  if (sender->rtcp_index > LAST_RTCP_INDEX)
    return 0;
  return rtc_srtp_cipher_seal_rtcp (&sender->rtcp, packet, size, RTC_SRTCP_ENCRYPTED | sender->rtcp_index++);
}

void
rtc_srtp_sender_set_rtcp_index (RtcSrtpSender *sender, guint32 index)
{
  sender->rtcp_index = index;
}

RtcSrtpReceiver *
rtc_srtp_receiver_new (const RtcSrtpKeys *keys)
{
  RtcSrtpReceiver *receiver = g_new0 (RtcSrtpReceiver, 1);

  init_ciphers (&receiver->rtp, &receiver->rtcp, keys, FALSE);
  return receiver;
}

void
rtc_srtp_receiver_free (RtcSrtpReceiver *receiver)
{
  rtc_srtp_cipher_clear (&receiver->rtp);
  rtc_srtp_cipher_clear (&receiver->rtcp);
  g_free (receiver->rtp_streams.streams);
  g_free (receiver->rtcp_streams.streams);
  g_free (receiver);
}

static Stream *
find_stream (Table *table, guint32 ssrc)
{
  if (table->last < table->n && table->ssrcs[table->last] == ssrc)
    return &table->streams[table->last];
  for (guint i = 0; i < table->n; i++) {
    if (table->ssrcs[i] == ssrc) {
      table->last = i;
      return &table->streams[i];
    }
  }
  return NULL;
}

/* An SSRC that has just shown to be authentic. */
static Stream *
add_stream (Table *table, guint32 ssrc, guint64 index)
{
  guint at = table->n;

  if (at == RTC_SRTP_MAX_SSRCS) {
    at = 0;
    for (guint i = 1; i < table->n; i++) {
      if (table->streams[i].heard < table->streams[at].heard)
        at = i;
    }
  } else {
    if (at == table->room) {
      table->room = MIN (MAX (2, 2 * table->room), RTC_SRTP_MAX_SSRCS);
      table->streams = g_renew (Stream, table->streams, table->room);
    }
    table->n++;
  }
  memset (&table->streams[at], 0, sizeof (Stream));
  table->streams[at].highest = index;
  table->ssrcs[at] = ssrc;
  table->last = at;
  return &table->streams[at];
}

static gboolean
is_replayed (const Stream *stream, guint64 index)
{
  if (index > stream->highest)
    return FALSE;
  if (stream->highest - index >= WINDOW)
    return TRUE;
  return stream->seen[index % WINDOW / 64] >> (index % 64) & 1;
}

/* Takes an authentic packet into account. STREAM: NULL if it is the first of its SSRC. */
static void
take (Table *table, Stream *stream, guint32 ssrc, guint64 index)
{
  if (!stream) {
    stream = add_stream (table, ssrc, index);
  } else if (index > stream->highest) {
    if (index - stream->highest >= WINDOW) {
      memset (stream->seen, 0, sizeof (stream->seen));
    } else {
      for (guint64 i = stream->highest + 1; i < index; i++)
        stream->seen[i % WINDOW / 64] &= ~((guint64)1 << (i % 64));
    }
    stream->highest = index;
  }
  stream->seen[index % WINDOW / 64] |= (guint64)1 << (index % 64);
  stream->heard = ++table->clock;
}

/* RFC 3711, section 3.3.1 and appendix A: the index with these low bits that is nearest to the highest one. There is
 * none below 0: then it is one ahead. */
static guint64
estimate_index (const Stream *stream, guint16 seq)
{
  guint64 index;

  if (!stream)
    return seq;
  index = (stream->highest & ~(guint64)0xffff) | seq;
  if (index > stream->highest + 0x8000 && index >= 0x10000)
    return index - 0x10000;
  if (index + 0x8000 < stream->highest)
    return index + 0x10000;
  return index;
}

/* 0 when the packet is none. */
static gsize
rtp_header_size (const guint8 *packet, gsize size)
{
  gsize header;

  if (size < RTC_SRTP_MIN_HEADER || packet[0] >> 6 != 2)
    return 0;
  header = RTC_SRTP_MIN_HEADER + 4 * (gsize)(packet[0] & 0x0f);
  if (packet[0] & 0x10) {
    if (size < header + 4)
      return 0;
    header += 4 + 4 * (gsize)(packet[header + 2] << 8 | packet[header + 3]);
  }
  return header;
}

static guint32
read_u32 (const guint8 *from)
{
  return (guint32)from[0] << 24 | from[1] << 16 | from[2] << 8 | from[3];
}

RtcSrtpResult
rtc_srtp_receiver_unprotect (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size)
{
  gsize tag_size = rtc_srtp_cipher_tag_size (&receiver->rtp), header_size = rtp_header_size (packet, *size);
  Stream *stream;
  guint64 index;
  guint32 ssrc;

  if (header_size == 0 || *size < header_size + tag_size || *size > G_MAXUINT16)
    return RTC_SRTP_MALFORMED;
  ssrc = read_u32 (packet + 8);
  stream = find_stream (&receiver->rtp_streams, ssrc);
  index = estimate_index (stream, packet[2] << 8 | packet[3]);
  if (stream && is_replayed (stream, index))
    return RTC_SRTP_REPLAYED;
  if (!rtc_srtp_cipher_open_rtp (&receiver->rtp, packet, header_size, *size, index))
    return RTC_SRTP_NOT_AUTHENTIC;
  take (&receiver->rtp_streams, stream, ssrc, index);
  *size -= tag_size;
  return RTC_SRTP_OK;
}

RtcSrtpResult
rtc_srtp_receiver_unprotect_rtcp (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size)
{
  gsize tag_size = rtc_srtp_cipher_tag_size (&receiver->rtcp), overhead = 4 + tag_size;
  gsize word_at;
  Stream *stream;
  guint32 ssrc, index;

  if (*size < RTC_SRTCP_MIN_HEADER + overhead || *size > G_MAXUINT16 || packet[0] >> 6 != 2)
    return RTC_SRTP_MALFORMED;
  word_at = *size - (receiver->rtcp.profile == RTC_SRTP_AEAD_AES_128_GCM ? 4 : overhead);
  index = read_u32 (packet + word_at) & ~RTC_SRTCP_ENCRYPTED;
  ssrc = read_u32 (packet + 4);
  stream = find_stream (&receiver->rtcp_streams, ssrc);
  if (stream && is_replayed (stream, index))
    return RTC_SRTP_REPLAYED;
  if (!rtc_srtp_cipher_open_rtcp (&receiver->rtcp, packet, *size))
    return RTC_SRTP_NOT_AUTHENTIC;
  take (&receiver->rtcp_streams, stream, ssrc, index);
  *size -= overhead;
  return RTC_SRTP_OK;
}
