/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-datachannelsrc
 * @title: datachannelsrc
 * @short_description: Gives out the messages of a WebRTC data channel
 * @see_also: #GstDataChannelSink, #GstRtcBin
 *
 * Gives out what the peers of an rtcbin, or one of them, send on the data channels of its #GstDataChannelSrc:label. A
 * message is one buffer. The caps of text are `text/x-raw,format=utf8`, of all else
 * `application/x-data-channel,kind=binary` or what #GstDataChannelSrc:caps says; both have the fields `label` and
 * `protocol`. Who sent it is in the buffer's custom meta `GstRtcPeerMeta`: `peer-id`, `label`, `protocol` (strings) and
 * `channel-id` (int). The buffer's time is that of its arrival. If the sender is a datachannelsink with
 * `timestamps=true`, the buffer has a #GstReferenceTimestampMeta (`timestamp/x-unix`) with the time at which it was
 * captured, and #GstDataChannelSrc:timestamp-mode can make that the buffer's.
 *
 * It opens no channel by itself, unless #GstDataChannelSrc:open or #GstDataChannelSrc:negotiated is set: the peer does.
 *
 * A peer that sends faster than is read is made to wait; see #GstDataChannelSrc:max-bytes and
 * #GstDataChannelSrc:overflow.
 *
 * ## Files
 *
 * With #GstDataChannelSrc:directory it receives the files that a datachannelsink with `delivery=file` sends, and a
 * buffer of text is given out for each, which is its path. A file has its name only when all of it is on the disk and
 * its SHA-256 is right; until then it is a `.part`, with which it goes on after a broken link. Names are made safe, and
 * nothing is overwritten unless #GstDataChannelSrc:overwrite is set. Eight files may come at a time.
 *
 * Element messages tell of each: `rtc-file-begin`, `rtc-file-progress` (at most four a second), then `rtc-file-done`
 * or `rtc-file-failed`, with the fields `peer-id`, `id`, `name` (strings), `size` (int64, -1: not known) and `bytes`
 * (int64, that are there). `rtc-file-done` has `sha256` and `path`, `rtc-file-failed` has `code` (`cancelled`,
 * `refused`, `exists`, `too-large`, `disk-full`, `digest`, `changed` or `protocol`) and `reason` (strings).
 * #GstDataChannelSrc::cancel ends one.
 *
 * ## Control that fails safe
 *
 * With #GstDataChannelSrc:deadman-timeout it gives out one buffer of #GstDataChannelSrc:deadman-data when no message
 * came for as long, or when the link is gone, and posts an element message `rtc-data-deadman` with the fields `state`
 * (`lost` or `back`), `reason` (`silence` or `link`) and `age` (int64, milliseconds since the last message, -1: there
 * was none). It does so, too, when nobody is there at the start. A message that has waited for as long as the timeout
 * counts for nothing; set `overflow=latest` so that none does.
 *
 * ## Example launch lines
 *
 * What a page sends on the channel `control` is printed, and "stop" when it sends nothing for half a second:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc. \
 *     datachannelsrc label=control overflow=latest deadman-timeout=500 deadman-data=stop ! fdsink
 * ]|
 * Files that peers send on the channel `map` are put into a folder, and their paths are shown:
 * |[
 * gst-launch-1.0 wssignalsrc mode=listener port=8080 ! rtcbin name=rtc \
 *     videotestsrc is-live=true ! vp8enc deadline=1 ! rtc.  audiotestsrc is-live=true ! opusenc ! rtc. \
 *     datachannelsrc label=map directory=/tmp ! fakesink dump=true
 * ]|
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstdatachannelsrc.h"

#include <string.h>

#include "gstrtcdatameta.h"

GST_DEBUG_CATEGORY (gst_data_channel_src_debug);
#define GST_CAT_DEFAULT gst_data_channel_src_debug

#define TIME_TEXT_BIT (G_GUINT64_CONSTANT (1) << 63)

/* Microseconds since 1970, some 146 years: what anybody says is kept below, so that it can be reckoned with. */
#define MAX_WALL_TIME (G_MAXINT64 / (gint64)GST_USECOND / 2)

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_FINAL_TYPE (GstDataChannelSrc, gst_data_channel_src, GST_TYPE_PUSH_SRC);
GST_ELEMENT_REGISTER_DEFINE (datachannelsrc, "datachannelsrc", GST_RANK_NONE, GST_TYPE_DATA_CHANNEL_SRC);

