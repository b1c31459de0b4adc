/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* The native transport's descriptions: answers to what real implementations offer (tests/data/sdp), offers of ours and
 * what is answered to them (tests/data/native-*), and what may not pass. RTC_TEST_RECORD=1 writes the files that the
 * results are compared with. */

#include "core/rtcmessage.h"
#include "native/gstrtcnativesdp.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRACKS 6
#define MAX_LINES 96

#define VIDEO "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name="
#define AUDIO "application/x-rtp,media=audio,payload=97,encoding-name="

static const struct
{
  const gchar *name, *caps;
} known_tracks[] = {
    {"VP8", VIDEO "VP8"},
    {"VP9", VIDEO "VP9,profile-id=(string)0"},
    {"H264-constrained-baseline", VIDEO "H264,packetization-mode=(string)1,profile-level-id=(string)42c028"},
    {"H264-high", VIDEO "H264,packetization-mode=(string)1,profile-level-id=(string)64001f"},
    {"H265", VIDEO "H265"},
    {"OPUS", AUDIO "OPUS,clock-rate=48000,sprop-stereo=(string)1,sprop-maxcapturerate=(string)48000"},
    {"PCMU", AUDIO "PCMU,clock-rate=8000"},
};

typedef struct
{
  GstRtcSdpTrack tracks[MAX_TRACKS];
  gchar names[MAX_TRACKS][16];
  guint n;
} Tracks;

static guint32 ssrcs[MAX_LINES], rtx_ssrcs[MAX_LINES];

static const GstRtcNativeLocal us = {
    .ufrag = "ours",
    .password = "aPasswordOfOurOwn12345",
    .fingerprint = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
                   "DD:EE:FF",
    .cname = "rtclink-1f2e3d4c",
    .ssrcs = ssrcs,
    .rtx_ssrcs = rtx_ssrcs,
};

/* "VP8 OPUS", "-" */
static void
tracks_init (Tracks *tracks, const gchar *text)
{
  g_auto (GStrv) names = g_strsplit (text, " ", 0);

  *tracks = (Tracks){.n = 0};
  for (guint i = 0; names[i] && strcmp (text, "-") != 0; i++) {
    GstRtcSdpTrack *track = &tracks->tracks[tracks->n];

    g_assert_cmpuint (i, <, MAX_TRACKS);
    for (guint k = 0; k < G_N_ELEMENTS (known_tracks); k++) {
      if (strcmp (names[i], known_tracks[k].name) == 0)
        track->caps = gst_caps_from_string (known_tracks[k].caps);
    }
    g_assert_nonnull (track->caps);
    track->codec = gst_rtc_codec_by_caps (track->caps);
    g_assert_nonnull (track->codec);
    track->kind = track->codec->kind;
    g_snprintf (tracks->names[i], sizeof (tracks->names[i]), "%s_%u", gst_rtc_kind_to_string (track->kind), i);
    track->name = tracks->names[i];
    tracks->n++;
  }
}

static void
tracks_clear (Tracks *tracks)
{
  for (guint i = 0; i < tracks->n; i++)
    gst_caps_unref (tracks->tracks[i].caps);
}

static gchar *
data_path (const gchar *folder, const gchar *name)
{
  return g_build_filename (g_getenv ("RTC_TEST_DATA"), folder, name, NULL);
}

static gchar *
read_data (const gchar *folder, const gchar *name)
{
  g_autofree gchar *path = data_path (folder, name);
  GError *error = NULL;
  gchar *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
compare (const gchar *folder, const gchar *name, const gchar *text)
{
  g_autofree gchar *path = data_path (folder, name), *expected = NULL;
  g_auto (GStrv) ours = NULL, theirs = NULL;

  if (g_getenv ("RTC_TEST_RECORD")) {
    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    g_test_message ("wrote %s", path);
    return;
  }
  expected = read_data (folder, name);
  ours = g_strsplit (text, "\r\n", 0);
  theirs = g_strsplit (expected, "\r\n", 0);
  for (guint i = 0; ours[i] || theirs[i]; i++) {
    if (g_strcmp0 (ours[i], theirs[i]))
      g_error ("%s/%s:%u: \"%s\" is written, not \"%s\"", folder, name, i + 1, ours[i], theirs[i]);
  }
}

static GstSDPMessage *
parse (const gchar *text, gboolean is_answer)
{
  GError *error = NULL;
  GstSDPMessage *sdp = gst_rtc_sdp_parse (text, is_answer, &error);

  if (error)
    g_error ("%s: %s", error->message, text);
  return sdp;
}

/* Rules that hold for every description of ours, looked at by means of GstSDP alone. */

static gboolean
has_value (const GstSDPMedia *media, const gchar *key, const gchar *value)
{
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    const GstSDPAttribute *attribute = gst_sdp_media_get_attribute (media, i);

    if (strcmp (attribute->key, key) == 0 && (!value || strcmp (attribute->value, value) == 0))
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_format (const GstSDPMedia *media, gint payload)
{
  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    if (atoi (gst_sdp_media_get_format (media, i)) == payload)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_bundled (const GstSDPMessage *sdp, const gchar *mid)
{
  const gchar *group = gst_sdp_message_get_attribute_val (sdp, "group");
  g_auto (GStrv) mids = g_strsplit (group ? group : "", " ", 0);

  return g_strv_contains ((const gchar *const *)mids, mid);
}

/* rtpmap and fmtp; empty when the section does not have PAYLOAD. */
static gchar *
meaning_of (const GstSDPMedia *media, gint payload)
{
  GString *text = g_string_new (NULL);
  static const gchar *const keys[] = {"rtpmap", "fmtp"};
  gboolean video = strcmp (gst_sdp_media_get_media (media), "video") == 0;

  for (guint k = 0; k < (video ? 2 : 1); k++) {
    const gchar *value;

    for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, keys[k], i)); i++) {
      if (atoi (value) == payload)
        g_string_append_printf (text, "%s;", value);
    }
  }
  return g_string_free (text, FALSE);
}

