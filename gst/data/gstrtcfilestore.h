/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "core/rtcjsonfile.h"

G_BEGIN_DECLS

/* A directory that files are received into (docs/design/data-files.md). What is in there is found relative to its
 * descriptor, links are not followed, and a file has its name only once it is whole. All functions may block on the
 * disk; one thread at a time for a store and its parts. */
typedef struct _GstRtcFileStore GstRtcFileStore;

/* NAME.ID.part, open and locked against others. */
typedef struct _GstRtcFilePart GstRtcFilePart;

/* The codes are RtcFileCode; the message is fit for the peer: it names no path. */
#define GST_RTC_FILE_ERROR (gst_rtc_file_error_quark ())
GQuark gst_rtc_file_error_quark (void);

/* Opens DIRECTORY, which must be there, and removes parts in it that nobody has touched for a day. OVERWRITE: whether a
 * file takes the place of one that has its name. NULL with ERROR (GST_RTC_FILE_ERROR; this one names the path). */
GstRtcFileStore *gst_rtc_file_store_new (const gchar *directory, gboolean overwrite, GError **error);

/* After its parts. */
void gst_rtc_file_store_free (GstRtcFileStore *store);

/* The part of NAME (safe) and ID: the one that is there already, or a new one. SIZE: what it will have, -1: not known.
 * What was finished as ID before is opened as it is, so that the sender, who did not hear of it, can. NULL with ERROR:
 * EXISTS, DISK_FULL, REFUSED. */
GstRtcFilePart *
gst_rtc_file_part_open (GstRtcFileStore *store, const gchar *name, const gchar *id, gint64 size, GError **error);

/* How much is there, and the SHA-256 of it (transfer full). FALSE with ERROR: it cannot be read. */
gboolean gst_rtc_file_part_read (GstRtcFilePart *part, gint64 *length, GChecksum **checksum, GError **error);

/* Appends. FALSE with ERROR: DISK_FULL, or REFUSED for whatever else went wrong. */
gboolean gst_rtc_file_part_write (GstRtcFilePart *part, gconstpointer data, gsize size, GError **error);

/* Gives it its name, after it is safe on the disk. PATH (transfer full): where it is. FALSE with ERROR (EXISTS,
 * DISK_FULL, REFUSED): it still is a part. */
gboolean gst_rtc_file_part_finish (GstRtcFilePart *part, gchar **path, GError **error);

/* Frees it; what is on the disk stays, or goes, unless it is finished. NULL does nothing. */
void gst_rtc_file_part_keep (GstRtcFilePart *part);
void gst_rtc_file_part_remove (GstRtcFilePart *part);

G_END_DECLS
