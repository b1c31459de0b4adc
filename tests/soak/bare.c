/* rtclink: bare webrtcbins that do what rtcbin does, for comparison in the soak test
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "soaklines.h"

#include <gst/webrtc/webrtc.h>

#include <stdlib.h>
#include <string.h>

/* usage: bare-webrtcbin send ENCODER... | bare-webrtcbin receive
 *
 * The sender has one encoder, and a queue and a webrtcbin for each viewer; the receiver a webrtcbin and a fakesink. The
 * signaling goes over the same lines as everything else, and whoever started both carries it from one to the other:
 *
 *   offer NAME BASE64, answer NAME BASE64, candidate NAME LINE CANDIDATE */

#define RTP_CAPS "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"

typedef struct
{
  GstElement *pipeline; /* the sender's only one */
  GstElement *tee; /* NULL: this is the receiver */
  GHashTable *calls; /* name -> Call */
} Program;

typedef struct
{
  /* set at construction */
  Program *program;
  SoakMeter *meter;
  GstElement *pipeline; /* (borrowed) by the sender */
  GstElement *queue; /* sender only */
  GstElement *webrtc;
  GstPad *tee_pad; /* sender only */

  /* atomic */
  gint offered;
} Call;

static void
say_description (Call *call, const gchar *kind, const GstWebRTCSessionDescription *description)
{
  g_autofree gchar *text = gst_sdp_message_as_text (description->sdp);
  g_autofree gchar *coded = g_base64_encode ((const guchar *)text, strlen (text));

  soak_lines_say ("%s %s %s", kind, call->meter->name, coded);
}

static void
on_candidate (GstElement *webrtc, guint line, const gchar *candidate, Call *call)
{
  soak_lines_say ("candidate %s %u %s", call->meter->name, line, candidate);
}

/* What webrtcbin made, set and sent. KIND is the promise's field, too. */
static void
use_description (GstPromise *promise, Call *call, const gchar *kind)
{
  g_autoptr (GstWebRTCSessionDescription) description = NULL;

  if (gst_promise_wait (promise) == GST_PROMISE_RESULT_REPLIED
      && gst_structure_get (
          gst_promise_get_reply (promise), kind, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, NULL)) {
    g_signal_emit_by_name (call->webrtc, "set-local-description", description, NULL);
    say_description (call, kind, description);
  } else {
    soak_lines_say ("error %s webrtcbin made no %s", call->meter->name, kind);
  }
  gst_promise_unref (promise);
}

static void
on_offer_made (GstPromise *promise, gpointer user_data)
{
  use_description (promise, user_data, "offer");
}

static void
on_answer_made (GstPromise *promise, gpointer user_data)
{
  use_description (promise, user_data, "answer");
}

/* An offer that is made before the pad has its caps names no SSRC. */
static void
on_caps (GstPad *pad, GParamSpec *pspec, Call *call)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps && g_atomic_int_compare_and_exchange (&call->offered, FALSE, TRUE))
    g_signal_emit_by_name (
        call->webrtc, "create-offer", NULL, gst_promise_new_with_change_func (on_offer_made, call, NULL));
}

static void
start_sending (Call *call)
{
  g_autoptr (GstWebRTCRTPTransceiver) transceiver = NULL;
  g_autoptr (GstPad) queue_sink = NULL;
  g_autoptr (GstPad) queue_src = NULL;
  g_autoptr (GstPad) webrtc_sink = NULL;

  call->pipeline = call->program->pipeline;
  call->queue = gst_element_factory_make ("queue", NULL);
  gst_util_set_object_arg (G_OBJECT (call->queue), "leaky", "downstream");
  gst_bin_add_many (GST_BIN (call->pipeline), call->queue, call->webrtc, NULL);
  queue_sink = gst_element_get_static_pad (call->queue, "sink");
  queue_src = gst_element_get_static_pad (call->queue, "src");
  webrtc_sink = gst_element_request_pad_simple (call->webrtc, "sink_%u");
  /* As rtcbin does: lost packets are sent again, from a history of 500 for each viewer. */
  g_object_get (webrtc_sink, "transceiver", &transceiver, NULL);
  g_object_set (transceiver, "do-nack", TRUE, NULL);
  g_signal_connect (webrtc_sink, "notify::caps", G_CALLBACK (on_caps), call);
  gst_pad_link (queue_src, webrtc_sink);
  gst_element_sync_state_with_parent (call->webrtc);
  gst_element_sync_state_with_parent (call->queue);
  call->tee_pad = gst_element_request_pad_simple (call->program->tee, "src_%u");
  gst_pad_link (call->tee_pad, queue_sink);
  on_caps (webrtc_sink, NULL, call);
}

