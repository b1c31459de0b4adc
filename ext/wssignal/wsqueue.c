/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "wsqueue.h"

#include "core/rtcroom.h"

struct _WsQueue
{
  GMutex lock;
  GCond cond;
  /* under lock */
  GQueue buffers;
  gsize bytes;
  gboolean flushing;
};

WsQueue *
ws_queue_new (void)
{
  WsQueue *self = g_new0 (WsQueue, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  g_queue_init (&self->buffers);
  return self;
}

void
ws_queue_free (WsQueue *self)
{
  g_queue_clear_full (&self->buffers, (GDestroyNotify)gst_buffer_unref);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self);
}

void
ws_queue_clear (WsQueue *self)
{
  g_mutex_lock (&self->lock);
  g_queue_clear_full (&self->buffers, (GDestroyNotify)gst_buffer_unref);
  self->bytes = 0;
  g_mutex_unlock (&self->lock);
}

gboolean
ws_queue_push (WsQueue *self, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  gboolean room;

  g_mutex_lock (&self->lock);
  room = self->buffers.length < RTC_MAX_WAITING_MESSAGES && self->bytes + size <= RTC_MAX_WAITING_BYTES;
  if (room) {
    g_queue_push_tail (&self->buffers, buffer);
    self->bytes += size;
    g_cond_signal (&self->cond);
  }
  g_mutex_unlock (&self->lock);
  if (!room)
    gst_buffer_unref (buffer);
  return room;
}

GstBuffer *
ws_queue_pop (WsQueue *self)
{
  GstBuffer *buffer = NULL;

  g_mutex_lock (&self->lock);
  while (!self->flushing && self->buffers.length == 0)
    g_cond_wait (&self->cond, &self->lock);
  if (!self->flushing) {
    buffer = g_queue_pop_head (&self->buffers);
    self->bytes -= gst_buffer_get_size (buffer);
  }
  g_mutex_unlock (&self->lock);
  return buffer;
}

void
ws_queue_set_flushing (WsQueue *self, gboolean flushing)
{
  g_mutex_lock (&self->lock);
  self->flushing = flushing;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}
