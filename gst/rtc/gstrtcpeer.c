/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpeer.h"
#include "core/rtccandidate.h"
#include "core/rtcsession.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* A connection and what it sends: our track of each line, NULL where there is none or it is gone. */
typedef struct
{
  GstRtcConnection *connection;
  GPtrArray *line_tracks; /* of GstRtcTrack, by mline; borrowed */
  GArray *sdp_tracks; /* of GstRtcSdpTrack: what was negotiated with */
  GPtrArray *plan_tracks; /* of GstRtcTrack, beside sdp_tracks */
  GArray *streams; /* of Stream: came before the connection was the current one */
} Slot;

typedef struct
{
  guint mline;
  GstPad *pad;
} Stream;

struct _GstRtcPeer
{
  GstRtcBin *bin;
  RtcPeerInfo *info;
  RtcSession session;
  Slot current, next;
  gchar *offer_session; /* of the offer that came last, until it is answered */
  gchar *offer_sdp;
  GError *trouble; /* why the last attempt failed */
  gchar *trouble_stage, *trouble_candidates;
  gchar *problems; /* what a connection goes without, NULL: nothing */
  GSource *timer;
  guint connects; /* how often it was connected */
  guint64 setup_ms, joined_ms; /* of the last one */
};

static void act (GstRtcPeer *self, guint actions);

static guint64
now_ms (void)
{
  return g_get_monotonic_time () / 1000;
}

static void
stream_clear (Stream *stream)
{
  gst_object_unref (stream->pad);
}

/* Telling. */

static void
post (GstRtcPeer *self, const gchar *name, const gchar *first, ...)
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

static RtcMessage *
message_to (GstRtcPeer *self, RtcMessageType type, const gchar *session)
{
  RtcMessage *message = rtc_message_new (type);

  message->to = g_strdup (self->info->id);
  message->session = g_strdup (session);
  return message;
}

static void
send_error (GstRtcPeer *self, const gchar *session, const GError *error)
{
  RtcErrorCode code = error->domain == RTC_ERROR ? (RtcErrorCode)error->code : RTC_ERROR_SETUP_FAILED;

  gst_rtc_bin_send (self->bin, rtc_message_new_error (code, error->message, self->info->id, session));
}

static gboolean
is_fatal (const GError *error)
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

  post (self, "rtc-peer-failed", "stage", G_TYPE_STRING, stage, "code", G_TYPE_STRING,
      rtc_error_code_to_string (self->trouble && self->trouble->domain == RTC_ERROR ? (RtcErrorCode)self->trouble->code
                                                                                    : RTC_ERROR_SETUP_FAILED),
      "reason", G_TYPE_STRING, diagnosis, "retries", G_TYPE_BOOLEAN, again, NULL);
  GST_ELEMENT_WARNING (self->bin, RESOURCE, FAILED, ("No connection to peer %s: %s", get_name (self), diagnosis),
      ("stage %s, peer id %s", stage, self->info->id));
  g_free (diagnosis);
}

static void
set_trouble (GstRtcPeer *self, GError *error, GstRtcConnection *connection)
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

static void
slot_close (GstRtcPeer *self, Slot *slot)
{
  GstRtcConnection *connection = slot->connection;

  if (!connection)
    return;
  for (guint i = 0; slot->line_tracks && i < slot->line_tracks->len; i++) {
    if (g_ptr_array_index (slot->line_tracks, i))
      gst_rtc_track_remove_peer (g_ptr_array_index (slot->line_tracks, i), connection->transport);
  }
  gst_rtc_sources_detach (self->bin->sources, connection);
  g_clear_pointer (&slot->line_tracks, g_ptr_array_unref);
  g_clear_pointer (&slot->sdp_tracks, g_array_unref);
  g_clear_pointer (&slot->plan_tracks, g_ptr_array_unref);
  g_clear_pointer (&slot->streams, g_array_unref);
  slot->connection = NULL;
  gst_rtc_connection_close (connection, self->bin->reaper);
}

