/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* RTCP as plain structs (RFC 3550, 4585, 5104, TWCC: draft-holmer-rmcat-transport-wide-cc-extensions-01). Pure. */

#define RTC_RTCP_MAX_REPORT 256

typedef struct
{
  guint32 sender_ssrc, ssrc; /* who says it, and about whom */
  guint8 fraction_lost; /* of 256 */
  gint32 packets_lost;
  guint32 highest_seq; /* extended */
  guint32 jitter; /* in units of the RTP clock */
  guint32 last_sr, delay; /* LSR, DLSR in 1/65536 s */
} RtcRtcpReport;

typedef struct
{
  guint32 ssrc;
  guint64 ntp;
  guint32 rtp, packets, octets;
} RtcRtcpSenderInfo;

#define RTC_RTCP_MAX_NACK 1024

typedef struct
{
  guint32 ssrc;
  guint n;
  guint16 seq[RTC_RTCP_MAX_NACK];
} RtcRtcpNack;

#define RTC_RTCP_MAX_TWCC 2048

typedef struct
{
  guint32 ssrc; /* media source; 0 with some senders */
  guint8 count; /* of feedback messages */
  guint16 base;
  guint n;
  gint64 arrival[RTC_RTCP_MAX_TWCC]; /* microseconds of the receiver's clock, wraps every 2^24 * 64 ms; -1: lost */
} RtcRtcpTwcc;

/* Any may be NULL. Structs are borrowed for the call. */
typedef struct
{
  void (*sender_info) (const RtcRtcpSenderInfo *info, gpointer user_data);
  void (*report) (const RtcRtcpReport *report, gpointer user_data);
  void (*nack) (const RtcRtcpNack *nack, gpointer user_data);
  void (*twcc) (const RtcRtcpTwcc *twcc, gpointer user_data);
  void (*pli) (guint32 ssrc, gpointer user_data);
  void (*fir) (guint32 ssrc, guint8 number, gpointer user_data);
  void (*remb) (guint64 bitrate, gpointer user_data); /* bits a second */
  void (*bye) (guint32 ssrc, gpointer user_data);
} RtcRtcpFuncs;

/* Reads one compound packet, reduced-size ones too (RFC 5506), already authenticated. What is unknown is skipped.
 * FALSE when it is malformed; what came before the fault was told. */
gboolean rtc_rtcp_read (const guint8 *data, gsize size, const RtcRtcpFuncs *funcs, gpointer user_data);

/* What kind of datagram that is (RFC 7983, RFC 5761). */
typedef enum
{
  RTC_DATAGRAM_UNKNOWN,
  RTC_DATAGRAM_STUN,
  RTC_DATAGRAM_DTLS,
  RTC_DATAGRAM_TURN,
  RTC_DATAGRAM_RTP,
  RTC_DATAGRAM_RTCP,
} RtcDatagram;

RtcDatagram rtc_datagram_kind (const guint8 *data, gsize size);

G_END_DECLS
