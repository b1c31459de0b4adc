/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The properties of datachannelsink. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsink.h"
#include "base/gstrtcstats.h"

#define GST_CAT_DEFAULT gst_data_channel_sink_debug

enum
{
  PROP_KIND = GST_RTC_DATA_PROP_LAST,
  PROP_OVERFLOW,
  PROP_MAX_BYTES,
  PROP_MAX_TIME,
  PROP_WAIT_FOR_PEER,
  PROP_REPLY,
  PROP_TIMESTAMPS,
  PROP_CLOSE_ON_EOS,
  PROP_DRAIN_TIMEOUT,
  PROP_DELIVERY,
  PROP_FILE_NAME,
  PROP_STATS,
};

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define DEFAULT_MAX_BYTES (1024 * 1024)
#define DEFAULT_MAX_TIME 10000
#define DEFAULT_DRAIN_TIMEOUT 10000

static GType
gst_data_channel_kind_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_DATA_CHANNEL_KIND_AUTO, "Text when the caps say so (text/x-raw), else binary", "auto"},
      {GST_DATA_CHANNEL_KIND_TEXT, "Text, which must be UTF-8", "text"},
      {GST_DATA_CHANNEL_KIND_BINARY, "Binary", "binary"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstDataChannelKind", values));
  return type;
}

static GType
gst_data_channel_wait_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_DATA_CHANNEL_WAIT_AUTO, "Keep, unless what comes is live", "auto"},
      {GST_DATA_CHANNEL_WAIT_YES, "Keep", "yes"},
      {GST_DATA_CHANNEL_WAIT_NO, "Drop", "no"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstDataChannelWait", values));
  return type;
}

