/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* What is decided about descriptions: those of real implementations (tests/data/sdp), and those that are none. */

#include "core/rtcmessage.h"
#include "rtc/gstrtcsdp.h"

#include <gst/check/gstcheck.h>

/* Tracks of ours, as their payloaders describe them. */
#define VIDEO "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name="
#define VP8 VIDEO "VP8"
#define VP9 VIDEO "VP9,profile-id=(string)0"
#define VP9_PROFILE_2 VIDEO "VP9,profile-id=(string)2"
#define H265 VIDEO "H265"
#define H264 VIDEO "H264,packetization-mode=(string)1,profile-level-id=(string)"
#define H264_CB H264 "42c01f"
#define H264_MAIN H264 "4d401f"
#define H264_HIGH H264 "64001f"
#define AUDIO "application/x-rtp,media=audio,payload=97,encoding-name="
#define OPUS AUDIO "OPUS,clock-rate=48000"
#define PCMU AUDIO "PCMU,clock-rate=8000"

#define MAX_TRACKS 4

typedef struct
{
  GstRtcSdpTrack tracks[MAX_TRACKS];
  guint n;
} Tracks;

static void
tracks_init (Tracks *tracks, const gchar *const *caps)
{
  *tracks = (Tracks){.n = 0};
  for (; tracks->n < MAX_TRACKS && caps[tracks->n]; tracks->n++) {
    GstRtcSdpTrack *track = &tracks->tracks[tracks->n];

    track->caps = gst_caps_from_string (caps[tracks->n]);
    track->codec = gst_rtc_codec_by_caps (track->caps);
    fail_unless (track->codec != NULL, "no payloader for %s is installed", caps[tracks->n]);
    track->kind = track->codec->kind;
    track->name = track->kind == GST_RTC_KIND_VIDEO ? "video_0" : "audio_0";
  }
}

static void
tracks_clear (Tracks *tracks)
{
  for (guint i = 0; i < tracks->n; i++)
    gst_caps_unref (tracks->tracks[i].caps);
}

/* "0 video send VP8/96 rtx 97 mid 4 twcc 3", one for each line; a rejected one is "2 -". */
static gchar *
describe (const GArray *lines)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    fail_unless_equals_int (line->mline, i);
    g_string_append_printf (text, "%s%s", i ? ", " : "", line->mid);
    if (!line->accepted) {
      fail_unless (!line->send && !line->receive);
      g_string_append (text, " -");
      continue;
    }
    g_string_append_printf (text, "%s%s %s/%d", line->send ? " send" : "", line->receive ? " receive" : "",
        line->codec->encoding_name, line->payload);
    if (line->rtx_payload >= 0)
      g_string_append_printf (text, " rtx %d", line->rtx_payload);
    if (line->ext_mid)
      g_string_append_printf (text, " mid %u", line->ext_mid);
    if (line->ext_twcc)
      g_string_append_printf (text, " twcc %u", line->ext_twcc);
    if (line->ext_audio_level)
      g_string_append_printf (text, " level %u", line->ext_audio_level);
  }
  return g_string_free (text, FALSE);
}

static gchar *
read_offer (const gchar *name)
{
  g_autofree gchar *path = g_build_filename (g_getenv ("RTC_TEST_DATA"), "sdp", name, NULL);
  GError *error = NULL;
  gchar *text = NULL;

  fail_unless (g_file_get_contents (path, &text, NULL, &error), "%s", error ? error->message : "");
  return text;
}

/* Real offers. */

static const struct
{
  const gchar *name, *caps;
} known_tracks[] = {
    {"VP8", VP8},
    {"VP9", VP9},
    {"VP9-profile-2", VP9_PROFILE_2},
    {"H264-constrained-baseline", H264_CB},
    {"H264-main", H264_MAIN},
    {"H264-high", H264_HIGH},
    {"H265", H265},
    {"OPUS", OPUS},
    {"PCMU", PCMU},
};

/* "VP8 OPUS", "-" */
static void
read_tracks (Tracks *tracks, const gchar *text)
{
  gchar **names = g_strsplit (text, " ", 0);
  const gchar *caps[MAX_TRACKS + 1] = {NULL};

  for (guint i = 0; names[i] && strcmp (text, "-") != 0; i++) {
    for (guint k = 0; k < G_N_ELEMENTS (known_tracks); k++) {
      if (strcmp (names[i], known_tracks[k].name) == 0)
        caps[i] = known_tracks[k].caps;
    }
    fail_unless (i < MAX_TRACKS && caps[i] != NULL, "plans.txt names the track %s", names[i]);
  }
  g_strfreev (names);
  tracks_init (tracks, caps);
}

