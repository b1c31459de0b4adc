/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two endpoints on a wire that loses, delays, reorders and repeats as its seed says, with a clock that the test turns.
 * A seed that failed is run again with RTC_TEST_SEED=N.
 */

#include "native/rtcendpoint.h"
#include "core/rtcmessage.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000
#define SECOND (1000 * MS)
#define N_SEEDS 1000
#define N_PACKETS 150
#define EXT_MID 4
#define EXT_TWCC 3
#define SSRC 0x1234567
#define RTX_SSRC 0x7654321
#define NTP_START (G_GUINT64_CONSTANT (3900000000) << 32)

/* The wire. */

typedef struct
{
  gint64 at;
  guint to;
  gsize size;
  guint8 data[2048];
} Datagram;

typedef struct _Wire Wire;

/* What became of the packet with this transport-wide number; 0: nothing. */
typedef struct
{
  gint64 sent, came;
  gboolean told;
} Fate;

typedef struct
{
  Wire *wire;
  guint number;
  RtcEndpoint *endpoint;
  RtcDtlsState state;
  GError *error;
  guint16 base; /* of the sequence numbers that came */
  gboolean has_base;
  gboolean got[N_PACKETS];
  guint n_got, n_rtcp, n_key_frames, n_reports, n_nacks, n_feedback;
  guint64 remb;
  gint highest;
} Side;

struct _Wire
{
  guint seed;
  GRand *rand;
  gdouble loss, repeat;
  gint64 delay, jitter;
  gint64 now;
  GQueue datagrams; /* of Datagram, by time */
  gboolean loses_rtcp;
  Side sides[2];
  RtcHistory *history;
  Fate fates[65536];
  guint n_arrived, n_lost; /* of those that were told */
  gint64 clocks; /* the viewer's clock as it is told, less ours */
};

static gint
compare_datagrams (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 x = ((const Datagram *)a)->at, y = ((const Datagram *)b)->at;

  return x < y ? -1 : x > y;
}

static void
put (Wire *wire, guint to, const guint8 *data, gsize size)
{
  Datagram *datagram = g_new (Datagram, 1);

  g_assert_cmpuint (size, <=, sizeof (datagram->data));
  datagram->at = wire->now + wire->delay;
  if (wire->jitter)
    datagram->at += g_rand_int_range (wire->rand, 0, wire->jitter);
  datagram->to = to;
  datagram->size = size;
  memcpy (datagram->data, data, size);
  g_queue_insert_sorted (&wire->datagrams, datagram, compare_datagrams, NULL);
}

/* The number is not encrypted. -1: there is none. */
static gint
get_twcc (const guint8 *data, gsize size)
{
  gsize end;

  if (rtc_datagram_kind (data, size) != RTC_DATAGRAM_RTP || !(data[0] & 0x10))
    return -1;
  end = 16 + 4 * ((data[14] << 8) | data[15]);
  for (gsize at = 16; at < end && at < size; at += data[at] ? 2 + (data[at] & 0xf) : 1) {
    if (data[at] >> 4 == EXT_TWCC)
      return data[at + 1] << 8 | data[at + 2];
  }
  return -1;
}

static void
on_transmit (const guint8 *data, gsize size, gpointer user_data)
{
  Side *side = user_data;
  Wire *wire = side->wire;
  gint number = get_twcc (data, size);

  if (number >= 0)
    wire->fates[number] = (Fate){.sent = wire->now};
  if (g_rand_double (wire->rand) < wire->loss && (number >= 0 || wire->loses_rtcp))
    return;
  put (wire, !side->number, data, size);
  if (g_rand_double (wire->rand) < wire->repeat)
    put (wire, !side->number, data, size);
}

static guint64
ntp_now (Wire *wire)
{
  return NTP_START + ((guint64)wire->now << 32) / SECOND;
}

/* The sides. */

static void
on_state (RtcDtlsState state, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  side->state = state;
  if (error && !side->error)
    side->error = g_error_copy (error);
}

