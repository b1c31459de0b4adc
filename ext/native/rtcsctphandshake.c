/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcsctppriv.h"
#include "rtcbytes.h"

#include <string.h>

/* RFC 9260, section 5. Both sides send INIT, and each answers the other's: whichever handshake is through first is the
 * one that counts, and both lead to the same association, as a side has but one tag. */

#define T1_DELAY (200 * RTC_SCTP_MS)
#define T1_MAX_DELAY (2000 * RTC_SCTP_MS)
#define T1_MAX_COUNT 60
#define INIT_SIZE 16
#define PARAMETER_COOKIE 7
#define PARAMETER_EXTENSIONS 0x8008
#define PARAMETER_FORWARD_TSN 0xc000
#define MAX_COOKIE (RTC_SCTP_MTU - RTC_SCTP_HEADER - RTC_SCTP_CHUNK_HEADER)
/* Who can write a packet is the peer, by DTLS: our cookie needs no secret, and says what its INIT said. */
#define COOKIE_MAGIC 0x72746331
#define COOKIE_SIZE 28

/* What INIT or INIT ACK says. */
typedef struct
{
  guint32 tag, window, tsn;
  guint n_out, n_in;
  gboolean can_abandon, can_reset, can_interleave, can_abandon_interleaved;
  const guint8 *cookie;
  gsize cookie_size;
} Hello;

static void
read_extensions (Hello *hello, const guint8 *types, gsize size)
{
  for (gsize i = 0; i < size; i++) {
    hello->can_reset |= types[i] == RTC_SCTP_RE_CONFIG;
    hello->can_abandon |= types[i] == RTC_SCTP_FORWARD_TSN;
    hello->can_interleave |= types[i] == RTC_SCTP_I_DATA;
    hello->can_abandon_interleaved |= types[i] == RTC_SCTP_I_FORWARD_TSN;
  }
}

static gboolean
read_hello (const guint8 *chunk, gsize size, Hello *hello)
{
  gsize at = INIT_SIZE;

  memset (hello, 0, sizeof (*hello));
  if (size < INIT_SIZE)
    return FALSE;
  hello->tag = rtc_get_u32 (chunk);
  hello->window = rtc_get_u32 (chunk + 4);
  hello->n_out = rtc_get_u16 (chunk + 8);
  hello->n_in = rtc_get_u16 (chunk + 10);
  hello->tsn = rtc_get_u32 (chunk + 12);
  while (size - at >= 4) {
    guint type = rtc_get_u16 (chunk + at);
    gsize length = rtc_get_u16 (chunk + at + 2);

    if (length < 4 || length > size - at)
      return FALSE;
    if (type == PARAMETER_EXTENSIONS)
      read_extensions (hello, chunk + at + 4, length - 4);
    else if (type == PARAMETER_FORWARD_TSN)
      hello->can_abandon = TRUE;
    if (type == PARAMETER_COOKIE) {
      hello->cookie = chunk + at + 4;
      hello->cookie_size = length - 4;
    }
    at += MIN ((length + 3) & ~(gsize)3, size - at);
  }
  return hello->tag != 0 && hello->n_out > 0 && hello->n_in > 0;
}

static void
write_hello (RtcSctp *self, GByteArray *to, guint type, const guint8 *cookie)
{
  static const guint8 extensions[] = {
      RTC_SCTP_RE_CONFIG, RTC_SCTP_FORWARD_TSN, RTC_SCTP_I_DATA, RTC_SCTP_I_FORWARD_TSN};
  gsize n = self->config.no_interleaving ? 2 : 4;
  gsize size = INIT_SIZE + 4 + 4 + 4 + (cookie ? 4 + COOKIE_SIZE : 0);
  guint8 *chunk = rtc_sctp_add_chunk (to, type, 0, size);

  rtc_put_u32 (chunk, self->tag);
  rtc_put_u32 (chunk + 4, RTC_SCTP_BUFFER);
  rtc_put_u16 (chunk + 8, RTC_SCTP_STREAMS);
  rtc_put_u16 (chunk + 10, RTC_SCTP_STREAMS);
  rtc_put_u32 (chunk + 12, self->initial_tsn);
  rtc_put_u16 (chunk + 16, PARAMETER_FORWARD_TSN);
  rtc_put_u16 (chunk + 18, 4);
  rtc_put_u16 (chunk + 20, PARAMETER_EXTENSIONS);
  rtc_put_u16 (chunk + 22, 4 + n);
  memcpy (chunk + 24, extensions, n);
  if (n < 4) {
    /* A parameter ends on 4 bytes all the same; what is left there is zero. */
    memset (chunk + 24 + n, 0, 4 - n);
  }
  if (cookie) {
    rtc_put_u16 (chunk + 28, PARAMETER_COOKIE);
    rtc_put_u16 (chunk + 30, 4 + COOKIE_SIZE);
    memcpy (chunk + 32, cookie, COOKIE_SIZE);
  }
}

