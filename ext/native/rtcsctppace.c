/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"

/* How much may be on its way, and how fast it may go. docs/design/sctp.md says why it is not as in RFC 9260, section 7:
 * the window follows the queue that it makes on the way, which is held at half of a round trip, and packets that are
 * lost count when they are more than what this path loses anyway. */

#define FIRST_WINDOW (10 * RTC_SCTP_MTU)
#define MIN_WINDOW (4 * RTC_SCTP_MTU)

/* What the queue may be, in time: half of the way without it, but a network card, a radio and a scheduler take some
 * time that is none. */
#define MAX_QUEUE (50 * RTC_SCTP_MS)
#define MIN_QUEUE (4 * RTC_SCTP_MS)
#define NEAR (1 * RTC_SCTP_MS) /* a base below this is of one machine, or of one cable */
#define MIN_QUEUE_NEAR 150
/* There, who is to answer waits for its turn longer than any packet for the line. */
#define MIN_WINDOW_NEAR (16 * RTC_SCTP_MTU)
#define MIN_ROUND (1 * RTC_SCTP_MS)
/* A machine that has others to serve lets both ends wait for their turn, and that is no queue: to send less makes it no
 * shorter, but each turn is for fewer packets. So where the least window takes that much longer than the way, this one
 * is tried: it may become the least for some time. */
#define TRIED_WINDOW (80 * RTC_SCTP_MTU)
#define TRIED_ROUNDS 4
#define TRIED_FROM 4 /* times the way without a queue */
#define TRIED_UP_TO (8 * RTC_SCTP_MS)
#define TRIED_AGAIN (5000 * RTC_SCTP_MS) /* after it was of no use */
#define FLOOR_TIME (10000 * RTC_SCTP_MS)

/* Bytes that grow the window each round besides: what makes those who share a queue equal in the end. */
#define STEP (2 * RTC_SCTP_MTU)

/* How long a least round trip is believed, and how long it lasts until the queue is let run dry to see a new one. */
#define PERIOD (10000 * RTC_SCTP_MS)
#define PATIENCE (5000 * RTC_SCTP_MS)
#define DRY_ROUNDS 3
#define HELD_ROUNDS 2

/* Of a thousand: what may be lost beyond the usual, and what can be usual. */
#define INTERVAL 100 /* chunks that make an interval; or */
#define INTERVAL_ROUNDS 4
#define TOLERATED 20
#define MAX_USUAL 200
#define USUAL_AT_START 80
#define USUAL_TIME (10000 * RTC_SCTP_MS)
#define SKIPPED_ROUNDS 2

/* Ways shorter than this are not paced: acknowledgements are closer to each other than timers can be. */
#define MIN_PACED (4 * RTC_SCTP_MS)
#define BURST_TIME (2 * RTC_SCTP_MS)

void
rtc_sctp_pace_init (RtcSctp *self)
{
  RtcSctpPace *pace = &self->pace;

  pace->window = pace->goal = FIRST_WINDOW;
  pace->floor = MIN_WINDOW_NEAR;
  pace->is_starting = TRUE;
  pace->least = pace->base = pace->next_base = pace->at = -1;
  pace->budget = FIRST_WINDOW;
}

static gsize
get_min_window (const RtcSctpPace *pace)
{
  return pace->base >= 0 && pace->base < NEAR ? pace->floor : MIN_WINDOW;
}

static void
set_window (RtcSctpPace *pace, gsize window)
{
  pace->window = pace->goal = CLAMP (window, get_min_window (pace), RTC_SCTP_BUFFER);
}

/* Not at once: nothing could be sent for a part of a round trip, and something short may want to. */
static void
narrow (RtcSctpPace *pace, gsize window)
{
  pace->goal = MIN (MAX (window, get_min_window (pace)), pace->window);
  pace->is_starting = FALSE;
}

static gint64
get_allowed_queue (const RtcSctpPace *pace)
{
  if (pace->base < NEAR)
    return MAX (pace->base, MIN_QUEUE_NEAR);
  return CLAMP (pace->base / 2, MIN_QUEUE, MAX_QUEUE);
}

/* The way without a queue. */

static void
take_base (RtcSctpPace *pace, gint64 round_trip, gint64 now)
{
  if (now >= pace->period_end) {
    pace->base = pace->next_base;
    pace->next_base = -1;
    pace->period_end = now + PERIOD;
  }
  if (pace->next_base < 0 || round_trip < pace->next_base)
    pace->next_base = round_trip;
  if (pace->base < 0 || round_trip < pace->base)
    pace->base = round_trip;
  if (round_trip <= pace->base + get_allowed_queue (pace) / 8)
    pace->base_seen = now;
}

