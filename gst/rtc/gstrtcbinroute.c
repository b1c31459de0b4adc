/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"
#include "gstrtcpeer.h"
#include "base/gstrtcsignal.h"

#include <gst/video/video.h>
#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

typedef struct
{
  GstRtcBin *bin;
  gchar *text;
} Incoming;

static void
incoming_free (gpointer data)
{
  g_free (((Incoming *)data)->text);
  g_free (data);
}

void
gst_rtc_bin_send (GstRtcBin *self, RtcMessage *message)
{
  gchar *text = rtc_message_to_json (message);

  GST_LOG_OBJECT (self, "out: %s", text);
  if (gst_pad_is_linked (self->signal))
    gst_pad_push_event (self->signal, gst_rtc_signal_event_new (text));
  else
    gst_rtc_bin_emit_message (self, text);
  g_free (text);
  rtc_message_free (message);
}

static guint
count_connections (GstRtcBin *self)
{
  GHashTableIter iter;
  gpointer peer;
  guint n = 0;

  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer))
    n += gst_rtc_peer_has_connection (peer);
  return n;
}

static void
refuse_peer (GstRtcBin *self, const RtcPeerInfo *info, guint max)
{
  gchar *reason =
      g_strdup_printf ("There are %u peers already, which is the most that is allowed here (max-peers)", max);

  gst_rtc_bin_send (self, rtc_message_new_error (RTC_ERROR_TOO_MANY_PEERS, reason, info->id, NULL));
  GST_ELEMENT_WARNING (self, RESOURCE, BUSY, ("Peer %s was turned away. %s", info->display_name, reason),
      ("peer id %s; raise max-peers", info->id));
  g_free (reason);
}

/* The settings that are numbers, without a copy of the strings beside them. */
static void
get_numbers (GstRtcBin *self, GstRtcBinSettings *numbers)
{
  GST_OBJECT_LOCK (self);
  *numbers = (GstRtcBinSettings){
      .max_peers = self->settings.max_peers,
      .keyframe_min_interval = self->settings.keyframe_min_interval,
      .reuse_source_pads = self->settings.reuse_source_pads,
  };
  GST_OBJECT_UNLOCK (self);
}

static void
peer_known (GstRtcBin *self, const RtcPeerInfo *info)
{
  GstRtcPeer *peer = g_hash_table_lookup (self->peers, info->id);
  gboolean we_offer = info->offerer && g_strcmp0 (info->offerer, info->id) != 0;
  GstRtcBinSettings settings;

  if (g_strcmp0 (info->id, self->own_id) == 0)
    return;
  if (!peer) {
    get_numbers (self, &settings);
    if (info->offerer && count_connections (self) >= settings.max_peers) {
      refuse_peer (self, info, settings.max_peers);
      return;
    }
    peer = gst_rtc_peer_new (self, info->id);
    g_hash_table_insert (self->peers, g_strdup (info->id), peer);
    gst_element_post_message (GST_ELEMENT_CAST (self),
        gst_message_new_element (GST_OBJECT_CAST (self),
            gst_structure_new ("rtc-peer-joined", "peer-id", G_TYPE_STRING, info->id, "display-name", G_TYPE_STRING,
                info->display_name, "meta", G_TYPE_STRING, info->meta, NULL)));
    if (self->tracks_signature)
      gst_rtc_peer_set_ready (peer);
  }
  gst_rtc_peer_update (peer, info, we_offer);
}

static void
peer_gone (GstRtcBin *self, const gchar *id, const gchar *reason)
{
  GstRtcPeer *peer = g_hash_table_lookup (self->peers, id);
  GstRtcBinSettings settings;

  if (!peer)
    return;
  get_numbers (self, &settings);
  gst_rtc_peer_free (peer, reason);
  gst_rtc_sources_peer_left (self->sources, id, settings.reuse_source_pads);
  g_hash_table_remove (self->peers, id);
}

