/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcbundle.h"

#include <gst/rtp/rtp.h>
#include <string.h>

enum
{
  EXT_TWCC = 3,
  EXT_MID = 4,
  EXT_RID = 10,
  EXT_REPAIRED = 11,
};

/* Sound is line 0; pictures are lines 1 and 2, of the same payload types. */
enum
{
  OPUS = 111,
  PCMU = 0,
  VP8 = 96,
  RTX = 97,
};

static RtcBundle *
new_bundle (void)
{
  static const gchar *const mids[] = {"a", "v", "screen"};
  RtcBundle *bundle = rtc_bundle_new ();

  for (guint i = 0; i < G_N_ELEMENTS (mids); i++)
    rtc_bundle_add_line (bundle, i, mids[i], EXT_MID, EXT_RID, EXT_REPAIRED, EXT_TWCC);
  rtc_bundle_add_payload (bundle, 0, OPUS, -1);
  rtc_bundle_add_payload (bundle, 0, PCMU, -1);
  for (guint i = 1; i < G_N_ELEMENTS (mids); i++) {
    rtc_bundle_add_payload (bundle, i, VP8, -1);
    rtc_bundle_add_payload (bundle, i, RTX, VP8);
  }
  return bundle;
}

/* What GStreamer writes. */
typedef struct
{
  guint32 ssrc;
  guint payload;
  guint16 seq;
  const gchar *mid, *rid, *repaired;
  gint twcc; /* -1: none */
  gint repeats; /* the number of the packet that an RTX repeats; -1: no RTX */
  gboolean two_bytes;
} Packet;

static const Packet nothing = {.twcc = -1, .repeats = -1};

static void
add_extension (GstRTPBuffer *rtp, gboolean two_bytes, guint id, gconstpointer data, guint size)
{
  if (two_bytes)
    g_assert_true (gst_rtp_buffer_add_extension_twobytes_header (rtp, 0, id, data, size));
  else
    g_assert_true (gst_rtp_buffer_add_extension_onebyte_header (rtp, id, data, size));
}

static void
add_text (GstRTPBuffer *rtp, gboolean two_bytes, guint id, const gchar *text)
{
  if (text)
    add_extension (rtp, two_bytes, id, text, strlen (text));
}

static GBytes *
write_packet (const Packet *packet)
{
  GstBuffer *buffer = gst_rtp_buffer_new_allocate (20, 0, 0);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  gpointer data;
  gsize size;

  g_assert_true (gst_rtp_buffer_map (buffer, GST_MAP_READWRITE, &rtp));
  gst_rtp_buffer_set_ssrc (&rtp, packet->ssrc);
  gst_rtp_buffer_set_seq (&rtp, packet->seq);
  gst_rtp_buffer_set_payload_type (&rtp, packet->payload);
  memset (gst_rtp_buffer_get_payload (&rtp), 0xee, 20);
  if (packet->repeats >= 0)
    GST_WRITE_UINT16_BE ((guint8 *)gst_rtp_buffer_get_payload (&rtp), packet->repeats);
  add_text (&rtp, packet->two_bytes, EXT_MID, packet->mid);
  add_text (&rtp, packet->two_bytes, EXT_RID, packet->rid);
  add_text (&rtp, packet->two_bytes, EXT_REPAIRED, packet->repaired);
  if (packet->twcc >= 0) {
    guint8 number[2] = {packet->twcc >> 8, packet->twcc};

    add_extension (&rtp, packet->two_bytes, EXT_TWCC, number, 2);
  }
  gst_rtp_buffer_unmap (&rtp);
  gst_buffer_extract_dup (buffer, 0, -1, &data, &size);
  gst_buffer_unref (buffer);
  return g_bytes_new_take (data, size);
}

static gboolean
take (RtcBundle *bundle, const Packet *packet, RtcBundlePacket *taken)
{
  g_autoptr (GBytes) bytes = write_packet (packet);
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  if (!rtc_bundle_take (bundle, data, size, taken))
    return FALSE;
  g_assert_cmpuint (taken->ssrc, ==, packet->ssrc);
  g_assert_cmpint (taken->payload, ==, packet->payload);
  g_assert_true (taken->has_twcc == (packet->twcc >= 0));
  if (taken->has_twcc)
    g_assert_cmpuint (taken->twcc, ==, packet->twcc);
  return TRUE;
}

