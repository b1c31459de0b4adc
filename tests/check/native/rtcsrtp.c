/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a receiver takes and what it remembers. rtcsrtpcipher.c has the RFCs' own examples, rtcsrtpreference.c the
 * comparison with libsrtp. */

#include "native/rtcsrtp.h"

#include <gst/gst.h>
#include <string.h>

#include "native/rtcsrtpcipher.h"

#define WINDOW 1024
#define PAYLOAD 20
#define HEADER 12
#define RTCP_SIZE 28

typedef struct
{
  guint8 data[HEADER + PAYLOAD + RTC_SRTCP_OVERHEAD];
  gsize size;
} Packet;

typedef struct
{
  RtcSrtpSender *sender;
  RtcSrtpReceiver *receiver;
} Pair;

static const RtcSrtpProfile profiles[] = {RTC_SRTP_AEAD_AES_128_GCM, RTC_SRTP_AES128_CM_SHA1_80};

static RtcSrtpKeys
some_keys (RtcSrtpProfile profile)
{
  RtcSrtpKeys keys = {.profile = profile, .key = "0123456789abcde", .salt = "ABCDEFGHIJKLM"};

  return keys;
}

static Pair
pair_new (gconstpointer profile)
{
  RtcSrtpKeys keys = some_keys (*(const RtcSrtpProfile *)profile);
  Pair pair = {rtc_srtp_sender_new (&keys), rtc_srtp_receiver_new (&keys)};

  return pair;
}

static void
pair_clear (Pair *pair)
{
  rtc_srtp_sender_free (pair->sender);
  rtc_srtp_receiver_free (pair->receiver);
}

static void
make (Packet *packet, guint32 ssrc, guint64 index)
{
  guint8 *data = packet->data;

  for (guint i = 0; i < sizeof (packet->data); i++)
    data[i] = (guint8)(i * 7 + index);
  data[0] = 0x80;
  data[1] = 96;
  GST_WRITE_UINT16_BE (data + 2, index & 0xffff);
  GST_WRITE_UINT32_BE (data + 8, ssrc);
  packet->size = HEADER + PAYLOAD;
}

static void
protect (Pair *pair, Packet *packet, guint32 ssrc, guint64 index)
{
  make (packet, ssrc, index);
  packet->size = rtc_srtp_sender_protect (pair->sender, packet->data, HEADER, packet->data + HEADER, PAYLOAD, index);
}

static void
arrives (Pair *pair, guint32 ssrc, guint64 index, RtcSrtpResult expected)
{
  Packet packet, plain;
  RtcSrtpResult result;

  make (&plain, ssrc, index);
  protect (pair, &packet, ssrc, index);
  result = rtc_srtp_receiver_unprotect (pair->receiver, packet.data, &packet.size);
  if (result != expected)
    g_error ("packet %" G_GUINT64_FORMAT " of %u: result %d, not %d", index, ssrc, result, expected);
  if (result == RTC_SRTP_OK)
    g_assert_cmpmem (packet.data, packet.size, plain.data, plain.size);
}

/* A packet of somebody who sees all and has no keys. */
static void
forged (Pair *pair, guint32 ssrc, guint64 index)
{
  Packet packet;
  gsize size;

  protect (pair, &packet, ssrc, index);
  packet.data[packet.size - 1] ^= 1;
  size = packet.size;
  g_assert_cmpint (rtc_srtp_receiver_unprotect (pair->receiver, packet.data, &packet.size), ==, RTC_SRTP_NOT_AUTHENTIC);
  g_assert_cmpuint (packet.size, ==, size);
}

static void
a_replay_is_refused (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  guint64 head = 5000;

  for (guint64 i = head; i < head + 10; i++) {
    arrives (&pair, 1, i, RTC_SRTP_OK);
    arrives (&pair, 1, i, RTC_SRTP_REPLAYED);
    arrives (&pair, 1, head, RTC_SRTP_REPLAYED);
    arrives (&pair, 2, i, RTC_SRTP_OK); /* another SSRC has its own window */
  }
  pair_clear (&pair);
}

