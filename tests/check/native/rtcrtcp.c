/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcrtcp.h"

#include <gst/rtp/rtp.h>
#include <string.h>

#define PERIOD RTC_RTCP_TWCC_PERIOD

/* What was told, as text: one line a call. */

static void
on_sender_info (const RtcRtcpSenderInfo *info, gpointer log)
{
  g_string_append_printf (
      log, "sr %x %" G_GINT64_MODIFIER "x %u %u %u\n", info->ssrc, info->ntp, info->rtp, info->packets, info->octets);
}

static void
on_report (const RtcRtcpReport *report, gpointer log)
{
  g_string_append_printf (log, "report %x>%x %u %d %u %u %x %u\n", report->sender_ssrc, report->ssrc,
      report->fraction_lost, report->packets_lost, report->highest_seq, report->jitter, report->last_sr, report->delay);
}

static void
on_nack (const RtcRtcpNack *nack, gpointer log)
{
  g_assert_cmpuint (nack->n, >, 0);
  g_assert_cmpuint (nack->n, <=, RTC_RTCP_MAX_NACK);
  g_string_append_printf (log, "nack %x", nack->ssrc);
  for (guint i = 0; i < nack->n; i++)
    g_string_append_printf (log, " %u", nack->seq[i]);
  g_string_append_c (log, '\n');
}

static void
on_twcc (const RtcRtcpTwcc *twcc, gpointer log)
{
  g_assert_cmpuint (twcc->n, >, 0);
  g_assert_cmpuint (twcc->n, <=, RTC_RTCP_MAX_TWCC);
  g_string_append_printf (log, "twcc %x #%u %u+%u", twcc->ssrc, twcc->count, twcc->base, twcc->n);
  for (guint i = 0; i < twcc->n; i++) {
    g_assert_cmpint (twcc->arrival[i], >=, -1);
    g_assert_cmpint (twcc->arrival[i], <, PERIOD);
    if (twcc->arrival[i] >= 0)
      g_string_append_printf (log, " %u@%" G_GINT64_FORMAT, (guint16)(twcc->base + i), twcc->arrival[i]);
  }
  g_string_append_c (log, '\n');
}

static void
on_pli (guint32 ssrc, gpointer log)
{
  g_string_append_printf (log, "pli %x\n", ssrc);
}

static void
on_fir (guint32 ssrc, guint8 number, gpointer log)
{
  g_string_append_printf (log, "fir %x %u\n", ssrc, number);
}

static void
on_remb (guint64 bitrate, gpointer log)
{
  g_string_append_printf (log, "remb %" G_GUINT64_FORMAT "\n", bitrate);
}

static void
on_bye (guint32 ssrc, gpointer log)
{
  g_string_append_printf (log, "bye %x\n", ssrc);
}

static const RtcRtcpFuncs all = {
    .sender_info = on_sender_info,
    .report = on_report,
    .nack = on_nack,
    .twcc = on_twcc,
    .pli = on_pli,
    .fir = on_fir,
    .remb = on_remb,
    .bye = on_bye,
};

static const RtcRtcpFuncs nobody = {.bye = NULL};

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

/* From memory of just that size, so that a read beyond the end is seen; with nobody who listens it has to say the same.
 */
static gboolean
read_exactly (const guint8 *data, gsize size, GString *log)
{
  g_autofree guint8 *exact = g_memdup2 (data, size);
  gboolean good = rtc_rtcp_read (exact, size, &all, log);

  g_assert_true (rtc_rtcp_read (exact, size, &nobody, NULL) == good);
  return good;
}

/* Reads it, and each of its beginnings: these tell only what the whole tells too. */
static void
check_bytes (const guint8 *data, gsize size, const gchar *expected, gboolean is_good)
{
  g_autoptr (GString) log = g_string_new (NULL);

  g_assert_true (read_exactly (data, size, log) == is_good);
  g_assert_cmpstr (log->str, ==, expected);
  for (gsize shorter = 0; shorter < size; shorter++) {
    g_autoptr (GString) part = g_string_new (NULL);

    read_exactly (data, shorter, part);
    g_assert_true (g_str_has_prefix (expected, part->str));
  }
}

static void
check (const gchar *hex, const gchar *expected)
{
  g_autoptr (GByteArray) bytes = from_hex (hex);

  check_bytes (bytes->data, bytes->len, expected, TRUE);
}

