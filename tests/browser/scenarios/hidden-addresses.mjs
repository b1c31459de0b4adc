/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who was not allowed a camera has no addresses for others: the browser tells names that end in .local instead. Nobody
 * asks for those, and the picture comes all the same, as fast as ever. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

export default async function (stage) {
  // Chromium shows such a page the address alone that it would take to the internet. Nobody is at the other end.
  execFileSync('ip', ['route', 'add', 'default', 'via', '192.0.2.2', 'dev', 'rtc0']);
  const pipeline = await stage.counter();
  const browser = await stage.browser(undefined, undefined, { camera: false });
  const newPage = browser.newPage.bind(browser);
  browser.newPage = async () => {
    const page = await newPage();
    await page.evaluateOnNewDocument(() => {
      window.told = [];
      const Original = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Original {
        constructor(...words) {
          super(...words);
          this.addEventListener('icecandidate', (event) => event.candidate?.candidate && window.told.push(event.candidate.candidate));
        }
      };
    });
    return page;
  };
  const page = await stage.open(browser);
  await stage.advances(page);
  const addresses = (await page.evaluate(() => window.told)).map((text) => text.split(' ')[4]);
  assert.ok(addresses.length > 0, 'the browser told no candidate');
  assert.deepEqual(addresses.filter((address) => !address.endsWith('.local')), [], 'addresses that are not hidden');
  const [connected] = pipeline.messages('rtc-peer-connected');
  const took = Number(connected['setup-time']) / 1e6;
  console.log(`${addresses.length} hidden addresses, ${took} ms to connect`);
  assert.ok(took < 3000, `it took ${took} ms to connect`);
  assert.equal(pipeline.messages('rtc-peer-failed').length, 0);
}
