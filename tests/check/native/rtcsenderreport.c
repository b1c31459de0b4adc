/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a sender reports to its viewer, read by GStreamer's RTP library, and what the viewer's reports tell. */

#include "viewerfixture.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <string.h>

#define MS 1000
#define SECOND (1000 * MS)
#define DAY (86400 * (gint64)SECOND)
#define NTP_AT_0 (G_GUINT64_CONSTANT (0xe6a1b2c3) << 32 | 0x89abcdef)

typedef struct
{
  guint32 ssrc, rtp, packets, octets, sdes_ssrc;
  guint64 ntp;
  gchar *cname;
} Report;

static guint64
to_ntp (gint64 microseconds)
{
  return ((guint64)(microseconds / SECOND) << 32) + ((guint64)(microseconds % SECOND) << 32) / SECOND;
}

/* Its running time began 100 ms before the packets' clock. */
static gsize
write_report (Viewer *viewer, gint64 now, guint8 *out)
{
  return rtc_sender_write_report (viewer->sender, NTP_AT_0, NTP_AT_0 + to_ntp (now + 100 * MS), now, out);
}

static void
read_report (Viewer *viewer, gint64 now, Report *report)
{
  guint8 out[RTC_RTCP_MAX_REPORT];
  gsize size = write_report (viewer, now, out);
  GstBuffer *buffer = gst_buffer_new_memdup (out, size);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;
  GstRTCPSDESType type;
  guint8 length, *data;

  g_assert_true (gst_rtcp_buffer_validate (buffer));
  g_assert_true (gst_rtcp_buffer_map (buffer, GST_MAP_READ, &rtcp));
  g_assert_true (gst_rtcp_buffer_get_first_packet (&rtcp, &packet));
  g_assert_cmpint (gst_rtcp_packet_get_type (&packet), ==, GST_RTCP_TYPE_SR);
  g_assert_cmpuint (gst_rtcp_packet_get_rb_count (&packet), ==, 0);
  gst_rtcp_packet_sr_get_sender_info (
      &packet, &report->ssrc, &report->ntp, &report->rtp, &report->packets, &report->octets);
  g_assert_true (gst_rtcp_packet_move_to_next (&packet));
  g_assert_cmpint (gst_rtcp_packet_get_type (&packet), ==, GST_RTCP_TYPE_SDES);
  g_assert_cmpuint (gst_rtcp_packet_sdes_get_item_count (&packet), ==, 1);
  report->sdes_ssrc = gst_rtcp_packet_sdes_get_ssrc (&packet);
  g_assert_true (gst_rtcp_packet_sdes_first_entry (&packet));
  g_assert_true (gst_rtcp_packet_sdes_get_entry (&packet, &type, &length, &data));
  g_assert_cmpint (type, ==, GST_RTCP_SDES_CNAME);
  report->cname = g_strndup ((gchar *)data, length);
  g_assert_false (gst_rtcp_packet_sdes_next_entry (&packet));
  g_assert_false (gst_rtcp_packet_move_to_next (&packet));
  gst_rtcp_buffer_unmap (&rtcp);
  gst_buffer_unref (buffer);
}

static const RtcSenderConfig video = {
    .ssrc = 0x8badf00d, .rtx_ssrc = 7, .payload = 96, .rtx_payload = 97, .clock_rate = 90000, .cname = "abc"};

static void
ignore (const guint8 *data, gsize size, gpointer user_data)
{
}

static void
counts_are_those_of_the_ssrc (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  Viewer *viewer = viewer_new (&video, RTC_SRTP_AEAD_AES_128_GCM);
  RtcRtcpNack nack = {.n = 1};
  guint8 out[RTC_RTCP_MAX_REPORT];
  ViewerPacket seen;
  Report report;

  g_assert_cmpuint (write_report (viewer, 0, out), ==, 0);
  for (guint i = 0; i < 10; i++)
    viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  nack.seq[0] = seen.seq;
  g_assert_cmpuint (
      rtc_sender_take_nack (viewer->sender, &nack, history, viewer->out, &viewer->twcc, 10000, ignore, NULL), ==, 1);
  read_report (viewer, 9 * MS, &report);
  g_assert_cmphex (report.ssrc, ==, video.ssrc);
  g_assert_cmphex (report.sdes_ssrc, ==, video.ssrc);
  g_assert_cmpuint (report.ntp, ==, NTP_AT_0 + to_ntp (109 * MS));
  g_assert_cmpuint (report.packets, ==, 10);
  g_assert_cmpuint (report.octets, ==, 1000);
  g_assert_cmpstr (report.cname, ==, "abc");
  g_free (report.cname);
  viewer_free (viewer);
  rtc_history_free (history);
}

/* Each length, so that each padding is seen; what is too long is cut. (GStreamer 1.22 finds none in a list of 8
 * bytes, as it is with a name of 0 or 1.) */
