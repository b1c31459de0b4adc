/* rtclink: how long a link takes to come up, and how late its frames are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* rtcbin beside bare webrtcbins, in turns, in one process: README.md in this folder says what is measured and how to
 * read what is printed. */

#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define RTCBIN_LATENCY 60 /* rtcbin's own default, given to the second of the bare ones */
#define SETTLE (G_TIME_SPAN_SECOND * 3 / 2) /* what was queued while the link came up is out of the way by then */
#define DEADLINE (20 * G_TIME_SPAN_SECOND)
#define GOAL_SETUP 1.2
#define RESOLUTION 0.1 /* ms: what is printed, a 300th of the time between two frames */

enum
{
  SETUP,
  AT_ONCE,
  IN_TIME,
  N_FIGURES,
};

static const gchar *const figure_names[N_FIGURES] = {
    "set-up, both in PLAYING to the first decoded frame",
    "latency, source to a sink that does not wait (sync=false)",
    "latency, source to a synchronised sink (sync=true)",
};

/* All in milliseconds. */
typedef struct
{
  GArray *rounds[N_FIGURES]; /* of gdouble, one a round: the median of the round's frames */
  GArray *frames[N_FIGURES]; /* of gdouble: of all frames of all rounds */
  guint unreadable, failed;
} Figures;

static gint rounds = 20, seed = 1;
static gdouble seconds = 3;
static gchar *only = NULL;

