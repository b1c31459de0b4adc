/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "data/gstrtcfilestore.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"

static gchar *directory;
static GstRtcFileStore *store;

static void
open_store (gboolean overwrite)
{
  g_autoptr (GError) error = NULL;

  store = gst_rtc_file_store_new (directory, overwrite, &error);
  fail_unless (store, "%s", error ? error->message : "no reason");
}

static void
setup (void)
{
  directory = g_dir_make_tmp ("rtcfilestore-XXXXXX", NULL);
  fail_unless (directory);
  open_store (FALSE);
}

static gchar *
path_of (const gchar *name)
{
  return g_build_filename (directory, name, NULL);
}

static guint
count_files (void)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  guint count = 0;

  while (g_dir_read_name (dir))
    count++;
  return count;
}

static void
teardown (void)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const gchar *name;

  g_clear_pointer (&store, gst_rtc_file_store_free);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = path_of (name);

    g_remove (path);
  }
  g_rmdir (directory);
  g_clear_pointer (&directory, g_free);
}

static void
reopen_store (gboolean overwrite)
{
  gst_rtc_file_store_free (store);
  open_store (overwrite);
}

static void
make_file (const gchar *name, const gchar *contents)
{
  g_autofree gchar *path = path_of (name);

  fail_unless (g_file_set_contents (path, contents, -1, NULL));
}

static void
assert_file (const gchar *name, const gchar *wanted)
{
  g_autofree gchar *path = path_of (name);
  g_autofree gchar *contents = NULL;

  if (!wanted) {
    fail_if (g_file_test (path, G_FILE_TEST_EXISTS), "%s is there", name);
    return;
  }
  fail_unless (g_file_get_contents (path, &contents, NULL, NULL), "%s is not there", name);
  fail_unless_equals_string (contents, wanted);
}

static GstRtcFilePart *
open_part (const gchar *name, gint64 wanted_length)
{
  g_autoptr (GError) error = NULL;
  GstRtcFilePart *part = gst_rtc_file_part_open (store, name, ID, 10, &error);
  GChecksum *checksum;
  gint64 length;

  fail_unless (part, "%s", error ? error->message : "no reason");
  fail_unless (gst_rtc_file_part_read (part, &length, &checksum, NULL));
  fail_unless_equals_int64 (length, wanted_length);
  g_checksum_free (checksum);
  return part;
}

static void
refuse_part (const gchar *name, gint64 size, RtcFileCode code)
{
  g_autoptr (GError) error = NULL;
  guint before = count_files ();

  fail_if (gst_rtc_file_part_open (store, name, ID, size, &error));
  fail_unless (g_error_matches (error, GST_RTC_FILE_ERROR, code), "%s", error->message);
  fail_if (strchr (error->message, '/'), "a path in \"%s\"", error->message);
  fail_unless_equals_int (count_files (), before);
}

static void
write_part (GstRtcFilePart *part, const gchar *text)
{
  fail_unless (gst_rtc_file_part_write (part, text, strlen (text), NULL));
}

static void
finish_part (GstRtcFilePart *part)
{
  g_autofree gchar *path = NULL;

  fail_unless (gst_rtc_file_part_finish (part, &path, NULL));
  fail_unless (g_path_is_absolute (path) && g_file_test (path, G_FILE_TEST_IS_REGULAR));
  gst_rtc_file_part_keep (part);
}

GST_START_TEST (test_whole_only_at_the_end)
{
  GstRtcFilePart *part = open_part ("a.txt", 0);

  write_part (part, "hello ");
  assert_file ("a.txt", NULL);
  assert_file ("a.txt." ID ".part", "hello ");
  refuse_part ("a.txt", 10, RTC_FILE_REFUSED); /* somebody else is at it */
  gst_rtc_file_part_keep (part);
  part = open_part ("a.txt", 6);
  write_part (part, "you!");
  finish_part (part);
  assert_file ("a.txt", "hello you!");
  fail_unless_equals_int (count_files (), 1);
  /* The sender did not hear of it, and asks again. */
  part = open_part ("a.txt", 10);
  finish_part (part);
  gst_rtc_file_part_remove (open_part ("a.txt", 10));
  assert_file ("a.txt", "hello you!");
}
GST_END_TEST;

GST_START_TEST (test_removed)
{
  GstRtcFilePart *part = open_part ("a.txt", 0);

  write_part (part, "hello");
  gst_rtc_file_part_remove (part);
  fail_unless_equals_int (count_files (), 0);
}
GST_END_TEST;

GST_START_TEST (test_no_overwrite)
{
  g_autoptr (GError) error = NULL;
  GstRtcFilePart *part;
  gchar *path = NULL;

  gint lowest = dup (STDERR_FILENO), again;

  /* What is refused before it is opened closes nothing of somebody else's. */
  make_file ("a", "old");
  refuse_part ("a", 10, RTC_FILE_EXISTS);
  again = dup (STDERR_FILENO);
  fail_unless (again > lowest);
  close (again);
  close (lowest);
  /* One that comes meanwhile. */
  part = open_part ("b", 0);
  write_part (part, "new");
  make_file ("b", "old");
  fail_if (gst_rtc_file_part_finish (part, &path, &error));
  fail_unless (g_error_matches (error, GST_RTC_FILE_ERROR, RTC_FILE_EXISTS));
  fail_if (path);
  gst_rtc_file_part_remove (part);
  assert_file ("b", "old");
  fail_unless_equals_int (count_files (), 2);
}
GST_END_TEST;