/* The payload says which packet it is, so that what is counted is what arrived whole. */
static void
on_rtp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  Side *side = user_data;
  gsize header = 12;
  gint twcc = get_twcc (data, size);
  guint32 ssrc, number;

  g_assert_cmpint (side->state, ==, RTC_DTLS_CONNECTED);
  g_assert_cmpuint (size, >, 16);
  if (data[0] & 0x10)
    header += 4 + 4 * ((data[14] << 8) | data[15]);
  g_assert_cmpint (twcc, >=, 0);
  g_assert_cmpint (side->wire->fates[twcc].came, ==, 0);
  side->wire->fates[twcc].came = now;
  ssrc = ((guint32)data[8] << 24) | (data[9] << 16) | (data[10] << 8) | data[11];
  if (ssrc == RTX_SSRC)
    header += 2;
  else
    g_assert_cmphex (ssrc, ==, SSRC);
  memcpy (&number, data + header, sizeof (number));
  g_assert_cmpuint (number, <, N_PACKETS);
  for (gsize i = header + 4; i < size; i++)
    g_assert_cmpuint (data[i], ==, (guint8)(number + i - header));
  rtc_endpoint_note_twcc (side->endpoint, ssrc, twcc, now);
  if (ssrc == SSRC && !side->has_base) {
    side->base = (guint16)(((data[2] << 8) | data[3]) - number);
    side->has_base = TRUE;
  }
  side->n_got += !side->got[number];
  side->got[number] = TRUE;
  side->highest = MAX (side->highest, (gint)number);
}

static void
on_rtcp (guint8 *data, gsize size, gint64 now, gpointer user_data)
{
  ((Side *)user_data)->n_rtcp++;
}

static void
on_key_frame_wanted (guint mline, gpointer user_data)
{
  g_assert_cmpuint (mline, ==, 0);
  ((Side *)user_data)->n_key_frames++;
}

static void
on_report (guint mline, const RtcRtcpReport *report, gpointer user_data)
{
  g_assert_cmphex (report->ssrc, ==, SSRC);
  ((Side *)user_data)->n_reports++;
}

static void
on_nack (guint mline, const RtcRtcpNack *nack, gpointer user_data)
{
  g_assert_cmphex (nack->ssrc, ==, SSRC);
  ((Side *)user_data)->n_nacks++;
}

/* All that it says is true. */
static void
on_feedback (const RtcFeedbackReport *report, gpointer user_data)
{
  Side *side = user_data;
  Wire *wire = side->wire;

  g_assert_cmpint (report->now, ==, wire->now);
  side->n_feedback++;
  for (guint i = 0; i < report->n; i++) {
    const RtcFeedbackPacket *packet = &report->packets[i];
    Fate *fate = &wire->fates[(guint16)packet->number];

    g_assert_cmpint (packet->sent, ==, fate->sent);
    g_assert_cmpuint (packet->size, >, 20);
    g_assert_true (i == 0 || packet->number > report->packets[i - 1].number);
    if (packet->arrived == RTC_FEEDBACK_LOST) {
      g_assert_false (fate->told);
      wire->n_lost++;
    } else {
      g_assert_cmpint (fate->came, >, 0);
      if (wire->n_arrived == 0)
        wire->clocks = packet->arrived - fate->came;
      g_assert_cmpint (ABS (packet->arrived - fate->came - wire->clocks), <=, 250);
      wire->n_lost -= fate->told;
      wire->n_arrived++;
    }
    fate->told = TRUE;
  }
}

static void
on_remb (guint64 bitrate, gpointer user_data)
{
  ((Side *)user_data)->remb = bitrate;
}

static const RtcEndpointEvents events = {
    .transmit = on_transmit,
    .state = on_state,
    .rtp = on_rtp,
    .rtcp = on_rtcp,
    .key_frame_wanted = on_key_frame_wanted,
    .report = on_report,
    .nack = on_nack,
    .feedback = on_feedback,
    .remb = on_remb,
};

static RtcDtlsIdentity *identities[2];

static Wire *
wire_new (guint seed)
{
  RtcSenderConfig config = {.ssrc = SSRC,
      .rtx_ssrc = RTX_SSRC,
      .payload = 96,
      .rtx_payload = 97,
      .clock_rate = 90000,
      .mid = "0",
      .ext_mid = EXT_MID,
      .ext_twcc = EXT_TWCC,
      .cname = "cname"};
  Wire *wire = g_new0 (Wire, 1);

  wire->seed = seed;
  wire->rand = g_rand_new_with_seed (seed);
  g_random_set_seed (seed); /* where the numbers of packets begin */
  wire->now = SECOND;
  wire->loses_rtcp = TRUE;
  wire->delay = g_rand_int_range (wire->rand, 0, 60) * MS;
  wire->history = rtc_history_new (2 * SECOND, 1000, 1000000);
  g_queue_init (&wire->datagrams);
  for (guint i = 0; i < 2; i++) {
    Side *side = &wire->sides[i];

    if (!identities[i])
      identities[i] = rtc_dtls_identity_new (NULL);
    side->wire = wire;
    side->number = i;
    side->highest = -1;
    side->endpoint = rtc_endpoint_new (identities[i], &events, side);
  }
  rtc_endpoint_add_sender (wire->sides[0].endpoint, 0, &config);
  for (guint i = 0; i < 2; i++) {
    gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identities[!i]), NULL};

    rtc_endpoint_start (wire->sides[i].endpoint, i == 0, fingerprints, wire->now);
  }
  return wire;
}

