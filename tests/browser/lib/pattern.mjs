/* SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * The number that browser-peer drew into the picture, read from a canvas; null when there is no picture, or not ours.
 * Runs in the page.
 * @param {number} tile which of them
 */
export function readNumber(tile) {
  const BITS = 16;
  const BLOCK = 40;
  const video = document.querySelectorAll('.tile')[tile]?.querySelector('video.seen');
  if (!video || !video.videoWidth || video.readyState < 2) return null;
  const canvas = (globalThis.testCanvas ??= document.createElement('canvas'));
  canvas.width = 640;
  canvas.height = 360;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, 640, 360);
  const { data } = context.getImageData(0, 0, 640, 2 * BLOCK);
  const bright = (column, row) => {
    let sum = 0;
    for (let y = 12; y < 28; y += 4)
      for (let x = 12; x < 28; x += 4) sum += data[((row * BLOCK + y) * 640 + column * BLOCK + x) * 4 + 1];
    return sum / 16;
  };
  let number = 0;
  for (let i = 0; i < BITS; i++) {
    const [set, unset] = [bright(i, 0), bright(i, 1)];
    // A bit and its complement: anything else is no frame of browser-peer.
    if (Math.abs(set - unset) < 100) return null;
    number = number * 2 + (set > unset ? 1 : 0);
  }
  return number;
}
