#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: libdatachannel-peer.mjs offer|answer   (channels.py says what it does)
 *
 * libdatachannel as node-datachannel brings it, which does not tell the limits of a channel that the other opened. */

import { createInterface } from 'node:readline';
import datachannel from 'node-datachannel';

const texts = ['früh ☂', ''];
const offers = process.argv[2] === 'offer';
const say = (message) => console.log(JSON.stringify(message));
const binary = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => (size + i * 7) & 255));
const same = (a, b) => (typeof b === 'string' ? a === b : typeof a !== 'string' && Buffer.compare(Buffer.from(a), b) === 0);
const pc = new datachannel.PeerConnection('peer', { iceServers: [], disableAutoNegotiation: true });
const own = [];
/* Who is not held here is collected, and closed. */
const others = [];

const give = (channel, message) =>
  typeof message === 'string' ? channel.sendMessage(message) : channel.sendMessageBinary(Buffer.from(message));

function watch(channel, label) {
  channel.onClosed(() => say({ closed: label }));
  channel.onError((error) => say({ wrong: error }));
}

function create({ label, ordered, protocol, negotiated, id, maxRetransmits, maxPacketLifeTime }) {
  const given = { protocol, negotiated, id, maxRetransmits, maxPacketLifeTime, unordered: ordered === false };
  const init = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const channel = pc.createDataChannel(label, init);
  watch(channel, label);
  channel.onOpen(() => say({ open: label }));
  return channel;
}

function echo(channel) {
  channel.onMessage((message) => give(channel, message));
  others.push(channel);
}

function open(init) {
  const one = { init, channel: create(init), wanted: [] };
  one.channel.onMessage((data) => {
    const at = one.wanted.findIndex((message) => same(data, message));
    if (at < 0 || (at > 0 && init.ordered !== false))
      say({ wrong: `${init.label}: message ${at} came back, or none that was sent` });
    one.wanted.splice(at, 1);
    if (one.wanted.length === 0) say({ echoed: init.label });
  });
  own.push(one);
}

function send(one, largest) {
  const sizes = one.init.largest ? [...one.init.sizes, Math.min(one.init.largest, largest)] : one.init.sizes;
  const messages = [...texts, ...sizes.map(binary)];
  one.wanted = [...messages];
  for (const message of messages) give(one.channel, message);
}

pc.onDataChannel((channel) => {
  watch(channel, channel.getLabel());
  say({ opened: channel.getLabel(), settings: null });
  echo(channel);
});
pc.onGatheringStateChange((state) => {
  if (state === 'complete') say(pc.localDescription());
});

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.own) {
    message.own.forEach(open);
    message.negotiated.map(create).forEach(echo);
    if (offers) pc.setLocalDescription('offer');
  } else if (message.sdp) {
    pc.setRemoteDescription(message.sdp, message.type);
    if (!offers) pc.setLocalDescription('answer');
    say({ limit: own[0].channel.maxMessageSize() });
  } else if (message.send) {
    own.forEach((one) => send(one, message.send));
  } else if (message.close) {
    own.forEach(({ channel }) => channel.close());
  }
}
pc.close();
datachannel.cleanup();
