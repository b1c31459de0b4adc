/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recvmmsg(), in6_pktinfo */
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
#define BATCH 16
#define ROUNDS 16
/* A hello costs a thousand times what a datagram costs that is thrown away. */
#define MAX_TURN 1000 /* microseconds */
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

/* Bound to all of them, a socket answers from the address that the system likes best; a peer that asked another one
 * would not know the answer for one. */
static void
ask_for_local_addresses (int fd, gboolean mapped)
{
  int on = 1;

  if (mapped)
    setsockopt (fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof (on));
  else
    setsockopt (fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof (on));
}

void
gst_rtc_udp_widen (int fd)
{
  int buffer = BUFFER_SIZE;

  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof (buffer));
  setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof (buffer));
}

GstRtcUdp *
gst_rtc_udp_new (guint port, GError **error)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof (address);
  int fd = open_socket (AF_INET6, port);
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
  ask_for_local_addresses (fd, mapped);
  gst_rtc_udp_widen (fd);
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

/* What goes with a call beside the data: the segments' size, the address to send from. */
typedef union
{
  gchar space[CMSG_SPACE (sizeof (guint16)) + CMSG_SPACE (sizeof (struct in6_pktinfo))];
  struct cmsghdr align;
} Control;

static void
add_control (struct msghdr *message, Control *control, int level, int type, gconstpointer data, gsize size)
{
  struct cmsghdr *cmsg = (struct cmsghdr *)(control->space + message->msg_controllen);

  cmsg->cmsg_level = level;
  cmsg->cmsg_type = type;
  cmsg->cmsg_len = CMSG_LEN (size);
  memcpy (CMSG_DATA (cmsg), data, size);
  message->msg_control = control->space;
  message->msg_controllen += CMSG_SPACE (size);
}

/* An IPv4 address on a socket of both families is written as an IPv6 one here, too. */
static void
add_source (struct msghdr *message, Control *control, const RtcAddress *from, gboolean mapped)
{
  struct sockaddr_storage address;

  rtc_address_to_sockaddr (from, &address, mapped);
  if (mapped) {
    struct in6_pktinfo info = {.ipi6_addr = ((struct sockaddr_in6 *)&address)->sin6_addr};

    add_control (message, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof (info));
  } else {
    struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&address)->sin_addr};

    add_control (message, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof (info));
  }
}

typedef struct
{
  int fd;
  gboolean mapped;
  const RtcAddress *from; /* NULL: the system's choice */
  struct msghdr message; /* with the address that it goes to */
} Way;

static gboolean
send_run (const Way *way, const guint8 *data, gsize bytes, gsize segment)
{
  struct iovec vec = {(gpointer)data, bytes};
  struct msghdr message = way->message;
  Control control;
  guint16 size = segment;

  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  if (way->from || bytes > segment)
    memset (&control, 0, sizeof (control));
  if (way->from)
    add_source (&message, &control, way->from, way->mapped);
  if (bytes > segment)
    add_control (&message, &control, SOL_UDP, UDP_SEGMENT, &size, sizeof (size));
  return sendmsg (way->fd, &message, MSG_NOSIGNAL) >= 0;
}

static guint
send_all (const Way *way, gboolean *gso, const guint8 *data, const gsize *sizes, guint n)
{
  guint sent = 0, run;

  for (guint i = 0; i < n; i += run) {
    gsize bytes = sizes[i];

    run = *gso ? count_run (sizes + i, n - i, &bytes) : 1;
    if (send_run (way, data, bytes, sizes[i])) {
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

guint
gst_rtc_udp_send_on (
    int fd, gboolean mapped, gboolean *gso, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n)
{
  struct sockaddr_storage address;
  Way way = {fd, mapped, NULL, {.msg_name = &address, .msg_namelen = rtc_address_to_sockaddr (to, &address, mapped)}};

  return send_all (&way, gso, data, sizes, n);
}

gboolean
gst_rtc_udp_is_unreachable (int error)
{
  /* EINVAL: the socket is bound to an address that this machine has no more. */
  return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN || error == EADDRNOTAVAIL
      || error == EINVAL;
}

guint
gst_rtc_udp_send (
    GstRtcUdp *self, const RtcAddress *from, const RtcAddress *to, const guint8 *data, const gsize *sizes, guint n)
{
  struct sockaddr_storage address;
  Way way = {self->fd, self->mapped, from && from->family == to->family ? from : NULL,
      {.msg_name = &address, .msg_namelen = rtc_address_to_sockaddr (to, &address, self->mapped)}};

  if (!self->mapped && to->family != 4)
    return 0;
  return send_all (&way, &self->gso, data, sizes, n);
}

/* Family 0 when the system did not say. */
static RtcAddress
read_local_address (struct msghdr *message)
{
  RtcAddress address = {0};

  for (struct cmsghdr *at = CMSG_FIRSTHDR (message); at; at = CMSG_NXTHDR (message, at)) {
    if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      struct sockaddr_in6 local = {.sin6_family = AF_INET6};
      struct in6_pktinfo info;

      memcpy (&info, CMSG_DATA (at), sizeof (info));
      local.sin6_addr = info.ipi6_addr;
      rtc_address_from_sockaddr (&address, (struct sockaddr *)&local, sizeof (local));
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      struct sockaddr_in local = {.sin_family = AF_INET};
      struct in_pktinfo info;

      memcpy (&info, CMSG_DATA (at), sizeof (info));
      local.sin_addr = info.ipi_addr;
      rtc_address_from_sockaddr (&address, (struct sockaddr *)&local, sizeof (local));
    }
  }
  return address;
}

void
gst_rtc_udp_receive (GstRtcUdp *self, GstRtcUdpFunc func, gpointer user_data)
{
  struct sockaddr_storage addresses[BATCH];
  struct mmsghdr messages[BATCH];
  struct iovec vecs[BATCH];
  Control controls[BATCH];
  gint64 until = g_get_monotonic_time () + MAX_TURN;
  int n = BATCH;

  for (guint round = 0; n == BATCH && round < ROUNDS && g_get_monotonic_time () < until; round++) {
    memset (messages, 0, sizeof (messages));
    for (guint i = 0; i < BATCH; i++) {
      vecs[i] = (struct iovec){self->space + i * DATAGRAM, DATAGRAM};
      messages[i].msg_hdr = (struct msghdr){.msg_name = &addresses[i],
          .msg_namelen = sizeof (addresses[i]),
          .msg_iov = &vecs[i],
          .msg_iovlen = 1,
          .msg_control = controls[i].space,
          .msg_controllen = sizeof (controls[i].space)};
    }
    n = recvmmsg (self->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
      struct msghdr *message = &messages[i].msg_hdr;
      RtcAddress from, to;

      if ((message->msg_flags & MSG_TRUNC)
          || !rtc_address_from_sockaddr (&from, (struct sockaddr *)&addresses[i], message->msg_namelen))
        continue;
      to = read_local_address (message);
      func (&from, &to, self->space + i * DATAGRAM, messages[i].msg_len, user_data);
    }
  }
}
