/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcnested.h"

G_BEGIN_DECLS

/* An epoll set as one source of a loop: the cost of a datagram does not grow with the number of sockets, as it does
 * when a GMainContext polls each of them (102 microseconds at 200 sockets, against 13). */
typedef struct _GstRtcPoll GstRtcPoll;
typedef struct _GstRtcWatch GstRtcWatch;

/* Loop thread: FD can be read from. Reads what it likes; what is left is told again (level-triggered). It may remove
 * any watch, its own too. */
typedef void (*GstRtcWatchFunc) (int fd, gpointer user_data);

/* Attaches itself to LOOP's context. NULL with ERROR (RTC_ERROR, RTC_ERROR_SETUP_FAILED). */
GstRtcPoll *gst_rtc_poll_new (GstRtcLoop *loop, GError **error);
void gst_rtc_poll_free (GstRtcPoll *poll); /* loop thread; the watches are gone before */

/* Loop thread. (transfer none) */
GstRtcWatch *gst_rtc_poll_add (GstRtcPoll *poll, int fd, GstRtcWatchFunc func, gpointer user_data);
void gst_rtc_poll_remove (GstRtcPoll *poll, GstRtcWatch *watch);

/* For those who watch nothing but have timers. Any thread. (transfer none) */
GMainContext *gst_rtc_poll_get_timers (GstRtcPoll *poll);

/* Loop thread, not from inside of a watch's function. Serves what can be read until there is nothing more or DURATION
 * microseconds are over; the rest has its turn again when the loop has done what else is due. It comes by itself, for a
 * millisecond; this is for work that takes longer. */
void gst_rtc_poll_serve (GstRtcPoll *poll, gint64 duration);

/* FUNC is called when all that could be read was served. */
void gst_rtc_poll_set_after (GstRtcPoll *poll, GstRtcLoopFunc func, gpointer user_data);

/* Whether the caller is the function of a watch. Loop thread. */
gboolean gst_rtc_poll_is_serving (GstRtcPoll *poll);

/* What is being ended and still needs the loop. gst_rtc_poll_wait() returns when nothing is held any more, at the
 * latest after PATIENCE_MS milliseconds; the loop runs meanwhile. Loop thread. */
void gst_rtc_poll_hold (GstRtcPoll *poll);
void gst_rtc_poll_release (GstRtcPoll *poll);
void gst_rtc_poll_wait (GstRtcPoll *poll, guint patience_ms);

G_END_DECLS
