/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "transportpair.h"

#include <string.h>

/* Channels. */

static void
on_channel_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  TestChannel *self = user_data;

  g_mutex_lock (&self->lock);
  g_string_append_c (self->states, "-OCX"[state]);
  if (error)
    self->error = g_error_copy (error);
  g_mutex_unlock (&self->lock);
}

static void
on_channel_message (GstRtcChannel *channel, gboolean is_text, GBytes *message, gint64 arrival, gpointer user_data)
{
  TestChannel *self = user_data;

  g_mutex_lock (&self->lock);
  self->n_messages++;
  self->n_texts += is_text;
  self->n_bytes += g_bytes_get_size (message);
  g_clear_pointer (&self->last, g_bytes_unref);
  self->last = g_bytes_ref (message);
  self->last_arrival = arrival;
  g_mutex_unlock (&self->lock);
  if (self->keeps)
    gst_rtc_channel_add_unread (channel, g_bytes_get_size (message));
  if (self->echoes)
    g_assert_true (gst_rtc_channel_send (channel, is_text, message, NULL));
}

static void
on_channel_low (GstRtcChannel *channel, gpointer user_data)
{
  TestChannel *self = user_data;

  g_mutex_lock (&self->lock);
  self->n_low++;
  g_mutex_unlock (&self->lock);
}

static const GstRtcChannelEvents channel_events = {
    .state = on_channel_state,
    .message = on_channel_message,
    .low = on_channel_low,
};

/* CHANNEL: (transfer full) */
static TestChannel *
test_channel_new (TransportPair *pair, GstRtcChannel *channel)
{
  TestChannel *self = g_new0 (TestChannel, 1);

  self->channel = channel;
  self->keeps = pair->keeps && channel->is_remote;
  self->echoes = pair->echoes && channel->is_remote;
  self->states = g_string_new (NULL);
  g_mutex_init (&self->lock);
  gst_rtc_channel_add_listener (channel, &channel_events, self, NULL);
  g_mutex_lock (&pair->channels_lock);
  g_ptr_array_add (pair->channels, self);
  g_mutex_unlock (&pair->channels_lock);
  return self;
}

static void
test_channel_free (gpointer data)
{
  TestChannel *self = data;

  gst_rtc_channel_remove_listener (self->channel, self);
  gst_rtc_channel_unref (self->channel);
  g_clear_pointer (&self->last, g_bytes_unref);
  g_clear_error (&self->error);
  g_string_free (self->states, TRUE);
  g_mutex_clear (&self->lock);
  g_free (self);
}

guint
test_channel_get_n_messages (TestChannel *self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = self->n_messages;
  g_mutex_unlock (&self->lock);
  return n;
}

guint64
test_channel_get_n_bytes (TestChannel *self)
{
  guint64 n;

  g_mutex_lock (&self->lock);
  n = self->n_bytes;
  g_mutex_unlock (&self->lock);
  return n;
}

gboolean
test_channel_is (TestChannel *self, GstRtcChannelState state)
{
  return gst_rtc_channel_get_state (self->channel) == state;
}

/* Signaling, on the control loop. */

typedef struct
{
  TransportSide *to;
  GstSDPMessage *sdp;
  guint mline;
  gchar *candidate;
  gboolean is_candidate;
} Signal;

static void
signal_free (gpointer data)
{
  Signal *self = data;

  g_clear_pointer (&self->sdp, gst_sdp_message_free);
  g_free (self->candidate);
  g_free (self);
}

static void
remote_is_known (TransportSide *side)
{
  side->remote_known = TRUE;
  for (guint i = 0; i < side->early->len; i++) {
    const gchar *candidate = g_ptr_array_index (side->early, i);

    side->transport->klass->add_candidate (side->transport, 0, *candidate ? candidate : NULL);
  }
  g_ptr_array_set_size (side->early, 0);
}

