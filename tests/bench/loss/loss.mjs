#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How many frames are decoded at the other end of a path that loses packets. README.md beside this folder says how to
 * run it and what the columns are. */

import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = path.dirname(fileURLToPath(import.meta.url));
process.env.LOSS_CHROMIUM = process.env.CHROMIUM ?? '';
process.env.CHROMIUM = path.join(HERE, 'chromium');
const { launch } = await import('../../browser/lib/browsers.mjs');
const { Pipeline } = await import('../../browser/lib/pipeline.mjs');
const { until } = await import('../../browser/lib/until.mjs');

const { values: options } = parseArgs({
  options: {
    loss: { type: 'string', default: '1,5,10' }, // percent
    delay: { type: 'string', default: '0,25' }, // ms, one way
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '' }, // those that begin so; all
    least: { type: 'string', default: '' }, // a share of the frames: less is a failure
    verbose: { type: 'boolean', default: false },
  },
});
const ADDRESS = process.env.RTC_TEST_ADDRESS;
const NETNS = process.env.RTC_NETNS_PEER;
const PEER = process.env.BROWSER_PEER ?? 'browser-peer';
const FPS = 30;
const WARM_UP = 8; // seconds, in which a browser finds out how much the path carries
if (!ADDRESS || !NETNS) {
  console.error('loss.mjs runs in two network namespaces: tests/netns-run --two node tests/bench/loss/loss.mjs');
  process.exit(2);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'loss-'));

/* The picture, the same for all: it moves, and does not become small. */
const PICTURE = `pattern=zone-plate kx2=12 ky2=12 kt=2`;
const FORMAT = `video/x-raw,format=I420,width=640,height=360,framerate=${FPS}/1`;
const ENCODER = 'vp8enc deadline=1 threads=1 cpu-used=8 end-usage=cbr target-bitrate=1000000 keyframe-max-dist=3000';
process.env.LOSS_VIDEO = path.join(folder, 'picture.y4m');

class Path {
  static async open(delay, seed) {
    const path_ = new Path();
    path_.child = spawn('python3', [path.join(HERE, 'path.py'), '--delay', delay, '--seed', seed, NETNS], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    path_.lines = createInterface({ input: path_.child.stdout })[Symbol.asyncIterator]();
    const { value } = await path_.lines.next();
    if (value !== 'ready') throw new Error('the path between the namespaces could not be made (see above)');
    return path_;
  }

  async tell(line) {
    this.child.stdin.write(`${line}\n`);
    const { value } = await this.lines.next();
    if (!/^(ok|counts)/.test(value)) throw new Error(`the path says: ${value}`);
    return value.split(' ').slice(1).map(Number);
  }

  close() {
    const ended = new Promise((resolve) => this.child.on('exit', resolve));
    this.child.stdin.end();
    return ended;
  }
}

/* The two ends. Each has frames(): how many it decoded, or took from the camera. */

/** One link, from one end to the other. Whatever it started ends with it. */
class Link {
  #ends = [];
  port = 8080;

