/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <openssl/ssl.h>
#include <sys/time.h>

#include <glib.h>

G_BEGIN_DECLS

/* What stands between OpenSSL's DTLS and a machine: datagrams without a socket, and resending by a clock that the
 * machine is told. One thread. */
typedef struct
{
  const guint8 *input; /* what OpenSSL reads next; NULL when it was read */
  gsize input_size;
  void (*transmit) (const guint8 *datagram, gsize size, gpointer user_data);
  gpointer user_data;
  gboolean has_timer; /* rtc_dtls_wire_has_timer() */
  gboolean trial; /* of that function */
  gint64 now; /* microseconds; set before each call of OpenSSL */
  gint64 resend_at; /* -1: no flight waits for an answer */
  guint backoff;
  struct timeval *timer; /* OpenSSL's own; NULL: unknown */
} RtcDtlsWire;

/* In bytes: no datagram is larger. The smallest that WebRTC has to fit through (RFC 8831, section 5), less headers. */
#define RTC_DTLS_WIRE_MTU 1200

BIO_METHOD *rtc_dtls_wire_method_new (void);

/* OpenSSL reads the wall clock to know whether a flight is due again, and offers no way to tell it the time. But 3.0
 * and 3.1 show the BIO the very field that they compare with, not a copy. Whether it is so here is tried out, once for
 * each CONTEXT. FALSE: flights are resent by the wall clock, which does as well until somebody sets it. */
gboolean rtc_dtls_wire_has_timer (SSL_CTX *context, BIO_METHOD *method);

/* WIRE outlives SSL. FALSE: no memory. */
gboolean rtc_dtls_wire_connect (RtcDtlsWire *wire, SSL *ssl, BIO_METHOD *method);

/* After each call of OpenSSL: forgets resend_at when the flight was answered. */
void rtc_dtls_wire_update (RtcDtlsWire *wire, SSL *ssl);

/* Resends the flight, at resend_at. FALSE when OpenSSL gives up (it resends a flight twelve times). */
gboolean rtc_dtls_wire_resend (RtcDtlsWire *wire, SSL *ssl);

G_END_DECLS
