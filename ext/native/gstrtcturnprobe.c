/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcturnprobe.h"

#include <gio/gio.h>
#include <string.h>
#include <stun/usages/turn.h>

#define PATIENCE_MS 3000
#define AGAIN_MS 500
#define HEADER 20
#define NO_BANDWIDTH -1
#define LIFETIME 60 /* seconds; it is given back at once anyway */

struct _GstRtcTurnProbe
{
  /* loop */
  GstRtcLoop *loop;
  RtcIceUrl *url;
  GstRtcTurnProbeFunc func;
  gpointer user_data;
  GSocket *socket;
  GSource *source, *timer;
  guint waited; /* milliseconds */
  gboolean connecting; /* TCP */
  gboolean told_user; /* the question in REQUEST has credentials */
  gchar *what; /* what is to be told */
  StunAgent stun;
  StunMessage request, answer;
  guint8 request_bytes[STUN_MAX_MESSAGE_SIZE];
  guint8 answer_bytes[STUN_MAX_MESSAGE_SIZE];
  gsize request_size, answer_size;
};

static void
end_sources (GstRtcTurnProbe *self)
{
  if (self->source) {
    g_source_destroy (self->source);
    g_source_unref (self->source);
  }
  self->source = NULL;
  if (self->timer)
    g_source_destroy (self->timer);
  self->timer = NULL;
}

static void
tell (gpointer user_data)
{
  GstRtcTurnProbe *self = user_data;

  self->timer = NULL;
  self->func (self->what, self->user_data);
}

/* WHAT is taken. */
static void
finish (GstRtcTurnProbe *self, gchar *what)
{
  end_sources (self);
  self->what = what;
  self->timer = gst_rtc_loop_add_timeout (self->loop, 0, tell, self);
}

static void
send_request (GstRtcTurnProbe *self)
{
  /* What is not sent is sent again, or missed, which is the answer then. */
  g_socket_send (self->socket, (const gchar *)self->request_bytes, self->request_size, NULL, NULL);
}

static void
ask (GstRtcTurnProbe *self, gboolean with_user)
{
  const RtcIceUrl *url = self->url;

  self->told_user = with_user;
  self->request_size = stun_usage_turn_create (&self->stun, &self->request, self->request_bytes,
      sizeof (self->request_bytes), with_user ? &self->answer : NULL, STUN_USAGE_TURN_REQUEST_PORT_NORMAL, NO_BANDWIDTH,
      LIFETIME, with_user ? (uint8_t *)url->user : NULL, with_user ? strlen (url->user) : 0,
      with_user ? (uint8_t *)url->password : NULL, with_user ? strlen (url->password) : 0,
      STUN_USAGE_TURN_COMPATIBILITY_RFC5766);
  send_request (self);
}

static void
give_back (GstRtcTurnProbe *self)
{
  const RtcIceUrl *url = self->url;

  self->request_size = stun_usage_turn_create_refresh (&self->stun, &self->request, self->request_bytes,
      sizeof (self->request_bytes), &self->answer, 0, (uint8_t *)url->user, strlen (url->user),
      (uint8_t *)url->password, strlen (url->password), STUN_USAGE_TURN_COMPATIBILITY_RFC5766);
  send_request (self);
}

static gchar *
describe_refusal (GstRtcTurnProbe *self, int code)
{
  uint16_t size = 0;
  const gchar *attribute = stun_message_find (&self->answer, STUN_ATTRIBUTE_ERROR_CODE, &size);
  gchar *reason = attribute && size > 4 ? g_utf8_make_valid (attribute + 4, MIN (size - 4, 60)) : g_strdup ("");
  gchar *what;

  if (code == 401)
    what = g_strdup_printf ("it refuses the credentials of user %s (%d %s): check user and password of turn-server, "
                            "percent-encoded where they hold what means something in a URL",
        *self->url->user ? self->url->user : "(none)", code, reason);
  else
    what = g_strdup_printf ("it gives no relay (%d %s)", code, reason);
  g_free (reason);
  return what;
}

static void
take_answer (GstRtcTurnProbe *self)
{
  int code = 0;

  if (stun_agent_validate (&self->stun, &self->answer, self->answer_bytes, self->answer_size, NULL, NULL)
      != STUN_VALIDATION_SUCCESS)
    return;
  if (stun_message_get_class (&self->answer) == STUN_RESPONSE) {
    give_back (self);
    finish (self, g_strdup ("it gave no relay in time, but one when it was asked again"));
  } else if (stun_message_find_error (&self->answer, &code) != STUN_MESSAGE_RETURN_SUCCESS) {
    finish (self, g_strdup ("it answers with what is no answer to a request for a relay"));
  } else if (code == 401 && !self->told_user && *self->url->user) {
    ask (self, TRUE);
  } else {
    finish (self, describe_refusal (self, code));
  }
}

