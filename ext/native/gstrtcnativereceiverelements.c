/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* appsrc -> rtpbin, RTP and RTCP through the one source, so that they cost one thread and keep their order. What has to
 * be known of rtpbin, read and measured on 1.22:
 *
 * - A flow error of one stream comes back to the source and would end all of them: it stops at the probe here.
 * - A jitterbuffer that holds 10,000 packets blocks who brings the next one, which is the thread of all streams.
 * - clear-ssrc waits for the stream's thread, which may be downstream, with rtpbin's lock held.
 * - The RTP session's transport-wide feedback loses count (a packet that is late by a report stays lost, numbers wrap
 *   wrongly, freed statistics are read). It writes none as long as no caps here name the extension: RtcTwcc does.
 * - A report about an unknown SSRC makes a jitterbuffer with its threads, a CSRC or an SDES item an RTPSource.
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativereceiverpriv.h"
#include "base/gstrtcrtpsession.h"

#include <gst/app/gstappsrc.h>
#include <stdio.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_native_receiver_debug);
#define GST_CAT_DEFAULT gst_rtc_native_receiver_debug

#define QUEUE_BYTES (1024 * 1024) /* a second of 8 Mbit/s waits at most before the source's thread */

/* Regular reports come after 0.5 to 1.5 of this (RFC 4585, section 3.5.3), so each within a second. */
#define REPORT_INTERVAL (650 * GST_MSECOND)

/* How far downstream may be behind before the oldest packets are dropped. */
#define MAX_BEHIND (2 * GST_SECOND)
#define MAX_WAITING 1024 /* packets, and those of the latency at 4 a millisecond */
#define MAX_QUEUED 8000 /* rtpjitterbuffer blocks at 10,000 */

/* How long a lost packet of video is waited for, milliseconds, whatever the latency is: what it is for comes late then,
 * but without it nothing comes until the key frame that is asked for, which is not there earlier and ten times as
 * large. Time for some round trips, as retransmissions and requests for them are lost, too. */
#define PATIENCE 1000

/* So many packets in a row and a stream begins, without waiting for the latency: that is what the one who plays it
 * does. With one alone it could be the wrong one, when they come out of order. */
#define FASTSTART 2

/* Where packets come out. */

/* Lock held. */
static void
set_behind (GstRtcStream *stream, gboolean behind)
{
  if (stream->behind == behind || !stream->jitterbuffer)
    return;
  stream->behind = behind;
  GST_INFO_OBJECT (stream->jitterbuffer, "SSRC %08x: %s", stream->ssrc,
      behind ? "downstream does not keep up, old packets are dropped" : "downstream keeps up again");
  g_object_set (stream->jitterbuffer, "drop-on-latency", behind, NULL);
}

void
gst_rtc_native_receiver_count_waiting (GstRtcNativeReceiver *self, GstRtcStream *stream)
{
  if (++stream->waiting > MIN (MAX_WAITING + 4 * self->latency, MAX_QUEUED))
    set_behind (stream, TRUE);
}

/* Patience is no latency: who plays the stream waits for the latency that was asked for, always, and the jitterbuffer
 * for what was lost, then only. */
