/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both ends open channels of all kinds, send and close them at random, on a wire that loses, delays, reorders and
 * repeats as its seed says. A seed that failed is run again with RTC_TEST_SEED=N.
 */

#include "datawire.h"

#include <stdlib.h>
#include <string.h>

#define N_SEEDS 1000
#define N_STEPS 150
#define MAX_CHANNELS 40
#define MAX_MESSAGES (N_STEPS + 1)
#define HEADER 8 /* the number of the message, and whose it is */

/* A channel of the test, at both ends. */
typedef struct
{
  guint number;
  RtcDataChannel *ends[2]; /* NULL: not there (any more) */
  gboolean was_at[2];
  gboolean reliable, ordered;
  guint n_sent[2], n_received[2], n_empty_sent[2], n_empty_received[2]; /* by sender; the latter are in the former */
  guint last[2]; /* number that came last */
  gboolean got[2][MAX_MESSAGES];
} Track;

typedef struct
{
  Wire *wire;
  Track tracks[MAX_CHANNELS];
  guint n_tracks;
} Test;

static Test test;

#define FAIL(...) \
  g_error ("seed %u: %s (run again with RTC_TEST_SEED=%u)", test.wire->seed, g_strdup_printf (__VA_ARGS__), \
      test.wire->seed)

static void
on_channel (End *end, RtcDataChannel *channel)
{
  const RtcDataChannelInit *init = rtc_data_channel_get_init (channel);
  guint number = atoi (init->label);
  Track *track;

  if (number >= test.n_tracks)
    FAIL ("a channel \"%s\" that nobody opened", init->label);
  track = &test.tracks[number];
  if (track->was_at[end->number])
    FAIL ("channel %u was opened twice", number);
  if (init->ordered != track->ordered)
    FAIL ("channel %u is ordered %d", number, init->ordered);
  track->ends[end->number] = channel;
  track->was_at[end->number] = TRUE;
  rtc_data_channel_set_user_data (channel, track);
}

static void
on_state (End *end, RtcDataChannel *channel, RtcDataState state, const GError *error)
{
  Track *track = rtc_data_channel_get_user_data (channel);

  if (error)
    FAIL ("channel %u closed: %s", track->number, error->message);
  if (state != RTC_DATA_CLOSED)
    return;
  if (track->reliable && track->n_received[!end->number] != track->n_sent[!end->number])
    FAIL ("channel %u is closed at end %u, but %u of the %u messages for it came", track->number, end->number,
        track->n_received[!end->number], track->n_sent[!end->number]);
  track->ends[end->number] = NULL;
}

static void
on_message (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  Track *track = rtc_data_channel_get_user_data (channel);
  guint from = !end->number, number, owner;
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  track->n_received[from]++;
  if (size == 0) {
    track->n_empty_received[from]++;
    return;
  }
  if (is_text || size < HEADER)
    FAIL ("a message of %" G_GSIZE_FORMAT " bytes, text %d", size, is_text);
  memcpy (&number, data, 4);
  memcpy (&owner, data + 4, 4);
  if (owner != track->number || number >= track->n_sent[from])
    FAIL ("message %u of channel %u came on channel %u", number, owner, track->number);
  for (gsize i = HEADER; i < size; i++) {
    if (data[i] != (guint8)(number + i))
      FAIL ("message %u of channel %u differs at %" G_GSIZE_FORMAT, number, owner, i);
  }
  if (track->got[from][number])
    FAIL ("message %u of channel %u came twice", number, owner);
  track->got[from][number] = TRUE;
  if (track->ordered && track->n_received[from] - track->n_empty_received[from] > 1 && number < track->last[from])
    FAIL ("message %u of channel %u came after %u", number, owner, track->last[from]);
  track->last[from] = number;
}

static void
open_one (void)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  GRand *rand = test.wire->rand;
  guint from = g_rand_int_range (rand, 0, 2), kind = g_rand_int_range (rand, 0, 4);
  g_autofree gchar *label = g_strdup_printf ("%u", test.n_tracks);
  g_autoptr (GError) error = NULL;
  Track *track = &test.tracks[test.n_tracks];

  if (test.n_tracks >= MAX_CHANNELS)
    return;
  init.label = label;
  init.ordered = g_rand_boolean (rand);
  if (kind == 1)
    init.max_retransmits = g_rand_int_range (rand, 0, 4);
  if (kind == 2)
    init.max_packet_lifetime = g_rand_int_range (rand, 0, 500);
  init.priority = 128 << g_rand_int_range (rand, 0, 4);
  memset (track, 0, sizeof (*track));
  track->number = test.n_tracks++;
  track->ordered = init.ordered;
  track->reliable = kind != 1 && kind != 2;
  track->was_at[from] = TRUE;
  track->ends[from] = rtc_data_open (test.wire->ends[from].data, &init, test.wire->now, &error);
  g_assert_no_error (error);
  rtc_data_channel_set_user_data (track->ends[from], track);
}