/* The lines are settled: which of our tracks goes out on which. */
static void
slot_map_tracks (Slot *slot)
{
  GArray *lines = slot->connection->lines;

  g_clear_pointer (&slot->line_tracks, g_ptr_array_unref);
  slot->line_tracks = g_ptr_array_new ();
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    g_ptr_array_add (slot->line_tracks,
        line->accepted && line->send && line->track >= 0 ? g_ptr_array_index (slot->plan_tracks, line->track) : NULL);
  }
}

static void on_connection_event (GstRtcConnection *connection, const GstRtcConnectionEvent *event, gpointer user_data);

static gboolean
slot_open (GstRtcPeer *self, const gchar *session)
{
  GstRtcBinSettings settings;
  GstRtcTransportConfig config = {.loop = self->bin->loop, .peer_id = self->info->id};
  GPtrArray *turn = g_ptr_array_new ();
  GError *error = NULL;
  guint unknown;

  gst_rtc_bin_get_settings (self->bin, &settings);
  config.latency = settings.latency;
  config.stun_server = settings.stun_server;
  config.relay_only = settings.relay_only;
  config.min_rtp_port = settings.min_rtp_port;
  config.max_rtp_port = settings.max_rtp_port;
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

  self->next.connection = gst_rtc_connection_new (
      GST_BIN (self->bin), self->bin->transport, &config, session, on_connection_event, self, &error);
  self->next.streams = g_array_new (FALSE, FALSE, sizeof (Stream));
  g_array_set_clear_func (self->next.streams, (GDestroyNotify)stream_clear);
  self->next.sdp_tracks = gst_rtc_bin_snapshot_tracks (self->bin, &self->next.plan_tracks, &unknown);
  g_ptr_array_unref (turn);
  gst_rtc_bin_settings_clear (&settings);
  if (!self->next.connection) {
    set_trouble (self, error, NULL);
    act (self, rtc_session_next_failed (&self->session, TRUE, now_ms ()));
    return FALSE;
  }
  return TRUE;
}

static void
next_failed (GstRtcPeer *self, GError *error)
{
  set_trouble (self, error, self->next.connection);
  send_error (self, self->next.connection ? self->next.connection->session : self->offer_session, error);
  act (self, rtc_session_next_failed (&self->session, is_fatal (error), now_ms ()));
}

static void
start_offer (GstRtcPeer *self)
{
  gchar *session = rtc_id_new ("");
  GstRtcConnection *connection;

  if (slot_open (self, session)) {
    connection = self->next.connection;
    connection->lines = gst_rtc_sdp_plan_offer ((GstRtcSdpTrack *)self->next.sdp_tracks->data,
        self->next.sdp_tracks->len, self->info->n_video, self->info->n_audio);
    if (connection->lines->len == 0) {
      GST_DEBUG_OBJECT (self->bin, "neither side sends anything to peer %s yet", self->info->id);
      act (self, rtc_session_bye (&self->session, now_ms ()));
    } else {
      connection->transport->klass->make_offer (
          connection->transport, connection->lines, (GstRtcSdpTrack *)self->next.sdp_tracks->data);
    }
  }
  g_free (session);
}

static void
note_problems (GstRtcPeer *self, gchar *problems)
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
  offer = gst_rtc_sdp_parse (self->offer_sdp, &error);
  if (offer)
    connection->lines = gst_rtc_sdp_plan_answer (
        offer, (GstRtcSdpTrack *)self->next.sdp_tracks->data, self->next.sdp_tracks->len, &problems, &error);
  if (error) {
    next_failed (self, error);
  } else {
    note_problems (self, problems);
    slot_map_tracks (&self->next);
    connection->transport->klass->take_offer (
        connection->transport, offer, connection->lines, (GstRtcSdpTrack *)self->next.sdp_tracks->data);
    gst_rtc_connection_remote_known (connection);
    if (problems) {
      GError *partial = g_error_new_literal (RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC, problems);

      send_error (self, NULL, partial);
      g_error_free (partial);
    }
  }
  g_clear_pointer (&offer, gst_sdp_message_free);
}

static gint
compare_streams (gconstpointer a, gconstpointer b)
{
  return (gint)((const Stream *)a)->mline - (gint)((const Stream *)b)->mline;
}

