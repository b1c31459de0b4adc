/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* How datachannelsink sends what comes as a file: to one peer after the other, each from its own offset. Where upstream
 * is at another one, it is asked to seek. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsinkfile.h"

#include <string.h>

#include "core/rtcmessage.h"

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

#define AHEAD_BYTES (256 * 1024) /* a channel is given so much ahead */

#define PROGRESS_US (250 * G_TIME_SPAN_MILLISECOND)

void
gst_rtc_sink_file_start (GstDataChannelSink *self)
{
  GstRtcSinkFile *file = g_new0 (GstRtcSinkFile, 1);

  file->receivers = g_ptr_array_new_with_free_func (gst_rtc_sink_receiver_unref);
  file->size = file->sought = -1;
  g_mutex_lock (&self->lock);
  self->file = file;
  g_mutex_unlock (&self->lock);
}

/* The state goes down with transfers that are not over: they are cancelled. */
void
gst_rtc_sink_file_stop (GstDataChannelSink *self)
{
  GstRtcSinkFile *file = self->file;

  if (!file)
    return;
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < file->receivers->len; i++) {
    GstRtcSinkReceiver *receiver = g_ptr_array_index (file->receivers, i);

    if (!receiver->send || receiver->is_over)
      continue;
    gst_rtc_sink_receiver_send_text (
        receiver, rtc_file_send_cancel (receiver->send, RTC_FILE_CANCELLED, "the sender stopped"));
    receiver->is_over = TRUE;
    gst_rtc_sink_receiver_post (
        receiver, rtc_file_send_get_state (receiver->send) == RTC_FILE_SEND_DONE ? "rtc-file-done" : "rtc-file-failed");
  }
  self->file = NULL;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < file->receivers->len; i++) {
    GstRtcSinkReceiver *receiver = g_ptr_array_index (file->receivers, i);
    GstRtcChannel *channel, *next;

    g_mutex_lock (&self->lock);
    channel = g_steal_pointer (&receiver->channel);
    next = g_steal_pointer (&receiver->next);
    g_mutex_unlock (&self->lock);
    if (channel)
      gst_rtc_channel_unref (channel);
    if (next)
      gst_rtc_channel_unref (next);
  }
  g_ptr_array_unref (file->receivers);
  g_free (file->name);
  g_free (file->mime);
  g_free (file);
}

void
gst_rtc_sink_file_set_caps (GstDataChannelSink *self, GstCaps *caps)
{
  g_free (self->file->mime);
  self->file->mime = g_strdup (gst_structure_get_name (gst_caps_get_structure (caps, 0)));
}

void
gst_rtc_sink_file_set_segment (GstDataChannelSink *self, const GstSegment *segment)
{
  self->file->is_in_bytes = segment->format == GST_FORMAT_BYTES;
  if (self->file->is_in_bytes)
    self->file->position = segment->start;
}

/* What URI says that the file is called; NULL: nothing. (transfer full) */
static gchar *
name_of_uri (const gchar *uri)
{
  gchar *path = uri ? g_filename_from_uri (uri, NULL, NULL) : NULL;
  gchar *base = path ? g_path_get_basename (path) : NULL;
  gchar *name = base ? g_filename_display_name (base) : NULL;

  g_free (path);
  g_free (base);
  return name;
}

/* Asks upstream what the file is called, and how long it is now. Streaming thread, without the lock. */
static void
ask_upstream (GstDataChannelSink *self)
{
  GstRtcSinkFile *file = self->file;
  GstPad *pad = GST_BASE_SINK_PAD (self);
  GstQuery *query = gst_query_new_uri ();
  gchar *name = g_strdup (self->file_name), *uri = NULL;
  gint64 size = -1;

  if (!name && gst_pad_peer_query (pad, query)) {
    gst_query_parse_uri (query, &uri);
    name = name_of_uri (uri);
    g_free (uri);
  }
  gst_query_unref (query);
  if (!file->is_in_bytes || !gst_pad_peer_query_duration (pad, GST_FORMAT_BYTES, &size) || size > RTC_FILE_MAX_SIZE)
    size = -1;
  g_mutex_lock (&self->lock);
  g_free (file->name);
  file->name = name ? name : g_strdup ("file");
  file->size = size;
  g_mutex_unlock (&self->lock);
}

