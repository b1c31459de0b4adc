/* rtclink: somebody on the path who sends to a port what it never asked for
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: hostile-flood ADDRESS PORT [PORT]
 *
 * While it waits it listens to what comes to these ports of this machine (IPv4), and remembers it: whoever is there
 * when a flood begins is the viewer, whose address is forged and whose packets are sent again. Needs CAP_NET_RAW. A
 * line of standard input each:
 *
 *   target PORT                where floods go; the first of the ports until then
 *   flood KIND RATE SECONDS    datagrams a second; longer than so many seconds where the machine is busy
 *   hello                      writes "hello HEX [HEX]", a ClientHello as it would go out
 *
 *   junk           nonsense of all kinds from 200 addresses: noise, cut STUN, STUN with the viewer's username and a
 *                  wrong password, what looks like DTLS, RTP and RTCP
 *   viewer-junk    the same, as if it came from the viewer's address and port
 *   hellos         ClientHellos from 200 addresses
 *   viewer-hellos  ClientHellos from the viewer's address and port
 *   replay         what the viewer sent before, from its own address and port
 *
 * Afterwards it says "sent KIND NUMBER MILLISECONDS", or "error TEXT". */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sendmmsg() */
#endif

#include <gst/gst.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "native/rtcdtls.h"
#include "native/rtcdtlsidentity.h"
#include "native/rtcstun.h"

#define HEADERS (sizeof (struct iphdr) + sizeof (struct udphdr))
#define MAX_DATAGRAM 1400
#define MAX_RECORDED 20000
#define BATCH 64
#define POOL 2048
#define N_ADDRESSES 200
#define FIRST_ADDRESS 20 /* the last byte */
#define RANDOM_IN_HELLO 27 /* behind the headers of the record and the message, and the version and the time */

typedef struct
{
  in_addr_t address; /* both in the order of the network */
  in_port_t port;
} Source;

typedef struct
{
  int raw, sniffer;
  in_addr_t address;
  guint16 ports[2]; /* in that of this machine, like target */
  guint16 target;
  GPtrArray *recorded; /* of GBytes: what came for target, from viewer */
  Source viewer; /* port 0: nobody yet */
  gchar *username; /* of the viewer's checks; NULL: not seen yet */
  GRand *rand;
} Program;

static void say (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

static void
say (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  putchar ('\n');
  fflush (stdout);
}

/* What the viewer sends. */

static int
open_sniffer (void)
{
  int fd = socket (AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons (ETH_P_IP)), buffer = 8 << 20;

  if (fd >= 0)
    setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof (buffer));
  return fd;
}

static void
note_username (Program *program, const guint8 *data, gsize size)
{
  RtcStunMessage message;

  if (!program->username && rtc_stun_parse (&message, data, size) && message.username)
    program->username = g_strndup ((const gchar *)message.username, message.username_size);
}

static void
note_packet (Program *program, const guint8 *packet, gsize size)
{
  struct iphdr ip;
  struct udphdr udp;
  gsize header;
  guint16 port;
  Source from;

  if (size < sizeof (ip))
    return;
  memcpy (&ip, packet, sizeof (ip));
  header = ip.ihl * 4;
  if (ip.protocol != IPPROTO_UDP || size < header + sizeof (udp) || ip.daddr != program->address)
    return;
  memcpy (&udp, packet + header, sizeof (udp));
  port = ntohs (udp.dest);
  if (port != program->target)
    return;
  packet += header + sizeof (udp);
  size -= header + sizeof (udp);
  from = (Source){ip.saddr, udp.source};
  note_username (program, packet, size);
  /* Checks come from all of its addresses; what is no STUN comes from the one in use. */
  if (size == 0 || (packet[0] < 20 && program->viewer.port != from.port))
    return;
  program->viewer = from;
  if (program->recorded->len < MAX_RECORDED)
    g_ptr_array_add (program->recorded, g_bytes_new (packet, size));
}

static void
sniff (Program *program)
{
  guint8 packet[65536];

  for (;;) {
    struct sockaddr_ll from;
    socklen_t from_size = sizeof (from);
    gssize size =
        recvfrom (program->sniffer, packet, sizeof (packet), MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);

    if (size < 0)
      return;
    /* What goes over lo comes by twice. */
    if (from.sll_pkttype != PACKET_OUTGOING)
      note_packet (program, packet, size);
  }
}

/* What is sent. */

static void
keep_hello (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  g_ptr_array_add (user_data, g_bytes_new (data, size));
}

static void
ignore_state (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data)
{
}

