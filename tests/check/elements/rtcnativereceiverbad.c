/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The native transport's receiver with peers that mean it harm, and with a pipeline that does not do its part. */

#include "receiverfixture.h"

#include <string.h>

/* Hostile peers. */

/* Each packet names others that it was mixed from. */
GST_START_TEST (contributing_sources_are_left_out)
{
  Fixture *f = fixture_new (HEAD AUDIO, 3);
  GPtrArray *audio = make_audio (40, AUDIO_SSRC);
  GstElement *rtpbin;
  GstIterator *iterator;
  GObject *session = NULL;
  GValue value = G_VALUE_INIT;
  guint n;

  for (guint i = 0; i < audio->len; i++) {
    Packet *packet = g_ptr_array_index (audio, i);
    gsize size = g_bytes_get_size (packet->bytes);
    const guint8 *data = g_bytes_get_data (packet->bytes, NULL);
    guint8 *mixed = g_malloc (size + 8);

    memcpy (mixed, data, 12);
    mixed[0] |= 2;
    GST_WRITE_UINT32_BE (mixed + 12, 0x50000000 + i);
    GST_WRITE_UINT32_BE (mixed + 16, 0x60000000 + i);
    memcpy (mixed + 20, data + 12, size - 12);
    g_bytes_unref (packet->bytes);
    packet->bytes = g_bytes_new_take (mixed, size + 8);
  }
  send_all (f, audio, g_get_monotonic_time ());
  step_to_the_end (f);
  fail_unless (frames_of (f, 0) >= 39);
  iterator = gst_bin_iterate_all_by_element_factory_name (GST_BIN (f->bin), "rtpbin");
  fail_unless (gst_iterator_next (iterator, &value) == GST_ITERATOR_OK);
  rtpbin = g_value_get_object (&value);
  g_signal_emit_by_name (rtpbin, "get-internal-session", 0, &session);
  g_object_get (session, "num-sources", &n, NULL);
  fail_unless_equals_int (n, 2); /* the peer's and ours */
  g_object_unref (session);
  g_value_unset (&value);
  gst_iterator_free (iterator);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (a_flood_of_ssrcs_is_bounded)
{
  Fixture *f = fixture_new (HEAD VIDEO FID, 3);
  GPtrArray *video = make_video (2, VIDEO_SSRC);
  GBytes *template = ((Packet *)g_ptr_array_index (video, 0))->bytes;
  gsize size = g_bytes_get_size (template);
  guint8 *data = g_memdup2 (g_bytes_get_data (template, NULL), size);
  guint threads = count_threads ();

  for (guint32 i = 0; i < 5000; i++) {
    guint8 report[28] = {0x80, 200, 0, 6};

    GST_WRITE_UINT32_BE (data + 8, 0x30000000 + i);
    data[1] = i % 2 ? RTX_PT : VIDEO_PT;
    gst_rtc_native_receiver_take_rtp (f->receiver, data, size, g_get_monotonic_time ());
    GST_WRITE_UINT32_BE (report + 4, 0x40000000 + i);
    gst_rtc_native_receiver_take_rtcp (f->receiver, report, sizeof (report), g_get_monotonic_time ());
    if (i % 100 == 0)
      step (f);
  }
  step_to_the_end (f);
  fail_unless (f->n_streams <= 16, "%u streams", f->n_streams);
  fail_unless (count_threads () <= threads + 2 + 16 * 3, "%u threads", count_threads () - threads);
  g_free (data);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (malformed_packets_do_no_harm)
{
  Fixture *f = fixture_new (HEAD VIDEO FID AUDIO MID, 3);
  GPtrArray *video = send_video (f, 45, VIDEO_SSRC), *after;
  gint before;

  while (g_sequence_get_length (f->wire) > 0) {
    Packet *packet = g_ptr_array_index (video, g_rand_int_range (f->rand, 0, video->len));
    gsize size = g_bytes_get_size (packet->bytes);
    guint8 *data = g_memdup2 (g_bytes_get_data (packet->bytes, NULL), size);
    gsize cut = g_rand_int_range (f->rand, 0, size);

    /* The stream's own packets are left alone: garbage in them is no garbage for who does not decode them. */
    for (guint i = 0; i < 4; i++)
      data[g_rand_int_range (f->rand, 0, MIN (size, 20))] = g_rand_int (f->rand);
    GST_WRITE_UINT32_BE (data + 8, g_rand_int_range (f->rand, 1, 5));
    gst_rtc_native_receiver_take_rtp (f->receiver, data, cut, g_get_monotonic_time ());
    data[0] = 0x80 | g_rand_int_range (f->rand, 0, 32);
    data[1] = g_rand_int_range (f->rand, 192, 224);
    gst_rtc_native_receiver_take_rtcp (f->receiver, data, cut & ~(gsize)3, g_get_monotonic_time ());
    g_free (data);
    step (f);
  }
  step_to_the_end (f);
  fail_unless (f->n_streams <= 16);
  /* Whatever had taken the line's place: who comes now gets through. */
  before = frames_of (f, 0);
  after = send_video (f, 20, 0x20000001);
  step_until (f, frames_of (f, 0) - before >= 19);
  g_ptr_array_unref (after);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* Downstream that does not do its part. */

typedef struct
{
  GMutex lock;
  GCond cond;
  gboolean let_go;
  gint blocked; /* atomic */
} Gate;

static GstPadProbeReturn
on_gate (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Gate *gate = user_data;

  g_mutex_lock (&gate->lock);
  g_atomic_int_set (&gate->blocked, TRUE);
  while (!gate->let_go)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
  return GST_PAD_PROBE_OK;
}

/* What reaches the depayloader on PAD is held until the gate is opened. */
static void
block_downstream (GstPad *pad, Gate *gate)
{
  GstPad *entry = gst_pad_get_peer (pad);

  g_mutex_init (&gate->lock);
  g_cond_init (&gate->cond);
  gst_pad_add_probe (entry, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, on_gate, gate, NULL);
  gst_object_unref (entry);
}

static void
open_gate (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->let_go = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->lock);
}

GST_START_TEST (closing_does_not_wait_for_downstream)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 3);
  GPtrArray *video = make_video (90, VIDEO_SSRC), *audio = send_video (f, 90, VIDEO_SSRC);
  Gate gate = {0};
  gint64 began;

  step_until (f, frames_of (f, 0) > 5);
  block_downstream (f->pads[0], &gate);
  step_until (f, g_atomic_int_get (&gate.blocked));
  began = g_get_monotonic_time ();
  gst_rtc_native_receiver_close (f->receiver);
  fail_unless (g_get_monotonic_time () - began < SECONDS (0.5));
  gst_rtc_native_receiver_take_rtp (f->receiver, (const guint8 *)"", 0, began);
  open_gate (&gate);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

/* Streams that nobody took stop like the others. */
GST_START_TEST (a_pad_that_was_never_let_go_stops)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 3);
  GPtrArray *video = make_video (30, VIDEO_SSRC), *audio = make_audio (50, AUDIO_SSRC);
  gint64 now = g_get_monotonic_time ();

  f->unlinked = TRUE;
  send_all (f, video, now);
  send_all (f, audio, now);
  step_until (f, f->n_streams == 2);
  if (__i__ == 0)
    gst_rtc_native_receiver_close (f->receiver);
  gst_element_set_state (f->pipeline, GST_STATE_NULL);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

