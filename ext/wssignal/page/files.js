/* The page's files: those that are dropped on it or picked, and those that come.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

import { $, announce, bytes, isPage, nameOf, setLabel, setText } from '/dom.js';
import { PROTOCOL, RtcFiles } from '/rtcfiles.js';

const MOST_SHOWN = 50; // that are over

/** A channel of files. */
export function isFiles(channel) {
  return channel.protocol === PROTOCOL;
}

/* ---- one file of the list ---- */

class Row {
  static #made = 0;

  constructor(file, release) {
    this.file = file;
    this.release = release;
    this.root = $('file').content.firstElementChild.cloneNode(true);
    this.part = Object.fromEntries(
      ['label', 'state', 'kind', 'bar', 'save', 'stop', 'drop'].map((name) => [name, this.root.querySelector(`.file-${name}`)]),
    );
    const title = `file-${Row.#made++}`;
    this.part.label.id = title;
    this.root.setAttribute('aria-labelledby', title);
    this.part.bar.setAttribute('aria-labelledby', title);
    setText(this.part.label, file.name);
    for (const [name, word] of [
      ['save', 'Save'],
      ['stop', 'Cancel'],
      ['drop', 'Remove from the list'],
    ])
      setLabel(this.part[name], `${word}: ${file.name}`);
    this.part.stop.addEventListener('click', () => file.cancel());
    this.part.drop.addEventListener('click', () => this.remove());
    file.addEventListener('state', () => this.show());
    file.addEventListener('progress', () => this.show());
    this.show();
  }

  show() {
    const { file, part } = this;
    const { state, size } = file;
    this.root.dataset.state = state;
    const share = size > 0 ? file.bytes / size : 0;
    const words = {
      waiting: 'Waiting…',
      going: size > 0 ? `${Math.floor(share * 100)} %` : bytes(file.bytes),
      interrupted: 'Interrupted',
      checking: 'Checking…',
      done: file.sending ? 'Sent' : 'Received',
      failed: file.problem?.code === 'cancelled' ? 'Cancelled' : 'Failed',
    };
    setText(part.state, words[state]);
    const who = `${file.sending ? 'to' : 'from'} ${nameOf(file.peer)}`;
    const kind = [who, size === null ? bytes(file.bytes) : bytes(size)];
    if (state === 'done') kind.push('SHA-256 is right');
    if (state === 'interrupted') kind.push('goes on when the connection is back');
    if (state === 'failed') kind.push(file.problem.text);
    setText(part.kind, kind.join(' · '));
    part.bar.hidden = file.over;
    if (size > 0) part.bar.value = share;
    else part.bar.removeAttribute('value');
    const focused = document.activeElement === part.stop;
    part.stop.hidden = file.over;
    part.drop.hidden = !file.over;
    this.root.title = file.sha256 ? `SHA-256: ${file.sha256}` : '';
    if (file.blob && !this.url) {
      // It is only ever saved: its type keeps the browser from showing it as a page of this origin.
      this.url = URL.createObjectURL(file.blob);
      part.save.href = this.url;
      part.save.download = file.name;
    }
    part.save.hidden = !this.url;
    if (focused && part.stop.hidden) part.drop.focus();
  }

  remove() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    const next = this.root.nextElementSibling ?? this.root.previousElementSibling;
    const focused = this.root.contains(document.activeElement);
    this.root.remove();
    if (focused) (next?.querySelector('button:not([hidden])') ?? $('file-pick')).focus();
    this.release(this);
  }
}

/**
 * @param {import('./rtclink.js').RtcLink} link
 * @param {() => void} changed what is wanted of the peers is other than before
 * @param {() => void} came there is something to see
 */
