/* The page's data channels: chat, files (files.js), and what other channels there are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

import { $, announce, bytes, isOwn, isPage, local, memory, nameOf, setText } from '/dom.js';
import { isFiles, setUpFiles } from '/files.js';

const MOST_SAID = 300; // lines of the log
const LAST = 240; // characters of a channel's newest message
const shownKey = 'rtclink data';

const STATES = {
  connecting: 'Opening…',
  open: 'Open',
  reconnecting: 'Reconnecting…',
  closing: 'Closing…',
  closed: 'Closed',
};

/** A channel for people. */
function isChat(channel) {
  return channel.label === 'chat' || /^(chat|text)\b/.test(channel.protocol);
}

function bits(rate) {
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(1)} Mbit/s` : `${(rate / 1000).toFixed(1)} kbit/s`;
}

function count(n, one) {
  return `${n.toLocaleString('en')} ${one}${n === 1 ? '' : 's'}`;
}

/* ---- one channel of the list ---- */

class Row {
  #last = null;
  #lastAt = 0;
  #newest = null;

  constructor(channel) {
    this.channel = channel;
    this.root = $('channel').content.firstElementChild.cloneNode(true);
    this.part = Object.fromEntries(
      ['label', 'state', 'kind', 'last'].map((name) => [name, this.root.querySelector(`.channel-${name}`)]),
    );
    this.in = this.root.querySelector('.in');
    this.out = this.root.querySelector('.out');
    const title = `channel-${Row.#made++}`;
    this.part.label.id = title;
    this.root.setAttribute('aria-labelledby', title);
    channel.addEventListener('message', ({ data }) => (this.#newest = data));
    channel.addEventListener('state', () => this.show());
    this.show();
  }

  static #made = 0;

  show() {
    const { channel, part } = this;
    this.root.dataset.state = channel.state;
    setText(part.label, channel.label || '(no name)');
    setText(part.state, STATES[channel.state]);
    const kind = [channel.remote ? `opened by ${nameOf(channel.peer)}` : `opened here, to ${nameOf(channel.peer)}`];
    if (channel.protocol) kind.push(channel.protocol);
    if (!channel.ordered) kind.push('in any order');
    if (channel.maxRetransmits !== null) kind.push(`sent again at most ${count(channel.maxRetransmits, 'time')}`);
    if (channel.maxPacketLifeTime !== null) kind.push(`tried for ${channel.maxPacketLifeTime} ms`);
    setText(part.kind, kind.join(' · '));
    if (channel.state === 'closed' && channel.problem) setText(part.last, channel.problem.text);
  }

  /* Rates are since the call before. */
  measure() {
    const now = performance.now();
    const { counters } = this.channel;
    const seconds = (now - this.#lastAt) / 1000;
    const line = (messages, size) => {
      const told = `${count(counters[messages], 'message')}, ${bytes(counters[size])}`;
      if (!this.#last || seconds <= 0) return told;
      const rate = (counters[messages] - this.#last[messages]) / seconds;
      if (rate === 0) return told;
      return `${told} · ${rate < 9.95 ? rate.toFixed(1) : Math.round(rate)}/s, ${bits(
        ((counters[size] - this.#last[size]) * 8) / seconds,
      )}`;
    };
    setText(this.in, line('messagesReceived', 'bytesReceived'));
    setText(this.out, line('messagesSent', 'bytesSent'));
    this.#last = { ...counters };
    this.#lastAt = now;
    const data = this.#newest;
    if (data === null || this.channel.state === 'closed') return;
    if (typeof data !== 'string') setText(this.part.last, `Binary, ${bytes(data.byteLength)}`);
    else setText(this.part.last, data.length > LAST ? `${data.slice(0, LAST)}…` : data);
  }
}

/**
 * @param {import('./rtclink.js').RtcLink} link
 * @param {() => void} changed what is wanted of the peers is other than before
 */
export function setUpData(link, changed) {
  /** @type {Map<object, Row>} */
  const rows = new Map();
  const refused = new Map(); // peer: why it has no chat
  let chatting = false;
  let shown = false;
  let unread = 0;

  const pipelines = () => [...link.peers.values()].filter((peer) => !isPage(peer));

  /* Each is spoken to on one channel: the one that it opened, if it did. */
  function chatOf(peer) {
    const all = peer.channels.filter((channel) => isChat(channel) && channel.state !== 'closing');
    return all.find((c) => c.remote && c.state === 'open') ?? all.find((c) => c.state === 'open') ?? all[0] ?? null;
  }

  /* ---- the panel ---- */

  function show(on, byUser = false) {
    if (byUser) memory.set(local, shownKey, on ? 'on' : 'off');
    if (on === shown) return;
    shown = on;
    $('data').hidden = !on;
    document.body.classList.toggle('with-data', on);
    $('data-button').setAttribute('aria-expanded', String(on));
    if (on) {
      measure();
      setUnread(0);
      $('chat-log').scrollTop = $('chat-log').scrollHeight;
    }
    if (!byUser) return;
    if (on) {
      $('data-title').focus({ preventScroll: true });
      $('data').scrollIntoView({ block: 'nearest' });
    } else if ($('data').contains(document.activeElement) || document.activeElement === document.body) {
      $('data-button').focus();
    }
  }

  function setUnread(n) {
    unread = n;
    $('unread').hidden = n === 0;
    setText($('unread'), n > 99 ? '99+' : String(n));
    $('unread').setAttribute('aria-label', `${count(n, 'unread message')}`);
  }

  $('data-button').addEventListener('click', () => show(!shown, true));
  $('data-close').addEventListener('click', () => show(false, true));

  /* ---- chat ---- */

  function say(from, text, mine) {
    const log = $('chat-log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const line = document.createElement('p');
    line.className = mine ? 'said own' : 'said';
    const who = document.createElement('span');
    const when = document.createElement('time');
    const what = document.createElement('span');
    who.className = 'from';
    what.className = 'text';
    who.textContent = from;
    when.textContent = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    when.dateTime = new Date().toISOString();
    what.textContent = text;
    line.append(who, ' ', when, ' ', what);
    log.hidden = false;
    log.append(line);
    while (log.children.length > MOST_SAID) log.firstElementChild.remove();
    if (atEnd || mine) log.scrollTop = log.scrollHeight;
    if (!shown && !mine) setUnread(unread + 1);
    showChat();
  }

  function followChat(channel) {
    const from = nameOf(channel.peer);
    refused.delete(channel.peer);
    channel.addEventListener('message', ({ data }) =>
      say(from, typeof data === 'string' ? data : `(binary, ${bytes(data.byteLength)})`, false),
    );
    channel.addEventListener('state', showChat);
    channel.addEventListener('refused', ({ detail }) => say('Not sent', `${detail.data} (to ${from})`, true));
    channel.addEventListener('close', () => {
      if (channel.problem && channel.problem.code !== 'peer-left') refused.set(channel.peer, channel.problem);
      showChat();
    });
    showChat();
  }

  function openChat(peer) {
    if (chatting && !chatOf(peer) && !refused.has(peer)) followChat(peer.openChannel('chat'));
  }

  function startChat() {
    chatting = true;
    refused.clear();
    pipelines().forEach(openChat);
    changed();
    showChat();
    if (!$('chat-form').hidden) $('chat-text').focus();
  }

  /** What to say about those who cannot be reached. */
  function chatWords(chats) {
    const all = pipelines();
    const open = chats.filter((c) => c.state === 'open');
    if (open.length > 0 && open.length === all.length) return '';
    const of = (channel) => {
      if (['idle', 'ended', 'failed'].includes(channel.peer.state))
        return `There is no connection to ${nameOf(channel.peer)}. What is written waits for one.`;
      if (channel.state !== 'connecting') return `The connection to ${nameOf(channel.peer)} is being restored.`;
      return `Waiting for ${nameOf(channel.peer)}…`;
    };
    const words = chats.filter((c) => c.state !== 'open').map(of);
    for (const [peer, why] of refused)
      if (!chatOf(peer)) words.push(`${nameOf(peer)} does not chat: ${why.text.replace(/^The/, 'the')}`);
    if (words.length > 0) return words.join(' ');
    if (all.length === 0) return 'Nobody is here to talk to.';
    return chatting ? '' : 'Opens the text channel “chat” with the pipeline.';
  }

  function showChat() {
    const chats = pipelines().map(chatOf).filter(Boolean);
    const some = chats.length > 0;
    $('chat-form').hidden = !some;
    $('chat-open').hidden = some || pipelines().length === 0;
    setText($('chat-open'), refused.size > 0 ? 'Try again' : 'Start a chat');
    const words = chatWords(chats);
    setText($('chat-words'), words);
    $('chat-words').hidden = words === '';
  }

  $('chat-open').addEventListener('click', startChat);
  $('chat-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('chat-text').value.trim();
    if (!text) return;
    const taken = pipelines()
      .map(chatOf)
      .filter((channel) => channel && channel.send(text));
    if (taken.length > 0) {
      $('chat-text').value = '';
      say('You', text, true);
    } else {
      announce('Too much waits to be sent. Try again when the connection is better.');
      setText($('chat-words'), 'Too much waits to be sent. Try again when the connection is better.');
      $('chat-words').hidden = false;
    }
  });

  /* ---- all of them ---- */

  function layOut(peer) {
    for (const channel of peer.channels) {
      if (rows.has(channel) || isChat(channel) || isFiles(channel) || isOwn(channel)) continue;
      const row = new Row(channel);
      rows.set(channel, row);
      $('channels').append(row.root);
    }
    // A channel that the other side closed stays until there is another of its name: it may be asked for.
    for (const [channel, row] of rows) {
      const kept = channel.problem && channel.problem.code !== 'peer-left';
      const again = [...rows.keys()].some(
        (other) => other !== channel && other.peer === channel.peer && other.label === channel.label,
      );
      if (channel.state === 'closed' && (!kept || again)) {
        row.root.remove();
        rows.delete(channel);
      }
    }
    $('channels-none').hidden = rows.size > 0;
    showChat();
  }

  function measure() {
    if (!shown) return;
    for (const row of rows.values()) row.measure();
  }

  link.addEventListener('peer', ({ detail: peer }) => {
    peer.addEventListener('channels', () => layOut(peer));
    peer.addEventListener('state', () => {
      if (peer.state === 'live') openChat(peer);
      showChat();
    });
    openChat(peer);
    showChat();
  });

  link.addEventListener('peerleft', ({ detail: peer }) => {
    refused.delete(peer);
    for (const [channel, row] of rows) {
      if (channel.peer !== peer) continue;
      row.root.remove();
      rows.delete(channel);
    }
    layOut(peer);
  });

  link.addEventListener('channel', ({ detail: { peer, channel } }) => {
    if (isOwn(channel) || isFiles(channel) || isPage(peer)) return;
    if (isChat(channel)) followChat(channel);
    else announce(`${nameOf(peer)} opened the channel ${channel.label}.`);
    came();
  });

  /* There is something to see: shown, but for those who closed it before. */
  function came() {
    if (memory.get(local, shownKey) !== 'off') show(true);
  }

  const files = setUpFiles(link, changed, came);
  showChat();
  if (memory.get(local, shownKey) === 'on') show(true);

  return {
    show,
    measure,
    get shown() {
      return shown;
    },
    /** Whether channels are wanted even with those that send nothing. */
    get wanted() {
      return chatting || files.wanted;
    },
  };
}
