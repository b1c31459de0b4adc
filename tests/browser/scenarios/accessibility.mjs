/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * axe-core finds nothing serious, in each state of the page, in both colour schemes, on a desk and in a hand. */

import { inspect } from '../lib/axe.mjs';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const pipeline = await stage.counter();
  const browser = await stage.browser();
  const schemes = stage.browserName === 'chromium' ? [false, true] : [false];
  for (const dark of schemes) {
    for (const phone of [false, true]) {
      const kind = `${phone ? 'phone' : 'desk'}${dark ? '-dark' : ''}`;
      const waiting = await stage.open(browser, { path: '/nobody', dark, phone });
      await until('waiting', () => waiting.evaluate(() => globalThis.rtclink.state === 'joined'));
      await inspect(stage, waiting, `waiting-${kind}`);
      await waiting.close();

      const page = await stage.open(browser, { dark, phone });
      await stage.shows(page, 'figures', (s) => s.state === 'live' && s.numbers.Bitrate !== '–');
      await inspect(stage, page, `live-${kind}`);
      await page.click('#sound');
      await page.click('#camera');
      await until('the camera', () => page.evaluate(() => globalThis.rtclink.outgoing.has('camera')));
      await inspect(stage, page, `talking-${kind}`);
      await page.click('#camera');
      // The rest of this panel's states are in data-panel.mjs.
      await page.click('#data-button');
      await inspect(stage, page, `data-${kind}`);
      await page.click('#data-button');
      await page.evaluate(() => document.getElementById('help').showModal());
      await inspect(stage, page, `help-${kind}`);
      await page.evaluate(() => document.getElementById('help').close());
      // What the pipeline would send to a browser that cannot decode: the same way through the page. The real one did
      // not send it, so it would call again.
      pipeline.child.kill('SIGSTOP');
      await page.evaluate(() => {
        const peer = [...globalThis.rtclink.peers.values()].find((p) => p.session);
        peer._message({ type: 'error', session: peer.session, code: 'no-common-codec', reason: 'H264 is sent' });
      });
      await stage.shows(page, 'failure', (s) => s.state === 'failed');
      await inspect(stage, page, `failed-${kind}`);
      pipeline.child.kill('SIGCONT');
      await page.close();
    }
  }
}
