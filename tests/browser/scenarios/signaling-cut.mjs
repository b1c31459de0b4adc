/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way to the server is cut, not the way of the media: the picture goes on, and the page comes back as the same
 * peer, with the same session. */

import assert from 'node:assert/strict';
import { Proxy } from '../lib/proxy.mjs';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  await stage.counter({ signal: 'ping-interval=1000 ping-timeout=4000' });
  const proxy = new Proxy(8090, stage.port, stage.address);
  await proxy.ready;
  stage.atEnd(() => proxy.close());
  const origin = `http://${stage.address}:8090`;
  const page = await stage.open(await stage.browser(undefined, origin), { origin });
  await stage.advances(page);
  const who = () =>
    page.evaluate(() => [
      globalThis.rtclink.peerId,
      ...[...globalThis.rtclink.peers.values()].map((p) => `${p.id} ${p.session}`),
    ]);
  const before = await who();

  proxy.cut();
  await until('the cut to be noticed', () => page.evaluate(() => globalThis.rtclink.state === 'reconnecting'), 15000);
  await stage.advances(page, 60);
  assert.equal((await stage.says(page)).words, 'Live');
  await stage.screenshot(page, 'cut');

  proxy.mend();
  // What makes a page try at once, instead of sitting out its wait.
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await until('the server again', () => page.evaluate(() => globalThis.rtclink.state === 'joined'), 20000);
  assert.deepEqual(await who(), before, 'another identity or another session after the cut');
  await stage.advances(page, 60);
}
