/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two pictures and a sound of one pipeline, and a second pipeline that sends sound alone: a tile each. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  await stage.counter({ rest: 'videotestsrc is-live=true ! vp8enc deadline=1 threads=1 ! rtc.' });
  const page = await stage.open(await stage.browser());
  await until('two pictures', () => page.evaluate(() => document.querySelectorAll('video.seen').length === 2));
  // Which of the two has the counter depends on the order of the pads.
  const counted = await until('the counter', () =>
    page
      .evaluate(() => document.querySelectorAll('.tile').length)
      .then(async () => ({ tile: await Promise.any([0, 1].map((t) => stage.advances(page, 30, t).then(() => t))) })),
  );
  assert.ok(counted.tile >= 0);

  const other = stage.pipeline(`wssignalsrc uri=ws://${stage.address}:${stage.port} display-name=Commentary !
    rtcbin name=rtc audiotestsrc is-live=true freq=330 ! opusenc ! rtc.`);
  await until('the third tile', () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.tile.sound-only')].some(
        (t) => /Commentary/.test(t.textContent) && t.dataset.state === 'live',
      ),
    ),
  );
  await page.click('#sound');
  await until('its level', () =>
    page.evaluate(() => document.querySelectorAll('.tile.sound-only .bars .lit').length > 3),
  );
  await stage.screenshot(page, 'three');
  await other.stop();
  await until('the third tile to go', () => page.evaluate(() => document.querySelectorAll('.tile').length === 2));
}
