/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/webrtc/webrtc.h>
GstWebRTCDataChannel *channel;
