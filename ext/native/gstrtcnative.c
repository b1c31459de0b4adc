/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtciceservers.h"
#include "gstrtcnativepriv.h"
#include "core/rtcmessage.h"

#include <openssl/crypto.h>
#include <string.h>

#define STUN_LAST 3 /* of first bytes: RFC 7983 */

GST_DEBUG_CATEGORY (gst_rtc_native_debug);
#define GST_CAT_DEFAULT gst_rtc_native_debug

void
gst_rtc_native_fail (GstRtcNative *t, GError *error)
{
  if (t->closed) {
    g_error_free (error);
    return;
  }
  gst_rtc_native_data_close (t,
      g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to peer %s is gone: %s",
          t->config.peer_id, error->message));
  t->closed = TRUE;
  t->base.events->failed (&t->base, error, t->base.user_data);
}

void
gst_rtc_native_set_state (GstRtcNative *t, GstRtcTransportState state)
{
  if (t->closed || t->state == state)
    return;
  GST_DEBUG_OBJECT (
      t->base.bin, "%s -> %s", gst_rtc_transport_state_to_string (t->state), gst_rtc_transport_state_to_string (state));
  t->state = state;
  t->base.events->state (&t->base, state, t->base.user_data);
}

/* DTLS begins when there is a path, and the description that vouches for the peer's certificate. */
void
gst_rtc_native_path_changed (GstRtcNative *t)
{
  if (!t->has_path || !t->remote_known || t->started)
    return;
  t->started = TRUE;
  gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_SECURING);
  rtc_endpoint_start (t->endpoint, t->remote.is_dtls_server, t->remote.fingerprints, g_get_monotonic_time ());
  gst_rtc_native_shared_schedule (t->shared, t);
}

/* What ICE tells. */

static void
on_ice_candidate (const gchar *candidate, gpointer user_data)
{
  GstRtcNativeLeg *leg = user_data;
  GstRtcNative *t = leg->t;
  guint mline = gst_rtc_native_get_mline (t);

  if (leg != gst_rtc_native_get_newest (t))
    return;
  t->gathered |= !candidate;
  if (t->early && candidate)
    g_ptr_array_add (t->early, g_strdup (candidate));
  else if (!t->closed && !t->early)
    t->base.events->candidate (
        &t->base, mline, g_array_index (t->lines, GstRtcLine, mline).mid, candidate, t->base.user_data);
}

static void
on_ice_state (GstRtcTransportState state, const GError *error, gpointer user_data)
{
  GstRtcNativeLeg *leg = user_data;
  GstRtcNative *t = leg->t;

  if (t->state >= GST_RTC_TRANSPORT_CONNECTED && state == GST_RTC_TRANSPORT_CONNECTED) {
    gst_rtc_native_leg_connected (t, leg);
    return;
  }
  /* One that was begun beside what there is is no loss; it is tried again. */
  if (leg != t->leg)
    return;
  if (error) {
    gst_rtc_native_fail (t, g_error_copy (error));
    return;
  }
  /* Whether the peer is heard after that is the path's to say: the agent knows only about its own checks. */
  t->has_path |= state == GST_RTC_TRANSPORT_CONNECTED;
  if (t->state < GST_RTC_TRANSPORT_SECURING && state < GST_RTC_TRANSPORT_CONNECTED && state > t->state)
    gst_rtc_native_set_state (t, state);
  gst_rtc_native_path_changed (t);
}

static gboolean
on_ice_datagram (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  GstRtcNativeLeg *leg = user_data;
  GstRtcNative *t = leg->t;
  guint actions;

  if (t->closed)
    return FALSE;
  if (size > 0 && data[0] <= STUN_LAST) {
    if (!rtc_path_take_answer (t->path, data, size, now, &actions))
      return FALSE;
    gst_rtc_native_path_act (t, actions);
    return TRUE;
  }
  if (rtc_endpoint_take (t->endpoint, data, size, now, gst_rtc_native_shared_ntp (t->shared, now))) {
    leg->ice->klass->heard (leg->ice);
    gst_rtc_native_path_heard (t, now);
  }
  gst_rtc_native_shared_schedule (t->shared, t);
  return FALSE;
}

static void
on_ice_heard (guint changes, gint64 now, gpointer user_data)
{
  GstRtcNativeLeg *leg = user_data;
  GstRtcNative *t = leg->t;

  if ((changes & GST_RTC_ICE_RENEWED) && t->state >= GST_RTC_TRANSPORT_CONNECTED) {
    t->restarting = FALSE;
    gst_rtc_native_path_renewed (t);
  }
  gst_rtc_native_path_heard (t, now);
  /* What was sent to where it is no more is lost. */
  if ((changes & GST_RTC_ICE_MOVED) && leg == t->leg && t->state >= GST_RTC_TRANSPORT_CONNECTED)
    gst_rtc_native_path_act (t, RTC_PATH_BACK);
}

