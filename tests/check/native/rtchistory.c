/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtchistory.h"

#include <string.h>

#define SECOND G_USEC_PER_SEC
#define MAX_PAYLOAD 3000

/* The payload of the packet with this index. */
static void
fill (guint8 *payload, guint64 index, gsize size)
{
  for (gsize i = 0; i < size; i++)
    payload[i] = (guint8)(index * 7 + i);
}

static const RtcPacket *
add (RtcHistory *history, gint64 now, gsize size)
{
  guint64 index = rtc_history_get_next (history);
  g_autofree guint8 *payload = g_malloc (size + 1);
  RtcPacket packet = {.index = 99,
      .added = now,
      .pts = now - 5000,
      .timestamp = (guint32)index * 3000,
      .marker = index % 3 == 0,
      .audio_level = (gint)(index % 129) - 1,
      .payload = payload,
      .size = size};
  const RtcPacket *kept;

  fill (payload, index, size);
  kept = rtc_history_add (history, &packet);
  memset (payload, 0xee, size);
  return kept;
}

static void
assert_packet (const RtcPacket *packet, guint64 index, gint64 now, gsize size)
{
  guint8 payload[MAX_PAYLOAD];

  g_assert_nonnull (packet);
  g_assert_cmpuint (packet->index, ==, index);
  g_assert_cmpint (packet->added, ==, now);
  g_assert_cmpint (packet->pts, ==, now - 5000);
  g_assert_cmpuint (packet->timestamp, ==, (guint32)index * 3000);
  g_assert_cmpint (packet->marker, ==, index % 3 == 0);
  g_assert_cmpint (packet->audio_level, ==, (gint)(index % 129) - 1);
  fill (payload, index, size);
  g_assert_cmpmem (packet->payload, packet->size, payload, size);
}

static void
packets_come_back_as_they_were (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 1000, 1000000);

  g_assert_cmpuint (rtc_history_get_next (history), ==, 0);
  g_assert_null (rtc_history_get (history, 0));
  for (guint i = 0; i < 500; i++)
    assert_packet (add (history, 10 * i, 1 + i), i, 10 * i, 1 + i);
  for (guint i = 0; i < 500; i++)
    assert_packet (rtc_history_get (history, i), i, 10 * i, 1 + i);
  g_assert_cmpuint (rtc_history_get_next (history), ==, 500);
  g_assert_null (rtc_history_get (history, 500));
  g_assert_null (rtc_history_get (history, G_MAXUINT64));
  g_assert_cmpuint (rtc_history_get_bytes (history), ==, 500 * 501 / 2);
  rtc_history_free (history);
}

static void
no_more_packets_than_agreed (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 1000000);

  for (guint i = 0; i < 250; i++) {
    add (history, 0, 10);
    g_assert_nonnull (rtc_history_get (history, i < 100 ? 0 : i - 99));
    if (i >= 100)
      g_assert_null (rtc_history_get (history, i - 100));
  }
  g_assert_cmpuint (rtc_history_get_bytes (history), ==, 1000);
  rtc_history_free (history);
}

static void
no_more_bytes_than_agreed (void)
{
  RtcHistory *history = rtc_history_new (SECOND, 100, 1000);

  for (guint i = 0; i < 10; i++)
    add (history, 0, 100);
  g_assert_nonnull (rtc_history_get (history, 0));
  add (history, 0, 101);
  g_assert_null (rtc_history_get (history, 1));
  assert_packet (rtc_history_get (history, 2), 2, 0, 100);
  g_assert_cmpuint (rtc_history_get_bytes (history), ==, 901);

  /* One that is all there may be, and one that is more. */
  assert_packet (add (history, 0, 1000), 11, 0, 1000);
  g_assert_null (rtc_history_get (history, 10));
  g_assert_null (add (history, 0, 1001));
  g_assert_cmpuint (rtc_history_get_next (history), ==, 12);
  assert_packet (rtc_history_get (history, 11), 11, 0, 1000);
  rtc_history_free (history);
}

