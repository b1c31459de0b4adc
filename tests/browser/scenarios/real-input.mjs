/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A real screen with a program moving on it, and real speech, from a pipeline to a browser; what arrives is
 * compared with what was sent: the picture with the frames of the screen by SSIM, the speech by correlation with
 * its recording. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { compareSpeech, fullRange, luma, readWav, ssim } from '../lib/compare.mjs';
import { Pipeline } from '../lib/pipeline.mjs';
import { until } from '../lib/until.mjs';

const [WIDTH, HEIGHT] = [640, 360];
const FRAME = WIDTH * HEIGHT;
const RATE = 16000;
const SECONDS = 4;
const [LOUDNESS, WAVES] = [0.9, 0.8]; // correlations: less is not the same speech
const TEXT =
  'The quick brown fox jumps over the lazy dog. One camera, two microphones and a robot are on the air. ' +
  'Please stand by for the next picture from the stage. Nine eight seven six five four three two one, and action. ';

/* A screen of its own, and a program on it. */
async function screen(stage) {
  // Not the first free number: the lock files in /tmp are shared with other process namespaces, where the process that
  // holds one does not seem to live. And without -noreset the screen goes for a moment whenever its last client does.
  const server = spawn(
    'Xvfb',
    [`:${randomInt(1000, 60000)}`, '-displayfd', '3', '-noreset', '-screen', '0', '640x360x24', '-nolisten', 'tcp'],
    { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
  );
  stage.atEnd(() => server.kill());
  let number = '';
  server.stdio[3].on('data', (data) => (number += data));
  server.on('error', (error) => (number = `${error.message}\n`));
  await until('the X server', () => number.endsWith('\n'));
  assert.match(number, /^\d+\n$/);
  const display = `:${number.trim()}`;
  const program = new Pipeline('gst-launch-1.0', [
    ...'videotestsrc is-live=true pattern=ball background-color=0xff205080 ! video/x-raw,width=640,height=360'.split(
      ' ',
    ),
    ...'! videoconvert ! timeoverlay font-desc=Sans,36 ! videoconvert ! ximagesink'.split(' '),
    `display=${display}`,
  ]);
  stage.atEnd(() => program.stop());
  return display;
}

function speech(folder) {
  const spoken = path.join(folder, 'spoken.wav');
  execFileSync('espeak-ng', ['-w', spoken, '-s', '150', TEXT.repeat(2)]);
  const file = path.join(folder, 'speech.wav');
  execFileSync('gst-launch-1.0', [
    '-q',
    ...`filesrc location=${spoken} ! wavparse ! audioconvert ! audioresample !
    audio/x-raw,format=S16LE,channels=1,rate=${RATE} ! wavenc ! filesink location=${file}`.split(/\s+/),
  ]);
  return file;
}

/* The brightness of the picture in the page. */
async function grab(page) {
  const pixels = await page.evaluate(
    ([width, height]) => {
      const video = document.querySelector('video.seen');
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      let text = '';
      for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
      return btoa(text);
    },
    [WIDTH, HEIGHT],
  );
  return luma(Buffer.from(pixels, 'base64'));
}

async function comparePicture(page, file) {
  const got = await grab(page);
  // The frame that is shown was captured before now; the file gets it no later than the browser does.
  const bytes = await until('the frames of the screen', () => {
    const all = fs.readFileSync(file);
    return all.length >= 30 * FRAME ? all : null;
  });
  const frames = [];
  for (let n = Math.floor(bytes.length / FRAME) - 1; n >= 0 && frames.length < 45; n--)
    frames.push(fullRange(bytes.subarray(n * FRAME, (n + 1) * FRAME)));
  const values = frames.map((frame) => ssim(frame, got, WIDTH, HEIGHT));
  const best = Math.max(...values);
  const sorted = [...values].sort((a, b) => a - b);
  return { best, middle: sorted[sorted.length >> 1], age: values.indexOf(best) };
}

/* Mono samples of what the page receives, at RATE. */
async function record(page, folder) {
  const text = await page.evaluate(async (seconds) => {
    const peer = [...globalThis.rtclink.peers.values()].find((p) => p.streams.length > 0);
    const { track } = peer.streams.find((s) => s.kind === 'audio');
    const recorder = new MediaRecorder(new MediaStream([track]), { audioBitsPerSecond: 64000 });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const done = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    setTimeout(() => recorder.stop(), seconds * 1000);
    await done;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    let chars = '';
    for (let i = 0; i < bytes.length; i += 8192) chars += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(chars);
  }, SECONDS);
  const file = path.join(folder, 'heard');
  fs.writeFileSync(file, Buffer.from(text, 'base64'));
  execFileSync('gst-launch-1.0', [
    '-q',
    ...`filesrc location=${file} ! decodebin ! audioconvert ! audioresample !
    audio/x-raw,format=S16LE,channels=1,rate=${RATE} ! wavenc ! filesink location=${file}.wav`.split(/\s+/),
  ]);
  return readWav(fs.readFileSync(`${file}.wav`)).samples;
}

export default async function (stage) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rtclink-real-'));
  stage.atEnd(() => fs.rmSync(folder, { recursive: true }));
  const display = await screen(stage);
  const voice = speech(folder);
  const kept = path.join(folder, 'screen.rgb');
  const pipeline = stage.pipeline(`{signal}
    ximagesrc display-name=${display} use-damage=false show-pointer=false ! video/x-raw,framerate=15/1 ! videoconvert !
      video/x-raw,format=I420 ! tee name=t
    t. ! queue ! videoconvert ! video/x-raw,format=GRAY8 !
      filesink buffer-mode=unbuffered location=${kept}
    t. ! queue ! vp8enc deadline=1 threads=1 target-bitrate=2000000 keyframe-max-dist=150 ! rtc.
    filesrc location=${voice} ! wavparse ! identity sync=true ! audioconvert ! audioresample ! opusenc ! rtc.`);
  await pipeline.serving(stage.url);
  const page = await stage.open(await stage.browser());
  await until('the screen in the page', () => page.evaluate(() => !!document.querySelector('video.seen')));

  await page.click('#sound');
  const sent = readWav(fs.readFileSync(voice));
  assert.equal(sent.rate, RATE);
  let [got, alike] = [];
  // A machine that stands still in the midst of it makes a gap: it has three tries.
  for (let i = 0; i < 3 && !(alike?.loudness > LOUDNESS && alike.waves > WAVES); i++) {
    got = await record(page, folder);
    alike = compareSpeech(sent.samples, got, RATE);
  }
  const backwards = compareSpeech(sent.samples, got.slice().reverse(), RATE);
  console.log('speech', JSON.stringify({ alike, backwards }));
  assert.ok(alike.pieces >= SECONDS, `only ${alike.pieces} pieces of speech were heard`);
  assert.ok(alike.loudness > LOUDNESS, `the loudness correlates by ${alike.loudness.toFixed(3)} only`);
  assert.ok(alike.waves > WAVES, `the waves correlate by ${alike.waves.toFixed(3)} only`);
  assert.ok(backwards.waves < 0.6, 'what is not this speech is not told from it');

  const picture = await until(
    'enough frames',
    async () => {
      const found = await comparePicture(page, kept);
      return found.best > 0.95 ? found : null;
    },
    30000,
  );
  console.log('picture', JSON.stringify(picture));
  assert.ok(picture.middle < picture.best - 0.015, 'the frames of the screen are not told from each other');
  await stage.screenshot(page, 'screen');
}