static void
the_window_has_1024_packets (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  guint64 head = 3 * WINDOW + 17;

  arrives (&pair, 1, head, RTC_SRTP_OK);
  arrives (&pair, 1, head - WINDOW, RTC_SRTP_REPLAYED);
  for (guint64 i = head - WINDOW + 1; i < head; i++)
    arrives (&pair, 1, i, RTC_SRTP_OK);
  for (guint64 i = head - 2 * WINDOW; i <= head; i++)
    arrives (&pair, 1, i, RTC_SRTP_REPLAYED);
  /* It moves on: by one, by some, by just less than its size, and by more. */
  for (guint64 step = 1; step < 3 * WINDOW; step = step * 2 + 1) {
    arrives (&pair, 1, head + step, RTC_SRTP_OK);
    for (guint64 i = head + step - MIN (step, WINDOW) + 1; i < head + step; i++)
      arrives (&pair, 1, i, RTC_SRTP_OK);
    for (guint64 i = head; i <= head + step; i++)
      arrives (&pair, 1, i, RTC_SRTP_REPLAYED);
    head += step;
  }
  pair_clear (&pair);
}

static void
reordered_around_a_rollover (gconstpointer profile)
{
  static const gint order[] = {-3, 0, -2, 2, -1, 1, 5, -4, 3, -100, 4, 1000, 0, -2};
  Pair pair = pair_new (profile);

  arrives (&pair, 1, 0xff00, RTC_SRTP_OK);
  for (guint64 rollover = 0x10000; rollover <= 0x30000; rollover += 0x10000) {
    for (guint i = 0; i < G_N_ELEMENTS (order); i++)
      arrives (&pair, 1, rollover + order[i], i < G_N_ELEMENTS (order) - 2 ? RTC_SRTP_OK : RTC_SRTP_REPLAYED);
    arrives (&pair, 1, rollover + 0x8000, RTC_SRTP_OK);
    arrives (&pair, 1, rollover + 0xff00, RTC_SRTP_OK);
  }
  pair_clear (&pair);
}

static void
arrives_after_a_gap (gconstpointer profile, guint64 head, guint64 gap, RtcSrtpResult expected)
{
  Pair pair = pair_new (profile);

  for (guint64 index = 0; index < head; index += 0x7000)
    arrives (&pair, 1, index, RTC_SRTP_OK);
  arrives (&pair, 1, head, RTC_SRTP_OK);
  arrives (&pair, 1, head + gap, expected);
  if (expected == RTC_SRTP_OK)
    head += gap;
  arrives (&pair, 1, head - 1023, RTC_SRTP_OK);
  arrives (&pair, 1, head - 1024, RTC_SRTP_REPLAYED);
  pair_clear (&pair);
}

/* RFC 3711, section 3.3.1: a gap below 2^15 is a gap, wherever the rollover is; one above it is a step back, to a
 * packet that is too old. Of 2^15 itself the RFC says the one in a half of the numbers and the other in the other half.
 */
static void
as_many_as_can_be_lost (gconstpointer profile)
{
  static const guint64 heads[] = {0x10000, 0x10001, 0x17fff, 0x18000, 0x18001, 0x1fffe, 0x1ffff, 0x20000};

  for (guint i = 0; i < G_N_ELEMENTS (heads); i++) {
    gboolean first_half = (heads[i] & 0xffff) < 0x8000;

    arrives_after_a_gap (profile, heads[i], 0x7fff, RTC_SRTP_OK);
    arrives_after_a_gap (profile, heads[i], 0x8000, first_half ? RTC_SRTP_OK : RTC_SRTP_REPLAYED);
    arrives_after_a_gap (profile, heads[i], 0x8001, RTC_SRTP_REPLAYED);
  }
}

/* Lost before anything came, and then late: there is no index below 0. */
static void
a_late_start (gconstpointer profile)
{
  Pair pair = pair_new (profile);

  arrives (&pair, 1, 500, RTC_SRTP_OK);
  arrives (&pair, 1, 0, RTC_SRTP_OK);
  arrives (&pair, 1, 499, RTC_SRTP_OK);
  arrives (&pair, 1, 0xffff, RTC_SRTP_OK);
  arrives (&pair, 1, 0x10000, RTC_SRTP_OK);
  arrives (&pair, 1, 0xfffe, RTC_SRTP_OK);
  /* It began before 2^16: another receiver joins later, and cannot know. */
  arrives (&pair, 2, 0x10005, RTC_SRTP_NOT_AUTHENTIC);
  pair_clear (&pair);
}

