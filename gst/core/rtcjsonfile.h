/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The control messages of files over a data channel (docs/design/data-files.md), and what of a file's name may touch a
 * disk. Pure. */

#define RTC_FILE_PROTOCOL "rtclink.file.1"

#define RTC_FILE_MAX_CONTROL (16 * 1024) /* bytes of a control message */
#define RTC_FILE_MAX_NAME 200 /* bytes */
#define RTC_FILE_MAX_TEXT 1000 /* bytes of a reason or a type */
#define RTC_FILE_MAX_SIZE (G_GINT64_CONSTANT (1) << 53) /* what JSON can say */

typedef enum
{
  RTC_FILE_BEGIN,
  RTC_FILE_READY,
  RTC_FILE_END,
  RTC_FILE_DONE,
  RTC_FILE_CANCEL,
} RtcFileType;

/* Why a transfer is over. */
typedef enum
{
  RTC_FILE_CANCELLED, /* somebody wanted it; and whatever code is not known here */
  RTC_FILE_REFUSED,
  RTC_FILE_EXISTS,
  RTC_FILE_TOO_LARGE,
  RTC_FILE_DISK_FULL,
  RTC_FILE_DIGEST,
  RTC_FILE_CHANGED,
  RTC_FILE_BAD_PROTOCOL,
} RtcFileCode;

typedef struct
{
  RtcFileType type;
  gchar id[33]; /* 32 hexadecimal digits, lower case */
  gchar sha256[65]; /* 64 of them; "": not known (BEGIN only) */
  gint64 size; /* BEGIN: -1 when it is not known; END */
  gint64 offset; /* READY */
  gchar *name, *mime; /* BEGIN; name as it was sent: see rtc_file_make_safe_name(); mime may be NULL */
  RtcFileCode code; /* CANCEL */
  gchar *reason; /* CANCEL; for people; may be NULL */
} RtcFileMessage;

/* Reads LENGTH bytes at TEXT. Fields that are not known are ignored.
 * Returns: (transfer full) (nullable): NULL with ERROR (RTC_ERROR, RTC_ERROR_BAD_MESSAGE), which says what is wrong. */
RtcFileMessage *rtc_file_message_parse (const gchar *text, gsize length, GError **error);

/* Strings are UTF-8. (transfer full) */
gchar *rtc_file_message_write (const RtcFileMessage *message);
void rtc_file_message_free (RtcFileMessage *message);

/* Whether TEXT is as many hexadecimal digits, lower case. */
gboolean rtc_file_is_hex (const gchar *text, gsize digits);

/* What NAME, which a stranger sent, is called in a directory of ours: what stands behind its last slash or backslash,
 * with a _ for each character that means something to a shell of another system or turns the direction of writing.
 * Never empty, never begins with a dot. Returns: (transfer full) (nullable): NULL with ERROR (RTC_ERROR,
 * RTC_ERROR_BAD_MESSAGE) when there is no such. */
gchar *rtc_file_make_safe_name (const gchar *name, GError **error);

G_END_DECLS
