/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcsctp.h"

G_BEGIN_DECLS

/* The data channels of one peer (RFC 8831, 8832; W3C WebRTC, section 6): SCTP packets and the time (microseconds,
 * monotonic) go in, packets, messages and the next deadline come out. One thread.
 *
 * What is sent waits here, in a queue for each channel, and SCTP gets no more of it than can leave at once. So a
 * channel's turn comes by its priority and by what it had: a short message goes before the next piece of a long one of
 * another channel, if the peer can interleave messages (RFC 8260), and else before the next long one. */
typedef struct _RtcData RtcData;

/* It is valid until the callback that tells RTC_DATA_CLOSED has returned. */
typedef struct _RtcDataChannel RtcDataChannel;

#define RTC_DATA_ERROR (rtc_data_error_quark ())
GQuark rtc_data_error_quark (void);

typedef enum
{
  RTC_DATA_ERROR_CONFIG, /* a setting that makes no sense */
  RTC_DATA_ERROR_ID, /* out of range, or in use */
  RTC_DATA_ERROR_STATE, /* the channel is closing */
  RTC_DATA_ERROR_TOO_LARGE, /* more than the peer takes in one message */
  RTC_DATA_ERROR_FULL, /* more waits already than may */
  RTC_DATA_ERROR_TEXT, /* not UTF-8 */
  RTC_DATA_ERROR_PEER, /* the peer broke the protocol */
  RTC_DATA_ERROR_LINK, /* the association is gone */
} RtcDataError;

typedef enum
{
  RTC_DATA_CONNECTING, /* what is sent waits */
  RTC_DATA_OPEN,
  RTC_DATA_CLOSING, /* what was sent before goes out, what comes is delivered; nothing more can be sent */
  RTC_DATA_CLOSED,
} RtcDataState;

/* RFC 8831, section 6.4. */
typedef enum
{
  RTC_DATA_PRIORITY_VERY_LOW = 128,
  RTC_DATA_PRIORITY_LOW = 256, /* the W3C's default */
  RTC_DATA_PRIORITY_MEDIUM = 512,
  RTC_DATA_PRIORITY_HIGH = 1024,
} RtcDataPriority;

#define RTC_DATA_MAX_ID 1023

/* W3C's RTCDataChannelInit. RTC_DATA_CHANNEL_INIT has its defaults. */
typedef struct
{
  const gchar *label, *protocol; /* UTF-8 of at most 65,535 bytes; NULL is "" */
  gboolean ordered;
  gint max_retransmits; /* 0 to 65535; -1: as many as it takes */
  gint max_packet_lifetime; /* 0 to 65535 ms; -1: for ever. Only one of the two may be given. */
  gboolean negotiated; /* the peer opens the same id by itself */
  gint id; /* 0 to RTC_DATA_MAX_ID; -1: chosen here, once it is known who is the DTLS client (not when negotiated) */
  guint priority; /* RtcDataPriority, though 1 to 65535 are possible: shares are in this proportion */
  gsize max_buffered; /* bytes; more is refused with RTC_DATA_ERROR_FULL */
  gsize low_threshold; /* bytes, see buffered_low() */
} RtcDataChannelInit;

#define RTC_DATA_CHANNEL_INIT \
  { \
    .ordered = TRUE, .max_retransmits = -1, .max_packet_lifetime = -1, .id = -1, .priority = RTC_DATA_PRIORITY_LOW, \
    .max_buffered = 64 * 1024 * 1024 \
  }

/* W3C's RTCDataChannelStats, and what was given up before it was begun. */
typedef struct
{
  guint64 messages_sent, bytes_sent; /* handed to SCTP as a whole */
  guint64 messages_received, bytes_received;
  guint64 messages_expired, bytes_expired; /* older than max_packet_lifetime while they waited here */
  guint64 messages_dropped, bytes_dropped; /* by rtc_data_channel_drop_oldest(), and what waited when it was closed */
} RtcDataChannelStats;

typedef struct
{
  gsize max_message_size; /* of what comes: what our a=max-message-size says; at least 65536 */
  gboolean no_interleaving; /* do not offer RFC 8260: for tests, and peers that get it wrong */
} RtcDataConfig;

#define RTC_DATA_MAX_MESSAGE_SIZE (16 * 1024 * 1024)

/* From inside of the functions below. They may call any of those except rtc_data_free(). */
typedef struct
{
  /* One SCTP packet is to be sent. */
  void (*transmit) (const guint8 *data, gsize size, gpointer user_data);

  /* The association is up (ERROR is NULL), or gone: then every channel has been closed, and nothing more happens. ERROR
   * says why, also when the peer ended it in order. */
  void (*link) (gboolean is_up, const GError *error, gpointer user_data);

  /* The peer opened a channel; it is OPEN. To refuse it, close it. */
  void (*channel) (RtcDataChannel *channel, gpointer user_data);

  /* ERROR: (nullable) why it is CLOSED, when nobody wanted that. */
  void (*state) (RtcDataChannel *channel, RtcDataState state, const GError *error, gpointer user_data);

  /* A whole message; text is valid UTF-8 (what is not is replaced, as browsers do), without a NUL at the end. MESSAGE
   * may be referenced. */
  void (*message) (RtcDataChannel *channel, gboolean is_text, GBytes *message, gpointer user_data);

  /* What waits has become as little as low_threshold, or less. */
  void (*buffered_low) (RtcDataChannel *channel, gpointer user_data);
} RtcDataEvents;

