/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcdtls.h"

#include <string.h>

#include <openssl/err.h>

#include "core/rtcmessage.h"
#include "rtcdtlsfingerprint.h"
#include "rtcdtlsidentity.h"
#include "rtcdtlsrecord.h"
#include "rtcdtlswire.h"

#define GIVE_UP (30 * G_USEC_PER_SEC)

/* An alert in the clear may be forged, so it ends nothing; but it is mostly the last thing that a peer says. One that
 * goes on in spite of it is through by then. */
#define GIVE_UP_AFTER_ALERT (3 * G_USEC_PER_SEC)

/* A browser's hello is two datagrams, and is sent again after 50 ms: the last two of it. */
#define MAX_WAITING 4
#define MAX_WAITING_SIZE 2048

/* Records that overtook the change of the cipher: they cannot be checked yet, only kept. OpenSSL's bound is a hundred.
 */
#define MAX_EARLY 4

/* What a cipher adds to a record: nonce and tag; a tag alone. */
#define GCM_OVERHEAD 24
#define CHACHA_OVERHEAD 16

/* RFC 5764, section 4.2 */
#define EXPORTER "EXTRACTOR-dtls_srtp"

struct _RtcDtls
{
  RtcDtlsIdentity *identity;
  const RtcDtlsEvents *events;
  gpointer user_data;
  RtcDtlsState state;
  SSL *ssl; /* NULL until the first record, or our hello */
  RtcDtlsWire wire;
  RtcDtlsFingerprints fingerprints;
  GBytes *waiting[MAX_WAITING]; /* datagrams from before start(), or from inside of an event */
  guint n_waiting;
  guint early;
  guint64 n_clear; /* records, that OpenSSL saw */
  gint alert; /* that came in the clear; -1: none */
  gint64 end_at; /* of the handshake */
  gboolean is_server;
  gboolean is_running; /* in take(), start() or tick() */
  gboolean is_in_ssl; /* which does not bear being called again */
  gboolean close_wanted;
  gboolean is_held;
};

static void
transmit (const guint8 *datagram, gsize size, gpointer user_data)
{
  RtcDtls *dtls = user_data;

  dtls->events->transmit (dtls, datagram, size, dtls->user_data);
}

static void
set_state (RtcDtls *dtls, RtcDtlsState state, const GError *error)
{
  dtls->state = state;
  dtls->events->state (dtls, state, error, dtls->user_data);
}

RtcDtls *
rtc_dtls_new (RtcDtlsIdentity *identity, const RtcDtlsEvents *events, gpointer user_data)
{
  RtcDtls *dtls = g_new0 (RtcDtls, 1);

  dtls->identity = rtc_dtls_identity_ref (identity);
  dtls->events = events;
  dtls->user_data = user_data;
  dtls->alert = -1;
  dtls->end_at = -1;
  dtls->wire.transmit = transmit;
  dtls->wire.user_data = dtls;
  dtls->wire.has_timer = identity->has_timer;
  dtls->wire.resend_at = -1;
  return dtls;
}

void
rtc_dtls_free (RtcDtls *dtls)
{
  for (guint i = 0; i < dtls->n_waiting; i++)
    g_bytes_unref (dtls->waiting[i]);
  SSL_free (dtls->ssl);
  rtc_dtls_fingerprints_clear (&dtls->fingerprints);
  rtc_dtls_identity_unref (dtls->identity);
  g_free (dtls);
}

static void
shut_down (RtcDtls *dtls)
{
  dtls->close_wanted = FALSE;
  if (dtls->ssl && (dtls->state == RTC_DTLS_CONNECTED || dtls->state == RTC_DTLS_CLOSED)
      && !(SSL_get_shutdown (dtls->ssl) & SSL_SENT_SHUTDOWN)) {
    ERR_clear_error ();
    SSL_alloc_buffers (dtls->ssl);
    dtls->is_in_ssl = TRUE;
    SSL_shutdown (dtls->ssl);
    dtls->is_in_ssl = FALSE;
  }
  if (dtls->state != RTC_DTLS_FAILED)
    dtls->state = RTC_DTLS_CLOSED;
}

/* Around each call of OpenSSL, whose list of errors belongs to the thread and may hold what others left. */
static void
enter (RtcDtls *dtls)
{
  ERR_clear_error ();
  SSL_alloc_buffers (dtls->ssl);
  dtls->is_in_ssl = TRUE;
}

static void
leave (RtcDtls *dtls)
{
  dtls->is_in_ssl = FALSE;
  if (dtls->close_wanted)
    shut_down (dtls);
}

static const gchar *
reason (void)
{
  gulong code = ERR_peek_last_error ();
  const gchar *text = code ? ERR_reason_error_string (code) : NULL;

  return text ? text : "no reason given";
}

