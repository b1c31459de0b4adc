/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Control of a pipeline beside its picture; its dead-man's switch when the page stops; and one that does not listen. */

import assert from 'node:assert/strict';
import { says, words } from '../lib/pages.mjs';
import { until } from '../lib/until.mjs';

const LISTEN = 'datachannelsrc label=control deadman-timeout=700 deadman-data=stop ! appsink name=data';

export default async function (stage) {
  const pipeline = await stage.counter({ rest: LISTEN });
  const page = await stage.open(await stage.browser());
  await stage.advances(page);
  const messages = () => pipeline.data.filter((m) => m.text?.startsWith('{')).map((m) => JSON.parse(m.text));
  const last = (what, check) => until(what, () => messages().length > 0 && check(messages().at(-1)), 5000);
  const stops = () => pipeline.data.filter((m) => m.text === 'stop').length;
  await until('the stop before anybody is there', () => stops() > 0);

  await page.click('#data-button');
  await page.click('#arm');
  await says(page, '#control-words', /gets what you press/);
  const told = stops();
  await page.keyboard.down('KeyW');
  await last('ahead', (m) => m.armed && m.axes[1] === -1 && m.axes[0] === 0);
  const from = messages().length;
  const since = Date.now();
  await until('twenty more', () => messages().length >= from + 20, 5000);
  assert.ok(Date.now() - since > 600, 'more than 30 messages a second');
  await page.keyboard.up('KeyW');
  await last('zeros', (m) => m.axes.every((v) => v === 0));
  // The heartbeat alone keeps the machine awake.
  const quiet = messages().length;
  await until('heartbeats', () => messages().length > quiet + 8, 5000);
  assert.equal(stops(), told, 'the dead-man stopped it in between');
  await stage.screenshot(page, 'armed');
  await stage.advances(page, 30);

  await page.keyboard.press('Escape');
  await last('the end', (m) => !m.armed);
  await until('the stop', () => stops() > told, 5000);
  assert.ok(pipeline.messages('rtc-data-deadman').length > 0);
  // Away in the middle of it.
  await page.click('#arm');
  await page.keyboard.down('ArrowLeft');
  await last('left', (m) => m.axes[0] === -1);
  const again = stops();
  await page.close();
  await until('the stop after it was closed', () => stops() > again, 5000);
  await pipeline.stop();

  // Nothing there reads it.
  const deaf = await stage.counter();
  const other = await stage.open(await stage.browser());
  await stage.advances(other);
  await other.click('#data-button');
  await other.click('#arm');
  await says(other, '#control-words', /does not listen/, 20000);
  assert.equal(await words(other, '#arm'), 'Take control');
  await stage.screenshot(other, 'deaf');
  await stage.advances(other, 30);
  await deaf.stop();
  await says(other, '#control-words', /does not listen|No pipeline/);
}
