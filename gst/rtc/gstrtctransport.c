/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtctransport.h"
#define MAX_TRANSPORTS 4

/* Written while the plugin loads, then only read. */
static const GstRtcTransportClass *transports[MAX_TRANSPORTS];
static guint n_transports;

void
gst_rtc_transport_register (const GstRtcTransportClass *klass)
{
  g_assert (n_transports < MAX_TRANSPORTS);
  transports[n_transports++] = klass;
}

const GstRtcTransportClass *
gst_rtc_transport_find (const gchar *name)
{
  gboolean is_auto = g_strcmp0 (name, "auto") == 0;

  for (guint i = 0; i < n_transports; i++) {
    if (is_auto ? transports[i]->check (NULL) : g_strcmp0 (transports[i]->name, name) == 0)
      return transports[i];
  }
  return is_auto ? transports[0] : NULL;
}

gchar *
gst_rtc_transport_list_names (void)
{
  GString *names = g_string_new ("auto");

  for (guint i = 0; i < n_transports; i++)
    g_string_append_printf (names, "%s%s", i + 1 == n_transports ? " or " : ", ", transports[i]->name);
  return g_string_free (names, FALSE);
}

const gchar *
gst_rtc_transport_state_to_string (GstRtcTransportState state)
{
  static const gchar *const names[] = {"new", "gathering", "checking", "securing", "connected", "disconnected"};

  return names[state];
}

GstRtcTransportAddresses
gst_rtc_transport_addresses_copy (const GstRtcTransportAddresses *addresses)
{
  return (GstRtcTransportAddresses){
      g_strdup (addresses->interfaces), g_strdup (addresses->exclude), g_strdup (addresses->advertise)};
}

void
gst_rtc_transport_addresses_clear (GstRtcTransportAddresses *addresses)
{
  g_free ((gchar *)addresses->interfaces);
  g_free ((gchar *)addresses->exclude);
  g_free ((gchar *)addresses->advertise);
  *addresses = (GstRtcTransportAddresses){NULL};
}