/* EVENTS is not copied. */
RtcData *rtc_data_new (const RtcDataConfig *config, const RtcDataEvents *events, gpointer user_data);

/* Nothing is sent and no event comes; see rtc_data_close(). */
void rtc_data_free (RtcData *data);

/* DTLS is connected. PEER_MAX_MESSAGE_SIZE: of its a=max-message-size: 0 is no limit (RFC 8841), 65536 when it has
 * none. Only the first call counts. */
void rtc_data_start (RtcData *data, gboolean is_dtls_client, guint16 local_port, guint16 remote_port,
    guint64 peer_max_message_size, gint64 now);

/* Around calls that belong together: what they have to send is sent at the end, in as few packets as it takes. They may
 * be nested. Channels that close in between are valid until the end. */
void rtc_data_begin (RtcData *data, gint64 now);
void rtc_data_end (RtcData *data);

/* One SCTP packet. Before start() it is ignored; the peer sends it again. */
void rtc_data_take (RtcData *data, const guint8 *packet, gsize size, gint64 now);

/* To be called at the deadline (-1: none). */
gint64 rtc_data_get_deadline (RtcData *data);

/* The deadline in two parts, for who serves many together: those of what is being sent now, which want to be met to the
 * millisecond or better (RTC_SCTP says which), and the others, which may wait for some. -1: none. */
gint64 rtc_data_get_fine_deadline (RtcData *data);
gint64 rtc_data_get_coarse_deadline (RtcData *data);
void rtc_data_tick (RtcData *data, gint64 now);

/* There is a path again after a while without: what was lost meanwhile is sent at once. */
void rtc_data_hurry (RtcData *data, gint64 now);

/* Ends the association (ABORT) and all channels, with their events. What waits is dropped. */
void rtc_data_close (RtcData *data, gint64 now);

/* BYTES of messages that came are kept and not used yet: the peer has so much less of RTC_SCTP_BUFFER to send into, and
 * waits when nothing is left of it. */
void rtc_data_set_unread (RtcData *data, gsize bytes, gint64 now);

/* Before or after start(). NULL with ERROR. (transfer none) */
RtcDataChannel *rtc_data_open (RtcData *data, const RtcDataChannelInit *init, gint64 now, GError **error);

/* Whether such a channel could be opened now. FALSE with ERROR. */
gboolean rtc_data_check (RtcData *data, const RtcDataChannelInit *init, GError **error);

/* Closes it when all that waits has been sent (W3C's close()). RTC_DATA_CLOSED is told when the peer has done so, too.
 * Does nothing to one that is closing. */
void rtc_data_channel_close (RtcDataChannel *channel, gint64 now);

/* Closes it as one that went wrong: what waits is dropped, and RTC_DATA_CLOSED has ERROR. */
void rtc_data_channel_fail (RtcDataChannel *channel, const GError *error, gint64 now);

/* Queues one message, which is referenced, not copied. SIZE may be 0. FALSE with ERROR, and nothing was changed. Also
 * from inside of the event that tells CLOSING: a peer's close leaves no other time for what waits outside. */
gboolean rtc_data_channel_send (RtcDataChannel *channel, gboolean is_text, GBytes *message, gint64 now, GError **error);

/* Drops the message that has waited the longest, and of which nothing was sent yet. Returns its size; -1: there is
 * none. */
gssize rtc_data_channel_drop_oldest (RtcDataChannel *channel);

/* Bytes that wait and have not been handed to SCTP: W3C's bufferedAmount. What SCTP has is on its way, but for a few
 * packets. */
gsize rtc_data_channel_get_buffered (RtcDataChannel *channel);
guint rtc_data_channel_get_n_waiting (RtcDataChannel *channel); /* messages, with the one that was begun */
void rtc_data_channel_set_low_threshold (RtcDataChannel *channel, gsize bytes);
void rtc_data_channel_set_max_buffered (RtcDataChannel *channel, gsize bytes);

gint rtc_data_channel_get_id (RtcDataChannel *channel); /* -1: not known yet */
RtcDataState rtc_data_channel_get_state (RtcDataChannel *channel);
const RtcDataChannelStats *rtc_data_channel_get_stats (RtcDataChannel *channel);

/* What it was opened with, by either side. Its strings are not NULL. */
const RtcDataChannelInit *rtc_data_channel_get_init (RtcDataChannel *channel);

/* The caller's own. */
void rtc_data_channel_set_user_data (RtcDataChannel *channel, gpointer user_data);
gpointer rtc_data_channel_get_user_data (RtcDataChannel *channel);

/* The biggest message that the peer takes; G_MAXUINT64: any. It may become less when the association is up: one that
 * names more than RTC_DATA_MAX_MESSAGE_SIZE takes no more than it can hold. */
guint64 rtc_data_get_peer_max_message_size (RtcData *data);

/* For stats. FALSE before start(). */
gboolean rtc_data_get_path (RtcData *data, RtcSctpStats *stats, gboolean *interleaving);

G_END_DECLS
