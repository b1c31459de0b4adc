/* rtclink: what an agent of full ICE costs, and a datagram through it
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "lib/icepair.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE 1200
#define BURST 10 /* what a socket holds without being read */

static const guint n_agents[] = {2, 50, 200};

static gint rounds = 200;

static const GOptionEntry options[] = {
    {"rounds", 'n', 0, G_OPTION_ARG_INT, &rounds, "How often each pair sends ten datagrams (200)", "N"},
    {NULL},
};

typedef struct
{
  IceSide (*pairs)[2];
  guint n;
  gdouble cpu; /* seconds of the loop's thread so far */
} Round;

static void
read_clock (gpointer data)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  ((Round *)data)->cpu = time.tv_sec + time.tv_nsec / 1e9;
}

/* What is really there: libnice allocates buffers of 64 KB that are hardly touched. */
static gsize
resident (void)
{
  gchar *text = NULL;
  gsize pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    pages = strtoul (strchr (text, ' '), NULL, 10);
  g_free (text);
  return pages * getpagesize ();
}

static void
send_burst (gpointer data)
{
  Round *round = data;
  guint8 space[BURST * SIZE];
  gsize sizes[BURST];
  GstRtcIceBatch batch = {space, sizes, BURST};

  memset (space, 0x80, sizeof (space));
  for (guint i = 0; i < BURST; i++)
    sizes[i] = SIZE;
  for (guint i = 0; i < round->n; i++)
    round->pairs[i][0].ice->klass->send (round->pairs[i][0].ice, &batch);
}

static guint
count_received (const Round *round)
{
  guint n = 0;

  for (guint i = 0; i < round->n; i++)
    n += g_atomic_int_get (&round->pairs[i][1].n_received);
  return n;
}

static void
measure (guint agents)
{
  GstRtcTransportConfig config = {.max_rtp_port = 65535, .addresses = {.interfaces = "rtc0"}};
  Round round = {g_malloc0 (agents / 2 * sizeof (IceSide[2])), agents / 2};
  IceWorld *world = ice_world_new ();
  guint fds = ice_count ("fd"), tasks, sent = 0;
  gsize memory = resident ();
  gint64 began = g_get_monotonic_time (), set_up;
  gdouble before, cost;

  for (guint i = 0; i < round.n; i++)
    ice_pair_new (world, &config, round.pairs[i]);
  tasks = ice_count ("task");
  for (guint i = 0; i < round.n; i++)
    ice_pair_start (round.pairs[i]);
  for (guint i = 0; i < round.n; i++)
    ice_wait (ice_is_connected (&round.pairs[i][0]) && ice_is_connected (&round.pairs[i][1]), 60);
  set_up = g_get_monotonic_time () - began;

  gst_rtc_loop_call (world->loop, read_clock, &round);
  before = round.cpu;
  for (gint i = 0; i < rounds; i++) {
    gst_rtc_loop_call (world->loop, send_burst, &round);
    sent += BURST * round.n;
    ice_wait (count_received (&round) >= sent, 10);
  }
  gst_rtc_loop_call (world->loop, read_clock, &round);
  memory = resident () - memory;
  cost = (round.cpu - before) / sent * 1e6;
  g_print ("%4u agents: %5.1f us a datagram sent and received, %3" G_GSIZE_FORMAT
           " KB, %.1f descriptors and %u threads an agent; all connected after %" G_GINT64_FORMAT " ms\n",
      agents, cost, memory / agents / 1024, (gdouble)(ice_count ("fd") - fds) / agents,
      (ice_count ("task") - tasks) / agents, set_up / 1000);
  for (guint i = 0; i < round.n; i++)
    ice_pair_free (round.pairs[i]);
  g_print ("%4u agents: closed after %" G_GINT64_FORMAT " ms\n", agents, ice_world_free (world) / 1000);
  g_free (round.pairs);
}

int
main (int argc, char **argv)
{
  GOptionContext *context = g_option_context_new ("- full ICE: agents in twos on one loop");
  GError *error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  g_option_context_free (context);
  gst_init (NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (n_agents); i++)
    measure (n_agents[i]);
  return 0;
}
