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

/* Sequence numbers that NACK (17 an item, however many it names) and TWCC may name in one compound packet; one that
 * names more is malformed. It takes a few bytes to name a thousand, and more than the whole circle makes no sense. */
#define RTC_RTCP_MAX_NUMBERS 65536

#define RTC_RTCP_MAX_NACK 1024

/* RFC 4585, section 6.2.1. One that lists more is told in parts. */
typedef struct
{
  guint32 ssrc;
  guint n; /* at least 1 */
  guint16 seq[RTC_RTCP_MAX_NACK]; /* in the order of the packet; a peer may repeat itself */
} RtcRtcpNack;

#define RTC_RTCP_MAX_TWCC 2048
#define RTC_RTCP_TWCC_PERIOD (G_GINT64_CONSTANT (64000) << 24) /* microseconds */

/* Section 3.1 of the draft. One about more packets is told in parts: the same COUNT, BASE goes on. */
typedef struct
{
  guint32 ssrc; /* media source; 0 with some senders */
  guint8 count; /* of feedback messages */
  guint16 base; /* the transport-wide number that arrival[0] is about */
  guint n; /* at least 1 */

  /* When each came: the packet's reference time and the deltas up to it, added up. Microseconds, in steps of 250, of
   * the receiver's clock, whose zero is unknown; 0 to RTC_RTCP_TWCC_PERIOD - 1, and over again (the reference is taken
   * as unsigned): rtc_rtcp_twcc_elapsed() compares two. -1: did not come. */
  gint64 arrival[RTC_RTCP_MAX_TWCC];
} RtcRtcpTwcc;

/* Microseconds from one arrival to another, over a wrap too; negative when TO was first. Neither may be -1. */
gint64 rtc_rtcp_twcc_elapsed (gint64 from, gint64 to);

/* Any may be NULL. Structs are borrowed for the call. An SSRC may be anything, nobody checked whose it is. */
typedef struct
{
  void (*sender_info) (const RtcRtcpSenderInfo *info, gpointer user_data);
  void (*report) (const RtcRtcpReport *report, gpointer user_data);
  void (*nack) (const RtcRtcpNack *nack, gpointer user_data);
  void (*twcc) (const RtcRtcpTwcc *twcc, gpointer user_data);
  void (*pli) (guint32 ssrc, gpointer user_data);
  void (*fir) (guint32 ssrc, guint8 number, gpointer user_data); /* once for each SSRC that one names */
  void (*remb) (guint64 bitrate, gpointer user_data); /* bits a second; what is beyond 64 bits is G_MAXUINT64 */
  void (*bye) (guint32 ssrc, gpointer user_data); /* once for each SSRC that one names */
} RtcRtcpFuncs;

/* Reads one compound packet, reduced-size ones too (RFC 5506), already authenticated. What is unknown is skipped, XR,
 * SDES and APP too. FALSE when it is malformed; what came before the packet with the fault was told, of that one
 * nothing. FUNCS is borrowed for the call; its functions run inside it. */
gboolean rtc_rtcp_read (const guint8 *data, gsize size, const RtcRtcpFuncs *funcs, gpointer user_data);

/* What kind of datagram that is, as its first two bytes say (RFC 7983, section 7; RFC 5761, section 4). No more is
 * checked: whether it is a good one is its reader's matter. */
typedef enum
{
  RTC_DATAGRAM_UNKNOWN, /* ZRTP, QUIC, junk, nothing at all */
  RTC_DATAGRAM_STUN,
  RTC_DATAGRAM_DTLS,
  RTC_DATAGRAM_TURN,
  RTC_DATAGRAM_RTP,
  RTC_DATAGRAM_RTCP,
} RtcDatagram;

RtcDatagram rtc_datagram_kind (const guint8 *data, gsize size);

G_END_DECLS
