/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtccandidate.h"
#include "rtcmessage.h"

#include <string.h>

static gboolean
is_number (const gchar *text, guint64 min, guint64 max)
{
  return g_ascii_string_to_unsigned (text, 10, min, max, NULL, NULL);
}

/* RFC 6544, section 4.5; extensions are pairs of a name and a value. */
static gboolean
has_tcptype (gchar **extensions)
{
  static const gchar *const types[] = {"active", "passive", "so", NULL};

  for (guint i = 0; extensions[i] && extensions[i + 1]; i += 2) {
    if (strcmp (extensions[i], "tcptype") == 0)
      return g_strv_contains (types, extensions[i + 1]);
  }
  return FALSE;
}

gboolean
rtc_candidate_check (const gchar *text, GError **error)
{
  const gchar *start = g_str_has_prefix (text, "a=") ? text + 2 : text;
  gchar **f;
  const gchar *why = NULL;
  guint n;

  if (!g_str_has_prefix (start, "candidate:") || strlen (start) > RTC_MAX_CANDIDATE || !g_str_is_ascii (start)
      || strpbrk (start, "\r\n")) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_CANDIDATE,
        "\"%.40s\" is no ICE candidate: it must be one line that begins with candidate: (RFC 8839, section 5.1)", text);
    return FALSE;
  }
  f = g_strsplit (start + strlen ("candidate:"), " ", 0);
  n = g_strv_length (f);
  if (n < 8 || strcmp (f[6], "typ"))
    why = "it has too few fields, or no typ";
  else if (!*f[0] || strlen (f[0]) > 32)
    why = "its foundation is not 1 to 32 characters";
  else if (!is_number (f[1], 1, 256))
    why = "its component is not 1 to 256";
  else if (g_ascii_strcasecmp (f[2], "udp") && g_ascii_strcasecmp (f[2], "tcp"))
    why = "its transport is neither udp nor tcp";
  else if (!is_number (f[3], 1, G_MAXUINT32))
    why = "its priority is not 1 to 2^32-1";
  else if (!is_number (f[5], 0, 65535))
    why = "its port is not 0 to 65535";
  else if (g_ascii_strcasecmp (f[2], "tcp") == 0 && !has_tcptype (f + 8))
    why = "it is TCP without a tcptype of active, passive or so (RFC 6544)";
  if (why)
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_CANDIDATE, "\"%.60s\" is no usable ICE candidate: %s", text, why);
  g_strfreev (f);
  return why == NULL;
}

gboolean
rtc_candidate_is_mdns (const gchar *text)
{
  return strstr (text, ".local ") != NULL;
}
