/* rtclink: messages that can be checked, for the soak test of data channels
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "datamessages.h"

#include <stdio.h>
#include <string.h>

#define HEADER 16 /* hexadecimal digits of the number */
#define MOST_MESSAGES (1 << 24) /* of a sequence */

/* splitmix64 */
static guint64
mix (guint64 x)
{
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

guint64
soak_sequence_seed (const gchar *label, const gchar *from)
{
  guint64 seed = 1;

  for (; *label; label++)
    seed = mix (seed ^ (guint8)*label);
  for (; *from; from++)
    seed = mix (seed ^ (guint8)*from ^ 0x100);
  return seed;
}

gsize
soak_sequence_get_size (const SoakSequence *self, guint64 k)
{
  guint64 dice = mix (self->seed ^ mix (k)), more = mix (dice);
  gsize size;

  switch (dice % 1000) {
    case 0 ... 79:
      size = self->no_empty ? HEADER : 0;
      break;
    case 80 ... 179:
      size = self->exact ? 1 + more % (HEADER - 1) : HEADER;
      break;
    case 180 ... 699:
      size = HEADER + more % 1200;
      break;
    case 700 ... 919:
      size = HEADER + more % 16384;
      break;
    case 920 ... 989:
      size = HEADER + more % 65521;
      break;
    case 990 ... 998:
      size = HEADER + more % (1024 * 1024);
      break;
    default:
      size = more % 4 ? HEADER + more % (4 * 1024 * 1024) : 16 * 1024 * 1024;
  }
  return MIN (size, self->max);
}

/* Kinds come in any order, too; long texts only cost time. */
static gboolean
is_text_at (const SoakSequence *self, guint64 k, gsize size)
{
  return size <= 65536 && (mix (self->seed + k) & 1);
}

GBytes *
soak_sequence_make (const SoakSequence *self, guint64 k, gboolean *is_text)
{
  gsize size = soak_sequence_get_size (self, k), n = 0;
  guint8 *data = g_malloc (size + HEADER + 1);
  guint64 x = mix (self->seed ^ (k << 1)) | 1;

  *is_text = is_text_at (self, k, size);
  if (size >= HEADER)
    n = snprintf ((gchar *)data, HEADER + 1, "%016" G_GINT64_MODIFIER "x", k);
  for (; n < size; n += 8) {
    guint64 word;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    word = *is_text ? (x & 0x0f0f0f0f0f0f0f0f) + 0x6161616161616161 : x;
    memcpy (data + n, &word, sizeof word);
  }
  return g_bytes_new_take (data, size);
}

void
soak_receiver_clear (SoakReceiver *self)
{
  g_clear_pointer (&self->seen, g_byte_array_unref);
}

/* The number that it begins with. */
static gboolean
read_number (gconstpointer data, gsize size, guint64 *k)
{
  gchar digits[HEADER + 1] = {0};

  if (size < HEADER)
    return FALSE;
  memcpy (digits, data, HEADER);
  return g_ascii_string_to_unsigned (digits, 16, 0, MOST_MESSAGES, k, NULL);
}

static gchar *
compare (SoakReceiver *self, guint64 k, gboolean is_text, gconstpointer data, gsize size)
{
  gboolean wants_text;
  g_autoptr (GBytes) wanted = NULL;

  if (size != soak_sequence_get_size (&self->sequence, k))
    return g_strdup_printf ("message %" G_GUINT64_FORMAT " has %" G_GSIZE_FORMAT " bytes, not %" G_GSIZE_FORMAT, k,
        size, soak_sequence_get_size (&self->sequence, k));
  wanted = soak_sequence_make (&self->sequence, k, &wants_text);
  if (wants_text != is_text)
    return g_strdup_printf (
        "message %" G_GUINT64_FORMAT " of %" G_GSIZE_FORMAT " bytes is %s", k, size, is_text ? "text" : "no text");
  if (size > 0 && memcmp (g_bytes_get_data (wanted, NULL), data, size) != 0)
    return g_strdup_printf ("message %" G_GUINT64_FORMAT " of %" G_GSIZE_FORMAT " bytes has others", k, size);
  return NULL;
}

static gchar *
take_unordered (SoakReceiver *self, guint64 k)
{
  guint8 bit = 1 << k % 8;

  if (!self->seen)
    self->seen = g_byte_array_new ();
  while (self->seen->len <= k / 8)
    g_byte_array_append (self->seen, (const guint8 *)"", 1);
  if (self->seen->data[k / 8] & bit)
    return g_strdup_printf ("message %" G_GUINT64_FORMAT " came twice", k);
  self->seen->data[k / 8] |= bit;
  return NULL;
}

static gchar *
take_ordered (SoakReceiver *self, guint64 k)
{
  if (k < self->next)
    return g_strdup_printf ("message %" G_GUINT64_FORMAT " came when %" G_GUINT64_FORMAT
                            " was next: twice, or out of order",
        k, self->next);
  if (k > self->next && self->reliable && !self->was_broken)
    return g_strdup_printf (
        "message %" G_GUINT64_FORMAT " came when %" G_GUINT64_FORMAT " was next: some were lost", k, self->next);
  self->next = k + 1;
  self->was_broken = FALSE;
  return NULL;
}

gchar *
soak_receiver_take (SoakReceiver *self, gboolean is_text, gconstpointer data, gsize size)
{
  gboolean is_exact = self->sequence.exact && !self->was_broken;
  guint64 k = self->next;
  gchar *wrong;

  self->received++;
  if (!is_exact && size < HEADER) {
    /* Which one it is cannot be told. */
    self->empty += size == 0;
    return size > 0 && !self->sequence.exact
        ? g_strdup_printf ("there is no message of %" G_GSIZE_FORMAT " bytes", size)
        : NULL;
  }
  if (size >= HEADER && !read_number (data, size, &k))
    return g_strdup_printf ("a message of %" G_GSIZE_FORMAT " bytes has no number", size);
  wrong = self->ordered ? take_ordered (self, k) : take_unordered (self, k);
  return wrong ? wrong : compare (self, k, is_text, data, size);
}
