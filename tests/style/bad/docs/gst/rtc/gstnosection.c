/* SPDX-License-Identifier: LGPL-2.1-or-later */
static void
gst_no_section_class_init (GstNoSectionClass *klass)
{
  gst_element_class_set_static_metadata (element_class, "No", "No", "No", "No");
  g_object_class_install_property (object_class, 1,
      g_param_spec_uint ("latency", "Latency", "Latency", 0, G_MAXUINT, 40, G_PARAM_READWRITE));
  g_object_class_install_property (object_class, 2,
      g_param_spec_uint ("max", "Maximum number of peers", "Maximum number of peers", 0, 1, 1, G_PARAM_READWRITE));
  g_object_class_install_property (object_class, 3, g_param_spec_string ("room", "Room", NULL, NULL, G_PARAM_READWRITE));
}
