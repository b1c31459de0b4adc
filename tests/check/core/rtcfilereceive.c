/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A sender and a receiver of a file, joined back to back over a wire that is cut, and a disk that is an array. */

#include "core/rtcfilereceive.h"

#include <string.h>

#include "core/rtcmessage.h"

#define ID "0123456789abcdef0123456789abcdef"
#define DIGEST ID ID
#define SEEDS 300

typedef struct
{
  gboolean is_text;
  GBytes *bytes;
} Message;

typedef struct
{
  GRand *rand;
  GByteArray *file; /* what is sent */
  GByteArray *part; /* what is on the disk; NULL: nothing is */
  gboolean has_name; /* the part has become the file */
  guint removed;
  RtcFileSend *send;
  RtcFileReceive *receive;
  GQueue there, back; /* of Message: to the receiver, and to the sender */
  gint64 now;
  gsize chunk;
} Pair;

static void
message_free (gpointer data)
{
  Message *message = data;

  g_bytes_unref (message->bytes);
  g_free (message);
}

static void
put (GQueue *queue, gboolean is_text, gconstpointer data, gsize size)
{
  Message *message = g_new (Message, 1);

  *message = (Message){is_text, g_bytes_new (data, size)};
  g_queue_push_tail (queue, message);
}

static void
put_text (GQueue *queue, gchar *text)
{
  if (text)
    put (queue, TRUE, text, strlen (text));
  g_free (text);
}

static void
fill (GByteArray *file, gsize size, GRand *rand)
{
  g_byte_array_set_size (file, size);
  for (gsize i = 0; i < size; i++)
    file->data[i] = g_rand_int (rand);
}

static void
pair_init (Pair *p, guint seed, gsize size)
{
  memset (p, 0, sizeof *p);
  p->rand = g_rand_new_with_seed (seed);
  p->file = g_byte_array_new ();
  fill (p->file, size, p->rand);
  p->send = rtc_file_send_new (ID, "map.bin", "application/octet-stream");
  p->receive = rtc_file_receive_new (G_MAXINT64);
  p->chunk = g_rand_int_range (p->rand, 1, 3000);
  g_queue_init (&p->there);
  g_queue_init (&p->back);
}

static void
pair_clear (Pair *p)
{
  rtc_file_send_free (p->send);
  rtc_file_receive_free (p->receive);
  g_queue_clear_full (&p->there, message_free);
  g_queue_clear_full (&p->back, message_free);
  g_byte_array_unref (p->file);
  if (p->part)
    g_byte_array_unref (p->part);
  g_rand_free (p->rand);
}

static void
remove_part (Pair *p)
{
  p->removed++;
  g_clear_pointer (&p->part, g_byte_array_unref);
}

static void
do_open (Pair *p)
{
  GChecksum *checksum = g_checksum_new (G_CHECKSUM_SHA256);

  if (!p->part)
    p->part = g_byte_array_new ();
  g_checksum_update (checksum, p->part->data, p->part->len);
  put_text (&p->back, rtc_file_receive_opened (p->receive, p->part->len, checksum, p->now));
  if (!rtc_file_receive_is_active (p->receive))
    remove_part (p);
}

static void
deliver_there (Pair *p)
{
  Message *message = g_queue_pop_head (&p->there);
  gsize size;
  gconstpointer data = g_bytes_get_data (message->bytes, &size);
  gchar *answer;
  RtcFileAction action = rtc_file_receive_take (p->receive, message->is_text, data, size, p->now, &answer);

  put_text (&p->back, answer);
  if (action == RTC_FILE_DO_OPEN) {
    do_open (p);
  } else if (action == RTC_FILE_DO_WRITE) {
    g_byte_array_append (p->part, data, size);
  } else if (action == RTC_FILE_DO_FINISH) {
    p->has_name = TRUE;
    put_text (&p->back, rtc_file_receive_finished (p->receive));
  } else if (action == RTC_FILE_DO_REMOVE) {
    remove_part (p);
  }
  message_free (message);
}

static void
deliver_back (Pair *p)
{
  Message *message = g_queue_pop_head (&p->back);
  gsize size;
  gconstpointer data = g_bytes_get_data (message->bytes, &size);

  put_text (&p->there, rtc_file_send_take (p->send, message->is_text, data, size, p->now));
  message_free (message);
}

