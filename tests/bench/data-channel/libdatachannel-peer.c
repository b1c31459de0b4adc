/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: data-libdatachannel offer|answer
 *
 * Two channels of libdatachannel, by its C interface. A description is SDP with all candidates, as BASE64. */

#include "peer.h"

#include <rtc/rtc.h>
#include <stdlib.h>
#include <string.h>

enum
{
  BULK,
  PING,
};

static struct
{
  int connection, channels[2];
  gboolean is_offerer;
  gint n_open; /* atomic */

  GMutex lock;
  GCond room; /* with lock: little waits on bulk */
} program;

static void RTC_API
on_gathered (int connection, rtcGatheringState state, void *user_data)
{
  gchar description[16384], *text;
  int n;

  if (state != RTC_GATHERING_COMPLETE)
    return;
  n = rtcGetLocalDescription (connection, description, sizeof (description));
  if (n <= 0)
    g_error ("data-libdatachannel: no description");
  text = g_base64_encode ((const guchar *)description, strlen (description));
  peer_say ("description %s", text);
  g_free (text);
}

static void RTC_API
on_open (int channel, void *user_data)
{
  if (g_atomic_int_add (&program.n_open, 1) == 1)
    peer_say ("open");
}

static void RTC_API
on_bulk (int channel, const char *message, int size, void *user_data)
{
  peer_bulk_came (size < 0 ? strlen (message) : (gsize)size);
}

static void RTC_API
on_ping (int channel, const char *message, int size, void *user_data)
{
  if (size != PEER_PING_SIZE)
    return;
  if (peer_ping_is_mine ((const guint8 *)message))
    peer_ping_came ((const guint8 *)message);
  else
    rtcSendMessage (channel, message, size);
}

static void RTC_API
on_low (int channel, void *user_data)
{
  g_mutex_lock (&program.lock);
  g_cond_signal (&program.room);
  g_mutex_unlock (&program.lock);
}

static void
open_channels (void)
{
  static const gchar *const labels[] = {"bulk", "ping"};

  for (gint i = 0; i < 2; i++) {
    rtcDataChannelInit init = {.negotiated = true, .manualStream = true, .stream = i};
    int channel = rtcCreateDataChannelEx (program.connection, labels[i], &init);

    rtcSetOpenCallback (channel, on_open);
    rtcSetMessageCallback (channel, i == BULK ? on_bulk : on_ping);
    rtcSetBufferedAmountLowThreshold (channel, PEER_LOW);
    rtcSetBufferedAmountLowCallback (channel, on_low);
    program.channels[i] = channel;
  }
}

static void
send_bulk (const guint8 *data, gsize size)
{
  int channel = program.channels[BULK];
  gint64 until;

  if (rtcGetBufferedAmount (channel) < PEER_HIGH) {
    rtcSendMessage (channel, (const char *)data, (int)size);
    return;
  }
  until = g_get_monotonic_time () + G_USEC_PER_SEC / 10;
  g_mutex_lock (&program.lock);
  while (rtcGetBufferedAmount (channel) > PEER_LOW && g_cond_wait_until (&program.room, &program.lock, until)) {
  }
  g_mutex_unlock (&program.lock);
}

static void
send_ping (const guint8 *message)
{
  rtcSendMessage (program.channels[PING], (const char *)message, PEER_PING_SIZE);
}

static void
take_description (const gchar *text)
{
  gsize size;
  guchar *raw = g_base64_decode (text, &size);
  gchar *description = g_strndup ((gchar *)raw, size);

  rtcSetRemoteDescription (program.connection, description, program.is_offerer ? "answer" : "offer");
  g_free (description);
  g_free (raw);
  if (!program.is_offerer)
    rtcSetLocalDescription (program.connection, "answer");
}

static const PeerFuncs funcs = {.description = take_description, .bulk = send_bulk, .ping = send_ping};

int
main (int argc, char **argv)
{
  rtcConfiguration config = {.disableAutoNegotiation = true};

  g_set_prgname ("data-libdatachannel");
  program.is_offerer = argc == 2 && g_str_equal (argv[1], "offer");
  rtcInitLogger (RTC_LOG_WARNING, NULL);
  program.connection = rtcCreatePeerConnection (&config);
  rtcSetGatheringStateChangeCallback (program.connection, on_gathered);
  open_channels ();
  if (program.is_offerer)
    rtcSetLocalDescription (program.connection, "offer");
  peer_run (&funcs);
  exit (0);
}
