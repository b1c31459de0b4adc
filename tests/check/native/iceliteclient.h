/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#pragma once

#include "native/rtcicelite.h"

G_BEGIN_DECLS

#define MS(n) ((n)*G_TIME_SPAN_MILLISECOND)
#define START (1000 * G_TIME_SPAN_SECOND)

/* A peer as it is on its own side. */
typedef struct
{
  RtcIceLite *lite;
  RtcIceLitePeer *peer;
  gchar *ufrag, *password; /* of the lite side, as this peer knows them */
  const gchar *own_ufrag;
  GHmac *key;
} Client;

/* What a check says. */
enum
{
  NOMINATED = 1 << 0,
  CONTROLLED = 1 << 1,
};

/* Adds a peer to LITE, with the client as its user data. client_clear() leaves the peer where it is. */
void client_init (Client *client, RtcIceLite *lite);
void client_clear (Client *client);

/* Takes over the credentials that the lite side has now. */
void client_learn (Client *client);

/* What the peer knows now; it goes on knowing that when there is a restart. */
Client client_copy (const Client *client);

/* 198.51.100.N, port 1000 + N. Below, addresses are these numbers. */
RtcAddress address_of (guint n);

/* A check into OUT, which has room for it. Returns its size. */
gsize write_check (Client *client, guint flags, guint8 *out);

/* Hands in a message that is to be answered, and looks at what every answer has to be. Returns its error, or 0. */
guint answered (Client *client, const RtcAddress *from, const guint8 *question, gsize size, gint64 now, guint *changes);

/* Hands in what nothing may come of. */
void ignored (RtcIceLite *lite, const RtcAddress *from, const guint8 *question, gsize size, gint64 now);

/* A check that is right. Returns what it changed. */
guint check (Client *client, guint from, gint64 now, guint flags);

/* A check that nothing may come of. */
void check_ignored (Client *client, guint from, gint64 now);

gboolean heard (Client *client, guint from, gint64 now);

/* Whether the peer is sent to at address N; 0: nowhere. */
gboolean goes_to (Client *client, guint n);

G_END_DECLS
