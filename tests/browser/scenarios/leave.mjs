/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A page that is left says so: the pipeline hears of it at once, and again of the one that comes back. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const pipeline = await stage.counter();
  const page = await stage.open(await stage.browser());
  await stage.advances(page);
  assert.equal(pipeline.messages('rtc-peer-left').length, 0);
  await page.goto('about:blank');
  await until('the goodbye', () => pipeline.messages('rtc-peer-left').length === 1, 3000);
  await page.goBack();
  await stage.advances(page);
  const left = pipeline.messages('rtc-peer-left').length;
  await page.reload();
  await stage.advances(page);
  await until('a goodbye for the reload', () => pipeline.messages('rtc-peer-left').length > left, 3000);
}