static void
check_formats (const GstSDPMedia *media)
{
  const gchar *value;

  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    gint payload = atoi (gst_sdp_media_get_format (media, i));
    g_autofree gchar *meaning = meaning_of (media, payload);
    const gchar *apt = strstr (meaning, "apt=");

    if (!strstr (meaning, "/"))
      g_error ("payload type %d has no rtpmap", payload);
    if (strstr (meaning, "rtx/") && (!apt || !has_format (media, atoi (apt + strlen ("apt=")))))
      g_error ("RTX %d repeats nothing: %s", payload, meaning);
  }
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "rtcp-fb", i)); i++) {
    g_assert_null (strstr (value, "goog-remb"));
    g_assert_true (has_format (media, atoi (value)));
  }
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "extmap", i)); i++) {
    g_assert_cmpint (atoi (value), >=, 1);
    g_assert_cmpint (atoi (value), <=, 14);
    for (guint k = 0; k < i; k++)
      g_assert_cmpint (atoi (value), !=, atoi (gst_sdp_media_get_attribute_val_n (media, "extmap", k)));
  }
}

static void
check_ssrcs (const GstSDPMedia *media, GHashTable *seen)
{
  gboolean sends = has_value (media, "sendonly", NULL) || has_value (media, "sendrecv", NULL);
  const gchar *fid = gst_sdp_media_get_attribute_val (media, "ssrc-group"), *value;
  GHashTableIter iter;
  gpointer ssrc;
  g_autoptr (GHashTable) here = g_hash_table_new (NULL, NULL);
  guint rtx = 0;

  g_assert_cmpint (sends, ==, has_value (media, "msid", NULL));
  g_assert_cmpint (sends, ==, has_value (media, "ssrc", NULL));
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "rtpmap", i)); i++)
    rtx += strstr (value, " rtx/") != NULL;
  g_assert_cmpint (fid != NULL, ==, sends && rtx > 0);
  for (guint i = 0; (value = gst_sdp_media_get_attribute_val_n (media, "ssrc", i)); i++) {
    g_hash_table_add (here, GUINT_TO_POINTER (strtoul (value, NULL, 10)));
    g_assert_true (strstr (value, " cname:rtclink-1f2e3d4c") || strstr (value, " msid:rtclink-1f2e3d4c "));
  }
  g_assert_cmpuint (g_hash_table_size (here), ==, !sends ? 0 : fid ? 2 : 1);
  if (fid) {
    g_auto (GStrv) words = g_strsplit (fid, " ", 0);

    g_assert_cmpuint (g_strv_length (words), ==, 3);
    g_assert_cmpstr (words[0], ==, "FID");
    g_assert_cmpstr (words[1], !=, words[2]);
    for (guint i = 1; i < 3; i++)
      g_assert_true (g_hash_table_contains (here, GUINT_TO_POINTER (strtoul (words[i], NULL, 10))));
  }
  g_hash_table_iter_init (&iter, here);
  while (g_hash_table_iter_next (&iter, &ssrc, NULL))
    g_assert_true (g_hash_table_add (seen, ssrc));
}

static void
check_transport (const GstSDPMedia *media)
{
  g_assert_true (has_value (media, "ice-ufrag", us.ufrag));
  g_assert_true (has_value (media, "ice-pwd", us.password));
  g_assert_true (has_value (media, "fingerprint", us.fingerprint));
  g_assert_true (has_value (media, "rtcp-mux", NULL));
  g_assert_cmpuint (gst_sdp_media_connections_len (media), ==, 1);
  g_assert_cmpint (
      has_value (media, "sendrecv", NULL) + has_value (media, "sendonly", NULL) + has_value (media, "recvonly", NULL),
      ==, 1);
}

static void
check_rules (const GstSDPMessage *sdp)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  guint n = gst_sdp_message_medias_len (sdp);

  for (guint i = 0; i < n; i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, i);
    const gchar *mid = gst_sdp_media_get_attribute_val (media, "mid");

    g_assert_nonnull (mid);
    if (gst_sdp_media_get_port (media) == 0) {
      g_assert_false (is_bundled (sdp, mid));
      g_assert_true (has_value (media, "inactive", NULL));
      continue;
    }
    check_formats (media);
    check_ssrcs (media, seen);
    check_transport (media);
    for (guint k = 0; k < i; k++) {
      const GstSDPMedia *other = gst_sdp_message_get_media (sdp, k);

      for (gint payload = 0; payload < 128 && gst_sdp_media_get_port (other) != 0; payload++) {
        g_autofree gchar *one = meaning_of (media, payload), *two = meaning_of (other, payload);

        if (*one && *two && strcmp (one, two))
          g_error ("payload type %d is %s and %s", payload, one, two);
      }
    }
  }
}

static void
check_direction (const GstSDPMedia *offered, const GstSDPMedia *media)
{
  gboolean they_send = !has_value (offered, "recvonly", NULL) && !has_value (offered, "inactive", NULL);
  gboolean they_receive = !has_value (offered, "sendonly", NULL) && !has_value (offered, "inactive", NULL);

  if (!they_send)
    g_assert_true (has_value (media, "sendonly", NULL));
  if (!they_receive)
    g_assert_true (has_value (media, "recvonly", NULL));
}

