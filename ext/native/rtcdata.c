/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"
#include "rtcdcep.h"
#include "core/rtcdeadline.h"

#include <string.h>

/* Some take longer messages than their window is, part by part. */
#define MIN_LIMIT (1024 * 1024)
#define MIN_MESSAGE_SIZE 65536

GQuark
rtc_data_error_quark (void)
{
  return g_quark_from_static_string ("rtc-data-error-quark");
}

/* Calls from outside may come from inside of events; what has to wait for the end of the outermost one is done here. */

void
rtc_data_enter (RtcData *self, gint64 now)
{
  self->depth++;
  self->now = now;
}

static void
channel_free (gpointer data)
{
  RtcDataChannel *channel = data;

  rtc_data_free_queue (channel);
  g_free ((gchar *)channel->init.label);
  g_free ((gchar *)channel->init.protocol);
  g_clear_pointer (&channel->parts, g_byte_array_unref);
  g_clear_error (&channel->error);
  g_free (channel);
}

void
rtc_data_leave (RtcData *self)
{
  if (self->depth == 1) {
    if (self->sctp) {
      if (!self->is_over)
        rtc_data_pump (self);
      rtc_sctp_flush (self->sctp, self->now);
    }
    g_ptr_array_set_size (self->dead, 0);
  }
  self->depth--;
}

/* Channels. */

RtcDataChannel *
rtc_data_find (RtcData *self, guint id)
{
  return g_hash_table_lookup (self->by_id, GUINT_TO_POINTER (id));
}

static void
give_id (RtcDataChannel *channel, gint id)
{
  channel->id = channel->init.id = id;
  g_hash_table_insert (channel->data->by_id, GUINT_TO_POINTER (id), channel);
}

RtcDataChannel *
rtc_data_add_channel (RtcData *self, const RtcDataChannelInit *init, gint id)
{
  RtcDataChannel *channel = g_new0 (RtcDataChannel, 1);

  channel->data = self;
  channel->init = *init;
  channel->init.label = g_strdup (init->label ? init->label : "");
  channel->init.protocol = g_strdup (init->protocol ? init->protocol : "");
  channel->id = channel->init.id = -1;
  g_queue_init (&channel->queue);
  g_ptr_array_add (self->channels, channel);
  if (id >= 0)
    give_id (channel, id);
  return channel;
}

void
rtc_data_set_state (RtcDataChannel *channel, RtcDataState state)
{
  if (channel->state == state)
    return;
  channel->state = state;
  channel->is_last_chance = state == RTC_DATA_CLOSING && !channel->error;
  channel->data->events->state (
      channel, state, state == RTC_DATA_CLOSED ? channel->error : NULL, channel->data->user_data);
  channel->is_last_chance = FALSE;
}

void
rtc_data_fail (RtcData *self, const GError *error)
{
  if (self->is_over)
    return;
  self->is_over = TRUE;
  self->is_up = FALSE;
  if (self->sctp)
    rtc_sctp_close (self->sctp);
  while (self->channels->len > 0) {
    RtcDataChannel *channel = g_ptr_array_index (self->channels, 0);

    if (error && !channel->error)
      channel->error = g_error_copy (error);
    rtc_data_finish_close (channel);
  }
}

static void
fail_and_tell (RtcData *self, const gchar *reason)
{
  GError *error;

  if (self->is_over)
    return;
  error = g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_LINK, "%s", reason);
  rtc_data_fail (self, error);
  self->events->link (FALSE, error, self->user_data);
  g_error_free (error);
}

/* Ids. */

/* The one after the last: a number that was closed rests for as long as there are others. -1: all are in use. */
static gint
choose_id (RtcData *self)
{
  guint n = self->n_streams / 2;

  for (guint i = 0; i < n; i++) {
    guint id = 2 * ((self->next_id + i) % n) + !self->is_client;

    if (rtc_data_find (self, id))
      continue;
    self->next_id = id / 2 + 1;
    return id;
  }
  return -1;
}

