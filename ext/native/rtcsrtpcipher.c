/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* SHA1_Init() and its kin are marked as deprecated, and are the only ones whose state is a plain struct: two of them
 * copied are a keyed HMAC without an allocation, 200 bytes in 190 ns. EVP_MD_CTX_copy_ex() allocates twice a packet and
 * takes 290, EVP_MAC 360, EVP_MAC_CTX_dup() 800 (OpenSSL 3.0). */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "rtcsrtpcipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

#define GCM_TAG 16
#define CM_TAG 10
#define GCM_SALT 12
#define CM_SALT 14
#define SHA1_BLOCK 64

/* RFC 3711, section 4.3.1 and 4.3.2: those of RTP; RTCP has the next three. */
enum
{
  LABEL_KEY,
  LABEL_AUTH,
  LABEL_SALT,
  N_LABELS,
};

/* Only a process whose OpenSSL is broken comes here, after DTLS has used the same ciphers. Going on could only mean to
 * send in plain. */
static void
check (int ok, const gchar *what)
{
  gchar reason[256];

  if (G_LIKELY (ok > 0))
    return;
  ERR_error_string_n (ERR_get_error (), reason, sizeof (reason));
  g_error ("OpenSSL cannot %s (%s): its default provider has to be loaded, see openssl.cnf", what, reason);
}

static void
derive (EVP_CIPHER_CTX *aes, const guint8 *salt, guint label, guint8 *out, int size)
{
  guint8 iv[16] = {0};
  int written;

  memcpy (iv, salt, CM_SALT);
  iv[7] ^= label;
  memset (out, 0, size);
  check (EVP_EncryptInit_ex (aes, NULL, NULL, NULL, iv), "derive a key");
  check (EVP_EncryptUpdate (aes, out, &written, out, size), "derive a key");
}

void
rtc_srtp_derive (const RtcSrtpKeys *keys, gboolean rtcp, RtcSrtpSessionKeys *out)
{
  EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new ();
  guint first = rtcp ? N_LABELS : 0;
  guint8 salt[CM_SALT] = {0};

  /* The salt of GCM is 12 bytes, at the same end. */
  memcpy (salt, keys->salt, keys->profile == RTC_SRTP_AEAD_AES_128_GCM ? GCM_SALT : CM_SALT);
  check (aes && EVP_EncryptInit_ex (aes, EVP_aes_128_ctr (), NULL, keys->key, NULL), "make AES-128-CTR");
  derive (aes, salt, first + LABEL_KEY, out->key, sizeof (out->key));
  derive (aes, salt, first + LABEL_AUTH, out->auth, sizeof (out->auth));
  derive (aes, salt, first + LABEL_SALT, out->salt, sizeof (out->salt));
  EVP_CIPHER_CTX_free (aes);
  OPENSSL_cleanse (salt, sizeof (salt));
}

static void
hmac_begin (SHA_CTX *sha, const guint8 *key, gsize size, guint8 pad)
{
  guint8 block[SHA1_BLOCK];

  memset (block, pad, sizeof (block));
  for (gsize i = 0; i < size; i++)
    block[i] ^= key[i];
  check (SHA1_Init (sha) && SHA1_Update (sha, block, sizeof (block)), "make SHA1");
  OPENSSL_cleanse (block, sizeof (block));
}

void
rtc_srtp_cipher_init (RtcSrtpCipher *cipher, RtcSrtpProfile profile, const RtcSrtpSessionKeys *keys, gboolean encrypt)
{
  gboolean gcm = profile == RTC_SRTP_AEAD_AES_128_GCM;

  memset (cipher, 0, sizeof (*cipher));
  cipher->profile = profile;
  cipher->aes = EVP_CIPHER_CTX_new ();
  memcpy (cipher->iv, keys->salt, gcm ? GCM_SALT : CM_SALT);
  if (gcm) {
    check (cipher->aes && EVP_CipherInit_ex (cipher->aes, EVP_aes_128_gcm (), NULL, keys->key, NULL, encrypt),
        "make AES-128-GCM");
  } else {
    check (cipher->aes && EVP_CipherInit_ex (cipher->aes, EVP_aes_128_ctr (), NULL, keys->key, NULL, TRUE),
        "make AES-128-CTR");
    hmac_begin (&cipher->inner, keys->auth, sizeof (keys->auth), 0x36);
    hmac_begin (&cipher->outer, keys->auth, sizeof (keys->auth), 0x5c);
  }
}

void
rtc_srtp_cipher_clear (RtcSrtpCipher *cipher)
{
  EVP_CIPHER_CTX_free (cipher->aes); /* which wipes its key */
  OPENSSL_cleanse (cipher, sizeof (*cipher));
}

