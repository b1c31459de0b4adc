/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A gst-launch for the browser tests. It runs the pipeline on its command line and knows these names in it:
 *
 *   appsrc name=counter    gets 640x360 I420 frames, 30 a second, each with its number drawn in as black and white
 *                          blocks, which pattern.mjs reads back from a canvas
 *   appsink name=picture   raw video: frames are counted, and how they look
 *   appsink name=picture-2 another one
 *   appsink name=counted   another one, of which each frame is told
 *   appsink name=sound     raw audio, S16LE mono: its loudness and its strongest tone
 *   appsink name=data      messages of a datachannelsrc
 *
 * What is seen is written to the standard output, a JSON object a line: {"picture":...}, {"picture-2":...} and
 * {"sound":...} four times a second, {"counted":...} for each frame, {"data":...} for each message of a channel,
 * {"message":name,...} for element messages rtc-*, {"error":text}. It ends with SIGTERM or SIGINT (status 0) or an
 * error (status 1). */

#include <gst/gst.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <glib-unix.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>

#define WIDTH 640
#define HEIGHT 360
#define FPS 30
#define BITS 16
#define BLOCK (WIDTH / BITS)
#define REPORT_EVERY (G_USEC_PER_SEC / 4)

typedef struct
{
  const gchar *name; /* of the appsink */
  gint64 interval; /* of reports, microseconds */

  /* its streaming thread's */
  guint64 frames;
  gint64 reported;
  guint32 last_sum; /* of the frame before */
  guint64 changed; /* frames that differ from the one before */
} Picture;

typedef struct
{
  /* the main thread's */
  GMainLoop *loop;
  GstElement *pipeline;
  gboolean failed;

  /* the streaming thread's of appsrc "counter" */
  guint number;

  Picture pictures[3];

  /* the streaming thread's of appsink "sound" */
  guint64 samples;
  gint64 sound_reported;
  GArray *window; /* of gint16: not reported yet */
} Peer;

static void
say (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree gchar *text = json_to_string (root, FALSE);

  /* One call: lines of several threads do not mix. */
  printf ("%s\n", text);
  fflush (stdout);
}

static JsonBuilder *
begin (const gchar *name)
{
  JsonBuilder *builder = json_builder_new ();

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, name);
  return builder;
}

static void
add_double (JsonBuilder *builder, const gchar *name, gdouble value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

static void
fill_block (guint8 *plane, gint stride, guint column, guint row, gboolean white)
{
  for (guint y = row * BLOCK; y < (row + 1) * BLOCK; y++)
    memset (plane + y * stride + column * BLOCK, white ? 235 : 16, BLOCK);
}

/* Two rows of blocks, the number and its complement, so that a picture that is not ours is told from one that is. Below
 * them something moves, so that the encoder has work. */
static void
draw (GstVideoFrame *frame, guint number)
{
  guint8 *luma = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);
  gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0);

  for (guint i = 0; i < BITS; i++) {
    gboolean set = (number >> (BITS - 1 - i)) & 1;
    fill_block (luma, stride, i, 0, set);
    fill_block (luma, stride, i, 1, !set);
  }
  for (guint y = 2 * BLOCK; y < HEIGHT; y++)
    for (guint x = 0; x < WIDTH; x++)
      luma[y * stride + x] = 40 + ((x + y + number * 4) & 0x7f);
  for (guint plane = 1; plane < 3; plane++)
    for (guint y = 0; y < HEIGHT / 2; y++)
      memset ((guint8 *)GST_VIDEO_FRAME_PLANE_DATA (frame, plane) + y * GST_VIDEO_FRAME_PLANE_STRIDE (frame, plane),
          plane == 1 ? 150 : 110, WIDTH / 2);
}

static gboolean
push_frame (gpointer user_data)
{
  Peer *peer = user_data;
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (peer->pipeline), "counter");
  GstVideoInfo info;
  GstVideoFrame frame;
  GstBuffer *buffer;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
  buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&info), NULL);
  if (!gst_video_frame_map (&frame, &info, buffer, GST_MAP_WRITE))
    g_error ("a frame of 640x360 cannot be mapped");
  draw (&frame, peer->number++ & ((1 << BITS) - 1));
  gst_video_frame_unmap (&frame);
  /* Before PLAYING and while flushing it is refused, and dropped. */
  (void)gst_app_src_push_buffer (GST_APP_SRC (source), buffer);
  return G_SOURCE_CONTINUE;
}

static void
set_up_counter (Peer *peer, GstElement *source)
{
  g_autoptr (GstCaps) caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "I420", "width", G_TYPE_INT,
      WIDTH, "height", G_TYPE_INT, HEIGHT, "framerate", GST_TYPE_FRACTION, FPS, 1, NULL);

  g_object_set (source, "caps", caps, "is-live", TRUE, "do-timestamp", TRUE, "format", GST_FORMAT_TIME, "max-buffers",
      (guint64)2, "leaky-type", GST_APP_LEAKY_TYPE_DOWNSTREAM, NULL);
  g_timeout_add (1000 / FPS, push_frame, peer);
}

