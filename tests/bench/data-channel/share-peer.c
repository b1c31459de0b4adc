/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Runs a pipeline (the arguments), and numbers messages through it. Its appsrcs send, its appsinks receive; each is
 * called as its channel. In lines, on standard input:
 *
 *   send N INTERVAL SIZE   each appsrc is given N messages of SIZE bytes, and there are INTERVAL microseconds between
 * one and the next, whichever appsrc's they are: they take turns; "sent" count                  for each appsink "count
 * NAME MESSAGES DIFFERENT DISORDERED P50 LATEST WRONG": the first three of messages (DISORDERED: which came after one
 * with a higher number), microseconds from one end to the other, and messages that are not as they were sent; and
 * "counted" stats                  "stats TEXT", of rtcbin
 *
 * and "message NAME" for each element message of rtcbin, "error TEXT". Ends with standard input. */

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEADER 16
#define MIN_SIZE HEADER

typedef struct
{
  GMutex lock;
  /* under lock */
  GHashTable *numbers;
  GArray *latencies; /* gint64 */
  guint n, n_disordered, n_wrong;
  guint64 highest;
} Counter;

typedef struct
{
  guint n, interval, size;
} Order;

static GMutex out;
static GstElement *pipeline;
static GPtrArray *sources; /* of GstElement */
static GPtrArray *sinks;
static GPtrArray *counters; /* of the sinks */

static void
say (const gchar *what, const gchar *text)
{
  g_mutex_lock (&out);
  printf ("%s %s\n", what, text);
  fflush (stdout);
  g_mutex_unlock (&out);
}

/* A message: its number, when it was sent, and bytes that follow from the number. */

static GstBuffer *
make_message (guint64 number, guint size)
{
  guint8 *data = g_malloc (size);

  GST_WRITE_UINT64_BE (data, number);
  GST_WRITE_UINT64_BE (data + 8, (guint64)g_get_monotonic_time ());
  for (guint i = HEADER; i < size; i++)
    data[i] = number * 31 + i;
  return gst_buffer_new_wrapped (data, size);
}

static void
take_message (Counter *self, const guint8 *data, gsize size, gint64 now)
{
  guint64 number;
  gint64 latency;

  if (size < HEADER) {
    self->n_wrong++;
    return;
  }
  number = GST_READ_UINT64_BE (data);
  latency = now - (gint64)GST_READ_UINT64_BE (data + 8);
  for (gsize i = HEADER; i < size; i++) {
    if (data[i] != (guint8)(number * 31 + i)) {
      self->n_wrong++;
      return;
    }
  }
  self->n_disordered += self->n > 0 && number < self->highest;
  self->highest = MAX (self->highest, number);
  self->n++;
  g_hash_table_add (self->numbers, g_memdup2 (&number, sizeof (number)));
  g_array_append_val (self->latencies, latency);
}

static GstFlowReturn
on_sample (GstAppSink *sink, gpointer user_data)
{
  GstSample *sample = gst_app_sink_pull_sample (sink);
  Counter *counter = user_data;
  GstMapInfo map;

  if (!sample)
    return GST_FLOW_EOS;
  gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ);
  g_mutex_lock (&counter->lock);
  take_message (counter, map.data, map.size, g_get_monotonic_time ());
  g_mutex_unlock (&counter->lock);
  gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
  gst_sample_unref (sample);
  return GST_FLOW_OK;
}

