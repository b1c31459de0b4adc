/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files: from a pipeline to the page and back, by the card Files; cancelled from the page; and two that go on after their
 * connection was made anew in the middle of them. */

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from '../lib/axe.mjs';
import { says } from '../lib/pages.mjs';
import { until } from '../lib/until.mjs';

const MIB = 1 << 20;
const SCAN = 24 * MIB + 17; // long enough to be broken in the middle
const ENDLESS = 1024 * MIB; // of nothing: it is cancelled

const digest = (data) => crypto.createHash('sha256').update(data).digest('hex');

/** What the card says of a file. */
const row = (page, name) =>
  page.$$eval(
    '.file',
    (all, n) => {
      const found = all.find((e) => e.querySelector('.file-label').textContent === n);
      return found && { state: found.dataset.state, text: found.textContent.replace(/\s+/g, ' ') };
    },
    name,
  );

async function becomes(page, name, state, pattern = /./) {
  let seen;
  const check = async () => {
    seen = await row(page, name);
    return seen?.state === state && pattern.test(seen.text);
  };
  await until(`${name} to be ${state}`, check, 30000).catch((error) => {
    throw new Error(`${error.message}; it is ${seen?.state}: "${seen?.text}"`);
  });
}

const press = (page, name, button) =>
  page.$$eval(
    '.file',
    (all, n, b) => all.find((e) => e.querySelector('.file-label').textContent === n).querySelector(b).click(),
    name,
    button,
  );

/** The connection is made anew once SIZE bytes of the file NAME, that is to come or to be sent, have moved. */
const breakAt = (page, name, size) =>
  page.evaluate(
    (n, bytes) => {
      globalThis.broken = 0;
      const watch = setInterval(() => {
        const file = globalThis.rtcfiles.transfers.find((t) => t.name === n);
        if (!file || file.bytes < bytes) return;
        clearInterval(watch);
        if (!file.over) globalThis.broken++;
        file.peer.retry();
      }, 2);
    },
    name,
    size,
  );

/** The digest of what came under that name, as it is there to be saved. */
const digestOf = (page, name) =>
  page.evaluate(async (n) => {
    const { Sha256 } = await import('/rtcfiles.js');
    const { blob } = globalThis.rtcfiles.transfers.find((t) => t.name === n && t.blob);
    return [blob.type, new Sha256().update(new Uint8Array(await blob.arrayBuffer())).digest()];
  }, name);

async function checkReceived(stage, page, pipeline, contents) {
  await becomes(page, 'scan.bin', 'done', /from .*25\.2 MB.*SHA-256 is right/);
  assert.equal(await page.evaluate(() => globalThis.broken), 1, 'it was not broken in the middle');
  assert.deepEqual(await digestOf(page, 'scan.bin'), ['application/octet-stream', digest(contents)]);
  await until('the pipeline to know', () => pipeline.messages('rtc-file-done').length === 1);
  const save = await page.$eval('.file-save:not([hidden])', (e) => [e.download, e.protocol]);
  assert.deepEqual(save, ['scan.bin', 'blob:']);
  if (stage.browserName !== 'chromium') return;
  // Really saved, as a click of the user's does it.
  const to = fs.mkdtempSync(path.join(os.tmpdir(), 'rtclink-saved-'));
  stage.atEnd(() => fs.rmSync(to, { recursive: true }));
  const cdp = await page.createCDPSession();
  const browserContextId = page.browserContext().id;
  await cdp.send('Browser.setDownloadBehavior', { behavior: 'allow', browserContextId, downloadPath: to });
  await press(page, 'scan.bin', '.file-save');
  const saved = path.join(to, 'scan.bin');
  await until('it to be saved', () => fs.existsSync(saved) && fs.statSync(saved).size === contents.length);
  assert.equal(digest(fs.readFileSync(saved)), digest(contents));
}

