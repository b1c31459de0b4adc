/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcdata.h"

#include "base/gstrtcwebrtcchannel.h"

#include <string.h>

/* DATA_CHANNEL_OPEN without its strings (RFC 8832, section 5.1). */
#define OPEN_SIZE 12

/* The label, the two strings of DATA_CHANNEL_OPEN and 12 bytes are one message. */
#define MAX_STRINGS (GST_RTC_WEBRTC_MAX_MESSAGE - OPEN_SIZE)

typedef enum
{
  UNDECIDED,
  AGREED,
  NONE,
} Agreement;

struct _GstRtcWebrtcData
{
  /* set at construction */
  gchar *peer_id;

  /* loop */
  Agreement agreement;
  GPtrArray *channels; /* of GstRtcChannel (owned) */
  GPtrArray *untold; /* of those: the peer's */
  gboolean was_offered; /* by us */
  GObject *filler; /* a channel that nobody has; NULL: none */
};

/* A channel on its way from webrtcbin's thread to the loop. */
typedef struct
{
  GstRtcWebrtc *t;
  GstRtcWebrtcChannel *channel;
} Came;

static void on_data_channel (GstElement *webrtc, GObject *object, gpointer user_data);

void
gst_rtc_webrtc_data_init (GstRtcWebrtc *t, const gchar *peer_id, gboolean with_data)
{
  GstRtcWebrtcData *data = g_new0 (GstRtcWebrtcData, 1);

  data->peer_id = g_strdup (peer_id);
  data->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  data->untold = g_ptr_array_new ();
  data->agreement = with_data ? UNDECIDED : NONE;
  t->data = data;
  g_signal_connect (t->webrtc, "on-data-channel", G_CALLBACK (on_data_channel), t);
}

void
gst_rtc_webrtc_data_free (GstRtcWebrtcData *data)
{
  g_ptr_array_unref (data->untold);
  g_ptr_array_unref (data->channels);
  g_clear_object (&data->filler);
  g_free (data->peer_id);
  g_free (data);
}

/* The loop. */

static GstRtcWebrtcChannel *
get_channel (GstRtcWebrtcData *data, guint i)
{
  return (GstRtcWebrtcChannel *)g_ptr_array_index (data->channels, i);
}

/* Those that are closed go. */
static void
forget_closed (gpointer user_data)
{
  GstRtcWebrtcData *data = ((GstRtcWebrtc *)user_data)->data;

  for (guint i = data->channels->len; i-- > 0;) {
    GstRtcChannel *channel = g_ptr_array_index (data->channels, i);

    if (gst_rtc_channel_get_state (channel) != GST_RTC_CHANNEL_CLOSED)
      continue;
    g_ptr_array_remove (data->untold, channel);
    g_ptr_array_remove_index (data->channels, i);
  }
}

/* Any thread. */
static void
on_state (GstRtcChannel *channel, GstRtcChannelState state, const GError *error, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;

  if (state == GST_RTC_CHANNEL_CLOSED)
    gst_rtc_loop_post (t->loop, forget_closed, gst_rtc_webrtc_ref (t), gst_rtc_webrtc_unref);
}

static const GstRtcChannelEvents channel_events = {.state = on_state};

static void
start_channel (GstRtcWebrtc *t, GstRtcWebrtcChannel *channel)
{
  GstElement *sctpenc = gst_rtc_webrtc_sctp_get_encoder (t->sctp);

  if (sctpenc)
    gst_rtc_webrtc_channel_set_encoder (channel, sctpenc);
  gst_clear_object (&sctpenc);
  gst_rtc_webrtc_channel_start (channel);
}

static void
add_channel (GstRtcWebrtc *t, GstRtcWebrtcChannel *channel)
{
  GstRtcChannel *base = gst_rtc_webrtc_channel_get_base (channel);

  g_ptr_array_add (t->data->channels, gst_rtc_channel_ref (base));
  gst_rtc_channel_add_listener (base, &channel_events, gst_rtc_webrtc_ref (t), gst_rtc_webrtc_unref);
}

static void
tell_channel (GstRtcWebrtc *t, GstRtcWebrtcChannel *channel)
{
  t->base.events->channel (&t->base, gst_rtc_webrtc_channel_get_base (channel), t->base.user_data);
  start_channel (t, channel);
}

