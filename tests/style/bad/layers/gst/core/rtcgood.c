/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/rtcgood.h"
#include <string.h>
/* #include <gst/gst.h> */
const char *s = "time (of day)";
