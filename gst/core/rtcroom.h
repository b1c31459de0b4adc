/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcmessage.h"

G_BEGIN_DECLS

/* The server's side of the protocol: rooms, peers, who offers, resuming, limits and timeouts, as a machine without
 * thread, clock or I/O. What happens on a connection goes in with the time; what is to be done comes out as actions.
 *
 * All times are milliseconds of one monotonic clock. A connection is a number, not 0, that the caller chooses and does
 * not use again. What is said about a connection that the machine has closed, or never saw, is ignored. */
typedef struct _RtcRooms RtcRooms;

#define RTC_CLOSE_NORMAL 1000
#define RTC_CLOSE_GOING_AWAY 1001
#define RTC_CLOSE_ERROR 4000 /* of this protocol: the reason is an error code */

/* What may wait for one client that does not read, or is not there. */
#define RTC_MAX_WAITING_MESSAGES 1024
#define RTC_MAX_WAITING_BYTES (4 * 1024 * 1024)

typedef struct
{
  const gchar *token; /* what `join` and `resume` must have, or NULL */
  guint resume_timeout, ping_interval, ping_timeout, join_timeout; /* milliseconds */
  guint max_room_peers, max_rooms, max_connections;
  gsize max_kept_bytes; /* for all absent peers together */
} RtcRoomsConfig;

#define RTC_ROOMS_CONFIG_DEFAULT \
  { \
    .resume_timeout = 10000, .ping_interval = 5000, .ping_timeout = 10000, .join_timeout = 10000, \
    .max_room_peers = RTC_MAX_PEERS, .max_rooms = 1024, .max_connections = 4096, .max_kept_bytes = 64 * 1024 * 1024 \
  }

typedef enum
{
  RTC_ROOM_SEND, /* send TEXT, one frame, to CONNECTION */
  RTC_ROOM_CLOSE, /* close CONNECTION with CLOSE_CODE and the reason TEXT, after what was sent to it */
} RtcRoomActionType;

typedef struct
{
  RtcRoomActionType type;
  guint connection;
  gchar *text;
  guint close_code;
} RtcRoomAction;

void rtc_room_action_free (RtcRoomAction *action);

/* CONFIG is copied. */
RtcRooms *rtc_rooms_new (const RtcRoomsConfig *config);
void rtc_rooms_free (RtcRooms *self);

/* The next thing to do, in order; NULL when there is nothing. (transfer full) */
RtcRoomAction *rtc_rooms_pop (RtcRooms *self);

/* A connection is open. PATH_ROOM: the room of a `join` that names none. LOCAL: a peer of the same process, which
 * needs neither token nor signs of life. */
void rtc_rooms_connect (RtcRooms *self, guint connection, const gchar *path_room, gboolean local, gint64 now);

/* A text frame came. */
void rtc_rooms_receive (RtcRooms *self, guint connection, const gchar *text, gssize length, gint64 now);

/* Something came that is no text frame: answers bad-message with REASON. */
void rtc_rooms_refuse (RtcRooms *self, guint connection, const gchar *reason, gint64 now);

/* A sign of life that is no message: a WebSocket pong. */
void rtc_rooms_alive (RtcRooms *self, guint connection, gint64 now);

/* The client does not read, too much waits for it: it is removed. */
void rtc_rooms_overflow (RtcRooms *self, guint connection, gint64 now);

/* The connection ended by itself. CLOSE_CODE: WebSocket's, 0 for none. */
void rtc_rooms_disconnect (RtcRooms *self, guint connection, guint close_code, gint64 now);

/* Everybody is told these in `welcome`, those who are here in a new one. SERVERS: of RtcIceServer, copied. */
void rtc_rooms_set_ice_servers (RtcRooms *self, GPtrArray *servers);

/* Does what is due. */
void rtc_rooms_tick (RtcRooms *self, gint64 now);

/* When to call rtc_rooms_tick() at the latest: G_MAXINT64 for never. May be early. */
gint64 rtc_rooms_get_deadline (RtcRooms *self);

guint rtc_rooms_count_connections (RtcRooms *self);
guint rtc_rooms_count_peers (RtcRooms *self); /* those that are absent and may come back count */
guint rtc_rooms_count_rooms (RtcRooms *self);

/* Which of the two makes the offers (FALSE: A, TRUE: B); the return value is FALSE when they have nothing to say to
 * each other. LATER_B: B joined after A. */
gboolean rtc_rooms_choose_offerer (
    RtcRole role_a, RtcOffers offers_a, RtcRole role_b, RtcOffers offers_b, gboolean later_b, gboolean *b_offers);

/* Whether GIVEN is SECRET, in a time that depends on GIVEN's length only. */
gboolean rtc_secret_equal (const gchar *secret, const gchar *given);

G_END_DECLS
