/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pipeline, and the server with it, dies without a word and is started again: the picture comes back by itself. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const first = await stage.counter();
  const page = await stage.open(await stage.browser());
  await stage.advances(page, 90);
  const before = await page.evaluate(() => [globalThis.rtclink.peerId, [...globalThis.rtclink.peers.keys()][0]]);
  await first.stop('SIGKILL');
  await until('the loss to be noticed', () => page.evaluate(() => globalThis.rtclink.state === 'reconnecting'));
  await until('the page to say so', () => page.$eval('#server-words', (e) => /reconnecting/.test(e.textContent)));
  await stage.screenshot(page, 'lost');

  await stage.counter();
  await until(
    'another pipeline',
    () =>
      page.evaluate(
        (old) => globalThis.rtclink.state === 'joined' && ![...globalThis.rtclink.peers.keys()].includes(old),
        before[1],
      ),
    40000,
  );
  await stage.advances(page, 60, 0, 30000);
  assert.equal(await page.evaluate(() => document.querySelectorAll('.tile').length), 1);
  await stage.screenshot(page, 'back');
}
