/* The page's control panel: keys, a finger or a gamepad, on the data channel `control`.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A message is JSON: {"seq":7,"time":1760000000000,"armed":true,"axes":[0,-1,0,0],"buttons":[0,1]}. `axes` and `buttons`
 * are those of the W3C's standard gamepad: -1 is left or ahead, 1 right or back; a button is 0 to 1. `time` is this
 * clock's, in ms. While control is on, one is sent 20 times a second as long as something is pressed or has just
 * changed, and 5 times a second otherwise: a receiver that hears nothing for half a second stops its machine.
 */

import { $, announce, isPage, nameOf, setText } from '/dom.js';

const LABEL = 'control';
// Late is worse than never, but what is newest has to come last.
const INIT = { maxPacketLifeTime: 250, maxBuffered: 16384 };
const TICK = 50;
const HEARTBEAT = 200;
const DEAD = 0.08; // sticks never rest at 0 exactly
const WAITING = 2048; // bytes: what waits longer than a tick is old
const GOODBYES = 3; // the last message may be lost

const KEYS = {
  ArrowUp: [0, -1],
  KeyW: [0, -1],
  ArrowDown: [0, 1],
  KeyS: [0, 1],
  ArrowLeft: [-1, 0],
  KeyA: [-1, 0],
  ArrowRight: [1, 0],
  KeyD: [1, 0],
};

function round(value) {
  return Math.round(value * 1000) / 1000;
}

/**
 * @param {import('./rtclink.js').RtcLink} link
 * @param {() => void} changed what is wanted of the peers is other than before
 */
