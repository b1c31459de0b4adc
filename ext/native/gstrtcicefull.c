/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcice.h"
#include "gstrtcicenice.h"
#include "gstrtciceservers.h"
#include "gstrtcicespare.h"
#include "gstrtcinterfaces.h"
#include "gstrtcudp.h"
#include "core/rtccandidate.h"
#include "core/rtcmessage.h"

#include <nice/agent.h>
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>

#define PACING_MS 5
#define DATAGRAM 2048
#define BATCH 16
#define ROUNDS 8
#define STUN_HEADER 20
#define STUN_SUCCESS 1 /* the first byte of a success response */
#define PROBE_LIFE (3 * G_TIME_SPAN_SECOND) /* after that there is no use in looking for its answer */
/* More than what packets overtake one another by. */
#define MEDIA_MOVED (50 * G_TIME_SPAN_MILLISECOND)
/* Browsers send a dozen. Each makes a pair with each of ours. */
#define MAX_REMOTE 64
/* A TURN server that answers does so in two round trips. */
#define RELAY_LATE_MS 2000
/* An agent that has its pair goes on looking for work each PACING_MS for so long; more candidates begin it anew. */
#define READY_IDLE_MS 100
/* rtcbin gives a connection 15 s, and knows nothing of relays. */
#define HOPELESS_MS 12000
#define ANY_PORT 65535
#define FIRST_PORT 1024

typedef struct
{
  int fd;
  GstRtcWatch *watch;
} Socket;

typedef struct
{
  GstRtcIce base;

  /* loop */
  GstRtcPoll *poll;
  NiceAgent *agent;
  guint stream;
  GArray *sockets; /* of Socket: those of the agent */
  GstRtcTransportState state;
  GstRtcLoop *loop;
  GstRtcIceServers *servers;
  GSource *relay_timer, *hopeless_timer;
  GstRtcTransportAddresses addresses; /* strings owned */
  guint min_port, max_port;
  guint n_relays; /* candidates */
  guint n_remote; /* candidates of the peer that were tried */
  gboolean names_left_out; /* and there were some with names */
  gboolean attached; /* the agent reads by itself, on the loop's context */
  gboolean relay_only;
  gboolean gso;
  gboolean may_send; /* the peer consents, as the agent sees it */
  GstRtcSpare *spare; /* that is sent on instead; NULL: none */
  int direct; /* socket to send on without the agent; -1: through it (relays, TCP) */
  RtcAddress remote;
  gint64 remote_heard; /* microseconds; when something authentic came from there */
  NiceAddress *from; /* of the datagram that is being told */
  gint64 now;
  gint64 probed; /* microseconds; when a probe was sent that may still be answered; 0: none */
  guint8 *space;
} Agent;

#define COMPONENT GST_RTC_ICE_COMPONENT

static void
set_state (Agent *self, GstRtcTransportState state, const GError *error)
{
  if (self->state == state && !error)
    return;
  self->state = state;
  self->base.events->state (state, error, self->base.user_data);
}

/* Receiving. */

/* The agent would swallow the answers to our probes, so they are taken before it sees them. */
static void
take_answers (Agent *self, int fd)
{
  gssize size;

  if (self->now - self->probed > PROBE_LIFE)
    self->probed = 0;
  while (self->probed && self->agent) {
    size = recv (fd, self->space, DATAGRAM, MSG_PEEK | MSG_DONTWAIT);
    if (size < STUN_HEADER || self->space[0] != STUN_SUCCESS
        || !self->base.events->datagram (self->space, size, g_get_monotonic_time (), self->base.user_data))
      return;
    self->probed = 0;
    recv (fd, self->space, DATAGRAM, MSG_DONTWAIT);
  }
}

static void
readable (int fd, gpointer user_data)
{
  Agent *self = user_data;
  GInputVector vectors[BATCH];
  NiceInputMessage messages[BATCH];
  NiceAddress from[BATCH];
  NiceAgent *agent = g_object_ref (self->agent);
  gint n = 1, wanted = 1;

  for (guint round = 0; n == wanted && round < ROUNDS && self->agent; round++) {
    take_answers (self, fd);
    wanted = self->probed ? 1 : BATCH;
    for (gint i = 0; i < wanted; i++) {
      vectors[i] = (GInputVector){self->space + i * DATAGRAM, DATAGRAM};
      nice_address_init (&from[i]);
      messages[i] = (NiceInputMessage){&vectors[i], 1, &from[i], 0};
    }
    n = self->agent
        ? nice_agent_recv_messages_nonblocking (agent, self->stream, COMPONENT, messages, wanted, NULL, NULL)
        : 0;
    self->now = g_get_monotonic_time ();
    for (gint i = 0; i < n; i++) {
      self->from = &from[i];
      self->base.events->datagram (self->space + i * DATAGRAM, messages[i].length, self->now, self->base.user_data);
    }
  }
  self->from = NULL;
  g_object_unref (agent);
}

