/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcfilereceive.h"

#include <string.h>

#include "rtcmessage.h"

typedef enum
{
  IDLE, /* nothing, or what comes is of a transfer that is over */
  OPENING, /* the disk is asked */
  CONTENTS,
  FINISHING, /* the disk is asked */
} State;

struct _RtcFileReceive
{
  gint64 max_size;
  State state;
  RtcFileInfo info;
  GChecksum *checksum; /* of what is there; NULL before it is open */
  gint64 deadline;
  gboolean has_failed;
  RtcFileCode code;
  gchar *reason;
};

RtcFileReceive *
rtc_file_receive_new (gint64 max_size)
{
  RtcFileReceive *self = g_new0 (RtcFileReceive, 1);

  self->max_size = max_size;
  self->deadline = -1;
  self->info.size = -1;
  return self;
}

static void
clear (RtcFileReceive *self)
{
  g_free (self->info.name);
  g_free (self->info.mime);
  memset (&self->info, 0, sizeof self->info);
  self->info.size = -1;
  g_clear_pointer (&self->checksum, g_checksum_free);
  g_clear_pointer (&self->reason, g_free);
  self->has_failed = FALSE;
}

void
rtc_file_receive_free (RtcFileReceive *self)
{
  if (!self)
    return;
  clear (self);
  g_free (self);
}

static void
fail (RtcFileReceive *self, RtcFileCode code, const gchar *reason)
{
  self->state = IDLE;
  self->deadline = -1;
  self->has_failed = TRUE;
  self->code = code;
  g_free (self->reason);
  self->reason = g_strdup (reason ? reason : "no reason was given");
}

gchar *
rtc_file_receive_cancel (RtcFileReceive *self, RtcFileCode code, const gchar *reason)
{
  RtcFileMessage message = {.type = RTC_FILE_CANCEL, .code = code, .reason = (gchar *)reason};

  if (self->state == IDLE)
    return NULL;
  fail (self, code, reason);
  g_strlcpy (message.id, self->info.id, sizeof message.id);
  return rtc_file_message_write (&message);
}

static RtcFileAction
refuse (RtcFileReceive *self, RtcFileCode code, const gchar *reason, gchar **answer)
{
  *answer = rtc_file_receive_cancel (self, code, reason);
  return *answer ? RTC_FILE_DO_REMOVE : RTC_FILE_DO_NOTHING;
}

static RtcFileAction
take_begin (RtcFileReceive *self, RtcFileMessage *message, gint64 now, gchar **answer)
{
  GError *error = NULL;
  RtcFileAction action;

  if (self->state != IDLE)
    return refuse (self, RTC_FILE_BAD_PROTOCOL, "another file began before this one ended", answer);
  clear (self);
  g_strlcpy (self->info.id, message->id, sizeof self->info.id);
  g_strlcpy (self->info.sha256, message->sha256, sizeof self->info.sha256);
  self->info.size = message->size;
  self->info.mime = g_steal_pointer (&message->mime);
  self->info.name = rtc_file_make_safe_name (message->name, &error);
  self->state = OPENING;
  self->deadline = now + RTC_FILE_STILL_TIME;
  if (self->info.name && self->info.size <= self->max_size)
    return RTC_FILE_DO_OPEN;
  if (!self->info.name)
    action = refuse (self, RTC_FILE_REFUSED, error->message, answer);
  else
    action = refuse (self, RTC_FILE_TOO_LARGE, "it is larger than files may be here", answer);
  g_clear_error (&error);
  return action;
}

static RtcFileAction
take_end (RtcFileReceive *self, const RtcFileMessage *message, gint64 now, gchar **answer)
{
  GChecksum *copy;

  if (self->state != CONTENTS)
    return refuse (self, RTC_FILE_BAD_PROTOCOL, "it ended at the wrong time", answer);
  if (message->size != self->info.bytes || (self->info.size >= 0 && message->size != self->info.size))
    return refuse (self, RTC_FILE_DIGEST, "it ended, and has another size than was said", answer);
  copy = g_checksum_copy (self->checksum);
  if (strcmp (g_checksum_get_string (copy), message->sha256) != 0
      || (*self->info.sha256 && strcmp (self->info.sha256, message->sha256) != 0)) {
    g_checksum_free (copy);
    return refuse (self, RTC_FILE_DIGEST, "what arrived has another digest", answer);
  }
  g_checksum_free (copy);
  g_strlcpy (self->info.sha256, message->sha256, sizeof self->info.sha256);
  self->info.size = self->info.bytes;
  self->state = FINISHING;
  self->deadline = now + RTC_FILE_STILL_TIME;
  return RTC_FILE_DO_FINISH;
}

