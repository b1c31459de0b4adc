/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data channels between two pages in one room: the server is a pipeline, and there is no other one. */

import assert from 'node:assert/strict';
import { gets, happened, live, openLink } from '../lib/pages.mjs';
import { until } from '../lib/until.mjs';

async function checkBothWays(one, other) {
  // Before there is a connection, and so before it is open: kept until it is.
  await one.evaluate(() => globalThis.follow(globalThis.peer.openChannel('chat', { protocol: 'text' })).send('früh ☂'));
  await gets(other, 'chat', 'früh ☂');
  const there = await other.evaluate(() => {
    const { remote, protocol, ordered, reliable, state, id } = globalThis.handles.chat;
    globalThis.handles.chat.send('and back');
    globalThis.handles.chat.send('');
    globalThis.handles.chat.send(new Uint8Array(70000));
    return { remote, protocol, ordered, reliable, state, id: Number.isInteger(id) };
  });
  assert.deepEqual(there, {
    remote: true,
    protocol: 'text',
    ordered: true,
    reliable: true,
    state: 'open',
    id: true,
  });
  await gets(one, 'chat', '70000 bytes');
  assert.deepEqual(await happened(one, 'chat'), [
    ['open', null],
    ['message', 'and back'],
    ['message', ''],
    ['message', '70000 bytes'],
  ]);
  assert.deepEqual(
    await other.evaluate(() => globalThis.peer.channels.map((c) => c.label)),
    ['chat'],
    'the other side sees a channel that nobody opened',
  );
}

async function checkKinds(one, other) {
  await one.evaluate(() => {
    globalThis.follow(globalThis.peer.openChannel('pose', { ordered: false, maxRetransmits: 0 })).send('x');
    globalThis.follow(globalThis.peer.openChannel('control', { maxPacketLifeTime: 200 })).send('y');
  });
  await Promise.all([gets(other, 'pose', 'x'), gets(other, 'control', 'y')]);
  assert.deepEqual(
    await other.evaluate(() =>
      ['pose', 'control'].map((label) => {
        const { ordered, maxRetransmits, maxPacketLifeTime, reliable } = globalThis.handles[label];
        return [ordered, maxRetransmits, maxPacketLifeTime, reliable];
      }),
    ),
    [
      [false, 0, null, false],
      [true, null, 200, false],
    ],
  );
  // Negotiated: each opens it by itself, and what comes before that is nobody's.
  const both = (script) => Promise.all([one, other].map((page) => page.evaluate(script)));
  await both(() => void globalThis.follow(globalThis.peer.openChannel('agreed', { negotiated: true, id: 77 })));
  await both(() => globalThis.handles.agreed.send('by both'));
  await Promise.all([one, other].map((page) => gets(page, 'agreed', 'by both')));
  const wrong = await one.evaluate(() =>
    [{ negotiated: true }, { negotiated: true, id: 254 }, { maxRetransmits: 1, maxPacketLifeTime: 1 }].map((init) => {
      try {
        globalThis.peer.openChannel('wrong', init);
        return 'opened';
      } catch (error) {
        return error.name;
      }
    }),
  );
  assert.deepEqual(wrong, ['TypeError', 'TypeError', 'TypeError']);
}

