/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/base/gstpushsrc.h>

#include "core/rtcdataqueue.h"
#include "core/rtcdeadman.h"
#include "gstrtcdataconfig.h"
#include "gstrtcfileinbox.h"

G_BEGIN_DECLS

#define GST_TYPE_DATA_CHANNEL_SRC (gst_data_channel_src_get_type ())
G_DECLARE_FINAL_TYPE (GstDataChannelSrc, gst_data_channel_src, GST, DATA_CHANNEL_SRC, GstPushSrc)

GST_ELEMENT_REGISTER_DECLARE (datachannelsrc);
extern GstDebugCategory *gst_data_channel_src_debug;

typedef enum
{
  GST_DATA_CHANNEL_TIMES_ARRIVAL,
  GST_DATA_CHANNEL_TIMES_SENDER,
} GstDataChannelTimes;

/* Taken out of the queue at once, when messages are short and many. */
#define GST_RTC_SRC_HAND 32

typedef struct _GstRtcSrcMessage GstRtcSrcMessage;

/* Microseconds, of some messages. */
typedef struct
{
  guint64 count;
  gint64 last, sum, max;
} GstRtcSrcLatency;

/* What was given out. */
typedef struct
{
  RtcDataCount count;
  GstRtcSrcLatency waited; /* in the queue */
} GstRtcSrcGiven;

struct _GstDataChannelSrc
{
  GstPushSrc parent;

  GMutex lock;
  GCond changed; /* with lock: a message came, the link went, unlock() */

  /* under lock; nothing of it changes while there is a hub */
  GstRtcDataConfig config;
  gboolean opens, eos_on_close;
  RtcDataOverflow overflow;
  guint64 max_bytes;
  guint max_time, deadman_timeout, deadman_repeat; /* ms */
  gchar *deadman_data;
  GstBuffer *deadman_buffer;
  GstCaps *caps; /* of binary messages; NULL: our own */
  GstDataChannelTimes times;
  gchar *directory; /* that files are received into; NULL: they are messages like others */
  gboolean overwrites;
  guint64 max_file_size;
  GstRtcDataHub *hub; /* from start() to stop() */

  /* under lock */
  GPtrArray *links; /* of GstRtcSrcLink, those that are not closed */
  GstRtcFileInbox *inbox; /* with directory, from start() to stop() */
  RtcDataQueue *queue; /* of GstRtcSrcMessage; NULL: stopped */
  RtcDeadman deadman;
  RtcDataCount received, dropped; /* dropped: of runs before this one */
  GstRtcSrcGiven given;
  GstRtcSrcLatency travelled; /* from the sender's clock to arrival */
  gboolean is_unlocked, is_playing, is_full;
  gboolean is_waiting; /* the streaming thread, for CHANGED */
  gboolean had_link, link_went; /* some channel was there; the last one closed, which was not dealt with yet */
  gboolean told_full; /* a warning that comes once */

  gint may_give; /* atomic: PLAYING and not unlocked */

  /* streaming thread and state changes */
  GstRtcSrcMessage *hand[GST_RTC_SRC_HAND]; /* that are out of the queue, and next, from hand_at on */
  guint hand_at, n_hand;
  GstRtcSrcGiven from_hand; /* that is not in GIVEN yet */
  guint attached; /* 0: not */
  gboolean is_text; /* what came last */
  GstCaps *current; /* NULL: none were set */
  const gchar *current_label, *current_protocol; /* in it */
};

/* A channel. The listener has a reference. */
typedef struct
{
  gint ref_count; /* atomic */
  GstDataChannelSrc *src; /* (owned) */
  GstRtcChannel *channel; /* (owned) */

  gint id; /* of the stream; -1: nothing came yet. Set before the first message is queued, and not again */

  /* under the src's lock */
  gboolean is_closed, is_held_up; /* the peer is made to wait because the queue is full */
  gssize unread; /* atomic: what the channel is still to be told of; it is called without the lock */
} GstRtcSrcLink;

struct _GstRtcSrcMessage
{
  GstRtcSrcLink *link; /* (owned) */
  GBytes *bytes;
  gboolean is_text;
  gint64 arrival; /* monotonic */
};

/* One that gst_rtc_src_pop() gave. Without the lock. */
void gst_rtc_src_message_free (GstRtcSrcMessage *message);

/* Of GstRtcDataUser. */
void gst_rtc_src_on_channel (GstRtcChannel *channel, gpointer src);

/* Of GstRtcFileInboxConfig. */
void gst_rtc_src_on_file (GstElement *src, GstRtcChannel *channel, const gchar *path);

/* For SRC's field. (transfer full) */
GPtrArray *gst_rtc_src_new_links (void);

/* The next message NOW (monotonic), which is counted; NULL: none. (transfer full) Streaming thread, with the lock. */
GstRtcSrcMessage *gst_rtc_src_pop (GstDataChannelSrc *self, gint64 now);

/* Without the lock. NULL: there may be some all the same. (transfer full) Streaming thread. */
GstRtcSrcMessage *gst_rtc_src_pop_from_hand (GstDataChannelSrc *self, gint64 now);

/* Accounts for what was in the hand, once all of it was given out. Streaming thread, with the lock, which it gives up
 * meanwhile. */
void gst_rtc_src_empty_hand (GstDataChannelSrc *self);

/* What was not given out is in the queue again. With the lock, when there is no streaming thread. */
void gst_rtc_src_put_back (GstDataChannelSrc *self);

/* Bytes in front of those that are given out: the sender's time. */
gsize gst_rtc_src_get_header_size (const GstRtcSrcMessage *message);

void gst_rtc_src_add_latency (GstRtcSrcLatency *latency, gint64 value);

/* Tells channels what became of their messages. With the lock, which it gives up meanwhile. */
void gst_rtc_src_settle_locked (GstDataChannelSrc *self);

/* Lets all channels go, after detach(). Without the lock. */
void gst_rtc_src_forget_channels (GstDataChannelSrc *self);

RtcDataQueue *gst_data_channel_src_new_queue (GstDataChannelSrc *self);
void gst_data_channel_src_install_properties (GObjectClass *klass);
void gst_data_channel_src_init_properties (GstDataChannelSrc *self);
void gst_data_channel_src_clear_properties (GstDataChannelSrc *self);

G_END_DECLS
