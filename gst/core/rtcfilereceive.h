/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtcfilesend.h"

G_BEGIN_DECLS

/* The receiving end of a channel of files (docs/design/data-files.md): one transfer after the other. It says what is to
 * be done on the disk, and is told what came of it. Texts that are returned (transfer full) are to be sent; NULL:
 * nothing is. NOW: microseconds of any steady clock. Whoever owns it locks it. Pure. */
typedef struct _RtcFileReceive RtcFileReceive;

typedef enum
{
  RTC_FILE_DO_NOTHING,
  RTC_FILE_DO_OPEN, /* the part of get_info(), and rtc_file_receive_opened() */
  RTC_FILE_DO_WRITE, /* this message's bytes behind the part */
  RTC_FILE_DO_FINISH, /* all is there and right: give it its name, and rtc_file_receive_finished() */
  RTC_FILE_DO_REMOVE, /* it failed: remove the part, if it was opened */
} RtcFileAction;

typedef struct
{
  gchar id[33];
  gchar sha256[65]; /* "": not known */
  gchar *name; /* safe: see rtc_file_make_safe_name() */
  gchar *mime; /* NULL: not known */
  gint64 size; /* -1: not known */
  gint64 bytes; /* that are there */
} RtcFileInfo;

/* MAX_SIZE: bytes. */
RtcFileReceive *rtc_file_receive_new (gint64 max_size);
void rtc_file_receive_free (RtcFileReceive *self);

/* A message came. */
RtcFileAction rtc_file_receive_take (
    RtcFileReceive *self, gboolean is_text, gconstpointer data, gsize length, gint64 now, gchar **answer);

/* After DO_OPEN. CHECKSUM (transfer full): the SHA-256 of the first OFFSET bytes, which are there. When they are more
 * than the file is to have, the answer is a cancel and the part is to be removed: see is_active(). */
gchar *rtc_file_receive_opened (RtcFileReceive *self, gint64 offset, GChecksum *checksum, gint64 now);

/* After DO_FINISH: it has its name. */
gchar *rtc_file_receive_finished (RtcFileReceive *self);

/* The disk or somebody here does not want it. The part is to be removed. REASON: (nullable) for people. */
gchar *rtc_file_receive_cancel (RtcFileReceive *self, RtcFileCode code, const gchar *reason);

/* Gives up on a sender that stands still; the part is to be removed when there is an answer. */
gchar *rtc_file_receive_check (RtcFileReceive *self, gint64 now);
gint64 rtc_file_receive_get_deadline (const RtcFileReceive *self); /* -1: none */

/* Whether a transfer is going on. */
gboolean rtc_file_receive_is_active (const RtcFileReceive *self);

/* Of the transfer that is going on, or was last; until the next message. */
const RtcFileInfo *rtc_file_receive_get_info (const RtcFileReceive *self);

/* Why the last one failed; FALSE: it did not. */
gboolean rtc_file_receive_get_code (const RtcFileReceive *self, RtcFileCode *code, const gchar **reason);

G_END_DECLS
