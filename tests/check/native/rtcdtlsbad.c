/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Peers that are not the right ones, and what anybody can send. */

#include "dtlspair.h"
#include "core/rtcmessage.h"
#include "native/rtcdtlsidentity.h"

#include <malloc.h>
#include <string.h>

#include <openssl/crypto.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

static RtcDtlsIdentity *ours, *theirs;

/* What OpenSSL has of the heap, in bytes. */
static gssize n_bytes;

static void *
count_malloc (size_t size, const char *file, int line)
{
  void *memory = malloc (size);

  n_bytes += malloc_usable_size (memory);
  return memory;
}

static void *
count_realloc (void *old, size_t size, const char *file, int line)
{
  void *memory;

  n_bytes -= malloc_usable_size (old);
  memory = realloc (old, size);
  n_bytes += malloc_usable_size (memory);
  return memory;
}

static void
count_free (void *memory, const char *file, int line)
{
  n_bytes -= malloc_usable_size (memory);
  free (memory);
}

/* "sha-512 ab:cd:.." */
static gchar *
fingerprint (RtcDtlsIdentity *identity, const gchar *hash, gboolean upper)
{
  X509 *certificate = SSL_CTX_get0_certificate (identity->context);
  guint8 digest[EVP_MAX_MD_SIZE];
  guint size;
  GString *text = g_string_new (hash);
  gchar *name = g_strdup (hash);

  if (strchr (name, '-')) /* which OpenSSL's names do not have */
    memmove (strchr (name, '-'), strchr (name, '-') + 1, strlen (strchr (name, '-')));
  g_assert_cmpint (X509_digest (certificate, EVP_get_digestbyname (name), digest, &size), ==, 1);
  for (guint i = 0; i < size; i++)
    g_string_append_printf (text, upper ? "%c%02X" : "%c%02x", i ? ':' : ' ', digest[i]);
  g_free (name);
  return g_string_free (text, FALSE);
}