static GstFlowReturn
on_picture (GstAppSink *sink, gpointer user_data)
{
  Picture *picture = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  gint64 now = g_get_monotonic_time ();
  guint low = 255, high = 0;
  guint32 sum = 0;
  GstVideoInfo info;
  GstVideoFrame frame;

  if (!sample || !gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (&frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return GST_FLOW_ERROR;
  for (gint y = 0; y < info.height; y++) {
    const guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) + y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0);
    for (gint x = 0; x < info.width; x++) {
      low = MIN (low, row[x]);
      high = MAX (high, row[x]);
      sum = sum * 31 + row[x];
    }
  }
  gst_video_frame_unmap (&frame);

  if (picture->frames++ > 0 && sum != picture->last_sum)
    picture->changed++;
  picture->last_sum = sum;
  if (now - picture->reported >= picture->interval) {
    g_autoptr (JsonBuilder) builder = begin (picture->name);

    picture->reported = now;
    json_builder_begin_object (builder);
    add_double (builder, "frames", picture->frames);
    add_double (builder, "changed", picture->changed);
    add_double (builder, "width", info.width);
    add_double (builder, "height", info.height);
    add_double (builder, "low", low);
    add_double (builder, "high", high);
    json_builder_end_object (builder);
    json_builder_end_object (builder);
    say (builder);
  }
  return GST_FLOW_OK;
}

/* The share of a tone in the power of the signal: 1 for that tone alone (Goertzel's algorithm). */
static gdouble
tone (const gint16 *samples, guint n, gdouble frequency, guint rate)
{
  gdouble w = 2 * G_PI * frequency / rate, c = 2 * cos (w), s1 = 0, s2 = 0, total = 0;

  for (guint i = 0; i < n; i++) {
    gdouble s0 = samples[i] + c * s1 - s2;
    s2 = s1;
    s1 = s0;
    total += (gdouble)samples[i] * samples[i];
  }
  return total > 0 ? 2 * (s1 * s1 + s2 * s2 - c * s1 * s2) / (total * n) : 0;
}

static void
report_sound (Peer *peer, guint rate)
{
  g_autoptr (JsonBuilder) builder = begin ("sound");
  const gint16 *samples = (const gint16 *)peer->window->data;
  guint n = peer->window->len;
  gdouble square = 0, best = 0, strongest = 0;

  for (guint i = 0; i < n; i++)
    square += (gdouble)samples[i] * samples[i];
  for (gdouble frequency = 100; frequency < 2000; frequency += 10) {
    gdouble share = tone (samples, n, frequency, rate);
    if (share > best) {
      best = share;
      strongest = frequency;
    }
  }
  json_builder_begin_object (builder);
  add_double (builder, "samples", peer->samples);
  add_double (builder, "rms", n ? sqrt (square / n) / 32768 : 0);
  add_double (builder, "tone", strongest);
  add_double (builder, "share", best);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  say (builder);
}

static GstFlowReturn
on_sound (GstAppSink *sink, gpointer user_data)
{
  Peer *peer = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  gint64 now = g_get_monotonic_time ();
  GstMapInfo map;
  gint rate = 48000;

  if (!sample || !gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  gst_structure_get_int (gst_caps_get_structure (gst_sample_get_caps (sample), 0), "rate", &rate);
  g_array_append_vals (peer->window, map.data, map.size / sizeof (gint16));
  peer->samples += map.size / sizeof (gint16);
  gst_buffer_unmap (gst_sample_get_buffer (sample), &map);

  if (now - peer->sound_reported >= REPORT_EVERY) {
    peer->sound_reported = now;
    report_sound (peer, rate);
    g_array_set_size (peer->window, 0);
  }
  return GST_FLOW_OK;
}

/* What came, and from where. */
static GstFlowReturn
on_data (GstAppSink *sink, gpointer user_data)
{
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  g_autoptr (JsonBuilder) builder = begin ("data");
  GstCustomMeta *meta = sample ? gst_buffer_get_custom_meta (gst_sample_get_buffer (sample), "GstRtcPeerMeta") : NULL;
  gboolean is_text;
  GstMapInfo map;

  if (!sample || !gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ))
    return GST_FLOW_ERROR;
  is_text = gst_structure_has_name (gst_caps_get_structure (gst_sample_get_caps (sample), 0), "text/x-raw");
  json_builder_begin_object (builder);
  add_double (builder, "bytes", map.size);
  if (is_text) {
    g_autofree gchar *text = g_strndup ((const gchar *)map.data, map.size);

    json_builder_set_member_name (builder, "text");
    json_builder_add_string_value (builder, text);
  }
  if (meta) {
    json_builder_set_member_name (builder, "peer");
    json_builder_add_string_value (builder, gst_structure_get_string (gst_custom_meta_get_structure (meta), "peer-id"));
  }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
  say (builder);
  return GST_FLOW_OK;
}

