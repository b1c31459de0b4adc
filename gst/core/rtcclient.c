/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcclient.h"

#include <string.h>

#include "rtcbackoff.h"
#include "rtcroom.h"

#define DEFAULT_PING_INTERVAL 5000
#define DEFAULT_PING_TIMEOUT 10000

struct _RtcClient
{
  RtcClientConfig config;
  RtcClientStats stats;
  RtcBackoff backoff;
  RtcMessage *join; /* what was last said of this client */

  gchar *peer_id, *resume; /* of the last welcome, or NULL */
  gchar *ice_servers; /* of the last welcome that was delivered, as text */
  gboolean resuming; /* the last thing asked for was resume */
  guint ping_interval, ping_timeout; /* in force; 0: none */
  gint64 opened, sent, received, pinged; /* milliseconds */
  gboolean awaits_pong;
  gint64 deadline; /* of the attempt, or of the wait before it; G_MAXINT64: none */

  /* The server said why before it closed. */
  gboolean was_refused;
  RtcErrorCode refusal;
  gchar *refusal_text;

  GQueue kept; /* of text, until it is resumed */
  gsize kept_bytes;
  GQueue actions; /* of RtcClientAction */
};

void
rtc_client_action_free (RtcClientAction *action)
{
  if (!action)
    return;
  g_free (action->text);
  g_free (action);
}

const gchar *
rtc_client_state_to_string (RtcClientState state)
{
  static const gchar *const names[] = {"stopped", "connecting", "joining", "joined", "waiting", "failed"};

  return names[state];
}

RtcClient *
rtc_client_new (const RtcClientConfig *config)
{
  RtcClient *self = g_new0 (RtcClient, 1);

  self->config = *config;
  self->stats.rtt = -1;
  self->deadline = G_MAXINT64;
  rtc_backoff_init (&self->backoff, config->delay_min, config->delay_max);
  g_queue_init (&self->kept);
  g_queue_init (&self->actions);
  return self;
}

static void
drop_kept (RtcClient *self)
{
  g_queue_clear_full (&self->kept, g_free);
  self->kept_bytes = 0;
}

void
rtc_client_free (RtcClient *self)
{
  if (!self)
    return;
  rtc_message_free (self->join);
  g_free (self->peer_id);
  g_free (self->resume);
  g_free (self->ice_servers);
  g_free (self->refusal_text);
  drop_kept (self);
  g_queue_clear_full (&self->actions, (GDestroyNotify)rtc_client_action_free);
  g_free (self);
}

RtcClientAction *
rtc_client_pop (RtcClient *self)
{
  return g_queue_pop_head (&self->actions);
}

/* TEXT: (transfer full) (nullable) */
static RtcClientAction *
act (RtcClient *self, RtcClientActionType type, gchar *text)
{
  RtcClientAction *action = g_new0 (RtcClientAction, 1);

  action->type = type;
  action->text = text;
  g_queue_push_tail (&self->actions, action);
  return action;
}

static void
send_text (RtcClient *self, gchar *text, gint64 now)
{
  self->sent = now;
  self->stats.messages_out++;
  self->stats.bytes_out += strlen (text);
  act (self, RTC_CLIENT_SEND, text);
}

static void
attempt (RtcClient *self, gint64 now)
{
  self->stats.state = RTC_CLIENT_CONNECTING;
  self->stats.attempts++;
  self->was_refused = FALSE;
  self->deadline = now + self->config.connect_timeout;
  act (self, RTC_CLIENT_CONNECT, NULL);
}

void
rtc_client_start (RtcClient *self, RtcMessage *join, gint64 now)
{
  g_return_if_fail (self->stats.state == RTC_CLIENT_STOPPED);

  self->join = join;
  join->version = RTC_PROTOCOL_VERSION;
  attempt (self, now);
}

static void
send_join (RtcClient *self, gint64 now)
{
  self->resuming = FALSE;
  send_text (self, rtc_message_to_json (self->join), now);
}

