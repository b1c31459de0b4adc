/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* ICE restarted in place, between two rtcbins with the transport native: with an agent of libnice on both sides, and
 * with ICE-lite on either. */

#include "lib/testroom.h"

#include <gst/check/gstcheck.h>
#include <string.h>

#define FULL TEST_RTCBIN
#define LITE TEST_RTCBIN "udp-port=50000 "

static const gchar *const sides[][2] = {
    /* the camera's, who offers; the viewer's */
    {FULL TEST_VP8 TEST_OPUS, FULL TEST_WATCH_VP8 TEST_WATCH_OPUS},
    {LITE TEST_VP8 TEST_OPUS, FULL TEST_WATCH_VP8 TEST_WATCH_OPUS},
    {FULL TEST_VP8 TEST_OPUS, LITE TEST_WATCH_VP8 TEST_WATCH_OPUS},
};

typedef struct
{
  TestRoom *room;
  TestPeer *camera, *viewer;
  gchar *session, *sdp; /* of the first offer */
} Fixture;

static void
setup (Fixture *f, guint i)
{
  RtcMessage *offer;

  f->room = test_room_new ();
  f->camera = test_room_add (f->room, "camera", "native", sides[i][0]);
  f->viewer = test_room_add_viewer (f->room, f->camera, "viewer", sides[i][1]);
  gst_message_unref (test_peer_wait_message (f->camera, "rtc-peer-connected"));
  test_peer_wait_buffers (f->viewer, "video", 10);
  test_peer_wait_buffers (f->viewer, "audio", 10);
  offer = test_room_wait_sent (f->room, f->camera, RTC_MESSAGE_OFFER);
  f->session = g_strdup (offer->session);
  f->sdp = g_strdup (offer->sdp);
}

static void
teardown (Fixture *f)
{
  test_room_free (f->room);
  g_free (f->session);
  g_free (f->sdp);
}

/* What PEER knows of the other one. (transfer full) */
static GstStructure *
get_stats (TestPeer *peer)
{
  GstStructure *stats = NULL, *other;
  const GValue *peers;

  g_object_get (test_peer_get_rtcbin (peer), "stats", &stats, NULL);
  peers = gst_structure_get_value (stats, "peers");
  fail_unless_equals_int (gst_value_array_get_size (peers), 1);
  other = gst_structure_copy (gst_value_get_structure (gst_value_array_get_value (peers, 0)));
  gst_structure_free (stats);
  return other;
}

static guint
get_uint (TestPeer *peer, const gchar *field)
{
  GstStructure *stats = get_stats (peer);
  guint value = 0;

  fail_unless (gst_structure_get_uint (stats, field, &value), "no %s in the stats", field);
  gst_structure_free (stats);
  return value;
}

static guint
count_pads (TestPeer *peer)
{
  return g_list_length (test_peer_get_rtcbin (peer)->srcpads);
}

static gchar *
get_attribute (const gchar *sdp, const gchar *name)
{
  gchar *prefix = g_strdup_printf ("\r\na=%s:", name);
  const gchar *at = strstr (sdp, prefix);
  gchar *value;

  fail_unless (at != NULL, "no a=%s in %s", name, sdp);
  at += strlen (prefix);
  value = g_strndup (at, strcspn (at, "\r\n"));
  g_free (prefix);
  return value;
}

/* As the viewer's transport would ask. */
static void
ask (Fixture *f)
{
  gchar *json = g_strdup_printf (
      "{\"type\":\"offer-request\",\"from\":\"viewer\",\"session\":\"%s\",\"restart\":true}", f->session);

  test_peer_tell (f->camera, json);
  g_free (json);
}

/* (transfer full): the sdp of the next offer that is not SDP. */
static gchar *
wait_offer (Fixture *f, const gchar *sdp)
{
  for (guint i = 0; i < 300; i++) {
    RtcMessage *offer = test_room_wait_sent (f->room, f->camera, RTC_MESSAGE_OFFER);
    gchar *found = g_strcmp0 (offer->sdp, sdp) ? g_strdup (offer->sdp) : NULL;

    fail_unless_equals_string (offer->session, f->session);
    if (found)
      return found;
    test_peer_wait_buffers (f->viewer, "video", 1);
  }
  fail ("no offer within 300 frames");
  return NULL;
}

