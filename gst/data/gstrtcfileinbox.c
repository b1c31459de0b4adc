/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcfileinbox.h"

#include <string.h>

#include "gstrtcfilestore.h"
#include "core/rtcdeadline.h"

/* From the one on the peer is made to wait, until half of it is on the disk; at the other the channel is closed, since
 * it cannot be made to. */
#define FULL_BYTES (4 * 1024 * 1024)
#define MAX_BYTES (32 * 1024 * 1024)
#define HOLD_UP_BYTES (64 * 1024 * 1024)

#define PROGRESS_US (250 * G_TIME_SPAN_MILLISECOND)

/* A channel. The listener has a reference, and the list another. */
typedef struct
{
  gint ref_count; /* atomic */
  GstRtcFileInbox *inbox; /* (owned) */
  GstRtcChannel *channel; /* (owned) */

  /* under the inbox's lock */
  gsize waiting; /* bytes of its messages that wait for the disk */
  gboolean is_held_up, is_closed;
  gchar *current; /* the id of the transfer that is going on; NULL: none is */

  /* the inbox's thread */
  RtcFileReceive *receive;
  GstRtcFilePart *part; /* NULL: none is open */
  gint64 told_at; /* when progress was posted last */
} Line;

typedef struct
{
  Line *line; /* (owned) */
  GBytes *bytes; /* NULL: the channel was closed, or with ID, that transfer is cancelled */
  gchar *id;
  gboolean is_text;
} Item;

struct _GstRtcFileInbox
{
  gint ref_count; /* atomic */

  /* set at construction */
  GstElement *element;
  gint64 max_size;
  void (*whole) (GstElement *element, GstRtcChannel *channel, const gchar *path);
  GThread *thread;

  /* the inbox's thread */
  GstRtcFileStore *store;

  GMutex lock;
  GCond changed; /* with lock: an item came, or it is to stop */
  /* under lock */
  GQueue items; /* of Item */
  GPtrArray *lines;
  gboolean is_stopped;
};

