/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcroompeer.h"

#include <string.h>

void
rtc_room_free (gpointer data)
{
  RtcRoom *room = data;

  g_ptr_array_unref (room->peers);
  g_free (room->name);
  g_free (room);
}

void
rtc_room_peer_free (gpointer data)
{
  RtcRoomPeer *peer = data;

  g_queue_clear_full (&peer->kept, g_free);
  rtc_peer_info_free (peer->info);
  g_free (peer->resume);
  g_free (peer->last_resume);
  g_free (peer);
}

void
rtc_rooms_send_text (RtcRooms *self, RtcRoomConnection *connection, gchar *text)
{
  RtcRoomAction *action = g_new (RtcRoomAction, 1);

  *action = (RtcRoomAction){RTC_ROOM_SEND, connection->id, text, 0};
  g_queue_push_tail (&self->actions, action);
}

void
rtc_rooms_send (RtcRooms *self, RtcRoomConnection *connection, const RtcMessage *message)
{
  rtc_rooms_send_text (self, connection, rtc_message_to_json (message));
}

void
rtc_rooms_deliver (RtcRooms *self, RtcRoomPeer *peer, const RtcMessage *message)
{
  gchar *text = rtc_message_to_json (message);
  gsize length = strlen (text);

  if (peer->connection) {
    rtc_rooms_send_text (self, peer->connection, text);
    return;
  }
  /* A gap in what it gets would leave its sessions in a state that nobody expects. */
  if (peer->kept.length >= RTC_MAX_WAITING_MESSAGES || peer->kept_bytes + length > RTC_MAX_WAITING_BYTES
      || self->kept_bytes + length > self->config.max_kept_bytes) {
    g_free (text);
    rtc_rooms_remove_peer (self, peer, "removed");
    return;
  }
  g_queue_push_tail (&peer->kept, text);
  peer->kept_bytes += length;
  self->kept_bytes += length;
}

gchar *
rtc_room_peer_take_kept (RtcRooms *self, RtcRoomPeer *peer)
{
  gchar *text = g_queue_pop_head (&peer->kept);

  if (text) {
    peer->kept_bytes -= strlen (text);
    self->kept_bytes -= strlen (text);
  }
  return text;
}

RtcRoomPeer *
rtc_rooms_add_peer (RtcRooms *self, const gchar *name)
{
  RtcRoom *room = g_hash_table_lookup (self->rooms, name);
  RtcRoomPeer *peer = g_new0 (RtcRoomPeer, 1);
  gchar *id = rtc_id_new ("p-");

  if (!room) {
    room = g_new0 (RtcRoom, 1);
    room->name = g_strdup (name);
    room->peers = g_ptr_array_new ();
    g_hash_table_insert (self->rooms, room->name, room);
  }
  peer->info = rtc_peer_info_new (id);
  peer->serial = ++self->serial;
  peer->resume = rtc_id_new ("r-");
  peer->room = room;
  g_queue_init (&peer->kept);
  g_ptr_array_add (room->peers, peer);
  g_hash_table_insert (self->peers, peer->info->id, peer);
  g_free (id);
  return peer;
}

void
rtc_rooms_remove_peer (RtcRooms *self, RtcRoomPeer *peer, const gchar *reason)
{
  RtcMessage *left = rtc_message_new (RTC_MESSAGE_LEFT);
  RtcRoom *room = peer->room;
  guint i;

  left->peer_id = g_strdup (peer->info->id);
  left->reason = g_strdup (reason);
  g_ptr_array_remove_fast (room->peers, peer);
  for (i = 0; i < room->peers->len; i++) {
    RtcRoomPeer *other = g_ptr_array_index (room->peers, i);

    /* One that is absent learns it from `peers` when it is back. */
    if (other->connection)
      rtc_rooms_send (self, other->connection, left);
  }
  rtc_message_free (left);

  if (room->peers->len == 0)
    g_hash_table_remove (self->rooms, room->name);
  self->kept_bytes -= peer->kept_bytes;
  g_hash_table_remove (self->peers, peer->info->id);
}

void
rtc_room_peer_update (RtcRoomPeer *peer, const RtcMessage *message)
{
  RtcPeerInfo *info = peer->info;

  if (message->display_name) {
    g_free (info->display_name);
    info->display_name = g_strdup (message->display_name);
  }
  if (message->meta) {
    g_free (info->meta);
    info->meta = g_strdup (message->meta);
  }
  if (message->role != RTC_ROLE_UNSET)
    info->role = message->role;
  if (message->has_tracks) {
    info->n_video = message->n_video;
    info->n_audio = message->n_audio;
  }
}

