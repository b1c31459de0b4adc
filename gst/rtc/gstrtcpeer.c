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

guint64
gst_rtc_peer_now (void)
{
  return g_get_monotonic_time () / 1000;
}

/* Telling. */

void
gst_rtc_peer_post (GstRtcPeer *self, const gchar *name, const gchar *first, ...)
{
  GstStructure *s = gst_structure_new (
      name, "peer-id", G_TYPE_STRING, self->info->id, "display-name", G_TYPE_STRING, self->info->display_name, NULL);
  va_list args;

  va_start (args, first);
  gst_structure_set_valist (s, first, args);
  va_end (args);
  gst_element_post_message (GST_ELEMENT_CAST (self->bin), gst_message_new_element (GST_OBJECT_CAST (self->bin), s));
}

static const gchar *
get_name (GstRtcPeer *self)
{
  return self->info->display_name && *self->info->display_name ? self->info->display_name : self->info->id;
}

RtcMessage *
gst_rtc_peer_message_new (GstRtcPeer *self, RtcMessageType type, const gchar *session)
{
  RtcMessage *message = rtc_message_new (type);

  message->to = g_strdup (self->info->id);
  message->session = g_strdup (session);
  return message;
}

void
gst_rtc_peer_send_error (GstRtcPeer *self, const gchar *session, const GError *error)
{
  RtcErrorCode code = error->domain == RTC_ERROR ? (RtcErrorCode)error->code : RTC_ERROR_SETUP_FAILED;

  gst_rtc_bin_send (self->bin, rtc_message_new_error (code, error->message, self->info->id, session));
}

gboolean
gst_rtc_peer_error_is_fatal (const GError *error)
{
  return error->domain != RTC_ERROR || error->code != RTC_ERROR_SETUP_FAILED;
}

static void
report_failed (GstRtcPeer *self)
{
  const gchar *stage = self->trouble_stage ? self->trouble_stage : "negotiation";
  gboolean again = self->session.state == RTC_SESSION_BACKOFF || self->session.state == RTC_SESSION_REQUESTED;
  gchar *diagnosis = g_strdup_printf ("%s%s%s%s", self->trouble ? self->trouble->message : "The peer did not answer",
      self->trouble_candidates ? ". Candidates tried, " : "", self->trouble_candidates ? self->trouble_candidates : "",
      again ? ". It is tried again" : "");

  gst_rtc_peer_post (self, "rtc-peer-failed", "stage", G_TYPE_STRING, stage, "code", G_TYPE_STRING,
      rtc_error_code_to_string (self->trouble && self->trouble->domain == RTC_ERROR ? (RtcErrorCode)self->trouble->code
                                                                                    : RTC_ERROR_SETUP_FAILED),
      "reason", G_TYPE_STRING, diagnosis, "retries", G_TYPE_BOOLEAN, again, NULL);
  GST_ELEMENT_WARNING (self->bin, RESOURCE, FAILED, ("No connection to peer %s: %s", get_name (self), diagnosis),
      ("stage %s, peer id %s", stage, self->info->id));
  g_free (diagnosis);
}

void
gst_rtc_peer_set_trouble (GstRtcPeer *self, GError *error, GstRtcConnection *connection)
{
  const gchar *stage = connection ? gst_rtc_connection_stage (connection) : "negotiation";

  g_clear_error (&self->trouble);
  g_free (self->trouble_stage);
  g_clear_pointer (&self->trouble_candidates, g_free);
  self->trouble = error;
  self->trouble_stage = g_strdup (stage);
  if (g_str_equal (stage, "ice"))
    self->trouble_candidates = gst_rtc_connection_describe_candidates (connection);
}

/* Connections. */

static void on_connection_event (GstRtcConnection *connection, const GstRtcConnectionEvent *event, gpointer user_data);

static void
on_channel (GstRtcConnection *connection, GstRtcChannel *channel, gpointer data)
{
  gst_rtc_bin_data_take_channel (data, connection, channel);
}