/* A datagram is one message; of a stream it is known from the header. */
static gboolean
is_whole (GstRtcTurnProbe *self)
{
  const guint8 *at = self->answer_bytes;

  return !self->url->tcp || (self->answer_size >= HEADER && self->answer_size >= HEADER + (gsize)(at[2] << 8 | at[3]));
}

static gboolean
on_socket (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  GstRtcTurnProbe *self = user_data;
  GError *error = NULL;
  gssize size;

  if (self->connecting) {
    if (!g_socket_check_connect_result (socket, &error)) {
      finish (self, g_strdup_printf ("it cannot be reached: %s", error->message));
      g_error_free (error);
      return G_SOURCE_REMOVE;
    }
    self->connecting = FALSE;
    g_source_destroy (self->source);
    g_source_unref (self->source);
    self->source = g_socket_create_source (socket, G_IO_IN, NULL);
    g_source_set_callback (self->source, G_SOURCE_FUNC (on_socket), self, NULL);
    g_source_attach (self->source, gst_rtc_loop_get_context (self->loop));
    ask (self, FALSE);
    return G_SOURCE_REMOVE;
  }
  if (!self->url->tcp)
    self->answer_size = 0;
  size = g_socket_receive (socket, (gchar *)self->answer_bytes + self->answer_size,
      sizeof (self->answer_bytes) - self->answer_size, NULL, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
    g_error_free (error);
    return G_SOURCE_CONTINUE;
  }
  if (size <= 0) {
    finish (self,
        error ? g_strdup_printf ("it cannot be reached: %s", error->message)
              : g_strdup ("it ends the connection without an answer"));
    g_clear_error (&error);
    return G_SOURCE_REMOVE;
  }
  self->answer_size += size;
  if (is_whole (self)) {
    take_answer (self);
    self->answer_size = 0;
  }
  return self->what ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
on_timer (gpointer user_data)
{
  GstRtcTurnProbe *self = user_data;

  self->timer = NULL;
  self->waited += AGAIN_MS;
  if (self->waited >= PATIENCE_MS) {
    finish (self, g_strdup ("it does not answer"));
    return;
  }
  if (!self->url->tcp)
    send_request (self);
  self->timer = gst_rtc_loop_add_timeout (self->loop, AGAIN_MS, on_timer, self);
}

GstRtcTurnProbe *
gst_rtc_turn_probe_new (
    GstRtcLoop *loop, const RtcIceUrl *url, const gchar *ip, GstRtcTurnProbeFunc func, gpointer user_data)
{
  GstRtcTurnProbe *self = g_new0 (GstRtcTurnProbe, 1);
  GSocketAddress *address = g_inet_socket_address_new_from_string (ip, url->port);
  GError *error = NULL;

  self->loop = loop;
  self->url = rtc_ice_url_copy (url);
  self->func = func;
  self->user_data = user_data;
  stun_agent_init (
      &self->stun, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389, STUN_AGENT_USAGE_LONG_TERM_CREDENTIALS);
  self->socket =
      g_socket_new (g_socket_address_get_family (address), url->tcp ? G_SOCKET_TYPE_STREAM : G_SOCKET_TYPE_DATAGRAM,
          url->tcp ? G_SOCKET_PROTOCOL_TCP : G_SOCKET_PROTOCOL_UDP, &error);
  if (self->socket)
    g_socket_set_blocking (self->socket, FALSE);
  if (!self->socket
      || (!g_socket_connect (self->socket, address, NULL, &error)
          && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PENDING))) {
    finish (self, g_strdup_printf ("it cannot be reached: %s", error->message));
  } else {
    self->connecting = url->tcp;
    self->source = g_socket_create_source (self->socket, url->tcp ? G_IO_OUT : G_IO_IN, NULL);
    g_source_set_callback (self->source, G_SOURCE_FUNC (on_socket), self, NULL);
    g_source_attach (self->source, gst_rtc_loop_get_context (loop));
    self->timer = gst_rtc_loop_add_timeout (loop, AGAIN_MS, on_timer, self);
    if (!url->tcp)
      ask (self, FALSE);
  }
  g_clear_error (&error);
  g_object_unref (address);
  return self;
}

void
gst_rtc_turn_probe_free (GstRtcTurnProbe *self)
{
  end_sources (self);
  g_clear_object (&self->socket);
  rtc_ice_url_free (self->url);
  g_free (self->what);
  g_free (self);
}
