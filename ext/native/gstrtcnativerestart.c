/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativepriv.h"
#include "core/rtcmessage.h"

GST_DEBUG_CATEGORY_EXTERN (gst_rtc_native_debug);
#define GST_CAT_DEFAULT gst_rtc_native_debug

/* ICE anew on a connection that stays (RFC 8445, section 9). A lite agent does it by itself: it has one socket anyway,
 * and hears on it what comes. Otherwise another agent is set up beside the one in use, since the addresses of this
 * machine may be others now, and since what works must not be touched: it goes on sending and checking until the new
 * one has a path. */

/* For how long the peer may go on sending to the agent that was in use. */
#define KEEP_OLD_MS 2000

static void
leg_free (GstRtcNativeLeg *leg)
{
  leg->ice->klass->free (leg->ice);
  g_free (leg);
}

GstRtcNativeLeg *
gst_rtc_native_leg_new (GstRtcNative *t, GError **error)
{
  GstRtcNativeLeg *leg = g_new0 (GstRtcNativeLeg, 1);

  leg->t = t;
  if (t->shared->lite)
    leg->ice = gst_rtc_ice_lite_new (t->shared->lite, &gst_rtc_native_ice_events, leg);
  else
    leg->ice = gst_rtc_ice_full_new (
        t->shared->poll, t->shared->loop, &t->config, t->is_offerer, &gst_rtc_native_ice_events, leg, error);
  if (!leg->ice)
    g_clear_pointer (&leg, g_free);
  return leg;
}

GstRtcNativeLeg *
gst_rtc_native_get_newest (GstRtcNative *t)
{
  return t->next ? t->next : t->leg;
}

static void
drop_old (GstRtcNative *t)
{
  if (t->old_timer)
    g_source_destroy (t->old_timer);
  t->old_timer = NULL;
  g_clear_pointer (&t->old, leg_free);
}

void
gst_rtc_native_free_legs (GstRtcNative *t)
{
  drop_old (t);
  if (t->patience_timer)
    g_source_destroy (t->patience_timer);
  t->patience_timer = NULL;
  g_clear_pointer (&t->next, leg_free);
  g_clear_pointer (&t->leg, leg_free);
  t->ice = NULL;
}

static void
on_old_timer (gpointer user_data)
{
  GstRtcNative *t = user_data;

  t->old_timer = NULL;
  drop_old (t);
}

void
gst_rtc_native_leg_connected (GstRtcNative *t, GstRtcNativeLeg *leg)
{
  if (leg != t->next || t->closed)
    return;
  GST_INFO_OBJECT (t->base.bin, "ICE was restarted");
  drop_old (t);
  t->old = t->leg;
  t->old_timer = gst_rtc_loop_add_timeout (t->shared->loop, KEEP_OLD_MS, on_old_timer, t);
  t->leg = leg;
  t->ice = leg->ice;
  t->next = NULL;
  t->restarting = FALSE;
  gst_rtc_native_path_renewed (t);
  /* What was sent to where the peer is no more is lost. */
  if (rtc_path_is_probing (t->path))
    gst_rtc_native_path_act (t, RTC_PATH_BACK);
}

typedef struct
{
  GstRtcNative *t;
  const GstSDPMessage *sdp;
  GError **error;
  gboolean done;
} Call;

/* Returns the agent that begins anew. */
static GstRtcNativeLeg *
begin (GstRtcNative *t, GError **error)
{
  GstRtcNativeLeg *leg;

  if (t->ice->klass->restart) {
    t->ice->klass->restart (t->ice);
    leg = t->leg;
  } else {
    leg = gst_rtc_native_leg_new (t, error);
    if (leg) {
      g_clear_pointer (&t->next, leg_free);
      t->next = leg;
    }
  }
  t->restarts += leg != NULL;
  t->restarting = leg != NULL;
  return leg;
}

static GstSDPMessage *
describe_restart (GstRtcNative *t, const GstRtcNativeLocal *local, gpointer is_offer)
{
  return gst_rtc_native_sdp_restart (
      t->description, is_offer != NULL, t->remote.is_dtls_server, gst_rtc_native_get_mline (t), local);
}

