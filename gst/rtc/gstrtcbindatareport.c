/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbindatapriv.h"
#include "base/gstrtcstats.h"

typedef struct
{
  GstRtcDataEntry *entry;
  gboolean is_closed;
  GError *error;
} Report;

static void
report_free (gpointer data)
{
  Report *report = data;

  gst_rtc_data_entry_unref (report->entry);
  g_clear_error (&report->error);
  g_free (report);
}

static const gchar *
get_code (const GError *error)
{
  static const gchar *const names[] = {"config", "id", "state", "too-large", "text", "peer", "link"};

  return error->domain == GST_RTC_CHANNEL_ERROR && (guint)error->code < G_N_ELEMENTS (names) ? names[error->code]
                                                                                             : "other";
}

static void
add_end (GstStructure *s, GstRtcDataEntry *entry, const GError *error)
{
  GstStructure *stats = gst_rtc_channel_make_stats (entry->channel);
  guint64 lost, lost_bytes;
  gboolean late;

  g_mutex_lock (&entry->data->lock);
  late = entry->late;
  lost = entry->lost;
  lost_bytes = entry->lost_bytes;
  g_mutex_unlock (&entry->data->lock);
  if (error)
    gst_structure_set (s, "code", G_TYPE_STRING, get_code (error), "reason", G_TYPE_STRING, error->message, NULL);
  else if (late)
    gst_structure_set (s, "code", G_TYPE_STRING, "not-taken", "reason", G_TYPE_STRING,
        "Nobody here took it: no element and no application is attached to its label", NULL);
  else
    gst_structure_set (s, "code", G_TYPE_STRING, "closed", "reason", G_TYPE_STRING, "It was closed", NULL);
  gst_structure_set (s, "lost-messages", G_TYPE_UINT64, lost, "lost-bytes", G_TYPE_UINT64, lost_bytes, "stats",
      GST_TYPE_STRUCTURE, stats, NULL);
  gst_structure_free (stats);
}

/* On the control loop: what hears of it may ask for rtcbin's stats, which a transport's thread must not wait for. */
static void
post_report (gpointer data)
{
  Report *report = data;
  GstRtcDataEntry *entry = report->entry;
  const GstRtcChannel *channel = entry->channel;
  const GstRtcChannelInit *init = &channel->init;
  GstStructure *s = gst_structure_new (report->is_closed ? "rtc-data-channel-closed" : "rtc-data-channel", "peer-id",
      G_TYPE_STRING, channel->peer_id, "label", G_TYPE_STRING, init->label, "protocol", G_TYPE_STRING, init->protocol,
      "id", G_TYPE_INT, gst_rtc_channel_get_id (entry->channel), "remote", G_TYPE_BOOLEAN, channel->is_remote, NULL);

  if (report->is_closed) {
    add_end (s, entry, report->error);
  } else {
    gboolean taken;

    g_mutex_lock (&entry->data->lock);
    taken = entry->taken;
    g_mutex_unlock (&entry->data->lock);
    gst_structure_set (s, "ordered", G_TYPE_BOOLEAN, init->ordered, "max-retransmits", G_TYPE_INT,
        init->max_retransmits, "max-packet-lifetime", G_TYPE_INT, init->max_packet_lifetime, "negotiated",
        G_TYPE_BOOLEAN, init->negotiated, "priority", G_TYPE_UINT, init->priority, "taken", G_TYPE_BOOLEAN, taken,
        NULL);
  }
  gst_element_post_message (entry->data->bin, gst_message_new_element (GST_OBJECT_CAST (entry->data->bin), s));
}

static void
report (GstRtcDataEntry *entry, gboolean is_closed, const GError *error)
{
  GstRtcBinData *self = entry->data;
  Report *report = g_new0 (Report, 1);

  report->entry = gst_rtc_data_entry_ref (entry);
  report->is_closed = is_closed;
  report->error = error ? g_error_copy (error) : NULL;
  gst_rtc_bin_data_post_full (self, post_report, report, report_free);
}

void
gst_rtc_data_entry_report_open (GstRtcDataEntry *entry)
{
  report (entry, FALSE, NULL);
}

void
gst_rtc_data_entry_report_closed (GstRtcDataEntry *entry, const GError *error)
{
  report (entry, TRUE, error);
}

void
gst_rtc_bin_data_add_stats (GstRtcBinData *self, gconstpointer connection, const gchar *peer_id, GstStructure *stats)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func (gst_rtc_data_entry_unref);
  GValue array = G_VALUE_INIT;
  gint64 offset, bound;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->entries->len; i++) {
    GstRtcDataEntry *entry = g_ptr_array_index (self->entries, i);

    if (entry->connection ? entry->connection == connection : g_str_equal (entry->channel->peer_id, peer_id))
      g_ptr_array_add (entries, gst_rtc_data_entry_ref (entry));
  }
  g_mutex_unlock (&self->lock);
  gst_value_array_init (&array, 0);
  for (guint i = 0; i < entries->len; i++)
    gst_rtc_stats_append (
        &array, gst_rtc_channel_make_stats (((GstRtcDataEntry *)g_ptr_array_index (entries, i))->channel));
  gst_structure_take_value (stats, "data-channels", &array);
  if (gst_rtc_bin_data_get_clock_offset (self, peer_id, &offset, &bound))
    gst_structure_set (stats, "clock-offset", G_TYPE_INT64, offset, "clock-offset-error", G_TYPE_INT64, bound, NULL);
  g_ptr_array_unref (entries);
}
