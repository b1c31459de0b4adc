/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A STUN or TURN server (RFC 7064, RFC 7065), written as GStreamer does: with // and credentials in the URL. */
typedef struct
{
  gboolean relays; /* TURN, and not STUN */
  gboolean tls; /* stuns:, turns: */
  gboolean tcp; /* turn: with transport=tcp, all with tls */
  gchar *host; /* a name or an address, an IPv6 one without brackets */
  guint port;
  gchar *user, *password; /* percent-decoded; "" for STUN */
} RtcIceUrl;

/* TEXT: stun://host[:port], turn://user:password@host[:port][?transport=udp] (or tcp), turns://...
 * Returns: (transfer full): NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED), which does not show the password. */
RtcIceUrl *rtc_ice_url_parse (const gchar *text, GError **error);
RtcIceUrl *rtc_ice_url_copy (const RtcIceUrl *url);
void rtc_ice_url_free (RtcIceUrl *url);

/* "turn:192.0.2.1:3478 over UDP": for messages, without credentials. (transfer full) */
gchar *rtc_ice_url_to_string (const RtcIceUrl *url);

G_END_DECLS
