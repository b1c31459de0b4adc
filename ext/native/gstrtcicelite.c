/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcicelite.h"
#include "gstrtcinterfaces.h"
#include "gstrtcudp.h"
#include "rtcicelite.h"
#include "core/rtcmessage.h"

#include <errno.h>

#define TICK_MS 1000
/* RFC 7675: consent ends 30 s after the last check. Browsers check every 2 to 6 s. */
#define SILENCE_SUSPECT (12 * G_USEC_PER_SEC)
#define SILENCE_END (30 * G_USEC_PER_SEC)
/* A check of another address of ours is only a check while what the peer sends comes to this one. */
#define LOCAL_HOLDS (2 * G_USEC_PER_SEC)

struct _GstRtcLite
{
  /* loop */
  GstRtcLoop *loop;
  GstRtcPoll *poll;
  GstRtcUdp *udp;
  GstRtcWatch *watch;
  RtcIceLite *machine;
  GstRtcTransportAddresses addresses; /* strings owned */
  GPtrArray *agents; /* of Agent */
  GSource *timer;
};

/* Where an address of the peer sends to. */
typedef struct
{
  RtcAddress remote, local;
  gint64 heard; /* microseconds; when media came this way, or the first check; 0: the place is free */
} Way;

typedef struct
{
  GstRtcIce base;

  /* loop */
  GstRtcLite *lite;
  RtcIceLitePeer *peer;
  Way ways[RTC_ICE_LITE_MAX_ADDRESSES];
  GstRtcTransportState state;
  RtcAddress from, to; /* of the datagram that is being told */
  gint64 now;
} Agent;

static void
agent_set_state (Agent *self, GstRtcTransportState state)
{
  if (self->state == state)
    return;
  self->state = state;
  self->base.events->state (state, NULL, self->base.user_data);
}

/* What the peer sends to one of this machine's addresses is answered from there. */

static Way *
find_way (Agent *self, const RtcAddress *remote)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->ways); i++) {
    if (self->ways[i].heard && rtc_address_equal (&self->ways[i].remote, remote))
      return &self->ways[i];
  }
  return NULL;
}

static void
note_way (Agent *self, const RtcAddress *remote, const RtcAddress *local, gboolean is_check, gint64 now)
{
  Way *way = find_way (self, remote);

  if (!way) {
    way = &self->ways[0];
    for (guint i = 1; i < G_N_ELEMENTS (self->ways); i++) {
      if (self->ways[i].heard < way->heard)
        way = &self->ways[i];
    }
  } else if (is_check && now - way->heard < LOCAL_HOLDS) {
    return;
  }
  *way = (Way){*remote, *local, now};
}

/* The socket. */

static void
take_check (GstRtcLite *self, const RtcAddress *from, const RtcAddress *to, guint8 *data, gsize size, gint64 now)
{
  guint8 answer[RTC_ICE_LITE_MAX_ANSWER];
  gsize answer_size;
  RtcIceLitePeer *peer;
  guint changes;

  if (rtc_ice_lite_take (self->machine, from, data, size, now, &peer, &changes, answer, &answer_size)
      == RTC_ICE_LITE_IGNORED)
    return;
  gst_rtc_udp_send (self->udp, to->family ? to : NULL, from, answer, &answer_size, 1);
  /* What was refused is answered as well, and says nothing of the peer. */
  if (peer && rtc_ice_lite_peer_get_address (peer) && rtc_ice_lite_peer_get_last_check (peer) == now) {
    Agent *agent = rtc_ice_lite_peer_get_user_data (peer);

    note_way (agent, from, to, TRUE, now);
    agent_set_state (agent, GST_RTC_TRANSPORT_CONNECTED);
    agent->base.events->heard ((changes & RTC_ICE_LITE_RESTARTED ? GST_RTC_ICE_RENEWED : 0)
            | (changes & RTC_ICE_LITE_MOVED ? GST_RTC_ICE_MOVED : 0),
        now, agent->base.user_data);
  }
}

static void
datagram (const RtcAddress *from, const RtcAddress *to, guint8 *data, gsize size, gpointer user_data)
{
  GstRtcLite *self = user_data;
  gint64 now = g_get_monotonic_time ();
  RtcIceLitePeer *peer;
  Agent *agent;

  if (size > 0 && data[0] == 0) {
    take_check (self, from, to, data, size, now);
    return;
  }
  peer = rtc_ice_lite_find (self->machine, from);
  if (!peer)
    return;
  agent = rtc_ice_lite_peer_get_user_data (peer);
  agent->from = *from;
  agent->to = *to;
  agent->now = now;
  agent->base.events->datagram (data, size, now, agent->base.user_data);
}

