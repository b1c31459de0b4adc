/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpeerpriv.h"
#include "core/rtccandidate.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

static void
on_offer (GstRtcPeer *self, const RtcMessage *message)
{
  if (self->session.offerer == RTC_SESSION_OFFERER_US) {
    GError *error = g_error_new_literal (RTC_ERROR, RTC_ERROR_NOT_OFFERER, "In this pair the other side offers");

    gst_rtc_peer_send_error (self, message->session, error);
    g_error_free (error);
    return;
  }
  if (gst_rtc_peer_restart_offered (self, message))
    return;
  g_free (self->offer_session);
  g_free (self->offer_sdp);
  self->offer_session = g_strdup (message->session);
  self->offer_sdp = g_strdup (message->sdp);
  gst_rtc_peer_act (self, rtc_session_offer_received (&self->session, gst_rtc_peer_now ()));
}

static void
on_answer (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = self->next.connection;
  GError *error = NULL;
  gchar *problems = NULL;
  GstSDPMessage *answer;

  if (gst_rtc_peer_restart_answered (self, message))
    return;
  if (!connection || connection->remote_known || g_strcmp0 (connection->session, message->session))
    return;
  answer = gst_rtc_sdp_parse (message->sdp, TRUE, &error);
  if (!answer || !gst_rtc_sdp_apply_answer (answer, connection->lines, &problems, &error)) {
    gst_rtc_peer_next_failed (self, error);
  } else {
    gst_rtc_peer_note_problems (self, problems);
    gst_rtc_peer_slot_map_tracks (&self->next);
    connection->transport->klass->take_answer (connection->transport, answer, connection->lines);
    gst_rtc_connection_remote_known (connection, answer);
    gst_rtc_peer_act (self, rtc_session_described (&self->session, TRUE, gst_rtc_peer_now ()));
  }
  g_clear_pointer (&answer, gst_sdp_message_free);
}

static GstRtcConnection *
find_connection (GstRtcPeer *self, const gchar *session)
{
  if (self->next.connection && g_strcmp0 (self->next.connection->session, session) == 0)
    return self->next.connection;
  if (self->current.connection && g_strcmp0 (self->current.connection->session, session) == 0)
    return self->current.connection;
  return NULL;
}

static void
on_candidate (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = find_connection (self, message->session);
  const gchar *candidate = message->candidate && *message->candidate ? message->candidate : NULL;
  GError *error = NULL;
  guint mline = MAX (message->sdp_mline_index, 0);

  if (!connection)
    return;
  for (guint i = 0; message->sdp_mid && connection->lines && i < connection->lines->len; i++) {
    if (g_strcmp0 (g_array_index (connection->lines, GstRtcLine, i).mid, message->sdp_mid) == 0)
      mline = i;
  }
  if (candidate && !rtc_candidate_check (candidate, &error)) {
    gst_rtc_peer_send_error (self, message->session, error);
    g_error_free (error);
  } else if (!connection->lines || mline >= connection->lines->len) {
    error =
        g_error_new (RTC_ERROR, RTC_ERROR_BAD_CANDIDATE, "The candidate is for section %u, which there is not", mline);
    gst_rtc_peer_send_error (self, message->session, error);
    g_error_free (error);
  } else if (!gst_rtc_connection_add_candidate (connection, mline, candidate)) {
    GST_WARNING_OBJECT (self->bin, "peer %s sends candidates without end", self->info->id);
  }
}

static void
on_peer_error (GstRtcPeer *self, const RtcMessage *message)
{
  GError *error =
      g_error_new (RTC_ERROR, message->code, "The peer says: %s", message->reason ? message->reason : "(nothing)");

  if (self->next.connection && find_connection (self, message->session) == self->next.connection
      && message->code != RTC_ERROR_BAD_CANDIDATE) {
    gst_rtc_peer_set_trouble (self, error, self->next.connection);
    gst_rtc_peer_act (
        self, rtc_session_next_failed (&self->session, gst_rtc_peer_error_is_fatal (error), gst_rtc_peer_now ()));
  } else {
    /* It may be about an offer to restart ICE. */
    if (self->current.connection && find_connection (self, message->session) == self->current.connection)
      self->current.connection->restarting = FALSE;
    GST_WARNING_OBJECT (self->bin, "peer %s: %s: %s", self->info->id, message->code_name, message->reason);
    g_error_free (error);
  }
}

void
gst_rtc_peer_message (GstRtcPeer *self, const RtcMessage *message)
{
  switch (message->type) {
    case RTC_MESSAGE_OFFER:
      on_offer (self, message);
      break;
    case RTC_MESSAGE_ANSWER:
      on_answer (self, message);
      break;
    case RTC_MESSAGE_CANDIDATE:
    case RTC_MESSAGE_END_OF_CANDIDATES:
      on_candidate (self, message);
      break;
    case RTC_MESSAGE_OFFER_REQUEST:
      if (!message->restart || !gst_rtc_peer_restart_requested (self, message))
        gst_rtc_peer_act (self, rtc_session_offer_requested (&self->session, gst_rtc_peer_now ()));
      break;
    case RTC_MESSAGE_BYE:
      if (!message->session || find_connection (self, message->session)) {
        if (self->current.connection)
          gst_rtc_peer_post (
              self, "rtc-peer-disconnected", "reason", G_TYPE_STRING, message->reason ? message->reason : "bye", NULL);
        gst_rtc_peer_act (self, rtc_session_bye (&self->session, gst_rtc_peer_now ()));
      }
      break;
    case RTC_MESSAGE_ERROR:
      on_peer_error (self, message);
      break;
    default:
      break;
  }
}
