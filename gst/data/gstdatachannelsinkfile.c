/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* How datachannelsink sends what comes as a file: to all peers at once, each from its own offset and at its own speed.
 * Those that are near to where upstream is share what it reads; for one that has fallen behind, or came late, it is
 * asked to seek. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsinkfile.h"

#include <string.h>

#include "core/rtcdeadline.h"
#include "core/rtcmessage.h"

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

#define AHEAD_BYTES (256 * 1024) /* a channel is given so much ahead */

#define WINDOW_BYTES (4 * 1024 * 1024) /* so much of what was read is kept */

/* One that can go on elsewhere waits so long for those that go on here. */
#define TURN_US (50 * G_TIME_SPAN_MILLISECOND)

#define PROGRESS_US (250 * G_TIME_SPAN_MILLISECOND)

static void
clear_window (GstRtcSinkFile *file)
{
  g_queue_clear_full (&file->window, (GDestroyNotify)gst_buffer_unref);
  file->window_bytes = 0;
}

/* Where the window will begin when there is something more in it. */
static gint64
get_next_begin (GstRtcSinkFile *file)
{
  gsize bytes = file->window_bytes;

  for (GList *l = file->window.head; l && bytes >= WINDOW_BYTES; l = l->next)
    bytes -= gst_buffer_get_size (l->data);
  return file->position - (gint64)bytes;
}

static void
extend_window (GstRtcSinkFile *file, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);

  while (file->window_bytes >= WINDOW_BYTES) {
    GstBuffer *first = g_queue_pop_head (&file->window);

    file->window_bytes -= gst_buffer_get_size (first);
    gst_buffer_unref (first);
  }
  g_queue_push_tail (&file->window, gst_buffer_ref (buffer));
  file->window_bytes += size;
  file->position += size;
}

/* The buffer of the window that has the file's byte OFFSET, and where it begins. (transfer none) (nullable) */
static GstBuffer *
find_buffer (GstRtcSinkFile *file, gint64 offset, gint64 *begin)
{
  *begin = file->position;
  for (GList *l = file->window.tail; l && offset < *begin; l = l->prev) {
    *begin -= gst_buffer_get_size (l->data);
    if (offset >= *begin)
      return l->data;
  }
  return NULL;
}

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
  clear_window (file);
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
  GstRtcSinkFile *file = self->file;

  file->is_in_bytes = segment->format == GST_FORMAT_BYTES;
  if (!file->is_in_bytes || file->position == (gint64)segment->start)
    return;
  clear_window (file);
  file->position = segment->start;
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

static gboolean
is_seekable (GstPad *pad)
{
  GstQuery *query = gst_query_new_seeking (GST_FORMAT_BYTES);
  gboolean is_seekable = FALSE;

  if (gst_pad_peer_query (pad, query))
    gst_query_parse_seeking (query, NULL, &is_seekable, NULL, NULL);
  gst_query_unref (query);
  return is_seekable;
}

/* Asks upstream what the file is called, how long it is now, and whether it can be read again. Streaming thread,
 * without the lock. */
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
  file->is_seekable = file->is_in_bytes && is_seekable (pad);
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
  receiver->turn = ++file->turns;
  file->turn_at = g_get_monotonic_time ();
  GST_DEBUG_OBJECT (self, "peer %s: from byte %" G_GINT64_FORMAT " on", receiver->peer_id, *offset);
  /* One that went elsewhere would do so again. */
  file->seek_failed = !file->is_seekable || file->sought == *offset;
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

typedef enum
{
  WAITS, /* for its peer, or for room in its channel */
  SERVED, /* something was done, or has changed */
  WANTS_NEXT, /* what comes next from upstream */
  WANTS_OTHER, /* something that is not here, nor comes next */
} Need;

