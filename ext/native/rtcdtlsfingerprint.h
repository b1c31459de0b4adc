/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <openssl/ssl.h>

#include <glib.h>

G_BEGIN_DECLS

/* Which certificates a description vouches for (RFC 8122, section 5).
 *
 * Those of the strongest hash that we know count, and one of them has to match. The order is sha-512, sha-384, sha-256,
 * sha-224, sha-1. The RFC forbids md5 and md2 but not sha-1, and to pass for somebody else takes a second preimage,
 * which nobody can make for sha-1 either; so it is taken where a peer offers nothing better, as old gateways do. */
typedef struct
{
  guint hash;
  gchar **digits; /* "AB:CD:..", of that hash; owned */
  GError *error; /* why verify() refused; owned */
} RtcDtlsFingerprints;

/* FINGERPRINTS: "sha-256 AB:CD:..", upper or lower case. */
void rtc_dtls_fingerprints_init (RtcDtlsFingerprints *self, gchar **fingerprints);
void rtc_dtls_fingerprints_clear (RtcDtlsFingerprints *self);

/* For SSL_CTX_set_cert_verify_callback(), inside of the handshake: it takes the place of OpenSSL's look at who signed
 * the certificate and when. The SSL's app data is an RtcDtlsFingerprints. 0: refused, the handshake ends. */
int rtc_dtls_fingerprints_verify (X509_STORE_CTX *store, void *unused);

G_END_DECLS