static void
promote (GstRtcPeer *self)
{
  GstRtcConnection *connection = self->next.connection;

  slot_close (self, &self->current);
  self->current = self->next;
  self->next = (Slot){NULL};
  connection->connected = now_ms ();
  self->setup_ms = connection->connected - connection->began;
  g_array_sort (self->current.streams, compare_streams);
  for (guint i = 0; i < self->current.streams->len; i++) {
    const Stream *stream = &g_array_index (self->current.streams, Stream, i);

    gst_rtc_sources_attach (self->bin->sources, connection, self->info->id, stream->mline, stream->pad);
  }
  g_array_set_size (self->current.streams, 0);
  for (guint i = 0; self->current.line_tracks && i < self->current.line_tracks->len; i++) {
    if (g_ptr_array_index (self->current.line_tracks, i))
      gst_rtc_track_add_peer (g_ptr_array_index (self->current.line_tracks, i), connection->transport, i);
  }
  gst_rtc_bin_request_key_frames (self->bin);
}

static void
report_connected (GstRtcPeer *self)
{
  self->connects++;
  post (self, "rtc-peer-connected", "session", G_TYPE_STRING, self->current.connection->session, "setup-time",
      G_TYPE_UINT64, self->setup_ms * GST_MSECOND, NULL);
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
  act (self, rtc_session_tick (&self->session, now_ms ()));
}

static void
arm_timer (GstRtcPeer *self)
{
  guint64 now = now_ms ();

  if (self->timer)
    g_source_destroy (self->timer);
  self->timer = NULL;
  if (self->session.deadline)
    self->timer = gst_rtc_loop_add_timeout (
        self->bin->loop, self->session.deadline > now ? self->session.deadline - now : 0, on_timer, self);
}

static void
act (GstRtcPeer *self, guint actions)
{
  GST_LOG_OBJECT (self->bin, "peer %s: %s, actions 0x%x", self->info->id,
      rtc_session_state_to_string (self->session.state), actions);
  arm_timer (self);
  if ((actions & RTC_SESSION_REPORT_TIMEOUT) && self->next.connection)
    set_trouble (self,
        g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The connection was not up after %u s",
            RTC_SESSION_SETUP_TIMEOUT_MS / 1000),
        self->next.connection);
  if (actions & RTC_SESSION_CLOSE_NEXT)
    slot_close (self, &self->next);
  if (actions & RTC_SESSION_CLOSE_CURRENT)
    slot_close (self, &self->current);
  if (actions & RTC_SESSION_PROMOTE)
    promote (self);
  if (actions & RTC_SESSION_REPORT_CONNECTED)
    report_connected (self);
  if (actions & RTC_SESSION_REPORT_DISCONNECTED)
    post (self, "rtc-peer-disconnected", "reason", G_TYPE_STRING,
        self->current.connection ? "Nothing was heard of the peer for 12 s" : "The connection broke", NULL);
  if (actions & (RTC_SESSION_REPORT_FAILED | RTC_SESSION_REPORT_TIMEOUT))
    report_failed (self);
  /* These may fail at once and act again, so they come last, and only one of them is ever asked for. */
  if (actions & RTC_SESSION_START_OFFER)
    start_offer (self);
  if (actions & RTC_SESSION_START_ANSWER)
    start_answer (self);
  if (actions & RTC_SESSION_REQUEST_OFFER)
    gst_rtc_bin_send (self->bin, message_to (self, RTC_MESSAGE_OFFER_REQUEST, NULL));
}

/* What the transport tells. */

static void
on_description (GstRtcPeer *self, GstRtcConnection *connection, GstSDPMessage *sdp)
{
  gboolean is_offer = self->session.offerer == RTC_SESSION_OFFERER_US && !connection->remote_known;
  RtcMessage *message = message_to (self, is_offer ? RTC_MESSAGE_OFFER : RTC_MESSAGE_ANSWER, connection->session);

  for (guint i = 0; is_offer && i < connection->lines->len && i < gst_sdp_message_medias_len (sdp); i++)
    g_array_index (connection->lines, GstRtcLine, i).mid =
        g_strdup (gst_sdp_media_get_attribute_val (gst_sdp_message_get_media (sdp, i), "mid"));
  message->sdp = gst_sdp_message_as_text (sdp);
  gst_rtc_bin_send (self->bin, message);
  connection->described = now_ms ();
  act (self, rtc_session_described (&self->session, !is_offer, now_ms ()));
}

