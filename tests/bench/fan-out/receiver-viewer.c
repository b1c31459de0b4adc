/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* One viewer: a socket, an answer to whoever offers, and the DTLS and SRTP of the native transport behind it. */

#define _GNU_SOURCE
#include "receiver.h"

#include <gst/sdp/sdp.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define DATAGRAM 1600
#define SOCKET_BUFFER (4 * 1024 * 1024)
#define TWCC_URI "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define MID_URI "urn:ietf:params:rtp-hdrext:sdes:mid"

/* Above ICE. */

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  FanViewer *self = user_data;

  if (self->to.family)
    fan_viewer_send (self, data, size, &self->to);
}

static void
on_state (RtcDtlsState state, const GError *error, gpointer user_data)
{
  FanViewer *self = user_data;

  self->state = state;
  if (state == RTC_DTLS_CONNECTED)
    fan_say ("connected %s %s", self->name, rtc_endpoint_get_srtp_profile (self->endpoint));
  else if (state == RTC_DTLS_FAILED)
    fan_say ("error %s %s", self->name, error ? error->message : "DTLS failed");
}

typedef struct
{
  FanViewer *viewer;
  gint64 stamp;
} Arrival;

static gint64 arrival_stamp; /* of the datagram at hand */

static void
on_rtp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  fan_check_take (user_data, data, size, now, arrival_stamp);
}

static void
on_rtcp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  fan_check_take_rtcp (user_data, data, size, now);
}

static void
on_key_frame_wanted (guint mline, gpointer user_data)
{
}

static const RtcEndpointEvents endpoint_events = {
    .transmit = on_transmit,
    .state = on_state,
    .rtp = on_rtp,
    .rtcp = on_rtcp,
    .key_frame_wanted = on_key_frame_wanted,
};

/* The socket. */

static void
take (FanViewer *self, guint8 *data, gsize size, const RtcAddress *from, gint64 now, gint64 stamp)
{
  if (self->raw) {
    if (rtc_srtp_receiver_unprotect (self->raw, data, &size) == RTC_SRTP_OK)
      fan_check_take (self, data, size, now, stamp);
    else
      self->counts.not_authentic++;
  } else if (size > 0 && data[0] <= 3) {
    if (fan_ice_take (self, data, size, from) && !self->started) {
      self->started = TRUE;
      rtc_endpoint_start (self->endpoint, FALSE, self->fingerprints, now);
    }
  } else {
    arrival_stamp = stamp;
    rtc_endpoint_take (self->endpoint, data, size, now, 0);
  }
}

/* When the kernel had it, on the monotonic clock; 0: it does not say. */
static gint64
get_stamp (struct msghdr *message, gint64 offset)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (message); c; c = CMSG_NXTHDR (message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec time;

      memcpy (&time, CMSG_DATA (c), sizeof (time));
      return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000 - offset;
    }
  }
  return 0;
}

void
fan_viewer_readable (FanViewer *self)
{
  static guint8 space[BATCH][DATAGRAM];
  static gchar control[BATCH][CMSG_SPACE (sizeof (struct timespec))];
  struct sockaddr_storage addresses[BATCH];
  struct mmsghdr messages[BATCH];
  struct iovec vecs[BATCH];
  int n = BATCH;

  while (n == BATCH) {
    gint64 now, offset;

    for (guint i = 0; i < BATCH; i++) {
      vecs[i] = (struct iovec){space[i], DATAGRAM};
      messages[i].msg_hdr = (struct msghdr){
          .msg_name = &addresses[i], .msg_namelen = sizeof (addresses[i]), .msg_iov = &vecs[i], .msg_iovlen = 1};
      if (self->receiver->stamps) {
        messages[i].msg_hdr.msg_control = control[i];
        messages[i].msg_hdr.msg_controllen = sizeof (control[i]);
      }
    }
    n = recvmmsg (self->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    now = g_get_monotonic_time ();
    offset = g_get_real_time () - now;
    for (int i = 0; i < n; i++) {
      RtcAddress from;
      gint64 stamp = self->receiver->stamps ? get_stamp (&messages[i].msg_hdr, offset) : 0;

      if (rtc_address_from_sockaddr (&from, (struct sockaddr *)&addresses[i], messages[i].msg_hdr.msg_namelen))
        take (self, space[i], messages[i].msg_len, &from, now, stamp ? stamp : now);
    }
  }
}

static void
open_socket (FanViewer *self)
{
  struct sockaddr_storage address;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
  socklen_t size;
  int buffer = SOCKET_BUFFER, on = 1;

  rtc_address_parse (&self->own, self->receiver->address, 0);
  size = rtc_address_to_sockaddr (&self->own, &address, FALSE);
  self->fd = socket (address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (self->fd < 0 || bind (self->fd, (struct sockaddr *)&address, size) < 0)
    g_error ("a viewer has no socket on %s: %s", self->receiver->address, g_strerror (errno));
  if (setsockopt (self->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof (buffer)) < 0)
    setsockopt (self->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof (buffer));
  if (self->receiver->stamps)
    setsockopt (self->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof (on));
  size = sizeof (address);
  getsockname (self->fd, (struct sockaddr *)&address, &size);
  rtc_address_from_sockaddr (&self->own, (struct sockaddr *)&address, size);
  epoll_ctl (self->receiver->epoll, EPOLL_CTL_ADD, self->fd, &event);
}

/* Descriptions. */

static void
take_candidates (FanViewer *self, const GstSDPMedia *media)
{
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);

    if (g_str_equal (attribute->key, "candidate"))
      fan_viewer_add_candidate (self, attribute->value);
  }
}

