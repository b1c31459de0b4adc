/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "base/gstrtcchannel.h"
#include "core/rtcfilereceive.h"

G_BEGIN_DECLS

/* Receives files from channels of RTC_FILE_PROTOCOL into a directory, with a thread of its own for the disk, and posts
 * the element messages of docs/design/data-files.md. */
typedef struct _GstRtcFileInbox GstRtcFileInbox;

/* So many files come at a time; others are refused. */
#define GST_RTC_FILE_MAX_TRANSFERS 8

typedef struct
{
  GstElement *element; /* posts the messages; lives longer */
  const gchar *directory;
  gboolean overwrite;
  gint64 max_size; /* bytes of a file */

  /* A file of CHANNEL's peer is whole, at PATH. From the inbox's thread; the peer is told after it. */
  void (*whole) (GstElement *element, GstRtcChannel *channel, const gchar *path);
} GstRtcFileInboxConfig;

/* NULL with ERROR: the directory is not there, or cannot be written. */
GstRtcFileInbox *gst_rtc_file_inbox_new (const GstRtcFileInboxConfig *config, GError **error);

GstRtcFileInbox *gst_rtc_file_inbox_ref (GstRtcFileInbox *self);
void gst_rtc_file_inbox_unref (GstRtcFileInbox *self);

/* Listens to CHANNEL from now on, unless it is stopped; from inside of GstRtcDataUser's channel(), so that nothing is
 * missed. */
void gst_rtc_file_inbox_add (GstRtcFileInbox *self, GstRtcChannel *channel);

/* Cancels the transfer ID. FALSE: there is none. Any thread. */
gboolean gst_rtc_file_inbox_cancel (GstRtcFileInbox *self, const gchar *id);

/* Waits until the disk is left alone; parts stay. Nothing happens after it. Once. */
void gst_rtc_file_inbox_stop (GstRtcFileInbox *self);

/* An element message NAME, which is posted with these fields; what follows is (name, type, value), ended by NULL. */
void gst_rtc_file_post (GstElement *element, const gchar *name, const gchar *peer_id, const RtcFileInfo *info,
    const gchar *first_field, ...) G_GNUC_NULL_TERMINATED;

/* The code as it is called in messages. */
const gchar *gst_rtc_file_code_to_string (RtcFileCode code);

G_END_DECLS
