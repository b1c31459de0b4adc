/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"

#include <string.h>

/* Messages out of their parts (RFC 9260, 6.6 and 6.9; RFC 8260). A part that is the next one is appended at once; one
 * that is early waits. What waits, and whole messages whose turn has not come, count as held: the peer's window. */

static void
clear_fragment (gpointer data)
{
  g_bytes_unref (((RtcSctpFragment *)data)->bytes);
}

static GArray *
fragments_new (void)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (RtcSctpFragment));

  g_array_set_clear_func (list, clear_fragment);
  return list;
}

/* FALSE: it is there. */
static gboolean
insert_fragment (RtcSctp *self, GArray *list, const RtcSctpFragment *fragment)
{
  guint at = list->len;

  while (at > 0 && !rtc_sctp_before (g_array_index (list, RtcSctpFragment, at - 1).fragment, fragment->fragment)) {
    if (g_array_index (list, RtcSctpFragment, at - 1).fragment == fragment->fragment)
      return FALSE;
    at--;
  }
  g_array_insert_val (list, at, *fragment);
  g_bytes_ref (fragment->bytes);
  self->held += g_bytes_get_size (fragment->bytes);
  return TRUE;
}

static void
remove_fragment (RtcSctp *self, GArray *list, guint index)
{
  self->held -= g_bytes_get_size (g_array_index (list, RtcSctpFragment, index).bytes);
  g_array_remove_index (list, index);
}

static void
fragments_free (RtcSctp *self, GArray *list)
{
  if (!list)
    return;
  while (list->len > 0)
    remove_fragment (self, list, list->len - 1);
  g_array_unref (list);
}

/* One message. */

static gsize
size_of (const RtcSctpIncoming *incoming)
{
  return (incoming->only ? g_bytes_get_size (incoming->only) : 0)
      + (incoming->assembled ? incoming->assembled->len : 0);
}

static RtcSctpIncoming *
incoming_new (guint32 number)
{
  RtcSctpIncoming *incoming = g_new0 (RtcSctpIncoming, 1);

  incoming->number = number;
  return incoming;
}

static void
incoming_free (RtcSctp *self, RtcSctpIncoming *incoming)
{
  if (incoming->is_complete)
    self->held -= size_of (incoming);
  else
    self->assembled -= size_of (incoming);
  g_clear_pointer (&incoming->only, g_bytes_unref);
  g_clear_pointer (&incoming->assembled, g_byte_array_unref);
  fragments_free (self, incoming->later);
  g_free (incoming);
}

static void
append (RtcSctp *self, guint16 stream, RtcSctpIncoming *incoming, const RtcSctpFragment *fragment)
{
  gsize size, before = size_of (incoming);
  const guint8 *data = g_bytes_get_data (fragment->bytes, &size);

  incoming->next_fragment = fragment->fragment + 1;
  if (incoming->is_too_large)
    return;
  if (before + size > self->config.max_message_size) {
    self->assembled -= before;
    g_clear_pointer (&incoming->only, g_bytes_unref);
    g_clear_pointer (&incoming->assembled, g_byte_array_unref);
    incoming->is_too_large = TRUE;
    return;
  }
  self->assembled += size;
  if (before == 0) {
    incoming->only = g_bytes_ref (fragment->bytes);
    return;
  }
  if (incoming->only) {
    incoming->assembled = g_byte_array_sized_new (4 * before);
    g_byte_array_append (incoming->assembled, g_bytes_get_data (incoming->only, NULL), before);
    g_clear_pointer (&incoming->only, g_bytes_unref);
  }
  g_byte_array_append (incoming->assembled, data, size);
}

static void
completed (RtcSctp *self, RtcSctpIncoming *incoming)
{
  if (incoming->is_complete)
    return;
  incoming->is_complete = TRUE;
  self->assembled -= size_of (incoming);
  self->held += size_of (incoming);
}

/* Adds a part, and those that waited for it. WAITING: where early ones are. */
static void
add_fragment (
    RtcSctp *self, guint16 stream, RtcSctpIncoming *incoming, const RtcSctpFragment *fragment, GArray *waiting)
{
  gboolean is_end = (fragment->flags & RTC_SCTP_END) != 0;
  guint at = 0;

  if (fragment->flags & RTC_SCTP_BEGIN)
    incoming->is_begun = TRUE;
  append (self, stream, incoming, fragment);
  while (waiting && !is_end) {
    RtcSctpFragment *next;

    while (at < waiting->len
        && rtc_sctp_before (g_array_index (waiting, RtcSctpFragment, at).fragment, incoming->next_fragment))
      at++;
    if (at >= waiting->len)
      break;
    next = &g_array_index (waiting, RtcSctpFragment, at);
    if (next->fragment != incoming->next_fragment || next->flags & RTC_SCTP_BEGIN)
      break;
    is_end = (next->flags & RTC_SCTP_END) != 0;
    append (self, stream, incoming, next);
    remove_fragment (self, waiting, at);
  }
  if (is_end)
    completed (self, incoming);
}

