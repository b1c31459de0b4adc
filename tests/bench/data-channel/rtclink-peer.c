/* rtclink: what data channels carry
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: data-rtclink offer|answer native|webrtcbin
 *
 * An rtcbin with datachannelsink and datachannelsrc in a pipeline, as users have them. What the two rtcbins say to each
 * other goes out as signal, as BASE64. */

#include "peer.h"
#include "core/rtcmessage.h"

#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

#define OFFERER "offer"
#define ANSWERER "answer"

#define SENDS "datachannelsink name=bulk label=bulk wait-for-peer=yes kind=binary "
#define RECEIVES "datachannelsrc name=bulk label=bulk "
#define PINGS \
  "datachannelsink name=ping label=ping wait-for-peer=yes kind=binary  datachannelsrc name=pong label=ping " \
  "rtcbin name=rtc transport="

static struct
{
  GstElement *pipeline, *rtc;
  gboolean is_offerer;
  GstPad *bulk, *ping; /* what comes out of them goes into the sinks */
  gint is_open; /* atomic */
} program;

/* The ends of the pipeline: pads without an element, so that nothing but ours is measured. */

static void
attach_pad (const gchar *name, GstPad *pad)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (program.pipeline), name);
  gboolean is_source = GST_PAD_IS_SRC (pad);
  GstPad *other = gst_element_get_static_pad (element, is_source ? "sink" : "src");

  gst_pad_set_active (pad, TRUE);
  if (gst_pad_link_full (is_source ? pad : other, is_source ? other : pad, GST_PAD_LINK_CHECK_NOTHING)
      != GST_PAD_LINK_OK)
    g_error ("data-rtclink: %s cannot be linked", name);
  gst_object_unref (other);
  gst_object_unref (element);
}

static GstPad *
make_source (const gchar *name)
{
  GstPad *pad = gst_pad_new (NULL, GST_PAD_SRC);
  GstCaps *caps = gst_caps_new_empty_simple ("application/octet-stream");
  GstSegment segment;

  attach_pad (name, pad);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (pad, gst_event_new_stream_start (name));
  gst_pad_push_event (pad, gst_event_new_caps (caps));
  gst_pad_push_event (pad, gst_event_new_segment (&segment));
  gst_caps_unref (caps);
  return pad;
}

static void
make_end (const gchar *name, GstPadChainFunction chain)
{
  GstPad *pad = gst_pad_new (NULL, GST_PAD_SINK);

  gst_pad_set_chain_function (pad, chain);
  attach_pad (name, pad);
}

static GstFlowReturn
on_bulk (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gsize size = gst_buffer_get_size (buffer);

  gst_buffer_unref (buffer);
  peer_bulk_came (size);
  return GST_FLOW_OK;
}

static GstFlowReturn
on_pong (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  guint8 message[PEER_PING_SIZE];
  gboolean is_mine;

  if (gst_buffer_extract (buffer, 0, message, sizeof (message)) < sizeof (message)) {
    gst_buffer_unref (buffer);
    return GST_FLOW_OK;
  }
  is_mine = peer_ping_is_mine (message);
  if (is_mine)
    gst_buffer_unref (buffer);
  else
    gst_pad_push (program.ping, buffer);
  if (g_atomic_int_compare_and_exchange (&program.is_open, FALSE, TRUE))
    peer_say ("open");
  else if (is_mine)
    peer_ping_came (message);
  return GST_FLOW_OK;
}

static void
send_on (GstPad *pad, const guint8 *data, gsize size)
{
  /* As a source would have it: memory of its own, which the sink need not copy. */
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);

  gst_buffer_fill (buffer, 0, data, size);
  gst_pad_push (pad, buffer);
}

static void
send_bulk (const guint8 *data, gsize size)
{
  send_on (program.bulk, data, size);
}

static void
send_ping (const guint8 *message)
{
  send_on (program.ping, message, PEER_PING_SIZE);
}

/* Signaling. */