static gboolean
is_watched (Agent *self, int fd)
{
  for (guint i = 0; i < self->sockets->len; i++) {
    if (g_array_index (self->sockets, Socket, i).fd == fd)
      return TRUE;
  }
  return FALSE;
}

static void
unwatch_all (Agent *self)
{
  for (guint i = 0; i < self->sockets->len; i++)
    gst_rtc_poll_remove (self->poll, g_array_index (self->sockets, Socket, i).watch);
  g_array_set_size (self->sockets, 0);
}

/* The agent opens sockets while it gathers. */
static void
watch_sockets (Agent *self)
{
  GPtrArray *sockets = self->attached ? NULL : nice_agent_get_sockets (self->agent, self->stream, COMPONENT);

  for (guint i = 0; sockets && i < sockets->len; i++) {
    int fd = g_socket_get_fd (g_ptr_array_index (sockets, i));

    if (fd >= 0 && !is_watched (self, fd)) {
      Socket socket = {fd, gst_rtc_poll_add (self->poll, fd, readable, self)};

      g_array_append_val (self->sockets, socket);
    }
  }
  g_clear_pointer (&sockets, g_ptr_array_unref);
}

/* TCP connections to relays are sockets that the agent does not show, so it reads by itself when there may be some. */
static void
on_received (NiceAgent *agent, guint stream, guint component, guint size, gchar *data, gpointer user_data)
{
  Agent *self = user_data;

  self->from = NULL;
  self->now = g_get_monotonic_time ();
  self->base.events->datagram ((guint8 *)data, size, self->now, self->base.user_data);
}

/* What is wrong when there is no path. */

static void
fail (Agent *self, const gchar *what)
{
  const gchar *trouble = self->servers ? gst_rtc_ice_servers_get_trouble (self->servers) : NULL;
  GError *error = g_error_new (
      RTC_ERROR, RTC_ERROR_SETUP_FAILED, "%s%s%s", what, trouble ? ". The server " : "", trouble ? trouble : "");

  set_state (self, self->state, error);
  g_error_free (error);
}

static void
on_diagnosed (gpointer user_data)
{
  Agent *self = user_data;

  if (self->relay_only && self->n_relays == 0)
    fail (self, "There is no relay, and ice-transport-policy=relay wants nothing else");
}

static void
on_relay_late (gpointer user_data)
{
  Agent *self = user_data;

  self->relay_timer = NULL;
  if (self->n_relays == 0)
    gst_rtc_ice_servers_diagnose (self->servers, on_diagnosed, self);
}

static void
on_hopeless (gpointer user_data)
{
  Agent *self = user_data;

  self->hopeless_timer = NULL;
  if (self->state < GST_RTC_TRANSPORT_CONNECTED && gst_rtc_ice_servers_get_trouble (self->servers))
    fail (self, "No pair of candidates reached the other side");
}

/* What the agent tells; it runs on the loop alone. */

static void
on_candidate (NiceAgent *agent, NiceCandidate *candidate, gpointer user_data)
{
  Agent *self = user_data;
  gchar *line;

  watch_sockets (self);
  self->n_relays += candidate->type == NICE_CANDIDATE_TYPE_RELAYED;
  if (self->relay_only && candidate->type != NICE_CANDIDATE_TYPE_RELAYED)
    return;
  line =
      gst_rtc_ice_write_candidate (agent, candidate, &self->addresses, self->relay_only || self->addresses.advertise);
  if (line)
    self->base.events->candidate (line, self->base.user_data);
  g_free (line);
}

static void
on_gathered (NiceAgent *agent, guint stream, gpointer user_data)
{
  Agent *self = user_data;

  watch_sockets (self);
  if (self->n_relays == 0 && gst_rtc_ice_servers_has_relay (self->servers))
    gst_rtc_ice_servers_diagnose (self->servers, on_diagnosed, self);
  self->base.events->candidate (NULL, self->base.user_data);
}

