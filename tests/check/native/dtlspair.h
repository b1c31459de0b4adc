/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/rtcdtls.h"

G_BEGIN_DECLS

/* Two machines, joined by a wire that the test governs, and a clock that it turns. */

typedef struct _Pair Pair;

typedef struct
{
  Pair *pair;
  guint index; /* 0: the client */
  RtcDtls *dtls;
  RtcDtlsIdentity *identity;
  GString *states; /* one letter each: H C X (closed) F */
  GError *error;
  GPtrArray *data; /* what came, as strings */
  guint n_sent;
  gchar *data_on_connected; /* is sent from inside of the event */
} Side;

struct _Pair
{
  Side sides[2];
  GRand *random;
  gdouble loss, duplication; /* of a datagram */
  gint64 delay; /* at most, in microseconds: it is random, so they overtake each other */
  gint64 now;
  GList *flying;
  guint n_sent;

  /* (nullable) Whether the datagram goes on; it may be changed. */
  gboolean (*filter) (Side *from, guint8 *data, gsize size, gpointer user_data);
  gpointer user_data;

  /* (nullable) From inside of SIDE's event: a letter of its states, D for data, T for a datagram on its way. */
  void (*hook) (Side *side, gchar event);
};

/* IDENTITIES: (nullable) of the client and the server; NULL: new ones. */
Pair *pair_new (guint32 seed, RtcDtlsIdentity *client, RtcDtlsIdentity *server);
void pair_free (Pair *pair);

/* Starts one side. FINGERPRINTS: (nullable): those of the other side. */
void pair_start (Pair *pair, guint index, gchar **fingerprints);
void pair_start_both (Pair *pair);

/* What arrives and is due is handled in its order, until nothing is left to happen, or for DURATION microseconds. */
void pair_run (Pair *pair, gint64 duration);

/* A datagram arrives at one side, at once. */
void pair_inject (Pair *pair, guint to, const guint8 *data, gsize size);

/* Both are connected, with the same keys of PROFILE, and data passes both ways. */
void pair_check (Pair *pair, RtcSrtpProfile profile);

G_END_DECLS
