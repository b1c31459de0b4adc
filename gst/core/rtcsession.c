/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsession.h"

#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 15000

void
rtc_session_init (RtcSession *s)
{
  *s = (RtcSession){.state = RTC_SESSION_IDLE};
}

static void
enter (RtcSession *s, RtcSessionState state, guint64 deadline)
{
  s->state = state;
  s->deadline = deadline;
}

static guint
close_next (RtcSession *s)
{
  gboolean had = s->has_next;

  s->has_next = FALSE;
  s->offer_held = FALSE;
  return had ? RTC_SESSION_CLOSE_NEXT : 0;
}

static guint
close_current (RtcSession *s)
{
  gboolean had = s->has_current;

  s->has_current = s->silent = s->repairing = FALSE;
  return had ? RTC_SESSION_CLOSE_CURRENT : 0;
}

/* Begins a new connection, beside the current one if there is one. */
static guint
begin (RtcSession *s, guint64 now)
{
  guint actions = close_next (s);

  switch (s->offerer) {
    case RTC_SESSION_OFFERER_US:
      if (!s->ready) {
        enter (s, RTC_SESSION_WAITING, now + RTC_SESSION_READY_TIMEOUT_MS);
        return actions;
      }
      s->has_next = TRUE;
      enter (s, RTC_SESSION_NEGOTIATING, now + RTC_SESSION_SETUP_TIMEOUT_MS);
      return actions | RTC_SESSION_START_OFFER;
    case RTC_SESSION_OFFERER_THEM:
      enter (s, RTC_SESSION_REQUESTED, now + RTC_SESSION_REQUEST_TIMEOUT_MS);
      return actions | RTC_SESSION_REQUEST_OFFER;
    default:
      enter (s, RTC_SESSION_IDLE, 0);
      return actions;
  }
}

static guint
answer (RtcSession *s, guint64 now)
{
  s->offer_held = FALSE;
  s->has_next = TRUE;
  enter (s, RTC_SESSION_NEGOTIATING, now + RTC_SESSION_SETUP_TIMEOUT_MS);
  return RTC_SESSION_START_ANSWER;
}

guint
rtc_session_set_offerer (RtcSession *s, RtcSessionOfferer offerer, guint64 now)
{
  guint actions;

  if (s->offerer == offerer)
    return 0;
  s->offerer = offerer;
  s->attempts = 0;
  if (offerer == RTC_SESSION_OFFERER_NONE) {
    enter (s, RTC_SESSION_IDLE, 0);
    actions = close_next (s);
    return actions | close_current (s);
  }
  /* Whoever offers does so unasked: the other waits a while before it asks. */
  if (offerer == RTC_SESSION_OFFERER_THEM && s->state == RTC_SESSION_IDLE) {
    enter (s, RTC_SESSION_REQUESTED, now + RTC_SESSION_REQUEST_TIMEOUT_MS);
    return 0;
  }
  if (s->has_next)
    return 0;
  /* What works is left alone; what waits for the other side waits in vain. */
  if (s->has_current && s->state != RTC_SESSION_REQUESTED && s->state != RTC_SESSION_FAILED)
    return 0;
  return begin (s, now);
}

guint
rtc_session_set_ready (RtcSession *s, guint64 now)
{
  if (s->ready)
    return s->incomplete ? rtc_session_tracks_changed (s, now) : 0;
  s->ready = TRUE;
  if (s->state != RTC_SESSION_WAITING)
    return 0;
  return s->offer_held ? answer (s, now) : begin (s, now);
}

guint
rtc_session_tracks_changed (RtcSession *s, guint64 now)
{
  s->attempts = 0;
  s->incomplete = s->repairing = FALSE;
  if (s->state == RTC_SESSION_WAITING || s->state == RTC_SESSION_REQUESTED)
    return 0;
  /* There may have been nothing to offer, and now there is. */
  if (s->state == RTC_SESSION_IDLE && s->offerer != RTC_SESSION_OFFERER_US)
    return 0;
  return begin (s, now);
}

guint
rtc_session_offer_received (RtcSession *s, guint64 now)
{
  guint actions = close_next (s);

  /* Nobody said who offers: then it is the one that does. */
  if (s->offerer == RTC_SESSION_OFFERER_NONE)
    s->offerer = RTC_SESSION_OFFERER_THEM;
  s->repairing = FALSE;
  if (s->ready)
    return actions | answer (s, now);
  s->offer_held = TRUE;
  enter (s, RTC_SESSION_WAITING, now + RTC_SESSION_READY_TIMEOUT_MS);
  return actions;
}

guint
rtc_session_offer_requested (RtcSession *s, guint64 now)
{
  if (s->offerer != RTC_SESSION_OFFERER_US || s->state == RTC_SESSION_WAITING)
    return 0;
  /* The one that is being made will do. */
  if (s->state == RTC_SESSION_NEGOTIATING)
    return 0;
  s->repairing = FALSE;
  return begin (s, now);
}

