/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcmessage.h"

G_BEGIN_DECLS

/* The client's side of the protocol: joining, resuming, staying alive, coming back, as a machine without thread, clock
 * or I/O. What happens goes in with the time; what is to be done comes out as actions.
 *
 * All times are milliseconds of one monotonic clock. */
typedef struct _RtcClient RtcClient;

typedef enum
{
  RTC_CLIENT_STOPPED,
  RTC_CLIENT_CONNECTING, /* no connection yet */
  RTC_CLIENT_JOINING, /* connected, no welcome yet */
  RTC_CLIENT_JOINED,
  RTC_CLIENT_WAITING, /* for the next attempt */
  RTC_CLIENT_FAILED, /* for good */
} RtcClientState;

typedef enum
{
  RTC_CLIENT_CONNECT, /* open a connection */
  RTC_CLIENT_SEND, /* send TEXT, one frame */
  RTC_CLIENT_CLOSE, /* close the connection with CLOSE_CODE, or give up opening it; nothing of it is said any more */
  RTC_CLIENT_DELIVER, /* TEXT is a message for whoever uses the client */
  RTC_CLIENT_JOIN_DONE, /* joined, or resumed */
  RTC_CLIENT_WARN, /* TEXT says what went wrong; the next attempt is in DELAY milliseconds */
  RTC_CLIENT_FAIL, /* TEXT says what went wrong, CODE what kind it is; nothing more is tried */
} RtcClientActionType;

/* Why a connection is not there. */
typedef enum
{
  RTC_LOSS_UNREACHABLE, /* refused, no route, no such name, no answer in time */
  RTC_LOSS_CLOSED, /* it was there, and ended */
  RTC_LOSS_NO_UPGRADE, /* an HTTP server answered, but not with a WebSocket */
  RTC_LOSS_UNTRUSTED, /* its certificate is not trusted */
  RTC_LOSS_REFUSED, /* the server refused: RtcClientAction.code has its code */
} RtcLoss;

typedef struct
{
  RtcClientActionType type;
  gchar *text;
  guint close_code;
  guint delay; /* milliseconds */
  RtcLoss loss;
  RtcErrorCode code;
} RtcClientAction;

void rtc_client_action_free (RtcClientAction *action);

typedef struct
{
  gboolean reconnect;
  guint delay_min, delay_max; /* milliseconds between attempts */
  guint connect_timeout; /* milliseconds until the welcome */
  guint ping_interval, ping_timeout; /* milliseconds; 0 for the interval: what the server says, or 5000 and 10000 */
  gdouble (*random) (gpointer user_data); /* from 0 up to, not including, 1 */
  gpointer user_data;
} RtcClientConfig;

typedef struct
{
  RtcClientState state;
  guint64 messages_in, messages_out, bytes_in, bytes_out; /* text on the connection */
  guint attempts; /* since the start */
  guint reconnects; /* times that it was joined again */
  gint64 rtt; /* milliseconds of the last ping, -1: none yet */
} RtcClientStats;

/* CONFIG is copied. */
RtcClient *rtc_client_new (const RtcClientConfig *config);
void rtc_client_free (RtcClient *self);

/* The next thing to do, in order; NULL when there is nothing. (transfer full) */
RtcClientAction *rtc_client_pop (RtcClient *self);

/* Begins. JOIN: what to join with, a message of type join. (transfer full) */
void rtc_client_start (RtcClient *self, RtcMessage *join, gint64 now);

/* The connection that was asked for is open. */
void rtc_client_opened (RtcClient *self, gint64 now);

/* It could not be opened, or ended. CLOSE_CODE: WebSocket's, 0 for none. REASON: a sentence for people. */
void rtc_client_lost (RtcClient *self, RtcLoss loss, guint close_code, const gchar *reason, gint64 now);

/* A text frame came. */
void rtc_client_receive (RtcClient *self, const gchar *text, gssize length, gint64 now);

/* A sign of life that is no message: a WebSocket pong. */
void rtc_client_alive (RtcClient *self, gint64 now);

/* Sends TEXT, a message to a peer or an `update`. While the connection is away and may be resumed it is kept.
 * Returns: FALSE with ERROR set (domain RTC_ERROR) when it is no such message or too much is kept. */
gboolean rtc_client_send (RtcClient *self, const gchar *text, gint64 now, GError **error);

/* Says bye where that is possible, and ends. */
void rtc_client_stop (RtcClient *self, gint64 now);

/* Does what is due. */
void rtc_client_tick (RtcClient *self, gint64 now);

/* When to call rtc_client_tick() at the latest: G_MAXINT64 for never. */
gint64 rtc_client_get_deadline (RtcClient *self);

void rtc_client_get_stats (RtcClient *self, RtcClientStats *stats);

/* NULL until it has joined. (transfer none) */
const gchar *rtc_client_get_peer_id (RtcClient *self);

const gchar *rtc_client_state_to_string (RtcClientState state);

G_END_DECLS
