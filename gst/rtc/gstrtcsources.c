/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcsources.h"
#include "gstrtcpad.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_bin_debug);
#define GST_CAT_DEFAULT gst_rtc_bin_debug

typedef struct
{
  GstPad *pad; /* a GstRtcPad of rtcbin */
  GstRtcKind kind;
  guint index; /* in its name */
  gchar *peer_id; /* NULL: free */
  guint ordinal; /* of the line, among what the peer sends of this kind */
  gchar *rid; /* simulcast layer, "" for none */
  GstRtcConnection *connection; /* that feeds it now; borrowed */
  GstPad *entry; /* of the depayloader in the connection's bin */
} Source;

struct _GstRtcSources
{
  GstElement *rtcbin; /* borrowed */
  GPtrArray *sources; /* of Source */
};

static void
source_free (gpointer data)
{
  Source *source = data;

  gst_object_unref (source->pad);
  gst_clear_object (&source->entry);
  g_free (source->peer_id);
  g_free (source->rid);
  g_free (source);
}

GstRtcSources *
gst_rtc_sources_new (GstElement *rtcbin)
{
  GstRtcSources *self = g_new0 (GstRtcSources, 1);

  self->rtcbin = rtcbin;
  self->sources = g_ptr_array_new_with_free_func (source_free);
  return self;
}

void
gst_rtc_sources_free (GstRtcSources *self)
{
  g_ptr_array_unref (self->sources);
  g_free (self);
}

typedef struct
{
  GstRtcConnection *connection;
  guint mline;
} Count;

static void
count_free (gpointer data)
{
  gst_rtc_connection_unref (((Count *)data)->connection);
  g_free (data);
}

static GstPadProbeReturn
count_packets (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Count *count = user_data;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST)
    gst_rtc_connection_count_received (count->connection, count->mline,
        gst_buffer_list_length (GST_PAD_PROBE_INFO_BUFFER_LIST (info)),
        gst_buffer_list_calculate_size (GST_PAD_PROBE_INFO_BUFFER_LIST (info)));
  else
    gst_rtc_connection_count_received (
        count->connection, count->mline, 1, gst_buffer_get_size (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

/* rtpvp8depay and rtpvp9depay write on what they are told of a lost packet as if it was theirs alone; behind a ghost
 * pad, which holds on to it meanwhile, it never is, and GStreamer complains of a failed assertion. */
static GstPadProbeReturn
hand_over (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);

  if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM)
    GST_PAD_PROBE_INFO_DATA (info) = gst_event_make_writable (event);
  return GST_PAD_PROBE_OK;
}

/* [depayloader] -> [parser], in the connection's bin. Returns a pad of that bin. ENTRY: (out) (transfer full): where
 * RTP goes in. */
static GstPad *
build_chain (GstRtcConnection *connection, const GstRtcLine *line, GstPad **entry)
{
  const GstRtcCodec *codec = line->codec;
  Count *count = g_new (Count, 1);
  GstElement *depayloader = gst_element_factory_make (codec->depayloader, NULL), *last = depayloader;
  GObjectClass *klass = G_OBJECT_GET_CLASS (depayloader);
  GstBin *bin = GST_BIN (connection->transport->bin);
  GstPad *pad, *ghost;

  if (g_object_class_find_property (klass, "request-keyframe"))
    g_object_set (depayloader, "request-keyframe", TRUE, "wait-for-keyframe", TRUE, NULL);
  gst_bin_add (bin, depayloader);
  if (codec->parser) {
    last = gst_element_factory_make (codec->parser, NULL);
    gst_bin_add (bin, last);
    gst_element_link (depayloader, last);
    gst_element_sync_state_with_parent (last);
  }
  gst_element_sync_state_with_parent (depayloader);

  pad = gst_element_get_static_pad (last, "src");
  ghost = gst_ghost_pad_new (NULL, pad);
  gst_object_unref (pad);
  gst_pad_set_active (ghost, TRUE);
  gst_element_add_pad (GST_ELEMENT (bin), ghost);
  *entry = gst_element_get_static_pad (depayloader, "sink");
  *count = (Count){gst_rtc_connection_ref (connection), line->mline};
  gst_pad_add_probe (
      *entry, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, count_packets, count, count_free);
  gst_pad_add_probe (*entry, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, hand_over, NULL, NULL);
  gst_rtc_connection_add_stream (connection, *entry);
  return ghost;
}

/* RTP from PAD enters at ENTRY from now on. */
static void
feed (GstPad *entry, GstPad *rtp)
{
  GstPad *before = gst_pad_get_peer (entry);

  if (before) {
    gst_pad_unlink (before, entry);
    gst_object_unref (before);
  }
  if (gst_pad_link (rtp, entry) != GST_PAD_LINK_OK)
    GST_WARNING ("could not link %" GST_PTR_FORMAT " to %" GST_PTR_FORMAT, rtp, entry);
}

static guint
lowest_free_index (GstRtcSources *self, GstRtcKind kind)
{
  for (guint index = 0;; index++) {
    gboolean taken = FALSE;

    for (guint i = 0; i < self->sources->len; i++) {
      Source *source = g_ptr_array_index (self->sources, i);

      taken |= source->kind == kind && source->index == index;
    }
    if (!taken)
      return index;
  }
}

