/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcjsonfile.h"

#include <string.h>

#include "rtcjson.h"

/* In the order of RtcFileType and RtcFileCode. */
static const gchar *const types[] = {"file", "ready", "end", "done", "cancel"};
static const gchar *const codes[] = {
    "cancelled", "refused", "exists", "too-large", "disk-full", "digest", "changed", "protocol"};

G_STATIC_ASSERT (G_N_ELEMENTS (types) == RTC_FILE_CANCEL + 1);
G_STATIC_ASSERT (G_N_ELEMENTS (codes) == RTC_FILE_BAD_PROTOCOL + 1);

static gint
find (const gchar *const *names, guint n, const gchar *name)
{
  for (guint i = 0; i < n; i++) {
    if (g_strcmp0 (names[i], name) == 0)
      return i;
  }
  return -1;
}

gboolean
rtc_file_is_hex (const gchar *text, gsize digits)
{
  return text && strlen (text) == digits && strspn (text, "0123456789abcdef") == digits;
}

/* The string NAME of OBJECT; NULL: there is none, or it is something else. */
static const gchar *
get_string (JsonObject *object, const gchar *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING
      ? json_node_get_string (node)
      : NULL;
}

/* FALSE: it is there, and no count of bytes; VALUE stays as it is when it is not there. */
static gboolean
get_bytes (JsonObject *object, const gchar *name, gint64 *value)
{
  JsonNode *node = json_object_get_member (object, name);

  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  *value = json_node_get_int (node);
  return *value >= 0 && *value <= RTC_FILE_MAX_SIZE;
}

/* FALSE: it is there, and no digest. */
static gboolean
get_digest (JsonObject *object, RtcFileMessage *message)
{
  const gchar *digest = get_string (object, "sha256");

  if (!digest)
    return !json_object_has_member (object, "sha256");
  if (!rtc_file_is_hex (digest, 64))
    return FALSE;
  g_strlcpy (message->sha256, digest, sizeof message->sha256);
  return TRUE;
}

/* FALSE: there is one that is too long. */
static gboolean
get_text (JsonObject *object, const gchar *name, gsize max, gchar **text)
{
  const gchar *found = get_string (object, name);

  if (found && strlen (found) > max)
    return FALSE;
  *text = g_strdup (found);
  return TRUE;
}

/* The field that is wrong; NULL: none is. */
static const gchar *
read_fields (JsonObject *object, RtcFileMessage *message)
{
  gint code;

  message->size = message->offset = -1;
  if (!get_bytes (object, "size", &message->size) || (message->type == RTC_FILE_END && message->size < 0))
    return "size, which must be a number of bytes";
  if (!get_digest (object, message) || (message->type == RTC_FILE_DONE && !*message->sha256)
      || (message->type == RTC_FILE_END && !*message->sha256))
    return "sha256, which must be 64 hexadecimal digits in lower case";
  if (!get_bytes (object, "offset", &message->offset) || (message->type == RTC_FILE_READY && message->offset < 0))
    return "offset, which must be a number of bytes";
  if (!get_text (object, "name", RTC_FILE_MAX_TEXT, &message->name)
      || (message->type == RTC_FILE_BEGIN && !message->name))
    return "name, which must be a text of at most 1000 bytes";
  if (!get_text (object, "mime", RTC_FILE_MAX_TEXT, &message->mime))
    return "mime, which has more than 1000 bytes";
  if (!get_text (object, "reason", RTC_FILE_MAX_TEXT, &message->reason))
    return "reason, which has more than 1000 bytes";
  code = find (codes, G_N_ELEMENTS (codes), get_string (object, "code"));
  message->code = MAX (code, 0);
  return NULL;
}

static RtcFileMessage *
read_message (JsonObject *object, GError **error)
{
  gint type = find (types, G_N_ELEMENTS (types), get_string (object, "type"));
  const gchar *id = get_string (object, "id");
  const gchar *wrong = NULL;
  RtcFileMessage *message;

  if (type < 0)
    wrong = "type, which must be file, ready, end, done or cancel";
  else if (!rtc_file_is_hex (id, 32))
    wrong = "id, which must be 32 hexadecimal digits in lower case";
  message = g_new0 (RtcFileMessage, 1);
  if (!wrong) {
    message->type = type;
    g_strlcpy (message->id, id, sizeof message->id);
    wrong = read_fields (object, message);
  }
  if (!wrong)
    return message;
  rtc_file_message_free (message);
  g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE, "A message about a file is wrong in its %s", wrong);
  return NULL;
}

