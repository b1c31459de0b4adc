/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcwebrtcagent.h"
#include "base/gstrtcrtpsession.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

/* A TWCC report at each marker bit is what 1.22 does by itself: one for each frame, and late packets count as lost. */
#define TWCC_INTERVAL (100 * GST_MSECOND)

/* Regular reports come with loss and round trip, and 1.22 drops every other one that an early TWCC report is due at the
 * same time as: with its own 5 s that made half a minute without any. Browsers report every second, too. */
#define REPORT_INTERVAL GST_SECOND

/* Between two checks; RFC 8445, section 14.2 allows no less. With libnice's own 20 a path takes 62 ms to be found. */
#define ICE_PACING_MS 5

void
gst_rtc_webrtc_activity_touch (GstRtcWebrtcActivity *activity)
{
  g_atomic_int_set (&activity->last, (gint)(g_get_monotonic_time () / G_USEC_PER_SEC));
}

GstClockTime
gst_rtc_webrtc_activity_silent_for (GstRtcWebrtcActivity *activity)
{
  return ((gint)(g_get_monotonic_time () / G_USEC_PER_SEC) - g_atomic_int_get (&activity->last)) * GST_SECOND;
}

static gboolean
has_property (gpointer object, const gchar *name)
{
  return g_object_class_find_property (G_OBJECT_GET_CLASS (object), name) != NULL;
}

static gboolean
address_is_usable (const struct ifaddrs *at)
{
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at->ifa_addr;

  if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || (at->ifa_flags & IFF_LOOPBACK))
    return FALSE;
  return at->ifa_addr->sa_family == AF_INET
      || (at->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL (&v6->sin6_addr));
}

static void
add_address (GObject *ice, const struct sockaddr *address)
{
  gchar text[INET6_ADDRSTRLEN];
  gboolean ok;
  const void *from = address->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                                                   : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;

  if (inet_ntop (address->sa_family, from, text, sizeof (text)))
    g_signal_emit_by_name (ice, "add-local-ip-address", text, &ok);
}

/* libnice gathers no loopback and passes over interfaces with certain names, compiled in. On a machine without any
 * other, it would have no candidate: two pipelines on a laptop in an aeroplane, or in a container behind a veth. */
static void
add_addresses_that_libnice_skips (GObject *ice)
{
  static const gchar *const skipped[] = {"docker", "veth", "virbr", "vnet"};
  struct ifaddrs *all = NULL;
  gboolean gathered = FALSE, added = FALSE;
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};

  if (getifaddrs (&all) != 0)
    return;
  for (struct ifaddrs *at = all; at; at = at->ifa_next) {
    gboolean skip = FALSE;

    for (guint i = 0; i < G_N_ELEMENTS (skipped); i++)
      skip |= g_str_has_prefix (at->ifa_name, skipped[i]);
    gathered |= address_is_usable (at) && !skip;
  }
  for (struct ifaddrs *at = all; at && !gathered; at = at->ifa_next) {
    if (address_is_usable (at)) {
      add_address (ice, at->ifa_addr);
      added = TRUE;
    }
  }
  freeifaddrs (all);
  if (!gathered && !added)
    add_address (ice, (struct sockaddr *)&loopback);
}

void
gst_rtc_webrtc_configure (GstElement *webrtc, const GstRtcTransportConfig *config)
{
  GObject *ice = NULL, *agent = NULL;

  /* GST_WEBRTC_BUNDLE_POLICY_MAX_BUNDLE and GST_WEBRTC_ICE_TRANSPORT_POLICY_* by their nicks. */
  gst_util_set_object_arg (G_OBJECT (webrtc), "bundle-policy", "max-bundle");
  gst_util_set_object_arg (G_OBJECT (webrtc), "ice-transport-policy", config->relay_only ? "relay" : "all");
  g_object_set (webrtc, "latency", config->latency, NULL);
  if (config->stun_server)
    g_object_set (webrtc, "stun-server", config->stun_server, NULL);
  for (guint i = 0; config->turn_servers && config->turn_servers[i]; i++) {
    gboolean ok;

    g_signal_emit_by_name (webrtc, "add-turn-server", config->turn_servers[i], &ok);
  }

  g_object_get (webrtc, "ice-agent", &ice, NULL);
  g_object_set (ice, "min-rtp-port", config->min_rtp_port, "max-rtp-port", config->max_rtp_port, NULL);
  if (has_property (ice, "ice-tcp"))
    g_object_set (ice, "ice-tcp", FALSE, NULL);
  if (has_property (ice, "agent"))
    g_object_get (ice, "agent", &agent, NULL);
  if (agent)
    g_object_set (agent, "upnp", FALSE, "stun-pacing-timer", ICE_PACING_MS, NULL);
  add_addresses_that_libnice_skips (ice);
  g_clear_object (&agent);
  g_object_unref (ice);
}

