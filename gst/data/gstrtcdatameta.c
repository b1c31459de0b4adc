/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdatameta.h"

static const GstMetaInfo *info; /* written once, before any buffer is made */

void
gst_rtc_peer_meta_register (void)
{
  static const gchar *const no_tags[] = {NULL};
  static gsize registered = 0;

  if (!g_once_init_enter (&registered))
    return;
  info = gst_meta_register_custom (GST_RTC_PEER_META_NAME, (const gchar **)no_tags, NULL, NULL, NULL);
  g_once_init_leave (&registered, 1);
}

/* As gst_buffer_get_custom_meta(), which looks the name up in tables under locks: this is done for each message, and
 * most have none. */
static GstCustomMeta *
find (GstBuffer *buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta (buffer, &state))) {
    if (meta->info == info)
      return (GstCustomMeta *)meta;
  }
  return NULL;
}

GstStructure *
gst_rtc_peer_meta_add (GstBuffer *buffer)
{
  GstCustomMeta *meta = find (buffer);

  if (!meta)
    meta = (GstCustomMeta *)gst_buffer_add_meta (buffer, info, NULL);
  return gst_custom_meta_get_structure (meta);
}

void
gst_rtc_peer_meta_write (GstBuffer *buffer, const gchar *peer_id, const GstRtcChannelInit *init, gint channel_id)
{
  static const gchar *const names[] = {"peer-id", "label", "protocol", "channel-id"};
  static GQuark quarks[G_N_ELEMENTS (names)];
  static gsize known = 0;
  GstCustomMeta *meta = (GstCustomMeta *)gst_buffer_add_meta (buffer, info, NULL);

  if (g_once_init_enter (&known)) {
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
      quarks[i] = g_quark_from_static_string (names[i]);
    g_once_init_leave (&known, 1);
  }
  gst_structure_id_set (gst_custom_meta_get_structure (meta), quarks[0], G_TYPE_STRING, peer_id, quarks[1],
      G_TYPE_STRING, init->label, quarks[2], G_TYPE_STRING, init->protocol, quarks[3], G_TYPE_INT, channel_id, NULL);
}

const gchar *
gst_rtc_peer_meta_get (GstBuffer *buffer, const gchar *field)
{
  GstCustomMeta *meta = find (buffer);

  return meta ? gst_structure_get_string (gst_custom_meta_get_structure (meta), field) : NULL;
}
