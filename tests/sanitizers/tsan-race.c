/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What the thread sanitizer must report (with RACE), and what it must not: the same with GLib's means of ordering. */

#include <glib.h>

static GMutex lock;
static GCond cond;
static gint under_lock;
static gint handed_over;
static gboolean ready;

static gboolean
set_from_loop (gpointer data)
{
  GMainLoop *loop = data;

  handed_over++;
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static gpointer
other_thread (gpointer data)
{
  GMainContext *context = data;
  GSource *source;
  GMainLoop *loop = g_main_loop_new (context, FALSE);

  for (gint i = 0; i < 1000; i++) {
#ifndef RACE
    g_mutex_lock (&lock);
#endif
    under_lock++;
#ifndef RACE
    g_mutex_unlock (&lock);
#endif
  }

  g_mutex_lock (&lock);
  ready = TRUE;
  g_cond_signal (&cond);
  g_mutex_unlock (&lock);

  handed_over = 1;
  source = g_idle_source_new ();
  g_source_set_callback (source, set_from_loop, g_main_loop_ref (loop), (GDestroyNotify)g_main_loop_unref);
  g_source_attach (source, context);
  g_source_unref (source);
  return loop;
}

int
main (void)
{
  GMainContext *context = g_main_context_new ();
  GThread *thread = g_thread_new ("other", other_thread, context);
  GMainLoop *loop;
  gint sum;

  for (gint i = 0; i < 1000; i++) {
#ifndef RACE
    g_mutex_lock (&lock);
#endif
    under_lock++;
#ifndef RACE
    g_mutex_unlock (&lock);
#endif
  }

  g_mutex_lock (&lock);
  while (!ready)
    g_cond_wait (&cond, &lock);
  g_mutex_unlock (&lock);

  while (!g_main_context_iteration (context, TRUE))
    continue;
  loop = g_thread_join (thread);
  sum = under_lock + handed_over;
  g_main_loop_unref (loop);
  g_main_context_unref (context);
  return sum == 2002 ? 0 : 1;
}