static void
take_channel (gpointer user_data)
{
  Came *came = user_data;
  GstRtcWebrtc *t = came->t;

  if (t->gate.is_closed) {
    gst_rtc_webrtc_channel_shutdown (came->channel, NULL);
    return;
  }
  add_channel (t, came->channel);
  if (t->state >= GST_RTC_TRANSPORT_CONNECTED)
    tell_channel (t, came->channel);
  else
    g_ptr_array_add (t->data->untold, came->channel);
}

static void
came_free (gpointer user_data)
{
  Came *came = user_data;

  gst_rtc_channel_unref (gst_rtc_webrtc_channel_get_base (came->channel));
  gst_rtc_webrtc_unref (came->t);
  g_free (came);
}

/* webrtcbin's thread, with its locks. */
static void
on_data_channel (GstElement *webrtc, GObject *object, gpointer user_data)
{
  GstRtcWebrtc *t = user_data;
  Came *came = g_new (Came, 1);

  came->t = gst_rtc_webrtc_ref (t);
  came->channel = gst_rtc_webrtc_channel_new (object, t->loop, t->data->peer_id,
      GST_RTC_WEBRTC_CHANNEL_REMOTE | GST_RTC_WEBRTC_CHANNEL_OPEN | GST_RTC_WEBRTC_CHANNEL_MENDED);
  gst_rtc_loop_post (t->loop, take_channel, came, came_free);
}

void
gst_rtc_webrtc_data_connected (GstRtcWebrtc *t)
{
  GstRtcWebrtcData *data = t->data;
  GPtrArray *all = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);

  gst_rtc_webrtc_sctp_allow (t->sctp);
  for (guint i = 0; i < data->channels->len; i++)
    g_ptr_array_add (all, gst_rtc_channel_ref (g_ptr_array_index (data->channels, i)));
  for (guint i = 0; i < all->len; i++) {
    GstRtcWebrtcChannel *channel = g_ptr_array_index (all, i);

    if (g_ptr_array_remove (data->untold, channel))
      tell_channel (t, channel);
    else
      start_channel (t, channel);
  }
  g_ptr_array_unref (all);
}

static void
end_channels (GstRtcWebrtc *t, GError *error)
{
  g_ptr_array_set_size (t->data->untold, 0);
  while (t->data->channels->len > 0) {
    GstRtcChannel *channel = g_ptr_array_steal_index (t->data->channels, 0);

    gst_rtc_webrtc_channel_shutdown ((GstRtcWebrtcChannel *)channel, error);
    gst_rtc_channel_unref (channel);
  }
  g_error_free (error);
}

static GError *
make_none_error (GstRtcWebrtc *t)
{
  if (t->data->was_offered)
    return g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER,
        "Peer %s takes no data channels, or on another SCTP port than 5000, which webrtcbin cannot use: "
        "transport=native "
        "of rtcbin can",
        t->data->peer_id);
  if (t->is_offerer)
    return g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER,
        "The connection to peer %s was made without data channels, and webrtcbin cannot add them to one that is there: "
        "ask for the channel before the peer comes, or use rtcbin's property transport=native",
        t->data->peer_id);
  return g_error_new (GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_PEER,
      "Peer %s has offered no data channels, and webrtcbin cannot add them: have the peer offer them, or use rtcbin's "
      "property transport=native at the side that offers",
      t->data->peer_id);
}

void
gst_rtc_webrtc_data_agreed (GstRtcWebrtc *t)
{
  t->data->agreement = NONE;
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);

    if (line->is_data && line->accepted)
      t->data->agreement = AGREED;
  }
  if (t->data->agreement == AGREED)
    return;
  gst_rtc_webrtc_sctp_keep_from_starting (t->sctp);
  end_channels (t, make_none_error (t));
}

