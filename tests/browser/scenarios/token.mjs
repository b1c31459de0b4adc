/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A server with a token: asked for in words, a wrong one is refused, and the address may carry it. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  await stage.counter({ signal: 'token=quiet-please' });
  const browser = await stage.browser();
  const page = await stage.open(browser);
  await until('the question', () => page.$eval('#ask', (d) => d.open));
  assert.equal(await page.evaluate(() => globalThis.rtclink.peers.size), 0);
  await page.type('#token', 'loud');
  await page.keyboard.press('Enter');
  await until('the refusal', () =>
    page.evaluate(() => document.getElementById('ask').open && !document.getElementById('ask-wrong').hidden),
  );
  await stage.screenshot(page, 'refused');
  await page.type('#token', 'quiet-please');
  await page.keyboard.press('Enter');
  await stage.advances(page);
  assert.equal(await page.$eval('#ask', (d) => d.open), false);
  await page.close();

  const direct = await stage.open(browser, { path: '/#token=quiet-please' });
  await stage.advances(direct);
}
