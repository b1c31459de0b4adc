/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "testroom.h"

#include <dlfcn.h>
#include <gst/check/gstcheck.h>

#define DEADLINE (20 * G_TIME_SPAN_SECOND)

struct _TestPeer
{
  TestRoom *room;
  gchar *id, *transport;
  GstElement *pipeline, *rtcbin;
  gboolean error_expected; /* one came; sources report a second one of their own for it */
  GHashTable *counts; /* under room->lock: name to count */
};

struct _TestRoom
{
  GMutex lock;
  GCond cond;
  /* under lock */
  GPtrArray *peers; /* of TestPeer */
  GPtrArray *sent; /* of RtcMessage, from filled in */
  TestRoomFilter filter;
  gpointer filter_data;
  gboolean is_closed; /* nobody is told anything any more */
  guint n_telling; /* messages on their way into an rtcbin */
};

typedef struct
{
  TestPeer *peer;
  gchar *name;
} Counter;

gchar **test_transports;

/* OpenSSL cleans up when the process ends, at the same time as a streaming thread that is just ending, and frees what
 * that one frees: OPENSSL_INIT_NO_ATEXIT, before anybody else initialises it. */
static void
keep_openssl (void)
{
  void *crypto = dlopen ("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL);
  int (*init) (guint64, const void *) = crypto ? dlsym (crypto, "OPENSSL_init_crypto") : NULL;

  if (init)
    init (0x00080000, NULL);
}

guint
test_transports_load (void)
{
  gchar *text = NULL;

  if (!test_transports) {
    keep_openssl ();
    /* Called while the suite is made: check's own assertions work in a test only. */
    if (!g_file_get_contents (g_getenv ("RTC_TEST_TRANSPORTS"), &text, NULL, NULL))
      g_error ("RTC_TEST_TRANSPORTS does not name the table of transports");
    test_transports = g_strsplit (g_strstrip (text), "\n", 0);
    g_free (text);
  }
  return g_strv_length (test_transports);
}

TestRoom *
test_room_new (void)
{
  TestRoom *room = g_new0 (TestRoom, 1);

  g_mutex_init (&room->lock);
  g_cond_init (&room->cond);
  room->peers = g_ptr_array_new ();
  room->sent = g_ptr_array_new_with_free_func ((GDestroyNotify)rtc_message_free);
  return room;
}

void
test_room_set_filter (TestRoom *room, TestRoomFilter filter, gpointer user_data)
{
  g_mutex_lock (&room->lock);
  room->filter = filter;
  room->filter_data = user_data;
  g_mutex_unlock (&room->lock);
}

static TestPeer *
find_peer (TestRoom *room, const gchar *id)
{
  for (guint i = 0; i < room->peers->len; i++) {
    TestPeer *peer = g_ptr_array_index (room->peers, i);

    if (g_strcmp0 (peer->id, id) == 0)
      return peer;
  }
  return NULL;
}

void
test_peer_tell (TestPeer *peer, const gchar *json)
{
  g_signal_emit_by_name (peer->rtcbin, "handle-message", json);
}

static void
on_message (GstElement *rtcbin, const gchar *text, gpointer user_data)
{
  TestPeer *from = user_data;
  TestRoom *room = from->room;
  GError *error = NULL;
  RtcMessage *message = rtc_message_from_json (text, -1, &error);
  GstElement *target = NULL;
  gboolean pass = TRUE;

  fail_unless (message != NULL, "rtcbin sent %s: %s", text, error ? error->message : "");
  message->from = g_strdup (from->id);
  g_mutex_lock (&room->lock);
  if (room->filter)
    pass = room->filter (room, message, room->filter_data);
  if (message->to && pass && !room->is_closed && find_peer (room, message->to)) {
    target = gst_object_ref (find_peer (room, message->to)->rtcbin);
    room->n_telling++;
  }
  g_mutex_unlock (&room->lock);
  if (target) {
    gchar *to = g_steal_pointer (&message->to), *json = rtc_message_to_json (message);

    g_signal_emit_by_name (target, "handle-message", json);
    g_mutex_lock (&room->lock);
    room->n_telling--;
    g_cond_broadcast (&room->cond);
    g_mutex_unlock (&room->lock);
    message->to = to;
    g_free (json);
    gst_object_unref (target);
  }
  g_mutex_lock (&room->lock);
  g_ptr_array_add (room->sent, message);
  g_cond_broadcast (&room->cond);
  g_mutex_unlock (&room->lock);
}

static GstPadProbeReturn
count_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Counter *counter = user_data;
  TestRoom *room = counter->peer->room;
  guint n = 1;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST)
    n = gst_buffer_list_length (GST_PAD_PROBE_INFO_BUFFER_LIST (info));
  g_mutex_lock (&room->lock);
  n += GPOINTER_TO_UINT (g_hash_table_lookup (counter->peer->counts, counter->name));
  g_hash_table_insert (counter->peer->counts, g_strdup (counter->name), GUINT_TO_POINTER (n));
  g_cond_broadcast (&room->cond);
  g_mutex_unlock (&room->lock);
  return GST_PAD_PROBE_OK;
}

