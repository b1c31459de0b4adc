/* SPDX-License-Identifier: LGPL-2.1-or-later */

import { spawn } from 'node:child_process';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { until } from './until.mjs';

const KEEP = 400; // lines of output, for when a test fails

/** A process of its own that runs a pipeline: gst-launch-1.0, or browser-peer, which also tells what it sees. */
export class Pipeline {
  output = [];
  events = [];
  /** messages of channels: {bytes, text, peer} */ data = [];
  /** the newest report of each kind: picture, sound */ seen = {};
  status = null;

  constructor(program, words) {
    this.name = `${program.split('/').pop()} ${words.join(' ')}`;
    this.child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.#line(line));
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => resolve((this.status = `could not be started: ${error.message}`)));
      this.child.on('exit', (code, signal) => resolve((this.status = signal ?? code)));
    });
  }

  #line(line) {
    this.output.push(line);
    if (this.output.length > KEEP) this.output.shift();
    if (!line.startsWith('{')) return;
    try {
      const event = JSON.parse(line);
      if (event.message) this.events.push(event);
      if (event.data) this.data.push(event.data);
      Object.assign(this.seen, event);
    } catch {
      /* not one of ours */
    }
  }

  /** Element messages of this name so far. */
  messages(name) {
    return this.events.filter((event) => event.message === name);
  }

  /** Until its server answers. */
  async serving(url) {
    await until(`${url} to be served`, async () => {
      if (this.status !== null) throw Object.assign(new Error(`the pipeline ended (${this.status})`), { final: true });
      return (await fetch(url)).ok;
    });
    return this;
  }

  /** Whether its port is open: for a server whose certificate nobody here trusts. */
  listening(port, address) {
    if (this.status !== null) throw Object.assign(new Error(`the pipeline ended (${this.status})`), { final: true });
    return new Promise((resolve) => {
      const socket = net.connect(port, address, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
  }

  /** Ends it as Ctrl-C does, or not so gently. */
  async stop(signal = 'SIGINT') {
    if (this.status !== null) return this.status;
    this.child.kill(signal);
    const last = setTimeout(() => this.child.kill('SIGKILL'), 10000);
    const status = await this.ended;
    clearTimeout(last);
    return status;
  }
}
