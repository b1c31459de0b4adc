/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcconnection.h"
#include "core/rtcmeter.h"

#include <string.h>

#define MAX_WAITING 128
#define MAX_DESCRIBED 8
#define CONNECTION_MARK "rtclink-connection"

typedef struct
{
  GstRtcConnection *connection;
  GstRtcConnectionEvent event;
} Post;

static void
event_clear (GstRtcConnectionEvent *event)
{
  g_clear_pointer (&event->sdp, gst_sdp_message_free);
  g_clear_pointer (&event->mid, g_free);
  g_clear_pointer (&event->candidate, g_free);
  g_clear_pointer (&event->rid, g_free);
  g_clear_error (&event->error);
  gst_clear_object (&event->pad);
}

static void
post_free (gpointer data)
{
  Post *post = data;

  event_clear (&post->event);
  gst_rtc_connection_unref (post->connection);
  g_free (post);
}

static void
note_candidate (GPtrArray *list, const gchar *candidate)
{
  if (candidate && list->len < MAX_WAITING)
    g_ptr_array_add (list, g_strdup (candidate));
}

static void
note_description (GPtrArray *list, const GstSDPMessage *sdp)
{
  for (guint i = 0; i < gst_sdp_message_medias_len (sdp); i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, i);

    for (guint j = 0; j < gst_sdp_media_attributes_len (media); j++) {
      const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, j);
      gchar *candidate;

      if (g_strcmp0 (attribute->key, "candidate") != 0 || !attribute->value)
        continue;
      candidate = g_strconcat ("candidate:", attribute->value, NULL);
      note_candidate (list, candidate);
      g_free (candidate);
    }
  }
}

static void
deliver (gpointer data)
{
  Post *post = data;
  GstRtcConnection *self = post->connection;

  if (self->closed)
    return;
  if (post->event.type == GST_RTC_CONNECTION_STATE)
    self->state = post->event.state;
  else if (post->event.type == GST_RTC_CONNECTION_CANDIDATE)
    note_candidate (self->local, post->event.candidate);
  else if (post->event.type == GST_RTC_CONNECTION_DESCRIPTION)
    note_description (self->local, post->event.sdp);
  self->func (self, &post->event, self->user_data);
}

static void
post_event (gpointer user_data, GstRtcConnectionEvent event)
{
  Post *post = g_new (Post, 1);

  *post = (Post){gst_rtc_connection_ref (user_data), event};
  gst_rtc_loop_post (post->connection->loop, deliver, post, post_free);
}

static void
on_description (GstRtcTransport *transport, GstSDPMessage *sdp, gpointer user_data)
{
  post_event (user_data, (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_DESCRIPTION, .sdp = sdp});
}

static void
on_candidate (GstRtcTransport *transport, guint mline, const gchar *mid, const gchar *candidate, gpointer user_data)
{
  post_event (user_data,
      (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_CANDIDATE,
          .mline = mline,
          .mid = g_strdup (mid),
          .candidate = g_strdup (candidate)});
}

static void
on_state (GstRtcTransport *transport, GstRtcTransportState state, gpointer user_data)
{
  post_event (user_data, (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_STATE, .state = state});
}

static void
on_failed (GstRtcTransport *transport, GError *error, gpointer user_data)
{
  post_event (user_data, (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_FAILED, .error = error});
}

static void
on_stream (GstRtcTransport *transport, guint mline, const gchar *rid, GstPad *pad, gpointer user_data)
{
  post_event (user_data,
      (GstRtcConnectionEvent){
          .type = GST_RTC_CONNECTION_STREAM, .mline = mline, .rid = g_strdup (rid), .pad = gst_object_ref (pad)});
}

static void
on_key_frame_wanted (GstRtcTransport *transport, guint mline, gpointer user_data)
{
  post_event (user_data, (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_KEY_FRAME_WANTED, .mline = mline});
}

static void
on_restart_wanted (GstRtcTransport *transport, gpointer user_data)
{
  post_event (user_data, (GstRtcConnectionEvent){.type = GST_RTC_CONNECTION_RESTART_WANTED});
}

/* In this thread: what follows on the channel follows at once. */
static void
on_channel (GstRtcTransport *transport, GstRtcChannel *channel, gpointer user_data)
{
  GstRtcConnection *self = user_data;

  if (self->channel_func)
    self->channel_func (self, channel, self->channel_data);
}

