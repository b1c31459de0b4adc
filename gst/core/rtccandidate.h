/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether TEXT is an ICE candidate (RFC 8839, section 5.1) that may be passed on: fields present and of the right kind,
 * a priority above 0, a tcptype when it is TCP (RFC 6544); some libraries crash on less.
 * FALSE with ERROR (RTC_ERROR, RTC_ERROR_BAD_CANDIDATE), which says what is wrong with it. */
gboolean rtc_candidate_check (const gchar *text, GError **error);

/* Whether it names a host by a .local name (mDNS, draft-ietf-mmusic-mdns-ice-candidates) instead of an address. */
gboolean rtc_candidate_is_mdns (const gchar *text);

G_END_DECLS
