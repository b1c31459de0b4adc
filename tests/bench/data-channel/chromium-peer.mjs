/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Chromium as one end of data-channel.py's link: two channels, and lines as peer.h in this folder says.
 * usage: chromium-peer.mjs offer|answer */

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { launch } from '../../browser/lib/browsers.mjs';

const server = createServer((request, response) => response.end('<!DOCTYPE html>'));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}/`;
const browser = await launch('chromium', origin);
const page = await browser.newPage();
await page.goto(origin);
page.on('pageerror', (error) => console.error(`chromium-peer: ${error.message}`));
await page.exposeFunction('say', (line) => console.log(line));

function script() {
  const high = 1024 * 1024;
  const pingSize = 64;
  const me = Math.trunc(Math.random() * 0xffffffff);
  const connection = new RTCPeerConnection();
  const state = { opened: 0, bytes: 0, messages: 0, slow: 0, flood: null, trips: [] };
  const open = (label, id) => {
    const channel = connection.createDataChannel(label, { negotiated: true, id });
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => {
      state.opened += 1;
      if (state.opened === 2) globalThis.say('open');
    };
    return channel;
  };
  const bulk = open('bulk', 0);
  const ping = open('ping', 1);
  const fill = () => {
    while (state.flood && bulk.bufferedAmount < high) bulk.send(state.flood);
  };
  bulk.bufferedAmountLowThreshold = 256 * 1024;
  bulk.onbufferedamountlow = fill;
  bulk.onmessage = ({ data }) => {
    state.bytes += data.byteLength;
    state.messages += 1;
    for (const end = performance.now() + state.slow / 1000; state.slow && performance.now() < end;);
  };
  ping.onmessage = ({ data }) => {
    const view = new DataView(data);
    if (view.getUint32(8) === me) state.trips.push(Math.round((performance.now() - view.getFloat64(0)) * 1000));
    else ping.send(data);
  };
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const describe = async (description) => {
    await connection.setLocalDescription(description);
    while (connection.iceGatheringState !== 'complete') await sleep(5);
    globalThis.say(`description ${btoa(connection.localDescription.sdp)}`);
  };
  globalThis.take = {
    offer: async () => describe(await connection.createOffer()),
    description: async (text) => {
      const type = connection.localDescription ? 'answer' : 'offer';
      await connection.setRemoteDescription({ type, sdp: atob(text) });
      if (type === 'offer') await describe(await connection.createAnswer());
    },
    flood: (size) => {
      state.flood = new Uint8Array(Number(size));
      fill();
    },
    stop: () => {
      state.flood = null;
    },
    count: () => globalThis.say(`count ${state.bytes} ${state.messages}`),
    slow: (microseconds) => {
      state.slow = Number(microseconds);
    },
    path: () => globalThis.say('path'),
    ping: async (n, interval) => {
      const begin = performance.now();
      for (let i = 0; i < n; i += 1) {
        const left = begin + (i * interval) / 1000 - performance.now();
        if (left > 0) await sleep(left);
        const view = new DataView(new ArrayBuffer(pingSize));
        view.setFloat64(0, performance.now());
        view.setUint32(8, me);
        ping.send(view.buffer);
      }
      for (const end = performance.now() + 3000; state.trips.length < n && performance.now() < end;) await sleep(1);
      globalThis.say(`ping ${state.trips.splice(0).join(' ')}`);
    },
  };
}

// A page that has had a camera may use all addresses, also where there is no way out.
await page.evaluate(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: true });
  for (const track of stream.getTracks()) track.stop();
});
await page.evaluate(script);
const run = ([name, ...words]) => page.evaluate((n, w) => globalThis.take[n](...w), name, words);
if (process.argv[2] === 'offer') await run(['offer']);
for await (const line of createInterface({ input: process.stdin })) await run(line.split(' '));
await browser.close();
server.close();
