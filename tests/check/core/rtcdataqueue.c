/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "core/rtcdataqueue.h"

#define MS ((gint64)1000)

static guint freed;

static void
count_free (gpointer message)
{
  freed++;
}

static RtcDataQueue *
queue_new (RtcDataOverflow overflow, gsize max_bytes, gint64 max_time)
{
  RtcDataLimits limits = {overflow, max_bytes, max_time};

  freed = 0;
  return rtc_data_queue_new (&limits, count_free);
}

/* Messages are numbers from 1 on. */
static RtcDataPush
push (RtcDataQueue *queue, guint number, gsize size, gint64 now, gint64 *deadline)
{
  gint64 unused;

  return rtc_data_queue_push (queue, GUINT_TO_POINTER (number), size, now, now, deadline ? deadline : &unused);
}

static guint
pop (RtcDataQueue *queue, gint64 now)
{
  return GPOINTER_TO_UINT (rtc_data_queue_pop (queue, now));
}

static void
assert_dropped (RtcDataQueue *queue, guint64 messages, guint64 bytes)
{
  RtcDataCount dropped = rtc_data_queue_get_dropped (queue);

  g_assert_cmpuint (dropped.messages, ==, messages);
  g_assert_cmpuint (dropped.bytes, ==, bytes);
}

static void
test_order (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, G_MAXSIZE, 0);
  guint pushed = 0, popped = 0;

  g_assert_cmpuint (pop (queue, 0), ==, 0);
  for (guint round = 0; round < 500; round++) {
    for (guint i = 0; i < round % 7; i++)
      g_assert_cmpint (push (queue, ++pushed, round, round, NULL), ==, RTC_DATA_PUSH_TAKEN);
    for (guint i = 0; i < round % 6 && popped < pushed; i++)
      g_assert_cmpuint (pop (queue, round), ==, ++popped);
  }
  g_assert_cmpuint (rtc_data_queue_get_waiting (queue).messages, ==, pushed - popped);
  while (popped < pushed)
    g_assert_cmpuint (pop (queue, 500), ==, ++popped);
  g_assert_true (rtc_data_queue_is_empty (queue));
  g_assert_cmpuint (rtc_data_queue_get_waiting (queue).bytes, ==, 0);
  assert_dropped (queue, 0, 0);
  rtc_data_queue_free (queue);
  g_assert_cmpuint (freed, ==, 0);
}

