/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcendpoint.h"
#include "rtcbytes.h"
#include "rtctwcc.h"
#include "core/rtcmessage.h"
#include "core/rtcdeadline.h"
#include "core/rtcprefetch.h"

#include <openssl/crypto.h>
#include <string.h>

typedef struct
{
  guint mline;
  RtcSender *sender;
  RtcHistory *history; /* borrowed; NULL: nothing was sent yet */
} Line;

struct _RtcEndpoint
{
  const RtcEndpointEvents *events;
  gpointer user_data;
  RtcDtls *dtls;
  RtcSrtpSender *outgoing;
  RtcSrtpReceiver *incoming;
  const gchar *profile;
  gboolean data_only;
  GArray *lines; /* of Line, those that send */
  guint16 twcc; /* number of the next packet */
  RtcFeedback *feedback; /* what became of those with numbers; NULL: no line has them */
  RtcTwcc *twcc_writer; /* of what the peer sends; NULL: nothing with a number came */
  RtcEndpointStats stats;

  /* during a call */
  gint64 now;
  guint64 ntp;
  guint mline; /* whose packets are sent again */
  guint16 noted; /* the number of the next packet that is to be noted as sent */
};

static void
transmit (const guint8 *data, gsize size, gpointer user_data)
{
  RtcEndpoint *self = user_data;

  self->stats.packets_sent++;
  self->stats.bytes_sent += size;
  self->events->transmit (data, size, self->user_data);
}

/* DTLS. */

static void
on_dtls_transmit (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  transmit (data, size, user_data);
}

static GError *
install_keys (RtcEndpoint *self)
{
  RtcSrtpKeys ours, theirs;

  if (!rtc_dtls_get_srtp_keys (self->dtls, &ours, &theirs))
    return g_error_new_literal (RTC_ERROR, RTC_ERROR_SETUP_FAILED,
        "The peer agreed on no SRTP profile in the DTLS handshake; SRTP_AEAD_AES_128_GCM and "
        "SRTP_AES128_CM_HMAC_SHA1_80 were offered");
  self->outgoing = rtc_srtp_sender_new (&ours);
  self->incoming = rtc_srtp_receiver_new (&theirs);
  self->profile = rtc_srtp_profile_to_string (ours.profile);
  OPENSSL_cleanse (&ours, sizeof (ours));
  OPENSSL_cleanse (&theirs, sizeof (theirs));
  return NULL;
}

static void
on_dtls_state (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  GError *no_keys = NULL;

  if (state == RTC_DTLS_CONNECTED && !self->outgoing && !self->data_only)
    no_keys = install_keys (self);
  if (no_keys)
    self->events->state (RTC_DTLS_FAILED, no_keys, self->user_data);
  else
    self->events->state (state, error, self->user_data);
  g_clear_error (&no_keys);
}

static void
on_dtls_data (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  RtcEndpoint *self = user_data;

  if (self->events->data)
    self->events->data (data, size, self->user_data);
}

static const RtcDtlsEvents dtls_events = {
    .transmit = on_dtls_transmit,
    .state = on_dtls_state,
    .data = on_dtls_data,
};

/* What the peer reports. */

static Line *
find_line (RtcEndpoint *self, guint mline)
{
  for (guint i = 0; i < self->lines->len; i++) {
    if (g_array_index (self->lines, Line, i).mline == mline)
      return &g_array_index (self->lines, Line, i);
  }
  return NULL;
}

static Line *
find_line_by_ssrc (RtcEndpoint *self, guint32 ssrc)
{
  for (guint i = 0; i < self->lines->len; i++) {
    if (rtc_sender_get_config (g_array_index (self->lines, Line, i).sender)->ssrc == ssrc)
      return &g_array_index (self->lines, Line, i);
  }
  return NULL;
}

static void
on_report (const RtcRtcpReport *report, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  Line *line = find_line_by_ssrc (self, report->ssrc);

  if (!line)
    return;
  rtc_sender_take_report (line->sender, report, self->ntp);
  if (self->events->report)
    self->events->report (line->mline, report, self->user_data);
}

/* A number was used or not: a packet without RTX goes out again with the one that it had. */
static inline void
note_sent (RtcEndpoint *self, guint mline, gsize size, gint64 now)
{
  if (self->noted == self->twcc)
    return;
  self->noted = self->twcc;
  rtc_feedback_sent (self->feedback, mline, size, now);
}

static void
transmit_again (const guint8 *data, gsize size, gpointer user_data)
{
  RtcEndpoint *self = user_data;

  note_sent (self, self->mline, size, self->now);
  transmit (data, size, self);
}

static void
on_nack (const RtcRtcpNack *nack, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  Line *line = find_line_by_ssrc (self, nack->ssrc);

  if (!line)
    return;
  if (self->events->nack)
    self->events->nack (line->mline, nack, self->user_data);
  self->mline = line->mline;
  if (line->history)
    rtc_sender_take_nack (
        line->sender, nack, line->history, self->outgoing, &self->twcc, self->now, transmit_again, self);
}

