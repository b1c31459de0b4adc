/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstrtcsctpsocket.h"
#include "rtcbytes.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Timers may be early by so much, and looking at them costs less. */
#define MIN_TURN_MS 5

/* RFC 8260 came after the header that Debian has, not after its library. */
#ifndef SCTP_INTERLEAVING_SUPPORTED
#define SCTP_INTERLEAVING_SUPPORTED 0x00001206
#endif
/* Streams' messages may be delivered in parts, all of them at once. */
#define INTERLEAVE_ALL 2

struct _GstRtcSctpSocket
{
  /* constant */
  const GstRtcSctpSocketFuncs *funcs;
  gpointer user_data;
  guint id; /* what usrsctp knows it by, in place of an address: nothing of the process's memory is in the cookies */

  /* the lock */
  struct socket *socket; /* NULL: closed */
};

static struct
{
  GMutex lock;

  /* the lock; owner is also read by threads that might not have it */
  gpointer owner; /* GThread */
  GstRtcSctpSocket *entered;
  gboolean is_initialised;
  gint64 turned; /* usrsctp's timers are there */
  GHashTable *sockets; /* id: GstRtcSctpSocket */
  GQueue free_ids; /* were used; an address that is taken from usrsctp makes work for its thread, so none is */
  guint n_ids;
} process;

static void
lock (GstRtcSctpSocket *socket)
{
  g_mutex_lock (&process.lock);
  g_atomic_pointer_set (&process.owner, g_thread_self ());
  process.entered = socket;
}

static void
unlock (void)
{
  process.entered = NULL;
  g_atomic_pointer_set (&process.owner, NULL);
  g_mutex_unlock (&process.lock);
}

/* Called by usrsctp. */

static GstRtcSctpSocket *
find (gpointer id)
{
  /* Its own thread has nothing to send; should it ever, the packet is lost, which SCTP bears. */
  if (g_atomic_pointer_get (&process.owner) != g_thread_self ())
    return NULL;
  return g_hash_table_lookup (process.sockets, id);
}

static int
on_output (void *id, void *data, size_t size, uint8_t tos, uint8_t set_df)
{
  GstRtcSctpSocket *self = find (id);

  if (self)
    self->funcs->packet (data, size, self->user_data);
  return 0;
}

static int
on_receive (struct socket *socket, union sctp_sockstore address, void *data, size_t size, struct sctp_rcvinfo info,
    int flags, void *id)
{
  GstRtcSctpSocket *self = find (id);

  if (data && self)
    self->funcs->received (data, size, &info, flags, self->user_data);
  else
    free (data);
  return 1;
}

static int
on_send (struct socket *socket, uint32_t room, void *id)
{
  GstRtcSctpSocket *self = find (id);

  if (self)
    self->funcs->acknowledged (GST_RTC_SCTP_BUFFER - MIN (room, GST_RTC_SCTP_BUFFER), self->user_data);
  return 1;
}

/* Settings of the process. */

static void
initialise (gint64 now)
{
  if (process.is_initialised)
    return;
  process.is_initialised = TRUE;
  process.turned = now;
  process.sockets = g_hash_table_new (NULL, NULL);
  usrsctp_init_nothreads (0, on_output, NULL);

  /* Nothing that a browser does not use. What is off is not parsed, either (gst_rtc_sctp_packet_is_sound()). */
  usrsctp_sysctl_set_sctp_ecn_enable (0);
  usrsctp_sysctl_set_sctp_asconf_enable (0);
  usrsctp_sysctl_set_sctp_auto_asconf (0);
  usrsctp_sysctl_set_sctp_auth_enable (0);
  usrsctp_sysctl_set_sctp_nrsack_enable (0);
  usrsctp_sysctl_set_sctp_pktdrop_enable (0);
  usrsctp_sysctl_set_sctp_pr_enable (1);
  usrsctp_sysctl_set_sctp_reconfig_enable (1);
  usrsctp_sysctl_set_sctp_blackhole (2); /* no answer to what belongs to no association */
  usrsctp_enable_crc32c_offload ();

  usrsctp_sysctl_set_sctp_sendspace (GST_RTC_SCTP_BUFFER);
  usrsctp_sysctl_set_sctp_recvspace (GST_RTC_SCTP_BUFFER);
  usrsctp_sysctl_set_sctp_max_chunks_on_queue (10240);
  usrsctp_sysctl_set_sctp_initial_cwnd (10);
  usrsctp_sysctl_set_sctp_max_burst_default (10);
  usrsctp_sysctl_set_sctp_default_cc_module (SCTP_CC_RFC2581);

  /* A lost tail waits for the timer: a second would be felt. An outage ends within 2 s of the link being back, and how
   * long it may last is for ICE to say, so the peer is given up only after minutes. */
  usrsctp_sysctl_set_sctp_delayed_sack_time_default (20);
  usrsctp_sysctl_set_sctp_rto_min_default (100);
  usrsctp_sysctl_set_sctp_rto_initial_default (500);
  usrsctp_sysctl_set_sctp_rto_max_default (2000);
  usrsctp_sysctl_set_sctp_init_rto_max_default (2000);
  usrsctp_sysctl_set_sctp_init_rtx_max_default (60);
  usrsctp_sysctl_set_sctp_assoc_rtx_max_default (100);
  usrsctp_sysctl_set_sctp_path_rtx_max_default (100);
  usrsctp_sysctl_set_sctp_heartbeat_interval_default (10000);
}