static void
check_bad (const gchar *hex, const gchar *expected)
{
  g_autoptr (GByteArray) bytes = from_hex (hex);

  check_bytes (bytes->data, bytes->len, expected, FALSE);
}

/* As browsers write them. */

static void
reports_are_read (void)
{
  check (
      "80c80006 00001001 e5a1b2c3 40000000 0001e240 00000064 0001d4c0", "sr 1001 e5a1b2c340000000 123456 100 120000\n");
  check ("81c90007 00000001 00001001 0cffffff 00010005 00000020 b2c34000 00008000",
      "report 1>1001 12 -1 65541 32 b2c34000 32768\n");
  check ("81c8000c 00001001 e5a1b2c3 40000000 0001e240 00000064 0001d4c0"
         "00002002 ff7fffff 00000007 00000000 00000000 00000000",
      "sr 1001 e5a1b2c340000000 123456 100 120000\nreport 1001>2002 255 8388607 7 0 0 0\n");
  /* Nothing received yet, as each connection of Chromium begins. */
  check ("80c90001 00000001", "");
  /* Profile-specific words behind the blocks belong to nobody. */
  check ("81c90009 00000001 00001001 00000003 00000009 00000001 00000002 00000003 01020304 05060708",
      "report 1>1001 0 3 9 1 2 3\n");
}

/* A compound of Firefox: RR, SDES with CNAME, NACK. */
static void
a_nack_is_expanded (void)
{
  check ("81c90007 00000001 00001001 00000000 00000001 00000000 00000000 00000000"
         "81ca0005 00000001 010b7b61 62636465 66676869 7d000000"
         "81cd0004 00000001 00001001 00648001 ffff0003",
      "report 1>1001 0 0 1 0 0 0\nnack 1001 100 101 116 65535 0 1\n");
  /* Alone, as Chromium sends it with a=rtcp-rsize. */
  check ("81cd0003 00000001 00001001 00050000", "nack 1001 5\n");
}

static void
key_frames_are_asked_for (void)
{
  check ("81ce0002 00000001 00001001", "pli 1001\n");
  check ("84ce0004 00000001 00000000 00001001 07000000", "fir 1001 7\n");
  check ("84ce0006 00000001 00000000 00001001 07000000 00002002 ff000000", "fir 1001 7\nfir 2002 255\n");
}

static void
remb_is_bits_a_second (void)
{
  /* 2.5 Mbit/s: 156250 << 4 */
  check ("8fce0005 00000001 00000000 52454d42 0112625a 00001001", "remb 2500000\n");
  check ("8fce0006 00000001 00000000 52454d42 0203ffff 00001001 00002002", "remb 262143\n");
  check ("8fce0004 00000001 00000000 52454d42 00ffffff", "remb 18446744073709551615\n");
  check ("8fce0004 00000001 00000000 52454d42 00b80001", "remb 70368744177664\n");
  /* Somebody else's. */
  check ("8fce0003 00000001 00000000 47454d42", "");
  check ("8fce0002 00000001 00000000", "");
}

static void
a_bye_may_name_several (void)
{
  check ("82cb0002 00001001 00002002", "bye 1001\nbye 2002\n");
  check ("81cb0003 00001001 06656e64 65640000", "bye 1001\n");
  check ("80cb0000", "");
}

static void
what_is_unknown_is_skipped (void)
{
  check ("80cf0004 00000001 04000002 e5a1b2c3 40000000" /* XR with a reference time */
         "80cc0002 00000001 74657374" /* APP */
         "83cd0003 00000001 00001001 01020304" /* TMMBR */
         "82ce0003 00000001 00001001 01020304" /* SLI */
         "80df0000" /* nothing known */
         "81ce0002 00000001 00001001",
      "pli 1001\n");
}

/* TWCC, derived by hand from section 3.1 of the draft. */

static void
chunks_and_deltas_of_the_draft (void)
{
  /* Its examples of a run (221 lost) and of one-bit symbols (0 11111 000 111 00), base 1000, reference 64 ms. */
  check ("8fcd0007 00000001 00001001 03e800eb 00000101 00dd9f1c 01020304 05060708",
      "twcc 1001 #1 1000+235 1222@64250 1223@64750 1224@65500 1225@66500 1226@67750 1230@69250 1231@71000 "
      "1232@73000\n");
  /* Two-bit symbols: small, large, lost, large, small; -1 ms, and the largest of both. Numbers wrap. */
  check ("8fcd0006 00000001 00001001 ffff0005 000000ff d89004ff fc7fffff",
      "twcc 1001 #255 65535+5 65535@1000 0@0 2@8191750 3@8255500\n");
  /* A last run that is longer than it need be, and zeros behind the deltas that are not called padding. */
  check ("8fcd0006 00000001 00000000 000a0002 00000107 3fff0404 00000000", "twcc 0 #7 10+2 10@65000 11@66000\n");
  /* Nothing came. */
  check ("8fcd0005 00000001 00001001 000a0002 00000105 00020000", "twcc 1001 #5 10+2\n");
}

