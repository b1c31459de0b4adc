/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcdata.h"
#include "gstrtcwebrtcreset.h"

#include "base/gstrtcwebrtcchannel.h"

#include <gst/sctp/sctpreceivemeta.h>
#include <gst/sctp/sctpsendmeta.h>

#include <stdio.h>
#include <string.h>

/* DATA_CHANNEL_OPEN without its strings (RFC 8832, section 5.1). */
#define OPEN_SIZE 12

/* Up to GStreamer 1.29 the faults were looked at that are mended here. */
#define LAST_MINOR 29

/* The label, the two strings of DATA_CHANNEL_OPEN and 12 bytes are one message. */
#define MAX_STRINGS (GST_RTC_WEBRTC_MAX_MESSAGE - OPEN_SIZE)

/* RFC 8831, section 8. */
enum
{
  PPID_STRING = 51,
  PPID_BINARY = 53,
  PPID_STRING_EMPTY = 56,
  PPID_BINARY_EMPTY = 57,
};

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

  GMutex lock;
  /* under lock */
  GstElement *sctpenc, *sctpdec; /* webrtcbin's; NULL: not made yet */
  gboolean is_checked; /* the certificate */
  GPtrArray *held; /* of GstPad (owned), sctpenc's, which wait for that */
  gulong reset_watch; /* 0: none */

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

  g_mutex_init (&data->lock);
  data->peer_id = g_strdup (peer_id);
  data->held = g_ptr_array_new_with_free_func (gst_object_unref);
  data->channels = g_ptr_array_new_with_free_func (gst_rtc_channel_unref);
  data->untold = g_ptr_array_new ();
  data->agreement = with_data ? UNDECIDED : NONE;
  t->data = data;
  g_signal_connect (t->webrtc, "on-data-channel", G_CALLBACK (on_data_channel), t);
}

void
gst_rtc_webrtc_data_free (GstRtcWebrtcData *data)
{
  g_ptr_array_unref (data->held);
  g_ptr_array_unref (data->untold);
  g_ptr_array_unref (data->channels);
  gst_rtc_webrtc_reset_unwatch (data->reset_watch);
  gst_clear_object (&data->sctpenc);
  gst_clear_object (&data->sctpdec);
  g_clear_object (&data->filler);
  g_mutex_clear (&data->lock);
  g_free (data->peer_id);
  g_free (data);
}

/* Mending what webrtcbin sends. */

/* The version of ELEMENT's plugin, when it is newer than what was looked at; else NULL. */
static const gchar *
get_newer_version (GstElement *element)
{
  GstPlugin *plugin = gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (gst_element_get_factory (element)));
  const gchar *version = g_intern_string (plugin ? gst_plugin_get_version (plugin) : "");
  guint major = 0, minor = 0;

  gst_clear_object (&plugin);
  return sscanf (version, "%u.%u", &major, &minor) == 2 && (major > 1 || minor > LAST_MINOR) ? version : NULL;
}

/* There is no telling from outside whether a later one has the limits right (mend_buffer()): SCTP shows it only when
 * packets are lost. */
static void
warn_of_newer_sctp (GstElement *sctpenc)
{
  const gchar *version = get_newer_version (sctpenc);

  if (version)
    GST_WARNING_OBJECT (sctpenc,
        "GStreamer %s is newer than what was looked at (1.%d): should its sctpenc have max-retransmits and "
        "max-packet-lifetime right, they do not limit here; rtcbin's property transport=native can be relied on",
        version, LAST_MINOR);
}

