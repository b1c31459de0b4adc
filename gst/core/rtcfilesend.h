/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcjsonfile.h"

G_BEGIN_DECLS

/* One file on its way to one receiver (docs/design/data-files.md): what is to be said, from where the contents are to
 * be read, and how it ended. It outlives the channels that it goes over. Texts that are returned (transfer full) are to
 * be sent on the channel that there is; NULL: nothing is to be sent. NOW: microseconds of any steady clock. Whoever
 * owns it locks it. Pure. */
typedef struct _RtcFileSend RtcFileSend;

/* The longest message of contents, and how long a receiver may stand still. */
#define RTC_FILE_MAX_CONTENTS (64 * 1024)
#define RTC_FILE_STILL_TIME (60 * G_USEC_PER_SEC)

typedef enum
{
  RTC_FILE_SEND_AWAY, /* no channel */
  RTC_FILE_SEND_ASKING, /* the receiver has been told, and has not said from where on it wants it */
  RTC_FILE_SEND_CONTENTS, /* see rtc_file_send_get_offset() */
  RTC_FILE_SEND_ENDING, /* all was sent; the receiver checks it */
  RTC_FILE_SEND_DONE, /* it is on the receiver's disk */
  RTC_FILE_SEND_FAILED,
} RtcFileSendState;

/* ID: 32 hexadecimal digits, lower case. NAME: (UTF-8) at most RTC_FILE_MAX_TEXT bytes. MIME: (nullable). */
RtcFileSend *rtc_file_send_new (const gchar *id, const gchar *name, const gchar *mime);
void rtc_file_send_free (RtcFileSend *self);

/* A channel is open. SIZE: what the file has now; -1: nobody knows. */
gchar *rtc_file_send_open (RtcFileSend *self, gint64 size, gint64 now);

/* The channel went; another may come. */
void rtc_file_send_lose (RtcFileSend *self);

/* A message came. What is about other transfers is left alone: the peer may send a file on the same channel. */
gchar *rtc_file_send_take (RtcFileSend *self, gboolean is_text, gconstpointer data, gsize length, gint64 now);

/* With CONTENTS: LENGTH bytes that stand at get_offset() are sent after this, in messages of at most
 * RTC_FILE_MAX_CONTENTS. What is returned is sent in place of them. */
gchar *rtc_file_send_contents (RtcFileSend *self, gconstpointer data, gsize length, gint64 now);

/* With CONTENTS: there is nothing behind get_offset(). */
gchar *rtc_file_send_end (RtcFileSend *self, gint64 now);

/* REASON: (nullable) for people. Does nothing when it is over. */
gchar *rtc_file_send_cancel (RtcFileSend *self, RtcFileCode code, const gchar *reason);

/* Gives up on a receiver that stands still. The time counts from the last thing that happened; -1: it is over. */
gchar *rtc_file_send_check (RtcFileSend *self, gint64 now);
gint64 rtc_file_send_get_deadline (const RtcFileSend *self);

RtcFileSendState rtc_file_send_get_state (const RtcFileSend *self);
gint64 rtc_file_send_get_offset (const RtcFileSend *self);
const gchar *rtc_file_send_get_id (const RtcFileSend *self);

/* Of all of it: with ENDING and DONE. */
const gchar *rtc_file_send_get_digest (const RtcFileSend *self);

/* With FAILED. REASON: never NULL, for people. */
RtcFileCode rtc_file_send_get_code (const RtcFileSend *self, const gchar **reason);

G_END_DECLS
