/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpeerpriv.h"
#include "base/gstrtcstats.h"

#include <string.h>

static void
stream_clear (GstRtcPeerStream *stream)
{
  gst_object_unref (stream->pad);
  g_free (stream->rid);
}

void
gst_rtc_peer_slot_init (GstRtcPeerSlot *slot, GstRtcConnection *connection, GstRtcBin *bin)
{
  guint unknown;

  slot->connection = connection;
  slot->streams = g_array_new (FALSE, FALSE, sizeof (GstRtcPeerStream));
  g_array_set_clear_func (slot->streams, (GDestroyNotify)stream_clear);
  slot->sdp_tracks = gst_rtc_bin_snapshot_tracks (bin, &slot->plan_tracks, &unknown);
}

void
gst_rtc_peer_slot_close (GstRtcPeerSlot *slot, GstRtcBin *bin)
{
  GstRtcConnection *connection = slot->connection;

  if (!connection)
    return;
  for (guint i = 0; slot->line_tracks && i < slot->line_tracks->len; i++) {
    if (g_ptr_array_index (slot->line_tracks, i))
      gst_rtc_track_remove_peer (g_ptr_array_index (slot->line_tracks, i), connection->transport);
  }
  gst_rtc_sources_detach (bin->sources, connection);
  g_clear_pointer (&slot->line_tracks, g_ptr_array_unref);
  g_clear_pointer (&slot->sdp_tracks, g_array_unref);
  g_clear_pointer (&slot->plan_tracks, g_ptr_array_unref);
  g_clear_pointer (&slot->streams, g_array_unref);
  slot->connection = NULL;
  gst_rtc_connection_close (connection, bin->reaper);
  gst_rtc_bin_data_remove_connection (bin->data, connection);
}

void
gst_rtc_peer_slot_map_tracks (GstRtcPeerSlot *slot)
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

static gint
compare_streams (gconstpointer a, gconstpointer b)
{
  const GstRtcPeerStream *first = a, *second = b;

  return first->mline == second->mline ? strcmp (first->rid, second->rid) : (gint)first->mline - (gint)second->mline;
}

void
gst_rtc_peer_slot_keep_stream (GstRtcPeerSlot *slot, const GstRtcConnectionEvent *event)
{
  GstRtcPeerStream stream = {event->mline, g_strdup (event->rid), gst_object_ref (event->pad)};

  g_array_append_val (slot->streams, stream);
}

void
gst_rtc_peer_slot_begin (GstRtcPeerSlot *slot, GstRtcBin *bin, const gchar *peer_id)
{
  g_array_sort (slot->streams, compare_streams);
  for (guint i = 0; i < slot->streams->len; i++) {
    const GstRtcPeerStream *stream = &g_array_index (slot->streams, GstRtcPeerStream, i);

    gst_rtc_sources_attach (bin->sources, slot->connection, peer_id, stream->mline, stream->rid, stream->pad);
  }
  g_array_set_size (slot->streams, 0);
  for (guint i = 0; slot->line_tracks && i < slot->line_tracks->len; i++) {
    if (g_ptr_array_index (slot->line_tracks, i))
      gst_rtc_track_add_peer (g_ptr_array_index (slot->line_tracks, i), slot->connection->transport, i);
  }
}

void
gst_rtc_peer_slot_request_key_frame (GstRtcPeerSlot *slot, GstRtcBin *bin, guint mline)
{
  GstRtcTrack *track =
      slot->line_tracks && mline < slot->line_tracks->len ? g_ptr_array_index (slot->line_tracks, mline) : NULL;

  if (track)
    gst_rtc_bin_request_key_frames (bin, track);
}

void
gst_rtc_peer_slot_forget_track (GstRtcPeerSlot *slot, GstRtcTrack *track)
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

static GstStructure *
line_stats (GstRtcPeerSlot *slot, const GstRtcLine *line)
{
  GstStructure *s =
      gst_structure_new ("application/x-rtcbin-line-stats", "mid", G_TYPE_STRING, line->mid, "kind", G_TYPE_STRING,
          gst_rtc_kind_to_string (line->kind), "codec", G_TYPE_STRING, line->codec ? line->codec->encoding_name : "",
          "sends", G_TYPE_BOOLEAN, line->send, "receives", G_TYPE_BOOLEAN, line->receive, NULL);
  GstRtcTrack *track = slot->line_tracks && line->mline < slot->line_tracks->len
      ? g_ptr_array_index (slot->line_tracks, line->mline)
      : NULL;

  if (track)
    gst_rtc_track_add_peer_stats (track, slot->connection->transport, s);
  if (line->receive)
    gst_rtc_connection_add_received_stats (slot->connection, line->mline, s);
  if (slot->connection->transport->klass->add_line_stats)
    slot->connection->transport->klass->add_line_stats (slot->connection->transport, line->mline, s);
  return s;
}

void
gst_rtc_peer_slot_add_stats (GstRtcPeerSlot *slot, GstStructure *stats)
{
  GArray *lines = slot->connection->lines;
  GValue array = G_VALUE_INIT;
  gdouble round_trip_time;

  gst_value_array_init (&array, 0);
  for (guint i = 0; lines && i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    if (line->accepted && !line->is_data) {
      GstStructure *s = line_stats (slot, line);

      if (gst_structure_get_double (s, "round-trip-time", &round_trip_time))
        gst_structure_set (stats, "round-trip-time", G_TYPE_DOUBLE, round_trip_time, NULL);
      gst_rtc_stats_append (&array, s);
    }
  }
  gst_structure_take_value (stats, "lines", &array);
}
