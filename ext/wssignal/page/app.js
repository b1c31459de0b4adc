/* The page that wssignalsrc serves.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

import { setUpControl } from '/control.js';
import { setUpData } from '/data.js';
import { $, announce, isOwn, isPage, local, memory, nameOf, notice, session, setIcon, setLabel, setText } from '/dom.js';
import { RtcLink } from '/rtclink.js';

const room = decodeURIComponent(location.pathname.replace(/^\//, ''));
const tokenKey = `rtclink token ${room}`;
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

function tokenFromAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('token');
}

const link = new RtcLink({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`,
  room,
  token: tokenFromAddress() ?? memory.get(session, tokenKey) ?? undefined,
  displayName: 'Web page',
  meta: { client: 'page' },
  role: 'receive',
  offers: 'prefer',
  // One page shows pipelines, not other pages.
  want: (peer) => !isPage(peer),
});

/* A pipeline that only receives has nothing for a page that only receives, and is left alone. Once there is something
 * to send, and nobody else to send it to, the page becomes one that sends, too. */
function chooseRole() {
  const peers = [...link.peers.values()].filter((peer) => !isPage(peer));
  const sending = link.outgoing.size > 0 || data.wanted || control.wanted;
  const wanted =
    sending && (role === 'both' || (peers.length > 0 && !peers.some((p) => p.offerer))) ? 'both' : 'receive';
  if (wanted === role) return;
  role = wanted;
  link.update({ role });
}

let role = 'receive';
const data = setUpData(link, chooseRole);
const control = setUpControl(link, chooseRole);
// For the console of whoever looks closer, and for tests.
globalThis.rtclink = link;

/* ---- words ---- */

function seconds(until) {
  return Math.max(1, Math.ceil((until - performance.now()) / 1000));
}

function again(retryAt) {
  return retryAt === null ? '' : ` Next try in ${seconds(retryAt)} s.`;
}

/* ---- sound ---- */

const sound = { on: false };

function setSound(on) {
  sound.on = on;
  for (const tile of tiles.values()) tile.showSound();
  showSoundButton();
}

function showSoundButton() {
  const button = $('sound');
  const any = [...tiles.values()].some((tile) => tile.audio);
  button.hidden = !any;
  setText(button.querySelector('.label'), sound.on ? 'Sound off' : 'Sound on');
  setIcon(button, sound.on ? 'sound' : 'mute');
  button.classList.toggle('primary', !sound.on);
  button.title = sound.on ? 'Switch all sound off (m)' : 'Switch the sound on (m)';
}

/* ---- tiles ---- */

/** @type {Map<string, Tile>} */
const tiles = new Map();
let numbersShown = memory.get(local, 'rtclink numbers') !== 'off';

const STATES = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  failed: 'Failed',
  ended: 'Ended',
  left: 'Left',
  idle: 'Idle',
};

const TITLES = {
  'no-common-codec': 'This browser cannot play it',
  'fingerprint-mismatch': 'The connection is not safe',
  'too-many-peers': 'There is no place left',
};

/* What it means and what to do, then what the other side said about it: that names the codec, or the address. */
function inFull(why) {
  if (!why) return '';
  return why.detail && why.detail !== why.text ? `${why.text} (${why.detail.replace(/[.\s]+$/, '')}.)` : why.text;
}

const FIGURES = [
  ['Resolution', (v) => v && v.width && `${v.width} × ${v.height}`],
  ['Frame rate', (v) => v && v.framesPerSecond !== null && `${Math.round(v.framesPerSecond)} fps`],
  ['Bitrate', (v, a) => bits((v?.bitrate ?? 0) + (a?.bitrate ?? 0), v ?? a)],
  ['Lost', (v, a) => percent((v ?? a)?.loss)],
  ['Round trip', (v, a) => time((v ?? a)?.roundTrip)],
  ['Buffer', (v, a) => time((v ?? a)?.jitterBufferDelay)],
  ['Codec', (v, a) => [v?.codec, a?.codec].filter(Boolean).map(codecName).join(' + ')],
];

