/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Which packets are whose stream. The elements are in gstrtcnativereceiverelements.c. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativereceiverpriv.h"
#include "gstrtcnativereports.h"
#include "base/gstrtcstats.h"

#include <stdlib.h>
#include <string.h>

GST_DEBUG_CATEGORY (gst_rtc_native_receiver_debug);
#define GST_CAT_DEFAULT gst_rtc_native_receiver_debug

#define MAX_STREAMS 16 /* each has a jitterbuffer with two threads */
#define FORGET_AFTER (10 * G_USEC_PER_SEC) /* an ended stream that was silent for so long */
/* An ended stream comes back when it was silent for so long: a late packet of it is no new beginning, nor are those of
 * a peer that sends both at once. Or else when who took its place is silent for so long. */
#define BEGIN_ANEW_AFTER (G_USEC_PER_SEC / 5)
#define COME_BACK_AFTER (G_USEC_PER_SEC / 2)
#define RTX_SSRC_AFTER (1 * G_USEC_PER_SEC) /* another SSRC for RTX, when the last is silent for so long */

#define RTP_HEADER 12
#define EXT_RID "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
#define EXT_REPAIRED_RID "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"

/* What the description says. */

static guint
find_extension (const GstSDPMedia *media, const gchar *uri)
{
  const gchar *value;

  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "extmap", i)); i++) {
    const gchar *space = strchr (value, ' ');

    if (space && strncmp (space + 1, uri, strlen (uri)) == 0 && strchr (" ", space[1 + strlen (uri)]))
      return atoi (value);
  }
  return 0;
}

static guint32
parse_ssrc (const gchar *text, gchar **end)
{
  guint64 number = g_ascii_strtoull (text, end, 10);

  return number <= G_MAXUINT32 ? number : 0;
}

/* a=ssrc-group:FID 1 2 (RFC 5576): 2 repeats 1. The others of a line have an a=ssrc alone. */
static void
add_ssrcs (GstRtcNativeReceiver *self, const GstRtcLine *line, const GstSDPMedia *media)
{
  const gchar *value;
  guint n = 0;

  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "ssrc-group", i)); i++) {
    gchar *end;
    guint32 original, rtx;

    if (!g_str_has_prefix (value, "FID ") || n++ >= MAX_STREAMS)
      continue;
    original = parse_ssrc (value + strlen ("FID "), &end);
    rtx = parse_ssrc (end, &end);
    if (original && rtx && original != rtx) {
      rtc_bundle_add_ssrc (self->bundle, line->mline, original, 0);
      rtc_bundle_add_ssrc (self->bundle, line->mline, rtx, original);
    }
  }
  for (guint i = 0; n == 0 && i < MAX_STREAMS && (value = gst_sdp_media_get_attribute_val_n (media, "ssrc", i)); i++) {
    guint32 ssrc = parse_ssrc (value, NULL);

    if (ssrc)
      rtc_bundle_add_ssrc (self->bundle, line->mline, ssrc, 0);
  }
}

static void
add_format (GstRtcNativeReceiver *self, const GstSDPMedia *media, gint payload)
{
  GstCaps *caps = gst_rtc_sdp_format_caps (media, payload);

  if (!caps)
    return;
  /* With both rtpsession asks by FIR, which is meant for mixers (RFC 5104, section 3.5.1) and which not all answer. */
  if (gst_structure_has_field (gst_caps_get_structure (caps, 0), "rtcp-fb-nack-pli"))
    gst_structure_remove_field (gst_caps_get_structure (caps, 0), "rtcp-fb-ccm-fir");
  g_hash_table_insert (self->formats, GINT_TO_POINTER (payload), caps);
}

