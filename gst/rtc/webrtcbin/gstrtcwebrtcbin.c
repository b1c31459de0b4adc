/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What has to be known of webrtcbin, measured on 1.22:
 *
 * - A handler connected to it may be called with its locks held: it copies its arguments and posts to the loop.
 * - on-negotiation-needed fires before there is anything to negotiate: it is ignored.
 * - An offer or answer that is made before the sink pads have caps has no a=ssrc.
 * - It connects without comparing the certificate with the fingerprint (before 1.28.5).
 * - It never notices a peer that is gone.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcpriv.h"
#include "gstrtcwebrtccert.h"
#include "gstrtcwebrtcdata.h"
#include "core/rtccandidate.h"
#include "core/rtcmessage.h"

GST_DEBUG_CATEGORY_STATIC (gst_rtc_webrtcbin_debug);
#define GST_CAT_DEFAULT gst_rtc_webrtcbin_debug

/* A receiver sends RTCP at least every 7.5 s (RFC 3550, 6.2: 5 s and half of it again). */
#define SILENCE_CHECK_MS 1000
#define SILENCE_SUSPECT (12 * GST_SECOND)

GstRtcWebrtc *
gst_rtc_webrtc_ref (GstRtcWebrtc *t)
{
  g_atomic_int_inc (&t->ref_count);
  return t;
}

void
gst_rtc_webrtc_unref (gpointer data)
{
  GstRtcWebrtc *t = data;

  if (!g_atomic_int_dec_and_test (&t->ref_count))
    return;
  gst_clear_object (&t->base.bin);
  for (guint i = 0; t->feeds && i < t->lines->len; i++)
    gst_clear_object (&t->feeds[i]);
  g_clear_pointer (&t->lines, g_array_unref);
  g_clear_pointer (&t->tracks, g_array_unref);
  g_clear_pointer (&t->offer, gst_sdp_message_free);
  g_strfreev (t->fingerprints);
  g_free (t->feeds);
  gst_rtc_webrtc_reports_clear (&t->reports);
  g_clear_pointer (&t->data, gst_rtc_webrtc_data_free);
  g_clear_pointer (&t->sctp, gst_rtc_webrtc_sctp_free);
  g_mutex_clear (&t->lock);
  g_cond_clear (&t->answered);
  g_free (t);
}

GstRtcWebrtcCall *
gst_rtc_webrtc_call_new (GstRtcWebrtc *t)
{
  GstRtcWebrtcCall *call = g_new0 (GstRtcWebrtcCall, 1);

  call->t = gst_rtc_webrtc_ref (t);
  return call;
}

void
gst_rtc_webrtc_call_free (gpointer data)
{
  GstRtcWebrtcCall *call = data;

  gst_rtc_webrtc_unref (call->t);
  g_clear_pointer (&call->description, gst_webrtc_session_description_free);
  g_clear_error (&call->error);
  g_free (call);
}

void
gst_rtc_webrtc_fail (GstRtcWebrtc *t, GError *error)
{
  if (t->gate.is_closed) {
    g_error_free (error);
    return;
  }
  g_atomic_int_set (&t->connected, FALSE);
  t->base.events->failed (&t->base, error, t->base.user_data);
}

void
gst_rtc_webrtc_set_state (GstRtcWebrtc *t, GstRtcTransportState state)
{
  if (t->gate.is_closed || t->state == state)
    return;
  GST_DEBUG_OBJECT (
      t->base.bin, "%s -> %s", gst_rtc_transport_state_to_string (t->state), gst_rtc_transport_state_to_string (state));
  t->state = state;
  g_atomic_int_set (&t->connected, state == GST_RTC_TRANSPORT_CONNECTED || state == GST_RTC_TRANSPORT_DISCONNECTED);
  t->base.events->state (&t->base, state, t->base.user_data);
}

/* State: webrtcbin's two, read on the loop. */

static void
check_silence (gpointer data)
{
  GstRtcWebrtc *t = data;
  GstClockTime silent = gst_rtc_webrtc_activity_silent_for (&t->activity);

  t->silence = gst_rtc_loop_add_timeout (t->loop, SILENCE_CHECK_MS, check_silence, t);
  gst_rtc_webrtc_set_state (t, silent > SILENCE_SUSPECT ? GST_RTC_TRANSPORT_DISCONNECTED : GST_RTC_TRANSPORT_CONNECTED);
}