/* Whether data channels are offered, or taken when the peer offers. */
static gboolean
has_data (GstRtcPeer *self)
{
  const GstRtcTransportClass *transport = self->bin->transport;

  return transport->open_channel
      && (!transport->data_is_optional || self->session.offerer != RTC_SESSION_OFFERER_US
          || gst_rtc_bin_data_is_wanted (self->bin->data));
}

static gboolean
slot_open (GstRtcPeer *self, const gchar *session)
{
  GstRtcBinSettings settings;
  GstRtcTransportConfig config = {.shared = self->bin->shared, .loop = self->bin->loop, .peer_id = self->info->id};
  GPtrArray *turn = g_ptr_array_new ();
  GError *error = NULL;

  gst_rtc_bin_get_settings (self->bin, &settings);
  config.with_data = has_data (self);
  config.latency = settings.latency;
  config.stun_server = settings.stun_server;
  config.relay_only = settings.relay_only;
  config.min_rtp_port = settings.min_rtp_port;
  config.max_rtp_port = settings.max_rtp_port;
  config.addresses =
      (GstRtcTransportAddresses){settings.interfaces, settings.exclude_interfaces, settings.advertise_address};
  if (settings.turn_server)
    g_ptr_array_add (turn, settings.turn_server);
  /* What the user set comes before what the server offers. */
  for (guint i = 0; self->bin->server_ice && self->bin->server_ice[i]; i++) {
    if (g_str_has_prefix (self->bin->server_ice[i], "turn"))
      g_ptr_array_add (turn, self->bin->server_ice[i]);
    else if (!config.stun_server)
      config.stun_server = self->bin->server_ice[i];
  }
  g_ptr_array_add (turn, NULL);
  config.turn_servers = (gchar **)turn->pdata;

  gst_rtc_peer_slot_init (&self->next,
      gst_rtc_connection_new (
          GST_BIN (self->bin), self->bin->transport, &config, session, on_connection_event, self, &error),
      self->bin);
  g_ptr_array_unref (turn);
  gst_rtc_bin_settings_clear (&settings);
  if (!self->next.connection) {
    gst_rtc_peer_set_trouble (self, error, NULL);
    gst_rtc_peer_act (self, rtc_session_next_failed (&self->session, TRUE, gst_rtc_peer_now ()));
    return FALSE;
  }
  self->next.connection->with_data = config.with_data;
  gst_rtc_connection_set_channel_func (self->next.connection, on_channel, self->bin->data);
  self->next.connection->peer_is_rtclink =
      self->info->features && g_strv_contains ((const gchar *const *)self->info->features, RTC_FEATURE_CHANNEL);
  gst_rtc_bin_data_add_connection (
      self->bin->data, self->next.connection, self->info->id, self->session.offerer == RTC_SESSION_OFFERER_US);
  return TRUE;
}

void
gst_rtc_peer_next_failed (GstRtcPeer *self, GError *error)
{
  gst_rtc_peer_set_trouble (self, error, self->next.connection);
  gst_rtc_peer_send_error (self, self->next.connection ? self->next.connection->session : self->offer_session, error);
  gst_rtc_peer_act (
      self, rtc_session_next_failed (&self->session, gst_rtc_peer_error_is_fatal (error), gst_rtc_peer_now ()));
}

static GstRtcSdpData
get_data (GstRtcPeer *self, GstRtcConnection *connection)
{
  if (!connection->with_data)
    return GST_RTC_SDP_NO_DATA;
  return gst_rtc_bin_data_is_wanted (self->bin->data) ? GST_RTC_SDP_DATA_WANTED : GST_RTC_SDP_DATA;
}

