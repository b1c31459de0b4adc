/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#include "base/gstrtcdatahub.h"

G_BEGIN_DECLS

/* An rtcbin without a network: its peers and their channels do what a test says. Everything happens in the thread that
 * calls. */
typedef struct _FakeHub FakeHub;

/* One end of a channel: the test is the peer. */
typedef struct
{
  GstRtcChannel parent;
  FakeHub *hub; /* lives longer */
  gint id;

  GMutex lock;
  /* under lock */
  GQueue sent; /* of FakeMessage */
  guint n_sent;
  gsize buffered, low_threshold, unread;
  gboolean is_stalled; /* what is sent stays in the buffer */
  gboolean keeps_closing; /* close() comes to no end by itself */
  gsize max_message_size; /* 0: any */
} FakeChannel;

typedef struct
{
  GBytes *bytes;
  gboolean is_text;
} FakeMessage;

void fake_message_free (FakeMessage *message);

/* From here on the element "rtcbin" is the fake one. */
void fake_rtcbin_register (void);

/* A fake rtcbin's hub. (transfer none) */
FakeHub *fake_hub_of (GstElement *rtcbin);

/* A peer comes: channels are opened for those who want one. */
void fake_hub_add_peer (FakeHub *hub, const gchar *peer_id);

/* Its connection breaks, or is there again as another. */
void fake_hub_break_peer (FakeHub *hub, const gchar *peer_id);

/* Peers that come from now on have no data channels. */
void fake_hub_refuse (FakeHub *hub, gboolean refuses);

/* Channels that are opened from now on stay CONNECTING, until fake_channel_set_state(). */
void fake_hub_set_slow (FakeHub *hub, gboolean is_slow);

void fake_hub_set_clock_offset (FakeHub *hub, gint64 offset, gint64 error_bound);

/* The peer opens a channel, and whoever wants it is told. (transfer full) */
FakeChannel *fake_hub_open (FakeHub *hub, const gchar *peer_id, const gchar *label, const gchar *protocol);

/* The channel that was opened for PEER_ID last; NULL: none. (transfer full) */
FakeChannel *fake_hub_get_channel (FakeHub *hub, const gchar *peer_id);
guint fake_hub_count_users (FakeHub *hub);

void fake_channel_unref (FakeChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FakeChannel, fake_channel_unref)

void fake_channel_set_state (FakeChannel *channel, GstRtcChannelState state, const GError *error);

/* What is sent stays where it is, or leaves (all at once when it was stalled). */
void fake_channel_set_stalled (FakeChannel *channel, gboolean is_stalled);

/* The peer sends. */
void fake_channel_send_text (FakeChannel *channel, const gchar *text);
void fake_channel_send_bytes (FakeChannel *channel, gconstpointer data, gsize size);

/* Waits for the next message that was sent; fails the test when none comes. (transfer full) */
FakeMessage *fake_channel_take (FakeChannel *channel);

/* The same, which must be this TEXT. */
void fake_channel_expect (FakeChannel *channel, const gchar *text);
guint fake_channel_count (FakeChannel *channel);
gsize fake_channel_get_unread (FakeChannel *channel);

/* Looks every few ms whether CONDITION(DATA) is true; fails the test after ten seconds. */
void fake_wait (gboolean (*condition) (gpointer data), gpointer data, const gchar *what);

G_END_DECLS
