/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A connected pair of endpoints, of which one sends two lines, and somebody who gives it datagrams: some of the peer,
 * some made with the peer's keys, some made up. What is made up is not taken for authentic and nothing of it comes out;
 * what has the keys comes out as it was, once; and whatever the endpoint sends for it, the peer can read.
 *
 * The input is a list of commands of one byte; the low three bits say what. Bytes that a command needs follow, with
 * their number in front of them in two bytes. */

#include <gst/gst.h>
#include <string.h>

#include "native/rtcbytes.h"
#include "native/rtcendpoint.h"

#define SSRC 0x11111111 /* of line 0; the next ones: its retransmissions, and line 1 */
#define MAX_QUEUED 1024
#define MAX_PACKET 1500
#define NTP (G_GUINT64_CONSTANT (3900000000) << 32)

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

typedef struct
{
  const guint8 *data;
  gsize size;
} Input;

typedef struct
{
  RtcEndpoint *endpoint;
  GBytes *queued[MAX_QUEUED]; /* what it sent */
  guint n_queued;
  guint n_rtp, n_rtcp; /* that came out of it */
  guint8 last[MAX_PACKET]; /* the last of them */
  gsize last_size;
} Side;

typedef struct
{
  Side sides[2];
  RtcHistory *history;
  RtcSrtpSender *forger; /* with the keys of side 1; NULL: not connected */
  guint8 replay[MAX_PACKET + RTC_SRTCP_OVERHEAD];
  gsize replay_size;
  gint64 now;
  guint16 first[2]; /* sequence number of each line, which begin at random */
  guint16 first_twcc;
  gboolean has_first[2], has_first_twcc;
} Pair;

static RtcDtlsIdentity *identities[2];

/* What the endpoints tell. */

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;

  if (size == 0 || size > 2048)
    g_error ("a datagram of %" G_GSIZE_FORMAT " bytes", size);
  /* One datagram must not make many. */
  if (side->n_queued == MAX_QUEUED)
    g_error ("%u datagrams at a time", MAX_QUEUED);
  side->queued[side->n_queued++] = g_bytes_new (data, size);
}

static void
on_state (RtcDtlsState state, const GError *error, gpointer user_data)
{
  if ((state == RTC_DTLS_FAILED) != (error != NULL))
    g_error ("state %d, error %s", state, error ? error->message : "none");
}

static void
keep_last (Side *side, const guint8 *data, gsize size)
{
  side->last_size = MIN (size, sizeof (side->last));
  memcpy (side->last, data, side->last_size);
}

static void
on_rtp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  Side *side = user_data;

  side->n_rtp++;
  keep_last (side, data, size);
}

static void
on_rtcp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  Side *side = user_data;

  side->n_rtcp++;
  keep_last (side, data, size);
}

static void
on_key_frame_wanted (guint mline, gpointer user_data)
{
  if (mline > 1)
    g_error ("line %u does not send", mline);
}

static void
on_report (guint mline, const RtcRtcpReport *report, gpointer user_data)
{
  on_key_frame_wanted (mline, user_data);
}

static void
on_nack (guint mline, const RtcRtcpNack *nack, gpointer user_data)
{
  on_key_frame_wanted (mline, user_data);
}

static void
on_feedback (const RtcFeedbackReport *report, gpointer user_data)
{
  for (guint i = 0; i < report->n; i++) {
    if (report->packets[i].mline > 1 || report->packets[i].size == 0)
      g_error ("feedback of a packet that was not sent");
  }
}

static void
on_remb (guint64 bitrate, gpointer user_data)
{
}

static void
on_data (const guint8 *data, gsize size, gpointer user_data)
{
  if (size == 0)
    g_error ("empty data");
}

static const RtcEndpointEvents events = {
    .transmit = on_transmit,
    .state = on_state,
    .rtp = on_rtp,
    .rtcp = on_rtcp,
    .key_frame_wanted = on_key_frame_wanted,
    .data = on_data,
    .report = on_report,
    .nack = on_nack,
    .feedback = on_feedback,
    .remb = on_remb,
};

