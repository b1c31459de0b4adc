/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"
#include "rtcdcep.h"

/* Messages whose end is missing, in sum, in max_message_sizes. Only those of more than 2 MiB come in parts at all. */
#define MAX_PARTIAL_SIZES 4
/* Of unordered messages that were given up nobody tells us. */
#define MAX_PARTIALS 64

typedef struct
{
  guint16 stream, number;
  gboolean unordered;
  GByteArray *bytes;
  gboolean is_too_large; /* the rest is thrown away */
} Partial;

void
rtc_data_partial_free (gpointer data)
{
  Partial *partial = data;

  if (partial->bytes)
    g_byte_array_unref (partial->bytes);
  g_free (partial);
}

static void
remove_partial (RtcData *self, guint index)
{
  Partial *partial = g_ptr_array_index (self->partials, index);

  self->partial_bytes -= partial->bytes ? partial->bytes->len : 0;
  g_ptr_array_remove_index (self->partials, index);
}

void
rtc_data_forget_partials (RtcData *self, guint16 stream)
{
  for (guint i = self->partials->len; i-- > 0;) {
    if (((Partial *)g_ptr_array_index (self->partials, i))->stream == stream)
      remove_partial (self, i);
  }
}

static Partial *
find_partial (RtcData *self, guint16 stream, gboolean unordered, guint16 number)
{
  for (guint i = self->partials->len; i-- > 0;) {
    Partial *partial = g_ptr_array_index (self->partials, i);

    if (partial->stream != stream || partial->unordered != unordered)
      continue;
    if (partial->number == number)
      return partial;
    /* The next one of this stream: the peer gave up this one. */
    if (!unordered)
      remove_partial (self, i);
  }
  return NULL;
}

/* Opening. */

static void
refuse (RtcData *self, guint16 stream)
{
  if (stream < self->n_streams)
    gst_rtc_sctp_reset (self->sctp, stream, self->now);
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
      if (channel)
        channel->is_acknowledged = TRUE;
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

static void
dispatch (RtcData *self, guint16 stream, guint32 ppid, GBytes *bytes)
{
  RtcDataChannel *channel = rtc_data_find (self, stream);
  GBytes *empty;

  if (ppid == RTC_PPID_DCEP) {
    take_dcep (self, stream, bytes);
    return;
  }
  if (!channel || channel->peer_reset || channel->error)
    return;
  if (g_bytes_get_size (bytes) > self->config.max_message_size) {
    too_large (channel);
    return;
  }
  channel->is_acknowledged = TRUE;
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

static void
too_many_partials (RtcData *self)
{
  GError *error = g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_PEER,
      "The peer began messages of more than %" G_GSIZE_FORMAT " bytes in sum, and ended none",
      MAX_PARTIAL_SIZES * self->config.max_message_size);

  rtc_data_fail (self, error);
  g_error_free (error);
}

/* FALSE: it has become too large, now. */
static gboolean
append (RtcData *self, Partial *partial, GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  if (partial->is_too_large)
    return TRUE;
  if (partial->bytes->len + size <= self->config.max_message_size) {
    g_byte_array_append (partial->bytes, data, size);
    self->partial_bytes += size;
    return TRUE;
  }
  self->partial_bytes -= partial->bytes->len;
  g_clear_pointer (&partial->bytes, g_byte_array_unref);
  partial->is_too_large = TRUE;
  return FALSE;
}

static Partial *
add_partial (RtcData *self, guint16 stream, gboolean unordered, guint16 number)
{
  Partial *partial = g_new0 (Partial, 1);

  if (self->partials->len >= MAX_PARTIALS)
    remove_partial (self, 0);
  partial->stream = stream;
  partial->number = number;
  partial->unordered = unordered;
  partial->bytes = g_byte_array_new ();
  g_ptr_array_add (self->partials, partial);
  return partial;
}

/* The whole message; NULL: it was too large. */
static GBytes *
complete (RtcData *self, Partial *partial)
{
  GBytes *whole = NULL;

  if (partial->bytes) {
    self->partial_bytes -= partial->bytes->len;
    whole = g_byte_array_free_to_bytes (partial->bytes);
    partial->bytes = NULL;
  }
  g_ptr_array_remove (self->partials, partial);
  return whole;
}

void
rtc_data_receive (
    RtcData *self, guint16 stream, guint32 ppid, gboolean unordered, guint16 number, GBytes *bytes, gboolean is_last)
{
  Partial *partial = find_partial (self, stream, unordered, number);
  GBytes *whole = NULL;
  gboolean fits;

  if (!partial && is_last) {
    dispatch (self, stream, ppid, bytes);
    return;
  }
  if (!partial)
    partial = add_partial (self, stream, unordered, number);
  fits = append (self, partial, bytes);
  if (is_last)
    whole = complete (self, partial);
  /* From here on the application may have closed everything. */
  if (!fits && rtc_data_find (self, stream))
    too_large (rtc_data_find (self, stream));
  if (whole)
    dispatch (self, stream, ppid, whole);
  g_clear_pointer (&whole, g_bytes_unref);
  if (self->partial_bytes > MAX_PARTIAL_SIZES * self->config.max_message_size)
    too_many_partials (self);
}
