/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcbinpriv.h"

#include <string.h>

#define DEFAULT_LATENCY 60
#define DEFAULT_KEYFRAME_MIN_INTERVAL 300
#define DEFAULT_MAX_PEERS 64
#define DEFAULT_MIN_RTP_PORT 0
#define DEFAULT_MAX_RTP_PORT 65535
#define DEFAULT_TRANSPORT "auto"

enum
{
  PROP_0,
  PROP_LATENCY,
  PROP_STUN_SERVER,
  PROP_TURN_SERVER,
  PROP_ICE_TRANSPORT_POLICY,
  PROP_MIN_RTP_PORT,
  PROP_MAX_RTP_PORT,
  PROP_MAX_PEERS,
  PROP_KEYFRAME_MIN_INTERVAL,
  PROP_REUSE_SOURCE_PADS,
  PROP_TRANSPORT,
  PROP_UDP_PORT,
  PROP_INTERFACES,
  PROP_EXCLUDE_INTERFACES,
  PROP_ADVERTISE_ADDRESS,
  PROP_DTLS_CERTIFICATE,
  PROP_DTLS_PRIVATE_KEY,
  PROP_STATS,
};

GType
gst_rtc_ice_transport_policy_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
      {0, "All: addresses of this machine, STUN and TURN", "all"},
      {1, "Relay: only through a TURN server, so that peers do not learn this machine's addresses", "relay"},
      {0, NULL, NULL},
  };

  if (g_once_init_enter (&type)) {
    GType made = g_enum_register_static ("GstRtcIceTransportPolicy", values);

    gst_type_mark_as_plugin_api (made, 0);
    g_once_init_leave (&type, made);
  }
  return type;
}

void
gst_rtc_bin_settings_init (GstRtcBinSettings *settings)
{
  *settings = (GstRtcBinSettings){
      .latency = DEFAULT_LATENCY,
      .keyframe_min_interval = DEFAULT_KEYFRAME_MIN_INTERVAL,
      .max_peers = DEFAULT_MAX_PEERS,
      .min_rtp_port = DEFAULT_MIN_RTP_PORT,
      .max_rtp_port = DEFAULT_MAX_RTP_PORT,
      .reuse_source_pads = TRUE,
      .transport = g_strdup (DEFAULT_TRANSPORT),
  };
}

void
gst_rtc_bin_settings_clear (GstRtcBinSettings *settings)
{
  g_clear_pointer (&settings->stun_server, g_free);
  g_clear_pointer (&settings->turn_server, g_free);
  g_clear_pointer (&settings->transport, g_free);
  g_clear_pointer (&settings->interfaces, g_free);
  g_clear_pointer (&settings->exclude_interfaces, g_free);
  g_clear_pointer (&settings->advertise_address, g_free);
  g_clear_pointer (&settings->dtls_certificate, g_free);
  g_clear_pointer (&settings->dtls_private_key, g_free);
}

void
gst_rtc_bin_get_settings (GstRtcBin *self, GstRtcBinSettings *settings)
{
  GST_OBJECT_LOCK (self);
  *settings = self->settings;
  settings->stun_server = g_strdup (settings->stun_server);
  settings->turn_server = g_strdup (settings->turn_server);
  settings->transport = g_strdup (settings->transport);
  settings->interfaces = g_strdup (settings->interfaces);
  settings->exclude_interfaces = g_strdup (settings->exclude_interfaces);
  settings->advertise_address = g_strdup (settings->advertise_address);
  settings->dtls_certificate = g_strdup (settings->dtls_certificate);
  settings->dtls_private_key = g_strdup (settings->dtls_private_key);
  GST_OBJECT_UNLOCK (self);
}

