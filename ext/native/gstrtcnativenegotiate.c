/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativepriv.h"
#include "core/rtcmessage.h"

#include <string.h>

/* Everything below runs on the transport's loop while rtcbin's control loop waits: a description is made in
 * microseconds, and the order of what is told stays plain. */

typedef struct
{
  GstRtcNative *t;
  const GArray *lines;
  const GstRtcSdpTrack *tracks;
  const GstSDPMessage *sdp;
  guint mline;
  const gchar *candidate;
} Call;

static void
copy_lines (GstRtcNative *t, const GArray *lines)
{
  g_clear_pointer (&t->lines, g_array_unref);
  t->lines = g_array_new (FALSE, TRUE, sizeof (GstRtcLine));
  g_array_set_clear_func (t->lines, (GDestroyNotify)gst_rtc_line_clear);
  for (guint i = 0; i < lines->len; i++) {
    GstRtcLine line = g_array_index (lines, GstRtcLine, i);

    line.mid = g_strdup (line.mid);
    line.stream_name = g_strdup (line.stream_name);
    if (line.caps)
      gst_caps_ref (line.caps);
    g_array_append_val (t->lines, line);
  }
}

static void
make_ssrcs (GstRtcNative *t)
{
  guint32 first = g_random_int ();

  t->ssrcs = g_new0 (guint32, t->lines->len);
  t->rtx_ssrcs = g_new0 (guint32, t->lines->len);
  for (guint i = 0; i < t->lines->len; i++) {
    t->ssrcs[i] = first + 2 * i;
    t->rtx_ssrcs[i] = first + 2 * i + 1;
  }
}

static gboolean
open_ice (GstRtcNative *t)
{
  GError *error = NULL;

  t->leg = gst_rtc_native_leg_new (t, &error);
  if (!t->leg) {
    gst_rtc_native_fail (t, error);
    return FALSE;
  }
  t->ice = t->leg->ice;
  return TRUE;
}

guint
gst_rtc_native_get_mline (GstRtcNative *t)
{
  return t->is_offerer ? 0 : t->remote.mline;
}

static GstRtcNativeLocal
describe_local (GstRtcNative *t, GstRtcIce *ice)
{
  return (GstRtcNativeLocal){
      .ufrag = ice->ufrag,
      .password = ice->password,
      .version = t->version,
      .lite = t->shared->lite != NULL,
      .fingerprint = rtc_dtls_identity_get_fingerprint (t->shared->identity),
      .cname = t->shared->cname,
      .ssrcs = t->ssrcs,
      .rtx_ssrcs = t->rtx_ssrcs,
  };
}

/* Candidates that are known at once stand in the description, which saves a message each; an agent that has to ask a
 * server tells them later. */
void
gst_rtc_native_describe (GstRtcNative *t, GstRtcIce *ice, GstRtcNativeDescribe func, gpointer user_data)
{
  GstRtcNativeLocal local;
  GPtrArray *early = g_ptr_array_new_with_free_func (g_free);
  GstSDPMessage *sdp;

  t->early = early;
  t->gathered = FALSE;
  ice->klass->gather (ice);
  t->early = NULL;
  local = describe_local (t, ice);
  if (t->gathered) {
    g_ptr_array_add (early, NULL);
    local.candidates = (const gchar *const *)early->pdata;
  }
  sdp = func (t, &local, user_data);
  g_clear_pointer (&t->description, gst_sdp_message_free);
  gst_sdp_message_copy (sdp, &t->description);
  t->version++;
  t->base.events->description (&t->base, sdp, t->base.user_data);
  for (guint i = 0; !t->gathered && i < early->len; i++)
    gst_rtc_native_ice_events.candidate (g_ptr_array_index (early, i), gst_rtc_native_get_newest (t));
  g_ptr_array_unref (early);
}

/* SDP: NULL: the offer is ours. */
static GstSDPMessage *
describe_first (GstRtcNative *t, const GstRtcNativeLocal *local, gpointer user_data)
{
  const Call *call = user_data;

  return call->sdp ? gst_rtc_native_sdp_answer (call->sdp, t->lines, call->tracks, local)
                   : gst_rtc_native_sdp_offer (t->lines, call->tracks, local);
}

static void
add_senders (GstRtcNative *t)
{
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);
    RtcSenderConfig config = {
        .ssrc = t->ssrcs[i],
        .rtx_ssrc = t->rtx_ssrcs[i],
        .payload = line->payload,
        .rtx_payload = line->rtx_payload,
        .clock_rate = line->codec ? line->codec->clock_rate : 0,
        .ext_mid = line->ext_mid,
        .ext_twcc = line->ext_twcc,
        .ext_audio_level = line->ext_audio_level,
        .cname = t->shared->cname,
    };

    if (!line->accepted || !line->send)
      continue;
    /* A longer one cannot be carried in the one-byte form; the SSRC tells the line as well. */
    if (line->mid && strlen (line->mid) < sizeof (config.mid))
      strcpy (config.mid, line->mid);
    else
      config.ext_mid = 0;
    rtc_endpoint_add_sender (t->endpoint, i, &config);
  }
}

