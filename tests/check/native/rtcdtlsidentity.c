/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "dtlspair.h"
#include "core/rtcmessage.h"
#include "native/rtcdtlsidentity.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define SECOND ((gint64)G_USEC_PER_SEC)
#define DAY (24 * 60 * 60)

static gchar *
to_text (BIO *bio)
{
  char *data;
  long size = BIO_get_mem_data (bio, &data);
  gchar *text = g_strndup (data, size);

  BIO_free (bio);
  return text;
}

static gchar *
key_to_pem (EVP_PKEY *key, const gchar *passphrase)
{
  BIO *bio = BIO_new (BIO_s_mem ());

  g_assert_cmpint (
      PEM_write_bio_PrivateKey (bio, key, passphrase ? EVP_aes_128_cbc () : NULL, NULL, 0, NULL, (void *)passphrase),
      ==, 1);
  return to_text (bio);
}

static gchar *
certificate_to_pem (X509 *certificate)
{
  BIO *bio = BIO_new (BIO_s_mem ());

  g_assert_cmpint (PEM_write_bio_X509 (bio, certificate), ==, 1);
  return to_text (bio);
}

/* FROM, UNTIL: seconds from now. USAGE: (nullable): the key usage extension. */
static gchar *
certify (EVP_PKEY *key, glong from, glong until, const gchar *usage)
{
  X509 *certificate = X509_new ();
  X509_NAME *name = X509_get_subject_name (certificate);
  gboolean is_ed25519 = EVP_PKEY_is_a (key, "ED25519");
  gchar *pem;

  X509_set_version (certificate, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (certificate), 7);
  X509_gmtime_adj (X509_getm_notBefore (certificate), from);
  X509_gmtime_adj (X509_getm_notAfter (certificate), until);
  X509_NAME_add_entry_by_txt (name, "CN", MBSTRING_ASC, (const guint8 *)"camera.example", -1, -1, 0);
  X509_set_issuer_name (certificate, name);
  X509_set_pubkey (certificate, key);
  if (usage) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid (NULL, NULL, NID_key_usage, usage);

    g_assert_nonnull (extension);
    X509_add_ext (certificate, extension, -1);
    X509_EXTENSION_free (extension);
  }
  g_assert_cmpint (X509_sign (certificate, key, is_ed25519 ? NULL : EVP_sha256 ()), >, 0);
  pem = certificate_to_pem (certificate);
  X509_free (certificate);
  return pem;
}

static void
a_new_one (void)
{
  GError *error = NULL;
  RtcDtlsIdentity *identity = rtc_dtls_identity_new (&error), *other = rtc_dtls_identity_new (&error);
  const gchar *fingerprint = rtc_dtls_identity_get_fingerprint (identity);
  X509 *certificate;

  g_assert_no_error (error);
  g_assert_true (g_regex_match_simple ("^sha-256 [0-9A-F]{2}(:[0-9A-F]{2}){31}$", fingerprint, 0, 0));
  g_assert_cmpstr (fingerprint, !=, rtc_dtls_identity_get_fingerprint (other));
  certificate = SSL_CTX_get0_certificate (identity->context);
  g_assert_cmpint (
      X509_cmp_timeframe (NULL, X509_get0_notBefore (certificate), X509_get0_notAfter (certificate)), ==, 0);
  g_assert_cmpint (ASN1_TIME_cmp_time_t (X509_get0_notBefore (certificate), time (NULL) - DAY + 60), <, 0);
  g_assert_cmpint (ASN1_TIME_cmp_time_t (X509_get0_notAfter (certificate), time (NULL) + 29 * DAY), >, 0);
  g_assert_true (rtc_dtls_identity_ref (identity) == identity);
  rtc_dtls_identity_unref (identity);
  rtc_dtls_identity_unref (identity);
  rtc_dtls_identity_unref (other);
}

static void
connect_with (const gchar *certificate, const gchar *key)
{
  for (guint i = 0; i < 2; i++) {
    GError *error = NULL;
    RtcDtlsIdentity *lasting = rtc_dtls_identity_new_from_pem (certificate, key, &error), *again;
    Pair *pair;

    g_assert_no_error (error);
    again = rtc_dtls_identity_new_from_pem (certificate, key, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (rtc_dtls_identity_get_fingerprint (lasting), ==, rtc_dtls_identity_get_fingerprint (again));
    pair = pair_new (1, i == 0 ? lasting : NULL, i == 1 ? lasting : NULL);
    pair_start_both (pair);
    pair_run (pair, SECOND);
    pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    pair_free (pair);
    rtc_dtls_identity_unref (lasting);
    rtc_dtls_identity_unref (again);
  }
}

static void
lasting_ones (void)
{
  EVP_PKEY *keys[] = {EVP_EC_gen ("P-256"), EVP_EC_gen ("P-384"), EVP_RSA_gen (2048)};

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree gchar *key = key_to_pem (keys[i], NULL), *certificate = certify (keys[i], -DAY, 3650L * DAY, NULL);
    g_autofree gchar *both = g_strconcat (certificate, key, NULL), *turned = g_strconcat (key, certificate, NULL);
    g_autofree gchar *chatty = g_strconcat ("Bag Attributes\n", key, "subject=x\n", certificate, NULL);
    g_autofree gchar *signs = certify (keys[i], -DAY, DAY, "critical,digitalSignature");

    connect_with (certificate, key);
    connect_with (both, NULL);
    connect_with (turned, NULL);
    connect_with (chatty, NULL);
    connect_with (signs, key);
    EVP_PKEY_free (keys[i]);
  }
}