static void
add_line (GstRtcNativeReceiver *self, const GstRtcLine *line, const GstSDPMedia *media)
{
  rtc_bundle_add_line (self->bundle, line->mline, line->mid, line->ext_mid, find_extension (media, EXT_RID),
      find_extension (media, EXT_REPAIRED_RID), line->ext_twcc);
  add_format (self, media, line->payload);
  rtc_bundle_add_payload (self->bundle, line->mline, line->payload, -1);
  if (line->rtx_payload >= 0) {
    gchar *name = g_strdup_printf ("%d", line->payload);

    add_format (self, media, line->rtx_payload);
    rtc_bundle_add_payload (self->bundle, line->mline, line->rtx_payload, line->payload);
    if (!self->rtx_payloads)
      self->rtx_payloads = gst_structure_new_empty ("application/x-rtp-pt-map");
    gst_structure_set (self->rtx_payloads, name, G_TYPE_UINT, line->rtx_payload, NULL);
    g_free (name);
  }
  add_ssrcs (self, line, media);
}

static void
stream_free (gpointer data)
{
  GstRtcStream *stream = data;

  gst_clear_object (&stream->pad);
  gst_clear_object (&stream->jitterbuffer);
  g_free (stream);
}

GstRtcNativeReceiver *
gst_rtc_native_receiver_new (GstElement *bin, const GArray *lines, const GstSDPMessage *sdp, guint latency,
    const GstRtcNativeReceiverEvents *events, gpointer user_data)
{
  static gsize once = 0;
  GstRtcNativeReceiver *self = g_new0 (GstRtcNativeReceiver, 1);

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (gst_rtc_native_receiver_debug, "rtcnativereceiver", 0, "what the native transport gets");
    g_once_init_leave (&once, 1);
  }
  self->bin = bin;
  self->latency = latency;
  self->events = events;
  self->user_data = user_data;
  self->bundle = rtc_bundle_new ();
  self->formats = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)gst_caps_unref);
  self->streams = g_ptr_array_new_with_free_func (stream_free);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->events_lock);
  self->lines = g_array_new (FALSE, TRUE, sizeof (GstRtcLine));
  g_array_set_clear_func (self->lines, (GDestroyNotify)gst_rtc_line_clear);
  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine line = g_array_index (lines, GstRtcLine, i);

    line.mid = g_strdup (line.mid);
    line.stream_name = g_strdup (line.stream_name);
    if (line.caps)
      gst_caps_ref (line.caps);
    g_array_append_val (self->lines, line);
    if (line.accepted && line.receive && line.mline < gst_sdp_message_medias_len (sdp))
      add_line (self, &line, gst_sdp_message_get_media (sdp, line.mline));
  }
  return self;
}

void
gst_rtc_native_receiver_free (GstRtcNativeReceiver *self)
{
  if (self->rtpbin)
    g_signal_handlers_disconnect_by_data (self->rtpbin, self);
  gst_clear_object (&self->rtp_sink);
  gst_clear_object (&self->rtcp_sink);
  gst_clear_object (&self->rtcp_src);
  g_clear_object (&self->session);
  gst_clear_object (&self->rtx);
  gst_clear_object (&self->rtpbin);
  gst_clear_object (&self->source);
  g_ptr_array_unref (self->streams);
  g_array_unref (self->lines);
  g_hash_table_unref (self->formats);
  g_clear_pointer (&self->rtx_payloads, gst_structure_free);
  rtc_bundle_free (self->bundle);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->events_lock);
  g_free (self);
}

void
gst_rtc_native_receiver_close (GstRtcNativeReceiver *self)
{
  g_mutex_lock (&self->events_lock);
  g_mutex_lock (&self->lock);
  self->closed = TRUE;
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->state == GST_RTC_STREAM_LIVE) {
      stream->state = GST_RTC_STREAM_ENDING;
      gst_rtc_native_receiver_shut (stream);
    }
  }
  g_mutex_unlock (&self->lock);
  g_mutex_unlock (&self->events_lock);
}