static void
check_refused (gchar **fingerprints, guint by)
{
  Pair *pair = pair_new (by, ours, theirs);
  Side *refuses = &pair->sides[by], *refused = &pair->sides[1 - by];
  gint64 began = pair->now;
  RtcSrtpKeys keys[2];

  refuses->data_on_connected = refused->data_on_connected = (gchar *)"secret";
  pair_start (pair, 1 - by, NULL);
  pair_start (pair, by, fingerprints);
  pair_run (pair, SECOND);
  g_assert_cmpstr (refuses->states->str, ==, "HF");
  g_assert_error (refuses->error, RTC_ERROR, RTC_ERROR_FINGERPRINT_MISMATCH);
  g_assert_nonnull (strstr (refuses->error->message, "got "));
  /* It is told so in the clear, which proves nothing, and waits a little for better news. */
  g_assert_cmpstr (refused->states->str, ==, "H");
  pair_run (pair, 3 * SECOND);
  g_assert_cmpint (pair->now - began, <=, 4 * SECOND);
  g_assert_cmpstr (refused->states->str, ==, "HF");
  g_assert_error (refused->error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
  g_assert_nonnull (strstr (refused->error->message, "bad certificate"));
  for (guint i = 0; i < 2; i++) {
    g_assert_cmpuint (pair->sides[i].data->len, ==, 0);
    g_assert_false (rtc_dtls_get_srtp_keys (pair->sides[i].dtls, &keys[0], &keys[1]));
    g_assert_false (rtc_dtls_send (pair->sides[i].dtls, (const guint8 *)"x", 1));
  }
  pair_free (pair);
}

static void
check_accepted (gchar **fingerprints, guint by)
{
  Pair *pair = pair_new (by, ours, theirs);

  pair_start (pair, 1 - by, NULL);
  pair_start (pair, by, fingerprints);
  pair_run (pair, SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair_free (pair);
}

static void
fingerprints_decide (void)
{
  for (guint by = 0; by < 2; by++) {
    RtcDtlsIdentity *peer = by == 0 ? theirs : ours, *other = by == 0 ? ours : theirs;
    g_autofree gchar *sha1 = fingerprint (peer, "sha-1", TRUE), *sha224 = fingerprint (peer, "sha-224", FALSE);
    g_autofree gchar *sha256 = fingerprint (peer, "sha-256", TRUE), *lower = fingerprint (peer, "sha-256", FALSE);
    g_autofree gchar *sha384 = fingerprint (peer, "sha-384", FALSE), *sha512 = fingerprint (peer, "sha-512", TRUE);
    g_autofree gchar *md5 = fingerprint (peer, "md5", TRUE), *name = g_ascii_strup (sha512, -1);
    g_autofree gchar *wrong = fingerprint (other, "sha-256", TRUE), *wrong512 = fingerprint (other, "sha-512", TRUE);
    g_autofree gchar *wrong1 = fingerprint (other, "sha-1", TRUE), *cut = g_strndup (sha256, strlen (sha256) - 3);
    g_autofree gchar *longer = g_strconcat (sha256, ":00", NULL), *no_digits = g_strdup ("sha-256 ");
    gchar *known[] = {sha1, sha224, sha256, lower, sha384, sha512, name};
    gchar *unknown[] = {md5, wrong, wrong512, wrong1, cut, longer, no_digits, (gchar *)"", (gchar *)"sha-256",
        (gchar *)"sha-2560 00", (gchar *)"sha-256 *"};

    g_assert_cmpstr (sha256, ==, rtc_dtls_identity_get_fingerprint (peer));
    for (guint i = 0; i < G_N_ELEMENTS (known); i++)
      check_accepted ((gchar *[]){known[i], NULL}, by);
    for (guint i = 0; i < G_N_ELEMENTS (unknown); i++)
      check_refused ((gchar *[]){unknown[i], NULL}, by);
    check_refused ((gchar *[]){NULL}, by);

    check_accepted ((gchar *[]){wrong, wrong, sha256, wrong, NULL}, by);
    check_accepted ((gchar *[]){md5, wrong1, wrong, sha512, NULL}, by);
    check_refused ((gchar *[]){sha1, sha256, wrong512, NULL}, by);
    check_refused ((gchar *[]){sha1, wrong, NULL}, by);
  }
}

static void
nobody_connects_without_a_certificate (void)
{
  RtcDtlsIdentity *nobody = rtc_dtls_identity_new (NULL);
  Pair *pair = pair_new (1, nobody, theirs);

  SSL_CTX_free (nobody->context);
  nobody->context = SSL_CTX_new (DTLS_client_method ());
  SSL_CTX_set_options (nobody->context, SSL_OP_NO_QUERY_MTU);
  pair_start_both (pair);
  pair_run (pair, 5 * SECOND);
  g_assert_cmpstr (pair->sides[1].states->str, ==, "HF");
  g_assert_error (pair->sides[1].error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
  g_assert_cmpstr (pair->sides[0].states->str, ==, "HF");
  pair_free (pair);
  rtc_dtls_identity_unref (nobody);
}

/* Records that anybody can write. */
static const struct
{
  const gchar *bytes;
  gsize size;
} forged[] = {
#define FORGED(text) \
  { \
    text, sizeof (text) - 1 \
  }
    FORGED ("\x14"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x50\0"),
    /* alerts: fatal, close_notify, a warning, one of another size */
    FORGED ("\x15\xfe\xfd\0\0\0\0\0\0\0\x50\0\2\2\x28"),
    FORGED ("\x15\xfe\xfd\0\0\0\0\0\0\0\x51\0\2\1\0"),
    FORGED ("\x15\xfe\xfd\0\0\0\0\0\0\0\x52\0\2\1\x64"),
    FORGED ("\x15\xfe\xfd\0\0\0\0\0\0\0\x53\0\3\2\2\2"),
    /* data in the clear, empty records, changes of the cipher */
    FORGED ("\x17\xfe\xfd\0\0\0\0\0\0\0\x54\0\4spam"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x55\0\0"),
    FORGED ("\x14\xfe\xfd\0\0\0\0\0\0\0\x56\0\1\1"),
    FORGED ("\x14\xfe\xfd\0\0\0\0\0\0\0\x57\0\1\2"),
    FORGED ("\x14\xfe\xfd\0\0\0\0\0\0\0\x58\0\2\1\1"),
    /* handshake: a cut header; HelloRequest; Finished; an unknown type; more than there is; beyond the message's end; a
     * message of 16 MB; one of 64 KB; an empty part */
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x59\0\3\1\0\0"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5a\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5b\0\x0d\x14\0\0\1\0\2\0\0\0\0\0\1x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5c\0\x0d\x63\0\0\1\0\2\0\0\0\0\0\1x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5d\0\x0d\x0b\0\0\x90\0\1\0\0\0\0\0\2x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5e\0\x0d\x0b\0\0\1\0\1\0\0\7\0\0\1x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x5f\0\x0d\x0b\xff\xff\xff\0\1\0\0\0\0\0\1x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x60\0\x0d\x0b\1\0\0\0\1\0\0\0\0\0\1x"),
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x61\0\x0c\x0b\0\0\1\0\1\0\0\0\0\0\0"),
    /* and the first message of each side, which has to be a hello */
    FORGED ("\x16\xfe\xfd\0\0\0\0\0\0\0\x65\0\x0d\x0b\0\0\1\0\0\0\0\0\0\0\1x"),
    /* of other versions, kinds, and epochs to come */
    FORGED ("\x16\3\3\0\0\0\0\0\0\0\x62\0\x0d\x0b\0\0\1\0\1\0\0\0\0\0\1x"),
    FORGED ("\x18\xfe\xfd\0\0\0\0\0\0\0\x63\0\1x"),
    FORGED ("\x3f\xfe\xfd\0\0\0\0\0\0\0\x64\0\1x"),
    FORGED ("\x16\xfe\xfd\0\2\0\0\0\0\0\1\0\x0d\x0b\0\0\1\0\1\0\0\0\0\0\1x"),
    FORGED ("\x16\xfe\xfd\xff\xff\xff\xff\xff\xff\xff\xff\0\x0d\x0b\0\0\1\0\1\0\0\0\0\0\1x"),
};

#define RECORD_HEADER 13

static void
inject_forged (Pair *pair, guint to)
{
  guint8 early[] = "\x16\xfe\xfd\0\1\0\0\0\0\0\0\0\x28 not what was encrypted with the right key.";

  for (guint i = 0; i < G_N_ELEMENTS (forged); i++)
    pair_inject (pair, to, (const guint8 *)forged[i].bytes, forged[i].size);
  for (guint i = 0; i < 60; i++) {
    early[0] = i % 2 ? 0x16 : 0x15;
    early[10] = 0x80 + i;
    pair_inject (pair, to, early, sizeof (early) - 1);
  }
  /* Shorter than a cipher adds. */
  for (guint i = 0; i < 0x28; i++) {
    early[0] = 0x14 + i % 4;
    early[10] = 0xc0 + i;
    early[12] = i;
    pair_inject (pair, to, early, RECORD_HEADER + i);
  }
}

static gboolean
forge_before (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  gssize before = n_bytes;

  inject_forged (from->pair, 1 - from->index);
  g_assert_cmpint (n_bytes - before, <, 160 * 1024);
  return TRUE;
}

typedef struct
{
  const gchar *name, *standard_name; /* the first is OpenSSL's */
} Cipher;

/* What they add to a record is not the same. */
static const Cipher ciphers[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
};

static void
forged_records_end_nothing (gconstpointer data)
{
  const Cipher *cipher = data;
  RtcDtlsIdentity *server = rtc_dtls_identity_new (NULL);

  g_assert_cmpint (SSL_CTX_set_cipher_list (server->context, cipher->name), ==, 1);
  for (guint seed = 0; seed < 20; seed++) {
    Pair *pair = pair_new (seed, ours, server);
    gssize before = n_bytes;

    pair->loss = seed * 0.01;
    pair->delay = 2000;
    pair->filter = forge_before;
    inject_forged (pair, 0);
    inject_forged (pair, 1);
    pair_start_both (pair);
    pair_run (pair, 2 * SECOND);
    pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    g_assert_cmpstr (rtc_dtls_get_cipher (pair->sides[0].dtls), ==, cipher->standard_name);
    g_assert_cmpint (n_bytes - before, <, 2 * 64 * 1024);
    /* The shortest that is genuine. */
    rtc_dtls_close (pair->sides[seed % 2].dtls);
    pair_run (pair, SECOND);
    g_assert_cmpstr (pair->sides[1 - seed % 2].states->str, ==, "HCX");
    pair_free (pair);
  }
  rtc_dtls_identity_unref (server);
}

static gboolean
lose_those_of (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  return from != user_data;
}

/* Somebody sends parts of large messages, never all of them, and of all that may come next. */
static void
memory_is_bounded (void)
{
  guint8 part[] = "\x16\xfe\xfd\0\0\0\0\0\0\1\0\0\x1c\1\0\x20\0\0\0\0\0\0\0\0\x10 sixteen bytes.";
  Pair *pair = pair_new (1, ours, theirs);
  gssize before = n_bytes;

  pair_start_both (pair);
  pair->filter = lose_those_of;
  pair->user_data = &pair->sides[0];
  rtc_dtls_close (pair->sides[0].dtls);
  pair_run (pair, 1000);
  g_assert_cmpuint (pair->sides[1].n_sent, >, 0);
  g_test_message ("half open: %" G_GSSIZE_FORMAT " bytes", n_bytes - before);
  before = n_bytes;
  for (guint i = 0; i < 20000; i++) {
    part[13] = (guint8[]){1, 11, 15, 16}[i % 4];
    part[18] = i % 256;
    part[20] = i / 256;
    part[15] = i % 3 ? 0x20 : 0x40;
    part[9] = i >> 8;
    part[10] = i;
    pair_inject (pair, 1, part, sizeof (part));
    g_assert_cmpint (n_bytes - before, <, 128 * 1024);
  }
  g_assert_cmpint (n_bytes - before, >, 8192);
  g_test_message ("%" G_GSSIZE_FORMAT " bytes", n_bytes - before);
  pair_run (pair, 40 * SECOND);
  g_assert_cmpstr (pair->sides[1].states->str, ==, "HF");
  pair_free (pair);
}

static void
a_connected_machine_is_small (void)
{
  Pair *pair = pair_new (1, ours, theirs);
  gssize before = n_bytes;

  pair_start_both (pair);
  g_assert_cmpint (n_bytes, >, before);
  pair_run (pair, SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  g_test_message ("%" G_GSSIZE_FORMAT " bytes each", (n_bytes - before) / 2);
  g_assert_cmpint ((n_bytes - before) / 2, <, 48 * 1024);
  pair_free (pair);
}

static GPtrArray *recorded;

static gboolean
record (Side *from, guint8 *data, gsize size, gpointer user_data)
{
  guint8 *copy = g_memdup2 (data, size);

  g_ptr_array_add (recorded, g_bytes_new_take (copy, size));
  return TRUE;
}

static void
replays_and_damage_change_nothing (void)
{
  Pair *pair = pair_new (1, ours, theirs);
  guint n_data[2];

  recorded = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  pair->filter = record;
  pair_start_both (pair);
  pair_run (pair, SECOND);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  pair->filter = NULL;
  n_data[0] = pair->sides[0].data->len;
  n_data[1] = pair->sides[1].data->len;
  for (guint i = 0; i < recorded->len; i++) {
    gsize size;
    const guint8 *data = g_bytes_get_data (recorded->pdata[i], &size);
    g_autofree guint8 *copy = g_memdup2 (data, size);

    for (guint to = 0; to < 2; to++) {
      pair_inject (pair, to, data, size);
      inject_forged (pair, to);
      for (guint at = 0; at < size; at++) {
        copy[at] ^= 1 << at % 8;
        pair_inject (pair, to, copy, size);
        pair_inject (pair, to, data, at + 1);
        copy[at] ^= 1 << at % 8;
      }
    }
  }
  g_assert_cmpuint (pair->sides[0].data->len, ==, n_data[0]);
  g_assert_cmpuint (pair->sides[1].data->len, ==, n_data[1]);
  pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
  g_ptr_array_unref (recorded);
  pair_free (pair);
}

static SSL *seen;

static void
see (const SSL *ssl, int where, int result)
{
  seen = (SSL *)ssl;
}

/* The right peer, when it wants another handshake or says that it will: it gets none, and goes on. */
static void
renegotiation_is_refused (void)
{
  for (guint by = 0; by < 2; by++) {
    RtcDtlsIdentity *wants = rtc_dtls_identity_new (NULL);
    Pair *pair = by == 0 ? pair_new (1, wants, theirs) : pair_new (1, ours, wants);
    guint sent;

    SSL_CTX_set_info_callback (wants->context, see);
    SSL_CTX_clear_options (wants->context, SSL_OP_NO_RENEGOTIATION);
    pair_start_both (pair);
    pair_run (pair, SECOND);
    pair_check (pair, RTC_SRTP_AEAD_AES_128_GCM);
    sent = pair->sides[1 - by].n_sent;
    SSL_alloc_buffers (seen);
    g_assert_cmpint (SSL_renegotiate (seen), ==, 1);
    SSL_do_handshake (seen);
    /* OpenSSL before 3.2 takes the refusal for the end, and says so. What it does is its own affair. */
    pair->filter = lose_those_of;
    pair->user_data = &pair->sides[by];
    pair_run (pair, SECOND);
    g_assert_no_error (pair->sides[1 - by].error);
    g_assert_cmpuint (pair->sides[1 - by].n_sent, ==, sent + 1); /* the alert no_renegotiation */
    g_assert_cmpstr (pair->sides[1 - by].states->str, ==, "HC");
    g_assert_true (rtc_dtls_send (pair->sides[1 - by].dtls, (const guint8 *)"still here", 10));
    pair_free (pair);
    rtc_dtls_identity_unref (wants);
  }
}

static void
two_of_the_same_role_give_up (void)
{
  for (guint is_server = 0; is_server < 2; is_server++) {
    Pair *pair = pair_new (1, ours, theirs);

    for (guint i = 0; i < 2; i++)
      rtc_dtls_start (pair->sides[i].dtls, is_server, NULL, pair->now);
    pair_run (pair, 31 * SECOND);
    for (guint i = 0; i < 2; i++) {
      g_assert_cmpstr (pair->sides[i].states->str, ==, "HF");
      g_assert_error (pair->sides[i].error, RTC_ERROR, RTC_ERROR_SETUP_FAILED);
    }
    pair_free (pair);
  }
}

int
main (int argc, char **argv)
{
  int result;

  g_assert_true (CRYPTO_set_mem_functions (count_malloc, count_realloc, count_free));
  g_test_init (&argc, &argv, NULL);
  ours = rtc_dtls_identity_new (NULL);
  theirs = rtc_dtls_identity_new (NULL);
  g_test_add_func ("/dtls/fingerprints_decide", fingerprints_decide);
  g_test_add_func ("/dtls/nobody_connects_without_a_certificate", nobody_connects_without_a_certificate);
  for (guint i = 0; i < G_N_ELEMENTS (ciphers); i++) {
    g_autofree gchar *path = g_strconcat ("/dtls/forged_records_end_nothing/", ciphers[i].name, NULL);

    g_test_add_data_func (path, &ciphers[i], forged_records_end_nothing);
  }
  g_test_add_func ("/dtls/memory_is_bounded", memory_is_bounded);
  g_test_add_func ("/dtls/a_connected_machine_is_small", a_connected_machine_is_small);
  g_test_add_func ("/dtls/replays_and_damage_change_nothing", replays_and_damage_change_nothing);
  g_test_add_func ("/dtls/renegotiation_is_refused", renegotiation_is_refused);
  g_test_add_func ("/dtls/two_of_the_same_role_give_up", two_of_the_same_role_give_up);
  result = g_test_run ();
  rtc_dtls_identity_unref (ours);
  rtc_dtls_identity_unref (theirs);
  return result;
}