/* Our part of the handshake. The channel counts as open at once, as in browsers. */
static void
open_in_band (RtcDataChannel *channel)
{
  const RtcDataChannelInit *init = &channel->init;
  RtcDcepOpen open = {.ordered = init->ordered,
      .max_retransmits = init->max_retransmits,
      .max_lifetime = init->max_packet_lifetime,
      .priority = init->priority,
      .label = (gchar *)init->label,
      .protocol = (gchar *)init->protocol};
  GBytes *bytes = rtc_dcep_write_open (&open);

  rtc_data_queue (channel, RTC_PPID_DCEP, bytes, 0);
  /* What was sent before it had an id waits already. */
  g_queue_push_head_link (&channel->queue, g_queue_pop_tail_link (&channel->queue));
  g_bytes_unref (bytes);
}

static void
identify (RtcDataChannel *channel)
{
  gint id;

  if (channel->id >= 0)
    return;
  id = choose_id (channel->data);
  if (id < 0) {
    rtc_data_begin_close (channel,
        g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_ID, "All %u ids that this side has are in use: close a channel",
            channel->data->n_streams / 2));
    return;
  }
  give_id (channel, id);
  open_in_band (channel);
}

static void
refuse_beyond (RtcDataChannel *channel)
{
  rtc_data_begin_close (channel,
      g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_ID, "The peer has streams 0 to %d only, so id %d is not possible",
          (gint)channel->data->n_streams - 1, channel->id));
}

/* Who names a limit beyond all reason, or none, has one nevertheless: Firefox says 1 GiB, and ends the association when
 * messages that are not complete fill its window of 16 MiB. */
static void
look_at_the_peer (RtcData *self)
{
  self->peer_holds = rtc_sctp_get_peer_buffer (self->sctp) / 4 * 3;
  if (self->peer_max_message_size > RTC_DATA_MAX_MESSAGE_SIZE)
    self->peer_max_message_size = MIN (self->peer_max_message_size, MAX (self->peer_holds, MIN_LIMIT));
}

/* What was sent before that was known. */
static gboolean
refuse_too_large (RtcDataChannel *channel)
{
  guint64 limit = channel->data->peer_max_message_size;

  for (GList *l = channel->queue.head; l; l = l->next) {
    if (((RtcDataMessage *)l->data)->size <= limit)
      continue;
    rtc_data_begin_close (channel,
        g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_TOO_LARGE,
            "A message of %" G_GSIZE_FORMAT
            " bytes was sent before the peer was connected, which takes %" G_GUINT64_FORMAT ": send it in parts",
            ((RtcDataMessage *)l->data)->size, limit));
    return TRUE;
  }
  return FALSE;
}

/* SCTP's events. */

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  RtcData *self = user_data;

  self->events->transmit (data, size, self->user_data);
}

static void
on_up (guint streams, gboolean interleaving, gpointer user_data)
{
  RtcData *self = user_data;
  GPtrArray *channels;

  self->is_up = TRUE;
  self->interleaving = interleaving;
  self->n_streams = MIN (streams, RTC_SCTP_STREAMS);
  look_at_the_peer (self);
  self->events->link (TRUE, NULL, self->user_data);
  /* Applications may close some meanwhile, which is why they are kept until the outermost call returns. */
  channels = g_ptr_array_copy (self->channels, NULL, NULL);
  for (guint i = 0; i < channels->len; i++) {
    RtcDataChannel *channel = g_ptr_array_index (channels, i);

    if (channel->state == RTC_DATA_CLOSED)
      continue;
    if (channel->id >= (gint)self->n_streams)
      refuse_beyond (channel);
    else if (!refuse_too_large (channel))
      identify (channel);
    if (channel->state == RTC_DATA_CONNECTING)
      rtc_data_set_state (channel, RTC_DATA_OPEN);
  }
  g_ptr_array_unref (channels);
}

static void
on_down (const GError *error, gpointer user_data)
{
  fail_and_tell (user_data, error ? error->message : "The peer ended the data channels' SCTP association");
}

static void
on_message (guint16 stream, guint32 ppid, GBytes *message, gpointer user_data)
{
  RtcData *self = user_data;

  if (!self->is_over)
    rtc_data_receive (self, stream, ppid, message);
}

