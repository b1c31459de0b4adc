/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <libsoup/soup.h>

#include "base/gstrtcsignal.h"
#include "core/rtcmessage.h"

G_BEGIN_DECLS

/* What the tests of wssignalsrc share: an element with a bus, a browser's WebSocket, a proxy that fails on demand. */

typedef struct
{
  GstElement *element;
  GstHarness *harness;
  GstBus *bus;
} Peer;

/* A wssignalsrc in NULL with these properties, ended by NULL. */
Peer *peer_new (const gchar *first_property, ...) G_GNUC_NULL_TERMINATED;
void peer_free (Peer *self);
void peer_play (Peer *self);

/* A listener on a free port of 127.0.0.1, in PLAYING, that has joined its own room. */
Peer *listener_new (void);
guint peer_port (Peer *self);
gchar *peer_id (Peer *self);

/* The next message of TYPE that comes down; others are skipped. Fails the test when none comes. */
RtcMessage *peer_expect (Peer *self, RtcMessageType type);
void peer_send (Peer *self, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

/* The next message of TYPE on the bus, and what it says. Fails the test when none comes. */
gchar *peer_expect_bus (Peer *self, GstMessageType type, GQuark domain, gint code);

/* Fails when there was an error besides those that were expected. */
void peer_no_more_errors (Peer *self);
guint64 peer_stat (Peer *self, const gchar *name);

/* A WebSocket without an element, on the default main context. */
typedef struct
{
  SoupSession *session;
  SoupWebsocketConnection *ws; /* NULL: refused */
  guint status; /* HTTP's */
  GQueue texts; /* received */
  gboolean closed;
  guint close_code;
} Raw;

Raw *raw_new (guint port, const gchar *path, const gchar *origin);
void raw_free (Raw *self);
void raw_send (Raw *self, const gchar *text);

/* The next text, as a message of TYPE. */
RtcMessage *raw_expect (Raw *self, RtcMessageType type);
void raw_expect_error (Raw *self, RtcErrorCode code);
void raw_expect_closed (Raw *self, guint code);

/* Runs the default main context until CONDITION or, which fails the test, until 20 s have passed. */
#define run_until(condition) \
  G_STMT_START \
  { \
    gint64 deadline_ = g_get_monotonic_time () + 20 * G_USEC_PER_SEC; \
    GSource *wake_ = g_timeout_source_new (20); \
    g_source_set_callback (wake_, wake_up, NULL, NULL); \
    g_source_attach (wake_, NULL); \
    while (!(condition)) { \
      fail_unless (g_get_monotonic_time () < deadline_, "waited 20 s for " #condition); \
      g_main_context_iteration (NULL, TRUE); \
    } \
    g_source_destroy (wake_); \
    g_source_unref (wake_); \
  } \
  G_STMT_END

gboolean wake_up (gpointer data);

/* Passes bytes on to a port of 127.0.0.1, until it is told otherwise. */
typedef struct _Proxy Proxy;

Proxy *proxy_new (guint to_port);
void proxy_free (Proxy *self);
guint proxy_port (Proxy *self);
void proxy_cut (Proxy *self); /* ends all connections; new ones are taken */
void proxy_set_silent (Proxy *self, gboolean silent); /* nothing is passed on, nothing is ended */

/* Answers whatever connects with the bytes of ANSWER and ends. */
Proxy *canned_new (const gchar *answer);

/* A self-signed certificate for 127.0.0.1, made in DIR (free the names). */
void make_certificate (const gchar *dir, gchar **certificate, gchar **key);

G_END_DECLS
