/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcpath.h"

#include <openssl/rand.h>
#include <string.h>

#include "rtcstun.h"

#define MS G_TIME_SPAN_MILLISECOND
#define S G_TIME_SPAN_SECOND

#define PROBE_AFTER_MIN (200 * MS)
#define PROBE_AFTER_MAX (1000 * MS)
/* A path that is back is found by the next one: often, while most breaks end, and less so later. */
#define PROBE_INTERVAL (25 * MS)
#define LATER (10 * S)
#define LATER_PROBE_INTERVAL (50 * MS)
/* At the beginning, to learn whether the peer answers at all, and how it sees us. */
#define FIRST_PROBE (100 * MS)
#define FIRST_PROBE_INTERVAL (500 * MS)
#define FIRST_PROBES 5
#define RESTART_AFTER (1 * S)
#define RESTART_AFTER_UNPROBED (4 * S)
#define RESTART_INTERVAL (2 * S)
/* Unanswered for so long: packets were lost, not just late. */
#define GAP (250 * MS)
#define GAP_UNPROBED (3 * S)
#define SILENT (12 * S)
#define CONSENT (30 * S)
/* For how long a gap counts as usual. */
#define USUAL (3 * S)
/* A tick that is so late says that this process was not running: what it did not hear then says nothing. */
#define STALLED (300 * MS)

/* A peer is often probed before the last answer was there: a round trip may be longer than the interval. */
#define OUTSTANDING 64

struct _RtcPath
{
  gchar *username;
  GHmac *key; /* NULL: no credentials yet */
  gboolean controlling;
  guint64 tie_breaker;

  gint64 last_heard, last_traffic; /* traffic: without the answers to probes */
  gint64 usual_gap;
  gint64 probing_since; /* when the first probe without an answer was sent; -1: none is */
  gint64 probe_at; /* -1: when it is silent */
  guint first_probes; /* left */
  gboolean answers; /* the peer is known to */
  gint64 restart_at; /* not before */
  gboolean silent;
  gboolean moved; /* and not heard since */
  RtcAddress mapped; /* family 0: not known */

  guint8 ids[OUTSTANDING][RTC_STUN_ID_SIZE];
  guint n_ids; /* ever sent */

  RtcPathStats stats;
};

RtcPath *
rtc_path_new (void)
{
  RtcPath *self = g_new0 (RtcPath, 1);

  self->probing_since = self->probe_at = -1;
  return self;
}

static void
clear_credentials (RtcPath *self)
{
  g_clear_pointer (&self->username, g_free);
  g_clear_pointer (&self->key, g_hmac_unref);
}

void
rtc_path_free (RtcPath *self)
{
  clear_credentials (self);
  g_free (self);
}

void
rtc_path_set_credentials (RtcPath *self, const gchar *local_ufrag, const gchar *remote_ufrag,
    const gchar *remote_password, gboolean controlling, gint64 now)
{
  gboolean first = !self->key;

  clear_credentials (self);
  self->username = g_strconcat (remote_ufrag, ":", local_ufrag, NULL);
  if (strlen (self->username) > RTC_STUN_MAX_USERNAME)
    self->username[RTC_STUN_MAX_USERNAME] = '\0';
  self->key = rtc_stun_key_new (remote_password);
  self->controlling = controlling;
  if (RAND_bytes ((guint8 *)&self->tie_breaker, sizeof (self->tie_breaker)) != 1)
    g_error ("OpenSSL has no random numbers for ICE: look at the random device of this system");
  /* Over another path we may be seen as somebody else. */
  self->mapped.family = 0;
  self->n_ids = 0;
  /* Through a relay there are no probes. */
  self->answers = FALSE;
  self->first_probes = FIRST_PROBES;
  self->probe_at = now + FIRST_PROBE;
  if (first)
    self->last_heard = self->last_traffic = now;
}

static gint64
probe_after (const RtcPath *self)
{
  return CLAMP (2 * self->usual_gap, PROBE_AFTER_MIN, PROBE_AFTER_MAX);
}

/* What is more than usual for a peer that says little is nothing for one that says much, so it fades. */
static void
note_traffic (RtcPath *self, gint64 now)
{
  gint64 gap = now - self->last_traffic;

  self->last_traffic = now;
  self->usual_gap -= self->usual_gap * MIN (gap, USUAL) / USUAL;
  if (self->probing_since < 0 || !self->answers)
    self->usual_gap = MAX (self->usual_gap, gap);
}

gboolean
rtc_path_is_interrupted (const RtcPath *self, gint64 now)
{
  return self->probing_since >= 0 && now - self->probing_since >= (self->answers ? GAP : GAP_UNPROBED);
}

static guint
alive (RtcPath *self, gint64 now)
{
  gboolean gap = self->moved || rtc_path_is_interrupted (self, now);

  if (gap) {
    self->stats.n_gaps++;
    self->stats.last_gap = now - self->last_heard;
  }
  self->last_heard = now;
  self->probing_since = -1;
  self->silent = FALSE;
  if (!self->first_probes)
    self->probe_at = -1;
  return gap ? RTC_PATH_BACK : 0;
}