void
rtc_sctp_pace_measure (RtcSctp *self, gint64 round_trip, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  round_trip = MAX (round_trip, 1);
  if (pace->least < 0 || round_trip < pace->least)
    pace->least = round_trip;
  take_base (pace, round_trip, now);
}

/* A queue that is always there would be taken for the way in the end. */
static void
let_run_dry (RtcSctpPace *pace, gint64 now)
{
  if (pace->kept > 0) {
    if (--pace->kept_rounds > 0)
      return;
    set_window (pace, MAX (pace->kept, pace->window));
    pace->kept = 0;
    pace->held_rounds = HELD_ROUNDS;
    pace->base_seen = now;
  } else if (now - pace->base_seen > PATIENCE && pace->is_full) {
    pace->kept = pace->window;
    pace->kept_rounds = DRY_ROUNDS;
    narrow (pace, pace->window / 2);
  }
}

/* What is lost. */

/* In a thousand of what was acknowledged or lost, how many more are lost than can be expected. */
static gint
get_excess (const RtcSctpPace *pace)
{
  /* At the beginning there is little to be tried with, and a queue that overflows loses more. */
  guint n = pace->n_acked + pace->n_lost, usual = pace->is_starting ? USUAL_AT_START : pace->usual_loss;

  return n == 0 ? 0 : (gint)(pace->n_lost * G_GUINT64_CONSTANT (1000) / n) - (gint)usual - TOLERATED;
}

/* Whether that can hardly be chance: it is three deviations. */
static gboolean
is_beyond_chance (const RtcSctpPace *pace, gint excess)
{
  gint64 n = pace->n_acked + pace->n_lost, beyond = n * excess / 1000;

  return beyond > 0 && beyond * beyond > 42 * n / 100;
}

/* Half of the window lost as much as the whole of it did: it is not for us that packets are lost, and to send less is
 * of no use to anybody. Else it was too much. */
static void
end_test (RtcSctpPace *pace, guint share, gint64 now)
{
  guint before = pace->tested_loss;

  pace->tested_loss = 0;
  pace->held_rounds = HELD_ROUNDS;
  if (2 * share > before && share <= MAX_USUAL) {
    pace->usual_loss = MAX (share, before / 2);
    pace->usual_until = now + USUAL_TIME;
    set_window (pace, pace->tested_window);
    pace->is_starting = pace->tested_start;
  } else {
    pace->ceiling = pace->tested_window * (1000 - MIN (before, 500)) / 1000;
    set_window (pace, MAX (pace->window, pace->ceiling * 85 / 100));
  }
}

static void
look_at_losses (RtcSctpPace *pace, gint64 now)
{
  guint n = pace->n_acked + pace->n_lost, share;
  gint excess;

  if (pace->skipped > 0) {
    pace->skipped--;
    pace->n_acked = pace->n_lost = pace->n_rounds = 0;
    return;
  }
  pace->n_rounds++;
  if (n < INTERVAL && (n < INTERVAL / 5 || pace->n_rounds < INTERVAL_ROUNDS))
    return;
  if (now >= pace->usual_until)
    pace->usual_loss = 0;
  share = pace->n_lost * G_GUINT64_CONSTANT (1000) / n;
  excess = get_excess (pace);
  if (pace->tested_loss > 0) {
    end_test (pace, share, now);
  } else if (is_beyond_chance (pace, excess) && pace->kept == 0) {
    pace->tested_loss = share;
    pace->tested_window = pace->window;
    pace->tested_start = pace->is_starting;
    pace->skipped = SKIPPED_ROUNDS;
    narrow (pace, pace->window / 2);
  }
  pace->n_acked = pace->n_lost = pace->n_rounds = 0;
}

/* The window. */

/* Towards a window that was too wide it goes slowly, and fast again when it was not, after all. */
static gssize
limit_step (RtcSctpPace *pace, gssize step)
{
  if (pace->window > pace->ceiling * 5 / 4)
    pace->ceiling = 0;
  if (pace->ceiling == 0)
    return step;
  return MIN (step, MAX ((gssize)(pace->ceiling * 9 / 10) - (gssize)pace->window, STEP));
}

static void
follow_the_queue (RtcSctpPace *pace)
{
  gint64 wanted = pace->base + get_allowed_queue (pace);
  gssize window = pace->window, target = (gssize)(window * wanted / pace->least) + STEP, step;

  step = CLAMP ((target - window) / 2, -window / 4, window / 4 + STEP);
  if (step < 0)
    narrow (pace, window + step);
  else if (pace->held_rounds > 0)
    pace->held_rounds--;
  else if (pace->is_full && get_excess (pace) <= 0)
    set_window (pace, window + limit_step (pace, step));
}

/* A window five times as wide that takes less than twice as long is no queue. */
static void
end_trial (RtcSctp *self, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  /* The smoothed one lags behind. */
  if (MAX (self->round_trip, pace->least) < 2 * pace->tried) {
    pace->floor = TRIED_WINDOW;
    pace->try_at = now + FLOOR_TIME;
  } else {
    pace->try_at = now + TRIED_AGAIN;
  }
  pace->tried = 0;
}

