/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"
#include "gstrtcdatachannel.h"

#include <string.h>

enum
{
  SIGNAL_ON_MESSAGE,
  SIGNAL_HANDLE_MESSAGE,
  SIGNAL_FORCE_KEY_FRAME,
  SIGNAL_CREATE_DATA_CHANNEL,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

void
gst_rtc_bin_emit_message (GstRtcBin *self, const gchar *text)
{
  g_signal_emit (self, signals[SIGNAL_ON_MESSAGE], 0, text);
}

static void
handle_message_action (GstRtcBin *self, const gchar *text)
{
  if (!self->loop || !text || strlen (text) > RTC_MAX_FRAME) {
    g_warning ("rtcbin: handle-message needs a message of at most %u bytes, and an element that is not in NULL",
        RTC_MAX_FRAME);
    return;
  }
  gst_rtc_bin_handle_message (self, g_strdup (text));
}

static void
request_key_frames (gpointer data)
{
  gst_rtc_bin_request_key_frames (data, NULL);
}

static void
force_key_frame_action (GstRtcBin *self)
{
  if (self->loop)
    gst_rtc_loop_post (self->loop, request_key_frames, self, NULL);
}

static GObject *
create_data_channel_action (GstRtcBin *self, const gchar *label, const GstStructure *options)
{
  GError *error = NULL;
  GstRtcDataChannel *channel = gst_rtc_data_channel_new (self->data, label, options, &error);

  if (channel)
    return G_OBJECT (channel);
  g_warning ("rtcbin: %s", error->message);
  g_error_free (error);
  return NULL;
}

void
gst_rtc_bin_install_signals (GType type)
{
  /**
   * GstRtcBin::on-message:
   * @object: the rtcbin
   * @message: a message of the native signaling protocol, JSON
   *
   * Something is to be sent to a peer or to the signaling server. Only emitted while the pad `signal` is not linked.
   * Emitted in rtcbin's own thread without a lock: the handler hands it over and returns.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ON_MESSAGE] =
      g_signal_new ("on-message", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  /**
   * GstRtcBin::handle-message:
   * @object: the rtcbin
   * @message: a message of the native signaling protocol, JSON, with `from` filled in
   *
   * Takes a message of a peer or of the signaling server, as one on the pad `signal` would be. From any thread, in
   * READY and above; returns at once.
   *
   * Since: 0.1
   */
  signals[SIGNAL_HANDLE_MESSAGE] =
      g_signal_new_class_handler ("handle-message", type, G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
          G_CALLBACK (handle_message_action), NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  /**
   * GstRtcBin::force-key-frame:
   * @object: the rtcbin
   *
   * Asks the encoders for a key frame, not more often than #GstRtcBin:keyframe-min-interval allows.
   *
   * Since: 0.1
   */
  signals[SIGNAL_FORCE_KEY_FRAME] = g_signal_new_class_handler ("force-key-frame", type,
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION, G_CALLBACK (force_key_frame_action), NULL, NULL, NULL, G_TYPE_NONE, 0);
  /**
   * GstRtcBin::create-data-channel:
   * @object: the rtcbin
   * @label: the label
   * @options: (nullable): a #GstStructure of any name, whose fields are, with the W3C's meanings and defaults,
   * `ordered` (gboolean), `max-retransmits` or `max-packet-lifetime` (gint, milliseconds), `protocol` (string),
   * `negotiated` (gboolean), `id` (gint), `priority` (gint: 128, 256, 512 or 1024); and `peer-id` (string: with this
   * peer alone) and `opens` (gboolean, TRUE: whether it is opened with each peer, or the channels of that label are
   * waited for that peers open)
   *
   * A data channel of this label with each peer, now and later, for applications; pipelines have `datachannelsrc` and
   * `datachannelsink`. In any state. It is closed with the last reference to what is returned:
   *
   * * signals `on-open` (`peer-id`), `on-close` (`peer-id`, reason or NULL), `on-error` (`peer-id`, reason),
   *   `on-message-string` (`peer-id`, text), `on-message-data` (`peer-id`, #GBytes), `on-buffered-amount-low`
   *   (`peer-id`);
   * * actions `send-string` (`peer-id` or NULL for all, text), `send-data` (the same, #GBytes), which return to how
   * many peers it goes, `get-buffered-amount` (`peer-id` or NULL), `open` (when the signals are connected) and `close`.
   *
   * |[<!-- language="Python" -->
   * chat = rtc.emit ("create-data-channel", "chat", None)
   * chat.connect ("on-message-string", lambda chat, peer, text: print (peer, text))
   * chat.connect ("on-open", lambda chat, peer: chat.emit ("send-string", peer, "hello"))
   * chat.emit ("open")
   * ]|
   *
   * Returns: (transfer full) (nullable): a GstRtcDataChannel; NULL, with a warning, when the options make no sense
   *
   * Since: 0.1
   */
  signals[SIGNAL_CREATE_DATA_CHANNEL] = g_signal_new_class_handler ("create-data-channel", type,
      G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION, G_CALLBACK (create_data_channel_action), NULL, NULL, NULL,
      GST_TYPE_RTC_DATA_CHANNEL, 2, G_TYPE_STRING, GST_TYPE_STRUCTURE);
}
