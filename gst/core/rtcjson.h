/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <json-glib/json-glib.h>

#include "rtcmessage.h"

G_BEGIN_DECLS

/* What json-glib does not do for text that comes from a stranger. Pure: no thread, no clock, no I/O. */

/* Whether the LENGTH bytes at TEXT may be given to json-glib: at most RTC_MAX_FRAME bytes of UTF-8, nested at most
 * RTC_MAX_DEPTH deep (json-glib recurses), without the comments, identifiers, \u0000 and halves of surrogate pairs that
 * json-glib takes though RFC 8259, a C string or UTF-8 does not.
 * Returns: FALSE with ERROR set (RTC_ERROR, RTC_ERROR_BAD_MESSAGE). */
gboolean rtc_json_check (const gchar *text, gsize length, GError **error);

/* Checks LENGTH bytes at TEXT (-1: up to the NUL) and parses them.
 * Returns: (transfer full) (nullable): a node that holds an object, or NULL with ERROR set as above. */
JsonNode *rtc_json_parse_object (const gchar *text, gssize length, GError **error);

/* Appends VALUE with its quotation marks; control characters are escaped. VALUE is UTF-8. */
void rtc_json_append_string (GString *out, const gchar *value);

/* Appends NODE without white space. NODE came from rtc_json_parse_object(), which bounds the recursion. */
void rtc_json_append_node (GString *out, JsonNode *node);

/* How deep a `meta` may be nested itself: it stands inside of the message, its array and its peer. */
#define RTC_MAX_META_DEPTH (RTC_MAX_DEPTH - 3)

/* Writes NODE as a `meta`: an object of at most RTC_MAX_META bytes and RTC_MAX_META_DEPTH levels, whose strings are
 * UTF-8 and whose numbers are finite.
 * Returns: (transfer full) (nullable): the object without white space; or NULL, and FAULT (free it) continues the
 *   sentence "the field ...". */
gchar *rtc_json_write_meta (JsonNode *node, gchar **fault);

/* Parses TEXT and writes it as a `meta`: for the property of that name.
 * Returns: (transfer full) (nullable): the object without white space, or NULL with ERROR set as above. */
gchar *rtc_json_normalize_meta (const gchar *text, GError **error);

G_END_DECLS
