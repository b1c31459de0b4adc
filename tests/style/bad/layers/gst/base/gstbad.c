/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rtc/gstrtc.h"
#include <libsoup/soup.h>
#include <gst/webrtc/webrtc.h>
GstWebRTCDataChannel *channel;
