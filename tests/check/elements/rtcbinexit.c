/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What happens at the exit of a process that has had an rtcbin. */

#include <gst/check/gstcheck.h>
#include <openssl/crypto.h>
#include <unistd.h>

static void
on_cleanup (void)
{
  g_printerr ("OpenSSL cleans up at exit, under threads that may still end\n");
  _exit (1);
}

/* The test is over when the process is: an exit code is a failure. */
GST_START_TEST (openssl_is_left_alone)
{
  GstElement *rtcbin = gst_element_factory_make ("rtcbin", NULL);

  fail_unless (rtcbin != NULL);
  gst_object_unref (rtcbin);
  fail_unless (OPENSSL_init_crypto (OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL)); /* as the first certificate does */
  fail_unless (OPENSSL_atexit (on_cleanup));
}
GST_END_TEST;

static Suite *
rtcbinexit_suite (void)
{
  Suite *s = suite_create ("rtcbinexit");
  TCase *tcase = tcase_create ("exit");

  suite_add_tcase (s, tcase);
  tcase_add_test (tcase, openssl_is_left_alone);
  return s;
}

GST_CHECK_MAIN (rtcbinexit);
