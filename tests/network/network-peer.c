/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Runs a pipeline and tells on standard output, a line each: "frame MICROSECONDS" (monotonic) for each buffer that
 * comes to the element "watched", "message NAME" for element messages of rtcbin, "stats TEXT" when a line comes on
 * standard input. Ends with standard input. */

#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>

static GMutex out;

static void
say (const gchar *what, const gchar *text)
{
  g_mutex_lock (&out);
  printf ("%s %s\n", what, text);
  fflush (stdout);
  g_mutex_unlock (&out);
}

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  gchar *text = g_strdup_printf ("%" G_GINT64_FORMAT, g_get_monotonic_time ());

  say ("frame", text);
  g_free (text);
  return GST_PAD_PROBE_OK;
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer loop)
{
  const GstStructure *s = gst_message_get_structure (message);
  GError *error = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ELEMENT:
      say ("message", gst_structure_get_name (s));
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

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  GstElement *pipeline = user_data, *rtcbin = gst_bin_get_by_name (GST_BIN (pipeline), "rtc");
  GMainLoop *loop = g_object_get_data (G_OBJECT (pipeline), "loop");
  GstStructure *stats = NULL;
  gchar *line = NULL, *text;

  if (g_io_channel_read_line (channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) {
    g_main_loop_quit (loop);
  } else {
    g_object_get (rtcbin, "stats", &stats, NULL);
    text = gst_structure_to_string (stats);
    say ("stats", text);
    g_free (text);
    gst_structure_free (stats);
  }
  g_free (line);
  gst_object_unref (rtcbin);
  return TRUE;
}

int
main (int argc, char *argv[])
{
  GError *error = NULL;
  GstElement *pipeline, *watched;
  GMainLoop *loop;
  GIOChannel *input;
  GstBus *bus;

  gst_init (&argc, &argv);
  pipeline = gst_parse_launchv ((const gchar **)argv + 1, &error);
  if (!pipeline) {
    fprintf (stderr, "network-peer: %s\n", error->message);
    return EXIT_FAILURE;
  }
  loop = g_main_loop_new (NULL, FALSE);
  g_object_set_data (G_OBJECT (pipeline), "loop", loop);
  watched = gst_bin_get_by_name (GST_BIN (pipeline), "watched");
  if (watched) {
    GstPad *pad = gst_element_get_static_pad (watched, "sink");

    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, NULL, NULL);
    gst_object_unref (pad);
    gst_object_unref (watched);
  }
  bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, loop);
  input = g_io_channel_unix_new (0);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, on_input, pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_bus_remove_watch (bus);
  gst_object_unref (bus);
  g_io_channel_unref (input);
  g_main_loop_unref (loop);
  gst_object_unref (pipeline);
  return EXIT_SUCCESS;
}
