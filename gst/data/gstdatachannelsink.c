/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-datachannelsink
 * @title: datachannelsink
 * @short_description: Sends buffers as messages of a WebRTC data channel
 * @see_also: #GstDataChannelSrc, #GstRtcBin
 *
 * Opens a data channel of its #GstDataChannelSink:label with every peer of an rtcbin, or with one of them, and sends
 * each buffer as one message. Buffers of the caps `text/x-raw` (and `application/x-data-channel,kind=text`) go as text,
 * all others as binary.
 *
 * Each peer has a queue of its own, of at most #GstDataChannelSink:max-bytes and #GstDataChannelSink:max-time; what
 * happens when a peer is slower than what is sent is said by #GstDataChannelSink:overflow. With `block` the pipeline
 * waits, for ever if there is only one peer. Of several, one that took nothing for max-time is left behind until it
 * does again. With the other policies nobody waits for anybody.
 *
 * While there is no peer, a file or a pipe waits for one, and what a live source makes is dropped
 * (#GstDataChannelSink:wait-for-peer). At EOS it waits until everything was sent, and then, if it has opened the
 * channel and #GstDataChannelSink:close-on-eos is set, until the peer has it all: the channel is closed then, by which
 * a peer knows that there is no more.
 *
 * A buffer with a `GstRtcPeerMeta` that has the field `to` is sent to that peer only.
 *
 * ## Files
 *
 * With `delivery=file` what comes in up to EOS is one file, which each peer is to have as a whole: with its name, its
 * size as far as it is known, and its SHA-256, over a channel of the protocol `rtclink.file.1`, which `datachannelsrc
 * directory=…` and the page understand. Each peer gets it at its own speed, also one that comes late; after a broken
 * link a transfer goes on where it was, if the peer is back within #GstDataChannelSink:max-time. For that, what is
 * upstream must be seekable in bytes, as filesrc is; what is not goes at the pace of the slowest peer. EOS comes
 * through when each peer that is there has it, or has failed; a peer that stands still fails after a minute.
 *
 * Element messages tell of each: `rtc-file-begin`, `rtc-file-progress` (at most four a second), then `rtc-file-done`
 * or `rtc-file-failed`, with the fields `peer-id`, `id`, `name` (strings), `size` (int64, -1: not known) and `bytes`
 * (int64, that were sent). `rtc-file-done` has `sha256`, and comes when it is on the peer's disk; `rtc-file-failed` has
 * `code` (`cancelled`, `refused`, `exists`, `too-large`, `disk-full`, `digest`, `changed` or `protocol`) and `reason`
 * (strings). #GstDataChannelSink::cancel ends one.
 *
 * ## Example launch lines
 *
 * What is typed goes to every browser, beside a picture; the page shows it at http://127.0.0.1:8080/ :
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc. \
 *     fdsrc fd=0 ! datachannelsink label=telemetry
 * ]|
 * A file goes to whoever comes:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc. \
 *     filesrc location=/etc/os-release blocksize=65536 ! datachannelsink label=map delivery=file
 * ]|
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsink.h"

#include <string.h>

#include "core/rtcjsonfile.h"
#include "gstrtcdatameta.h"

GST_DEBUG_CATEGORY (gst_data_channel_sink_debug);
#define GST_CAT_DEFAULT gst_data_channel_sink_debug

/* What is as small is copied; larger ones keep their buffer, unless it belongs to a pool that somebody waits for. */
#define COPY_BYTES 4096

#define TIME_TEXT_BIT (G_GUINT64_CONSTANT (1) << 63)

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_FINAL_TYPE (GstDataChannelSink, gst_data_channel_sink, GST_TYPE_BASE_SINK);
GST_ELEMENT_REGISTER_DEFINE (datachannelsink, "datachannelsink", GST_RANK_NONE, GST_TYPE_DATA_CHANNEL_SINK);

RtcDataQueue *
gst_data_channel_sink_new_queue (GstDataChannelSink *self)
{
  RtcDataLimits limits = {self->overflow, self->max_bytes, self->max_time * G_TIME_SPAN_MILLISECOND};

  return rtc_data_queue_new (&limits, gst_rtc_sink_message_unref);
}

static void
on_refused (const gchar *peer_id, const GError *error, gpointer user_data)
{
  GstDataChannelSink *self = user_data;

  GST_ELEMENT_WARNING (self, RESOURCE, OPEN_WRITE,
      ("Peer %s gets nothing of what is sent on the data channel \"%s\": %s", peer_id,
          self->config.init.label ? self->config.init.label : "", error->message),
      (NULL));
}

