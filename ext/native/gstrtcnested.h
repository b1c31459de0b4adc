/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcloop.h"

G_BEGIN_DECLS

/* A GMainContext that runs inside of a loop's and costs it as much as one source, however many it has. A GMainContext
 * looks at all of its sources whenever anything happens, and each agent of libnice has two or three timers, which
 * happen seldom: in the loop's own context they would make each frame dearer the more viewers there are. */
typedef struct _GstRtcNested GstRtcNested;

/* Loop thread. free() drops what sources there still are. */
GstRtcNested *gst_rtc_nested_new (GstRtcLoop *loop);
void gst_rtc_nested_free (GstRtcNested *nested);

/* Any thread. (transfer none). Sources of it are dispatched on the loop's thread, up to 5 ms late, so that those that
 * are near each other are looked at once. */
GMainContext *gst_rtc_nested_get_context (GstRtcNested *nested);

G_END_DECLS