/* Begins, or goes on after a break. With the lock, which it gives up meanwhile. */
static void
open_transfer (GstDataChannelSink *self, GstRtcSinkReceiver *receiver)
{
  GstRtcSinkFile *file = self->file;

  g_mutex_unlock (&self->lock);
  ask_upstream (self);
  g_mutex_lock (&self->lock);
  if (!receiver->send) {
    gchar *id = rtc_id_new ("");

    receiver->send = rtc_file_send_new (id, file->name, file->mime);
    g_free (id);
  }
  file->sought = -1;
  if (!receiver->channel)
    return; /* it went meanwhile */
  gst_rtc_sink_receiver_send_text (receiver, rtc_file_send_open (receiver->send, file->size, g_get_monotonic_time ()));
  if (!receiver->was_told)
    gst_rtc_sink_receiver_post (receiver, "rtc-file-begin");
  receiver->was_told = TRUE;
}

static void
do_seek (GstElement *element, gpointer user_data)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (element);
  gint64 *offset = user_data;
  GstEvent *event = gst_event_new_seek (
      1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, *offset, GST_SEEK_TYPE_NONE, -1);

  if (gst_pad_push_event (GST_BASE_SINK_PAD (self), event))
    return;
  g_mutex_lock (&self->lock);
  if (self->file)
    self->file->seek_failed = TRUE;
  gst_rtc_sink_file_tell (self);
  g_mutex_unlock (&self->lock);
}

/* Upstream is at another place than the one that RECEIVER wants. Another thread asks it to go there, since that flushes
 * this one. OK: it cannot, and the transfer was cancelled. With the lock. */
static GstFlowReturn
seek_upstream (GstDataChannelSink *self, GstRtcSinkReceiver *receiver)
{
  GstRtcSinkFile *file = self->file;
  GstFlowReturn flow = GST_FLOW_OK;
  gint64 *offset = g_new (gint64, 1);

  *offset = rtc_file_send_get_offset (receiver->send);
  GST_DEBUG_OBJECT (self, "peer %s: from byte %" G_GINT64_FORMAT " on", receiver->peer_id, *offset);
  /* One that went elsewhere would do so again. */
  file->seek_failed = !file->is_in_bytes || file->sought == *offset;
  file->sought = *offset;
  if (file->seek_failed)
    g_free (offset);
  else
    gst_element_call_async (GST_ELEMENT (self), do_seek, offset, g_free);
  while (flow == GST_FLOW_OK && !file->seek_failed)
    flow = gst_data_channel_sink_wait (self, -1);
  if (flow == GST_FLOW_OK)
    gst_rtc_sink_receiver_send_text (receiver,
        rtc_file_send_cancel (
            receiver->send, RTC_FILE_CANCELLED, "what is sent cannot be read again from an earlier place"));
  return flow;
}

/* Sends one message of contents: BUFFER begins at the file's byte BEGIN. With the lock, which it gives up meanwhile. */
static void
send_contents (GstRtcSinkReceiver *receiver, GstBuffer *buffer, gint64 begin)
{
  GstDataChannelSink *self = receiver->sink;
  gint64 now = g_get_monotonic_time ();
  gsize skip = rtc_file_send_get_offset (receiver->send) - begin;
  gsize size = MIN (gst_buffer_get_size (buffer) - skip, RTC_FILE_MAX_CONTENTS);
  GstRtcChannel *channel;
  GError *error = NULL;
  gpointer data;
  gchar *instead;
  GBytes *bytes;

  gst_buffer_extract_dup (buffer, skip, size, &data, &size);
  self->file->sought = -1;
  instead = rtc_file_send_contents (receiver->send, data, size, now);
  bytes = g_bytes_new_take (data, size);
  if (instead) {
    gst_rtc_sink_receiver_send_text (receiver, instead);
  } else {
    channel = gst_rtc_channel_ref (receiver->channel);
    g_mutex_unlock (&self->lock);
    gst_rtc_channel_send (channel, FALSE, bytes, &error);
    gst_rtc_channel_unref (channel);
    g_mutex_lock (&self->lock);
    self->sent.messages++;
    self->sent.bytes += size;
  }
  g_bytes_unref (bytes);
  /* One that is closing tells, and the transfer may go on over the next. */
  if (error && !g_error_matches (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE))
    gst_rtc_sink_receiver_send_text (receiver, rtc_file_send_cancel (receiver->send, RTC_FILE_REFUSED, error->message));
  g_clear_error (&error);
  if (now - receiver->told_at >= PROGRESS_US && receiver->told_at > 0)
    gst_rtc_sink_receiver_post (receiver, "rtc-file-progress");
  else if (receiver->told_at > 0)
    return;
  receiver->told_at = now;
}

/* Whether more may be given to RECEIVER's channel. With the lock, which it gives up meanwhile. */
static gboolean
has_room (GstRtcSinkReceiver *receiver)
{
  GstRtcChannel *channel = gst_rtc_channel_ref (receiver->channel);
  gsize buffered;

  g_mutex_unlock (&receiver->sink->lock);
  buffered = gst_rtc_channel_get_buffered (channel);
  gst_rtc_channel_unref (channel);
  g_mutex_lock (&receiver->sink->lock);
  return buffered < AHEAD_BYTES;
}

