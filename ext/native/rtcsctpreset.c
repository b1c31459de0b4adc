/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

/* Streams begun anew (RFC 6525): how a data channel is closed. One request of ours is on its way at a time. */

#define PARAMETER_OUTGOING 13
#define PARAMETER_INCOMING 14
#define PARAMETER_TSN 15
#define PARAMETER_RESPONSE 16
#define PARAMETER_ADD_OUTGOING 17
#define PARAMETER_ADD_INCOMING 18
#define OUTGOING_HEADER 16 /* with the parameter's own */

enum
{
  RESULT_NOTHING_TO_DO = 0,
  RESULT_PERFORMED = 1,
  RESULT_DENIED = 2,
  RESULT_BAD_NUMBER = 5,
  RESULT_IN_PROGRESS = 6,
};

/* As many as fit in a packet beside a SACK. */
#define MAX_STREAMS 200
#define MIN_DELAY (200 * RTC_SCTP_MS)
#define MAX_DELAY (2000 * RTC_SCTP_MS)

static void
respond (RtcSctp *self, guint32 number, guint result)
{
  guint8 *chunk = rtc_sctp_add_chunk (self->control, RTC_SCTP_RE_CONFIG, 0, 12);

  rtc_put_u16 (chunk, PARAMETER_RESPONSE);
  rtc_put_u16 (chunk + 2, 12);
  rtc_put_u32 (chunk + 4, number);
  rtc_put_u32 (chunk + 8, result);
}

/* What the peer wants. */

static void
begin_anew (RtcSctp *self, guint16 id)
{
  if (id >= self->n_in)
    return;
  if (self->in[id]) {
    rtc_sctp_in_stream_free (self, self->in[id]);
    self->in[id] = NULL;
  }
  self->events->reset (id, TRUE, FALSE, self->user_data);
}

static void
perform (RtcSctp *self, const guint8 *parameter, gsize size)
{
  guint n = (size - OUTGOING_HEADER) / 2;

  self->next_peer_request++;
  self->last_result = RESULT_PERFORMED;
  respond (self, rtc_get_u32 (parameter + 4), RESULT_PERFORMED);
  for (guint i = 0; i < n && self->state != RTC_SCTP_OVER; i++)
    begin_anew (self, rtc_get_u16 (parameter + OUTGOING_HEADER + 2 * i));
  /* No list: all of them. */
  for (guint i = 0; n == 0 && i < self->n_in && self->state != RTC_SCTP_OVER; i++)
    begin_anew (self, i);
}

/* What the peer sent before it may be on its way still: then it waits for that. */
static void
take_outgoing (RtcSctp *self, const guint8 *parameter, gsize size)
{
  guint32 number = rtc_get_u32 (parameter + 4), last = rtc_get_u32 (parameter + 12);

  if (number == self->next_peer_request - 1) {
    respond (self, number, self->last_result);
  } else if (number != self->next_peer_request) {
    respond (self, number, RESULT_BAD_NUMBER);
  } else if (rtc_sctp_before (self->seen_tsn, last)) {
    g_clear_pointer (&self->deferred, g_bytes_unref);
    self->deferred = g_bytes_new (parameter, size);
  } else {
    g_clear_pointer (&self->deferred, g_bytes_unref);
    perform (self, parameter, size);
  }
}

void
rtc_sctp_take_deferred (RtcSctp *self)
{
  GBytes *deferred = self->deferred;
  const guint8 *parameter;
  gsize size;

  if (!deferred)
    return;
  parameter = g_bytes_get_data (deferred, &size);
  if (rtc_sctp_before (self->seen_tsn, rtc_get_u32 (parameter + 12)))
    return;
  self->deferred = NULL;
  perform (self, parameter, size);
  g_bytes_unref (deferred);
}

static void
deny (RtcSctp *self, const guint8 *parameter)
{
  guint32 number = rtc_get_u32 (parameter + 4);

  if (number == self->next_peer_request) {
    self->next_peer_request++;
    self->last_result = RESULT_DENIED;
  }
  respond (self, number, number == self->next_peer_request - 1 ? self->last_result : RESULT_BAD_NUMBER);
}

/* What we want. */

static void
take_response (RtcSctp *self, const guint8 *parameter)
{
  guint32 number = rtc_get_u32 (parameter + 4), result = rtc_get_u32 (parameter + 8);
  GArray *requested = self->requested;
  gboolean failed = result != RESULT_PERFORMED && result != RESULT_NOTHING_TO_DO;

  if (!requested || number != self->request_number)
    return;
  /* It is asked again when the timer says so. */
  if (result == RESULT_IN_PROGRESS)
    return;
  self->requested = NULL;
  self->request_at = -1;
  self->request_number++;
  self->resets_wanted = TRUE;
  for (guint i = 0; i < requested->len; i++) {
    RtcSctpOutStream *stream = self->out[g_array_index (requested, guint16, i)];

    stream->state = RTC_SCTP_STREAM_OPEN;
    if (!failed)
      stream->next_ordered = stream->next_unordered = 0;
  }
  for (guint i = 0; i < requested->len && self->state != RTC_SCTP_OVER; i++)
    self->events->reset (g_array_index (requested, guint16, i), FALSE, failed, self->user_data);
  g_array_unref (requested);
}

