/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"
#include "core/rtcmessage.h"
#include "core/rtcdeadline.h"

#include <string.h>

#define FIRST_TIMEOUT (300 * RTC_SCTP_MS)
#define SACK_DELAY (20 * RTC_SCTP_MS)
/* Chunks that answer others, at most, until the next packet: a peer may ask for more than fits in one. */
#define MAX_CONTROL (8 * RTC_SCTP_MTU)
/* The T bit: the tag is the sender's own, as it does not know ours. */
#define FLAG_T 1
#define CAUSE_NO_RESOURCES 4
#define CAUSE_USER_ABORT 12
#define CAUSE_VIOLATION 13
#define MAX_WORDS 200

RtcSctp *
rtc_sctp_new (const RtcSctpConfig *config, const RtcSctpEvents *events, gpointer user_data)
{
  RtcSctp *self = g_new0 (RtcSctp, 1);

  self->config = *config;
  self->events = events;
  self->user_data = user_data;
  while (self->tag == 0)
    self->tag = g_random_int ();
  self->initial_tsn = self->first_tsn = self->unsent_tsn = self->next_tsn = g_random_int ();
  self->forward_tsn = self->highest_acked = self->initial_tsn - 1;
  self->request_number = self->initial_tsn;
  self->control = g_byte_array_new ();
  self->timeout = FIRST_TIMEOUT;
  self->patience = 1;
  self->t1_at = self->t3_at = self->loss_at = self->sack_at = self->request_at = -1;
  rtc_sctp_pace_init (self);
  self->seen = g_new0 (guint64, RTC_SCTP_TSN_WINDOW / 64);
  return self;
}

void
rtc_sctp_free (RtcSctp *self)
{
  rtc_sctp_free_sending (self);
  rtc_sctp_free_receiving (self);
  g_byte_array_unref (self->control);
  g_clear_pointer (&self->cookie, g_bytes_unref);
  g_clear_pointer (&self->deferred, g_bytes_unref);
  g_clear_pointer (&self->requested, g_array_unref);
  g_free (self);
}

static void
end (RtcSctp *self)
{
  self->state = RTC_SCTP_OVER;
  self->t1_at = self->t3_at = self->loss_at = self->sack_at = self->request_at = self->pace.at = -1;
}

static void
end_and_tell (RtcSctp *self, const gchar *reason)
{
  GError *error = NULL;

  if (self->state == RTC_SCTP_OVER)
    return;
  end (self);
  if (reason)
    error = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The data channels' SCTP association ended: %s", reason);
  self->events->down (error, self->user_data);
  g_clear_error (&error);
}

void
rtc_sctp_fail (RtcSctp *self, const gchar *reason)
{
  self->abort_wanted = self->knows_peer;
  end_and_tell (self, reason);
}

void
rtc_sctp_close (RtcSctp *self)
{
  if (self->state == RTC_SCTP_OVER)
    return;
  self->abort_wanted = self->knows_peer;
  end (self);
}

gsize
rtc_sctp_get_peer_buffer (RtcSctp *self)
{
  return self->peer_buffer;
}

/* What comes. */

static void
take_heartbeat (RtcSctp *self, const guint8 *chunk, gsize size)
{
  if (self->knows_peer && self->control->len + size < MAX_CONTROL)
    memcpy (rtc_sctp_add_chunk (self->control, RTC_SCTP_HEARTBEAT_ACK, 0, size), chunk, size);
}

/* ABORT, with the first of its causes (RFC 9260, 3.3.10); two kinds of them have words. */
static void
take_abort (RtcSctp *self, const guint8 *chunk, gsize size)
{
  guint cause = size >= 4 ? rtc_get_u16 (chunk) : 0;
  gsize end = size >= 4 ? MIN (rtc_get_u16 (chunk + 2), size) : 0;
  gchar *words = NULL, *reason;

  if ((cause == CAUSE_USER_ABORT || cause == CAUSE_VIOLATION) && end > 4)
    words = g_utf8_make_valid ((const gchar *)chunk + 4, MIN (end - 4, MAX_WORDS));
  if (words)
    reason = g_strdup_printf ("the peer aborted it: \"%s\"", words);
  else if (cause == CAUSE_NO_RESOURCES)
    reason = g_strdup ("the peer aborted it: it has no room for what was sent");
  else
    reason = g_strdup_printf ("the peer aborted it (cause %u of RFC 9260, 3.3.10)", cause);
  end_and_tell (self, reason);
  g_free (reason);
  g_free (words);
}

