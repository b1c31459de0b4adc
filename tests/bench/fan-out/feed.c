/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: fan-feed SLICES IP AUDIO-PORT VIDEO-PORT VIDEO-RTCP-PORT
 *
 * The stream of the benchmark as plain RTP, for a server that takes it in and sends it on. It says once a second in
 * RTCP where it is, and answers PLI and FIR from there with a key frame. */

#include "fan.h"
#include "native/rtcaddress.h"
#include "native/rtcbytes.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER 12
#define SR_SIZE 28
#define NTP_TO_UNIX G_GUINT64_CONSTANT (2208988800)

typedef struct
{
  FanTrack track;
  int fd;
  guint16 sequence;
  guint32 timestamp; /* of the last frame */
  guint32 packets, bytes;
} Track;

typedef struct
{
  Track tracks[2]; /* audio, video */
  int rtcp; /* of video */
} Program;

static int
connect_to (const gchar *ip, const gchar *port)
{
  struct sockaddr_storage storage;
  RtcAddress address;
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || !rtc_address_parse (&address, ip, atoi (port)))
    g_error ("no socket for %s:%s: %s", ip, port, g_strerror (errno));
  if (connect (fd, (struct sockaddr *)&storage, rtc_address_to_sockaddr (&address, &storage, FALSE)) < 0)
    g_error ("%s:%s: %s", ip, port, g_strerror (errno));
  return fd;
}

static guint32
get_ssrc (gboolean video)
{
  return 0x1000 + video;
}

static void
send_frame (Track *self)
{
  guint8 packet[HEADER + FAN_MAX_PAYLOAD];
  FanTrack *track = &self->track;
  guint n = fan_track_next (track, g_get_monotonic_time (), &self->timestamp);

  for (guint i = 0; i < n; i++) {
    packet[0] = 2 << 6;
    packet[1] = (track->video ? FAN_VIDEO_PT : FAN_AUDIO_PT) | (i + 1 == n ? 0x80 : 0);
    rtc_put_u16 (packet + 2, self->sequence++);
    rtc_put_u32 (packet + 4, self->timestamp);
    rtc_put_u32 (packet + 8, get_ssrc (track->video));
    memcpy (packet + HEADER, track->payloads[i], track->sizes[i]);
    /* Nobody may listen yet. */
    if (send (self->fd, packet, HEADER + track->sizes[i], 0) < 0 && errno != ECONNREFUSED)
      g_printerr ("fan-feed: send: %s\n", g_strerror (errno));
    self->packets++;
    self->bytes += track->sizes[i];
  }
}

static gboolean
on_time (gpointer user_data)
{
  Program *self = user_data;
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < G_N_ELEMENTS (self->tracks); i++) {
    if (fan_track_get_due (&self->tracks[i].track) <= now)
      send_frame (&self->tracks[i]);
  }
  g_source_set_ready_time (g_main_current_source (),
      MIN (fan_track_get_due (&self->tracks[0].track), fan_track_get_due (&self->tracks[1].track)));
  return G_SOURCE_CONTINUE;
}

static gboolean
on_second (gpointer user_data)
{
  Program *self = user_data;
  const Track *video = &self->tracks[1];
  gint64 now = g_get_real_time ();
  guint8 packet[SR_SIZE];

  packet[0] = 2 << 6;
  packet[1] = 200;
  rtc_put_u16 (packet + 2, SR_SIZE / 4 - 1);
  rtc_put_u32 (packet + 4, get_ssrc (TRUE));
  rtc_put_u32 (packet + 8, now / G_USEC_PER_SEC + NTP_TO_UNIX);
  rtc_put_u32 (packet + 12, ((guint64)(now % G_USEC_PER_SEC) << 32) / G_USEC_PER_SEC);
  rtc_put_u32 (packet + 16, video->timestamp);
  rtc_put_u32 (packet + 20, video->packets);
  rtc_put_u32 (packet + 24, video->bytes);
  if (send (self->rtcp, packet, sizeof (packet), 0) < 0 && errno != ECONNREFUSED)
    g_printerr ("fan-feed: send: %s\n", g_strerror (errno));
  return G_SOURCE_CONTINUE;
}

static gboolean
on_rtcp (gint fd, GIOCondition condition, gpointer user_data)
{
  Program *self = user_data;
  guint8 data[1500];
  gssize size = recv (fd, data, sizeof (data), MSG_DONTWAIT);

  for (gssize at = 0; at + 12 <= size; at += 4 + 4 * rtc_get_u16 (data + at + 2)) {
    guint format = data[at] & 31;

    if (data[at + 1] == 206 && (format == 1 || format == 4))
      g_atomic_int_set (&self->tracks[1].track.key_wanted, TRUE);
  }
  return G_SOURCE_CONTINUE;
}

static void
on_command (gchar **words, guint n_words, gpointer user_data)
{
  g_error ("fan-feed: what is \"%s\"?", words[0]);
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
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  GSource *timer;

  if (argc != 6) {
    g_printerr ("usage: fan-feed SLICES IP AUDIO-PORT VIDEO-PORT VIDEO-RTCP-PORT\n");
    return 2;
  }
  for (guint i = 0; i < G_N_ELEMENTS (self.tracks); i++) {
    self.tracks[i].fd = connect_to (argv[2], argv[3 + i]);
    fan_track_init (&self.tracks[i].track, i == 1, i == 1 ? atoi (argv[1]) : 1, g_get_monotonic_time ());
  }
  self.rtcp = connect_to (argv[2], argv[5]);
  g_unix_fd_add (self.rtcp, G_IO_IN, on_rtcp, &self);
  g_timeout_add_seconds (1, on_second, &self);
  on_second (&self);
  timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (timer, on_time, &self, NULL);
  g_source_set_ready_time (timer, 0);
  g_source_attach (timer, NULL);
  fan_listen (on_command, NULL, loop);
  fan_say ("ready");
  g_main_loop_run (loop);
  return 0;
}
