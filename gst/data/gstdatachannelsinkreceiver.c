/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The peers that datachannelsink sends a file to, and their channels. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsinkfile.h"
#include "gstrtcfileinbox.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

#define LOW_BYTES (64 * 1024) /* a channel tells when it has become this little */

/* The listener of one channel of a receiver's. */
typedef struct
{
  GstRtcSinkReceiver *receiver; /* (owned) */
} Listener;

void
gst_rtc_sink_file_tell (GstDataChannelSink *sink)
{
  if (sink->file)
    sink->file->changes++;
  g_cond_broadcast (&sink->changed);
}

GstRtcSinkReceiver *
gst_rtc_sink_receiver_ref (GstRtcSinkReceiver *receiver)
{
  g_atomic_int_inc (&receiver->ref_count);
  return receiver;
}

void
gst_rtc_sink_receiver_unref (gpointer data)
{
  GstRtcSinkReceiver *receiver = data;

  if (!g_atomic_int_dec_and_test (&receiver->ref_count))
    return;
  if (receiver->channel)
    gst_rtc_channel_unref (receiver->channel);
  if (receiver->next)
    gst_rtc_channel_unref (receiver->next);
  rtc_file_send_free (receiver->send);
  gst_object_unref (receiver->sink);
  g_free (receiver->peer_id);
  g_free (receiver);
}

static void
listener_free (gpointer data)
{
  Listener *listener = data;

  gst_rtc_sink_receiver_unref (listener->receiver);
  g_free (listener);
}

void
gst_rtc_sink_receiver_send_text (GstRtcSinkReceiver *receiver, gchar *text)
{
  GstRtcChannel *channel = receiver->channel ? gst_rtc_channel_ref (receiver->channel) : NULL;
  GBytes *bytes;

  if (text && channel) {
    bytes = g_bytes_new (text, strlen (text));
    g_mutex_unlock (&receiver->sink->lock);
    gst_rtc_channel_send (channel, TRUE, bytes, NULL); /* one that is closing tells */
    g_bytes_unref (bytes);
    g_mutex_lock (&receiver->sink->lock);
  }
  if (channel)
    gst_rtc_channel_unref (channel);
  g_free (text);
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *bytes, gint64 arrival, gpointer user_data)
{
  GstRtcSinkReceiver *receiver = ((Listener *)user_data)->receiver;
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  g_mutex_lock (&receiver->sink->lock);
  if (receiver->channel == channel && receiver->send)
    gst_rtc_sink_receiver_send_text (
        receiver, rtc_file_send_take (receiver->send, is_text, data, size, g_get_monotonic_time ()));
  gst_rtc_sink_file_tell (receiver->sink);
  g_mutex_unlock (&receiver->sink->lock);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  GstRtcSinkReceiver *receiver = ((Listener *)user_data)->receiver;
  GstRtcChannel *lost = NULL;

  if (state < GST_RTC_CHANNEL_CLOSING)
    return;
  g_mutex_lock (&receiver->sink->lock);
  if (receiver->channel == channel) {
    lost = receiver->channel;
    receiver->channel = g_steal_pointer (&receiver->next);
    if (receiver->send)
      rtc_file_send_lose (receiver->send);
    receiver->lost_at = receiver->channel ? -1 : g_get_monotonic_time ();
  } else if (receiver->next == channel) {
    lost = g_steal_pointer (&receiver->next);
  }
  gst_rtc_sink_file_tell (receiver->sink);
  g_mutex_unlock (&receiver->sink->lock);
  if (lost)
    gst_rtc_channel_unref (lost);
}

static void
on_low (GstRtcChannel *channel, gpointer user_data)
{
  GstDataChannelSink *sink = ((Listener *)user_data)->receiver->sink;

  g_mutex_lock (&sink->lock);
  gst_rtc_sink_file_tell (sink);
  g_mutex_unlock (&sink->lock);
}

static const GstRtcChannelEvents channel_events = {on_state, on_message, on_low};

/* Whoever has it, or has failed, is not given it again. With the lock. */
static GstRtcSinkReceiver *
find_receiver (GstRtcSinkFile *file, const gchar *peer_id)
{
  for (guint i = 0; i < file->receivers->len; i++) {
    GstRtcSinkReceiver *receiver = g_ptr_array_index (file->receivers, i);

    if (strcmp (receiver->peer_id, peer_id) == 0)
      return receiver;
  }
  return NULL;
}

static GstRtcSinkReceiver *
add_receiver (GstDataChannelSink *self, const gchar *peer_id)
{
  GstRtcSinkReceiver *receiver = g_new0 (GstRtcSinkReceiver, 1);

  receiver->ref_count = 1;
  receiver->sink = gst_object_ref (self);
  receiver->peer_id = g_strdup (peer_id);
  receiver->lost_at = -1;
  g_ptr_array_add (self->file->receivers, receiver);
  return receiver;
}

