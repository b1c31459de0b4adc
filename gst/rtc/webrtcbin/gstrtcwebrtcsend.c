/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcsend.h"
#include "gstrtcwebrtcpriv.h"

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

static gboolean
feed_event (GstPad *feed, GstObject *parent, GstEvent *event)
{
  GstRtcWebrtc *t = gst_pad_get_element_private (feed);
  guint mline = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (feed), "rtclink-mline"));

  if (gst_video_event_is_force_key_unit (event))
    t->base.events->key_frame_wanted (&t->base, mline, t->base.user_data);
  gst_event_unref (event);
  return TRUE;
}

static gboolean
feed_query (GstPad *feed, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return FALSE;
  gst_query_set_latency (query, TRUE, 0, GST_CLOCK_TIME_NONE);
  return TRUE;
}

static void
begin_stream (GstPad *pad, GstCaps *caps, gboolean (*give) (GstPad *, GstEvent *))
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  give (pad, gst_event_new_stream_start ("rtclink"));
  give (pad, gst_event_new_caps (caps));
  give (pad, gst_event_new_segment (&segment));
}

/* feed -> queue -> webrtcbin. The queue parts the peer from the thread that serves all of them: it never blocks, what
 * is older than a second goes first. (appsrc would do, but 1.22's base class complains of a buffer list that meets the
 * end.) */
void
gst_rtc_webrtc_add_sender (GstRtcWebrtc *t, const GstRtcLine *line, GstCaps *preferences)
{
  const GstStructure *track = gst_caps_get_structure (g_array_index (t->tracks, GstRtcSdpTrack, line->track).caps, 0);
  GstElement *queue = gst_element_factory_make ("queue", NULL);
  GstCaps *caps = gst_caps_make_writable (gst_caps_ref (preferences));
  GstWebRTCRTPTransceiver *transceiver = NULL;
  GstPad *feed = gst_pad_new (NULL, GST_PAD_SRC), *sink, *pad;
  guint ssrc;

  if (gst_structure_get_uint (track, "ssrc", &ssrc))
    gst_caps_set_simple (caps, "ssrc", G_TYPE_UINT, ssrc, NULL);
  sink = gst_element_request_pad (t->webrtc, gst_element_get_pad_template (t->webrtc, "sink_%u"), NULL, caps);
  g_object_get (sink, "transceiver", &transceiver, NULL);
  g_object_set (transceiver, "codec-preferences", preferences, "do-nack", TRUE, "direction",
      line->receive ? GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDRECV : GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
      NULL);
  /* webrtcbin writes a=ssrc from the caps that its sink pad got, so it gets them before it is asked for a description.
   */
  begin_stream (sink, caps, gst_pad_send_event);

  gst_util_set_object_arg (G_OBJECT (queue), "leaky", "downstream");
  g_object_set (
      queue, "max-size-buffers", 0, "max-size-bytes", 0, "max-size-time", (guint64)GST_SECOND, "silent", TRUE, NULL);
  gst_bin_add (GST_BIN (t->base.bin), queue);
  pad = gst_element_get_static_pad (queue, "src");
  gst_pad_link (pad, sink);
  gst_object_unref (pad);
  gst_element_sync_state_with_parent (queue);

  gst_pad_set_element_private (feed, t);
  g_object_set_data (G_OBJECT (feed), "rtclink-mline", GUINT_TO_POINTER (line->mline));
  gst_pad_set_event_function (feed, feed_event);
  gst_pad_set_query_function (feed, feed_query);
  gst_pad_set_active (feed, TRUE);
  pad = gst_element_get_static_pad (queue, "sink");
  gst_pad_link (feed, pad);
  gst_object_unref (pad);
  begin_stream (feed, caps, gst_pad_push_event);
  t->feeds[line->mline] = gst_object_ref_sink (feed);

  gst_caps_unref (caps);
  gst_object_unref (sink);
  gst_object_unref (transceiver);
}

typedef struct
{
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
gst_rtc_webrtc_send (
    gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list)
{
  for (guint i = 0; i < n_outputs; i++) {
    GstRtcWebrtc *t = (GstRtcWebrtc *)outputs[i].transport;
    guint mline = outputs[i].mline;
    Sending sending;

    if (!g_atomic_int_get (&t->connected) || !t->feeds[mline])
      continue;
    sending.line = &g_array_index (t->lines, GstRtcLine, mline);
    sending.out = gst_buffer_list_new_sized (gst_buffer_list_length (list));
    gst_buffer_list_foreach (list, send_one, &sending);
    gst_pad_push_list (t->feeds[mline], sending.out);
  }
}
