/* rtclink: what a packet costs
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Our SRTP beside libsrtp, in turns, in one process and thread: README.md in this folder says how to read it. */

#include "native/rtcsrtp.h"

#include <gst/gst.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK 1000 /* packets: what is timed at once, and at most as many sessions */
#define HEADER 20 /* with an extension of one word, as media has it */
#define ROOM 1280

enum
{
  OURS,
  LIBSRTP,
  N_IMPLEMENTATIONS,
};

typedef struct
{
  RtcSrtpSender *sender;
  RtcSrtpReceiver *receiver;
  srtp_t out, in;
} Session;

typedef struct
{
  RtcSrtpProfile profile;
  guint n_sessions;
  Session sessions[BLOCK];
} Group;

typedef struct
{
  Group *group;
  gsize size; /* of the packet, in plain */
  gboolean receiving;
  guint first; /* session of the next block */
  guint64 next[BLOCK]; /* index, of each session */
  GArray *times[N_IMPLEMENTATIONS]; /* of gdouble, ns a packet, one a round */
} Case;

static const gchar *const names[N_IMPLEMENTATIONS] = {"ours", "libsrtp"};

static gint rounds = 40, seed = 1, burst = 1;

static const GOptionEntry options[] = {
    {"rounds", 'n', 0, G_OPTION_ARG_INT, &rounds, "How often each is measured (40)", "N"},
    {"burst", 'b', 0, G_OPTION_ARG_INT, &burst, "Packets of one session in a row, as of a frame (1)", "N"},
    {"seed", 0, 0, G_OPTION_ARG_INT, &seed, "Of the order in which they come (1)", "N"},
    {NULL},
};

static guint8 frame[ROOM]; /* what all packets are copied from */
static guint8 packets[BLOCK][ROOM];
static gsize sizes[BLOCK];

static srtp_t
reference_new (const RtcSrtpKeys *keys, srtp_ssrc_type_t direction)
{
  gboolean gcm = keys->profile == RTC_SRTP_AEAD_AES_128_GCM;
  srtp_profile_t profile = gcm ? srtp_profile_aead_aes_128_gcm : srtp_profile_aes128_cm_sha1_80;
  guint8 key[sizeof (keys->key) + sizeof (keys->salt)];
  srtp_policy_t policy = {.ssrc.type = direction, .key = key, .window_size = 1024};
  srtp_t session;

  memcpy (key, keys->key, sizeof (keys->key));
  memcpy (key + sizeof (keys->key), keys->salt, sizeof (keys->salt));
  if (srtp_crypto_policy_set_from_profile_for_rtp (&policy.rtp, profile) != srtp_err_status_ok
      || srtp_crypto_policy_set_from_profile_for_rtcp (&policy.rtcp, profile) != srtp_err_status_ok
      || srtp_create (&session, &policy) != srtp_err_status_ok)
    g_error ("libsrtp makes no session of %s", rtc_srtp_profile_to_string (keys->profile));
  return session;
}

static Group *
group_new (RtcSrtpProfile profile, guint n_sessions, GRand *rand)
{
  Group *group = g_new0 (Group, 1);

  group->profile = profile;
  group->n_sessions = n_sessions;
  for (guint i = 0; i < n_sessions; i++) {
    RtcSrtpKeys keys = {.profile = profile};

    for (guint k = 0; k < sizeof (keys.key); k++)
      keys.key[k] = g_rand_int (rand);
    for (guint k = 0; k < sizeof (keys.salt); k++)
      keys.salt[k] = g_rand_int (rand);
    group->sessions[i].sender = rtc_srtp_sender_new (&keys);
    group->sessions[i].receiver = rtc_srtp_receiver_new (&keys);
    group->sessions[i].out = reference_new (&keys, ssrc_any_outbound);
    group->sessions[i].in = reference_new (&keys, ssrc_any_inbound);
  }
  return group;
}

static void
group_free (Group *group)
{
  for (guint i = 0; i < group->n_sessions; i++) {
    rtc_srtp_sender_free (group->sessions[i].sender);
    rtc_srtp_receiver_free (group->sessions[i].receiver);
    srtp_dealloc (group->sessions[i].out);
    srtp_dealloc (group->sessions[i].in);
  }
  g_free (group);
}

