/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcsignal.h"

#define EVENT_NAME "rtc-signal"
#define QUERY_NAME "rtc-signal-info"

GstBuffer *
gst_rtc_signal_buffer_new (gchar *text)
{
  return gst_buffer_new_wrapped (text, strlen (text));
}

GstEvent *
gst_rtc_signal_event_new (const gchar *text)
{
  return gst_event_new_custom (
      GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new (EVENT_NAME, "message", G_TYPE_STRING, text, NULL));
}

const gchar *
gst_rtc_signal_event_get_text (GstEvent *event)
{
  if (GST_EVENT_TYPE (event) != GST_EVENT_CUSTOM_UPSTREAM || !gst_event_has_name (event, EVENT_NAME))
    return NULL;
  return gst_structure_get_string (gst_event_get_structure (event), "message");
}

void
gst_rtc_signal_info_clear (GstRtcSignalInfo *info)
{
  g_clear_pointer (&info->ice_servers, g_strfreev);
  g_clear_pointer (&info->features, g_strfreev);
}

GstQuery *
gst_rtc_signal_query_new (void)
{
  return gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (QUERY_NAME));
}

gboolean
gst_rtc_signal_query_is (GstQuery *query)
{
  return GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM
      && gst_structure_has_name (gst_query_get_structure (query), QUERY_NAME);
}

void
gst_rtc_signal_query_set (GstQuery *query, const GstRtcSignalInfo *info)
{
  GstStructure *s = gst_query_writable_structure (query);

  gst_structure_set (s, "sends", G_TYPE_BOOLEAN, info->sends, "video", G_TYPE_UINT, info->n_video, "audio", G_TYPE_UINT,
      info->n_audio, "restart", G_TYPE_BOOLEAN, info->restart, "features", G_TYPE_STRV, info->features, "ice-servers",
      G_TYPE_STRV, info->ice_servers, NULL);
}

gboolean
gst_rtc_signal_query_get (GstQuery *query, GstRtcSignalInfo *info)
{
  const GstStructure *s = gst_query_get_structure (query);

  *info = (GstRtcSignalInfo){0};
  gst_structure_get_boolean (s, "restart", &info->restart);
  gst_structure_get (s, "features", G_TYPE_STRV, &info->features, NULL);
  return gst_structure_get (s, "sends", G_TYPE_BOOLEAN, &info->sends, "video", G_TYPE_UINT, &info->n_video, "audio",
      G_TYPE_UINT, &info->n_audio, "ice-servers", G_TYPE_STRV, &info->ice_servers, NULL);
}
