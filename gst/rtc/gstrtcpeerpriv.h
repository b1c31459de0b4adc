/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcpeer.h"
#include "core/rtcsession.h"

G_BEGIN_DECLS

/* Shared by the files of GstRtcPeer only. All of it is the control loop's. */

/* A connection and what it sends: our track of each line, NULL where there is none or it is gone. */
typedef struct
{
  GstRtcConnection *connection;
  GPtrArray *line_tracks; /* of GstRtcTrack, by mline; borrowed */
  GArray *sdp_tracks; /* of GstRtcSdpTrack: what was negotiated with */
  GPtrArray *plan_tracks; /* of GstRtcTrack, beside sdp_tracks */
  GArray *streams; /* of Stream: came before the connection was the current one */
} GstRtcPeerSlot;

typedef struct
{
  guint mline;
  gchar *rid;
  GstPad *pad;
} GstRtcPeerStream;

struct _GstRtcPeer
{
  GstRtcBin *bin;
  RtcPeerInfo *info;
  RtcSession session;
  GstRtcPeerSlot current, next;
  gchar *offer_session; /* of the offer that came last, until it is answered */
  gchar *offer_sdp;
  GError *trouble; /* why the last attempt failed */
  gchar *trouble_stage, *trouble_candidates;
  gchar *problems; /* what a connection goes without, NULL: nothing */
  GSource *timer;
  guint connects; /* how often it was connected */
  guint64 setup_ms, joined_ms; /* of the last one */
};

/* Milliseconds of the clock that the session machine is told. */
guint64 gst_rtc_peer_now (void);

/* Carries out ACTIONS of the session machine. */
void gst_rtc_peer_act (GstRtcPeer *self, guint actions);

/* The next connection is over because of ERROR, which is taken: tells the peer, and tries again unless that is no use.
 */
void gst_rtc_peer_next_failed (GstRtcPeer *self, GError *error);

/* Why an attempt failed, for the report that follows. ERROR is taken, CONNECTION may be NULL. */
void gst_rtc_peer_set_trouble (GstRtcPeer *self, GError *error, GstRtcConnection *connection);

void gst_rtc_peer_send_error (GstRtcPeer *self, const gchar *session, const GError *error);

/* What a connection goes without, as sentences; taken, NULL: nothing. */
void gst_rtc_peer_note_problems (GstRtcPeer *self, gchar *problems);

/* Posts an element message with peer-id, display-name and the given fields (name, type, value, .., NULL). */
void gst_rtc_peer_post (GstRtcPeer *self, const gchar *name, const gchar *first, ...) G_GNUC_NULL_TERMINATED;

/* Whether the same would happen again. */
gboolean gst_rtc_peer_error_is_fatal (const GError *error);

/* (transfer full): a message to the peer. SESSION may be NULL. */
RtcMessage *gst_rtc_peer_message_new (GstRtcPeer *self, RtcMessageType type, const gchar *session);

/* gstrtcpeerrestart.c: ICE anew on the current connection, where both sides can (otherwise nothing is done, and the
 * session machine replaces the connection in its own time). */
void gst_rtc_peer_restart_wanted (GstRtcPeer *self);

/* The peer asks for it. Returns FALSE when MESSAGE is not about the current connection, or it cannot be done there. */
gboolean gst_rtc_peer_restart_requested (GstRtcPeer *self, const RtcMessage *message);

/* MESSAGE is an offer, or an answer. Returns FALSE when it is about another connection than the current one. */
gboolean gst_rtc_peer_restart_offered (GstRtcPeer *self, const RtcMessage *message);
gboolean gst_rtc_peer_restart_answered (GstRtcPeer *self, const RtcMessage *message);

/* gstrtcpeerslot.c */
void gst_rtc_peer_slot_init (GstRtcPeerSlot *slot, GstRtcConnection *connection, GstRtcBin *bin);
void gst_rtc_peer_slot_close (GstRtcPeerSlot *slot, GstRtcBin *bin);

/* The lines are settled: which of our tracks goes out on which. */
void gst_rtc_peer_slot_map_tracks (GstRtcPeerSlot *slot);

/* A stream came before the connection is the current one: kept until begin(). */
void gst_rtc_peer_slot_keep_stream (GstRtcPeerSlot *slot, const GstRtcConnectionEvent *event);

/* The connection is up: what came goes out, and our tracks are sent. */
void gst_rtc_peer_slot_begin (GstRtcPeerSlot *slot, GstRtcBin *bin, const gchar *peer_id);

/* The peer needs a key frame of what is sent to it on that line. */
void gst_rtc_peer_slot_request_key_frame (GstRtcPeerSlot *slot, GstRtcBin *bin, guint mline);
void gst_rtc_peer_slot_forget_track (GstRtcPeerSlot *slot, GstRtcTrack *track);
void gst_rtc_peer_slot_add_stats (GstRtcPeerSlot *slot, GstStructure *stats);

G_END_DECLS
