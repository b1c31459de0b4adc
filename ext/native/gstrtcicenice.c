/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcicenice.h"
#include "gstrtcinterfaces.h"
#include "core/rtccandidate.h"

#include <gio/gio.h>
#include <string.h>

/* How long a relay is waited for that is given back: 100, 200 and 200 ms. */
#define CLOSE_TIMEOUT_MS 100
#define CLOSE_TRANSMISSIONS 3
#define LOOKED_UP_MS 50
#define DATAGRAM 2048
#define ROUNDS 16

gboolean
gst_rtc_ice_address (const NiceAddress *address, RtcAddress *out)
{
  union
  {
    struct sockaddr_storage storage;
    struct sockaddr address;
  } to;

  memset (&to, 0, sizeof (to));
  nice_address_copy_to_sockaddr (address, &to.address);
  return rtc_address_from_sockaddr (out, &to.address, sizeof (to));
}

/* Candidates. */

static gboolean
set_ip (NiceAddress *address, const gchar *ip)
{
  guint port = nice_address_get_port (address);
  gboolean done = nice_address_set_from_string (address, ip);

  nice_address_set_port (address, port);
  return done;
}

gchar *
gst_rtc_ice_write_candidate (
    NiceAgent *agent, NiceCandidate *candidate, const GstRtcTransportAddresses *addresses, gboolean hide)
{
  NiceCandidate *told = nice_candidate_copy (candidate);
  gchar own[NICE_ADDRESS_STRING_LEN], *ip, *line = NULL;
  gboolean wanted = TRUE;

  if (told->type == NICE_CANDIDATE_TYPE_HOST) {
    nice_address_to_string (&told->addr, own);
    ip = gst_rtc_interfaces_advertise (addresses, own);
    wanted = ip && set_ip (&told->addr, ip);
    g_free (ip);
  } else if (hide) {
    wanted = nice_address_set_from_string (
        &told->base_addr, nice_address_ip_version (&told->base_addr) == 6 ? "::" : "0.0.0.0");
    nice_address_set_port (&told->base_addr, 0);
  }
  if (wanted) {
    gchar *attribute = nice_agent_generate_local_candidate_sdp (agent, told);

    line = g_strdup (attribute + (g_str_has_prefix (attribute, "a=") ? 2 : 0));
    g_free (attribute);
  }
  nice_candidate_free (told);
  return line;
}

static gboolean
can_be_tried (const gchar *text)
{
  gchar **f = g_strsplit (text, " ", 9);
  gboolean good = g_strv_length (f) >= 8 && g_str_equal (f[1], "1") && g_ascii_strcasecmp (f[2], "udp") == 0
      && g_hostname_is_ip_address (f[4]) && !strchr (f[4], '%') && !g_str_equal (f[5], "0");

  g_strfreev (f);
  return good;
}

NiceCandidate *
gst_rtc_ice_read_candidate (NiceAgent *agent, guint stream, const gchar *text)
{
  NiceCandidate *candidate;
  gchar *line;

  if (!rtc_candidate_check (text, NULL) || !can_be_tried (text))
    return NULL;
  line = g_strdup_printf ("%s%s", g_str_has_prefix (text, "a=") ? "" : "a=", text);
  candidate = nice_agent_parse_remote_candidate_sdp (agent, stream, line);
  g_free (line);
  return candidate;
}

/* The end. */

typedef struct
{
  GstRtcPoll *poll;
  NiceAgent *agent;
  guint stream;
  guint n_watches;
  GstRtcWatch *watches[];
} Closing;

static void
discard (int fd, gpointer user_data)
{
  Closing *closing = user_data;
  guint8 space[DATAGRAM];

  for (guint i = 0; i < ROUNDS; i++) {
    GInputVector vector = {space, sizeof (space)};
    NiceInputMessage message = {&vector, 1, NULL, 0};

    if (nice_agent_recv_messages_nonblocking (
            closing->agent, closing->stream, GST_RTC_ICE_COMPONENT, &message, 1, NULL, NULL)
        <= 0)
      return;
  }
}

static void
closed (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Closing *closing = user_data;

  for (guint i = 0; i < closing->n_watches; i++)
    gst_rtc_poll_remove (closing->poll, closing->watches[i]);
  g_object_unref (closing->agent);
  gst_rtc_poll_release (closing->poll);
  g_free (closing);
}

static void
begin_closing (gpointer user_data)
{
  Closing *closing = user_data;

  nice_agent_close_async (closing->agent, closed, closing);
}

void
gst_rtc_ice_close (
    GstRtcPoll *poll, GstRtcLoop *loop, NiceAgent *agent, guint stream, const int *sockets, guint n_sockets)
{
  Closing *closing = g_malloc0 (sizeof (Closing) + n_sockets * sizeof (GstRtcWatch *));
  gchar *stun = NULL;

  *closing = (Closing){poll, agent, stream, n_sockets};
  for (guint i = 0; i < n_sockets; i++)
    closing->watches[i] = gst_rtc_poll_add (poll, sockets[i], discard, closing);
  gst_rtc_poll_hold (poll);
  g_object_set (agent, "stun-initial-timeout", CLOSE_TIMEOUT_MS, "stun-max-retransmissions", CLOSE_TRANSMISSIONS, NULL);
  g_object_get (agent, "stun-server", &stun, NULL);
  /* An agent that has just begun looks up the address that is one already, and would warn of having been kept from it;
   * it is through with that when the loop has come round. */
  if (stun)
    gst_rtc_loop_add_timeout (loop, LOOKED_UP_MS, begin_closing, closing);
  else
    begin_closing (closing);
  g_free (stun);
}
