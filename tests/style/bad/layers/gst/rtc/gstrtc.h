/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/gstbase.h"
#include "../core/rtcgood.h"