void
rtc_client_opened (RtcClient *self, gint64 now)
{
  if (self->stats.state != RTC_CLIENT_CONNECTING)
    return;
  self->stats.state = RTC_CLIENT_JOINING;
  self->opened = self->received = self->pinged = now;
  self->awaits_pong = FALSE;
  if (self->resume) {
    RtcMessage *resume = rtc_message_new (RTC_MESSAGE_RESUME);

    resume->version = RTC_PROTOCOL_VERSION;
    resume->peer_id = g_strdup (self->peer_id);
    resume->resume = g_strdup (self->resume);
    resume->token = g_strdup (self->join->token);
    self->resuming = TRUE;
    send_text (self, rtc_message_to_json (resume), now);
    rtc_message_free (resume);
  } else {
    send_join (self, now);
  }
}

static void
fail (RtcClient *self, RtcLoss loss, RtcErrorCode code, const gchar *reason)
{
  RtcClientAction *action = act (self, RTC_CLIENT_FAIL, g_strdup (reason));

  action->loss = loss;
  action->code = code;
  self->stats.state = RTC_CLIENT_FAILED;
  self->deadline = G_MAXINT64;
  drop_kept (self);
}

static gboolean
is_final (RtcClient *self, RtcLoss loss)
{
  switch (loss) {
    case RTC_LOSS_UNTRUSTED:
      return TRUE;
    case RTC_LOSS_NO_UPGRADE:
      /* A proxy in front of a server that restarts says such things, too. */
      return self->peer_id == NULL;
    case RTC_LOSS_REFUSED:
      return self->refusal == RTC_ERROR_UNSUPPORTED_VERSION || self->refusal == RTC_ERROR_UNAUTHORIZED
          || self->refusal == RTC_ERROR_REPLACED || (self->refusal == RTC_ERROR_BAD_MESSAGE && !self->peer_id);
    default:
      return FALSE;
  }
}

/* The connection is away. */
static void
lose (RtcClient *self, RtcLoss loss, const gchar *reason, gint64 now)
{
  RtcClientAction *action;
  gchar *text = NULL;
  guint delay;

  if (self->was_refused) {
    loss = RTC_LOSS_REFUSED;
    reason = text = g_strdup_printf ("the server refused: %s", self->refusal_text);
  }
  if (!self->config.reconnect || is_final (self, loss)) {
    fail (self, loss, self->was_refused ? self->refusal : RTC_ERROR_OTHER, reason);
    g_free (text);
    return;
  }
  delay = rtc_backoff_next (&self->backoff, self->config.random (self->config.user_data));
  action = act (self, RTC_CLIENT_WARN, g_strdup (reason));
  action->delay = delay;
  action->loss = loss;
  self->stats.state = RTC_CLIENT_WAITING;
  self->deadline = now + delay;
  g_free (text);
}

void
rtc_client_lost (RtcClient *self, RtcLoss loss, guint close_code, const gchar *reason, gint64 now)
{
  gchar *text;

  if (self->stats.state != RTC_CLIENT_CONNECTING && self->stats.state != RTC_CLIENT_JOINING
      && self->stats.state != RTC_CLIENT_JOINED)
    return;
  text = close_code ? g_strdup_printf ("%s (close code %u)", reason, close_code) : g_strdup (reason);
  lose (self, loss, text, now);
  g_free (text);
}

/* We end the connection ourselves, and treat it as lost. */
static void
drop (RtcClient *self, const gchar *reason, gint64 now)
{
  act (self, RTC_CLIENT_CLOSE, NULL)->close_code = RTC_CLOSE_ERROR;
  lose (self, self->stats.state == RTC_CLIENT_CONNECTING ? RTC_LOSS_UNREACHABLE : RTC_LOSS_CLOSED, reason, now);
}

static void
take_liveness (RtcClient *self, const RtcMessage *welcome)
{
  self->ping_interval = self->ping_timeout = 0;
  if (welcome->ping_interval == 0)
    return;
  self->ping_interval =
      MIN (welcome->ping_interval, self->config.ping_interval ? self->config.ping_interval : DEFAULT_PING_INTERVAL);
  self->ping_timeout = self->config.ping_timeout ? self->config.ping_timeout
      : welcome->ping_timeout                    ? welcome->ping_timeout
                                                 : DEFAULT_PING_TIMEOUT;
}

/* Whether the ICE servers of WELCOME are others than those that were delivered last; they are from now on. */
static gboolean
take_ice_servers (RtcClient *self, const RtcMessage *welcome)
{
  RtcMessage *only = rtc_message_new (RTC_MESSAGE_WELCOME);
  gboolean changed;
  gchar *text;

  only->ice_servers = welcome->ice_servers;
  text = rtc_message_to_json (only);
  only->ice_servers = NULL;
  rtc_message_free (only);
  changed = g_strcmp0 (text, self->ice_servers) != 0;
  g_free (self->ice_servers);
  self->ice_servers = text;
  return changed;
}

