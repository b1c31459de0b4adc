/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcdata.h"
#include "rtcsctp.h"

G_BEGIN_DECLS

/* What the files rtcdata*.c share. */

/* RFC 8831, section 8; 52 and 54 are the deprecated parts of messages, which old peers send. */
enum
{
  RTC_PPID_DCEP = 50,
  RTC_PPID_TEXT = 51,
  RTC_PPID_BINARY_PART = 52,
  RTC_PPID_BINARY = 53,
  RTC_PPID_TEXT_PART = 54,
  RTC_PPID_TEXT_EMPTY = 56,
  RTC_PPID_BINARY_EMPTY = 57,
};

typedef struct
{
  GList link; /* in the channel's queue, to the message */
  GBytes *bytes;
  guint32 ppid;
  gsize size; /* as its sender sees it: an empty message has a byte on the wire */
  gsize handed; /* bytes that SCTP has */
  gint64 expires; /* -1: never; only before it is begun */
} RtcDataMessage;

struct _RtcDataChannel
{
  RtcData *data;
  RtcDataChannelInit init; /* its strings are ours */
  RtcDataChannelStats stats;
  RtcDataState state;
  gint id;
  gpointer user_data;
  gboolean is_opener, is_acknowledged;
  gboolean is_last_chance; /* it is being told that it closes, and may still send */
  GError *error; /* why it closes */

  /* sending */
  GQueue queue; /* of RtcDataMessage */
  gsize buffered;
  guint64 virtual_time; /* what it had, by its priority */
  gboolean is_active, is_blocked;

  /* closing */
  gboolean reset_sent, reset_done, peer_reset;
  gint64 give_up_at; /* waiting for the peer's acknowledgement, then for its reset; 0: neither yet */

  GByteArray *parts; /* of PPID 52 and 54; NULL: none */
};

struct _RtcData
{
  RtcDataConfig config;
  const RtcDataEvents *events;
  gpointer user_data;
  RtcSctp *sctp; /* NULL before start() */
  gboolean is_client, is_up, is_over, interleaving;
  guint n_streams;
  guint64 peer_max_message_size;
  gsize peer_holds; /* of messages that are not complete: what may be begun for it at once */
  gint64 now;

  GPtrArray *channels; /* all that are not closed */
  GHashTable *by_id; /* those with an id */
  GHashTable *stale; /* ids of streams whose reset will be confirmed for a channel that is gone */
  GPtrArray *dead; /* closed in this call */
  guint depth; /* of calls from outside */
  guint next_id;

  GPtrArray *active; /* channels with something to send */
  gboolean wants_resets; /* some channel is to be closed as soon as it has sent all */
  gint64 close_at; /* when those that close are to be looked at again; -1: never */
  RtcDataChannel *begun; /* without interleaving: its message must be complete before another is begun */
  guint64 virtual_time; /* of the one that was last served */
};

/* rtcdata.c */
/* Around every call from outside that may bring something about. */
void rtc_data_enter (RtcData *self, gint64 now);
void rtc_data_leave (RtcData *self);
RtcDataChannel *rtc_data_add_channel (RtcData *self, const RtcDataChannelInit *init, gint id);
RtcDataChannel *rtc_data_find (RtcData *self, guint id);
void rtc_data_set_state (RtcDataChannel *channel, RtcDataState state);
/* The association is ended; ERROR: why. */
void rtc_data_fail (RtcData *self, const GError *error);

/* rtcdataclose.c */
/* Begins to close it; ERROR: (transfer full) (nullable): why. What waits is dropped if there is one. */
void rtc_data_begin_close (RtcDataChannel *channel, GError *error);
/* It is closed: no more is heard of it. */
void rtc_data_finish_close (RtcDataChannel *channel);
/* Those that are to be closed, and have sent all. */
void rtc_data_reset_streams (RtcData *self);
/* The peer gets more time to close its side of one that is reset. */
void rtc_data_wait_for_reset (RtcDataChannel *channel);
/* Those of which the peer does not do its part in time are closed without it. */
void rtc_data_tick_close (RtcData *self);
/* SCTP's event. */
void rtc_data_take_reset (guint16 stream, gboolean incoming, gboolean failed, gpointer data);

/* rtcdatasend.c */
void rtc_data_queue (RtcDataChannel *channel, guint32 ppid, GBytes *bytes, gsize size);
/* Drops all but a message that was begun. */
void rtc_data_drop_queue (RtcDataChannel *channel);
/* Nothing of it is sent any more. */
void rtc_data_end_queue (RtcDataChannel *channel);
void rtc_data_free_queue (RtcDataChannel *channel);
/* Drops what is too old. */
void rtc_data_expire (RtcData *self);
/* When that is to be done; -1: never. */
gint64 rtc_data_get_expiry (RtcData *self);
/* Hands over as much as there is room for, and resets the streams of channels that have sent all. */
void rtc_data_pump (RtcData *self);

/* rtcdatatext.c: UTF-8 in which, other than for GLib, NUL is a character. */
gboolean rtc_data_is_text (GBytes *bytes);
/* A copy in which U+FFFD stands for what is not valid. */
GBytes *rtc_data_make_text (GBytes *bytes);

/* rtcdatareceive.c */
void rtc_data_receive (RtcData *self, guint16 stream, guint32 ppid, GBytes *bytes);
void rtc_data_too_large (RtcData *self, guint16 stream);

G_END_DECLS