static void
test_block (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, 100, 10 * MS);
  gint64 deadline = 0;

  g_assert_cmpint (push (queue, 1, 60, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
  g_assert_cmpint (push (queue, 2, 40, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
  g_assert_cmpint (push (queue, 3, 1, 0, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpint (deadline, ==, -1);
  /* It waits as long as it takes, and nothing grows old. */
  g_assert_cmpint (push (queue, 3, 1, 1000 * MS, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpuint (pop (queue, 1000 * MS), ==, 1);
  g_assert_cmpint (push (queue, 3, 1, 1000 * MS, NULL), ==, RTC_DATA_PUSH_TAKEN);
  assert_dropped (queue, 0, 0);
  rtc_data_queue_free (queue);
  g_assert_cmpuint (freed, ==, 2);
}

static void
test_larger_than_the_bound (void)
{
  static const RtcDataOverflow all[] = {
      RTC_DATA_OVERFLOW_BLOCK, RTC_DATA_OVERFLOW_DROP_OLDEST, RTC_DATA_OVERFLOW_DROP_NEWEST, RTC_DATA_OVERFLOW_LATEST};

  for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
    RtcDataQueue *queue = queue_new (all[i], 100, 0);

    g_assert_cmpint (push (queue, 1, 1000, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
    g_assert_cmpuint (pop (queue, 0), ==, 1);
    assert_dropped (queue, 0, 0);
    rtc_data_queue_free (queue);
  }
}

static void
test_empty_messages_are_bounded_by_time (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_DROP_OLDEST, 100, 10 * MS);

  for (guint i = 0; i < 100; i++)
    push (queue, i + 1, 0, i * MS, NULL);
  g_assert_cmpuint (rtc_data_queue_get_waiting (queue).messages, ==, 10);
  rtc_data_queue_free (queue);
}

static void
test_drop_oldest (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_DROP_OLDEST, 100, 10 * MS);

  for (guint i = 1; i <= 3; i++)
    g_assert_cmpint (push (queue, i, 40, i * MS, NULL), ==, RTC_DATA_PUSH_TAKEN);
  assert_dropped (queue, 1, 40);
  g_assert_cmpint (rtc_data_queue_get_oldest (queue), ==, 2 * MS);
  g_assert_cmpuint (pop (queue, 5 * MS), ==, 2);
  /* Too old when its turn comes. */
  g_assert_cmpuint (pop (queue, 13 * MS), ==, 0);
  assert_dropped (queue, 2, 80);
  g_assert_cmpint (rtc_data_queue_get_oldest (queue), ==, -1);
  rtc_data_queue_free (queue);
  g_assert_cmpuint (freed, ==, 2);
}

static void
test_drop_newest (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_DROP_NEWEST, 100, 10 * MS);

  g_assert_cmpint (push (queue, 1, 60, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
  g_assert_cmpint (push (queue, 2, 60, 0, NULL), ==, RTC_DATA_PUSH_DROPPED);
  g_assert_cmpint (push (queue, 3, 20, 9 * MS, NULL), ==, RTC_DATA_PUSH_TAKEN);
  g_assert_cmpint (push (queue, 4, 10, 10 * MS, NULL), ==, RTC_DATA_PUSH_DROPPED);
  assert_dropped (queue, 2, 70);
  /* What was taken is delivered, late or not. */
  g_assert_cmpuint (pop (queue, 500 * MS), ==, 1);
  g_assert_cmpuint (pop (queue, 500 * MS), ==, 3);
  rtc_data_queue_free (queue);
  g_assert_cmpuint (freed, ==, 0);
}

static void
test_latest (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_LATEST, 100, 10 * MS);

  for (guint i = 1; i <= 5; i++)
    g_assert_cmpint (push (queue, i, 10, i, NULL), ==, RTC_DATA_PUSH_TAKEN);
  assert_dropped (queue, 4, 40);
  g_assert_cmpuint (pop (queue, 6), ==, 5);
  push (queue, 6, 10, 7, NULL);
  g_assert_cmpuint (pop (queue, 7 + 10 * MS), ==, 0);
  rtc_data_queue_free (queue);
}

/* One that takes nothing holds the others up for max_time, and then no more. */
static void
test_left_behind (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, 100, 10 * MS);
  gint64 deadline = 0;

  rtc_data_queue_set_shared (queue, TRUE);
  push (queue, 1, 100, 0, NULL);
  g_assert_cmpint (push (queue, 2, 10, 100 * MS, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpint (deadline, ==, 110 * MS);
  g_assert_cmpint (push (queue, 2, 10, 109 * MS, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpint (deadline, ==, 110 * MS);
  g_assert_false (rtc_data_queue_is_stalled (queue));
  g_assert_cmpint (push (queue, 2, 10, 110 * MS, &deadline), ==, RTC_DATA_PUSH_DROPPED);
  g_assert_true (rtc_data_queue_is_stalled (queue));
  g_assert_cmpint (push (queue, 3, 10, 110 * MS, &deadline), ==, RTC_DATA_PUSH_DROPPED);
  assert_dropped (queue, 2, 20);
  /* It moves again. */
  g_assert_cmpuint (pop (queue, 120 * MS), ==, 1);
  g_assert_false (rtc_data_queue_is_stalled (queue));
  push (queue, 4, 100, 120 * MS, NULL);
  g_assert_cmpint (push (queue, 5, 10, 121 * MS, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpint (deadline, ==, 131 * MS);
  /* The others left: it may take its time. */
  rtc_data_queue_set_shared (queue, FALSE);
  g_assert_cmpint (push (queue, 5, 10, 500 * MS, &deadline), ==, RTC_DATA_PUSH_WAIT);
  g_assert_cmpint (deadline, ==, -1);
  rtc_data_queue_free (queue);
}

static void
test_given_up (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, 100, 0);
  RtcDataLimits wider = {RTC_DATA_OVERFLOW_BLOCK, 200, 0};

  push (queue, 1, 60, 0, NULL);
  g_assert_cmpint (push (queue, 2, 60, 0, NULL), ==, RTC_DATA_PUSH_WAIT);
  rtc_data_queue_set_limits (queue, &wider);
  g_assert_cmpint (push (queue, 2, 60, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
  rtc_data_queue_clear (queue);
  assert_dropped (queue, 2, 120);
  rtc_data_queue_count_dropped (queue, 5);
  assert_dropped (queue, 3, 125);
  g_assert_cmpuint (freed, ==, 2);
  rtc_data_queue_free (queue);
}

static void
test_put_back (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, 100, 0);

  for (guint i = 1; i <= 3; i++)
    push (queue, i, 10, i, NULL);
  g_assert_cmpuint (pop (queue, 5), ==, 1);
  rtc_data_queue_put_back (queue, GUINT_TO_POINTER (1), 10, 1);
  g_assert_cmpuint (rtc_data_queue_get_waiting (queue).bytes, ==, 30);
  g_assert_cmpint (rtc_data_queue_get_oldest (queue), ==, 1);
  for (guint i = 1; i <= 3; i++)
    g_assert_cmpuint (pop (queue, 5), ==, i);
  rtc_data_queue_put_back (queue, GUINT_TO_POINTER (3), 10, 3);
  g_assert_cmpuint (pop (queue, 5), ==, 3);
  g_assert_true (rtc_data_queue_is_empty (queue));
  rtc_data_queue_free (queue);
}

/* Empty messages count, too. */
static void
test_number (void)
{
  RtcDataQueue *queue = queue_new (RTC_DATA_OVERFLOW_BLOCK, 100, 0);

  for (guint i = 0; i < RTC_DATA_QUEUE_MAX_MESSAGES; i++)
    g_assert_cmpint (push (queue, i + 1, 0, 0, NULL), ==, RTC_DATA_PUSH_TAKEN);
  g_assert_cmpint (push (queue, 1, 0, 0, NULL), ==, RTC_DATA_PUSH_WAIT);
  rtc_data_queue_free (queue);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcdataqueue/order", test_order);
  g_test_add_func ("/rtcdataqueue/block", test_block);
  g_test_add_func ("/rtcdataqueue/larger-than-the-bound", test_larger_than_the_bound);
  g_test_add_func ("/rtcdataqueue/empty-messages", test_empty_messages_are_bounded_by_time);
  g_test_add_func ("/rtcdataqueue/drop-oldest", test_drop_oldest);
  g_test_add_func ("/rtcdataqueue/drop-newest", test_drop_newest);
  g_test_add_func ("/rtcdataqueue/latest", test_latest);
  g_test_add_func ("/rtcdataqueue/left-behind", test_left_behind);
  g_test_add_func ("/rtcdataqueue/given-up", test_given_up);
  g_test_add_func ("/rtcdataqueue/put-back", test_put_back);
  g_test_add_func ("/rtcdataqueue/number", test_number);
  return g_test_run ();
}
