/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativepriv.h"
#include "core/rtcdeadline.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_native_debug);
#define GST_CAT_DEFAULT gst_rtc_native_debug

/* What came before the gap is not asked for any more after so long. */
#define IMPATIENT_MS 1000

/* Whether the peer is heard, and what is done when it is not. Everything on the transport's loop. */

static void
send_probe (GstRtcNative *t, gint64 now)
{
  guint8 probe[RTC_PATH_MAX_PROBE];
  gsize size = rtc_path_write_probe (t->path, probe, now);

  t->ice->klass->probe (t->ice, probe, size);
}

static void
become_patient (gpointer user_data)
{
  GstRtcNative *t = user_data;

  t->patience_timer = NULL;
  t->impatient = FALSE;
  if (t->receiver && !t->closed)
    gst_rtc_native_receiver_set_patient (t->receiver, TRUE);
}

/* Before the first packet after the gap is there. */
static void
become_impatient (GstRtcNative *t)
{
  if (t->patience_timer)
    g_source_destroy (t->patience_timer);
  t->patience_timer = NULL;
  if (t->receiver && !t->impatient)
    gst_rtc_native_receiver_set_patient (t->receiver, FALSE);
  t->impatient = TRUE;
}

/* What was sent in the gap is lost: both directions begin anew, without waiting for who notices. */
static void
ask_for_key_frames (GstRtcNative *t)
{
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);

    if (line->accepted && line->send && line->kind == GST_RTC_KIND_VIDEO)
      t->base.events->key_frame_wanted (&t->base, i, t->base.user_data);
  }
  if (t->receiver)
    gst_rtc_native_receiver_request_key_frames (t->receiver);
}

void
gst_rtc_native_path_act (GstRtcNative *t, guint actions)
{
  gint64 now = g_get_monotonic_time ();

  if (t->closed || !t->ice || t->hung_up)
    return;
  if (t->lapsed && rtc_path_has_consent (t->path, now))
    t->lapsed = FALSE;
  if (t->state == GST_RTC_TRANSPORT_DISCONNECTED && !(actions & RTC_PATH_SILENT) && !rtc_path_is_silent (t->path))
    gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_CONNECTED);
  if (actions & RTC_PATH_PROBE)
    send_probe (t, now);
  if (actions & RTC_PATH_BACK) {
    GST_INFO_OBJECT (
        t->base.bin, "heard again after %" G_GINT64_FORMAT " ms", rtc_path_get_stats (t->path)->last_gap / 1000);
    ask_for_key_frames (t);
    gst_rtc_native_data_path_is_back (t);
    if (t->impatient && !t->patience_timer)
      t->patience_timer = gst_rtc_loop_add_timeout (t->shared->loop, IMPATIENT_MS, become_patient, t);
  }
  if (actions & RTC_PATH_RESTART) {
    GST_INFO_OBJECT (t->base.bin, "a restart of ICE is wanted");
    t->base.events->restart_wanted (&t->base, t->base.user_data);
  }
  if (actions & RTC_PATH_SILENT)
    gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_DISCONNECTED);
  gst_rtc_native_shared_schedule (t->shared, t);
}

void
gst_rtc_native_path_heard (GstRtcNative *t, gint64 now)
{
  guint actions = rtc_path_heard (t->path, now);

  if (actions || t->state == GST_RTC_TRANSPORT_DISCONNECTED)
    gst_rtc_native_path_act (t, actions);
}

void
gst_rtc_native_path_tick (GstRtcNative *t, gint64 now)
{
  guint actions = rtc_path_tick (t->path, now);

  if (rtc_path_is_interrupted (t->path, now))
    become_impatient (t);
  t->lapsed = t->state >= GST_RTC_TRANSPORT_CONNECTED && !rtc_path_has_consent (t->path, now);
  if (actions)
    gst_rtc_native_path_act (t, actions);
}

/* Whether DTLS and the agent in use are such that the path is to be watched. */
static gboolean
is_watched (GstRtcNative *t)
{
  return !t->closed && t->ice && !t->hung_up && t->state >= GST_RTC_TRANSPORT_CONNECTED;
}

void
gst_rtc_native_path_unreachable (GstRtcNative *t)
{
  RtcAddress remote, source;

  /* With no way at all there is nothing that a restart could offer; the system tells when there is one again. */
  if (is_watched (t) && t->ice->klass->get_address (t->ice, &remote) && !gst_rtc_netlink_get_source (&remote, &source))
    return;
  /* A probe would meet the same, and this is called from inside of send(). */
  gst_rtc_native_path_act (t, rtc_path_broken (t->path, FALSE, g_get_monotonic_time ()) & ~RTC_PATH_PROBE);
}

static void
note_source (GstRtcNative *t)
{
  RtcAddress remote;

  if (!t->ice->klass->get_address (t->ice, &remote) || !gst_rtc_netlink_get_source (&remote, &t->source))
    t->source.family = 0;
}

void
gst_rtc_native_path_renewed (GstRtcNative *t)
{
  gboolean controlling = t->shared->lite ? FALSE : t->remote.lite || t->is_offerer;

  if (!is_watched (t))
    return;
  rtc_path_set_credentials (
      t->path, t->ice->ufrag, t->remote.ufrag, t->remote.password, controlling, g_get_monotonic_time ());
  note_source (t);
  gst_rtc_native_shared_schedule (t->shared, t);
}

/* A link that goes down, or an address that goes, leaves no way or another one; the one that comes next is what a
 * restart is for. */
void
gst_rtc_native_path_interfaces_changed (GstRtcNative *t)
{
  RtcAddress remote, source;

  if (!is_watched (t) || !t->ice->klass->get_address (t->ice, &remote) || !gst_rtc_netlink_get_source (&remote, &source)
      || rtc_address_equal (&source, &t->source))
    return;
  t->source = source;
  t->ice->klass->moved (t->ice, &source);
  gst_rtc_native_path_act (t, rtc_path_broken (t->path, TRUE, g_get_monotonic_time ()));
}

gint64
gst_rtc_native_get_deadline (GstRtcNative *t)
{
  const gint64 all[] = {rtc_endpoint_get_deadline (t->endpoint), gst_rtc_native_data_get_deadline (t),
      is_watched (t) ? rtc_path_get_deadline (t->path) : -1};
  gint64 first = -1;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    first = rtc_earlier (first, all[i]);
  return first;
}

void
gst_rtc_native_path_add_stats (GstRtcNative *t, GstStructure *stats)
{
  const RtcPathStats *path = rtc_path_get_stats (t->path);

  gst_structure_set (stats, "ice-restarts", G_TYPE_UINT, t->restarts, "ice-pending", G_TYPE_UINT, t->restarting ? 1 : 0,
      "interruptions", G_TYPE_UINT, path->n_gaps, "last-interruption", G_TYPE_UINT64,
      (guint64)path->last_gap * GST_USECOND, NULL);
}
