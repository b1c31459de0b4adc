#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: browser-peer.mjs chromium|firefox offer|answer   (channels.py says what it does) */

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { launch } from '../../browser/lib/browsers.mjs';

const [name, role] = process.argv.slice(2);

/* In the page. */
function play(offers) {
  const say = globalThis.say;
  const texts = ['früh ☂', ''];
  const binary = (size) => {
    const data = new Uint8Array(size);
    for (let i = 0; i < size; i++) data[i] = size + i * 7;
    return data;
  };
  const same = (a, b) => {
    if (typeof b === 'string' || typeof a === 'string') return a === b;
    const bytes = new Uint8Array(a);
    let i = 0;
    while (i < b.length && bytes[i] === b[i]) i++;
    return bytes.length === b.length && i === b.length;
  };
  const pc = new RTCPeerConnection();
  const own = [];
  const watch = (channel) => {
    channel.binaryType = 'arraybuffer';
    channel.onclose = () => say({ closed: channel.label });
    channel.onerror = (event) => say({ wrong: String(event.error) });
  };
  const create = ({ label, ...init }) => {
    const channel = pc.createDataChannel(label, init);
    watch(channel);
    channel.onopen = () => say({ open: label });
    return channel;
  };
  const echo = (channel) => {
    channel.onmessage = ({ data }) => channel.send(data);
  };
  const open = (init) => {
    const one = { init, channel: create(init), wanted: [] };
    one.channel.onmessage = ({ data }) => {
      const at = one.wanted.findIndex((message) => same(data, message));
      if (at < 0 || (at > 0 && one.channel.ordered))
        say({ wrong: `${init.label}: message ${at} came back, or none that was sent` });
      one.wanted.splice(at, 1);
      if (one.wanted.length === 0) say({ echoed: init.label });
    };
    own.push(one);
  };
  const send = ({ init, channel }, largest) => {
    const sizes = init.largest ? [...init.sizes, Math.min(init.largest, largest)] : init.sizes;
    const messages = [...texts, ...sizes.map(binary)];
    own.find((one) => one.channel === channel).wanted = [...messages];
    for (const message of messages) channel.send(message);
  };
  pc.ondatachannel = ({ channel }) => {
    const { label, protocol, ordered, maxRetransmits, maxPacketLifeTime } = channel;
    watch(channel);
    say({ opened: label, settings: { protocol, ordered, maxRetransmits, maxPacketLifeTime } });
    echo(channel);
  };
  const gathered = new Promise((resolve) => {
    pc.onicecandidate = ({ candidate }) => candidate || resolve();
  });
  const describe = async () => {
    await pc.setLocalDescription();
    await gathered;
    say({ type: pc.localDescription.type, sdp: pc.localDescription.sdp });
  };
  globalThis.take = async (message) => {
    if (message.own) {
      message.own.forEach(open);
      message.negotiated.map(create).forEach(echo);
      if (offers) await describe();
    } else if (message.sdp) {
      await pc.setRemoteDescription(message);
      if (!offers) await describe();
      // Of more than 8 MiB Firefox 153 never sends anything, though it takes them.
      say({ limit: Math.min(pc.sctp.maxMessageSize, 8 << 20) });
    } else if (message.send) {
      own.forEach((one) => send(one, message.send));
    } else if (message.close) {
      own.forEach(({ channel }) => channel.close());
    }
  };
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
