/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-good
 *
 * |[
 * gst-launch-1.0 good ! fakesink
 * ]|
 */
static void
gst_good_class_init (GstGoodClass *klass)
{
  gst_element_class_set_static_metadata (element_class, "Good", "Good", "Good", "Good");
  g_object_class_install_property (object_class, 1,
      g_param_spec_uint ("latency", "Latency", "How long the jitterbuffer waits, "
          "in milliseconds, before a packet is lost", 0, G_MAXUINT, 40, G_PARAM_READWRITE));
}
