/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* How data channels end, also with peers that do not do their part. */

#include "datawire.h"
#include "native/rtcsctppriv.h"

#include <string.h>

#define PPID_DCEP 50

typedef struct
{
  guint n_acks, n_resets; /* that left: DCEP acknowledgements of end 1, and resets of end 0 */
  guint acks_before_reset;
  gboolean deaf; /* end 1 closes nothing */
  guint n_messages; /* that end 0 got */
  RtcDataState state; /* of end 0's channel */
} Seen;

static Seen seen;

static gboolean
on_chunk (guint from, guint8 *chunk, gsize size)
{
  guint ppid_at = chunk[0] == RTC_SCTP_I_DATA ? 16 : 12;

  if (from == 0 && chunk[0] == RTC_SCTP_RE_CONFIG && seen.n_resets++ == 0)
    seen.acks_before_reset = seen.n_acks;
  if (from == 1 && (chunk[0] == RTC_SCTP_DATA || chunk[0] == RTC_SCTP_I_DATA) && size > ppid_at + 3
      && chunk[ppid_at + 3] == PPID_DCEP)
    seen.n_acks++;
  return !(from == 1 && chunk[0] == RTC_SCTP_RE_CONFIG && seen.deaf);
}

static gboolean
filter (Wire *wire, guint from, guint8 *data, gsize size)
{
  gboolean pass = TRUE;

  for (gsize at = RTC_SCTP_HEADER; at + RTC_SCTP_CHUNK_HEADER <= size;) {
    gsize length = data[at + 2] << 8 | data[at + 3];

    pass &= on_chunk (from, data + at, MIN (length, size - at));
    at += MAX ((length + 3) & ~(gsize)3, RTC_SCTP_CHUNK_HEADER);
  }
  return pass;
}

static void
on_state (End *end, RtcDataChannel *channel, RtcDataState state, const GError *error)
{
  seen.state = state;
}

static Wire *
begin (void)
{
  Wire *wire = wire_new (1, TRUE);

  memset (&seen, 0, sizeof (seen));
  wire->delay = 20 * MS;
  wire->ends[0].on_state = on_state;
  wire_connect (wire);
  wire->filter = filter;
  return wire;
}

static gboolean
is_closed (Wire *wire, gpointer user_data)
{
  return seen.state == RTC_DATA_CLOSED;
}

static void
it_is_not_closed_before_the_peer_knows_it (void)
{
  RtcDataChannelInit init = RTC_DATA_CHANNEL_INIT;
  Wire *wire = begin ();
  RtcDataChannel *channel = rtc_data_open (wire->ends[0].data, &init, wire->now, NULL);

  rtc_data_channel_close (channel, wire->now);
  wire_run_until (wire, is_closed, NULL, SECOND);
  g_assert_cmpuint (seen.n_acks, ==, 1);
  g_assert_cmpuint (seen.acks_before_reset, ==, 1);
  wire_free (wire);
}

static void
a_peer_that_does_not_close_its_side_is_not_awaited_for_ever (void)
{
  Wire *wire = begin ();
  RtcDataChannel *channel = wire_open (wire, 0, NULL, NULL);
  gint64 closed = wire->now;

  seen.deaf = TRUE;
  rtc_data_channel_close (channel, wire->now);
  wire_run_until (wire, is_closed, NULL, 60 * SECOND);
  g_assert_cmpint (wire->now - closed, >=, 20 * SECOND);
  wire_free (wire);
}

static void
on_message (End *end, RtcDataChannel *channel, gboolean is_text, GBytes *message)
{
  seen.n_messages++;
}

static void
what_the_peer_still_sends_is_awaited (void)
{
  Wire *wire = begin ();
  RtcDataChannel *peer, *channel = wire_open (wire, 0, NULL, &peer);
  gint64 closed = wire->now;

  wire->rate = 20000;
  wire->ends[0].on_message = on_message;
  for (guint i = 0; i < 8; i++) {
    g_autoptr (GBytes) message = wire_message (i, 150000);

    wire_send (peer, FALSE, message, wire->now);
  }
  rtc_data_channel_close (channel, wire->now);
  wire_run_until (wire, is_closed, NULL, 300 * SECOND);
  g_test_message ("%d messages, %d s", seen.n_messages, (int)((wire->now - closed) / SECOND));
  g_assert_cmpuint (seen.n_messages, ==, 8);
  g_assert_cmpint (wire->now - closed, >=, 40 * SECOND);
  wire_free (wire);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/data/close/not_before_the_peer_knows_it", it_is_not_closed_before_the_peer_knows_it);
  g_test_add_func ("/data/close/not_awaited_for_ever", a_peer_that_does_not_close_its_side_is_not_awaited_for_ever);
  g_test_add_func ("/data/close/what_the_peer_still_sends", what_the_peer_still_sends_is_awaited);
  return g_test_run ();
}
