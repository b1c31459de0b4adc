/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcstun.h"

#include <string.h>

/* RFC 5769: sections 2.1, 2.2 and 2.3 with this password, 2.4 with long-term credentials. */
#define PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"

static const guint8 rfc_request[] = {0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
    0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 'S', 'T', 'U', 'N', ' ', 't', 'e', 's', 't', ' ', 'c',
    'l', 'i', 'e', 'n', 't', 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9,
    0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 'e', 'v', 't', 'j', ':', 'h', '6', 'v', 'Y', ' ', ' ', ' ',
    0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2,
    0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};

static const guint8 rfc_response_v4[] = {0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc,
    0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o',
    'r', ' ', 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b,
    0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
    0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};

static const guint8 rfc_response_v6[] = {0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc,
    0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o',
    'r', ' ', 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
    0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
    0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b,
    0x4c};

static const guint8 rfc_long_term[] = {0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6,
    0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83,
    0xaa, 0xe3, 0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00, 0x15, 0x00, 0x1c, 'f', '/', '/', '4',
    '9', '9', 'k', '9', '5', '4', 'd', '6', 'O', 'L', '3', '4', 'o', 'L', '9', 'F', 'S', 'T', 'v', 'y', '6', '4', 's',
    'A', 0x00, 0x14, 0x00, 0x0b, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o', 'r', 'g', 0x00, 0x00, 0x08, 0x00, 0x14,
    0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96,
    0x66};

static const struct
{
  const guint8 *data;
  gsize size;
} sealed[] = {
    {rfc_request, sizeof (rfc_request)},
    {rfc_response_v4, sizeof (rfc_response_v4)},
    {rfc_response_v6, sizeof (rfc_response_v6)},
};

