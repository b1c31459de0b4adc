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

/* Sources that are learned, the one that was silent longest goes first; and as many that the description names, what
 * it names beyond is learned like the others. */
#define RTC_BUNDLE_MAX_SSRCS 256

typedef struct
{
  guint mline;
  guint32 ssrc;
  gint payload; /* type, 0 to 127 */
  gboolean
      is_rtx; /* RFC 4588; PRIMARY is the payload type that it repeats, the SSRC of the line's stream is ORIGINAL */
  gint primary; /* -1: no RTX */
  guint32 original; /* 0: not known yet, or no RTX */
  gchar rid[17]; /* simulcast layer (RFC 8852), of an RTX the layer it repeats; "" when there is none */
  guint16 twcc; /* transport-wide number */
  gboolean has_twcc;
} RtcBundlePacket;

RtcBundle *rtc_bundle_new (void);
void rtc_bundle_free (RtcBundle *bundle);

/* A line that receives, once each, with the extension ids of its section (0: none; RFC 8285, section 5). MID is copied;
 * NULL: the section has none. */
void rtc_bundle_add_line (RtcBundle *bundle, guint mline, const gchar *mid, guint ext_mid, guint ext_rid,
    guint ext_repaired_rid, guint ext_twcc);

/* A payload type of the line, which was added. PRIMARY: the one it repeats (a=fmtp apt=, RFC 4588, section 8.1); -1: it
 * is no RTX. One that is not 0 to 127 is left out. */
void rtc_bundle_add_payload (RtcBundle *bundle, guint mline, gint payload, gint primary);

/* From a=ssrc and a=ssrc-group:FID (RFC 5576), for a line that was added. ORIGINAL: of whom it is the RTX; 0: it is
 * none, or another call says so. It is a beginning only: a MID in a packet says more. */
void rtc_bundle_add_ssrc (RtcBundle *bundle, guint mline, guint32 ssrc, guint32 original);

/* Reads the header of a plain, authenticated RTP packet and learns from it. FALSE when it is malformed or nobody's: of
 * a MID that is no line's, of a payload type that its line does not have, or of an unknown SSRC with a payload type
 * that several lines have; then PACKET is not to be read and nothing was learned. The number that an RTX repeats tells
 * whose it is when neither FID nor RID does, so the first few of a stream may come with ORIGINAL 0. */
gboolean rtc_bundle_take (RtcBundle *bundle, const guint8 *data, gsize size, RtcBundlePacket *packet);

G_END_DECLS