/* An own reference is the pad's only user here: what comes from webrtcbin's appsrc is not shared. */
static GstPadProbeReturn
mend_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  GstSctpSendMeta *meta = gst_sctp_buffer_get_send_meta (buffer);
  guint n = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (pad), GST_RTC_WEBRTC_ENTERED));

  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  /* sctpenc takes the limit for one in network order, which it is not, and never reaches it (sctpassociation.c:
   * pr_value = g_htonl (...); all releases to 1.29.2 of August 2026). */
  if (meta && meta->pr != GST_SCTP_SEND_META_PARTIAL_RELIABILITY_NONE)
    meta->pr_param = GUINT32_TO_BE (meta->pr_param);
  /* SCTP has no message without a byte; the identifier says that it is none (RFC 8831, section 6.6). */
  if (meta && gst_buffer_get_size (buffer) == 0) {
    meta->ppid = meta->ppid == PPID_STRING ? PPID_STRING_EMPTY : PPID_BINARY_EMPTY;
    gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 1, NULL));
  }
  g_object_set_data (G_OBJECT (pad), GST_RTC_WEBRTC_ENTERED, GUINT_TO_POINTER (n + 1));
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return GST_PAD_PROBE_OK;
}

static void
on_encoder_pad (GstElement *sctpenc, GstPad *pad, gpointer user_data)
{
  GstRtcWebrtcData *data = ((GstRtcWebrtc *)user_data)->data;
  gulong id;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SINK)
    return;
  g_mutex_lock (&data->lock);
  if (!data->is_checked) {
    id = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold, NULL, NULL);
    g_object_set_data (G_OBJECT (pad), "rtclink-hold", GSIZE_TO_POINTER (id));
    g_ptr_array_add (data->held, gst_object_ref (pad));
  }
  g_mutex_unlock (&data->lock);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, mend_buffer, NULL, NULL);
}

/* webrtcbin (to 1.29.2 at least) takes the identifiers of empty messages for each other's. It is never shown one, but a
 * text or data of no length, so that it does not matter whether it still does. */
static GstPadProbeReturn
mend_received (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstSctpReceiveMeta *meta = gst_sctp_buffer_get_receive_meta (buffer);

  if (!meta || (meta->ppid != PPID_STRING_EMPTY && meta->ppid != PPID_BINARY_EMPTY))
    return GST_PAD_PROBE_OK;
  buffer = gst_buffer_make_writable (buffer);
  meta = gst_sctp_buffer_get_receive_meta (buffer);
  meta->ppid = meta->ppid == PPID_STRING_EMPTY ? PPID_STRING : PPID_BINARY;
  gst_buffer_resize (buffer, 0, 0);
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  return GST_PAD_PROBE_OK;
}

/* Before webrtcbin's own handler, which cannot answer on a stream that its SCTP does not have: an error of all
 * channels.
 */
static void
on_decoder_pad (GstElement *sctpdec, GstPad *pad, gpointer user_data)
{
  GstRtcWebrtcData *data = ((GstRtcWebrtc *)user_data)->data;
  guint id;

  if (sscanf (GST_PAD_NAME (pad), "src_%u", &id) != 1)
    return;
  g_mutex_lock (&data->lock);
  if (!data->reset_watch && !get_newer_version (sctpdec))
    data->reset_watch = gst_rtc_webrtc_reset_watch (sctpdec);
  g_mutex_unlock (&data->lock);
  if (id <= GST_RTC_WEBRTC_MAX_ID) {
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, mend_received, NULL, NULL);
    return;
  }
  GST_WARNING_OBJECT (sctpdec, "the peer opened data channel %u, and webrtcbin has only 0 to %d: it is ignored", id,
      GST_RTC_WEBRTC_MAX_ID);
  g_signal_stop_emission_by_name (sctpdec, "pad-added");
}

