/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What to do about one peer, decided without doing it. Pure: time is an argument (milliseconds of any steady clock),
 * and every function returns a set of RtcSessionActions for the caller to carry out, in the order of their values.
 *
 * There may be two connections at a time: the current one, which carries media, and the next one, which is being set up
 * beside it and takes its place once it is connected (design/session-states.md has the picture). */

typedef enum
{
  RTC_SESSION_IDLE, /* the two have nothing to say to each other, or one said bye */
  RTC_SESSION_WAITING, /* it is ours to offer, or an offer came, but our tracks are not known yet */
  RTC_SESSION_REQUESTED, /* it is theirs to offer */
  RTC_SESSION_NEGOTIATING, /* an offer or an answer is being made, or an answer is awaited */
  RTC_SESSION_CONNECTING,
  RTC_SESSION_CONNECTED,
  RTC_SESSION_DISCONNECTED, /* the current connection is silent */
  RTC_SESSION_BACKOFF, /* failed, tried again when the time has come */
  RTC_SESSION_FAILED, /* failed in a way that trying again does not change */
} RtcSessionState;

typedef enum
{
  RTC_SESSION_OFFERER_NONE,
  RTC_SESSION_OFFERER_US,
  RTC_SESSION_OFFERER_THEM,
} RtcSessionOfferer;

typedef enum
{
  RTC_SESSION_CLOSE_NEXT = 1 << 0,
  RTC_SESSION_CLOSE_CURRENT = 1 << 1,
  RTC_SESSION_PROMOTE = 1 << 2, /* close the current one, the next one becomes it */
  RTC_SESSION_START_OFFER = 1 << 3, /* make the next connection and its offer */
  RTC_SESSION_START_ANSWER = 1 << 4, /* make the next connection from the offer that came last */
  RTC_SESSION_REQUEST_OFFER = 1 << 5,
  RTC_SESSION_REPORT_CONNECTED = 1 << 6,
  RTC_SESSION_REPORT_DISCONNECTED = 1 << 7,
  RTC_SESSION_REPORT_FAILED = 1 << 8, /* with whatever the caller knows of the reason */
  RTC_SESSION_REPORT_TIMEOUT = 1 << 9, /* as REPORT_FAILED: the next connection took too long */
} RtcSessionActions;

#define RTC_SESSION_SETUP_TIMEOUT_MS 15000
#define RTC_SESSION_READY_TIMEOUT_MS 5000 /* for our tracks to get caps */
#define RTC_SESSION_REQUEST_TIMEOUT_MS 5000 /* for an offer to come, before it is asked for again */
#define RTC_SESSION_SILENCE_TIMEOUT_MS 18000 /* from DISCONNECTED to a new connection */
#define RTC_SESSION_MAX_ATTEMPTS 6

typedef struct
{
  RtcSessionState state;
  RtcSessionOfferer offerer;
  gboolean ready; /* our tracks are known */
  gboolean incomplete; /* it is ready only because the time was up: some of our tracks are still to come */
  gboolean offer_held; /* an offer came before it was ready */
  gboolean has_current, has_next;
  gboolean silent; /* the current one is */
  gboolean repairing; /* the next one is wanted for that reason only */
  guint attempts; /* that failed since the last one that connected */
  guint64 deadline; /* when to call rtc_session_tick(); 0: never */
} RtcSession;

void rtc_session_init (RtcSession *session);

/* Who offers in this pair, as the server says. */
guint rtc_session_set_offerer (RtcSession *session, RtcSessionOfferer offerer, guint64 now);

/* Our tracks are all known (or there are none). When the session went on without some of them, they count as changed.
 */
guint rtc_session_set_ready (RtcSession *session, guint64 now);

/* Our tracks, or those that the peer fills, are others than those that were negotiated. */
guint rtc_session_tracks_changed (RtcSession *session, guint64 now);

guint rtc_session_offer_received (RtcSession *session, guint64 now);
guint rtc_session_offer_requested (RtcSession *session, guint64 now);

/* Our description was sent; FINAL when theirs is known as well. */
guint rtc_session_described (RtcSession *session, gboolean final, guint64 now);

/* The next connection is up. */
guint rtc_session_next_connected (RtcSession *session, guint64 now);

/* The next connection, or the negotiation for it, failed. FATAL: in a way that will be the same the next time. When it
 * is not tried again, and the current connection is alive, the session goes on with that. */
guint rtc_session_next_failed (RtcSession *session, gboolean fatal, guint64 now);

/* Nothing is heard of the current connection; or something again. A next one that was only begun for that reason is
 * then dropped. */
guint rtc_session_current_silent (RtcSession *session, guint64 now);
guint rtc_session_current_back (RtcSession *session, guint64 now);

/* It broke for good. */
guint rtc_session_current_failed (RtcSession *session, guint64 now);

/* The peer said bye to the session, or left. */
guint rtc_session_bye (RtcSession *session, guint64 now);

/* Call at the deadline or later. */
guint rtc_session_tick (RtcSession *session, guint64 now);

const gchar *rtc_session_state_to_string (RtcSessionState state);

G_END_DECLS