export function setUpControl(link, changed) {
  const pressed = new Set();
  const finger = { id: null, x: 0, y: 0 };
  let armed = false;
  let target = null; // the peer that is controlled
  let channel = null;
  let timer = 0;
  let seq = 0;
  let last = ''; // what was sent, as JSON
  let lastAt = 0;
  let neutral = false; // a gamepad counts once it was let go

  const pipelines = () => [...link.peers.values()].filter((peer) => !isPage(peer));

  function tell(words, state = armed ? 'on' : 'off') {
    setText($('control-words'), words);
    $('control-words').dataset.state = state;
  }

  /* ---- what is pressed ---- */

  function pad() {
    const pads = navigator.getGamepads?.() ?? [];
    return [...pads].find((p) => p?.connected && p.axes.length >= 2) ?? null;
  }

  function showPad() {
    const found = pad();
    if (found) setText($('gamepad'), `Gamepad: ${found.id.replace(/\s*\(.*\)$/, '').slice(0, 60)}`);
    else if (!navigator.getGamepads) setText($('gamepad'), 'Gamepads need a secure page (https).');
    else setText($('gamepad'), 'Gamepad: press one of its buttons.');
  }

  function read() {
    const axes = [0, 0, 0, 0];
    let buttons = [];
    const found = pad();
    if (found) {
      const values = found.axes.slice(0, 4).map((v) => (Math.abs(v) < DEAD ? 0 : round(v)));
      const pushed = found.buttons.map((b) => round(b.value));
      neutral ||= !values.some(Boolean) && !pushed.some(Boolean);
      if (neutral) {
        values.forEach((v, i) => (axes[i] = v));
        buttons = pushed;
      }
    } else {
      neutral = true;
    }
    const [x, y] = [...pressed].reduce(([ax, ay], key) => [ax + KEYS[key][0], ay + KEYS[key][1]], [finger.x, finger.y]);
    const most = Math.hypot(x, y) > 1 && finger.id !== null ? Math.hypot(x, y) : 1;
    if (x || y) {
      axes[0] = round(Math.max(-1, Math.min(1, x / most)));
      axes[1] = round(Math.max(-1, Math.min(1, y / most)));
    }
    return { axes, buttons };
  }

  function letGo() {
    pressed.clear();
    finger.id = null;
    finger.x = finger.y = 0;
  }

  function showAxes({ axes: [x, y] }) {
    const number = (v) => (v === 0 ? '0.00' : v.toFixed(2).replace('-', '−'));
    setText($('axis-x'), number(x));
    setText($('axis-y'), number(-y));
    const knob = $('stick').querySelector('.knob');
    knob.style.transform = `translate(${(x * 100).toFixed(1)}%, ${(y * 100).toFixed(1)}%)`;
    $('stick').classList.toggle('held', x !== 0 || y !== 0);
  }

  /* ---- what is sent ---- */

  function send(state, on) {
    if (channel?.state !== 'open') return;
    // The next one says all of it anew.
    if (channel.bufferedAmount > WAITING && on) return;
    lastAt = performance.now();
    last = JSON.stringify(state);
    channel.send(JSON.stringify({ seq: seq++, time: Date.now(), armed: on, ...state }));
  }

  function tick() {
    const state = read();
    showAxes(state);
    const held = state.axes.some(Boolean) || state.buttons.some(Boolean);
    const due = performance.now() - lastAt >= HEARTBEAT - TICK / 2;
    if (held || due || JSON.stringify(state) !== last) send(state, true);
  }

  /* A change is not to wait for the next tick. */
  function moved() {
    if (!armed) {
      showAxes(read());
      return;
    }
    const state = read();
    showAxes(state);
    if (JSON.stringify(state) !== last) send(state, true);
  }

  /* ---- on and off ---- */

  function arm() {
    choose();
    if (!target) {
      tell('No pipeline is here that could be controlled.', 'bad');
      announce('No pipeline is here that could be controlled.');
      return;
    }
    letGo();
    armed = true;
    neutral = false;
    seq = 0;
    last = '';
    lastAt = 0;
    openChannel();
    timer = setInterval(tick, TICK);
    setText($('arm'), 'Give it back');
    $('control').classList.add('armed');
    changed();
    showState();
    $('stick').focus({ preventScroll: true });
  }

  /** @param {string} [words] why, when nobody here wanted it */
  function disarm(words) {
    if (!armed) return;
    clearInterval(timer);
    letGo();
    armed = false;
    const still = { axes: [0, 0, 0, 0], buttons: [] };
    for (let i = 0; i < GOODBYES; i++) send(still, false);
    showAxes(still);
    setText($('arm'), 'Take control');
    $('control').classList.remove('armed');
    tell(words ?? 'Control is off.', words ? 'bad' : 'off');
    announce(words ?? 'Control is off.');
  }

  /* The one that the pipeline opened, or ours. */
  function openChannel() {
    const usable = (c) => c.label === LABEL && ['open', 'connecting'].includes(c.state);
    const known = target.channels.filter(usable);
    const next = known.find((c) => c.remote) ?? known[0] ?? target.openChannel(LABEL, INIT);
    if (next === channel) return;
    channel = next;
    next.addEventListener('state', () => next === channel && showState());
  }

  function whyNot() {
    const name = nameOf(channel.peer);
    const { problem } = channel;
    if (problem?.code === 'peer-left') return `${name} has left, so control is off.`;
    if (problem?.code === 'channel-closed')
      return (
        `${name} does not listen: it closed the channel “${LABEL}”. ` +
        `A pipeline listens with datachannelsrc label=${LABEL}.`
      );
    if (problem) return `${name} does not listen. ${problem.text}`;
    return `The connection to ${name} was interrupted, so control is off. Take it again when it is back.`;
  }

  function showState() {
    const { state, problem } = channel;
    if (!armed) {
      // A channel that is closed looks like a connection that is interrupted, at first.
      if (problem && $('control-words').dataset.state === 'bad') tell(whyNot(), 'bad');
      return;
    }
    const name = nameOf(target);
    if (state === 'open') {
      // What was held meanwhile was not meant for now.
      letGo();
      neutral = false;
      tell(`${name} gets what you press.`);
      announce(`Control is on: ${name} gets what you press.`);
    } else if (state === 'connecting') {
      tell(`Waiting for ${name}…`, 'wait');
    } else {
      disarm(whyNot());
    }
  }

  /* ---- who ---- */

  function choose() {
    const all = pipelines();
    const select = $('control-peer');
    $('control-which').hidden = all.length < 2;
    for (const option of [...select.options]) if (!all.some((p) => p.id === option.value)) option.remove();
    for (const peer of all) {
      const known = [...select.options].find((option) => option.value === peer.id);
      if (!known) select.append(new Option(nameOf(peer), peer.id));
      else setText(known, nameOf(peer));
    }
    if (!armed) target = all.find((p) => p.id === select.value) ?? all[0] ?? null;
    $('arm').disabled = !target && !armed;
    if (!armed && $('control-words').dataset.state !== 'bad')
      tell(target ? 'Control is off.' : 'No pipeline is here that could be controlled.');
  }

  $('control-peer').addEventListener('change', () => {
    disarm();
    choose();
  });
  link.addEventListener('peer', ({ detail: peer }) => {
    peer.addEventListener('change', choose);
    choose();
  });
  link.addEventListener('peerleft', choose);

  /* ---- hands ---- */

  $('arm').addEventListener('click', () => (armed ? disarm() : arm()));

  const stick = $('stick');
  const section = $('control');

  section.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest('select')) return;
    if (event.code === 'Escape' && armed) {
      event.stopPropagation();
      disarm();
      $('arm').focus({ preventScroll: true });
    } else if (KEYS[event.code]) {
      // Not a shortcut of the page, and no scrolling either.
      event.preventDefault();
      event.stopPropagation();
      if (event.repeat || !armed) return;
      pressed.add(event.code);
      moved();
    }
  });
  // Let go anywhere.
  window.addEventListener('keyup', ({ code }) => pressed.delete(code) && moved());

  function drag(event) {
    const box = stick.getBoundingClientRect();
    const reach = box.width / 2 - box.width / 6;
    const x = (event.clientX - box.left - box.width / 2) / reach;
    const y = (event.clientY - box.top - box.height / 2) / reach;
    const most = Math.max(1, Math.hypot(x, y));
    finger.x = Math.abs(x / most) < DEAD ? 0 : x / most;
    finger.y = Math.abs(y / most) < DEAD ? 0 : y / most;
    moved();
  }

  stick.addEventListener('pointerdown', (event) => {
    if (!armed || finger.id !== null || event.button !== 0) return;
    event.preventDefault();
    stick.focus({ preventScroll: true });
    finger.id = event.pointerId;
    stick.setPointerCapture(event.pointerId);
    drag(event);
  });
  stick.addEventListener('pointermove', (event) => event.pointerId === finger.id && drag(event));
  for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'])
    stick.addEventListener(type, (event) => {
      if (event.pointerId !== finger.id) return;
      finger.id = null;
      finger.x = finger.y = 0;
      moved();
    });

  function release() {
    letGo();
    moved();
  }
  section.addEventListener('focusout', ({ relatedTarget }) => section.contains(relatedTarget) || release());
  window.addEventListener('blur', release);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') disarm('The page was hidden, so control is off.');
  });
  window.addEventListener('pagehide', () => disarm());
  window.addEventListener('gamepadconnected', showPad);
  window.addEventListener('gamepaddisconnected', () => {
    neutral = false;
    showPad();
    release();
  });

  showPad();
  choose();

  return {
    /** Whether channels are wanted even with those that send nothing. */
    get wanted() {
      return armed;
    },
  };
}
