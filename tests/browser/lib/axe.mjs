/* SPDX-License-Identifier: LGPL-2.1-or-later */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** axe-core finds nothing serious in what PAGE shows, of which a picture is kept. */
export async function inspect(stage, page, state) {
  // Colours on their way from one to another are not to be judged.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((a) => a instanceof CSSTransition)
        .map((a) => a.finished.catch(() => {})),
    ),
  );
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const result = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return result.violations.map(({ id, impact, help, nodes }) => ({
      id,
      impact,
      help,
      where: nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary}`),
    }));
  });
  await stage.screenshot(page, state);
  const bad = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
  for (const v of violations) console.log(`${state}: ${v.impact}: ${v.help}: ${v.where[0]}`);
  assert.deepEqual(bad, [], `${state}: ${JSON.stringify(bad, null, 2)}`);
}