function bits(rate, known) {
  if (!known || known.bitrate === null) return null;
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(1)} Mbit/s` : `${Math.round(rate / 1000)} kbit/s`;
}

function percent(part) {
  return part === null || part === undefined ? null : `${(part * 100).toFixed(1)} %`;
}

function time(ms) {
  return ms === null || ms === undefined ? null : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function codecName(codec) {
  return { opus: 'Opus', H264: 'H.264', H265: 'H.265' }[codec] ?? codec;
}

class Tile {
  video = null;
  audio = null;
  muted = false;
  level = 0;
  #figures = [];
  #listening = new AbortController();
  #shown = { video: null, audio: null };
  #frames = -1;
  #framesAt = 0;
  #energy = null;
  #idle = 0;

  constructor(peer, place) {
    this.peer = peer;
    this.place = place;
    this.root = $('tile').content.firstElementChild.cloneNode(true);
    const find = (selector) => this.root.querySelector(selector);
    this.part = Object.fromEntries(
      [
        'stage',
        'levels',
        'bars',
        'cover',
        'cover-title',
        'cover-text',
        'retry',
        'bar',
        'name',
        'state',
        'state-words',
        'controls',
        'loudness',
        'mute',
        'volume',
        'more',
        'full',
        'numbers',
      ].map((name) => [name, find(`.${name}`)]),
    );
    const title = `name-${peer.id}-${place}`;
    this.part.name.id = title;
    this.root.setAttribute('aria-labelledby', title);
    this.root.dataset.peer = peer.id;
    for (let i = 0; i < 24; i++) this.part.bars.append(document.createElement('span'));
    for (const [words] of FIGURES) {
      const box = document.createElement('div');
      const dt = document.createElement('dt');
      const dd = document.createElement('dd');
      dt.textContent = words;
      dd.textContent = '–';
      box.append(dt, dd);
      this.part.numbers.append(box);
      this.#figures.push({ box, dd });
    }
    this.speaker = document.createElement('audio');
    this.speaker.autoplay = true;
    this.speaker.muted = true;
    this.part.stage.append(this.speaker);
    this.part.retry.addEventListener('click', () => peer.retry());
    this.part.mute.addEventListener('click', () => this.toggleMute());
    this.part.volume.addEventListener('input', () => {
      this.muted = false;
      this.showSound();
    });
    this.part.more.addEventListener('click', () => showNumbers(!numbersShown));
    this.part.full.addEventListener('click', () => this.toggleFull());
    this.part.stage.addEventListener('dblclick', () => this.toggleFull());
    for (const type of ['pointermove', 'pointerdown', 'keydown']) this.root.addEventListener(type, () => this.#wake());
    this.root.addEventListener('fullscreenchange', () => this.#wake());
    this.showNumbers();
  }

  #wake() {
    this.root.classList.remove('idle');
    clearTimeout(this.#idle);
    if (document.fullscreenElement === this.root) this.#idle = setTimeout(() => this.root.classList.add('idle'), 3000);
  }

  set(video, audio) {
    if (video === this.video && audio === this.audio) return;
    this.#listening.abort();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.video = video;
    this.audio = audio;
    for (const stream of [video, audio]) stream?.addEventListener('track', () => this.#showTracks(), { signal });
    for (const stream of [video, audio]) stream?.addEventListener('problem', () => this.show(), { signal });
    this.#showTracks();
  }

  #showTracks() {
    const { video, audio } = this;
    if (this.#shown.video !== (video?.track ?? null)) {
      this.#shown.video = video?.track ?? null;
      if (this.#shown.video) this.#putVideo(this.#shown.video);
      else this.part.stage.querySelectorAll('video').forEach((v) => this.#dropVideo(v));
    }
    if (this.#shown.audio !== (audio?.track ?? null)) {
      this.#shown.audio = audio?.track ?? null;
      this.#energy = null;
      this.speaker.srcObject = this.#shown.audio ? new MediaStream([this.#shown.audio]) : null;
    }
    this.showSound();
    this.show();
  }

  #dropVideo(element) {
    element.srcObject = null;
    element.remove();
  }

  /* A new connection's picture takes the place of the old one's with its first frame, not before. */
  #putVideo(track) {
    const element = document.createElement('video');
    element.autoplay = true;
    element.muted = true;
    element.playsInline = true;
    element.tabIndex = -1;
    element.setAttribute('aria-label', `Video of ${nameOf(this.peer)}`);
    const older = [...this.part.stage.querySelectorAll('video')];
    element.addEventListener(
      'loadeddata',
      () => {
        element.classList.add('seen');
        older.forEach((v) => this.#dropVideo(v));
        this.show();
      },
      { once: true },
    );
    element.addEventListener('resize', () => {
      this.root.classList.toggle('portrait', element.videoHeight > element.videoWidth);
    });
    element.srcObject = new MediaStream([track]);
    this.part.stage.prepend(element);
    element.play().catch(() => {});
  }

  /** The element that shows the picture, once it has one. */
  get picture() {
    return this.part.stage.querySelector('video.seen');
  }

  get problem() {
    return this.peer.problem ?? (this.video?.problem || (!this.video && this.audio?.problem)) ?? null;
  }

  show() {
    const { peer, part } = this;
    let { state } = peer;
    let words = STATES[state];
    let cover = null;
    const why = this.problem;
    const nothing = peer.streams.length === 0;
    if (state === 'connecting') cover = ['wait', 'Connecting…', ''];
    else if (state === 'ended')
      cover = ['wait', 'The stream has ended', why?.text || 'It will be here again when it is resumed.'];
    else if (state === 'failed')
      cover = ['alert', TITLES[why?.code] ?? 'No connection', inFull(why) + again(peer.retryAt)];
    else if (state === 'reconnecting') {
      if (why) words = `Reconnecting: ${why.text}${again(peer.retryAt)}`;
      if (!this.picture && this.video) cover = ['wait', 'Reconnecting…', why?.text ?? ''];
    } else if (state === 'live') {
      if (nothing && peer.channels.some((channel) => !isOwn(channel)))
        cover = ['data', 'No picture and no sound, but data', 'What it says is in the panel Data.'];
      else if (nothing)
        cover = ['ear', 'Sends nothing, and listens', 'Your microphone, camera and screen can be sent here.'];
      else if (this.video?.problem) {
        cover = ['alert', TITLES[this.video.problem.code] ?? 'No picture', inFull(this.video.problem)];
        state = 'failed';
        words = 'No picture';
      } else if (this.video && !this.picture) cover = ['wait', 'Waiting for the picture…', ''];
      else if (!this.video && this.audio?.problem) {
        cover = ['alert', TITLES[this.audio.problem.code] ?? 'No sound', inFull(this.audio.problem)];
        state = 'failed';
        words = 'No sound';
      } else if (this.video && this.#frames >= 0 && performance.now() - this.#framesAt > 3000) {
        state = 'stalled';
        words = `No new picture for ${Math.round((performance.now() - this.#framesAt) / 1000)} s`;
      }
    }
    this.root.dataset.state = state;
    setText(part['state-words'], words);
    if (cover) {
      setIcon(part.cover, cover[0]);
      setText(part['cover-title'], cover[1]);
      setText(part['cover-text'], cover[2]);
    }
    part.cover.hidden = !cover;
    part.retry.hidden = !(peer.state === 'failed' || peer.state === 'ended');
    part.levels.hidden = !!cover || !!this.video;
    part.full.hidden = !this.video || !!cover;
    part.numbers.classList.toggle('none', nothing);
    part.more.hidden = nothing;
    this.#figures.forEach(({ box }, i) => (box.hidden = i < 2 && !this.video));
    this.root.classList.toggle('sound-only', !this.video && !nothing);
    const count = peer.streams.filter((s) => s.kind === (this.video ? 'video' : 'audio')).length;
    setText(part.name, nameOf(peer) + (count > 1 ? ` (${this.place + 1} of ${count})` : ''));
    setLabel(part.full, `Full screen: ${part.name.textContent}`);
  }

  showSound() {
    const { part } = this;
    const has = !!this.audio && !this.audio.problem;
    part.mute.hidden = part.volume.hidden = part.loudness.hidden = !has;
    const name = nameOf(this.peer);
    const silent = !sound.on || this.muted || part.volume.value === '0';
    this.speaker.muted = silent;
    this.speaker.volume = part.volume.value / 100;
    setIcon(part.mute, silent ? 'mute' : 'sound');
    setLabel(part.mute, silent ? `Switch the sound of ${name} on` : `Mute ${name}`);
    setLabel(part.volume, `Volume of ${name}`);
    if (has && this.speaker.paused && this.speaker.srcObject)
      this.speaker.play().catch((error) => {
        if (error.name === 'NotAllowedError' && sound.on) setSound(false);
      });
  }

  toggleMute() {
    if (!sound.on) {
      // Only this one was asked for.
      for (const other of tiles.values()) if (other !== this) other.muted = true;
      this.muted = false;
      setSound(true);
      return;
    }
    this.muted = !this.muted;
    if (!this.muted && this.part.volume.value === '0') this.part.volume.value = 100;
    this.showSound();
  }

  async toggleFull() {
    const { root } = this;
    if (document.fullscreenElement) {
      await document.exitFullscreen();
    } else if (root.requestFullscreen) {
      await root.requestFullscreen().catch((error) => notice(`Full screen was refused: ${error.message}`));
    } else {
      // iPhones show only a video itself in full screen.
      this.picture?.webkitEnterFullscreen?.();
    }
  }

  showNumbers() {
    this.part.numbers.hidden = !numbersShown;
    this.part.more.setAttribute('aria-pressed', String(numbersShown));
    setLabel(this.part.more, 'Figures of the connection');
  }

  measure(figures) {
    const v = figures.get(this.video) ?? null;
    const a = figures.get(this.audio) ?? null;
    if (v && v.framesDecoded !== this.#frames) {
      this.#frames = v.framesDecoded;
      this.#framesAt = performance.now();
    }
    FIGURES.forEach(([, show], i) => {
      const { dd } = this.#figures[i];
      setText(dd, show(v, a) || '–');
    });
    this.show();
  }

  async measureLevel() {
    const receiver = this.audio?.receiver;
    if (!receiver) return;
    const report = await receiver.getStats().catch(() => null);
    let now = null;
    for (const s of report?.values() ?? []) if (s.type === 'inbound-rtp') now = s;
    if (!now) return;
    const last = this.#energy;
    this.#energy = now;
    const duration = (now.totalSamplesDuration ?? 0) - (last?.totalSamplesDuration ?? 0);
    if (!last || duration <= 0) return;
    // Chromium measures nothing while the sound is off, but knows what the sender wrote beside each packet.
    const told = receiver.getSynchronizationSources?.()[0]?.audioLevel ?? 0;
    const rms = Math.max(told, Math.sqrt(Math.max(0, now.totalAudioEnergy - last.totalAudioEnergy) / duration));
    // -60 dB and below is nothing, 0 dB is all of it.
    this.level = Math.min(1, Math.max(0, 1 + (20 * Math.log10(rms || 1e-9)) / 60));
    this.part.loudness.firstElementChild.style.transform = `scaleX(${this.level.toFixed(3)})`;
    if (!this.video) {
      const lit = Math.round(this.level * this.part.bars.children.length);
      [...this.part.bars.children].forEach((bar, i) => bar.classList.toggle('lit', i < lit));
    }
  }

  remove() {
    this.#listening.abort();
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    this.part.stage.querySelectorAll('video').forEach((v) => this.#dropVideo(v));
    this.speaker.srcObject = null;
    this.root.remove();
  }
}