static void
transmit_alone (RtcSctp *self, GByteArray *chunks, guint32 tag)
{
  guint8 packet[RTC_SCTP_MTU];

  g_assert (chunks->len <= sizeof (packet) - RTC_SCTP_HEADER);
  memcpy (packet + RTC_SCTP_HEADER, chunks->data, chunks->len);
  rtc_sctp_transmit (self, packet, RTC_SCTP_HEADER + chunks->len, tag);
}

void
rtc_sctp_send_init (RtcSctp *self, gint64 now)
{
  GByteArray *chunks = g_byte_array_new ();

  write_hello (self, chunks, RTC_SCTP_INIT, NULL);
  transmit_alone (self, chunks, 0);
  g_byte_array_unref (chunks);
  self->t1_at = now + self->t1_delay;
}

static void
send_cookie_echo (RtcSctp *self, gint64 now)
{
  GByteArray *chunks = g_byte_array_new ();
  gsize size;
  const guint8 *cookie = g_bytes_get_data (self->cookie, &size);

  memcpy (rtc_sctp_add_chunk (chunks, RTC_SCTP_COOKIE_ECHO, 0, size), cookie, size);
  transmit_alone (self, chunks, self->peer_tag);
  g_byte_array_unref (chunks);
  self->t1_at = now + self->t1_delay;
}

/* Takes over what the peer said. It says the same in all that it sends. */
static void
meet (RtcSctp *self, const Hello *hello)
{
  if (self->knows_peer)
    return;
  self->knows_peer = TRUE;
  self->peer_tag = hello->tag;
  self->peer_window = self->peer_buffer = hello->window;
  self->seen_tsn = self->highest_tsn = hello->tsn - 1;
  self->told_window = RTC_SCTP_BUFFER;
  self->next_peer_request = hello->tsn;
  self->n_out = MIN (hello->n_in, RTC_SCTP_STREAMS);
  self->n_in = MIN (hello->n_out, RTC_SCTP_STREAMS);
  self->can_reset = hello->can_reset;
  self->interleaving = hello->can_interleave && !self->config.no_interleaving;
  self->can_abandon = self->interleaving ? hello->can_abandon_interleaved : hello->can_abandon;
  self->out = g_new0 (RtcSctpOutStream *, self->n_out);
  self->in = g_new0 (RtcSctpInStream *, self->n_in);
}

static void
establish (RtcSctp *self)
{
  self->state = RTC_SCTP_ESTABLISHED;
  self->t1_at = -1;
  g_clear_pointer (&self->cookie, g_bytes_unref);
  self->events->up (MIN (self->n_out, self->n_in), self->interleaving, self->user_data);
}

static void
write_cookie (RtcSctp *self, const Hello *hello, guint8 *cookie)
{
  rtc_put_u32 (cookie, COOKIE_MAGIC);
  rtc_put_u32 (cookie + 4, self->tag);
  rtc_put_u32 (cookie + 8, hello->tag);
  rtc_put_u32 (cookie + 12, hello->tsn);
  rtc_put_u32 (cookie + 16, hello->window);
  rtc_put_u16 (cookie + 20, hello->n_out);
  rtc_put_u16 (cookie + 22, hello->n_in);
  rtc_put_u32 (cookie + 24,
      hello->can_abandon | hello->can_reset << 1 | hello->can_interleave << 2 | hello->can_abandon_interleaved << 3);
}