static GstPadProbeReturn
on_query (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcStream *stream = user_data;
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);
  GstClockTime min, max, patience;
  gboolean live;

  /* What is pulled has its answer. */
  if (!(info->type & GST_PAD_PROBE_TYPE_PULL) || GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&stream->receiver->lock);
  patience = stream->patience * GST_MSECOND;
  g_mutex_unlock (&stream->receiver->lock);
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min > patience ? min - patience : 0, max);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_output (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcStream *stream = user_data;
  GstRtcNativeReceiver *self = stream->receiver;
  GstBuffer *buffer = info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST
      ? gst_buffer_list_get (GST_PAD_PROBE_INFO_BUFFER_LIST (info), 0)
      : GST_PAD_PROBE_INFO_BUFFER (info);
  GstClockTime now = gst_element_get_current_running_time (self->rtpbin);
  GstClockTime limit = MAX_BEHIND + self->latency * GST_MSECOND;

  g_mutex_lock (&self->lock);
  stream->waiting = 0;
  set_behind (stream,
      GST_CLOCK_TIME_IS_VALID (now) && GST_BUFFER_PTS_IS_VALID (buffer) && now > GST_BUFFER_PTS (buffer) + limit);
  g_mutex_unlock (&self->lock);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
drop (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return GST_PAD_PROBE_DROP;
}

static GstPadProbeReturn
on_idle (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_atomic_int_set (&((GstRtcStream *)user_data)->idle, TRUE);
  return GST_PAD_PROBE_REMOVE;
}

void
gst_rtc_native_receiver_shut (GstRtcStream *stream)
{
  if (!stream->pad) {
    g_atomic_int_set (&stream->idle, TRUE);
    return;
  }
  gst_pad_add_probe (stream->pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, drop, NULL, NULL);
  if (stream->hold)
    gst_pad_remove_probe (stream->pad, stream->hold);
  stream->hold = 0;
  /* At once, or in the stream's thread when that comes back. */
  gst_pad_add_probe (stream->pad, GST_PAD_PROBE_TYPE_IDLE, on_idle, stream, NULL);
}

/* A stream's thread, before anything was pushed. */
static void
on_pad_added (GstElement *rtpbin, GstPad *pad, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  guint ssrc = 0, payload;
  GstRtcStream *stream;
  gboolean live;

  if (sscanf (GST_PAD_NAME (pad), "recv_rtp_src_0_%u_%u", &ssrc, &payload) != 2)
    return;
  g_mutex_lock (&self->lock);
  stream = gst_rtc_native_receiver_find (self, ssrc);
  live = stream && stream->state == GST_RTC_STREAM_LIVE && !stream->pad;
  if (live) {
    stream->pad = gst_object_ref (pad);
    stream->hold = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, hold, NULL, NULL);
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, on_output, stream, NULL);
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM, on_query, stream, NULL);
  } else {
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, drop, NULL, NULL);
  }
  g_mutex_unlock (&self->lock);
  if (!live)
    return;
  g_mutex_lock (&self->events_lock);
  if (!self->closed)
    self->events->stream (stream->line->mline, stream->rid, pad, self->user_data);
  g_mutex_unlock (&self->events_lock);
}

/* What rtpbin asks. */

static GstCaps *
on_request_pt_map (GstElement *rtpbin, guint session, guint payload, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  GstCaps *caps = g_hash_table_lookup (self->formats, GUINT_TO_POINTER (payload));

  return caps ? gst_caps_ref (caps) : NULL;
}

static void
add_ghost (GstElement *bin, GstElement *element, const gchar *name, const gchar *ghost_name)
{
  GstPad *pad = gst_element_get_static_pad (element, name);

  gst_element_add_pad (bin, gst_ghost_pad_new (ghost_name, pad));
  gst_object_unref (pad);
}

/* rtpbin wants a number in the names of the pads. */
static GstElement *
on_request_aux_receiver (GstElement *rtpbin, guint session, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  GstElement *bin;

  if (!self->rtx_payloads)
    return NULL;
  self->rtx = gst_element_factory_make ("rtprtxreceive", NULL);
  if (!self->rtx)
    return NULL;
  gst_object_ref_sink (self->rtx);
  g_object_set (self->rtx, "payload-type-map", self->rtx_payloads, NULL);
  bin = gst_bin_new (NULL);
  gst_bin_add (GST_BIN (bin), self->rtx);
  add_ghost (bin, self->rtx, "sink", "sink_0");
  add_ghost (bin, self->rtx, "src", "src_0");
  return bin;
}

/* Lock held. */
static void
set_up_jitterbuffer (GstRtcNativeReceiver *self, GstRtcStream *stream, GstElement *jitterbuffer)
{
  GstCaps *caps = g_hash_table_lookup (self->formats, GINT_TO_POINTER (stream->line->payload));
  gboolean nack = gst_structure_has_field (gst_caps_get_structure (caps, 0), "rtcp-fb-nack");

  stream->patience = 0;
  stream->is_patient = nack && stream->line->kind == GST_RTC_KIND_VIDEO && self->latency < PATIENCE;
  if (stream->is_patient)
    stream->patience = PATIENCE - self->latency;
  /* It would expect the next packet when it thinks that it is time, and take it for lost before it is sent. */
  g_object_set (jitterbuffer, "do-retransmission", nack, "rtx-next-seqnum", FALSE, "latency",
      self->latency + stream->patience, "faststart-min-packets", FASTSTART, NULL);
}

void
gst_rtc_native_receiver_set_patient (GstRtcNativeReceiver *self, gboolean patient)
{
  GPtrArray *jitterbuffers = g_ptr_array_new_with_free_func (gst_object_unref);
  guint latency = MAX (self->latency, patient ? PATIENCE : 0);

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->state != GST_RTC_STREAM_LIVE || !stream->jitterbuffer || !stream->is_patient)
      continue;
    stream->patience = latency - self->latency;
    g_ptr_array_add (jitterbuffers, gst_object_ref (stream->jitterbuffer));
  }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < jitterbuffers->len; i++)
    g_object_set (g_ptr_array_index (jitterbuffers, i), "latency", latency, NULL);
  g_ptr_array_unref (jitterbuffers);
}