static void
send_some (Pair *p)
{
  gint64 offset = rtc_file_send_get_offset (p->send);
  gsize size = MIN (p->chunk, p->file->len - (gsize)MIN (offset, (gint64)p->file->len));
  gchar *instead;

  if (size == 0) {
    put_text (&p->there, rtc_file_send_end (p->send, p->now));
    return;
  }
  instead = rtc_file_send_contents (p->send, p->file->data + offset, size, p->now);
  if (!instead)
    put (&p->there, FALSE, p->file->data + offset, size);
  put_text (&p->there, instead);
}

/* One thing happens. FALSE: nothing can. */
static gboolean
step (Pair *p)
{
  guint which = g_rand_int_range (p->rand, 0, 3);

  p->now += g_rand_int_range (p->rand, 0, 1000);
  for (guint i = 0; i < 3; i++, which = (which + 1) % 3) {
    if (which == 0 && rtc_file_send_get_state (p->send) == RTC_FILE_SEND_CONTENTS) {
      send_some (p);
      return TRUE;
    }
    if (which == 1 && !g_queue_is_empty (&p->there)) {
      deliver_there (p);
      return TRUE;
    }
    if (which == 2 && !g_queue_is_empty (&p->back)) {
      deliver_back (p);
      return TRUE;
    }
  }
  return FALSE;
}

/* What is on the wire is lost, and both ends have a new channel. */
static void
cut (Pair *p)
{
  g_queue_clear_full (&p->there, message_free);
  g_queue_clear_full (&p->back, message_free);
  rtc_file_send_lose (p->send);
  rtc_file_receive_free (p->receive);
  p->receive = rtc_file_receive_new (G_MAXINT64);
}

static void
begin (Pair *p, gint64 size)
{
  put_text (&p->there, rtc_file_send_open (p->send, size, p->now));
}

static void
assert_failed (Pair *p, RtcFileCode wanted)
{
  const gchar *reason;

  g_assert_cmpint (rtc_file_send_get_state (p->send), ==, RTC_FILE_SEND_FAILED);
  g_assert_cmpint (rtc_file_send_get_code (p->send, &reason), ==, wanted);
  g_assert_nonnull (reason);
  g_assert_false (p->has_name);
  g_assert_null (p->part);
  g_assert_false (rtc_file_receive_is_active (p->receive));
}

static void
assert_whole (Pair *p)
{
  g_assert_cmpint (rtc_file_send_get_state (p->send), ==, RTC_FILE_SEND_DONE);
  g_assert_true (p->has_name);
  g_assert_cmpmem (p->part->data, p->part->len, p->file->data, p->file->len);
}

/* However often it is cut, and wherever: it arrives whole. After it has got its name, too: the disk knows that it has
 * it. */
static void
test_cuts (void)
{
  for (guint seed = 0; seed < SEEDS; seed++) {
    GRand *rand = g_rand_new_with_seed (seed ^ 0x5eed);
    gboolean size_is_known = g_rand_boolean (rand);
    guint cuts = g_rand_int_range (rand, 0, 6);
    Pair p;

    pair_init (&p, seed, seed % 7 == 0 ? 0 : g_rand_int_range (rand, 1, 60000));
    begin (&p, size_is_known ? (gint64)p.file->len : -1);
    while (rtc_file_send_get_state (p.send) != RTC_FILE_SEND_DONE) {
      if (cuts > 0 && g_rand_int_range (rand, 0, 20) == 0) {
        cuts--;
        cut (&p);
        begin (&p, size_is_known ? (gint64)p.file->len : -1);
      }
      g_assert_true (step (&p));
    }
    assert_whole (&p);
    g_assert_cmpuint (p.removed, ==, 0);
    pair_clear (&p);
    g_rand_free (rand);
  }
}

/* Either side gives up at any time: both know, and nothing is left. */
static void
test_cancel (void)
{
  for (guint seed = 0; seed < SEEDS; seed++) {
    Pair p;

    pair_init (&p, seed, 20000);
    begin (&p, p.file->len);
    for (gint steps = g_rand_int_range (p.rand, 1, 8); steps > 0; steps--)
      g_assert_true (step (&p));
    if (p.has_name) {
      pair_clear (&p);
      continue;
    }
    if (seed % 2 == 0) {
      put_text (&p.there, rtc_file_send_cancel (p.send, RTC_FILE_CANCELLED, "enough"));
    } else {
      gchar *text = rtc_file_receive_cancel (p.receive, RTC_FILE_DISK_FULL, "no room");

      if (!text)
        text = g_strdup ("{\"type\":\"cancel\",\"id\":\"" ID "\",\"code\":\"disk-full\"}");
      put_text (&p.back, text);
      remove_part (&p);
      g_queue_clear_full (&p.there, message_free);
    }
    while (step (&p))
      ;
    assert_failed (&p, seed % 2 == 0 ? RTC_FILE_CANCELLED : RTC_FILE_DISK_FULL);
    pair_clear (&p);
  }
}

