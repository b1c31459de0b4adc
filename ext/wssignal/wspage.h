/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <libsoup/soup.h>

G_BEGIN_DECLS

/* Answers a request that is no WebSocket: the page for / and for every room, its files, or an error. Loop thread. */
void ws_page_serve (SoupServerMessage *message, const gchar *path);

/* Answers STATUS with TEXT as the body. */
void ws_page_refuse (SoupServerMessage *message, guint status, const gchar *text);

/* Whether a page from MESSAGE's Origin may use this server: its own pages, those in ALLOWED (origins apart by commas
 * or spaces, "*" for all, NULL for none), and what is no browser.
 * LOOPBACK: the server can be reached on this machine only; then a name that somebody's DNS points here is no origin
 * of our own (DNS rebinding).
 * Returns: NULL, or why not. (transfer full) */
gchar *ws_page_check_origin (SoupServerMessage *message, const gchar *allowed, gboolean loopback);

G_END_DECLS