static RtcFileAction
take_contents (RtcFileReceive *self, gconstpointer data, gsize length, gint64 now, gchar **answer)
{
  if (self->state == IDLE)
    return RTC_FILE_DO_NOTHING;
  if (self->state != CONTENTS || length > RTC_FILE_MAX_CONTENTS)
    return refuse (self, RTC_FILE_BAD_PROTOCOL,
        self->state != CONTENTS ? "contents at the wrong time" : "contents of more than 64 KiB in one message", answer);
  if (self->info.size >= 0 && self->info.bytes + (gint64)length > self->info.size)
    return refuse (self, RTC_FILE_BAD_PROTOCOL, "more came than was said", answer);
  if (self->info.bytes + (gint64)length > self->max_size)
    return refuse (self, RTC_FILE_TOO_LARGE, "it is larger than files may be here", answer);
  g_checksum_update (self->checksum, data, length);
  self->info.bytes += length;
  self->deadline = now + RTC_FILE_STILL_TIME;
  return RTC_FILE_DO_WRITE;
}

static RtcFileAction
take_control (RtcFileReceive *self, RtcFileMessage *message, gint64 now, gchar **answer)
{
  gboolean is_ours = self->state != IDLE && strcmp (message->id, self->info.id) == 0;

  if (message->type == RTC_FILE_BEGIN)
    return take_begin (self, message, now, answer);
  if (!is_ours)
    return RTC_FILE_DO_NOTHING;
  if (message->type == RTC_FILE_END)
    return take_end (self, message, now, answer);
  if (message->type != RTC_FILE_CANCEL)
    return refuse (self, RTC_FILE_BAD_PROTOCOL, "only a receiver says ready and done", answer);
  fail (self, message->code, message->reason);
  return RTC_FILE_DO_REMOVE;
}

RtcFileAction
rtc_file_receive_take (
    RtcFileReceive *self, gboolean is_text, gconstpointer data, gsize length, gint64 now, gchar **answer)
{
  RtcFileMessage *message;
  RtcFileAction action;
  GError *error = NULL;

  *answer = NULL;
  if (!is_text)
    return take_contents (self, data, length, now, answer);
  message = rtc_file_message_parse (data, length, &error);
  if (!message) {
    action = refuse (self, RTC_FILE_BAD_PROTOCOL, error->message, answer);
    g_error_free (error);
    return action;
  }
  action = take_control (self, message, now, answer);
  rtc_file_message_free (message);
  return action;
}

gchar *
rtc_file_receive_opened (RtcFileReceive *self, gint64 offset, GChecksum *checksum, gint64 now)
{
  RtcFileMessage message = {.type = RTC_FILE_READY, .size = -1, .offset = offset};

  if (self->state != OPENING) {
    g_checksum_free (checksum);
    return NULL;
  }
  self->checksum = checksum;
  self->info.bytes = offset;
  if (self->info.size >= 0 && offset > self->info.size)
    return rtc_file_receive_cancel (self, RTC_FILE_CHANGED, "more of it is here already than it is to have");
  self->state = CONTENTS;
  self->deadline = now + RTC_FILE_STILL_TIME;
  g_strlcpy (message.id, self->info.id, sizeof message.id);
  return rtc_file_message_write (&message);
}

gchar *
rtc_file_receive_finished (RtcFileReceive *self)
{
  RtcFileMessage message = {.type = RTC_FILE_DONE};

  if (self->state != FINISHING)
    return NULL;
  self->state = IDLE;
  self->deadline = -1;
  g_strlcpy (message.id, self->info.id, sizeof message.id);
  g_strlcpy (message.sha256, self->info.sha256, sizeof message.sha256);
  return rtc_file_message_write (&message);
}

gchar *
rtc_file_receive_check (RtcFileReceive *self, gint64 now)
{
  if (self->deadline < 0 || now < self->deadline)
    return NULL;
  return rtc_file_receive_cancel (self, RTC_FILE_CANCELLED, "nothing moved for a minute");
}

gint64
rtc_file_receive_get_deadline (const RtcFileReceive *self)
{
  return self->deadline;
}

gboolean
rtc_file_receive_is_active (const RtcFileReceive *self)
{
  return self->state != IDLE;
}

const RtcFileInfo *
rtc_file_receive_get_info (const RtcFileReceive *self)
{
  return &self->info;
}

gboolean
rtc_file_receive_get_code (const RtcFileReceive *self, RtcFileCode *code, const gchar **reason)
{
  if (!self->has_failed)
    return FALSE;
  *code = self->code;
  *reason = self->reason;
  return TRUE;
}
