/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstrtcnativepriv.h"
#include "rtcdata.h"

G_BEGIN_DECLS

/* Data channels of a connection (gstrtcnativedata.c), each as a GstRtcChannel (gstrtcnativechannel.c). What is asked of
 * a channel in any thread is written down, and carried out on the transport's loop, which is woken once for many. */
typedef struct
{
  GstRtcChannel base;

  /* set at construction */
  GstRtcNativeData *data; /* owned */

  /* under data->lock */
  GArray *outbox; /* of GstRtcNativeMessage, not handed to the engine; NULL: none */
  GArray *spare; /* an empty one, to be used again; NULL: there is none */
  gsize outbox_bytes;
  gsize queued; /* bytes that wait in the engine */
  gsize low; /* threshold */
  gboolean was_high; /* there was more than that since it was told last */
  gboolean is_ready; /* in data->ready */
  gboolean close_wanted;
  gsize unread, seen_unread; /* seen: by the loop */
  gint id;
  RtcDataChannelStats stats;

  /* loop */
  RtcDataChannel *channel; /* NULL: not open yet, or closed */
  gboolean is_open_due; /* it is to be opened */
  gboolean is_busy; /* in data->busy */
  gsize counted_unread; /* in data->unread */
} GstRtcNativeChannel;

typedef struct
{
  GBytes *bytes;
  gboolean is_text;
} GstRtcNativeMessage;

struct _GstRtcNativeData
{
  /* set at construction */
  GstRtcLoop *loop; /* owned */
  gchar *peer_id;

  gint ref_count; /* atomic */

  GMutex lock;
  /* under lock */
  GPtrArray *ready; /* of GstRtcNativeChannel (owned), which want something */
  gboolean is_woken; /* the loop is going to look at them */
  gboolean is_gone; /* nothing looks at them any more, and they are NULL */
  guint64 max_message_size; /* that the peer takes; G_MAXUINT64: any, or not known yet */

  /* loop */
  GstRtcNative *t; /* NULL: closed */
  RtcData *engine; /* NULL: freed */
  GPtrArray *channels; /* of GstRtcNativeChannel (owned), those that are not CLOSED */
  GPtrArray *busy; /* those that have to be looked at, after what the engine did */
  gboolean is_begun; /* what is to be sent is gathered */
  gboolean is_started; /* the engine takes messages: what the peer takes is known */
  gboolean is_over; /* there are no channels any more; why: */
  GError *end;
  gboolean is_paced; /* among those that the pacer looks at */
  guint n_taken; /* packets since it was begun */
  gint64 now;
  gsize unread;
  guint n_opened, n_closed;
  RtcDataChannelStats past; /* of those that are closed */
};

/* gstrtcnativedata.c. Loop. */
/* What follows is sent together, at the end. END: more may follow, and is told. */
void gst_rtc_native_data_begin (GstRtcNativeData *data);
void gst_rtc_native_data_end (GstRtcNativeData *data);

/* gstrtcnativepacer.c. Loop. LOOK: the engine's fine deadline may be there, or an earlier one. */
GstRtcNativePacer *gst_rtc_native_pacer_new (GstRtcPoll *poll, GError **error); /* RTC_ERROR_SETUP_FAILED */
void gst_rtc_native_pacer_free (GstRtcNativePacer *pacer);
void gst_rtc_native_pacer_look (GstRtcNativePacer *pacer, GstRtcNativeData *data);
void gst_rtc_native_pacer_remove (GstRtcNativePacer *pacer, GstRtcNativeData *data);

/* gstrtcnativechannel.c */
GstRtcNativeChannel *gst_rtc_native_channel_new (
    GstRtcNativeData *data, gboolean is_remote, const GstRtcChannelInit *init, GstRtcChannelState state);

/* Loop. Opens it, hands over what it has to send, closes it: whatever is wanted, and possible. */
void gst_rtc_native_channel_work (GstRtcNativeChannel *channel);

/* Loop. Takes over what the engine says of it, and tells when little waits. */
void gst_rtc_native_channel_look (GstRtcNativeChannel *channel);

/* Loop. The engine's state; ERROR: (nullable). A reference must be held. */
void gst_rtc_native_channel_set_state (GstRtcNativeChannel *channel, RtcDataState state, const GError *error);

/* It is to be looked at when the engine is through. */
void gst_rtc_native_channel_touch (GstRtcNativeChannel *channel);

GError *gst_rtc_native_channel_error_new (const GError *error);

G_END_DECLS