GstRtcFileInbox *
gst_rtc_file_inbox_ref (GstRtcFileInbox *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
gst_rtc_file_inbox_unref (GstRtcFileInbox *self)
{
  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;
  g_ptr_array_unref (self->lines);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static Line *
line_ref (Line *line)
{
  g_atomic_int_inc (&line->ref_count);
  return line;
}

static void
line_unref (gpointer data)
{
  Line *line = data;

  if (!g_atomic_int_dec_and_test (&line->ref_count))
    return;
  rtc_file_receive_free (line->receive);
  gst_rtc_channel_unref (line->channel);
  gst_rtc_file_inbox_unref (line->inbox);
  g_free (line->current);
  g_free (line);
}

static void
item_free (gpointer data)
{
  Item *item = data;

  if (item->bytes)
    g_bytes_unref (item->bytes);
  line_unref (item->line);
  g_free (item->id);
  g_free (item);
}

/* With the lock. */
static void
push_item (Line *line, GBytes *bytes, gboolean is_text, const gchar *id)
{
  Item *item = g_new (Item, 1);

  *item = (Item){line_ref (line), bytes ? g_bytes_ref (bytes) : NULL, g_strdup (id), is_text};
  g_queue_push_tail (&line->inbox->items, item);
  g_cond_signal (&line->inbox->changed);
}

const gchar *
gst_rtc_file_code_to_string (RtcFileCode code)
{
  static const gchar *const names[] = {
      "cancelled", "refused", "exists", "too-large", "disk-full", "digest", "changed", "protocol"};

  return names[code];
}

void
gst_rtc_file_post (GstElement *element, const gchar *name, const gchar *peer_id, const RtcFileInfo *info,
    const gchar *first_field, ...)
{
  GstStructure *s =
      gst_structure_new (name, "peer-id", G_TYPE_STRING, peer_id, "id", G_TYPE_STRING, info->id, "name", G_TYPE_STRING,
          info->name ? info->name : "", "size", G_TYPE_INT64, info->size, "bytes", G_TYPE_INT64, info->bytes, NULL);
  va_list fields;

  va_start (fields, first_field);
  if (first_field)
    gst_structure_set_valist (s, first_field, fields);
  va_end (fields);
  gst_element_post_message (element, gst_message_new_element (GST_OBJECT (element), s));
}

static void
post (Line *line, const gchar *name)
{
  gst_rtc_file_post (
      line->inbox->element, name, line->channel->peer_id, rtc_file_receive_get_info (line->receive), NULL, NULL);
}

static void
post_failed (Line *line, RtcFileCode code, const gchar *reason)
{
  gst_rtc_file_post (line->inbox->element, "rtc-file-failed", line->channel->peer_id,
      rtc_file_receive_get_info (line->receive), "code", G_TYPE_STRING, gst_rtc_file_code_to_string (code), "reason",
      G_TYPE_STRING, reason, NULL);
}

static void
set_current (Line *line, const gchar *id)
{
  g_mutex_lock (&line->inbox->lock);
  g_free (line->current);
  line->current = g_strdup (id);
  g_mutex_unlock (&line->inbox->lock);
}

/* A channel that is closing takes no answer, and needs none. */
static void
answer (Line *line, gchar *text)
{
  GBytes *bytes;

  if (!text)
    return;
  bytes = g_bytes_new_take (text, strlen (text));
  gst_rtc_channel_send (line->channel, TRUE, bytes, NULL);
  g_bytes_unref (bytes);
}

/* The transfer has failed, by whomever. */
static void
drop_transfer (Line *line)
{
  const gchar *reason;
  RtcFileCode code;

  gst_rtc_file_part_remove (g_steal_pointer (&line->part));
  set_current (line, NULL);
  if (rtc_file_receive_get_code (line->receive, &code, &reason))
    post_failed (line, code, reason);
}

static void
cancel (Line *line, RtcFileCode code, const gchar *reason)
{
  gchar *text = rtc_file_receive_cancel (line->receive, code, reason);

  answer (line, text);
  drop_transfer (line);
}

static void
cancel_for (Line *line, GError *error)
{
  cancel (line, error->code, error->message);
  g_error_free (error);
}

/* The transfer goes on later, or never: the part stays. */
static void
leave_transfer (Line *line, const gchar *reason)
{
  if (rtc_file_receive_is_active (line->receive))
    post_failed (line, RTC_FILE_CANCELLED, reason);
  gst_rtc_file_part_keep (g_steal_pointer (&line->part));
  set_current (line, NULL);
  rtc_file_receive_free (line->receive);
  line->receive = rtc_file_receive_new (line->inbox->max_size);
}

/* Lines, so that the lock need not be held. (transfer full) */
static GPtrArray *
copy_lines (GstRtcFileInbox *self)
{
  GPtrArray *copy = g_ptr_array_new_with_free_func (line_unref);

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->lines->len; i++)
    g_ptr_array_add (copy, line_ref (g_ptr_array_index (self->lines, i)));
  g_mutex_unlock (&self->lock);
  return copy;
}

/* The same peer comes with the same transfer on a new channel before the old one was seen to close. Returns how many
 * others are going on. */
static guint
take_over (Line *line, const gchar *id)
{
  GPtrArray *lines = copy_lines (line->inbox);
  guint active = 0;

  for (guint i = 0; i < lines->len; i++) {
    Line *other = g_ptr_array_index (lines, i);

    if (other == line || !rtc_file_receive_is_active (other->receive))
      continue;
    if (strcmp (rtc_file_receive_get_info (other->receive)->id, id) == 0
        && g_strcmp0 (other->channel->peer_id, line->channel->peer_id) == 0)
      leave_transfer (other, "it goes on over another channel");
    else
      active++;
  }
  g_ptr_array_unref (lines);
  return active;
}

static void
open_transfer (Line *line)
{
  const RtcFileInfo *info = rtc_file_receive_get_info (line->receive);
  GError *error = NULL;
  GChecksum *checksum;
  gint64 length;

  set_current (line, info->id);
  if (take_over (line, info->id) >= GST_RTC_FILE_MAX_TRANSFERS) {
    cancel (line, RTC_FILE_REFUSED, "8 files are being received already");
    return;
  }
  line->part = gst_rtc_file_part_open (line->inbox->store, info->name, info->id, info->size, &error);
  if (!line->part || !gst_rtc_file_part_read (line->part, &length, &checksum, &error)) {
    cancel_for (line, error);
    return;
  }
  answer (line, rtc_file_receive_opened (line->receive, length, checksum, g_get_monotonic_time ()));
  if (!rtc_file_receive_is_active (line->receive)) {
    drop_transfer (line);
    return;
  }
  line->told_at = g_get_monotonic_time ();
  post (line, "rtc-file-begin");
}

static void
write_contents (Line *line, GBytes *bytes)
{
  gint64 now = g_get_monotonic_time ();
  GError *error = NULL;
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  if (!gst_rtc_file_part_write (line->part, data, size, &error)) {
    cancel_for (line, error);
  } else if (now - line->told_at >= PROGRESS_US) {
    line->told_at = now;
    post (line, "rtc-file-progress");
  }
}

static void
finish_transfer (Line *line)
{
  const RtcFileInfo *info = rtc_file_receive_get_info (line->receive);
  GstRtcFileInbox *self = line->inbox;
  GError *error = NULL;
  gchar *path, *text;

  if (!gst_rtc_file_part_finish (line->part, &path, &error)) {
    cancel_for (line, error);
    return;
  }
  gst_rtc_file_part_keep (g_steal_pointer (&line->part));
  set_current (line, NULL);
  text = rtc_file_receive_finished (line->receive);
  self->whole (self->element, line->channel, path);
  answer (line, text);
  gst_rtc_file_post (self->element, "rtc-file-done", line->channel->peer_id, info, "sha256", G_TYPE_STRING,
      info->sha256, "path", G_TYPE_STRING, path, NULL);
  g_free (path);
}

static void
take_message (Line *line, Item *item)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (item->bytes, &size);
  gchar *text;

  switch (rtc_file_receive_take (line->receive, item->is_text, data, size, g_get_monotonic_time (), &text)) {
    case RTC_FILE_DO_OPEN:
      open_transfer (line);
      break;
    case RTC_FILE_DO_WRITE:
      write_contents (line, item->bytes);
      break;
    case RTC_FILE_DO_FINISH:
      finish_transfer (line);
      break;
    case RTC_FILE_DO_REMOVE:
      answer (line, text);
      drop_transfer (line);
      break;
    case RTC_FILE_DO_NOTHING:
      break;
  }
}

