/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-nolaunch
 *
 * Try gst-launch-1.0 nolaunch.
 */
static void
gst_no_launch_class_init (GstNoLaunchClass *klass)
{
  gst_element_class_set_static_metadata (element_class, "No", "No", "No", "No");
}
