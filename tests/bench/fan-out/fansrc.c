/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "fansrc.h"
#include "fan.h"

#include <gst/rtp/gstrtpbuffer.h>
#include <gst/video/video.h>
#include <string.h>
#include <time.h>

struct _FanSrc
{
  GstPushSrc parent;

  /* set before PLAYING */
  gboolean video;
  guint slices;

  /* streaming thread */
  FanTrack *track; /* too large for an instance */
  guint16 sequence;
};

enum
{
  PROP_0,
  PROP_VIDEO,
  PROP_SLICES,
};

G_DEFINE_TYPE (FanSrc, fan_src, GST_TYPE_PUSH_SRC)

static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS ("application/x-rtp, media=(string){ video, audio }"));

static GstCaps *
get_caps (GstBaseSrc *base, GstCaps *filter)
{
  FanSrc *self = FAN_SRC (base);

  /* Constrained baseline as Chromium offers it. */
  return gst_caps_from_string (self->video
          ? "application/x-rtp, media=video, encoding-name=H264, clock-rate=90000, payload=96, "
            "packetization-mode=(string)1, profile-level-id=(string)42e01f, ssrc=(uint)4096"
          : "application/x-rtp, media=audio, encoding-name=OPUS, clock-rate=48000, payload=111, "
            "encoding-params=(string)2, ssrc=(uint)4097");
}

static gboolean
start (GstBaseSrc *base)
{
  FanSrc *self = FAN_SRC (base);

  fan_track_init (self->track, self->video, self->slices, g_get_monotonic_time ());
  return TRUE;
}

static void
wait_until (gint64 time)
{
  struct timespec until = {time / G_USEC_PER_SEC, time % G_USEC_PER_SEC * 1000};

  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
    ;
}

static GstBuffer *
make_packet (FanSrc *self, guint i, gboolean marker, guint32 timestamp, GstClockTime pts)
{
  gsize size = self->track->sizes[i];
  GstBuffer *buffer = gst_rtp_buffer_new_allocate (size, 0, 0);
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;

  gst_rtp_buffer_map (buffer, GST_MAP_WRITE, &rtp);
  gst_rtp_buffer_set_payload_type (&rtp, self->video ? FAN_VIDEO_PT : FAN_AUDIO_PT);
  gst_rtp_buffer_set_ssrc (&rtp, self->video ? 4096 : 4097);
  gst_rtp_buffer_set_seq (&rtp, self->sequence++);
  gst_rtp_buffer_set_timestamp (&rtp, timestamp);
  gst_rtp_buffer_set_marker (&rtp, marker);
  memcpy (gst_rtp_buffer_get_payload (&rtp), self->track->payloads[i], size);
  gst_rtp_buffer_unmap (&rtp);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DTS (buffer) = pts;
  return buffer;
}

static GstFlowReturn
create (GstPushSrc *base, GstBuffer **buffer)
{
  FanSrc *self = FAN_SRC (base);
  GstClock *clock = GST_ELEMENT_CLOCK (self);
  GstClockTime pts;
  GstBufferList *list;
  guint32 timestamp;
  guint n;

  wait_until (fan_track_get_due (self->track));
  pts = clock ? gst_clock_get_time (clock) - GST_ELEMENT (self)->base_time : 0;
  n = fan_track_next (self->track, g_get_monotonic_time (), &timestamp);
  list = gst_buffer_list_new_sized (n);
  for (guint i = 0; i < n; i++)
    gst_buffer_list_add (list, make_packet (self, i, i + 1 == n, timestamp, pts));
  gst_base_src_submit_buffer_list (GST_BASE_SRC (self), list);
  return GST_FLOW_OK;
}

static gboolean
event (GstBaseSrc *base, GstEvent *event)
{
  if (gst_video_event_is_force_key_unit (event)) {
    g_atomic_int_set (&FAN_SRC (base)->track->key_wanted, TRUE);
    return TRUE;
  }
  return GST_BASE_SRC_CLASS (fan_src_parent_class)->event (base, event);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  FanSrc *self = FAN_SRC (object);

  if (id == PROP_VIDEO)
    self->video = g_value_get_boolean (value);
  else
    self->slices = g_value_get_uint (value);
}

static void
finalize (GObject *object)
{
  g_free (FAN_SRC (object)->track);
  G_OBJECT_CLASS (fan_src_parent_class)->finalize (object);
}

static void
fan_src_class_init (FanSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->finalize = finalize;
  g_object_class_install_property (
      object_class, PROP_VIDEO, g_param_spec_boolean ("video", NULL, NULL, FALSE, G_PARAM_WRITABLE));
  g_object_class_install_property (
      object_class, PROP_SLICES, g_param_spec_uint ("slices", NULL, NULL, 1, 8, 1, G_PARAM_WRITABLE));
  GST_BASE_SRC_CLASS (klass)->get_caps = get_caps;
  GST_BASE_SRC_CLASS (klass)->start = start;
  GST_BASE_SRC_CLASS (klass)->event = event;
  GST_PUSH_SRC_CLASS (klass)->create = create;
  gst_element_class_add_static_pad_template (element_class, &template);
  gst_element_class_set_static_metadata (
      element_class, "Stream of the benchmark", "Source", "RTP that is made of nothing", "The rtclink developers");
}

static void
fan_src_init (FanSrc *self)
{
  self->slices = 1;
  self->track = g_new0 (FanTrack, 1);
  gst_base_src_set_live (GST_BASE_SRC (self), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}

void
fan_src_register (void)
{
  gst_element_register (NULL, "fansrc", GST_RANK_NONE, FAN_TYPE_SRC);
}
