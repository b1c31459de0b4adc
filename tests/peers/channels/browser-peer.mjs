#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: browser-peer.mjs chromium|firefox offer|answer   (channels.py says what it does) */

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { launch } from '../../browser/lib/browsers.mjs';

const [name, role] = process.argv.slice(2);

/* In the page. */
async function play(offers) {
  const say = globalThis.say;
  const sizes = [0, 1, 1200, 16384, 65536, 262144];
  const binary = (size) => Uint8Array.from({ length: size }, (_, i) => (size + i * 7) & 255);
  const messages = ['früh ☂', '', ...sizes.map(binary)];
  const same = (a, b) =>
    typeof b === 'string'
      ? a === b
      : a instanceof ArrayBuffer && a.byteLength === b.length && new Uint8Array(a).every((x, i) => x === b[i]);
  const pc = new RTCPeerConnection();
  const watch = (channel) => {
    channel.binaryType = 'arraybuffer';
    channel.onclose = () => say({ closed: channel.label });
    channel.onerror = (event) => say({ wrong: String(event.error) });
  };
  const own = pc.createDataChannel(offers ? 'from-offerer' : 'from-answerer', { protocol: 'browser' });
  let echoed = 0;
  watch(own);
  own.onopen = () => messages.forEach((message) => own.send(message));
  own.onmessage = ({ data }) => {
    if (!same(data, messages[echoed])) say({ wrong: `message ${echoed} came back as another one` });
    if (++echoed === messages.length) say({ echoed: own.label });
  };
  pc.ondatachannel = ({ channel }) => {
    watch(channel);
    say({ opened: `${channel.label} protocol=${channel.protocol}` });
    channel.onmessage = ({ data }) => channel.send(data);
  };
  const gathered = new Promise((resolve) => {
    pc.onicecandidate = ({ candidate }) => candidate || resolve();
  });
  const describe = async () => {
    await gathered;
    say({ type: pc.localDescription.type, sdp: pc.localDescription.sdp });
  };
  globalThis.take = async (message) => {
    if (message.close) own.close();
    if (!message.sdp) return;
    await pc.setRemoteDescription(message);
    if (offers) return;
    await pc.setLocalDescription();
    await describe();
  };
  if (!offers) return;
  await pc.setLocalDescription();
  await describe();
}

// Firefox uses the address that it reaches its page from.
const address = process.env.RTC_TEST_ADDRESS;
const server = createServer((request, response) => response.end('<!doctype html>'));
await new Promise((resolve) => server.listen(0, address, resolve));
const origin = `http://${address}:${server.address().port}`;
const browser = await launch(name, origin, { hidden: false });
try {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.exposeFunction('say', (message) => console.log(JSON.stringify(message)));
  page.on('pageerror', (error) => console.log(JSON.stringify({ wrong: error.message })));
  await page.evaluate(play, role === 'offer');
  for await (const line of createInterface({ input: process.stdin }))
    await page.evaluate((message) => globalThis.take(message), JSON.parse(line));
} finally {
  await browser.close();
  server.close();
}