static Source *
source_new (GstRtcSources *self, GstRtcKind kind)
{
  Source *source = g_new0 (Source, 1);
  gchar *templ = g_strdup_printf ("%s_src_%%u", gst_rtc_kind_to_string (kind)), *name;

  source->kind = kind;
  source->index = lowest_free_index (self, kind);
  name = g_strdup_printf ("%s_src_%u", gst_rtc_kind_to_string (kind), source->index);
  source->pad = gst_object_ref_sink (gst_rtc_pad_new (name, gst_element_get_pad_template (self->rtcbin, templ)));
  g_ptr_array_add (self->sources, source);
  g_free (templ);
  g_free (name);
  return source;
}

/* The one that this stream had before, else the first that is free. */
static Source *
find_source (GstRtcSources *self, GstRtcKind kind, const gchar *peer_id, guint ordinal, const gchar *rid)
{
  Source *free_one = NULL;

  for (guint i = 0; i < self->sources->len; i++) {
    Source *source = g_ptr_array_index (self->sources, i);

    if (source->kind != kind)
      continue;
    if (source->peer_id && source->ordinal == ordinal && g_strcmp0 (source->rid, rid) == 0
        && g_strcmp0 (source->peer_id, peer_id) == 0)
      return source;
    if (!source->peer_id && (!free_one || source->index < free_one->index))
      free_one = source;
  }
  return free_one;
}

static guint
count_ordinal (GstRtcConnection *connection, guint mline)
{
  const GstRtcLine *lines = (const GstRtcLine *)connection->lines->data;
  guint ordinal = 0;

  for (guint i = 0; i < mline; i++)
    ordinal += lines[i].receive && lines[i].kind == lines[mline].kind;
  return ordinal;
}

/* SOURCE, which is free or the peer's, is what CONNECTION's line goes out of. */
static void
take_source (Source *source, GstRtcConnection *connection, const GstRtcLine *line, const gchar *peer_id,
    const gchar *rid, guint ordinal)
{
  GstPad *target;

  gst_clear_object (&source->entry);
  target = build_chain (connection, line, &source->entry);
  g_free (source->peer_id);
  source->peer_id = g_strdup (peer_id);
  g_free (source->rid);
  source->rid = g_strdup (rid);
  source->ordinal = ordinal;
  source->connection = connection;
  gst_rtc_pad_describe (GST_RTC_PAD (source->pad), peer_id, line->mid, line->stream_name, *rid ? rid : NULL);
  if (!gst_ghost_pad_set_target (GST_GHOST_PAD (source->pad), target))
    GST_WARNING ("%" GST_PTR_FORMAT " could not take over the stream", source->pad);
}

void
gst_rtc_sources_attach (
    GstRtcSources *self, GstRtcConnection *connection, const gchar *peer_id, guint mline, const gchar *rid, GstPad *pad)
{
  const GstRtcLine *line;
  Source *source;
  guint ordinal;
  gboolean is_new;

  if (!connection->lines || mline >= connection->lines->len)
    return;
  line = &g_array_index (connection->lines, GstRtcLine, mline);
  if (!line->codec)
    return;
  ordinal = count_ordinal (connection, mline);
  source = find_source (self, line->kind, peer_id, ordinal, rid);
  is_new = source == NULL;
  if (is_new)
    source = source_new (self, line->kind);
  /* Otherwise the peer only goes on under another SSRC: its depayloader and its parser stay. */
  if (source->connection != connection)
    take_source (source, connection, line, peer_id, rid, ordinal);
  feed (source->entry, pad);
  GST_DEBUG_OBJECT (self->rtcbin, "%s of peer %s, mid %s %s, comes out of %" GST_PTR_FORMAT, line->codec->encoding_name,
      peer_id, line->mid, rid, source->pad);
  if (is_new) {
    gst_pad_set_active (source->pad, TRUE);
    gst_element_add_pad (self->rtcbin, source->pad);
  }
  connection->transport->klass->unblock (connection->transport, pad);
}

void
gst_rtc_sources_detach (GstRtcSources *self, GstRtcConnection *connection)
{
  for (guint i = 0; i < self->sources->len; i++) {
    Source *source = g_ptr_array_index (self->sources, i);

    if (source->connection == connection) {
      source->connection = NULL;
      gst_clear_object (&source->entry);
      gst_ghost_pad_set_target (GST_GHOST_PAD (source->pad), NULL);
    }
  }
}

void
gst_rtc_sources_peer_left (GstRtcSources *self, const gchar *peer_id, gboolean reuse)
{
  for (guint i = self->sources->len; i-- > 0;) {
    Source *source = g_ptr_array_index (self->sources, i);

    if (g_strcmp0 (source->peer_id, peer_id))
      continue;
    g_clear_pointer (&source->peer_id, g_free);
    gst_rtc_pad_describe (GST_RTC_PAD (source->pad), NULL, NULL, NULL, NULL);
    if (!reuse) {
      gst_rtc_pad_end (GST_RTC_PAD (source->pad));
      gst_pad_set_active (source->pad, FALSE);
      gst_element_remove_pad (self->rtcbin, source->pad);
      g_ptr_array_remove_index (self->sources, i);
    }
  }
}

void
gst_rtc_sources_clear (GstRtcSources *self)
{
  for (guint i = 0; i < self->sources->len; i++) {
    Source *source = g_ptr_array_index (self->sources, i);

    gst_pad_set_active (source->pad, FALSE);
    gst_element_remove_pad (self->rtcbin, source->pad);
  }
  g_ptr_array_set_size (self->sources, 0);
}
