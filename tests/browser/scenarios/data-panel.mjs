/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The panel Data, in front of somebody else's page that stands for a pipeline: chat, channels of all kinds, control by
 * keys, a finger and a gamepad, and what is said when nobody listens. */

import assert from 'node:assert/strict';
import { inspect } from '../lib/axe.mjs';
import { gets, happened, openLink, says, words } from '../lib/pages.mjs';
import { until } from '../lib/until.mjs';

/* On a desk and in a hand, light and dark. */
async function look(stage, page, what) {
  for (const dark of stage.browserName === 'chromium' ? [false, true] : [false]) {
    if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    for (const phone of [true, false]) {
      const size = phone ? { width: 390, height: 844, deviceScaleFactor: 2 } : { width: 1280, height: 800 };
      await page.setViewport(size);
      if (phone) await page.$eval('#data', (e) => e.scrollIntoView());
      await inspect(stage, page, `${what}-${phone ? 'phone' : 'desk'}${dark ? '-dark' : ''}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${what}: ${wide} pixels lie beside the window`);
    }
    if (dark) await page.emulateMediaFeatures([]);
  }
}

/** A gamepad for the page: `globalThis.testPad` is what it reads. */
function fakePad() {
  globalThis.testPad = null;
  Object.defineProperty(navigator, 'getGamepads', { configurable: true, value: () => [globalThis.testPad] });
}

async function checkChat(stage, page, robot) {
  await page.click('#chat-open');
  await page.type('#chat-text', 'hello robot');
  await page.keyboard.press('Enter');
  await gets(robot, 'chat', 'hello robot');
  await robot.evaluate(() => globalThis.handles.chat.send('<b>hello</b> back'));
  await until('the answer', () =>
    page.$$eval('#chat-log .said:not(.own) .text', (all) => all.some((e) => e.textContent === '<b>hello</b> back')),
  );
  assert.equal(await page.$$eval('#chat-log b', (all) => all.length), 0, 'markup of the other side became elements');
  assert.equal(await page.$eval('#chat-log', (e) => e.getAttribute('role')), 'log');
  // Hidden, it counts.
  await page.click('#data-close');
  await robot.evaluate(() => globalThis.handles.chat.send('are you there?'));
  await until('a number of unread messages', async () => (await words(page, '#unread')) === '1');
  await page.click('#data-button');
  assert.equal(await words(page, '#unread'), '');
}

async function checkChannels(page, robot) {
  await robot.evaluate(() => {
    const telemetry = globalThis.follow(globalThis.peer.openChannel('telemetry', { ordered: false, maxRetransmits: 0 }));
    globalThis.ticking = setInterval(() => telemetry.send(JSON.stringify({ battery: 12.1, heading: 270 })), 50);
    globalThis.follow(globalThis.peer.openChannel('map', { protocol: 'pcd' })).send(new Uint8Array(1500));
  });
  const rows = () =>
    page.$$eval('.channel', (all) =>
      all.map((e) => ({ state: e.dataset.state, text: e.textContent.replace(/\s+/g, ' ') })),
    );
  await until('the rates', async () =>
    (await rows()).some((r) => /telemetry.*in any order.*\d+ messages.*· [\d.]+\/s.*battery/.test(r.text)),
  );
  await until('the other one', async () =>
    (await rows()).some((r) => /map.*pcd.*1 message, 1\.5 kB.*Binary/.test(r.text) && r.state === 'open'),
  );
  await robot.evaluate(() => globalThis.handles.map.close());
  await until('its end', async () =>
    (await rows()).some((r) => /map/.test(r.text) && r.state === 'closed' && /closed the channel/.test(r.text)),
  );
}

/** What the robot got on `control`. */
async function controls(robot) {
  return (await happened(robot, 'control')).filter(([type]) => type === 'message').map(([, text]) => JSON.parse(text));
}

async function last(robot, what, check) {
  return until(
    what,
    async () => {
      const all = await controls(robot);
      return all.length > 0 && check(all.at(-1)) ? all : null;
    },
    5000,
  );
}

const still = (m) => m.axes.every((v) => v === 0);

