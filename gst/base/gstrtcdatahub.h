/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcchannel.h"

G_BEGIN_DECLS

/* Where elements that use data channels meet the rtcbin that has the peers. rtcbin fills the table in and answers the
 * query, an element finds it that way: neither plugin includes the other. It lives as long as somebody holds a
 * reference; once its rtcbin is gone, nothing happens on it any more. All functions: any thread, none blocks. */
typedef struct _GstRtcDataHub GstRtcDataHub;
typedef struct _GstRtcDataHubClass GstRtcDataHubClass;

/* An element that uses the channels of one label. Everything is borrowed for the call of attach(), USER_DATA but for
 * NOTIFY, which frees it when no call is on its way any more. */
typedef struct
{
  /* The label (and with negotiated the id) says which channels; the rest is for those that are opened here. */
  const GstRtcChannelInit *init;

  /* Whether each peer is to have such a channel: it is opened with each that comes, unless the peer has opened one
   * already. Otherwise only those that peers open are told. */
  gboolean opens;

  const gchar *peer_id; /* NULL: all */

  /* There is a channel of the label, CONNECTING or OPEN, whoever opened it and with what settings: to send on is one
   * that is gst_rtc_channel_init_equal() to what this user wants, and of two the one that was opened here. Listeners
   * that are added in here miss nothing. From the transport's thread or rtcbin's; must not block. */
  void (*channel) (GstRtcChannel *channel, gpointer user_data);

  /* A peer cannot have it (no data channels there, or a setting that its transport cannot keep). As above. */
  void (*refused) (const gchar *peer_id, const GError *error, gpointer user_data);

  gpointer user_data;
  GDestroyNotify notify;
} GstRtcDataUser;

struct _GstRtcDataHubClass
{
  /* Returns an id for detach(), not 0. Channels that are there already are told before it returns. */
  guint (*attach) (GstRtcDataHub *hub, const GstRtcDataUser *user);

  /* No more is told. Channels of the label that were opened here and that nobody else is attached to are closed, once
   * what waits in them has been sent. */
  void (*detach) (GstRtcDataHub *hub, guint id);

  /* The same for who wants no such channel any more, rather than just going away: those that peers opened, and that
   * nobody else is attached to, are closed as well, instead of waiting for somebody else. What still comes is lost. */
  void (*close) (GstRtcDataHub *hub, guint id);

  /* The peer's clock (microseconds since 1970) minus this machine's, as far as it is known; ERROR_BOUND: by how much it
   * may be wrong, at most (microseconds). FALSE while it is not known. */
  gboolean (*get_clock_offset) (GstRtcDataHub *hub, const gchar *peer_id, gint64 *offset, gint64 *error_bound);

  void (*free) (GstRtcDataHub *hub);
};

struct _GstRtcDataHub
{
  const GstRtcDataHubClass *klass;
  gint ref_count; /* atomic */
};

GstRtcDataHub *gst_rtc_data_hub_ref (GstRtcDataHub *hub);
void gst_rtc_data_hub_unref (GstRtcDataHub *hub);

/* The one of ELEMENT, by a query; NULL when it is not an rtcbin. (transfer full) Any thread. */
GstRtcDataHub *gst_rtc_data_hub_find (GstElement *element);

/* For rtcbin: answers such a query. FALSE when QUERY is another one. */
gboolean gst_rtc_data_hub_answer (GstQuery *query, GstRtcDataHub *hub);

G_END_DECLS
