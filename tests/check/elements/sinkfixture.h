/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "lib/fakehub.h"

G_BEGIN_DECLS

/* What the tests of datachannelsink share. */
typedef struct
{
  GstElement *rtcbin, *sink;
  GstHarness *harness;
  GstBus *bus;
  FakeHub *hub;
} Fixture;

/* A datachannelsink with the label "x" in PLAYING with these properties, ended by NULL. */
Fixture *fixture_new (const gchar *first_property, ...);
void fixture_free (Fixture *self);

GstBuffer *text_buffer (const gchar *text);
void push (Fixture *self, const gchar *text);
void push_size (Fixture *self, gsize size);
guint64 stat_of (Fixture *self, const gchar *name);

/* More than the channel is given ahead. */
void fill_channel (Fixture *f);

/* What the next warning or error on BUS says. (transfer full) */
gchar *expect_message (GstBus *bus, GstMessageType type);
void assert_contains (const gchar *text, const gchar *part);

G_END_DECLS
