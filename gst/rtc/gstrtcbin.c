/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-rtcbin
 * @title: rtcbin
 * @short_description: WebRTC to any number of peers
 *
 * `rtcbin` connects to the peers that a signaling source names, such as #wssignalsrc on its pad `signal`.
 *
 * What is linked to `video_%u` and `audio_%u` goes to every peer: encoded streams, which it payloads itself, or
 * `application/x-rtp`. It is encoded once and packetised once, however many watch. What peers send comes out of
 * `video_src_%u` and `audio_src_%u`, depayloaded and parsed; the pads' properties `peer-id`, `mid` and `stream-name`
 * say whose it is.
 *
 * Peers come and go, and fail, without ending the pipeline; element messages tell of it:
 *
 * * `rtc-peer-joined` (`meta`), `rtc-peer-connected` (`session`, `setup-time`), `rtc-peer-disconnected` (`reason`),
 *   `rtc-peer-left` (`reason`),
 * * `rtc-data-channel` when a data channel is open: `label`, `protocol` (strings), `id`, `max-retransmits`,
 *   `max-packet-lifetime` (gint), `ordered`, `negotiated` (gboolean), `priority` (guint), `remote` (gboolean: the peer
 *   opened it), `taken` (gboolean: somebody here is attached to it; otherwise it is closed after 10 s),
 * * `rtc-data-channel-closed`: `label`, `protocol`, `id`, `remote`, `code` (`closed`, `link`, `peer`, `not-taken`,
 * ...), `reason` (a sentence), `lost-messages`, `lost-bytes` (guint64: what the peer sent and nobody took), `stats`
 * (its last ones, as in #GstRtcBin:stats; `messages-dropped` are those that were not sent any more),
 * * `rtc-peer-failed`: `stage` (`negotiation`, `ice`, `dtls` or `media`), `code` (as in the signaling protocol),
 * `reason` (a sentence: what was tried and what did not match), `retries` (whether it is tried again by itself).
 *
 * Each has `peer-id`, those of peers have `display-name`. A failure is a warning on the bus, too.
 *
 * The peer's certificate is compared with the fingerprint in its description before anything is sent to it or passed on
 * from it. No public server is asked for anything unless #GstRtcBin:stun-server or #GstRtcBin:turn-server says so.
 *
 * An application with signaling of its own leaves the pad `signal` alone: it hands messages of the native protocol to
 * the action signal #GstRtcBin::handle-message, and sends on those of #GstRtcBin::on-message.
 *
 * ## Example launch lines
 *
 * A camera for any number of browsers and pipelines, with its signaling server and its page:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc.
 * ]|
 *
 * Watch it from another pipeline (without the branch of what nobody sends: the sinks of one pipeline wait for each
 * other's first buffer):
 * |[
 * gst-launch-1.0 wssignalsrc uri=ws://127.0.0.1:8080 ! rtcbin name=rtc \
 *     rtc.video_src_0 ! decodebin ! videoconvert ! autovideosink \
 *     rtc.audio_src_0 ! decodebin ! audioconvert ! autoaudiosink
 * ]|
 *
 * Since: 0.1
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"
#include "gstrtcpeer.h"
#include "base/gstrtcsignal.h"

GST_DEBUG_CATEGORY (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

#define N_REAPERS 4

static GstStaticPadTemplate signal_template =
    GST_STATIC_PAD_TEMPLATE ("signal", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_RTC_SIGNAL_CAPS));

G_DEFINE_TYPE (GstRtcBin, gst_rtc_bin, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE (rtcbin, "rtcbin", GST_RANK_NONE, GST_TYPE_RTC_BIN)

/* The pad signal. */

static GstFlowReturn
signal_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  gchar *text;

  if (size > RTC_MAX_FRAME) {
    GST_ELEMENT_WARNING (parent, STREAM, DECODE,
        ("A signaling message of %" G_GSIZE_FORMAT " bytes was left out; %u are taken", size, RTC_MAX_FRAME), (NULL));
  } else {
    text = g_malloc (size + 1);
    gst_buffer_extract (buffer, 0, text, size);
    text[size] = '\0';
    gst_rtc_bin_handle_message (GST_RTC_BIN (parent), text);
  }
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static gboolean
signal_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  /* Signaling may end (a file of messages does): the connections go on. */
  gst_event_unref (event);
  return TRUE;
}

static gboolean
signal_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (!gst_rtc_signal_query_is (query))
    return gst_pad_query_default (pad, parent, query);
  gst_rtc_bin_fill_signal_info (GST_RTC_BIN (parent), query);
  return TRUE;
}

