/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether the path to a peer is alive, and what to do when it is not. Pure: the time (microseconds, monotonic) and what
 * was heard go in, actions and a deadline come out. One thread.
 *
 * When nothing was heard for twice as long as is usual (200 ms to 1 s), the peer is probed each 50 ms: a check as ICE
 * makes them (RFC 8445, section 7.2.2), outside of the agent's own list, on the path in use. Suspicion does no more
 * than that. Only probes that stay without an answer for 1 s mean that ICE is to be restarted, and so again each 2 s
 * while nothing is heard: an attempt has to be under way when the network returns. A peer that has never answered a
 * probe is not probed; then 4 s of silence are enough. A probe's answer also says how the peer sees us: when that is
 * another address than before (a NAT has forgotten us), there are peers that hear us there and send to the old one. */
typedef struct _RtcPath RtcPath;

typedef enum
{
  RTC_PATH_PROBE = 1 << 0, /* rtc_path_write_probe(), and send it */
  RTC_PATH_RESTART = 1 << 1, /* restart ICE */
  RTC_PATH_SILENT = 1 << 2, /* nothing was heard for 12 s */
  RTC_PATH_BACK = 1 << 3, /* the first sign of life after a gap: what was sent in it is lost, so both sides want a key
                             frame */
} RtcPathActions;

typedef struct
{
  guint n_gaps; /* how often the peer was away */
  gint64 last_gap; /* microseconds, from the last sign of life before to the first one after it */
  guint n_restarts; /* how often ICE was to be restarted */
} RtcPathStats;

#define RTC_PATH_MAX_PROBE 640

RtcPath *rtc_path_new (void);
void rtc_path_free (RtcPath *path);

/* What the pair in use was agreed with; at first, and when a restart found a path. Probes are possible from now on.
 * CONTROLLING: this side is, in ICE. */
void rtc_path_set_credentials (RtcPath *path, const gchar *local_ufrag, const gchar *remote_ufrag,
    const gchar *remote_password, gboolean controlling, gint64 now);

/* Something authentic came: SRTP, or a check of the peer. Returns actions. */
guint rtc_path_heard (RtcPath *path, gint64 now);

/* A STUN message came. Returns whether it was an authentic answer to a probe; then ACTIONS: (out). */
gboolean rtc_path_take_answer (RtcPath *path, const guint8 *data, gsize size, gint64 now, guint *actions);

/* The system says that there is no way to the peer; or, CHANGED, this machine has another address towards it. Returns
 * actions. */
guint rtc_path_broken (RtcPath *path, gboolean changed, gint64 now);

/* To be called at the deadline (-1: none) or later; returns actions. */
gint64 rtc_path_get_deadline (const RtcPath *path);
guint rtc_path_tick (RtcPath *path, gint64 now);

/* OUT: of RTC_PATH_MAX_PROBE bytes. Returns: the size. */
gsize rtc_path_write_probe (RtcPath *path, guint8 *out, gint64 now);

/* Whether nothing was heard for longer than usual. */
gboolean rtc_path_is_probing (const RtcPath *path);

/* Whether it was for so long that the next sign of life is RTC_PATH_BACK. */
gboolean rtc_path_is_interrupted (const RtcPath *path, gint64 now);

/* Whether RTC_PATH_SILENT was the last word. */
gboolean rtc_path_is_silent (const RtcPath *path);

/* Whether the peer was heard in the last 30 s: nothing is sent any more when it was not (RFC 7675). */
gboolean rtc_path_has_consent (const RtcPath *path, gint64 now);

const RtcPathStats *rtc_path_get_stats (const RtcPath *path);

G_END_DECLS