export function setUpFiles(link, changed, came) {
  const files = new RtcFiles(link);
  // For the console of whoever looks closer, and for tests.
  globalThis.rtcfiles = files;
  /** @type {Row[]} the newest first */
  let rows = [];
  let wanted = false;
  let said = '';

  const peers = () => [...link.peers.values()].filter((peer) => !isPage(peer));

  function target() {
    const all = peers();
    return all.find((peer) => peer.id === $('file-peer').value) ?? all[0] ?? null;
  }

  function showPeers() {
    const all = peers();
    const select = $('file-peer');
    const chosen = target()?.id;
    select.replaceChildren(...all.map((peer) => new Option(nameOf(peer), peer.id, false, peer.id === chosen)));
    $('file-which').hidden = all.length < 2;
    $('file-pick').disabled = all.length === 0;
    setText($('file-words'), words());
  }

  function words() {
    const peer = target();
    if (!peer) return 'Nobody is here to send files to.';
    const lost = link.state !== 'joined' && peer.state !== 'live';
    if (lost || ['ended', 'failed', 'reconnecting'].includes(peer.state))
      return `There is no connection to ${nameOf(peer)}. What is sent waits for one.`;
    return said || 'Or drop files on this page.';
  }

  function say(words) {
    said = words;
    showPeers();
    if (words) announce(words);
  }

  function add(file) {
    const row = new Row(file, (gone) => {
      rows = rows.filter((r) => r !== gone);
      files.release(gone.file);
      $('files').hidden = rows.length === 0;
    });
    rows.unshift(row);
    $('files').prepend(row.root);
    $('files').hidden = false;
    for (const old of rows.filter((r) => r.file.over && !r.file.blob).slice(MOST_SHOWN)) old.remove();
    file.addEventListener('state', () => {
      const who = nameOf(file.peer);
      if (file.state === 'done') announce(file.sending ? `${who} has ${file.name}.` : `${file.name} came from ${who}.`);
      else if (file.state === 'failed') announce(`${file.name}: ${file.problem.text}`);
    });
  }

  function send(list) {
    const peer = target();
    if (!peer || list.length === 0) return;
    wanted = true;
    changed();
    for (const file of list) add(files.send(peer, file));
    say('');
  }

  files.addEventListener('file', ({ detail: file }) => {
    add(file);
    announce(`${nameOf(file.peer)} sends ${file.name}.`);
    came();
  });

  /* ---- picked and dropped ---- */

  const carries = (event) => event.dataTransfer?.types.includes('Files');

  $('file-pick').addEventListener('click', () => $('file-input').click());
  $('file-input').addEventListener('change', () => {
    send([...$('file-input').files]);
    $('file-input').value = '';
  });

  /* Anywhere on the page: one that is dropped beside the panel would else take the page's place. */
  let depth = 0;
  const over = (on) => document.body.classList.toggle('dropping', on);
  document.addEventListener('dragenter', (event) => {
    if (carries(event)) over(++depth > 0);
  });
  document.addEventListener('dragleave', (event) => {
    if (carries(event)) over((depth = Math.max(0, depth - 1)) > 0);
  });
  document.addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = peers().length > 0 ? 'copy' : 'none';
  });
  document.addEventListener('drop', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    over((depth = 0) > 0);
    // A folder looks like a file that cannot be read.
    const items = [...event.dataTransfer.items];
    const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
    const list = [...event.dataTransfer.files].filter((_, i) => !items[i]?.webkitGetAsEntry?.()?.isDirectory);
    if (list.length > 0) came();
    send(list);
    if (folders > 0) say('Folders cannot be sent: drop the files that are in them.');
  });

  for (const type of ['peer', 'peerleft']) link.addEventListener(type, showPeers);
  link.addEventListener('peer', ({ detail: peer }) => {
    for (const type of ['change', 'state']) peer.addEventListener(type, showPeers);
  });
  link.addEventListener('state', showPeers);
  $('file-peer').addEventListener('change', showPeers);
  showPeers();

  return {
    /** Whether channels are wanted even with those that send nothing. */
    get wanted() {
      return wanted;
    },
  };
}
