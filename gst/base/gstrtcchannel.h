/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* One data channel to one peer (W3C WebRTC, section 6.2; RFC 8831), whatever transport carries it. Without a GType, so
 * that plugins that know nothing of each other can share it: a transport starts its own struct with GstRtcChannel.
 *
 * Its functions may be called from any thread, and from inside of its events; none blocks. Events come from one thread
 * at a time, in order, and what they call must not block either. What comes while one is told is told after it. */
typedef struct _GstRtcChannel GstRtcChannel;
typedef struct _GstRtcChannelClass GstRtcChannelClass;

#define GST_RTC_CHANNEL_ERROR (gst_rtc_channel_error_quark ())
GQuark gst_rtc_channel_error_quark (void);

typedef enum
{
  GST_RTC_CHANNEL_ERROR_CONFIG, /* a setting that makes no sense, or that this transport cannot keep */
  GST_RTC_CHANNEL_ERROR_ID, /* out of range, or in use */
  GST_RTC_CHANNEL_ERROR_STATE, /* the channel is closing or closed */
  GST_RTC_CHANNEL_ERROR_TOO_LARGE, /* more than the peer, or this transport, takes in one message */
  GST_RTC_CHANNEL_ERROR_TEXT, /* not UTF-8 */
  GST_RTC_CHANNEL_ERROR_PEER, /* the peer refused it, has no data channels, or broke the protocol */
  GST_RTC_CHANNEL_ERROR_LINK, /* the connection to the peer is gone */
} GstRtcChannelError;

typedef enum
{
  GST_RTC_CHANNEL_CONNECTING, /* what is sent waits */
  GST_RTC_CHANNEL_OPEN,
  GST_RTC_CHANNEL_CLOSING, /* what was sent before still goes out */
  GST_RTC_CHANNEL_CLOSED,
} GstRtcChannelState;

/* The W3C's name: "connecting" and so on. */
const gchar *gst_rtc_channel_state_to_string (GstRtcChannelState state);

/* W3C's RTCDataChannelInit and the label. GST_RTC_CHANNEL_INIT has the defaults, but for the strings. */
typedef struct
{
  gchar *label, *protocol; /* UTF-8 of at most 65,535 bytes */
  gboolean ordered;
  gint max_retransmits; /* 0 to 65535; -1: as many as it takes */
  gint max_packet_lifetime; /* 0 to 65535 ms; -1: for ever. Only one of the two may be given. */
  gboolean negotiated; /* the peer opens the same id by itself */
  gint id; /* 0 to 1023; -1: chosen by the transport, not when negotiated */
  guint priority; /* 128, 256, 512 or 1024 (RFC 8831, section 6.4): shares are in this proportion */
} GstRtcChannelInit;

#define GST_RTC_CHANNEL_INIT \
  { \
    .ordered = TRUE, .max_retransmits = -1, .max_packet_lifetime = -1, .id = -1, .priority = 256 \
  }

/* (transfer full): strings that were NULL are empty. */
GstRtcChannelInit gst_rtc_channel_init_copy (const GstRtcChannelInit *init);
void gst_rtc_channel_init_clear (GstRtcChannelInit *init);

/* Whether a channel with the one will do for who wants the other: all but the priority, and the id only when
 * negotiated.
 */
gboolean gst_rtc_channel_init_equal (const GstRtcChannelInit *a, const GstRtcChannelInit *b);

/* Each may be NULL. */
typedef struct
{
  /* ERROR: (nullable) why it is CLOSED, when nobody here wanted that. Nothing comes after CLOSED. */
  void (*state) (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data);

  /* A whole message, which came in at ARRIVAL (microseconds, g_get_monotonic_time()); text is valid UTF-8 without a NUL
   * at its end. MESSAGE may be referenced. Messages that are kept are told with gst_rtc_channel_add_unread(). */
  void (*message) (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data);

  /* What waits has become as little as the low threshold, or less. */
  void (*low) (GstRtcChannel *channel, gpointer user_data);
} GstRtcChannelEvents;

/* What a transport does. Any thread, and from inside of an event. */
struct _GstRtcChannelClass
{
  /* Queues a message, in the order of the calls, without a bound: see gst_rtc_channel_get_buffered(). TEXT was checked;
   * the channel was CONNECTING or OPEN a moment ago. */
  gboolean (*send) (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error);
  gsize (*get_buffered) (GstRtcChannel *channel);
  void (*set_low_threshold) (GstRtcChannel *channel, gsize bytes);

  /* The sum of gst_rtc_channel_add_unread(); the last call tells what holds. NULL: this transport cannot make a peer
   * wait. */
  void (*unread_changed) (GstRtcChannel *channel, gsize bytes);
  gint (*get_id) (GstRtcChannel *channel);
  void (*close) (GstRtcChannel *channel);
  void (*add_stats) (GstRtcChannel *channel, GstStructure *stats);
  void (*free) (GstRtcChannel *channel);