/* The source's thread, with locks of rtpbin held. */
static void
on_new_jitterbuffer (GstElement *rtpbin, GstElement *jitterbuffer, guint session, guint ssrc, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  GstRtcStream *stream;

  g_mutex_lock (&self->lock);
  stream = gst_rtc_native_receiver_find (self, ssrc);
  if (stream) {
    gst_object_replace ((GstObject **)&stream->jitterbuffer, GST_OBJECT (jitterbuffer));
    set_up_jitterbuffer (self, stream, jitterbuffer);
  }
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_native_receiver_map_rtx (GstRtcNativeReceiver *self)
{
  GstStructure *map;

  if (!self->rtx || !g_object_class_find_property (G_OBJECT_GET_CLASS (self->rtx), "ssrc-map"))
    return;
  map = gst_structure_new_empty ("application/x-rtp-ssrc-map");
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->streams->len; i++) {
    const GstRtcStream *stream = g_ptr_array_index (self->streams, i);
    gchar name[12];

    if (!stream->rtx_ssrc || stream->state != GST_RTC_STREAM_LIVE)
      continue;
    g_snprintf (name, sizeof (name), "%u", stream->ssrc);
    gst_structure_set (map, name, G_TYPE_UINT, stream->rtx_ssrc, NULL);
    /* It looks for the other direction in the same table, and takes no notice of requests whose RTX it finds there;
     * the others it refuses while another stream lacks the packet of the same number. */
    g_snprintf (name, sizeof (name), "%u", stream->rtx_ssrc);
    gst_structure_set (map, name, G_TYPE_UINT, stream->ssrc, NULL);
  }
  g_mutex_unlock (&self->lock);
  g_object_set (self->rtx, "ssrc-map", map, NULL);
  gst_structure_free (map);
}

/* RTCP threads of the session. */
static GstPadProbeReturn
on_rtcp (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  GstMapInfo map;

  if (!gst_buffer_map (GST_PAD_PROBE_INFO_BUFFER (info), &map, GST_MAP_READ))
    return GST_PAD_PROBE_DROP;
  g_mutex_lock (&self->events_lock);
  if (!self->closed)
    self->events->rtcp (map.data, map.size, self->user_data);
  g_mutex_unlock (&self->events_lock);
  gst_buffer_unmap (GST_PAD_PROBE_INFO_BUFFER (info), &map);
  return GST_PAD_PROBE_DROP;
}

/* Where packets go in: the source's thread. */

/* A stream whose place another one took is taken out here, where no packet of it can be under way. */
static void
clear_ended (GstRtcNativeReceiver *self)
{
  for (guint i = 0;; i++) {
    GstRtcStream *stream;

    g_mutex_lock (&self->lock);
    stream = i < self->streams->len && !self->closed ? g_ptr_array_index (self->streams, i) : NULL;
    if (stream && (stream->state != GST_RTC_STREAM_ENDING || !g_atomic_int_get (&stream->idle))) {
      g_mutex_unlock (&self->lock);
      continue;
    }
    g_mutex_unlock (&self->lock);
    if (!stream)
      return;
    g_signal_emit_by_name (self->rtpbin, "clear-ssrc", 0, stream->ssrc);
    g_mutex_lock (&self->lock);
    gst_clear_object (&stream->pad);
    gst_clear_object (&stream->jitterbuffer);
    stream->state = GST_RTC_STREAM_ENDED;
    g_mutex_unlock (&self->lock);
  }
}

static gboolean
is_live (GstRtcNativeReceiver *self, guint32 ssrc)
{
  GstRtcStream *stream;
  gboolean live;

  g_mutex_lock (&self->lock);
  stream = gst_rtc_native_receiver_find (self, ssrc);
  live = stream && stream->state == GST_RTC_STREAM_LIVE;
  g_mutex_unlock (&self->lock);
  return live;
}