/* Those who are not in the list have left while nobody could tell us. */
static void
peers_known (GstRtcBin *self, GPtrArray *infos)
{
  GList *ids = g_hash_table_get_keys (self->peers);

  for (GList *at = ids; at; at = at->next) {
    gboolean found = FALSE;

    for (guint i = 0; infos && i < infos->len; i++)
      found |= g_strcmp0 (((RtcPeerInfo *)g_ptr_array_index (infos, i))->id, at->data) == 0;
    if (!found) {
      gchar *id = g_strdup (at->data);

      peer_gone (self, id, "missing");
      g_free (id);
    }
  }
  g_list_free (ids);
  for (guint i = 0; infos && i < infos->len; i++)
    peer_known (self, g_ptr_array_index (infos, i));
}

/* turn:host:port?transport=udp of the W3C's form becomes turn://user:password@host:port?transport=udp. */
static gchar *
url_for_agent (const gchar *url, const RtcIceServer *server)
{
  const gchar *colon = strchr (url, ':'), *host;
  gchar *user, *password, *result;

  if (!colon)
    return NULL;
  host = colon + (g_str_has_prefix (colon, "://") ? 3 : 1);
  if (!server->username || !server->credential)
    return g_strdup_printf ("%.*s://%s", (gint)(colon - url), url, host);
  user = g_uri_escape_string (server->username, NULL, FALSE);
  password = g_uri_escape_string (server->credential, NULL, FALSE);
  result = g_strdup_printf ("%.*s://%s:%s@%s", (gint)(colon - url), url, user, password, host);
  g_free (user);
  g_free (password);
  return result;
}

static gboolean
is_usable (GstRtcBin *self, const gchar *url)
{
  GError *error = NULL;

  if (!self->transport->check_server || self->transport->check_server (url, &error))
    return TRUE;
  GST_ELEMENT_WARNING (
      self, RESOURCE, SETTINGS, ("Of the signaling server's ICE servers one is left out. %s", error->message), (NULL));
  g_error_free (error);
  return FALSE;
}

static void
on_welcome (GstRtcBin *self, const RtcMessage *message)
{
  GPtrArray *urls = g_ptr_array_new ();

  if (!message->resumed && self->own_id && g_strcmp0 (self->own_id, message->peer_id))
    gst_rtc_bin_drop_peers (self, "signaling began anew");
  g_free (self->own_id);
  self->own_id = g_strdup (message->peer_id);
  for (guint i = 0; message->ice_servers && i < message->ice_servers->len; i++) {
    const RtcIceServer *server = g_ptr_array_index (message->ice_servers, i);

    for (guint j = 0; server->urls && server->urls[j]; j++) {
      gchar *url = url_for_agent (server->urls[j], server);

      if (url && is_usable (self, url))
        g_ptr_array_add (urls, url);
      else
        g_free (url);
    }
  }
  g_ptr_array_add (urls, NULL);
  g_strfreev (self->server_ice);
  self->server_ice = (gchar **)g_ptr_array_free (urls, FALSE);
}

static void
on_peer_message (GstRtcBin *self, const RtcMessage *message)
{
  GstRtcPeer *peer = message->from ? g_hash_table_lookup (self->peers, message->from) : NULL;

  /* An application without a server may begin with an offer. */
  if (!peer && message->from && message->type == RTC_MESSAGE_OFFER) {
    RtcPeerInfo *info = rtc_peer_info_new (message->from);

    info->offerer = g_strdup (message->from);
    peer_known (self, info);
    rtc_peer_info_free (info);
    peer = g_hash_table_lookup (self->peers, message->from);
  }
  if (peer)
    gst_rtc_peer_message (peer, message);
  else
    GST_DEBUG_OBJECT (self, "%s from %s, who is not known (any more)", message->type_name, message->from);
}

