/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcsctp.h"
#include "gstrtcwebrtcreset.h"

#include "base/gstrtcwebrtcchannel.h"

#include <gst/sctp/sctpreceivemeta.h>
#include <gst/sctp/sctpsendmeta.h>

#include <stdio.h>
#include <string.h>

/* Up to GStreamer 1.29 the faults were looked at that are mended here. */
#define LAST_MINOR 29

/* RFC 8831, section 8. */
enum
{
  PPID_STRING = 51,
  PPID_BINARY = 53,
  PPID_STRING_EMPTY = 56,
  PPID_BINARY_EMPTY = 57,
};

struct _GstRtcWebrtcSctp
{
  GMutex lock;
  /* under lock */
  GstElement *sctpenc, *sctpdec; /* NULL: not made yet */
  gboolean is_allowed;
  GPtrArray *held; /* of GstPad (owned), sctpenc's, which wait for that */
  gulong reset_watch; /* 0: none */
  guint id; /* of the association; 0: webrtcbin's own */
  GObject *prepared; /* the newest channel, whose elements come next; not owned: it may be gone after that */
};

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
  GstRtcWebrtcSctp *self = user_data;
  gulong id;

  if (GST_PAD_DIRECTION (pad) != GST_PAD_SINK)
    return;
  g_mutex_lock (&self->lock);
  if (!self->is_allowed) {
    id = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold, NULL, NULL);
    g_object_set_data (G_OBJECT (pad), "rtclink-hold", GSIZE_TO_POINTER (id));
    g_ptr_array_add (self->held, gst_object_ref (pad));
  }
  g_mutex_unlock (&self->lock);
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
  GstRtcWebrtcSctp *self = user_data;
  guint id;

  if (sscanf (GST_PAD_NAME (pad), "src_%u", &id) != 1)
    return;
  g_mutex_lock (&self->lock);
  if (!self->reset_watch && !get_newer_version (sctpdec))
    self->reset_watch = gst_rtc_webrtc_reset_watch (sctpdec);
  g_mutex_unlock (&self->lock);
  if (id <= GST_RTC_WEBRTC_MAX_ID) {
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, mend_received, NULL, NULL);
    return;
  }
  GST_WARNING_OBJECT (sctpdec, "the peer opened data channel %u, and webrtcbin has only 0 to %d: it is ignored", id,
      GST_RTC_WEBRTC_MAX_ID);
  g_signal_stop_emission_by_name (sctpdec, "pad-added");
}

/* Which association of the process it is. webrtcbin before 1.28 takes one of 65535 numbers at random: of 300
 * connections two have the same every second time, and then one has no channels, or both hang (4e4f8b7a, "webrtc: fix
 * hangup when duplicate sctp association IDs chosen"). */
static GMutex ids_lock;
static GHashTable *ids; /* under ids_lock: those in use */

static guint
take_id (void)
{
  static guint last; /* under ids_lock */
  guint id;

  g_mutex_lock (&ids_lock);
  if (!ids)
    ids = g_hash_table_new (NULL, NULL);
  do
    id = last = last % G_MAXUINT16 + 1;
  while (!g_hash_table_add (ids, GUINT_TO_POINTER (id)) && g_hash_table_size (ids) < G_MAXUINT16);
  g_mutex_unlock (&ids_lock);
  return id;
}

static void
give_id_back (guint id)
{
  g_mutex_lock (&ids_lock);
  g_hash_table_remove (ids, GUINT_TO_POINTER (id));
  g_mutex_unlock (&ids_lock);
}

/* Both are there, and not started. */
static void
set_id (GstRtcWebrtcSctp *self)
{
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (self->sctpdec), "automatic-association-id"))
    return;
  self->id = take_id ();
  g_object_set (self->sctpdec, "sctp-association-id", self->id, NULL);
  g_object_set (self->sctpenc, "sctp-association-id", self->id, NULL);
}

/* Channels. */

/* webrtcbin's thread, with its lock of the channels, which the elements of this one come under as well. */
static void
on_prepare (GstElement *webrtc, GObject *channel, gboolean is_local, gpointer user_data)
{
  GstRtcWebrtcSctp *self = user_data;

  g_mutex_lock (&self->lock);
  self->prepared = channel;
  g_mutex_unlock (&self->lock);
}

/* BIN has the appsrc or the appsink of a channel, whose thread and whose messages use the channel without a reference.
 * webrtcbin lets go of one that is closed while they run (before 1.24.9, and 1.26). */
