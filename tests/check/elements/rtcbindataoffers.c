/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Which data channels come of what two rtcbins offer and answer. Cases run once for each transport. */

#include "appfixture.h"

#include <gst/check/gstcheck.h>
#include <string.h>

/* Who offers is attached to nothing: webrtcbin offers no channels then, and says so. */
GST_START_TEST (not_offered)
{
  Fixture f;
  App *b;

  f.room = test_room_new ();
  f.a = test_room_add (f.room, "a", transport, TEST_RTCBIN TEST_VP8);
  f.b = test_room_add (f.room, "b", transport, ALONE);
  b = app_new (f.b, "x", NULL);
  join (&f);
  app_expect (b, is_webrtcbin (transport) ? "lost" : "open");
  gst_message_unref (test_peer_wait_message (f.a, "rtc-peer-connected"));
  gst_message_unref (test_peer_wait_message (f.b, "rtc-peer-connected"));
  test_room_free (f.room);
  app_free (b);
}
GST_END_TEST;

/* With one of the other transport, and limits in all that is said of them. */
GST_START_TEST (mixed)
{
  Fixture f;
  App *a, *b;

  f.room = test_room_new ();
  f.a = test_room_add (f.room, "a", transport, ALONE);
  f.b = test_room_add (f.room, "b", is_webrtcbin (transport) ? "native" : "webrtcbin", ALONE);
  meet (&f, &a, "o,max-retransmits=3,ordered=false", &b, "o,max-retransmits=3,ordered=false,opens=false");
  app_say (a, "1");
  app_expect (b, "t:1");
  app_say (b, "");
  app_expect (a, "t:");
  app_send (a, 0);
  app_expect (b, "b:0");
  app_send (b, 0);
  app_expect (a, "b:0");
  app_send (a, 65536);
  app_expect (b, "b:65536");
  app_send (b, 65536);
  app_expect (a, "b:65536");
  g_signal_emit_by_name (a->channel, "close");
  app_expect (b, "close");
  part (&f, a, b);
}
GST_END_TEST;

static gboolean
reject_data (TestRoom *room, RtcMessage *message, gpointer user_data)
{
  gchar *section = message->sdp ? strstr (message->sdp, "m=application 9 ") : NULL;

  if (section)
    section[strlen ("m=application ")] = '0';
  return TRUE;
}

/* The peer has none: what else there is goes on. It is native, which has none when none are offered: webrtcbin would
 * send SCTP all the same, and where nobody takes that, it hears nothing any more. */
GST_START_TEST (rejected)
{
  Fixture f;
  App *a;

  f.room = test_room_new ();
  test_room_set_filter (f.room, reject_data, NULL);
  f.a = test_room_add (f.room, "a", transport, TEST_RTCBIN TEST_VP8);
  a = app_new (f.a, "x", NULL);
  f.b = test_room_add (f.room, "b", "native", TEST_RTCBIN TEST_WATCH_VP8);
  join (&f);
  app_expect (a, "lost");
  test_peer_wait_buffers (f.b, "video", 60);
  test_room_free (f.room);
  app_free (a);
}
GST_END_TEST;

/* Who only listens makes its side offer them. */
GST_START_TEST (only_listeners_offer)
{
  Fixture f;
  App *a, *b;

  setup (&f);
  a = app_new (f.a, "x", LISTENS);
  b = app_new (f.b, "x", NULL);
  join (&f);
  app_expect (b, "open");
  app_say (b, "1");
  app_expect (a, "open");
  app_expect (a, "t:1");
  part (&f, a, b);
}
GST_END_TEST;

/* On a connection that is there: webrtcbin makes none then, and says so. */
GST_START_TEST (negotiated_late)
{
  Fixture f;
  App *first, *a, *b;

  setup (&f);
  first = app_new (f.a, "first", NULL);
  join (&f);
  app_expect (first, "open");
  a = app_new (f.a, "x", "o,negotiated=true,id=700");
  b = app_new (f.b, "x", "o,negotiated=true,id=700");
  if (is_webrtcbin (transport)) {
    app_expect (a,
        "error: webrtcbin makes no negotiated channel on a connection that is there: ask for it before peer b comes, "
        "leave out negotiated, or use rtcbin's property transport=native");
  } else {
    app_expect (a, "open");
    app_expect (b, "open");
    app_say (a, "1");
    app_expect (b, "t:1");
  }
  test_room_free (f.room);
  app_free (first);
  app_free (a);
  app_free (b);
}
GST_END_TEST;

static void
replace (gchar **text, const gchar *from, const gchar *to)
{
  gchar **parts = g_strsplit (*text, from, 2);

  fail_unless (g_strv_length (parts) == 2, "\"%s\" is not in %s", from, *text);
  g_free (*text);
  *text = g_strjoinv (to, parts);
  g_strfreev (parts);
}

/* The offer becomes one in the form of the drafts before RFC 8841, and so has to be the answer. */
static gboolean
make_old (TestRoom *room, RtcMessage *message, gpointer user_data)
{
  guint *n_answers = user_data;

  if (message->type == RTC_MESSAGE_OFFER) {
    replace (&message->sdp, "UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000");
    replace (&message->sdp, "a=sctp-port:5000", "a=sctpmap:5000 webrtc-datachannel 256");
  } else if (message->type == RTC_MESSAGE_ANSWER) {
    (*n_answers)++;
    fail_unless (strstr (message->sdp, "m=application 9 DTLS/SCTP 5000\r\n"), "%s", message->sdp);
    fail_unless (strstr (message->sdp, "a=sctpmap:5000 webrtc-datachannel "), "%s", message->sdp);
    fail_if (strstr (message->sdp, "sctp-port"), "%s", message->sdp);
  }
  return TRUE;
}

/* Peers of before 2018, and some of today that kept it. */
GST_START_TEST (old_form)
{
  guint n_answers = 0;
  Fixture f;
  App *a, *b;

  setup (&f);
  test_room_set_filter (f.room, make_old, &n_answers);
  meet (&f, &a, NULL, &b, LISTENS);
  app_say (a, "1");
  app_expect (b, "t:1");
  app_say (b, "2");
  app_expect (a, "t:2");
  part (&f, a, b);
  fail_unless_equals_int (n_answers, 1);
}
GST_END_TEST;

static Suite *
rtcbindataoffers_suite (void)
{
  Suite *s = suite_create ("rtcbindataoffers");
  TCase *tcase = tcase_create ("offers");
  guint n = test_transports_load ();

  suite_add_tcase (s, tcase);
  tcase_add_loop_test (tcase, not_offered, 0, n);
  tcase_add_loop_test (tcase, mixed, 0, n);
  tcase_add_loop_test (tcase, rejected, 0, n);
  tcase_add_loop_test (tcase, only_listeners_offer, 0, n);
  tcase_add_loop_test (tcase, negotiated_late, 0, n);
  tcase_add_loop_test (tcase, old_form, 0, n);
  return s;
}

GST_CHECK_MAIN (rtcbindataoffers);
