/* SPDX-License-Identifier: LGPL-2.1-or-later */

/** Brightness (BT.601), 0 to 255, of packed RGBA. @param {Uint8Array} pixels */
export function luma(pixels) {
  const out = new Float64Array(pixels.length / 4);
  for (let i = 0, at = 0; i < out.length; i++, at += 4)
    out[i] = 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
  return out;
}

/** The same of a luma plane as video has it, 16 to 235. @param {Uint8Array} plane */
export function fullRange(plane) {
  return Float64Array.from(plane, (v) => ((v - 16) * 255) / 219);
}

/**
 * Structural similarity of two pictures of the same size (Wang et al. 2004), over windows of 8x8 every 4 pixels.
 * @returns {number} 1 for equal ones
 */
export function ssim(a, b, width, height) {
  const C1 = (0.01 * 255) ** 2;
  const C2 = (0.03 * 255) ** 2;
  const N = 64;
  let total = 0;
  let windows = 0;
  for (let y = 0; y + 8 <= height; y += 4) {
    for (let x = 0; x + 8 <= width; x += 4) {
      let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
      for (let j = 0; j < 8; j++) {
        for (let i = 0; i < 8; i++) {
          const at = (y + j) * width + x + i;
          const [p, q] = [a[at], b[at]];
          sa += p;
          sb += q;
          saa += p * p;
          sbb += q * q;
          sab += p * q;
        }
      }
      const [ma, mb] = [sa / N, sb / N];
      const [va, vb, cov] = [saa / N - ma * ma, sbb / N - mb * mb, sab / N - ma * mb];
      total += ((2 * ma * mb + C1) * (2 * cov + C2)) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
      windows++;
    }
  }
  return total / windows;
}

/** Normalised correlation of `a` with the part of `b` that starts at `lag`. */
function correlation(a, b, lag) {
  let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
  const n = a.length;
  for (let i = 0; i < n; i++) {
    const [p, q] = [a[i], b[lag + i]];
    sa += p;
    sb += q;
    saa += p * p;
    sbb += q * q;
    sab += p * q;
  }
  const [va, vb] = [saa - (sa * sa) / n, sbb - (sb * sb) / n];
  return va > 0 && vb > 0 ? (sab - (sa * sb) / n) / Math.sqrt(va * vb) : 0;
}

/** Where in `b` a piece `a` fits best. @returns {{lag: number, value: number}} */
export function bestFit(a, b) {
  let best = { lag: 0, value: -1 };
  for (let lag = 0; lag + a.length <= b.length; lag++) {
    const value = correlation(a, b, lag);
    if (value > best.value) best = { lag, value };
  }
  return best;
}

/** Loudness in steps of so many samples. */
export function envelope(samples, step) {
  const out = new Float64Array(Math.floor(samples.length / step));
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let j = 0; j < step; j++) sum += samples[i * step + j] ** 2;
    out[i] = Math.sqrt(sum / step);
  }
  return out;
}

/* How well the pieces of `got` fit into `sent`, each at most `slack` beside its place, which is that of `got` and `lag`. */
function fitPieces(sent, got, piece, lag, slack, isPause = () => false) {
  const found = [];
  for (let at = 0; at + piece <= got.length; at += piece) {
    const part = got.subarray(at, at + piece);
    if (isPause(part)) continue;
    const place = lag + at;
    found.push(bestFit(part, sent.subarray(Math.max(0, place - slack), place + piece + slack)).value);
  }
  found.sort((a, b) => a - b);
  return { middle: found[found.length >> 1] ?? 0, pieces: found.length };
}

/**
 * How alike two recordings of speech are. The loudness says where the second starts in the first; then both the
 * loudness and the waves are compared piece by piece: a receiver stretches time a little, so each piece may lie some ms
 * beside its place.
 * @param {Float64Array} sent @param {Float64Array} got shorter than `sent` @param {number} rate of both
 * @returns {{loudness: number, waves: number, pieces: number}} correlations: the medians of seconds' loudness and of
 *   the waves' pieces, and how many there are of those
 */
export function compareSpeech(sent, got, rate) {
  const step = rate / 100;
  const slack = rate / 25;
  const [loudSent, loudGot] = [envelope(sent, step), envelope(got, step)];
  const { lag } = bestFit(loudGot, loudSent);
  const loudness = fitPieces(loudSent, loudGot, 100, lag, slack / step);
  const waves = fitPieces(sent, got, rate / 4, lag * step, slack, (part) => envelope(part, part.length)[0] < 0.01);
  return { loudness: loudness.middle, waves: waves.middle, pieces: waves.pieces };
}

/** The samples of a WAV file of 16 bits, mono. */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 12;
  let rate = 0;
  while (at + 8 <= bytes.length) {
    const name = String.fromCharCode(...bytes.subarray(at, at + 4));
    const size = Math.min(view.getUint32(at + 4, true), bytes.length - at - 8);
    if (name === 'fmt ') rate = view.getUint32(at + 12, true);
    if (name === 'data') {
      const samples = new Float64Array(size >> 1);
      for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(at + 8 + 2 * i, true) / 32768;
      return { rate, samples };
    }
    at += 8 + size + (size & 1);
  }
  throw new Error('the WAV file has no samples');
}