/* A part of a message whose number is known. */
static void
add_numbered (RtcSctp *self, guint16 stream, RtcSctpIncoming *incoming, guint32 ppid, const RtcSctpFragment *fragment)
{
  gboolean is_begin = (fragment->flags & RTC_SCTP_BEGIN) != 0;

  if (incoming->is_complete)
    return;
  if (is_begin)
    incoming->ppid = ppid;
  if ((is_begin && !incoming->is_begun) || (incoming->is_begun && fragment->fragment == incoming->next_fragment)) {
    add_fragment (self, stream, incoming, fragment, incoming->later);
    return;
  }
  if (incoming->is_begun && rtc_sctp_before (fragment->fragment, incoming->next_fragment))
    return;
  if (!incoming->later)
    incoming->later = fragments_new ();
  insert_fragment (self, incoming->later, fragment);
}

/* It is told, and freed. */
static void
deliver (RtcSctp *self, guint16 stream, RtcSctpIncoming *incoming)
{
  gboolean is_too_large = incoming->is_too_large;
  guint32 ppid = incoming->ppid;
  GBytes *bytes = NULL;

  if (!is_too_large) {
    self->held -= size_of (incoming);
    bytes = incoming->only ? incoming->only : g_byte_array_free_to_bytes (incoming->assembled);
    incoming->only = NULL;
    incoming->assembled = NULL;
  }
  incoming_free (self, incoming);
  if (self->state == RTC_SCTP_OVER)
    ;
  else if (is_too_large)
    self->events->too_large (stream, self->user_data);
  else
    self->events->message (stream, ppid, bytes, self->user_data);
  g_clear_pointer (&bytes, g_bytes_unref);
}

/* Streams. */

static gboolean
is_before (RtcSctp *self, guint32 a, guint32 b)
{
  return self->interleaving ? rtc_sctp_before (a, b) : (gint16)(a - b) < 0;
}

static guint32
next_number (RtcSctp *self, guint32 number)
{
  return self->interleaving ? number + 1 : (guint16)(number + 1);
}

RtcSctpInStream *
rtc_sctp_in_stream (RtcSctp *self, guint16 id)
{
  RtcSctpInStream *stream = self->in[id];

  if (stream)
    return stream;
  stream = self->in[id] = g_new0 (RtcSctpInStream, 1);
  stream->ordered = g_ptr_array_new ();
  stream->unordered = g_ptr_array_new ();
  stream->strays = fragments_new ();
  return stream;
}

void
rtc_sctp_in_stream_free (RtcSctp *self, RtcSctpInStream *stream)
{
  for (guint i = 0; i < stream->ordered->len; i++)
    incoming_free (self, g_ptr_array_index (stream->ordered, i));
  for (guint i = 0; i < stream->unordered->len; i++)
    incoming_free (self, g_ptr_array_index (stream->unordered, i));
  g_ptr_array_unref (stream->ordered);
  g_ptr_array_unref (stream->unordered);
  fragments_free (self, stream->strays);
  g_free (stream);
}

/* An application may reset nothing of ours from inside of a message, so STREAM stays where it is. */
static void
deliver_ordered (RtcSctp *self, guint16 id, RtcSctpInStream *stream)
{
  while (stream->ordered->len > 0) {
    RtcSctpIncoming *first = g_ptr_array_index (stream->ordered, 0);

    if (!first->is_complete || first->number != stream->next_ordered)
      break;
    stream->next_ordered = next_number (self, stream->next_ordered);
    g_ptr_array_remove_index (stream->ordered, 0);
    deliver (self, id, first);
  }
}

static RtcSctpIncoming *
find_ordered (RtcSctp *self, RtcSctpInStream *stream, guint32 number)
{
  guint at = stream->ordered->len;
  RtcSctpIncoming *incoming;

  while (at > 0) {
    incoming = g_ptr_array_index (stream->ordered, at - 1);
    if (incoming->number == number)
      return incoming;
    if (is_before (self, incoming->number, number))
      break;
    at--;
  }
  incoming = incoming_new (number);
  g_ptr_array_insert (stream->ordered, at, incoming);
  return incoming;
}