gsize
rtc_srtp_cipher_tag_size (const RtcSrtpCipher *cipher)
{
  return cipher->profile == RTC_SRTP_AEAD_AES_128_GCM ? GCM_TAG : CM_TAG;
}

/* The index has 48 bits; of SRTCP 31. SSRC: as it stands in the packet. */
static gboolean
set_iv (RtcSrtpCipher *cipher, const guint8 *ssrc, guint64 index)
{
  /* RFC 7714, sections 8.1 and 9.1: 2 zeros, SSRC, index. RFC 3711, section 4.1.1: 4 zeros, SSRC, index, counter. */
  guint at = cipher->profile == RTC_SRTP_AEAD_AES_128_GCM ? 2 : 4;
  guint8 iv[16];

  memcpy (iv, cipher->iv, sizeof (iv));
  for (guint i = 0; i < 4; i++)
    iv[at + i] ^= ssrc[i];
  for (guint i = 0; i < 6; i++)
    iv[at + 4 + i] ^= (guint8)(index >> (40 - 8 * i));
  return EVP_CipherInit_ex (cipher->aes, NULL, NULL, NULL, iv, -1);
}

/* AES-CM, which is its own inverse. */
static void
crypt_cm (RtcSrtpCipher *cipher, const guint8 *ssrc, guint64 index, const guint8 *in, guint8 *out, gsize size)
{
  int written;

  check (set_iv (cipher, ssrc, index), "set an IV");
  if (size > 0)
    check (EVP_EncryptUpdate (cipher->aes, out, &written, in, (int)size), "encrypt with AES-128-CTR");
}

static void
authenticate (const RtcSrtpCipher *cipher, const guint8 *data, gsize size, const guint8 *more, gsize more_size,
    guint8 tag[SHA_DIGEST_LENGTH])
{
  SHA_CTX sha = cipher->inner;

  SHA1_Update (&sha, data, size);
  SHA1_Update (&sha, more, more_size);
  SHA1_Final (tag, &sha);
  sha = cipher->outer;
  SHA1_Update (&sha, tag, SHA_DIGEST_LENGTH);
  SHA1_Final (tag, &sha);
}

static void
authenticate_rtp (
    const RtcSrtpCipher *cipher, const guint8 *packet, gsize size, guint64 index, guint8 tag[SHA_DIGEST_LENGTH])
{
  guint32 roc = GUINT32_TO_BE ((guint32)(index >> 16));

  authenticate (cipher, packet, size, (const guint8 *)&roc, sizeof (roc), tag);
}

/* The associated data is in two parts; the second may be empty. The tag goes behind what is encrypted. */
static void
seal_gcm (RtcSrtpCipher *cipher, const guint8 *aad, gsize aad_size, const guint8 *more, gsize more_size,
    const guint8 *in, guint8 *out, gsize size)
{
  OSSL_PARAM get[] = {
      OSSL_PARAM_construct_octet_string (OSSL_CIPHER_PARAM_AEAD_TAG, out + size, GCM_TAG), OSSL_PARAM_END};
  EVP_CIPHER_CTX *aes = cipher->aes;
  int written;

  check (EVP_EncryptUpdate (aes, NULL, &written, aad, (int)aad_size), "authenticate a header");
  if (more_size > 0)
    check (EVP_EncryptUpdate (aes, NULL, &written, more, (int)more_size), "authenticate a header");
  if (size > 0)
    check (EVP_EncryptUpdate (aes, out, &written, in, (int)size), "encrypt with AES-128-GCM");
  check (EVP_EncryptFinal_ex (aes, out + size, &written), "finish AES-128-GCM");
  check (EVP_CIPHER_CTX_get_params (aes, get), "tell the tag of AES-128-GCM");
}

static gboolean
open_gcm (RtcSrtpCipher *cipher, const guint8 *aad, gsize aad_size, const guint8 *more, gsize more_size,
    guint8 *in_place, gsize size, guint8 *tag)
{
  EVP_CIPHER_CTX *aes = cipher->aes;
  int written;

  if (EVP_DecryptUpdate (aes, NULL, &written, aad, (int)aad_size) > 0
      && (more_size == 0 || EVP_DecryptUpdate (aes, NULL, &written, more, (int)more_size) > 0)
      && (size == 0 || EVP_DecryptUpdate (aes, in_place, &written, in_place, (int)size) > 0)
      && EVP_CIPHER_CTX_ctrl (aes, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) > 0
      && EVP_DecryptFinal_ex (aes, in_place + size, &written) > 0)
    return TRUE;
  /* OpenSSL has decrypted what it now says is forged. */
  memset (in_place, 0, size);
  return FALSE;
}