static const guint8 id[RTC_STUN_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/* As whoever relies on a message does: it is well-formed, whole and authentic. */
static gboolean
is_right (RtcStunMessage *message, const guint8 *data, gsize size, GHmac *key)
{
  return rtc_stun_parse (message, data, size) && rtc_stun_check_fingerprint (message)
      && rtc_stun_check_integrity (message, key);
}

static void
the_request_of_rfc_5769_is_read (void)
{
  GHmac *key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;

  g_assert_true (is_right (&message, rfc_request, sizeof (rfc_request), key));
  g_assert_cmpint (message.klass, ==, RTC_STUN_REQUEST);
  g_assert_cmpuint (message.method, ==, RTC_STUN_BINDING);
  g_assert_cmpmem (message.id, RTC_STUN_ID_SIZE, rfc_request + 8, 12);
  g_assert_cmpmem (message.username, message.username_size, "evtj:h6vY", 9);
  g_assert_true (message.has_priority);
  g_assert_cmpuint (message.priority, ==, 0x6e0001ff);
  g_assert_true (message.controlled);
  g_assert_false (message.controlling);
  g_assert_cmpuint (message.tie_breaker, ==, G_GUINT64_CONSTANT (0x932ff9b151263b36));
  g_assert_false (message.use_candidate);
  g_assert_cmpuint (message.n_unknown, ==, 0);
  g_hmac_unref (key);
}

static void
check_response (const guint8 *data, gsize size, const gchar *expected)
{
  GHmac *key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;
  gchar *mapped;

  g_assert_true (is_right (&message, data, size, key));
  g_assert_cmpint (message.klass, ==, RTC_STUN_SUCCESS);
  g_assert_cmpuint (message.method, ==, RTC_STUN_BINDING);
  mapped = rtc_address_to_string (&message.mapped);
  g_assert_cmpstr (mapped, ==, expected);
  g_free (mapped);
  g_hmac_unref (key);
}

static void
the_responses_of_rfc_5769_are_read (void)
{
  check_response (rfc_response_v4, sizeof (rfc_response_v4), "192.0.2.1:32853");
  check_response (rfc_response_v6, sizeof (rfc_response_v6), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

static void
long_term_credentials_are_only_another_key (void)
{
  /* RFC 8489, section 9.2.2 */
  const gchar *text = "\343\203\236\343\203\210\343\203\252\343\203\203\343\202\257\343\202\271:example.org:TheMatrIX";
  GChecksum *md5 = g_checksum_new (G_CHECKSUM_MD5);
  RtcStunMessage message;
  guint8 digest[16];
  gsize digest_size = sizeof (digest);
  GHmac *key;

  g_checksum_update (md5, (const guchar *)text, -1);
  g_checksum_get_digest (md5, digest, &digest_size);
  key = g_hmac_new (G_CHECKSUM_SHA1, digest, digest_size);
  g_assert_true (rtc_stun_parse (&message, rfc_long_term, sizeof (rfc_long_term)));
  g_assert_cmpuint (message.username_size, ==, 18);
  g_assert_cmpuint (message.n_unknown, ==, 0);
  g_assert_true (rtc_stun_check_integrity (&message, key));
  g_assert_false (rtc_stun_check_fingerprint (&message));
  g_hmac_unref (key);
  g_checksum_free (md5);
}

static void
another_password_is_refused (void)
{
  GHmac *key = rtc_stun_key_new ("VOkJxbRl1RmTxUk/WvJxBT");
  RtcStunMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (sealed); i++) {
    g_assert_true (rtc_stun_parse (&message, sealed[i].data, sealed[i].size));
    g_assert_true (rtc_stun_check_fingerprint (&message));
    g_assert_false (rtc_stun_check_integrity (&message, key));
  }
  g_hmac_unref (key);
}

/* In memory of just that size, so that a read beyond it is one. */
static void
every_truncation_is_refused (void)
{
  RtcStunMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (sealed); i++) {
    for (gsize size = 0; size < sealed[i].size; size++) {
      guint8 *data = g_memdup2 (sealed[i].data, size);

      g_assert_false (rtc_stun_parse (&message, data, size));
      /* With a header that tells the truth about its length it may be well-formed, but it is not authentic. */
      if (size >= RTC_STUN_MIN_SIZE) {
        GHmac *key = rtc_stun_key_new (PASSWORD);

        data[2] = (size - RTC_STUN_MIN_SIZE) >> 8;
        data[3] = size - RTC_STUN_MIN_SIZE;
        g_assert_false (is_right (&message, data, size, key));
        g_hmac_unref (key);
      }
      g_free (data);
    }
  }
}

static void
every_flipped_bit_is_refused (void)
{
  GHmac *key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (sealed); i++) {
    guint8 *data = g_memdup2 (sealed[i].data, sealed[i].size);

    g_assert_true (is_right (&message, data, sealed[i].size, key));
    for (gsize bit = 0; bit < 8 * sealed[i].size; bit++) {
      data[bit / 8] ^= 1 << bit % 8;
      if (rtc_stun_parse (&message, data, sealed[i].size)) {
        g_assert_false (rtc_stun_check_fingerprint (&message));
        /* Bytes from FINGERPRINT on are not under MESSAGE-INTEGRITY. */
        if (bit / 8 < sealed[i].size - 8)
          g_assert_false (rtc_stun_check_integrity (&message, key));
      }
      data[bit / 8] ^= 1 << bit % 8;
    }
    g_free (data);
  }
  g_hmac_unref (key);
}

/* A header, and BODY as hexadecimal digits behind it. */
static GByteArray *
make_message (const gchar *body)
{
  GByteArray *bytes = g_byte_array_new ();
  guint8 header[RTC_STUN_MIN_SIZE] = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42};

  memcpy (header + 8, id, sizeof (id));
  g_byte_array_append (bytes, header, sizeof (header));
  for (; *body; body += 2) {
    guint8 byte = g_ascii_xdigit_value (body[0]) << 4 | g_ascii_xdigit_value (body[1]);

    g_byte_array_append (bytes, &byte, 1);
  }
  bytes->data[2] = (bytes->len - RTC_STUN_MIN_SIZE) >> 8;
  bytes->data[3] = bytes->len - RTC_STUN_MIN_SIZE;
  return bytes;
}

