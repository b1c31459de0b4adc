/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Links of a page's own, beside the one of the page that it is: what somebody else's page does with rtclink.js. */

import { until } from './until.mjs';

/** Opens a page with a link in ROOM: `globalThis.own`, `globalThis.peer` once there is one, and what came in `seen`.
 * `first` runs before it, as in {@link Stage#open}. */
export async function openLink(stage, browser, room, name, first) {
  const page = await stage.open(browser, { path: '/nobody', first });
  await page.evaluate(
    async (where, displayName) => {
      const { RtcLink } = await import('/rtclink.js');
      const own = new RtcLink({
        url: `ws://${location.host}/`,
        room: where,
        displayName,
        role: 'both',
        spares: [],
      });
      Object.assign(globalThis, { own, seen: [], handles: {} });
      globalThis.follow = (channel) => {
        globalThis.handles[channel.label] = channel;
        for (const type of ['open', 'reopen', 'close', 'refused'])
          channel.addEventListener(type, (event) =>
            globalThis.seen.push([channel.label, type, channel.problem?.code ?? event.detail?.unsent ?? null]),
          );
        channel.addEventListener('message', ({ data }) =>
          globalThis.seen.push([channel.label, 'message', typeof data === 'string' ? data : `${data.byteLength} bytes`]),
        );
        return channel;
      };
      own.addEventListener('peer', ({ detail }) => (globalThis.peer = detail));
      own.addEventListener('channel', ({ detail: { channel } }) => globalThis.follow(channel));
      own.connect();
    },
    room,
    name,
  );
  return page;
}

/** What happened on a channel, `[what, detail]` each, in order. */
export function happened(page, label) {
  return page.evaluate((l) => globalThis.seen.filter(([at]) => at === l).map(([, ...rest]) => rest), label);
}

/** Until a message that equals WANTED has come on a channel. */
export function gets(page, label, wanted, timeout) {
  return until(
    `"${wanted.slice(0, 40)}" on ${label}`,
    async () => {
      const all = await happened(page, label);
      return all.some(([type, data]) => type === 'message' && data === wanted) ? all : null;
    },
    timeout,
  );
}

/** Until both have each other. */
export function live(...pages) {
  return Promise.all(
    pages.map((page) => until('a live peer', () => page.evaluate(() => globalThis.peer?.state === 'live'), 20000)),
  );
}

/** What an element of the page says. */
export const words = (page, id) => page.$eval(id, (e) => (e.hidden ? '' : e.textContent.replace(/\s+/g, ' ').trim()));

/** Until it says so. */
export const says = (page, id, pattern, timeout) => {
  let said;
  return until(
    `${id} to say ${pattern}`,
    async () => {
      said = await words(page, id);
      return pattern.test(said);
    },
    timeout,
  ).catch((error) => {
    throw new Error(`${error.message}; it says "${said}"`);
  });
};
