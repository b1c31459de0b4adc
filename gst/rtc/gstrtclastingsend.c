/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtclastingpriv.h"

/* What is sent before the peer said anything: it holds that, at most GST_RTC_CHANNEL_MAX_HELD. */
#define MAX_EARLY (1024 * 1024)

gsize
gst_rtc_lasting_get_buffered (GstRtcChannel *channel)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  gsize bytes, kept;
  GstRtcLastingPart *out;

  g_mutex_lock (&self->lock);
  bytes = rtc_data_log_get_unsent (self->log);
  kept = rtc_data_log_get_bytes (self->log);
  out = self->out ? gst_rtc_lasting_part_ref (self->out) : NULL;
  g_mutex_unlock (&self->lock);
  if (out) {
    bytes += gst_rtc_channel_get_buffered (out->channel);
    gst_rtc_lasting_part_unref (out);
  }
  return kept > GST_RTC_LASTING_MAX_KEPT ? MAX (bytes, kept - GST_RTC_LASTING_MAX_KEPT) : bytes;
}

void
gst_rtc_lasting_check_low (GstRtcLasting *self)
{
  gsize buffered = gst_rtc_lasting_get_buffered (&self->parent);
  gboolean is_low;

  g_mutex_lock (&self->lock);
  is_low = self->was_high && buffered <= self->low;
  self->was_high &= !is_low;
  g_mutex_unlock (&self->lock);
  if (is_low)
    gst_rtc_channel_tell_low (&self->parent);
}

void
gst_rtc_lasting_check_high (GstRtcLasting *self)
{
  gboolean was_high, is_high;
  gsize buffered;

  g_mutex_lock (&self->lock);
  was_high = self->was_high;
  g_mutex_unlock (&self->lock);
  if (was_high)
    return;
  buffered = gst_rtc_lasting_get_buffered (&self->parent);
  g_mutex_lock (&self->lock);
  is_high = !self->was_high && buffered > self->low;
  self->was_high |= is_high;
  g_mutex_unlock (&self->lock);
  /* It may have left meanwhile, when nobody knew that there is something to tell. */
  if (is_high)
    gst_rtc_lasting_check_low (self);
}

/* Under the lock. (transfer full) */
static GBytes *
next_message (GstRtcLasting *self, gboolean *is_text)
{
  GBytes *message;
  gsize size;

  if (!self->out)
    return NULL;
  size = rtc_data_log_get_next_size (self->log);
  if (!self->known && (size > MAX_EARLY || self->early > MAX_EARLY - size))
    return NULL;
  message = rtc_data_log_next (self->log, is_text);
  if (!message)
    return NULL;
  if (!self->known)
    self->early += size;
  return g_bytes_ref (message);
}

/* Sends what may be. Only one thread does so at a time, the others leave it to that one. Under the lock, which is
 * released in between. */
static void
pump (GstRtcLasting *self, GError **error)
{
  GBytes *message;
  gboolean is_text;

  if (self->pumping)
    return;
  self->pumping = TRUE;
  while (!*error && (message = next_message (self, &is_text))) {
    GstRtcLastingPart *out = gst_rtc_lasting_part_ref (self->out);

    g_mutex_unlock (&self->lock);
    /* One that is closing is on its way to be cut, or to take this with it. */
    if (gst_rtc_channel_get_state (out->channel) < GST_RTC_CHANNEL_CLOSING
        && !out->channel->klass->send (out->channel, is_text, message, error)
        && g_error_matches (*error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE))
      g_clear_error (error);
    g_bytes_unref (message);
    gst_rtc_lasting_part_unref (out);
    g_mutex_lock (&self->lock);
  }
  self->pumping = FALSE;
}

/* What follows from pump(). ERROR is taken; NULL: there is none. */
static void
end_for (GstRtcLasting *self, GError *error)
{
  if (error)
    gst_rtc_lasting_end (self, error);
  g_clear_error (&error);
}

void
gst_rtc_lasting_check_close (GstRtcLasting *self)
{
  GstRtcLastingPart *out = NULL;

  g_mutex_lock (&self->lock);
  if (self->closing && !self->over && self->out && rtc_data_log_get_bytes (self->log) == 0)
    out = gst_rtc_lasting_part_ref (self->out);
  g_mutex_unlock (&self->lock);
  if (out) {
    gst_rtc_channel_close (out->channel);
    gst_rtc_lasting_part_unref (out);
  }
}

gsize
gst_rtc_lasting_get_max_message_size (GstRtcChannel *channel)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  GstRtcLastingPart *out;
  gboolean is_open;
  gsize size;

  g_mutex_lock (&self->lock);
  size = self->max_message_size;
  out = self->out ? gst_rtc_lasting_part_ref (self->out) : NULL;
  g_mutex_unlock (&self->lock);
  if (!out)
    return size;
  is_open = gst_rtc_channel_get_state (out->channel) == GST_RTC_CHANNEL_OPEN;
  if (out->channel->klass->get_max_message_size)
    size = out->channel->klass->get_max_message_size (out->channel);
  /* While there is none, what was is most likely to be again. */
  g_mutex_lock (&self->lock);
  self->max_message_size = size;
  self->limit_serial = is_open ? out->serial : 0;
  g_mutex_unlock (&self->lock);
  gst_rtc_lasting_part_unref (out);
  return size;
}