gboolean
rtc_rooms_choose_offerer (
    RtcRole role_a, RtcOffers offers_a, RtcRole role_b, RtcOffers offers_b, gboolean later_b, gboolean *b_offers)
{
  gboolean a_to_b = role_a != RTC_ROLE_RECEIVE && role_b != RTC_ROLE_SEND;
  gboolean b_to_a = role_b != RTC_ROLE_RECEIVE && role_a != RTC_ROLE_SEND;

  if (!a_to_b && !b_to_a)
    return FALSE;
  if (offers_a != offers_b)
    *b_offers = offers_b > offers_a;
  else if ((role_a == RTC_ROLE_RECEIVE) != (role_b == RTC_ROLE_RECEIVE))
    *b_offers = role_a == RTC_ROLE_RECEIVE;
  else
    *b_offers = later_b;
  return TRUE;
}

gboolean
rtc_room_peers_talk (RtcRoomPeer *a, RtcRoomPeer *b, gboolean *b_offers)
{
  return rtc_rooms_choose_offerer (a->info->role, a->offers, b->info->role, b->offers, b->serial > a->serial, b_offers);
}

/* What READER is told about PEER. */
static RtcPeerInfo *
describe (RtcRoomPeer *peer, RtcRoomPeer *reader)
{
  RtcPeerInfo *info = rtc_peer_info_copy (peer->info);
  gboolean peer_offers;

  if (rtc_room_peers_talk (reader, peer, &peer_offers))
    info->offerer = g_strdup (peer_offers ? peer->info->id : reader->info->id);
  return info;
}

static gchar *
joined_text (RtcPeerInfo *info)
{
  RtcMessage *joined = rtc_message_new (RTC_MESSAGE_JOINED);
  gchar *text;

  joined->peers = g_ptr_array_new ();
  g_ptr_array_add (joined->peers, info);
  text = rtc_message_to_json (joined);
  rtc_message_free (joined);
  return text;
}

void
rtc_rooms_tell_joined (RtcRooms *self, RtcRoomPeer *peer)
{
  gchar *to_strangers = NULL; /* who have no session with it: it is the same for all of them, and most are */

  for (guint i = 0; i < peer->room->peers->len; i++) {
    RtcRoomPeer *other = g_ptr_array_index (peer->room->peers, i);
    RtcPeerInfo *info;

    if (other == peer || !other->connection)
      continue;
    info = describe (peer, other);
    if (info->offerer) {
      rtc_rooms_send_text (self, other->connection, joined_text (info));
    } else {
      if (!to_strangers)
        to_strangers = joined_text (info);
      rtc_rooms_send_text (self, other->connection, g_strdup (to_strangers));
    }
    rtc_peer_info_free (info);
  }
  g_free (to_strangers);
}

static gint
compare_offerers (gconstpointer a, gconstpointer b)
{
  const RtcPeerInfo *const *x = a, *const *y = b;

  return ((*y)->offerer != NULL) - ((*x)->offerer != NULL);
}

void
rtc_rooms_send_peers (RtcRooms *self, RtcRoomPeer *peer)
{
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_PEERS);
  GPtrArray *infos = g_ptr_array_new ();
  GQueue rest = G_QUEUE_INIT;
  gsize size = strlen ("{\"type\":\"peers\",\"peers\":[]}");
  gchar *text;
  guint i;

  for (i = 0; i < peer->room->peers->len; i++) {
    RtcRoomPeer *other = g_ptr_array_index (peer->room->peers, i);

    if (other != peer)
      g_ptr_array_add (infos, describe (other, peer));
  }
  /* After a resume those that are not in `peers` count as gone: let it be those without a session. */
  g_ptr_array_sort (infos, compare_offerers);

  message->peers = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_peer_info_free);
  for (i = 0; i < infos->len; i++) {
    RtcPeerInfo *info = g_ptr_array_index (infos, i);

    text = joined_text (info);
    size += strlen (text); /* more than what it takes inside of the array */
    if (size <= RTC_MAX_FRAME) {
      g_ptr_array_add (message->peers, info);
      g_free (text);
    } else {
      g_queue_push_tail (&rest, text);
      rtc_peer_info_free (info);
    }
  }
  rtc_rooms_send (self, peer->connection, message);
  while ((text = g_queue_pop_head (&rest)))
    rtc_rooms_send_text (self, peer->connection, text);
  g_ptr_array_unref (infos);
  rtc_message_free (message);
}