static gchar *
get_remote_certificate (GstRtcWebrtc *t)
{
  GArray *transceivers = NULL;
  GObject *sctp = NULL;
  gchar *pem = NULL;

  g_signal_emit_by_name (t->webrtc, "get-transceivers", &transceivers);
  for (guint i = 0; transceivers && !pem && i < transceivers->len; i++) {
    GstWebRTCRTPTransceiver *transceiver = g_array_index (transceivers, GstWebRTCRTPTransceiver *, i);
    GstWebRTCRTPReceiver *receiver = NULL;
    GstWebRTCDTLSTransport *dtls = NULL;

    g_object_get (transceiver, "receiver", &receiver, NULL);
    if (receiver)
      g_object_get (receiver, "transport", &dtls, NULL);
    if (dtls)
      g_object_get (dtls, "remote-certificate", &pem, NULL);
    g_clear_object (&dtls);
    g_clear_object (&receiver);
  }
  g_clear_pointer (&transceivers, g_array_unref);
  if (!pem)
    g_object_get (t->webrtc, "sctp-transport", &sctp, NULL);
  if (sctp) {
    GstWebRTCDTLSTransport *dtls = NULL;

    g_object_get (sctp, "transport", &dtls, NULL);
    if (dtls)
      g_object_get (dtls, "remote-certificate", &pem, NULL);
    g_clear_object (&dtls);
    g_object_unref (sctp);
  }
  return pem;
}

static void
became_connected (GstRtcWebrtc *t)
{
  gchar *pem = get_remote_certificate (t);
  GError *error = NULL;

  if (gst_rtc_certificate_check (pem, t->fingerprints, &error)) {
    g_atomic_int_set (&t->gate.is_checked, TRUE);
    gst_rtc_webrtc_activity_touch (&t->activity);
    gst_rtc_webrtc_set_state (t, GST_RTC_TRANSPORT_CONNECTED);
    gst_rtc_webrtc_data_connected (t);
    t->silence = gst_rtc_loop_add_timeout (t->loop, SILENCE_CHECK_MS, check_silence, t);
  } else {
    gst_rtc_webrtc_fail (t, error);
  }
  g_free (pem);
}

static void
states_changed (gpointer data)
{
  GstRtcWebrtc *t = ((GstRtcWebrtcCall *)data)->t;
  GstWebRTCPeerConnectionState connection;
  GstWebRTCICEConnectionState ice;

  if (t->gate.is_closed)
    return;
  g_object_get (t->webrtc, "connection-state", &connection, "ice-connection-state", &ice, NULL);
  GST_DEBUG_OBJECT (t->base.bin, "connection-state %d, ice-connection-state %d", connection, ice);
  if (connection == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED || ice == GST_WEBRTC_ICE_CONNECTION_STATE_FAILED) {
    gst_rtc_webrtc_fail (t,
        g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s",
            t->state < GST_RTC_TRANSPORT_SECURING        ? "No pair of candidates reached the other side"
                : t->state == GST_RTC_TRANSPORT_SECURING ? "A path was found, but the DTLS handshake on it failed"
                                                         : "The path to the peer broke"));
    return;
  }
  if (t->state >= GST_RTC_TRANSPORT_CONNECTED)
    return;
  if (connection == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED)
    became_connected (t);
  else if (ice == GST_WEBRTC_ICE_CONNECTION_STATE_CONNECTED || ice == GST_WEBRTC_ICE_CONNECTION_STATE_COMPLETED)
    gst_rtc_webrtc_set_state (t, GST_RTC_TRANSPORT_SECURING);
  else if (ice == GST_WEBRTC_ICE_CONNECTION_STATE_CHECKING)
    gst_rtc_webrtc_set_state (t, GST_RTC_TRANSPORT_CHECKING);
}

static void
on_state (GstElement *webrtc, GParamSpec *pspec, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;
  GstRtcWebrtcCall *call = gst_rtc_webrtc_call_new (t);
  gst_rtc_loop_post (t->loop, states_changed, call, gst_rtc_webrtc_call_free);
}

static guint
peer_mline (GstRtcWebrtc *t, guint ours)
{
  /* webrtcbin does not see the sections that were rejected. */
  for (guint i = 0; t->lines && !t->is_offerer && i < t->lines->len; i++) {
    if (g_array_index (t->lines, GstRtcLine, i).accepted && ours-- == 0)
      return i;
  }
  return ours;
}

static void
on_candidate (GstElement *webrtc, guint mline, const gchar *candidate, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;
  guint theirs = peer_mline (t, mline);
  const gchar *mid = t->lines && theirs < t->lines->len ? g_array_index (t->lines, GstRtcLine, theirs).mid : NULL;

  /* Since 1.24 an empty one says that there are no more. */
  t->base.events->candidate (&t->base, theirs, mid, candidate && *candidate ? candidate : NULL, t->base.user_data);
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return GST_PAD_PROBE_OK;
}

