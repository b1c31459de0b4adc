/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Stories of two peers, step by step, and then every state that any order of events leads to. Time is an integer. */

#include "core/rtcsession.h"

#define US RTC_SESSION_OFFERER_US
#define THEM RTC_SESSION_OFFERER_THEM
#define NONE RTC_SESSION_OFFERER_NONE

#define SETUP RTC_SESSION_SETUP_TIMEOUT_MS
#define READY RTC_SESSION_READY_TIMEOUT_MS
#define REQUEST RTC_SESSION_REQUEST_TIMEOUT_MS
#define SILENCE RTC_SESSION_SILENCE_TIMEOUT_MS

typedef enum
{
  END,
  OFFERER, /* argument: who */
  SET_READY,
  TRACKS,
  OFFER,
  OFFER_REQUEST,
  DESCRIBED, /* argument: final */
  NEXT_UP,
  NEXT_FAILED, /* argument: fatal */
  SILENT,
  BACK,
  CURRENT_FAILED,
  BYE,
  TICK,
  N_EVENTS,
} Event;

typedef struct
{
  Event event;
  guint argument;
  guint64 now;
  /* then */
  guint actions;
  RtcSessionState state;
  guint64 deadline;
} Step;

typedef struct
{
  const gchar *name;
  Step steps[24];
} Story;

#define A(name) RTC_SESSION_##name
#define UP (A (PROMOTE) | A (REPORT_CONNECTED))

static guint
apply (RtcSession *s, Event event, guint argument, guint64 now)
{
  switch (event) {
    case OFFERER:
      return rtc_session_set_offerer (s, argument, now);
    case SET_READY:
      return rtc_session_set_ready (s, now);
    case TRACKS:
      return rtc_session_tracks_changed (s, now);
    case OFFER:
      return rtc_session_offer_received (s, now);
    case OFFER_REQUEST:
      return rtc_session_offer_requested (s, now);
    case DESCRIBED:
      return rtc_session_described (s, argument, now);
    case NEXT_UP:
      return rtc_session_next_connected (s, now);
    case NEXT_FAILED:
      return rtc_session_next_failed (s, argument, now);
    case SILENT:
      return rtc_session_current_silent (s, now);
    case BACK:
      return rtc_session_current_back (s, now);
    case CURRENT_FAILED:
      return rtc_session_current_failed (s, now);
    case BYE:
      return rtc_session_bye (s, now);
    case TICK:
      return rtc_session_tick (s, now);
    default:
      g_assert_not_reached ();
  }
}

/* The beginnings that stories share: connected at 100. */
#define WE_CONNECT \
  {SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP}, \
      {DESCRIBED, FALSE, 50, 0, A (NEGOTIATING), SETUP}, {DESCRIBED, TRUE, 60, 0, A (CONNECTING), SETUP}, \
  { \
    NEXT_UP, 0, 100, UP, A (CONNECTED), 0 \
  }
#define THEY_CONNECT \
  {SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST}, \
      {OFFER, 0, 20, A (START_ANSWER), A (NEGOTIATING), 20 + SETUP}, \
      {DESCRIBED, TRUE, 60, 0, A (CONNECTING), 20 + SETUP}, \
  { \
    NEXT_UP, 0, 100, UP, A (CONNECTED), 0 \
  }

