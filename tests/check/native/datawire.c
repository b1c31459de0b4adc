/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "datawire.h"

#include <string.h>

typedef struct
{
  gint64 at;
  guint to;
  gsize size;
  guint8 data[2048];
} Packet;

static gint
compare_packets (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 x = ((const Packet *)a)->at, y = ((const Packet *)b)->at;

  return x < y ? -1 : x > y;
}

static void
put (Wire *wire, guint from, const guint8 *data, gsize size)
{
  Wire *line = wire->beside ? wire->beside : wire;
  Packet *packet;
  GList *after = wire->packets.tail;

  if (line->queue > 0 && line->free_at[from] - wire->now > line->queue) {
    wire->n_dropped[from]++;
    return;
  }
  packet = g_new (Packet, 1);
  g_assert_cmpuint (size, <=, sizeof (packet->data));
  packet->at = wire->now;
  if (line->rate) {
    line->free_at[from] = MAX (line->free_at[from], wire->now) + (gint64)size * SECOND / line->rate;
    packet->at = line->free_at[from];
  }
  packet->at += wire->delay;
  if (wire->jitter)
    packet->at += g_rand_int_range (wire->rand, 0, wire->jitter);
  packet->to = !from;
  if (wire->turn) {
    gint64 *turn_at = &wire->turn_at[packet->to];

    if (packet->at > *turn_at)
      *turn_at = packet->at + g_rand_int_range (wire->rand, 1, wire->turn);
    packet->at = *turn_at;
  }
  packet->size = size;
  memcpy (packet->data, data, size);
  /* Most are the last. */
  while (after && compare_packets (after->data, packet, NULL) > 0)
    after = after->prev;
  if (after)
    g_queue_insert_after (&wire->packets, after, packet);
  else
    g_queue_push_head (&wire->packets, packet);
}

/* Control chunks stand before data (RFC 9260, section 6.10), or other implementations abort. */
static void
check_order (const guint8 *data, gsize size)
{
  gboolean has_data = FALSE;

  for (gsize at = 12; at < size; at += ((data[at + 2] << 8 | data[at + 3]) + 3) & ~3) {
    gboolean is_data = data[at] == 0 || data[at] == 64;

    g_assert_true (is_data || !has_data);
    has_data |= is_data;
  }
}

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  End *end = user_data;
  Wire *wire = end->wire;
  guint8 copy[2048];

  g_assert_cmpuint (size, <=, sizeof (copy));
  check_order (data, size);
  memcpy (copy, data, size);
  wire->n_sent[end->number]++;
  wire->n_bytes[end->number] += size;
  if (wire->cut || (wire->loss > 0 && g_rand_double (wire->rand) < wire->loss))
    return;
  if (wire->filter && !wire->filter (wire, end->number, copy, size))
    return;
  put (wire, end->number, copy, size);
  if (wire->repeat > 0 && g_rand_double (wire->rand) < wire->repeat)
    put (wire, end->number, copy, size);
}

static void
on_link (gboolean is_up, const GError *error, gpointer user_data)
{
  End *end = user_data;

  g_assert_cmpint (is_up, !=, end->is_up);
  g_assert_true (is_up == (error == NULL));
  end->is_up = is_up;
  if (error)
    end->error = g_error_copy (error);
}

static void
on_channel (RtcDataChannel *channel, gpointer user_data)
{
  End *end = user_data;

  g_assert_cmpint (rtc_data_channel_get_state (channel), ==, RTC_DATA_OPEN);
  g_ptr_array_add (end->opened, channel);
  if (end->on_channel)
    end->on_channel (end, channel);
}

static void
on_state (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data)
{
  End *end = user_data;
  guint index;

  g_assert_cmpint (rtc_data_channel_get_state (channel), ==, state);
  g_assert_true (!error || state == RTC_DATA_CLOSED);
  if (end->on_state)
    end->on_state (end, channel, state, error);
  if (state == RTC_DATA_CLOSED && g_ptr_array_find (end->opened, channel, &index))
    end->opened->pdata[index] = NULL;
}

static void
on_message (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data)
{
  End *end = user_data;

  g_assert_cmpint (rtc_data_channel_get_state (channel), !=, RTC_DATA_CLOSED);
  if (end->on_message)
    end->on_message (end, channel, is_text, message);
}

static void
on_low (RtcDataChannel *channel, gpointer user_data)
{
  End *end = user_data;

  g_assert_cmpuint (rtc_data_channel_get_buffered (channel), <=, rtc_data_channel_get_init (channel)->low_threshold);
  if (end->on_low)
    end->on_low (end, channel);
}

static const RtcDataEvents events = {
    .transmit = on_transmit,
    .link = on_link,
    .channel = on_channel,
    .state = on_state,
    .message = on_message,
    .buffered_low = on_low,
};

