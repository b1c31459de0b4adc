/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "native/gstrtcnativereceiver.h"

#include <gst/check/gstcheck.h>

G_BEGIN_DECLS

/* The native transport's receiver at the end of a wire with seeded loss and reordering, that real payloaders send into;
 * what it says back is read, and NACKs are answered. All is done by the test's thread, in step(). */

/* Milliseconds. Only the first packet waits for it, and who comes behind a gap: a machine that is slow is no lossy
 * wire.
 */
#define LATENCY 800
#define QUIET (400 * 1000) /* microseconds without a frame or a packet */
#define ONE_WAY (10 * 1000) /* microseconds */
#define SECONDS(s) ((gint64)((s)*G_USEC_PER_SEC))
#define DEADLINE SECONDS (20)
#define MAX_LINES 4
#define MAX_PADS 32

#define VIDEO_SSRC 0x10000001
#define RTX_SSRC 0x10000002
#define AUDIO_SSRC 0x10000003
#define VIDEO_PT 96
#define RTX_PT 97
#define AUDIO_PT 111

#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define SECTION(kind, formats, mid) \
  "m=" kind " 9 UDP/TLS/RTP/SAVPF " formats "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\na=sendonly\r\na=rtcp-mux\r\n"
#define VIDEO_FORMATS \
  "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n" \
  "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
#define VIDEO SECTION ("video", "96 97", "v") VIDEO_FORMATS
#define FID "a=ssrc-group:FID 268435457 268435458\r\na=ssrc:268435457 cname:c\r\na=ssrc:268435458 cname:c\r\n"
#define AUDIO SECTION ("audio", "111", "a") "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
#define MID "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
#define RID "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"

typedef struct
{
  gint64 due; /* monotonic on the wire, of the medium before */
  GBytes *bytes;
} Packet;

typedef struct
{
  guint mline; /* G_MAXUINT: RTCP */
  GstPad *pad;
  GBytes *rtcp;
} Told;

typedef struct
{
  GstElement *pipeline, *bin;
  GstRtcNativeReceiver *receiver;

  /* the test's thread */
  GRand *rand;
  gdouble loss; /* 0 to 1, both directions */
  gboolean reorder, no_rtx, unlinked;
  GSequence *wire; /* of Packet, by due */
  GHashTable *sent; /* SSRC and number to Packet, for RTX */
  guint16 rtx_seq;
  guint n_streams, n_nacks, n_plis, n_reports, n_rtx, n_rtcp;
  gint64 last_report, longest_report;
  guint32 reported_ssrc, last_sr;
  GstPad *pads[MAX_PADS];
  guint mlines[MAX_PADS];

  GAsyncQueue *told; /* of Told */
  gint frames[MAX_LINES]; /* atomic */
  gint eos; /* atomic */
} Fixture;

/* A medium as a payloader makes it. (transfer full) (element-type Packet) */
GPtrArray *make_video (guint frames, guint32 ssrc);
GPtrArray *make_audio (guint frames, guint32 ssrc);

/* Gives all PACKETS header extensions: MID (4) and RID (5), unless that is NULL. */
void add_extensions (GPtrArray *packets, const gchar *mid, const gchar *rid);

/* LATENCY: of the jitterbuffer, milliseconds. */
Fixture *fixture_new_with_latency (const gchar *sdp, guint32 seed, guint latency);
Fixture *fixture_new (const gchar *sdp, guint32 seed);
void fixture_free (Fixture *f);

/* PACKETS go out from START (microseconds, monotonic) on, in their own time. Nobody can know that a packet before the
 * first that came was lost, or behind the last: these are spared, since there is no encoder here that goes on or could
 * make a second key frame. */
void send_all (Fixture *f, GPtrArray *packets, gint64 start);

/* The same with VIDEO of FRAMES, from now on. (transfer full) */
GPtrArray *send_video (Fixture *f, guint frames, guint32 ssrc);

/* As rtcbin does it: a chain in the bin of the transport, then the pad is let go. */
void attach (Fixture *f, guint mline, GstPad *pad);

/* What is due goes over the wire, what was told is worked off; waits for either, 10 ms at most. */
void step (Fixture *f);

/* Until the wire is empty and no more frames come out. */
void step_to_the_end (Fixture *f);

#define step_until(f, condition) \
  G_STMT_START \
  { \
    gint64 deadline_ = g_get_monotonic_time () + DEADLINE; \
    while (!(condition)) { \
      fail_if (g_get_monotonic_time () > deadline_, "still not: %s", #condition); \
      step (f); \
    } \
  } \
  G_STMT_END

/* How many frames of a line came out of its decoder so far. */
gint frames_of (Fixture *f, guint mline);

/* Of this process. */
guint count_threads (void);
guint count_fds (void);

G_END_DECLS