static void
forgeries_change_nothing (gconstpointer profile)
{
  Pair pair = pair_new (profile);

  arrives (&pair, 1, 2000, RTC_SRTP_OK);
  for (guint i = 1; i < 500; i++) {
    forged (&pair, 1, 2000 + 60 * i); /* would move the window, in the end to the next rollover */
    forged (&pair, 1, 2000 - i); /* would be taken for seen */
    forged (&pair, 1000 + i, i); /* would take the place of SSRC 1 */
    arrives (&pair, 1, 2000 + i, RTC_SRTP_OK);
  }
  for (guint i = 1; i < 500; i++)
    arrives (&pair, 1, 2000 - i, RTC_SRTP_OK);
  arrives (&pair, 1, 2000, RTC_SRTP_REPLAYED);
  pair_clear (&pair);
}

/* Every bit counts, also of the header, and of the rollover counter that is not in the packet. */
static void
nothing_can_be_changed (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  Packet packet, good;

  protect (&pair, &good, 1, 0x123);
  for (guint bit = 0; bit < 8 * good.size; bit++) {
    packet = good;
    packet.data[bit / 8] ^= 1 << bit % 8;
    g_assert_cmpint (rtc_srtp_receiver_unprotect (pair.receiver, packet.data, &packet.size), !=, RTC_SRTP_OK);
  }
  protect (&pair, &packet, 1, 0x10123);
  g_assert_cmpint (rtc_srtp_receiver_unprotect (pair.receiver, packet.data, &packet.size), ==, RTC_SRTP_NOT_AUTHENTIC);
  g_assert_cmpint (rtc_srtp_receiver_unprotect (pair.receiver, good.data, &good.size), ==, RTC_SRTP_OK);
  pair_clear (&pair);
}

static void
forgeries_are_not_decrypted (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  Packet packet, plain;

  make (&plain, 1, 7);
  protect (&pair, &packet, 1, 7);
  packet.data[packet.size - 1] ^= 1;
  g_assert_cmpint (rtc_srtp_receiver_unprotect (pair.receiver, packet.data, &packet.size), ==, RTC_SRTP_NOT_AUTHENTIC);
  for (guint i = HEADER; i + 4 <= HEADER + PAYLOAD; i++)
    g_assert_cmpint (memcmp (packet.data + i, plain.data + i, 4), !=, 0);
  pair_clear (&pair);
}

static void
the_65th_ssrc_takes_a_place (gconstpointer profile)
{
  Pair pair = pair_new (profile);

  for (guint i = 0; i < RTC_SRTP_MAX_SSRCS; i++)
    arrives (&pair, 100 + i, i, RTC_SRTP_OK);
  arrives (&pair, 100, 1000, RTC_SRTP_OK); /* now 101 is silent longest */
  forged (&pair, 500, 1);
  arrives (&pair, 101, 1, RTC_SRTP_REPLAYED); /* and this does not count as a packet of it */
  arrives (&pair, 500, 1, RTC_SRTP_OK);
  for (guint i = 2; i < RTC_SRTP_MAX_SSRCS; i++)
    arrives (&pair, 100 + i, i, RTC_SRTP_REPLAYED);
  arrives (&pair, 100, 0, RTC_SRTP_REPLAYED);
  arrives (&pair, 500, 1, RTC_SRTP_REPLAYED);
  arrives (&pair, 101, 1, RTC_SRTP_OK); /* forgotten */
  arrives (&pair, 102, 2, RTC_SRTP_OK); /* forgotten for it */
  pair_clear (&pair);
}

