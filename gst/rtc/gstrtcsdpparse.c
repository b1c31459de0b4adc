/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcsdp.h"
#include "core/rtcmessage.h"

#include <string.h>

/* Descriptions from the network: what is taken at all, before anything is decided about it. */

#define MAX_LINES 96
#define MAX_FORMATS 128
#define MAX_ATTRIBUTES 512

#define bad_sdp(...) g_set_error (error, RTC_ERROR, RTC_ERROR_BAD_SDP, __VA_ARGS__)

static gboolean
check_fingerprint (const gchar *value)
{
  const gchar *digits = value ? strchr (value, ' ') : NULL;
  guint n = 0;

  if (!digits)
    return FALSE;
  while (*digits == ' ')
    digits++;
  for (; g_ascii_isxdigit (digits[0]) && g_ascii_isxdigit (digits[1]); n++) {
    digits += 2;
    if (*digits != ':')
      return *digits == '\0' && n + 1 >= 20 && n + 1 <= 64;
    digits++;
  }
  return FALSE;
}

/* RTP payload types are numbers of seven bits; an m= line without any has one empty format. */
static gboolean
check_formats (const GstSDPMedia *media)
{
  for (guint i = 0; i < gst_sdp_media_formats_len (media); i++) {
    if (!g_ascii_string_to_unsigned (gst_sdp_media_get_format (media, i), 10, 0, 127, NULL, NULL))
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_section (const GstSDPMessage *sdp, guint index, gboolean is_answer, GHashTable *mids, GError **error)
{
  const GstSDPMedia *media = gst_sdp_message_get_media (sdp, index);
  const gchar *kind = gst_sdp_media_get_media (media), *proto = gst_sdp_media_get_proto (media);
  const gchar *mid = gst_sdp_media_get_attribute_val (media, "mid"), *ufrag, *pwd;

  /* JSEP asks for no mid in a section that the answer rejects (RFC 8829, section 5.3.1); the offer knows it. */
  if (!mid && is_answer && gst_rtc_sdp_media_is_rejected (media))
    return TRUE;
  if (!mid) {
    bad_sdp ("Section %u (m=%s) of the description has no a=mid; each section needs one (RFC 8829, section 5.2.1)",
        index, kind);
    return FALSE;
  }
  if (strlen (mid) > 32 || !rtc_id_is_valid (mid) || !g_hash_table_add (mids, (gpointer)mid)) {
    bad_sdp ("Section %u (m=%s) of the description has the a=mid \"%.40s\", which is used twice, longer than 32 "
             "characters or no token",
        index, kind, mid);
    return FALSE;
  }
  if (gst_sdp_media_formats_len (media) == 0 || gst_sdp_media_formats_len (media) > MAX_FORMATS
      || gst_sdp_media_attributes_len (media) > MAX_ATTRIBUTES) {
    bad_sdp ("Section %u (m=%s) of the description has %u formats and %u attributes; 1 to %u and at most %u are taken",
        index, kind, gst_sdp_media_formats_len (media), gst_sdp_media_attributes_len (media), MAX_FORMATS,
        MAX_ATTRIBUTES);
    return FALSE;
  }
  if (gst_rtc_sdp_media_is_rejected (media))
    return TRUE;
  if ((g_strcmp0 (kind, "audio") == 0 || g_strcmp0 (kind, "video") == 0) && !check_formats (media)) {
    bad_sdp ("Section %u (m=%s) of the description has a format that is no payload type from 0 to 127", index, kind);
    return FALSE;
  }
  if (!proto || (!strstr (proto, "RTP/S") && !strstr (proto, "DTLS"))) {
    bad_sdp ("Section %u (m=%s) of the description wants the transport %.40s; only secured ones are taken, such as "
             "UDP/TLS/RTP/SAVPF",
        index, kind, proto ? proto : "(none)");
    return FALSE;
  }
  if (!check_fingerprint (gst_rtc_sdp_get_attribute (sdp, media, "fingerprint"))) {
    bad_sdp (
        "Section %u (m=%s) of the description has no a=fingerprint of the peer's certificate, so the peer could not "
        "be told from an attacker",
        index, kind);
    return FALSE;
  }
  ufrag = gst_rtc_sdp_get_attribute (sdp, media, "ice-ufrag");
  pwd = gst_rtc_sdp_get_attribute (sdp, media, "ice-pwd");
  if (!ufrag || strlen (ufrag) < 4 || strlen (ufrag) > 256 || !pwd || strlen (pwd) < 22 || strlen (pwd) > 256) {
    bad_sdp ("Section %u (m=%s) of the description has no a=ice-ufrag of 4 to 256 or a=ice-pwd of 22 to 256 characters "
             "(RFC 8839, section 5.4)",
        index, kind);
    return FALSE;
  }
  return TRUE;
}

GstSDPMessage *
gst_rtc_sdp_parse (const gchar *text, gboolean is_answer, GError **error)
{
  gsize length = text ? strlen (text) : 0;
  GstSDPMessage *sdp = NULL;
  GHashTable *mids;
  gboolean ok = TRUE;

  if (length == 0 || length > RTC_MAX_SDP) {
    bad_sdp ("The description has %" G_GSIZE_FORMAT " bytes; 1 to %u are taken", length, RTC_MAX_SDP);
    return NULL;
  }
  gst_sdp_message_new (&sdp);
  /* GstSDP takes nearly anything for a description, so the first line is looked at here. */
  if (!g_str_has_prefix (text, "v=0") || !g_utf8_validate (text, length, NULL)
      || gst_sdp_message_parse_buffer ((const guint8 *)text, length, sdp) != GST_SDP_OK) {
    bad_sdp ("This is not a session description (RFC 8866): it does not begin with v=0, or is not text");
    gst_sdp_message_free (sdp);
    return NULL;
  }
  if (gst_sdp_message_medias_len (sdp) == 0 || gst_sdp_message_medias_len (sdp) > MAX_LINES
      || gst_sdp_message_attributes_len (sdp) > MAX_ATTRIBUTES) {
    bad_sdp (
        "The description has %u sections (m= lines); 1 to %u are taken", gst_sdp_message_medias_len (sdp), MAX_LINES);
    gst_sdp_message_free (sdp);
    return NULL;
  }
  mids = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; ok && i < gst_sdp_message_medias_len (sdp); i++)
    ok = check_section (sdp, i, is_answer, mids, error);
  g_hash_table_unref (mids);
  if (!ok)
    g_clear_pointer (&sdp, gst_sdp_message_free);
  return sdp;
}

gchar **
gst_rtc_sdp_get_section_fingerprints (const GstSDPMessage *sdp, const GstSDPMedia *media)
{
  GPtrArray *found = g_ptr_array_new ();

  for (guint pass = 0; pass < 2 && found->len == 0; pass++) {
    for (guint i = 0;; i++) {
      const gchar *value = pass == 0 ? gst_sdp_media_get_attribute_val_n (media, "fingerprint", i)
                                     : gst_sdp_message_get_attribute_val_n (sdp, "fingerprint", i);
      const gchar *space = value ? strchr (value, ' ') : NULL;

      if (!value)
        break;
      if (space) {
        gchar *hash = g_ascii_strdown (value, space - value);
        gchar *digits = g_strstrip (g_ascii_strup (space, -1));

        g_ptr_array_add (found, g_strconcat (hash, " ", digits, NULL));
        g_free (hash);
        g_free (digits);
      }
    }
  }
  g_ptr_array_add (found, NULL);
  return (gchar **)g_ptr_array_free (found, FALSE);
}

gchar **
gst_rtc_sdp_get_fingerprints (const GstSDPMessage *sdp)
{
  /* In a bundle the first section that is not rejected speaks for all (RFC 8843, section 7.1). */
  for (guint i = 0; i < gst_sdp_message_medias_len (sdp); i++) {
    const GstSDPMedia *media = gst_sdp_message_get_media (sdp, i);

    if (!gst_rtc_sdp_media_is_rejected (media))
      return gst_rtc_sdp_get_section_fingerprints (sdp, media);
  }
  return g_new0 (gchar *, 1);
}