static void
close_line (Line *line)
{
  GstRtcFileInbox *self = line->inbox;

  leave_transfer (line, "the channel was closed; it can go on");
  g_mutex_lock (&self->lock);
  g_ptr_array_remove (self->lines, line);
  g_mutex_unlock (&self->lock);
}

/* Tells the channel what waits. With the lock, which it gives up meanwhile. */
static void
count_waiting (Line *line, gssize change)
{
  gboolean is_full;

  line->waiting += change;
  is_full = line->waiting >= FULL_BYTES || (line->is_held_up && line->waiting > FULL_BYTES / 2);
  if (is_full != line->is_held_up)
    change += is_full ? HOLD_UP_BYTES : -HOLD_UP_BYTES;
  line->is_held_up = is_full;
  g_mutex_unlock (&line->inbox->lock);
  gst_rtc_channel_add_unread (line->channel, change);
  g_mutex_lock (&line->inbox->lock);
}

static void
do_item (GstRtcFileInbox *self, Item *item)
{
  Line *line = item->line;

  if (item->bytes) {
    take_message (line, item);
    g_mutex_lock (&self->lock);
    count_waiting (line, -(gssize)g_bytes_get_size (item->bytes));
    g_mutex_unlock (&self->lock);
  } else if (!item->id) {
    close_line (line);
  } else if (rtc_file_receive_is_active (line->receive)
      && strcmp (rtc_file_receive_get_info (line->receive)->id, item->id) == 0) {
    cancel (line, RTC_FILE_CANCELLED, "the receiver cancelled it");
  }
}

/* Gives up on senders that stand still. Returns when to look again; -1: no need to. */
static gint64
check_lines (GstRtcFileInbox *self)
{
  GPtrArray *lines = copy_lines (self);
  gint64 now = g_get_monotonic_time ();
  gint64 next = -1;

  for (guint i = 0; i < lines->len; i++) {
    Line *line = g_ptr_array_index (lines, i);
    gchar *text = rtc_file_receive_check (line->receive, now);
    gint64 deadline = rtc_file_receive_get_deadline (line->receive);

    if (text) {
      answer (line, text);
      drop_transfer (line);
    }
    next = rtc_earlier (next, deadline);
  }
  g_ptr_array_unref (lines);
  return next;
}