void
gst_rtc_native_receiver_request_key_frames (GstRtcNativeReceiver *self)
{
  guint32 ssrcs[MAX_STREAMS];
  guint8 packet[GST_RTC_NATIVE_PLIS_SIZE (MAX_STREAMS)];
  guint n = 0;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->streams->len && n < MAX_STREAMS; i++) {
    const GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->state == GST_RTC_STREAM_LIVE && stream->line->kind == GST_RTC_KIND_VIDEO)
      ssrcs[n++] = stream->ssrc;
  }
  g_mutex_unlock (&self->lock);
  if (n)
    self->events->rtcp (packet, gst_rtc_native_write_plis (packet, ssrcs, n), self->user_data);
}

/* Streams. All of this is on the transport's loop, with the lock held. */

GstRtcStream *
gst_rtc_native_receiver_find (GstRtcNativeReceiver *self, guint32 ssrc)
{
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->ssrc == ssrc || (stream->rtx_ssrc == ssrc && ssrc))
      return stream;
  }
  return NULL;
}

/* Who has the place of a stream of LINE with RID. */
static GstRtcStream *
find_holder (GstRtcNativeReceiver *self, const GstRtcLine *line, const gchar *rid)
{
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->state == GST_RTC_STREAM_LIVE && stream->line == line && strcmp (stream->rid, rid) == 0)
      return stream;
  }
  return NULL;
}

static gboolean
make_room (GstRtcNativeReceiver *self, gint64 now)
{
  if (self->streams->len < MAX_STREAMS)
    return TRUE;
  for (guint i = 0; i < self->streams->len; i++) {
    const GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->state == GST_RTC_STREAM_ENDED && now - stream->last > FORGET_AFTER) {
      g_ptr_array_remove_index_fast (self->streams, i);
      return TRUE;
    }
  }
  if (!self->flooded)
    GST_WARNING_OBJECT (
        self->bin, "the peer sends more than %u streams (SSRCs); the rest of them is dropped", MAX_STREAMS);
  self->flooded = TRUE;
  return FALSE;
}

static void
take_place (GstRtcNativeReceiver *self, GstRtcStream *stream)
{
  GstRtcStream *holder = find_holder (self, stream->line, stream->rid);

  if (holder) {
    GST_DEBUG_OBJECT (
        self->bin, "SSRC %08x takes the place of %08x on line %s", stream->ssrc, holder->ssrc, stream->line->mid);
    holder->state = GST_RTC_STREAM_ENDING;
    holder->rtx_ssrc = 0;
    gst_rtc_native_receiver_shut (holder);
  }
  stream->state = GST_RTC_STREAM_LIVE;
  stream->idle = FALSE;
  stream->hold = 0;
  stream->waiting = 0;
  stream->behind = FALSE;
}

/* The stream that PACKET is of and that passes; NULL: it does not. */
static GstRtcStream *
take_media (GstRtcNativeReceiver *self, const GstRtcLine *line, const RtcBundlePacket *packet, gint64 now)
{
  GstRtcStream *stream = gst_rtc_native_receiver_find (self, packet->ssrc);

  if (!stream) {
    if (!make_room (self, now))
      return NULL;
    stream = g_new0 (GstRtcStream, 1);
    stream->receiver = self;
    stream->ssrc = packet->ssrc;
    stream->line = line;
    g_strlcpy (stream->rid, packet->rid, sizeof (stream->rid));
    take_place (self, stream);
    g_ptr_array_add (self->streams, stream);
    GST_DEBUG_OBJECT (self->bin, "SSRC %08x on line %s %s", stream->ssrc, line->mid, stream->rid);
  } else if (stream->line != line || stream->rtx_ssrc == packet->ssrc) {
    return NULL;
  } else if (stream->state == GST_RTC_STREAM_ENDED) {
    const GstRtcStream *holder = find_holder (self, line, stream->rid);
    gboolean begins_anew = now - stream->last >= BEGIN_ANEW_AFTER;

    stream->last = now;
    if (!begins_anew && holder && now - holder->last < COME_BACK_AFTER)
      return NULL;
    take_place (self, stream);
  }
  stream->last = now;
  return stream->state == GST_RTC_STREAM_LIVE ? stream : NULL;
}

