/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* datachannelsink with delivery=file: the test is the peers that receive. */

#include "core/rtcjsonfile.h"
#include "lib/fakehub.h"

#include <glib/gstdio.h>
#include <string.h>

#define DEADLINE (10 * GST_SECOND)
#define SIZE 6000000
#define AHEAD (256 * 1024) /* that a channel is given */

typedef struct
{
  gchar *path;
  guint8 *contents;
  GstElement *pipeline, *sink;
  FakeHub *hub;
  GstBus *bus;
} Fixture;

/* A file goes to a datachannelsink with the label "x"; BETWEEN is what stands between the two. */
static Fixture *
fixture_new (const gchar *between, const gchar *properties)
{
  Fixture *self = g_new0 (Fixture, 1);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *line = NULL;
  g_autoptr (GstElement) rtcbin = NULL;
  gint fd = g_file_open_tmp ("datachannelsinkfiles-XXXXXX", &self->path, NULL);

  g_close (fd, NULL);
  self->contents = g_malloc (SIZE);
  for (guint i = 0; i < SIZE; i++)
    self->contents[i] = i * 7 + i / 251;
  fail_unless (g_file_set_contents (self->path, (gchar *)self->contents, SIZE, NULL));
  line = g_strdup_printf ("rtcbin name=rtc filesrc location=%s ! %s datachannelsink name=sink label=x delivery=file %s",
      self->path, between, properties);
  self->pipeline = gst_parse_launch (line, &error);
  fail_if (error, "%s", error ? error->message : "");
  self->sink = gst_bin_get_by_name (GST_BIN (self->pipeline), "sink");
  rtcbin = gst_bin_get_by_name (GST_BIN (self->pipeline), "rtc");
  self->hub = fake_hub_of (rtcbin);
  self->bus = gst_element_get_bus (self->pipeline);
  fail_if (gst_element_set_state (self->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
  return self;
}

static void
fixture_free (Fixture *self)
{
  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  fail_unless_equals_int (fake_hub_count_users (self->hub), 0);
  gst_object_unref (self->sink);
  gst_object_unref (self->bus);
  gst_object_unref (self->pipeline);
  g_remove (self->path);
  g_free (self->path);
  g_free (self->contents);
  g_free (self);
}

static RtcFileMessage *
parse (FakeMessage *sent)
{
  gsize size;
  const gchar *text = g_bytes_get_data (sent->bytes, &size);
  RtcFileMessage *message;

  fail_unless (sent->is_text);
  message = rtc_file_message_parse (text, size, NULL);
  fail_unless (message, "%.*s", (gint)size, text);
  return message;
}

/* The next message, which must be of TYPE. (transfer full) */
static RtcFileMessage *
take (FakeChannel *channel, RtcFileType type)
{
  FakeMessage *sent = fake_channel_take (channel);
  RtcFileMessage *message = parse (sent);

  fail_unless_equals_int (message->type, type);
  fake_message_free (sent);
  return message;
}

static void
tell (FakeChannel *channel, RtcFileMessage message, const gchar *id)
{
  g_autofree gchar *text = NULL;

  g_strlcpy (message.id, id, sizeof message.id);
  text = rtc_file_message_write (&message);
  fake_channel_send_text (channel, text);
}

/* A transfer begins; the id is put into ID. */
static void
take_begin (Fixture *f, FakeChannel *channel, gint64 size, gchar *id)
{
  g_autofree gchar *name = g_path_get_basename (f->path);
  RtcFileMessage *message = take (channel, RTC_FILE_BEGIN);

  fail_unless_equals_string (message->name, name);
  fail_unless_equals_int64 (message->size, size);
  g_strlcpy (id, message->id, 33);
  rtc_file_message_free (message);
}

static void
ready (FakeChannel *channel, const gchar *id, gint64 offset)
{
  tell (channel, (RtcFileMessage){.type = RTC_FILE_READY, .offset = offset}, id);
}

/* The contents from OFFSET on come, until there are as many as UNTIL or the end, which is answered. */
static void
take_contents (Fixture *f, FakeChannel *channel, const gchar *id, gsize offset, gsize until)
{
  while (offset < until) {
    FakeMessage *sent = fake_channel_take (channel);
    gsize size;
    gconstpointer data = g_bytes_get_data (sent->bytes, &size);

    fail_if (sent->is_text);
    fail_unless (size <= 65536 && offset + size <= SIZE);
    fail_unless (memcmp (data, f->contents + offset, size) == 0, "other bytes at %zu", offset);
    offset += size;
    fake_message_free (sent);
  }
}

static void
take_end (FakeChannel *channel, const gchar *id)
{
  RtcFileMessage *message = take (channel, RTC_FILE_END);
  RtcFileMessage done = {.type = RTC_FILE_DONE};

  g_strlcpy (done.sha256, message->sha256, sizeof done.sha256);
  tell (channel, done, id);
  rtc_file_message_free (message);
}

/* The next element message but progress, which must be NAME and of PEER. */
static void
expect_message (Fixture *f, const gchar *name, const gchar *peer, const gchar *field, const gchar *wanted)
{
  while (TRUE) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_ELEMENT);
    const GstStructure *s;

    fail_unless (message, "no %s came", name);
    s = gst_message_get_structure (message);
    if (gst_structure_has_name (s, "rtc-file-progress"))
      continue;
    fail_unless_equals_string (gst_structure_get_name (s), name);
    fail_unless_equals_string (gst_structure_get_string (s, "peer-id"), peer);
    if (field)
      fail_unless_equals_string (gst_structure_get_string (s, field), wanted);
    return;
  }
}