static void
wire_free (Wire *wire)
{
  for (guint i = 0; i < 2; i++) {
    rtc_endpoint_free (wire->sides[i].endpoint);
    g_clear_error (&wire->sides[i].error);
  }
  g_queue_clear_full (&wire->datagrams, g_free);
  rtc_history_free (wire->history);
  g_rand_free (wire->rand);
  g_free (wire);
}

/* Turns the clock to TIME, and does all that is due on the way. */
static void
run_until (Wire *wire, gint64 time)
{
  for (;;) {
    Datagram *first = g_queue_peek_head (&wire->datagrams);
    gint64 next = first ? first->at : G_MAXINT64;

    for (guint i = 0; i < 2; i++) {
      gint64 deadline = rtc_endpoint_get_deadline (wire->sides[i].endpoint);

      if (deadline >= 0)
        next = MIN (next, MAX (deadline, wire->now));
    }
    if (next > time)
      break;
    wire->now = next;
    for (guint i = 0; i < 2; i++) {
      gint64 deadline = rtc_endpoint_get_deadline (wire->sides[i].endpoint);

      if (deadline >= 0 && deadline <= wire->now) {
        rtc_endpoint_tick (wire->sides[i].endpoint, wire->now, ntp_now (wire), NTP_START);
        deadline = rtc_endpoint_get_deadline (wire->sides[i].endpoint);
        g_assert_true (deadline < 0 || deadline > wire->now);
      }
    }
    if (first && first->at <= wire->now) {
      g_queue_pop_head (&wire->datagrams);
      rtc_endpoint_take (wire->sides[first->to].endpoint, first->data, first->size, wire->now, ntp_now (wire));
      g_free (first);
    }
  }
  wire->now = time;
}

static void
send_packet (Wire *wire, guint32 number)
{
  guint8 payload[1100], out[2048];
  gsize size = g_rand_int_range (wire->rand, 5, sizeof (payload));
  RtcPacket packet = {.added = wire->now,
      .pts = wire->now,
      .timestamp = number * 3000,
      .marker = TRUE,
      .audio_level = -1,
      .payload = payload,
      .size = size};
  const RtcPacket *kept;

  memcpy (payload, &number, sizeof (number));
  for (gsize i = 4; i < size; i++)
    payload[i] = number + i;
  kept = rtc_history_add (wire->history, &packet);
  rtc_endpoint_set_history (wire->sides[0].endpoint, 0, wire->history);
  size = rtc_endpoint_write (wire->sides[0].endpoint, 0, kept, out);
  g_assert_cmpuint (size, >, 0);
  on_transmit (out, size, &wire->sides[0]);
}

/* What a browser does: asks for what is missing below the highest. */
static void
ask_for_lost (Wire *wire)
{
  Side *side = &wire->sides[1];
  guint8 packet[12 + 4 * N_PACKETS] = {
      0x81, 205, 0, 0, 0, 0, 0, 1, SSRC >> 24, (SSRC >> 16) & 0xff, (SSRC >> 8) & 0xff, SSRC & 0xff};
  gsize size = 12;

  if (!side->has_base)
    return;
  for (gint i = 0; i < side->highest; i++) {
    guint16 seq = side->base + i;

    if (side->got[i])
      continue;
    packet[size++] = seq >> 8;
    packet[size++] = seq;
    packet[size++] = 0;
    packet[size++] = 0;
  }
  packet[3] = size / 4 - 1;
  if (size > 12)
    rtc_endpoint_send_rtcp (side->endpoint, packet, size);
}

static gboolean
connect (Wire *wire)
{
  gint64 end = wire->now + 25 * SECOND;

  while (wire->now < end && (wire->sides[0].state != RTC_DTLS_CONNECTED || wire->sides[1].state != RTC_DTLS_CONNECTED))
    run_until (wire, wire->now + 5 * MS);
  return wire->sides[0].state == RTC_DTLS_CONNECTED && wire->sides[1].state == RTC_DTLS_CONNECTED;
}