static void
check_plan (const gchar *where, const gchar *name, const gchar *ours, const gchar *plan, const gchar *problem)
{
  g_autofree gchar *text = read_offer (name), *problems = NULL, *made = NULL;
  GError *error = NULL;
  GstSDPMessage *offer = gst_rtc_sdp_parse (text, FALSE, &error);
  GArray *lines;
  Tracks tracks;

  fail_unless (offer != NULL, "%s: %s", where, error ? error->message : "");
  read_tracks (&tracks, ours);
  lines = gst_rtc_sdp_plan_answer (offer, tracks.tracks, tracks.n, FALSE, &problems, &error);
  fail_unless ((lines == NULL) == (error != NULL));
  made = lines ? describe (lines) : g_strdup ("nothing");
  fail_unless (strcmp (made, plan) == 0, "%s: with %s, %s is decided, not %s", where, ours, made, plan);
  if (error) {
    fail_unless (error->domain == RTC_ERROR && error->code == RTC_ERROR_NO_COMMON_CODEC);
    problems = g_strdup (error->message);
    g_error_free (error);
  }
  if (strcmp (problem, "-") == 0)
    fail_unless (problems == NULL, "%s: with %s: %s", where, ours, problems);
  else
    fail_unless (problems && strstr (problems, problem), "%s: with %s, the problem is \"%s\"", where, ours, problems);
  g_clear_pointer (&lines, g_array_unref);
  tracks_clear (&tracks);
  gst_sdp_message_free (offer);
}

GST_START_TEST (real_offers)
{
  g_autofree gchar *text = read_offer ("plans.txt");
  gchar **rows = g_strsplit (text, "\n", 0);
  guint n = 0;

  for (guint i = 0; rows[i]; i++) {
    gchar **cells = g_strsplit (rows[i], " | ", 0);
    g_autofree gchar *where = g_strdup_printf ("plans.txt:%u", i + 1);

    if (*rows[i] && *rows[i] != '#') {
      fail_unless (g_strv_length (cells) == 4, "%s has %u cells, not 4", where, g_strv_length (cells));
      check_plan (where, cells[0], cells[1], cells[2], cells[3]);
      n++;
    }
    g_strfreev (cells);
  }
  fail_unless (n > 50, "plans.txt has %u rows only", n);
  g_strfreev (rows);
}
GST_END_TEST;

static const struct
{
  const gchar *offer;
  const gchar *fingerprint; /* the beginning of the first one */
  guint n;
  const gchar *stream; /* the name of the first stream that the peer sends */
} vouched[] = {
    {"chromium-calls.sdp", "sha-256 D5:EF:72:1B:", 1, "bfb5727f-8e78-4b8a-a668-902f396a5cf6"},
    {"firefox-calls.sdp", "sha-256 2E:9C:8C:E0:", 1, "{bcf175b3-42ea-4f2c-87fd-476362ddce54}"},
    {"aiortc-calls.sdp", "sha-256 99:72:20:C4:", 3, "080946d2-813a-4145-acaf-8f5a3d870754"},
    {"pion-watches.sdp", "sha-256 4C:DF:FE:D0:", 1, NULL},
};

GST_START_TEST (fingerprints_and_names)
{
  g_autofree gchar *text = read_offer (vouched[__i__].offer), *problems = NULL;
  GstSDPMessage *offer = gst_rtc_sdp_parse (text, FALSE, NULL);
  gchar **fingerprints = gst_rtc_sdp_get_fingerprints (offer);
  GArray *lines = gst_rtc_sdp_plan_answer (offer, NULL, 0, FALSE, &problems, NULL);

  fail_unless_equals_int (g_strv_length (fingerprints), vouched[__i__].n);
  fail_unless (g_str_has_prefix (fingerprints[0], vouched[__i__].fingerprint), "%s", fingerprints[0]);
  if (lines) {
    fail_unless_equals_string (g_array_index (lines, GstRtcLine, 0).stream_name, vouched[__i__].stream);
    g_array_unref (lines);
  } else {
    fail_unless (vouched[__i__].stream == NULL);
  }
  g_strfreev (fingerprints);
  gst_sdp_message_free (offer);
}
GST_END_TEST;

