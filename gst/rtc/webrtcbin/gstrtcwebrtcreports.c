/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcreports.h"

#include <gst/rtp/gstrtcpbuffer.h>

/* SSRCs are the peer's to choose. */
#define MAX_REPORTS 64

/* From 1900, where NTP begins, to 1970. */
#define NTP_OFFSET G_GUINT64_CONSTANT (2208988800)

void
gst_rtc_webrtc_reports_init (GstRtcWebrtcReports *self)
{
  g_mutex_init (&self->lock);
  self->reports = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

void
gst_rtc_webrtc_reports_clear (GstRtcWebrtcReports *self)
{
  g_hash_table_unref (self->reports);
  g_mutex_clear (&self->lock);
}

/* The middle 32 bits of an NTP timestamp (RFC 3550, section 4). */
static guint32
to_short_ntp (gint64 microseconds)
{
  guint64 seconds = microseconds / G_USEC_PER_SEC + NTP_OFFSET;
  guint64 fraction = ((guint64)(microseconds % G_USEC_PER_SEC) << 16) / G_USEC_PER_SEC;

  return (guint32)((seconds << 16) + fraction);
}

static gdouble
get_round_trip_time (gint64 received_at, guint32 last_sr, guint32 since_last_sr)
{
  gint32 units;

  if (received_at < 0 || last_sr == 0)
    return -1;
  units = (gint32)(to_short_ntp (received_at) - last_sr - since_last_sr);
  /* On a short way the two roundings may make it negative. */
  return units > 0 ? units / 65536.0 : units > -65536 ? 0 : -1;
}

static void
take_block (GstRtcWebrtcReports *self, const GstRTCPPacket *packet, guint n, gint64 received_at)
{
  GstRtcWebrtcReport *report;
  guint32 ssrc, highest, jitter, last_sr, since_last_sr;
  guint8 fraction;
  gint32 lost;

  gst_rtcp_packet_get_rb (
      (GstRTCPPacket *)packet, n, &ssrc, &fraction, &lost, &highest, &jitter, &last_sr, &since_last_sr);
  g_mutex_lock (&self->lock);
  report = g_hash_table_lookup (self->reports, GUINT_TO_POINTER (ssrc));
  if (!report && g_hash_table_size (self->reports) < MAX_REPORTS) {
    report = g_new0 (GstRtcWebrtcReport, 1);
    report->round_trip_time = -1;
    g_hash_table_insert (self->reports, GUINT_TO_POINTER (ssrc), report);
  }
  if (report) {
    gdouble round_trip_time = get_round_trip_time (received_at, last_sr, since_last_sr);

    report->fraction_lost = fraction / 256.0;
    report->packets_lost = lost;
    report->jitter = jitter;
    if (round_trip_time >= 0)
      report->round_trip_time = round_trip_time;
  }
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_webrtc_reports_take (GstRtcWebrtcReports *self, GstBuffer *buffer, gint64 received_at)
{
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;

  if (!gst_rtcp_buffer_validate_reduced (buffer) || !gst_rtcp_buffer_map (buffer, GST_MAP_READ, &rtcp))
    return;
  for (gboolean more = gst_rtcp_buffer_get_first_packet (&rtcp, &packet); more;
       more = gst_rtcp_packet_move_to_next (&packet)) {
    GstRTCPType type = gst_rtcp_packet_get_type (&packet);

    if (type != GST_RTCP_TYPE_SR && type != GST_RTCP_TYPE_RR)
      continue;
    for (guint i = 0; i < gst_rtcp_packet_get_rb_count (&packet); i++)
      take_block (self, &packet, i, received_at);
  }
  gst_rtcp_buffer_unmap (&rtcp);
}

gboolean
gst_rtc_webrtc_reports_get (GstRtcWebrtcReports *self, guint ssrc, GstRtcWebrtcReport *report)
{
  const GstRtcWebrtcReport *found;

  g_mutex_lock (&self->lock);
  found = g_hash_table_lookup (self->reports, GUINT_TO_POINTER (ssrc));
  if (found)
    *report = *found;
  g_mutex_unlock (&self->lock);
  return found != NULL;
}

static void
on_receiving (GObject *session, GstBuffer *packet, gpointer user_data)
{
  gst_rtc_webrtc_reports_take (user_data, packet, g_get_real_time ());
}

static gboolean
on_sending (GObject *session, GstBuffer *packet, gboolean early, gpointer user_data)
{
  gst_rtc_webrtc_reports_take (user_data, packet, -1);
  return FALSE;
}

void
gst_rtc_webrtc_reports_watch (GstRtcWebrtcReports *self, GObject *session)
{
  g_signal_connect (session, "on-receiving-rtcp", G_CALLBACK (on_receiving), self);
  g_signal_connect (session, "on-sending-rtcp", G_CALLBACK (on_sending), self);
}