static void
on_ice_unreachable (gpointer user_data)
{
  GstRtcNativeLeg *leg = user_data;

  if (leg == leg->t->leg)
    gst_rtc_native_path_unreachable (leg->t);
}

const GstRtcIceEvents gst_rtc_native_ice_events = {
    .candidate = on_ice_candidate,
    .state = on_ice_state,
    .datagram = on_ice_datagram,
    .heard = on_ice_heard,
    .unreachable = on_ice_unreachable,
};

/* What the endpoint tells. */

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  GstRtcNative *t = user_data;
  GstRtcIceBatch batch = {(guint8 *)data, &size, 1};

  if (t->ice && !gst_rtc_native_shared_add (t, data, size))
    t->ice->klass->send (t->ice, &batch);
}

static void
on_dtls_state (RtcDtlsState state, const GError *error, gpointer user_data)
{
  GstRtcNative *t = user_data;

  if (state == RTC_DTLS_FAILED) {
    gst_rtc_native_fail (t,
        error ? g_error_copy (error)
              : g_error_new_literal (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The DTLS handshake failed"));
  } else if (state == RTC_DTLS_CONNECTED) {
    gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_CONNECTED);
    gst_rtc_native_path_renewed (t);
    gst_rtc_native_data_start (t);
  } else if (state == RTC_DTLS_CLOSED) {
    /* The peer hung up. Signaling says whether it is gone for good. */
    gst_rtc_native_data_close (
        t, g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "Peer %s hung up", t->config.peer_id));
    t->hung_up = TRUE;
    gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_DISCONNECTED);
  }
}

static void
on_rtp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  GstRtcNative *t = user_data;

  if (t->receiver)
    gst_rtc_native_receiver_take_rtp (t->receiver, data, size, now);
}

static void
on_rtcp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  GstRtcNative *t = user_data;

  if (t->receiver)
    gst_rtc_native_receiver_take_rtcp (t->receiver, data, size, now);
}

static void
on_key_frame_wanted (guint mline, gpointer user_data)
{
  GstRtcNative *t = user_data;

  if (!t->closed)
    t->base.events->key_frame_wanted (&t->base, mline, t->base.user_data);
}

static void
on_data (const guint8 *data, gsize size, gpointer user_data)
{
  GstRtcNative *t = user_data;

  if (!t->closed)
    gst_rtc_native_data_take (t, data, size);
}

static const RtcEndpointEvents endpoint_events = {
    .transmit = on_transmit,
    .state = on_dtls_state,
    .rtp = on_rtp,
    .rtcp = on_rtcp,
    .key_frame_wanted = on_key_frame_wanted,
    .data = on_data,
};

/* What the receiver tells, from any thread but for TWCC. */

static void
on_receiver_stream (guint mline, const gchar *rid, GstPad *pad, gpointer user_data)
{
  GstRtcNative *t = user_data;

  t->base.events->stream (&t->base, mline, rid, pad, t->base.user_data);
}

static void
on_receiver_twcc (guint32 ssrc, guint16 number, gint64 now, gpointer user_data)
{
  GstRtcNative *t = user_data;

  rtc_endpoint_note_twcc (t->endpoint, ssrc, number, now);
}

typedef struct
{
  GstRtcNative *t;
  gsize size;
  guint8 data[];
} Rtcp;

static void
send_rtcp (gpointer data)
{
  Rtcp *rtcp = data;

  if (!rtcp->t->closed)
    rtc_endpoint_send_rtcp (rtcp->t->endpoint, rtcp->data, rtcp->size);
}

static void
on_receiver_rtcp (const guint8 *data, gsize size, gpointer user_data)
{
  GstRtcNative *t = user_data;
  Rtcp *rtcp = g_malloc (sizeof (Rtcp) + size);

  *rtcp = (Rtcp){t, size};
  memcpy (rtcp->data, data, size);
  gst_rtc_loop_post (t->shared->loop, send_rtcp, rtcp, g_free);
}

const GstRtcNativeReceiverEvents gst_rtc_native_receiver_events = {
    .stream = on_receiver_stream,
    .twcc = on_receiver_twcc,
    .rtcp = on_receiver_rtcp,
};

/* Beginning and end. */

static gboolean
transport_check (GError **error)
{
  GstElementFactory *factory = gst_element_factory_find ("rtpbin");

  if (!factory) {
    g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "The transport native needs the element rtpbin, which is not installed (package gstreamer1.0-plugins-good on "
        "Debian)");
    return FALSE;
  }
  gst_object_unref (factory);
  return TRUE;
}

static void
open_on_loop (gpointer data)
{
  GstRtcNative *t = data;

  t->path = rtc_path_new ();
  t->data = gst_rtc_native_data_new (t);
  t->endpoint = rtc_endpoint_new (t->shared->identity, &endpoint_events, t);
  gst_rtc_native_shared_enter (t->shared, t);
}

