/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsink.h"
#include "gstdatachannelsrc.h"

/**
 * plugin-rtcdata:
 *
 * Data channels as streams of a pipeline: what `datachannelsink` takes, the peers of an `rtcbin` get, and what they
 * send, `datachannelsrc` gives out.
 *
 * Since: 0.1
 */
static gboolean
plugin_init (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (datachannelsink, plugin) && GST_ELEMENT_REGISTER (datachannelsrc, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, rtcdata, "Data channels as streams of a pipeline", plugin_init,
    VERSION, GST_LICENSE, GST_PACKAGE_NAME, GST_PACKAGE_ORIGIN)
