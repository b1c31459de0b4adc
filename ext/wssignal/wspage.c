/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "wspage.h"

#include <string.h>

#include "wssignal-resources.h"

#define RESOURCES "/rtclink/page"
/* No other page may frame this one: it can switch a camera on. */
#define POLICY \
  "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; frame-ancestors 'none'"

static const struct
{
  const gchar *path, *type;
} files[] = {
    {"/index.html", "text/html; charset=utf-8"},
    {"/app.js", "text/javascript; charset=utf-8"},
    {"/control.js", "text/javascript; charset=utf-8"},
    {"/data.js", "text/javascript; charset=utf-8"},
    {"/dom.js", "text/javascript; charset=utf-8"},
    {"/files.js", "text/javascript; charset=utf-8"},
    {"/rtcfiles.js", "text/javascript; charset=utf-8"},
    {"/rtclink.js", "text/javascript; charset=utf-8"},
    {"/style.css", "text/css; charset=utf-8"},
    {"/favicon.svg", "image/svg+xml"},
};

static void
add_headers (SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  soup_message_headers_replace (headers, "X-Content-Type-Options", "nosniff");
  soup_message_headers_replace (headers, "Content-Security-Policy", POLICY);
  soup_message_headers_replace (headers, "Referrer-Policy", "no-referrer");
  soup_message_headers_replace (headers, "Cache-Control", "no-cache");
}

void
ws_page_refuse (SoupServerMessage *message, guint status, const gchar *text)
{
  gchar *body = g_strdup_printf ("%s\n", text);

  add_headers (message);
  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "text/plain; charset=utf-8", SOUP_MEMORY_TAKE, body, strlen (body));
}

static void
serve_file (SoupServerMessage *message, guint index)
{
  gchar *resource = g_strconcat (RESOURCES, files[index].path, NULL);
  GBytes *bytes = g_resource_lookup_data (wssignal_get_resource (), resource, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  gsize length;
  const gchar *data = g_bytes_get_data (bytes, &length);

  add_headers (message);
  /* These modules are public, and of use to pages of other servers. */
  if (strcmp (files[index].path, "/rtclink.js") == 0 || strcmp (files[index].path, "/rtcfiles.js") == 0)
    soup_message_headers_replace (
        soup_server_message_get_response_headers (message), "Access-Control-Allow-Origin", "*");
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, files[index].type, SOUP_MEMORY_COPY, data, length);
  g_bytes_unref (bytes);
  g_free (resource);
}

void
ws_page_serve (SoupServerMessage *message, const gchar *path)
{
  const gchar *method = soup_server_message_get_method (message);
  const gchar *name;
  guint i;

  if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0) {
    soup_message_headers_replace (soup_server_message_get_response_headers (message), "Allow", "GET, HEAD");
    ws_page_refuse (message, SOUP_STATUS_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.");
    return;
  }
  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    if (strcmp (path, files[i].path) == 0) {
      serve_file (message, i);
      return;
    }
  }
  name = strrchr (path, '/');
  if (name && strchr (name, '.'))
    ws_page_refuse (message, SOUP_STATUS_NOT_FOUND, "There is no such file here. The page is at /, a room at /<room>.");
  else
    serve_file (message, 0);
}

static gboolean
is_loopback_name (const gchar *host)
{
  GInetAddress *address = g_inet_address_new_from_string (host);
  gboolean loopback = g_ascii_strcasecmp (host, "localhost") == 0 || g_str_has_suffix (host, ".localhost");

  if (address) {
    loopback = g_inet_address_get_is_loopback (address);
    g_object_unref (address);
  }
  return loopback;
}

static gboolean
is_listed (const gchar *origin, const gchar *allowed)
{
  gchar **entries = g_strsplit_set (allowed ? allowed : "", ", ", -1);
  gboolean listed = FALSE;
  guint i;

  for (i = 0; entries[i] && !listed; i++)
    listed = strcmp (entries[i], "*") == 0 || (*entries[i] && g_ascii_strcasecmp (entries[i], origin) == 0);
  g_strfreev (entries);
  return listed;
}

/* With -1 where no port is given and none is usual. */
static gint
port_of (GUri *uri)
{
  if (g_uri_get_port (uri) > 0)
    return g_uri_get_port (uri);
  return strcmp (g_uri_get_scheme (uri), "https") == 0 ? 443 : strcmp (g_uri_get_scheme (uri), "http") == 0 ? 80 : -1;
}

static gboolean
is_same (SoupServerMessage *message, GUri *origin, const gchar *host)
{
  gboolean tls = strcmp (g_uri_get_scheme (soup_server_message_get_uri (message)), "https") == 0;
  gchar *text = g_strdup_printf ("%s://%s", tls ? "https" : "http", host);
  GUri *own = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);
  gboolean same = own && g_uri_get_host (own) && g_strcmp0 (g_uri_get_scheme (own), g_uri_get_scheme (origin)) == 0
      && g_ascii_strcasecmp (g_uri_get_host (own), g_uri_get_host (origin)) == 0 && port_of (own) == port_of (origin);

  if (own)
    g_uri_unref (own);
  g_free (text);
  return same;
}

gchar *
ws_page_check_origin (SoupServerMessage *message, const gchar *allowed, gboolean loopback)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  const gchar *origin = soup_message_headers_get_one (headers, "Origin");
  const gchar *host = soup_message_headers_get_one (headers, "Host");
  gchar *why = NULL;
  GUri *uri;

  if (!origin || is_listed (origin, allowed))
    return NULL;
  uri = g_uri_parse (origin, G_URI_FLAGS_NONE, NULL);
  if (!uri || !g_uri_get_host (uri) || !host || !is_same (message, uri, host))
    why = g_strdup_printf ("Pages of the origin %.128s may not use this server, only its own. "
                           "Whoever runs it can list the origin in the property allowed-origins.",
        origin);
  else if (loopback && !is_loopback_name (g_uri_get_host (uri)))
    why = g_strdup_printf ("This server listens on the loopback address only, and %.128s is no name of that. "
                           "Whoever runs it can list the origin in the property allowed-origins.",
        origin);
  if (uri)
    g_uri_unref (uri);
  return why;
}
