/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "lib/fakehub.h"

G_BEGIN_DECLS

/* What the tests of datachannelsrc share. */
typedef struct
{
  GstElement *rtcbin, *src;
  GstHarness *harness;
  GstBus *bus;
  FakeHub *hub;
} Fixture;

/* A datachannelsrc with the label "x" in PLAYING with these properties, ended by NULL. */
Fixture *fixture_new (const gchar *first_property, ...);
void fixture_free (Fixture *self);

/* The next buffer. (transfer full) */
GstBuffer *pull (Fixture *self);

/* The next buffer, which must be this TEXT. */
void expect (Fixture *self, const gchar *text);

const GstStructure *meta_of (GstBuffer *buffer);
GstStructure *stats_of (Fixture *self);
guint64 stat_of (Fixture *self, const gchar *name);
void assert_caps (Fixture *self, const gchar *expected);

/* Of a Fixture, for fake_wait(). */
gboolean has_eos (gpointer data);

G_END_DECLS