/* Our own offer, and what may be answered to it. */

static GstSDPMessage *
parse_answer (const gchar *format, ...)
{
  GError *error = NULL;
  va_list args;
  g_autofree gchar *sections = NULL, *text = NULL;
  GstSDPMessage *sdp;

  va_start (args, format);
  sections = g_strdup_vprintf (format, args);
  va_end (args);
  text = g_strconcat ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n"
                      "a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-1 "
                      "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\r\n",
      sections, NULL);
  sdp = gst_rtc_sdp_parse (text, TRUE, &error);
  fail_unless (sdp != NULL, "%s", error ? error->message : "");
  return sdp;
}

#define SECTION(kind, payload, mid) \
  "m=" kind " 9 UDP/TLS/RTP/SAVPF " payload "\r\nc=IN IP4 0.0.0.0\r\na=mid:" mid "\r\n"
#define ANSWER_VP8 SECTION ("video", "120", "v0") "a=rtpmap:120 VP8/90000\r\na=recvonly\r\n"
#define ANSWER_OPUS SECTION ("audio", "109", "a1") "a=rtpmap:109 opus/48000/2\r\na=sendonly\r\n"

static const struct
{
  const gchar *answer;
  const gchar *plan; /* NULL: refused, and then the problem is the error */
  const gchar *problem;
} answers[] = {
    {ANSWER_VP8 ANSWER_OPUS, "v0 send VP8/120, a1 receive OPUS/109", NULL},
    {ANSWER_VP8 SECTION ("audio", "109", "a1") "a=inactive\r\n", "v0 send VP8/120, a1 -", NULL},
    {"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:v0\r\n" ANSWER_OPUS, "v0 -, a1 receive OPUS/109",
        "does not take our video"},
    {SECTION ("video", "120", "v0") "a=rtpmap:120 VP8/90000\r\na=inactive\r\n" ANSWER_OPUS, "v0 -, a1 receive OPUS/109",
        "does not take our video"},
    {SECTION ("video", "120 121", "v0") "a=rtpmap:120 VP8/90000\r\na=rtpmap:121 rtx/90000\r\na=fmtp:121 apt=120\r\n"
                                        "a=extmap:3 " GST_RTC_EXT_MID "\r\na=extmap:15 " GST_RTC_EXT_TWCC
                                        "\r\na=recvonly\r\n" ANSWER_OPUS,
        "v0 send VP8/120 rtx 121 mid 3, a1 receive OPUS/109", NULL},
    {ANSWER_VP8, NULL, "has 1 sections, the offer had 2"},
    {ANSWER_OPUS ANSWER_VP8, NULL, "Section 0 of the answer is m=audio"},
    {SECTION ("video", "120", "v9") "a=rtpmap:120 VP8/90000\r\n" ANSWER_OPUS, NULL, "a=mid:v9"},
    {SECTION ("video", "120", "v0") "a=rtpmap:120 H264/90000\r\na=recvonly\r\n" ANSWER_OPUS, NULL,
        "a codec in section 0 that was not offered"},
    {SECTION ("video", "120", "v0") "a=recvonly\r\n" ANSWER_OPUS, NULL, "a codec in section 0"},
    {"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:v0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:a1\r\n", NULL,
        "rejected every section"},
};

GST_START_TEST (answers_to_our_offer)
{
  static const gchar *const ours[] = {VP8, NULL};
  GError *error = NULL;
  GstSDPMessage *answer = parse_answer ("%s", answers[__i__].answer);
  g_autofree gchar *problems = NULL;
  gboolean ok;
  Tracks tracks;
  GArray *lines;

  tracks_init (&tracks, ours);
  lines = gst_rtc_sdp_plan_offer (tracks.tracks, tracks.n, 0, 1, FALSE);
  fail_unless_equals_int (lines->len, 2);
  fail_unless (g_array_index (lines, GstRtcLine, 0).send && g_array_index (lines, GstRtcLine, 1).receive);
  g_array_index (lines, GstRtcLine, 0).mid = g_strdup ("v0");
  g_array_index (lines, GstRtcLine, 1).mid = g_strdup ("a1");
  ok = gst_rtc_sdp_apply_answer (answer, lines, &problems, &error);
  fail_unless_equals_int (ok, answers[__i__].plan != NULL);
  if (ok) {
    g_autofree gchar *plan = describe (lines);

    fail_unless_equals_string (plan, answers[__i__].plan);
    fail_unless_equals_int (!problems, !answers[__i__].problem);
    if (problems)
      fail_unless (strstr (problems, answers[__i__].problem) != NULL, "%s", problems);
  } else {
    fail_unless (strstr (error->message, answers[__i__].problem) != NULL, "%s", error->message);
    fail_unless_equals_int (error->domain, RTC_ERROR);
    g_error_free (error);
  }
  g_array_unref (lines);
  tracks_clear (&tracks);
  gst_sdp_message_free (answer);
}
GST_END_TEST;

