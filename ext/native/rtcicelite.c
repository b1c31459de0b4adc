/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcicelite.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "rtcstun.h"

#define UFRAG_SIZE 8
#define PASSWORD_SIZE 24
#define MAX_CREDENTIALS 3 /* what the peer uses, and two restarts that it has not answered */

#define NEVER G_MININT64

/* Media that came within this time outweighs a nomination, and silence of this length lets an address take over that
 * appeared during it. */
#define QUIET (500 * G_TIME_SPAN_MILLISECOND)
/* The same for an address that is nominated and appeared in the silence: the peer moved. */
#define MOVED_QUIET (150 * G_TIME_SPAN_MILLISECOND)
/* How long media has to be gone from the address in use until media from another one counts: more than what packets
 * overtake one another by. */
#define MEDIA_MOVED (200 * G_TIME_SPAN_MILLISECOND)
/* Silence, of checks too, that lets any other address take over. Browsers check every 2.7 to 6 s. */
#define SILENT (7 * G_TIME_SPAN_SECOND)
/* Without a check for so long media alone does not hold an address against one that is checked: consent (RFC 7675) is
 * an address's. Three checks of the slowest browser. */
#define UNCHECKED (20 * G_TIME_SPAN_SECOND)

/* An address that a peer sent an authentic check from. Times are NEVER until then. */
typedef struct
{
  RtcAddress address; /* family 0: the place is free */
  RtcIceLitePeer *peer;
  gint64 first_check, last_check, last_nomination, last_media;
} Path;

typedef struct
{
  guint64 key; /* the bytes of the ufrag, which are as many: what the table is asked with */
  gchar ufrag[UFRAG_SIZE + 1];
  gchar password[PASSWORD_SIZE + 1];
  gchar *remote_ufrag; /* NULL: not known yet */
  GHmac *hmac; /* keyed with the password */
  RtcIceLitePeer *peer;
} Credentials;

struct _RtcIceLitePeer
{
  gpointer user_data;
  Credentials *credentials[MAX_CREDENTIALS]; /* the newest first; the last one is what the peer uses */
  guint n_credentials;
  Path paths[RTC_ICE_LITE_MAX_ADDRESSES];
  Path *selected; /* NULL: none */
  gint64 selected_at;
  gint64 last_check; /* 0: never */
};

struct _RtcIceLite
{
  GHashTable *credentials; /* of the ufrag as a number to Credentials, owned by their peers */
  GHashTable *paths; /* of RtcAddress to Path, both in their peers */
  GHashTable *peers; /* set */
};

/* Credentials. */

static guint64
pack_ufrag (const void *ufrag)
{
  guint64 key;

  G_STATIC_ASSERT (sizeof (key) == UFRAG_SIZE);
  memcpy (&key, ufrag, sizeof (key));
  return key;
}

/* SIZE characters with 6 bits of randomness each. */
static void
make_ice_chars (gchar *out, gsize size)
{
  static const gchar chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  if (RAND_bytes ((guchar *)out, size) != 1)
    g_error ("OpenSSL has no random numbers for ICE credentials: look at the random device of this system");
  for (gsize i = 0; i < size; i++)
    out[i] = chars[out[i] & 63];
  out[size] = 0;
}

static Credentials *
credentials_new (RtcIceLite *self, RtcIceLitePeer *peer)
{
  Credentials *credentials = g_new0 (Credentials, 1);

  do {
    make_ice_chars (credentials->ufrag, UFRAG_SIZE);
    credentials->key = pack_ufrag (credentials->ufrag);
  } while (g_hash_table_contains (self->credentials, &credentials->key));
  make_ice_chars (credentials->password, PASSWORD_SIZE);
  credentials->hmac = rtc_stun_key_new (credentials->password);
  credentials->peer = peer;
  g_hash_table_insert (self->credentials, &credentials->key, credentials);
  return credentials;
}

