/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static GMutex lock;
static GArray *round_trips; /* of gint64; guarded by lock */

void
peer_say (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  vprintf (format, args);
  va_end (args);
  putchar ('\n');
  fflush (stdout);
}

gchar **
peer_read (gboolean *ended)
{
  static GString *text;
  static gboolean at_end;
  gchar *newline, **words;
  GPollFD fd = {.fd = 0, .events = G_IO_IN};
  gchar some[4096];

  if (!text)
    text = g_string_new (NULL);
  while (!(newline = strchr (text->str, '\n')) && !at_end && g_poll (&fd, 1, 0) > 0) {
    gssize n = read (0, some, sizeof (some));

    if (n <= 0)
      at_end = TRUE;
    else
      g_string_append_len (text, some, n);
  }
  *ended = !newline && at_end;
  if (!newline)
    return NULL;
  *newline = 0;
  words = g_strsplit (text->str, " ", -1);
  g_string_erase (text, 0, newline + 1 - text->str);
  return words;
}

void
peer_ping_write (guint8 *message)
{
  gint64 now = g_get_monotonic_time ();
  guint32 owner = getpid ();

  memset (message, 0, PEER_PING_SIZE);
  memcpy (message, &now, sizeof (now));
  memcpy (message + 8, &owner, sizeof (owner));
}

gboolean
peer_ping_is_mine (const guint8 *message)
{
  guint32 owner;

  memcpy (&owner, message + 8, sizeof (owner));
  return owner == (guint32)getpid ();
}

void
peer_ping_came (const guint8 *message)
{
  gint64 took = g_get_monotonic_time (), then;

  memcpy (&then, message, sizeof (then));
  took -= then;
  g_mutex_lock (&lock);
  if (!round_trips)
    round_trips = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_array_append_val (round_trips, took);
  g_mutex_unlock (&lock);
}

guint
peer_ping_count (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = round_trips ? round_trips->len : 0;
  g_mutex_unlock (&lock);
  return n;
}

void
peer_ping_tell (void)
{
  GString *line = g_string_new ("ping");

  g_mutex_lock (&lock);
  for (guint i = 0; round_trips && i < round_trips->len; i++)
    g_string_append_printf (line, " %" G_GINT64_FORMAT, g_array_index (round_trips, gint64, i));
  if (round_trips)
    g_array_set_size (round_trips, 0);
  g_mutex_unlock (&lock);
  peer_say ("%s", line->str);
  g_string_free (line, TRUE);
}