guint
rtc_path_heard (RtcPath *self, gint64 now)
{
  guint actions;

  note_traffic (self, now);
  actions = alive (self, now);
  self->moved = FALSE;
  return actions;
}

static guint
restart (RtcPath *self, gint64 now)
{
  if (now < self->restart_at)
    return 0;
  self->restart_at = now + RESTART_INTERVAL;
  self->stats.n_restarts++;
  return RTC_PATH_RESTART;
}

static gboolean
is_ours (const RtcPath *self, const guint8 *id)
{
  for (guint i = 0; i < MIN (self->n_ids, OUTSTANDING); i++) {
    if (memcmp (self->ids[i], id, RTC_STUN_ID_SIZE) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
rtc_path_take_answer (RtcPath *self, const guint8 *data, gsize size, gint64 now, guint *actions)
{
  RtcStunMessage message;
  gboolean moved;

  *actions = 0;
  if (!self->key || !rtc_stun_parse (&message, data, size) || message.klass != RTC_STUN_SUCCESS
      || message.method != RTC_STUN_BINDING || !is_ours (self, message.id)
      || !rtc_stun_check_integrity (&message, self->key))
    return FALSE;
  self->answers = TRUE;
  self->first_probes = 0;
  *actions = alive (self, now);
  moved = self->mapped.family && message.mapped.family && !rtc_address_equal (&self->mapped, &message.mapped);
  if (message.mapped.family)
    self->mapped = message.mapped;
  if (moved) {
    /* What the peer sends goes where we are no more: a key frame is asked for from where we are, which shows it, and
     * again when it is heard. */
    self->moved = TRUE;
    *actions |= RTC_PATH_BACK | restart (self, now);
  }
  return TRUE;
}

guint
rtc_path_broken (RtcPath *self, gboolean changed, gint64 now)
{
  if (!self->key)
    return 0;
  if (changed) {
    self->restart_at = now;
    self->moved = TRUE;
  }
  if (self->probing_since < 0)
    self->probing_since = now;
  self->probe_at = now + PROBE_INTERVAL;
  return RTC_PATH_PROBE | restart (self, now);
}

static gint64
probe_interval (const RtcPath *self, gint64 now)
{
  if (self->probing_since < 0 || !self->answers)
    return FIRST_PROBE_INTERVAL;
  return now - self->probing_since < LATER ? PROBE_INTERVAL : LATER_PROBE_INTERVAL;
}

/* Whether there is a use in probing. */
static gboolean
may_probe (const RtcPath *self)
{
  return self->answers || self->first_probes;
}

gint64
rtc_path_get_deadline (const RtcPath *self)
{
  gint64 deadline = self->last_heard + probe_after (self);

  if (!self->key)
    return -1;
  if (self->probing_since >= 0 || self->first_probes)
    deadline = self->probe_at >= 0 ? self->probe_at : deadline;
  return deadline;
}

static guint
probe (RtcPath *self, gint64 now)
{
  gboolean quiet = now - self->last_heard >= probe_after (self);

  if (quiet && self->probing_since < 0)
    self->probing_since = now;
  if (self->first_probes)
    self->first_probes--;
  self->probe_at = now + probe_interval (self, now);
  return may_probe (self) && rtc_path_has_consent (self, now) ? RTC_PATH_PROBE : 0;
}

guint
rtc_path_tick (RtcPath *self, gint64 now)
{
  gint64 deadline = rtc_path_get_deadline (self);
  guint actions = 0;

  if (deadline < 0 || now < deadline)
    return 0;
  if (now - deadline > STALLED && self->probing_since >= 0)
    self->probing_since = now;
  actions = probe (self, now);
  if (self->probing_since >= 0 && now - self->probing_since >= (self->answers ? RESTART_AFTER : RESTART_AFTER_UNPROBED))
    actions |= restart (self, now);
  if (!self->silent && now - self->last_heard >= SILENT) {
    self->silent = TRUE;
    actions |= RTC_PATH_SILENT;
  }
  return actions;
}

gsize
rtc_path_write_probe (RtcPath *self, guint8 *out, gint64 now)
{
  guint8 *id = self->ids[self->n_ids++ % OUTSTANDING];
  RtcStunCheck check = {
      .id = id,
      .username = self->username,
      .priority = (110u << 24) | (65535u << 8) | 255u, /* peer-reflexive: RFC 8445, section 7.1.1 */
      /* Who controls says with it which pair is in use: a lite peer, and Chromium, follow at once. */
      .use_candidate = self->controlling,
      .controlling = self->controlling,
      .tie_breaker = self->tie_breaker,
  };

  if (RAND_bytes (id, RTC_STUN_ID_SIZE) != 1)
    g_error ("OpenSSL has no random numbers for ICE: look at the random device of this system");
  return rtc_stun_write_check (out, &check, self->key);
}

gboolean
rtc_path_has_consent (const RtcPath *self, gint64 now)
{
  return now - self->last_heard < CONSENT;
}

gboolean
rtc_path_is_probing (const RtcPath *self)
{
  return self->probing_since >= 0;
}

gboolean
rtc_path_is_silent (const RtcPath *self)
{
  return self->silent;
}

const RtcPathStats *
rtc_path_get_stats (const RtcPath *self)
{
  return &self->stats;
}
