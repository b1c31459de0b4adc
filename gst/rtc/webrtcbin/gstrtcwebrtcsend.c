/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcsend.h"
#include "gstrtcwebrtcpriv.h"

#include <gst/app/gstappsrc.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <gst/video/video.h>
#include <string.h>

#define FIXED_HEADER 12
#define MAX_EXTENSIONS 64

static guint
put_extension (guint8 *at, guint id, gconstpointer data, guint size)
{
  if (!id || !size || size > 16)
    return 0;
  at[0] = (id << 4) | (size - 1);
  memcpy (at + 1, data, size);
  return size + 1;
}

/* Returns the length of the block, which is a multiple of 4; 0 when there is none. */
static guint
write_extensions (guint8 *block, GstRTPBuffer *plain, const GstRtcLine *line)
{
  static const guint8 no_number[2] = {0, 0};
  guint8 *at = block + 4;
  gpointer level;
  guint size, words;

  if (line->mid)
    at += put_extension (at, line->ext_mid, line->mid, strlen (line->mid));
  at += put_extension (at, line->ext_twcc, no_number, sizeof (no_number));
  if (line->ext_audio_level
      && gst_rtp_buffer_get_extension_onebyte_header (plain, GST_RTC_PLAIN_EXT_AUDIO_LEVEL, 0, &level, &size))
    at += put_extension (at, line->ext_audio_level, level, size);
  if (at == block + 4)
    return 0;
  while ((at - block) % 4)
    *at++ = 0;
  words = (at - block) / 4 - 1;
  GST_WRITE_UINT16_BE (block, 0xbede);
  GST_WRITE_UINT16_BE (block + 2, words);
  return at - block;
}

GstBuffer *
gst_rtc_webrtc_packet (GstBuffer *plain, const GstRtcLine *line)
{
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  guint8 header[FIXED_HEADER + MAX_EXTENSIONS];
  guint extensions, skip;
  GstBuffer *packet;

  if (!gst_rtp_buffer_map (plain, GST_MAP_READ, &rtp))
    return NULL;
  extensions = write_extensions (header + FIXED_HEADER, &rtp, line);
  header[0] = (2 << 6) | (gst_rtp_buffer_get_padding (&rtp) << 5) | ((extensions > 0) << 4);
  header[1] = (gst_rtp_buffer_get_marker (&rtp) << 7) | line->payload;
  GST_WRITE_UINT16_BE (header + 2, gst_rtp_buffer_get_seq (&rtp));
  GST_WRITE_UINT32_BE (header + 4, gst_rtp_buffer_get_timestamp (&rtp));
  GST_WRITE_UINT32_BE (header + 8, gst_rtp_buffer_get_ssrc (&rtp));
  skip = gst_rtp_buffer_get_header_len (&rtp);
  gst_rtp_buffer_unmap (&rtp);

  packet = gst_buffer_new_memdup (header, FIXED_HEADER + extensions);
  gst_buffer_copy_into (packet, plain, GST_BUFFER_COPY_MEMORY, skip, -1);
  GST_BUFFER_PTS (packet) = GST_BUFFER_PTS (plain);
  return packet;
}

static GstPadProbeReturn
upstream_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;
  guint mline = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (pad), "rtclink-mline"));

  if (gst_video_event_is_force_key_unit (GST_PAD_PROBE_INFO_EVENT (info)))
    t->base.events->key_frame_wanted (&t->base, mline, t->base.user_data);
  return GST_PAD_PROBE_OK;
}

/* webrtcbin writes a=ssrc from the caps that its sink pad got, so it gets them before it is asked for a description. */
static void
announce_caps (GstPad *sink, GstCaps *caps)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_send_event (sink, gst_event_new_stream_start ("announced"));
  gst_pad_send_event (sink, gst_event_new_caps (caps));
  gst_pad_send_event (sink, gst_event_new_segment (&segment));
}

void
gst_rtc_webrtc_add_sender (GstRtcWebrtc *t, const GstRtcLine *line, GstCaps *preferences)
{
  const GstStructure *track = gst_caps_get_structure (g_array_index (t->tracks, GstRtcSdpTrack, line->track).caps, 0);
  GstElement *appsrc = gst_element_factory_make ("appsrc", NULL);
  GstPadTemplate *template = gst_element_get_pad_template (t->webrtc, "sink_%u");
  GstCaps *caps = gst_caps_make_writable (gst_caps_ref (preferences));
  GstWebRTCRTPTransceiver *transceiver = NULL;
  GstPad *sink, *src;
  guint ssrc;

  if (gst_structure_get_uint (track, "ssrc", &ssrc))
    gst_caps_set_simple (caps, "ssrc", G_TYPE_UINT, ssrc, NULL);
  /* A second is more than a live viewer can use; what is older goes first. */
  g_object_set (appsrc, "format", GST_FORMAT_TIME, "is-live", TRUE, "caps", caps, "max-bytes", (guint64)0,
      "max-buffers", (guint64)0, "max-time", (guint64)GST_SECOND, "leaky-type", GST_APP_LEAKY_TYPE_DOWNSTREAM, NULL);
  sink = gst_element_request_pad (t->webrtc, template, NULL, caps);
  g_object_get (sink, "transceiver", &transceiver, NULL);
  g_object_set (transceiver, "codec-preferences", preferences, "do-nack", TRUE, "direction",
      line->receive ? GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDRECV : GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
      NULL);
  announce_caps (sink, caps);

  gst_bin_add (GST_BIN (t->base.bin), appsrc);
  src = gst_element_get_static_pad (appsrc, "src");
  g_object_set_data (G_OBJECT (src), "rtclink-mline", GUINT_TO_POINTER (line->mline));
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, upstream_event, t, NULL);
  gst_pad_link (src, sink);
  gst_element_sync_state_with_parent (appsrc);
  t->appsrcs[line->mline] = appsrc;

  gst_caps_unref (caps);
  gst_object_unref (src);
  gst_object_unref (sink);
  gst_object_unref (transceiver);
}

typedef struct
{
  GstRtcWebrtc *t;
  GstElement *appsrc;
  GstBufferList *out;
  const GstRtcLine *line;
} Sending;

static gboolean
send_one (GstBuffer **buffer, guint index, gpointer user_data)
{
  Sending *sending = user_data;
  GstBuffer *packet = gst_rtc_webrtc_packet (*buffer, sending->line);

  if (packet)
    gst_buffer_list_add (sending->out, packet);
  return TRUE;
}

void
gst_rtc_webrtc_send (GstRtcTransport *base, guint mline, GstBufferList *list)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;
  Sending sending = {.t = t};

  if (!g_atomic_int_get (&t->connected) || !t->appsrcs[mline])
    return;
  sending.line = &g_array_index (t->lines, GstRtcLine, mline);
  sending.out = gst_buffer_list_new_sized (gst_buffer_list_length (list));
  gst_buffer_list_foreach (list, send_one, &sending);
  gst_app_src_push_buffer_list (GST_APP_SRC (t->appsrcs[mline]), sending.out);
}
