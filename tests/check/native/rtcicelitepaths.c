/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Where a peer is sent to. */

#include "iceliteclient.h"

static void
an_address_belongs_to_who_used_it_last (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client a, b;

  client_init (&a, lite);
  client_init (&b, lite);
  check (&a, 2, START, 0);
  check (&a, 3, START + MS (10), 0);
  check (&a, 1, START + MS (20), NOMINATED);
  check (&b, 4, START + MS (20), NOMINATED);
  g_assert_true (goes_to (&a, 1));

  /* The NAT gives the address of A to B, which moves there. A has others, of which 3 was heard last. */
  heard (&b, 4, START + MS (1000));
  g_assert_cmpuint (check (&b, 1, START + MS (2000), NOMINATED), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&b, 1));
  g_assert_true (goes_to (&a, 3));
  g_assert_false (heard (&a, 1, START + MS (2000)));

  /* Until there is none left. */
  check (&b, 2, START + MS (2000), 0);
  check (&b, 3, START + MS (2000), 0);
  g_assert_true (goes_to (&a, 0));
  g_assert_false (heard (&a, 3, START + MS (2000)));

  g_assert_cmpuint (check (&a, 5, START + MS (2001), 0), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&a, 5) && goes_to (&b, 1));
  client_clear (&a);
  client_clear (&b);
  rtc_ice_lite_free (lite);
}