/* A camera comes with its microphone: the first video and the first sound of a peer share a tile, and so on. */
function layOut() {
  const wanted = new Map();
  for (const peer of link.peers.values()) {
    if (peer.state === 'idle') continue;
    const of = (kind) => peer.streams.filter((s) => s.kind === kind);
    const [videos, audios] = [of('video'), of('audio')];
    for (let i = 0; i < Math.max(videos.length, audios.length, 1); i++)
      wanted.set(`${peer.id} ${i}`, { peer, place: i, video: videos[i] ?? null, audio: audios[i] ?? null });
  }
  for (const [key, tile] of tiles) {
    if (!wanted.has(key)) {
      tile.remove();
      tiles.delete(key);
    }
  }
  for (const [key, { peer, place, video, audio }] of wanted) {
    let tile = tiles.get(key);
    if (!tile) {
      tile = new Tile(peer, place);
      tiles.set(key, tile);
      $('tiles').append(tile.root);
    }
    tile.set(video, audio);
    tile.show();
  }
  $('tiles').dataset.count = tiles.size;
  showSoundButton();
  showServer();
}

function showNumbers(on) {
  numbersShown = on;
  memory.set(local, 'rtclink numbers', on ? 'on' : 'off');
  for (const tile of tiles.values()) tile.showNumbers();
}