/* The line of a packet; -1: nobody's. */
static gint
line_of (RtcBundle *bundle, guint32 ssrc, guint payload, guint16 seq, const gchar *mid)
{
  Packet packet = nothing;
  RtcBundlePacket taken;

  packet.ssrc = ssrc;
  packet.payload = payload;
  packet.seq = seq;
  packet.mid = mid;
  return take (bundle, &packet, &taken) ? (gint)taken.mline : -1;
}

static void
the_mid_says_the_line (void)
{
  RtcBundle *bundle = new_bundle ();
  Packet packet = {1, VP8, 1, "screen", NULL, NULL, 513, -1, FALSE};
  RtcBundlePacket taken;

  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpuint (taken.mline, ==, 2);
  g_assert_false (taken.is_rtx);
  g_assert_cmpint (taken.primary, ==, -1);
  g_assert_cmpuint (taken.original, ==, 0);
  g_assert_cmpstr (taken.rid, ==, "");
  packet.ssrc = 2;
  packet.mid = "v";
  packet.two_bytes = TRUE;
  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpuint (taken.mline, ==, 1);
  rtc_bundle_free (bundle);
}

/* Browsers write the MID until the first report comes, then no more. */
static void
the_ssrc_is_learned_at_once (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpint (line_of (bundle, 1, VP8, 1, NULL), ==, -1);
  g_assert_cmpint (line_of (bundle, 1, VP8, 2, "screen"), ==, 2);
  g_assert_cmpint (line_of (bundle, 1, VP8, 3, NULL), ==, 2);
  g_assert_cmpint (line_of (bundle, 2, VP8, 3, NULL), ==, -1);
  rtc_bundle_free (bundle);
}

static void
the_description_names_ssrcs (void)
{
  RtcBundle *bundle = new_bundle ();

  rtc_bundle_add_ssrc (bundle, 2, 1, 0);
  g_assert_cmpint (line_of (bundle, 1, VP8, 1, NULL), ==, 2);
  /* What the packet says is newer. */
  g_assert_cmpint (line_of (bundle, 1, VP8, 2, "v"), ==, 1);
  g_assert_cmpint (line_of (bundle, 1, VP8, 3, NULL), ==, 1);
  rtc_bundle_free (bundle);
}

static void
a_payload_type_of_one_line_is_enough (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpint (line_of (bundle, 1, OPUS, 1, NULL), ==, 0);
  g_assert_cmpint (line_of (bundle, 1, PCMU, 2, NULL), ==, 0);
  g_assert_cmpint (line_of (bundle, 2, VP8, 1, NULL), ==, -1);
  g_assert_cmpint (line_of (bundle, 2, 98, 1, NULL), ==, -1);
  rtc_bundle_free (bundle);
}

static void
what_is_nobodys_is_refused (void)
{
  RtcBundle *bundle = new_bundle ();

  /* A MID that no line has, an SSRC that is known all the same: RFC 8843, section 9.2. */
  g_assert_cmpint (line_of (bundle, 1, OPUS, 1, "a"), ==, 0);
  g_assert_cmpint (line_of (bundle, 1, OPUS, 2, "b"), ==, -1);
  g_assert_cmpint (line_of (bundle, 1, OPUS, 3, "aa"), ==, -1);
  g_assert_cmpint (line_of (bundle, 1, OPUS, 4, NULL), ==, 0);
  /* A payload type that the line does not have; it teaches nothing. */
  g_assert_cmpint (line_of (bundle, 1, VP8, 5, NULL), ==, -1);
  g_assert_cmpint (line_of (bundle, 2, OPUS, 1, "v"), ==, -1);
  g_assert_cmpint (line_of (bundle, 2, VP8, 2, NULL), ==, -1);
  rtc_bundle_free (bundle);
}

static void
an_ssrc_moves_with_its_newest_mid (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpint (line_of (bundle, 1, VP8, 65534, "v"), ==, 1);
  g_assert_cmpint (line_of (bundle, 1, VP8, 2, "screen"), ==, 2);
  /* It was overtaken. */
  g_assert_cmpint (line_of (bundle, 1, VP8, 65535, "v"), ==, 2);
  g_assert_cmpint (line_of (bundle, 1, VP8, 3, NULL), ==, 2);
  g_assert_cmpint (line_of (bundle, 1, VP8, 4, "v"), ==, 1);
  rtc_bundle_free (bundle);
}

/* RTX. */