static gboolean
take_remote (GstRtcNative *t, const GstSDPMessage *sdp)
{
  GError *error = NULL;

  if (!gst_rtc_native_sdp_read (sdp, t->lines, t->is_offerer, t->shared->lite != NULL, &t->remote, &error)) {
    gst_rtc_native_fail (t, error);
    return FALSE;
  }
  return TRUE;
}

/* The peer's side is known: media may be set up, and a path looked for. */
static void
begin (GstRtcNative *t, const GstSDPMessage *remote)
{
  gboolean has_media = FALSE;

  for (guint i = 0; i < t->lines->len; i++)
    has_media |= g_array_index (t->lines, GstRtcLine, i).accepted && !g_array_index (t->lines, GstRtcLine, i).is_data;
  if (!has_media)
    rtc_endpoint_set_data_only (t->endpoint);
  add_senders (t);
  gst_rtc_native_data_described (t);
  t->receiver = gst_rtc_native_receiver_new (
      t->base.bin, t->lines, remote, t->config.latency, &gst_rtc_native_receiver_events, t);
  t->remote_known = TRUE;
  t->ice->klass->set_remote (t->ice, t->remote.ufrag, t->remote.password, t->remote.lite);
  for (guint i = 0; t->remote.candidates && i < t->remote.candidates->len; i++)
    t->ice->klass->add_candidate (t->ice, g_ptr_array_index (t->remote.candidates, i));
  gst_rtc_native_path_changed (t);
}

static void
make_offer_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;

  t->is_offerer = TRUE;
  copy_lines (t, call->lines);
  make_ssrcs (t);
  if (!open_ice (t))
    return;
  gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_GATHERING);
  gst_rtc_native_describe (t, t->ice, describe_first, call);
}

static void
take_offer_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;

  copy_lines (t, call->lines);
  make_ssrcs (t);
  if (!take_remote (t, call->sdp) || !open_ice (t))
    return;
  gst_rtc_native_set_state (t, GST_RTC_TRANSPORT_GATHERING);
  gst_rtc_native_describe (t, t->ice, describe_first, call);
  begin (t, call->sdp);
}

static void
take_answer_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNative *t = call->t;

  copy_lines (t, call->lines);
  if (t->ice && take_remote (t, call->sdp))
    begin (t, call->sdp);
}

/* Browsers say which credentials a candidate goes with; one that was overtaken by a restart is of no use. */
static gboolean
is_of_now (GstRtcNative *t, const gchar *candidate)
{
  const gchar *ufrag = strstr (candidate, " ufrag ");
  gsize length = strlen (t->remote.ufrag);

  if (!ufrag)
    return TRUE;
  ufrag += strlen (" ufrag ");
  return strncmp (ufrag, t->remote.ufrag, length) == 0 && (ufrag[length] == ' ' || ufrag[length] == '\0');
}

static void
add_candidate_on_loop (gpointer data)
{
  Call *call = data;
  GstRtcNativeLeg *leg = gst_rtc_native_get_newest (call->t);

  if (leg && call->t->remote_known && (!call->candidate || is_of_now (call->t, call->candidate)))
    leg->ice->klass->add_candidate (leg->ice, call->candidate);
}

void
gst_rtc_native_make_offer (GstRtcTransport *base, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  Call call = {.t = (GstRtcNative *)base, .lines = lines, .tracks = tracks};

  gst_rtc_loop_call (call.t->shared->loop, make_offer_on_loop, &call);
}

void
gst_rtc_native_take_offer (
    GstRtcTransport *base, const GstSDPMessage *offer, const GArray *lines, const GstRtcSdpTrack *tracks)
{
  Call call = {.t = (GstRtcNative *)base, .lines = lines, .tracks = tracks, .sdp = offer};

  gst_rtc_loop_call (call.t->shared->loop, take_offer_on_loop, &call);
}

void
gst_rtc_native_take_answer (GstRtcTransport *base, const GstSDPMessage *answer, const GArray *lines)
{
  Call call = {.t = (GstRtcNative *)base, .lines = lines, .sdp = answer};

  gst_rtc_loop_call (call.t->shared->loop, take_answer_on_loop, &call);
}

void
gst_rtc_native_add_candidate (GstRtcTransport *base, guint mline, const gchar *candidate)
{
  Call call = {.t = (GstRtcNative *)base, .candidate = candidate};

  gst_rtc_loop_call (call.t->shared->loop, add_candidate_on_loop, &call);
}
