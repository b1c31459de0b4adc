/* rtclink: messages that can be checked, for the soak test of data channels
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Message number K of a sequence is the same wherever it is made: kind, size and every byte follow from a seed. Those
 * of 16 bytes and more begin with their number, so that one can be recognised that came after others were lost. */

typedef struct
{
  guint64 seed;
  gsize max; /* bytes */
  gboolean exact; /* ordered and reliable: there are also messages of 1 to 15 bytes */
  gboolean no_empty;
} SoakSequence;

guint64 soak_sequence_seed (const gchar *label, const gchar *from);

/* Its bytes, and whether it is text. (transfer full) */
GBytes *soak_sequence_make (const SoakSequence *self, guint64 k, gboolean *is_text);
gsize soak_sequence_get_size (const SoakSequence *self, guint64 k);

/* What comes of a sequence. */
typedef struct
{
  SoakSequence sequence;
  gboolean ordered, reliable;
  guint64 next; /* number after the last one that came */
  guint64 received;
  guint64 empty;
  gboolean was_broken; /* some may be missing from here on, until one that has a number */
  GByteArray *seen; /* unordered: a bit for each */
} SoakReceiver;

void soak_receiver_clear (SoakReceiver *self);

/* NULL, or what is wrong with it. (transfer full) */
gchar *soak_receiver_take (SoakReceiver *self, gboolean is_text, gconstpointer data, gsize size);

G_END_DECLS
