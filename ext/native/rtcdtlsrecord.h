/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The records of a datagram (RFC 6347, section 4.1), and which of those in the clear OpenSSL may see. It ends a
 * handshake for a single one that makes no sense, although nobody knows who sent it; section 4.1.2.7 lets us drop
 * them. */

typedef enum
{
  RTC_DTLS_RECORD_CHANGE_CIPHER = 20,
  RTC_DTLS_RECORD_ALERT = 21,
  RTC_DTLS_RECORD_HANDSHAKE = 22,
  RTC_DTLS_RECORD_DATA = 23,
} RtcDtlsRecordType;

typedef struct
{
  const guint8 *data; /* with its header */
  gsize size;
  const guint8 *payload;
  gsize payload_size;
  RtcDtlsRecordType type;
  guint epoch; /* 0: in the clear */
} RtcDtlsRecord;

/* Cuts the first record off the SIZE bytes at DATA, of which both are moved on. FALSE: there is none (any more). */
gboolean rtc_dtls_record_next (const guint8 **data, gsize *size, RtcDtlsRecord *record);

/* Whether a RECORD in the clear is part of a handshake that a peer could mean, as client when FROM_CLIENT: handshake
 * messages of kinds that this side sends in the clear, the first one a hello, complete fragments, of messages of at
 * most 8 KB (a longer one would reserve that much memory), or a change of the cipher. */
gboolean rtc_dtls_record_is_plausible (const RtcDtlsRecord *record, gboolean from_client);

/* Whether a RECORD in the clear has a part of a ClientHello. */
gboolean rtc_dtls_record_is_client_hello (const RtcDtlsRecord *record);

/* A copy of a RECORD in the clear with another sequence number, of 48 bits. A forged one of a high number would make
 * OpenSSL take all that come for replays; what is really new, the handshake's own numbers say. Free with g_free(). */
guint8 *rtc_dtls_record_renumber (const RtcDtlsRecord *record, guint64 number);

/* The alert of a RECORD in the clear that ends a connection: a fatal one, or close_notify (0). -1: none. */
gint rtc_dtls_record_get_alert (const RtcDtlsRecord *record);

G_END_DECLS
