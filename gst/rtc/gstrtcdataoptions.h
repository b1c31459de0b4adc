/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcchannel.h"

G_BEGIN_DECLS

/* What an application may say of a data channel. Strings are borrowed. */
typedef struct
{
  GstRtcChannelInit init;
  gboolean opens; /* with each peer; FALSE: those that peers open */
  const gchar *peer_id; /* NULL: all */
} GstRtcDataOptions;

/* Reads the fields of FROM (which may be NULL), see rtcbin's create-data-channel. FALSE with ERROR
 * (GST_RTC_CHANNEL_ERROR_CONFIG) that says what was expected. Any thread. */
gboolean
gst_rtc_data_options_read (GstRtcDataOptions *options, const gchar *label, const GstStructure *from, GError **error);

G_END_DECLS