static void
on_too_large (guint16 stream, gpointer user_data)
{
  RtcData *self = user_data;

  if (!self->is_over)
    rtc_data_too_large (self, stream);
}

static const RtcSctpEvents sctp_events = {
    .transmit = on_transmit,
    .up = on_up,
    .down = on_down,
    .message = on_message,
    .too_large = on_too_large,
    .reset = rtc_data_take_reset,
};

/* From outside. */

RtcData *
rtc_data_new (const RtcDataConfig *config, const RtcDataEvents *events, gpointer user_data)
{
  RtcData *self = g_new0 (RtcData, 1);

  self->config = *config;
  self->config.max_message_size = MAX (config->max_message_size, MIN_MESSAGE_SIZE);
  self->events = events;
  self->user_data = user_data;
  self->n_streams = RTC_SCTP_STREAMS;
  self->close_at = -1;
  self->peer_max_message_size = G_MAXUINT64;
  self->channels = g_ptr_array_new ();
  self->dead = g_ptr_array_new_with_free_func (channel_free);
  self->active = g_ptr_array_new ();
  self->by_id = g_hash_table_new (NULL, NULL);
  self->stale = g_hash_table_new (NULL, NULL);
  return self;
}

void
rtc_data_free (RtcData *self)
{
  g_clear_pointer (&self->sctp, rtc_sctp_free);
  g_ptr_array_foreach (self->channels, (GFunc)channel_free, NULL);
  g_ptr_array_unref (self->channels);
  g_ptr_array_unref (self->dead);
  g_ptr_array_unref (self->active);
  g_hash_table_unref (self->by_id);
  g_hash_table_unref (self->stale);
  g_free (self);
}

void
rtc_data_start (RtcData *self, gboolean is_dtls_client, guint16 local_port, guint16 remote_port,
    guint64 peer_max_message_size, gint64 now)
{
  RtcSctpConfig config = {.local_port = local_port,
      .remote_port = remote_port,
      .max_message_size = self->config.max_message_size,
      .no_interleaving = self->config.no_interleaving};

  if (self->sctp || self->is_over)
    return;
  rtc_data_enter (self, now);
  self->is_client = is_dtls_client;
  self->peer_max_message_size = peer_max_message_size ? peer_max_message_size : G_MAXUINT64;
  self->sctp = rtc_sctp_new (&config, &sctp_events, self);
  rtc_sctp_connect (self->sctp, now);
  rtc_data_leave (self);
}

void
rtc_data_begin (RtcData *self, gint64 now)
{
  rtc_data_enter (self, now);
}

void
rtc_data_end (RtcData *self)
{
  rtc_data_leave (self);
}

void
rtc_data_take (RtcData *self, const guint8 *packet, gsize size, gint64 now)
{
  if (!self->sctp || self->is_over)
    return;
  rtc_data_enter (self, now);
  rtc_sctp_take (self->sctp, packet, size, now);
  rtc_data_leave (self);
}

gint64
rtc_data_get_fine_deadline (RtcData *self)
{
  return self->sctp && !self->is_over ? rtc_sctp_get_fine_deadline (self->sctp) : -1;
}

gint64
rtc_data_get_coarse_deadline (RtcData *self)
{
  if (!self->sctp || self->is_over)
    return -1;
  return rtc_earlier (
      rtc_earlier (rtc_sctp_get_coarse_deadline (self->sctp), rtc_data_get_expiry (self)), self->close_at);
}

gint64
rtc_data_get_deadline (RtcData *self)
{
  return rtc_earlier (rtc_data_get_fine_deadline (self), rtc_data_get_coarse_deadline (self));
}

void
rtc_data_tick (RtcData *self, gint64 now)
{
  if (!self->sctp || self->is_over)
    return;
  rtc_data_enter (self, now);
  rtc_sctp_tick (self->sctp, now);
  rtc_data_expire (self);
  rtc_data_tick_close (self);
  rtc_data_leave (self);
}

void
rtc_data_hurry (RtcData *self, gint64 now)
{
  if (!self->sctp || self->is_over)
    return;
  rtc_data_enter (self, now);
  rtc_sctp_hurry (self->sctp, now);
  rtc_data_leave (self);
}

