/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcdataconfig.h"

#include <string.h>

#include "base/gstrtcwebrtcchannel.h"
#include "core/rtcdataqueue.h"
#include "core/rtcjsonfile.h"
#include "gstrtcdataone.h"

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define MAX_ID 1023
#define MAX_STRING 65535

static GType
gst_rtc_data_priority_get_type (void)
{
  static const GEnumValue values[] = {
      {128, "Half a share of what low has", "very-low"},
      {256, "One share", "low"},
      {512, "Two shares", "medium"},
      {1024, "Four shares", "high"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstRtcDataPriority", values));
  return type;
}

GType
gst_rtc_data_overflow_get_type (void)
{
  static const GEnumValue values[] = {
      {RTC_DATA_OVERFLOW_BLOCK, "Whoever makes the messages waits", "block"},
      {RTC_DATA_OVERFLOW_DROP_OLDEST, "The oldest that wait make room", "drop-oldest"},
      {RTC_DATA_OVERFLOW_DROP_NEWEST, "What does not fit is dropped", "drop-newest"},
      {RTC_DATA_OVERFLOW_LATEST, "Only the newest waits", "latest"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstRtcDataOverflow", values));
  return type;
}

void
gst_rtc_data_config_init (GstRtcDataConfig *config)
{
  *config = (GstRtcDataConfig){.init = GST_RTC_CHANNEL_INIT};
}

void
gst_rtc_data_config_clear (GstRtcDataConfig *config)
{
  gst_rtc_channel_init_clear (&config->init);
  g_clear_pointer (&config->peer_id, g_free);
  g_clear_pointer (&config->rtc, g_free);
  gst_clear_object (&config->rtc_element);
  g_clear_object (&config->channel);
}

void
gst_rtc_data_config_install (GObjectClass *klass)
{
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_RTC,
      g_param_spec_string ("rtc", "rtcbin",
          "Name of the rtcbin, anywhere in the same pipeline, whose peers are meant; needed only where there are "
          "several",
          NULL, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_RTC_ELEMENT,
      g_param_spec_object ("rtc-element", "rtcbin as an element",
          "The rtcbin whose peers are meant, for applications; goes before the property rtc", GST_TYPE_ELEMENT, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_LABEL,
      g_param_spec_string (
          "label", "Label", "The channel's name, by which the peer knows it; at most 65535 bytes", "", READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_PROTOCOL,
      g_param_spec_string ("protocol", "Protocol",
          "The subprotocol that is told to the peer, at most 65535 bytes; what it means is up to both ends", "",
          READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_ORDERED,
      g_param_spec_boolean ("ordered", "Ordered",
          "Whether messages arrive in the order in which they were sent, so that one that is lost holds up the next",
          TRUE, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_MAX_RETRANSMITS,
      g_param_spec_int ("max-retransmits", "Most retransmissions",
          "How often a message is sent again before it is given up; -1: as often as it takes. Not together with "
          "max-packet-lifetime",
          -1, G_MAXUINT16, -1, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_MAX_PACKET_LIFETIME,
      g_param_spec_int ("max-packet-lifetime", "Longest lifetime",
          "Milliseconds after which a message is given up; -1: never. Not together with max-retransmits", -1,
          G_MAXUINT16, -1, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_NEGOTIATED,
      g_param_spec_boolean ("negotiated", "Negotiated",
          "Whether both ends open the channel by themselves, with the same id; otherwise one opens it and the other is "
          "told",
          FALSE, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_ID,
      g_param_spec_int (
          "id", "Id", "The channel's number, 0 to 1023, with negotiated=true; -1 otherwise", -1, MAX_ID, -1, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_PRIORITY,
      g_param_spec_enum ("priority", "Priority",
          "The channel's share of the connection while others have something to send, too",
          gst_rtc_data_priority_get_type (), 256, READY));
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_CHANNEL,
      g_param_spec_object ("channel", "Channel of a webrtcbin",
          "A GstWebRTCDataChannel, for applications that have a webrtcbin and no rtcbin; label and the other settings "
          "are the channel's then. It is the application's to open and to close",
          gst_rtc_webrtc_channel_get_object_type (), READY));
}

/* What the channel has goes before what was set. */
static void
take_settings (GstRtcDataConfig *config)
{
  gst_rtc_channel_init_clear (&config->init);
  config->init = gst_rtc_webrtc_channel_get_init (config->channel);
}

static gchar **
string_field (GstRtcDataConfig *config, guint id)
{
  switch (id) {
    case GST_RTC_DATA_PROP_RTC:
      return &config->rtc;
    case GST_RTC_DATA_PROP_LABEL:
      return &config->init.label;
    case GST_RTC_DATA_PROP_PROTOCOL:
      return &config->init.protocol;
    case GST_RTC_DATA_PROP_PEER_ID:
      return &config->peer_id;
    default:
      return NULL;
  }
}

static gboolean
set_field (GstRtcDataConfig *config, guint id, const GValue *value)
{
  gchar **string = string_field (config, id);

  if (string) {
    g_free (*string);
    *string = g_value_dup_string (value);
    return TRUE;
  }
  switch (id) {
    case GST_RTC_DATA_PROP_RTC_ELEMENT:
      gst_object_replace ((GstObject **)&config->rtc_element, g_value_get_object (value));
      break;
    case GST_RTC_DATA_PROP_CHANNEL:
      g_set_object (&config->channel, g_value_get_object (value));
      break;
    case GST_RTC_DATA_PROP_ORDERED:
      config->init.ordered = g_value_get_boolean (value);
      break;
    case GST_RTC_DATA_PROP_MAX_RETRANSMITS:
      config->init.max_retransmits = g_value_get_int (value);
      break;
    case GST_RTC_DATA_PROP_MAX_PACKET_LIFETIME:
      config->init.max_packet_lifetime = g_value_get_int (value);
      break;
    case GST_RTC_DATA_PROP_NEGOTIATED:
      config->init.negotiated = g_value_get_boolean (value);
      break;
    case GST_RTC_DATA_PROP_ID:
      config->init.id = g_value_get_int (value);
      break;
    case GST_RTC_DATA_PROP_PRIORITY:
      config->init.priority = g_value_get_enum (value);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

gboolean
gst_rtc_data_config_set (GstRtcDataConfig *config, guint id, const GValue *value)
{
  gboolean is_known = set_field (config, id, value);

  if (is_known && config->channel)
    take_settings (config);
  return is_known;
}

gboolean
gst_rtc_data_config_get (const GstRtcDataConfig *config, guint id, GValue *value)
{
  gchar **string = string_field ((GstRtcDataConfig *)config, id);

  if (string) {
    gboolean is_never_null = id == GST_RTC_DATA_PROP_LABEL || id == GST_RTC_DATA_PROP_PROTOCOL;

    g_value_set_string (value, *string || !is_never_null ? *string : "");
    return TRUE;
  }
  switch (id) {
    case GST_RTC_DATA_PROP_RTC_ELEMENT:
      g_value_set_object (value, config->rtc_element);
      break;
    case GST_RTC_DATA_PROP_CHANNEL:
      g_value_set_object (value, config->channel);
      break;
    case GST_RTC_DATA_PROP_ORDERED:
      g_value_set_boolean (value, config->init.ordered);
      break;
    case GST_RTC_DATA_PROP_MAX_RETRANSMITS:
      g_value_set_int (value, config->init.max_retransmits);
      break;
    case GST_RTC_DATA_PROP_MAX_PACKET_LIFETIME:
      g_value_set_int (value, config->init.max_packet_lifetime);
      break;
    case GST_RTC_DATA_PROP_NEGOTIATED:
      g_value_set_boolean (value, config->init.negotiated);
      break;
    case GST_RTC_DATA_PROP_ID:
      g_value_set_int (value, config->init.id);
      break;
    case GST_RTC_DATA_PROP_PRIORITY:
      g_value_set_enum (value, config->init.priority);
      break;
    default:
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_string (const gchar *name, const gchar *value, GError **error)
{
  if (!value)
    return TRUE;
  if (strlen (value) > MAX_STRING)
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s has %zu bytes, and %d are the most it may have", name, strlen (value), MAX_STRING);
  else if (!g_utf8_validate (value, -1, NULL))
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "%s is not UTF-8", name);
  else
    return TRUE;
  return FALSE;
}

gboolean
gst_rtc_data_config_check (const GstRtcDataConfig *config, GError **error)
{
  const GstRtcChannelInit *init = &config->init;

  if (!check_string ("label", init->label, error) || !check_string ("protocol", init->protocol, error))
    return FALSE;
  if (init->max_retransmits >= 0 && init->max_packet_lifetime >= 0) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "max-retransmits=%d and max-packet-lifetime=%d are both set, and a channel can have only one of the two: set "
        "the other to -1",
        init->max_retransmits, init->max_packet_lifetime);
    return FALSE;
  }
  if (init->negotiated && init->id < 0) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "negotiated=true needs the number that the peer uses, too: set id to 0 to %d", MAX_ID);
    return FALSE;
  }
  if (!init->negotiated && init->id >= 0) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "id=%d is used only with negotiated=true, at both ends: set that, too, or leave out id", init->id);
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_rtc_data_config_check_files (const GstRtcDataConfig *config, const gchar *what, GError **error)
{
  const GstRtcChannelInit *init = &config->init;

  if (init->ordered && init->max_retransmits < 0 && init->max_packet_lifetime < 0
      && (config->channel ? g_strcmp0 (init->protocol, RTC_FILE_PROTOCOL) == 0 : !init->protocol || !*init->protocol))
    return TRUE;
  if (config->channel) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "%s needs a channel of the protocol \"%s\" that is ordered and loses nothing: create it so", what,
        RTC_FILE_PROTOCOL);
    return FALSE;
  }
  g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
      "%s needs a channel that is ordered and loses nothing, and gives it a protocol of its own: leave out protocol, "
      "ordered, max-retransmits and max-packet-lifetime",
      what);
  return FALSE;
}

/* The outermost bin around ELEMENT. (transfer full) */
static GstObject *
find_top (GstElement *element)
{
  GstObject *top = gst_object_ref (element);
  GstObject *parent;

  while ((parent = gst_object_get_parent (top))) {
    gst_object_unref (top);
    top = parent;
  }
  return top;
}

static gboolean
is_rtcbin (GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory && strcmp (GST_OBJECT_NAME (factory), "rtcbin") == 0;
}

/* Every rtcbin in TOP. (transfer full) */
static GPtrArray *
list_rtcbins (GstObject *top)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (gst_object_unref);
  GValue item = G_VALUE_INIT;
  GstIterator *iterator;
  gboolean is_done = !GST_IS_BIN (top);

  if (is_done)
    return found;
  iterator = gst_bin_iterate_recurse (GST_BIN (top));
  while (!is_done) {
    switch (gst_iterator_next (iterator, &item)) {
      case GST_ITERATOR_OK:
        if (is_rtcbin (g_value_get_object (&item)))
          g_ptr_array_add (found, g_value_dup_object (&item));
        g_value_reset (&item);
        break;
      case GST_ITERATOR_RESYNC:
        gst_iterator_resync (iterator);
        g_ptr_array_set_size (found, 0);
        break;
      default:
        is_done = TRUE;
        break;
    }
  }
  g_value_unset (&item);
  gst_iterator_free (iterator);
  return found;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (GST_OBJECT_NAME (*(GstElement *const *)a), GST_OBJECT_NAME (*(GstElement *const *)b));
}

static gchar *
list_names (GPtrArray *elements)
{
  GString *names = g_string_new (NULL);

  g_ptr_array_sort (elements, compare_names);
  for (guint i = 0; i < elements->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", GST_OBJECT_NAME (g_ptr_array_index (elements, i)));
  return g_string_free (names, FALSE);
}

static GstElement *
pick_rtcbin (GPtrArray *all, const gchar *name, const gchar *who, GError **error)
{
  gchar *names = list_names (all);
  GstElement *picked = NULL;

  if (all->len == 1 && !name)
    picked = gst_object_ref (g_ptr_array_index (all, 0));
  else if (all->len == 0)
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
        "%s needs an rtcbin in the same pipeline, and there is none%s%s: add \"rtcbin name=%s\"", who,
        name ? " of the name " : "", name ? name : "", name ? name : "rtc");
  else if (name)
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
        "%s is for the rtcbin \"%s\", which is not in the pipeline; there is %s: set rtc to that name", who, name,
        names);
  else
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
        "There are %u rtcbin in the pipeline, %s: say with rtc=NAME which of them %s is for", all->len, names, who);
  g_free (names);
  return picked;
}

static GstElement *
find_rtcbin (const GstRtcDataConfig *config, GstElement *element, GError **error)
{
  GstElement *rtcbin = NULL;
  const gchar *name = config->rtc && *config->rtc ? config->rtc : NULL;
  GstObject *top;
  GPtrArray *all;

  if (config->rtc_element)
    return gst_object_ref (config->rtc_element);
  top = find_top (element);
  if (name && GST_IS_BIN (top))
    rtcbin = gst_bin_get_by_name (GST_BIN (top), name);
  if (!rtcbin) {
    all = list_rtcbins (top);
    rtcbin = pick_rtcbin (all, name, GST_OBJECT_NAME (element), error);
    g_ptr_array_unref (all);
  }
  gst_object_unref (top);
  return rtcbin;
}

GstRtcDataHub *
gst_rtc_data_config_find_hub (const GstRtcDataConfig *config, GstElement *element, GError **error)
{
  GstElement *rtcbin;
  GstRtcDataHub *hub;

  if (config->channel)
    return gst_rtc_data_one_new (config->channel);
  rtcbin = find_rtcbin (config, element, error);
  if (!rtcbin)
    return NULL;
  hub = gst_rtc_data_hub_find (rtcbin);
  if (!hub)
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
        "%s is for the element \"%s\", and that has no data channels: it must be an rtcbin", GST_OBJECT_NAME (element),
        GST_OBJECT_NAME (rtcbin));
  gst_object_unref (rtcbin);
  return hub;
}
