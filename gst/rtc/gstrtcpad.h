/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* A source pad of rtcbin, with properties that say whose stream it is: peer-id, mid, stream-name, rid. */
#define GST_TYPE_RTC_PAD (gst_rtc_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstRtcPad, gst_rtc_pad, GST, RTC_PAD, GstGhostPad)

/* No target yet, not active. (transfer floating) */
GstPad *gst_rtc_pad_new (const gchar *name, GstPadTemplate *templ);

/* NULL for those that are not known. Notifies what changed. Any thread. */
void gst_rtc_pad_describe (
    GstRtcPad *self, const gchar *peer_id, const gchar *mid, const gchar *stream_name, const gchar *rid);

/* Lets EOS pass, which is otherwise kept back, and sends one. Any thread. */
void gst_rtc_pad_end (GstRtcPad *self);

G_END_DECLS