static void
on_message (GstElement *rtcbin, const gchar *text, gpointer unused)
{
  RtcMessage *message = rtc_message_from_json (text, -1, NULL);
  gchar *json, *encoded;

  if (!message)
    g_error ("data-rtclink: rtcbin sent what is no message: %s", text);
  /* What is for the server has no receiver. */
  if (message->to) {
    g_clear_pointer (&message->to, g_free);
    message->from = g_strdup (program.is_offerer ? OFFERER : ANSWERER);
    json = rtc_message_to_json (message);
    encoded = g_base64_encode ((const guchar *)json, strlen (json));
    peer_say ("signal %s", encoded);
    g_free (encoded);
    g_free (json);
  }
  rtc_message_free (message);
}

static void
take_signal (const gchar *text)
{
  gsize size;
  guchar *raw = g_base64_decode (text, &size);
  gchar *json = g_strndup ((gchar *)raw, size);

  g_signal_emit_by_name (program.rtc, "handle-message", json);
  g_free (json);
  g_free (raw);
}

/* Both are in a room. */
static void
take_description (const gchar *text)
{
  const gchar *me = program.is_offerer ? OFFERER : ANSWERER, *other = program.is_offerer ? ANSWERER : OFFERER;
  gchar *welcome = g_strdup_printf ("{\"type\":\"welcome\",\"version\":1,\"peerId\":\"%s\",\"room\":\"\"}", me);
  gchar *joined = g_strdup_printf ("{\"type\":\"joined\",\"peer\":{\"peerId\":\"%s\",\"displayName\":\"\","
                                   "\"role\":\"both\",\"tracks\":{\"video\":0,\"audio\":0},"
                                   "\"features\":[\"rtclink.1\"],\"offerer\":\"" OFFERER "\"}}",
      other);
  guint8 first[PEER_PING_SIZE];

  g_signal_emit_by_name (program.rtc, "handle-message", welcome);
  g_signal_emit_by_name (program.rtc, "handle-message", joined);
  peer_ping_write (first);
  if (program.is_offerer)
    send_ping (first);
  g_free (welcome);
  g_free (joined);
}

static gchar *
get_path (void)
{
  GstStructure *stats = NULL;
  const GValue *peers;
  gchar *text = NULL;

  g_object_get (program.rtc, "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  if (peers && gst_value_array_get_size (peers) > 0) {
    GstStructure *peer = g_value_dup_boxed (gst_value_array_get_value (peers, 0));

    gst_structure_remove_field (peer, "data-channels");
    text = gst_structure_to_string (peer);
    gst_structure_free (peer);
  }
  gst_structure_free (stats);
  return text;
}

static const PeerFuncs funcs = {
    .description = take_description,
    .signal = take_signal,
    .bulk = send_bulk,
    .ping = send_ping,
    .path = get_path,
};

static GstBusSyncReply
on_bus (GstBus *bus, GstMessage *message, gpointer unused)
{
  GError *error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  if (error)
    g_printerr ("data-rtclink: %s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
  g_clear_error (&error);
  gst_message_unref (message);
  return GST_BUS_DROP;
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  gchar *line;
  GstBus *bus;

  gst_init (&argc, &argv);
  if (argc != 3)
    g_error ("usage: data-rtclink offer|answer native|webrtcbin");
  program.is_offerer = g_str_equal (argv[1], "offer");
  line = g_strconcat (program.is_offerer ? SENDS : RECEIVES, PINGS, argv[2], NULL);
  program.pipeline = gst_parse_launch (line, &error);
  if (!program.pipeline)
    g_error ("data-rtclink: %s", error->message);
  bus = gst_element_get_bus (program.pipeline);
  gst_bus_set_sync_handler (bus, on_bus, NULL, NULL);
  program.rtc = gst_bin_get_by_name (GST_BIN (program.pipeline), "rtc");
  g_signal_connect (program.rtc, "on-message", G_CALLBACK (on_message), NULL);
  if (!program.is_offerer)
    make_end ("bulk", on_bulk);
  make_end ("pong", on_pong);
  gst_element_set_state (program.pipeline, GST_STATE_PLAYING);
  program.ping = make_source ("ping");
  if (program.is_offerer)
    program.bulk = make_source ("bulk");
  peer_say ("description rtclink");
  peer_run (&funcs);
  /* What it is in the midst of does not matter any more. */
  exit (0);
}
