/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "fan.h"
#include "native/rtcbytes.h"

#include <stdio.h>
#include <string.h>

#define FRAME_RATE 30
#define VIDEO_BYTES (2000000 / 8 / FRAME_RATE) /* of a picture, in the mean */
#define VIDEO_PAYLOAD 960 /* makes 275 packets a second of it */
#define SLICED_PAYLOAD 1160 /* the same with three slices */
#define KEY_FACTOR 4
#define AUDIO_RATE 50
#define AUDIO_PAYLOAD 160
/* Not at the same time as a picture. */
#define AUDIO_OFFSET 7000

#define TABLE 8192

static const guint8 *
filler (guint32 n)
{
  static guint8 table[TABLE];
  static gsize once;

  if (g_once_init_enter (&once)) {
    guint32 x = 1;

    for (guint i = 0; i < TABLE; i++) {
      x = x * 1664525 + 1013904223;
      table[i] = x >> 24;
    }
    g_once_init_leave (&once, 1);
  }
  return table + n * 61 % (TABLE - FAN_MAX_PAYLOAD);
}

static void
write_header (const FanPacket *packet, guint8 *out, gsize size)
{
  gboolean last = packet->index + 1 == packet->count;

  if (packet->video) {
    out[0] = 0x7c;
    out[1] = (packet->index == 0) << 7 | last << 6 | (packet->key ? 5 : 1);
  } else {
    out[0] = 0xfc;
    out[1] = 0;
  }
  rtc_put_u32 (out + 2, packet->n);
  rtc_put_u32 (out + 6, packet->frame);
  rtc_put_u16 (out + 10, packet->index);
  rtc_put_u16 (out + 12, packet->count);
  out[14] = packet->key;
  out[15] = 'F';
  rtc_put_u16 (out + 16, size);
  rtc_put_u32 (out + 18, packet->stamp >> 32);
  rtc_put_u32 (out + 22, packet->stamp);
  out[26] = 'A';
  out[27] = 'N';
}

void
fan_packet_write (const FanPacket *packet, guint8 *out, gsize size)
{
  write_header (packet, out, size);
  memcpy (out + FAN_HEADER, filler (packet->n), size - FAN_HEADER);
}

gboolean
fan_packet_read (FanPacket *packet, const guint8 *payload, gsize size)
{
  guint8 header[FAN_HEADER];

  if (size < FAN_HEADER || size > FAN_MAX_PAYLOAD)
    return FALSE;
  *packet = (FanPacket){
      .video = payload[0] == 0x7c,
      .n = rtc_get_u32 (payload + 2),
      .frame = rtc_get_u32 (payload + 6),
      .index = rtc_get_u16 (payload + 10),
      .count = rtc_get_u16 (payload + 12),
      .key = payload[14] == 1,
      .stamp = rtc_get_u64 (payload + 18),
  };
  write_header (packet, header, size);
  return memcmp (header, payload, FAN_HEADER) == 0
      && memcmp (payload + FAN_HEADER, filler (packet->n), size - FAN_HEADER) == 0;
}

void
fan_track_init (FanTrack *track, gboolean video, guint slices, gint64 now)
{
  track->video = video;
  track->slices = slices;
  track->n = track->frame = 0;
  track->began = now + (video ? 0 : AUDIO_OFFSET);
  g_atomic_int_set (&track->key_wanted, TRUE);
}

gint64
fan_track_get_due (const FanTrack *track)
{
  return track->began + (gint64)track->frame * G_USEC_PER_SEC / (track->video ? FRAME_RATE : AUDIO_RATE);
}

/* Pictures differ by a quarter at most, the same way in each run. */
static guint
cut_picture (FanTrack *track, gboolean key)
{
  guint bytes = VIDEO_BYTES * (key ? KEY_FACTOR : 1) * (768 + track->frame * 2654435761u % 512) / 1024;
  guint payload = track->slices > 1 ? SLICED_PAYLOAD : VIDEO_PAYLOAD, n = 0;

  for (guint slice = 0; slice < track->slices; slice++) {
    for (guint left = bytes / track->slices; left > 0 && n < FAN_MAX_PACKETS; left -= MIN (left, payload))
      track->sizes[n++] = MAX (MIN (left, payload), FAN_HEADER);
  }
  return n;
}

guint
fan_track_next (FanTrack *track, gint64 now, guint32 *timestamp)
{
  gboolean key = !track->video || g_atomic_int_compare_and_exchange (&track->key_wanted, TRUE, FALSE);
  guint count = 1;

  if (track->video)
    count = cut_picture (track, key);
  else
    track->sizes[0] = AUDIO_PAYLOAD;
  for (guint i = 0; i < count; i++) {
    FanPacket packet = {track->video, track->n++, track->frame, i, count, key, now};

    fan_packet_write (&packet, track->payloads[i], track->sizes[i]);
  }
  *timestamp = track->frame++ * (track->video ? 90000 / FRAME_RATE : 48000 / AUDIO_RATE);
  return count;
}

/* Lines. */

void
fan_say (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_strdelimit (text, "\r\n", ' ');
  printf ("%s\n", text);
  fflush (stdout);
}

typedef struct
{
  FanCommandFunc func;
  gpointer user_data;
  GMainLoop *loop;
} Listener;

static gboolean
on_input (GIOChannel *channel, GIOCondition condition, gpointer user_data)
{
  Listener *listener = user_data;
  g_autofree gchar *line = NULL;
  g_auto (GStrv) words = NULL;
  gsize end = 0;

  if (g_io_channel_read_line (channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL) {
    g_main_loop_quit (listener->loop);
    return G_SOURCE_REMOVE;
  }
  line[end] = '\0';
  words = g_strsplit (line, " ", 0);
  if (words[0])
    listener->func (words, g_strv_length (words), listener->user_data);
  return G_SOURCE_CONTINUE;
}

void
fan_listen (FanCommandFunc func, gpointer user_data, GMainLoop *loop)
{
  Listener *listener = g_new (Listener, 1);
  GIOChannel *channel = g_io_channel_unix_new (0);

  *listener = (Listener){func, user_data, loop};
  g_io_add_watch_full (channel, G_PRIORITY_DEFAULT, G_IO_IN | G_IO_HUP, on_input, listener, g_free);
  g_io_channel_unref (channel);
}