static void fail (RtcDtls *dtls, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

static void
fail (RtcDtls *dtls, const gchar *format, ...)
{
  GError *error = g_steal_pointer (&dtls->fingerprints.error);
  va_list args;

  va_start (args, format);
  if (!error)
    error = g_error_new_valist (RTC_ERROR, RTC_ERROR_SETUP_FAILED, format, args);
  va_end (args);
  ERR_clear_error ();
  set_state (dtls, RTC_DTLS_FAILED, error);
  g_error_free (error);
}

/* Application data, of which OpenSSL may have kept some that overtook the end of the handshake. */
static void
deliver (RtcDtls *dtls)
{
  guint8 data[16384];

  while (dtls->state == RTC_DTLS_CONNECTED) {
    gint size, error;

    enter (dtls);
    size = SSL_read (dtls->ssl, data, sizeof (data));
    error = SSL_get_error (dtls->ssl, size);
    leave (dtls);
    if (dtls->state != RTC_DTLS_CONNECTED)
      break;
    if (size > 0) {
      dtls->events->data (dtls, data, size, dtls->user_data);
      if (!dtls->wire.input && !SSL_has_pending (dtls->ssl))
        break;
    } else if (error == SSL_ERROR_ZERO_RETURN) {
      set_state (dtls, RTC_DTLS_CLOSED, NULL);
    } else if (error != SSL_ERROR_WANT_READ) {
      fail (dtls, "The DTLS connection with the peer broke: %s. Connect anew", reason ());
    } else {
      break;
    }
  }
}

static void
advance (RtcDtls *dtls)
{
  gint result, error;

  enter (dtls);
  result = SSL_do_handshake (dtls->ssl);
  error = SSL_get_error (dtls->ssl, result);
  rtc_dtls_wire_update (&dtls->wire, dtls->ssl);
  leave (dtls);
  if (dtls->state != RTC_DTLS_HANDSHAKE)
    return;
  if (result == 1) {
    dtls->wire.resend_at = -1;
    rtc_dtls_fingerprints_clear (&dtls->fingerprints);
    set_state (dtls, RTC_DTLS_CONNECTED, NULL);
    deliver (dtls);
  } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    fail (dtls,
        "The DTLS handshake with the peer failed: %s. Expected DTLS 1.2 with ECDHE and AES-GCM or ChaCha20, as in "
        "RFC 8827",
        reason ());
  }
}

/* A server has one only when there is something to answer: a thousand that wait cost nothing. */
static gboolean
begin (RtcDtls *dtls)
{
  dtls->ssl = SSL_new (dtls->identity->context);
  if (!dtls->ssl || !rtc_dtls_wire_connect (&dtls->wire, dtls->ssl, dtls->identity->method)) {
    fail (dtls, "OpenSSL has no room for another DTLS connection: %s. Close some, or give it memory", reason ());
    return FALSE;
  }
  SSL_set_app_data (dtls->ssl, &dtls->fingerprints);
  if (dtls->is_server)
    SSL_set_accept_state (dtls->ssl);
  else
    SSL_set_connect_state (dtls->ssl);
  dtls->end_at = dtls->wire.now + GIVE_UP;
  return TRUE;
}

static gboolean
has_changed_cipher (RtcDtls *dtls)
{
  OSSL_HANDSHAKE_STATE state = SSL_get_state (dtls->ssl);

  return state == TLS_ST_SR_CHANGE || state == TLS_ST_CR_CHANGE;
}

/* A record that is shorter than its cipher adds cannot be authentic, and OpenSSL ends the connection for it instead of
 * leaving it out. Nobody's Finished is as short as that, so it holds before the cipher is known, too. */
static gboolean
is_whole (RtcDtls *dtls, const RtcDtlsRecord *record)
{
  const SSL_CIPHER *cipher = dtls->state == RTC_DTLS_CONNECTED ? SSL_get_current_cipher (dtls->ssl) : NULL;
  gboolean is_chacha = cipher && SSL_CIPHER_get_cipher_nid (cipher) == NID_chacha20_poly1305;

  return record->payload_size >= (is_chacha ? CHACHA_OVERHEAD : GCM_OVERHEAD);
}

/* Whether OpenSSL is to see it. */
static gboolean
is_welcome (RtcDtls *dtls, const RtcDtlsRecord *record)
{
  gint alert = rtc_dtls_record_get_alert (record);

  /* Everything of the handshake that is in the clear is over. */
  if (dtls->state == RTC_DTLS_CONNECTED)
    return record->epoch != 0 && is_whole (dtls, record);
  if (alert >= 0 && dtls->ssl) {
    dtls->alert = alert;
    dtls->end_at = MIN (dtls->end_at, dtls->wire.now + GIVE_UP_AFTER_ALERT);
  }
  /* What a connection before this one left on its way would be taken for the future of this one. */
  if (!dtls->ssl && !rtc_dtls_record_is_client_hello (record))
    return FALSE;
  if (record->epoch == 0)
    return rtc_dtls_record_is_plausible (record, dtls->is_server);
  if (record->epoch > 1 || !is_whole (dtls, record))
    return FALSE;
  return has_changed_cipher (dtls) || dtls->early++ < MAX_EARLY;
}

