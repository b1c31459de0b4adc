/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcdtls.h"
#include "rtcfeedback.h"
#include "rtchistory.h"
#include "rtcsender.h"

G_BEGIN_DECLS

/* One peer's connection above ICE: DTLS, SRTP, what is sent to the peer on each m-line, and what its RTCP says. Pure:
 * datagrams and the time go in; datagrams, events and the next deadline come out. Two of them joined back to back
 * are a whole session. One thread. */
typedef struct _RtcEndpoint RtcEndpoint;

/* From inside the functions below; the endpoint must not be freed there. Structs are borrowed for the call. */
typedef struct
{
  /* One datagram is to be sent. */
  void (*transmit) (const guint8 *data, gsize size, gpointer user_data);

  /* See RtcDtlsEvents. CONNECTED: the SRTP keys are there, too. */
  void (*state) (RtcDtlsState state, const GError *error, gpointer user_data);

  /* Plain packets, authenticated. */
  void (*rtp) (guint8 *data, gsize size, gint64 now, gpointer user_data);
  void (*rtcp) (guint8 *data, gsize size, gint64 now, gpointer user_data);

  /* The peer cannot go on without a key frame on this line (PLI, FIR). */
  void (*key_frame_wanted) (guint mline, gpointer user_data);

  /* One SCTP packet. May be NULL. */
  void (*data) (const guint8 *data, gsize size, gpointer user_data);

  /* What the peer reports of what it gets, each may be NULL: a report block about a line (RFC 3550, section 6.4.1), the
   * packets of a line that it lacks, just before those that are there are sent again; what became of the packets of all
   * lines (TWCC); the most that it wants to get, in bits a second (REMB). */
  void (*report) (guint mline, const RtcRtcpReport *report, gpointer user_data);
  void (*nack) (guint mline, const RtcRtcpNack *nack, gpointer user_data);
  void (*feedback) (const RtcFeedbackReport *report, gpointer user_data);
  void (*remb) (guint64 bitrate, gpointer user_data);
} RtcEndpointEvents;

/* What came and went, for stats. */
typedef struct
{
  guint64 packets_received, bytes_received;
  guint64 packets_discarded; /* not authentic, replayed, malformed, or before the keys were there */
  guint64 packets_sent, bytes_sent; /* datagrams of all kinds */
  guint64 remb; /* bits a second, the last that the peer told; 0: none */
} RtcEndpointStats;

RtcEndpoint *rtc_endpoint_new (RtcDtlsIdentity *identity, const RtcEndpointEvents *events, gpointer user_data);
void rtc_endpoint_free (RtcEndpoint *endpoint);

/* A line that sends. HISTORY may follow when the first packet is there; it must outlive its place here. */
void rtc_endpoint_add_sender (RtcEndpoint *endpoint, guint mline, const RtcSenderConfig *config);
void rtc_endpoint_set_history (RtcEndpoint *endpoint, guint mline, RtcHistory *history);

/* NULL: the line does not send. */
RtcSender *rtc_endpoint_get_sender (RtcEndpoint *endpoint, guint mline);
RtcHistory *rtc_endpoint_get_history (RtcEndpoint *endpoint, guint mline);

/* There is no line with media: the peer need not agree on SRTP. Before start(). */
void rtc_endpoint_set_data_only (RtcEndpoint *endpoint);

/* The peer's description is known; see rtc_dtls_start(). */
void rtc_endpoint_start (RtcEndpoint *endpoint, gboolean is_server, gchar **fingerprints, gint64 now);

/* Takes a datagram that is not STUN; DATA is written to. NTP: our wall clock as NTP's 64 bits. Returns whether it was
 * an authentic packet of SRTP: the peer uses the path that it came on. */
gboolean rtc_endpoint_take (RtcEndpoint *endpoint, guint8 *data, gsize size, gint64 now, guint64 ntp);

/* To be called at the deadline (-1: none). NTP_AT_0: see rtc_sender_write_report(). */
gint64 rtc_endpoint_get_deadline (RtcEndpoint *endpoint);
void rtc_endpoint_tick (RtcEndpoint *endpoint, gint64 now, guint64 ntp, guint64 ntp_at_0);

/* Writes PACKET as this peer gets it to OUT (room for its payload and RTC_SENDER_OVERHEAD), to be sent by the caller.
 * Returns: the size; 0 when the peer gets nothing now. */
gsize rtc_endpoint_write (RtcEndpoint *endpoint, guint mline, const RtcPacket *packet, guint8 *out);

/* A plain packet with a transport-wide number came from the peer, whatever becomes of it above: its SSRC, the number,
 * when it came. The peer is told in time (rtc_endpoint_get_deadline(); see RtcTwcc). */
void rtc_endpoint_note_twcc (RtcEndpoint *endpoint, guint32 ssrc, guint16 number, gint64 now);

/* Asks for the memory that the next rtc_endpoint_write() reads, without a wait: with many viewers none of it is in a
 * cache any more when it is this one's turn. What is asked for lies behind four pointers, one behind the other: STEP is
 * 0 to RTC_ENDPOINT_PREFETCH_STEPS - 1, each about the writes of another viewer after the one before. */
#define RTC_ENDPOINT_PREFETCH_STEPS 4
void rtc_endpoint_prefetch (const RtcEndpoint *endpoint, guint step);

/* A plain compound packet of at most RTC_ENDPOINT_MAX_RTCP bytes, from the session that receives. */
#define RTC_ENDPOINT_MAX_RTCP 1400
void rtc_endpoint_send_rtcp (RtcEndpoint *endpoint, const guint8 *data, gsize size);

/* One SCTP packet. */
gboolean rtc_endpoint_send_data (RtcEndpoint *endpoint, const guint8 *data, gsize size);

/* Says good-bye (DTLS close_notify). */
void rtc_endpoint_close (RtcEndpoint *endpoint);

RtcDtls *rtc_endpoint_get_dtls (RtcEndpoint *endpoint);

/* NULL before CONNECTED, and when the peer agreed on none. */
const gchar *rtc_endpoint_get_srtp_profile (RtcEndpoint *endpoint);
const RtcEndpointStats *rtc_endpoint_get_stats (RtcEndpoint *endpoint);

/* NULL: the peer is sent no transport-wide numbers. */
const RtcFeedback *rtc_endpoint_get_feedback (RtcEndpoint *endpoint);

G_END_DECLS