/* Messages of what is inside. */

typedef struct
{
  GstRtcBin *bin;
  GstObject *source;
  GError *error;
} InnerError;

static void
inner_error_free (gpointer data)
{
  InnerError *inner = data;

  gst_object_unref (inner->source);
  g_error_free (inner->error);
  g_free (inner);
}

static void
inner_error (gpointer data)
{
  InnerError *inner = data;
  GHashTableIter iter;
  gpointer peer;

  g_hash_table_iter_init (&iter, inner->bin->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer)) {
    if (gst_rtc_peer_element_error (peer, inner->source, inner->error))
      return;
  }
}

/* A peer's fault never ends the pipeline: what elements of a connection report stays inside. */
static void
gst_rtc_bin_handle_message_vfunc (GstBin *bin, GstMessage *message)
{
  GstRtcBin *self = GST_RTC_BIN (bin);

  if (!gst_rtc_connection_is_inside (GST_OBJECT (bin), GST_MESSAGE_SRC (message))) {
    GST_BIN_CLASS (gst_rtc_bin_parent_class)->handle_message (bin, message);
    return;
  }
  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR: {
      InnerError *inner = g_new0 (InnerError, 1);

      inner->bin = self;
      inner->source = gst_object_ref (GST_MESSAGE_SRC (message));
      gst_message_parse_error (message, &inner->error, NULL);
      GST_DEBUG_OBJECT (self, "%" GST_PTR_FORMAT, message);
      gst_rtc_loop_post (self->loop, inner_error, inner, inner_error_free);
      break;
    }
    case GST_MESSAGE_WARNING:
    case GST_MESSAGE_INFO:
    case GST_MESSAGE_ELEMENT:
    case GST_MESSAGE_EOS:
    case GST_MESSAGE_ASYNC_START:
    case GST_MESSAGE_ASYNC_DONE:
      GST_DEBUG_OBJECT (self, "%" GST_PTR_FORMAT, message);
      break;
    default:
      GST_BIN_CLASS (gst_rtc_bin_parent_class)->handle_message (bin, message);
      return;
  }
  gst_message_unref (message);
}

/* gst-launch-1.0 -e: what was received ends properly, a file is finished. */
static gboolean
gst_rtc_bin_send_event (GstElement *element, GstEvent *event)
{
  GList *pads = NULL;

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (gst_rtc_bin_parent_class)->send_event (element, event);
  GST_OBJECT_LOCK (element);
  for (GList *at = element->srcpads; at; at = at->next)
    pads = g_list_prepend (pads, gst_object_ref (at->data));
  GST_OBJECT_UNLOCK (element);
  for (GList *at = pads; at; at = at->next)
    gst_rtc_pad_end (GST_RTC_PAD (at->data));
  g_list_free_full (pads, gst_object_unref);
  gst_event_unref (event);
  return TRUE;
}

static gboolean
gst_rtc_bin_query (GstElement *element, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM
      && gst_rtc_data_hub_answer (query, gst_rtc_bin_data_get_hub (GST_RTC_BIN (element)->data)))
    return TRUE;
  return GST_ELEMENT_CLASS (gst_rtc_bin_parent_class)->query (element, query);
}

/* States. */

static gboolean
read_file (const gchar *path, gchar **text, GError **error)
{
  *text = NULL;
  return !path || g_file_get_contents (path, text, NULL, error);
}

static gboolean
check_server (GstRtcBin *self, const gchar *url, GError **error)
{
  return !url || !self->transport->check_server || self->transport->check_server (url, error);
}

static gboolean
start_transport (GstRtcBin *self, const GstRtcBinSettings *settings, GError **error)
{
  GstRtcTransportSetup setup = {.udp_port = settings->udp_port,
      .addresses = {settings->interfaces, settings->exclude_interfaces, settings->advertise_address}};
  gchar *certificate = NULL, *key = NULL;

  self->transport = gst_rtc_transport_find (settings->transport);
  if (settings->min_rtp_port > settings->max_rtp_port) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, "min-rtp-port (%u) is above max-rtp-port (%u)",
        settings->min_rtp_port, settings->max_rtp_port);
    return FALSE;
  }
  if (!self->transport->check (error) || !check_server (self, settings->stun_server, error)
      || !check_server (self, settings->turn_server, error))
    return FALSE;
  if (!self->transport->start) {
    if (!settings->udp_port && !settings->advertise_address && !settings->dtls_certificate && !settings->interfaces
        && !settings->exclude_interfaces)
      return TRUE;
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "The transport %s has no udp-port, interfaces, exclude-interfaces, advertise-address and dtls-certificate; use "
        "transport=native",
        self->transport->name);
    return FALSE;
  }
  if (read_file (settings->dtls_certificate, &certificate, error)
      && read_file (settings->dtls_private_key, &key, error)) {
    setup.certificate = certificate;
    setup.private_key = key ? key : certificate;
    self->shared = self->transport->start (&setup, error);
  }
  g_free (certificate);
  g_free (key);
  return self->shared != NULL;
}