static void
dispatch (GstRtcBin *self, const RtcMessage *message)
{
  switch (message->type) {
    case RTC_MESSAGE_WELCOME:
      on_welcome (self, message);
      break;
    case RTC_MESSAGE_PEERS:
      peers_known (self, message->peers);
      break;
    case RTC_MESSAGE_JOINED:
      if (message->peers && message->peers->len)
        peer_known (self, g_ptr_array_index (message->peers, 0));
      break;
    case RTC_MESSAGE_LEFT:
      peer_gone (self, message->peer_id, message->reason ? message->reason : "left");
      break;
    case RTC_MESSAGE_ERROR:
      if (!message->from)
        GST_WARNING_OBJECT (self, "signaling server: %s: %s", message->code_name, message->reason);
      else
        on_peer_message (self, message);
      break;
    default:
      if (rtc_message_type_is_routed (message->type))
        on_peer_message (self, message);
      else
        GST_DEBUG_OBJECT (self, "a message of type %s is not for rtcbin", message->type_name);
  }
}

static void
incoming (gpointer data)
{
  Incoming *in = data;
  GError *error = NULL;
  RtcMessage *message;

  if (!in->bin->running)
    return;
  GST_LOG_OBJECT (in->bin, "in: %s", in->text);
  message = rtc_message_from_json (in->text, -1, &error);
  if (message) {
    dispatch (in->bin, message);
    rtc_message_free (message);
  } else {
    GST_ELEMENT_WARNING (
        in->bin, STREAM, DECODE, ("A signaling message was left out: %s", error->message), ("%.200s", in->text));
    g_error_free (error);
  }
}

void
gst_rtc_bin_handle_message (GstRtcBin *self, gchar *text)
{
  Incoming *in = g_new (Incoming, 1);

  *in = (Incoming){self, text};
  gst_rtc_loop_post (self->loop, incoming, in, incoming_free);
}

void
gst_rtc_bin_drop_peers (GstRtcBin *self, const gchar *reason)
{
  GList *ids = g_hash_table_get_keys (self->peers);

  for (GList *at = ids; at; at = at->next) {
    gchar *id = g_strdup (at->data);

    peer_gone (self, id, reason);
    g_free (id);
  }
  g_list_free (ids);
}

static void
count_tracks (GstRtcBin *self, guint counts[2])
{
  counts[0] = counts[1] = 0;
  g_mutex_lock (&self->tracks_lock);
  for (guint i = 0; i < self->tracks->len; i++)
    counts[gst_rtc_track_get_kind (g_ptr_array_index (self->tracks, i))]++;
  g_mutex_unlock (&self->tracks_lock);
}

/* Whether there is something to connect for without a stream. */
static gboolean
wants_data (GstRtcBin *self)
{
  return self->transport && self->transport->open_channel && gst_rtc_bin_data_is_wanted (self->data);
}

void
gst_rtc_bin_fill_signal_info (GstRtcBin *self, GstQuery *query)
{
  GstRtcBinSettings settings;
  guint counts[2];
  gchar *urls[3] = {NULL}, *features[] = {(gchar *)RTC_FEATURE_CHANNEL, NULL};
  guint n = 0;

  count_tracks (self, counts);
  gst_rtc_bin_get_settings (self, &settings);
  if (settings.stun_server)
    urls[n++] = settings.stun_server;
  if (settings.turn_server)
    urls[n++] = settings.turn_server;
  gst_rtc_signal_query_set (query,
      &(GstRtcSignalInfo){counts[0] + counts[1] > 0 || wants_data (self), counts[GST_RTC_KIND_VIDEO],
          counts[GST_RTC_KIND_AUDIO], self->transport && self->transport->make_restart,
          self->transport && self->transport->open_channel ? features : NULL, n ? urls : NULL});
  gst_rtc_bin_settings_clear (&settings);
}

static void
tell_counts (GstRtcBin *self)
{
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_UPDATE);
  guint counts[2];

  count_tracks (self, counts);
  message->has_tracks = TRUE;
  message->n_video = counts[GST_RTC_KIND_VIDEO];
  message->n_audio = counts[GST_RTC_KIND_AUDIO];
  message->role = counts[0] + counts[1] || wants_data (self) ? RTC_ROLE_BOTH : RTC_ROLE_RECEIVE;
  gst_rtc_bin_send (self, message);
}