/* Returns whether the window is to be left as it is. */
static gboolean
try_a_wider_floor (RtcSctp *self, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  if (pace->tried > 0) {
    if (--pace->tried_rounds == 0 || pace->least > 2 * pace->tried)
      end_trial (self, now);
    return pace->tried > 0;
  }
  if (now < pace->try_at)
    return FALSE;
  pace->floor = MIN_WINDOW_NEAR;
  if (pace->base >= NEAR || !pace->is_full || pace->window > pace->floor + STEP || self->round_trip > TRIED_UP_TO
      || self->round_trip < TRIED_FROM * MAX (pace->base, MIN_QUEUE_NEAR))
    return FALSE;
  pace->tried = self->round_trip;
  pace->tried_rounds = TRIED_ROUNDS;
  set_window (pace, TRIED_WINDOW);
  return TRUE;
}

static void
end_round (RtcSctp *self, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  look_at_losses (pace, now);
  if (pace->least >= 0 && pace->kept == 0 && pace->tested_loss == 0 && !pace->is_starting && pace->goal == pace->window
      && !try_a_wider_floor (self, now))
    follow_the_queue (pace);
  if (pace->tested_loss == 0)
    let_run_dry (pace, now);
  pace->least = -1;
  pace->is_full = FALSE;
  pace->round_end = self->packet;
  pace->round_at = now;
}

void
rtc_sctp_pace_acked (RtcSctp *self, gsize bytes, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  if (pace->is_starting && pace->least > pace->base + get_allowed_queue (pace))
    narrow (pace, pace->window * (pace->base + get_allowed_queue (pace)) / pace->least);
  else if (pace->is_starting && pace->is_full && get_excess (pace) <= 0)
    set_window (pace, pace->window + bytes);
  if (pace->goal < pace->window)
    pace->window = MAX (pace->goal, MIN (pace->window, self->flight + bytes / 2));
  if (self->any_acked && rtc_sctp_before (pace->round_end, self->newest_acked) && now - pace->round_at >= MIN_ROUND)
    end_round (self, now);
}

void
rtc_sctp_pace_collapse (RtcSctp *self)
{
  RtcSctpPace *pace = &self->pace;

  pace->floor = MIN_WINDOW_NEAR;
  set_window (pace, MIN_WINDOW);
  pace->is_starting = TRUE;
  pace->kept = pace->tested_loss = pace->skipped = 0;
  pace->tried = 0;
  pace->n_acked = pace->n_lost = 0;
}

/* The pace: the window in a round trip, and some more, so that it is not the pace that holds it up. */

static gint64
get_rate (RtcSctp *self)
{
  gint64 window = self->pace.window * (self->pace.is_starting ? 2 : 1) * 5 / 4;

  return MAX (window * G_USEC_PER_SEC / self->round_trip, 1);
}

static gboolean
is_paced (RtcSctp *self)
{
  return self->pace.base >= MIN_PACED;
}

static void
fill_budget (RtcSctp *self, gint64 now)
{
  RtcSctpPace *pace = &self->pace;
  gint64 rate = get_rate (self), most = MAX (rate * BURST_TIME / G_USEC_PER_SEC, FIRST_WINDOW);
  gint64 since = MIN (now - pace->budget_at, G_USEC_PER_SEC);

  pace->budget = MIN (pace->budget + rate * since / G_USEC_PER_SEC, most);
  pace->budget_at = now;
}

gsize
rtc_sctp_pace_get_room (RtcSctp *self, gint64 now)
{
  gsize room = self->pace.window > self->flight ? self->pace.window - self->flight : 0;

  if (!is_paced (self) || room == 0)
    return room;
  fill_budget (self, now);
  return MIN (room, (gsize)MAX (self->pace.budget, 0));
}

gboolean
rtc_sctp_pace_may_send (RtcSctp *self, gint64 now)
{
  RtcSctpPace *pace = &self->pace;

  if (self->flight >= pace->window) {
    pace->is_full = TRUE;
    return FALSE;
  }
  if (!is_paced (self))
    return TRUE;
  fill_budget (self, now);
  if (pace->budget > 0)
    return TRUE;
  /* Timers are no finer than a millisecond, so it waits until there is something for one. */
  pace->at = now + RTC_SCTP_MS - pace->budget * G_USEC_PER_SEC / get_rate (self);
  return FALSE;
}

void
rtc_sctp_pace_sent (RtcSctp *self, gsize size, gint64 now)
{
  /* A short way has no budget to fill: what was spent there would have to be saved up when the way becomes long. */
  if (is_paced (self))
    self->pace.budget -= size;
}
