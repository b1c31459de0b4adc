/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <string.h>

#include "core/rtcroom.h"

/* The clock of each test is its own integer; what each connection got is a queue. */
typedef struct
{
  RtcRooms *rooms;
  gint64 now;
  GQueue got[64]; /* of RtcRoomAction, by connection */
} Fixture;

static inline void
fixture_init (Fixture *f, const RtcRoomsConfig *config)
{
  RtcRoomsConfig defaults = RTC_ROOMS_CONFIG_DEFAULT;

  memset (f, 0, sizeof *f);
  f->rooms = rtc_rooms_new (config ? config : &defaults);
}

static inline void
fixture_clear (Fixture *f)
{
  guint i;

  rtc_rooms_free (f->rooms);
  for (i = 0; i < G_N_ELEMENTS (f->got); i++)
    g_queue_clear_full (&f->got[i], (GDestroyNotify)rtc_room_action_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static inline void
collect (Fixture *f)
{
  RtcRoomAction *action;

  while ((action = rtc_rooms_pop (f->rooms))) {
    g_assert_cmpuint (action->connection, <, G_N_ELEMENTS (f->got));
    if (action->type == RTC_ROOM_SEND)
      g_assert_cmpuint (strlen (action->text), <=, RTC_MAX_FRAME);
    g_queue_push_tail (&f->got[action->connection], action);
  }
}

static void say (Fixture *f, guint connection, const gchar *format, ...) G_GNUC_PRINTF (3, 4);

static inline void
say (Fixture *f, guint connection, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  rtc_rooms_receive (f->rooms, connection, text, -1, f->now);
  collect (f);
}

/* The next thing that CONNECTION got must be a message of TYPE. */
static inline RtcMessage *
expect (Fixture *f, guint connection, RtcMessageType type)
{
  g_autoptr (GError) error = NULL;
  RtcRoomAction *action = g_queue_pop_head (&f->got[connection]);
  RtcMessage *message;

  if (!action)
    g_error ("connection %u got nothing, expected %s", connection, rtc_message_type_to_string (type));
  g_assert_cmpint (action->type, ==, RTC_ROOM_SEND);
  message = rtc_message_from_json (action->text, -1, &error);
  g_assert_no_error (error);
  if (message->type != type)
    g_error ("connection %u got %s, expected %s", connection, action->text, rtc_message_type_to_string (type));
  rtc_room_action_free (action);
  return message;
}

static inline void
expect_error (Fixture *f, guint connection, RtcErrorCode code, const gchar *answers)
{
  g_autoptr (RtcMessage) error = expect (f, connection, RTC_MESSAGE_ERROR);

  g_assert_cmpstr (error->code_name, ==, rtc_error_code_to_string (code));
  g_assert_cmpstr (error->answers, ==, answers);
  g_assert_cmpuint (strlen (error->reason), >, 0);
}

static inline void
expect_close (Fixture *f, guint connection, guint code, const gchar *reason)
{
  RtcRoomAction *action = g_queue_pop_head (&f->got[connection]);

  g_assert_nonnull (action);
  g_assert_cmpint (action->type, ==, RTC_ROOM_CLOSE);
  g_assert_cmpuint (action->close_code, ==, code);
  g_assert_cmpstr (action->text, ==, reason);
  rtc_room_action_free (action);
}

static inline void
expect_nothing (Fixture *f, guint connection)
{
  RtcRoomAction *action = g_queue_peek_head (&f->got[connection]);

  if (action)
    g_error ("connection %u got %s, expected nothing", connection, action->text);
}

static inline void
forget (Fixture *f, guint connection)
{
  g_queue_clear_full (&f->got[connection], (GDestroyNotify)rtc_room_action_free);
}

static inline void
tick (Fixture *f, gint64 ms)
{
  f->now += ms;
  rtc_rooms_tick (f->rooms, f->now);
  collect (f);
}

static inline void
open_connection (Fixture *f, guint connection)
{
  rtc_rooms_connect (f->rooms, connection, "", FALSE, f->now);
}

/* Joins with FIELDS and returns the welcome; the `peers` behind it is forgotten. */
static inline RtcMessage *
join (Fixture *f, guint connection, const gchar *fields)
{
  RtcMessage *welcome;

  open_connection (f, connection);
  say (f, connection, "{\"type\":\"join\",\"version\":1%s}", fields);
  welcome = expect (f, connection, RTC_MESSAGE_WELCOME);
  rtc_message_free (expect (f, connection, RTC_MESSAGE_PEERS));
  return welcome;
}
