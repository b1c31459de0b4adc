/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcbinpriv.h"

G_BEGIN_DECLS

/* One remote peer: a session machine that decides (core/rtcsession.h) and up to two connections that it acts on.
 * Control loop only. */
typedef struct _GstRtcPeer GstRtcPeer;

GstRtcPeer *gst_rtc_peer_new (GstRtcBin *bin, const gchar *id);

/* Closes its connections. REASON is told in the message rtc-peer-left. */
void gst_rtc_peer_free (GstRtcPeer *self, const gchar *reason);

/* What the server says of it, at first and later. */
void gst_rtc_peer_update (GstRtcPeer *self, const RtcPeerInfo *info, gboolean we_offer);

/* A message from the peer: offer, answer, candidate, end-of-candidates, offer-request, bye or error. */
void gst_rtc_peer_message (GstRtcPeer *self, const RtcMessage *message);

/* All our tracks have caps / are others than those that were negotiated. */
void gst_rtc_peer_set_ready (GstRtcPeer *self);
void gst_rtc_peer_tracks_changed (GstRtcPeer *self);

/* TRACK is about to be freed: nothing is sent of it from now on. */
void gst_rtc_peer_forget_track (GstRtcPeer *self, GstRtcTrack *track);

/* An element inside a connection posted an error. Returns whether it was this peer's. */
gboolean gst_rtc_peer_element_error (GstRtcPeer *self, GstObject *source, const GError *error);

/* (transfer full): a structure for rtcbin's stats. */
GstStructure *gst_rtc_peer_make_stats (GstRtcPeer *self);

gboolean gst_rtc_peer_has_connection (GstRtcPeer *self);

G_END_DECLS
