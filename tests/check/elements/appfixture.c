/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "appfixture.h"

#include <gst/check/gstcheck.h>
#include <string.h>

static void
note (App *app, gchar *text)
{
  g_mutex_lock (&app->lock);
  g_ptr_array_add (app->log, text);
  g_cond_broadcast (&app->cond);
  g_mutex_unlock (&app->lock);
}

static void
on_open (GObject *channel, const gchar *peer, gpointer app)
{
  note (app, g_strdup ("open"));
}

static void
on_close (GObject *channel, const gchar *peer, const gchar *reason, gpointer app)
{
  note (app, g_strdup (reason ? "lost" : "close"));
}

static void
on_error (GObject *channel, const gchar *peer, const gchar *reason, gpointer app)
{
  note (app, g_strdup_printf ("error: %s", reason));
}

static void
on_string (GObject *channel, const gchar *peer, const gchar *text, gpointer app)
{
  note (app, g_strdup_printf ("t:%s", text));
}

static void
on_data (GObject *channel, const gchar *peer, GBytes *data, gpointer app)
{
  note (app, g_strdup_printf ("b:%u", (guint)g_bytes_get_size (data)));
}

App *
app_new (TestPeer *peer, const gchar *label, const gchar *options)
{
  GstStructure *s = options ? gst_structure_from_string (options, NULL) : NULL;
  App *app = g_new0 (App, 1);

  g_mutex_init (&app->lock);
  g_cond_init (&app->cond);
  app->log = g_ptr_array_new_with_free_func (g_free);
  g_signal_emit_by_name (test_peer_get_rtcbin (peer), "create-data-channel", label, s, &app->channel);
  fail_unless (app->channel != NULL);
  g_object_connect (app->channel, "signal::on-open", on_open, app, "signal::on-close", on_close, app,
      "signal::on-error", on_error, app, "signal::on-message-string", on_string, app, "signal::on-message-data",
      on_data, app, NULL);
  g_signal_emit_by_name (app->channel, "open");
  g_clear_pointer (&s, gst_structure_free);
  return app;
}

void
app_free (App *app)
{
  g_object_unref (app->channel);
  g_ptr_array_unref (app->log);
  g_mutex_clear (&app->lock);
  g_cond_clear (&app->cond);
  g_free (app);
}

void
app_expect (App *app, const gchar *text)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  const gchar *got = NULL;

  g_mutex_lock (&app->lock);
  while (app->log->len <= app->seen && g_cond_wait_until (&app->cond, &app->lock, end))
    ;
  if (app->log->len > app->seen)
    got = g_ptr_array_index (app->log, app->seen++);
  g_mutex_unlock (&app->lock);
  fail_unless (g_strcmp0 (got, text) == 0, "\"%s\" is told, not \"%s\"", got ? got : "(nothing)", text);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

void
app_expect_all (App *app, guint n, const gchar *text)
{
  gint64 end = g_get_monotonic_time () + WAIT;
  GPtrArray *sorted = g_ptr_array_new ();
  GString *got = g_string_new (NULL);

  g_mutex_lock (&app->lock);
  while (app->log->len < app->seen + n && g_cond_wait_until (&app->cond, &app->lock, end))
    ;
  for (guint i = 0; i < n && app->seen < app->log->len; i++)
    g_ptr_array_add (sorted, g_ptr_array_index (app->log, app->seen++));
  g_mutex_unlock (&app->lock);
  g_ptr_array_sort (sorted, compare);
  for (guint i = 0; i < sorted->len; i++)
    g_string_append_printf (got, "%s ", (const gchar *)g_ptr_array_index (sorted, i));
  fail_unless_equals_string (got->str, text);
  g_string_free (got, TRUE);
  g_ptr_array_unref (sorted);
}

void
app_say (App *app, const gchar *text)
{
  guint n = 0;

  g_signal_emit_by_name (app->channel, "send-string", NULL, text, &n);
  fail_unless_equals_int (n, 1);
}

void
app_send (App *app, gsize size)
{
  GBytes *data = g_bytes_new_take (g_malloc0 (size), size);
  guint n = 0;

  g_signal_emit_by_name (app->channel, "send-data", NULL, data, &n);
  fail_unless_equals_int (n, 1);
  g_bytes_unref (data);
}

void
set_up (Fixture *f, const gchar *name)
{
  f->room = test_room_new ();
  f->a = test_room_add (f->room, "a", name, ALONE);
  f->b = test_room_add (f->room, "b", name, ALONE);
}

void
join (Fixture *f)
{
  test_room_join (f->room, f->a, f->b);
}

void
meet (Fixture *f, App **a, const gchar *a_options, App **b, const gchar *b_options)
{
  *a = app_new (f->a, "x", a_options);
  *b = app_new (f->b, "x", b_options);
  join (f);
  app_expect (*a, "open");
  app_expect (*b, "open");
}

void
part (Fixture *f, App *a, App *b)
{
  test_room_free (f->room);
  app_free (a);
  app_free (b);
}

gboolean
is_webrtcbin (const gchar *name)
{
  return strcmp (name, "webrtcbin") == 0;
}
