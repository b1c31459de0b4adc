/* rtclink: the pipeline that many watch, for the soak test
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "soaklines.h"

/* usage: soak-sender LINE...
 *
 * What gst-launch-1.0 does, and it can be asked for the memory that it uses. Says on top of the common lines:
 *
 *   here PEER, left PEER   rtcbin's messages rtc-peer-joined and rtc-peer-left
 *   stats NAME TEXT        to "stats NAME": rtcbin's stats, as text */

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  const GstStructure *s = gst_message_get_structure (message);

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    gst_message_parse_error (message, &error, NULL);
    soak_lines_say ("error sender %s", error->message);
  } else if (gst_message_has_name (message, "rtc-peer-joined")) {
    soak_lines_say ("here %s", gst_structure_get_string (s, "peer-id"));
  } else if (gst_message_has_name (message, "rtc-peer-left")) {
    soak_lines_say ("left %s", gst_structure_get_string (s, "peer-id"));
  }
  return G_SOURCE_CONTINUE;
}

static void
on_command (const gchar *command, const gchar *name, const gchar *argument, gpointer user_data)
{
  g_autoptr (GstElement) rtc = gst_bin_get_by_name (user_data, "rtc");
  g_autoptr (GstStructure) stats = NULL;
  g_autofree gchar *text = NULL;

  if (!rtc || !g_str_equal (command, "stats")) {
    soak_lines_say ("error %s the sender knows no %s", name, command);
    return;
  }
  g_object_get (rtc, "stats", &stats, NULL);
  text = gst_structure_to_string (stats);
  soak_lines_say ("stats %s %s", name, text);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autofree gchar *line = NULL;
  guint watch;

  gst_init (&argc, &argv);
  line = g_strjoinv (" ", argv + 1);
  pipeline = gst_parse_launch (line, &error);
  if (error) {
    g_printerr ("cannot make the pipeline: %s\n", error->message);
    return 1;
  }
  bus = gst_element_get_bus (pipeline);
  watch = gst_bus_add_watch (bus, on_message, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  soak_lines_run (on_command, pipeline);
  g_source_remove (watch);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return 0;
}
