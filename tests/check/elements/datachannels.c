/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* datachannelsink and datachannelsrc over two real rtcbins. */

#include "lib/testroom.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#define DEADLINE (20 * GST_SECOND)
#define IN "appsrc name=in format=bytes max-bytes=100000000 ! "
#define OUT " ! appsink name=out sync=false async=false"

typedef struct
{
  TestRoom *room;
  TestPeer *a, *b; /* a offers to b */
} Fixture;

/* The lines are what stands beside the two rtcbins; A sends a picture, too. */
static void
setup (Fixture *f, const gchar *a, const gchar *b)
{
  g_autofree gchar *line_a = g_strconcat (TEST_RTCBIN TEST_VP8, a, NULL);
  g_autofree gchar *line_b = g_strconcat (TEST_RTCBIN TEST_WATCH_VP8, b, NULL);

  f->room = test_room_new ();
  f->a = test_room_add (f->room, "a", "native", line_a);
  f->b = test_room_add_viewer (f->room, f->a, "b", line_b);
}

/* An element of PEER's. (transfer none) */
static gpointer
get (TestPeer *peer, const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (test_peer_get_pipeline (peer)), name);

  fail_unless (element, "there is no %s", name);
  gst_object_unref (element);
  return element;
}

/* SIZE bytes that differ from one SEED to the next. */
static GstBuffer *
make_buffer (gsize size, guint seed)
{
  guint8 *data = g_malloc (size + 1);

  for (gsize i = 0; i < size; i++)
    data[i] = 'a' + (i * 7 + i / 251 + seed) % 26;
  return gst_buffer_new_wrapped (data, size);
}

static void
push (TestPeer *peer, GstBuffer *buffer)
{
  fail_unless_equals_int (gst_app_src_push_buffer (get (peer, "in"), buffer), GST_FLOW_OK);
}

static void
push_with_caps (TestPeer *peer, const gchar *caps, GstBuffer *buffer)
{
  g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
  GstSample *sample = gst_sample_new (buffer, parsed, NULL, NULL);

  fail_unless_equals_int (gst_app_src_push_sample (get (peer, "in"), sample), GST_FLOW_OK);
  gst_sample_unref (sample);
  gst_buffer_unref (buffer);
}

static GstSample *
pull (TestPeer *peer)
{
  GstSample *sample = gst_app_sink_try_pull_sample (get (peer, "out"), DEADLINE);

  fail_unless (sample, "no message came");
  return sample;
}

/* The next message is SIZE bytes of SEED, and of this media type. */
static void
expect (TestPeer *peer, gsize size, guint seed, const gchar *media)
{
  GstBuffer *wanted = make_buffer (size, seed);
  GstSample *sample = pull (peer);
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstMapInfo map;

  fail_unless_equals_uint64 (gst_buffer_get_size (buffer), size);
  gst_buffer_map (wanted, &map, GST_MAP_READ);
  fail_unless (gst_buffer_memcmp (buffer, 0, map.data, map.size) == 0, "%zu bytes came as others", size);
  gst_buffer_unmap (wanted, &map);
  if (media)
    fail_unless (
        gst_structure_has_name (gst_caps_get_structure (gst_sample_get_caps (sample), 0), media), "it is no %s", media);
  gst_sample_unref (sample);
  gst_buffer_unref (wanted);
}

static guint64
stat_of (TestPeer *peer, const gchar *element, const gchar *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (get (peer, element), "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value), "no %s in stats", name);
  return value;
}

/* Every size and both kinds arrive as they were sent, and what is sent before there is a peer waits for it. */
GST_START_TEST (test_every_size)
{
  static const gsize sizes[] = {1, 0, 2, 1171, 1172, 16384, 65535, 65536, 65537, 262144, 1000000, 16 * 1024 * 1024};
  Fixture f;

  setup (&f, IN "datachannelsink label=x name=sink", "datachannelsrc label=x" OUT);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    push_with_caps (f.a, "text/x-raw,format=utf8", make_buffer (sizes[i], i));
    push_with_caps (f.a, "application/octet-stream", make_buffer (sizes[i], i + 1));
  }
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    expect (f.b, sizes[i], i, "text/x-raw");
    expect (f.b, sizes[i], i + 1, "application/x-data-channel");
  }
  fail_unless_equals_uint64 (stat_of (f.a, "sink", "messages-dropped"), 0);
  fail_unless_equals_uint64 (stat_of (f.a, "sink", "messages-sent"), 2 * G_N_ELEMENTS (sizes));
  test_room_free (f.room);
}
GST_END_TEST;

/* What comes goes back to who sent it, over the same channel; the sink stands before its rtcbin in the line. */
GST_START_TEST (test_there_and_back)
{
  Fixture f;

  setup (&f, IN "datachannelsink label=x rtc=rtc datachannelsrc label=x" OUT,
      "datachannelsrc label=x name=src ! datachannelsink label=x reply=true");
  for (guint i = 0; i < 100; i++) {
    push (f.a, make_buffer (1000 + i, i));
    expect (f.a, 1000 + i, i, NULL);
  }
  test_room_free (f.room);
}
GST_END_TEST;

