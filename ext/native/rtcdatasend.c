/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"
#include "core/rtcdeadline.h"

#define MS 1000
/* A piece of a long message, where others may go between. */
#define PIECE (16 * 1024)
/* A message that is so short, compared with what the peer holds, waits for no other. */
#define SMALL_PART 16
/* What a message costs besides its bytes, so that channels of tiny ones do not count as idle. */
#define MESSAGE_COST 64

static void
message_free (RtcDataMessage *message)
{
  g_bytes_unref (message->bytes);
  g_free (message);
}

static void
activate (RtcDataChannel *channel)
{
  RtcData *self = channel->data;

  if (channel->is_active)
    return;
  channel->is_active = TRUE;
  /* Who was silent has saved nothing up. */
  channel->virtual_time = MAX (channel->virtual_time, self->virtual_time);
  g_ptr_array_add (self->active, channel);
}

static void
deactivate (RtcDataChannel *channel)
{
  if (channel->is_active)
    g_ptr_array_remove_fast (channel->data->active, channel);
  channel->is_active = FALSE;
}

static void
emptied (RtcDataChannel *channel)
{
  deactivate (channel);
  channel->data->wants_resets |= channel->state == RTC_DATA_CLOSING;
}

void
rtc_data_queue (RtcDataChannel *channel, guint32 ppid, GBytes *bytes, gsize size)
{
  RtcDataMessage *message = g_new0 (RtcDataMessage, 1);

  message->link.data = message;
  message->bytes = g_bytes_ref (bytes);
  message->ppid = ppid;
  message->size = size;
  message->expires = -1;
  if (channel->init.max_packet_lifetime >= 0 && ppid != RTC_PPID_DCEP)
    message->expires = channel->data->now + channel->init.max_packet_lifetime * (gint64)MS;
  channel->buffered += size;
  g_queue_push_tail_link (&channel->queue, &message->link);
  activate (channel);
}

static void
count_dropped (RtcDataChannel *channel, const RtcDataMessage *message)
{
  if (message->ppid == RTC_PPID_DCEP)
    return;
  channel->stats.messages_dropped++;
  channel->stats.bytes_dropped += message->size - MIN (message->handed, message->size);
}

/* Between the parts of a message there is no end: SCTP has to have the rest. */
static gboolean
is_begun (const RtcDataMessage *message)
{
  return message->handed > 0;
}

void
rtc_data_drop_queue (RtcDataChannel *channel)
{
  GList *next;

  for (GList *l = channel->queue.head; l; l = next) {
    RtcDataMessage *message = l->data;

    next = l->next;
    if (is_begun (message))
      continue;
    g_queue_unlink (&channel->queue, l);
    channel->buffered -= message->size;
    count_dropped (channel, message);
    message_free (message);
  }
  if (g_queue_is_empty (&channel->queue))
    emptied (channel);
}

void
rtc_data_end_queue (RtcDataChannel *channel)
{
  for (GList *l = channel->queue.head; l; l = l->next)
    count_dropped (channel, l->data);
  channel->buffered = 0;
  deactivate (channel);
  if (channel->data->begun == channel)
    channel->data->begun = NULL;
}

void
rtc_data_free_queue (RtcDataChannel *channel)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&channel->queue)))
    message_free (link->data);
}

/* Less waits than BEFORE did. */
static void
drained (RtcDataChannel *channel, gsize before)
{
  RtcData *self = channel->data;

  if (before > channel->init.low_threshold && channel->buffered <= channel->init.low_threshold
      && channel->state != RTC_DATA_CLOSED && self->events->buffered_low)
    self->events->buffered_low (channel, self->user_data);
}

/* The oldest that may expire: all of a channel live as long as each other. NULL: none. */
static GList *
find_mortal (RtcDataChannel *channel)
{
  for (GList *l = channel->queue.head; l; l = l->next) {
    RtcDataMessage *message = l->data;

    if (message->expires >= 0 && !is_begun (message))
      return l;
  }
  return NULL;
}

static void
expire_channel (RtcDataChannel *channel)
{
  gsize before = channel->buffered;
  GList *oldest;

  while (channel->init.max_packet_lifetime >= 0 && (oldest = find_mortal (channel))
      && ((RtcDataMessage *)oldest->data)->expires < channel->data->now) {
    RtcDataMessage *message = oldest->data;

    g_queue_unlink (&channel->queue, oldest);
    channel->buffered -= message->size;
    channel->stats.messages_expired++;
    channel->stats.bytes_expired += message->size;
    message_free (message);
  }
  if (g_queue_is_empty (&channel->queue))
    emptied (channel);
  if (channel->buffered < before)
    drained (channel, before);
}

void
rtc_data_expire (RtcData *self)
{
  /* From behind: one that has nothing left is replaced by the last. */
  for (guint i = self->active->len; i-- > 0;) {
    if (i < self->active->len)
      expire_channel (g_ptr_array_index (self->active, i));
  }
}

gint64
rtc_data_get_expiry (RtcData *self)
{
  gint64 first = -1;

  for (guint i = 0; i < self->active->len; i++) {
    RtcDataChannel *channel = g_ptr_array_index (self->active, i);
    GList *oldest = channel->init.max_packet_lifetime >= 0 ? find_mortal (channel) : NULL;

    if (oldest)
      first = rtc_earlier (first, ((RtcDataMessage *)oldest->data)->expires + 1);
  }
  return first;
}