static void
set_up_sink (
    GstElement *sink, const gchar *caps, GstFlowReturn (*callback) (GstAppSink *, gpointer), gpointer user_data)
{
  GstAppSinkCallbacks callbacks = {.new_sample = callback};
  g_autoptr (GstCaps) wanted = gst_caps_from_string (caps);

  /* Without data nothing is to wait for it. */
  g_object_set (sink, "caps", wanted, "sync", FALSE, "async", FALSE, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, user_data, NULL);
}

static void
say_message (GstMessage *message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  g_autoptr (JsonBuilder) builder = begin ("message");

  json_builder_add_string_value (builder, gst_structure_get_name (structure));
  for (gint i = 0; i < gst_structure_n_fields (structure); i++) {
    const gchar *field = gst_structure_nth_field_name (structure, i);
    g_autofree gchar *value = gst_value_serialize (gst_structure_get_value (structure, field));

    json_builder_set_member_name (builder, field);
    json_builder_add_string_value (builder, value ? value : "");
  }
  json_builder_end_object (builder);
  say (builder);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Peer *peer = user_data;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR: {
      g_autoptr (GError) error = NULL;
      g_autofree gchar *debug = NULL;
      g_autoptr (JsonBuilder) builder = begin ("error");

      gst_message_parse_error (message, &error, &debug);
      json_builder_add_string_value (builder, error->message);
      json_builder_set_member_name (builder, "debug");
      json_builder_add_string_value (builder, debug ? debug : "");
      json_builder_end_object (builder);
      say (builder);
      peer->failed = TRUE;
      g_main_loop_quit (peer->loop);
      break;
    }
    case GST_MESSAGE_ELEMENT:
      if (gst_structure_get_name (gst_message_get_structure (message))
          && g_str_has_prefix (gst_structure_get_name (gst_message_get_structure (message)), "rtc-"))
        say_message (message);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit (peer->loop);
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (gpointer user_data)
{
  g_main_loop_quit (((Peer *)user_data)->loop);
  return G_SOURCE_CONTINUE;
}

static void
set_up_names (Peer *peer)
{
  g_autoptr (GstElement) counter = gst_bin_get_by_name (GST_BIN (peer->pipeline), "counter");
  g_autoptr (GstElement) sound = gst_bin_get_by_name (GST_BIN (peer->pipeline), "sound");
  g_autoptr (GstElement) data = gst_bin_get_by_name (GST_BIN (peer->pipeline), "data");

  if (counter)
    set_up_counter (peer, counter);
  for (guint i = 0; i < G_N_ELEMENTS (peer->pictures); i++) {
    g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (peer->pipeline), peer->pictures[i].name);

    if (sink)
      set_up_sink (sink, "video/x-raw,format={I420,GRAY8}", on_picture, &peer->pictures[i]);
  }
  if (sound)
    set_up_sink (sound, "audio/x-raw,format=S16LE,channels=1,layout=interleaved", on_sound, peer);
  if (data)
    set_up_sink (data, "ANY", on_data, peer);
}

int
main (int argc, char **argv)
{
  Peer peer = {.pictures = {{"picture", REPORT_EVERY}, {"picture-2", REPORT_EVERY}, {"counted", 0}}};
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;

  gst_init (&argc, &argv);
  if (argc < 2) {
    fprintf (stderr, "usage: browser-peer ELEMENT ... as for gst-launch-1.0\n");
    return 2;
  }
  peer.pipeline = gst_parse_launchv ((const gchar **)argv + 1, &error);
  if (!peer.pipeline || error) {
    fprintf (stderr, "browser-peer: %s\n", error ? error->message : "no pipeline");
    g_clear_object (&peer.pipeline);
    return 2;
  }
  peer.loop = g_main_loop_new (NULL, FALSE);
  peer.window = g_array_new (FALSE, FALSE, sizeof (gint16));
  bus = gst_element_get_bus (peer.pipeline);
  gst_bus_add_watch (bus, on_message, &peer);
  g_unix_signal_add (SIGTERM, on_signal, &peer);
  g_unix_signal_add (SIGINT, on_signal, &peer);
  set_up_names (&peer);

  gst_element_set_state (peer.pipeline, GST_STATE_PLAYING);
  g_main_loop_run (peer.loop);
  gst_element_set_state (peer.pipeline, GST_STATE_NULL);

  gst_bus_remove_watch (bus);
  g_object_unref (peer.pipeline);
  g_array_unref (peer.window);
  g_main_loop_unref (peer.loop);
  return peer.failed ? 1 : 0;
}
