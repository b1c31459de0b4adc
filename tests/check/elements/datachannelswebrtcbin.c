/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* datachannelsink and datachannelsrc on the channels of two plain webrtcbins. */

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/check/gstcheck.h>
#include <gst/webrtc/webrtc.h>
#include <openssl/crypto.h>

#define DEADLINE (20 * GST_SECOND)
#define WAIT (20 * G_TIME_SPAN_SECOND)

typedef struct
{
  GstElement *pipeline, *bins[2];
  GObject *channels[2];
  gboolean is_open; /* the first one */
  GMutex lock;
  GCond cond;
} Fixture;

static void
on_data_channel (GstElement *bin, GObject *channel, Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->channels[1] = g_object_ref (channel);
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
}

static void
on_open (GObject *channel, Fixture *f)
{
  g_mutex_lock (&f->lock);
  f->is_open = TRUE;
  g_cond_broadcast (&f->cond);
  g_mutex_unlock (&f->lock);
}

static void
on_candidate (GstElement *bin, guint mline, const gchar *candidate, Fixture *f)
{
  if (candidate && *candidate)
    g_signal_emit_by_name (f->bins[bin == f->bins[0]], "add-ice-candidate", mline, candidate);
}

static void
set_description (GstElement *bin, const gchar *signal, GstWebRTCSessionDescription *description)
{
  g_autoptr (GstPromise) promise = gst_promise_new ();

  g_signal_emit_by_name (bin, signal, description, promise);
  fail_unless_equals_int (gst_promise_wait (promise), GST_PROMISE_RESULT_REPLIED);
}

/* FROM makes one, which both take. */
static void
describe (Fixture *f, guint from, const gchar *signal, const gchar *field)
{
  g_autoptr (GstPromise) promise = gst_promise_new ();
  g_autoptr (GstWebRTCSessionDescription) description = NULL;

  g_signal_emit_by_name (f->bins[from], signal, NULL, promise);
  fail_unless_equals_int (gst_promise_wait (promise), GST_PROMISE_RESULT_REPLIED);
  gst_structure_get (gst_promise_get_reply (promise), field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, NULL);
  fail_unless (description != NULL);
  set_description (f->bins[from], "set-local-description", description);
  set_description (f->bins[!from], "set-remote-description", description);
}

static void
setup (Fixture *f, const gchar *options)
{
  g_autoptr (GstStructure) parsed = gst_structure_from_string (options, NULL);
  gint64 end = g_get_monotonic_time () + WAIT;

  *f = (Fixture){.pipeline = gst_pipeline_new (NULL)};
  g_mutex_init (&f->lock);
  g_cond_init (&f->cond);
  for (guint i = 0; i < 2; i++) {
    f->bins[i] = gst_element_factory_make ("webrtcbin", NULL);
    g_object_set (f->bins[i], "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, NULL);
    gst_bin_add (GST_BIN (f->pipeline), f->bins[i]);
    g_signal_connect (f->bins[i], "on-ice-candidate", G_CALLBACK (on_candidate), f);
  }
  g_signal_connect (f->bins[1], "on-data-channel", G_CALLBACK (on_data_channel), f);
  gst_element_set_state (f->pipeline, GST_STATE_PLAYING);
  g_signal_emit_by_name (f->bins[0], "create-data-channel", "ümläut", parsed, &f->channels[0]);
  fail_unless (f->channels[0] != NULL);
  g_signal_connect (f->channels[0], "on-open", G_CALLBACK (on_open), f);
  describe (f, 0, "create-offer", "offer");
  describe (f, 1, "create-answer", "answer");
  g_mutex_lock (&f->lock);
  while (!f->channels[1] || !f->is_open)
    fail_unless (g_cond_wait_until (&f->cond, &f->lock, end), "the two do not connect");
  g_mutex_unlock (&f->lock);
}

static void
teardown (Fixture *f)
{
  gst_element_set_state (f->pipeline, GST_STATE_NULL);
  for (guint i = 0; i < 2; i++)
    g_object_unref (f->channels[i]);
  gst_object_unref (f->pipeline);
  g_mutex_clear (&f->lock);
  g_cond_clear (&f->cond);
}

/* A pipeline with the element CHANNEL on a channel. */
static GstElement *
launch (const gchar *line, GObject *object)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  GstElement *element;

  fail_unless (error == NULL, "%s", error ? error->message : "");
  element = gst_bin_get_by_name (GST_BIN (pipeline), "channel");
  g_object_set (element, "channel", object, NULL);
  gst_object_unref (element);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  return pipeline;
}

