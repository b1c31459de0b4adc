/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* SRTP and SRTCP (RFC 3711, RFC 7714) on OpenSSL's EVP, without a lock, a clock or a socket. One thread a context.
 * Nothing is allocated for a packet, only for a new SSRC. (Debian's libsrtp2 is built on NSS, which costs 2 to 20 times
 * as much and holds a lock; it is what the tests compare with.) Without a key derivation rate and without MKI, as
 * DTLS-SRTP has it. */

typedef enum
{
  RTC_SRTP_AEAD_AES_128_GCM,
  RTC_SRTP_AES128_CM_SHA1_80,
} RtcSrtpProfile;

typedef struct
{
  RtcSrtpProfile profile;
  guint8 key[16];
  guint8 salt[14]; /* GCM uses the first 12 */
} RtcSrtpKeys;

/* The most that protection adds. */
#define RTC_SRTP_OVERHEAD 16
#define RTC_SRTCP_OVERHEAD 20

typedef enum
{
  RTC_SRTP_OK,
  RTC_SRTP_MALFORMED, /* no version 2, or too short for its header and a tag, or longer than a datagram */
  RTC_SRTP_NOT_AUTHENTIC, /* another key, changed under way, or of another rollover than is known of its SSRC */
  RTC_SRTP_REPLAYED, /* or older than the window of 1024 packets */
} RtcSrtpResult;

/* As OpenSSL and RFC 7714 spell it: "SRTP_AEAD_AES_128_GCM". (transfer none) */
const gchar *rtc_srtp_profile_to_string (RtcSrtpProfile profile);

/* What one side sends in one session: RTP of any number of SSRCs, and RTCP. */
typedef struct _RtcSrtpSender RtcSrtpSender;

/* KEYS are copied; the caller wipes its own. It takes 3 kB. */
RtcSrtpSender *rtc_srtp_sender_new (const RtcSrtpKeys *keys);
void rtc_srtp_sender_free (RtcSrtpSender *sender); /* wipes its keys */

/* PACKET begins with a complete RTP header with its extensions, HEADER_SIZE bytes, whose sequence number is the low 16
 * bits of INDEX (rollover counter and sequence number, RFC 3711, section 3.3.1; first 2^15 - 1 at most, always below
 * 2^48). PAYLOAD is encrypted into PACKET behind the header; it may be there already, at that very place, or it is
 * elsewhere and stays as it is; it may be empty. PACKET has room for RTC_SRTP_OVERHEAD bytes more. The caller never
 * uses an INDEX of an SSRC twice for packets that differ: with GCM that gives away the key of authentication. Returns:
 * the size of the packet, never 0. */
gsize rtc_srtp_sender_protect (
    RtcSrtpSender *sender, guint8 *packet, gsize header_size, const guint8 *payload, gsize payload_size, guint64 index);

/* A whole compound packet of at least 8 bytes, in place, with room for RTC_SRTCP_OVERHEAD bytes more. The index is
 * counted here, one for all SSRCs. Returns: its size; 0 after 2^31 packets, when the keys are spent. */
gsize rtc_srtp_sender_protect_rtcp (RtcSrtpSender *sender, guint8 *packet, gsize size);

/* What one side receives: any SSRC, at most RTC_SRTP_MAX_SSRCS of them with a state, of RTP and as many of RTCP. The
 * one that was silent longest is forgotten for a new one that is authentic; if it comes back, it is taken for new:
 * before its first rollover only, and what was received of it before can be replayed. So keep the SSRCs of a peer below
 * that. An SSRC that is new is taken to be before its first rollover, as it is when the keys are new. */
typedef struct _RtcSrtpReceiver RtcSrtpReceiver;

#define RTC_SRTP_MAX_SSRCS 64

/* As rtc_srtp_sender_new(); 3.5 kB, and 150 bytes an SSRC. */
RtcSrtpReceiver *rtc_srtp_receiver_new (const RtcSrtpKeys *keys);
void rtc_srtp_receiver_free (RtcSrtpReceiver *receiver); /* wipes its keys */

/* In place; SIZE becomes the size of the plain packet. What is not OK has changed nothing in the receiver, and SIZE is
 * as it was; what is in PACKET is undefined then, but never plain text. Contributing sources and header extensions are
 * not encrypted. RTCP that is authentic and not encrypted (the flag E is 0; RFC 3711, section 3.4) is OK. */
RtcSrtpResult rtc_srtp_receiver_unprotect (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size);
RtcSrtpResult rtc_srtp_receiver_unprotect_rtcp (RtcSrtpReceiver *receiver, guint8 *packet, gsize *size);

G_END_DECLS