static void
on_twcc (const RtcRtcpTwcc *twcc, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  const RtcFeedbackReport *report;

  if (!self->feedback)
    return;
  report = rtc_feedback_take (self->feedback, twcc, self->now);
  if (self->events->feedback)
    self->events->feedback (report, self->user_data);
}

static void
on_remb (guint64 bitrate, gpointer user_data)
{
  RtcEndpoint *self = user_data;

  self->stats.remb = bitrate;
  if (self->events->remb)
    self->events->remb (bitrate, self->user_data);
}

static void
on_pli (guint32 ssrc, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  Line *line = find_line_by_ssrc (self, ssrc);

  if (line) {
    rtc_sender_count_pli (line->sender);
    self->events->key_frame_wanted (line->mline, self->user_data);
  }
}

static void
on_fir (guint32 ssrc, guint8 number, gpointer user_data)
{
  RtcEndpoint *self = user_data;
  Line *line = find_line_by_ssrc (self, ssrc);

  if (line && rtc_sender_take_fir (line->sender, number))
    self->events->key_frame_wanted (line->mline, self->user_data);
}

static const RtcRtcpFuncs rtcp_funcs = {
    .report = on_report,
    .nack = on_nack,
    .twcc = on_twcc,
    .remb = on_remb,
    .pli = on_pli,
    .fir = on_fir,
};

/* From outside. */

RtcEndpoint *
rtc_endpoint_new (RtcDtlsIdentity *identity, const RtcEndpointEvents *events, gpointer user_data)
{
  RtcEndpoint *self = g_new0 (RtcEndpoint, 1);

  self->events = events;
  self->user_data = user_data;
  self->dtls = rtc_dtls_new (identity, &dtls_events, self);
  self->lines = g_array_new (FALSE, FALSE, sizeof (Line));
  self->twcc = self->noted = g_random_int ();
  return self;
}

void
rtc_endpoint_free (RtcEndpoint *self)
{
  for (guint i = 0; i < self->lines->len; i++)
    rtc_sender_free (g_array_index (self->lines, Line, i).sender);
  g_array_unref (self->lines);
  g_clear_pointer (&self->outgoing, rtc_srtp_sender_free);
  g_clear_pointer (&self->incoming, rtc_srtp_receiver_free);
  g_clear_pointer (&self->feedback, rtc_feedback_free);
  g_clear_pointer (&self->twcc_writer, rtc_twcc_free);
  rtc_dtls_free (self->dtls);
  g_free (self);
}

void
rtc_endpoint_add_sender (RtcEndpoint *self, guint mline, const RtcSenderConfig *config)
{
  Line line = {mline, rtc_sender_new (config), NULL};

  if (config->ext_twcc && !self->feedback)
    self->feedback = rtc_feedback_new (self->twcc);
  g_array_append_val (self->lines, line);
}

void
rtc_endpoint_set_history (RtcEndpoint *self, guint mline, RtcHistory *history)
{
  Line *line = find_line (self, mline);

  if (line)
    line->history = history;
}

RtcSender *
rtc_endpoint_get_sender (RtcEndpoint *self, guint mline)
{
  Line *line = find_line (self, mline);

  return line ? line->sender : NULL;
}

RtcHistory *
rtc_endpoint_get_history (RtcEndpoint *self, guint mline)
{
  Line *line = find_line (self, mline);

  return line ? line->history : NULL;
}

void
rtc_endpoint_set_data_only (RtcEndpoint *self)
{
  self->data_only = TRUE;
}

void
rtc_endpoint_start (RtcEndpoint *self, gboolean is_server, gchar **fingerprints, gint64 now)
{
  rtc_dtls_start (self->dtls, is_server, fingerprints, now);
}

static gboolean
take_rtp (RtcEndpoint *self, guint8 *data, gsize size)
{
  if (rtc_srtp_receiver_unprotect (self->incoming, data, &size) != RTC_SRTP_OK)
    return FALSE;
  self->stats.packets_received++;
  self->stats.bytes_received += size;
  self->events->rtp (data, size, self->now, self->user_data);
  return TRUE;
}

static gboolean
take_rtcp (RtcEndpoint *self, guint8 *data, gsize size)
{
  if (rtc_srtp_receiver_unprotect_rtcp (self->incoming, data, &size) != RTC_SRTP_OK)
    return FALSE;
  rtc_rtcp_read (data, size, &rtcp_funcs, self);
  self->events->rtcp (data, size, self->now, self->user_data);
  return TRUE;
}

gboolean
rtc_endpoint_take (RtcEndpoint *self, guint8 *data, gsize size, gint64 now, guint64 ntp)
{
  RtcDatagram kind = rtc_datagram_kind (data, size);
  gboolean authentic = FALSE;

  self->now = now;
  self->ntp = ntp;
  if (kind == RTC_DATAGRAM_DTLS) {
    rtc_dtls_take (self->dtls, data, size, now);
    return FALSE;
  }
  if (kind == RTC_DATAGRAM_RTP && self->incoming)
    authentic = take_rtp (self, data, size);
  else if (kind == RTC_DATAGRAM_RTCP && self->incoming)
    authentic = take_rtcp (self, data, size);
  self->stats.packets_discarded += !authentic;
  return authentic;
}