/* Does what can be done for RECEIVER, which has a channel, now. With the lock, which it gives up meanwhile. */
static Need
serve (GstDataChannelSink *self, GstRtcSinkReceiver *receiver, gboolean is_eos)
{
  GstRtcSinkFile *file = self->file;
  RtcFileSendState state = receiver->send ? rtc_file_send_get_state (receiver->send) : RTC_FILE_SEND_AWAY;
  GstBuffer *buffer;
  gint64 wanted, begin;

  if (state == RTC_FILE_SEND_AWAY) {
    open_transfer (self, receiver);
    return SERVED;
  }
  if (state != RTC_FILE_SEND_CONTENTS)
    return WAITS;
  wanted = rtc_file_send_get_offset (receiver->send);
  if (wanted == file->size || (is_eos && wanted == file->position)) {
    gst_rtc_sink_receiver_send_text (receiver, rtc_file_send_end (receiver->send, g_get_monotonic_time ()));
    return SERVED;
  }
  if (is_eos && wanted > file->position) {
    gst_rtc_sink_receiver_send_text (
        receiver, rtc_file_send_cancel (receiver->send, RTC_FILE_CHANGED, "the file has become shorter"));
    return SERVED;
  }
  if (!has_room (receiver))
    return WAITS;
  if (!receiver->channel || rtc_file_send_get_state (receiver->send) != RTC_FILE_SEND_CONTENTS)
    return SERVED;
  if (wanted == file->position)
    return WANTS_NEXT;
  buffer = find_buffer (file, wanted, &begin);
  if (!buffer)
    return WANTS_OTHER;
  send_contents (receiver, buffer, begin);
  return SERVED;
}

typedef struct
{
  gboolean is_done; /* there is nobody to wait for */
  gboolean is_served, wants_next;
  GstRtcSinkReceiver *other; /* one that WANTS_OTHER, and whose turn was longest ago; NULL: none does */
  gint64 deadline; /* when to look again */
} Round;

/* Each receiver is served once. With the lock, which it gives up meanwhile. */
static Round
serve_each (GstDataChannelSink *self, gboolean is_eos)
{
  GPtrArray *receivers = self->file->receivers;
  Round round = {.is_done = receivers->len > 0, .deadline = -1};

  /* None is ever taken out. */
  for (guint i = 0; i < receivers->len; i++) {
    GstRtcSinkReceiver *receiver = g_ptr_array_index (receivers, i);
    Need need = WAITS;
    gint64 deadline;

    if (gst_rtc_sink_receiver_check (receiver, &deadline))
      continue;
    round.is_done = FALSE;
    round.deadline = rtc_earlier (round.deadline, deadline);
    if (receiver->channel)
      need = serve (self, receiver, is_eos);
    round.is_served = round.is_served || need == SERVED;
    round.wants_next = round.wants_next || need == WANTS_NEXT;
    if (need == WANTS_OTHER && (!round.other || receiver->turn < round.other->turn))
      round.other = receiver;
  }
  return round;
}

/* Whether upstream may go on: what it cannot read again is kept for whoever still needs it. With the lock. */
static gboolean
may_go_on (GstDataChannelSink *self)
{
  GstRtcSinkFile *file = self->file;
  gint64 begin = get_next_begin (file);
  gboolean is_needed = FALSE;

  if (file->is_seekable || file->window_bytes < WINDOW_BYTES)
    return TRUE;
  for (guint i = 0; i < file->receivers->len; i++) {
    GstRtcSinkReceiver *receiver = g_ptr_array_index (file->receivers, i);
    RtcFileSendState state = receiver->send ? rtc_file_send_get_state (receiver->send) : RTC_FILE_SEND_AWAY;

    is_needed = is_needed || (receiver->channel && !receiver->is_over && state == RTC_FILE_SEND_ASKING)
        || (state == RTC_FILE_SEND_CONTENTS && rtc_file_send_get_offset (receiver->send) < begin);
  }
  return !is_needed;
}

/* Serves all, until one wants what comes next from upstream (IS_EOS: nothing does; until all have everything). With the
 * lock. */
static GstFlowReturn
serve_all (GstDataChannelSink *self, gboolean is_eos)
{
  GstRtcSinkFile *file = self->file;
  GstFlowReturn flow = GST_FLOW_OK;

  while (flow == GST_FLOW_OK) {
    guint changes = file->changes;
    Round round = serve_each (self, is_eos);
    gboolean is_its_turn = !round.wants_next || g_get_monotonic_time () - file->turn_at >= TURN_US;

    if (round.is_done)
      return GST_FLOW_EOS;
    if (round.is_served || changes != file->changes)
      continue;
    if (round.other && is_its_turn)
      flow = seek_upstream (self, round.other);
    else if (round.wants_next && may_go_on (self))
      return GST_FLOW_OK;
    else
      flow = gst_data_channel_sink_wait (self, round.deadline);
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
  if (size > 0)
    extend_window (self->file, buffer);
  flow = serve_all (self, FALSE);
  g_mutex_unlock (&self->lock);
  return flow;
}

GstFlowReturn
gst_rtc_sink_file_drain (GstDataChannelSink *self)
{
  GstFlowReturn flow;

  g_mutex_lock (&self->lock);
  flow = serve_all (self, TRUE);
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
