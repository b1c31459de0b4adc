/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcicespare.h"
#include "gstrtcudp.h"
#include "rtcstun.h"

#include <string.h>

struct _GstRtcSpare
{
  /* loop */
  GstRtcPoll *poll;
  GstRtcWatch *watch;
  GstRtcUdp *udp;
  GstRtcIce *ice;
  GHmac *key; /* of our password */
};

/* As any agent would: the peer looks whether this address is one of ours. */
static void
take_check (GstRtcSpare *self, const RtcAddress *from, const guint8 *data, gsize size)
{
  gsize length = strlen (self->ice->ufrag);
  guint8 answer[RTC_STUN_MAX_ANSWER];
  RtcStunMessage message;

  if (!rtc_stun_parse (&message, data, size) || message.klass != RTC_STUN_REQUEST || message.method != RTC_STUN_BINDING
      || message.n_unknown || !message.username || message.username_size <= length
      || memcmp (message.username, self->ice->ufrag, length) != 0 || message.username[length] != ':'
      || !rtc_stun_check_fingerprint (&message) || !rtc_stun_check_integrity (&message, self->key))
    return;
  size = rtc_stun_write_success (answer, message.id, from, self->key);
  gst_rtc_udp_send (self->udp, NULL, from, answer, &size, 1);
  self->ice->events->heard (0, g_get_monotonic_time (), self->ice->user_data);
}

static void
datagram (const RtcAddress *from, const RtcAddress *to, guint8 *data, gsize size, gpointer user_data)
{
  GstRtcSpare *self = user_data;

  if (size > 0 && data[0] == 0)
    take_check (self, from, data, size);
  else
    self->ice->events->datagram (data, size, g_get_monotonic_time (), self->ice->user_data);
}

static void
readable (int fd, gpointer user_data)
{
  GstRtcSpare *self = user_data;

  gst_rtc_udp_receive (self->udp, datagram, self);
}

GstRtcSpare *
gst_rtc_spare_new (GstRtcPoll *poll, GstRtcIce *ice)
{
  GstRtcUdp *udp = gst_rtc_udp_new (0, NULL);
  GstRtcSpare *self;

  if (!udp)
    return NULL;
  self = g_new0 (GstRtcSpare, 1);
  self->poll = poll;
  self->udp = udp;
  self->ice = ice;
  self->key = rtc_stun_key_new (ice->password);
  self->watch = gst_rtc_poll_add (poll, gst_rtc_udp_get_fd (udp), readable, self);
  return self;
}

void
gst_rtc_spare_free (GstRtcSpare *self)
{
  gst_rtc_poll_remove (self->poll, self->watch);
  gst_rtc_udp_free (self->udp);
  g_hmac_unref (self->key);
  g_free (self);
}

gboolean
gst_rtc_spare_send (GstRtcSpare *self, const RtcAddress *to, const GstRtcIceBatch *batch)
{
  return gst_rtc_udp_send (self->udp, NULL, to, batch->data, batch->sizes, batch->n) == batch->n;
}