static gboolean
prepare (GstRtcBin *self)
{
  GstRtcBinSettings settings;
  GError *error = NULL;
  gboolean started;

  gst_rtc_bin_get_settings (self, &settings);
  started = start_transport (self, &settings, &error);
  gst_rtc_bin_settings_clear (&settings);
  if (!started) {
    if (error->domain == GST_CORE_ERROR)
      GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN, ("%s", error->message), (NULL));
    else
      GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    g_error_free (error);
    return FALSE;
  }
  self->peers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->sources = gst_rtc_sources_new (GST_ELEMENT (self));
  g_mutex_lock (&self->tracks_lock);
  self->loop = gst_rtc_loop_new ("rtcbin");
  g_mutex_unlock (&self->tracks_lock);
  gst_rtc_bin_data_start (self->data, self->loop, gst_rtc_bin_data_wanted_changed, self);
  return TRUE;
}

static void
stop_on_loop (gpointer data)
{
  GstRtcBin *self = data;

  self->running = FALSE;
  if (self->key_frame_timer)
    g_source_destroy (self->key_frame_timer);
  self->key_frame_timer = NULL;
  g_clear_pointer (&self->tracks_signature, g_free);
  g_clear_pointer (&self->own_id, g_free);
  g_clear_pointer (&self->server_ice, g_strfreev);
  gst_rtc_bin_drop_peers (self, "stopped");
  gst_rtc_sources_clear (self->sources);
}

static void
start_on_loop (gpointer data)
{
  GstRtcBin *self = data;

  self->running = TRUE;
  gst_rtc_bin_tracks_changed (self);
}

static gpointer
warm_up (gpointer data)
{
  const GstRtcTransportClass *transport = data;

  if (transport->warm_up)
    transport->warm_up ();
  return NULL;
}

static void
start (GstRtcBin *self)
{
  self->reaper = g_thread_pool_new (gst_rtc_connection_reap, NULL, N_REAPERS, FALSE, NULL);
  gst_rtc_loop_call (self->loop, start_on_loop, self);
  /* Nobody waits for it: who needs what it makes finds it made, or being made. */
  self->warm_up = g_thread_new ("rtcbin-warm-up", warm_up, (gpointer)self->transport);
}

static void
stop (GstRtcBin *self)
{
  gst_rtc_loop_call (self->loop, stop_on_loop, self);
  g_clear_pointer (&self->warm_up, g_thread_join);
  /* Waits until every connection's elements are gone. */
  g_thread_pool_free (self->reaper, FALSE, TRUE);
  self->reaper = NULL;
}

static void
unprepare (GstRtcBin *self)
{
  GstRtcLoop *loop = self->loop;

  gst_rtc_bin_data_stop (self->data);
  g_mutex_lock (&self->tracks_lock);
  self->loop = NULL;
  g_mutex_unlock (&self->tracks_lock);
  gst_rtc_loop_free (loop);
  g_clear_pointer (&self->peers, g_hash_table_unref);
  g_clear_pointer (&self->sources, gst_rtc_sources_free);
  if (self->shared)
    self->transport->stop (self->shared);
  self->shared = NULL;
}

