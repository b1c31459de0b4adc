/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What real payloaders made, over a wire with seeded loss and reordering, through the native transport's receiver into
 * real decoders; and what the receiver says back. */

#include "native/gstrtcnativereceiver.h"

#include <gst/app/gstappsink.h>
#include <gst/check/gstcheck.h>
#include <gst/rtp/gstrtcpbuffer.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <gst/video/video.h>
#include <string.h>

#define LATENCY 100 /* milliseconds */
#define ONE_WAY (10 * 1000) /* microseconds */
#define SECONDS(s) ((gint64)((s)*G_USEC_PER_SEC))
#define DEADLINE SECONDS (20)
#define MAX_LINES 4
#define MAX_PADS 32

#define VIDEO_SSRC 0x10000001
#define RTX_SSRC 0x10000002
#define AUDIO_SSRC 0x10000003
#define VIDEO_PT 96
#define RTX_PT 97
#define AUDIO_PT 111

#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define SECTION(kind, formats, mid) \
  "m=" kind " 9 UDP/TLS/RTP/SAVPF " formats "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\na=sendonly\r\na=rtcp-mux\r\n"
#define VIDEO_FORMATS \
  "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n" \
  "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
#define VIDEO SECTION ("video", "96 97", "v") VIDEO_FORMATS
#define FID "a=ssrc-group:FID 268435457 268435458\r\na=ssrc:268435457 cname:c\r\na=ssrc:268435458 cname:c\r\n"
#define AUDIO SECTION ("audio", "111", "a") "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
#define MID "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
#define RID "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"

typedef struct
{
  gint64 due; /* monotonic on the wire, of the medium before */
  GBytes *bytes;
} Packet;

typedef struct
{
  guint mline; /* G_MAXUINT: RTCP */
  GstPad *pad;
  GBytes *rtcp;
} Told;

typedef struct
{
  GstElement *pipeline, *bin;
  GstRtcNativeReceiver *receiver;

  /* the test's thread */
  GRand *rand;
  gdouble loss; /* 0 to 1, both directions */
  gboolean reorder, no_rtx, unlinked;
  GSequence *wire; /* of Packet, by due */
  GHashTable *sent; /* SSRC and number to Packet, for RTX */
  guint16 rtx_seq;
  guint n_streams, n_nacks, n_plis, n_reports, n_rtx, n_rtcp;
  gint64 last_report, longest_report;
  guint32 reported_ssrc, reported_lost;
  GstPad *pads[MAX_PADS];
  guint mlines[MAX_PADS];

  GAsyncQueue *told; /* of Told */
  gint frames[MAX_LINES]; /* atomic */
  gint eos; /* atomic */
} Fixture;

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

static GPtrArray *
make_video (guint frames, guint32 ssrc)
{
  gchar *launch = g_strdup_printf ("videotestsrc pattern=zone-plate kx2=20 ky2=20 kt=3 num-buffers=%u ! "
                                   "video/x-raw,width=320,height=240,framerate=30/1 ! "
                                   "vp8enc deadline=1 cpu-used=8 target-bitrate=1000000 keyframe-max-dist=1000 ! "
                                   "rtpvp8pay picture-id-mode=15-bit pt=%d mtu=500 ssrc=%u",
      frames, VIDEO_PT, ssrc);
  GPtrArray *packets = make_packets (launch);

  g_free (launch);
  return packets;
}

static GPtrArray *
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

/* A medium goes out from now on, in its own time. Nobody can know that a packet before the first that came was lost:
 * that one is spared, since there is no encoder here that could make a second key frame. */
