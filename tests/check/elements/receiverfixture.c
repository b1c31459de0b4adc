/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "receiverfixture.h"

#include <gst/app/gstappsink.h>
#include <gst/rtp/gstrtcpbuffer.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <string.h>

/* Packets. */

static void
packet_free (gpointer data)
{
  g_bytes_unref (((Packet *)data)->bytes);
  g_free (data);
}

/* Runs LAUNCH, which ends with a payloader, as fast as it can. */
static GPtrArray *
make_packets (const gchar *launch)
{
  gchar *text = g_strconcat (launch, " ! appsink name=sink sync=false", NULL);
  GstElement *pipeline = gst_parse_launch (text, NULL), *sink;
  GPtrArray *packets = g_ptr_array_new_with_free_func (packet_free);
  GstSample *sample;

  fail_unless (pipeline != NULL, "%s", text);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    Packet *packet = g_new0 (Packet, 1);
    gsize size = gst_buffer_get_size (buffer);
    guint8 *data = g_malloc (size);

    gst_buffer_extract (buffer, 0, data, size);
    packet->due = GST_BUFFER_PTS (buffer) / 1000;
    packet->bytes = g_bytes_new_take (data, size);
    g_ptr_array_add (packets, packet);
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  g_free (text);
  fail_unless (packets->len > 10);
  return packets;
}

/* Numbers go on where an earlier one of the same SSRC ended: who comes back after a pause did not begin anew. */
GPtrArray *
make_video (guint frames, guint32 ssrc)
{
  static guint16 seq = 20000;
  gchar *launch = g_strdup_printf ("videotestsrc pattern=zone-plate kx2=20 ky2=20 kt=3 num-buffers=%u ! "
                                   "video/x-raw,width=320,height=240,framerate=30/1 ! "
                                   "vp8enc deadline=1 cpu-used=8 target-bitrate=1000000 keyframe-max-dist=1000 ! "
                                   "rtpvp8pay picture-id-mode=15-bit pt=%d mtu=500 ssrc=%u seqnum-offset=%u",
      frames, VIDEO_PT, ssrc, seq);
  GPtrArray *packets = make_packets (launch);

  seq += packets->len;
  g_free (launch);
  return packets;
}

GPtrArray *
make_audio (guint frames, guint32 ssrc)
{
  gchar *launch =
      g_strdup_printf ("audiotestsrc num-buffers=%u samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! "
                       "opusenc ! rtpopuspay pt=%d ssrc=%u",
          frames, AUDIO_PT, ssrc);
  GPtrArray *packets = make_packets (launch);

  g_free (launch);
  return packets;
}

/* The same with header extensions: MID (4) and RID (5). */
static GBytes *
with_extensions (GBytes *bytes, const gchar *mid, const gchar *rid)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  GstBuffer *buffer = gst_buffer_new_memdup (data, size);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  guint8 *out;

  gst_rtp_buffer_map (buffer, GST_MAP_READWRITE, &rtp);
  gst_rtp_buffer_add_extension_onebyte_header (&rtp, 4, mid, strlen (mid));
  if (rid)
    gst_rtp_buffer_add_extension_onebyte_header (&rtp, 5, rid, strlen (rid));
  gst_rtp_buffer_unmap (&rtp);
  size = gst_buffer_get_size (buffer);
  out = g_malloc (size);
  gst_buffer_extract (buffer, 0, out, size);
  gst_buffer_unref (buffer);
  return g_bytes_new_take (out, size);
}

void
add_extensions (GPtrArray *packets, const gchar *mid, const gchar *rid)
{
  for (guint i = 0; i < packets->len; i++) {
    Packet *packet = g_ptr_array_index (packets, i);
    GBytes *plain = packet->bytes;

    packet->bytes = with_extensions (plain, mid, rid);
    g_bytes_unref (plain);
  }
}

static guint64
key_of (guint32 ssrc, guint16 seq)
{
  return ((guint64)ssrc << 16) | seq;
}

