/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The stream that all senders of the benchmark send, and the lines by which the programs and fan-out.py talk. */

#define FAN_VIDEO_PT 96
#define FAN_AUDIO_PT 111
#define FAN_MAX_PAYLOAD 1180
#define FAN_MAX_PACKETS 64 /* of a frame */

/* What each payload begins with; behind it come bytes that follow from N, so that one of another packet, or one that
 * was changed, is seen. A picture is one H.264 access unit in FU-A, as a browser would take it from the header. */
#define FAN_HEADER 28

typedef struct
{
  gboolean video;
  guint32 n; /* number of the packet in its track */
  guint32 frame; /* number of the frame in its track */
  guint16 index, count; /* of the packet in the frame, and packets of the frame */
  gboolean key;
  gint64 stamp; /* microseconds, monotonic: when the frame left the payloader */
} FanPacket;

/* Writes the payload, SIZE bytes, to OUT. */
void fan_packet_write (const FanPacket *packet, guint8 *out, gsize size);

/* FALSE: this is not as it was written. */
gboolean fan_packet_read (FanPacket *packet, const guint8 *payload, gsize size);

/* One track, in real time: 30 frames a second of 2 Mbit/s in 275 packets, or 50 packets of 64 kbit/s. */
typedef struct
{
  gboolean video;
  guint slices; /* of a picture; packets of a slice are of one size but the last */
  guint32 n, frame;
  gint64 began;
  gint key_wanted; /* atomic */
  guint8 payloads[FAN_MAX_PACKETS][FAN_MAX_PAYLOAD];
  gsize sizes[FAN_MAX_PACKETS];
} FanTrack;

/* NOW: microseconds, monotonic. SLICES: 1, or as an encoder of several threads makes them. */
void fan_track_init (FanTrack *track, gboolean video, guint slices, gint64 now);

/* When the next frame is due. */
gint64 fan_track_get_due (const FanTrack *track);

/* Makes the payloads of the next frame. Returns: how many there are. TIMESTAMP: RTP's. */
guint fan_track_next (FanTrack *track, gint64 now, guint32 *timestamp);

/* Lines. */

/* One line to standard output; what would break it becomes a space. */
void fan_say (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

typedef void (*FanCommandFunc) (gchar **words, guint n_words, gpointer user_data);

/* Calls FUNC, in the main context, with each line of standard input as words; quits LOOP at its end. */
void fan_listen (FanCommandFunc func, gpointer user_data, GMainLoop *loop);

G_END_DECLS