static gboolean
have_common (gchar **a, gchar **b)
{
  for (; a && *a; a++) {
    for (gchar **at = b; at && *at; at++) {
      if (g_ascii_strcasecmp (*a, *at) == 0)
        return TRUE;
    }
  }
  return FALSE;
}

/* Reads what the peer says now into t->remote; nothing is changed when it cannot be used. */
static gboolean
take_remote (GstRtcNative *t, const GstSDPMessage *sdp, gboolean is_answer, GError **error)
{
  GstRtcNativeRemote remote;

  if (t->closed || !t->ice || t->state < GST_RTC_TRANSPORT_CONNECTED) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "ICE is restarted on a connection that is not up; an offer of a new session is expected");
    return FALSE;
  }
  if (gst_sdp_message_medias_len (sdp) != t->lines->len) {
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP,
        "A description that restarts ICE has %u sections, and the session has %u; for others a new session is expected",
        gst_sdp_message_medias_len (sdp), t->lines->len);
    return FALSE;
  }
  if (!gst_rtc_native_sdp_read (sdp, t->lines, is_answer, t->shared->lite != NULL, &remote, error))
    return FALSE;
  if (!have_common (remote.fingerprints, t->remote.fingerprints))
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP,
        "A description that restarts ICE has another a=fingerprint than the session; for another certificate a new "
        "session is expected");
  else if (g_strcmp0 (remote.ufrag, t->remote.ufrag) == 0 && g_strcmp0 (remote.password, t->remote.password) == 0)
    g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP,
        "A description of the session that there is has the same a=ice-ufrag and a=ice-pwd; new ones are expected, "
        "which restart ICE, or a new session");
  else {
    remote.is_dtls_server = t->remote.is_dtls_server;
    gst_rtc_native_remote_clear (&t->remote);
    t->remote = remote;
    return TRUE;
  }
  gst_rtc_native_remote_clear (&remote);
  return FALSE;
}

static void
tell_remote (GstRtcNative *t, GstRtcNativeLeg *leg)
{
  leg->ice->klass->set_remote (leg->ice, t->remote.ufrag, t->remote.password, t->remote.lite);
  for (guint i = 0; t->remote.candidates && i < t->remote.candidates->len; i++)
    leg->ice->klass->add_candidate (leg->ice, g_ptr_array_index (t->remote.candidates, i));
}

static void
make_restart_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;
  GstRtcNativeLeg *leg;
  GError *error = NULL;

  if (t->closed || !t->ice || !t->description)
    return;
  leg = begin (t, &error);
  if (leg) {
    gst_rtc_native_describe (t, leg->ice, describe_restart, GINT_TO_POINTER (TRUE));
  } else {
    GST_WARNING_OBJECT (t->base.bin, "ICE is not restarted: %s", error->message);
    g_error_free (error);
  }
}

static void
take_restart_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;
  GstRtcNativeLeg *leg;

  if (!take_remote (t, call->sdp, FALSE, call->error))
    return;
  leg = begin (t, call->error);
  if (!leg)
    return;
  gst_rtc_native_describe (t, leg->ice, describe_restart, NULL);
  tell_remote (t, leg);
  call->done = TRUE;
}

static void
take_restart_answer_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;

  call->done = take_remote (t, call->sdp, TRUE, call->error);
  if (call->done)
    tell_remote (t, gst_rtc_native_get_newest (t));
}

void
gst_rtc_native_make_restart (GstRtcTransport *base)
{
  Call call = {.t = (GstRtcNative *)base};

  gst_rtc_loop_call (call.t->shared->loop, make_restart_on_loop, &call);
}

gboolean
gst_rtc_native_take_restart (GstRtcTransport *base, const GstSDPMessage *offer, GError **error)
{
  Call call = {.t = (GstRtcNative *)base, .sdp = offer, .error = error};

  gst_rtc_loop_call (call.t->shared->loop, take_restart_on_loop, &call);
  return call.done;
}

gboolean
gst_rtc_native_take_restart_answer (GstRtcTransport *base, const GstSDPMessage *answer, GError **error)
{
  Call call = {.t = (GstRtcNative *)base, .sdp = answer, .error = error};

  gst_rtc_loop_call (call.t->shared->loop, take_restart_answer_on_loop, &call);
  return call.done;
}
