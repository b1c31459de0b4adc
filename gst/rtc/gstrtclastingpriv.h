/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#pragma once

#include "gstrtclasting.h"
#include "core/rtcdatalog.h"

G_BEGIN_DECLS

/* Shared by the files of GstRtcLasting only. */

typedef struct
{
  /* set at construction */
  GstRtcLasting *lasting;
  GstRtcChannel *channel;
  guint serial;

  gint ref_count; /* atomic */

  /* under GstRtcLasting.lock */
  guint taken_as; /* its number in the tally; 0: has not begun */
} GstRtcLastingPart;

/* What came, in order; without a message it is the end. */
typedef struct
{
  GBytes *message;
  gboolean is_text;
  gint64 arrival;
  GError *error;
} GstRtcLastingIncoming;

struct _GstRtcLasting
{
  GstRtcChannel parent;

  /* set at construction */
  guint64 number;
  const GstRtcLastingEvents *events;
  gpointer user_data;
  GDestroyNotify notify;

  GMutex lock; /* never held while something outside is called */
  /* under lock */
  GPtrArray *parts; /* of GstRtcLastingPart */
  guint last_serial; /* that there ever was */
  gboolean closing; /* by somebody here */
  gboolean over;

  /* what is sent */
  RtcDataLog *log;
  GstRtcLastingPart *out; /* a reference; NULL: it waits */
  guint out_serial; /* of the last one */
  gboolean known; /* the peer has told that it takes what comes on that */
  gsize early; /* bytes that were sent before */
  gboolean pumping;
  guint answered_serial; /* the last one on which it told anything */
  guint told_serial; /* for a part that is not there yet */
  guint64 told_delivered;
  gsize max_message_size;
  guint limit_serial; /* of the OUT that max_message_size is final of: it was open when it said so; 0: none */
  gsize low;
  gboolean was_high;
  guint64 messages_sent, bytes_sent;

  /* what comes */
  RtcDataTally tally;
  GstRtcLastingPart *in; /* a reference; NULL: none has begun */
  guint in_serial;
  gboolean begun_untold;
  GQueue incoming; /* of GstRtcLastingIncoming */
  gboolean delivering;
  gsize unread;
  guint64 bytes_received;
};

/* gstrtclasting.c; find is under the lock. */
GstRtcLastingPart *gst_rtc_lasting_part_ref (GstRtcLastingPart *part);
void gst_rtc_lasting_part_unref (gpointer part);
GstRtcLastingPart *gst_rtc_lasting_find_part (GstRtcLasting *self, guint serial);

/* gstrtclastingsend.c: GstRtcChannelClass's of the same names. */
gboolean gst_rtc_lasting_send (GstRtcChannel *channel, gboolean is_text, GBytes *message, GError **error);
gsize gst_rtc_lasting_get_buffered (GstRtcChannel *channel);
void gst_rtc_lasting_set_low_threshold (GstRtcChannel *channel, gsize bytes);
gsize gst_rtc_lasting_get_max_message_size (GstRtcChannel *channel);

/* What waits may have become less, or more. */
void gst_rtc_lasting_check_low (GstRtcLasting *self);
void gst_rtc_lasting_check_high (GstRtcLasting *self);

/* Closes it when somebody here wants that, and the peer has all. */
void gst_rtc_lasting_check_close (GstRtcLasting *self);

/* The peer takes what comes on PART (transfer full), and has DELIVERED. FALSE: that cannot be; then end_unknown(), else
 * after_told(), is called without the lock. Under the lock. */
gboolean gst_rtc_lasting_resume (GstRtcLasting *self, GstRtcLastingPart *part, guint64 delivered);
void gst_rtc_lasting_end_unknown (GstRtcLasting *self);
void gst_rtc_lasting_after_told (GstRtcLasting *self);

G_END_DECLS