/* And for answers: nothing that was not offered. */
static void
check_answer (const GstSDPMessage *offer, const GstSDPMessage *answer)
{
  const gchar *value;

  g_assert_cmpuint (gst_sdp_message_medias_len (answer), ==, gst_sdp_message_medias_len (offer));
  check_rules (answer);
  for (guint i = 0; i < gst_sdp_message_medias_len (offer); i++) {
    const GstSDPMedia *offered = gst_sdp_message_get_media (offer, i), *media = gst_sdp_message_get_media (answer, i);
    const gchar *mid = gst_sdp_media_get_attribute_val (media, "mid");

    g_assert_cmpstr (gst_sdp_media_get_media (media), ==, gst_sdp_media_get_media (offered));
    g_assert_cmpstr (gst_sdp_media_get_proto (media), ==, gst_sdp_media_get_proto (offered));
    g_assert_cmpstr (mid, ==, gst_sdp_media_get_attribute_val (offered, "mid"));
    if (gst_sdp_media_get_port (media) == 0)
      continue;
    g_assert_cmpint (is_bundled (offer, mid), ==, is_bundled (answer, mid));
    g_assert_true (has_value (media, "setup", has_value (offered, "setup", "passive") ? "active" : "passive"));
    check_direction (offered, media);
    for (guint f = 0; f < gst_sdp_media_formats_len (media); f++)
      g_assert_true (has_format (offered, atoi (gst_sdp_media_get_format (media, f))));
    for (guint k = 0; (value = gst_sdp_media_get_attribute_val_n (media, "rtcp-fb", k)); k++) {
      g_autofree gchar *any = g_strconcat ("*", strchr (value, ' '), NULL);

      g_assert_true (has_value (offered, "rtcp-fb", value) || has_value (offered, "rtcp-fb", any));
    }
    for (guint k = 0; (value = gst_sdp_media_get_attribute_val_n (media, "extmap", k)); k++) {
      if (!strchr (value, '/') || strchr (value, '/') > strchr (value, ' '))
        g_assert_true (has_value (offered, "extmap", value));
    }
  }
}

/* Answers. */

static gchar *
make_answer (const gchar *text, const gchar *ours, const GstRtcNativeLocal *local)
{
  g_autofree gchar *problems = NULL;
  GstSDPMessage *offer = parse (text, FALSE), *answer, *again;
  GError *error = NULL;
  GstRtcNativeRemote remote;
  GArray *lines;
  Tracks tracks;
  gchar *made;

  tracks_init (&tracks, ours);
  lines = gst_rtc_sdp_plan_answer (offer, tracks.tracks, tracks.n, &problems, &error);
  if (!lines) {
    g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
    g_clear_error (&error);
    gst_sdp_message_free (offer);
    tracks_clear (&tracks);
    return NULL;
  }
  g_assert_true (gst_rtc_native_sdp_read (offer, lines, FALSE, local->lite, &remote, &error));
  g_assert_no_error (error);
  g_assert_nonnull (remote.fingerprints[0]);
  answer = gst_rtc_native_sdp_answer (offer, lines, tracks.tracks, local);
  made = gst_sdp_message_as_text (answer);
  again = parse (made, TRUE);
  check_answer (offer, again);
  g_assert_true (has_value (
      gst_sdp_message_get_media (again, remote.mline), "setup", remote.is_dtls_server ? "passive" : "active"));
  gst_rtc_native_remote_clear (&remote);
  gst_sdp_message_free (again);
  gst_sdp_message_free (answer);
  gst_sdp_message_free (offer);
  g_array_unref (lines);
  tracks_clear (&tracks);
  return made;
}

static const struct
{
  const gchar *offer, *tracks, *answer;
} golden[] = {
    {"chromium-watches.sdp", "VP8 OPUS", "chromium-watches-vp8-opus.sdp"},
    {"chromium-watches.sdp", "H264-constrained-baseline", "chromium-watches-h264.sdp"},
    {"chromium-calls.sdp", "VP9 OPUS", "chromium-calls-vp9-opus.sdp"},
    {"chromium-calls.sdp", "-", "chromium-calls-nothing.sdp"},
    {"firefox-watches.sdp", "VP8 OPUS", "firefox-watches-vp8-opus.sdp"},
    {"firefox-watches.sdp", "VP8", "firefox-watches-vp8.sdp"},
    {"firefox-calls.sdp", "VP8 PCMU", "firefox-calls-vp8-pcmu.sdp"},
    {"aiortc-calls.sdp", "H264-constrained-baseline OPUS", "aiortc-calls-h264-opus.sdp"},
    {"pion-watches.sdp", "H265 OPUS", "pion-watches-h265-opus.sdp"},
    {"pion-watches.sdp", "H264-high", "pion-watches-h264-high.sdp"},
};

static void
answers_are_as_recorded (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (golden); i++) {
    g_autofree gchar *offer = read_data ("sdp", golden[i].offer);
    g_autofree gchar *answer = make_answer (offer, golden[i].tracks, &us);

    g_test_message ("%s with %s", golden[i].offer, golden[i].tracks);
    g_assert_nonnull (answer);
    compare ("native-answers", golden[i].answer, answer);
  }
}

/* Every offer there is with every kind of track, and several: the rules hold (make_answer() looks). */
static void
answers_obey_the_rules (void)
{
  static const gchar *const more[] = {"-", "VP8 OPUS", "VP8 VP8", "H264-constrained-baseline H264-high OPUS PCMU"};
  g_autofree gchar *folder = data_path ("sdp", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *offer = g_str_has_suffix (name, ".sdp") ? read_data ("sdp", name) : NULL;

    for (guint i = 0; offer && i < G_N_ELEMENTS (known_tracks) + G_N_ELEMENTS (more); i++) {
      const gchar *ours =
          i < G_N_ELEMENTS (known_tracks) ? known_tracks[i].name : more[i - G_N_ELEMENTS (known_tracks)];
      g_autofree gchar *answer = NULL;

      g_test_message ("%s with %s", name, ours);
      answer = make_answer (offer, ours, &us);
      n += answer != NULL;
    }
  }
  g_assert_cmpuint (n, >, 50);
}