gint64
rtc_endpoint_get_deadline (RtcEndpoint *self)
{
  gint64 deadline = rtc_dtls_get_deadline (self->dtls);

  for (guint i = 0; self->outgoing && i < self->lines->len; i++) {
    gint64 report = rtc_sender_get_report_deadline (g_array_index (self->lines, Line, i).sender);

    deadline = rtc_earlier (deadline, report);
  }
  return self->twcc_writer ? rtc_earlier (deadline, rtc_twcc_get_deadline (self->twcc_writer)) : deadline;
}

static void
protect_and_transmit_rtcp (RtcEndpoint *self, guint8 *packet, gsize size)
{
  size = rtc_srtp_sender_protect_rtcp (self->outgoing, packet, size);
  if (size)
    transmit (packet, size, self);
}

static void
tick_twcc (RtcEndpoint *self, gint64 now)
{
  guint8 packet[RTC_TWCC_MAX_SIZE + RTC_SRTCP_OVERHEAD];
  gsize size;

  while ((size = rtc_twcc_write (self->twcc_writer, now, packet)) > 0)
    protect_and_transmit_rtcp (self, packet, size);
}

void
rtc_endpoint_tick (RtcEndpoint *self, gint64 now, guint64 ntp, guint64 ntp_at_0)
{
  guint8 packet[RTC_RTCP_MAX_REPORT + RTC_SRTCP_OVERHEAD];
  gint64 handshake = rtc_dtls_get_deadline (self->dtls);

  self->now = now;
  self->ntp = ntp;
  if (handshake >= 0 && handshake <= now)
    rtc_dtls_tick (self->dtls, now);
  for (guint i = 0; self->outgoing && i < self->lines->len; i++) {
    RtcSender *sender = g_array_index (self->lines, Line, i).sender;
    gint64 due = rtc_sender_get_report_deadline (sender);
    gsize size;

    if (due < 0 || due > now)
      continue;
    size = rtc_sender_write_report (sender, ntp_at_0, ntp, now, packet);
    rtc_sender_reported (sender, now);
    if (size)
      protect_and_transmit_rtcp (self, packet, size);
  }
  if (self->twcc_writer)
    tick_twcc (self, now);
}

void
rtc_endpoint_prefetch (const RtcEndpoint *self, guint step)
{
  if (step == 0) {
    rtc_prefetch (&self->lines);
    rtc_prefetch (&self->stats);
  } else if (step == 1) {
    rtc_prefetch (self->lines);
    rtc_prefetch (self->dtls);
    rtc_prefetch (self->outgoing);
  } else if (step == 2) {
    rtc_prefetch (self->lines->data);
  } else {
    for (guint i = 0; i < self->lines->len; i++)
      rtc_sender_prefetch (g_array_index (self->lines, Line, i).sender);
  }
}

gsize
rtc_endpoint_write (RtcEndpoint *self, guint mline, const RtcPacket *packet, guint8 *out)
{
  Line *line = find_line (self, mline);
  gsize size;

  if (!line || !self->outgoing || rtc_dtls_get_state (self->dtls) != RTC_DTLS_CONNECTED)
    return 0;
  size = rtc_sender_write (line->sender, packet, self->outgoing, &self->twcc, out);
  note_sent (self, mline, size, packet->added);
  self->stats.packets_sent++;
  self->stats.bytes_sent += size;
  return size;
}

void
rtc_endpoint_note_twcc (RtcEndpoint *self, guint32 ssrc, guint16 number, gint64 now)
{
  if (!self->outgoing)
    return;
  /* Under an SSRC of ours where there is one; it is read by nobody. */
  if (!self->twcc_writer)
    self->twcc_writer =
        rtc_twcc_new (self->lines->len ? rtc_sender_get_config (g_array_index (self->lines, Line, 0).sender)->ssrc : 1);
  rtc_twcc_take (self->twcc_writer, ssrc, number, now);
}

void
rtc_endpoint_send_rtcp (RtcEndpoint *self, const guint8 *data, gsize size)
{
  guint8 packet[RTC_ENDPOINT_MAX_RTCP + RTC_SRTCP_OVERHEAD];

  if (!self->outgoing || size > RTC_ENDPOINT_MAX_RTCP)
    return;
  memcpy (packet, data, size);
  protect_and_transmit_rtcp (self, packet, size);
}

gboolean
rtc_endpoint_send_data (RtcEndpoint *self, const guint8 *data, gsize size)
{
  return rtc_dtls_send (self->dtls, data, size);
}

void
rtc_endpoint_close (RtcEndpoint *self)
{
  rtc_dtls_close (self->dtls);
}

RtcDtls *
rtc_endpoint_get_dtls (RtcEndpoint *self)
{
  return self->dtls;
}

const gchar *
rtc_endpoint_get_srtp_profile (RtcEndpoint *self)
{
  return self->profile;
}

const RtcEndpointStats *
rtc_endpoint_get_stats (RtcEndpoint *self)
{
  return &self->stats;
}

const RtcFeedback *
rtc_endpoint_get_feedback (RtcEndpoint *self)
{
  return self->feedback;
}