/* Descriptions that are none. */

static void
refused (const gchar *text, const gchar *why)
{
  GError *error = NULL;
  GstSDPMessage *sdp = gst_rtc_sdp_parse (text, FALSE, &error);

  fail_unless (sdp == NULL, "taken, not refused because of: %s", why);
  fail_unless (error->domain == RTC_ERROR && error->code == RTC_ERROR_BAD_SDP);
  fail_unless (strstr (error->message, why) != NULL, "refused because of \"%s\", not of \"%s\"", error->message, why);
  fail_unless (
      strlen (error->message) <= RTC_MAX_REASON && g_utf8_validate (error->message, -1, NULL), "%s", error->message);
  g_error_free (error);
}

/* A real offer in which every line that begins with FROM is replaced by TO ("": left out). */
static gchar *
change (const gchar *offer, const gchar *from, const gchar *to)
{
  g_autofree gchar *text = read_offer (offer);
  gchar **lines = g_strsplit (text, "\r\n", 0);
  GString *changed = g_string_new (NULL);
  guint n = 0;

  for (guint i = 0; lines[i]; i++) {
    gboolean here = g_str_has_prefix (lines[i], from);

    n += here;
    if (*lines[i] && (!here || *to))
      g_string_append_printf (changed, "%s\r\n", here ? to : lines[i]);
  }
  fail_unless (n > 0, "%s has no line %s", offer, from);
  g_strfreev (lines);
  return g_string_free (changed, FALSE);
}

static const struct
{
  const gchar *from, *to, *why;
} damages[] = {
    {"v=", "", "does not begin with v=0"},
    {"v=0", "v=1", "does not begin with v=0"},
    {"m=", "", "0 sections"},
    {"a=mid:", "", "has no a=mid"},
    {"a=mid:", "a=mid:", "no token"},
    {"a=mid:", "a=mid:0", "used twice"},
    {"a=mid:0", "a=mid:\xff\xfe", "not text"},
    {"a=mid:0", "a=mid:a b", "no token"},
    {"a=mid:0", "a=mid:123456789012345678901234567890123", "longer than 32"},
    {"a=fingerprint:", "", "no a=fingerprint"},
    {"a=fingerprint:", "a=fingerprint:", "no a=fingerprint"},
    {"a=fingerprint:", "a=fingerprint:sha-256", "no a=fingerprint"},
    {"a=fingerprint:", "a=fingerprint:sha-256 ", "no a=fingerprint"},
    {"a=fingerprint:", "a=fingerprint:sha-256 00:11", "no a=fingerprint"},
    {"a=fingerprint:", "a=fingerprint:sha-256 zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz:zz",
        "no a=fingerprint"},
    {"a=ice-ufrag:", "", "a=ice-ufrag"},
    {"a=ice-ufrag:", "a=ice-ufrag:abc", "a=ice-ufrag"},
    {"a=ice-pwd:", "", "a=ice-pwd"},
    {"a=ice-pwd:", "a=ice-pwd:tooshort", "a=ice-pwd"},
    {"m=audio", "m=audio 9 RTP/AVP 111", "wants the transport RTP/AVP"},
};

GST_START_TEST (damaged_offers)
{
  static const gchar *const offers[] = {"chromium-calls.sdp", "firefox-calls.sdp", "aiortc-calls.sdp"};

  for (guint i = 0; i < G_N_ELEMENTS (offers); i++) {
    g_autofree gchar *text = change (offers[i], damages[__i__].from, damages[__i__].to);

    refused (text, damages[__i__].why);
  }
}
GST_END_TEST;