/* Offers as short as they can be. */

#define SESSION "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define FINGERPRINT \
  "a=fingerprint:sha-256 " \
  "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:" \
  "ff\r\n"
#define ICE(name) "a=ice-ufrag:" name name "\r\na=ice-pwd:" name "234567890123456789012345\r\n"
#define SECTION(kind, port, payload, mid, name) \
  "m=" kind " " port " UDP/TLS/RTP/SAVPF " payload "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n" ICE (name) FINGERPRINT
#define VP8(port, mid, name) SECTION ("video", port, "96", mid, name) "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"
#define OPUS(port, mid, name) SECTION ("audio", port, "111", mid, name) "a=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\n"
#define DATA(port, mid, name) \
  "m=application " port " UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n" ICE (name) \
      FINGERPRINT "a=sctp-port:5000\r\n"

typedef struct
{
  GstSDPMessage *sdp;
  GArray *lines;
  Tracks tracks;
} Offer;

static void
offer_init (Offer *offer, const gchar *text, const gchar *ours)
{
  g_autofree gchar *problems = NULL;
  GError *error = NULL;

  offer->sdp = parse (text, FALSE);
  tracks_init (&offer->tracks, ours);
  offer->lines = gst_rtc_sdp_plan_answer (offer->sdp, offer->tracks.tracks, offer->tracks.n, &problems, &error);
  g_assert_no_error (error);
}

static void
offer_clear (Offer *offer)
{
  gst_sdp_message_free (offer->sdp);
  g_array_unref (offer->lines);
  tracks_clear (&offer->tracks);
}

/* Whose transport is taken, by the ufrag, and the group that is answered. NULL: refused, because of GROUP. */
static const struct
{
  const gchar *what, *offer, *tracks, *ufrag, *group;
} bundles[] = {
    {"all accepted", SESSION "a=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", "aaaa",
        "BUNDLE 0 1"},
    {"the group has another order", SESSION "a=group:BUNDLE 1 0\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-",
        "bbbb", "BUNDLE 1 0"},
    {"the first is a data channel",
        SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa") VP8 ("9", "0", "bb") OPUS ("9", "1", "cc"), "-",
        "bbbb", "BUNDLE 0 1"},
    {"the first is a data channel, the next cannot speak for the others",
        SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa")
            VP8 ("0", "0", "bb") "a=bundle-only\r\n" OPUS ("9", "1", "cc"),
        "-", "cccc", "BUNDLE 1 0"},
    {"the first is a data channel, and all others are bundle-only",
        SESSION "a=group:BUNDLE d 0\r\n" DATA ("9", "d", "aa") VP8 ("0", "0", "aa") "a=bundle-only\r\n", "-", "aaaa",
        "BUNDLE 0"},
    {"the first is not wanted",
        SESSION "a=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa") "a=recvonly\r\n" OPUS ("9", "1", "bb"), "-", "bbbb",
        "BUNDLE 1"},
    {"the first was rejected long ago", SESSION "a=group:BUNDLE 1\r\n" VP8 ("0", "0", "aa") OPUS ("9", "1", "bb"), "-",
        "bbbb", "BUNDLE 1"},
    {"one alone needs no group", SESSION VP8 ("9", "0", "aa"), "-", "aaaa", NULL},
    {"one is wanted", SESSION VP8 ("9", "0", "aa") "a=recvonly\r\n" OPUS ("9", "1", "bb"), "-", "bbbb", NULL},
    {"other groups are not ours",
        SESSION "a=group:LS 0 1\r\na=group:BUNDLE x\r\na=group:BUNDLE 0 1\r\n" VP8 ("9", "0", "aa")
            OPUS ("9", "1", "bb"),
        "-", "aaaa", "BUNDLE 0 1"},
    {"no group", SESSION VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", NULL, "does not bundle its sections 0 "},
    {"two groups", SESSION "a=group:BUNDLE 0\r\na=group:BUNDLE 1\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-",
        NULL, "does not bundle its sections 0 (a=mid:0) and 1 (a=mid:1)"},
    {"an empty group", SESSION "a=group:\r\na=group:BUNDLE\r\n" VP8 ("9", "0", "aa") OPUS ("9", "1", "bb"), "-", NULL,
        "does not bundle its sections"},
};

static void
bundles_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (bundles); i++) {
    GstRtcNativeRemote remote;
    GError *error = NULL;
    GstSDPMessage *answer;
    Offer offer;

    g_test_message ("%s", bundles[i].what);
    offer_init (&offer, bundles[i].offer, bundles[i].tracks);
    if (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error)) {
      g_assert_cmpstr (remote.ufrag, ==, bundles[i].ufrag);
      answer = gst_rtc_native_sdp_answer (offer.sdp, offer.lines, offer.tracks.tracks, &us);
      g_assert_cmpstr (gst_sdp_message_get_attribute_val (answer, "group"), ==, bundles[i].group);
      check_answer (offer.sdp, answer);
      gst_sdp_message_free (answer);
      gst_rtc_native_remote_clear (&remote);
    } else {
      g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
      g_assert_null (bundles[i].ufrag);
      g_assert_nonnull (strstr (error->message, bundles[i].group));
      g_assert_cmpuint (strlen (error->message), <=, RTC_MAX_REASON);
      g_assert_null (remote.ufrag);
      g_clear_error (&error);
    }
    offer_clear (&offer);
  }
}

