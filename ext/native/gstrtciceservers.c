/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtciceservers.h"
#include "gstrtcturnprobe.h"
#include "core/rtciceurl.h"
#include "core/rtcmessage.h"

#include <gio/gio.h>

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_native_debug);
#define GST_CAT_DEFAULT gst_rtc_native_debug

#define LOOKUP_MS 3000
/* libnice takes eight relays; a name may stand for several addresses. */
#define MAX_RELAYS 8
#define MAX_ADDRESSES 2

typedef struct
{
  GstRtcIceServers *servers; /* NULL: they are gone, and the answer of the lookup is not waited for */
  RtcIceUrl *url;
  GPtrArray *addresses; /* of gchar */
  gboolean waits;
} Server;

struct _GstRtcIceServers
{
  /* loop */
  GstRtcLoop *loop;
  GPtrArray *list; /* of Server */
  GCancellable *cancellable;
  GSource *timer;
  GstRtcIceServersFunc resolved, diagnosed;
  gpointer resolved_data, diagnosed_data;
  GstRtcTurnProbe *probe;
  gchar *trouble;
};

static void
server_free (gpointer data)
{
  Server *server = data;

  rtc_ice_url_free (server->url);
  g_ptr_array_unref (server->addresses);
  g_free (server);
}

gboolean
gst_rtc_ice_servers_check (const gchar *text, GError **error)
{
  RtcIceUrl *url = rtc_ice_url_parse (text, error);
  gboolean usable = url && !url->tls;

  if (url && url->tls)
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "The transport native cannot speak TLS to a STUN or TURN server (%s:%u). Use turn: with ?transport=tcp, which "
        "most servers have, too: media is encrypted from end to end either way",
        url->host, url->port);
  g_clear_pointer (&url, rtc_ice_url_free);
  return usable;
}

/* The signaling server may tell us what was told to it by us. */
static gboolean
is_known (GstRtcIceServers *self, const RtcIceUrl *url)
{
  for (guint i = 0; i < self->list->len; i++) {
    const RtcIceUrl *other = ((Server *)g_ptr_array_index (self->list, i))->url;

    if (url->relays == other->relays && url->tcp == other->tcp && url->port == other->port
        && g_str_equal (url->host, other->host) && g_str_equal (url->user, other->user)
        && g_str_equal (url->password, other->password))
      return TRUE;
  }
  return FALSE;
}

static void
add_server (GstRtcIceServers *self, const gchar *text)
{
  GError *error = NULL;
  RtcIceUrl *url;
  Server *server;

  if (!gst_rtc_ice_servers_check (text, &error)) {
    GST_WARNING ("%s", error->message);
    g_error_free (error);
    return;
  }
  url = rtc_ice_url_parse (text, NULL);
  if (is_known (self, url)) {
    rtc_ice_url_free (url);
    return;
  }
  server = g_new0 (Server, 1);
  server->servers = self;
  server->url = url;
  server->addresses = g_ptr_array_new_with_free_func (g_free);
  if (g_hostname_is_ip_address (server->url->host))
    g_ptr_array_add (server->addresses, g_strdup (server->url->host));
  g_ptr_array_add (self->list, server);
}

GstRtcIceServers *
gst_rtc_ice_servers_new (GstRtcLoop *loop, const GstRtcTransportConfig *config)
{
  GstRtcIceServers *self = g_new0 (GstRtcIceServers, 1);

  self->loop = loop;
  self->list = g_ptr_array_new ();
  self->cancellable = g_cancellable_new ();
  if (config->stun_server && !config->relay_only)
    add_server (self, config->stun_server);
  for (guint i = 0; config->turn_servers && config->turn_servers[i] && self->list->len < MAX_RELAYS; i++)
    add_server (self, config->turn_servers[i]);
  return self;
}

void
gst_rtc_ice_servers_free (GstRtcIceServers *self)
{
  if (self->timer)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->probe, gst_rtc_turn_probe_free);
  for (guint i = 0; i < self->list->len; i++) {
    Server *server = g_ptr_array_index (self->list, i);

    server->servers = NULL;
    if (!server->waits)
      server_free (server);
  }
  g_ptr_array_unref (self->list);
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->cancellable);
  g_free (self->trouble);
  g_free (self);
}

static gboolean
has_relay (GstRtcIceServers *self, gboolean tcp)
{
  for (guint i = 0; i < self->list->len; i++) {
    const Server *server = g_ptr_array_index (self->list, i);

    if (server->url->relays && (server->url->tcp || !tcp))
      return TRUE;
  }
  return FALSE;
}

gboolean
gst_rtc_ice_servers_has_relay (GstRtcIceServers *self)
{
  return has_relay (self, FALSE);
}

gboolean
gst_rtc_ice_servers_has_tcp_relay (GstRtcIceServers *self)
{
  return has_relay (self, TRUE);
}

