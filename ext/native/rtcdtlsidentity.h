/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <openssl/ssl.h>

#include "rtcdtls.h"

G_BEGIN_DECLS

/* What rtcdtls.c needs of an identity, and tests. The public part is in rtcdtls.h. Nothing of it changes once it is
 * made, so any thread reads it. */
struct _RtcDtlsIdentity
{
  SSL_CTX *context; /* the settings that all connections share, with the certificate */
  BIO_METHOD *method; /* of rtcdtlswire.h */
  gboolean has_timer; /* rtc_dtls_wire_has_timer(); a test may turn it off before the first connection */
  gchar *fingerprint;
};

/* The most that rtc_dtls_send() takes, in bytes. It decides how large OpenSSL's buffer for writing is. */
#define RTC_DTLS_MAX_DATA 2048

G_END_DECLS