/* ---- the room ---- */

function showServer() {
  const { state, problem } = link;
  const chip = $('server');
  const others = [...link.peers.values()].filter((peer) => isPage(peer)).length;
  const listener = [...link.peers.values()].find((peer) => peer.state === 'idle' && !isPage(peer));
  chip.dataset.state = state;
  const words = {
    closed: 'Not connected',
    connecting: 'Connecting…',
    joined: others > 0 ? `Connected · ${others} other viewer${others > 1 ? 's' : ''}` : 'Connected',
    reconnecting: 'Server lost, reconnecting…',
    refused: 'Refused',
  };
  setText($('server-words'), words[state]);
  chip.title = problem ? problem.text : '';
  const empty = tiles.size === 0;
  $('empty').hidden = !empty;
  $('empty').dataset.state = state;
  if (!empty) return;
  const retry = $('empty-retry');
  retry.hidden = true;
  setIcon($('empty'), 'wait');
  if (state === 'joined' && listener) {
    setIcon($('empty'), 'ear');
    setText($('empty-title'), `${nameOf(listener)} listens`);
    setText($('empty-text'), 'It sends nothing. Switch your microphone, camera or screen on to send to it.');
  } else if (state === 'joined') {
    setText($('empty-title'), 'Waiting for a stream');
    setText(
      $('empty-text'),
      `Nobody sends in ${room ? `the room “${room}”` : 'this room'} yet. ` +
        'The picture appears here by itself as soon as a pipeline does.',
    );
  } else if (state === 'refused') {
    setIcon($('empty'), 'alert');
    setText($('empty-title'), 'The server refused this page');
    setText($('empty-text'), problem.text + (problem.detail ? ` (${problem.detail})` : ''));
    retry.hidden = false;
  } else if (problem) {
    setIcon($('empty'), 'alert');
    setText($('empty-title'), 'The server does not answer');
    setText($('empty-text'), problem.text + again(link.retryAt));
    retry.hidden = link.retryAt === null;
  } else {
    setText($('empty-title'), 'Connecting…');
    setText($('empty-text'), '');
  }
}