static void
what_is_not_well_formed_is_refused (void)
{
  static const struct
  {
    const gchar *body;
    gboolean right;
  } cases[] = {
      {"", TRUE},
      {"00060000", TRUE}, /* an attribute without a value */
      {"0006", FALSE}, /* half of one */
      {"00060001", FALSE}, /* a value that is not there */
      {"0006000161000000", TRUE},
      {"00060004616263640006", FALSE},
      {"0006000461626364", TRUE},
      {"0006000561626364", FALSE},
      {"0006ffff61626364", FALSE},
      {"0006fffc61626364", FALSE},
      {"8022ffff61626364", FALSE}, /* also of an attribute that nobody needs */
      {"8028ffff61626364", FALSE},
      {"0024000461626364", TRUE},
      {"002400036162630000000000", FALSE}, /* PRIORITY of 3 bytes */
      {"00240008616263640000000000000000", FALSE},
      {"00250000", TRUE},
      {"0025000400000000", FALSE}, /* USE-CANDIDATE with a value */
      {"802900080000000000000000", TRUE},
      {"8029000400000000", FALSE}, /* a tie-breaker of 4 bytes */
      {"802a000c000000000000000000000000", FALSE},
      {"0008001400000000000000000000000000000000000000", FALSE},
      {"000800140000000000000000000000000000000000000000", TRUE},
      {"0008001000000000000000000000000000000000", FALSE}, /* half a MESSAGE-INTEGRITY */
      {"00090004000004000000", FALSE},
      {"0009000400000414", TRUE},
      {"0009000400000204", FALSE}, /* 204 */
      {"0009000400000704", FALSE}, /* 704 */
      {"0009000400000464", FALSE}, /* 4 and 100 */
      {"000900020000", FALSE},
      {"8028000400000000", TRUE},
      {"802800040000000000250000", FALSE}, /* FINGERPRINT is not the last */
      {"802800080000000000000000", FALSE},
      {"002000080001000000000000", TRUE},
      {"002000080002000000000000", FALSE}, /* IPv6 in 4 bytes */
      {"002000080003000000000000", FALSE},
      {"0020000400010000", FALSE},
      {"00200000", FALSE},
  };
  RtcStunMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GByteArray *bytes = make_message (cases[i].body);
    guint8 *exact = g_memdup2 (bytes->data, bytes->len);

    if (rtc_stun_parse (&message, exact, bytes->len) != cases[i].right)
      g_error ("%s was %s", cases[i].body, cases[i].right ? "refused" : "taken");
    g_free (exact);
    g_byte_array_unref (bytes);
  }
}

static void
what_is_not_stun_is_refused (void)
{
  guint8 data[sizeof (rfc_request)];
  RtcStunMessage message;

  memcpy (data, rfc_request, sizeof (data));
  for (guint first = 4; first < 256; first++) {
    data[0] = first;
    if (first & 0xc0)
      g_assert_false (rtc_stun_parse (&message, data, sizeof (data)));
  }
  memcpy (data, rfc_request, sizeof (data));
  data[7]++; /* the cookie: RFC 3489 had none */
  g_assert_false (rtc_stun_parse (&message, data, sizeof (data)));
}

