/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* TWCC between our machines and GStreamer's RTP session, which nobody here wrote. */

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/rtp/rtp.h>

#include "native/rtcrtcp.h"
#include "native/rtctwcc.h"

#define MS 1000
#define EXT_TWCC 3
#define CAPS \
  "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96,extmap-3=" \
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

/* Our reports, as the session reads them. It tells what it read to who sends. */

typedef struct
{
  GstHarness *sender, *rtcp;
  RtcTwcc *writer;
  gint64 came[65536]; /* microseconds, since the last report; -1: did not */
} OurReports;

static void
set_up_reports (OurReports *self)
{
  self->sender = gst_harness_new_with_padnames ("rtpsession", "send_rtp_sink", "send_rtp_src");
  self->rtcp = gst_harness_new_with_element (self->sender->element, "recv_rtcp_sink", NULL);
  gst_harness_set_src_caps_str (self->sender, CAPS ",ssrc=(uint)4097");
  gst_harness_set_src_caps_str (self->rtcp, "application/x-rtcp");
  self->writer = rtc_twcc_new (7);
  memset (self->came, 0xff, sizeof (self->came));
}

static void
tear_down_reports (OurReports *self)
{
  rtc_twcc_free (self->writer);
  gst_harness_teardown (self->rtcp);
  gst_harness_teardown (self->sender);
}

static void
take (OurReports *self, guint16 seq, gint64 now)
{
  rtc_twcc_take (self->writer, 4097, seq, now);
  self->came[seq] = now;
}

static GstEvent *
pull_packets (OurReports *self)
{
  GstEvent *event;

  while ((event = gst_harness_pull_upstream_event (self->sender)) && !gst_event_has_name (event, "RTPTWCCPackets"))
    gst_event_unref (event);
  fail_unless (event != NULL, "the session told nothing of a report");
  return event;
}

/* Hands the session the report that is due, and looks at what it makes of it: FIRST and N packets. */
static void
check_report (OurReports *self, gint64 now, guint16 first, guint n)
{
  guint8 out[RTC_TWCC_MAX_SIZE];
  gsize size = rtc_twcc_write (self->writer, now, out);
  const GValueArray *packets;
  GstEvent *event;

  fail_unless (size > 0);
  fail_unless_equals_int (gst_harness_push (self->rtcp, gst_buffer_new_memdup (out, size)), GST_FLOW_OK);
  event = pull_packets (self);
  packets = g_value_get_boxed (gst_structure_get_value (gst_event_get_structure (event), "packets"));
  fail_unless_equals_int (packets->n_values, n);
  for (guint i = 0; i < n; i++) {
    const GstStructure *packet = gst_value_get_structure (&packets->values[i]);
    guint16 seq = first + i;
    guint64 remote;
    guint seqnum;
    gboolean lost;

    fail_unless (gst_structure_get_uint (packet, "seqnum", &seqnum));
    fail_unless (gst_structure_get_boolean (packet, "lost", &lost));
    fail_unless (gst_structure_get_uint64 (packet, "remote-ts", &remote));
    fail_unless_equals_int ((guint16)seqnum, seq);
    fail_unless_equals_int (lost, self->came[seq] < 0);
    if (!lost)
      fail_unless_equals_uint64 (remote, self->came[seq] / 250 * 250 * GST_USECOND);
  }
  gst_event_unref (event);
}

GST_START_TEST (the_session_reads_our_reports)
{
  OurReports reports;

  set_up_reports (&reports);
  /* A run, over the end of the numbers. */
  for (guint i = 0; i < 40; i++)
    take (&reports, 65520 + i, 1000 * MS + i * 311);
  check_report (&reports, 1200 * MS, 65520, 40);
  /* One bit a symbol: each third is lost. */
  for (guint i = 1; i < 62; i++) {
    if (i % 3)
      take (&reports, 23 + i, 2000 * MS + i * 777);
  }
  check_report (&reports, 2200 * MS, 24, 61);
  /* Two: pauses beyond a small delta, some overtaken, some lost. */
  for (guint i = 0; i < 60; i++) {
    if (i % 7 != 5)
      take (&reports, 85 + (i ^ 1), 3000 * MS + i * i * 400);
  }
  check_report (&reports, 5000 * MS, 85, 60);
  /* A gap in which all is lost. */
  take (&reports, 1144, 6000 * MS);
  check_report (&reports, 6100 * MS, 145, 1000);
  tear_down_reports (&reports);
}

