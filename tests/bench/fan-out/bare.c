/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: fan-bare SLICES
 *
 * What one writes without rtclink: a tee a track, a queue and a webrtcbin a viewer.
 *
 *   join NAME                   in; out: offer NAME BASE64, candidate NAME LINE CANDIDATE
 *   answer NAME BASE64          in
 *   candidate NAME LINE CANDIDATE */

#include "fansrc.h"
#include "fan.h"

#include <gst/webrtc/webrtc.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  GstElement *pipeline;
  GstElement *tees[2];
  GHashTable *calls; /* of Call, by name */
} Program;

typedef struct
{
  gchar *name;
  GstElement *webrtc;

  /* atomic */
  gint lines; /* of which the caps are known */
} Call;

static void
on_candidate (GstElement *webrtc, guint line, const gchar *candidate, Call *call)
{
  fan_say ("candidate %s %u %s", call->name, line, candidate);
}

static void
on_offer_made (GstPromise *promise, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (GstWebRTCSessionDescription) offer = NULL;
  g_autofree gchar *text = NULL, *coded = NULL;

  if (gst_promise_wait (promise) == GST_PROMISE_RESULT_REPLIED)
    gst_structure_get (gst_promise_get_reply (promise), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &offer, NULL);
  gst_promise_unref (promise);
  if (!offer)
    g_error ("webrtcbin made no offer");
  g_signal_emit_by_name (call->webrtc, "set-local-description", offer, NULL);
  text = gst_sdp_message_as_text (offer->sdp);
  coded = g_base64_encode ((const guchar *)text, strlen (text));
  fan_say ("offer %s %s", call->name, coded);
}

/* An offer that is made before the pads have their caps names no SSRC. */
static void
on_caps (GstPad *pad, GParamSpec *pspec, Call *call)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps && !g_object_get_data (G_OBJECT (pad), "counted")) {
    g_object_set_data (G_OBJECT (pad), "counted", call);
    if (g_atomic_int_add (&call->lines, 1) == 1)
      g_signal_emit_by_name (
          call->webrtc, "create-offer", NULL, gst_promise_new_with_change_func (on_offer_made, call, NULL));
  }
}

static void
on_connection_state (GstElement *webrtc, GParamSpec *pspec, Call *call)
{
  GstWebRTCPeerConnectionState state;
  g_autoptr (GstPad) pad = gst_element_get_static_pad (webrtc, "sink_0");

  g_object_get (webrtc, "connection-state", &state, NULL);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED)
    gst_pad_push_event (pad,
        gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
            gst_structure_new ("GstForceKeyUnit", "all-headers", G_TYPE_BOOLEAN, TRUE, NULL)));
}

static void
add_line (Program *self, Call *call, guint i)
{
  GstElement *queue = gst_element_factory_make ("queue", NULL);
  g_autoptr (GstWebRTCRTPTransceiver) transceiver = NULL;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (queue, "sink");
  g_autoptr (GstPad) src = gst_element_get_static_pad (queue, "src");
  g_autoptr (GstPad) webrtc_sink = gst_element_request_pad_simple (call->webrtc, "sink_%u");
  g_autoptr (GstPad) tee_pad = NULL;

  gst_util_set_object_arg (G_OBJECT (queue), "leaky", "downstream");
  gst_bin_add (GST_BIN (self->pipeline), queue);
  g_object_get (webrtc_sink, "transceiver", &transceiver, NULL);
  g_object_set (transceiver, "do-nack", i == 0, NULL);
  gst_util_set_object_arg (G_OBJECT (transceiver), "direction", "sendonly");
  g_signal_connect (webrtc_sink, "notify::caps", G_CALLBACK (on_caps), call);
  gst_pad_link (src, webrtc_sink);
  gst_element_sync_state_with_parent (queue);
  tee_pad = gst_element_request_pad_simple (self->tees[i], "src_%u");
  gst_pad_link (tee_pad, sink);
  on_caps (webrtc_sink, NULL, call);
}

static void
join (Program *self, const gchar *name)
{
  Call *call = g_new0 (Call, 1);

  call->name = g_strdup (name);
  call->webrtc = gst_element_factory_make ("webrtcbin", NULL);
  gst_util_set_object_arg (G_OBJECT (call->webrtc), "bundle-policy", "max-bundle");
  g_signal_connect (call->webrtc, "on-ice-candidate", G_CALLBACK (on_candidate), call);
  g_signal_connect (call->webrtc, "notify::connection-state", G_CALLBACK (on_connection_state), call);
  g_hash_table_insert (self->calls, call->name, call);
  gst_bin_add (GST_BIN (self->pipeline), call->webrtc);
  gst_element_sync_state_with_parent (call->webrtc);
  for (guint i = 0; i < 2; i++)
    add_line (self, call, i);
}

static void
take_answer (Call *call, const gchar *coded)
{
  gsize length = 0;
  g_autofree guchar *text = g_base64_decode (coded, &length);
  GstSDPMessage *sdp = NULL;
  g_autoptr (GstWebRTCSessionDescription) description = NULL;

  gst_sdp_message_new (&sdp);
  gst_sdp_message_parse_buffer (text, length, sdp);
  description = gst_webrtc_session_description_new (GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
  g_signal_emit_by_name (call->webrtc, "set-remote-description", description, NULL);
}

static void
on_command (gchar **words, guint n, gpointer user_data)
{
  Program *self = user_data;
  Call *call = n > 1 ? g_hash_table_lookup (self->calls, words[1]) : NULL;

  if (g_str_equal (words[0], "join") && n == 2) {
    join (self, words[1]);
  } else if (g_str_equal (words[0], "answer") && n == 3 && call) {
    take_answer (call, words[2]);
  } else if (g_str_equal (words[0], "candidate") && n > 3 && call) {
    g_autofree gchar *candidate = g_strjoinv (" ", words + 3);

    g_signal_emit_by_name (call->webrtc, "add-ice-candidate", (guint)atoi (words[2]), candidate);
  } else {
    g_error ("fan-bare: what is \"%s\"?", words[0]);
  }
}

/* Messages hold their elements: they have to be read. */
static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    gst_message_parse_error (message, &error, NULL);
    fan_say ("error sender %s: %s", GST_MESSAGE_SRC_NAME (message), error->message);
  }
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char **argv)
{
  Program self = {NULL};
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autofree gchar *line = NULL;
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);

  gst_init (&argc, &argv);
  fan_src_register ();
  if (argc != 2) {
    g_printerr ("usage: fan-bare SLICES\n");
    return 2;
  }
  line = g_strdup_printf ("fansrc video=true slices=%s ! tee name=video allow-not-linked=true "
                          "fansrc ! tee name=audio allow-not-linked=true",
      argv[1]);
  if (!(self.pipeline = gst_parse_launch (line, &error)))
    g_error ("%s", error->message);
  self.tees[0] = gst_bin_get_by_name (GST_BIN (self.pipeline), "video");
  self.tees[1] = gst_bin_get_by_name (GST_BIN (self.pipeline), "audio");
  self.calls = g_hash_table_new (g_str_hash, g_str_equal);
  bus = gst_element_get_bus (self.pipeline);
  gst_bus_add_watch (bus, on_message, NULL);
  gst_element_set_state (self.pipeline, GST_STATE_PLAYING);
  fan_listen (on_command, &self, loop);
  fan_say ("ready");
  g_main_loop_run (loop);
  /* The process ends as it is: taking fifty webrtcbins down is not what is measured. */
  _Exit (0);
}
