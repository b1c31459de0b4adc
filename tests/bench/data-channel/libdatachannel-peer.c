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

typedef struct
{
  int connection, channels[2];
  gint n_open; /* atomic */

  /* any thread; guarded by lock */
  GMutex lock;
  guint64 bytes, messages;
  gint64 slow;

  /* the flood's thread, and who starts it */
  GThread *thread;
  gsize flood; /* bytes of a message */
  gint stop; /* atomic */
  GCond room; /* with lock: little waits on bulk */
} Program;

enum
{
  BULK,
  PING,
};

static Program program;

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
  gint64 slow;

  g_mutex_lock (&program.lock);
  program.bytes += size < 0 ? strlen (message) : (guint)size;
  program.messages++;
  slow = program.slow;
  g_mutex_unlock (&program.lock);
  if (slow > 0)
    g_usleep (slow);
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

static gpointer
flood (gpointer unused)
{
  int channel = program.channels[BULK];
  gchar *message = g_malloc0 (program.flood);

  while (!g_atomic_int_get (&program.stop)) {
    gint64 until = g_get_monotonic_time () + G_USEC_PER_SEC / 10;

    while (rtcGetBufferedAmount (channel) < PEER_HIGH && !g_atomic_int_get (&program.stop))
      rtcSendMessage (channel, message, program.flood);
    g_mutex_lock (&program.lock);
    while (rtcGetBufferedAmount (channel) > PEER_LOW && !g_atomic_int_get (&program.stop)
        && g_cond_wait_until (&program.room, &program.lock, until)) {
    }
    g_mutex_unlock (&program.lock);
  }
  g_free (message);
  return NULL;
}

static void
stop_flood (void)
{
  if (!program.thread)
    return;
  g_atomic_int_set (&program.stop, 1);
  g_thread_join (program.thread);
  g_atomic_int_set (&program.stop, 0);
  program.thread = NULL;
}

static void
ping (guint n, guint interval)
{
  gint64 at = g_get_monotonic_time (), end;

  for (guint i = 0; i < n; i++) {
    guint8 message[PEER_PING_SIZE];
    gint64 left = at + (gint64)i * interval - g_get_monotonic_time ();

    if (left > 0)
      g_usleep (left);
    peer_ping_write (message);
    rtcSendMessage (program.channels[PING], (const char *)message, sizeof (message));
  }
  end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;
  while (peer_ping_count () < n && g_get_monotonic_time () < end)
    g_usleep (1000);
  peer_ping_tell ();
}

static void
take_description (const gchar *text, gboolean is_offerer)
{
  gsize size;
  guchar *raw = g_base64_decode (text, &size);
  gchar *description = g_strndup ((gchar *)raw, size);

  rtcSetRemoteDescription (program.connection, description, is_offerer ? "answer" : "offer");
  g_free (description);
  g_free (raw);
}

static void
take_command (gchar **words, gboolean is_offerer)
{
  guint n = g_strv_length (words);

  if (n == 2 && g_str_equal (words[0], "description")) {
    take_description (words[1], is_offerer);
  } else if (n == 2 && g_str_equal (words[0], "flood")) {
    stop_flood ();
    program.flood = atoi (words[1]);
    program.thread = g_thread_new ("flood", flood, NULL);
  } else if (g_str_equal (words[0], "stop")) {
    stop_flood ();
  } else if (g_str_equal (words[0], "count")) {
    g_mutex_lock (&program.lock);
    peer_say ("count %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, program.bytes, program.messages);
    g_mutex_unlock (&program.lock);
  } else if (n == 3 && g_str_equal (words[0], "ping")) {
    ping (atoi (words[1]), atoi (words[2]));
  } else if (n == 2 && g_str_equal (words[0], "slow")) {
    g_mutex_lock (&program.lock);
    program.slow = atoi (words[1]);
    g_mutex_unlock (&program.lock);
  } else if (g_str_equal (words[0], "path")) {
    peer_say ("path");
  } else {
    g_error ("data-libdatachannel: what is \"%s\"?", words[0]);
  }
}

int
main (int argc, char **argv)
{
  rtcConfiguration config = {.disableAutoNegotiation = true};
  gboolean is_offerer = argc == 2 && g_str_equal (argv[1], "offer"), ended = FALSE;
  gchar **words;
  GPollFD input = {.fd = 0, .events = G_IO_IN};

  rtcInitLogger (RTC_LOG_WARNING, NULL);
  program.connection = rtcCreatePeerConnection (&config);
  rtcSetGatheringStateChangeCallback (program.connection, on_gathered);
  open_channels ();
  if (is_offerer)
    rtcSetLocalDescription (program.connection, "offer");
  while (!ended) {
    while ((words = peer_read (&ended))) {
      gboolean is_offer = !is_offerer && g_str_equal (words[0], "description");

      take_command (words, is_offerer);
      if (is_offer)
        rtcSetLocalDescription (program.connection, "answer");
      g_strfreev (words);
    }
    if (!ended)
      g_poll (&input, 1, -1);
  }
  exit (0);
}
