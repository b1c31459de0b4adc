/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fan.h"
#include "native/rtcendpoint.h"
#include "native/rtcstun.h"

#include <netinet/in.h>

G_BEGIN_DECLS

/* Viewers, many of them in one thread. All of this belongs to the main context's thread. */

/* What was received of one track. */
typedef struct
{
  gboolean any; /* since begin() */
  guint32 first, highest; /* numbers of packets */
  guint64 received; /* of the numbers between the two, each counted once */
  guint64 repeated; /* again, or older than what is remembered */
  guint64 seen[64]; /* bits, by number, of the last 4096 */
  guint32 frame; /* that is coming in */
  guint16 in_frame; /* packets of it */
  gint64 last_frame; /* when the last complete one was there; 0: none */
  gint64 longest_gap; /* between two, microseconds */
  guint64 frames; /* complete ones */
  /* RTP's numbers, for reports and NACK */
  guint32 ssrc, rtx_ssrc;
  guint32 highest_seq; /* extended */
  guint32 last_sr; /* middle of its NTP time; 0: none */
  gint64 sr_came;
} FanStream;

typedef struct
{
  guint64 corrupt; /* payloads that are not as they were written, or of no track */
  guint64 not_authentic;
  guint64 dropped, asked_for, recovered; /* packets that were dropped on purpose, named in a NACK, and came again */
} FanCounts;

typedef struct _FanReceiver FanReceiver;
typedef struct _FanViewer FanViewer;

typedef void (*FanSendText) (FanViewer *viewer, const gchar *answer, gpointer user_data);

struct _FanViewer
{
  gchar *name;
  FanReceiver *receiver;
  int fd;
  guint port;
  RtcAddress own;

  /* signaling */
  gpointer socket; /* SoupWebsocketConnection; NULL: over lines */
  gchar *peer, *session;
  gint64 began; /* when it was asked for */

  /* raw */
  RtcSrtpReceiver *raw; /* NULL: WebRTC */

  /* ICE */
  gchar ufrag[9], password[25];
  gchar *username; /* of our checks */
  GHmac *key, *remote_key;
  gboolean controlling;
  GArray *candidates; /* of RtcAddress */
  RtcAddress to; /* family 0: no path yet */
  guint8 check_id[RTC_STUN_ID_SIZE];
  gint64 next_check;
  gchar **fingerprints;
  gboolean started;

  /* above ICE */
  RtcEndpoint *endpoint;
  RtcDtlsState state;
  gint payloads[128]; /* what a payload type is */
  guint ext_twcc;
  FanStream streams[2]; /* audio, video */
  FanCounts counts;
  guint64 refused_before;
  gint64 first_picture; /* when the first key frame was complete; 0: not yet */
  guint16 lost[256];
  guint n_lost;
  gint64 next_report, next_pli;
};

enum
{
  FAN_NO_PAYLOAD,
  FAN_AUDIO,
  FAN_VIDEO,
  FAN_RTX,
};

struct _FanReceiver
{
  const gchar *address; /* that sockets are bound to */
  RtcDtlsIdentity *identity;
  GPtrArray *viewers; /* of FanViewer */
  GHashTable *by_name;
  int epoll;
  gboolean measuring;
  gboolean stamps; /* the kernel tells when packets came */
  gdouble drop; /* part of packets, 0 to 1 */
  GRand *rand;
  GArray *latencies; /* of FanLatency, by frame since FIRST_FRAME */
  guint32 first_frame;
  guint32 ssrc; /* ours */
};

/* How late a picture was complete at the last viewer so far. */
typedef struct
{
  gint64 longest; /* microseconds */
  guint n; /* viewers that have it */
} FanLatency;

/* receiver-viewer.c */
FanViewer *fan_viewer_new (FanReceiver *receiver, const gchar *name);
void fan_viewer_free (gpointer viewer);
void fan_viewer_take_offer (FanViewer *viewer, const gchar *sdp, gchar **answer);
void fan_viewer_add_candidate (FanViewer *viewer, const gchar *candidate);
void fan_viewer_start_raw (FanViewer *viewer, RtcSrtpProfile profile, RtcSrtpKeys *keys);

/* Reads what is there. */
void fan_viewer_readable (FanViewer *viewer);

/* Each 10 ms: checks, handshakes, NACKs, reports. */
void fan_viewer_tick (FanViewer *viewer, gint64 now);

/* receiver-ice.c. A datagram of STUN; whether there is a path now that was not. */
gboolean fan_ice_take (FanViewer *viewer, const guint8 *data, gsize size, const RtcAddress *from);
void fan_ice_tick (FanViewer *viewer, gint64 now);
void fan_viewer_send (FanViewer *viewer, const guint8 *data, gsize size, const RtcAddress *to);

/* receiver-check.c. A plain packet of RTP that came at NOW; STAMP: when the kernel had it. */
void fan_check_take (FanViewer *viewer, const guint8 *data, gsize size, gint64 now, gint64 stamp);
void fan_check_begin (FanReceiver *receiver);
void fan_check_report (FanReceiver *receiver);
void fan_check_take_rtcp (FanViewer *viewer, const guint8 *data, gsize size, gint64 now);
void fan_check_tick (FanViewer *viewer, gint64 now);

/* receiver-join.c. Joins the room at URI as another viewer, by the native protocol. */
void fan_join (FanReceiver *receiver, const gchar *uri, const gchar *name);

G_END_DECLS