static const struct
{
  const gchar *line;
  gboolean is_answer, we_are_lite;
  gint server; /* -1: refused */
  const gchar *why;
} setups[] = {
    {"a=setup:actpass\r\n", FALSE, FALSE, 1, NULL},
    {"a=setup:active\r\n", FALSE, FALSE, 1, NULL},
    {"a=setup:passive\r\n", FALSE, FALSE, 0, NULL},
    {"", FALSE, FALSE, 1, NULL},
    {"a=setup:active\r\n", TRUE, FALSE, 1, NULL},
    {"a=setup:passive\r\n", TRUE, FALSE, 0, NULL},
    {"", TRUE, FALSE, 0, NULL},
    {"a=setup:actpass\r\n", TRUE, FALSE, -1, "The answer has a=setup:actpass; active or passive is expected"},
    {"a=setup:holdconn\r\n", FALSE, FALSE, -1, "The offer has a=setup:holdconn"},
    {"a=setup:\r\n", FALSE, FALSE, -1, "The offer has a=setup:;"},
    {"a=setup:ACTIVE\r\n", TRUE, FALSE, -1, "The answer has a=setup:ACTIVE"},
    {"a=ice-lite\r\na=setup:active\r\n", FALSE, FALSE, 1, NULL},
    {"a=ice-lite\r\na=setup:active\r\n", FALSE, TRUE, -1, "neither would look for the other"},
    {"a=setup:active\r\n", FALSE, TRUE, 1, NULL},
};

static void
roles_are_understood (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (setups); i++) {
    for (guint at_session = 0; at_session < 2; at_session++) {
      g_autofree gchar *text = g_strconcat (
          SESSION, at_session ? setups[i].line : "", VP8 ("9", "0", "aa"), at_session ? "" : setups[i].line, NULL);
      GstRtcNativeRemote remote;
      GError *error = NULL;
      Offer offer;

      g_test_message ("%s", text);
      offer_init (&offer, text, "-");
      if (gst_rtc_native_sdp_read (
              offer.sdp, offer.lines, setups[i].is_answer, setups[i].we_are_lite, &remote, &error)) {
        g_assert_cmpint (remote.is_dtls_server, ==, setups[i].server);
        g_assert_cmpint (remote.lite, ==, strstr (text, "ice-lite") != NULL);
        gst_rtc_native_remote_clear (&remote);
      } else {
        g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
        g_assert_cmpint (setups[i].server, ==, -1);
        g_assert_nonnull (strstr (error->message, setups[i].why));
        g_clear_error (&error);
      }
      offer_clear (&offer);
    }
  }
}

static void
rtcp_has_no_port_of_its_own (void)
{
  GError *error = NULL;
  GstRtcNativeRemote remote;
  Offer offer;

  offer_init (&offer, SESSION SECTION ("video", "9", "96", "0", "aa") "a=rtpmap:96 VP8/90000\r\n", "-");
  g_assert_false (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error));
  g_assert_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP);
  g_assert_nonnull (strstr (error->message, "a=rtcp-mux"));
  g_clear_error (&error);
  offer_clear (&offer);
}

static void
candidates_stand_with_the_bundle (void)
{
  static const gchar text[] = SESSION "a=group:BUNDLE 0 1\r\n" VP8 (
      "9", "0", "aa") "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\n"
                      "a=candidate:1 2 udp 2130706430 192.0.2.1 5001 typ host\r\n"
                      "a=candidate:2 1 tcp 2105524479 192.0.2.1 9 typ host\r\n"
                      "a=candidate:nonsense\r\na=candidate:\r\na=candidate\r\n"
                      "a=candidate:3 1 udp 1677729535 198.51.100.7 6000 typ srflx raddr 192.0.2.1 rport "
                      "5000\r\na=end-of-candidates\r\n" OPUS (
                          "9", "1", "bb") "a=candidate:9 1 udp 2130706431 192.0.2.9 9000 typ host\r\n";
  GstRtcNativeRemote remote;
  GError *error = NULL;
  Offer offer;

  offer_init (&offer, text, "-");
  g_assert_true (gst_rtc_native_sdp_read (offer.sdp, offer.lines, FALSE, FALSE, &remote, &error));
  g_assert_cmpuint (remote.mline, ==, 0);
  g_assert_cmpuint (remote.candidates->len, ==, 2);
  g_assert_cmpstr (
      g_ptr_array_index (remote.candidates, 0), ==, "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host");
  g_assert_true (g_str_has_prefix (g_ptr_array_index (remote.candidates, 1), "candidate:3 1 udp "));
  g_assert_cmpuint (g_strv_length (remote.fingerprints), ==, 1);
  g_assert_true (g_str_has_prefix (remote.fingerprints[0], "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB"));
  gst_rtc_native_remote_clear (&remote);
  offer_clear (&offer);
}

/* Ours: lite, with its candidates, for peers that wait for all of them. */
static void
candidates_of_ours_are_told (void)
{
  static const gchar *const candidates[] = {"candidate:1 1 udp 2130706431 192.0.2.2 8080 typ host",
      "candidate:2 1 udp 2130706175 2001:db8::2 8080 typ host", NULL};
  GstRtcNativeLocal lite = us;
  g_autofree gchar *answer = NULL;

  lite.lite = TRUE;
  lite.candidates = candidates;
  lite.version = 3;
  answer = make_answer (
      SESSION "a=group:BUNDLE d 0 1\r\n" DATA ("9", "d", "aa") VP8 ("9", "0", "aa") OPUS ("9", "1", "aa"), "-", &lite);
  g_assert_nonnull (strstr (answer, "\r\na=ice-lite\r\n"));
  g_assert_nonnull (strstr (answer, " 3 IN IP4 127.0.0.1\r\n"));
  compare ("native-answers", "small-lite.sdp", answer);
}