static void
on_selected (
    NiceAgent *agent, guint stream, guint component, NiceCandidate *local, NiceCandidate *remote, gpointer user_data)
{
  Agent *self = user_data;
  GSocket *socket = nice_agent_get_selected_socket (agent, stream, component);

  self->direct = -1;
  g_clear_pointer (&self->spare, gst_rtc_spare_free);
  if (socket && local->type != NICE_CANDIDATE_TYPE_RELAYED && local->transport == NICE_CANDIDATE_TRANSPORT_UDP
      && gst_rtc_ice_address (&remote->addr, &self->remote))
    self->direct = g_socket_get_fd (socket);
  if (self->direct >= 0)
    gst_rtc_udp_widen (self->direct);
}

static void
on_state (NiceAgent *agent, guint stream, guint component, guint state, gpointer user_data)
{
  Agent *self = user_data;

  self->may_send = state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY;
  if (state == NICE_COMPONENT_STATE_READY)
    g_object_set (agent, "idle-timeout", READY_IDLE_MS, NULL);
  if (self->may_send) {
    watch_sockets (self);
    set_state (self, GST_RTC_TRANSPORT_CONNECTED, NULL);
  } else if (state == NICE_COMPONENT_STATE_CONNECTING && self->state < GST_RTC_TRANSPORT_CHECKING) {
    set_state (self, GST_RTC_TRANSPORT_CHECKING, NULL);
  } else if (state == NICE_COMPONENT_STATE_FAILED && self->state >= GST_RTC_TRANSPORT_CONNECTED) {
    set_state (self, GST_RTC_TRANSPORT_DISCONNECTED, NULL);
  } else if (state == NICE_COMPONENT_STATE_FAILED) {
    fail (self, "No pair of candidates reached the other side");
  }
}

/* From the transport. */

static void
agent_set_remote (GstRtcIce *ice, const gchar *ufrag, const gchar *password, gboolean lite)
{
  Agent *self = (Agent *)ice;

  /* A lite side never begins: RFC 8445, section 6.1.1. */
  if (lite)
    g_object_set (self->agent, "controlling-mode", TRUE, NULL);
  nice_agent_set_remote_credentials (self->agent, self->stream, ufrag, password);
  if (!self->hopeless_timer && gst_rtc_ice_servers_has_relay (self->servers))
    self->hopeless_timer = gst_rtc_loop_add_timeout (self->loop, HOPELESS_MS, on_hopeless, self);
}

static void
gather (gpointer user_data)
{
  Agent *self = user_data;

  gst_rtc_ice_servers_apply (self->servers, self->agent, self->stream, COMPONENT);
  if (gst_rtc_ice_servers_has_tcp_relay (self->servers)) {
    self->attached = TRUE;
    nice_agent_attach_recv (
        self->agent, self->stream, COMPONENT, gst_rtc_loop_get_context (self->loop), on_received, self);
  }
  if (nice_agent_gather_candidates (self->agent, self->stream)) {
    watch_sockets (self);
  } else if (self->min_port) {
    gchar *what = g_strdup_printf ("No UDP port from %u to %u (min-rtp-port to max-rtp-port) is free: each peer takes "
                                   "one, on every address, and two for a moment when its path is renewed",
        self->min_port, self->max_port);

    fail (self, what);
    g_free (what);
  } else {
    fail (self, "The system opens no UDP port: are its ports or this process's descriptors (ulimit -n) used up?");
  }
}

static void
agent_gather (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;

  if (gst_rtc_ice_servers_has_relay (self->servers)) {
    self->relay_timer = gst_rtc_loop_add_timeout (self->loop, RELAY_LATE_MS, on_relay_late, self);
  } else if (self->relay_only) {
    fail (self, "ice-transport-policy=relay needs a TURN server, and none is set that can be used: see turn-server");
    return;
  }
  gst_rtc_ice_servers_resolve (self->servers, gather, self);
}

static void
agent_add_candidate (GstRtcIce *ice, const gchar *text)
{
  Agent *self = (Agent *)ice;
  NiceCandidate *candidate;
  GSList *list;

  if (!text) {
    /* Those with names make themselves known by their checks. */
    if (!self->names_left_out)
      nice_agent_peer_candidate_gathering_done (self->agent, self->stream);
    return;
  }
  if (rtc_candidate_is_mdns (text) && !self->names_left_out) {
    self->names_left_out = TRUE;
    g_object_set (self->agent, "idle-timeout", HOPELESS_MS, NULL);
  }
  if (self->n_remote >= MAX_REMOTE)
    return;
  candidate = gst_rtc_ice_read_candidate (self->agent, self->stream, text);
  if (!candidate)
    return;
  self->n_remote++;
  list = g_slist_append (NULL, candidate);
  nice_agent_set_remote_candidates (self->agent, self->stream, COMPONENT, list);
  g_slist_free_full (list, (GDestroyNotify)nice_candidate_free);
}

