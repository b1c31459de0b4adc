/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcpath.h"
#include "native/rtcstun.h"

#define MS(n) ((n)*G_TIME_SPAN_MILLISECOND)
#define START (1000 * G_TIME_SPAN_SECOND)
#define PASSWORD "p4ssw0rdp4ssw0rdp4ssw0rd"

/* A path, and the peer at its other end. */
typedef struct
{
  RtcPath *path;
  gint64 now;
  gboolean deaf; /* probes do not arrive */
  guint port; /* that the peer sees us with */
  guint probes, restarts, silences, backs;
  gint64 first_restart, last_probe;
} Fixture;

static void
setup (Fixture *f, gconstpointer data)
{
  f->path = rtc_path_new ();
  f->now = START;
  f->port = 1000;
  g_assert_cmpint (rtc_path_get_deadline (f->path), ==, -1);
  g_assert_cmpuint (rtc_path_tick (f->path, f->now), ==, 0);
  rtc_path_set_credentials (f->path, "ours", "theirs", PASSWORD, TRUE, f->now);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  rtc_path_free (f->path);
}

static void act (Fixture *f, guint actions);

/* Looks at a probe as an ICE agent does, and answers it. */
static void
take_probe (Fixture *f)
{
  guint8 probe[RTC_PATH_MAX_PROBE], answer[RTC_STUN_MAX_ANSWER];
  gsize size = rtc_path_write_probe (f->path, probe, f->now);
  g_autoptr (GHmac) key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;
  RtcAddress from;
  guint actions;

  g_assert_true (rtc_stun_parse (&message, probe, size));
  g_assert_cmpint (message.klass, ==, RTC_STUN_REQUEST);
  g_assert_cmpmem (message.username, message.username_size, "theirs:ours", 11);
  g_assert_true (rtc_stun_check_fingerprint (&message) && rtc_stun_check_integrity (&message, key));
  g_assert_true (message.has_priority && message.controlling && message.use_candidate);
  if (f->deaf)
    return;
  g_assert_true (rtc_address_parse (&from, "192.0.2.1", f->port));
  size = rtc_stun_write_success (answer, message.id, &from, key);
  g_assert_true (rtc_path_take_answer (f->path, answer, size, f->now, &actions));
  act (f, actions);
}

static void
act (Fixture *f, guint actions)
{
  if (actions & RTC_PATH_RESTART) {
    if (!f->restarts++)
      f->first_restart = f->now;
  }
  f->silences += (actions & RTC_PATH_SILENT) != 0;
  f->backs += (actions & RTC_PATH_BACK) != 0;
  if (actions & RTC_PATH_PROBE) {
    f->probes++;
    f->last_probe = f->now;
    take_probe (f);
  }
}

/* Time goes by; something comes each INTERVAL (0: nothing does). */
static void
run (Fixture *f, gint64 span, gint64 interval)
{
  gint64 end = f->now + span, next = interval ? f->now + interval : G_MAXINT64;

  while (f->now < end) {
    gint64 deadline = rtc_path_get_deadline (f->path);

    f->now = MIN (end, MIN (next, MAX (deadline, f->now)));
    if (f->now == next) {
      act (f, rtc_path_heard (f->path, f->now));
      next += interval;
    }
    if (f->now >= deadline)
      act (f, rtc_path_tick (f->path, f->now));
  }
}

/* The beginning, in which it is found out that the peer answers. */
static void
begin (Fixture *f, gint64 interval)
{
  run (f, MS (5000), interval);
  g_assert_cmpuint (f->probes, >=, 1);
  f->probes = 0;
}

static void
who_is_heard_is_not_probed (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  run (f, MS (60000), MS (20));
  run (f, MS (60000), MS (150));
  g_assert_cmpuint (f->probes, ==, 0);
  g_assert_cmpuint (f->restarts + f->silences + f->backs, ==, 0);
}

static void
who_says_little_is_asked_now_and_then (Fixture *f, gconstpointer data)
{
  begin (f, MS (4000));
  run (f, MS (60000), MS (4000));
  g_assert_cmpuint (f->probes, <=, 61);
  g_assert_cmpuint (f->restarts + f->silences + f->backs, ==, 0);
}

static void
long_silence_is_probed_less_often (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  f->deaf = TRUE;
  run (f, MS (11000), 0);
  f->probes = 0;
  run (f, MS (1000), 0);
  g_assert_cmpuint (f->probes, >=, 18);
  g_assert_cmpuint (f->probes, <=, 21);
}

static void
silence_is_probed_soon_and_often (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  f->deaf = TRUE;
  run (f, MS (190), 0);
  g_assert_cmpuint (f->probes, ==, 0);
  run (f, MS (310), 0);
  g_assert_cmpuint (f->probes, >=, 12);
  g_assert_cmpuint (f->restarts, ==, 0);
  f->deaf = FALSE;
  run (f, MS (50), 0);
  g_assert_cmpuint (f->backs, ==, 1);
  g_assert_cmpuint (rtc_path_get_stats (f->path)->n_gaps, ==, 1);
  g_assert_cmpint (rtc_path_get_stats (f->path)->last_gap, >=, MS (500));
  g_assert_cmpint (rtc_path_get_stats (f->path)->last_gap, <=, MS (570));
}

static void
a_short_gap_is_none (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  f->deaf = TRUE;
  run (f, MS (400), 0);
  act (f, rtc_path_heard (f->path, f->now));
  g_assert_cmpuint (f->backs + f->restarts, ==, 0);
}