static void
one_seed (guint seed)
{
  Wire *wire = wire_new (seed);
  Side *viewer = &wire->sides[1];
  const RtcSenderStats *stats;

  /* What is sent again is bounded, and lost again: more than this would not all come in the time of a history. */
  wire->loss = g_rand_double_range (wire->rand, 0, 0.1);
  wire->repeat = g_rand_double_range (wire->rand, 0, 0.05);
  wire->jitter = g_rand_int_range (wire->rand, 1, 40) * MS;
  if (!connect (wire))
    g_error ("seed %u: no connection (run again with RTC_TEST_SEED=%u)", seed, seed);
  for (guint i = 0; i < N_PACKETS; i++) {
    send_packet (wire, i);
    run_until (wire, wire->now + 10 * MS);
    if (i % 5 == 4)
      ask_for_lost (wire);
  }
  /* The last packets may be lost without a gap that shows it: a player would wait for the next frame. */
  for (guint round = 0; round < 60; round++) {
    run_until (wire, wire->now + 25 * MS);
    ask_for_lost (wire);
  }
  for (gint i = 0; i <= viewer->highest; i++) {
    if (!viewer->got[i] && viewer->has_base)
      g_error ("seed %u: packet %d of %d never came (run again with RTC_TEST_SEED=%u)", seed, i, N_PACKETS, seed);
  }
  stats = rtc_sender_get_stats (rtc_endpoint_get_sender (wire->sides[0].endpoint, 0));
  g_assert_cmpuint (stats->packets_sent, >=, N_PACKETS);
  /* One each 100 ms in three seconds, a tenth of which is lost at most; and nearly all packets are told of. */
  g_assert_cmpuint (wire->sides[0].n_feedback, >=, 5);
  g_assert_cmpuint (wire->n_arrived, >=, N_PACKETS / 2);
  /* A report a second, unless the wire lost it. */
  if (wire->loss < 0.01)
    g_assert_cmpuint (viewer->n_rtcp, >=, 1);
  wire_free (wire);
}

static void
thousand_sessions_on_a_bad_wire (void)
{
  const gchar *seed = g_getenv ("RTC_TEST_SEED");

  if (seed) {
    one_seed (atoi (seed));
    return;
  }
  for (guint i = 0; i < N_SEEDS; i++)
    one_seed (i);
}

static void
nothing_passes_a_wrong_certificate (void)
{
  Wire *wire = wire_new (1);
  RtcDtlsIdentity *identity = rtc_dtls_identity_new (NULL);
  gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identities[0]), NULL};

  rtc_endpoint_free (wire->sides[1].endpoint);
  wire->sides[1].endpoint = rtc_endpoint_new (identity, &events, &wire->sides[1]);
  rtc_endpoint_start (wire->sides[1].endpoint, FALSE, fingerprints, wire->now);
  run_until (wire, wire->now + 10 * SECOND);
  g_assert_cmpint (wire->sides[0].state, ==, RTC_DTLS_FAILED);
  g_assert_error (wire->sides[0].error, RTC_ERROR, RTC_ERROR_FINGERPRINT_MISMATCH);
  g_assert_cmpint (wire->sides[1].state, !=, RTC_DTLS_CONNECTED);
  wire_free (wire);
  rtc_dtls_identity_unref (identity);
}

static void
key_frames_are_asked_for (void)
{
  static const guint8 pli[] = {
      0x81, 206, 0, 2, 0, 0, 0, 1, SSRC >> 24, (SSRC >> 16) & 0xff, (SSRC >> 8) & 0xff, SSRC & 0xff};
  static const guint8 other[] = {0x81, 206, 0, 2, 0, 0, 0, 1, 9, 9, 9, 9};
  Wire *wire = wire_new (2);

  g_assert_true (connect (wire));
  rtc_endpoint_send_rtcp (wire->sides[1].endpoint, pli, sizeof (pli));
  rtc_endpoint_send_rtcp (wire->sides[1].endpoint, other, sizeof (other));
  run_until (wire, wire->now + SECOND);
  g_assert_cmpuint (wire->sides[0].n_key_frames, ==, 1);
  wire_free (wire);
}

