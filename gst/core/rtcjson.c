/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcjson.h"

#include <math.h>
#include <string.h>

#define MAX_DIGITS 18

static gboolean bad (GError **error, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
bad (GError **error, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error)
    *error = g_error_new_valist (RTC_ERROR, RTC_ERROR_BAD_MESSAGE, format, args);
  va_end (args);
  return FALSE;
}

/* The number that the four digits of a \u at POS say, or -1. */
static gint
read_unit (const gchar *text, gsize length, gsize pos)
{
  gint unit = 0;

  if (length - pos < 6 || text[pos] != '\\' || text[pos + 1] != 'u')
    return -1;
  for (gsize i = pos + 2; i < pos + 6; i++) {
    if (!g_ascii_isxdigit (text[i]))
      return -1;
    unit = unit * 16 + g_ascii_xdigit_value (text[i]);
  }
  return unit;
}

/* Returns the length of the escape at POS, or 0 with ERROR set. */
static gsize
check_escape (const gchar *text, gsize length, gsize pos, GError **error)
{
  gchar name = pos + 1 < length ? text[pos + 1] : '"';
  gint unit;

  if (name != 'u') {
    if (strchr ("\"\\/bfnrt", name))
      return 2;
    bad (error, "not JSON: unknown escape \\%c in a string at byte %" G_GSIZE_FORMAT,
        g_ascii_isprint (name) ? name : '?', pos);
    return 0;
  }
  unit = read_unit (text, length, pos);
  if (unit < 0) {
    bad (error, "not JSON: a \\u without its four hexadecimal digits at byte %" G_GSIZE_FORMAT, pos);
  } else if (unit == 0) {
    bad (error, "a string with \\u0000 at byte %" G_GSIZE_FORMAT ", expected text without NUL", pos);
  } else if (unit < 0xd800 || unit > 0xdfff) {
    return 6;
  } else {
    gint low = unit < 0xdc00 ? read_unit (text, length, pos + 6) : -1;

    /* json-glib would make something of it that is no UTF-8, or swallow what comes next. */
    if (low >= 0xdc00 && low <= 0xdfff)
      return 12;
    bad (error, "half of a surrogate pair in a string at byte %" G_GSIZE_FORMAT ", expected both", pos);
  }
  return 0;
}

/* Returns the position behind the string whose opening quotation mark is at POS, or 0 with ERROR set. */
static gsize
check_string (const gchar *text, gsize length, gsize pos, GError **error)
{
  gsize i;

  for (i = pos + 1; i < length; i++) {
    guchar c = text[i];

    if (c == '"')
      return i + 1;
    if (c < 0x20) {
      bad (error, "not JSON: control character 0x%02x inside a string at byte %" G_GSIZE_FORMAT ", expected it escaped",
          c, i);
      return 0;
    }
    if (c == '\\') {
      gsize escape = check_escape (text, length, i, error);

      if (escape == 0)
        return 0;
      i += escape - 1;
    }
  }
  bad (error, "not JSON: the string that begins at byte %" G_GSIZE_FORMAT " has no end", pos);
  return 0;
}

gboolean
rtc_json_check (const gchar *text, gsize length, GError **error)
{
  const gchar *end;
  gsize i = 0;
  gint depth = 0, digits = 0;

  if (length > RTC_MAX_FRAME)
    return bad (error, "the message is %" G_GSIZE_FORMAT " bytes long, at most %d are allowed", length, RTC_MAX_FRAME);
  if (!g_utf8_validate_len (text, length, &end))
    return bad (error, "not UTF-8 text at byte %" G_GSIZE_FORMAT, (gsize)(end - text));

  while (i < length) {
    gchar c = text[i];

    if (c == '"') {
      i = check_string (text, length, i, error);
      if (i == 0)
        return FALSE;
      continue;
    }
    if (!g_ascii_isdigit (c))
      digits = c == '.' ? G_MININT : 0;
    else if (++digits > MAX_DIGITS) /* json-glib would make another number of it */
      return bad (error, "an integer of more than %d digits at byte %" G_GSIZE_FORMAT, MAX_DIGITS, i);

    if (c == '{' || c == '[') {
      if (++depth > RTC_MAX_DEPTH)
        return bad (error, "nested more than %d deep at byte %" G_GSIZE_FORMAT, RTC_MAX_DEPTH, i);
    } else if (c == '}' || c == ']') {
      if (--depth < 0)
        return bad (error, "not JSON: '%c' without its beginning at byte %" G_GSIZE_FORMAT, c, i);
    } else if (!strchr (" \t\r\n:,+-.0123456789eEtrufalsn", c)) {
      return bad (error, "not JSON: unexpected character at byte %" G_GSIZE_FORMAT ", expected an object {...}", i);
    }
    i++;
  }
  return TRUE;
}

JsonNode *
rtc_json_parse_object (const gchar *text, gssize length, GError **error)
{
  gsize size = length < 0 ? strlen (text) : (gsize)length;
  GError *parse_error = NULL;
  JsonParser *parser;
  JsonNode *root = NULL;
  gchar *copy;

  if (!rtc_json_check (text, size, error))
    return NULL;

  /* json-glib may look at the byte behind the end. */
  copy = g_malloc (size + 1);
  if (size > 0)
    memcpy (copy, text, size);
  copy[size] = 0;
  parser = json_parser_new_immutable ();
  if (!json_parser_load_from_data (parser, copy, size, &parse_error)) {
    /* It quotes what it made of the text so far, which may end within a character. */
    gchar *why = g_utf8_make_valid (parse_error->message, -1);

    bad (error, "not JSON: %s", why);
    g_free (why);
    g_error_free (parse_error);
  } else {
    root = json_parser_steal_root (parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
      bad (error, "the message is no JSON object, expected {\"type\":...}");
      g_clear_pointer (&root, json_node_unref);
    }
  }
  g_object_unref (parser);
  g_free (copy);
  return root;
}

