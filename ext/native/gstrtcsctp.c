/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "gstrtcsctp.h"
#include "gstrtcsctpsocket.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000
/* While something is on its way, timers are looked at this often; usrsctp cannot say when the next one is due. */
#define BUSY_TICK (10 * MS)
/* And otherwise: heartbeats every 10 s are all that there is. */
#define IDLE_TICK (250 * MS)
/* Acknowledgements are delayed by 20 ms. */
#define BUSY_AFTER (60 * MS)
#define BUSY_AFTER_RESET (10 * 1000 * MS)
/* What may wait inside of usrsctp besides what its congestion window lets out: enough to always fill the window. */
#define SLACK (8 * GST_RTC_SCTP_MTU)

/* What usrsctp said. */
typedef struct
{
  guint8 *data; /* malloc()ed by usrsctp */
  gsize size;
  guint32 ppid;
  guint16 stream, number;
  gboolean unordered, is_last, is_notification;
} Item;

struct _GstRtcSctp
{
  /* constant */
  const GstRtcSctpEvents *events;
  gpointer user_data;
  GstRtcSctpSocket *socket;

  /* the owner's thread */
  GByteArray *sending; /* packets, each behind its size; what is told at the moment */
  GArray *telling; /* of Item */
  gboolean is_telling, tell_again, is_up, is_down;
  gint64 now, busy_until, deadline;
  gboolean interleaving;
  gsize window; /* congestion window; 0: to be asked for */
  gsize inside; /* bytes handed over and not acknowledged: only a packet that we take in changes that */

  /* the process's lock */
  GByteArray *packets;
  GArray *items;
  gboolean is_woken;
};

static void
clear_item (gpointer data)
{
  free (((Item *)data)->data);
}

/* From usrsctp, with the lock held; in any association's thread when it is a timer. */

static void
ask_for_tick (GstRtcSctp *self)
{
  if (self->is_woken || gst_rtc_sctp_socket_is_entered (self->socket))
    return;
  self->is_woken = TRUE;
  self->events->wake (self->user_data);
}

static void
on_packet (const guint8 *data, gsize size, gpointer user_data)
{
  GstRtcSctp *self = user_data;
  guint16 length = size;

  if (size > G_MAXUINT16)
    return;
  g_byte_array_append (self->packets, (const guint8 *)&length, sizeof (length));
  g_byte_array_append (self->packets, data, size);
  ask_for_tick (self);
}

static void
on_received (guint8 *data, gsize size, const struct sctp_rcvinfo *info, int flags, gpointer user_data)
{
  GstRtcSctp *self = user_data;
  Item item = {.data = data,
      .size = size,
      .ppid = GUINT32_FROM_BE (info->rcv_ppid),
      .stream = info->rcv_sid,
      .number = info->rcv_ssn,
      .unordered = (info->rcv_flags & SCTP_UNORDERED) != 0,
      .is_last = (flags & MSG_EOR) != 0,
      .is_notification = (flags & MSG_NOTIFICATION) != 0};

  g_array_append_val (self->items, item);
  ask_for_tick (self);
}

static void
on_acknowledged (gsize inside, gpointer user_data)
{
  GstRtcSctp *self = user_data;

  self->inside = inside;
  self->window = 0;
  ask_for_tick (self);
}

static const GstRtcSctpSocketFuncs socket_funcs = {
    .packet = on_packet,
    .received = on_received,
    .acknowledged = on_acknowledged,
};

/* What is told, without the lock. */

