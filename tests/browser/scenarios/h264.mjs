/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * H.264: Chromium shows it. Firefox, as Debian has it, cannot, and says why, with the sound going on or not. */

import assert from 'node:assert/strict';

export default async function (stage) {
  await stage.counter({ encoder: 'x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60' });
  const page = await stage.open(await stage.browser());
  if (stage.browserName === 'chromium') {
    await stage.advances(page, 60);
    const said = await stage.shows(page, 'the codec', (s) => s.numbers.Codec !== '–');
    assert.match(said.numbers.Codec, /H\.264/);
    return;
  }
  const said = await stage.shows(page, 'the reason', (s) => s.state === 'failed' && s.cover);
  assert.match(said.cover, /cannot play it/);
  assert.match(said.cover, /Encode the video as VP8/);
  assert.match(said.cover, /H\.?264/);
  await stage.screenshot(page, 'reason');
}