void
gst_data_channel_sink_attach (GstDataChannelSink *self)
{
  GstRtcDataUser user = {
      .init = &self->init,
      .opens = TRUE,
      .peer_id = self->config.peer_id,
      .channel = self->file ? gst_rtc_sink_file_on_channel : gst_rtc_sink_peer_on_channel,
      .refused = on_refused,
      .user_data = gst_object_ref (self),
      .notify = gst_object_unref,
  };

  g_mutex_lock (&self->lock);
  gst_rtc_channel_init_clear (&self->init);
  self->init = gst_rtc_channel_init_copy (&self->config.init);
  if (self->timestamps) {
    g_free (self->init.protocol);
    self->init.protocol = g_strdup (GST_RTC_DATA_TIME_PROTOCOL);
  }
  if (self->file) {
    g_free (self->init.protocol);
    self->init.protocol = g_strdup (RTC_FILE_PROTOCOL);
  }
  g_mutex_unlock (&self->lock);
  self->attached = self->hub->klass->attach (self->hub, &user);
  self->is_closed = FALSE;
}

void
gst_data_channel_sink_detach (GstDataChannelSink *self)
{
  if (self->attached != 0)
    self->hub->klass->detach (self->hub, self->attached);
  self->attached = 0;
}

static gboolean
check_file_settings (GstDataChannelSink *self, GError **error)
{
  if (self->timestamps || self->reply || self->overflow != RTC_DATA_OVERFLOW_BLOCK
      || self->wait_for_peer == GST_DATA_CHANNEL_WAIT_NO || self->kind == GST_DATA_CHANNEL_KIND_TEXT) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "delivery=file sends all of a file, to all peers, in its own way: leave out timestamps, reply, overflow, "
        "wait-for-peer and kind");
    return FALSE;
  }
  return gst_rtc_data_config_check (&self->config, error)
      && gst_rtc_data_config_check_files (&self->config, "delivery=file", error);
}

static gboolean
check_settings (GstDataChannelSink *self, GError **error)
{
  const gchar *protocol = self->config.init.protocol;

  if (self->timestamps && self->config.channel && g_strcmp0 (protocol, GST_RTC_DATA_TIME_PROTOCOL) != 0) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "timestamps=true needs a channel of the protocol \"%s\", and this one has \"%s\": create it with that "
        "protocol, "
        "or leave timestamps out",
        GST_RTC_DATA_TIME_PROTOCOL, protocol ? protocol : "");
    return FALSE;
  }
  if (self->timestamps && !self->config.channel && protocol && *protocol) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "timestamps=true makes the protocol \"%s\", so protocol=%s cannot be set as well: leave out one of the two",
        GST_RTC_DATA_TIME_PROTOCOL, protocol);
    return FALSE;
  }
  if (self->delivery == GST_DATA_CHANNEL_DELIVERY_FILE)
    return check_file_settings (self, error);
  if (self->file_name) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "file-name=%s is set, and messages have no name: set delivery=file, too, or leave out file-name",
        self->file_name);
    return FALSE;
  }
  return gst_rtc_data_config_check (&self->config, error);
}

static void
post_error (GstDataChannelSink *self, const GError *error)
{
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_ERROR, error->domain, error->code,
      g_strdup (error->message), NULL, __FILE__, GST_FUNCTION, __LINE__);
}

static gboolean
open_hub (GstDataChannelSink *self)
{
  GstRtcDataHub *hub = NULL;
  GError *error = NULL;

  if (check_settings (self, &error))
    hub = gst_rtc_data_config_find_hub (&self->config, GST_ELEMENT (self), &error);
  if (!hub) {
    post_error (self, error);
    g_error_free (error);
    return FALSE;
  }
  g_mutex_lock (&self->lock);
  self->hub = hub;
  self->hold = gst_data_channel_sink_new_queue (self);
  self->sent = self->dropped = (RtcDataCount){0};
  self->buffers = self->bytes = 0;
  g_mutex_unlock (&self->lock);
  self->upstream_is_live = -1;
  self->is_text = FALSE;
  if (self->delivery == GST_DATA_CHANNEL_DELIVERY_FILE)
    gst_rtc_sink_file_start (self);
  gst_data_channel_sink_attach (self);
  return TRUE;
}

static void
close_hub (GstDataChannelSink *self)
{
  GstRtcDataHub *hub;
  RtcDataCount dropped;

  if (!self->hub)
    return;
  gst_rtc_sink_file_stop (self);
  gst_data_channel_sink_detach (self);
  g_mutex_lock (&self->lock);
  gst_rtc_sink_peer_remove_all (self);
  rtc_data_queue_clear (self->hold);
  dropped = rtc_data_queue_get_dropped (self->hold);
  self->dropped.messages += dropped.messages;
  self->dropped.bytes += dropped.bytes;
  g_clear_pointer (&self->hold, rtc_data_queue_free);
  hub = g_steal_pointer (&self->hub);
  g_mutex_unlock (&self->lock);
  gst_rtc_data_hub_unref (hub);
}