/* What a user drops on the page. */
const drop = (page, name, parts) =>
  page.evaluate(
    (n, count) => {
      const data = new DataTransfer();
      const part = Uint8Array.from({ length: 65537 }, (_, i) => i * 31 + (i >> 8));
      data.items.add(new File(Array(count).fill(part), n, { type: 'application/x-test' }));
      for (const type of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    name,
    parts,
  );

const dropped = (parts) => {
  const part = Uint8Array.from({ length: 65537 }, (_, i) => i * 31 + (i >> 8));
  return Buffer.concat(Array(parts).fill(part));
};

async function checkSent(stage, page, pipeline, to) {
  const last = (name) => pipeline.messages('rtc-file-done').find((m) => m.name === name);
  // Picked.
  const picked = path.join(to, '..', 'Grüße ☂.txt');
  fs.writeFileSync(picked, 'Grüße\n'.repeat(1000));
  const input = await page.$('#file-input');
  await input.uploadFile(picked);
  await becomes(page, 'Grüße ☂.txt', 'done', /to .*SHA-256 is right/);
  assert.equal(fs.readFileSync(path.join(to, 'Grüße ☂.txt'), 'utf8'), fs.readFileSync(picked, 'utf8'));
  // Dropped, and broken.
  await breakAt(page, 'drop.bin', 4 * MIB);
  await drop(page, 'drop.bin', 300);
  await becomes(page, 'drop.bin', 'done');
  assert.equal(await page.evaluate(() => globalThis.broken), 1, 'it was not broken in the middle');
  const wanted = dropped(300);
  assert.equal(digest(fs.readFileSync(path.join(to, 'drop.bin'))), digest(wanted));
  assert.equal(last('drop.bin').sha256, digest(wanted));
  // It went on, and did not begin again.
  const sent = await page.evaluate(() => {
    const [peer] = [...globalThis.rtclink.peers.values()];
    return peer.channels.find((c) => c.label === 'files').counters.bytesSent;
  });
  assert.ok(sent < wanted.length + 8 * MIB, `${sent} bytes were sent of a file of ${wanted.length}`);
  // Again: there is one of that name.
  await drop(page, 'drop.bin', 1);
  await until('a refusal', () =>
    page.$$eval('.file', (all) => all.some((e) => /failed/.test(e.dataset.state) && /of that name already/.test(e.textContent))),
  );
  // Neither is an empty one, nor one that stands behind one that is cancelled, lost.
  await drop(page, 'long.bin', 4000);
  await drop(page, 'empty', 0);
  await becomes(page, 'long.bin', 'going', /[1-9]\d* %/);
  assert.equal((await row(page, 'empty')).state, 'waiting');
  await stage.screenshot(page, 'sending');
  await press(page, 'long.bin', '.file-stop');
  await becomes(page, 'long.bin', 'failed', /Cancelled/);
  await becomes(page, 'empty', 'done');
  await until('the pipeline to know', () =>
    pipeline.messages('rtc-file-failed').some((m) => m.name === 'long.bin' && m.code === 'cancelled'),
  );
  const left = fs.readdirSync(to).sort();
  assert.deepEqual(left, ['Grüße ☂.txt', 'drop.bin', 'empty'].sort(), `there is ${left}`);
}

export default async function (stage) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rtclink-files-'));
  stage.atEnd(() => fs.rmSync(folder, { recursive: true }));
  const to = path.join(folder, 'received');
  fs.mkdirSync(to);
  const contents = crypto.randomBytes(SCAN);
  fs.writeFileSync(path.join(folder, 'scan.bin'), contents);
  fs.writeFileSync(path.join(folder, 'endless.log'), '');
  fs.truncateSync(path.join(folder, 'endless.log'), ENDLESS);
  const send = (name, label) =>
    `filesrc location=${path.join(folder, name)} blocksize=65536 ! datachannelsink label=${label} delivery=file`;
  const pipeline = stage.pipeline(
    `{signal} ${send('scan.bin', 'scan')} ${send('endless.log', 'log')}
      datachannelsrc label=files directory=${to} ! appsink name=data`,
  );
  await pipeline.serving(stage.url);
  const page = await stage.open(await stage.browser());
  await breakAt(page, 'scan.bin', 2 * MIB);
  await becomes(page, 'endless.log', 'going', /\d %/);
  assert.ok(await page.$eval('#data', (e) => !e.hidden), 'the panel is not shown');
  await stage.screenshot(page, 'receiving');
  await checkReceived(stage, page, pipeline, contents);
  await becomes(page, 'endless.log', 'going', /\d %/);
  await press(page, 'endless.log', '.file-stop');
  await becomes(page, 'endless.log', 'failed', /Cancelled/);
  await until('the pipeline to know', () =>
    pipeline.messages('rtc-file-failed').some((m) => m.name === 'endless.log' && m.code === 'cancelled'),
  );
  await checkSent(stage, page, pipeline, to);

  for (const dark of stage.browserName === 'chromium' ? [false, true] : [false]) {
    if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    for (const phone of [false, true]) {
      await page.setViewport(phone ? { width: 390, height: 844, deviceScaleFactor: 2 } : { width: 1280, height: 800 });
      await page.$eval('#files-card', (e) => e.scrollIntoView());
      await inspect(stage, page, `files-${phone ? 'phone' : 'desk'}${dark ? '-dark' : ''}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels lie beside the window`);
    }
  }
  await press(page, 'scan.bin', '.file-drop');
  assert.equal(await page.evaluate(() => globalThis.rtcfiles.transfers.length), 0, 'a file is kept that was removed');
  await pipeline.stop();
  await says(page, '#file-words', /There is no connection|Nobody is here/);
  assert.deepEqual(page.faults.filter((f) => !/WebSocket|ERR_CONNECTION|establish a connection|was interrupted/.test(f)), []);
}
