/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

#define CHECKSUM_AT 8

guint8 *
rtc_sctp_add_chunk (GByteArray *to, guint type, guint flags, gsize size)
{
  gsize at = to->len, padded = (size + 3) & ~(gsize)3;
  guint8 *chunk;

  g_byte_array_set_size (to, at + RTC_SCTP_CHUNK_HEADER + padded);
  chunk = to->data + at;
  chunk[0] = type;
  chunk[1] = flags;
  rtc_put_u16 (chunk + 2, RTC_SCTP_CHUNK_HEADER + size);
  memset (chunk + RTC_SCTP_CHUNK_HEADER, 0, padded);
  return chunk + RTC_SCTP_CHUNK_HEADER;
}

/* CRC-32c (RFC 9260, appendix A). */

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__ ((target ("sse4.2"))) static guint32
crc32c_of_the_cpu (const guint8 *data, gsize size)
{
  guint64 crc = 0xffffffff;

  for (; size >= 8; data += 8, size -= 8) {
    guint64 word;

    memcpy (&word, data, 8);
    crc = __builtin_ia32_crc32di (crc, word);
  }
  for (; size > 0; data++, size--)
    crc = __builtin_ia32_crc32qi (crc, *data);
  return ~(guint32)crc;
}
#endif

/* For four bits at a time. */
static guint32
crc32c_by_table (const guint8 *data, gsize size)
{
  static const guint32 table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
      0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  guint32 crc = 0xffffffff;

  for (; size > 0; data++, size--) {
    crc ^= *data;
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return ~crc;
}

guint32
rtc_sctp_crc32c (const guint8 *data, gsize size)
{
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports ("sse4.2"))
    return crc32c_of_the_cpu (data, size);
#endif
  return crc32c_by_table (data, size);
}

void
rtc_sctp_transmit (RtcSctp *self, guint8 *packet, gsize size, guint32 tag)
{
  guint32 sum;

  rtc_put_u16 (packet, self->config.local_port);
  rtc_put_u16 (packet + 2, self->config.remote_port);
  rtc_put_u32 (packet + 4, tag);
  memset (packet + CHECKSUM_AT, 0, 4);
  /* The lowest byte first, other than everything else. */
  sum = GUINT32_TO_LE (rtc_sctp_crc32c (packet, size));
  memcpy (packet + CHECKSUM_AT, &sum, sizeof (sum));
  self->stats.packets_sent++;
  self->events->transmit (packet, size, self->user_data);
}