static void
nine_addresses_are_one_too_many (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  RtcAddress address;
  Client client;

  client_init (&client, lite);
  /* The first is in use though it is the oldest. */
  for (guint i = 1; i <= RTC_ICE_LITE_MAX_ADDRESSES; i++)
    check (&client, i, START + MS (i), i == 1 ? NOMINATED : 0);
  g_assert_true (goes_to (&client, 1));
  heard (&client, 2, START + MS (20)); /* moves: nothing was heard from 1 */
  heard (&client, 1, START + MS (20 + 201));
  g_assert_true (goes_to (&client, 1));
  g_assert_cmpuint (check (&client, 9, START + MS (300), 0), ==, 0);
  for (guint i = 1; i <= 9; i++) {
    address = address_of (i);
    g_assert_true (rtc_ice_lite_find (lite, &address) == (i == 3 ? NULL : client.peer));
  }
  g_assert_true (goes_to (&client, 1));

  /* However many. */
  for (guint i = 10; i < 250; i++)
    check (&client, i, START + MS (300 + i), 0);
  address = address_of (1);
  g_assert_true (rtc_ice_lite_find (lite, &address) == client.peer);
  address = address_of (249);
  g_assert_true (rtc_ice_lite_find (lite, &address) == client.peer);
  address = address_of (242);
  g_assert_null (rtc_ice_lite_find (lite, &address));

  /* None of them is left behind. */
  rtc_ice_lite_remove (lite, client.peer);
  for (guint i = 1; i < 250; i++) {
    address = address_of (i);
    g_assert_null (rtc_ice_lite_find (lite, &address));
  }
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
the_latest_nomination_wins_before_media (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  Client client;

  client_init (&client, lite);
  check (&client, 1, START, 0);
  g_assert_cmpuint (check (&client, 2, START + MS (10), 0), ==, 0);
  g_assert_cmpuint (check (&client, 2, START + MS (20), NOMINATED), ==, RTC_ICE_LITE_MOVED);
  g_assert_cmpuint (check (&client, 1, START + MS (30), 0), ==, 0);
  g_assert_cmpuint (check (&client, 1, START + MS (40), NOMINATED), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&client, 1));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* Firefox: nominates three pairs and uses the first; checks all of them every 5 s. */
static void
who_nominates_every_pair_is_followed_by_its_media (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  guint moves = 0;
  Client client;

  client_init (&client, lite);
  for (guint i = 1; i <= 3; i++)
    check (&client, i, now += MS (20), NOMINATED);
  g_assert_true (goes_to (&client, 3));
  g_assert_true (heard (&client, 1, now += MS (20)));
  g_assert_true (goes_to (&client, 1));

  for (guint i = 0; i < 6000; i++, now += MS (20)) {
    moves += heard (&client, 1, now);
    if (i % 250 < 3)
      moves += check (&client, i % 250 + 1, now + MS (1), NOMINATED) != 0;
  }
  g_assert_cmpuint (moves, ==, 0);

  /* It changes its mind, and all that says so is its media. */
  check (&client, 1, now, NOMINATED);
  heard (&client, 1, now);
  for (guint i = 0; i < 10; i++)
    g_assert_false (heard (&client, 2, now += MS (20)));
  g_assert_true (heard (&client, 2, now += MS (1)));

  /* A packet that was overtaken on the way does not take it back. */
  g_assert_false (heard (&client, 1, now + MS (1)));
  g_assert_true (goes_to (&client, 2));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* Chromium: nominates the pair that it uses, and moves its media there at the same time. */
static void
a_nomination_and_media_move_at_once (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  Client client;

  client_init (&client, lite);
  check (&client, 1, now, NOMINATED);
  check (&client, 2, now, 0);
  for (guint i = 0; i < 50; i++)
    heard (&client, 1, now += MS (20));
  g_assert_cmpuint (check (&client, 2, now += MS (1), NOMINATED), ==, 0);
  g_assert_true (heard (&client, 2, now += MS (1)));
  g_assert_true (goes_to (&client, 2));
  for (guint i = 0; i < 10; i++) {
    g_assert_false (heard (&client, 1, now += MS (1)));
    g_assert_false (heard (&client, 2, now += MS (1)));
  }
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* The NAT gives the peer another address, and neither it nor we are told. */
static void
a_rebound_nat_is_followed_with_the_next_check (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  RtcAddress two = address_of (2);
  Client client;

  client_init (&client, lite);
  check (&client, 1, now, NOMINATED);
  for (guint i = 0; i < 100; i++)
    heard (&client, 1, now += MS (20));
  g_assert_null (rtc_ice_lite_find (lite, &two));

  /* With a nomination (Chromium). */
  g_assert_cmpuint (check (&client, 2, now += MS (501), NOMINATED), ==, RTC_ICE_LITE_MOVED);
  for (guint i = 0; i < 100; i++)
    heard (&client, 2, now += MS (20));

  /* Without one (Firefox). */
  g_assert_cmpuint (check (&client, 3, now += MS (501), 0), ==, RTC_ICE_LITE_MOVED);
  for (guint i = 0; i < 100; i++)
    heard (&client, 3, now += MS (20));

  /* A check sooner than that does not move, but lets media in, which does. */
  g_assert_cmpuint (check (&client, 4, now += MS (150), 0), ==, 0);
  g_assert_false (heard (&client, 4, now + MS (40)));
  g_assert_true (heard (&client, 4, now += MS (60)));

  /* Or the next check does, when there is no media. */
  g_assert_cmpuint (check (&client, 5, now += MS (100), 0), ==, 0);
  g_assert_cmpuint (check (&client, 5, now += MS (500), 0), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&client, 5));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

/* One of ours probes with nominations as soon as it hears nothing. */
static void
who_is_nominated_in_a_silence_moved (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  Client client;

  client_init (&client, lite);
  check (&client, 1, now, NOMINATED);
  for (guint i = 0; i < 100; i++)
    heard (&client, 1, now += MS (20));
  check (&client, 3, now, 0);

  g_assert_cmpuint (check (&client, 2, now += MS (100), NOMINATED), ==, 0);
  g_assert_cmpuint (check (&client, 2, now += MS (49), NOMINATED), ==, 0);
  /* What was there before is another way to the same place, and waits for longer. */
  g_assert_cmpuint (check (&client, 3, now += MS (2), NOMINATED), ==, 0);
  g_assert_true (goes_to (&client, 1));
  g_assert_cmpuint (check (&client, 2, now, NOMINATED), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&client, 2));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
a_second_way_in_reserve_does_not_take_over (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  Client client;

  client_init (&client, lite);
  check (&client, 1, now, NOMINATED);
  check (&client, 2, now, 0);
  /* A viewer without media of its own, both pairs checked every 6 s in turn. */
  for (guint i = 0; i < 20; i++) {
    g_assert_cmpuint (check (&client, 2, now += MS (3000), 0), ==, 0);
    g_assert_cmpuint (check (&client, 1, now += MS (3000), 0), ==, 0);
  }
  /* Until the first dies. */
  g_assert_cmpuint (check (&client, 2, now += MS (3000), 0), ==, 0);
  g_assert_cmpuint (check (&client, 2, now += MS (6000), 0), ==, RTC_ICE_LITE_MOVED);
  g_assert_true (goes_to (&client, 2));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

static void
media_alone_is_no_consent (void)
{
  RtcIceLite *lite = rtc_ice_lite_new ();
  gint64 now = START;
  guint moved_after = 0;
  Client client;

  client_init (&client, lite);
  check (&client, 1, now, NOMINATED);
  for (guint i = 0; i < 30 && !moved_after; i++) {
    now += MS (1000);
    heard (&client, 1, now);
    if (check (&client, 2, now, 0) == RTC_ICE_LITE_MOVED)
      moved_after = i + 1;
  }
  g_assert_cmpuint (moved_after, ==, 21);
  /* Nor does it bring an address back that nobody checks. */
  g_assert_false (heard (&client, 1, now += MS (1000)));
  g_assert_true (goes_to (&client, 2));
  client_clear (&client);
  rtc_ice_lite_free (lite);
}

#define TEST(name) g_test_add_func ("/icelitepaths/" #name, name)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST (an_address_belongs_to_who_used_it_last);
  TEST (nine_addresses_are_one_too_many);
  TEST (the_latest_nomination_wins_before_media);
  TEST (who_nominates_every_pair_is_followed_by_its_media);
  TEST (a_nomination_and_media_move_at_once);
  TEST (a_rebound_nat_is_followed_with_the_next_check);
  TEST (who_is_nominated_in_a_silence_moved);
  TEST (a_second_way_in_reserve_does_not_take_over);
  TEST (media_alone_is_no_consent);
  return g_test_run ();
}
