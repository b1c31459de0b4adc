/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A channel that goes on over connections that are cut anywhere: nothing is lost, nothing comes twice. */

#include "rtc/gstrtclasting.h"

#include <gst/check/gstcheck.h>

#define STEPS 400
#define ROUNDS 300
#define MAX_CONNECTIONS 64

typedef struct _World World;
typedef struct _Connection Connection;

/* One end of the channel that a connection carries. */
typedef struct
{
  GstRtcChannel base;
  Connection *connection;
  guint side;
  gboolean closing;
} End;

/* What is under way to one side. */
typedef struct
{
  GQueue wire; /* of GBytes; NULL: the channel is opened; the first thing from the one that opens it */
  GQueue link; /* of guint64 *: what was delivered */
  gboolean is_gone; /* the side closed its end */
  GstRtcChannel *end; /* NULL: it does not know of the channel yet */
} Way;

struct _Connection
{
  World *world;
  guint serial;
  Way to[2];
};

typedef struct
{
  World *world;
  guint index;
  GstRtcLasting *lasting; /* NULL: not opened */
  guint current; /* serial; 0: none */
  guint said, heard;
  gboolean closed;
} Side;

struct _World
{
  GRand *rand;
  Connection connections[MAX_CONNECTIONS];
  guint n_connections;
  Side sides[2];
};

static gboolean
end_send (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error)
{
  End *end = (End *)channel;

  g_queue_push_tail (&end->connection->to[!end->side].wire, g_bytes_ref (message));
  return TRUE;
}

static gsize
end_get_buffered (GstRtcChannel *channel)
{
  return 0;
}

static void
end_set_low_threshold (GstRtcChannel *channel, gsize bytes)
{
}

static gint
end_get_id (GstRtcChannel *channel)
{
  return 0;
}

static void
end_close (GstRtcChannel *channel)
{
  End *end = (End *)channel;
  Way *there = &end->connection->to[!end->side];

  end->closing = TRUE;
  gst_rtc_channel_set_state (channel, GST_RTC_CHANNEL_CLOSED, NULL);
  /* After what was sent; the other one is closed by it. */
  if (there->end && !there->is_gone) {
    fail_unless (there->wire.length == 0, "it is closed before the peer has all");
    gst_rtc_channel_set_state (there->end, GST_RTC_CHANNEL_CLOSED, NULL);
  }
}

static void
end_add_stats (GstRtcChannel *channel, GstStructure *stats)
{
}

static void
end_free (GstRtcChannel *channel)
{
  g_free (channel);
}

static const GstRtcChannelClass end_class = {
    .send = end_send,
    .get_buffered = end_get_buffered,
    .set_low_threshold = end_set_low_threshold,
    .get_id = end_get_id,
    .close = end_close,
    .add_stats = end_add_stats,
    .free = end_free,
};

static GstRtcChannelInit
make_init (void)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;

  init.label = (gchar *)"x";
  return init;
}

static void
on_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer data)
{
  Side *side = data;

  fail_unless_equals_int (*(const guint *)g_bytes_get_data (message, NULL), side->heard);
  side->heard++;
}

static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer data)
{
  if (state != GST_RTC_CHANNEL_CLOSED)
    return;
  fail_unless (error == NULL, "%s", error ? error->message : "");
  ((Side *)data)->closed = TRUE;
}

static const GstRtcChannelEvents user_events = {.state = on_state, .message = on_message};

static void
on_due (GstRtcLasting *lasting, gboolean now, gpointer data)
{
}

static void
on_over (GstRtcLasting *lasting, const GError *error, gpointer data)
{
}

static const GstRtcLastingEvents lasting_events = {on_due, on_over};

static gboolean
counts (Side *side, Connection *connection)
{
  return side->current == 0 || side->current == connection->serial;
}

