/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/rtcdata.h"

G_BEGIN_DECLS

/* Two ends of an association on a wire that loses, delays, reorders and repeats as its seed says, with a clock that
 * the test turns. */

#define MS 1000
#define SECOND (1000 * MS)

typedef struct _Wire Wire;
typedef struct _End End;

struct _End
{
  Wire *wire;
  guint number; /* 0: the DTLS client */
  RtcData *data;
  gboolean is_up;
  GError *error; /* why the link is gone */
  GPtrArray *opened; /* channels that the peer opened, in their order; those that are closed are NULL */
  gpointer user_data;

  /* (nullable) */
  void (*on_channel) (End *end, RtcDataChannel *channel);
  void (*on_state) (End *end, RtcDataChannel *channel, RtcDataState state, const GError *error);
  void (*on_message) (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message);
  void (*on_low) (End *end, RtcDataChannel *channel);
};

struct _Wire
{
  guint seed;
  GRand *rand;
  gdouble loss, repeat;
  gint64 delay, jitter;
  gint64 rate; /* bytes a second that one direction carries; 0: any number */
  gint64 queue; /* time that a packet may wait for that; 0: any */
  gint64 turn; /* most time until an end looks at what has come, by chance; 0: it does at once */
  gint64 now, free_at[2], turn_at[2];
  Wire *beside; /* (nullable) whose packets take the same line: its rate and queue are used */
  guint64 n_sent[2], n_bytes[2], n_dropped[2]; /* the last: by a full queue */
  GQueue packets; /* by time */
  End ends[2];
  gboolean cut; /* nothing arrives */

  /* (nullable) Whether a packet of this end goes on; may change it. */
  gboolean (*filter) (Wire *wire, guint from, guint8 *data, gsize size);
};

/* A perfect wire, and two ends that are not started. */
Wire *wire_new (guint seed, gboolean interleaving);
void wire_free (Wire *wire);

/* Starts both, and lets them connect. */
void wire_start (Wire *wire);
void wire_connect (Wire *wire);

/* Turns the clock, and does all that is due on the way. */
void wire_run (Wire *wire, gint64 duration);

/* The same with two that have a line together. */
void wire_run_both (Wire *a, Wire *b, gint64 duration);

/* Turns it until CONDITION is TRUE; fails after LIMIT. */
typedef gboolean (*WireCondition) (Wire *wire, gpointer user_data);
void wire_run_until (Wire *wire, WireCondition condition, gpointer user_data, gint64 limit);

/* From number 0 to the other; the other's is returned in PEER (nullable). INIT: NULL is the default. */
RtcDataChannel *wire_open (Wire *wire, guint from, const RtcDataChannelInit *init, RtcDataChannel **peer);

/* SIZE bytes that can be told from those of another NUMBER. */
GBytes *wire_message (guint number, gsize size);

/* Sends it; it must be possible. */
void wire_send (RtcDataChannel *channel, gboolean is_text, GBytes *message, gint64 now);

G_END_DECLS