static const GOptionEntry options[] = {
    {"rounds", 'n', 0, G_OPTION_ARG_INT, &rounds, "How often each kind of link is made (20)", "N"},
    {"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &seconds, "How long the frames of each link are measured (3)", "S"},
    {"seed", 0, 0, G_OPTION_ARG_INT, &seed, "Of the order in which they come (1)", "N"},
    {"only", 0, 0, G_OPTION_ARG_STRING, &only, "Only the link of this name", "NAME"},
    {NULL},
};

/* The kinds of links. */

static void
variant_free (gpointer data)
{
  BenchVariant *variant = data;

  g_free (variant->name);
  g_free (variant->transport);
  g_free (variant);
}

static void
add_variant (GPtrArray *variants, BenchVariant variant)
{
  if (only && g_strcmp0 (only, variant.name) != 0) {
    g_free (variant.name);
    g_free (variant.transport);
    return;
  }
  g_ptr_array_add (variants, g_memdup2 (&variant, sizeof (variant)));
}

static GPtrArray *
make_variants (void)
{
  GPtrArray *variants = g_ptr_array_new_with_free_func (variant_free);
  const gchar *path = g_getenv ("RTC_TEST_TRANSPORTS");
  g_autofree gchar *text = NULL;
  g_auto (GStrv) transports = NULL;

  if (!path || !g_file_get_contents (path, &text, NULL, NULL)) {
    g_printerr ("RTC_TEST_TRANSPORTS does not name the table of transports (tests/transports)\n");
    exit (2);
  }
  transports = g_strsplit (g_strstrip (text), "\n", 0);
  add_variant (variants, (BenchVariant){.name = g_strdup ("bare")});
  add_variant (variants,
      (BenchVariant){.name = g_strdup ("bare-no-clocksync"), .clocksync_off = TRUE, .latency = RTCBIN_LATENCY});
  for (guint i = 0; transports[i]; i++)
    add_variant (variants,
        (BenchVariant){.name = g_strconcat ("rtcbin-", transports[i], NULL),
            .is_rtcbin = TRUE,
            .transport = g_strdup (transports[i]),
            .latency = RTCBIN_LATENCY});
  return variants;
}

/* One link. */

static gboolean
on_bus (GstBus *bus, GstMessage *message, gpointer user_data)
{
  GstElement *pipeline = user_data;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_LATENCY) {
    gst_bin_recalculate_latency (GST_BIN (pipeline));
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR || GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING) {
    g_autoptr (GError) error = NULL;

    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      gst_message_parse_error (message, &error, NULL);
    else
      gst_message_parse_warning (message, &error, NULL);
    g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
start (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_add_watch (bus, on_bus, pipeline);
  return gst_element_set_state (pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

static void
stop (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_remove_watch (bus);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static gboolean
wake (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Runs the main loop, for the busses, until END or, when UNTIL_FRAME, the first frame. */
static void
run (BenchMeter *meter, gboolean until_frame, gint64 end)
{
  guint id = g_timeout_add (20, wake, NULL);

  while (g_get_monotonic_time () < end) {
    gboolean seen;

    g_main_context_iteration (NULL, TRUE);
    g_mutex_lock (&meter->lock);
    seen = meter->first_frame != 0;
    g_mutex_unlock (&meter->lock);
    if (until_frame && seen)
      break;
  }
  g_source_remove (id);
}

static gboolean
in_playing (GstElement *pipeline)
{
  GstState state;

  return gst_element_get_state (pipeline, &state, NULL, 10 * GST_SECOND) != GST_STATE_CHANGE_FAILURE
      && state == GST_STATE_PLAYING;
}

static void
note_ages (Figures *figures, guint which, const GArray *ages)
{
  g_autoptr (GArray) round = g_array_new (FALSE, FALSE, sizeof (gdouble));
  gdouble median;

  for (guint i = 0; i < ages->len; i++) {
    gdouble age = g_array_index (ages, gint64, i) / 1000.0;

    g_array_append_val (round, age);
    g_array_append_val (figures->frames[which], age);
  }
  median = bench_quantile (round, 0.5);
  g_array_append_val (figures->rounds[which], median);
}

static gboolean
note (Figures *figures, BenchMeter *meter, gint64 began)
{
  gdouble setup;
  gboolean ok;

  g_mutex_lock (&meter->lock);
  ok = meter->first_frame && meter->at_once->len && meter->in_time->len;
  if (ok) {
    setup = (meter->first_frame - began) / 1000.0;
    g_array_append_val (figures->rounds[SETUP], setup);
    g_array_append_val (figures->frames[SETUP], setup);
    note_ages (figures, AT_ONCE, meter->at_once);
    note_ages (figures, IN_TIME, meter->in_time);
  }
  figures->unreadable += meter->unreadable;
  figures->failed += !ok;
  g_mutex_unlock (&meter->lock);
  return ok;
}

static void
measure (const BenchVariant *variant, Figures *figures)
{
  BenchLink link = {.variant = variant};
  g_autoptr (GError) error = NULL;
  BenchMeter *meter;
  gint64 began;

  if (!(variant->is_rtcbin ? bench_rtcbin_make (&link, &error) : bench_bare_make (&link, &error))) {
    g_printerr ("%s: %s\n", variant->name, error->message);
    exit (1);
  }
  meter = bench_meter_new (link.sender, link.receiver);
  if (!start (link.receiver) || !start (link.sender) || !in_playing (link.receiver) || !in_playing (link.sender)) {
    g_printerr ("%s: a pipeline did not come to PLAYING\n", variant->name);
    exit (1);
  }
  began = g_get_monotonic_time ();
  if (variant->is_rtcbin)
    bench_rtcbin_connect (&link);
  else
    bench_bare_connect (&link);
  run (meter, TRUE, began + DEADLINE);
  g_mutex_lock (&meter->lock);
  meter->count_from = g_get_monotonic_time () + SETTLE;
  g_mutex_unlock (&meter->lock);
  if (meter->first_frame)
    run (meter, FALSE, meter->count_from + (gint64)(seconds * G_TIME_SPAN_SECOND));
  if (!note (figures, meter, began))
    g_printerr ("%s: no frame came within 20 s\n", variant->name);
  gst_object_unref (link.from);
  gst_object_unref (link.to);
  stop (link.sender);
  stop (link.receiver);
  bench_meter_free (meter);
}

/* All of them. */

static Figures *
figures_new (void)
{
  Figures *figures = g_new0 (Figures, 1);

  for (guint i = 0; i < N_FIGURES; i++) {
    figures->rounds[i] = g_array_new (FALSE, FALSE, sizeof (gdouble));
    figures->frames[i] = g_array_new (FALSE, FALSE, sizeof (gdouble));
  }
  return figures;
}

static void
figures_free (gpointer data)
{
  Figures *figures = data;

  for (guint i = 0; i < N_FIGURES; i++) {
    g_array_unref (figures->rounds[i]);
    g_array_unref (figures->frames[i]);
  }
  g_free (figures);
}

static void
shuffle (GRand *rand, guint *order, guint n)
{
  for (guint i = n - 1; i > 0; i--) {
    guint j = g_rand_int_range (rand, 0, i + 1), kept = order[i];

    order[i] = order[j];
    order[j] = kept;
  }
}

static void
print_rounds (const BenchVariant *variant, const Figures *figures)
{
  guint last = figures->rounds[SETUP]->len;

  if (last)
    g_print ("  %-20s set-up %7.1f ms, latency %6.1f ms, synchronised %6.1f ms\n", variant->name,
        g_array_index (figures->rounds[SETUP], gdouble, last - 1),
        g_array_index (figures->rounds[AT_ONCE], gdouble, last - 1),
        g_array_index (figures->rounds[IN_TIME], gdouble, last - 1));
}

/* Ratios of one round to the same round of the other, whose order in time the arrays still have. */
static GArray *
make_ratios (const GArray *values, const GArray *base)
{
  GArray *ratios = g_array_new (FALSE, FALSE, sizeof (gdouble));

  for (guint i = 0; i < MIN (values->len, base->len); i++) {
    gdouble ratio = g_array_index (values, gdouble, i) / g_array_index (base, gdouble, i);

    g_array_append_val (ratios, ratio);
  }
  return ratios;
}

static void
print_ratio (GPtrArray *all, guint v, guint to, guint which)
{
  Figures *figures = g_ptr_array_index (all, v), *base = g_ptr_array_index (all, MIN (to, all->len - 1));
  g_autoptr (GArray) ratios = make_ratios (figures->rounds[which], base->rounds[which]);

  g_print ("  %5.2f (%.2f..%.2f)", bench_quantile (ratios, 0.5), bench_quantile (ratios, 0.25),
      bench_quantile (ratios, 0.75));
}

static void
print_figure (GPtrArray *variants, GPtrArray *all, guint which)
{
  g_print ("\n%s, in ms\n  %-20s %8s %8s  %-18s  %-18s  %s\n", figure_names[which], "", "median", "p95",
      "rounds min..max", "ratio to 1st (IQR)", "ratio to 2nd (IQR)");
  for (guint v = 0; v < variants->len; v++) {
    const BenchVariant *variant = g_ptr_array_index (variants, v);
    Figures *figures = g_ptr_array_index (all, v);
    g_autoptr (GArray) medians = g_array_copy (figures->rounds[which]);

    g_print ("  %-20s %8.1f %8.1f  %7.1f .. %-7.1f", variant->name, bench_quantile (medians, 0.5),
        bench_quantile (figures->frames[which], 0.95), bench_quantile (medians, 0), bench_quantile (medians, 1));
    print_ratio (all, v, 0, which);
    print_ratio (all, v, 1, which);
    g_print ("\n");
  }
}

/* Whether the figure of V is at most FACTOR times that of the other, and whether it can be told at all: not below the
 * resolution, and not when a quarter of the rounds say the opposite. */
static void
print_goal (GPtrArray *all, guint v, guint to, guint which, gdouble factor, const gchar *goal)
{
  const GArray *values = ((Figures *)g_ptr_array_index (all, v))->rounds[which];
  const GArray *bounds = ((Figures *)g_ptr_array_index (all, to))->rounds[which];
  g_autoptr (GArray) mine = g_array_copy ((GArray *)values);
  g_autoptr (GArray) theirs = g_array_copy ((GArray *)bounds);
  g_autoptr (GArray) ratios = make_ratios (values, bounds);
  gdouble value = bench_quantile (mine, 0.5), bound = factor * bench_quantile (theirs, 0.5);
  const gchar *verdict = "NOT MET";

  if (value <= bound)
    verdict = "met";
  else if (value <= bound + RESOLUTION || bench_quantile (ratios, 0.25) <= factor)
    verdict = "even";
  g_print ("  %-8s%s: %.2f ms, bound %.2f ms\n", verdict, goal, value, bound);
}

static void
print_goals (GPtrArray *variants, GPtrArray *all)
{
  for (guint v = 2; v < variants->len; v++) {
    g_print ("\ngoals of %s\n", ((BenchVariant *)g_ptr_array_index (variants, v))->name);
    print_goal (all, v, 0, SETUP, GOAL_SETUP, "set-up at most 1.2 times the bare one's");
    print_goal (all, v, 0, AT_ONCE, 1, "latency (sync=false) below the bare one's");
    print_goal (all, v, 0, IN_TIME, 1, "latency (sync=true) below the bare one's");
    print_goal (all, v, 1, AT_ONCE, 1, "latency (sync=false) at most that without clocksync");
    print_goal (all, v, 1, IN_TIME, 1, "latency (sync=true) at most that without clocksync");
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("- set-up time and latency beside bare webrtcbins");
  g_autoptr (GPtrArray) variants = NULL;
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (figures_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) rand = NULL;
  Figures *warm_up = figures_new ();
  g_autofree guint *order = NULL;
  guint failed = 0;

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || rounds < 1 || seconds <= 0) {
    g_printerr ("%s\n", error ? error->message : "--rounds and --seconds must be above 0");
    return 2;
  }
  variants = make_variants ();
  order = g_new (guint, variants->len);
  rand = g_rand_new_with_seed (seed);
  for (guint v = 0; v < variants->len; v++) {
    order[v] = v;
    g_ptr_array_add (all, figures_new ());
    /* Plugins are loaded and tables made the first time: that is nobody's set-up time. */
    measure (g_ptr_array_index (variants, v), warm_up);
  }
  for (gint round = 0; round < rounds; round++) {
    g_print ("round %d of %d\n", round + 1, rounds);
    shuffle (rand, order, variants->len);
    for (guint i = 0; i < variants->len; i++) {
      measure (g_ptr_array_index (variants, order[i]), g_ptr_array_index (all, order[i]));
      print_rounds (g_ptr_array_index (variants, order[i]), g_ptr_array_index (all, order[i]));
    }
  }
  for (guint which = 0; which < N_FIGURES; which++)
    print_figure (variants, all, which);
  print_goals (variants, all);
  for (guint v = 0; v < variants->len; v++) {
    const Figures *figures = g_ptr_array_index (all, v);

    failed += figures->failed;
    if (figures->unreadable || figures->failed)
      g_print ("\n%s: %u links did not come up, %u frames could not be read\n",
          ((BenchVariant *)g_ptr_array_index (variants, v))->name, figures->failed, figures->unreadable);
  }
  figures_free (warm_up);
  return failed ? 1 : 0;
}
