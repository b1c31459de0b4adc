/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcbundle.h"
#include "rtcbytes.h"

#include <string.h>

#define HEADER_SIZE 12
#define N_PAYLOADS 128
#define PAYLOAD_ABSENT -2
#define MAX_RID 16
#define RTX_HEADER_SIZE 2
#define RTX_REACH 4096 /* how far behind its stream the number of a lost packet may be */
#define RTX_AHEAD 64 /* and how far before it, when the stream was overtaken */

typedef struct
{
  guint mline;
  gchar *mid;
  guint ext_mid, ext_rid, ext_repaired_rid, ext_twcc;
  gint16 primary[N_PAYLOADS]; /* the apt of an RTX, -1, or PAYLOAD_ABSENT */
} Line;

typedef struct
{
  guint32 ssrc;
  guint line; /* its place in the array */
  gboolean signalled;
  GList link; /* of the learned ones, in the order of use */
  guint32 original; /* 0: it is no RTX, or of whom is not known */
  gboolean grouped; /* ORIGINAL is from an a=ssrc-group */
  gchar rid[MAX_RID + 1];
  gint payload; /* of its last packet; -1: none came */
  guint16 seq; /* of its last packet */
  gboolean has_mid;
  guint16 mid_seq; /* of the packet that brought the newest MID */
} Source;

struct _RtcBundle
{
  GArray *lines;
  GHashTable *sources; /* by SSRC */
  GQueue learned; /* the one in use is the head */
  guint n_signalled;
  gboolean is_mid[256]; /* of extension ids */
};

typedef struct
{
  guint32 ssrc;
  guint payload;
  guint16 seq;
  const guint8 *body;
  gsize body_size;
  const guint8 *extension;
  gsize extension_size;
  gboolean two_bytes;
} Header;

/* The header, RFC 3550, section 5.1. */

static gboolean
read_header (const guint8 *data, gsize size, Header *header)
{
  gsize at;

  if (size < HEADER_SIZE || data[0] >> 6 != 2)
    return FALSE;
  memset (header, 0, sizeof (*header));
  header->payload = data[1] & 0x7f;
  header->seq = rtc_get_u16 (data + 2);
  header->ssrc = rtc_get_u32 (data + 8);
  at = HEADER_SIZE + 4 * (data[0] & 0x0f);
  if (data[0] & 0x10) {
    guint profile;

    if (size < at + 4)
      return FALSE;
    profile = rtc_get_u16 (data + at);
    header->extension_size = 4 * rtc_get_u16 (data + at + 2);
    header->extension = data + at + 4;
    header->two_bytes = (profile & 0xfff0) == 0x1000;
    at += 4 + header->extension_size;
    if (profile != 0xbede && !header->two_bytes)
      header->extension_size = 0;
  }
  if (size < at)
    return FALSE;
  header->body = data + at;
  header->body_size = size - at;
  if (data[0] & 0x20) {
    if (header->body_size == 0 || data[size - 1] == 0 || data[size - 1] > header->body_size)
      return FALSE;
    header->body_size -= data[size - 1];
  }
  return TRUE;
}

typedef struct
{
  guint id;
  const guint8 *data;
  gsize size;
} Extension;

/* RFC 8285, section 4. What makes no sense ends the extensions, not the packet: it can be played all the same. */
static gboolean
next_extension (const Header *header, gsize *at, Extension *extension)
{
  const guint8 *data = header->extension;
  gsize size = header->extension_size;

  while (*at < size && data[*at] == 0)
    (*at)++;
  if (header->two_bytes) {
    if (size - *at < 2)
      return FALSE;
    extension->id = data[*at];
    extension->size = data[*at + 1];
    *at += 2;
  } else {
    if (*at == size)
      return FALSE;
    extension->id = data[*at] >> 4;
    extension->size = (data[*at] & 0x0f) + 1;
    *at += 1;
    if (extension->id == 0 || extension->id == 15)
      return FALSE;
  }
  if (extension->size > size - *at)
    return FALSE;
  extension->data = data + *at;
  *at += extension->size;
  return TRUE;
}

static gboolean
find_extension (const Header *header, guint id, Extension *extension)
{
  for (gsize at = 0; id != 0 && next_extension (header, &at, extension);) {
    if (extension->id == id)
      return TRUE;
  }
  return FALSE;
}

/* RFC 8852, section 3: letters and digits. */
static gboolean
find_rid (const Header *header, guint id, gchar *rid)
{
  Extension extension;

  if (!find_extension (header, id, &extension) || extension.size == 0 || extension.size > MAX_RID)
    return FALSE;
  for (gsize i = 0; i < extension.size; i++) {
    if (!g_ascii_isalnum (extension.data[i]) && extension.data[i] != '-' && extension.data[i] != '_')
      return FALSE;
  }
  memcpy (rid, extension.data, extension.size);
  rid[extension.size] = 0;
  return TRUE;
}

/* The configuration. */

static Line *
line_at (const RtcBundle *bundle, guint index)
{
  return &g_array_index (bundle->lines, Line, index);
}