static void
start_offer (GstRtcPeer *self)
{
  gchar *session = rtc_id_new ("");
  GstRtcConnection *connection;

  if (slot_open (self, session)) {
    connection = self->next.connection;
    connection->lines = gst_rtc_sdp_plan_offer ((GstRtcSdpTrack *)self->next.sdp_tracks->data,
        self->next.sdp_tracks->len, self->info->n_video, self->info->n_audio, get_data (self, connection));
    if (connection->lines->len == 0) {
      GST_DEBUG_OBJECT (self->bin, "neither side sends anything to peer %s yet", self->info->id);
      gst_rtc_peer_act (self, rtc_session_bye (&self->session, gst_rtc_peer_now ()));
    } else {
      connection->transport->klass->make_offer (
          connection->transport, connection->lines, (GstRtcSdpTrack *)self->next.sdp_tracks->data);
    }
  }
  g_free (session);
}

void
gst_rtc_peer_note_problems (GstRtcPeer *self, gchar *problems)
{
  g_free (self->problems);
  self->problems = problems;
  if (problems) {
    GST_ELEMENT_WARNING (self->bin, STREAM, FORMAT, ("Peer %s gets less than there is: %s", get_name (self), problems),
        ("peer id %s", self->info->id));
  }
}

static void
start_answer (GstRtcPeer *self)
{
  GstSDPMessage *offer = NULL;
  GstRtcConnection *connection;
  GError *error = NULL;
  gchar *problems = NULL;

  if (!slot_open (self, self->offer_session))
    return;
  connection = self->next.connection;
  offer = gst_rtc_sdp_parse (self->offer_sdp, FALSE, &error);
  if (offer)
    connection->lines = gst_rtc_sdp_plan_answer (offer, (GstRtcSdpTrack *)self->next.sdp_tracks->data,
        self->next.sdp_tracks->len, get_data (self, connection), &problems, &error);
  if (error) {
    gst_rtc_peer_next_failed (self, error);
  } else {
    gst_rtc_peer_note_problems (self, problems);
    gst_rtc_peer_slot_map_tracks (&self->next);
    connection->transport->klass->take_offer (
        connection->transport, offer, connection->lines, (GstRtcSdpTrack *)self->next.sdp_tracks->data);
    gst_rtc_connection_remote_known (connection, offer);
    if (problems) {
      GError *partial = g_error_new_literal (RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC, problems);

      gst_rtc_peer_send_error (self, NULL, partial);
      g_error_free (partial);
    }
  }
  g_clear_pointer (&offer, gst_sdp_message_free);
}

static void
promote (GstRtcPeer *self)
{
  GstRtcConnection *connection = self->next.connection;

  gst_rtc_peer_slot_close (&self->current, self->bin);
  self->current = self->next;
  self->next = (GstRtcPeerSlot){NULL};
  self->setup_ms = gst_rtc_peer_now () - connection->began;
  gst_rtc_peer_slot_begin (&self->current, self->bin, self->info->id);
  gst_rtc_bin_data_promote (self->bin->data, connection);
  gst_rtc_bin_request_key_frames (self->bin, NULL);
}

static void
report_connected (GstRtcPeer *self)
{
  self->connects++;
  gst_rtc_peer_post (self, "rtc-peer-connected", "session", G_TYPE_STRING, self->current.connection->session,
      "setup-time", G_TYPE_UINT64, self->setup_ms * GST_MSECOND, NULL);
}

/* Carries out what the session machine decided. */

static void
on_timer (gpointer user_data)
{
  GstRtcPeer *self = user_data;

  self->timer = NULL;
  if (self->session.state == RTC_SESSION_WAITING)
    GST_ELEMENT_WARNING (self->bin, STREAM, FORMAT,
        ("Peer %s is served without the streams that have no caps yet", get_name (self)),
        ("a sink pad of %s has had no caps for %u ms: does its source run?", GST_OBJECT_NAME (self->bin),
            RTC_SESSION_READY_TIMEOUT_MS));
  gst_rtc_peer_act (self, rtc_session_tick (&self->session, gst_rtc_peer_now ()));
}