static void
take_offer (TransportSide *side, const GstSDPMessage *offer)
{
  g_autofree gchar *problems = NULL;
  GError *error = NULL;

  if (side->remote_known) {
    gboolean done = side->transport->klass->take_restart (side->transport, offer, &error);

    g_assert_no_error (error);
    g_assert_true (done);
    return;
  }
  side->lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, side->pair->with_data[side->number], &problems, &error);
  g_assert_no_error (error);
  side->transport->klass->take_offer (side->transport, offer, side->lines, NULL);
  remote_is_known (side);
}

static void
take_answer (TransportSide *side, const GstSDPMessage *answer)
{
  g_autofree gchar *problems = NULL;
  GError *error = NULL;
  gboolean done;

  if (side->remote_known) {
    done = side->transport->klass->take_restart_answer (side->transport, answer, &error);
    g_assert_no_error (error);
    g_assert_true (done);
    g_atomic_int_inc (&side->pair->n_restarts);
    return;
  }
  done = gst_rtc_sdp_apply_answer (answer, side->lines, &problems, &error);
  g_assert_no_error (error);
  g_assert_true (done);
  side->transport->klass->take_answer (side->transport, answer, side->lines);
  remote_is_known (side);
}

static void
deliver (gpointer data)
{
  Signal *self = data;
  TransportSide *side = self->to;

  if (side->is_closed)
    return;
  if (self->sdp) {
    g_autofree gchar *text = gst_sdp_message_as_text (self->sdp);
    GError *error = NULL;
    GstSDPMessage *sdp = gst_rtc_sdp_parse (text, side->number == 0, &error);
    TransportSide *other = &side->pair->sides[!side->number];

    g_assert_no_error (error);
    for (guint i = 0; side->number == 1 && !side->remote_known && i < other->lines->len; i++)
      g_array_index (other->lines, GstRtcLine, i).mid =
          g_strdup (gst_sdp_media_get_attribute_val (gst_sdp_message_get_media (sdp, i), "mid"));
    if (side->number == 1)
      take_offer (side, sdp);
    else
      take_answer (side, sdp);
    gst_sdp_message_free (sdp);
  } else if (side->remote_known) {
    side->transport->klass->add_candidate (side->transport, self->mline, self->candidate);
  } else {
    g_ptr_array_add (side->early, g_strdup (self->candidate ? self->candidate : ""));
  }
}

/* What the transports tell, from their loops. */

static void
on_description (GstRtcTransport *transport, GstSDPMessage *sdp, gpointer user_data)
{
  TransportSide *side = user_data;
  Signal *message = g_new0 (Signal, 1);

  message->to = &side->pair->sides[!side->number];
  message->sdp = sdp;
  gst_rtc_loop_post (side->pair->control, deliver, message, signal_free);
}

static void
on_candidate (GstRtcTransport *transport, guint mline, const gchar *mid, const gchar *candidate, gpointer user_data)
{
  TransportSide *side = user_data;
  Signal *message = g_new0 (Signal, 1);

  message->to = &side->pair->sides[!side->number];
  message->mline = mline;
  message->candidate = g_strdup (candidate);
  gst_rtc_loop_post (side->pair->control, deliver, message, signal_free);
}

static void
on_state (GstRtcTransport *transport, GstRtcTransportState state, gpointer user_data)
{
  TransportSide *side = user_data;

  g_mutex_lock (&side->lock);
  side->state = state;
  g_mutex_unlock (&side->lock);
}

static void
on_failed (GstRtcTransport *transport, GError *error, gpointer user_data)
{
  TransportSide *side = user_data;

  g_mutex_lock (&side->lock);
  g_assert_null (side->error);
  side->error = error;
  g_mutex_unlock (&side->lock);
}

static void
on_nothing (GstRtcTransport *transport, gpointer user_data)
{
}