/* Layers of simulcast are asked for, and told apart by their names. */
static const struct
{
  const gchar *rids, *simulcast, *taken; /* NULL: none */
} layers[] = {
    {"a=rid:hi send\r\na=rid:lo send\r\n", "send hi;lo", "recv hi;lo"},
    {"a=rid:hi send pt=96,97;max-width=1280\r\na=rid:lo send max-width=320;pt=98\r\n", "send ~hi;lo", "recv hi"},
    {"a=rid:a send\r\na=rid:b send\r\na=rid:c recv\r\n", "recv c send a,b", "recv a"},
    {"a=rid:a send\r\n", "send a;b;;,;~", "recv a"},
    {"a=rid:a recv\r\n", "recv a", NULL},
    {"a=rid:a send\r\n", "send ", NULL},
    {"a=rid:a send\r\n", "", NULL},
    {"a=rid:12345678901234567 send\r\n", "send 12345678901234567", NULL},
    {"", "send a", NULL},
};

static void
layers_are_taken (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree gchar *text =
        g_strconcat (SESSION, VP8 ("9", "0", "aa"), "a=extmap:1 " GST_RTC_EXT_MID "\r\na=extmap:2 ",
            GST_RTC_EXT_RID "\r\na=extmap:3/sendonly " GST_RTC_EXT_REPAIRED_RID "\r\n", layers[i].rids,
            "a=simulcast:", layers[i].simulcast, "\r\n", NULL);
    g_autofree gchar *answer = make_answer (text, "-", &us);
    g_autofree gchar *sending = NULL;
    GstSDPMessage *sdp = parse (answer, TRUE);
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, 0);

    g_test_message ("%s", text);
    g_assert_cmpstr (gst_sdp_media_get_attribute_val (media, "simulcast"), ==, layers[i].taken);
    g_assert_true (has_value (media, "extmap", "2 " GST_RTC_EXT_RID));
    g_assert_true (has_value (media, "extmap", "3/recvonly " GST_RTC_EXT_REPAIRED_RID));
    g_assert_cmpint (has_value (media, "rid", "a recv"), ==, layers[i].taken && strstr (layers[i].taken, " a") != NULL);
    gst_sdp_message_free (sdp);
    /* Not when nothing is received. */
    sending = g_strconcat (text, "a=recvonly\r\n", NULL);
    g_free (answer);
    answer = make_answer (sending, "VP8", &us);
    g_assert_null (strstr (answer, "simulcast"));
    g_assert_null (strstr (answer, "rtp-stream-id"));
  }
}

/* What a peer writes into its parameters does not get into our description. */
static void
parameters_are_tokens (void)
{
  static const gchar text[] = SESSION OPUS ("9", "0",
      "aa") "a=fmtp:111 stereo=1;useinbandfec=\x7f;minptime=10 10;maxplaybackrate=\"48000\";cbr=1;sprop-stereo=1\r\n";
  g_autofree gchar *answer = make_answer (text, "-", &us);

  g_assert_nonnull (strstr (answer, "\r\na=fmtp:111 stereo=1\r\n"));
}

/* Offers. */

static const struct
{
  const gchar *tracks;
  guint n_video, n_audio;
  const gchar *name;
} offers[] = {
    {"VP8 OPUS", 1, 1, "calls-vp8-opus"},
    {"H264-constrained-baseline", 0, 0, "sends-h264"},
    {"H264-constrained-baseline H264-high VP8 OPUS PCMU", 2, 1, "sends-many"},
    {"-", 1, 1, "watches"},
};

static GArray *
plan_offer (guint which, Tracks *tracks)
{
  tracks_init (tracks, offers[which].tracks);
  return gst_rtc_sdp_plan_offer (tracks->tracks, tracks->n, offers[which].n_video, offers[which].n_audio);
}

static void
offers_are_as_recorded (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (offers); i++) {
    g_autofree gchar *text = NULL, *name = g_strconcat (offers[i].name, ".sdp", NULL), *again = NULL;
    GstSDPMessage *offer, *parsed;
    Tracks tracks;
    GArray *lines = plan_offer (i, &tracks);

    g_test_message ("%s", offers[i].name);
    offer = gst_rtc_native_sdp_offer (lines, tracks.tracks, &us);
    text = gst_sdp_message_as_text (offer);
    parsed = parse (text, FALSE);
    check_rules (parsed);
    for (guint k = 0; k < lines->len; k++) {
      const GstRtcLine *line = &g_array_index (lines, GstRtcLine, k);
      const GstSDPMedia *media = gst_sdp_message_get_media (parsed, k);

      g_assert_cmpstr (line->mid, ==, gst_sdp_media_get_attribute_val (media, "mid"));
      g_assert_cmpint (line->payload, ==, atoi (gst_sdp_media_get_format (media, 0)));
      g_assert_true (is_bundled (parsed, line->mid));
      g_assert_true (has_value (media, "setup", "actpass"));
      g_assert_true (has_value (media, line->send ? "sendonly" : "recvonly", NULL));
    }
    compare ("native-offers", name, text);
    gst_sdp_message_free (offer);
    gst_sdp_message_free (parsed);
    /* The same again: nothing changes but what has to. */
    offer = gst_rtc_native_sdp_offer (lines, tracks.tracks, &us);
    again = gst_sdp_message_as_text (offer);
    g_assert_cmpstr (again, ==, text);
    gst_sdp_message_free (offer);
    g_array_unref (lines);
    tracks_clear (&tracks);
  }
}