static void
arm_timer (GstRtcPeer *self)
{
  guint64 now = gst_rtc_peer_now ();

  if (self->timer)
    g_source_destroy (self->timer);
  self->timer = NULL;
  if (self->session.deadline)
    self->timer = gst_rtc_loop_add_timeout (
        self->bin->loop, self->session.deadline > now ? self->session.deadline - now : 0, on_timer, self);
}

void
gst_rtc_peer_act (GstRtcPeer *self, guint actions)
{
  GST_LOG_OBJECT (self->bin, "peer %s: %s, actions 0x%x", self->info->id,
      rtc_session_state_to_string (self->session.state), actions);
  arm_timer (self);
  if ((actions & RTC_SESSION_REPORT_TIMEOUT) && self->next.connection)
    gst_rtc_peer_set_trouble (self,
        g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The connection was not up after %u s",
            RTC_SESSION_SETUP_TIMEOUT_MS / 1000),
        self->next.connection);
  if (actions & RTC_SESSION_CLOSE_NEXT)
    gst_rtc_peer_slot_close (&self->next, self->bin);
  if (actions & RTC_SESSION_CLOSE_CURRENT)
    gst_rtc_peer_slot_close (&self->current, self->bin);
  if (actions & RTC_SESSION_PROMOTE)
    promote (self);
  if (actions & RTC_SESSION_REPORT_CONNECTED)
    report_connected (self);
  if (actions & RTC_SESSION_REPORT_DISCONNECTED)
    gst_rtc_peer_post (self, "rtc-peer-disconnected", "reason", G_TYPE_STRING,
        self->current.connection ? "Nothing was heard of the peer for 12 s" : "The connection broke", NULL);
  if (actions & (RTC_SESSION_REPORT_FAILED | RTC_SESSION_REPORT_TIMEOUT))
    report_failed (self);
  if ((self->session.state == RTC_SESSION_IDLE || self->session.state == RTC_SESSION_FAILED)
      && !self->current.connection && !self->next.connection)
    gst_rtc_bin_data_remove_peer (self->bin->data, self->info->id);
  /* These may fail at once and act again, so they come last, and only one of them is ever asked for. */
  if (actions & RTC_SESSION_START_OFFER)
    start_offer (self);
  if (actions & RTC_SESSION_START_ANSWER)
    start_answer (self);
  if (actions & RTC_SESSION_REQUEST_OFFER)
    gst_rtc_bin_send (self->bin, gst_rtc_peer_message_new (self, RTC_MESSAGE_OFFER_REQUEST, NULL));
}

/* What the transport tells. */

static void
on_description (GstRtcPeer *self, GstRtcConnection *connection, GstSDPMessage *sdp)
{
  /* An answer is made from the peer's offer. */
  gboolean is_offer = !connection->remote_known || connection->restarting;
  RtcMessage *message =
      gst_rtc_peer_message_new (self, is_offer ? RTC_MESSAGE_OFFER : RTC_MESSAGE_ANSWER, connection->session);

  for (guint i = 0; !connection->remote_known && i < connection->lines->len && i < gst_sdp_message_medias_len (sdp);
       i++)
    g_array_index (connection->lines, GstRtcLine, i).mid =
        g_strdup (gst_sdp_media_get_attribute_val (gst_sdp_message_get_media (sdp, i), "mid"));
  message->sdp = gst_sdp_message_as_text (sdp);
  gst_rtc_bin_send (self->bin, message);
  if (connection == self->next.connection)
    gst_rtc_peer_act (self, rtc_session_described (&self->session, !is_offer, gst_rtc_peer_now ()));
}

static void
on_local_candidate (GstRtcPeer *self, GstRtcConnection *connection, const GstRtcConnectionEvent *event)
{
  RtcMessage *message = gst_rtc_peer_message_new (
      self, event->candidate ? RTC_MESSAGE_CANDIDATE : RTC_MESSAGE_END_OF_CANDIDATES, connection->session);

  message->candidate = g_strdup (event->candidate);
  message->sdp_mid = g_strdup (event->mid);
  message->sdp_mline_index = event->mline;
  gst_rtc_bin_send (self->bin, message);
}

