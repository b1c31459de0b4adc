/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Two ends of an association, and somebody between the two who passes on, changes, repeats, drops and invents packets.
 * The input is a list of commands of one byte: the low three bits say what, the next one to whom. A packet that is
 * invented gets the header that it has to have: who can write one at all has DTLS's keys, and knows the tag. */

#include <string.h>

#include "native/rtcdata.h"

#define MAX_QUEUED 64
#define MAX_STEPS 4000

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

typedef struct
{
  RtcData *data;
  GBytes *queued[MAX_QUEUED]; /* what goes to it */
  guint n_queued, other;
  guint8 header[12]; /* of the last packet that went to it */
  GPtrArray *channels; /* not closed */
} Side;

static Side sides[2];
static gint64 now;

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  Side *to = &sides[((Side *)user_data)->other];

  if (size < 16 || size > RTC_SCTP_MTU)
    g_error ("a packet of %" G_GSIZE_FORMAT " bytes", size);
  memcpy (to->header, data, sizeof (to->header));
  if (to->n_queued < MAX_QUEUED)
    to->queued[to->n_queued++] = g_bytes_new (data, size);
}

static void
on_link (gboolean is_up, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  if (is_up == (error != NULL))
    g_error ("up %d, error: %s", is_up, error ? error->message : "none");
  if (!is_up && side->channels->len > 0)
    g_error ("the link is gone, but %u channels are not closed", side->channels->len);
}

static void
on_channel (RtcDataChannel *channel, gpointer user_data)
{
  g_ptr_array_add (((Side *)user_data)->channels, channel);
}

static void
on_state (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data)
{
  if (state == RTC_DATA_CLOSED && !g_ptr_array_remove (((Side *)user_data)->channels, channel))
    g_error ("a channel was closed that was never there");
}

static void
on_message (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data)
{
  if (g_bytes_get_size (message) > 65536)
    g_error ("a message of %" G_GSIZE_FORMAT " bytes", g_bytes_get_size (message));
}

static void
on_low (RtcDataChannel *channel, gpointer user_data)
{
}

static GBytes *
pop (Side *side)
{
  GBytes *bytes = side->queued[0];

  memmove (side->queued, side->queued + 1, --side->n_queued * sizeof (GBytes *));
  return bytes;
}

/* On the heap, so that what is read behind its end is seen. */
static void
take (Side *side, const guint8 *data, gsize size)
{
  guint8 *copy = g_memdup2 (data, size);

  rtc_data_take (side->data, copy, size, now);
  g_free (copy);
}

static void
pass (Side *side, gboolean keep, guint change, const guint8 *with)
{
  GBytes *bytes;
  guint8 *copy;
  gsize size;

  if (!side->n_queued)
    return;
  bytes = keep ? g_bytes_ref (side->queued[0]) : pop (side);
  size = g_bytes_get_size (bytes);
  copy = g_memdup2 (g_bytes_get_data (bytes, NULL), size);
  for (guint i = 0; i < change; i++)
    copy[12 + with[2 * i] % (size - 12)] = with[2 * i + 1];
  take (side, copy, size);
  g_free (copy);
  g_bytes_unref (bytes);
}

static void
invent (Side *side, const guint8 *chunks, gsize size)
{
  guint8 packet[12 + 255];

  memcpy (packet, side->header, 12);
  memcpy (packet + 12, chunks, size);
  take (side, packet, 12 + size);
}

static void
turn_clock (Side *side)
{
  gint64 deadline = rtc_data_get_deadline (side->data);

  if (deadline == -1)
    return;
  now = MAX (now, deadline);
  rtc_data_tick (side->data, now);
  deadline = rtc_data_get_deadline (side->data);
  if (deadline != -1 && deadline <= now)
    g_error ("the deadline stays in the past");
}

static void
open_or_close (Side *side, guint how)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  RtcDataChannel *channel;

  if (how & 1 && side->channels->len > 0) {
    rtc_data_channel_close (g_ptr_array_index (side->channels, (how >> 1) % side->channels->len), now);
    return;
  }
  init.ordered = (how & 2) != 0;
  init.max_retransmits = how & 4 ? (gint)(how >> 4) % 3 : -1;
  init.max_packet_lifetime = !(how & 4) && how & 8 ? 50 : -1;
  channel = rtc_data_open (side->data, &init, now, NULL);
  if (channel)
    g_ptr_array_add (side->channels, channel);
}

static void
send_one (Side *side, guint which, guint size)
{
  GBytes *bytes;

  if (side->channels->len == 0)
    return;
  bytes = g_bytes_new_take (g_malloc0 (size * 40), size * 40);
  rtc_data_channel_send (g_ptr_array_index (side->channels, which % side->channels->len), which & 1, bytes, now, NULL);
  g_bytes_unref (bytes);
}

/* Returns how many bytes of the input were its. */
static gsize
obey (const guint8 *data, gsize size)
{
  guint command = data[0] & 7, amount = data[0] >> 4;
  Side *side = &sides[data[0] >> 3 & 1];

  switch (command) {
    case 0:
      if (size < 2 || size - 2 < data[1])
        return size;
      invent (side, data + 2, data[1]);
      return 2 + data[1];
    case 1:
      for (guint i = 0; i <= amount; i++)
        pass (side, FALSE, 0, NULL);
      return 1;
    case 2:
      if (size < 7)
        return size;
      pass (side, amount & 1, 1 + amount % 3, data + 1);
      return 7;
    case 3:
      pass (side, TRUE, 0, NULL);
      return 1;
    case 4:
      if (side->n_queued)
        g_bytes_unref (pop (side));
      return 1;
    case 5:
      turn_clock (side);
      return 1;
    case 6:
      if (size < 2)
        return size;
      open_or_close (side, data[1]);
      return 2;
    default:
      if (size < 3)
        return size;
      send_one (side, data[1], data[2]);
      return 3;
  }
}

static void
begin (gboolean interleaving)
{
  static const RtcDataEvents events = {on_transmit, on_link, on_channel, on_state, on_message, on_low};
  RtcDataConfig config = {.max_message_size = 65536, .no_interleaving = !interleaving};

  now = 1;
  g_random_set_seed (1);
  for (guint i = 0; i < 2; i++) {
    memset (&sides[i], 0, sizeof (Side));
    sides[i].other = !i;
    sides[i].channels = g_ptr_array_new ();
    sides[i].data = rtc_data_new (&config, &events, &sides[i]);
  }
  for (guint i = 0; i < 2; i++)
    rtc_data_start (sides[i].data, i == 0, 5000, 5000, 65536, now);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  guint n = 0;

  if (size < 1)
    return 0;
  begin (data[0] & 1);
  /* Most inputs are to have a link. */
  for (guint i = 0; i < 8 && data[0] & 2; i++)
    pass (&sides[i & 1], FALSE, 0, NULL);
  data++;
  size--;
  while (size > 0 && n++ < MAX_STEPS) {
    gsize taken = obey (data, size);

    data += taken;
    size -= taken;
  }
  for (guint i = 0; i < 2; i++)
    rtc_data_close (sides[i].data, now);
  for (guint i = 0; i < 2; i++) {
    while (sides[i].n_queued)
      g_bytes_unref (pop (&sides[i]));
    if (sides[i].channels->len > 0)
      g_error ("%u channels are left", sides[i].channels->len);
    g_ptr_array_unref (sides[i].channels);
    rtc_data_free (sides[i].data);
  }
  return 0;
}
