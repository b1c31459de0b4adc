/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#include "rtcsrtp.h"

G_BEGIN_DECLS

/* DTLS 1.2 and later (RFC 6347, 5764, 8827) over OpenSSL, without a socket or a clock: datagrams and the time
 * (microseconds, monotonic) go in, datagrams and events come out through functions. One thread. */

/* Our certificate, ECDSA P-256, and its key. Any thread; reference counted. */
typedef struct _RtcDtlsIdentity RtcDtlsIdentity;

/* A new one, valid from a day back for 30 days. NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED). */
RtcDtlsIdentity *rtc_dtls_identity_new (GError **error);

/* One that lasts: both as PEM text, in one string or two. NULL with ERROR that says which is wrong and how. */
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
  RTC_DTLS_CLOSED, /* by the peer's close_notify */
  RTC_DTLS_FAILED,
} RtcDtlsState;

/* Called from inside take(), start(), tick() and send(). They must not free the machine. */
typedef struct
{
  /* One datagram is to be sent. */
  void (*transmit) (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data);

  /* ERROR: (nullable): why, when FAILED; its code is RTC_ERROR_FINGERPRINT_MISMATCH when the certificate is not one
   * that the description vouches for, else RTC_ERROR_SETUP_FAILED. */
  void (*state) (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data);

  /* Application data: one SCTP packet. */
  void (*data) (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data);
} RtcDtlsEvents;

RtcDtls *rtc_dtls_new (RtcDtlsIdentity *identity, const RtcDtlsEvents *events, gpointer user_data);
void rtc_dtls_free (RtcDtls *dtls);

/* The peer's description is known. FINGERPRINTS: as gst_rtc_sdp_get_fingerprints() returns them; the certificate is
 * compared with them inside of the handshake (RFC 8122, section 6.1: one match of the strongest hash), before
 * anything is sent or delivered. */
void rtc_dtls_start (RtcDtls *dtls, gboolean is_server, gchar **fingerprints, gint64 now);

/* A datagram whose first byte is 20 to 63. */
void rtc_dtls_take (RtcDtls *dtls, const guint8 *data, gsize size, gint64 now);

/* Call it at rtc_dtls_get_deadline(): resends a flight that was lost (50 ms, doubling to 4 s), and fails after 30 s. */
void rtc_dtls_tick (RtcDtls *dtls, gint64 now);

/* -1: none. */
gint64 rtc_dtls_get_deadline (RtcDtls *dtls);

RtcDtlsState rtc_dtls_get_state (RtcDtls *dtls);

/* FALSE when not connected, or the peer agreed on no SRTP profile. The caller wipes what it got. */
gboolean rtc_dtls_get_srtp_keys (RtcDtls *dtls, RtcSrtpKeys *ours, RtcSrtpKeys *theirs);

/* One SCTP packet. FALSE unless CONNECTED. */
gboolean rtc_dtls_send (RtcDtls *dtls, const guint8 *data, gsize size);

/* Sends close_notify, once, when there was a handshake. */
void rtc_dtls_close (RtcDtls *dtls);

/* For stats: "DTLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"; NULL before CONNECTED. (transfer none) */
const gchar *rtc_dtls_get_version (RtcDtls *dtls);
const gchar *rtc_dtls_get_cipher (RtcDtls *dtls);

G_END_DECLS