static GstStateChangeReturn
gst_rtc_bin_change_state (GstElement *element, GstStateChange transition)
{
  GstRtcBin *self = GST_RTC_BIN (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !prepare (self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
    start (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    stop (self);

  ret = GST_ELEMENT_CLASS (gst_rtc_bin_parent_class)->change_state (element, transition);

  if (ret == GST_STATE_CHANGE_FAILURE) {
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
      stop (self);
    if (transition == GST_STATE_CHANGE_NULL_TO_READY)
      unprepare (self);
    return ret;
  }
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    unprepare (self);
  /* Live: what peers send comes in PLAYING only. */
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    ret = GST_STATE_CHANGE_NO_PREROLL;
  return ret;
}

/* Object. */

static void
gst_rtc_bin_finalize (GObject *object)
{
  GstRtcBin *self = GST_RTC_BIN (object);

  for (guint i = 0; i < self->tracks->len; i++)
    gst_rtc_track_free (g_ptr_array_index (self->tracks, i));
  g_ptr_array_unref (self->tracks);
  g_mutex_clear (&self->tracks_lock);
  gst_rtc_bin_settings_clear (&self->settings);
  gst_rtc_data_hub_unref (gst_rtc_bin_data_get_hub (self->data));
  G_OBJECT_CLASS (gst_rtc_bin_parent_class)->finalize (object);
}

static void
gst_rtc_bin_init (GstRtcBin *self)
{
  gst_rtc_bin_settings_init (&self->settings);
  self->data = gst_rtc_bin_data_new (GST_ELEMENT (self));
  g_mutex_init (&self->tracks_lock);
  self->tracks = g_ptr_array_new ();

  self->signal = gst_pad_new_from_static_template (&signal_template, "signal");
  gst_pad_set_chain_function (self->signal, GST_DEBUG_FUNCPTR (signal_chain));
  gst_pad_set_event_function (self->signal, GST_DEBUG_FUNCPTR (signal_event));
  gst_pad_set_query_function (self->signal, GST_DEBUG_FUNCPTR (signal_query));
  gst_element_add_pad (GST_ELEMENT (self), self->signal);

  /* A sink while it has sink pads (their appsinks make it one); always a source, whose pads may come. */
  gst_bin_set_suppressed_flags (GST_BIN (self), GST_ELEMENT_FLAG_SOURCE);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE);
}

static void
add_templates (GstElementClass *klass)
{
  for (GstRtcKind kind = GST_RTC_KIND_VIDEO; kind <= GST_RTC_KIND_AUDIO; kind++) {
    GstCaps *sink = gst_rtc_codecs_sink_caps (kind, FALSE), *src = gst_caps_new_empty ();
    gchar *name = g_strdup_printf ("%s_%%u", gst_rtc_kind_to_string (kind));

    gst_element_class_add_pad_template (klass, gst_pad_template_new (name, GST_PAD_SINK, GST_PAD_REQUEST, sink));
    g_free (name);
    /* The encoded form of the same, without what a sink pad prefers. */
    for (guint i = 0; i < gst_caps_get_size (sink); i++) {
      const GstStructure *s = gst_caps_get_structure (sink, i);

      if (!gst_structure_has_name (s, "application/x-rtp"))
        gst_caps_append_structure (src, gst_structure_new_empty (gst_structure_get_name (s)));
    }
    name = g_strdup_printf ("%s_src_%%u", gst_rtc_kind_to_string (kind));
    gst_element_class_add_pad_template (
        klass, gst_pad_template_new_with_gtype (name, GST_PAD_SRC, GST_PAD_SOMETIMES, src, GST_TYPE_RTC_PAD));
    g_free (name);
    gst_caps_unref (sink);
    gst_caps_unref (src);
  }
  gst_element_class_add_static_pad_template (klass, &signal_template);
}

static void
gst_rtc_bin_class_init (GstRtcBinClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_rtc_bin_debug, "rtcbin", 0, "WebRTC to any number of peers");

  object_class->set_property = gst_rtc_bin_set_property;
  object_class->get_property = gst_rtc_bin_get_property;
  object_class->finalize = gst_rtc_bin_finalize;
  gst_rtc_bin_install_properties (object_class);
  gst_rtc_bin_install_signals (G_TYPE_FROM_CLASS (klass));

  element_class->change_state = GST_DEBUG_FUNCPTR (gst_rtc_bin_change_state);
  element_class->request_new_pad = GST_DEBUG_FUNCPTR (gst_rtc_bin_request_new_pad);
  element_class->release_pad = GST_DEBUG_FUNCPTR (gst_rtc_bin_release_pad);
  element_class->query = GST_DEBUG_FUNCPTR (gst_rtc_bin_query);
  element_class->send_event = GST_DEBUG_FUNCPTR (gst_rtc_bin_send_event);
  GST_BIN_CLASS (klass)->handle_message = GST_DEBUG_FUNCPTR (gst_rtc_bin_handle_message_vfunc);

  add_templates (element_class);
  gst_type_mark_as_plugin_api (GST_TYPE_RTC_PAD, 0);
  gst_element_class_set_static_metadata (element_class, "WebRTC to any number of peers", "Source/Sink/Network/WebRTC",
      "Sends what is linked to it to all peers, gives out what they send", "The rtclink developers");
}
