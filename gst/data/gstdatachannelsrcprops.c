/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The properties of datachannelsrc. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsrc.h"
#include "base/gstrtcstats.h"

#define GST_CAT_DEFAULT gst_data_channel_src_debug

enum
{
  PROP_OPEN = GST_RTC_DATA_PROP_LAST,
  PROP_OVERFLOW,
  PROP_MAX_BYTES,
  PROP_MAX_TIME,
  PROP_CAPS,
  PROP_TIMESTAMP_MODE,
  PROP_EOS_ON_CLOSE,
  PROP_DEADMAN_TIMEOUT,
  PROP_DEADMAN_REPEAT,
  PROP_DEADMAN_DATA,
  PROP_DEADMAN_BUFFER,
  PROP_DIRECTORY,
  PROP_OVERWRITE,
  PROP_MAX_FILE_SIZE,
  PROP_STATS,
};

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define DEFAULT_MAX_BYTES (4 * 1024 * 1024)
#define DEFAULT_MAX_FILE_SIZE (G_GUINT64_CONSTANT (4) << 30)

static GType
gst_data_channel_times_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_DATA_CHANNEL_TIMES_ARRIVAL, "When the message arrived", "arrival"},
      {GST_DATA_CHANNEL_TIMES_SENDER, "When the sender captured it, where that is known", "sender"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstDataChannelTimes", values));
  return type;
}

void
gst_data_channel_src_init_properties (GstDataChannelSrc *self)
{
  gst_rtc_data_config_init (&self->config);
  self->max_bytes = DEFAULT_MAX_BYTES;
  self->max_file_size = DEFAULT_MAX_FILE_SIZE;
}

void
gst_data_channel_src_clear_properties (GstDataChannelSrc *self)
{
  gst_rtc_data_config_clear (&self->config);
  g_free (self->deadman_data);
  g_free (self->directory);
  gst_clear_buffer (&self->deadman_buffer);
  gst_clear_caps (&self->caps);
}

