/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdatahub.h"

#define QUERY_NAME "rtc-data-hub"

GstRtcDataHub *
gst_rtc_data_hub_ref (GstRtcDataHub *hub)
{
  g_atomic_int_inc (&hub->ref_count);
  return hub;
}

void
gst_rtc_data_hub_unref (GstRtcDataHub *hub)
{
  if (g_atomic_int_dec_and_test (&hub->ref_count))
    hub->klass->free (hub);
}

GstRtcDataHub *
gst_rtc_data_hub_find (GstElement *element)
{
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (QUERY_NAME));
  gpointer hub = NULL;

  if (gst_element_query (element, query))
    gst_structure_get (gst_query_get_structure (query), "hub", G_TYPE_POINTER, &hub, NULL);
  gst_query_unref (query);
  return hub;
}

gboolean
gst_rtc_data_hub_answer (GstQuery *query, GstRtcDataHub *hub)
{
  const GstStructure *s = gst_query_get_structure (query);

  if (!s || !gst_structure_has_name (s, QUERY_NAME))
    return FALSE;
  /* A pipeline may ask two. */
  if (gst_structure_has_field (s, "hub"))
    return TRUE;
  gst_structure_set (gst_query_writable_structure (query), "hub", G_TYPE_POINTER, gst_rtc_data_hub_ref (hub), NULL);
  return TRUE;
}