static guint32
original_of (RtcBundle *bundle, guint32 ssrc, guint16 repeats, const gchar *mid, const gchar *repaired, gchar *rid)
{
  static guint16 seq;
  Packet packet = {ssrc, RTX, ++seq, mid, NULL, repaired, -1, repeats, FALSE};
  RtcBundlePacket taken;

  g_assert_true (take (bundle, &packet, &taken));
  g_assert_true (taken.is_rtx);
  g_assert_cmpint (taken.primary, ==, VP8);
  if (rid)
    strcpy (rid, taken.rid);
  return taken.original;
}

static void
a_group_says_whose_the_rtx_is (void)
{
  RtcBundle *bundle = new_bundle ();

  rtc_bundle_add_ssrc (bundle, 1, 1000, 0);
  rtc_bundle_add_ssrc (bundle, 1, 1001, 1000);
  rtc_bundle_add_ssrc (bundle, 1, 1001, 0); /* its a=ssrc, behind the group */
  g_assert_cmpuint (original_of (bundle, 1001, 5, NULL, NULL, NULL), ==, 1000);
  /* The numbers of another stream change nothing. */
  g_assert_cmpint (line_of (bundle, 2000, VP8, 6, "v"), ==, 1);
  g_assert_cmpuint (original_of (bundle, 1001, 5, "v", NULL, NULL), ==, 1000);
  /* Nor does a layer that nobody sends, nor a move of the line. */
  g_assert_cmpuint (original_of (bundle, 1001, 5, "v", "hi", NULL), ==, 1000);
  g_assert_cmpint (line_of (bundle, 1000, VP8, 1, "screen"), ==, 2);
  g_assert_cmpuint (original_of (bundle, 1001, 5, "screen", NULL, NULL), ==, 1000);
  rtc_bundle_free (bundle);
}

static void
the_repeated_number_says_whose_the_rtx_is (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpuint (original_of (bundle, 1001, 5, "v", NULL, NULL), ==, 0);
  g_assert_cmpint (line_of (bundle, 3000, VP8, 100, "screen"), ==, 2);
  g_assert_cmpint (line_of (bundle, 1000, VP8, 40000, "v"), ==, 1);
  g_assert_cmpuint (original_of (bundle, 1001, 100, NULL, NULL, NULL), ==, 0);
  g_assert_cmpuint (original_of (bundle, 1001, 39990, NULL, NULL, NULL), ==, 1000);
  g_assert_cmpuint (original_of (bundle, 1001, 100, NULL, NULL, NULL), ==, 1000);

  /* A second stream of the line, and its RTX. */
  g_assert_cmpint (line_of (bundle, 2000, VP8, 39999, "v"), ==, 1);
  g_assert_cmpuint (original_of (bundle, 2001, 39990, "v", NULL, NULL), ==, 0);
  g_assert_cmpint (line_of (bundle, 2000, VP8, 50000, NULL), ==, 1);
  g_assert_cmpuint (original_of (bundle, 2001, 50010, NULL, NULL, NULL), ==, 2000);
  rtc_bundle_free (bundle);
}

/* A stream that goes to another line leaves its layer and its RTX behind. */
static void
what_was_learned_of_a_line_stays_there (void)
{
  RtcBundle *bundle = new_bundle ();
  Packet packet = {1000, VP8, 1, "v", "hi", NULL, -1, -1, FALSE};
  RtcBundlePacket taken;

  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpuint (original_of (bundle, 1001, 1, "v", NULL, NULL), ==, 1000);
  packet.seq = 2;
  packet.mid = "screen";
  packet.rid = NULL;
  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpuint (taken.mline, ==, 2);
  g_assert_cmpstr (taken.rid, ==, "");
  g_assert_cmpuint (original_of (bundle, 1001, 1, NULL, NULL, NULL), ==, 0);
  g_assert_cmpuint (original_of (bundle, 1001, 1, "screen", NULL, NULL), ==, 1000);
  rtc_bundle_free (bundle);
}