static gpointer
send_all (gpointer data)
{
  Order *order = data;
  struct timespec at;

  clock_gettime (CLOCK_MONOTONIC, &at);
  for (guint i = 0; i < order->n; i++) {
    for (guint k = 0; k < sources->len; k++) {
      gst_app_src_push_buffer (g_ptr_array_index (sources, k), make_message (i, order->size));
      at.tv_nsec += order->interval * 1000L;
      at.tv_sec += at.tv_nsec / 1000000000;
      at.tv_nsec %= 1000000000;
      clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
  }
  say ("sent", "");
  g_free (order);
  return NULL;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gint64 difference = *(const gint64 *)a - *(const gint64 *)b;

  return difference < 0 ? -1 : difference > 0;
}

static void
count (void)
{
  for (guint i = 0; i < sinks->len; i++) {
    Counter *self = g_ptr_array_index (counters, i);
    gint64 half = 0, latest = 0;
    gchar *text;

    g_mutex_lock (&self->lock);
    g_array_sort (self->latencies, compare);
    if (self->n > 0) {
      half = g_array_index (self->latencies, gint64, self->n / 2);
      latest = g_array_index (self->latencies, gint64, self->n - 1);
    }
    text = g_strdup_printf ("%s %u %u %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %u",
        GST_OBJECT_NAME (g_ptr_array_index (sinks, i)), self->n, g_hash_table_size (self->numbers), self->n_disordered,
        half, latest, self->n_wrong);
    g_mutex_unlock (&self->lock);
    say ("count", text);
    g_free (text);
  }
  say ("counted", "");
}

static void
tell_stats (void)
{
  GstElement *rtcbin = gst_bin_get_by_name (GST_BIN (pipeline), "rtc");
  GstStructure *stats = NULL;
  gchar *text;

  g_object_get (rtcbin, "stats", &stats, NULL);
  text = gst_structure_to_string (stats);
  say ("stats", text);
  g_free (text);
  gst_structure_free (stats);
  gst_object_unref (rtcbin);
}

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer loop)
{
  gchar *line = NULL;
  Order order;

  if (g_io_channel_read_line (channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
    g_main_loop_quit (loop);
  else if (sscanf (line, "send %u %u %u", &order.n, &order.interval, &order.size) == 3 && order.size >= MIN_SIZE)
    g_thread_unref (g_thread_new ("send", send_all, g_memdup2 (&order, sizeof (order))));
  else if (g_str_has_prefix (line, "count"))
    count ();
  else if (g_str_has_prefix (line, "stats"))
    tell_stats ();
  else
    g_error ("share-peer: what is \"%s\"?", line);
  g_free (line);
  return TRUE;
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer loop)
{
  GError *error = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      say ("message", gst_structure_get_name (gst_message_get_structure (message)));
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, NULL);
      say ("error", error->message);
      g_error_free (error);
      g_main_loop_quit (loop);
      break;
    default:
      break;
  }
  return TRUE;
}

static void
add_element (const GValue *item, gpointer user_data)
{
  GstElement *element = g_value_get_object (item);
  GstAppSinkCallbacks callbacks = {.new_sample = on_sample};
  Counter *counter;

  if (GST_IS_APP_SRC (element))
    g_ptr_array_add (sources, gst_object_ref (element));
  if (!GST_IS_APP_SINK (element))
    return;
  counter = g_new0 (Counter, 1);
  g_mutex_init (&counter->lock);
  counter->numbers = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  counter->latencies = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_ptr_array_add (sinks, gst_object_ref (element));
  g_ptr_array_add (counters, counter);
  gst_app_sink_set_callbacks (GST_APP_SINK (element), &callbacks, counter, NULL);
}

int
main (int argc, char *argv[])
{
  GError *error = NULL;
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  GIOChannel *input = g_io_channel_unix_new (0);
  GstIterator *elements;
  GstBus *bus;

  gst_init (&argc, &argv);
  pipeline = gst_parse_launchv ((const gchar **)argv + 1, &error);
  if (!pipeline) {
    fprintf (stderr, "share-peer: %s\n", error->message);
    return EXIT_FAILURE;
  }
  sources = g_ptr_array_new ();
  sinks = g_ptr_array_new ();
  counters = g_ptr_array_new ();
  elements = gst_bin_iterate_elements (GST_BIN (pipeline));
  while (gst_iterator_foreach (elements, add_element, NULL) == GST_ITERATOR_RESYNC)
    gst_iterator_resync (elements);
  gst_iterator_free (elements);
  bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, loop);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, on_input, loop);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  /* What counts may still be in use by who sends: the process ends. */
  return EXIT_SUCCESS;
}
