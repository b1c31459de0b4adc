/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: fan-raw MODE SLICES
 *
 * The least that sending to many can cost: one thread, a header, a cipher and a system call, no WebRTC at all. MODE:
 *
 *   sendto     AES-CM and HMAC-SHA1 by OpenSSL, a socket a viewer, a call a packet
 *   libsrtp    the same, by the system's libsrtp
 *   gso        AES-GCM, one socket, a frame a call
 *
 *   viewer NAME IP PORT KEY SALT    in: another viewer, whose keys are hexadecimal
 *   key                             in: a key frame next, please */

#define _GNU_SOURCE
#include "fan.h"
#include "native/rtcaddress.h"
#include "native/rtcbytes.h"
#include "native/rtcsrtp.h"

#ifdef HAVE_LIBSRTP
#include <srtp2/srtp.h>
#endif
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define HEADER 12
#define ROOM (HEADER + FAN_MAX_PAYLOAD + RTC_SRTP_OVERHEAD)
#define MAX_RUN_BYTES 65000

typedef struct
{
  RtcSrtpSender *srtp;
#ifdef HAVE_LIBSRTP
  srtp_t reference;
#endif
  int fd;
  struct sockaddr_storage address;
  socklen_t address_size;
  guint16 sequence[2]; /* of the next packet of audio and video, and how often it was 0 again */
  guint32 rollover[2];
} Viewer;

typedef enum
{
  SENDTO,
  LIBSRTP,
  GSO,
} Mode;

typedef struct
{
  Mode mode;
  int fd; /* of all viewers; -1: each has one */
  GArray *viewers; /* of Viewer */
  FanTrack tracks[2]; /* audio, video */
  GMainLoop *loop;
  guint8 space[FAN_MAX_PACKETS * ROOM];
  gsize sizes[FAN_MAX_PACKETS];
} Program;

static void
from_hex (const gchar *text, guint8 *out, gsize size)
{
  for (gsize i = 0; i < size && text[2 * i]; i++)
    out[i] = g_ascii_xdigit_value (text[2 * i]) << 4 | g_ascii_xdigit_value (text[2 * i + 1]);
}

static int
open_socket (void)
{
  int fd = socket (AF_INET, SOCK_DGRAM, 0), size = 4 * 1024 * 1024;

  if (fd < 0)
    g_error ("no socket: %s", g_strerror (errno));
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof (size));
  return fd;
}

#ifdef HAVE_LIBSRTP
static srtp_t
reference_new (const RtcSrtpKeys *keys)
{
  guint8 key[sizeof (keys->key) + sizeof (keys->salt)];
  srtp_policy_t policy = {.ssrc.type = ssrc_any_outbound, .key = key, .window_size = 1024};
  srtp_t session;

  memcpy (key, keys->key, sizeof (keys->key));
  memcpy (key + sizeof (keys->key), keys->salt, sizeof (keys->salt));
  if (srtp_crypto_policy_set_from_profile_for_rtp (&policy.rtp, srtp_profile_aes128_cm_sha1_80)
      || srtp_crypto_policy_set_from_profile_for_rtcp (&policy.rtcp, srtp_profile_aes128_cm_sha1_80)
      || srtp_create (&session, &policy))
    g_error ("libsrtp makes no session");
  return session;
}
#endif

static void
add_viewer (Program *self, gchar **words)
{
  Viewer viewer = {.fd = self->fd >= 0 ? self->fd : open_socket ()};
  RtcSrtpKeys keys = {.profile = self->mode == GSO ? RTC_SRTP_AEAD_AES_128_GCM : RTC_SRTP_AES128_CM_SHA1_80};
  RtcAddress to;

  if (!rtc_address_parse (&to, words[2], atoi (words[3])))
    g_error ("%s:%s is no address", words[2], words[3]);
  viewer.address_size = rtc_address_to_sockaddr (&to, &viewer.address, FALSE);
  from_hex (words[4], keys.key, sizeof (keys.key));
  from_hex (words[5], keys.salt, sizeof (keys.salt));
#ifdef HAVE_LIBSRTP
  if (self->mode == LIBSRTP)
    viewer.reference = reference_new (&keys);
#endif
  if (self->mode != LIBSRTP)
    viewer.srtp = rtc_srtp_sender_new (&keys);
  g_array_append_val (self->viewers, viewer);
  g_atomic_int_set (&self->tracks[1].key_wanted, TRUE);
}

static gsize
write_packet (Program *self, Viewer *viewer, const FanTrack *track, guint i, gboolean marker, guint32 ts, guint8 *out)
{
  guint16 seq = viewer->sequence[track->video]++;
  guint64 index = (guint64)viewer->rollover[track->video] << 16 | seq;

  viewer->rollover[track->video] += seq == 0xffff;
  out[0] = 2 << 6;
  out[1] = (track->video ? FAN_VIDEO_PT : FAN_AUDIO_PT) | (marker ? 0x80 : 0);
  rtc_put_u16 (out + 2, seq);
  rtc_put_u32 (out + 4, ts);
  rtc_put_u32 (out + 8, 0x1000 + track->video);
#ifdef HAVE_LIBSRTP
  if (self->mode == LIBSRTP) {
    int size = HEADER + (int)track->sizes[i];

    memcpy (out + HEADER, track->payloads[i], track->sizes[i]);
    if (srtp_protect (viewer->reference, out, &size))
      g_error ("libsrtp does not protect a packet");
    return size;
  }
#endif
  return rtc_srtp_sender_protect (viewer->srtp, out, HEADER, track->payloads[i], track->sizes[i], index);
}