static void
handle_welcome (RtcClient *self, const RtcMessage *welcome, const gchar *text, gint64 now)
{
  gboolean joining = self->stats.state == RTC_CLIENT_JOINING;
  gboolean same = g_strcmp0 (self->peer_id, welcome->peer_id) == 0 && (!joining || welcome->resumed);
  gboolean news = take_ice_servers (self, welcome) || !same;
  gchar *kept;

  g_free (self->peer_id);
  self->peer_id = g_strdup (welcome->peer_id);
  g_free (self->resume);
  self->resume = g_strdup (welcome->resume);
  take_liveness (self, welcome);
  self->stats.state = RTC_CLIENT_JOINED;
  self->deadline = G_MAXINT64;
  rtc_backoff_reset (&self->backoff);
  if (joining && self->stats.attempts > 1)
    self->stats.reconnects++;
  if (joining)
    act (self, RTC_CLIENT_JOIN_DONE, NULL);
  if (news)
    act (self, RTC_CLIENT_DELIVER, g_strdup (text));

  /* What was meant for sessions of somebody whom nobody knows any more is of no use. */
  if (!same)
    drop_kept (self);
  while ((kept = g_queue_pop_head (&self->kept)))
    send_text (self, kept, now);
  self->kept_bytes = 0;
}

/* Whether it goes to whoever uses the client. */
static gboolean
handle_error (RtcClient *self, const RtcMessage *error, gint64 now)
{
  if (error->from)
    return TRUE;
  if (error->code == RTC_ERROR_RESUME_FAILED && self->resuming) {
    g_clear_pointer (&self->resume, g_free);
    send_join (self, now);
    return FALSE;
  }
  self->refusal = error->code;
  g_free (self->refusal_text);
  self->refusal_text = g_strdup_printf ("%s (%s)", error->reason ? error->reason : "no reason given", error->code_name);
  switch (error->code) {
    case RTC_ERROR_UNSUPPORTED_VERSION:
    case RTC_ERROR_UNAUTHORIZED:
    case RTC_ERROR_ROOM_FULL:
    case RTC_ERROR_TIMEOUT:
    case RTC_ERROR_OVERFLOW:
    case RTC_ERROR_REPLACED:
      self->was_refused = TRUE;
      break;
    default:
      /* Before the welcome it can only be about our join. */
      self->was_refused = self->stats.state == RTC_CLIENT_JOINING;
      break;
  }
  /* A server closes after these; one that does not would leave us waiting. */
  if (self->was_refused)
    drop (self, "", now);
  return !self->was_refused;
}

void
rtc_client_receive (RtcClient *self, const gchar *text, gssize length, gint64 now)
{
  RtcMessage *message;

  if (self->stats.state != RTC_CLIENT_JOINING && self->stats.state != RTC_CLIENT_JOINED)
    return;
  self->received = now;
  self->stats.messages_in++;
  self->stats.bytes_in += length < 0 ? strlen (text) : (gsize)length;

  message = rtc_message_from_json (text, length, NULL);
  if (!message) {
    if (self->stats.state == RTC_CLIENT_JOINING)
      drop (self, "what the server says is no message of this protocol", now);
    return;
  }
  if (message->type == RTC_MESSAGE_WELCOME) {
    gchar *copy = rtc_message_to_json (message);

    handle_welcome (self, message, copy, now);
    g_free (copy);
  } else if (message->type == RTC_MESSAGE_PONG) {
    if (self->awaits_pong)
      self->stats.rtt = now - self->pinged;
    self->awaits_pong = FALSE;
  } else if (message->type == RTC_MESSAGE_ERROR ? handle_error (self, message, now)
                                                : self->stats.state == RTC_CLIENT_JOINED
              && message->type != RTC_MESSAGE_UNKNOWN && message->type != RTC_MESSAGE_PING) {
    act (self, RTC_CLIENT_DELIVER, rtc_message_to_json (message));
  }
  rtc_message_free (message);
}

void
rtc_client_alive (RtcClient *self, gint64 now)
{
  self->received = MAX (self->received, now);
}

