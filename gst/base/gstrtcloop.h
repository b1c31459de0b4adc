/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* A thread with a GMainContext: the one owner of whatever an element does asynchronously. */
typedef struct _GstRtcLoop GstRtcLoop;

typedef void (*GstRtcLoopFunc) (gpointer user_data);

/* Starts a thread called NAME (at most 15 characters show in ps). Any thread. */
GstRtcLoop *gst_rtc_loop_new (const gchar *name);

/* Refuses further posts, runs what was posted before, ends the thread and drops the caller's reference. Not from the
 * loop's own thread; waits for it. Sources that are still attached are destroyed. */
void gst_rtc_loop_free (GstRtcLoop *loop);

/* For a thread that may still post or call while another one frees the loop. Any thread. */
GstRtcLoop *gst_rtc_loop_ref (GstRtcLoop *loop);
void gst_rtc_loop_unref (GstRtcLoop *loop);

/* The context that the thread runs, as its thread-default one. (transfer none) */
GMainContext *gst_rtc_loop_get_context (GstRtcLoop *loop);

/* Runs FUNC on the loop's thread, in the order of the posts, never before returning (even when called on that thread).
 * NOTIFY frees USER_DATA after FUNC has run, or when the loop has stopped and FUNC will not run. Any thread;
 * never blocks. */
void gst_rtc_loop_post (GstRtcLoop *loop, GstRtcLoopFunc func, gpointer user_data, GDestroyNotify notify);

/* Runs FUNC on the loop's thread and waits until it has run; calls it directly when on that thread already. Returns
 * without when the loop has stopped. The caller must hold no lock that the loop's thread may want. */
void gst_rtc_loop_call (GstRtcLoop *loop, GstRtcLoopFunc func, gpointer user_data);

/* Calls FUNC once on the loop's thread after DELAY_MS milliseconds. Loop thread only.
 * Returns: (transfer none): the source; g_source_destroy() cancels it, and it is gone once FUNC has run. */
GSource *gst_rtc_loop_add_timeout (GstRtcLoop *loop, guint delay_ms, GstRtcLoopFunc func, gpointer user_data);

/* Whether the caller is the loop's thread. */
gboolean gst_rtc_loop_is_current (GstRtcLoop *loop);

#define gst_rtc_loop_assert(loop) g_assert (gst_rtc_loop_is_current (loop))

G_END_DECLS
