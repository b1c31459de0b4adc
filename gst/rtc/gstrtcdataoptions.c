/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdataoptions.h"

typedef struct
{
  GstRtcDataOptions *to;
  GError **error;
} Reader;

static gboolean
bad_option (Reader *reader, const gchar *name, const gchar *expected)
{
  g_set_error (reader->error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
      "The option %s of a data channel is %s", name, expected);
  return FALSE;
}

static gboolean
take_int (Reader *reader, const gchar *name, const GValue *value, gint max, gint *to)
{
  gchar *expected;
  gint64 found = -2;

  if (G_VALUE_HOLDS_INT (value))
    found = g_value_get_int (value);
  else if (G_VALUE_HOLDS_UINT (value))
    found = g_value_get_uint (value);
  if (found >= -1 && found <= max) {
    *to = found;
    return TRUE;
  }
  expected = g_strdup_printf ("an int from 0 to %d, or -1", max);
  bad_option (reader, name, expected);
  g_free (expected);
  return FALSE;
}

static gboolean
take_option (GQuark field, const GValue *value, gpointer user_data)
{
  Reader *reader = user_data;
  GstRtcChannelInit *init = &reader->to->init;
  const gchar *name = g_quark_to_string (field);
  gboolean *flags[] = {&init->ordered, &init->negotiated, &reader->to->opens};
  static const gchar *const flag_names[] = {"ordered", "negotiated", "opens", NULL};
  const gchar **texts[] = {(const gchar **)&init->protocol, &reader->to->peer_id};
  static const gchar *const text_names[] = {"protocol", "peer-id", NULL};
  gint priority;

  for (guint i = 0; flag_names[i]; i++) {
    if (g_str_equal (name, flag_names[i])) {
      if (!G_VALUE_HOLDS_BOOLEAN (value))
        return bad_option (reader, name, "a boolean");
      *flags[i] = g_value_get_boolean (value);
      return TRUE;
    }
  }
  for (guint i = 0; text_names[i]; i++) {
    if (g_str_equal (name, text_names[i])) {
      if (!G_VALUE_HOLDS_STRING (value))
        return bad_option (reader, name, "a string");
      *texts[i] = g_value_get_string (value);
      return TRUE;
    }
  }
  if (g_str_equal (name, "max-retransmits"))
    return take_int (reader, name, value, 65535, &init->max_retransmits);
  if (g_str_equal (name, "max-packet-lifetime"))
    return take_int (reader, name, value, 65535, &init->max_packet_lifetime);
  if (g_str_equal (name, "id"))
    return take_int (reader, name, value, 1023, &init->id);
  if (!g_str_equal (name, "priority"))
    return bad_option (reader, name,
        "not known; those are ordered, max-retransmits, max-packet-lifetime, protocol, "
        "negotiated, id, priority, peer-id and opens");
  if (!take_int (reader, name, value, 1024, &priority))
    return FALSE;
  if (priority != 128 && priority != 256 && priority != 512 && priority != 1024)
    return bad_option (reader, name, "128, 256, 512 or 1024");
  init->priority = priority;
  return TRUE;
}

static gboolean
check_options (Reader *reader)
{
  const GstRtcChannelInit *init = &reader->to->init;

  if (init->max_retransmits >= 0 && init->max_packet_lifetime >= 0)
    return bad_option (reader, "max-packet-lifetime", "not to be given together with max-retransmits");
  if (init->negotiated && init->id < 0)
    return bad_option (reader, "id", "to be given with negotiated, from 0 to 1023");
  return TRUE;
}

gboolean
gst_rtc_data_options_read (GstRtcDataOptions *options, const gchar *label, const GstStructure *from, GError **error)
{
  Reader reader = {options, error};

  *options = (GstRtcDataOptions){.init = GST_RTC_CHANNEL_INIT, .opens = TRUE};
  options->init.label = (gchar *)label;
  return (!from || gst_structure_foreach (from, take_option, &reader)) && check_options (&reader);
}