static gint
find_line (const RtcBundle *bundle, guint mline)
{
  for (guint i = 0; i < bundle->lines->len; i++) {
    if (line_at (bundle, i)->mline == mline)
      return i;
  }
  return -1;
}

RtcBundle *
rtc_bundle_new (void)
{
  RtcBundle *bundle = g_new0 (RtcBundle, 1);

  bundle->lines = g_array_new (FALSE, FALSE, sizeof (Line));
  bundle->sources = g_hash_table_new_full (g_direct_hash, g_direct_equal, NULL, g_free);
  g_queue_init (&bundle->learned);
  return bundle;
}

void
rtc_bundle_free (RtcBundle *bundle)
{
  for (guint i = 0; i < bundle->lines->len; i++)
    g_free (line_at (bundle, i)->mid);
  g_array_unref (bundle->lines);
  g_hash_table_unref (bundle->sources);
  g_free (bundle);
}

void
rtc_bundle_add_line (RtcBundle *bundle, guint mline, const gchar *mid, guint ext_mid, guint ext_rid,
    guint ext_repaired_rid, guint ext_twcc)
{
  Line line = {.mline = mline,
      .mid = g_strdup (mid),
      .ext_mid = ext_mid,
      .ext_rid = ext_rid,
      .ext_repaired_rid = ext_repaired_rid,
      .ext_twcc = ext_twcc};

  g_return_if_fail (find_line (bundle, mline) < 0);
  for (guint i = 0; i < N_PAYLOADS; i++)
    line.primary[i] = PAYLOAD_ABSENT;
  g_array_append_val (bundle->lines, line);
  if (mid && ext_mid > 0 && ext_mid < G_N_ELEMENTS (bundle->is_mid))
    bundle->is_mid[ext_mid] = TRUE;
}

void
rtc_bundle_add_payload (RtcBundle *bundle, guint mline, gint payload, gint primary)
{
  gint line = find_line (bundle, mline);

  g_return_if_fail (line >= 0);
  if (payload >= 0 && payload < N_PAYLOADS)
    line_at (bundle, line)->primary[payload] = primary >= 0 && primary < N_PAYLOADS ? primary : -1;
}

static Source *
find_source (const RtcBundle *bundle, guint32 ssrc)
{
  return g_hash_table_lookup (bundle->sources, GUINT_TO_POINTER (ssrc));
}

/* Nobody is the RTX of SSRC any more: its number may come back as something else. */
static void
forget_original (RtcBundle *bundle, guint32 ssrc)
{
  GHashTableIter iter;
  Source *source;

  g_hash_table_iter_init (&iter, bundle->sources);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *)&source)) {
    if (source->original == ssrc && !source->grouped)
      source->original = 0;
  }
}

static Source *
add_source (RtcBundle *bundle, guint32 ssrc, guint line, gboolean signalled)
{
  Source *source = g_new0 (Source, 1);

  source->ssrc = ssrc;
  source->line = line;
  source->payload = -1;
  source->signalled = signalled;
  source->link.data = source;
  if (signalled) {
    bundle->n_signalled++;
  } else {
    if (bundle->learned.length == RTC_BUNDLE_MAX_SSRCS) {
      GList *oldest = g_queue_peek_tail_link (&bundle->learned);
      guint32 gone = ((Source *)oldest->data)->ssrc;

      g_queue_unlink (&bundle->learned, oldest);
      g_hash_table_remove (bundle->sources, GUINT_TO_POINTER (gone));
      forget_original (bundle, gone);
    }
    g_queue_push_head_link (&bundle->learned, &source->link);
  }
  g_hash_table_insert (bundle->sources, GUINT_TO_POINTER (ssrc), source);
  return source;
}

void
rtc_bundle_add_ssrc (RtcBundle *bundle, guint mline, guint32 ssrc, guint32 original)
{
  gint line = find_line (bundle, mline);
  Source *source = find_source (bundle, ssrc);

  g_return_if_fail (line >= 0);
  if (bundle->n_signalled == RTC_BUNDLE_MAX_SSRCS && !(source && source->signalled))
    return;
  if (!source) {
    source = add_source (bundle, ssrc, line, TRUE);
  } else if (!source->signalled) {
    g_queue_unlink (&bundle->learned, &source->link);
    source->signalled = TRUE;
    bundle->n_signalled++;
  }
  source->line = line;
  if (original) {
    source->original = original;
    source->grouped = TRUE;
  }
}

/* Packets. */

/* The line of the MID: its place, -1 when the packet has none, -2 when it has one that is nobody's. */
static gint
find_line_by_mid (const RtcBundle *bundle, const Header *header)
{
  Extension extension;

  for (gsize at = 0; next_extension (header, &at, &extension);) {
    if (!bundle->is_mid[extension.id] || extension.size == 0)
      continue;
    for (guint i = 0; i < bundle->lines->len; i++) {
      const Line *line = line_at (bundle, i);

      if (line->mid && line->ext_mid == extension.id && strlen (line->mid) == extension.size
          && memcmp (line->mid, extension.data, extension.size) == 0)
        return i;
    }
    return -2;
  }
  return -1;
}

