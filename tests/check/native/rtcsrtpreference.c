/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* libsrtp is the reference: what one protects the other opens, and whatever comes in whatever order, both say the same
 * of it. The packets are random; `--seed` makes a run again. */

#include "native/rtcsrtp.h"

#include <gst/gst.h>
#include <srtp2/srtp.h>
#include <string.h>

#define ROOM 1600
#define WINDOW 1024

typedef struct
{
  guint8 data[ROOM];
  gsize size, header_size;
} Packet;

static const RtcSrtpProfile profiles[] = {RTC_SRTP_AEAD_AES_128_GCM, RTC_SRTP_AES128_CM_SHA1_80};

static RtcSrtpKeys
random_keys (RtcSrtpProfile profile)
{
  RtcSrtpKeys keys = {.profile = profile};

  for (guint i = 0; i < sizeof (keys.key); i++)
    keys.key[i] = g_test_rand_int ();
  for (guint i = 0; i < sizeof (keys.salt); i++)
    keys.salt[i] = g_test_rand_int ();
  return keys;
}

static srtp_t
reference_new (const RtcSrtpKeys *keys, srtp_ssrc_type_t direction)
{
  gboolean gcm = keys->profile == RTC_SRTP_AEAD_AES_128_GCM;
  srtp_profile_t profile = gcm ? srtp_profile_aead_aes_128_gcm : srtp_profile_aes128_cm_sha1_80;
  guint8 key[sizeof (keys->key) + sizeof (keys->salt)];
  srtp_policy_t policy = {.ssrc.type = direction, .key = key, .window_size = WINDOW};
  srtp_t session;

  /* Of the salt of GCM libsrtp reads only 12 bytes. */
  memcpy (key, keys->key, sizeof (keys->key));
  memcpy (key + sizeof (keys->key), keys->salt, sizeof (keys->salt));
  g_assert_cmpint (srtp_crypto_policy_set_from_profile_for_rtp (&policy.rtp, profile), ==, srtp_err_status_ok);
  g_assert_cmpint (srtp_crypto_policy_set_from_profile_for_rtcp (&policy.rtcp, profile), ==, srtp_err_status_ok);
  g_assert_cmpint (srtp_create (&session, &policy), ==, srtp_err_status_ok);
  return session;
}

static RtcSrtpResult
result_of (srtp_err_status_t status)
{
  switch (status) {
    case srtp_err_status_ok:
      return RTC_SRTP_OK;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
      return RTC_SRTP_REPLAYED;
    case srtp_err_status_auth_fail:
      return RTC_SRTP_NOT_AUTHENTIC;
    default:
      return RTC_SRTP_MALFORMED;
  }
}

static void
fill (guint8 *to, gsize size)
{
  for (gsize i = 0; i < size; i++)
    to[i] = g_test_rand_int ();
}

/* Any payload, the empty one among them; contributing sources, and extensions of any size. */
static void
make_rtp (Packet *packet, guint32 ssrc, guint16 seq)
{
  guint csrcs = g_test_rand_bit () ? g_test_rand_int_range (0, 16) : 0;
  guint words = g_test_rand_int_range (0, 20);
  gsize payload = g_test_rand_int_range (0, 10) ? g_test_rand_int_range (1, 1300) : 0;
  guint8 *data = packet->data;

  fill (data, sizeof (packet->data));
  data[0] = 0x80 | csrcs;
  GST_WRITE_UINT16_BE (data + 2, seq);
  GST_WRITE_UINT32_BE (data + 8, ssrc);
  packet->header_size = 12 + 4 * csrcs;
  if (g_test_rand_bit ()) {
    data[0] |= 0x10;
    GST_WRITE_UINT16_BE (data + packet->header_size, 0xbede);
    GST_WRITE_UINT16_BE (data + packet->header_size + 2, words);
    packet->header_size += 4 + 4 * words;
  }
  packet->size = packet->header_size + payload;
}

static void
make_rtcp (Packet *packet, guint32 ssrc)
{
  guint words = g_test_rand_int_range (1, 300);

  fill (packet->data, sizeof (packet->data));
  packet->data[0] = 0x80;
  packet->data[1] = 200;
  GST_WRITE_UINT16_BE (packet->data + 2, words);
  GST_WRITE_UINT32_BE (packet->data + 4, ssrc);
  packet->size = 4 + 4 * words;
}

