/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstrtcsctpsocket.h"
#include "rtcbytes.h"

#include <string.h>

#define HEADER 12
#define CHECKSUM_AT 8

/* RFC 9260 leaves it to the receiver what becomes of chunks that it does not know, and usrsctp does that well. These it
 * knows, and parses them though we agreed on none of them. */
static gboolean
is_unwanted (guint type)
{
  switch (type) {
    case SCTP_ECN_ECHO:
    case SCTP_ECN_CWR:
    case SCTP_AUTHENTICATION:
    case SCTP_NR_SELECTIVE_ACK:
    case SCTP_ASCONF:
    case SCTP_ASCONF_ACK:
    case SCTP_PACKET_DROPPED:
      return TRUE;
  }
  return FALSE;
}

gboolean
gst_rtc_sctp_packet_is_sound (const guint8 *data, gsize size)
{
  gsize at = HEADER;

  if (size < HEADER + 4)
    return FALSE;
  while (at < size) {
    gsize length;

    if (size - at < 4)
      return FALSE;
    length = rtc_get_u16 (data + at + 2);
    if (length < 4 || length > size - at || is_unwanted (data[at]))
      return FALSE;
    at += (length + 3) & ~(gsize)3;
  }
  return TRUE;
}

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

void
gst_rtc_sctp_write_checksum (guint8 *data, gsize size)
{
  guint32 sum;

  if (size < HEADER)
    return;
  memset (data + CHECKSUM_AT, 0, 4);
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports ("sse4.2")) {
    /* The lowest byte first: RFC 9260, appendix A. */
    sum = GUINT32_TO_LE (crc32c_of_the_cpu (data, size));
    memcpy (data + CHECKSUM_AT, &sum, sizeof (sum));
    return;
  }
#endif
  sum = usrsctp_crc32c (data, size);
  memcpy (data + CHECKSUM_AT, &sum, sizeof (sum));
}