static gint
find_line_by_payload (const RtcBundle *bundle, guint payload)
{
  gint found = -1;

  for (guint i = 0; i < bundle->lines->len; i++) {
    if (line_at (bundle, i)->primary[payload] == PAYLOAD_ABSENT)
      continue;
    if (found >= 0)
      return -1;
    found = i;
  }
  return found;
}

/* RFC 8843, section 9.2. A packet whose payload type its line does not have teaches nothing. */
static Source *
find_or_learn (RtcBundle *bundle, const Header *header)
{
  Source *source = find_source (bundle, header->ssrc);
  gint by_mid = find_line_by_mid (bundle, header);
  gint line = by_mid;

  if (by_mid == -2)
    return NULL;
  /* A packet that was overtaken does not bring an old MID back. */
  if (source && (by_mid < 0 || (source->has_mid && (gint16)(header->seq - source->mid_seq) <= 0)))
    line = source->line;
  if (line < 0)
    line = find_line_by_payload (bundle, header->payload);
  if (line < 0 || line_at (bundle, line)->primary[header->payload] == PAYLOAD_ABSENT)
    return NULL;
  if (!source)
    source = add_source (bundle, header->ssrc, line, FALSE);
  if (source->line != (guint)line) {
    source->line = line;
    source->original = source->grouped ? source->original : 0;
    source->rid[0] = 0;
    source->payload = -1;
    forget_original (bundle, source->ssrc);
  }
  if (by_mid == line && (!source->has_mid || (gint16)(header->seq - source->mid_seq) > 0)) {
    source->has_mid = TRUE;
    source->mid_seq = header->seq;
  }
  if (!source->signalled) {
    g_queue_unlink (&bundle->learned, &source->link);
    g_queue_push_head_link (&bundle->learned, &source->link);
  }
  return source;
}

/* Whether SOURCE sends what the RTX repeats, and was lately at the number that is in the packet. */
static gboolean
may_be_original (const Source *source, const Source *rtx, gint primary, guint16 seq)
{
  if (source == rtx || source->line != rtx->line || source->payload != primary)
    return FALSE;
  if (rtx->rid[0] != 0 && strcmp (source->rid, rtx->rid) != 0)
    return FALSE;
  return (guint16)(source->seq + RTX_AHEAD - seq) < RTX_REACH;
}

/* RFC 4588, section 5.3: nothing in an RTX packet says whose it is, but for its RID. Numbers begin at random, so that
 * the one that is repeated tells streams apart; when two are near by chance, a later packet will. */
static void
find_original (RtcBundle *bundle, Source *rtx, const Header *header, gint primary)
{
  GHashTableIter iter;
  Source *source, *found = NULL;
  guint16 seq;

  if (header->body_size < RTX_HEADER_SIZE)
    return;
  seq = rtc_get_u16 (header->body);
  g_hash_table_iter_init (&iter, bundle->sources);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *)&source)) {
    if (!may_be_original (source, rtx, primary, seq))
      continue;
    if (found)
      return;
    found = source;
  }
  if (found)
    rtx->original = found->ssrc;
}

/* The RID of the stream, or of the one that it repeats. */
static void
learn_rid (Source *source, const Line *line, const Header *header, gboolean is_rtx)
{
  gchar rid[MAX_RID + 1];

  if (!find_rid (header, is_rtx ? line->ext_repaired_rid : line->ext_rid, rid) || strcmp (rid, source->rid) == 0)
    return;
  memcpy (source->rid, rid, sizeof (rid));
  if (!source->grouped)
    source->original = 0;
}

gboolean
rtc_bundle_take (RtcBundle *bundle, const guint8 *data, gsize size, RtcBundlePacket *packet)
{
  Header header;
  Extension twcc;
  Source *source, *original;
  const Line *line;

  if (!read_header (data, size, &header))
    return FALSE;
  source = find_or_learn (bundle, &header);
  if (!source)
    return FALSE;
  line = line_at (bundle, source->line);

  memset (packet, 0, sizeof (*packet));
  packet->mline = line->mline;
  packet->ssrc = header.ssrc;
  packet->payload = header.payload;
  packet->primary = line->primary[header.payload];
  packet->is_rtx = packet->primary >= 0;
  learn_rid (source, line, &header, packet->is_rtx);
  if (packet->is_rtx) {
    if (source->original == 0)
      find_original (bundle, source, &header, packet->primary);
    packet->original = source->original;
  }
  original = packet->original && source->rid[0] == 0 ? find_source (bundle, packet->original) : NULL;
  memcpy (packet->rid, original ? original->rid : source->rid, sizeof (packet->rid));
  source->payload = header.payload;
  source->seq = header.seq;
  if (find_extension (&header, line->ext_twcc, &twcc) && twcc.size >= 2) {
    packet->twcc = rtc_get_u16 (twcc.data);
    packet->has_twcc = TRUE;
  }
  return TRUE;
}
