/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcbindata.h"
#include "gstrtclasting.h"

G_BEGIN_DECLS

/* Shared by the files of GstRtcBinData only. */

/* Somebody who is attached. */
typedef struct
{
  /* set at construction */
  guint id;
  GstRtcChannelInit init;
  gboolean opens;
  gchar *peer_id; /* NULL: all */
  void (*channel) (GstRtcChannel *channel, gpointer user_data);
  void (*refused) (const gchar *peer_id, const GError *error, gpointer user_data);
  gpointer user_data;
  GDestroyNotify notify;

  gint ref_count; /* atomic; the table's, and each call on its way */
  gint gone; /* atomic; nothing more is told */
} GstRtcDataUserEntry;

/* A channel of a peer that is not closed. */
typedef struct
{
  /* set at construction */
  GstRtcBinData *data;
  GstRtcChannel *channel;
  gconstpointer connection; /* only a name; NULL: it goes on over all of the peer's */

  gint ref_count; /* atomic; the table's, the listener's, and each post's */

  /* under GstRtcBinData.lock */
  gboolean visible; /* users are told of it */
  gboolean taken; /* somebody is attached to it */
  gint64 deadline; /* until when somebody has to be, microseconds of the monotonic clock; 0: for ever */
  gboolean late; /* nobody was */
  guint64 lost, lost_bytes; /* messages that nobody got */
} GstRtcDataEntry;

/* A connection that channels may be opened on. Control loop. */
typedef struct
{
  GstRtcConnection *connection;
  gchar *peer_id;
  gboolean current;
  GHashTable *served; /* ids of users for whom it was tried to open a channel */
} GstRtcDataConnection;

struct _GstRtcBinData
{
  GstRtcDataHub parent;

  GMutex lock; /* never held while something outside is called */
  /* under lock */
  GstRtcLoop *loop; /* NULL: not started */
  GPtrArray *users; /* of GstRtcDataUserEntry */
  GPtrArray *entries; /* of GstRtcDataEntry */
  GPtrArray *links; /* of channels of rtclink's own; gstrtcbindatalink.c's */
  GPtrArray *lasting; /* of GstRtcLasting; gstrtcbindatalast.c's */
  GQueue ended; /* of channels of peers that were closed here; its own */
  guint64 next_number; /* of such a channel that is opened here */
  guint next_id;

  /* control loop, and whoever starts and stops it */
  GstElement *bin; /* borrowed */
  GstRtcLoop *control; /* borrowed; the loop */
  GstRtcLoopFunc wanted_changed;
  gpointer wanted_data;
  GPtrArray *connections; /* of GstRtcDataConnection */
  GSource *timer; /* for deadlines; NULL: none */
  GSource *link_timer; /* for questions to peers; NULL: none */
  GSource *lasting_timer; /* for acknowledgements to peers; NULL: none */
  guint serial; /* of the last connection */
};

/* gstrtcbindata.c */
GstRtcDataUserEntry *gst_rtc_data_user_ref (GstRtcDataUserEntry *user);
void gst_rtc_data_user_unref (gpointer user);

/* Whether USER has to do with a channel of these settings to the peer. */
gboolean gst_rtc_data_user_matches (GstRtcDataUserEntry *user, const gchar *peer_id, const GstRtcChannelInit *init);
GstRtcDataEntry *gst_rtc_data_entry_ref (GstRtcDataEntry *entry);
void gst_rtc_data_entry_unref (gpointer entry);

/* Runs FUNC (SELF) on the control loop; not at all when it is stopped. Any thread. */
void gst_rtc_bin_data_post (GstRtcBinData *self, GstRtcLoopFunc func);

/* Adds CHANNEL (transfer full) to the table and, when VISIBLE, tells its users, who miss nothing. */
void
gst_rtc_bin_data_add_channel (GstRtcBinData *self, gconstpointer connection, GstRtcChannel *channel, gboolean visible);

/* Tells users of the channels of CONNECTION to PEER_ID that they do not know yet. */
void gst_rtc_bin_data_show (GstRtcBinData *self, gconstpointer connection, const gchar *peer_id);

/* gstrtcbindataopen.c: opens what is missing on all connections. Control loop; SELF is a GstRtcBinData. */
void gst_rtc_bin_data_open_missing (gpointer self);

/* Whether the channels of ON are those that count. Control loop. */
gboolean gst_rtc_bin_data_is_visible (GstRtcBinData *self, GstRtcDataConnection *on);

/* Closes the channels that nobody took in time, and sets the timer for the others. Control loop. */
void gst_rtc_bin_data_check_deadlines (gpointer self);

/* gstrtcbindatalast.c: frees what it remembers of closed channels to PEER_ID; NULL: to all. Under the lock. */
void gst_rtc_bin_data_forget_ended (GstRtcBinData *self, const gchar *peer_id);

/* gstrtcbindatalink.c: rtclink's own channel with peers that have it. The offerer opens it (control loop), the other
 * one takes it; FALSE when CHANNEL is another one. */
void gst_rtc_bin_data_open_link (GstRtcBinData *self, GstRtcConnection *connection);
gboolean gst_rtc_bin_data_take_link (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel);

/* Sends TEXT on that of the connection SERIAL (0: on all with the peer); unless it MUST be, not while much waits. FALSE
 * when it was not sent. NULL: only says whether it would be. Any thread. */
gboolean
gst_rtc_bin_data_link_send (GstRtcBinData *self, const gchar *peer_id, guint serial, const gchar *text, gboolean must);
gboolean gst_rtc_bin_data_get_clock_offset (GstRtcBinData *self, const gchar *peer_id, gint64 *offset, gint64 *bound);
void gst_rtc_data_link_unref (gpointer link);

/* Asks the peers for their time that are due. Control loop; SELF is a GstRtcBinData. */
void gst_rtc_bin_data_ask_peers (gpointer self);

/* gstrtcbindatalast.c: channels that go on over connections. */

/* Whether one with these settings goes on over connections of rtclink peers. */
gboolean gst_rtc_bin_data_can_last (const GstRtcChannelInit *init);

/* Opens one on CONNECTION, whose channels count when VISIBLE. NULL with ERROR. (transfer full) Control loop. */
GstRtcChannel *gst_rtc_bin_data_open_lasting (
    GstRtcBinData *self, GstRtcDataConnection *on, const GstRtcChannelInit *init, gboolean visible, GError **error);

/* Opens those of the peer on its new connection. Control loop. */
void gst_rtc_bin_data_reopen_lasting (GstRtcBinData *self, GstRtcDataConnection *on);

/* The peer opened CHANNEL: FALSE when that is not of one that goes on. The transport's thread. */
gboolean gst_rtc_bin_data_take_lasting (GstRtcBinData *self, GstRtcConnection *connection, GstRtcChannel *channel);

/* Takes what comes on the connections that count, and tells peers what was delivered. Control loop; SELF is a
 * GstRtcBinData. */
void gst_rtc_bin_data_begin_lasting (gpointer self);

/* On the peer's channel with us, of the connection SERIAL: it is there (tells what has to be told), and a message of
 * the peer: FALSE when it is another one. Any thread. */
void gst_rtc_bin_data_lasting_linked (GstRtcBinData *self, const gchar *peer_id, guint serial);
gboolean gst_rtc_bin_data_lasting_message (GstRtcBinData *self, const gchar *peer_id, guint serial, const gchar *text);

/* gstrtcbindatareport.c: posts the element messages. Any thread. */
void gst_rtc_data_entry_report_open (GstRtcDataEntry *entry);
void gst_rtc_data_entry_report_closed (GstRtcDataEntry *entry, const GError *error);

G_END_DECLS
