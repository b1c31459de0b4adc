/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Whatever arrives: it is refused with a reason, or written again as something that reads the same. */

#include <string.h>

#include "core/rtcmessage.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  GError *error = NULL;
  RtcMessage *message = rtc_message_from_json ((const gchar *)data, size, &error);
  gchar *once, *twice;

  if (!message) {
    if (!error || error->domain != RTC_ERROR || error->code != RTC_ERROR_BAD_MESSAGE || error->message[0] == 0
        || !g_utf8_validate (error->message, -1, NULL))
      g_error ("refused without a reason, or with one that is no text: %s", error ? error->message : "none");
    g_error_free (error);
    return 0;
  }
  if (error)
    g_error ("both a message and an error");

  once = rtc_message_to_json (message);
  rtc_message_free (message);
  /* Written text may be longer than what was read, by `from` and by numbers. */
  if (strlen (once) <= RTC_MAX_FRAME) {
    message = rtc_message_from_json (once, -1, &error);
    if (!message)
      g_error ("what was written is refused: %s: %s", error->message, once);
    twice = rtc_message_to_json (message);
    if (strcmp (once, twice) != 0)
      g_error ("it reads differently the second time: %s: %s", once, twice);
    rtc_message_free (message);
    g_free (twice);
  }
  g_free (once);
  return 0;
}