static void
layers_have_their_rtx (void)
{
  RtcBundle *bundle = new_bundle ();
  Packet packet = {1000, VP8, 1, "v", "hi", NULL, -1, -1, FALSE};
  RtcBundlePacket taken;
  gchar rid[17];

  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpstr (taken.rid, ==, "hi");
  packet.ssrc = 2000;
  packet.rid = "lo";
  packet.two_bytes = TRUE;
  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpstr (taken.rid, ==, "lo");
  packet.rid = packet.mid = NULL;
  packet.seq = 2;
  g_assert_true (take (bundle, &packet, &taken));
  g_assert_cmpstr (taken.rid, ==, "lo");

  g_assert_cmpuint (original_of (bundle, 2001, 1, "v", "lo", rid), ==, 2000);
  g_assert_cmpstr (rid, ==, "lo");
  g_assert_cmpuint (original_of (bundle, 1001, 1, "v", "hi", rid), ==, 1000);
  g_assert_cmpstr (rid, ==, "hi");
  g_assert_cmpuint (original_of (bundle, 2001, 1, NULL, NULL, rid), ==, 2000);
  g_assert_cmpstr (rid, ==, "lo");
  /* A layer that did not come yet. */
  g_assert_cmpuint (original_of (bundle, 3001, 1, "v", "mid", rid), ==, 0);
  g_assert_cmpstr (rid, ==, "mid");
  rtc_bundle_free (bundle);
}

static void
a_rid_is_letters_and_digits (void)
{
  static const struct
  {
    const gchar *rid, *taken;
  } cases[] = {
      {"0123456789abcdef", "0123456789abcdef"},
      {"0123456789abcdefg", ""},
      {"a b", ""},
      {"\xff", ""},
      {"a-_Z", "a-_Z"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    RtcBundle *bundle = new_bundle ();
    Packet packet = {1, VP8, 1, "v", cases[i].rid, NULL, -1, -1, TRUE};
    RtcBundlePacket taken;

    g_assert_true (take (bundle, &packet, &taken));
    g_assert_cmpstr (taken.rid, ==, cases[i].taken);
    rtc_bundle_free (bundle);
  }
}

/* Bounds. */

static void
who_was_silent_longest_is_forgotten (void)
{
  RtcBundle *bundle = new_bundle ();

  rtc_bundle_add_ssrc (bundle, 2, 1, 0);
  g_assert_cmpint (line_of (bundle, 2, VP8, 1, "v"), ==, 1);
  g_assert_cmpint (line_of (bundle, 3, VP8, 1, "v"), ==, 1);
  for (guint i = 0; i < RTC_BUNDLE_MAX_SSRCS - 2; i++)
    g_assert_cmpint (line_of (bundle, 100 + i, VP8, 1, "v"), ==, 1);
  g_assert_cmpint (line_of (bundle, 2, VP8, 2, NULL), ==, 1);
  g_assert_cmpint (line_of (bundle, 5000, VP8, 1, "v"), ==, 1);
  g_assert_cmpint (line_of (bundle, 3, VP8, 2, NULL), ==, -1);
  g_assert_cmpint (line_of (bundle, 2, VP8, 3, NULL), ==, 1);
  g_assert_cmpint (line_of (bundle, 100, VP8, 2, NULL), ==, 1);
  g_assert_cmpint (line_of (bundle, 1, VP8, 1, NULL), ==, 2);
  rtc_bundle_free (bundle);
}

/* The RTX of one that was forgotten belongs to nobody, until a number tells. */
static void
a_forgotten_original_is_found_again (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpint (line_of (bundle, 1000, VP8, 10, "v"), ==, 1);
  g_assert_cmpuint (original_of (bundle, 1001, 10, "v", NULL, NULL), ==, 1000);
  for (guint i = 0; i < RTC_BUNDLE_MAX_SSRCS - 1; i++)
    g_assert_cmpint (line_of (bundle, 100000 + i, OPUS, 1, NULL), ==, 0);
  g_assert_cmpuint (original_of (bundle, 1001, 10, NULL, NULL, NULL), ==, 0);
  g_assert_cmpint (line_of (bundle, 2000, VP8, 60000, "v"), ==, 1);
  g_assert_cmpuint (original_of (bundle, 1001, 60000, NULL, NULL, NULL), ==, 2000);
  rtc_bundle_free (bundle);
}

static void
what_the_description_names_is_bounded (void)
{
  RtcBundle *bundle = new_bundle ();

  g_assert_cmpint (line_of (bundle, 1, VP8, 1, "v"), ==, 1);
  for (guint i = 0; i < 2 * RTC_BUNDLE_MAX_SSRCS; i++)
    rtc_bundle_add_ssrc (bundle, 2, 1 + i, 0);
  g_assert_cmpint (line_of (bundle, 1, VP8, 2, NULL), ==, 2);
  g_assert_cmpint (line_of (bundle, RTC_BUNDLE_MAX_SSRCS, VP8, 1, NULL), ==, 2);
  g_assert_cmpint (line_of (bundle, RTC_BUNDLE_MAX_SSRCS + 1, VP8, 1, NULL), ==, -1);
  rtc_bundle_free (bundle);
}

/* Bytes. */

static GByteArray *
from_hex (const gchar *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex; hex++) {
    guint8 byte;

    if (*hex == ' ')
      continue;
    byte = g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]);
    g_byte_array_append (bytes, &byte, 1);
    hex++;
  }
  return bytes;
}

