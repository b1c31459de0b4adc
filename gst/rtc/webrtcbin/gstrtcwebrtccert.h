/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether CERTIFICATE (PEM, as it came in the DTLS handshake) is one of those that the peer's description vouches for
 * (RFC 8122, section 6.1): a hash that is known here must match, and none of the strongest kind may differ.
 * FINGERPRINTS: as gst_rtc_sdp_get_fingerprints() returns them.
 * FALSE with ERROR (RTC_ERROR, RTC_ERROR_FINGERPRINT_MISMATCH) otherwise, which is the end of the session. */
gboolean gst_rtc_certificate_check (const gchar *certificate, gchar **fingerprints, GError **error);

G_END_DECLS
