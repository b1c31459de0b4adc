/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcsctp.h"

/* usrsctp.h names types of the sockets API without including them. */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <usrsctp.h>

G_BEGIN_DECLS

/* usrsctp, and the lock around it; only gstrtcsctp.c uses this. */
typedef struct _GstRtcSctpSocket GstRtcSctpSocket;

/* Called with the lock held, in whichever thread has it. They only keep what they get. */
typedef struct
{
  /* The checksum is not in it yet. */
  void (*packet) (const guint8 *data, gsize size, gpointer user_data);

  /* DATA (transfer full) is free()d by the callee. */
  void (*received) (guint8 *data, gsize size, const struct sctp_rcvinfo *info, int flags, gpointer user_data);

  /* INSIDE: bytes handed over and not acknowledged. From take() of the same socket only. */
  void (*acknowledged) (gsize inside, gpointer user_data);
} GstRtcSctpSocketFuncs;

/* These two take the lock. */
GstRtcSctpSocket *
gst_rtc_sctp_socket_new (const GstRtcSctpSocketFuncs *funcs, gpointer user_data, gint64 now, GError **error);
void gst_rtc_sctp_socket_free (GstRtcSctpSocket *socket);

/* The lock. What is below wants it. */
void gst_rtc_sctp_socket_enter (GstRtcSctpSocket *socket);
void gst_rtc_sctp_socket_leave (GstRtcSctpSocket *socket);

/* Whether it is this socket that the lock was taken for. */
gboolean gst_rtc_sctp_socket_is_entered (GstRtcSctpSocket *socket);

/* Turns the timers of all sockets to NOW. */
void gst_rtc_sctp_turn_timers (gint64 now);

gboolean
gst_rtc_sctp_socket_connect (GstRtcSctpSocket *socket, guint16 local_port, guint16 remote_port, GError **error);
void gst_rtc_sctp_socket_take (GstRtcSctpSocket *socket, const guint8 *data, gsize size);

/* As gst_rtc_sctp_send(), gst_rtc_sctp_reset() and gst_rtc_sctp_get_path(). */
gssize gst_rtc_sctp_socket_send (
    GstRtcSctpSocket *socket, const GstRtcSctpMessage *message, const guint8 *data, gsize size, gboolean is_last);
gboolean gst_rtc_sctp_socket_reset (GstRtcSctpSocket *socket, guint16 stream);
gboolean gst_rtc_sctp_socket_get_path (GstRtcSctpSocket *socket, guint *round_trip, guint *window);

/* ABORT. Nothing else is done with it after that but free(). */
void gst_rtc_sctp_socket_close (GstRtcSctpSocket *socket);

/* Without the lock: CRC-32c into the header of a packet that packet() gave. */
void gst_rtc_sctp_write_checksum (guint8 *data, gsize size);

/* Without the lock: whether a packet has the shape of one (RFC 9260, section 3), and no chunk of an extension that is
 * off: usrsctp parses those all the same. */
gboolean gst_rtc_sctp_packet_is_sound (const guint8 *data, gsize size);

G_END_DECLS