static void
on_local_candidate (GstRtcPeer *self, GstRtcConnection *connection, const GstRtcConnectionEvent *event)
{
  RtcMessage *message =
      message_to (self, event->candidate ? RTC_MESSAGE_CANDIDATE : RTC_MESSAGE_END_OF_CANDIDATES, connection->session);

  message->candidate = g_strdup (event->candidate);
  message->sdp_mid = g_strdup (event->mid);
  message->sdp_mline_index = event->mline;
  gst_rtc_bin_send (self->bin, message);
}

static void
on_transport_state (GstRtcPeer *self, gboolean is_next, GstRtcTransportState state)
{
  guint64 now = now_ms ();

  if (is_next && state == GST_RTC_TRANSPORT_CONNECTED)
    act (self, rtc_session_next_connected (&self->session, now));
  else if (!is_next && state == GST_RTC_TRANSPORT_DISCONNECTED)
    act (self, rtc_session_current_silent (&self->session, now));
  else if (!is_next && state == GST_RTC_TRANSPORT_CONNECTED)
    act (self, rtc_session_current_back (&self->session, now));
}

static void
on_stream (GstRtcPeer *self, GstRtcConnection *connection, gboolean is_next, const GstRtcConnectionEvent *event)
{
  if (is_next) {
    Stream stream = {event->mline, gst_object_ref (event->pad)};

    g_array_append_val (self->next.streams, stream);
  } else {
    gst_rtc_sources_attach (self->bin->sources, connection, self->info->id, event->mline, event->pad);
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
        next_failed (self, g_error_copy (event->error));
      } else {
        set_trouble (self, g_error_copy (event->error), connection);
        act (self, rtc_session_current_failed (&self->session, now_ms ()));
      }
      break;
    case GST_RTC_CONNECTION_STREAM:
      on_stream (self, connection, is_next, event);
      break;
    case GST_RTC_CONNECTION_KEY_FRAME_WANTED:
      gst_rtc_bin_request_key_frames (self->bin);
      break;
  }
}

/* What the peer says. */

static void
on_offer (GstRtcPeer *self, const RtcMessage *message)
{
  if (self->session.offerer == RTC_SESSION_OFFERER_US) {
    GError *error = g_error_new_literal (RTC_ERROR, RTC_ERROR_NOT_OFFERER, "In this pair the other side offers");

    send_error (self, message->session, error);
    g_error_free (error);
    return;
  }
  g_free (self->offer_session);
  g_free (self->offer_sdp);
  self->offer_session = g_strdup (message->session);
  self->offer_sdp = g_strdup (message->sdp);
  act (self, rtc_session_offer_received (&self->session, now_ms ()));
}