/* Under the lock, which is released in between. */
static gsize
find_limit (GstRtcLasting *self)
{
  gsize limit;

  if (self->out && self->out->serial == self->limit_serial)
    return self->max_message_size;
  g_mutex_unlock (&self->lock);
  limit = gst_rtc_lasting_get_max_message_size (&self->parent);
  g_mutex_lock (&self->lock);
  return limit;
}

/* Thousands of short messages a second go through here: the lock is taken once more only while something outside is
 * called. */
gboolean
gst_rtc_lasting_send (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  gsize size = g_bytes_get_size (message), limit;
  gboolean is_closing, was_high;
  GError *fault = NULL;

  g_mutex_lock (&self->lock);
  limit = find_limit (self);
  is_closing = self->closing || self->over;
  if (!is_closing && size <= limit) {
    rtc_data_log_add (self->log, is_text, message);
    self->messages_sent++;
    self->bytes_sent += size;
    pump (self, &fault);
  }
  was_high = self->was_high;
  g_mutex_unlock (&self->lock);
  if (size > limit)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_TOO_LARGE,
        "A message of %" G_GSIZE_FORMAT " bytes is more than the %" G_GSIZE_FORMAT
        " that peer %s takes (its max-message-size); send it in parts",
        size, limit, channel->peer_id);
  else if (is_closing)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_STATE,
        "The data channel \"%s\" to peer %s is being closed, so nothing more can be sent on it", channel->init.label,
        channel->peer_id);
  if (size > limit || is_closing)
    return FALSE;
  end_for (self, fault);
  if (!was_high)
    gst_rtc_lasting_check_high (self);
  return TRUE;
}

void
gst_rtc_lasting_set_low_threshold (GstRtcChannel *channel, gsize bytes)
{
  GstRtcLasting *self = (GstRtcLasting *)channel;
  GPtrArray *parts = g_ptr_array_new_with_free_func (gst_rtc_lasting_part_unref);

  g_mutex_lock (&self->lock);
  self->low = bytes;
  self->was_high = FALSE;
  for (guint i = 0; i < self->parts->len; i++)
    g_ptr_array_add (parts, gst_rtc_lasting_part_ref (g_ptr_array_index (self->parts, i)));
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < parts->len; i++)
    gst_rtc_channel_set_low_threshold (((GstRtcLastingPart *)g_ptr_array_index (parts, i))->channel, bytes);
  g_ptr_array_unref (parts);
  gst_rtc_lasting_check_high (self);
}

gboolean
gst_rtc_lasting_resume (GstRtcLasting *self, GstRtcLastingPart *part, guint64 delivered)
{
  rtc_data_log_cut (self->log);
  g_clear_pointer (&self->out, gst_rtc_lasting_part_unref);
  self->out = part;
  self->out_serial = part->serial;
  self->known = TRUE;
  self->told_serial = 0;
  return rtc_data_log_resume (self->log, delivered);
}

void
gst_rtc_lasting_end_unknown (GstRtcLasting *self)
{
  GError *error = g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK,
      "Peer %s does not know what was sent on the data channel \"%s\" before, so it cannot go on; it is opened again",
      self->parent.peer_id, self->parent.init.label);

  gst_rtc_lasting_end (self, error);
  g_error_free (error);
}

void
gst_rtc_lasting_after_told (GstRtcLasting *self)
{
  GError *error = NULL;

  g_mutex_lock (&self->lock);
  pump (self, &error);
  g_mutex_unlock (&self->lock);
  end_for (self, error);
  gst_rtc_lasting_check_low (self);
  gst_rtc_lasting_check_close (self);
}

void
gst_rtc_lasting_told (GstRtcLasting *self, guint serial, guint64 delivered)
{
  gboolean fits = TRUE, again = FALSE;
  GstRtcLastingPart *part;

  g_mutex_lock (&self->lock);
  part = gst_rtc_lasting_find_part (self, serial);
  /* The peer has it now, which it may not have had when it was told the first time. */
  if (!self->over && !self->parent.is_remote && serial == self->in_serial && serial > self->answered_serial)
    again = self->begun_untold = TRUE;
  self->answered_serial = MAX (self->answered_serial, serial);
  if (self->over || serial < self->out_serial) {
    /* What an earlier connection told, or told late. */
  } else if (serial == self->out_serial) {
    self->known = TRUE;
    if (self->out)
      rtc_data_log_acknowledged (self->log, delivered);
  } else if (part) {
    fits = gst_rtc_lasting_resume (self, gst_rtc_lasting_part_ref (part), delivered);
  } else {
    self->told_serial = serial;
    self->told_delivered = delivered;
  }
  g_mutex_unlock (&self->lock);
  if (again)
    self->events->due (self, TRUE, self->user_data);
  if (fits)
    gst_rtc_lasting_after_told (self);
  else
    gst_rtc_lasting_end_unknown (self);
}
