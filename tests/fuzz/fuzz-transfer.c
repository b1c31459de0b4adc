/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A file from one machine to the other, over a channel that breaks where the input says so, and on which it says what
 * it likes. A file whose digest is wrong never gets its name; and where nobody interferes, it arrives. */

#include <string.h>

#include "core/rtcfilereceive.h"
#include "core/rtcfilesend.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

#define ID "0123456789abcdef0123456789abcdef"
#define LARGEST 100000 /* that is received */

typedef struct
{
  gboolean is_text;
  GBytes *bytes;
} Message;

typedef struct
{
  const guint8 *data;
  gsize size;
} Input;

typedef struct
{
  gint64 now;
  GByteArray *file; /* what is read */
  gboolean knows_size;
  RtcFileSend *send;
  RtcFileReceive *receive;
  GQueue there, back; /* of Message: on their way to the receiver, and to the sender */
  gboolean is_linked;
  GByteArray *part; /* the receiver's disk */
  gboolean is_whole; /* the part has its name */
  gboolean is_disturbed; /* by more than breaks */
} World;

static guint8
next (Input *in)
{
  if (in->size == 0)
    return 0;
  in->size--;
  return *in->data++;
}

static void
message_free (gpointer message)
{
  g_bytes_unref (((Message *)message)->bytes);
  g_free (message);
}

static void
put (World *w, GQueue *queue, gboolean is_text, GBytes *bytes)
{
  Message *message = g_new (Message, 1);

  *message = (Message){is_text, bytes};
  if (w->is_linked)
    g_queue_push_tail (queue, message);
  else
    message_free (message);
}

/* TEXT (transfer full, nullable): what one of ours says must be well said. */
static void
say (World *w, GQueue *queue, gchar *text)
{
  GError *error = NULL;
  RtcFileMessage *message;

  if (!text)
    return;
  message = rtc_file_message_parse (text, strlen (text), &error);
  if (!message)
    g_error ("it said what it would not take: %s: %s", error->message, text);
  rtc_file_message_free (message);
  put (w, queue, TRUE, g_bytes_new_take (text, strlen (text)));
}

static void
check_digest (World *w)
{
  const RtcFileInfo *info = rtc_file_receive_get_info (w->receive);
  gchar *digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, w->part->data, w->part->len);

  if (strcmp (digest, info->sha256) != 0 || info->size != w->part->len || info->bytes != w->part->len)
    g_error ("it would give its name to something else");
  g_free (digest);
}

/* What the disk does, as DO says. */
static void
do_action (World *w, RtcFileAction action, const Message *message)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (message->bytes, &size);
  GChecksum *checksum;

  switch (action) {
    case RTC_FILE_DO_OPEN:
      checksum = g_checksum_new (G_CHECKSUM_SHA256);
      if (w->part->len > 0)
        g_checksum_update (checksum, w->part->data, w->part->len);
      say (w, &w->back, rtc_file_receive_opened (w->receive, w->part->len, checksum, w->now));
      break;
    case RTC_FILE_DO_WRITE:
      g_byte_array_append (w->part, data, size);
      break;
    case RTC_FILE_DO_FINISH:
      check_digest (w);
      w->is_whole = TRUE;
      say (w, &w->back, rtc_file_receive_finished (w->receive));
      break;
    case RTC_FILE_DO_REMOVE:
      if (!w->is_whole)
        g_byte_array_set_size (w->part, 0);
      break;
    case RTC_FILE_DO_NOTHING:
      break;
  }
}

static void
receive (World *w, Message *message)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (message->bytes, &size);
  gchar *answer;
  RtcFileAction action = rtc_file_receive_take (w->receive, message->is_text, data, size, w->now, &answer);
  const gchar *reason;
  RtcFileCode code;

  if (answer && action != RTC_FILE_DO_REMOVE)
    g_error ("an answer with what is no refusal");
  if (action == RTC_FILE_DO_REMOVE && (!rtc_file_receive_get_code (w->receive, &code, &reason) || !reason))
    g_error ("refused without a reason");
  say (w, &w->back, answer);
  do_action (w, action, message);
  message_free (message);
}