static void
counter_free (gpointer data)
{
  g_free (((Counter *)data)->name);
  g_free (data);
}

static void
count_sinks (TestPeer *peer)
{
  GstIterator *it = gst_bin_iterate_sinks (GST_BIN (peer->pipeline));
  GValue item = G_VALUE_INIT;

  while (gst_iterator_next (it, &item) == GST_ITERATOR_OK) {
    GstElement *sink = g_value_get_object (&item);
    GstPad *pad = gst_element_get_static_pad (sink, "sink");

    if (pad) {
      Counter *counter = g_new (Counter, 1);

      *counter = (Counter){peer, g_strdup (GST_OBJECT_NAME (sink))};
      gst_pad_add_probe (
          pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, count_buffer, counter, counter_free);
      gst_object_unref (pad);
    }
    g_value_reset (&item);
  }
  gst_iterator_free (it);
}

TestPeer *
test_room_add (TestRoom *room, const gchar *id, const gchar *transport, const gchar *launch)
{
  TestPeer *peer = g_new0 (TestPeer, 1);
  GError *error = NULL;
  gchar *welcome = g_strdup_printf ("{\"type\":\"welcome\",\"version\":1,\"peerId\":\"%s\",\"room\":\"\"}", id);

  peer->room = room;
  peer->id = g_strdup (id);
  peer->transport = g_strdup (transport);
  peer->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  peer->pipeline = gst_parse_launch (launch, &error);
  fail_unless (error == NULL, "%s: %s", launch, error ? error->message : "");
  peer->rtcbin = gst_bin_get_by_name (GST_BIN (peer->pipeline), "rtc");
  g_object_set (peer->rtcbin, "transport", transport, NULL);
  g_signal_connect (peer->rtcbin, "on-message", G_CALLBACK (on_message), peer);
  count_sinks (peer);
  g_mutex_lock (&room->lock);
  g_ptr_array_add (room->peers, peer);
  g_mutex_unlock (&room->lock);
  fail_unless (gst_element_set_state (peer->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
  test_peer_tell (peer, welcome);
  g_free (welcome);
  return peer;
}

static void
peer_free (TestPeer *peer)
{
  GstBus *bus = gst_element_get_bus (peer->pipeline);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

  if (message && !peer->error_expected) {
    GError *error = NULL;
    gchar *debug = NULL;

    gst_message_parse_error (message, &error, &debug);
    fail ("pipeline of %s: %s (%s)", peer->id, error->message, debug);
  }
  g_clear_pointer (&message, gst_message_unref);
  fail_unless_equals_int (gst_element_set_state (peer->pipeline, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (bus);
  gst_object_unref (peer->rtcbin);
  ASSERT_OBJECT_REFCOUNT (peer->pipeline, "pipeline", 1);
  gst_object_unref (peer->pipeline);
  g_hash_table_unref (peer->counts);
  g_free (peer->id);
  g_free (peer->transport);
  g_free (peer);
}

void
test_room_free (TestRoom *room)
{
  /* A pipeline in NULL is told nothing. */
  g_mutex_lock (&room->lock);
  room->is_closed = TRUE;
  while (room->n_telling > 0)
    g_cond_wait (&room->cond, &room->lock);
  g_mutex_unlock (&room->lock);
  for (guint i = 0; i < room->peers->len; i++)
    peer_free (g_ptr_array_index (room->peers, i));
  g_ptr_array_unref (room->peers);
  g_ptr_array_unref (room->sent);
  g_mutex_clear (&room->lock);
  g_cond_clear (&room->cond);
  g_free (room);
}

GstElement *
test_peer_get_pipeline (TestPeer *peer)
{
  return peer->pipeline;
}

GstElement *
test_peer_get_rtcbin (TestPeer *peer)
{
  return peer->rtcbin;
}

static guint
count_pads (TestPeer *peer, const gchar *prefix)
{
  guint n = 0;

  GST_OBJECT_LOCK (peer->rtcbin);
  for (GList *at = peer->rtcbin->sinkpads; at; at = at->next)
    n += g_str_has_prefix (GST_OBJECT_NAME (at->data), prefix);
  GST_OBJECT_UNLOCK (peer->rtcbin);
  return n;
}

/* As its signaling source would ask. FEATURES: (transfer full): as JSON */
static gboolean
restarts (TestPeer *peer, gchar **features)
{
  gchar **list = NULL;
  GstPad *pad = gst_element_get_static_pad (peer->rtcbin, "signal");
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty ("rtc-signal-info"));
  gboolean answer = FALSE;

  fail_unless (gst_pad_query (pad, query));
  fail_unless (gst_structure_get_boolean (gst_query_get_structure (query), "restart", &answer));
  fail_unless (gst_structure_get (gst_query_get_structure (query), "features", G_TYPE_STRV, &list, NULL));
  *features = list && list[0] ? g_strdup_printf ("[\"%s\"]", list[0]) : g_strdup ("[]");
  g_strfreev (list);
  gst_query_unref (query);
  gst_object_unref (pad);
  return answer;
}

static void
tell_of (TestPeer *peer, TestPeer *other, TestPeer *offerer)
{
  gchar *features;
  gboolean restart = restarts (other, &features);
  gchar *json =
      g_strdup_printf ("{\"type\":\"joined\",\"peer\":{\"peerId\":\"%s\",\"displayName\":\"%s\","
                       "\"role\":\"both\",\"tracks\":{\"video\":%u,\"audio\":%u},\"restart\":%s,\"features\":%s,"
                       "\"offerer\":\"%s\"}}",
          other->id, other->id, count_pads (other, "video_"), count_pads (other, "audio_"), restart ? "true" : "false",
          features, offerer->id);

  test_peer_tell (peer, json);
  g_free (features);
  g_free (json);
}

void
test_room_join (TestRoom *room, TestPeer *offerer, TestPeer *other)
{
  tell_of (other, offerer, offerer);
  tell_of (offerer, other, offerer);
}

void
test_room_leave (TestRoom *room, TestPeer *peer)
{
  gchar *json = g_strdup_printf ("{\"type\":\"left\",\"peerId\":\"%s\",\"reason\":\"closed\"}", peer->id);

  g_mutex_lock (&room->lock);
  g_ptr_array_remove (room->peers, peer);
  g_mutex_unlock (&room->lock);
  for (guint i = 0; i < room->peers->len; i++)
    test_peer_tell (g_ptr_array_index (room->peers, i), json);
  g_free (json);
  peer_free (peer);
}

TestPeer *
test_room_add_viewer (TestRoom *room, TestPeer *camera, const gchar *id, const gchar *launch)
{
  TestPeer *viewer = test_room_add (room, id, camera->transport, launch);

  test_room_join (room, camera, viewer);
  return viewer;
}

static void
fail_with (TestPeer *peer, GstMessage *message, const gchar *instead)
{
  GError *error = NULL;
  gchar *debug = NULL;

  gst_message_parse_error (message, &error, &debug);
  fail ("%s got the error \"%s\" (%s) instead of %s", peer->id, error->message, debug, instead);
}

GstMessage *
test_peer_wait_message (TestPeer *peer, const gchar *name)
{
  GstBus *bus = gst_element_get_bus (peer->pipeline);
  gint64 end = g_get_monotonic_time () + DEADLINE;
  GstMessage *found = NULL;

  while (!found) {
    gint64 left = end - g_get_monotonic_time ();
    GstMessage *message = left > 0 ? gst_bus_timed_pop_filtered (bus, left * GST_USECOND, GST_MESSAGE_ANY) : NULL;

    fail_unless (message != NULL, "%s did not get %s within 20 s", peer->id, name);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      fail_with (peer, message, name);
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_LATENCY)
      gst_bin_recalculate_latency (GST_BIN (peer->pipeline));
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT && gst_message_has_name (message, name))
      found = message;
    else
      gst_message_unref (message);
  }
  gst_object_unref (bus);
  return found;
}

void
test_peer_wait_error (TestPeer *peer, const gchar *text)
{
  GstBus *bus = gst_element_get_bus (peer->pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, DEADLINE * GST_USECOND, GST_MESSAGE_ERROR);
  GError *error = NULL;

  peer->error_expected = TRUE;
  fail_unless (message != NULL, "%s got no error with \"%s\" within 20 s", peer->id, text);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (strstr (error->message, text) != NULL, "the error is \"%s\" and not about \"%s\"", error->message, text);
  g_error_free (error);
  gst_message_unref (message);
  gst_object_unref (bus);
}

guint
test_peer_count_buffers (TestPeer *peer, const gchar *name)
{
  guint n;

  g_mutex_lock (&peer->room->lock);
  n = GPOINTER_TO_UINT (g_hash_table_lookup (peer->counts, name));
  g_mutex_unlock (&peer->room->lock);
  return n;
}

void
test_peer_wait_buffers (TestPeer *peer, const gchar *name, guint n)
{
  TestRoom *room = peer->room;
  gint64 end = g_get_monotonic_time () + DEADLINE;
  guint wanted = test_peer_count_buffers (peer, name) + n;
  gboolean in_time = TRUE;

  g_mutex_lock (&room->lock);
  while (in_time && GPOINTER_TO_UINT (g_hash_table_lookup (peer->counts, name)) < wanted)
    in_time = g_cond_wait_until (&room->cond, &room->lock, end);
  g_mutex_unlock (&room->lock);
  fail_unless (in_time, "%s got %u buffers on %s, not %u, within 20 s", peer->id, test_peer_count_buffers (peer, name),
      name, wanted);
}

RtcMessage *
test_room_wait_sent (TestRoom *room, TestPeer *peer, RtcMessageType type)
{
  gint64 end = g_get_monotonic_time () + DEADLINE;
  RtcMessage *found = NULL;
  gboolean in_time = TRUE;

  g_mutex_lock (&room->lock);
  while (!found && in_time) {
    for (guint i = room->sent->len; i-- > 0 && !found;) {
      RtcMessage *message = g_ptr_array_index (room->sent, i);

      if (message->type == type && g_strcmp0 (message->from, peer->id) == 0)
        found = message;
    }
    if (!found)
      in_time = g_cond_wait_until (&room->cond, &room->lock, end);
  }
  g_mutex_unlock (&room->lock);
  fail_unless (found != NULL, "%s sent no %s within 20 s", peer->id, rtc_message_type_to_string (type));
  return found;
}