async function checkKeys(page, robot) {
  await page.keyboard.press('KeyW');
  await page.click('#arm');
  await says(page, '#control-words', /Robot gets what you press/);
  // A heartbeat, and nothing pressed.
  await until('a heartbeat', async () => (await controls(robot)).length > 3);
  assert.ok((await controls(robot)).every((m) => m.armed && still(m)));

  await page.keyboard.down('ArrowUp');
  await last(robot, 'ahead', (m) => m.axes[1] === -1);
  await page.keyboard.down('KeyD');
  await last(robot, 'ahead and right', (m) => m.axes[1] === -1 && m.axes[0] === 1);
  const first = (await controls(robot)).length;
  const since = Date.now();
  await until('twenty messages', async () => (await controls(robot)).length >= first + 20, 5000);
  const rate = 20000 / (Date.now() - since);
  assert.ok(rate > 10 && rate < 30, `${rate.toFixed(1)} messages a second`);
  await page.keyboard.up('ArrowUp');
  await page.keyboard.up('KeyD');
  const all = await last(robot, 'zeros', still);
  assert.ok(all.every((m, i) => m.seq === i), 'messages are missing, or not in order');

  // The keys that drive are no shortcuts meanwhile, and end with the focus.
  await page.keyboard.down('KeyS');
  await last(robot, 'back', (m) => m.axes[1] === 1);
  assert.equal(await page.evaluate(() => globalThis.rtclink.outgoing.size), 0, 'the screen is shared');
  await page.focus('#help-button');
  await last(robot, 'zeros without the focus', still);
  await page.keyboard.up('KeyS');
}

async function checkFinger(page, robot) {
  const box = await (await page.$('#stick')).boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x - box.width, y, { steps: 4 });
  await last(robot, 'left', (m) => m.axes[0] === -1 && Math.abs(m.axes[1]) < 0.1);
  await page.mouse.up();
  await last(robot, 'zeros', still);
}

async function checkPad(page, robot) {
  const set = (axes, pressed) =>
    page.evaluate(
      (a, p) => {
        globalThis.testPad = {
          id: 'Test pad (STANDARD GAMEPAD)',
          connected: true,
          axes: a,
          buttons: [0, 1].map((i) => ({ pressed: i === p, value: i === p ? 1 : 0 })),
        };
        window.dispatchEvent(new Event('gamepadconnected'));
      },
      axes,
      pressed,
    );
  await set([0.02, -0.5, 0, 1], 1);
  await says(page, '#gamepad', /Gamepad: Test pad$/);
  await last(robot, 'the gamepad', (m) => m.axes[0] === 0 && m.axes[1] === -0.5 && m.axes[3] === 1 && m.buttons[1] === 1);
  await set([0, 0, 0, 0]);
  await last(robot, 'zeros', (m) => still(m) && m.buttons.every((v) => v === 0));
  // Held while control is switched on: nothing moves until it is let go.
  await page.click('#arm');
  await last(robot, 'the end', (m) => !m.armed && still(m));
  await set([1, 0, 0, 0]);
  const from = (await controls(robot)).length;
  await page.click('#arm');
  await until('heartbeats', async () => (await controls(robot)).length > from + 4);
  assert.ok((await controls(robot)).slice(from).every(still), 'it moved although the stick was never let go');
  await set([0, 0, 0, 0]);
  await until('a message after that', async () => (await controls(robot)).length > from + 8);
  await set([1, 0, 0, 0]);
  await last(robot, 'right', (m) => m.axes[0] === 1);
  await set([0, 0, 0, 0]);
  await last(robot, 'zeros', still);
}

/* Nobody listens, or is there any more: it is said, and control is off. */
async function checkRefused(stage, page, robot) {
  await robot.evaluate(() => globalThis.handles.control.close());
  await says(page, '#control-words', /Robot does not listen: it closed the channel/);
  assert.equal(await words(page, '#arm'), 'Take control');
  await page.click('#arm');
  await says(page, '#control-words', /gets what you press/);
  await page.keyboard.press('Escape');
  await says(page, '#control-words', /Control is off/);
  await page.click('#arm');
  await says(page, '#control-words', /gets what you press/);
  await look(stage, page, 'armed');
  await robot.evaluate(() => globalThis.handles.chat.close());
  await says(page, '#chat-words', /Robot does not chat: the other side closed the channel/);
  await robot.evaluate(() => globalThis.own.close());
  await says(page, '#control-words', /Robot has left, so control is off/);
  await says(page, '#chat-words', /Nobody is here/);
  await look(stage, page, 'left');
}

export default async function (stage) {
  await stage
    .pipeline(`wssignalsrc mode=listener address=${stage.address} port=${stage.port} ! fakesink`, {
      program: 'gst-launch-1.0',
    })
    .serving(stage.url);
  const browser = await stage.browser(stage.browserName, stage.url, { hidden: false });
  const robot = await openLink(stage, browser, 'yard', 'Robot');
  await until('the robot to be in the room', () => robot.evaluate(() => globalThis.own.state === 'joined'));
  const page = await stage.open(browser, { path: '/yard', first: fakePad });
  await until('the robot in the page', () => page.evaluate(() => document.querySelectorAll('.tile').length === 1));
  await page.keyboard.press('d');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'data-title');
  await look(stage, page, 'empty');

  await checkChat(stage, page, robot);
  await checkChannels(page, robot);
  await look(stage, page, 'channels');
  await page.focus('#stick');
  await checkKeys(page, robot);
  await checkFinger(page, robot);
  await checkPad(page, robot);
  await checkRefused(stage, page, robot);
  assert.deepEqual(page.faults, []);
}
