/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtchistory.h"
#include "rtcrtcp.h"
#include "rtcsrtp.h"

G_BEGIN_DECLS

/* One track as one viewer gets it: the header, the extensions and the numbers are his own, the payload is everyone's.
 * Pure. One thread. */
typedef struct _RtcSender RtcSender;

typedef struct
{
  guint32 ssrc, rtx_ssrc;
  gint payload, rtx_payload; /* rtx_payload -1: lost packets are sent again as they were (RFC 4585) */
  guint clock_rate; /* Hz */
  gchar mid[17];
  guint ext_mid, ext_twcc, ext_audio_level; /* RFC 8285 ids, one-byte form, 1 to 14; 0: not negotiated */
  /* Copied, RTC_SENDER_MAX_CNAME bytes of it; the same for all tracks, else they are not played in step (RFC 8834,
   * section 4.9). */
  const gchar *cname;
} RtcSenderConfig;

#define RTC_SENDER_MAX_CNAME 200

/* In the W3C's names and units (webrtc-stats, RTCOutboundRtpStreamStats and RTCRemoteInboundRtpStreamStats). */
typedef struct
{
  guint64 packets_sent, bytes_sent; /* bytes of payload; retransmissions counted */
  guint64 header_bytes_sent; /* RTP's with extensions, and RTX's numbers */
  guint64 retransmitted_packets_sent, retransmitted_bytes_sent;
  guint nack_count, pli_count, fir_count;
  /* what the viewer reported last */
  gboolean has_report;
  gint64 packets_lost;
  gdouble fraction_lost; /* 0 to 1 */
  gdouble jitter; /* seconds */
  gdouble round_trip_time; /* seconds; 0: not known yet */
  gdouble total_round_trip_time; /* seconds */
  guint round_trip_time_measurements;
} RtcSenderStats;

/* Numbers begin at random, sequence numbers below 2^15 so that a lost first packet cannot hide a rollover. */
RtcSender *rtc_sender_new (const RtcSenderConfig *config);
void rtc_sender_free (RtcSender *sender);

const RtcSenderConfig *rtc_sender_get_config (const RtcSender *sender);

/* Most that a packet grows beyond its payload: header, extensions, original sequence number, SRTP. */
#define RTC_SENDER_OVERHEAD 80

/* Writes PACKET, protected, to OUT (room for its payload and RTC_SENDER_OVERHEAD; more than the packet may be written
 * to). Packets come in the order of their indexes. Those that are left out show as a gap, of 1024 numbers at most; an
 * index that is not above the last begins a new history: a sequence number is never used for a second packet. TWCC: the
 * number of the next packet of this viewer, of whatever track; counted up when it was used. Returns: the size. */
gsize rtc_sender_write (RtcSender *sender, const RtcPacket *packet, RtcSrtpSender *srtp, guint16 *twcc, guint8 *out);

/* Asks for the memory that the next rtc_sender_write() reads, without a wait. */
void rtc_sender_prefetch (const RtcSender *sender);

/* Gets each packet that rtc_sender_take_nack() sends again. DATA is borrowed for the call. */
typedef void (*RtcSenderTransmit) (const guint8 *data, gsize size, gpointer user_data);

/* The viewer lacks packets (RFC 4585, section 6.2.1) of HISTORY, where the last one of rtc_sender_write() is from. What
 * is gone from there, or is from before the viewer came, is passed over. With RTX (RFC 4588) packets have the next TWCC
 * number. Without, they are the same to the last bit as before, for SRTP must not encrypt two packets under one number;
 * those of which the TWCC number is forgotten (1024 are remembered) are passed over, too. What was left out of
 * rtc_sender_write() goes for the first time then. Each is sent again at most
 * once a round trip (100 ms while that is not known; one that is longer than those before counts an eighth), and all
 * together make at most a fifth of what was sent in the last second, or RTC_SENDER_MIN_RESENT packets where that is
 * more, so that a viewer who asks for all of it again and again costs little. NOW: microseconds, on the clock of
 * RtcPacket.added. Returns: how many were sent. */
#define RTC_SENDER_MIN_RESENT 16
guint rtc_sender_take_nack (RtcSender *sender, const RtcRtcpNack *nack, RtcHistory *history, RtcSrtpSender *srtp,
    guint16 *twcc, gint64 now, RtcSenderTransmit transmit, gpointer user_data);

/* A report block about our SSRC. NTP_NOW: our wall clock as NTP's 64 bits, the same that writes reports. A round trip
 * that is below 0 or above 10 s is not believed. */
void rtc_sender_take_report (RtcSender *sender, const RtcRtcpReport *report, guint64 ntp_now);

void rtc_sender_count_pli (RtcSender *sender);

/* Returns whether it asks for another key frame: one with the NUMBER of the one before is that one, sent again (RFC
 * 5104, section 4.3.1.2), and not counted. */
gboolean rtc_sender_take_fir (RtcSender *sender, guint8 number);

/* Writes a sender report with SDES (RFC 3550, section 6.4.1), plain, to OUT (at least RTC_RTCP_MAX_REPORT bytes).
 * NTP_AT_0: NTP's 64 bits at running time 0, the same for all tracks: what was captured at the same time has the same
 * NTP time in all of them. NOW: NTP_NOW on the clock of RtcPacket.added, which counts when it is not known when the
 * last packet was captured. Returns: its size; 0 when nothing was sent yet. */
gsize rtc_sender_write_report (RtcSender *sender, guint64 ntp_at_0, guint64 ntp_now, gint64 now, guint8 *out);

/* When the next report is due: at once with the first packet, then each second for video (90 kHz) and 5 for audio (RFC
 * 3550, section 6.2, with the minimum of RFC 4585). -1: nothing was sent yet. */
gint64 rtc_sender_get_report_deadline (const RtcSender *sender);
void rtc_sender_reported (RtcSender *sender, gint64 now);

const RtcSenderStats *rtc_sender_get_stats (const RtcSender *sender);

G_END_DECLS