static void
time_wraps_both_ways (void)
{
  check ("afcd0006 00000001 00001001 00000002 00000000 e400fffc 08000003", "twcc 1001 #0 0+2 0@1073741823000 1@1000\n");
  check ("8fcd0005 00000001 00001001 00000002 ffffff00 2002ffff", "twcc 1001 #0 0+2 0@1073741823750 1@63500\n");
  g_assert_cmpint (rtc_rtcp_twcc_elapsed (1073741823000, 1000), ==, 2000);
  g_assert_cmpint (rtc_rtcp_twcc_elapsed (1000, 1073741823000), ==, -2000);
  g_assert_cmpint (rtc_rtcp_twcc_elapsed (1000, 251000), ==, 250000);
  g_assert_cmpint (rtc_rtcp_twcc_elapsed (251000, 1000), ==, -250000);
}

/* libwebrtc pads its transport feedback by one to three bytes, wherever in the compound it is. */
static void
padding_is_left_out (void)
{
  check ("afcd0006 00000001 00001001 000a0003 00000105 20030404 04000003"
         "8fcd0005 00000001 00001001 000d0002 00000206 20020404",
      "twcc 1001 #5 10+3 10@65000 11@66000 12@67000\ntwcc 1001 #6 13+2 13@129000 14@130000\n");
  check ("a1ce0003 00000001 00001001 00000004", "pli 1001\n");
  check_bad ("afcd0005 00000001 00001001 000a0002 00000105 20020401", "");
}

static void
append_u16 (GByteArray *bytes, guint value)
{
  const guint8 both[2] = {value >> 8, value};

  g_byte_array_append (bytes, both, 2);
}

/* A TWCC of N packets, all lost but the last, which came at 64.25 ms. */
static void
append_long_twcc (GByteArray *bytes, guint n)
{
  guint runs = (n - 1) / 8191 + 1;
  guint rest = (runs + 1) * 2 + 1;
  guint padding = 4 - rest % 4;

  append_u16 (bytes, 0xafcd);
  append_u16 (bytes, (20 + rest + padding) / 4 - 1);
  append_u16 (bytes, 0);
  append_u16 (bytes, 1);
  append_u16 (bytes, 0);
  append_u16 (bytes, 0x1001);
  append_u16 (bytes, 60000);
  append_u16 (bytes, n);
  append_u16 (bytes, 0);
  append_u16 (bytes, 0x0103);
  for (guint left = n - 1, i = 0; i < runs; i++) {
    append_u16 (bytes, MIN (left, 8191));
    left -= MIN (left, 8191);
  }
  append_u16 (bytes, 0x2001);
  g_byte_array_append (bytes, (const guint8 *)"\x01\0\0\0\0", 1 + padding);
  bytes->data[bytes->len - 1] = padding;
}

static void
long_ones_are_told_in_parts (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GString) expected = g_string_new (NULL);

  append_long_twcc (bytes, 5000);
  check_bytes (bytes->data, bytes->len,
      "twcc 1001 #3 60000+2048\ntwcc 1001 #3 62048+2048\ntwcc 1001 #3 64096+904 64999@64250\n", TRUE);

  /* 5 items of one number, then 17 each: 59 of these fill a part but for 16. */
  g_byte_array_set_size (bytes, 0);
  append_u16 (bytes, 0x81cd);
  append_u16 (bytes, 2 + 70);
  append_u16 (bytes, 0);
  append_u16 (bytes, 1);
  append_u16 (bytes, 0);
  append_u16 (bytes, 0x1001);
  for (guint i = 0; i < 70; i++) {
    append_u16 (bytes, 100 * i);
    append_u16 (bytes, i < 5 ? 0 : 0xffff);
    if (i == 0 || i == 64)
      g_string_append_printf (expected, "%snack 1001", i ? "\n" : "");
    for (guint j = 0; j < (i < 5 ? 1 : 17); j++)
      g_string_append_printf (expected, " %u", 100 * i + j);
  }
  g_string_append_c (expected, '\n');
  check_bytes (bytes->data, bytes->len, expected->str, TRUE);
}