void
rtc_data_close (RtcData *self, gint64 now)
{
  rtc_data_enter (self, now);
  rtc_data_fail (self, NULL);
  rtc_data_leave (self);
}

void
rtc_data_set_unread (RtcData *self, gsize bytes, gint64 now)
{
  if (!self->sctp || self->is_over)
    return;
  rtc_data_enter (self, now);
  rtc_sctp_set_unread (self->sctp, bytes);
  rtc_data_leave (self);
}

guint64
rtc_data_get_peer_max_message_size (RtcData *self)
{
  return self->peer_max_message_size;
}

gboolean
rtc_data_get_path (RtcData *self, RtcSctpStats *stats, gboolean *interleaving)
{
  if (!self->sctp)
    return FALSE;
  *interleaving = self->interleaving;
  rtc_sctp_get_stats (self->sctp, stats);
  return TRUE;
}

static GError *
check_init (RtcData *self, const RtcDataChannelInit *init)
{
  const gchar *strings[] = {init->label, init->protocol};

  for (guint i = 0; i < G_N_ELEMENTS (strings); i++) {
    if (strings[i] && (strlen (strings[i]) > RTC_DCEP_MAX_STRING || !g_utf8_validate (strings[i], -1, NULL)))
      return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_CONFIG,
          "The %s of a data channel is UTF-8 of at most 65535 bytes", i ? "protocol" : "label");
  }
  if (init->max_retransmits >= 0 && init->max_packet_lifetime >= 0)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_CONFIG,
        "max-retransmits and max-packet-lifetime are both set: a data channel has one of them at most");
  if (init->max_retransmits > G_MAXUINT16 || init->max_packet_lifetime > G_MAXUINT16)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_CONFIG,
        "max-retransmits and max-packet-lifetime (milliseconds) are 65535 at most");
  if (init->priority < 1 || init->priority > G_MAXUINT16)
    return g_error_new (
        RTC_DATA_ERROR, RTC_DATA_ERROR_CONFIG, "The priority %u is not one of 1 to 65535", init->priority);
  if (self->is_over)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_LINK, "The association with this peer is gone");
  if (!init->negotiated)
    return NULL;
  if (init->id < 0 || init->id > RTC_DATA_MAX_ID || init->id >= (gint)self->n_streams)
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_ID,
        "A negotiated data channel has an id of 0 to %u, which both sides know; %d is none", self->n_streams - 1,
        init->id);
  if (rtc_data_find (self, init->id))
    return g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_ID, "The id %d is in use", init->id);
  return NULL;
}

gboolean
rtc_data_check (RtcData *self, const RtcDataChannelInit *init, GError **error)
{
  GError *wrong = check_init (self, init);

  if (!wrong && !init->negotiated && self->is_up && choose_id (self) < 0)
    wrong = g_error_new (RTC_DATA_ERROR, RTC_DATA_ERROR_ID, "All %u ids that this side has are in use: close a channel",
        self->n_streams / 2);
  if (wrong)
    g_propagate_error (error, wrong);
  return !wrong;
}

RtcDataChannel *
rtc_data_open (RtcData *self, const RtcDataChannelInit *init, gint64 now, GError **error)
{
  RtcDataChannel *channel;

  if (!rtc_data_check (self, init, error))
    return NULL;
  rtc_data_enter (self, now);
  channel = rtc_data_add_channel (self, init, init->negotiated ? init->id : -1);
  channel->is_opener = TRUE;
  if (self->is_up) {
    identify (channel);
    rtc_data_set_state (channel, RTC_DATA_OPEN);
  }
  rtc_data_leave (self);
  return channel;
}

void
rtc_data_channel_close (RtcDataChannel *channel, gint64 now)
{
  RtcData *self = channel->data;

  if (channel->state >= RTC_DATA_CLOSING)
    return;
  rtc_data_enter (self, now);
  rtc_data_begin_close (channel, NULL);
  rtc_data_leave (self);
}

void
rtc_data_channel_fail (RtcDataChannel *channel, const GError *error, gint64 now)
{
  rtc_data_enter (channel->data, now);
  rtc_data_begin_close (channel, g_error_copy (error));
  rtc_data_leave (channel->data);
}