static void
assert_same (const Packet *one, const Packet *other)
{
  g_assert_cmpmem (one->data, one->size, other->data, other->size);
}

static void
protect (RtcSrtpSender *sender, const Packet *plain, guint64 index, gboolean in_place, Packet *out)
{
  gsize payload_size = plain->size - plain->header_size;

  memcpy (out->data, plain->data, in_place ? plain->size : plain->header_size);
  out->size = rtc_srtp_sender_protect (
      sender, out->data, plain->header_size, (in_place ? out : plain)->data + plain->header_size, payload_size, index);
}

static Packet
by_reference (srtp_t session, const Packet *plain, srtp_err_status_t (*protect_it) (srtp_t, void *, int *))
{
  Packet out = *plain;
  int size = (int)plain->size;

  g_assert_cmpint (protect_it (session, out.data, &size), ==, srtp_err_status_ok);
  out.size = size;
  return out;
}

static RtcSrtpResult
opened_by_reference (srtp_t session, Packet *packet, srtp_err_status_t (*open_it) (srtp_t, void *, int *))
{
  int size = (int)packet->size;
  RtcSrtpResult result = result_of (open_it (session, packet->data, &size));

  packet->size = size;
  return result;
}

/* Bit by bit the same packets, which each opens. Three SSRCs, over two steps of the rollover counter. */
static void
rtp_is_the_same (gconstpointer profile)
{
  RtcSrtpKeys keys = random_keys (*(const RtcSrtpProfile *)profile);
  RtcSrtpSender *sender = rtc_srtp_sender_new (&keys);
  RtcSrtpReceiver *receiver = rtc_srtp_receiver_new (&keys);
  srtp_t out = reference_new (&keys, ssrc_any_outbound), in = reference_new (&keys, ssrc_any_inbound);
  guint64 indices[3] = {0, 30000, 0x7ffe};
  guint rollovers = 0;

  while (rollovers < 6) {
    guint which = g_test_rand_int_range (0, 3);
    guint64 *index = &indices[which];
    Packet plain, ours, theirs;

    make_rtp (&plain, 0xdeadbe00 | which, *index & 0xffff);
    protect (sender, &plain, *index, g_test_rand_bit (), &ours);
    theirs = by_reference (out, &plain, srtp_protect);
    assert_same (&ours, &theirs);
    g_assert_cmpuint (ours.size, <=, plain.size + RTC_SRTP_OVERHEAD);

    g_assert_cmpint (opened_by_reference (in, &ours, srtp_unprotect), ==, RTC_SRTP_OK);
    assert_same (&ours, &plain);
    g_assert_cmpint (rtc_srtp_receiver_unprotect (receiver, theirs.data, &theirs.size), ==, RTC_SRTP_OK);
    assert_same (&theirs, &plain);

    /* Mostly the next one; sometimes many are lost. */
    rollovers -= *index >> 16;
    *index += g_test_rand_int_range (0, 20) ? 1 : g_test_rand_int_range (1, 0x8000);
    rollovers += *index >> 16;
  }
  srtp_dealloc (out);
  srtp_dealloc (in);
  rtc_srtp_sender_free (sender);
  rtc_srtp_receiver_free (receiver);
}

