/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdatameta.h"

void
gst_rtc_peer_meta_register (void)
{
  static const gchar *const no_tags[] = {NULL};
  static gsize registered = 0;

  if (!g_once_init_enter (&registered))
    return;
  gst_meta_register_custom (GST_RTC_PEER_META_NAME, (const gchar **)no_tags, NULL, NULL, NULL);
  g_once_init_leave (&registered, 1);
}

GstStructure *
gst_rtc_peer_meta_add (GstBuffer *buffer)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, GST_RTC_PEER_META_NAME);

  if (!meta)
    meta = gst_buffer_add_custom_meta (buffer, GST_RTC_PEER_META_NAME);
  return gst_custom_meta_get_structure (meta);
}

const gchar *
gst_rtc_peer_meta_get (GstBuffer *buffer, const gchar *field)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, GST_RTC_PEER_META_NAME);

  return meta ? gst_structure_get_string (gst_custom_meta_get_structure (meta), field) : NULL;
}