/* An URL that the ICE agent would silently not understand is refused here, with what it should look like. */
static void
set_url (GstRtcBin *self, gchar **field, const GValue *value, const gchar *name, const gchar *form,
    const gchar *const *schemes)
{
  const gchar *url = g_value_get_string (value);
  const gchar *scheme = url ? g_uri_peek_scheme (url) : NULL;
  const GstRtcTransportClass *transport;
  GError *error = NULL;

  if (url && *url && (!scheme || !g_strv_contains (schemes, scheme) || !strstr (url, "://"))) {
    g_warning ("rtcbin: %s=%s is not of the form %s; it stays as it was", name, url, form);
    return;
  }
  GST_OBJECT_LOCK (self);
  transport = gst_rtc_transport_find (self->settings.transport);
  GST_OBJECT_UNLOCK (self);
  /* The transport may be set after it: looked at again when the element starts. */
  if (url && *url && transport->check_server && !transport->check_server (url, &error)) {
    g_warning ("rtcbin: %s: %s; it stays as it was", name, error->message);
    g_error_free (error);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_free (*field);
  *field = url && *url ? g_strdup (url) : NULL;
  GST_OBJECT_UNLOCK (self);
}

static void
set_transport (GstRtcBin *self, const gchar *name)
{
  if (!gst_rtc_transport_find (name)) {
    gchar *names = gst_rtc_transport_list_names ();

    g_warning ("rtcbin: there is no transport \"%s\"; it is %s", name, names);
    g_free (names);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_free (self->settings.transport);
  self->settings.transport = g_strdup (name);
  GST_OBJECT_UNLOCK (self);
}

static void
set_text (GstRtcBin *self, gchar **field, const GValue *value)
{
  const gchar *text = g_value_get_string (value);

  GST_OBJECT_LOCK (self);
  g_free (*field);
  *field = text && *text ? g_strdup (text) : NULL;
  GST_OBJECT_UNLOCK (self);
}

static gboolean
is_address_list (const gchar *text)
{
  gchar **list = g_strsplit (text, ",", 0);
  guint counts[2] = {0}, n = g_strv_length (list);
  gboolean good = TRUE;

  for (guint i = 0; i < n && good; i++) {
    good = g_hostname_is_ip_address (g_strstrip (list[i]));
    counts[strchr (list[i], ':') != NULL]++;
  }
  g_strfreev (list);
  return good && counts[0] < 2 && counts[1] < 2;
}

static void
set_advertise_address (GstRtcBin *self, const GValue *value)
{
  const gchar *text = g_value_get_string (value);

  if (text && *text && !is_address_list (text)) {
    g_warning ("rtcbin: advertise-address=%s is no IP address, such as 203.0.113.7, nor one of each family, such as "
               "203.0.113.7,2001:db8::7; it stays as it was",
        text);
    return;
  }
  set_text (self, &self->settings.advertise_address, value);
}

void
gst_rtc_bin_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  static const gchar *const stun[] = {"stun", NULL};
  static const gchar *const turn[] = {"turn", "turns", NULL};
  GstRtcBin *self = GST_RTC_BIN (object);
  GstRtcBinSettings *settings = &self->settings;

  switch (id) {
    case PROP_STUN_SERVER:
      set_url (self, &settings->stun_server, value, "stun-server", "stun://host:port", stun);
      return;
    case PROP_TURN_SERVER:
      set_url (
          self, &settings->turn_server, value, "turn-server", "turn://user:password@host:port?transport=udp", turn);
      return;
    case PROP_TRANSPORT:
      set_transport (self, g_value_get_string (value));
      return;
    case PROP_ADVERTISE_ADDRESS:
      set_advertise_address (self, value);
      return;
    case PROP_INTERFACES:
      set_text (self, &settings->interfaces, value);
      return;
    case PROP_EXCLUDE_INTERFACES:
      set_text (self, &settings->exclude_interfaces, value);
      return;
    case PROP_DTLS_CERTIFICATE:
      set_text (self, &settings->dtls_certificate, value);
      return;
    case PROP_DTLS_PRIVATE_KEY:
      set_text (self, &settings->dtls_private_key, value);
      return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_LATENCY:
      settings->latency = g_value_get_uint (value);
      break;
    case PROP_ICE_TRANSPORT_POLICY:
      settings->relay_only = g_value_get_enum (value);
      break;
    case PROP_MIN_RTP_PORT:
      settings->min_rtp_port = g_value_get_uint (value);
      break;
    case PROP_MAX_RTP_PORT:
      settings->max_rtp_port = g_value_get_uint (value);
      break;
    case PROP_MAX_PEERS:
      settings->max_peers = g_value_get_uint (value);
      break;
    case PROP_KEYFRAME_MIN_INTERVAL:
      settings->keyframe_min_interval = g_value_get_uint (value);
      break;
    case PROP_REUSE_SOURCE_PADS:
      settings->reuse_source_pads = g_value_get_boolean (value);
      break;
    case PROP_UDP_PORT:
      settings->udp_port = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

void
gst_rtc_bin_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstRtcBin *self = GST_RTC_BIN (object);
  GstRtcBinSettings *settings = &self->settings;

  if (id == PROP_STATS) {
    g_value_take_boxed (value, gst_rtc_bin_make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_LATENCY:
      g_value_set_uint (value, settings->latency);
      break;
    case PROP_STUN_SERVER:
      g_value_set_string (value, settings->stun_server);
      break;
    case PROP_TURN_SERVER:
      g_value_set_string (value, settings->turn_server);
      break;
    case PROP_ICE_TRANSPORT_POLICY:
      g_value_set_enum (value, settings->relay_only);
      break;
    case PROP_MIN_RTP_PORT:
      g_value_set_uint (value, settings->min_rtp_port);
      break;
    case PROP_MAX_RTP_PORT:
      g_value_set_uint (value, settings->max_rtp_port);
      break;
    case PROP_MAX_PEERS:
      g_value_set_uint (value, settings->max_peers);
      break;
    case PROP_KEYFRAME_MIN_INTERVAL:
      g_value_set_uint (value, settings->keyframe_min_interval);
      break;
    case PROP_REUSE_SOURCE_PADS:
      g_value_set_boolean (value, settings->reuse_source_pads);
      break;
    case PROP_TRANSPORT:
      g_value_set_string (value, settings->transport);
      break;
    case PROP_UDP_PORT:
      g_value_set_uint (value, settings->udp_port);
      break;
    case PROP_INTERFACES:
      g_value_set_string (value, settings->interfaces);
      break;
    case PROP_EXCLUDE_INTERFACES:
      g_value_set_string (value, settings->exclude_interfaces);
      break;
    case PROP_ADVERTISE_ADDRESS:
      g_value_set_string (value, settings->advertise_address);
      break;
    case PROP_DTLS_CERTIFICATE:
      g_value_set_string (value, settings->dtls_certificate);
      break;
    case PROP_DTLS_PRIVATE_KEY:
      g_value_set_string (value, settings->dtls_private_key);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

#define RW (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)

static void
install_network_properties (GObjectClass *klass)
{
  /**
   * GstRtcBin:stun-server:
   *
   * A server that tells this machine its address as seen from outside, for peers beyond a NAT. None by default:
   * nothing leaves the machine that was not asked for. A server that the signaling offers is used when this is not set.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STUN_SERVER,
      g_param_spec_string ("stun-server", "STUN server",
          "STUN server for peers beyond a NAT, as stun://host:port; none by default. Holds for connections made later",
          NULL, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:turn-server:
   *
   * A relay for peers that cannot be reached directly. Characters of user and password that mean something in a URL are
   * percent-encoded. The transport native speaks to it over UDP and TCP, but not over TLS (`turns:`), and says so;
   * media is encrypted from end to end either way.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_TURN_SERVER,
      g_param_spec_string ("turn-server", "TURN server",
          "Relay for peers that cannot be reached directly, as turn://user:password@host:port?transport=udp (or tcp); "
          "none by default. Holds for connections made later",
          NULL, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:ice-transport-policy:
   *
   * Which addresses are offered to peers (W3C WebRTC, RTCIceTransportPolicy).
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_ICE_TRANSPORT_POLICY,
      g_param_spec_enum ("ice-transport-policy", "ICE transport policy",
          "Which addresses peers are offered: all, or only those of the TURN server. Holds for connections made later",
          gst_rtc_ice_transport_policy_get_type (), 0, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:min-rtp-port:
   *
   * The lowest local UDP port; with #GstRtcBin:max-rtp-port the range to open in a firewall, one port a peer.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MIN_RTP_PORT,
      g_param_spec_uint ("min-rtp-port", "Lowest port",
          "Lowest local UDP port for media, one a peer; 0 leaves it to the system. Holds for connections made later", 0,
          65535, DEFAULT_MIN_RTP_PORT, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:max-rtp-port:
   *
   * The highest local UDP port.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_RTP_PORT,
      g_param_spec_uint ("max-rtp-port", "Highest port",
          "Highest local UDP port for media; not below min-rtp-port. Holds for connections made later", 0, 65535,
          DEFAULT_MAX_RTP_PORT, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:max-peers:
   *
   * How many peers may be connected at a time. Others are told so (error `too-many-peers`).
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_MAX_PEERS,
      g_param_spec_uint ("max-peers", "Most peers",
          "How many peers may be connected at a time; more are turned away with an error that says so", 1, 1024,
          DEFAULT_MAX_PEERS, RW | GST_PARAM_MUTABLE_PLAYING));
}

static void
install_native_properties (GObjectClass *klass)
{
  /**
   * GstRtcBin:udp-port:
   *
   * One UDP port for all peers, the one that is open in a firewall or mapped into a container. This side is ICE-lite
   * then (RFC 8445, section 2.5): peers must be able to reach it, themselves they may be behind any NAT. With 0 each
   * peer has a port of its own, and ICE looks for a path in both directions.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_UDP_PORT,
      g_param_spec_uint ("udp-port", "UDP port",
          "Transport native: one UDP port for all peers, who must be able to reach it; 0: a port for each, with full "
          "ICE",
          0, 65535, 0, RW | GST_PARAM_MUTABLE_READY));
  /**
   * GstRtcBin:interfaces:
   *
   * The network interfaces whose addresses are used: names and globs, separated by commas, such as `eth0,wlan*`. What
   * kind of interface it is plays no part: `veth0` and `docker0` are as good as any. Loopback is used when it is named
   * here, or where there is nothing else.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_INTERFACES,
      g_param_spec_string ("interfaces", "Interfaces",
          "Transport native: network interfaces to use, names and globs separated by commas, as eth0,wlan*; unset: all",
          NULL, RW | GST_PARAM_MUTABLE_READY));
  /**
   * GstRtcBin:exclude-interfaces:
   *
   * The network interfaces whose addresses are not used, as in #GstRtcBin:interfaces, of which these are taken away.
   * `docker*,virbr*` spares peers the addresses of virtual machines.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_EXCLUDE_INTERFACES,
      g_param_spec_string ("exclude-interfaces", "Excluded interfaces",
          "Transport native: network interfaces not to use, names and globs separated by commas, as docker*,virbr*; "
          "unset: none",
          NULL, RW | GST_PARAM_MUTABLE_READY));
  /**
   * GstRtcBin:advertise-address:
   *
   * The address under which peers reach this machine when it is not one of its own: the public one of a NAT or of a
   * container's host that passes every port on as it is (1:1 NAT). One of each family may be given, as
   * `203.0.113.7,2001:db8::7`; this machine's own addresses, and a family that is not named here, are not told.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_ADVERTISE_ADDRESS,
      g_param_spec_string ("advertise-address", "Advertised address",
          "Transport native: the IP address (or one of each family, separated by a comma) that peers are told instead "
          "of this machine's own ones; unset: its own",
          NULL, RW | GST_PARAM_MUTABLE_READY));
  /**
   * GstRtcBin:dtls-certificate:
   *
   * A certificate that lasts, for peers that pin its fingerprint. Otherwise each run has a new one (RFC 8827,
   * section 6.5), which is what browsers do.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_DTLS_CERTIFICATE,
      g_param_spec_string ("dtls-certificate", "DTLS certificate",
          "Transport native: PEM file of a certificate to keep over runs; unset: a new one each time", NULL,
          RW | GST_PARAM_MUTABLE_READY));
  /**
   * GstRtcBin:dtls-private-key:
   *
   * The key of #GstRtcBin:dtls-certificate.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_DTLS_PRIVATE_KEY,
      g_param_spec_string ("dtls-private-key", "DTLS private key",
          "Transport native: PEM file of the certificate's key; unset: in the file of dtls-certificate", NULL,
          RW | GST_PARAM_MUTABLE_READY));
}

static void
install_stats_property (GObjectClass *klass)
{
  /**
   * GstRtcBin:stats:
   *
   * `application/x-rtcbin-stats` with two arrays. `tracks`, of what is sent: `pad`, `codec` (strings), `packets`,
   * `bytes`, `frames`, `key-frames` (guint64), `key-frame-requests`, `peers` (guint). `peers`: `peer-id`,
   * `display-name`, `state`, `session`, `transport-state` (strings), `connects` (guint, how often it was connected),
   * where ICE is restarted in place `ice-restarts`, `ice-pending` (guint, how often, and whether it is under way),
   * `interruptions` (guint, how often nothing was heard for a moment), `last-interruption` (guint64, how long that
   * was), `setup-time` (guint64, from the beginning of the session to the checked certificate), `since-joined`,
   * `silent-for` (guint64, all in nanoseconds), `problems` (string, when the peer goes without something),
   * `round-trip-time` (that of a line), an array `lines` of what is sent and received, and an array `data-channels`,
   * each with `label`, `protocol`, `state` (strings, W3C's), `id`, `max-retransmits` or `max-packet-lifetime` where
   * they are set (gint), `ordered`, `remote` (gboolean, whether the peer opened it), `messages-sent`, `bytes-sent`,
   * `messages-received`, `bytes-received`, `buffered-amount` (what waits to be sent) and `unread-amount` (what came and
   * was not used yet; guint64). Of an rtcbin at the other end it also has `clock-offset` and `clock-offset-error`
   * (gint64, microseconds): the peer's time of the day minus this machine's, and by how much that may be wrong at most.
   *
   * A line has `mid`, `kind`, `codec` (strings), `sends`, `receives` (gboolean) and `packets-`, `bytes-` and
   * `bitrate-`, each with `sent` or `received` behind it (guint64; bits a second). RTCP adds, with the meanings and
   * units of the W3C's statistics and some seconds after the beginning: what the peer lacks of what is sent to it,
   * `remote-packets-lost` (gint64, all in all), `remote-fraction-lost` (gdouble from 0 to 1, lately), `remote-jitter`
   * and `round-trip-time` (gdouble, seconds); and of what it sends `packets-lost`, `fraction-lost` and `jitter`. Lost
   * is what did not come the first time, even if it was sent again. The transport native also tells what the peer asked
   * for, `nack-count`, `pli-count` and `fir-count` (guint) and `retransmitted-packets-sent` and `-bytes-sent`
   * (guint64), and of a peer how it is reached: `ice` (`lite` or `full`), `tls-version`, `dtls-cipher`, `srtp-cipher`
   * (strings), and `packets-dropped-late` (guint64), what was not sent because this process had no time for it. Of all
   * data channels that there were with a peer it has `data-channels-opened`, `data-channels-closed` (guint),
   * `data-messages-` and `data-bytes-sent` and `-received` (guint64), and of the association under them
   * `sctp-smoothed-round-trip-time` (gdouble, seconds), `sctp-congestion-window`, `sctp-bytes-in-flight` (guint),
   * `sctp-chunks-sent`, `sctp-chunks-retransmitted`, `sctp-messages-abandoned` (guint64) and `sctp-interleaving`
   * (gboolean, whether messages of several channels can go at once). Of what
   * is sent to a peer on all lines it tells, as soon as the peer reports it (transport-wide congestion control, which
   * browsers do ten times a second): `acknowledged-bitrate` (guint64, bits a second, what arrived in the last half
   * second by the peer's own clock; 0 when it is silent), `acknowledged-packets`, `lost-packets` (guint64) and
   * `lost-fraction` (gdouble from 0 to 1, of the last second), retransmissions counted; and `remb-bitrate` (guint64),
   * the most that a peer wants to get that says so (REMB).
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics", "State, set-up times and counts of every track and peer",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

void
gst_rtc_bin_install_properties (GObjectClass *klass)
{
  /**
   * GstRtcBin:latency:
   *
   * How long the jitterbuffer holds what peers send, to put packets in order and to have lost ones sent again. A lost
   * packet comes back after one round trip, so twice the round trip is enough; less shows as gaps, more as delay.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_LATENCY,
      g_param_spec_uint ("latency", "Latency",
          "How long received media is held in the jitterbuffer, in milliseconds: about twice the round trip to the "
          "peer, "
          "for lost packets to be sent again in time. Holds for connections made later",
          0, 10000, DEFAULT_LATENCY, RW | GST_PARAM_MUTABLE_PLAYING));
  install_network_properties (klass);
  install_native_properties (klass);
  /**
   * GstRtcBin:keyframe-min-interval:
   *
   * Newcomers and losses ask for key frames; a track's encoder is asked at most once in this time for all of them
   * together.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_KEYFRAME_MIN_INTERVAL,
      g_param_spec_uint ("keyframe-min-interval", "Key frame interval",
          "A track's encoder is asked for a key frame at most once in this many milliseconds, for all peers together",
          0, 60000, DEFAULT_KEYFRAME_MIN_INTERVAL, RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:reuse-source-pads:
   *
   * What happens to a source pad whose peer left: kept, without EOS, for the next stream of its kind, so that a
   * gst-launch-1.0 line shows the picture again when the camera comes back (the default); or ended with EOS and
   * removed, as an application with a view for each peer wants it.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_REUSE_SOURCE_PADS,
      g_param_spec_boolean ("reuse-source-pads", "Reuse source pads",
          "Keep the source pads of a peer that left for the next peer, instead of ending and removing them", TRUE,
          RW | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstRtcBin:transport:
   *
   * What carries the media: `native` (ICE, DTLS and SRTP of rtcbin's own, for many viewers at little cost), `webrtcbin`
   * (GStreamer's), or `auto` for the best one that is there.
   *
   * Since: 0.1
   */
  g_object_class_install_property (klass, PROP_TRANSPORT,
      g_param_spec_string ("transport", "Transport",
          "What carries the media: auto (the best one there is), native or webrtcbin. Set before the element leaves "
          "NULL",
          DEFAULT_TRANSPORT, RW | GST_PARAM_MUTABLE_READY));
  install_stats_property (klass);
}