static void
ask_for_key_frame (GstElement *webrtc)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (webrtc, "sink_0");

  gst_pad_push_event (pad,
      gst_event_new_custom (
          GST_EVENT_CUSTOM_UPSTREAM, gst_structure_new ("GstForceKeyUnit", "all-headers", G_TYPE_BOOLEAN, TRUE, NULL)));
}

static void
on_connection_state (GstElement *webrtc, GParamSpec *pspec, Call *call)
{
  GstWebRTCPeerConnectionState state;

  g_object_get (webrtc, "connection-state", &state, NULL);
  if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED)
    ask_for_key_frame (webrtc);
}

static void
on_pad_added (GstElement *webrtc, GstPad *pad, Call *call)
{
  GstElement *sink;
  g_autoptr (GstPad) sink_pad = NULL;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SRC)
    return;
  sink = gst_element_factory_make ("fakesink", NULL);
  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  gst_bin_add (GST_BIN (call->pipeline), sink);
  sink_pad = gst_element_get_static_pad (sink, "sink");
  gst_element_sync_state_with_parent (sink);
  soak_meter_watch (call->meter, sink_pad);
  gst_pad_link (pad, sink_pad);
}

/* Messages hold their elements: they have to be read, or nothing is ever freed. */
static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    /* webrtcbin's SCTP and DTLS elements post errors when the other side goes; they are nothing to this test. */
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
  }
  return G_SOURCE_CONTINUE;
}

static void
watch_bus (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_add_watch (bus, on_message, NULL);
}

static void
unwatch_bus (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  gst_bus_remove_watch (bus);
}

static void
join (Program *program, const gchar *name)
{
  Call *call = g_new0 (Call, 1);

  call->program = program;
  call->meter = soak_meter_new (name);
  call->webrtc = gst_element_factory_make ("webrtcbin", NULL);
  gst_util_set_object_arg (G_OBJECT (call->webrtc), "bundle-policy", "max-bundle");
  g_signal_connect (call->webrtc, "on-ice-candidate", G_CALLBACK (on_candidate), call);
  g_hash_table_replace (program->calls, g_strdup (name), call);
  if (program->tee) {
    g_signal_connect (call->webrtc, "notify::connection-state", G_CALLBACK (on_connection_state), call);
    start_sending (call);
  } else {
    call->pipeline = gst_pipeline_new (NULL);
    watch_bus (call->pipeline);
    g_signal_connect (call->webrtc, "pad-added", G_CALLBACK (on_pad_added), call);
    gst_bin_add (GST_BIN (call->pipeline), call->webrtc);
    gst_element_set_state (call->pipeline, GST_STATE_PLAYING);
  }
}

static void
call_free (gpointer data)
{
  Call *call = data;

  if (call->program->tee) {
    /* The tee does without a pad at any time; what is on its way to the queue falls on a pad that is flushing. */
    gst_element_release_request_pad (call->program->tee, call->tee_pad);
    gst_object_unref (call->tee_pad);
    /* webrtcbin first: until it is connected it holds the queue's thread in a pad probe. */
    gst_element_set_state (call->webrtc, GST_STATE_NULL);
    gst_element_set_state (call->queue, GST_STATE_NULL);
    gst_bin_remove_many (GST_BIN (call->pipeline), call->queue, call->webrtc, NULL);
  } else {
    unwatch_bus (call->pipeline);
    gst_element_set_state (call->pipeline, GST_STATE_NULL);
    gst_object_unref (call->pipeline);
  }
  soak_lines_say ("gone %s", call->meter->name);
  soak_meter_free (call->meter);
  g_free (call);
}