static void
rtcp_is_understood (gconstpointer profile)
{
  RtcSrtpKeys keys = random_keys (*(const RtcSrtpProfile *)profile);
  RtcSrtpSender *sender = rtc_srtp_sender_new (&keys);
  RtcSrtpReceiver *receiver = rtc_srtp_receiver_new (&keys);
  srtp_t out = reference_new (&keys, ssrc_any_outbound), in = reference_new (&keys, ssrc_any_inbound);

  for (guint i = 0; i < 3000; i++) {
    guint32 ssrc = 0xcafe0000 | g_test_rand_int_range (0, 4);
    Packet plain, ours, theirs;

    make_rtcp (&plain, ssrc);
    ours = plain;
    ours.size = rtc_srtp_sender_protect_rtcp (sender, ours.data, ours.size);
    g_assert_cmpuint (ours.size, >, plain.size);
    g_assert_cmpuint (ours.size, <=, plain.size + RTC_SRTCP_OVERHEAD);
    g_assert_cmpint (opened_by_reference (in, &ours, srtp_unprotect_rtcp), ==, RTC_SRTP_OK);
    assert_same (&ours, &plain);

    theirs = by_reference (out, &plain, srtp_protect_rtcp);
    g_assert_cmpint (rtc_srtp_receiver_unprotect_rtcp (receiver, theirs.data, &theirs.size), ==, RTC_SRTP_OK);
    assert_same (&theirs, &plain);
  }
  srtp_dealloc (out);
  srtp_dealloc (in);
  rtc_srtp_sender_free (sender);
  rtc_srtp_receiver_free (receiver);
}

/* Packets that are late, twice there, far ahead, damaged: both receivers say the same of each. */
static void
verdicts_are_the_same (gconstpointer profile)
{
  RtcSrtpKeys keys = random_keys (*(const RtcSrtpProfile *)profile);
  RtcSrtpSender *sender = rtc_srtp_sender_new (&keys);
  RtcSrtpReceiver *receiver = rtc_srtp_receiver_new (&keys);
  srtp_t in = reference_new (&keys, ssrc_any_inbound);
  guint64 head = 0x7000;
  guint counts[4] = {0};

  for (guint i = 0; i < 60000; i++) {
    guint kind = g_test_rand_int_range (0, 100);
    guint64 index, back = g_test_rand_int_range (0, kind < 90 ? 8 : 3 * WINDOW);
    RtcSrtpResult expected, result;
    Packet plain, ours, theirs;

    head += kind == 0 ? g_test_rand_int_range (0, 0x7fff) : 1;
    index = head - back;
    make_rtp (&plain, 0x01020304, index & 0xffff);
    protect (sender, &plain, index, FALSE, &ours);
    if (kind > 95)
      ours.data[g_test_rand_int_range (12, ours.size)] ^= 1 << g_test_rand_int_range (0, 8);
    theirs = ours;
    expected = opened_by_reference (in, &theirs, srtp_unprotect);
    result = rtc_srtp_receiver_unprotect (receiver, ours.data, &ours.size);
    /* A damaged length of the extension is refused by both, for one reason or another. */
    if (expected == RTC_SRTP_MALFORMED || result == RTC_SRTP_MALFORMED)
      g_assert_true (expected != RTC_SRTP_OK && result != RTC_SRTP_OK);
    else
      g_assert_cmpint (result, ==, expected);
    if (result == RTC_SRTP_OK)
      assert_same (&ours, &plain);
    counts[result]++;
  }
  g_test_message ("taken %u, malformed %u, not authentic %u, replayed %u", counts[0], counts[1], counts[2], counts[3]);
  g_assert_cmpuint (counts[RTC_SRTP_OK], >, 10000);
  g_assert_cmpuint (counts[RTC_SRTP_NOT_AUTHENTIC], >, 300);
  g_assert_cmpuint (counts[RTC_SRTP_REPLAYED], >, 10000);
  srtp_dealloc (in);
  rtc_srtp_sender_free (sender);
  rtc_srtp_receiver_free (receiver);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (srtp_init (), ==, srtp_err_status_ok);
  for (guint i = 0; i < G_N_ELEMENTS (profiles); i++) {
    const gchar *name = rtc_srtp_profile_to_string (profiles[i]);
    g_autofree gchar *rtp = g_strdup_printf ("/srtp/reference/rtp_is_the_same/%s", name);
    g_autofree gchar *rtcp = g_strdup_printf ("/srtp/reference/rtcp_is_understood/%s", name);
    g_autofree gchar *verdicts = g_strdup_printf ("/srtp/reference/verdicts_are_the_same/%s", name);

    g_test_add_data_func (rtp, &profiles[i], rtp_is_the_same);
    g_test_add_data_func (rtcp, &profiles[i], rtcp_is_understood);
    g_test_add_data_func (verdicts, &profiles[i], verdicts_are_the_same);
  }
  result = g_test_run ();
  srtp_shutdown ();
  return result;
}
