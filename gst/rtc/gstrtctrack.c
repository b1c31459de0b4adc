/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtctrack.h"
#include "core/rtcmeter.h"

#include <gst/app/gstappsink.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <gst/rtp/gstrtphdrext.h>
#include <gst/video/video.h>
#include <string.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

/* What fits a path of 1280 bytes (IPv6's least) after IP, UDP, SRTP's tag, and the extensions that each peer adds. */
#define MTU 1184

typedef struct
{
  GstRtcTransportOutput output;
  gboolean started; /* it got a key frame */
  RtcMeter meter;
} Peer;

struct _GstRtcTrack
{
  /* set at construction */
  gchar *name;
  GstRtcKind kind;
  const GstRtcTrackEvents *events;
  gpointer user_data;
  GstElement *bin, *entry, *appsink;
  GstPad *pad;

  /* streaming thread */
  const GstRtcCodec *chain_codec; /* what stands between entry and appsink; NULL: nothing */
  gboolean chain_is_rtp;
  GPtrArray *chain; /* of GstElement, in the bin */
  gboolean next_is_key; /* the frame that is being payloaded */
  GstClockTime last_pts, last_dts;
  GstSegment segment;

  GMutex lock;
  /* under lock */
  GstCaps *caps;
  const GstRtcCodec *codec;
  GArray *peers; /* of Peer */
  GArray *outputs; /* of GstRtcTransportOutput, those that the list at hand goes to */
  RtcMeter meter;
  guint64 list_bytes; /* of the list that is being sent */
  guint64 frames, key_frames;
  guint key_frame_requests;
  gboolean key_frame_wanted;
  gint64 key_frame_at; /* milliseconds, monotonic: when the encoder was asked last */
};

/* Incoming frames. */

static gboolean
reorders (GstRtcTrack *self, GstBuffer *buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer), dts = GST_BUFFER_DTS (buffer);
  gboolean back;

  if (!GST_CLOCK_TIME_IS_VALID (pts))
    return FALSE;
  /* B-frames: decoding goes on while presentation goes back. When both go back, the source began anew. */
  back = GST_CLOCK_TIME_IS_VALID (self->last_pts) && pts < self->last_pts && GST_CLOCK_TIME_IS_VALID (dts)
      && GST_CLOCK_TIME_IS_VALID (self->last_dts) && dts > self->last_dts;
  self->last_pts = pts;
  self->last_dts = dts;
  return back;
}

static GstPadProbeReturn
frame_in (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  if (self->kind != GST_RTC_KIND_VIDEO)
    return GST_PAD_PROBE_OK;
  if (reorders (self, buffer)) {
    gchar *message = g_strdup_printf ("The %s stream on %s has B-frames, which no browser can play in time. Set the "
                                      "encoder to make none, such as x264enc tune=zerolatency or bframes=0",
        self->chain_codec->encoding_name, self->name);

    self->events->refused (self, message, self->user_data);
    g_free (message);
    gst_buffer_unref (buffer);
    GST_PAD_PROBE_INFO_DATA (info) = NULL;
    GST_PAD_PROBE_INFO_FLOW_RETURN (info) = GST_FLOW_ERROR;
    return GST_PAD_PROBE_HANDLED;
  }
  self->next_is_key = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  g_mutex_lock (&self->lock);
  self->frames++;
  self->key_frames += self->next_is_key;
  g_mutex_unlock (&self->lock);
  return GST_PAD_PROBE_OK;
}

/* The chain. */

static void
drop_chain (GstRtcTrack *self)
{
  for (guint i = 0; i < self->chain->len; i++) {
    GstElement *element = g_ptr_array_index (self->chain, i);

    gst_element_set_locked_state (element, TRUE);
    gst_element_set_state (element, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self->bin), element);
  }
  g_ptr_array_set_size (self->chain, 0);
  gst_element_unlink (self->entry, self->appsink);
  self->chain_codec = NULL;
}

static GstElement *
chain_add (GstRtcTrack *self, const gchar *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  gst_bin_add (GST_BIN (self->bin), element);
  g_ptr_array_add (self->chain, element);
  return element;
}

static void
set_props (GstElement *element, const gchar *props)
{
  gchar **pairs = g_strsplit (props, " ", 0);

  for (guint i = 0; pairs[i]; i++) {
    gchar *equals = strchr (pairs[i], '=');

    if (equals) {
      *equals = '\0';
      gst_util_set_object_arg (G_OBJECT (element), pairs[i], equals + 1);
    }
  }
  g_strfreev (pairs);
}

