/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "viewerfixture.h"

#include <gst/rtp/gstrtpbuffer.h>
#include <string.h>

guint
viewer_u16 (const guint8 *at)
{
  return at[0] << 8 | at[1];
}

Viewer *
viewer_new (const RtcSenderConfig *config, RtcSrtpProfile profile)
{
  RtcSrtpKeys keys = {.profile = profile, .key = "0123456789abcde", .salt = "abcdefghijklm"};
  Viewer *viewer = g_new0 (Viewer, 1);

  viewer->sender = rtc_sender_new (config);
  viewer->out = rtc_srtp_sender_new (&keys);
  viewer->in = rtc_srtp_receiver_new (&keys);
  viewer->twcc = 65534;
  return viewer;
}

void
viewer_free (Viewer *viewer)
{
  rtc_sender_free (viewer->sender);
  rtc_srtp_sender_free (viewer->out);
  rtc_srtp_receiver_free (viewer->in);
  g_free (viewer);
}

static void
read_extensions (GstRTPBuffer *rtp, const RtcSenderConfig *config, ViewerPacket *seen)
{
  gpointer data;
  guint size;

  seen->twcc = seen->audio_level = -1;
  if (config->ext_mid && gst_rtp_buffer_get_extension_onebyte_header (rtp, config->ext_mid, 0, &data, &size))
    memcpy (seen->mid, data, size);
  if (config->ext_twcc && gst_rtp_buffer_get_extension_onebyte_header (rtp, config->ext_twcc, 0, &data, &size)) {
    g_assert_cmpuint (size, ==, 2);
    seen->twcc = viewer_u16 (data);
  }
  if (config->ext_audio_level
      && gst_rtp_buffer_get_extension_onebyte_header (rtp, config->ext_audio_level, 0, &data, &size)) {
    g_assert_cmpuint (size, ==, 1);
    seen->audio_level = *(guint8 *)data;
  }
}

void
viewer_read (guint8 *data, gsize size, const RtcSenderConfig *config, ViewerPacket *seen)
{
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  GstBuffer *buffer = gst_buffer_new_memdup (data, size);

  memset (seen, 0, sizeof (*seen));
  g_assert_true (gst_rtp_buffer_map (buffer, GST_MAP_READ, &rtp));
  g_assert_false (gst_rtp_buffer_get_padding (&rtp));
  g_assert_cmpuint (gst_rtp_buffer_get_csrc_count (&rtp), ==, 0);
  seen->seq = gst_rtp_buffer_get_seq (&rtp);
  seen->payload_type = gst_rtp_buffer_get_payload_type (&rtp);
  seen->timestamp = gst_rtp_buffer_get_timestamp (&rtp);
  seen->ssrc = gst_rtp_buffer_get_ssrc (&rtp);
  seen->marker = gst_rtp_buffer_get_marker (&rtp);
  seen->header_size = gst_rtp_buffer_get_header_len (&rtp);
  seen->size = gst_rtp_buffer_get_payload_len (&rtp);
  memcpy (seen->payload, gst_rtp_buffer_get_payload (&rtp), seen->size);
  if (gst_rtp_buffer_get_extension (&rtp))
    read_extensions (&rtp, config, seen);
  else
    seen->twcc = seen->audio_level = -1;
  gst_rtp_buffer_unmap (&rtp);
  gst_buffer_unref (buffer);
}

void
viewer_show (Viewer *viewer, const RtcPacket *packet, ViewerPacket *seen)
{
  guint8 out[VIEWER_ROOM + 4];
  gsize room = packet->size + RTC_SENDER_OVERHEAD, size;

  memset (out, 0xa5, sizeof (out));
  size = rtc_sender_write (viewer->sender, packet, viewer->out, &viewer->twcc, out);
  g_assert_cmpuint (size, <=, room);
  for (gsize i = room; i < sizeof (out); i++)
    g_assert_cmphex (out[i], ==, 0xa5);
  g_assert_cmpint (rtc_srtp_receiver_unprotect (viewer->in, out, &size), ==, RTC_SRTP_OK);
  viewer_read (out, size, rtc_sender_get_config (viewer->sender), seen);
  g_assert_cmpuint (seen->header_size + seen->size, ==, size);
}

const RtcPacket *
viewer_add (RtcHistory *history, gsize size, gint audio_level)
{
  guint64 index = rtc_history_get_next (history);
  guint8 payload[VIEWER_PAYLOAD];
  RtcPacket packet = {.added = (gint64)index * 1000,
      .pts = -1,
      .timestamp = (guint32)index * 90,
      .marker = index % 3 == 2,
      .audio_level = audio_level,
      .payload = payload,
      .size = size};

  for (gsize i = 0; i < size; i++)
    payload[i] = (guint8)(index + i);
  return rtc_history_add (history, &packet);
}
