/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* A DTLS client and a server, and somebody between the two who passes on, changes, repeats, drops and invents
 * datagrams. Whatever that is: no data comes out that was not sent, and both have the same keys when both are
 * connected.
 *
 * The input is a list of commands of one byte: the low three bits say what, the next one to whom. */

#include <string.h>

#include "core/rtcmessage.h"
#include "native/rtcdtls.h"

#define MAX_QUEUED 64

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

typedef struct
{
  RtcDtls *dtls;
  GBytes *queued[MAX_QUEUED]; /* what goes to it */
  guint n_queued, n_errors;
  guint other;
} Side;

static const gchar message[] = "what was sent";
static RtcDtlsIdentity *identities[2];
static Side sides[2];
static gint64 now;

static void
on_transmit (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  Side *to = &sides[((Side *)user_data)->other];

  if (size == 0 || size > 2048 + 100)
    g_error ("a datagram of %" G_GSIZE_FORMAT " bytes", size);
  if (to->n_queued < MAX_QUEUED)
    to->queued[to->n_queued++] = g_bytes_new (data, size);
}

static void
on_state (RtcDtls *dtls, RtcDtlsState state, const GError *error, gpointer user_data)
{
  Side *side = user_data;

  if ((state == RTC_DTLS_FAILED) != (error != NULL))
    g_error ("state %d, error %s", state, error ? error->message : "none");
  if (error && (error->domain != RTC_ERROR || !*error->message || side->n_errors++))
    g_error ("a strange error: %s", error->message);
  if (state == RTC_DTLS_CONNECTED && !rtc_dtls_send (dtls, (const guint8 *)message, sizeof (message)))
    g_error ("connected, but nothing can be sent");
}

static void
on_data (RtcDtls *dtls, const guint8 *data, gsize size, gpointer user_data)
{
  if (size != sizeof (message) || memcmp (data, message, size) != 0)
    g_error ("%" G_GSIZE_FORMAT " bytes of data that nobody sent", size);
}

static void
check_keys (void)
{
  RtcSrtpKeys ours[2], theirs[2];

  for (guint i = 0; i < 2; i++) {
    if (rtc_dtls_get_state (sides[i].dtls) != RTC_DTLS_CONNECTED)
      return;
    if (!rtc_dtls_get_srtp_keys (sides[i].dtls, &ours[i], &theirs[i]))
      g_error ("connected, but no keys");
  }
  if (memcmp (&ours[0], &theirs[1], sizeof (ours[0])) || memcmp (&ours[1], &theirs[0], sizeof (ours[0])))
    g_error ("the keys differ");
}

static GBytes *
pop (Side *side)
{
  GBytes *bytes = side->queued[0];

  memmove (side->queued, side->queued + 1, --side->n_queued * sizeof (GBytes *));
  return bytes;
}

/* Bytes of the input: a number of changes, and for each its place and what is changed there. */
static void
damage (guint8 *datagram, gsize datagram_size, const guint8 **data, gsize *size)
{
  guint n = *size ? (*data)[0] % 8 : 0;

  for (guint i = 0; i < n && *size >= 4 + 3 * i; i++) {
    const guint8 *change = *data + 1 + 3 * i;

    datagram[(change[0] << 8 | change[1]) % datagram_size] ^= change[2];
  }
  n = MIN (*size, 1 + 3 * n);
  *data += n;
  *size -= n;
}

static void
pass (Side *side, gboolean again, gboolean changed, const guint8 **data, gsize *size)
{
  GBytes *bytes;
  guint8 *copy;
  gsize length;

  if (!side->n_queued)
    return;
  bytes = again ? g_bytes_ref (side->queued[0]) : pop (side);
  copy = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));
  length = g_bytes_get_size (bytes);
  if (changed)
    damage (copy, length, data, size);
  rtc_dtls_take (side->dtls, copy, length, now);
  g_free (copy);
  g_bytes_unref (bytes);
}

static void
turn_clock (Side *side)
{
  gint64 deadline = rtc_dtls_get_deadline (side->dtls);

  if (deadline == -1)
    return;
  now = MAX (now, deadline);
  rtc_dtls_tick (side->dtls, now);
  deadline = rtc_dtls_get_deadline (side->dtls);
  if (deadline != -1 && deadline <= now)
    g_error ("the deadline stays in the past");
}

static void
start (guint i)
{
  gchar *fingerprints[] = {(gchar *)rtc_dtls_identity_get_fingerprint (identities[1 - i]), NULL};

  rtc_dtls_start (sides[i].dtls, i == 1, fingerprints, now);
}

static void
invent (Side *side, const guint8 **data, gsize *size)
{
  gsize length;

  if (*size < 2)
    return;
  length = MIN (*size - 2, (gsize)((*data)[0] << 8 | (*data)[1]));
  rtc_dtls_take (side->dtls, *data + 2, length, now);
  *data += 2 + length;
  *size -= 2 + length;
}

static void
obey (const guint8 **data, gsize *size)
{
  guint command = **data, i = command >> 3 & 1;
  Side *side = &sides[i];

  ++*data;
  --*size;
  switch (command & 7) {
    case 0:
      invent (side, data, size);
      break;
    case 1:
      pass (side, FALSE, FALSE, data, size);
      break;
    case 2:
      pass (side, command & 16, TRUE, data, size);
      break;
    case 3:
      pass (side, TRUE, FALSE, data, size);
      break;
    case 4:
      if (side->n_queued)
        g_bytes_unref (pop (side));
      break;
    case 5:
      turn_clock (side);
      break;
    case 6:
      start (i);
      break;
    default:
      if (command & 16)
        rtc_dtls_close (side->dtls);
      else
        rtc_dtls_send (side->dtls, (const guint8 *)message, sizeof (message));
  }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const RtcDtlsEvents events = {on_transmit, on_state, on_data};

  now = 1;
  for (guint i = 0; i < 2; i++) {
    if (!identities[i])
      identities[i] = rtc_dtls_identity_new (NULL);
    memset (&sides[i], 0, sizeof (Side));
    sides[i].other = 1 - i;
    sides[i].dtls = rtc_dtls_new (identities[i], &events, &sides[i]);
  }
  while (size > 0) {
    obey (&data, &size);
    check_keys ();
  }
  for (guint i = 0; i < 2; i++) {
    while (sides[i].n_queued)
      g_bytes_unref (pop (&sides[i]));
    rtc_dtls_free (sides[i].dtls);
  }
  return 0;
}