static void
set_starting (GstDataChannelSink *self, gboolean is_starting)
{
  g_mutex_lock (&self->lock);
  self->is_starting = is_starting;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static GstStateChangeReturn
gst_data_channel_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (element);
  GstStateChangeReturn result;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open_hub (self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    set_starting (self, TRUE);
  result = GST_ELEMENT_CLASS (gst_data_channel_sink_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    set_starting (self, FALSE);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    close_hub (self);
  return result;
}

static gboolean
gst_data_channel_sink_set_caps (GstBaseSink *sink, GstCaps *caps)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (sink);
  const GstStructure *s = gst_caps_get_structure (caps, 0);

  self->is_text = gst_structure_has_name (s, "text/x-raw")
      || (gst_structure_has_name (s, "application/x-data-channel")
          && g_strcmp0 (gst_structure_get_string (s, "kind"), "text") == 0);
  if (self->file)
    gst_rtc_sink_file_set_caps (self, caps);
  return TRUE;
}

/* When BUFFER was captured, microseconds since 1970. Without a time: now. */
static guint64
capture_time (GstDataChannelSink *self, GstBuffer *buffer)
{
  GstSegment *segment = &GST_BASE_SINK (self)->segment;
  GstClockTime running = GST_CLOCK_TIME_NONE;
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (self));
  gint64 wall = g_get_real_time ();

  if (segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID (buffer))
    running = gst_segment_to_running_time (segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  if (clock && GST_CLOCK_TIME_IS_VALID (running)) {
    GstClockTime captured = running + gst_element_get_base_time (GST_ELEMENT (self));

    wall -= GST_CLOCK_DIFF (captured, gst_clock_get_time (clock)) / GST_USECOND;
  }
  if (clock)
    gst_object_unref (clock);
  return MAX (wall, 0);
}

typedef struct
{
  GstBuffer *buffer;
  GstMapInfo map;
} Mapped;

static void
mapped_free (gpointer data)
{
  Mapped *mapped = data;

  gst_buffer_unmap (mapped->buffer, &mapped->map);
  gst_buffer_unref (mapped->buffer);
  g_free (mapped);
}

static GBytes *
wrap_buffer (GstBuffer *buffer)
{
  Mapped *mapped = g_new (Mapped, 1);

  if (!gst_buffer_map (buffer, &mapped->map, GST_MAP_READ)) {
    g_free (mapped);
    return NULL;
  }
  mapped->buffer = gst_buffer_ref (buffer);
  return g_bytes_new_with_free_func (mapped->map.data, mapped->map.size, mapped_free, mapped);
}

/* BUFFER's bytes, after the time that it was captured at. NULL: it cannot be read. */
static GBytes *
make_bytes (GstDataChannelSink *self, GstBuffer *buffer, gboolean is_text)
{
  gsize size = gst_buffer_get_size (buffer);
  gsize begin = self->timestamps ? 8 : 0;
  guint8 *copy;

  if (begin == 0 && size > COPY_BYTES && !buffer->pool)
    return wrap_buffer (buffer);
  copy = g_malloc (begin + size + 1);
  if (begin > 0)
    GST_WRITE_UINT64_BE (copy, capture_time (self, buffer) | (is_text ? TIME_TEXT_BIT : 0));
  if (gst_buffer_extract (buffer, 0, copy + begin, size) != size) {
    g_free (copy);
    return NULL;
  }
  return g_bytes_new_take (copy, begin + size);
}

static gboolean
is_utf8 (GBytes *bytes)
{
  gsize size;
  const gchar *text = g_bytes_get_data (bytes, &size);

  return size == 0 || g_utf8_validate_len (text, size, NULL);
}

static const gchar *
find_receiver (GstDataChannelSink *self, GstBuffer *buffer)
{
  const gchar *to = gst_rtc_peer_meta_get (buffer, "to");

  if (!to && self->reply)
    to = gst_rtc_peer_meta_get (buffer, "peer-id");
  return to;
}

static GstFlowReturn
gst_data_channel_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (sink);
  gboolean is_text =
      self->kind == GST_DATA_CHANNEL_KIND_AUTO ? self->is_text : self->kind == GST_DATA_CHANNEL_KIND_TEXT;
  GstRtcSinkMessage *message;
  GstFlowReturn flow;
  GBytes *bytes;

  if (self->file)
    return gst_rtc_sink_file_render (self, buffer);
  bytes = make_bytes (self, buffer, is_text);
  if (!bytes) {
    GST_ELEMENT_ERROR (self, RESOURCE, READ, ("A buffer's memory cannot be read"), (NULL));
    return GST_FLOW_ERROR;
  }
  if (is_text && !self->timestamps && !is_utf8 (bytes)) {
    GST_ELEMENT_WARNING (self, STREAM, FORMAT,
        ("A message of %zu bytes was dropped: it is to go as text, and is not UTF-8. Set kind=binary.",
            g_bytes_get_size (bytes)),
        (NULL));
    g_mutex_lock (&self->lock);
    gst_data_channel_sink_count_dropped (self, g_bytes_get_size (bytes));
    g_mutex_unlock (&self->lock);
    g_bytes_unref (bytes);
    return GST_FLOW_OK;
  }
  if (self->is_closed) /* something comes after EOS: it was flushed */
    gst_data_channel_sink_attach (self);
  message = g_atomic_rc_box_new (GstRtcSinkMessage);
  message->bytes = bytes;
  message->is_text = is_text && !self->timestamps;
  message->time = g_get_monotonic_time ();
  flow = gst_data_channel_sink_send (self, message, find_receiver (self, buffer));
  gst_rtc_sink_message_unref (message);
  return flow;
}