gsize
rtc_srtp_cipher_seal_rtp (
    RtcSrtpCipher *cipher, guint8 *packet, gsize header_size, const guint8 *payload, gsize payload_size, guint64 index)
{
  gsize size = header_size + payload_size;
  guint8 tag[SHA_DIGEST_LENGTH];

  if (cipher->profile == RTC_SRTP_AEAD_AES_128_GCM) {
    check (set_iv (cipher, packet + 8, index), "set an IV");
    seal_gcm (cipher, packet, header_size, NULL, 0, payload, packet + header_size, payload_size);
    return size + GCM_TAG;
  }
  crypt_cm (cipher, packet + 8, index, payload, packet + header_size, payload_size);
  authenticate_rtp (cipher, packet, size, index, tag);
  memcpy (packet + size, tag, CM_TAG);
  return size + CM_TAG;
}

gboolean
rtc_srtp_cipher_open_rtp (RtcSrtpCipher *cipher, guint8 *packet, gsize header_size, gsize size, guint64 index)
{
  guint8 tag[SHA_DIGEST_LENGTH], *payload = packet + header_size;

  size -= rtc_srtp_cipher_tag_size (cipher);
  if (cipher->profile == RTC_SRTP_AEAD_AES_128_GCM) {
    return set_iv (cipher, packet + 8, index)
        && open_gcm (cipher, packet, header_size, NULL, 0, payload, size - header_size, packet + size);
  }
  authenticate_rtp (cipher, packet, size, index, tag);
  if (CRYPTO_memcmp (tag, packet + size, CM_TAG) != 0)
    return FALSE;
  crypt_cm (cipher, packet + 8, index, payload, payload, size - header_size);
  return TRUE;
}

/* RFC 7714, section 9, and figure 4: the tag stands before the word with the index; in RFC 3711 behind. */
gsize
rtc_srtp_cipher_seal_rtcp (RtcSrtpCipher *cipher, guint8 *packet, gsize size, guint32 word)
{
  guint32 index = word & ~RTC_SRTCP_ENCRYPTED, be = GUINT32_TO_BE (word);
  gsize clear = word & RTC_SRTCP_ENCRYPTED ? RTC_SRTCP_MIN_HEADER : size;
  guint8 *secret = packet + clear, tag[SHA_DIGEST_LENGTH];

  if (cipher->profile == RTC_SRTP_AEAD_AES_128_GCM) {
    check (set_iv (cipher, packet + 4, index), "set an IV");
    seal_gcm (cipher, packet, clear, (const guint8 *)&be, sizeof (be), secret, secret, size - clear);
    memcpy (packet + size + GCM_TAG, &be, sizeof (be));
    return size + GCM_TAG + sizeof (be);
  }
  crypt_cm (cipher, packet + 4, index, secret, secret, size - clear);
  authenticate (cipher, packet, size, (const guint8 *)&be, sizeof (be), tag);
  memcpy (packet + size, &be, sizeof (be));
  memcpy (packet + size + sizeof (be), tag, CM_TAG);
  return size + sizeof (be) + CM_TAG;
}

gboolean
rtc_srtp_cipher_open_rtcp (RtcSrtpCipher *cipher, guint8 *packet, gsize size)
{
  gboolean gcm = cipher->profile == RTC_SRTP_AEAD_AES_128_GCM;
  guint8 tag[SHA_DIGEST_LENGTH], *word_at = packet + size - (gcm ? 4 : 4 + CM_TAG);
  guint32 be, word;
  gsize clear;

  memcpy (&be, word_at, sizeof (be));
  word = GUINT32_FROM_BE (be);
  size -= sizeof (be) + rtc_srtp_cipher_tag_size (cipher);
  clear = word & RTC_SRTCP_ENCRYPTED ? RTC_SRTCP_MIN_HEADER : size;
  word &= ~RTC_SRTCP_ENCRYPTED;
  if (gcm) {
    return set_iv (cipher, packet + 4, word)
        && open_gcm (cipher, packet, clear, word_at, sizeof (be), packet + clear, size - clear, packet + size);
  }
  authenticate (cipher, packet, size, word_at, sizeof (be), tag);
  if (CRYPTO_memcmp (tag, packet + size + sizeof (be), CM_TAG) != 0)
    return FALSE;
  crypt_cm (cipher, packet + 4, word, packet + clear, packet + clear, size - clear);
  return TRUE;
}
