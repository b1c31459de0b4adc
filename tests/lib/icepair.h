/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/gstrtcice.h"

G_BEGIN_DECLS

/* Full agents in twos on one loop, as the transport has them. The caller's thread is another one, except in what is
 * called through gst_rtc_loop_call(). */

typedef struct
{
  GstRtcLoop *loop;
  GstRtcPoll *poll; /* loop */
} IceWorld;

typedef struct _IceSide IceSide;
struct _IceSide
{
  IceWorld *world;
  IceSide *other;
  GstRtcIce *ice; /* loop; NULL: freed */
  gboolean echoes; /* sends back what comes; set before anything comes */
  gboolean deaf; /* is not told the other's candidates; set before the start */
  gint state, n_received, n_candidates, gathered; /* atomic */
  gchar *error; /* written once, before failed */
  gint failed; /* atomic */
};

IceWorld *ice_world_new (void);

/* What is being closed is waited for, as when rtcbin stops. Returns for how many microseconds. */
gint64 ice_world_free (IceWorld *world);

/* SIDES[0] is controlling. CONFIG: NULL: any address and port. Nothing begins. */
void ice_pair_new (IceWorld *world, const GstRtcTransportConfig *config, IceSide *sides);
void ice_pair_start (IceSide *sides); /* each is told all of the other's candidates as they come */
void ice_side_start (IceSide *side); /* one of them */
void ice_pair_free (IceSide *sides);

void ice_side_add_candidate (IceSide *side, const gchar *candidate);
void ice_side_send (IceSide *side, const gchar *text);

/* Polls until CONDITION holds; fails the test with its text after SECONDS. */
#define ice_wait(condition, seconds) \
  do { \
    gint64 ice_until = g_get_monotonic_time () + (seconds)*G_USEC_PER_SEC; \
\
    while (!(condition) && g_get_monotonic_time () < ice_until) \
      g_usleep (500); \
    if (!(condition)) \
      g_error ("%s:%d: still not so after %d s: %s", __FILE__, __LINE__, (gint)(seconds), #condition); \
  } while (0)

#define ice_is_connected(side) (g_atomic_int_get (&(side)->state) == GST_RTC_TRANSPORT_CONNECTED)

/* How many entries /proc/self/WHAT has ("fd", "task"). */
guint ice_count (const gchar *what);

G_END_DECLS
