/* SPDX-License-Identifier: LGPL-2.1-or-later */

const STEP = 50;

/**
 * Waits until a check gives something true, and returns that. It asks again and again: nothing is slept for.
 * @param {string} what is waited for, as it would stand in a sentence
 * @param {() => any} check what it throws is told when time is up; an error whose `final` is true ends the wait
 * @param {number} [timeout] ms
 */
export async function until(what, check, timeout = 15000) {
  const deadline = Date.now() + timeout;
  let value;
  let error;
  do {
    try {
      error = undefined;
      value = await check();
      if (value) return value;
    } catch (e) {
      if (e.final) throw e;
      error = e;
    }
    await new Promise((resolve) => setTimeout(resolve, STEP));
  } while (Date.now() < deadline);
  const last = error ? `the last attempt failed: ${error.message}` : `last seen: ${JSON.stringify(value)}`;
  throw new Error(`waited ${timeout} ms for ${what}; ${last}`);
}
