/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/base/gstpushsrc.h>

#include "wsclient.h"
#include "wsqueue.h"
#include "wsserver.h"

G_BEGIN_DECLS

#define GST_TYPE_WS_SIGNAL_SRC (gst_ws_signal_src_get_type ())
G_DECLARE_FINAL_TYPE (GstWsSignalSrc, gst_ws_signal_src, GST, WS_SIGNAL_SRC, GstPushSrc)

typedef enum
{
  GST_WS_SIGNAL_MODE_CALLER,
  GST_WS_SIGNAL_MODE_LISTENER,
} GstWsSignalMode;

typedef enum
{
  GST_WS_SIGNAL_ROLE_AUTO,
  GST_WS_SIGNAL_ROLE_SEND,
  GST_WS_SIGNAL_ROLE_RECEIVE,
  GST_WS_SIGNAL_ROLE_BOTH,
} GstWsSignalRole;

struct _GstWsSignalSrc
{
  GstPushSrc parent;

  /* set at construction; has a lock of its own */
  WsQueue *queue;

  GMutex lock;
  GCond cond; /* stopped has changed */
  /* under lock: the properties */
  gchar *uri, *address, *room, *display_name, *meta, *token, *allowed_origins;
  gchar *tls_certificate, *tls_private_key, *tls_ca_file;
  GstWsSignalMode mode;
  GstWsSignalRole role;
  guint port;
  guint connect_timeout, ping_interval, ping_timeout, resume_timeout; /* milliseconds */
  gboolean reconnect, tls_verify;
  guint delay_min, delay_max; /* milliseconds */
  /* under lock: what runs */
  GstRtcLoop *loop; /* between READY to PAUSED and back */
  gboolean stopped;
  guint bound_port; /* 0: none */
  gchar *peer_id, *last_error;
  WsStats stats;

  /* streaming thread, and READY to PAUSED before it */
  gboolean asked; /* downstream was asked, the join is on its way */

  /* loop thread: one of them while it runs */
  WsServer *server;
  WsClient *client;
};

/* gstwssignalprops.c */
void gst_ws_signal_src_install_properties (GObjectClass *klass);
void gst_ws_signal_src_init_properties (GstWsSignalSrc *self);
void gst_ws_signal_src_clear_properties (GstWsSignalSrc *self);

/* Sends TEXT as the own peer's. Any thread; without the lock. */
void gst_ws_signal_src_post (GstWsSignalSrc *self, const gchar *text);

GST_ELEMENT_REGISTER_DECLARE (wssignalsrc);

G_END_DECLS
