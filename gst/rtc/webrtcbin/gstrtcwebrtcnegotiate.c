/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcdata.h"
#include "gstrtcwebrtcsdp.h"
#include "core/rtcmessage.h"

static void
track_clear (GstRtcSdpTrack *track)
{
  gst_clear_caps (&track->caps);
}

static void
add_receiver (GstRtcWebrtc *t, GstCaps *preferences)
{
  GstWebRTCRTPTransceiver *transceiver = NULL;

  g_signal_emit_by_name (
      t->webrtc, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, preferences, &transceiver);
  if (transceiver) {
    g_object_set (transceiver, "do-nack", TRUE, NULL);
    gst_object_unref (transceiver);
  }
}

static void
set_lines (GstRtcWebrtc *t, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  guint n_tracks = 0;

  t->lines = g_array_new (FALSE, TRUE, sizeof (GstRtcLine));
  g_array_set_clear_func (t->lines, (GDestroyNotify)gst_rtc_line_clear);
  t->tracks = g_array_new (FALSE, TRUE, sizeof (GstRtcSdpTrack));
  g_array_set_clear_func (t->tracks, (GDestroyNotify)track_clear);
  t->feeds = g_new0 (GstPad *, lines->len);
  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine line = g_array_index (lines, GstRtcLine, i);

    line.mid = g_strdup (line.mid);
    line.stream_name = g_strdup (line.stream_name);
    if (line.caps)
      gst_caps_ref (line.caps);
    g_array_append_val (t->lines, line);
    n_tracks = MAX (n_tracks, (guint)(line.track + 1));
  }
  for (guint i = 0; i < n_tracks; i++) {
    GstRtcSdpTrack track = tracks[i];

    track.name = NULL;
    gst_caps_ref (track.caps);
    g_array_append_val (t->tracks, track);
  }
}

/* It sends to its own SCTP port, whatever the peer says. */
static void
drop_foreign_data (GstRtcWebrtc *t)
{
  for (guint i = 0; i < t->lines->len; i++) {
    GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);

    if (line->is_data && line->sctp_port != GST_RTC_WEBRTC_SCTP_PORT)
      line->accepted = FALSE;
  }
}

/* Asking webrtcbin. */

static const GstStructure *
get_reply (GstPromise *promise)
{
  return gst_promise_wait (promise) == GST_PROMISE_RESULT_REPLIED ? gst_promise_get_reply (promise) : NULL;
}

static GError *
get_reply_error (const GstStructure *reply, RtcErrorCode code, const gchar *what)
{
  GError *error = NULL, *own;

  if (reply && gst_structure_has_field_typed (reply, "error", G_TYPE_ERROR))
    gst_structure_get (reply, "error", G_TYPE_ERROR, &error, NULL);
  own = g_error_new (RTC_ERROR, code, "%s: %s", what, error ? error->message : "no reason given");
  g_clear_error (&error);
  return own;
}

/* FUNC ends with answered(). */
static GstPromise *
ask (GstRtcWebrtc *t, GstPromiseChangeFunc func)
{
  g_mutex_lock (&t->lock);
  t->open_questions++;
  g_mutex_unlock (&t->lock);
  return gst_promise_new_with_change_func (func, gst_rtc_webrtc_call_new (t), gst_rtc_webrtc_call_free);
}

/* The promise and its reference to T may be gone after this. */
static void
answered (GstRtcWebrtc *t, GstPromise *promise)
{
  g_mutex_lock (&t->lock);
  t->open_questions--;
  g_cond_broadcast (&t->answered);
  g_mutex_unlock (&t->lock);
  gst_promise_unref (promise);
}

/* webrtcbin works off what it was told one after the other, in a thread of its own. Stopped in the middle of it, it
 * leaves elements that run for ever. (get-stats would do for a last question, but GStreamer keeps the names in its
 * answer for ever, which are others for each connection.) */
void
gst_rtc_webrtc_settle (GstRtcTransport *base)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;

  g_mutex_lock (&t->lock);
  while (t->open_questions > 0)
    g_cond_wait (&t->answered, &t->lock);
  g_mutex_unlock (&t->lock);
  gst_rtc_webrtc_sctp_settle (t->sctp);
}

static void
description_refused (gpointer data)
{
  GstRtcWebrtcCall *call = data;

  gst_rtc_webrtc_fail (call->t, g_steal_pointer (&call->error));
}

static void
take_set_reply (GstPromise *promise, GstRtcWebrtc *t, RtcErrorCode code, const gchar *what)
{
  const GstStructure *reply = get_reply (promise);

  if (reply && gst_structure_has_field (reply, "error")) {
    GstRtcWebrtcCall *call = gst_rtc_webrtc_call_new (t);

    call->error = get_reply_error (reply, code, what);
    gst_rtc_loop_post (t->loop, description_refused, call, gst_rtc_webrtc_call_free);
  }
  answered (t, promise);
}

/* webrtcbin's thread. */
static void
on_local_reply (GstPromise *promise, gpointer user_data)
{
  take_set_reply (promise, ((GstRtcWebrtcCall *)user_data)->t, RTC_ERROR_SETUP_FAILED,
      "webrtcbin does not take the description that it made");
}

static void
on_remote_reply (GstPromise *promise, gpointer user_data)
{
  take_set_reply (
      promise, ((GstRtcWebrtcCall *)user_data)->t, RTC_ERROR_BAD_SDP, "webrtcbin does not take the description");
}

