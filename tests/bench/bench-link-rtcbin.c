/* rtclink: how long a link takes to come up, and how late its frames are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Two rtcbins whose messages are handed from one to the other: what the bare webrtcbins do, with rtcbin's own API. */

#include "bench.h"
#include "core/rtcmessage.h"

#define SENDER "rtcbin name=rtc " BENCH_SOURCE " ! rtc."
#define RECEIVER "rtcbin name=rtc  rtc.video_src_0 ! " BENCH_SINKS

#define SENDER_ID "sender"
#define RECEIVER_ID "receiver"

static void
carry (const gchar *text, const gchar *from, GstElement *to)
{
  g_autoptr (GError) error = NULL;
  RtcMessage *message = rtc_message_from_json (text, -1, &error);
  g_autofree gchar *json = NULL;

  if (!message)
    g_error ("rtcbin sent what is no message: %s", error->message);
  /* What is for the server has no receiver. */
  if (message->to) {
    g_clear_pointer (&message->to, g_free);
    message->from = g_strdup (from);
    json = rtc_message_to_json (message);
    g_signal_emit_by_name (to, "handle-message", json);
  }
  rtc_message_free (message);
}

static void
on_message_of_sender (GstElement *rtcbin, const gchar *text, BenchLink *link)
{
  carry (text, SENDER_ID, link->to);
}

static void
on_message_of_receiver (GstElement *rtcbin, const gchar *text, BenchLink *link)
{
  carry (text, RECEIVER_ID, link->from);
}

gboolean
bench_rtcbin_make (BenchLink *link, GError **error)
{
  if (!(link->sender = gst_parse_launch (SENDER, error)))
    return FALSE;
  if (!(link->receiver = gst_parse_launch (RECEIVER, error)))
    return FALSE;
  link->from = gst_bin_get_by_name (GST_BIN (link->sender), "rtc");
  link->to = gst_bin_get_by_name (GST_BIN (link->receiver), "rtc");
  g_object_set (link->from, "transport", link->variant->transport, NULL);
  g_object_set (link->to, "transport", link->variant->transport, NULL);
  if (link->variant->latency) {
    g_object_set (link->from, "latency", link->variant->latency, NULL);
    g_object_set (link->to, "latency", link->variant->latency, NULL);
  }
  g_signal_connect (link->from, "on-message", G_CALLBACK (on_message_of_sender), link);
  g_signal_connect (link->to, "on-message", G_CALLBACK (on_message_of_receiver), link);
  return TRUE;
}

static void
tell (GstElement *rtcbin, const gchar *own_id, const gchar *other_id, guint n_video)
{
  g_autofree gchar *welcome =
      g_strdup_printf ("{\"type\":\"welcome\",\"version\":1,\"peerId\":\"%s\",\"room\":\"\"}", own_id);
  g_autofree gchar *joined = g_strdup_printf ("{\"type\":\"joined\",\"peer\":{\"peerId\":\"%s\",\"displayName\":\"\","
                                              "\"role\":\"both\",\"tracks\":{\"video\":%u,\"audio\":0},"
                                              "\"offerer\":\"" SENDER_ID "\"}}",
      other_id, n_video);

  g_signal_emit_by_name (rtcbin, "handle-message", welcome);
  g_signal_emit_by_name (rtcbin, "handle-message", joined);
}

void
bench_rtcbin_connect (BenchLink *link)
{
  tell (link->to, RECEIVER_ID, SENDER_ID, 1);
  tell (link->from, SENDER_ID, RECEIVER_ID, 0);
}