/* Where reports are not lost, each number is accounted for. */
static void
viewers_tell_what_came (void)
{
  for (guint seed = 0; seed < 20; seed++) {
    Wire *wire = wire_new (seed);
    guint n_sent = 0, n_came = 0;

    g_assert_true (connect (wire));
    wire->loses_rtcp = FALSE;
    wire->loss = 0.1;
    wire->jitter = 30 * MS;
    for (guint i = 0; i < N_PACKETS; i++) {
      send_packet (wire, i);
      run_until (wire, wire->now + 10 * MS);
      if (i % 10 == 9)
        ask_for_lost (wire);
    }
    /* One that comes ends the last report. */
    wire->loss = 0;
    run_until (wire, wire->now + 200 * MS);
    ask_for_lost (wire);
    run_until (wire, wire->now + SECOND);
    for (guint i = 0; i < G_N_ELEMENTS (wire->fates); i++) {
      n_sent += wire->fates[i].sent > 0;
      n_came += wire->fates[i].came > 0;
      if (wire->fates[i].came > 0 && !wire->fates[i].told)
        g_error ("seed %u: nobody told what became of number %u", seed, i);
    }
    g_assert_cmpuint (n_sent, >=, N_PACKETS);
    g_assert_cmpuint (wire->n_arrived, ==, n_came);
    g_assert_cmpuint (wire->n_lost, >, 0);
    g_assert_cmpuint (wire->n_lost, <=, n_sent - n_came);
    g_assert_cmpuint (wire->sides[0].n_nacks, >, 0);
    wire_free (wire);
  }
}

static void
reports_come_up (void)
{
  static const guint8 report[] = {
      0x81, 201, 0, 7, 0, 0, 0, 1, SSRC >> 24, (SSRC >> 16) & 0xff, (SSRC >> 8) & 0xff, SSRC & 0xff, [31] = 0};
  static const guint8 about_nobody[] = {0x81, 201, 0, 7, 0, 0, 0, 1, 9, 9, 9, 9, [31] = 0};
  /* draft-alvestrand-rmcat-remb-03: 2 bits of exponent, so that it is 250,000 << 2. */
  static const guint8 remb[] = {0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 2 << 2 | 3, 0xd0, 0x90,
      SSRC >> 24, (SSRC >> 16) & 0xff, (SSRC >> 8) & 0xff, SSRC & 0xff};
  Wire *wire = wire_new (5);

  g_assert_true (connect (wire));
  rtc_endpoint_send_rtcp (wire->sides[1].endpoint, report, sizeof (report));
  rtc_endpoint_send_rtcp (wire->sides[1].endpoint, about_nobody, sizeof (about_nobody));
  rtc_endpoint_send_rtcp (wire->sides[1].endpoint, remb, sizeof (remb));
  run_until (wire, wire->now + SECOND);
  g_assert_cmpuint (wire->sides[0].n_reports, ==, 1);
  g_assert_cmpuint (wire->sides[0].remb, ==, 1000000);
  g_assert_cmpuint (rtc_endpoint_get_stats (wire->sides[0].endpoint)->remb, ==, 1000000);
  wire_free (wire);
}

static void
what_is_not_authentic_changes_nothing (void)
{
  Wire *wire = wire_new (3);
  guint8 junk[1200];

  g_assert_true (connect (wire));
  for (guint i = 0; i < 20000; i++) {
    gsize size = g_rand_int_range (wire->rand, 0, sizeof (junk));

    for (gsize j = 0; j < MIN (size, 32); j++)
      junk[j] = g_rand_int (wire->rand);
    g_assert_false (rtc_endpoint_take (wire->sides[1].endpoint, junk, size, wire->now, ntp_now (wire)));
  }
  send_packet (wire, 0);
  run_until (wire, wire->now + SECOND);
  g_assert_cmpuint (wire->sides[1].n_got, ==, 1);
  wire_free (wire);
}

static void
a_good_bye_is_heard (void)
{
  Wire *wire = wire_new (4);

  g_assert_true (connect (wire));
  rtc_endpoint_close (wire->sides[1].endpoint);
  run_until (wire, wire->now + SECOND);
  g_assert_cmpint (wire->sides[0].state, ==, RTC_DTLS_CLOSED);
  wire_free (wire);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/endpoint/thousand_sessions_on_a_bad_wire", thousand_sessions_on_a_bad_wire);
  g_test_add_func ("/endpoint/nothing_passes_a_wrong_certificate", nothing_passes_a_wrong_certificate);
  g_test_add_func ("/endpoint/key_frames_are_asked_for", key_frames_are_asked_for);
  g_test_add_func ("/endpoint/viewers_tell_what_came", viewers_tell_what_came);
  g_test_add_func ("/endpoint/reports_come_up", reports_come_up);
  g_test_add_func ("/endpoint/what_is_not_authentic_changes_nothing", what_is_not_authentic_changes_nothing);
  g_test_add_func ("/endpoint/a_good_bye_is_heard", a_good_bye_is_heard);
  return g_test_run ();
}