static void
credentials_free (RtcIceLite *self, Credentials *credentials)
{
  g_hash_table_remove (self->credentials, &credentials->key);
  g_hmac_unref (credentials->hmac);
  g_free (credentials->remote_ufrag);
  OPENSSL_cleanse (credentials->password, sizeof (credentials->password));
  g_free (credentials);
}

/* The peer used USED: what is older holds no more. Returns whether anything was. */
static gboolean
drop_older_credentials (RtcIceLite *self, RtcIceLitePeer *peer, const Credentials *used)
{
  gboolean dropped = FALSE;

  while (peer->credentials[peer->n_credentials - 1] != used) {
    credentials_free (self, peer->credentials[--peer->n_credentials]);
    dropped = TRUE;
  }
  return dropped;
}

/* Addresses. */

static gint64
path_last_heard (const Path *path)
{
  return MAX (path->last_check, path->last_media);
}

/* Whether SPAN has gone by since TIME, which may be NEVER. */
static gboolean
gone_by (gint64 time, gint64 span, gint64 now)
{
  return time < now - span;
}

static gboolean
select_path (RtcIceLitePeer *peer, Path *path, gint64 now)
{
  if (peer->selected == path)
    return FALSE;
  peer->selected = path;
  peer->selected_at = now;
  return TRUE;
}

/* The best of the others has its place: what was heard last. */
static void
remove_path (RtcIceLite *self, Path *path)
{
  RtcIceLitePeer *peer = path->peer;
  Path *best = NULL;

  g_hash_table_remove (self->paths, &path->address);
  path->address.family = 0;
  if (peer->selected != path)
    return;
  for (guint i = 0; i < RTC_ICE_LITE_MAX_ADDRESSES; i++) {
    Path *other = &peer->paths[i];

    if (other->address.family && (!best || path_last_heard (other) > path_last_heard (best)))
      best = other;
  }
  peer->selected = best;
}

static Path *
add_path (RtcIceLite *self, RtcIceLitePeer *peer, const RtcAddress *address, gint64 now)
{
  Path *path = NULL;

  for (guint i = 0; i < RTC_ICE_LITE_MAX_ADDRESSES; i++) {
    Path *other = &peer->paths[i];

    if (other->address.family == 0) {
      path = other;
      break;
    }
    if (other != peer->selected && (!path || path_last_heard (other) < path_last_heard (path)))
      path = other;
  }
  if (path->address.family)
    remove_path (self, path);
  *path = (Path){.address = *address,
      .peer = peer,
      .first_check = now,
      .last_check = now,
      .last_nomination = NEVER,
      .last_media = NEVER};
  g_hash_table_insert (self->paths, &path->address, path);
  return path;
}

/* Where an authentic check from ADDRESS belongs. */
static Path *
ensure_path (RtcIceLite *self, RtcIceLitePeer *peer, const RtcAddress *address, gint64 now)
{
  Path *path = g_hash_table_lookup (self->paths, address);

  if (path && path->peer != peer) {
    remove_path (self, path);
    path = NULL;
  }
  if (!path)
    return add_path (self, peer, address, now);
  path->last_check = now;
  return path;
}

/* After a check: whether PATH is a better one than that in use. */
static gboolean
check_wins (const RtcIceLitePeer *peer, const Path *path, gboolean nominated, gint64 now)
{
  const Path *selected = peer->selected;
  gint64 last_heard;

  if (!selected)
    return TRUE;
  if (nominated && gone_by (selected->last_media, QUIET, now))
    return TRUE;
  last_heard = path_last_heard (selected);
  if (nominated && path->first_check > last_heard && gone_by (last_heard, MOVED_QUIET, now))
    return TRUE;
  return gone_by (last_heard, SILENT, now) || (gone_by (last_heard, QUIET, now) && path->first_check > last_heard)
      || gone_by (selected->last_check, UNCHECKED, now);
}