static void
answer (World *w, Message *message)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (message->bytes, &size);

  say (w, &w->there, rtc_file_send_take (w->send, message->is_text, data, size, w->now));
  message_free (message);
}

/* Everything that is under way is lost; the part stays. */
static void
break_link (World *w)
{
  w->is_linked = FALSE;
  g_queue_clear_full (&w->there, message_free);
  g_queue_clear_full (&w->back, message_free);
  g_queue_init (&w->there);
  g_queue_init (&w->back);
  rtc_file_send_lose (w->send);
  rtc_file_receive_free (w->receive);
  w->receive = rtc_file_receive_new (LARGEST);
}

static void
open_link (World *w)
{
  w->is_linked = TRUE;
  say (w, &w->there, rtc_file_send_open (w->send, w->knows_size ? (gint64)w->file->len : -1, w->now));
}

static void
send_contents (World *w, gsize length)
{
  gint64 offset = rtc_file_send_get_offset (w->send);
  gchar *instead;

  if (rtc_file_send_get_state (w->send) != RTC_FILE_SEND_CONTENTS)
    return;
  if (offset >= w->file->len) {
    say (w, &w->there, rtc_file_send_end (w->send, w->now));
    return;
  }
  length = MIN (MIN (length, RTC_FILE_MAX_CONTENTS), (gsize)(w->file->len - offset));
  instead = rtc_file_send_contents (w->send, w->file->data + offset, length, w->now);
  if (instead)
    say (w, &w->there, instead);
  else
    put (w, &w->there, FALSE, g_bytes_new (w->file->data + offset, length));
}

static void
check_time (World *w)
{
  gchar *text;

  say (w, &w->there, rtc_file_send_check (w->send, w->now));
  text = rtc_file_receive_check (w->receive, w->now);
  if (text && !w->is_whole)
    g_byte_array_set_size (w->part, 0);
  w->is_disturbed = w->is_disturbed || text || rtc_file_send_get_state (w->send) == RTC_FILE_SEND_FAILED;
  say (w, &w->back, text);
}

/* A message that nobody of ours has said: well-formed, or just bytes. */
static GBytes *
make_message (Input *in, gboolean *is_text)
{
  guint8 kind = next (in);
  gsize wanted = next (in);
  gsize length = MIN (wanted, in->size);
  GBytes *bytes;

  *is_text = kind & 1;
  if (*is_text && kind & 2) {
    gchar *digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, in->data, length);
    RtcFileMessage message = {.type = (kind >> 2) % 5, .code = (kind >> 5), .size = length, .offset = length};
    gchar *text;

    g_strlcpy (message.id, ID, sizeof message.id);
    g_strlcpy (message.sha256, digest, sizeof message.sha256);
    message.name = (gchar *)"name";
    text = rtc_file_message_write (&message);
    g_free (digest);
    bytes = g_bytes_new_take (text, strlen (text));
  } else {
    bytes = g_bytes_new (in->data, length);
  }
  in->data += length;
  in->size -= length;
  return bytes;
}

static void
inject (World *w, Input *in, GQueue *queue)
{
  gboolean is_text;
  GBytes *bytes = make_message (in, &is_text);

  w->is_disturbed = TRUE;
  put (w, queue, is_text, bytes);
}

/* The file becomes another one meanwhile. */
static void
change_file (World *w, Input *in)
{
  static const guint8 more[256] = {0};
  guint8 how = next (in);

  w->is_disturbed = TRUE;
  if (how & 1)
    g_byte_array_append (w->file, more, how);
  else if (how & 2)
    g_byte_array_set_size (w->file, w->file->len / 2);
  else if (w->file->len > 0)
    w->file->data[w->file->len * how / 256] ^= 1;
}

static void
cancel (World *w, gboolean by_sender)
{
  w->is_disturbed = TRUE;
  if (by_sender) {
    say (w, &w->there, rtc_file_send_cancel (w->send, RTC_FILE_CANCELLED, NULL));
    return;
  }
  say (w, &w->back, rtc_file_receive_cancel (w->receive, RTC_FILE_DISK_FULL, "it is full"));
  if (!w->is_whole)
    g_byte_array_set_size (w->part, 0);
}

