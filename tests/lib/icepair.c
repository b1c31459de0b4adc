/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "icepair.h"

#include <string.h>

#define PATIENCE_MS 5000

/* The transport's own is in a file that is not part of this program. */
GST_DEBUG_CATEGORY (gst_rtc_native_debug);

static void
world_begin (gpointer data)
{
  IceWorld *world = data;

  world->poll = gst_rtc_poll_new (world->loop, NULL);
  g_assert_nonnull (world->poll);
}

IceWorld *
ice_world_new (void)
{
  IceWorld *world = g_new0 (IceWorld, 1);

  GST_DEBUG_CATEGORY_INIT (gst_rtc_native_debug, "rtcnative", 0, "rtcbin's own transport");
  world->loop = gst_rtc_loop_new ("ice");
  gst_rtc_loop_call (world->loop, world_begin, world);
  return world;
}

static void
world_end (gpointer data)
{
  IceWorld *world = data;

  gst_rtc_poll_wait (world->poll, PATIENCE_MS);
  gst_rtc_poll_free (world->poll);
}

gint64
ice_world_free (IceWorld *world)
{
  gint64 began = g_get_monotonic_time ();

  gst_rtc_loop_call (world->loop, world_end, world);
  gst_rtc_loop_free (world->loop);
  g_free (world);
  return g_get_monotonic_time () - began;
}

/* What the agent tells. */

static void
on_candidate (const gchar *candidate, gpointer user_data)
{
  IceSide *side = user_data;

  if (candidate)
    g_atomic_int_inc (&side->n_candidates);
  else
    g_atomic_int_set (&side->gathered, TRUE);
  if (side->other->ice && !side->other->deaf)
    side->other->ice->klass->add_candidate (side->other->ice, candidate);
}

static void
on_state (GstRtcTransportState state, const GError *error, gpointer user_data)
{
  IceSide *side = user_data;

  g_atomic_int_set (&side->state, state);
  if (error && !g_atomic_int_get (&side->failed)) {
    side->error = g_strdup (error->message);
    g_atomic_int_set (&side->failed, TRUE);
  }
}

static gboolean
on_datagram (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  IceSide *side = user_data;
  GstRtcIceBatch batch = {data, &size, 1};

  g_atomic_int_inc (&side->n_received);
  if (side->echoes)
    side->ice->klass->send (side->ice, &batch);
  return FALSE;
}

static void
on_heard (guint changes, gint64 now, gpointer user_data)
{
}

static void
on_unreachable (gpointer user_data)
{
}

static const GstRtcIceEvents events = {
    .candidate = on_candidate,
    .state = on_state,
    .datagram = on_datagram,
    .heard = on_heard,
    .unreachable = on_unreachable,
};

/* What the test does. */

typedef struct
{
  IceSide *sides;
  const GstRtcTransportConfig *config;
  IceWorld *world;
  const gchar *text;
} Call;

static void
pair_new (gpointer data)
{
  Call *call = data;
  static const GstRtcTransportConfig any = {.max_rtp_port = 65535};

  for (guint i = 0; i < 2; i++) {
    IceSide *side = &call->sides[i];
    GError *error = NULL;

    *side = (IceSide){.world = call->world, .other = &call->sides[1 - i]};
    side->ice = gst_rtc_ice_full_new (
        call->world->poll, call->world->loop, call->config ? call->config : &any, i == 0, &events, side, &error);
    if (!side->ice)
      on_state (0, error, side);
    g_clear_error (&error);
  }
}

void
ice_pair_new (IceWorld *world, const GstRtcTransportConfig *config, IceSide *sides)
{
  Call call = {sides, config, world};

  gst_rtc_loop_call (world->loop, pair_new, &call);
}

static void
side_start (gpointer data)
{
  IceSide *side = data;

  side->ice->klass->set_remote (side->ice, side->other->ice->ufrag, side->other->ice->password, FALSE);
  side->ice->klass->gather (side->ice);
}

void
ice_side_start (IceSide *side)
{
  gst_rtc_loop_call (side->world->loop, side_start, side);
}

void
ice_pair_start (IceSide *sides)
{
  ice_side_start (&sides[0]);
  ice_side_start (&sides[1]);
}

static void
pair_free (gpointer data)
{
  IceSide *sides = data;

  for (guint i = 0; i < 2; i++) {
    if (sides[i].ice)
      sides[i].ice->klass->free (sides[i].ice);
    sides[i].ice = NULL;
    g_free (sides[i].error);
  }
}

void
ice_pair_free (IceSide *sides)
{
  gst_rtc_loop_call (sides[0].world->loop, pair_free, sides);
}

static void
add_candidate (gpointer data)
{
  Call *call = data;

  call->sides->ice->klass->add_candidate (call->sides->ice, call->text);
}

void
ice_side_add_candidate (IceSide *side, const gchar *candidate)
{
  Call call = {.sides = side, .text = candidate};

  gst_rtc_loop_call (side->world->loop, add_candidate, &call);
}

static void
send_text (gpointer data)
{
  Call *call = data;
  gsize size = strlen (call->text);
  GstRtcIceBatch batch = {(guint8 *)call->text, &size, 1};

  call->sides->ice->klass->send (call->sides->ice, &batch);
}

void
ice_side_send (IceSide *side, const gchar *text)
{
  Call call = {.sides = side, .text = text};

  gst_rtc_loop_call (side->world->loop, send_text, &call);
}

guint
ice_count (const gchar *what)
{
  gchar *path = g_strdup_printf ("/proc/self/%s", what);
  GDir *dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_free (path);
  g_assert_nonnull (dir);
  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n - (strcmp (what, "fd") == 0); /* the folder's own */
}