static gboolean
read_cookie (RtcSctp *self, const guint8 *cookie, gsize size, Hello *hello)
{
  guint32 flags;

  if (size != COOKIE_SIZE || rtc_get_u32 (cookie) != COOKIE_MAGIC || rtc_get_u32 (cookie + 4) != self->tag)
    return FALSE;
  memset (hello, 0, sizeof (*hello));
  hello->tag = rtc_get_u32 (cookie + 8);
  hello->tsn = rtc_get_u32 (cookie + 12);
  hello->window = rtc_get_u32 (cookie + 16);
  hello->n_out = rtc_get_u16 (cookie + 20);
  hello->n_in = rtc_get_u16 (cookie + 22);
  flags = rtc_get_u32 (cookie + 24);
  hello->can_abandon = (flags & 1) != 0;
  hello->can_reset = (flags & 2) != 0;
  hello->can_interleave = (flags & 4) != 0;
  hello->can_abandon_interleaved = (flags & 8) != 0;
  return hello->tag != 0 && hello->n_out > 0 && hello->n_in > 0;
}

void
rtc_sctp_take_init (RtcSctp *self, const guint8 *chunk, gsize size)
{
  GByteArray *chunks;
  guint8 cookie[COOKIE_SIZE];
  Hello hello;

  if (!read_hello (chunk, size, &hello) || self->state == RTC_SCTP_CLOSED)
    return;
  if (self->knows_peer && hello.tag != self->peer_tag) {
    rtc_sctp_fail (self, "the peer began a new one, and has lost all channels of this one");
    return;
  }
  write_cookie (self, &hello, cookie);
  chunks = g_byte_array_new ();
  write_hello (self, chunks, RTC_SCTP_INIT_ACK, cookie);
  transmit_alone (self, chunks, hello.tag);
  g_byte_array_unref (chunks);
}

void
rtc_sctp_take_init_ack (RtcSctp *self, const guint8 *chunk, gsize size, gint64 now)
{
  Hello hello;

  if (self->state != RTC_SCTP_COOKIE_WAIT || !read_hello (chunk, size, &hello))
    return;
  if (!hello.cookie || hello.cookie_size > MAX_COOKIE || (self->knows_peer && hello.tag != self->peer_tag))
    return;
  meet (self, &hello);
  self->cookie = g_bytes_new (hello.cookie, hello.cookie_size);
  self->state = RTC_SCTP_COOKIE_ECHOED;
  self->t1_delay = T1_DELAY;
  self->t1_count = 0;
  send_cookie_echo (self, now);
}

void
rtc_sctp_take_cookie_echo (RtcSctp *self, const guint8 *chunk, gsize size)
{
  Hello hello;

  if (self->state == RTC_SCTP_CLOSED || !read_cookie (self, chunk, size, &hello))
    return;
  if (self->knows_peer && hello.tag != self->peer_tag)
    return;
  meet (self, &hello);
  rtc_sctp_add_chunk (self->control, RTC_SCTP_COOKIE_ACK, 0, 0);
  if (self->state != RTC_SCTP_ESTABLISHED)
    establish (self);
}

void
rtc_sctp_take_cookie_ack (RtcSctp *self)
{
  if (self->state == RTC_SCTP_COOKIE_ECHOED)
    establish (self);
}

void
rtc_sctp_tick_handshake (RtcSctp *self, gint64 now)
{
  if (self->t1_at < 0 || now < self->t1_at)
    return;
  if (++self->t1_count > T1_MAX_COUNT) {
    rtc_sctp_fail (self, "the peer does not answer");
    return;
  }
  self->t1_delay = MIN (2 * self->t1_delay, T1_MAX_DELAY);
  if (self->state == RTC_SCTP_COOKIE_ECHOED)
    send_cookie_echo (self, now);
  else
    rtc_sctp_send_init (self, now);
}

void
rtc_sctp_connect (RtcSctp *self, gint64 now)
{
  if (self->state != RTC_SCTP_CLOSED)
    return;
  self->state = RTC_SCTP_COOKIE_WAIT;
  self->t1_delay = T1_DELAY;
  rtc_sctp_send_init (self, now);
}
