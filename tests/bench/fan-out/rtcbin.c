/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: fan-rtcbin SLICES LINE...
 *
 * A pipeline like any user's, whose rtcbin is called rtc and gets the stream of the benchmark as video and sound. */

#include "fansrc.h"
#include "fan.h"

#include <stdlib.h>

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    gst_message_parse_error (message, &error, NULL);
    fan_say ("error sender %s", error->message);
  }
  return G_SOURCE_CONTINUE;
}

static void
on_command (gchar **words, guint n_words, gpointer user_data)
{
  g_error ("fan-rtcbin: what is \"%s\"?", words[0]);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autofree gchar *line = NULL, *all = NULL;
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);

  gst_init (&argc, &argv);
  fan_src_register ();
  if (argc < 3) {
    g_printerr ("usage: fan-rtcbin SLICES LINE...\n");
    return 2;
  }
  line = g_strjoinv (" ", argv + 2);
  all = g_strdup_printf ("%s fansrc video=true slices=%s ! rtc. fansrc ! rtc.", line, argv[1]);
  pipeline = gst_parse_launch (all, &error);
  if (error) {
    g_printerr ("cannot make the pipeline: %s\n", error->message);
    return 1;
  }
  bus = gst_element_get_bus (pipeline);
  gst_bus_add_watch (bus, on_message, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  fan_listen (on_command, NULL, loop);
  fan_say ("ready");
  g_main_loop_run (loop);
  /* The process ends as it is: taking two hundred connections down is not what is measured. */
  _Exit (0);
}