static void
take_datagram (RtcDtls *dtls, const guint8 *data, gsize size)
{
  RtcDtlsRecord record;

  while ((dtls->state == RTC_DTLS_HANDSHAKE || dtls->state == RTC_DTLS_CONNECTED)
      && rtc_dtls_record_next (&data, &size, &record)) {
    guint8 *copy = NULL;

    if (!is_welcome (dtls, &record) || (!dtls->ssl && !begin (dtls)))
      continue;
    if (record.epoch == 0)
      copy = rtc_dtls_record_renumber (&record, dtls->n_clear++);
    dtls->wire.input = copy ? copy : record.data;
    dtls->wire.input_size = record.size;
    if (dtls->state == RTC_DTLS_HANDSHAKE)
      advance (dtls);
    else
      deliver (dtls);
    dtls->wire.input = NULL;
    g_free (copy);
  }
}

static void
keep_datagram (RtcDtls *dtls, const guint8 *data, gsize size)
{
  if (size > MAX_WAITING_SIZE)
    return;
  if (dtls->n_waiting == MAX_WAITING) {
    g_bytes_unref (dtls->waiting[0]);
    memmove (dtls->waiting, dtls->waiting + 1, (MAX_WAITING - 1) * sizeof (GBytes *));
    dtls->n_waiting--;
  }
  dtls->waiting[dtls->n_waiting++] = g_bytes_new (data, size);
}

/* 20 KB, which are needed again only when something comes or goes. */
static void
free_buffers (RtcDtls *dtls)
{
  if (dtls->ssl && dtls->state != RTC_DTLS_HANDSHAKE && !dtls->is_held)
    SSL_free_buffers (dtls->ssl);
}

/* The end of each call from outside that is not inside of another one. */
static void
finish (RtcDtls *dtls)
{
  dtls->is_running = TRUE;
  while (dtls->n_waiting > 0) {
    GBytes *bytes = dtls->waiting[0];
    gsize size;
    const guint8 *data = g_bytes_get_data (bytes, &size);

    dtls->n_waiting--;
    memmove (dtls->waiting, dtls->waiting + 1, dtls->n_waiting * sizeof (GBytes *));
    take_datagram (dtls, data, size);
    g_bytes_unref (bytes);
  }
  dtls->is_running = FALSE;
  if (dtls->state == RTC_DTLS_FAILED)
    g_clear_pointer (&dtls->ssl, SSL_free);
  free_buffers (dtls);
}

void
rtc_dtls_start (RtcDtls *dtls, gboolean is_server, gchar **fingerprints, gint64 now)
{
  if (dtls->state != RTC_DTLS_NEW)
    return;
  dtls->is_server = is_server;
  dtls->is_running = TRUE;
  dtls->wire.now = now;
  dtls->end_at = now + GIVE_UP;
  rtc_dtls_fingerprints_init (&dtls->fingerprints, fingerprints);
  set_state (dtls, RTC_DTLS_HANDSHAKE, NULL);
  if (!is_server && dtls->state == RTC_DTLS_HANDSHAKE && begin (dtls))
    advance (dtls);
  finish (dtls);
}

void
rtc_dtls_take (RtcDtls *dtls, const guint8 *data, gsize size, gint64 now)
{
  if (dtls->state == RTC_DTLS_CLOSED || dtls->state == RTC_DTLS_FAILED || size == 0 || data[0] < 20 || data[0] > 63)
    return;
  dtls->wire.now = now;
  if (dtls->state == RTC_DTLS_NEW || dtls->is_running || dtls->is_in_ssl) {
    keep_datagram (dtls, data, size);
    return;
  }
  dtls->is_running = TRUE;
  take_datagram (dtls, data, size);
  finish (dtls);
}

static void
give_up (RtcDtls *dtls)
{
  if (!dtls->ssl)
    fail (dtls,
        "The peer did not begin the DTLS handshake within 30 s. Expected its ClientHello: it has to have "
        "a=setup:active, and a path on which more than STUN passes");
  else if (dtls->alert >= 0)
    fail (dtls,
        "The peer ended the DTLS handshake with the alert \"%s\". When that is about a certificate, it compared ours "
        "with a description that is not ours",
        SSL_alert_desc_string_long (dtls->alert));
  else
    fail (dtls,
        "The DTLS handshake with the peer did not end within 30 s. Datagrams of up to %d bytes have to pass in "
        "both directions",
        RTC_DTLS_WIRE_MTU);
}

