/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/gstrtcnativesdp.h"

G_BEGIN_DECLS

/* What the tests of descriptions share: tracks by name, recorded texts, and the rules that hold for all of ours. */

#define MAX_TRACKS 6
#define MAX_LINES 96

#define VIDEO_CAPS "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name="
#define AUDIO_CAPS "application/x-rtp,media=audio,payload=97,encoding-name="

typedef struct
{
  GstRtcSdpTrack tracks[MAX_TRACKS];
  gchar names[MAX_TRACKS][16];
  guint n;
} Tracks;

extern const GstRtcNativeLocal us;

/* First of all, after g_test_init(). */
void fixture_init (void);

/* TEXT: names, "VP8 OPUS"; "-": none. tracks_name() has those that there are; NULL: no more. */
void tracks_init (Tracks *tracks, const gchar *text);
void tracks_clear (Tracks *tracks);
const gchar *tracks_name (guint index);

/* Files in a folder of tests/data. */
gchar *data_path (const gchar *folder, const gchar *name);
gchar *read_data (const gchar *folder, const gchar *name);

/* Fails unless TEXT is what the file has; writes it when RTC_TEST_RECORD is set. */
void compare (const gchar *folder, const gchar *name, const gchar *text);

GstSDPMessage *parse (const gchar *text, gboolean is_answer);

/* Whether the section has such an attribute. VALUE: (nullable): of any value. */
gboolean has_value (const GstSDPMedia *media, const gchar *key, const gchar *value);

gboolean is_bundled (const GstSDPMessage *sdp, const gchar *mid);

/* Rules for all of our descriptions, and for answers besides: nothing that was not offered. */
void check_rules (const GstSDPMessage *sdp);
void check_answer (const GstSDPMessage *offer, const GstSDPMessage *answer);

G_END_DECLS
