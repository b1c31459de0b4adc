/* rtcfiles.js: files over the data channels of rtclink.js, both ways.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One module without dependencies, not even on rtclink.js: it is given a link. docs/rtclink-js.md has its API;
 * docs/design/data-files.md has the protocol, which datachannelsink delivery=file and datachannelsrc directory=… speak.
 */

export const PROTOCOL = 'rtclink.file.1';

const MOST_CONTROL = 16384; // characters of a text message
const MOST_CONTENTS = 65536; // bytes of a binary one
const MOST_NAME = 200; // bytes
const MOST_TEXT = 1000;
const READ = 256 * 1024; // of a file at once
const AHEAD = 256 * 1024; // bytes that the channel is given before it has sent them
const PART = 1 << 20; // so many arrived bytes become a Blob, which the browser keeps where it likes
const STILL = 60000; // ms without anything: it is given up
const LOOK = 2000; // ms, how often that is looked at
const KEEP = 300000; // ms that a part waits for its sender to come back
const PROGRESS = 100; // ms
const MOST_RECEIVED = 8; // at a time
const MOST_REMEMBERED = 64;
const MAX_BYTES = 2 ** 31;

/* Whichever side says it. */
const WORDS = {
  cancelled: 'It was cancelled.',
  refused: 'It was refused.',
  exists: 'There is a file of that name already.',
  'too-large': 'It is larger than files may be.',
  'disk-full': 'There is too little room on the disk.',
  digest: 'What arrived is not what was sent.',
  changed: 'The file was changed while it was sent.',
  protocol: 'The two sides did not understand each other.',
  'peer-left': 'The other side has left.',
  'channel-closed': 'The other side takes no files.',
};

/* ---- SHA-256 (FIPS 180-4) ---- */

/* Of the fractional parts of the roots of the first primes: the cubic ones for K, the square ones for the start. */
function roots(power, count) {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
    if (prime) found.push(((n ** power % 1) * 2 ** 32) | 0);
  }
  return found;
}

const K = Int32Array.from(roots(1 / 3, 64));
const START = Int32Array.from(roots(1 / 2, 8));

/**
 * SHA-256, piece by piece. SubtleCrypto wants all of it at once, and pages that came over http: have none at all.
 */
export class Sha256 {
  #h = START.slice();
  #w = new Int32Array(64);
  #rest = new Uint8Array(64);
  #length = 0; // bytes

  /** @param {Uint8Array} data */
  update(data) {
    let at = 0;
    const held = this.#length % 64;
    this.#length += data.length;
    if (held > 0) {
      at = Math.min(64 - held, data.length);
      this.#rest.set(data.subarray(0, at), held);
      if (held + at < 64) return this;
      this.#block(this.#rest, 0);
    }
    for (; at + 64 <= data.length; at += 64) this.#block(data, at);
    this.#rest.set(data.subarray(at));
    return this;
  }

