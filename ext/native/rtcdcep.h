/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The messages by which a data channel is opened in band (RFC 8832). */

/* What follows a channel of any kind on the wire: 12 bytes before the label and the protocol, 65,535 of each. */
#define RTC_DCEP_HEADER 12
#define RTC_DCEP_MAX_STRING G_MAXUINT16

typedef enum
{
  RTC_DCEP_INVALID,
  RTC_DCEP_OPEN,
  RTC_DCEP_ACK,
} RtcDcepKind;

/* Section 5.1. */
typedef struct
{
  gboolean ordered;
  gint max_retransmits; /* -1: as many as it takes */
  gint max_lifetime; /* milliseconds; -1: for ever. At most one of the two is given. */
  guint16 priority; /* 128, 256, 512 or 1024, though any value is legal */
  gchar *label, *protocol; /* UTF-8, not NULL, without NUL */
} RtcDcepOpen;

/* OPEN is filled in for RTC_DCEP_OPEN, and to be cleared. Otherwise ERROR (nullable) is set to a text of what is wrong
 * (static). A string that has a NUL or is not UTF-8 is refused, as is a type that the RFC does not name. Limits
 * beyond 2^31-1 count as that. */
RtcDcepKind rtc_dcep_read (const guint8 *data, gsize size, RtcDcepOpen *open, const gchar **error);
void rtc_dcep_open_clear (RtcDcepOpen *open);

/* (transfer full): NULL when a string is longer than RTC_DCEP_MAX_STRING, or both limits are given. */
GBytes *rtc_dcep_write_open (const RtcDcepOpen *open);
GBytes *rtc_dcep_write_ack (void);

G_END_DECLS
