/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnested.h"

#define GRAIN_MS 5

/* A descriptor that the context waits for, and the loop in its place. */
typedef struct
{
  GPollFD poll;
  gpointer tag;
} Watched;

struct _GstRtcNested
{
  GSource source;

  /* set at construction */
  GMainContext *context;

  /* loop */
  GArray *watched; /* of Watched */
  GArray *wanted; /* of GPollFD: room for what the context asks for */
};

static gboolean
is_watched (GstRtcNested *self, const GPollFD *wanted, guint n)
{
  if (n != self->watched->len)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const GPollFD *poll = &g_array_index (self->watched, Watched, i).poll;

    if (poll->fd != wanted[i].fd || poll->events != wanted[i].events)
      return FALSE;
  }
  return TRUE;
}

static void
watch (GstRtcNested *self, const GPollFD *wanted, guint n)
{
  for (guint i = 0; i < self->watched->len; i++)
    g_source_remove_unix_fd (&self->source, g_array_index (self->watched, Watched, i).tag);
  g_array_set_size (self->watched, 0);
  for (guint i = 0; i < n; i++) {
    Watched watched = {wanted[i], g_source_add_unix_fd (&self->source, wanted[i].fd, (GIOCondition)wanted[i].events)};

    g_array_append_val (self->watched, watched);
  }
}

/* The loop waits for what the context would wait for. It has few descriptors, as a rule only the one that wakes it up
 * when a source is added. */
static void
wait_next (GstRtcNested *self)
{
  gint64 now = g_get_monotonic_time ();
  gint priority, timeout, n;

  g_main_context_prepare (self->context, &priority);
  while ((n = g_main_context_query (
              self->context, priority, &timeout, (GPollFD *)self->wanted->data, (gint)self->wanted->len))
      > (gint)self->wanted->len)
    g_array_set_size (self->wanted, n);
  if (!is_watched (self, (GPollFD *)self->wanted->data, n))
    watch (self, (GPollFD *)self->wanted->data, n);
  if (timeout > 0)
    timeout = MAX (timeout, GRAIN_MS);
  g_source_set_ready_time (&self->source, timeout < 0 ? -1 : now + timeout * G_TIME_SPAN_MILLISECOND);
}

static gboolean
nested_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  GstRtcNested *self = (GstRtcNested *)source;

  if (!g_main_context_acquire (self->context))
    return G_SOURCE_CONTINUE;
  g_main_context_iteration (self->context, FALSE);
  wait_next (self);
  g_main_context_release (self->context);
  return G_SOURCE_CONTINUE;
}

static void
nested_finalize (GSource *source)
{
  GstRtcNested *self = (GstRtcNested *)source;

  g_main_context_unref (self->context);
  g_array_unref (self->watched);
  g_array_unref (self->wanted);
}

static GSourceFuncs nested_funcs = {.dispatch = nested_dispatch, .finalize = nested_finalize};

GstRtcNested *
gst_rtc_nested_new (GstRtcLoop *loop)
{
  GstRtcNested *self = (GstRtcNested *)g_source_new (&nested_funcs, sizeof (GstRtcNested));

  /* So that it also wakes up for what is added between its iterations, when no thread owns it. */
  self->context = g_main_context_new_with_flags (G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING);
  self->watched = g_array_new (FALSE, FALSE, sizeof (Watched));
  self->wanted = g_array_new (FALSE, FALSE, sizeof (GPollFD));
  g_source_set_static_name (&self->source, "rtclink-nested");
  g_source_set_ready_time (&self->source, 0);
  g_source_attach (&self->source, gst_rtc_loop_get_context (loop));
  return self;
}

void
gst_rtc_nested_free (GstRtcNested *self)
{
  g_source_destroy (&self->source);
  g_source_unref (&self->source);
}

GMainContext *
gst_rtc_nested_get_context (GstRtcNested *self)
{
  return self->context;
}
