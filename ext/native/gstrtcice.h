/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcpoll.h"
#include "rtcaddress.h"
#include "rtc/gstrtctransport.h"

G_BEGIN_DECLS

/* How datagrams get to a peer and back: one agent a peer. Two of them: lite (gstrtcicelite.c: one socket for all peers)
 * and full (gstrtcicefull.c: libnice). Everything here is called on, and calls back on, the transport's loop (the one
 * that has the sockets; not rtcbin's control loop). */
typedef struct _GstRtcIce GstRtcIce;
typedef struct _GstRtcIceClass GstRtcIceClass;

typedef enum
{
  GST_RTC_ICE_RENEWED = 1 << 0, /* its first check with the credentials of a restart */
  GST_RTC_ICE_MOVED = 1 << 1, /* it is sent to another address now */
} GstRtcIceChanges;

typedef struct
{
  /* A local candidate ("candidate:1 1 udp .."); NULL: no more. */
  void (*candidate) (const gchar *candidate, gpointer user_data);

  /* GATHERING, CHECKING, CONNECTED (there is a path: datagrams may be sent), DISCONNECTED (nothing was heard for a
   * while; it may come back), and with ERROR (borrowed): there is none any more. */
  void (*state) (GstRtcTransportState state, const GError *error, gpointer user_data);

  /* All that is not ICE's own, and what may be an answer to a probe(). DATA is borrowed, and may be written to. NOW:
   * microseconds, monotonic. Returns whether it was an answer to a probe. */
  gboolean (*datagram) (guint8 *data, gsize size, gint64 now, gpointer user_data);

  /* The peer is heard by what is ICE's own, as far as the agent sees it, or moved. CHANGES: GstRtcIceChanges. */
  void (*heard) (guint changes, gint64 now, gpointer user_data);

  /* The system says that there is no way to the peer (any more). From inside of send(). */
  void (*unreachable) (gpointer user_data);
} GstRtcIceEvents;

/* Datagrams of one peer that go out together: DATA holds them one behind the other. */
typedef struct
{
  guint8 *data;
  gsize *sizes;
  guint n;
} GstRtcIceBatch;

struct _GstRtcIceClass
{
  const gchar *name; /* "lite", "full" */

  /* The peer's credentials. Checks begin (full). */
  void (*set_remote) (GstRtcIce *ice, const gchar *ufrag, const gchar *password, gboolean lite);

  /* Candidates of ours are told from now on. */
  void (*gather) (GstRtcIce *ice);

  /* A checked candidate of the peer; NULL: no more. After set_remote(). */
  void (*add_candidate) (GstRtcIce *ice, const gchar *candidate);

  /* Whether all were handed to the system. What it does not take at once is lost, as on any network. */
  gboolean (*send) (GstRtcIce *ice, const GstRtcIceBatch *batch);

  /* An authentic packet came with the datagram that is being told. */
  void (*heard) (GstRtcIce *ice);

  /* Sends a check that the agent knows nothing of; its answer comes as a datagram. FALSE where it cannot be sent. */
  gboolean (*probe) (GstRtcIce *ice, guint8 *data, gsize size);

  /* Where the peer is sent to. FALSE: nowhere yet, or through a relay. */
  gboolean (*get_address) (GstRtcIce *ice, RtcAddress *remote);

  /* This machine sends from SOURCE to the peer now, and no more from where it did. */
  void (*moved) (GstRtcIce *ice, const RtcAddress *source);

  /* New credentials; gather() and set_remote() follow, and what there was goes on meanwhile. NULL: another agent is
   * made beside this one instead. */
  void (*restart) (GstRtcIce *ice);

  /* Adds local and remote candidate, round trip (W3C: RTCIceCandidatePairStats). */
  void (*add_stats) (GstRtcIce *ice, GstStructure *stats);

  /* Nothing comes any more when this returns; the rest of the freeing may follow on the loop. */
  void (*free) (GstRtcIce *ice);
};

struct _GstRtcIce
{
  const GstRtcIceClass *klass;
  const GstRtcIceEvents *events;
  gpointer user_data;
  gchar *ufrag, *password; /* ours, now */
};

/* gstrtcicefull.c: an agent of libnice. CONTROLLING: this side made the offer. PORTS and servers as in CONFIG.
 * (transfer full) */
GstRtcIce *gst_rtc_ice_full_new (GstRtcPoll *poll, GstRtcLoop *loop, const GstRtcTransportConfig *config,
    gboolean controlling, const GstRtcIceEvents *events, gpointer user_data, GError **error);

G_END_DECLS
