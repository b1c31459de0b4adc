/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the programs of this folder that are written in C share. Each is one end of a link with two channels, "bulk" and
 * "ping", and is told what to do in lines:
 *
 *   description TEXT    out and in: of this end and of the other; whatever the two understand
 *   open                out: both channels are
 *   flood SIZE          in: send messages of so many bytes on bulk, so that the channel never runs dry, until stop
 *   stop                in
 *   count               in; out: count BYTES MESSAGES, that came on bulk
 *   ping N INTERVAL     in: send N messages of 64 bytes on ping, one each INTERVAL microseconds;
 *                       out: ping MICROSECONDS.., how long each took there and back
 *   slow MICROSECONDS   in: from now on take so long for each message that comes on bulk
 *   path                in; out (if there is such a thing): path TEXT
 *   signal TEXT         out and in: to the other end, at any time after both have a description
 *
 * A message on ping is sent back, by the end that was not asked to send it. */

#define PEER_PING_SIZE 64
/* What a channel is kept filled with. */
#define PEER_HIGH (1024 * 1024)
#define PEER_LOW (256 * 1024)

void peer_say (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* The words of one line of standard input, without waiting. NULL: there is none (yet). ENDED: nor will there be. */
gchar **peer_read (gboolean *ended);

/* Round trips, in microseconds; any thread. */
void peer_ping_write (guint8 *message); /* PEER_PING_SIZE bytes, with the time */
gboolean peer_ping_is_mine (const guint8 *message); /* of this process */
void peer_ping_came (const guint8 *message);
guint peer_ping_count (void);
void peer_ping_tell (void); /* and forgets them */

/* For programs whose channels have threads of their own. */
typedef struct
{
  void (*description) (const gchar *text);
  void (*signal) (const gchar *text); /* NULL: there is no such thing */
  /* Sends SIZE bytes on bulk, in a thread of the flood's. It waits while enough is on its way, and may return without
   * having sent after a tenth of a second. */
  void (*bulk) (const guint8 *data, gsize size);
  void (*ping) (const guint8 *message); /* sends it on ping; PEER_PING_SIZE bytes */
  gchar *(*path) (void); /* NULL: there is no such thing */
} PeerFuncs;

/* Does what it is told until standard input ends. */
void peer_run (const PeerFuncs *funcs);

/* From any thread: a message of so many bytes came on bulk. */
void peer_bulk_came (gsize size);

G_END_DECLS