static void
run (Pair *p)
{
  while (step (p))
    ;
}

/* A byte on the disk, of what came before the cut, is another one. */
static void
test_wrong_digest (void)
{
  Pair p;

  pair_init (&p, 1, 20000);
  begin (&p, p.file->len);
  while (!p.part || p.part->len < 10000)
    g_assert_true (step (&p));
  cut (&p);
  p.part->data[5000] ^= 1;
  begin (&p, p.file->len);
  run (&p);
  assert_failed (&p, RTC_FILE_DIGEST);
  pair_clear (&p);
}

static void
change_file (gint by, gint64 said, RtcFileCode wanted)
{
  Pair p;

  pair_init (&p, 2, 20000);
  begin (&p, 20000);
  while (!p.part || p.part->len < 10000)
    g_assert_true (step (&p));
  cut (&p);
  if (by == 0)
    fill (p.file, 20000, p.rand);
  else
    g_byte_array_set_size (p.file, 20000 + by);
  begin (&p, said);
  run (&p);
  if (said != 20000) /* it did not even begin: the part is removed when its time is up */
    g_clear_pointer (&p.part, g_byte_array_unref);
  assert_failed (&p, wanted);
  pair_clear (&p);
}

static void
test_changed_file (void)
{
  change_file (7, 20007, RTC_FILE_CHANGED);
  change_file (7, 20000, RTC_FILE_CHANGED);
  change_file (-7, 20000, RTC_FILE_CHANGED);
}

/* The bytes behind the cut are others, and so is what the sender had read before it. */
static void
test_changed_before_the_cut (void)
{
  Pair p;

  pair_init (&p, 3, 20000);
  begin (&p, 20000);
  while (rtc_file_send_get_offset (p.send) < 15000 || !p.part || p.part->len < 3000) {
    if (rtc_file_send_get_state (p.send) == RTC_FILE_SEND_CONTENTS && rtc_file_send_get_offset (p.send) < 15000)
      send_some (&p);
    else
      g_assert_true (step (&p));
  }
  cut (&p);
  g_assert_cmpuint (p.part->len, <, 15000);
  p.file->data[14000] ^= 1;
  begin (&p, 20000);
  run (&p);
  assert_failed (&p, RTC_FILE_DIGEST);
  pair_clear (&p);
}

/* What RECEIVE answers to TEXT. */
static RtcFileAction
tell (RtcFileReceive *receive, const gchar *text, const gchar *wanted)
{
  gchar *answer;
  RtcFileAction action = rtc_file_receive_take (receive, TRUE, text, strlen (text), 0, &answer);

  if (wanted && !(answer && strstr (answer, wanted)))
    g_error ("\"%s\" was answered with \"%s\", not \"%s\"", text, answer ? answer : "", wanted);
  if (!wanted)
    g_assert_null (answer);
  g_free (answer);
  return action;
}

#define BEGIN(name, more) "{\"type\":\"file\",\"id\":\"" ID "\",\"name\":\"" name "\"" more "}"

