/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a GstWebRTCDataChannel is made with. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcchannel.h"

#include <gst/webrtc/webrtc.h>

GType
gst_rtc_webrtc_channel_get_object_type (void)
{
  return GST_TYPE_WEBRTC_DATA_CHANNEL;
}

static guint
priority_to_number (GstWebRTCPriorityType priority)
{
  return 64u << CLAMP (priority, GST_WEBRTC_PRIORITY_TYPE_VERY_LOW, GST_WEBRTC_PRIORITY_TYPE_HIGH);
}

static GstWebRTCPriorityType
priority_from_number (guint number)
{
  return number <= 128 ? GST_WEBRTC_PRIORITY_TYPE_VERY_LOW
      : number <= 256  ? GST_WEBRTC_PRIORITY_TYPE_LOW
      : number <= 512  ? GST_WEBRTC_PRIORITY_TYPE_MEDIUM
                       : GST_WEBRTC_PRIORITY_TYPE_HIGH;
}

/* What a peer says may be anything. */
static void
make_valid (gchar **text)
{
  gchar *valid = g_utf8_make_valid (*text ? *text : "", -1);

  g_free (*text);
  *text = valid;
}

GstRtcChannelInit
gst_rtc_webrtc_channel_get_init (gpointer object)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;
  GstWebRTCPriorityType priority = GST_WEBRTC_PRIORITY_TYPE_LOW;

  g_object_get (object, "label", &init.label, "protocol", &init.protocol, "ordered", &init.ordered, "max-retransmits",
      &init.max_retransmits, "max-packet-lifetime", &init.max_packet_lifetime, "negotiated", &init.negotiated, "id",
      &init.id, "priority", &priority, NULL);
  make_valid (&init.label);
  make_valid (&init.protocol);
  init.max_retransmits = CLAMP (init.max_retransmits, -1, G_MAXUINT16);
  init.max_packet_lifetime = CLAMP (init.max_packet_lifetime, -1, G_MAXUINT16);
  init.priority = priority_to_number (priority);
  if (!init.negotiated)
    init.id = -1;
  return init;
}

GstStructure *
gst_rtc_webrtc_channel_make_options (const GstRtcChannelInit *init)
{
  GstStructure *options = gst_structure_new ("options", "ordered", G_TYPE_BOOLEAN, init->ordered, "max-retransmits",
      G_TYPE_INT, init->max_retransmits, "max-packet-lifetime", G_TYPE_INT, init->max_packet_lifetime, "protocol",
      G_TYPE_STRING, init->protocol ? init->protocol : "", "priority", GST_TYPE_WEBRTC_PRIORITY_TYPE,
      priority_from_number (init->priority), NULL);

  if (init->negotiated)
    gst_structure_set (options, "negotiated", G_TYPE_BOOLEAN, TRUE, "id", G_TYPE_INT, init->id, NULL);
  return options;
}