  /* The longest message that send() takes, as far as is known. NULL: any. */
  gsize (*get_max_message_size) (GstRtcChannel *channel);
};

struct _GstRtcChannel
{
  /* set at construction */
  const GstRtcChannelClass *klass;
  gchar *peer_id;
  gboolean is_remote; /* the peer opened it */
  GstRtcChannelInit init;

  gint ref_count; /* atomic */
  gssize unread; /* bytes; atomic */

  GMutex lock;
  /* under lock */
  GstRtcChannelState state; /* atomic, too: read without it */
  GError *error; /* why it closed; NULL: somebody here wanted it, or it is not */
  GPtrArray *listeners; /* of Listener; replaced, never changed */
  gboolean telling; /* a thread tells an event, and then those that wait */
  gboolean told_closed;
  GQueue waiting; /* events */
  gboolean holding;
  GQueue held; /* messages */
  gsize held_bytes;
  guint64 lost, lost_bytes; /* more than could be held */
};

/* For transports: SELF is zeroed and the transport's own. One reference is the caller's. */
void gst_rtc_channel_construct (GstRtcChannel *self, const GstRtcChannelClass *klass, const gchar *peer_id,
    gboolean is_remote, const GstRtcChannelInit *init, GstRtcChannelState state);

/* For transports: tells the listeners, and remembers the state, which only goes forward. When a thread is telling
 * already it tells this, too, and these return at once. */
void gst_rtc_channel_set_state (GstRtcChannel *self, GstRtcChannelState state, const GError *error);
void gst_rtc_channel_deliver (GstRtcChannel *self, gboolean is_text, GBytes *message, gint64 arrival);
void gst_rtc_channel_tell_low (GstRtcChannel *self);

GstRtcChannel *gst_rtc_channel_ref (GstRtcChannel *self);
void gst_rtc_channel_unref (gpointer self);

/* For those who pass channels on: from now on messages wait (at most GST_RTC_CHANNEL_MAX_HELD bytes, more are lost;
 * they count as unread) until release() gives them to the listeners that there are then, or drop_held() drops them.
 * That one returns how many messages, and of how many bytes, were held or lost. */
#define GST_RTC_CHANNEL_MAX_HELD (4 * 1024 * 1024)
void gst_rtc_channel_hold (GstRtcChannel *self);
void gst_rtc_channel_release (GstRtcChannel *self);
guint64 gst_rtc_channel_drop_held (GstRtcChannel *self, guint64 *bytes);

/* Tells EVENTS (not copied) of what happens from now on. NOTIFY frees USER_DATA once no event is on its way any more:
 * after remove_listener(), when CLOSED was told, or with the channel. Returns the state it has now: a later one is
 * told.
 */
GstRtcChannelState gst_rtc_channel_add_listener (
    GstRtcChannel *self, const GstRtcChannelEvents *events, gpointer user_data, GDestroyNotify notify);

/* Removes those with USER_DATA. One event may still be on its way in another thread. */
void gst_rtc_channel_remove_listener (GstRtcChannel *self, gpointer user_data);

GstRtcChannelState gst_rtc_channel_get_state (GstRtcChannel *self);

/* Why it closed; NULL when it did not, or somebody here wanted it. (transfer full) */
GError *gst_rtc_channel_copy_error (GstRtcChannel *self);

/* The channel's id, -1 while it is not known. */
gint gst_rtc_channel_get_id (GstRtcChannel *self);

/* Queues one message, which is referenced, not copied; it may be empty. FALSE with ERROR (GST_RTC_CHANNEL_ERROR_STATE,
 * _TOO_LARGE, _TEXT), and nothing was changed. What may wait is the caller's to bound. */
gboolean gst_rtc_channel_send (GstRtcChannel *self, gboolean is_text, GBytes *message, GError **error);

/* Bytes of messages that were sent and have not left for the network: W3C's bufferedAmount. */
gsize gst_rtc_channel_get_buffered (GstRtcChannel *self);
void gst_rtc_channel_set_low_threshold (GstRtcChannel *self, gsize bytes);

/* BYTES of messages are kept by a listener; less than 0: were used. The peer is made to wait when they are many
 * (megabytes), where the transport can do that. */
void gst_rtc_channel_add_unread (GstRtcChannel *self, gssize bytes);

/* Closes it when all that waits has been sent. Does nothing to one that is closing. */
void gst_rtc_channel_close (GstRtcChannel *self);

/* "application/x-rtc-channel-stats" with peer-id, label, protocol, state (strings), id (int), remote, ordered
 * (boolean), where they are set max-retransmits and max-packet-lifetime (int), buffered-amount, unread-amount (uint64,
 * bytes), and the transport's messages-sent, bytes-sent, messages-received, bytes-received (uint64; W3C's
 * RTCDataChannelStats). (transfer full) */
GstStructure *gst_rtc_channel_make_stats (GstRtcChannel *self);

G_END_DECLS