/* Does one thing for RECEIVER with BUFFER, which begins at the file's byte BEGIN; NULL: the end is there. IS_CONSUMED:
 * nobody wants more of it now. IS_WAITING: nothing can be done. With the lock. */
static GstFlowReturn
serve (GstDataChannelSink *self, GstRtcSinkReceiver *receiver, GstBuffer *buffer, gboolean *is_consumed,
    gboolean *is_waiting)
{
  gint64 begin = self->file->position;
  gint64 end = begin + (buffer ? (gint64)gst_buffer_get_size (buffer) : 0);
  RtcFileSendState state = receiver->send ? rtc_file_send_get_state (receiver->send) : RTC_FILE_SEND_AWAY;
  gint64 wanted;

  if (state == RTC_FILE_SEND_AWAY)
    open_transfer (self, receiver);
  else
    *is_waiting = state != RTC_FILE_SEND_CONTENTS;
  if (state != RTC_FILE_SEND_CONTENTS)
    return GST_FLOW_OK;
  wanted = rtc_file_send_get_offset (receiver->send);
  if (wanted == self->file->size || (!buffer && wanted == end)) {
    gst_rtc_sink_receiver_send_text (receiver, rtc_file_send_end (receiver->send, g_get_monotonic_time ()));
  } else if (buffer && wanted == end) {
    *is_consumed = TRUE;
  } else if (!buffer && wanted > end) {
    gst_rtc_sink_receiver_send_text (
        receiver, rtc_file_send_cancel (receiver->send, RTC_FILE_CHANGED, "the file has become shorter"));
  } else if (wanted < begin || wanted > end) {
    return seek_upstream (self, receiver);
  } else if (!has_room (receiver)) {
    *is_waiting = TRUE;
  } else if (receiver->channel && rtc_file_send_get_state (receiver->send) == RTC_FILE_SEND_CONTENTS) {
    send_contents (receiver, buffer, begin);
  }
  return GST_FLOW_OK;
}

/* Serves one after the other, until all want something behind BUFFER (NULL: until all have everything). With the lock.
 */
static GstFlowReturn
serve_all (GstDataChannelSink *self, GstBuffer *buffer)
{
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean is_consumed = FALSE;

  while (flow == GST_FLOW_OK && !is_consumed) {
    gboolean is_done, is_waiting = FALSE;
    gint64 deadline;
    guint changes = self->file->changes;
    GstRtcSinkReceiver *receiver = gst_rtc_sink_receiver_choose (self, &deadline, &is_done);

    if (is_done)
      return GST_FLOW_EOS;
    if (receiver)
      flow = serve (self, receiver, buffer, &is_consumed, &is_waiting);
    if ((!receiver || is_waiting) && flow == GST_FLOW_OK && changes == self->file->changes)
      flow = gst_data_channel_sink_wait (self, deadline);
  }
  return flow;
}

GstFlowReturn
gst_rtc_sink_file_render (GstDataChannelSink *self, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);
  GstFlowReturn flow;

  g_mutex_lock (&self->lock);
  self->buffers++;
  self->bytes += size;
  flow = serve_all (self, buffer);
  if (flow == GST_FLOW_OK)
    self->file->position += size;
  g_mutex_unlock (&self->lock);
  return flow;
}

GstFlowReturn
gst_rtc_sink_file_drain (GstDataChannelSink *self)
{
  GstFlowReturn flow;

  g_mutex_lock (&self->lock);
  flow = serve_all (self, NULL);
  g_mutex_unlock (&self->lock);
  if (flow != GST_FLOW_EOS)
    return flow;
  if (self->close_on_eos)
    gst_data_channel_sink_detach (self);
  return GST_FLOW_OK;
}

gboolean
gst_rtc_sink_file_cancel (GstDataChannelSink *self, const gchar *id)
{
  gboolean is_found = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; self->file && id && i < self->file->receivers->len && !is_found; i++) {
    GstRtcSinkReceiver *receiver = gst_rtc_sink_receiver_ref (g_ptr_array_index (self->file->receivers, i));

    is_found = receiver->send && !receiver->is_over && strcmp (rtc_file_send_get_id (receiver->send), id) == 0;
    if (is_found)
      gst_rtc_sink_receiver_send_text (
          receiver, rtc_file_send_cancel (receiver->send, RTC_FILE_CANCELLED, "the sender cancelled it"));
    gst_rtc_sink_receiver_unref (receiver);
  }
  gst_rtc_sink_file_tell (self);
  g_mutex_unlock (&self->lock);
  return is_found;
}
