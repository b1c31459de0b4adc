/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcfilesend.h"

#include <string.h>

#include "rtcmessage.h"

struct _RtcFileSend
{
  gchar id[33];
  gchar digest[65]; /* "": not all of it was read yet */
  gchar *name, *mime;
  gint64 size; /* -1: not known */
  gboolean was_opened;
  RtcFileSendState state;
  gint64 offset; /* of what is sent next */
  GChecksum *checksum; /* of the first HASHED bytes; they may have been sent more than once */
  gint64 hashed;
  gint64 deadline;
  RtcFileCode code;
  gchar *reason;
};

RtcFileSend *
rtc_file_send_new (const gchar *id, const gchar *name, const gchar *mime)
{
  RtcFileSend *self = g_new0 (RtcFileSend, 1);

  g_strlcpy (self->id, id, sizeof self->id);
  self->name = g_strdup (name);
  self->mime = g_strdup (mime);
  self->size = -1;
  self->checksum = g_checksum_new (G_CHECKSUM_SHA256);
  self->deadline = -1;
  return self;
}

void
rtc_file_send_free (RtcFileSend *self)
{
  if (!self)
    return;
  g_checksum_free (self->checksum);
  g_free (self->name);
  g_free (self->mime);
  g_free (self->reason);
  g_free (self);
}

static gboolean
is_over (const RtcFileSend *self)
{
  return self->state == RTC_FILE_SEND_DONE || self->state == RTC_FILE_SEND_FAILED;
}

static void
fail (RtcFileSend *self, RtcFileCode code, const gchar *reason)
{
  self->state = RTC_FILE_SEND_FAILED;
  self->code = code;
  self->reason = g_strdup (reason ? reason : "the receiver gave no reason");
  self->deadline = -1;
}

gchar *
rtc_file_send_cancel (RtcFileSend *self, RtcFileCode code, const gchar *reason)
{
  RtcFileMessage message = {.type = RTC_FILE_CANCEL, .code = code, .reason = (gchar *)reason};
  gboolean has_channel = self->state != RTC_FILE_SEND_AWAY;

  if (is_over (self))
    return NULL;
  fail (self, code, reason ? reason : "it was cancelled here");
  g_strlcpy (message.id, self->id, sizeof message.id);
  return has_channel ? rtc_file_message_write (&message) : NULL;
}

gchar *
rtc_file_send_open (RtcFileSend *self, gint64 size, gint64 now)
{
  RtcFileMessage message = {.type = RTC_FILE_BEGIN, .name = self->name, .mime = self->mime, .size = size};

  if (self->state != RTC_FILE_SEND_AWAY)
    return NULL;
  self->state = RTC_FILE_SEND_ASKING;
  if (self->was_opened && size != self->size)
    return rtc_file_send_cancel (self, RTC_FILE_CHANGED, "the file has another size than before");
  self->was_opened = TRUE;
  self->size = size;
  self->deadline = now + RTC_FILE_STILL_TIME;
  g_strlcpy (message.id, self->id, sizeof message.id);
  g_strlcpy (message.sha256, self->digest, sizeof message.sha256);
  return rtc_file_message_write (&message);
}

void
rtc_file_send_lose (RtcFileSend *self)
{
  if (is_over (self))
    return;
  self->state = RTC_FILE_SEND_AWAY;
  self->deadline = -1;
}

static gchar *
take_ready (RtcFileSend *self, gint64 offset, gint64 now)
{
  if (self->state != RTC_FILE_SEND_ASKING)
    return rtc_file_send_cancel (self, RTC_FILE_BAD_PROTOCOL, "a second ready");
  if (offset > self->hashed)
    return rtc_file_send_cancel (self, RTC_FILE_BAD_PROTOCOL, "the receiver has more of the file than was sent");
  self->state = RTC_FILE_SEND_CONTENTS;
  self->offset = offset;
  self->deadline = now + RTC_FILE_STILL_TIME;
  return NULL;
}

