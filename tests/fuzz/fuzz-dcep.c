/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* DCEP: what is read is written again as it was, but for limits beyond an int. */

#include <string.h>

#include "native/rtcdcep.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const gchar *wrong = NULL;
  RtcDcepOpen open;
  RtcDcepKind kind = rtc_dcep_read (data, size, &open, &wrong);
  GBytes *again;

  if ((kind == RTC_DCEP_INVALID) != (wrong != NULL))
    g_error ("kind %d, wrong: %s", kind, wrong ? wrong : "nothing");
  if (kind != RTC_DCEP_OPEN)
    return 0;
  again = rtc_dcep_write_open (&open);
  if (!again || g_bytes_get_size (again) != size)
    g_error ("it is not as long as it was");
  /* The limit says nothing in a reliable channel, and may be too much for us. */
  if (memcmp (g_bytes_get_data (again, NULL), data, 4) != 0
      || memcmp ((const guint8 *)g_bytes_get_data (again, NULL) + 8, data + 8, size - 8) != 0)
    g_error ("it is not what it was");
  g_bytes_unref (again);
  rtc_dcep_open_clear (&open);
  return 0;
}