static void
send_description (GstRtcWebrtc *t, GstWebRTCSessionDescription *description)
{
  GstSDPMessage *sdp;

  if (t->is_offerer) {
    gst_sdp_message_copy (description->sdp, &sdp);
    for (guint i = 0; i < t->lines->len && i < gst_sdp_message_medias_len (sdp); i++)
      g_array_index (t->lines, GstRtcLine, i).mid =
          g_strdup (gst_sdp_media_get_attribute_val (gst_sdp_message_get_media (sdp, i), "mid"));
  } else {
    sdp = gst_rtc_webrtc_widen_answer (description->sdp, t->offer, t->lines, (GstRtcSdpTrack *)t->tracks->data);
  }
  gst_rtc_webrtc_set_state (t, GST_RTC_TRANSPORT_GATHERING);
  /* Before candidates come, which they do once the description is set; the mids are read from then on. */
  t->base.events->description (&t->base, sdp, t->base.user_data);
  g_signal_emit_by_name (t->webrtc, "set-local-description", description, ask (t, on_local_reply));
}

static void
description_made (gpointer data)
{
  GstRtcWebrtcCall *call = data;

  if (call->t->gate.is_closed)
    return;
  if (call->description)
    send_description (call->t, call->description);
  else
    gst_rtc_webrtc_fail (call->t, g_steal_pointer (&call->error));
}

static void
on_description_reply (GstPromise *promise, gpointer user_data)
{
  GstRtcWebrtc *t = ((GstRtcWebrtcCall *)user_data)->t;
  GstRtcWebrtcCall *call = gst_rtc_webrtc_call_new (t);
  const GstStructure *reply = get_reply (promise);
  const gchar *field = t->is_offerer ? "offer" : "answer";

  if (reply && gst_structure_has_field (reply, field))
    gst_structure_get (reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &call->description, NULL);
  else
    call->error = get_reply_error (reply, RTC_ERROR_SETUP_FAILED, "webrtcbin could not make a description");
  gst_rtc_loop_post (t->loop, description_made, call, gst_rtc_webrtc_call_free);
  answered (t, promise);
}

static void
set_remote (GstRtcWebrtc *t, GstWebRTCSDPType type, GstSDPMessage *sdp)
{
  GstWebRTCSessionDescription *description = gst_webrtc_session_description_new (type, sdp);

  g_signal_emit_by_name (t->webrtc, "set-remote-description", description, ask (t, on_remote_reply));
  gst_webrtc_session_description_free (description);
}

void
gst_rtc_webrtc_make_offer (GstRtcTransport *base, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;

  t->is_offerer = TRUE;
  set_lines (t, lines, tracks);
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);
    GstCaps *preferences;

    if (line->is_data) {
      gst_rtc_webrtc_data_offer (t);
      continue;
    }
    preferences = gst_rtc_webrtc_offer_preferences (line, tracks);
    if (line->send)
      gst_rtc_webrtc_add_sender (t, line, preferences);
    else
      add_receiver (t, preferences);
    gst_caps_unref (preferences);
  }
  g_signal_emit_by_name (t->webrtc, "create-offer", NULL, ask (t, on_description_reply));
}

void
gst_rtc_webrtc_take_offer (
    GstRtcTransport *base, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;
  GstSDPMessage *narrow;
  guint n = 0;

  gst_sdp_message_copy (offer, &t->offer);
  t->fingerprints = gst_rtc_sdp_get_fingerprints (offer);
  set_lines (t, lines, tracks);
  drop_foreign_data (t);
  gst_rtc_webrtc_data_agreed (t);
  narrow = gst_rtc_webrtc_narrow (offer, t->lines);
  /* One transceiver for each section, in their order: webrtcbin gives a section the first that fits. */
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);
    GstCaps *preferences;

    if (!line->accepted)
      continue;
    n++;
    if (line->is_data)
      continue;
    preferences = gst_rtc_webrtc_preferences (gst_sdp_message_get_media (narrow, n - 1), line);
    if (line->send)
      gst_rtc_webrtc_add_sender (t, line, preferences);
    else
      add_receiver (t, preferences);
    gst_caps_unref (preferences);
  }
  set_remote (t, GST_WEBRTC_SDP_TYPE_OFFER, narrow);
  g_signal_emit_by_name (t->webrtc, "create-answer", NULL, ask (t, on_description_reply));
}

void
gst_rtc_webrtc_take_answer (GstRtcTransport *base, const GstSDPMessage *answer, const GArray *lines)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;

  t->fingerprints = gst_rtc_sdp_get_fingerprints (answer);
  for (guint i = 0; i < t->lines->len; i++) {
    GstRtcLine *ours = &g_array_index (t->lines, GstRtcLine, i);
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    ours->accepted = line->accepted;
    ours->payload = line->payload;
    ours->rtx_payload = line->rtx_payload;
    ours->ext_mid = line->ext_mid;
    ours->ext_twcc = line->ext_twcc;
    ours->ext_audio_level = line->ext_audio_level;
    ours->codec = line->codec;
    ours->sctp_port = line->sctp_port;
    ours->max_message_size = line->max_message_size;
  }
  drop_foreign_data (t);
  gst_rtc_webrtc_data_agreed (t);
  set_remote (t, GST_WEBRTC_SDP_TYPE_ANSWER, gst_rtc_webrtc_mend_answer (answer, t->lines));
}
