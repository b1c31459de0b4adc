/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One SCTP association (RFC 9260) inside of DTLS (RFC 8261), on usrsctp: with streams that can be reset (RFC 6525),
 * messages that need not arrive (RFC 3758), and messages that do not wait for each other where the peer can do that
 * (RFC 8260). Packets and the time (microseconds, monotonic) go in, packets and events come out.
 *
 * An association belongs to one thread, as a machine does. usrsctp does not: it has one list of timers, one table of
 * associations and one set of settings for the process, and deadlocks when it is called from two threads. So there is
 * one lock for all that goes into it, and nothing that comes out of it is told while that lock is held. The timers of
 * all associations are turned by whoever comes first: what another one's loop is to do then is kept for it, and it is
 * told so with wake(). All associations of a process must be given the time of the same clock.
 *
 * usrsctp starts a thread when the first association is made, for the addresses of interfaces. It has nothing to do
 * here and sleeps. */
typedef struct _GstRtcSctp GstRtcSctp;

/* One message's way to the peer. */
typedef struct
{
  guint16 stream;
  guint32 ppid; /* host order */
  gboolean unordered;
  gint max_retransmits; /* -1: any number */
  gint max_lifetime; /* milliseconds from now; -1: for ever. At most one of the two is given. */
} GstRtcSctpMessage;

/* Called from inside of the functions below, in the association's thread, but for wake(). They may call any of those
 * functions except free(): what that brings about is told when they have returned. */
typedef struct
{
  /* One packet, of at most GST_RTC_SCTP_MTU bytes, is to be sent. */
  void (*transmit) (const guint8 *data, gsize size, gpointer user_data);

  /* The peer is there. STREAMS can be used in both directions. */
  void (*up) (guint streams, gboolean interleaving, gpointer user_data);

  /* It is over; told once, and nothing else after it. ERROR: (nullable) NULL when the peer shut it down in order. */
  void (*down) (const GError *error, gpointer user_data);

  /* A message, or a part of one when it is long: parts of a message come in their order, with the same stream,
   * unordered and NUMBER, and between them those of others. The last part never comes when the peer gives up a message
   * that need not arrive: nothing tells that but the next ordered message of the stream, which has another NUMBER. DATA
   * is (transfer full). */
  void (*data) (guint16 stream, guint32 ppid, gboolean unordered, guint16 number, GBytes *data, gboolean is_last,
      gpointer user_data);

  /* The peer has begun this stream anew (INCOMING), or it knows that we did. FAILED: it refuses to. */
  void (*reset) (guint16 stream, gboolean incoming, gboolean failed, gpointer user_data);

  /* From any thread, with the process's lock held: only asks the owner's loop to call tick() soon. */
  void (*wake) (gpointer user_data);
} GstRtcSctpEvents;

/* 1280 bytes, which every path of IPv6 carries, less IP, UDP and DTLS. */
#define GST_RTC_SCTP_MTU 1184

/* Streams that we ask for; a peer may have less. With 65535, an association would have 2.6 MB. */
#define GST_RTC_SCTP_STREAMS 1024

/* What usrsctp keeps of what was sent and not acknowledged, and of what came and cannot be delivered yet, at most:
 * 4 MiB is a long path (100 ms at 300 Mbit/s). */
#define GST_RTC_SCTP_BUFFER (4 * 1024 * 1024)

/* EVENTS is not copied. NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED) when usrsctp refuses. */
GstRtcSctp *gst_rtc_sctp_new (const GstRtcSctpEvents *events, gpointer user_data, gint64 now, GError **error);

/* Without a word to the peer and without an event; see close(). */
void gst_rtc_sctp_free (GstRtcSctp *sctp);

/* There is a path (DTLS is connected). Both sides do this. Ports: of a=sctp-port, host order, not 0. */
gboolean gst_rtc_sctp_connect (GstRtcSctp *sctp, guint16 local_port, guint16 remote_port, gint64 now, GError **error);

/* One packet came out of DTLS. The checksum is not looked at: DTLS is better at that. */
void gst_rtc_sctp_take (GstRtcSctp *sctp, const guint8 *data, gsize size, gint64 now);

/* To be called at the deadline (-1: none), and soon after wake(). */
gint64 gst_rtc_sctp_get_deadline (GstRtcSctp *sctp);
void gst_rtc_sctp_tick (GstRtcSctp *sctp, gint64 now);

/* How many bytes may be handed over so that they leave at once, or nearly: what waits, waits above SCTP, where
 * something more urgent can overtake it. */
gsize gst_rtc_sctp_get_room (GstRtcSctp *sctp);

/* Hands over a message (SIZE is not 0), or the next part of one; IS_LAST: it ends with this. Returns how many bytes
 * were taken: none or less than SIZE when there is no room, or the stream is being reset; the rest is to be handed over
 * again later. -1: it is not possible at all. Without interleaving, a message must be complete before one of another
 * stream is begun. */
gssize gst_rtc_sctp_send (
    GstRtcSctp *sctp, const GstRtcSctpMessage *message, const guint8 *data, gsize size, gboolean is_last, gint64 now);

/* Begins our side of a stream anew, as soon as all that was handed over for it has arrived. FALSE: the peer does not
 * know how to do that, or there is no such stream. */
gboolean gst_rtc_sctp_reset (GstRtcSctp *sctp, guint16 stream, gint64 now);

/* Says good-bye (ABORT). No event follows. */
void gst_rtc_sctp_close (GstRtcSctp *sctp, gint64 now);

/* For stats: smoothed round trip in milliseconds, congestion window in bytes. FALSE before up(). */
gboolean gst_rtc_sctp_get_path (GstRtcSctp *sctp, guint *round_trip, guint *window);

G_END_DECLS
