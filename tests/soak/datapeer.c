/* rtclink: a peer with many data channels, for their soak test
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "datamessages.h"
#include "soaklines.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <string.h>

/* usage: soak-data-peer NAME TRANSPORT SIGNALING...
 *
 * One rtcbin behind the element SIGNALING. Peers are called by their display names. Besides the common lines:
 *
 *   in    open LABEL PEER OPENS OPTIONS   create-data-channel, OPTIONS as text
 *         send LABEL COUNT                so many more messages of the label's sequence, as room is made for them
 *         stall LABEL MS                  the handler of the next message takes so long
 *         close LABEL
 *         counts NAME                     asks for all counts
 *         push NAME COUNT                 messages of datachannelsink, to everybody
 *         hold NAME on|off                datachannelsrc's messages are left where they are
 *         renew PEER true|false           a new path (true) or a new connection (false), for who offers
 *   out   joined PEER, connected PEER, left PEER
 *         opened LABEL, ended LABEL, lost LABEL WHY, refused LABEL WHY
 *         closed LABEL SENT               after "close"; nothing more is told of it
 *         count LABEL WAITING SENT RECEIVED
 *         pushed NAME COUNT WAITING       what datachannelsink got in all, and bytes that wait in it
 *         heard PEER NEXT                 what datachannelsrc gave of that peer
 *         counted NAME                    that was all
 *         wrong LABEL WHY                 the one thing that must not be */

#define MOST_WAITING (1024 * 1024) /* bytes that a channel is given ahead */
#define PUMP_MS 5
#define WEBRTCBIN_MAX 65536
#define NATIVE_MAX (16 * 1024 * 1024)
#define ELEMENTS "elements" /* the label of the two elements */

typedef struct
{
  gchar *label, *peer, *peer_id;
  GObject *object;
  gboolean lasts; /* goes on over connections */

  /* main loop */
  SoakSequence out;
  guint64 sent, want;

  GMutex lock;
  /* under lock */
  SoakReceiver in;
  guint stall; /* ms */
} Channel;

typedef struct
{
  const gchar *name, *transport;
  GstElement *pipeline, *rtc;
  GHashTable *ids; /* display name: peer id */
  GHashTable *sessions; /* display name: session */
  guint64 pushed;

  GHashTable *channels; /* label: Channel; main loop, and changed there under lock */

  GMutex lock;
  GCond cond;
  /* under lock */
  gboolean is_holding, is_over;
  GHashTable *names; /* peer id: display name */
  GHashTable *heard; /* display name: SoakReceiver */
} Program;

/* Channels. */

static void
channel_free (gpointer data)
{
  Channel *self = data;

  g_object_unref (self->object);
  soak_receiver_clear (&self->in);
  g_mutex_clear (&self->lock);
  g_free (self->label);
  g_free (self->peer);
  g_free (self->peer_id);
  g_free (self);
}

static void
take (Channel *self, gboolean is_text, gconstpointer data, gsize size)
{
  g_autofree gchar *wrong = NULL;
  guint stall;

  g_mutex_lock (&self->lock);
  wrong = soak_receiver_take (&self->in, is_text, data, size);
  stall = self->stall;
  self->stall = 0;
  g_mutex_unlock (&self->lock);
  if (wrong)
    soak_lines_say ("wrong %s %s", self->label, wrong);
  if (stall)
    g_usleep (stall * 1000); /* an application that is slow */
}

static void
on_string (GObject *object, const gchar *peer, const gchar *text, Channel *self)
{
  take (self, TRUE, text, strlen (text));
}

static void
on_data (GObject *object, const gchar *peer, GBytes *bytes, Channel *self)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  take (self, FALSE, data, size);
}

static void
on_open (GObject *object, const gchar *peer, Channel *self)
{
  soak_lines_say ("opened %s", self->label);
}