RtcFileMessage *
rtc_file_message_parse (const gchar *text, gsize length, GError **error)
{
  RtcFileMessage *message;
  JsonNode *node;

  if (length > RTC_FILE_MAX_CONTROL) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE,
        "A message about a file has %" G_GSIZE_FORMAT " bytes, and %d are the most", length, RTC_FILE_MAX_CONTROL);
    return NULL;
  }
  node = rtc_json_parse_object (text, length, error);
  if (!node)
    return NULL;
  message = read_message (json_node_get_object (node), error);
  json_node_unref (node);
  return message;
}

static void
append_text (GString *json, const gchar *name, const gchar *value)
{
  if (!value || !*value)
    return;
  g_string_append_printf (json, ",\"%s\":", name);
  rtc_json_append_string (json, value);
}

static void
append_bytes (GString *json, const gchar *name, gint64 value)
{
  if (value >= 0)
    g_string_append_printf (json, ",\"%s\":%" G_GINT64_FORMAT, name, value);
}

gchar *
rtc_file_message_write (const RtcFileMessage *message)
{
  GString *json = g_string_new (NULL);

  g_string_append_printf (json, "{\"type\":\"%s\",\"id\":\"%s\"", types[message->type], message->id);
  switch (message->type) {
    case RTC_FILE_BEGIN:
      g_string_append (json, ",\"name\":");
      rtc_json_append_string (json, message->name);
      append_bytes (json, "size", message->size);
      append_text (json, "mime", message->mime);
      append_text (json, "sha256", message->sha256);
      break;
    case RTC_FILE_READY:
      append_bytes (json, "offset", message->offset);
      break;
    case RTC_FILE_END:
      append_bytes (json, "size", message->size);
      append_text (json, "sha256", message->sha256);
      break;
    case RTC_FILE_DONE:
      append_text (json, "sha256", message->sha256);
      break;
    case RTC_FILE_CANCEL:
      append_text (json, "code", codes[message->code]);
      append_text (json, "reason", message->reason);
      break;
  }
  g_string_append_c (json, '}');
  return g_string_free (json, FALSE);
}

void
rtc_file_message_free (RtcFileMessage *message)
{
  if (!message)
    return;
  g_free (message->name);
  g_free (message->mime);
  g_free (message->reason);
  g_free (message);
}

/* A shell of some system takes it for something else, or a reader does: those that turn the direction of writing (UAX
 * #9, table 4) make fdp.exe look like exe.pdf. */
static gboolean
misleads (gunichar c)
{
  return (c < 0x80 && strchr (":*?\"<>|", (gchar)c)) || c == 0x061c || c == 0x200e || c == 0x200f
      || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

gchar *
rtc_file_make_safe_name (const gchar *name, GError **error)
{
  const gchar *base = name;
  const gchar *wrong = NULL;
  GString *safe;

  for (const gchar *at = name; *at; at++) {
    if (*at == '/' || *at == '\\')
      base = at + 1;
  }
  if (!*base)
    wrong = "is empty";
  else if (*base == '.')
    wrong = "begins with a dot";
  else if (strlen (base) > RTC_FILE_MAX_NAME)
    wrong = "is longer than 200 bytes";
  else if (!g_utf8_validate (base, -1, NULL))
    wrong = "is not UTF-8";
  for (const gchar *at = base; !wrong && *at; at = g_utf8_next_char (at)) {
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      wrong = "has control characters";
  }
  if (wrong) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_MESSAGE, "The name of a file %s", wrong);
    return NULL;
  }
  safe = g_string_new (NULL);
  for (const gchar *at = base; *at; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    g_string_append_unichar (safe, misleads (c) ? '_' : c);
  }
  return g_string_free (safe, FALSE);
}