Wire *
wire_new (guint seed, gboolean interleaving)
{
  RtcDataConfig config = {.max_message_size = RTC_DATA_MAX_MESSAGE_SIZE, .no_interleaving = !interleaving};
  Wire *wire = g_new0 (Wire, 1);

  wire->seed = seed;
  wire->rand = g_rand_new_with_seed (seed);
  g_random_set_seed (seed); /* tags, and where numbers begin */
  wire->now = SECOND;
  g_queue_init (&wire->packets);
  for (guint i = 0; i < 2; i++) {
    End *end = &wire->ends[i];

    end->wire = wire;
    end->number = i;
    end->opened = g_ptr_array_new ();
    end->data = rtc_data_new (&config, &events, end);
  }
  return wire;
}

void
wire_free (Wire *wire)
{
  for (guint i = 0; i < 2; i++) {
    rtc_data_free (wire->ends[i].data);
    g_clear_error (&wire->ends[i].error);
    g_ptr_array_unref (wire->ends[i].opened);
  }
  g_queue_clear_full (&wire->packets, g_free);
  g_rand_free (wire->rand);
  g_free (wire);
}

void
wire_start (Wire *wire)
{
  for (guint i = 0; i < 2; i++)
    rtc_data_start (wire->ends[i].data, i == 0, 5000, 5000, RTC_DATA_MAX_MESSAGE_SIZE, wire->now);
}

static gint64
next_event (Wire *wire)
{
  Packet *first = g_queue_peek_head (&wire->packets);
  gint64 next = first ? first->at : G_MAXINT64;

  for (guint i = 0; i < 2; i++) {
    gint64 deadline = rtc_data_get_deadline (wire->ends[i].data);

    if (deadline >= 0)
      next = MIN (next, deadline);
  }
  return MAX (next, wire->now);
}

static void
do_what_is_due (Wire *wire)
{
  Packet *first = g_queue_peek_head (&wire->packets);

  for (guint i = 0; i < 2; i++) {
    End *end = &wire->ends[i];
    gint64 deadline = rtc_data_get_deadline (end->data);

    if (deadline < 0 || deadline > wire->now)
      continue;
    rtc_data_tick (end->data, wire->now);
    deadline = rtc_data_get_deadline (end->data);
    if (deadline >= 0 && deadline <= wire->now)
      g_error ("seed %u: the deadline stays in the past", wire->seed);
  }
  if (first && first->at <= wire->now) {
    g_queue_pop_head (&wire->packets);
    rtc_data_take (wire->ends[first->to].data, first->data, first->size, wire->now);
    g_free (first);
  }
}

void
wire_run (Wire *wire, gint64 duration)
{
  gint64 end = wire->now + duration, next;

  while ((next = next_event (wire)) <= end) {
    wire->now = next;
    do_what_is_due (wire);
  }
  wire->now = end;
}

void
wire_run_both (Wire *a, Wire *b, gint64 duration)
{
  gint64 end = a->now + duration;

  b->now = MAX (a->now, b->now);
  for (;;) {
    gint64 first = next_event (a), second = next_event (b);
    Wire *next = first <= second ? a : b;

    if (MIN (first, second) > end)
      break;
    next->now = MIN (first, second);
    do_what_is_due (next);
  }
  a->now = b->now = end;
}

void
wire_run_until (Wire *wire, WireCondition condition, gpointer user_data, gint64 limit)
{
  gint64 end = wire->now + limit;

  while (!condition (wire, user_data)) {
    gint64 next = next_event (wire);

    if (next > end)
      g_error ("seed %u: what was waited for did not happen in %" G_GINT64_FORMAT
               " ms (run again with RTC_TEST_SEED=%u)",
          wire->seed, limit / MS, wire->seed);
    wire->now = next;
    do_what_is_due (wire);
  }
}

static gboolean
both_up (Wire *wire, gpointer user_data)
{
  return wire->ends[0].is_up && wire->ends[1].is_up;
}

void
wire_connect (Wire *wire)
{
  wire_start (wire);
  wire_run_until (wire, both_up, NULL, 30 * SECOND);
}

static gboolean
has_opened (Wire *wire, gpointer user_data)
{
  return wire->ends[1].opened->len > GPOINTER_TO_UINT (user_data);
}

static gboolean
has_opened_first (Wire *wire, gpointer user_data)
{
  return wire->ends[0].opened->len > GPOINTER_TO_UINT (user_data);
}

RtcDataChannel *
wire_open (Wire *wire, guint from, const RtcDataChannelInit *init, RtcDataChannel **peer)
{
  RtcDataChannelInit defaults = RTC_DATA_CHANNEL_INIT;
  End *other = &wire->ends[!from];
  guint n = other->opened->len;
  g_autoptr (GError) error = NULL;
  RtcDataChannel *channel = rtc_data_open (wire->ends[from].data, init ? init : &defaults, wire->now, &error);

  g_assert_no_error (error);
  wire_run_until (wire, from == 0 ? has_opened : has_opened_first, GUINT_TO_POINTER (n), 30 * SECOND);
  if (peer)
    *peer = g_ptr_array_index (other->opened, n);
  return channel;
}

GBytes *
wire_message (guint number, gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = number * 31 + i * 7 + (i >> 8);
  return g_bytes_new_take (data, size);
}

void
wire_send (RtcDataChannel *channel, gboolean is_text, GBytes *message, gint64 now)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = rtc_data_channel_send (channel, is_text, message, now, &error);

  g_assert_no_error (error);
  g_assert_true (ok);
}