  #block(data, from) {
    const w = this.#w;
    for (let i = 0; i < 16; i++, from += 4)
      w[i] = (data[from] << 24) | (data[from + 1] << 16) | (data[from + 2] << 8) | data[from + 3];
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const t = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s + w[i - 7] + t) | 0;
    }
    const k = K;
    const sum = this.#h;
    let a = sum[0];
    let b = sum[1];
    let c = sum[2];
    let d = sum[3];
    let e = sum[4];
    let f = sum[5];
    let g = sum[6];
    let h = sum[7];
    for (let i = 0; i < 64; i++) {
      const s = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + s + (g ^ (e & (f ^ g))) + k[i] + w[i]) | 0;
      const t = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      const two = (t + ((a & b) ^ (c & (a ^ b)))) | 0;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    sum[0] += a;
    sum[1] += b;
    sum[2] += c;
    sum[3] += d;
    sum[4] += e;
    sum[5] += f;
    sum[6] += g;
    sum[7] += h;
  }

  /** Of what there was; nothing can be added after it. @returns {string} 64 hexadecimal digits */
  digest() {
    const length = this.#length;
    const pad = new Uint8Array(((119 - (length % 64)) % 64) + 9);
    pad[0] = 0x80;
    const view = new DataView(pad.buffer);
    view.setUint32(pad.length - 8, Math.floor(length / 2 ** 29));
    view.setUint32(pad.length - 4, (length * 8) >>> 0);
    this.update(pad);
    return Array.from(this.#h, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/* ---- what is said ---- */

const utf8 = new TextEncoder();
const isHex = (text, digits) => typeof text === 'string' && text.length === digits && /^[0-9a-f]+$/.test(text);
const isBytes = (n) => Number.isSafeInteger(n) && n >= 0;
const isText = (text) => typeof text === 'string' && utf8.encode(text).length <= MOST_TEXT;

/* Throws an Error that says what is wrong. */
function readMessage(text) {
  if (text.length > MOST_CONTROL) throw new Error(`a message of ${text.length} characters`);
  const m = JSON.parse(text);
  if (m === null || typeof m !== 'object') throw new Error('a message that is no object');
  const { type, id, size, sha256, name, mime, offset } = m;
  const has = (value, check) => value === undefined || check(value);
  if (!isHex(id, 32)) throw new Error('a message without an id');
  const right = {
    file: () => isText(name) && has(size, isBytes) && has(mime, isText) && has(sha256, (d) => isHex(d, 64)),
    ready: () => isBytes(offset),
    end: () => isBytes(size) && isHex(sha256, 64),
    done: () => isHex(sha256, 64),
    cancel: () => true,
  }[type];
  if (!right?.()) throw new Error(`a message of the type "${String(type).slice(0, 20)}" that is wrong`);
  return m;
}

/**
 * What a file is called here that the other side calls NAME: never a path, and nothing that looks like another name.
 * @param {string} name
 * @returns {string}
 * @throws {Error} there is no such name
 */
export function safeName(name) {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  if (base === '') throw new Error('its name is empty');
  if (base.startsWith('.')) throw new Error('its name begins with a dot');
  if (utf8.encode(base).length > MOST_NAME) throw new Error(`its name is longer than ${MOST_NAME} bytes`);
  if (/\p{Cc}/u.test(base)) throw new Error('its name has control characters');
  // Those that turn the direction of writing make fdp.exe look like exe.pdf.
  return base.replace(/[:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '_');
}

const SAYS_ALL = new Set(['exists', 'too-large', 'disk-full']);

function problem(code, detail) {
  const text = WORDS[code] ?? WORDS.cancelled;
  const more = detail && !SAYS_ALL.has(code);
  return Object.freeze({ code, text: more ? `${text.slice(0, -1)}: ${detail}.` : text, detail: detail || '' });
}

/* ---- one file ---- */

/**
 * A file on its way. Events: `state` (`state` or `problem` changed), `progress` (`bytes` did, at most ten times a second).
 */
export class RtcFile extends EventTarget {
  /** @type {import('./rtclink.js').RtcPeer} */ peer;
  /** @type {boolean} whether it goes from here to there */ sending;
  /** @type {string} 32 hexadecimal digits */ id;
  /** @type {string} */ name;
  /** @type {number|null} bytes; null: the sender does not know */ size;
  /** @type {string} what the sender says that it is; nothing to rely on */ type;
  /** @type {number} that were sent, or are here */ bytes = 0;
  /** @type {string} of all of it, once that is known */ sha256 = '';
  /**
   * `waiting` for its turn, or for the other side; `going`; `interrupted` it goes on when the connection is back;
   * `checking` all was sent; `done` it is there, and the digest is right; `failed`, see `problem`.
   * @type {'waiting'|'going'|'interrupted'|'checking'|'done'|'failed'}
   */
  state = 'waiting';
  /** @type {{code: string, text: string, detail: string}|null} */ problem = null;
  /** @type {Blob|null} what was received. Of a neutral type, so that it cannot run as a page of ours. */ blob = null;
  /** @internal */ movedAt = 0;
  #told = 0;
  #telling = 0;

  /** @internal */
  constructor(peer, sending, { id, name, size, type }) {
    super();
    Object.assign(this, { peer, sending, id, name, size, type });
  }

  /** Whether nothing more will happen. */
  get over() {
    return this.state === 'done' || this.state === 'failed';
  }

  /** Ends it, on both sides. @param {string} [reason] for people */
  cancel(reason) {
    this._cancel('cancelled', reason ?? `the ${this.sending ? 'sender' : 'receiver'} did`, reason ?? '');
  }

  /** @internal */
  _become(state, why = null) {
    if (this.over || (this.state === state && this.problem === why)) return;
    this.state = state;
    this.problem = why;
    this.movedAt = performance.now();
    clearTimeout(this.#telling);
    this.dispatchEvent(new Event('state'));
  }

  /** @internal */
  _move(bytes) {
    this.bytes = bytes;
    this.movedAt = performance.now();
    const tell = () => {
      this.#told = performance.now();
      this.#telling = 0;
      this.dispatchEvent(new Event('progress'));
    };
    const wait = this.#told + PROGRESS - this.movedAt;
    if (wait <= 0) tell();
    else this.#telling ||= setTimeout(tell, wait);
  }
}

class Sending extends RtcFile {
  #file;
  #line;
  #sha = new Sha256();
  #hashed = 0;
  #session = null; // of the connection on which it was asked for
  #run = 0;

  constructor(line, file) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
    super(line.peer, true, { id, name: file.name || 'file', size: file.size, type: file.type });
    this.#line = line;
    this.#file = file;
  }

  /* Its turn: asks, and asks again on every connection. */
  look() {
    const { channel } = this.#line;
    if (this.over) return;
    if (channel.state !== 'open') {
      if (this.#session !== null) this._become('interrupted');
      this.#session = null;
      this.#run++;
    } else if (channel.session !== this.#session) {
      this.#session = channel.session;
      this.#run++;
      this._become('waiting');
      const { id, name, size, type, sha256 } = this;
      this.#say({ type: 'file', id, name, size, mime: type || undefined, sha256: sha256 || undefined });
    }
  }

  #say(message) {
    this.#line.say(message);
  }

  _cancel(code, reason, own = reason) {
    if (this.over) return;
    if (this.#session !== null) this.#say({ type: 'cancel', id: this.id, code, reason });
    this.#fail(code, own);
  }

  #fail(code, reason) {
    this.#run++;
    this._become('failed', problem(code, reason));
    this.#line.next();
  }

  /* The channel is gone for ever. */
  lost(why) {
    this._become('failed', why);
  }

  take(message, session) {
    if (this.over || session !== this.#session) return;
    if (message.type === 'cancel') {
      this.#fail(message.code in WORDS ? message.code : 'cancelled', String(message.reason ?? '').slice(0, MOST_TEXT));
    } else if (message.type === 'ready') {
      if (this.state !== 'waiting') this._cancel('protocol', 'a second ready');
      else if (message.offset > this.#hashed) this._cancel('protocol', 'the receiver has more of the file than was sent');
      else this.#pump(message.offset);
    } else if (message.type === 'done') {
      if (this.state !== 'checking') this._cancel('protocol', 'done before the end');
      else if (message.sha256 !== this.sha256) this._cancel('digest', 'the receiver has another digest');
      else {
        this._become('done');
        this.#line.next();
      }
    }
  }

  async #pump(from) {
    const run = ++this.#run;
    const { channel } = this.#line;
    let offset = from;
    this._become('going');
    this._move(offset);
    while (offset < this.size) {
      const block = await this.#read(offset);
      if (run !== this.#run) return;
      if (!block) {
        this._cancel('changed', 'the file cannot be read any more, or has become shorter');
        return;
      }
      const end = offset + block.length;
      if (end > this.#hashed) {
        this.#sha.update(block.subarray(Math.max(0, this.#hashed - offset)));
        this.#hashed = end;
      }
      const most = Math.min(MOST_CONTENTS, channel.maxMessageSize || MOST_CONTENTS);
      for (let at = 0; at < block.length; ) {
        while (channel.bufferedAmount >= AHEAD) {
          await channel.drained().catch(() => {});
          if (run !== this.#run) return;
        }
        if (channel.state !== 'open' || channel.session !== this.#session) return; // look() is called
        const piece = block.subarray(at, at + most);
        if (!channel.send(piece)) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (run !== this.#run) return;
          continue;
        }
        at += piece.length;
        this._move(offset + at);
      }
      offset = end;
    }
    this.sha256 ||= this.#sha.digest();
    this._become('checking');
    this.#say({ type: 'end', id: this.id, size: this.size, sha256: this.sha256 });
  }

  async #read(from) {
    try {
      const block = new Uint8Array(await this.#file.slice(from, from + READ).arrayBuffer());
      return block.length > 0 ? block : null;
    } catch {
      return null;
    }
  }
}

class Receiving extends RtcFile {
  #files;
  #line = null;
  #session = null;
  #sha = new Sha256();
  #pieces = [];
  #loose = 0;
  #parts = [];
  #wanted; // the digest that was promised, or ''
  #interrupted = 0;

  constructor(files, peer, message) {
    super(peer, false, {
      id: message.id,
      name: safeName(message.name),
      size: message.size ?? null,
      type: message.mime ?? '',
    });
    this.#files = files;
    this.#wanted = message.sha256 ?? '';
  }

  /* The sender says that it is there, on this connection. */
  begin(line, session) {
    if (this.#line && this.#line !== line) this.#line.receiving = null;
    clearTimeout(this.#interrupted);
    this.#line = line;
    this.#session = session;
    if (this.state === 'failed') {
      this.#say({ type: 'cancel', id: this.id, code: 'cancelled', reason: this.problem.detail || undefined });
      return;
    }
    line.receiving = this;
    this._become('going');
    this.#say({ type: 'ready', id: this.id, offset: this.bytes });
  }

  #say(message) {
    this.#line?.say(message);
  }

  _cancel(code, reason, own = reason) {
    if (this.over) return;
    this.#say({ type: 'cancel', id: this.id, code, reason });
    this.fail(problem(code, own));
  }

  fail(why) {
    clearTimeout(this.#interrupted);
    this.#pieces = [];
    this.#parts = [];
    this._become('failed', why);
    this.#leave();
  }

  #leave() {
    if (this.#line?.receiving === this) this.#line.receiving = null;
    this.#line = null;
  }

  /* What is here stays a while. */
  interrupt() {
    if (this.over || this.state === 'interrupted') return;
    this.#leave();
    this.#session = null;
    this._become('interrupted');
    this.#interrupted = setTimeout(() => this.fail(problem('cancelled', 'the sender did not come back')), KEEP);
  }

  contents(data, session) {
    if (session !== this.#session || this.over) return;
    const bytes = this.bytes + data.byteLength;
    if (data.byteLength > MOST_CONTENTS) this._cancel('protocol', 'contents of more than 64 KiB in one message');
    else if (this.size !== null && bytes > this.size) this._cancel('protocol', 'more came than was said');
    else if (!this.#files._mayHold(data.byteLength, this.size === null)) this._cancel('too-large', 'it has no room here');
    else {
      this.#sha.update(new Uint8Array(data));
      this.#pieces.push(data);
      this.#loose += data.byteLength;
      if (this.#loose >= PART) this.#pack();
      this._move(bytes);
    }
  }

  #pack() {
    this.#parts.push(new Blob(this.#pieces));
    this.#pieces = [];
    this.#loose = 0;
  }

  take(message, session) {
    if (session !== this.#session) return;
    if (message.type === 'cancel') {
      if (!this.over)
        this.fail(problem(message.code in WORDS ? message.code : 'cancelled', String(message.reason ?? '').slice(0, MOST_TEXT)));
    } else if (message.type === 'end') {
      this.#end(message);
    } else {
      this._cancel('protocol', 'only a receiver says ready and done');
    }
  }

  #end({ size, sha256 }) {
    // Asked for again, since our last word did not arrive.
    if (this.state !== 'done') {
      if (size !== this.bytes || (this.size !== null && size !== this.size)) {
        this._cancel('digest', 'it ended, and has another size than was said');
        return;
      }
      this.sha256 = this.#sha.digest();
      if (this.sha256 !== sha256 || (this.#wanted && this.#wanted !== sha256)) {
        this.sha256 = '';
        this._cancel('digest', 'what arrived has another digest');
        return;
      }
      this.size = size;
      this.blob = new Blob([...this.#parts, ...this.#pieces], { type: 'application/octet-stream' });
      this.#parts = [];
      this.#pieces = [];
    }
    this.#say({ type: 'done', id: this.id, sha256: this.sha256 });
    this._become('done');
    this.#leave();
  }

  /** Forgets what was received. */
  release() {
    if (this.state === 'done') this.blob = null;
  }

  /** Bytes that it keeps here. */
  get held() {
    return this.state === 'done' ? (this.blob?.size ?? 0) : this.state === 'failed' ? 0 : Math.max(this.bytes, this.size ?? 0);
  }
}

/* ---- channels ---- */

/* A channel, and what goes over it: one file at a time each way. */
class Line {
  sending = []; // the first has its turn
  receiving = null;

  constructor(files, channel) {
    this.files = files;
    this.channel = channel;
    this.peer = channel.peer;
    channel.addEventListener('message', ({ data, session }) => this.#take(data, session));
    channel.addEventListener('state', () => this.look());
    channel.addEventListener('reopen', () => this.look());
    channel.addEventListener('open', () => this.look());
    channel.addEventListener('close', () => this.#closed());
  }

  look() {
    if (this.channel.state === 'reconnecting') this.receiving?.interrupt();
    this.sending[0]?.look();
  }

  send(transfer) {
    this.sending.push(transfer);
    this.look();
  }

  next() {
    this.sending = this.sending.filter((transfer) => !transfer.over);
    this.look();
  }

  say(message) {
    if (['open', 'connecting'].includes(this.channel.state)) this.channel.send(JSON.stringify(message));
  }

  #take(data, session) {
    if (typeof data !== 'string') {
      this.receiving?.contents(data, session);
      return;
    }
    let message;
    try {
      message = readMessage(data);
    } catch (error) {
      this.receiving?._cancel('protocol', error.message);
      this.sending[0]?._cancel('protocol', error.message);
      return;
    }
    if (message.type === 'file') this.files._asked(this, message, session);
    else if (this.sending[0]?.id === message.id) this.sending[0].take(message, session);
    else if (this.receiving?.id === message.id) this.receiving.take(message, session);
  }

  #closed() {
    const why = this.channel.problem;
    this.receiving?.interrupt();
    const code = why?.code in WORDS ? why.code : 'cancelled';
    for (const transfer of this.sending.splice(0)) transfer.lost(problem(code, code === 'cancelled' ? why?.text : ''));
    this.files._closed(this);
  }
}

/**
 * The files of a link: those that are sent with {@link RtcFiles#send}, and those that come.
 *
 * Events: `file` (an {@link RtcFile} began to come, in `detail`).
 */
export class RtcFiles extends EventTarget {
  /** @type {RtcFile[]} those that are not over, and those received whose `blob` was not released */ transfers = [];
  #label;
  #maxBytes;
  #accept;
  #lines = new Set();
  #over = new Map(); // id: a Receiving that is over
  #looking = 0;

  /**
   * @param {import('./rtclink.js').RtcLink} link
   * @param {object} [options]
   * @param {string} [options.label] of the channel on which files are sent: `files`
   * @param {number} [options.maxBytes] that files may have which are received, all that are kept together: 2 GiB
   * @param {(file: {peer: object, name: string, size: number|null, type: string}) => boolean} [options.accept] whether a
   *   file may come; each, unless this is given
   */
  constructor(link, { label = 'files', maxBytes = MAX_BYTES, accept = () => true } = {}) {
    super();
    this.#label = label;
    this.#maxBytes = maxBytes;
    this.#accept = accept;
    const follow = (channel) => channel.protocol === PROTOCOL && this.#lines.add(new Line(this, channel));
    for (const peer of link.peers.values()) peer.channels.forEach(follow);
    link.addEventListener('channel', ({ detail: { channel } }) => follow(channel));
    link.addEventListener('peerleft', ({ detail: peer }) => {
      for (const transfer of this.transfers)
        if (transfer.peer === peer && !transfer.sending && !transfer.over) transfer.fail(problem('peer-left'));
    });
  }

  /**
   * Sends a file to a peer, after those that were given before. It is read as it is sent.
   * @param {import('./rtclink.js').RtcPeer} peer
   * @param {File|Blob} file
   * @returns {RtcFile}
   */
  send(peer, file) {
    const own = ({ channel }) => channel.peer === peer && !channel.remote && channel.label === this.#label;
    let line = [...this.#lines].find((l) => own(l) && !['closing', 'closed'].includes(l.channel.state));
    if (!line) {
      line = new Line(this, peer.openChannel(this.#label, { protocol: PROTOCOL }));
      this.#lines.add(line);
    }
    const transfer = new Sending(line, file);
    this.#add(transfer);
    line.send(transfer);
    return transfer;
  }

  /** Forgets a received file, and lets the browser free its memory. @param {RtcFile} transfer */
  release(transfer) {
    transfer.release?.();
    this.#sweep();
  }

  #add(transfer) {
    this.transfers.push(transfer);
    transfer.addEventListener('state', () => transfer.over && this.#ended(transfer));
    this.#looking ||= setInterval(() => this.#look(), LOOK);
  }

  #ended(transfer) {
    if (!transfer.sending) {
      this.#over.set(transfer.id, transfer);
      if (this.#over.size > MOST_REMEMBERED) this.#over.delete(this.#over.keys().next().value);
    }
    this.#sweep();
  }

  #sweep() {
    this.transfers = this.transfers.filter((t) => !t.over || t.blob);
    if (this.transfers.some((t) => !t.over)) return;
    clearInterval(this.#looking);
    this.#looking = 0;
  }

  /* Gives up on those that stand still. One that waits for its turn, or for its connection, does not. */
  #look() {
    const since = performance.now() - STILL;
    for (const transfer of this.transfers) {
      const turn = !transfer.sending || [...this.#lines].some((l) => l.sending[0] === transfer && l.channel.state === 'open');
      if (transfer.over || transfer.state === 'interrupted' || !turn) transfer.movedAt = performance.now();
      else if (transfer.movedAt < since) transfer._cancel('cancelled', 'nothing moved for a minute');
    }
  }

  /** @internal */
  _mayHold(bytes, grows) {
    const held = this.transfers.reduce((sum, t) => sum + (t.held ?? 0), 0);
    return !grows || held + bytes <= this.#maxBytes;
  }

  /** @internal */
  _closed(line) {
    this.#lines.delete(line);
  }

  /** @internal A sender has a file, or still has it. */
  _asked(line, message, session) {
    const { peer } = line;
    const { id } = message;
    const going = line.receiving;
    const known = this.#over.get(id) ?? this.transfers.find((t) => t.id === id && !t.sending);
    if (going && going.id !== id) going.interrupt();
    if (known && known.peer === peer) {
      known.begin(line, session);
      return;
    }
    const refuse = (code, reason) => line.say({ type: 'cancel', id, code, reason });
    const size = message.size ?? null;
    let transfer;
    try {
      transfer = new Receiving(this, peer, message);
    } catch (error) {
      refuse('refused', error.message);
      return;
    }
    if (known) refuse('refused', 'another file has its id');
    else if (this.transfers.filter((t) => !t.sending && !t.over).length >= MOST_RECEIVED)
      refuse('refused', `${MOST_RECEIVED} files are being received already`);
    else if (!this._mayHold(size ?? 0, true)) refuse('too-large', 'it is larger than there is room for here');
    else if (!this.#accept({ peer, name: transfer.name, size, type: transfer.type })) refuse('refused', 'it is not wanted');
    else {
      this.#add(transfer);
      transfer.begin(line, session);
      this.dispatchEvent(new CustomEvent('file', { detail: transfer }));
    }
  }
}