gboolean
rtc_ice_lite_peer_heard (RtcIceLitePeer *peer, const RtcAddress *from, gint64 now)
{
  Path *selected = peer->selected;
  Path *path = NULL;

  if (selected && rtc_address_equal (&selected->address, from)) {
    selected->last_media = now;
    return FALSE;
  }
  for (guint i = 0; i < RTC_ICE_LITE_MAX_ADDRESSES && !path; i++) {
    if (peer->paths[i].address.family && rtc_address_equal (&peer->paths[i].address, from))
      path = &peer->paths[i];
  }
  if (!path)
    return FALSE;
  path->last_media = now;
  if (gone_by (path->last_check, UNCHECKED, now))
    return FALSE;
  /* A nomination from before the choice is no news: packets that were overtaken do not bring it back. */
  if (!gone_by (selected->last_media, MEDIA_MOVED, now)
      && path->last_nomination <= MAX (selected->last_nomination, peer->selected_at))
    return FALSE;
  return select_path (peer, path, now);
}

/* Checks. */

/* The credentials that a message was made with, or NULL. What is cheap comes first. */
static Credentials *
authenticate (RtcIceLite *self, const RtcStunMessage *message)
{
  Credentials *credentials;
  const gchar *theirs;
  gsize theirs_size;
  guint64 key;

  if (message->klass != RTC_STUN_REQUEST || message->method != RTC_STUN_BINDING || !message->has_priority
      || !message->username || message->username_size < UFRAG_SIZE + 2 || message->username[UFRAG_SIZE] != ':')
    return NULL;
  key = pack_ufrag (message->username);
  credentials = g_hash_table_lookup (self->credentials, &key);
  if (!credentials)
    return NULL;
  theirs = (const gchar *)message->username + UFRAG_SIZE + 1;
  theirs_size = message->username_size - UFRAG_SIZE - 1;
  if (credentials->remote_ufrag
      && (strlen (credentials->remote_ufrag) != theirs_size
          || memcmp (credentials->remote_ufrag, theirs, theirs_size) != 0))
    return NULL;
  if (!rtc_stun_check_fingerprint (message) || !rtc_stun_check_integrity (message, credentials->hmac))
    return NULL;
  return credentials;
}

static guint
take_check (RtcIceLite *self, Credentials *credentials, const RtcAddress *from, gboolean nominated, gint64 now)
{
  RtcIceLitePeer *peer = credentials->peer;
  guint changes = 0;
  Path *path;

  if (!peer->last_check)
    changes |= RTC_ICE_LITE_FIRST;
  peer->last_check = MAX (now, 1);
  if (drop_older_credentials (self, peer, credentials))
    changes |= RTC_ICE_LITE_RESTARTED;

  path = ensure_path (self, peer, from, now);
  if (nominated)
    path->last_nomination = now;
  if (check_wins (peer, path, nominated, now) && select_path (peer, path, now) && !(changes & RTC_ICE_LITE_FIRST))
    changes |= RTC_ICE_LITE_MOVED;
  return changes;
}

RtcIceLiteResult
rtc_ice_lite_take (RtcIceLite *self, const RtcAddress *from, const guint8 *data, gsize size, gint64 now,
    RtcIceLitePeer **peer, guint *changes, guint8 *answer, gsize *answer_size)
{
  RtcStunMessage message;
  Credentials *credentials;

  G_STATIC_ASSERT (RTC_ICE_LITE_MAX_ANSWER >= RTC_STUN_MAX_ANSWER);
  *peer = NULL;
  *changes = 0;
  *answer_size = 0;
  if (!rtc_stun_parse (&message, data, size))
    return RTC_ICE_LITE_IGNORED;
  credentials = authenticate (self, &message);
  if (!credentials)
    return RTC_ICE_LITE_IGNORED;

  if (message.n_unknown)
    *answer_size = rtc_stun_write_error (answer, message.id, RTC_STUN_UNKNOWN_ATTRIBUTE, message.unknown,
        MIN (message.n_unknown, RTC_STUN_MAX_UNKNOWN), credentials->hmac);
  else if (message.controlled)
    *answer_size = rtc_stun_write_error (answer, message.id, RTC_STUN_ROLE_CONFLICT, NULL, 0, credentials->hmac);
  else
    *answer_size = rtc_stun_write_success (answer, message.id, from, credentials->hmac);
  /* It cannot be, with ufrags of this length; but it is a promise. */
  if (*answer_size > size) {
    *answer_size = 0;
    return RTC_ICE_LITE_IGNORED;
  }

  *peer = credentials->peer;
  if (!message.n_unknown && !message.controlled)
    *changes = take_check (self, credentials, from, message.use_candidate, now);
  return RTC_ICE_LITE_ANSWERED;
}