static void
add_audio_level (GstElement *payloader)
{
  GstRTPHeaderExtension *extension = gst_rtp_header_extension_create_from_uri (GST_RTC_EXT_AUDIO_LEVEL);

  /* Written when buffers carry a GstAudioLevelMeta (level audio-level-meta=true in front of the encoder). */
  if (extension) {
    gst_rtp_header_extension_set_id (extension, GST_RTC_PLAIN_EXT_AUDIO_LEVEL);
    g_signal_emit_by_name (payloader, "add-extension", extension);
    gst_object_unref (extension);
  }
}

static void
build_chain (GstRtcTrack *self, const GstRtcCodec *codec, gboolean is_rtp)
{
  GstElement *payloader;
  GstPad *sink;

  self->chain_codec = codec;
  self->chain_is_rtp = is_rtp;
  self->next_is_key = is_rtp;
  self->last_pts = self->last_dts = GST_CLOCK_TIME_NONE;
  if (is_rtp) {
    gst_element_link (self->entry, self->appsink);
    return;
  }
  if (codec->parser)
    chain_add (self, codec->parser);
  payloader = chain_add (self, codec->payloader);
  g_object_set (payloader, "mtu", MTU, "pt", codec->payload, NULL);
  set_props (payloader, codec->payloader_props);
  if (codec->kind == GST_RTC_KIND_AUDIO)
    add_audio_level (payloader);
  sink = gst_element_get_static_pad (payloader, "sink");
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, frame_in, self, NULL);
  gst_object_unref (sink);

  gst_element_link (payloader, self->appsink);
  for (guint i = self->chain->len; i-- > 0;) {
    GstElement *element = g_ptr_array_index (self->chain, i);

    gst_element_link (i ? g_ptr_array_index (self->chain, i - 1) : self->entry, element);
    gst_element_sync_state_with_parent (element);
  }
}

static GstPadProbeReturn
entry_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  const GstRtcCodec *codec;
  GstCaps *caps;
  gboolean is_rtp;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  codec = gst_rtc_codec_by_caps (caps);
  is_rtp = gst_structure_has_name (gst_caps_get_structure (caps, 0), "application/x-rtp");
  if (!codec) {
    gchar *text = gst_caps_to_string (caps);
    gchar *message = g_strdup_printf ("%s cannot send %s: no payloader for it is known or installed", self->name, text);

    self->events->refused (self, message, self->user_data);
    g_free (message);
    g_free (text);
    return GST_PAD_PROBE_DROP;
  }
  if (codec != self->chain_codec || is_rtp != self->chain_is_rtp) {
    drop_chain (self);
    build_chain (self, codec, is_rtp);
  }
  return GST_PAD_PROBE_OK;
}

/* An encoder is told what is taken, most portable first; a stream that says less about itself is taken as well. */
static GstPadProbeReturn
entry_query (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);
  GstCaps *taken = gst_rtc_codecs_sink_caps (self->kind, TRUE), *caps;

  if (GST_QUERY_TYPE (query) == GST_QUERY_CAPS) {
    gst_query_parse_caps (query, &caps);
    if (caps) {
      GstCaps *filtered = gst_caps_intersect_full (taken, caps, GST_CAPS_INTERSECT_FIRST);

      gst_caps_unref (taken);
      taken = filtered;
    }
    gst_query_set_caps_result (query, taken);
  } else if (GST_QUERY_TYPE (query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_parse_accept_caps (query, &caps);
    gst_query_set_accept_caps_result (query, gst_caps_can_intersect (taken, caps));
  } else {
    gst_caps_unref (taken);
    return GST_PAD_PROBE_OK;
  }
  gst_caps_unref (taken);
  return GST_PAD_PROBE_HANDLED;
}

/* Outgoing packets. */

static gboolean
same_for_peers (const GstCaps *a, const GstCaps *b)
{
  static const gchar *const fields[] = {"encoding-name", "ssrc", "profile-id"};
  const GstStructure *sa = gst_caps_get_structure (a, 0), *sb = gst_caps_get_structure (b, 0);
  const gchar *la = gst_structure_get_string (sa, "profile-level-id"),
              *lb = gst_structure_get_string (sb, "profile-level-id");

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    const GValue *va = gst_structure_get_value (sa, fields[i]), *vb = gst_structure_get_value (sb, fields[i]);

    if (!va != !vb || (va && gst_value_compare (va, vb) != GST_VALUE_EQUAL))
      return FALSE;
  }
  /* The level may change with the picture's size; the profile is what was agreed on. */
  return !la == !lb && (!la || strncmp (la, lb, 4) == 0);
}

