/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdtlsrecord.h"

#define HEADER_SIZE 13
#define FRAGMENT_HEADER_SIZE 12
#define MAX_PAYLOAD (16384 + 2048) /* RFC 5246, section 6.2.3 */
#define MAX_MESSAGE 8192
#define FATAL 2
#define CLOSE_NOTIFY 0
#define CLIENT_HELLO 1

/* RFC 5246, section 7.4; RFC 6347, section 4.3.2. Bit N: message type N. */
#define FROM_CLIENT (1 << 1 | 1 << 11 | 1 << 15 | 1 << 16)
#define HELLOS (1 << 1 | 1 << 2 | 1 << 3)
#define FROM_SERVER (1 << 2 | 1 << 3 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14)

static guint
read_16 (const guint8 *data)
{
  return data[0] << 8 | data[1];
}

static guint
read_24 (const guint8 *data)
{
  return data[0] << 16 | data[1] << 8 | data[2];
}

gboolean
rtc_dtls_record_next (const guint8 **data, gsize *size, RtcDtlsRecord *record)
{
  const guint8 *from = *data;
  gsize length;

  if (*size < HEADER_SIZE || from[0] < RTC_DTLS_RECORD_CHANGE_CIPHER || from[0] > RTC_DTLS_RECORD_DATA
      || from[1] != 0xfe)
    return FALSE;
  length = read_16 (from + 11);
  if (length > MAX_PAYLOAD || length > *size - HEADER_SIZE)
    return FALSE;
  record->data = from;
  record->size = HEADER_SIZE + length;
  record->payload = from + HEADER_SIZE;
  record->payload_size = length;
  record->type = from[0];
  record->epoch = read_16 (from + 3);
  *data += record->size;
  *size -= record->size;
  return TRUE;
}

/* A record holds one fragment of a handshake message, or several. */
static gboolean
fragments_are_plausible (const guint8 *data, gsize size, guint types)
{
  while (size > 0) {
    guint type, message, number, offset, length;

    if (size < FRAGMENT_HEADER_SIZE)
      return FALSE;
    type = data[0];
    message = read_24 (data + 1);
    number = read_16 (data + 4);
    offset = read_24 (data + 6);
    length = read_24 (data + 9);
    if (type > 31 || !(types & 1u << type) || message > MAX_MESSAGE || offset + length > message
        || length > size - FRAGMENT_HEADER_SIZE)
      return FALSE;
    /* Each side begins with a hello. */
    if (number == 0 && !(HELLOS & 1u << type))
      return FALSE;
    /* ServerHelloDone alone is empty; OpenSSL has no use for an empty fragment of anything else. */
    if (length == 0 && message != 0)
      return FALSE;
    data += FRAGMENT_HEADER_SIZE + length;
    size -= FRAGMENT_HEADER_SIZE + length;
  }
  return TRUE;
}

gboolean
rtc_dtls_record_is_plausible (const RtcDtlsRecord *record, gboolean from_client)
{
  if (record->epoch != 0 || record->payload_size == 0)
    return FALSE;
  if (record->type == RTC_DTLS_RECORD_CHANGE_CIPHER)
    return record->payload_size == 1 && record->payload[0] == 1;
  return record->type == RTC_DTLS_RECORD_HANDSHAKE
      && fragments_are_plausible (record->payload, record->payload_size, from_client ? FROM_CLIENT : FROM_SERVER);
}

guint8 *
rtc_dtls_record_renumber (const RtcDtlsRecord *record, guint64 number)
{
  guint8 *copy = g_memdup2 (record->data, record->size);

  for (guint i = 0; i < 6; i++)
    copy[5 + i] = number >> (8 * (5 - i));
  return copy;
}

gboolean
rtc_dtls_record_is_client_hello (const RtcDtlsRecord *record)
{
  return record->epoch == 0 && record->type == RTC_DTLS_RECORD_HANDSHAKE && record->payload_size > 0
      && record->payload[0] == CLIENT_HELLO;
}

gint
rtc_dtls_record_get_alert (const RtcDtlsRecord *record)
{
  if (record->epoch != 0 || record->type != RTC_DTLS_RECORD_ALERT || record->payload_size != 2)
    return -1;
  return record->payload[0] == FATAL || record->payload[1] == CLOSE_NOTIFY ? record->payload[1] : -1;
}