void
gst_rtc_sctp_turn_timers (gint64 now)
{
  gint64 elapsed = (now - process.turned) / 1000;

  if (elapsed < 0) {
    process.turned = now;
  } else if (elapsed >= MIN_TURN_MS) {
    process.turned += elapsed * 1000;
    usrsctp_handle_timers (MIN (elapsed, G_MAXINT32));
  }
}

/* One socket. */

static gboolean
set_option (struct socket *socket, int level, int name, gconstpointer value, gsize size)
{
  return usrsctp_setsockopt (socket, level, name, value, size) == 0;
}

static gboolean
set_number (struct socket *socket, int level, int name, int value)
{
  return set_option (socket, level, name, &value, sizeof (value));
}

static gboolean
subscribe (struct socket *socket)
{
  static const guint16 types[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_SHUTDOWN_EVENT};

  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    struct sctp_event event = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = types[i], .se_on = 1};

    if (!set_option (socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof (event)))
      return FALSE;
  }
  return TRUE;
}

static gboolean
configure (struct socket *socket)
{
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  struct sctp_assoc_value reset = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
  struct sctp_assoc_value interleaving = {.assoc_id = SCTP_FUTURE_ASSOC, .assoc_value = 1};
  struct sctp_initmsg init = {.sinit_num_ostreams = GST_RTC_SCTP_STREAMS, .sinit_max_instreams = GST_RTC_SCTP_STREAMS};
  struct sctp_paddrparams path = {
      .spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = GST_RTC_SCTP_MTU - sizeof (struct sctp_common_header)};

  path.spp_address.ss_family = AF_CONN;
  return usrsctp_set_non_blocking (socket, 1) == 0
      && set_option (socket, SOL_SOCKET, SO_LINGER, &linger, sizeof (linger))
      && set_number (socket, SOL_SOCKET, SO_SNDBUF, GST_RTC_SCTP_BUFFER)
      && set_number (socket, SOL_SOCKET, SO_RCVBUF, GST_RTC_SCTP_BUFFER)
      && set_number (socket, IPPROTO_SCTP, SCTP_NODELAY, 1) && set_number (socket, IPPROTO_SCTP, SCTP_EXPLICIT_EOR, 1)
      && set_number (socket, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, INTERLEAVE_ALL)
      && set_option (socket, IPPROTO_SCTP, SCTP_INTERLEAVING_SUPPORTED, &interleaving, sizeof (interleaving))
      && set_option (socket, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &reset, sizeof (reset))
      && set_option (socket, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof (init))
      && set_option (socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof (path)) && subscribe (socket);
}

static struct sockaddr_conn
address_of (GstRtcSctpSocket *self, guint16 port)
{
  struct sockaddr_conn address = {
      .sconn_family = AF_CONN, .sconn_port = htons (port), .sconn_addr = GUINT_TO_POINTER (self->id)};

#ifdef HAVE_SCONN_LEN
  address.sconn_len = sizeof (address);
#endif
  return address;
}

static void
take_id (GstRtcSctpSocket *self)
{
  self->id = GPOINTER_TO_UINT (g_queue_pop_head (&process.free_ids));
  if (self->id == 0) {
    self->id = ++process.n_ids;
    usrsctp_register_address (GUINT_TO_POINTER (self->id));
  }
  g_hash_table_insert (process.sockets, GUINT_TO_POINTER (self->id), self);
}

GstRtcSctpSocket *
gst_rtc_sctp_socket_new (const GstRtcSctpSocketFuncs *funcs, gpointer user_data, gint64 now, GError **error)
{
  GstRtcSctpSocket *self = g_new0 (GstRtcSctpSocket, 1);

  self->funcs = funcs;
  self->user_data = user_data;
  lock (self);
  initialise (now);
  take_id (self);
  self->socket =
      usrsctp_socket (AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, on_send, 0, GUINT_TO_POINTER (self->id));
  if (!self->socket || !configure (self->socket)) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "Data channels are not possible: usrsctp made no socket or refused an option of it (%s)", g_strerror (errno));
    unlock ();
    gst_rtc_sctp_socket_free (self);
    return NULL;
  }
  unlock ();
  return self;
}