static void
send_run (const Viewer *viewer, guint8 *data, gsize bytes, gsize segment)
{
  struct iovec vec = {data, bytes};
  union
  {
    gchar space[CMSG_SPACE (sizeof (guint16))];
    struct cmsghdr align;
  } control = {{0}};
  struct msghdr message = {
      .msg_name = (gpointer)&viewer->address, .msg_namelen = viewer->address_size, .msg_iov = &vec, .msg_iovlen = 1};
  guint16 size = segment;

  if (bytes > segment) {
    struct cmsghdr *cmsg;

    message.msg_control = control.space;
    message.msg_controllen = sizeof (control.space);
    cmsg = CMSG_FIRSTHDR (&message);
    cmsg->cmsg_level = SOL_UDP;
    cmsg->cmsg_type = UDP_SEGMENT;
    cmsg->cmsg_len = CMSG_LEN (sizeof (size));
    memcpy (CMSG_DATA (cmsg), &size, sizeof (size));
  }
  if (sendmsg (viewer->fd, &message, 0) < 0)
    g_printerr ("fan-raw: sendmsg: %s\n", g_strerror (errno));
}

static void
send_frame_gso (Program *self, Viewer *viewer, const FanTrack *track, guint n, guint32 timestamp)
{
  gsize used = 0;

  for (guint i = 0; i < n; i++) {
    self->sizes[i] = write_packet (self, viewer, track, i, i + 1 == n, timestamp, self->space + used);
    used += self->sizes[i];
  }
  used = 0;
  for (guint i = 0; i < n;) {
    gsize segment = self->sizes[i], bytes = segment;

    for (i++;
         i < n && self->sizes[i - 1] == segment && self->sizes[i] <= segment && bytes + self->sizes[i] <= MAX_RUN_BYTES;
         i++)
      bytes += self->sizes[i];
    send_run (viewer, self->space + used, bytes, segment);
    used += bytes;
  }
}

static void
send_frame (Program *self, FanTrack *track)
{
  guint32 timestamp;
  guint n = fan_track_next (track, g_get_monotonic_time (), &timestamp);

  for (guint v = 0; v < self->viewers->len; v++) {
    Viewer *viewer = &g_array_index (self->viewers, Viewer, v);

    if (self->mode == GSO) {
      send_frame_gso (self, viewer, track, n, timestamp);
      continue;
    }
    for (guint i = 0; i < n; i++) {
      gsize size = write_packet (self, viewer, track, i, i + 1 == n, timestamp, self->space);

      if (sendto (viewer->fd, self->space, size, 0, (struct sockaddr *)&viewer->address, viewer->address_size) < 0)
        g_printerr ("fan-raw: sendto: %s\n", g_strerror (errno));
    }
  }
}

static void
on_command (gchar **words, guint n_words, gpointer user_data)
{
  Program *self = user_data;

  if (g_str_equal (words[0], "viewer") && n_words == 6)
    add_viewer (self, words);
  else if (g_str_equal (words[0], "key"))
    g_atomic_int_set (&self->tracks[1].key_wanted, TRUE);
  else
    g_error ("fan-raw: what is \"%s\"?", words[0]);
}

static gboolean
on_time (gpointer user_data)
{
  Program *self = user_data;
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < G_N_ELEMENTS (self->tracks); i++) {
    if (fan_track_get_due (&self->tracks[i]) <= now)
      send_frame (self, &self->tracks[i]);
  }
  g_source_set_ready_time (
      g_main_current_source (), MIN (fan_track_get_due (&self->tracks[0]), fan_track_get_due (&self->tracks[1])));
  return G_SOURCE_CONTINUE;
}

static gboolean
dispatch (GSource *source, GSourceFunc func, gpointer user_data)
{
  return func (user_data);
}

static GSourceFuncs timer_funcs = {.dispatch = dispatch};

int
main (int argc, char **argv)
{
  static Program self;
  GSource *timer;

  if (argc != 3) {
    g_printerr ("usage: fan-raw sendto|libsrtp|gso SLICES\n");
    return 2;
  }
  self.mode = g_str_equal (argv[1], "gso") ? GSO : g_str_equal (argv[1], "libsrtp") ? LIBSRTP : SENDTO;
#ifdef HAVE_LIBSRTP
  if (self.mode == LIBSRTP)
    srtp_init ();
#else
  if (self.mode == LIBSRTP) {
    g_printerr ("fan-raw was built without libsrtp: install libsrtp2-dev and build again\n");
    return 1;
  }
#endif
  self.fd = self.mode == GSO ? open_socket () : -1;
  self.viewers = g_array_new (FALSE, FALSE, sizeof (Viewer));
  self.loop = g_main_loop_new (NULL, FALSE);
  fan_listen (on_command, &self, self.loop);
  fan_track_init (&self.tracks[0], FALSE, 1, g_get_monotonic_time ());
  fan_track_init (&self.tracks[1], TRUE, atoi (argv[2]), g_get_monotonic_time ());
  timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (timer, on_time, &self, NULL);
  g_source_set_ready_time (timer, 0);
  g_source_attach (timer, NULL);
  fan_say ("ready");
  g_main_loop_run (self.loop);
  return 0;
}