let lastSaid = '';

link.addEventListener('state', () => {
  showServer();
  const words = {
    joined: 'Connected to the server.',
    reconnecting: 'The server was lost. What is shown goes on meanwhile.',
    refused: link.problem?.text,
  }[link.state];
  if (words && link.state !== lastSaid) announce(words);
  lastSaid = link.state;
  if (link.state === 'refused' && link.problem.code === 'unauthorized') askToken();
  if (link.state === 'joined' && $('ask').open) $('ask').close();
});

link.addEventListener('peer', ({ detail: peer }) => {
  let said = peer.state;
  peer.addEventListener('state', () => {
    layOut();
    if (peer.state === said) return;
    said = peer.state;
    if (['live', 'reconnecting', 'failed', 'ended'].includes(said))
      announce(`${nameOf(peer)}: ${STATES[said]}${peer.problem ? ` ${peer.problem.text}` : ''}`);
  });
  peer.addEventListener('streams', layOut);
  peer.addEventListener('channels', layOut);
  peer.addEventListener('change', layOut);
  layOut();
});

link.addEventListener('peerleft', ({ detail: peer }) => {
  if (peer.offerer) announce(`${nameOf(peer)} has left.`);
  layOut();
});

$('empty-retry').addEventListener('click', () => (link.state === 'refused' ? enter() : link.check()));

