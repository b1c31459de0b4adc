/* SPDX-License-Identifier: LGPL-2.1-or-later */

import puppeteer from 'puppeteer-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/* The tests run in a network of their own; these keep the browsers from trying to leave it, give them a camera and a
 * microphone that are not there, and let a page of plain http use them. Playing sound still needs a click. */

function chromium(origin, secure, camera) {
  const { hostname } = new URL(origin);
  return puppeteer.launch({
    browser: 'chrome',
    executablePath: CHROMIUM,
    headless: true,
    acceptInsecureCerts: true,
    pipe: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
      '--use-fake-device-for-media-stream',
      ...(camera ? ['--use-fake-ui-for-media-stream'] : []),
      ...(secure ? [`--unsafely-treat-insecure-origin-as-secure=${origin}`] : []),
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${hostname}`,
    ],
  });
}

function firefox(secure, hidden) {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.devices.insecure.enabled': secure,
      'media.getusermedia.insecure.enabled': secure,
      'network.dns.disabled': true,
      'media.peerconnection.ice.obfuscate_host_addresses': hidden,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'privacy.reduceTimerPrecision': false,
      'toolkit.telemetry.enabled': false,
      'app.normandy.enabled': false,
      // As for people: silent video plays by itself, sound asks for a click.
      'media.autoplay.default': 1,
      // Not asked for, so that it is not there, as on a machine that has no network.
      'media.gmp-manager.updateEnabled': false,
    },
  });
}

/**
 * @param {'chromium'|'firefox'} name
 * @param {string} origin of the page
 * @param {{secure?: boolean, camera?: boolean, hidden?: boolean}} [options] whether that origin counts as secure
 *   although it is plain http; whether Chromium lets pages have a camera without asking, in which case it does not hide
 *   addresses from them; whether Firefox hides them (it does not find others that do in a network without a resolver)
 */
export function launch(name, origin, { secure = true, camera = true, hidden = true } = {}) {
  return name === 'firefox' ? firefox(secure, hidden) : chromium(origin, secure, camera);
}

/** Browsers that are running: starting one takes longer than many a scenario. */
export class Browsers {
  #idle = new Map();
  #all = [];

  /** One that nobody else has, as launch() would start it; it is given back, or never used again. */
  async take(name, origin, options = {}) {
    const { secure = true, camera = true, hidden = true } = options;
    const kind = JSON.stringify(name === 'firefox' ? [name, secure, hidden] : [name, secure, camera, origin]);
    let browser = this.#idle.get(kind)?.pop();
    if (!browser?.connected) {
      browser = await launch(name, origin, options);
      this.#all.push(browser);
    }
    const giveBack = () => this.#idle.set(kind, [...(this.#idle.get(kind) ?? []), browser]);
    return { browser, giveBack };
  }

  close() {
    return Promise.allSettled(this.#all.map((browser) => browser.close()));
  }
}