static gpointer
run (gpointer data)
{
  GstRtcFileInbox *self = data;

  g_mutex_lock (&self->lock);
  while (!self->is_stopped) {
    Item *item = g_queue_pop_head (&self->items);
    gint64 deadline;

    g_mutex_unlock (&self->lock);
    if (item) {
      do_item (self, item);
      item_free (item);
    }
    deadline = check_lines (self);
    g_mutex_lock (&self->lock);
    if (!g_queue_is_empty (&self->items) || self->is_stopped)
      continue;
    if (deadline >= 0)
      g_cond_wait_until (&self->changed, &self->lock, deadline);
    else
      g_cond_wait (&self->changed, &self->lock);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *bytes, gint64 arrival, gpointer user_data)
{
  Line *line = user_data;
  GstRtcFileInbox *self = line->inbox;
  gboolean is_too_much;

  g_mutex_lock (&self->lock);
  if (self->is_stopped || line->is_closed) {
    g_mutex_unlock (&self->lock);
    return;
  }
  is_too_much = line->waiting + g_bytes_get_size (bytes) > MAX_BYTES;
  if (is_too_much) {
    line->is_closed = TRUE;
    push_item (line, NULL, FALSE, NULL);
  } else {
    push_item (line, bytes, is_text, NULL);
    count_waiting (line, g_bytes_get_size (bytes));
  }
  g_mutex_unlock (&self->lock);
  if (!is_too_much)
    return;
  GST_ELEMENT_WARNING (self->element, RESOURCE, WRITE,
      ("Peer %s sends files faster than the disk takes them and cannot be made to wait; its channel is closed",
          channel->peer_id),
      (NULL));
  gst_rtc_channel_close (channel);
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  Line *line = user_data;

  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  g_mutex_lock (&line->inbox->lock);
  if (!line->is_closed && !line->inbox->is_stopped)
    push_item (line, NULL, FALSE, NULL);
  line->is_closed = TRUE;
  g_mutex_unlock (&line->inbox->lock);
}

static const GstRtcChannelEvents channel_events = {on_state, on_message, NULL};

void
gst_rtc_file_inbox_add (GstRtcFileInbox *self, GstRtcChannel *channel)
{
  Line *line = g_new0 (Line, 1);
  gboolean is_stopped;

  line->ref_count = 3;
  line->inbox = gst_rtc_file_inbox_ref (self);
  line->channel = gst_rtc_channel_ref (channel);
  line->receive = rtc_file_receive_new (self->max_size);
  g_mutex_lock (&self->lock);
  is_stopped = self->is_stopped;
  if (!is_stopped)
    g_ptr_array_add (self->lines, line);
  g_mutex_unlock (&self->lock);
  if (is_stopped) {
    line->ref_count = 1;
    line_unref (line);
    return;
  }
  if (gst_rtc_channel_add_listener (channel, &channel_events, line, line_unref) == GST_RTC_CHANNEL_CLOSED)
    on_state (channel, GST_RTC_CHANNEL_CLOSED, NULL, line);
  line_unref (line);
}

gboolean
gst_rtc_file_inbox_cancel (GstRtcFileInbox *self, const gchar *id)
{
  gboolean is_found = FALSE;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->lines->len && !is_found; i++) {
    Line *line = g_ptr_array_index (self->lines, i);

    is_found = g_strcmp0 (line->current, id) == 0 && id;
    if (is_found)
      push_item (line, NULL, FALSE, id);
  }
  g_mutex_unlock (&self->lock);
  return is_found;
}

GstRtcFileInbox *
gst_rtc_file_inbox_new (const GstRtcFileInboxConfig *config, GError **error)
{
  GstRtcFileStore *store = gst_rtc_file_store_new (config->directory, config->overwrite, error);
  GstRtcFileInbox *self;

  if (!store)
    return NULL;
  self = g_new0 (GstRtcFileInbox, 1);
  self->ref_count = 1;
  self->element = config->element;
  self->max_size = config->max_size;
  self->whole = config->whole;
  self->store = store;
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  g_queue_init (&self->items);
  self->lines = g_ptr_array_new_with_free_func (line_unref);
  self->thread = g_thread_new ("rtc-files", run, self);
  return self;
}

void
gst_rtc_file_inbox_stop (GstRtcFileInbox *self)
{
  GPtrArray *lines;

  g_mutex_lock (&self->lock);
  self->is_stopped = TRUE;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  lines = copy_lines (self);
  for (guint i = 0; i < lines->len; i++) {
    Line *line = g_ptr_array_index (lines, i);
    gssize unread = line->waiting + (line->is_held_up ? HOLD_UP_BYTES : 0);

    leave_transfer (line, "the receiver stopped");
    gst_rtc_channel_remove_listener (line->channel, line);
    gst_rtc_channel_add_unread (line->channel, -unread);
  }
  g_ptr_array_unref (lines);
  g_mutex_lock (&self->lock);
  g_queue_clear_full (&self->items, item_free);
  g_ptr_array_set_size (self->lines, 0);
  g_mutex_unlock (&self->lock);
  gst_rtc_file_store_free (self->store);
}
