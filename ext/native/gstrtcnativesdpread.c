/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativesdp.h"
#include "gstrtcnativesdppriv.h"
#include "core/rtccandidate.h"
#include "core/rtcmessage.h"

#include <stdlib.h>
#include <string.h>

/* What a peer's description says of its transport. */

#define MAX_CANDIDATES 128

#define bad_sdp(...) g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP, __VA_ARGS__)

void
gst_rtc_native_remote_clear (GstRtcNativeRemote *remote)
{
  g_clear_pointer (&remote->ufrag, g_free);
  g_clear_pointer (&remote->password, g_free);
  g_clear_pointer (&remote->fingerprints, g_strfreev);
  g_clear_pointer (&remote->candidates, g_ptr_array_unref);
}

gboolean
gst_rtc_native_sdp_has_attribute (const GstSDPMedia *media, const gchar *name)
{
  for (guint i = 0; i < gst_sdp_media_attributes_len (media); i++) {
    if (g_strcmp0 (gst_sdp_media_get_attribute (media, i)->key, name) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
session_has_attribute (const GstSDPMessage *sdp, const gchar *name)
{
  for (guint i = 0; i < gst_sdp_message_attributes_len (sdp); i++) {
    if (g_strcmp0 (gst_sdp_message_get_attribute (sdp, i)->key, name) == 0)
      return TRUE;
  }
  return FALSE;
}

/* "BUNDLE", then the mids of the group that MID is in; NULL: none. (transfer full) */
static gchar **
find_group (const GstSDPMessage *sdp, const gchar *mid)
{
  const gchar *value;

  for (guint i = 0; (value = gst_sdp_message_get_attribute_val_n (sdp, "group", i)); i++) {
    gchar **words = g_strsplit (value, " ", 0);

    if (g_strcmp0 (words[0], "BUNDLE") == 0 && g_strv_contains ((const gchar *const *)words + 1, mid))
      return words;
    g_strfreev (words);
  }
  return NULL;
}

static const GstRtcLine *
find_line (const GArray *lines, const gchar *mid)
{
  for (guint i = 0; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    if (g_strcmp0 (line->mid, mid) == 0)
      return line;
  }
  return NULL;
}

/* Of an answer the first section of the group that is not rejected, whether or not anything is wanted of it. Of an
 * offer the first that is not rejected here; bundle-only ones cannot stand for the others (RFC 8843, section 7.3.1),
 * unless there are no others: browsers give them credentials all the same. */
static const GstRtcLine *
find_tagged (const GstSDPMessage *sdp, const GArray *lines, gchar **group, gboolean is_answer)
{
  const GstRtcLine *bundle_only = NULL;

  for (guint i = 1; group[i]; i++) {
    const GstRtcLine *line = find_line (lines, group[i]);
    const GstSDPMedia *media = line ? gst_sdp_message_get_media (sdp, line->mline) : NULL;

    if (!line || gst_rtc_sdp_media_is_rejected (media) || (!is_answer && !line->accepted))
      continue;
    if (gst_sdp_media_get_port (media) != 0)
      return line;
    if (!bundle_only)
      bundle_only = line;
  }
  return bundle_only;
}

static gboolean
check_bundled (const GstSDPMessage *sdp, const GArray *lines, const GstRtcLine *first, gchar **group, GError **error)
{
  for (guint i = first->mline + 1; i < lines->len; i++) {
    const GstRtcLine *line = &g_array_index (lines, GstRtcLine, i);

    if (!line->accepted || (group && g_strv_contains ((const gchar *const *)group + 1, line->mid)))
      continue;
    bad_sdp ("The description does not bundle its sections %u (a=mid:%s) and %u (a=mid:%s); all of them go over one "
             "path here. It needs the line a=group:BUNDLE with both (RFC 8843; bundlePolicy \"max-bundle\" or "
             "\"balanced\")",
        first->mline, first->mid, line->mline, line->mid);
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_rtc_native_sdp_find_bundle (
    const GstSDPMessage *sdp, const GArray *lines, gboolean is_answer, guint *mline, gchar ***mids, GError **error)
{
  const GstRtcLine *first = NULL, *tagged;
  gchar **group;
  GPtrArray *found;

  *mids = NULL;
  for (guint i = 0; !first && i < lines->len; i++) {
    if (g_array_index (lines, GstRtcLine, i).accepted)
      first = &g_array_index (lines, GstRtcLine, i);
  }
  if (!first) {
    bad_sdp ("No section of the description is in use, so there is nothing to be connected");
    return FALSE;
  }
  group = find_group (sdp, first->mid);
  if (!check_bundled (sdp, lines, first, group, error)) {
    g_strfreev (group);
    return FALSE;
  }
  tagged = group ? find_tagged (sdp, lines, group, is_answer) : first;
  *mline = tagged->mline;
  if (!group)
    return TRUE;
  found = g_ptr_array_new ();
  g_ptr_array_add (found, g_strdup (tagged->mid));
  for (guint i = 1; group[i]; i++) {
    const GstRtcLine *line = find_line (lines, group[i]);

    if (line && line->accepted && line != tagged)
      g_ptr_array_add (found, g_strdup (line->mid));
  }
  g_ptr_array_add (found, NULL);
  *mids = (gchar **)g_ptr_array_free (found, FALSE);
  g_strfreev (group);
  return TRUE;
}

/* RFC 4145, section 4 and RFC 8842, section 5. Without the line an offer means active, and an answer passive. */
static gboolean
read_setup (const gchar *setup, gboolean is_answer, gboolean *is_server, GError **error)
{
  if (!setup)
    setup = is_answer ? "passive" : "active";
  if (strcmp (setup, "active") == 0 || (!is_answer && strcmp (setup, "actpass") == 0)) {
    *is_server = TRUE;
    return TRUE;
  }
  if (strcmp (setup, "passive") == 0) {
    *is_server = FALSE;
    return TRUE;
  }
  bad_sdp ("The %s has a=setup:%.20s; %s is expected (RFC 8842, section 5)", is_answer ? "answer" : "offer", setup,
      is_answer ? "active or passive" : "actpass, active or passive");
  return FALSE;
}

/* Candidates of RTP's component, which has RTCP in it. What is no candidate or of a kind that is not known is passed
 * over (RFC 8839, section 5.1), and of very many the first are taken. */
static GPtrArray *
read_candidates (const GstSDPMedia *media)
{
  GPtrArray *candidates = g_ptr_array_new_with_free_func (g_free);
  const gchar *value;

  for (guint i = 0;
       candidates->len < MAX_CANDIDATES && (value = gst_sdp_media_get_attribute_val_n (media, "candidate", i)); i++) {
    gchar *text = g_strconcat ("candidate:", value, NULL);
    const gchar *component = strchr (text, ' ');

    if (rtc_candidate_check (text, NULL) && component && atoi (component) == 1)
      g_ptr_array_add (candidates, text);
    else
      g_free (text);
  }
  return candidates;
}

gboolean
gst_rtc_native_sdp_read (const GstSDPMessage *sdp, const GArray *lines, gboolean is_answer, gboolean we_are_lite,
    GstRtcNativeRemote *remote, GError **error)
{
  const GstSDPMedia *media;
  const gchar *ufrag, *password;
  gchar **mids;

  memset (remote, 0, sizeof (*remote));
  if (!gst_rtc_native_sdp_find_bundle (sdp, lines, is_answer, &remote->mline, &mids, error))
    return FALSE;
  media = gst_sdp_message_get_media (sdp, remote->mline);
  ufrag = gst_rtc_sdp_get_attribute (sdp, media, "ice-ufrag");
  password = gst_rtc_sdp_get_attribute (sdp, media, "ice-pwd");
  remote->lite = session_has_attribute (sdp, "ice-lite") || gst_rtc_native_sdp_has_attribute (media, "ice-lite");
  if (!ufrag || !password)
    bad_sdp ("Section %u of the description has no a=ice-ufrag and a=ice-pwd, and speaks for the others (RFC 8843)",
        remote->mline);
  else if (!mids && !g_array_index (lines, GstRtcLine, remote->mline).is_data
      && !gst_rtc_native_sdp_has_attribute (media, "rtcp-mux"))
    bad_sdp ("Section %u of the description has no a=rtcp-mux; RTP and RTCP share one port here (RFC 8834, "
             "section 4.5; rtcpMuxPolicy \"require\")",
        remote->mline);
  else if (remote->lite && we_are_lite)
    bad_sdp ("The peer is an ICE-lite agent, and so is this side while udp-port is set: neither would look for the "
             "other. Unset udp-port, or let the peer be a full agent (RFC 8445, section 2.5)");
  else if (read_setup (gst_rtc_sdp_get_attribute (sdp, media, "setup"), is_answer, &remote->is_dtls_server, error)) {
    remote->ufrag = g_strdup (ufrag);
    remote->password = g_strdup (password);
    remote->fingerprints = gst_rtc_sdp_get_section_fingerprints (sdp, media);
    remote->candidates = read_candidates (media);
  }
  g_strfreev (mids);
  return remote->ufrag != NULL;
}
