/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The RFCs' own examples, and that no key stays behind. */

#define _GNU_SOURCE /* memmem() */

#include "native/rtcsrtpcipher.h"

#include <gst/gst.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

#define HEADER 12

static const RtcSrtpProfile profiles[] = {RTC_SRTP_AEAD_AES_128_GCM, RTC_SRTP_AES128_CM_SHA1_80};

static gsize
unhex (const gchar *text, guint8 *out, gsize room)
{
  gsize size = strlen (text) / 2;

  g_assert_cmpuint (size, <=, room);
  for (gsize i = 0; i < size; i++)
    out[i] = g_ascii_xdigit_value (text[2 * i]) << 4 | g_ascii_xdigit_value (text[2 * i + 1]);
  return size;
}

static void
assert_hex (const guint8 *data, gsize size, const gchar *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", data[i]);
  g_assert_cmpstr (text->str, ==, expected);
}

static void
keys_of_rfc_3711_b_3 (void)
{
  RtcSrtpKeys keys = {.profile = RTC_SRTP_AES128_CM_SHA1_80};
  RtcSrtpSessionKeys session;

  unhex ("e1f97a0d3e018be0d64fa32c06de4139", keys.key, sizeof (keys.key));
  unhex ("0ec675ad498afeebb6960b3aabe6", keys.salt, sizeof (keys.salt));
  rtc_srtp_derive (&keys, FALSE, &session);
  assert_hex (session.key, sizeof (session.key), "c61e7a93744f39ee10734afe3ff7a087");
  assert_hex (session.salt, sizeof (session.salt), "30cbbc08863d8c85d49db34a9ae1");
  assert_hex (session.auth, sizeof (session.auth), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

/* The key stream is what zeros become. It is as long as the counter of 16 bits allows. */
static void
key_stream_of_rfc_3711_b_2 (void)
{
  gsize size = 16 * 0xff02;
  g_autofree guint8 *packet = g_malloc0 (HEADER + size + RTC_SRTP_OVERHEAD);
  RtcSrtpSessionKeys session = {0};
  const guint8 *stream = packet + HEADER;
  RtcSrtpCipher cipher;

  unhex ("2b7e151628aed2a6abf7158809cf4f3c", session.key, sizeof (session.key));
  unhex ("f0f1f2f3f4f5f6f7f8f9fafbfcfd", session.salt, sizeof (session.salt));
  rtc_srtp_cipher_init (&cipher, RTC_SRTP_AES128_CM_SHA1_80, &session, TRUE);
  rtc_srtp_cipher_seal_rtp (&cipher, packet, HEADER, packet + HEADER, size, 0);
  assert_hex (stream, 48,
      "e03ead0935c95e80e166b16dd92b4eb4"
      "d23513162b02d0f72a43a2fe4a5f97ab"
      "41e95b3bb0a2e8dd477901e4fca894c0");
  assert_hex (stream + 16 * 0xfeff, 48,
      "ec8cdf7398607cb0f2d21675ea9ea1e4"
      "362b7c3c6773516318a077d7fc5073ae"
      "6a2cc3787889374fbeb4c81b17ba6c44");
  rtc_srtp_cipher_clear (&cipher);
}

/* RFC 7714, sections 16.1 and 17: the session keys are given. */
static void
gcm_init (RtcSrtpCipher *cipher, gboolean encrypt)
{
  RtcSrtpSessionKeys session = {0};

  unhex ("000102030405060708090a0b0c0d0e0f", session.key, sizeof (session.key));
  unhex ("517569642070726f2071756f", session.salt, sizeof (session.salt));
  rtc_srtp_cipher_init (cipher, RTC_SRTP_AEAD_AES_128_GCM, &session, encrypt);
}

#define RTP_PLAIN \
  "8040f17b8041f8d35501a0b2" \
  "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
#define RTP_SECRET \
  "8040f17b8041f8d35501a0b2" \
  "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833" \
  "899d7f27beb16a9152cf765ee4390cce"
#define RTCP_HEADER "81c8000d4d617273"
#define RTCP_PLAIN \
  RTCP_HEADER "4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
#define RTCP_SECRET \
  RTCP_HEADER "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b" \
              "c84aa45896cf4d2fc5abf87245d9eade" \
              "800005d4"
#define RTCP_TAGGED RTCP_PLAIN "841dd9683dd78ec92ae58790125f62b3000005d4"

static void
rtp_of_rfc_7714_16_1 (void)
{
  RtcSrtpCipher seal, open;
  guint8 packet[200];
  gsize size = unhex (RTP_PLAIN, packet, sizeof (packet));

  gcm_init (&seal, TRUE);
  gcm_init (&open, FALSE);
  size = rtc_srtp_cipher_seal_rtp (&seal, packet, HEADER, packet + HEADER, size - HEADER, 0xf17b);
  assert_hex (packet, size, RTP_SECRET);
  g_assert_true (rtc_srtp_cipher_open_rtp (&open, packet, HEADER, size, 0xf17b));
  assert_hex (packet, size - 16, RTP_PLAIN);
  rtc_srtp_cipher_clear (&seal);
  rtc_srtp_cipher_clear (&open);
}

static void
rtcp_of_rfc_7714_17 (void)
{
  static const struct
  {
    guint32 word;
    const gchar *secret;
  } cases[] = {
      {RTC_SRTCP_ENCRYPTED | 0x5d4, RTCP_SECRET}, {0x5d4, RTCP_TAGGED}, /* 17.3: authenticated only */
  };
  RtcSrtpCipher seal, open;

  gcm_init (&seal, TRUE);
  gcm_init (&open, FALSE);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint8 packet[200];
    gsize size = unhex (RTCP_PLAIN, packet, sizeof (packet));

    size = rtc_srtp_cipher_seal_rtcp (&seal, packet, size, cases[i].word);
    assert_hex (packet, size, cases[i].secret);
    g_assert_true (rtc_srtp_cipher_open_rtcp (&open, packet, size));
    assert_hex (packet, size - RTC_SRTCP_OVERHEAD, RTCP_PLAIN);
  }
  rtc_srtp_cipher_clear (&seal);
  rtc_srtp_cipher_clear (&open);
}

/* OpenSSL's own memory: what there is, and what a block has in it when it is given back. */

static GPtrArray *blocks; /* owned by OpenSSL */
static const guint8 *wanted; /* 16 bytes */
static guint given_back_with_it;

static gboolean
has_it (gpointer block)
{
  return wanted && memmem (block, malloc_usable_size (block), wanted, 16) != NULL;
}

static void *
counted_malloc (size_t size, const char *file, int line)
{
  void *block = calloc (1, MAX (size, 1));

  g_ptr_array_add (blocks, block);
  return block;
}

static void
counted_free (void *block, const char *file, int line)
{
  if (!block)
    return;
  given_back_with_it += has_it (block);
  g_ptr_array_remove_fast (blocks, block);
  free (block);
}

static void *
counted_realloc (void *block, size_t size, const char *file, int line)
{
  void *moved = counted_malloc (size, file, line);

  if (block)
    memcpy (moved, block, MIN (size, malloc_usable_size (block)));
  counted_free (block, file, line);
  return moved;
}

static guint
count_blocks_with_it (void)
{
  guint n = 0;

  for (guint i = 0; i < blocks->len; i++)
    n += has_it (g_ptr_array_index (blocks, i));
  return n;
}

static void
keys_are_wiped (gconstpointer profile)
{
  static const RtcSrtpCipher zero;
  RtcSrtpSessionKeys session;
  RtcSrtpCipher ciphers[2];
  guint8 packet[100] = {0x80};
  gsize size = 0;

  for (guint i = 0; i < sizeof (session); i++)
    ((guint8 *)&session)[i] = 0xa0 ^ (i * 11);
  wanted = session.key;
  given_back_with_it = 0;
  for (guint i = 0; i < 2; i++) {
    rtc_srtp_cipher_init (&ciphers[i], *(const RtcSrtpProfile *)profile, &session, i == 0);
    if (i == 0)
      size = rtc_srtp_cipher_seal_rtp (&ciphers[i], packet, HEADER, packet + HEADER, 50, 1);
    else
      g_assert_true (rtc_srtp_cipher_open_rtp (&ciphers[i], packet, HEADER, size, 1));
  }
  /* What comes next would see it: with the AES instructions of x86 and ARM the first round key is the key. */
  g_assert_cmpuint (count_blocks_with_it (), >=, 2);
  for (guint i = 0; i < 2; i++) {
    rtc_srtp_cipher_clear (&ciphers[i]);
    g_assert_cmpmem (&ciphers[i], sizeof (zero), &zero, sizeof (zero));
  }
  g_assert_cmpuint (count_blocks_with_it (), ==, 0);
  g_assert_cmpuint (given_back_with_it, ==, 0);
  wanted = NULL;
}

int
main (int argc, char **argv)
{
  blocks = g_ptr_array_new ();
  g_assert_true (CRYPTO_set_mem_functions (counted_malloc, counted_realloc, counted_free));
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/srtp/cipher/keys_of_rfc_3711_b_3", keys_of_rfc_3711_b_3);
  g_test_add_func ("/srtp/cipher/key_stream_of_rfc_3711_b_2", key_stream_of_rfc_3711_b_2);
  g_test_add_func ("/srtp/cipher/rtp_of_rfc_7714_16_1", rtp_of_rfc_7714_16_1);
  g_test_add_func ("/srtp/cipher/rtcp_of_rfc_7714_17", rtcp_of_rfc_7714_17);
  for (guint i = 0; i < G_N_ELEMENTS (profiles); i++) {
    g_autofree gchar *path =
        g_strdup_printf ("/srtp/cipher/keys_are_wiped/%s", rtc_srtp_profile_to_string (profiles[i]));

    g_test_add_data_func (path, &profiles[i], keys_are_wiped);
  }
  return g_test_run ();
}