static void
on_refused (const gchar *peer_id, const GError *error, gpointer user_data)
{
  GstDataChannelSrc *self = user_data;

  GST_ELEMENT_WARNING (self, RESOURCE, OPEN_READ,
      ("Nothing can come from peer %s on the data channel \"%s\": %s", peer_id,
          self->config.init.label ? self->config.init.label : "", error->message),
      (NULL));
}

static gboolean
check_settings (GstDataChannelSrc *self, GError **error)
{
  if (!gst_rtc_data_config_check (&self->config, error))
    return FALSE;
  if (!self->directory)
    return TRUE;
  if (self->deadman_timeout > 0) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "directory and deadman-timeout are both set, and a file is no sign of life: take two datachannelsrc");
    return FALSE;
  }
  return gst_rtc_data_config_check_files (&self->config, "directory", error);
}

/* TRUE when there is no directory to receive into, too. */
static gboolean
open_inbox (GstDataChannelSrc *self, GError **error)
{
  GstRtcFileInboxConfig config = {
      GST_ELEMENT (self), self->directory, self->overwrites, self->max_file_size, gst_rtc_src_on_file};
  GstRtcFileInbox *inbox = self->directory ? gst_rtc_file_inbox_new (&config, error) : NULL;

  g_mutex_lock (&self->lock);
  self->inbox = inbox;
  g_mutex_unlock (&self->lock);
  return inbox || !self->directory;
}

static void
close_inbox (GstDataChannelSrc *self)
{
  GstRtcFileInbox *inbox;

  g_mutex_lock (&self->lock);
  inbox = g_steal_pointer (&self->inbox);
  g_mutex_unlock (&self->lock);
  if (!inbox)
    return;
  gst_rtc_file_inbox_stop (inbox);
  gst_rtc_file_inbox_unref (inbox);
}

static gboolean
gst_data_channel_src_start (GstBaseSrc *src)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (src);
  GstRtcChannelInit init = self->config.init;
  GstRtcDataUser user = {
      .init = &init,
      .opens = self->opens || self->config.init.negotiated,
      .peer_id = self->config.peer_id,
      .channel = gst_rtc_src_on_channel,
      .refused = on_refused,
      .user_data = self,
      .notify = gst_object_unref,
  };
  GstRtcDataHub *hub = NULL;
  GError *error = NULL;

  if (check_settings (self, &error) && open_inbox (self, &error))
    hub = gst_rtc_data_config_find_hub (&self->config, GST_ELEMENT (self), &error);
  if (!hub) {
    gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_ERROR, error->domain, error->code,
        g_strdup (error->message), NULL, __FILE__, GST_FUNCTION, __LINE__);
    g_error_free (error);
    close_inbox (self);
    return FALSE;
  }
  if (self->directory)
    init.protocol = (gchar *)RTC_FILE_PROTOCOL;
  g_mutex_lock (&self->lock);
  self->hub = hub;
  self->queue = gst_data_channel_src_new_queue (self);
  self->received = self->dropped = (RtcDataCount){0};
  self->given = (GstRtcSrcGiven){0};
  self->travelled = (GstRtcSrcLatency){0};
  self->is_full = self->had_link = self->link_went = self->told_full = FALSE;
  rtc_deadman_start (&self->deadman, 0, 0, 0);
  g_mutex_unlock (&self->lock);
  self->is_text = FALSE;
  gst_object_ref (self);
  self->attached = hub->klass->attach (hub, &user);
  return TRUE;
}

static gboolean
gst_data_channel_src_stop (GstBaseSrc *src)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (src);
  GstRtcDataHub *hub;

  self->hub->klass->detach (self->hub, self->attached);
  close_inbox (self);
  g_mutex_lock (&self->lock);
  gst_rtc_src_put_back (self);
  rtc_data_queue_clear (self->queue);
  self->dropped = rtc_data_queue_get_dropped (self->queue);
  g_clear_pointer (&self->queue, rtc_data_queue_free);
  g_mutex_unlock (&self->lock);
  gst_rtc_src_forget_channels (self);
  g_mutex_lock (&self->lock);
  hub = g_steal_pointer (&self->hub);
  g_mutex_unlock (&self->lock);
  gst_rtc_data_hub_unref (hub);
  gst_clear_caps (&self->current);
  return TRUE;
}

static void
set_unlocked (GstBaseSrc *src, gboolean is_unlocked)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (src);

  g_mutex_lock (&self->lock);
  self->is_unlocked = is_unlocked;
  g_atomic_int_set (&self->may_give, self->is_playing && !is_unlocked);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static gboolean
gst_data_channel_src_unlock (GstBaseSrc *src)
{
  set_unlocked (src, TRUE);
  return TRUE;
}

