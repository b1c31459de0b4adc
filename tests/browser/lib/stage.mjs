/* SPDX-License-Identifier: LGPL-2.1-or-later */

import fs from 'node:fs';
import path from 'node:path';
import { Pipeline } from './pipeline.mjs';
import { readNumber } from './pattern.mjs';
import { until } from './until.mjs';

const ADDRESS = process.env.RTC_TEST_ADDRESS ?? '192.0.2.1';
const ARTEFACTS = process.env.RTC_ARTEFACTS ?? 'artefacts';
const PEER = process.env.BROWSER_PEER ?? 'browser-peer';

export const VP8 = 'vp8enc deadline=1 threads=1 keyframe-max-dist=300';
export const SOUND = 'audiotestsrc is-live=true freq=440 volume=0.5 ! opusenc ! rtc.';

/** What one scenario has: a browser, pipelines, and a place for pictures. All of it ends with the scenario, but a browser
 * that it found nothing wrong with is used by the next one, which sees nothing of what was kept in it. */
export class Stage {
  address = ADDRESS;
  port = 8080;
  #ends = [];
  #pages = [];
  #pipelines = [];

  failed = false;

  /** @param {string} transport the value of rtcbin's property, as tests/transports has it
   * @param {import('./browsers.mjs').Browsers} browsers where it has them from */
  constructor(browserName, scenario, transport, browsers) {
    this.browserName = browserName;
    this.browsers = browsers;
    this.transport = transport;
    this.scenario = scenario;
  }

  get url() {
    return `http://${this.address}:${this.port}`;
  }

  atEnd(end) {
    this.#ends.push(end);
  }

  /** @param {string} description of a pipeline; {signal} stands for a listening wssignalsrc linked to rtcbin "rtc" */
  pipeline(description, { program = PEER, signal = '' } = {}) {
    const server = `wssignalsrc mode=listener address=${this.address} port=${this.port} ${signal}`;
    const words = description
      .replace('{signal}', `${server} ! rtcbin name=rtc`)
      .replace('rtcbin name=rtc', `rtcbin name=rtc transport=${this.transport}`)
      .split(/\s+/)
      .filter(Boolean);
    const pipeline = new Pipeline(program, words);
    this.#pipelines.push(pipeline);
    this.atEnd(() => pipeline.stop());
    return pipeline;
  }

  /** The usual one: the counter as VP8, a tone of 440 Hz. */
  async counter({ encoder = VP8, rest = '', signal, ready } = {}) {
    const pipeline = this.pipeline(`{signal} appsrc name=counter ! ${encoder} ! rtc. ${SOUND} ${rest}`, { signal });
    if (ready) await ready(pipeline);
    else await pipeline.serving(this.url);
    return pipeline;
  }

  async browser(name = this.browserName, origin = this.url, options) {
    const { browser, giveBack } = await this.browsers.take(name, origin, options);
    const context = await browser.createBrowserContext();
    this.atEnd(async () => {
      if (this.failed) return browser.close();
      await context.close();
      giveBack();
    });
    return context;
  }

  /** @param {{path?: string, phone?: boolean, dark?: boolean, origin?: string, first?: () => void}} [options] first runs
   * in the page before its own scripts */
  async open(browser, { path: where = '/', phone = false, dark = false, origin = this.url, first } = {}) {
    const page = await browser.newPage();
    this.#pages.push(page);
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(error.message));
    page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
    await page.setViewport(phone ? { width: 390, height: 844, deviceScaleFactor: 2 } : { width: 1280, height: 800 });
    // Firefox has no way to say it through this driver; it shows the light one.
    if (dark) await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]).catch(() => {});
    if (first) await page.evaluateOnNewDocument(first);
    await page.goto(origin + where);
    return page;
  }

  /** Until the picture is there; then its number. */
  number(page, tile = 0) {
    return until(
      'our picture in the page',
      async () => {
        const number = await page.evaluate(readNumber, tile);
        return number === null ? null : { number };
      },
      20000,
    ).then((found) => found.number);
  }

  /** Until the number in the picture has grown by so much: frames are arriving. */
  async advances(page, by = 30, tile = 0, timeout = 15000) {
    const first = await this.number(page, tile);
    return until(
      `the frame counter to advance from ${first} by ${by}`,
      async () => {
        const now = await page.evaluate(readNumber, tile);
        return now !== null && now >= first + by ? now : null;
      },
      timeout,
    );
  }

  /** What the page says of a tile. */
  says(page, tile = 0) {
    return page.evaluate((i) => {
      const root = document.querySelectorAll('.tile')[i];
      if (!root) return null;
      const cover = root.querySelector('.cover');
      return {
        state: root.dataset.state,
        name: root.querySelector('.name').textContent,
        words: root.querySelector('.state-words').textContent,
        cover: cover.hidden ? '' : cover.textContent.replace(/\s+/g, ' ').trim(),
        numbers: Object.fromEntries(
          [...root.querySelectorAll('.numbers div')].map((box) => [
            box.querySelector('dt').textContent,
            box.querySelector('dd').textContent,
          ]),
        ),
      };
    }, tile);
  }

  /** Until a tile says so. */
  shows(page, what, check, tile = 0, timeout = 15000) {
    return until(
      what,
      async () => {
        const said = await this.says(page, tile);
        return said && check(said) ? said : null;
      },
      timeout,
    );
  }

  async screenshot(page, name) {
    fs.mkdirSync(ARTEFACTS, { recursive: true });
    const file = path.join(ARTEFACTS, `${this.browserName}-${this.scenario}-${name}.png`);
    await page.screenshot({ path: file });
    return file;
  }

  /** For the log of a test that failed: what there was to see. */
  async explain() {
    let n = 0;
    for (const page of this.#pages.filter((p) => !p.isClosed())) {
      console.log(`page ${page.url()}: ${JSON.stringify(await this.says(page).catch((e) => e.message))}`);
      console.log(
        await page
          .evaluate(
            () =>
              `  server: ${globalThis.rtclink?.state} ` +
              JSON.stringify(globalThis.rtclink?.problem) +
              [...(globalThis.rtclink?.peers.values() ?? [])]
                .map((p) => `\n  peer ${p.id} ${p.state} ${JSON.stringify(p.problem)} ${p.connection?.connectionState}`)
                .join(''),
          )
          .catch((e) => e.message),
      );
      if (page.faults.length) console.log(`  errors: ${page.faults.join('\n  ')}`);
      await this.screenshot(page, `failure-${n++}`).catch(() => {});
    }
    for (const pipeline of this.#pipelines)
      console.error(`${pipeline.name}\n  status ${pipeline.status}\n  ${pipeline.output.slice(-40).join('\n  ')}`);
  }

  async end() {
    for (const end of this.#ends.reverse())
      await Promise.resolve(end()).catch((error) => console.error(`while ending: ${error.message}`));
  }
}
