/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#include "rtcsrtp.h"

G_BEGIN_DECLS

/* DTLS 1.2 (RFC 6347, 5764, 8827) over OpenSSL, without a socket or a clock: datagrams and the time (microseconds,
 * monotonic) go in, datagrams and events come out through functions. One thread.
 *
 * Nothing that comes in the clear ends a handshake, unless it could be a message of the peer: no alert, no record that
 * makes no sense, no number. Who can write such messages can end it, as in all DTLS. Connected, a machine has 40 KB of
 * the heap, and at most 200 KB while somebody sends parts of messages. */

/* Our certificate, ECDSA P-256, and its key. Any thread; reference counted. */
typedef struct _RtcDtlsIdentity RtcDtlsIdentity;

/* A new one, valid from a day back for 30 days. NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED). */
RtcDtlsIdentity *rtc_dtls_identity_new (GError **error);

/* One that lasts: both as PEM text, in one string (KEY is NULL) or two; ECDSA with P-256 or P-384, or RSA of 2048 bits
 * and more, not encrypted, valid now. Of a chain the first certificate counts. NULL with ERROR (RTC_ERROR,
 * RTC_ERROR_SETUP_FAILED) that says which is wrong and how. */
RtcDtlsIdentity *rtc_dtls_identity_new_from_pem (const gchar *certificate, const gchar *key, GError **error);
RtcDtlsIdentity *rtc_dtls_identity_ref (RtcDtlsIdentity *identity);
void rtc_dtls_identity_unref (RtcDtlsIdentity *identity);

/* As a=fingerprint has it (RFC 8122): "sha-256 AB:CD:..", upper-case digits. (transfer none) */
const gchar *rtc_dtls_identity_get_fingerprint (RtcDtlsIdentity *identity);

typedef struct _RtcDtls RtcDtls;

typedef enum
{
  RTC_DTLS_NEW, /* nothing is sent; datagrams that come are kept (the last few) until start() */
  RTC_DTLS_HANDSHAKE,
  RTC_DTLS_CONNECTED, /* and the peer's certificate was checked */
  RTC_DTLS_CLOSED, /* by the peer's close_notify; or by rtc_dtls_close(), without an event */
  RTC_DTLS_FAILED,
} RtcDtlsState;

/* Called from inside take(), start(), tick(), send() and close(). They must not free the machine. Else they may call
 * it: take() keeps what it gets until the call that it came from is done (four datagrams, of at most 2048 bytes),
 * tick() does nothing, and inside of transmit() send() is FALSE and close() comes into force when OpenSSL has returned.
 */
typedef struct
{
  /* One datagram is to be sent. */
  void (*transmit) (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data);

  /* ERROR: (nullable): why, when FAILED; its code is RTC_ERROR_FINGERPRINT_MISMATCH when the certificate is not one
   * that the description vouches for, else RTC_ERROR_SETUP_FAILED.
   *
   * The side that is refused so is never CONNECTED either: it waits for the other's Finished, and gets an alert in the
   * clear, which might be forged. It is FAILED with RTC_ERROR_SETUP_FAILED when nothing better came for 3 s. */
  void (*state) (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data);

  /* Application data: one SCTP packet. Only while CONNECTED. */
  void (*data) (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data);
} RtcDtlsEvents;

/* Keeps EVENTS, which is not copied, and a reference to IDENTITY. OpenSSL's part (60 KB in a handshake) is made when
 * there is something to say: a server that waits costs nothing. */
RtcDtls *rtc_dtls_new (RtcDtlsIdentity *identity, const RtcDtlsEvents *events, gpointer user_data);
void rtc_dtls_free (RtcDtls *dtls); /* without close_notify */

/* The peer's description is known. Only the first call counts. A client sends its hello at once, so there should be a
 * path. FINGERPRINTS: copied; as gst_rtc_sdp_get_fingerprints() returns them, though the case of letters does not
 * matter. The certificate is compared with them inside of the handshake (RFC 8122, section 5: one match of the
 * strongest hash, of sha-512 to sha-1), before anything is sent or delivered. NULL or empty: none matches. */
void rtc_dtls_start (RtcDtls *dtls, gboolean is_server, gchar **fingerprints, gint64 now);

/* A datagram whose first byte is 20 to 63; any other is ignored. Before start() the last four of at most 2048 bytes are
 * kept: a browser's hello is two, and it sends it again and again. */
void rtc_dtls_take (RtcDtls *dtls, const guint8 *data, gsize size, gint64 now);

/* Call it at rtc_dtls_get_deadline(): resends a flight that was lost (50 ms, doubling to 4 s, from anew for each
 * flight), and fails after 30 s: of start(), but a server's count anew when the hello comes. */
void rtc_dtls_tick (RtcDtls *dtls, gint64 now);

/* -1: none. */
gint64 rtc_dtls_get_deadline (RtcDtls *dtls);

RtcDtlsState rtc_dtls_get_state (RtcDtls *dtls);

/* FALSE when not connected, or the peer agreed on no SRTP profile. The caller wipes what it got. */
gboolean rtc_dtls_get_srtp_keys (RtcDtls *dtls, RtcSrtpKeys *ours, RtcSrtpKeys *theirs);

/* One SCTP packet, of 1 to 2048 bytes. FALSE unless CONNECTED. */
gboolean rtc_dtls_send (RtcDtls *dtls, const guint8 *data, gsize size);

/* Between these much is sent or taken: buffers are kept that are given back otherwise. Any number of hold() may go with
 * one release(). */
void rtc_dtls_hold (RtcDtls *dtls);
void rtc_dtls_release (RtcDtls *dtls);

/* Sends close_notify, once, when the handshake was complete. Nothing is sent or delivered after it. */
void rtc_dtls_close (RtcDtls *dtls);

/* For stats: "DTLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"; NULL before CONNECTED. (transfer none) */
const gchar *rtc_dtls_get_version (RtcDtls *dtls);
const gchar *rtc_dtls_get_cipher (RtcDtls *dtls);

G_END_DECLS