void
gst_rtc_webrtc_data_close (GstRtcWebrtc *t)
{
  end_channels (t,
      g_error_new (
          GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to peer %s was closed", t->data->peer_id));
}

/* Opening. */

static GObject *
create (GstRtcWebrtc *t, const GstRtcChannelInit *init)
{
  GstStructure *options = gst_rtc_webrtc_channel_make_options (init);
  GObject *object = NULL;

  g_signal_emit_by_name (t->webrtc, "create-data-channel", init->label ? init->label : "", options, &object);
  gst_structure_free (options);
  return object;
}

void
gst_rtc_webrtc_data_offer (GstRtcWebrtc *t)
{
  GstRtcChannelInit init = GST_RTC_CHANNEL_INIT;

  /* The peer does not hear of it. */
  init.negotiated = TRUE;
  init.id = GST_RTC_WEBRTC_MAX_ID;
  t->data->was_offered = TRUE;
  if (t->data->channels->len == 0)
    t->data->filler = create (t, &init);
}

static gboolean
id_is_free (GstRtcWebrtcData *data, gint id)
{
  gboolean is_free = !(data->filler && id == GST_RTC_WEBRTC_MAX_ID);

  for (guint i = 0; i < data->channels->len; i++)
    is_free &= gst_rtc_channel_get_id (gst_rtc_webrtc_channel_get_base (get_channel (data, i))) != id;
  return is_free;
}

/* Once webrtcbin has SCTP it fails an assertion instead of making a negotiated channel: the number of channels that it
 * compares the id with stays 0 (to 1.29.2 at least). */
static gboolean
takes_id (GstRtcWebrtc *t, gint id)
{
  GObject *sctp = NULL;
  guint most = GST_RTC_WEBRTC_MAX_ID;

  g_object_get (t->webrtc, "sctp-transport", &sctp, NULL);
  if (!sctp)
    return TRUE;
  g_object_get (sctp, "max-channels", &most, NULL);
  g_object_unref (sctp);
  return id <= (gint)most;
}

static gboolean
check_init (GstRtcWebrtc *t, const GstRtcChannelInit *init, GError **error)
{
  gsize strings = (init->label ? strlen (init->label) : 0) + (init->protocol ? strlen (init->protocol) : 0);

  if (t->gate.is_closed)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to peer %s was closed",
        t->data->peer_id);
  else if (t->data->agreement == NONE)
    g_propagate_error (error, make_none_error (t));
  else if (init->max_retransmits >= 0 && init->max_packet_lifetime >= 0)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "max-retransmits and max-packet-lifetime are both set, and a channel can have only one of the two");
  else if (strings > MAX_STRINGS)
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "label and protocol have %" G_GSIZE_FORMAT
        " bytes, and %d are the most with webrtcbin: make them shorter, or use rtcbin's property transport=native",
        strings, MAX_STRINGS);
  else if (init->negotiated && (init->id < 0 || init->id > GST_RTC_WEBRTC_MAX_ID))
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_ID,
        "A negotiated data channel has the id %d; 0 to %d is expected", init->id, GST_RTC_WEBRTC_MAX_ID);
  else if (init->negotiated && !id_is_free (t->data, init->id))
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_ID,
        "The data channel id %d to peer %s is in use already", init->id, t->data->peer_id);
  else if (init->negotiated && !takes_id (t, init->id))
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "webrtcbin makes no negotiated channel on a connection that is there: ask for it before peer %s comes, leave "
        "out negotiated, or use rtcbin's property transport=native",
        t->data->peer_id);
  else
    return TRUE;
  return FALSE;
}

GstRtcChannel *
gst_rtc_webrtc_open_channel (GstRtcTransport *base, const GstRtcChannelInit *init, GError **error)
{
  GstRtcWebrtc *t = (GstRtcWebrtc *)base;
  GstRtcWebrtcChannel *channel;
  GObject *object;

  if (!check_init (t, init, error))
    return NULL;
  object = create (t, init);
  if (!object) {
    g_set_error (error, GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_CONFIG,
        "webrtcbin made no data channel \"%s\": it needs the elements sctpenc and sctpdec (package "
        "gstreamer1.0-plugins-bad on Debian), and an id that is free; or use rtcbin's property transport=native",
        init->label);
    return NULL;
  }
  channel = gst_rtc_webrtc_channel_new (object, t->loop, t->data->peer_id, GST_RTC_WEBRTC_CHANNEL_MENDED);
  g_object_unref (object);
  add_channel (t, channel);
  if (t->state >= GST_RTC_TRANSPORT_CONNECTED)
    start_channel (t, channel);
  return gst_rtc_webrtc_channel_get_base (channel);
}