static void
keep_channel (GstRtcWebrtcSctp *self, GstBin *bin)
{
  GObject *channel;

  g_mutex_lock (&self->lock);
  channel = self->prepared ? g_object_ref (self->prepared) : NULL;
  g_mutex_unlock (&self->lock);
  if (channel)
    g_object_set_data_full (G_OBJECT (bin), "rtclink-channel", channel, g_object_unref);
}

/* What is called from outside. */

GstRtcWebrtcSctp *
gst_rtc_webrtc_sctp_new (GstElement *webrtc)
{
  GstRtcWebrtcSctp *self = g_new0 (GstRtcWebrtcSctp, 1);

  g_mutex_init (&self->lock);
  self->held = g_ptr_array_new_with_free_func (gst_object_unref);
  g_signal_connect (webrtc, "prepare-data-channel", G_CALLBACK (on_prepare), self);
  return self;
}

void
gst_rtc_webrtc_sctp_free (GstRtcWebrtcSctp *self)
{
  g_ptr_array_unref (self->held);
  gst_rtc_webrtc_reset_unwatch (self->reset_watch);
  gst_clear_object (&self->sctpenc);
  gst_clear_object (&self->sctpdec);
  if (self->id)
    give_id_back (self->id);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
keep (GstRtcWebrtcSctp *self, GstElement **where, GstElement *element)
{
  g_mutex_lock (&self->lock);
  gst_object_replace ((GstObject **)where, GST_OBJECT (element));
  if (self->sctpenc && self->sctpdec && !self->id)
    set_id (self);
  g_mutex_unlock (&self->lock);
}

void
gst_rtc_webrtc_sctp_tune_element (GstRtcWebrtcSctp *self, GstBin *bin, GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  const gchar *name = factory ? GST_OBJECT_NAME (factory) : "";

  if (strcmp (name, "sctpenc") == 0) {
    g_signal_connect (element, "pad-added", G_CALLBACK (on_encoder_pad), self);
    warn_of_newer_sctp (element);
    keep (self, &self->sctpenc, element);
  } else if (strcmp (name, "sctpdec") == 0) {
    g_signal_connect (element, "pad-added", G_CALLBACK (on_decoder_pad), self);
    keep (self, &self->sctpdec, element);
  } else if (strcmp (name, "appsrc") == 0 || strcmp (name, "appsink") == 0) {
    keep_channel (self, bin);
  }
}

void
gst_rtc_webrtc_sctp_allow (GstRtcWebrtcSctp *self)
{
  GPtrArray *held;

  g_mutex_lock (&self->lock);
  self->is_allowed = TRUE;
  held = self->held;
  self->held = g_ptr_array_new_with_free_func (gst_object_unref);
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < held->len; i++) {
    GstPad *pad = g_ptr_array_index (held, i);

    gst_pad_remove_probe (pad, GPOINTER_TO_SIZE (g_object_get_data (G_OBJECT (pad), "rtclink-hold")));
  }
  g_ptr_array_unref (held);
}

static GstElement *
get_element (GstRtcWebrtcSctp *self, GstElement **where)
{
  GstElement *element;

  g_mutex_lock (&self->lock);
  element = *where ? gst_object_ref (*where) : NULL;
  g_mutex_unlock (&self->lock);
  return element;
}

GstElement *
gst_rtc_webrtc_sctp_get_encoder (GstRtcWebrtcSctp *self)
{
  return get_element (self, &self->sctpenc);
}

/* It would ask a peer that has no SCTP until it gives up, which is an error of the whole connection. webrtcbin starts
 * what it finds locked. */
void
gst_rtc_webrtc_sctp_keep_from_starting (GstRtcWebrtcSctp *self)
{
  GstElement *sctpdec = get_element (self, &self->sctpdec);

  if (sctpdec)
    gst_element_set_locked_state (sctpdec, FALSE);
  gst_clear_object (&sctpdec);
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
gst_rtc_webrtc_sctp_settle (GstRtcWebrtcSctp *self)
{
  GstElement *sctpenc = get_element (self, &self->sctpenc), *sctpdec = get_element (self, &self->sctpdec);

  if (sctpenc)
    flush_encoder (sctpenc);
  if (sctpdec)
    await_decoder (sctpdec);
  gst_clear_object (&sctpenc);
  gst_clear_object (&sctpdec);
}
