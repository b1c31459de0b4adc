/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcbin.h"
#include "gstrtcbindata.h"
#include "gstrtcpad.h"
#include "gstrtcsources.h"
#include "gstrtctrack.h"
#include "core/rtcmessage.h"

G_BEGIN_DECLS

/* Shared by the files of rtcbin only. */

typedef struct
{
  guint latency, keyframe_min_interval; /* milliseconds */
  gchar *stun_server, *turn_server;
  gboolean relay_only, reuse_source_pads;
  guint min_rtp_port, max_rtp_port, max_peers;
  gchar *transport;
  guint udp_port;
  gchar *interfaces, *exclude_interfaces, *advertise_address;
  gchar *dtls_certificate, *dtls_private_key;
} GstRtcBinSettings;

void gst_rtc_bin_settings_clear (GstRtcBinSettings *settings);

struct _GstRtcBin
{
  GstBin parent;

  /* set at construction */
  GstPad *signal;
  GstRtcBinData *data;

  /* OBJECT_LOCK */
  GstRtcBinSettings settings;
  guint next_index[2]; /* of request pads, by kind */

  /* from NULL->READY to READY->NULL */
  GstRtcLoop *loop; /* written under tracks_lock */
  GThreadPool *reaper; /* from READY->PAUSED to PAUSED->READY */
  GThread *warm_up; /* likewise */

  GMutex tracks_lock;
  /* under tracks_lock */
  GPtrArray *tracks; /* of GstRtcTrack, in the order of their pads */

  const GstRtcTransportClass *transport;
  gpointer shared; /* of the transport; from NULL->READY to READY->NULL */

  /* control loop only */
  gboolean running; /* between READY->PAUSED and PAUSED->READY */
  GstRtcSources *sources;
  GHashTable *peers; /* id to GstRtcPeer */
  GPtrArray *leftovers; /* pads of connections that ended... */
  gchar *own_id; /* from the server's welcome; NULL: not told */
  gchar *tracks_signature; /* of our tracks as peers know them; NULL while some have no caps */
  GSource *key_frame_timer; /* for requests that have to wait; NULL: there are none */
  gchar **server_ice; /* from the server's welcome: STUN and TURN as URLs with credentials */
};

/* gstrtcbinroute.c: the signal link. */

/* A message from the signaling; TEXT is taken. Any thread. */
void gst_rtc_bin_handle_message (GstRtcBin *self, gchar *text);

/* Sends MESSAGE to the signaling. Control loop. MESSAGE is freed. */
void gst_rtc_bin_send (GstRtcBin *self, RtcMessage *message);

/* Answers the query of a signaling source. */
void gst_rtc_bin_fill_signal_info (GstRtcBin *self, GstQuery *query);

/* Ends all sessions and forgets the peers. Control loop. */
void gst_rtc_bin_drop_peers (GstRtcBin *self, const gchar *reason);

/* The tracks' caps became known or changed, or a track came or went. Control loop. */
void gst_rtc_bin_tracks_changed (GstRtcBin *self);

/* Somebody uses data channels, or nobody any more. Control loop; SELF is a GstRtcBin. */
void gst_rtc_bin_data_wanted_changed (gpointer self);

/* A copy of the settings; clear it. Any thread. */
void gst_rtc_bin_get_settings (GstRtcBin *self, GstRtcBinSettings *settings);

/* Asks for a key frame of TRACK, of all video tracks when it is NULL: of each at most once in the set interval for all
 * who ask. Control loop. */
void gst_rtc_bin_request_key_frames (GstRtcBin *self, GstRtcTrack *track);

/* Tracks whose caps are known: an array of GstRtcSdpTrack (clear func set), and TRACKS (transfer container) beside it.
 * Any thread. */
GArray *gst_rtc_bin_snapshot_tracks (GstRtcBin *self, GPtrArray **tracks, guint *n_unknown);

/* gstrtcbinpads.c */
GstPad *
gst_rtc_bin_request_new_pad (GstElement *element, GstPadTemplate *templ, const gchar *wanted, const GstCaps *caps);
void gst_rtc_bin_release_pad (GstElement *element, GstPad *pad);

/* gstrtcbinprops.c */
void gst_rtc_bin_settings_init (GstRtcBinSettings *settings);
void gst_rtc_bin_install_properties (GObjectClass *klass);
void gst_rtc_bin_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec);
void gst_rtc_bin_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec);
GType gst_rtc_ice_transport_policy_get_type (void);

/* gstrtcbinsignals.c; the first emits on-message. Control loop. */
void gst_rtc_bin_emit_message (GstRtcBin *self, const gchar *text);
void gst_rtc_bin_install_signals (GType type);

/* gstrtcbinstats.c: the value of the property stats. (transfer full) Any thread but the control loop's callers that
 * hold a lock it wants. */
GstStructure *gst_rtc_bin_make_stats (GstRtcBin *self);

G_END_DECLS