static void
tell_down (GstRtcSctp *self, const gchar *reason)
{
  GError *error = NULL;

  if (self->is_down)
    return;
  self->is_down = TRUE;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_socket_close (self->socket);
  gst_rtc_sctp_socket_leave (self->socket);
  self->tell_again = TRUE;
  if (reason)
    error = g_error_new (RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The data channels' SCTP association ended: %s", reason);
  self->events->down (error, self->user_data);
  g_clear_error (&error);
}

static void
tell_change (GstRtcSctp *self, const struct sctp_assoc_change *change, gsize size)
{
  guint n_infos = MIN (size, change->sac_length) - sizeof (*change);

  switch (change->sac_state) {
    case SCTP_COMM_UP:
      for (guint i = 0; i < n_infos; i++)
        self->interleaving |= change->sac_info[i] == SCTP_ASSOC_SUPPORTS_INTERLEAVING;
      self->is_up = TRUE;
      self->events->up (
          MIN (change->sac_inbound_streams, change->sac_outbound_streams), self->interleaving, self->user_data);
      break;
    case SCTP_COMM_LOST:
      tell_down (self, "the peer aborted it, or acknowledges nothing any more");
      break;
    case SCTP_RESTART:
      tell_down (self, "the peer began a new one and has lost all channels");
      break;
    case SCTP_SHUTDOWN_COMP:
      tell_down (self, NULL);
      break;
    case SCTP_CANT_STR_ASSOC:
      tell_down (self, "the peer refused it or did not answer");
      break;
  }
}

static void
tell_reset (GstRtcSctp *self, const struct sctp_stream_reset_event *event, gsize size)
{
  gboolean failed = (event->strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0;
  gsize end = MIN (size, event->strreset_length);
  guint n = end < sizeof (*event) ? 0 : (end - sizeof (*event)) / sizeof (guint16);

  for (guint i = 0; i < n && !self->is_down; i++) {
    if (event->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN)
      self->events->reset (event->strreset_stream_list[i], FALSE, failed, self->user_data);
    if (event->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN && !failed)
      self->events->reset (event->strreset_stream_list[i], TRUE, FALSE, self->user_data);
  }
  /* No list: all streams, as RFC 6525 (4.1) has it. */
  for (guint i = 0; n == 0 && !failed && i < GST_RTC_SCTP_STREAMS && !self->is_down; i++) {
    if (event->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)
      self->events->reset (i, TRUE, FALSE, self->user_data);
  }
}

static void
tell_notification (GstRtcSctp *self, const guint8 *data, gsize size)
{
  const union sctp_notification *notification = (const union sctp_notification *)data;

  if (size < sizeof (notification->sn_header))
    return;
  switch (notification->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
      if (size >= sizeof (struct sctp_assoc_change))
        tell_change (self, &notification->sn_assoc_change, size);
      break;
    case SCTP_STREAM_RESET_EVENT:
      if (size >= sizeof (struct sctp_stream_reset_event))
        tell_reset (self, &notification->sn_strreset_event, size);
      break;
    case SCTP_SHUTDOWN_EVENT:
      tell_down (self, NULL);
      break;
  }
}

static void
tell_item (GstRtcSctp *self, Item *item)
{
  GBytes *bytes;

  if (item->is_notification) {
    tell_notification (self, item->data, item->size);
    return;
  }
  bytes = g_bytes_new_with_free_func (item->data, item->size, free, item->data);
  item->data = NULL;
  self->events->data (item->stream, item->ppid, item->unordered, item->number, bytes, item->is_last, self->user_data);
}

static void
send_packets (GstRtcSctp *self)
{
  guint8 *data = self->sending->data, *end = data + self->sending->len;

  while (data < end) {
    guint16 size;

    memcpy (&size, data, sizeof (size));
    data += sizeof (size);
    gst_rtc_sctp_write_checksum (data, size);
    self->events->transmit (data, size, self->user_data);
    data += size;
  }
  g_byte_array_set_size (self->sending, 0);
}

/* Swaps what usrsctp said for empty arrays. Returns whether it said something. */
static gboolean
collect (GstRtcSctp *self)
{
  GByteArray *packets;
  GArray *items;
  gboolean any;

  gst_rtc_sctp_socket_enter (self->socket);
  packets = self->packets;
  self->packets = self->sending;
  self->sending = packets;
  items = self->items;
  self->items = self->telling;
  self->telling = items;
  self->is_woken = FALSE;
  any = packets->len > 0 || items->len > 0;
  gst_rtc_sctp_socket_leave (self->socket);
  return any;
}

static void
update_deadline (GstRtcSctp *self, gboolean any)
{
  if (any)
    self->busy_until = MAX (self->busy_until, self->now + BUSY_AFTER);
  if (self->is_down)
    self->deadline = -1;
  else if (!self->is_up || self->inside > 0 || self->now < self->busy_until)
    self->deadline = self->now + BUSY_TICK;
  else
    self->deadline = self->now + IDLE_TICK;
}

/* Tells all that there is. Inside of an event, the call that the event came from goes on with it. */
static void
tell (GstRtcSctp *self)
{
  gboolean any = FALSE;

  self->tell_again = TRUE;
  if (self->is_telling)
    return;
  self->is_telling = TRUE;
  while (self->tell_again) {
    self->tell_again = FALSE;
    any |= collect (self);
    send_packets (self);
    for (guint i = 0; i < self->telling->len; i++) {
      if (!self->is_down)
        tell_item (self, &g_array_index (self->telling, Item, i));
    }
    g_array_set_size (self->telling, 0);
  }
  self->is_telling = FALSE;
  update_deadline (self, any);
}

/* From outside. */

GstRtcSctp *
gst_rtc_sctp_new (const GstRtcSctpEvents *events, gpointer user_data, gint64 now, GError **error)
{
  GstRtcSctp *self = g_new0 (GstRtcSctp, 1);

  self->events = events;
  self->user_data = user_data;
  self->sending = g_byte_array_new ();
  self->packets = g_byte_array_new ();
  self->telling = g_array_new (FALSE, FALSE, sizeof (Item));
  self->items = g_array_new (FALSE, FALSE, sizeof (Item));
  g_array_set_clear_func (self->telling, clear_item);
  g_array_set_clear_func (self->items, clear_item);
  self->now = now;
  self->deadline = -1;
  self->socket = gst_rtc_sctp_socket_new (&socket_funcs, self, now, error);
  if (!self->socket)
    g_clear_pointer (&self, gst_rtc_sctp_free);
  return self;
}

void
gst_rtc_sctp_free (GstRtcSctp *self)
{
  g_clear_pointer (&self->socket, gst_rtc_sctp_socket_free);
  g_byte_array_unref (self->sending);
  g_byte_array_unref (self->packets);
  g_array_unref (self->telling);
  g_array_unref (self->items);
  g_free (self);
}

gboolean
gst_rtc_sctp_connect (GstRtcSctp *self, guint16 local_port, guint16 remote_port, gint64 now, GError **error)
{
  gboolean ok;

  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_turn_timers (now);
  ok = gst_rtc_sctp_socket_connect (self->socket, local_port, remote_port, error);
  gst_rtc_sctp_socket_leave (self->socket);
  tell (self);
  return ok;
}

void
gst_rtc_sctp_take (GstRtcSctp *self, const guint8 *data, gsize size, gint64 now)
{
  if (self->is_down || !gst_rtc_sctp_packet_is_sound (data, size))
    return;
  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_turn_timers (now);
  gst_rtc_sctp_socket_take (self->socket, data, size);
  gst_rtc_sctp_socket_leave (self->socket);
  self->busy_until = MAX (self->busy_until, now + BUSY_AFTER);
  tell (self);
}

gint64
gst_rtc_sctp_get_deadline (GstRtcSctp *self)
{
  return self->deadline;
}

void
gst_rtc_sctp_tick (GstRtcSctp *self, gint64 now)
{
  if (self->is_down)
    return;
  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_turn_timers (now);
  gst_rtc_sctp_socket_leave (self->socket);
  tell (self);
}

gsize
gst_rtc_sctp_get_room (GstRtcSctp *self)
{
  gsize limit;

  if (!self->is_up || self->is_down)
    return 0;
  if (self->window == 0) {
    guint round_trip, window;

    gst_rtc_sctp_socket_enter (self->socket);
    self->window = gst_rtc_sctp_socket_get_path (self->socket, &round_trip, &window) ? MAX (window, 1) : 1;
    gst_rtc_sctp_socket_leave (self->socket);
  }
  limit = MIN (self->window + SLACK, GST_RTC_SCTP_BUFFER);
  return limit > self->inside ? limit - self->inside : 0;
}

gssize
gst_rtc_sctp_send (
    GstRtcSctp *self, const GstRtcSctpMessage *message, const guint8 *data, gsize size, gboolean is_last, gint64 now)
{
  gssize taken;

  if (!self->is_up || self->is_down)
    return -1;
  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_turn_timers (now);
  taken = gst_rtc_sctp_socket_send (self->socket, message, data, size, is_last);
  /* What was sent and acknowledged meanwhile is not counted: the lock was not let go. */
  if (taken > 0)
    self->inside += taken;
  gst_rtc_sctp_socket_leave (self->socket);
  tell (self);
  return taken;
}

gboolean
gst_rtc_sctp_reset (GstRtcSctp *self, guint16 stream, gint64 now)
{
  gboolean ok;

  if (!self->is_up || self->is_down)
    return FALSE;
  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_turn_timers (now);
  ok = gst_rtc_sctp_socket_reset (self->socket, stream);
  gst_rtc_sctp_socket_leave (self->socket);
  self->busy_until = MAX (self->busy_until, now + BUSY_AFTER_RESET);
  tell (self);
  return ok;
}

void
gst_rtc_sctp_close (GstRtcSctp *self, gint64 now)
{
  if (self->is_down)
    return;
  self->is_down = TRUE;
  self->now = now;
  gst_rtc_sctp_socket_enter (self->socket);
  gst_rtc_sctp_socket_close (self->socket);
  gst_rtc_sctp_socket_leave (self->socket);
  tell (self);
}

gboolean
gst_rtc_sctp_get_path (GstRtcSctp *self, guint *round_trip, guint *window)
{
  gboolean ok;

  if (!self->is_up || self->is_down)
    return FALSE;
  gst_rtc_sctp_socket_enter (self->socket);
  ok = gst_rtc_sctp_socket_get_path (self->socket, round_trip, window);
  gst_rtc_sctp_socket_leave (self->socket);
  return ok;
}
