/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtccert.h"
#include "core/rtcmessage.h"

#include <string.h>

/* Strongest first: RFC 8122 wants the strongest that both sides know to decide. */
static const struct
{
  const gchar *name;
  GChecksumType type;
} hashes[] = {
    {"sha-512", G_CHECKSUM_SHA512},
    {"sha-384", G_CHECKSUM_SHA384},
    {"sha-256", G_CHECKSUM_SHA256},
};

static guchar *
pem_to_der (const gchar *pem, gsize *length)
{
  static const gchar begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
  const gchar *from = pem ? strstr (pem, begin) : NULL, *to = from ? strstr (from, end) : NULL;
  gchar *base64;
  guchar *der;

  if (!to)
    return NULL;
  from += strlen (begin);
  base64 = g_strndup (from, to - from);
  der = g_base64_decode (base64, length);
  g_free (base64);
  return der;
}

static gchar *
fingerprint_of (const guchar *der, gsize length, GChecksumType type)
{
  gchar *digest = g_compute_checksum_for_data (type, der, length);
  GString *text = g_string_new (NULL);

  for (guint i = 0; digest[i]; i += 2)
    g_string_append_printf (text, "%s%c%c", i ? ":" : "", g_ascii_toupper (digest[i]), g_ascii_toupper (digest[i + 1]));
  g_free (digest);
  return g_string_free (text, FALSE);
}

gboolean
gst_rtc_certificate_check (const gchar *certificate, gchar **fingerprints, GError **error)
{
  gsize length = 0;
  guchar *der = pem_to_der (certificate, &length);
  gchar *actual = NULL;
  const gchar *expected = NULL, *hash = "no known hash";

  for (guint h = 0; der && !expected && h < G_N_ELEMENTS (hashes); h++) {
    for (guint i = 0; fingerprints[i]; i++) {
      gsize n = strlen (hashes[h].name);

      if (strncmp (fingerprints[i], hashes[h].name, n) || fingerprints[i][n] != ' ')
        continue;
      if (!actual)
        actual = fingerprint_of (der, length, hashes[h].type);
      hash = hashes[h].name;
      expected = fingerprints[i] + n + 1;
      if (strcmp (expected, actual) == 0) {
        g_free (der);
        g_free (actual);
        return TRUE;
      }
    }
  }
  g_set_error (error, RTC_ERROR, RTC_ERROR_FINGERPRINT_MISMATCH,
      "The peer's certificate is not the one that its description names (%s: expected %s, got %s). Somebody may be "
      "sitting between the two, or the signaling changed the description. The connection was ended before any media "
      "passed",
      hash, expected ? expected : "sha-256, sha-384 or sha-512", actual ? actual : "none");
  g_free (der);
  g_free (actual);
  return FALSE;
}