static void
on_transport_state (GstRtcPeer *self, gboolean is_next, GstRtcTransportState state)
{
  guint64 now = gst_rtc_peer_now ();

  if (is_next && state == GST_RTC_TRANSPORT_CONNECTED)
    gst_rtc_peer_act (self, rtc_session_next_connected (&self->session, now));
  else if (!is_next && state == GST_RTC_TRANSPORT_DISCONNECTED)
    gst_rtc_peer_act (self, rtc_session_current_silent (&self->session, now));
  else if (!is_next && state == GST_RTC_TRANSPORT_CONNECTED)
    gst_rtc_peer_act (self, rtc_session_current_back (&self->session, now));
}

static void
on_stream (GstRtcPeer *self, GstRtcConnection *connection, gboolean is_next, const GstRtcConnectionEvent *event)
{
  if (is_next) {
    gst_rtc_peer_slot_keep_stream (&self->next, event);
  } else {
    gst_rtc_sources_attach (self->bin->sources, connection, self->info->id, event->mline, event->rid, event->pad);
  }
}

static void
on_connection_event (GstRtcConnection *connection, const GstRtcConnectionEvent *event, gpointer user_data)
{
  GstRtcPeer *self = user_data;
  gboolean is_next = connection == self->next.connection;

  switch (event->type) {
    case GST_RTC_CONNECTION_DESCRIPTION:
      on_description (self, connection, event->sdp);
      break;
    case GST_RTC_CONNECTION_CANDIDATE:
      on_local_candidate (self, connection, event);
      break;
    case GST_RTC_CONNECTION_STATE:
      on_transport_state (self, is_next, event->state);
      break;
    case GST_RTC_CONNECTION_FAILED:
      if (is_next) {
        gst_rtc_peer_next_failed (self, g_error_copy (event->error));
      } else {
        gst_rtc_peer_set_trouble (self, g_error_copy (event->error), connection);
        gst_rtc_peer_act (self, rtc_session_current_failed (&self->session, gst_rtc_peer_now ()));
      }
      break;
    case GST_RTC_CONNECTION_STREAM:
      on_stream (self, connection, is_next, event);
      break;
    case GST_RTC_CONNECTION_KEY_FRAME_WANTED:
      if (!is_next)
        gst_rtc_peer_slot_request_key_frame (&self->current, self->bin, event->mline);
      break;
    case GST_RTC_CONNECTION_RESTART_WANTED:
      if (!is_next)
        gst_rtc_peer_restart_wanted (self);
      break;
  }
}

/* What rtcbin says. */

GstRtcPeer *
gst_rtc_peer_new (GstRtcBin *bin, const gchar *id)
{
  GstRtcPeer *self = g_new0 (GstRtcPeer, 1);

  self->bin = bin;
  self->info = rtc_peer_info_new (id);
  self->joined_ms = gst_rtc_peer_now ();
  rtc_session_init (&self->session);
  return self;
}

void
gst_rtc_peer_free (GstRtcPeer *self, const gchar *reason)
{
  if (self->timer)
    g_source_destroy (self->timer);
  gst_rtc_peer_slot_close (&self->next, self->bin);
  gst_rtc_peer_slot_close (&self->current, self->bin);
  gst_rtc_bin_data_remove_peer (self->bin->data, self->info->id);
  gst_rtc_peer_post (self, "rtc-peer-left", "reason", G_TYPE_STRING, reason, NULL);
  rtc_peer_info_free (self->info);
  g_free (self->offer_session);
  g_free (self->offer_sdp);
  g_clear_error (&self->trouble);
  g_free (self->trouble_stage);
  g_free (self->trouble_candidates);
  g_free (self->problems);
  g_free (self);
}

