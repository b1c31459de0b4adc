/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recvmmsg() */
#endif
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcudp.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* What a call may carry: the length field of IP, less headers; and the kernel's own limit (64 before Linux 6.9). */
#define GSO_MAX_BYTES 65000
#define GSO_MAX_SEGMENTS 64
#define BUFFER_SIZE (4 * 1024 * 1024)
#define BATCH 32
#define ROUNDS 8
#define DATAGRAM 2048

struct _GstRtcUdp
{
  int fd;
  guint port;
  gboolean mapped; /* IPv4 addresses are written as IPv6 ones */
  gboolean gso;
  guint8 *space; /* for what is received */
};

static int
open_socket (int family, guint port)
{
  struct sockaddr_storage address = {.ss_family = family};
  gsize size = family == AF_INET6 ? sizeof (struct sockaddr_in6) : sizeof (struct sockaddr_in);
  int fd = socket (family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), off = 0, saved;

  if (fd < 0)
    return -1;
  if (family == AF_INET6)
    ((struct sockaddr_in6 *)&address)->sin6_port = htons (port);
  else
    ((struct sockaddr_in *)&address)->sin_port = htons (port);
  if ((family == AF_INET6 && setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof (off)) < 0)
      || bind (fd, (struct sockaddr *)&address, size) < 0) {
    saved = errno;
    close (fd);
    errno = saved;
    return -1;
  }
  return fd;
}

GstRtcUdp *
gst_rtc_udp_new (guint port, GError **error)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof (address);
  int fd = open_socket (AF_INET6, port), buffer = BUFFER_SIZE;
  gboolean mapped = fd >= 0;
  RtcAddress own;
  GstRtcUdp *self;

  if (fd < 0 && errno != EADDRINUSE && errno != EACCES)
    fd = open_socket (AF_INET, port);
  if (fd < 0) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, "UDP port %u cannot be used: %s. %s", port,
        g_strerror (errno),
        errno == EACCES ? "Ports below 1024 need a privilege; choose another udp-port"
                        : "End the program that has it, or choose another udp-port");
    return NULL;
  }
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof (buffer));
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof (buffer));
  getsockname (fd, (struct sockaddr *)&address, &size);
  rtc_address_from_sockaddr (&own, (struct sockaddr *)&address, size);
  self = g_new0 (GstRtcUdp, 1);
  self->fd = fd;
  self->port = own.port;
  self->mapped = mapped;
  self->gso = TRUE;
  self->space = g_malloc (BATCH * DATAGRAM);
  return self;
}

void
gst_rtc_udp_free (GstRtcUdp *self)
{
  close (self->fd);
  g_free (self->space);
  g_free (self);
}

int
gst_rtc_udp_get_fd (GstRtcUdp *self)
{
  return self->fd;
}

guint
gst_rtc_udp_get_port (GstRtcUdp *self)
{
  return self->port;
}

/* How many datagrams, from the first, go out in one call: all of one size, but the last may be shorter. */
static guint
count_run (const gsize *sizes, guint n, gsize *bytes)
{
  guint run = 1;

  *bytes = sizes[0];
  while (run < MIN (n, GSO_MAX_SEGMENTS) && sizes[run] <= sizes[0] && *bytes + sizes[run] <= GSO_MAX_BYTES) {
    *bytes += sizes[run++];
    if (sizes[run - 1] < sizes[0])
      break;
  }
  return run;
}

static gboolean
send_run (int fd, struct msghdr *message, const guint8 *data, gsize bytes, gsize segment)
{
  struct iovec vec = {(gpointer)data, bytes};
  union
  {
    gchar space[CMSG_SPACE (sizeof (guint16))];
    struct cmsghdr align;
  } control;
  guint16 size = segment;

  message->msg_iov = &vec;
  message->msg_iovlen = 1;
  message->msg_control = NULL;
  message->msg_controllen = 0;
  if (bytes > segment) {
    struct cmsghdr *cmsg;

    memset (&control, 0, sizeof (control));
    message->msg_control = control.space;
    message->msg_controllen = sizeof (control.space);
    cmsg = CMSG_FIRSTHDR (message);
    cmsg->cmsg_level = SOL_UDP;
    cmsg->cmsg_type = UDP_SEGMENT;
    cmsg->cmsg_len = CMSG_LEN (sizeof (size));
    memcpy (CMSG_DATA (cmsg), &size, sizeof (size));
  }
  return sendmsg (fd, message, MSG_NOSIGNAL) >= 0;
}

guint
gst_rtc_udp_send_on (
    int fd, gboolean mapped, gboolean *gso, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n)
{
  struct sockaddr_storage address;
  struct msghdr message = {.msg_name = &address, .msg_namelen = rtc_address_to_sockaddr (to, &address, mapped)};
  guint sent = 0, run;

  for (guint i = 0; i < n; i += run) {
    gsize bytes = sizes[i];

    run = *gso ? count_run (sizes + i, n - i, &bytes) : 1;
    if (send_run (fd, &message, data, bytes, sizes[i])) {
      sent += run;
    } else if (run > 1 && errno != EAGAIN && errno != ENOBUFS && errno != EPERM && errno != ENETUNREACH
        && errno != EHOSTUNREACH) {
      /* An old kernel, a network card without checksums in hardware (EIO), a path that is narrower (EMSGSIZE). */
      *gso = FALSE;
      run = 0;
      continue;
    }
    data += bytes;
  }
  return sent;
}

gboolean
gst_rtc_udp_is_unreachable (int error)
{
  /* EINVAL: the socket is bound to an address that this machine has no more. */
  return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN || error == EADDRNOTAVAIL
      || error == EINVAL;
}

guint
gst_rtc_udp_send (GstRtcUdp *self, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n)
{
  if (!self->mapped && to->family != 4)
    return 0;
  return gst_rtc_udp_send_on (self->fd, self->mapped, &self->gso, to, data, sizes, n);
}

void
gst_rtc_udp_receive (GstRtcUdp *self, GstRtcUdpFunc func, gpointer user_data)
{
  struct sockaddr_storage addresses[BATCH];
  struct mmsghdr messages[BATCH];
  struct iovec vecs[BATCH];
  int n = BATCH;

  for (guint round = 0; n == BATCH && round < ROUNDS; round++) {
    memset (messages, 0, sizeof (messages));
    for (guint i = 0; i < BATCH; i++) {
      vecs[i] = (struct iovec){self->space + i * DATAGRAM, DATAGRAM};
      messages[i].msg_hdr = (struct msghdr){
          .msg_name = &addresses[i], .msg_namelen = sizeof (addresses[i]), .msg_iov = &vecs[i], .msg_iovlen = 1};
    }
    n = recvmmsg (self->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
      RtcAddress from;

      if (!(messages[i].msg_hdr.msg_flags & MSG_TRUNC)
          && rtc_address_from_sockaddr (&from, (struct sockaddr *)&addresses[i], messages[i].msg_hdr.msg_namelen))
        func (&from, self->space + i * DATAGRAM, messages[i].msg_len, user_data);
    }
  }
}