static void
on_answer (GstRtcPeer *self, const RtcMessage *message)
{
  GstRtcConnection *connection = self->next.connection;
  GError *error = NULL;
  gchar *problems = NULL;
  GstSDPMessage *answer;

  if (!connection || connection->remote_known || g_strcmp0 (connection->session, message->session))
    return;
  answer = gst_rtc_sdp_parse (message->sdp, &error);
  if (!answer || !gst_rtc_sdp_apply_answer (answer, connection->lines, &problems, &error)) {
    next_failed (self, error);
  } else {
    note_problems (self, problems);
    slot_map_tracks (&self->next);
    connection->transport->klass->take_answer (connection->transport, answer, connection->lines);
    gst_rtc_connection_remote_known (connection);
    act (self, rtc_session_described (&self->session, TRUE, now_ms ()));
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
    send_error (self, message->session, error);
    g_error_free (error);
  } else if (!connection->lines || mline >= connection->lines->len) {
    error =
        g_error_new (RTC_ERROR, RTC_ERROR_BAD_CANDIDATE, "The candidate is for section %u, which there is not", mline);
    send_error (self, message->session, error);
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
    set_trouble (self, error, self->next.connection);
    act (self, rtc_session_next_failed (&self->session, is_fatal (error), now_ms ()));
  } else {
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
      act (self, rtc_session_offer_requested (&self->session, now_ms ()));
      break;
    case RTC_MESSAGE_BYE:
      if (!message->session || find_connection (self, message->session)) {
        if (self->current.connection)
          post (
              self, "rtc-peer-disconnected", "reason", G_TYPE_STRING, message->reason ? message->reason : "bye", NULL);
        act (self, rtc_session_bye (&self->session, now_ms ()));
      }
      break;
    case RTC_MESSAGE_ERROR:
      on_peer_error (self, message);
      break;
    default:
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
  self->joined_ms = now_ms ();
  rtc_session_init (&self->session);
  return self;
}

void
gst_rtc_peer_free (GstRtcPeer *self, const gchar *reason)
{
  if (self->timer)
    g_source_destroy (self->timer);
  slot_close (self, &self->next);
  slot_close (self, &self->current);
  post (self, "rtc-peer-left", "reason", G_TYPE_STRING, reason, NULL);
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

  rtc_peer_info_free (self->info);
  self->info = rtc_peer_info_copy (info);
  actions = rtc_session_set_offerer (&self->session,
      !info->offerer ? RTC_SESSION_OFFERER_NONE
          : we_offer ? RTC_SESSION_OFFERER_US
                     : RTC_SESSION_OFFERER_THEM,
      now_ms ());
  act (self, actions);
  /* Who offers lays out the sections, so it has to know how many the other side fills. */
  if (changed && !first && we_offer && info->offerer)
    act (self, rtc_session_tracks_changed (&self->session, now_ms ()));
}

void
gst_rtc_peer_set_ready (GstRtcPeer *self)
{
  act (self, rtc_session_set_ready (&self->session, now_ms ()));
}

void
gst_rtc_peer_tracks_changed (GstRtcPeer *self)
{
  act (self, rtc_session_tracks_changed (&self->session, now_ms ()));
}

static void
slot_forget_track (Slot *slot, GstRtcTrack *track)
{
  for (guint i = 0; slot->line_tracks && i < slot->line_tracks->len; i++) {
    if (g_ptr_array_index (slot->line_tracks, i) == track)
      g_ptr_array_index (slot->line_tracks, i) = NULL;
  }
  for (guint i = 0; slot->plan_tracks && i < slot->plan_tracks->len; i++) {
    if (g_ptr_array_index (slot->plan_tracks, i) == track)
      g_ptr_array_index (slot->plan_tracks, i) = NULL;
  }
}

void
gst_rtc_peer_forget_track (GstRtcPeer *self, GstRtcTrack *track)
{
  slot_forget_track (&self->current, track);
  slot_forget_track (&self->next, track);
}

gboolean
gst_rtc_peer_element_error (GstRtcPeer *self, GstObject *source, const GError *error)
{
  GError *copy;

  if (self->next.connection && gst_rtc_connection_owns (self->next.connection, source)) {
    copy = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s: %s", GST_OBJECT_NAME (source), error->message);
    next_failed (self, copy);
    return TRUE;
  }
  if (self->current.connection && gst_rtc_connection_owns (self->current.connection, source)) {
    copy = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s: %s", GST_OBJECT_NAME (source), error->message);
    set_trouble (self, copy, self->current.connection);
    act (self, rtc_session_current_failed (&self->session, now_ms ()));
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
  GstRtcConnection *connection = self->current.connection ? self->current.connection : self->next.connection;
  GstStructure *s = gst_structure_new ("application/x-rtcbin-peer-stats", "peer-id", G_TYPE_STRING, self->info->id,
      "display-name", G_TYPE_STRING, self->info->display_name, "state", G_TYPE_STRING,
      rtc_session_state_to_string (self->session.state), "connects", G_TYPE_UINT, self->connects, "setup-time",
      G_TYPE_UINT64, self->setup_ms * GST_MSECOND, "since-joined", G_TYPE_UINT64,
      (now_ms () - self->joined_ms) * GST_MSECOND, NULL);

  if (self->problems)
    gst_structure_set (s, "problems", G_TYPE_STRING, self->problems, NULL);
  if (connection) {
    gst_structure_set (s, "session", G_TYPE_STRING, connection->session, "transport-state", G_TYPE_STRING,
        gst_rtc_transport_state_to_string (connection->state), NULL);
    connection->transport->klass->add_stats (connection->transport, s);
  }
  return s;
}
