/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcpad.h"

struct _GstRtcPad
{
  GstGhostPad parent;

  /* OBJECT_LOCK */
  gchar *peer_id, *mid, *stream_name, *rid;

  gint ending; /* atomic */
};

enum
{
  PROP_0,
  PROP_PEER_ID,
  PROP_MID,
  PROP_STREAM_NAME,
  PROP_RID,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

G_DEFINE_TYPE (GstRtcPad, gst_rtc_pad, GST_TYPE_GHOST_PAD)

/* Streams come and go behind the pad; downstream sees one stream that has gaps. */
static GstPadProbeReturn
pad_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS)
    return g_atomic_int_get (&GST_RTC_PAD (pad)->ending) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
  return GST_PAD_PROBE_OK;
}

/* Nobody has to link every pad: what is not linked must not stop the connection with NOT_LINKED. */
static GstPadProbeReturn
pad_data (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  return gst_pad_is_linked (pad) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

GstPad *
gst_rtc_pad_new (const gchar *name, GstPadTemplate *templ)
{
  GstPad *pad = g_object_new (GST_TYPE_RTC_PAD, "name", name, "direction", GST_PAD_SRC, "template", templ, NULL);

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, pad_event, NULL, NULL);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, pad_data, NULL, NULL);
  return pad;
}

void
gst_rtc_pad_end (GstRtcPad *self)
{
  g_atomic_int_set (&self->ending, TRUE);
  gst_pad_push_event (GST_PAD_CAST (self), gst_event_new_eos ());
}

static gboolean
set_string (gchar **field, const gchar *value)
{
  gboolean changed = g_strcmp0 (*field, value) != 0;

  if (changed) {
    g_free (*field);
    *field = g_strdup (value);
  }
  return changed;
}

void
gst_rtc_pad_describe (
    GstRtcPad *self, const gchar *peer_id, const gchar *mid, const gchar *stream_name, const gchar *rid)
{
  gboolean changed[N_PROPS] = {FALSE};

  GST_OBJECT_LOCK (self);
  changed[PROP_PEER_ID] = set_string (&self->peer_id, peer_id);
  changed[PROP_MID] = set_string (&self->mid, mid);
  changed[PROP_STREAM_NAME] = set_string (&self->stream_name, stream_name);
  changed[PROP_RID] = set_string (&self->rid, rid);
  GST_OBJECT_UNLOCK (self);
  for (guint i = 1; i < N_PROPS; i++) {
    if (changed[i])
      g_object_notify_by_pspec (G_OBJECT (self), props[i]);
  }
}

static void
gst_rtc_pad_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstRtcPad *self = GST_RTC_PAD (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_PEER_ID:
      g_value_set_string (value, self->peer_id);
      break;
    case PROP_MID:
      g_value_set_string (value, self->mid);
      break;
    case PROP_STREAM_NAME:
      g_value_set_string (value, self->stream_name);
      break;
    case PROP_RID:
      g_value_set_string (value, self->rid);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_rtc_pad_finalize (GObject *object)
{
  GstRtcPad *self = GST_RTC_PAD (object);

  g_free (self->peer_id);
  g_free (self->mid);
  g_free (self->stream_name);
  g_free (self->rid);
  G_OBJECT_CLASS (gst_rtc_pad_parent_class)->finalize (object);
}

static void
gst_rtc_pad_init (GstRtcPad *self)
{
}

static void
gst_rtc_pad_class_init (GstRtcPadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = gst_rtc_pad_get_property;
  object_class->finalize = gst_rtc_pad_finalize;

  /**
   * GstRtcPad:peer-id:
   *
   * Who sends the stream: an identifier of the signaling server's. %NULL when that peer left and the pad waits for
   * the next one.
   *
   * Since: 0.1
   */
  props[PROP_PEER_ID] = g_param_spec_string ("peer-id", "Peer ID",
      "Who sends the stream, as the signaling names the peer; NULL when it left", NULL,
      G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * GstRtcPad:mid:
   *
   * Which section of the session description it is in (RFC 5888).
   *
   * Since: 0.1
   */
  props[PROP_MID] = g_param_spec_string ("mid", "MID", "Media section of the session description (a=mid, RFC 5888)",
      NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * GstRtcPad:stream-name:
   *
   * The peer's name for the stream: the first part of a=msid (RFC 8830). Streams of one name belong together, as a
   * camera and its microphone do.
   *
   * Since: 0.1
   */
  props[PROP_STREAM_NAME] = g_param_spec_string ("stream-name", "Stream name",
      "The peer's name for the stream (a=msid, RFC 8830); the streams of one name belong together", NULL,
      G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * GstRtcPad:rid:
   *
   * Which simulcast layer of the section it is (RFC 8852): each is a pad of its own. %NULL without simulcast.
   *
   * Since: 0.1
   */
  props[PROP_RID] =
      g_param_spec_string ("rid", "RID", "Simulcast layer of the media section (RFC 8852); NULL when there is only one",
          NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
}