void
gst_rtc_webrtc_data_tune_element (GstRtcWebrtc *t, GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  const gchar *name = factory ? GST_OBJECT_NAME (factory) : "";
  gboolean is_encoder = strcmp (name, "sctpenc") == 0;

  if (!is_encoder && strcmp (name, "sctpdec") != 0)
    return;
  g_signal_connect (element, "pad-added", is_encoder ? G_CALLBACK (on_encoder_pad) : G_CALLBACK (on_decoder_pad), t);
  if (is_encoder)
    warn_of_newer_sctp (element);
  g_mutex_lock (&t->data->lock);
  gst_object_replace ((GstObject **)(is_encoder ? &t->data->sctpenc : &t->data->sctpdec), GST_OBJECT (element));
  g_mutex_unlock (&t->data->lock);
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
  GstElement *sctpenc;

  g_mutex_lock (&t->data->lock);
  sctpenc = t->data->sctpenc ? gst_object_ref (t->data->sctpenc) : NULL;
  g_mutex_unlock (&t->data->lock);
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
  GPtrArray *all = g_ptr_array_new_with_free_func (gst_rtc_channel_unref), *held;

  g_mutex_lock (&data->lock);
  data->is_checked = TRUE;
  held = data->held;
  data->held = g_ptr_array_new_with_free_func (gst_object_unref);
  g_mutex_unlock (&data->lock);
  for (guint i = 0; i < held->len; i++) {
    GstPad *pad = g_ptr_array_index (held, i);

    gst_pad_remove_probe (pad, GPOINTER_TO_SIZE (g_object_get_data (G_OBJECT (pad), "rtclink-hold")));
  }
  g_ptr_array_unref (held);
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
  GstElement *sctpdec = NULL;

  t->data->agreement = NONE;
  for (guint i = 0; i < t->lines->len; i++) {
    const GstRtcLine *line = &g_array_index (t->lines, GstRtcLine, i);

    if (line->is_data && line->accepted)
      t->data->agreement = AGREED;
  }
  if (t->data->agreement == AGREED)
    return;
  /* It would ask a peer that has no SCTP until it gives up, which is an error of the whole connection. webrtcbin starts
   * what it finds locked. */
  g_mutex_lock (&t->data->lock);
  if (t->data->sctpdec)
    sctpdec = gst_object_ref (t->data->sctpdec);
  g_mutex_unlock (&t->data->lock);
  if (sctpdec)
    gst_element_set_locked_state (sctpdec, FALSE);
  gst_clear_object (&sctpdec);
  end_channels (t, make_none_error (t));
}

void
gst_rtc_webrtc_data_close (GstRtcWebrtc *t)
{
  end_channels (t,
      g_error_new (
          GST_RTC_CHANNEL_ERROR, GST_RTC_CHANNEL_ERROR_LINK, "The connection to peer %s was closed", t->data->peer_id));
}

/* sctpenc waits for room in SCTP for ever when it is stopped meanwhile, and with it who stops it (GStreamer before
 * 1.24: commit a1f07271, "sctpenc: Fix potential shutdown deadlock"). A flush from downstream ends the wait. */
static void
flush_encoder (GstElement *sctpenc)
{
  GstPad *pad = gst_element_get_static_pad (sctpenc, "src");

  gst_pad_send_event (pad, gst_event_new_flush_start ());
  gst_object_unref (pad);
}

/* sctpdec makes a pad with the first message of a stream, and frees all when it is stopped, also one that it is just
 * about to use. Nothing comes in any more (GstRtcWebrtcGate); what is in there is awaited. */
static void
await_decoder (GstElement *sctpdec)
{
  GstPad *pad = gst_element_get_static_pad (sctpdec, "sink");

  GST_PAD_STREAM_LOCK (pad);
  GST_PAD_STREAM_UNLOCK (pad);
  gst_object_unref (pad);
}

void
gst_rtc_webrtc_data_settle (GstRtcWebrtc *t)
{
  GstElement *sctpenc = NULL, *sctpdec = NULL;

  g_mutex_lock (&t->data->lock);
  gst_object_replace ((GstObject **)&sctpenc, (GstObject *)t->data->sctpenc);
  gst_object_replace ((GstObject **)&sctpdec, (GstObject *)t->data->sctpdec);
  g_mutex_unlock (&t->data->lock);
  if (sctpenc)
    flush_encoder (sctpenc);
  if (sctpdec)
    await_decoder (sctpdec);
  gst_clear_object (&sctpenc);
  gst_clear_object (&sctpdec);
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
