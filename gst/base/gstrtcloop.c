/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcloop.h"

struct _GstRtcLoop
{
  /* set at construction */
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;

  gint ref_count; /* atomic */

  GMutex lock;
  /* under lock */
  gboolean stopping;
};

typedef struct
{
  GstRtcLoopFunc func;
  gpointer user_data;
  GDestroyNotify notify;
} Post;

static void
post_free (gpointer data)
{
  Post *post = data;

  if (post->notify)
    post->notify (post->user_data);
  g_free (post);
}

static gboolean
post_dispatch (gpointer data)
{
  Post *post = data;

  post->func (post->user_data);
  return G_SOURCE_REMOVE;
}

static gpointer
gst_rtc_loop_run (gpointer data)
{
  GstRtcLoop *self = data;

  g_main_context_push_thread_default (self->context);
  g_main_loop_run (self->loop);
  /* What was posted before the end still runs: it may be somebody's last message. */
  while (g_main_context_pending (self->context))
    g_main_context_iteration (self->context, FALSE);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

GstRtcLoop *
gst_rtc_loop_new (const gchar *name)
{
  GstRtcLoop *self = g_new0 (GstRtcLoop, 1);

  self->ref_count = 1;
  g_mutex_init (&self->lock);
  self->context = g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);
  self->thread = g_thread_new (name, gst_rtc_loop_run, self);
  return self;
}

static void
quit_loop (gpointer data)
{
  g_main_loop_quit (((GstRtcLoop *)data)->loop);
}

void
gst_rtc_loop_free (GstRtcLoop *self)
{
  g_return_if_fail (!gst_rtc_loop_is_current (self));

  gst_rtc_loop_post (self, quit_loop, self, NULL);
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);

  gst_rtc_loop_unref (self);
}

GstRtcLoop *
gst_rtc_loop_ref (GstRtcLoop *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
gst_rtc_loop_unref (GstRtcLoop *self)
{
  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_free (self);
}

GMainContext *
gst_rtc_loop_get_context (GstRtcLoop *self)
{
  return self->context;
}

void
gst_rtc_loop_post (GstRtcLoop *self, GstRtcLoopFunc func, gpointer user_data, GDestroyNotify notify)
{
  Post *post = g_new (Post, 1);
  GSource *source;

  *post = (Post){func, user_data, notify};

  g_mutex_lock (&self->lock);
  if (self->stopping) {
    g_mutex_unlock (&self->lock);
    post_free (post);
    return;
  }
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, post_dispatch, post, post_free);
  g_source_attach (source, self->context);
  g_source_unref (source);
  g_mutex_unlock (&self->lock);
}

typedef struct
{
  GstRtcLoopFunc func;
  gpointer user_data;
  GMutex lock;
  GCond cond;
  gboolean done;
} Call;

static void
call_run (gpointer data)
{
  Call *call = data;

  call->func (call->user_data);
}

static void
call_done (gpointer data)
{
  Call *call = data;

  g_mutex_lock (&call->lock);
  call->done = TRUE;
  g_cond_signal (&call->cond);
  g_mutex_unlock (&call->lock);
}

void
gst_rtc_loop_call (GstRtcLoop *self, GstRtcLoopFunc func, gpointer user_data)
{
  Call call = {.func = func, .user_data = user_data};

  if (gst_rtc_loop_is_current (self)) {
    func (user_data);
    return;
  }

  g_mutex_init (&call.lock);
  g_cond_init (&call.cond);
  gst_rtc_loop_post (self, call_run, &call, call_done);
  g_mutex_lock (&call.lock);
  while (!call.done)
    g_cond_wait (&call.cond, &call.lock);
  g_mutex_unlock (&call.lock);
  g_cond_clear (&call.cond);
  g_mutex_clear (&call.lock);
}

GSource *
gst_rtc_loop_add_timeout (GstRtcLoop *self, guint delay_ms, GstRtcLoopFunc func, gpointer user_data)
{
  Post *post = g_new (Post, 1);
  GSource *source;

  gst_rtc_loop_assert (self);
  *post = (Post){func, user_data, NULL};
  source = g_timeout_source_new (delay_ms);
  g_source_set_callback (source, post_dispatch, post, post_free);
  g_source_attach (source, self->context);
  g_source_unref (source);
  return source;
}

gboolean
gst_rtc_loop_is_current (GstRtcLoop *self)
{
  return g_thread_self () == self->thread;
}