static gboolean
agent_send (GstRtcIce *ice, const GstRtcIceBatch *batch)
{
  Agent *self = (Agent *)ice;
  const guint8 *data = batch->data;
  guint sent = 0;

  if (self->spare) {
    errno = 0;
    if (gst_rtc_spare_send (self->spare, &self->remote, batch))
      return TRUE;
    if (gst_rtc_udp_is_unreachable (errno))
      ice->events->unreachable (ice->user_data);
    return FALSE;
  }
  if (self->direct >= 0) {
    errno = 0;
    if (gst_rtc_udp_send_on (self->direct, FALSE, &self->gso, &self->remote, batch->data, batch->sizes, batch->n)
        == batch->n)
      return TRUE;
    if (gst_rtc_udp_is_unreachable (errno))
      ice->events->unreachable (ice->user_data);
    return FALSE;
  }
  if (!self->may_send)
    return FALSE;
  for (guint i = 0; i < batch->n; i++) {
    sent += nice_agent_send (self->agent, self->stream, COMPONENT, batch->sizes[i], (const gchar *)data) > 0;
    data += batch->sizes[i];
  }
  return sent == batch->n;
}

/* The agent lets nothing through that did not come from where an authentic check came from, and moves by checks alone;
 * media that moved is followed at once. */
static void
agent_heard (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;
  RtcAddress from;

  if (self->direct < 0 || !self->from || !gst_rtc_ice_address (self->from, &from))
    return;
  if (rtc_address_equal (&from, &self->remote)) {
    self->remote_heard = self->now;
  } else if (from.family == self->remote.family && self->now - self->remote_heard > MEDIA_MOVED) {
    self->remote = from;
    self->remote_heard = self->now;
    ice->events->heard (GST_RTC_ICE_MOVED, self->now, ice->user_data);
  }
}

static gboolean
agent_probe (GstRtcIce *ice, guint8 *data, gsize size)
{
  Agent *self = (Agent *)ice;
  GstRtcIceBatch batch = {data, &size, 1};

  if (self->direct < 0 || self->attached)
    return FALSE;
  self->probed = g_get_monotonic_time ();
  return agent_send (ice, &batch);
}

static void
agent_moved (GstRtcIce *ice, const RtcAddress *source)
{
  Agent *self = (Agent *)ice;

  /* A range of ports is what a firewall lets through. */
  if (self->direct < 0 || self->spare || self->min_port || !gst_rtc_interfaces_has (&self->addresses, source))
    return;
  self->spare = gst_rtc_spare_new (self->poll, ice);
}

static gboolean
agent_get_address (GstRtcIce *ice, RtcAddress *remote)
{
  Agent *self = (Agent *)ice;

  *remote = self->remote;
  return self->direct >= 0;
}

static void
copy_credentials (Agent *self)
{
  g_clear_pointer (&self->base.ufrag, g_free);
  g_clear_pointer (&self->base.password, g_free);
  nice_agent_get_local_credentials (self->agent, self->stream, &self->base.ufrag, &self->base.password);
}

static void
agent_add_stats (GstRtcIce *ice, GstStructure *stats)
{
  Agent *self = (Agent *)ice;
  NiceCandidate *local = NULL, *remote = NULL;

  gst_structure_set (stats, "ice", G_TYPE_STRING, "full", NULL);
  if (nice_agent_get_selected_pair (self->agent, self->stream, COMPONENT, &local, &remote)) {
    gchar *from = nice_agent_generate_local_candidate_sdp (self->agent, local);
    gchar *to = nice_agent_generate_local_candidate_sdp (self->agent, remote);

    gst_structure_set (stats, "local-candidate", G_TYPE_STRING, from, "remote-candidate", G_TYPE_STRING, to, NULL);
    g_free (from);
    g_free (to);
  }
}

static void
ignore (NiceAgent *agent, guint stream, guint component, guint size, gchar *data, gpointer user_data)
{
}

