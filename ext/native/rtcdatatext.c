/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdatapriv.h"

gboolean
rtc_data_is_text (GBytes *bytes)
{
  gsize size;
  const gchar *text = g_bytes_get_data (bytes, &size), *bad;
  const gchar *end = size > 0 ? text + size : text; /* of nothing it is NULL */

  while (text < end) {
    if (g_utf8_validate_len (text, end - text, &bad))
      return TRUE;
    if (*bad != '\0')
      return FALSE;
    text = bad + 1;
  }
  return TRUE;
}

GBytes *
rtc_data_make_text (GBytes *bytes)
{
  gsize size;
  const gchar *text = g_bytes_get_data (bytes, &size), *bad;
  const gchar *end = size > 0 ? text + size : text;
  GString *made = g_string_new (NULL);

  while (text < end) {
    if (g_utf8_validate_len (text, end - text, &bad)) {
      g_string_append_len (made, text, end - text);
      break;
    }
    g_string_append_len (made, text, bad - text);
    if (*bad == '\0')
      g_string_append_c (made, '\0');
    else
      g_string_append (made, "\xef\xbf\xbd");
    text = bad + 1;
  }
  return g_string_free_to_bytes (made);
}
