/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcroom.h"

G_BEGIN_DECLS

/* Inside of RtcRooms: the peers of a room and what they are told about each other. Only rtcroom.c includes this. */

typedef struct _RtcRoom RtcRoom;
typedef struct _RtcRoomPeer RtcRoomPeer;

typedef struct
{
  guint id;
  gboolean local;
  gchar *path_room;
  gint64 opened, heard; /* milliseconds */
  guint bad_in_a_row;
  RtcRoomPeer *peer; /* NULL: has not joined */
} RtcRoomConnection;

struct _RtcRoomPeer
{
  RtcPeerInfo *info; /* the offerer in it is not used */
  RtcOffers offers;
  guint64 serial; /* larger: joined later */
  gchar *resume;
  gchar *last_resume; /* also good, until the client is heard on its new connection; or NULL */
  RtcRoom *room;
  RtcRoomConnection *connection; /* NULL: absent */
  gint64 absent_until; /* milliseconds; while absent */
  GQueue kept; /* of text, while absent */
  gsize kept_bytes;
};

struct _RtcRoom
{
  gchar *name;
  GPtrArray *peers; /* of RtcRoomPeer, which RtcRooms.peers owns */
};

struct _RtcRooms
{
  RtcRoomsConfig config;
  gchar *token;
  GPtrArray *ice_servers; /* of RtcIceServer */

  GHashTable *connections; /* id to RtcRoomConnection */
  GHashTable *peers; /* id to RtcRoomPeer */
  GHashTable *rooms; /* name to RtcRoom */
  guint64 serial;
  gsize kept_bytes; /* of all peers */
  gint64 deadline;
  GQueue actions; /* of RtcRoomAction */
};

void rtc_room_free (gpointer room);
void rtc_room_peer_free (gpointer peer);

/* Adds to the actions. TEXT: (transfer full). */
void rtc_rooms_send_text (RtcRooms *self, RtcRoomConnection *connection, gchar *text);
void rtc_rooms_send (RtcRooms *self, RtcRoomConnection *connection, const RtcMessage *message);

/* Sends to PEER, or keeps for it; a peer for which too much is kept is removed. */
void rtc_rooms_deliver (RtcRooms *self, RtcRoomPeer *peer, const RtcMessage *message);

/* The oldest text that was kept, or NULL. (transfer full) */
gchar *rtc_room_peer_take_kept (RtcRooms *self, RtcRoomPeer *peer);

/* A new peer in the room NAME, which is made when it is not there. */
RtcRoomPeer *rtc_rooms_add_peer (RtcRooms *self, const gchar *name);

/* Tells the others `left` with REASON and frees PEER; a room without peers goes, too. */
void rtc_rooms_remove_peer (RtcRooms *self, RtcRoomPeer *peer, const gchar *reason);

/* Takes over what a `join` or `update` says. */
void rtc_room_peer_update (RtcRoomPeer *peer, const RtcMessage *message);

/* Whether the two have something to say to each other, and then which one makes the offers. */
gboolean rtc_room_peers_talk (RtcRoomPeer *a, RtcRoomPeer *b, gboolean *b_offers);

/* Sends `peers` to PEER: all others of its room. What does not fit into one frame follows as `joined`. */
void rtc_rooms_send_peers (RtcRooms *self, RtcRoomPeer *peer);

/* Sends `joined` about PEER to all others of its room. */
void rtc_rooms_tell_joined (RtcRooms *self, RtcRoomPeer *peer);

G_END_DECLS