static guint
count_lines (const gchar *text)
{
  guint n = 0;

  for (; *text; text++)
    n += *text == '\n';
  return n;
}

/* A few bytes do not make us work through the circle of numbers again and again. */
static void
numbers_are_bounded (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GString) log = g_string_new (NULL);

  append_long_twcc (bytes, 65535);
  g_assert_true (read_exactly (bytes->data, bytes->len, log));
  g_assert_cmpuint (count_lines (log->str), ==, 32);
  g_string_truncate (log, 0);
  append_long_twcc (bytes, 2);
  g_assert_false (read_exactly (bytes->data, bytes->len, log));
  g_assert_cmpuint (count_lines (log->str), ==, 32);

  g_byte_array_set_size (bytes, 0);
  append_u16 (bytes, 0x81cd);
  append_u16 (bytes, 2 + 3856);
  g_byte_array_set_size (bytes, 12 + 4 * 3856);
  g_string_truncate (log, 0);
  g_assert_false (read_exactly (bytes->data, bytes->len, log));
  g_assert_cmpstr (log->str, ==, "");
}

static void
what_is_malformed_is_refused (void)
{
  static const gchar *const bad[] = {
      "", "80", "80c900", /* no header */
      "40c90001 00000001", "00c90001 00000001", /* not version 2 */
      "80c90002 00000001", /* longer than the datagram */
      "80c90001 00000001 80c9", /* something behind */
      "a0c90001 00000000", "a0c90001 00000005", "a0c90000", /* padding of nothing, of more than there is */
      "80c90000", "80c80005 00000001 00000000 00000000 00000000 00000000", /* reports cut short */
      "a0c90001 00000004", "82c90007 00000001 00001001 00000000 00000000 00000000 00000000 00000000",
      "82cb0001 00001001", /* one SSRC less than said */
      "81cd0002 00000001 00001001", "a1cd0003 00000001 00001001 00050002", /* NACK of nothing, of half a number */
      "81cd0001 00000001", "81ce0001 00000001", /* no media source */
      "84ce0002 00000001 00001001", "84ce0003 00000001 00001001 00002002", /* FIR */
      "8fce0003 00000001 00000000 52454d42", "8fce0004 00000001 00000000 52454d42 01000001", /* REMB */
      "8fcd0002 00000001 00001001", "8fcd0003 00000001 00001001 000a0002", /* TWCC without its header */
      "8fcd0005 00000001 00001001 000a0000 00000105 20020404", /* of nothing */
      "8fcd0005 00000001 00001001 000a0003 00000105 20030404", /* a delta too few */
      "8fcd0005 00000001 00001001 000a0002 00000105 40020404", /* half of the deltas */
      "8fcd0006 00000001 00001001 000a0001 00000105 60010404 04000000", /* reserved symbol */
      "8fcd0005 00000001 00001001 000a0004 00000105 00020000", /* statuses too few */
      "8fcd0004 00000001 00001001 000a0001 00000105", /* none */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    check_bad (bad[i], "");
}

/* A count of blocks that goes beyond its packet does not reach into the next one. */
static void
what_came_before_the_fault_was_told (void)
{
  check_bad ("81ce0002 00000001 00001001 81c90001 00000001 81c90007 00000001 00001001 00000000 00000001 00000000"
             "00000000 00000000",
      "pli 1001\n");
}

/* Against GStreamer's writer. */

static void
write_reports (GRand *random, GstRTCPBuffer *rtcp, GString *log)
{
  GstRTCPPacket packet;
  guint32 sender = g_rand_int (random), n = g_rand_int_range (random, 0, 4);

  if (g_rand_boolean (random)) {
    guint64 ntp = (guint64)g_rand_int (random) << 32 | g_rand_int (random);
    guint32 rtp = g_rand_int (random), packets = g_rand_int (random), octets = g_rand_int (random);

    g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_SR, &packet));
    gst_rtcp_packet_sr_set_sender_info (&packet, sender, ntp, rtp, packets, octets);
    g_string_append_printf (log, "sr %x %" G_GINT64_MODIFIER "x %u %u %u\n", sender, ntp, rtp, packets, octets);
  } else {
    g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_RR, &packet));
    gst_rtcp_packet_rr_set_ssrc (&packet, sender);
  }
  for (guint i = 0; i < n; i++) {
    guint32 r[5];
    guint8 fraction = g_rand_int (random);
    gint32 lost = g_rand_int_range (random, -0x800000, 0x800000);

    for (guint j = 0; j < 5; j++)
      r[j] = g_rand_int (random);
    g_assert_true (gst_rtcp_packet_add_rb (&packet, r[0], fraction, lost, r[1], r[2], r[3], r[4]));
    g_string_append_printf (
        log, "report %x>%x %u %d %u %u %x %u\n", sender, r[0], fraction, lost, r[1], r[2], r[3], r[4]);
  }
}