void
gst_rtc_bin_data_wanted_changed (gpointer data)
{
  GstRtcBin *self = data;
  guint counts[2];

  count_tracks (self, counts);
  /* With a stream there is something to connect for anyway; before the start the signaling will ask. */
  if (self->running && self->tracks_signature && counts[0] + counts[1] == 0)
    tell_counts (self);
}

/* What peers were told of our tracks: another text means that they have to be told again. */
static gchar *
sign_tracks (const GArray *tracks)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < tracks->len; i++) {
    const GstRtcSdpTrack *track = &g_array_index (tracks, GstRtcSdpTrack, i);
    const GstStructure *s = gst_caps_get_structure (track->caps, 0);
    const gchar *profile = gst_structure_get_string (s, "profile-level-id");
    guint ssrc = 0;

    gst_structure_get_uint (s, "ssrc", &ssrc);
    g_string_append_printf (
        text, "%s %s %u %.4s;", track->name, track->codec->encoding_name, ssrc, profile ? profile : "");
  }
  return g_string_free (text, FALSE);
}

void
gst_rtc_bin_tracks_changed (GstRtcBin *self)
{
  GPtrArray *tracks;
  GArray *sdp_tracks;
  guint n_unknown;
  GHashTableIter iter;
  gpointer peer;
  gboolean was_known = self->tracks_signature != NULL;
  gchar *signature;

  sdp_tracks = gst_rtc_bin_snapshot_tracks (self, &tracks, &n_unknown);
  signature = sign_tracks (sdp_tracks);
  g_array_unref (sdp_tracks);
  g_ptr_array_unref (tracks);
  if (n_unknown || !self->running || g_strcmp0 (signature, self->tracks_signature) == 0) {
    g_free (signature);
    return;
  }
  g_free (self->tracks_signature);
  self->tracks_signature = signature;
  if (was_known)
    tell_counts (self);
  g_hash_table_iter_init (&iter, self->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer)) {
    if (was_known)
      gst_rtc_peer_tracks_changed (peer);
    else
      gst_rtc_peer_set_ready (peer);
  }
}

/* Asks the encoders of which it is time, and sets the timer for the others. */
static void
key_frames_now (gpointer user_data)
{
  GstRtcBin *self = user_data;
  GPtrArray *pads = g_ptr_array_new_with_free_func (gst_object_unref);
  gint64 now = g_get_monotonic_time () / 1000, next = G_MAXINT64;
  GstRtcBinSettings settings;

  self->key_frame_timer = NULL;
  get_numbers (self, &settings);
  g_mutex_lock (&self->tracks_lock);
  for (guint i = 0; i < self->tracks->len; i++) {
    GstRtcTrack *track = g_ptr_array_index (self->tracks, i);
    gint64 time = gst_rtc_track_get_key_frame_time (track, settings.keyframe_min_interval);

    if (time > now)
      next = MIN (next, time);
    else if (time >= 0)
      g_ptr_array_add (pads, gst_rtc_track_begin_key_frame (track, now));
  }
  g_mutex_unlock (&self->tracks_lock);
  if (next < G_MAXINT64)
    self->key_frame_timer = gst_rtc_loop_add_timeout (self->loop, next - now, key_frames_now, self);
  /* Without the lock: what is upstream may want to know rtcbin's stats. */
  for (guint i = 0; i < pads->len; i++)
    gst_pad_push_event (
        g_ptr_array_index (pads, i), gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, TRUE, 0));
  g_ptr_array_unref (pads);
}

void
gst_rtc_bin_request_key_frames (GstRtcBin *self, GstRtcTrack *track)
{
  g_mutex_lock (&self->tracks_lock);
  for (guint i = 0; i < self->tracks->len; i++) {
    if (!track || g_ptr_array_index (self->tracks, i) == track)
      gst_rtc_track_want_key_frame (g_ptr_array_index (self->tracks, i));
  }
  g_mutex_unlock (&self->tracks_lock);
  if (self->key_frame_timer)
    g_source_destroy (self->key_frame_timer);
  key_frames_now (self);
}