static RtcSctpIncoming *
find_unordered (RtcSctpInStream *stream, guint32 number)
{
  RtcSctpIncoming *incoming;

  for (guint i = 0; i < stream->unordered->len; i++) {
    incoming = g_ptr_array_index (stream->unordered, i);
    if (incoming->number == number)
      return incoming;
  }
  incoming = incoming_new (number);
  g_ptr_array_add (stream->unordered, incoming);
  return incoming;
}

/* DATA has no number for unordered messages: their parts have consecutive TSNs. */
static RtcSctpIncoming *
add_stray (RtcSctp *self, guint16 id, RtcSctpInStream *stream, guint32 ppid, const RtcSctpFragment *fragment)
{
  RtcSctpIncoming *incoming = NULL;

  for (guint i = 0; i < stream->unordered->len && !incoming; i++) {
    RtcSctpIncoming *other = g_ptr_array_index (stream->unordered, i);

    if (other->next_fragment == fragment->fragment)
      incoming = other;
  }
  if (incoming && fragment->flags & RTC_SCTP_BEGIN) {
    /* That one was given up. */
    g_ptr_array_remove_fast (stream->unordered, incoming);
    incoming_free (self, incoming);
    incoming = NULL;
  }
  if (fragment->flags & RTC_SCTP_BEGIN) {
    incoming = incoming_new (0);
    incoming->ppid = ppid;
    g_ptr_array_add (stream->unordered, incoming);
  }
  if (incoming)
    add_fragment (self, id, incoming, fragment, stream->strays);
  else
    insert_fragment (self, stream->strays, fragment);
  return incoming;
}

void
rtc_sctp_assemble (
    RtcSctp *self, guint16 id, gboolean unordered, guint32 number, guint32 ppid, const RtcSctpFragment *fragment)
{
  RtcSctpInStream *stream = rtc_sctp_in_stream (self, id);
  RtcSctpIncoming *incoming;

  if (!unordered) {
    if (is_before (self, number, stream->next_ordered))
      return;
    add_numbered (self, id, find_ordered (self, stream, number), ppid, fragment);
    deliver_ordered (self, id, stream);
    return;
  }
  if (self->interleaving) {
    incoming = find_unordered (stream, number);
    add_numbered (self, id, incoming, ppid, fragment);
  } else {
    incoming = add_stray (self, id, stream, ppid, fragment);
  }
  if (incoming && incoming->is_complete) {
    g_ptr_array_remove_fast (stream->unordered, incoming);
    deliver (self, id, incoming);
  }
}

/* Giving up. */

void
rtc_sctp_skip (RtcSctp *self, guint16 id, gboolean unordered, guint32 number)
{
  RtcSctpInStream *stream = rtc_sctp_in_stream (self, id);

  if (unordered) {
    /* The highest that was given up. Of those before it the rest may still come, unless a part is missing in between.
     */
    for (guint i = stream->unordered->len; i-- > 0;) {
      RtcSctpIncoming *incoming = g_ptr_array_index (stream->unordered, i);
      gboolean has_hole = !incoming->is_begun || (incoming->later && incoming->later->len > 0);

      if (incoming->number != number && !(has_hole && rtc_sctp_before (incoming->number, number)))
        continue;
      g_ptr_array_remove_index_fast (stream->unordered, i);
      incoming_free (self, incoming);
    }
    return;
  }
  if (is_before (self, number, stream->next_ordered))
    return;
  /* Whole messages before it were only waiting for their turn. */
  while (stream->ordered->len > 0 && self->state != RTC_SCTP_OVER) {
    RtcSctpIncoming *first = g_ptr_array_index (stream->ordered, 0);

    if (is_before (self, number, first->number))
      break;
    g_ptr_array_remove_index (stream->ordered, 0);
    if (first->is_complete)
      deliver (self, id, first);
    else
      incoming_free (self, first);
  }
  stream->next_ordered = next_number (self, number);
  deliver_ordered (self, id, stream);
}

static void
skip_strays_of (RtcSctp *self, RtcSctpInStream *stream, guint32 tsn)
{
  for (guint i = stream->unordered->len; i-- > 0;) {
    RtcSctpIncoming *incoming = g_ptr_array_index (stream->unordered, i);

    if (rtc_sctp_before (tsn, incoming->next_fragment))
      continue;
    g_ptr_array_remove_index_fast (stream->unordered, i);
    incoming_free (self, incoming);
  }
  while (stream->strays->len > 0 && !rtc_sctp_before (tsn, g_array_index (stream->strays, RtcSctpFragment, 0).fragment))
    remove_fragment (self, stream->strays, 0);
}

void
rtc_sctp_skip_strays (RtcSctp *self, guint32 tsn)
{
  for (guint i = 0; i < self->n_in; i++) {
    if (self->in[i])
      skip_strays_of (self, self->in[i], tsn);
  }
}