/* The stream's end is told by closing the channel, once all of it has arrived. */
GST_START_TEST (test_end)
{
  GstSample *sample;
  Fixture f;

  setup (&f, IN "datachannelsink label=x", "datachannelsrc label=x eos-on-close=true" OUT);
  for (guint i = 0; i < 200; i++)
    push (f.a, make_buffer (16384, i));
  gst_app_src_end_of_stream (get (f.a, "in"));
  for (guint i = 0; i < 200; i++)
    expect (f.b, 16384, i, NULL);
  sample = gst_app_sink_try_pull_sample (get (f.b, "out"), DEADLINE);
  fail_if (sample);
  fail_unless (gst_app_sink_is_eos (get (f.b, "out")));
  test_room_free (f.room);
}
GST_END_TEST;

/* Whoever reads nothing stops who sends, and nothing grows; then everything comes. */
GST_START_TEST (test_back_pressure)
{
  const guint count = 1600, size = 16384; /* 25 MiB */
  guint64 before = 0, sent;
  Fixture f;

  setup (&f, IN "datachannelsink label=x name=sink",
      "datachannelsrc label=x name=src max-bytes=1000000 ! appsink name=out sync=false async=false max-buffers=1");
  for (guint i = 0; i < count; i++)
    push (f.a, make_buffer (size, i));
  /* Until nothing moved for half a second. */
  expect (f.b, size, 0, NULL);
  while ((sent = stat_of (f.a, "sink", "bytes-sent")) != before) {
    before = sent;
    g_usleep (500000);
  }
  fail_unless (sent < count * size / 2, "%" G_GUINT64_FORMAT " bytes were taken", sent);
  fail_unless (stat_of (f.a, "sink", "bytes-waiting") <= 1024 * 1024);
  fail_unless (stat_of (f.b, "src", "bytes-waiting") <= 8 * 1024 * 1024);
  for (guint i = 1; i < count; i++)
    expect (f.b, size, i, NULL);
  fail_unless_equals_uint64 (stat_of (f.b, "src", "messages-dropped"), 0);
  test_room_free (f.room);
}
GST_END_TEST;

/* Both ends open it by themselves, with the same number. */
GST_START_TEST (test_negotiated)
{
  Fixture f;

  setup (&f, IN "datachannelsink label=x negotiated=true id=5 ordered=false",
      "datachannelsrc label=x negotiated=true id=5 ordered=false" OUT);
  push (f.a, make_buffer (100, 1));
  expect (f.b, 100, 1, NULL);
  test_room_free (f.room);
}
GST_END_TEST;

/* What was captured a second before it was sent says so at the other end, once both know each other's clock. */
GST_START_TEST (test_sender_time)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  gboolean is_known = FALSE;
  Fixture f;

  setup (&f, "appsrc name=in format=time is-live=true ! datachannelsink label=x timestamps=true",
      "datachannelsrc label=x timestamp-mode=sender" OUT);
  for (guint i = 0; !is_known; i++) {
    GstClockTime now = gst_element_get_current_running_time (get (f.a, "in"));
    GstBuffer *buffer = make_buffer (100, i);
    GstReferenceTimestampMeta *reference;
    GstCustomMeta *meta;
    GstSample *sample;
    gint64 age, error_bound;

    fail_unless (g_get_monotonic_time () < end, "the offset of the clocks did not become known");
    g_usleep (10000);
    GST_BUFFER_PTS (buffer) = now > GST_SECOND ? now - GST_SECOND : 0;
    push (f.a, buffer);
    sample = gst_app_sink_try_pull_sample (get (f.b, "out"), 20 * GST_MSECOND);
    if (!sample)
      continue;
    buffer = gst_sample_get_buffer (sample);
    fail_unless_equals_uint64 (gst_buffer_get_size (buffer), 100);
    meta = gst_buffer_get_custom_meta (buffer, "GstRtcPeerMeta");
    fail_unless (meta);
    is_known =
        gst_structure_get_int64 (gst_custom_meta_get_structure (meta), "clock-error", &error_bound) && now > GST_SECOND;
    reference = gst_buffer_get_reference_timestamp_meta (buffer, NULL);
    fail_unless (reference);
    age = g_get_real_time () - (gint64)(reference->timestamp / GST_USECOND);
    if (is_known)
      fail_unless (age > 990000 && age < 5 * G_USEC_PER_SEC, "%" G_GINT64_FORMAT " us", age);
    gst_sample_unref (sample);
  }
  test_room_free (f.room);
}
GST_END_TEST;

static Suite *
datachannels_suite (void)
{
  Suite *suite = suite_create ("datachannels");
  TCase *tests = tcase_create ("general");

  suite_add_tcase (suite, tests);
  tcase_set_timeout (tests, 60);
  tcase_add_test (tests, test_every_size);
  tcase_add_test (tests, test_there_and_back);
  tcase_add_test (tests, test_end);
  tcase_add_test (tests, test_back_pressure);
  tcase_add_test (tests, test_negotiated);
  tcase_add_test (tests, test_sender_time);
  return suite;
}

GST_CHECK_MAIN (datachannels);