/* The datagrams of a ClientHello. */
static GPtrArray *
make_hello (void)
{
  static const RtcDtlsEvents events = {.transmit = keep_hello, .state = ignore_state};
  GPtrArray *datagrams = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  RtcDtlsIdentity *identity = rtc_dtls_identity_new (NULL);
  gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identity), NULL};
  RtcDtls *dtls = rtc_dtls_new (identity, &events, datagrams);

  rtc_dtls_start (dtls, FALSE, fingerprints, 1);
  rtc_dtls_free (dtls);
  rtc_dtls_identity_unref (identity);
  return datagrams;
}

static void
fill (Program *program, guint8 *data, gsize size)
{
  for (gsize i = 0; i < size; i++)
    data[i] = g_rand_int (program->rand);
}

static GBytes *
make_junk (Program *program, guint i, GHmac *key)
{
  guint8 id[RTC_STUN_ID_SIZE], data[MAX_DATAGRAM];
  gsize size = g_rand_int_range (program->rand, 1, i % 4 ? 200 : sizeof (data));
  RtcStunCheck check = {.id = id,
      .username = program->username ? program->username : "abcdefgh:ijkl",
      .priority = 0x6e0001ff,
      .use_candidate = TRUE,
      .controlling = TRUE};

  fill (program, data, sizeof (data));
  fill (program, id, sizeof (id));
  switch (i % 6) {
    case 0:
      break;
    case 1:
      size = rtc_stun_write_check (data, &check, key);
      break;
    case 2: /* cut */
      size = g_rand_int_range (program->rand, 1, rtc_stun_write_check (data, &check, key));
      break;
    case 3: /* records of an epoch that is to come, and of the one before */
      size = MAX (size, 60);
      data[0] = g_rand_int_range (program->rand, 20, 24);
      data[1] = 0xfe;
      data[2] = 0xfd;
      data[3] = 0;
      data[4] = i / 6 % 2;
      data[11] = 0;
      data[12] = size - 13 < 256 ? size - 13 : 40;
      break;
    case 4:
      data[0] = 0x80 | (i / 6 % 2 ? 0x10 : 0);
      data[1] = 96 + i / 6 % 20;
      size = MAX (size, 40);
      break;
    default:
      data[0] = 0x80 | (i / 6 % 8);
      data[1] = 200 + i / 6 % 8;
      size = MAX (size, 40);
  }
  return g_bytes_new (data, size);
}

static GPtrArray *
make_pool (Program *program, const gchar *kind)
{
  GPtrArray *pool = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);

  if (g_str_equal (kind, "replay")) {
    for (guint i = 0; i < program->recorded->len; i++)
      g_ptr_array_add (pool, g_bytes_ref (g_ptr_array_index (program->recorded, i)));
  } else if (g_str_has_suffix (kind, "junk")) {
    GHmac *key = rtc_stun_key_new ("this is not the password");

    for (guint i = 0; i < POOL; i++)
      g_ptr_array_add (pool, make_junk (program, i, key));
    g_hmac_unref (key);
  } else if (g_str_has_suffix (kind, "hellos")) {
    g_ptr_array_unref (pool);
    pool = make_hello ();
  }
  return pool;
}

typedef struct
{
  guint8 datagrams[BATCH][HEADERS + MAX_DATAGRAM];
  struct iovec vecs[BATCH];
  struct mmsghdr messages[BATCH];
  guint64 next; /* of the pool */
} Burst;

static void
write_headers (guint8 *out, Source from, in_addr_t to, guint16 port, gsize size)
{
  struct iphdr ip = {.ihl = 5, .version = 4, .ttl = 64, .protocol = IPPROTO_UDP, .saddr = from.address, .daddr = to};
  struct udphdr udp = {.source = from.port, .dest = htons (port), .len = htons (sizeof (udp) + size)};

  ip.tot_len = htons (HEADERS + size);
  memcpy (out, &ip, sizeof (ip));
  memcpy (out + sizeof (ip), &udp, sizeof (udp)); /* without a checksum, which IPv4 allows */
}

/* Sends N datagrams. Returns how many went out. */
static guint
send_burst (Program *program, Burst *burst, const gchar *kind, GPtrArray *pool, guint n)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = program->address};
  gboolean as_viewer = g_str_has_prefix (kind, "viewer") || g_str_equal (kind, "replay");
  int sent;

  for (guint i = 0; i < n; i++) {
    GBytes *bytes = g_ptr_array_index (pool, burst->next++ % pool->len);
    gsize size = MIN (g_bytes_get_size (bytes), MAX_DATAGRAM);
    guint8 *out = burst->datagrams[i];
    Source from = program->viewer;

    if (!as_viewer) {
      guint32 number = g_rand_int (program->rand);

      from.address = (program->address & htonl (0xffffff00)) | htonl (FIRST_ADDRESS + number % N_ADDRESSES);
      from.port = htons (1024 + (number >> 8) % 60000);
    }
    write_headers (out, from, program->address, program->target, size);
    memcpy (out + HEADERS, g_bytes_get_data (bytes, NULL), size);
    if (g_str_has_suffix (kind, "hellos") && size > RANDOM_IN_HELLO + 4)
      fill (program, out + HEADERS + RANDOM_IN_HELLO + 4, 4);
    burst->vecs[i] = (struct iovec){out, HEADERS + size};
    burst->messages[i].msg_hdr =
        (struct msghdr){.msg_name = &to, .msg_namelen = sizeof (to), .msg_iov = &burst->vecs[i], .msg_iovlen = 1};
  }
  sent = sendmmsg (program->raw, burst->messages, n, 0);
  return MAX (sent, 0);
}