void
gst_rtc_sink_file_on_channel (GstRtcChannel *channel, gpointer user_data)
{
  GstDataChannelSink *self = user_data;
  GstRtcSinkReceiver *receiver = NULL;
  GstRtcChannel *older = NULL;
  Listener *listener;

  g_mutex_lock (&self->lock);
  if (self->file)
    receiver = find_receiver (self->file, channel->peer_id);
  if (!self->file || !gst_rtc_channel_init_equal (&channel->init, &self->init)) {
    g_mutex_unlock (&self->lock);
    GST_DEBUG_OBJECT (self, "peer %s: a channel that is not used", channel->peer_id);
    return;
  }
  if (!receiver)
    receiver = add_receiver (self, channel->peer_id);
  if (receiver->channel) {
    older = receiver->next;
    receiver->next = gst_rtc_channel_ref (channel);
  } else {
    receiver->channel = gst_rtc_channel_ref (channel);
    receiver->lost_at = -1;
  }
  listener = g_new (Listener, 1);
  listener->receiver = gst_rtc_sink_receiver_ref (receiver);
  gst_rtc_sink_receiver_ref (receiver);
  gst_rtc_sink_file_tell (self);
  g_mutex_unlock (&self->lock);
  if (older)
    gst_rtc_channel_unref (older);

  gst_rtc_channel_set_low_threshold (channel, LOW_BYTES);
  if (gst_rtc_channel_add_listener (channel, &channel_events, listener, listener_free) == GST_RTC_CHANNEL_CLOSED)
    on_state (channel, GST_RTC_CHANNEL_CLOSED, NULL, listener);
  gst_rtc_sink_receiver_unref (receiver);
}

void
gst_rtc_sink_receiver_post (GstRtcSinkReceiver *receiver, const gchar *name)
{
  GstElement *element = GST_ELEMENT (receiver->sink);
  GstRtcSinkFile *file = receiver->sink->file;
  RtcFileInfo info = {.name = file->name, .size = file->size, .bytes = rtc_file_send_get_offset (receiver->send)};
  gboolean is_done = rtc_file_send_get_state (receiver->send) == RTC_FILE_SEND_DONE;
  const gchar *reason = NULL;
  RtcFileCode code = rtc_file_send_get_code (receiver->send, &reason);
  gchar *why = g_strdup (reason);

  g_strlcpy (info.id, rtc_file_send_get_id (receiver->send), sizeof info.id);
  g_strlcpy (info.sha256, rtc_file_send_get_digest (receiver->send), sizeof info.sha256);
  g_mutex_unlock (&receiver->sink->lock);
  if (is_done)
    gst_rtc_file_post (element, name, receiver->peer_id, &info, "sha256", G_TYPE_STRING, info.sha256, NULL);
  else if (why)
    gst_rtc_file_post (element, name, receiver->peer_id, &info, "code", G_TYPE_STRING,
        gst_rtc_file_code_to_string (code), "reason", G_TYPE_STRING, why, NULL);
  else
    gst_rtc_file_post (element, name, receiver->peer_id, &info, NULL, NULL);
  g_free (why);
  g_mutex_lock (&receiver->sink->lock);
}

/* When check() is to look again. With the lock. */
static gint64
get_deadline (GstRtcSinkReceiver *receiver)
{
  if (!receiver->channel)
    return receiver->lost_at + receiver->sink->max_time * G_TIME_SPAN_MILLISECOND;
  return receiver->send ? rtc_file_send_get_deadline (receiver->send) : -1;
}

gboolean
gst_rtc_sink_receiver_check (GstRtcSinkReceiver *receiver, gint64 *deadline)
{
  gint64 now = g_get_monotonic_time ();
  RtcFileSendState state;

  *deadline = -1;
  if (receiver->is_over)
    return TRUE;
  if (!receiver->channel && now >= get_deadline (receiver)) {
    if (receiver->send)
      g_free (rtc_file_send_cancel (receiver->send, RTC_FILE_CANCELLED, "the peer went, and did not come back"));
    else
      receiver->is_over = TRUE;
  } else if (receiver->send) {
    gst_rtc_sink_receiver_send_text (receiver, rtc_file_send_check (receiver->send, now));
  }
  state = receiver->send ? rtc_file_send_get_state (receiver->send) : RTC_FILE_SEND_AWAY;
  *deadline = get_deadline (receiver);
  if (state != RTC_FILE_SEND_DONE && state != RTC_FILE_SEND_FAILED)
    return receiver->is_over;
  receiver->is_over = TRUE;
  gst_rtc_sink_receiver_post (receiver, state == RTC_FILE_SEND_DONE ? "rtc-file-done" : "rtc-file-failed");
  return TRUE;
}
