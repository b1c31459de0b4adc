/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdataone.h"

#include "base/gstrtcwebrtcchannel.h"

typedef struct
{
  GstRtcDataHub parent;

  /* set at construction */
  GObject *object;
  GstRtcLoop *loop;

  /* state changes and the streaming thread of the user */
  GstRtcWebrtcChannel *channel; /* NULL: nobody is attached */
  gpointer user_data;
  GDestroyNotify notify;
} One;

static void
shut_down (gpointer channel)
{
  gst_rtc_webrtc_channel_shutdown (channel, NULL);
}

static void
one_detach (GstRtcDataHub *hub, guint id)
{
  One *self = (One *)hub;

  if (!self->channel)
    return;
  gst_rtc_loop_post (self->loop, shut_down, gst_rtc_webrtc_channel_get_base (self->channel), gst_rtc_channel_unref);
  self->channel = NULL;
  if (self->notify)
    self->notify (self->user_data);
}

static guint
one_attach (GstRtcDataHub *hub, const GstRtcDataUser *user)
{
  One *self = (One *)hub;

  /* As the peer's, also where it is not: nobody here closes it. */
  self->channel =
      gst_rtc_webrtc_channel_new (self->object, self->loop, GST_RTC_DATA_ONE_PEER, GST_RTC_WEBRTC_CHANNEL_REMOTE);
  self->user_data = user->user_data;
  self->notify = user->notify;
  user->channel (gst_rtc_webrtc_channel_get_base (self->channel), user->user_data);
  gst_rtc_webrtc_channel_start (self->channel);
  return 1;
}

static gboolean
one_get_clock_offset (GstRtcDataHub *hub, const gchar *peer_id, gint64 *offset, gint64 *error_bound)
{
  return FALSE;
}

static void
one_free (GstRtcDataHub *hub)
{
  One *self = (One *)hub;

  one_detach (hub, 1);
  gst_rtc_loop_free (self->loop);
  g_object_unref (self->object);
  g_free (self);
}

static const GstRtcDataHubClass one_class = {
    .attach = one_attach,
    .detach = one_detach,
    .close = one_detach,
    .get_clock_offset = one_get_clock_offset,
    .free = one_free,
};

GstRtcDataHub *
gst_rtc_data_one_new (gpointer object)
{
  One *self = g_new0 (One, 1);

  self->parent.klass = &one_class;
  self->parent.ref_count = 1;
  self->object = g_object_ref (object);
  self->loop = gst_rtc_loop_new ("rtc-channel");
  return &self->parent;
}
