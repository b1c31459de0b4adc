/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: data-webrtcbin offer|answer
 *
 * Two channels of a bare webrtcbin, whose send queue has no bound of its own. A description is SDP with all candidates,
 * as BASE64. */

#include "peer.h"

#include <gst/webrtc/webrtc.h>
#include <stdlib.h>
#include <string.h>

enum
{
  BULK,
  PING,
};

static struct
{
  GstElement *pipeline, *webrtc;
  gboolean is_offerer;
  GObject *channels[2];
  gint n_open; /* atomic */

  GMutex lock;
  GCond room; /* with lock: little waits on bulk */
} program;

static void
on_open (GObject *channel, gpointer unused)
{
  if (g_atomic_int_add (&program.n_open, 1) == 1)
    peer_say ("open");
}

static void
on_bulk (GObject *channel, GBytes *message, gpointer unused)
{
  peer_bulk_came (g_bytes_get_size (message));
}

static void
on_ping (GObject *channel, GBytes *message, gpointer unused)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (message, &size);

  if (size != PEER_PING_SIZE)
    return;
  if (peer_ping_is_mine (data))
    peer_ping_came (data);
  else
    g_signal_emit_by_name (channel, "send-data", message);
}

static void
on_low (GObject *channel, gpointer unused)
{
  g_mutex_lock (&program.lock);
  g_cond_signal (&program.room);
  g_mutex_unlock (&program.lock);
}

static void
open_channels (void)
{
  static const gchar *const labels[] = {"bulk", "ping"};

  for (gint i = 0; i < 2; i++) {
    GstStructure *options =
        gst_structure_new ("options", "negotiated", G_TYPE_BOOLEAN, TRUE, "id", G_TYPE_INT, i, NULL);

    g_signal_emit_by_name (program.webrtc, "create-data-channel", labels[i], options, &program.channels[i]);
    gst_structure_free (options);
    if (!program.channels[i])
      g_error ("data-webrtcbin: no channel; is the plugin sctp there?");
    g_object_set (program.channels[i], "buffered-amount-low-threshold", (guint64)PEER_LOW, NULL);
    g_signal_connect (program.channels[i], "on-open", G_CALLBACK (on_open), NULL);
    g_signal_connect (program.channels[i], "on-message-data", G_CALLBACK (i == BULK ? on_bulk : on_ping), NULL);
    g_signal_connect (program.channels[i], "on-buffered-amount-low", G_CALLBACK (on_low), NULL);
  }
}

static guint64
get_buffered (void)
{
  guint64 amount;

  g_object_get (program.channels[BULK], "buffered-amount", &amount, NULL);
  return amount;
}

static void
send_on (guint channel, const guint8 *data, gsize size)
{
  GBytes *bytes = g_bytes_new (data, size);

  g_signal_emit_by_name (program.channels[channel], "send-data", bytes);
  g_bytes_unref (bytes);
}

static void
send_bulk (const guint8 *data, gsize size)
{
  gint64 until = g_get_monotonic_time () + G_USEC_PER_SEC / 10;

  if (get_buffered () >= PEER_HIGH) {
    g_mutex_lock (&program.lock);
    while (get_buffered () > PEER_LOW && g_cond_wait_until (&program.room, &program.lock, until)) {
    }
    g_mutex_unlock (&program.lock);
  }
  if (get_buffered () < PEER_HIGH)
    send_on (BULK, data, size);
}

static void
send_ping (const guint8 *message)
{
  send_on (PING, message, PEER_PING_SIZE);
}

/* Descriptions. */

static void
on_gathered (GstElement *webrtc, GParamSpec *pspec, gpointer unused)
{
  GstWebRTCSessionDescription *description = NULL;
  GstWebRTCICEGatheringState state;
  gchar *text, *encoded;

  g_object_get (webrtc, "ice-gathering-state", &state, "local-description", &description, NULL);
  if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE && description) {
    text = gst_sdp_message_as_text (description->sdp);
    encoded = g_base64_encode ((const guchar *)text, strlen (text));
    peer_say ("description %s", encoded);
    g_free (encoded);
    g_free (text);
  }
  if (description)
    gst_webrtc_session_description_free (description);
}

static void
make_description (const gchar *signal, const gchar *field)
{
  GstPromise *promise = gst_promise_new ();
  GstWebRTCSessionDescription *description = NULL;

  g_signal_emit_by_name (program.webrtc, signal, NULL, promise);
  if (gst_promise_wait (promise) != GST_PROMISE_RESULT_REPLIED
      || !gst_structure_get (
          gst_promise_get_reply (promise), field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, NULL))
    g_error ("data-webrtcbin: webrtcbin made no %s", field);
  g_signal_emit_by_name (program.webrtc, "set-local-description", description, NULL);
  gst_webrtc_session_description_free (description);
  gst_promise_unref (promise);
}

static void
take_description (const gchar *encoded)
{
  gsize size;
  guchar *raw = g_base64_decode (encoded, &size);
  GstWebRTCSessionDescription *description;
  GstPromise *promise = gst_promise_new ();
  GstSDPMessage *sdp;

  gst_sdp_message_new (&sdp);
  if (gst_sdp_message_parse_buffer (raw, size, sdp) != GST_SDP_OK)
    g_error ("data-webrtcbin: that is no SDP");
  description = gst_webrtc_session_description_new (
      program.is_offerer ? GST_WEBRTC_SDP_TYPE_ANSWER : GST_WEBRTC_SDP_TYPE_OFFER, sdp);
  g_signal_emit_by_name (program.webrtc, "set-remote-description", description, promise);
  gst_promise_wait (promise);
  gst_promise_unref (promise);
  gst_webrtc_session_description_free (description);
  g_free (raw);
  if (!program.is_offerer)
    make_description ("create-answer", "answer");
}

static const PeerFuncs funcs = {.description = take_description, .bulk = send_bulk, .ping = send_ping};

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  program.is_offerer = argc == 2 && g_str_equal (argv[1], "offer");
  program.pipeline = gst_pipeline_new (NULL);
  program.webrtc = gst_element_factory_make ("webrtcbin", NULL);
  if (!program.webrtc)
    g_error ("data-webrtcbin: there is no webrtcbin");
  g_object_set (program.webrtc, "bundle-policy", GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE, NULL);
  gst_bin_add (GST_BIN (program.pipeline), program.webrtc);
  g_signal_connect (program.webrtc, "notify::ice-gathering-state", G_CALLBACK (on_gathered), NULL);
  gst_element_set_state (program.pipeline, GST_STATE_PLAYING);
  open_channels ();
  if (program.is_offerer)
    make_description ("create-offer", "offer");
  peer_run (&funcs);
  _Exit (0); /* as it is: threads of webrtcbin still run, and OpenSSL would be cleaned up under them */
}
