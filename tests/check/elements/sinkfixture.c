/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sinkfixture.h"

#define DEADLINE (10 * GST_SECOND)

Fixture *
fixture_new (const gchar *first_property, ...)
{
  Fixture *self = g_new0 (Fixture, 1);
  va_list arguments;

  self->rtcbin = gst_object_ref_sink (gst_element_factory_make ("rtcbin", NULL));
  self->hub = fake_hub_of (self->rtcbin);
  self->sink = gst_element_factory_make ("datachannelsink", NULL);
  fail_unless (self->sink, "there is no datachannelsink");
  self->bus = gst_bus_new ();
  gst_element_set_bus (self->sink, self->bus);
  g_object_set (self->sink, "rtc-element", self->rtcbin, "label", "x", NULL);
  va_start (arguments, first_property);
  if (first_property)
    g_object_set_valist (G_OBJECT (self->sink), first_property, arguments);
  va_end (arguments);
  self->harness = gst_harness_new_with_element (self->sink, "sink", NULL);
  gst_harness_set_live (self->harness, FALSE);
  gst_harness_set_src_caps_str (self->harness, "application/octet-stream");
  return self;
}

void
fixture_free (Fixture *self)
{
  gst_harness_teardown (self->harness);
  fail_unless_equals_int (fake_hub_count_users (self->hub), 0);
  gst_element_set_bus (self->sink, NULL);
  gst_object_unref (self->sink);
  gst_object_unref (self->bus);
  gst_object_unref (self->rtcbin);
  g_free (self);
}

GstBuffer *
text_buffer (const gchar *text)
{
  return gst_buffer_new_wrapped (g_strdup (text), strlen (text));
}

void
push (Fixture *self, const gchar *text)
{
  fail_unless_equals_int (gst_harness_push (self->harness, text_buffer (text)), GST_FLOW_OK);
}

void
push_size (Fixture *self, gsize size)
{
  fail_unless_equals_int (
      gst_harness_push (self->harness, gst_buffer_new_wrapped (g_malloc0 (size), size)), GST_FLOW_OK);
}

guint64
stat_of (Fixture *self, const gchar *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value;

  g_object_get (self->sink, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, name, &value), "no %s in stats", name);
  return value;
}

gchar *
expect_message (GstBus *bus, GstMessageType type)
{
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (bus, DEADLINE, type);
  g_autoptr (GError) error = NULL;

  fail_unless (message, "no %s came", gst_message_type_get_name (type));
  if (type == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  else
    gst_message_parse_error (message, &error, NULL);
  return g_strdup (error->message);
}

void
assert_contains (const gchar *text, const gchar *part)
{
  fail_unless (strstr (text, part), "\"%s\" does not say \"%s\"", text, part);
}

void
fill_channel (Fixture *f)
{
  push_size (f, 256 * 1024);
}