static void
write_others (GRand *random, GstRTCPBuffer *rtcp, GString *log)
{
  GstRTCPPacket packet;
  guint32 ssrc = g_rand_int (random), n = g_rand_int_range (random, 1, 5);
  guint8 *fci;

  switch (g_rand_int_range (random, 0, 6)) {
    case 0:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_SDES, &packet));
      g_assert_true (gst_rtcp_packet_sdes_add_item (&packet, ssrc));
      g_assert_true (gst_rtcp_packet_sdes_add_entry (&packet, GST_RTCP_SDES_CNAME, n, (const guint8 *)"cname"));
      return;
    case 1:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_BYE, &packet));
      for (guint i = 0; i < n; i++) {
        g_assert_true (gst_rtcp_packet_bye_add_ssrc (&packet, ssrc + i));
        g_string_append_printf (log, "bye %x\n", ssrc + i);
      }
      return;
    case 2:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_APP, &packet));
      return;
    case 3:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_PSFB, &packet));
      gst_rtcp_packet_fb_set_type (&packet, GST_RTCP_PSFB_TYPE_PLI);
      gst_rtcp_packet_fb_set_media_ssrc (&packet, ssrc);
      g_string_append_printf (log, "pli %x\n", ssrc);
      return;
    case 4:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_PSFB, &packet));
      gst_rtcp_packet_fb_set_type (&packet, GST_RTCP_PSFB_TYPE_FIR);
      g_assert_true (gst_rtcp_packet_fb_set_fci_length (&packet, 2 * n));
      fci = gst_rtcp_packet_fb_get_fci (&packet);
      for (guint i = 0; i < n; i++) {
        GST_WRITE_UINT32_BE (fci + 8 * i, ssrc + i);
        fci[8 * i + 4] = i;
        g_string_append_printf (log, "fir %x %u\n", ssrc + i, i);
      }
      return;
    default:
      g_assert_true (gst_rtcp_buffer_add_packet (rtcp, GST_RTCP_TYPE_RTPFB, &packet));
      gst_rtcp_packet_fb_set_type (&packet, GST_RTCP_RTPFB_TYPE_NACK);
      gst_rtcp_packet_fb_set_media_ssrc (&packet, ssrc);
      g_assert_true (gst_rtcp_packet_fb_set_fci_length (&packet, 1));
      fci = gst_rtcp_packet_fb_get_fci (&packet);
      GST_WRITE_UINT16_BE (fci, ssrc & 0xffff);
      GST_WRITE_UINT16_BE (fci + 2, 0x8001);
      g_string_append_printf (
          log, "nack %x %u %u %u\n", ssrc, ssrc & 0xffff, (ssrc + 1) & 0xffff, (ssrc + 16) & 0xffff);
  }
}

static void
what_gstreamer_writes_is_read (void)
{
  for (guint seed = 0; seed < 2000; seed++) {
    g_autoptr (GRand) random = g_rand_new_with_seed (seed);
    g_autoptr (GstBuffer) buffer = gst_rtcp_buffer_new (1400);
    g_autoptr (GString) expected = g_string_new (NULL);
    GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
    GstMapInfo map;

    g_assert_true (gst_rtcp_buffer_map (buffer, GST_MAP_READWRITE, &rtcp));
    write_reports (random, &rtcp, expected);
    for (gint n = g_rand_int_range (random, 0, 5); n > 0; n--)
      write_others (random, &rtcp, expected);
    gst_rtcp_buffer_unmap (&rtcp);
    g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
    check_bytes (map.data, map.size, expected->str, TRUE);
    gst_buffer_unmap (buffer, &map);
  }
}

