/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcice.h"

G_BEGIN_DECLS

/* A socket that stands in for those of a full agent when this machine's address is another one: theirs are bound to the
 * one that is gone. The peer is reached from it at once, half a round trip after the change, with the credentials that
 * there are; a restart of ICE, which takes signaling, follows. Loop. */
typedef struct _GstRtcSpare GstRtcSpare;

/* What comes in is told as ICE's events; checks are answered. NULL: the system has no socket. */
GstRtcSpare *gst_rtc_spare_new (GstRtcPoll *poll, GstRtcIce *ice);
void gst_rtc_spare_free (GstRtcSpare *spare);

/* Whether the system took all of it; errno when it did not. */
gboolean gst_rtc_spare_send (GstRtcSpare *spare, const RtcAddress *to, const GstRtcIceBatch *batch);

G_END_DECLS
