/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdtlsidentity.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "core/rtcmessage.h"
#include "rtcdtlsfingerprint.h"
#include "rtcdtlswire.h"

#define DAY (24 * 60 * 60)
#define MAX_PEM (64 * 1024)
#define MIN_RSA_BITS 2048

/* AEAD only, the one that RFC 8827 demands first: ChaCha20, which OpenSSL would take, costs twice as much. */
#define CIPHERS \
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:" \
  "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"

/* As the server OpenSSL takes the first of these that the peer has, whatever the peer's order. */
#define SRTP_PROFILES "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"

/* Takes the newest of OpenSSL's errors, and forgets them all. */
static const gchar *
reason (void)
{
  gulong code = ERR_peek_last_error ();
  const gchar *text = code ? ERR_reason_error_string (code) : NULL;

  ERR_clear_error ();
  return text ? text : "no reason given";
}

static SSL_CTX *
new_context (X509 *certificate, EVP_PKEY *key)
{
  SSL_CTX *context = SSL_CTX_new (DTLS_method ());

  if (!context)
    return NULL;
  /* DTLS 1.3 has records of another form, which would have to be sorted out differently (rtcdtlsrecord.c). */
  if (!SSL_CTX_set_min_proto_version (context, DTLS1_2_VERSION)
      || !SSL_CTX_set_max_proto_version (context, DTLS1_2_VERSION) || !SSL_CTX_set_cipher_list (context, CIPHERS)
      || SSL_CTX_set_tlsext_use_srtp (context, SRTP_PROFILES) != 0
      || !SSL_CTX_set1_groups_list (context, "X25519:P-256:P-384")
      || !SSL_CTX_set_max_send_fragment (context, RTC_DTLS_MAX_DATA)
      || SSL_CTX_use_certificate (context, certificate) != 1 || SSL_CTX_use_PrivateKey (context, key) != 1) {
    SSL_CTX_free (context);
    return NULL;
  }
  SSL_CTX_set_options (context,
      SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
          | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_verify (context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_cert_verify_callback (context, rtc_dtls_fingerprints_verify, NULL);
  SSL_CTX_set_session_cache_mode (context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode (context, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

static gchar *
fingerprint_of (X509 *certificate)
{
  guint8 digest[EVP_MAX_MD_SIZE];
  guint size;
  GString *text = g_string_new ("sha-256 ");

  if (!X509_digest (certificate, EVP_sha256 (), digest, &size)) {
    g_string_free (text, TRUE);
    return NULL;
  }
  for (guint i = 0; i < size; i++)
    g_string_append_printf (text, "%s%02X", i ? ":" : "", digest[i]);
  return g_string_free (text, FALSE);
}

/* Borrows both. */
static RtcDtlsIdentity *
new_identity (X509 *certificate, EVP_PKEY *key, GError **error)
{
  SSL_CTX *context = new_context (certificate, key);
  BIO_METHOD *method = rtc_dtls_wire_method_new ();
  gchar *fingerprint = fingerprint_of (certificate);
  RtcDtlsIdentity *identity;

  if (!context || !method || !fingerprint) {
    SSL_CTX_free (context);
    BIO_meth_free (method);
    g_free (fingerprint);
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "OpenSSL does not take the certificate and its key for DTLS: %s. Expected an ECDSA P-256 certificate signed "
        "with SHA-256, and an OpenSSL whose configuration allows DTLS 1.2 and AES-GCM",
        reason ());
    return NULL;
  }
  identity = g_atomic_rc_box_new (RtcDtlsIdentity);
  identity->context = context;
  identity->method = method;
  identity->has_timer = rtc_dtls_wire_has_timer (context, method);
  identity->fingerprint = fingerprint;
  return identity;
}

/* Self-signed; its name says nothing about who made it. The clocks of peers differ, so it is valid from a day back. */
static X509 *
new_certificate (EVP_PKEY *key)
{
  X509 *certificate = X509_new ();
  X509_NAME *name = certificate ? X509_get_subject_name (certificate) : NULL;
  guint64 serial = 0;

  if (name && X509_set_version (certificate, X509_VERSION_3) && RAND_bytes ((guint8 *)&serial, sizeof (serial)) == 1
      && ASN1_INTEGER_set_uint64 (X509_get_serialNumber (certificate), (serial >> 1) | 1)
      && X509_gmtime_adj (X509_getm_notBefore (certificate), -DAY)
      && X509_gmtime_adj (X509_getm_notAfter (certificate), 30 * DAY) && X509_set_pubkey (certificate, key)
      && X509_NAME_add_entry_by_txt (name, "CN", MBSTRING_ASC, (const guint8 *)"WebRTC", -1, -1, 0)
      && X509_set_issuer_name (certificate, name) && X509_sign (certificate, key, EVP_sha256 ()))
    return certificate;
  X509_free (certificate);
  return NULL;
}

RtcDtlsIdentity *
rtc_dtls_identity_new (GError **error)
{
  EVP_PKEY *key = EVP_EC_gen ("P-256");
  X509 *certificate = key ? new_certificate (key) : NULL;
  RtcDtlsIdentity *identity = NULL;

  if (certificate)
    identity = new_identity (certificate, key, error);
  else
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "No certificate could be made for DTLS: OpenSSL says: %s. Its providers have to have ECDSA with P-256 and "
        "SHA-256",
        reason ());
  X509_free (certificate);
  EVP_PKEY_free (key);
  return identity;
}

static gboolean refuse (GError **error, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
refuse (GError **error, const gchar *format, ...)
{
  va_list args;
  gchar *text;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, text);
  g_free (text);
  ERR_clear_error ();
  return FALSE;
}

/* OpenSSL's own would ask on the terminal. */
static gint
no_passphrase (gchar *buffer, gint size, gint writing, gpointer user_data)
{
  return 0;
}

static gboolean
check_text (const gchar *pem, const gchar *what, GError **error)
{
  if (!pem || !*pem)
    return refuse (error, "No %s was given. Expected PEM text, beginning with -----BEGIN", what);
  if (strnlen (pem, MAX_PEM + 1) > MAX_PEM)
    return refuse (error, "The PEM text of the %s is longer than %u bytes. Expected one certificate and its key only",
        what, MAX_PEM);
  if (!strstr (pem, "-----BEGIN "))
    return refuse (error,
        "The %s is not PEM text: it has no line -----BEGIN. Expected what a .pem file holds, not its name and not DER "
        "(openssl x509 or openssl pkey, with -inform DER, convert it)",
        what);
  return TRUE;
}

static X509 *
read_certificate (const gchar *pem, GError **error)
{
  X509 *certificate = NULL;
  BIO *bio;

  if (!check_text (pem, "certificate", error))
    return NULL;
  if (!strstr (pem, "-----BEGIN CERTIFICATE-----") && !strstr (pem, "-----BEGIN X509 CERTIFICATE-----")
      && !strstr (pem, "-----BEGIN TRUSTED CERTIFICATE-----")) {
    refuse (error,
        "The PEM text of the certificate has no block -----BEGIN CERTIFICATE-----. Are the key and the "
        "certificate interchanged?");
    return NULL;
  }
  bio = BIO_new_mem_buf (pem, -1);
  if (bio)
    certificate = PEM_read_bio_X509 (bio, NULL, no_passphrase, NULL);
  BIO_free (bio);
  if (!certificate)
    refuse (error, "The certificate's PEM block is damaged: %s. Copy it again, with all of its lines from BEGIN to END",
        reason ());
  return certificate;
}

static EVP_PKEY *
read_key (const gchar *pem, GError **error)
{
  EVP_PKEY *key = NULL;
  BIO *bio;

  if (!check_text (pem, "certificate's key", error))
    return NULL;
  if (strstr (pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || strstr (pem, "Proc-Type: 4,ENCRYPTED")) {
    refuse (error,
        "The certificate's key is encrypted with a passphrase, and nobody can be asked for it. Expected it "
        "in clear: openssl pkey -in key.pem -out plain.pem, in a file that only this program can read");
    return NULL;
  }
  if (!strstr (pem, "PRIVATE KEY-----")) {
    refuse (error,
        "The PEM text has no block -----BEGIN PRIVATE KEY----- beside the certificate. Give the key too, in "
        "the same text or in one of its own");
    return NULL;
  }
  bio = BIO_new_mem_buf (pem, -1);
  if (bio)
    key = PEM_read_bio_PrivateKey (bio, NULL, no_passphrase, NULL);
  BIO_free (bio);
  if (!key)
    refuse (error,
        "The PEM block of the certificate's key is damaged: %s. Copy it again, with all of its lines from "
        "BEGIN to END",
        reason ());
  return key;
}

/* What browsers take: RFC 8827, section 6.5, demands ECDSA with P-256, and RSA is what they had before. */
static gboolean
check_key (EVP_PKEY *key, GError **error)
{
  gchar curve[32] = "";

  if (EVP_PKEY_is_a (key, "RSA")) {
    if (EVP_PKEY_get_bits (key) < MIN_RSA_BITS)
      return refuse (error, "The certificate's RSA key has %d bits. Expected %d at least, or better ECDSA P-256",
          EVP_PKEY_get_bits (key), MIN_RSA_BITS);
    return TRUE;
  }
  if (!EVP_PKEY_is_a (key, "EC"))
    return refuse (error,
        "The certificate's key is of the kind %s, which browsers do not take for DTLS. Expected ECDSA P-256, or RSA",
        EVP_PKEY_get0_type_name (key));
  if (!EVP_PKEY_get_group_name (key, curve, sizeof (curve), NULL)
      || (strcmp (curve, SN_X9_62_prime256v1) != 0 && strcmp (curve, SN_secp384r1) != 0))
    return refuse (error,
        "The certificate's key is on the curve %s, which browsers do not take for DTLS. Expected P-256 or P-384",
        *curve ? curve : "without a name");
  return TRUE;
}

static const gchar *
time_to_string (const ASN1_TIME *when, gchar text[32])
{
  struct tm tm = {0};

  if (!ASN1_TIME_to_tm (when, &tm) || !strftime (text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
    g_strlcpy (text, "a time that is not readable", 32);
  return text;
}

static gboolean
check_certificate (X509 *certificate, EVP_PKEY *key, GError **error)
{
  const ASN1_TIME *from = X509_get0_notBefore (certificate), *until = X509_get0_notAfter (certificate);
  gchar text[32];

  if (X509_check_private_key (certificate, key) != 1)
    return refuse (error,
        "The key does not belong to the certificate: their public keys differ. Expected the key that "
        "the certificate was made with");
  if (X509_cmp_current_time (until) <= 0)
    return refuse (error, "The certificate expired at %s. Make a new one, or set this machine's clock",
        time_to_string (until, text));
  if (X509_cmp_current_time (from) >= 0)
    return refuse (error, "The certificate is not valid before %s. Set this machine's clock, or wait",
        time_to_string (from, text));
  if ((X509_get_extension_flags (certificate) & EXFLAG_KUSAGE)
      && !(X509_get_key_usage (certificate) & KU_DIGITAL_SIGNATURE))
    return refuse (error,
        "The certificate's key usage does not allow digital signatures, so browsers refuse it. "
        "Expected digitalSignature, or no key usage extension");
  return TRUE;
}

RtcDtlsIdentity *
rtc_dtls_identity_new_from_pem (const gchar *certificate, const gchar *key, GError **error)
{
  X509 *x509 = read_certificate (certificate, error);
  EVP_PKEY *pkey = x509 ? read_key (key ? key : certificate, error) : NULL;
  RtcDtlsIdentity *identity = NULL;

  if (pkey && check_key (pkey, error) && check_certificate (x509, pkey, error))
    identity = new_identity (x509, pkey, error);
  X509_free (x509);
  EVP_PKEY_free (pkey);
  return identity;
}

RtcDtlsIdentity *
rtc_dtls_identity_ref (RtcDtlsIdentity *identity)
{
  return g_atomic_rc_box_acquire (identity);
}

static void
clear_identity (gpointer data)
{
  RtcDtlsIdentity *identity = data;

  SSL_CTX_free (identity->context);
  BIO_meth_free (identity->method);
  g_free (identity->fingerprint);
}

void
rtc_dtls_identity_unref (RtcDtlsIdentity *identity)
{
  g_atomic_rc_box_release_full (identity, clear_identity);
}

const gchar *
rtc_dtls_identity_get_fingerprint (RtcDtlsIdentity *identity)
{
  return identity->fingerprint;
}
