/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdtlsfingerprint.h"

#include <string.h>

#include "core/rtcmessage.h"

static const struct
{
  const gchar *name;
  const EVP_MD *(*algorithm) (void);
} hashes[] = {
    {"sha-512", EVP_sha512},
    {"sha-384", EVP_sha384},
    {"sha-256", EVP_sha256},
    {"sha-224", EVP_sha224},
    {"sha-1", EVP_sha1},
};

/* NULL: of another hash. */
static const gchar *
digits_of (const gchar *fingerprint, guint hash)
{
  gsize length = strlen (hashes[hash].name);

  if (g_ascii_strncasecmp (fingerprint, hashes[hash].name, length) != 0 || fingerprint[length] != ' ')
    return NULL;
  fingerprint += length;
  return fingerprint + strspn (fingerprint, " ");
}

void
rtc_dtls_fingerprints_init (RtcDtlsFingerprints *self, gchar **fingerprints)
{
  GPtrArray *found = g_ptr_array_new ();

  memset (self, 0, sizeof (*self));
  for (guint hash = 0; fingerprints && hash < G_N_ELEMENTS (hashes) && found->len == 0; hash++) {
    self->hash = hash;
    for (guint i = 0; fingerprints[i]; i++) {
      const gchar *digits = digits_of (fingerprints[i], hash);

      if (digits)
        g_ptr_array_add (found, g_strdup (digits));
    }
  }
  g_ptr_array_add (found, NULL);
  self->digits = (gchar **)g_ptr_array_free (found, FALSE);
}

void
rtc_dtls_fingerprints_clear (RtcDtlsFingerprints *self)
{
  g_clear_pointer (&self->digits, g_strfreev);
  g_clear_error (&self->error);
}

/* "AB:CD:.."; "none" when there is no certificate. */
static void
write_digits (X509 *certificate, const EVP_MD *algorithm, gchar text[3 * EVP_MAX_MD_SIZE])
{
  guint8 digest[EVP_MAX_MD_SIZE];
  guint size;

  if (!certificate || !X509_digest (certificate, algorithm, digest, &size)) {
    g_strlcpy (text, "none", 5);
    return;
  }
  for (guint i = 0; i < size; i++)
    g_snprintf (text + 3 * i, 4, i + 1 < size ? "%02X:" : "%02X", digest[i]);
}

int
rtc_dtls_fingerprints_verify (X509_STORE_CTX *store, void *unused)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data (store, SSL_get_ex_data_X509_STORE_CTX_idx ());
  RtcDtlsFingerprints *self = SSL_get_app_data (ssl);
  gchar actual[3 * EVP_MAX_MD_SIZE + 1];

  write_digits (X509_STORE_CTX_get0_cert (store), hashes[self->hash].algorithm (), actual);
  for (guint i = 0; self->digits && self->digits[i]; i++) {
    if (g_ascii_strcasecmp (self->digits[i], actual) == 0)
      return 1;
  }
  X509_STORE_CTX_set_error (store, X509_V_ERR_CERT_REJECTED);
  g_clear_error (&self->error);
  g_set_error (&self->error, RTC_ERROR, RTC_ERROR_FINGERPRINT_MISMATCH,
      "The peer's certificate is not the one that its description names (%s: expected %s, got %s). Somebody may be "
      "sitting between the two, or the signaling changed the description. The connection was ended before any media "
      "passed",
      self->digits && self->digits[0] ? hashes[self->hash].name : "no known hash",
      self->digits && self->digits[0] ? self->digits[0] : "sha-256, sha-384 or sha-512", actual);
  return 0;
}