static void
test_refused (void)
{
  RtcFileReceive *receive = rtc_file_receive_new (1000);
  gchar *answer;

  g_assert_cmpint (tell (receive, BEGIN ("..", ""), "\"refused\""), ==, RTC_FILE_DO_REMOVE);
  g_assert_cmpint (tell (receive, BEGIN ("a/", ""), "\"refused\""), ==, RTC_FILE_DO_REMOVE);
  g_assert_cmpint (tell (receive, BEGIN ("a", ",\"size\":1001"), "\"too-large\""), ==, RTC_FILE_DO_REMOVE);
  g_assert_cmpint (tell (receive, BEGIN ("/etc/passwd", ",\"size\":1000"), NULL), ==, RTC_FILE_DO_OPEN);
  g_assert_cmpstr (rtc_file_receive_get_info (receive)->name, ==, "passwd");
  /* Before it is ready. */
  g_assert_cmpint (rtc_file_receive_take (receive, FALSE, "x", 1, 0, &answer), ==, RTC_FILE_DO_REMOVE);
  g_assert_nonnull (strstr (answer, "\"protocol\""));
  g_free (answer);
  /* What is late is not answered. */
  g_assert_cmpint (rtc_file_receive_take (receive, FALSE, "x", 1, 0, &answer), ==, RTC_FILE_DO_NOTHING);
  g_assert_null (answer);
  g_assert_cmpint (tell (receive, "{\"type\":\"end\",\"id\":\"" ID "\",\"size\":1,\"sha256\":\"" DIGEST "\"}", NULL),
      ==, RTC_FILE_DO_NOTHING);
  g_assert_cmpint (tell (receive, "nonsense", NULL), ==, RTC_FILE_DO_NOTHING);

  g_assert_cmpint (tell (receive, BEGIN ("a", ""), NULL), ==, RTC_FILE_DO_OPEN);
  g_assert_cmpint (tell (receive, BEGIN ("a", ""), "\"protocol\""), ==, RTC_FILE_DO_REMOVE);
  g_assert_cmpint (tell (receive, BEGIN ("a", ""), NULL), ==, RTC_FILE_DO_OPEN);
  g_assert_cmpint (tell (receive, "nonsense", "\"protocol\""), ==, RTC_FILE_DO_REMOVE);
  rtc_file_receive_free (receive);
}

/* One whose size was not known is cut at the limit, and one with more than 64 KiB in a message as well. */
static void
test_limits (void)
{
  RtcFileReceive *receive = rtc_file_receive_new (100000);
  guint8 *zeros = g_malloc0 (70000);
  gchar *answer;

  for (guint i = 0; i < 2; i++) {
    g_assert_cmpint (tell (receive, BEGIN ("a", ""), NULL), ==, RTC_FILE_DO_OPEN);
    g_free (rtc_file_receive_opened (receive, i == 0 ? 40000 : 0, g_checksum_new (G_CHECKSUM_SHA256), 0));
    g_assert_cmpint (
        rtc_file_receive_take (receive, FALSE, zeros, i == 0 ? 60000 : 65536, 0, &answer), ==, RTC_FILE_DO_WRITE);
    g_assert_cmpint (
        rtc_file_receive_take (receive, FALSE, zeros, i == 0 ? 1 : 65537, 0, &answer), ==, RTC_FILE_DO_REMOVE);
    g_assert_nonnull (strstr (answer, i == 0 ? "\"too-large\"" : "\"protocol\""));
    g_free (answer);
  }
  g_free (zeros);
  rtc_file_receive_free (receive);
}

static void
test_standing_still (void)
{
  Pair p;

  pair_init (&p, 4, 20000);
  begin (&p, 20000);
  g_assert_cmpint (rtc_file_send_get_deadline (p.send), ==, p.now + RTC_FILE_STILL_TIME);
  deliver_there (&p);
  g_queue_clear_full (&p.back, message_free);
  p.now += RTC_FILE_STILL_TIME - 1;
  g_assert_null (rtc_file_send_check (p.send, p.now));
  g_assert_null (rtc_file_receive_check (p.receive, p.now));
  p.now++;
  put_text (&p.there, rtc_file_send_check (p.send, p.now));
  put_text (&p.back, rtc_file_receive_check (p.receive, p.now));
  remove_part (&p);
  assert_failed (&p, RTC_FILE_CANCELLED);
  g_assert_cmpint (rtc_file_receive_get_deadline (p.receive), ==, -1);
  run (&p);
  pair_clear (&p);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcfilereceive/cuts", test_cuts);
  g_test_add_func ("/rtcfilereceive/cancel", test_cancel);
  g_test_add_func ("/rtcfilereceive/wrong-digest", test_wrong_digest);
  g_test_add_func ("/rtcfilereceive/changed-file", test_changed_file);
  g_test_add_func ("/rtcfilereceive/changed-before-the-cut", test_changed_before_the_cut);
  g_test_add_func ("/rtcfilereceive/refused", test_refused);
  g_test_add_func ("/rtcfilereceive/limits", test_limits);
  g_test_add_func ("/rtcfilereceive/standing-still", test_standing_still);
  return g_test_run ();
}