/* RFC 4588, section 4. */
static GBytes *
make_rtx (Fixture *f, GBytes *original)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (original, &size);
  guint8 *out = g_malloc (size + 2);

  memcpy (out, data, 12);
  out[1] = (data[1] & 0x80) | RTX_PT;
  GST_WRITE_UINT16_BE (out + 2, f->rtx_seq++);
  GST_WRITE_UINT32_BE (out + 8, RTX_SSRC);
  memcpy (out + 12, data + 2, 2);
  memcpy (out + 14, data + 12, size - 12);
  return g_bytes_new_take (out, size + 2);
}

/* The wire. */

static gint
by_due (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 x = ((const Packet *)a)->due, y = ((const Packet *)b)->due;

  return x < y ? -1 : x > y;
}

static void
put_on_wire (Fixture *f, GBytes *bytes, gint64 due, gboolean safe)
{
  Packet *packet;

  if (!safe && g_rand_double (f->rand) < f->loss)
    return;
  packet = g_new0 (Packet, 1);
  packet->bytes = g_bytes_ref (bytes);
  packet->due =
      due + (f->reorder && !safe && g_rand_double (f->rand) < 0.05 ? g_rand_int_range (f->rand, 1000, 8000) : 0);
  g_sequence_insert_sorted (f->wire, packet, by_due, NULL);
}

void
send_all (Fixture *f, GPtrArray *packets, gint64 start)
{
  for (guint i = 0; i < packets->len; i++) {
    Packet *packet = g_ptr_array_index (packets, i);
    const guint8 *data = g_bytes_get_data (packet->bytes, NULL);
    guint64 *key = g_new (guint64, 1);

    *key = key_of (GST_READ_UINT32_BE (data + 8), GST_READ_UINT16_BE (data + 2));
    g_hash_table_insert (f->sent, key, g_bytes_ref (packet->bytes));
    put_on_wire (f, packet->bytes, start + packet->due + ONE_WAY, i == 0 || i + 1 == packets->len);
  }
}

GPtrArray *
send_video (Fixture *f, guint frames, guint32 ssrc)
{
  GPtrArray *video = make_video (frames, ssrc);

  send_all (f, video, g_get_monotonic_time ());
  return video;
}

static void
answer_nack (Fixture *f, GstRTCPPacket *packet)
{
  const guint8 *fci = gst_rtcp_packet_fb_get_fci (packet);
  guint32 ssrc = gst_rtcp_packet_fb_get_media_ssrc (packet);

  for (guint i = 0; i < gst_rtcp_packet_fb_get_fci_length (packet); i++, fci += 4) {
    guint16 first = GST_READ_UINT16_BE (fci), more = GST_READ_UINT16_BE (fci + 2);

    for (guint bit = 0; bit <= 16; bit++) {
      guint64 key = key_of (ssrc, first + bit);
      GBytes *lost = bit == 0 || more & (1 << (bit - 1)) ? g_hash_table_lookup (f->sent, &key) : NULL;
      GBytes *rtx = lost && !f->no_rtx ? make_rtx (f, lost) : NULL;

      f->n_nacks += bit == 0 || more & (1 << (bit - 1));
      if (!rtx)
        continue;
      put_on_wire (f, rtx, g_get_monotonic_time () + 2 * ONE_WAY, FALSE);
      f->n_rtx++;
      g_bytes_unref (rtx);
    }
  }
}

static void
take_report (Fixture *f, GstRTCPPacket *packet)
{
  gint64 now = g_get_monotonic_time ();

  if (gst_rtcp_packet_get_rb_count (packet) > 0) {
    guint8 fraction;
    gint32 lost;
    guint32 highest, jitter, dlsr;

    gst_rtcp_packet_get_rb (packet, 0, &f->reported_ssrc, &fraction, &lost, &highest, &jitter, &f->last_sr, &dlsr);
    f->n_reports++;
  }
  if (f->last_report)
    f->longest_report = MAX (f->longest_report, now - f->last_report);
  f->last_report = now;
}

