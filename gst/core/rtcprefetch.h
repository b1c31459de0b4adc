/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Asks for the memory at AT, which is read a little later, without a wait. Any address may be given. */
static inline void
rtc_prefetch (gconstpointer at)
{
#ifdef __GNUC__
  __builtin_prefetch (at);
#endif
}

G_END_DECLS