static void
expect_eos (Fixture *f)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (f->bus, DEADLINE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);

  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
}

static FakeChannel *
add_peer (Fixture *f, const gchar *peer_id)
{
  fake_hub_add_peer (f->hub, peer_id);
  return fake_hub_get_channel (f->hub, peer_id);
}

/* Two peers: both get it from one reading, and then it ends. */
GST_START_TEST (test_together)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) a = add_peer (f, "a");
  g_autoptr (FakeChannel) b = add_peer (f, "b");
  gchar id_a[33], id_b[33];

  fail_unless_equals_string (a->parent.init.protocol, RTC_FILE_PROTOCOL);
  take_begin (f, a, SIZE, id_a);
  take_begin (f, b, SIZE, id_b);
  fail_unless (strcmp (id_a, id_b) != 0);
  fake_channel_set_stalled (a, TRUE);
  ready (a, id_a, 0);
  take_contents (f, a, id_a, 0, AHEAD);
  ready (b, id_b, 0);
  take_contents (f, b, id_b, 0, AHEAD);
  fake_channel_set_stalled (a, FALSE);
  take_contents (f, a, id_a, AHEAD, 2 * AHEAD);
  take_contents (f, b, id_b, AHEAD, SIZE);
  take_contents (f, a, id_a, 2 * AHEAD, SIZE);
  take_end (a, id_a);
  take_end (b, id_b);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

static guint64
get_stat (Fixture *f, const gchar *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (f->sink, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

/* One takes nothing for a while: the other has all of it meanwhile, and nothing is kept for the one but what its
 * channel has. One comes when the file was read already: it gets all of it, too. */
GST_START_TEST (test_slow_and_late)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) slow = add_peer (f, "slow");
  g_autoptr (FakeChannel) fast = add_peer (f, "fast");
  g_autoptr (FakeChannel) late = NULL;
  gchar id_slow[33], id_fast[33], id_late[33];

  take_begin (f, slow, SIZE, id_slow);
  take_begin (f, fast, SIZE, id_fast);
  fake_channel_set_stalled (slow, TRUE);
  ready (slow, id_slow, 0);
  ready (fast, id_fast, 0);
  take_contents (f, slow, id_slow, 0, AHEAD);
  take_contents (f, fast, id_fast, 0, SIZE);
  take_end (fast, id_fast);
  expect_message (f, "rtc-file-begin", "slow", NULL, NULL);
  expect_message (f, "rtc-file-begin", "fast", NULL, NULL);
  expect_message (f, "rtc-file-done", "fast", NULL, NULL);
  fail_unless (get_stat (f, "bytes-sent") <= SIZE + AHEAD + 65536);

  late = add_peer (f, "late");
  take_begin (f, late, SIZE, id_late);
  ready (late, id_late, 0);
  take_contents (f, late, id_late, 0, 3 * 1024 * 1024);
  fake_channel_set_stalled (slow, FALSE);
  take_contents (f, slow, id_slow, AHEAD, SIZE);
  take_contents (f, late, id_late, 3 * 1024 * 1024, SIZE);
  take_end (slow, id_slow);
  take_end (late, id_late);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

static GstPadProbeReturn
refuse_query (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return GST_QUERY_TYPE (GST_PAD_PROBE_INFO_QUERY (info)) == GST_QUERY_SEEKING ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

/* What cannot be read again goes at the pace of the slowest; who comes too late is told why there is nothing. */
GST_START_TEST (test_read_once)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (f->sink, "sink");
  g_autoptr (FakeChannel) slow = NULL;
  g_autoptr (FakeChannel) fast = NULL;
  g_autoptr (FakeChannel) late = NULL;
  RtcFileMessage *refusal;
  gchar id_slow[33], id_fast[33], id_late[33];

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM, refuse_query, NULL, NULL);
  slow = add_peer (f, "slow");
  fast = add_peer (f, "fast");
  take_begin (f, slow, SIZE, id_slow);
  take_begin (f, fast, SIZE, id_fast);
  fake_channel_set_stalled (slow, TRUE);
  ready (slow, id_slow, 0);
  ready (fast, id_fast, 0);
  take_contents (f, slow, id_slow, 0, AHEAD);
  take_contents (f, fast, id_fast, 0, 4 * 1024 * 1024);
  fail_unless (get_stat (f, "bytes") < 5 * 1024 * 1024);
  fake_channel_set_stalled (slow, FALSE);
  take_contents (f, slow, id_slow, AHEAD, SIZE);
  take_contents (f, fast, id_fast, 4 * 1024 * 1024, SIZE);
  late = add_peer (f, "late");
  take_begin (f, late, SIZE, id_late);
  ready (late, id_late, 0);
  refusal = take (late, RTC_FILE_CANCEL);
  fail_unless (strstr (refusal->reason, "cannot be read again"), "%s", refusal->reason);
  rtc_file_message_free (refusal);
  take_end (slow, id_slow);
  take_end (fast, id_fast);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* What was on its way when the link broke is sent again, from where the receiver has it. */
GST_START_TEST (test_goes_on)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) first = add_peer (f, "a");
  g_autoptr (FakeChannel) second = NULL;
  gchar id[33], again[33];

  take_begin (f, first, SIZE, id);
  ready (first, id, 0);
  take_contents (f, first, id, 0, 400000);
  fake_hub_break_peer (f->hub, "a");
  second = add_peer (f, "a");
  take_begin (f, second, SIZE, again);
  fail_unless_equals_string (again, id);
  ready (second, id, 123456);
  take_contents (f, second, id, 123456, SIZE);
  take_end (second, id);
  expect_message (f, "rtc-file-begin", "a", NULL, NULL);
  expect_message (f, "rtc-file-done", "a", NULL, NULL);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* The channel of a new connection is there before that of the old one is gone. */
