/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* ICE of a viewer with one socket (RFC 8445): it answers checks, and checks by itself what the other side names. */

#include "receiver.h"

#include <string.h>

#define CHECK_INTERVAL 50000 /* until there is a path */
#define CONSENT_INTERVAL (2500 * 1000)

void
fan_viewer_send (FanViewer *self, const guint8 *data, gsize size, const RtcAddress *to)
{
  struct sockaddr_storage address;
  socklen_t length = rtc_address_to_sockaddr (to, &address, FALSE);

  sendto (self->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, length);
}

static void
send_check (FanViewer *self, const RtcAddress *to)
{
  guint8 out[80 + RTC_STUN_MAX_USERNAME];
  RtcStunCheck check = {
      .id = self->check_id,
      .username = self->username,
      .priority = 110 << 24 | 65535 << 8 | 255,
      .use_candidate = self->controlling,
      .controlling = self->controlling,
      .tie_breaker = 1,
  };

  fan_viewer_send (self, out, rtc_stun_write_check (out, &check, self->remote_key), to);
}

gboolean
fan_ice_take (FanViewer *self, const guint8 *data, gsize size, const RtcAddress *from)
{
  gboolean had_path = self->to.family != 0;
  RtcStunMessage message;
  guint8 answer[RTC_STUN_MAX_ANSWER];

  if (!rtc_stun_parse (&message, data, size) || message.method != RTC_STUN_BINDING)
    return FALSE;
  if (message.klass == RTC_STUN_REQUEST && rtc_stun_check_integrity (&message, self->key)) {
    fan_viewer_send (self, answer, rtc_stun_write_success (answer, message.id, from, self->key), from);
    if (message.use_candidate && !self->controlling)
      self->to = *from;
  } else if (message.klass == RTC_STUN_SUCCESS && self->remote_key
      && memcmp (message.id, self->check_id, RTC_STUN_ID_SIZE) == 0
      && rtc_stun_check_integrity (&message, self->remote_key) && self->controlling) {
    self->to = *from;
  }
  return !had_path && self->to.family != 0;
}

void
fan_ice_tick (FanViewer *self, gint64 now)
{
  if (!self->remote_key || now < self->next_check)
    return;
  for (guint i = 0; i < RTC_STUN_ID_SIZE; i++)
    self->check_id[i] = g_random_int ();
  if (self->to.family) {
    send_check (self, &self->to);
    self->next_check = now + CONSENT_INTERVAL;
    return;
  }
  for (guint i = 0; i < self->candidates->len; i++)
    send_check (self, &g_array_index (self->candidates, RtcAddress, i));
  self->next_check = now + CHECK_INTERVAL;
}
