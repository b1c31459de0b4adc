/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* When the peer closes a channel, sctpdec drops what has come on it and was not handed on yet (remove_pad() in
 * ext/sctp/gstsctpdec.c of gst-plugins-bad, 1.22 to 1.29.2). With this it does that when all is handed on. The thread
 * that reads from SCTP waits meanwhile: some milliseconds at most, when the machine has time, and never more than a
 * second.
 *
 * SCTPDEC has a pad already, and is of one of those versions. Returns 0 when it is not what it was then. Any thread. */
gulong gst_rtc_webrtc_reset_watch (GstElement *sctpdec);

/* 0: nothing. Any thread. */
void gst_rtc_webrtc_reset_unwatch (gulong id);

G_END_DECLS