static gchar *
take_done (RtcFileSend *self, const gchar *digest)
{
  if (self->state != RTC_FILE_SEND_ENDING)
    return rtc_file_send_cancel (self, RTC_FILE_BAD_PROTOCOL, "done before the end");
  if (strcmp (digest, self->digest) != 0)
    return rtc_file_send_cancel (self, RTC_FILE_DIGEST, "the receiver has another digest");
  self->state = RTC_FILE_SEND_DONE;
  self->deadline = -1;
  return NULL;
}

gchar *
rtc_file_send_take (RtcFileSend *self, gboolean is_text, gconstpointer data, gsize length, gint64 now)
{
  RtcFileMessage *message;
  GError *error = NULL;
  gchar *answer = NULL;

  /* Contents are for whoever receives on the same channel. */
  if (!is_text || is_over (self) || self->state == RTC_FILE_SEND_AWAY)
    return NULL;
  message = rtc_file_message_parse (data, length, &error);
  if (!message) {
    answer = rtc_file_send_cancel (self, RTC_FILE_BAD_PROTOCOL, error->message);
    g_error_free (error);
    return answer;
  }
  if (strcmp (message->id, self->id) == 0) { /* else it is late, and about another transfer */
    if (message->type == RTC_FILE_READY)
      answer = take_ready (self, message->offset, now);
    else if (message->type == RTC_FILE_DONE)
      answer = take_done (self, message->sha256);
    else if (message->type == RTC_FILE_CANCEL)
      fail (self, message->code, message->reason);
    else
      answer = rtc_file_send_cancel (self, RTC_FILE_BAD_PROTOCOL, "only a sender begins and ends");
  }
  rtc_file_message_free (message);
  return answer;
}

gchar *
rtc_file_send_contents (RtcFileSend *self, gconstpointer data, gsize length, gint64 now)
{
  gint64 end = self->offset + (gint64)length;

  g_return_val_if_fail (self->state == RTC_FILE_SEND_CONTENTS, NULL);
  if (self->size >= 0 ? end > self->size : end > RTC_FILE_MAX_SIZE)
    return rtc_file_send_cancel (self, RTC_FILE_CHANGED, "the file has become longer");
  if (end > self->hashed) {
    gsize known = self->hashed - self->offset;

    g_checksum_update (self->checksum, (const guchar *)data + known, length - known);
    self->hashed = end;
  }
  self->offset = end;
  self->deadline = now + RTC_FILE_STILL_TIME;
  return NULL;
}

gchar *
rtc_file_send_end (RtcFileSend *self, gint64 now)
{
  RtcFileMessage message = {.type = RTC_FILE_END, .size = self->offset};
  GChecksum *copy;

  g_return_val_if_fail (self->state == RTC_FILE_SEND_CONTENTS, NULL);
  if (self->offset < self->hashed || (self->size >= 0 && self->offset != self->size))
    return rtc_file_send_cancel (self, RTC_FILE_CHANGED, "the file has become shorter");
  copy = g_checksum_copy (self->checksum);
  g_strlcpy (self->digest, g_checksum_get_string (copy), sizeof self->digest);
  g_checksum_free (copy);
  self->state = RTC_FILE_SEND_ENDING;
  self->deadline = now + RTC_FILE_STILL_TIME;
  g_strlcpy (message.id, self->id, sizeof message.id);
  g_strlcpy (message.sha256, self->digest, sizeof message.sha256);
  return rtc_file_message_write (&message);
}

gchar *
rtc_file_send_check (RtcFileSend *self, gint64 now)
{
  if (self->deadline < 0 || now < self->deadline)
    return NULL;
  return rtc_file_send_cancel (self, RTC_FILE_CANCELLED, "nothing moved for a minute");
}

gint64
rtc_file_send_get_deadline (const RtcFileSend *self)
{
  return self->deadline;
}

RtcFileSendState
rtc_file_send_get_state (const RtcFileSend *self)
{
  return self->state;
}

gint64
rtc_file_send_get_offset (const RtcFileSend *self)
{
  return self->offset;
}

const gchar *
rtc_file_send_get_id (const RtcFileSend *self)
{
  return self->id;
}

const gchar *
rtc_file_send_get_digest (const RtcFileSend *self)
{
  return self->digest;
}

RtcFileCode
rtc_file_send_get_code (const RtcFileSend *self, const gchar **reason)
{
  *reason = self->reason;
  return self->code;
}