/* Much more than fits: what waits stays within the bound, and all that was taken arrives. */
async function checkBound(one, other) {
  const { taken, refused, most } = await one.evaluate(async () => {
    const channel = globalThis.follow(globalThis.peer.openChannel('bulk', { maxBuffered: 300000 }));
    let [taken, refused, most] = [0, 0, 0];
    for (let i = 0; i < 200; i++) {
      const piece = new Uint8Array(50000).fill(i);
      while (!channel.send(piece)) {
        refused++;
        await channel.drained();
      }
      taken++;
      most = Math.max(most, channel.bufferedAmount);
    }
    return { taken, refused, most };
  });
  assert.equal(taken, 200);
  assert.ok(refused > 0, 'nothing was ever refused');
  assert.ok(most <= 300000, `${most} bytes waited`);
  await until('all of it', () => other.evaluate(() => globalThis.handles.bulk.counters.messagesReceived === 200), 30000);
  const counters = await one.evaluate(() => globalThis.handles.bulk.counters);
  assert.deepEqual([counters.messagesSent, counters.bytesSent], [200, 10000000]);
  const large = await one.evaluate(() => {
    const channel = globalThis.handles.bulk;
    if (!channel.maxMessageSize || channel.maxMessageSize > 1e8) return 'TypeError';
    try {
      return String(channel.send(new Uint8Array(channel.maxMessageSize + 1)));
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(large, 'TypeError');
}

/* Closing says everything first; the other side knows that it was wanted. */
async function checkClose(one, other) {
  await other.evaluate(() => {
    const channel = globalThis.handles.chat;
    for (let i = 0; i < 20; i++) channel.send(`last ${i}`);
    channel.close();
  });
  await until('both ends closed', async () =>
    (await Promise.all([one, other].map((p) => happened(p, 'chat')))).every((all) => all.at(-1)[0] === 'close'),
  );
  const all = await happened(one, 'chat');
  assert.deepEqual(all.at(-2), ['message', 'last 19']);
  assert.deepEqual(all.at(-1), ['close', 'channel-closed']);
  assert.deepEqual((await happened(other, 'chat')).at(-1), ['close', null]);
  const thrown = await one.evaluate(() => {
    try {
      globalThis.handles.chat.send('late');
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(thrown, 'InvalidStateError');
  assert.ok(!(await one.evaluate(() => globalThis.peer.channels.some((c) => c.label === 'chat'))));
}

/* Another connection: the same handles on both sides, and what was said meanwhile. */
async function checkRebuilt(one, other) {
  const sessions = () => Promise.all([one, other].map((p) => p.evaluate(() => globalThis.peer.session)));
  const before = await sessions();
  await other.evaluate(() => globalThis.follow(globalThis.peer.openChannel('back')).send('1'));
  await gets(one, 'back', '1');
  await one.evaluate(() => {
    globalThis.old = [globalThis.handles.control, globalThis.handles.back];
    globalThis.peer.retry();
  });
  await until('another session on both sides', async () => {
    const now = await sessions();
    return now[0] === now[1] && now[0] !== before[0];
  });
  const again = (page, label) =>
    until(`${label} again`, async () => (await happened(page, label)).some(([type]) => type === 'reopen'));
  await Promise.all([one, other].flatMap((page) => ['control', 'back', 'agreed'].map((label) => again(page, label))));
  await one.evaluate(() => {
    for (const label of ['control', 'back', 'agreed']) globalThis.handles[label].send('after');
  });
  await other.evaluate(() => {
    for (const label of ['control', 'back', 'agreed']) globalThis.handles[label].send('after, too');
  });
  for (const label of ['control', 'back', 'agreed'])
    await Promise.all([gets(other, label, 'after'), gets(one, label, 'after, too')]);
  assert.ok(
    await one.evaluate(() => globalThis.old[0] === globalThis.handles.control && globalThis.old[1] === globalThis.handles.back),
    'it is another handle',
  );
}

/* The connection is gone without a word: what is reliable waits, what is not is not taken. */
async function checkBroken(one, other) {
  await other.evaluate(() => globalThis.peer.connection.close());
  const said = await one.evaluate(async () => {
    const { back, control } = globalThis.handles;
    globalThis.peer.retry();
    for (const channel of [back, control])
      while (channel.state === 'open')
        await new Promise((resolve) => channel.addEventListener('state', resolve, { once: true }));
    return [back.send('meanwhile'), control.send('stale'), back.state];
  });
  assert.deepEqual(said, [true, false, 'reconnecting']);
  const all = await gets(other, 'back', 'meanwhile', 40000);
  assert.equal(all.filter(([, data]) => data === 'meanwhile').length, 1);
  assert.ok(!(await happened(other, 'control')).some(([, data]) => data === 'stale'));
}

/** As on a machine with too much to do: the browser is connected before it says that it has taken the answer, and it closes
 * late, and channels close long before it says so of what carries them. Time passes `hurry` times as fast. */
function busyBrowser() {
  const taken = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    await taken.call(this, description);
    while (description.type === 'answer' && this.connectionState !== 'connected')
      await new Promise((resolve) => this.addEventListener('connectionstatechange', resolve, { once: true }));
  };
  Object.defineProperty(RTCSctpTransport.prototype, 'state', { get: () => 'connected' });
  const later = globalThis.setTimeout;
  const { close } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.close = function () {
    later(() => close.call(this), 300);
  };
  globalThis.hurry = 10;
  globalThis.setTimeout = (what, time, ...words) => later(what, time / globalThis.hurry, ...words);
}

async function checkBusy(stage, browsers) {
  const pages = [];
  for (const [i, browser] of browsers.entries())
    pages.push(await openLink(stage, browser, 'busy', `busy ${i}`, busyBrowser));
  const sessions = () => Promise.all(pages.map((page) => page.evaluate(() => globalThis.peer?.session)));
  await until('a connection', async () => (await sessions()).every(Boolean));
  await live(...pages);
  const before = await sessions();
  // What came up stays up, longer than one may take to come up (15 s).
  await pages[0].evaluate(() => new Promise((resolve) => setTimeout(resolve, 20000)));
  assert.deepEqual(await sessions(), before);

  // The first one leaves the old connection for the new one long before the second does.
  await pages[0].evaluate(() => globalThis.follow(globalThis.peer.openChannel('busy')).send('1'));
  await gets(pages[1], 'busy', '1');
  await pages[1].evaluate(() => (globalThis.hurry = 0.2));
  await pages[0].evaluate(() => globalThis.peer.retry());
  await until('another connection', async () => {
    const now = await sessions();
    return now[0] === now[1] && now[0] !== before[0];
  });
  await pages[0].evaluate(() => globalThis.handles.busy.send('2'));
  await gets(pages[1], 'busy', '2');
  await pages[1].evaluate(() => globalThis.handles.busy.send('3'));
  await gets(pages[0], 'busy', '3');
}

export default async function (stage) {
  await stage
    .pipeline(`wssignalsrc mode=listener address=${stage.address} port=${stage.port} ! fakesink`, {
      program: 'gst-launch-1.0',
    })
    .serving(stage.url);
  const names = stage.pair ?? [stage.browserName, stage.browserName];
  const start = (name) => stage.browser(name, stage.url, { hidden: false });
  const browsers = [await start(names[0])];
  browsers.push(names[0] === names[1] ? browsers[0] : await start(names[1]));
  const one = await openLink(stage, browsers[0], 'data', 'one');
  await until('the first to be in the room', () => one.evaluate(() => globalThis.own.state === 'joined'));
  const other = await openLink(stage, browsers[1], 'data', 'other');
  await Promise.all([one, other].map((p) => until('a peer', () => p.evaluate(() => !!globalThis.peer))));

  await checkBothWays(one, other);
  await live(one, other);
  await checkKinds(one, other);
  await checkBound(one, other);
  await checkClose(one, other);
  await checkRebuilt(one, other);
  await checkBroken(one, other);

  // One leaves: the other one's channels end, and say why.
  await one.evaluate(() => globalThis.own.close());
  await until('the end', () =>
    other.evaluate(() => Object.values(globalThis.handles).every((channel) => channel.state === 'closed')),
  );
  assert.equal(await other.evaluate(() => globalThis.handles.back.problem.code), 'peer-left');
  await checkBusy(stage, browsers);
  assert.deepEqual(one.faults.concat(other.faults), []);
}