/* Whatever comes, no more is read than is there (seen under ASan), and what is told keeps its bounds. */
static void
noise_does_no_harm (void)
{
  static const guint8 types[] = {200, 201, 202, 203, 204, 205, 205, 206, 206, 207};

  for (guint seed = 0; seed < 20000; seed++) {
    g_autoptr (GRand) random = g_rand_new_with_seed (seed);
    g_autoptr (GString) log = g_string_new (NULL);
    guint8 data[120];
    gsize size = g_rand_int_range (random, 0, sizeof (data) + 1);

    for (gsize i = 0; i < sizeof (data); i++)
      data[i] = g_rand_int_range (random, 0, 4) ? g_rand_int (random) : 0;
    for (gsize at = 0; at + 4 < sizeof (data);) {
      guint words = g_rand_int_range (random, 0, 12);

      data[at] = 0x80 | (data[at] & 0x3f);
      data[at + 1] = types[g_rand_int_range (random, 0, sizeof (types))];
      GST_WRITE_UINT16_BE (data + at + 2, words);
      at += 4 + 4 * words;
    }
    read_exactly (data, size, log);
  }
}

static void
datagrams_are_told_apart (void)
{
  static const struct
  {
    guint8 data[2];
    RtcDatagram kind;
  } cases[] = {
      {{0, 1}, RTC_DATAGRAM_STUN},
      {{3, 1}, RTC_DATAGRAM_STUN},
      {{4, 1}, RTC_DATAGRAM_UNKNOWN},
      {{16, 1}, RTC_DATAGRAM_UNKNOWN},
      {{19, 1}, RTC_DATAGRAM_UNKNOWN},
      {{20, 254}, RTC_DATAGRAM_DTLS},
      {{63, 254}, RTC_DATAGRAM_DTLS},
      {{64, 0}, RTC_DATAGRAM_TURN},
      {{79, 0}, RTC_DATAGRAM_TURN},
      {{80, 0}, RTC_DATAGRAM_UNKNOWN},
      {{127, 0}, RTC_DATAGRAM_UNKNOWN},
      {{128, 96}, RTC_DATAGRAM_RTP},
      {{144, 111 | 0x80}, RTC_DATAGRAM_RTP},
      {{128, 191}, RTC_DATAGRAM_RTP},
      {{128, 192}, RTC_DATAGRAM_RTCP},
      {{129, 200}, RTC_DATAGRAM_RTCP},
      {{143, 206}, RTC_DATAGRAM_RTCP},
      {{191, 223}, RTC_DATAGRAM_RTCP},
      {{191, 224}, RTC_DATAGRAM_RTP},
      {{192, 200}, RTC_DATAGRAM_UNKNOWN},
      {{255, 255}, RTC_DATAGRAM_UNKNOWN},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (rtc_datagram_kind (cases[i].data, 2), ==, cases[i].kind);
  g_assert_cmpint (rtc_datagram_kind (cases[0].data, 1), ==, RTC_DATAGRAM_UNKNOWN);
  g_assert_cmpint (rtc_datagram_kind (NULL, 0), ==, RTC_DATAGRAM_UNKNOWN);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcp/reports_are_read", reports_are_read);
  g_test_add_func ("/rtcp/a_nack_is_expanded", a_nack_is_expanded);
  g_test_add_func ("/rtcp/key_frames_are_asked_for", key_frames_are_asked_for);
  g_test_add_func ("/rtcp/remb_is_bits_a_second", remb_is_bits_a_second);
  g_test_add_func ("/rtcp/a_bye_may_name_several", a_bye_may_name_several);
  g_test_add_func ("/rtcp/what_is_unknown_is_skipped", what_is_unknown_is_skipped);
  g_test_add_func ("/rtcp/chunks_and_deltas_of_the_draft", chunks_and_deltas_of_the_draft);
  g_test_add_func ("/rtcp/time_wraps_both_ways", time_wraps_both_ways);
  g_test_add_func ("/rtcp/padding_is_left_out", padding_is_left_out);
  g_test_add_func ("/rtcp/long_ones_are_told_in_parts", long_ones_are_told_in_parts);
  g_test_add_func ("/rtcp/numbers_are_bounded", numbers_are_bounded);
  g_test_add_func ("/rtcp/what_is_malformed_is_refused", what_is_malformed_is_refused);
  g_test_add_func ("/rtcp/what_came_before_the_fault_was_told", what_came_before_the_fault_was_told);
  g_test_add_func ("/rtcp/what_gstreamer_writes_is_read", what_gstreamer_writes_is_read);
  g_test_add_func ("/rtcp/noise_does_no_harm", noise_does_no_harm);
  g_test_add_func ("/rtcp/datagrams_are_told_apart", datagrams_are_told_apart);
  return g_test_run ();
}