  async end() {
    for (const end of this.#ends.reverse()) await end();
  }

  pipeline(words, there) {
    const command = [PEER, ...words.split(/\s+/).filter(Boolean)];
    if (there) command.unshift('nsenter', `--net=${NETNS}`);
    const pipeline = new Pipeline(command[0], command.slice(1));
    this.#ends.push(() => pipeline.stop());
    return pipeline;
  }

  async page(origin, there) {
    process.env.LOSS_NETNS = there ? NETNS : '';
    const browser = await launch('chromium', origin);
    this.#ends.push(() => browser.close());
    const page = await browser.newPage();
    await page.evaluateOnNewDocument(() => {
      const get = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
      if (get) navigator.mediaDevices.getUserMedia = (wanted) => get({ video: wanted.video });
    });
    await page.goto(origin);
    return page;
  }

  /** An empty page for those who need no server. */
  async origin() {
    const server = http.createServer((request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>loss</title><video autoplay muted></video>');
    });
    await new Promise((resolve) => server.listen(this.port, ADDRESS, resolve));
    this.#ends.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://${ADDRESS}:${this.port}`;
  }

  get url() {
    return `http://${ADDRESS}:${this.port}`;
  }
}

const SOURCE = `videotestsrc is-live=true ${PICTURE} ! ${FORMAT} ! ${ENCODER} ! rtc.`;
const WATCH = 'rtc.video_src_0 ! vp8dec ! videoconvert ! appsink name=counted';
const listener = (transport) =>
  `wssignalsrc mode=listener address=${ADDRESS} port=8080 ! rtcbin name=rtc transport=${transport}`;
const caller = (transport) =>
  `wssignalsrc mode=caller uri=ws://${ADDRESS}:8080/ ! rtcbin name=rtc transport=${transport}`;

const watching = (pipeline) => async () => ({ frames: pipeline.seen.counted?.frames ?? 0 });
const nominal = () => {
  const begin = performance.now();
  return async () => ({ frames: ((performance.now() - begin) / 1000) * FPS });
};

/** Of the page of wssignalsrc, or ours. */
const stats = (page, kind) => async () =>
  page.evaluate(async (wanted) => {
    const connections = globalThis.pc ? [globalThis.pc] : [...globalThis.rtclink.peers.values()].map((p) => p.connection);
    const found = {};
    for (const connection of connections.filter(Boolean)) {
      for (const s of (await connection.getStats()).values()) {
        if (wanted === 'in' && s.type === 'inbound-rtp' && s.kind === 'video' && s.framesDecoded !== undefined)
          Object.assign(found, { frames: s.framesDecoded, freezes: s.freezeCount, frozen: s.totalFreezesDuration,
            nacks: s.nackCount, plis: s.pliCount, bytes: s.bytesReceived, received: s.packetsReceived,
            rtx: s.retransmittedPacketsReceived, delay: s.jitterBufferDelay, emitted: s.jitterBufferEmittedCount });
        if (wanted === 'out' && s.type === 'media-source' && s.kind === 'video') found.frames = s.frames ?? 0;
        if (wanted === 'out' && s.type === 'outbound-rtp' && s.kind === 'video' && s.framesEncoded > 0)
          Object.assign(found, { bytes: s.bytesSent, encoded: s.framesEncoded, nacks: s.nackCount, plis: s.pliCount,
            rtx: s.retransmittedPacketsSent, target: s.targetBitrate, limit: s.qualityLimitationReason,
            width: s.frameWidth });
        if (s.type === 'candidate-pair' && s.nominated) found.estimate = s.availableOutgoingBitrate;
      }
    }
    return found.frames === undefined ? { ...found, frames: 0 } : found;
  }, kind);

const gstreamer = (transport) => async (link) => {
  const sender = link.pipeline(`${listener(transport)} ${SOURCE}`);
  await sender.serving(link.url);
  const viewer = link.pipeline(`${caller(transport)} ${WATCH}`, true);
  return { sent: nominal(), got: watching(viewer), pipelines: [sender, viewer] };
};

async function browsers(link) {
  const origin = await link.origin();
  const [from, to] = [await link.page(origin, false), await link.page(origin, true)];
  const ready = `new Promise((resolve) => {
    const done = () => pc.iceGatheringState === 'complete' && resolve(pc.localDescription.sdp);
    pc.addEventListener('icegatheringstatechange', done);
    done();
  })`;
  const offer = await from.evaluate(`(async () => {
    globalThis.pc = new RTCPeerConnection();
    const stream = await navigator.mediaDevices.getUserMedia({ video: { frameRate: ${FPS} } });
    pc.addTrack(stream.getVideoTracks()[0], stream);
    await pc.setLocalDescription();
    return ${ready};
  })()`);
  const answer = await to.evaluate(`(async () => {
    globalThis.pc = new RTCPeerConnection();
    pc.ontrack = ({ track }) => { document.querySelector('video').srcObject = new MediaStream([track]); };
    await pc.setRemoteDescription({ type: 'offer', sdp: ${JSON.stringify(offer)} });
    await pc.setLocalDescription();
    return ${ready};
  })()`);
  await from.evaluate(`pc.setRemoteDescription({ type: 'answer', sdp: ${JSON.stringify(answer)} })`);
  return { sent: stats(from, 'out'), got: stats(to, 'in'), pipelines: [] };
}

const CASES = {
  'chromium > chromium': browsers,
  'native > chromium': async (link) => {
    const sender = link.pipeline(`${listener('native')} ${SOURCE}`);
    await sender.serving(link.url);
    return { sent: nominal(), got: stats(await link.page(link.url, true), 'in'), pipelines: [sender] };
  },
  'chromium > native': async (link) => {
    const viewer = link.pipeline(`${listener('native')} ${WATCH}`);
    await viewer.serving(link.url);
    const page = await link.page(link.url, true);
    await page.click('#camera');
    return { sent: stats(page, 'out'), got: watching(viewer), pipelines: [viewer] };
  },
  'native > native': gstreamer('native'),
  'webrtcbin > webrtcbin': gstreamer('webrtcbin'),
};

async function measure(name, delay, loss, seed) {
  const way = await Path.open(delay, seed);
  const link = new Link();
  try {
    const { sent, got, pipelines } = await CASES[name](link);
    try {
      await until('the first frames', async () => (await got()).frames >= FPS, 30000);
      await sleep(WARM_UP * 1000);
      await way.tell(`loss ${loss}`);
      const before = [await sent(), await got(), await way.tell('counts')];
      await sleep(options.seconds * 1000);
      const after = [await sent(), await got(), await way.tell('counts')];
      if (options.verbose) console.log(name, delay, loss, JSON.stringify({ before, after }));
      return {
        frames: after[1].frames - before[1].frames,
        encoded: (after[0].encoded ?? after[0].frames) - (before[0].encoded ?? before[0].frames),
        packets: after[2][0] - before[2][0] + after[2][2] - before[2][2],
        lost: after[2][1] - before[2][1] + after[2][3] - before[2][3],
      };
    } catch (error) {
      for (const pipeline of pipelines) console.error(`${pipeline.name}\n  ${pipeline.output.slice(-20).join('\n  ')}`);
      throw error;
    }
  } finally {
    await link.end();
    await way.close();
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

let failed = false;
try {
  execFileSync('gst-launch-1.0', ['-q', 'videotestsrc', `num-buffers=${FPS * 3}`, ...PICTURE.split(' '), '!', FORMAT, '!',
    'y4menc', '!', 'filesink', `location=${process.env.LOSS_VIDEO}`]);
  console.log(`frames decoded in ${options.seconds} s, median (min..max); of those encoded; packets that the path lost`);
  for (const delay of options.delay.split(',')) {
    for (const loss of options.loss.split(',')) {
      const names = Object.keys(CASES).filter((name) => name.startsWith(options.cases));
      const runs = Object.fromEntries(names.map((name) => [name, []]));
      for (let round = 0; round < options.rounds; round++) {
        for (const name of names) runs[name].push(await measure(name, delay, loss, String(+options.seed + round)));
      }
      for (const name of names) {
        const frames = runs[name].map((run) => run.frames);
        const share = median(runs[name].map((run) => run.frames / run.encoded));
        const [packets, lost] = ['packets', 'lost'].map((what) => runs[name].reduce((sum, run) => sum + run[what], 0));

        console.log(
          `  ${2 * delay} ms, ${loss} %`.padEnd(16) + name.padEnd(24) + `${median(frames).toFixed(0)}`.padStart(5) +
            ` (${Math.min(...frames)}..${Math.max(...frames)})`.padEnd(14) + `${(100 * share).toFixed(1)} %`.padStart(8) +
            `${((100 * lost) / packets).toFixed(1)} % of ${packets}`.padStart(18),
        );
        if (options.least && share < options.least) {
          console.error(`${name}: less than ${options.least} of the frames`);
          failed = true;
        }
      }
    }
  }
} finally {
  fs.rmSync(folder, { recursive: true });
}
process.exit(failed ? 1 : 0);
