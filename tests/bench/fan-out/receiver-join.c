/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A viewer of rtcbin: the client's half of docs/design/signaling-protocol.md, as far as one that never offers and never
 * comes back needs it. */

#include "receiver.h"
#include "core/rtcmessage.h"

#include <libsoup/soup.h>

static void
send_message (FanViewer *self, RtcMessage *message)
{
  g_autofree gchar *text = rtc_message_to_json (message);

  soup_websocket_connection_send_text (self->socket, text);
  rtc_message_free (message);
}

static void
take_offer (FanViewer *self, const RtcMessage *offer)
{
  RtcMessage *message = rtc_message_new (RTC_MESSAGE_ANSWER);

  message->to = g_strdup (offer->from);
  message->session = g_strdup (offer->session);
  fan_viewer_take_offer (self, offer->sdp, &message->sdp);
  send_message (self, message);
}

static void
on_text (SoupWebsocketConnection *socket, gint type, GBytes *bytes, FanViewer *self)
{
  gsize size;
  const gchar *text = g_bytes_get_data (bytes, &size);
  g_autoptr (GError) error = NULL;
  g_autoptr (RtcMessage) message = rtc_message_from_json (text, size, &error);

  if (!message)
    fan_say ("error %s %s", self->name, error->message);
  else if (message->type == RTC_MESSAGE_OFFER)
    take_offer (self, message);
  else if (message->type == RTC_MESSAGE_CANDIDATE)
    fan_viewer_add_candidate (self, message->candidate);
  else if (message->type == RTC_MESSAGE_ERROR || message->type == RTC_MESSAGE_BYE)
    fan_say ("error %s the sender says: %s", self->name, message->reason ? message->reason : "bye");
}

static void
on_closed (SoupWebsocketConnection *socket, FanViewer *self)
{
  fan_say ("closed %s", self->name);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  FanViewer *self = user_data;
  g_autoptr (GError) error = NULL;
  RtcMessage *join;

  self->socket = soup_session_websocket_connect_finish (SOUP_SESSION (source), result, &error);
  if (!self->socket) {
    fan_say ("error %s cannot join: %s", self->name, error->message);
    return;
  }
  g_signal_connect (self->socket, "message", G_CALLBACK (on_text), self);
  g_signal_connect (self->socket, "closed", G_CALLBACK (on_closed), self);
  join = rtc_message_new (RTC_MESSAGE_JOIN);
  join->version = RTC_PROTOCOL_VERSION;
  join->role = RTC_ROLE_RECEIVE;
  join->display_name = g_strdup (self->name);
  send_message (self, join);
}

void
fan_join (FanReceiver *receiver, const gchar *uri, const gchar *name)
{
  static SoupSession *session;
  FanViewer *viewer = fan_viewer_new (receiver, name);
  g_autoptr (SoupMessage) message = soup_message_new (SOUP_METHOD_GET, uri);

  if (!session)
    session = soup_session_new_with_options ("max-conns", 2048, "max-conns-per-host", 2048, NULL);
  soup_session_websocket_connect_async (session, message, NULL, NULL, G_PRIORITY_DEFAULT, NULL, on_connected, viewer);
}