/* What real implementations answered to these offers. */
static const struct
{
  guint offer;
  const gchar *answer, *plan; /* NULL: nothing passes */
  const gchar *problem; /* part of it */
} recorded[] = {
    {0, "calls-vp8-opus.aiortc.sdp",
        "0 send VP8/96+97 1 0, 1 send OPUS/111 1 0, 2 receive VP8/96+97 1 0, 3 receive OPUS/111 1 0", NULL},
    {0, "calls-vp8-opus.chromium.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 1 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 1 2", NULL},
    {0, "calls-vp8-opus.firefox.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 1 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 1 2", NULL},
    {0, "calls-vp8-opus.pion.sdp",
        "0 send VP8/96+97 1 2, 1 send OPUS/111 0 2, 2 receive VP8/96+97 1 2, 3 receive OPUS/111 0 2", NULL},
    {1, "sends-h264.aiortc.sdp", "0 send H264/102+103 1 0", NULL},
    {1, "sends-h264.chromium.sdp", "0 send H264/102+103 1 2", NULL},
    {1, "sends-h264.firefox.sdp", NULL, "The peer does not take our video in section 0 (H264)."},
    {1, "sends-h264.pion.sdp", "0 send H264/102+103 1 2", NULL},
    {2, "sends-many.chromium.sdp",
        "0 send H264/102+114 1 2, 1 -, 2 send VP8/96+97 1 2, 3 send OPUS/111 1 2, 4 send PCMU/0 1 2, 5 receive "
        "VP8/96+97 1 2, 6 receive VP8/96+97 1 2, 7 receive OPUS/111 1 2",
        "The peer does not take our video in section 1 (H264)."},
    {2, "sends-many.firefox.sdp",
        "0 -, 1 -, 2 send VP8/96+97 1 2, 3 send OPUS/111 1 2, 4 send PCMU/0 1 2, 5 receive VP8/96+97 1 2, 6 receive "
        "VP8/96+97 1 2, 7 receive OPUS/111 1 2",
        "The peer does not take our video in section 0 (H264)."},
    {2, "sends-many.pion.sdp",
        "0 send H264/102+114 1 2, 1 send H264/112+115 1 2, 2 send VP8/96+97 1 2, 3 send OPUS/111 0 2, 4 send PCMU/0 0 "
        "2, 5 receive VP8/96+97 1 2, 6 receive VP8/96+97 1 2, 7 receive OPUS/111 0 2",
        NULL},
    {3, "watches.aiortc.sdp", "0 receive VP8/96+97 1 0, 1 receive OPUS/111 1 0", NULL},
    {3, "watches.chromium.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 1 2", NULL},
    {3, "watches.firefox.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 1 2", NULL},
    {3, "watches.pion.sdp", "0 receive VP8/96+97 1 2, 1 receive OPUS/111 0 2", NULL},
};

/* "0 send VP8/96+97 1 2", with the ids of MID and TWCC, one for each line; a rejected one is "0 -". */
static gchar *
describe (const GArray *lines)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    g_string_append_printf (text, "%s%s ", i ? ", " : "", line->mid);
    if (!line->accepted) {
      g_string_append_c (text, '-');
      continue;
    }
    g_string_append_printf (text, "%s%s%s/%d", line->send ? "send " : "", line->receive ? "receive " : "",
        line->codec->encoding_name, line->payload);
    if (line->rtx_payload >= 0)
      g_string_append_printf (text, "+%d", line->rtx_payload);
    g_string_append_printf (text, " %u %u", line->ext_mid, line->ext_twcc);
  }
  return g_string_free (text, FALSE);
}

static void
check_recorded_remote (const GstSDPMessage *answer, const GArray *lines)
{
  GstRtcNativeRemote remote;
  GError *error = NULL;

  g_assert_true (gst_rtc_native_sdp_read (answer, lines, TRUE, TRUE, &remote, &error));
  g_assert_no_error (error);
  g_assert_true (remote.is_dtls_server);
  g_assert_cmpuint (strlen (remote.ufrag), >=, 4);
  g_assert_cmpuint (strlen (remote.password), >=, 22);
  g_assert_cmpuint (g_strv_length (remote.fingerprints), >=, 1);
  gst_rtc_native_remote_clear (&remote);
}

static void
recorded_answers_fit_our_offers (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (recorded); i++) {
    g_autofree gchar *text = read_data ("native-offers", recorded[i].answer), *problems = NULL, *plan = NULL;
    GstSDPMessage *answer = parse (text, TRUE);
    GError *error = NULL;
    Tracks tracks;
    GArray *lines = plan_offer (recorded[i].offer, &tracks);

    g_test_message ("%s", recorded[i].answer);
    gst_sdp_message_free (gst_rtc_native_sdp_offer (lines, tracks.tracks, &us));
    if (gst_rtc_sdp_apply_answer (answer, lines, &problems, &error)) {
      plan = describe (lines);
      g_assert_cmpstr (plan, ==, recorded[i].plan);
      check_recorded_remote (answer, lines);
    } else {
      g_assert_error (error, RTC_ERROR, RTC_ERROR_NO_COMMON_CODEC);
      g_assert_null (recorded[i].plan);
      problems = g_strdup (error->message);
      g_clear_error (&error);
    }
    if (recorded[i].problem)
      g_assert_nonnull (strstr (problems, recorded[i].problem));
    else
      g_assert_null (problems);
    gst_sdp_message_free (answer);
    g_array_unref (lines);
    tracks_clear (&tracks);
  }
}