GST_START_TEST (test_overwrite)
{
  GstRtcFilePart *part;

  reopen_store (TRUE);
  make_file ("a", "old");
  part = open_part ("a", 0);
  write_part (part, "new");
  assert_file ("a", "old");
  finish_part (part);
  assert_file ("a", "new");
  fail_unless_equals_int (count_files (), 1);
}
GST_END_TEST;

/* What somebody has put in the place of a part, or of the file, is not followed. */
GST_START_TEST (test_links)
{
  g_autofree gchar *target = path_of ("target");
  g_autofree gchar *part = path_of ("a." ID ".part");
  g_autofree gchar *name = path_of ("b");

  make_file ("target", "precious");
  fail_unless (symlink ("target", part) == 0);
  refuse_part ("a", 10, RTC_FILE_REFUSED);
  g_remove (part);
  fail_unless (link (target, part) == 0);
  refuse_part ("a", 10, RTC_FILE_REFUSED);
  g_remove (part);
  fail_unless (mkfifo (part, 0600) == 0);
  refuse_part ("a", 10, RTC_FILE_REFUSED);
  g_remove (part);
  fail_unless (symlink ("nowhere", name) == 0);
  refuse_part ("b", 10, RTC_FILE_EXISTS);
  /* In its place, not where it leads to. */
  g_remove (name);
  fail_unless (symlink ("target", name) == 0);
  reopen_store (TRUE);
  finish_part (open_part ("b", 0));
  fail_if (g_file_test (name, G_FILE_TEST_IS_SYMLINK));
  assert_file ("target", "precious");
  /* A name that a later start would remove. */
  refuse_part ("x." ID ".part", 10, RTC_FILE_REFUSED);
}
GST_END_TEST;

/* The directory is another one under its old name: what comes goes where it was. */
GST_START_TEST (test_moved_directory)
{
  g_autofree gchar *moved = g_strconcat (directory, "-moved", NULL);
  GstRtcFilePart *part;
  gchar *path;

  fail_unless (g_rename (directory, moved) == 0);
  fail_unless (g_mkdir (directory, 0700) == 0);
  part = open_part ("a", 0);
  fail_unless (gst_rtc_file_part_finish (part, &path, NULL));
  g_free (path);
  gst_rtc_file_part_keep (part);
  fail_unless_equals_int (count_files (), 0);
  g_rmdir (directory);
  fail_unless (g_rename (moved, directory) == 0);
  assert_file ("a", "");
}
GST_END_TEST;

GST_START_TEST (test_no_room)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *zeros = g_malloc0 (100000);
  struct rlimit before, limit;
  GstRtcFilePart *part;

  refuse_part ("a", RTC_FILE_MAX_SIZE, RTC_FILE_DISK_FULL);
  part = open_part ("a", 0);
  signal (SIGXFSZ, SIG_IGN);
  fail_unless (getrlimit (RLIMIT_FSIZE, &before) == 0);
  limit = before;
  limit.rlim_cur = 65536;
  fail_unless (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  fail_if (gst_rtc_file_part_write (part, zeros, 100000, &error));
  fail_unless (setrlimit (RLIMIT_FSIZE, &before) == 0);
  fail_unless (g_error_matches (error, GST_RTC_FILE_ERROR, RTC_FILE_DISK_FULL), "%s", error->message);
  gst_rtc_file_part_remove (part);
  fail_unless_equals_int (count_files (), 0);
}
GST_END_TEST;

static void
age (const gchar *name, guint hours)
{
  g_autofree gchar *path = path_of (name);
  struct utimbuf times;

  times.actime = times.modtime = g_get_real_time () / G_USEC_PER_SEC - hours * 3600;
  fail_unless (utime (path, &times) == 0);
}

GST_START_TEST (test_old_parts)
{
  static const gchar *const names[] = {"a." ID ".part", "b." ID ".part", "c." ID ".part", "d.part", "e"};
  GstRtcFileStore *first = store;
  GstRtcFilePart *part = open_part ("c", 0);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    make_file (names[i], "");
    age (names[i], i == 1 ? 23 : 25);
  }
  gst_rtc_file_part_keep (part);
  part = open_part ("c", 0);
  age (names[2], 25);
  open_store (FALSE);
  assert_file (names[0], NULL);
  assert_file (names[1], ""); /* not old enough */
  assert_file (names[2], ""); /* somebody is at it */
  assert_file (names[3], "");
  assert_file (names[4], "");
  gst_rtc_file_part_remove (part);
  gst_rtc_file_store_free (first);
}
GST_END_TEST;

GST_START_TEST (test_no_directory)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *path = path_of ("missing");

  fail_if (gst_rtc_file_store_new (path, FALSE, &error));
  fail_unless (strstr (error->message, path));
}
GST_END_TEST;

static Suite *
rtcfilestore_suite (void)
{
  Suite *suite = suite_create ("rtcfilestore");
  TCase *tests = tcase_create ("general");

  suite_add_tcase (suite, tests);
  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_add_test (tests, test_whole_only_at_the_end);
  tcase_add_test (tests, test_removed);
  tcase_add_test (tests, test_no_overwrite);
  tcase_add_test (tests, test_overwrite);
  tcase_add_test (tests, test_links);
  tcase_add_test (tests, test_moved_directory);
  tcase_add_test (tests, test_no_room);
  tcase_add_test (tests, test_old_parts);
  tcase_add_test (tests, test_no_directory);
  return suite;
}

GST_CHECK_MAIN (rtcfilestore);
