/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

#include "core/rtcmessage.h"

G_BEGIN_DECLS

/* Pipelines with an rtcbin each, whose messages are carried from one to the other in this process: a room without a
 * server. The test says who offers to whom, and may change what is said on the way. */

/* For launch lines that begin with TEST_RTCBIN. No key frame comes by itself for half a minute. */
#define TEST_RTCBIN "rtcbin name=rtc "
#define TEST_VIDEO "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! "
#define TEST_VP8 TEST_VIDEO "vp8enc deadline=1 keyframe-max-dist=1000 ! rtc. "
#define TEST_OPUS "audiotestsrc is-live=true ! opusenc ! rtc. "
#define TEST_WATCH_VP8 "rtc.video_src_0 ! vp8dec ! fakesink name=video sync=false async=false "
#define TEST_WATCH_OPUS "rtc.audio_src_0 ! opusdec ! fakesink name=audio sync=false async=false "

typedef struct _TestRoom TestRoom;
typedef struct _TestPeer TestPeer;

/* Sees each message on its way and may change it. Returns FALSE to lose it. The sender's control thread. */
typedef gboolean (*TestRoomFilter) (TestRoom *room, RtcMessage *message, gpointer user_data);

TestRoom *test_room_new (void);

/* Stops all pipelines (in NULL) and frees them. Fails the test when one of them posted an error. */
void test_room_free (TestRoom *room);

void test_room_set_filter (TestRoom *room, TestRoomFilter filter, gpointer user_data);

/* A pipeline from a gst-launch line with an rtcbin named rtc, with TRANSPORT, going to PLAYING. */
TestPeer *test_room_add (TestRoom *room, const gchar *id, const gchar *transport, const gchar *launch);

/* The same for somebody to whom CAMERA offers at once, with CAMERA's transport. */
TestPeer *test_room_add_viewer (TestRoom *room, TestPeer *camera, const gchar *id, const gchar *launch);

GstElement *test_peer_get_pipeline (TestPeer *peer);
GstElement *test_peer_get_rtcbin (TestPeer *peer); /* (transfer none) */

/* Tells both of each other. */
void test_room_join (TestRoom *room, TestPeer *offerer, TestPeer *other);

/* Tells everybody else that it left, and takes it out of the room; its pipeline goes to NULL. */
void test_room_leave (TestRoom *room, TestPeer *peer);

/* A message as a peer that is no pipeline would send it: hands JSON to the rtcbin of PEER. */
void test_peer_tell (TestPeer *peer, const gchar *json);

/* Waits for the element message NAME of the peer's rtcbin; fails the test after 20 s, or when an error comes instead.
 * Returns: (transfer full) */
GstMessage *test_peer_wait_message (TestPeer *peer, const gchar *name);

/* Waits for an error message, whose text must contain TEXT. */
void test_peer_wait_error (TestPeer *peer, const gchar *text);

/* Waits until N more buffers came to the element NAME (a fakesink). */
void test_peer_wait_buffers (TestPeer *peer, const gchar *name, guint n);

/* How many came so far. */
guint test_peer_count_buffers (TestPeer *peer, const gchar *name);

/* The last message that PEER sent of TYPE, waiting for it; its field reason or code. */
RtcMessage *test_room_wait_sent (TestRoom *room, TestPeer *peer, RtcMessageType type);

/* Names of the transports that every test of streams and peers runs with, from tests/transports. */
extern gchar **test_transports;
guint test_transports_load (void);

G_END_DECLS
