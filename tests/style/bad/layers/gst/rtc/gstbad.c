/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../data/gstdata.h"
#include "../../ext/wssignal/gstwssignal.h"
#include <gst/webrtc/webrtc.h>
GstWebRTCICETransportPolicy policy = GST_WEBRTC_ICE_TRANSPORT_POLICY_ALL; /* GST_WEBRTC_COMMENT */
const char *name = "webrtcbin";