/* The pair. */

static guint64
get_ntp (const Pair *pair)
{
  return NTP + gst_util_uint64_scale (pair->now, G_GUINT64_CONSTANT (1) << 32, G_USEC_PER_SEC);
}

static gboolean
give (Pair *pair, guint to, const guint8 *data, gsize size)
{
  /* Of that very size, so that a read behind it is one. */
  guint8 *exact = g_memdup2 (data, size);
  gboolean authentic = rtc_endpoint_take (pair->sides[to].endpoint, exact, size, pair->now, get_ntp (pair));

  g_free (exact);
  return authentic;
}

/* Line 1 has no format for retransmissions: the same packet comes again, and is a replay. */
static gboolean
is_repeated (const guint8 *data, gsize size)
{
  return size >= 12 && (data[1] & 0x7f) == 111 && rtc_get_u32 (data + 8) == SSRC + 2;
}

/* Everything that is under way arrives, until nothing is. SRTP of an endpoint is authentic to the other. */
static void
deliver (Pair *pair)
{
  for (guint rounds = 0; pair->sides[0].n_queued + pair->sides[1].n_queued > 0; rounds++) {
    if (rounds > 50)
      g_error ("the two do not come to an end");
    for (guint i = 0; i < 2; i++) {
      Side *side = &pair->sides[i];
      guint n = side->n_queued;
      GBytes *queued[MAX_QUEUED];

      memcpy (queued, side->queued, n * sizeof (GBytes *));
      side->n_queued = 0;
      for (guint k = 0; k < n; k++) {
        gsize size;
        const guint8 *data = g_bytes_get_data (queued[k], &size);

        if (!give (pair, !i, data, size) && data[0] >= 128 && !is_repeated (data, size))
          g_error ("the other side cannot read what the endpoint sent");
        g_bytes_unref (queued[k]);
      }
    }
  }
}

static void
add_lines (RtcEndpoint *endpoint, RtcHistory *history)
{
  RtcSenderConfig video = {.ssrc = SSRC,
      .rtx_ssrc = SSRC + 1,
      .payload = 96,
      .rtx_payload = 97,
      .clock_rate = 90000,
      .mid = "0",
      .ext_mid = 4,
      .ext_twcc = 3,
      .cname = "fuzz"};
  RtcSenderConfig audio = {
      .ssrc = SSRC + 2, .payload = 111, .rtx_payload = -1, .clock_rate = 48000, .mid = "1", .ext_twcc = 3, .cname = ""};

  rtc_endpoint_add_sender (endpoint, 0, &video);
  rtc_endpoint_add_sender (endpoint, 1, &audio);
  rtc_endpoint_set_history (endpoint, 0, history);
  rtc_endpoint_set_history (endpoint, 1, history);
}

static void
connect_pair (Pair *pair)
{
  RtcSrtpKeys ours, theirs;

  pair->now = 1;
  pair->history = rtc_history_new (2 * G_USEC_PER_SEC, 64, 65536);
  for (guint i = 0; i < 2; i++) {
    if (!identities[i])
      identities[i] = rtc_dtls_identity_new (NULL);
    pair->sides[i].endpoint = rtc_endpoint_new (identities[i], &events, &pair->sides[i]);
  }
  add_lines (pair->sides[0].endpoint, pair->history);
  for (guint i = 0; i < 2; i++) {
    gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identities[!i]), NULL};

    rtc_endpoint_start (pair->sides[i].endpoint, i == 0, fingerprints, pair->now);
  }
  deliver (pair);
  if (!rtc_dtls_get_srtp_keys (rtc_endpoint_get_dtls (pair->sides[1].endpoint), &ours, &theirs))
    g_error ("the two are not connected");
  pair->forger = rtc_srtp_sender_new (&ours);
}