static void
gst_data_channel_src_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (object);

  g_mutex_lock (&self->lock);
  if (self->hub) {
    g_mutex_unlock (&self->lock);
    g_warning ("%s: %s can be set in the states NULL and READY only, and stays as it was", GST_OBJECT_NAME (self),
        pspec->name);
    return;
  }
  switch (id) {
    case PROP_OPEN:
      self->opens = g_value_get_boolean (value);
      break;
    case PROP_OVERFLOW:
      self->overflow = g_value_get_enum (value);
      break;
    case PROP_MAX_BYTES:
      self->max_bytes = g_value_get_uint64 (value);
      break;
    case PROP_MAX_TIME:
      self->max_time = g_value_get_uint (value);
      break;
    case PROP_CAPS:
      gst_caps_replace (&self->caps, (GstCaps *)gst_value_get_caps (value));
      break;
    case PROP_TIMESTAMP_MODE:
      self->times = g_value_get_enum (value);
      break;
    case PROP_EOS_ON_CLOSE:
      self->eos_on_close = g_value_get_boolean (value);
      break;
    case PROP_DEADMAN_TIMEOUT:
      self->deadman_timeout = g_value_get_uint (value);
      break;
    case PROP_DEADMAN_REPEAT:
      self->deadman_repeat = g_value_get_uint (value);
      break;
    case PROP_DEADMAN_DATA:
      g_free (self->deadman_data);
      self->deadman_data = g_value_dup_string (value);
      break;
    case PROP_DEADMAN_BUFFER:
      gst_buffer_replace (&self->deadman_buffer, gst_value_get_buffer (value));
      break;
    case PROP_DIRECTORY:
      g_free (self->directory);
      self->directory = g_value_dup_string (value);
      break;
    case PROP_OVERWRITE:
      self->overwrites = g_value_get_boolean (value);
      break;
    case PROP_MAX_FILE_SIZE:
      self->max_file_size = g_value_get_uint64 (value);
      break;
    default:
      if (!gst_rtc_data_config_set (&self->config, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

/* NAME-last and so on, in microseconds, when there was a message. */
static void
add_latency (GstStructure *stats, const gchar *name, const GstRtcSrcLatency *latency)
{
  static const gchar *const parts[] = {"last", "average", "max"};
  gint64 values[3];

  if (latency->count == 0)
    return;
  values[0] = latency->last;
  values[1] = latency->sum / (gint64)latency->count;
  values[2] = latency->max;
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    gchar *field = g_strdup_printf ("%s-%s", name, parts[i]);

    gst_structure_set (stats, field, G_TYPE_INT64, values[i], NULL);
    g_free (field);
  }
}

/* With the lock. */
static GstStructure *
make_own_stats (GstDataChannelSrc *self)
{
  RtcDataCount waiting = {0}, dropped = self->dropped;
  gint64 age = rtc_deadman_get_age (&self->deadman, g_get_monotonic_time ());
  GstStructure *stats;

  if (self->queue) {
    waiting = rtc_data_queue_get_waiting (self->queue);
    dropped = rtc_data_queue_get_dropped (self->queue);
  }
  stats = gst_structure_new ("application/x-datachannelsrc-stats", "messages-received", G_TYPE_UINT64,
      self->received.messages, "bytes-received", G_TYPE_UINT64, self->received.bytes, "messages-dropped", G_TYPE_UINT64,
      dropped.messages, "bytes-dropped", G_TYPE_UINT64, dropped.bytes, "messages-waiting", G_TYPE_UINT64,
      waiting.messages, "bytes-waiting", G_TYPE_UINT64, waiting.bytes, "buffers", G_TYPE_UINT64,
      self->given.count.messages, "bytes", G_TYPE_UINT64, self->given.count.bytes, "age", G_TYPE_INT64,
      age < 0 ? -1 : age / G_TIME_SPAN_MILLISECOND, NULL);
  if (self->deadman_timeout > 0)
    gst_structure_set (stats, "deadman", G_TYPE_STRING, self->deadman.is_lost ? "lost" : "alive", NULL);
  add_latency (stats, "queue-latency", &self->given.waited);
  add_latency (stats, "latency", &self->travelled);
  return stats;
}

static GstStructure *
make_stats (GstDataChannelSrc *self)
{
  GPtrArray *channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  GValue array = G_VALUE_INIT;
  GstStructure *stats;

  g_mutex_lock (&self->lock);
  stats = make_own_stats (self);
  for (guint i = 0; i < self->links->len; i++) {
    GstRtcSrcLink *link = g_ptr_array_index (self->links, i);

    g_ptr_array_add (channels, gst_rtc_channel_ref (link->channel));
  }
  g_mutex_unlock (&self->lock);

  gst_value_array_init (&array, channels->len);
  for (guint i = 0; i < channels->len; i++)
    gst_rtc_stats_append (&array, gst_rtc_channel_make_stats (g_ptr_array_index (channels, i)));
  gst_structure_take_value (stats, "channels", &array);
  g_ptr_array_unref (channels);
  return stats;
}

static void
gst_data_channel_src_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  g_mutex_lock (&self->lock);
  switch (id) {
    case PROP_OPEN:
      g_value_set_boolean (value, self->opens);
      break;
    case PROP_OVERFLOW:
      g_value_set_enum (value, self->overflow);
      break;
    case PROP_MAX_BYTES:
      g_value_set_uint64 (value, self->max_bytes);
      break;
    case PROP_MAX_TIME:
      g_value_set_uint (value, self->max_time);
      break;
    case PROP_CAPS:
      gst_value_set_caps (value, self->caps);
      break;
    case PROP_TIMESTAMP_MODE:
      g_value_set_enum (value, self->times);
      break;
    case PROP_EOS_ON_CLOSE:
      g_value_set_boolean (value, self->eos_on_close);
      break;
    case PROP_DEADMAN_TIMEOUT:
      g_value_set_uint (value, self->deadman_timeout);
      break;
    case PROP_DEADMAN_REPEAT:
      g_value_set_uint (value, self->deadman_repeat);
      break;
    case PROP_DEADMAN_DATA:
      g_value_set_string (value, self->deadman_data);
      break;
    case PROP_DEADMAN_BUFFER:
      gst_value_set_buffer (value, self->deadman_buffer);
      break;
    case PROP_DIRECTORY:
      g_value_set_string (value, self->directory);
      break;
    case PROP_OVERWRITE:
      g_value_set_boolean (value, self->overwrites);
      break;
    case PROP_MAX_FILE_SIZE:
      g_value_set_uint64 (value, self->max_file_size);
      break;
    default:
      if (!gst_rtc_data_config_get (&self->config, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

static void
install_deadman (GObjectClass *klass)
{
  g_object_class_install_property (klass, PROP_DEADMAN_TIMEOUT,
      g_param_spec_uint ("deadman-timeout", "Deadman timeout",
          "Milliseconds without a message after which deadman-data goes out, and an element message rtc-data-deadman; "
          "they also do when the link is gone; 0: never",
          0, G_MAXINT32, 0, READY));
  g_object_class_install_property (klass, PROP_DEADMAN_REPEAT,
      g_param_spec_uint ("deadman-repeat", "Deadman repetition",
          "Milliseconds after which deadman-data goes out again, until there are messages; 0: once is enough", 0,
          G_MAXINT32, 0, READY));
  g_object_class_install_property (klass, PROP_DEADMAN_DATA,
      g_param_spec_string ("deadman-data", "Deadman data",
          "The text that goes out when there are no messages; unset: only the element message does", NULL, READY));
  g_object_class_install_property (klass, PROP_DEADMAN_BUFFER,
      g_param_spec_boxed ("deadman-buffer", "Deadman buffer",
          "Goes out in place of deadman-data where that cannot be text; hexadecimal in a launch line", GST_TYPE_BUFFER,
          READY));
}

static gboolean
gst_data_channel_src_cancel (GstDataChannelSrc *self, const gchar *id)
{
  GstRtcFileInbox *inbox;
  gboolean is_found;

  g_mutex_lock (&self->lock);
  inbox = self->inbox ? gst_rtc_file_inbox_ref (self->inbox) : NULL;
  g_mutex_unlock (&self->lock);
  if (!inbox)
    return FALSE;
  is_found = gst_rtc_file_inbox_cancel (inbox, id);
  gst_rtc_file_inbox_unref (inbox);
  return is_found;
}

static void
install_files (GObjectClass *klass)
{
  g_object_class_install_property (klass, PROP_DIRECTORY,
      g_param_spec_string ("directory", "Directory",
          "The folder that files are received into, from a datachannelsink with delivery=file; what is given out then "
          "are their paths. Unset: what comes is messages",
          NULL, READY));
  g_object_class_install_property (klass, PROP_OVERWRITE,
      g_param_spec_boolean ("overwrite", "Overwrite",
          "Whether a file that is received takes the place of one that has its name, which is refused otherwise", FALSE,
          READY));
  g_object_class_install_property (klass, PROP_MAX_FILE_SIZE,
      g_param_spec_uint64 ("max-file-size", "Largest file", "Bytes that a file which is received may have, at most", 1,
          RTC_FILE_MAX_SIZE, DEFAULT_MAX_FILE_SIZE, READY));

  /**
   * GstDataChannelSrc::cancel:
   * @self: a datachannelsrc
   * @id: the id of a file that is being received, from its element messages
   *
   * Ends the transfer, here and at the sender's, and removes what is there of it.
   *
   * Returns: whether there was one
   */
  g_signal_new_class_handler ("cancel", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_data_channel_src_cancel), NULL, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_STRING);
}

void
gst_data_channel_src_install_properties (GObjectClass *klass)
{
  klass->set_property = gst_data_channel_src_set_property;
  klass->get_property = gst_data_channel_src_get_property;
  gst_rtc_data_config_install (klass);
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_PEER_ID,
      g_param_spec_string (
          "peer-id", "Peer id", "The only peer whose messages are given out; unset: those of every peer", NULL, READY));
  g_object_class_install_property (klass, PROP_OPEN,
      g_param_spec_boolean ("open", "Open",
          "Whether the channel is opened here with every peer that has not opened it; the settings are those of a "
          "datachannelsink",
          FALSE, READY));
  g_object_class_install_property (klass, PROP_OVERFLOW,
      g_param_spec_enum ("overflow", "Overflow",
          "What happens when more comes than is read: with block the peers wait, and otherwise messages are dropped",
          gst_rtc_data_overflow_get_type (), RTC_DATA_OVERFLOW_BLOCK, READY));
  g_object_class_install_property (klass, PROP_MAX_BYTES,
      g_param_spec_uint64 ("max-bytes", "Most bytes",
          "How many bytes may wait to be read; with overflow=block the peers wait from then on, and what is on its way "
          "comes on top (24 MiB at most)",
          1, G_MAXUINT32, DEFAULT_MAX_BYTES, READY));
  g_object_class_install_property (klass, PROP_MAX_TIME,
      g_param_spec_uint ("max-time", "Longest time",
          "Milliseconds that a message may wait to be read, with the policies of overflow that drop; 0: any time", 0,
          G_MAXINT32, 0, READY));
  g_object_class_install_property (klass, PROP_CAPS,
      g_param_spec_boxed ("caps", "Caps",
          "What binary messages are, for example meta/x-klv; unset: application/x-data-channel", GST_TYPE_CAPS, READY));
  g_object_class_install_property (klass, PROP_TIMESTAMP_MODE,
      g_param_spec_enum ("timestamp-mode", "Timestamp mode",
          "Which time buffers get; the sender's needs timestamps=true there, and a rtclink at both ends",
          gst_data_channel_times_get_type (), GST_DATA_CHANNEL_TIMES_ARRIVAL, READY));
  g_object_class_install_property (klass, PROP_EOS_ON_CLOSE,
      g_param_spec_boolean ("eos-on-close", "EOS on close",
          "Whether the stream ends when the last channel was closed and all that came on it was read", FALSE, READY));
  install_deadman (klass);
  install_files (klass);
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "What came, was dropped, and waits; age of the last message (ms); latency from the sender and in the queue "
          "(microseconds); the channels' W3C counters",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}