static gboolean
gst_data_channel_src_unlock_stop (GstBaseSrc *src)
{
  set_unlocked (src, FALSE);
  return TRUE;
}

/* What the next buffer is for. */
typedef struct
{
  GstRtcSrcMessage *message; /* NULL: the deadman's */
  RtcDeadmanVerdict verdict;
  gboolean is_link, is_eos;
  gint64 now; /* monotonic */
  gint64 waited; /* microseconds that the message did */
  gint64 age; /* of the last message before, microseconds; -1: there was none */
} Next;

/* TRUE: NEXT is to be done. With the lock. */
static gboolean
look (GstDataChannelSrc *self, Next *next)
{
  gint64 now = g_get_monotonic_time ();

  *next = (Next){.now = now, .age = rtc_deadman_get_age (&self->deadman, now)};
  next->message = gst_rtc_src_pop (self, now);
  if (next->message) {
    next->waited = MAX (now - next->message->arrival, 0);
    next->verdict = rtc_deadman_take_message (&self->deadman, next->message->arrival, now);
    return TRUE;
  }
  if (self->link_went) {
    self->link_went = FALSE;
    next->is_eos = self->eos_on_close;
    next->verdict = rtc_deadman_lose_link (&self->deadman, now);
  }
  if (next->verdict == RTC_DEADMAN_NOTHING)
    next->verdict = rtc_deadman_check (&self->deadman, now);
  next->is_link = self->deadman.link_was_lost;
  return next->is_eos || next->verdict != RTC_DEADMAN_NOTHING;
}

/* As most of the time when many come. */
static gboolean
has_in_hand (GstDataChannelSrc *self, Next *next)
{
  gint64 now = g_get_monotonic_time ();

  *next = (Next){.now = now};
  if (!g_atomic_int_get (&self->may_give) || !(next->message = gst_rtc_src_pop_from_hand (self, now)))
    return FALSE;
  next->waited = MAX (now - next->message->arrival, 0);
  return TRUE;
}

static GstFlowReturn
wait_for_next (GstDataChannelSrc *self, Next *next)
{
  GstFlowReturn flow = GST_FLOW_OK;

  if (has_in_hand (self, next))
    return GST_FLOW_OK;
  g_mutex_lock (&self->lock);
  gst_rtc_src_empty_hand (self);
  while (flow == GST_FLOW_OK && !(self->is_playing && look (self, next))) {
    gint64 deadline = self->is_playing ? rtc_deadman_get_deadline (&self->deadman) : -1;

    self->is_waiting = TRUE;
    if (self->is_unlocked)
      flow = GST_FLOW_FLUSHING;
    else if (deadline >= 0)
      g_cond_wait_until (&self->changed, &self->lock, deadline);
    else
      g_cond_wait (&self->changed, &self->lock);
    self->is_waiting = FALSE;
  }
  if (flow == GST_FLOW_OK)
    gst_rtc_src_settle_locked (self);
  g_mutex_unlock (&self->lock);
  return flow;
}

static void
tell_deadman (GstDataChannelSrc *self, const Next *next)
{
  gboolean is_back = next->verdict == RTC_DEADMAN_BACK;
  gint64 age = next->age < 0 ? -1 : next->age / G_TIME_SPAN_MILLISECOND;

  GST_INFO_OBJECT (self, "deadman: %s, %" G_GINT64_FORMAT " ms after the last message", is_back ? "back" : "lost", age);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_structure_new ("rtc-data-deadman", "state", G_TYPE_STRING, is_back ? "back" : "lost", "reason",
              G_TYPE_STRING, next->is_link ? "link" : "silence", "age", G_TYPE_INT64, age, NULL)));
}

static GstCaps *
make_caps (GstDataChannelSrc *self, gboolean is_text, const GstRtcChannelInit *init)
{
  GstCaps *caps;

  if (is_text)
    caps = gst_caps_new_simple ("text/x-raw", "format", G_TYPE_STRING, "utf8", NULL);
  else if (self->caps)
    caps = gst_caps_copy (self->caps);
  else
    caps = gst_caps_new_simple ("application/x-data-channel", "kind", G_TYPE_STRING, "binary", NULL);
  gst_caps_set_simple (caps, "label", G_TYPE_STRING, init->label ? init->label : "", "protocol", G_TYPE_STRING,
      init->protocol ? init->protocol : "", NULL);
  return caps;
}

/* Whether the caps that are set are also of this. */
static gboolean
is_current (GstDataChannelSrc *self, gboolean is_text, const GstRtcChannelInit *init)
{
  return self->current && self->is_text == is_text
      && g_strcmp0 (self->current_label, init->label ? init->label : "") == 0
      && g_strcmp0 (self->current_protocol, init->protocol ? init->protocol : "") == 0;
}