static void
check (World *w)
{
  RtcFileSendState state = rtc_file_send_get_state (w->send);
  gboolean waits = state != RTC_FILE_SEND_AWAY && state != RTC_FILE_SEND_DONE && state != RTC_FILE_SEND_FAILED;
  const gchar *reason;

  if ((rtc_file_send_get_deadline (w->send) >= 0) != waits)
    g_error ("the sender's deadline is wrong in state %d", state);
  rtc_file_send_get_code (w->send, &reason);
  if (state == RTC_FILE_SEND_FAILED && !reason)
    g_error ("it failed without a reason");
  if ((rtc_file_receive_get_deadline (w->receive) >= 0) != rtc_file_receive_is_active (w->receive))
    g_error ("the receiver's deadline is wrong");
  if (state == RTC_FILE_SEND_DONE && !w->is_whole && !w->is_disturbed)
    g_error ("done, and it is not");
}

static void
step (World *w, Input *in)
{
  guint8 what = next (in);

  w->now += next (in) * G_TIME_SPAN_MILLISECOND;
  switch (what % 12) {
    case 0:
    case 1:
      if (!g_queue_is_empty (&w->there))
        receive (w, g_queue_pop_head (&w->there));
      break;
    case 2:
      if (!g_queue_is_empty (&w->back))
        answer (w, g_queue_pop_head (&w->back));
      break;
    case 3:
    case 4:
      send_contents (w, 1 + (gsize)next (in) * 400);
      break;
    case 5:
      open_link (w);
      break;
    case 6:
      break_link (w);
      break;
    case 7:
      inject (w, in, what & 128 ? &w->there : &w->back);
      break;
    case 8:
      change_file (w, in);
      break;
    case 9:
      cancel (w, what & 128);
      break;
    case 10:
      w->now += (gint64)next (in) * G_USEC_PER_SEC / 2;
      check_time (w);
      break;
    default:
      w->is_disturbed = TRUE;
      w->knows_size = !w->knows_size;
      break;
  }
  check (w);
}

/* The link is good from now on. Nobody interfered: it arrives. */
static void
come_to_an_end (World *w)
{
  break_link (w);
  open_link (w);
  for (guint i = 0; i < 100; i++) {
    while (!g_queue_is_empty (&w->there) || !g_queue_is_empty (&w->back)) {
      if (!g_queue_is_empty (&w->there))
        receive (w, g_queue_pop_head (&w->there));
      if (!g_queue_is_empty (&w->back))
        answer (w, g_queue_pop_head (&w->back));
    }
    send_contents (w, RTC_FILE_MAX_CONTENTS);
    check (w);
  }
}

static void
check_end (World *w)
{
  gboolean is_too_large = w->file->len > LARGEST;

  if (rtc_file_send_get_state (w->send) != (is_too_large ? RTC_FILE_SEND_FAILED : RTC_FILE_SEND_DONE))
    g_error ("it came to no end, or to another one: state %d", rtc_file_send_get_state (w->send));
  if (!is_too_large
      && (!w->is_whole || w->part->len != w->file->len
          || (w->file->len > 0 && memcmp (w->part->data, w->file->data, w->file->len) != 0)))
    g_error ("another file arrived");
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Input in = {data, size};
  World w = {.file = g_byte_array_new (), .part = g_byte_array_new ()};
  gsize length = next (&in);

  length *= 2 * (gsize)next (&in);
  g_byte_array_set_size (w.file, length);
  for (gsize i = 0; i < length; i++)
    w.file->data[i] = i * 7 + i / 251;
  w.knows_size = next (&in) & 1;
  w.send = rtc_file_send_new (ID, "name", NULL);
  w.receive = rtc_file_receive_new (LARGEST);
  g_queue_init (&w.there);
  g_queue_init (&w.back);
  while (in.size > 0)
    step (&w, &in);
  if (!w.is_disturbed && rtc_file_send_get_state (w.send) < RTC_FILE_SEND_DONE)
    come_to_an_end (&w);
  if (!w.is_disturbed)
    check_end (&w);
  break_link (&w);
  rtc_file_receive_free (w.receive);
  rtc_file_send_free (w.send);
  g_byte_array_unref (w.file);
  g_byte_array_unref (w.part);
  return 0;
}