static void
take_chunk (RtcSctp *self, guint type, guint flags, const guint8 *chunk, gsize size, gint64 now)
{
  switch (type) {
    case RTC_SCTP_DATA:
    case RTC_SCTP_I_DATA:
      rtc_sctp_take_data (self, type, flags, chunk, size);
      break;
    case RTC_SCTP_INIT_ACK:
      rtc_sctp_take_init_ack (self, chunk, size, now);
      break;
    case RTC_SCTP_SACK:
      rtc_sctp_take_sack (self, chunk, size, now);
      break;
    case RTC_SCTP_HEARTBEAT:
      take_heartbeat (self, chunk, size);
      break;
    case RTC_SCTP_ABORT:
      take_abort (self, chunk, size);
      break;
    case RTC_SCTP_SHUTDOWN:
      rtc_sctp_add_chunk (self->control, RTC_SCTP_SHUTDOWN_ACK, 0, 0);
      break;
    case RTC_SCTP_SHUTDOWN_ACK:
    case RTC_SCTP_SHUTDOWN_COMPLETE:
      end_and_tell (self, NULL);
      break;
    case RTC_SCTP_COOKIE_ECHO:
      rtc_sctp_take_cookie_echo (self, chunk, size);
      break;
    case RTC_SCTP_COOKIE_ACK:
      rtc_sctp_take_cookie_ack (self);
      break;
    case RTC_SCTP_RE_CONFIG:
      rtc_sctp_take_reconfig (self, chunk, size);
      break;
    case RTC_SCTP_FORWARD_TSN:
    case RTC_SCTP_I_FORWARD_TSN:
      rtc_sctp_take_forward (self, type, chunk, size);
      break;
  }
}

static gboolean
is_known (guint type)
{
  return type <= RTC_SCTP_SHUTDOWN_COMPLETE || type == RTC_SCTP_I_DATA || type == RTC_SCTP_RE_CONFIG
      || type == RTC_SCTP_FORWARD_TSN || type == RTC_SCTP_I_FORWARD_TSN;
}

/* RFC 9260, section 8.5. */
static gboolean
is_for_us (RtcSctp *self, const guint8 *data)
{
  guint32 tag = rtc_get_u32 (data + 4);
  const guint8 *first = data + RTC_SCTP_HEADER;

  if (rtc_get_u16 (data) != self->config.remote_port || rtc_get_u16 (data + 2) != self->config.local_port)
    return FALSE;
  if (first[0] == RTC_SCTP_INIT)
    return tag == 0;
  if ((first[0] == RTC_SCTP_ABORT || first[0] == RTC_SCTP_SHUTDOWN_COMPLETE) && first[1] & FLAG_T)
    return self->knows_peer && tag == self->peer_tag;
  return tag == self->tag;
}

static void
acknowledge_soon (RtcSctp *self, guint64 chunks_before, gint64 now)
{
  if (self->stats.chunks_received == chunks_before)
    return;
  /* Every second packet at once, and the others a little later (RFC 9260, 6.2). */
  if (++self->n_unacked >= 2)
    self->sack_now = TRUE;
  if (self->sack_at < 0)
    self->sack_at = now + SACK_DELAY;
}

void
rtc_sctp_take (RtcSctp *self, const guint8 *data, gsize size, gint64 now)
{
  gsize at = RTC_SCTP_HEADER;
  guint64 chunks_before = self->stats.chunks_received;

  if (self->state == RTC_SCTP_OVER || size < RTC_SCTP_HEADER + RTC_SCTP_CHUNK_HEADER || !is_for_us (self, data))
    return;
  self->stats.packets_received++;
  while (size - at >= RTC_SCTP_CHUNK_HEADER && self->state != RTC_SCTP_OVER) {
    guint type = data[at];
    gsize length = rtc_get_u16 (data + at + 2);

    if (length < RTC_SCTP_CHUNK_HEADER || length > size - at)
      break;
    /* It must be alone, and has no tag: nothing else may come in under its wing. */
    if (type == RTC_SCTP_INIT) {
      if (at == RTC_SCTP_HEADER)
        rtc_sctp_take_init (self, data + at + RTC_SCTP_CHUNK_HEADER, length - RTC_SCTP_CHUNK_HEADER);
      break;
    }
    /* The highest bit: whether to go on after what one does not know. */
    if (!is_known (type) && !(type & 0x80))
      break;
    take_chunk (self, type, data[at + 1], data + at + RTC_SCTP_CHUNK_HEADER, length - RTC_SCTP_CHUNK_HEADER, now);
    at += MIN ((length + 3) & ~(gsize)3, size - at);
  }
  if (self->state == RTC_SCTP_OVER)
    return;
  acknowledge_soon (self, chunks_before, now);
  rtc_sctp_take_deferred (self);
}

