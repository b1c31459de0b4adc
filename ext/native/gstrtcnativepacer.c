/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The deadlines of data channels that are in the midst of sending: a millisecond or less apart, where those of all
 * connections are served together some milliseconds later. Only who has something to send is looked at. */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativechannel.h"
#include "core/rtcdeadline.h"
#include "core/rtcmessage.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* What is due so soon is done at once. Microseconds. */
#define SOON 50

struct _GstRtcNativePacer
{
  /* set at construction */
  GstRtcPoll *poll;
  GstRtcWatch *watch;
  int fd;

  /* loop */
  GPtrArray *paced; /* of GstRtcNativeData */
  gint64 at; /* microseconds, monotonic; -1: not set */
};

static void
arm (GstRtcNativePacer *self, gint64 at)
{
  struct itimerspec when = {
      .it_value = {.tv_sec = at / G_USEC_PER_SEC, .tv_nsec = MAX (at % G_USEC_PER_SEC * 1000, 1)}};

  if (self->at >= 0 && self->at <= at)
    return;
  self->at = at;
  timerfd_settime (self->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
readable (int fd, gpointer user_data)
{
  GstRtcNativePacer *self = user_data;
  gint64 now = g_get_monotonic_time (), next = -1;
  guint64 count;

  if (read (fd, &count, sizeof (count)) < 0 && errno == EAGAIN)
    return;
  self->at = -1;
  for (guint i = self->paced->len; i-- > 0;) {
    GstRtcNativeData *data = g_ptr_array_index (self->paced, i);
    gint64 deadline = rtc_data_get_fine_deadline (data->engine);

    if (deadline >= 0 && deadline <= now + SOON) {
      gst_rtc_native_data_begin (data);
      rtc_data_tick (data->engine, MAX (deadline, data->now));
      gst_rtc_native_data_end (data);
      i = MIN (i, self->paced->len);
      continue;
    }
    if (deadline < 0)
      gst_rtc_native_pacer_remove (self, data);
    next = rtc_earlier (next, deadline);
  }
  if (next >= 0)
    arm (self, next);
}

GstRtcNativePacer *
gst_rtc_native_pacer_new (GstRtcPoll *poll, GError **error)
{
  int fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  GstRtcNativePacer *self;

  if (fd < 0) {
    g_set_error (
        error, RTC_ERROR, RTC_ERROR_SETUP_FAILED, "The system gives no timer descriptor: %s", g_strerror (errno));
    return NULL;
  }
  self = g_new (GstRtcNativePacer, 1);
  *self = (GstRtcNativePacer){.poll = poll, .fd = fd, .paced = g_ptr_array_new (), .at = -1};
  self->watch = gst_rtc_poll_add (poll, fd, readable, self);
  return self;
}

void
gst_rtc_native_pacer_free (GstRtcNativePacer *self)
{
  gst_rtc_poll_remove (self->poll, self->watch);
  close (self->fd);
  g_ptr_array_unref (self->paced);
  g_free (self);
}

void
gst_rtc_native_pacer_look (GstRtcNativePacer *self, GstRtcNativeData *data)
{
  gint64 deadline = rtc_data_get_fine_deadline (data->engine);

  if (deadline < 0)
    return;
  if (!data->is_paced)
    g_ptr_array_add (self->paced, data);
  data->is_paced = TRUE;
  arm (self, deadline);
}

void
gst_rtc_native_pacer_remove (GstRtcNativePacer *self, GstRtcNativeData *data)
{
  if (data->is_paced)
    g_ptr_array_remove_fast (self->paced, data);
  data->is_paced = FALSE;
}
