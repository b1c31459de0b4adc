/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatalog.h"

#define OVERHEAD 64
#define TELL_BYTES (256 * 1024)
#define TELL_MESSAGES 1024
#define TELL_AFTER 50000

typedef struct
{
  GList link; /* in the entries, to the entry */
  gboolean is_text;
  GBytes *message;
  gsize size; /* of it: GBytes that were sent a while ago are in no cache any more */
} Entry;

struct _RtcDataLog
{
  gsize max_bytes, bytes;
  GQueue entries; /* of Entry, from the first that is not acknowledged */
  GList *next; /* the first that was not sent on this connection; NULL: all were */
  guint64 first; /* number of the first entry */
  guint64 ever_sent; /* how many were sent on any connection */
  guint64 sent; /* on this one: those before it included */
  gsize unsent; /* bytes of those from next on, without overhead */
  gboolean cut;
};

static void
entry_free (Entry *entry)
{
  g_bytes_unref (entry->message);
  g_free (entry);
}

RtcDataLog *
rtc_data_log_new (gsize max_bytes)
{
  RtcDataLog *self = g_new0 (RtcDataLog, 1);

  self->max_bytes = max_bytes;
  g_queue_init (&self->entries);
  return self;
}

void
rtc_data_log_free (RtcDataLog *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->entries)))
    entry_free (link->data);
  g_free (self);
}

gboolean
rtc_data_log_add (RtcDataLog *self, gboolean is_text, GBytes *message)
{
  gsize cost = g_bytes_get_size (message) + OVERHEAD;
  Entry *entry;

  if (self->entries.length > 0 && (self->bytes >= self->max_bytes || cost > self->max_bytes - self->bytes))
    return FALSE;
  entry = g_new (Entry, 1);
  *entry = (Entry){{.data = entry}, is_text, g_bytes_ref (message), g_bytes_get_size (message)};
  g_queue_push_tail_link (&self->entries, &entry->link);
  self->bytes += cost;
  self->unsent += entry->size;
  if (!self->next)
    self->next = self->entries.tail;
  return TRUE;
}

GBytes *
rtc_data_log_next (RtcDataLog *self, gboolean *is_text)
{
  Entry *entry;

  if (self->cut || !self->next)
    return NULL;
  entry = self->next->data;
  self->next = self->next->next;
  self->sent++;
  self->unsent -= entry->size;
  self->ever_sent = MAX (self->ever_sent, self->sent);
  *is_text = entry->is_text;
  return entry->message;
}

static void
drop (RtcDataLog *self, guint64 delivered)
{
  while (self->first < delivered) {
    Entry *entry;

    if (self->next == self->entries.head) {
      self->unsent -= ((Entry *)self->next->data)->size;
      self->next = self->next->next;
    }
    entry = g_queue_pop_head_link (&self->entries)->data;
    self->bytes -= entry->size + OVERHEAD;
    entry_free (entry);
    self->first++;
  }
}

gboolean
rtc_data_log_acknowledged (RtcDataLog *self, guint64 delivered)
{
  if (self->cut || delivered < self->first || delivered > self->sent)
    return FALSE;
  drop (self, delivered);
  return TRUE;
}

/* All that is kept is to be sent. */
static void
rewind_to_first (RtcDataLog *self)
{
  self->next = self->entries.head;
  self->unsent = self->bytes - self->entries.length * OVERHEAD;
}

void
rtc_data_log_cut (RtcDataLog *self)
{
  self->cut = TRUE;
  rewind_to_first (self);
}

gboolean
rtc_data_log_resume (RtcDataLog *self, guint64 delivered)
{
  if (!self->cut || delivered < self->first || delivered > self->ever_sent)
    return FALSE;
  drop (self, delivered);
  self->cut = FALSE;
  self->sent = delivered;
  rewind_to_first (self);
  return TRUE;
}

gsize
rtc_data_log_get_bytes (const RtcDataLog *self)
{
  return self->bytes;
}

gsize
rtc_data_log_get_unsent (const RtcDataLog *self)
{
  return self->unsent;
}

gsize
rtc_data_log_get_next_size (const RtcDataLog *self)
{
  return self->next ? ((const Entry *)self->next->data)->size : 0;
}

guint64
rtc_data_log_get_added (const RtcDataLog *self)
{
  return self->first + self->entries.length;
}

guint
rtc_data_tally_begin (RtcDataTally *self)
{
  /* Told with the beginning. */
  rtc_data_tally_told (self);
  return ++self->connection;
}

gboolean
rtc_data_tally_take (RtcDataTally *self, guint connection, gsize size, gint64 now)
{
  if (connection != self->connection)
    return FALSE;
  if (self->delivered == self->told)
    self->untold_since = now;
  self->delivered++;
  self->untold_bytes += size;
  return TRUE;
}

gint64
rtc_data_tally_get_deadline (const RtcDataTally *self)
{
  if (self->delivered == self->told)
    return -1;
  if (self->untold_bytes >= TELL_BYTES || self->delivered - self->told >= TELL_MESSAGES)
    return 0;
  return self->untold_since + TELL_AFTER;
}

void
rtc_data_tally_told (RtcDataTally *self)
{
  self->told = self->delivered;
  self->untold_bytes = 0;
}
