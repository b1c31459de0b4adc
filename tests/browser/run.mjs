#!/usr/bin/env node
/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: run.mjs BROWSER SCENARIO [TRANSPORT]   (chromium or firefox; a file of scenarios/, without its ending; a line of
 * tests/transports)
 *
 * One scenario in one browser. To be run by ../netns-run; README.md has the environment. */

import { Stage } from './lib/stage.mjs';

const [browserName, scenario, transport = 'auto'] = process.argv.slice(2);
if (!['chromium', 'firefox'].includes(browserName) || !/^[a-z0-9-]+$/.test(scenario ?? '')) {
  console.error('usage: run.mjs chromium|firefox SCENARIO [TRANSPORT]');
  process.exit(2);
}

const { default: play } = await import(`./scenarios/${scenario}.mjs`);
const stage = new Stage(browserName, scenario, transport);
let status = 0;
try {
  await play(stage);
  console.log(`${scenario} in ${browserName} on ${transport}: passed`);
} catch (error) {
  status = 1;
  console.error(`${scenario} in ${browserName} on ${transport}: ${error.stack}`);
  await stage.explain().catch((e) => console.error(e.message));
}
await stage.end();
process.exit(status);
