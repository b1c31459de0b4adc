/* rtclink: how long a link takes to come up, and how late its frames are
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Two webrtcbins with the least glue that works: an offer once the sender's pad has caps (on-negotiation-needed comes
 * before that, and is ignored), each candidate handed over as it comes. */

#include "bench.h"

#include <gst/webrtc/webrtc.h>

#define SENDER \
  BENCH_SOURCE " ! rtpvp8pay picture-id-mode=15-bit ! queue ! " \
               "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000 ! " \
               "webrtcbin name=rtc bundle-policy=max-bundle"
#define RECEIVER "webrtcbin name=rtc bundle-policy=max-bundle  rtpvp8depay name=in ! " BENCH_SINKS

static void
on_candidate_of_sender (GstElement *webrtc, guint line, const gchar *candidate, BenchLink *link)
{
  g_signal_emit_by_name (link->to, "add-ice-candidate", line, candidate);
}

static void
on_candidate_of_receiver (GstElement *webrtc, guint line, const gchar *candidate, BenchLink *link)
{
  g_signal_emit_by_name (link->from, "add-ice-candidate", line, candidate);
}

static GstWebRTCSessionDescription *
take_description (GstPromise *promise, const gchar *kind)
{
  GstWebRTCSessionDescription *description = NULL;

  if (gst_promise_wait (promise) != GST_PROMISE_RESULT_REPLIED
      || !gst_structure_get (
          gst_promise_get_reply (promise), kind, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, NULL))
    g_error ("webrtcbin made no %s", kind);
  gst_promise_unref (promise);
  return description;
}

static void
on_answer_made (GstPromise *promise, gpointer user_data)
{
  BenchLink *link = user_data;
  g_autoptr (GstWebRTCSessionDescription) answer = take_description (promise, "answer");

  g_signal_emit_by_name (link->to, "set-local-description", answer, NULL);
  g_signal_emit_by_name (link->from, "set-remote-description", answer, NULL);
}

static void
on_offer_made (GstPromise *promise, gpointer user_data)
{
  BenchLink *link = user_data;
  g_autoptr (GstWebRTCSessionDescription) offer = take_description (promise, "offer");

  g_signal_emit_by_name (link->from, "set-local-description", offer, NULL);
  g_signal_emit_by_name (link->to, "set-remote-description", offer, NULL);
  g_signal_emit_by_name (
      link->to, "create-answer", NULL, gst_promise_new_with_change_func (on_answer_made, link, NULL));
}

static void
on_caps (GstPad *pad, GParamSpec *pspec, BenchLink *link)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps && g_atomic_int_compare_and_exchange (&link->offered, FALSE, TRUE))
    g_signal_emit_by_name (
        link->from, "create-offer", NULL, gst_promise_new_with_change_func (on_offer_made, link, NULL));
}

static void
on_pad_added (GstElement *webrtc, GstPad *pad, BenchLink *link)
{
  g_autoptr (GstElement) in = gst_bin_get_by_name (GST_BIN (link->receiver), "in");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (in, "sink");

  if (GST_PAD_DIRECTION (pad) == GST_PAD_SRC)
    gst_pad_link (pad, sink);
}

static void
on_deep_element_added (GstBin *bin, GstBin *parent, GstElement *element, BenchLink *link)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  if (factory && g_str_equal (GST_OBJECT_NAME (factory), "clocksync"))
    g_object_set (element, "sync", FALSE, NULL);
}

gboolean
bench_bare_make (BenchLink *link, GError **error)
{
  if (!(link->sender = gst_parse_launch (SENDER, error)))
    return FALSE;
  if (!(link->receiver = gst_parse_launch (RECEIVER, error)))
    return FALSE;
  link->from = gst_bin_get_by_name (GST_BIN (link->sender), "rtc");
  link->to = gst_bin_get_by_name (GST_BIN (link->receiver), "rtc");
  if (link->variant->latency) {
    g_object_set (link->from, "latency", link->variant->latency, NULL);
    g_object_set (link->to, "latency", link->variant->latency, NULL);
  }
  if (link->variant->clocksync_off) {
    g_signal_connect (link->sender, "deep-element-added", G_CALLBACK (on_deep_element_added), link);
    g_signal_connect (link->receiver, "deep-element-added", G_CALLBACK (on_deep_element_added), link);
  }
  g_signal_connect (link->from, "on-ice-candidate", G_CALLBACK (on_candidate_of_sender), link);
  g_signal_connect (link->to, "on-ice-candidate", G_CALLBACK (on_candidate_of_receiver), link);
  g_signal_connect (link->to, "pad-added", G_CALLBACK (on_pad_added), link);
  return TRUE;
}

void
bench_bare_connect (BenchLink *link)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (link->from, "sink_0");

  g_signal_connect (pad, "notify::caps", G_CALLBACK (on_caps), link);
  on_caps (pad, NULL, link);
}
