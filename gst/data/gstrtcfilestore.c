/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2(), where there is one */
#endif

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcfilestore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SUFFIX ".part"
#define ID_DIGITS 32
#define OLD_SECONDS (24 * 60 * 60)
#define READ_BYTES (64 * 1024)

/* So many that were finished are remembered, for senders that did not hear of it. */
#define MAX_FINISHED 64

typedef struct
{
  gchar id[ID_DIGITS + 1];
  gchar *name;
} Finished;

struct _GstRtcFileStore
{
  gchar *path;
  gint fd;
  gboolean overwrites;
  GQueue finished; /* of Finished; the newest is first */
};

struct _GstRtcFilePart
{
  GstRtcFileStore *store;
  gchar id[ID_DIGITS + 1];
  gchar *name, *part_name;
  gint fd;
  gboolean is_finished;
};

GQuark
gst_rtc_file_error_quark (void)
{
  return g_quark_from_static_string ("gst-rtc-file-error-quark");
}

static gboolean
set_error (GError **error, RtcFileCode code, const gchar *text)
{
  g_set_error_literal (error, GST_RTC_FILE_ERROR, code, text);
  return FALSE;
}

/* What WAS_DONE did not work, because of FAULT (errno). */
static gboolean
set_disk_error (GError **error, gint fault, const gchar *was_done)
{
  gboolean is_full = fault == ENOSPC || fault == EDQUOT || fault == EFBIG;

  if (is_full)
    return set_error (error, RTC_FILE_DISK_FULL, "there is no room left on the disk");
  g_set_error (
      error, GST_RTC_FILE_ERROR, RTC_FILE_REFUSED, "the file could not be %s: %s", was_done, g_strerror (fault));
  return FALSE;
}

/* Whether NAME is one that a part has. */
static gboolean
is_part_name (const gchar *name)
{
  gsize length = strlen (name);
  const gchar *id;
  gchar digits[ID_DIGITS + 1];

  if (!g_str_has_suffix (name, SUFFIX) || length < strlen (SUFFIX) + ID_DIGITS + 2)
    return FALSE;
  id = name + length - strlen (SUFFIX) - ID_DIGITS;
  g_strlcpy (digits, id, sizeof digits);
  return id[-1] == '.' && rtc_file_is_hex (digits, ID_DIGITS);
}