static void
take_rtcp (Fixture *f, GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);
  GstBuffer *buffer = gst_buffer_new_memdup (data, size);
  GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
  GstRTCPPacket packet;

  fail_unless (gst_rtcp_buffer_validate_reduced (buffer));
  gst_rtcp_buffer_map (buffer, GST_MAP_READ, &rtcp);
  f->n_rtcp++;
  for (gboolean more = gst_rtcp_buffer_get_first_packet (&rtcp, &packet); more;
       more = gst_rtcp_packet_move_to_next (&packet)) {
    GstRTCPType type = gst_rtcp_packet_get_type (&packet);
    GstRTCPFBType fb = type == GST_RTCP_TYPE_RTPFB || type == GST_RTCP_TYPE_PSFB ? gst_rtcp_packet_fb_get_type (&packet)
                                                                                 : GST_RTCP_FB_TYPE_INVALID;

    if (type == GST_RTCP_TYPE_RR)
      take_report (f, &packet);
    /* Transport-wide feedback is written elsewhere. */
    fail_if (type == GST_RTCP_TYPE_RTPFB && fb == GST_RTCP_RTPFB_TYPE_TWCC);
    if (type == GST_RTCP_TYPE_RTPFB && fb == GST_RTCP_RTPFB_TYPE_NACK)
      answer_nack (f, &packet);
    f->n_plis += type == GST_RTCP_TYPE_PSFB && fb == GST_RTCP_PSFB_TYPE_PLI;
  }
  gst_rtcp_buffer_unmap (&rtcp);
  gst_buffer_unref (buffer);
}

/* What the receiver tells. */

static void
tell (Fixture *f, guint mline, GstPad *pad, GBytes *rtcp)
{
  Told *told = g_new (Told, 1);

  *told = (Told){mline, pad, rtcp};
  g_async_queue_push (f->told, told);
}

static void
on_stream (guint mline, const gchar *rid, GstPad *pad, gpointer user_data)
{
  tell (user_data, mline, gst_object_ref (pad), NULL);
}

static void
on_rtcp (const guint8 *data, gsize size, gpointer user_data)
{
  tell (user_data, G_MAXUINT, NULL, g_bytes_new (data, size));
}

static const GstRtcNativeReceiverEvents events = {.stream = on_stream, .rtcp = on_rtcp};

static void
told_free (gpointer data)
{
  Told *told = data;

  gst_clear_object (&told->pad);
  g_clear_pointer (&told->rtcp, g_bytes_unref);
  g_free (told);
}

static void
on_frame (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  g_atomic_int_inc ((gint *)user_data);
}

static GstPadProbeReturn
on_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS)
    g_atomic_int_inc (&((Fixture *)user_data)->eos);
  return GST_PAD_PROBE_OK;
}

