/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"
#include "gstrtcpeer.h"

#include <string.h>

/* The pads video_%u and audio_%u, and the track behind each. */

static void
tracks_changed (gpointer data)
{
  gst_rtc_bin_tracks_changed (data);
}

static void
on_track_caps (GstRtcTrack *track, gpointer user_data)
{
  GstRtcBin *self = user_data;

  gst_rtc_loop_post (self->loop, tracks_changed, self, NULL);
}

static void
on_track_refused (GstRtcTrack *track, const gchar *message, gpointer user_data)
{
  GST_ELEMENT_ERROR (user_data, STREAM, FORMAT, ("%s", message), ("pad %s", gst_rtc_track_get_name (track)));
}

static const GstRtcTrackEvents track_events = {
    .caps_changed = on_track_caps,
    .refused = on_track_refused,
};

static void
sdp_track_clear (GstRtcSdpTrack *track)
{
  gst_clear_caps (&track->caps);
}

GArray *
gst_rtc_bin_snapshot_tracks (GstRtcBin *self, GPtrArray **tracks, guint *n_unknown)
{
  GArray *known = g_array_new (FALSE, FALSE, sizeof (GstRtcSdpTrack));

  g_array_set_clear_func (known, (GDestroyNotify)sdp_track_clear);
  *tracks = g_ptr_array_new ();
  *n_unknown = 0;
  g_mutex_lock (&self->tracks_lock);
  for (guint i = 0; i < self->tracks->len; i++) {
    GstRtcTrack *track = g_ptr_array_index (self->tracks, i);
    GstRtcSdpTrack sdp;

    if (gst_rtc_track_get_sdp (track, &sdp)) {
      g_array_append_val (known, sdp);
      g_ptr_array_add (*tracks, track);
    } else {
      (*n_unknown)++;
    }
  }
  g_mutex_unlock (&self->tracks_lock);
  return known;
}

/* The name that was asked for when it is free, else the next number. */
static gchar *
choose_pad_name (GstRtcBin *self, GstRtcKind kind, const gchar *wanted)
{
  const gchar *prefix = kind == GST_RTC_KIND_VIDEO ? "video_" : "audio_";
  GstPad *taken;
  guint64 index;
  gchar *name;

  GST_OBJECT_LOCK (self);
  if (wanted && g_str_has_prefix (wanted, prefix)
      && g_ascii_string_to_unsigned (wanted + strlen (prefix), 10, 0, G_MAXUINT32 - 1, &index, NULL))
    self->next_index[kind] = MAX (self->next_index[kind], index + 1);
  else
    index = self->next_index[kind]++;
  GST_OBJECT_UNLOCK (self);
  name = g_strdup_printf ("%s%u", prefix, (guint)index);
  taken = gst_element_get_static_pad (GST_ELEMENT (self), name);
  if (taken) {
    g_warning ("rtcbin: there is a pad %s already", name);
    gst_object_unref (taken);
    g_clear_pointer (&name, g_free);
  }
  return name;
}

GstPad *
gst_rtc_bin_request_new_pad (GstElement *element, GstPadTemplate *templ, const gchar *wanted, const GstCaps *caps)
{
  GstRtcBin *self = GST_RTC_BIN (element);
  GstRtcKind kind =
      g_str_has_prefix (GST_PAD_TEMPLATE_NAME_TEMPLATE (templ), "video") ? GST_RTC_KIND_VIDEO : GST_RTC_KIND_AUDIO;
  gchar *name = choose_pad_name (self, kind, wanted);
  GstRtcTrack *track;
  GstPad *pad;

  if (!name)
    return NULL;
  track = gst_rtc_track_new (name, kind, &track_events, self);
  gst_bin_add (GST_BIN (self), gst_rtc_track_get_bin (track));
  pad = gst_ghost_pad_new_from_template (name, gst_rtc_track_get_pad (track), templ);
  g_object_set_data (G_OBJECT (pad), "rtclink-track", track);
  g_mutex_lock (&self->tracks_lock);
  g_ptr_array_add (self->tracks, track);
  g_mutex_unlock (&self->tracks_lock);
  gst_element_sync_state_with_parent (gst_rtc_track_get_bin (track));
  gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  g_free (name);
  return pad;
}

typedef struct
{
  GstRtcBin *bin;
  GstRtcTrack *track;
} TrackCall;

static void
forget_track (gpointer data)
{
  TrackCall *call = data;
  GHashTableIter iter;
  gpointer peer;

  g_hash_table_iter_init (&iter, call->bin->peers);
  while (g_hash_table_iter_next (&iter, NULL, &peer))
    gst_rtc_peer_forget_track (peer, call->track);
}

void
gst_rtc_bin_release_pad (GstElement *element, GstPad *pad)
{
  GstRtcBin *self = GST_RTC_BIN (element);
  GstRtcTrack *track = g_object_get_data (G_OBJECT (pad), "rtclink-track");
  GstElement *bin = gst_rtc_track_get_bin (track);
  TrackCall call = {self, track};

  g_mutex_lock (&self->tracks_lock);
  g_ptr_array_remove (self->tracks, track);
  g_mutex_unlock (&self->tracks_lock);
  if (self->loop)
    gst_rtc_loop_call (self->loop, forget_track, &call);
  gst_pad_set_active (pad, FALSE);
  gst_element_remove_pad (element, pad);
  gst_element_set_locked_state (bin, TRUE);
  gst_element_set_state (bin, GST_STATE_NULL);
  /* When rtcbin itself goes, its children have gone already. */
  if (GST_OBJECT_PARENT (bin) == GST_OBJECT_CAST (self))
    gst_bin_remove (GST_BIN (self), bin);
  if (self->shared && self->transport->forget_track)
    self->transport->forget_track (self->shared, track);
  gst_rtc_track_free (track);
  if (self->loop)
    gst_rtc_loop_post (self->loop, tracks_changed, self, NULL);
}
