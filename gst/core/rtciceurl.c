/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtciceurl.h"
#include "rtcmessage.h"

#include <string.h>

#define STUN_PORT 3478
#define STUNS_PORT 5349

static gboolean
fail (GError **error, const gchar *why)
{
  g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
      "%s: expected is stun://host:port or turn://user:password@host:port?transport=udp (or tcp), with what means "
      "something in a URL percent-encoded in user and password",
      why);
  return FALSE;
}

static gboolean
take_scheme (RtcIceUrl *self, GUri *uri, GError **error)
{
  const gchar *scheme = g_uri_get_scheme (uri);

  self->relays = g_str_has_prefix (scheme, "turn");
  self->tls = g_str_equal (scheme, "stuns") || g_str_equal (scheme, "turns");
  if (!self->relays && !g_str_has_prefix (scheme, "stun"))
    return fail (error, "A STUN or TURN server's URL has another scheme");
  return self->tls || strlen (scheme) == 4 || fail (error, "A STUN or TURN server's URL has another scheme");
}

static gboolean
take_query (RtcIceUrl *self, GUri *uri, GError **error)
{
  const gchar *query = g_uri_get_query (uri);

  self->tcp = self->tls;
  if (!query || !*query)
    return TRUE;
  if (g_str_equal (query, "transport=tcp"))
    self->tcp = TRUE;
  else if (!g_str_equal (query, "transport=udp") || self->tls)
    return fail (error, "What a STUN or TURN server's URL has behind the question mark is not known");
  return !self->tcp || self->relays || fail (error, "A STUN server is asked over UDP only");
}

RtcIceUrl *
rtc_ice_url_parse (const gchar *text, GError **error)
{
  GUri *uri = g_uri_parse (text, G_URI_FLAGS_HAS_PASSWORD, NULL);
  RtcIceUrl *self;

  if (!uri) {
    fail (error, "A STUN or TURN server's URL cannot be read");
    return NULL;
  }
  self = g_new0 (RtcIceUrl, 1);
  if (!take_scheme (self, uri, error) || !take_query (self, uri, error)) {
    g_clear_pointer (&self, rtc_ice_url_free);
  } else if (!g_uri_get_host (uri) || !*g_uri_get_host (uri) || g_uri_get_port (uri) == 0) {
    fail (error, "A STUN or TURN server's URL has no host, or port 0");
    g_clear_pointer (&self, rtc_ice_url_free);
  } else {
    self->host = g_strdup (g_uri_get_host (uri));
    self->port = g_uri_get_port (uri) > 0 ? (guint)g_uri_get_port (uri) : self->tls ? STUNS_PORT : STUN_PORT;
    self->user = g_strdup (g_uri_get_user (uri) ? g_uri_get_user (uri) : "");
    self->password = g_strdup (g_uri_get_password (uri) ? g_uri_get_password (uri) : "");
  }
  g_uri_unref (uri);
  return self;
}

RtcIceUrl *
rtc_ice_url_copy (const RtcIceUrl *self)
{
  RtcIceUrl *copy = g_new (RtcIceUrl, 1);

  *copy = *self;
  copy->host = g_strdup (self->host);
  copy->user = g_strdup (self->user);
  copy->password = g_strdup (self->password);
  return copy;
}

void
rtc_ice_url_free (RtcIceUrl *self)
{
  g_free (self->host);
  g_free (self->user);
  g_free (self->password);
  g_free (self);
}

gchar *
rtc_ice_url_to_string (const RtcIceUrl *self)
{
  gboolean is_6 = strchr (self->host, ':') != NULL;

  return g_strdup_printf ("%s%s:%s%s%s:%u over %s", self->relays ? "turn" : "stun", self->tls ? "s" : "",
      is_6 ? "[" : "", self->host, is_6 ? "]" : "", self->port,
      self->tls       ? "TLS"
          : self->tcp ? "TCP"
                      : "UDP");
}
