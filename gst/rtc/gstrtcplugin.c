/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbin.h"
#include "webrtcbin/gstrtcwebrtcbin.h"
#ifdef HAVE_NATIVE
#include "native/gstrtcnative.h"
#endif

/**
 * plugin-rtc:
 *
 * WebRTC as parts of a pipeline: `rtcbin` connects to any number of peers, payloads what is linked to it once for all
 * of them, and gives out what they send.
 *
 * Since: 0.1
 */
static gboolean
plugin_init (GstPlugin *plugin)
{
#ifdef HAVE_NATIVE
  gst_rtc_native_init ();
  gst_rtc_transport_register (&gst_rtc_native_transport);
#endif
  gst_rtc_transport_register (&gst_rtc_webrtcbin_transport);
  return GST_ELEMENT_REGISTER (rtcbin, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, rtc, "WebRTC as parts of a pipeline", plugin_init, VERSION,
    GST_LICENSE, GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