/* Names. */

static void
set_trouble (GstRtcIceServers *self, const Server *server, const gchar *what)
{
  gchar *name = rtc_ice_url_to_string (server->url);

  g_free (self->trouble);
  self->trouble = g_strdup_printf ("%s: %s", name, what);
  GST_WARNING ("%s", self->trouble);
  g_free (name);
}

static void
finish_lookups (GstRtcIceServers *self)
{
  GstRtcIceServersFunc func = self->resolved;

  if (self->timer)
    g_source_destroy (self->timer);
  self->timer = NULL;
  self->resolved = NULL;
  if (func)
    func (self->resolved_data);
}

static gboolean
is_waiting (GstRtcIceServers *self)
{
  for (guint i = 0; i < self->list->len; i++) {
    if (((Server *)g_ptr_array_index (self->list, i))->waits)
      return TRUE;
  }
  return FALSE;
}

static void
on_looked_up (GObject *resolver, GAsyncResult *result, gpointer user_data)
{
  Server *server = user_data;
  GstRtcIceServers *self = server->servers;
  GError *error = NULL;
  GList *found = g_resolver_lookup_by_name_finish (G_RESOLVER (resolver), result, &error);

  server->waits = FALSE;
  if (!self) {
    server_free (server);
  } else {
    for (GList *at = found; at && server->addresses->len < MAX_ADDRESSES; at = at->next)
      g_ptr_array_add (server->addresses, g_inet_address_to_string (at->data));
    if (error)
      set_trouble (self, server, error->message);
    if (!is_waiting (self))
      finish_lookups (self);
  }
  g_resolver_free_addresses (found);
  g_clear_error (&error);
}

static void
on_lookup_timeout (gpointer user_data)
{
  GstRtcIceServers *self = user_data;

  self->timer = NULL;
  for (guint i = 0; i < self->list->len; i++) {
    const Server *server = g_ptr_array_index (self->list, i);

    if (server->waits)
      set_trouble (self, server, "no name server tells its address");
  }
  finish_lookups (self);
}

void
gst_rtc_ice_servers_resolve (GstRtcIceServers *self, GstRtcIceServersFunc func, gpointer user_data)
{
  GResolver *resolver = g_resolver_get_default ();

  self->resolved = func;
  self->resolved_data = user_data;
  for (guint i = 0; i < self->list->len; i++) {
    Server *server = g_ptr_array_index (self->list, i);

    if (server->addresses->len)
      continue;
    server->waits = TRUE;
    g_resolver_lookup_by_name_async (resolver, server->url->host, self->cancellable, on_looked_up, server);
  }
  if (is_waiting (self))
    self->timer = gst_rtc_loop_add_timeout (self->loop, LOOKUP_MS, on_lookup_timeout, self);
  else
    finish_lookups (self);
  g_object_unref (resolver);
}

void
gst_rtc_ice_servers_apply (GstRtcIceServers *self, NiceAgent *agent, guint stream, guint component)
{
  guint relays = 0;

  for (guint i = 0; i < self->list->len; i++) {
    const Server *server = g_ptr_array_index (self->list, i);
    const RtcIceUrl *url = server->url;

    for (guint j = 0; j < server->addresses->len; j++) {
      const gchar *ip = g_ptr_array_index (server->addresses, j);

      if (!url->relays && j == 0)
        g_object_set (agent, "stun-server", ip, "stun-server-port", url->port, NULL);
      else if (url->relays && relays++ < MAX_RELAYS)
        nice_agent_set_relay_info (agent, stream, component, ip, url->port, url->user, url->password,
            url->tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP);
    }
  }
}

/* Why there is no relay. */

static void
on_probed (const gchar *what, gpointer user_data)
{
  Server *server = user_data;
  GstRtcIceServers *self = server->servers;

  set_trouble (self, server, what);
  g_clear_pointer (&self->probe, gst_rtc_turn_probe_free);
  self->diagnosed (self->diagnosed_data);
}

void
gst_rtc_ice_servers_diagnose (GstRtcIceServers *self, GstRtcIceServersFunc func, gpointer user_data)
{
  if (self->diagnosed)
    return;
  self->diagnosed = func;
  self->diagnosed_data = user_data;
  for (guint i = 0; i < self->list->len && !self->probe; i++) {
    Server *server = g_ptr_array_index (self->list, i);

    if (server->url->relays && server->addresses->len)
      self->probe =
          gst_rtc_turn_probe_new (self->loop, server->url, g_ptr_array_index (server->addresses, 0), on_probed, server);
  }
  /* Nothing to ask: its name is not known, which is told already. */
  if (!self->probe)
    func (user_data);
}

const gchar *
gst_rtc_ice_servers_get_trouble (GstRtcIceServers *self)
{
  return self->trouble;
}
