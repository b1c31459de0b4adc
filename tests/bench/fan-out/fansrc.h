/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

/* The element fansrc: one track of the stream (fan.h) as RTP, a frame a buffer list, in time. It gives a key frame when
 * it is asked for one. Properties: video (gboolean), slices (guint). */
#define FAN_TYPE_SRC (fan_src_get_type ())
G_DECLARE_FINAL_TYPE (FanSrc, fan_src, FAN, SRC, GstPushSrc)

/* For gst_parse_launch() of this program. */
void fan_src_register (void);

G_END_DECLS
