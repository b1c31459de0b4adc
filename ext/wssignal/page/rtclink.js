/* rtclink.js: a client of the rtclink signaling protocol (version 1) and of the WebRTC sessions that it sets up.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One module without dependencies. docs/rtclink-js.md has its API with an example; docs/design/signaling-protocol.md
 * has the protocol. Times are in milliseconds unless a name says otherwise.
 *
 * A session is negotiated once. Whatever changes later (a stream more, a link that broke) makes a new session beside
 * the old one, which goes on until the new one has media: so the picture stays, and no message of an old negotiation
 * can harm a new one. With a peer that can, a path that broke is replaced in the session that is there (ICE restart).
 */

const VERSION = 1;
const BACKOFF_FIRST = 500;
const BACKOFF_MOST = 30000;
const OPEN_TIMEOUT = 10000; // from new WebSocket to welcome
const CHECK_TIMEOUT = 3000; // an answer to the ping sent when the page wakes up
const SETUP_TIMEOUT = 15000; // from the offer to a connection
const OFFER_WAIT = 10000; // for an offer of the other side, before asking for one
const DISCONNECTED_WAIT = 3000; // ICE often recovers by itself from less
const RESTART_WAIT = 18000; // the same, where ICE can be restarted on the connection that is there
const RESTART_AGAIN = 2000; // an attempt has to be under way when the network returns
const SAME_RESTART = 500; // what both sides ask for is one restart
const ANSWER_LOST = 10000; // until then one that is missing is on its way
const FLOW_STEP = 1000;
const FLOW_STEADY = 5; // steps with media in each: from then on, silence means something
const FLOW_SILENT = 3; // steps without any: ICE itself takes twice as long to notice
const STABLE_AFTER = 10000; // connected for this long: forget earlier failures
const MEDIA_POLL = 100;
const MEDIA_WAIT = 5000; // for the first media of a new session, before the old one is given up anyway
const MAX_SDP = 60000; // bytes, a limit of the protocol
const MAX_HELD = 128; // candidates before the description, outgoing messages while there is no server
const START_BITRATE = 1500; // kbit/s
const SECTION_ID = 254; // of the channel that nobody uses, see Session
const MAX_BUFFERED = 1 << 20; // bytes of messages that wait to be sent
const CLOSE_WAIT = 500; // a channel that closes is the first to know that its connection is gone
const REOPEN_WAIT = 10000; // for the other side to open its channels again on a new connection

/** The lines for what this side may send later: see {@link RtcLink#setTrack}. */
export const DEFAULT_SPARES = Object.freeze([
  Object.freeze({ name: 'camera', kind: 'video' }),
  Object.freeze({ name: 'screen', kind: 'video' }),
  Object.freeze({ name: 'microphone', kind: 'audio' }),
]);

/**
 * How long to wait before the next attempt.
 * @param {number} attempt 0 for the first wait
 * @param {() => number} [random]
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  const full = Math.min(BACKOFF_FIRST * 2 ** Math.min(attempt, 16), BACKOFF_MOST);
  return full * (1 - random() / 2);
}

const WORDS = {
  'bad-message': 'The server did not understand this page. Reload it, so that both are of the same version.',
  'unknown-type': 'The server did not understand this page. Reload it, so that both are of the same version.',
  'unsupported-version': 'This page and the server are of different versions. Reload the page.',
  unauthorized: 'This server asks for an access token, and has not been given the right one.',
  'room-full': 'The room is full. It will be tried again.',
  'unknown-peer': 'The other side has just left.',
  'resume-failed': 'The server no longer knows this page. It joins again.',
  timeout: 'The server heard nothing from this page for too long.',
  overflow: 'This page could not keep up with the messages of the server.',
  replaced: 'This page was opened again somewhere else, with the same identity. Reload it to use it here.',
  'server-unreachable': 'The server does not answer. Is the pipeline running?',
  'server-silent': 'Nothing has come from the server for too long.',
  'bad-sdp': 'The other side could not use the connection offer of this browser.',
  'bad-candidate': 'The other side could not use a network address of this browser.',
  'no-common-codec':
    'This browser cannot decode what is sent. Encode the video as VP8 (vp8enc), which every browser has, or use ' +
    'another browser. Firefox has H.264 only once its OpenH264 plugin is installed (about:addons, Plugins).',
  'fingerprint-mismatch':
    'The certificate of the other side is not the one that it announced. Someone may be intercepting the ' +
    'connection, so nothing was shown.',
  'setup-failed': 'The other side could not set up the connection.',
  'too-many-peers': 'The other side serves as many viewers as it may (max-peers). Try again later.',
  'no-answer': 'The other side did not answer.',
  'no-offer': 'The other side made no offer.',
  'ice-failed':
    'No network path to the other side was found. A firewall may block UDP between the two, or a TURN server is ' +
    'needed.',
  disconnected: 'The connection to the other side was interrupted.',
  'offer-too-large': 'The other side sends more streams than one connection can describe.',
  'browser-refused': 'This browser refused the connection description.',
  'no-webrtc': 'This browser has no WebRTC, or it is switched off.',
  'no-data-channels': 'The other side has no data channels.',
  'channel-closed': 'The other side closed the channel. It does so when nothing there reads it.',
  'channel-failed': 'The channel broke.',
  'peer-left': 'The other side has left.',
  'peer-ended': 'The other side ended the connection.',
};

/**
 * What an error code means, in a sentence for people.
 * @param {string} code of the protocol, or of this module
 * @param {string} [detail] the reason that came with it
 * @returns {string}
 */
export function explain(code, detail) {
  return WORDS[code] ?? (detail || `The connection ended (${code}).`);
}

function problem(code, detail, retry = true) {
  return Object.freeze({ code, text: explain(code, detail), detail: detail || '', retry });
}

const FINAL_FOR_SERVER = new Set(['unsupported-version', 'unauthorized', 'replaced']);
const FINAL_FOR_SESSION = new Set(['no-common-codec', 'fingerprint-mismatch', 'offer-too-large', 'no-webrtc']);

function sessionName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/* The stream ids of an offer are random; the other side would rather know which line is the camera. Only what is
 * sent is rewritten: the ids mean nothing to the transport. */
function nameStreams(sdp, names) {
  return sdp
    .split(/^(?=m=)/m)
    .map((section) => {
      const mid = /^a=mid:(.*?)\r?$/m.exec(section)?.[1];
      const name = names.get(mid);
      if (!name) return section;
      return section.replace(/^a=msid:\S+/gm, `a=msid:${name}`).replace(/^(a=ssrc:\d+ msid:)\S+/gm, `$1${name}`);
    })
    .join('');
}

/* Chromium believes at first that a path takes 300 kbit/s. A camera is 320x180 for six seconds then, and 1280x720 after
 * more than twenty, on any path. It takes the other side's word for more, and notices within a second or two when that
 * was too much; other browsers do not know the parameter. */
function startFaster(sdp) {
  const start = `x-google-start-bitrate=${START_BITRATE}`;
  const raise = (section) => {
    for (const [format, payload] of section.matchAll(/^a=rtpmap:(\d+) (?:VP8|VP9|H264|H265|AV1)\/.*$/gim)) {
      const [known] = new RegExp(`^a=fmtp:${payload} .*$`, 'm').exec(section) ?? [];
      section = known
        ? section.replace(known, () => `${known};${start}`)
        : section.replace(format, () => `${format}\r\na=fmtp:${payload} ${start}`);
    }
    return section;
  };
  return sdp
    .split(/^(?=m=)/m)
    .map((section) => (section.startsWith('m=video') ? raise(section) : section))
    .join('');
}

