/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Which m-line a packet belongs to (BUNDLE, RFC 8843, section 9.2): by the MID it carries, else by its SSRC, known or
 * learned, else by its payload type when only one line has that. Pure. One thread. */
typedef struct _RtcBundle RtcBundle;

#define RTC_BUNDLE_MAX_SSRCS 256 /* that are learned; the one that was silent longest goes first */

typedef struct
{
  guint mline;
  guint32 ssrc;
  gint payload;
  gboolean
      is_rtx; /* RFC 4588; PRIMARY is the payload type that it repeats, the SSRC of the line's stream is ORIGINAL */
  gint primary;
  guint32 original; /* 0: not known yet */
  gchar rid[17]; /* simulcast layer (RFC 8852), "" when there is none */
  guint16 twcc; /* transport-wide number */
  gboolean has_twcc;
} RtcBundlePacket;

RtcBundle *rtc_bundle_new (void);
void rtc_bundle_free (RtcBundle *bundle);

/* A line that receives, with the extension ids of its section (0: none). */
void rtc_bundle_add_line (RtcBundle *bundle, guint mline, const gchar *mid, guint ext_mid, guint ext_rid,
    guint ext_repaired_rid, guint ext_twcc);

/* A payload type of the line. PRIMARY: the one it repeats (a=fmtp apt=); -1: it is no RTX. */
void rtc_bundle_add_payload (RtcBundle *bundle, guint mline, gint payload, gint primary);

/* From a=ssrc and a=ssrc-group:FID. ORIGINAL: of whom it is the RTX; 0: it is none. */
void rtc_bundle_add_ssrc (RtcBundle *bundle, guint mline, guint32 ssrc, guint32 original);

/* Reads the header of a plain RTP packet and learns from it. FALSE when it is malformed or nobody's. */
gboolean rtc_bundle_take (RtcBundle *bundle, const guint8 *data, gsize size, RtcBundlePacket *packet);

G_END_DECLS