static GstPadProbeReturn
sink_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstCaps *caps;
  gboolean changed;

  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
    gst_event_copy_segment (event, &self->segment);
  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps (event, &caps);
  GST_DEBUG_OBJECT (self->bin, "%s sends %" GST_PTR_FORMAT, self->name, caps);
  g_mutex_lock (&self->lock);
  changed = !self->caps || !same_for_peers (self->caps, caps);
  gst_caps_replace (&self->caps, caps);
  self->codec = self->chain_codec;
  g_mutex_unlock (&self->lock);
  if (changed)
    self->events->caps_changed (self, self->user_data);
  return GST_PAD_PROBE_OK;
}

static gboolean
to_running_time (GstBuffer **buffer, guint index, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstClockTime time = gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME, GST_BUFFER_PTS (*buffer));

  if (time != GST_BUFFER_PTS (*buffer)) {
    *buffer = gst_buffer_make_writable (*buffer);
    GST_BUFFER_PTS (*buffer) = time;
  }
  self->list_bytes += gst_buffer_get_size (*buffer);
  return TRUE;
}

static void
send_list (GstRtcTrack *self, GstBufferList *list)
{
  guint64 now = g_get_monotonic_time ();
  guint n = gst_buffer_list_length (list);

  g_mutex_lock (&self->lock);
  list = gst_buffer_list_make_writable (list);
  self->list_bytes = 0;
  gst_buffer_list_foreach (list, to_running_time, self);
  rtc_meter_add (&self->meter, n, self->list_bytes, now);
  g_array_set_size (self->outputs, 0);
  for (guint i = 0; i < self->peers->len; i++) {
    Peer *peer = &g_array_index (self->peers, Peer, i);

    peer->started |= self->next_is_key || self->kind != GST_RTC_KIND_VIDEO;
    if (peer->started) {
      g_array_append_val (self->outputs, peer->output);
      rtc_meter_add (&peer->meter, n, self->list_bytes, now);
    }
  }
  /* All connections of one rtcbin are of one kind. */
  if (self->outputs->len) {
    const GstRtcTransportOutput *outputs = (GstRtcTransportOutput *)self->outputs->data;

    outputs->transport->klass->send (outputs->transport->shared, self, outputs, self->outputs->len, list);
  }
  g_mutex_unlock (&self->lock);
  gst_buffer_list_unref (list);
}

static GstFlowReturn
new_sample (GstAppSink *appsink, gpointer user_data)
{
  GstRtcTrack *self = user_data;
  GstSample *sample = gst_app_sink_pull_sample (appsink);
  GstBufferList *list;

  if (!sample)
    return GST_FLOW_OK;
  if (gst_sample_get_buffer_list (sample)) {
    list = gst_buffer_list_ref (gst_sample_get_buffer_list (sample));
  } else {
    list = gst_buffer_list_new_sized (1);
    gst_buffer_list_add (list, gst_buffer_ref (gst_sample_get_buffer (sample)));
  }
  gst_sample_unref (sample);
  send_list (self, list);
  return GST_FLOW_OK;
}

/* From outside. */

GstRtcTrack *
gst_rtc_track_new (const gchar *name, GstRtcKind kind, const GstRtcTrackEvents *events, gpointer user_data)
{
  static GstAppSinkCallbacks callbacks = {.new_sample = new_sample};
  GstRtcTrack *self = g_new0 (GstRtcTrack, 1);
  GstPad *sink, *pad;

  self->name = g_strdup (name);
  self->kind = kind;
  self->events = events;
  self->user_data = user_data;
  self->chain = g_ptr_array_new ();
  self->peers = g_array_new (FALSE, FALSE, sizeof (Peer));
  self->outputs = g_array_new (FALSE, FALSE, sizeof (GstRtcTransportOutput));
  g_mutex_init (&self->lock);
  gst_segment_init (&self->segment, GST_FORMAT_TIME);

  self->bin = gst_object_ref_sink (gst_bin_new (NULL));
  /* Nothing but a pad to put probes on. identity would take lists of packets apart. */
  self->entry = gst_element_factory_make ("clocksync", NULL);
  g_object_set (self->entry, "sync", FALSE, NULL);
  self->appsink = gst_element_factory_make ("appsink", NULL);
  /* A sink that takes part in EOS and never holds anything back: live data goes out as it comes. */
  g_object_set (self->appsink, "sync", FALSE, "async", FALSE, "qos", FALSE, "buffer-list", TRUE, "enable-last-sample",
      FALSE, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (self->appsink), &callbacks, self, NULL);
  gst_bin_add_many (GST_BIN (self->bin), self->entry, self->appsink, NULL);

  pad = gst_element_get_static_pad (self->appsink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, sink_event, self, NULL);
  gst_object_unref (pad);
  sink = gst_element_get_static_pad (self->entry, "sink");
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, entry_event, self, NULL);
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH, entry_query, self, NULL);
  self->pad = gst_ghost_pad_new ("sink", sink);
  gst_element_add_pad (self->bin, self->pad);
  gst_object_unref (sink);
  return self;
}