static void
agent_free (GstRtcIce *ice)
{
  Agent *self = (Agent *)ice;
  int *fds = g_new (int, self->sockets->len);
  guint n = self->sockets->len;

  for (guint i = 0; i < n; i++)
    fds[i] = g_array_index (self->sockets, Socket, i).fd;
  g_clear_pointer (&self->spare, gst_rtc_spare_free);
  unwatch_all (self);
  g_array_unref (self->sockets);
  if (self->relay_timer)
    g_source_destroy (self->relay_timer);
  if (self->hopeless_timer)
    g_source_destroy (self->hopeless_timer);
  gst_rtc_ice_servers_free (self->servers);
  g_signal_handlers_disconnect_by_data (self->agent, self);
  if (self->attached)
    nice_agent_attach_recv (self->agent, self->stream, COMPONENT, gst_rtc_loop_get_context (self->loop), ignore, NULL);
  gst_rtc_ice_close (self->poll, self->loop, g_steal_pointer (&self->agent), self->stream, fds, n);
  gst_rtc_transport_addresses_clear (&self->addresses);
  g_free (fds);
  g_free (ice->ufrag);
  g_free (ice->password);
  g_free (self->space);
  g_free (self);
}

static const GstRtcIceClass full_class = {
    .name = "full",
    .set_remote = agent_set_remote,
    .gather = agent_gather,
    .add_candidate = agent_add_candidate,
    .send = agent_send,
    .heard = agent_heard,
    .probe = agent_probe,
    .get_address = agent_get_address,
    .moved = agent_moved,
    .add_stats = agent_add_stats,
    .free = agent_free,
};

/* Beginning. */

static gboolean
add_addresses (Agent *self, GError **error)
{
  GPtrArray *addresses = gst_rtc_interfaces_list (&self->addresses, error);

  for (guint i = 0; addresses && i < addresses->len; i++) {
    NiceAddress address;

    nice_address_init (&address);
    if (nice_address_set_from_string (&address, g_ptr_array_index (addresses, i)))
      nice_agent_add_local_address (self->agent, &address);
  }
  if (addresses)
    g_ptr_array_unref (addresses);
  return addresses != NULL;
}

GstRtcIce *
gst_rtc_ice_full_new (GstRtcPoll *poll, GstRtcLoop *loop, const GstRtcTransportConfig *config, gboolean controlling,
    const GstRtcIceEvents *events, gpointer user_data, GError **error)
{
  Agent *self = g_new0 (Agent, 1);

  self->base = (GstRtcIce){.klass = &full_class, .events = events, .user_data = user_data};
  self->poll = poll;
  self->loop = loop;
  self->servers = gst_rtc_ice_servers_new (loop, config);
  self->addresses = gst_rtc_transport_addresses_copy (&config->addresses);
  self->min_port = config->min_rtp_port || config->max_rtp_port == ANY_PORT ? config->min_rtp_port : FIRST_PORT;
  self->max_port = config->max_rtp_port;
  self->direct = -1;
  self->gso = TRUE;
  self->relay_only = config->relay_only;
  self->state = GST_RTC_TRANSPORT_GATHERING;
  self->sockets = g_array_new (FALSE, FALSE, sizeof (Socket));
  self->space = g_malloc (BATCH * DATAGRAM);
  self->agent = nice_agent_new_full (gst_rtc_poll_get_timers (poll), NICE_COMPATIBILITY_RFC5245,
      NICE_AGENT_OPTION_ICE_TRICKLE | NICE_AGENT_OPTION_CONSENT_FRESHNESS);
  g_object_set (self->agent, "controlling-mode", controlling, "ice-tcp", FALSE, "upnp", FALSE, "stun-pacing-timer",
      PACING_MS, "force-relay", config->relay_only, NULL);
  self->stream = nice_agent_add_stream (self->agent, 1);
  if (self->min_port)
    nice_agent_set_port_range (self->agent, self->stream, COMPONENT, self->min_port, self->max_port);
  if (!add_addresses (self, error)) {
    agent_free (&self->base);
    return NULL;
  }
  copy_credentials (self);
  g_signal_connect (self->agent, "new-candidate-full", G_CALLBACK (on_candidate), self);
  g_signal_connect (self->agent, "candidate-gathering-done", G_CALLBACK (on_gathered), self);
  g_signal_connect (self->agent, "new-selected-pair-full", G_CALLBACK (on_selected), self);
  g_signal_connect (self->agent, "component-state-changed", G_CALLBACK (on_state), self);
  return &self->base;
}