static void
send_all (Fixture *f, GPtrArray *packets, gint64 start)
{
  for (guint i = 0; i < packets->len; i++) {
    Packet *packet = g_ptr_array_index (packets, i);
    const guint8 *data = g_bytes_get_data (packet->bytes, NULL);
    guint64 *key = g_new (guint64, 1);

    *key = key_of (GST_READ_UINT32_BE (data + 8), GST_READ_UINT16_BE (data + 2));
    g_hash_table_insert (f->sent, key, g_bytes_ref (packet->bytes));
    put_on_wire (f, packet->bytes, start + packet->due + ONE_WAY, i == 0);
  }
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
    guint32 highest, jitter, lsr, dlsr;

    gst_rtcp_packet_get_rb (packet, 0, &f->reported_ssrc, &fraction, &lost, &highest, &jitter, &lsr, &dlsr);
    f->reported_lost = lost;
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
on_stream (guint mline, GstPad *pad, gpointer user_data)
{
  tell (user_data, mline, gst_object_ref (pad), NULL);
}

static void
on_rtcp (const guint8 *data, gsize size, gpointer user_data)
{
  tell (user_data, G_MAXUINT, NULL, g_bytes_new (data, size));
}

static const GstRtcNativeReceiverEvents events = {on_stream, on_rtcp};

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

/* As rtcbin does it: a chain in the bin of the transport, then the pad is let go. */
static void
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
  if (!audio)
    g_object_set (depay, "request-keyframe", TRUE, "wait-for-keyframe", TRUE, NULL);
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

/* One step: what is due goes over the wire, what was told is worked off; waits for either at most. */
static void
step (Fixture *f)
{
  gint64 now = g_get_monotonic_time (), wait = 10 * 1000;
  GSequenceIter *first;
  Told *told;

  while (!g_sequence_iter_is_end (first = g_sequence_get_begin_iter (f->wire))) {
    Packet *packet = g_sequence_get (first);
    gsize size;
    const guint8 *data = g_bytes_get_data (packet->bytes, &size);

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

#define step_until(f, condition) \
  G_STMT_START \
  { \
    gint64 deadline_ = g_get_monotonic_time () + DEADLINE; \
    while (!(condition)) { \
      fail_if (g_get_monotonic_time () > deadline_, "still not: %s", #condition); \
      step (f); \
    } \
  } \
  G_STMT_END

/* Until the wire is empty, and what went over it may have come out. */
static void
step_to_the_end (Fixture *f)
{
  gint64 quiet = 0;

  while (!quiet || g_get_monotonic_time () < quiet) {
    step (f);
    if (g_sequence_get_length (f->wire) > 0 || !quiet)
      quiet = g_get_monotonic_time () + 3 * LATENCY * 1000;
  }
}

/* Set-up. */

static Fixture *
fixture_new_with_latency (const gchar *text, guint32 seed, guint latency)
{
  Fixture *f = g_new0 (Fixture, 1);
  GstSDPMessage *sdp;
  GArray *lines;
  gchar *problems;
  GError *error = NULL;

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
  lines = gst_rtc_sdp_plan_answer (sdp, NULL, 0, &problems, &error);
  fail_unless (lines != NULL, "%s", error ? error->message : "");
  f->receiver = gst_rtc_native_receiver_new (f->bin, lines, sdp, latency, &events, f);
  g_array_unref (lines);
  gst_sdp_message_free (sdp);
  return f;
}

static Fixture *
fixture_new (const gchar *text, guint32 seed)
{
  return fixture_new_with_latency (text, seed, LATENCY);
}

static void
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

static guint
count_threads (void)
{
  GDir *dir = g_dir_open ("/proc/self/task", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

static guint
count_fds (void)
{
  GDir *dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

GST_START_TEST (nothing_is_made_before_the_first_packet)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 1);
  guint threads = count_threads (), fds = count_fds ();
  /* A sender report about a stream that will come. */
  static const guint8 report[28] = {0x80, 200, 0, 6, 0x10, 0, 0, 1};
  /* Of a payload type that is nobody's. */
  static const guint8 stray[20] = {0x80, 50, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4};
  GPtrArray *video = make_video (2, VIDEO_SSRC);

  threads = count_threads ();
  gst_rtc_native_receiver_take_rtcp (f->receiver, report, sizeof (report), g_get_monotonic_time ());
  gst_rtc_native_receiver_take_rtp (f->receiver, stray, sizeof (stray), g_get_monotonic_time ());
  fail_unless_equals_int (GST_BIN_NUMCHILDREN (f->bin), 0);
  fail_unless (count_threads () <= threads);
  fail_unless_equals_int (count_fds (), fds);
  send_all (f, video, g_get_monotonic_time ());
  step_until (f, f->frames[0] >= 2);
  fail_unless_equals_int (GST_BIN_NUMCHILDREN (f->bin), 5);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

static void
run_video (Fixture *f, GPtrArray *video, gdouble loss)
{
  f->loss = loss;
  f->reorder = loss > 0;
  send_all (f, video, g_get_monotonic_time ());
  step_to_the_end (f);
  GST_INFO ("about %u of %u packets lost: %d frames, %u NACKs, %u RTX, %u PLIs, %u RTCP packets, gap %d ms",
      (guint)(loss * video->len), video->len, f->frames[0], f->n_nacks, f->n_rtx, f->n_plis, f->n_rtcp,
      (gint)(f->longest_report / 1000));
}

static const struct
{
  gdouble loss;
  const gchar *sdp;
  guint latency; /* milliseconds; a round trip is 20 */
} lossy[] = {
    {0.00, HEAD VIDEO, 60},
    {0.01, HEAD VIDEO FID, 100},
    {0.05, HEAD VIDEO FID, 150},
    {0.05, HEAD VIDEO, 150},
    {0.10, HEAD VIDEO FID, 250},
};

GST_START_TEST (lost_packets_come_again)
{
  Fixture *f = fixture_new_with_latency (lossy[__i__].sdp, 4711 + __i__, lossy[__i__].latency);
  GPtrArray *video = make_video (90, VIDEO_SSRC);

  run_video (f, video, lossy[__i__].loss);
  fail_unless (f->frames[0] == 90, "%d of 90 frames at %g loss", f->frames[0], lossy[__i__].loss);
  fail_unless_equals_int (f->n_streams, 1);
  fail_unless_equals_int (f->reported_ssrc == VIDEO_SSRC || f->reported_ssrc == RTX_SSRC, TRUE);
  if (lossy[__i__].loss > 0)
    fail_unless (f->n_rtx > 0);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* What the test above would count if nothing were sent again. */
GST_START_TEST (without_rtx_frames_are_missing)
{
  Fixture *f = fixture_new (HEAD VIDEO FID, 4713);
  GPtrArray *video = make_video (90, VIDEO_SSRC);

  f->no_rtx = TRUE;
  run_video (f, video, 0.05);
  fail_unless (f->frames[0] < 60, "%d of 90 frames", f->frames[0]);
  fail_unless (f->n_plis > 0);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (two_lines_and_one_that_does_not_receive)
{
  Fixture *f = fixture_new (HEAD VIDEO MID AUDIO MID "m=video 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:n\r\n"
                                                     "a=recvonly\r\na=rtcp-mux\r\na=rtpmap:98 VP8/90000\r\n" MID,
      7);
  GPtrArray *video = make_video (60, VIDEO_SSRC), *audio = make_audio (100, AUDIO_SSRC);
  GPtrArray *stray = make_video (10, 0x20000001);
  gint64 now = g_get_monotonic_time ();
  GstStructure *stats = gst_structure_new_empty ("stats");
  const GValue *received;

  /* The first packets say which line they are of, as browsers do. */
  for (guint i = 0; i < stray->len; i++) {
    Packet *packet = g_ptr_array_index (stray, i);
    GBytes *plain = packet->bytes;

    packet->bytes = with_extensions (plain, "n", NULL);
    g_bytes_unref (plain);
  }
  send_all (f, stray, now);
  send_all (f, video, now);
  send_all (f, audio, now);
  step_until (f, f->frames[0] > 10 && f->frames[1] > 10);
  gst_rtc_native_receiver_add_stats (f->receiver, stats);
  received = gst_structure_get_value (stats, "received");
  fail_unless_equals_int (gst_value_array_get_size (received), 2);
  for (guint i = 0; i < 2; i++) {
    const GstStructure *s = gst_value_get_structure (gst_value_array_get_value (received, i));
    guint64 packets;
    gint64 lost;

    GST_INFO ("%" GST_PTR_FORMAT, s);
    fail_unless (
        gst_structure_get (s, "packets-received", G_TYPE_UINT64, &packets, "packets-lost", G_TYPE_INT64, &lost, NULL));
    fail_unless (packets > 10 && lost == 0);
  }
  gst_structure_free (stats);
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless_equals_int (f->frames[0], 60);
  fail_unless (f->frames[1] >= 99, "%d", f->frames[1]);
  fail_unless_equals_int (f->frames[2], 0);
  fail_unless (f->n_reports >= 2);
  fail_unless (f->longest_report < SECONDS (1.05), "%d ms between two reports", (gint)(f->longest_report / 1000));
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  g_ptr_array_unref (stray);
  fixture_free (f);
}
GST_END_TEST;

static GPtrArray *
send_video (Fixture *f, guint frames, guint32 ssrc)
{
  GPtrArray *video = make_video (frames, ssrc);

  send_all (f, video, g_get_monotonic_time ());
  return video;
}

GST_START_TEST (another_ssrc_takes_the_place)
{
  Fixture *f = fixture_new (HEAD VIDEO, 9);
  static const guint32 order[] = {1000, 2000, 3000, 1000};
  guint settled = 0;

  for (guint i = 0; i < G_N_ELEMENTS (order); i++) {
    GPtrArray *video = send_video (f, 20, order[i]);
    gint before = f->frames[0];

    /* All but the first find somebody in their place; the last had been there before. */
    step_to_the_end (f);
    fail_unless_equals_int (f->n_streams, i + 1);
    fail_unless_equals_int (f->mlines[i], 0);
    fail_unless (f->frames[0] - before >= 19, "%d frames of stream %u", f->frames[0] - before, i);
    if (i > 0)
      fail_if (gst_pad_is_linked (f->pads[i - 1]), "pad %u is still there", i - 1);
    GST_INFO ("%u threads", count_threads ());
    if (i == 1)
      settled = count_threads ();
    if (i > 1)
      fail_unless (count_threads () <= settled, "threads grow with each SSRC");
    g_ptr_array_unref (video);
  }
  fail_unless_equals_int (f->eos, 0);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (a_late_packet_of_the_old_ssrc_changes_nothing)
{
  Fixture *f = fixture_new (HEAD VIDEO, 9);
  GPtrArray *old = make_video (40, 1000), *new = make_video (40, 2000);
  gint64 now = g_get_monotonic_time ();

  send_all (f, old, now);
  send_all (f, new, now + SECONDS (0.3));
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless (f->frames[0] >= 40);
  g_ptr_array_unref (old);
  g_ptr_array_unref (new);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (simulcast_layers_are_streams)
{
  Fixture *f = fixture_new (HEAD VIDEO MID RID "a=rid:lo send\r\na=rid:hi send\r\na=simulcast:send lo;hi\r\n", 3);
  GPtrArray *layers[2] = {make_video (30, 1000), make_video (30, 2000)};
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < 2; i++) {
    for (guint j = 0; j < layers[i]->len; j++) {
      Packet *packet = g_ptr_array_index (layers[i], j);
      GBytes *plain = packet->bytes;

      packet->bytes = with_extensions (plain, "v", i ? "hi" : "lo");
      g_bytes_unref (plain);
    }
    send_all (f, layers[i], now);
    g_ptr_array_unref (layers[i]);
  }
  step_to_the_end (f);
  fail_unless_equals_int (f->n_streams, 2);
  fail_unless_equals_int (f->frames[0], 60);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (a_key_frame_is_asked_for_at_once)
{
  Fixture *f = fixture_new (HEAD VIDEO, 3);
  GPtrArray *video = send_video (f, 90, VIDEO_SSRC);
  gint64 asked;

  step_until (f, f->frames[0] > 10);
  for (guint i = 0; i < 3; i++) {
    guint before = f->n_plis;
    GstPad *entry = gst_pad_get_peer (f->pads[0]);

    asked = g_get_monotonic_time ();
    fail_unless (
        gst_pad_push_event (entry, gst_video_event_new_upstream_force_key_unit (GST_CLOCK_TIME_NONE, FALSE, 0)));
    gst_object_unref (entry);
    step_until (f, f->n_plis > before);
    fail_unless (g_get_monotonic_time () - asked < SECONDS (0.1), "it took %d ms",
        (gint)((g_get_monotonic_time () - asked) / 1000));
  }
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* Hostile peers. */

GST_START_TEST (a_flood_of_ssrcs_is_bounded)
{
  Fixture *f = fixture_new (HEAD VIDEO FID, 3);
  GPtrArray *video = make_video (2, VIDEO_SSRC);
  GBytes *template = ((Packet *)g_ptr_array_index (video, 0))->bytes;
  gsize size = g_bytes_get_size (template);
  guint8 *data = g_memdup2 (g_bytes_get_data (template, NULL), size);
  guint threads = count_threads ();

  for (guint32 i = 0; i < 5000; i++) {
    guint8 report[28] = {0x80, 200, 0, 6};

    GST_WRITE_UINT32_BE (data + 8, 0x30000000 + i);
    data[1] = i % 2 ? RTX_PT : VIDEO_PT;
    gst_rtc_native_receiver_take_rtp (f->receiver, data, size, g_get_monotonic_time ());
    GST_WRITE_UINT32_BE (report + 4, 0x40000000 + i);
    gst_rtc_native_receiver_take_rtcp (f->receiver, report, sizeof (report), g_get_monotonic_time ());
    if (i % 100 == 0)
      step (f);
  }
  step_to_the_end (f);
  fail_unless (f->n_streams <= 16, "%u streams", f->n_streams);
  fail_unless (count_threads () <= threads + 2 + 16 * 3, "%u threads", count_threads () - threads);
  g_free (data);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (malformed_packets_do_no_harm)
{
  Fixture *f = fixture_new (HEAD VIDEO FID AUDIO MID, 3);
  GPtrArray *video = send_video (f, 45, VIDEO_SSRC);

  while (f->frames[0] < 45 || g_sequence_get_length (f->wire) > 0) {
    Packet *packet = g_ptr_array_index (video, g_rand_int_range (f->rand, 0, video->len));
    gsize size = g_bytes_get_size (packet->bytes);
    guint8 *data = g_memdup2 (g_bytes_get_data (packet->bytes, NULL), size);
    gsize cut = g_rand_int_range (f->rand, 0, size);

    /* The stream's own packets are left alone: garbage in them is no garbage for who does not decode them. */
    for (guint i = 0; i < 4; i++)
      data[g_rand_int_range (f->rand, 0, 20)] = g_rand_int (f->rand);
    GST_WRITE_UINT32_BE (data + 8, g_rand_int_range (f->rand, 1, 5));
    gst_rtc_native_receiver_take_rtp (f->receiver, data, cut, g_get_monotonic_time ());
    data[0] = 0x80 | g_rand_int_range (f->rand, 0, 32);
    data[1] = g_rand_int_range (f->rand, 192, 224);
    gst_rtc_native_receiver_take_rtcp (f->receiver, data, cut & ~(gsize)3, g_get_monotonic_time ());
    g_free (data);
    step (f);
    if (g_sequence_get_length (f->wire) == 0)
      break;
  }
  step_to_the_end (f);
  g_ptr_array_unref (video);
  fixture_free (f);
}
GST_END_TEST;

/* Downstream that does not do its part. */

typedef struct
{
  GMutex lock;
  GCond cond;
  gboolean blocked, let_go;
} Gate;

static GstPadProbeReturn
on_gate (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Gate *gate = user_data;

  g_mutex_lock (&gate->lock);
  gate->blocked = TRUE;
  while (!gate->let_go)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
  return GST_PAD_PROBE_OK;
}

/* What reaches the depayloader on PAD is held until the gate is opened. */
static void
block_downstream (GstPad *pad, Gate *gate)
{
  GstPad *entry = gst_pad_get_peer (pad);

  g_mutex_init (&gate->lock);
  g_cond_init (&gate->cond);
  gst_pad_add_probe (entry, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, on_gate, gate, NULL);
  gst_object_unref (entry);
}

static void
open_gate (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->let_go = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->lock);
}

GST_START_TEST (closing_does_not_wait_for_downstream)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 3);
  GPtrArray *video = make_video (90, VIDEO_SSRC), *audio = send_video (f, 90, VIDEO_SSRC);
  Gate gate = {0};
  gint64 began;

  step_until (f, f->frames[0] > 5);
  block_downstream (f->pads[0], &gate);
  step_until (f, g_atomic_int_get (&gate.blocked));
  began = g_get_monotonic_time ();
  gst_rtc_native_receiver_close (f->receiver);
  fail_unless (g_get_monotonic_time () - began < SECONDS (0.5));
  gst_rtc_native_receiver_take_rtp (f->receiver, (const guint8 *)"", 0, began);
  open_gate (&gate);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

/* Streams that nobody took stop like the others. */
GST_START_TEST (a_pad_that_was_never_let_go_stops)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 3);
  GPtrArray *video = make_video (30, VIDEO_SSRC), *audio = make_audio (50, AUDIO_SSRC);
  gint64 now = g_get_monotonic_time ();

  f->unlinked = TRUE;
  send_all (f, video, now);
  send_all (f, audio, now);
  step_until (f, f->n_streams == 2);
  if (__i__ == 0)
    gst_rtc_native_receiver_close (f->receiver);
  gst_element_set_state (f->pipeline, GST_STATE_NULL);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

/* A stream that is stuck, in a chain that is or in none, and one that fails, leave the other alone. */
GST_START_TEST (a_stream_in_trouble_leaves_the_others_alone)
{
  Fixture *f = fixture_new (HEAD VIDEO AUDIO, 3);
  GPtrArray *video = make_video (300, VIDEO_SSRC), *audio = make_audio (150, AUDIO_SSRC);
  gint64 now = g_get_monotonic_time ();
  Gate gate = {0};
  GstElement *jitterbuffer = NULL;

  send_all (f, audio, now);
  step_until (f, f->frames[1] > 5);
  f->unlinked = TRUE;
  /* Ten times as fast as it should, more than any queue takes. */
  for (guint i = 0; i < video->len; i++)
    ((Packet *)g_ptr_array_index (video, i))->due /= 10;
  send_all (f, video, g_get_monotonic_time ());
  step_until (f, f->n_streams == 2);
  if (__i__ == 1) {
    attach (f, 0, f->pads[1]);
    block_downstream (f->pads[1], &gate);
  } else if (__i__ == 2) {
    gst_rtc_native_receiver_unblock (f->receiver, f->pads[1]);
  }
  (void)jitterbuffer;
  step_to_the_end (f);
  fail_unless (f->frames[1] >= 149, "%d of 150 frames of sound", f->frames[1]);
  if (__i__ == 1)
    open_gate (&gate);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (nothing_is_left_behind)
{
  guint threads = 0, fds = 0;
  GPtrArray *video = make_video (4, VIDEO_SSRC), *audio = make_audio (12, AUDIO_SSRC);

  for (guint i = 0; i < 50; i++) {
    Fixture *f = fixture_new (HEAD VIDEO FID AUDIO, i);
    gint64 now = g_get_monotonic_time ();

    send_all (f, video, now - SECONDS (0.1));
    send_all (f, audio, now - SECONDS (0.1));
    if (i % 5 == 0)
      step_until (f, f->frames[0] > 1 && f->frames[1] > 1);
    else if (i % 5 == 1)
      step_until (f, f->n_streams > 0);
    else if (i % 5 == 2)
      step (f);
    fixture_free (f);
    if (i == 9) {
      threads = count_threads ();
      fds = count_fds ();
    }
  }
  fail_unless (count_threads () <= threads, "%u threads, %u at first", count_threads (), threads);
  fail_unless (count_fds () <= fds, "%u descriptors, %u at first", count_fds (), fds);
  g_ptr_array_unref (video);
  g_ptr_array_unref (audio);
}
GST_END_TEST;

static Suite *
rtcnativereceiver_suite (void)
{
  Suite *suite = suite_create ("rtcnativereceiver");
  TCase *tcase = tcase_create ("receiver");

  suite_add_tcase (suite, tcase);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, nothing_is_made_before_the_first_packet);
  tcase_add_loop_test (tcase, lost_packets_come_again, 0, G_N_ELEMENTS (lossy));
  tcase_add_test (tcase, without_rtx_frames_are_missing);
  tcase_add_test (tcase, two_lines_and_one_that_does_not_receive);
  tcase_add_test (tcase, another_ssrc_takes_the_place);
  tcase_add_test (tcase, a_late_packet_of_the_old_ssrc_changes_nothing);
  tcase_add_test (tcase, simulcast_layers_are_streams);
  tcase_add_test (tcase, a_key_frame_is_asked_for_at_once);
  tcase_add_test (tcase, a_flood_of_ssrcs_is_bounded);
  tcase_add_test (tcase, malformed_packets_do_no_harm);
  tcase_add_test (tcase, closing_does_not_wait_for_downstream);
  tcase_add_loop_test (tcase, a_pad_that_was_never_let_go_stops, 0, 2);
  tcase_add_loop_test (tcase, a_stream_in_trouble_leaves_the_others_alone, 0, 3);
  tcase_add_test (tcase, nothing_is_left_behind);
  return suite;
}

GST_CHECK_MAIN (rtcnativereceiver);