void
gst_rtc_sctp_socket_close (GstRtcSctpSocket *self)
{
  if (self->socket)
    usrsctp_close (self->socket);
  self->socket = NULL;
}

void
gst_rtc_sctp_socket_free (GstRtcSctpSocket *self)
{
  lock (self);
  /* First, so that nothing is told any more. */
  g_hash_table_remove (process.sockets, GUINT_TO_POINTER (self->id));
  gst_rtc_sctp_socket_close (self);
  g_queue_push_tail (&process.free_ids, GUINT_TO_POINTER (self->id));
  unlock ();
  g_free (self);
}

void
gst_rtc_sctp_socket_enter (GstRtcSctpSocket *self)
{
  lock (self);
}

void
gst_rtc_sctp_socket_leave (GstRtcSctpSocket *self)
{
  unlock ();
}

gboolean
gst_rtc_sctp_socket_is_entered (GstRtcSctpSocket *self)
{
  return process.entered == self;
}

gboolean
gst_rtc_sctp_socket_connect (GstRtcSctpSocket *self, guint16 local_port, guint16 remote_port, GError **error)
{
  struct sockaddr_conn local = address_of (self, local_port), remote = address_of (self, remote_port);

  if (usrsctp_bind (self->socket, (struct sockaddr *)&local, sizeof (local)) == 0
      && (usrsctp_connect (self->socket, (struct sockaddr *)&remote, sizeof (remote)) == 0 || errno == EINPROGRESS))
    return TRUE;
  g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
      "Data channels are not possible: the SCTP ports %u (ours) and %u (the peer's) cannot be used (%s)", local_port,
      remote_port, g_strerror (errno));
  return FALSE;
}

void
gst_rtc_sctp_socket_take (GstRtcSctpSocket *self, const guint8 *data, gsize size)
{
  if (self->socket)
    usrsctp_conninput (GUINT_TO_POINTER (self->id), data, size, 0);
}

gssize
gst_rtc_sctp_socket_send (
    GstRtcSctpSocket *self, const GstRtcSctpMessage *message, const guint8 *data, gsize size, gboolean is_last)
{
  struct sctp_sendv_spa spa = {.sendv_flags = SCTP_SEND_SNDINFO_VALID};
  gssize taken;

  if (!self->socket)
    return -1;
  spa.sendv_sndinfo.snd_sid = message->stream;
  spa.sendv_sndinfo.snd_ppid = GUINT32_TO_BE (message->ppid);
  spa.sendv_sndinfo.snd_flags = (message->unordered ? SCTP_UNORDERED : 0) | (is_last ? SCTP_EOR : 0);
  if (message->max_retransmits >= 0) {
    spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
    spa.sendv_prinfo.pr_value = message->max_retransmits;
  } else if (message->max_lifetime >= 0) {
    spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_TTL;
    spa.sendv_prinfo.pr_value = message->max_lifetime;
  }
  taken = usrsctp_sendv (self->socket, data, size, NULL, 0, &spa, sizeof (spa), SCTP_SENDV_SPA, 0);
  return taken < 0 && (errno == EWOULDBLOCK || errno == EAGAIN) ? 0 : taken;
}

gboolean
gst_rtc_sctp_socket_reset (GstRtcSctpSocket *self, guint16 stream)
{
  guint8 space[sizeof (struct sctp_reset_streams) + sizeof (guint16)] = {0};
  struct sctp_reset_streams request = {.srs_flags = SCTP_STREAM_RESET_OUTGOING, .srs_number_streams = 1};

  if (!self->socket)
    return FALSE;
  memcpy (space, &request, sizeof (request));
  memcpy (space + sizeof (request), &stream, sizeof (stream));
  return set_option (self->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, space, sizeof (space));
}

gboolean
gst_rtc_sctp_socket_get_path (GstRtcSctpSocket *self, guint *round_trip, guint *window)
{
  struct sctp_status status = {0};
  socklen_t size = sizeof (status);

  if (!self->socket || usrsctp_getsockopt (self->socket, IPPROTO_SCTP, SCTP_STATUS, &status, &size) != 0)
    return FALSE;
  *round_trip = status.sstat_primary.spinfo_srtt;
  *window = status.sstat_primary.spinfo_cwnd;
  return TRUE;
}