gboolean
rtc_sctp_reset (RtcSctp *self, guint16 id)
{
  RtcSctpOutStream *stream;

  if (self->state != RTC_SCTP_ESTABLISHED || id >= self->n_out || !self->can_reset)
    return FALSE;
  if (!self->out[id])
    self->out[id] = g_new0 (RtcSctpOutStream, 1);
  stream = self->out[id];
  if (stream->state == RTC_SCTP_STREAM_OPEN) {
    stream->state = RTC_SCTP_STREAM_RESET_WANTED;
    self->resets_wanted = TRUE;
  }
  return TRUE;
}

static void
begin_request (RtcSctp *self, gint64 now)
{
  self->resets_wanted = FALSE;
  if (self->requested)
    return;
  for (guint i = 0; i < self->n_out; i++) {
    RtcSctpOutStream *stream = self->out[i];
    guint16 id = i;

    if (!stream || stream->state != RTC_SCTP_STREAM_RESET_WANTED || stream->n_chunks > 0 || stream->open)
      continue;
    if (!self->requested)
      self->requested = g_array_new (FALSE, FALSE, sizeof (guint16));
    if (self->requested->len == MAX_STREAMS) {
      self->resets_wanted = TRUE;
      break;
    }
    stream->state = RTC_SCTP_STREAM_RESET_SENT;
    g_array_append_val (self->requested, id);
  }
  if (!self->requested)
    return;
  /* All of theirs has been acknowledged, so the peer never has to wait for it. */
  self->request_tsn = self->first_tsn - 1;
  self->request_delay = CLAMP (self->timeout, MIN_DELAY, MAX_DELAY);
  self->request_wanted = TRUE;
}

void
rtc_sctp_add_requests (RtcSctp *self, gint64 now)
{
  guint8 *chunk;
  guint n;

  if (self->state != RTC_SCTP_ESTABLISHED)
    return;
  if (self->resets_wanted)
    begin_request (self, now);
  if (!self->request_wanted || !self->requested)
    return;
  self->request_wanted = FALSE;
  self->request_at = now + self->request_delay;
  n = self->requested->len;
  chunk = rtc_sctp_add_chunk (self->control, RTC_SCTP_RE_CONFIG, 0, OUTGOING_HEADER + 2 * n);
  rtc_put_u16 (chunk, PARAMETER_OUTGOING);
  rtc_put_u16 (chunk + 2, OUTGOING_HEADER + 2 * n);
  rtc_put_u32 (chunk + 4, self->request_number);
  rtc_put_u32 (chunk + 8, self->next_peer_request - 1);
  rtc_put_u32 (chunk + 12, self->request_tsn);
  for (guint i = 0; i < n; i++)
    rtc_put_u16 (chunk + OUTGOING_HEADER + 2 * i, g_array_index (self->requested, guint16, i));
}

void
rtc_sctp_tick_reset (RtcSctp *self, gint64 now)
{
  if (self->request_at < 0 || now < self->request_at)
    return;
  self->request_at = -1;
  self->request_wanted = TRUE;
  self->request_delay = MIN (2 * self->request_delay, MAX_DELAY);
}

void
rtc_sctp_take_reconfig (RtcSctp *self, const guint8 *chunk, gsize size)
{
  gsize at = 0;

  if (!self->knows_peer || self->state < RTC_SCTP_COOKIE_ECHOED)
    return;
  while (size - at >= 4 && self->state != RTC_SCTP_OVER) {
    const guint8 *parameter = chunk + at;
    gsize length = rtc_get_u16 (parameter + 2);

    if (length < 4 || length > size - at)
      return;
    switch (rtc_get_u16 (parameter)) {
      case PARAMETER_OUTGOING:
        if (length >= OUTGOING_HEADER)
          take_outgoing (self, parameter, length);
        break;
      case PARAMETER_RESPONSE:
        if (length >= 12)
          take_response (self, parameter);
        break;
      case PARAMETER_INCOMING:
      case PARAMETER_TSN:
      case PARAMETER_ADD_OUTGOING:
      case PARAMETER_ADD_INCOMING:
        if (length >= 8)
          deny (self, parameter);
        break;
    }
    at += MIN ((length + 3) & ~(gsize)3, size - at);
  }
}