/* From memory of just that size. */
static gboolean
take_exactly (RtcBundle *bundle, const guint8 *data, gsize size, RtcBundlePacket *taken)
{
  g_autofree guint8 *exact = g_memdup2 (data, size);

  return rtc_bundle_take (bundle, exact, size, taken);
}

/* Takes it, and each of its beginnings, by bundles that know nothing. */
static gboolean
take_hex (const gchar *hex, RtcBundlePacket *taken)
{
  g_autoptr (GByteArray) bytes = from_hex (hex);
  RtcBundle *bundle;
  gboolean good;

  for (gsize size = 0; size < bytes->len; size++) {
    bundle = new_bundle ();
    take_exactly (bundle, bytes->data, size, taken);
    rtc_bundle_free (bundle);
  }
  bundle = new_bundle ();
  good = take_exactly (bundle, bytes->data, bytes->len, taken);
  rtc_bundle_free (bundle);
  return good;
}

/* As Chromium sends its first packet of a picture: abs-send-time, TWCC, MID, then two bytes that fill the word. */
static void
packets_of_browsers_are_read (void)
{
  RtcBundlePacket taken;

  g_assert_true (take_hex ("90e01234 00000000 00001001 bede0003 22aabbcc 31010240 76000000 90800010", &taken));
  g_assert_cmpuint (taken.mline, ==, 1);
  g_assert_cmpuint (taken.ssrc, ==, 0x1001);
  g_assert_cmpint (taken.payload, ==, VP8);
  g_assert_true (taken.has_twcc);
  g_assert_cmpuint (taken.twcc, ==, 0x0102);

  /* Its probe: padding alone, on the RTX. */
  g_assert_true (take_hex ("b0611235 00000000 00001002 bede0002 31010340 76000000 00000000 00000008", &taken));
  g_assert_true (taken.is_rtx);
  g_assert_cmpuint (taken.original, ==, 0);

  /* Two contributing sources, as a mixer writes them. */
  g_assert_true (take_hex ("926f1234 00000000 00001003 0000000a 0000000b bede0001 40610000 00", &taken));
  g_assert_cmpuint (taken.mline, ==, 0);
}

static void
extensions_end_where_the_rfc_says (void)
{
  RtcBundlePacket taken;

  /* Filled before and between; two-byte form with one of no bytes, and with application bits. */
  g_assert_true (take_hex ("90600001 00000000 00001001 bede0002 00004076 00310102", &taken));
  g_assert_true (taken.has_twcc);
  g_assert_true (take_hex ("90600001 00000000 00001001 100f0003 05000004 01760003 02010200", &taken));
  g_assert_true (taken.has_twcc);
  /* 15 ends all, and so does 0 that is longer than a filling; what was before counts. */
  g_assert_true (take_hex ("90600001 00000000 00001001 bede0002 4076f000 31010200", &taken));
  g_assert_false (taken.has_twcc);
  g_assert_true (take_hex ("90600001 00000000 00001001 bede0002 40760100 31010200", &taken));
  g_assert_false (taken.has_twcc);
  /* One longer than the block; a number of one byte. */
  g_assert_true (take_hex ("90600001 00000000 00001001 bede0001 40763f01 02020202", &taken));
  g_assert_false (taken.has_twcc);
  g_assert_true (take_hex ("90600001 00000000 00001001 bede0001 40763001", &taken));
  g_assert_false (taken.has_twcc);
  /* Two-byte form, cut in the middle of an id and its length. */
  g_assert_true (take_hex ("90600001 00000000 00001001 10000001 04017603 00000000", &taken));
  /* Another profile's: not ours to read. */
  g_assert_false (take_hex ("90600001 00000000 00001001 beef0002 40760031 01020000", &taken));
  g_assert_true (take_hex ("906f0001 00000000 00001001 beef0002 40760031 01020000", &taken));
}