static GstPadProbeReturn
note_activity (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  gst_rtc_webrtc_activity_touch (user_data);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
drop_unless_checked (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  const GstRtcWebrtcGate *gate = user_data;

  return g_atomic_int_get (&gate->is_checked) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

static GstPadProbeReturn
drop_when_closed (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  const GstRtcWebrtcGate *gate = user_data;

  return g_atomic_int_get (&gate->is_closed) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

#define BUFFERS (GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST)

static void
watch (GstElement *element, const gchar *pad_name, GstPadProbeType what, GstPadProbeCallback callback,
    gconstpointer user_data)
{
  GstPad *pad = gst_element_get_static_pad (element, pad_name);

  gst_pad_add_probe (pad, what, callback, (gpointer)user_data, NULL);
  gst_object_unref (pad);
}

static void
on_session_pad (GstElement *session, GstPad *pad, gpointer user_data)
{
  if (g_str_has_prefix (GST_OBJECT_NAME (pad), "send_rtcp_src"))
    gst_pad_add_probe (pad, BUFFERS, drop_unless_checked, user_data, NULL);
}

static gboolean
tell_caps (GstElement *webrtc, GstPad *sink, gpointer user_data)
{
  GstCaps *caps = gst_pad_get_current_caps (sink);

  if (caps) {
    gst_pad_send_event (user_data, gst_event_new_caps (caps));
    gst_caps_unref (caps);
  }
  return TRUE;
}

/* What leaves the funnel has one caps event for all senders, without any SSRC. So rtpsession does not know their clock
 * rates and asks for each on the way to its first report, in the middle of a walk through its sources, for which it
 * lets go of its lock: a source that comes then fails an assertion in the one of 1.22, and the reports of the others
 * are left out. It is told of each sender before; rtprtxsend in between adds the SSRC of the retransmissions. */
static GstPadProbeReturn
name_the_senders (GstPad *src, GstPadProbeInfo *info, gpointer user_data)
{
  GstPad *peer = GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_CAPS ? gst_pad_get_peer (src) : NULL;

  if (peer) {
    gst_element_foreach_sink_pad (user_data, tell_caps, peer);
    gst_object_unref (peer);
  }
  return GST_PAD_PROBE_OK;
}

void
gst_rtc_webrtc_tune_element (
    GstElement *element, GstRtcWebrtcActivity *activity, GstRtcWebrtcReports *reports, const GstRtcWebrtcGate *gate)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  const gchar *name = factory ? GST_OBJECT_NAME (factory) : "";

  if (strcmp (name, "clocksync") == 0) {
    /* It holds every packet until its time has come: a frame of latency on a live stream. */
    g_object_set (element, "sync", FALSE, NULL);
  } else if (strcmp (name, "nicesrc") == 0) {
    watch (element, "src", BUFFERS, note_activity, activity);
  } else if (strcmp (name, "rtpfunnel") == 0) {
    watch (element, "src", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, name_the_senders, GST_OBJECT_PARENT (element));
  } else if (strcmp (name, "srtpdec") == 0) {
    /* It goes to READY while those in front of it still push, and the one of 1.22 fails an assertion then: it wants an
     * event of a pad that has just forgotten it. */
    watch (element, "rtp_sink", BUFFERS, drop_when_closed, gate);
    watch (element, "rtcp_sink", BUFFERS, drop_when_closed, gate);
  } else if (strcmp (name, "sctpdec") == 0) {
    /* See gst_rtc_webrtc_sctp_settle(). */
    watch (element, "sink", BUFFERS, drop_when_closed, gate);
  } else if (strcmp (name, "rtpsession") == 0) {
    GObject *session = NULL;

    g_object_get (element, "internal-session", &session, NULL);
    if (has_property (session, "twcc-feedback-interval"))
      g_object_set (session, "twcc-feedback-interval", (guint64)TWCC_INTERVAL, NULL);
    gst_rtc_rtp_session_tune (session, REPORT_INTERVAL);
    gst_rtc_webrtc_reports_watch (reports, session);
    g_clear_object (&session);
    /* Reports are due by the clock, also between the handshake and the look at the certificate behind it. */
    g_signal_connect (element, "pad-added", G_CALLBACK (on_session_pad), (gpointer)gate);
  }
}