static const GstRtcTransportEvents transport_events = {
    .description = on_description,
    .candidate = on_candidate,
    .state = on_state,
    .failed = on_failed,
    .stream = on_stream,
    .key_frame_wanted = on_key_frame_wanted,
    .restart_wanted = on_restart_wanted,
    .channel = on_channel,
};

GstRtcConnection *
gst_rtc_connection_new (GstBin *parent, const GstRtcTransportClass *klass, const GstRtcTransportConfig *config,
    const gchar *session, GstRtcConnectionFunc func, gpointer user_data, GError **error)
{
  GstRtcConnection *self = g_new0 (GstRtcConnection, 1);

  self->transport = klass->open (config, &transport_events, self, error);
  if (!self->transport) {
    g_free (self);
    return NULL;
  }
  self->ref_count = 1;
  self->session = g_strdup (session);
  self->parent = parent;
  self->loop = config->loop;
  self->func = func;
  self->user_data = user_data;
  g_mutex_init (&self->meters_lock);
  self->meters = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->entries = g_ptr_array_new_with_free_func (gst_object_unref);
  self->waiting = g_ptr_array_new_with_free_func (g_free);
  self->local = g_ptr_array_new_with_free_func (g_free);
  self->remote = g_ptr_array_new_with_free_func (g_free);
  self->began = g_get_monotonic_time () / 1000;
  g_object_set_data (G_OBJECT (self->transport->bin), CONNECTION_MARK, self);
  gst_bin_add (parent, self->transport->bin);
  gst_element_sync_state_with_parent (self->transport->bin);
  return self;
}

void
gst_rtc_connection_set_channel_func (GstRtcConnection *self, GstRtcConnectionChannelFunc func, gpointer channel_data)
{
  self->channel_func = func;
  self->channel_data = channel_data;
}

