/* rtclink: how long a link takes to come up, and how late its frames are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* What both ends of every link are made of, so that only what stands between the two differs. */
#define BENCH_SOURCE \
  "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! " \
  "identity name=stamp ! vp8enc deadline=1 threads=1 keyframe-max-dist=100000 target-bitrate=2000000"
#define BENCH_SINKS \
  "vp8dec name=decoder ! tee name=frames " \
  "frames. ! queue ! fakesink name=at-once sync=false async=false signal-handoffs=true " \
  "frames. ! queue ! fakesink name=in-time sync=true async=false signal-handoffs=true"

typedef struct _BenchLink BenchLink;

/* One way to send a picture from one pipeline to another in this process. */
typedef struct
{
  gchar *name;
  gboolean is_rtcbin;
  gchar *transport; /* rtcbin's; NULL for others */
  gboolean clocksync_off; /* bare webrtcbins: their inner clocksync does not wait */
  guint latency; /* of the jitterbuffer, milliseconds; 0: what the element has out of the box */
} BenchVariant;

struct _BenchLink
{
  /* set at construction */
  const BenchVariant *variant;
  GstElement *sender, *receiver; /* pipelines */
  GstElement *from, *to; /* what connects them, in the pipelines */

  gint offered; /* atomic */
};

/* What was seen at the receiver. Times are microseconds of the monotonic clock. */
typedef struct
{
  GMutex lock;
  GCond cond;
  /* under lock */
  gint64 first_frame; /* 0: none yet */
  GArray *at_once, *in_time; /* of gint64: how old each frame was at a sink that does not wait, and at one that does */
  gint64 count_from; /* frames that come before this are not counted */
  guint unreadable; /* frames whose stamp was not whole */
} BenchMeter;

/* bench-link-bare.c, bench-link-rtcbin.c: makes the two pipelines, in NULL. NULL with ERROR. */
gboolean bench_bare_make (BenchLink *link, GError **error);
gboolean bench_rtcbin_make (BenchLink *link, GError **error);

/* Both pipelines are in PLAYING: brings the two together. */
void bench_bare_connect (BenchLink *link);
void bench_rtcbin_connect (BenchLink *link);

/* bench-meter.c: draws the time into what `stamp` lets pass, reads it at the sinks. Before PLAYING. */
BenchMeter *bench_meter_new (GstElement *sender, GstElement *receiver);

/* The pipelines are in NULL. */
void bench_meter_free (BenchMeter *meter);

/* The part P (0 to 1) of the sorted VALUES (gdouble) lies below; 0 when there are none. Sorts them. */
gdouble bench_quantile (GArray *values, gdouble p);

G_END_DECLS
