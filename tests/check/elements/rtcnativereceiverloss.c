/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* How long the native transport's receiver waits, and for what. There is one key frame on the wire, the first: whatever
 * is given up ends the picture, so nearly right is seen as wrong. A machine under load may take longer for an answer
 * than anybody waits, so each case has some attempts. */

#include "receiverfixture.h"

#define N_ATTEMPTS 5
#define FRAMES 60

static GstClockTime
get_latency (GstPad *pad)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min = GST_CLOCK_TIME_NONE;

  fail_unless (gst_pad_query (pad, query));
  gst_query_parse_latency (query, NULL, &min, NULL);
  gst_query_unref (query);
  return min;
}

/* At a tenth of the packets lost, and of the requests: many need more than one round trip of 20 ms. */
static gint
lose (guint seed, guint latency)
{
  Fixture *f = fixture_new_with_latency (HEAD VIDEO FID, seed, latency);
  GPtrArray *video = make_video (FRAMES, VIDEO_SSRC);
  gint frames;

  f->loss = 0.1;
  send_all (f, video, g_get_monotonic_time ());
  step_until (f, f->pads[0]);
  fail_unless_equals_uint64 (get_latency (f->pads[0]), latency * GST_MSECOND);
  step_to_the_end (f);
  frames = frames_of (f, 0);
  fail_unless (f->n_rtx > 0);
  g_ptr_array_unref (video);
  fixture_free (f);
  return frames;
}

GST_START_TEST (patience_is_no_latency)
{
  gint best = 0;

  for (guint i = 0; i < N_ATTEMPTS && best < FRAMES; i++)
    best = MAX (best, lose (815 + i, 20));
  fail_unless_equals_int (best, FRAMES);
}
GST_END_TEST;

/* The sender was busy elsewhere: what was not sent yet is not lost. */
GST_START_TEST (a_pause_is_no_loss)
{
  gint best = 0;

  for (guint i = 0; i < N_ATTEMPTS && best < FRAMES; i++) {
    Fixture *f = fixture_new_with_latency (HEAD VIDEO FID, 4711 + i, 20);
    GPtrArray *video = make_video (FRAMES, VIDEO_SSRC);

    for (guint j = video->len / 2; j < video->len; j++)
      ((Packet *)g_ptr_array_index (video, j))->due += SECONDS (1.5);
    send_all (f, video, g_get_monotonic_time ());
    step_until (f, f->pads[0]);
    step_to_the_end (f);
    step_until (f, g_sequence_get_length (f->wire) == 0);
    step_to_the_end (f);
    best = MAX (best, frames_of (f, 0));
    g_ptr_array_unref (video);
    fixture_free (f);
  }
  fail_unless_equals_int (best, FRAMES);
}
GST_END_TEST;

/* The latency is for who plays it; the first frame goes to the decoder at once. */
GST_START_TEST (a_stream_begins_at_once)
{
  Fixture *f = fixture_new_with_latency (HEAD VIDEO FID, 1, 10000);
  gint64 begin = g_get_monotonic_time ();
  GPtrArray *video = send_video (f, FRAMES, VIDEO_SSRC);

  step_until (f, frames_of (f, 0) > 0);
  fail_unless (g_get_monotonic_time () - begin < SECONDS (8), "the first frame came after %d ms",
      (gint)((g_get_monotonic_time () - begin) / 1000));
  fail_unless_equals_uint64 (get_latency (f->pads[0]), 10 * GST_SECOND);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

static Suite *
rtcnativereceiverloss_suite (void)
{
  Suite *s = suite_create ("rtcnativereceiverloss");
  TCase *tcase = tcase_create ("waiting");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, patience_is_no_latency);
  tcase_add_test (tcase, a_pause_is_no_loss);
  tcase_add_test (tcase, a_stream_begins_at_once);
  return s;
}

GST_CHECK_MAIN (rtcnativereceiverloss);
