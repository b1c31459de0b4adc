/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page's camera and microphone in the pipeline, on lines that the first offer had: nothing is negotiated for it. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

const CHECKS = `rtc.video_src_0 ! decodebin ! videoconvert ! appsink name=picture
  rtc.audio_src_0 ! decodebin ! audioconvert ! audioresample ! appsink name=sound`;

/* Off is off, however soon it comes after on: whoever presses that believes that nobody hears them. */
async function checkHaste(page) {
  const sent = (kind) =>
    page.evaluate(
      (k) =>
        [...globalThis.rtclink.peers.values()]
          .flatMap((peer) => peer.connection.getSenders())
          .filter(({ track }) => track?.kind === k).length,
      kind,
    );
  await page.click('#microphone');
  await until('the microphone to be off', async () => (await sent('audio')) === 0);
  await page.evaluate(() => {
    const button = document.getElementById('microphone');
    globalThis.rtclink.addEventListener('outgoing', () => button.click(), { once: true });
    button.click();
    return new Promise((resolve) => globalThis.rtclink.addEventListener('outgoing', () => setTimeout(resolve, 200)));
  });
  assert.equal(await page.$eval('#microphone', (b) => b.getAttribute('aria-pressed')), 'false');
  assert.equal(await sent('audio'), 0, 'the button says off, and the microphone is sent');

  await page.click('#camera');
  await until('the camera to be off', async () => (await sent('video')) === 0);
  await page.evaluate(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    const link = globalThis.rtclink;
    await Promise.all([link.setTrack('camera', stream.getTracks()[0]), link.setTrack('camera', null)]);
  });
  assert.equal(await sent('video'), 0, 'the camera is sent although the last call was null');
}

/* Left alone, Chromium begins with half of that, and tries more after six seconds. */
async function checkStart(page) {
  const target = () =>
    page.evaluate(async () => {
      const [{ connection }] = globalThis.rtclink.peers.values();
      const stats = [...(await connection.getStats()).values()];
      return Math.max(...stats.filter((s) => s.type === 'outbound-rtp').map((s) => s.targetBitrate ?? 0));
    });
  await until('the camera to be sent with more than a megabit a second', async () => (await target()) > 1e6, 5000);
}

export default async function (stage) {
  const pipeline = await stage.counter({ rest: CHECKS });
  const page = await stage.open(await stage.browser());
  await stage.advances(page);
  const offers = () => page.evaluate(() => [...globalThis.rtclink.peers.values()].map((p) => p.session));
  const session = await offers();

  await page.click('#camera');
  if (stage.browserName === 'chromium') await checkStart(page);
  await page.click('#microphone');
  const picture = await until(
    'a moving picture in the pipeline',
    () => {
      const { picture } = pipeline.seen;
      return picture?.changed > 20 && picture.high - picture.low > 40 ? picture : null;
    },
    20000,
  );
  assert.ok(picture.width >= 160 && picture.height >= 90, `${picture.width} x ${picture.height}`);
  await until('sound in the pipeline', () => pipeline.seen.sound?.rms > 0.003, 20000);
  await stage.screenshot(page, 'both');
  assert.deepEqual(await offers(), session, 'talking back made a new session');
  assert.equal(await page.$eval('#camera', (b) => b.getAttribute('aria-pressed')), 'true');

  await page.click('#camera');
  assert.equal(await page.evaluate(() => globalThis.rtclink.outgoing.has('camera')), false);
  // Off means off: sound still comes, and no more pictures with it.
  let { frames } = pipeline.seen.picture;
  let { samples } = pipeline.seen.sound;
  await until('sound without picture', () => {
    const still = pipeline.seen.picture.frames === frames;
    if (!still || samples === undefined) ({ samples } = pipeline.seen.sound);
    ({ frames } = pipeline.seen.picture);
    return still && pipeline.seen.sound.samples > samples + 48000;
  });
  // Back on: the same line again.
  await page.click('#camera');
  await until('the camera in the pipeline again', () => pipeline.seen.picture.frames > frames + 20);
  await stage.advances(page);
  assert.deepEqual(await offers(), session);
  await checkHaste(page);
  assert.deepEqual(await offers(), session);
  assert.deepEqual(page.faults, []);
}