void
attach (Fixture *f, guint mline, GstPad *pad)
{
  GstCaps *caps = gst_pad_get_current_caps (pad);
  gboolean audio =
      caps && g_strcmp0 (gst_structure_get_string (gst_caps_get_structure (caps, 0), "media"), "audio") == 0;
  GstElement *depay = gst_element_factory_make (audio ? "rtpopusdepay" : "rtpvp8depay", NULL);
  GstElement *decoder = gst_element_factory_make (audio ? "opusdec" : "vp8dec", NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstPad *entry = gst_element_get_static_pad (depay, "sink");

  gst_clear_caps (&caps);
  /* Threads of decoders that are left over would be counted. */
  if (!audio) {
    g_object_set (depay, "request-keyframe", TRUE, "wait-for-keyframe", TRUE, NULL);
    g_object_set (decoder, "threads", 1, NULL);
  }
  g_object_set (sink, "sync", FALSE, "async", FALSE, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (on_frame), &f->frames[mline]);
  gst_bin_add_many (GST_BIN (f->bin), depay, decoder, sink, NULL);
  fail_unless (gst_element_link_many (depay, decoder, sink, NULL));
  gst_element_sync_state_with_parent (sink);
  gst_element_sync_state_with_parent (decoder);
  gst_element_sync_state_with_parent (depay);
  gst_pad_add_probe (entry, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, f, NULL);
  fail_unless (gst_object_has_as_ancestor (GST_OBJECT (pad), GST_OBJECT (f->bin)));
  fail_unless_equals_int (gst_pad_link (pad, entry), GST_PAD_LINK_OK);
  gst_object_unref (entry);
  gst_rtc_native_receiver_unblock (f->receiver, pad);
}

void
step (Fixture *f)
{
  gint64 now, wait = 10 * 1000;
  GSequenceIter *first;
  Told *told;

  while (!g_sequence_iter_is_end (first = g_sequence_get_begin_iter (f->wire))) {
    Packet *packet = g_sequence_get (first);
    gsize size;
    const guint8 *data = g_bytes_get_data (packet->bytes, &size);

    now = g_get_monotonic_time ();
    if (packet->due > now) {
      wait = MIN (wait, packet->due - now);
      break;
    }
    if (data[1] >= 192 && data[1] <= 223)
      gst_rtc_native_receiver_take_rtcp (f->receiver, data, size, now);
    else
      gst_rtc_native_receiver_take_rtp (f->receiver, data, size, now);
    g_sequence_remove (first);
  }
  for (told = g_async_queue_timeout_pop (f->told, wait); told; told = g_async_queue_try_pop (f->told)) {
    if (told->rtcp) {
      take_rtcp (f, told->rtcp);
    } else {
      fail_unless (f->n_streams < MAX_PADS);
      f->mlines[f->n_streams] = told->mline;
      f->pads[f->n_streams++] = gst_object_ref (told->pad);
      if (!f->unlinked)
        attach (f, told->mline, told->pad);
    }
    told_free (told);
  }
}

void
step_to_the_end (Fixture *f)
{
  gint64 quiet = 0;
  gint frames = 0;

  while (!quiet || g_get_monotonic_time () < quiet) {
    gint before = frames;

    step (f);
    frames = 0;
    for (guint i = 0; i < MAX_LINES; i++)
      frames += frames_of (f, i);
    if (g_sequence_get_length (f->wire) > 0 || frames != before || !quiet)
      quiet = g_get_monotonic_time () + QUIET;
  }
}

/* Set-up. */

Fixture *
fixture_new_with_latency (const gchar *text, guint32 seed, guint latency)
{
  Fixture *f = g_new0 (Fixture, 1);
  GstSDPMessage *sdp;
  GArray *lines;
  gchar *problems;
  GError *error = NULL;

  /* What is loaded for the first time takes a while, which would be missing on the wire. */
  gst_object_unref (gst_object_ref_sink (gst_element_factory_make ("rtpbin", NULL)));
  f->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  f->bin = gst_bin_new (NULL);
  gst_bin_set_suppressed_flags (GST_BIN (f->bin), GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE);
  gst_bin_add (GST_BIN (f->pipeline), f->bin);
  gst_element_set_state (f->pipeline, GST_STATE_PLAYING);
  f->rand = g_rand_new_with_seed (seed);
  f->wire = g_sequence_new (packet_free);
  f->sent = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_bytes_unref);
  f->told = g_async_queue_new_full (told_free);
  gst_sdp_message_new_from_text (text, &sdp);
  lines = gst_rtc_sdp_plan_answer (sdp, NULL, 0, FALSE, &problems, &error);
  fail_unless (lines != NULL, "%s", error ? error->message : "");
  f->receiver = gst_rtc_native_receiver_new (f->bin, lines, sdp, latency, &events, f);
  g_array_unref (lines);
  gst_sdp_message_free (sdp);
  return f;
}

Fixture *
fixture_new (const gchar *text, guint32 seed)
{
  return fixture_new_with_latency (text, seed, LATENCY);
}

void
fixture_free (Fixture *f)
{
  gst_rtc_native_receiver_close (f->receiver);
  gst_element_set_state (f->pipeline, GST_STATE_NULL);
  gst_rtc_native_receiver_free (f->receiver);
  for (guint i = 0; i < f->n_streams; i++)
    gst_object_unref (f->pads[i]);
  gst_object_unref (f->pipeline);
  g_sequence_free (f->wire);
  g_hash_table_unref (f->sent);
  g_async_queue_unref (f->told);
  g_rand_free (f->rand);
  g_free (f);
}

gint
frames_of (Fixture *f, guint mline)
{
  return g_atomic_int_get (&f->frames[mline]);
}

guint
count_threads (void)
{
  GDir *dir = g_dir_open ("/proc/self/task", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

guint
count_fds (void)
{
  GDir *dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}
