/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* RTP packets as an authenticated peer may send them, one after the other, each with a byte before it that is its size:
 * where they belong is a line that has their payload type. */

#include <string.h>

#include "native/rtcbundle.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

enum
{
  OPUS = 111,
  VP8 = 96,
  RTX = 97,
};

static RtcBundle *
make_bundle (void)
{
  static const gchar *const mids[] = {"0", "1", "screen", NULL};
  RtcBundle *bundle = rtc_bundle_new ();

  for (guint i = 0; i < G_N_ELEMENTS (mids); i++)
    rtc_bundle_add_line (bundle, i, mids[i], 4, 10, 11, 3);
  rtc_bundle_add_payload (bundle, 0, OPUS, -1);
  for (guint i = 1; i < G_N_ELEMENTS (mids); i++) {
    rtc_bundle_add_payload (bundle, i, VP8, -1);
    rtc_bundle_add_payload (bundle, i, RTX, VP8);
  }
  rtc_bundle_add_ssrc (bundle, 1, 0x1001, 0);
  rtc_bundle_add_ssrc (bundle, 1, 0x1002, 0x1001);
  return bundle;
}

static void
check_packet (const RtcBundlePacket *packet, const guint8 *data)
{
  if (packet->payload != (data[1] & 0x7f) || (packet->mline == 0) != (packet->payload == OPUS) || packet->mline > 3)
    g_error ("payload type %d on line %u", packet->payload, packet->mline);
  if (packet->is_rtx != (packet->payload == RTX) || packet->primary != (packet->is_rtx ? VP8 : -1))
    g_error ("payload type %d repeats %d", packet->payload, packet->primary);
  if (packet->original && (!packet->is_rtx || packet->original == packet->ssrc))
    g_error ("%x repeats %x", packet->ssrc, packet->original);
  if (!memchr (packet->rid, 0, sizeof (packet->rid)))
    g_error ("a RID without an end");
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  RtcBundle *bundle = make_bundle ();

  while (size > 0) {
    gsize length = MIN (data[0], size - 1);
    guint8 *exact = g_memdup2 (data + 1, length);
    RtcBundlePacket packet;

    if (rtc_bundle_take (bundle, exact, length, &packet))
      check_packet (&packet, exact);
    g_free (exact);
    data += 1 + length;
    size -= 1 + length;
  }
  rtc_bundle_free (bundle);
  return 0;
}
