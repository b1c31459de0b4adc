/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdtlswire.h"

#include <string.h>

#include <openssl/bio.h>

/* Twelve times 50 ms, doubled to 4 s, are 26 s, and OpenSSL gives up at the thirteenth. Browsers begin with 50 ms too;
 * RFC 6347, section 4.2.4.1, lets applications that know their paths go below its one second. */
#define FIRST_BACKOFF (50 * 1000)
#define MAX_BACKOFF (4 * 1000 * 1000)

/* OpenSSL looks at its timer whenever it reads. With this one it is never due by the wall clock. */
#define NEVER G_MAXUINT32

#define TRIAL_SECONDS 3600

/* How soon to look again when the wall clock, which has_timer is FALSE for, does not agree with ours. */
#define LOOK_AGAIN (5 * 1000)

static int
wire_write (BIO *bio, const char *data, int size)
{
  RtcDtlsWire *wire = BIO_get_data (bio);

  BIO_clear_retry_flags (bio);
  if (size > 0 && wire->transmit)
    wire->transmit ((const guint8 *)data, size, wire->user_data);
  return size;
}

static int
wire_read (BIO *bio, char *data, int size)
{
  RtcDtlsWire *wire = BIO_get_data (bio);
  gsize n;

  BIO_clear_retry_flags (bio);
  if (!wire->input) {
    BIO_set_retry_read (bio);
    return -1;
  }
  n = MIN (wire->input_size, (gsize)size);
  memcpy (data, wire->input, n);
  wire->input = NULL;
  return n;
}

static long
wire_ctrl (BIO *bio, int command, long number, void *pointer)
{
  RtcDtlsWire *wire = BIO_get_data (bio);

  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return RTC_DTLS_WIRE_MTU;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      if (wire->trial)
        ((struct timeval *)pointer)->tv_sec += TRIAL_SECONDS;
      if (wire->has_timer)
        wire->timer = pointer;
      return 1;
    default: /* BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: the MTU above is a datagram's */
      return 0;
  }
}

BIO_METHOD *
rtc_dtls_wire_method_new (void)
{
  BIO_METHOD *method = BIO_meth_new (BIO_TYPE_SOURCE_SINK, "rtc-dtls-wire");

  if (method) {
    BIO_meth_set_write (method, wire_write);
    BIO_meth_set_read (method, wire_read);
    BIO_meth_set_ctrl (method, wire_ctrl);
  }
  return method;
}

static guint
set_timer (SSL *ssl, guint previous)
{
  RtcDtlsWire *wire = BIO_get_data (SSL_get_rbio (ssl));

  wire->backoff = previous == 0 ? FIRST_BACKOFF : MIN (wire->backoff * 2, MAX_BACKOFF);
  wire->resend_at = wire->now + wire->backoff;
  return wire->has_timer ? NEVER : wire->backoff;
}

gboolean
rtc_dtls_wire_connect (RtcDtlsWire *wire, SSL *ssl, BIO_METHOD *method)
{
  BIO *bio = BIO_new (method);

  if (!bio)
    return FALSE;
  BIO_set_data (bio, wire);
  BIO_set_init (bio, 1);
  SSL_set_bio (ssl, bio, bio);
  DTLS_set_link_mtu (ssl, RTC_DTLS_WIRE_MTU);
  DTLS_set_timer_cb (ssl, set_timer);
  wire->resend_at = -1;
  wire->timer = NULL;
  return TRUE;
}

gboolean
rtc_dtls_wire_has_timer (SSL_CTX *context, BIO_METHOD *method)
{
  RtcDtlsWire wire = {.has_timer = TRUE, .trial = TRUE};
  SSL *ssl = SSL_new (context);
  struct timeval left = {0};
  gboolean found = FALSE;

  if (ssl && rtc_dtls_wire_connect (&wire, ssl, method)) {
    SSL_set_connect_state (ssl);
    SSL_do_handshake (ssl); /* makes a hello, which goes nowhere, and sets the timer */
    found = DTLSv1_get_timeout (ssl, &left) == 1 && left.tv_sec > NEVER / G_USEC_PER_SEC + TRIAL_SECONDS / 2;
  }
  SSL_free (ssl);
  return found;
}

void
rtc_dtls_wire_update (RtcDtlsWire *wire, SSL *ssl)
{
  struct timeval left;

  if (DTLSv1_get_timeout (ssl, &left) != 1)
    wire->resend_at = -1;
}

gboolean
rtc_dtls_wire_resend (RtcDtlsWire *wire, SSL *ssl)
{
  gint result;

  if (wire->timer) {
    wire->timer->tv_sec = 1; /* long past; 0 would mean that it is not set */
    wire->timer->tv_usec = 0;
  }
  result = DTLSv1_handle_timeout (ssl);
  if (result == 0)
    wire->resend_at = wire->now + LOOK_AGAIN;
  return result >= 0;
}
