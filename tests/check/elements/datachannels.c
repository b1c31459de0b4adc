/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* datachannelsink and datachannelsrc over two real rtcbins. Cases run once for each transport. */

#include "lib/testroom.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#define DEADLINE (20 * GST_SECOND)
#define IN "appsrc name=in format=bytes max-bytes=100000000 ! "
/* What webrtcbin takes in one message. */
#define MAX_WEBRTCBIN 65536
#define OUT " ! appsink name=out sync=false async=false"

typedef struct
{
  TestRoom *room;
  TestPeer *a, *b; /* a offers to b */
  gboolean is_webrtcbin;
} Fixture;

/* The lines are what stands beside the two rtcbins; A sends a picture, too. */
static void
setup (Fixture *f, gint transport, const gchar *a, const gchar *b)
{
  g_autofree gchar *line_a = g_strconcat (TEST_RTCBIN TEST_VP8, a, NULL);
  g_autofree gchar *line_b = g_strconcat (TEST_RTCBIN TEST_WATCH_VP8, b, NULL);

  f->is_webrtcbin = g_str_equal (test_transports[transport], "webrtcbin");
  f->room = test_room_new ();
  f->a = test_room_add (f->room, "a", test_transports[transport], line_a);
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

/* The next warning of PEER's pipeline has TEXT in it. */
static void
expect_warning (TestPeer *peer, const gchar *text)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (test_peer_get_pipeline (peer));
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, DEADLINE, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING, "no warning came");
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (strstr (error->message, text), "the warning is \"%s\" and not about \"%s\"", error->message, text);
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

/* Counted after it was handed over, in another thread than the one that it came in. */
static void
expect_stat (TestPeer *peer, const gchar *element, const gchar *name, guint64 wanted)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  guint64 value;

  while ((value = stat_of (peer, element, name)) != wanted && g_get_monotonic_time () < end)
    g_thread_yield ();
  fail_unless_equals_uint64 (value, wanted);
}

/* Every size and both kinds arrive as they were sent, and what is sent before there is a peer waits for it. What
 * webrtcbin cannot carry is left out, with a reason that names the transport which can. */
GST_START_TEST (test_every_size)
{
  static const gsize sizes[] = {1, 0, 2, 1171, 1172, 16384, 65535, 65536, 65537, 262144, 1000000, 16 * 1024 * 1024};
  guint n = 0, n_refused = 0;
  Fixture f;

  setup (&f, __i__, IN "datachannelsink label=x name=sink", "datachannelsrc label=x" OUT);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    push_with_caps (f.a, "text/x-raw,format=utf8", make_buffer (sizes[i], i));
    push_with_caps (f.a, "application/octet-stream", make_buffer (sizes[i], i + 1));
  }
  push (f.a, make_buffer (3, 99));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    if (f.is_webrtcbin && sizes[i] > MAX_WEBRTCBIN) {
      n_refused += 2;
      continue;
    }
    expect (f.b, sizes[i], i, "text/x-raw");
    expect (f.b, sizes[i], i + 1, "application/x-data-channel");
    n += 2;
  }
  expect (f.b, 3, 99, NULL);
  if (f.is_webrtcbin)
    expect_warning (f.a, "transport=native");
  expect_stat (f.a, "sink", "messages-sent", n + 1);
  fail_unless_equals_uint64 (stat_of (f.a, "sink", "messages-dropped"), n_refused);
  test_room_free (f.room);
}
GST_END_TEST;

