/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcloop.h"
#include "rtc/gstrtctransport.h"

#include <nice/agent.h>

G_BEGIN_DECLS

/* The STUN and TURN servers of one agent of libnice. It is given addresses only: when a name cannot be looked up, it
 * (0.1.21) never says that it is done gathering. Everything on the loop. */
typedef struct _GstRtcIceServers GstRtcIceServers;

typedef void (*GstRtcIceServersFunc) (gpointer user_data);

/* Of CONFIG's servers those that can be used. */
GstRtcIceServers *gst_rtc_ice_servers_new (GstRtcLoop *loop, const GstRtcTransportConfig *config);
void gst_rtc_ice_servers_free (GstRtcIceServers *servers); /* no function is called any more */

/* Whether it can be used: transport's check_server(). Any thread. */
gboolean gst_rtc_ice_servers_check (const gchar *url, GError **error);

gboolean gst_rtc_ice_servers_has_relay (GstRtcIceServers *servers);
gboolean gst_rtc_ice_servers_has_tcp_relay (GstRtcIceServers *servers);

/* Looks names up and calls FUNC, from inside when there are none; after 3 s without those that are not known yet. */
void gst_rtc_ice_servers_resolve (GstRtcIceServers *servers, GstRtcIceServersFunc func, gpointer user_data);

/* Tells AGENT, which did not gather yet. */
void gst_rtc_ice_servers_apply (GstRtcIceServers *servers, NiceAgent *agent, guint stream, guint component);

/* No relay came of it: finds out why, by asking the first TURN server again, and calls FUNC. Does nothing when it was
 * called before. */
void gst_rtc_ice_servers_diagnose (GstRtcIceServers *servers, GstRtcIceServersFunc func, gpointer user_data);

/* A sentence on what is wrong with the TURN servers; NULL: nothing that is known. (transfer none) */
const gchar *gst_rtc_ice_servers_get_trouble (GstRtcIceServers *servers);

G_END_DECLS
