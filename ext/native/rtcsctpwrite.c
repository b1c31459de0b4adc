/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

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

static gboolean
cpu_has_crc32c (void)
{
  return __builtin_cpu_supports ("sse4.2");
}
#define HAVE_CPU_CRC32C
#endif

#if defined(__aarch64__) && defined(__GNUC__) && defined(__linux__)
__attribute__ ((target ("+crc"))) static guint32
crc32c_of_the_cpu (const guint8 *data, gsize size)
{
  guint32 crc = 0xffffffff;

  for (; size >= 8; data += 8, size -= 8) {
    guint64 word;

    memcpy (&word, data, 8);
    crc = __builtin_aarch64_crc32cx (crc, GUINT64_FROM_LE (word));
  }
  for (; size > 0; data++, size--)
    crc = __builtin_aarch64_crc32cb (crc, *data);
  return ~crc;
}

static gboolean
cpu_has_crc32c (void)
{
  return (getauxval (AT_HWCAP) & HWCAP_CRC32) != 0;
}
#define HAVE_CPU_CRC32C
#endif

typedef guint32 Table[8][256];

/* The first is what a byte makes of the rest; in each further one a byte of zeros comes behind it. */
static const Table *
get_table (void)
{
  static Table table;
  static gsize once;

  if (g_once_init_enter (&once)) {
    for (guint i = 0; i < 256; i++) {
      guint32 crc = i;

      for (guint bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
      table[0][i] = crc;
    }
    for (guint k = 1; k < 8; k++) {
      for (guint i = 0; i < 256; i++)
        table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
    }
    g_once_init_leave (&once, 1);
  }
  return (const Table *)&table;
}

/* Eight bytes at a time. */
guint32
rtc_sctp_crc32c_by_table (const guint8 *data, gsize size)
{
  const guint32 (*t)[256] = *get_table ();
  guint32 crc = 0xffffffff;

  for (; size >= 8; data += 8, size -= 8) {
    guint32 a, b;

    memcpy (&a, data, 4);
    memcpy (&b, data + 4, 4);
    a = GUINT32_FROM_LE (a) ^ crc;
    b = GUINT32_FROM_LE (b);
    crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^ t[3][b & 255] ^ t[2][b >> 8 & 255]
        ^ t[1][b >> 16 & 255] ^ t[0][b >> 24];
  }
  for (; size > 0; data++, size--)
    crc = crc >> 8 ^ t[0][(crc ^ *data) & 255];
  return ~crc;
}

guint32
rtc_sctp_crc32c (const guint8 *data, gsize size)
{
#ifdef HAVE_CPU_CRC32C
  if (cpu_has_crc32c ())
    return crc32c_of_the_cpu (data, size);
#endif
  return rtc_sctp_crc32c_by_table (data, size);
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