/* openssl ecparam -genkey writes its parameters first, and the key in its old form. */
static void
a_key_of_ecparam (void)
{
  EVP_PKEY *pkey = EVP_EC_gen ("P-256");
  g_autofree gchar *certificate = certify (pkey, -DAY, DAY, NULL), *key = NULL, *both = NULL;
  BIO *bio = BIO_new (BIO_s_mem ());

  g_assert_cmpint (PEM_write_bio_Parameters (bio, pkey), ==, 1);
  g_assert_cmpint (PEM_write_bio_PrivateKey_traditional (bio, pkey, NULL, NULL, 0, NULL, NULL), ==, 1);
  key = to_text (bio);
  g_assert_true (g_str_has_prefix (key, "-----BEGIN EC PARAMETERS-----"));
  g_assert_nonnull (strstr (key, "-----BEGIN EC PRIVATE KEY-----"));
  both = g_strconcat (key, certificate, NULL);
  connect_with (certificate, key);
  connect_with (both, NULL);
  EVP_PKEY_free (pkey);
}

static void
refuse (const gchar *certificate, const gchar *key, const gchar *expected)
{
  GError *error = NULL;

  g_assert_null (rtc_dtls_identity_new_from_pem (certificate, key, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
  g_test_message ("%s", error->message);
  if (!strstr (error->message, expected))
    g_error ("expected something about \"%s\", got: %s", expected, error->message);
  g_assert_cmpuint (ERR_peek_error (), ==, 0);
  g_error_free (error);
  /* Without anyone who wants to know. */
  g_assert_null (rtc_dtls_identity_new_from_pem (certificate, key, NULL));
}

static void
each_bad_pem_has_its_message (void)
{
  EVP_PKEY *pkey = EVP_EC_gen ("P-256"), *other = EVP_EC_gen ("P-256");
  g_autofree gchar *key = key_to_pem (pkey, NULL), *good = certify (pkey, -DAY, DAY, NULL);
  g_autofree gchar *expired = certify (pkey, -10 * DAY, -DAY, NULL), *early = certify (pkey, DAY, 2 * DAY, NULL);
  g_autofree gchar *usage = certify (pkey, -DAY, DAY, "critical,keyAgreement");
  g_autofree gchar *others = key_to_pem (other, NULL), *locked = key_to_pem (pkey, "secret");
  g_autofree gchar *damaged = g_strdup (good), *damaged_key = g_strdup (key), *cut = g_strndup (good, 200);
  g_autofree gchar *huge = g_strnfill (70000, '-'), *both = g_strconcat (good, locked, NULL);

  memset (damaged + 60, 'A', 100);
  memset (damaged_key + 40, '*', 40);
  refuse (NULL, NULL, "No certificate was given");
  refuse ("", key, "No certificate was given");
  refuse (good, "", "No certificate's key was given");
  refuse ("/etc/ssl/camera.pem", key, "The certificate is not PEM text");
  refuse ("\x30\x82\x01", key, "The certificate is not PEM text");
  refuse (good, "key.pem", "The certificate's key is not PEM text");
  refuse (huge, key, "longer than 65536 bytes");
  refuse (key, good, "interchanged");
  refuse (damaged, key, "The certificate's PEM block is damaged");
  refuse (cut, key, "The certificate's PEM block is damaged");
  refuse (good, NULL, "no block -----BEGIN PRIVATE KEY-----");
  refuse (good, damaged_key, "PEM block of the certificate's key is damaged");
  refuse (good, locked, "encrypted with a passphrase");
  refuse (both, NULL, "encrypted with a passphrase");
  refuse (good, others, "does not belong to the certificate");
  refuse (expired, key, "expired at ");
  refuse (early, key, "not valid before ");
  refuse (usage, key, "digital signatures");
  EVP_PKEY_free (pkey);
  EVP_PKEY_free (other);
}

static void
refuse_key (EVP_PKEY *pkey, const gchar *expected)
{
  g_autofree gchar *key = key_to_pem (pkey, NULL), *certificate = certify (pkey, -DAY, DAY, NULL);

  refuse (certificate, key, expected);
  EVP_PKEY_free (pkey);
}

static void
keys_that_browsers_do_not_take (void)
{
  refuse_key (EVP_RSA_gen (1024), "RSA key has 1024 bits");
  refuse_key (EVP_EC_gen ("secp256k1"), "on the curve secp256k1");
  refuse_key (EVP_PKEY_Q_keygen (NULL, NULL, "ED25519"), "of the kind ED25519");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dtlsidentity/a_new_one", a_new_one);
  g_test_add_func ("/dtlsidentity/lasting_ones", lasting_ones);
  g_test_add_func ("/dtlsidentity/a_key_of_ecparam", a_key_of_ecparam);
  g_test_add_func ("/dtlsidentity/each_bad_pem_has_its_message", each_bad_pem_has_its_message);
  g_test_add_func ("/dtlsidentity/keys_that_browsers_do_not_take", keys_that_browsers_do_not_take);
  return g_test_run ();
}
