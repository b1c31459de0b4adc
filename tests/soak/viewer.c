/* rtclink: many viewers in one process, for the soak test
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "soaklines.h"

/* usage: soak-viewer URI TRANSPORT
 *
 * Each viewer is a pipeline of its own, as a user would write it. */

typedef struct
{
  GstElement *pipeline;
  guint watch;
  SoakMeter *meter;
} Viewer;

typedef struct
{
  const gchar *uri;
  const gchar *transport;
  GHashTable *viewers; /* name -> Viewer */
} Program;

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Viewer *viewer = user_data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (message, &error, NULL);
    soak_lines_say ("error %s %s", viewer->meter->name, error->message);
  }
  return G_SOURCE_CONTINUE;
}

static void
viewer_free (gpointer data)
{
  Viewer *viewer = data;

  g_source_remove (viewer->watch);
  gst_element_set_state (viewer->pipeline, GST_STATE_NULL);
  gst_object_unref (viewer->pipeline);
  soak_lines_say ("gone %s", viewer->meter->name);
  soak_meter_free (viewer->meter);
  g_free (viewer);
}

static void
join (Program *program, const gchar *name)
{
  Viewer *viewer = g_new0 (Viewer, 1);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *line = g_strdup_printf ("wssignalsrc uri=%s display-name=%s ! rtcbin name=rtc transport=%s "
                                            "rtc.video_src_0 ! fakesink name=sink sync=false",
      program->uri, name, program->transport);
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstPad) pad = NULL;

  viewer->pipeline = gst_parse_launch (line, &error);
  if (error) {
    soak_lines_say ("error %s %s", name, error->message);
    g_clear_object (&viewer->pipeline);
    g_free (viewer);
    return;
  }
  viewer->meter = soak_meter_new (name);
  bus = gst_element_get_bus (viewer->pipeline);
  viewer->watch = gst_bus_add_watch (bus, on_message, viewer);
  sink = gst_bin_get_by_name (GST_BIN (viewer->pipeline), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  soak_meter_watch (viewer->meter, pad);
  g_hash_table_replace (program->viewers, g_strdup (name), viewer);
  gst_element_set_state (viewer->pipeline, GST_STATE_PLAYING);
}

static void
on_command (const gchar *command, const gchar *name, const gchar *argument, gpointer user_data)
{
  Program *program = user_data;
  Viewer *viewer = g_hash_table_lookup (program->viewers, name);

  if (g_str_equal (command, "join")) {
    join (program, name);
  } else if (!viewer) {
    soak_lines_say ("error %s there is no such viewer", name);
  } else if (g_str_equal (command, "leave")) {
    g_hash_table_remove (program->viewers, name);
  } else if (g_str_equal (command, "report")) {
    soak_meter_report (viewer->meter);
  }
}

int
main (int argc, char **argv)
{
  Program program = {NULL};

  gst_init (&argc, &argv);
  if (argc != 3) {
    g_printerr ("usage: soak-viewer URI TRANSPORT\n");
    return 2;
  }
  program.uri = argv[1];
  program.transport = argv[2];
  program.viewers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, viewer_free);
  soak_lines_run (on_command, &program);
  g_hash_table_unref (program.viewers);
  gst_deinit ();
  return 0;
}