void
fan_viewer_add_candidate (FanViewer *self, const gchar *candidate)
{
  g_auto (GStrv) words = NULL;
  RtcAddress address;

  words = g_strsplit (g_str_has_prefix (candidate, "candidate:") ? candidate + 10 : candidate, " ", 0);
  if (g_strv_length (words) < 8 || g_ascii_strcasecmp (words[2], "udp") || !g_str_equal (words[1], "1"))
    return;
  if (rtc_address_parse (&address, words[4], atoi (words[5])) && address.family == self->own.family) {
    g_array_append_val (self->candidates, address);
    self->next_check = 0;
  }
}

static const gchar *
get_attribute (const GstSDPMessage *sdp, const GstSDPMedia *media, const gchar *key)
{
  const gchar *value = gst_sdp_media_get_attribute_val (media, key);

  return value ? value : gst_sdp_message_get_attribute_val (sdp, key);
}

static void
start_ice (FanViewer *self, const GstSDPMessage *sdp, const GstSDPMedia *media)
{
  const gchar *ufrag = get_attribute (sdp, media, "ice-ufrag"), *password = get_attribute (sdp, media, "ice-pwd"),
              *fingerprint = get_attribute (sdp, media, "fingerprint");
  g_auto (GStrv) words = NULL;

  if (self->remote_key || !ufrag || !password || !fingerprint)
    return;
  self->controlling = gst_sdp_message_get_attribute_val (sdp, "ice-lite") != NULL;
  self->remote_key = rtc_stun_key_new (password);
  self->username = g_strdup_printf ("%s:%s", ufrag, self->ufrag);
  words = g_strsplit (fingerprint, " ", 2);
  self->fingerprints = g_new0 (gchar *, 2);
  self->fingerprints[0] = g_strdup (fingerprint);
}

/* The format that is taken of a section: the first H.264 or Opus, and its RTX. */
static gint
choose_formats (FanViewer *self, const GstSDPMedia *media, gint *rtx)
{
  gboolean video = g_str_equal (gst_sdp_media_get_media (media), "video");
  gint chosen = -1;

  *rtx = -1;
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);
    gint payload = attribute->value ? atoi (attribute->value) & 127 : 0;
    const gchar *space = attribute->value ? strchr (attribute->value, ' ') : NULL, *apt;

    if (!space)
      continue;
    if (g_str_equal (attribute->key, "rtpmap") && chosen < 0
        && g_ascii_strncasecmp (space + 1, video ? "H264/" : "OPUS/", 5) == 0)
      chosen = payload;
    else if (g_str_equal (attribute->key, "fmtp") && (apt = strstr (space, "apt=")) && atoi (apt + 4) == chosen)
      *rtx = payload;
  }
  if (chosen >= 0)
    self->payloads[chosen] = video ? FAN_VIDEO : FAN_AUDIO;
  if (*rtx >= 0)
    self->payloads[*rtx] = FAN_RTX;
  return chosen;
}

static void
answer_formats (GString *out, const GstSDPMedia *media, gint chosen, gint rtx)
{
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);
    const gchar *key = attribute->key, *value = attribute->value ? attribute->value : "";
    gint payload = atoi (value);

    if ((g_str_equal (key, "rtpmap") || g_str_equal (key, "fmtp") || g_str_equal (key, "rtcp-fb"))
        && (payload == chosen || payload == rtx) && !strstr (value, "transport-cc"))
      g_string_append_printf (out, "a=%s:%s\r\n", key, value);
    else if (g_str_equal (key, "extmap") && strstr (value, MID_URI))
      g_string_append_printf (out, "a=%s:%s\r\n", key, value);
  }
}

