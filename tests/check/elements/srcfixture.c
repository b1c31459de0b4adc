/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "srcfixture.h"

Fixture *
fixture_new (const gchar *first_property, ...)
{
  Fixture *self = g_new0 (Fixture, 1);
  va_list arguments;

  self->rtcbin = gst_object_ref_sink (gst_element_factory_make ("rtcbin", NULL));
  self->hub = fake_hub_of (self->rtcbin);
  self->src = gst_element_factory_make ("datachannelsrc", NULL);
  fail_unless (self->src, "there is no datachannelsrc");
  self->bus = gst_bus_new ();
  gst_element_set_bus (self->src, self->bus);
  g_object_set (self->src, "rtc-element", self->rtcbin, "label", "x", NULL);
  va_start (arguments, first_property);
  if (first_property)
    g_object_set_valist (G_OBJECT (self->src), first_property, arguments);
  va_end (arguments);
  self->harness = gst_harness_new_with_element (self->src, NULL, "src");
  gst_harness_use_systemclock (self->harness);
  gst_harness_play (self->harness);
  return self;
}

void
fixture_free (Fixture *self)
{
  gst_harness_teardown (self->harness);
  fail_unless_equals_int (fake_hub_count_users (self->hub), 0);
  gst_element_set_bus (self->src, NULL);
  gst_object_unref (self->src);
  gst_object_unref (self->bus);
  gst_object_unref (self->rtcbin);
  g_free (self);
}

GstBuffer *
pull (Fixture *self)
{
  GstBuffer *buffer = gst_harness_pull (self->harness);

  fail_unless (buffer, "no buffer came");
  return buffer;
}

void
expect (Fixture *self, const gchar *text)
{
  GstBuffer *buffer = pull (self);

  fail_unless_equals_int (gst_buffer_get_size (buffer), strlen (text));
  fail_unless (gst_buffer_memcmp (buffer, 0, text, strlen (text)) == 0);
  gst_buffer_unref (buffer);
}

const GstStructure *
meta_of (GstBuffer *buffer)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "GstRtcPeerMeta");

  fail_unless (meta, "a buffer has no GstRtcPeerMeta");
  return gst_custom_meta_get_structure (meta);
}

GstStructure *
stats_of (Fixture *self)
{
  GstStructure *stats;

  g_object_get (self->src, "stats", &stats, NULL);
  return stats;
}

guint64
stat_of (Fixture *self, const gchar *name)
{
  g_autoptr (GstStructure) stats = stats_of (self);
  guint64 value;

  fail_unless (gst_structure_get_uint64 (stats, name, &value), "no %s in stats", name);
  return value;
}

void
assert_caps (Fixture *self, const gchar *expected)
{
  GstPad *pad = gst_element_get_static_pad (self->src, "src");
  g_autoptr (GstCaps) wanted = gst_caps_from_string (expected);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  fail_unless (caps && gst_caps_is_equal (caps, wanted), "%" GST_PTR_FORMAT, caps);
  gst_object_unref (pad);
}

gboolean
has_eos (gpointer data)
{
  Fixture *f = data;
  GstEvent *event = gst_harness_try_pull_event (f->harness);
  gboolean is_eos = event && GST_EVENT_TYPE (event) == GST_EVENT_EOS;

  g_clear_pointer (&event, gst_event_unref);
  return is_eos;
}
