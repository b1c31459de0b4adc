/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Loss, jitter and round trip as RTCP packets tell them. */

#include "../../gst/rtc/webrtcbin/gstrtcwebrtcreports.h"

#include <gst/check/gstcheck.h>
#include <gst/rtp/gstrtcpbuffer.h>

/* 2001-09-09 01:46:40, in microseconds since 1970; the middle 32 bits of the same as an NTP timestamp. */
#define NOW G_GINT64_CONSTANT (1000000000) * G_USEC_PER_SEC
#define NOW_NTP ((guint32)((1000000000 + G_GUINT64_CONSTANT (2208988800)) << 16))

typedef struct
{
  guint32 ssrc;
  guint8 fraction;
  gint32 lost;
  guint32 jitter, last_sr, since_last_sr;
} Block;

static void
add_packet (GstRTCPBuffer *rtcp, GstRTCPType type, const Block *blocks, guint n)
{
  GstRTCPPacket packet;

  fail_unless (gst_rtcp_buffer_add_packet (rtcp, type, &packet));
  if (type == GST_RTCP_TYPE_RR)
    gst_rtcp_packet_rr_set_ssrc (&packet, 99);
  else
    gst_rtcp_packet_sr_set_sender_info (&packet, 99, 0, 0, 0, 0);
  for (guint i = 0; i < n; i++)
    fail_unless (gst_rtcp_packet_add_rb (&packet, blocks[i].ssrc, blocks[i].fraction, blocks[i].lost, 0,
        blocks[i].jitter, blocks[i].last_sr, blocks[i].since_last_sr));
}

static void
take (GstRtcWebrtcReports *reports, GstRTCPType type, const Block *blocks, guint n, gint64 received_at)
{
  GstBuffer *buffer = gst_rtcp_buffer_new (1400);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;

  fail_unless (gst_rtcp_buffer_map (buffer, GST_MAP_READWRITE, &rtcp));
  add_packet (&rtcp, type, blocks, n);
  gst_rtcp_buffer_unmap (&rtcp);
  gst_rtc_webrtc_reports_take (reports, buffer, received_at);
  gst_buffer_unref (buffer);
}

static void
check_report (GstRtcWebrtcReports *reports, guint ssrc, gdouble fraction, gint lost, guint jitter, gdouble round_trip)
{
  GstRtcWebrtcReport report;

  fail_unless (gst_rtc_webrtc_reports_get (reports, ssrc, &report), "no report about %u", ssrc);
  fail_unless_equals_float (report.fraction_lost, fraction);
  fail_unless_equals_int (report.packets_lost, lost);
  fail_unless_equals_int (report.jitter, jitter);
  fail_unless_equals_float (report.round_trip_time, round_trip);
}

GST_START_TEST (every_block_counts)
{
  static const Block blocks[] = {{1, 64, 7, 900, NOW_NTP - 65536, 32768}, {2, 0, -3, 0, NOW_NTP - 16384, 0}};
  static const Block later[] = {{1, 128, 8, 450, 0, 0}};
  GstRtcWebrtcReports reports;
  GstRtcWebrtcReport none;

  gst_rtc_webrtc_reports_init (&reports);
  fail_if (gst_rtc_webrtc_reports_get (&reports, 1, &none));
  take (&reports, GST_RTCP_TYPE_RR, blocks, 2, NOW);
  check_report (&reports, 1, 0.25, 7, 900, 0.5);
  check_report (&reports, 2, 0, -3, 0, 0.25);
  fail_if (gst_rtc_webrtc_reports_get (&reports, 99, &none));
  /* Who has no sender report yet tells no round trip: what was known stays. */
  take (&reports, GST_RTCP_TYPE_SR, later, 1, NOW + G_USEC_PER_SEC);
  check_report (&reports, 1, 0.5, 8, 450, 0.5);
  check_report (&reports, 2, 0, -3, 0, 0.25);
  gst_rtc_webrtc_reports_clear (&reports);
}
GST_END_TEST;

/* Seconds behind the arrival and before it, across the wrap of the 16 bits of seconds, and what cannot be. */
static const struct
{
  gint64 received_at;
  guint32 last_sr, since_last_sr;
  gdouble round_trip;
} trips[] = {
    {NOW, NOW_NTP, 0, 0}, {NOW + 250 * 1000, NOW_NTP, 0, 0.25},
    {NOW + 250 * 1000, NOW_NTP - 5 * 65536, 5 * 65536, 0.25}, {NOW, NOW_NTP, 1, 0}, /* rounding */
    {NOW, NOW_NTP, 65536, -1}, /* a second before it was sent */
    {NOW, 0, 0, -1}, /* no sender report */
    {-1, NOW_NTP, 0, -1}, /* our own packet */
    {NOW + (gint64)(65536 - NOW_NTP / 65536) * G_USEC_PER_SEC, (guint32)-32768, 0, 0.5}, /* the seconds begin again */
};

GST_START_TEST (round_trips)
{
  const Block block = {1, 0, 0, 0, trips[__i__].last_sr, trips[__i__].since_last_sr};
  GstRtcWebrtcReports reports;

  gst_rtc_webrtc_reports_init (&reports);
  take (&reports, GST_RTCP_TYPE_RR, &block, 1, trips[__i__].received_at);
  check_report (&reports, 1, 0, 0, 0, trips[__i__].round_trip);
  gst_rtc_webrtc_reports_clear (&reports);
}
GST_END_TEST;

GST_START_TEST (what_is_none)
{
  static const guint8 texts[][8] = {"", "nonsense", {0x81, 201, 0, 7, 0, 0, 0, 1}, {0x80, 206, 0, 1, 0, 0, 0, 1}};
  GstRtcWebrtcReports reports;
  GstRtcWebrtcReport report;

  gst_rtc_webrtc_reports_init (&reports);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    GstBuffer *buffer = gst_buffer_new_memdup (texts[i], sizeof texts[i]);

    gst_rtc_webrtc_reports_take (&reports, buffer, NOW);
    gst_buffer_unref (buffer);
  }
  /* A peer that reports about ever new streams fills no memory. */
  for (guint ssrc = 1; ssrc <= 1000; ssrc++)
    take (&reports, GST_RTCP_TYPE_RR, &(Block){.ssrc = ssrc}, 1, NOW);
  fail_unless (gst_rtc_webrtc_reports_get (&reports, 1, &report));
  fail_if (gst_rtc_webrtc_reports_get (&reports, 1000, &report));
  gst_rtc_webrtc_reports_clear (&reports);
}
GST_END_TEST;

static Suite *
rtcwebrtcreports_suite (void)
{
  Suite *s = suite_create ("rtcwebrtcreports");
  TCase *tcase = tcase_create ("reports");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, every_block_counts);
  tcase_add_loop_test (tcase, round_trips, 0, G_N_ELEMENTS (trips));
  tcase_add_test (tcase, what_is_none);
  return s;
}

GST_CHECK_MAIN (rtcwebrtcreports);
