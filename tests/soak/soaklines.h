/* rtclink: the line protocol between the soak test and its programs
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* The soak test writes commands to a program's standard input and reads what happened from its standard output, a line
 * each. The second word is always the viewer's name, which the test chose:
 *
 *   in    join NAME, leave NAME, report NAME, memory NAME
 *   out   first NAME              the first frame arrived
 *         report NAME FRAMES GAP  frames so far, and the longest time between two of them in microseconds
 *         gone NAME               everything that NAME used is freed
 *         memory NAME BYTES       what the whole process has allocated now
 *         error NAME TEXT
 *
 * bare.c has descriptions and candidates on top. */

/* Called on the main loop. ARGUMENT is the rest of the line after the name, or "". */
typedef void (*SoakCommandFunc) (const gchar *command, const gchar *name, const gchar *argument, gpointer user_data);

/* Runs until standard input ends. Answers "memory" itself. */
void soak_lines_run (SoakCommandFunc func, gpointer user_data);

/* Writes one line. Any thread. */
void soak_lines_say (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Counts the frames that reach a pad. Lock-free for the streaming thread. */
typedef struct
{
  /* set at construction */
  gchar *name;

  /* streaming thread of the pad; read by any, torn by nothing on 64 bits */
  gint64 last; /* monotonic, 0: none yet */
  gint64 longest_gap;
  guint64 frames;
} SoakMeter;

SoakMeter *soak_meter_new (const gchar *name);
void soak_meter_free (SoakMeter *meter);

/* Counts each buffer on PAD as a frame, and says "first" at the first. METER must outlive the pad's activity. */
void soak_meter_watch (SoakMeter *meter, GstPad *pad);

/* Says "report". Any thread. */
void soak_meter_report (const SoakMeter *meter);

G_END_DECLS
