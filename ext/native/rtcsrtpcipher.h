/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "rtcsrtp.h"

G_BEGIN_DECLS

/* The part of SRTP that has no memory: one packet, one index, one direction. For rtcsrtp.c, and for the tests: the
 * examples of RFC 7714 begin with session keys. Nothing is allocated but in rtc_srtp_cipher_init(). */

#define RTC_SRTP_MIN_HEADER 12
#define RTC_SRTCP_MIN_HEADER 8 /* the first packet's head and the SSRC of who sends, never encrypted */
#define RTC_SRTCP_ENCRYPTED 0x80000000u /* the flag E, in the word that has the index of SRTCP in its other 31 bits */

/* What is derived from a master key and salt for RTP, or for RTCP. */
typedef struct
{
  guint8 key[16];
  guint8 salt[14]; /* GCM uses 12 */
  guint8 auth[20]; /* not for GCM */
} RtcSrtpSessionKeys;

typedef struct
{
  RtcSrtpProfile profile;
  EVP_CIPHER_CTX *aes; /* keyed once; a packet only sets its IV */
  guint8 iv[16]; /* the salt, where it stands in an IV, and zeros */
  SHA_CTX inner, outer; /* HMAC-SHA1 after the block with the key: copied for each packet */
} RtcSrtpCipher;

/* RFC 3711, section 4.3, with a key derivation rate of 0; RFC 7714, section 11. OUT is to be wiped. */
void rtc_srtp_derive (const RtcSrtpKeys *keys, gboolean rtcp, RtcSrtpSessionKeys *out);

/* A cipher that only encrypts, or only decrypts. rtc_srtp_cipher_clear() wipes it. Ends the process, as GLib does when
 * memory is short, if OpenSSL has no AES. */
void
rtc_srtp_cipher_init (RtcSrtpCipher *cipher, RtcSrtpProfile profile, const RtcSrtpSessionKeys *keys, gboolean encrypt);
void rtc_srtp_cipher_clear (RtcSrtpCipher *cipher);

/* Bytes that authenticate a packet, the index of SRTCP not among them: 16 or 10. */
gsize rtc_srtp_cipher_tag_size (const RtcSrtpCipher *cipher);

/* As rtc_srtp_sender_protect(). */
gsize rtc_srtp_cipher_seal_rtp (
    RtcSrtpCipher *cipher, guint8 *packet, gsize header_size, const guint8 *payload, gsize payload_size, guint64 index);

/* WORD: the flag E and the index, as they are sent. PACKET has at least RTC_SRTCP_MIN_HEADER bytes and room for
 * RTC_SRTCP_OVERHEAD more. Returns: the size of the packet. */
gsize rtc_srtp_cipher_seal_rtcp (RtcSrtpCipher *cipher, guint8 *packet, gsize size, guint32 word);

/* In place. SIZE has the tag in it, and is at least HEADER_SIZE and a tag; for RTCP at least RTC_SRTCP_MIN_HEADER, a
 * tag and 4, and the flag E is in the packet. FALSE: not authentic, and then there is no plain text in PACKET: with GCM
 * what was encrypted is zeros now, otherwise PACKET is as it was. */
gboolean rtc_srtp_cipher_open_rtp (RtcSrtpCipher *cipher, guint8 *packet, gsize header_size, gsize size, guint64 index);
gboolean rtc_srtp_cipher_open_rtcp (RtcSrtpCipher *cipher, guint8 *packet, gsize size);

/* For tests: the index that the sender's next RTCP packet gets, up to 2^31, where the keys are spent. */
void rtc_srtp_sender_set_rtcp_index (RtcSrtpSender *sender, guint32 index);

G_END_DECLS