/* Peers. */

RtcIceLite *
rtc_ice_lite_new (void)
{
  RtcIceLite *self = g_new0 (RtcIceLite, 1);

  self->credentials = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->paths = g_hash_table_new (rtc_address_hash, rtc_address_equal);
  self->peers = g_hash_table_new (NULL, NULL);
  return self;
}

void
rtc_ice_lite_free (RtcIceLite *self)
{
  GHashTableIter iter;
  gpointer peer;

  while (g_hash_table_iter_init (&iter, self->peers), g_hash_table_iter_next (&iter, &peer, NULL))
    rtc_ice_lite_remove (self, peer);
  g_hash_table_unref (self->credentials);
  g_hash_table_unref (self->paths);
  g_hash_table_unref (self->peers);
  g_free (self);
}

RtcIceLitePeer *
rtc_ice_lite_add (RtcIceLite *self, gpointer user_data)
{
  RtcIceLitePeer *peer = g_new0 (RtcIceLitePeer, 1);

  peer->user_data = user_data;
  peer->credentials[0] = credentials_new (self, peer);
  peer->n_credentials = 1;
  g_hash_table_add (self->peers, peer);
  return peer;
}

void
rtc_ice_lite_remove (RtcIceLite *self, RtcIceLitePeer *peer)
{
  for (guint i = 0; i < RTC_ICE_LITE_MAX_ADDRESSES; i++) {
    if (peer->paths[i].address.family)
      g_hash_table_remove (self->paths, &peer->paths[i].address);
  }
  while (peer->n_credentials > 0)
    credentials_free (self, peer->credentials[--peer->n_credentials]);
  g_hash_table_remove (self->peers, peer);
  g_free (peer);
}

void
rtc_ice_lite_peer_restart (RtcIceLite *self, RtcIceLitePeer *peer)
{
  /* With no place left the older of the restarts without an answer goes, not what the peer is known to use. */
  if (peer->n_credentials == MAX_CREDENTIALS) {
    credentials_free (self, peer->credentials[1]);
    peer->credentials[1] = peer->credentials[2];
    peer->n_credentials--;
  }
  memmove (&peer->credentials[1], &peer->credentials[0], peer->n_credentials * sizeof (Credentials *));
  peer->credentials[0] = credentials_new (self, peer);
  peer->n_credentials++;
}

void
rtc_ice_lite_peer_set_remote_ufrag (RtcIceLitePeer *peer, const gchar *ufrag)
{
  g_free (peer->credentials[0]->remote_ufrag);
  peer->credentials[0]->remote_ufrag = g_strdup (ufrag);
}

const gchar *
rtc_ice_lite_peer_get_ufrag (const RtcIceLitePeer *peer)
{
  return peer->credentials[0]->ufrag;
}

const gchar *
rtc_ice_lite_peer_get_password (const RtcIceLitePeer *peer)
{
  return peer->credentials[0]->password;
}

RtcIceLitePeer *
rtc_ice_lite_find (RtcIceLite *self, const RtcAddress *from)
{
  Path *path = g_hash_table_lookup (self->paths, from);

  return path ? path->peer : NULL;
}

const RtcAddress *
rtc_ice_lite_peer_get_address (const RtcIceLitePeer *peer)
{
  return peer->selected ? &peer->selected->address : NULL;
}

gint64
rtc_ice_lite_peer_get_last_check (const RtcIceLitePeer *peer)
{
  return peer->last_check;
}

gpointer
rtc_ice_lite_peer_get_user_data (const RtcIceLitePeer *peer)
{
  return peer->user_data;
}