static guint
session_of (const Case *c, guint packet)
{
  return (c->first + packet / burst) % c->group->n_sessions;
}

/* Each case has an SSRC, and each session a count of its packets. */
static void
write_header (const Case *c, guint packet, guint64 *index)
{
  guint8 *header = packets[packet];

  *index = c->next[session_of (c, packet)] + (c->group->n_sessions == 1 ? packet : packet % burst);
  memcpy (header, frame, HEADER);
  GST_WRITE_UINT16_BE (header + 2, *index & 0xffff);
  GST_WRITE_UINT32_BE (header + 8, 0x1000 + c->size * 2 + c->receiving);
}

static void
send_ours (const Case *c)
{
  for (guint i = 0; i < BLOCK; i++) {
    guint64 index;

    write_header (c, i, &index);
    sizes[i] = rtc_srtp_sender_protect (
        c->group->sessions[session_of (c, i)].sender, packets[i], HEADER, frame + HEADER, c->size - HEADER, index);
  }
}

static void
send_libsrtp (const Case *c)
{
  for (guint i = 0; i < BLOCK; i++) {
    int size = (int)c->size;
    guint64 index;

    write_header (c, i, &index);
    memcpy (packets[i] + HEADER, frame + HEADER, c->size - HEADER);
    if (srtp_protect (c->group->sessions[session_of (c, i)].out, packets[i], &size) != srtp_err_status_ok)
      g_error ("libsrtp does not protect packet %u", i);
    sizes[i] = size;
  }
}

static void
receive_ours (const Case *c)
{
  for (guint i = 0; i < BLOCK; i++) {
    RtcSrtpReceiver *receiver = c->group->sessions[session_of (c, i)].receiver;

    if (rtc_srtp_receiver_unprotect (receiver, packets[i], &sizes[i]) != RTC_SRTP_OK || sizes[i] != c->size)
      g_error ("packet %u is refused", i);
  }
}

static void
receive_libsrtp (const Case *c)
{
  for (guint i = 0; i < BLOCK; i++) {
    int size = (int)sizes[i];

    if (srtp_unprotect (c->group->sessions[session_of (c, i)].in, packets[i], &size) != srtp_err_status_ok
        || (gsize)size != c->size)
      g_error ("libsrtp refuses packet %u", i);
  }
}

static gdouble
cpu_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

static void
measure (Case *c, guint implementation)
{
  gdouble began, time;

  if (c->receiving)
    send_ours (c);
  began = cpu_time ();
  if (c->receiving)
    (implementation == OURS ? receive_ours : receive_libsrtp) (c);
  else
    (implementation == OURS ? send_ours : send_libsrtp) (c);
  time = (cpu_time () - began) / BLOCK;
  g_array_append_val (c->times[implementation], time);
}

static void
measure_both (Case *c, GRand *rand)
{
  guint first = g_rand_int_range (rand, 0, N_IMPLEMENTATIONS);

  for (guint i = 0; i < N_IMPLEMENTATIONS; i++)
    measure (c, (first + i) % N_IMPLEMENTATIONS);
  for (guint i = 0; i < BLOCK; i++)
    c->next[session_of (c, i)]++;
  c->first = session_of (c, BLOCK - 1) + 1;
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *)a, y = *(const gdouble *)b;

  return (x > y) - (x < y);
}

static gdouble
quantile (const GArray *values, gdouble q)
{
  g_autoptr (GArray) sorted = g_array_copy ((GArray *)values);

  g_array_sort (sorted, compare);
  return g_array_index (sorted, gdouble, (guint)(q * (sorted->len - 1) + 0.5));
}