static void
readable (int fd, gpointer user_data)
{
  GstRtcLite *self = user_data;

  gst_rtc_udp_receive (self->udp, datagram, self);
}

static void
tick (gpointer user_data)
{
  GstRtcLite *self = user_data;
  gint64 now = g_get_monotonic_time ();

  self->timer = gst_rtc_loop_add_timeout (self->loop, TICK_MS, tick, self);
  for (guint i = self->agents->len; i-- > 0;) {
    Agent *agent = g_ptr_array_index (self->agents, i);
    gint64 last = rtc_ice_lite_peer_get_last_check (agent->peer);

    if (last && now - last > SILENCE_END) {
      GError *error = g_error_new_literal (
          RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The peer's ICE checks ended: nothing was heard of it for 30 s");

      agent->base.events->state (GST_RTC_TRANSPORT_DISCONNECTED, error, agent->base.user_data);
      g_error_free (error);
    } else if (last && now - last > SILENCE_SUSPECT) {
      agent_set_state (agent, GST_RTC_TRANSPORT_DISCONNECTED);
    }
  }
}

GstRtcLite *
gst_rtc_lite_new (
    GstRtcLoop *loop, GstRtcPoll *poll, guint port, const GstRtcTransportAddresses *addresses, GError **error)
{
  GstRtcUdp *udp = gst_rtc_udp_new (port, error);
  GstRtcLite *self;

  if (!udp)
    return NULL;
  self = g_new0 (GstRtcLite, 1);
  self->loop = loop;
  self->poll = poll;
  self->udp = udp;
  self->machine = rtc_ice_lite_new ();
  self->agents = g_ptr_array_new ();
  self->addresses = gst_rtc_transport_addresses_copy (addresses);
  self->watch = gst_rtc_poll_add (poll, gst_rtc_udp_get_fd (udp), readable, self);
  self->timer = gst_rtc_loop_add_timeout (loop, TICK_MS, tick, self);
  return self;
}

void
gst_rtc_lite_free (GstRtcLite *self)
{
  g_source_destroy (self->timer);
  gst_rtc_poll_remove (self->poll, self->watch);
  gst_rtc_udp_free (self->udp);
  rtc_ice_lite_free (self->machine);
  g_ptr_array_unref (self->agents);
  gst_rtc_transport_addresses_clear (&self->addresses);
  g_free (self);
}

/* One peer. */

static void
agent_set_remote (GstRtcIce *ice, const gchar *ufrag, const gchar *password, gboolean lite)
{
  Agent *self = (Agent *)ice;

  rtc_ice_lite_peer_set_remote_ufrag (self->peer, ufrag);
  if (self->state == GST_RTC_TRANSPORT_GATHERING)
    agent_set_state (self, GST_RTC_TRANSPORT_CHECKING);
}

/* What peers are told: without an advertised address those of the interfaces, which come and go, so they are asked anew
 * for each peer. */
static GPtrArray *
list_addresses (GstRtcLite *self, GError **error)
{
  GPtrArray *list;

  if (!self->addresses.advertise)
    return gst_rtc_interfaces_list (&self->addresses, error);
  list = g_ptr_array_new_with_free_func (g_free);
  for (guint family = 4; family <= 6; family += 2) {
    gchar *ip = gst_rtc_interfaces_advertise (&self->addresses, family == 4 ? "0.0.0.0" : "::");

    if (ip)
      g_ptr_array_add (list, ip);
  }
  return list;
}

static void
agent_gather (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;
  GError *error = NULL;
  GPtrArray *addresses = list_addresses (self->lite, &error);

  if (!addresses) {
    ice->events->state (self->state, error, ice->user_data);
    g_error_free (error);
    return;
  }
  for (guint i = 0; i < addresses->len; i++) {
    const gchar *ip = g_ptr_array_index (addresses, i);
    /* RFC 8445, section 5.1.2.1: type host, and a preference that differs. */
    guint priority = (126u << 24) | ((65535u - MIN (i, 65535u)) << 8) | 255u;
    gchar *candidate = g_strdup_printf (
        "candidate:%u 1 udp %u %s %u typ host", i + 1, priority, ip, gst_rtc_udp_get_port (self->lite->udp));

    ice->events->candidate (candidate, ice->user_data);
    g_free (candidate);
  }
  g_ptr_array_unref (addresses);
  ice->events->candidate (NULL, ice->user_data);
}

static void
agent_add_candidate (GstRtcIce *ice, const gchar *candidate)
{
  /* A lite agent sends no checks: it hears of the peer's addresses when they are used. */
}

static gboolean
agent_send (GstRtcIce *ice, const GstRtcIceBatch *batch)
{
  Agent *self = (Agent *)ice;
  const RtcAddress *to = rtc_ice_lite_peer_get_address (self->peer);
  const Way *way;

  if (!to)
    return FALSE;
  errno = 0;
  way = find_way (self, to);
  if (gst_rtc_udp_send (
          self->lite->udp, way && way->local.family ? &way->local : NULL, to, batch->data, batch->sizes, batch->n)
      == batch->n)
    return TRUE;
  if (gst_rtc_udp_is_unreachable (errno))
    ice->events->unreachable (ice->user_data);
  return FALSE;
}

static gboolean
agent_probe (GstRtcIce *ice, guint8 *data, gsize size)
{
  GstRtcIceBatch batch = {data, &size, 1};

  return agent_send (ice, &batch);
}

static gboolean
agent_get_address (GstRtcIce *ice, RtcAddress *remote)
{
  const RtcAddress *to = rtc_ice_lite_peer_get_address (((Agent *)ice)->peer);

  if (to)
    *remote = *to;
  return to != NULL;
}

/* Until the peer is heard on another of our addresses the system chooses. */
static void
agent_moved (GstRtcIce *ice, const RtcAddress *source)
{
  Agent *self = (Agent *)ice;

  for (guint i = 0; gst_rtc_interfaces_has (&self->lite->addresses, source) && i < G_N_ELEMENTS (self->ways); i++)
    self->ways[i].local.family = 0;
}

static void
agent_heard (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;

  gboolean moved = rtc_ice_lite_peer_heard (self->peer, &self->from, self->now);

  note_way (self, &self->from, &self->to, FALSE, self->now);
  if (moved)
    ice->events->heard (GST_RTC_ICE_MOVED, self->now, ice->user_data);
}

static void
agent_copy_credentials (Agent *self)
{
  g_free (self->base.ufrag);
  g_free (self->base.password);
  self->base.ufrag = g_strdup (rtc_ice_lite_peer_get_ufrag (self->peer));
  self->base.password = g_strdup (rtc_ice_lite_peer_get_password (self->peer));
}

static void
agent_restart (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;

  rtc_ice_lite_peer_restart (self->lite->machine, self->peer);
  agent_copy_credentials (self);
}

static void
agent_add_stats (GstRtcIce *ice, GstStructure *stats)
{
  Agent *self = (Agent *)ice;
  const RtcAddress *to = rtc_ice_lite_peer_get_address (self->peer);
  gint64 last = rtc_ice_lite_peer_get_last_check (self->peer);
  gchar *remote = to ? rtc_address_to_string (to) : NULL;

  gst_structure_set (stats, "ice", G_TYPE_STRING, "lite", "remote-address", G_TYPE_STRING, remote ? remote : "",
      "silent-for", G_TYPE_UINT64, last ? (g_get_monotonic_time () - last) * GST_USECOND : 0, NULL);
  g_free (remote);
}

static void
agent_free (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;

  g_ptr_array_remove_fast (self->lite->agents, self);
  rtc_ice_lite_remove (self->lite->machine, self->peer);
  g_free (ice->ufrag);
  g_free (ice->password);
  g_free (self);
}

static const GstRtcIceClass lite_class = {
    .name = "lite",
    .set_remote = agent_set_remote,
    .gather = agent_gather,
    .add_candidate = agent_add_candidate,
    .send = agent_send,
    .heard = agent_heard,
    .probe = agent_probe,
    .get_address = agent_get_address,
    .moved = agent_moved,
    .restart = agent_restart,
    .add_stats = agent_add_stats,
    .free = agent_free,
};

GstRtcIce *
gst_rtc_ice_lite_new (GstRtcLite *lite, const GstRtcIceEvents *events, gpointer user_data)
{
  Agent *self = g_new0 (Agent, 1);

  self->base = (GstRtcIce){.klass = &lite_class, .events = events, .user_data = user_data};
  self->lite = lite;
  self->state = GST_RTC_TRANSPORT_GATHERING;
  self->peer = rtc_ice_lite_add (lite->machine, self);
  agent_copy_credentials (self);
  g_ptr_array_add (lite->agents, self);
  return &self->base;
}