static void
free_pair (Pair *pair)
{
  for (guint i = 0; i < 2; i++) {
    while (pair->sides[i].n_queued)
      g_bytes_unref (pair->sides[i].queued[--pair->sides[i].n_queued]);
    rtc_endpoint_free (pair->sides[i].endpoint);
  }
  rtc_srtp_sender_free (pair->forger);
  rtc_history_free (pair->history);
}

/* Commands. */

static Input
take_bytes (Input *input)
{
  Input taken = {input->data, 0};

  if (input->size < 2)
    return taken;
  taken.data += 2;
  taken.size = MIN (MIN ((gsize)(input->data[0] << 8 | input->data[1]), input->size - 2), MAX_PACKET);
  input->data += 2 + taken.size;
  input->size -= 2 + taken.size;
  return taken;
}

static void
invent (Pair *pair, Input bytes)
{
  Side *side = &pair->sides[0];
  guint before = side->n_rtp + side->n_rtcp;

  if (give (pair, 0, bytes.data, bytes.size) || side->n_rtp + side->n_rtcp != before)
    g_error ("%" G_GSIZE_FORMAT " made-up bytes were taken", bytes.size);
}

/* Whether it is a state in which what has the keys is taken. */
static void
give_protected (Pair *pair, const guint8 *plain, gsize plain_size, gsize size)
{
  Side *side = &pair->sides[0];
  guint before = side->n_rtp + side->n_rtcp;
  gboolean taken = give (pair, 0, pair->replay, size);

  pair->replay_size = size;
  if (taken
      && (side->n_rtp + side->n_rtcp != before + 1 || side->last_size != plain_size
          || memcmp (side->last, plain, plain_size) != 0))
    g_error ("%" G_GSIZE_FORMAT " bytes came out otherwise", plain_size);
}

static void
note_first (Pair *pair, guint mline, const guint8 *packet)
{
  const guint8 *extensions = packet + 16;

  if (!pair->has_first[mline])
    pair->first[mline] = rtc_get_u16 (packet + 2);
  pair->has_first[mline] = TRUE;
  if (pair->has_first_twcc || !(packet[0] & 0x10))
    return;
  for (gsize at = 0; at + 2 < 4u * rtc_get_u16 (packet + 14); at += 2 + (extensions[at] & 15)) {
    if (extensions[at] >> 4 == 3) {
      pair->first_twcc = rtc_get_u16 (extensions + at + 1);
      pair->has_first_twcc = TRUE;
      return;
    }
  }
}

/* Numbers in the input count from 0, which no number of the endpoint does. */
static void
translate (Pair *pair, guint8 *rtcp, gsize size)
{
  while (size >= 4) {
    gsize length = MIN (4u + 4 * rtc_get_u16 (rtcp + 2), size);

    if (length >= 16 && rtcp[1] == 205 && (rtcp[0] & 31) == 15)
      rtc_put_u16 (rtcp + 12, rtc_get_u16 (rtcp + 12) + pair->first_twcc);
    for (gsize at = 12; length >= 12 && rtcp[1] == 205 && (rtcp[0] & 31) == 1 && at + 4 <= length; at += 4)
      rtc_put_u16 (rtcp + at, rtc_get_u16 (rtcp + at) + pair->first[rtc_get_u32 (rtcp + 8) == SSRC + 2]);
    rtcp += length;
    size -= length;
  }
}

static void
forge_rtcp (Pair *pair, Input bytes)
{
  gsize size;

  if (bytes.size < 8)
    return;
  memcpy (pair->replay, bytes.data, bytes.size);
  pair->replay[0] = 0x80 | (pair->replay[0] & 0x3f);
  pair->replay[1] = 192 + pair->replay[1] % 32;
  translate (pair, pair->replay, bytes.size);
  bytes.data = g_memdup2 (pair->replay, bytes.size);
  size = rtc_srtp_sender_protect_rtcp (pair->forger, pair->replay, bytes.size);
  give_protected (pair, bytes.data, bytes.size, size);
  g_free ((gpointer)bytes.data);
}

