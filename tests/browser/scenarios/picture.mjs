/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pipeline's picture and sound in the page: the counter in the picture advances, the tone is heard after one click,
 * the figures are those of this stream. */

import assert from 'node:assert/strict';
import { until } from '../lib/until.mjs';

async function energy(page) {
  return page.evaluate(async () => {
    const peer = [...globalThis.rtclink.peers.values()].find((p) => p.streams.length > 0);
    for (const s of (await peer.connection.getStats()).values())
      if (s.type === 'inbound-rtp' && s.kind === 'audio') return s.totalAudioEnergy;
    return 0;
  });
}

/* The strongest frequency of what arrives. Firefox does not run an AudioContext on a machine without sound. */
async function strongest(page) {
  return page.evaluate(async () => {
    const peer = [...globalThis.rtclink.peers.values()].find((p) => p.streams.length > 0);
    const { track } = peer.streams.find((s) => s.kind === 'audio');
    if (!globalThis.testAnalyser) {
      const context = new AudioContext({ sampleRate: 48000 });
      await context.resume();
      globalThis.testAnalyser = new AnalyserNode(context, { fftSize: 8192 });
      context.createMediaStreamSource(new MediaStream([track])).connect(globalThis.testAnalyser);
    }
    const bins = new Float32Array(globalThis.testAnalyser.frequencyBinCount);
    globalThis.testAnalyser.getFloatFrequencyData(bins);
    const at = bins.indexOf(Math.max(...bins));
    // Silence is -Infinity, which does not come through.
    return { frequency: (at * 48000) / 8192, level: Math.max(bins[at], -200) };
  });
}

export default async function (stage) {
  await stage.counter();
  const browser = await stage.browser();
  const page = await stage.open(browser);
  const first = await stage.number(page);
  const started = Date.now();
  const last = await stage.advances(page, 60);
  const rate = ((last - first) * 1000) / (Date.now() - started);
  assert.ok(rate > 15 && rate < 45, `30 frames a second are sent, ${rate.toFixed(1)} were seen`);

  // Silent until asked for.
  assert.equal(await page.evaluate(() => [...document.querySelectorAll('audio')].every((a) => a.muted)), true);
  assert.match(await page.$eval('#sound', (b) => b.textContent), /Sound on/);
  await stage.screenshot(page, 'sound-off');
  await page.click('#sound');
  await until('the sound to play', () =>
    page.evaluate(() => [...document.querySelectorAll('audio')].every((a) => !a.muted && !a.paused)),
  );
  const before = await energy(page);
  await until('sound with energy', async () => (await energy(page)) > before + 0.01);
  if (stage.browserName === 'chromium') {
    // For a moment it is another one: a browser that fills its buffer, or empties it, plays slower, or faster.
    await until('a tone of 440 Hz', async () => {
      const { level, frequency } = await strongest(page);
      if (level > -60 && Math.abs(frequency - 440) < 12) return true;
      throw new Error(`${frequency} Hz was heard at ${level} dB`);
    });
  }

  const said = await stage.shows(
    page,
    'live figures',
    (s) =>
      s.state === 'live' &&
      /fps/.test(s.numbers['Frame rate']) &&
      parseFloat(s.numbers['Frame rate']) > 15 &&
      /Mbit|kbit/.test(s.numbers.Bitrate) &&
      /ms/.test(s.numbers.Buffer) &&
      parseFloat(s.numbers.Buffer) < 100, // no more than the network asks for, once it has come to rest
  );
  assert.match(said.numbers.Resolution, /640 × 360/);
  assert.match(said.numbers.Codec, /VP8 \+ Opus/);
  assert.match(said.numbers.Lost, /%$/);
  assert.equal(said.words, 'Live');
  // No more buffering than the network asks for.
  const target = await page.evaluate(() => {
    const { receiver } = [...globalThis.rtclink.peers.values()]
      .flatMap((p) => p.streams)
      .find((s) => s.kind === 'video');
    return receiver.jitterBufferTarget;
  });
  assert.equal(target, 0);
  assert.equal(
    await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight),
    true,
    'one stream does not fit the window',
  );
  await stage.screenshot(page, 'live');
  const phone = await stage.open(browser, { phone: true, dark: true });
  await stage.advances(phone);
  assert.equal(
    await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
    true,
    'the page is wider than a phone',
  );
  await stage.screenshot(phone, 'phone-dark');
  assert.deepEqual(page.faults, []);
  assert.deepEqual(phone.faults, []);
}
