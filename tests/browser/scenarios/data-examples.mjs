/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pages of examples/web, served by somebody else than the pipeline. */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { until } from '../lib/until.mjs';

const WEB = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../../examples/web');
const PORT = 8000;

function serve(stage) {
  const server = http.createServer((request, response) => {
    const file = path.join(WEB, path.basename(new URL(request.url, 'http://x').pathname));
    if (!fs.existsSync(file) || !file.endsWith('.html')) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(fs.readFileSync(file));
  });
  stage.atEnd(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return new Promise((resolve) => server.listen(PORT, stage.address, resolve));
}

const has = (page, id, pattern) =>
  until(`${id} to say ${pattern}`, async () => pattern.test(await page.$eval(id, (e) => e.textContent)), 20000);

export default async function (stage) {
  await serve(stage);
  const origin = `http://${stage.address}:${PORT}`;
  const pipeline = await stage.counter({
    signal: `allowed-origins=${origin} display-name=Robot`,
    rest: `datachannelsrc label=chat ! datachannelsink label=chat reply=true
      datachannelsrc label=control deadman-timeout=700 deadman-data=stop ! appsink name=data
      datachannelsrc label=ask ! datachannelsink label=telemetry kind=text`,
  });
  // Two pages at once, and their timers: each in a window of its own.
  const [browser, second] = await Promise.all([0, 1].map(() => stage.browser(stage.browserName, origin, { hidden: false })));

  const one = await stage.open(browser, { path: '/chat.html', origin });
  const other = await stage.open(second, { path: '/chat.html', origin });
  await Promise.all([has(one, '#state', /Guest \d+ \(live\)/), has(other, '#state', /Guest \d+ \(live\)/)]);
  await has(one, '#state', /Robot \(live\)/);
  await one.type('#text', 'to all');
  await one.keyboard.press('Enter');
  await has(other, '#log', /Guest \d+: to all/);
  await has(one, '#log', /Robot: to all/); // its echo
  await stage.screenshot(one, 'chat');

  for (const page of [one, other]) await page.goto(`${origin}/drop.html`);
  await Promise.all([one, other].map((page) => has(page, '#state', /Guest \d+ \(live\)/)));
  await one.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['Grüße'.repeat(50000)], 'a.txt'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await has(other, '#files', /a\.txt from Guest \d+: done.*Save/);
  await has(one, '#files', /a\.txt to Guest \d+: done/);
  assert.equal(await other.evaluate(() => globalThis.files.transfers[0].blob.text()), 'Grüße'.repeat(50000));
  await stage.screenshot(other, 'drop');
  await other.close();
  await one.close();

  const telemetry = await stage.open(browser, { path: '/telemetry.html', origin });
  await until('the pipeline', () => telemetry.evaluate(() => [...globalThis.link.peers.values()][0]?.state === 'live'), 20000);
  await telemetry.evaluate(() => {
    const ask = [...globalThis.link.peers.values()][0].openChannel('ask');
    for (const load of [0.5, 0.75]) ask.send(JSON.stringify({ load, mode: 'auto' }));
  });
  await has(telemetry, '#rows', /Robotload0\.75Robotmodeauto/);
  await has(telemetry, '#state', /Live/);
  await stage.screenshot(telemetry, 'telemetry');
  await telemetry.close();

  const drive = await stage.open(browser, { path: '/drive.html', origin });
  await has(drive, '#state', /Robot is yours/);
  await until('its picture', () => drive.$eval('#picture', (v) => v.videoWidth > 0), 20000);
  const last = (what, check) =>
    until(what, () => {
      const text = pipeline.data.at(-1)?.text;
      return text?.startsWith('{') && check(JSON.parse(text).axes);
    });
  await drive.keyboard.down('ArrowUp');
  await last('ahead', ([x, y]) => x === 0 && y === -1);
  await drive.keyboard.up('ArrowUp');
  await last('stillness', ([x, y]) => x === 0 && y === 0);
  await stage.screenshot(drive, 'drive');
  const stops = () => pipeline.data.filter((m) => m.text === 'stop').length;
  const before = stops();
  await drive.close();
  await until('the stop', () => stops() > before, 10000);
  assert.deepEqual(drive.faults, []);
}