static void
forge_rtp (Pair *pair, Input bytes)
{
  gsize header = 12 + (bytes.size > 0 ? 4 * (bytes.data[0] & 15) : 0), size;
  guint64 index;

  if (bytes.size < header)
    return;
  if (bytes.data[0] & 0x10) {
    if (bytes.size < header + 4)
      return;
    header += 4 + 4 * rtc_get_u16 (bytes.data + header + 2);
  }
  if (bytes.size < header || (bytes.data[1] & 0x7f) >= 64)
    return;
  memcpy (pair->replay, bytes.data, bytes.size);
  pair->replay[0] = 0x80 | (pair->replay[0] & 0x3f);
  index = rtc_get_u16 (pair->replay + 2);
  bytes.data = g_memdup2 (pair->replay, bytes.size);
  size =
      rtc_srtp_sender_protect (pair->forger, pair->replay, header, pair->replay + header, bytes.size - header, index);
  give_protected (pair, bytes.data, bytes.size, size);
  g_free ((gpointer)bytes.data);
}

static void
send_packets (Pair *pair, guint command)
{
  guint8 payload[1200], out[1200 + RTC_SENDER_OVERHEAD];
  RtcPacket packet = {.added = pair->now, .pts = pair->now, .timestamp = pair->now * 9 / 100, .audio_level = -1};
  guint mline = command >> 3 & 1, n = 1 + (command >> 4);

  memset (payload, command, sizeof (payload));
  packet.payload = payload;
  for (guint i = 0; i < n; i++) {
    const RtcPacket *kept;
    gsize size;

    packet.size = 1 + (command * 37u + i * 101u) % sizeof (payload);
    kept = rtc_history_add (pair->history, &packet);
    size = rtc_endpoint_write (pair->sides[0].endpoint, mline, kept, out);
    if (size && !give (pair, 1, out, size))
      g_error ("the other side cannot read what was written");
    if (size)
      note_first (pair, mline, out);
  }
}

static void
turn_clock (Pair *pair, guint command)
{
  RtcEndpoint *endpoint = pair->sides[0].endpoint;
  gint64 deadline = rtc_endpoint_get_deadline (endpoint);

  pair->now += command >> 3 << 14; /* up to half a second */
  if (deadline < 0)
    return;
  pair->now = MAX (pair->now, deadline);
  rtc_endpoint_tick (endpoint, pair->now, get_ntp (pair), NTP);
  deadline = rtc_endpoint_get_deadline (endpoint);
  if (deadline >= 0 && deadline <= pair->now)
    g_error ("the deadline stays in the past");
}

static void
obey (Pair *pair, Input *input)
{
  guint command = *input->data++;

  input->size--;
  switch (command & 7) {
    case 0:
      invent (pair, take_bytes (input));
      break;
    case 1:
      forge_rtcp (pair, take_bytes (input));
      break;
    case 2:
      forge_rtp (pair, take_bytes (input));
      break;
    case 3:
      send_packets (pair, command);
      break;
    case 4:
      turn_clock (pair, command);
      break;
    case 5:
      if (pair->replay_size && give (pair, 0, pair->replay, pair->replay_size))
        g_error ("a packet was taken twice");
      break;
    case 6:
      rtc_endpoint_note_twcc (pair->sides[0].endpoint, command, pair->now >> 14, pair->now);
      break;
    default:
      if (command == 0xff)
        rtc_endpoint_close (pair->sides[1].endpoint);
      else
        rtc_endpoint_send_data (pair->sides[1].endpoint, (const guint8 *)"data", 4);
  }
  deliver (pair);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Pair *pair = g_new0 (Pair, 1);
  Input input = {data, size};

  connect_pair (pair);
  while (input.size > 0)
    obey (pair, &input);
  free_pair (pair);
  g_free (pair);
  return 0;
}
