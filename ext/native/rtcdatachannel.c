/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"

static GError *
check_message (RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  gsize size = g_bytes_get_size (message);

  if (channel->state >= RTC_DATA_CLOSING && !channel->is_last_chance)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_STATE, "The data channel \"%s\" is %s", channel->init.label,
        channel->state == RTC_DATA_CLOSED ? "closed" : "closing");
  if (size > channel->data->peer_max_message_size)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_TOO_LARGE,
        "A message of %" G_GSIZE_FORMAT " bytes is more than the %" G_GUINT64_FORMAT
        " that the peer takes (its max-message-size): send it in parts",
        size, channel->data->peer_max_message_size);
  if (channel->buffered + size > channel->init.max_buffered)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_FULL,
        "%" G_GSIZE_FORMAT " bytes wait in the data channel \"%s\" already: send more when the peer has taken some",
        channel->buffered, channel->init.label);
  if (is_text && !rtc_data_is_text (message))
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_TEXT, "A text message is not UTF-8: send it as binary");
  return NULL;
}

gboolean
rtc_data_channel_send (RtcDataChannel *channel, gboolean is_text, GBytes *message, gint64 now, GError **error)
{
  GError *wrong = check_message (channel, is_text, message);
  gsize size = g_bytes_get_size (message);

  if (wrong) {
    g_propagate_error (error, wrong);
    return FALSE;
  }
  rtc_data_enter (channel->data, now);
  if (size > 0) {
    rtc_data_queue (channel, is_text ? RTC_PPID_TEXT : RTC_PPID_BINARY, message, size);
  } else {
    /* SCTP has no empty messages; a byte that means nothing is in its place (RFC 8831, section 6.6). */
    GBytes *byte = g_bytes_new_static ("", 1);

    rtc_data_queue (channel, is_text ? RTC_PPID_TEXT_EMPTY : RTC_PPID_BINARY_EMPTY, byte, 0);
    g_bytes_unref (byte);
  }
  rtc_data_leave (channel->data);
  return TRUE;
}

gsize
rtc_data_channel_get_buffered (RtcDataChannel *channel)
{
  return channel->buffered;
}

guint
rtc_data_channel_get_n_waiting (RtcDataChannel *channel)
{
  return channel->queue.length;
}

void
rtc_data_channel_set_low_threshold (RtcDataChannel *channel, gsize bytes)
{
  channel->init.low_threshold = bytes;
}

void
rtc_data_channel_set_max_buffered (RtcDataChannel *channel, gsize bytes)
{
  channel->init.max_buffered = bytes;
}

gint
rtc_data_channel_get_id (RtcDataChannel *channel)
{
  return channel->id;
}

RtcDataState
rtc_data_channel_get_state (RtcDataChannel *channel)
{
  return channel->state;
}

const RtcDataChannelStats *
rtc_data_channel_get_stats (RtcDataChannel *channel)
{
  return &channel->stats;
}

const RtcDataChannelInit *
rtc_data_channel_get_init (RtcDataChannel *channel)
{
  return &channel->init;
}

void
rtc_data_channel_set_user_data (RtcDataChannel *channel, gpointer user_data)
{
  channel->user_data = user_data;
}

gpointer
rtc_data_channel_get_user_data (RtcDataChannel *channel)
{
  return channel->user_data;
}
