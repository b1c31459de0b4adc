/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpeerpriv.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* What both sides ask for at the same time is one restart. Less than the transport waits until it asks again. */
#define SAME_RESTART_MS 500
/* Signaling lost the answer after all: its server was another one in between. */
#define ANSWER_LOST_MS 10000

static gboolean
can_restart (GstRtcConnection *connection)
{
  return connection && connection->remote_known && connection->transport->klass->make_restart;
}

static gboolean
is_about (GstRtcConnection *connection, const RtcMessage *message)
{
  return connection && g_strcmp0 (connection->session, message->session) == 0;
}

/* One offer at a time: signaling keeps the order and loses nothing, so an answer that is missing is on its way, and
 * belongs to this one. */
static void
make_restart (GstRtcPeer *self, GstRtcConnection *connection)
{
  guint64 now = gst_rtc_peer_now ();

  connection->restart_again = connection->restarting && now < connection->restarted + ANSWER_LOST_MS;
  if (connection->restart_again)
    return;
  GST_INFO_OBJECT (self->bin, "peer %s: ICE is restarted", self->info->id);
  connection->restarting = TRUE;
  connection->restarted = now;
  connection->transport->klass->make_restart (connection->transport);
}

void
gst_rtc_peer_restart_wanted (GstRtcPeer *self)
{
  GstRtcConnection *connection = self->current.connection;
  RtcMessage *request;

  if (!can_restart (connection) || !self->info->restart) {
    GST_DEBUG_OBJECT (self->bin, "peer %s does not restart ICE in place", self->info->id);
  } else if (self->session.offerer == RTC_SESSION_OFFERER_US) {
    make_restart (self, connection);
  } else {
    request = gst_rtc_peer_message_new (self, RTC_MESSAGE_OFFER_REQUEST, connection->session);
    request->restart = TRUE;
    gst_rtc_bin_send (self->bin, request);
  }
}

gboolean
gst_rtc_peer_restart_requested (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = self->current.connection;

  if (!is_about (connection, message) || !can_restart (connection) || self->session.offerer != RTC_SESSION_OFFERER_US)
    return FALSE;
  if (gst_rtc_peer_now () >= connection->restarted + (connection->restarting ? ANSWER_LOST_MS : SAME_RESTART_MS))
    make_restart (self, connection);
  return TRUE;
}

gboolean
gst_rtc_peer_restart_offered (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = self->current.connection;
  GstSDPMessage *offer = NULL;
  GError *error = NULL;

  if (!is_about (connection, message))
    return FALSE;
  if (!can_restart (connection))
    error = g_error_new_literal (RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "This side cannot restart ICE on a connection that it has; an offer of a new session is expected");
  else
    offer = gst_rtc_sdp_parse (message->sdp, FALSE, &error);
  if (offer && connection->transport->klass->take_restart (connection->transport, offer, &error)) {
    GST_INFO_OBJECT (self->bin, "peer %s restarts ICE", self->info->id);
    connection->restarting = FALSE;
    connection->restarted = gst_rtc_peer_now ();
  }
  if (error) {
    GST_WARNING_OBJECT (self->bin, "peer %s: restart of ICE refused: %s", self->info->id, error->message);
    gst_rtc_peer_send_error (self, message->session, error);
    g_error_free (error);
  }
  g_clear_pointer (&offer, gst_sdp_message_free);
  return TRUE;
}

gboolean
gst_rtc_peer_restart_answered (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = self->current.connection;
  GstSDPMessage *answer;
  GError *error = NULL;

  if (!is_about (connection, message))
    return FALSE;
  if (!connection->restarting)
    return TRUE;
  connection->restarting = FALSE;
  answer = gst_rtc_sdp_parse (message->sdp, TRUE, &error);
  if (!answer || !connection->transport->klass->take_restart_answer (connection->transport, answer, &error)) {
    GST_WARNING_OBJECT (self->bin, "peer %s: its answer to a restart of ICE: %s", self->info->id, error->message);
    gst_rtc_peer_send_error (self, message->session, error);
    g_error_free (error);
  }
  g_clear_pointer (&answer, gst_sdp_message_free);
  if (connection->restart_again)
    make_restart (self, connection);
  return TRUE;
}