static gboolean
set_caps (GstDataChannelSrc *self, gboolean is_text, const GstRtcChannelInit *init)
{
  const GstStructure *s;
  GstCaps *caps;
  gboolean is_good = TRUE;

  if (is_current (self, is_text, init))
    return TRUE;
  caps = make_caps (self, is_text, init);
  self->is_text = is_text;
  if (!self->current || !gst_caps_is_equal (caps, self->current)) {
    is_good = gst_base_src_set_caps (GST_BASE_SRC (self), caps);
    gst_caps_replace (&self->current, caps);
    s = gst_caps_get_structure (self->current, 0);
    self->current_label = gst_structure_get_string (s, "label");
    self->current_protocol = gst_structure_get_string (s, "protocol");
  }
  gst_caps_unref (caps);
  return is_good;
}

/* Running time of what was AGO microseconds ago. */
static GstClockTime
running_time (GstDataChannelSrc *self, gint64 ago)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (self));
  GstClockTimeDiff time;

  if (!clock)
    return GST_CLOCK_TIME_NONE;
  time =
      GST_CLOCK_DIFF (gst_element_get_base_time (GST_ELEMENT (self)), gst_clock_get_time (clock)) - ago * GST_USECOND;
  gst_object_unref (clock);
  return MAX (time, 0);
}

/* CAPTURED: by the sender's clock, microseconds since 1970. */
static void
add_sender_time (GstDataChannelSrc *self, GstBuffer *buffer, const GstRtcSrcMessage *message, gint64 captured)
{
  static GstStaticCaps unix_caps = GST_STATIC_CAPS ("timestamp/x-unix");
  const gchar *peer_id = message->link->channel->peer_id;
  gint64 offset = 0, error_bound = 0;
  gboolean is_known = self->hub->klass->get_clock_offset (self->hub, peer_id, &offset, &error_bound);
  GstCaps *caps = gst_static_caps_get (&unix_caps);
  gint64 local = CLAMP (captured - offset, 0, MAX_WALL_TIME);
  gint64 ago = g_get_real_time () - local;

  gst_buffer_add_reference_timestamp_meta (buffer, caps, local * GST_USECOND, GST_CLOCK_TIME_NONE);
  gst_caps_unref (caps);
  if (!is_known)
    return;
  gst_structure_set (gst_rtc_peer_meta_add (buffer), "clock-error", G_TYPE_INT64, error_bound, NULL);
  if (self->times == GST_DATA_CHANNEL_TIMES_SENDER)
    GST_BUFFER_PTS (buffer) = running_time (self, MAX (ago, 0));
  g_mutex_lock (&self->lock);
  gst_rtc_src_add_latency (&self->travelled, ago - (g_get_monotonic_time () - message->arrival));
  g_mutex_unlock (&self->lock);
}

/* What MESSAGE carries; TIME is the sender's, or -1. (transfer full) */
static GBytes *
unwrap (const GstRtcSrcMessage *message, gboolean *is_text, gint64 *time)
{
  gsize size, header = gst_rtc_src_get_header_size (message);
  const guint8 *data = g_bytes_get_data (message->bytes, &size);
  guint64 word;

  *is_text = message->is_text;
  *time = -1;
  if (header == 0)
    return g_bytes_ref (message->bytes);
  word = GST_READ_UINT64_BE (data);
  *time = MIN (word & ~TIME_TEXT_BIT, (guint64)MAX_WALL_TIME);
  *is_text = (word & TIME_TEXT_BIT) != 0
      && (size == header || g_utf8_validate_len ((const gchar *)data + header, size - header, NULL));
  return g_bytes_new_from_bytes (message->bytes, header, size - header);
}

/* WAITED: how long it has been here, microseconds. */
static GstFlowReturn
make_buffer (GstDataChannelSrc *self, const GstRtcSrcMessage *message, gint64 waited, GstBuffer **buffer)
{
  GstRtcChannel *channel = message->link->channel;
  gboolean is_text;
  gint64 captured;
  GBytes *bytes = unwrap (message, &is_text, &captured);

  *buffer = g_bytes_get_size (bytes) > 0 ? gst_buffer_new_wrapped_bytes (bytes) : gst_buffer_new ();
  GST_BUFFER_PTS (*buffer) = running_time (self, waited);
  gst_rtc_peer_meta_write (*buffer, channel->peer_id, &channel->init, message->link->id);
  if (captured >= 0)
    add_sender_time (self, *buffer, message, captured);
  g_bytes_unref (bytes);
  if (set_caps (self, is_text, &channel->init))
    return GST_FLOW_OK;
  gst_clear_buffer (buffer);
  return GST_FLOW_NOT_NEGOTIATED;
}