static void
on_close (GObject *object, const gchar *peer, const gchar *reason, Channel *self)
{
  g_mutex_lock (&self->lock);
  if (reason)
    self->in.was_broken = TRUE;
  g_mutex_unlock (&self->lock);
  if (reason)
    soak_lines_say ("lost %s %s", self->label, reason);
  else
    soak_lines_say ("ended %s", self->label);
}

static void
on_error (GObject *object, const gchar *peer, const gchar *reason, Channel *self)
{
  soak_lines_say ("refused %s %s", self->label, reason);
}

static gboolean
is_set (const GstStructure *options, const gchar *name)
{
  gint value = -1;

  return gst_structure_get_int (options, name, &value) && value >= 0;
}

/* What both ends know of it. */
static void
describe (Channel *self, const GstStructure *options, const Program *program)
{
  gboolean ordered = TRUE, negotiated = FALSE;
  SoakSequence sequence = {0};

  gst_structure_get_boolean (options, "ordered", &ordered);
  gst_structure_get_boolean (options, "negotiated", &negotiated);
  self->in.ordered = ordered;
  self->in.reliable = !is_set (options, "max-retransmits") && !is_set (options, "max-packet-lifetime");
  sequence.max = g_str_equal (program->transport, "webrtcbin") ? WEBRTCBIN_MAX : NATIVE_MAX;
  sequence.exact = ordered && self->in.reliable;
  self->lasts = sequence.exact && !negotiated && !g_str_equal (program->transport, "webrtcbin");
  self->out = self->in.sequence = sequence;
  self->out.seed = soak_sequence_seed (self->label, program->name);
  self->in.sequence.seed = soak_sequence_seed (self->label, self->peer);
}

static void
open_channel (Program *program, const gchar *label, gchar **words)
{
  g_autoptr (GstStructure) options = gst_structure_from_string (words[2], NULL);
  const gchar *peer_id = g_hash_table_lookup (program->ids, words[0]);
  Channel *self;
  GObject *object = NULL;

  if (!options || !peer_id) {
    soak_lines_say ("error %s cannot be opened: %s is %s", label, options ? words[0] : words[2],
        options ? "not here" : "no structure");
    return;
  }
  gst_structure_set (
      options, "peer-id", G_TYPE_STRING, peer_id, "opens", G_TYPE_BOOLEAN, g_str_equal (words[1], "true"), NULL);
  g_signal_emit_by_name (program->rtc, "create-data-channel", label, options, &object);
  if (!object) {
    soak_lines_say ("error %s is not to be had: %s", label, words[2]);
    return;
  }
  self = g_new0 (Channel, 1);
  self->object = object;
  self->label = g_strdup (label);
  self->peer = g_strdup (words[0]);
  self->peer_id = g_strdup (peer_id);
  g_mutex_init (&self->lock);
  describe (self, options, program);
  g_mutex_lock (&program->lock);
  g_hash_table_replace (program->channels, self->label, self);
  g_mutex_unlock (&program->lock);
  g_object_connect (object, "signal::on-open", on_open, self, "signal::on-close", on_close, self, "signal::on-error",
      on_error, self, "signal::on-message-string", on_string, self, "signal::on-message-data", on_data, self, NULL);
  g_signal_emit_by_name (object, "open");
}

/* FALSE when it has to wait. */
static gboolean
send_one (Channel *self)
{
  gsize size = soak_sequence_get_size (&self->out, self->sent);
  g_autoptr (GBytes) message = NULL;
  guint64 waiting = 0;
  gboolean is_text;
  guint n = 0;

  g_signal_emit_by_name (self->object, "get-buffered-amount", self->peer_id, &waiting);
  if (waiting > 0 && waiting + size > MOST_WAITING)
    return FALSE;
  message = soak_sequence_make (&self->out, self->sent, &is_text);
  if (is_text) {
    g_autofree gchar *text = size ? g_strndup (g_bytes_get_data (message, NULL), size) : g_strdup ("");

    g_signal_emit_by_name (self->object, "send-string", self->peer_id, text, &n);
  } else {
    g_signal_emit_by_name (self->object, "send-data", self->peer_id, message, &n);
  }
  self->sent += n;
  return n > 0;
}

