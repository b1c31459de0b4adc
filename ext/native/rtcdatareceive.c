/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"
#include "rtcdcep.h"

/* Opening. */

/* CHANNEL: (nullable). */
static void
acknowledged (RtcDataChannel *channel)
{
  if (!channel || channel->is_acknowledged)
    return;
  channel->is_acknowledged = TRUE;
  channel->data->wants_resets |= channel->state == RTC_DATA_CLOSING;
}

static void
refuse (RtcData *self, guint16 stream)
{
  if (stream < self->n_streams)
    rtc_sctp_reset (self->sctp, stream);
}

static void
take_open (RtcData *self, guint16 stream, RtcDcepOpen *open)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  RtcDataChannel *channel = rtc_data_find (self, stream);
  GBytes *ack;

  /* Who opens it anew knows that we have closed it; that news is still on its way to us. */
  if (channel && channel->state == RTC_DATA_CLOSING && channel->peer_reset && channel->reset_sent) {
    g_hash_table_add (self->stale, GUINT_TO_POINTER (stream));
    rtc_data_finish_close (channel);
    channel = NULL;
  }
  if (channel) {
    rtc_data_begin_close (channel,
        g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_PEER, "The peer opened stream %u, which is in use", stream));
    return;
  }
  /* RFC 8832, section 6: the DTLS client has the even ones. */
  if (stream >= self->n_streams || (stream % 2 == 0) == self->is_client) {
    refuse (self, stream);
    return;
  }
  init.label = open->label;
  init.protocol = open->protocol;
  init.ordered = open->ordered;
  init.max_retransmits = MIN (open->max_retransmits, G_MAXUINT16);
  init.max_packet_lifetime = MIN (open->max_lifetime, G_MAXUINT16);
  init.priority = MAX (open->priority, 1);
  init.id = stream;
  channel = rtc_data_add_channel (self, &init, stream);
  channel->state = RTC_DATA_OPEN;
  ack = rtc_dcep_write_ack ();
  rtc_data_queue (channel, RTC_PPID_DCEP, ack, 0);
  g_bytes_unref (ack);
  self->events->channel (channel, self->user_data);
}

static void
take_dcep (RtcData *self, guint16 stream, GBytes *bytes)
{
  RtcDataChannel *channel = rtc_data_find (self, stream);
  const gchar *wrong = NULL;
  RtcDcepOpen open;
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  switch (rtc_dcep_read (data, size, &open, &wrong)) {
    case RTC_DCEP_OPEN:
      take_open (self, stream, &open);
      rtc_dcep_open_clear (&open);
      break;
    case RTC_DCEP_ACK:
      acknowledged (channel);
      break;
    case RTC_DCEP_INVALID:
      if (channel)
        rtc_data_begin_close (
            channel, g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_PEER, "The peer sent a bad message: %s", wrong));
      else
        refuse (self, stream);
      break;
  }
}

/* Messages. */

static void
deliver (RtcDataChannel *channel, gboolean is_text, GBytes *bytes)
{
  RtcData *self = channel->data;
  GBytes *valid = NULL;

  if (is_text && !rtc_data_is_text (bytes))
    valid = rtc_data_make_text (bytes);
  channel->stats.messages_received++;
  channel->stats.bytes_received += g_bytes_get_size (bytes);
  self->events->message (channel, is_text, valid ? valid : bytes, self->user_data);
  g_clear_pointer (&valid, g_bytes_unref);
}

static void
too_large (RtcDataChannel *channel)
{
  rtc_data_begin_close (channel,
      g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_PEER,
          "The peer sent a message of more than %" G_GSIZE_FORMAT " bytes, the max-message-size that it was told",
          channel->data->config.max_message_size));
}

/* A part as old peers make them: a message of SCTP's by itself. */
static void
take_part (RtcDataChannel *channel, GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  if (!channel->parts)
    channel->parts = g_byte_array_new ();
  if (channel->parts->len + size > channel->data->config.max_message_size) {
    g_clear_pointer (&channel->parts, g_byte_array_unref);
    too_large (channel);
    return;
  }
  g_byte_array_append (channel->parts, data, size);
}

static void
take_message (RtcDataChannel *channel, gboolean is_text, GBytes *bytes)
{
  if (channel->parts) {
    GBytes *whole;

    take_part (channel, bytes);
    if (!channel->parts)
      return;
    whole = g_byte_array_free_to_bytes (channel->parts);
    channel->parts = NULL;
    deliver (channel, is_text, whole);
    g_bytes_unref (whole);
    return;
  }
  deliver (channel, is_text, bytes);
}

void
rtc_data_receive (RtcData *self, guint16 stream, guint32 ppid, GBytes *bytes)
{
  RtcDataChannel *channel = rtc_data_find (self, stream);
  GBytes *empty;

  if (ppid == RTC_PPID_DCEP) {
    take_dcep (self, stream, bytes);
    return;
  }
  if (!channel || channel->peer_reset || channel->error)
    return;
  acknowledged (channel);
  if (channel->reset_sent)
    rtc_data_wait_for_reset (channel);
  switch (ppid) {
    case RTC_PPID_TEXT:
    case RTC_PPID_BINARY:
      take_message (channel, ppid == RTC_PPID_TEXT, bytes);
      break;
    case RTC_PPID_TEXT_PART:
    case RTC_PPID_BINARY_PART:
      take_part (channel, bytes);
      break;
    case RTC_PPID_TEXT_EMPTY:
    case RTC_PPID_BINARY_EMPTY:
      empty = g_bytes_new_static ("", 0);
      take_message (channel, ppid == RTC_PPID_TEXT_EMPTY, empty);
      g_bytes_unref (empty);
      break;
  }
}

void
rtc_data_too_large (RtcData *self, guint16 stream)
{
  RtcDataChannel *channel = rtc_data_find (self, stream);

  if (channel)
    too_large (channel);
}
