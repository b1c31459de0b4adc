/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* The signal link (docs/design/architecture.md): messages of the native protocol between a signaling source
 * and rtcbin. Downstream one buffer is one message, upstream one custom event is. */

#define GST_RTC_SIGNAL_CAPS "application/x-rtc-signal"

/* TEXT becomes the buffer's memory. (transfer full) both ways. */
GstBuffer *gst_rtc_signal_buffer_new (gchar *text);

/* An upstream event "rtc-signal" with TEXT in its field "message". */
GstEvent *gst_rtc_signal_event_new (const gchar *text);

/* The text of such an event; NULL when EVENT is something else. (transfer none) */
const gchar *gst_rtc_signal_event_get_text (GstEvent *event);

/* What rtcbin tells a signaling source that asks before it joins. */
typedef struct
{
  gboolean sends; /* it has sink pads */
  guint n_video, n_audio; /* how many */
  gboolean restart; /* its transport restarts ICE in place */
  gchar **features; /* as in the message join, or NULL */
  gchar **ice_servers; /* URLs as webrtcbin takes them (stun://, turn://user:password@host), or NULL */
} GstRtcSignalInfo;

void gst_rtc_signal_info_clear (GstRtcSignalInfo *info);

/* A custom downstream query "rtc-signal-info"; free with gst_query_unref(). */
GstQuery *gst_rtc_signal_query_new (void);
gboolean gst_rtc_signal_query_is (GstQuery *query);
void gst_rtc_signal_query_set (GstQuery *query, const GstRtcSignalInfo *info);

/* Fills INFO, which the caller clears. FALSE when nobody answered the query. */
gboolean gst_rtc_signal_query_get (GstQuery *query, GstRtcSignalInfo *info);

G_END_DECLS
