/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdcep.h"
#include "rtcbytes.h"

#include <string.h>

/* RFC 8832, sections 5 and 8.2.1 and 8.2.2. */
#define TYPE_ACK 0x02
#define TYPE_OPEN 0x03
#define CHANNEL_RELIABLE 0x00
#define CHANNEL_REXMIT 0x01
#define CHANNEL_TIMED 0x02
#define CHANNEL_UNORDERED 0x80

/* NULL: not a string that can be shown or compared. */
static gchar *
read_string (const guint8 *data, gsize size)
{
  if (!g_utf8_validate_len ((const gchar *)data, size, NULL))
    return NULL;
  return g_strndup ((const gchar *)data, size);
}

static const gchar *
read_open (const guint8 *data, gsize size, RtcDcepOpen *open)
{
  gsize label, protocol;
  gint limit;

  if (size < RTC_DCEP_HEADER)
    return "DATA_CHANNEL_OPEN has less than 12 bytes";
  label = rtc_get_u16 (data + 8);
  protocol = rtc_get_u16 (data + 10);
  if (size != RTC_DCEP_HEADER + label + protocol)
    return "the lengths of label and protocol in DATA_CHANNEL_OPEN do not add up to its size";
  limit = MIN (rtc_get_u32 (data + 4), (guint32)G_MAXINT32);
  open->max_retransmits = open->max_lifetime = -1;
  switch (data[1] & ~CHANNEL_UNORDERED) {
    case CHANNEL_RELIABLE:
      break;
    case CHANNEL_REXMIT:
      open->max_retransmits = limit;
      break;
    case CHANNEL_TIMED:
      open->max_lifetime = limit;
      break;
    default:
      return "DATA_CHANNEL_OPEN has a channel type that RFC 8832 does not know";
  }
  open->ordered = !(data[1] & CHANNEL_UNORDERED);
  open->priority = rtc_get_u16 (data + 2);
  open->label = read_string (data + RTC_DCEP_HEADER, label);
  open->protocol = read_string (data + RTC_DCEP_HEADER + label, protocol);
  if (!open->label || !open->protocol) {
    rtc_dcep_open_clear (open);
    return "label or protocol in DATA_CHANNEL_OPEN is not UTF-8, or has a NUL in it";
  }
  return NULL;
}

RtcDcepKind
rtc_dcep_read (const guint8 *data, gsize size, RtcDcepOpen *open, const gchar **error)
{
  const gchar *wrong = "it has no type";

  memset (open, 0, sizeof (*open));
  if (size > 0 && data[0] == TYPE_ACK)
    return RTC_DCEP_ACK;
  if (size > 0)
    wrong = data[0] == TYPE_OPEN ? read_open (data, size, open) : "its type is neither OPEN nor ACK";
  if (!wrong)
    return RTC_DCEP_OPEN;
  if (error)
    *error = wrong;
  return RTC_DCEP_INVALID;
}

void
rtc_dcep_open_clear (RtcDcepOpen *open)
{
  g_clear_pointer (&open->label, g_free);
  g_clear_pointer (&open->protocol, g_free);
}

GBytes *
rtc_dcep_write_open (const RtcDcepOpen *open)
{
  gsize label = strlen (open->label), protocol = strlen (open->protocol);
  guint8 *data;
  guint type = open->ordered ? 0 : CHANNEL_UNORDERED, limit = 0;

  if (label > RTC_DCEP_MAX_STRING || protocol > RTC_DCEP_MAX_STRING)
    return NULL;
  if (open->max_retransmits >= 0 && open->max_lifetime >= 0)
    return NULL;
  if (open->max_retransmits >= 0) {
    type |= CHANNEL_REXMIT;
    limit = open->max_retransmits;
  } else if (open->max_lifetime >= 0) {
    type |= CHANNEL_TIMED;
    limit = open->max_lifetime;
  }
  data = g_malloc (RTC_DCEP_HEADER + label + protocol);
  data[0] = TYPE_OPEN;
  data[1] = type;
  rtc_put_u16 (data + 2, open->priority);
  rtc_put_u32 (data + 4, limit);
  rtc_put_u16 (data + 8, label);
  rtc_put_u16 (data + 10, protocol);
  memcpy (data + RTC_DCEP_HEADER, open->label, label);
  memcpy (data + RTC_DCEP_HEADER + label, open->protocol, protocol);
  return g_bytes_new_take (data, RTC_DCEP_HEADER + label + protocol);
}

GBytes *
rtc_dcep_write_ack (void)
{
  static const guint8 ack[] = {TYPE_ACK};

  return g_bytes_new_static (ack, sizeof (ack));
}
