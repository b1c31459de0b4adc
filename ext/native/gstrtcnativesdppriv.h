/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcnativesdp.h"

G_BEGIN_DECLS

/* What reading (gstrtcnativesdpread.c) and writing of descriptions share. */

/* Flags have no value, which gst_sdp_media_get_attribute_val() cannot tell from not being there. */
gboolean gst_rtc_native_sdp_has_attribute (const GstSDPMedia *media, const gchar *name);

/* The accepted LINES as one bundle (RFC 8843). MLINE: (out): the section that speaks for all of them. MIDS: (out)
 * (transfer full) (nullable): of the accepted ones that are in the group, that section's first; NULL when
 * there is no group, which is well with one accepted line. FALSE with ERROR (RTC_ERROR_BAD_SDP) when they
 * are not bundled. */
gboolean gst_rtc_native_sdp_find_bundle (
    const GstSDPMessage *sdp, const GArray *lines, gboolean is_answer, guint *mline, gchar ***mids, GError **error);

G_END_DECLS