/* Until what is sent goes another way: the agent's address, or that ICE-lite is checked with the new credentials. */
static void
wait_way (Fixture *f, guint restarts)
{
  for (guint i = 0; i < 300; i++) {
    if (get_uint (f->camera, "ice-restarts") == restarts && get_uint (f->viewer, "ice-restarts") == restarts
        && !get_uint (f->camera, "ice-pending") && !get_uint (f->viewer, "ice-pending"))
      return;
    test_peer_wait_buffers (f->viewer, "video", 1);
  }
  fail ("no new path within 300 frames");
}

GST_START_TEST (the_connection_stays)
{
  static const gchar *const same[] = {"mid", "fingerprint", "setup", "rtpmap", "ssrc", "msid"};
  Fixture f;
  gchar *before, *after, *old_sdp;

  setup (&f, __i__);
  old_sdp = g_strdup (f.sdp);
  for (guint restarts = 1; restarts <= 3; restarts++) {
    gchar *sdp;

    ask (&f);
    sdp = wait_offer (&f, old_sdp);
    for (guint i = 0; i < G_N_ELEMENTS (same); i++) {
      before = get_attribute (old_sdp, same[i]);
      after = get_attribute (sdp, same[i]);
      fail_unless_equals_string (before, after);
      g_free (before);
      g_free (after);
    }
    before = get_attribute (old_sdp, "ice-ufrag");
    after = get_attribute (sdp, "ice-ufrag");
    fail_unless (strcmp (before, after) != 0, "the credentials are the same");
    g_free (before);
    g_free (after);
    wait_way (&f, restarts);
    test_peer_wait_buffers (f.viewer, "video", 20);
    test_peer_wait_buffers (f.viewer, "audio", 20);
    g_free (old_sdp);
    old_sdp = sdp;
  }
  fail_unless_equals_int (get_uint (f.viewer, "connects"), 1);
  fail_unless_equals_int (get_uint (f.camera, "connects"), 1);
  fail_unless_equals_int (get_uint (f.viewer, "interruptions"), 0);
  fail_unless_equals_int (count_pads (f.viewer), 2);
  g_free (old_sdp);
  teardown (&f);
}
GST_END_TEST;

static gchar *
replace (const gchar *text, const gchar *what, const gchar *with)
{
  gchar **parts = g_strsplit (text, what, -1), *result = g_strjoinv (with, parts);

  fail_unless (parts[0] && parts[1], "no %s in %s", what, text);
  g_strfreev (parts);
  return result;
}

/* What an offer of the session that there is must not be; media goes on after each. */
GST_START_TEST (a_bad_offer_changes_nothing)
{
  static const struct
  {
    const gchar *what, *with;
    const gchar *reason;
  } bad[] = {
      {"a=mid:0", "a=mid:0", "new ones are expected"},
      {"a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:", "fingerprint"},
      {"a=ice-pwd:", "a=x-pwd:", "ice-pwd"},
  };
  Fixture f;

  setup (&f, __i__);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    RtcMessage *message = rtc_message_new (RTC_MESSAGE_OFFER), *error;
    gchar *json;

    message->from = g_strdup ("camera");
    message->session = g_strdup (f.session);
    message->sdp = replace (f.sdp, bad[i].what, bad[i].with);
    json = rtc_message_to_json (message);
    test_peer_tell (f.viewer, json);
    g_free (json);
    rtc_message_free (message);
    error = test_room_wait_sent (f.room, f.viewer, RTC_MESSAGE_ERROR);
    for (guint waited = 0; !strstr (error->reason, bad[i].reason) && waited < 100; waited++) {
      test_peer_wait_buffers (f.viewer, "video", 1);
      error = test_room_wait_sent (f.room, f.viewer, RTC_MESSAGE_ERROR);
    }
    fail_unless (strstr (error->reason, bad[i].reason), "%s", error->reason);
    fail_unless_equals_string (error->session, f.session);
    test_peer_wait_buffers (f.viewer, "video", 10);
  }
  fail_unless_equals_int (get_uint (f.viewer, "ice-restarts"), 0);
  fail_unless_equals_int (get_uint (f.viewer, "connects"), 1);
  teardown (&f);
}
GST_END_TEST;

static Suite *
rtcbinrestart_suite (void)
{
  Suite *s = suite_create ("rtcbinrestart");
  TCase *tc = tcase_create ("restart");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 60);
  tcase_add_loop_test (tc, the_connection_stays, 0, G_N_ELEMENTS (sides));
  tcase_add_loop_test (tc, a_bad_offer_changes_nothing, 0, G_N_ELEMENTS (sides));
  return s;
}

GST_CHECK_MAIN (rtcbinrestart);
