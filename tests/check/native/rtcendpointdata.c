/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two endpoints without media, with data channels over their DTLS, on a wire that loses, delays, reorders and repeats
 * as its seed says, with a clock that the test turns. A seed that failed is run again with RTC_TEST_SEED=N.
 */

#include "native/rtcdata.h"
#include "native/rtcendpoint.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000
#define SECOND (1000 * MS)
#define N_SEEDS 300
#define N_MESSAGES 30
#define MTU 1232 /* 1280 bytes, which every path of IPv6 carries, less IP and UDP */

typedef struct
{
  gint64 at;
  guint to;
  gsize size;
  guint8 data[2048];
} Datagram;

typedef struct _Wire Wire;

typedef struct
{
  Wire *wire;
  guint number;
  RtcEndpoint *endpoint;
  RtcData *data;
  RtcDtlsState state;
  guint n_received, n_opened, n_closed;
  GError *error;
} Side;

struct _Wire
{
  guint seed;
  GRand *rand;
  gdouble loss, repeat;
  gint64 delay, jitter, now;
  GQueue datagrams; /* by time */
  Side sides[2];
};

static gint
compare_datagrams (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 x = ((const Datagram *)a)->at, y = ((const Datagram *)b)->at;

  return x < y ? -1 : x > y;
}

static void
on_datagram (const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;
  Wire *wire = side->wire;

  g_assert_cmpuint (size, <=, MTU);
  for (guint n = 1 + (g_rand_double (wire->rand) < wire->repeat); n > 0; n--) {
    Datagram *datagram = g_new (Datagram, 1);

    datagram->at = wire->now + wire->delay + (wire->jitter ? g_rand_int_range (wire->rand, 0, wire->jitter) : 0);
    datagram->to = !side->number;
    datagram->size = size;
    memcpy (datagram->data, data, size);
    if (g_rand_double (wire->rand) < wire->loss)
      g_free (datagram);
    else
      g_queue_insert_sorted (&wire->datagrams, datagram, compare_datagrams, NULL);
  }
}

static void
on_dtls_state (RtcDtlsState state, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  side->state = state;
  if (state == RTC_DTLS_CONNECTED)
    rtc_data_start (side->data, side->number == 1, 5000, 5000, 0, side->wire->now);
}

static void
on_packet (const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;

  rtc_data_take (side->data, data, size, side->wire->now);
}

static const RtcEndpointEvents endpoint_events = {.transmit = on_datagram, .state = on_dtls_state, .data = on_packet};

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;

  g_assert_true (rtc_endpoint_send_data (side->endpoint, data, size));
}

static void
on_link (gboolean is_up, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  if (error && !side->error)
    side->error = g_error_copy (error);
}

static void
on_channel (RtcDataChannel *channel, gpointer user_data)
{
  ((Side *)user_data)->n_opened++;
}

static void
on_state (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data)
{
  g_assert_no_error (error);
  ((Side *)user_data)->n_closed += state == RTC_DATA_CLOSED;
}

static gsize
size_of (Wire *wire, guint number)
{
  return number % 7 == 0 ? 60000 + wire->seed : number * 37 % 3000;
}

static void
on_message (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data)
{
  Side *side = user_data;
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  if (size != size_of (side->wire, side->n_received) || is_text)
    g_error ("seed %u: message %u has %" G_GSIZE_FORMAT " bytes", side->wire->seed, side->n_received, size);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpuint (data[i], ==, (guint8)(side->n_received + i));
  side->n_received++;
}

static const RtcDataEvents data_events = {
    .transmit = on_transmit, .link = on_link, .channel = on_channel, .state = on_state, .message = on_message};

static RtcDtlsIdentity *identities[2];

static void
wire_init (Wire *wire, guint seed)
{
  RtcDataConfig config = {.max_message_size = RTC_DATA_MAX_MESSAGE_SIZE};

  *wire = (Wire){.seed = seed, .rand = g_rand_new_with_seed (seed), .now = SECOND};
  g_random_set_seed (seed);
  g_queue_init (&wire->datagrams);
  wire->loss = g_rand_int_range (wire->rand, 0, 6) / 100.0;
  wire->repeat = g_rand_int_range (wire->rand, 0, 3) / 100.0;
  wire->delay = g_rand_int_range (wire->rand, 0, 50) * MS;
  wire->jitter = g_rand_int_range (wire->rand, 0, 3) * 2 * MS;
  for (guint i = 0; i < 2; i++) {
    Side *side = &wire->sides[i];

    side->wire = wire;
    side->number = i;
    side->endpoint = rtc_endpoint_new (identities[i], &endpoint_events, side);
    side->data = rtc_data_new (&config, &data_events, side);
    rtc_endpoint_set_data_only (side->endpoint);
  }
  for (guint i = 0; i < 2; i++) {
    gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identities[!i]), NULL};

    rtc_endpoint_start (wire->sides[i].endpoint, i == 0, fingerprints, wire->now);
  }
}