static void
nothing_older_than_agreed (void)
{
  RtcHistory *history = rtc_history_new (2 * SECOND, 100, 1000);

  add (history, 0, 1);
  add (history, 1, 1);
  add (history, 2 * SECOND, 1);
  g_assert_nonnull (rtc_history_get (history, 0));
  add (history, 2 * SECOND + 1, 1);
  g_assert_null (rtc_history_get (history, 0));
  g_assert_nonnull (rtc_history_get (history, 1));

  /* After a pause only the one that ended it is there. */
  add (history, 60 * SECOND, 1);
  g_assert_null (rtc_history_get (history, 3));
  assert_packet (rtc_history_get (history, 4), 4, 60 * SECOND, 1);
  g_assert_cmpuint (rtc_history_get_bytes (history), ==, 1);
  rtc_history_free (history);
}

typedef struct
{
  guint64 index;
  gint64 added;
  gsize size;
} Expected;

/* Sizes and rates change without a pattern; a list says what must be there. */
static void
one_seed (guint seed)
{
  const guint n_packets = 300;
  const gsize n_bytes = 150000;
  const gint64 keep = SECOND;
  GRand *rand = g_rand_new_with_seed (seed);
  RtcHistory *history = rtc_history_new (keep, n_packets, n_bytes);
  GQueue expected = G_QUEUE_INIT;
  gsize bytes = 0;
  gint64 now = 0;

  for (guint i = 0; i < 4000; i++) {
    guint mood = (i / 500 + seed) % 4;
    Expected *new = g_new (Expected, 1);
    Expected *first;

    now += g_rand_int_range (rand, 0, mood == 0 ? 100000 : 2000);
    *new = (Expected){i, now, g_rand_int_range (rand, 0, mood == 1 ? 40 : MAX_PAYLOAD)};
    g_queue_push_tail (&expected, new);
    bytes += new->size;
    while ((first = g_queue_peek_head (&expected)) != new
        && (expected.length > n_packets || bytes > n_bytes || now - first->added > keep)) {
      bytes -= first->size;
      g_free (g_queue_pop_head (&expected));
    }
    assert_packet (add (history, now, new->size), i, now, new->size);
    g_assert_cmpuint (rtc_history_get_bytes (history), ==, bytes);
    g_assert_null (first->index ? rtc_history_get (history, first->index - 1) : NULL);
    assert_packet (rtc_history_get (history, first->index), first->index, first->added, first->size);
    if (i % 50 == 0) {
      for (GList *l = expected.head; l; l = l->next) {
        const Expected *e = l->data;

        assert_packet (rtc_history_get (history, e->index), e->index, e->added, e->size);
      }
    }
  }
  g_queue_clear_full (&expected, g_free);
  rtc_history_free (history);
  g_rand_free (rand);
}

static void
any_sizes_and_rates (void)
{
  for (guint seed = 0; seed < 20; seed++)
    one_seed (seed);
}

/* A stream that goes on for an hour is written over the same bytes again and again. What is spread over more addresses
 * than twice what is kept is not reused. */
static void
memory_is_used_again (void)
{
  RtcHistory *history = rtc_history_new (2 * SECOND, 4096, 16 * 1024 * 1024);
  GHashTable *places = g_hash_table_new (NULL, NULL);
  const guint a_second = 250, size = 1000;

  for (guint i = 0; i < 3600 * a_second; i++) {
    gint64 now = (gint64)i * SECOND / a_second;
    guint8 byte[1000] = {0};
    RtcPacket packet = {.added = now, .payload = byte, .size = size};
    const RtcPacket *kept = rtc_history_add (history, &packet);

    /* In the first minutes it finds the sizes that fit. */
    if (i > 60 * a_second)
      g_hash_table_add (places, (gpointer)((gsize)kept->payload / 4096));
  }
  g_assert_cmpuint (rtc_history_get_bytes (history), ==, (2 * a_second + 1) * size);
  g_assert_cmpuint (g_hash_table_size (places), >=, 2 * a_second * size / 4096);
  g_assert_cmpuint (g_hash_table_size (places), <=, 2 * 2 * a_second * size / 4096);
  g_hash_table_unref (places);
  rtc_history_free (history);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/history/packets-come-back-as-they-were", packets_come_back_as_they_were);
  g_test_add_func ("/history/no-more-packets-than-agreed", no_more_packets_than_agreed);
  g_test_add_func ("/history/no-more-bytes-than-agreed", no_more_bytes_than_agreed);
  g_test_add_func ("/history/nothing-older-than-agreed", nothing_older_than_agreed);
  g_test_add_func ("/history/any-sizes-and-rates", any_sizes_and_rates);
  g_test_add_func ("/history/memory-is-used-again", memory_is_used_again);
  return g_test_run ();
}
