/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcsdp.h"
#include "core/rtcmessage.h"

#include <string.h>

/* Sections of data channels. */

#define DATA_CHANNELS "webrtc-datachannel"
/* Of a peer that does not tell (RFC 8841, section 6.1). */
#define DEFAULT_MAX_MESSAGE_SIZE 65536

#define bad_sdp(...) g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP, __VA_ARGS__)

const gchar *
gst_rtc_line_get_media (const GstRtcLine *line)
{
  return line->is_data ? "application" : gst_rtc_kind_to_string (line->kind);
}

gboolean
gst_rtc_sdp_is_old_data (const GstSDPMedia *media)
{
  return g_strcmp0 (gst_sdp_media_get_proto (media), "DTLS/SCTP") == 0;
}

/* "5000 webrtc-datachannel 1024", in the form of the drafts that browsers once followed. */
static gboolean
is_mapped (const GstSDPMedia *media, const gchar *port)
{
  const gchar *value = gst_sdp_media_get_attribute_val (media, "sctpmap");
  gsize length = strlen (port);

  return !value
      || (strncmp (value, port, length) == 0 && g_str_has_prefix (value + length, " " DATA_CHANNELS)
          && strchr (" ", value[length + strlen (" " DATA_CHANNELS)]) != NULL);
}

static gboolean
check_protocol (const GstSDPMedia *media, GError **error)
{
  static const gchar *const protocols[] = {"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", NULL};
  const gchar *protocol = gst_sdp_media_get_proto (media), *format = gst_sdp_media_get_format (media, 0);

  if (gst_rtc_sdp_is_old_data (media)
          ? is_mapped (media, format)
          : protocol && g_strv_contains (protocols, protocol) && g_strcmp0 (format, DATA_CHANNELS) == 0)
    return TRUE;
  bad_sdp ("m=application is %.40s with %.40s; UDP/DTLS/SCTP with " DATA_CHANNELS " is expected (RFC 8841)",
      protocol ? protocol : "(nothing)", format ? format : "(nothing)");
  return FALSE;
}

static gboolean
read_data (const GstSDPMedia *media, guint16 *sctp_port, guint64 *max_message_size, GError **error)
{
  const gchar *port, *size = gst_sdp_media_get_attribute_val (media, "max-message-size");
  guint64 number;

  if (!check_protocol (media, error))
    return FALSE;
  port = gst_rtc_sdp_is_old_data (media) ? gst_sdp_media_get_format (media, 0)
                                         : gst_sdp_media_get_attribute_val (media, "sctp-port");
  if (!port || !g_ascii_string_to_unsigned (port, 10, 1, G_MAXUINT16, &number, NULL)) {
    bad_sdp ("m=application has a=sctp-port:%.20s; a port from 1 to 65535 is expected (RFC 8841, section 5)",
        port ? port : " (none)");
    return FALSE;
  }
  *sctp_port = number;
  *max_message_size = DEFAULT_MAX_MESSAGE_SIZE;
  if (size && !g_ascii_string_to_unsigned (size, 10, 0, G_MAXUINT64, max_message_size, NULL)) {
    bad_sdp (
        "m=application has a=max-message-size:%.24s; a number of bytes, or 0, is expected (RFC 8841, section 6)", size);
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_rtc_line_accept_data (GstRtcLine *line, const GstSDPMedia *media, gchar **problem)
{
  GError *error = NULL;

  line->accepted = read_data (media, &line->sctp_port, &line->max_message_size, &error);
  if (error) {
    g_free (*problem);
    *problem = g_strdup_printf ("There are no data channels: section %u, %s.", line->mline, error->message);
    g_error_free (error);
  }
  return line->accepted;
}
