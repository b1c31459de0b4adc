/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "rtc/gstrtcbinpriv.h"

G_BEGIN_DECLS

/* An rtcbin over a transport ("fake") that carries nothing: the test says what happens on it. Its peers always offer.
 */

typedef struct
{
  GstRtcChannel parent;
  GPtrArray *sent; /* of gchar, "t:text" */
  gsize unread;
} FakeChannel;

typedef struct
{
  GstRtcTransport parent;
  gchar *peer_id;
  GPtrArray *channels; /* of FakeChannel */
  gint closed; /* atomic */
} FakeTransport;

typedef struct
{
  GstElement *rtcbin;
  GstBus *bus;
  GstRtcDataHub *hub; /* steal it to have it longer */
  guint n_transports; /* that were waited for */
} FakeLink;

/* Whether channels can be opened; every second one can not, when FAILS. */
extern gboolean fake_has_channels, fake_fails;

/* An rtcbin in PLAYING. */
void fake_link_init (FakeLink *link);
void fake_link_clear (FakeLink *link);

/* PEER offers SESSION. Returns: (transfer none): the transport that was opened for it; valid until the link is cleared.
 */
FakeTransport *fake_link_offer (FakeLink *link, const gchar *peer, const gchar *session);

/* It is connected. Waits until rtcbin knows. */
void fake_transport_connect (FakeLink *link, FakeTransport *transport);

/* It broke. */
void fake_transport_fail (FakeLink *link, FakeTransport *transport);
void fake_link_leave (FakeLink *link, const gchar *peer);

/* Waits until what was posted to the control loop has run. */
void fake_link_settle (FakeLink *link);

/* The peer opens a channel. (transfer none) */
FakeChannel *fake_transport_open_remote (FakeTransport *transport, const gchar *label);

/* A text from the peer. */
void fake_channel_say (FakeChannel *channel, const gchar *text);

/* The next element message NAME, waiting for it at most SECONDS. (transfer full) */
GstMessage *fake_link_wait (FakeLink *link, const gchar *name, guint seconds);

/* Fails the test when there is one of that name. */
void fake_link_expect_none (FakeLink *link, const gchar *name);

G_END_DECLS