static void
begin_rtcp (GstRtcNativeReceiver *self)
{
  GstCaps *caps = gst_caps_new_empty_simple ("application/x-rtcp");
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_send_event (self->rtcp_sink, gst_event_new_stream_start ("rtcp"));
  gst_pad_send_event (self->rtcp_sink, gst_event_new_caps (caps));
  gst_pad_send_event (self->rtcp_sink, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
  self->rtcp_began = TRUE;
}

static GstPadProbeReturn
on_input (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcNativeReceiver *self = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstFlowReturn flow = GST_FLOW_OK;
  guint8 header[12] = {0};
  gboolean is_rtcp;

  gst_buffer_extract (buffer, 0, header, sizeof (header));
  is_rtcp = header[1] >= 192 && header[1] <= 223; /* RFC 5761, section 4 */
  clear_ended (self);
  /* It may have ended while the packet waited. */
  if (is_live (self, GST_READ_UINT32_BE (header + (is_rtcp ? 4 : 8)))) {
    if (is_rtcp && !self->rtcp_began)
      begin_rtcp (self);
    flow = gst_pad_chain (is_rtcp ? self->rtcp_sink : self->rtp_sink, buffer);
  } else {
    gst_buffer_unref (buffer);
  }
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = flow == GST_FLOW_FLUSHING ? flow : GST_FLOW_OK;
  return GST_PAD_PROBE_HANDLED;
}

/* When it came, in running time. NONE while there is no clock: rtpbin takes the time when it sees the packet then. */
static GstClockTime
arrival (GstRtcNativeReceiver *self, gint64 now)
{
  GstClockTime running = gst_element_get_current_running_time (self->source);
  gint64 age = MAX (g_get_monotonic_time () - now, 0) * 1000;

  if (!GST_CLOCK_TIME_IS_VALID (running))
    return GST_CLOCK_TIME_NONE;
  return running > (GstClockTime)age ? running - age : 0;
}

void
gst_rtc_native_receiver_push (GstRtcNativeReceiver *self, GstBuffer *buffer, gint64 now)
{
  GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = arrival (self, now);
  gst_app_src_push_buffer (GST_APP_SRC (self->source), buffer);
}

/* Making them. */

static void
configure_session (GstRtcNativeReceiver *self)
{
  g_signal_emit_by_name (self->rtpbin, "get-internal-session", 0, &self->session);
  gst_rtc_rtp_session_tune (self->session, REPORT_INTERVAL);
}

static GstElement *
make (GstRtcNativeReceiver *self, const gchar *factory, const gchar *package)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (!element)
    GST_ELEMENT_ERROR (self->bin, CORE, MISSING_PLUGIN,
        ("Receiving needs the element %s, which is not installed (package %s on Debian)", factory, package), (NULL));
  return element;
}

static void
connect_rtpbin (GstRtcNativeReceiver *self)
{
  GstPad *pad = gst_element_get_static_pad (self->source, "src");

  gst_util_set_object_arg (G_OBJECT (self->rtpbin), "rtp-profile", "savpf");
  g_object_set (self->rtpbin, "latency", self->latency, "do-lost", TRUE, NULL);
  g_signal_connect (self->rtpbin, "request-pt-map", G_CALLBACK (on_request_pt_map), self);
  g_signal_connect (self->rtpbin, "request-aux-receiver", G_CALLBACK (on_request_aux_receiver), self);
  g_signal_connect (self->rtpbin, "new-jitterbuffer", G_CALLBACK (on_new_jitterbuffer), self);
  g_signal_connect (self->rtpbin, "pad-added", G_CALLBACK (on_pad_added), self);
  self->rtp_sink = gst_element_request_pad_simple (self->rtpbin, "recv_rtp_sink_0");
  self->rtcp_sink = gst_element_request_pad_simple (self->rtpbin, "recv_rtcp_sink_0");
  self->rtcp_src = gst_element_request_pad_simple (self->rtpbin, "send_rtcp_src_0");
  configure_session (self);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_input, self, NULL);
  gst_pad_add_probe (self->rtcp_src, GST_PAD_PROBE_TYPE_BUFFER, on_rtcp, self, NULL);
  gst_pad_link (pad, self->rtp_sink);
  gst_object_unref (pad);
}

gboolean
gst_rtc_native_receiver_build (GstRtcNativeReceiver *self)
{
  GstElement *source = make (self, "appsrc", "gstreamer1.0-plugins-base");
  GstElement *rtpbin = source ? make (self, "rtpbin", "gstreamer1.0-plugins-good") : NULL;
  GstCaps *caps;

  if (!rtpbin) {
    gst_clear_object (&source);
    return FALSE;
  }
  caps = gst_caps_new_empty_simple ("application/x-rtp");
  g_object_set (
      source, "caps", caps, "format", GST_FORMAT_TIME, "is-live", TRUE, "max-bytes", (guint64)QUEUE_BYTES, NULL);
  gst_util_set_object_arg (G_OBJECT (source), "leaky-type", "downstream");
  gst_caps_unref (caps);
  self->source = gst_object_ref_sink (source);
  self->rtpbin = gst_object_ref_sink (rtpbin);
  gst_bin_add_many (GST_BIN (self->bin), source, rtpbin, NULL);
  connect_rtpbin (self);
  gst_element_sync_state_with_parent (rtpbin);
  gst_element_sync_state_with_parent (source);
  return TRUE;
}