static GType
gst_data_channel_delivery_get_type (void)
{
  static const GEnumValue values[] = {
      {GST_DATA_CHANNEL_DELIVERY_MESSAGE, "Each buffer is a message", "message"},
      {GST_DATA_CHANNEL_DELIVERY_FILE, "All buffers up to EOS are a file", "file"},
      {0, NULL, NULL},
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstDataChannelDelivery", values));
  return type;
}

void
gst_data_channel_sink_init_properties (GstDataChannelSink *self)
{
  gst_rtc_data_config_init (&self->config);
  self->max_bytes = DEFAULT_MAX_BYTES;
  self->max_time = DEFAULT_MAX_TIME;
  self->drain_timeout = DEFAULT_DRAIN_TIMEOUT;
  self->close_on_eos = TRUE;
}

static void
gst_data_channel_sink_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (object);

  g_mutex_lock (&self->lock);
  if (self->hub) {
    g_mutex_unlock (&self->lock);
    g_warning ("%s: %s can be set in the states NULL and READY only, and stays as it was", GST_OBJECT_NAME (self),
        pspec->name);
    return;
  }
  switch (id) {
    case PROP_KIND:
      self->kind = g_value_get_enum (value);
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
    case PROP_WAIT_FOR_PEER:
      self->wait_for_peer = g_value_get_enum (value);
      break;
    case PROP_REPLY:
      self->reply = g_value_get_boolean (value);
      break;
    case PROP_TIMESTAMPS:
      self->timestamps = g_value_get_boolean (value);
      break;
    case PROP_CLOSE_ON_EOS:
      self->close_on_eos = g_value_get_boolean (value);
      break;
    case PROP_DRAIN_TIMEOUT:
      self->drain_timeout = g_value_get_uint (value);
      break;
    case PROP_DELIVERY:
      self->delivery = g_value_get_enum (value);
      break;
    case PROP_FILE_NAME:
      g_free (self->file_name);
      self->file_name = g_value_dup_string (value);
      break;
    default:
      if (!gst_rtc_data_config_set (&self->config, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

static void
add_counts (GstStructure *stats, const RtcDataCount *sent, const RtcDataCount *dropped, const RtcDataCount *waiting)
{
  gst_structure_set (stats, "messages-sent", G_TYPE_UINT64, sent->messages, "bytes-sent", G_TYPE_UINT64, sent->bytes,
      "messages-dropped", G_TYPE_UINT64, dropped->messages, "bytes-dropped", G_TYPE_UINT64, dropped->bytes,
      "messages-waiting", G_TYPE_UINT64, waiting->messages, "bytes-waiting", G_TYPE_UINT64, waiting->bytes, NULL);
}

static void
add (RtcDataCount *sum, RtcDataCount count)
{
  sum->messages += count.messages;
  sum->bytes += count.bytes;
}

typedef struct
{
  GstStructure *stats; /* what is known here of one peer */
  GPtrArray *channels;
} PeerStats;

static void
peer_stats_clear (gpointer data)
{
  PeerStats *peer = data;

  g_ptr_array_unref (peer->channels);
}

/* With the lock. Of PeerStats: channels are asked without it. */
static GArray *
collect_peers (GstDataChannelSink *self, RtcDataCount *sent, RtcDataCount *dropped, RtcDataCount *waiting)
{
  GArray *all = g_array_new (FALSE, FALSE, sizeof (PeerStats));

  g_array_set_clear_func (all, peer_stats_clear);
  for (guint i = 0; i < self->peers->len; i++) {
    GstRtcSinkPeer *peer = g_ptr_array_index (self->peers, i);
    RtcDataCount peer_dropped = rtc_data_queue_get_dropped (peer->queue);
    RtcDataCount peer_waiting = rtc_data_queue_get_waiting (peer->queue);
    PeerStats stats = {
        gst_structure_new ("application/x-datachannelsink-peer-stats", "peer-id", G_TYPE_STRING, peer->id, "is-stalled",
            G_TYPE_BOOLEAN, rtc_data_queue_is_stalled (peer->queue), NULL),
        gst_rtc_sink_peer_list_channels (peer),
    };

    add_counts (stats.stats, &peer->sent, &peer_dropped, &peer_waiting);
    add (sent, peer->sent);
    add (dropped, peer_dropped);
    add (waiting, peer_waiting);
    g_array_append_val (all, stats);
  }
  return all;
}

static void
add_channels (GstStructure *stats, GPtrArray *channels)
{
  GValue array = G_VALUE_INIT;

  gst_value_array_init (&array, channels->len);
  for (guint i = 0; i < channels->len; i++)
    gst_rtc_stats_append (&array, gst_rtc_channel_make_stats (g_ptr_array_index (channels, i)));
  gst_structure_take_value (stats, "channels", &array);
}

static GstStructure *
make_stats (GstDataChannelSink *self)
{
  RtcDataCount sent, dropped, waiting = {0};
  GValue peers = G_VALUE_INIT;
  GstStructure *stats;
  GArray *all;

  g_mutex_lock (&self->lock);
  gst_rtc_sink_peer_remove_lost (self, g_get_monotonic_time ());
  stats = gst_structure_new ("application/x-datachannelsink-stats", "buffers", G_TYPE_UINT64, self->buffers, "bytes",
      G_TYPE_UINT64, self->bytes, NULL);
  sent = self->sent;
  dropped = self->dropped;
  if (self->hold) {
    add (&waiting, rtc_data_queue_get_waiting (self->hold));
    add (&dropped, rtc_data_queue_get_dropped (self->hold));
  }
  all = collect_peers (self, &sent, &dropped, &waiting);
  g_mutex_unlock (&self->lock);

  add_counts (stats, &sent, &dropped, &waiting);
  gst_value_array_init (&peers, all->len);
  for (guint i = 0; i < all->len; i++) {
    PeerStats *peer = &g_array_index (all, PeerStats, i);

    add_channels (peer->stats, peer->channels);
    gst_rtc_stats_append (&peers, peer->stats);
  }
  gst_structure_take_value (stats, "peers", &peers);
  g_array_unref (all);
  return stats;
}

static void
gst_data_channel_sink_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstDataChannelSink *self = GST_DATA_CHANNEL_SINK (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  g_mutex_lock (&self->lock);
  switch (id) {
    case PROP_KIND:
      g_value_set_enum (value, self->kind);
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
    case PROP_WAIT_FOR_PEER:
      g_value_set_enum (value, self->wait_for_peer);
      break;
    case PROP_REPLY:
      g_value_set_boolean (value, self->reply);
      break;
    case PROP_TIMESTAMPS:
      g_value_set_boolean (value, self->timestamps);
      break;
    case PROP_CLOSE_ON_EOS:
      g_value_set_boolean (value, self->close_on_eos);
      break;
    case PROP_DRAIN_TIMEOUT:
      g_value_set_uint (value, self->drain_timeout);
      break;
    case PROP_DELIVERY:
      g_value_set_enum (value, self->delivery);
      break;
    case PROP_FILE_NAME:
      g_value_set_string (value, self->file_name);
      break;
    default:
      if (!gst_rtc_data_config_get (&self->config, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  g_mutex_unlock (&self->lock);
}

static void
install_files (GObjectClass *klass)
{
  g_object_class_install_property (klass, PROP_DELIVERY,
      g_param_spec_enum ("delivery", "Delivery", "Whether what comes is messages, or a file that each peer gets whole",
          gst_data_channel_delivery_get_type (), GST_DATA_CHANNEL_DELIVERY_MESSAGE, READY));
  g_object_class_install_property (klass, PROP_FILE_NAME,
      g_param_spec_string ("file-name", "File name",
          "With delivery=file, what the file is called; unset: as it is where it comes from", NULL, READY));

  /**
   * GstDataChannelSink::cancel:
   * @self: a datachannelsink
   * @id: the id of a file that is being sent, from its element messages
   *
   * Ends the transfer, here and at the peer's, which removes what it has of it.
   *
   * Returns: whether there was one
   */
  g_signal_new_class_handler ("cancel", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_rtc_sink_file_cancel), NULL, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_STRING);
}

void
gst_data_channel_sink_install_properties (GObjectClass *klass)
{
  klass->set_property = gst_data_channel_sink_set_property;
  klass->get_property = gst_data_channel_sink_get_property;
  gst_rtc_data_config_install (klass);
  install_files (klass);
  g_object_class_install_property (klass, GST_RTC_DATA_PROP_PEER_ID,
      g_param_spec_string ("peer-id", "Peer id", "The only peer that is sent to; unset: every peer", NULL, READY));
  g_object_class_install_property (klass, PROP_KIND,
      g_param_spec_enum ("kind", "Kind", "Whether messages go as text or as binary, which browsers tell apart",
          gst_data_channel_kind_get_type (), GST_DATA_CHANNEL_KIND_AUTO, READY));
  g_object_class_install_property (klass, PROP_OVERFLOW,
      g_param_spec_enum ("overflow", "Overflow",
          "What happens when a peer takes less than comes, and max-bytes or max-time wait for it",
          gst_rtc_data_overflow_get_type (), RTC_DATA_OVERFLOW_BLOCK, READY));
  g_object_class_install_property (klass, PROP_MAX_BYTES,
      g_param_spec_uint64 ("max-bytes", "Most bytes",
          "How many bytes may wait for each peer; a larger message is taken when nothing else waits", 1, G_MAXUINT32,
          DEFAULT_MAX_BYTES, READY));
  g_object_class_install_property (klass, PROP_MAX_TIME,
      g_param_spec_uint ("max-time", "Longest time",
          "Milliseconds that a message may wait for a peer, 0: any time. With overflow=block and several peers: how "
          "long "
          "one of them may hold up the others. Besides, how long a peer whose connection broke is waited for",
          0, G_MAXINT32, DEFAULT_MAX_TIME, READY));
  g_object_class_install_property (klass, PROP_WAIT_FOR_PEER,
      g_param_spec_enum ("wait-for-peer", "Wait for peer",
          "What becomes of messages while there is no peer: they are kept for the first one, as overflow, max-bytes "
          "and "
          "max-time say, or dropped",
          gst_data_channel_wait_get_type (), GST_DATA_CHANNEL_WAIT_AUTO, READY));
  g_object_class_install_property (klass, PROP_REPLY,
      g_param_spec_boolean ("reply", "Reply",
          "Whether a buffer that came from a datachannelsrc goes back to the peer that had sent it, and to no other",
          FALSE, READY));
  g_object_class_install_property (klass, PROP_TIMESTAMPS,
      g_param_spec_boolean ("timestamps", "Timestamps",
          "Whether each message begins with its time, which datachannelsrc understands and takes away again; the "
          "channel's protocol says so",
          FALSE, READY));
  g_object_class_install_property (klass, PROP_CLOSE_ON_EOS,
      g_param_spec_boolean ("close-on-eos", "Close on EOS",
          "Whether the channels that were opened here are closed when the stream ends, which also makes sure that all "
          "of "
          "it arrived",
          TRUE, READY));
  g_object_class_install_property (klass, PROP_DRAIN_TIMEOUT,
      g_param_spec_uint ("drain-timeout", "Drain timeout",
          "Milliseconds that EOS waits for what was not sent yet, once there is a peer", 0, G_MAXINT32,
          DEFAULT_DRAIN_TIMEOUT, READY));
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "What was taken by the channels, dropped, and waits, as a whole and for each peer, with its channels' W3C "
          "counters",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}
