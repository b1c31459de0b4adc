/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All of it without a mouse. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const pipeline = stage.pipeline(
    `{signal} videotestsrc is-live=true ! vp8enc deadline=1 threads=1 ! rtc.
    audiotestsrc is-live=true ! opusenc ! rtc.`,
    { program: 'gst-launch-1.0' },
  );
  await pipeline.serving(stage.url);
  const page = await stage.open(await stage.browser());
  await until('a picture', () => page.evaluate(() => !!document.querySelector('video.seen')));
  const muted = () => page.evaluate(() => document.querySelector('audio').muted);
  const pressed = (id) => page.$eval(id, (b) => b.getAttribute('aria-pressed'));

  await page.keyboard.press('m');
  await until('sound', async () => !(await muted()));
  await page.keyboard.press('m');
  await until('silence', muted);

  await page.keyboard.press('f');
  await until('full screen', () => page.evaluate(() => document.fullscreenElement?.classList.contains('tile')));
  await stage.screenshot(page, 'full');
  await page.keyboard.press('f');
  await until('no full screen', () => page.evaluate(() => !document.fullscreenElement));

  await page.keyboard.type('?');
  await until('the list of keys', () => page.$eval('#help', (d) => d.open));
  await stage.screenshot(page, 'help');
  await page.keyboard.press('m');
  assert.equal(await muted(), true, 'a key went through the dialog');
  await page.keyboard.press('Escape');
  await until('the list to close', () => page.$eval('#help', (d) => !d.open));

  await page.keyboard.press('i');
  assert.equal(await page.$eval('.numbers', (d) => d.hidden), true);
  await page.keyboard.press('i');
  assert.equal(await page.$eval('.numbers', (d) => d.hidden), false);
  await page.keyboard.press('t');
  await until('the microphone', async () => (await pressed('#microphone')) === 'true');
  await page.keyboard.press('t');
  await until('no microphone', async () => (await pressed('#microphone')) === 'false');

  // Every control is reached by Tab, shows that it has the focus, and has a name.
  const reached = new Set();
  for (let i = 0; i < 14; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      // Past the last one the browser's own buttons come.
      if (!document.hasFocus() || e === document.body || e === document.documentElement) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      return {
        what: e.id || e.className.split(' ')[0],
        visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
        name: e.getAttribute('aria-label') || e.textContent.trim(),
      };
    });
    if (!at) continue;
    assert.ok(at.visible, `the focus cannot be seen on ${at.what}`);
    assert.ok(at.name, `${at.what} has no name`);
    reached.add(at.what);
  }
  for (const control of ['help-button', 'mute', 'volume', 'more', 'full', 'sound', 'microphone', 'camera', 'data-button'])
    assert.ok(reached.has(control), `Tab never came to ${control}; it came to ${[...reached]}`);

  // Off, for those whose screen reader or voice control uses single keys.
  await page.evaluate(() => document.getElementById('help').showModal());
  await page.click('#keys-on');
  await page.keyboard.press('Escape');
  await until('the list to close', () => page.$eval('#help', (d) => !d.open));
  await page.keyboard.press('m');
  assert.equal(await muted(), true, 'a key worked although keys are off');
}