static GstRtcTransport *
transport_open (
    const GstRtcTransportConfig *config, const GstRtcTransportEvents *events, gpointer user_data, GError **error)
{
  static gsize once = 0;
  GstRtcNative *t;

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (gst_rtc_native_debug, "rtcnative", 0, "rtcbin's own transport");
    g_once_init_leave (&once, 1);
  }
  t = g_new0 (GstRtcNative, 1);
  t->base = (GstRtcTransport){
      .klass = &gst_rtc_native_transport, .events = events, .user_data = user_data, .shared = config->shared};
  t->shared = config->shared;
  t->place = G_MAXUINT;
  t->config = *config;
  t->config.peer_id = g_strdup (config->peer_id);
  t->config.stun_server = g_strdup (config->stun_server);
  t->config.turn_servers = g_strdupv (config->turn_servers);
  t->config.addresses = gst_rtc_transport_addresses_copy (&config->addresses);
  t->base.bin = gst_object_ref_sink (gst_bin_new (NULL));
  /* A connection has no say in when the pipeline is at its end. */
  gst_bin_set_suppressed_flags (GST_BIN (t->base.bin), GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
  gst_rtc_loop_call (t->shared->loop, open_on_loop, t);
  return &t->base;
}

static void
transport_unblock (GstRtcTransport *base, GstPad *pad)
{
  GstRtcNative *t = (GstRtcNative *)base;

  if (t->receiver)
    gst_rtc_native_receiver_unblock (t->receiver, pad);
}

typedef struct
{
  GstRtcNative *t;
  GstStructure *stats;
} StatsCall;

/* What the peer says about all that is sent to it. */
static void
add_feedback (GstRtcNative *t, GstStructure *stats)
{
  const RtcFeedback *feedback = rtc_endpoint_get_feedback (t->endpoint);
  const RtcFeedbackStats *counts = feedback ? rtc_feedback_get_stats (feedback) : NULL;
  guint64 remb = rtc_endpoint_get_stats (t->endpoint)->remb;

  if (counts && counts->n_reports > 0)
    gst_structure_set (stats, "acknowledged-bitrate", G_TYPE_UINT64,
        rtc_feedback_get_bitrate (feedback, g_get_monotonic_time ()), "acknowledged-packets", G_TYPE_UINT64,
        counts->packets_arrived, "lost-packets", G_TYPE_UINT64, counts->packets_lost, "lost-fraction", G_TYPE_DOUBLE,
        counts->fraction_lost, NULL);
  if (remb)
    gst_structure_set (stats, "remb-bitrate", G_TYPE_UINT64, remb, NULL);
}

static void
add_stats_on_loop (gpointer data)
{
  StatsCall *call = data;
  RtcDtls *dtls = rtc_endpoint_get_dtls (call->t->endpoint);
  const RtcEndpointStats *counts = rtc_endpoint_get_stats (call->t->endpoint);

  gst_structure_set (call->stats, "packets-sent", G_TYPE_UINT64, counts->packets_sent, "bytes-sent", G_TYPE_UINT64,
      counts->bytes_sent, "packets-received", G_TYPE_UINT64, counts->packets_received, "bytes-received", G_TYPE_UINT64,
      counts->bytes_received, "packets-discarded", G_TYPE_UINT64, counts->packets_discarded, "packets-dropped-late",
      G_TYPE_UINT64, call->t->late_packets, NULL);
  if (rtc_dtls_get_version (dtls))
    gst_structure_set (call->stats, "tls-version", G_TYPE_STRING, rtc_dtls_get_version (dtls), "dtls-cipher",
        G_TYPE_STRING, rtc_dtls_get_cipher (dtls), "srtp-cipher", G_TYPE_STRING,
        rtc_endpoint_get_srtp_profile (call->t->endpoint), NULL);
  if (call->t->ice)
    call->t->ice->klass->add_stats (call->t->ice, call->stats);
  add_feedback (call->t, call->stats);
  gst_rtc_native_path_add_stats (call->t, call->stats);
  gst_rtc_native_data_add_stats (call->t, call->stats);
}

static void
transport_add_stats (GstRtcTransport *base, GstStructure *stats)
{
  StatsCall call = {(GstRtcNative *)base, stats};

  gst_rtc_loop_call (call.t->shared->loop, add_stats_on_loop, &call);
  if (call.t->receiver)
    gst_rtc_native_receiver_add_stats (call.t->receiver, stats);
}

typedef struct
{
  GstRtcNative *t;
  guint mline;
  GstStructure *stats;
} LineStatsCall;

