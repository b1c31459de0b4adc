/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: data-engine offer|answer
 *
 * The engine by itself: SCTP and DTLS of ext/native on a UDP socket, in one loop without threads or GLib's own. There
 * is no ICE: a description is ADDRESS|PORT|FINGERPRINT. */

#define _GNU_SOURCE
#include "peer.h"
#include "native/gstrtcudp.h"
#include "native/rtcdata.h"
#include "native/rtcdtls.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 64
#define DATAGRAM 1500
#define PING_PATIENCE (3 * G_USEC_PER_SEC)

enum
{
  BULK,
  PING,
};

typedef struct
{
  gboolean is_offerer;
  GstRtcUdp *udp;
  RtcDtls *dtls;
  RtcData *data;
  RtcAddress to;
  RtcDataChannel *channels[2];
  guint n_open;
  gint64 now;

  /* what goes out when all that came was taken */
  guint8 out[BATCH * DATAGRAM];
  gsize sizes[BATCH], n_out_bytes;
  guint n_out;

  guint64 bytes, messages;
  GBytes *flood; /* NULL: none */
  gint64 slow;
  guint pings_left, n_pings;
  gint64 ping_at, ping_interval, ping_end;
} Program;

static void
flush (Program *self)
{
  if (self->n_out > 0)
    gst_rtc_udp_send (self->udp, NULL, &self->to, self->out, self->sizes, self->n_out);
  self->n_out = 0;
  self->n_out_bytes = 0;
}

static void
on_dtls_transmit (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  Program *self = user_data;

  memcpy (self->out + self->n_out_bytes, data, size);
  self->n_out_bytes += size;
  self->sizes[self->n_out++] = size;
  if (self->n_out == BATCH)
    flush (self);
}

static void
on_dtls_state (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data)
{
  Program *self = user_data;

  if (state == RTC_DTLS_CONNECTED)
    rtc_data_start (self->data, self->is_offerer, 5000, 5000, 0, self->now);
  else if (error)
    g_error ("data-engine: %s", error->message);
}

static void
on_dtls_data (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  Program *self = user_data;

  rtc_data_take (self->data, data, size, self->now);
}

static const RtcDtlsEvents dtls_events = {.transmit = on_dtls_transmit, .state = on_dtls_state, .data = on_dtls_data};

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  rtc_dtls_send (((Program *)user_data)->dtls, data, size);
}

static void
on_link (gboolean is_up, const GError *error, gpointer user_data)
{
  if (error)
    exit (0); /* the other end left */
}

static void
on_channel (RtcDataChannel *channel, gpointer user_data)
{
  g_error ("data-engine: a channel that nobody opened");
}

static void
on_state (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data)
{
  Program *self = user_data;

  if (state == RTC_DATA_OPEN && ++self->n_open == 2)
    peer_say ("open");
}

static void
send_on (Program *self, guint channel, const guint8 *data, gsize size)
{
  GBytes *bytes = g_bytes_new (data, size);

  rtc_data_channel_send (self->channels[channel], FALSE, bytes, self->now, NULL);
  g_bytes_unref (bytes);
}

static void
on_message (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data)
{
  Program *self = user_data;
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  if (channel == self->channels[BULK]) {
    self->bytes += size;
    self->messages++;
    if (self->slow > 0)
      g_usleep (self->slow);
  } else if (peer_ping_is_mine (data)) {
    peer_ping_came (data);
  } else {
    send_on (self, PING, data, size);
  }
}

static const RtcDataEvents data_events = {
    .transmit = on_transmit, .link = on_link, .channel = on_channel, .state = on_state, .message = on_message};

static void
open_channels (Program *self)
{
  static const gchar *const labels[] = {"bulk", "ping"};

  for (guint i = 0; i < G_N_ELEMENTS (labels); i++) {
    RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;

    init.label = labels[i];
    init.negotiated = TRUE;
    init.id = i;
    self->channels[i] = rtc_data_open (self->data, &init, self->now, NULL);
  }
}

static void
take_description (Program *self, const gchar *text)
{
  gchar **parts = g_strsplit (text, "|", -1);
  gchar *fingerprints[] = {NULL, NULL};

  if (g_strv_length (parts) != 3 || !rtc_address_parse (&self->to, parts[0], atoi (parts[1])))
    g_error ("data-engine: \"%s\" is no description of its own", text);
  fingerprints[0] = g_strdelimit (g_strdup (parts[2]), "_", ' ');
  rtc_dtls_start (self->dtls, !self->is_offerer, fingerprints, self->now);
  g_free (fingerprints[0]);
  g_strfreev (parts);
}