/* As the peer counts. */
static guint
get_pad_mline (GstRtcWebrtc *t, GstPad *pad)
{
  GstWebRTCRTPTransceiver *transceiver = NULL;
  guint mline = 0;

  g_object_get (pad, "transceiver", &transceiver, NULL);
  if (transceiver)
    g_object_get (transceiver, "mlineindex", &mline, NULL);
  gst_clear_object (&transceiver);
  return peer_mline (t, mline);
}

static void
on_pad_added (GstElement *webrtc, GstPad *pad, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;
  gulong id;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SRC)
    return;
  /* Nothing passes before the certificate was checked and somebody takes it. */
  id = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, hold, NULL, NULL);
  g_object_set_data (G_OBJECT (pad), "rtclink-hold", GSIZE_TO_POINTER (id));
  t->base.events->stream (&t->base, get_pad_mline (t, pad), "", pad, t->base.user_data);
}

static void
transport_unblock (GstRtcTransport *base, GstPad *pad)
{
  gulong id = GPOINTER_TO_SIZE (g_object_get_data (G_OBJECT (pad), "rtclink-hold"));

  g_object_set_data (G_OBJECT (pad), "rtclink-hold", NULL);
  if (id)
    gst_pad_remove_probe (pad, id);
}

static void
on_deep_element_added (GstBin *bin, GstBin *parent, GstElement *element, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;

  gst_rtc_webrtc_tune_element (element, &t->activity, &t->reports, &t->gate);
  gst_rtc_webrtc_sctp_tune_element (t->sctp, parent, element);
}

static void
transport_add_candidate (GstRtcTransport *base, guint mline, const gchar *candidate)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;
  guint ours = 0;

  if (!candidate) {
    /* 1.22 does not know the end of candidates; it keeps listening for peer-reflexive ones, which does no harm. */
    return;
  }
  /* A .local name (mDNS) would be asked of the system's resolver, which blocks and tells the network; the check that
   * comes from there makes the pair anyway. */
  if (rtc_candidate_is_mdns (candidate)) {
    GST_DEBUG_OBJECT (t->base.bin, "candidate with a .local name left out");
    return;
  }
  for (guint i = 0; !t->is_offerer && t->lines && i < MIN (mline, t->lines->len); i++)
    ours += g_array_index (t->lines, GstRtcLine, i).accepted;
  g_signal_emit_by_name (t->webrtc, "add-ice-candidate", t->is_offerer ? mline : ours, candidate);
}

/* Beginning and end. */

static gboolean
transport_check (GError **error)
{
  static const struct
  {
    const gchar *element, *package;
  } needed[] = {
      {"webrtcbin", "gstreamer1.0-plugins-bad"},
      {"nicesrc", "gstreamer1.0-nice"},
      {"dtlssrtpenc", "gstreamer1.0-plugins-bad"},
      {"srtpenc", "gstreamer1.0-plugins-bad"},
      {"rtpbin", "gstreamer1.0-plugins-good"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (needed); i++) {
    GstElementFactory *factory = gst_element_factory_find (needed[i].element);

    if (!factory) {
      g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
          "The transport webrtcbin needs the element %s, which is not installed (package %s on Debian)",
          needed[i].element, needed[i].package);
      return FALSE;
    }
    gst_object_unref (factory);
  }
  return TRUE;
}

/* The process's certificate is an RSA key in 1.22, 50 to 300 ms of work that the first dtlsdec does. */
static void
transport_warm_up (void)
{
  GstElement *element = gst_element_factory_make ("dtlsdec", NULL);

  gst_clear_object (&element);
}

static GstRtcTransport *
transport_open (
    const GstRtcTransportConfig *config, const GstRtcTransportEvents *events, gpointer user_data, GError **error)
{
  static gsize once = 0;
  GstRtcWebrtc *t;

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (gst_rtc_webrtcbin_debug, "rtcwebrtcbin", 0, "rtcbin's transport over webrtcbin");
    g_once_init_leave (&once, 1);
  }
  if (!transport_check (error))
    return NULL;
  t = g_new0 (GstRtcWebrtc, 1);
  t->ref_count = 1;
  gst_rtc_webrtc_reports_init (&t->reports);
  g_mutex_init (&t->lock);
  g_cond_init (&t->answered);
  t->base = (GstRtcTransport){.klass = &gst_rtc_webrtcbin_transport, .events = events, .user_data = user_data};
  t->loop = config->loop;
  t->base.bin = gst_object_ref_sink (gst_bin_new (NULL));
  /* A connection has no say in when the pipeline is at its end. */
  gst_bin_set_suppressed_flags (GST_BIN (t->base.bin), GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
  g_signal_connect (t->base.bin, "deep-element-added", G_CALLBACK (on_deep_element_added), t);
  t->webrtc = gst_element_factory_make ("webrtcbin", NULL);
  t->sctp = gst_rtc_webrtc_sctp_new (t->webrtc);
  gst_rtc_webrtc_data_init (t, config->peer_id, config->with_data);
  gst_bin_add (GST_BIN (t->base.bin), t->webrtc);
  gst_rtc_webrtc_configure (t->webrtc, config);
  g_signal_connect (t->webrtc, "on-ice-candidate", G_CALLBACK (on_candidate), t);
  g_signal_connect (t->webrtc, "pad-added", G_CALLBACK (on_pad_added), t);
  g_signal_connect (t->webrtc, "notify::connection-state", G_CALLBACK (on_state), t);
  g_signal_connect (t->webrtc, "notify::ice-connection-state", G_CALLBACK (on_state), t);
  return &t->base;
}

