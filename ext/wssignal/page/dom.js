/* What the parts of the page share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

export const $ = (id) => document.getElementById(id);

/* What a browser or its user forbids to be kept is simply not kept. */
export const memory = {
  get(store, key) {
    try {
      return store().getItem(key);
    } catch {
      return null;
    }
  },
  set(store, key, value) {
    try {
      store().setItem(key, value);
    } catch {
      /* asked for again next time */
    }
  },
};
export const session = () => sessionStorage;
export const local = () => localStorage;

export function isPage(peer) {
  return peer.meta?.client === 'page';
}

/* What pipelines say to each other about the connection. */
export function isOwn(channel) {
  return channel.label === 'rtclink';
}

export function announce(words) {
  if ($('live').textContent !== words) $('live').textContent = words;
}

export function notice(words) {
  $('notice-text').textContent = words;
  $('notice').hidden = false;
}

export function nameOf(peer) {
  return peer.displayName || `Stream ${peer.id.slice(0, 6)}`;
}

export function setText(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function setIcon(button, name) {
  button.querySelector('use').setAttribute('href', `#i-${name}`);
}

export function setLabel(element, words) {
  if (element.getAttribute('aria-label') !== words) {
    element.setAttribute('aria-label', words);
    element.title = words;
  }
}

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1e6) return `${(n / 1000).toFixed(1)} kB`;
  return n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;
}