static void
replace (gchar **to, const gchar *from)
{
  if (!from)
    return;
  g_free (*to);
  *to = g_strdup (from);
}

/* A later join says what the update said. */
static void
take_update (RtcClient *self, const RtcMessage *update)
{
  replace (&self->join->display_name, update->display_name);
  replace (&self->join->meta, update->meta);
  if (update->role != RTC_ROLE_UNSET)
    self->join->role = update->role;
  if (update->has_tracks) {
    self->join->has_tracks = TRUE;
    self->join->n_video = update->n_video;
    self->join->n_audio = update->n_audio;
  }
}

gboolean
rtc_client_send (RtcClient *self, const gchar *text, gint64 now, GError **error)
{
  RtcMessage *message = rtc_message_from_json (text, -1, error);
  gsize length = strlen (text);
  gboolean update;

  if (!message)
    return FALSE;
  update = message->type == RTC_MESSAGE_UPDATE;
  if (!update && !rtc_message_type_is_routed (message->type)) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE, "a message of type %s, expected update or one to a peer",
        message->type_name);
    rtc_message_free (message);
    return FALSE;
  }
  if (update && self->join)
    take_update (self, message);
  rtc_message_free (message);

  if (self->stats.state == RTC_CLIENT_JOINED) {
    send_text (self, g_strdup (text), now);
  } else if (self->resume && self->stats.state != RTC_CLIENT_FAILED) {
    if (self->kept.length >= RTC_MAX_WAITING_MESSAGES || self->kept_bytes + length > RTC_MAX_WAITING_BYTES) {
      g_set_error (error, RTC_ERROR, RTC_ERROR_OVERFLOW, "%u messages wait for the connection to come back already",
          self->kept.length);
      return FALSE;
    }
    g_queue_push_tail (&self->kept, g_strdup (text));
    self->kept_bytes += length;
  }
  return TRUE;
}

void
rtc_client_stop (RtcClient *self, gint64 now)
{
  RtcClientState state = self->stats.state;

  if (state == RTC_CLIENT_JOINED) {
    RtcMessage *bye = rtc_message_new (RTC_MESSAGE_BYE);

    send_text (self, rtc_message_to_json (bye), now);
    rtc_message_free (bye);
  }
  if (state == RTC_CLIENT_CONNECTING || state == RTC_CLIENT_JOINING || state == RTC_CLIENT_JOINED)
    act (self, RTC_CLIENT_CLOSE, NULL)->close_code = RTC_CLOSE_NORMAL;
  self->stats.state = RTC_CLIENT_STOPPED;
  self->deadline = G_MAXINT64;
}

/* Also when only we talk: nothing need come back for that, and silence must mean that the server is dead. */
static gint64
ping_due (RtcClient *self)
{
  return MAX (MIN (self->sent, self->received), self->pinged) + self->ping_interval;
}

void
rtc_client_tick (RtcClient *self, gint64 now)
{
  RtcMessage *ping;

  if (now >= self->deadline) {
    if (self->stats.state == RTC_CLIENT_WAITING)
      attempt (self, now);
    else
      drop (self,
          self->stats.state == RTC_CLIENT_CONNECTING ? "no connection within connect-timeout"
                                                     : "connected, but no welcome within connect-timeout",
          now);
    return;
  }
  if (self->stats.state != RTC_CLIENT_JOINED || self->ping_interval == 0)
    return;
  if (now >= self->received + self->ping_timeout) {
    drop (self, "the server said nothing for ping-timeout", now);
  } else if (now >= ping_due (self)) {
    ping = rtc_message_new (RTC_MESSAGE_PING);
    send_text (self, rtc_message_to_json (ping), now);
    self->pinged = now;
    self->awaits_pong = TRUE;
    rtc_message_free (ping);
  }
}

gint64
rtc_client_get_deadline (RtcClient *self)
{
  if (self->stats.state != RTC_CLIENT_JOINED || self->ping_interval == 0)
    return self->deadline;
  return MIN (self->deadline, MIN (self->received + self->ping_timeout, ping_due (self)));
}

void
rtc_client_get_stats (RtcClient *self, RtcClientStats *stats)
{
  *stats = self->stats;
}

const gchar *
rtc_client_get_peer_id (RtcClient *self)
{
  return self->peer_id;
}
