/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opens the page of wssignalsrc in Chromium and tells of each frame that is shown as network-peer does: "frame
 * MICROSECONDS" of the system's monotonic clock. Ends with standard input. */

import { launch } from '../browser/lib/browsers.mjs';

const origin = process.argv[2];
const browser = await launch('chromium', origin);
process.stdin.on('end', () => browser.close().then(() => process.exit(0)));
process.stdin.on('data', async () => {
  const peers = await page.evaluate(() => [...globalThis.rtclink.peers.values()].map((p) => [p.state, p.session]));
  console.log(`stats ${JSON.stringify(peers)}`);
});
const page = await browser.newPage();
page.on('pageerror', (error) => console.log(`error ${error.message}`));
await page.goto(origin);
await page.evaluate(() => {
  globalThis.shownAt = [];
  const watched = new WeakSet();
  const watch = (video) => {
    const tick = () => {
      globalThis.shownAt.push(performance.timeOrigin + performance.now());
      video.requestVideoFrameCallback(tick);
    };
    watched.add(video);
    video.requestVideoFrameCallback(tick);
  };
  setInterval(() => {
    for (const video of document.querySelectorAll('video')) if (!watched.has(video)) watch(video);
  }, 20);
});
for (;;) {
  const shown = await page.evaluate(() => globalThis.shownAt.splice(0)).catch(() => null);
  if (!shown) break;
  // From the wall clock to the monotonic one, as it is now.
  const offset = Number(process.hrtime.bigint() / 1000n) - Date.now() * 1000;
  for (const at of shown) console.log(`frame ${Math.round(at * 1000 + offset)}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