void
gst_rtc_track_free (GstRtcTrack *self)
{
  gst_object_unref (self->bin);
  g_ptr_array_unref (self->chain);
  g_array_unref (self->peers);
  g_array_unref (self->outputs);
  gst_clear_caps (&self->caps);
  g_mutex_clear (&self->lock);
  g_free (self->name);
  g_free (self);
}

GstElement *
gst_rtc_track_get_bin (GstRtcTrack *self)
{
  return self->bin;
}

GstPad *
gst_rtc_track_get_pad (GstRtcTrack *self)
{
  return self->pad;
}

const gchar *
gst_rtc_track_get_name (GstRtcTrack *self)
{
  return self->name;
}

GstRtcKind
gst_rtc_track_get_kind (GstRtcTrack *self)
{
  return self->kind;
}

gboolean
gst_rtc_track_get_sdp (GstRtcTrack *self, GstRtcSdpTrack *sdp)
{
  gboolean known;

  g_mutex_lock (&self->lock);
  known = self->caps && self->codec;
  if (known)
    *sdp = (GstRtcSdpTrack){self->name, self->kind, self->codec, gst_caps_ref (self->caps)};
  g_mutex_unlock (&self->lock);
  return known;
}

void
gst_rtc_track_add_peer (GstRtcTrack *self, GstRtcTransport *transport, guint mline)
{
  Peer peer = {.output = {transport, mline}};

  g_mutex_lock (&self->lock);
  g_array_append_val (self->peers, peer);
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_track_remove_peer (GstRtcTrack *self, GstRtcTransport *transport)
{
  g_mutex_lock (&self->lock);
  for (guint i = self->peers->len; i-- > 0;) {
    if (g_array_index (self->peers, Peer, i).output.transport == transport)
      g_array_remove_index_fast (self->peers, i);
  }
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_track_want_key_frame (GstRtcTrack *self)
{
  g_mutex_lock (&self->lock);
  self->key_frame_wanted = self->kind == GST_RTC_KIND_VIDEO;
  g_mutex_unlock (&self->lock);
}

gint64
gst_rtc_track_get_key_frame_time (GstRtcTrack *self, guint interval)
{
  gint64 time = -1;

  g_mutex_lock (&self->lock);
  if (self->key_frame_wanted)
    time = self->key_frame_requests ? self->key_frame_at + interval : 0;
  g_mutex_unlock (&self->lock);
  return time;
}

GstPad *
gst_rtc_track_begin_key_frame (GstRtcTrack *self, gint64 now)
{
  g_mutex_lock (&self->lock);
  self->key_frame_wanted = FALSE;
  self->key_frame_at = now;
  self->key_frame_requests++;
  g_mutex_unlock (&self->lock);
  return gst_element_get_static_pad (self->appsink, "sink");
}

void
gst_rtc_track_add_stats (GstRtcTrack *self, GstStructure *stats)
{
  g_mutex_lock (&self->lock);
  gst_structure_set (stats, "pad", G_TYPE_STRING, self->name, "codec", G_TYPE_STRING,
      self->codec ? self->codec->encoding_name : "", "packets", G_TYPE_UINT64, self->meter.packets, "bytes",
      G_TYPE_UINT64, self->meter.bytes, "bitrate", G_TYPE_UINT64,
      rtc_meter_get_bitrate (&self->meter, g_get_monotonic_time ()), "frames", G_TYPE_UINT64, self->frames,
      "key-frames", G_TYPE_UINT64, self->key_frames, "key-frame-requests", G_TYPE_UINT, self->key_frame_requests,
      "peers", G_TYPE_UINT, self->peers->len, NULL);
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_track_add_peer_stats (GstRtcTrack *self, GstRtcTransport *transport, GstStructure *stats)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->peers->len; i++) {
    const Peer *peer = &g_array_index (self->peers, Peer, i);

    if (peer->output.transport == transport)
      gst_structure_set (stats, "packets-sent", G_TYPE_UINT64, peer->meter.packets, "bytes-sent", G_TYPE_UINT64,
          peer->meter.bytes, "bitrate-sent", G_TYPE_UINT64,
          rtc_meter_get_bitrate (&peer->meter, g_get_monotonic_time ()), NULL);
  }
  g_mutex_unlock (&self->lock);
}