static void
wire_clear (Wire *wire)
{
  for (guint i = 0; i < 2; i++) {
    rtc_data_free (wire->sides[i].data);
    rtc_endpoint_free (wire->sides[i].endpoint);
    g_clear_error (&wire->sides[i].error);
  }
  g_queue_clear_full (&wire->datagrams, g_free);
  g_rand_free (wire->rand);
}

static gint64
earlier (gint64 a, gint64 b)
{
  return b < 0 ? a : MIN (a, b);
}

static void
step (Wire *wire, gint64 end)
{
  Datagram *first = g_queue_peek_head (&wire->datagrams);
  gint64 next = first ? first->at : G_MAXINT64;

  for (guint i = 0; i < 2; i++) {
    next = earlier (next, rtc_endpoint_get_deadline (wire->sides[i].endpoint));
    next = earlier (next, rtc_data_get_deadline (wire->sides[i].data));
  }
  if (next > end)
    g_error ("seed %u: %u and %u of %u messages came (run again with RTC_TEST_SEED=%u)", wire->seed,
        wire->sides[0].n_received, wire->sides[1].n_received, N_MESSAGES, wire->seed);
  wire->now = MAX (wire->now, next);
  for (guint i = 0; i < 2; i++) {
    rtc_endpoint_tick (wire->sides[i].endpoint, wire->now, 0, 0);
    if (earlier (G_MAXINT64, rtc_data_get_deadline (wire->sides[i].data)) <= wire->now)
      rtc_data_tick (wire->sides[i].data, wire->now);
  }
  if (first && first->at <= wire->now) {
    g_queue_pop_head (&wire->datagrams);
    rtc_endpoint_take (wire->sides[first->to].endpoint, first->data, first->size, wire->now, 0);
    g_free (first);
  }
}

static void
play (guint seed)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  RtcDataChannel *channels[2];
  Wire wire;

  wire_init (&wire, seed);
  for (guint i = 0; i < 2; i++) {
    channels[i] = rtc_data_open (wire.sides[i].data, &init, wire.now, NULL);
    for (guint number = 0; number < N_MESSAGES; number++) {
      gsize size = size_of (&wire, number);
      guint8 *data = g_malloc (size);
      g_autoptr (GBytes) message = g_bytes_new_take (data, size);

      for (gsize k = 0; k < size; k++)
        data[k] = number + k;
      g_assert_true (rtc_data_channel_send (channels[i], FALSE, message, wire.now, NULL));
    }
    rtc_data_channel_close (channels[i], wire.now);
  }
  /* What was sent before it was open, and before it was closed. */
  while (wire.sides[0].n_closed < 2 || wire.sides[1].n_closed < 2)
    step (&wire, 60 * (gint64)SECOND);
  for (guint i = 0; i < 2; i++) {
    g_assert_cmpint (wire.sides[i].state, ==, RTC_DTLS_CONNECTED);
    g_assert_cmpuint (wire.sides[i].n_received, ==, N_MESSAGES);
    g_assert_cmpuint (wire.sides[i].n_opened, ==, 1);
    g_assert_null (rtc_endpoint_get_srtp_profile (wire.sides[i].endpoint));
    g_assert_no_error (wire.sides[i].error);
  }
  wire_clear (&wire);
}

static void
hundreds_of_sessions_on_a_bad_wire (void)
{
  const gchar *only = g_getenv ("RTC_TEST_SEED");

  for (guint i = 0; i < 2; i++)
    identities[i] = rtc_dtls_identity_new (NULL);
  for (guint seed = 0; seed < N_SEEDS; seed++) {
    if (!only || (guint)atoi (only) == seed)
      play (seed);
  }
  for (guint i = 0; i < 2; i++)
    rtc_dtls_identity_unref (identities[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/endpoint-data/hundreds_of_sessions_on_a_bad_wire", hundreds_of_sessions_on_a_bad_wire);
  return g_test_run ();
}