static void
transport_add_stats (GstRtcTransport *base, GstStructure *stats)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;

  gst_structure_set (stats, "silent-for", G_TYPE_UINT64,
      t->state >= GST_RTC_TRANSPORT_CONNECTED ? gst_rtc_webrtc_activity_silent_for (&t->activity) : 0, NULL);
}

static void
add_report (GstRtcWebrtc *t, guint ssrc, const GstRtcLine *line, gboolean remote, GstStructure *stats)
{
  GstRtcWebrtcReport report;

  if (!gst_rtc_webrtc_reports_get (&t->reports, ssrc, &report))
    return;
  gst_structure_set (stats, remote ? "remote-packets-lost" : "packets-lost", G_TYPE_INT64, (gint64)report.packets_lost,
      remote ? "remote-fraction-lost" : "fraction-lost", G_TYPE_DOUBLE, report.fraction_lost,
      remote ? "remote-jitter" : "jitter", G_TYPE_DOUBLE, report.jitter / (gdouble)line->codec->clock_rate, NULL);
  if (remote && report.round_trip_time >= 0)
    gst_structure_set (stats, "round-trip-time", G_TYPE_DOUBLE, report.round_trip_time, NULL);
}

/* What the peer sends on the line; FALSE while nothing came. */
static gboolean
find_remote_ssrc (GstRtcWebrtc *t, guint mline, guint *ssrc)
{
  GstIterator *it = gst_element_iterate_src_pads (t->webrtc);
  GValue item = G_VALUE_INIT;
  gboolean found = FALSE;

  while (!found && gst_iterator_next (it, &item) == GST_ITERATOR_OK) {
    GstPad *pad = g_value_get_object (&item);
    GstCaps *caps = gst_pad_get_current_caps (pad);

    found = caps && get_pad_mline (t, pad) == mline
        && gst_structure_get_uint (gst_caps_get_structure (caps, 0), "ssrc", ssrc);
    gst_clear_caps (&caps);
    g_value_reset (&item);
  }
  g_value_unset (&item);
  gst_iterator_free (it);
  return found;
}

static void
transport_add_line_stats (GstRtcTransport *base, guint mline, GstStructure *stats)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;
  const GstRtcLine *line = t->lines && mline < t->lines->len ? &g_array_index (t->lines, GstRtcLine, mline) : NULL;
  guint ssrc;

  if (!line || !line->codec)
    return;
  if (line->send
      && gst_structure_get_uint (
          gst_caps_get_structure (g_array_index (t->tracks, GstRtcSdpTrack, line->track).caps, 0), "ssrc", &ssrc))
    add_report (t, ssrc, line, TRUE, stats);
  if (line->receive && find_remote_ssrc (t, mline, &ssrc))
    add_report (t, ssrc, line, FALSE, stats);
}

static void
transport_close (GstRtcTransport *base)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;

  g_atomic_int_set (&t->gate.is_closed, TRUE);
  g_atomic_int_set (&t->connected, FALSE);
  if (t->silence)
    g_source_destroy (t->silence);
  t->silence = NULL;
  g_signal_handlers_disconnect_by_data (t->webrtc, t);
  gst_rtc_webrtc_data_close (t);
}

static void
transport_free (GstRtcTransport *base)
{
  gst_rtc_webrtc_unref (base);
}

const GstRtcTransportClass gst_rtc_webrtcbin_transport = {
    .name = "webrtcbin",
    .check = transport_check,
    .warm_up = transport_warm_up,
    .open = transport_open,
    .make_offer = gst_rtc_webrtc_make_offer,
    .take_offer = gst_rtc_webrtc_take_offer,
    .take_answer = gst_rtc_webrtc_take_answer,
    .add_candidate = transport_add_candidate,
    .send = gst_rtc_webrtc_send,
    .open_channel = gst_rtc_webrtc_open_channel,
    .data_is_optional = TRUE,
    .unblock = transport_unblock,
    .add_stats = transport_add_stats,
    .add_line_stats = transport_add_line_stats,
    .close = transport_close,
    .settle = gst_rtc_webrtc_settle,
    .free = transport_free,
};