static GstRtcStream *
take_rtx (
    GstRtcNativeReceiver *self, const GstRtcLine *line, const RtcBundlePacket *packet, gint64 now, gboolean *is_new)
{
  GstRtcStream *stream = packet->original ? gst_rtc_native_receiver_find (self, packet->original) : NULL;

  if (!stream || stream->ssrc != packet->original || stream->line != line || stream->state != GST_RTC_STREAM_LIVE)
    return NULL;
  if (stream->rtx_ssrc != packet->ssrc) {
    /* Each of them is a source of its own for the RTP session, so that not every packet may bring another. */
    if ((stream->rtx_ssrc && now - stream->rtx_last < RTX_SSRC_AFTER)
        || gst_rtc_native_receiver_find (self, packet->ssrc))
      return NULL;
    stream->rtx_ssrc = packet->ssrc;
    *is_new = TRUE;
  }
  stream->rtx_last = now;
  return stream;
}

/* Packets. */

static const GstRtcLine *
find_line (GstRtcNativeReceiver *self, const RtcBundlePacket *packet)
{
  for (guint i = 0; i < self->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (self->lines, GstRtcLine, i);

    /* One line is one codec, the one that was agreed on. */
    if (line->mline == packet->mline && line->accepted && line->receive
        && (packet->is_rtx ? line->rtx_payload == packet->payload : line->payload == packet->payload))
      return line;
  }
  return NULL;
}

/* Without the list of contributing sources, whose numbers come from the peer: each would be a source in the RTP
 * session. */
static GstBuffer *
copy_packet (const guint8 *data, gsize size)
{
  gsize header = RTP_HEADER + 4 * (data[0] & 0xf);
  GstBuffer *buffer;

  if (size < header)
    return NULL;
  buffer = gst_buffer_new_allocate (NULL, size - header + RTP_HEADER, NULL);
  gst_buffer_fill (buffer, 0, data, RTP_HEADER);
  gst_buffer_fill (buffer, RTP_HEADER, data + header, size - header);
  gst_buffer_memset (buffer, 0, data[0] & 0xf0, 1);
  return buffer;
}

void
gst_rtc_native_receiver_take_rtp (GstRtcNativeReceiver *self, const guint8 *data, gsize size, gint64 now)
{
  RtcBundlePacket packet;
  const GstRtcLine *line;
  GstRtcStream *stream;
  GstBuffer *buffer;
  gboolean new_rtx = FALSE;

  if (self->broken || !rtc_bundle_take (self->bundle, data, size, &packet))
    return;
  if (packet.has_twcc && self->events->twcc)
    self->events->twcc (packet.ssrc, packet.twcc, now, self->user_data);
  line = find_line (self, &packet);
  if (!line || !(buffer = copy_packet (data, size)))
    return;
  g_mutex_lock (&self->events_lock);
  if (!self->closed && !self->source)
    self->broken = !gst_rtc_native_receiver_build (self);
  if (self->closed || self->broken) {
    g_mutex_unlock (&self->events_lock);
    gst_buffer_unref (buffer);
    return;
  }
  g_mutex_lock (&self->lock);
  stream = packet.is_rtx ? take_rtx (self, line, &packet, now, &new_rtx) : take_media (self, line, &packet, now);
  if (stream && !packet.is_rtx)
    gst_rtc_native_receiver_count_waiting (self, stream);
  g_mutex_unlock (&self->lock);
  if (new_rtx)
    gst_rtc_native_receiver_map_rtx (self);
  if (stream)
    gst_rtc_native_receiver_push (self, buffer, now);
  else
    gst_buffer_unref (buffer);
  g_mutex_unlock (&self->events_lock);
}

typedef struct
{
  GstRtcNativeReceiver *self;
  gint64 now;
} TakeReport;

