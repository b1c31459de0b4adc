/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a peer says about a file, and what it calls it. */

#include <string.h>

#include "core/rtcjsonfile.h"
#include "core/rtcmessage.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check_error (GError *error)
{
  if (!error || error->domain != RTC_ERROR || error->message[0] == 0 || !g_utf8_validate (error->message, -1, NULL))
    g_error ("refused without a reason, or with one that is no text: %s", error ? error->message : "none");
  g_error_free (error);
}

static void
check_name (const gchar *name)
{
  GError *error = NULL;
  gchar *safe = rtc_file_make_safe_name (name, &error);
  gchar *again;

  if (!safe) {
    check_error (error);
    return;
  }
  if (!*safe || *safe == '.' || strpbrk (safe, "/\\:*?\"<>|\n") || strlen (safe) > RTC_FILE_MAX_NAME)
    g_error ("\"%s\" is no safe name", safe);
  again = rtc_file_make_safe_name (safe, NULL);
  if (g_strcmp0 (again, safe) != 0)
    g_error ("\"%s\" is called otherwise the second time", safe);
  g_free (again);
  g_free (safe);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  GError *error = NULL;
  gchar *text = g_strndup (size > 0 ? (const gchar *)data : "", size);
  RtcFileMessage *message;
  gchar *once, *twice;

  check_name (text);
  g_free (text);
  message = rtc_file_message_parse (size > 0 ? (const gchar *)data : "", size, &error);
  if (!message) {
    check_error (error);
    return 0;
  }
  if (message->name)
    check_name (message->name);
  once = rtc_file_message_write (message);
  rtc_file_message_free (message);
  message = rtc_file_message_parse (once, strlen (once), &error);
  if (!message)
    g_error ("what was written is refused: %s: %s", error->message, once);
  twice = rtc_file_message_write (message);
  if (strcmp (once, twice) != 0)
    g_error ("it reads differently the second time: %s: %s", once, twice);
  rtc_file_message_free (message);
  g_free (twice);
  g_free (once);
  return 0;
}