function enter() {
  link.connect();
}

/* ---- token ---- */

let asked = false;

function askToken() {
  $('ask-wrong').hidden = !asked;
  if (!$('ask').open) $('ask').showModal();
  $('token').select();
}

$('ask-form').addEventListener('submit', () => {
  asked = true;
  const token = $('token').value;
  memory.set(session, tokenKey, token);
  link.setToken(token);
  enter();
});

window.addEventListener('hashchange', () => {
  const token = tokenFromAddress();
  if (token === null) return;
  link.setToken(token);
  if (link.state === 'refused') {
    $('ask').close();
    enter();
  }
});

/* ---- what this side sends ---- */

const REASONS = {
  NotAllowedError: 'was not permitted. Allow it in the address bar, then press the button again.',
  NotFoundError: 'was not found. Is one connected?',
  NotReadableError: 'is in use by another program.',
  OverconstrainedError: 'does not offer what is needed.',
  AbortError: 'stopped working.',
};

const SOURCES = {
  microphone: {
    title: 'Microphone',
    kind: 'audio',
    hint: 'speech',
    get: () =>
      navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      }),
  },
  camera: {
    title: 'Camera',
    kind: 'video',
    hint: 'motion',
    get: () =>
      navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
      }),
  },
  screen: {
    title: 'Screen',
    kind: 'video',
    hint: 'detail',
    get: () => navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } } }),
  },
};

const requested = new Set(); // sources that the browser was asked for, and has not given yet

/* The opposite of what its button shows. */
async function toggleSource(name) {
  const source = SOURCES[name];
  if (link.outgoing.has(name)) {
    link.outgoing.get(name).stop();
    await link.setTrack(name, null);
    announce(`${source.title} off.`);
    return;
  }
  if (!navigator.mediaDevices) {
    notice(
      `${source.title} needs a secure page. Give the pipeline a certificate (wssignalsrc tls-certificate=… ` +
        `tls-private-key=…) and open https://${location.host}${location.pathname}, or open this page on the machine ` +
        'of the pipeline as http://localhost.',
    );
    return;
  }
  if (requested.has(name)) return;
  requested.add(name);
  try {
    const stream = await source.get().finally(() => requested.delete(name));
    const track = stream.getTracks().find((t) => t.kind === source.kind);
    if ('contentHint' in track) track.contentHint = source.hint;
    track.addEventListener('ended', () => {
      if (link.outgoing.get(name) === track) link.setTrack(name, null);
    });
    await link.setTrack(name, track);
    announce(`${source.title} on.`);
  } catch (error) {
    if (!(name === 'screen' && error.name === 'NotAllowedError'))
      notice(`${source.title} ${REASONS[error.name] ?? `could not be used: ${error.message}`}`);
  }
}

const previews = new Map();

