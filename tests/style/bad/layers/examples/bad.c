/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/gst.h>
#include "base/gstbase.h"
