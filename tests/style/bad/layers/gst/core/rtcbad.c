/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/gst.h>
#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <pthread.h>
#include "base/gstbase.h"
#include "config.h"
int
bad (void)
{
  return g_get_monotonic_time ();
}