guint
rtc_session_described (RtcSession *s, gboolean final, guint64 now)
{
  if (s->state == RTC_SESSION_NEGOTIATING && final)
    s->state = RTC_SESSION_CONNECTING;
  return 0;
}

guint
rtc_session_next_connected (RtcSession *s, guint64 now)
{
  s->has_next = FALSE;
  s->has_current = TRUE;
  s->silent = s->repairing = FALSE;
  s->attempts = 0;
  enter (s, RTC_SESSION_CONNECTED, 0);
  return RTC_SESSION_PROMOTE | RTC_SESSION_REPORT_CONNECTED;
}

/* It is not tried again: what the current connection carries goes on, as long as that is alive. */
static void
give_up (RtcSession *s)
{
  s->repairing = FALSE;
  if (s->has_current && !s->silent) {
    s->attempts = 0;
    enter (s, RTC_SESSION_CONNECTED, 0);
  } else {
    enter (s, RTC_SESSION_FAILED, 0);
  }
}

static guint
retry_later (RtcSession *s, guint64 now)
{
  guint64 delay = MIN ((guint64)BACKOFF_MIN_MS << MIN (s->attempts, 10), BACKOFF_MAX_MS);

  s->attempts++;
  if (s->attempts >= RTC_SESSION_MAX_ATTEMPTS)
    give_up (s);
  else
    enter (s, RTC_SESSION_BACKOFF, now + delay);
  return RTC_SESSION_REPORT_FAILED;
}

guint
rtc_session_next_failed (RtcSession *s, gboolean fatal, guint64 now)
{
  guint actions = close_next (s);

  if (fatal) {
    give_up (s);
    return actions | RTC_SESSION_REPORT_FAILED;
  }
  return actions | retry_later (s, now);
}

guint
rtc_session_current_silent (RtcSession *s, guint64 now)
{
  if (!s->has_current || s->silent)
    return 0;
  s->silent = TRUE;
  /* In any other state the next one is on its way already. */
  if (s->state == RTC_SESSION_CONNECTED)
    enter (s, RTC_SESSION_DISCONNECTED, now + RTC_SESSION_SILENCE_TIMEOUT_MS);
  return RTC_SESSION_REPORT_DISCONNECTED;
}

guint
rtc_session_current_back (RtcSession *s, guint64 now)
{
  guint actions = 0;

  if (!s->has_current || !s->silent)
    return 0;
  s->silent = FALSE;
  if (s->repairing || s->state == RTC_SESSION_DISCONNECTED || s->state == RTC_SESSION_FAILED) {
    actions = close_next (s);
    s->repairing = FALSE;
    enter (s, RTC_SESSION_CONNECTED, 0);
  }
  return actions | RTC_SESSION_REPORT_CONNECTED;
}

guint
rtc_session_current_failed (RtcSession *s, guint64 now)
{
  guint actions;

  if (!s->has_current)
    return 0;
  actions = close_current (s) | RTC_SESSION_REPORT_DISCONNECTED;
  /* When the next one is on its way already, that is the new attempt. */
  if (s->state != RTC_SESSION_CONNECTED && s->state != RTC_SESSION_DISCONNECTED)
    return actions;
  return actions | begin (s, now);
}

guint
rtc_session_bye (RtcSession *s, guint64 now)
{
  guint actions = close_next (s) | close_current (s);

  enter (s, RTC_SESSION_IDLE, 0);
  return actions;
}

guint
rtc_session_tick (RtcSession *s, guint64 now)
{
  guint actions;

  if (!s->deadline || now < s->deadline)
    return 0;
  switch (s->state) {
    case RTC_SESSION_WAITING:
      s->incomplete = TRUE;
      return rtc_session_set_ready (s, now);
    case RTC_SESSION_REQUESTED:
      if (++s->attempts >= RTC_SESSION_MAX_ATTEMPTS) {
        give_up (s);
        return RTC_SESSION_REPORT_TIMEOUT;
      }
      enter (s, RTC_SESSION_REQUESTED, now + RTC_SESSION_REQUEST_TIMEOUT_MS);
      return RTC_SESSION_REQUEST_OFFER;
    case RTC_SESSION_NEGOTIATING:
    case RTC_SESSION_CONNECTING:
      actions = close_next (s);
      return actions | (retry_later (s, now) & ~RTC_SESSION_REPORT_FAILED) | RTC_SESSION_REPORT_TIMEOUT;
    case RTC_SESSION_DISCONNECTED:
      s->repairing = TRUE;
      return begin (s, now);
    case RTC_SESSION_BACKOFF:
      return begin (s, now);
    default:
      s->deadline = 0;
      return 0;
  }
}

const gchar *
rtc_session_state_to_string (RtcSessionState state)
{
  static const gchar *const names[] = {
      "idle", "waiting", "requested", "negotiating", "connecting", "connected", "disconnected", "backoff", "failed"};

  return names[state];
}