static void
class_and_method_are_read (void)
{
  static const struct
  {
    guint type, klass, method;
  } cases[] = {{0x0001, RTC_STUN_REQUEST, 1}, {0x0011, RTC_STUN_INDICATION, 1}, {0x0101, RTC_STUN_SUCCESS, 1},
      {0x0111, RTC_STUN_ERROR, 1}, {0x0003, RTC_STUN_REQUEST, 3}, {0x0021, RTC_STUN_REQUEST, 0x011},
      {0x0201, RTC_STUN_REQUEST, 0x081}, {0x3eef, RTC_STUN_REQUEST, 0xfff}, {0x3fff, RTC_STUN_ERROR, 0xfff}};
  GByteArray *bytes = make_message ("");
  RtcStunMessage message;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    bytes->data[0] = cases[i].type >> 8;
    bytes->data[1] = cases[i].type;
    g_assert_true (rtc_stun_parse (&message, bytes->data, bytes->len));
    g_assert_cmpuint (message.klass, ==, cases[i].klass);
    g_assert_cmpuint (message.method, ==, cases[i].method);
  }
  g_byte_array_unref (bytes);
}

static void
a_name_may_be_so_long (void)
{
  for (guint size = RTC_STUN_MAX_USERNAME; size <= RTC_STUN_MAX_USERNAME + 1; size++) {
    GString *body = g_string_new (NULL);
    RtcStunMessage message;
    GByteArray *bytes;

    g_string_printf (body, "0006%04x", size);
    for (guint i = 0; i < (size + 3) / 4; i++)
      g_string_append (body, "61616161");
    bytes = make_message (body->str);
    g_assert_true (rtc_stun_parse (&message, bytes->data, bytes->len) == (size <= RTC_STUN_MAX_USERNAME));
    g_byte_array_unref (bytes);
    g_string_free (body, TRUE);
  }
}

static void
the_first_of_two_attributes_counts (void)
{
  /* Two of PRIORITY, USERNAME and role; MESSAGE-INTEGRITY; and behind it what nobody vouches for. */
  GByteArray *bytes = make_message ("0024000400000001"
                                    "0024000400000002"
                                    "0006000461616161"
                                    "0006000462626262"
                                    "802a00080000000000000003"
                                    "802a00080000000000000004");
  GHmac *key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;
  gsize size = bytes->len;

  g_byte_array_set_size (bytes, size + RTC_STUN_SEAL_SIZE + 8);
  size = rtc_stun_seal (bytes->data, size, key) - 8;
  memcpy (bytes->data + size, "\0\x25\0\0\x7f\xff\0\0", 8);
  bytes->data[3] = size + 8 - RTC_STUN_MIN_SIZE;
  g_assert_true (rtc_stun_parse (&message, bytes->data, size + 8));
  g_assert_true (rtc_stun_check_integrity (&message, key));
  g_assert_cmpuint (message.priority, ==, 1);
  g_assert_cmpmem (message.username, message.username_size, "aaaa", 4);
  g_assert_cmpuint (message.tie_breaker, ==, 3);
  g_assert_false (message.use_candidate);
  g_assert_cmpuint (message.n_unknown, ==, 0);
  g_hmac_unref (key);
  g_byte_array_unref (bytes);
}

static void
what_has_to_be_understood_is_told (void)
{
  GString *body = g_string_new ("7ffe00000003000480000000" /* two */
                                "c001000400000001"); /* and one that may be ignored */
  RtcStunMessage message;
  GByteArray *bytes;

  for (guint i = 0; i < 20; i++)
    g_string_append_printf (body, "7f%02x0000", i);
  bytes = make_message (body->str);
  g_assert_true (rtc_stun_parse (&message, bytes->data, bytes->len));
  g_assert_cmpuint (message.n_unknown, ==, 22);
  g_assert_cmpuint (message.unknown[0], ==, 0x7ffe);
  g_assert_cmpuint (message.unknown[1], ==, 0x0003);
  g_assert_cmpuint (message.unknown[RTC_STUN_MAX_UNKNOWN - 1], ==, 0x7f05);
  g_byte_array_unref (bytes);
  g_string_free (body, TRUE);
}