void
rtc_dtls_tick (RtcDtls *dtls, gint64 now)
{
  if (dtls->state != RTC_DTLS_HANDSHAKE || dtls->is_running || dtls->is_in_ssl)
    return;
  dtls->is_running = TRUE;
  dtls->wire.now = now;
  if (now >= dtls->end_at) {
    give_up (dtls);
  } else if (dtls->wire.resend_at != -1 && now >= dtls->wire.resend_at) {
    gboolean resent;

    enter (dtls);
    resent = rtc_dtls_wire_resend (&dtls->wire, dtls->ssl);
    leave (dtls);
    if (!resent && dtls->state == RTC_DTLS_HANDSHAKE)
      give_up (dtls);
  }
  finish (dtls);
}

gint64
rtc_dtls_get_deadline (RtcDtls *dtls)
{
  if (dtls->state != RTC_DTLS_HANDSHAKE)
    return -1;
  return dtls->wire.resend_at == -1 ? dtls->end_at : MIN (dtls->end_at, dtls->wire.resend_at);
}

RtcDtlsState
rtc_dtls_get_state (RtcDtls *dtls)
{
  return dtls->state;
}

static void
copy_keys (RtcSrtpKeys *keys, RtcSrtpProfile profile, const guint8 *key, const guint8 *salt, gsize salt_size)
{
  memset (keys, 0, sizeof (*keys));
  keys->profile = profile;
  memcpy (keys->key, key, sizeof (keys->key));
  memcpy (keys->salt, salt, salt_size);
}

gboolean
rtc_dtls_get_srtp_keys (RtcDtls *dtls, RtcSrtpKeys *ours, RtcSrtpKeys *theirs)
{
  const SRTP_PROTECTION_PROFILE *agreed =
      dtls->state == RTC_DTLS_CONNECTED && !dtls->is_in_ssl ? SSL_get_selected_srtp_profile (dtls->ssl) : NULL;
  guint8 material[2 * (sizeof (ours->key) + sizeof (ours->salt))];
  const guint8 *salts = material + 2 * sizeof (ours->key);
  RtcSrtpProfile profile;
  gsize salt_size;

  if (!agreed)
    return FALSE;
  profile = agreed->id == SRTP_AEAD_AES_128_GCM ? RTC_SRTP_AEAD_AES_128_GCM : RTC_SRTP_AES128_CM_SHA1_80;
  salt_size = profile == RTC_SRTP_AEAD_AES_128_GCM ? 12 : 14; /* RFC 7714, section 12; RFC 5764, section 4.1.2 */
  if (SSL_export_keying_material (
          dtls->ssl, material, 2 * (sizeof (ours->key) + salt_size), EXPORTER, strlen (EXPORTER), NULL, 0, 0)
      != 1) {
    ERR_clear_error ();
    return FALSE;
  }
  /* The client's key, the server's, the client's salt, the server's. */
  copy_keys (dtls->is_server ? theirs : ours, profile, material, salts, salt_size);
  copy_keys (dtls->is_server ? ours : theirs, profile, material + sizeof (ours->key), salts + salt_size, salt_size);
  OPENSSL_cleanse (material, sizeof (material));
  return TRUE;
}

gboolean
rtc_dtls_send (RtcDtls *dtls, const guint8 *data, gsize size)
{
  gint written;

  if (dtls->state != RTC_DTLS_CONNECTED || dtls->is_in_ssl || size == 0 || size > RTC_DTLS_MAX_DATA)
    return FALSE;
  enter (dtls);
  written = SSL_write (dtls->ssl, data, size);
  leave (dtls);
  if (!dtls->is_running)
    finish (dtls);
  return written == (gint)size;
}

void
rtc_dtls_hold (RtcDtls *dtls)
{
  dtls->is_held = TRUE;
}

void
rtc_dtls_release (RtcDtls *dtls)
{
  dtls->is_held = FALSE;
  if (!dtls->is_running && !dtls->is_in_ssl)
    free_buffers (dtls);
}

void
rtc_dtls_close (RtcDtls *dtls)
{
  if (dtls->is_in_ssl)
    dtls->close_wanted = TRUE;
  else
    shut_down (dtls);
}

const gchar *
rtc_dtls_get_version (RtcDtls *dtls)
{
  return dtls->state == RTC_DTLS_CONNECTED ? "DTLS 1.2" : NULL;
}

const gchar *
rtc_dtls_get_cipher (RtcDtls *dtls)
{
  return dtls->state == RTC_DTLS_CONNECTED ? SSL_CIPHER_standard_name (SSL_get_current_cipher (dtls->ssl)) : NULL;
}