static void
restarts_are_tried_again (Fixture *f, gconstpointer data)
{
  gint64 cut;

  begin (f, MS (20));
  f->deaf = TRUE;
  cut = f->now;
  run (f, MS (11000), 0);
  g_assert_cmpint (f->first_restart - cut, >=, MS (1200));
  g_assert_cmpint (f->first_restart - cut, <=, MS (1300));
  g_assert_cmpuint (f->restarts, ==, 5);
  g_assert_cmpuint (f->silences, ==, 0);
  run (f, MS (2000), 0);
  g_assert_cmpuint (f->silences, ==, 1);
  g_assert_true (rtc_path_is_silent (f->path));
  g_assert_true (rtc_path_has_consent (f->path, f->now));
  run (f, MS (20000), 0);
  g_assert_cmpuint (f->silences, ==, 1);
  g_assert_false (rtc_path_has_consent (f->path, f->now));
  /* Nothing goes to who does not consent. */
  g_assert_cmpint (f->last_probe - cut, <=, MS (30000));
  g_assert_cmpint (f->last_probe - cut, >=, MS (29900));
  act (f, rtc_path_heard (f->path, f->now));
  g_assert_cmpuint (f->backs, ==, 1);
  g_assert_false (rtc_path_is_silent (f->path));
  g_assert_true (rtc_path_has_consent (f->path, f->now));
}

/* A process that did not run has heard nothing, which says nothing about the peer. */
static void
a_stall_is_no_silence (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  f->deaf = TRUE;
  run (f, MS (250), 0);
  f->now += MS (2000);
  act (f, rtc_path_tick (f->path, f->now));
  g_assert_cmpuint (f->restarts, ==, 0);
  run (f, MS (950), 0);
  g_assert_cmpuint (f->restarts, ==, 0);
  run (f, MS (100), 0);
  g_assert_cmpuint (f->restarts, ==, 1);
}

static void
another_address_is_acted_on_at_once (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  act (f, rtc_path_broken (f->path, TRUE, f->now));
  g_assert_cmpuint (f->restarts, ==, 1);
  g_assert_cmpuint (f->probes, ==, 1);
  /* Each packet that cannot be sent says so: that is one restart. */
  for (guint i = 0; i < 100; i++)
    act (f, rtc_path_broken (f->path, FALSE, f->now));
  g_assert_cmpuint (f->restarts, ==, 1);
  act (f, rtc_path_broken (f->path, TRUE, f->now));
  g_assert_cmpuint (f->restarts, ==, 2);
}

static void
a_nat_that_forgot_us_is_noticed (Fixture *f, gconstpointer data)
{
  begin (f, MS (20));
  f->port = 2000;
  run (f, MS (300), 0);
  g_assert_cmpuint (f->restarts, ==, 1);
  run (f, MS (5000), 0);
  g_assert_cmpuint (f->restarts, ==, 1);
  /* Over a new path it is no news. */
  f->port = 3000;
  rtc_path_set_credentials (f->path, "ours", "theirs", PASSWORD, TRUE, f->now);
  run (f, MS (5000), 0);
  g_assert_cmpuint (f->restarts, ==, 1);
}

static void
who_never_answers_is_not_probed (Fixture *f, gconstpointer data)
{
  f->deaf = TRUE;
  begin (f, MS (20));
  run (f, MS (20000), MS (1400));
  g_assert_cmpuint (f->backs, ==, 0);
  run (f, MS (3900), 0);
  g_assert_cmpuint (f->probes, ==, 0);
  g_assert_cmpuint (f->restarts, ==, 0);
  run (f, MS (1000), 0);
  g_assert_cmpuint (f->restarts, ==, 1);
}

static void
only_answers_to_probes_count (Fixture *f, gconstpointer data)
{
  guint8 probe[RTC_PATH_MAX_PROBE], answer[RTC_STUN_MAX_ANSWER];
  g_autoptr (GHmac) wrong = rtc_stun_key_new ("another password that is long");
  g_autoptr (GHmac) key = rtc_stun_key_new (PASSWORD);
  RtcStunMessage message;
  RtcAddress from;
  guint actions;
  gsize size;

  f->deaf = TRUE;
  run (f, MS (1000), 0);
  size = rtc_path_write_probe (f->path, probe, f->now);
  g_assert_true (rtc_stun_parse (&message, probe, size));
  g_assert_true (rtc_address_parse (&from, "192.0.2.1", 1));
  size = rtc_stun_write_success (answer, message.id, &from, wrong);
  g_assert_false (rtc_path_take_answer (f->path, answer, size, f->now, &actions));
  size = rtc_stun_write_success (answer, (const guint8 *)"not our id..", &from, key);
  g_assert_false (rtc_path_take_answer (f->path, answer, size, f->now, &actions));
  g_assert_false (rtc_path_take_answer (f->path, probe, sizeof (probe), f->now, &actions));
  size = rtc_stun_write_error (answer, message.id, RTC_STUN_ROLE_CONFLICT, NULL, 0, key);
  g_assert_false (rtc_path_take_answer (f->path, answer, size, f->now, &actions));
  size = rtc_stun_write_success (answer, message.id, &from, key);
  g_assert_true (rtc_path_take_answer (f->path, answer, size, f->now, &actions));
}

#define ADD(name) g_test_add ("/rtcpath/" #name, Fixture, NULL, setup, name, teardown)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD (who_is_heard_is_not_probed);
  ADD (who_says_little_is_asked_now_and_then);
  ADD (silence_is_probed_soon_and_often);
  ADD (long_silence_is_probed_less_often);
  ADD (a_short_gap_is_none);
  ADD (restarts_are_tried_again);
  ADD (a_stall_is_no_silence);
  ADD (another_address_is_acted_on_at_once);
  ADD (a_nat_that_forgot_us_is_noticed);
  ADD (who_never_answers_is_not_probed);
  ADD (only_answers_to_probes_count);
  return g_test_run ();
}
