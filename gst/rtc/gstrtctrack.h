/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtctransport.h"

G_BEGIN_DECLS

/* One stream that is sent: parsed, payloaded once, and handed to the connections of all peers.
 *
 *   sink pad -> clocksync -> [parser] -> payloader -> appsink -> send() of each connection
 *
 * What stands behind the clocksync is made when the caps come. */
typedef struct _GstRtcTrack GstRtcTrack;

/* Streaming thread of the track; only queues. */
typedef struct
{
  /* The RTP caps became known, or became others in a way that peers must be told of. */
  void (*caps_changed) (GstRtcTrack *track, gpointer user_data);

  /* The stream cannot be sent. MESSAGE says why and what to do. Reported once; the flow ends with an error. */
  void (*refused) (GstRtcTrack *track, const gchar *message, gpointer user_data);
} GstRtcTrackEvents;

/* NAME is the pad's. Returns: (transfer full): its bin is added to rtcbin, its pad is a target for rtcbin's. */
GstRtcTrack *
gst_rtc_track_new (const gchar *name, GstRtcKind kind, const GstRtcTrackEvents *events, gpointer user_data);

/* Its bin must be in NULL and out of rtcbin. */
void gst_rtc_track_free (GstRtcTrack *track);

GstElement *gst_rtc_track_get_bin (GstRtcTrack *track);
GstPad *gst_rtc_track_get_pad (GstRtcTrack *track); /* of the bin; (transfer none) */
const gchar *gst_rtc_track_get_name (GstRtcTrack *track);
GstRtcKind gst_rtc_track_get_kind (GstRtcTrack *track);

/* Fills SDP (its caps are a new reference). FALSE while the caps are not known. Any thread. */
gboolean gst_rtc_track_get_sdp (GstRtcTrack *track, GstRtcSdpTrack *sdp);

/* From now on packets go to TRANSPORT's line, beginning with a key frame where there are such. Control loop. */
void gst_rtc_track_add_peer (GstRtcTrack *track, GstRtcTransport *transport, guint mline);

/* When this returns, nothing is sent to TRANSPORT by this track any more. Control loop. */
void gst_rtc_track_remove_peer (GstRtcTrack *track, GstRtcTransport *transport);

/* Somebody needs a key frame of this video. Any thread. */
void gst_rtc_track_want_key_frame (GstRtcTrack *track);

/* When the encoder is to be asked for one, milliseconds of the monotonic clock: INTERVAL (ms) after it was asked last.
 * -1: nobody needs one. Any thread. */
gint64 gst_rtc_track_get_key_frame_time (GstRtcTrack *track, guint interval);

/* It is asked NOW (ms). Returns: (transfer full): the pad to send the event upstream from. Any thread. */
GstPad *gst_rtc_track_begin_key_frame (GstRtcTrack *track, gint64 now);

/* Adds what was made for all: "pad", "codec", "packets", "bytes", "bitrate" (bits a second, over the last one),
 * "frames", "key-frames", "key-frame-requests", "peers". Any thread. */
void gst_rtc_track_add_stats (GstRtcTrack *track, GstStructure *stats);

/* Adds what TRANSPORT's peer was sent: "packets-sent", "bytes-sent", "bitrate-sent". Any thread. */
void gst_rtc_track_add_peer_stats (GstRtcTrack *track, GstRtcTransport *transport, GstStructure *stats);

G_END_DECLS