/* For offers that would be too long: one variant of each codec, without the ways to protect it twice. */
function plainCodecs(kind) {
  const seen = new Set();
  return (RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? []).filter((codec) => {
    const type = codec.mimeType.toLowerCase();
    const line = codec.sdpFmtpLine ?? '';
    if (/\/(red|ulpfec|flexfec-03|cn|telephone-event)$/.test(type)) return false;
    if (/packetization-mode=0/.test(line) || (type === 'video/h264' && !/packetization-mode/.test(line))) return false;
    if (/\/(vp9|av1)$/.test(type) && /profile(-id)?=[1-9]/.test(line)) return false;
    const key = type + (/profile-level-id=(\w\w)/.exec(line)?.[1] ?? '');
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * A stream that a peer sends. It outlives the connection that carries it: when a new session takes over, `track`
 * changes.
 *
 * Events: `track` (there is another `track`), `problem` (`problem` changed).
 */
export class RtcStream extends EventTarget {
  /** @type {RtcPeer} */ peer;
  /** @type {'video'|'audio'} */ kind;
  /** @type {number} place among the streams of this kind, from 0 */ index;
  /** @type {MediaStreamTrack|null} */ track = null;
  /** @type {RTCRtpReceiver|null} */ receiver = null;
  /** @type {{code: string, text: string, detail: string}|null} why there is no such stream */ problem = null;
  #last = null;

  constructor(peer, kind, index) {
    super();
    this.peer = peer;
    this.kind = kind;
    this.index = index;
  }

  /** @internal */
  _set(transceiver) {
    const track = transceiver?.receiver.track ?? null;
    if (track === this.track) return;
    this.track = track;
    this.receiver = transceiver?.receiver ?? null;
    this.#last = null;
    this.dispatchEvent(new Event('track'));
  }

  /** @internal */
  _fail(why) {
    if (why?.code === this.problem?.code && why?.detail === this.problem?.detail) return;
    this.problem = why;
    this.dispatchEvent(new Event('problem'));
  }

  /** @internal Figures from a stats report: rates are since the call before. */
  _measure(report, roundTrip) {
    let now = null;
    for (const s of report.values())
      if (s.type === 'inbound-rtp' && s.kind === this.kind && s.trackIdentifier === this.track?.id) now = s;
    if (!now) return null;
    const last = this.#last ?? {};
    this.#last = now;
    const since = (name) => (now[name] ?? 0) - (last[name] ?? 0);
    const seconds = last.timestamp ? (now.timestamp - last.timestamp) / 1000 : 0;
    const rate = (name) => (seconds > 0 ? since(name) / seconds : null);
    const received = since('packetsReceived');
    const lost = Math.max(0, since('packetsLost'));
    const emitted = since('jitterBufferEmittedCount');
    const codec = report.get(now.codecId);
    return {
      kind: this.kind,
      codec: codec?.mimeType?.split('/')[1] ?? null,
      width: now.frameWidth ?? null,
      height: now.frameHeight ?? null,
      framesPerSecond: this.kind === 'video' ? rate('framesDecoded') : null,
      framesDecoded: now.framesDecoded ?? null,
      framesDropped: now.framesDropped ?? null,
      bitrate: seconds > 0 ? rate('bytesReceived') * 8 : null,
      packetsReceived: now.packetsReceived ?? 0,
      packetsLost: now.packetsLost ?? 0,
      loss: received + lost > 0 ? lost / (received + lost) : null,
      jitter: now.jitter !== undefined ? now.jitter * 1000 : null,
      jitterBufferDelay: emitted > 0 ? (since('jitterBufferDelay') / emitted) * 1000 : null,
      roundTrip,
      audioLevel: this.kind === 'audio' ? loudness(since, seconds) : null,
      totalAudioEnergy: now.totalAudioEnergy ?? null,
    };
  }
}

/* Root mean square since the last sample: `audioLevel` itself is missing in some browsers. */
function loudness(since, seconds) {
  const duration = since('totalSamplesDuration');
  return seconds > 0 && duration > 0 ? Math.sqrt(Math.max(0, since('totalAudioEnergy')) / duration) : null;
}

function roundTripOf(report) {
  let pair = null;
  let reported = null;
  for (const s of report.values()) {
    if (s.type === 'candidate-pair' && s.state === 'succeeded' && (s.selected || s.nominated)) {
      if (!pair || s.selected || (s.bytesReceived ?? 0) > (pair.bytesReceived ?? 0)) pair = s;
    } else if (/^remote-(in|out)bound-rtp$/.test(s.type) && s.roundTripTime !== undefined) {
      reported = s.roundTripTime;
    }
  }
  const value = pair?.currentRoundTripTime ?? reported;
  return value === null || value === undefined ? null : value * 1000;
}

function hasData(sdp) {
  return /^m=application [1-9]/m.test(sdp);
}

const utf8 = new TextEncoder();

function sizeOf(data) {
  if (typeof data === 'string') return utf8.encode(data).length;
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data.byteLength;
  throw new TypeError('a message is a string, an ArrayBuffer or a view of one; of a Blob, send its arrayBuffer()');
}

/**
 * @typedef {object} RtcChannelInit what a channel is to be like, as for `RTCPeerConnection.createDataChannel()`
 * @property {string} [protocol] free text
 * @property {boolean} [ordered] default true
 * @property {number} [maxRetransmits] how often a message is sent again at most; 0 to 65535
 * @property {number} [maxPacketLifeTime] how long a message is tried, ms; not together with `maxRetransmits`
 * @property {boolean} [negotiated] the other side opens a channel of the same `id` by itself
 * @property {number} [id] when negotiated: 0 to 1022, but for 254
 * @property {number} [maxBuffered] bytes that may wait to be sent, default 1 MiB
 */

/**
 * A data channel with a peer. It outlives the connection that carries it: on another one it is opened again.
 *
 * Events: `state` (`state` or `problem` changed), `open` (for the first time), `reopen` (on another connection; in
 * `detail.unsent` the bytes that the old one had not sent), `message` (a `MessageEvent`: `data` is a string or an
 * `ArrayBuffer`, `session` the name of the connection's session), `bufferedamountlow`, `refused` (a message that waited for the channel to open turned out to be too
 * large, or it never opened; in `detail` its `data`), `close`.
 */
export class RtcChannel extends EventTarget {
  /** @type {RtcPeer} */ peer;
  /** @type {string} */ label;
  /** @type {string} */ protocol;
  /** @type {boolean} */ ordered;
  /** @type {number|null} */ maxRetransmits;
  /** @type {number|null} ms */ maxPacketLifeTime;
  /** @type {boolean} */ negotiated;
  /** @type {boolean} whether the other side opened it */ remote;
  /**
   * `connecting` for the first time: what is sent waits; `open`; `reconnecting`: the connection broke, or is not there
   * yet again; `closing`; `closed`, for ever.
   * @type {'connecting'|'open'|'reconnecting'|'closing'|'closed'}
   */
  state = 'connecting';
  /** @type {{code: string, text: string, detail: string}|null} why it is closed, when not by us */ problem = null;
  /** @type {number} bytes that may wait to be sent */ maxBuffered;
  /** Of all connections together; `refused` counts messages that send() did not take. */
  counters = { messagesSent: 0, bytesSent: 0, messagesReceived: 0, bytesReceived: 0, refused: 0 };
  #carriers = []; // {native, session, error}: the newest last
  #held = []; // {data, size}
  #heldBytes = 0;
  #wasOpen = false;
  #unsent = 0;
  #closing = false;
  #low;

  /** @internal */
  constructor(peer, label, init, remote) {
    super();
    const { maxBuffered = MAX_BUFFERED } = init;
    this.peer = peer;
    this.label = label;
    this.protocol = init.protocol ?? '';
    this.ordered = init.ordered ?? true;
    this.maxRetransmits = init.maxRetransmits ?? null;
    this.maxPacketLifeTime = init.maxPacketLifeTime ?? null;
    this.negotiated = init.negotiated ?? false;
    this.remote = remote;
    this.maxBuffered = maxBuffered;
    this.#low = Math.min(65536, maxBuffered >> 1);
    this.init = init;
  }

  get #usable() {
    return this.#carriers.findLast(
      ({ native, session }) => native.readyState === 'open' && !session.failed && !session.over,
    );
  }

  get #carrier() {
    return this.#usable ?? this.#carriers.at(-1) ?? null;
  }

  get #open() {
    return this.state === 'open' && this.#carrier?.native.readyState === 'open';
  }

  /** On the connection in use. @type {number|null} */
  get id() {
    return this.#carrier?.native.id ?? null;
  }

  /** The name of the connection's session that is sent over, `null` while there is none. @type {string|null} */
  get session() {
    return this.#carrier?.session.id ?? null;
  }

  /** Bytes that were given to send() and have not left. @type {number} */
  get bufferedAmount() {
    return this.#heldBytes + (this.#carrier?.native.bufferedAmount ?? 0);
  }

  /** Bytes: as few, or fewer, and `bufferedamountlow` is told. @type {number} */
  get bufferedAmountLowThreshold() {
    return this.#low;
  }

  set bufferedAmountLowThreshold(bytes) {
    this.#low = bytes;
    for (const { native } of this.#carriers) native.bufferedAmountLowThreshold = bytes;
  }

  /** The largest message that the two sides can pass, in bytes; null before there is a connection. @type {number|null} */
  get maxMessageSize() {
    return this.#carrier?.session.pc.sctp?.maxMessageSize ?? null;
  }

  /** Whether every message is to arrive. @type {boolean} */
  get reliable() {
    return this.maxRetransmits === null && this.maxPacketLifeTime === null;
  }

  /**
   * Sends one message. One that is sent before the channel is open waits; after that, while there is no connection,
   * those of a reliable channel wait, and the others are not taken: they would come too late.
   * @param {string|ArrayBuffer|ArrayBufferView} data
   * @returns {boolean} false: not taken, since too much waits already ({@link RtcChannel#drained} tells when it does
   *   not)
   * @throws {TypeError} larger than the other side takes, or no message at all
   * @throws {DOMException} InvalidStateError: it is closed
   */
  send(data) {
    const size = sizeOf(data);
    if (this.#closing || this.state === 'closing' || this.state === 'closed')
      throw new DOMException(`the channel "${this.label}" is ${this.state}`, 'InvalidStateError');
    const most = this.maxMessageSize;
    if (most && size > most)
      throw new TypeError(`the message has ${size} bytes; the other side takes ${most} in one, so send it in parts`);
    const waiting = this.bufferedAmount;
    const late = this.state === 'reconnecting' && !this.reliable;
    if (late || (waiting > 0 && waiting + size > this.maxBuffered) || !this.#pass(data, size)) {
      this.counters.refused++;
      return false;
    }
    return true;
  }

  #pass(data, size) {
    if (!this.#open) {
      this.#held.push({ data: typeof data === 'string' ? data : copyOf(data), size });
      this.#heldBytes += size;
      return true;
    }
    try {
      this.#carrier.native.send(data);
    } catch (error) {
      if (error.name === 'OperationError') return false; // the browser's own buffer is full
      throw error;
    }
    this.counters.messagesSent++;
    this.counters.bytesSent += size;
    return true;
  }

  /**
   * Waits until there is room again: little waits (`bufferedAmountLowThreshold`), and the channel is open.
   * @returns {Promise<void>} rejected when it closes
   */
  drained() {
    return new Promise((resolve, reject) => {
      const types = ['bufferedamountlow', 'open', 'reopen', 'close'];
      const look = () => {
        const room = this.#open && this.bufferedAmount <= this.#low;
        if (!room && this.state !== 'closed') return;
        for (const type of types) this.removeEventListener(type, look);
        if (room) resolve();
        else reject(new DOMException(`the channel "${this.label}" is closed`, 'InvalidStateError'));
      };
      for (const type of types) this.addEventListener(type, look);
      look();
    });
  }

  /** Closes it, once what was sent has left. */
  close() {
    if (this.#closing || this.state === 'closed') return;
    this.#closing = true;
    if (this.state === 'connecting' && this.#held.length > 0) return; // it is to open first
    this.#shut();
  }

  #shut() {
    const carriers = this.#carriers.filter(({ native }) => native.readyState !== 'closed');
    if (carriers.length === 0 || this.peer.state === 'left') {
      this._finish(null);
      return;
    }
    this.#become('closing');
    for (const { native } of carriers) native.close();
  }

  #become(state, why = this.problem) {
    if (this.state === state && this.problem === why) return;
    this.state = state;
    this.problem = why;
    this.dispatchEvent(new Event('state'));
  }

  /** @internal On a connection that is there. */
  _open(session) {
    if (this.state === 'closed' || this.state === 'closing' || this.remote) return;
    if (!session.data) {
      this._finish(problem('no-data-channels', '', false));
      return;
    }
    const { protocol, ordered, negotiated, init } = this;
    const wanted = { protocol, ordered, negotiated };
    for (const name of ['maxRetransmits', 'maxPacketLifeTime', 'id', 'priority'])
      if (init[name] !== undefined && init[name] !== null) wanted[name] = init[name];
    try {
      this._attach(session.pc.createDataChannel(this.label, wanted), session);
    } catch (error) {
      this._finish(problem('channel-failed', error.message, false));
    }
  }

  /** @internal Whether NATIVE is this channel again, after the other side has opened it on another connection. */
  _matches(native, session) {
    return (
      this.remote &&
      !['closing', 'closed'].includes(this.state) &&
      !this.#carriers.some((carrier) => carrier.session === session) &&
      ['label', 'protocol', 'ordered', 'maxRetransmits', 'maxPacketLifeTime'].every(
        (name) => (this[name] ?? null) === (native[name] ?? null),
      )
    );
  }

  /** @internal */
  _carriedBy(session) {
    return this.#carriers.some((carrier) => carrier.session === session);
  }

  /** @internal */
  _attach(native, session) {
    const carrier = { native, session, error: '' };
    this.#carriers.push(carrier);
    native.binaryType = 'arraybuffer';
    native.bufferedAmountLowThreshold = this.#low;
    native.onmessage = ({ data }) => this.#receive(data, session);
    native.onbufferedamountlow = () => this.dispatchEvent(new Event('bufferedamountlow'));
    native.onerror = ({ error }) => (carrier.error = error?.message ?? '');
    native.onclose = () => this.#closed(carrier);
    native.onopen = () => this.#opened(carrier);
    // One that the other side opened is open, but does not say so again in every browser.
    if (native.readyState === 'open') this.#opened(carrier);
  }

  #receive(data, session) {
    this.counters.messagesReceived++;
    this.counters.bytesReceived += sizeOf(data);
    // What an older connection still brings can be told from what the new one does.
    this.dispatchEvent(Object.assign(new MessageEvent('message', { data }), { session: session.id }));
  }

  #opened(carrier) {
    if (carrier.session.over || carrier.opened || this.state === 'closed') return;
    carrier.opened = true;
    carrier.session.dataUsed = true;
    const again = this.#wasOpen;
    this.#wasOpen = true;
    if (this.state !== 'closing') this.#become('open', null);
    this.#flush();
    if (this.#closing) {
      this.#shut();
      return;
    }
    const unsent = this.#unsent;
    this.#unsent = 0;
    this.dispatchEvent(again ? new CustomEvent('reopen', { detail: { unsent } }) : new Event('open'));
  }

  #flush() {
    const most = this.maxMessageSize;
    while (this.#held.length > 0 && this.#open) {
      const { data, size } = this.#held.shift();
      this.#heldBytes -= size;
      if ((most && size > most) || !this.#pass(data, size)) this.#refuse(data);
    }
  }

  #refuse(data) {
    this.counters.refused++;
    this.dispatchEvent(new CustomEvent('refused', { detail: { data } }));
  }

  #closed(carrier) {
    if (!this.#carriers.includes(carrier)) return;
    const { session, error } = carrier;
    // Where another one carries it, too, this was the end of a connection: a channel is closed on all of them.
    const broken = () => session.over || session.failed || session.pc.sctp?.state === 'closed' || this.#usable;
    if (this.#closing || broken()) {
      this._lost(session);
    } else {
      this.#become('reconnecting');
      setTimeout(() => {
        if (!this.#carriers.includes(carrier)) return;
        if (broken()) this._lost(session);
        else this._finish(error ? problem('channel-failed', error) : problem('channel-closed'));
      }, CLOSE_WAIT);
    }
  }

  /** @internal The connection of SESSION is no more, or of no use. */
  _lost(session) {
    const at = this.#carriers.findIndex((carrier) => carrier.session === session);
    if (at < 0) return;
    const [{ native }] = this.#carriers.splice(at, 1);
    this.#unsent += native.bufferedAmount;
    native.onopen = native.onclose = native.onbufferedamountlow = null;
    if (this.#closing) {
      if (this.#carriers.length === 0) this._finish(null);
    } else if (this.state !== 'closed' && !this.#open) {
      this.#become(this.#wasOpen ? 'reconnecting' : 'connecting');
    }
  }

  /** @internal For ever. */
  _finish(why) {
    if (this.state === 'closed') return;
    for (const { native } of this.#carriers.splice(0)) {
      native.onopen = native.onclose = native.onmessage = native.onbufferedamountlow = null;
      native.close();
    }
    const held = this.#held.splice(0);
    this.#heldBytes = 0;
    this.#become('closed', why);
    for (const { data } of held) this.#refuse(data);
    this.peer._channelClosed(this);
    this.dispatchEvent(new Event('close'));
  }
}

function copyOf(data) {
  return data instanceof ArrayBuffer
    ? data.slice(0)
    : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
}

/* One negotiation and its connection. It tells its peer what happens and decides nothing about what comes next. */
class Session {
  connected = false;
  over = false;
  offered = false;
  receiving = []; // {kind, index, transceiver}
  spares = new Map(); // name: RTCRtpTransceiver
  data = false; // both sides have data channels
  dataUsed = false; // one of them was open
  #sending = new Map(); // name: what its sender was last told to send; it says so itself only once that is done
  #peer;
  #link;
  #held = []; // remote candidates before the remote description
  #early = []; // ours before the offer or answer is sent
  #described = false;
  #timer = 0;
  #flow = 0;
  #packets = 0;
  #steady = 0;
  #silent = 0;
  #restarting = false; // our offer waits for its answer
  #restarted = -Infinity;
  #mending = 0;

  constructor(link, peer, id) {
    this.#link = link;
    this.#peer = peer;
    this.id = id;
  }

  #open() {
    this.pc?.close();
    this.receiving = [];
    this.spares.clear();
    this.#sending.clear();
    const pc = new RTCPeerConnection({ iceServers: this.#link.iceServers, bundlePolicy: 'max-bundle' });
    this.pc = pc;
    pc.addEventListener('icecandidate', (event) => {
      if (pc !== this.pc || this.over) return;
      if (this.offered) this.#sendCandidate(event.candidate);
      else this.#early.push(event.candidate);
    });
    const look = () => pc === this.pc && this.#look();
    pc.addEventListener('connectionstatechange', look);
    pc.addEventListener('iceconnectionstatechange', look);
    pc.addEventListener('datachannel', ({ channel }) => {
      if (pc === this.pc && !this.over) this.#peer._channelFrom(channel, this);
    });
  }

  #sendCandidate(candidate) {
    const to = this.#peer.id;
    if (!candidate || !candidate.candidate) {
      this.#link._send({ type: 'end-of-candidates', to, session: this.id });
      return;
    }
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate;
    this.#link._send({ type: 'candidate', to, session: this.id, candidate: text, sdpMid, sdpMLineIndex });
  }

  #sendDescription(type) {
    const names = new Map();
    for (const [name, transceiver] of this.spares) names.set(transceiver.mid, name);
    const sdp = nameStreams(this.pc.localDescription.sdp, names);
    this.#link._send({ type, to: this.#peer.id, session: this.id, sdp });
    this.offered = true;
    for (const candidate of this.#early.splice(0)) this.#sendCandidate(candidate);
  }

  /* 0: all that may be wanted, 1: with fewer codecs, 2: without the lines for what may be sent later. */
  async #build(level) {
    this.#open();
    const add = (kind, init) => {
      const transceiver = this.pc.addTransceiver(kind, init);
      if (level > 0) transceiver.setCodecPreferences?.(plainCodecs(kind));
      return transceiver;
    };
    for (const kind of ['video', 'audio'])
      for (let index = 0; index < this.#peer.tracks[kind]; index++)
        this.receiving.push({ kind, index, transceiver: add(kind, { direction: 'recvonly' }) });
    if (level < 2)
      for (const { name, kind } of this.#link.spares)
        this.spares.set(name, add(kind, { direction: 'sendonly', streams: [new MediaStream()] }));
    // A browser describes data channels only when it has one. This one is negotiated, by nobody: the other side never
    // hears of it, and any may be opened later without a negotiation. (Firefox has room for ids below 256 at once.)
    this.placeholder = this.pc.createDataChannel('', { negotiated: true, id: SECTION_ID });
    return this.pc.createOffer();
  }

  async offer() {
    this.#wait(SETUP_TIMEOUT, 'no-answer');
    try {
      let offer;
      for (let level = 0; level < 3; level++) {
        offer = await this.#build(level);
        if (this.over) return;
        // The margin is for the candidates that the local description may already have.
        if (new Blob([offer.sdp]).size < MAX_SDP - 4096) break;
        if (level === 2) throw problem('offer-too-large', '', false);
      }
      await this.#fill();
      await this.pc.setLocalDescription(offer);
    } catch (error) {
      this.#fail(error.code && error.text ? error : this.#refusal(error));
      return;
    }
    if (!this.over) this.#sendDescription('offer');
  }

  #refusal(error) {
    if (typeof RTCPeerConnection === 'undefined') return problem('no-webrtc', '', false);
    return problem('browser-refused', error.message);
  }

  async accept(sdp) {
    this.#wait(SETUP_TIMEOUT, 'ice-failed');
    try {
      this.#open();
      await this.#describe('offer', sdp);
      if (this.over) return;
      this.#findData(sdp);
      const count = { video: 0, audio: 0 };
      const spares = [...this.#link.spares];
      for (const transceiver of this.pc.getTransceivers()) {
        const kind = transceiver.receiver.track.kind;
        const section = sdp.split(/^(?=m=)/m).find((s) => new RegExp(`^a=mid:${transceiver.mid}\\r?$`, 'm').test(s));
        const asked = /^a=(sendonly|recvonly|sendrecv|inactive)\r?$/m.exec(section ?? '')?.[1] ?? 'sendrecv';
        if (asked.startsWith('send')) this.receiving.push({ kind, index: count[kind]++, transceiver });
        if (asked === 'recvonly' || asked === 'sendrecv') {
          const at = spares.findIndex((spare) => spare.kind === kind);
          if (at >= 0) {
            transceiver.direction = asked === 'recvonly' ? 'sendonly' : 'sendrecv';
            this.spares.set(spares.splice(at, 1)[0].name, transceiver);
          }
        }
      }
      await this.#addHeld();
      await this.#fill();
      await this.pc.setLocalDescription();
    } catch (error) {
      this.#complain('offer', error);
      this.#fail(this.#refusal(error));
      return;
    }
    if (this.over) return;
    this.#sendDescription('answer');
    this.#described = true;
    this.#peer._described(this);
  }

  #findData(sdp) {
    const { pc } = this;
    this.data = hasData(sdp);
    pc.sctp?.addEventListener('statechange', () => {
      if (pc.sctp?.state !== 'closed' || !this.dataUsed) return;
      // Mostly the first sign that the connection as a whole ends. Alone, it asks for another one just as well.
      setTimeout(() => this.#fail(problem('disconnected')), CLOSE_WAIT);
    });
  }

  #complain(answers, error) {
    const reason = String(error.message).slice(0, 160);
    this.#link._send({ type: 'error', to: this.#peer.id, session: this.id, code: 'bad-sdp', reason, answers });
  }

  /** From the side that offers: ICE anew, and nothing else. The path there was is used until there is another. */
  async restart() {
    const since = performance.now() - this.#restarted;
    if (this.over || this.failed || !this.#described || since < (this.#restarting ? ANSWER_LOST : SAME_RESTART)) return;
    this.#restarting = true;
    this.#restarted = performance.now();
    this.offered = false; // candidates follow their description
    try {
      await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart: true }));
    } catch (error) {
      this.#restarting = false;
      this.#fail(this.#refusal(error));
      return;
    }
    if (!this.over) this.#sendDescription('offer');
  }

  /* What the other side says of itself. */
  #describe(type, sdp) {
    return this.pc.setRemoteDescription({ type, sdp: startFaster(sdp) });
  }

  /** From the other side: an offer to restart ICE. */
  async restartedBy(sdp) {
    if (this.over || this.failed) return;
    this.offered = false;
    try {
      await this.#describe('offer', sdp);
      await this.pc.setLocalDescription();
    } catch (error) {
      this.#complain('offer', error);
      this.#fail(this.#refusal(error));
      return;
    }
    if (!this.over) this.#sendDescription('answer');
  }

  async #restartAnswered(sdp) {
    this.#restarting = false;
    try {
      await this.#describe('answer', sdp);
    } catch (error) {
      this.#complain('answer', error);
      this.#fail(this.#refusal(error));
    }
  }

  async answered(sdp) {
    if (this.#restarting && !this.over) await this.#restartAnswered(sdp);
    if (this.#described || this.over) return;
    this.#described = true;
    // Before the description is taken: on a busy machine there is a connection before the browser has said that it was.
    this.#wait(SETUP_TIMEOUT, 'ice-failed');
    try {
      await this.#describe('answer', sdp);
      if (this.over) return;
      this.#findData(sdp);
      await this.#addHeld();
    } catch (error) {
      this.#complain('answer', error);
      this.#fail(this.#refusal(error));
      return;
    }
    this.#peer._described(this);
  }

  async candidate(init) {
    if (this.over) return;
    if (!this.pc?.remoteDescription) {
      if (this.#held.length < MAX_HELD) this.#held.push(init);
      return;
    }
    // One that cannot be used leaves the others: a link seldom has only one.
    await this.pc.addIceCandidate(init).catch(() => {});
  }

  async #addHeld() {
    for (const init of this.#held.splice(0)) await this.candidate(init);
  }

  async #fill() {
    for (const name of this.spares.keys()) await this.setTrack(name);
  }

  async setTrack(name) {
    const track = this.#link.outgoing.get(name) ?? null;
    const sender = this.spares.get(name)?.sender;
    if (!sender || (this.#sending.get(name) ?? null) === track) return;
    this.#sending.set(name, track);
    await sender.replaceTrack(track);
  }

  /** A line that the other side refused in its answer. */
  refused(line) {
    const direction = line.transceiver.currentDirection;
    return direction === 'stopped' || direction === 'inactive' || direction === 'sendonly';
  }

  /** Nothing passes on any line. */
  get useless() {
    const idle = ({ currentDirection: d }) => d !== 'sendrecv' && d !== 'sendonly' && d !== 'recvonly';
    return !this.data && this.pc.getTransceivers().every(idle);
  }

  async hasMedia() {
    const expected = this.receiving.filter((line) => !this.refused(line));
    if (expected.length === 0) return this.connected;
    const video = expected.some((line) => line.kind === 'video');
    const report = await this.pc.getStats();
    for (const s of report.values())
      if (s.type === 'inbound-rtp' && (video ? s.framesDecoded > 0 : s.packetsReceived > 0)) return true;
    return false;
  }

  /* A stream that flowed steadily and stops at once has lost its sender. One that is paused, too: that costs one new
   * session, which then has nothing to lose. */
  async #watchFlow() {
    if (this.over || this.failed || this.shaky) return;
    let packets = 0;
    for (const s of (await this.pc.getStats()).values())
      if (s.type === 'inbound-rtp') packets += s.packetsReceived ?? 0;
    if (packets > this.#packets) {
      if (this.#silent > 0) this.#steady = 0;
      this.#steady++;
      this.#silent = 0;
    } else if (this.#steady >= FLOW_STEADY && ++this.#silent >= FLOW_SILENT) {
      if (!this.#peer._mend(this)) this.#fail(problem('disconnected'));
      this.#steady = 0;
    }
    this.#packets = packets;
  }

  #look() {
    if (this.over) return;
    const states = [this.pc.connectionState, this.pc.iceConnectionState];
    // Where ICE is restarted, `failed` is no more than what was tried so far.
    if (states.includes('closed') || (states.includes('failed') && !this.#mending)) {
      this.#fail(problem(this.connected ? 'disconnected' : 'ice-failed'));
    } else if (states.includes('disconnected') || states.includes('failed')) {
      if (this.connected && !this.shaky) {
        this.shaky = true;
        this.#mend();
        this.#wait(this.#mending ? RESTART_WAIT : DISCONNECTED_WAIT, 'disconnected');
        this.#peer._changed();
      }
    } else if (this.pc.connectionState === 'connected') {
      clearTimeout(this.#timer);
      clearTimeout(this.#mending);
      this.#mending = 0;
      if (!this.connected) this.#flow = setInterval(() => this.#watchFlow().catch(() => {}), FLOW_STEP);
      this.connected = true;
      this.shaky = false;
      this.#peer._connected(this);
    }
  }

  #mend() {
    clearTimeout(this.#mending);
    this.#mending = this.#peer._mend(this) ? setTimeout(() => this.#mend(), RESTART_AGAIN) : 0;
  }

  #wait(time, code) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(problem(code)), time);
  }

  #fail(why) {
    if (this.over || this.failed) return;
    this.failed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#mending);
    clearInterval(this.#flow);
    this.#peer._failed(this, why);
  }

  /** From the other side. */
  refusedBy(code, reason) {
    this.#fail(problem(code, reason, !FINAL_FOR_SESSION.has(code)));
  }

  close() {
    this.over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#mending);
    clearInterval(this.#flow);
    this.pc?.close();
  }
}

/**
 * Somebody else in the room.
 *
 * Events: `state` (`state` or `problem` changed), `streams` (`streams` has others now), `change` (name, meta or role),
 * `channel` (the other side opened one: `{peer, channel}` in `detail`), `channels` (`channels` has others now).
 */
export class RtcPeer extends EventTarget {
  /** @type {string} */ id;
  displayName = '';
  meta = {};
  role = 'both';
  tracks = { video: 0, audio: 0 };
  /** @type {string|undefined} who offers; undefined when the two have nothing to say to each other */ offerer;
  /**
   * `idle` nothing to connect for; `connecting` for the first time; `live`; `reconnecting` after it was live;
   * `failed`, see `problem`; `ended` the other side ended it; `left`.
   * @type {'idle'|'connecting'|'live'|'reconnecting'|'failed'|'ended'|'left'}
   */
  state = 'idle';
  /** @type {{code: string, text: string, detail: string, retry: boolean}|null} what went wrong last */ problem = null;
  /** @type {number|null} when it is tried again, in the time of `performance.now()` */ retryAt = null;
  /** @type {RtcStream[]} videos first */ streams = [];
  /** @type {RtcChannel[]} those that are not closed, the oldest first */ channels = [];
  /** @type {boolean} whether it can restart ICE on a connection that is there */ restarts = false;
  #link;
  #current = null;
  #next = null;
  #attempt = 0;
  #timer = 0;
  #stable = 0;
  #wasLive = false;
  #ended = false;
  #polling = null;
  #remark = '';
  #reopening = 0;

  constructor(link, info) {
    super();
    this.#link = link;
    this.id = info.peerId;
    this.#read(info);
  }

  #read(info) {
    this.displayName = info.displayName ?? '';
    this.meta = info.meta ?? {};
    this.role = info.role ?? 'both';
    this.offerer = this.#link._wants(this) ? info.offerer : undefined;
    this.tracks = { video: info.tracks?.video ?? 0, audio: info.tracks?.audio ?? 0 };
    this.restarts = info.restart === true;
  }

  /** The connection in use, for what this module does not offer. @type {RTCPeerConnection|null} */
  get connection() {
    return this.#current?.pc ?? null;
  }

  /** The name of the session in use. @type {string|null} */
  get session() {
    return this.#current?.id ?? null;
  }

  /** Tries again now, also after a failure that is not tried again by itself. */
  retry() {
    this.#attempt = 0;
    this.#ended = false;
    this.#start();
  }

  /** Ends the session; both stay in the room. */
  end() {
    const session = this.#next ?? this.#current;
    if (session) this.#link._send({ type: 'bye', to: this.id, session: session.id });
    this._bye(undefined);
  }

  /**
   * Opens a data channel with this peer. Nothing is negotiated for it, and one that is opened before there is a
   * connection waits for that.
   * @param {string} label
   * @param {RtcChannelInit} [init]
   * @returns {RtcChannel}
   */
  openChannel(label, init = {}) {
    const { negotiated, id, maxRetransmits: retransmits, maxPacketLifeTime: lifetime } = init;
    if ((retransmits ?? null) !== null && (lifetime ?? null) !== null)
      throw new TypeError('maxRetransmits and maxPacketLifeTime: only one of the two can be asked for');
    if (negotiated && !(Number.isInteger(id) && id >= 0 && id <= 1022 && id !== SECTION_ID))
      throw new TypeError(`a negotiated channel needs an id from 0 to 1022 other than ${SECTION_ID}, not ${id}`);
    if (this.gone) throw new DOMException('the peer has left', 'InvalidStateError');
    const channel = new RtcChannel(this, String(label), { ...init }, false);
    this.#addChannel(channel);
    if (this.#current && !this.#current.failed) channel._open(this.#current);
    return channel;
  }

  #addChannel(channel) {
    this.channels = [...this.channels, channel];
    this.dispatchEvent(new Event('channels'));
  }

  /** @internal */
  _channelClosed(channel) {
    this.channels = this.channels.filter((c) => c !== channel);
    this.dispatchEvent(new Event('channels'));
  }

  /** @internal The other side opened one, on a session that may not be in use yet. */
  _channelFrom(native, session) {
    const known = this.channels.find((channel) => channel._matches(native, session));
    if (known) {
      known._attach(native, session);
      return;
    }
    const channel = new RtcChannel(this, native.label, native, true);
    this.#addChannel(channel);
    const detail = Object.freeze({ peer: this, channel });
    this.dispatchEvent(new CustomEvent('channel', { detail }));
    this.#link.dispatchEvent(new CustomEvent('channel', { detail }));
    channel._attach(native, session);
  }

  /* Ours are opened again at once. The other side's are its to open. */
  #moveChannels(session) {
    for (const channel of this.channels) channel._open(session);
  }

  #awaitChannels(session) {
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => {
      if (session !== this.#current || session.failed) return;
      for (const channel of this.channels)
        if (channel.remote && !channel._carriedBy(session)) channel._finish(problem('channel-closed'));
    }, REOPEN_WAIT);
  }

  /* Ours wait for another session; whether there will be one of the other side's again, nobody knows. */
  #endChannels() {
    for (const channel of this.channels) if (channel.remote) channel._finish(problem('peer-ended'));
  }

  #loseChannels(session) {
    for (const channel of this.channels) channel._lost(session);
  }

  /**
   * Figures of every stream that arrives; rates are since the last call, so call it once a second from one place.
   * @returns {Promise<Map<RtcStream, object>>}
   */
  async stats() {
    const figures = new Map();
    const pc = this.#current?.pc;
    if (!pc || pc.signalingState === 'closed') return figures;
    const report = await pc.getStats();
    const roundTrip = roundTripOf(report);
    for (const stream of this.streams) {
      const f = stream._measure(report, roundTrip);
      if (f) figures.set(stream, f);
    }
    return figures;
  }

  /** @internal */
  _update(info, fresh) {
    const before = JSON.stringify([this.offerer, this.tracks]);
    this.#read(info);
    if (before !== JSON.stringify([this.offerer, this.tracks]) || fresh) {
      this.#ended = false;
      this.#attempt = 0;
      this.#start();
    }
    this.dispatchEvent(new Event('change'));
  }

  /** @internal */
  _begin() {
    this.#start();
  }

  #start() {
    clearTimeout(this.#timer);
    this.retryAt = null;
    this.problem = null;
    this.#close(this.#next);
    this.#next = null;
    if (!this.offerer) {
      this.#drop();
      this.#endChannels();
    } else if (this.offerer === this.#link.peerId) {
      this.#remark = '';
      this.#next = new Session(this.#link, this, sessionName());
      this.#next.offer();
    } else if (this.#current || this.#attempt > 0) {
      this.#ask();
    } else {
      this.#timer = setTimeout(() => this.#ask(), OFFER_WAIT);
    }
    this._changed();
  }

  #ask() {
    this.#link._send({ type: 'offer-request', to: this.id, session: this.#current?.id });
    this.#timer = setTimeout(() => this.#failure(problem('no-offer')), OFFER_WAIT);
  }

  #drop() {
    clearTimeout(this.#polling);
    clearTimeout(this.#stable);
    clearTimeout(this.#reopening);
    this.#close(this.#current);
    this.#current = null;
    this.#setStreams([]);
  }

  #close(session) {
    if (!session) return;
    session.close();
    this.#loseChannels(session);
  }

  /** @internal A message from this peer. */
  _message(message) {
    const { type, session: name } = message;
    if (type === 'offer') {
      if (this.offerer !== this.id) return;
      if (name === this.#current?.id) {
        this.#current.restartedBy(String(message.sdp ?? ''));
        return;
      }
      clearTimeout(this.#timer);
      this.#ended = false;
      this.#close(this.#next);
      this.#next = new Session(this.#link, this, name);
      this.#next.accept(String(message.sdp ?? ''));
      this._changed();
      return;
    }
    if (type === 'offer-request') {
      const known = name === undefined || name === this.#current?.id || name === this.#next?.id;
      if (this.offerer === this.#link.peerId && known) {
        if (message.restart === true && name === this.#current?.id) {
          this.#current.restart();
        } else {
          this.#ended = false;
          this.#start();
        }
      }
      return;
    }
    const session = [this.#next, this.#current].find((s) => s && s.id === name);
    if (type === 'error' && name === undefined) {
      // About one stream of several: the session goes on without it.
      this.#remark = String(message.reason ?? '');
      for (const stream of this.streams.filter((s) => s.problem && !s.problem.detail))
        stream._fail(problem(stream.problem.code, this.#remark, false));
    } else if (type === 'bye') {
      if (session || name === undefined) this._bye(message.reason);
    } else if (!session) {
      return; // of a session that is no more
    } else if (type === 'answer') {
      session.answered(String(message.sdp ?? ''));
    } else if (type === 'candidate' && message.candidate) {
      const candidate = String(message.candidate).replace(/^a=/, '');
      session.candidate({ candidate, sdpMid: message.sdpMid, sdpMLineIndex: message.sdpMLineIndex });
    } else if (type === 'error' && message.code !== 'bad-candidate') {
      session.refusedBy(String(message.code), message.reason);
    }
  }

  /** @internal ICE is to be restarted on SESSION. Returns whether that can be done. */
  _mend(session) {
    if (session !== this.#current || !this.restarts) return false;
    if (this.offerer === this.#link.peerId) session.restart();
    else this.#link._send({ type: 'offer-request', to: this.id, session: session.id, restart: true });
    return true;
  }

  /** @internal */
  _bye(reason) {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.retryAt = null;
    this.#close(this.#next);
    this.#next = null;
    this.#drop();
    this.#endChannels();
    this.problem = reason ? { code: 'bye', text: String(reason), detail: '', retry: false } : null;
    this._changed();
  }

  /** @internal The descriptions are exchanged: which streams there will be is known. */
  _described(session) {
    if (session !== this.#next) return;
    if (session.useless) {
      session.refusedBy('no-common-codec', this.#remark);
      return;
    }
    for (const line of session.receiving) {
      const { receiver } = line.transceiver;
      if (line.kind === 'video') {
        // A live picture is worth more than a smooth one: no more buffering than the network's jitter asks for.
        if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
        else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
      }
    }
    if (!this.#current) this.#take(session);
    else this.#pollMedia(session, performance.now() + SETUP_TIMEOUT);
  }

  /* The old session is shown until the new one has a picture. */
  #pollMedia(session, deadline) {
    clearTimeout(this.#polling);
    this.#polling = setTimeout(async () => {
      if (session !== this.#next || session.over) return;
      const ready = await session.hasMedia().catch(() => false);
      if (session !== this.#next || session.over) return;
      if (ready || performance.now() > deadline) this.#take(session);
      else this.#pollMedia(session, deadline);
    }, MEDIA_POLL);
  }

  #take(session) {
    const old = this.#current;
    this.#current = session;
    this.#next = null;
    const kept = session.receiving.map((line) => {
      const stream =
        this.streams.find((s) => s.kind === line.kind && s.index === line.index) ??
        new RtcStream(this, line.kind, line.index);
      const refused = session.refused(line);
      stream._set(refused ? null : line.transceiver);
      stream._fail(refused ? problem('no-common-codec', this.#remark, false) : null);
      return stream;
    });
    this.#setStreams(kept);
    this.#close(old);
    this.#moveChannels(session);
    if (session.connected) this.#awaitChannels(session);
    this._changed();
  }

  #setStreams(streams) {
    const same = streams.length === this.streams.length && streams.every((s, i) => s === this.streams[i]);
    for (const stream of this.streams) if (!streams.includes(stream)) stream._set(null);
    this.streams = streams;
    if (!same) this.dispatchEvent(new Event('streams'));
  }

  /** @internal */
  _connected(session) {
    this.#wasLive = true;
    this.problem = null;
    clearTimeout(this.#stable);
    this.#stable = setTimeout(() => (this.#attempt = 0), STABLE_AFTER);
    if (session === this.#current) this.#awaitChannels(session);
    if (session === this.#next && this.#current) this.#pollMedia(session, performance.now() + MEDIA_WAIT);
    this._changed();
  }

  /** @internal */
  _failed(session, why) {
    if (session === this.#current) {
      // What it showed last stays until there is something new.
      clearTimeout(this.#stable);
      this.#loseChannels(session);
      if (!this.#next) this.#failure(why);
      else this._changed();
    } else if (session === this.#next) {
      this.#close(session);
      this.#next = null;
      this.#failure(why);
    }
  }

  #failure(why) {
    clearTimeout(this.#timer);
    this.problem = why;
    this.retryAt = null;
    if (!why.retry) {
      this.#drop();
    } else if (why.code === 'disconnected' && this.#attempt === 0) {
      this.#attempt++;
      this.#start();
      this.problem = why;
    } else {
      const wait = backoff(this.#attempt++);
      this.retryAt = performance.now() + wait;
      this.#timer = setTimeout(() => this.#start(), wait);
    }
    this._changed();
  }

  /** @internal */
  _changed() {
    const state = this.#derive();
    const key = `${state} ${this.problem?.code} ${this.retryAt}`;
    if (state === this.state && key === this.key) return;
    this.state = state;
    this.key = key;
    this.dispatchEvent(new Event('state'));
  }

  #derive() {
    if (this.gone) return 'left';
    if (this.#ended) return 'ended';
    if (!this.offerer) return 'idle';
    const current = this.#current;
    if (current?.connected && !current.failed && !current.shaky) return 'live';
    if (this.problem && !this.problem.retry) return 'failed';
    if (this.#wasLive) return 'reconnecting';
    return this.problem ? 'failed' : 'connecting';
  }

  /** @internal */
  _setTrack(name) {
    return Promise.all([this.#current, this.#next].map((session) => session?.setTrack(name)));
  }

  /** @internal */
  _leave() {
    this.gone = true;
    clearTimeout(this.#timer);
    this.#close(this.#next);
    this.#drop();
    for (const channel of this.channels) channel._finish(problem('peer-left'));
    this._changed();
  }

  /** @internal Something woke the page up: do not sit out the wait. */
  _check() {
    if (this.retryAt !== null) this.#start();
  }
}

/**
 * A place in a room of a signaling server, and the connections with the peers there.
 *
 * Events: `state` (`state` or `problem` changed), `peer` (a {@link RtcPeer} came, in `detail`), `peerleft` (in
 * `detail`), `channel` (a peer opened one: `{peer, channel}` in `detail`), `outgoing` (what is sent changed), `message`
 * (every message of the server, in `detail`, for the curious).
 */
export class RtcLink extends EventTarget {
  /**
   * `closed` not asked to connect; `connecting`; `joined`; `reconnecting` (media goes on meanwhile); `refused`: the
   * server said no and it is not tried again, see `problem`.
   * @type {'closed'|'connecting'|'joined'|'reconnecting'|'refused'}
   */
  state = 'closed';
  /** @type {{code: string, text: string, detail: string}|null} */ problem = null;
  /** @type {number|null} when it is tried again, in the time of `performance.now()` */ retryAt = null;
  /** @type {string|null} given by the server */ peerId = null;
  /** @type {Map<string, RtcPeer>} */ peers = new Map();
  /** @type {RTCIceServer[]} */ iceServers = [];
  /** @type {Map<string, MediaStreamTrack>} what is sent, by the name of the line */ outgoing = new Map();
  #options;
  #socket = null;
  #resume = null;
  #attempt = 0;
  #retry = 0;
  #opening = 0;
  #pinging = 0;
  #pingInterval = 0;
  #pingTimeout = 0;
  #sentAt = 0;
  #heardAt = 0;
  #queue = [];
  #wanted = false;
  #refusal = null;
  #watching = null;

  /**
   * @param {object} options
   * @param {string} options.url of the server, `ws:` or `wss:`; its path is the room unless `room` is given
   * @param {string} [options.room]
   * @param {string} [options.token]
   * @param {string} [options.displayName]
   * @param {object} [options.meta]
   * @param {'send'|'receive'|'both'} [options.role] default `receive`
   * @param {'prefer'|'accept'|'avoid'} [options.offers] default `prefer`
   * @param {{video: number, audio: number}} [options.tracks] what is sent from the start, for peers that offer
   * @param {{name: string, kind: 'video'|'audio'}[]} [options.spares] lines for {@link RtcLink#setTrack}
   * @param {(peer: RtcPeer) => boolean} [options.want] whether to connect to a peer at all (default: to each); it is
   *   asked again when the peer changes
   * @param {boolean} [options.watchPage] follow the page's life (default): say goodbye when it is left, check the
   *   connections when it comes back or the network does
   */
  constructor(options) {
    super();
    this.#options = { role: 'receive', offers: 'prefer', watchPage: true, ...options };
    this.spares = this.#options.spares ?? DEFAULT_SPARES;
  }

  /** Connects and stays connected until {@link RtcLink#close}, or until the server refuses. */
  connect() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#attempt = 0;
    if (this.#options.watchPage) this.#watch();
    this.#open();
  }

  /** Leaves the room and ends every session. {@link RtcLink#connect} may follow. */
  close() {
    this.#wanted = false;
    this.#send({ type: 'bye' });
    this.#shut(1000);
    this.#resume = null;
    this.peerId = null;
    this.#queue = [];
    this.#removePeers(() => true);
    this.#unwatch();
    this.#become('closed', null);
  }

  /** Changes the token for the next {@link RtcLink#connect}. @param {string} token */
  setToken(token) {
    this.#options.token = token;
  }

  /**
   * Says what changed about this side.
   * @param {{displayName?: string, meta?: object, role?: string, tracks?: {video: number, audio: number}}} what
   */
  update(what) {
    Object.assign(this.#options, what);
    if (this.state === 'joined') this._send({ type: 'update', ...what });
  }

  /**
   * Sends a track to every peer on a line that is there already, or stops: nothing is negotiated. The last call counts,
   * whether or not the one before is done.
   * @param {string} name of the line: `camera`, `screen`, `microphone`, unless `spares` said otherwise
   * @param {MediaStreamTrack|null} track
   */
  async setTrack(name, track) {
    const spare = this.spares.find((s) => s.name === name);
    if (!spare) throw new TypeError(`no line is called "${name}"; there are: ${this.spares.map((s) => s.name)}`);
    if (track && track.kind !== spare.kind) throw new TypeError(`"${name}" takes ${spare.kind}, not ${track.kind}`);
    if (track) this.outgoing.set(name, track);
    else this.outgoing.delete(name);
    this.dispatchEvent(new Event('outgoing'));
    await Promise.all([...this.peers.values()].map((peer) => peer._setTrack(name)));
  }

  /** Finds out at once whether the server is still there, instead of at the next ping. */
  check() {
    if (!this.#wanted) return;
    if (this.retryAt !== null) this.#open();
    else if (this.state === 'joined') {
      this.#send({ type: 'ping' });
      const asked = performance.now();
      setTimeout(() => {
        if (this.state === 'joined' && this.#heardAt < asked) this.#lost(problem('server-silent'));
      }, CHECK_TIMEOUT);
    }
    for (const peer of this.peers.values()) peer._check();
  }

  #become(state, why) {
    this.state = state;
    this.problem = why;
    this.dispatchEvent(new Event('state'));
  }

  #open() {
    clearTimeout(this.#retry);
    this.retryAt = null;
    this.#refusal = null;
    let socket;
    try {
      socket = new WebSocket(this.#options.url);
    } catch (error) {
      this.#wanted = false;
      this.#become('refused', problem('server-unreachable', error.message, false));
      return;
    }
    this.#socket = socket;
    this.#become(this.peerId ? 'reconnecting' : 'connecting', this.problem);
    this.#opening = setTimeout(() => this.#lost(problem('server-unreachable')), OPEN_TIMEOUT);
    socket.onopen = () => (this.#resume ? this.#sendResume() : this.#sendJoin());
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => {
      if (event.code === 1000 || event.code === 1001) this.#resume = null;
      if (event.code === 4000 && !this.#refusal) this.#refusal = { code: event.reason, reason: '' };
      this.#lost(this.#refusal ? problem(this.#refusal.code, this.#refusal.reason) : problem('server-unreachable'));
    };
  }

  #sendJoin() {
    const { room, displayName, meta, role, offers, tracks, token } = this.#options;
    const wishes = { role, offers, tracks, restart: true };
    this.#send({ type: 'join', version: VERSION, room, displayName, meta, ...wishes, token });
  }

  #sendResume() {
    this.#send({
      type: 'resume',
      version: VERSION,
      peerId: this.peerId,
      resume: this.#resume,
      token: this.#options.token,
    });
  }

  #shut(code) {
    clearTimeout(this.#opening);
    clearTimeout(this.#retry);
    clearInterval(this.#pinging);
    this.retryAt = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code) socket.close(code);
    else socket.close();
  }

  #lost(why) {
    this.#shut();
    if (!this.#wanted) return;
    if (FINAL_FOR_SERVER.has(why.code)) {
      this.#wanted = false;
      this.#resume = null;
      this.#become('refused', why);
      return;
    }
    const wait = backoff(this.#attempt++);
    this.retryAt = performance.now() + wait;
    this.#retry = setTimeout(() => this.#open(), wait);
    this.#become(this.peerId ? 'reconnecting' : 'connecting', why);
  }

  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    this.#sentAt = performance.now();
    return true;
  }

  /** @internal */
  _wants(peer) {
    return this.#options.want?.(peer) ?? true;
  }

  /** @internal To a peer: kept while there is no server, since it keeps our place, too. */
  _send(message) {
    if (this.state === 'joined' && this.#send(message)) return;
    if (this.#queue.length < MAX_HELD) this.#queue.push(message);
  }

  #receive(text) {
    this.#heardAt = performance.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    this.dispatchEvent(new CustomEvent('message', { detail: message }));
    if (message.type === 'welcome') this.#welcome(message);
    else if (message.type === 'peers') this.#setPeers(message.peers ?? []);
    else if (message.type === 'joined') this.#joined(message.peer);
    else if (message.type === 'left') this.#removePeers((peer) => peer.id === message.peerId);
    else if (message.type === 'error' && message.from === undefined) this.#error(message);
    else if (message.from !== undefined) this.peers.get(message.from)?._message(message);
  }

  #error(message) {
    if (message.code === 'resume-failed') {
      this.#resume = null;
      this.#sendJoin();
    } else if (message.session !== undefined) {
      // About something sent to a peer; one that just left is told about by `left`.
      this.peers.get(message.to)?._message({ ...message, from: message.to });
    } else {
      // The server closes after those that end the connection; the reason is kept for then.
      this.#refusal = message;
    }
  }

  #welcome(message) {
    this.iceServers = message.iceServers ?? [];
    if (this.state === 'joined') return; // only the ICE servers are new
    clearTimeout(this.#opening);
    this.#attempt = 0;
    this.#refusal = null;
    this.#resume = message.resume ?? null;
    this.peerId = message.peerId;
    this.fresh = !message.resumed;
    this.#pingInterval = message.pingInterval ?? 0;
    this.#pingTimeout = message.pingTimeout ?? 0;
    clearInterval(this.#pinging);
    if (this.#pingInterval > 0) this.#pinging = setInterval(() => this.#ping(), Math.max(100, this.#pingInterval / 4));
    this.#become('joined', null);
    const queue = this.#queue.splice(0);
    if (!this.fresh) for (const kept of queue) this.#send(kept);
  }

  #ping() {
    const now = performance.now();
    if (this.#pingTimeout > 0 && now - this.#heardAt > this.#pingTimeout) this.#lost(problem('server-silent'));
    else if (now - this.#sentAt >= this.#pingInterval * 0.75) this.#send({ type: 'ping' });
  }

  #setPeers(list) {
    const present = new Set(list.map((info) => info.peerId));
    this.#removePeers((peer) => !present.has(peer.id));
    for (const info of list) this.#joined(info, this.fresh);
    this.fresh = false;
  }

  #joined(info, fresh = false) {
    if (!info?.peerId || info.peerId === this.peerId) return;
    const known = this.peers.get(info.peerId);
    if (known) {
      known._update(info, fresh);
      return;
    }
    const peer = new RtcPeer(this, info);
    this.peers.set(peer.id, peer);
    this.dispatchEvent(new CustomEvent('peer', { detail: peer }));
    peer._begin();
  }

  #removePeers(which) {
    for (const peer of [...this.peers.values()].filter(which)) {
      this.peers.delete(peer.id);
      peer._leave();
      this.dispatchEvent(new CustomEvent('peerleft', { detail: peer }));
    }
  }

  /* A page that is left may be kept whole and shown again (back/forward cache): it then joins anew. */
  #watch() {
    const check = () => document.visibilityState === 'visible' && this.check();
    const listeners = [
      [window, 'online', () => this.check()],
      [document, 'visibilitychange', check],
      [window, 'pageshow', (event) => (event.persisted && !this.#wanted ? this.connect() : check())],
      [window, 'pagehide', () => this.#hide()],
    ];
    this.#unwatch();
    for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
    this.#watching = listeners;
  }

  #unwatch() {
    for (const [target, type, listener] of this.#watching ?? []) target.removeEventListener(type, listener);
    this.#watching = null;
  }

  #hide() {
    this.close();
    window.addEventListener('pageshow', (event) => event.persisted && this.connect(), { once: true });
  }
}
