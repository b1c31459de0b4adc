/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcdatahub.h"

G_BEGIN_DECLS

/* What datachannelsink and datachannelsrc have in common: the settings of their channels, and whose peers they are for.
 * Whoever owns it locks it. */
typedef struct
{
  GstRtcChannelInit init; /* the strings may be NULL */
  gchar *peer_id; /* NULL: all */
  gchar *rtc; /* the name of the rtcbin; NULL: the only one */
  GstElement *rtc_element; /* or this one */
  GObject *channel; /* of a webrtcbin, instead of all that; its settings are in INIT. NULL: none */
} GstRtcDataConfig;

/* The ids of their properties; an element's own begin at GST_RTC_DATA_PROP_LAST. */
enum
{
  GST_RTC_DATA_PROP_0,
  GST_RTC_DATA_PROP_RTC,
  GST_RTC_DATA_PROP_RTC_ELEMENT,
  GST_RTC_DATA_PROP_LABEL,
  GST_RTC_DATA_PROP_PROTOCOL,
  GST_RTC_DATA_PROP_ORDERED,
  GST_RTC_DATA_PROP_MAX_RETRANSMITS,
  GST_RTC_DATA_PROP_MAX_PACKET_LIFETIME,
  GST_RTC_DATA_PROP_NEGOTIATED,
  GST_RTC_DATA_PROP_ID,
  GST_RTC_DATA_PROP_PRIORITY,
  GST_RTC_DATA_PROP_PEER_ID,
  GST_RTC_DATA_PROP_CHANNEL,
  GST_RTC_DATA_PROP_LAST,
};

/* The subprotocol of channels on which each message begins with its time (docs/design/data-elements.md). */
#define GST_RTC_DATA_TIME_PROTOCOL "rtclink.time.1"

void gst_rtc_data_config_init (GstRtcDataConfig *config);
void gst_rtc_data_config_clear (GstRtcDataConfig *config);

/* All but peer-id, which each element describes itself. */
void gst_rtc_data_config_install (GObjectClass *klass);

/* FALSE: ID is none of these. */
gboolean gst_rtc_data_config_set (GstRtcDataConfig *config, guint id, const GValue *value);
gboolean gst_rtc_data_config_get (const GstRtcDataConfig *config, guint id, GValue *value);

/* FALSE with ERROR (GST_LIBRARY_ERROR) that says what contradicts what, and what to set instead. */
gboolean gst_rtc_data_config_check (const GstRtcDataConfig *config, GError **error);

/* Besides, for channels that files go over (rtcjsonfile.h). WHAT is the setting that asks for that. */
gboolean gst_rtc_data_config_check_files (const GstRtcDataConfig *config, const gchar *what, GError **error);

/* Overflow policies, as a property's type. */
GType gst_rtc_data_overflow_get_type (void);

/* The hub of the rtcbin that is meant, for ELEMENT. NULL with ERROR (GST_RESOURCE_ERROR) that says which there are.
 * (transfer full) */
GstRtcDataHub *gst_rtc_data_config_find_hub (const GstRtcDataConfig *config, GstElement *element, GError **error);

G_END_DECLS