function showMine() {
  for (const name of Object.keys(SOURCES)) {
    const track = link.outgoing.get(name);
    const button = $(name);
    button.setAttribute('aria-pressed', String(!!track));
    button.title = `${SOURCES[name].title} ${track ? 'off' : 'on'} (${button.getAttribute('aria-keyshortcuts')})`;
    if (previews.get(name)?.track !== track) {
      previews.get(name)?.box.remove();
      previews.delete(name);
      if (track?.kind === 'video') {
        const box = document.createElement('figure');
        const video = document.createElement('video');
        const words = document.createElement('figcaption');
        video.muted = video.autoplay = video.playsInline = true;
        video.srcObject = new MediaStream([track]);
        video.setAttribute('aria-label', `Your ${name}, as it is sent`);
        video.classList.toggle('mirror', name === 'camera');
        words.textContent = `Your ${name}`;
        box.append(video, words);
        $('mine').append(box);
        previews.set(name, { track, box });
        video.play().catch(() => {});
      }
    }
  }
  $('mine').hidden = previews.size === 0;
}

link.addEventListener('outgoing', showMine);
link.addEventListener('outgoing', chooseRole);
link.addEventListener('peer', chooseRole);
for (const name of Object.keys(SOURCES)) $(name).addEventListener('click', () => toggleSource(name));
// Phones cannot share their screen; without https there is no telling, so the button explains that instead.
$('screen').hidden = navigator.mediaDevices
  ? !navigator.mediaDevices.getDisplayMedia
  : matchMedia('(hover: none)').matches;

/* ---- keys ---- */

$('keys-on').checked = memory.get(local, 'rtclink keys') !== 'off';
$('keys-on').addEventListener('change', () => memory.set(local, 'rtclink keys', $('keys-on').checked ? 'on' : 'off'));

function showHelp() {
  if ($('help').open) $('help').close();
  else $('help').showModal();
}

function full() {
  const focused = document.activeElement?.closest?.('.tile');
  const tile =
    [...tiles.values()].find((t) => t.root === (document.fullscreenElement ?? focused)) ??
    [...tiles.values()].find((t) => t.video);
  tile?.toggleFull();
}

const KEYS = {
  m: () => $('sound').hidden || setSound(!sound.on),
  f: full,
  t: () => toggleSource('microphone'),
  c: () => toggleSource('camera'),
  s: () => $('screen').hidden || toggleSource('screen'),
  d: () => data.show(!data.shown, true),
  i: () => showNumbers(!numbersShown),
  '?': showHelp,
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !$('keys-on').checked) return;
  if (event.target.closest?.('input:not([type=range]):not([type=checkbox]), textarea, select')) return;
  if ($('ask').open || ($('help').open && event.key !== '?')) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

$('help-button').addEventListener('click', showHelp);
$('sound').addEventListener('click', () => setSound(!sound.on));
$('notice-close').addEventListener('click', () => ($('notice').hidden = true));

/* ---- every second ---- */

async function measure() {
  await Promise.all(
    [...link.peers.values()].map(async (peer) => {
      const figures = await peer.stats().catch(() => new Map());
      for (const tile of tiles.values()) if (tile.peer === peer) tile.measure(figures);
    }),
  );
  showServer();
  data.measure();
}

setInterval(() => document.visibilityState === 'visible' && measure(), 1000);
let beat = 0;
setInterval(() => {
  if (document.visibilityState !== 'visible') return;
  if (reducedMotion.matches && beat++ % 5 !== 0) return;
  for (const tile of tiles.values()) tile.measureLevel();
}, 200);

/* Firefox finds its network addresses by the connection that the page came over. One from its cache came over none, and
 * where there is no route to the Internet it then finds no address at all. */
const arrival = performance.getEntriesByType('navigation')[0];
const stale = arrival?.type === 'back_forward' && arrival.transferSize === 0;

$('room').textContent = room;
document.title = room ? `${room} · rtclink` : 'rtclink';
showMine();
showServer();
if (stale) location.reload();
else enter();