void
gst_rtc_peer_update (GstRtcPeer *self, const RtcPeerInfo *info, gboolean we_offer)
{
  gboolean changed = info->n_video != self->info->n_video || info->n_audio != self->info->n_audio;
  gboolean first = self->session.offerer == RTC_SESSION_OFFERER_NONE;
  guint actions;

  if (!info->offerer && self->current.connection)
    gst_rtc_peer_post (
        self, "rtc-peer-disconnected", "reason", G_TYPE_STRING, "Neither sends what the other receives", NULL);
  rtc_peer_info_free (self->info);
  self->info = rtc_peer_info_copy (info);
  actions = rtc_session_set_offerer (&self->session,
      !info->offerer ? RTC_SESSION_OFFERER_NONE
          : we_offer ? RTC_SESSION_OFFERER_US
                     : RTC_SESSION_OFFERER_THEM,
      gst_rtc_peer_now ());
  gst_rtc_peer_act (self, actions);
  /* Who offers lays out the sections, so it has to know how many the other side fills. */
  if (changed && !first && we_offer && info->offerer)
    gst_rtc_peer_act (self, rtc_session_tracks_changed (&self->session, gst_rtc_peer_now ()));
}

void
gst_rtc_peer_set_ready (GstRtcPeer *self)
{
  gst_rtc_peer_act (self, rtc_session_set_ready (&self->session, gst_rtc_peer_now ()));
}

void
gst_rtc_peer_tracks_changed (GstRtcPeer *self)
{
  gst_rtc_peer_act (self, rtc_session_tracks_changed (&self->session, gst_rtc_peer_now ()));
}

void
gst_rtc_peer_forget_track (GstRtcPeer *self, GstRtcTrack *track)
{
  gst_rtc_peer_slot_forget_track (&self->current, track);
  gst_rtc_peer_slot_forget_track (&self->next, track);
}

gboolean
gst_rtc_peer_element_error (GstRtcPeer *self, GstObject *source, const GError *error)
{
  GError *copy;

  if (self->next.connection && gst_rtc_connection_owns (self->next.connection, source)) {
    copy = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s: %s", GST_OBJECT_NAME (source), error->message);
    gst_rtc_peer_next_failed (self, copy);
    return TRUE;
  }
  if (self->current.connection && gst_rtc_connection_owns (self->current.connection, source)) {
    copy = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s: %s", GST_OBJECT_NAME (source), error->message);
    gst_rtc_peer_set_trouble (self, copy, self->current.connection);
    gst_rtc_peer_act (self, rtc_session_current_failed (&self->session, gst_rtc_peer_now ()));
    return TRUE;
  }
  return FALSE;
}

gboolean
gst_rtc_peer_has_connection (GstRtcPeer *self)
{
  return self->session.offerer != RTC_SESSION_OFFERER_NONE || self->current.connection || self->next.connection;
}

GstStructure *
gst_rtc_peer_make_stats (GstRtcPeer *self)
{
  GstRtcPeerSlot *slot = self->current.connection ? &self->current : &self->next;
  GstRtcConnection *connection = slot->connection;
  GstStructure *s = gst_structure_new ("application/x-rtcbin-peer-stats", "peer-id", G_TYPE_STRING, self->info->id,
      "display-name", G_TYPE_STRING, self->info->display_name, "state", G_TYPE_STRING,
      rtc_session_state_to_string (self->session.state), "connects", G_TYPE_UINT, self->connects, "setup-time",
      G_TYPE_UINT64, self->setup_ms * GST_MSECOND, "since-joined", G_TYPE_UINT64,
      (gst_rtc_peer_now () - self->joined_ms) * GST_MSECOND, NULL);

  if (self->problems)
    gst_structure_set (s, "problems", G_TYPE_STRING, self->problems, NULL);
  if (connection) {
    gst_structure_set (s, "session", G_TYPE_STRING, connection->session, "transport-state", G_TYPE_STRING,
        gst_rtc_transport_state_to_string (connection->state), NULL);
    connection->transport->klass->add_stats (connection->transport, s);
    gst_rtc_peer_slot_add_stats (slot, s);
    gst_rtc_bin_data_add_stats (self->bin->data, connection, self->info->id, s);
  }
  return s;
}