static void
on_channel (GstRtcTransport *transport, GstRtcChannel *channel, gpointer user_data)
{
  TransportSide *side = user_data;
  TestChannel *mine = test_channel_new (side->pair, gst_rtc_channel_ref (channel));

  g_assert_true (channel->is_remote && test_channel_is (mine, GST_RTC_CHANNEL_OPEN));
  g_mutex_lock (&side->lock);
  g_ptr_array_add (side->opened, mine);
  g_mutex_unlock (&side->lock);
}

static const GstRtcTransportEvents transport_events = {
    .description = on_description,
    .candidate = on_candidate,
    .state = on_state,
    .failed = on_failed,
    .restart_wanted = on_nothing,
    .channel = on_channel,
};

/* The pair. */

static void
open_side (gpointer data)
{
  TransportSide *side = data;
  GError *error = NULL;
  GstRtcTransportConfig config = {.shared = side->shared,
      .loop = side->pair->control,
      .peer_id = side->number ? "offerer" : "answerer",
      .max_rtp_port = 65535};

  side->transport = gst_rtc_native_transport.open (&config, &transport_events, side, &error);
  g_assert_no_error (error);
}

TransportPair *
transport_pair_new (guint udp_port)
{
  TransportPair *pair = g_new0 (TransportPair, 1);

  pair->control = gst_rtc_loop_new ("control");
  pair->channels = g_ptr_array_new_with_free_func (test_channel_free);
  g_mutex_init (&pair->channels_lock);
  for (guint i = 0; i < 2; i++) {
    TransportSide *side = &pair->sides[i];
    GstRtcTransportSetup setup = {.udp_port = i == 1 ? udp_port : 0};
    GError *error = NULL;

    pair->with_data[i] = TRUE;
    side->pair = pair;
    side->number = i;
    g_mutex_init (&side->lock);
    side->opened = g_ptr_array_new ();
    side->early = g_ptr_array_new_with_free_func (g_free);
    side->shared = gst_rtc_native_transport.start (&setup, &error);
    g_assert_no_error (error);
    gst_rtc_loop_call (pair->control, open_side, side);
  }
  return pair;
}

static void
make_offer (gpointer data)
{
  TransportPair *pair = data;
  TransportSide *side = &pair->sides[0];
  static const gchar caps[] = "application/x-rtp,media=audio,payload=97,encoding-name=PCMU,clock-rate=8000";
  GstRtcSdpTrack track = {.name = "audio_0", .kind = GST_RTC_KIND_AUDIO, .caps = gst_caps_from_string (caps)};
  guint n_tracks = pair->with_data[0] && pair->with_data[1] ? 0 : 1;

  track.codec = gst_rtc_codec_by_caps (track.caps);
  side->lines = gst_rtc_sdp_plan_offer (&track, n_tracks, 0, 0, pair->with_data[0]);
  side->transport->klass->make_offer (side->transport, side->lines, &track);
  gst_caps_unref (track.caps);
}

void
transport_pair_start (TransportPair *pair)
{
  gst_rtc_loop_call (pair->control, make_offer, pair);
}

static gboolean
are_connected (TransportPair *pair)
{
  guint n = 0;

  for (guint i = 0; i < 2; i++) {
    g_mutex_lock (&pair->sides[i].lock);
    g_assert_no_error (pair->sides[i].error);
    n += pair->sides[i].state == GST_RTC_TRANSPORT_CONNECTED;
    g_mutex_unlock (&pair->sides[i].lock);
  }
  return n == 2;
}

void
transport_pair_connect (TransportPair *pair)
{
  transport_pair_start (pair);
  transport_wait (are_connected (pair), 20);
}

static void
make_restart (gpointer data)
{
  TransportSide *side = data;

  side->transport->klass->make_restart (side->transport);
}

void
transport_pair_restart (TransportPair *pair)
{
  gint before = g_atomic_int_get (&pair->n_restarts);

  gst_rtc_loop_call (pair->control, make_restart, &pair->sides[0]);
  transport_wait (g_atomic_int_get (&pair->n_restarts) > before, 20);
}