gssize
rtc_data_channel_drop_oldest (RtcDataChannel *channel)
{
  gsize before = channel->buffered;

  for (GList *l = channel->queue.head; l; l = l->next) {
    RtcDataMessage *message = l->data;
    gsize size = message->size;

    if (message->ppid == RTC_PPID_DCEP || is_begun (message))
      continue;
    count_dropped (channel, message);
    g_queue_unlink (&channel->queue, l);
    message_free (message);
    channel->buffered -= size;
    if (g_queue_is_empty (&channel->queue))
      emptied (channel);
    drained (channel, before);
    return size;
  }
  return -1;
}

/* Bytes of messages that are begun, as a whole: the peer has to hold them until they are complete. */
static gsize
count_begun (RtcData *self)
{
  gsize sum = 0;

  for (guint i = 0; i < self->active->len; i++) {
    const RtcDataMessage *message = g_queue_peek_head (&((RtcDataChannel *)g_ptr_array_index (self->active, i))->queue);

    if (is_begun (message))
      sum += message->size;
  }
  return sum;
}

/* Long ones wait for each other where the peer could not hold them all. */
static gboolean
may_begin (RtcDataChannel *channel, gsize begun)
{
  RtcData *self = channel->data;
  const RtcDataMessage *message = g_queue_peek_head (&channel->queue);

  return begun == 0 || is_begun (message) || message->size <= self->peer_holds / SMALL_PART
      || begun + message->size <= self->peer_holds;
}

/* The one that had the least, by its priority. */
static RtcDataChannel *
pick (RtcData *self)
{
  RtcDataChannel *best = NULL;
  gsize begun;

  if (self->begun)
    return self->begun->is_blocked ? NULL : self->begun;
  begun = count_begun (self);
  for (guint i = 0; i < self->active->len; i++) {
    RtcDataChannel *channel = g_ptr_array_index (self->active, i);

    if (channel->state == RTC_DATA_CONNECTING || channel->id < 0 || channel->is_blocked || !may_begin (channel, begun))
      continue;
    if (!best || channel->virtual_time < best->virtual_time)
      best = channel;
  }
  return best;
}

static RtcSctpMessage
describe (RtcDataChannel *channel, const RtcDataMessage *message)
{
  RtcSctpMessage description = {.stream = channel->id, .ppid = message->ppid, .max_retransmits = -1, .expires = -1};

  if (message->ppid == RTC_PPID_DCEP)
    return description;
  /* Until the peer is known to have our OPEN, nothing may overtake it (RFC 8832, section 6). */
  description.unordered =
      !channel->init.ordered && (channel->is_acknowledged || !channel->is_opener || channel->init.negotiated);
  description.max_retransmits = channel->init.max_retransmits;
  description.expires = message->expires;
  return description;
}

static void
count_sent (RtcDataChannel *channel, const RtcDataMessage *message)
{
  if (message->ppid == RTC_PPID_DCEP)
    return;
  channel->stats.messages_sent++;
  channel->stats.bytes_sent += message->size;
}

/* SCTP took some of a channel's first message. */
static void
handed_over (RtcDataChannel *channel, RtcDataMessage *message, gsize taken)
{
  RtcData *self = channel->data;
  gsize before = channel->buffered;

  self->virtual_time = channel->virtual_time;
  channel->virtual_time += (taken + MESSAGE_COST) * (guint64)RTC_DATA_PRIORITY_HIGH / channel->init.priority;
  message->handed += taken;
  channel->buffered -= MIN (taken, message->size);
  channel->is_blocked = taken == 0;
  if (message->handed < g_bytes_get_size (message->bytes)) {
    self->begun = !self->interleaving && message->handed > 0 ? channel : NULL;
  } else {
    self->begun = NULL;
    count_sent (channel, message);
    g_queue_pop_head_link (&channel->queue);
    message_free (message);
    if (g_queue_is_empty (&channel->queue))
      emptied (channel);
  }
  drained (channel, before);
}

/* Hands over a piece of a channel's first message. FALSE: there is no room for one. */
static gboolean
hand_over (RtcDataChannel *channel)
{
  RtcData *self = channel->data;
  RtcDataMessage *message = g_queue_peek_head (&channel->queue);
  RtcSctpMessage description = describe (channel, message);
  gsize rest = g_bytes_get_size (message->bytes) - message->handed;
  gsize size = MIN (rest, rtc_sctp_get_room (self->sctp, self->now));
  gssize taken;

  if (self->interleaving)
    size = MIN (size, PIECE);
  if (size == 0 || (size < rest && size < rtc_sctp_get_fragment_size (self->sctp)))
    return FALSE;
  taken = rtc_sctp_send (self->sctp, &description, message->bytes, message->handed, size, size == rest);
  if (taken >= 0) {
    handed_over (channel, message, taken);
    return TRUE;
  }
  if (!channel->error)
    channel->error =
        g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_LINK, "SCTP takes nothing more for stream %d", channel->id);
  rtc_data_finish_close (channel);
  return TRUE;
}

void
rtc_data_pump (RtcData *self)
{
  RtcDataChannel *channel;

  for (guint i = 0; i < self->active->len; i++)
    ((RtcDataChannel *)g_ptr_array_index (self->active, i))->is_blocked = FALSE;
  while (self->is_up && !self->is_over && (channel = pick (self)) && hand_over (channel)) {
  }
  if (self->is_up && !self->is_over)
    rtc_data_reset_streams (self);
}