static void
print (const Case *c)
{
  g_autoptr (GArray) ratios = g_array_new (FALSE, FALSE, sizeof (gdouble));

  for (guint i = 0; i < c->times[OURS]->len; i++) {
    gdouble ratio = g_array_index (c->times[LIBSRTP], gdouble, i) / g_array_index (c->times[OURS], gdouble, i);

    g_array_append_val (ratios, ratio);
  }
  g_print ("  %-24s %-8s %5" G_GSIZE_FORMAT " %6u", rtc_srtp_profile_to_string (c->group->profile),
      c->receiving ? "receive" : "send", c->size, c->group->n_sessions);
  for (guint i = 0; i < N_IMPLEMENTATIONS; i++)
    g_print ("  %6.0f (%5.0f..%5.0f)", quantile (c->times[i], 0.5), quantile (c->times[i], 0.25),
        quantile (c->times[i], 0.75));
  g_print ("  %5.2f (%.2f..%.2f)\n", quantile (ratios, 0.5), quantile (ratios, 0.25), quantile (ratios, 0.75));
}

static void
case_clear (gpointer data)
{
  Case *c = data;

  for (guint i = 0; i < N_IMPLEMENTATIONS; i++)
    g_array_unref (c->times[i]);
}

static void
add_cases (GArray *cases, Group *group)
{
  static const gsize packet_sizes[] = {200, 1200};

  for (guint i = 0; i < 2 * G_N_ELEMENTS (packet_sizes); i++) {
    Case c = {.group = group, .size = packet_sizes[i / 2], .receiving = i % 2};

    for (guint k = 0; k < N_IMPLEMENTATIONS; k++)
      c.times[k] = g_array_new (FALSE, FALSE, sizeof (gdouble));
    g_array_append_val (cases, c);
  }
}

/* One at a time: what libsrtp takes grows with all sessions that there are in the process. */
static void
run (RtcSrtpProfile profile, guint n_sessions, GRand *rand)
{
  g_autoptr (GArray) cases = g_array_new (FALSE, FALSE, sizeof (Case));
  Group *group = group_new (profile, n_sessions, rand);

  g_array_set_clear_func (cases, case_clear);
  add_cases (cases, group);
  /* The first rounds, in which each session has its turn, make what there is of each SSRC, and do not count. */
  for (gint round = -burst; round < rounds; round++) {
    for (guint i = 0; i < cases->len; i++) {
      Case *c = &g_array_index (cases, Case, i);

      measure_both (c, rand);
      if (round < 0) {
        g_array_set_size (c->times[OURS], 0);
        g_array_set_size (c->times[LIBSRTP], 0);
      }
    }
  }
  for (guint i = 0; i < cases->len; i++)
    print (&g_array_index (cases, Case, i));
  group_free (group);
}

int
main (int argc, char **argv)
{
  static const RtcSrtpProfile profiles[] = {RTC_SRTP_AEAD_AES_128_GCM, RTC_SRTP_AES128_CM_SHA1_80};
  static const guint n_sessions[] = {1, BLOCK};
  g_autoptr (GOptionContext) context = g_option_context_new ("- SRTP beside libsrtp, ns of CPU a packet");
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) rand = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || rounds < 1 || burst < 1 || burst > BLOCK) {
    g_printerr ("%s\n", error ? error->message : "--rounds must be above 0, --burst from 1 to 1000");
    return 2;
  }
  if (srtp_init () != srtp_err_status_ok)
    g_error ("libsrtp cannot be initialised");
  rand = g_rand_new_with_seed (seed);
  for (guint i = 0; i < sizeof (frame); i++)
    frame[i] = g_rand_int (rand);
  memcpy (frame, "\x90\x60", 2);
  memcpy (frame + 12, "\xbe\xde\x00\x01", 4);
  g_print ("ns of CPU a packet: median (quartiles) of %d rounds of %d packets, %d of a peer in a row\n", rounds, BLOCK,
      burst);
  g_print ("  %-24s %-8s %5s %6s  %-21s  %-21s  %s\n", "", "", "bytes", "peers", names[OURS], names[LIBSRTP],
      "libsrtp to ours");
  for (guint p = 0; p < G_N_ELEMENTS (profiles); p++) {
    for (guint n = 0; n < G_N_ELEMENTS (n_sessions); n++)
      run (profiles[p], n_sessions[n], rand);
  }
  srtp_shutdown ();
  return 0;
}
