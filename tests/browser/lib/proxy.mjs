/* SPDX-License-Identifier: LGPL-2.1-or-later */

import net from 'node:net';

/** A cable between a page and its server that can be cut: what is sent then vanishes, and no end learns of it. */
export class Proxy {
  #cut = false;
  #sockets = new Set();

  /** @param {number} port to listen at @param {number} target port of the server @param {string} address of both */
  constructor(port, target, address) {
    this.server = net.createServer((near) => {
      if (this.#cut) {
        near.destroy();
        return;
      }
      const far = net.connect(target, address);
      const pair = { near, far, cut: false };
      this.#sockets.add(pair);
      const join = (from, to) => {
        from.on('data', (data) => pair.cut || to.write(data));
        from.on('end', () => pair.cut || to.end());
        from.on('error', () => {});
        from.on('close', () => {
          if (!pair.cut) to.destroy();
        });
      };
      join(near, far);
      join(far, near);
    });
    this.ready = new Promise((resolve) => this.server.listen(port, address, resolve));
  }

  cut() {
    this.#cut = true;
    for (const pair of this.#sockets) pair.cut = true;
  }

  mend() {
    this.#cut = false;
  }

  close() {
    for (const { near, far } of this.#sockets) {
      near.destroy();
      far.destroy();
    }
    return new Promise((resolve) => this.server.close(resolve));
  }
}