static void
flood (Program *program, const gchar *kind, guint rate, guint seconds)
{
  GPtrArray *pool = make_pool (program, kind);
  gint64 start = g_get_monotonic_time (), now = start;
  guint64 all = (guint64)rate * seconds, sent = 0;
  Burst *burst;

  if (pool->len == 0 || !program->viewer.port) {
    say ("error there is no viewer on port %u yet, or no flood %s", program->target, kind);
    g_ptr_array_unref (pool);
    return;
  }
  burst = g_new0 (Burst, 1);
  /* Its own packets would fill it. */
  close (program->sniffer);
  while (sent < all) {
    guint64 due = (now - start) * rate / G_USEC_PER_SEC;

    if (due > sent) {
      guint n = MIN (MIN (due, all) - sent, BATCH);

      if (!send_burst (program, burst, kind, pool, n)) {
        say ("error sending failed: %s", g_strerror (errno));
        break;
      }
      sent += n;
    } else {
      const struct timespec pause = {0, 200 * 1000};

      clock_nanosleep (CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    now = g_get_monotonic_time ();
  }
  program->sniffer = open_sniffer ();
  say ("sent %s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, kind, sent, (now - start) / 1000);
  g_free (burst);
  g_ptr_array_unref (pool);
}

static void
say_hello (void)
{
  GPtrArray *hello = make_hello ();
  GString *line = g_string_new ("hello");

  for (guint i = 0; i < hello->len; i++) {
    gsize size;
    const guint8 *data = g_bytes_get_data (g_ptr_array_index (hello, i), &size);

    g_string_append_c (line, ' ');
    for (gsize at = 0; at < size; at++)
      g_string_append_printf (line, "%02x", data[at]);
  }
  say ("%s", line->str);
  g_string_free (line, TRUE);
  g_ptr_array_unref (hello);
}

static void
obey (Program *program, const gchar *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", 4);
  guint n = g_strv_length (words);

  sniff (program);
  if (n == 4 && g_str_equal (words[0], "flood")) {
    flood (program, words[1], atoi (words[2]), atoi (words[3]));
  } else if (n == 2 && g_str_equal (words[0], "target")) {
    program->target = atoi (words[1]);
    program->viewer.port = 0;
    g_ptr_array_set_size (program->recorded, 0);
  } else if (n == 1 && g_str_equal (words[0], "hello")) {
    say_hello ();
  } else {
    say ("error there is no command %s", line);
  }
}

/* Until standard input ends. */
static void
run (Program *program)
{
  g_autoptr (GString) input = g_string_new (NULL);
  gchar *end;

  for (;;) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = program->sniffer, .events = POLLIN}};
    gchar more[512];
    gssize size;

    poll (fds, G_N_ELEMENTS (fds), -1);
    if (fds[1].revents)
      sniff (program);
    if (!fds[0].revents)
      continue;
    size = read (STDIN_FILENO, more, sizeof (more));
    if (size <= 0)
      return;
    g_string_append_len (input, more, size);
    while ((end = strchr (input->str, '\n'))) {
      g_autofree gchar *line = g_strndup (input->str, end - input->str);

      g_string_erase (input, 0, end - input->str + 1);
      obey (program, line);
    }
  }
}

int
main (int argc, char **argv)
{
  Program program = {.rand = g_rand_new_with_seed (1)};
  RtcAddress address;
  int buffer = 1 << 20;

  if (argc != 3 || !rtc_address_parse (&address, argv[1], 0) || address.family != 4) {
    g_printerr ("usage: hostile-flood ADDRESS PORT\n");
    return 2;
  }
  memcpy (&program.address, address.ip, sizeof (program.address));
  program.target = atoi (argv[2]);
  program.recorded = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  program.sniffer = open_sniffer ();
  program.raw = socket (AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (program.sniffer < 0 || program.raw < 0) {
    g_printerr ("no raw sockets: %s. Run it as root, in a network namespace\n", g_strerror (errno));
    return 1;
  }
  setsockopt (program.raw, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof (buffer));
  run (&program);
  g_ptr_array_unref (program.recorded);
  g_free (program.username);
  g_rand_free (program.rand);
  close (program.raw);
  close (program.sniffer);
  return 0;
}