static void
open_end (Side *side, Connection *connection)
{
  GstRtcChannelInit init = make_init ();
  End *end = g_new0 (End, 1);
  gboolean first = FALSE;

  end->connection = connection;
  end->side = side->index;
  gst_rtc_channel_construct (&end->base, &end_class, "a", side->index == 1, &init, GST_RTC_CHANNEL_OPEN);
  connection->to[side->index].end = gst_rtc_channel_ref (&end->base);
  if (!side->lasting) {
    side->lasting = gst_rtc_lasting_new ("a", side->index == 1, 7, &init, &lasting_events, NULL, NULL);
    gst_rtc_channel_add_listener ((GstRtcChannel *)side->lasting, &user_events, side, NULL);
    first = side->index == 0 && counts (side, connection);
  }
  if (side->index == 0)
    g_queue_push_tail (&connection->to[1].wire, NULL);
  gst_rtc_lasting_add_part (side->lasting, &end->base, connection->serial, first);
  if (counts (side, connection))
    gst_rtc_lasting_begin (side->lasting, connection->serial);
}

static void
free_item (gpointer item)
{
  if (item)
    g_bytes_unref (item);
}

/* Nothing comes there any more; what it sent may still arrive at the other one. */
static void
leave (Side *side, Connection *connection)
{
  Way *way = &connection->to[side->index];
  GError *error;

  if (way->is_gone)
    return;
  way->is_gone = TRUE;
  g_queue_clear_full (&way->wire, free_item);
  g_queue_clear_full (&way->link, g_free);
  error = g_error_new_literal (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "It is gone");
  if (way->end)
    gst_rtc_channel_set_state (way->end, GST_RTC_CHANNEL_CLOSED, error);
  g_error_free (error);
  if (side->current == connection->serial)
    side->current = 0;
}

static void
promote (Side *side, Connection *connection)
{
  for (Connection *c = side->world->connections; c < connection; c++)
    leave (side, c);
  side->current = connection->serial;
  if (side->lasting)
    gst_rtc_lasting_begin (side->lasting, connection->serial);
}

static Connection *
last (World *world)
{
  return &world->connections[world->n_connections - 1];
}

/* The one that was begun before comes to nothing, when it did not come up. */
static void
connect_again (World *world)
{
  Connection *connection;

  for (guint i = 0; i < 2 && world->n_connections > 0; i++) {
    if (world->sides[i].current != last (world)->serial)
      leave (&world->sides[i], last (world));
  }
  connection = &world->connections[world->n_connections++];
  connection->world = world;
  connection->serial = world->n_connections;
  open_end (&world->sides[0], connection);
}

static void
say (Side *side)
{
  GBytes *message;

  if (!side->lasting)
    return;
  message = g_bytes_new (&side->said, sizeof side->said);
  side->said++;
  fail_unless (gst_rtc_channel_send ((GstRtcChannel *)side->lasting, FALSE, message, NULL));
  g_bytes_unref (message);
}

static void
carry (Side *side, Connection *connection)
{
  Way *way = &connection->to[side->index];
  GBytes *message;

  if (way->wire.length == 0)
    return;
  message = g_queue_pop_head (&way->wire);
  if (way->is_gone) {
    free_item (message);
  } else if (!message) {
    open_end (side, connection);
  } else {
    gst_rtc_channel_deliver (way->end, FALSE, message, 0);
    g_bytes_unref (message);
  }
}

static void
carry_link (Side *side, Connection *connection)
{
  Way *way = &connection->to[side->index];
  guint64 *delivered;

  if (way->link.length == 0)
    return;
  delivered = g_queue_pop_head (&way->link);
  if (!way->is_gone && side->lasting)
    gst_rtc_lasting_told (side->lasting, connection->serial, *delivered);
  g_free (delivered);
}

static void
tell (Side *side)
{
  guint64 delivered, *copy;
  guint serial;
  gboolean must;

  if (!side->lasting || gst_rtc_lasting_get_deadline (side->lasting, &serial, &must) < 0
      || !gst_rtc_lasting_tell (side->lasting, serial, &delivered))
    return;
  copy = g_new (guint64, 1);
  *copy = delivered;
  g_queue_push_tail (&side->world->connections[serial - 1].to[!side->index].link, copy);
}

