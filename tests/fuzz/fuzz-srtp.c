/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Packets of somebody who has the keys, of somebody who changed them under way, and of somebody who has nothing, in any
 * order: only the first are taken, each once, and what the others do is not seen by them.
 *
 * The first byte of the input has the profile. Each packet begins with a byte that says what it is; then, if the keys
 * are known, a byte for the SSRC, for RTP two for the way from the packet before, and if it is changed two for where
 * and one for how; then a byte for its size in units of 4, and its bytes, of which there may be fewer. */

#include <gst/gst.h>
#include <string.h>

#include "native/rtcsrtp.h"
#include "native/rtcsrtpcipher.h"

#define IS_RTCP 1
#define HAS_KEYS 2
#define IS_CHANGED 4
#define FAR_BACK 8
#define WINDOW 1024

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

typedef struct
{
  const guint8 *data;
  gsize size;
} Input;

/* What the receiver should know of an SSRC. */
typedef struct
{
  guint64 next, highest; /* indices: the last that was sent, the highest that was taken */
  GHashTable *seen; /* indices; NULL if none */
} Stream;

typedef struct
{
  RtcSrtpSender *sender;
  RtcSrtpReceiver *receiver;
  Stream streams[2][RTC_SRTP_MAX_SSRCS]; /* of RTP and of RTCP: no more than it has room for */
} Session;

static guint
take (Input *input, guint bytes)
{
  guint value = 0;

  for (; bytes > 0; bytes--) {
    value = value << 8 | (input->size > 0 ? *input->data : 0);
    if (input->size > 0) {
      input->data++;
      input->size--;
    }
  }
  return value;
}

/* Room: for what protection adds. Memory of that very size. */
static guint8 *
take_bytes (Input *input, gsize size, gsize room)
{
  guint8 *bytes = g_malloc0 (MAX (size + room, 1));
  gsize there = MIN (size, input->size);

  memcpy (bytes, input->data, there);
  input->data += there;
  input->size -= there;
  return bytes;
}

static RtcSrtpResult
unprotect (Session *session, guint kind, guint8 *packet, gsize *size)
{
  /* A copy without the room, so that a read behind it is one. */
  guint8 *exact = g_memdup2 (packet, *size);
  gsize left = *size;
  RtcSrtpResult result = kind & IS_RTCP ? rtc_srtp_receiver_unprotect_rtcp (session->receiver, exact, &left)
                                        : rtc_srtp_receiver_unprotect (session->receiver, exact, &left);

  if (result != RTC_SRTP_OK && left != *size)
    g_error ("a packet that is not taken has another size");
  if (result == RTC_SRTP_OK && left >= *size)
    g_error ("the tag is still there");
  if (exact) /* NULL: of no size */
    memcpy (packet, exact, *size);
  *size = left;
  g_free (exact);
  return result;
}

/* Makes it what a sender would have. Returns: the size of the header, or 0 if there is no room for one. */
static gsize
complete_header (guint kind, guint8 *packet, gsize size, guint32 ssrc, guint64 index)
{
  gsize header = kind & IS_RTCP ? RTC_SRTCP_MIN_HEADER : RTC_SRTP_MIN_HEADER;

  if (size < header)
    return 0;
  packet[0] = 0x80 | (packet[0] & 0x3f);
  GST_WRITE_UINT32_BE (packet + header - 4, ssrc);
  if (kind & IS_RTCP)
    return header;
  GST_WRITE_UINT16_BE (packet + 2, index & 0xffff);
  header += 4 * (packet[0] & 15);
  if (packet[0] & 0x10) {
    if (size < header + 4)
      return 0;
    header += 4 + 4 * GST_READ_UINT16_BE (packet + header + 2);
  }
  return header <= size ? header : 0;
}

/* What has to come of an authentic packet. -1: it depends on what the rollover counter is taken for. */
static gint
expected_result (const Stream *stream, guint kind, guint64 index)
{
  guint64 way = index > stream->highest ? index - stream->highest : stream->highest - index;

  /* Whoever comes after the first rollover cannot know of it. */
  if (!stream->seen)
    return kind & IS_RTCP || index < 0x10000 ? RTC_SRTP_OK : RTC_SRTP_NOT_AUTHENTIC;
  if (!(kind & IS_RTCP) && way >= 0x8000)
    return -1;
  if (g_hash_table_contains (stream->seen, &index) || index + WINDOW <= stream->highest)
    return RTC_SRTP_REPLAYED;
  return RTC_SRTP_OK;
}

