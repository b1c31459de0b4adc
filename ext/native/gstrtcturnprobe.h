/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcloop.h"
#include "core/rtciceurl.h"

G_BEGIN_DECLS

/* Asks a TURN server for a relay (RFC 8656, section 7.1) only to learn why libnice got none: it does not tell. One
 * question with the credentials, one without them before, over a socket of its own. Everything on the loop. */
typedef struct _GstRtcTurnProbe GstRtcTurnProbe;

/* WHAT: borrowed, a sentence without a full stop, as "it refuses the credentials of user anna: 401 Unauthorized". */
typedef void (*GstRtcTurnProbeFunc) (const gchar *what, gpointer user_data);

/* IP: of URL's host. FUNC is called once, within 3 s, never from inside. URL is copied. */
GstRtcTurnProbe *gst_rtc_turn_probe_new (
    GstRtcLoop *loop, const RtcIceUrl *url, const gchar *ip, GstRtcTurnProbeFunc func, gpointer user_data);
void gst_rtc_turn_probe_free (GstRtcTurnProbe *probe); /* from inside of FUNC, too */

G_END_DECLS