static gsize
rtcp (Pair *pair, guint8 *packet, guint32 index)
{
  memset (packet, 0, RTCP_SIZE);
  packet[0] = 0x80;
  packet[1] = 200;
  packet[3] = RTCP_SIZE / 4 - 1;
  GST_WRITE_UINT32_BE (packet + 4, 77);
  rtc_srtp_sender_set_rtcp_index (pair->sender, index);
  return rtc_srtp_sender_protect_rtcp (pair->sender, packet, RTCP_SIZE);
}

static void
rtcp_arrives (Pair *pair, guint32 index, RtcSrtpResult expected)
{
  guint8 packet[RTCP_SIZE + RTC_SRTCP_OVERHEAD];
  gsize size = rtcp (pair, packet, index);

  g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (pair->receiver, packet, &size), ==, expected);
  if (expected == RTC_SRTP_OK)
    g_assert_cmpuint (size, ==, RTCP_SIZE);
}

static void
rtcp_is_authentic_and_new (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  guint8 packet[RTCP_SIZE + RTC_SRTCP_OVERHEAD], good[RTCP_SIZE + RTC_SRTCP_OVERHEAD];
  gsize size = rtcp (&pair, good, 10);

  for (guint bit = 0; bit < 8 * size; bit++) {
    gsize changed = size;

    memcpy (packet, good, size);
    packet[bit / 8] ^= 1 << bit % 8;
    g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (pair.receiver, packet, &changed), !=, RTC_SRTP_OK);
    g_assert_cmpuint (changed, ==, size);
  }
  rtcp_arrives (&pair, 10, RTC_SRTP_OK);
  rtcp_arrives (&pair, 10, RTC_SRTP_REPLAYED);
  rtcp_arrives (&pair, 0, RTC_SRTP_OK);
  rtcp_arrives (&pair, 9 + WINDOW, RTC_SRTP_OK);
  rtcp_arrives (&pair, 9, RTC_SRTP_REPLAYED); /* never seen, too old */
  rtcp_arrives (&pair, 11, RTC_SRTP_OK);
  rtcp_arrives (&pair, 0x7fffffff, RTC_SRTP_OK);
  rtcp_arrives (&pair, 0x7ffffffe, RTC_SRTP_OK);
  rtcp_arrives (&pair, 12, RTC_SRTP_REPLAYED);
  pair_clear (&pair);
}

static void
rtcp_ends_with_its_index (gconstpointer profile)
{
  Pair pair = pair_new (profile);
  guint8 packet[RTCP_SIZE + RTC_SRTCP_OVERHEAD];

  g_assert_cmpuint (rtcp (&pair, packet, 0x7fffffff), >, RTCP_SIZE);
  g_assert_cmpuint (rtc_srtp_sender_protect_rtcp (pair.sender, packet, RTCP_SIZE), ==, 0);
  g_assert_cmpuint (rtc_srtp_sender_protect_rtcp (pair.sender, packet, RTCP_SIZE), ==, 0);
  pair_clear (&pair);
}

/* RFC 3711, section 3.4: E = 0 is authenticated as everything is. */
static void
plain_rtcp_is_taken (gconstpointer profile)
{
  RtcSrtpKeys keys = some_keys (*(const RtcSrtpProfile *)profile);
  Pair pair = pair_new (profile);
  guint8 packet[RTCP_SIZE + RTC_SRTCP_OVERHEAD], plain[RTCP_SIZE] = {0x80, 200, 0, RTCP_SIZE / 4 - 1, 0, 0, 0, 9, 8};
  RtcSrtpSessionKeys session;
  RtcSrtpCipher cipher;
  gsize size, changed;

  rtc_srtp_derive (&keys, TRUE, &session);
  rtc_srtp_cipher_init (&cipher, keys.profile, &session, TRUE);
  memcpy (packet, plain, sizeof (plain));
  size = rtc_srtp_cipher_seal_rtcp (&cipher, packet, sizeof (plain), 3);
  g_assert_cmpmem (packet, sizeof (plain), plain, sizeof (plain));
  packet[20] ^= 1;
  changed = size;
  g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (pair.receiver, packet, &changed), ==, RTC_SRTP_NOT_AUTHENTIC);
  memcpy (packet, plain, sizeof (plain));
  g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (pair.receiver, packet, &size), ==, RTC_SRTP_OK);
  g_assert_cmpmem (packet, size, plain, sizeof (plain));
  rtc_srtp_cipher_clear (&cipher);
  pair_clear (&pair);
}

