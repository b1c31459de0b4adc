/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"
#include "core/rtcdeadline.h"

/* Closing (RFC 8831, section 6.7): each side resets its stream when all that it had to say was sent. */

/* A peer that opens channels answers at once; the limit is for those that never do. */
#define ACK_WAIT (2 * G_USEC_PER_SEC)
/* Without a message, of what the peer has still to send before it closes its side. */
#define CLOSE_WAIT (30 * G_USEC_PER_SEC)

static void
look_again_at (RtcData *self, gint64 time)
{
  self->close_at = rtc_earlier (self->close_at, time);
}

void
rtc_data_finish_close (RtcDataChannel *channel)
{
  RtcData *self = channel->data;

  if (channel->state == RTC_DATA_CLOSED)
    return;
  rtc_data_end_queue (channel);
  if (channel->id >= 0)
    g_hash_table_remove (self->by_id, GUINT_TO_POINTER (channel->id));
  g_ptr_array_remove (self->channels, channel);
  g_ptr_array_add (self->dead, channel);
  rtc_data_set_state (channel, RTC_DATA_CLOSED);
}

void
rtc_data_begin_close (RtcDataChannel *channel, GError *error)
{
  RtcData *self = channel->data;

  if (error) {
    rtc_data_drop_queue (channel);
    if (channel->error)
      g_error_free (error);
    else
      channel->error = error;
  }
  if (channel->state == RTC_DATA_CLOSED)
    return;
  if (!self->is_up && g_queue_is_empty (&channel->queue)) {
    rtc_data_finish_close (channel);
    return;
  }
  self->wants_resets = TRUE;
  rtc_data_set_state (channel, RTC_DATA_CLOSING);
}

/* Firefox (153) forgets to reset its side of a channel whose reset comes before it has told its page of the channel. */
static gboolean
waits_for_ack (RtcDataChannel *channel)
{
  RtcData *self = channel->data;

  if (!channel->is_opener || channel->init.negotiated || channel->error || channel->is_acknowledged
      || channel->peer_reset)
    return FALSE;
  if (channel->give_up_at == 0)
    channel->give_up_at = self->now + ACK_WAIT;
  if (self->now >= channel->give_up_at)
    return FALSE;
  look_again_at (self, channel->give_up_at);
  return TRUE;
}

void
rtc_data_wait_for_reset (RtcDataChannel *channel)
{
  channel->give_up_at = channel->data->now + CLOSE_WAIT;
  look_again_at (channel->data, channel->give_up_at);
}

void
rtc_data_reset_streams (RtcData *self)
{
  if (!self->wants_resets)
    return;
  self->wants_resets = FALSE;
  for (guint i = self->channels->len; i-- > 0;) {
    RtcDataChannel *channel;

    if (i >= self->channels->len)
      continue;
    channel = g_ptr_array_index (self->channels, i);
    if (channel->state != RTC_DATA_CLOSING || channel->reset_sent || !g_queue_is_empty (&channel->queue)
        || waits_for_ack (channel))
      continue;
    channel->reset_sent = TRUE;
    rtc_data_wait_for_reset (channel);
    if (!rtc_sctp_reset (self->sctp, channel->id))
      rtc_data_finish_close (channel);
  }
}

void
rtc_data_take_reset (guint16 stream, gboolean incoming, gboolean failed, gpointer user_data)
{
  RtcData *self = user_data;
  RtcDataChannel *channel = rtc_data_find (self, stream);

  if (!incoming && g_hash_table_remove (self->stale, GUINT_TO_POINTER (stream)))
    return;
  if (!channel || self->is_over)
    return;
  if (incoming)
    channel->peer_reset = TRUE;
  else if (channel->reset_sent)
    channel->reset_done = TRUE;
  self->wants_resets = TRUE;
  if (incoming && channel->state != RTC_DATA_CLOSING)
    rtc_data_begin_close (channel, NULL);
  /* A peer that refuses will not do its part, either. */
  if ((channel->peer_reset && channel->reset_done) || (failed && channel->reset_sent))
    rtc_data_finish_close (channel);
}

void
rtc_data_tick_close (RtcData *self)
{
  if (self->close_at < 0 || self->now < self->close_at)
    return;
  self->close_at = -1;
  self->wants_resets = TRUE;
  for (guint i = self->channels->len; i-- > 0;) {
    RtcDataChannel *channel;

    if (i >= self->channels->len)
      continue;
    channel = g_ptr_array_index (self->channels, i);
    if (!channel->reset_sent)
      continue;
    if (self->now >= channel->give_up_at)
      rtc_data_finish_close (channel);
    else
      look_again_at (self, channel->give_up_at);
  }
}
