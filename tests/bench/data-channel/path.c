/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: tests/netns-run --two .. data-path
 *
 * A path between the two network namespaces that delays packets, loses some and carries so much a second: it takes the
 * cable down and gives its IPv4 addresses to two tun devices, between which it carries every packet. That of
 * tests/bench/loss does the same for a few hundred packets a second. nft on loopback would lose 64 packets at once
 * where a program sends as many in one call. One line of input sets it, and is answered with "ok":
 *
 *   DELAY LOSS RATE QUEUE    microseconds one way; packets of a million, in each direction, drawn at random; bytes a
 *                            second (0: any number) and what may wait for that, in bytes
 *
 * It says "ready" first, and ends with its input. */

#define _GNU_SOURCE
#include <glib.h>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PACKET 1600
#define MAX_PACKETS 16384
#define BURST 64

typedef struct
{
  gint64 at;
  gsize size;
  guint8 data[PACKET];
} Packet;

typedef struct
{
  int from, to;
  Packet *ring; /* [MAX_PACKETS] */
  guint first, n;
  gint64 free_at;
} Direction;

static Direction directions[2];
static gint64 delay, rate, queue;
static guint32 loss;
static guint64 state = 88172645463325252u;

static guint32
draw (void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state >> 11) % 1000000;
}

static void
run (const gchar *format, ...)
{
  va_list args;
  gchar *command;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  if (system (command) != 0)
    g_error ("data-path: \"%s\" failed: this is to be run as tests/netns-run --two .. data-path", command);
  g_free (command);
}

static int
open_tun (const gchar *name, const gchar *address, const gchar *cable)
{
  int fd = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};

  g_strlcpy (request.ifr_name, name, sizeof (request.ifr_name));
  if (fd < 0 || ioctl (fd, TUNSETIFF, &request) != 0)
    g_error ("data-path: no tun device: load the module tun");
  run ("ip link set %s down && ip addr flush dev %s", cable, cable);
  run ("ip addr add %s/24 dev %s && ip link set %s addrgenmode none txqueuelen 10000 mtu 1500 up", address, name, name);
  return fd;
}

static void
open_both (void)
{
  const gchar *peer = g_getenv ("RTC_NETNS_PEER");
  int own = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other = peer ? open (peer, O_RDONLY | O_CLOEXEC) : -1;
  int fds[2];

  if (other < 0)
    g_error ("data-path: there is no second network namespace: run this as tests/netns-run --two .. data-path");
  fds[0] = open_tun ("far0", g_getenv ("RTC_TEST_ADDRESS"), "rtc0");
  if (setns (other, CLONE_NEWNET) != 0)
    g_error ("data-path: %s cannot be entered", peer);
  fds[1] = open_tun ("far1", g_getenv ("RTC_TEST_PEER_ADDRESS"), "rtc1");
  if (setns (own, CLONE_NEWNET) != 0)
    g_error ("data-path: there is no way back");
  for (guint i = 0; i < 2; i++)
    directions[i] = (Direction){.from = fds[i], .to = fds[!i], .ring = g_new (Packet, MAX_PACKETS)};
}

static void
send_due (Direction *self, gint64 now)
{
  while (self->n > 0 && self->ring[self->first].at <= now) {
    const Packet *packet = &self->ring[self->first];

    /* A device that has no room loses it, as any would. */
    if (write (self->to, packet->data, packet->size) < 0) {
    }
    self->first = (self->first + 1) % MAX_PACKETS;
    self->n--;
  }
}

static void
take (Direction *self, gint64 now)
{
  for (guint i = 0; i < BURST; i++) {
    Packet *packet = &self->ring[(self->first + self->n) % MAX_PACKETS];
    gssize size;

    if (self->n == MAX_PACKETS) {
      guint8 lost[PACKET];

      if (read (self->from, lost, sizeof (lost)) <= 0)
        break;
      continue;
    }
    size = read (self->from, packet->data, sizeof (packet->data));
    if (size <= 0)
      break;
    if (draw () < loss)
      continue;
    packet->size = size;
    packet->at = now + delay;
    if (rate > 0) {
      self->free_at = MAX (self->free_at, now);
      if ((self->free_at - now) * rate / G_USEC_PER_SEC > queue)
        continue;
      self->free_at += size * G_USEC_PER_SEC / rate;
      packet->at = self->free_at + delay;
    }
    self->n++;
  }
}

static gboolean
take_line (void)
{
  gchar line[256];
  gssize n = read (0, line, sizeof (line) - 1);

  if (n <= 0)
    return FALSE;
  line[n] = 0;
  if (sscanf (line, "%" G_GINT64_FORMAT " %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, &delay, &loss, &rate, &queue)
      != 4)
    g_error ("data-path: expected DELAY LOSS RATE QUEUE, got \"%s\"", line);
  puts ("ok");
  fflush (stdout);
  return TRUE;
}

static void
set_timer (int timer)
{
  gint64 at = 0;
  struct itimerspec when = {{0}};

  for (guint i = 0; i < 2; i++) {
    if (directions[i].n > 0 && (at == 0 || directions[i].ring[directions[i].first].at < at))
      at = directions[i].ring[directions[i].first].at;
  }
  when.it_value.tv_sec = at / G_USEC_PER_SEC;
  when.it_value.tv_nsec = at % G_USEC_PER_SEC * 1000;
  timerfd_settime (timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int
main (int argc, char **argv)
{
  int poll = epoll_create1 (EPOLL_CLOEXEC), timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct epoll_event events[4];
  int fds[4], n;

  open_both ();
  fds[0] = directions[0].from;
  fds[1] = directions[1].from;
  fds[2] = timer;
  fds[3] = 0;
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};

    epoll_ctl (poll, EPOLL_CTL_ADD, fds[i], &event);
  }
  puts ("ready");
  fflush (stdout);
  for (;;) {
    gint64 now;

    n = epoll_wait (poll, events, G_N_ELEMENTS (events), -1);
    for (int i = 0; i < n; i++) {
      guint64 count;

      if (events[i].data.fd == 0 && !take_line ())
        return 0;
      if (events[i].data.fd == timer && read (timer, &count, sizeof (count)) < 0)
        continue;
    }
    now = g_get_monotonic_time ();
    for (guint i = 0; i < 2; i++) {
      take (&directions[i], now);
      send_due (&directions[i], now);
    }
    set_timer (timer);
  }
}