GST_START_TEST (what_is_no_description)
{
  static const gchar binary[] = "v=0\r\n\x01\x02\xff\xfe\x80\r\nm=video";
  GString *many = g_string_new ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");

  refused (NULL, "has 0 bytes");
  refused ("", "has 0 bytes");
  refused ("hello", "does not begin with v=0");
  refused ("{\"type\":\"offer\"}", "does not begin with v=0");
  refused ("<html>", "does not begin with v=0");
  refused ("v=0", "0 sections");
  refused ("v=0\r\n\r\n\r\n", "0 sections");
  refused ("v=0\r\nm=\r\n", "no a=mid");
  refused (binary, "not text");
  for (guint i = 0; i < 97; i++)
    g_string_append_printf (many, "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:%u\r\n", i);
  refused (many->str, "97 sections");
  g_string_free (many, TRUE);
}
GST_END_TEST;

GST_START_TEST (huge_descriptions)
{
  GString *text = g_string_new ("v=0\r\n");
  gint64 began = g_get_monotonic_time ();

  for (guint i = 0; i < 100000; i++)
    g_string_append (text, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
  refused (text->str, "bytes; 1 to 60000 are taken");

  g_string_assign (text, "v=0\r\n");
  while (text->len < RTC_MAX_SDP - 16)
    g_string_append (text, "m=a 0 b 0\r\n");
  refused (text->str, "sections (m= lines); 1 to 96 are taken");

  g_string_assign (text, "v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF");
  while (text->len < RTC_MAX_SDP - 64)
    g_string_append (text, " 0");
  g_string_append (text, "\r\na=mid:0\r\n");
  refused (text->str, "formats");

  g_string_assign (text, "v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n");
  while (text->len < RTC_MAX_SDP - 64)
    g_string_append (text, "a=x\r\n");
  refused (text->str, "attributes");

  g_string_assign (text, "v=0\r\ns=");
  while (text->len < RTC_MAX_SDP)
    g_string_append_c (text, 'x');
  refused (text->str, "0 sections");
  g_string_append_c (text, 'x');
  refused (text->str, "has 60001 bytes");
  g_string_free (text, TRUE);
  /* None of it may take time that grows faster than its size. */
  fail_unless (g_get_monotonic_time () - began < 5 * G_TIME_SPAN_SECOND);
}
GST_END_TEST;

/* H.264: whether ours can be sent where theirs was offered. */

static const struct
{
  const gchar *ours, *theirs; /* profile-level-id; NULL: none */
  const gchar *mode;
  guint match;
} profiles[] = {
    {"42c01f", "42e01f", "1", 3}, /* constrained baseline in two ways of writing */
    {"42c01f", "42c00d", "1", 3}, /* the level is said in the answer */
    {"42c01f", "4d801f", "1", 3}, /* a main profile that is constrained is the same */
    {"42c01f", "58c01f", "1", 3}, /* and so is an extended one */
    {"42c01f", "42001f", "1", 2},
    {"42c01f", "4d001f", "1", 2},
    {"42c01f", "640c1f", "1", 2},
    {"42c01f", "64001f", "1", 2},
    {"42001f", "42001f", "1", 3},
    {"42001f", "42e01f", "1", 1}, /* in practice */
    {"42001f", "4d001f", "1", 0},
    {"42001f", "64001f", "1", 0},
    {"4d401f", "4d001f", "1", 3},
    {"4d401f", "64001f", "1", 2},
    {"4d401f", "42e01f", "1", 0},
    {"4d401f", "640c1f", "1", 0},
    {"640c1f", "640c34", "1", 3},
    {"640c1f", "64001f", "1", 2},
    {"640c1f", "4d001f", "1", 0},
    {"640c1f", "42e01f", "1", 0},
    {"64001f", "64001f", "1", 3},
    {"64001f", "640c1f", "1", 0},
    {"64001f", "4d001f", "1", 0},
    {"64001f", "42e01f", "1", 0},
    {"f4001f", "f4001f", "1", 3}, /* 4:4:4, which Chromium takes */
    {"f4001f", "64001f", "1", 0},
    {"42c01f", "f4001f", "1", 0},
    {"42c01f", "42E01F", "1", 3},
    {"42c01f", NULL, "1", 2}, /* the baseline, says RFC 6184 */
    {"42c01f", "nonsense", "1", 2},
    {"42c01f", "42e01f", "0", 0}, /* what is sent is fragmented */
    {"42c01f", "42e01f", NULL, 0},
    {"42c01f", "42e01f", "2", 0},
};

GST_START_TEST (h264_profiles)
{
  const GstRtcCodec *codec = gst_rtc_codec_by_encoding_name (GST_RTC_KIND_VIDEO, "h264");
  GstCaps *ours = gst_caps_from_string (H264_CB), *theirs = gst_caps_from_string (H264_CB);
  guint match;

  gst_caps_set_simple (ours, "profile-level-id", G_TYPE_STRING, profiles[__i__].ours, NULL);
  gst_structure_remove_fields (gst_caps_get_structure (theirs, 0), "profile-level-id", "packetization-mode", NULL);
  if (profiles[__i__].theirs)
    gst_caps_set_simple (theirs, "profile-level-id", G_TYPE_STRING, profiles[__i__].theirs, NULL);
  if (profiles[__i__].mode)
    gst_caps_set_simple (theirs, "packetization-mode", G_TYPE_STRING, profiles[__i__].mode, NULL);
  match = gst_rtc_codec_match (codec, ours, theirs);
  fail_unless (match == profiles[__i__].match, "%s as %s, mode %s: %u, not %u", profiles[__i__].ours,
      profiles[__i__].theirs, profiles[__i__].mode, match, profiles[__i__].match);
  gst_caps_unref (ours);
  gst_caps_unref (theirs);
}
GST_END_TEST;

/* GLib keeps the name of a field for ever: what a peer makes up must not become one. */
GST_START_TEST (made_up_names)
{
  GQuark before = g_quark_from_string ("the last name before");

  for (guint i = 0; i < 100; i++) {
    gchar *fmtp = g_strdup_printf ("96 x-%u=1; profile-id = 2;packetization-mode=1;x%u;apt=97;=;;y-%u=z", i, i, i);
    gchar *feedback = g_strdup_printf ("96 nack x-%u", i);
    GstSDPMedia *media;
    GstCaps *caps;
    const GstStructure *s;

    gst_sdp_media_new (&media);
    gst_sdp_media_set_media (media, "video");
    gst_sdp_media_add_format (media, "96");
    gst_sdp_media_add_attribute (media, "rtpmap", "96 VP9/90000");
    gst_sdp_media_add_attribute (media, "fmtp", fmtp);
    gst_sdp_media_add_attribute (media, "rtcp-fb", "* nack");
    gst_sdp_media_add_attribute (media, "rtcp-fb", feedback);
    gst_sdp_media_add_attribute (media, feedback, fmtp);
    caps = gst_rtc_sdp_format_caps (media, 96);
    s = gst_caps_get_structure (caps, 0);
    assert_equals_string (gst_structure_get_string (s, "encoding-name"), "VP9");
    assert_equals_string (gst_structure_get_string (s, "packetization-mode"), "1");
    assert_equals_string (gst_structure_get_string (s, "profile-id"), "2");
    assert_equals_string (gst_structure_get_string (s, "apt"), "97");
    fail_unless (gst_structure_has_field (s, "rtcp-fb-nack"));
    gst_caps_unref (caps);
    gst_sdp_media_free (media);
    g_free (fmtp);
    g_free (feedback);
  }
  fail_unless (g_quark_from_string ("the first name after") - before < 20, "made-up names are kept");
}
GST_END_TEST;

static Suite *
rtcsdp_suite (void)
{
  Suite *s = suite_create ("rtcsdp");
  TCase *offers = tcase_create ("offers"), *bad = tcase_create ("bad"), *codecs = tcase_create ("codecs");

  suite_add_tcase (s, offers);
  tcase_add_test (offers, real_offers);
  tcase_add_loop_test (offers, fingerprints_and_names, 0, G_N_ELEMENTS (vouched));
  tcase_add_loop_test (offers, answers_to_our_offer, 0, G_N_ELEMENTS (answers));
  suite_add_tcase (s, bad);
  tcase_add_loop_test (bad, damaged_offers, 0, G_N_ELEMENTS (damages));
  tcase_add_test (bad, what_is_no_description);
  tcase_add_test (bad, huge_descriptions);
  tcase_add_test (bad, made_up_names);
  suite_add_tcase (s, codecs);
  tcase_add_loop_test (codecs, h264_profiles, 0, G_N_ELEMENTS (profiles));
  return s;
}

GST_CHECK_MAIN (rtcsdp);
