/* rtclink: the line protocol between the soak test and its programs
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "soaklines.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

typedef struct
{
  SoakCommandFunc func;
  gpointer user_data;
  GMainLoop *loop;
} Lines;

/* What is allocated, to the byte. The process's size says less: it depends on where in the heap the holes are. */
static void
report_memory (const gchar *name)
{
  struct mallinfo2 info;

  malloc_trim (0);
  info = mallinfo2 ();
  soak_lines_say ("memory %s %" G_GSIZE_FORMAT, name, info.uordblks + info.hblkhd);
}

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  Lines *lines = user_data;
  g_autofree gchar *line = NULL;
  g_auto (GStrv) words = NULL;
  gsize end = 0;
  guint n;

  if (g_io_channel_read_line (channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL) {
    g_main_loop_quit (lines->loop);
    return G_SOURCE_REMOVE;
  }
  line[end] = '\0';
  words = g_strsplit (line, " ", 3);
  n = g_strv_length (words);
  if (n >= 2 && g_str_equal (words[0], "memory"))
    report_memory (words[1]);
  else if (n >= 2)
    lines->func (words[0], words[1], n > 2 ? words[2] : "", lines->user_data);
  return G_SOURCE_CONTINUE;
}

void
soak_lines_run (SoakCommandFunc func, gpointer user_data)
{
  Lines lines = {func, user_data, g_main_loop_new (NULL, FALSE)};
  GIOChannel *channel = g_io_channel_unix_new (0);

  g_io_add_watch (channel, G_IO_IN | G_IO_HUP, on_input, &lines);
  g_main_loop_run (lines.loop);
  g_io_channel_unref (channel);
  g_main_loop_unref (lines.loop);
}

void
soak_lines_say (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_strdelimit (text, "\r\n", ' ');
  printf ("%s\n", text);
  fflush (stdout);
}

SoakMeter *
soak_meter_new (const gchar *name)
{
  SoakMeter *meter = g_new0 (SoakMeter, 1);

  meter->name = g_strdup (name);
  return meter;
}

void
soak_meter_free (SoakMeter *meter)
{
  g_free (meter->name);
  g_free (meter);
}

static GMutex meters_lock;

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  SoakMeter *meter = user_data;
  gint64 now = g_get_monotonic_time ();
  gboolean first;

  g_mutex_lock (&meters_lock);
  first = meter->last == 0;
  if (!first)
    meter->longest_gap = MAX (meter->longest_gap, now - meter->last);
  meter->last = now;
  meter->frames++;
  g_mutex_unlock (&meters_lock);
  if (first)
    soak_lines_say ("first %s", meter->name);
  return GST_PAD_PROBE_OK;
}

void
soak_meter_watch (SoakMeter *meter, GstPad *pad)
{
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, meter, NULL);
}

void
soak_meter_report (const SoakMeter *meter)
{
  gint64 waiting, gap;
  guint64 frames;

  g_mutex_lock (&meters_lock);
  /* A viewer that waits for a frame just now waits at least as long as it has. */
  waiting = meter->last ? g_get_monotonic_time () - meter->last : 0;
  gap = MAX (meter->longest_gap, waiting);
  frames = meter->frames;
  g_mutex_unlock (&meters_lock);
  soak_lines_say ("report %s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, meter->name, frames, gap);
}