/* NULL: nothing is to be said. */
static GstBuffer *
make_deadman_buffer (GstDataChannelSrc *self)
{
  GstBuffer *buffer;

  if (self->deadman_buffer)
    buffer = gst_buffer_copy (self->deadman_buffer);
  else if (self->deadman_data)
    buffer = gst_buffer_new_wrapped (g_strdup (self->deadman_data), strlen (self->deadman_data));
  else
    return NULL;
  GST_BUFFER_PTS (buffer) = running_time (self, 0);
  GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
  gst_structure_set (gst_rtc_peer_meta_add (buffer), "deadman", G_TYPE_BOOLEAN, TRUE, NULL);
  /* As what came before it, so that downstream sees no new caps at the worst time. */
  if (set_caps (self, self->current ? self->is_text : !self->deadman_buffer, &self->config.init))
    return buffer;
  gst_buffer_unref (buffer);
  return NULL;
}

static GstFlowReturn
gst_data_channel_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (src);

  *buffer = NULL;
  while (!*buffer) {
    GstFlowReturn flow;
    Next next;

    flow = wait_for_next (self, &next);
    if (flow != GST_FLOW_OK)
      return flow;
    if (next.verdict == RTC_DEADMAN_LOST || next.verdict == RTC_DEADMAN_BACK)
      tell_deadman (self, &next);
    if (next.message) {
      flow = make_buffer (self, next.message, next.waited, buffer);
      gst_rtc_src_message_free (next.message);
      if (flow != GST_FLOW_OK)
        return flow;
    } else if (next.verdict != RTC_DEADMAN_NOTHING) {
      *buffer = make_deadman_buffer (self);
    }
    if (next.is_eos && !*buffer)
      return GST_FLOW_EOS;
    if (next.is_eos) {
      g_mutex_lock (&self->lock);
      self->link_went = self->links->len == 0; /* after the deadman's buffer */
      g_mutex_unlock (&self->lock);
    }
  }
  return GST_FLOW_OK;
}

/* GstBaseSrc leaves create() alone in PAUSED, and gives out what it returned much later: a command must not wait there.
 */
static void
set_playing (GstDataChannelSrc *self, gboolean is_playing)
{
  g_mutex_lock (&self->lock);
  self->is_playing = is_playing;
  g_atomic_int_set (&self->may_give, is_playing && !self->is_unlocked);
  if (is_playing)
    rtc_deadman_start (&self->deadman, self->deadman_timeout * G_TIME_SPAN_MILLISECOND,
        self->deadman_repeat * G_TIME_SPAN_MILLISECOND, g_get_monotonic_time ());
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static GstStateChangeReturn
gst_data_channel_src_change_state (GstElement *element, GstStateChange transition)
{
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_playing (GST_DATA_CHANNEL_SRC (element), transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING);
  return GST_ELEMENT_CLASS (gst_data_channel_src_parent_class)->change_state (element, transition);
}

static void
gst_data_channel_src_finalize (GObject *object)
{
  GstDataChannelSrc *self = GST_DATA_CHANNEL_SRC (object);

  gst_data_channel_src_clear_properties (self);
  g_ptr_array_unref (self->links);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_data_channel_src_parent_class)->finalize (object);
}

static void
gst_data_channel_src_init (GstDataChannelSrc *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  gst_data_channel_src_init_properties (self);
  self->links = gst_rtc_src_new_links ();
  gst_base_src_set_live (GST_BASE_SRC (self), TRUE);
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}

static void
gst_data_channel_src_class_init (GstDataChannelSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_data_channel_src_debug, "datachannelsrc", 0, "data channels: receiving");
  gst_rtc_peer_meta_register ();

  object_class->finalize = gst_data_channel_src_finalize;
  gst_data_channel_src_install_properties (object_class);

  element_class->change_state = gst_data_channel_src_change_state;
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "WebRTC data channel source", "Source/Network",
      "Gives out the messages of a data channel from the peers of an rtcbin", "rtclink");

  src_class->start = gst_data_channel_src_start;
  src_class->stop = gst_data_channel_src_stop;
  src_class->unlock = gst_data_channel_src_unlock;
  src_class->unlock_stop = gst_data_channel_src_unlock_stop;
  GST_PUSH_SRC_CLASS (klass)->create = gst_data_channel_src_create;
}