static void
is_malformed (Pair *pair, const guint8 *header, gsize header_size, gsize size, gboolean also_as_rtcp)
{
  g_autofree guint8 *packet = g_malloc0 (MAX (size, 1)); /* no more, so that a read behind it shows */
  gsize left = size;

  memcpy (packet, header, MIN (header_size, size));
  g_assert_cmpint (rtc_srtp_receiver_unprotect (pair->receiver, packet, &left), ==, RTC_SRTP_MALFORMED);
  if (also_as_rtcp)
    g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (pair->receiver, packet, &left), ==, RTC_SRTP_MALFORMED);
  g_assert_cmpuint (left, ==, size);
}

static void
malformed_packets_are_refused (gconstpointer profile)
{
  static const struct
  {
    guint8 first, words; /* words: of the extension */
    gsize header_size;
  } cases[] = {
      {0x80, 0, 12},
      {0x81, 0, 16},
      {0x8f, 0, 72},
      {0x90, 0, 16},
      {0x90, 1, 20},
      {0x90, 255, 16 + 4 * 255},
      {0x9f, 3, 72 + 4 + 12},
  };
  static const guint8 versions[] = {0x00, 0x40, 0xc0};
  gsize tag = *(const RtcSrtpProfile *)profile == RTC_SRTP_AEAD_AES_128_GCM ? 16 : 10;
  Pair pair = pair_new (profile);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint8 header[72 + 4] = {cases[i].first};
    gsize extension = 12 + 4 * (cases[i].first & 15);

    header[extension + 3] = cases[i].words;
    for (gsize size = 0; size < cases[i].header_size + tag; size++)
      is_malformed (&pair, header, sizeof (header), size, size < 8 + 4 + tag);
  }
  for (guint i = 0; i < G_N_ELEMENTS (versions); i++)
    is_malformed (&pair, &versions[i], 1, 100, TRUE);
  is_malformed (&pair, &cases[0].first, 1, G_MAXUINT16 + 1, TRUE);
  pair_clear (&pair);
}

static void
the_profiles_have_the_names_that_openssl_uses (void)
{
  g_assert_cmpstr (rtc_srtp_profile_to_string (RTC_SRTP_AEAD_AES_128_GCM), ==, "SRTP_AEAD_AES_128_GCM");
  g_assert_cmpstr (rtc_srtp_profile_to_string (RTC_SRTP_AES128_CM_SHA1_80), ==, "SRTP_AES128_CM_SHA1_80");
}

static void
add_for_both (const gchar *name, GTestDataFunc func)
{
  for (guint i = 0; i < G_N_ELEMENTS (profiles); i++) {
    g_autofree gchar *path = g_strdup_printf ("/srtp/%s/%s", name, rtc_srtp_profile_to_string (profiles[i]));

    g_test_add_data_func (path, &profiles[i], func);
  }
}

#define ADD_FOR_BOTH(func) add_for_both (#func, func)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/srtp/the_profiles_have_the_names_that_openssl_uses", the_profiles_have_the_names_that_openssl_uses);
  ADD_FOR_BOTH (a_replay_is_refused);
  ADD_FOR_BOTH (the_window_has_1024_packets);
  ADD_FOR_BOTH (reordered_around_a_rollover);
  ADD_FOR_BOTH (as_many_as_can_be_lost);
  ADD_FOR_BOTH (a_late_start);
  ADD_FOR_BOTH (forgeries_change_nothing);
  ADD_FOR_BOTH (nothing_can_be_changed);
  ADD_FOR_BOTH (forgeries_are_not_decrypted);
  ADD_FOR_BOTH (the_65th_ssrc_takes_a_place);
  ADD_FOR_BOTH (rtcp_is_authentic_and_new);
  ADD_FOR_BOTH (rtcp_ends_with_its_index);
  ADD_FOR_BOTH (plain_rtcp_is_taken);
  ADD_FOR_BOTH (malformed_packets_are_refused);
  return g_test_run ();
}