static void
note (Stream *stream, guint64 index)
{
  if (!stream->seen)
    stream->seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  if (!g_hash_table_add (stream->seen, g_memdup2 (&index, sizeof (index))))
    g_error ("packet %" G_GUINT64_FORMAT " is taken twice", index);
  stream->highest = MAX (stream->highest, index);
}

static gsize
protect (Session *session, guint kind, guint8 *packet, gsize header, gsize size, guint64 index)
{
  if (!(kind & IS_RTCP))
    return rtc_srtp_sender_protect (session->sender, packet, header, packet + header, size - header, index);
  rtc_srtp_sender_set_rtcp_index (session->sender, (guint32)index);
  return rtc_srtp_sender_protect_rtcp (session->sender, packet, size);
}

static guint64
take_index (Stream *stream, Input *input, guint kind)
{
  guint64 way = take (input, 2), limit = kind & IS_RTCP ? 0x7fffffff : (G_GUINT64_CONSTANT (1) << 48) - 1;

  if (kind & FAR_BACK)
    stream->next -= MIN (way, stream->next);
  else
    stream->next = MIN (stream->next + way, limit);
  return stream->next;
}

static void
send_with_keys (Session *session, Input *input, guint kind)
{
  guint ssrc = take (input, 1) % RTC_SRTP_MAX_SSRCS;
  Stream *stream = &session->streams[kind & IS_RTCP][ssrc];
  guint64 index = take_index (stream, input, kind);
  guint where = kind & IS_CHANGED ? take (input, 2) : 0, how = kind & IS_CHANGED ? take (input, 1) : 0;
  gsize plain_size = 4 * take (input, 1), size, header;
  guint8 *packet = take_bytes (input, plain_size, RTC_SRTCP_OVERHEAD), *plain;
  gint expected, result;

  header = complete_header (kind, packet, plain_size, ssrc, index);
  if (header == 0) {
    g_free (packet);
    return;
  }
  plain = g_memdup2 (packet, plain_size);
  size = protect (session, kind, packet, header, plain_size, index);
  packet[where % size] ^= how;
  expected = expected_result (stream, kind, index);
  result = unprotect (session, kind, packet, &size);
  if (how != 0 && result == RTC_SRTP_OK)
    g_error ("a packet is taken that was changed by %02x at %u", how, where);
  if (how == 0 && expected >= 0 && result != expected)
    g_error ("packet %" G_GUINT64_FORMAT " of %u: %d, not %d", index, ssrc, result, expected);
  if (result == RTC_SRTP_OK) {
    note (stream, index);
    if (size != plain_size || memcmp (packet, plain, size) != 0)
      g_error ("%" G_GSIZE_FORMAT " bytes became %" G_GSIZE_FORMAT ", or others", plain_size, size);
  }
  g_free (plain);
  g_free (packet);
}

static void
send_anything (Session *session, Input *input, guint kind)
{
  gsize size = 4 * take (input, 1) + (kind >> 4 & 3);
  guint8 *packet = take_bytes (input, size, 0);

  if (unprotect (session, kind, packet, &size) == RTC_SRTP_OK)
    g_error ("a packet is taken that nobody protected");
  g_free (packet);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  RtcSrtpKeys keys = {.key = "0123456789abcde", .salt = "ABCDEFGHIJKLM"};
  Input input = {data, size};
  Session *session = g_new0 (Session, 1);

  keys.profile = take (&input, 1) & 1 ? RTC_SRTP_AES128_CM_SHA1_80 : RTC_SRTP_AEAD_AES_128_GCM;
  session->sender = rtc_srtp_sender_new (&keys);
  session->receiver = rtc_srtp_receiver_new (&keys);
  while (input.size > 0) {
    guint kind = take (&input, 1);

    if (kind & HAS_KEYS)
      send_with_keys (session, &input, kind);
    else
      send_anything (session, &input, kind);
  }
  for (guint i = 0; i < RTC_SRTP_MAX_SSRCS; i++) {
    g_clear_pointer (&session->streams[0][i].seen, g_hash_table_unref);
    g_clear_pointer (&session->streams[1][i].seen, g_hash_table_unref);
  }
  rtc_srtp_sender_free (session->sender);
  rtc_srtp_receiver_free (session->receiver);
  g_free (session);
  return 0;
}
