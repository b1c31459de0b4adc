/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtchistory.h"

#include <string.h>

#define MIN_SLOTS 64 /* a power of 2 */
#define MIN_CHUNK 4096
#define MAX_CHUNK (256 * 1024)

/* Payloads stand behind each other in chunks, which never move: packets leave in the order in which they came, so a
 * chunk is empty as a whole when its last packet is gone. */
typedef struct _Chunk Chunk;

struct _Chunk
{
  Chunk *next; /* the younger one */
  guint64 end; /* index behind that of its last packet */
  gsize used, size;
  guint8 data[];
};

struct _RtcHistory
{
  gint64 keep;
  guint n_packets;
  gsize n_bytes;

  RtcPacket *slots; /* that of an index: its low bits */
  guint n_slots; /* a power of 2 */
  guint64 first, next; /* what is there, and behind */
  gsize bytes;
  Chunk *oldest, *youngest;
  Chunk *spare; /* empty, so that a steady stream allocates nothing; NULL: none */
};

RtcHistory *
rtc_history_new (gint64 keep, guint n_packets, gsize n_bytes)
{
  RtcHistory *history;

  g_return_val_if_fail (n_packets > 0, NULL);

  history = g_new0 (RtcHistory, 1);
  history->keep = keep;
  history->n_packets = n_packets;
  history->n_bytes = n_bytes;
  return history;
}

void
rtc_history_free (RtcHistory *history)
{
  while (history->oldest) {
    Chunk *chunk = history->oldest;

    history->oldest = chunk->next;
    g_free (chunk);
  }
  g_free (history->spare);
  g_free (history->slots);
  g_free (history);
}

static RtcPacket *
get_slot (RtcHistory *history, guint64 index)
{
  return &history->slots[index & (history->n_slots - 1)];
}

/* What is much larger than all that is kept was made for a stream that was faster, or for one huge packet. */
static void
retire_chunk (RtcHistory *history, Chunk *chunk)
{
  if (chunk->size > MAX (MIN_CHUNK, 2 * history->bytes)) {
    g_free (chunk);
  } else if (!history->spare || history->spare->size < chunk->size) {
    g_free (history->spare);
    history->spare = chunk;
  } else {
    g_free (chunk);
  }
}

static void
drop_oldest (RtcHistory *history)
{
  history->bytes -= get_slot (history, history->first)->size;
  history->first++;
  while (history->oldest && history->oldest->end <= history->first) {
    Chunk *chunk = history->oldest;

    history->oldest = chunk->next;
    if (!history->oldest)
      history->youngest = NULL;
    retire_chunk (history, chunk);
  }
}

static void
make_room (RtcHistory *history, const RtcPacket *packet)
{
  while (history->first < history->next) {
    if (history->next - history->first < history->n_packets && history->bytes + packet->size <= history->n_bytes
        && packet->added - get_slot (history, history->first)->added <= history->keep)
      return;
    drop_oldest (history);
  }
}

static void
grow_slots (RtcHistory *history)
{
  guint n_slots = MAX (MIN_SLOTS, 2 * history->n_slots);
  RtcPacket *slots = g_new (RtcPacket, n_slots);

  for (guint64 i = history->first; i < history->next; i++)
    slots[i & (n_slots - 1)] = *get_slot (history, i);
  g_free (history->slots);
  history->slots = slots;
  history->n_slots = n_slots;
}

/* Half as much as is there, so that a fast stream has few chunks and a slow one small ones. */
static void
add_chunk (RtcHistory *history, gsize payload)
{
  gsize size = MAX (payload, CLAMP (history->bytes / 2, MIN_CHUNK, MAX_CHUNK));
  Chunk *chunk = history->spare;

  if (chunk && chunk->size >= payload) {
    history->spare = NULL;
  } else {
    chunk = g_malloc (G_STRUCT_OFFSET (Chunk, data) + size);
    chunk->size = size;
  }
  chunk->next = NULL;
  chunk->used = 0;
  if (history->youngest)
    history->youngest->next = chunk;
  else
    history->oldest = chunk;
  history->youngest = chunk;
}

const RtcPacket *
rtc_history_add (RtcHistory *history, const RtcPacket *packet)
{
  RtcPacket *kept;
  Chunk *chunk;

  if (packet->size > history->n_bytes)
    return NULL;
  make_room (history, packet);
  if (history->next - history->first == history->n_slots)
    grow_slots (history);
  if (!history->youngest || history->youngest->size - history->youngest->used < packet->size)
    add_chunk (history, packet->size);

  chunk = history->youngest;
  kept = get_slot (history, history->next);
  *kept = *packet;
  kept->index = history->next++;
  kept->payload = chunk->data + chunk->used;
  if (packet->size > 0)
    memcpy (chunk->data + chunk->used, packet->payload, packet->size);
  chunk->used += packet->size;
  chunk->end = history->next;
  history->bytes += packet->size;
  return kept;
}

const RtcPacket *
rtc_history_get (RtcHistory *history, guint64 index)
{
  if (index < history->first || index >= history->next)
    return NULL;
  return get_slot (history, index);
}

guint64
rtc_history_get_next (RtcHistory *history)
{
  return history->next;
}

gsize
rtc_history_get_bytes (RtcHistory *history)
{
  return history->bytes;
}
