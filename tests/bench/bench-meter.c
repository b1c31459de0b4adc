/* rtclink: how long a link takes to come up, and how late its frames are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The time at which a frame left its source is drawn into its picture, and read where the picture comes out: it goes
 * through encoder, payloader, network and decoder as everything in the picture does, whatever timestamps become of. */

#include "bench.h"

#include <gst/video/video.h>

/* 48 bits of microseconds and 8 that check them, as black and white squares, large enough for any bit rate. */
#define SQUARE 40
#define COLUMNS 8
#define TIME_BITS 48
#define BITS (TIME_BITS + 8)
#define WIDTH 640
#define HEIGHT 360

static guint8
check_of (guint64 time)
{
  guint8 check = 0x5a;

  for (guint i = 0; i < TIME_BITS; i += 8)
    check = (guint8)((check << 1) | (check >> 7)) ^ (guint8)(time >> i);
  return check;
}

static guint8 *
square (GstVideoFrame *frame, guint bit, guint line)
{
  guint8 *luma = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  guint y = bit / COLUMNS * SQUARE + line, x = bit % COLUMNS * SQUARE;

  return luma + (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0) + x;
}

static void
draw (GstVideoFrame *frame, guint64 time)
{
  guint64 bits = time | (guint64)check_of (time) << TIME_BITS;

  for (guint bit = 0; bit < BITS; bit++) {
    for (guint line = 0; line < SQUARE; line++)
      memset (square (frame, bit, line), bits >> bit & 1 ? 235 : 16, SQUARE);
  }
}

static gboolean
read_time (GstVideoFrame *frame, guint64 *time)
{
  guint64 bits = 0;

  for (guint bit = 0; bit < BITS; bit++) {
    guint sum = 0;

    for (guint line = SQUARE / 4; line < SQUARE * 3 / 4; line++) {
      for (guint x = SQUARE / 4; x < SQUARE * 3 / 4; x++)
        sum += square (frame, bit, line)[x];
    }
    if (sum / (SQUARE / 2 * SQUARE / 2) > 125)
      bits |= (guint64)1 << bit;
  }
  *time = bits & (((guint64)1 << TIME_BITS) - 1);
  return bits >> TIME_BITS == check_of (*time);
}

static gboolean
map_frame (GstVideoFrame *frame, GstBuffer *buffer, GstMapFlags flags)
{
  GstVideoInfo info;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
  return gst_video_frame_map (frame, &info, buffer, flags);
}

static GstPadProbeReturn
stamp_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  GstVideoFrame frame;

  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  if (map_frame (&frame, buffer, GST_MAP_READWRITE)) {
    draw (&frame, g_get_monotonic_time ());
    gst_video_frame_unmap (&frame);
  }
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
decoded (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  BenchMeter *meter = user_data;
  gint64 now = g_get_monotonic_time ();

  g_mutex_lock (&meter->lock);
  meter->first_frame = now;
  g_cond_broadcast (&meter->cond);
  g_mutex_unlock (&meter->lock);
  return GST_PAD_PROBE_REMOVE;
}

static void
on_frame (BenchMeter *meter, GArray *ages, GstBuffer *buffer)
{
  gint64 now = g_get_monotonic_time (), age = 0;
  guint64 time = 0;
  GstVideoFrame frame;
  gboolean whole = FALSE;

  if (map_frame (&frame, buffer, GST_MAP_READ)) {
    whole = read_time (&frame, &time);
    gst_video_frame_unmap (&frame);
  }
  age = now - (gint64)time;
  g_mutex_lock (&meter->lock);
  if (meter->count_from && now >= meter->count_from) {
    if (whole)
      g_array_append_val (ages, age);
    else
      meter->unreadable++;
  }
  g_mutex_unlock (&meter->lock);
}

static void
on_frame_at_once (GstElement *sink, GstBuffer *buffer, GstPad *pad, BenchMeter *meter)
{
  on_frame (meter, meter->at_once, buffer);
}

static void
on_frame_in_time (GstElement *sink, GstBuffer *buffer, GstPad *pad, BenchMeter *meter)
{
  on_frame (meter, meter->in_time, buffer);
}

static void
add_probe (GstElement *pipeline, const gchar *element, GstPadProbeCallback callback, BenchMeter *meter)
{
  g_autoptr (GstElement) found = gst_bin_get_by_name (GST_BIN (pipeline), element);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (found, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, callback, meter, NULL);
}

static void
watch_sink (GstElement *pipeline, const gchar *name, GCallback callback, BenchMeter *meter)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);

  g_signal_connect (sink, "handoff", callback, meter);
}

BenchMeter *
bench_meter_new (GstElement *sender, GstElement *receiver)
{
  BenchMeter *meter = g_new0 (BenchMeter, 1);

  g_mutex_init (&meter->lock);
  g_cond_init (&meter->cond);
  meter->at_once = g_array_new (FALSE, FALSE, sizeof (gint64));
  meter->in_time = g_array_new (FALSE, FALSE, sizeof (gint64));
  add_probe (sender, "stamp", stamp_frame, meter);
  add_probe (receiver, "decoder", decoded, meter);
  watch_sink (receiver, "at-once", G_CALLBACK (on_frame_at_once), meter);
  watch_sink (receiver, "in-time", G_CALLBACK (on_frame_in_time), meter);
  return meter;
}

void
bench_meter_free (BenchMeter *meter)
{
  g_array_unref (meter->at_once);
  g_array_unref (meter->in_time);
  g_mutex_clear (&meter->lock);
  g_cond_clear (&meter->cond);
  g_free (meter);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *)a, y = *(const gdouble *)b;

  return (x > y) - (x < y);
}

gdouble
bench_quantile (GArray *values, gdouble p)
{
  gdouble at, low, high;

  if (values->len == 0)
    return 0;
  g_array_sort (values, compare);
  at = p * (values->len - 1);
  low = g_array_index (values, gdouble, (guint)at);
  high = g_array_index (values, gdouble, MIN ((guint)at + 1, values->len - 1));
  return low + (high - low) * (at - (guint)at);
}