GST_END_TEST;

/* The session's reports, as we read them. */

typedef struct
{
  guint n_reports, n_came;
  guint16 next;
  gint64 last;
  gboolean came[100];
} ItsReports;

static void
on_twcc (const RtcRtcpTwcc *twcc, gpointer user_data)
{
  ItsReports *self = user_data;

  self->n_reports++;
  for (guint i = 0; i < twcc->n; i++) {
    guint16 seq = twcc->base + i;

    fail_unless (seq < G_N_ELEMENTS (self->came));
    if (twcc->arrival[i] < 0)
      continue;
    fail_if (self->came[seq]);
    fail_unless (self->n_came == 0 || rtc_rtcp_twcc_elapsed (self->last, twcc->arrival[i]) >= 0);
    self->came[seq] = TRUE;
    self->last = twcc->arrival[i];
    self->n_came++;
  }
}

static GstBuffer *
make_packet (guint16 seq, gboolean marker)
{
  const guint8 number[2] = {seq >> 8, seq};
  GstBuffer *buffer = gst_rtp_buffer_new_allocate (20, 0, 0);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;

  fail_unless (gst_rtp_buffer_map (buffer, GST_MAP_READWRITE, &rtp));
  gst_rtp_buffer_set_ssrc (&rtp, 4097);
  gst_rtp_buffer_set_payload_type (&rtp, 96);
  gst_rtp_buffer_set_seq (&rtp, seq);
  gst_rtp_buffer_set_marker (&rtp, marker);
  fail_unless (gst_rtp_buffer_add_extension_onebyte_header (&rtp, EXT_TWCC, number, 2));
  gst_rtp_buffer_unmap (&rtp);
  return buffer;
}

GST_START_TEST (we_read_the_sessions_reports)
{
  static const RtcRtcpFuncs funcs = {.twcc = on_twcc};
  GstHarness *receiver = gst_harness_new_with_padnames ("rtpsession", "recv_rtp_sink", "recv_rtp_src");
  GstHarness *rtcp = gst_harness_new_with_element (receiver->element, NULL, "send_rtcp_src");
  ItsReports reports = {0};

  gst_harness_set_src_caps_str (receiver, CAPS);
  /* Each tenth is lost; a marker makes it report at once. */
  for (guint i = 0; i < 100; i++) {
    if (i % 10 == 5)
      continue;
    fail_unless_equals_int (gst_harness_push (receiver, make_packet (i, i % 20 == 19)), GST_FLOW_OK);
  }
  while (reports.n_came < 90) {
    GstBuffer *buffer = gst_harness_pull (rtcp);
    GstMapInfo map;

    fail_unless (buffer != NULL, "the session reported %u packets of 90", reports.n_came);
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    fail_unless (rtc_rtcp_read (map.data, map.size, &funcs, &reports));
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
  }
  for (guint i = 0; i < 100; i++)
    fail_unless_equals_int (reports.came[i], i % 10 != 5);
  gst_harness_teardown (rtcp);
  gst_harness_teardown (receiver);
}

GST_END_TEST;

static Suite *
rtctwccsession_suite (void)
{
  Suite *s = suite_create ("rtctwccsession");
  TCase *tc = tcase_create ("general");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, the_session_reads_our_reports);
  tcase_add_test (tc, we_read_the_sessions_reports);
  return s;
}

GST_CHECK_MAIN (rtctwccsession);