static void
remove_if_old (GstRtcFileStore *store, const gchar *name, gint64 now)
{
  struct stat info;
  gint fd;

  if (!is_part_name (name) || fstatat (store->fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG (info.st_mode)
      || now - (gint64)info.st_mtime < OLD_SECONDS)
    return;
  fd = openat (store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    unlinkat (store->fd, name, 0);
  close (fd);
}

static void
remove_old_parts (GstRtcFileStore *store)
{
  gint fd = openat (store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir (fd) : NULL;
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  struct dirent *entry;

  if (!directory) {
    if (fd >= 0)
      close (fd);
    return;
  }
  while ((entry = readdir (directory)))
    remove_if_old (store, entry->d_name, now);
  closedir (directory);
}

GstRtcFileStore *
gst_rtc_file_store_new (const gchar *directory, gboolean overwrite, GError **error)
{
  gint fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  GstRtcFileStore *store;

  if (fd < 0 || faccessat (fd, ".", W_OK | X_OK, 0) != 0) {
    g_set_error (error, GST_RTC_FILE_ERROR, RTC_FILE_REFUSED,
        "Files cannot be received into the directory \"%s\": %s. It must be there, and writable.", directory,
        g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return NULL;
  }
  store = g_new0 (GstRtcFileStore, 1);
  store->path = g_canonicalize_filename (directory, NULL);
  store->fd = fd;
  store->overwrites = overwrite;
  g_queue_init (&store->finished);
  remove_old_parts (store);
  return store;
}

static void
finished_free (gpointer data)
{
  Finished *finished = data;

  g_free (finished->name);
  g_free (finished);
}

void
gst_rtc_file_store_free (GstRtcFileStore *store)
{
  if (!store)
    return;
  g_queue_clear_full (&store->finished, finished_free);
  close (store->fd);
  g_free (store->path);
  g_free (store);
}

static void
remember (GstRtcFilePart *part)
{
  Finished *finished = g_new (Finished, 1);

  g_strlcpy (finished->id, part->id, sizeof finished->id);
  finished->name = g_strdup (part->name);
  g_queue_push_head (&part->store->finished, finished);
  if (part->store->finished.length > MAX_FINISHED)
    finished_free (g_queue_pop_tail (&part->store->finished));
}

static gboolean
was_finished (GstRtcFileStore *store, const gchar *name, const gchar *id)
{
  for (GList *l = store->finished.head; l; l = l->next) {
    Finished *finished = l->data;

    if (strcmp (finished->id, id) == 0)
      return strcmp (finished->name, name) == 0;
  }
  return FALSE;
}

/* Checks what part->fd is, and locks it: nobody else may write to it, here or elsewhere. */
static gboolean
check_file (GstRtcFilePart *part, gint64 size, GError **error)
{
  struct statvfs room;
  struct stat info;

  if (fstat (part->fd, &info) != 0)
    return set_disk_error (error, errno, "opened");
  if (!S_ISREG (info.st_mode) || (!part->is_finished && info.st_nlink != 1))
    return set_error (error, RTC_FILE_REFUSED, "something else stands in its place");
  if (!part->is_finished && flock (part->fd, LOCK_EX | LOCK_NB) != 0)
    return set_error (error, RTC_FILE_REFUSED, "it is being received already");
  if (size > info.st_size && fstatvfs (part->store->fd, &room) == 0
      && (guint64)(size - info.st_size) / room.f_frsize >= room.f_bavail)
    return set_error (error, RTC_FILE_DISK_FULL, "there is too little room on the disk");
  return TRUE;
}

static gboolean
open_file (GstRtcFilePart *part, gint64 size, gboolean *is_new, GError **error)
{
  const gint flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  gint fd = part->store->fd;
  struct stat info;

  if (part->is_finished) {
    part->fd = openat (fd, part->name, O_RDONLY | flags);
    return part->fd >= 0 ? check_file (part, -1, error) : set_disk_error (error, errno, "opened");
  }
  if (!part->store->overwrites && fstatat (fd, part->name, &info, AT_SYMLINK_NOFOLLOW) == 0)
    return set_error (error, RTC_FILE_EXISTS, "there is a file of that name");
  part->fd = openat (fd, part->part_name, O_RDWR | O_CREAT | O_EXCL | flags, 0666);
  *is_new = part->fd >= 0;
  if (part->fd < 0 && errno == EEXIST)
    part->fd = openat (fd, part->part_name, O_RDWR | O_APPEND | flags);
  return part->fd >= 0 ? check_file (part, size, error) : set_disk_error (error, errno, "opened");
}

GstRtcFilePart *
gst_rtc_file_part_open (GstRtcFileStore *store, const gchar *name, const gchar *id, gint64 size, GError **error)
{
  GstRtcFilePart *part;
  gboolean is_new = FALSE;

  if (is_part_name (name)) {
    set_error (error, RTC_FILE_REFUSED, "a file cannot be called what a part is called");
    return NULL;
  }
  part = g_new0 (GstRtcFilePart, 1);
  part->fd = -1;
  part->store = store;
  part->name = g_strdup (name);
  part->part_name = g_strdup_printf ("%s.%s" SUFFIX, name, id);
  part->is_finished = was_finished (store, name, id);
  g_strlcpy (part->id, id, sizeof part->id);
  if (open_file (part, size, &is_new, error))
    return part;
  if (is_new)
    gst_rtc_file_part_remove (part);
  else
    gst_rtc_file_part_keep (part);
  return NULL;
}

gboolean
gst_rtc_file_part_read (GstRtcFilePart *part, gint64 *length, GChecksum **checksum, GError **error)
{
  guint8 *data = g_malloc (READ_BYTES);
  gssize got;

  *checksum = g_checksum_new (G_CHECKSUM_SHA256);
  *length = 0;
  while ((got = pread (part->fd, data, READ_BYTES, *length)) > 0 || (got < 0 && errno == EINTR)) {
    if (got < 0)
      continue;
    g_checksum_update (*checksum, data, got);
    *length += got;
  }
  g_free (data);
  if (got == 0 && lseek (part->fd, *length, SEEK_SET) == *length)
    return TRUE;
  g_clear_pointer (checksum, g_checksum_free);
  return set_disk_error (error, errno, "read");
}

gboolean
gst_rtc_file_part_write (GstRtcFilePart *part, gconstpointer data, gsize size, GError **error)
{
  const guint8 *at = data;

  while (size > 0) {
    gssize written = write (part->fd, at, size);

    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return set_disk_error (error, errno, "written");
    at += written;
    size -= written;
  }
  return TRUE;
}

/* The name must not be there yet. Returns 0, or errno. */
static gint
give_name (GstRtcFilePart *part)
{
  gint fd = part->store->fd;
  gint fault;

  if (part->store->overwrites)
    return renameat (fd, part->part_name, fd, part->name) == 0 ? 0 : errno;
  if (linkat (fd, part->part_name, fd, part->name, 0) == 0) {
    unlinkat (fd, part->part_name, 0);
    return 0;
  }
  fault = errno;
#ifdef RENAME_NOREPLACE
  /* A file system without links. */
  if (fault != EEXIST)
    return renameat2 (fd, part->part_name, fd, part->name, RENAME_NOREPLACE) == 0 ? 0 : errno;
#endif
  return fault;
}

gboolean
gst_rtc_file_part_finish (GstRtcFilePart *part, gchar **path, GError **error)
{
  gint fault;

  *path = g_build_filename (part->store->path, part->name, NULL);
  if (part->is_finished)
    return TRUE;
  fault = fsync (part->fd) == 0 ? give_name (part) : errno;
  if (fault != 0) {
    g_clear_pointer (path, g_free);
    if (fault == EEXIST || fault == EISDIR)
      return set_error (error, RTC_FILE_EXISTS, "there is a file of that name");
    return set_disk_error (error, fault, "given its name");
  }
  /* A file system that cannot do it has done all it can. */
  fsync (part->store->fd);
  part->is_finished = TRUE;
  remember (part);
  return TRUE;
}

void
gst_rtc_file_part_keep (GstRtcFilePart *part)
{
  if (!part)
    return;
  if (part->fd >= 0)
    close (part->fd);
  g_free (part->name);
  g_free (part->part_name);
  g_free (part);
}

void
gst_rtc_file_part_remove (GstRtcFilePart *part)
{
  if (part && !part->is_finished)
    unlinkat (part->store->fd, part->part_name, 0);
  gst_rtc_file_part_keep (part);
}
