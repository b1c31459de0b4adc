/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "lib/testroom.h"

G_BEGIN_DECLS

/* What the tests of rtcbin's data channels share. */

/* A pipeline with nothing else in it. */
#define ALONE "pipeline.( " TEST_RTCBIN ")"
#define WAIT (20 * G_TIME_SPAN_SECOND)

/* A channel and what its signals told, "open", "close", "lost" (with a reason), "error: reason", "t:text", "b:size" */
typedef struct
{
  GObject *channel;
  GMutex lock;
  GCond cond;
  /* under lock */
  GPtrArray *log;
  guint seen; /* that were waited for */
} App;

/* OPTIONS as text; NULL: none. */
App *app_new (TestPeer *peer, const gchar *label, const gchar *options);

/* Once the pipelines are gone: no handler is on its way. */
void app_free (App *app);

/* TEXT is what is told next. */
void app_expect (App *app, const gchar *text);

/* The next N, sorted, each with a space behind it. */
void app_expect_all (App *app, guint n, const gchar *text);

/* To the only peer. */
void app_say (App *app, const gchar *text);
void app_send (App *app, gsize size);

typedef struct
{
  TestRoom *room;
  TestPeer *a, *b; /* a offers to b */
} Fixture;

/* In a test that is looped over the transports. */
#define transport test_transports[__i__]
#define setup(f) set_up (f, transport)

void set_up (Fixture *f, const gchar *name);
void join (Fixture *f);

/* Both have a channel "x", with options as for app_new(), before they meet; it is open when this returns. */
#define LISTENS "o,opens=false"
void meet (Fixture *f, App **a, const gchar *a_options, App **b, const gchar *b_options);

/* The end of both. */
void part (Fixture *f, App *a, App *b);

gboolean is_webrtcbin (const gchar *name);

G_END_DECLS