static void
answer_section (FanViewer *self, GString *out, const GstSDPMedia *media)
{
  gint rtx, chosen = choose_formats (self, media, &rtx);
  const gchar *mid = gst_sdp_media_get_attribute_val (media, "mid");
  g_autofree gchar *ip = rtc_address_ip_to_string (&self->own);

  g_string_append_printf (
      out, "m=%s %u %s ", gst_sdp_media_get_media (media), chosen < 0 ? 0 : 9, gst_sdp_media_get_proto (media));
  if (chosen < 0)
    g_string_append_printf (out, "%s", gst_sdp_media_get_format (media, 0));
  else
    g_string_append_printf (out, rtx < 0 ? "%d" : "%d %d", chosen, rtx);
  g_string_append_printf (out, "\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\n", mid ? mid : "");
  if (chosen < 0) {
    g_string_append (out, "a=inactive\r\n");
    return;
  }
  g_string_append_printf (out,
      "a=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=setup:active\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\n"
      "a=fingerprint:%s\r\na=candidate:1 1 udp 2130706431 %s %u typ host\r\na=end-of-candidates\r\n",
      self->ufrag, self->password, rtc_dtls_identity_get_fingerprint (self->receiver->identity), ip, self->own.port);
  answer_formats (out, media, chosen, rtx);
}

void
fan_viewer_take_offer (FanViewer *self, const gchar *text, gchar **answer)
{
  GstSDPMessage *sdp = NULL;
  const gchar *group;
  GString *out = g_string_new ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");

  gst_sdp_message_new (&sdp);
  if (gst_sdp_message_parse_buffer ((const guint8 *)text, strlen (text), sdp) != GST_SDP_OK)
    g_error ("%s: the offer is no SDP", self->name);
  if ((group = gst_sdp_message_get_attribute_val (sdp, "group")))
    g_string_append_printf (out, "a=group:%s\r\n", group);
  for (guint i = 0; i < gst_sdp_message_medias_len (sdp); i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, i);

    start_ice (self, sdp, media);
    answer_section (self, out, media);
    take_candidates (self, media);
  }
  gst_sdp_message_free (sdp);
  *answer = g_string_free (out, FALSE);
}

/* Beginning and end. */

static void
random_text (gchar *out, gsize size)
{
  static const gchar letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

  for (gsize i = 0; i + 1 < size; i++)
    out[i] = letters[g_random_int_range (0, sizeof (letters) - 1)];
  out[size - 1] = '\0';
}

FanViewer *
fan_viewer_new (FanReceiver *receiver, const gchar *name)
{
  FanViewer *self = g_new0 (FanViewer, 1);

  self->receiver = receiver;
  self->name = g_strdup (name);
  self->began = g_get_monotonic_time ();
  self->candidates = g_array_new (FALSE, FALSE, sizeof (RtcAddress));
  random_text (self->ufrag, sizeof (self->ufrag));
  random_text (self->password, sizeof (self->password));
  self->key = rtc_stun_key_new (self->password);
  self->endpoint = rtc_endpoint_new (receiver->identity, &endpoint_events, self);
  open_socket (self);
  g_ptr_array_add (receiver->viewers, self);
  g_hash_table_insert (receiver->by_name, self->name, self);
  return self;
}

void
fan_viewer_start_raw (FanViewer *self, RtcSrtpProfile profile, RtcSrtpKeys *keys)
{
  keys->profile = profile;
  for (guint i = 0; i < sizeof (keys->key); i++)
    keys->key[i] = g_random_int ();
  for (guint i = 0; i < sizeof (keys->salt); i++)
    keys->salt[i] = g_random_int ();
  self->raw = rtc_srtp_receiver_new (keys);
  self->payloads[FAN_VIDEO_PT] = FAN_VIDEO;
  self->payloads[FAN_AUDIO_PT] = FAN_AUDIO;
}

void
fan_viewer_tick (FanViewer *self, gint64 now)
{
  gint64 deadline;

  if (self->raw)
    return;
  fan_ice_tick (self, now);
  deadline = rtc_endpoint_get_deadline (self->endpoint);
  if (deadline >= 0 && deadline <= now)
    rtc_endpoint_tick (self->endpoint, now, 0, 0);
  fan_check_tick (self, now);
}
