/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Numbers in network order at any address. GST_READ_UINT16_BE() and its kind make one access of them where the machine
 * bears it at odd addresses, which C does not allow and UBSan reports; compilers make the same instruction of these. */

static inline guint16
rtc_get_u16 (const guint8 *from)
{
  return from[0] << 8 | from[1];
}

static inline guint32
rtc_get_u24 (const guint8 *from)
{
  return (guint32)from[0] << 16 | (guint32)from[1] << 8 | from[2];
}

static inline guint32
rtc_get_u32 (const guint8 *from)
{
  return (guint32)from[0] << 24 | rtc_get_u24 (from + 1);
}

static inline guint64
rtc_get_u64 (const guint8 *from)
{
  return (guint64)rtc_get_u32 (from) << 32 | rtc_get_u32 (from + 4);
}

/* The low bits of VALUE. */

static inline void
rtc_put_u16 (guint8 *to, guint32 value)
{
  to[0] = value >> 8;
  to[1] = value;
}

static inline void
rtc_put_u24 (guint8 *to, guint32 value)
{
  to[0] = value >> 16;
  rtc_put_u16 (to + 1, value);
}

static inline void
rtc_put_u32 (guint8 *to, guint32 value)
{
  to[0] = value >> 24;
  rtc_put_u24 (to + 1, value);
}

G_END_DECLS