void
rtc_json_append_string (GString *out, const gchar *value)
{
  const gchar *p;

  g_string_append_c (out, '"');
  for (p = value; *p; p++) {
    guchar c = *p;

    switch (c) {
      case '"':
        g_string_append (out, "\\\"");
        break;
      case '\\':
        g_string_append (out, "\\\\");
        break;
      case '\n':
        g_string_append (out, "\\n");
        break;
      case '\r':
        g_string_append (out, "\\r");
        break;
      case '\t':
        g_string_append (out, "\\t");
        break;
      case '\b':
        g_string_append (out, "\\b");
        break;
      case '\f':
        g_string_append (out, "\\f");
        break;
      default:
        if (c < 0x20)
          g_string_append_printf (out, "\\u%04x", c);
        else
          g_string_append_c (out, c);
        break;
    }
  }
  g_string_append_c (out, '"');
}

static void
append_value (GString *out, JsonNode *node)
{
  /* 17 digits give every double back; json-glib's own writer makes "1e+30.0" of a large one. */
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  switch (json_node_get_value_type (node)) {
    case G_TYPE_STRING:
      rtc_json_append_string (out, json_node_get_string (node));
      break;
    case G_TYPE_BOOLEAN:
      g_string_append (out, json_node_get_boolean (node) ? "true" : "false");
      break;
    case G_TYPE_DOUBLE:
      g_string_append (out, g_ascii_formatd (number, sizeof number, "%.17g", json_node_get_double (node)));
      /* "-0" would be read as an integer, which has no sign. */
      if (g_str_equal (number, "-0"))
        g_string_append (out, ".0");
      break;
    default:
      g_string_append_printf (out, "%" G_GINT64_FORMAT, json_node_get_int (node));
      break;
  }
}

void
rtc_json_append_node (GString *out, JsonNode *node)
{
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *child;
  gboolean first = TRUE;
  guint i;

  switch (JSON_NODE_TYPE (node)) {
    case JSON_NODE_OBJECT:
      g_string_append_c (out, '{');
      json_object_iter_init_ordered (&iter, json_node_get_object (node));
      while (json_object_iter_next_ordered (&iter, &name, &child)) {
        if (!first)
          g_string_append_c (out, ',');
        first = FALSE;
        rtc_json_append_string (out, name);
        g_string_append_c (out, ':');
        rtc_json_append_node (out, child);
      }
      g_string_append_c (out, '}');
      break;
    case JSON_NODE_ARRAY:
      g_string_append_c (out, '[');
      for (i = 0; i < json_array_get_length (json_node_get_array (node)); i++) {
        if (i > 0)
          g_string_append_c (out, ',');
        rtc_json_append_node (out, json_array_get_element (json_node_get_array (node), i));
      }
      g_string_append_c (out, ']');
      break;
    case JSON_NODE_VALUE:
      append_value (out, node);
      break;
    default:
      g_string_append (out, "null");
      break;
  }
}

/* Whether NODE, at LEVEL inside of a meta, can be written as JSON and is not too deep. */
static gboolean
is_writable (JsonNode *node, guint level)
{
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *child;
  guint i;

  switch (JSON_NODE_TYPE (node)) {
    case JSON_NODE_OBJECT:
      json_object_iter_init (&iter, json_node_get_object (node));
      while (json_object_iter_next (&iter, &name, &child)) {
        if (!is_writable (child, level + 1))
          return FALSE;
      }
      return level <= RTC_MAX_META_DEPTH;
    case JSON_NODE_ARRAY:
      for (i = 0; i < json_array_get_length (json_node_get_array (node)); i++) {
        if (!is_writable (json_array_get_element (json_node_get_array (node), i), level + 1))
          return FALSE;
      }
      return level <= RTC_MAX_META_DEPTH;
    case JSON_NODE_VALUE:
      if (json_node_get_value_type (node) == G_TYPE_DOUBLE)
        return isfinite (json_node_get_double (node));
      return TRUE;
    default:
      return TRUE;
  }
}

gchar *
rtc_json_write_meta (JsonNode *node, gchar **fault)
{
  GString *out;

  if (!is_writable (node, 1)) {
    *fault = g_strdup_printf ("is nested more than %d deep, or has a number that is not finite", RTC_MAX_META_DEPTH);
    return NULL;
  }
  out = g_string_new (NULL);
  rtc_json_append_node (out, node);
  if (out->len > RTC_MAX_META) {
    *fault = g_strdup_printf ("is %" G_GSIZE_FORMAT " bytes long, at most %d are allowed", out->len, RTC_MAX_META);
    g_string_free (out, TRUE);
    return NULL;
  }
  return g_string_free (out, FALSE);
}

gchar *
rtc_json_normalize_meta (const gchar *text, GError **error)
{
  JsonNode *node = rtc_json_parse_object (text, -1, error);
  gchar *fault = NULL;
  gchar *meta;

  if (!node)
    return NULL;
  meta = rtc_json_write_meta (node, &fault);
  json_node_unref (node);
  if (!meta)
    bad (error, "it %s", fault);
  g_free (fault);
  return meta;
}