static gboolean
pump (gpointer user_data)
{
  Program *program = user_data;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, program->channels);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Channel *channel = value;

    while (channel->sent < channel->want && send_one (channel))
      ;
  }
  return G_SOURCE_CONTINUE;
}

/* Handlers may be on their way in rtcbin's thread: they are waited for by asking that thread for something. */
static void
close_channel (Program *program, Channel *self)
{
  g_autofree gchar *label = g_strdup (self->label);
  g_autoptr (GstStructure) stats = NULL;
  guint64 sent = self->sent;

  g_signal_emit_by_name (self->object, "close");
  g_signal_handlers_disconnect_by_data (self->object, self);
  g_object_get (program->rtc, "stats", &stats, NULL);
  g_mutex_lock (&program->lock);
  g_hash_table_remove (program->channels, label);
  g_mutex_unlock (&program->lock);
  soak_lines_say ("closed %s %" G_GUINT64_FORMAT, label, sent);
}

/* The two elements. */

static void
push (Program *self, guint count)
{
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (self->pipeline), "in");
  SoakSequence sequence = {soak_sequence_seed (ELEMENTS, self->name), WEBRTCBIN_MAX, FALSE, TRUE};

  for (guint i = 0; i < count; i++) {
    gboolean is_text;
    g_autoptr (GBytes) message = soak_sequence_make (&sequence, self->pushed++, &is_text);
    g_autoptr (GstCaps) caps = gst_caps_from_string (is_text ? "text/x-raw,format=utf8" : "application/octet-stream");
    g_autoptr (GstBuffer) buffer = gst_buffer_new_wrapped_bytes (message);
    g_autoptr (GstSample) sample = gst_sample_new (buffer, caps, NULL, NULL);

    gst_app_src_push_sample (GST_APP_SRC (source), sample);
  }
}

/* The first one that comes of a peer may be any: others were there before. Under the lock. */
static void
hear (Program *self, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "GstRtcPeerMeta");
  const gchar *id = meta ? gst_structure_get_string (gst_custom_meta_get_structure (meta), "peer-id") : NULL;
  const gchar *name = id ? g_hash_table_lookup (self->names, id) : NULL;
  SoakReceiver *receiver = name ? g_hash_table_lookup (self->heard, name) : NULL;
  g_autofree gchar *wrong = NULL;
  GstMapInfo map;

  if (!receiver) {
    soak_lines_say ("wrong " ELEMENTS " a buffer is of peer %s, who is not here", id ? id : "(nobody)");
    return;
  }
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return;
  wrong = soak_receiver_take (receiver,
      gst_structure_has_name (gst_caps_get_structure (gst_sample_get_caps (sample), 0), "text/x-raw"), map.data,
      map.size);
  gst_buffer_unmap (buffer, &map);
  if (wrong)
    soak_lines_say ("wrong " ELEMENTS " of %s: %s", name, wrong);
}

static gpointer
listen (gpointer user_data)
{
  Program *self = user_data;
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "out");

  g_mutex_lock (&self->lock);
  while (!self->is_over) {
    GstSample *sample;

    if (self->is_holding) {
      g_cond_wait (&self->cond, &self->lock);
      continue;
    }
    g_mutex_unlock (&self->lock);
    sample = gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 50 * GST_MSECOND);
    g_mutex_lock (&self->lock);
    if (!sample)
      continue;
    hear (self, sample);
    gst_sample_unref (sample);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