static const Story stories[] = {
    {"we-offer", {WE_CONNECT, {TICK, 0, 100000, 0, A (CONNECTED), 0}}},
    {"they-offer", {THEY_CONNECT}},
    {"we-wait-for-our-tracks",
        {{OFFERER, US, 10, 0, A (WAITING), 10 + READY}, {TICK, 0, 9 + READY, 0, A (WAITING), 10 + READY},
            {SET_READY, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {SET_READY, 0, 300, 0, A (NEGOTIATING), 200 + SETUP}}},
    {"our-tracks-take-too-long",
        {{OFFERER, US, 0, 0, A (WAITING), READY}, {TICK, 0, READY, A (START_OFFER), A (NEGOTIATING), READY + SETUP},
            {NEXT_UP, 0, 6000, UP, A (CONNECTED), 0},
            /* The rest of them are there at last. */
            {SET_READY, 0, 7000, A (START_OFFER), A (NEGOTIATING), 7000 + SETUP},
            {SET_READY, 0, 7100, 0, A (NEGOTIATING), 7000 + SETUP}}},
    {"an-offer-is-held-until-our-tracks-are-known",
        {{OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST}, {OFFER, 0, 20, 0, A (WAITING), 20 + READY},
            {OFFER, 0, 30, 0, A (WAITING), 30 + READY},
            {SET_READY, 0, 40, A (START_ANSWER), A (NEGOTIATING), 40 + SETUP}}},
    {"a-held-offer-is-answered-when-the-time-is-up",
        {{OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST}, {OFFER, 0, 20, 0, A (WAITING), 20 + READY},
            {TICK, 0, 20 + READY, A (START_ANSWER), A (NEGOTIATING), 20 + READY + SETUP}}},
    {"a-held-offer-is-forgotten-with-a-bye",
        {{OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST}, {OFFER, 0, 20, 0, A (WAITING), 20 + READY},
            {BYE, 0, 30, 0, A (IDLE), 0}, {SET_READY, 0, 40, 0, A (IDLE), 0}, {TICK, 0, 90000, 0, A (IDLE), 0}}},
    {"who-offers-changes-while-an-offer-is-held",
        {{OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST}, {OFFER, 0, 20, 0, A (WAITING), 20 + READY},
            {OFFERER, US, 30, 0, A (WAITING), 30 + READY},
            {SET_READY, 0, 40, A (START_OFFER), A (NEGOTIATING), 40 + SETUP}}},
    {"an-offer-before-the-server-says-who-offers",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFER, 0, 5, A (START_ANSWER), A (NEGOTIATING), 5 + SETUP},
            {OFFERER, THEM, 6, 0, A (NEGOTIATING), 5 + SETUP}}},
    {"an-offer-replaces-the-one-before",
        {THEY_CONNECT, {OFFER, 0, 200, A (START_ANSWER), A (NEGOTIATING), 200 + SETUP},
            {OFFER, 0, 210, A (CLOSE_NEXT) | A (START_ANSWER), A (NEGOTIATING), 210 + SETUP},
            {NEXT_UP, 0, 300, UP, A (CONNECTED), 0}}},
    {"they-do-not-offer",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, THEM, 0, 0, A (REQUESTED), 5000},
            {TICK, 0, 5000, A (REQUEST_OFFER), A (REQUESTED), 10000},
            {TICK, 0, 10000, A (REQUEST_OFFER), A (REQUESTED), 15000},
            {TICK, 0, 15000, A (REQUEST_OFFER), A (REQUESTED), 20000},
            {TICK, 0, 20000, A (REQUEST_OFFER), A (REQUESTED), 25000},
            {TICK, 0, 25000, A (REQUEST_OFFER), A (REQUESTED), 30000},
            {TICK, 0, 30000, A (REPORT_TIMEOUT), A (FAILED), 0},
            /* Late is better than never. */
            {OFFER, 0, 40000, A (START_ANSWER), A (NEGOTIATING), 40000 + SETUP}}},
    {"the-waits-between-attempts-double",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {NEXT_FAILED, FALSE, 0, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 500},
            {TICK, 0, 499, 0, A (BACKOFF), 500}, {TICK, 0, 500, A (START_OFFER), A (NEGOTIATING), 500 + SETUP},
            {NEXT_FAILED, FALSE, 1000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 2000},
            {TICK, 0, 2000, A (START_OFFER), A (NEGOTIATING), 2000 + SETUP},
            {NEXT_FAILED, FALSE, 3000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 5000},
            {TICK, 0, 5000, A (START_OFFER), A (NEGOTIATING), 5000 + SETUP},
            {NEXT_FAILED, FALSE, 6000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 10000},
            {TICK, 0, 10000, A (START_OFFER), A (NEGOTIATING), 10000 + SETUP},
            {NEXT_FAILED, FALSE, 12000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 20000},
            {TICK, 0, 20000, A (START_OFFER), A (NEGOTIATING), 20000 + SETUP},
            {NEXT_FAILED, FALSE, 21000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (FAILED), 0},
            {TICK, 0, 99000, 0, A (FAILED), 0},
            {OFFER_REQUEST, 0, 99500, A (START_OFFER), A (NEGOTIATING), 99500 + SETUP}}},
    {"success-makes-the-next-wait-short-again",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {NEXT_FAILED, FALSE, 0, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 500},
            {TICK, 0, 500, A (START_OFFER), A (NEGOTIATING), 500 + SETUP}, {NEXT_UP, 0, 600, UP, A (CONNECTED), 0},
            {CURRENT_FAILED, 0, 700, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED) | A (START_OFFER), A (NEGOTIATING),
                700 + SETUP},
            {NEXT_FAILED, FALSE, 800, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 1300}}},
    {"set-up-takes-too-long",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {DESCRIBED, TRUE, 60, 0, A (CONNECTING), SETUP}, {TICK, 0, SETUP - 1, 0, A (CONNECTING), SETUP},
            {TICK, 0, SETUP, A (CLOSE_NEXT) | A (REPORT_TIMEOUT), A (BACKOFF), SETUP + 500}}},
    {"what-fails-for-good-is-not-tried-again",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {NEXT_FAILED, TRUE, 10, A (CLOSE_NEXT) | A (REPORT_FAILED), A (FAILED), 0},
            /* until there is something else to say */
            {TRACKS, 0, 20, A (START_OFFER), A (NEGOTIATING), 20 + SETUP}}},
    {"they-fail-and-we-ask-again",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST},
            {OFFER, 0, 20, A (START_ANSWER), A (NEGOTIATING), 20 + SETUP},
            {NEXT_FAILED, FALSE, 30, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 530},
            {TICK, 0, 530, A (REQUEST_OFFER), A (REQUESTED), 530 + REQUEST}}},
    {"an-offer-ends-the-backoff",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST},
            {OFFER, 0, 20, A (START_ANSWER), A (NEGOTIATING), 20 + SETUP},
            {NEXT_FAILED, FALSE, 30, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 530},
            {OFFER, 0, 40, A (START_ANSWER), A (NEGOTIATING), 40 + SETUP}}},
    {"a-request-while-the-offer-is-made",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {OFFER_REQUEST, 0, 10, 0, A (NEGOTIATING), SETUP}, {DESCRIBED, TRUE, 60, 0, A (CONNECTING), SETUP},
            /* Theirs failed by now. */
            {OFFER_REQUEST, 0, 70, A (CLOSE_NEXT) | A (START_OFFER), A (NEGOTIATING), 70 + SETUP}}},
    {"a-request-before-our-tracks-are-known",
        {{OFFERER, US, 0, 0, A (WAITING), READY}, {OFFER_REQUEST, 0, 10, 0, A (WAITING), READY}}},
    {"a-request-to-the-one-that-does-not-offer", {THEY_CONNECT, {OFFER_REQUEST, 0, 200, 0, A (CONNECTED), 0}}},
    {"a-request-for-a-new-connection",
        {WE_CONNECT, {OFFER_REQUEST, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {NEXT_UP, 0, 300, UP, A (CONNECTED), 0}}},
    {"new-tracks-make-a-new-connection-beside-the-old-one",
        {WE_CONNECT, {TRACKS, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {TRACKS, 0, 210, A (CLOSE_NEXT) | A (START_OFFER), A (NEGOTIATING), 210 + SETUP},
            {NEXT_UP, 0, 300, UP, A (CONNECTED), 0}}},
    {"new-tracks-of-the-one-that-does-not-offer",
        {THEY_CONNECT, {TRACKS, 0, 200, A (REQUEST_OFFER), A (REQUESTED), 200 + REQUEST},
            {TRACKS, 0, 210, 0, A (REQUESTED), 200 + REQUEST},
            {OFFER, 0, 220, A (START_ANSWER), A (NEGOTIATING), 220 + SETUP}}},
    {"nothing-to-offer-until-there-are-tracks",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 0, A (START_OFFER), A (NEGOTIATING), SETUP},
            {BYE, 0, 0, A (CLOSE_NEXT), A (IDLE), 0}, {TRACKS, 0, 50, A (START_OFFER), A (NEGOTIATING), 50 + SETUP}}},
    {"tracks-before-anything-else", {{TRACKS, 0, 0, 0, A (IDLE), 0}, {OFFERER, US, 5, 0, A (WAITING), 5 + READY}}},
    {"a-silent-connection-is-replaced",
        {WE_CONNECT, {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {SILENT, 0, 1100, 0, A (DISCONNECTED), 1000 + SILENCE},
            {TICK, 0, 1000 + SILENCE, A (START_OFFER), A (NEGOTIATING), 1000 + SILENCE + SETUP},
            {NEXT_UP, 0, 20000, UP, A (CONNECTED), 0}}},
    {"a-silent-connection-comes-back",
        {WE_CONNECT, {BACK, 0, 500, 0, A (CONNECTED), 0},
            {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {BACK, 0, 2000, A (REPORT_CONNECTED), A (CONNECTED), 0}}},
    {"a-silent-connection-comes-back-before-the-new-one-is-up",
        {WE_CONNECT, {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {TICK, 0, 1000 + SILENCE, A (START_OFFER), A (NEGOTIATING), 1000 + SILENCE + SETUP},
            {BACK, 0, 20000, A (CLOSE_NEXT) | A (REPORT_CONNECTED), A (CONNECTED), 0}}},
    {"new-tracks-are-not-lost-when-a-silent-connection-comes-back",
        {WE_CONNECT, {TRACKS, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {SILENT, 0, 300, A (REPORT_DISCONNECTED), A (NEGOTIATING), 200 + SETUP},
            {BACK, 0, 400, A (REPORT_CONNECTED), A (NEGOTIATING), 200 + SETUP},
            {NEXT_UP, 0, 500, UP, A (CONNECTED), 0}}},
    {"the-offerer-repairs-and-we-still-have-the-old-one",
        {THEY_CONNECT, {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {OFFER, 0, 1500, A (START_ANSWER), A (NEGOTIATING), 1500 + SETUP},
            {BACK, 0, 1600, A (REPORT_CONNECTED), A (NEGOTIATING), 1500 + SETUP},
            {NEXT_UP, 0, 1700, UP, A (CONNECTED), 0}}},
    {"a-repair-fails-and-the-old-one-comes-back",
        {WE_CONNECT, {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {TICK, 0, 1000 + SILENCE, A (START_OFFER), A (NEGOTIATING), 1000 + SILENCE + SETUP},
            {NEXT_FAILED, FALSE, 20000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (BACKOFF), 20500},
            {BACK, 0, 20100, A (REPORT_CONNECTED), A (CONNECTED), 0}, {TICK, 0, 20500, 0, A (CONNECTED), 0}}},
    {"a-repair-fails-for-good-and-the-old-one-comes-back",
        {WE_CONNECT, {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {TICK, 0, 1000 + SILENCE, A (START_OFFER), A (NEGOTIATING), 1000 + SILENCE + SETUP},
            {NEXT_FAILED, TRUE, 20000, A (CLOSE_NEXT) | A (REPORT_FAILED), A (FAILED), 0},
            {BACK, 0, 20100, A (REPORT_CONNECTED), A (CONNECTED), 0}}},
    {"what-works-goes-on-when-the-new-one-fails-for-good",
        {WE_CONNECT, {TRACKS, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {NEXT_FAILED, TRUE, 300, A (CLOSE_NEXT) | A (REPORT_FAILED), A (CONNECTED), 0},
            /* and is looked after as before */
            {SILENT, 0, 1000, A (REPORT_DISCONNECTED), A (DISCONNECTED), 1000 + SILENCE},
            {CURRENT_FAILED, 0, 2000, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED) | A (START_OFFER), A (NEGOTIATING),
                2000 + SETUP}}},
    {"a-connection-breaks",
        {WE_CONNECT,
            {CURRENT_FAILED, 0, 200, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED) | A (START_OFFER), A (NEGOTIATING),
                200 + SETUP}}},
    {"a-connection-breaks-while-the-next-one-is-made",
        {WE_CONNECT, {TRACKS, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {CURRENT_FAILED, 0, 210, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED), A (NEGOTIATING), 200 + SETUP},
            {CURRENT_FAILED, 0, 220, 0, A (NEGOTIATING), 200 + SETUP}, {NEXT_UP, 0, 300, UP, A (CONNECTED), 0}}},
    {"a-connection-of-theirs-breaks",
        {THEY_CONNECT,
            {CURRENT_FAILED, 0, 200, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED) | A (REQUEST_OFFER), A (REQUESTED),
                200 + REQUEST}}},
    {"bye",
        {WE_CONNECT, {TRACKS, 0, 200, A (START_OFFER), A (NEGOTIATING), 200 + SETUP},
            {BYE, 0, 300, A (CLOSE_NEXT) | A (CLOSE_CURRENT), A (IDLE), 0}, {BYE, 0, 310, 0, A (IDLE), 0},
            {TICK, 0, 90000, 0, A (IDLE), 0},
            {OFFER_REQUEST, 0, 90001, A (START_OFFER), A (NEGOTIATING), 90001 + SETUP}}},
    {"bye-of-the-offerer-and-an-offer-again",
        {THEY_CONNECT, {BYE, 0, 300, A (CLOSE_CURRENT), A (IDLE), 0}, {TRACKS, 0, 310, 0, A (IDLE), 0},
            {OFFER, 0, 400, A (START_ANSWER), A (NEGOTIATING), 400 + SETUP}}},
    {"the-two-have-nothing-to-say-any-more",
        {WE_CONNECT, {OFFERER, NONE, 200, A (CLOSE_CURRENT), A (IDLE), 0}, {OFFERER, NONE, 210, 0, A (IDLE), 0},
            {OFFERER, US, 300, A (START_OFFER), A (NEGOTIATING), 300 + SETUP},
            {OFFERER, NONE, 310, A (CLOSE_NEXT), A (IDLE), 0}}},
    {"who-offers-changes-while-connected",
        {WE_CONNECT, {OFFERER, THEM, 200, 0, A (CONNECTED), 0},
            {CURRENT_FAILED, 0, 300, A (CLOSE_CURRENT) | A (REPORT_DISCONNECTED) | A (REQUEST_OFFER), A (REQUESTED),
                300 + REQUEST}}},
    {"who-offers-changes-while-an-offer-is-awaited",
        {THEY_CONNECT, {TRACKS, 0, 200, A (REQUEST_OFFER), A (REQUESTED), 200 + REQUEST},
            {OFFERER, US, 210, A (START_OFFER), A (NEGOTIATING), 210 + SETUP}}},
    {"who-offers-changes-while-nothing-works",
        {{SET_READY, 0, 0, 0, A (IDLE), 0}, {OFFERER, THEM, 0, 0, A (REQUESTED), REQUEST},
            {OFFERER, US, 10, A (START_OFFER), A (NEGOTIATING), 10 + SETUP},
            {NEXT_FAILED, TRUE, 20, A (CLOSE_NEXT) | A (REPORT_FAILED), A (FAILED), 0},
            {OFFERER, THEM, 30, A (REQUEST_OFFER), A (REQUESTED), 30 + REQUEST}}},
};

static void
test_story (gconstpointer data)
{
  const Story *story = data;
  RtcSession s;

  rtc_session_init (&s);
  g_assert_cmpint (s.state, ==, RTC_SESSION_IDLE);
  for (guint i = 0; story->steps[i].event != END; i++) {
    const Step *step = &story->steps[i];
    guint actions = apply (&s, step->event, step->argument, step->now);

    if (actions != step->actions || s.state != step->state || s.deadline != step->deadline)
      g_error ("%s, step %u: actions 0x%x, %s until %" G_GUINT64_FORMAT "; expected 0x%x, %s until %" G_GUINT64_FORMAT,
          story->name, i + 1, actions, rtc_session_state_to_string (s.state), s.deadline, step->actions,
          rtc_session_state_to_string (step->state), step->deadline);
  }
}

/* Every state there is. */

#define MAX_STATES 20000

/* Time moves on by a second with each event, and for a tick to the deadline: what counts of a deadline is whether there
 * is one. */
static gchar *
key_of (const RtcSession *s)
{
  return g_strdup_printf ("%d %d %d%d%d%d%d%d%d %u %d", s->state, s->offerer, s->ready, s->incomplete, s->offer_held,
      s->has_current, s->has_next, s->silent, s->repairing, MIN (s->attempts, RTC_SESSION_MAX_ATTEMPTS),
      s->deadline != 0);
}

static guint
count_bits (guint set)
{
  guint n = 0;

  for (; set; set &= set - 1)
    n++;
  return n;
}

static void
check_step (const RtcSession *before, const RtcSession *after, Event event, guint actions)
{
  const guint starts = A (START_OFFER) | A (START_ANSWER) | A (REQUEST_OFFER);
  gboolean timed =
      after->state != RTC_SESSION_IDLE && after->state != RTC_SESSION_CONNECTED && after->state != RTC_SESSION_FAILED;
  gboolean under_way = after->state == RTC_SESSION_NEGOTIATING || after->state == RTC_SESSION_CONNECTING;

  /* Nothing is left hanging: what may last for ever is what may, and all else has an end. */
  g_assert_cmpint (timed, ==, after->deadline != 0);
  g_assert_cmpint (under_way, ==, after->has_next);
  g_assert_cmpuint (count_bits (actions & starts), <=, 1);
  /* Only what is there is closed, and nothing is made where one is. */
  g_assert_true (!(actions & A (CLOSE_NEXT)) || before->has_next);
  g_assert_true (!(actions & A (CLOSE_CURRENT)) || before->has_current);
  if (actions & (A (START_OFFER) | A (START_ANSWER)))
    g_assert_true (!before->has_next || (actions & A (CLOSE_NEXT)));
  if (before->has_next && !after->has_next)
    g_assert_true (actions & (A (CLOSE_NEXT) | A (PROMOTE)));
  if (before->has_current && !after->has_current)
    g_assert_true (actions & A (CLOSE_CURRENT));
  /* What is told is so. */
  if (actions & A (REPORT_CONNECTED))
    g_assert_true (after->has_current && !after->silent);
  if (after->state == RTC_SESSION_CONNECTED)
    g_assert_true (after->has_current && !after->silent);
  if (after->state == RTC_SESSION_DISCONNECTED)
    g_assert_true (after->has_current && after->silent);
  if (after->state == RTC_SESSION_IDLE)
    g_assert_true (!after->has_current && !after->has_next && !after->offer_held);
  if (after->silent || after->repairing)
    g_assert_true (after->has_current);
  if (after->offer_held)
    g_assert_true (after->state == RTC_SESSION_WAITING && !after->ready);
  if (actions & A (START_OFFER))
    g_assert_cmpint (after->offerer, ==, US);
  if (actions & A (REQUEST_OFFER))
    g_assert_cmpint (after->offerer, ==, THEM);
  /* A connection that carries media ends only when it broke, or somebody said so. */
  if ((actions & A (CLOSE_CURRENT)) && event != CURRENT_FAILED && event != BYE)
    g_assert_true (event == OFFERER && after->offerer == NONE);
}

/* Whether the owner of a session could report the event in that state. */
static gboolean
may_happen (const RtcSession *s, Event event, guint argument)
{
  switch (event) {
    case OFFERER:
      return argument <= THEM;
    case OFFER:
      return argument == 0 && s->offerer != US;
    case DESCRIBED:
    case NEXT_FAILED:
      return argument <= 1 && s->has_next;
    case NEXT_UP:
      return argument == 0 && s->has_next;
    case SILENT:
    case BACK:
    case CURRENT_FAILED:
      return argument == 0 && s->has_current;
    default:
      return argument == 0;
  }
}

static void
test_every_state (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (RtcSession));
  RtcSession first;
  guint n_steps = 0, by_state[RTC_SESSION_FAILED + 1] = {0};

  rtc_session_init (&first);
  g_array_append_val (states, first);
  g_hash_table_add (seen, key_of (&first));
  for (guint i = 0; i < states->len; i++) {
    RtcSession from = g_array_index (states, RtcSession, i);

    by_state[from.state]++;
    for (Event event = OFFERER; event < N_EVENTS; event++) {
      for (guint argument = 0; argument <= THEM; argument++) {
        RtcSession s = from;
        guint actions;
        gchar *key;

        if (!may_happen (&from, event, argument))
          continue;
        actions = apply (&s, event, argument, event == TICK ? from.deadline : 1000);
        check_step (&from, &s, event, actions);
        n_steps++;
        key = key_of (&s);
        if (g_hash_table_add (seen, key))
          g_array_append_val (states, s);
        g_assert_cmpuint (states->len, <, MAX_STATES);
      }
    }
  }
  for (guint i = 0; i <= RTC_SESSION_FAILED; i++) {
    g_test_message ("%s: %u", rtc_session_state_to_string (i), by_state[i]);
    g_assert_cmpuint (by_state[i], >, 0);
  }
  g_test_message ("%u states, %u transitions", states->len, n_steps);
}

/* From anywhere a session gets connected again, when everything that it starts works and the peer does its part. */
static void
test_it_always_comes_back (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (4242);

  for (guint run = 0; run < 20000; run++) {
    RtcSession s;
    guint64 now = 0;

    rtc_session_init (&s);
    rtc_session_set_offerer (&s, g_rand_boolean (rand) ? US : THEM, now);
    for (guint i = 0; i < 12; i++) {
      Event event = g_rand_int_range (rand, SET_READY, N_EVENTS);
      guint argument = g_rand_int_range (rand, 0, 2);

      now += g_rand_int_range (rand, 0, 20000);
      if (may_happen (&s, event, argument))
        apply (&s, event, argument, now);
    }
    /* The peer offers, or asks for an offer, once; then whatever is under way succeeds. */
    if (s.offerer == THEM)
      rtc_session_offer_received (&s, now);
    else
      rtc_session_offer_requested (&s, now);
    for (guint i = 0; i < 8 && s.state != RTC_SESSION_CONNECTED; i++) {
      if (s.has_next)
        rtc_session_next_connected (&s, now);
      else if (s.deadline)
        rtc_session_tick (&s, now = s.deadline);
    }
    g_assert_cmpint (s.state, ==, RTC_SESSION_CONNECTED);
  }
}

static void
test_names (void)
{
  g_assert_cmpstr (rtc_session_state_to_string (RTC_SESSION_IDLE), ==, "idle");
  g_assert_cmpstr (rtc_session_state_to_string (RTC_SESSION_WAITING), ==, "waiting");
  g_assert_cmpstr (rtc_session_state_to_string (RTC_SESSION_DISCONNECTED), ==, "disconnected");
  g_assert_cmpstr (rtc_session_state_to_string (RTC_SESSION_FAILED), ==, "failed");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (stories); i++) {
    g_autofree gchar *path = g_strconcat ("/session/", stories[i].name, NULL);

    g_test_add_data_func (path, &stories[i], test_story);
  }
  g_test_add_func ("/session/every-state", test_every_state);
  g_test_add_func ("/session/it-always-comes-back", test_it_always_comes_back);
  g_test_add_func ("/session/names", test_names);
  return g_test_run ();
}