static void
add_line_stats_on_loop (gpointer data)
{
  LineStatsCall *call = data;
  RtcSender *sender = rtc_endpoint_get_sender (call->t->endpoint, call->mline);
  const RtcSenderStats *counts = sender ? rtc_sender_get_stats (sender) : NULL;

  if (!counts)
    return;
  gst_structure_set (call->stats, "retransmitted-packets-sent", G_TYPE_UINT64, counts->retransmitted_packets_sent,
      "retransmitted-bytes-sent", G_TYPE_UINT64, counts->retransmitted_bytes_sent, "nack-count", G_TYPE_UINT,
      counts->nack_count, "pli-count", G_TYPE_UINT, counts->pli_count, "fir-count", G_TYPE_UINT, counts->fir_count,
      NULL);
  if (counts->has_report)
    gst_structure_set (call->stats, "remote-packets-lost", G_TYPE_INT64, counts->packets_lost, "remote-fraction-lost",
        G_TYPE_DOUBLE, counts->fraction_lost, "remote-jitter", G_TYPE_DOUBLE, counts->jitter, NULL);
  if (counts->round_trip_time_measurements)
    gst_structure_set (call->stats, "round-trip-time", G_TYPE_DOUBLE, counts->round_trip_time, NULL);
}

static void
transport_add_line_stats (GstRtcTransport *base, guint mline, GstStructure *stats)
{
  LineStatsCall call = {(GstRtcNative *)base, mline, stats};

  gst_rtc_loop_call (call.t->shared->loop, add_line_stats_on_loop, &call);
  if (call.t->receiver)
    gst_rtc_native_receiver_add_line_stats (call.t->receiver, mline, stats);
}

static void
close_on_loop (gpointer data)
{
  GstRtcNative *t = data;

  gst_rtc_native_data_close (t,
      g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to peer %s was closed here",
          t->config.peer_id));
  t->closed = TRUE;
  rtc_endpoint_close (t->endpoint);
  gst_rtc_native_free_legs (t);
  gst_rtc_native_shared_leave (t->shared, t);
}

static void
transport_close (GstRtcTransport *base)
{
  GstRtcNative *t = (GstRtcNative *)base;

  gst_rtc_loop_call (t->shared->loop, close_on_loop, t);
  if (t->receiver)
    gst_rtc_native_receiver_close (t->receiver);
}

static void
transport_settle (GstRtcTransport *base)
{
}

/* Runs behind everything that was posted for the transport before it was closed. */
static void
free_on_loop (gpointer data)
{
  GstRtcNative *t = data;

  gst_rtc_native_data_free (t);
  rtc_endpoint_free (t->endpoint);
  rtc_path_free (t->path);
}

static void
transport_free (GstRtcTransport *base)
{
  GstRtcNative *t = (GstRtcNative *)base;

  g_clear_pointer (&t->receiver, gst_rtc_native_receiver_free);
  gst_rtc_loop_call (t->shared->loop, free_on_loop, t);
  gst_object_unref (t->base.bin);
  g_clear_pointer (&t->lines, g_array_unref);
  gst_rtc_native_remote_clear (&t->remote);
  g_clear_pointer (&t->description, gst_sdp_message_free);
  g_free (t->ssrcs);
  g_free (t->rtx_ssrcs);
  g_free ((gchar *)t->config.peer_id);
  g_free ((gchar *)t->config.stun_server);
  g_strfreev (t->config.turn_servers);
  gst_rtc_transport_addresses_clear (&t->config.addresses);
  g_free (t);
}

void
gst_rtc_native_init (void)
{
  /* At exit OpenSSL frees what its users' threads have of it, and a thread that is just ending frees it too: the
   * process dies of that. webrtcbin does not join its threads, and GLib's thread pools keep theirs. The system takes it
   * all. */
  OPENSSL_init_crypto (OPENSSL_INIT_NO_ATEXIT, NULL);
}

const GstRtcTransportClass gst_rtc_native_transport = {
    .name = "native",
    .check = transport_check,
    .check_server = gst_rtc_ice_servers_check,
    .start = gst_rtc_native_shared_start,
    .stop = gst_rtc_native_shared_stop,
    .open = transport_open,
    .make_offer = gst_rtc_native_make_offer,
    .take_offer = gst_rtc_native_take_offer,
    .take_answer = gst_rtc_native_take_answer,
    .make_restart = gst_rtc_native_make_restart,
    .take_restart = gst_rtc_native_take_restart,
    .take_restart_answer = gst_rtc_native_take_restart_answer,
    .add_candidate = gst_rtc_native_add_candidate,
    .send = gst_rtc_native_shared_send,
    .forget_track = gst_rtc_native_shared_forget_track,
    .open_channel = gst_rtc_native_open_channel,
    .channels_last = TRUE,
    .unblock = transport_unblock,
    .add_stats = transport_add_stats,
    .add_line_stats = transport_add_line_stats,
    .close = transport_close,
    .settle = transport_settle,
    .free = transport_free,
};