/* What comes goes back to who sent it, over the same channel; the sink stands before its rtcbin in the line. */
GST_START_TEST (test_there_and_back)
{
  Fixture f;

  setup (&f, __i__, IN "datachannelsink label=x rtc=rtc datachannelsrc label=x" OUT,
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

  setup (&f, __i__, IN "datachannelsink label=x", "datachannelsrc label=x eos-on-close=true" OUT);
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

/* Until nothing was sent for half a second. Returns how many bytes were. */
static guint64
wait_until_it_stands (TestPeer *from)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (test_peer_get_pipeline (from));
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  guint64 before, sent = stat_of (from, "sink", "bytes-sent");

  do {
    g_autoptr (GstMessage) problem =
        gst_bus_timed_pop_filtered (bus, GST_SECOND / 2, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);

    fail_if (problem != NULL, "%s", problem ? GST_MESSAGE_TYPE_NAME (problem) : "");
    fail_unless (g_get_monotonic_time () < end, "it goes on and on");
    before = sent;
    sent = stat_of (from, "sink", "bytes-sent");
  } while (sent != before);
  return sent;
}

/* Whoever reads nothing stops who sends, and nothing grows; then everything comes. webrtcbin cannot stop a peer: there
 * the receiver drops what is too much, and says so. */
GST_START_TEST (test_back_pressure)
{
  const guint size = 16384;
  guint count = 1600; /* 25 MiB */
  guint64 sent;
  Fixture f;

  setup (&f, __i__, IN "datachannelsink label=x name=sink",
      "datachannelsrc label=x name=src max-bytes=1000000 ! appsink name=out sync=false async=false max-buffers=1");
  if (f.is_webrtcbin)
    count = 2400; /* more than is kept of what comes all the same */
  for (guint i = 0; i < count; i++)
    push (f.a, make_buffer (size, i));
  expect (f.b, size, 0, NULL);
  if (f.is_webrtcbin) {
    expect_warning (f.b, "the peer cannot be made to wait");
    fail_unless (stat_of (f.b, "src", "bytes-waiting") <= 32 * 1024 * 1024);
    expect (f.b, size, 1, NULL);
    test_room_free (f.room);
    return;
  }
  sent = wait_until_it_stands (f.a);
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

  setup (&f, __i__, IN "datachannelsink label=x negotiated=true id=5 ordered=false",
      "datachannelsrc label=x negotiated=true id=5 ordered=false" OUT);
  push (f.a, make_buffer (100, 1));
  expect (f.b, 100, 1, NULL);
  test_room_free (f.room);
}
GST_END_TEST;

/* Until the pipeline has run for TIME. */
static void
wait_running_time (GstElement *pipeline, GstClockTime time)
{
  g_autoptr (GstClock) clock = gst_pipeline_get_clock (GST_PIPELINE (pipeline));
  GstClockID id = gst_clock_new_single_shot_id (clock, gst_element_get_base_time (pipeline) + time);

  gst_clock_id_wait (id, NULL);
  gst_clock_id_unref (id);
}

/* How long ago SAMPLE was captured by the sender's clock, in microseconds. FALSE while that clock is not known. */
static gboolean
get_age (GstSample *sample, gint64 *age)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstReferenceTimestampMeta *reference = gst_buffer_get_reference_timestamp_meta (buffer, NULL);
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "GstRtcPeerMeta");
  gint64 error_bound;

  fail_unless_equals_uint64 (gst_buffer_get_size (buffer), 100);
  fail_unless (meta && reference);
  *age = g_get_real_time () - (gint64)(reference->timestamp / GST_USECOND);
  return gst_structure_get_int64 (gst_custom_meta_get_structure (meta), "clock-error", &error_bound);
}

/* What was captured a second before it was sent says so at the other end, once both know each other's clock. */
GST_START_TEST (test_sender_time)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC, age;
  gboolean is_known = FALSE;
  Fixture f;

  setup (&f, __i__, "appsrc name=in format=time is-live=true ! datachannelsink label=x timestamps=true",
      "datachannelsrc label=x timestamp-mode=sender" OUT);
  wait_running_time (test_peer_get_pipeline (f.a), GST_SECOND * 11 / 10);
  for (guint i = 0; !is_known; i++) {
    GstBuffer *buffer = make_buffer (100, i);
    GstSample *sample;

    fail_unless (g_get_monotonic_time () < end, "the offset of the clocks did not become known");
    GST_BUFFER_PTS (buffer) = gst_element_get_current_running_time (get (f.a, "in")) - GST_SECOND;
    push (f.a, buffer);
    sample = gst_app_sink_try_pull_sample (get (f.b, "out"), 20 * GST_MSECOND);
    if (!sample)
      continue;
    is_known = get_age (sample, &age);
    gst_sample_unref (sample);
  }
  fail_unless (age > 990000 && age < 5 * G_USEC_PER_SEC, "%" G_GINT64_FORMAT " us", age);
  test_room_free (f.room);
}
GST_END_TEST;

static Suite *
datachannels_suite (void)
{
  Suite *suite = suite_create ("datachannels");
  TCase *tests = tcase_create ("general");
  guint n = test_transports_load ();

  suite_add_tcase (suite, tests);
  tcase_set_timeout (tests, 60);
  tcase_add_loop_test (tests, test_every_size, 0, n);
  tcase_add_loop_test (tests, test_there_and_back, 0, n);
  tcase_add_loop_test (tests, test_end, 0, n);
  tcase_add_loop_test (tests, test_back_pressure, 0, n);
  tcase_add_loop_test (tests, test_negotiated, 0, n);
  tcase_add_loop_test (tests, test_sender_time, 0, n);
  return suite;
}

GST_CHECK_MAIN (datachannels);
