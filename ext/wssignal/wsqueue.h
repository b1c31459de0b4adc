/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Messages on their way from the loop's thread to the streaming thread: bounded, and left at once when flushing. */
typedef struct _WsQueue WsQueue;

WsQueue *ws_queue_new (void);
void ws_queue_free (WsQueue *self);

/* Drops what is in it. */
void ws_queue_clear (WsQueue *self);

/* Never blocks. BUFFER: (transfer full). Returns: FALSE when it is full; BUFFER is dropped then. */
gboolean ws_queue_push (WsQueue *self, GstBuffer *buffer);

/* Waits for a message. Returns: (transfer full) (nullable): NULL when flushing. */
GstBuffer *ws_queue_pop (WsQueue *self);

/* While FLUSHING ws_queue_pop() returns NULL, also the one that waits now; what is in the queue stays. */
void ws_queue_set_flushing (WsQueue *self, gboolean flushing);

G_END_DECLS
