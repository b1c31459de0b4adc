#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: run.mjs BROWSER TRANSPORT SCENARIO... [--only SCENARIO]
 *
 * BROWSER is chromium or firefox, TRANSPORT a line of tests/transports, a SCENARIO a file of scenarios/ without its ending.
 * One after the other, in the same browser where they want the same of it; TAP. To be run by ../netns-run; README.md has
 * the environment. */

import { format, parseArgs } from 'node:util';
import { Browsers } from './lib/browsers.mjs';
import { Stage } from './lib/stage.mjs';

const LIMIT = 240000; // ms for a scenario. All waits within have limits of their own, but for those of the driver.

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const [browserName, transport, ...all] = positionals;
const scenarios = values.only ? all.filter((name) => name === values.only) : all;
if (!['chromium', 'firefox'].includes(browserName) || !scenarios.length || !all.every((s) => /^[a-z0-9-]+$/.test(s))) {
  console.error('usage: run.mjs chromium|firefox TRANSPORT SCENARIO... [--only SCENARIO]');
  process.exit(2);
}

// What a scenario has to say is a comment in TAP. What is said behind "not ok" stands in the summary of scripts/test, too.
console.log = (...words) => process.stdout.write(format(...words).replace(/^/gm, '# ') + '\n');

async function play(scenario, title, browsers) {
  const { default: act } = await import(`./scenarios/${scenario}.mjs`);
  const begun = performance.now();
  const stage = new Stage(browserName, scenario, transport, browsers);
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${LIMIT} ms`)), LIMIT);
  });
  try {
    await Promise.race([act(stage), limit]);
    process.stdout.write(`ok ${title}\n`);
  } catch (error) {
    process.stdout.write(`not ok ${title}\n`);
    console.log(`after ${Math.round(performance.now() - begun)} ms: ${error.stack}`);
    stage.failed = true;
    await stage.explain().catch((e) => console.log(e.message));
  }
  clearTimeout(timer);
  await stage.end();
  return !stage.failed;
}

const browsers = new Browsers();
let status = 0;
process.stdout.write(`1..${scenarios.length}\n`);
for (const [i, scenario] of scenarios.entries()) {
  const title = `${i + 1} - ${scenario} in ${browserName} on ${transport}`;
  if (!(await play(scenario, title, browsers))) status = 1;
}
await browsers.close();
process.exit(status);