/* Parts of a second offer: what the answer chose stays, what it rejected is closed. */
static void
a_second_offer_keeps_what_was_agreed (void)
{
  static const gchar answer[] = SESSION "a=group:BUNDLE 0 2\r\n" SECTION ("video", "9", "96 97", "0",
      "aa") "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=recvonly\r\n"
            "a=setup:active\r\n"
            "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n" SECTION (
                "video", "9", "98 99", "2", "aa") "a=rtpmap:98 VP9/90000\r\n"
                                                  "a=fmtp:98 profile-id=0\r\n"
                                                  "a=rtpmap:99 rtx/90000\r\n"
                                                  "a=fmtp:99 apt=98\r\na=sendonly\r\n";
  GstRtcNativeLocal later = us;
  g_autofree gchar *problems = NULL, *text = NULL;
  GstRtcNativeRemote remote;
  GError *error = NULL;
  Tracks tracks;
  GArray *lines;
  GstSDPMessage *sdp;
  const GstSDPMedia *media;

  tracks_init (&tracks, "VP8 OPUS");
  lines = gst_rtc_sdp_plan_offer (tracks.tracks, tracks.n, 1, 0);
  gst_sdp_message_free (gst_rtc_native_sdp_offer (lines, tracks.tracks, &us));
  sdp = parse (answer, TRUE);
  g_assert_true (gst_rtc_sdp_apply_answer (sdp, lines, &problems, &error));
  g_assert_true (gst_rtc_native_sdp_read (sdp, lines, TRUE, FALSE, &remote, &error));
  g_assert_true (remote.is_dtls_server);
  gst_rtc_native_remote_clear (&remote);
  gst_sdp_message_free (sdp);

  later.version = 1;
  later.ufrag = "next";
  sdp = gst_rtc_native_sdp_offer (lines, tracks.tracks, &later);
  text = gst_sdp_message_as_text (sdp);
  g_assert_nonnull (strstr (text, " 1 IN IP4 127.0.0.1\r\n"));
  g_assert_nonnull (strstr (text, "a=ice-ufrag:next\r\n"));
  g_assert_cmpstr (gst_sdp_message_get_attribute_val (sdp, "group"), ==, "BUNDLE 0 2");
  media = gst_sdp_message_get_media (sdp, 1);
  g_assert_cmpuint (gst_sdp_media_get_port (media), ==, 0);
  g_assert_true (has_value (media, "mid", "1"));
  media = gst_sdp_message_get_media (sdp, 2);
  g_assert_cmpuint (gst_sdp_media_formats_len (media), ==, 2);
  g_assert_true (has_value (media, "rtpmap", "98 VP9/90000"));
  g_assert_true (has_value (media, "fmtp", "99 apt=98"));
  gst_sdp_message_free (sdp);
  sdp = parse (text, FALSE);
  gst_sdp_message_free (sdp);
  g_array_unref (lines);
  tracks_clear (&tracks);
}

/* More sections than there are payload types: what cannot be named is not offered. */
static void
payload_types_run_out (void)
{
  GstRtcSdpTrack tracks[MAX_LINES];
  GArray *lines;
  GstSDPMessage *offer, *parsed;
  g_autofree gchar *text = NULL;
  guint accepted = 0;

  for (guint i = 0; i < G_N_ELEMENTS (tracks); i++) {
    g_autofree gchar *caps =
        g_strdup_printf (VIDEO "H264,packetization-mode=(string)1,profile-level-id=(string)42c0%02x", i);

    tracks[i] = (GstRtcSdpTrack){.name = "video", .kind = GST_RTC_KIND_VIDEO, .caps = gst_caps_from_string (caps)};
    tracks[i].codec = gst_rtc_codec_by_caps (tracks[i].caps);
  }
  lines = gst_rtc_sdp_plan_offer (tracks, G_N_ELEMENTS (tracks), 0, 0);
  offer = gst_rtc_native_sdp_offer (lines, tracks, &us);
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);
    const GstSDPMedia *media = gst_sdp_message_get_media (offer, i);

    g_assert_cmpint (line->accepted, ==, gst_sdp_media_get_port (media) != 0);
    accepted += line->accepted;
  }
  g_assert_cmpuint (accepted, ==, 32 + 29);
  text = gst_sdp_message_as_text (offer);
  g_assert_cmpuint (strlen (text), <, RTC_MAX_SDP);
  parsed = parse (text, FALSE);
  gst_sdp_message_free (parsed);
  gst_sdp_message_free (offer);
  g_array_unref (lines);
  for (guint i = 0; i < G_N_ELEMENTS (tracks); i++)
    gst_caps_unref (tracks[i].caps);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  for (guint i = 0; i < MAX_LINES; i++) {
    ssrcs[i] = 1001 + i;
    rtx_ssrcs[i] = 2001 + i;
  }
  g_test_add_func ("/native-sdp/answers_are_as_recorded", answers_are_as_recorded);
  g_test_add_func ("/native-sdp/answers_obey_the_rules", answers_obey_the_rules);
  g_test_add_func ("/native-sdp/bundles_are_understood", bundles_are_understood);
  g_test_add_func ("/native-sdp/roles_are_understood", roles_are_understood);
  g_test_add_func ("/native-sdp/rtcp_has_no_port_of_its_own", rtcp_has_no_port_of_its_own);
  g_test_add_func ("/native-sdp/candidates_stand_with_the_bundle", candidates_stand_with_the_bundle);
  g_test_add_func ("/native-sdp/candidates_of_ours_are_told", candidates_of_ours_are_told);
  g_test_add_func ("/native-sdp/layers_are_taken", layers_are_taken);
  g_test_add_func ("/native-sdp/parameters_are_tokens", parameters_are_tokens);
  g_test_add_func ("/native-sdp/offers_are_as_recorded", offers_are_as_recorded);
  g_test_add_func ("/native-sdp/recorded_answers_fit_our_offers", recorded_answers_fit_our_offers);
  g_test_add_func ("/native-sdp/a_second_offer_keeps_what_was_agreed", a_second_offer_keeps_what_was_agreed);
  g_test_add_func ("/native-sdp/payload_types_run_out", payload_types_run_out);
  return g_test_run ();
}
