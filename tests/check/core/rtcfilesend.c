/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What a sender of a file makes of receivers that do not keep to the protocol; rtcfilereceive.c has those that do. */

#include "core/rtcfilesend.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffff"
#define DIGEST ID ID

static void
tell_sender (RtcFileSend *send, const gchar *text, RtcFileCode wanted)
{
  const gchar *reason;

  g_free (rtc_file_send_take (send, TRUE, text, strlen (text), 0));
  g_assert_cmpint (rtc_file_send_get_state (send), ==, RTC_FILE_SEND_FAILED);
  g_assert_cmpint (rtc_file_send_get_code (send, &reason), ==, wanted);
  rtc_file_send_free (send);
}

static RtcFileSend *
asking (void)
{
  RtcFileSend *send = rtc_file_send_new (ID, "a", NULL);

  g_free (rtc_file_send_open (send, 10, 0));
  return send;
}

static void
test_bad_receiver (void)
{
  RtcFileSend *send = asking ();

  g_assert_null (rtc_file_send_take (send, TRUE, "{\"type\":\"cancel\",\"id\":\"" OTHER "\"}",
      strlen ("{\"type\":\"cancel\",\"id\":\"" OTHER "\"}"), 0));
  g_assert_cmpint (rtc_file_send_get_state (send), ==, RTC_FILE_SEND_ASKING);
  tell_sender (send, "{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":1}", RTC_FILE_BAD_PROTOCOL);
  tell_sender (asking (), "{\"type\":\"done\",\"id\":\"" ID "\",\"sha256\":\"" DIGEST "\"}", RTC_FILE_BAD_PROTOCOL);
  tell_sender (asking (), "nonsense", RTC_FILE_BAD_PROTOCOL);
  tell_sender (asking (), "{\"type\":\"cancel\",\"id\":\"" ID "\",\"code\":\"exists\"}", RTC_FILE_EXISTS);
  send = asking ();
  g_free (rtc_file_send_take (send, TRUE, "{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":0}",
      strlen ("{\"type\":\"ready\",\"id\":\"" ID "\",\"offset\":0}"), 0));
  g_assert_null (rtc_file_send_contents (send, "0123456789", 10, 0));
  g_free (rtc_file_send_end (send, 0));
  tell_sender (send, "{\"type\":\"done\",\"id\":\"" ID "\",\"sha256\":\"" DIGEST "\"}", RTC_FILE_DIGEST);
}

/* A lost channel: nothing is sent on it, and one with another size is refused. */
static void
test_away (void)
{
  RtcFileSend *send = asking ();
  const gchar *reason;
  gchar *text;

  rtc_file_send_lose (send);
  g_assert_cmpint (rtc_file_send_get_state (send), ==, RTC_FILE_SEND_AWAY);
  g_assert_cmpint (rtc_file_send_get_deadline (send), ==, -1);
  text = rtc_file_send_open (send, 11, 0);
  g_assert_nonnull (strstr (text, "\"changed\""));
  g_free (text);
  g_assert_cmpint (rtc_file_send_get_code (send, &reason), ==, RTC_FILE_CHANGED);
  rtc_file_send_free (send);

  send = rtc_file_send_new (ID, "a", NULL);
  g_assert_null (rtc_file_send_cancel (send, RTC_FILE_CANCELLED, NULL));
  g_assert_cmpint (rtc_file_send_get_state (send), ==, RTC_FILE_SEND_FAILED);
  g_assert_null (rtc_file_send_open (send, 10, 0));
  rtc_file_send_free (send);
}

/* A file on its way to us over the same channel is none of the sender's business. */
static void
test_shared_channel (void)
{
  RtcFileSend *send = asking ();
  const gchar *text = "{\"type\":\"file\",\"id\":\"" OTHER "\",\"name\":\"b\"}";

  g_assert_null (rtc_file_send_take (send, TRUE, text, strlen (text), 0));
  g_assert_null (rtc_file_send_take (send, FALSE, "contents", 8, 0));
  g_assert_cmpint (rtc_file_send_get_state (send), ==, RTC_FILE_SEND_ASKING);
  rtc_file_send_free (send);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rtcfilesend/bad-receiver", test_bad_receiver);
  g_test_add_func ("/rtcfilesend/away", test_away);
  g_test_add_func ("/rtcfilesend/shared-channel", test_shared_channel);
  return g_test_run ();
}
