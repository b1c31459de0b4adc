/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnetlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct _GstRtcNetlink
{
  /* loop */
  GstRtcPoll *poll;
  GstRtcWatch *watch;
  int fd;
  GstRtcNetlinkFunc func;
  gpointer user_data;
};

/* What changed is not looked at: who is told compares what it needs. */
static void
readable (int fd, gpointer user_data)
{
  GstRtcNetlink *self = user_data;
  guint8 message[8192];
  gboolean any = FALSE;

  /* ENOBUFS says that some were lost, which is news as well. */
  while (recv (fd, message, sizeof (message), MSG_DONTWAIT) > 0)
    any = TRUE;
  if (any || errno == ENOBUFS)
    self->func (self->user_data);
}

GstRtcNetlink *
gst_rtc_netlink_new (GstRtcPoll *poll, GstRtcNetlinkFunc func, gpointer user_data)
{
  struct sockaddr_nl address = {.nl_family = AF_NETLINK,
      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  GstRtcNetlink *self;

  if (fd < 0)
    return NULL;
  if (bind (fd, (struct sockaddr *)&address, sizeof (address)) < 0) {
    close (fd);
    return NULL;
  }
  self = g_new (GstRtcNetlink, 1);
  *self = (GstRtcNetlink){.poll = poll, .fd = fd, .func = func, .user_data = user_data};
  self->watch = gst_rtc_poll_add (poll, fd, readable, self);
  return self;
}

void
gst_rtc_netlink_free (GstRtcNetlink *self)
{
  gst_rtc_poll_remove (self->poll, self->watch);
  close (self->fd);
  g_free (self);
}

gboolean
gst_rtc_netlink_get_source (const RtcAddress *remote, RtcAddress *source)
{
  struct sockaddr_storage storage;
  socklen_t size = rtc_address_to_sockaddr (remote, &storage, FALSE);
  int fd = socket (storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean found = fd >= 0 && connect (fd, (struct sockaddr *)&storage, size) == 0;

  size = sizeof (storage);
  found = found && getsockname (fd, (struct sockaddr *)&storage, &size) == 0
      && rtc_address_from_sockaddr (source, (struct sockaddr *)&storage, size);
  if (fd >= 0)
    close (fd);
  if (found)
    source->port = 0;
  return found;
}
