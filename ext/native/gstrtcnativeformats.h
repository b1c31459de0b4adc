/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtc/gstrtcsdp.h"

G_BEGIN_DECLS

/* What our own offers say of codecs: payload types, and a=fmtp. Pure. */

typedef struct
{
  const GstRtcCodec *codec;
  gint payload;
  gint rtx_payload; /* -1: none */
  gchar *fmtp; /* "" when there is nothing to be said */
} GstRtcNativeFormat;

/* The formats of each line that is accepted, the preferred one first; none for the others, nor when all payload types
 * are taken. In a bundle a payload type means the same in all sections (RFC 8843, section 9.1), so they are given out
 * for all lines together, and those that LINES have already stay. (transfer full) (element-type GArray) */
GPtrArray *gst_rtc_native_formats_new (const GArray *lines, const GstRtcSdpTrack *tracks);

/* The value of a=fmtp without its payload type: what the receiver says from THEIRS, sprop- fields, which describe what
 * is sent, from SENT (nullable). Only fields that are known; no value of a peer's that is not a short token.
 * (transfer full) */
gchar *gst_rtc_native_fmtp (const GstRtcCodec *codec, const GstStructure *theirs, const GstStructure *sent);

G_END_DECLS