static void
stop (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static gpointer
get (GstElement *pipeline, const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  gst_object_unref (element);
  return element;
}

static void
push (GstElement *pipeline, gsize size)
{
  GstBuffer *buffer = gst_buffer_new_wrapped (g_malloc0 (size + 1), size);

  fail_unless_equals_int (gst_app_src_push_buffer (get (pipeline, "in"), buffer), GST_FLOW_OK);
}

static void
expect (GstElement *pipeline, gsize size)
{
  GstSample *sample = gst_app_sink_try_pull_sample (get (pipeline, "out"), DEADLINE);

  fail_unless (sample, "no message came");
  fail_unless_equals_uint64 (gst_buffer_get_size (gst_sample_get_buffer (sample)), size);
  fail_unless_equals_string (
      gst_structure_get_string (gst_caps_get_structure (gst_sample_get_caps (sample), 0), "label"), "ümläut");
  gst_sample_unref (sample);
}

#define IN "appsrc name=in format=bytes max-bytes=100000000 ! datachannelsink name=channel sync=false"
#define OUT "datachannelsrc name=channel ! appsink name=out sync=false async=false"

GST_START_TEST (both_ways)
{
  static const gsize sizes[] = {1, 2, 1200, 16384, 65535, 65536};
  Fixture f;
  GstElement *in[2], *out[2];
  g_autofree gchar *label = NULL;

  setup (&f, "o");
  for (guint i = 0; i < 2; i++) {
    out[i] = launch (OUT, f.channels[i]);
    in[i] = launch (IN, f.channels[i]);
  }
  g_object_get (get (in[0], "channel"), "label", &label, NULL);
  fail_unless_equals_string (label, "ümläut");
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    push (in[0], sizes[i]);
    push (in[1], sizes[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    expect (out[0], sizes[i]);
    expect (out[1], sizes[i]);
  }
  for (guint i = 0; i < 2; i++) {
    stop (in[i]);
    stop (out[i]);
  }
  teardown (&f);
}
GST_END_TEST;

/* More than webrtcbin's queue is meant for goes through without growing it. */
GST_START_TEST (much)
{
  Fixture f;
  GstElement *in, *out;

  setup (&f, "o,ordered=false");
  out = launch (OUT, f.channels[1]);
  in = launch (IN, f.channels[0]);
  for (guint i = 0; i < 500; i++)
    push (in, 65536);
  for (guint i = 0; i < 500; i++) {
    guint64 waits = 0;

    g_object_get (f.channels[0], "buffered-amount", &waits, NULL);
    fail_unless (waits <= 512 * 1024, "webrtcbin has %" G_GUINT64_FORMAT " bytes", waits);
    expect (out, 65536);
  }
  stop (in);
  stop (out);
  teardown (&f);
}
GST_END_TEST;

/* Refused with a warning, and what follows is sent. */
static void
check_refused (gsize size, const gchar *why)
{
  Fixture f;
  GstElement *in, *out;
  GstMessage *message;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GError) error = NULL;

  setup (&f, "o");
  out = launch (OUT, f.channels[1]);
  in = launch (IN, f.channels[0]);
  bus = gst_element_get_bus (in);
  push (in, size);
  push (in, 7);
  message = gst_bus_timed_pop_filtered (bus, DEADLINE, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (strstr (error->message, why), "%s", error->message);
  gst_message_unref (message);
  expect (out, 7);
  stop (in);
  stop (out);
  teardown (&f);
}

GST_START_TEST (empty_and_large)
{
  check_refused (0, "without a byte");
  check_refused (65537, "transport=native");
}
GST_END_TEST;

/* The application's close is the end of the stream. */
GST_START_TEST (close_is_eos)
{
  Fixture f;
  GstElement *out;
  gint64 end = g_get_monotonic_time () + WAIT;

  setup (&f, "o");
  out =
      launch ("datachannelsrc name=channel eos-on-close=true ! appsink name=out sync=false async=false", f.channels[1]);
  gst_webrtc_data_channel_send_string (GST_WEBRTC_DATA_CHANNEL (f.channels[0]), "last");
  expect (out, 4);
  gst_webrtc_data_channel_close (GST_WEBRTC_DATA_CHANNEL (f.channels[0]));
  while (!gst_app_sink_is_eos (get (out, "out"))) {
    fail_unless (g_get_monotonic_time () < end, "no EOS came");
    g_thread_yield ();
  }
  stop (out);
  teardown (&f);
}
GST_END_TEST;

static Suite *
datachannelswebrtcbin_suite (void)
{
  Suite *s = suite_create ("datachannelswebrtcbin");
  TCase *tcase = tcase_create ("channels");

  /* Here is no rtcbin, which would see to it: threads of webrtcbin outlive its NULL and end while the process exits. */
  OPENSSL_init_crypto (OPENSSL_INIT_NO_ATEXIT, NULL);
  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, both_ways);
  tcase_add_test (tcase, much);
  tcase_add_test (tcase, empty_and_large);
  tcase_add_test (tcase, close_is_eos);
  return s;
}

GST_CHECK_MAIN (datachannelswebrtcbin);