static void
take_report (guint32 ssrc, GstBuffer *report, gpointer user_data)
{
  TakeReport *take = user_data;
  const GstRtcStream *stream;
  gboolean live;

  g_mutex_lock (&take->self->lock);
  stream = gst_rtc_native_receiver_find (take->self, ssrc);
  live = stream && stream->ssrc == ssrc && stream->state == GST_RTC_STREAM_LIVE;
  g_mutex_unlock (&take->self->lock);
  if (live)
    gst_rtc_native_receiver_push (take->self, report, take->now);
  else
    gst_buffer_unref (report);
}

void
gst_rtc_native_receiver_take_rtcp (GstRtcNativeReceiver *self, const guint8 *data, gsize size, gint64 now)
{
  TakeReport take = {self, now};

  if (!self->source)
    return;
  g_mutex_lock (&self->events_lock);
  if (!self->closed)
    gst_rtc_native_reports_split (data, size, take_report, &take);
  g_mutex_unlock (&self->events_lock);
}

void
gst_rtc_native_receiver_unblock (GstRtcNativeReceiver *self, GstPad *pad)
{
  gboolean found = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream *stream = g_ptr_array_index (self->streams, i);

    if (stream->pad == pad && stream->hold) {
      gst_pad_remove_probe (pad, stream->hold);
      stream->hold = 0;
      found = TRUE;
    }
  }
  g_mutex_unlock (&self->lock);
  /* Sinks that are linked by now count with the jitterbuffer's latency. */
  if (found)
    gst_element_post_message (self->bin, gst_message_new_latency (GST_OBJECT_CAST (self->bin)));
}

/* Stats, in the W3C's names and units where it has one (RTCInboundRtpStreamStats). */

static void
add_session_stats (GstRtcNativeReceiver *self, const GstRtcStream *stream, GstStructure *s)
{
  GObject *source = NULL;
  GstStructure *counts = NULL;
  guint64 received = 0, bytes = 0;
  guint jitter = 0;
  gint lost = 0, clock_rate = 0;

  g_signal_emit_by_name (self->session, "get-source-by-ssrc", stream->ssrc, &source);
  if (!source)
    return;
  g_object_get (source, "stats", &counts, NULL);
  gst_structure_get (counts, "packets-received", G_TYPE_UINT64, &received, "octets-received", G_TYPE_UINT64, &bytes,
      "packets-lost", G_TYPE_INT, &lost, "jitter", G_TYPE_UINT, &jitter, "clock-rate", G_TYPE_INT, &clock_rate, NULL);
  gst_structure_set (s, "packets-received", G_TYPE_UINT64, received, "bytes-received", G_TYPE_UINT64, bytes,
      "packets-lost", G_TYPE_INT64, (gint64)lost, "jitter", G_TYPE_DOUBLE,
      clock_rate > 0 ? jitter / (gdouble)clock_rate : 0.0, NULL);
  gst_structure_free (counts);
  g_object_unref (source);
}

static void
add_jitterbuffer_stats (GstElement *jitterbuffer, GstStructure *s)
{
  GstStructure *counts = NULL;
  guint64 late = 0, duplicates = 0, requests = 0, repaired = 0, round_trip = 0;

  g_object_get (jitterbuffer, "stats", &counts, NULL);
  gst_structure_get (counts, "num-late", G_TYPE_UINT64, &late, "num-duplicates", G_TYPE_UINT64, &duplicates,
      "rtx-count", G_TYPE_UINT64, &requests, "rtx-success-count", G_TYPE_UINT64, &repaired, "rtx-rtt", G_TYPE_UINT64,
      &round_trip, NULL);
  gst_structure_set (s, "packets-discarded", G_TYPE_UINT64, late + duplicates, "retransmissions-requested",
      G_TYPE_UINT64, requests, "retransmitted-packets-received", G_TYPE_UINT64, repaired,
      "retransmission-round-trip-time", G_TYPE_DOUBLE, round_trip / (gdouble)GST_SECOND, NULL);
  gst_structure_free (counts);
}