GST_START_TEST (test_replaced)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) first = add_peer (f, "a");
  g_autoptr (FakeChannel) second = NULL;
  gchar id[33], again[33];

  take_begin (f, first, SIZE, id);
  ready (first, id, 0);
  take_contents (f, first, id, 0, 100000);
  second = fake_hub_open (f->hub, "a", "x", RTC_FILE_PROTOCOL);
  fake_channel_set_state (first, GST_RTC_CHANNEL_CLOSED, NULL);
  take_begin (f, second, SIZE, again);
  fail_unless_equals_string (again, id);
  ready (second, id, 65536);
  take_contents (f, second, id, 65536, SIZE);
  take_end (second, id);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* It broke between the last byte and the receiver's word. */
GST_START_TEST (test_goes_on_at_the_end)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) first = add_peer (f, "a");
  g_autoptr (FakeChannel) second = NULL;
  gchar id[33];

  take_begin (f, first, SIZE, id);
  ready (first, id, 0);
  take_contents (f, first, id, 0, SIZE);
  rtc_file_message_free (take (first, RTC_FILE_END));
  fake_hub_break_peer (f->hub, "a");
  second = add_peer (f, "a");
  take_begin (f, second, SIZE, id);
  ready (second, id, SIZE);
  take_end (second, id);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

GST_START_TEST (test_does_not_come_back)
{
  Fixture *f = fixture_new ("", "max-time=50");
  g_autoptr (FakeChannel) channel = add_peer (f, "a");
  gchar id[33];

  take_begin (f, channel, SIZE, id);
  ready (channel, id, 0);
  fake_hub_break_peer (f->hub, "a");
  expect_message (f, "rtc-file-begin", "a", NULL, NULL);
  expect_message (f, "rtc-file-failed", "a", "code", "cancelled");
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* One that takes nothing is given a little ahead, and no more. */
GST_START_TEST (test_back_pressure)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) channel = add_peer (f, "a");
  g_autoptr (GstStructure) stats = NULL;
  guint64 taken = 0;
  gchar id[33];

  take_begin (f, channel, SIZE, id);
  fake_channel_set_stalled (channel, TRUE);
  ready (channel, id, 0);
  take_contents (f, channel, id, 0, 256 * 1024);
  g_object_get (f->sink, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "bytes-sent", &taken));
  fail_unless (taken <= 256 * 1024 + 65536, "%" G_GUINT64_FORMAT, taken);
  fake_channel_set_stalled (channel, FALSE);
  take_contents (f, channel, id, 256 * 1024, SIZE);
  take_end (channel, id);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* From either side, and the others get it nonetheless. */
