/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/gstrtcnative.h"
#include "rtc/gstrtcsdp.h"

G_BEGIN_DECLS

/* Two connections of the native transport in one process, each with a loop of its own for its sockets, without rtcbin
 * around them: number 0 makes the offers. In a network namespace. */

typedef struct _TransportPair TransportPair;

/* A data channel, and what happened on it. */
typedef struct
{
  GstRtcChannel *channel;
  gboolean keeps; /* what comes counts as unread */
  gboolean echoes; /* what comes is sent back */

  GMutex lock;
  /* under lock */
  guint n_messages, n_texts, n_low;
  guint64 n_bytes;
  GBytes *last;
  gint64 last_arrival;
  GString *states; /* "O", "C", "X" */
  GError *error;
} TestChannel;

typedef struct
{
  TransportPair *pair;
  guint number;
  gpointer shared;
  GstRtcTransport *transport;
  GArray *lines; /* control loop */
  gboolean remote_known, is_closed;
  GPtrArray *early; /* candidates; control loop */

  GMutex lock;
  /* under lock */
  GstRtcTransportState state;
  GError *error;
  GPtrArray *opened; /* of TestChannel: by the peer */
} TransportSide;

struct _TransportPair
{
  GstRtcLoop *control;
  TransportSide sides[2];
  gboolean with_data[2]; /* whether a side takes data channels; TRUE at first */
  GPtrArray *channels; /* of TestChannel: all of them */
  GMutex channels_lock;
  gint n_restarts; /* answered; atomic */
  gboolean keeps, echoes; /* for channels that the peer opens */
};

/* UDP_PORT: of number 1, which is a lite agent then; 0: a full one. */
TransportPair *transport_pair_new (guint udp_port);
void transport_pair_start (TransportPair *pair);
void transport_pair_connect (TransportPair *pair); /* starts, and waits */
void transport_pair_restart (TransportPair *pair); /* ICE, and waits */
void transport_pair_close (TransportPair *pair, guint number);
void transport_pair_free (TransportPair *pair);

/* INIT: NULL: the defaults. Fails unless it is possible. */
TestChannel *transport_pair_open (TransportPair *pair, guint number, const gchar *label, const GstRtcChannelInit *init);

/* The one of that label that the other side opened; waits for it. */
TestChannel *transport_pair_get_opened (TransportPair *pair, guint number, const gchar *label);

guint test_channel_get_n_messages (TestChannel *channel);
guint64 test_channel_get_n_bytes (TestChannel *channel);
gboolean test_channel_is (TestChannel *channel, GstRtcChannelState state);
GstStructure *transport_pair_get_stats (TransportPair *pair, guint number);

/* Polls until CONDITION holds; fails the test with its text after SECONDS. */
#define transport_wait(condition, seconds) \
  do { \
    gint64 transport_until = g_get_monotonic_time () + (seconds)*G_USEC_PER_SEC; \
\
    while (!(condition) && g_get_monotonic_time () < transport_until) \
      g_usleep (500); \
    if (!(condition)) \
      g_error ("%s:%d: still not so after %d s: %s", __FILE__, __LINE__, (gint)(seconds), #condition); \
  } while (0)

G_END_DECLS
