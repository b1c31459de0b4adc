/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcbindata.h"

G_BEGIN_DECLS

/* A data channel for applications: one label, any number of peers. What rtcbin's create-data-channel returns. */
#define GST_TYPE_RTC_DATA_CHANNEL (gst_rtc_data_channel_get_type ())
G_DECLARE_FINAL_TYPE (GstRtcDataChannel, gst_rtc_data_channel, GST, RTC_DATA_CHANNEL, GObject)

/* OPTIONS may be NULL. NULL with ERROR (GST_RTC_CHANNEL_ERROR) when they make no sense. Any thread. */
GstRtcDataChannel *
gst_rtc_data_channel_new (GstRtcBinData *data, const gchar *label, const GstStructure *options, GError **error);

G_END_DECLS
