/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pipeline that has nothing but channels: what is written in the page comes back to its chat, telemetry is listed, and
 * both go on when the connection is made anew. */

import assert from 'node:assert/strict';
import { says } from '../lib/pages.mjs';
import { until } from '../lib/until.mjs';

const ECHO = `datachannelsrc label=chat ! tee name=t ! queue ! datachannelsink label=chat
  t. ! queue ! appsink name=data`;
const TELEMETRY = `fakesrc is-live=true format=time sizetype=fixed sizemax=100 filltype=zero ! identity sleep-time=50000 !
  datachannelsink label=telemetry ordered=false max-retransmits=0 kind=binary sync=false`;

async function chat(page, pipeline, text) {
  await page.type('#chat-text', text);
  await page.keyboard.press('Enter');
  await until(`"${text}" in the pipeline`, () => pipeline.data.some((m) => m.text === text));
  await until('the echo', () =>
    page.$$eval('#chat-log .said:not(.own) .text', (all, t) => all.some((e) => e.textContent === t), text),
  );
}

const received = (page, label) =>
  page.evaluate((l) => {
    const [peer] = [...globalThis.rtclink.peers.values()];
    return peer.channels.find((c) => c.label === l)?.counters.messagesReceived ?? 0;
  }, label);

export default async function (stage) {
  const pipeline = stage.pipeline(`{signal} ${ECHO} ${TELEMETRY}`);
  await pipeline.serving(stage.url);
  const page = await stage.open(await stage.browser());
  // The pipeline opens its channels, and there is something to see.
  await until('the panel', () => page.$eval('#data', (e) => !e.hidden), 20000);
  await until('the chat', () => page.$eval('#chat-form', (e) => !e.hidden));
  await stage.shows(page, 'a tile without streams', (s) => /but data/.test(s.cover));
  await chat(page, pipeline, 'Grüße ☂');
  const peer = await page.evaluate(() => globalThis.rtclink.peerId);
  assert.equal(pipeline.data.at(-1).peer, peer);
  await until('telemetry', async () => (await received(page, 'telemetry')) > 20);
  await until('it in the list', () =>
    page.$$eval('.channel', (all) => all.some((e) => /telemetry/.test(e.textContent) && /100 B/.test(e.textContent))),
  );
  await stage.screenshot(page, 'chat');

  // More than one packet holds.
  const long = 'x'.repeat(30000);
  await page.evaluate((text) => {
    const [peer] = [...globalThis.rtclink.peers.values()];
    peer.channels.find((c) => c.label === 'chat').send(text);
  }, long);
  await until('a long message', () => pipeline.data.some((m) => m.text === long));

  const before = await page.evaluate(() => {
    const [peer] = [...globalThis.rtclink.peers.values()];
    globalThis.before = peer.channels;
    return peer.session;
  });
  await page.evaluate(() => [...globalThis.rtclink.peers.values()][0].retry());
  await until('another session', () =>
    page.evaluate((old) => {
      const [peer] = [...globalThis.rtclink.peers.values()];
      return peer.session !== old && peer.channels.length >= 2 && peer.channels.every((c) => c.state === 'open');
    }, before),
  );
  assert.ok(await page.evaluate(() => globalThis.before.every((c) => c.state === 'open')), 'the handles are others');
  const so = await received(page, 'telemetry');
  await chat(page, pipeline, 'and again');
  await until('telemetry again', async () => (await received(page, 'telemetry')) > so + 20);

  await pipeline.stop();
  await says(page, '#chat-words', /ended the connection|Nobody is here/);
  await until('no open channel', () => page.$$eval('.channel', (all) => all.every((e) => e.dataset.state === 'closed')));
  assert.deepEqual(page.faults.filter((f) => !/WebSocket|ERR_CONNECTION|establish a connection|was interrupted/.test(f)), []);
}
