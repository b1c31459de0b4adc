/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcreset.h"

#include <gst/base/gstdataqueue.h>

#define PATIENCE G_TIME_SPAN_SECOND
#define STEP 200 /* microseconds */

/* A pad of sctpdec: its type is not public, and tells no more of its queue. */
typedef struct
{
  GstPad pad;
  GstDataQueue *queue;
} DecoderPad;

static gboolean
has_queue (GstPad *pad)
{
  GTypeQuery query;

  g_type_query (G_OBJECT_TYPE (pad), &query);
  return query.instance_size == sizeof (DecoderPad);
}

/* The pad's own thread empties it. What it is in the midst of is no more in there, and is waited for by sctpdec. */
static void
wait_until_empty (GstPad *pad)
{
  gint64 end = g_get_monotonic_time () + PATIENCE;

  while (!gst_data_queue_is_empty (((DecoderPad *)pad)->queue) && g_get_monotonic_time () < end)
    g_usleep (STEP);
}

/* A hook and not a handler: it comes before sctpdec's own handler, which was there first. */
static gboolean
before_reset (GSignalInvocationHint *hint, guint n, const GValue *values, gpointer user_data)
{
  GstElement *sctpdec = user_data;
  guint id = 0, wanted = 0;
  gchar *name;
  GstPad *pad;

  g_object_get (g_value_get_object (&values[0]), "association-id", &id, NULL);
  g_object_get (sctpdec, "sctp-association-id", &wanted, NULL);
  if (id != wanted)
    return TRUE;
  name = g_strdup_printf ("src_%u", g_value_get_uint (&values[1]));
  pad = gst_element_get_static_pad (sctpdec, name);
  g_free (name);
  if (pad && has_queue (pad))
    wait_until_empty (pad);
  gst_clear_object (&pad);
  return TRUE;
}

static guint
find_signal (void)
{
  GType type = g_type_from_name ("GstSctpAssociation");
  GSignalQuery query = {0};

  if (type)
    g_signal_query (g_signal_lookup ("stream-reset", type), &query);
  return query.signal_id && query.n_params == 1 && query.param_types[0] == G_TYPE_UINT ? query.signal_id : 0;
}

gulong
gst_rtc_webrtc_reset_watch (GstElement *sctpdec)
{
  guint signal = find_signal ();

  return signal ? g_signal_add_emission_hook (signal, 0, before_reset, gst_object_ref (sctpdec), gst_object_unref) : 0;
}

void
gst_rtc_webrtc_reset_unwatch (gulong id)
{
  if (id)
    g_signal_remove_emission_hook (find_signal (), id);
}