static void
names_of_any_length_are_told (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  const RtcPacket *packet = viewer_add (history, 100, -1);

  for (guint length = 2; length < 300; length++) {
    g_autofree gchar *name = g_strnfill (length, 'x'), *expected = NULL;
    RtcSenderConfig config = video;
    ViewerPacket seen;
    Viewer *viewer;
    Report report;

    config.cname = name;
    viewer = viewer_new (&config, RTC_SRTP_AEAD_AES_128_GCM);
    memset (name, 'y', length); /* a copy was made */
    viewer_show (viewer, packet, &seen);
    read_report (viewer, 0, &report);
    expected = g_strnfill (MIN (length, RTC_SENDER_MAX_CNAME), 'x');
    g_assert_cmpstr (report.cname, ==, expected);
    g_free (report.cname);
    viewer_free (viewer);
  }
  rtc_history_free (history);
}

/* When that was captured, microseconds of running time, as a receiver has it from the report. */
static gdouble
captured (const ViewerPacket *seen, const Report *report, guint clock_rate)
{
  gdouble at = (gint64)(report->ntp - NTP_AT_0) / 4294967296.0 * SECOND;

  return at + (gint32)(seen->timestamp - report->rtp) * (gdouble)SECOND / clock_rate;
}

/* PTS: of the picture; the other tracks' packets are captured with it, but come out of their encoders at other times.
 */
static void
check_capture (gint64 pts, gint64 report_after)
{
  static const guint clock_rates[] = {90000, 48000, 8000};

  for (guint i = 0; i < G_N_ELEMENTS (clock_rates); i++) {
    RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
    RtcSenderConfig config = video;
    guint8 byte = 0;
    RtcPacket packet = {.added = pts - 100 * MS + (gint64)i * 33 * MS,
        .pts = pts,
        .timestamp = (guint32)(123456789 * i),
        .audio_level = -1,
        .payload = &byte,
        .size = 1};
    ViewerPacket seen;
    Viewer *viewer;
    Report report;

    config.clock_rate = clock_rates[i];
    viewer = viewer_new (&config, RTC_SRTP_AEAD_AES_128_GCM);
    viewer_show (viewer, rtc_history_add (history, &packet), &seen);
    read_report (viewer, packet.added + report_after, &report);
    g_assert_cmpfloat_with_epsilon (captured (&seen, &report, clock_rates[i]), pts, 1.5 * SECOND / clock_rates[i]);
    g_free (report.cname);

    /* Nobody knows when it was captured: that it came will do. */
    packet.pts = -1;
    viewer_show (viewer, rtc_history_add (history, &packet), &seen);
    read_report (viewer, packet.added + report_after, &report);
    g_assert_cmpfloat_with_epsilon (
        captured (&seen, &report, clock_rates[i]), packet.added + 100 * MS, 1.5 * SECOND / clock_rates[i]);
    g_free (report.cname);
    viewer_free (viewer);
    rtc_history_free (history);
  }
}

static void
what_was_captured_together_plays_together (void)
{
  check_capture (200 * MS, 0);
  check_capture (200 * MS, 700 * MS);
  check_capture (200 * MS + 7, 5 * SECOND + 1);
  check_capture (100 * DAY + 12345, 999 * MS);
  check_capture (SECOND, 3600 * (gint64)SECOND); /* a stream that stands still */
  check_capture (100 * MS, -100 * MS); /* captured after the report, says a source that is ahead */
}

static void
reports_are_due_each_second_or_five (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  static const guint clock_rates[] = {90000, 48000};
  ViewerPacket seen;

  viewer_add (history, 100, -1);
  viewer_add (history, 100, -1);
  for (guint i = 0; i < 2; i++) {
    RtcSenderConfig config = video;
    Viewer *viewer;

    config.clock_rate = clock_rates[i];
    viewer = viewer_new (&config, RTC_SRTP_AEAD_AES_128_GCM);
    g_assert_cmpint (rtc_sender_get_report_deadline (viewer->sender), ==, -1);
    viewer_show (viewer, rtc_history_get (history, 1), &seen);
    g_assert_cmpint (rtc_sender_get_report_deadline (viewer->sender), ==, 1 * MS);
    rtc_sender_reported (viewer->sender, 3 * MS);
    g_assert_cmpint (rtc_sender_get_report_deadline (viewer->sender), ==, 3 * MS + (i ? 5 : 1) * SECOND);
    viewer_show (viewer, viewer_add (history, 100, -1), &seen);
    g_assert_cmpint (rtc_sender_get_report_deadline (viewer->sender), ==, 3 * MS + (i ? 5 : 1) * SECOND);
    viewer_free (viewer);
  }
  rtc_history_free (history);
}