static void
take_command (Program *self, gchar **words)
{
  guint n = g_strv_length (words);

  if (n == 2 && g_str_equal (words[0], "description")) {
    take_description (self, words[1]);
  } else if (n == 2 && g_str_equal (words[0], "flood")) {
    gsize size = atoi (words[1]);

    g_clear_pointer (&self->flood, g_bytes_unref);
    self->flood = g_bytes_new_take (g_malloc0 (size), size);
  } else if (g_str_equal (words[0], "stop")) {
    g_clear_pointer (&self->flood, g_bytes_unref);
  } else if (g_str_equal (words[0], "count")) {
    peer_say ("count %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, self->bytes, self->messages);
  } else if (n == 3 && g_str_equal (words[0], "ping")) {
    self->n_pings = self->pings_left = atoi (words[1]);
    self->ping_interval = atoi (words[2]);
    self->ping_at = self->now;
    self->ping_end = self->now + self->pings_left * self->ping_interval + PING_PATIENCE;
  } else if (n == 2 && g_str_equal (words[0], "slow")) {
    self->slow = atoi (words[1]);
  } else if (g_str_equal (words[0], "path")) {
    RtcSctpStats stats;
    gboolean interleaving;

    if (rtc_data_get_path (self->data, &stats, &interleaving))
      peer_say ("path round-trip=%u,window=%u,flight=%u,sent=%" G_GUINT64_FORMAT ",resent=%" G_GUINT64_FORMAT
                ",packets-in=%" G_GUINT64_FORMAT,
          stats.round_trip, stats.window, stats.flight, stats.chunks_sent, stats.chunks_resent, stats.packets_received);
  } else {
    g_error ("data-engine: what is \"%s\"?", words[0]);
  }
}

static void
fill (Program *self)
{
  RtcDataChannel *bulk = self->channels[BULK];

  if (!self->flood || rtc_data_channel_get_buffered (bulk) > PEER_LOW)
    return;
  while (rtc_data_channel_get_buffered (bulk) < PEER_HIGH)
    rtc_data_channel_send (bulk, FALSE, self->flood, self->now, NULL);
}

static void
ping (Program *self)
{
  guint8 message[PEER_PING_SIZE];

  while (self->pings_left > 0 && self->now >= self->ping_at) {
    peer_ping_write (message);
    send_on (self, PING, message, sizeof (message));
    self->ping_at += self->ping_interval;
    self->pings_left--;
  }
}

static void
on_datagram (const RtcAddress *from, const RtcAddress *to, guint8 *data, gsize size, gpointer user_data)
{
  Program *self = user_data;

  rtc_dtls_take (self->dtls, data, size, self->now);
}

static gint64
min_deadline (gint64 a, gint64 b)
{
  return a < 0 ? b : b < 0 ? a : MIN (a, b);
}

static void
wait_for_something (Program *self, gboolean *readable)
{
  struct pollfd fds[] = {{gst_rtc_udp_get_fd (self->udp), POLLIN, 0}, {0, POLLIN, 0}};
  gint64 deadline = min_deadline (rtc_dtls_get_deadline (self->dtls), rtc_data_get_deadline (self->data)), left;
  struct timespec timeout;

  if (self->pings_left > 0)
    deadline = min_deadline (deadline, self->ping_at);
  left = deadline < 0 ? G_USEC_PER_SEC : CLAMP (deadline - g_get_monotonic_time (), 0, G_USEC_PER_SEC);
  timeout.tv_sec = left / G_USEC_PER_SEC;
  timeout.tv_nsec = left % G_USEC_PER_SEC * 1000;
  ppoll (fds, G_N_ELEMENTS (fds), &timeout, NULL);
  *readable = fds[0].revents != 0;
}

static void
turn (Program *self, gboolean readable)
{
  self->now = g_get_monotonic_time ();
  rtc_data_begin (self->data, self->now);
  if (readable)
    gst_rtc_udp_receive (self->udp, on_datagram, self);
  self->now = g_get_monotonic_time ();
  rtc_dtls_tick (self->dtls, self->now);
  rtc_data_tick (self->data, self->now);
  fill (self);
  ping (self);
  rtc_data_end (self->data);
  flush (self);
}

int
main (int argc, char **argv)
{
  static Program self;
  RtcDataConfig config = {.max_message_size = RTC_DATA_MAX_MESSAGE_SIZE};
  GError *error = NULL;
  RtcDtlsIdentity *identity = rtc_dtls_identity_new (&error);
  const gchar *address = g_getenv ("RTC_TEST_ADDRESS");
  gchar *fingerprint;
  gboolean readable, ended = FALSE;

  self.is_offerer = argc == 2 && g_str_equal (argv[1], "offer");
  self.udp = identity ? gst_rtc_udp_new (0, &error) : NULL;
  if (!self.udp)
    g_error ("data-engine: %s", error->message);
  self.now = g_get_monotonic_time ();
  self.dtls = rtc_dtls_new (identity, &dtls_events, &self);
  self.data = rtc_data_new (&config, &data_events, &self);
  open_channels (&self);
  fingerprint = g_strdelimit (g_strdup (rtc_dtls_identity_get_fingerprint (identity)), " ", '_');
  peer_say ("description %s|%u|%s", address ? address : "127.0.0.1", gst_rtc_udp_get_port (self.udp), fingerprint);
  while (!ended) {
    gchar **words;

    wait_for_something (&self, &readable);
    while ((words = peer_read (&ended))) {
      take_command (&self, words);
      g_strfreev (words);
    }
    turn (&self, readable);
    if (self.ping_end > 0 && (self.now > self.ping_end || peer_ping_count () == self.n_pings)) {
      self.ping_end = 0;
      peer_ping_tell ();
    }
  }
  rtc_data_close (self.data, self.now);
  flush (&self);
  g_free (fingerprint);
  rtc_data_free (self.data);
  rtc_dtls_free (self.dtls);
  rtc_dtls_identity_unref (identity);
  gst_rtc_udp_free (self.udp);
  return 0;
}
