/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A page that sends its camera in two sizes: each is a pad of its own, and both move. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

const SINKS = `rtc.video_src_0 ! decodebin ! videoconvert ! appsink name=picture
  rtc.video_src_1 ! decodebin ! videoconvert ! appsink name=picture-2`;

// Small ones: the larger is sent only once there is bandwidth for both, and what a browser thinks there is (1.1 Mbit/s for
// 720p and its half) grows slowly on a busy machine, or not at all.
function sendInTwoSizes() {
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (kind, init) {
    const isVideo = kind === 'video' && init.direction === 'sendonly' && !this.hasLayers;
    if (!isVideo) return add.call(this, kind, init);
    this.hasLayers = true;
    const sendEncodings = [{ rid: 'small', scaleResolutionDownBy: 8 }, { rid: 'large', scaleResolutionDownBy: 4 }];
    return add.call(this, kind, { ...init, sendEncodings });
  };
}

export default async function (stage) {
  const pipeline = await stage.counter({ rest: SINKS });
  const page = await stage.open(await stage.browser(), { first: sendInTwoSizes });
  await stage.advances(page);
  await page.click('#camera');
  const moves = (picture) => picture?.changed > 20;
  const seen = await until(
    'two moving pictures',
    () => (moves(pipeline.seen.picture) && moves(pipeline.seen['picture-2']) ? pipeline.seen : null),
    30000,
  );
  const widths = [seen.picture.width, seen['picture-2'].width].sort((a, b) => a - b);
  assert.equal(widths[1], widths[0] * 2, `widths ${widths}`);
  assert.deepEqual(page.faults, []);
}