static void
step (World *world)
{
  Side *side = &world->sides[g_rand_int_range (world->rand, 0, 2)];
  Connection *any = &world->connections[g_rand_int_range (world->rand, 0, world->n_connections)];

  switch (g_rand_int_range (world->rand, 0, 40)) {
    case 0:
      if (world->n_connections < MAX_CONNECTIONS - 1)
        connect_again (world);
      break;
    case 1:
      leave (side, any);
      break;
    case 2:
    case 3:
      if (!last (world)->to[side->index].is_gone)
        promote (side, last (world));
      break;
    default:
      switch (g_rand_int_range (world->rand, 0, 8)) {
        case 0:
        case 1:
          say (side);
          break;
        case 2:
          carry_link (side, any);
          break;
        case 3:
          carry_link (side, last (world));
          break;
        case 4:
          tell (side);
          break;
        case 5:
          carry (side, any);
          break;
        default:
          carry (side, last (world));
          break;
      }
  }
}

static void
settle (World *world)
{
  for (guint i = 0; i < 3 * STEPS; i++) {
    for (guint j = 0; j < 2; j++) {
      tell (&world->sides[j]);
      carry_link (&world->sides[j], last (world));
      carry (&world->sides[j], last (world));
    }
  }
}

static void
world_clear (World *world)
{
  for (guint i = 0; i < world->n_connections; i++) {
    for (guint j = 0; j < 2; j++) {
      Way *way = &world->connections[i].to[j];

      g_queue_clear_full (&way->wire, free_item);
      g_queue_clear_full (&way->link, g_free);
      if (way->end)
        gst_rtc_channel_unref (way->end);
    }
  }
  for (guint j = 0; j < 2; j++) {
    fail_unless_equals_int (((GstRtcChannel *)world->sides[j].lasting)->ref_count, 1);
    gst_rtc_channel_unref (world->sides[j].lasting);
  }
  g_rand_free (world->rand);
}

/* Returns how many messages were said. */
static guint
run (guint seed)
{
  World world = {.rand = g_rand_new_with_seed (seed)};
  Side *closer;
  guint said, n_steps = seed % 4 == 0 ? seed / 4 % 20 : STEPS;

  for (guint j = 0; j < 2; j++)
    world.sides[j] = (Side){.world = &world, .index = j};
  connect_again (&world);
  for (guint i = 0; i < n_steps; i++)
    step (&world);
  connect_again (&world);
  promote (&world.sides[seed % 2], last (&world));
  settle (&world);
  promote (&world.sides[!(seed % 2)], last (&world));
  closer = &world.sides[g_rand_int_range (world.rand, 0, 2)];
  /* It is closed with messages under way: they come first. */
  say (closer);
  if (seed % 3 > 0 || !closer->lasting)
    settle (&world);
  for (guint j = 0; j < 2; j++) {
    guint n = world.sides[j].said - (&world.sides[j] == closer && seed % 3 == 0);

    if (seed % 3 > 0)
      fail_unless_equals_int (world.sides[!j].heard, n);
  }
  gst_rtc_channel_close ((GstRtcChannel *)closer->lasting);
  settle (&world);
  fail_unless_equals_int (world.sides[!closer->index].heard, closer->said);
  fail_unless (world.sides[0].closed && world.sides[1].closed, "seed %u: it did not close", seed);
  said = world.sides[0].said + world.sides[1].said;
  world_clear (&world);
  return said;
}

GST_START_TEST (cut_anywhere)
{
  guint said = 0;

  for (guint seed = 0; seed < ROUNDS; seed++)
    said += run (seed);
  fail_unless (said > ROUNDS * 20);
}
GST_END_TEST;

static Suite *
rtclasting_suite (void)
{
  Suite *s = suite_create ("rtclasting");
  TCase *tcase = tcase_create ("lasting");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, cut_anywhere);
  return s;
}

GST_CHECK_MAIN (rtclasting);
