/* rtclink: what it costs to send to many
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* usage: fan-receiver ADDRESS [--stamps]
 *
 * Many viewers in one thread, each with a socket, ICE, DTLS and SRTP of its own, that look at every packet. In:
 *
 *   join URI FIRST COUNT INTERVAL     rtcbin's viewers vFIRST.., INTERVAL milliseconds apart
 *   offer NAME BASE64                 a viewer that is called so; out: answer NAME BASE64
 *   candidate NAME LINE CANDIDATE..   for it
 *   raw NAME PROFILE                  without WebRTC; out: viewer NAME IP PORT KEY SALT (hexadecimal)
 *   begin                             the account begins; out: begun
 *   drop PART                         of the pictures' packets, as if they were lost; they are asked for with NACK
 *   report                            the account; out: latency.., report..
 *
 * Out as well: connected NAME PROFILE, first NAME MILLISECONDS (a key frame is complete), error NAME WHY. */

#include "receiver.h"

#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define TICK_MS 10
#define EVENTS 256
#define ROUNDS 16

typedef struct
{
  FanReceiver receiver;
  GMainLoop *loop;
  gchar *uri;
  guint next, end; /* who joins */
} Program;

typedef struct
{
  GSource source;
  int epoll;
} PollSource;

static gboolean
poll_dispatch (GSource *source, GSourceFunc func, gpointer user_data)
{
  struct epoll_event events[EVENTS];
  int n = 1;

  for (guint round = 0; n > 0 && round < ROUNDS; round++) {
    n = epoll_wait (((PollSource *)source)->epoll, events, EVENTS, 0);
    for (int i = 0; i < n; i++)
      fan_viewer_readable (events[i].data.ptr);
  }
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs poll_funcs = {.dispatch = poll_dispatch};

static gboolean
on_tick (gpointer user_data)
{
  FanReceiver *receiver = user_data;
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < receiver->viewers->len; i++)
    fan_viewer_tick (g_ptr_array_index (receiver->viewers, i), now);
  return G_SOURCE_CONTINUE;
}

static gchar *
to_hex (const guint8 *data, gsize size)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", data[i]);
  return g_string_free (text, FALSE);
}

static void
start_raw (FanReceiver *receiver, gchar **words)
{
  FanViewer *viewer = fan_viewer_new (receiver, words[1]);
  RtcSrtpKeys keys;
  g_autofree gchar *key = NULL, *salt = NULL;

  fan_viewer_start_raw (
      viewer, g_str_equal (words[2], "gcm") ? RTC_SRTP_AEAD_AES_128_GCM : RTC_SRTP_AES128_CM_SHA1_80, &keys);
  key = to_hex (keys.key, sizeof (keys.key));
  salt = to_hex (keys.salt, sizeof (keys.salt));
  fan_say ("viewer %s %s %u %s %s", viewer->name, receiver->address, viewer->own.port, key, salt);
}

static void
take_offer (FanReceiver *receiver, gchar **words)
{
  FanViewer *viewer = g_hash_table_lookup (receiver->by_name, words[1]);
  g_autofree gchar *answer = NULL, *coded = NULL, *text = NULL;
  gsize size;

  if (!viewer)
    viewer = fan_viewer_new (receiver, words[1]);
  text = (gchar *)g_base64_decode (words[2], &size);
  text = g_realloc (text, size + 1);
  text[size] = '\0';
  fan_viewer_take_offer (viewer, text, &answer);
  coded = g_base64_encode ((const guchar *)answer, strlen (answer));
  fan_say ("answer %s %s", viewer->name, coded);
}

static gboolean
join_next (gpointer user_data)
{
  Program *self = user_data;
  g_autofree gchar *name = g_strdup_printf ("v%u", self->next);

  if (self->next >= self->end)
    return G_SOURCE_REMOVE;
  self->next++;
  fan_join (&self->receiver, self->uri, name);
  return G_SOURCE_CONTINUE;
}

static void
on_command (gchar **words, guint n, gpointer user_data)
{
  Program *self = user_data;
  FanReceiver *receiver = &self->receiver;
  FanViewer *viewer;

  if (g_str_equal (words[0], "join") && n == 5) {
    g_free (self->uri);
    self->uri = g_strdup (words[1]);
    self->next = atoi (words[2]);
    self->end = self->next + atoi (words[3]);
    g_timeout_add (MAX (atoi (words[4]), 1), join_next, self);
  } else if (g_str_equal (words[0], "offer") && n == 3) {
    take_offer (receiver, words);
  } else if (g_str_equal (words[0], "candidate") && n >= 4) {
    g_autofree gchar *candidate = g_strjoinv (" ", words + 3);

    if ((viewer = g_hash_table_lookup (receiver->by_name, words[1])))
      fan_viewer_add_candidate (viewer, candidate);
  } else if (g_str_equal (words[0], "raw") && n == 3) {
    start_raw (receiver, words);
  } else if (g_str_equal (words[0], "begin")) {
    fan_check_begin (receiver);
    fan_say ("begun");
  } else if (g_str_equal (words[0], "drop") && n == 2) {
    receiver->drop = g_ascii_strtod (words[1], NULL);
  } else if (g_str_equal (words[0], "report")) {
    fan_check_report (receiver);
  } else {
    g_error ("fan-receiver: what is \"%s\" with %u words?", words[0], n);
  }
}

int
main (int argc, char **argv)
{
  static Program self;
  FanReceiver *receiver = &self.receiver;
  g_autoptr (GError) error = NULL;
  PollSource *source;

  gst_init (NULL, NULL);
  if (argc < 2) {
    g_printerr ("usage: fan-receiver ADDRESS [--stamps]\n");
    return 2;
  }
  receiver->address = argv[1];
  receiver->stamps = argc > 2 && g_str_equal (argv[2], "--stamps");
  receiver->identity = rtc_dtls_identity_new (&error);
  if (!receiver->identity)
    g_error ("%s", error->message);
  receiver->viewers = g_ptr_array_new ();
  receiver->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  receiver->epoll = epoll_create1 (EPOLL_CLOEXEC);
  receiver->rand = g_rand_new_with_seed (1);
  receiver->latencies = g_array_new (FALSE, TRUE, sizeof (FanLatency));
  receiver->ssrc = g_random_int ();
  self.loop = g_main_loop_new (NULL, FALSE);
  fan_listen (on_command, &self, self.loop);
  source = (PollSource *)g_source_new (&poll_funcs, sizeof (PollSource));
  source->epoll = receiver->epoll;
  g_source_add_unix_fd (&source->source, receiver->epoll, G_IO_IN);
  g_source_attach (&source->source, NULL);
  g_timeout_add (TICK_MS, on_tick, receiver);
  fan_say ("ready");
  g_main_loop_run (self.loop);
  return 0;
}