static gsize
random_size (GRand *rand)
{
  guint kind = g_rand_int_range (rand, 0, 100);

  if (kind < 5)
    return 0;
  if (kind < 80)
    return g_rand_int_range (rand, HEADER, 2000);
  if (kind < 99)
    return g_rand_int_range (rand, HEADER, 40000);
  return g_rand_int_range (rand, HEADER, 300000);
}

static void
send_one (Track *track, guint from)
{
  gsize size = random_size (test.wire->rand);
  guint8 *data = g_malloc (size);
  g_autoptr (GBytes) message = NULL;
  guint number = track->n_sent[from]++;

  for (gsize i = HEADER; i < size; i++)
    data[i] = number + i;
  if (size > 0) {
    memcpy (data, &number, 4);
    memcpy (data + 4, &track->number, 4);
  } else {
    track->n_empty_sent[from]++;
  }
  message = g_bytes_new_take (data, size);
  wire_send (track->ends[from], FALSE, message, test.wire->now);
}

static void
step (void)
{
  GRand *rand = test.wire->rand;
  guint what = g_rand_int_range (rand, 0, 100), from = g_rand_int_range (rand, 0, 2);
  Track *track;

  if (what < 10 || test.n_tracks == 0) {
    open_one ();
    return;
  }
  track = &test.tracks[g_rand_int_range (rand, 0, test.n_tracks)];
  if (!track->ends[from] || rtc_data_channel_get_state (track->ends[from]) >= RTC_DATA_CLOSING)
    return;
  if (what < 15)
    rtc_data_channel_close (track->ends[from], test.wire->now);
  else
    send_one (track, from);
}

static gboolean
all_closed (Wire *wire, gpointer user_data)
{
  for (guint i = 0; i < test.n_tracks; i++) {
    Track *track = &test.tracks[i];

    if (track->ends[0] || track->ends[1])
      return FALSE;
    /* One that is closed before there is a link, with nothing to send, was never there. */
    if (track->n_sent[0] + track->n_sent[1] > 0 && (!track->was_at[0] || !track->was_at[1]))
      return FALSE;
  }
  return TRUE;
}

static void
close_all (void)
{
  for (guint i = 0; i < test.n_tracks; i++) {
    Track *track = &test.tracks[i];
    guint from = g_rand_int_range (test.wire->rand, 0, 2);

    /* Its opener may have closed it before the other end heard of it. */
    if (!track->ends[from])
      from = !from;
    if (track->ends[from])
      rtc_data_channel_close (track->ends[from], test.wire->now);
  }
}

static void
one_seed (guint seed)
{
  Wire *wire = wire_new (seed, seed % 2);

  memset (&test, 0, sizeof (test));
  test.wire = wire;
  wire->loss = g_rand_double_range (wire->rand, 0, 0.1);
  wire->repeat = g_rand_double_range (wire->rand, 0, 0.05);
  wire->delay = g_rand_int_range (wire->rand, 0, 60) * MS;
  wire->jitter = g_rand_int_range (wire->rand, 1, 30) * MS;
  for (guint i = 0; i < 2; i++) {
    wire->ends[i].on_channel = on_channel;
    wire->ends[i].on_state = on_state;
    wire->ends[i].on_message = on_message;
  }
  /* Some are opened, and messages sent, before there is a link. */
  for (guint i = 0; i < 3; i++)
    step ();
  wire_connect (wire);
  for (guint i = 0; i < N_STEPS; i++) {
    step ();
    wire_run (wire, g_rand_int_range (wire->rand, 0, 40) * MS);
  }
  close_all ();
  wire_run_until (wire, all_closed, NULL, 600 * SECOND);
  wire_free (wire);
}

static void
thousand_associations_on_a_bad_wire (void)
{
  const gchar *seed = g_getenv ("RTC_TEST_SEED");

  if (seed) {
    one_seed (atoi (seed));
    return;
  }
  for (guint i = 0; i < N_SEEDS; i++)
    one_seed (i);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/data/thousand_associations_on_a_bad_wire", thousand_associations_on_a_bad_wire);
  return g_test_run ();
}
