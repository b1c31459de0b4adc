/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>
#include <gst/sdp/sdp.h>

#include "gstrtcsdp.h"
#include "base/gstrtcchannel.h"
#include "base/gstrtcloop.h"

G_BEGIN_DECLS

/* One connection to one peer: what rtcbin needs of a WebRTC transport, and all that it knows of one. An implementation
 * is a table of functions, without a GType, that starts its own struct with GstRtcTransport.
 *
 * A transport lives through one session of the signaling protocol: one offer and one answer. It is told what to do
 * from rtcbin's control loop only, except for send(), and tells what happened through GstRtcTransportEvents, from any
 * thread, holding no lock of its own that one of these functions takes. */
typedef struct _GstRtcTransport GstRtcTransport;
typedef struct _GstRtcTransportClass GstRtcTransportClass;

typedef enum
{
  GST_RTC_TRANSPORT_NEW,
  GST_RTC_TRANSPORT_GATHERING,
  GST_RTC_TRANSPORT_CHECKING, /* ICE looks for a path */
  GST_RTC_TRANSPORT_SECURING, /* a path was found, DTLS and its certificate are next */
  GST_RTC_TRANSPORT_CONNECTED, /* and the peer's certificate is the one that its description vouched for */
  GST_RTC_TRANSPORT_DISCONNECTED, /* nothing was heard for a while; may come back */
} GstRtcTransportState;

const gchar *gst_rtc_transport_state_to_string (GstRtcTransportState state);

/* Which of this machine's addresses are used, and what peers are told of them. */
typedef struct
{
  const gchar *interfaces, *exclude; /* names and globs, separated by commas; NULL: all and none */
  const gchar *advertise; /* IP addresses, one a family, that peers are told instead; NULL: this machine's own */
} GstRtcTransportAddresses;

GstRtcTransportAddresses gst_rtc_transport_addresses_copy (const GstRtcTransportAddresses *addresses);
void gst_rtc_transport_addresses_clear (GstRtcTransportAddresses *addresses); /* what copy() returned */

/* What the connections of one rtcbin have in common. All strings are borrowed for the call. */
typedef struct
{
  guint udp_port; /* one port for all peers; 0: each has its own */
  GstRtcTransportAddresses addresses;
  const gchar *certificate, *private_key; /* PEM text of a certificate that lasts; NULL: one is made */
} GstRtcTransportSetup;

/* All strings are borrowed for the call. */
typedef struct
{
  gpointer shared; /* what start() returned */
  GstRtcLoop *loop; /* the control loop, for what the transport does asynchronously */
  const gchar *peer_id;
  guint latency; /* of the jitterbuffer, milliseconds */
  const gchar *stun_server; /* stun://host:port, or NULL */
  gchar **turn_servers; /* turn(s)://user:password@host:port?transport=.., or NULL */
  gboolean relay_only;
  guint min_rtp_port, max_rtp_port; /* 0 and 65535: any */
  GstRtcTransportAddresses addresses;
  gboolean with_data; /* data channels are offered, or taken when the peer offers them */
} GstRtcTransportConfig;

/* Called from any thread. The callee only copies and queues: it never calls back into the transport, and never waits.
 */
typedef struct
{
  /* The description that this side made, mids and payload types in LINES filled in when it is an offer. (transfer full)
   */
  void (*description) (GstRtcTransport *transport, GstSDPMessage *sdp, gpointer user_data);

  /* A local candidate; CANDIDATE is NULL when there are no more. */
  void (*candidate) (
      GstRtcTransport *transport, guint mline, const gchar *mid, const gchar *candidate, gpointer user_data);

  void (*state) (GstRtcTransport *transport, GstRtcTransportState state, gpointer user_data);

  /* It is over: ERROR (transfer full) is in the domain RTC_ERROR. Reported once. */
  void (*failed) (GstRtcTransport *transport, GError *error, gpointer user_data);

  /* RTP of one stream came in: PAD (application/x-rtp, blocked) belongs to an element in the transport's bin. It is
   * linked on the control loop and then unblocked with unblock(). RID: the simulcast layer (RFC 8852), "" for none. A
   * second stream of the same line and layer takes the place of the first one, whose pad is silent from then on. */
  void (*stream) (GstRtcTransport *transport, guint mline, const gchar *rid, GstPad *pad, gpointer user_data);

  /* The peer asks for a key frame of what is sent on this line (PLI or FIR), or is there again after a gap. */
  void (*key_frame_wanted) (GstRtcTransport *transport, guint mline, gpointer user_data);

  /* The path to the peer broke, or this machine's addresses are others: ICE is to be restarted. Told again while
   * nothing is heard. */
  void (*restart_wanted) (GstRtcTransport *transport, gpointer user_data);

  /* The peer opened CHANNEL, which is OPEN. Not queued, other than the rest: listeners that are added in here miss
   * nothing, and the functions of GstRtcChannel may be called. */
  void (*channel) (GstRtcTransport *transport, GstRtcChannel *channel, gpointer user_data);
} GstRtcTransportEvents;

/* The header extension ids that the payloaders of rtcbin write (RFC 8285, one-byte form). */
#define GST_RTC_PLAIN_EXT_AUDIO_LEVEL 1

/* Where packets go: a line of a connection. */
typedef struct
{
  GstRtcTransport *transport;
  guint mline;
} GstRtcTransportOutput;

