/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpoll.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Few, so that those that are told are those that are served: who is told first is told last again. */
#define MAX_EVENTS 8
/* A handshake takes as long as a hundred packets. Who watches already does not wait until all who came are served. */
#define MAX_TURN 1000 /* microseconds */

struct _GstRtcWatch
{
  int fd;
  GstRtcWatchFunc func; /* NULL: removed, and freed once the events at hand are through */
  gpointer user_data;
};

struct _GstRtcPoll
{
  GSource source;

  /* set at construction */
  GstRtcNested *nested;

  /* loop */
  int epoll;
  gboolean dispatching;
  GPtrArray *removed; /* of GstRtcWatch */
  GstRtcLoop *loop;
  guint held;
  GstRtcLoopFunc after; /* NULL: none */
  gpointer after_data;
};

void
gst_rtc_poll_serve (GstRtcPoll *self, gint64 duration)
{
  gint64 until = g_get_monotonic_time () + duration;
  struct epoll_event events[MAX_EVENTS];
  int n;

  g_source_ref (&self->source);
  self->dispatching = TRUE;
  do {
    n = epoll_wait (self->epoll, events, MAX_EVENTS, 0);
    for (int i = 0; i < n; i++) {
      GstRtcWatch *watch = events[i].data.ptr;

      if (watch->func)
        watch->func (watch->fd, watch->user_data);
    }
    g_ptr_array_set_size (self->removed, 0);
  } while (n > 0 && g_get_monotonic_time () < until);
  self->dispatching = FALSE;
  if (self->after)
    self->after (self->after_data);
  g_source_unref (&self->source);
}

static gboolean
poll_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  gst_rtc_poll_serve ((GstRtcPoll *)source, MAX_TURN);
  return G_SOURCE_CONTINUE;
}

static void
poll_finalize (GSource *source)
{
  GstRtcPoll *self = (GstRtcPoll *)source;

  g_ptr_array_unref (self->removed);
  if (self->epoll >= 0)
    close (self->epoll);
}

static GSourceFuncs poll_funcs = {.dispatch = poll_dispatch, .finalize = poll_finalize};

GstRtcPoll *
gst_rtc_poll_new (GstRtcLoop *loop, GError **error)
{
  GstRtcPoll *self = (GstRtcPoll *)g_source_new (&poll_funcs, sizeof (GstRtcPoll));

  self->loop = loop;
  self->nested = gst_rtc_nested_new (loop);
  self->removed = g_ptr_array_new_with_free_func (g_free);
  self->epoll = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll < 0) {
    g_set_error (
        error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The system gives no epoll descriptor: %s", g_strerror (errno));
    gst_rtc_nested_free (self->nested);
    g_source_unref (&self->source);
    return NULL;
  }
  g_source_add_unix_fd (&self->source, self->epoll, G_IO_IN);
  g_source_set_static_name (&self->source, "rtclink-epoll");
  /* Else GLib takes the descriptor away for each dispatch, and wakes the loop for that twice. */
  g_source_set_can_recurse (&self->source, TRUE);
  g_source_attach (&self->source, gst_rtc_loop_get_context (loop));
  return self;
}

void
gst_rtc_poll_free (GstRtcPoll *self)
{
  gst_rtc_nested_free (self->nested);
  g_source_destroy (&self->source);
  g_source_unref (&self->source);
}

GMainContext *
gst_rtc_poll_get_timers (GstRtcPoll *self)
{
  return gst_rtc_nested_get_context (self->nested);
}

GstRtcWatch *
gst_rtc_poll_add (GstRtcPoll *self, int fd, GstRtcWatchFunc func, gpointer user_data)
{
  GstRtcWatch *watch = g_new (GstRtcWatch, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

  *watch = (GstRtcWatch){fd, func, user_data};
  epoll_ctl (self->epoll, EPOLL_CTL_ADD, fd, &event);
  return watch;
}

void
gst_rtc_poll_remove (GstRtcPoll *self, GstRtcWatch *watch)
{
  epoll_ctl (self->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  watch->func = NULL;
  if (self->dispatching)
    g_ptr_array_add (self->removed, watch);
  else
    g_free (watch);
}

void
gst_rtc_poll_set_after (GstRtcPoll *self, GstRtcLoopFunc func, gpointer user_data)
{
  self->after = func;
  self->after_data = user_data;
}

gboolean
gst_rtc_poll_is_serving (GstRtcPoll *self)
{
  return self->dispatching;
}

void
gst_rtc_poll_hold (GstRtcPoll *self)
{
  self->held++;
}

void
gst_rtc_poll_release (GstRtcPoll *self)
{
  self->held--;
}

static void
lose_patience (gpointer user_data)
{
  *(GSource **)user_data = NULL;
}

void
gst_rtc_poll_wait (GstRtcPoll *self, guint patience_ms)
{
  GSource *timer;

  if (!self->held)
    return;
  timer = gst_rtc_loop_add_timeout (self->loop, patience_ms, lose_patience, &timer);
  while (self->held && timer)
    g_main_context_iteration (gst_rtc_loop_get_context (self->loop), TRUE);
  if (timer)
    g_source_destroy (timer);
}
