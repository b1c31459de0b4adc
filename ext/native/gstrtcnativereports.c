/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativereports.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <string.h>

#define MAX_REPORT 512 /* a sender report of 28 bytes, SDES with a CNAME of 255 */

typedef struct
{
  guint32 ssrc;
  guint8 size;
  const guint8 *text; /* NULL: not in this compound */
} Cname;

static gboolean
find_in_sdes (GstRTCPPacket *packet, Cname *cname)
{
  for (gboolean item = gst_rtcp_packet_sdes_first_item (packet); item; item = gst_rtcp_packet_sdes_next_item (packet)) {
    if (gst_rtcp_packet_sdes_get_ssrc (packet) != cname->ssrc)
      continue;
    for (gboolean entry = gst_rtcp_packet_sdes_first_entry (packet); entry;
         entry = gst_rtcp_packet_sdes_next_entry (packet)) {
      GstRTCPSDESType type;
      guint8 *text;

      if (gst_rtcp_packet_sdes_get_entry (packet, &type, &cname->size, &text) && type == GST_RTCP_SDES_CNAME) {
        cname->text = text;
        return TRUE;
      }
    }
  }
  return FALSE;
}

static void
find_cname (GstRTCPBuffer *compound, Cname *cname)
{
  GstRTCPPacket packet;

  for (gboolean more = gst_rtcp_buffer_get_first_packet (compound, &packet); more;
       more = gst_rtcp_packet_move_to_next (&packet)) {
    if (gst_rtcp_packet_get_type (&packet) == GST_RTCP_TYPE_SDES && find_in_sdes (&packet, cname))
      return;
  }
}

static GstBuffer *
make_report (GstRTCPPacket *from, const Cname *cname)
{
  GstBuffer *report = gst_rtcp_buffer_new (MAX_REPORT);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;
  guint32 ssrc, time, packets, octets;
  guint64 ntp;

  gst_rtcp_packet_sr_get_sender_info (from, &ssrc, &ntp, &time, &packets, &octets);
  gst_rtcp_buffer_map (report, GST_MAP_READWRITE, &rtcp);
  gst_rtcp_buffer_add_packet (&rtcp, GST_RTCP_TYPE_SR, &packet);
  gst_rtcp_packet_sr_set_sender_info (&packet, ssrc, ntp, time, packets, octets);
  if (cname->text) {
    gst_rtcp_buffer_add_packet (&rtcp, GST_RTCP_TYPE_SDES, &packet);
    gst_rtcp_packet_sdes_add_item (&packet, ssrc);
    gst_rtcp_packet_sdes_add_entry (&packet, GST_RTCP_SDES_CNAME, cname->size, cname->text);
  }
  gst_rtcp_buffer_unmap (&rtcp);
  return report;
}

void
gst_rtc_native_reports_split (const guint8 *data, gsize size, GstRtcNativeReportFunc func, gpointer user_data)
{
  GstBuffer *buffer;
  GstRTCPBuffer compound = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;

  if (!gst_rtcp_buffer_validate_data_reduced ((guint8 *)data, size))
    return;
  buffer = gst_buffer_new_wrapped_full (GST_MEMORY_FLAG_READONLY, (gpointer)data, size, 0, size, NULL, NULL);
  gst_rtcp_buffer_map (buffer, GST_MAP_READ, &compound);
  for (gboolean more = gst_rtcp_buffer_get_first_packet (&compound, &packet); more;
       more = gst_rtcp_packet_move_to_next (&packet)) {
    Cname cname = {0};

    /* A length that leaves no room for it is not looked at by GstRTCPBuffer. */
    if (gst_rtcp_packet_get_type (&packet) != GST_RTCP_TYPE_SR || gst_rtcp_packet_get_length (&packet) < 6)
      continue;
    gst_rtcp_packet_sr_get_sender_info (&packet, &cname.ssrc, NULL, NULL, NULL, NULL);
    find_cname (&compound, &cname);
    func (cname.ssrc, make_report (&packet, &cname), user_data);
  }
  gst_rtcp_buffer_unmap (&compound);
  gst_buffer_unref (buffer);
}

#define OUR_SSRC 1 /* of one who only receives: nothing is matched with it */

gsize
gst_rtc_native_write_plis (guint8 *out, const guint32 *ssrcs, guint n)
{
  static const guint8 empty_report[] = {0x80, GST_RTCP_TYPE_RR, 0, 1};
  static const guint8 pli[] = {0x80 | GST_RTCP_PSFB_TYPE_PLI, GST_RTCP_TYPE_PSFB, 0, 2};
  gsize size = 0;

  memcpy (out, empty_report, sizeof (empty_report));
  GST_WRITE_UINT32_BE (out + 4, OUR_SSRC);
  size += 8;
  for (guint i = 0; i < n; i++, size += 12) {
    memcpy (out + size, pli, sizeof (pli));
    GST_WRITE_UINT32_BE (out + size + 4, OUR_SSRC);
    GST_WRITE_UINT32_BE (out + size + 8, ssrcs[i]);
  }
  return size;
}
