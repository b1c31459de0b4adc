/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtctransport.h"
#include "webrtcbin/gstrtcwebrtcbin.h"

/* In the order in which "auto" prefers them. */
static const GstRtcTransportClass *const transports[] = {
    &gst_rtc_webrtcbin_transport,
};

const GstRtcTransportClass *
gst_rtc_transport_find (const gchar *name)
{
  if (g_strcmp0 (name, "auto") == 0)
    return transports[0];
  for (guint i = 0; i < G_N_ELEMENTS (transports); i++) {
    if (g_strcmp0 (transports[i]->name, name) == 0)
      return transports[i];
  }
  return NULL;
}

const gchar *
gst_rtc_transport_state_to_string (GstRtcTransportState state)
{
  static const gchar *const names[] = {"new", "gathering", "checking", "securing", "connected", "disconnected"};

  return names[state];
}