static void
count_if_dropping (const GValue *value, gpointer user_data)
{
  gboolean dropping;

  g_object_get (g_value_get_object (value), "drop-on-latency", &dropping, NULL);
  *(guint *)user_data += dropping;
}

static guint
count_dropping (Fixture *f)
{
  GstIterator *iterator = gst_bin_iterate_all_by_element_factory_name (GST_BIN (f->bin), "rtpjitterbuffer");
  guint n = 0;

  gst_iterator_foreach (iterator, count_if_dropping, &n);
  gst_iterator_free (iterator);
  return n;
}

/* A stream that is stuck, in a chain that is or in none, and one that fails, leave the other alone. */
GST_START_TEST (a_stream_in_trouble_leaves_the_others_alone)
{
  Fixture *f = fixture_new_with_latency (HEAD VIDEO AUDIO, 3, 100);
  GPtrArray *video = make_video (450, VIDEO_SSRC), *audio = make_audio (150, AUDIO_SSRC);
  gint64 now = g_get_monotonic_time ();
  Gate gate = {0};

  send_all (f, audio, now);
  step_until (f, frames_of (f, 1) > 5);
  f->unlinked = TRUE;
  /* Ten times as fast as it should, more than any queue takes. */
  for (guint i = 0; i < video->len; i++)
    ((Packet *)g_ptr_array_index (video, i))->due /= 10;
  send_all (f, video, g_get_monotonic_time ());
  step_until (f, f->n_streams == 2);
  if (__i__ == 1) {
    attach (f, 0, f->pads[1]);
    block_downstream (f->pads[1], &gate);
  } else if (__i__ == 2) {
    gst_rtc_native_receiver_unblock (f->receiver, f->pads[1]);
  }
  step_to_the_end (f);
  /* What waits is bounded. */
  if (__i__ < 2)
    fail_unless_equals_int (count_dropping (f), 1);
  fail_unless (frames_of (f, 1) >= 149, "%d of 150 frames of sound", frames_of (f, 1));
  if (__i__ == 1)
    open_gate (&gate);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (nothing_is_left_behind)
{
  guint threads = 0, fds = 0;
  GPtrArray *video = make_video (4, VIDEO_SSRC), *audio = make_audio (12, AUDIO_SSRC);

  for (guint i = 0; i < 50; i++) {
    Fixture *f = fixture_new (HEAD VIDEO FID AUDIO, i);
    gint64 now = g_get_monotonic_time ();

    send_all (f, video, now - SECONDS (0.1));
    send_all (f, audio, now - SECONDS (0.1));
    if (i % 5 == 0)
      step_until (f, frames_of (f, 0) > 1 && frames_of (f, 1) > 1);
    else if (i % 5 == 1)
      step_until (f, f->n_streams > 0);
    else if (i % 5 == 2)
      step (f);
    fixture_free (f);
    if (i == 9) {
      threads = count_threads ();
      fds = count_fds ();
    }
  }
  /* Threads that wait for work in GLib's pool come and go; one that stays of each round would make forty. */
  fail_unless (count_threads () <= threads + 8, "%u threads, %u at first", count_threads (), threads);
  fail_unless (count_fds () <= fds, "%u descriptors, %u at first", count_fds (), fds);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
}
GST_END_TEST;

static Suite *
rtcnativereceiverbad_suite (void)
{
  Suite *suite = suite_create ("rtcnativereceiverbad");
  TCase *tcase = tcase_create ("receiver");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, contributing_sources_are_left_out);
  tcase_add_test (tcase, a_flood_of_ssrcs_is_bounded);
  tcase_add_test (tcase, malformed_packets_do_no_harm);
  tcase_add_test (tcase, closing_does_not_wait_for_downstream);
  tcase_add_loop_test (tcase, a_pad_that_was_never_let_go_stops, 0, 2);
  tcase_add_loop_test (tcase, a_stream_in_trouble_leaves_the_others_alone, 0, 3);
  tcase_add_test (tcase, nothing_is_left_behind);
  return suite;
}

GST_CHECK_MAIN (rtcnativereceiverbad);