/* Time. */

gint64
rtc_sctp_get_fine_deadline (RtcSctp *self)
{
  return rtc_earlier (self->loss_at, self->pace.at);
}

gint64
rtc_sctp_get_coarse_deadline (RtcSctp *self)
{
  const gint64 all[] = {self->t1_at, self->t3_at, self->sack_at, self->request_at};
  gint64 first = -1;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    first = rtc_earlier (first, all[i]);
  return first;
}

gint64
rtc_sctp_get_deadline (RtcSctp *self)
{
  return rtc_earlier (rtc_sctp_get_fine_deadline (self), rtc_sctp_get_coarse_deadline (self));
}

void
rtc_sctp_tick (RtcSctp *self, gint64 now)
{
  rtc_sctp_tick_handshake (self, now);
  rtc_sctp_tick_data (self, now);
  rtc_sctp_tick_reset (self, now);
  if (self->sack_at >= 0 && now >= self->sack_at)
    self->sack_now = TRUE;
}

void
rtc_sctp_hurry (RtcSctp *self, gint64 now)
{
  gint64 *const slow[] = {&self->t1_at, &self->t3_at, &self->request_at};

  for (guint i = 0; i < G_N_ELEMENTS (slow); i++) {
    if (*slow[i] >= 0)
      *slow[i] = MIN (*slow[i], now);
  }
  rtc_sctp_tick (self, now);
}

/* What goes out. */

static void
send_abort (RtcSctp *self)
{
  guint8 packet[RTC_SCTP_HEADER + 8] = {0};

  self->abort_wanted = FALSE;
  packet[RTC_SCTP_HEADER] = RTC_SCTP_ABORT;
  rtc_put_u16 (packet + RTC_SCTP_HEADER + 2, 8);
  rtc_put_u16 (packet + RTC_SCTP_HEADER + 4, CAUSE_USER_ABORT);
  rtc_put_u16 (packet + RTC_SCTP_HEADER + 6, 4);
  rtc_sctp_transmit (self, packet, sizeof (packet), self->peer_tag);
}

static void
add_control (RtcSctp *self, gint64 now)
{
  gboolean has_data = self->n_lost > 0 || self->unsent_tsn != self->next_tsn;

  rtc_sctp_add_requests (self, now);
  /* Data takes an acknowledgement along that would have been sent later. It has to stand before it. */
  if (self->sack_at >= 0 && has_data && rtc_sctp_pace_get_room (self, now) > 0)
    self->sack_now = TRUE;
  if (self->sack_now)
    rtc_sctp_add_sack (self);
  rtc_sctp_update_forward (self);
  if (self->forward_wanted) {
    rtc_sctp_add_forward (self);
    if (self->t3_at < 0)
      self->t3_at = now + self->timeout;
  }
}

/* As many whole chunks as fit. */
static gsize
write_control (RtcSctp *self, guint8 *packet, gsize at)
{
  gsize taken = 0;

  while (taken < self->control->len) {
    const guint8 *chunk = self->control->data + taken;
    gsize size = (rtc_get_u16 (chunk + 2) + 3) & ~(gsize)3;

    if (at + size > RTC_SCTP_MTU)
      break;
    memcpy (packet + at, chunk, size);
    at += size;
    taken += size;
  }
  if (taken > 0)
    g_byte_array_remove_range (self->control, 0, taken);
  return at;
}

void
rtc_sctp_flush (RtcSctp *self, gint64 now)
{
  guint8 packet[RTC_SCTP_MTU];
  gsize at;

  if (self->abort_wanted)
    send_abort (self);
  self->pace.at = -1;
  while (self->state != RTC_SCTP_OVER && self->knows_peer) {
    add_control (self, now);
    at = write_control (self, packet, RTC_SCTP_HEADER);
    at = rtc_sctp_write_data (self, packet, at, now);
    if (at == RTC_SCTP_HEADER)
      break;
    rtc_sctp_transmit (self, packet, at, self->peer_tag);
  }
}

void
rtc_sctp_get_stats (RtcSctp *self, RtcSctpStats *stats)
{
  *stats = self->stats;
  stats->round_trip = self->round_trip;
  stats->window = self->pace.window;
  stats->flight = self->flight;
}
