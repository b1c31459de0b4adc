/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"
#include "gstrtcpeer.h"
#include "base/gstrtcstats.h"

typedef struct
{
  GstRtcBin *bin;
  GstStructure *stats;
} MakeStats;

static void
collect_peers (gpointer data)
{
  MakeStats *make = data;
  GValue peers = G_VALUE_INIT;
  GHashTableIter iter;
  gpointer peer;

  gst_value_array_init (&peers, 0);
  g_hash_table_iter_init (&iter, make->bin->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer))
    gst_rtc_stats_append (&peers, gst_rtc_peer_make_stats (peer));
  gst_structure_take_value (make->stats, "peers", &peers);
}

GstStructure *
gst_rtc_bin_make_stats (GstRtcBin *self)
{
  GstStructure *stats = gst_structure_new_empty ("application/x-rtcbin-stats");
  GValue tracks = G_VALUE_INIT;
  MakeStats make = {self, stats};
  GstRtcLoop *loop;

  gst_value_array_init (&tracks, 0);
  g_mutex_lock (&self->tracks_lock);
  for (guint i = 0; i < self->tracks->len; i++) {
    GstStructure *track = gst_structure_new_empty ("application/x-rtcbin-track-stats");

    gst_rtc_track_add_stats (g_ptr_array_index (self->tracks, i), track);
    gst_rtc_stats_append (&tracks, track);
  }
  loop = self->loop ? gst_rtc_loop_ref (self->loop) : NULL;
  g_mutex_unlock (&self->tracks_lock);
  gst_structure_take_value (stats, "tracks", &tracks);
  if (loop) {
    gst_rtc_loop_call (loop, collect_peers, &make);
    gst_rtc_loop_unref (loop);
  }
  return stats;
}
