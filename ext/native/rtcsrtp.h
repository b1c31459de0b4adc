/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* SRTP and SRTCP (RFC 3711, RFC 7714) on OpenSSL's EVP, without a lock, a clock or a socket. One thread a context.
 * (Debian's libsrtp2 is built on NSS, which costs 5 to 26 microseconds a packet and holds a lock; it is what the tests
 * compare with.) */

typedef enum
{
  RTC_SRTP_AEAD_AES_128_GCM,
  RTC_SRTP_AES128_CM_SHA1_80,
} RtcSrtpProfile;

typedef struct
{
  RtcSrtpProfile profile;
  guint8 key[16];
  guint8 salt[14]; /* GCM uses 12 */
} RtcSrtpKeys;

/* The most that protection adds. */
#define RTC_SRTP_OVERHEAD 16
#define RTC_SRTCP_OVERHEAD 20

typedef enum
{
  RTC_SRTP_OK,
  RTC_SRTP_MALFORMED,
  RTC_SRTP_NOT_AUTHENTIC,
  RTC_SRTP_REPLAYED, /* or older than the window of 1024 packets */
} RtcSrtpResult;

const gchar *rtc_srtp_profile_to_string (RtcSrtpProfile profile);

/* What one side sends in one session: RTP of any number of SSRCs, and RTCP. */
typedef struct _RtcSrtpSender RtcSrtpSender;

RtcSrtpSender *rtc_srtp_sender_new (const RtcSrtpKeys *keys);
void rtc_srtp_sender_free (RtcSrtpSender *sender); /* wipes its keys */

/* PACKET begins with a complete RTP header with its extensions, HEADER_SIZE bytes, whose sequence number is the low 16
 * bits of INDEX (rollover counter and sequence number, RFC 3711, section 3.3.1; first 2^15 - 1 at most). PAYLOAD is
 * encrypted into PACKET behind the header; it may be there already. PACKET has room for RTC_SRTP_OVERHEAD bytes more.
 * The caller never uses an INDEX of an SSRC twice for packets that differ. Returns: the size of the packet. */
gsize rtc_srtp_sender_protect (
    RtcSrtpSender *sender, guint8 *packet, gsize header_size, const guint8 *payload, gsize payload_size, guint64 index);

/* A whole compound packet, in place, with room for RTC_SRTCP_OVERHEAD bytes more. The index is counted here.
 * Returns: its size; 0 after 2^31 packets, when the keys are spent. */
gsize rtc_srtp_sender_protect_rtcp (RtcSrtpSender *sender, guint8 *packet, gsize size);

/* What one side receives: any SSRC, at most RTC_SRTP_MAX_SSRCS of them with a state (the one that was silent longest is
 * forgotten for a new one that is authentic). */
typedef struct _RtcSrtpReceiver RtcSrtpReceiver;

#define RTC_SRTP_MAX_SSRCS 64

RtcSrtpReceiver *rtc_srtp_receiver_new (const RtcSrtpKeys *keys);
void rtc_srtp_receiver_free (RtcSrtpReceiver *receiver); /* wipes its keys */

/* In place; SIZE becomes the size of the plain packet. What is not OK has changed nothing in the receiver. */
RtcSrtpResult rtc_srtp_receiver_unprotect (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size);
RtcSrtpResult rtc_srtp_receiver_unprotect_rtcp (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size);

G_END_DECLS