static void
take_description (Call *call, GstWebRTCSDPType type, const gchar *coded)
{
  gsize length = 0;
  g_autofree guchar *text = g_base64_decode (coded, &length);
  GstSDPMessage *sdp = NULL;
  g_autoptr (GstWebRTCSessionDescription) description = NULL;

  gst_sdp_message_new (&sdp);
  gst_sdp_message_parse_buffer (text, length, sdp);
  description = gst_webrtc_session_description_new (type, sdp);
  g_signal_emit_by_name (call->webrtc, "set-remote-description", description, NULL);
  if (type == GST_WEBRTC_SDP_TYPE_OFFER)
    g_signal_emit_by_name (
        call->webrtc, "create-answer", NULL, gst_promise_new_with_change_func (on_answer_made, call, NULL));
}

static void
on_command (const gchar *command, const gchar *name, const gchar *argument, gpointer user_data)
{
  Program *program = user_data;
  Call *call = g_hash_table_lookup (program->calls, name);

  if (g_str_equal (command, "join")) {
    join (program, name);
  } else if (!call) {
    /* candidates still come for those who left */
    if (!g_str_equal (command, "candidate"))
      soak_lines_say ("error %s there is no such viewer for %s", name, command);
  } else if (g_str_equal (command, "leave")) {
    g_hash_table_remove (program->calls, name);
  } else if (g_str_equal (command, "report")) {
    soak_meter_report (call->meter);
  } else if (g_str_equal (command, "offer")) {
    take_description (call, GST_WEBRTC_SDP_TYPE_OFFER, argument);
  } else if (g_str_equal (command, "answer")) {
    take_description (call, GST_WEBRTC_SDP_TYPE_ANSWER, argument);
  } else if (g_str_equal (command, "candidate")) {
    const gchar *space = strchr (argument, ' ');

    if (space)
      g_signal_emit_by_name (call->webrtc, "add-ice-candidate", (guint)atoi (argument), space + 1);
  }
}

static gboolean
start_sender (Program *program, gchar **words)
{
  g_autofree gchar *encoder = g_strjoinv (" ", words);
  g_autofree gchar *line = g_strdup_printf (
      "%s ! rtpvp8pay picture-id-mode=15-bit ! " RTP_CAPS " ! tee name=tee allow-not-linked=true", encoder);
  g_autoptr (GError) error = NULL;

  program->pipeline = gst_parse_launch (line, &error);
  if (error) {
    g_printerr ("cannot make the sender: %s\n", error->message);
    return FALSE;
  }
  program->tee = gst_bin_get_by_name (GST_BIN (program->pipeline), "tee");
  watch_bus (program->pipeline);
  gst_element_set_state (program->pipeline, GST_STATE_PLAYING);
  return TRUE;
}

int
main (int argc, char **argv)
{
  Program program = {NULL};
  gboolean sender;

  gst_init (&argc, &argv);
  sender = argc > 2 && g_str_equal (argv[1], "send");
  if (!sender && !(argc == 2 && g_str_equal (argv[1], "receive"))) {
    g_printerr ("usage: bare-webrtcbin send ENCODER... | bare-webrtcbin receive\n");
    return 2;
  }
  program.calls = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, call_free);
  if (sender && !start_sender (&program, argv + 2))
    return 1;
  soak_lines_run (on_command, &program);
  g_hash_table_unref (program.calls);
  if (program.pipeline) {
    unwatch_bus (program.pipeline);
    gst_element_set_state (program.pipeline, GST_STATE_NULL);
    gst_object_unref (program.tee);
    gst_object_unref (program.pipeline);
  }
  gst_deinit ();
  return 0;
}
