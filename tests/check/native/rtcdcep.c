/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "native/rtcdcep.h"

#include <string.h>

static void
read_whole (GBytes *bytes, RtcDcepOpen *open)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  const gchar *error = NULL;

  g_assert_cmpint (rtc_dcep_read (data, size, open, &error), ==, RTC_DCEP_OPEN);
  g_assert_null (error);
}

/* RFC 8832, section 5.1, byte by byte. */
static void
open_is_as_the_rfc_has_it (void)
{
  static const guint8 expected[] = {3, 0x81, 2, 0, 0, 0, 0, 5, 0, 5, 0, 3, 'l', 0xc3, 0xa4, 'b', 'e', 'p', 'r', 'o'};
  RtcDcepOpen open = {
      .max_retransmits = 5, .max_lifetime = -1, .priority = 512, .label = (gchar *)"läbe", .protocol = (gchar *)"pro"};
  g_autoptr (GBytes) bytes = rtc_dcep_write_open (&open);
  RtcDcepOpen back;

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), expected, sizeof (expected));
  read_whole (bytes, &back);
  g_assert_false (back.ordered);
  g_assert_cmpint (back.max_retransmits, ==, 5);
  g_assert_cmpint (back.max_lifetime, ==, -1);
  g_assert_cmpint (back.priority, ==, 512);
  g_assert_cmpstr (back.label, ==, "läbe");
  g_assert_cmpstr (back.protocol, ==, "pro");
  rtc_dcep_open_clear (&back);
}

static void
every_kind_survives (void)
{
  static const gint limits[][2] = {{-1, -1}, {0, -1}, {-1, 0}, {65535, -1}, {-1, 65535}, {G_MAXINT32, -1}};
  static const gchar *const strings[] = {"", "x", "\xf0\x9f\x9a\x97 и 中"};

  for (guint i = 0; i < G_N_ELEMENTS (limits) * 2 * G_N_ELEMENTS (strings); i++) {
    RtcDcepOpen open = {.ordered = i % 2,
        .max_retransmits = limits[i / 2 % G_N_ELEMENTS (limits)][0],
        .max_lifetime = limits[i / 2 % G_N_ELEMENTS (limits)][1],
        .priority = 128 << i % 4,
        .label = (gchar *)strings[i % G_N_ELEMENTS (strings)],
        .protocol = (gchar *)strings[(i + 1) % G_N_ELEMENTS (strings)]};
    g_autoptr (GBytes) bytes = rtc_dcep_write_open (&open);
    RtcDcepOpen back;

    read_whole (bytes, &back);
    g_assert_cmpint (back.ordered, ==, open.ordered);
    g_assert_cmpint (back.max_retransmits, ==, open.max_retransmits);
    g_assert_cmpint (back.max_lifetime, ==, open.max_lifetime);
    g_assert_cmpint (back.priority, ==, open.priority);
    g_assert_cmpstr (back.label, ==, open.label);
    g_assert_cmpstr (back.protocol, ==, open.protocol);
    rtc_dcep_open_clear (&back);
  }
}

static void
strings_have_a_limit (void)
{
  g_autofree gchar *longest = g_strnfill (RTC_DCEP_MAX_STRING, 'a');
  g_autofree gchar *longer = g_strnfill (RTC_DCEP_MAX_STRING + 1, 'a');
  RtcDcepOpen open = {.max_retransmits = -1, .max_lifetime = -1, .label = longest, .protocol = longest}, back;
  g_autoptr (GBytes) bytes = rtc_dcep_write_open (&open);

  read_whole (bytes, &back);
  g_assert_cmpstr (back.protocol, ==, longest);
  rtc_dcep_open_clear (&back);
  open.protocol = longer;
  g_assert_null (rtc_dcep_write_open (&open));
  open.protocol = longest;
  open.label = longer;
  g_assert_null (rtc_dcep_write_open (&open));
  open.label = longest;
  open.max_lifetime = open.max_retransmits = 1;
  g_assert_null (rtc_dcep_write_open (&open));
}

static void
limits_beyond_an_int_are_the_most (void)
{
  static const guint8 data[] = {3, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
  RtcDcepOpen open;

  g_assert_cmpint (rtc_dcep_read (data, sizeof (data), &open, NULL), ==, RTC_DCEP_OPEN);
  g_assert_cmpint (open.max_lifetime, ==, G_MAXINT32);
  rtc_dcep_open_clear (&open);
}

static void
bad_ones_are_refused (void)
{
  static const struct
  {
    const gchar *data;
    gsize size;
  } bad[] = {
      {"", 0},
      {"\x00", 1},
      {"\x01", 1},
      {"\x04", 1},
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 11}, /* too short */
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", 12}, /* the label is missing */
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 12}, /* the protocol is missing */
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00x", 13}, /* there is more */
      {"\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12}, /* a type that nobody knows */
      {"\x03\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12},
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xc3\x28", 14}, /* not UTF-8 */
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc3\x28", 14},
      {"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00"
       "a\0",
          14}, /* NUL */
      {"\x03\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff", 12},
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    /* On the heap, so that what is read behind its end is seen. */
    g_autofree guint8 *copy = g_memdup2 (bad[i].data, bad[i].size);
    const gchar *error = NULL;
    RtcDcepOpen open;

    g_assert_cmpint (rtc_dcep_read (copy, bad[i].size, &open, &error), ==, RTC_DCEP_INVALID);
    g_assert_nonnull (error);
    g_assert_null (open.label);
    g_assert_null (open.protocol);
  }
}

static void
ack_is_a_byte (void)
{
  g_autoptr (GBytes) ack = rtc_dcep_write_ack ();
  RtcDcepOpen open;

  g_assert_cmpmem (g_bytes_get_data (ack, NULL), g_bytes_get_size (ack), "\x02", 1);
  g_assert_cmpint (rtc_dcep_read ((const guint8 *)"\x02", 1, &open, NULL), ==, RTC_DCEP_ACK);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dcep/open_is_as_the_rfc_has_it", open_is_as_the_rfc_has_it);
  g_test_add_func ("/dcep/every_kind_survives", every_kind_survives);
  g_test_add_func ("/dcep/strings_have_a_limit", strings_have_a_limit);
  g_test_add_func ("/dcep/limits_beyond_an_int_are_the_most", limits_beyond_an_int_are_the_most);
  g_test_add_func ("/dcep/bad_ones_are_refused", bad_ones_are_refused);
  g_test_add_func ("/dcep/ack_is_a_byte", ack_is_a_byte);
  return g_test_run ();
}