hold (Program *self, gboolean is_holding, gboolean is_over)
{
  g_mutex_lock (&self->lock);
  self->is_holding = is_holding;
  self->is_over |= is_over;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* Peers. */

static void
receiver_free (gpointer data)
{
  soak_receiver_clear (data);
  g_free (data);
}

/* In rtcbin's thread, before anything can come of the peer. */
static void
peer_joined (Program *self, const gchar *id, const gchar *name)
{
  SoakReceiver *receiver = g_new0 (SoakReceiver, 1);

  receiver->ordered = receiver->reliable = TRUE;
  receiver->was_broken = TRUE;
  receiver->sequence = (SoakSequence){soak_sequence_seed (ELEMENTS, name), WEBRTCBIN_MAX, FALSE, TRUE};
  g_mutex_lock (&self->lock);
  g_hash_table_replace (self->names, g_strdup (id), g_strdup (name));
  g_hash_table_replace (self->heard, g_strdup (name), receiver);
  g_mutex_unlock (&self->lock);
}

static void
break_channel (gpointer key, gpointer value, gpointer user_data)
{
  Channel *channel = value;

  g_mutex_lock (&channel->lock);
  channel->in.was_broken |= !channel->lasts && g_str_equal (channel->peer, user_data);
  g_mutex_unlock (&channel->lock);
}

/* What does not last may have lost something with the connection before, also when it was not told here yet. */
static void
peer_connected (Program *self, gchar *name)
{
  SoakReceiver *receiver;

  g_mutex_lock (&self->lock);
  receiver = g_hash_table_lookup (self->heard, name);
  if (receiver && g_str_equal (self->transport, "webrtcbin"))
    receiver->was_broken = TRUE;
  g_hash_table_foreach (self->channels, break_channel, name);
  g_mutex_unlock (&self->lock);
}

static GstBusSyncReply
on_sync_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  const GstStructure *s = gst_message_get_structure (message);

  if (gst_message_has_name (message, "rtc-peer-joined"))
    peer_joined (user_data, gst_structure_get_string (s, "peer-id"), gst_structure_get_string (s, "display-name"));
  else if (gst_message_has_name (message, "rtc-peer-connected"))
    peer_connected (user_data, (gchar *)gst_structure_get_string (s, "display-name"));
  return GST_BUS_PASS;
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Program *self = user_data;
  const GstStructure *s = gst_message_get_structure (message);
  const gchar *name = s ? gst_structure_get_string (s, "display-name") : NULL;
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    soak_lines_say ("wrong pipeline %s", error->message);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning (message, &error, NULL);
    soak_lines_say ("warning pipeline %s", error->message);
  } else if (gst_message_has_name (message, "rtc-peer-joined")) {
    g_hash_table_replace (self->ids, g_strdup (name), g_strdup (gst_structure_get_string (s, "peer-id")));
    soak_lines_say ("joined %s", name);
  } else if (gst_message_has_name (message, "rtc-peer-connected")) {
    g_hash_table_replace (self->sessions, g_strdup (name), g_strdup (gst_structure_get_string (s, "session")));
    soak_lines_say ("connected %s", name);
  } else if (gst_message_has_name (message, "rtc-peer-left")) {
    soak_lines_say ("left %s", name);
  }
  return G_SOURCE_CONTINUE;
}

static void
renew (Program *self, const gchar *peer, const gchar *restart)
{
  const gchar *id = g_hash_table_lookup (self->ids, peer), *session = g_hash_table_lookup (self->sessions, peer);
  g_autofree gchar *json = NULL;

  if (!id || !session)
    return; /* not connected: nothing to renew */
  json = g_strdup_printf (
      "{\"type\":\"offer-request\",\"from\":\"%s\",\"session\":\"%s\",\"restart\":%s}", id, session, restart);
  g_signal_emit_by_name (self->rtc, "handle-message", json);
}

/* The program. */

static void
tell_pushed (Program *self)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "sink");
  g_autoptr (GstStructure) stats = NULL;
  guint64 waiting = 0;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "bytes-waiting", &waiting);
  soak_lines_say ("pushed %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, self->name, self->pushed, waiting);
}

static void
tell_counts (Program *self, const gchar *name)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, self->channels);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Channel *channel = value;
    guint64 received;

    g_mutex_lock (&channel->lock);
    received = channel->in.received;
    g_mutex_unlock (&channel->lock);
    soak_lines_say ("count %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, channel->label,
        channel->want - channel->sent, channel->sent, received);
  }
  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->heard);
  while (g_hash_table_iter_next (&iter, &key, &value))
    soak_lines_say ("heard %s %" G_GUINT64_FORMAT, (const gchar *)key, ((SoakReceiver *)value)->next);
  g_mutex_unlock (&self->lock);
  tell_pushed (self);
  soak_lines_say ("counted %s", name);
}