GstRtcConnection *
gst_rtc_connection_ref (GstRtcConnection *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
gst_rtc_connection_unref (gpointer data)
{
  GstRtcConnection *self = data;

  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;
  g_clear_pointer (&self->lines, g_array_unref);
  g_ptr_array_unref (self->entries);
  g_ptr_array_unref (self->waiting);
  g_ptr_array_unref (self->local);
  g_ptr_array_unref (self->remote);
  g_hash_table_unref (self->meters);
  g_mutex_clear (&self->meters_lock);
  g_free (self->session);
  g_free (self);
}

gboolean
gst_rtc_connection_add_candidate (GstRtcConnection *self, guint mline, const gchar *candidate)
{
  if (candidate && g_str_has_prefix (candidate, "a="))
    candidate += 2;
  note_candidate (self->remote, candidate);
  if (self->remote_known) {
    self->transport->klass->add_candidate (self->transport, mline, candidate);
    return TRUE;
  }
  if (self->waiting->len >= MAX_WAITING)
    return FALSE;
  g_ptr_array_add (self->waiting, g_strdup_printf ("%u %s", mline, candidate ? candidate : ""));
  return TRUE;
}

void
gst_rtc_connection_remote_known (GstRtcConnection *self, const GstSDPMessage *sdp)
{
  note_description (self->remote, sdp);
  self->remote_known = TRUE;
  for (guint i = 0; i < self->waiting->len; i++) {
    const gchar *text = g_ptr_array_index (self->waiting, i), *candidate = strchr (text, ' ') + 1;

    self->transport->klass->add_candidate (self->transport, atoi (text), *candidate ? candidate : NULL);
  }
  g_ptr_array_set_size (self->waiting, 0);
}

gboolean
gst_rtc_connection_owns (GstRtcConnection *self, GstObject *object)
{
  return object == GST_OBJECT_CAST (self->transport->bin)
      || gst_object_has_as_ancestor (object, GST_OBJECT_CAST (self->transport->bin));
}

gboolean
gst_rtc_connection_is_inside (GstObject *parent, GstObject *object)
{
  GstObject *at = object ? gst_object_ref (object) : NULL;
  gboolean inside = FALSE;

  while (at && at != parent && !inside) {
    GstObject *up = gst_object_get_parent (at);

    inside = g_object_get_data (G_OBJECT (at), CONNECTION_MARK) != NULL;
    gst_object_unref (at);
    at = up;
  }
  gst_clear_object (&at);
  return inside;
}

void
gst_rtc_connection_add_stream (GstRtcConnection *self, GstPad *entry)
{
  g_ptr_array_add (self->entries, gst_object_ref (entry));
}

void
gst_rtc_connection_close (GstRtcConnection *self, GThreadPool *reaper)
{
  self->closed = TRUE;
  self->transport->klass->close (self->transport);
  gst_element_set_locked_state (self->transport->bin, TRUE);
  g_thread_pool_push (reaper, self, NULL);
}

void
gst_rtc_connection_reap (gpointer data, gpointer user_data)
{
  GstRtcConnection *self = data;
  GstElement *bin = self->transport->bin;

  /* A streaming thread may still be in a sink far downstream that is paused, and leave it only when the pipeline goes
   * to READY. It is awaited here, before the bin's state lock is taken: the pipeline wants that one on its way to
   * READY. */
  for (guint i = 0; i < self->entries->len; i++) {
    GstPad *entry = g_ptr_array_index (self->entries, i);

    GST_PAD_STREAM_LOCK (entry);
    GST_PAD_STREAM_UNLOCK (entry);
  }
  self->transport->klass->settle (self->transport);
  gst_element_set_state (bin, GST_STATE_NULL);
  gst_bin_remove (self->parent, bin);
  self->transport->klass->free (self->transport);
  self->transport = NULL;
  gst_rtc_connection_unref (self);
}

const gchar *
gst_rtc_connection_stage (GstRtcConnection *self)
{
  switch (self->state) {
    case GST_RTC_TRANSPORT_NEW:
      return "negotiation";
    case GST_RTC_TRANSPORT_GATHERING:
      return self->remote_known ? "ice" : "negotiation";
    case GST_RTC_TRANSPORT_CHECKING:
      return "ice";
    case GST_RTC_TRANSPORT_SECURING:
      return "dtls";
    default:
      return "media";
  }
}

static void
describe_list (GString *text, const gchar *whose, GPtrArray *list)
{
  g_string_append_printf (text, "%s: ", whose);
  for (guint i = 0; i < list->len && i < MAX_DESCRIBED; i++) {
    gchar **f = g_strsplit (g_ptr_array_index (list, i), " ", 9);

    if (g_strv_length (f) >= 8)
      g_string_append_printf (text, "%s%s:%s/%s %s", i ? ", " : "", f[4], f[5], f[2], f[7]);
    g_strfreev (f);
  }
  if (list->len == 0)
    g_string_append (text, "none");
  else if (list->len > MAX_DESCRIBED)
    g_string_append_printf (text, " and %u more", list->len - MAX_DESCRIBED);
}

gchar *
gst_rtc_connection_describe_candidates (GstRtcConnection *self)
{
  GString *text = g_string_new (NULL);

  describe_list (text, "ours", self->local);
  describe_list (text, "; theirs", self->remote);
  return g_string_free (text, FALSE);
}

void
gst_rtc_connection_count_received (GstRtcConnection *self, guint mline, guint packets, guint64 bytes)
{
  RtcMeter *meter;

  g_mutex_lock (&self->meters_lock);
  meter = g_hash_table_lookup (self->meters, GUINT_TO_POINTER (mline));
  if (!meter) {
    meter = g_new0 (RtcMeter, 1);
    g_hash_table_insert (self->meters, GUINT_TO_POINTER (mline), meter);
  }
  rtc_meter_add (meter, packets, bytes, g_get_monotonic_time ());
  g_mutex_unlock (&self->meters_lock);
}

void
gst_rtc_connection_add_received_stats (GstRtcConnection *self, guint mline, GstStructure *stats)
{
  RtcMeter none = {0};
  const RtcMeter *meter;

  g_mutex_lock (&self->meters_lock);
  meter = g_hash_table_lookup (self->meters, GUINT_TO_POINTER (mline));
  if (!meter)
    meter = &none;
  gst_structure_set (stats, "packets-received", G_TYPE_UINT64, meter->packets, "bytes-received", G_TYPE_UINT64,
      meter->bytes, "bitrate-received", G_TYPE_UINT64, rtc_meter_get_bitrate (meter, g_get_monotonic_time ()), NULL);
  g_mutex_unlock (&self->meters_lock);
}