static void
close_side (gpointer data)
{
  TransportSide *side = data;

  side->is_closed = TRUE;
  side->transport->klass->close (side->transport);
}

void
transport_pair_close (TransportPair *pair, guint number)
{
  if (!pair->sides[number].is_closed)
    gst_rtc_loop_call (pair->control, close_side, &pair->sides[number]);
}

void
transport_pair_free (TransportPair *pair)
{
  for (guint i = 0; i < 2; i++) {
    TransportSide *side = &pair->sides[i];

    transport_pair_close (pair, i);
    side->transport->klass->settle (side->transport);
    gst_element_set_state (side->transport->bin, GST_STATE_NULL);
    side->transport->klass->free (side->transport);
  }
  for (guint i = 0; i < 2; i++)
    gst_rtc_native_transport.stop (pair->sides[i].shared);
  gst_rtc_loop_free (pair->control);
  /* Channels outlive all that. */
  for (guint i = 0; i < pair->channels->len; i++) {
    TestChannel *channel = g_ptr_array_index (pair->channels, i);

    g_assert_true (test_channel_is (channel, GST_RTC_CHANNEL_CLOSED));
    g_assert_cmpuint (gst_rtc_channel_get_buffered (channel->channel), ==, 0);
    gst_rtc_channel_add_unread (channel->channel, 1);
  }
  g_ptr_array_unref (pair->channels);
  for (guint i = 0; i < 2; i++) {
    g_ptr_array_unref (pair->sides[i].opened);
    g_ptr_array_unref (pair->sides[i].early);
    g_clear_pointer (&pair->sides[i].lines, g_array_unref);
    g_clear_error (&pair->sides[i].error);
    g_mutex_clear (&pair->sides[i].lock);
  }
  g_mutex_clear (&pair->channels_lock);
  g_free (pair);
}

typedef struct
{
  TransportPair *pair;
  guint number;
  const GstRtcChannelInit *init;
  TestChannel *channel;
  GstStructure *stats;
} Call;

static void
open_on_control (gpointer data)
{
  Call *call = data;
  GstRtcTransport *transport = call->pair->sides[call->number].transport;
  GError *error = NULL;
  GstRtcChannel *channel = transport->klass->open_channel (transport, call->init, &error);

  g_assert_no_error (error);
  call->channel = test_channel_new (call->pair, channel);
}

TestChannel *
transport_pair_open (TransportPair *pair, guint number, const gchar *label, const GstRtcChannelInit *init)
{
  GstRtcChannelInit defaults = GST_RTC_CHANNEL_INIT;
  Call call = {.pair = pair, .number = number, .init = &defaults};

  if (init)
    defaults = *init;
  defaults.label = (gchar *)label;
  gst_rtc_loop_call (pair->control, open_on_control, &call);
  return call.channel;
}

static TestChannel *
find_opened (TransportSide *side, const gchar *label)
{
  TestChannel *found = NULL;

  g_mutex_lock (&side->lock);
  for (guint i = 0; i < side->opened->len; i++) {
    TestChannel *channel = g_ptr_array_index (side->opened, i);

    if (strcmp (channel->channel->init.label, label) == 0)
      found = channel;
  }
  g_mutex_unlock (&side->lock);
  return found;
}

TestChannel *
transport_pair_get_opened (TransportPair *pair, guint number, const gchar *label)
{
  TestChannel *found;

  transport_wait ((found = find_opened (&pair->sides[number], label)) != NULL, 20);
  return found;
}

static void
get_stats (gpointer data)
{
  Call *call = data;
  GstRtcTransport *transport = call->pair->sides[call->number].transport;

  transport->klass->add_stats (transport, call->stats);
}

GstStructure *
transport_pair_get_stats (TransportPair *pair, guint number)
{
  Call call = {.pair = pair, .number = number, .stats = gst_structure_new_empty ("stats")};

  gst_rtc_loop_call (pair->control, get_stats, &call);
  return call.stats;
}
