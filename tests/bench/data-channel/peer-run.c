/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "peer.h"

#include <stdlib.h>

/* What becomes of the last pings. */
#define PING_PATIENCE (3 * G_USEC_PER_SEC)

typedef struct
{
  GThread *thread;
  const PeerFuncs *funcs;
  gsize size;
  gint stop; /* atomic */
} Flood;

static GMutex lock;
static guint64 bytes, messages; /* guarded by lock */
static gint slow; /* atomic */

void
peer_bulk_came (gsize size)
{
  gint time = g_atomic_int_get (&slow);

  g_mutex_lock (&lock);
  bytes += size;
  messages++;
  g_mutex_unlock (&lock);
  if (time > 0)
    g_usleep (time);
}

static gpointer
flood (gpointer user_data)
{
  Flood *self = user_data;
  guint8 *data = g_malloc0 (self->size);

  while (!g_atomic_int_get (&self->stop))
    self->funcs->bulk (data, self->size);
  g_free (data);
  return NULL;
}

static void
start_flood (Flood *self, const PeerFuncs *funcs, gsize size)
{
  *self = (Flood){.funcs = funcs, .size = size};
  self->thread = g_thread_new ("flood", flood, self);
}

static void
stop_flood (Flood *self)
{
  if (!self->thread)
    return;
  g_atomic_int_set (&self->stop, 1);
  g_thread_join (self->thread);
  self->thread = NULL;
}

static void
ping (const PeerFuncs *funcs, guint n, guint interval)
{
  gint64 at = g_get_monotonic_time (), end;

  for (guint i = 0; i < n; i++) {
    guint8 message[PEER_PING_SIZE];
    gint64 left = at + (gint64)i * interval - g_get_monotonic_time ();

    if (left > 0)
      g_usleep (left);
    peer_ping_write (message);
    funcs->ping (message);
  }
  end = g_get_monotonic_time () + PING_PATIENCE;
  while (peer_ping_count () < n && g_get_monotonic_time () < end)
    g_usleep (1000);
  peer_ping_tell ();
}

static void
tell_path (const PeerFuncs *funcs)
{
  gchar *text = funcs->path ? funcs->path () : NULL;

  peer_say ("path %s", text ? text : "");
  g_free (text);
}

static void
take_command (Flood *self, const PeerFuncs *funcs, gchar **words)
{
  guint n = g_strv_length (words);

  if (n == 2 && g_str_equal (words[0], "description")) {
    funcs->description (words[1]);
  } else if (n == 2 && g_str_equal (words[0], "signal") && funcs->signal) {
    funcs->signal (words[1]);
  } else if (n == 2 && g_str_equal (words[0], "flood")) {
    stop_flood (self);
    start_flood (self, funcs, atoi (words[1]));
  } else if (g_str_equal (words[0], "stop")) {
    stop_flood (self);
  } else if (g_str_equal (words[0], "count")) {
    g_mutex_lock (&lock);
    peer_say ("count %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, bytes, messages);
    g_mutex_unlock (&lock);
  } else if (n == 3 && g_str_equal (words[0], "ping")) {
    ping (funcs, atoi (words[1]), atoi (words[2]));
  } else if (n == 2 && g_str_equal (words[0], "slow")) {
    g_atomic_int_set (&slow, atoi (words[1]));
  } else if (g_str_equal (words[0], "path")) {
    tell_path (funcs);
  } else {
    g_error ("%s: what is \"%s\"?", g_get_prgname (), words[0]);
  }
}

void
peer_run (const PeerFuncs *funcs)
{
  GPollFD input = {.fd = 0, .events = G_IO_IN};
  gboolean ended = FALSE;
  Flood flood = {0};
  gchar **words;

  while (!ended) {
    while ((words = peer_read (&ended))) {
      take_command (&flood, funcs, words);
      g_strfreev (words);
    }
    if (!ended)
      g_poll (&input, 1, -1);
  }
}