typedef struct
{
  guint32 last_sr, delay; /* 1/65536 s */
  guint32 now; /* the same, the middle of NTP's 64 bits */
  gdouble expected; /* seconds; -1: not believed */
} Trip;

static const Trip trips[] = {
    {0x10000, 0x8000, 0x1c000, 0.25},
    {0xffff8000, 0x4000, 0x4000, 0.5}, /* NTP's middle goes round each 18 hours */
    {0x10000, 0, 0x10000, 1 / 65536.0}, /* faster than the clock tells */
    {0x10000, 0x8020, 0x18000, 1 / 65536.0}, /* half a millisecond less than nothing */
    {0x10000, 0x8080, 0x18000, -1}, /* two milliseconds */
    {0x10000, 0, 0x10000 + (10 << 16), 10},
    {0x10000, 0, 0x10001 + (10 << 16), -1},
    {0, 0, 0x8000, -1}, /* it has had no report yet */
    {0xdeadbeef, 0xffffffff, 0x12345678, -1},
    {0x10000, 0x8000, 0x20000, 0.5},
};

static void
round_trips_are_measured (void)
{
  RtcSender *sender = rtc_sender_new (&video);
  const RtcSenderStats *stats = rtc_sender_get_stats (sender);
  gdouble last = 0, total = 0;
  guint n = 0;

  g_assert_false (stats->has_report);
  for (guint i = 0; i < G_N_ELEMENTS (trips); i++) {
    RtcRtcpReport report = {.last_sr = trips[i].last_sr, .delay = trips[i].delay};

    rtc_sender_take_report (sender, &report, (guint64)0x1234 << 48 | (guint64)trips[i].now << 16 | 0xffff);
    if (trips[i].expected >= 0) {
      last = trips[i].expected;
      total += last;
      n++;
    }
    g_assert_true (stats->has_report);
    g_assert_cmpfloat (stats->round_trip_time, ==, last);
    g_assert_cmpfloat (stats->total_round_trip_time, ==, total);
    g_assert_cmpuint (stats->round_trip_time_measurements, ==, n);
  }
  rtc_sender_free (sender);
}

/* From our report to the viewer's answer about it, as it is on the wire. */
static void
a_report_that_is_answered_gives_a_round_trip (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 100000);
  Viewer *viewer = viewer_new (&video, RTC_SRTP_AEAD_AES_128_GCM);
  RtcRtcpReport answer = {.delay = 20 * 65536 / 1000};
  ViewerPacket seen;
  Report report;

  viewer_show (viewer, viewer_add (history, 100, -1), &seen);
  read_report (viewer, 50 * MS, &report);
  answer.last_sr = (guint32)(report.ntp >> 16);
  rtc_sender_take_report (viewer->sender, &answer, report.ntp + to_ntp (50 * MS));
  g_assert_cmpfloat_with_epsilon (rtc_sender_get_stats (viewer->sender)->round_trip_time, 0.030, 0.0001);
  g_free (report.cname);
  viewer_free (viewer);
  rtc_history_free (history);
}

static void
stats_have_the_w3cs_units (void)
{
  RtcSender *sender = rtc_sender_new (&video);
  const RtcSenderStats *stats = rtc_sender_get_stats (sender);
  RtcRtcpReport report = {.fraction_lost = 64, .packets_lost = -3, .jitter = 900};

  rtc_sender_take_report (sender, &report, NTP_AT_0);
  g_assert_cmpfloat (stats->fraction_lost, ==, 0.25);
  g_assert_cmpint (stats->packets_lost, ==, -3);
  g_assert_cmpfloat (stats->jitter, ==, 0.01);
  for (guint i = 0; i < 3; i++) {
    rtc_sender_count_pli (sender);
    /* It is repeated with its number until it is answered; the next has the next one. */
    g_assert_true (rtc_sender_take_fir (sender, 254 + i));
    g_assert_false (rtc_sender_take_fir (sender, 254 + i));
  }
  g_assert_cmpuint (stats->pli_count, ==, 3);
  g_assert_cmpuint (stats->fir_count, ==, 3);
  rtc_sender_free (sender);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (NULL, NULL);
  g_test_add_func ("/report/counts-are-those-of-the-ssrc", counts_are_those_of_the_ssrc);
  g_test_add_func ("/report/names-of-any-length-are-told", names_of_any_length_are_told);
  g_test_add_func ("/report/what-was-captured-together-plays-together", what_was_captured_together_plays_together);
  g_test_add_func ("/report/reports-are-due-each-second-or-five", reports_are_due_each_second_or_five);
  g_test_add_func ("/report/round-trips-are-measured", round_trips_are_measured);
  g_test_add_func (
      "/report/a-report-that-is-answered-gives-a-round-trip", a_report_that_is_answered_gives_a_round_trip);
  g_test_add_func ("/report/stats-have-the-w3cs-units", stats_have_the_w3cs_units);
  return g_test_run ();
}