GST_START_TEST (test_cancelled)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) a = add_peer (f, "a");
  g_autoptr (FakeChannel) b = add_peer (f, "b");
  g_autoptr (FakeChannel) c = add_peer (f, "c");
  gboolean is_found;
  gchar id[33], id_c[33];

  take_begin (f, a, SIZE, id);
  expect_message (f, "rtc-file-begin", "a", NULL, NULL);
  expect_message (f, "rtc-file-begin", "b", NULL, NULL);
  expect_message (f, "rtc-file-begin", "c", NULL, NULL);
  fake_channel_set_stalled (a, TRUE);
  ready (a, id, 0);
  take_contents (f, a, id, 0, 100000);
  tell (a, (RtcFileMessage){.type = RTC_FILE_CANCEL, .code = RTC_FILE_DISK_FULL, .reason = (gchar *)"full"}, id);
  expect_message (f, "rtc-file-failed", "a", "code", "disk-full");
  take_begin (f, b, SIZE, id);
  g_signal_emit_by_name (f->sink, "cancel", "ffffffffffffffffffffffffffffffff", &is_found);
  fail_if (is_found);
  g_signal_emit_by_name (f->sink, "cancel", id, &is_found);
  fail_unless (is_found);
  rtc_file_message_free (take (b, RTC_FILE_CANCEL));
  expect_message (f, "rtc-file-failed", "b", "code", "cancelled");
  take_begin (f, c, SIZE, id_c);
  ready (c, id_c, 0);
  take_contents (f, c, id_c, 0, SIZE);
  take_end (c, id_c);
  expect_message (f, "rtc-file-done", "c", NULL, NULL);
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

/* The file grew while the link was down. */
GST_START_TEST (test_changed)
{
  Fixture *f = fixture_new ("", "");
  g_autoptr (FakeChannel) channel = add_peer (f, "a");
  RtcFileMessage *message;
  gchar id[33];
  FILE *file;

  take_begin (f, channel, SIZE, id);
  ready (channel, id, 0);
  take_contents (f, channel, id, 0, 400000);
  fake_channel_set_stalled (channel, TRUE);
  fake_hub_break_peer (f->hub, "a");
  fail_unless ((file = fopen (f->path, "r+")) && fseek (file, 200000, SEEK_SET) == 0);
  fail_unless (fputs ("another", file) > 0 && fclose (file) == 0);
  {
    g_autoptr (FakeChannel) second = add_peer (f, "a");
    gsize left = SIZE - 100000;

    take_begin (f, second, SIZE, id);
    ready (second, id, 100000);
    while (left > 0) {
      FakeMessage *sent = fake_channel_take (second);

      left -= g_bytes_get_size (sent->bytes);
      fake_message_free (sent);
    }
    /* Its digest is of what was read first: whoever has the other bytes finds out. */
    message = take (second, RTC_FILE_END);
    {
      g_autofree gchar *digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, f->contents, SIZE);

      fail_unless_equals_string (message->sha256, digest);
    }
    rtc_file_message_free (message);
    tell (second, (RtcFileMessage){.type = RTC_FILE_CANCEL, .code = RTC_FILE_DIGEST}, id);
  }
  expect_message (f, "rtc-file-begin", "a", NULL, NULL);
  expect_message (f, "rtc-file-failed", "a", "code", "digest");
  expect_eos (f);
  fixture_free (f);
}
GST_END_TEST;

static void
fail_to_start (const gchar *properties, const gchar *said)
{
  g_autofree gchar *line = g_strconcat ("rtcbin fakesrc ! datachannelsink label=x delivery=file ", properties, NULL);
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  fail_unless_equals_int (gst_element_set_state (pipeline, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  message = gst_bus_timed_pop_filtered (bus, DEADLINE, GST_MESSAGE_ERROR);
  fail_unless (message);
  gst_message_parse_error (message, &error, NULL);
  fail_unless (strstr (error->message, said), "\"%s\" does not say \"%s\"", error->message, said);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

GST_START_TEST (test_settings)
{
  fail_to_start ("protocol=p", "leave out protocol");
  fail_to_start ("ordered=false", "ordered");
  fail_to_start ("timestamps=true", "timestamps");
  fail_to_start ("overflow=latest", "overflow");
  fail_to_start ("delivery=message file-name=a", "delivery=file");
}
GST_END_TEST;

static Suite *
datachannelsinkfiles_suite (void)
{
  Suite *suite = suite_create ("datachannelsinkfiles");
  TCase *tests = tcase_create ("general");

  fake_rtcbin_register ();
  suite_add_tcase (suite, tests);
  tcase_add_test (tests, test_together);
  tcase_add_test (tests, test_slow_and_late);
  tcase_add_test (tests, test_read_once);
  tcase_add_test (tests, test_goes_on);
  tcase_add_test (tests, test_replaced);
  tcase_add_test (tests, test_goes_on_at_the_end);
  tcase_add_test (tests, test_does_not_come_back);
  tcase_add_test (tests, test_back_pressure);
  tcase_add_test (tests, test_cancelled);
  tcase_add_test (tests, test_changed);
  tcase_add_test (tests, test_settings);
  return suite;
}

GST_CHECK_MAIN (datachannelsinkfiles);
