/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

#include "base/gstrtcloop.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_ws_signal_debug);

typedef struct
{
  const gchar *state; /* a static string */
  guint64 messages_in, messages_out, bytes_in, bytes_out;
  guint attempts, reconnects;
  gint64 rtt; /* milliseconds of the last ping, -1: none yet */
  guint clients, peers, rooms;
} WsStats;

/* What WsServer and WsClient tell their owner, always on the loop's thread. None may free the one that calls. */
typedef struct
{
  /* TEXT is a message for downstream. */
  void (*deliver) (const gchar *text, gpointer user_data);
  void (*joined) (const gchar *peer_id, gpointer user_data);
  void (*progress) (GstProgressType type, const gchar *text, gpointer user_data);
  /* ERROR's domain and code are GStreamer's. */
  void (*warn) (const GError *error, gpointer user_data);
  /* At most once; nothing is tried any more afterwards. */
  void (*fail) (const GError *error, gpointer user_data);
  void (*stats) (const WsStats *stats, gpointer user_data);
} WsEvents;

G_END_DECLS