static void
what_is_malformed_is_refused (void)
{
  static const gchar *const bad[] = {
      "", "80", "806f0001 00000000 000010", /* no header */
      "406f0001 00000000 00001001", "c06f0001 00000000 00001001", /* not version 2 */
      "816f0001 00000000 00001001", "8f6f0001 00000000 00001001 00000001", /* sources missing */
      "906f0001 00000000 00001001", "906f0001 00000000 00001001 bede00", /* no extension */
      "906f0001 00000000 00001001 bede0001", "906f0001 00000000 00001001 bedeffff 40610000", /* or too little of it */
      "a06f0001 00000000 00001001", "a06f0001 00000000 00001001 00", "a06f0001 00000000 00001001 02", /* padding */
  };
  RtcBundlePacket taken;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (take_hex (bad[i], &taken));
  g_assert_true (take_hex ("806f0001 00000000 00001001", &taken));
  g_assert_true (take_hex ("a06f0001 00000000 00001001 01", &taken));
}

/* Whatever comes, no more is read than is there (seen under ASan), and what is said makes sense. */
static void
noise_does_no_harm (void)
{
  RtcBundle *bundle = new_bundle ();
  guint n = 0;

  for (guint seed = 0; seed < 50000; seed++) {
    g_autoptr (GRand) random = g_rand_new_with_seed (seed);
    static const guint8 payloads[] = {OPUS, VP8, RTX};
    guint8 data[64];
    RtcBundlePacket taken;

    for (gsize i = 0; i < sizeof (data); i++)
      data[i] = g_rand_int_range (random, 0, 3) ? g_rand_int (random) : 0;
    data[0] = 0x80 | (data[0] & 0x33);
    data[1] = payloads[g_rand_int_range (random, 0, 3)];
    GST_WRITE_UINT32_BE (data + 12, (seed & 1 ? 0xbede0000 : 0x10000000) | g_rand_int_range (random, 0, 12));
    memcpy (data + 16, seed & 1 ? "\x40v\x40w" : "\4\1v\4", 4);
    if (!take_exactly (bundle, data, g_rand_int_range (random, 0, sizeof (data) + 1), &taken))
      continue;
    n++;
    g_assert_cmpuint (taken.mline, <=, 2);
    g_assert_true (taken.mline == 0 ? taken.payload == OPUS : taken.payload != OPUS);
    g_assert_true (taken.is_rtx == (taken.payload == RTX));
    g_assert_true (taken.is_rtx || taken.original == 0);
    g_assert_nonnull (memchr (taken.rid, 0, sizeof (taken.rid)));
  }
  g_assert_cmpuint (n, >, 5000);
  rtc_bundle_free (bundle);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bundle/the_mid_says_the_line", the_mid_says_the_line);
  g_test_add_func ("/bundle/the_ssrc_is_learned_at_once", the_ssrc_is_learned_at_once);
  g_test_add_func ("/bundle/the_description_names_ssrcs", the_description_names_ssrcs);
  g_test_add_func ("/bundle/a_payload_type_of_one_line_is_enough", a_payload_type_of_one_line_is_enough);
  g_test_add_func ("/bundle/what_is_nobodys_is_refused", what_is_nobodys_is_refused);
  g_test_add_func ("/bundle/an_ssrc_moves_with_its_newest_mid", an_ssrc_moves_with_its_newest_mid);
  g_test_add_func ("/bundle/a_group_says_whose_the_rtx_is", a_group_says_whose_the_rtx_is);
  g_test_add_func ("/bundle/the_repeated_number_says_whose_the_rtx_is", the_repeated_number_says_whose_the_rtx_is);
  g_test_add_func ("/bundle/what_was_learned_of_a_line_stays_there", what_was_learned_of_a_line_stays_there);
  g_test_add_func ("/bundle/layers_have_their_rtx", layers_have_their_rtx);
  g_test_add_func ("/bundle/a_rid_is_letters_and_digits", a_rid_is_letters_and_digits);
  g_test_add_func ("/bundle/who_was_silent_longest_is_forgotten", who_was_silent_longest_is_forgotten);
  g_test_add_func ("/bundle/a_forgotten_original_is_found_again", a_forgotten_original_is_found_again);
  g_test_add_func ("/bundle/what_the_description_names_is_bounded", what_the_description_names_is_bounded);
  g_test_add_func ("/bundle/packets_of_browsers_are_read", packets_of_browsers_are_read);
  g_test_add_func ("/bundle/extensions_end_where_the_rfc_says", extensions_end_where_the_rfc_says);
  g_test_add_func ("/bundle/what_is_malformed_is_refused", what_is_malformed_is_refused);
  g_test_add_func ("/bundle/noise_does_no_harm", noise_does_no_harm);
  return g_test_run ();
}