/* What is there of the streams, held so that the lock is free when rtpbin is asked. */
static GArray *
snapshot (GstRtcNativeReceiver *self)
{
  GArray *streams = g_array_new (FALSE, FALSE, sizeof (GstRtcStream));

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->streams->len; i++) {
    GstRtcStream stream = *(GstRtcStream *)g_ptr_array_index (self->streams, i);

    if (stream.state == GST_RTC_STREAM_LIVE && stream.jitterbuffer) {
      gst_object_ref (stream.jitterbuffer);
      g_array_append_val (streams, stream);
    }
  }
  g_mutex_unlock (&self->lock);
  return streams;
}

void
gst_rtc_native_receiver_add_stats (GstRtcNativeReceiver *self, GstStructure *stats)
{
  GValue list = G_VALUE_INIT;
  GArray *streams = snapshot (self);

  gst_value_array_init (&list, streams->len);
  for (guint i = 0; i < streams->len; i++) {
    const GstRtcStream *stream = &g_array_index (streams, GstRtcStream, i);
    GstStructure *s =
        gst_structure_new ("application/x-rtcbin-received-stats", "ssrc", G_TYPE_UINT, stream->ssrc, "mid",
            G_TYPE_STRING, stream->line->mid, "kind", G_TYPE_STRING, gst_rtc_kind_to_string (stream->line->kind), NULL);

    if (*stream->rid)
      gst_structure_set (s, "rid", G_TYPE_STRING, stream->rid, NULL);
    add_session_stats (self, stream, s);
    add_jitterbuffer_stats (stream->jitterbuffer, s);
    gst_object_unref (stream->jitterbuffer);
    gst_rtc_stats_append (&list, s);
  }
  gst_structure_take_value (stats, "received", &list);
  g_array_unref (streams);
}

/* What our last report said of STREAM, in the terms of rtcbin's property stats. FALSE when there was none yet. */
static gboolean
add_own_report (GstRtcNativeReceiver *self, const GstRtcStream *stream, GstStructure *stats)
{
  GObject *source = NULL;
  GstStructure *counts = NULL;
  gboolean reported = FALSE;
  guint fraction = 0, jitter = 0;
  gint lost = 0, clock_rate = 0;

  g_signal_emit_by_name (self->session, "get-source-by-ssrc", stream->ssrc, &source);
  if (!source)
    return FALSE;
  g_object_get (source, "stats", &counts, NULL);
  gst_structure_get (counts, "sent-rb", G_TYPE_BOOLEAN, &reported, "sent-rb-fractionlost", G_TYPE_UINT, &fraction,
      "sent-rb-packetslost", G_TYPE_INT, &lost, "sent-rb-jitter", G_TYPE_UINT, &jitter, "clock-rate", G_TYPE_INT,
      &clock_rate, NULL);
  if (reported)
    gst_structure_set (stats, "packets-lost", G_TYPE_INT64, (gint64)lost, "fraction-lost", G_TYPE_DOUBLE,
        fraction / 256.0, "jitter", G_TYPE_DOUBLE, clock_rate > 0 ? jitter / (gdouble)clock_rate : 0.0, NULL);
  gst_structure_free (counts);
  g_object_unref (source);
  return reported;
}

void
gst_rtc_native_receiver_add_line_stats (GstRtcNativeReceiver *self, guint mline, GstStructure *stats)
{
  GArray *streams = snapshot (self);
  gboolean found = FALSE;

  for (guint i = 0; i < streams->len; i++) {
    const GstRtcStream *stream = &g_array_index (streams, GstRtcStream, i);

    found = found || (stream->line->mline == mline && add_own_report (self, stream, stats));
    gst_object_unref (stream->jitterbuffer);
  }
  g_array_unref (streams);
}
