/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Both browsers at once see the same frames; one leaves, and the other one does not notice. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const pipeline = await stage.counter();
  const chromium = await stage.open(await stage.browser('chromium'));
  const firefox = await stage.open(await stage.browser('firefox'));
  await Promise.all([stage.advances(chromium), stage.advances(firefox)]);
  const [one, other] = await Promise.all([stage.number(chromium), stage.number(firefox)]);
  assert.ok(Math.abs(one - other) < 45, `Chromium is at frame ${one}, Firefox at ${other}`);
  await stage.screenshot(chromium, 'chromium');
  await stage.screenshot(firefox, 'firefox');

  const left = pipeline.messages('rtc-peer-left').length;
  await chromium.close({ runBeforeUnload: false });
  await until('the pipeline to hear of it', () => pipeline.messages('rtc-peer-left').length > left, 5000);
  await stage.advances(firefox, 60);
}