static void
what_is_written_reads_the_same (void)
{
  static const struct
  {
    const gchar *ip;
    gsize size;
  } answers[] = {{"192.0.2.1", 64}, {"2001:db8:1234:5678:11:2233:4455:6677", 76}};
  const RtcStunCheck check = {id, "theirs:ours", 0x6e0001ff, TRUE, TRUE, G_GUINT64_CONSTANT (0x932ff9b151263b36)};
  const guint16 unknown[] = {0x7ffe, 0x0003, 0x0004};
  GHmac *key = rtc_stun_key_new (PASSWORD);
  guint8 out[RTC_STUN_MAX_ANSWER];
  RtcStunMessage message;
  gsize size;

  for (guint i = 0; i < G_N_ELEMENTS (answers); i++) {
    RtcAddress address;

    g_assert_true (rtc_address_parse (&address, answers[i].ip, 32853));
    size = rtc_stun_write_success (out, id, &address, key);
    g_assert_cmpuint (size, ==, answers[i].size);
    g_assert_true (is_right (&message, out, size, key));
    g_assert_cmpint (message.klass, ==, RTC_STUN_SUCCESS);
    g_assert_cmpmem (message.id, RTC_STUN_ID_SIZE, id, sizeof (id));
    g_assert_true (rtc_address_equal (&message.mapped, &address));
  }

  size = rtc_stun_write_error (out, id, RTC_STUN_ROLE_CONFLICT, NULL, 0, key);
  g_assert_cmpuint (size, ==, 60);
  g_assert_true (is_right (&message, out, size, key));
  g_assert_cmpint (message.klass, ==, RTC_STUN_ERROR);
  g_assert_cmpuint (message.error, ==, 487);

  size = rtc_stun_write_error (out, id, RTC_STUN_UNKNOWN_ATTRIBUTE, unknown, 3, key);
  g_assert_cmpuint (size, ==, 72);
  g_assert_true (is_right (&message, out, size, key));
  g_assert_cmpuint (message.error, ==, 420);
  g_assert_cmpmem (out + 28, 12, "\0\x0a\0\x06\x7f\xfe\0\x03\0\x04\0\0", 12);

  size = rtc_stun_write_check (out, &check, key);
  g_assert_cmpuint (size, ==, 92);
  g_assert_true (is_right (&message, out, size, key));
  g_assert_cmpint (message.klass, ==, RTC_STUN_REQUEST);
  g_assert_cmpuint (message.method, ==, RTC_STUN_BINDING);
  g_assert_cmpmem (message.username, message.username_size, "theirs:ours", 11);
  g_assert_cmpuint (message.priority, ==, check.priority);
  g_assert_cmpuint (message.tie_breaker, ==, check.tie_breaker);
  g_assert_true (message.use_candidate && message.controlling && !message.controlled);
  g_hmac_unref (key);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stun/the_request_of_rfc_5769_is_read", the_request_of_rfc_5769_is_read);
  g_test_add_func ("/stun/the_responses_of_rfc_5769_are_read", the_responses_of_rfc_5769_are_read);
  g_test_add_func ("/stun/long_term_credentials_are_only_another_key", long_term_credentials_are_only_another_key);
  g_test_add_func ("/stun/another_password_is_refused", another_password_is_refused);
  g_test_add_func ("/stun/every_truncation_is_refused", every_truncation_is_refused);
  g_test_add_func ("/stun/every_flipped_bit_is_refused", every_flipped_bit_is_refused);
  g_test_add_func ("/stun/what_is_not_well_formed_is_refused", what_is_not_well_formed_is_refused);
  g_test_add_func ("/stun/what_is_not_stun_is_refused", what_is_not_stun_is_refused);
  g_test_add_func ("/stun/class_and_method_are_read", class_and_method_are_read);
  g_test_add_func ("/stun/a_name_may_be_so_long", a_name_may_be_so_long);
  g_test_add_func ("/stun/the_first_of_two_attributes_counts", the_first_of_two_attributes_counts);
  g_test_add_func ("/stun/what_has_to_be_understood_is_told", what_has_to_be_understood_is_told);
  g_test_add_func ("/stun/what_is_written_reads_the_same", what_is_written_reads_the_same);
  return g_test_run ();
}