struct _GstRtcTransportClass
{
  const gchar *name; /* value of rtcbin's property transport */

  /* Whether what it needs is installed. Any thread. FALSE with ERROR that says what is missing. */
  gboolean (*check) (GError **error);

  /* Whether it can use this STUN or TURN server. Any thread. FALSE with ERROR that says what to write instead. NULL:
   * it is not asked. */
  gboolean (*check_server) (const gchar *url, GError **error);

  /* Makes what the connections of one rtcbin share. NULL with ERROR. This and stop() are NULL when there is no such. */
  gpointer (*start) (const GstRtcTransportSetup *setup, GError **error);

  /* After the last free() of its connections. */
  void (*stop) (gpointer shared);

  /* Does ahead of time what the first open() would otherwise wait for. A thread of its own; may take a while. */
  void (*warm_up) (void);

  /* Returns: (transfer full): a transport whose BIN the caller adds to its own bin before anything else; NULL with
   * ERROR. */
  GstRtcTransport *(*open) (
      const GstRtcTransportConfig *config, const GstRtcTransportEvents *events, gpointer user_data, GError **error);

  /* One of these two begins the session. LINES (element-type GstRtcLine) is copied. description() answers. */
  void (*make_offer) (GstRtcTransport *transport, const GArray *lines, const GstRtcSdpTrack *tracks);
  void (*take_offer) (
      GstRtcTransport *transport, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks);

  /* The answer to make_offer(), after gst_rtc_sdp_apply_answer() filled LINES. */
  void (*take_answer) (GstRtcTransport *transport, const GstSDPMessage *answer, const GArray *lines);

  /* Restarts ICE on a connection whose descriptions are both known (RFC 8445, section 9): the same lines, DTLS and SRTP
   * go on, and the path there was is used until there is a new one. The one that makes the offers makes this one, too:
   * description() tells it, take_restart() answers it with a description(), and take_restart_answer() ends it. An offer
   * or answer that cannot be used changes nothing: FALSE with ERROR. All three are NULL where there is no such. */
  void (*make_restart) (GstRtcTransport *transport);
  gboolean (*take_restart) (GstRtcTransport *transport, const GstSDPMessage *offer, GError **error);
  gboolean (*take_restart_answer) (GstRtcTransport *transport, const GstSDPMessage *answer, GError **error);

  /* A checked candidate of the peer; CANDIDATE is NULL when there are no more. Only after the peer's description. */
  void (*add_candidate) (GstRtcTransport *transport, guint mline, const gchar *candidate);

  /* Sends packets of TRACK to several peers. TRACK only says which packets belong together. LIST is shared: never
   * written to. PTS is running time. Streaming threads, one at a time for each track. Never blocks. */
  void (*send) (
      gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list);

  /* There are no more packets of TRACK. Any thread, after its last send(). May be NULL. */
  void (*forget_track) (gpointer shared, gconstpointer track);

  /* Opens a data channel, at any time before close(): it is CONNECTING until the peer has it. Nothing is told of it
   * before this returns. NULL with ERROR (GST_RTC_CHANNEL_ERROR). (transfer full) NULL: this transport has none. */
  GstRtcChannel *(*open_channel) (GstRtcTransport *transport, const GstRtcChannelInit *init, GError **error);

  /* A channel's end tells its connection's from the peer's wish, and how long a message may be is known: reliable ones
   * may go on over connections. */
  gboolean channels_last;

  /* Offers data channels only when somebody wants them; those who come later do without. */
  gboolean data_is_optional;

  /* Lets a blocked stream's data pass. */
  void (*unblock) (GstRtcTransport *transport, GstPad *pad);

  /* Adds fields to STATS (see rtcbin's property stats). Control loop. */
  void (*add_stats) (GstRtcTransport *transport, GstStructure *stats);

  /* Adds what RTCP says of an accepted line to STATS (see there, too), as far as it is known yet. Control loop. */
  void (*add_line_stats) (GstRtcTransport *transport, guint mline, GstStructure *stats);

  /* No event comes after this, and nothing is sent. Data channels are closed (GST_RTC_CHANNEL_ERROR_LINK), with their
   * events. Control loop; does not block. */
  void (*close) (GstRtcTransport *transport);

  /* Returns when it makes nothing any more that stopping its bin might miss. After close(). Any thread; may block. */
  void (*settle) (GstRtcTransport *transport);

  /* Frees it, once its bin is in NULL and out of the caller's bin. Any thread; may block. */
  void (*free) (GstRtcTransport *transport);
};

struct _GstRtcTransport
{
  const GstRtcTransportClass *klass;
  const GstRtcTransportEvents *events;
  gpointer user_data;
  gpointer shared;
  GstElement *bin; /* (transfer full) a GstBin with all elements of the connection */
};

/* Adds one behind those that are there, which "auto" prefers. From the plugin's init only. */
void gst_rtc_transport_register (const GstRtcTransportClass *klass);

/* By the value of rtcbin's property "transport"; "auto" is the first of which all is installed, or else the first. NULL
 * when there is no such one. */
const GstRtcTransportClass *gst_rtc_transport_find (const gchar *name);

/* "auto, native or webrtcbin". (transfer full) */
gchar *gst_rtc_transport_list_names (void);

G_END_DECLS
