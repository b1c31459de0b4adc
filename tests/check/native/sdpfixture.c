/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sdpfixture.h"

#include "core/rtcmessage.h"

#include <stdlib.h>
#include <string.h>

static const struct
{
  const gchar *name, *caps;
} known_tracks[] = {
    {"VP8", VIDEO_CAPS "VP8"},
    {"VP9", VIDEO_CAPS "VP9,profile-id=(string)0"},
    {"H264-constrained-baseline", VIDEO_CAPS "H264,packetization-mode=(string)1,profile-level-id=(string)42c028"},
    {"H264-high", VIDEO_CAPS "H264,packetization-mode=(string)1,profile-level-id=(string)64001f"},
    {"H265", VIDEO_CAPS "H265"},
    {"OPUS", AUDIO_CAPS "OPUS,clock-rate=48000,sprop-stereo=(string)1,sprop-maxcapturerate=(string)48000"},
    {"PCMU", AUDIO_CAPS "PCMU,clock-rate=8000"},
};

static guint32 ssrcs[MAX_LINES], rtx_ssrcs[MAX_LINES];

const GstRtcNativeLocal us = {
    .ufrag = "ours",
    .password = "aPasswordOfOurOwn12345",
    .fingerprint = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
                   "DD:EE:FF",
    .cname = "rtclink-1f2e3d4c",
    .ssrcs = ssrcs,
    .rtx_ssrcs = rtx_ssrcs,
};

void
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

const gchar *
tracks_name (guint index)
{
  return index < G_N_ELEMENTS (known_tracks) ? known_tracks[index].name : NULL;
}

void
tracks_clear (Tracks *tracks)
{
  for (guint i = 0; i < tracks->n; i++)
    gst_caps_unref (tracks->tracks[i].caps);
}

gchar *
data_path (const gchar *folder, const gchar *name)
{
  return g_build_filename (g_getenv ("RTC_TEST_DATA"), folder, name, NULL);
}

gchar *
read_data (const gchar *folder, const gchar *name)
{
  g_autofree gchar *path = data_path (folder, name);
  GError *error = NULL;
  gchar *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

void
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

GstSDPMessage *
parse (const gchar *text, gboolean is_answer)
{
  GError *error = NULL;
  GstSDPMessage *sdp = gst_rtc_sdp_parse (text, is_answer, &error);

  if (error)
    g_error ("%s: %s", error->message, text);
  return sdp;
}

/* Rules that hold for every description of ours, looked at by means of GstSDP alone. */

gboolean
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

gboolean
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
check_data (const GstSDPMedia *media)
{
  gboolean is_old = strcmp (gst_sdp_media_get_proto (media), "DTLS/SCTP") == 0;

  g_assert_cmpuint (gst_sdp_media_formats_len (media), ==, 1);
  g_assert_cmpstr (gst_sdp_media_get_format (media, 0), ==, is_old ? "5000" : "webrtc-datachannel");
  g_assert_true (
      is_old ? has_value (media, "sctpmap", "5000 webrtc-datachannel 1024") : has_value (media, "sctp-port", "5000"));
  g_assert_true (has_value (media, "max-message-size", "16777216"));
}

static void
check_transport (const GstSDPMedia *media)
{
  g_assert_true (has_value (media, "ice-ufrag", us.ufrag));
  g_assert_true (has_value (media, "ice-pwd", us.password));
  g_assert_true (has_value (media, "fingerprint", us.fingerprint));
  g_assert_cmpuint (gst_sdp_media_connections_len (media), ==, 1);
  if (strcmp (gst_sdp_media_get_media (media), "application") == 0)
    return;
  g_assert_true (has_value (media, "rtcp-mux", NULL));
  g_assert_cmpint (
      has_value (media, "sendrecv", NULL) + has_value (media, "sendonly", NULL) + has_value (media, "recvonly", NULL),
      ==, 1);
}

void
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
    check_transport (media);
    if (strcmp (gst_sdp_media_get_media (media), "application") == 0) {
      check_data (media);
      continue;
    }
    check_formats (media);
    check_ssrcs (media, seen);
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
void
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
    if (strcmp (gst_sdp_media_get_media (media), "application") == 0)
      continue;
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

void
fixture_init (void)
{
  gst_init (NULL, NULL);
  for (guint i = 0; i < MAX_LINES; i++) {
    ssrcs[i] = 1001 + i;
    rtx_ssrcs[i] = 2001 + i;
  }
}
