/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pipeline that only receives, and two pages: the one that switches its camera on is seen there; the other one
 * is left alone. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const pipeline = stage.pipeline(`{signal} rtc.video_src_0 ! decodebin ! videoconvert ! appsink name=picture
    rtc.audio_src_0 ! decodebin ! audioconvert ! audioresample ! appsink name=sound`);
  await pipeline.serving(stage.url);
  const browser = await stage.browser();
  const page = await stage.open(browser);
  const other = await stage.open(browser);
  for (const p of [page, other])
    await until('the page to say who listens', () => p.$eval('#empty-title', (e) => /listens/.test(e.textContent)));
  await stage.screenshot(page, 'waiting');
  await page.bringToFront();
  await page.click('#camera');
  await page.click('#microphone');
  await until('a moving picture in the pipeline', () => pipeline.seen.picture?.changed > 20, 20000);
  await until('sound in the pipeline', () => pipeline.seen.sound?.rms > 0.003, 20000);
  await stage.shows(page, 'the listener', (s) => s.state === 'live' && /listens/.test(s.cover));
  assert.equal(await other.evaluate(() => [...globalThis.rtclink.peers.values()].filter((p) => p.session).length), 0);
  await stage.screenshot(page, 'sending');

  await page.click('#camera');
  await page.click('#microphone');
  await until('the end of it', () =>
    page.$eval('#empty-title', (e) => e.checkVisibility() && /listens/.test(e.textContent)),
  );
  assert.deepEqual(page.faults, []);
}