static GstFlowReturn
gst_data_channel_sink_wait_event (GstBaseSink *sink, GstEvent *event)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (sink);
  GstFlowReturn flow = GST_BASE_SINK_CLASS (gst_data_channel_sink_parent_class)->wait_event (sink, event);

  if (flow == GST_FLOW_OK && GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    flow = self->file ? gst_rtc_sink_file_drain (self) : gst_data_channel_sink_drain (self);
  return flow;
}

static gboolean
gst_data_channel_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (sink);

  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT && self->file) {
    const GstSegment *segment;

    gst_event_parse_segment (event, &segment);
    gst_rtc_sink_file_set_segment (self, segment);
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    g_mutex_lock (&self->lock);
    for (guint i = 0; self->hold && i < self->peers->len; i++) {
      GstRtcSinkPeer *peer = g_ptr_array_index (self->peers, i);

      rtc_data_queue_clear (peer->queue);
    }
    if (self->hold)
      rtc_data_queue_clear (self->hold);
    g_mutex_unlock (&self->lock);
  }
  return GST_BASE_SINK_CLASS (gst_data_channel_sink_parent_class)->event (sink, event);
}

static void
set_unlocked (GstBaseSink *sink, gboolean is_unlocked)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (sink);

  g_mutex_lock (&self->lock);
  self->is_unlocked = is_unlocked;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static gboolean
gst_data_channel_sink_unlock (GstBaseSink *sink)
{
  set_unlocked (sink, TRUE);
  return TRUE;
}

static gboolean
gst_data_channel_sink_unlock_stop (GstBaseSink *sink)
{
  set_unlocked (sink, FALSE);
  return TRUE;
}

static void
gst_data_channel_sink_finalize (GObject *object)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (object);

  gst_rtc_channel_init_clear (&self->init);
  gst_rtc_data_config_clear (&self->config);
  g_free (self->file_name);
  g_ptr_array_unref (self->peers);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_data_channel_sink_parent_class)->finalize (object);
}

static void
gst_data_channel_sink_init (GstDataChannelSink *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->peers = g_ptr_array_new_with_free_func (gst_rtc_sink_peer_unref);
  gst_data_channel_sink_init_properties (self);
  /* A message goes out when it comes, and a pipeline does not wait with its picture for the first one. */
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_async_enabled (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

static void
gst_data_channel_sink_class_init (GstDataChannelSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_data_channel_sink_debug, "datachannelsink", 0, "data channels: sending");
  gst_rtc_peer_meta_register ();

  object_class->finalize = gst_data_channel_sink_finalize;
  gst_data_channel_sink_install_properties (object_class);

  element_class->change_state = gst_data_channel_sink_change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "WebRTC data channel sink", "Sink/Network",
      "Sends buffers as messages of a data channel to the peers of an rtcbin", "rtclink");

  sink_class->set_caps = gst_data_channel_sink_set_caps;
  sink_class->render = gst_data_channel_sink_render;
  sink_class->event = gst_data_channel_sink_event;
  sink_class->wait_event = gst_data_channel_sink_wait_event;
  sink_class->unlock = gst_data_channel_sink_unlock;
  sink_class->unlock_stop = gst_data_channel_sink_unlock_stop;
}