static void
on_channel_command (Program *self, const gchar *command, Channel *channel, const gchar *argument)
{
  if (g_str_equal (command, "send")) {
    channel->want += g_ascii_strtoull (argument, NULL, 10);
  } else if (g_str_equal (command, "stall")) {
    g_mutex_lock (&channel->lock);
    channel->stall = g_ascii_strtoull (argument, NULL, 10);
    g_mutex_unlock (&channel->lock);
  } else if (g_str_equal (command, "close")) {
    close_channel (self, channel);
  } else {
    soak_lines_say ("error %s there is no command %s", channel->label, command);
  }
}

static void
on_command (const gchar *command, const gchar *name, const gchar *argument, gpointer user_data)
{
  Program *self = user_data;
  Channel *channel = g_hash_table_lookup (self->channels, name);

  if (g_str_equal (command, "open")) {
    g_auto (GStrv) words = g_strsplit (argument, " ", 3);

    open_channel (self, name, words);
  } else if (g_str_equal (command, "counts")) {
    tell_counts (self, name);
  } else if (g_str_equal (command, "push")) {
    push (self, g_ascii_strtoull (argument, NULL, 10));
  } else if (g_str_equal (command, "hold")) {
    hold (self, g_str_equal (argument, "on"), FALSE);
  } else if (g_str_equal (command, "renew")) {
    renew (self, name, argument);
  } else if (channel) {
    on_channel_command (self, command, channel, argument);
  } else {
    soak_lines_say ("error %s there is no such channel", name);
  }
}

static gboolean
start (Program *self, const gchar *signaling)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autofree gchar *line =
      g_strdup_printf ("%s display-name=%s ! rtcbin name=rtc transport=%s "
                       "appsrc name=in ! datachannelsink name=sink label=" ELEMENTS " max-time=10000 "
                       "datachannelsrc label=" ELEMENTS " ! "
                       "appsink name=out sync=false async=false max-buffers=4",
          signaling, self->name, self->transport);

  self->pipeline = gst_parse_launch (line, &error);
  if (error) {
    soak_lines_say ("error %s %s", self->name, error->message);
    return FALSE;
  }
  self->rtc = gst_bin_get_by_name (GST_BIN (self->pipeline), "rtc");
  bus = gst_element_get_bus (self->pipeline);
  gst_bus_set_sync_handler (bus, on_sync_message, self, NULL);
  gst_bus_add_watch (bus, on_message, self);
  return gst_element_set_state (self->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

int
main (int argc, char **argv)
{
  Program self = {0};
  g_autofree gchar *signaling = NULL;
  GThread *listener;
  guint pumping;

  gst_init (&argc, &argv);
  if (argc < 4) {
    g_printerr ("usage: soak-data-peer NAME TRANSPORT SIGNALING...\n");
    return 2;
  }
  self.name = argv[1];
  self.transport = argv[2];
  signaling = g_strjoinv (" ", argv + 3);
  g_mutex_init (&self.lock);
  g_cond_init (&self.cond);
  self.ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self.sessions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self.names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self.heard = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, receiver_free);
  self.channels = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, channel_free);
  if (!start (&self, signaling))
    return 1;
  listener = g_thread_new ("listener", listen, &self);
  pumping = g_timeout_add (PUMP_MS, pump, &self);
  soak_lines_run (on_command, &self);
  g_source_remove (pumping);
  hold (&self, FALSE, TRUE);
  g_thread_join (listener);
  gst_element_set_state (self.pipeline, GST_STATE_NULL);
  g_hash_table_unref (self.channels);
  gst_object_unref (self.rtc);
  gst_object_unref (self.pipeline);
  soak_lines_say ("gone %s", self.name);
  return 0;
}
