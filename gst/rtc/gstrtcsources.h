/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcconnection.h"

G_BEGIN_DECLS

/* The source pads of rtcbin: which stream of which peer comes out of which one. A pad outlives the connection that
 * feeds it, and, when it may be reused, the peer too. Control loop only, unless said otherwise. */
typedef struct _GstRtcSources GstRtcSources;

GstRtcSources *gst_rtc_sources_new (GstElement *rtcbin);
void gst_rtc_sources_free (GstRtcSources *self);

/* Depayloads and parses the blocked PAD of CONNECTION's line, gives it a source pad, and lets it pass. RID: its
 * simulcast layer, "" for none. */
void gst_rtc_sources_attach (GstRtcSources *self, GstRtcConnection *connection, const gchar *peer_id, guint mline,
    const gchar *rid, GstPad *pad);

/* CONNECTION ends: its pads wait for the next one of the same peer. */
void gst_rtc_sources_detach (GstRtcSources *self, GstRtcConnection *connection);

/* PEER_ID is gone for good. REUSE: its pads wait for anybody's next stream; else they end and are removed. */
void gst_rtc_sources_peer_left (GstRtcSources *self, const gchar *peer_id, gboolean reuse);

/* All pads are removed, without EOS: the element stops. */
void gst_rtc_sources_clear (GstRtcSources *self);

G_END_DECLS
